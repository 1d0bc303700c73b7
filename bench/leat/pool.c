/* Pools by leat/pool.h; also the program bench-bare: a pool without ledger and attribution. */
#include <stdlib.h>

#include "rows.h"

enum { PREFETCH = 16 };

static int double_it(int64_t *job, int64_t *ret_result)
{
	*ret_result = *job * 2;
	return 0;
}

static int nothing(int64_t *job)
{
	(void)job;
	return 0;
}

LEAT_TASK(submit_all, (leat_pool(int64_t), p), (int64_t, n))
{
	for (int64_t i = 0; i < n; i++)
		must("submit", leat_pool_submit(p, i));
	leat_pool_close(p);
}

/* The page's worker pool, with results. */
static void doubles(struct bench *b, int prefetch)
{
	leat_chan(int64_t) results = make_chan(100);
	leat_pool(int64_t) p;
	int64_t sum = 0;

	must("pool", leat_pool_make_to(&p, results, double_it, .workers = 3, .queue = 100,
				       .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_STOP,
				       .order = LEAT_POOL_AS_COMPLETED, .prefetch = prefetch));
	bench_start(b);
	leat_go(submit_all, p, b->size);
	leat_range(result, results)
		sum += result;
	bench_stop(b);
	must("destroy", leat_pool_destroy(p, NULL));
	leat_chan_unref(results);
	bench_check(b, "sum", sum, b->size * (b->size - 1));
	bench_report(b, b->size);
}

static void pool_object(struct bench *b)
{
	doubles(b, 1);
}

static void prefetch_object(struct bench *b)
{
	doubles(b, PREFETCH);
}

static void destroy(struct bench *b, leat_pool(int64_t) p, int64_t jobs)
{
	leat_ledger ledger = { .size = sizeof(ledger) };

	must("destroy", leat_pool_destroy(p, &ledger));
#ifdef LEAT_BENCH_BARE
	ledger.out = ledger.in;
#endif
	bench_check(b, "jobs done", (int64_t)ledger.out, jobs);
}

/* Empty jobs without results. */
static void empty_jobs(struct bench *b, int workers, size_t batch, int prefetch)
{
	int64_t jobs[100] = { 0 }, n = b->size / (int64_t)batch * (int64_t)batch;
	leat_pool(int64_t) p;

	must("pool", leat_pool_make(&p, nothing, .workers = workers, .queue = 100,
				    .overflow = LEAT_OVERFLOW_BLOCK,
				    .on_error = LEAT_ERROR_STOP, .prefetch = prefetch));
	bench_start(b);
	for (int64_t i = 0; i < n; i += (int64_t)batch)
		if (batch == 1)
			must("submit", leat_pool_submit(p, i));
		else if (leat_pool_submit_n(p, jobs, batch) != (int64_t)batch)
			abort();
	must("drain", leat_pool_drain(p, LEAT_FOREVER));
	bench_stop(b);
	destroy(b, p, n);
	bench_report(b, n);
}

static void pool_empty(struct bench *b)
{
	empty_jobs(b, 3, 1, 1);
}

static void pool_batch(struct bench *b)
{
	empty_jobs(b, 3, 100, 1);
}

static void pool_10000(struct bench *b)
{
	empty_jobs(b, 10000, 1, 1);
}

static void prefetch_empty(struct bench *b)
{
	empty_jobs(b, 3, 1, PREFETCH);
}

static void prefetch_batch(struct bench *b)
{
	empty_jobs(b, 3, 100, PREFETCH);
}

struct worked {
	uint64_t x;
};

static int start_working(struct worked *worked, int worker)
{
	worked->x = (uint64_t)worker;
	return 0;
}

static uint64_t result;

static void end_working(struct worked *worked)
{
	__atomic_fetch_add(&result, worked->x, __ATOMIC_RELAXED);
}

static int work(struct worked *worked, int64_t *job)
{
	worked->x = bench_work(worked->x + (uint64_t)*job);
	return 0;
}

static void pool_1us(struct bench *b)
{
	struct worked begin = { 0 };
	leat_pool(int64_t) p;

	must("pool", leat_pool_make_with(&p, &begin, start_working, end_working, work, .workers = 3,
					 .queue = 100, .overflow = LEAT_OVERFLOW_BLOCK,
					 .on_error = LEAT_ERROR_STOP));
	bench_start(b);
	for (int64_t i = 0; i < b->size; i++)
		must("submit", leat_pool_submit(p, i));
	must("drain", leat_pool_drain(p, LEAT_FOREVER));
	bench_stop(b);
	destroy(b, p, b->size);
	bench_report(b, b->size);
}

/* As many jobs as size that wait: what each costs beyond its own bytes. */
static void pool_queued(struct bench *b)
{
	int64_t before = bench_memory();
	leat_pool(int64_t) p;

	must("pool", leat_pool_make(&p, nothing, .workers = 3, .queue = (size_t)b->size,
				    .overflow = LEAT_OVERFLOW_REJECT, .on_error = LEAT_ERROR_STOP));
	must("pause", leat_pool_pause(p, LEAT_FOREVER));
	bench_start(b);
	for (int64_t i = 0; i < b->size; i++)
		must("submit", leat_pool_submit(p, i));
	bench_metric(b, ".bytes",
		     (double)(bench_memory() - before) / b->size - sizeof(int64_t), "bytes");
	leat_pool_resume(p);
	must("drain", leat_pool_drain(p, LEAT_FOREVER));
	bench_stop(b);
	destroy(b, p, b->size);
	bench_report(b, b->size);
}

const struct bench_row pool_rows[] = {
	{ .name = "pool-object", .unit = "ns", .size = 2000000, .run = pool_object },
	{ .name = "pool-empty", .unit = "ns", .size = 4000000, .run = pool_empty },
	{ .name = "pool-batch", .unit = "ns", .size = 4000000, .run = pool_batch },
	{ .name = "prefetch-object", .unit = "ns", .size = 2000000, .run = prefetch_object },
	{ .name = "prefetch-empty", .unit = "ns", .size = 4000000, .run = prefetch_empty },
	{ .name = "prefetch-batch", .unit = "ns", .size = 4000000, .run = prefetch_batch },
	{ .name = "pool-10000", .unit = "ns", .size = 4000000, .run = pool_10000 },
	{ .name = "pool-1us", .unit = "ns", .size = 500000, .run = pool_1us },
	{ .name = "pool-queued", .unit = "ns", .size = 1000000, .cold = true, .run = pool_queued },
	{ 0 },
};
