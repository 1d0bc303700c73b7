/*
 * leat_blocking: results, cancel and deadline while queued, the limit, growth and shrinking.
 */
#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

#include "../debug/capture.h"
#include "foreign.h"
#include "rt/blocking.h"

static leat_stats stats(void)
{
	leat_stats s = { .size = sizeof(s) };

	CHECK_EQ(leat_stats_get(&s), 0);
	return s;
}

static int finish(leat_group *group)
{
	int r = leat_group_wait(group);

	leat_group_release(group);
	return r;
}

/* A call that runs until it is told to end. */
struct gate {
	sem_t begun, end;
};

static void gate_init(struct gate *gate)
{
	sem_init(&gate->begun, 0, 0);
	sem_init(&gate->end, 0, 0);
}

static int pass_gate(void *arg)
{
	struct gate *gate = arg;

	sem_post(&gate->begun);
	while (sem_wait(&gate->end) != 0)
		;
	return 7;
}

LEAT_TASK(hold, (struct gate *, gate), (int, expected))
{
	CHECK_EQ(leat_blocking(pass_gate, gate), expected);
}

/* The worker goes on meanwhile. */
static void await(sem_t *sem)
{
	while (sem_trywait(sem) != 0)
		leat_sleep(100 * LEAT_US);
}

static int count(void *arg)
{
	__atomic_fetch_add((int *)arg, 1, __ATOMIC_RELAXED);
	return 0;
}

LEAT_TASK(count_once, (int *, n), (int, expected))
{
	CHECK_EQ(leat_blocking(count, n), expected);
}

static int add_one(void *arg)
{
	return *(int *)arg + 1;
}

static int is_task(void *arg)
{
	sigset_t blocked;

	(void)arg;
	CHECK(pthread_sigmask(SIG_SETMASK, NULL, &blocked) == 0);
	CHECK(sigismember(&blocked, SIGPIPE) && sigismember(&blocked, SIGTERM));
	CHECK(!sigismember(&blocked, SIGSEGV));
	return leat_task_id() != 0;
}

TEST_BOTH(result, 3)
{
	int n = 41;

	CHECK_EQ(leat_blocking(add_one, &n), 42);
	n = -100;
	CHECK_EQ(leat_blocking(add_one, &n), -99);
	CHECK_EQ(leat_blocking_until(add_one, &n, leat_in(LEAT_S)), -99);
	CHECK_EQ(leat_blocking_until(add_one, &n, leat_now()), -ETIMEDOUT);
}

static int double_it(int *n)
{
	*n *= 2;
	return *n;
}

static int look_at(const int *n)
{
	return *n;
}

TEST_BOTH(typed, 3)
{
	const int seven = 7;
	int n = 21;

	CHECK_EQ(leat_blocking_call(double_it, &n), 42);
	CHECK_EQ(leat_blocking_call_until(double_it, &n, leat_in(LEAT_S)), 84);
	CHECK_EQ(leat_blocking_call_until(double_it, &n, leat_now()), -ETIMEDOUT);
	CHECK_EQ(n, 84);
	CHECK_EQ(leat_blocking_call(look_at, &seven), 7);
}

TEST(on_a_thread_of_its_own)
{
	CHECK_EQ(leat_blocking(is_task, NULL), 0);
	CHECK_EQ(stats().blocking_threads, 1);
}

/* 6 MiB, of which every page is touched. */
__attribute__((noinline)) static int deep(void *arg)
{
	volatile char bytes[6 << 20];

	for (size_t i = 0; i < sizeof(bytes); i += 4096)
		bytes[i] = (char)i;
	return bytes[*(int *)arg];
}

TEST(big_stack)
{
	int at = 4096;

	CHECK_EQ(leat_blocking(deep, &at), 0);
}

/* The one worker is free for other tasks. */
TEST_WITH(holds_no_worker, .workers = 1)
{
	leat_group group;
	struct gate gate;

	gate_init(&gate);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, hold, &gate, 7), 0);
	await(&gate.begun);
	CHECK_EQ(stats().blocking_calls, 1);
	sem_post(&gate.end);
	CHECK_EQ(finish(&group), 0);
}

