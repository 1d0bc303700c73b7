/* pond's tests of its pools and groups: see README.md. */
#include "go_pools.h"

/* TestPoolSubmit */
TEST_BOTH(submit, 5)
{
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&pool, take_1_ms, .workers = 100, .queue = 100, BLOCK), 0);
	submit_all(pool, 1000);
	end_pool(pool, 0, &l);
	CHECK_EQ(done, 1000);
	CHECK_EQ(l.out, 1000);
}

/* TestPoolSubmitWithErr */
static int fail(int *job)
{
	(void)job;
	return -EIO;
}

TEST_BOTH(submit_with_error, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&pool, fail, .workers = 100, .queue = 1, BLOCK), 0);
	CHECK_EQ(leat_pool_submit(pool, 0), 0);
	end_pool(pool, -EIO, &l);
	CHECK_EQ(l.failed, 1);
}

/* Its pools are told of a context; ours are made in a group that is cancelled. */
static leat_pool(int) below;
static leat_group above;

typedef int (*work_fn)(int *job);

LEAT_TASK(make_below, (int, workers), (work_fn, work), (int, n), (leat_ledger *, ret_ledger),
	  (int *, ret))
{
	CHECK_EQ(leat_pool_make(&below, work, .workers = workers, .queue = (size_t)n, BLOCK,
				.drop = LEAT_POOL_DROP(int, count_drop)), 0);
	submit_all(below, n);
	*ret = leat_pool_drain(below, LEAT_FOREVER);
	CHECK_EQ(leat_pool_destroy(below, ret_ledger), -ECANCELED);
}

/* TestPoolWithContextCanceled */
TEST_SIM(context_canceled, 10)
{
	leat_ledger l;
	int r = 1;

	begin();
	REQUIRE(leat_group_init(&above, NULL) == 0);
	CHECK_EQ(leat_go_in(&above, make_below, 10, take_1_ms, 10000, ledger_init(&l), &r), 0);
	CHECK_EQ(leat_sleep(6 * LEAT_MS), 0);
	CHECK_EQ(at_work.now, 10);
	leat_group_cancel(&above, 0);
	(void)leat_group_wait(&above);
	leat_group_release(&above);
	CHECK_EQ(r, -ECANCELED);
	CHECK_EQ(at_work.now, 0);
	CHECK(done > 0 && done <= 70);
	check_at_rest(&l);
	CHECK_EQ(l.in, 10000);
	CHECK_EQ(l.cancelled, (uint64_t)dropped);
	CHECK_EQ(l.out + l.cancelled, 10000);
	leat_chan_unref(gate);
}

/* Test{Pool,Subpool}StopAndWait..., TestTaskGroupWaitShouldNotDeadlockWhen...QueuedTasks */
TEST_SIM(should_not_deadlock_when_canceled_with_queued_jobs, 30)
{
	leat_ledger l;
	int r = 1;

	begin();
	REQUIRE(leat_group_init(&above, NULL) == 0);
	CHECK_EQ(leat_go_in(&above, make_below, 1, ignore_cancel, 2, ledger_init(&l), &r), 0);
	test_settle();
	CHECK_EQ(at_work.now, 1);
	leat_group_cancel(&above, 0);
	open_gate();
	CHECK(leat_group_wait_until(&above, leat_in(250 * LEAT_MS)) != -EAGAIN);
	CHECK_EQ(leat_group_live(&above), 0);
	(void)leat_group_wait(&above);
	leat_group_release(&above);
	CHECK_EQ(r, -ECANCELED);
	check_at_rest(&l);
	CHECK_EQ(l.in, 2);
	CHECK_EQ(l.out, 1);
	CHECK_EQ(l.failed, 0);
	CHECK_EQ(l.cancelled, 1);
	CHECK_EQ(dropped, 1);
	leat_chan_unref(gate);
}

/* TestPoolMetrics, TestResultPoolMetrics, TestTaskGroupMetrics */
static int odd_fail(int *job)
{
	note_done(*job);
	return *job % 2 ? -EIO : 0;
}

