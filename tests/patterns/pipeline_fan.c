/* Fan-out and fan-in between the stages of a pipeline: each piece, tokens, ends, several sinks. */
#include <limits.h>

#include "patterns.h"

#include <leat/leat.h>

enum { N = 120 };

/* from, from + step, ... below end */
struct range {
	int next, step, end;
};

static int count(struct range *range, int *ret_n)
{
	if (range->next >= range->end)
		return LEAT_ECLOSED;
	*ret_n = range->next;
	range->next += range->step;
	return 0;
}

struct log {
	leat_mutex lock;
	int n, item[4 * N];
	int enough;		/* 0: never */
};

static int collect(struct log *log, int *item)
{
	int n;

	leat_mutex_lock(&log->lock);
	if (log->n < 4 * N)
		log->item[log->n++] = *item;
	n = log->n;
	leat_mutex_unlock(&log->lock);
	return n == log->enough ? LEAT_ECLOSED : 0;
}

static bool is_sorted(const struct log *log)
{
	for (int i = 1; i < log->n; i++)
		if (log->item[i] < log->item[i - 1])
			return false;
	return true;
}

/* Each of 0 to n - 1 so many times. */
static bool has_all(const struct log *log, int n, int times)
{
	int seen[N] = { 0 };

	for (int i = 0; i < log->n; i++)
		seen[log->item[i]]++;
	for (int i = 0; i < n; i++)
		if (seen[i] != times)
			return false;
	return log->n == n * times;
}

static int nap(int *n, int *ret_n)
{
	*ret_n = *n;
	if (leat_random(2) && leat_sleep((int64_t)leat_random(50) * LEAT_US) < 0)
		return -ECANCELED;
	return 0;
}

#define SERIAL(name_) .name = name_, .mode = LEAT_STAGE_SERIAL, .on_error = LEAT_ERROR_STOP
#define PARALLEL(name_, n_)                                                   \
	.name = name_, .mode = LEAT_STAGE_PARALLEL, .workers = n_, .on_error = LEAT_ERROR_STOP
#define ORDERED(name_, n_, window_)                                           \
	.name = name_, .mode = LEAT_STAGE_ORDERED, .workers = n_,             \
	.on_error = LEAT_ERROR_STOP, .window = window_

static leat_pipeline *make(size_t live)
{
	leat_pipeline *p;

	CHECK_EQ(leat_pipeline_make(&p, .live = live), 0);
	return p;
}

static void run(leat_pipeline *p, int result, leat_ledger *ledger)
{
	CHECK_EQ(leat_pipeline_run(p), result);
	CHECK_EQ(leat_pipeline_destroy(p, ledger_init(ledger)), result);
	check_at_rest(ledger);
}

TEST_BOTH(balance_and_merge, 20)
{
	struct range range = { 0, 1, N };
	struct log log = { 0 };
	leat_pipeline *p = make(8);
	leat_flow(int) a, b[3], c[3], d;
	leat_ledger ledger;

	leat_pipeline_source(p, &a, &range, count, .name = "count");
	CHECK_EQ(leat_pipeline_balance(p, a, b, 3, .name = "balance", .end = LEAT_FAN_ALL), 0);
	for (int i = 0; i < 3; i++)
		leat_pipeline_map(p, b[i], &c[i], nap, SERIAL("nap"), .buffer = (size_t)i);
	CHECK_EQ(leat_pipeline_merge(p, c, 3, &d, .name = "merge", .end = LEAT_FAN_ALL), 0);
	leat_pipeline_sink_with(p, d, &log, collect, SERIAL("collect"));
	run(p, 0, &ledger);
	CHECK(has_all(&log, N, 1));
	CHECK_EQ(ledger.out, N);
}

/* Two copies of each: an item ends once, when both have. */
TEST_BOTH(broadcast_to_two_sinks, 20)
{
	struct range range = { 0, 1, N };
	struct log log[2] = { 0 };
	leat_pipeline *p = make(3);
	leat_flow(int) a, b[2], c;
	leat_ledger ledger;

	leat_pipeline_source(p, &a, &range, count, .name = "count");
	CHECK_EQ(leat_pipeline_broadcast(p, a, b, 2, .name = "cast", .end = LEAT_FAN_ALL), 0);
	leat_pipeline_map(p, b[0], &c, nap, ORDERED("nap", 3, 4));
	leat_pipeline_sink_with(p, c, &log[0], collect, SERIAL("one"), .buffer = 3);
	leat_pipeline_sink_with(p, b[1], &log[1], collect, SERIAL("two"));
	run(p, 0, &ledger);
	for (int i = 0; i < 2; i++)
		CHECK(has_all(&log[i], N, 1) && is_sorted(&log[i]));
	CHECK_EQ(ledger.in, N);
	CHECK_EQ(ledger.out, N);
}

static int copy_as_later(const int *n, int *ret_copy)
{
	*ret_copy = *n + N;
	return 0;
}