/* Every task waits for a call, and that is no deadlock. */
static int sleep_long(void *arg)
{
	usleep(*(useconds_t *)arg);
	return 0;
}

TEST(no_deadlock)
{
	useconds_t us = 30000;

	CHECK_EQ(leat_blocking(sleep_long, &us), 0);
}

TEST_WITH(cancel_while_queued, .blocking_threads = 1)
{
	leat_group holder, group;
	struct gate gate;
	int n = 0;

	gate_init(&gate);
	REQUIRE(leat_group_init(&holder, NULL) == 0);
	CHECK_EQ(leat_go_in(&holder, hold, &gate, 7), 0);
	await(&gate.begun);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(leat_go_in(&group, count_once, &n, -ECANCELED), 0);
	while (stats().blocking_queued < 10)
		leat_sleep(LEAT_MS);
	leat_group_cancel(&group, -ECANCELED);
	CHECK_EQ(finish(&group), -ECANCELED);
	CHECK_EQ(stats().blocking_queued, 0);
	sem_post(&gate.end);
	CHECK_EQ(finish(&holder), 0);
	CHECK_EQ(leat_blocking(count, &n), 0);
	CHECK_EQ(n, 1);
}

TEST_WITH(deadline_while_queued, .blocking_threads = 1)
{
	leat_group holder;
	struct gate gate;
	int n = 0;

	gate_init(&gate);
	REQUIRE(leat_group_init(&holder, NULL) == 0);
	CHECK_EQ(leat_go_in(&holder, hold, &gate, 7), 0);
	await(&gate.begun);
	CHECK_EQ(leat_blocking_until(count, &n, leat_in(5 * LEAT_MS)), -ETIMEDOUT);
	sem_post(&gate.end);
	CHECK_EQ(finish(&holder), 0);
	CHECK_EQ(leat_blocking(count, &n), 0);
	CHECK_EQ(n, 1);
}

LEAT_TASK(hold_until, (struct gate *, gate), (int64_t, deadline))
{
	CHECK_EQ(leat_blocking_until(pass_gate, gate, deadline), 7);
}

/* Neither a cancel nor the deadline ends a call that runs: its result comes. */
TEST(running_is_waited_for)
{
	leat_group group;
	struct gate gate[2];

	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 2; i++)
		gate_init(&gate[i]);
	CHECK_EQ(leat_go_in(&group, hold_until, &gate[0], leat_in(200 * LEAT_MS)), 0);
	CHECK_EQ(leat_go_in(&group, hold, &gate[1], 7), 0);
	await(&gate[0].begun);
	await(&gate[1].begun);
	leat_sleep(250 * LEAT_MS);
	leat_group_cancel(&group, -ECANCELED);
	leat_sleep(5 * LEAT_MS);
	CHECK_EQ(leat_group_live(&group), 2);
	CHECK_EQ(stats().blocking_calls, 2);
	for (int i = 0; i < 2; i++)
		sem_post(&gate[i].end);
	CHECK_EQ(finish(&group), -ECANCELED);
}

enum { LIMIT = 3, MANY = 40 };

static int now, most;

static int meet(void *arg)
{
	int n = __atomic_add_fetch(&now, 1, __ATOMIC_SEQ_CST);
	int old = __atomic_load_n(&most, __ATOMIC_RELAXED);

	while (n > old && !__atomic_compare_exchange_n(&most, &old, n, false, __ATOMIC_RELAXED,
						       __ATOMIC_RELAXED))
		;
	usleep(*(useconds_t *)arg);
	__atomic_fetch_sub(&now, 1, __ATOMIC_SEQ_CST);
	return 0;
}

LEAT_TASK(meet_others, (useconds_t, us))
{
	CHECK_EQ(leat_blocking(meet, &us), 0);
}

