/* Tasks that wait for their own pool below one of its jobs: in timeouts, groups, forks, loops. */
#include "patterns.h"

#include <leat/leat.h>

enum way { ITSELF, TIMEOUT, TIMEOUT_IN_TIMEOUT, GROUP, FORK, LOOP, POOL, WAYS };

/* Each job asks so many others, down to 0. */
enum { ASKS = 2, DEPTH = 3, JOBS = 15 };

struct job {
	int n;
	enum way way;
	leat_sender(int) reply;	/* of how many jobs it has taken */
};

struct question {
	int n;
	enum way way;
	int answer;
};

static leat_pool(struct job) pool;
static struct gauge gauge;
static atomic_int done;

static int ask(struct question *q)
{
	leat_chan(int) reply = leat_oneshot(int);
	struct job job = { q->n, q->way, leat_to_sender(reply) };
	int r = leat_pool_submit(pool, job);

	if (r == 0)
		r = leat_pool_recv(pool, reply, &q->answer, LEAT_FOREVER);
	leat_chan_unref(reply);
	return r;
}

static int ask_in_time(struct question *q)
{
	return leat_timeout(ask, q, 1000 * LEAT_S);
}

LEAT_TASK_ERR(ask_in_task, (struct question *, q))
{
	return ask(q);
}

static int ask_in_group(struct question *q)
{
	leat_group group;
	int r, go = 0;

	leat_group_init(&group, NULL);
	for (int i = 0; i < ASKS && go == 0; i++)
		go = leat_go_in(&group, ask_in_task, &q[i]);
	r = leat_group_wait(&group);
	leat_group_release(&group);
	return r < 0 ? r : go;
}

static int ask_in_fork(struct question *q)
{
	leat_forked forked;
	int r, r1;

	leat_fork(&forked, ask_in_task, &q[1]);
	r = ask(&q[0]);
	r1 = leat_join(&forked);
	return r < 0 ? r : r1;
}

static int ask_by_address(struct question **q)
{
	return ask(*q);
}

static int ask_in_pool(struct question *q)
{
	leat_pool(struct question *) inner;
	int r = leat_pool_make(&inner, ask_by_address, .workers = ASKS, .queue = ASKS,
			       .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_STOP);

	if (r < 0)
		return r;
	for (int i = 0; i < ASKS && r == 0; i++) {
		struct question *one = &q[i];

		r = leat_pool_submit(inner, one);
	}
	r = r < 0 ? r : leat_pool_drain(inner, LEAT_FOREVER);
	leat_pool_destroy(inner, NULL);
	return r;
}

static int ask_all(struct question *q)
{
	int r = 0;

	switch (q->way) {
	case GROUP:
		return ask_in_group(q);
	case FORK:
		return ask_in_fork(q);
	case LOOP:
		return leat_parallel_each(q, ASKS, ask);
	case POOL:
		return ask_in_pool(q);
	case ITSELF:
	case TIMEOUT:
	case TIMEOUT_IN_TIMEOUT:
	case WAYS:
		break;
	}
	for (int i = 0; i < ASKS && r == 0; i++)
		r = q->way == ITSELF ? ask(&q[i])
		  : q->way == TIMEOUT ? ask_in_time(&q[i])
		  : leat_timeout(ask_in_time, &q[i], 1000 * LEAT_S);
	return r;
}

static int work(struct job *job)
{
	struct question q[ASKS];
	int jobs = 1, r = 0;

	for (int i = 0; i < ASKS; i++)
		q[i] = (struct question){ .n = job->n - 1, .way = job->way };
	if (job->n > 0)
		r = ask_all(q);
	if (r < 0)
		return r;
	for (int i = 0; i < ASKS; i++)
		jobs += q[i].answer;
	return leat_send(job->reply, jobs);
}

static int work_to(struct job *job, int *ret_n)
{
	*ret_n = job->n;
	return work(job);
}

/* What waits has another key than what it waits for. */
static uint64_t key_of(const struct job *job)
{
	return (uint64_t)job->n;
}

