/* The shapes of pipelines: what would never end, or is not joined, is refused and named. */
#include "patterns.h"
#include "range.h"

#include <leat/leat.h>

enum { N = 100, WIDE = 30 };

static int pass(int *n, int *ret_n)
{
	*ret_n = *n;
	return 0;
}

static int pass_some(int *n, int *ret_n)
{
	if (leat_random(2) && leat_sleep((int64_t)leat_random(50) * LEAT_US) < 0)
		return -ECANCELED;
	*ret_n = *n;
	return leat_random(3) ? 0 : LEAT_SKIP;
}

static int sum_up(int *sum, int *n)
{
	*sum += *n;
	return 0;
}

static int add_up(int *a, int *b, int *ret_sum)
{
	*ret_sum = *a + *b;
	return 0;
}

static bool int_less(const int *a, const int *b)
{
	return *a < *b;
}

static uint64_t key_of(const int *n)
{
	return (uint64_t)*n;
}

struct ints {
	int *item;
	size_t n;
};

static int first_of(struct ints *batch, int *ret_n)
{
	*ret_n = batch->item[0];
	return 0;
}

static int use(int *n)
{
	return *n < 0;
}

#define SERIAL(name_) .name = name_, .mode = LEAT_STAGE_SERIAL, .on_error = LEAT_ERROR_STOP

static leat_pipeline *make(struct range *range, leat_flow(int) *ret_flow)
{
	leat_pipeline *p;

	*range = (struct range){ 0, N };
	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	leat_pipeline_source(p, ret_flow, range, count, .name = "count");
	return p;
}

static void fork_two(leat_pipeline *p, int kind, leat_flow(int) in, leat_flow(int) out[2])
{
	if (kind == LEAT__FAN_BALANCE)
		leat_pipeline_balance(p, in, out, 2, .name = "fork", .end = LEAT_FAN_ALL);
	else if (kind == LEAT__FAN_PARTITION)
		leat_pipeline_partition(p, in, out, 2, key_of, .name = "fork", .end = LEAT_FAN_ALL);
	else
		leat_pipeline_broadcast(p, in, out, 2, .name = "fork", .end = LEAT_FAN_ALL);
}

static void join_two(leat_pipeline *p, int kind, leat_flow(int) in[2], leat_flow(int) *ret_out)
{
	if (kind == LEAT__FAN_CONCAT)
		leat_pipeline_concat(p, in, 2, ret_out, .name = "join");
	else if (kind == LEAT__FAN_ORDERED)
		leat_pipeline_merge_ordered(p, in, 2, ret_out, int_less, .name = "join");
	else if (kind == LEAT__FAN_ZIP)
		leat_pipeline_zip(p, in[0], in[1], ret_out, add_up, SERIAL("join"));
	else
		leat_pipeline_merge(p, in, 2, ret_out, .name = "join", .end = LEAT_FAN_ALL);
}

enum way { PASS, REDUCE, BATCH, CONFLATE };

static void go_way(leat_pipeline *p, enum way way, leat_flow(int) *flow)
{
	leat_flow(int) in = *flow;
	leat_flow(struct ints) batch;
	int zero = 0;

	if (way == PASS)
		leat_pipeline_map(p, in, flow, pass, SERIAL("pass"));
	if (way == REDUCE)
		leat_pipeline_reduce(p, in, flow, &zero, sum_up, .name = "reduce", .on_error = 1);
	if (way == CONFLATE)
		leat_pipeline_conflate(p, in, flow, sum_up, .name = "conflate", .on_error = 1);
	if (way != BATCH)
		return;
	leat_pipeline_batch(p, in, &batch, .name = "batch", .items = 2, .wait = LEAT_MS);
	leat_pipeline_map(p, batch, flow, first_of, SERIAL("unpack"));
}

