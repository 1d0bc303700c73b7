/*
 * A worker pool as in production: jobs come from a bounded queue, each worker has a
 * connection of its own, results arrive in the order of the jobs, an error is counted and reported.
 */
#include <stdio.h>
#include <leat/leat.h>

struct connection {
	int worker, jobs;
};

struct answer {
	int question, value;
};

static int open_connection(struct connection *connection, int worker)
{
	connection->worker = worker;
	return leat_sleep(LEAT_MS); // Simulate a handshake
}

static void close_connection(struct connection *connection)
{
	printf("a connection closes\n");
	connection->jobs = 0;
}

static int ask(struct connection *connection, int *question, struct answer *ret_answer)
{
	int r = leat_sleep((20 - *question) * LEAT_MS); // Simulate work

	connection->jobs++;
	*ret_answer = (struct answer){ *question, *question * *question };
	return *question == 7 ? -EPROTO : r;
}

static void report(int *question, int error)
{
	printf("question %d: %s\n", *question, leat_strerror(error));
}

LEAT_TASK(submit, (leat_pool(int), pool), (int, n))
{
	for (int question = 1; question <= n; question++)
		if (leat_pool_submit(pool, question) < 0)
			break;
	leat_pool_close(pool);
}

LEAT_MAIN()
{
	leat_chan(struct answer) answers = leat_chan_make(struct answer, 4);
	leat_ledger ledger = { .size = sizeof(ledger) };
	struct connection connection = { 0 };
	leat_pool(int) pool;
	char text[256];
	int r;

	r = leat_pool_make_with_to(&pool, &connection, open_connection,
				   close_connection, answers, ask,
				   .workers = 3, .queue = 4, .overflow = LEAT_OVERFLOW_BLOCK,
				   .on_error = LEAT_ERROR_COUNT, .order = LEAT_POOL_AS_SUBMITTED,
				   .window = 8, .failed = LEAT_POOL_FAILED(int, report));
	if (r < 0)
		return 1;
	leat_go(submit, pool, 12);
	leat_range(answer, answers)
		printf("%d squared is %d\n", answer.question, answer.value);
	r = leat_pool_destroy(pool, &ledger);
	leat_ledger_format(&ledger, text, sizeof(text));
	printf("%s\n", text);
	leat_chan_unref(answers);
	return r < 0;
}
