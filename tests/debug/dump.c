/*
 * leat_dump: every kind of wait, with its object.
 */
#include <fcntl.h>
#include <sys/resource.h>

#include "capture.h"

static leat_mutex mutex = LEAT_MUTEX_INIT;
static leat_cond cond = LEAT_COND_INIT;
static leat_sem sem;
static leat_waitgroup wg = LEAT_WAITGROUP_INIT;
static leat_barrier barrier;

__attribute__((noinline)) static int pull(leat_chan(int) c)
{
	volatile int v = 0;
	int got = 0;

	v = leat_recv(c, &got);
	return v;
}

LEAT_TASK(receiver, (leat_chan(int), c))
{
	volatile int r = pull(c);

	(void)r;
}

LEAT_TASK(sender, (leat_chan(int), c))
{
	leat_send(c, 1);
}

LEAT_TASK(selector, (leat_chan(int), c), (leat_chan(int), full))
{
	int v;
	leat_case cases[] = { leat_recv_case(LEAT__RAW(c), &v, NULL),
			      leat_send_case(LEAT__RAW(full), &v, NULL) };

	leat_select_cases(cases, 2);
}

LEAT_TASK(sleeper, (int64_t, ns))
{
	leat_sleep(ns);
}

LEAT_TASK(locker, (int, n))
{
	leat_mutex_lock(&mutex);
	leat_mutex_unlock(&mutex);
	(void)n;
}

LEAT_TASK(acquirer, (int64_t, n))
{
	if (leat_sem_acquire(&sem, n) == 0)
		leat_sem_release(&sem, n);
}

LEAT_TASK(cond_waiter, (leat_mutex *, own))
{
	leat_mutex_lock(own);
	if (leat_cond_wait(&cond, own) == 0)
		CHECK(false);
	leat_mutex_unlock(own);
}

LEAT_TASK(wg_waiter, (int, n))
{
	(void)!leat_waitgroup_wait(&wg);
	(void)n;
}

LEAT_TASK(arriver, (int, n))
{
	(void)leat_barrier_wait(&barrier);
	(void)n;
}

static int on_elem(void *arg, int result, void *elem)
{
	(void)arg;
	(void)result;
	(void)elem;
	return 0;
}

static int on_time(void *arg)
{
	(void)arg;
	return 0;
}

static void check_waits(void)
{
	CHECK_LINE("'receiver' blocked", "channel receive 0x");
	CHECK_LINE("'receiver' blocked", "dump.c:");
	CHECK_LINE("'receiver' blocked", "0 of 3 buffered, open");
	CHECK_LINE("'receiver' blocked", "; in pull");
	CHECK_LINE("'receiver' blocked", " ms: ");
	CHECK_LINE("'receiver' blocked", "group 'crew' 0x");
	CHECK_LINE("'sender' blocked", "1 of 1 buffered, open");
	CHECK_LINE("'selector' blocked", "select of 2 cases: receive 0x");
	CHECK_LINE("'selector' blocked", ", send 0x");
	CHECK_LINE("'the sleeper' blocked", "sleep for another ");
	CHECK_LINE("'locker' blocked", "held by task 1 'main'");
	CHECK_LINE("'acquirer' blocked", "(1 of 3 free)");
	CHECK_LINE("'cond_waiter' blocked", "condition 0x");
	CHECK_LINE("'wg_waiter' blocked", "(count 2)");
	CHECK_LINE("'arriver' blocked", "(1 of 2 there)");
	CHECK_LINE("'leat_chan_on_recv' waiting", "0 of 3 buffered, open");
	CHECK_LINE("'leat_sem_on_acquire' waiting", "(1 of 3 free)");
	CHECK_LINE("'leat_after' waiting", "for another 9");
	CHECK_LINE("'main' running", "group 'root' 0x");
	CHECK_LINE("worker 0", "running task 1 'main'");
	CHECK_LINE("counters:", "refused 0");
}

