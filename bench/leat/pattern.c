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
	{ .name = "pipeline", .unit = "ns", .size = 1000000, .run = pipeline },
	{ .name = "chain", .unit = "ns", .size = 4000000, .run = chain },
	{ .name = "sieve", .unit = "ms", .size = 2000, .cold = true, .run = sieve },
	{ 0 },
};
