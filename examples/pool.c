/*
 * A worker pool: the nine jobs of worker_pool.c.  The pool knows when the last one is done and
 * closes the results; it says where each job went; and a job that fails does not get lost.
 */
#include <stdio.h>
#include <leat/leat.h>

static int twice(int *job, int *ret_result)
{
	leat_sleep(100 * LEAT_MS); // Simulate work
	if (*job == 7)
		return -EDOM;
	*ret_result = *job * 2;
	return 0;
}

static void report(int *job, int error)
{
	printf("job %d: %s\n", *job, leat_strerror(error));
}

LEAT_MAIN()
{
	leat_chan(int) results = leat_chan_make(int, 0);
	leat_ledger ledger = { .size = sizeof(ledger) };
	leat_pool(int) pool;
	char text[256];
	int r;

	r = leat_pool_make_to(&pool, results, twice, .workers = 3, .queue = 100,
			      .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_COUNT,
			      .order = LEAT_POOL_AS_COMPLETED,
			      .failed = LEAT_POOL_FAILED(int, report));
	if (r < 0)
		return 1;
	for (int job = 1; job <= 9; job++)
		if (leat_pool_submit(pool, job) < 0)
			break;
	leat_pool_close(pool);

	leat_range(result, results)
		printf("%d\n", result);

	leat_pool_destroy(pool, &ledger);
	leat_ledger_format(&ledger, text, sizeof(text));
	printf("%s\n", text);
	leat_chan_unref(results);
	return 0;
}