/* 0: it ran to its end; else it was refused, and the log names both stages. */
static int try_shape(int fork, enum way one, enum way two, int join)
{
	leat_flow(int) a, b[2], c;
	struct range range;
	leat_pipeline *p = make(&range, &a);
	leat_ledger ledger;
	int r;

	fork_two(p, fork, a, b);
	go_way(p, one, &b[0]);
	go_way(p, two, &b[1]);
	join_two(p, join, b, &c);
	leat_pipeline_sink(p, c, use, SERIAL("use"));
	logged[0] = '\0';
	r = leat_pipeline_run(p);
	CHECK(r == 0 || r == -EINVAL);
	if (r < 0 && !(strstr(logged, "stage join would wait") &&
		       strstr(logged, "nothing comes from stage fork")))
		test_fail(__FILE__, __LINE__, "%s", logged);
	leat_pipeline_destroy(p, ledger_init(&ledger));
	check_at_rest(&ledger);
	CHECK(r < 0 || ledger.in > 0);
	return r;
}

/* What is not refused runs to its end: the simulator would say if it did not. */
TEST_SIM_WITH(ways_that_meet_again, 3, .log = log_line)
{
	static const int fork[] = { LEAT__FAN_BALANCE, LEAT__FAN_PARTITION, LEAT__FAN_BROADCAST };
	static const int join[] = { LEAT__FAN_CONCAT, LEAT__FAN_ORDERED, LEAT__FAN_ZIP,
				    LEAT__FAN_MERGE };

	for (int f = 0; f < 3; f++)
		for (int j = 0; j < 4; j++)
			for (int one = PASS; one <= CONFLATE; one++)
				for (int two = PASS; two <= CONFLATE; two++) {
					bool copies = fork[f] == LEAT__FAN_BROADCAST, good;

					if (join[j] == LEAT__FAN_MERGE)
						good = true;
					else if (join[j] == LEAT__FAN_CONCAT)
						good = two == REDUCE;
					else if (one == REDUCE || two == REDUCE)
						good = one == two;
					else
						good = join[j] == LEAT__FAN_ZIP && copies &&
						       one == PASS && two == PASS;
					CHECK_EQ(try_shape(fork[f], one, two, join[j]),
						 good ? 0 : -EINVAL);
				}
}

