/* Pools whose jobs have keys: what waits for its key is in the queue as any other job is. */
#include "patterns.h"

#define PER_KEY \
	.on_error = LEAT_ERROR_STOP, .order = LEAT_POOL_PER_KEY, .key = LEAT_POOL_KEY(int, key_of)

/* A job is a number: its key, and which one of the key's it is. */
enum { OF_KEY = 1000, KEYS = 4 };

static uint64_t key_of(const int *job)
{
	return (uint64_t)(*job / OF_KEY);
}

static int order[2000];
static atomic_int begun, dropped, last_dropped;
static leat_sem gate;
static struct gauge of_key[KEYS];

static void reset(void)
{
	memset(order, 0, sizeof(order));
	begun = dropped = 0;
	last_dropped = -1;
	leat_sem_init(&gate, 1, 0);
	CHECK_EQ(leat_sem_acquire(&gate, 1), 0);
	for (int i = 0; i < KEYS; i++)
		of_key[i] = (struct gauge){ 0 };
}

static void note_drop(int *job)
{
	last_dropped = *job;
	atomic_fetch_add(&dropped, 1);
}

/* A millisecond each. */
static int note(int *job)
{
	int r;

	gauge_enter(&of_key[*job / OF_KEY]);
	order[atomic_fetch_add(&begun, 1)] = *job;
	r = leat_sleep(LEAT_MS);
	gauge_leave(&of_key[*job / OF_KEY]);
	return r;
}

/* The job 0 waits until the gate is opened. */
static int note_at_gate(int *job)
{
	order[atomic_fetch_add(&begun, 1)] = *job;
	return *job == 0 ? leat_sem_acquire(&gate, 1) : 0;
}

static void check_order(const int *jobs, int n)
{
	CHECK_EQ(begun, n);
	for (int i = 0; i < n; i++)
		CHECK_EQ(order[i], jobs[i]);
}
#define BEGUN_ARE(...) \
	check_order((int[]){ __VA_ARGS__ }, (int)(sizeof((int[]){ __VA_ARGS__ }) / sizeof(int)))

static uint64_t in_flight(leat_pool(int) pool)
{
	leat_ledger l;

	CHECK_EQ(leat_pool_ledger(pool, ledger_init(&l)), 0);
	CHECK(leat_ledger_balances(&l));
	return l.in_flight;
}

/* One job of the key 0 is at work, three wait for it: the queue is full, for other keys, too. */
static leat_pool(int) fill(int workers, enum leat_overflow overflow)
{
	leat_pool(int) pool;

	reset();
	CHECK_EQ(leat_pool_make(&pool, note_at_gate, .workers = workers, .queue = 3,
				.overflow = overflow, .drop = LEAT_POOL_DROP(int, note_drop),
				PER_KEY), 0);
	CHECK_EQ(leat_pool_submit(pool, 0), 0);
	test_settle();
	for (int i = 1; i <= 3; i++) {
		CHECK_EQ(leat_pool_submit(pool, i), 0);
		test_settle();
	}
	CHECK_EQ(in_flight(pool), 4);
	CHECK_EQ(leat_pool_try_submit(pool, 4), -EAGAIN);
	CHECK_EQ(leat_pool_try_submit(pool, OF_KEY), -EAGAIN);
	return pool;
}

static void finish(leat_pool(int) pool, uint64_t out)
{
	leat_ledger l;

	leat_sem_release(&gate, 1);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.out, out);
}

TEST_SIM(a_hot_key_fills_the_queue, 30)
{
	static const int jobs[] = { 4, 5 };
	leat_pool(int) pool;

	for (int workers = 1; workers <= 3; workers++) {
		pool = fill(workers, LEAT_OVERFLOW_REJECT);
		CHECK_EQ(leat_pool_submit(pool, 4), -EAGAIN);
		CHECK_EQ(leat_pool_submit_n(pool, jobs, 2), -EAGAIN);
		finish(pool, 4);
		BEGUN_ARE(0, 1, 2, 3);

		pool = fill(workers, LEAT_OVERFLOW_DROP_NEWEST);
		CHECK_EQ(leat_pool_submit_n(pool, jobs, 2), 2);
		CHECK_EQ(dropped, 2);
		CHECK_EQ(last_dropped, 5);
		finish(pool, 4);
		BEGUN_ARE(0, 1, 2, 3);

		pool = fill(workers, LEAT_OVERFLOW_DROP_OLDEST);
		CHECK_EQ(leat_pool_submit_n(pool, jobs, 2), 2);
		CHECK_EQ(dropped, 2);
		CHECK_EQ(last_dropped, 2);
		CHECK_EQ(in_flight(pool), 4);
		finish(pool, 4);
		BEGUN_ARE(0, 3, 4, 5);
	}
}

