/* Worker pools that take several jobs at once. */
#include "patterns.h"

#include <leat/leat.h>

#define POOL(...) .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_STOP, __VA_ARGS__
#define TO(...) POOL(.order = LEAT_POOL_AS_COMPLETED, __VA_ARGS__)

enum { WAIT = 1000, FAIL = 2000, MANY = 3000 }; /* added to a job's number */

static struct gauge gauge;
static leat_sem gate;
static atomic_int done, dropped, dropped_results;
static int order[MANY];

static void reset(void)
{
	gauge = (struct gauge){ 0 };
	done = dropped = dropped_results = 0;
	leat_sem_init(&gate, MANY, 0);
	CHECK_EQ(leat_sem_acquire(&gate, MANY), 0);
}

/* Waits for a permit, fails, or does nothing. */
static int work(int *job)
{
	int r = 0;

	gauge_enter(&gauge);
	if (*job >= WAIT && *job < FAIL)
		r = leat_sem_acquire(&gate, 1);
	else if (*job >= FAIL)
		r = -EIO;
	gauge_leave(&gauge);
	if (r == 0)
		order[atomic_fetch_add(&done, 1)] = *job % WAIT;
	return r;
}

static int work_to(int *job, int *ret_result)
{
	*ret_result = *job % WAIT;
	return work(job);
}

static void count_drop(int *job)
{
	(void)job;
	atomic_fetch_add(&dropped, 1);
}

static void count_result(int *result)
{
	(void)result;
	atomic_fetch_add(&dropped_results, 1);
}

#define DROPS .drop = LEAT_POOL_DROP(int, count_drop)

/* Has the pool see that jobs are quick, and those n be there all at once. */
static void queue_at_once(leat_pool(int) pool, const int *jobs, int n)
{
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(leat_pool_submit(pool, WAIT - 1), 0);
		test_settle();
	}
	CHECK_EQ(leat_pool_pause(pool, LEAT_FOREVER), 0);
	done = 0;
	CHECK_EQ(leat_pool_submit_n(pool, jobs, (size_t)n), n);
	leat_pool_resume(pool);
	test_settle();
}

#define QUEUE_AT_ONCE(pool, ...)                                              \
	queue_at_once(pool, (const int[]){ __VA_ARGS__ },                     \
		      (int)(sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int)))

static void check_order(const int *expected, int n)
{
	CHECK_EQ(done, n);
	for (int i = 0; i < n; i++)
		CHECK_EQ(order[i], expected[i]);
}

#define CHECK_ORDER(...)                                                      \
	check_order((const int[]){ __VA_ARGS__ },                             \
		    (int)(sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int)))

static leat_ledger ledger_of(leat_pool(int) pool)
{
	leat_ledger l;

	CHECK_EQ(leat_pool_ledger(pool, ledger_init(&l)), 0);
	CHECK(leat_ledger_balances(&l));
	return l;
}

static void finish(leat_pool(int) pool, int permits, uint64_t out)
{
	leat_ledger l;

	leat_sem_release(&gate, permits);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.out, out + 2);
	CHECK_EQ(l.out, l.in);
}

/* Two workers share eight: who takes the first four waits with three in hand. */
TEST_SIM(several_at_once, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	reset();
	CHECK_EQ(leat_pool_make(&pool, work, .workers = 2, .queue = 10, POOL(.prefetch = 4)), 0);
	QUEUE_AT_ONCE(pool, WAIT, 1, 2, 3, 4, 5, 6, 7);
	CHECK_ORDER(4, 5, 6, 7);
	l = ledger_of(pool);
	CHECK_EQ(l.in_flight, 4);
	CHECK_EQ(l.out, 6);
	finish(pool, 1, 8);
	CHECK_ORDER(4, 5, 6, 7, 0, 1, 2, 3);
}

TEST_SIM(no_more_than_a_share, 20)
{
	leat_pool(int) pool;

	reset();
	CHECK_EQ(leat_pool_make(&pool, work, .workers = 3, .queue = 10, POOL(.prefetch = 16)), 0);
	QUEUE_AT_ONCE(pool, WAIT, WAIT + 1, WAIT + 2, WAIT + 3, WAIT + 4, WAIT + 5);
	CHECK_EQ(gauge.now, 3);
	finish(pool, 6, 6);
}

