/*
 * Pekko's specs of MapAsync, MapAsyncUnordered, MapAsyncPartitioned and KillSwitch: see README.md.
 *
 * mapAsync is an ordered stage, mapAsyncUnordered a parallel one, mapAsyncPartitioned a keyed one;
 * what they have in common runs in all three.  A future is a function that waits; the stopping
 * strategy is LEAT_ERROR_STOP, the resuming one LEAT_ERROR_COUNT, null LEAT_SKIP.
 */
#include "flows.h"

#include <limits.h>

enum { N = 50, PARALLELISM = 4 };

static const enum leat_stage_mode modes[] = {
	LEAT_STAGE_ORDERED, LEAT_STAGE_PARALLEL, LEAT_STAGE_KEYED,
};

#define FOR_EACH_MODE(mode)                                                   \
	for (enum leat_stage_mode m_ = 0, mode; m_ < 3 && (mode = modes[m_], true); m_++)

static uint64_t own_key(const int *item)
{
	return (uint64_t)*item;
}

/* One future for each item: done when its gate is opened. */
struct futures {
	leat_sem gate[N];
	struct gauge at_work;
	atomic_int begun;
	int result[N];		/* 0; an error; LEAT_SKIP */
	bool waits;
	struct range range;
	struct notes notes;
	leat_sem demand;
	leat_pipeline *p;
	leat_ledger ledger;
	atomic_int failures[N];
};

static struct futures f;

static int await(struct futures *fs, int *in, int *ret_out)
{
	int r = 0;

	atomic_fetch_add(&fs->begun, 1);
	gauge_enter(&fs->at_work);
	if (fs->waits)
		r = leat_sem_acquire(&fs->gate[*in % N], 1);
	gauge_leave(&fs->at_work);
	*ret_out = *in;
	return r < 0 ? r : fs->result[*in % N];
}

static void count_failure(int *item, int error)
{
	if (error != -ECANCELED)
		atomic_fetch_add(&f.failures[*item % N], 1);
}

static void begin(int from, int to)
{
	memset(&f, 0, sizeof(f));
	f.range = (struct range){ from, to + 1 };
	for (int i = 0; i < N; i++)
		no_demand(&f.gate[i]);
}

static void start_with(enum leat_stage_mode mode, int workers, enum leat_on_error on_error,
		       uint64_t (*key)(const int *), size_t live)
{
	leat_flow(int) a, b;

	CHECK_EQ(leat_pipeline_make(&f.p, .live = live), 0);
	leat_pipeline_source(f.p, &a, &f.range, count, .name = "source");
	leat_pipeline_map_with(f.p, a, &b, &f, await, .name = "mapAsync", .mode = mode,
			       .workers = workers, .on_error = on_error,
			       .window = mode == LEAT_STAGE_ORDERED ? live : 0,
			       .key = mode == LEAT_STAGE_KEYED ? LEAT_STAGE_KEY(int, key) : NULL,
			       .failed = LEAT_STAGE_FAILED(int, count_failure));
	leat_pipeline_sink_with(f.p, b, &f.notes, note, .name = "sink", SERIAL);
	CHECK_EQ(leat_pipeline_start(f.p), 0);
}

static void start(enum leat_stage_mode mode, int workers, enum leat_on_error on_error)
{
	start_with(mode, workers, on_error, own_key, (size_t)workers);
}

static void open_gate(int i)
{
	leat_sem_release(&f.gate[i], 1);
}

static void finish(int r)
{
	end_pipeline(f.p, r, &f.ledger);
}

/* "produce future elements": two are asked for, then the third, and the end needs no request. */
TEST_SIM(map_async_produces, 20)
{
	FOR_EACH_MODE(mode) {
		begin(1, 3);
		no_demand(&f.demand);
		f.notes.demand = &f.demand;
		start(mode, PARALLELISM, LEAT_ERROR_STOP);
		leat_sem_release(&f.demand, 2);
		test_settle();
		CHECK_EQ(f.notes.n, 2);
		leat_sem_release(&f.demand, 2);
		finish(0);
		check_all(&f.notes, 1, 3);
		CHECK(mode != LEAT_STAGE_ORDERED || is_sorted(&f.notes));
	}
}