TEST_BOTH(a_clone_is_what_arrives, 5)
{
	struct range range = { 0, 1, N };
	struct log log[2] = { 0 };
	leat_pipeline *p = make(3);
	leat_flow(int) a, b[2];
	leat_ledger ledger;

	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_broadcast(p, a, b, 2, .name = "cast", .end = LEAT_FAN_ALL,
				.clone = LEAT_STAGE_CLONE(int, copy_as_later),
				.on_error = LEAT_ERROR_STOP);
	for (int i = 0; i < 2; i++)
		leat_pipeline_sink_with(p, b[i], &log[i], collect, SERIAL("sink"));
	run(p, 0, &ledger);
	CHECK_EQ(log[0].n, N);
	CHECK_EQ(log[1].n, N);
	for (int i = 0; i < N; i++) {
		CHECK_EQ(log[0].item[i], i + N);
		CHECK_EQ(log[1].item[i], i);
	}
}

static uint64_t mod3(const int *n)
{
	return (uint64_t)*n % 3;
}

TEST_BOTH(partition_by_key, 20)
{
	struct range range = { 0, 1, N };
	struct log log[3] = { 0 };
	leat_pipeline *p = make(8);
	leat_flow(int) a, b[3];
	leat_ledger ledger;

	leat_pipeline_source(p, &a, &range, count, .name = "count");
	CHECK_EQ(leat_pipeline_partition(p, a, b, 3, mod3, .name = "part", .end = LEAT_FAN_ALL), 0);
	for (int i = 0; i < 3; i++)
		leat_pipeline_sink_with(p, b[i], &log[i], collect, SERIAL("sink"));
	run(p, 0, &ledger);
	CHECK_EQ(ledger.out, N);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(log[i].n, N / 3);
		for (int k = 0; k < log[i].n; k++)
			CHECK_EQ(log[i].item[k], 3 * k + i);
	}
}

TEST_BOTH(tee_to_a_side_branch, 20)
{
	struct range range = { 0, 1, N };
	struct log log[2] = { 0 };
	leat_pipeline *p = make(8);
	leat_flow(int) a, b, side;
	leat_ledger ledger;

	leat_pipeline_source(p, &a, &range, count, .name = "count");
	CHECK_EQ(leat_pipeline_tee(p, a, &b, &side, .name = "tee", .end = LEAT_FAN_ALL), 0);
	leat_pipeline_sink_with(p, b, &log[0], collect, SERIAL("one"));
	leat_pipeline_sink_with(p, side, &log[1], collect, SERIAL("two"));
	run(p, 0, &ledger);
	CHECK(has_all(&log[0], N, 1) && has_all(&log[1], N, 1));
	CHECK_EQ(ledger.out, N);
}

/* What comes behind the last one is not made for long. */
TEST_BOTH(take_the_first, 20)
{
	struct range range = { 0, 1, INT_MAX };
	struct log log = { 0 };
	leat_pipeline *p = make(8);
	leat_flow(int) a, b, c;
	leat_ledger ledger;

	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_map(p, a, &b, nap, ORDERED("nap", 3, 4), .buffer = 4);
	CHECK_EQ(leat_pipeline_take(p, b, &c, 10, .name = "take"), 0);
	leat_pipeline_sink_with(p, c, &log, collect, SERIAL("collect"));
	run(p, 0, &ledger);
	CHECK(has_all(&log, 10, 1));
	CHECK_EQ(ledger.out, 10);
	CHECK(ledger.in < (test_slow() ? 300 : 30));
	CHECK_EQ(ledger.dropped[LEAT_DROPPED_UNWANTED], ledger.in - 10);
}

static bool int_less(const int *a, const int *b)
{
	return *a < *b;
}

static int add_up(int *a, int *b, int *ret_sum)
{
	*ret_sum = *a + *b;
	return 0;
}

/* Each source has tokens of its own: with one each, none keeps the others from going on. */
static leat_pipeline *three_sources(struct range range[3], leat_flow(int) flow[3])
{
	leat_pipeline *p = make(1);

	for (int i = 0; i < 3; i++) {
		leat_flow(int) a;

		leat_pipeline_source(p, &a, &range[i], count, .name = "count");
		leat_pipeline_map(p, a, &flow[i], nap, SERIAL("nap"), .buffer = (size_t)i);
	}
	return p;
}

TEST_BOTH(ordered_merge_of_sources, 20)
{
	struct range range[3] = { { 0, 3, N }, { 1, 3, N }, { 2, 3, N } };
	struct log log = { 0 };
	leat_flow(int) flow[3], out;
	leat_pipeline *p = three_sources(range, flow);
	leat_ledger ledger;

	CHECK_EQ(leat_pipeline_merge_ordered(p, flow, 3, &out, int_less, .name = "merge"), 0);
	leat_pipeline_sink_with(p, out, &log, collect, SERIAL("collect"));
	run(p, 0, &ledger);
	CHECK(has_all(&log, N, 1) && is_sorted(&log));
	CHECK_EQ(ledger.in, N);
	CHECK_EQ(ledger.out, N);
}

