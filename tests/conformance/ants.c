/* ants' tests of its pools: see README.md. */
#include "go_pools.h"

/* TestAntsPool*WaitToGetWorker*: more jobs than workers, all are done, never more at once. */
TEST_BOTH(wait_to_get_worker, 5)
{
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&pool, take_1_ms, .workers = 50, .queue = 50, BLOCK), 0);
	submit_all(pool, 1000);
	end_pool(pool, 0, &l);
	CHECK_EQ(l.out, 1000);
	CHECK_EQ(done, 1000);
	CHECK(at_work.most <= 50);
}

/* What a worker has is made once, and used for as long as the worker lives. */
struct state {
	int worker;
};

static atomic_int made, ended;

static int make_state(struct state *state, int worker)
{
	state->worker = worker;
	atomic_fetch_add(&made, 1);
	return 0;
}

static void end_state(struct state *state)
{
	(void)state;
	atomic_fetch_add(&ended, 1);
}

static int with_state(struct state *state, int *job)
{
	(void)state;
	return wait_at_gate(job);
}

static int tenth_of_a_second(struct state *state, int *job)
{
	(void)state;
	leat_recv(gate, (char *)NULL);
	leat_sleep((*job + 1) % 100 * LEAT_MS);
	note_done(*job);
	return 0;
}

#define MAKE_WITH_STATE(pool, fn, ...)                                        \
	leat_pool_make_with(pool, (&(const struct state){ -1 }), make_state, end_state, fn, \
			    __VA_ARGS__)

static leat_pool(int) make_states(int workers, int64_t idle)
{
	leat_pool(int) pool = NULL;

	begin();
	made = ended = 0;
	CHECK_EQ(MAKE_WITH_STATE(&pool, with_state, .workers = workers, .queue = (size_t)workers,
				 .idle = idle, BLOCK), 0);
	return pool;
}

/* TestAntsPool*GetWorkerFromCache*: a worker that is idle is taken, and no new one made. */
TEST_SIM(get_worker_from_cache, 20)
{
	leat_pool(int) pool = make_states(10, 0);
	leat_ledger l;

	open_gate();
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(leat_pool_submit(pool, i), 0);
		test_settle();
		CHECK_EQ(made, 1);
	}
	end_pool(pool, 0, &l);
	CHECK_EQ(done, 100);
}

/* TestPanicHandler*, TestPoolPanicWithoutHandler*: the handler has the error, the worker lives. */
static int fail_first(int *job)
{
	note_done(*job);
	return *job == 0 ? -EIO : 0;
}

static void handle(int *job, int error)
{
	CHECK_EQ(*job, 0);
	CHECK_EQ(error, -EIO);
	atomic_fetch_add(&dropped, 1);
}

TEST_BOTH(error_handler, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&pool, fail_first, .workers = 1, .queue = 10,
				.overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_COUNT,
				.failed = LEAT_POOL_FAILED(int, handle)), 0);
	submit_all(pool, 5);
	end_pool(pool, 0, &l);
	CHECK_EQ(dropped, 1);
	CHECK_EQ(done, 5);
	CHECK_EQ(l.failed, 1);
}

/* TestPurgePool: 500 workers at once, of which all but one go when they have idled long enough. */
TEST_SIM(purge_pool, 3)
{
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	made = ended = 0;
	CHECK_EQ(MAKE_WITH_STATE(&pool, tenth_of_a_second, .workers = 500, .queue = 500,
				 .idle = LEAT_S, BLOCK), 0);
	submit_all(pool, 500);
	test_settle();
	CHECK_EQ(made, 500);
	open_gate();
	CHECK_EQ(leat_sleep(LEAT_S / 2), 0);
	CHECK_EQ(done, 500);
	CHECK_EQ(ended, 0);
	CHECK_EQ(leat_sleep(5 * LEAT_S), 0);
	CHECK_EQ(ended, 499);
	end_pool(pool, 0, &l);
	CHECK_EQ(ended, 500);
}

