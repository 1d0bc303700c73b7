/* The page's worker pool and pipeline, a long chain, the prime sieve. */
#include <math.h>
#include <stdlib.h>

#include "rows.h"

LEAT_TASK(pool_worker, (leat_chan(int64_t), jobs), (leat_chan(int64_t), results))
{
	leat_range(job, jobs)
		leat_send(results, job * 2);
}

/* The first stage of each: 0 to n - 1, then the end. */
LEAT_TASK(generate, (leat_chan(int64_t), out), (int64_t, n))
{
	produce(out, 0, n);
	leat_close(out);
}

static void pool(struct bench *b)
{
	leat_chan(int64_t) jobs = make_chan(100);
	leat_chan(int64_t) results = make_chan(100);
	int64_t sum = 0, result = 0;
	leat_group group;

	must("group", leat_group_init(&group, NULL));
	bench_start(b);
	for (int i = 0; i < 3; i++)
		leat_go_in(&group, pool_worker, jobs, results);
	leat_go_in(&group, generate, jobs, b->size);
	for (int64_t i = 0; i < b->size; i++) {
		leat_recv(results, &result);
		sum += result;
	}
	bench_stop(b);
	must("wait", leat_group_wait(&group));
	leat_group_release(&group);
	leat_chan_unref(jobs);
	leat_chan_unref(results);
	bench_check(b, "sum", sum, b->size * (b->size - 1));
	bench_report(b, b->size);
}

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