TEST_BOTH(metrics, 2)
{
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&pool, odd_fail, .workers = 100, .queue = 10,
				.overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_COUNT), 0);
	CHECK_EQ(leat_pool_ledger(pool, ledger_init(&l)), 0);
	CHECK_EQ(l.in + l.out + l.failed + l.in_flight + ledger_dropped(&l), 0);
	submit_all(pool, 10000);
	end_pool(pool, 0, &l);
	CHECK_EQ(done, 10000);
	CHECK_EQ(l.in, 10000);
	CHECK_EQ(l.out, 5000);
	CHECK_EQ(l.failed, 5000);
	CHECK_EQ(ledger_dropped(&l), 0);
}

/* TestPoolSubmitOnStoppedPool, TestTaskGroupWithStoppedPool */
TEST_BOTH(submit_on_stopped_pool, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&pool, at_once, .workers = 100, .queue = 1, BLOCK), 0);
	CHECK_EQ(leat_pool_submit(pool, 1), 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_submit(pool, 2), LEAT_ECLOSED);
	CHECK_EQ(leat_pool_try_submit(pool, 2), LEAT_ECLOSED);
	end_pool(pool, 0, &l);
	CHECK_EQ(l.in, 1);
}

/* TestPoolStoppedAfterCancel: a job cancels what is above its own pool. */
static int cancel_above(int *job)
{
	note_done(*job);
	leat_group_cancel(&above, 0);
	return 0;
}

LEAT_TASK(cancel_from_a_job, (leat_ledger *, ret_ledger))
{
	CHECK_EQ(leat_pool_make(&below, cancel_above, .workers = 10, .queue = 10, BLOCK), 0);
	CHECK_EQ(leat_pool_submit(below, 1), 0);
	CHECK_EQ(leat_sleep(LEAT_S), -ECANCELED);
	CHECK_EQ(leat_pool_submit(below, 2), -ECANCELED);
	CHECK_EQ(leat_pool_drain(below, LEAT_FOREVER), -ECANCELED);
	leat_shield_begin();
	CHECK_EQ(leat_pool_submit(below, 3), LEAT_ECLOSED);
	leat_shield_end();
	(void)leat_pool_destroy(below, ret_ledger);
}

TEST_SIM(stopped_after_cancel, 20)
{
	leat_ledger l;

	begin();
	REQUIRE(leat_group_init(&above, NULL) == 0);
	CHECK_EQ(leat_go_in(&above, cancel_from_a_job, ledger_init(&l)), 0);
	(void)leat_group_wait(&above);
	leat_group_release(&above);
	check_at_rest(&l);
	CHECK_EQ(done, 1);
	CHECK_EQ(l.in, 1);
	leat_chan_unref(gate);
}

/* The same of a pool in which nobody works: what is submitted then comes to an end. */
LEAT_TASK(cancel_while_idle, (leat_ledger *, ret_ledger))
{
	int r;

	CHECK_EQ(leat_pool_make(&below, at_once, .workers = 2, .queue = 10, BLOCK,
				.drop = LEAT_POOL_DROP(int, count_drop)), 0);
	CHECK_EQ(leat_pool_submit(below, 1), 0);
	CHECK_EQ(leat_sleep(LEAT_S), 0);
	CHECK_EQ(leat_sleep(LEAT_S), -ECANCELED);
	leat_shield_begin();
	r = leat_pool_submit(below, 2);
	CHECK(r == 0 || r == LEAT_ECLOSED);
	CHECK_EQ(leat_pool_drain(below, leat_in(LEAT_S)), r == 0 ? -ECANCELED : 0);
	leat_shield_end();
	(void)leat_pool_destroy(below, ret_ledger);
}

TEST_SIM(idle_pool_stopped_after_cancel, 20)
{
	leat_ledger l;

	begin();
	REQUIRE(leat_group_init(&above, NULL) == 0);
	CHECK_EQ(leat_go_in(&above, cancel_while_idle, ledger_init(&l)), 0);
	CHECK_EQ(leat_sleep(LEAT_S + LEAT_S / 2), 0);
	leat_group_cancel(&above, 0);
	(void)leat_group_wait(&above);
	leat_group_release(&above);
	check_at_rest(&l);
	CHECK_EQ(done, 1);
	CHECK_EQ(l.out, 1);
	CHECK_EQ(l.cancelled, l.in - 1);
	CHECK_EQ(l.cancelled, (uint64_t)dropped);
	leat_chan_unref(gate);
}

