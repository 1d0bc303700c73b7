/*
 * conc's tests of its pools, its streams and its iterators: see README.md.
 *
 * A pool of functions is a leat_pool whose jobs are data; one that is used again, a leat_group.  A
 * stream (parallel tasks, and callbacks one after the other in the order of the tasks) is a
 * pipeline: an ordered stage and a serial sink.  A panic is an error here.
 */
#include "../patterns/patterns.h"

static struct gauge gauge;
static atomic_int done, cancelled, failures[2];

static void reset(void)
{
	gauge = (struct gauge){ 0 };
	done = cancelled = failures[0] = failures[1] = 0;
}

#define STOP .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_STOP
#define COUNT .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_COUNT
#define SUBMITTED(n) .order = LEAT_POOL_AS_SUBMITTED, .window = (n)

static int count(int *job)
{
	(void)job;
	atomic_fetch_add(&done, 1);
	return 0;
}

/* pool: basic; wait returns no error if there are none. */
TEST_BOTH(pool_runs_every_job, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	reset();
	CHECK_EQ(leat_pool_make(&pool, count, .workers = 10, .queue = 100, STOP), 0);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(done, 100);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.out, 100);
}

/* Takes a millisecond, and tells its own number. */
static int take_a_while(int *job, int *ret_result)
{
	gauge_enter(&gauge);
	leat_sleep(LEAT_MS);
	gauge_leave(&gauge);
	*ret_result = *job;
	return 0;
}

