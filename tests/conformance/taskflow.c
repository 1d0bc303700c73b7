/*
 * Taskflow's tests of its data pipelines: see README.md.
 *
 * S is a serial pipe, P a parallel one; lines are live, workers those of the runtime.  The first
 * pipe is the source.  A P that a serial pipe follows, which gets its items in order, is ordered.
 */
#include "flows.h"

struct pipes {
	struct range range;
	struct gauge at_once[4];
	_Atomic int seen[4][101];	/* by pipe and item */
	atomic_int n[4];
	const char *kinds;
};

struct pipe {
	struct pipes *all;
	int i;
};

static int pipe_source(struct pipes *all, int *ret_n)
{
	int r;

	gauge_enter(&all->at_once[0]);
	r = count(&all->range, ret_n);
	gauge_leave(&all->at_once[0]);
	if (r == 0)
		all->n[0]++;
	return r;
}

static void run_pipe(struct pipe *pipe, int item)
{
	struct pipes *all = pipe->all;
	int before;

	gauge_enter(&all->at_once[pipe->i]);
	before = atomic_fetch_add(&all->n[pipe->i], 1);
	if (all->kinds[pipe->i] == 'S')
		CHECK_EQ(item, before);
	all->seen[pipe->i][item]++;
	gauge_leave(&all->at_once[pipe->i]);
}

static int middle(struct pipe *pipe, int *in, int *ret_out)
{
	run_pipe(pipe, *in);
	*ret_out = *in;
	return 0;
}

static int last(struct pipe *pipe, int *in)
{
	run_pipe(pipe, *in);
	return 0;
}

/* kinds: "SPS"; "S" has a sink that does nothing. */
static int nothing(int *in)
{
	(void)in;
	return 0;
}

static void add_middle(leat_pipeline *p, struct pipe *pipe, int lines, leat_flow(int) *flow)
{
	const char *kinds = pipe->all->kinds;
	leat_flow(int) in = *flow;

	if (kinds[pipe->i] == 'S')
		leat_pipeline_map_with(p, in, flow, pipe, middle, .name = "serial", SERIAL);
	else if (strchr(kinds + pipe->i, 'S'))
		leat_pipeline_map_with(p, in, flow, pipe, middle, .name = "ordered",
				       ORDERED(lines, (size_t)lines));
	else
		leat_pipeline_map_with(p, in, flow, pipe, middle, .name = "parallel",
				       PARALLEL(lines));
}

static void run_pipes(const char *kinds, int lines, int n)
{
	struct pipes all = { .range = { 0, n }, .kinds = kinds };
	struct pipe pipe[4];
	int npipes = (int)strlen(kinds);
	leat_flow(int) flow;
	leat_pipeline *p;
	leat_ledger l;

	CHECK_EQ(leat_pipeline_make(&p, .live = (size_t)lines), 0);
	leat_pipeline_source(p, &flow, &all, pipe_source, .name = "first");
	for (int i = 1; i < npipes; i++) {
		pipe[i] = (struct pipe){ &all, i };
		if (i + 1 < npipes)
			add_middle(p, &pipe[i], lines, &flow);
	}
	if (npipes == 1)
		leat_pipeline_sink(p, flow, nothing, .name = "none", SERIAL);
	else if (kinds[npipes - 1] == 'S')
		leat_pipeline_sink_with(p, flow, &pipe[npipes - 1], last, .name = "last", SERIAL);
	else
		leat_pipeline_sink_with(p, flow, &pipe[npipes - 1], last, .name = "last",
					PARALLEL(lines));
	run_pipeline(p, 0, &l);
	CHECK_EQ(l.in, (uint64_t)n);
	CHECK_EQ(l.out, (uint64_t)n);
	for (int i = 0; i < npipes; i++) {
		CHECK_EQ(all.n[i], n);
		CHECK(all.at_once[i].most <= (kinds[i] == 'S' ? 1 : lines));
		for (int k = 0; k < n && i > 0; k++)
			if (all.seen[i][k] != 1)
				CHECK_EQ(all.seen[i][k], 1);
	}
}

/* DataPipeline.{1P(S), ..., 3P(SPP)}.{1..4}L, each with 0 to 100 items. */
static void all_pipes(void)
{
	static const char *const kinds[] = { "S", "SS", "SP", "SSS", "SSP", "SPS", "SPP" };
	static const int ns[] = { 0, 1, 2, 3, 4, 5, 8, 21, 100 };

	for (int k = 0; k < 7; k++)
		for (int lines = 1; lines <= 4; lines++)
			for (int i = 0; i < 9; i++)
				run_pipes(kinds[k], lines, ns[i]);
}

TEST_WITH(data_pipeline_1w, .workers = 1)
{
	all_pipes();
}

TEST_WITH(data_pipeline_2w, .workers = 2)
{
	all_pipes();
}

TEST_WITH(data_pipeline_3w, .workers = 3)
{
	all_pipes();
}

TEST_WITH(data_pipeline_4w, .workers = 4)
{
	all_pipes();
}

TEST_SIM(data_pipeline_sim, 5)
{
	all_pipes();
}

/* Three.Parallel.DataPipelines: at the same time, and none disturbs another. */
LEAT_TASK(run_kinds, (const char *, kinds), (int, lines), (int, n))
{
	run_pipes(kinds, lines, n);
}