TEST_WITH(limit, .blocking_threads = LIMIT)
{
	leat_group group;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(leat_go_in(&group, meet_others, 3000), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(most, LIMIT);
	CHECK_EQ(stats().blocking_threads, LIMIT);
}

static int order[MANY];

static int note_order(void *arg)
{
	int *mine = arg;

	*mine = __atomic_fetch_add(&now, 1, __ATOMIC_SEQ_CST);
	return 0;
}

LEAT_TASK(take_turn, (int, i))
{
	CHECK_EQ(leat_blocking(note_order, &order[i]), 0);
}

TEST_WITH(first_come_first_served, .blocking_threads = 1)
{
	leat_group group;
	struct gate gate;

	gate_init(&gate);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, hold, &gate, 7), 0);
	await(&gate.begun);
	for (int i = 0; i < MANY; i++) {
		CHECK_EQ(leat_go_in(&group, take_turn, i), 0);
		while (stats().blocking_queued < (uint64_t)i + 1)
			leat_sleep(100 * LEAT_US);
	}
	sem_post(&gate.end);
	CHECK_EQ(finish(&group), 0);
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(order[i], i);
}

/* A thread for each call that runs; none is left some time after the last one. */
TEST(grows_and_shrinks)
{
	struct gate gate[8];
	leat_group group;

	__atomic_store_n(&leat__pool_idle_ns, 20 * LEAT_MS, __ATOMIC_RELAXED);
	for (int round = 0; round < 3; round++) {
		REQUIRE(leat_group_init(&group, NULL) == 0);
		for (int i = 0; i < 8; i++) {
			gate_init(&gate[i]);
			CHECK_EQ(leat_go_in(&group, hold, &gate[i], 7), 0);
		}
		for (int i = 0; i < 8; i++)
			await(&gate[i].begun);
		CHECK_EQ(stats().blocking_threads, 8);
		for (int i = 0; i < 8; i++)
			sem_post(&gate[i].end);
		CHECK_EQ(finish(&group), 0);
		while (stats().blocking_threads > 0)
			leat_sleep(LEAT_MS);
	}
}

/* One call after the other needs one thread. */
TEST(reuses)
{
	int n = 0;

	for (int i = 0; i < 1000; i++)
		CHECK_EQ(leat_blocking(count, &n), 0);
	CHECK_EQ(n, 1000);
	CHECK_EQ(stats().blocking_threads, 1);
}

/* Threads end while calls come. */
TEST(ends_and_calls)
{
	int n = 0, rounds = test_slow() ? 200 : 2000;

	__atomic_store_n(&leat__pool_idle_ns, 20 * LEAT_US, __ATOMIC_RELAXED);
	for (int i = 0; i < rounds; i++) {
		CHECK_EQ(leat_blocking(count, &n), 0);
		if (i % 2)
			leat_sleep(20 * LEAT_US);
	}
	CHECK_EQ(n, rounds);
}

static int call_inside(void *arg)
{
	return leat_blocking(add_one, arg);
}

static void from_thread(void *arg)
{
	int n = 1;

	(void)arg;
	CHECK_EQ(leat_blocking(add_one, &n), 2);
	CHECK_EQ(leat_blocking_until(add_one, &n, 1), -ETIMEDOUT);
}

/* Threads that are no workers run it themselves. */
TEST(outside)
{
	struct foreign foreign;
	int n = 1;

	foreign_start(&foreign, from_thread, NULL);
	foreign_join(&foreign);
	CHECK_EQ(stats().blocking_threads, 0);
	CHECK_EQ(leat_blocking(call_inside, &n), 2);
	CHECK_EQ(stats().blocking_threads, 1);
}

static int send_one(void *arg)
{
	leat_chan(int) c = (leat_chan(int))arg;

	return leat_send(c, 5);
}

LEAT_TASK(send_blocking, (leat_chan(int), c))
{
	CHECK_EQ(leat_blocking(send_one, c), 0);
}

/* A call may use channels, as any thread; afterwards its thread counts as attached no more. */
static leat_chan(int) lost; /* nobody is left to release it */

