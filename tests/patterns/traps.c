/*
 * The traps of the page's own programs: each on plain channels, and the pattern that does not
 * have it.  In simulation, so that a trap is found and not waited for.
 */
#include "patterns.h"
#include "range.h"

#include <leat/leat.h>

static int twice(int *job, int *ret_result)
{
	*ret_result = *job * 2;
	return 0;
}

LEAT_TASK(worker, (leat_chan(int), jobs), (leat_chan(int), results))
{
	leat_range(job, jobs)
		if (leat_send(results, job * 2) < 0)
			return;
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

static void begin_by_hand(size_t capacity)
{
	jobs = leat_chan_make(int, capacity);
	results = leat_chan_make(int, capacity);
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&group, worker, jobs, results), 0);
}

static void end_by_hand(void)
{
	leat_group_cancel(&group, 0);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
	leat_chan_unref(jobs);
	leat_chan_unref(results);
}

/* 1: results is never closed, so a range over it hangs. */
static int range_by_hand(void *arg)
{
	(void)arg;
	begin_by_hand(100);
	CHECK_EQ(leat_send(jobs, 1), 0);
	leat_close(jobs);
	leat_range(result, results)
		CHECK_EQ(result, 2);
	return 0;
}

static leat_pool(int) make_pool(size_t queue, leat_chan(int) to)
{
	leat_pool(int) pool = NULL;

	CHECK_EQ(leat_pool_make_to(&pool, to, twice, .workers = 3, .queue = queue,
				   .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_STOP,
				   .order = LEAT_POOL_AS_COMPLETED), 0);
	return pool;
}

TEST_PLAIN(results_that_are_never_closed)
{
	CHECK_EQ(simulate(range_by_hand), -EDEADLK);
}

TEST_SIM(a_pool_closes_its_results, 5)
{
	leat_chan(int) to = leat_chan_make(int, 100);
	leat_pool(int) pool = make_pool(100, to);
	int n = 0;

	CHECK_EQ(leat_pool_submit(pool, 1), 0);
	leat_pool_close(pool);
	leat_range(result, to)
		n += result;
	CHECK_EQ(n, 2);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
	leat_chan_unref(to);
}

/* 2: send all, then read: fine to 203 jobs, and the 204th hangs. */
static int send_all(int n)
{
	begin_by_hand(100);
	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_send(jobs, i), 0);
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

TEST_PLAIN(the_204th_send_hangs)
{
	CHECK_EQ(simulate(send_203), 0);
	CHECK_EQ(simulate(send_204), -EDEADLK);
}

struct sum {
	int n, enough;
	long sum;
	bool sorted;
	int last;
};

static int add(struct sum *sum, int *n)
{
	sum->sorted &= *n >= sum->last;
	sum->last = *n;
	sum->sum += *n;
	return ++sum->n == sum->enough ? LEAT_ECLOSED : 0;
}

/* A source, a stage and a sink with a bound between them: any number goes through. */
static int run_pipeline(struct range *range, struct sum *sum, const leat_stage_options *o,
			int (*fn)(int *, int *))
{
	leat_pipeline *p;
	leat_flow(int) a, b;
	int r;

	sum->sorted = true;
	CHECK_EQ(leat_pipeline_make(&p, .live = 16), 0);
	leat_pipeline_source(p, &a, range, count, .name = "count");
	leat_pipeline_map(p, a, &b, fn, .name = "work", .mode = o->mode, .workers = o->workers,
			  .on_error = LEAT_ERROR_STOP, .window = o->window,
			  .gap_after = o->gap_after, .gap = o->gap);
	leat_pipeline_sink_with(p, b, sum, add, .name = "add", .mode = LEAT_STAGE_SERIAL,
				.on_error = LEAT_ERROR_STOP);
	r = leat_pipeline_run(p);
	CHECK_EQ(leat_pipeline_destroy(p, NULL), r);
	return r;
}

#define PARALLEL &(leat_stage_options){ .mode = LEAT_STAGE_PARALLEL, .workers = 3 }
#define ORDERED &(leat_stage_options){ .mode = LEAT_STAGE_ORDERED, .workers = 3, .window = 8 }

TEST_SIM(a_pipeline_takes_any_number, 5)
{
	struct range range = { 0, 2000 };
	struct sum sum = { 0 };

	CHECK_EQ(run_pipeline(&range, &sum, PARALLEL, twice), 0);
	CHECK_EQ(sum.sum, 1999L * 2000);
}

/* 3 and 4: nobody joins the workers, and an early exit leaves them blocked for ever. */
LEAT_TASK(generate, (leat_chan(int), out), (atomic_int *, running))
{
	int i = 0;

	atomic_fetch_add(running, 1);
	while (leat_send(out, i) == 0)
		i++;
	atomic_fetch_sub(running, 1);
}