/* As long as no job has been quick, and from one on that is slow. */
TEST_SIM(slow_jobs_are_taken_one_by_one, 20)
{
	const int jobs[] = { WAIT, 1, 2, 3, 4, 5, 6, 7 };
	leat_pool(int) pool;

	reset();
	CHECK_EQ(leat_pool_make(&pool, work, .workers = 2, .queue = 10, POOL(.prefetch = 4)), 0);
	for (int i = 1; i <= 2; i++) {
		CHECK_EQ(leat_pool_pause(pool, LEAT_FOREVER), 0);
		CHECK_EQ(leat_pool_submit_n(pool, jobs, 8), 8);
		leat_pool_resume(pool);
		test_settle();
		CHECK_EQ(done, 8 * i - 1);
		leat_sem_release(&gate, 1);
		test_settle();
	}
	finish(pool, 0, 14);
}

/* Those of quick jobs together; from a slow one on each at once. */
TEST_SIM(results_of_a_hand, 20)
{
	leat_chan(int) results = leat_chan_make(int, 10);
	leat_pool(int) pool;
	int result = -1;

	reset();
	CHECK_EQ(leat_pool_make_to(&pool, results, work_to, .workers = 1, .queue = 10,
				   TO(.prefetch = 8)), 0);
	QUEUE_AT_ONCE(pool, 0, 1, WAIT + 2, 3, WAIT + 4, 5);
	CHECK_EQ(leat_chan_len(results), 2); /* of the quick ones before */
	CHECK_EQ(ledger_of(pool).in_flight, 6);
	leat_sem_release(&gate, 1);
	test_settle();
	CHECK_EQ(leat_chan_len(results), 2 + 4);
	CHECK_EQ(ledger_of(pool).in_flight, 2);
	finish(pool, 1, 6);
	for (int i = -2; i < 6; i++) {
		CHECK_EQ(leat_recv(results, &result), 0);
		CHECK_EQ(result, i < 0 ? WAIT - 1 : i);
	}
	leat_chan_unref(results);
}

/* Some find room, the others wait for it. */
TEST_SIM(results_that_find_no_room, 20)
{
	leat_chan(int) results = leat_chan_make(int, 4);
	leat_stage_stats s = { .size = sizeof(s) };
	leat_pool(int) pool;
	int result = -1;

	reset();
	CHECK_EQ(leat_pool_make_to(&pool, results, work_to, .workers = 1, .queue = 10,
				   TO(.prefetch = 8)), 0);
	QUEUE_AT_ONCE(pool, 0, 1, 2, 3, 4, 5);
	CHECK_EQ(done, 6);
	CHECK_EQ(leat_chan_len(results), 4);
	leat_sleep(100 * LEAT_MS);
	CHECK_EQ(leat_pool_stats(pool, &s), 0);
	CHECK(s.time[LEAT_STAGE_BLOCKED] >= 100 * LEAT_MS);
	for (int i = -2; i < 6; i++) {
		CHECK_EQ(leat_recv(results, &result), 0);
		CHECK_EQ(result, i < 0 ? WAIT - 1 : i);
	}
	finish(pool, 0, 6);
	leat_chan_unref(results);
}

TEST_SIM(results_nobody_wants, 20)
{
	leat_chan(int) results = leat_chan_make(int, 4);
	leat_pool(int) pool;
	leat_ledger l;

	reset();
	CHECK_EQ(leat_pool_make_to(&pool, results, work_to, .workers = 1, .queue = 10,
				   TO(.prefetch = 8,
				      .drop_result = LEAT_POOL_DROP(int, count_result))), 0);
	QUEUE_AT_ONCE(pool, 0, 1, 2, 3);
	CHECK_EQ(leat_chan_len(results), 4);
	leat_abandon(results);
	test_settle();
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.out, 4);
	CHECK_EQ(l.dropped[LEAT_DROPPED_UNWANTED], 2);
	CHECK_EQ(dropped_results, 2);
	leat_chan_unref(results);
}