TEST_BOTH(concat_of_sources, 20)
{
	struct range range[3] = { { 0, 1, 40 }, { 40, 1, 80 }, { 80, 1, N } };
	struct log log = { 0 };
	leat_flow(int) flow[3], out;
	leat_pipeline *p = three_sources(range, flow);
	leat_ledger ledger;

	CHECK_EQ(leat_pipeline_concat(p, flow, 3, &out, .name = "concat"), 0);
	leat_pipeline_sink_with(p, out, &log, collect, SERIAL("collect"));
	run(p, 0, &ledger);
	CHECK(has_all(&log, N, 1) && is_sorted(&log));
	CHECK_EQ(ledger.out, N);
}

/* What is left of the longer one is not wanted. */
TEST_BOTH(zip_of_sources, 30)
{
	struct range range[3] = { { 0, 1, 40 }, { 0, 1, INT_MAX }, { 0, 1, 50 } };
	struct log log = { 0 };
	leat_flow(int) flow[3], pair, out;
	leat_pipeline *p = three_sources(range, flow);
	leat_ledger ledger;

	CHECK_EQ(leat_pipeline_zip(p, flow[0], flow[1], &pair, add_up, SERIAL("pair")), 0);
	CHECK_EQ(leat_pipeline_zip(p, pair, flow[2], &out, add_up, SERIAL("three")), 0);
	leat_pipeline_sink_with(p, out, &log, collect, SERIAL("collect"));
	run(p, 0, &ledger);
	CHECK_EQ(log.n, 40);
	for (int i = 0; i < 40; i++)
		CHECK_EQ(log.item[i], 3 * i);
	CHECK_EQ(ledger.out, 120);
	CHECK_EQ(ledger.dropped[LEAT_DROPPED_UNWANTED], ledger.in - 120);
	CHECK(ledger.in >= 120 && ledger.in <= 126);
}

static int negate(int *n, int *ret_n)
{
	*ret_n = -*n;
	return 0;
}

/* The two copies of an item meet again: one item, with one token. */
TEST_BOTH(broadcast_and_zip, 30)
{
	struct range range = { 0, 1, N };
	struct log log = { 0 };
	leat_pipeline *p = make(1 + leat_random(4));
	leat_flow(int) a, b[2], c, d, e;
	leat_ledger ledger;

	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_broadcast(p, a, b, 2, .name = "cast", .end = LEAT_FAN_ANY);
	leat_pipeline_map(p, b[0], &c, nap, ORDERED("nap", 3, 2), .buffer = 2);
	leat_pipeline_map(p, b[1], &d, negate, SERIAL("negate"));
	CHECK_EQ(leat_pipeline_zip(p, c, d, &e, add_up, SERIAL("zip")), 0);
	leat_pipeline_sink_with(p, e, &log, collect, SERIAL("collect"));
	run(p, 0, &ledger);
	CHECK_EQ(log.n, N);
	for (int i = 0; i < N; i++)
		CHECK_EQ(log.item[i], 0);
	CHECK_EQ(ledger.out, N);
}

static int bad_fifth(int *n)
{
	return *n % 5 == 4 ? -EIO : 0;
}

/* The worst of its parts' ends: of copies, and of what a pair has become. */
TEST_BOTH(the_worst_end_counts, 20)
{
	struct range range = { 0, 1, N };
	struct log log = { 0 };
	leat_pipeline *p = make(8);
	leat_flow(int) a, b[2];
	leat_ledger ledger;

	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_broadcast(p, a, b, 2, .name = "cast", .end = LEAT_FAN_ALL);
	leat_pipeline_sink_with(p, b[0], &log, collect, SERIAL("collect"));
	leat_pipeline_sink(p, b[1], bad_fifth, .name = "check", .mode = LEAT_STAGE_SERIAL,
			   .on_error = LEAT_ERROR_COUNT);
	run(p, 0, &ledger);
	CHECK_EQ(log.n, N);
	CHECK_EQ(ledger.failed, N / 5);
	CHECK_EQ(ledger.out, N - N / 5);
}

TEST_BOTH(a_pair_fails_as_two, 20)
{
	struct range range[2] = { { 0, 1, 40 }, { 0, 0, 1 } };
	leat_pipeline *p = make(4);
	leat_flow(int) a, zeros, b;
	leat_ledger ledger;

	leat_pipeline_source(p, &a, &range[0], count, .name = "count");
	leat_pipeline_source(p, &zeros, &range[1], count, .name = "zeros");
	leat_pipeline_zip(p, a, zeros, &b, add_up, SERIAL("zip"));
	leat_pipeline_sink(p, b, bad_fifth, .name = "check", .mode = LEAT_STAGE_PARALLEL,
			   .workers = 2, .on_error = LEAT_ERROR_COUNT);
	run(p, 0, &ledger);
	CHECK_EQ(ledger.failed, 16);
	CHECK_EQ(ledger.out, 64);
}