LEAT_TASK(submit_one, (leat_pool(int), pool), (int, job))
{
	CHECK_EQ(leat_pool_submit(pool, job), 0);
}

TEST_SIM(a_hot_key_blocks, 30)
{
	leat_pool(int) pool;
	leat_group group;

	for (int workers = 1; workers <= 3; workers++) {
		pool = fill(workers, LEAT_OVERFLOW_BLOCK);
		CHECK_EQ(leat_pool_submit_until(pool, 4, leat_in(LEAT_MS)), -ETIMEDOUT);
		CHECK_EQ(leat_group_init(&group, NULL), 0);
		CHECK_EQ(leat_go_in(&group, submit_one, pool, 4), 0);
		test_settle();
		CHECK_EQ(in_flight(pool), 4);
		leat_sem_release(&gate, 1);
		CHECK_EQ(leat_group_wait(&group), 0);
		leat_group_release(&group);
		finish(pool, 5);
		BEGUN_ARE(0, 1, 2, 3, 4);
	}
}

/* Each priority has room for its own. */
TEST_SIM(a_hot_key_fills_one_priority, 30)
{
	leat_pool(int) pool;

	reset();
	CHECK_EQ(leat_pool_make(&pool, note_at_gate, .workers = 3, .queue = 1, .priorities = 2,
				.overflow = LEAT_OVERFLOW_DROP_OLDEST,
				.drop = LEAT_POOL_DROP(int, note_drop), PER_KEY), 0);
	CHECK_EQ(leat_pool_submit(pool, 0), 0);
	test_settle();
	CHECK_EQ(leat_pool_submit_at(pool, 1, 1), 0);
	test_settle();
	CHECK_EQ(leat_pool_submit_at(pool, 0, 2), 0);
	test_settle();
	CHECK_EQ(dropped, 0);
	CHECK_EQ(leat_pool_submit_at(pool, 1, 3), 0);
	CHECK_EQ(last_dropped, 1);
	finish(pool, 3);
	BEGUN_ARE(0, 2, 3);
}

TEST_SIM(urgent_jobs_of_a_key_first, 30)
{
	leat_pool(int) pool;

	for (int workers = 1; workers <= 3; workers++) {
		reset();
		CHECK_EQ(leat_pool_make(&pool, note, .workers = workers, .queue = 10,
					.priorities = 3, .overflow = LEAT_OVERFLOW_BLOCK,
					PER_KEY), 0);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(leat_pool_submit_at(pool, 2, i), 0);
		leat_sleep(LEAT_MS / 2);
		CHECK_EQ(leat_pool_submit_at(pool, 1, 10), 0);
		CHECK_EQ(leat_pool_submit_at(pool, 0, 20), 0);
		CHECK_EQ(leat_pool_submit_at(pool, 1, 11), 0);
		finish(pool, 6);
		BEGUN_ARE(0, 20, 10, 11, 1, 2);
	}
}

/* One that is ready already goes before what has been ready for longer. */
TEST_SIM(urgent_jobs_of_any_key_first, 30)
{
	leat_pool(int) pool;

	reset();
	CHECK_EQ(leat_pool_make(&pool, note, .workers = 1, .queue = 10, .priorities = 2,
				.overflow = LEAT_OVERFLOW_BLOCK, PER_KEY), 0);
	CHECK_EQ(leat_pool_submit_at(pool, 1, 0), 0);
	leat_sleep(LEAT_MS / 2);
	CHECK_EQ(leat_pool_submit_at(pool, 1, OF_KEY), 0);
	CHECK_EQ(leat_pool_submit_at(pool, 1, 2 * OF_KEY), 0);
	CHECK_EQ(leat_pool_submit_at(pool, 0, 2 * OF_KEY + 1), 0);
	finish(pool, 4);
	BEGUN_ARE(0, 2 * OF_KEY + 1, OF_KEY, 2 * OF_KEY);
}