static void make(int workers, enum leat_pool_order order, leat_chan(int) results)
{
	if (order == LEAT_POOL_AS_SUBMITTED)
		CHECK_EQ(leat_pool_make_to(&pool, results, work_to, .workers = workers, .queue = 1,
					   .overflow = LEAT_OVERFLOW_BLOCK,
					   .on_error = LEAT_ERROR_STOP, .order = order,
					   .window = 2), 0);
	else
		CHECK_EQ(leat_pool_make(&pool, work, .workers = workers, .queue = 1,
					.overflow = LEAT_OVERFLOW_BLOCK,
					.on_error = LEAT_ERROR_STOP, .order = order,
					.key = order == LEAT_POOL_PER_KEY
						? LEAT_POOL_KEY(struct job, key_of) : NULL), 0);
}

static void ask_ways(int workers, enum leat_pool_order order)
{
	for (int way = 0; way < WAYS; way++) {
		leat_chan(int) results = leat_chan_make(int, JOBS);
		struct question q = { .n = DEPTH, .way = (enum way)way };
		leat_ledger l;

		make(workers, order, results);
		CHECK_EQ(ask(&q), 0);
		CHECK_EQ(q.answer, JOBS);
		CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
		CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
		check_at_rest(&l);
		CHECK_EQ(l.out, JOBS);
		leat_chan_unref(results);
	}
}

TEST_BOTH(ways_to_wait_below_a_job, 50)
{
	for (int workers = 1; workers <= 2; workers++)
		ask_ways(workers, (enum leat_pool_order)0);
}

TEST_BOTH(ways_to_wait_below_a_job_in_order, 50)
{
	for (int workers = 1; workers <= 2; workers++)
		ask_ways(workers, LEAT_POOL_AS_SUBMITTED);
}

TEST_BOTH(ways_to_wait_below_a_job_per_key, 50)
{
	for (int workers = 1; workers <= 2; workers++)
		ask_ways(workers, LEAT_POOL_PER_KEY);
}

/* The first asks others now and then, whose results wait for its own. */
static int ask_often(struct job *job, int *ret_n)
{
	struct question q = { .n = 0 };
	int r = 0;

	*ret_n = job->n;
	for (int i = 0; i < 3 && job->n > 0 && r == 0; i++) {
		r = ask_in_time(&q);
		CHECK_EQ(leat_sleep(LEAT_MS), 0);
	}
	return r < 0 ? r : leat_send(job->reply, 1);
}

/* Who waits for room in the window, and has done what was asked, does what is asked next. */
TEST_SIM(window_full_while_one_waits_again, 50)
{
	leat_chan(int) results = leat_chan_make(int, 4);
	struct question q = { .n = 1 };
	int n = 0;

	CHECK_EQ(leat_pool_make_to(&pool, results, ask_often, .workers = 1, .queue = 1,
				   .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_STOP,
				   .order = LEAT_POOL_AS_SUBMITTED, .window = 1), 0);
	CHECK_EQ(ask(&q), 0);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
	CHECK_EQ(leat_recv(results, &n), 0);
	CHECK_EQ(n, 1);
	leat_chan_unref(results);
}

/* Both have the id of the job's task, but are not its worker. */
static int ask_in_forks(struct question *q)
{
	leat_forked forked[ASKS];
	int r = 0;

	for (int i = 0; i < ASKS; i++)
		leat_fork(&forked[i], ask_in_task, &q[i]);
	(void)leat_sleep(LEAT_US); /* they are taken */
	for (int i = ASKS - 1; i >= 0; i--)
		r |= leat_join(&forked[i]);
	return r;
}

static int ask_or_nap(struct job *job)
{
	struct question q[ASKS] = { { 0 } };
	int r;

	if (job->n > 0) {
		r = job->way == FORK ? ask_in_forks(q) : ask_in_group(q);
		return r < 0 ? r : leat_send(job->reply, 1);
	}
	gauge_enter(&gauge);
	r = leat_sleep(LEAT_MS);
	gauge_leave(&gauge);
	atomic_fetch_add(&done, 1);
	return r < 0 || !job->reply ? r : leat_send(job->reply, 1);
}

static void make_napping(int workers, enum leat_overflow overflow)
{
	gauge = (struct gauge){ 0 };
	done = 0;
	CHECK_EQ(leat_pool_make(&pool, ask_or_nap, .workers = workers, .queue = 2,
				.overflow = overflow, .on_error = LEAT_ERROR_STOP), 0);
}