static void check_limit(int limit)
{
	int n = 10 * limit, i = 0;
	leat_chan(int) results = leat_chan_make(int, (size_t)n);
	leat_pool(int) pool;

	reset();
	CHECK_EQ(leat_pool_make_to(&pool, results, take_a_while, .workers = limit,
				   .queue = (size_t)n, STOP, SUBMITTED((size_t)limit)), 0);
	for (int k = 0; k < n; k++)
		CHECK_EQ(leat_pool_submit(pool, k), 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(gauge.now, 0);
	CHECK_EQ(gauge.most, limit);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
	leat_range(result, results)
		CHECK_EQ(result, i++);
	CHECK_EQ(i, n);
	leat_chan_unref(results);
}

TEST_SIM(pool_limit_1, 10)
{
	check_limit(1);
}

TEST_SIM(pool_limit_10, 10)
{
	check_limit(10);
}

TEST_SIM(pool_limit_100, 5)
{
	check_limit(100);
}

/* The same on the workers, where a limit can be broken by a race. */
static int stay_below(int *job)
{
	gauge_enter(&gauge);
	leat_yield();
	gauge_leave(&gauge);
	return count(job);
}

TEST(pool_limits_are_kept)
{
	static const int limits[] = { 1, 10, 100 };
	leat_pool(int) pool;

	for (int k = 0; k < 3; k++) {
		reset();
		CHECK_EQ(leat_pool_make(&pool, stay_below, .workers = limits[k], .queue = 50, STOP),
			 0);
		for (int i = 0; i < 100 * limits[k]; i++)
			CHECK_EQ(leat_pool_submit(pool, i), 0);
		CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
		CHECK_EQ(done, 100 * limits[k]);
		CHECK(gauge.most <= limits[k]);
		CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
	}
}

static int fail(int *job)
{
	(void)job;
	atomic_fetch_add(&done, 1);
	return -EIO;
}

/* A worker whose job has failed does the next one. */
TEST_BOTH(errors_do_not_exhaust_workers, 20)
{
	leat_pool(int) pool;
	leat_ledger l;

	reset();
	CHECK_EQ(leat_pool_make(&pool, fail, .workers = 2, .queue = 1, COUNT), 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(done, 10);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.failed, 10);
}

/* The options are given when it is made, so that they cannot change later; those are refused. */
TEST_WITH(pool_of_no_workers, .log = log_line)
{
	leat_pool(int) pool;

	CHECK_EQ(leat_pool_make(&pool, count, .workers = 0, .queue = 1, STOP), -EINVAL);
	CHECK(strstr(logged, "workers"));
	CHECK_EQ(leat_pool_make(&pool, count, .workers = -10, .queue = 1, STOP), -EINVAL);
}

static int nap_at_random(int *job, int *ret_result)
{
	leat_sleep((int64_t)leat_random(10000) * LEAT_US / 10);
	*ret_result = *job;
	return 0;
}

/* Results are in the order of the submits, whoever was done first. */
TEST_BOTH(results_deterministic_order, 30)
{
	leat_chan(int) results = leat_chan_make(int, 100);
	leat_pool(int) pool;
	int i = 0;

	CHECK_EQ(leat_pool_make_to(&pool, results, nap_at_random, .workers = 100, .queue = 100,
				   STOP, SUBMITTED(100)), 0);
	for (int k = 0; k < 100; k++)
		CHECK_EQ(leat_pool_submit(pool, k), 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
	leat_range(result, results)
		CHECK_EQ(result, i++);
	CHECK_EQ(i, 100);
	leat_chan_unref(results);
}

/* A pool is over when it has been waited for; a group goes on. */
LEAT_TASK_ERR(one_of_group, (int, n))
{
	int r = leat_sleep((int64_t)(5 - n) * LEAT_MS);

	if (r < 0)
		return r;
	*(int *)leat_group_result_slot() = n;
	return n == 3 ? -EIO : n == 4 ? -EDOM : 0;
}

static void check_reuse(leat_group *group, int a, int b, int results, int error)
{
	int got[2] = { -1, -1 };

	CHECK_EQ(leat_go_in(group, one_of_group, a), 0);
	CHECK_EQ(leat_go_in(group, one_of_group, b), 0);
	CHECK_EQ(leat_group_wait(group), error);
	CHECK_EQ(leat_results(group, got, 2), results);
	CHECK_EQ(got[0], results > 0 ? a : -1);
}

TEST_BOTH(results_reuse, 20)
{
	leat_group group;

	CHECK_EQ(leat_group_init(&group, LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE, .limit = 10,
							    .result_size = sizeof(int))), 0);
	check_reuse(&group, 1, 2, 2, 0);
	check_reuse(&group, 2, 1, 2, 0);
	/* What failed has no result; the error is the first of the group's life, not the wait's. */
	check_reuse(&group, 1, 3, 1, -EIO);
	check_reuse(&group, 4, 3, 0, -EIO);
	leat_group_release(&group);
}

/* Jobs of the error and context pools. */
enum { GOOD, BAD_1, BAD_2, BAD_LATE, WAITS, WAITS_10_MS };

static int work(int *job, int *ret_result)
{
	int r = 0;

	switch (*job) {
	case BAD_1:
		return -EIO;
	case BAD_LATE:
		leat_sleep(10 * LEAT_MS);
		return -EDOM;
	case BAD_2:
		return -EDOM;
	case WAITS:
		r = leat_sleep(LEAT_FOREVER);
		break;
	case WAITS_10_MS:
		r = leat_sleep(10 * LEAT_MS);
		break;
	}
	if (r == -ECANCELED)
		atomic_fetch_add(&cancelled, 1);
	*ret_result = *job;
	return r;
}

static void note_failure(int *job, int error)
{
	if (*job == WAITS) {	/* cancelled */
		CHECK_EQ(error, -ECANCELED);
		return;
	}
	CHECK_EQ(error, *job == BAD_1 ? -EIO : -EDOM);
	atomic_fetch_add(&failures[*job == BAD_1 ? 0 : 1], 1);
}

/* Runs jobs; the pool's error, which both the drain and the destroy return. */
static int run_jobs(const int *jobs, int n, enum leat_on_error on_error, int *ret_nresults)
{
	leat_chan(int) results = leat_chan_make(int, 10);
	leat_pool(int) pool;
	leat_ledger l;
	int r;

	reset();
	*ret_nresults = 0;
	CHECK_EQ(leat_pool_make_to(&pool, results, work, .workers = 3, .queue = 10,
				   .overflow = LEAT_OVERFLOW_BLOCK, .on_error = on_error,
				   SUBMITTED(10),
				   .failed = LEAT_POOL_FAILED(int, note_failure)), 0);
	for (int i = 0; i < n; i++) {
		r = leat_pool_submit(pool, jobs[i]);
		CHECK(r == 0 || r == LEAT_ECLOSED);
	}
	r = leat_pool_drain(pool, LEAT_FOREVER);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), r);
	check_at_rest(&l);
	leat_range(result, results)
		++*ret_nresults;
	CHECK_EQ(l.out, (uint64_t)*ret_nresults);
	leat_chan_unref(results);
	return r;
}

