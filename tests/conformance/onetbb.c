/*
 * oneTBB's conformance tests of parallel_pipeline, limiter_node and sequencer_node: see README.md.
 *
 * A filter is a stage, the number of tokens is live.  The first filter is the source, always
 * serial.  Where oneTBB puts items in order again at a later serial_in_order filter, here the stage
 * that would lose their order, which has the workers, is an ordered one.
 */
#include "flows.h"

enum { TOKENS = 8, ITEMS = 1024 };

struct doubles {
	double value[ITEMS];
	int n;
};

static int next_double(struct doubles *in, double *ret_value)
{
	if (in->n == ITEMS)
		return LEAT_ECLOSED;
	*ret_value = in->value[in->n++];
	return 0;
}

static int square(double *in, double *ret_out)
{
	*ret_out = *in * *in;
	return 0;
}

static int store(struct doubles *out, double *value)
{
	out->value[out->n++] = *value;
	return 0;
}

/* Testing pipeline correctness */
TEST_BOTH(correctness, 5)
{
	static struct doubles in, out;
	leat_flow(double) a, b;
	leat_pipeline *p;
	leat_ledger l;

	in.n = out.n = 0;
	for (int i = 0; i < ITEMS; i++)
		in.value[i] = i;
	CHECK_EQ(leat_pipeline_make(&p, .live = TOKENS), 0);
	leat_pipeline_source(p, &a, &in, next_double, .name = "in");
	leat_pipeline_map(p, a, &b, square, .name = "square", ORDERED(TOKENS, TOKENS));
	leat_pipeline_sink_with(p, b, &out, store, .name = "out", SERIAL);
	run_pipeline(p, 0, &l);
	CHECK_EQ(out.n, ITEMS);
	for (int i = 0; i < ITEMS; i++)
		CHECK(out.value[i] == (double)i * i);
}

/* Testing pipeline with single filter: the least that there is, in each mode of the sink. */
static void single_filter(enum leat_stage_mode mode)
{
	struct range range = { 0, ITEMS };
	struct notes notes = { 0 };
	leat_pipeline *p;
	leat_flow(int) a;
	leat_ledger l;

	CHECK_EQ(leat_pipeline_make(&p, .live = TOKENS), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "in");
	leat_pipeline_sink_with(p, a, &notes, note, .name = "out", .mode = mode,
				.workers = mode == LEAT_STAGE_SERIAL ? 1 : TOKENS,
				.on_error = LEAT_ERROR_STOP);
	run_pipeline(p, 0, &l);
	check_all(&notes, 0, ITEMS);
	CHECK(mode != LEAT_STAGE_SERIAL || is_sorted(&notes));
	CHECK_EQ(l.out, ITEMS);
}

TEST_BOTH(single_filter_serial, 10)
{
	single_filter(LEAT_STAGE_SERIAL);
}

TEST_BOTH(single_filter_parallel, 10)
{
	single_filter(LEAT_STAGE_PARALLEL);
}

/* Filter creation testing: from int by double and pointer to unsigned short. */
static int to_double(int *in, double *ret_out)
{
	*ret_out = *in / 2.0;
	return 0;
}

static unsigned short numbers[100];

static int to_pointer(double *in, unsigned short **ret_out)
{
	*ret_out = &numbers[(int)(*in * 2)];
	return 0;
}

static int to_short(unsigned short **in, unsigned short *ret_out)
{
	*ret_out = (unsigned short)(1 + (*in - numbers));
	**in += 1;
	return 0;
}

static int add_short(long *sum, unsigned short *in)
{
	*sum += *in;
	return 0;
}

TEST_BOTH(filter_types, 10)
{
	struct range range = { 0, 100 };
	leat_flow(unsigned short *) c;
	leat_flow(unsigned short) d;
	leat_flow(double) b;
	leat_flow(int) a;
	leat_pipeline *p;
	leat_ledger l;
	long sum = 0;

	memset(numbers, 0, sizeof(numbers));
	CHECK_EQ(leat_pipeline_make(&p, .live = TOKENS), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "int");
	leat_pipeline_map(p, a, &b, to_double, .name = "double", SERIAL);
	leat_pipeline_map(p, b, &c, to_pointer, .name = "pointer", PARALLEL(3));
	leat_pipeline_map(p, c, &d, to_short, .name = "short", PARALLEL(3));
	leat_pipeline_sink_with(p, d, &sum, add_short, .name = "sum", SERIAL);
	run_pipeline(p, 0, &l);
	CHECK_EQ(sum, 5050);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(numbers[i], 1);
}

/* Testing filters concatenation: each mode behind each other. */
static uint64_t third(const int *item)
{
	return (uint64_t)(*item % 3);
}

static leat_stage_options mode_options(enum leat_stage_mode mode)
{
	return (leat_stage_options){
		.mode = mode,
		.workers = mode == LEAT_STAGE_SERIAL ? 1 : TOKENS,
		.window = mode == LEAT_STAGE_ORDERED ? TOKENS : 0,
		.key = mode == LEAT_STAGE_KEYED ? LEAT_STAGE_KEY(int, third) : NULL,
	};
}