/* A key with much to do lets the others have their turn, and the oldest of all is dropped. */
TEST_SIM(keys_take_turns, 30)
{
	leat_pool(int) pool;

	reset();
	CHECK_EQ(leat_pool_make(&pool, note, .workers = 1, .queue = 5,
				.overflow = LEAT_OVERFLOW_DROP_OLDEST,
				.drop = LEAT_POOL_DROP(int, note_drop), PER_KEY), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	leat_sleep(LEAT_MS / 2);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(leat_pool_submit(pool, OF_KEY + i), 0);
	CHECK_EQ(leat_pool_submit(pool, 2 * OF_KEY), 0);
	CHECK_EQ(last_dropped, 1);
	finish(pool, 6);
	BEGUN_ARE(0, OF_KEY, 2 * OF_KEY, 2, OF_KEY + 1, 3);
}

TEST_SIM(none_of_a_key_begins_while_paused, 30)
{
	leat_pool(int) pool;
	int before;

	for (int workers = 1; workers <= 3; workers++) {
		reset();
		CHECK_EQ(leat_pool_make(&pool, note, .workers = workers, .queue = 50,
					.overflow = LEAT_OVERFLOW_REJECT, PER_KEY), 0);
		for (int i = 0; i < 50; i++)
			CHECK_EQ(leat_pool_submit(pool, i), 0);
		leat_sleep(5 * LEAT_MS + LEAT_MS / 2);
		CHECK_EQ(leat_pool_pause(pool, leat_in(2 * LEAT_MS)), 0);
		before = begun;
		CHECK_EQ(in_flight(pool), 50 - before);
		for (int i = 50; i < 50 + before; i++)
			CHECK_EQ(leat_pool_submit(pool, i), 0);
		CHECK_EQ(leat_pool_submit(pool, 999), -EAGAIN);
		test_settle();
		CHECK_EQ(begun, before);
		leat_pool_resume(pool);
		finish(pool, (uint64_t)(50 + before));
		for (int i = 0; i < 50 + before; i++)
			CHECK_EQ(order[i], i);
	}
}

/* What waits for its key is in the queue, so an abort drops it. */
TEST_SIM(stop_drops_what_waits_for_a_key, 30)
{
	leat_pool(int) pool;
	leat_ledger l;

	for (int workers = 1; workers <= 3; workers++) {
		pool = fill(workers, LEAT_OVERFLOW_REJECT);
		leat_pool_abort(pool, 0);
		CHECK_EQ(dropped, 3);
		CHECK_EQ(leat_pool_submit(pool, 4), LEAT_ECLOSED);
		CHECK_EQ(leat_pool_destroy(pool, ledger_init(&l)), -ECANCELED);
		check_at_rest(&l);
		CHECK_EQ(begun, 1);
	}
}

static leat_pool(int) own;
static leat_chan(int) is_done;

/* The first of a key submits the rest, of its own key and of the next one. */
static int submit_to_own_key(int *job)
{
	int r = 0;

	for (int i = 1; i <= 20 && *job % OF_KEY == 0 && r == 0; i++)
		r = leat_pool_submit(own, i % 4 ? *job + i : (*job + OF_KEY) % (2 * OF_KEY) + i);
	atomic_fetch_add(&begun, 1);
	return r;
}

/* A worker does not wait for a place in a queue that only the end of its own job would empty. */
TEST_BOTH(jobs_submit_to_their_own_key, 50)
{
	leat_ledger l;

	for (int workers = 1; workers <= 3; workers++) {
		reset();
		CHECK_EQ(leat_pool_make(&own, submit_to_own_key, .workers = workers, .queue = 2,
					.overflow = LEAT_OVERFLOW_BLOCK, PER_KEY), 0);
		CHECK_EQ(leat_pool_submit(own, 0), 0);
		CHECK_EQ(leat_pool_submit(own, OF_KEY), 0);
		while (begun < 42)
			leat_sleep(LEAT_US);
		CHECK_EQ(leat_pool_drain(own, LEAT_FOREVER), 0);
		CHECK_EQ(leat_pool_destroy(own, ledger_init(&l)), 0);
		check_at_rest(&l);
		CHECK_EQ(l.out, 42);
	}
}

/* The first of the key 1 waits for the second of the key 0, of which the first takes a while. */
static int wait_for_another_key(int *job)
{
	int v;

	switch (*job) {
	case 0:
		return leat_sleep(LEAT_MS);
	case OF_KEY:
		return leat_pool_recv(own, is_done, &v, LEAT_FOREVER);
	case 1:
		return leat_send(is_done, 1);
	}
	return 0;
}

/* What becomes ready while a job waits in its own pool begins, also without another worker. */
TEST_BOTH(what_becomes_ready_while_one_waits, 50)
{
	for (int how = 0; how < 3; how++) {
		reset();
		is_done = leat_oneshot(int);
		CHECK_EQ(leat_pool_make(&own, wait_for_another_key, .workers = 2, .queue = 2,
					.overflow = LEAT_OVERFLOW_BLOCK, PER_KEY), 0);
		CHECK_EQ(leat_pool_submit(own, 0), 0);
		CHECK_EQ(leat_pool_submit(own, OF_KEY), 0);
		leat_sleep(LEAT_MS / 2);
		CHECK_EQ(leat_pool_submit(own, 1), 0);
		if (how == 0)
			leat_pool_resize(own, 1);
		else if (how == 1)
			CHECK_EQ(leat_pool_pause(own, LEAT_FOREVER), 0);
		else
			leat_pool_close(own);
		leat_pool_resume(own);
		finish(own, 3);
		leat_chan_unref(is_done);
	}
}

static leat_sem last_has_begun;

/* The first of the key 1 waits for that of the key 0 in the pool, then elsewhere for the next. */
static int wait_here_and_there(int *job)
{
	int v;

	switch (*job) {
	case 0:
		leat_sleep(LEAT_MS);
		return leat_send(is_done, 1);
	case 1:
		leat_sem_release(&last_has_begun, 1);
		return 0;
	case OF_KEY:
		CHECK_EQ(leat_pool_recv(own, is_done, &v, LEAT_FOREVER), 0);
		return leat_sem_acquire(&last_has_begun, 1);
	}
	return 0;
}

/* The same when that job waits elsewhere next. */
TEST_BOTH(what_becomes_ready_when_it_waits_elsewhere, 50)
{
	reset();
	is_done = leat_oneshot(int);
	leat_sem_init(&last_has_begun, 1, 0);
	CHECK_EQ(leat_sem_acquire(&last_has_begun, 1), 0);
	CHECK_EQ(leat_pool_make(&own, wait_here_and_there, .workers = 2, .queue = 2,
				.overflow = LEAT_OVERFLOW_BLOCK, PER_KEY), 0);
	CHECK_EQ(leat_pool_submit(own, OF_KEY), 0);
	leat_sleep(LEAT_MS);
	CHECK_EQ(leat_pool_submit(own, 0), 0);
	leat_sleep(LEAT_MS / 2);
	CHECK_EQ(leat_pool_submit(own, 1), 0);
	finish(own, 3);
	leat_chan_unref(is_done);
}

/*
 * Anything at once.  Two tasks submit, each with keys of its own.  Jobs may submit to the last key,
 * where nobody knows the order; such may then be more than the queue holds.
 */
enum { LAST_KEY = KEYS - 1, WORKERS = 4 };

static struct {
	int priorities;
	size_t queue;
	bool nests, fails, stops;
	atomic_int accepted;
	int last[KEYS][2];	/* begun, of each key and priority */
} any;

static int any_work(int *job)
{
	int key = *job / OF_KEY, *last = &any.last[key][*job % any.priorities], r;

	gauge_enter(&of_key[key]);
	atomic_fetch_add(&begun, 1);
	CHECK(key == LAST_KEY || *last <= *job);
	*last = *job;
	r = leat_sleep((int64_t)leat_random(30) * LEAT_US);
	if (any.nests && r == 0 && leat_random(4) == 0) {
		r = leat_pool_submit(own, LAST_KEY * OF_KEY);
		any.accepted += r == 0;
	}
	gauge_leave(&of_key[key]);
	return any.fails && leat_random(30) == 0 ? -EIO : 0;
}

LEAT_TASK(submit_some, (int, first_key), (int, keys))
{
	int r = 0;

	for (int i = 0; i < 20 && r != LEAT_ECLOSED; i++) {
		int job = (first_key + i % keys) * OF_KEY + i;
		leat_ledger l;

		r = leat_pool_submit_at(own, job % any.priorities, job);
		CHECK(r == 0 || r == -EAGAIN || r == LEAT_ECLOSED);
		any.accepted += r == 0;
		CHECK_EQ(leat_pool_ledger(own, ledger_init(&l)), 0);
		CHECK(any.nests || l.in_flight <= any.queue * (size_t)any.priorities + WORKERS);
	}
}

LEAT_TASK(hinder)
{
	for (int i = 0; i < 5; i++) {
		int64_t deadline = leat_in((int64_t)leat_random(50) * LEAT_US);
		bool paused = leat_pool_pause(own, deadline) == 0;
		int before = begun;

		leat_sleep((int64_t)leat_random(50) * LEAT_US);
		CHECK(!paused || begun == before);
		leat_pool_resume(own);
		leat_pool_resize(own, 1 + (int)leat_random(WORKERS));
	}
	if (any.stops)
		leat_pool_abort(own, -EINTR);
}

static void do_anything(void)
{
	static const enum leat_overflow overflow[] = {
		LEAT_OVERFLOW_BLOCK, LEAT_OVERFLOW_REJECT, LEAT_OVERFLOW_DROP_OLDEST,
		LEAT_OVERFLOW_DROP_NEWEST,
	};
	leat_group group;
	leat_ledger l;
	int r;

	reset();
	memset(&any, 0, sizeof(any));
	any.priorities = 1 + (int)leat_random(2);
	any.queue = 1 + leat_random(4);
	any.nests = leat_random(2);
	any.fails = leat_random(3) == 0;
	any.stops = leat_random(3) == 0;
	CHECK_EQ(leat_pool_make(&own, any_work, .workers = 1 + (int)leat_random(WORKERS),
				.queue = any.queue, .priorities = any.priorities,
				.overflow = overflow[leat_random(4)],
				.idle = (int64_t)leat_random(2) * LEAT_US,
				.drop = LEAT_POOL_DROP(int, note_drop), PER_KEY), 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, submit_some, 0, 2), 0);
	CHECK_EQ(leat_go_in(&group, submit_some, 2, 1), 0);
	CHECK_EQ(leat_go_in(&group, hinder), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	r = leat_pool_drain(own, LEAT_FOREVER);
	CHECK(r == 0 || (any.fails && r == -EIO) || (any.stops && r == -EINTR));
	CHECK_EQ(leat_pool_destroy(own, ledger_init(&l)), r);
	check_at_rest(&l);
	CHECK_EQ(l.in, any.accepted);
	CHECK_EQ(l.out + l.failed, begun);
	CHECK_EQ(l.cancelled + ledger_dropped(&l), dropped);
	for (int i = 0; i < KEYS; i++)
		CHECK(of_key[i].most <= 1);
}

/* Each level but the last waits for the next, and has a key of its own. */
enum { LEVELS = 3, REQUESTS = 6 };

struct level {
	int n;
	leat_sender(int) reply;
};

static leat_pool(struct level) levels;

static int ask_level(int n)
{
	leat_chan(int) reply = leat_oneshot(int);
	struct level job = { n, leat_to_sender(reply) };
	int v, r = leat_pool_submit(levels, job);

	if (r == 0)
		r = leat_pool_recv(levels, reply, &v, LEAT_FOREVER);
	leat_chan_unref(reply);
	return r;
}

static int do_level(struct level *job)
{
	int r = job->n < LEVELS ? ask_level(job->n + 1) : leat_sleep(LEAT_US);

	return r < 0 ? r : leat_send(job->reply, 0);
}

static uint64_t level_key(const struct level *job)
{
	return (uint64_t)job->n;
}

LEAT_TASK_ERR(ask_from, (int, n))
{
	return ask_level(n);
}

/* Nothing that a job waits for needs its key; so nothing that is done meanwhile may need it. */
TEST_BOTH(jobs_wait_for_jobs_of_higher_keys, 100)
{
	for (int i = 0; i < 6; i++) {
		leat_group group;

		CHECK_EQ(leat_pool_make(&levels, do_level, .workers = 1 + i % 3,
					.queue = i < 3 ? 1 : REQUESTS,
					.overflow = LEAT_OVERFLOW_BLOCK,
					.on_error = LEAT_ERROR_STOP, .order = LEAT_POOL_PER_KEY,
					.key = LEAT_POOL_KEY(struct level, level_key)), 0);
		REQUIRE(leat_group_init(&group, NULL) == 0);
		for (int j = 0; j < REQUESTS; j++)
			CHECK_EQ(leat_go_in(&group, ask_from, 1 + j % LEVELS), 0);
		CHECK_EQ(leat_group_wait(&group), 0);
		leat_group_release(&group);
		CHECK_EQ(leat_pool_drain(levels, LEAT_FOREVER), 0);
		CHECK_EQ(leat_pool_destroy(levels, NULL), 0);
	}
}

TEST_STRESS(anything_per_key)
{
	do_anything();
}

TEST(anything_per_key_on_threads)
{
	for (int i = 0; i < 100; i++)
		do_anything();
}
