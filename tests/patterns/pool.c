/* Worker pools. */
#include "patterns.h"

#include <pthread.h>

#define POOL(...) .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_STOP, __VA_ARGS__

static struct gauge gauge;
static atomic_int done, dropped, inits, finis, failures;
static int order[2000];

static void reset(void)
{
	gauge = (struct gauge){ 0 };
	done = dropped = inits = finis = failures = 0;
	memset(order, 0, sizeof(order));
}

static void count_drop(int *job)
{
	(void)job;
	atomic_fetch_add(&dropped, 1);
}

static int count(int *job)
{
	(void)job;
	atomic_fetch_add(&done, 1);
	return 0;
}

static int square(int *job, long *ret_result)
{
	*ret_result = (long)*job * *job;
	return 0;
}

LEAT_TASK(submit_range, (leat_pool(int), pool), (int, from), (int, to))
{
	for (int i = from; i < to; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	leat_pool_close(pool);
}

TEST_BOTH(results_as_completed, 50)
{
	leat_chan(long) results = leat_chan_make(long, 2);
	leat_pool(int) pool;
	leat_ledger l;
	long sum = 0;

	CHECK_EQ(leat_pool_make_to(&pool, results, square, .workers = 3, .queue = 4,
				   POOL(.order = LEAT_POOL_AS_COMPLETED)), 0);
	CHECK_EQ(leat_go(submit_range, pool, 0, 300), 0);
	leat_range(r, results)
		sum += r;
	CHECK_EQ(sum, 299L * 300 * 599 / 6);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_submit(pool, 1), LEAT_ECLOSED);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.in, 300);
	CHECK_EQ(l.out, 300);
	CHECK(leat_chan_len(results) == 0);
	leat_chan_unref(results);
}

static leat_barrier barrier;

static int meet(int *job)
{
	(void)job;
	gauge_enter(&gauge);
	leat_barrier_wait(&barrier);
	gauge_leave(&gauge);
	return 0;
}

/* As many as there are workers, and no more. */
TEST_BOTH(workers_is_the_limit, 50)
{
	leat_pool(int) pool;

	reset();
	leat_barrier_init(&barrier, 3);
	CHECK_EQ(leat_pool_make(&pool, meet, .workers = 3, .queue = 100, POOL()), 0);
	for (int i = 0; i < 30; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(gauge.most, 3);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
}

static leat_sem gate;

/* Holds its worker until the gate is opened. */
static int wait_at_gate(int *job)
{
	if (*job < 0)
		return leat_sem_acquire(&gate, 1);
	order[atomic_fetch_add(&done, 1)] = *job;
	return 0;
}

/* A pool with one worker, which waits at the gate, and a queue of two that is full: 1, 2. */
static void make_full(leat_pool(int) *pool, enum leat_overflow overflow)
{
	reset();
	leat_sem_init(&gate, 1, 0);
	CHECK_EQ(leat_sem_acquire(&gate, 1), 0);
	REQUIRE(leat_pool_make(pool, wait_at_gate, .workers = 1, .queue = 2,
			       .overflow = overflow, .on_error = LEAT_ERROR_STOP,
			       .drop = LEAT_POOL_DROP(int, count_drop)) == 0);
	CHECK_EQ(leat_pool_submit(*pool, -1), 0);
	test_settle();
	CHECK_EQ(leat_pool_try_submit(*pool, 1), 0);
	CHECK_EQ(leat_pool_try_submit(*pool, 2), 0);
	CHECK_EQ(leat_pool_try_submit(*pool, 3), -EAGAIN);
	CHECK_EQ(leat_pool_submit_until(*pool, 3, leat_in(LEAT_MS)), -ETIMEDOUT);
}

static void finish(leat_pool(int) pool, leat_ledger *ret_ledger)
{
	leat_sem_release(&gate, 1);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(ret_ledger)), 0);
	check_at_rest(ret_ledger);
}

LEAT_TASK(submit_one, (leat_pool(int), pool), (int, job), (int *, ret))
{
	*ret = leat_pool_submit(pool, job);
}

TEST_SIM(overflow_block, 20)
{
	leat_pool(int) pool;
	leat_group group;
	leat_ledger l;
	int r = 1, cancelled = 1;

	make_full(&pool, LEAT_OVERFLOW_BLOCK);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, submit_one, pool, 4, &cancelled), 0);
	test_settle();
	leat_group_cancel(&group, 0);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
	CHECK_EQ(cancelled, -ECANCELED);
	CHECK_EQ(leat_go(submit_one, pool, 3, &r), 0);
	test_settle();
	CHECK_EQ(r, 1); /* waits */
	leat_sem_release(&gate, 1);
	test_settle();
	CHECK_EQ(r, 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.out, 4);
	CHECK_EQ(order[0] * 100 + order[1] * 10 + order[2], 123);
}

TEST_SIM(overflow_reject, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	make_full(&pool, LEAT_OVERFLOW_REJECT);
	CHECK_EQ(leat_pool_submit(pool, 3), -EAGAIN);
	finish(pool, &l);
	CHECK_EQ(l.in, 3);
	CHECK_EQ(l.out, 3);
	CHECK_EQ(dropped, 0);
}

TEST_SIM(overflow_caller_runs, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	make_full(&pool, LEAT_OVERFLOW_CALLER_RUNS);
	CHECK_EQ(leat_pool_submit(pool, 3), 0);
	CHECK_EQ(done, 1);
	CHECK_EQ(order[0], 3);
	finish(pool, &l);
	CHECK_EQ(l.in, 4);
	CHECK_EQ(l.out, 4);
}

/* 0 and 1 are quick; the next waits at the gate. */
static int third_waits(int *job, long *ret_result)
{
	*ret_result = *job;
	return *job < 2 ? leat_sleep(LEAT_MS) : leat_sem_acquire(&gate, 1);
}

/* What a caller does is waited for as what workers do. */
TEST_SIM(drain_while_a_caller_runs, 20)
{
	leat_chan(long) results = leat_chan_make(long, 4);
	leat_pool(int) pool;
	leat_ledger l;
	long sum = 0;
	int r = 1;

	leat_sem_init(&gate, 1, 0);
	CHECK_EQ(leat_sem_acquire(&gate, 1), 0);
	CHECK_EQ(leat_pool_make_to(&pool, results, third_waits, .workers = 1, .queue = 1,
				   .overflow = LEAT_OVERFLOW_CALLER_RUNS,
				   .on_error = LEAT_ERROR_STOP,
				   .order = LEAT_POOL_AS_COMPLETED), 0);
	CHECK_EQ(leat_pool_submit(pool, 0), 0);
	CHECK_EQ(leat_sleep(100 * LEAT_US), 0);
	CHECK_EQ(leat_pool_submit(pool, 1), 0);
	CHECK_EQ(leat_go(submit_one, pool, 2, &r), 0);
	CHECK_EQ(leat_sleep(100 * LEAT_US), 0);
	CHECK_EQ(leat_pool_drain(pool, leat_in(LEAT_S)), -ETIMEDOUT);
	CHECK_EQ(r, 1);
	leat_sem_release(&gate, 1);
	leat_range(result, results)
		sum += result;
	CHECK_EQ(sum, 0 + 1 + 2);
	test_settle();
	CHECK_EQ(r, 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.out, 3);
	leat_chan_unref(results);
}

/* Waits for ever, unless cancelled; 0 is quick. */
static int wait_for_cancel(int *job)
{
	int r = *job == 0 ? 0 : leat_sleep_until(LEAT_FOREVER);

	order[*job] = r;
	return r;
}

/* What a caller does is cancelled by the pool, as what workers do, and with the caller. */
static void cancel_caller(bool by_pool)
{
	leat_pool(int) pool;
	leat_group group;
	leat_ledger l;
	int r = 1;

	reset();
	leat_group_init(&group, NULL);
	CHECK_EQ(leat_pool_make(&pool, wait_for_cancel, .workers = 1, .queue = 1,
				.overflow = LEAT_OVERFLOW_CALLER_RUNS,
				.on_error = LEAT_ERROR_COUNT), 0);
	CHECK_EQ(leat_pool_submit(pool, 1), 0);
	test_settle();
	CHECK_EQ(leat_pool_submit(pool, 0), 0);
	CHECK_EQ(leat_go_in(&group, submit_one, pool, 2, &r), 0);
	test_settle();
	CHECK_EQ(r, 1);
	if (by_pool)
		leat_pool_abort(pool, -EPERM);
	else
		leat_group_cancel(&group, 0);
	test_settle();
	CHECK_EQ(r, 0);
	CHECK_EQ(order[1], by_pool ? -ECANCELED : 0);
	CHECK_EQ(order[2], -ECANCELED);
	leat_group_wait(&group);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), by_pool ? -EPERM : -ECANCELED);
	check_at_rest(&l);
	CHECK_EQ(l.failed, !by_pool);
	CHECK_EQ(l.cancelled, 3 - !by_pool);
	leat_group_release(&group);
}

