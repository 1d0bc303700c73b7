/*
 * A circuit breaker: three failures in a row open it; for a while nobody calls; then one tries, and
 * two successes close it.
 */
#include <stdio.h>
#include <leat/leat.h>

static int call_number;

/* A server that is down from the third call to the sixth. */
static int call_server(void)
{
	call_number++;
	return call_number >= 3 && call_number <= 6 ? -ECONNREFUSED : 0;
}

static int call(leat_breaker *breaker)
{
	leat_breaker_ticket ticket;
	int r = leat_breaker_enter(breaker, &ticket);

	if (r < 0)
		return r; // LEAT_EOPEN: the server has been left alone
	r = call_server();
	leat_breaker_leave(breaker, ticket, r);
	return r;
}

LEAT_MAIN()
{
	static const char *const state[] = { "closed", "open", "half-open" };
	leat_breaker breaker;
	int r = leat_breaker_init(&breaker, LEAT_BREAKER_OPTIONS(.failures = 3, .probes = 1,
								 .open_for = 100 * LEAT_MS,
								 .successes = 2));

	for (int i = 1; i <= 12 && r != -EINVAL; i++) {
		r = call(&breaker);
		printf("%2d: %s, %s\n", i, r == LEAT_EOPEN ? "not called" : r < 0 ? "failed" : "ok",
		       state[leat_breaker_state_of(&breaker)]);
		if (i == 6 || i == 8)
			leat_sleep(100 * LEAT_MS);
	}
	return r == -EINVAL;
}