/* TestWithDisablePurge*: without an idle time they stay until the pool ends. */
TEST_SIM(no_purge, 10)
{
	leat_pool(int) pool = make_states(10, 0);
	leat_ledger l;

	submit_all(pool, 10);
	test_settle();
	CHECK_EQ(made, 10);
	open_gate();
	CHECK_EQ(leat_sleep(3600 * LEAT_S), 0);
	CHECK_EQ(ended, 0);
	end_pool(pool, 0, &l);
	CHECK_EQ(ended, 10);
}

/* TestNonblockingSubmit*: full is an error, at once; then there is room again. */
TEST_SIM(nonblocking_submit, 20)
{
	leat_pool(int) pool;
	leat_ledger l;
	int64_t then;

	begin();
	CHECK_EQ(leat_pool_make(&pool, wait_at_gate, .workers = 10, .queue = 1, REJECT), 0);
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(leat_pool_submit(pool, i), 0);
		test_settle();
	}
	CHECK_EQ(leat_pool_submit(pool, 10), 0); /* it waits in the queue, which ants has not */
	then = leat_now();
	CHECK_EQ(leat_pool_submit(pool, 11), -EAGAIN);
	CHECK_EQ(leat_pool_try_submit(pool, 11), -EAGAIN);
	CHECK(leat_now() - then < LEAT_MS);
	open_gate();
	test_settle();
	CHECK_EQ(done, 11);
	CHECK_EQ(leat_pool_submit(pool, 12), 0);
	end_pool(pool, 0, &l);
	CHECK_EQ(l.in, 12);
	CHECK_EQ(l.out, 12);
}

/*
 * TestMaxBlockingSubmit*: ants bounds how many may wait; here each says how long.  One waits, the
 * others do not, and the one gets its place.
 */
TEST_SIM(max_blocking_submit, 20)
{
	leat_pool(int) pool;
	leat_ledger l;
	int blocked = 1;

	begin();
	CHECK_EQ(leat_pool_make(&pool, wait_at_gate, .workers = 10, .queue = 1, BLOCK), 0);
	submit_all(pool, 11);
	test_settle();
	CHECK_EQ(leat_go(submit_one, pool, 11, &blocked), 0);
	test_settle();
	CHECK_EQ(blocked, 1);
	CHECK_EQ(leat_pool_try_submit(pool, 12), -EAGAIN);
	CHECK_EQ(leat_pool_submit_until(pool, 12, leat_in(LEAT_S)), -ETIMEDOUT);
	CHECK_EQ(blocked, 1);
	open_gate();
	test_settle();
	CHECK_EQ(blocked, 0);
	end_pool(pool, 0, &l);
	CHECK_EQ(l.in, 12);
	CHECK_EQ(l.out, 12);
}

/* TestInfinitePool: a job that submits to its own pool, which is full, does not wait for itself. */
static leat_pool(int) nested;

static int submit_another(int *job)
{
	if (*job > 0)
		CHECK_EQ(leat_pool_submit(nested, *job - 1), 0);
	note_done(*job);
	return 0;
}

TEST_BOTH(submit_from_a_job, 20)
{
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&nested, submit_another, .workers = 1, .queue = 1, BLOCK), 0);
	CHECK_EQ(leat_pool_submit(nested, 5), 0);
	CHECK_EQ(leat_pool_submit(nested, 5), 0);
	while (done < 12)
		CHECK_EQ(leat_sleep(LEAT_MS), 0);
	end_pool(nested, 0, &l);
	CHECK_EQ(l.out, 12);
}

/* TestReleaseWhenRunning*: a pool that is stopped lets everybody go who submits to it. */
static int take_1_s(int *job)
{
	int r = leat_sleep(LEAT_S);

	if (r == 0)
		note_done(*job);
	return r;
}

LEAT_TASK(submit_30, (leat_pool(int), pool), (int *, ret_accepted))
{
	for (int i = 0; i < 30; i++) {
		int r = leat_pool_submit(pool, i);

		CHECK(r == 0 || r == LEAT_ECLOSED);
		*ret_accepted += r == 0;
	}
}