/* Of five in hand one is done, one at work. */
TEST_SIM(stop_with_jobs_in_hand, 20)
{
	leat_chan(int) results = leat_chan_make(int, 10);
	leat_pool(int) pool;
	leat_ledger l;

	reset();
	CHECK_EQ(leat_pool_make_to(&pool, results, work_to, .workers = 1, .queue = 10,
				   TO(.prefetch = 5, DROPS,
				      .drop_result = LEAT_POOL_DROP(int, count_result))), 0);
	QUEUE_AT_ONCE(pool, 0, WAIT + 1, 2, 3, 4, 5, 6);
	CHECK_EQ(done, 1);
	CHECK_EQ(ledger_of(pool).in_flight, 7);
	leat_pool_abort(pool, -EINTR);
	test_settle();
	CHECK_EQ(dropped, 5);
	CHECK_EQ(dropped_results, 1);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), -EINTR);
	check_at_rest(&l);
	CHECK_EQ(l.out, 2);
	CHECK_EQ(l.cancelled, 7);
	CHECK_EQ(done, 1);
	leat_chan_unref(results);
}

static leat_pool(int) nested;

static int stop_own_pool(int *job, int *ret_result)
{
	*ret_result = *job;
	if (*job == 2)
		leat_pool_abort(nested, -EINTR);
	return work(job);
}

/* What is out, too, has an end, though none of these failed. */
TEST_SIM(stop_by_a_job_in_hand, 20)
{
	leat_chan(int) results = leat_chan_make(int, 10);
	leat_ledger l;

	reset();
	CHECK_EQ(leat_pool_make_to(&nested, results, stop_own_pool, .workers = 1, .queue = 10,
				   TO(.prefetch = 5, DROPS,
				      .drop_result = LEAT_POOL_DROP(int, count_result))), 0);
	QUEUE_AT_ONCE(nested, 0, 1, 2, 3, 4);
	CHECK_ORDER(0, 1, 2);
	CHECK_EQ(leat_pool_destroy(nested, ledger_init(&l)), -EINTR);
	check_at_rest(&l);
	CHECK_EQ(l.out, 2);
	CHECK_EQ(l.cancelled, 5);
	CHECK_EQ(dropped, 2);
	CHECK_EQ(dropped_results, 3);
	leat_chan_unref(results);
}

/* What is out is handed on before the pool is stopped. */
TEST_SIM(error_in_a_hand_stops, 20)
{
	leat_chan(int) results = leat_chan_make(int, 10);
	leat_pool(int) pool;
	leat_ledger l;

	reset();
	CHECK_EQ(leat_pool_make_to(&pool, results, work_to, .workers = 1, .queue = 10,
				   TO(.prefetch = 5, DROPS)), 0);
	QUEUE_AT_ONCE(pool, 0, 1, FAIL + 2, 3, 4, 5);
	CHECK_ORDER(0, 1);
	CHECK_EQ(leat_chan_len(results), 4);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), -EIO);
	check_at_rest(&l);
	CHECK_EQ(l.out, 4);
	CHECK_EQ(l.failed, 1);
	CHECK_EQ(l.cancelled, 3);
	CHECK_EQ(dropped, 3);
	leat_chan_unref(results);
}

TEST_SIM(error_in_a_hand_counts, 20)
{
	leat_chan(int) results = leat_chan_make(int, 10);
	const int expected[] = { 0, 1, 3, 5 };
	leat_pool(int) pool;
	leat_ledger l;
	int result = -1;

	reset();
	CHECK_EQ(leat_pool_make_to(&pool, results, work_to, .workers = 1, .queue = 10,
				   .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_COUNT,
				   .order = LEAT_POOL_AS_COMPLETED, .prefetch = 8), 0);
	QUEUE_AT_ONCE(pool, 0, 1, FAIL + 2, 3, FAIL + 4, 5);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.out, 6);
	CHECK_EQ(l.failed, 2);
	for (int i = -2; i < 4; i++) {
		CHECK_EQ(leat_recv(results, &result), 0);
		CHECK_EQ(result, i < 0 ? WAIT - 1 : expected[i]);
	}
	leat_chan_unref(results);
}

static atomic_bool is_queued;