TEST_BOTH(error_if_a_job_returns_one, 20)
{
	const int jobs[] = { BAD_1 };
	int n;

	CHECK_EQ(run_jobs(jobs, 1, LEAT_ERROR_STOP, &n), -EIO);
	CHECK_EQ(n, 0);
}

/* All errors are seen, each with its job, and the results are those of the others. */
TEST_BOTH(all_errors_are_seen, 20)
{
	const int jobs[] = { BAD_1, GOOD, BAD_2 };
	int n;

	CHECK_EQ(run_jobs(jobs, 3, LEAT_ERROR_COUNT, &n), 0);
	CHECK_EQ(n, 1);
	CHECK_EQ(failures[0], 1);
	CHECK_EQ(failures[1], 1);
}

/* WithFirstError. */
TEST_SIM(first_error_is_the_pools, 20)
{
	const int jobs[] = { BAD_LATE, BAD_1 };
	int n;

	CHECK_EQ(run_jobs(jobs, 2, LEAT_ERROR_STOP, &n), -EIO);
	CHECK_EQ(n, 0);
}

/* WithFailFast: the first error, and not that of those that it has cancelled. */
TEST_BOTH(fail_fast, 30)
{
	const int jobs[] = { WAITS, BAD_1, WAITS };
	int n;

	CHECK_EQ(run_jobs(jobs, 3, LEAT_ERROR_STOP, &n), -EIO);
	CHECK_EQ(n, 0);
}

/* WithCancelOnError: those that run are cancelled, all of them. */
TEST_SIM(cancel_on_error, 30)
{
	const int jobs[] = { WAITS, WAITS, BAD_LATE };
	int n;

	CHECK_EQ(run_jobs(jobs, 3, LEAT_ERROR_STOP, &n), -EDOM);
	CHECK_EQ(n, 0);
	CHECK_EQ(cancelled, 2);
}

/* no WithCancelOnError: the others go on. */
TEST_BOTH(no_cancel_on_error, 20)
{
	const int jobs[] = { WAITS_10_MS, BAD_1 };
	int n;

	CHECK_EQ(run_jobs(jobs, 2, LEAT_ERROR_COUNT, &n), 0);
	CHECK_EQ(n, 1);
	CHECK_EQ(cancelled, 0);
	CHECK_EQ(failures[0], 1);
}

/* context error propagates: a pool is below the group in which it is made. */
LEAT_TASK_ERR(pool_below, (int, job), (int *, ret))
{
	int n;

	*ret = run_jobs(&job, 1, LEAT_ERROR_STOP, &n);
	return 0;
}

static int run_below(int64_t deadline, int job)
{
	leat_group group;
	int r = 1;

	REQUIRE(leat_group_init(&group, LEAT_GROUP_OPTIONS(.deadline = deadline)) == 0);
	CHECK_EQ(leat_go_in(&group, pool_below, job, &r), 0);
	leat_sleep(2 * LEAT_MS);
	if (deadline == 0)
		leat_group_cancel(&group, 0);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
	return r;
}

TEST_SIM(context_cancelled, 20)
{
	CHECK_EQ(run_below(0, WAITS), -ECANCELED);
	CHECK_EQ(cancelled, 1);
}