/* A sink has enough; the others go on. */
static void one_has_enough(enum leat_fan_end end, struct log log[2], leat_ledger *ledger)
{
	struct range range = { 0, 1, N };
	leat_pipeline *p = make(8);
	leat_flow(int) a, b[2], c;

	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_broadcast(p, a, b, 2, .name = "cast", .end = end);
	leat_pipeline_map(p, b[0], &c, nap, PARALLEL("nap", 3), .buffer = 4);
	leat_pipeline_sink_with(p, c, &log[0], collect, SERIAL("one"), .buffer = 4);
	leat_pipeline_sink_with(p, b[1], &log[1], collect, SERIAL("two"), .buffer = 2);
	run(p, 0, ledger);
}

TEST_BOTH(a_sink_that_has_enough_leaves_the_others, 30)
{
	struct log log[2] = { { .enough = 5 } };
	leat_ledger ledger;

	one_has_enough(LEAT_FAN_ALL, log, &ledger);
	CHECK_EQ(log[0].n, 5);
	CHECK(has_all(&log[1], N, 1));
	CHECK_EQ(ledger.in, N);
	/*
	 * Those of which the copy was not wanted, though the other one was.  Where threads are
	 * stopped in the midst of a cut, as under an emulator, there may be more.
	 */
	CHECK(ledger.dropped[LEAT_DROPPED_UNWANTED] <= (test_slow() ? N - 5 : 8 + 5));
	CHECK_EQ(ledger.out, N - ledger.dropped[LEAT_DROPPED_UNWANTED]);
}

TEST_BOTH(with_any_the_others_end_as_well, 30)
{
	struct log log[2] = { { .enough = 5 } };
	leat_ledger ledger;

	one_has_enough(LEAT_FAN_ANY, log, &ledger);
	CHECK_EQ(log[0].n, 5);
	CHECK(log[1].n >= 5 && log[1].n <= 5 + 8);
	CHECK(is_sorted(&log[1]));
	CHECK(ledger.in < (test_slow() ? 300 : 5 + 2 * 8));
}

TEST_BOTH(the_last_sink_ends_all, 30)
{
	struct range range = { 0, 1, INT_MAX };
	struct log log[2] = { { .enough = 5 }, { .enough = 20 } };
	leat_pipeline *p = make(8);
	leat_flow(int) a, b[2], c;
	leat_ledger ledger;

	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_broadcast(p, a, b, 2, .name = "cast", .end = LEAT_FAN_ALL);
	leat_pipeline_map(p, b[1], &c, nap, ORDERED("nap", 2, 4), .buffer = 4);
	leat_pipeline_sink_with(p, b[0], &log[0], collect, SERIAL("one"), .buffer = 4);
	leat_pipeline_sink_with(p, c, &log[1], collect, SERIAL("two"), .buffer = 2);
	run(p, 0, &ledger);
	CHECK_EQ(log[0].n, 5);
	CHECK_EQ(log[1].n, 20);
	CHECK_EQ(ledger.in, ledger.out + ledger.dropped[LEAT_DROPPED_UNWANTED]);
	CHECK(ledger.out >= 5);
}

/* A source of which nothing is wanted is cancelled: its next item may never come. */
TEST_BOTH(an_unwanted_source_is_cancelled, 20)
{
	leat_chan(int) from = leat_chan_make(int, 8);
	struct range range = { 0, 1, N };
	struct log log[2] = { { .enough = 3 } };
	leat_pipeline *p = make(8);
	leat_flow(int) a, b, c;
	leat_ledger ledger;

	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_send(from, i), 0);
	leat_pipeline_from(p, &a, from, .name = "from");
	leat_pipeline_map(p, a, &b, nap, PARALLEL("nap", 2));
	leat_pipeline_source(p, &c, &range, count, .name = "count");
	leat_pipeline_sink_with(p, b, &log[0], collect, SERIAL("one"));
	leat_pipeline_sink_with(p, c, &log[1], collect, SERIAL("two"));
	run(p, 0, &ledger);
	CHECK(has_all(&log[0], 3, 1));
	CHECK(has_all(&log[1], N, 1));
	CHECK_EQ(ledger.out, N + 3);
	CHECK_EQ(leat_send(from, 1), LEAT_ECLOSED);
	leat_chan_unref(from);
}

/* Told that nobody wants any more; the error of the emit is the function's. */
static atomic_int calls;

static int three_times(int *n, leat_emitter(int) emitter)
{
	int r = 0;

	atomic_fetch_add(&calls, 1);
	for (int i = 0; i < 3 && r == 0; i++)
		r = leat_emit(emitter, *n);
	return r;
}

