/* gammazero/workerpool's tests: see README.md. */
#include "go_pools.h"

#include <leat/bucket.h>

/* TestExample */
TEST_BOTH(example, 20)
{
	static const char *const requests[] = { "alpha", "beta", "gamma", "delta", "epsilon" };
	bool seen[5] = { 0 };
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&pool, at_once, .workers = 2, .queue = 5, BLOCK), 0);
	submit_all(pool, 5);
	end_pool(pool, 0, &l);
	CHECK_EQ(done, 5);
	for (int i = 0; i < done; i++)
		seen[order[i]] = true;
	for (int i = 0; i < 5; i++)
		if (!seen[i])
			CHECK_STR(requests[i], "among those that were handled");
}

/* TestMaxWorkers: as many as jobs, up to the most; they need not be asked for. */
TEST_SIM(max_workers, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&pool, wait_at_gate, .workers = 20, .queue = 50, BLOCK), 0);
	submit_all(pool, 20);
	test_settle();
	CHECK_EQ(at_work.now, 20);
	submit_all(pool, 20);
	test_settle();
	CHECK_EQ(at_work.now, 20);
	open_gate();
	end_pool(pool, 0, &l);
	CHECK_EQ(l.out, 40);
	CHECK_EQ(at_work.most, 20);
}

/* TestStop: only what runs is completed. */
LEAT_TASK(open_in, (int64_t, ns))
{
	leat_sleep(ns);
	open_gate();
}

static void stop(int (*work)(int *), int completed)
{
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&pool, work, .workers = 5, .queue = 20, BLOCK,
				.drop = LEAT_POOL_DROP(int, count_drop)), 0);
	submit_all(pool, 20);
	test_settle();
	CHECK_EQ(leat_go(open_in, 10 * LEAT_MS), 0);
	leat_pool_abort(pool, 0);
	CHECK_EQ(leat_pool_submit(pool, 20), LEAT_ECLOSED);
	leat_pool_abort(pool, 0); /* again is fine */
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), -ECANCELED);
	CHECK_EQ(at_work.now, 0);
	leat_sleep(20 * LEAT_MS);
	end_pool(pool, -ECANCELED, &l);
	CHECK_EQ(done, completed);
	CHECK_EQ(dropped, 15);
	CHECK_EQ(l.out, (uint64_t)completed);
	CHECK_EQ(l.cancelled, 20 - (uint64_t)completed);
}

TEST_SIM(stop_completes_at_most_five, 20)
{
	stop(ignore_cancel, 5);
}

TEST_SIM(stop_cancels_those_that_listen, 20)
{
	stop(wait_at_gate, 0);
}

/* TestStopWait, and again; and of a pool that has nothing to do. */
TEST_SIM(stop_wait, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&pool, wait_at_gate, .workers = 5, .queue = 20, BLOCK), 0);
	submit_all(pool, 20);
	CHECK_EQ(leat_go(open_in, 10 * LEAT_MS), 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(done, 20);
	CHECK_EQ(leat_pool_submit(pool, 20), LEAT_ECLOSED);
	end_pool(pool, 0, &l);
	begin();
	CHECK_EQ(leat_pool_make(&pool, wait_at_gate, .workers = 5, .queue = 20, BLOCK), 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	end_pool(pool, 0, &l);
	CHECK_EQ(l.in, 0);
}

/* TestSubmitWait: submit does not wait for the job; who wants to, receives its result. */
static int tenth_of_a_second(int *job, int *ret_result)
{
	*ret_result = *job;
	return leat_sleep(100 * LEAT_MS);
}

TEST_SIM(submit_and_wait, 10)
{
	leat_chan(int) results = leat_chan_make(int, 1);
	int64_t then = leat_now();
	leat_pool(int) pool;
	int result = 0;

	CHECK_EQ(leat_pool_make_to(&pool, results, tenth_of_a_second, .workers = 1, .queue = 1,
				   BLOCK, .order = LEAT_POOL_AS_COMPLETED), 0);
	CHECK_EQ(leat_pool_submit(pool, 7), 0);
	CHECK(leat_now() - then < LEAT_MS);
	CHECK_EQ(leat_recv(results, &result), 0);
	CHECK_EQ(result, 7);
	CHECK(leat_now() - then >= 100 * LEAT_MS);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
	leat_chan_unref(results);
}

/* TestOverflow: 64 jobs, 2 workers; when it is stopped, 62 have not been begun. */
TEST_SIM(overflow, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&pool, ignore_cancel, .workers = 2, .queue = 64, BLOCK,
				.drop = LEAT_POOL_DROP(int, count_drop)), 0);
	submit_all(pool, 64);
	test_settle();
	CHECK_EQ(leat_go(open_in, LEAT_MS), 0);
	leat_pool_abort(pool, 0);
	end_pool(pool, -ECANCELED, &l);
	CHECK_EQ(dropped, 62);
	CHECK_EQ(l.cancelled, 62);
	CHECK_EQ(l.out, 2);
}