/* "produce future elements in order", "in order of ingestion regardless of future completion" */
LEAT_TASK(complete_at_random, (int, first), (int, last))
{
	int left[N], n = 0;

	for (int i = first; i <= last; i++)
		left[n++] = i;
	while (n > 0) {
		int i = (int)leat_random((uint64_t)n);

		open_gate(left[i]);
		left[i] = left[--n];
		leat_yield();
	}
}

TEST_BOTH(map_async_in_order, 50)
{
	begin(0, N - 1);
	f.waits = true;
	start_with(LEAT_STAGE_ORDERED, 25, LEAT_ERROR_STOP, NULL, N);
	CHECK_EQ(leat_go(complete_at_random, 0, N - 1), 0);
	finish(0);
	check_in_order(&f.notes, 0, N);
}

static uint64_t modulo_7(const int *item)
{
	return (uint64_t)(*item % 7);
}

/* A keyed stage keeps the order of each key, and hands on what is done. */
TEST_BOTH(map_async_partitioned_in_order_of_keys, 50)
{
	int last[7] = { -1, -1, -1, -1, -1, -1, -1 };

	begin(0, N - 1);
	f.waits = true;
	start_with(LEAT_STAGE_KEYED, 25, LEAT_ERROR_STOP, modulo_7, N);
	CHECK_EQ(leat_go(complete_at_random, 0, N - 1), 0);
	finish(0);
	check_all(&f.notes, 0, N);
	for (int i = 0; i < f.notes.n; i++) {
		CHECK(f.notes.item[i] > last[f.notes.item[i] % 7]);
		last[f.notes.item[i] % 7] = f.notes.item[i];
	}
	CHECK(f.at_work.most <= 7);
}