LEAT_TASK(make_and_wait, (leat_ledger *, l))
{
	leat_pool(int) pool;

	CHECK_EQ(leat_pool_make(&pool, work, .workers = 1, .queue = 10,
				.overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_COUNT,
				.prefetch = 8, DROPS), 0);
	QUEUE_AT_ONCE(pool, 0, WAIT + 1, WAIT + 2, 3, 4);
	atomic_store(&is_queued, true);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), -ECANCELED);
	CHECK_EQ(leat_pool_destroy(pool, l), -ECANCELED);
}

/* The job at work sees it; those behind it do not begin. */
TEST_SIM(cancel_from_above_with_jobs_in_hand, 20)
{
	leat_group group;
	leat_ledger l;

	reset();
	REQUIRE(leat_group_init(&group, NULL) == 0);
	is_queued = false;
	CHECK_EQ(leat_go_in(&group, make_and_wait, ledger_init(&l)), 0);
	while (!is_queued)
		test_settle();
	leat_group_cancel(&group, 0);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
	check_at_rest(&l);
	CHECK_EQ(l.out, 3);
	CHECK_EQ(l.failed + l.cancelled, 4);
	CHECK_EQ(dropped, 3);
	CHECK_EQ(done, 1);
}

/* Who pauses waits for what is in hand, and nothing begins then. */
TEST_SIM(pause_with_jobs_in_hand, 20)
{
	leat_pool(int) pool;

	reset();
	CHECK_EQ(leat_pool_make(&pool, work, .workers = 1, .queue = 10, POOL(.prefetch = 4)), 0);
	QUEUE_AT_ONCE(pool, WAIT, 1, 2, 3, 4, 5);
	CHECK_EQ(leat_pool_pause(pool, leat_in(LEAT_MS)), -ETIMEDOUT);
	CHECK_EQ(done, 0);
	leat_sem_release(&gate, 1);
	CHECK_EQ(leat_pool_pause(pool, LEAT_FOREVER), 0);
	CHECK_ORDER(0, 1, 2, 3);
	test_settle();
	CHECK_EQ(done, 4);
	CHECK_EQ(ledger_of(pool).in_flight, 2);
	leat_pool_resume(pool);
	finish(pool, 0, 6);
}

/* Who is too many does what it has in hand, and goes. */
TEST_SIM(fewer_workers_with_jobs_in_hand, 20)
{
	leat_pool(int) pool;

	reset();
	CHECK_EQ(leat_pool_make(&pool, work, .workers = 2, .queue = 20, POOL(.prefetch = 2)), 0);
	QUEUE_AT_ONCE(pool, WAIT, 1, WAIT + 2, 3, WAIT + 4, WAIT + 5, WAIT + 6, WAIT + 7);
	CHECK_EQ(gauge.now, 2);
	leat_pool_resize(pool, 1);
	leat_sem_release(&gate, 2);
	test_settle();
	CHECK_EQ(done, 4);
	CHECK_EQ(gauge.now, 1);
	finish(pool, 4, 8);
}

TEST_SIM(drain_with_jobs_in_hand, 20)
{
	leat_pool(int) pool;

	reset();
	CHECK_EQ(leat_pool_make(&pool, work, .workers = 1, .queue = 10, POOL(.prefetch = 4)), 0);
	QUEUE_AT_ONCE(pool, WAIT, 1, 2);
	leat_pool_close(pool);
	CHECK_EQ(leat_pool_drain(pool, leat_in(LEAT_MS)), -ETIMEDOUT);
	CHECK_EQ(done, 0);
	finish(pool, 1, 3);
	CHECK_ORDER(0, 1, 2);
}

/* What is in hand is not the oldest of the queue. */
TEST_SIM(drop_oldest_with_jobs_in_hand, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	reset();
	CHECK_EQ(leat_pool_make(&pool, work, .workers = 1, .queue = 2, .prefetch = 2,
				.overflow = LEAT_OVERFLOW_DROP_OLDEST, .on_error = LEAT_ERROR_STOP,
				DROPS), 0);
	QUEUE_AT_ONCE(pool, WAIT, 1);
	for (int i = 2; i <= 4; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	CHECK_EQ(dropped, 1);
	leat_sem_release(&gate, 1);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_ORDER(0, 1, 3, 4);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.dropped[LEAT_DROPPED_OLDEST], 1);
}