TEST_BOTH(three_parallel, 3)
{
	for (int lines = 1; lines <= 8; lines++) {
		leat_group group;

		REQUIRE(leat_group_init(&group, NULL) == 0);
		CHECK_EQ(leat_go_in(&group, run_kinds, "SSSS", lines, 100), 0);
		CHECK_EQ(leat_go_in(&group, run_kinds, "SPP", lines, 100), 0);
		CHECK_EQ(leat_go_in(&group, run_kinds, "SP", lines, 100), 0);
		CHECK_EQ(leat_group_wait(&group), 0);
		leat_group_release(&group);
	}
}

/* Three.Concatenated.DataPipelines: one after the other, by channels. */
static int add_one(int *in, int *ret_out)
{
	*ret_out = *in + 1;
	return 0;
}

static leat_pipeline *between(leat_chan(int) from, leat_chan(int) to, int lines)
{
	leat_flow(int) a, b;
	leat_pipeline *p;

	CHECK_EQ(leat_pipeline_make(&p, .live = (size_t)lines), 0);
	leat_pipeline_from(p, &a, from, .name = "from");
	leat_pipeline_map(p, a, &b, add_one, .name = "add", ORDERED(lines, (size_t)lines));
	leat_pipeline_to(p, b, to, .name = "to");
	CHECK_EQ(leat_pipeline_start(p), 0);
	return p;
}

LEAT_TASK(send_100, (leat_chan(int), to))
{
	for (int i = 0; i < 100; i++)
		CHECK_EQ(leat_send(to, i), 0);
	leat_close(to);
	leat_chan_unref(to); /* its own: the close may return after the end has been seen */
}

TEST_BOTH(three_concatenated, 5)
{
	for (int lines = 1; lines <= 8; lines++) {
		leat_chan(int) c[4];
		leat_pipeline *p[3];
		leat_ledger l;
		int i = 0;

		for (int k = 0; k < 4; k++)
			c[k] = leat_chan_make(int, 0);
		for (int k = 0; k < 3; k++)
			p[k] = between(c[k], c[k + 1], lines);
		CHECK_EQ(leat_go(send_100, leat_chan_ref(c[0])), 0);
		leat_range(v, c[3])
			CHECK_EQ(v, 3 + i++);
		CHECK_EQ(i, 100);
		for (int k = 0; k < 3; k++) {
			end_pipeline(p[k], 0, &l);
			CHECK_EQ(l.out, 100);
		}
		for (int k = 0; k < 4; k++)
			leat_chan_unref(c[k]);
	}
}

/* Ifelse.DataPipelines: each item takes its own way through the pipes. */
static int one_way(int n)
{
	return n % 2 ? 3 * n + 1 : n / 2;
}

static int other_way(int n)
{
	return n > 100 ? n - 100 : n % 5 == 0 ? 2 * n : n;
}

static int one(int *in, int *ret_out)
{
	*ret_out = one_way(*in);
	return 0;
}

static int other(int *in, int *ret_out)
{
	*ret_out = other_way(*in);
	return 0;
}

TEST_BOTH(ifelse, 5)
{
	for (int lines = 1; lines <= 7; lines += 2) {
		struct range range = { 0, 200 };
		struct notes notes = { 0 };
		leat_flow(int) a, b, c;
		leat_pipeline *p;
		leat_ledger l;

		CHECK_EQ(leat_pipeline_make(&p, .live = (size_t)lines), 0);
		leat_pipeline_source(p, &a, &range, count, .name = "first");
		leat_pipeline_map(p, a, &b, one, .name = "one", ORDERED(lines, (size_t)lines));
		leat_pipeline_map(p, b, &c, other, .name = "other", SERIAL);
		leat_pipeline_sink_with(p, c, &notes, note, .name = "last", SERIAL);
		run_pipeline(p, 0, &l);
		CHECK_EQ(notes.n, 200);
		for (int i = 0; i < notes.n; i++)
			CHECK_EQ(notes.item[i], other_way(one_way(i)));
	}
}

/* PipelineinPipeline.DataPipelines: a pipe that runs a pipeline for each of its items. */
static int sum_up(int *sum, int *in)
{
	*sum += *in;
	return 0;
}

static int sum_below(int *in, int *ret_out)
{
	struct range range = { 0, *in };
	leat_flow(int) a, b;
	leat_pipeline *p;
	int r;

	*ret_out = 0;
	r = leat_pipeline_make(&p, .live = 3);
	if (r < 0)
		return r;
	leat_pipeline_source(p, &a, &range, count, .name = "inner");
	leat_pipeline_map(p, a, &b, add_one, .name = "inner add", PARALLEL(2));
	leat_pipeline_sink_with(p, b, ret_out, sum_up, .name = "inner sum", SERIAL);
	r = leat_pipeline_run(p);
	leat_pipeline_destroy(p, NULL);
	return r;
}

TEST_BOTH(pipeline_in_pipeline, 5)
{
	for (int lines = 1; lines <= 5; lines += 2) {
		struct range range = { 0, 30 };
		struct notes notes = { 0 };
		leat_flow(int) a, b;
		leat_pipeline *p;
		leat_ledger l;

		CHECK_EQ(leat_pipeline_make(&p, .live = (size_t)lines), 0);
		leat_pipeline_source(p, &a, &range, count, .name = "outer");
		leat_pipeline_map(p, a, &b, sum_below, .name = "outer sum",
				  ORDERED(lines, (size_t)lines));
		leat_pipeline_sink_with(p, b, &notes, note, .name = "outer last", SERIAL);
		run_pipeline(p, 0, &l);
		CHECK_EQ(notes.n, 30);
		for (int i = 0; i < notes.n; i++)
			CHECK_EQ(notes.item[i], i * (i + 1) / 2);
	}
}