/* TestStopRace: several wait for the end, and all of them until it is there. */
static atomic_int waiting;

LEAT_TASK(drain, (leat_pool(int), pool))
{
	atomic_fetch_add(&waiting, 1);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(done, 20);
	atomic_fetch_sub(&waiting, 1);
}

TEST_SIM(stop_race, 30)
{
	leat_pool(int) pool;
	leat_group group;
	leat_ledger l;

	begin();
	waiting = 0;
	CHECK_EQ(leat_pool_make(&pool, wait_at_gate, .workers = 20, .queue = 20, BLOCK), 0);
	submit_all(pool, 20);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(leat_go_in(&group, drain, pool), 0);
	test_settle();
	CHECK_EQ(waiting, 5);
	open_gate();
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(waiting, 0);
	end_pool(pool, 0, &l);
}

/* TestWaitingQueueSizeRace: the ledger while ten submit and five work. */
enum { SUBMITTERS = 10, JOBS = 20 };

LEAT_TASK(submit_and_look, (leat_pool(int), pool), (uint64_t *, ret_most))
{
	leat_ledger l;

	for (int i = 0; i < JOBS; i++) {
		CHECK_EQ(leat_pool_submit(pool, i), 0);
		CHECK_EQ(leat_pool_ledger(pool, ledger_init(&l)), 0);
		CHECK(l.in <= SUBMITTERS * JOBS);
		CHECK(l.in >= l.out + l.in_flight);
		if (l.in_flight > *ret_most)
			*ret_most = l.in_flight;
	}
}

TEST_BOTH(waiting_queue_size_race, 20)
{
	uint64_t most[SUBMITTERS] = { 0 }, all = 0;
	leat_pool(int) pool;
	leat_group group;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&pool, take_1_ms, .workers = 5, .queue = 200, BLOCK), 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < SUBMITTERS; i++)
		CHECK_EQ(leat_go_in(&group, submit_and_look, pool, &most[i]), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	for (int i = 0; i < SUBMITTERS; i++)
		all = most[i] > all ? most[i] : all;
	CHECK(all > 5); /* not only those at work */
	end_pool(pool, 0, &l);
	CHECK_EQ(l.out, SUBMITTERS * JOBS);
}

/* TestPause */
static leat_pool(int) make_paused(int (*work)(int *))
{
	leat_pool(int) pool = NULL;

	begin();
	CHECK_EQ(leat_pool_make(&pool, work, .workers = 25, .queue = 10, BLOCK,
				.drop = LEAT_POOL_DROP(int, count_drop)), 0);
	CHECK_EQ(leat_pool_submit(pool, 1), 0);
	CHECK_EQ(leat_sleep(LEAT_MS / 2), 0);
	CHECK_EQ(at_work.now, 1);
	CHECK_EQ(leat_pool_pause(pool, LEAT_FOREVER), 0);
	return pool;
}

TEST_SIM(pause, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	pool = make_paused(take_1_ms);
	CHECK_EQ(done, 1); /* it waits for what runs */
	CHECK_EQ(leat_pool_submit(pool, 2), 0);
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	CHECK_EQ(done, 1);
	CHECK_EQ(leat_pool_ledger(pool, ledger_init(&l)), 0);
	CHECK_EQ(l.in_flight, 1);
	leat_pool_resume(pool);
	CHECK_EQ(leat_sleep(LEAT_S), 0);
	CHECK_EQ(done, 2);
	end_pool(pool, 0, &l);
}

/* What runs is waited for; pauses at the same time do not stop each other. */
LEAT_TASK(pause_it, (leat_pool(int), pool), (atomic_int *, paused))
{
	CHECK_EQ(leat_pool_pause(pool, LEAT_FOREVER), 0);
	atomic_fetch_add(paused, 1);
}