TEST_SIM(every_wait, 5)
{
	leat_chan(int) empty = leat_chan_make(int, 3), full = leat_chan_make(int, 1);
	leat_mutex own = LEAT_MUTEX_INIT;
	leat_group g, other;

	CHECK_EQ(leat_group_init(&g, LEAT_GROUP_OPTIONS(.name = "crew")), 0);
	CHECK_EQ(leat_group_init(&other, LEAT_GROUP_OPTIONS(.name = "done for")), 0);
	leat_sem_init(&sem, 3, 0);
	CHECK_EQ(leat_sem_try_acquire(&sem, 2), 0);
	leat_waitgroup_add(&wg, 2);
	leat_barrier_init(&barrier, 2);
	leat_mutex_lock(&mutex);
	CHECK_EQ(leat_try_send(full, 1), 0);
	CHECK_EQ(leat_go_in(&g, receiver, empty), 0);
	CHECK_EQ(leat_go_in(&g, sender, full), 0);
	CHECK_EQ(leat_go_in(&g, selector, empty, full), 0);
	CHECK_EQ(leat_go_with(&g, LEAT_TASK_OPTIONS(.name = "the sleeper"), sleeper, 100 * LEAT_S),
		 0);
	CHECK_EQ(leat_go_in(&other, locker, 0), 0);
	CHECK_EQ(leat_go_in(&g, acquirer, 2), 0);
	CHECK_EQ(leat_go_in(&g, cond_waiter, &own), 0);
	CHECK_EQ(leat_go_in(&g, wg_waiter, 0), 0);
	CHECK_EQ(leat_go_in(&g, arriver, 0), 0);
	CHECK_EQ(leat_channel_on_recv(LEAT__RAW(empty), &g, on_elem, NULL), 0);
	CHECK_EQ(leat_sem_on_acquire(&sem, 2, &g, on_time, NULL), 0);
	CHECK_EQ(leat_after(&g, leat_in(100 * LEAT_S), on_time, NULL), 0);
	test_settle();
	leat_group_cancel(&other, 0);
	capture_dump();
	check_waits();
	CHECK_LINE("'locker' blocked", "(cancelled)");
	CHECK(!line_has("'sender' blocked", "(cancelled)"));

	leat_group_cancel(&g, 0);
	leat_mutex_unlock(&mutex);
	CHECK_EQ(leat_group_wait(&g), -ECANCELED);
	CHECK_EQ(leat_group_wait(&other), -ECANCELED);
	leat_group_release(&g);
	leat_group_release(&other);
	leat_waitgroup_add(&wg, -2);
	leat_sem_release(&sem, 2);
	leat_chan_unref(empty);
	leat_chan_unref(full);
	capture_dump();
	CHECK(!strstr(captured, "' blocked"));
	CHECK_LINE("tasks", "1 tasks, ");
}

LEAT_TASK(busy, (leat_chan(int), c), (int, n))
{
	for (int i = 0; i < n; i++) {
		int v;

		leat_send(c, i);
		leat_recv(c, &v);
		leat_yield();
	}
}

/* Beside tasks that come, block and go; channels are freed under the dump's eyes. */
TEST_WITH(beside_running_tasks, .workers = 4)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), rounds = test_slow() ? 20 : 200;

	for (int i = 0; i < rounds; i++) {
		leat_chan(int) c = leat_chan_make(int, 2);
		leat_group g;

		CHECK_EQ(leat_group_init(&g, NULL), 0);
		for (int k = 0; k < 8; k++)
			CHECK_EQ(leat_go_in(&g, busy, c, 10), 0);
		CHECK_EQ(leat_dump(null), 0);
		leat_group_wait(&g);
		leat_group_release(&g);
		leat_chan_unref(c);
	}
	close(null);
}

static void *dump_all_the_time(void *arg)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	while (!__atomic_load_n((int *)arg, __ATOMIC_ACQUIRE))
		leat_dump(null);
	close(null);
	return NULL;
}

static void starts_one(void)
{
	CHECK_EQ(leat_go(sleeper, 1), 0);
}

TEST_PLAIN(beside_starts_and_stops)
{
	int stop = 0, rounds = test_slow() ? 5 : 50;
	pthread_t thread;

	REQUIRE(pthread_create(&thread, NULL, dump_all_the_time, &stop) == 0);
	for (int i = 0; i < rounds; i++)
		test_run_task(starts_one);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

TEST_PLAIN(without_runtime)
{
	CHECK_EQ(leat_dump(STDERR_FILENO), -EINVAL);
}

TEST(bad_descriptor)
{
	CHECK_EQ(leat_dump(-1), -EBADF);
}

/* "No runtime" would be wrong. */
TEST(no_descriptors_left)
{
	int lowest = dup(STDERR_FILENO);
	struct rlimit limit;

	REQUIRE(lowest >= 0 && close(lowest) == 0);
	REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = (rlim_t)lowest;
	REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK_EQ(leat_dump(STDERR_FILENO), -EMFILE);
}

TEST_SIM(stacks, 3)
{
	leat_stats before = { .size = sizeof(before) }, now = { .size = sizeof(now) };
	leat_chan(int) c = leat_chan_make(int, 0);
	leat_group g;

	CHECK_EQ(leat_group_init(&g, NULL), 0);
	CHECK_EQ(leat_stats_get(&before), 0);
	CHECK_EQ(before.stacks_in_use, 1);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(leat_go_in(&g, receiver, c), 0);
	CHECK_EQ(leat_go_with(&g, LEAT_TASK_OPTIONS(.stack_size = 256 * 1024), receiver, c), 0);
	test_settle();
	CHECK_EQ(leat_stats_get(&now), 0);
	CHECK_EQ(now.stacks_in_use, 102);
	CHECK(now.stacks >= now.stacks_in_use);
	leat_close(c);
	CHECK_EQ(leat_group_wait(&g), 0);
	CHECK_EQ(leat_yield(), 0);
	CHECK_EQ(leat_stats_get(&now), 0);
	CHECK_EQ(now.stacks_in_use, 1);
	leat_group_release(&g);
	leat_chan_unref(c);
}