TEST_SIM(release_when_running, 20)
{
	int a = 0, b = 0;
	leat_pool(int) pool;
	leat_group group;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&pool, take_1_s, .workers = 1, .queue = 1, BLOCK,
				.drop = LEAT_POOL_DROP(int, count_drop)), 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, submit_30, pool, &a), 0);
	CHECK_EQ(leat_go_in(&group, submit_30, pool, &b), 0);
	CHECK_EQ(leat_sleep(3 * LEAT_S + LEAT_S / 2), 0);
	leat_pool_abort(pool, 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	end_pool(pool, -ECANCELED, &l);
	CHECK_EQ(done, 3);
	CHECK_EQ(l.out, 3);
	CHECK_EQ(l.in, (uint64_t)(a + b));
	CHECK_EQ(l.cancelled, 2); /* that which ran, that which waited */
	CHECK_EQ(dropped, 1);
}

/* TestPoolTuneScaleUp: 2, then 3, then 8 at once. */
TEST_SIM(tune_scale_up, 20)
{
	leat_pool(int) pool;
	leat_ledger l;
	int r[5] = { 1, 1, 1, 1, 1 };

	begin();
	CHECK_EQ(leat_pool_make(&pool, wait_at_gate, .workers = 2, .queue = 1, BLOCK), 0);
	submit_all(pool, 2);
	test_settle();
	CHECK_EQ(at_work.now, 2);
	CHECK_EQ(leat_pool_submit(pool, 2), 0);
	test_settle();
	CHECK_EQ(at_work.now, 2);
	leat_pool_resize(pool, 3);
	test_settle();
	CHECK_EQ(at_work.now, 3);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(leat_go(submit_one, pool, 3 + i, &r[i]), 0);
	test_settle();
	CHECK_EQ(r[0] + r[1] + r[2] + r[3] + r[4], 4); /* one is in the queue */
	leat_pool_resize(pool, 8);
	test_settle();
	CHECK_EQ(at_work.now, 8);
	CHECK_EQ(r[0] + r[1] + r[2] + r[3] + r[4], 0);
	open_gate();
	end_pool(pool, 0, &l);
	CHECK_EQ(l.out, 8);
}

/* TestReleaseTimeout, TestDefaultPoolReleaseTimeout */
TEST_SIM(release_timeout, 20)
{
	leat_pool(int) pool;
	leat_ledger l;
	int64_t then = leat_now();

	begin();
	CHECK_EQ(leat_pool_make(&pool, take_1_s, .workers = 10, .queue = 5, BLOCK), 0);
	submit_all(pool, 5);
	CHECK_EQ(leat_pool_drain(pool, leat_in(LEAT_S / 2)), -ETIMEDOUT);
	CHECK(leat_now() - then >= LEAT_S / 2);
	CHECK_EQ(leat_pool_drain(pool, leat_in(2 * LEAT_S)), 0);
	CHECK(leat_now() - then < LEAT_S + LEAT_S / 10);
	end_pool(pool, 0, &l);
	CHECK_EQ(l.out, 5);
}

/* TestReboot*: a pool that is closed takes no job; a new one is as good as the first. */
static atomic_int sum;

static int add(int *job)
{
	atomic_fetch_add(&sum, *job);
	return 0;
}

TEST_BOTH(reboot_is_a_new_pool, 5)
{
	leat_pool(int) pool;
	leat_ledger l;

	for (int round = 0; round < 2; round++) {
		begin();
		sum = 0;
		CHECK_EQ(leat_pool_make(&pool, add, .workers = 10, .queue = 10, BLOCK), 0);
		submit_all(pool, 1000);
		CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
		CHECK_EQ(sum, 499500);
		CHECK_EQ(leat_pool_submit(pool, 1), LEAT_ECLOSED);
		end_pool(pool, 0, &l);
		CHECK_EQ(l.in, 1000);
	}
}