/* MapAsyncUnordered: "in the order they are ready" */
TEST_SIM(map_async_unordered_as_they_are_ready, 20)
{
	static const int ready[] = { 2, 4, 3, 1 };

	begin(1, 4);
	f.waits = true;
	start(LEAT_STAGE_PARALLEL, PARALLELISM, LEAT_ERROR_STOP);
	for (int i = 0; i < 4; i++) {
		test_settle();
		CHECK_EQ(f.notes.n, i);
		open_gate(ready[i]);
	}
	finish(0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(f.notes.item[i], ready[i]);
}

/* "not run more futures than requested parallelism": as many as live, and one more for each. */
TEST_SIM(map_async_parallelism_and_demand, 20)
{
	FOR_EACH_MODE(mode) {
		begin(1, 20);
		no_demand(&f.demand);
		f.notes.demand = &f.demand;
		start(mode, 8, LEAT_ERROR_STOP);
		test_settle();
		CHECK_EQ(f.begun, 8);
		leat_sem_release(&f.demand, 1);
		test_settle();
		CHECK_EQ(f.begun, 9);
		leat_sem_release(&f.demand, 2);
		test_settle();
		CHECK_EQ(f.begun, 11);
		leat_sem_release(&f.demand, 10);
		test_settle();
		CHECK_EQ(f.begun, 20);
		CHECK_EQ(f.notes.n, 13);
		leat_sem_release(&f.demand, 10);
		finish(0);
		check_all(&f.notes, 1, 20);
	}
}

/* "not run more futures than configured", of 10,000 with a parallelism of 8 */
static int short_future(struct futures *fs, int *in, int *ret_out)
{
	gauge_enter(&fs->at_work);
	leat_sleep((int64_t)leat_random(10) * LEAT_US);
	gauge_leave(&fs->at_work);
	*ret_out = *in;
	return 0;
}

static int sum_up(long *sum, int *in)
{
	*sum += *in;
	return 0;
}

TEST_BOTH(map_async_parallelism_of_many, 1)
{
	int n = test_slow() ? 1000 : 10000;

	FOR_EACH_MODE(mode) {
		bool ordered = mode == LEAT_STAGE_ORDERED, keyed = mode == LEAT_STAGE_KEYED;
		leat_flow(int) a, b;
		long sum = 0;

		begin(1, n);
		CHECK_EQ(leat_pipeline_make(&f.p, .live = 16), 0);
		leat_pipeline_source(f.p, &a, &f.range, count, .name = "source");
		leat_pipeline_map_with(f.p, a, &b, &f, short_future, .name = "mapAsync",
				       .mode = mode, .workers = 8, .on_error = LEAT_ERROR_STOP,
				       .window = ordered ? 16 : 0,
				       .key = keyed ? LEAT_STAGE_KEY(int, own_key) : NULL);
		leat_pipeline_sink_with(f.p, b, &sum, sum_up, .name = "sink", SERIAL);
		run_pipeline(f.p, 0, &f.ledger);
		CHECK_EQ(sum, (long)n * (n + 1) / 2);
		CHECK(f.at_work.most > 1 && f.at_work.most <= 8);
	}
}

/* "signal future (already) failed", "signal error from mapAsync": though all others wait. */
TEST_BOTH(map_async_signals_a_failure, 30)
{
	FOR_EACH_MODE(mode) {
		begin(1, 5);
		f.waits = true;
		f.result[3] = -EIO;
		open_gate(3);
		start(mode, PARALLELISM, LEAT_ERROR_STOP);
		finish(-EIO);
		CHECK_EQ(f.notes.n, 0);
		CHECK_EQ(f.ledger.failed, 1);
		CHECK_EQ(f.failures[3], 1);
	}
}

/* "signal future failure asap": a slow source does not hold it up. */
static int slow_source(struct range *range, int *ret_n)
{
	if (range->next > 1 && leat_sleep(LEAT_FOREVER) < 0)
		return -ECANCELED;
	return count(range, ret_n);
}

static int first_fails(int *in, int *ret_out)
{
	*ret_out = *in;
	return *in == 1 ? -EIO : 0;
}

TEST_BOTH(map_async_failure_asap, 30)
{
	leat_flow(int) a, b;

	begin(1, 5);
	CHECK_EQ(leat_pipeline_make(&f.p, .live = 8), 0);
	leat_pipeline_source(f.p, &a, &f.range, slow_source, .name = "source");
	leat_pipeline_map(f.p, a, &b, first_fails, .name = "mapAsync", ORDERED(4, 8));
	leat_pipeline_sink_with(f.p, b, &f.notes, note, .name = "sink", SERIAL);
	run_pipeline(f.p, -EIO, &f.ledger);
	CHECK_EQ(f.ledger.in, 1);
}

/* "a failure mid-stream MUST cause a failure ASAP": nothing from behind it is ever seen. */
TEST_BOTH(map_async_failure_midstream, 50)
{
	begin(0, 5);
	f.waits = true;
	f.result[2] = -EIO;
	start_with(LEAT_STAGE_ORDERED, 5, LEAT_ERROR_STOP, NULL, 6);
	CHECK_EQ(leat_go(complete_at_random, 0, 5), 0);
	finish(-EIO);
	CHECK(f.notes.n <= 2 && is_sorted(&f.notes));
	for (int i = 0; i < f.notes.n; i++)
		CHECK_EQ(f.notes.item[i], i);
}

/* "must skip element with resume strategy", "resume after future failure", "finish after ..." */
static void resume(enum leat_stage_mode mode, int from, int to, int bad, int error)
{
	begin(from, to);
	f.waits = true;
	for (int i = from; i <= to; i++)
		if (i % bad == 0)
			f.result[i] = error;
	start_with(mode, 5, LEAT_ERROR_COUNT, own_key, 6);
	CHECK_EQ(leat_go(complete_at_random, from, to), 0);
	finish(0);
	for (int i = from, k = 0; i <= to; i++) {
		if (mode == LEAT_STAGE_ORDERED && i % bad != 0)
			CHECK_EQ(f.notes.item[k++], i);
		/* "not invoke the decider twice" */
		CHECK_EQ(f.failures[i], error < 0 && i % bad == 0);
	}
	CHECK_EQ(f.notes.n, to / bad * (bad - 1) + to % bad - (from - 1));
}

TEST_BOTH(map_async_resumes, 30)
{
	FOR_EACH_MODE(mode) {
		resume(mode, 1, 6, 3, -EIO);
		resume(mode, 1, 3, 3, -EIO); /* the last one */
		resume(mode, 1, 40, 2, -EIO);
	}
}

/* "resume after multiple failures": five, then one that is good. */
TEST_BOTH(map_async_resumes_after_many, 30)
{
	FOR_EACH_MODE(mode) {
		begin(1, 6);
		for (int i = 1; i < 6; i++)
			f.result[i] = -EIO;
		start(mode, 2, LEAT_ERROR_COUNT);
		finish(0);
		check_all(&f.notes, 6, 1);
		CHECK_EQ(f.ledger.failed, 5);
	}
}

/* "ignore element when future is completed with null", and sequences of it */
TEST_BOTH(map_async_ignores_null, 30)
{
	FOR_EACH_MODE(mode) {
		resume(mode, 1, 6, 3, LEAT_SKIP);
		CHECK_EQ(f.ledger.dropped[LEAT_DROPPED_FILTERED], 2);
		resume(mode, 1, 3, 3, LEAT_SKIP);
	}
}

TEST_BOTH(map_async_of_nulls_only, 30)
{
	FOR_EACH_MODE(mode) {
		begin(0, N - 1);
		for (int i = 0; i < N; i++)
			f.result[i] = LEAT_SKIP;
		start(mode, 3, LEAT_ERROR_STOP);
		finish(0);
		CHECK_EQ(f.notes.n, 0);
		CHECK_EQ(f.ledger.dropped[LEAT_DROPPED_FILTERED], N);
	}
}

/* "complete stage if future with null result is completed last" */
TEST_SIM(map_async_null_comes_last, 20)
{
	FOR_EACH_MODE(mode) {
		begin(0, 2);
		f.waits = true;
		f.result[0] = LEAT_SKIP;
		start(mode, 3, LEAT_ERROR_STOP);
		open_gate(1);
		open_gate(2);
		test_settle();
		CHECK_EQ(f.notes.n, mode == LEAT_STAGE_ORDERED ? 0 : 2);
		open_gate(0);
		finish(0);
		check_all(&f.notes, 1, 2);
	}
}

/* "complete without requiring further demand", parallelism 1 and 2 */
TEST_SIM(map_async_completes_without_demand, 20)
{
	FOR_EACH_MODE(mode)
		for (int n = 1; n <= 2; n++) {
			begin(1, n);
			no_demand(&f.demand);
			f.notes.demand = &f.demand;
			start(mode, n, LEAT_ERROR_STOP);
			leat_sem_release(&f.demand, n);
			finish(0);
			check_all(&f.notes, 1, n);
		}
}

/* "should handle cancel properly" */
static int enough(struct notes *notes, int *item)
{
	note(notes, item);
	return LEAT_ECLOSED;
}

TEST_BOTH(map_async_handles_cancel, 30)
{
	leat_chan(int) from = leat_chan_make(int, 0);
	leat_flow(int) a, b;
	int r = 0;

	begin(0, 0);
	CHECK_EQ(leat_pipeline_make(&f.p, .live = 4), 0);
	leat_pipeline_from(f.p, &a, from, .name = "source");
	leat_pipeline_map_with(f.p, a, &b, &f, await, .name = "mapAsync", PARALLEL(4));
	leat_pipeline_sink_with(f.p, b, &f.notes, enough, .name = "sink", SERIAL);
	CHECK_EQ(leat_pipeline_start(f.p), 0);
	for (int i = 0; i < 20 && r == 0; i++)
		r = leat_send(from, i);
	CHECK_EQ(r, LEAT_ECLOSED);
	finish(0);
	CHECK_EQ(f.notes.n, 1);
	leat_chan_unref(from);
}

/* MapAsyncPartitioned: "not backpressure when partition slots are busy" */
static uint64_t below_nine(const int *item)
{
	return *item < 9;
}

TEST_SIM(map_async_partitioned_waits_without_backpressure, 20)
{
	begin(0, 10);
	f.waits = true;
	start_with(LEAT_STAGE_KEYED, 10, LEAT_ERROR_STOP, below_nine, 11);
	test_settle();
	CHECK_EQ(f.range.next, 11);	/* all have come in */
	CHECK_EQ(f.begun, 2);		/* 0 and 9 */
	for (int i = 0; i < 9; i++) {
		open_gate(i);
		test_settle();
		CHECK_EQ(f.begun, i < 8 ? i + 3 : 10);
		CHECK_EQ(f.notes.item[i], i);
	}
	open_gate(9);
	open_gate(10);
	finish(0);
	CHECK_EQ(f.at_work.most, 2);
	check_in_order(&f.notes, 0, 11);
}

/* KillSwitch: shutdown and abort. */
struct switched {
	leat_chan(int) from;
	leat_chan(int) to;
	leat_pipeline *p;
};

static void make_switched(struct switched *s, leat_chan(int) from, leat_chan(int) to)
{
	leat_flow(int) a, b;

	s->from = from ? from : leat_chan_make(int, 0);
	s->to = to ? to : leat_chan_make(int, 0);
	CHECK_EQ(leat_pipeline_make(&s->p, .live = 2), 0);
	leat_pipeline_from(s->p, &a, s->from, .name = "source");
	leat_pipeline_map(s->p, a, &b, pass, .name = "flow", SERIAL);
	leat_pipeline_to(s->p, b, s->to, .name = "sink");
}

static void one_item(struct switched *s, int value)
{
	int v = -1;

	CHECK_EQ(leat_send(s->from, value), 0);
	CHECK_EQ(leat_recv(s->to, &v), 0);
	CHECK_EQ(v, value);
}

static void check_ended(struct switched *s, int r)
{
	int v;

	CHECK_EQ(leat_recv_until(s->to, &v, leat_in(LEAT_S)), LEAT_ECLOSED);
	CHECK_EQ(leat_send_until(s->from, 9, leat_in(LEAT_S)), LEAT_ECLOSED);
	end_pipeline(s->p, r, &f.ledger);
	leat_chan_unref(s->from);
	leat_chan_unref(s->to);
}

/* "stop a stream if requested", "fail a stream if requested" */
TEST_SIM(kill_switch_stops, 30)
{
	struct switched s;

	make_switched(&s, NULL, NULL);
	CHECK_EQ(leat_pipeline_start(s.p), 0);
	one_item(&s, 1);
	leat_pipeline_shutdown(s.p);
	check_ended(&s, 0);
}

TEST_SIM(kill_switch_fails, 30)
{
	struct switched s;

	make_switched(&s, NULL, NULL);
	CHECK_EQ(leat_pipeline_start(s.p), 0);
	one_item(&s, 1);
	leat_pipeline_abort(s.p, -EIO);
	check_ended(&s, -EIO);
}

/* "work if used multiple times in a flow": what is in front ends with it, what is behind after it. */
TEST_SIM(kill_switch_twice_in_a_flow, 30)
{
	leat_chan(int) between = leat_chan_make(int, 0);
	struct switched first, second;
	int v = -1;

	make_switched(&first, NULL, leat_chan_ref(between));
	make_switched(&second, between, NULL);
	CHECK_EQ(leat_pipeline_start(first.p), 0);
	CHECK_EQ(leat_pipeline_start(second.p), 0);
	CHECK_EQ(leat_send(first.from, 1), 0);
	CHECK_EQ(leat_recv(second.to, &v), 0);
	CHECK_EQ(v, 1);
	leat_pipeline_abort(first.p, -EIO);
	test_settle();
	CHECK_EQ(leat_send_until(first.from, 2, leat_in(LEAT_S)), LEAT_ECLOSED);
	/* The end is no failure for who receives it. */
	CHECK_EQ(leat_recv_until(second.to, &v, leat_in(LEAT_S)), LEAT_ECLOSED);
	end_pipeline(first.p, -EIO, &f.ledger);
	end_pipeline(second.p, 0, &f.ledger);
	leat_chan_unref(first.from);
	leat_chan_unref(second.to);
	leat_chan_unref(between);
	leat_chan_unref(between);
}

/* "pass through all elements unmodified" */
LEAT_TASK(feed_100, (leat_chan(int), to))
{
	for (int i = 1; i <= 100; i++)
		CHECK_EQ(leat_send(to, i), 0);
	leat_close(to);
}

TEST_BOTH(kill_switch_passes_through, 20)
{
	struct switched s;
	int n = 0;

	make_switched(&s, NULL, NULL);
	CHECK_EQ(leat_pipeline_start(s.p), 0);
	CHECK_EQ(leat_go(feed_100, s.from), 0);
	leat_range(v, s.to)
		CHECK_EQ(v, ++n);
	CHECK_EQ(n, 100);
	/* "should not cause problems if switch is shutdown after Flow completed normally" */
	leat_pipeline_shutdown(s.p);
	check_ended(&s, 0);
}

/* "ignore subsequent aborts and shutdowns" after the one and the other; "after already completed" */
TEST_SIM(kill_switch_ignores_what_comes_later, 30)
{
	struct switched s;

	make_switched(&s, NULL, NULL);
	CHECK_EQ(leat_pipeline_start(s.p), 0);
	one_item(&s, 1);
	leat_pipeline_shutdown(s.p);
	CHECK_EQ(leat_pipeline_wait(s.p), 0);
	leat_pipeline_shutdown(s.p);
	leat_pipeline_abort(s.p, -EIO);
	check_ended(&s, 0);
	make_switched(&s, NULL, NULL);
	CHECK_EQ(leat_pipeline_start(s.p), 0);
	one_item(&s, 1);
	leat_pipeline_abort(s.p, -EIO);
	leat_pipeline_shutdown(s.p);
	leat_pipeline_abort(s.p, -EPERM);
	check_ended(&s, -EIO);
}

/* Different: while a shutdown lets through what is live, an abort ends that, too. */
TEST_SIM(kill_switch_abort_after_shutdown, 30)
{
	struct switched s;

	make_switched(&s, NULL, NULL);
	CHECK_EQ(leat_pipeline_start(s.p), 0);
	CHECK_EQ(leat_send(s.from, 1), 0);
	test_settle();
	leat_pipeline_shutdown(s.p);
	test_settle();
	leat_pipeline_abort(s.p, -EIO); /* nobody receives the 1 */
	check_ended(&s, -EIO);
	CHECK_EQ(f.ledger.cancelled, 1);
}

/* "complete (fail) immediately flows materialized after switch shutdown (failure)" */
TEST_BOTH(kill_switch_before_the_start, 20)
{
	for (int error = 0; error >= -EPERM; error -= EPERM) {
		struct switched s;

		make_switched(&s, NULL, NULL);
		if (error < 0)
			leat_pipeline_abort(s.p, error);
		else
			leat_pipeline_shutdown(s.p);
		CHECK_EQ(leat_pipeline_run(s.p), error);
		check_ended(&s, error);
		CHECK_EQ(f.ledger.in, 0);
	}
}

/* A SharedKillSwitch is a group: it ends the streams below it, and no others. */
LEAT_TASK_ERR(run_switched, (struct switched *, s), (int *, ret))
{
	make_switched(s, NULL, NULL);
	*ret = leat_pipeline_run(s->p);
	return 0;
}

TEST_SIM(kill_switch_shared, 30)
{
	leat_group shared, another;
	struct switched s[3];
	int r[3] = { 1, 1, 1 };

	REQUIRE(leat_group_init(&shared, NULL) == 0);
	REQUIRE(leat_group_init(&another, NULL) == 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(i < 2 ? &shared : &another, run_switched, &s[i], &r[i]), 0);
	test_settle();
	for (int i = 0; i < 3; i++)
		one_item(&s[i], i);
	leat_group_cancel(&shared, 0);
	(void)leat_group_wait(&shared);
	CHECK_EQ(r[0], -ECANCELED);
	CHECK_EQ(r[1], -ECANCELED);
	one_item(&s[2], 7);
	leat_group_cancel(&another, 0);
	(void)leat_group_wait(&another);
	CHECK_EQ(r[2], -ECANCELED);
	for (int i = 0; i < 3; i++)
		check_ended(&s[i], -ECANCELED);
	leat_group_release(&shared);
	leat_group_release(&another);
}

/* "allow using multiple KillSwitch in one graph" */
TEST_SIM(kill_switches_in_one_graph, 30)
{
	struct switched s[2];
	leat_chan(int) in[2], out = leat_chan_make(int, 0);
	leat_group group;
	leat_fan *merge;
	int v;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 2; i++) {
		make_switched(&s[i], NULL, NULL);
		in[i] = s[i].to;
		CHECK_EQ(leat_pipeline_start(s[i].p), 0);
	}
	CHECK_EQ(leat_merge(&merge, &group, in, 2, out, .end = LEAT_FAN_ALL), 0);
	leat_pipeline_shutdown(s[0].p);
	CHECK_EQ(leat_recv_until(out, &v, leat_in(LEAT_S)), -ETIMEDOUT);
	leat_pipeline_shutdown(s[1].p);
	CHECK_EQ(leat_recv_until(out, &v, leat_in(LEAT_S)), LEAT_ECLOSED);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	leat_fan_destroy(merge, NULL);
	check_ended(&s[0], 0);
	check_ended(&s[1], 0);
	leat_chan_unref(out);
}
