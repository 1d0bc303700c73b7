/*
 * A client of an API, as its server wishes it: five requests at once and 50 a second; it waits as
 * a 429 says, tries again what failed, within a budget, and leaves a server alone that is gone.
 */
#include "api_server.h" // on loopback, in this program

static struct api_server server;
static leat_bucket rate;
static leat_retry_budget budget;
static leat_breaker breaker;

struct request {
	int id, square, error;
};

static int fetch(struct request *q)
{
	leat_breaker_ticket ticket;
	char path[64], text[512];
	const char *body = "";
	int later = 0, r;

	snprintf(path, sizeof(path), "/squares/%d", q->id);
	do {
		if (leat_sleep(later * LEAT_S) < 0 || leat_bucket_take(&rate, 1) < 0)
			return -ECANCELED;
		r = leat_breaker_enter(&breaker, &ticket);
		if (r < 0)
			return r;
		r = http_get(&server.addr, path, text, sizeof(text), &body, &later);
		leat_breaker_leave(&breaker, ticket, r < 500 ? r : -EIO);
	} while (r == 429);
	return r < 0 ? r : r == 200 && sscanf(body, "%d", &q->square) == 1 ? 0 : -EIO;
}

static bool is_worth_it(int error)
{
	return error != LEAT_EOPEN && error != -ECANCELED;
}

LEAT_TASK(ask, (struct request *, q), (int, id))
{
	q->id = id;
	q->error = leat_retry(LEAT_RETRY_OPTIONS(.attempts = 4, .backoff = 100 * LEAT_MS,
						 .retryable = is_worth_it, .budget = &budget),
			      fetch, q);
}

static void ask_all(const char *when)
{
	struct request q[40] = { 0 };
	int right = 0, stopped = 0;
	leat_group group;

	leat_group_init(&group, LEAT_GROUP_OPTIONS(.limit = 5));
	for (int i = 0; i < 40; i++)
		leat_go_in(&group, ask, &q[i], i);
	leat_group_wait(&group);
	leat_group_release(&group);
	for (int i = 0; i < 40; i++) {
		right += q[i].error == 0 && q[i].square == i * i;
		stopped += q[i].error == LEAT_EOPEN;
	}
	printf("%s: %d of 40 right, %d stopped by the breaker\n", when, right, stopped);
}

LEAT_MAIN()
{
	if (leat_bucket_init(&rate, 50, 5) < 0 || leat_retry_budget_init(&budget, 0.2, 5) < 0 ||
	    leat_breaker_init(&breaker, LEAT_BREAKER_OPTIONS(.failures = 10, .open_for = LEAT_S,
							     .probes = 1, .successes = 2)) < 0 ||
	    api_server_start(&server) < 0)
		return 1;
	ask_all("a server with a limit");
	printf("it said 429 %d times, 503 %d times\n", server.refused, server.faults);
	api_server_stop(&server);
	ask_all("a server that is gone");
	return 0;
}
