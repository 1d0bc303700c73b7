/* Parallel loops over ten million floats. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "rows.h"

/* The same in every program. */
enum { ROUNDS = 20 };

struct arrays {
	const float *in;
	float *out;
};

static int roots(struct arrays *a, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		a->out[i] = sqrtf(a->in[i]) * 0.5f + 1;
	return 0;
}

static int root(float *in, float *ret_out)
{
	*ret_out = sqrtf(*in) * 0.5f + 1;
	return 0;
}

static void loop(struct bench *b, bool each)
{
	size_t n = (size_t)b->size;
	float *in = calloc(n, sizeof(*in)), *out = calloc(n, sizeof(*out));
	struct arrays a = { in, out };
	int64_t wrong = 0;

	must("memory", in && out ? 0 : -ENOMEM);
	for (size_t i = 0; i < n; i++) {
		in[i] = (float)(i % 1000);
		out[i] = -1;
	}
	bench_start(b);
	for (int i = 0; i < ROUNDS; i++)
		must("loop", each ? leat_parallel_map(in, n, out, root)
				  : leat_parallel_for(n, roots, &a));
	bench_stop(b);
	for (size_t i = 0; i < n; i++)
		wrong += fabsf(out[i] - (sqrtf((float)(i % 1000)) * 0.5f + 1)) > 1e-5f;
	free(in);
	free(out);
	bench_check(b, "wrong elements", wrong, 0);
	bench_report(b, b->size * ROUNDS);
}

static void loop_for(struct bench *b)
{
	loop(b, false);
}

static void loop_map(struct bench *b)
{
	loop(b, true);
}

const struct bench_row loop_rows[] = {
	{ .name = "loop", .unit = "ns", .size = 10000000, .run = loop_for },
	{ .name = "loop-map", .unit = "ns", .size = 10000000, .run = loop_map },
	{ 0 },
};