static void end_napping(uint64_t jobs)
{
	leat_ledger l;

	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.out, jobs);
}

/* However many tasks below a job wait: one works in its worker's place. */
static void ask_at_once(enum way way)
{
	for (int workers = 1; workers <= 3; workers++) {
		leat_chan(int) reply = leat_chan_make(int, 3);
		struct job asks = { 1, way, leat_to_sender(reply) };
		int v;

		make_napping(workers, LEAT_OVERFLOW_BLOCK);
		for (int i = 0; i < workers; i++)
			CHECK_EQ(leat_pool_submit(pool, asks), 0);
		for (int i = 0; i < workers; i++)
			CHECK_EQ(leat_recv(reply, &v), 0);
		CHECK(gauge.most <= workers);
		end_napping((uint64_t)workers * (1 + ASKS));
		leat_chan_unref(reply);
	}
}

TEST_SIM(one_place_is_lent_for_a_job, 50)
{
	ask_at_once(GROUP);
	ask_at_once(FORK);
}

/* None begins in the pause; then the one that waits is answered, and so many are done. */
static void pause_and_end(leat_chan(int) reply, uint64_t jobs)
{
	int before, v;

	CHECK_EQ(leat_pool_pause(pool, LEAT_FOREVER), 0);
	before = done;
	CHECK_EQ(leat_sleep(LEAT_S), 0);
	CHECK_EQ(done, before);
	leat_pool_resume(pool);
	CHECK_EQ(leat_recv(reply, &v), 0);
	end_napping(jobs);
	leat_chan_unref(reply);
}

/* Who pauses it waits for a job that waits for others; then none begins. */
TEST_SIM(pause_while_tasks_wait_below_a_job, 50)
{
	for (int i = 0; i < 8; i++) {
		leat_chan(int) reply = leat_chan_make(int, 1);
		struct job asks = { .n = 1, .reply = leat_to_sender(reply) }, alone = { 0 };

		make_napping(1, i % 2 ? LEAT_OVERFLOW_CALLER_RUNS : LEAT_OVERFLOW_BLOCK);
		CHECK_EQ(leat_pool_submit(pool, asks), 0);
		CHECK_EQ(leat_sleep(i / 2 * 400 * LEAT_US), 0);
		CHECK_EQ(leat_pool_submit(pool, alone), 0);
		pause_and_end(reply, 1 + ASKS + 1);
	}
}

LEAT_TASK(submit_one, (struct job, job))
{
	CHECK_EQ(leat_pool_submit(pool, job), 0);
}

/* The same of a job that a caller does, in a task of its own. */
TEST_SIM(pause_while_a_caller_waits, 50)
{
	for (int i = 0; i < 8; i++) {
		leat_chan(int) reply = leat_chan_make(int, 1);
		struct job asks = { .n = 1, .way = i % 2 ? FORK : GROUP,
				    .reply = leat_to_sender(reply) }, alone = { 0 };

		make_napping(1, LEAT_OVERFLOW_CALLER_RUNS);
		for (int j = 0; j < 3; j++) {
			CHECK_EQ(leat_pool_submit(pool, alone), 0);
			CHECK_EQ(leat_sleep(LEAT_US), 0);
		}
		CHECK_EQ(leat_go(submit_one, asks), 0);
		CHECK_EQ(leat_sleep(LEAT_US + i / 2 * 400 * LEAT_US), 0);
		pause_and_end(reply, 1 + ASKS + 3);
	}
}

/* The pool's end reaches them. */
TEST_SIM(stop_while_tasks_wait_below_a_job, 50)
{
	for (int i = 0; i < 8; i++) {
		leat_chan(int) reply = leat_chan_make(int, 1);
		struct job asks = { .n = 1, .reply = leat_to_sender(reply) };
		leat_ledger l;

		make_napping(1, LEAT_OVERFLOW_BLOCK);
		CHECK_EQ(leat_pool_submit(pool, asks), 0);
		CHECK_EQ(leat_sleep(i * 200 * LEAT_US), 0);
		leat_pool_abort(pool, -EPERM);
		CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), -EPERM);
		CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), -EPERM);
		check_at_rest(&l);
		leat_chan_unref(reply);
	}
}