TEST_SIM(context_timed_out, 20)
{
	CHECK_EQ(run_below(leat_in(LEAT_MS), WAITS), -ECANCELED);
	CHECK_EQ(cancelled, 1);
	CHECK_EQ(run_below(leat_in(5 * LEAT_MS), GOOD), 0);
}

/* stream: tasks side by side, callbacks one at a time in the order of the tasks. */
struct stream {
	struct gauge tasks, callbacks;
	int n, seen[100];
	int fail_at;		/* -1: never */
};

static int task(struct stream *s, int *in, int *ret_out)
{
	gauge_enter(&s->tasks);
	leat_sleep((int64_t)leat_random(2000) * LEAT_US);
	gauge_leave(&s->tasks);
	*ret_out = 2 * *in;
	return *in % 10 == 7 ? LEAT_SKIP : 0; /* "nil callback" */
}

static int callback(struct stream *s, int *in)
{
	gauge_enter(&s->callbacks);
	leat_sleep((int64_t)leat_random(200) * LEAT_US);
	gauge_leave(&s->callbacks);
	if (*in == s->fail_at)
		return -EIO;
	s->seen[s->n++] = *in;
	return 0;
}

LEAT_TASK(produce, (leat_chan(int), to), (int, n), (int *, ret_refused))
{
	for (int i = 0; i < n; i++)
		*ret_refused += leat_send(to, i) == LEAT_ECLOSED;
	leat_close(to);
}

static int run_stream(struct stream *s, int n, int *ret_refused)
{
	leat_chan(int) tasks = leat_chan_make(int, 0);
	leat_pipeline *p;
	leat_flow(int) a, b;
	leat_group group;
	leat_ledger l;
	int r;

	*ret_refused = 0;
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, produce, tasks, n, ret_refused), 0);
	CHECK_EQ(leat_pipeline_make(&p, .live = 10), 0);
	leat_pipeline_from(p, &a, tasks, .name = "submits");
	leat_pipeline_map_with(p, a, &b, s, task, .name = "task", .mode = LEAT_STAGE_ORDERED,
			       .workers = 5, .window = 10, .on_error = LEAT_ERROR_STOP);
	leat_pipeline_sink_with(p, b, s, callback, .name = "callback", .mode = LEAT_STAGE_SERIAL,
				.on_error = LEAT_ERROR_STOP);
	r = leat_pipeline_run(p);
	leat_pipeline_destroy(p, ledger_init(&l));
	check_at_rest(&l);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	leat_chan_unref(tasks);
	return r;
}

TEST_BOTH(stream_simple, 20)
{
	struct stream s = { .fail_at = -1 };
	int refused;

	CHECK_EQ(run_stream(&s, 5, &refused), 0);
	CHECK_EQ(s.n, 5);
	for (int i = 0; i < s.n; i++)
		CHECK_EQ(s.seen[i], 2 * i);
	CHECK_EQ(refused, 0);
}

TEST_BOTH(stream_max_tasks_and_one_callback, 20)
{
	struct stream s = { .fail_at = -1 };
	int refused;

	CHECK_EQ(run_stream(&s, 50, &refused), 0);
	CHECK_EQ(s.n, 45);
	for (int i = 1; i < s.n; i++)
		CHECK(s.seen[i] > s.seen[i - 1]);
	CHECK(s.tasks.most > 1 && s.tasks.most <= 5);
	CHECK_EQ(s.callbacks.most, 1);
}

/* A callback's error is the stream's, and nobody who submits waits for ever. */
TEST_BOTH(stream_error_in_callback_does_not_block_producers, 30)
{
	struct stream s = { .fail_at = 0 };
	int refused;

	CHECK_EQ(run_stream(&s, 100, &refused), -EIO);
	CHECK_EQ(s.n, 0);
	CHECK(refused >= 85);
}