TEST_SIM(callers_are_cancelled, 20)
{
	cancel_caller(true);
	cancel_caller(false);
}

/* Nobody begins a job while the pool is paused. */
TEST_SIM(callers_do_not_run_while_paused, 20)
{
	leat_pool(int) pool;
	leat_ledger l;
	int r = 1;

	make_full(&pool, LEAT_OVERFLOW_CALLER_RUNS);
	CHECK_EQ(leat_pool_pause(pool, INT64_MIN), -ETIMEDOUT);
	CHECK_EQ(leat_go(submit_one, pool, 3, &r), 0);
	test_settle();
	CHECK_EQ(done, 0);
	CHECK_EQ(r, 1);
	leat_pool_resume(pool);
	leat_sem_release(&gate, 1);
	test_settle();
	CHECK_EQ(r, 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.in, 4);
}

/* Who pauses the pool waits for what callers do. */
TEST_SIM(pause_waits_for_callers, 20)
{
	leat_pool(int) pool;
	int r = 1;

	make_full(&pool, LEAT_OVERFLOW_CALLER_RUNS);
	CHECK_EQ(leat_go(submit_one, pool, -1, &r), 0);
	test_settle();
	leat_sem_release(&gate, 1); /* the worker's */
	test_settle();
	CHECK_EQ(done, 2);
	CHECK_EQ(leat_pool_pause(pool, leat_in(LEAT_MS)), -ETIMEDOUT);
	CHECK_EQ(r, 1);
	leat_sem_release(&gate, 1);
	CHECK_EQ(leat_pool_pause(pool, LEAT_FOREVER), 0);
	test_settle();
	CHECK_EQ(r, 0);
	leat_pool_resume(pool);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
}

TEST_SIM(overflow_drop_oldest, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	make_full(&pool, LEAT_OVERFLOW_DROP_OLDEST);
	CHECK_EQ(leat_pool_submit(pool, 3), 0);
	CHECK_EQ(dropped, 1);
	finish(pool, &l);
	CHECK_EQ(l.in, 4);
	CHECK_EQ(l.out, 3);
	CHECK_EQ(l.dropped[LEAT_DROPPED_OLDEST], 1);
	CHECK_EQ(order[0] * 10 + order[1], 23);
}

TEST_SIM(overflow_drop_newest, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	make_full(&pool, LEAT_OVERFLOW_DROP_NEWEST);
	CHECK_EQ(leat_pool_submit(pool, 3), 0);
	CHECK_EQ(dropped, 1);
	finish(pool, &l);
	CHECK_EQ(l.in, 4);
	CHECK_EQ(l.out, 3);
	CHECK_EQ(l.dropped[LEAT_DROPPED_NEWEST], 1);
	CHECK_EQ(order[0] * 10 + order[1], 12);
}

static int fail_at_five(int *job)
{
	if (*job == 5)
		return -EIO;
	if (*job > 5)
		return leat_sleep(LEAT_S);
	atomic_fetch_add(&done, 1);
	return 0;
}

static void count_failed(int *job, int error)
{
	CHECK_EQ(*job, 5);
	CHECK_EQ(error, -EIO);
	atomic_fetch_add(&failures, 1);
}

TEST_BOTH(error_stops, 50)
{
	leat_pool(int) pool;
	leat_ledger l;
	int accepted = 0;

	reset();
	CHECK_EQ(leat_pool_make(&pool, fail_at_five, .workers = 2, .queue = 10,
				POOL(.drop = LEAT_POOL_DROP(int, count_drop))), 0);
	for (int i = 0; i < 100; i++)
		accepted += leat_pool_submit(pool, i) == 0;
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), -EIO);
	CHECK_EQ(leat_pool_submit(pool, 1), LEAT_ECLOSED);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), -EIO);
	check_at_rest(&l);
	CHECK_EQ(l.in, accepted);
	CHECK_EQ(l.out, done);
	CHECK_EQ(l.failed, 1);
	/* Jobs that were ended by -ECANCELED are counted with those that were not begun. */
	CHECK(l.cancelled >= (uint64_t)dropped && l.cancelled <= (uint64_t)dropped + 2);
}

TEST_BOTH(error_counts, 50)
{
	leat_pool(int) pool;
	leat_ledger l;

	reset();
	CHECK_EQ(leat_pool_make(&pool, fail_at_five, .workers = 2, .queue = 10,
				.overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_COUNT,
				.failed = LEAT_POOL_FAILED(int, count_failed)), 0);
	for (int i = 0; i < 7; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(failures, 1);
	CHECK_EQ(l.failed, 1);
	CHECK_EQ(l.out, 6);
}

/* Takes a time from the seed; every seventh fails. */
static int slow_square(int *job, long *ret_result)
{
	gauge_enter(&gauge);
	leat_sleep((int64_t)leat_random(100) * LEAT_US);
	gauge_leave(&gauge);
	if (*job % 7 == 6)
		return -EIO;
	*ret_result = *job;
	return 0;
}

TEST_BOTH(results_as_submitted, 100)
{
	leat_chan(long) results = leat_chan_make(long, 1);
	leat_pool(int) pool;
	leat_ledger l;
	int expected = 0;

	reset();
	CHECK_EQ(leat_pool_make_to(&pool, results, slow_square, .workers = 4, .queue = 8,
				   .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_COUNT,
				   .order = LEAT_POOL_AS_SUBMITTED, .window = 5), 0);
	CHECK_EQ(leat_go(submit_range, pool, 0, 100), 0);
	leat_range(r, results) {
		expected += expected % 7 == 6;
		CHECK_EQ(r, expected);
		expected++;
	}
	CHECK_EQ(expected, 100);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.failed, 14);
	CHECK_EQ(l.out, 86);
	leat_chan_unref(results);
}

static int first_waits(int *job, long *ret_result)
{
	*ret_result = *job;
	if (*job == 0)
		return leat_sem_acquire(&gate, 1);
	atomic_fetch_add(&done, 1);
	return 0;
}

/* A result waits in the window, not in its worker; and only as many as have room there. */
TEST_SIM(window_holds_the_results, 20)
{
	leat_chan(long) results = leat_chan_make(long, 20);
	leat_pool(int) pool;

	reset();
	leat_sem_init(&gate, 1, 0);
	CHECK_EQ(leat_sem_acquire(&gate, 1), 0);
	CHECK_EQ(leat_pool_make_to(&pool, results, first_waits, .workers = 2, .queue = 20,
				   POOL(.order = LEAT_POOL_AS_SUBMITTED, .window = 6)), 0);
	for (int i = 0; i < 12; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	test_settle();
	CHECK_EQ(done, 6); /* five that are in the window with the first, one waits for room */
	CHECK_EQ(leat_chan_len(results), 0);
	leat_sem_release(&gate, 1);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_chan_len(results), 12);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
	leat_chan_unref(results);
}

enum { KEYS = 4 };

static uint64_t key_of(const int *job)
{
	return (uint64_t)(*job % KEYS);
}

static struct gauge of_key[KEYS];
static atomic_int last_of_key[KEYS];

static int work_on_key(int *job)
{
	int key = *job % KEYS;

	gauge_enter(&gauge);
	gauge_enter(&of_key[key]);
	CHECK_EQ(last_of_key[key], *job - KEYS); /* none before its turn */
	leat_sleep((int64_t)leat_random(50) * LEAT_US);
	last_of_key[key] = *job;
	gauge_leave(&of_key[key]);
	gauge_leave(&gauge);
	return 0;
}

TEST_BOTH(one_key_after_the_other, 100)
{
	leat_pool(int) pool;
	leat_ledger l;

	reset();
	for (int i = 0; i < KEYS; i++) {
		of_key[i] = (struct gauge){ 0 };
		last_of_key[i] = i - KEYS;
	}
	CHECK_EQ(leat_pool_make(&pool, work_on_key, .workers = 3, .queue = 10,
				POOL(.order = LEAT_POOL_PER_KEY,
				     .key = LEAT_POOL_KEY(int, key_of))), 0);
	for (int i = 0; i < 120; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.out, 120);
	CHECK(gauge.most >= 2);
	for (int i = 0; i < KEYS; i++)
		CHECK_EQ(of_key[i].most, 1);
}

