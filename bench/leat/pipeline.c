/* Pipelines by leat/pipeline.h: generate, a stage in the middle, sum. */
#include <stdlib.h>

#include "rows.h"

struct numbers {
	int64_t next, end;
	uint64_t sum;
	bool is_ordered;
	int64_t last;
};

static int next_number(struct numbers *numbers, int64_t *ret_n)
{
	if (numbers->next == numbers->end)
		return LEAT_ECLOSED;
	*ret_n = numbers->next++;
	return 0;
}

static int square(int64_t *n, int64_t *ret_square)
{
	*ret_square = *n * *n;
	return 0;
}

static int add_up(struct numbers *numbers, int64_t *n)
{
	numbers->sum += (uint64_t)*n;
	return 0;
}

static int work(int64_t *n, int64_t *ret_n)
{
	/* It is never 0; but the compiler does not know. */
	*ret_n = *n + (bench_work((uint64_t)*n) == 0);
	return 0;
}

static int sleep_for(int64_t *n, int64_t *ret_n)
{
	*ret_n = *n;
	return leat_sleep(bench_skew_ns(*n));
}

static int must_be_next(struct numbers *numbers, int64_t *n)
{
	if (numbers->is_ordered && *n != numbers->last + 1)
		abort();
	numbers->last = *n;
	numbers->sum += (uint64_t)*n;
	return 0;
}

typedef int middle_fn(int64_t *n, int64_t *ret_n);
typedef int sink_fn(struct numbers *numbers, int64_t *n);

static uint64_t run(struct bench *b, middle_fn *fn, sink_fn *sink, enum leat_stage_mode mode)
{
	bool is_serial = mode == LEAT_STAGE_SERIAL, is_ordered = mode == LEAT_STAGE_ORDERED;
	struct numbers numbers = { .end = b->size, .last = -1, .is_ordered = is_ordered };
	leat_flow(int64_t) n, done;
	leat_pipeline *p;

	must("pipeline", leat_pipeline_make(&p, .live = 1024));
	leat_pipeline_source(p, &n, &numbers, next_number, .name = "generate");
	leat_pipeline_map(p, n, &done, fn, .name = "middle", .mode = mode,
			  .workers = is_serial ? 1 : 8, .buffer = 256,
			  .on_error = LEAT_ERROR_STOP, .window = is_ordered ? 64 : 0);
	leat_pipeline_sink_with(p, done, &numbers, sink, .name = "sum", .mode = LEAT_STAGE_SERIAL,
				.buffer = 256, .on_error = LEAT_ERROR_STOP);
	bench_start(b);
	must("run", leat_pipeline_run(p));
	bench_stop(b);
	must("destroy", leat_pipeline_destroy(p, NULL));
	return numbers.sum;
}

static void squares(struct bench *b, enum leat_stage_mode mode)
{
	uint64_t sum = run(b, square, add_up, mode), want = 0;

	for (uint64_t v = 0; v < (uint64_t)b->size; v++)
		want += v * v;
	bench_check(b, "sum", (int64_t)sum, (int64_t)want);
	bench_report(b, b->size);
}

static void serial(struct bench *b)
{
	squares(b, LEAT_STAGE_SERIAL);
}

static void parallel(struct bench *b)
{
	squares(b, LEAT_STAGE_PARALLEL);
}

static void ordered(struct bench *b)
{
	squares(b, LEAT_STAGE_ORDERED);
}

static void works(struct bench *b, middle_fn *fn, sink_fn *sink, enum leat_stage_mode mode)
{
	bench_check(b, "sum", (int64_t)run(b, fn, sink, mode), b->size * (b->size - 1) / 2);
}

static void parallel_1us(struct bench *b)
{
	works(b, work, must_be_next, LEAT_STAGE_PARALLEL);
	bench_report(b, b->size);
}

static void ordered_1us(struct bench *b)
{
	works(b, work, must_be_next, LEAT_STAGE_ORDERED);
	bench_report(b, b->size);
}

static void skew_parallel(struct bench *b)
{
	works(b, sleep_for, must_be_next, LEAT_STAGE_PARALLEL);
	bench_skew_report(b);
}

static void skew_ordered(struct bench *b)
{
	works(b, sleep_for, must_be_next, LEAT_STAGE_ORDERED);
	bench_skew_report(b);
}

const struct bench_row pipeline_rows[] = {
	{ .name = "pipeline-object", .unit = "ns", .size = 1000000, .run = serial },
	{ .name = "pipeline-parallel", .unit = "ns", .size = 1000000, .run = parallel },
	{ .name = "pipeline-ordered", .unit = "ns", .size = 1000000, .run = ordered },
	{ .name = "parallel-1us", .unit = "ns", .size = 500000, .run = parallel_1us },
	{ .name = "ordered-1us", .unit = "ns", .size = 500000, .run = ordered_1us },
	{ .name = "skew-parallel", .unit = "ms", .size = 1000, .cold = true, .run = skew_parallel },
	{ .name = "skew-ordered", .unit = "ms", .size = 1000, .cold = true, .run = skew_ordered },
	{ 0 },
};
