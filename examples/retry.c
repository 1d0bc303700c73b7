/*
 * Retries within a budget: a server that fails each third call gets some of them again; one that is
 * down gets a fifth more calls than there are callers, and not four times as many.
 */
#include <stdio.h>
#include <leat/leat.h>

struct server {
	int calls;
	bool down;
};

static int call(struct server *server)
{
	server->calls++;
	return server->down || server->calls % 3 == 0 ? -EBUSY : 0;
}

static int ask(struct server *server, int callers)
{
	leat_retry_budget budget;
	int answers = 0;

	if (leat_retry_budget_init(&budget, 0.2, 0) < 0)
		return -1;
	for (int i = 0; i < callers; i++)
		answers += leat_retry(LEAT_RETRY_OPTIONS(.attempts = 4, .backoff = LEAT_MS,
							 .backoff_max = 10 * LEAT_MS,
							 .budget = &budget), call, server) == 0;
	return answers;
}

LEAT_MAIN()
{
	struct server well = { 0 }, down = { .down = true };

	printf("%d of 100 answered, ", ask(&well, 100));
	printf("by %d calls\n", well.calls);
	printf("%d of 100 answered, ", ask(&down, 100));
	printf("by %d calls\n", down.calls);
	return 0;
}