static int more;

static int submit_more(int *job, int *ret_result)
{
	*ret_result = *job;
	order[atomic_fetch_add(&done, 1)] = *job % WAIT;
	for (int i = 0; i < more && *job == 1; i++)
		CHECK_EQ(leat_pool_submit(nested, 100 + i), 0);
	return *job == WAIT ? leat_sem_acquire(&gate, 1) : 0;
}

/* The fourth finds the queue full; the worker makes room there, with a job in hand. */
TEST_SIM(submit_with_jobs_in_hand, 20)
{
	leat_chan(int) results = leat_chan_make(int, 20);

	reset();
	more = 4;
	CHECK_EQ(leat_pool_make_to(&nested, results, submit_more, .workers = 1, .queue = 5,
				   TO(.prefetch = 3)), 0);
	QUEUE_AT_ONCE(nested, 0, 1, 2, WAIT, 4);
	/* That may take long, so what is out has been handed on. */
	CHECK_ORDER(0, 1, 0);
	CHECK_EQ(leat_chan_len(results), 2 + 1);
	leat_sem_release(&gate, 1);
	test_settle();
	finish(nested, 0, 9);
	CHECK_ORDER(0, 1, 0, 2, 4, 100, 101, 102, 103);
	leat_chan_unref(results);
}

/* Those in hand do not count as begun one in the other. */
TEST_SIM(submit_with_many_jobs_in_hand, 20)
{
	leat_chan(int) results = leat_chan_make(int, 100);

	reset();
	more = 14;
	CHECK_EQ(leat_pool_make_to(&nested, results, submit_more, .workers = 1, .queue = 12,
				   TO(.prefetch = 10)), 0);
	QUEUE_AT_ONCE(nested, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
	CHECK_EQ(done, 12 + 14);
	finish(nested, 0, 12 + 14);
	leat_chan_unref(results);
}

static int submit_urgent(int *job, int *ret_result)
{
	*ret_result = *job;
	if (*job == 11)
		CHECK_EQ(leat_pool_submit_at(nested, 0, 1), 0);
	return work(job);
}

/* Before the next of the hand; and the results of those before it, too. */
TEST_SIM(urgent_jobs_overtake_a_hand, 20)
{
	const int expected[] = { WAIT - 1, WAIT - 1, 10, 11, 1, 12, 13 };
	leat_chan(int) results = leat_chan_make(int, 10);
	int result = -1;

	reset();
	CHECK_EQ(leat_pool_make_to(&nested, results, submit_urgent, .workers = 1, .queue = 4,
				   TO(.prefetch = 4, .priorities = 2)), 0);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(leat_pool_submit_at(nested, 1, WAIT - 1), 0);
		test_settle();
	}
	CHECK_EQ(leat_pool_pause(nested, LEAT_FOREVER), 0);
	done = 0;
	for (int i = 10; i < 14; i++)
		CHECK_EQ(leat_pool_submit_at(nested, 1, i), 0);
	leat_pool_resume(nested);
	test_settle();
	CHECK_ORDER(10, 11, 1, 12, 13);
	finish(nested, 0, 5);
	for (int i = 0; i < 7; i++) {
		CHECK_EQ(leat_recv(results, &result), 0);
		CHECK_EQ(result, expected[i]);
	}
	leat_chan_unref(results);
}

struct ask {
	int n, of;
	leat_chan(int) *reply;	/* of each of them */
};

struct answer {
	int n;
	char rest[LEAT_POOL_JOB_MAX - sizeof(int)];
};

static leat_pool(struct ask) asked;

/* Each waits for the next one: they are done one in the other. */
static int ask_next(struct ask *ask, struct answer *ret_answer)
{
	int below = 0;

	if (ask->n + 1 < ask->of)
		CHECK_EQ(leat_pool_recv(asked, ask->reply[ask->n + 1], &below, LEAT_FOREVER), 0);
	CHECK_EQ(leat_send(ask->reply[ask->n], below + 1), 0);
	ret_answer->n = ask->n;
	atomic_fetch_add(&done, 1);
	return 0;
}