/* The same by leat/pool.h. */
static void pool_object(struct bench *b)
{
	leat_chan(int64_t) results = make_chan(100);
	leat_pool(int64_t) p;
	int64_t sum = 0;

	must("pool", leat_pool_make_to(&p, results, double_it, .workers = 3, .queue = 100,
				       .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_STOP,
				       .order = LEAT_POOL_AS_COMPLETED));
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

/* Empty jobs without results; workers: 3, or 10,000. */
static void empty_jobs(struct bench *b, int workers, size_t batch)
{
	int64_t jobs[100] = { 0 };
	leat_pool(int64_t) p;

	must("pool", leat_pool_make(&p, nothing, .workers = workers, .queue = 100,
				    .overflow = LEAT_OVERFLOW_BLOCK,
				    .on_error = LEAT_ERROR_STOP));
	bench_start(b);
	for (int64_t i = 0; i < b->size; i += (int64_t)batch)
		if (batch == 1)
			must("submit", leat_pool_submit(p, i));
		else if (leat_pool_submit_n(p, jobs, batch) != (int64_t)batch)
			abort();
	must("drain", leat_pool_drain(p, LEAT_FOREVER));
	bench_stop(b);
	must("destroy", leat_pool_destroy(p, NULL));
	bench_report(b, b->size);
}

static void pool_empty(struct bench *b)
{
	empty_jobs(b, 3, 1);
}

static void pool_batch(struct bench *b)
{
	empty_jobs(b, 3, 100);
}

static void pool_10000(struct bench *b)
{
	empty_jobs(b, 10000, 1);
}

LEAT_TASK(square, (leat_chan(int64_t), in), (leat_chan(int64_t), out))
{
	leat_range(v, in)
		leat_send(out, v * v);
	leat_close(out);
}

static void pipeline(struct bench *b)
{
	leat_chan(int64_t) numbers = make_chan(0);
	leat_chan(int64_t) squares = make_chan(0);
	uint64_t sum = 0, want = 0;
	leat_group group;

	must("group", leat_group_init(&group, NULL));
	bench_start(b);
	leat_go_in(&group, generate, numbers, b->size);
	leat_go_in(&group, square, numbers, squares);
	leat_range(v, squares)
		sum += v;
	bench_stop(b);
	must("wait", leat_group_wait(&group));
	leat_group_release(&group);
	leat_chan_unref(numbers);
	leat_chan_unref(squares);
	for (uint64_t v = 0; v < (uint64_t)b->size; v++)
		want += v * v;
	bench_check(b, "sum", sum, want);
	bench_report(b, b->size);
}

/* The same by leat/pipeline.h; with a buffer, as its users would have it. */
struct numbers {
	int64_t next, end;
	uint64_t sum;
};

static int next_number(struct numbers *numbers, int64_t *ret_n)
{
	if (numbers->next == numbers->end)
		return LEAT_ECLOSED;
	*ret_n = numbers->next++;
	return 0;
}

static int square_it(int64_t *n, int64_t *ret_square)
{
	*ret_square = *n * *n;
	return 0;
}

static int add_up(struct numbers *numbers, int64_t *n)
{
	numbers->sum += (uint64_t)*n;
	return 0;
}

static void pipeline3(struct bench *b, enum leat_stage_mode mode, int workers, size_t window)
{
	struct numbers numbers = { .end = b->size };
	leat_flow(int64_t) n, squares;
	leat_pipeline *p;
	uint64_t want = 0;

	must("pipeline", leat_pipeline_make(&p, .live = 1024));
	leat_pipeline_source(p, &n, &numbers, next_number, .name = "generate");
	leat_pipeline_map(p, n, &squares, square_it, .name = "square", .mode = mode,
			  .workers = workers, .buffer = 256, .on_error = LEAT_ERROR_STOP,
			  .window = window);
	leat_pipeline_sink_with(p, squares, &numbers, add_up, .name = "sum",
				.mode = LEAT_STAGE_SERIAL, .buffer = 256,
				.on_error = LEAT_ERROR_STOP);
	bench_start(b);
	must("run", leat_pipeline_run(p));
	bench_stop(b);
	must("destroy", leat_pipeline_destroy(p, NULL));
	for (uint64_t v = 0; v < (uint64_t)b->size; v++)
		want += v * v;
	bench_check(b, "sum", numbers.sum, want);
	bench_report(b, b->size);
}

static void pipeline_object(struct bench *b)
{
	pipeline3(b, LEAT_STAGE_SERIAL, 1, 0);
}

static void pipeline_ordered(struct bench *b)
{
	pipeline3(b, LEAT_STAGE_ORDERED, 8, 64);
}

static void pipeline_parallel(struct bench *b)
{
	pipeline3(b, LEAT_STAGE_PARALLEL, 8, 0);
}

#define STAGES 100

LEAT_TASK(stage, (leat_chan(int64_t), in), (leat_chan(int64_t), out))
{
	leat_range(v, in)
		leat_send(out, v + 1);
	leat_close(out);
}

static void chain(struct bench *b)
{
	int64_t items = b->size / STAGES + 1, sum = 0;
	leat_chan(int64_t) c[STAGES + 1];
	leat_group group;

	must("group", leat_group_init(&group, NULL));
	bench_start(b);
	for (int i = 0; i <= STAGES; i++)
		c[i] = make_chan(0);
	leat_go_in(&group, generate, c[0], items);
	for (int i = 0; i < STAGES; i++)
		leat_go_in(&group, stage, c[i], c[i + 1]);
	leat_range(v, c[STAGES])
		sum += v;
	bench_stop(b);
	must("wait", leat_group_wait(&group));
	leat_group_release(&group);
	for (int i = 0; i <= STAGES; i++)
		leat_chan_unref(c[i]);
	bench_check(b, "sum", sum, items * (items - 1) / 2 + STAGES * items);
	bench_report(b, items * (STAGES + 1));
}

LEAT_TASK(from_two, (leat_chan(int64_t), out))
{
	produce(out, 2, INT64_MAX);
}

LEAT_TASK(filter, (leat_chan(int64_t), in), (leat_chan(int64_t), out), (int64_t, prime))
{
	leat_range(v, in)
		if (v % prime != 0)
			leat_send(out, v);
}

static void sieve(struct bench *b)
{
	/* The work grows with the square of the number of primes. */
	int64_t n = b->row->size * sqrt(b->scale), prime = 0;
	leat_chan(int64_t) *c;
	leat_group group;

	n = n < 16 ? 16 : n;
	c = calloc(n + 1, sizeof(*c));
	must("memory", c ? 0 : -ENOMEM);
	must("group", leat_group_init(&group, NULL));
	bench_start(b);
	c[0] = make_chan(0);
	leat_go_in(&group, from_two, c[0]);
	for (int64_t i = 0; i < n; i++) {
		must("recv", leat_recv(c[i], &prime));
		c[i + 1] = make_chan(0);
		leat_go_in(&group, filter, c[i], c[i + 1], prime);
	}
	bench_stop(b);
	leat_group_cancel(&group, 0);
	leat_group_wait(&group);
	leat_group_release(&group);
	for (int64_t i = 0; i <= n; i++)
		leat_chan_unref(c[i]);
	free(c);
	bench_check(b, "prime", prime, bench_prime(n));
	bench_report(b, n);
}

const struct bench_row pattern_rows[] = {
	{ .name = "pool", .unit = "ns", .size = 2000000, .run = pool },
	{ .name = "pool-object", .unit = "ns", .size = 2000000, .run = pool_object },
	{ .name = "pool-empty", .unit = "ns", .size = 2000000, .run = pool_empty },
	{ .name = "pool-batch", .unit = "ns", .size = 2000000, .run = pool_batch },
	{ .name = "pool-10000", .unit = "ns", .size = 2000000, .run = pool_10000 },
	{ .name = "pipeline", .unit = "ns", .size = 1000000, .run = pipeline },
	{ .name = "pipeline-object", .unit = "ns", .size = 1000000, .run = pipeline_object },
	{ .name = "pipeline-parallel", .unit = "ns", .size = 1000000, .run = pipeline_parallel },
	{ .name = "pipeline-ordered", .unit = "ns", .size = 1000000, .run = pipeline_ordered },
	{ .name = "chain", .unit = "ns", .size = 4000000, .run = chain },
	{ .name = "sieve", .unit = "ms", .size = 2000, .cold = true, .run = sieve },
	{ 0 },
};