/* TestPoolWithQueueSize */
TEST_BOTH(queue_size, 10)
{
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&pool, take_1_ms, .workers = 1, .queue = 10, BLOCK), 0);
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(leat_pool_submit(pool, i), 0);
		CHECK_EQ(leat_pool_ledger(pool, ledger_init(&l)), 0);
		CHECK(l.in_flight <= 11);
	}
	end_pool(pool, 0, &l);
	CHECK_EQ(l.in, 50);
	CHECK_EQ(l.out, 50);
}

/* TestPoolWithQueueSizeAndNonBlocking */
TEST_SIM(queue_size_and_nonblocking, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&pool, wait_at_gate, .workers = 10, .queue = 10, REJECT), 0);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(leat_pool_submit(pool, i), 0);
		test_settle();
		CHECK_EQ(at_work.now, i < 10 ? i + 1 : 10);
	}
	CHECK_EQ(leat_pool_submit(pool, 20), -EAGAIN);
	open_gate();
	end_pool(pool, 0, &l);
	CHECK_EQ(l.in, 20); /* what was refused is the caller's, and not counted */
	CHECK_EQ(l.out, 20);
}

/* TestPoolWithQueueSizeZero: a queue without a place is refused, by name. */
TEST_WITH(queue_size_zero, .log = log_line)
{
	leat_pool(int) pool;

	CHECK_EQ(leat_pool_make(&pool, at_once, .workers = 1, .queue = 0, BLOCK), -EINVAL);
	CHECK(strstr(logged, "queue"));
	/* TestNewPoolWithInvalidMaxConcurrency */
	CHECK_EQ(leat_pool_make(&pool, at_once, .workers = -1, .queue = 1, BLOCK), -EINVAL);
	CHECK(strstr(logged, "workers"));
}

/* What it asks for besides: a submit that waits for the worker, and one that does not. */
TEST_SIM(submit_waits_while_the_worker_is_busy, 20)
{
	leat_pool(int) pool;
	leat_ledger l;
	int second = 1;

	begin();
	CHECK_EQ(leat_pool_make(&pool, wait_at_gate, .workers = 1, .queue = 1, BLOCK), 0);
	submit_all(pool, 1);
	test_settle();
	submit_all(pool, 1);
	CHECK_EQ(leat_go(submit_one, pool, 2, &second), 0);
	CHECK_EQ(leat_sleep(10 * LEAT_MS), 0);
	CHECK_EQ(second, 1);
	CHECK_EQ(leat_pool_try_submit(pool, 3), -EAGAIN);
	CHECK_EQ(leat_pool_ledger(pool, ledger_init(&l)), 0);
	CHECK_EQ(l.in, 2);
	open_gate();
	test_settle();
	CHECK_EQ(second, 0);
	end_pool(pool, 0, &l);
	CHECK_EQ(l.in, 3);
	CHECK_EQ(l.out, 3);
	CHECK_EQ(l.failed, 0);
}

/* TestPoolResize: 1, 3, 2, with what waits at each of them. */
static leat_sem places;

static int hold_place(int *job)
{
	gauge_enter(&at_work);
	CHECK_EQ(leat_sem_acquire(&places, 1), 0);
	gauge_leave(&at_work);
	note_done(*job);
	return 0;
}

static void check_waiting(leat_pool(int) pool, int waiting, int running)
{
	leat_ledger l;

	test_settle();
	CHECK_EQ(leat_pool_ledger(pool, ledger_init(&l)), 0);
	CHECK_EQ(at_work.now, running);
	CHECK_EQ(l.in_flight, (uint64_t)(waiting + running));
}

TEST_SIM(resize, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	leat_sem_init(&places, 100, 0);
	CHECK_EQ(leat_sem_acquire(&places, 100), 0);
	CHECK_EQ(leat_pool_make(&pool, hold_place, .workers = 1, .queue = 10, BLOCK), 0);
	submit_all(pool, 10);
	check_waiting(pool, 9, 1);
	leat_pool_resize(pool, 3);
	check_waiting(pool, 7, 3);
	leat_pool_resize(pool, 2);
	check_waiting(pool, 7, 3); /* those that run are not stopped */
	leat_sem_release(&places, 3);
	check_waiting(pool, 5, 2);
	leat_sem_release(&places, 97);
	end_pool(pool, 0, &l);
	CHECK_EQ(l.out, 10);
}