static int deadlock(void *arg)
{
	leat_chan(int) c = leat_chan_make(int, 0);
	int v = 0;

	(void)arg;
	lost = c;
	CHECK_EQ(leat_go(send_blocking, c), 0);
	CHECK_EQ(leat_recv(c, &v), 0);
	CHECK_EQ(v, 5);
	leat_recv(c, &v);
	return 0;
}

TEST_PLAIN(deadlock_after_use)
{
	CHECK_EQ(leat_run(LEAT_OPTIONS(.log = capture_log), deadlock, NULL), -EDEADLK);
}

static int start_stop(void *arg)
{
	leat_group group;

	(void)arg;
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&group, count_once, &now, 0), 0);
	return finish(&group);
}

static int count_threads(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[128];
	int n = -1;

	REQUIRE(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Threads: %d", &n) == 1)
			break;
	fclose(f);
	return n;
}

TEST_PLAIN(starts_and_stops)
{
	int rounds = test_slow() ? 100 : 1000, before = 0;

	test_timeout(60);
	for (int i = 0; i < rounds; i++) {
		REQUIRE(leat_run(LEAT_OPTIONS(.workers = 2), start_stop, NULL) == 0);
		if (i == 0)
			before = count_threads();	/* a sanitizer's own among them */
	}
	/* The kernel counts a thread that was joined until it has left the group. */
	while (count_threads() > before)
		sched_yield();
	CHECK_EQ(now, rounds * 3);
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

TEST_PLAIN(bad_limit)
{
	CHECK_EQ(leat_run(LEAT_OPTIONS(.blocking_threads = -1, .log = capture_log), nothing, NULL),
		 -EINVAL);
	CHECK(strstr(captured, "leat_options.blocking_threads is -1"));
}

LEAT_TASK(call_often, (int *, n), (int, times))
{
	for (int i = 0; i < times; i++) {
		int64_t deadline = i % 3 ? LEAT_FOREVER : leat_in(i % 50 * LEAT_US);
		int r = leat_blocking_until(count, n, deadline);

		CHECK(r == 0 || r == -ECANCELED || (r == -ETIMEDOUT && i % 3 == 0));
		if (r != 0)
			__atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
	}
}

/* Calls, deadlines and cancels from many tasks: each call runs once or returns why not. */
TEST_WITH(many_callers, .workers = 4, .blocking_threads = 4)
{
	int n[8] = { 0 }, times = test_slow() ? 50 : 500, all = 0;
	leat_group group[8];

	for (int i = 0; i < 8; i++) {
		REQUIRE(leat_group_init(&group[i], NULL) == 0);
		for (int k = 0; k < 10; k++)
			CHECK_EQ(leat_go_in(&group[i], call_often, &n[i], times), 0);
	}
	leat_sleep(2 * LEAT_MS);
	for (int i = 0; i < 8; i += 2)
		leat_group_cancel(&group[i], -ECANCELED);
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(finish(&group[i]), i % 2 ? 0 : -ECANCELED);
		all += n[i];
	}
	CHECK_EQ(all, 8 * 10 * times);
}

TEST_WITH(dump, .blocking_threads = 1)
{
	struct gate gate;
	leat_group group;
	int n = 0;

	gate_init(&gate);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, hold, &gate, 7), 0);
	await(&gate.begun);
	CHECK_EQ(leat_go_in(&group, count_once, &n, 0), 0);
	while (stats().blocking_queued < 1)
		leat_sleep(LEAT_MS);
	leat_sleep(LEAT_MS);
	capture_dump();
	CHECK_LINE("'hold'", "blocking call, running");
	CHECK_LINE("'count_once'", "blocking call, queued");
	CHECK_LINE("threads for blocking calls", "1 busy, 0 idle; 1 calls queued");
	sem_post(&gate.end);
	CHECK_EQ(finish(&group), 0);
}

TEST_DEATH_TASK(no_park, "leat_blocking")
{
	int n = 0;

	leat_no_park_begin();
	leat_blocking(count, &n);
}

TEST_DEATH_TASK(no_function, "leat_blocking")
{
	leat_blocking(NULL, NULL);
}
