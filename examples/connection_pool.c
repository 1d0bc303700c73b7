/*
 * A worker pool over a limited set of connections to a database.  Its calls block, and want more
 * stack than a task has, so leat_blocking_call runs them on a thread.  Each worker has a connection
 * of its own; answers come in the order of the questions; what fails is reported and counted.
 */
#include <stdio.h>
#include <leat/leat.h>
#include "orders.h" // the calls of SQLite

static int connect_to(struct connection *c, int worker)
{
	printf("connection %d opens\n", worker);
	return leat_blocking_call(orders_connect, c);
}

static void disconnect(struct connection *c)
{
	leat_shield_begin(); // also when the pool is cancelled
	leat_blocking_call(orders_disconnect, c);
	leat_shield_end();
}

static int ask(struct connection *c, int *customer, struct question *ret_answer)
{
	*ret_answer = (struct question){ .customer = *customer };
	c->now = ret_answer;
	return leat_blocking_call(orders_ask, c);
}

static void report(int *customer, int error)
{
	printf("customer %d: %s\n", *customer, leat_strerror(error));
}

LEAT_TASK(ask_all, (leat_pool(int), pool), (int, customers))
{
	for (int customer = 0; customer < customers; customer++)
		if (leat_pool_submit(pool, customer) < 0)
			break;
	leat_pool_close(pool);
}

LEAT_MAIN()
{
	leat_chan(struct question) answers = leat_chan_make(struct question, 4);
	struct connection first = { 0 }, none = { 0 };
	leat_ledger ledger = { .size = sizeof(ledger) };
	leat_pool(int) pool;
	char text[256];
	int r;

	r = leat_blocking_call(orders_create, &first);
	if (r < 0)
		return 1;
	r = leat_pool_make_with_to(&pool, &none, connect_to, disconnect, answers, ask,
				   .workers = 3, .queue = 8, .overflow = LEAT_OVERFLOW_BLOCK,
				   .on_error = LEAT_ERROR_COUNT, .order = LEAT_POOL_AS_SUBMITTED,
				   .window = 16, .failed = LEAT_POOL_FAILED(int, report));
	if (r < 0)
		return 1;
	leat_go(ask_all, pool, 13);
	leat_range(answer, answers)
		printf("customer %d has ordered for %d cents\n", answer.customer, answer.cents);
	r = leat_pool_destroy(pool, &ledger);
	leat_ledger_format(&ledger, text, sizeof(text));
	printf("%s\n", text);
	leat_blocking_call(orders_disconnect, &first);
	leat_chan_unref(answers);
	return r < 0;
}
