/*
 * A timeout: each call of a server that may never answer has a fifth of a second.  One that is too
 * late is tried again; after three in a row nobody calls, for a second.  What was too late has
 * ended: nothing goes on behind the caller's back.
 */
#include <stdio.h>
#include <leat/leat.h>

struct lookup {
	int lost; // So many calls get no answer
	int calls;
};

static leat_breaker breaker;
static int running;

// Sleep returns early when the time is over
static int call_server(struct lookup *lookup)
{
	int r;

	running++;
	r = ++lookup->calls > lookup->lost ? 0 : leat_sleep(60 * LEAT_S);
	running--;
	return r;
}

static int call_in_time(struct lookup *lookup)
{
	return leat_timeout(call_server, lookup, 200 * LEAT_MS);
}

static int call(struct lookup *lookup)
{
	return leat_breaker_call(&breaker, call_in_time, lookup);
}

static bool is_late(int error)
{
	return error == -ETIMEDOUT;
}

static void look_up(const char *name, int lost)
{
	struct lookup lookup = { .lost = lost };
	int r = leat_retry(LEAT_RETRY_OPTIONS(.attempts = 3, .backoff = 10 * LEAT_MS,
					      .retryable = is_late), call, &lookup);

	printf("%s: %s, %d calls\n", name,
	       r == 0 ? "found" : r == LEAT_EOPEN ? "left alone" : "too late", lookup.calls);
}

LEAT_MAIN()
{
	if (leat_breaker_init(&breaker, LEAT_BREAKER_OPTIONS(.failures = 3, .probes = 1,
							     .open_for = LEAT_S,
							     .successes = 1)) < 0)
		return 1;
	look_up("ann", 0);
	look_up("bob", 1);
	look_up("cat", 3);
	look_up("dan", 0);

	leat_sleep(LEAT_S);
	look_up("dan", 0);
	printf("%d still running\n", running);
	return 0;
}