static int pass_later(int *in, int *ret_out)
{
	*ret_out = *in;
	return leat_yield();
}

#define MODE(o)                                                               \
	.mode = (o).mode, .workers = (o).workers, .window = (o).window, .key = (o).key, \
	.on_error = LEAT_ERROR_STOP

static void concatenation(enum leat_stage_mode first, enum leat_stage_mode second,
			  enum leat_stage_mode last)
{
	leat_stage_options one = mode_options(first), two = mode_options(second);
	leat_stage_options three = mode_options(last);
	struct range range = { 0, 64 };
	struct notes notes = { 0 };
	leat_flow(int) a, b, c;
	leat_pipeline *p;
	leat_ledger l;

	CHECK_EQ(leat_pipeline_make(&p, .live = TOKENS), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "in");
	leat_pipeline_map(p, a, &b, pass_later, .name = "one", MODE(one));
	leat_pipeline_map(p, b, &c, pass_later, .name = "two", MODE(two));
	leat_pipeline_sink_with(p, c, &notes, note, .name = "out", MODE(three));
	run_pipeline(p, 0, &l);
	check_all(&notes, 0, 64);
	CHECK_EQ(l.out, 64);
	if ((first == LEAT_STAGE_SERIAL || first == LEAT_STAGE_ORDERED) &&
	    (second == LEAT_STAGE_SERIAL || second == LEAT_STAGE_ORDERED) &&
	    last == LEAT_STAGE_SERIAL)
		CHECK(is_sorted(&notes));
}

TEST_BOTH(concatenation_of_all_modes, 3)
{
	for (int first = LEAT_STAGE_SERIAL; first <= LEAT_STAGE_KEYED; first++)
		for (int second = LEAT_STAGE_SERIAL; second <= LEAT_STAGE_KEYED; second++)
			for (int last = LEAT_STAGE_SERIAL; last <= LEAT_STAGE_KEYED; last++)
				if (last != LEAT_STAGE_ORDERED) /* only a map can be that */
					concatenation(first, second, last);
}

/* Testing filter modes */
static void do_work(void)
{
	for (int i = 0; i < 10; i++)
		leat_yield();
}

struct modes {
	struct range range;
	int in, serial, order;	/* of no atomic type: one at a time writes them */
	leat_barrier all;
	struct gauge parallel;
};

static int serial_source(struct modes *m, int *ret_n)
{
	int check = ++m->in;

	do_work();
	CHECK_EQ(check, m->in);
	return count(&m->range, ret_n);
}

static int serial_stage(struct modes *m, int *in, int *ret_out)
{
	int check = ++m->serial;

	do_work();
	CHECK_EQ(check, m->serial);
	CHECK_EQ(*in, m->serial - 1);
	*ret_out = *in;
	return 0;
}

static int parallel_stage(struct modes *m, int *in, int *ret_out)
{
	gauge_enter(&m->parallel);
	CHECK(leat_barrier_wait(&m->all) >= 0);
	do_work();
	gauge_leave(&m->parallel);
	*ret_out = *in;
	return 0;
}

static int in_order(struct modes *m, int *in)
{
	CHECK_EQ(*in, m->order);
	m->order++;
	return 0;
}

TEST_BOTH(filter_modes, 3)
{
	for (int workers = 1; workers <= 10; workers++) {
		int both = workers < TOKENS ? workers : TOKENS;
		struct modes m = { .range = { 0, 16 * both } };
		leat_flow(int) a, b, c;
		leat_pipeline *p;
		leat_ledger l;

		leat_barrier_init(&m.all, (uint32_t)both);
		CHECK_EQ(leat_pipeline_make(&p, .live = TOKENS), 0);
		leat_pipeline_source(p, &a, &m, serial_source, .name = "in");
		leat_pipeline_map_with(p, a, &b, &m, serial_stage, .name = "serial", SERIAL);
		leat_pipeline_map_with(p, b, &c, &m, parallel_stage, .name = "parallel",
				       ORDERED(workers, TOKENS));
		leat_pipeline_sink_with(p, c, &m, in_order, .name = "out", SERIAL);
		run_pipeline(p, 0, &l);
		CHECK_EQ(m.order, 16 * both);
		CHECK_EQ(m.parallel.most, both);
	}
}

/*
 * Testing max token number: counted from the source's return to the sink's, where they wait for
 * each other: so as many there are, and no more.
 */
struct live {
	struct range range;
	struct gauge live;
	leat_barrier all;
};

static int enter_source(struct live *l, int *ret_n)
{
	int r = count(&l->range, ret_n);

	if (r == 0)
		gauge_enter(&l->live);
	do_work();
	return r;
}

