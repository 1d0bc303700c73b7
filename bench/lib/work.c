/* Work of a known length: a microsecond of computing, and skewed times that are slept. */
#include <math.h>

#include "bench.h"

enum { WORK_STEPS = 560 };

uint64_t bench_work(uint64_t x)
{
	x |= 1;
	for (int i = 0; i < WORK_STEPS; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

/* splitmix64: of i alone, so that every program has the same times. */
static double uniform(uint64_t i)
{
	uint64_t z = (i + 1) * 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return (double)((z >> 11) + 1) / 9007199254740992.0;
}

int64_t bench_skew_ns(int64_t i)
{
	return (int64_t)(1e6 * pow(uniform((uint64_t)i), -1 / 1.2));
}

int64_t bench_skew_ideal_ns(int64_t n, int64_t window)
{
	int64_t free_at[BENCH_SKEW_WORKERS] = { 0 }, done_up_to[BENCH_SKEW_WINDOW] = { 0 };
	int64_t last = 0;	/* when all before i are done */

	for (int64_t i = 0; i < n; i++) {
		int64_t *w = &free_at[0];

		for (int k = 1; k < BENCH_SKEW_WORKERS; k++)
			if (free_at[k] < *w)
				w = &free_at[k];
		*w += bench_skew_ns(i);
		if (*w > last)
			last = *w;
		if (window == 0)
			continue;
		if (i >= window && done_up_to[i % window] > *w)
			*w = done_up_to[i % window];
		done_up_to[i % window] = last;
	}
	return last;
}

void bench_skew_report(struct bench *b)
{
	bench_report(b, b->size);
	bench_metric(b, ".ideal", (double)b->wall_ns / bench_skew_ideal_ns(b->size, 0), "ratio");
	bench_metric(b, ".window",
		     (double)b->wall_ns / bench_skew_ideal_ns(b->size, BENCH_SKEW_WINDOW),
		     "ratio");
}