TEST_SIM(priorities, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	reset();
	leat_sem_init(&gate, 1, 0);
	CHECK_EQ(leat_sem_acquire(&gate, 1), 0);
	CHECK_EQ(leat_pool_make(&pool, wait_at_gate, .workers = 1, .queue = 4,
				POOL(.priorities = 3)), 0);
	CHECK_EQ(leat_pool_submit(pool, -1), 0);
	test_settle();
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(leat_pool_submit_at(pool, 2, 20 + i), 0);
		CHECK_EQ(leat_pool_submit_at(pool, 0, i), 0);
		CHECK_EQ(leat_pool_submit_at(pool, 1, 10 + i), 0);
	}
	finish(pool, &l);
	for (int i = 0; i < 12; i++)
		CHECK_EQ(order[i], i / 4 * 10 + i % 4);
}

LEAT_TASK(submit_in_an_hour, (leat_pool(int), pool), (int, job), (int *, ret))
{
	*ret = leat_pool_submit_at_until(pool, 1, job, leat_in(3600 * LEAT_S));
}

/* Each priority has a queue of its own, of which who waits has to wait for a place. */
TEST_SIM(priorities_with_a_deadline, 20)
{
	leat_group group;
	leat_pool(int) pool;
	leat_ledger l;
	int r = 1;

	reset();
	leat_sem_init(&gate, 1, 0);
	CHECK_EQ(leat_sem_acquire(&gate, 1), 0);
	CHECK_EQ(leat_pool_make(&pool, wait_at_gate, .workers = 1, .queue = 1,
				POOL(.priorities = 3)), 0);
	CHECK_EQ(leat_pool_submit(pool, -1), 0);
	test_settle();
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	CHECK_EQ(leat_pool_submit_at_until(pool, 2, 4, leat_in(LEAT_MS)), 0);
	CHECK_EQ(leat_pool_submit_at_until(pool, 1, 2, leat_in(LEAT_MS)), 0);
	CHECK_EQ(leat_pool_submit_at_until(pool, 1, 9, leat_in(LEAT_MS)), -ETIMEDOUT);
	CHECK_EQ(leat_pool_submit_at_until(pool, 1, 9, INT64_MIN), -EAGAIN);
	CHECK_EQ(leat_go_in(&group, submit_in_an_hour, pool, 3, &r), 0);
	CHECK_EQ(leat_pool_submit_until(pool, 1, leat_in(LEAT_MS)), 0);
	CHECK_EQ(leat_pool_try_submit(pool, 9), -EAGAIN);
	test_settle();
	CHECK_EQ(r, 1);
	leat_sem_release(&gate, 1);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(r, 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(done, 4);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(order[i], i + 1);
}

static uint64_t last_task;

static int count_tasks(int *job, long *ret_result)
{
	*ret_result = *job;
	done += leat_task_id() != last_task;
	last_task = leat_task_id();
	return 0;
}

/* A worker that has nothing to do lets others submit before its task ends. */
TEST_WITH(one_job_after_the_other_is_no_new_task, .workers = 1)
{
	leat_chan(long) results = leat_chan_make(long, 1);
	leat_pool(int) pool;
	long result;

	reset();
	CHECK_EQ(leat_pool_make_to(&pool, results, count_tasks, .workers = 1, .queue = 1,
				   POOL(.order = LEAT_POOL_AS_COMPLETED)), 0);
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(leat_pool_submit(pool, i), 0);
		CHECK_EQ(leat_recv(results, &result), 0);
	}
	CHECK(done <= 10);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
	leat_chan_unref(results);
}

static leat_pool(int) nested;

/* A job of n makes two of n - 1. */
static int submit_two(int *job)
{
	atomic_fetch_add(&done, 1);
	for (int i = 0; i < 2 && *job > 0; i++) {
		int r = leat_pool_submit(nested, *job - 1);

		if (r < 0)
			return r;
	}
	return 0;
}