static int leave_sink(struct live *l, int *in)
{
	(void)in;
	CHECK(leat_barrier_wait(&l->all) >= 0);
	do_work();
	gauge_leave(&l->live);
	return 0;
}

TEST_BOTH(max_token_number, 3)
{
	for (int tokens = 1; tokens <= TOKENS; tokens++) {
		struct live live = { .range = { 0, 20 * tokens } };
		leat_flow(int) a, b;
		leat_pipeline *p;
		leat_ledger l;

		leat_barrier_init(&live.all, (uint32_t)tokens);
		CHECK_EQ(leat_pipeline_make(&p, .live = (size_t)tokens), 0);
		leat_pipeline_source(p, &a, &live, enter_source, .name = "in");
		leat_pipeline_map(p, a, &b, pass_later, .name = "stage", PARALLEL(10),
				  .buffer = 20);
		leat_pipeline_sink_with(p, b, &live, leave_sink, .name = "out", PARALLEL(10),
					.buffer = 20);
		run_pipeline(p, 0, &l);
		CHECK_EQ(l.out, 20 * (uint64_t)tokens);
		CHECK_EQ(live.live.now, 0);
		CHECK_EQ(live.live.most, tokens);
	}
}

/* limiter_node limiting, decrementer: five go in, and as many more as have come to their end. */
TEST_SIM(limiter, 20)
{
	struct notes ended = { 0 };
	struct range range = { 0, 20 };
	leat_flow(int) a, b;
	leat_pipeline *p;
	leat_sem ends;
	leat_ledger l;

	no_demand(&ends);
	ended.demand = &ends;
	CHECK_EQ(leat_pipeline_make(&p, .live = 5), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "in");
	leat_pipeline_map(p, a, &b, pass, .name = "pass", SERIAL, .buffer = 20);
	leat_pipeline_sink_with(p, b, &ended, note, .name = "out", SERIAL, .buffer = 20);
	CHECK_EQ(leat_pipeline_start(p), 0);
	test_settle();
	CHECK_EQ(range.next, 5);
	leat_sem_release(&ends, 3);
	test_settle();
	CHECK_EQ(ended.n, 3);
	CHECK_EQ(range.next, 8);
	leat_sem_release(&ends, 2);
	test_settle();
	CHECK_EQ(range.next, 10);
	leat_sem_release(&ends, 100);
	end_pipeline(p, 0, &l);
	check_in_order(&ended, 0, 20);
}

/* limiter_node buffering: what is refused is not kept. */
TEST_BOTH(refused_is_not_kept, 3)
{
	leat_chan(int) c = leat_chan_make(int, 5);
	int v = -1;

	for (int i = 0; i < 10; i++)
		CHECK_EQ(leat_try_send(c, i), i < 5 ? 0 : -EAGAIN);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(leat_try_recv(c, &v), 0);
		CHECK_EQ(v, i);
	}
	CHECK_EQ(leat_try_recv(c, &v), -EAGAIN);
	CHECK_EQ(v, 4);
	leat_chan_unref(c);
}

/* sequencer_node ordering: those that come later are done first. */
static int later_is_shorter(int *in, int *ret_out)
{
	*ret_out = *in;
	return leat_sleep((int64_t)(10 - *in % 10) * LEAT_MS);
}

TEST_SIM(sequencer_ordering, 20)
{
	struct range range = { 0, 100 };
	struct notes notes = { 0 };
	leat_flow(int) a, b;
	leat_pipeline *p;
	leat_ledger l;

	CHECK_EQ(leat_pipeline_make(&p, .live = 100), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "in");
	leat_pipeline_map(p, a, &b, later_is_shorter, .name = "process", ORDERED(10, 100));
	leat_pipeline_sink_with(p, b, &notes, note, .name = "writer", SERIAL);
	run_pipeline(p, 0, &l);
	check_in_order(&notes, 0, 100);
}

/* sequencer_node single_push, buffering: nothing is handed on before what comes before it. */
static leat_sem first_may;

static int first_waits(int *in, int *ret_out)
{
	*ret_out = *in;
	return *in == 0 ? leat_sem_acquire(&first_may, 1) : 0;
}

TEST_SIM(sequencer_buffering, 20)
{
	struct range range = { 0, 10 };
	struct notes notes = { 0 };
	leat_flow(int) a, b;
	leat_pipeline *p;
	leat_ledger l;

	no_demand(&first_may);
	CHECK_EQ(leat_pipeline_make(&p, .live = 10), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "in");
	leat_pipeline_map(p, a, &b, first_waits, .name = "process", ORDERED(2, 10));
	leat_pipeline_sink_with(p, b, &notes, note, .name = "writer", SERIAL);
	CHECK_EQ(leat_pipeline_start(p), 0);
	test_settle();
	CHECK_EQ(range.next, 10);
	CHECK_EQ(notes.n, 0);
	leat_sem_release(&first_may, 1);
	end_pipeline(p, 0, &l);
	check_in_order(&notes, 0, 10);
}