/* The same of a pool: a result channel that is abandoned blocks no submit. */
TEST_BOTH(pool_results_abandoned_do_not_block_producers, 20)
{
	leat_chan(int) results = leat_chan_make(int, 0);
	leat_pool(int) pool;
	leat_ledger l;

	reset();
	CHECK_EQ(leat_pool_make_to(&pool, results, take_a_while, .workers = 5, .queue = 1, STOP,
				   SUBMITTED(5)), 0);
	leat_abandon(results);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.dropped[LEAT_DROPPED_UNWANTED], 100);
	leat_chan_unref(results);
}

/* iter: ForEach, Map and MapErr, over many sizes. */
static const size_t sizes[] = { 0, 1, 2, 3, 5, 8, 64, 1000, 10000 };

#define FOR_EACH_SIZE(n) for (size_t k = 0, n; k < 9 && (n = sizes[k], true); k++)

static int increment(int *element)
{
	++*element;
	return 0;
}

static int incremented(const int *in, int *ret_out)
{
	*ret_out = *in + 1;
	return 0;
}

static int incremented_and_mutated(int *in, int *ret_out)
{
	*ret_out = ++*in;
	return 0;
}

TEST_BOTH(for_each_mutates, 5)
{
	static int ints[10000];

	FOR_EACH_SIZE(n) {
		for (size_t i = 0; i < 10000; i++)
			ints[i] = (int)i;
		CHECK_EQ(leat_parallel_each(ints, n, increment), 0);
		for (size_t i = 0; i < 10000; i++)
			if (ints[i] != (int)i + (i < n))
				CHECK_EQ(ints[i], (int)i + (i < n));
	}
}

TEST_BOTH(map_leaves_its_input, 5)
{
	static int ints[10000], out[10000];

	FOR_EACH_SIZE(n) {
		for (size_t i = 0; i < 10000; i++) {
			ints[i] = (int)i;
			out[i] = -1;
		}
		CHECK_EQ(leat_parallel_map((const int *)ints, n, out, incremented), 0);
		for (size_t i = 0; i < 10000; i++)
			if (ints[i] != (int)i || out[i] != (i < n ? (int)i + 1 : -1))
				CHECK_EQ(i, -1);
		CHECK_EQ(leat_parallel_map(ints, n, out, incremented_and_mutated), 0);
		for (size_t i = 0; i < n; i++)
			if (ints[i] != (int)i + 1 || out[i] != ints[i])
				CHECK_EQ(i, -1);
	}
}

/* What MapErr does; each element's error goes where it belongs, the first one comes back. */
static int not_three(const int *in, int *ret_out)
{
	if (*in == 3 || *in == 4)
		return *in == 3 ? -EIO : -EDOM;
	*ret_out = *in + 1;
	return 0;
}

TEST_BOTH(map_err_is_propagated, 20)
{
	const int ints[] = { 1, 2, 3, 5, 6 };
	int out[5] = { 0 };

	CHECK_EQ(leat_parallel_map(ints, 5, out, not_three), -EIO);
	CHECK_EQ(out[2], 0);
	/* Those that have not begun do not: the others are done, or as they were. */
	for (int i = 0; i < 5; i++)
		CHECK(out[i] == 0 || out[i] == ints[i] + 1);
}

TEST_BOTH(map_err_of_many_is_one_of_them, 20)
{
	static int ints[10000], out[10000];
	int r;

	for (int i = 0; i < 10000; i++)
		ints[i] = i < 5000 ? 1 : i % 2 ? 3 : 4;
	r = leat_parallel_map((const int *)ints, 10000, out, not_three);
	CHECK(r == -EIO || r == -EDOM);
}

/* waitgroup: all spawned run. */
LEAT_TASK(spawned, (atomic_int *, n))
{
	atomic_fetch_add(n, 1);
}

TEST_BOTH(wait_group_all_spawned_run, 10)
{
	leat_group group;

	reset();
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(leat_go_in(&group, spawned, &done), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	CHECK_EQ(done, 100);
	leat_group_release(&group);
}