/* Ways that have met before they part again are one. */
TEST_SIM(ways_that_have_met, 3)
{
	leat_flow(int) a, b[2], c, d[2], e;
	struct range range;
	leat_pipeline *p = make(&range, &a);
	leat_ledger ledger;

	fork_two(p, LEAT__FAN_BALANCE, a, b);
	join_two(p, LEAT__FAN_MERGE, b, &c);
	fork_two(p, LEAT__FAN_BROADCAST, c, d);
	go_way(p, PASS, &d[0]);
	join_two(p, LEAT__FAN_ZIP, d, &e);
	leat_pipeline_sink(p, e, use, SERIAL("use"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	leat_pipeline_destroy(p, ledger_init(&ledger));
	CHECK_EQ(ledger.out, N);
}

/* One way goes through many others: 2^30 in all, looked at once. */
TEST_SIM_WITH(many_ways, 1, .log = log_line)
{
	leat_flow(int) a, b[2], side, c;
	struct range range;
	leat_pipeline *p = make(&range, &a);

	leat_pipeline_balance(p, a, b, 2, .name = "fork", .end = LEAT_FAN_ALL);
	side = b[1];
	a = b[0];
	for (int i = 0; i < WIDE; i++) {
		leat_pipeline_balance(p, a, b, 2, .name = "split", .end = LEAT_FAN_ALL);
		leat_pipeline_merge(p, b, 2, &a, .name = "merge", .end = LEAT_FAN_ALL);
	}
	b[0] = a;
	b[1] = side;
	join_two(p, LEAT__FAN_ZIP, b, &c);
	leat_pipeline_sink(p, c, use, SERIAL("use"));
	CHECK_EQ(leat_pipeline_run(p), -EINVAL);
	EXPECT_LOG("stage join would wait for ever: while it waits for stage ");
	leat_pipeline_destroy(p, NULL);
}

/* Two sources, each to two ways. */
static leat_pipeline *two_sources(struct range range[2], leat_flow(int) one[2],
				  leat_flow(int) other[2])
{
	leat_flow(int) a, b;
	leat_pipeline *p = make(&range[0], &a);

	range[1] = range[0];
	leat_pipeline_source(p, &b, &range[1], count, .name = "count on");
	fork_two(p, LEAT__FAN_BROADCAST, a, one);
	leat_pipeline_broadcast(p, b, other, 2, .name = "other fork", .end = LEAT_FAN_ALL);
	return p;
}

/* Two fan-ins of two sources' copies; crossed: the second takes them the other way round. */
static int run_two(int first, int second, bool crossed)
{
	leat_flow(int) one[2], other[2], in[2], out[2];
	struct range range[2];
	leat_pipeline *p = two_sources(range, one, other);
	leat_ledger ledger;
	int r;

	join_two(p, first, (leat_flow(int)[]){ one[0], other[0] }, &out[0]);
	in[crossed] = one[1];
	in[!crossed] = other[1];
	join_two(p, second, in, &out[1]);
	leat_pipeline_sink(p, out[0], use, SERIAL("use"));
	leat_pipeline_sink(p, out[1], use, SERIAL("use"));
	logged[0] = '\0';
	r = leat_pipeline_run(p);
	CHECK(r == 0 || strstr(logged, "stage join would wait for ever: while it waits for stage "));
	leat_pipeline_destroy(p, ledger_init(&ledger));
	check_at_rest(&ledger);
	return r;
}

/* One waits for what the other holds up, and the other way round. */
TEST_SIM_WITH(fan_ins_that_wait_for_each_other, 3, .log = log_line)
{
	static const int waits[] = { LEAT__FAN_CONCAT, LEAT__FAN_ORDERED, LEAT__FAN_ZIP };

	for (int i = 0; i < 3; i++) {
		for (int j = 0; j < 3; j++)
			CHECK_EQ(run_two(waits[i], waits[j], true), -EINVAL);
		CHECK_EQ(run_two(waits[i], LEAT__FAN_MERGE, true), 0);
		CHECK_EQ(run_two(LEAT__FAN_MERGE, waits[i], true), 0);
	}
	CHECK_EQ(run_two(LEAT__FAN_CONCAT, LEAT__FAN_CONCAT, false), 0);
}

/* What a reduce hands on to both ways is one item each, and one fills up all the same. */
TEST_SIM_WITH(a_reduce_above_the_fork, 3, .log = log_line)
{
	leat_flow(int) a, b[2], c;
	struct range range;
	leat_pipeline *p = make(&range, &a);

	go_way(p, REDUCE, &a);
	fork_two(p, LEAT__FAN_BROADCAST, a, b);
	join_two(p, LEAT__FAN_CONCAT, b, &c);
	leat_pipeline_sink(p, c, use, SERIAL("use"));
	CHECK_EQ(leat_pipeline_run(p), -EINVAL);
	EXPECT_LOG("while it waits for stage fork, its other flows fill up");
	leat_pipeline_destroy(p, NULL);
}

struct letter {
	int item, error;
};

static int open_letter(struct letter *letter, int *ret_n)
{
	*ret_n = letter->item;
	return 0;
}

/* A stage waits for who takes its letters, and then hands nothing on. */
TEST_SIM_WITH(letters_below_a_reduce, 3, .log = log_line)
{
	leat_flow(int) a, way[2], c;
	leat_flow(struct letter) letters;
	struct range range;
	leat_pipeline *p = make(&range, &a);

	go_way(p, REDUCE, &a);
	leat_pipeline_map(p, a, &way[0], pass, .name = "check", .mode = LEAT_STAGE_SERIAL,
			  .on_error = LEAT_ERROR_COUNT);
	leat_pipeline_dead_letters(p, a, &letters);
	leat_pipeline_map(p, letters, &way[1], open_letter, SERIAL("open"));
	join_two(p, LEAT__FAN_CONCAT, way, &c);
	leat_pipeline_sink(p, c, use, SERIAL("use"));
	CHECK_EQ(leat_pipeline_run(p), -EINVAL);
	EXPECT_LOG("while it waits for stage check, its other flows fill up");
	leat_pipeline_destroy(p, NULL);
}

static int cannot_sum(int *sum, int *n)
{
	(void)sum;
	(void)n;
	return -EIO;
}

/* A reduce takes whatever comes, but its dead letters wait as all items do. */
TEST_SIM_WITH(letters_of_a_reduce, 3, .log = log_line)
{
	static const int zero;
	leat_flow(int) a, b[2], sum, way[2], c;
	leat_flow(struct letter) letters;
	struct range range;
	leat_pipeline *p = make(&range, &a);

	fork_two(p, LEAT__FAN_BROADCAST, a, b);
	way[0] = b[0];
	leat_pipeline_reduce(p, b[1], &sum, &zero, cannot_sum, .name = "sum",
			     .on_error = LEAT_ERROR_COUNT);
	leat_pipeline_dead_letters(p, b[1], &letters);
	leat_pipeline_map(p, letters, &way[1], open_letter, SERIAL("open"));
	join_two(p, LEAT__FAN_CONCAT, way, &c);
	leat_pipeline_sink(p, c, use, SERIAL("use"));
	leat_pipeline_sink(p, sum, use, SERIAL("use"));
	CHECK_EQ(leat_pipeline_run(p), -EINVAL);
	EXPECT_LOG("while it waits for stage fork, its other flows fill up");
	leat_pipeline_destroy(p, NULL);
}

static int use_ints(struct ints *batch)
{
	return batch->n == 0;
}

struct letter_batch {
	struct letter *item;
	size_t n;
};

static int use_letters(struct letter_batch *batch)
{
	return batch->n == 0;
}

/* Items as well, though what the reduce makes is none. */
TEST_SIM_WITH(a_batch_of_letters_of_a_reduce, 3, .log = log_line)
{
	static const int zero;

	for (size_t items = 4; items <= 5; items++) {
		leat_flow(int) a, b[2], sum;
		leat_flow(struct ints) c;
		leat_flow(struct letter) letters;
		leat_flow(struct letter_batch) d;
		struct range range;
		leat_pipeline *p = make(&range, &a);

		fork_two(p, LEAT__FAN_PARTITION, a, b);
		leat_pipeline_batch(p, b[0], &c, .name = "first", .items = items,
				    .wait = LEAT_FOREVER);
		leat_pipeline_reduce(p, b[1], &sum, &zero, cannot_sum, .name = "sum",
				     .on_error = LEAT_ERROR_COUNT);
		leat_pipeline_dead_letters(p, b[1], &letters);
		leat_pipeline_batch(p, letters, &d, .name = "second", .items = items,
				    .wait = LEAT_FOREVER);
		leat_pipeline_sink(p, c, use_ints, SERIAL("use"));
		leat_pipeline_sink(p, d, use_letters, SERIAL("use"));
		leat_pipeline_sink(p, sum, use, SERIAL("use"));
		CHECK_EQ(leat_pipeline_run(p), items == 4 ? 0 : -EINVAL);
		leat_pipeline_destroy(p, NULL);
	}
	EXPECT_LOG("may hold 8 items of stage count");
}

/* Two batches behind a fork, with live 8: of so many items each. */
static int two_batches(int fork, size_t items, int64_t wait)
{
	leat_flow(int) a, b[2];
	leat_flow(struct ints) c[2];
	struct range range;
	leat_pipeline *p = make(&range, &a);
	leat_ledger ledger;
	int r;

	fork_two(p, fork, a, b);
	leat_pipeline_batch(p, b[0], &c[0], .name = "first", .items = items, .wait = LEAT_FOREVER);
	leat_pipeline_batch(p, b[1], &c[1], .name = "second", .items = items, .wait = wait);
	leat_pipeline_sink(p, c[0], use_ints, SERIAL("use"));
	leat_pipeline_sink(p, c[1], use_ints, SERIAL("use"));
	r = leat_pipeline_run(p);
	leat_pipeline_destroy(p, ledger_init(&ledger));
	check_at_rest(&ledger);
	return r;
}

/* Batches that wait for ever hold all but one of their items. */
TEST_SIM_WITH(batches_that_hold_all_items, 10, .log = log_line)
{
	static const int fork[] = { LEAT__FAN_BALANCE, LEAT__FAN_PARTITION, LEAT__FAN_BROADCAST };

	for (int f = 0; f < 3; f++) {
		CHECK_EQ(two_batches(fork[f], 4, LEAT_FOREVER), 0);
		CHECK_EQ(two_batches(fork[f], 5, LEAT_FOREVER), -EINVAL);
		EXPECT_LOG("stage second would wait for ever: it and other batches may hold 8 items of "
			   "stage count while they wait, and live is 8");
		CHECK_EQ(two_batches(fork[f], 8, LEAT_MS), 0);
	}
}

/* One of pairs, which may be of two items each if a way is out of order. */
TEST_SIM_WITH(batches_of_pairs, 50, .log = log_line)
{
	for (int mode = LEAT_STAGE_SERIAL; mode <= LEAT_STAGE_PARALLEL; mode++)
		for (size_t items = 4; items <= 8; items++) {
			leat_flow(int) a, b[2], way, c;
			leat_flow(struct ints) d;
			struct range range;
			leat_pipeline *p = make(&range, &a);
			bool good = mode == LEAT_STAGE_SERIAL || items == 4;

			fork_two(p, LEAT__FAN_BROADCAST, a, b);
			leat_pipeline_map(p, b[0], &way, pass_some, .name = "some",
					  .mode = (enum leat_stage_mode)mode,
					  .workers = mode == LEAT_STAGE_SERIAL ? 1 : 3,
					  .on_error = LEAT_ERROR_COUNT);
			leat_pipeline_zip(p, way, b[1], &c, add_up, SERIAL("zip"));
			leat_pipeline_batch(p, c, &d, .name = "batch", .items = items,
					    .wait = LEAT_FOREVER);
			leat_pipeline_sink(p, d, use_ints, SERIAL("use"));
			CHECK_EQ(leat_pipeline_run(p), good ? 0 : -EINVAL);
			leat_pipeline_destroy(p, NULL);
		}
}

static uint64_t weigh(const int *n)
{
	return (uint64_t)*n;
}

TEST_WITH(a_batch_that_waits_for_bytes, .log = log_line)
{
	leat_flow(int) a;
	leat_flow(struct ints) b;
	struct range range = { 0, N };
	leat_pipeline *p;

	CHECK_EQ(leat_pipeline_make(&p, .live = 8, .live_bytes = 100), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count",
			     .weigh = LEAT_STAGE_WEIGH(int, weigh));
	CHECK_EQ(leat_pipeline_batch(p, a, &b, .name = "batch", .items = 8, .wait = LEAT_FOREVER),
		 -EINVAL);
	EXPECT_LOG("stage batch: wait is LEAT_FOREVER, but live_bytes is 100");
	leat_pipeline_destroy(p, NULL);
}

/* Joints: each flow is taken, once, in its own pipeline. */
TEST_WITH(flows_that_are_not_joined, .log = log_line)
{
	leat_flow(int) a, b[2], c, d, twice[2];
	struct range range, other_range;
	leat_pipeline *p = make(&range, &a), *other = make(&other_range, &d);

	fork_two(p, LEAT__FAN_BROADCAST, a, b);
	leat_pipeline_sink(p, b[0], use, SERIAL("use"));
	CHECK_EQ(leat_pipeline_start(p), -EINVAL);
	EXPECT_LOG("no stage takes the flow of stage fork (2 of 2)");
	CHECK_EQ(leat_pipeline_zip(p, b[1], d, &c, add_up, SERIAL("zip")), -EINVAL);
	EXPECT_LOG("stage zip: its flow, from count, is another pipeline's");
	twice[0] = twice[1] = b[1];
	CHECK_EQ(leat_pipeline_concat(p, twice, 2, &c, .name = "concat"), -EINVAL);
	EXPECT_LOG("stage concat: it takes the flow of fork twice");
	CHECK(!c);
	twice[1] = b[0];
	CHECK_EQ(leat_pipeline_merge(p, twice, 2, &c, .name = "merge", .end = LEAT_FAN_ALL),
		 -EINVAL);
	EXPECT_LOG("stage merge: the flow of fork is taken by use already");
	leat_pipeline_destroy(p, NULL);
	leat_pipeline_destroy(other, NULL);
}

/* Cycles, through one channel of the user's and through two. */
TEST_WITH(cycles_through_channels, .log = log_line)
{
	leat_chan(int) x = leat_chan_make(int, 1), y = leat_chan_make(int, 1);
	leat_flow(int) a, b;
	leat_pipeline *p;

	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	leat_pipeline_from(p, &a, x, .name = "from x");
	CHECK_EQ(leat_pipeline_from(p, &b, x, .name = "again"), -EINVAL);
	EXPECT_LOG("stage again: its channel is that of stage from x already");
	CHECK_EQ(leat_pipeline_to(p, a, y, .name = "to y"), 0);
	CHECK_EQ(leat_pipeline_from(p, &b, y, .name = "from y"), 0);
	CHECK_EQ(leat_pipeline_to(p, b, y, .name = "again"), -EINVAL);
	EXPECT_LOG("stage again: its channel is that of stage to y already");
	CHECK_EQ(leat_pipeline_to(p, b, x, .name = "to x"), -EINVAL);
	EXPECT_LOG("stage to x: a cycle: from x receives from the same channel");
	leat_pipeline_destroy(p, NULL);
	leat_chan_unref(x);
	leat_chan_unref(y);
}

/* Two pipelines in one, joined by a channel: no cycle. */
TEST_BOTH(from_one_to_the_other, 5)
{
	leat_chan(int) x = leat_chan_make(int, 1);
	struct range range;
	leat_flow(int) a, b;
	leat_pipeline *p = make(&range, &a);
	leat_ledger ledger;

	CHECK_EQ(leat_pipeline_to(p, a, x, .name = "to x"), 0);
	CHECK_EQ(leat_pipeline_from(p, &b, x, .name = "from x"), 0);
	leat_pipeline_sink(p, b, use, SERIAL("use"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	leat_pipeline_destroy(p, ledger_init(&ledger));
	check_at_rest(&ledger);
	CHECK_EQ(ledger.out, 2 * N);
	leat_chan_unref(x);
}

LEAT_TASK_ERR(send_one, (leat_chan(int), to))
{
	return leat_send(to, 1);
}

LEAT_TASK_ERR(recv_one, (leat_chan(int), from))
{
	int v;

	return leat_recv(from, &v);
}

/*
 * A pipeline that is destroyed without having run: who sends to it and who receives from it is
 * told, and does not wait for ever.  refused: it is one that cannot be started.
 */
static void never_run(bool refused)
{
	leat_chan(int) x = leat_chan_make(int, 0), y = leat_chan_make(int, 0);
	leat_group sender, receiver;
	leat_pipeline *p;
	leat_flow(int) a, b;
	struct range range;

	CHECK_EQ(leat_group_init(&sender, LEAT_GROUP_OPTIONS()), 0);
	CHECK_EQ(leat_group_init(&receiver, LEAT_GROUP_OPTIONS()), 0);
	p = make(&range, &b);
	CHECK_EQ(leat_pipeline_from(p, &a, x, .name = "from x"), 0);
	CHECK_EQ(leat_pipeline_to(p, a, y, .name = "to y"), 0);
	CHECK_EQ(leat_go_in(&sender, send_one, x), 0);
	CHECK_EQ(leat_go_in(&receiver, recv_one, y), 0);
	leat_yield();
	if (refused)
		CHECK_EQ(leat_pipeline_run(p), -EINVAL);
	CHECK_EQ(leat_pipeline_destroy(p, NULL), 0);
	CHECK_EQ(leat_group_wait(&sender), LEAT_ECLOSED);
	CHECK_EQ(leat_group_wait(&receiver), LEAT_ECLOSED);
	leat_group_release(&sender);
	leat_group_release(&receiver);
	leat_chan_unref(x);
	leat_chan_unref(y);
}

TEST_SIM_WITH(channels_of_one_that_has_not_run, 20, .log = log_line)
{
	never_run(false);
	never_run(true);
	EXPECT_LOG("no stage takes the flow of stage count");
}

/* Options that are bad are named. */
static void drop_int(int *n)
{
	*n = 0;
}

static int copy_int(const int *n, int *ret_copy)
{
	*ret_copy = *n;
	return 0;
}

TEST_WITH(bad_options_of_fan_out_and_fan_in, .log = log_line)
{
	leat_flow(int) a, b[2], c, none[65];
	struct range range;
	leat_pipeline *p = make(&range, &a);
	leat_flow_raw *raw, *in = (leat_flow_raw *)a;
	leat_stage_options o = { .size = sizeof(o), .kind = LEAT__FANS + LEAT__FAN_TAKE,
				 .in_size = sizeof(int), .out_size = sizeof(int), .name = "it" };

	CHECK_EQ(leat_pipeline_balance(p, a, b, 2, .name = "it"), -EINVAL);
	EXPECT_LOG("stage it: end is 0; give LEAT_FAN_ALL or LEAT_FAN_ANY");
	CHECK(!b[0] && !b[1]);
	CHECK_EQ(leat_pipeline_take(p, a, &c, 1, .name = "it", .end = LEAT_FAN_ALL), -EINVAL);
	EXPECT_LOG("stage it: end is 1, but this one has one end");
	CHECK_EQ(leat_pipeline_balance(p, a, b, 0, .name = "it", .end = LEAT_FAN_ALL), -EINVAL);
	EXPECT_LOG("stage it: 0 flows to hand on to; it must be 1 to 64");
	CHECK_EQ(leat_pipeline_merge(p, none, 65, &c, .name = "it", .end = LEAT_FAN_ALL), -EINVAL);
	EXPECT_LOG("stage it: 65 flows to take; it must be 1 to 64");
	CHECK_EQ(leat_pipeline_balance(p, a, b, 2, .name = "it", .end = LEAT_FAN_ALL,
				       .clone = LEAT_STAGE_CLONE(int, copy_int),
				       .on_error = LEAT_ERROR_STOP), -EINVAL);
	EXPECT_LOG("stage it: clone is given, but it copies nothing");
	CHECK_EQ(leat_pipeline_broadcast(p, a, b, 2, .name = "it", .end = LEAT_FAN_ALL,
					 .clone = LEAT_STAGE_CLONE(int, copy_int)), -EINVAL);
	EXPECT_LOG("stage it: on_error is 0");
	CHECK_EQ(leat_pipeline_broadcast(p, a, b, 2, .name = "it", .end = LEAT_FAN_ALL,
					 .drop = LEAT_STAGE_DROP(int, drop_int)), -EINVAL);
	EXPECT_LOG("clone is not given");
	CHECK_EQ(leat_pipeline_balance(p, a, b, 2, .name = "it", .end = LEAT_FAN_ALL,
				       .workers = 2), -EINVAL);
	EXPECT_LOG("stage it: workers is 2, but it is serial");
	o.retry = LEAT_RETRY_OPTIONS(.attempts = 2);
	CHECK_EQ(leat_pipeline_add_fan(p, &in, 1, &raw, 1, &o), -EINVAL);
	EXPECT_LOG("retry is given, which it cannot have");
	CHECK_EQ(leat_pipeline_map(p, a, &c, pass, SERIAL("it"), .end = LEAT_FAN_ALL), -EINVAL);
	EXPECT_LOG("stage it: end is 1, but this one has one end");
	leat_pipeline_destroy(p, NULL);
}

/* What has a drop function keeps it behind a fan-out, and two that differ do not mix. */
TEST_WITH(drop_functions_of_what_is_merged, .log = log_line)
{
	struct range range[2];
	leat_flow(int) a[2], b, c[2];
	leat_pipeline *p = make(&range[0], &a[0]);

	range[1] = range[0];
	leat_pipeline_source(p, &a[1], &range[1], count, .name = "other",
			     .drop = LEAT_STAGE_DROP(int, drop_int));
	CHECK_EQ(leat_pipeline_merge(p, a, 2, &b, .name = "it", .end = LEAT_FAN_ALL), -EINVAL);
	EXPECT_LOG("the flows of count and other have different drop functions; give drop");
	CHECK_EQ(leat_pipeline_merge(p, a, 2, &b, .name = "it", .end = LEAT_FAN_ALL,
				     .drop = LEAT_STAGE_DROP(int, drop_int)), 0);
	CHECK_EQ(leat_pipeline_broadcast(p, b, c, 2, .name = "cast", .end = LEAT_FAN_ALL), -EINVAL);
	EXPECT_LOG("the items of it are dropped, but clone is not given");
	leat_pipeline_destroy(p, NULL);
}