static void not_failed(int *n, int error)
{
	(void)n;
	CHECK_EQ(error, 0);
}

static void flat_is_told(const leat_retry_options *retry, enum leat_stage_mode mode, int workers)
{
	bool ordered = mode == LEAT_STAGE_ORDERED;
	struct range range = { 0, 1, N };
	struct log log[2] = { { .enough = 5 } };
	leat_pipeline *p = make(8);
	leat_flow(int) a, b[2], c;
	leat_ledger ledger;

	atomic_store(&calls, 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_broadcast(p, a, b, 2, .name = "cast", .end = LEAT_FAN_ALL);
	leat_pipeline_flat(p, b[0], &c, three_times, .name = "flat", .mode = mode,
			   .workers = workers, .on_error = LEAT_ERROR_STOP, .retry = retry,
			   .window = ordered ? 2 : 0, .ahead = ordered ? 2 : 0,
			   .failed = LEAT_STAGE_FAILED(int, not_failed));
	leat_pipeline_sink_with(p, c, &log[0], collect, SERIAL("one"));
	leat_pipeline_sink_with(p, b[1], &log[1], collect, SERIAL("two"));
	run(p, 0, &ledger);
	CHECK_EQ(log[0].n, 5);
	CHECK(has_all(&log[1], N, 1));
	CHECK_EQ(ledger.failed, 0);
	/* Two items make the five; those at work meanwhile are told once. */
	if (retry)
		CHECK(calls <= 2 + 2 * workers);
}

TEST_BOTH(a_flat_function_that_is_told_has_not_failed, 30)
{
	const leat_retry_options *retry = LEAT_RETRY_OPTIONS(.attempts = 9, .backoff = LEAT_US);

	flat_is_told(NULL, LEAT_STAGE_SERIAL, 1);
	flat_is_told(NULL, LEAT_STAGE_PARALLEL, 2);
	flat_is_told(NULL, LEAT_STAGE_ORDERED, 2);
	flat_is_told(retry, LEAT_STAGE_SERIAL, 1);
}

/* The stages begin one after the other; what ends a source, or all, may come in between. */
static int none(struct range *range, int *ret_n)
{
	(void)range;
	(void)ret_n;
	return LEAT_ECLOSED;
}

TEST_SIM(a_source_that_is_cut_before_it_begins, 100)
{
	leat_chan(int) from = leat_chan_make(int, 1);
	struct range range = { 0, 1, N };
	struct log log[2] = { 0 };
	leat_pipeline *p = make(8);
	leat_flow(int) a[2], b, c;
	leat_ledger ledger;

	leat_pipeline_from(p, &a[0], from, .name = "from");
	leat_pipeline_source(p, &b, &range, count, .name = "count");
	leat_pipeline_source(p, &a[1], &range, none, .name = "none");
	leat_pipeline_merge(p, a, 2, &c, .name = "merge", .end = LEAT_FAN_ANY);
	leat_pipeline_sink_with(p, c, &log[0], collect, SERIAL("one"));
	leat_pipeline_sink_with(p, b, &log[1], collect, SERIAL("two"));
	CHECK_EQ(leat_pipeline_start(p), 0);
	/* Whoever sends is told, while others go on. */
	while (leat_send(from, 1) == 0)
		;
	CHECK_EQ(leat_pipeline_wait(p), 0);
	CHECK(has_all(&log[1], N, 1));
	CHECK_EQ(leat_pipeline_destroy(p, ledger_init(&ledger)), 0);
	check_at_rest(&ledger);
	leat_chan_unref(from);
}

TEST_SIM(enough_before_all_have_begun, 100)
{
	struct range range[2] = { { 0, 1, N }, { 0, 1, N } };
	struct log log = { .enough = 1 };
	leat_pipeline *p = make(8);
	leat_flow(int) a[2], b;
	leat_ledger ledger;

	leat_pipeline_source(p, &a[0], &range[0], count, .name = "zero");
	leat_pipeline_source(p, &a[1], &range[1], count, .name = "one");
	leat_pipeline_merge(p, a, 2, &b, .name = "merge", .end = LEAT_FAN_ALL);
	leat_pipeline_sink_with(p, b, &log, collect, SERIAL("collect"));
	CHECK_EQ(leat_pipeline_start(p), 0);
	CHECK_EQ(leat_pipeline_wait(p), 0);
	CHECK_EQ(leat_pipeline_destroy(p, ledger_init(&ledger)), 0);
	check_at_rest(&ledger);
}

/* An error, and a stop from above, reach every stage. */
static int bad_ninth(int *n, int *ret_n)
{
	*ret_n = *n;
	return *n == 9 ? -EIO : 0;
}

TEST_BOTH(an_error_on_a_branch_stops_all, 20)
{
	struct range range[2] = { { 0, 1, INT_MAX }, { 0, 1, INT_MAX } };
	struct log log[2] = { 0 };
	leat_pipeline *p = make(4);
	leat_flow(int) a, b[2], c, d[2], e;
	leat_ledger ledger;

	leat_pipeline_source(p, &a, &range[0], count, .name = "count");
	leat_pipeline_balance(p, a, b, 2, .name = "balance", .end = LEAT_FAN_ALL);
	leat_pipeline_map(p, b[0], &d[0], bad_ninth, SERIAL("bad"));
	leat_pipeline_map(p, b[1], &d[1], bad_ninth, SERIAL("bad as well"));
	leat_pipeline_merge(p, d, 2, &e, .name = "merge", .end = LEAT_FAN_ALL);
	leat_pipeline_sink_with(p, e, &log[0], collect, SERIAL("one"));
	leat_pipeline_source(p, &c, &range[1], count, .name = "count");
	leat_pipeline_sink_with(p, c, &log[1], collect, SERIAL("two"));
	run(p, -EIO, &ledger);
	CHECK_EQ(ledger.failed, 1);
	CHECK(ledger.cancelled <= 8);
}

/* Items that are counted: each is made, or copied, and used or dropped exactly once. */
struct box {
	int n;
	int *owned;
};

static atomic_int made, used, dropped;

static struct box new_box(int n)
{
	atomic_fetch_add(&made, 1);
	return (struct box){ n, malloc(1) };
}

static int make_box(struct range *range, struct box *ret_box)
{
	int n, r = count(range, &n);

	if (r == 0)
		*ret_box = new_box(n);
	return r;
}

static void drop_box(struct box *box)
{
	free(box->owned);
	atomic_fetch_add(&dropped, 1);
}

static int use_box(struct box *box)
{
	free(box->owned);
	atomic_fetch_add(&used, 1);
	return 0;
}

static int box_error = -EIO;

static int clone_box(const struct box *box, struct box *ret_copy)
{
	if (box->n % 10 == 7)
		return box_error;
	*ret_copy = new_box(box->n);
	return 0;
}

static int join_boxes(struct box *a, struct box *b, struct box *ret_box)
{
	if (a->n % 10 == 3)
		return box_error;
	drop_box(b);
	*ret_box = *a;
	return 0;
}

#define DROP .drop = LEAT_STAGE_DROP(struct box, drop_box)

static void clone_and_zip(int end, enum leat_on_error clone, enum leat_on_error combine, int result,
			  leat_ledger *ledger)
{
	struct range range = { 0, 1, end };
	leat_pipeline *p = make(8);
	leat_flow(struct box) a, b[3], c, d[2];

	made = used = dropped = 0;
	leat_pipeline_source(p, &a, &range, make_box, .name = "make", DROP);
	CHECK_EQ(leat_pipeline_broadcast(p, a, b, 3, .name = "cast", .end = LEAT_FAN_ALL,
					 .clone = LEAT_STAGE_CLONE(struct box, clone_box),
					 .on_error = clone), 0);
	CHECK_EQ(leat_pipeline_zip(p, b[0], b[1], &c, join_boxes, .name = "zip",
				   .on_error = combine, DROP), 0);
	/* Its drop function is that of what it takes. */
	CHECK_EQ(leat_pipeline_balance(p, b[2], d, 2, .name = "balance", .end = LEAT_FAN_ALL), 0);
	leat_pipeline_sink(p, c, use_box, SERIAL("one"), .buffer = 4);
	leat_pipeline_sink(p, d[0], use_box, SERIAL("two"), .buffer = 4);
	leat_pipeline_sink(p, d[1], use_box, SERIAL("three"));
	run(p, result, ledger);
	CHECK_EQ(made, used + dropped);
}

TEST_BOTH(errors_of_clone_and_combine_are_counted, 20)
{
	leat_ledger ledger;

	clone_and_zip(100, LEAT_ERROR_COUNT, LEAT_ERROR_COUNT, 0, &ledger);
	CHECK_EQ(ledger.failed, 20);
	CHECK_EQ(ledger.out, 80);
	CHECK_EQ(used, 80 + 90);
}

TEST_BOTH(errors_of_clone_and_combine_stop, 20)
{
	leat_ledger ledger;

	clone_and_zip(7, LEAT_ERROR_STOP, LEAT_ERROR_STOP, -EIO, &ledger);
	CHECK_EQ(ledger.failed, 1);
	clone_and_zip(100, LEAT_ERROR_STOP, LEAT_ERROR_COUNT, -EIO, &ledger);
	CHECK(ledger.failed >= 1);
}

/* What a function returns is its own error, and not that a flow has ended. */
TEST_BOTH(closed_by_clone_and_combine, 20)
{
	leat_ledger ledger;

	box_error = LEAT_ECLOSED;
	clone_and_zip(100, LEAT_ERROR_COUNT, LEAT_ERROR_COUNT, 0, &ledger);
	CHECK_EQ(ledger.failed, 20);
	CHECK_EQ(used, 80 + 90);
	clone_and_zip(7, LEAT_ERROR_STOP, LEAT_ERROR_STOP, -EPIPE, &ledger);
	clone_and_zip(100, LEAT_ERROR_STOP, LEAT_ERROR_COUNT, -EPIPE, &ledger);
	box_error = -EIO;
}

/* What reduce hands on has no token; nor has a batch or a pair of it. */
struct ints {
	int *item;
	size_t n;
};

static int sum_up(int *sum, int *n)
{
	*sum += *n;
	return 0;
}

static int total;

static int use_ints(struct ints *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		total += batch->item[i];
	return 0;
}

TEST_BOTH(what_counts_as_no_item_goes_everywhere, 20)
{
	struct range range = { 0, 1, N };
	leat_pipeline *p = make(4);
	leat_flow(int) a, b[3], c, d, pair, e[2], f;
	leat_flow(struct ints) batch;
	leat_ledger ledger;
	int zero = 0;

	total = 0;
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_broadcast(p, a, b, 3, .name = "cast", .end = LEAT_FAN_ALL);
	leat_pipeline_reduce(p, b[0], &c, &zero, sum_up, .name = "one", .on_error = 1);
	leat_pipeline_reduce(p, b[1], &d, &zero, sum_up, .name = "two", .on_error = 1);
	leat_pipeline_zip(p, c, d, &pair, add_up, SERIAL("pair"));
	e[0] = b[2];
	e[1] = pair;
	CHECK_EQ(leat_pipeline_concat(p, e, 2, &f, .name = "concat"), 0);
	leat_pipeline_batch(p, f, &batch, .name = "batch", .items = 4, .wait = LEAT_MS);
	leat_pipeline_sink(p, batch, use_ints, SERIAL("use"));
	run(p, 0, &ledger);
	CHECK_EQ(total, 3 * N * (N - 1) / 2);
	CHECK_EQ(ledger.in, N);
	CHECK_EQ(ledger.out, N);
}

/* A batch that holds nothing but what counts as no item. */
TEST_BOTH(a_batch_without_a_token, 10)
{
	struct range range = { 0, 1, N };
	leat_pipeline *p = make(4);
	leat_flow(int) a, b;
	leat_flow(struct ints) batch;
	leat_ledger ledger;
	int zero = 0;

	total = 0;
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_reduce(p, a, &b, &zero, sum_up, .name = "sum", .on_error = LEAT_ERROR_STOP);
	leat_pipeline_batch(p, b, &batch, .name = "batch", .items = 4, .wait = LEAT_MS);
	leat_pipeline_sink(p, batch, use_ints, SERIAL("use"));
	run(p, 0, &ledger);
	CHECK_EQ(total, N * (N - 1) / 2);
	CHECK_EQ(ledger.out, N);
}

/* Batches of boxes, dropped behind a balance. */
struct boxes {
	struct box *item;
	size_t n;
};

static int use_boxes(struct boxes *batch)
{
	if (batch->item[0].n > N / 2)
		return -EIO;
	for (size_t i = 0; i < batch->n; i++)
		use_box(&batch->item[i]);
	return 0;
}

TEST_BOTH(batches_are_dropped_behind_a_balance, 20)
{
	struct range range = { 0, 1, N };
	leat_pipeline *p = make(12);
	leat_flow(struct box) a;
	leat_flow(struct boxes) b, c[2];
	leat_ledger ledger;

	made = used = dropped = 0;
	leat_pipeline_source(p, &a, &range, make_box, .name = "make", DROP);
	leat_pipeline_batch(p, a, &b, .name = "batch", .items = 3, .wait = LEAT_MS);
	leat_pipeline_balance(p, b, c, 2, .name = "balance", .end = LEAT_FAN_ALL);
	leat_pipeline_sink(p, c[0], use_boxes, SERIAL("one"), .buffer = 2);
	leat_pipeline_sink(p, c[1], use_boxes, SERIAL("two"));
	run(p, -EIO, &ledger);
	CHECK_EQ(made, used + dropped);
	CHECK_EQ(ledger.in, (uint64_t)made);
	CHECK_EQ(ledger.out, (uint64_t)used);
}

/* live and live_bytes hold for each source. */
struct bounded {
	struct range range;
	atomic_int live, bytes;
	int most, most_bytes, other;
};

static uint64_t weigh(const int *n)
{
	return (uint64_t)(*n % 3 + 1);
}

static int count_live(struct bounded *b, int *ret_n)
{
	int r = count(&b->range, ret_n), live = b->live, bytes = b->bytes;

	if (r < 0)
		return r;
	*ret_n = *ret_n * 2 + b->other;
	live = atomic_fetch_add(&b->live, 1) + 1;
	if (live > b->most)
		b->most = live;
	/* This item's bytes are taken after it has been made. */
	bytes = atomic_fetch_add(&b->bytes, (int)weigh(ret_n));
	if (bytes > b->most_bytes)
		b->most_bytes = bytes;
	return 0;
}

static int leave(struct bounded *both, int *n)
{
	struct bounded *b = &both[*n % 2];

	leat_sleep((int64_t)leat_random(20) * LEAT_US);
	atomic_fetch_sub(&b->bytes, (int)weigh(n));
	atomic_fetch_sub(&b->live, 1);
	return 0;
}

TEST_BOTH(the_bounds_hold_for_each_source, 20)
{
	struct bounded both[2] = { { .range = { 0, 1, N } },
				   { .range = { 0, 1, N }, .other = 1 } };
	leat_flow(int) flow[2], all;
	leat_pipeline *p;
	leat_ledger ledger;

	CHECK_EQ(leat_pipeline_make(&p, .live = 5, .live_bytes = 7), 0);
	for (int i = 0; i < 2; i++)
		leat_pipeline_source(p, &flow[i], &both[i], count_live, .name = "count",
				     .weigh = LEAT_STAGE_WEIGH(int, weigh));
	leat_pipeline_merge(p, flow, 2, &all, .name = "merge", .end = LEAT_FAN_ALL, .buffer = 50);
	leat_pipeline_sink_with(p, all, both, leave, SERIAL("leave"), .buffer = 50);
	run(p, 0, &ledger);
	CHECK_EQ(ledger.out, 2 * N);
	for (int i = 0; i < 2; i++) {
		CHECK(both[i].most > 1 && both[i].most <= 5);
		CHECK(both[i].most_bytes > 3 && both[i].most_bytes <= 7);
	}
}

/* The stage that holds up the others is named in any shape. */
static int slow(int *n)
{
	(void)n;
	return leat_sleep(LEAT_MS);
}

static int fast(int *n)
{
	(void)n;
	return leat_sleep(100 * LEAT_US);
}

TEST_SIM(the_bottleneck_of_a_graph, 5)
{
	static const char *const order[] = { "count", "cast",  "nap",  "one",
					     "two",   "other", "three" };
	struct range range = { 0, 1, N }, other = { 0, 1, N };
	leat_stage_stats stats[7] = { { .size = sizeof(stats[0]) } };
	leat_pipeline *p = make(8);
	leat_flow(int) a, b[2], c, d;
	leat_ledger ledger;
	char text[2000];

	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_broadcast(p, a, b, 2, .name = "cast", .end = LEAT_FAN_ALL);
	leat_pipeline_map(p, b[0], &c, nap, SERIAL("nap"));
	leat_pipeline_sink(p, c, fast, SERIAL("one"));
	leat_pipeline_sink(p, b[1], slow, SERIAL("two"));
	leat_pipeline_source(p, &d, &other, count, .name = "other");
	leat_pipeline_sink(p, d, fast, SERIAL("three"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	CHECK_EQ(leat_pipeline_stats(p, stats, 7), 7);
	for (int i = 0; i < 7; i++) {
		CHECK(strcmp(stats[i].name, order[i]) == 0);
		CHECK_EQ(stats[i].items, N);
	}
	CHECK(stats[1].time[LEAT_STAGE_BLOCKED] > (N - 10) * LEAT_MS);
	CHECK(stats[1].queue_p50 >= 0);
	leat_pipeline_explain(p, text, sizeof(text));
	if (!strstr(text, "widen two: its worker is busy"))
		test_fail(__FILE__, __LINE__, "%s", text);
	leat_pipeline_destroy(p, ledger_init(&ledger));
	check_at_rest(&ledger);
}

LEAT_TASK(shut_down, (leat_pipeline *, p))
{
	leat_sleep((int64_t)leat_random(LEAT_MS));
	leat_pipeline_shutdown(p);
}

/* All sources are told; what is live goes through. */
TEST_BOTH(shutdown_of_several_sources, 20)
{
	struct range range[2] = { { 0, 1, INT_MAX }, { 0, 1, INT_MAX } };
	struct log log = { 0 };
	leat_pipeline *p = make(4);
	leat_flow(int) a[2], b, c;
	leat_ledger ledger;

	for (int i = 0; i < 2; i++)
		leat_pipeline_source(p, &a[i], &range[i], count, .name = "count");
	leat_pipeline_merge(p, a, 2, &b, .name = "merge", .end = LEAT_FAN_ALL);
	leat_pipeline_map(p, b, &c, nap, PARALLEL("nap", 3));
	leat_pipeline_sink_with(p, c, &log, collect, SERIAL("collect"));
	CHECK_EQ(leat_go(shut_down, p), 0);
	/* The other task may still be in shutdown when this one destroys it. */
	CHECK_EQ(leat_pipeline_run(p), 0);
	leat_pipeline_destroy(p, ledger_init(&ledger));
	check_at_rest(&ledger);
	CHECK_EQ(ledger.out, ledger.in);
}