TEST_SIM(an_early_break_leaks_the_generator, 5)
{
	leat_chan(int) out = leat_chan_make(int, 0);
	atomic_int running = 0;
	leat_group tasks;
	int v;

	CHECK_EQ(leat_group_init(&tasks, NULL), 0);
	CHECK_EQ(leat_go_in(&tasks, generate, out, &running), 0);
	CHECK_EQ(leat_recv(out, &v), 0);
	leat_sleep(LEAT_S);
	CHECK_EQ(running, 1); /* for ever, in Go */
	leat_abandon(out);
	CHECK_EQ(leat_group_wait(&tasks), 0);
	leat_group_release(&tasks);
	CHECK_EQ(running, 0);
	leat_chan_unref(out);
}

TEST_SIM(a_sink_that_has_enough_ends_all, 5)
{
	int64_t before = leat_group_live(leat_group_root());
	struct range range = { 0, 1000000 };
	struct sum sum = { .enough = 3 };

	CHECK_EQ(run_pipeline(&range, &sum, ORDERED, twice), 0);
	CHECK_EQ(sum.sum, 0 + 2 + 4);
	CHECK(range.next < 100);
	CHECK_EQ(leat_group_live(leat_group_root()), before);
}

/* 5: a sleep that nothing ends; here a cancel does. */
LEAT_TASK_ERR(sleep_long, (int, s))
{
	return leat_sleep(s * LEAT_S);
}

TEST_SIM(a_sleep_ends_with_its_group, 5)
{
	int64_t began = leat_now();
	leat_group tasks;

	CHECK_EQ(leat_group_init(&tasks, NULL), 0);
	CHECK_EQ(leat_go_in(&tasks, sleep_long, 1000), 0);
	leat_sleep(LEAT_MS);
	leat_group_cancel(&tasks, 0);
	CHECK(leat_group_wait(&tasks) < 0);
	leat_group_release(&tasks);
	CHECK(leat_now() - began < LEAT_S);
}

/* 6 and 7: a job cannot fail, or ends everything; here an error arrives, or is counted. */
static int bad_fifth(int *job, int *ret_result)
{
	return *job == 5 ? -EBADMSG : twice(job, ret_result);
}

TEST_SIM(an_error_arrives, 5)
{
	struct range range = { 0, 100 };
	struct sum sum = { 0 };

	CHECK_EQ(run_pipeline(&range, &sum, PARALLEL, bad_fifth), -EBADMSG);
}

/* 8: one task for each stage: no parallelism; 11: with more, no order; 12: with order, waiting. */
static int slow(int *job, int *ret_result)
{
	leat_sleep(*job % 3 ? LEAT_MS : 3 * LEAT_MS);
	return twice(job, ret_result);
}

static int64_t time_of(const leat_stage_options *o, struct sum *sum)
{
	struct range range = { 0, 60 };
	int64_t began = leat_now();

	*sum = (struct sum){ 0 };
	CHECK_EQ(run_pipeline(&range, sum, o, slow), 0);
	CHECK_EQ(sum->n, 60);
	return leat_now() - began;
}

TEST_SIM(stages_are_as_wide_as_they_are_told, 5)
{
	struct sum sum;
	int64_t one = time_of(&(leat_stage_options){ .mode = LEAT_STAGE_SERIAL }, &sum), three;

	CHECK(sum.sorted);
	three = time_of(PARALLEL, &sum);
	CHECK(!sum.sorted);
	CHECK(three < one / 2);
	three = time_of(ORDERED, &sum);
	CHECK(sum.sorted);
	CHECK(three < one / 2);
}

/* 9: a task for each item is no bound on memory; a limit is. */
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

TEST_SIM(a_limit_bounds_the_tasks, 3)
{
	CHECK(most_at_once(0) > 100);
	CHECK_EQ(most_at_once(10), 10);
}

/* 10: a channel as a semaphore does not see that more is released than was acquired. */
TEST_SIM(a_channel_does_not_see_an_over_release, 3)
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

TEST_DEATH(a_semaphore_does, "leat_sem_release")
{
	leat_sem sem;

	leat_sem_init(&sem, 3, 0);
	CHECK_EQ(leat_sem_try_acquire(&sem, 1), 0);
	leat_sem_release(&sem, 2);
}

/* 12: behind a slow head everything waits; a gap lets it go on. */
static int stuck_first(int *job, int *ret_result)
{
	leat_sleep(*job == 0 ? 10 * LEAT_S : LEAT_MS);
	return twice(job, ret_result);
}

static void mark(int *ret_result)
{
	*ret_result = 0;
}

static int64_t first_ten(int64_t gap_after)
{
	struct range range = { 0, 30 };
	struct sum sum = { .enough = 10 };
	int64_t began = leat_now();

	CHECK_EQ(run_pipeline(&range, &sum,
			      &(leat_stage_options){ .mode = LEAT_STAGE_ORDERED, .workers = 3,
						     .window = 8, .gap_after = gap_after,
						     .gap = gap_after > 0 ?
							     LEAT_STAGE_GAP(int, mark) : NULL },
			      stuck_first), 0);
	return leat_now() - began;
}

TEST_SIM(a_gap_for_the_head_of_the_line, 3)
{
	CHECK(first_ten(0) >= 10 * LEAT_S);
	CHECK(first_ten(50 * LEAT_MS) < LEAT_S);
}
