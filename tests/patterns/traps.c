/*
 * The twelve traps of the page's own programs: trap_N shows one on plain tasks and channels, as the
 * page has them; answer_N, that the pattern does not have it.  In simulation, so that a trap is
 * found and not waited for.
 */
#include "patterns.h"
#include "range.h"

#include <leat/leat.h>

enum { WORKERS = 3, JOBS = 60 };

typedef int work_fn(int *job, int *ret_result);

static int twice(int *job, int *ret_result)
{
	*ret_result = *job * 2;
	return 0;
}

static int bad_fifth(int *job, int *ret_result)
{
	return *job == 5 ? -EBADMSG : twice(job, ret_result);
}

static int slow(int *job, int *ret_result)
{
	leat_sleep(*job % 3 ? LEAT_MS : 3 * LEAT_MS);
	return twice(job, ret_result);
}

enum { SLOW_JOBS_MS = JOBS / 3 * (1 + 1 + 3) };

/* The page's worker: what has no result can say nothing. */
LEAT_TASK(worker, (leat_chan(int), jobs), (leat_chan(int), results), (work_fn *, work))
{
	leat_range(job, jobs) {
		int n = job, result;

		if (work(&n, &result) == 0 && leat_send(results, result) < 0)
			return;
	}
}

/* Deadlocks are the expected result of some: their report is not for the terminal. */
static void quiet(void *ctx, const char *line)
{
	(void)ctx;
	(void)line;
}

static int simulate(int (*fn)(void *arg))
{
	return leat_sim_run(LEAT_OPTIONS(.log = quiet), fn, NULL, 1, 1, NULL);
}

/* What a deadlock leaves behind is reachable, so that it is no leak. */
static leat_chan(int) jobs, results;
static leat_group group;

static void begin_by_hand(size_t capacity, work_fn *work)
{
	jobs = leat_chan_make(int, capacity);
	results = leat_chan_make(int, capacity);
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	for (int i = 0; i < WORKERS; i++)
		CHECK_EQ(leat_go_in(&group, worker, jobs, results, work), 0);
}

static void send_jobs(int n)
{
	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_send(jobs, i), 0);
}

static void end_by_hand(void)
{
	leat_group_cancel(&group, 0);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
	leat_chan_unref(jobs);
	leat_chan_unref(results);
}

/* Its results go to a channel that has room for all. */
static leat_pool(int) make_pool(work_fn *work, enum leat_on_error on_error,
				enum leat_pool_order order)
{
	leat_pool(int) pool = NULL;