TEST_SIM(concurrent_pauses, 20)
{
	atomic_int paused = 0;
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&pool, wait_at_gate, .workers = 25, .queue = 10, BLOCK), 0);
	CHECK_EQ(leat_pool_submit(pool, 1), 0);
	test_settle();
	CHECK_EQ(leat_go(pause_it, pool, &paused), 0);
	CHECK_EQ(leat_go(pause_it, pool, &paused), 0);
	test_settle();
	CHECK_EQ(paused, 0);
	open_gate();
	test_settle();
	CHECK_EQ(paused, 2);
	/* A pause is a state, not a count: one resume ends them all. */
	leat_pool_resume(pool);
	CHECK_EQ(leat_pool_submit(pool, 2), 0);
	test_settle();
	CHECK_EQ(done, 2);
	end_pool(pool, 0, &l);
}

/* Of a paused pool: abort needs no resume; a drain does not end the pause, as StopWait does. */
TEST_SIM(stop_while_paused, 20)
{
	leat_pool(int) pool = make_paused(take_1_ms);
	leat_ledger l;

	CHECK_EQ(leat_pool_submit(pool, 2), 0);
	CHECK_EQ(leat_pool_drain(pool, leat_in(LEAT_S)), -ETIMEDOUT);
	CHECK_EQ(done, 1);
	leat_pool_abort(pool, 0);
	CHECK_EQ(leat_pool_drain(pool, leat_in(LEAT_S)), -ECANCELED);
	CHECK_EQ(leat_pool_pause(pool, leat_in(LEAT_S)), 0); /* after the stop */
	end_pool(pool, -ECANCELED, &l);
	CHECK_EQ(dropped, 1);
	CHECK_EQ(l.out, 1);
}

/* TestWorkerLeak: a destroy leaves no task behind. */
TEST_BOTH(worker_leak, 10)
{
	leat_group *root = leat_group_current();
	int64_t before = leat_group_live(root);
	leat_pool(int) pool;

	begin();
	CHECK_EQ(leat_pool_make(&pool, take_1_ms, .workers = 100, .queue = 100, BLOCK), 0);
	submit_all(pool, 100);
	(void)leat_pool_destroy(pool, NULL);
	CHECK_EQ(at_work.now, 0);
	CHECK_EQ(leat_group_live(root), before);
	leat_chan_unref(gate);
}

/* TestPanicDo: after the stop an error, and the job is still the caller's. */
TEST_BOTH(submit_after_stop, 20)
{
	leat_pool(int) pool;
	int jobs[2] = { 1, 2 };
	leat_ledger l;

	begin();
	CHECK_EQ(leat_pool_make(&pool, at_once, .workers = 1, .queue = 1, BLOCK,
				.drop = LEAT_POOL_DROP(int, count_drop)), 0);
	leat_pool_abort(pool, 0);
	CHECK_EQ(leat_pool_submit(pool, 1), LEAT_ECLOSED);
	CHECK_EQ(leat_pool_try_submit(pool, 1), LEAT_ECLOSED);
	CHECK_EQ(leat_pool_submit_until(pool, 1, leat_in(LEAT_MS)), LEAT_ECLOSED);
	CHECK_EQ(leat_pool_submit_n(pool, jobs, 2), LEAT_ECLOSED);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), -ECANCELED);
	(void)leat_pool_destroy(pool, ledger_init(&l));
	CHECK_EQ(done, 0);
	CHECK_EQ(dropped, 0);
	CHECK_EQ(l.in, 0);
	leat_chan_unref(gate);
}

/* TestPacedWorkers: a limiter that all jobs share. */
static leat_bucket pacer;
static int64_t began_at[10];

static int paced(int *job)
{
	CHECK_EQ(leat_bucket_take(&pacer, 1), 0);
	began_at[atomic_fetch_add(&done, 1)] = leat_now();
	return *job < 0;
}

TEST_SIM(paced_workers, 10)
{
	leat_pool(int) pool;
	leat_ledger l;

	begin();
	CHECK_EQ(leat_bucket_init(&pacer, 10, 1), 0); /* one in 100 ms */
	CHECK_EQ(leat_pool_make(&pool, paced, .workers = 5, .queue = 10, BLOCK), 0);
	submit_all(pool, 10);
	end_pool(pool, 0, &l);
	CHECK_EQ(done, 10);
	for (int i = 1; i < 10; i++)
		CHECK(began_at[i] - began_at[i - 1] >= 99 * LEAT_MS);
}