/* A worker that submits to its own full pool works instead of waiting, however deep. */
static void submit_nested(int workers, int depth)
{
	int jobs = (2 << depth) - 1;
	leat_ledger l;

	reset();
	CHECK_EQ(leat_pool_make(&nested, submit_two, .workers = workers, .queue = 1, POOL()), 0);
	CHECK_EQ(leat_pool_submit(nested, depth), 0);
	while (done < jobs)
		CHECK_EQ(leat_sleep(LEAT_MS), 0);
	CHECK_EQ(leat_pool_drain(nested, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(nested, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.out, (uint64_t)jobs);
}

TEST_BOTH(nested_submit, 50)
{
	submit_nested(1, 7);
	submit_nested(2, 4);
	submit_nested(2, 7);
}

static int submit_two_in_a_row(int *job)
{
	int r = 0;

	atomic_fetch_add(&done, 1);
	if (*job > 0)
		r = leat_pool_submit(nested, 0);
	if (*job > 0 && r == 0)
		r = leat_pool_submit(nested, *job - 1);
	return r;
}

/* Of two that it submits, one waits in the queue, and the other is done by the worker at once. */
static void run_nested_jobs(int depth)
{
	leat_ledger l;

	reset();
	CHECK_EQ(leat_pool_make(&nested, submit_two_in_a_row, .workers = 1, .queue = 1,
				.overflow = LEAT_OVERFLOW_CALLER_RUNS,
				.on_error = LEAT_ERROR_STOP), 0);
	CHECK_EQ(leat_pool_submit(nested, depth), 0);
	while (done < 2 * depth + 1)
		CHECK_EQ(leat_sleep(LEAT_MS), 0);
	CHECK_EQ(leat_pool_drain(nested, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(nested, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.out, 2 * (uint64_t)depth + 1);
}

TEST_BOTH(callers_run_nested_jobs, 20)
{
	run_nested_jobs(7);
	run_nested_jobs(9);
	run_nested_jobs(300);
}

/* A job of the pool that waits at the gate, and one in the queue; all others are the caller's. */
static int nest_in_caller(int *job)
{
	if (*job < 0)
		return leat_sem_acquire(&gate, 1);
	atomic_fetch_add(&done, 1);
	return *job > 0 ? leat_pool_submit(nested, *job - 1) : 0;
}

TEST_SIM(a_caller_runs_nested_jobs, 20)
{
	leat_ledger l;

	reset();
	leat_sem_init(&gate, 2, 0);
	CHECK_EQ(leat_sem_acquire(&gate, 2), 0);
	CHECK_EQ(leat_pool_make(&nested, nest_in_caller, .workers = 1, .queue = 1,
				.overflow = LEAT_OVERFLOW_CALLER_RUNS,
				.on_error = LEAT_ERROR_STOP), 0);
	CHECK_EQ(leat_pool_submit(nested, -1), 0);
	test_settle();
	CHECK_EQ(leat_pool_submit(nested, -1), 0);
	CHECK_EQ(leat_pool_submit(nested, 300), 0);
	CHECK_EQ(done, 301);
	leat_sem_release(&gate, 2);
	CHECK_EQ(leat_pool_drain(nested, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(nested, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.out, 303);
}

struct ask {
	int n;
	leat_sender(int) reply;
};

static leat_pool(struct ask) asked;

/* Sums 1 to n by jobs that wait for jobs of the same pool. */
static int sum_up(struct ask *ask)
{
	leat_chan(int) reply;
	int below = 0, r = 0;

	if (ask->n > 0) {
		reply = leat_oneshot(int);
		r = leat_pool_submit(asked, ((struct ask){ ask->n - 1, leat_to_sender(reply) }));
		if (r == 0)
			r = leat_pool_recv(asked, reply, &below, LEAT_FOREVER);
		leat_chan_unref(reply);
	}
	if (r == 0)
		CHECK_EQ(leat_send(ask->reply, ask->n + below), 0);
	return r;
}

static void ask(int workers, int n)
{
	leat_chan(int) reply = leat_oneshot(int);
	leat_ledger l;
	int sum = 0;

	CHECK_EQ(leat_pool_make(&asked, sum_up, .workers = workers, .queue = 1, POOL()), 0);
	CHECK_EQ(leat_pool_submit(asked, ((struct ask){ n, leat_to_sender(reply) })), 0);
	CHECK_EQ(leat_pool_recv(asked, reply, &sum, LEAT_FOREVER), 0);
	CHECK_EQ(sum, n * (n + 1) / 2);
	CHECK_EQ(leat_pool_drain(asked, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(asked, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.out, (uint64_t)n + 1);
	leat_chan_unref(reply);
}

TEST_BOTH(wait_for_own_pool, 50)
{
	for (int workers = 1; workers <= 2; workers++) {
		ask(workers, 7);
		ask(workers, 9);
		ask(workers, 300);
	}
}

/* The job 1 waits for 2, which comes after 3, which is more urgent. */
static int wait_for_less_urgent(struct ask *ask)
{
	leat_chan(int) reply;
	int below = 0;

	if (ask->n != 1) {
		order[done++] = ask->n;
		return ask->n == 2 ? leat_send(ask->reply, ask->n) : 0;
	}
	reply = leat_oneshot(int);
	CHECK_EQ(leat_pool_submit_at(asked, 1, ((struct ask){ 2, leat_to_sender(reply) })), 0);
	CHECK_EQ(leat_pool_submit_at(asked, 0, ((struct ask){ .n = 3 })), 0);
	CHECK_EQ(leat_pool_recv(asked, reply, &below, LEAT_FOREVER), 0);
	leat_chan_unref(reply);
	return 0;
}

TEST_SIM(urgent_jobs_first_while_one_waits, 20)
{
	reset();
	CHECK_EQ(leat_pool_make(&asked, wait_for_less_urgent, .workers = 1, .queue = 1,
				POOL(.priorities = 2)), 0);
	CHECK_EQ(leat_pool_submit(asked, ((struct ask){ .n = 1 })), 0);
	test_settle();
	CHECK_EQ(leat_pool_drain(asked, LEAT_FOREVER), 0);
	CHECK_EQ(order[0] * 10 + order[1], 32);
	CHECK_EQ(leat_pool_destroy(asked, NULL), 0);
}

/* A job of 10 ms; but the first, which has 1 ms to submit to the queue, which others fill. */
static int submit_in_time(int *job)
{
	int64_t begin = leat_now();
	int r;

	if (*job > 0)
		return leat_sleep(10 * LEAT_MS);
	r = leat_pool_submit_until(nested, 1, begin + LEAT_MS);
	CHECK(r == 0 || r == -ETIMEDOUT);
	CHECK(leat_now() - begin < 12 * LEAT_MS);
	return 0;
}

/* The same, but it waits for what never comes. */
static int recv_in_time(int *job, long *ret_result)
{
	int64_t begin = leat_now();
	leat_chan(int) never;
	int v;

	*ret_result = *job;
	if (*job > 0)
		return leat_sleep(10 * LEAT_MS);
	never = leat_chan_make(int, 0);
	CHECK_EQ(leat_pool_recv(nested, never, &v, begin + LEAT_MS), -ETIMEDOUT);
	CHECK(leat_now() - begin < 12 * LEAT_MS);
	leat_chan_unref(never);
	return 0;
}

/* A job that is begun meanwhile is done to its end, but no other after the deadline. */
TEST_SIM(deadlines_in_its_own_pool, 10)
{
	leat_ledger l;

	CHECK_EQ(leat_pool_make(&nested, submit_in_time, .workers = 1, .queue = 1, POOL()), 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(leat_pool_submit(nested, i), 0);
	CHECK_EQ(leat_pool_drain(nested, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(nested, ledger_init(&l)), 0);
	check_at_rest(&l);
	for (int how = LEAT_POOL_AS_COMPLETED; how <= LEAT_POOL_AS_SUBMITTED; how++) {
		leat_chan(long) results = leat_chan_make(long, 20);

		CHECK_EQ(leat_pool_make_to(&nested, results, recv_in_time, .workers = 1,
					   .queue = 10, POOL(.order = how,
					   .window = how == LEAT_POOL_AS_SUBMITTED ? 10 : 0)), 0);
		for (int i = 0; i < 10; i++)
			CHECK_EQ(leat_pool_submit(nested, i), 0);
		CHECK_EQ(leat_pool_drain(nested, LEAT_FOREVER), 0);
		CHECK_EQ(leat_pool_destroy(nested, ledger_init(&l)), 0);
		check_at_rest(&l);
		leat_chan_unref(results);
	}
}

static leat_sem closed_now;

/* The job 1 waits for 0, which is of a lower priority, when no more can be submitted. */
static int wait_when_closed(struct ask *ask)
{
	leat_chan(int) reply;
	int below = 0;

	if (ask->n > 0) {
		reply = leat_oneshot(int);
		CHECK_EQ(leat_pool_submit_at(asked, 1,
					     ((struct ask){ 0, leat_to_sender(reply) })), 0);
		CHECK_EQ(leat_sem_acquire(&closed_now, 1), 0);
		CHECK_EQ(leat_pool_recv(asked, reply, &below, LEAT_FOREVER), 0);
		leat_chan_unref(reply);
	}
	return leat_send(ask->reply, ask->n + below);
}

TEST_SIM(wait_for_own_closed_pool, 20)
{
	leat_chan(int) reply = leat_oneshot(int);
	int sum = 0;

	leat_sem_init(&closed_now, 1, 0);
	CHECK_EQ(leat_sem_acquire(&closed_now, 1), 0);
	CHECK_EQ(leat_pool_make(&asked, wait_when_closed, .workers = 1, .queue = 1,
				POOL(.priorities = 2)), 0);
	CHECK_EQ(leat_pool_submit(asked, ((struct ask){ 1, leat_to_sender(reply) })), 0);
	test_settle();
	leat_pool_close(asked);
	leat_sem_release(&closed_now, 1);
	CHECK_EQ(leat_recv(reply, &sum), 0);
	CHECK_EQ(sum, 1);
	CHECK_EQ(leat_pool_destroy(asked, NULL), 0);
	leat_chan_unref(reply);
}

/*
 * In order, and with a window that is smaller than what a worker does while a job of its own waits,
 * by a submit or by a receive, for the last.  Each fourth of the others fails.
 */
enum { MANY = 40 };

static leat_pool(int) in_order;
static leat_chan(int) last_is_done;

static int submit_the_rest(int *job, long *ret_result)
{
	int r = 0, v;

	*ret_result = *job;
	for (int i = 1; i <= MANY && *job == 0 && r == 0; i++)
		r = leat_pool_submit(in_order, i);
	if (*job == 0 && r == 0)
		r = leat_pool_recv(in_order, last_is_done, &v, LEAT_FOREVER);
	if (*job == MANY)
		r = leat_send(last_is_done, 1);
	return *job % 4 == 3 ? -EIO : r;
}

static void wait_in_order(int workers, size_t queue, size_t window)
{
	leat_chan(long) results = leat_chan_make(long, 1);
	leat_ledger l;
	int n = 0;

	last_is_done = leat_oneshot(int);
	CHECK_EQ(leat_pool_make_to(&in_order, results, submit_the_rest, .workers = workers,
				   .queue = queue, .overflow = LEAT_OVERFLOW_BLOCK,
				   .on_error = LEAT_ERROR_COUNT, .order = LEAT_POOL_AS_SUBMITTED,
				   .window = window), 0);
	CHECK_EQ(leat_pool_submit(in_order, 0), 0);
	for (long r; n <= MANY; n++) {
		n += n % 4 == 3;
		CHECK_EQ(leat_recv(results, &r), 0);
		CHECK_EQ(r, n);
	}
	CHECK_EQ(leat_pool_drain(in_order, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(in_order, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.failed, MANY / 4);
	leat_chan_unref(results);
	leat_chan_unref(last_is_done);
}

TEST_BOTH(wait_for_own_pool_in_order, 50)
{
	wait_in_order(1, 1, 1);
	wait_in_order(1, MANY, 3);
	wait_in_order(2, 2, 2);
}

static leat_chan(int) signals;

static int wait_for_a_signal(int *job)
{
	return *job == 0 ? leat_send(signals, 1)
			 : leat_pool_recv(nested, signals, (int *)NULL, LEAT_FOREVER);
}

/* As from any channel, with nowhere to receive into. */
TEST_SIM(signals_of_its_own_pool, 5)
{
	signals = leat_chan_make(int, 1);
	CHECK_EQ(leat_pool_make(&nested, wait_for_a_signal, .workers = 1, .queue = 2, POOL()), 0);
	CHECK_EQ(leat_pool_submit(nested, 1), 0);
	CHECK_EQ(leat_pool_submit(nested, 0), 0);
	CHECK_EQ(leat_pool_drain(nested, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(nested, NULL), 0);
	leat_chan_unref(signals);
}

/* Stopped when it is so deep: each job that waits is told. */
static int wait_deeply(int *job)
{
	leat_chan(int) never;
	int v, r;

	if (*job == 0) {
		leat_pool_abort(nested, -EINTR);
		return 0;
	}
	r = leat_pool_submit(nested, *job - 1);
	if (r < 0)
		return r;
	never = leat_chan_make(int, 0);
	r = leat_pool_recv(nested, never, &v, LEAT_FOREVER);
	leat_chan_unref(never);
	CHECK_EQ(r, -ECANCELED);
	atomic_fetch_add(&done, 1);
	return r;
}

TEST_BOTH(stopped_deep_in_its_own_jobs, 50)
{
	leat_ledger l;

	reset();
	CHECK_EQ(leat_pool_make(&nested, wait_deeply, .workers = 1, .queue = 1, POOL()), 0);
	CHECK_EQ(leat_pool_submit(nested, 30), 0);
	while (done < 30)
		CHECK_EQ(leat_sleep(LEAT_MS), 0);
	CHECK_EQ(leat_pool_drain(nested, LEAT_FOREVER), -EINTR);
	CHECK_EQ(leat_pool_destroy(nested, ledger_init(&l)), -EINTR);
	check_at_rest(&l);
	CHECK_EQ(done, 30);
}

static int nap(int *job)
{
	(void)job;
	gauge_enter(&gauge);
	leat_sleep(LEAT_MS);
	gauge_leave(&gauge);
	atomic_fetch_add(&done, 1);
	return 0;
}

TEST_SIM(pause_and_resume, 20)
{
	leat_pool(int) pool;
	int before;

	reset();
	CHECK_EQ(leat_pool_make(&pool, nap, .workers = 2, .queue = 100, POOL()), 0);
	for (int i = 0; i < 50; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	CHECK_EQ(leat_sleep(LEAT_MS / 2), 0);
	CHECK_EQ(leat_pool_pause(pool, leat_in(LEAT_US)), -ETIMEDOUT); /* they run */
	CHECK_EQ(leat_pool_pause(pool, LEAT_FOREVER), 0);
	CHECK_EQ(gauge.now, 0);
	before = done;
	CHECK(before < 50);
	CHECK_EQ(leat_pool_submit(pool, 50), 0);
	test_settle();
	CHECK_EQ(done, before);
	CHECK_EQ(leat_pool_drain(pool, leat_in(LEAT_MS)), -ETIMEDOUT);
	leat_pool_resume(pool);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(done, 51);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
}

TEST_SIM(resize, 20)
{
	leat_pool(int) pool;

	reset();
	CHECK_EQ(leat_pool_make(&pool, nap, .workers = 2, .queue = 1000, POOL()), 0);
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	CHECK_EQ(leat_sleep(10 * LEAT_MS), 0);
	CHECK_EQ(gauge.most, 2);
	leat_pool_resize(pool, 5);
	CHECK_EQ(leat_sleep(10 * LEAT_MS), 0);
	CHECK_EQ(gauge.most, 5);
	leat_pool_resize(pool, 1);
	CHECK_EQ(leat_sleep(5 * LEAT_MS), 0);
	gauge.most = 0;
	CHECK_EQ(leat_sleep(10 * LEAT_MS), 0);
	CHECK_EQ(gauge.most, 1);
	CHECK(done < 200);
	leat_pool_resize(pool, 100);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(done, 1000);
	CHECK_EQ(gauge.most, 100);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
}

struct state {
	int before;		/* of the template */
	int worker;
	atomic_int uses;
};

static const struct state template = { .before = 7 };

static int make_state(struct state *state, int worker)
{
	CHECK_EQ(state->before, 7);
	state->worker = worker;
	atomic_fetch_add(&inits, 1);
	return 0;
}

static void end_state(struct state *state)
{
	CHECK_EQ(state->before, 7);
	CHECK_EQ(state->uses, 0);
	atomic_fetch_add(&finis, 1);
}

static int use_state(struct state *state, int *job)
{
	(void)job;
	CHECK_EQ(atomic_fetch_add(&state->uses, 1), 0); /* nobody else's */
	leat_sleep(LEAT_MS);
	atomic_fetch_sub(&state->uses, 1);
	return 0;
}

TEST_SIM(state_of_workers, 20)
{
	struct state mine = { .before = 7 };
	leat_pool(int) pool;

	reset();
	CHECK_EQ(leat_pool_make_with(&pool, &mine, make_state, end_state, use_state,
				     .workers = 4, .queue = 100, POOL()), 0);
	mine.before = 8; /* the pool has its own */
	CHECK_EQ(inits, 0);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(inits, 4);
	CHECK_EQ(finis, 0);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
	CHECK_EQ(finis, 4);
}

/* May block, also in a pool that is being stopped. */
static void end_slowly(struct state *state)
{
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	end_state(state);
}

static void submit_many(leat_pool(int) pool, int n)
{
	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
}

/* No more states than workers are kept, and when there may be more, they are made anew. */
TEST_SIM(states_of_a_smaller_pool_end, 50)
{
	leat_pool(int) pool;
	leat_ledger l;

	reset();
	CHECK_EQ(leat_pool_make_with(&pool, &template, make_state, end_slowly, use_state,
				     .workers = 10, .queue = 100, POOL()), 0);
	submit_many(pool, 50);
	CHECK_EQ(leat_sleep(LEAT_S), 0);
	CHECK_EQ(inits, 10);
	leat_pool_resize(pool, 12);
	CHECK_EQ(leat_pool_pause(pool, LEAT_FOREVER), 0);
	leat_pool_resume(pool);
	CHECK_EQ(leat_sleep(LEAT_S), 0);
	CHECK_EQ(finis, 0);
	leat_pool_resize(pool, 2); /* idle ones */
	CHECK_EQ(leat_sleep(20 * LEAT_MS), 0);
	CHECK_EQ(finis, 8);
	submit_many(pool, 20);
	CHECK_EQ(leat_sleep(LEAT_S), 0);
	CHECK_EQ(inits, 10);
	leat_pool_resize(pool, 6);
	submit_many(pool, 40);
	CHECK_EQ(leat_sleep(1500 * LEAT_US), 0);
	CHECK_EQ(inits, 14);
	leat_pool_resize(pool, 1); /* at work */
	CHECK_EQ(leat_sleep(3 * LEAT_MS), 0);
	CHECK_EQ(finis, 13);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	CHECK_EQ(inits, 14);
	CHECK_EQ(finis, 14);
	check_at_rest(&l);
	CHECK_EQ(l.out, 110);
}

LEAT_TASK(resize_often, (leat_pool(int), pool), (int, n))
{
	for (int i = 0; i < n; i++) {
		leat_pool_resize(pool, 1 + i * 7 % 5);
		CHECK_EQ(leat_sleep(i % 3 * 300 * LEAT_US), 0);
	}
}

/* Each state ends once, also if the pool goes meanwhile, or idle workers do. */
TEST_BOTH(states_of_a_pool_that_is_resized, 50)
{
	for (int i = 0; i < 4; i++) {
		leat_group group;
		leat_pool(int) pool;
		leat_ledger l;

		reset();
		leat_group_init(&group, NULL);
		CHECK_EQ(leat_pool_make_with(&pool, &template, make_state, end_slowly, use_state,
					     .workers = 5, .queue = 10,
					     POOL(.idle = i % 2 * LEAT_MS)), 0);
		CHECK_EQ(leat_go_in(&group, resize_often, pool, 20), 0);
		submit_many(pool, 40);
		CHECK_EQ(leat_group_wait(&group), 0);
		if (i < 2)
			CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
		leat_pool_resize(pool, 1);
		leat_pool_destroy(pool, ledger_init(&l));
		CHECK_EQ(inits, finis);
		check_at_rest(&l);
		leat_group_release(&group);
	}
}

static int no_state(struct state *state, int worker)
{
	(void)state;
	(void)worker;
	return -EMFILE;
}

static int give_worker(struct state *state, int *job, long *ret_result)
{
	*ret_result = *job * 100 + state->worker;
	return 0;
}

TEST_BOTH(state_and_results, 20)
{
	leat_chan(long) results = leat_chan_make(long, 10);
	leat_pool(int) pool;
	long result = 0;

	reset();
	CHECK_EQ(leat_pool_make_with_to(&pool, &template, make_state, end_state, results,
					give_worker, .workers = 1, .queue = 1,
					POOL(.order = LEAT_POOL_AS_COMPLETED)), 0);
	CHECK_EQ(leat_pool_submit(pool, 3), 0);
	CHECK_EQ(leat_recv(results, &result), 0);
	CHECK_EQ(result, 300);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
	CHECK_EQ(inits, 1);
	CHECK_EQ(finis, 1);
	leat_chan_unref(results);
}

TEST_BOTH(state_that_cannot_be_had, 20)
{
	leat_pool(int) pool;
	leat_ledger l;
	int accepted = 0;

	reset();
	CHECK_EQ(leat_pool_make_with(&pool, &template, no_state, end_state, use_state,
				     .workers = 2, .queue = 10,
				     POOL(.drop = LEAT_POOL_DROP(int, count_drop))), 0);
	for (int i = 0; i < 5; i++)
		accepted += leat_pool_submit(pool, i) == 0;
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), -EMFILE);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), -EMFILE);
	check_at_rest(&l);
	CHECK_EQ(l.in, accepted);
	CHECK_EQ(l.cancelled, dropped);
	CHECK_EQ(finis, 0);
}

TEST_SIM(idle_workers_go, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	reset();
	CHECK_EQ(leat_pool_make_with(&pool, &template, make_state, end_state, use_state,
				     .workers = 4, .queue = 100, POOL(.idle = 10 * LEAT_MS)), 0);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	CHECK_EQ(leat_sleep(8 * LEAT_MS), 0);
	CHECK_EQ(inits, 4);
	CHECK_EQ(finis, 0);
	CHECK_EQ(leat_sleep(100 * LEAT_MS), 0);
	CHECK_EQ(finis, 3); /* one stays */
	leat_pool_resize(pool, 3);
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	CHECK_EQ(finis, 3);
	leat_pool_resize(pool, 4);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(inits, 7);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	CHECK_EQ(finis, 7);
	check_at_rest(&l);
	CHECK_EQ(l.out, 40);
}

static int nap_and_count(int *job)
{
	(void)job;
	atomic_fetch_add(&done, 1);
	return leat_sleep(LEAT_MS);
}

LEAT_TASK(note_task)
{
	last_task = leat_task_id();
}

/* Idle for ever: none goes, and nothing looks whether one does. */
TEST_SIM(idle_workers_that_never_go, 3)
{
	leat_pool(int) pool;
	uint64_t before;

	reset();
	CHECK_EQ(leat_pool_make(&pool, nap_and_count, .workers = 4, .queue = 20,
				POOL(.idle = LEAT_FOREVER)), 0);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	CHECK_EQ(leat_sleep(LEAT_S), 0);
	CHECK_EQ(done, 20);
	CHECK_EQ(leat_go(note_task), 0);
	test_settle();
	before = last_task;
	CHECK_EQ(leat_sleep(LEAT_S), 0);
	CHECK_EQ(leat_go(note_task), 0);
	test_settle();
	CHECK(last_task <= before + 2);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
}

/* What is not done at the deadline is cancelled, dropped and counted. */
TEST_SIM(drain_then_abort, 50)
{
	leat_pool(int) pool;
	leat_ledger l;
	uint64_t pending;

	reset();
	CHECK_EQ(leat_pool_make(&pool, nap, .workers = 2, .queue = 100,
				POOL(.drop = LEAT_POOL_DROP(int, count_drop))), 0);
	for (int i = 0; i < 40; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	CHECK_EQ(leat_pool_drain(pool, leat_in(5 * LEAT_MS + LEAT_MS / 2)), -ETIMEDOUT);
	CHECK_EQ(leat_pool_ledger(pool, ledger_init(&l)), 0);
	CHECK(leat_ledger_balances(&l));
	pending = l.in_flight;
	CHECK(pending > 20);
	CHECK_EQ(leat_pool_destroy(pool, &l), -ECANCELED);
	check_at_rest(&l);
	CHECK_EQ(l.in, 40);
	CHECK_EQ(l.out, done);
	CHECK_EQ(l.cancelled, dropped);
	CHECK(l.out + l.cancelled == 40);
}

static leat_pool(int) below;

LEAT_TASK(make_and_wait, (leat_ledger *, l))
{
	CHECK_EQ(leat_pool_make(&below, nap, .workers = 2, .queue = 100,
				POOL(.drop = LEAT_POOL_DROP(int, count_drop))), 0);
	for (int i = 0; i < 40; i++)
		CHECK_EQ(leat_pool_submit(below, i), 0);
	CHECK_EQ(leat_pool_drain(below, LEAT_FOREVER), -ECANCELED);
	CHECK_EQ(leat_pool_destroy(below, l), -ECANCELED);
}

TEST_SIM(cancel_from_above, 50)
{
	leat_group group;
	leat_ledger l;

	reset();
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, make_and_wait, ledger_init(&l)), 0);
	CHECK_EQ(leat_sleep(3 * LEAT_MS + LEAT_MS / 2), 0);
	leat_group_cancel(&group, 0);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
	check_at_rest(&l);
	CHECK_EQ(l.in, 40);
	CHECK(l.cancelled >= 30);
}

TEST_BOTH(batches, 20)
{
	int jobs[1000] = { 0 };
	leat_pool(int) pool;
	leat_ledger l;

	reset();
	CHECK_EQ(leat_pool_make(&pool, count, .workers = 2, .queue = 64, POOL()), 0);
	CHECK_EQ(leat_pool_submit_n(pool, jobs, 0), 0);
	CHECK_EQ(leat_pool_submit_n(pool, jobs, 1000), 1000);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_submit_n(pool, jobs, 10), LEAT_ECLOSED);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(done, 1000);
}

TEST_SIM(batch_that_does_not_fit, 20)
{
	int jobs[10] = { 3, 4, 5, 6 };
	leat_pool(int) pool;
	leat_ledger l;

	make_full(&pool, LEAT_OVERFLOW_REJECT);
	CHECK_EQ(leat_pool_submit_n(pool, jobs, 4), -EAGAIN);
	leat_sem_release(&gate, 1);
	test_settle();
	CHECK_EQ(leat_pool_submit(pool, -1), 0);
	test_settle();
	CHECK_EQ(leat_pool_submit_n(pool, jobs, 4), 2);
	finish(pool, &l);
	CHECK_EQ(l.in, 6);
	CHECK_EQ(order[2] * 10 + order[3], 34);
}

/* What nobody receives is dropped and counted. */
static void count_result(long *result)
{
	(void)result;
	atomic_fetch_add(&dropped, 1);
}

TEST_BOTH(results_nobody_wants, 20)
{
	leat_chan(long) results = leat_chan_make(long, 1);
	leat_pool(int) pool;
	leat_ledger l;
	long first;

	reset();
	CHECK_EQ(leat_pool_make_to(&pool, results, square, .workers = 2, .queue = 10,
				   POOL(.order = LEAT_POOL_AS_COMPLETED,
					.drop_result = LEAT_POOL_DROP(long, count_result))), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	CHECK_EQ(leat_recv(results, &first), 0);
	leat_abandon(results);
	CHECK_EQ(leat_pool_submit(pool, 4), 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.dropped[LEAT_DROPPED_UNWANTED], dropped);
	CHECK_EQ(l.in, 5);
	CHECK(dropped >= 2);
	leat_chan_unref(results);
}

/* All kinds at once, stopped at any time: the ledger holds at every moment. */
static int any_work(int *job, long *ret_result)
{
	*ret_result = *job;
	switch (leat_random(8)) {
	case 0:
		return -EIO;
	case 1:
		return leat_sleep((int64_t)leat_random(20) * LEAT_US);
	default:
		return 0;
	}
}

LEAT_TASK(submit_some, (leat_pool(int), pool), (int, n), (atomic_int *, accepted))
{
	for (int i = 0; i < n; i++)
		if (leat_pool_submit(pool, i) == 0)
			atomic_fetch_add(accepted, 1);
}

LEAT_TASK(receive_some, (leat_chan(long), results), (int, n))
{
	long v;

	for (int i = 0; i < n && leat_recv(results, &v) == 0; i++)
		atomic_fetch_add(&done, 1);
	leat_abandon(results);
}

LEAT_TASK(look_at_ledger, (leat_pool(int), pool), (int, times))
{
	leat_ledger l;
	uint64_t sum;

	while (times-- > 0) {
		CHECK_EQ(leat_pool_ledger(pool, ledger_init(&l)), 0);
		sum = l.out + l.failed + ledger_dropped(&l) + l.cancelled + l.in_flight;
		CHECK(sum <= l.in);
		leat_yield();
	}
}

TEST_STRESS(anything)
{
	static const enum leat_overflow overflow[] = {
		LEAT_OVERFLOW_BLOCK, LEAT_OVERFLOW_REJECT, LEAT_OVERFLOW_DROP_OLDEST,
		LEAT_OVERFLOW_DROP_NEWEST,
	};
	bool ordered = leat_random(3) == 0, keyed = !ordered && leat_random(2) == 0;
	leat_chan(long) results = leat_chan_make(long, leat_random(4));
	atomic_int accepted = 0;
	leat_pool(int) pool;
	leat_group group, receivers;
	leat_ledger l;
	bool stops = leat_random(2) == 0;
	int r;

	reset();
	REQUIRE(leat_pool_make_to(&pool, results, any_work,
				  .workers = 1 + (int)leat_random(4), .queue = 1 + leat_random(5),
				  .overflow = overflow[leat_random(4)],
				  .on_error = leat_random(2) ? LEAT_ERROR_COUNT : LEAT_ERROR_STOP,
				  .order = ordered ? LEAT_POOL_AS_SUBMITTED
					   : keyed ? LEAT_POOL_PER_KEY
						   : LEAT_POOL_AS_COMPLETED,
				  .window = ordered ? 1 + leat_random(4) : 0,
				  .key = keyed ? LEAT_POOL_KEY(int, key_of) : NULL,
				  .priorities = ordered ? 1 : (int)leat_random(3),
				  .prefetch = ordered || keyed ? 1 : (int)leat_random(6),
				  .idle = (int64_t)leat_random(2) * LEAT_US,
				  .drop = LEAT_POOL_DROP(int, count_drop),
				  .drop_result = LEAT_POOL_DROP(long, count_result)) == 0);
	REQUIRE(leat_group_init(&group, NULL) == 0 && leat_group_init(&receivers, NULL) == 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(leat_go_in(&group, submit_some, pool, (int)leat_random(20), &accepted), 0);
	CHECK_EQ(leat_go_in(&receivers, receive_some, results, (int)leat_random(40)), 0);
	CHECK_EQ(leat_go_in(&group, look_at_ledger, pool, 20), 0);
	if (leat_random(2))
		leat_sleep((int64_t)leat_random(100) * LEAT_US);
	leat_pool_resize(pool, 1 + (int)leat_random(4));
	if (stops)
		leat_pool_abort(pool, -EINTR);
	else
		CHECK_EQ(leat_go_in(&group, submit_some, pool, 3, &accepted), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	r = leat_pool_drain(pool, LEAT_FOREVER);
	CHECK(r == 0 || r == -EIO || (stops && r == -EINTR));
	CHECK_EQ(leat_group_wait(&receivers), 0);
	leat_group_release(&receivers);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), r);
	check_at_rest(&l);
	CHECK_EQ(l.in, accepted);
	/* What was handed on was received, or is dropped with the channel. */
	CHECK(l.out >= (uint64_t)done);
	leat_chan_unref(results);
}

static atomic_bool looks;

/* A thread beside the runtime: no yield of the pool's comes between. */
static void *keep_looking(void *arg)
{
	leat_pool(int) pool = arg;
	leat_ledger l;

	while (atomic_load(&looks)) {
		CHECK_EQ(leat_pool_ledger(pool, ledger_init(&l)), 0);
		CHECK(l.out + l.in_flight <= l.in);
	}
	return NULL;
}

/* A result is in its worker's hands, or in the window: a look never finds it in both. */
TEST(ledger_while_results_move)
{
	int rounds = test_slow() ? 20000 : 200000;
	leat_chan(long) results = leat_chan_make(long, 4);
	leat_pool(int) pool;
	pthread_t thread;
	long result;

	CHECK_EQ(leat_pool_make_to(&pool, results, square, .workers = 1, .queue = 4,
				   POOL(.order = LEAT_POOL_AS_SUBMITTED, .window = 2)), 0);
	looks = true;
	REQUIRE(pthread_create(&thread, NULL, keep_looking, (void *)pool) == 0);
	for (int i = 0; i < rounds; i++) {
		CHECK_EQ(leat_pool_submit(pool, 2), 0);
		CHECK_EQ(leat_recv(results, &result), 0);
	}
	atomic_store(&looks, false);
	pthread_join(thread, NULL);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
	leat_chan_unref(results);
}

static int64_t allocated;

static void *count_alloc(void *ctx, size_t size, size_t align)
{
	void *p = NULL;

	(void)ctx;
	if (posix_memalign(&p, align < sizeof(void *) ? sizeof(void *) : align, size) != 0)
		return NULL;
	__atomic_fetch_add(&allocated, (int64_t)size, __ATOMIC_RELAXED);
	return p;
}

static void count_release(void *ctx, void *ptr, size_t size)
{
	(void)ctx;
	free(ptr);
	__atomic_fetch_sub(&allocated, (int64_t)size, __ATOMIC_RELAXED);
}

static leat_waitgroup all_there;

static int wait_for_all(int *job)
{
	(void)job;
	leat_waitgroup_done(&all_there);
	return leat_waitgroup_wait(&all_there);
}

/* Workers are records: ten thousand that have been at work take 2 MB at most. */
TEST_WITH(idle_workers_are_small, .allocator = { count_alloc, count_release, NULL })
{
	enum { N = 10000 };
	int n = test_slow() ? N / 10 : N;
	leat_pool(int) pool;
	int64_t before, least = INT64_MAX;

	/* The runtime's own, tasks and stacks of so many at once, are kept from round to round. */
	for (int round = 0; round < 4; round++) {
		all_there = (leat_waitgroup)LEAT_WAITGROUP_INIT;
		leat_waitgroup_add(&all_there, n);
		before = allocated;
		CHECK_EQ(leat_pool_make(&pool, wait_for_all, .workers = n, .queue = 100, POOL()),
			 0);
		for (int i = 0; i < n; i++)
			CHECK_EQ(leat_pool_submit(pool, i), 0);
		CHECK_EQ(leat_waitgroup_wait(&all_there), 0);
		CHECK_EQ(leat_pool_pause(pool, LEAT_FOREVER), 0);
		if (allocated - before < least)
			least = allocated - before;
		CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
	}
	CHECK(least <= n * INT64_C(200) + 10000);
}

static void refused(const char *field, int r)
{
	CHECK_EQ(r, -EINVAL);
	EXPECT_LOG(field);
}

TEST_WITH(bad_options, .log = log_line)
{
	leat_chan(long) results = leat_chan_make(long, 1);
	leat_pool(int) pool;

#define REFUSED(field, ...) refused(field, leat_pool_make(&pool, count, __VA_ARGS__))
#define REFUSED_TO(field, ...) \
	refused(field, leat_pool_make_to(&pool, results, square, __VA_ARGS__))
	REFUSED("workers", .queue = 1, POOL());
	refused("work is NULL", leat_pool_make(&pool, (int (*)(int *))NULL, .workers = 1,
					       .queue = 1, POOL()));
	REFUSED("workers", .workers = -1, .queue = 1, POOL());
	REFUSED("queue", .workers = 1, POOL());
	REFUSED("queue", .workers = 1, .queue = SIZE_MAX / 2, POOL());
	REFUSED("overflow", .workers = 1, .queue = 1, .on_error = LEAT_ERROR_STOP);
	REFUSED("overflow", .workers = 1, .queue = 1, .overflow = 99, .on_error = LEAT_ERROR_STOP);
	REFUSED("on_error", .workers = 1, .queue = 1, .overflow = LEAT_OVERFLOW_BLOCK);
	REFUSED("priorities", .workers = 1, .queue = 1, POOL(.priorities = 9));
	REFUSED("priorities", .workers = 1, .queue = 1, POOL(.priorities = -1));
	REFUSED("idle", .workers = 1, .queue = 1, POOL(.idle = -1));
	REFUSED("order", .workers = 1, .queue = 1, POOL(.order = 9));
	REFUSED("prefetch", .workers = 1, .queue = 1, POOL(.prefetch = -1));
	REFUSED("prefetch", .workers = 1, .queue = 1, POOL(.prefetch = LEAT_POOL_PREFETCH_MAX + 1));
	REFUSED("prefetch", .workers = 1, .queue = 1,
		POOL(.order = LEAT_POOL_PER_KEY, .key = LEAT_POOL_KEY(int, key_of),
		     .prefetch = 2));
	REFUSED("order", .workers = 1, .queue = 1,
		POOL(.order = LEAT_POOL_AS_SUBMITTED, .window = 1));
	refused("state", leat_pool_make_with(&pool, (struct state *)NULL, make_state, end_state,
					     use_state, .workers = 1, .queue = 1, POOL()));
	refused("overflow", leat_pool_make_with(&pool, &template, make_state, end_state, use_state,
						.workers = 1, .queue = 1,
						.overflow = LEAT_OVERFLOW_CALLER_RUNS,
						.on_error = LEAT_ERROR_STOP));
	refused("init or fini is NULL",
		leat_pool_make_with(&pool, &template, (int (*)(struct state *, int))NULL, end_state,
				    use_state, .workers = 1, .queue = 1, POOL()));
	refused("init or fini is NULL",
		leat_pool_make_with(&pool, &template, make_state, (void (*)(struct state *))NULL,
				    use_state, .workers = 1, .queue = 1, POOL()));
	REFUSED("key", .workers = 1, .queue = 1, POOL(.order = LEAT_POOL_PER_KEY));
	REFUSED("key", .workers = 1, .queue = 1, POOL(.key = LEAT_POOL_KEY(int, key_of)));
	REFUSED("window", .workers = 1, .queue = 1, POOL(.window = 1));
	REFUSED("drop_result", .workers = 1, .queue = 1,
		POOL(.drop_result = LEAT_POOL_DROP(int, count_drop)));
	REFUSED_TO("order", .workers = 1, .queue = 1, POOL());
	REFUSED_TO("window", .workers = 1, .queue = 1, POOL(.order = LEAT_POOL_AS_SUBMITTED));
	REFUSED_TO("window", .workers = 1, .queue = 1,
		   POOL(.order = LEAT_POOL_AS_SUBMITTED, .window = SIZE_MAX / sizeof(long)));
	REFUSED_TO("prefetch", .workers = 1, .queue = 1,
		   POOL(.order = LEAT_POOL_AS_SUBMITTED, .window = 1, .prefetch = 2));
	REFUSED_TO("priorities", .workers = 1, .queue = 1,
		   POOL(.order = LEAT_POOL_AS_SUBMITTED, .window = 1, .priorities = 2));
	REFUSED_TO("overflow", .workers = 1, .queue = 1, .overflow = LEAT_OVERFLOW_CALLER_RUNS,
		   .on_error = LEAT_ERROR_STOP, .order = LEAT_POOL_AS_SUBMITTED, .window = 1);
	REFUSED_TO("overflow", .workers = 1, .queue = 1, .overflow = LEAT_OVERFLOW_CALLER_RUNS,
		   .on_error = LEAT_ERROR_STOP, .order = LEAT_POOL_PER_KEY,
		   .key = LEAT_POOL_KEY(int, key_of));
	leat_chan_unref(results);
}

struct big {
	char bytes[2000];
};

static int big_work(struct big *job)
{
	(void)job;
	return 0;
}

static int big_result(int *job, struct big *ret_result)
{
	(void)job;
	memset(ret_result, 0, sizeof(*ret_result));
	return 0;
}

TEST_WITH(what_is_too_large, .log = log_line)
{
	leat_chan(struct big) results = leat_chan_make(struct big, 0);
	leat_pool(struct big) pool;
	leat_pool(int) other;

	refused("a job has 2000 bytes",
		leat_pool_make(&pool, big_work, .workers = 1, .queue = 1, POOL()));
	refused("a result has 2000 bytes",
		leat_pool_make_to(&other, results, big_result, .workers = 1, .queue = 1,
				  POOL(.order = LEAT_POOL_AS_COMPLETED)));
	leat_chan_unref(results);
}

static int work_1ms(int *job, int *ret_result)
{
	*ret_result = *job;
	return leat_sleep(LEAT_MS);
}

static leat_stage_stats stats_of(leat_pool(int) pool)
{
	leat_stage_stats s = { .size = sizeof(s) };

	CHECK_EQ(leat_pool_stats(pool, &s), 0);
	return s;
}

/* ms, to a hundredth. */
static void about(int64_t ns, int64_t ms)
{
	if (ns < ms * LEAT_MS * 99 / 100 || ns > ms * LEAT_MS * 101 / 100 + LEAT_MS / 10)
		test_fail(__FILE__, __LINE__, "%d us, not %d ms", (int)(ns / LEAT_US), (int)ms);
}

/* One worker: 100 ms busy, 50 starved, 200 blocked, 100 limited. */
TEST_SIM(time_is_attributed, 5)
{
	leat_chan(int) results = leat_chan_make(int, 100);
	leat_stage_stats s = { 0 };
	leat_pool(int) pool;
	int v;

	CHECK_EQ(leat_pool_make_to(&pool, results, work_1ms, .workers = 1, .queue = 200,
				   .order = LEAT_POOL_AS_COMPLETED, POOL(.name = "pool")), 0);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	leat_sleep(150 * LEAT_MS);
	CHECK_EQ(leat_pool_stats(pool, &s), -EINVAL);
	s = stats_of(pool);
	about(s.time[LEAT_STAGE_BUSY], 100);
	about(s.time[LEAT_STAGE_STARVED], 50);
	CHECK_EQ(s.items, 100);
	CHECK(s.service_p50 >= LEAT_MS && s.service_p50 <= LEAT_MS * 9 / 8 + 10 * LEAT_US);
	/* The results are full, so the next one waits for a receiver. */
	CHECK_EQ(leat_pool_submit(pool, 1), 0);
	leat_sleep(201 * LEAT_MS);
	about(stats_of(pool).time[LEAT_STAGE_BLOCKED], 200);
	CHECK_EQ(leat_recv(results, &v), 0);
	leat_sleep(LEAT_MS);
	CHECK_EQ(leat_pool_pause(pool, LEAT_FOREVER), 0);
	leat_sleep(100 * LEAT_MS);
	leat_pool_resume(pool);
	leat_sleep(10 * LEAT_MS);
	s = stats_of(pool);
	about(s.time[LEAT_STAGE_LIMITED], 100);
	about(s.time[LEAT_STAGE_BUSY], 101);
	leat_abandon(results);
	leat_pool_destroy(pool, NULL);
	leat_chan_unref(results);
}

/* Whoever did them, in whatever order they are handed on. */
TEST_SIM(items_are_counted, 5)
{
	static const enum leat_pool_order orders[] = {
		LEAT_POOL_AS_COMPLETED, LEAT_POOL_AS_SUBMITTED, LEAT_POOL_PER_KEY,
	};

	for (int i = 0; i < 3; i++) {
		bool submitted = orders[i] == LEAT_POOL_AS_SUBMITTED;
		bool keyed = orders[i] == LEAT_POOL_PER_KEY;
		leat_chan(long) results = leat_chan_make(long, 20);
		leat_pool(int) pool;

		CHECK_EQ(leat_pool_make_to(&pool, results, slow_square, .workers = 3, .queue = 2,
					   .overflow = keyed || submitted ? LEAT_OVERFLOW_BLOCK
						       : LEAT_OVERFLOW_CALLER_RUNS,
					   .on_error = LEAT_ERROR_COUNT, .order = orders[i],
					   .window = submitted ? 5 : 0,
					   .key = keyed ? LEAT_POOL_KEY(int, key_of) : NULL), 0);
		for (int n = 0; n < 14; n++)
			CHECK_EQ(leat_pool_submit(pool, n), 0);
		CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
		CHECK_EQ(stats_of(pool).items, 14);
		CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
		leat_chan_unref(results);
	}
}

static int sleep_ms(int *job)
{
	return *job > 0 ? leat_sleep(*job * LEAT_MS) : 0;
}

/* One worker, and a hundred jobs of 1 ms at once: the k-th waits for k ms. */
TEST_SIM(time_in_the_queue, 5)
{
	leat_stage_stats s;
	leat_pool(int) pool;
	int jobs[100];

	for (int i = 0; i < 100; i++)
		jobs[i] = 1;
	CHECK_EQ(leat_pool_make(&pool, sleep_ms, .workers = 1, .queue = 200, POOL()), 0);
	CHECK_EQ(stats_of(pool).queue_p50, -1);
	CHECK_EQ(leat_pool_submit_n(pool, jobs, 50), 50);
	for (int i = 50; i < 100; i++)
		CHECK_EQ(leat_pool_submit(pool, jobs[i]), 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	s = stats_of(pool);
	CHECK(s.queue_p50 >= 48 * LEAT_MS && s.queue_p50 <= 50 * LEAT_MS * 9 / 8);
	CHECK(s.queue_p99 >= 97 * LEAT_MS && s.queue_p99 <= 100 * LEAT_MS * 9 / 8);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
}

/*
 * Of 3,000 quick jobs one in 256 is timed at the end.  The first of the slow ones that is makes
 * that each of those behind it is: 60 are more than one in a hundred.
 */
TEST_SIM(slow_jobs_after_quick_ones_are_timed, 3)
{
	leat_stage_stats s;
	leat_pool(int) pool;

	CHECK_EQ(leat_pool_make(&pool, sleep_ms, .workers = 1, .queue = 200, POOL()), 0);
	for (int i = 0; i < 3000; i++)
		CHECK_EQ(leat_pool_submit(pool, 0), 0);
	for (int i = 0; i < 256 + 60; i++) {
		CHECK_EQ(leat_pool_submit(pool, i < 256 ? 1 : 100), 0);
		leat_sleep(i < 256 ? 2 * LEAT_MS : 200 * LEAT_MS);
	}
	s = stats_of(pool);
	CHECK(s.service_p50 < LEAT_MS);
	CHECK(s.service_p99 >= 100 * LEAT_MS && s.service_p99 < 100 * LEAT_MS * 9 / 8 + LEAT_MS);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
}