	results = leat_chan_make(int, 100);
	CHECK_EQ(leat_pool_make_to(&pool, results, work, .workers = WORKERS, .queue = 100,
				   .overflow = LEAT_OVERFLOW_BLOCK, .on_error = on_error,
				   .order = order,
				   .window = order == LEAT_POOL_AS_SUBMITTED ? 8 : 0), 0);
	/* Which an error might stop before all are submitted. */
	CHECK_EQ(leat_pool_pause(pool, LEAT_FOREVER), 0);
	for (int i = 0; i < JOBS; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	leat_pool_close(pool);
	leat_pool_resume(pool);
	return pool;
}

static int end_pool(leat_pool(int) pool, leat_ledger *ledger)
{
	int r = leat_pool_destroy(pool, ledger_init(ledger));

	check_at_rest(ledger);
	CHECK_EQ(ledger->in, JOBS);
	leat_chan_unref(results);
	return r;
}

struct sum {
	int n, enough;
	long sum;
	bool sorted;
	int last;
};

static int add(struct sum *sum, int *n)
{
	sum->sorted = sum->n == 0 || (sum->sorted && *n >= sum->last);
	sum->last = *n;
	sum->sum += *n;
	return ++sum->n == sum->enough ? LEAT_ECLOSED : 0;
}

/* A source, a stage and a sink with a bound between them. */
static int run_pipeline(struct range *range, struct sum *sum, const leat_stage_options *o,
			work_fn *work)
{
	leat_pipeline *p;
	leat_flow(int) a, b;
	int r;

	CHECK_EQ(leat_pipeline_make(&p, .live = 16), 0);
	leat_pipeline_source(p, &a, range, count, .name = "count");
	leat_pipeline_map(p, a, &b, work, .name = "work", .mode = o->mode, .workers = WORKERS,
			  .on_error = LEAT_ERROR_STOP, .window = o->window,
			  .gap_after = o->gap_after, .gap = o->gap);
	leat_pipeline_sink_with(p, b, sum, add, .name = "add", .mode = LEAT_STAGE_SERIAL,
				.on_error = LEAT_ERROR_STOP);
	r = leat_pipeline_run(p);
	CHECK_EQ(leat_pipeline_destroy(p, NULL), r);
	return r;
}

#define PARALLEL &(leat_stage_options){ .mode = LEAT_STAGE_PARALLEL }
#define ORDERED &(leat_stage_options){ .mode = LEAT_STAGE_ORDERED, .window = 8 }

/* 1: results is never closed, so a range over it hangs. */
static int range_by_hand(void *arg)
{
	(void)arg;
	begin_by_hand(100, twice);
	send_jobs(1);
	leat_close(jobs);
	leat_range(result, results)
		CHECK_EQ(result, 0);
	return 0;
}

TEST_PLAIN(trap_1_results_are_never_closed)
{
	CHECK_EQ(simulate(range_by_hand), -EDEADLK);
}

TEST_SIM(answer_1_a_pool_closes_its_results, 5)
{
	leat_pool(int) pool = make_pool(twice, LEAT_ERROR_STOP, LEAT_POOL_AS_COMPLETED);
	leat_ledger ledger;
	int n = 0;

	leat_range(result, results)
		n += result;
	CHECK_EQ(n, JOBS * (JOBS - 1));
	CHECK_EQ(end_pool(pool, &ledger), 0);
}

/* 2: send all, then read: fine to 203 jobs, and the 204th hangs. */
static int send_all(int n)
{
	begin_by_hand(100, twice);
	send_jobs(n);
	end_by_hand();
	return 0;
}

static int send_203(void *arg)
{
	(void)arg;
	return send_all(203);
}

static int send_204(void *arg)
{
	(void)arg;
	return send_all(204);
}

TEST_PLAIN(trap_2_the_204th_send_hangs)
{
	CHECK_EQ(simulate(send_203), 0);
	CHECK_EQ(simulate(send_204), -EDEADLK);
}

TEST_SIM(answer_2_a_pipeline_takes_any_number, 5)
{
	struct range range = { 0, 2000 };
	struct sum sum = { 0 };

	CHECK_EQ(run_pipeline(&range, &sum, PARALLEL, twice), 0);
	CHECK_EQ(sum.sum, 1999L * 2000);
}

/* 3: nobody waits for the workers: when main has returned, what they were at is lost. */
static atomic_int done;

static int for_a_second(int *job, int *ret_result)
{
	int r = leat_sleep(LEAT_S);

	if (r == 0)
		atomic_fetch_add(&done, 1);
	return r < 0 ? r : twice(job, ret_result);
}

static int leave_by_hand(void *arg)
{
	(void)arg;
	jobs = leat_chan_make(int, JOBS);
	results = leat_chan_make(int, JOBS);
	for (int i = 0; i < WORKERS; i++)
		CHECK_EQ(leat_go(worker, jobs, results, for_a_second), 0);
	send_jobs(JOBS);
	leat_close(jobs);
	leat_sleep(1500 * LEAT_MS);
	return 0;
}

TEST_PLAIN(trap_3_work_is_lost_at_the_exit)
{
	done = 0;
	CHECK_EQ(simulate(leave_by_hand), 0); /* which tells nobody */
	CHECK_EQ(done, WORKERS);
	leat_chan_unref(jobs);
	leat_chan_unref(results);
}

TEST_SIM(answer_3_a_pool_is_drained_or_says_what_is_not_done, 5)
{
	leat_pool(int) pool = make_pool(for_a_second, LEAT_ERROR_STOP, LEAT_POOL_AS_COMPLETED);
	leat_ledger ledger;

	done = 0;
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(done, JOBS);
	CHECK_EQ(end_pool(pool, &ledger), 0);
	CHECK_EQ(ledger.out, JOBS);

	done = 0;
	pool = make_pool(for_a_second, LEAT_ERROR_STOP, LEAT_POOL_AS_COMPLETED);
	leat_sleep(1500 * LEAT_MS);
	CHECK_EQ(end_pool(pool, &ledger), -ECANCELED);
	CHECK_EQ(ledger.out, WORKERS);
	CHECK_EQ(ledger.failed + ledger.cancelled, JOBS - WORKERS);
}

/* 4: an early break leaves the tasks before it blocked for ever. */
LEAT_TASK(generate, (leat_chan(int), out), (int, n))
{
	for (int i = 0; i < n; i++)
		if (leat_send(out, i) < 0)
			return;
	leat_close(out);
}

LEAT_TASK(work_on, (leat_chan(int), in), (leat_chan(int), out), (work_fn *, work))
{
	leat_range(n, in) {
		int job = n, result;

		if (work(&job, &result) < 0 || leat_send(out, result) < 0)
			return;
	}
	leat_close(out);
}

/* generate -> work -> results: a task for each stage, unbuffered. */
static void begin_stages(int n, work_fn *work)
{
	jobs = leat_chan_make(int, 0);
	results = leat_chan_make(int, 0);
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	CHECK_EQ(leat_go_in(&group, generate, jobs, n), 0);
	CHECK_EQ(leat_go_in(&group, work_on, jobs, results, work), 0);
}

TEST_SIM(trap_4_an_early_break_leaks_the_stages, 5)
{
	int n = 0;

	begin_stages(1000000, twice);
	leat_range(result, results) {
		CHECK_EQ(result, 2 * n);
		if (++n == 3)
			break;
	}
	leat_sleep(3600 * LEAT_S);
	CHECK_EQ(leat_group_live(&group), 2); /* for ever, in Go */
	end_by_hand();
}

TEST_SIM(answer_4_a_sink_that_has_enough_ends_all, 5)
{
	int64_t before = leat_group_live(leat_group_root());
	struct range range = { 0, 1000000 };
	struct sum sum = { .enough = 3 };

	CHECK_EQ(run_pipeline(&range, &sum, ORDERED, twice), 0);
	CHECK_EQ(sum.sum, 0 + 2 + 4);
	CHECK(range.next < 100);
	CHECK_EQ(leat_group_live(leat_group_root()), before);
}

/* 5: nothing ends a sleep; here those of the page are shielded, as Go's are. */
static int go_sleep(int *job, int *ret_result)
{
	leat_shield_begin();
	leat_sleep(1000 * LEAT_S);
	leat_shield_end();
	return twice(job, ret_result);
}

static int leat_sleeps(int *job, int *ret_result)
{
	int r = leat_sleep(1000 * LEAT_S);

	return r < 0 ? r : twice(job, ret_result);
}

TEST_SIM(trap_5_a_sleep_that_nothing_ends, 5)
{
	int64_t began = leat_now();

	begin_by_hand(100, go_sleep);
	send_jobs(WORKERS);
	leat_sleep(LEAT_MS);
	end_by_hand();
	CHECK(leat_now() - began >= 1000 * LEAT_S);
}

TEST_SIM(answer_5_a_sleep_ends_with_its_pool, 5)
{
	leat_pool(int) pool = make_pool(leat_sleeps, LEAT_ERROR_STOP, LEAT_POOL_AS_COMPLETED);
	int64_t began = leat_now();
	leat_ledger ledger;

	leat_sleep(LEAT_MS);
	leat_pool_abort(pool, 0);
	CHECK_EQ(end_pool(pool, &ledger), -ECANCELED);
	CHECK(leat_now() - began < 2 * LEAT_MS);
	CHECK_EQ(ledger.out, 0);
}

/* 6: a result is a number, so a job cannot say that it has failed; who counts them waits. */
static int count_by_hand(void *arg)
{
	int result;

	(void)arg;
	begin_by_hand(100, bad_fifth);
	send_jobs(9);
	leat_close(jobs);
	for (int i = 0; i < 9; i++)
		CHECK_EQ(leat_recv(results, &result), 0);
	return 0;
}

TEST_PLAIN(trap_6_an_error_has_no_way_out)
{
	CHECK_EQ(simulate(count_by_hand), -EDEADLK);
}

TEST_SIM(answer_6_an_error_arrives, 5)
{
	leat_pool(int) pool = make_pool(bad_fifth, LEAT_ERROR_STOP, LEAT_POOL_AS_COMPLETED);
	struct range range = { 0, 100 };
	struct sum sum = { 0 };
	leat_ledger ledger;
	int n = 0;

	leat_range(result, results)
		n += result != 10;
	CHECK(n < JOBS);
	CHECK_EQ(end_pool(pool, &ledger), -EBADMSG);
	CHECK_EQ(run_pipeline(&range, &sum, PARALLEL, bad_fifth), -EBADMSG);
}

/* 7: one bad job ends all: with Go the process, by a panic; here the tasks of the same group. */
LEAT_TASK_ERR(strict_worker, (leat_chan(int), from), (leat_chan(int), to))
{
	leat_range(job, from) {
		int n = job, result, r = bad_fifth(&n, &result);

		if (r < 0)
			return r;
		leat_sleep(LEAT_MS);
		r = leat_send(to, result);
		if (r < 0)
			return r;
	}
	return 0;
}

TEST_SIM(trap_7_one_bad_job_ends_all, 5)
{
	jobs = leat_chan_make(int, JOBS);
	results = leat_chan_make(int, JOBS);
	send_jobs(JOBS);
	leat_close(jobs);
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	for (int i = 0; i < WORKERS; i++)
		CHECK_EQ(leat_go_in(&group, strict_worker, jobs, results), 0);
	CHECK_EQ(leat_group_wait(&group), -EBADMSG);
	CHECK(leat_chan_len(results) < 5 + WORKERS);
	CHECK(leat_chan_len(jobs) > JOBS / 2); /* which nobody will do */
	leat_group_release(&group);
	leat_chan_unref(jobs);
	leat_chan_unref(results);
}

TEST_SIM(answer_7_a_bad_job_is_counted, 5)
{
	leat_pool(int) pool = make_pool(bad_fifth, LEAT_ERROR_COUNT, LEAT_POOL_AS_COMPLETED);
	leat_ledger ledger;
	int n = 0;

	leat_range(result, results)
		n += result;
	CHECK_EQ(n, JOBS * (JOBS - 1) - 2 * 5);
	CHECK_EQ(end_pool(pool, &ledger), 0);
	CHECK_EQ(ledger.out, JOBS - 1);
	CHECK_EQ(ledger.failed, 1);
}

/* 8: with a task for each stage one item is worked on at a time, whatever the machine has. */
static int64_t ms_since(int64_t began)
{
	return (leat_now() - began) / LEAT_MS;
}

TEST_SIM(trap_8_a_stage_is_one_task, 5)
{
	int64_t began = leat_now();
	int n = 0;

	begin_stages(JOBS, slow);
	leat_range(result, results)
		n += result;
	CHECK_EQ(n, JOBS * (JOBS - 1));
	CHECK(ms_since(began) >= SLOW_JOBS_MS);
	end_by_hand();
}

TEST_SIM(answer_8_a_stage_is_as_wide_as_it_is_told, 5)
{
	struct range range = { 0, JOBS };
	struct sum sum = { 0 };
	int64_t began = leat_now();

	CHECK_EQ(run_pipeline(&range, &sum, PARALLEL, slow), 0);
	CHECK_EQ(sum.sum, JOBS * (JOBS - 1));
	CHECK(ms_since(began) < SLOW_JOBS_MS / 2);
}

/* 9: a task for each item is no bound on memory; the answer is the limit of the group. */
LEAT_TASK(hold, (struct gauge *, g))
{
	gauge_enter(g);
	leat_sleep(LEAT_MS);
	gauge_leave(g);
}

static int most_at_once(int64_t limit)
{
	struct gauge g = { 0 };
	leat_group tasks;

	CHECK_EQ(leat_group_init(&tasks, LEAT_GROUP_OPTIONS(.limit = limit)), 0);
	for (int i = 0; i < 500; i++)
		CHECK_EQ(leat_go_in(&tasks, hold, &g), 0);
	CHECK_EQ(leat_group_wait(&tasks), 0);
	leat_group_release(&tasks);
	return g.most;
}

TEST_SIM(trap_9_as_many_tasks_as_items, 5)
{
	CHECK(most_at_once(0) > 100);
}

TEST_SIM(answer_9_a_limit_bounds_the_tasks, 5)
{
	CHECK_EQ(most_at_once(10), 10);
}

/* 10: a channel as a semaphore does not see that more is released than was acquired. */
TEST_SIM(trap_10_a_channel_does_not_see_an_over_release, 5)
{
	leat_chan(int) sem = leat_chan_make(int, 3);
	int v;

	CHECK_EQ(leat_send(sem, 1), 0);
	CHECK_EQ(leat_send(sem, 1), 0);
	/* Two releases by one who had one: another's is gone, and nobody is told. */
	CHECK_EQ(leat_recv(sem, &v), 0);
	CHECK_EQ(leat_recv(sem, &v), 0);
	CHECK_EQ(leat_chan_len(sem), 0);
	leat_chan_unref(sem);
}

TEST_DEATH(answer_10_a_semaphore_does, "leat_sem_release")
{
	leat_sem sem;

	leat_sem_init(&sem, 3, 0);
	CHECK_EQ(leat_sem_try_acquire(&sem, 1), 0);
	leat_sem_release(&sem, 2);
}

/* 11: results come as the workers have them. */
TEST_SIM(trap_11_results_are_in_no_order, 5)
{
	struct sum sum = { 0 };

	begin_by_hand(JOBS, slow);
	send_jobs(JOBS);
	leat_close(jobs);
	for (int result, i = 0; i < JOBS; i++) {
		CHECK_EQ(leat_recv(results, &result), 0);
		add(&sum, &result);
	}
	CHECK(!sum.sorted);
	end_by_hand();
}

TEST_SIM(answer_11_a_pool_hands_on_as_submitted, 5)
{
	int64_t began = leat_now();
	leat_pool(int) pool = make_pool(slow, LEAT_ERROR_STOP, LEAT_POOL_AS_SUBMITTED);
	struct sum sum = { 0 };
	leat_ledger ledger;

	leat_range(result, results) {
		int n = result;

		add(&sum, &n);
	}
	CHECK_EQ(sum.n, JOBS);
	CHECK(sum.sorted);
	CHECK(ms_since(began) < SLOW_JOBS_MS / 2);
	CHECK_EQ(end_pool(pool, &ledger), 0);
}

/* 12: in order by hand: the workers wait for their turn, so behind a slow head nobody works. */
static atomic_int begun;

static int stuck_first(int *job, int *ret_result)
{
	atomic_fetch_add(&begun, 1);
	leat_sleep(*job == 0 ? 10 * LEAT_S : LEAT_MS);
	return twice(job, ret_result);
}

LEAT_TASK(worker_in_turn, (leat_chan(int) *, turn))
{
	leat_range(job, jobs) {
		int n = job, result, v;

		stuck_first(&n, &result);
		if (leat_recv(turn[n], &v) < 0 || leat_send(results, result) < 0 ||
		    leat_send(turn[n + 1], v) < 0)
			return;
	}
}

/* How many jobs have begun after five seconds of a head that takes ten. */
LEAT_TASK(look, (int *, ret_begun))
{
	leat_sleep(5 * LEAT_S);
	*ret_begun = atomic_load(&begun);
}

TEST_SIM(trap_12_behind_a_slow_head_all_wait, 5)
{
	leat_chan(int) turn[JOBS + 1];
	int after_5s = 0;

	begun = 0;
	for (int i = 0; i <= JOBS; i++)
		turn[i] = leat_chan_make(int, 1);
	jobs = leat_chan_make(int, JOBS);
	results = leat_chan_make(int, JOBS);
	send_jobs(JOBS);
	leat_close(jobs);
	CHECK_EQ(leat_send(turn[0], 0), 0);
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	for (int i = 0; i < WORKERS; i++)
		CHECK_EQ(leat_go_in(&group, worker_in_turn, turn), 0);
	CHECK_EQ(leat_go_in(&group, look, &after_5s), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	CHECK_EQ(after_5s, WORKERS);
	CHECK_EQ(leat_chan_len(results), JOBS);
	end_by_hand();
	for (int i = 0; i <= JOBS; i++)
		leat_chan_unref(turn[i]);
}

static void mark(int *ret_result)
{
	*ret_result = 0;
}

/* Till ten results are there; *ret_begun: in the first five seconds. */
static int64_t first_ten(int64_t gap_after, int *ret_begun)
{
	struct range range = { 0, JOBS };
	struct sum sum = { .enough = 10 };
	int64_t began = leat_now(), took;
	leat_group watch;

	begun = 0;
	CHECK_EQ(leat_group_init(&watch, NULL), 0);
	CHECK_EQ(leat_go_in(&watch, look, ret_begun), 0);
	CHECK_EQ(run_pipeline(&range, &sum,
			      &(leat_stage_options){ .mode = LEAT_STAGE_ORDERED, .window = 8,
						     .gap_after = gap_after,
						     .gap = gap_after > 0 ?
							     LEAT_STAGE_GAP(int, mark) : NULL },
			      stuck_first), 0);
	CHECK(sum.sorted);
	took = leat_now() - began;
	CHECK_EQ(leat_group_wait(&watch), 0);
	leat_group_release(&watch);
	return took;
}

TEST_SIM(answer_12_items_wait_and_not_workers_and_a_gap_ends_it, 5)
{
	int after_5s = 0;

	CHECK(first_ten(0, &after_5s) >= 10 * LEAT_S);
	CHECK(after_5s >= 8);
	CHECK(first_ten(50 * LEAT_MS, &after_5s) < LEAT_S);
}