/* TestPoolResizeWith{Zero,Negative}MaxConcurrency: a broken contract here. */
TEST_DEATH_TASK(resize_to_zero, "n is 0; it must be > 0")
{
	leat_pool(int) pool;

	CHECK_EQ(leat_pool_make(&pool, at_once, .workers = 1, .queue = 1, BLOCK), 0);
	leat_pool_resize(pool, 0);
}

TEST_DEATH_TASK(resize_to_less_than_zero, "n is -1; it must be > 0")
{
	leat_pool(int) pool;

	CHECK_EQ(leat_pool_make(&pool, at_once, .workers = 1, .queue = 1, BLOCK), 0);
	leat_pool_resize(pool, -1);
}

/* TestPoolWithQueueSizeOne: those that wait for a place come behind the one that has it. */
TEST_SIM(queue_size_one, 30)
{
	int r[2] = { 1, 1 };
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	leat_sem_init(&places, 10, 0);
	CHECK_EQ(leat_sem_acquire(&places, 10), 0);
	CHECK_EQ(leat_pool_make(&pool, hold_place, .workers = 1, .queue = 1, BLOCK), 0);
	CHECK_EQ(leat_pool_submit(pool, 1), 0);
	test_settle();
	CHECK_EQ(leat_pool_submit(pool, 2), 0);
	CHECK_EQ(leat_go(submit_one, pool, 3, &r[0]), 0);
	test_settle();
	CHECK_EQ(leat_go(submit_one, pool, 4, &r[1]), 0);
	test_settle();
	CHECK_EQ(r[0] + r[1], 2);
	leat_sem_release(&places, 10);
	test_settle();
	CHECK_EQ(r[0] + r[1], 0);
	end_pool(pool, 0, &l);
	CHECK_EQ(done, 4);
	/* leat's channels are fair: 3 before 4, which pond leaves open. */
	for (int i = 0; i < 4; i++)
		CHECK_EQ(order[i], i + 1);
}

/* TestPoolSubmitWhileStopping */
static int submit_after_close(int *job)
{
	while (leat_pool_try_submit(below, 9) != LEAT_ECLOSED)
		leat_sleep(LEAT_MS);
	CHECK_EQ(leat_pool_submit(below, 9), LEAT_ECLOSED);
	note_done(*job);
	return 0;
}

TEST_SIM(submit_while_stopping, 20)
{
	leat_pool(int) *pool = &below;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(pool, submit_after_close, .workers = 10, .queue = 1,
				.overflow = LEAT_OVERFLOW_REJECT, .on_error = LEAT_ERROR_STOP), 0);
	CHECK_EQ(leat_pool_submit(*pool, 1), 0);
	test_settle();
	end_pool(*pool, 0, &l);
	CHECK(done >= 1);
	CHECK_EQ(l.out, (uint64_t)done);
}

/* TestPoolSubmitWhileStoppingHasNoRace */
static atomic_int accepted;

LEAT_TASK(submit_any, (leat_pool(int), pool))
{
	int r = leat_pool_submit(pool, 1);

	CHECK(r == 0 || r == LEAT_ECLOSED);
	accepted += r == 0;
}

LEAT_TASK(stop_soon, (leat_pool(int), pool))
{
	leat_sleep(500 * LEAT_US);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
}

TEST_BOTH(submit_while_stopping_has_no_race, 2)
{
	int n = test_slow() ? 1000 : 10000;
	leat_pool(int) pool;
	leat_group group;
	leat_ledger l;

	begin();
	accepted = 0;
	CHECK_EQ(leat_pool_make(&pool, take_1_ms, .workers = 1000, .queue = 100, BLOCK), 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, stop_soon, pool), 0);
	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_go_in(&group, submit_any, pool), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	end_pool(pool, 0, &l);
	CHECK_EQ(l.in, (uint64_t)accepted);
	CHECK_EQ(l.out, (uint64_t)accepted);
}

/* Test{,Result}PoolTrySubmit{,Err} */
static int odd_fails_at_gate(int *job)
{
	int r = wait_at_gate(job);

	return *job % 2 ? -EIO : r;
}