static void ask_all(int first, int n, leat_chan(int) *reply)
{
	for (int i = first; i < n; i++)
		CHECK_EQ(leat_pool_submit(asked, ((struct ask){ i, n, reply })), 0);
}

static void wait_for_each_other(int n)
{
	leat_chan(struct answer) answers = leat_chan_make(struct answer, (size_t)n);
	bool seen[LEAT_POOL_PREFETCH_MAX] = { false };
	leat_chan(int) reply[LEAT_POOL_PREFETCH_MAX];
	struct answer answer;
	leat_ledger l;
	int sum = 0;

	reset();
	for (int i = 0; i < n; i++)
		reply[i] = leat_oneshot(int);
	CHECK_EQ(leat_pool_make_to(&asked, answers, ask_next, .workers = 1, .queue = (size_t)n,
				   TO(.prefetch = n)), 0);
	/* A quick one that waits for nobody. */
	ask_all(n - 1, n, reply);
	CHECK_EQ(leat_recv(reply[n - 1], &sum), 0);
	CHECK_EQ(leat_recv(answers, &answer), 0);
	test_settle();
	CHECK_EQ(leat_pool_pause(asked, LEAT_FOREVER), 0);
	ask_all(0, n, reply);
	leat_pool_resume(asked);
	CHECK_EQ(leat_recv(reply[0], &sum), 0);
	CHECK_EQ(sum, n);
	CHECK_EQ(leat_pool_drain(asked, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(asked, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.out, n + 1);
	CHECK_EQ(done, n + 1);
	leat_range(a, answers) {
		CHECK(!seen[a.n]);
		seen[a.n] = true;
	}
	for (int i = 0; i < n; i++) {
		CHECK(seen[i]);
		leat_chan_unref(reply[i]);
	}
	leat_chan_unref(answers);
}

/* Two, and as many as there can be in one worker's hand. */
TEST_SIM(wait_for_jobs_in_hand, 20)
{
	wait_for_each_other(2);
	wait_for_each_other(LEAT_POOL_PREFETCH_MAX);
}

static leat_chan(int) out_of_hand;

static int wait_outside(int *job, int *ret_result)
{
	int r = 0;

	*ret_result = *job;
	if (*job == 2)
		r = leat_pool_recv(nested, out_of_hand, ret_result, LEAT_FOREVER);
	return r;
}

/* Who waits in leat_pool_recv keeps back no results. */
TEST_SIM(results_before_a_wait, 20)
{
	leat_chan(int) results = leat_chan_make(int, 10);

	reset();
	out_of_hand = leat_chan_make(int, 1);
	CHECK_EQ(leat_pool_make_to(&nested, results, wait_outside, .workers = 1, .queue = 10,
				   TO(.prefetch = 8)), 0);
	QUEUE_AT_ONCE(nested, 0, 1, 2, 3, 4);
	CHECK_EQ(leat_chan_len(results), 2 + 4);
	CHECK_EQ(leat_send(out_of_hand, 7), 0);
	test_settle();
	CHECK_EQ(leat_chan_len(results), 2 + 5);
	finish(nested, 0, 5);
	leat_chan_unref(results);
	leat_chan_unref(out_of_hand);
}

struct wide {
	_Alignas(16) char bytes[16];
};

static int check_alignment(struct wide *job, struct wide *ret_result)
{
	CHECK_EQ((uintptr_t)job % 16, 0);
	CHECK_EQ((uintptr_t)ret_result % 16, 0);
	*ret_result = *job;
	return 0;
}

TEST_BOTH(jobs_in_hand_are_aligned, 5)
{
	leat_chan(struct wide) results = leat_chan_make(struct wide, 100);
	struct wide job = { .bytes = "0123456789abcde" };
	leat_pool(struct wide) pool;
	int n = 0;

	CHECK_EQ(leat_pool_make_to(&pool, results, check_alignment, .workers = 2, .queue = 50,
				   TO(.prefetch = 8)), 0);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(leat_pool_submit(pool, job), 0);
	leat_pool_close(pool);
	leat_range(result, results) {
		CHECK(memcmp(&result, &job, sizeof(job)) == 0);
		n++;
	}
	CHECK_EQ(n, 100);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
	leat_chan_unref(results);
}