TEST_SIM(try_submit, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&pool, odd_fails_at_gate, .workers = 1, .queue = 1,
				.overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_COUNT), 0);
	CHECK_EQ(leat_pool_try_submit(pool, 0), 0);
	test_settle();
	CHECK_EQ(leat_pool_try_submit(pool, 1), 0);
	CHECK_EQ(leat_pool_try_submit(pool, 2), -EAGAIN);
	open_gate();
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_try_submit(pool, 3), LEAT_ECLOSED);
	end_pool(pool, 0, &l);
	CHECK_EQ(l.in, 2);
	CHECK_EQ(l.out, 1);
	CHECK_EQ(l.failed, 1);
}

/* Of group_test.go: TestTaskGroupCanceledShouldSkipRemainingTasks, TestTaskGroupStop. */
static int second_ends_it(int *job)
{
	note_done(*job);
	if (*job == 1) /* the error */
		return leat_sleep(10 * LEAT_MS) < 0 ? -ECANCELED : -EIO;
	if (*job == 2) /* the stop */
		leat_pool_abort(below, -EINTR);
	return 0;
}

static void ends_at(int job, int error)
{
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&below, second_ends_it, .workers = 1, .queue = 3, BLOCK,
				.drop = LEAT_POOL_DROP(int, count_drop)), 0);
	CHECK_EQ(leat_pool_pause(below, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_submit(below, 0), 0);
	CHECK_EQ(leat_pool_submit(below, job), 0);
	CHECK_EQ(leat_pool_submit(below, 3), 0);
	leat_pool_resume(below);
	end_pool(below, error, &l);
	CHECK_EQ(done, 2);
	CHECK_EQ(dropped, 1);
	CHECK_EQ(l.cancelled, 1);
}

TEST_BOTH(error_skips_the_remaining, 20)
{
	ends_at(1, -EIO);
}

TEST_BOTH(stop_from_a_job_skips_the_remaining, 20)
{
	ends_at(2, -EINTR);
}

/* TestTaskGroupMetricsWithCancelledContext: the fifth of ten cancels. */
static int fifth_stops(int *job)
{
	leat_sleep(20 * LEAT_MS);
	if (*job == 4)
		leat_pool_abort(below, 0);
	return 0;
}

TEST_BOTH(metrics_with_cancelled_context, 20)
{
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&below, fifth_stops, .workers = 1, .queue = 10, BLOCK), 0);
	CHECK_EQ(leat_pool_pause(below, LEAT_FOREVER), 0);
	submit_all(below, 10);
	leat_pool_resume(below);
	end_pool(below, -ECANCELED, &l);
	CHECK_EQ(l.in, 10);
	CHECK_EQ(l.out, 5);
	CHECK_EQ(l.failed, 0);
	CHECK_EQ(l.cancelled, 5);
}

/* TestResultTaskGroupWait*: results as submitted; what failed, or came after, has none. */
static int third_fails(int *job, int *ret_result)
{
	*ret_result = *job;
	return *job == 3 ? -EIO : 0;
}

static void group_wait(int workers, enum leat_on_error on_error, int n)
{
	leat_chan(int) results = leat_chan_make(int, 5);
	leat_pool(int) pool;
	int i = 0;

	CHECK_EQ(leat_pool_make_to(&pool, results, third_fails, .workers = workers, .queue = 5,
				   .overflow = LEAT_OVERFLOW_BLOCK, .on_error = on_error,
				   .order = LEAT_POOL_AS_SUBMITTED, .window = 5), 0);
	CHECK_EQ(leat_pool_pause(pool, LEAT_FOREVER), 0);
	submit_all(pool, 5);
	leat_pool_resume(pool);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), on_error == LEAT_ERROR_STOP ? -EIO : 0);
	(void)leat_pool_destroy(pool, NULL);
	leat_range(result, results) {
		CHECK_EQ(result, i < 3 ? i : i + 1);
		i++;
	}
	CHECK_EQ(i, n);
	leat_chan_unref(results);
}

TEST_BOTH(group_wait_with_error, 20)
{
	group_wait(1, LEAT_ERROR_STOP, 3);
}

TEST_BOTH(group_wait_without_stop, 20)
{
	group_wait(10, LEAT_ERROR_COUNT, 4);
}
