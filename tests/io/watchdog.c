/*
 * Workers that are stuck: what waits behind them is served within 20 ms, and they are named.
 */
#include <sys/eventfd.h>
#include <time.h>

#include "../debug/capture.h"
#include "io.h"

enum { WORKERS = 2 };

static uint32_t stop;

static bool stopped(void)
{
	return __atomic_load_n(&stop, __ATOMIC_ACQUIRE);
}

/* Most of a tick, without a call of leat. */
LEAT_TASK(block_thread, (uint32_t *, begun))
{
	__atomic_fetch_add(begun, 1, __ATOMIC_RELAXED);
	while (!stopped())
		usleep(1000);
}

LEAT_TASK(spin_thread, (uint32_t *, begun))
{
	__atomic_fetch_add(begun, 1, __ATOMIC_RELAXED);
	while (!stopped())
		;
}

static leat_stats stats(void)
{
	leat_stats s = { .size = sizeof(s) };

	CHECK_EQ(leat_stats_get(&s), 0);
	return s;
}

/* A virtual machine may take the processor away for a while. */
static int64_t limit(void)
{
	return test_slow() ? 400 * LEAT_MS : 20 * LEAT_MS;
}

/* The best of some tries: others use this machine, too. */
enum { TRIES = 5 };

/* From a thread outside: starts all stuck tasks that it takes, and waits until they run. */
static void make_stuck(leat_group *group, int n, uint32_t *begun)
{
	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_go_in(group, block_thread, begun), 0);
}

static int64_t late;

LEAT_TASK(note_time, (int64_t, due))
{
	__atomic_store_n(&late, leat_now() - due, __ATOMIC_RELEASE);
}

static int64_t wait_late(void)
{
	int64_t t;

	while ((t = __atomic_load_n(&late, __ATOMIC_ACQUIRE)) == INT64_MIN)
		usleep(100);
	return t;
}

/* The main task itself is stuck on one worker, other tasks on the others. */
static void stick_all(leat_group *group, void (*before)(void *arg), void *arg)
{
	uint32_t begun = 0;

	__atomic_store_n(&stop, 0, __ATOMIC_RELEASE);
	REQUIRE(leat_group_init(group, NULL) == 0);
	make_stuck(group, WORKERS - 1, &begun);
	while (__atomic_load_n(&begun, __ATOMIC_RELAXED) < WORKERS - 1)
		leat_sleep(LEAT_MS);
	late = INT64_MIN;
	before(arg);
	/* From here on the main task calls leat no more. */
	if (wait_late() > 0)
		usleep(1);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	CHECK_EQ(leat_group_wait(group), 0);
	leat_group_release(group);
}

static int64_t best_of(void (*before)(void *arg), void *arg)
{
	int64_t best = INT64_MAX;
	leat_group group;

	for (int i = 0; i < TRIES; i++) {
		stick_all(&group, before, arg);
		if (late < best)
			best = late;
	}
	return best;
}

static void spawn_ready(void *arg)
{
	(void)arg;
	CHECK_EQ(leat_go(note_time, leat_now()), 0);
}

TEST_WITH(ready_task, .workers = WORKERS)
{
	CHECK(best_of(spawn_ready, NULL) < limit());
	CHECK(stats().stuck >= 1);
	CHECK(stats().spares >= 1);
}

LEAT_TASK(sleep_and_note, (int64_t, due), (uint32_t *, begun))
{
	__atomic_store_n(begun, 1, __ATOMIC_RELEASE);
	leat_sleep_until(due);
	__atomic_store_n(&late, leat_now() - due, __ATOMIC_RELEASE);
}

static void set_timer(void *arg)
{
	uint32_t begun = 0;

	(void)arg;
	CHECK_EQ(leat_go(sleep_and_note, leat_in(40 * LEAT_MS), &begun), 0);
	while (!__atomic_load_n(&begun, __ATOMIC_ACQUIRE))
		leat_sleep(100 * LEAT_US);
}

TEST_WITH(timer, .workers = WORKERS)
{
	CHECK(best_of(set_timer, NULL) < limit());
}

LEAT_TASK(read_and_note, (leat_io, io), (uint32_t *, begun))
{
	int64_t sent;

	__atomic_store_n(begun, 1, __ATOMIC_RELEASE);
	CHECK_EQ(leat_read_full(io, &sent, sizeof(sent), LEAT_FOREVER, NULL), 0);
	__atomic_store_n(&late, leat_now() - sent, __ATOMIC_RELEASE);
}

static void *write_later(void *arg)
{
	int64_t sent;

	usleep(30000);
	sent = leat_now();
	CHECK_EQ(write(*(int *)arg, &sent, sizeof(sent)), sizeof(sent));
	return NULL;
}

static void make_readable(void *arg)
{
	struct pair *p = arg;
	uint32_t begun = 0;
	pthread_t thread;
	static int fd;

	fd = leat_io_fd(p->b);
	CHECK_EQ(leat_go(read_and_note, p->a, &begun), 0);
	while (!__atomic_load_n(&begun, __ATOMIC_ACQUIRE))
		leat_sleep(100 * LEAT_US);
	leat_sleep(LEAT_MS);
	REQUIRE(pthread_create(&thread, NULL, write_later, &fd) == 0);
	pthread_detach(thread);
}

TEST_WITH(readable, .workers = WORKERS)
{
	struct pair p = make_pipe();

	CHECK(best_of(make_readable, &p) < limit());
	close_pair(p);
}

/* One worker is stuck, with tasks in its queue; the other never is idle. */
LEAT_TASK(keep_busy, (int, n))
{
	(void)n;
	while (!stopped())
		leat_yield();
}

LEAT_TASK(spawn_and_block, (uint32_t *, begun))
{
	CHECK_EQ(leat_go(note_time, leat_now()), 0);
	__atomic_fetch_add(begun, 1, __ATOMIC_RELAXED);
	while (!stopped())
		usleep(1000);
}

TEST_WITH(behind_one, .workers = 2)
{
	int64_t best = INT64_MAX;

	for (int i = 0; i < TRIES; i++) {
		leat_group group;
		uint32_t begun = 0;

		stop = 0;
		late = INT64_MIN;
		REQUIRE(leat_group_init(&group, NULL) == 0);
		for (int k = 0; k < 4; k++)
			CHECK_EQ(leat_go_in(&group, keep_busy, k), 0);
		CHECK_EQ(leat_go_in(&group, spawn_and_block, &begun), 0);
		while (__atomic_load_n(&late, __ATOMIC_ACQUIRE) == INT64_MIN)
			leat_sleep(LEAT_MS);
		__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
		CHECK_EQ(leat_group_wait(&group), 0);
		leat_group_release(&group);
		if (late < best)
			best = late;
	}
	CHECK(best < limit());
}

/* The dump and the counters name it, while it lasts and afterwards. */
TEST_WITH(named, .workers = 2)
{
	uint32_t begun = 0;
	leat_group group;

	stop = 0;
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, spin_thread, &begun), 0);
	while (stats().stuck_now == 0)
		leat_sleep(LEAT_MS);
	CHECK_STR(stats().stuck_task, "spin_thread");
	capture_dump();
	CHECK_LINE("'spin_thread'", "stuck for ");
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	while (stats().stuck_now > 0)
		leat_sleep(LEAT_MS);
	capture_dump();
	CHECK(!strstr(captured, "stuck for "));
	CHECK(stats().stuck >= 1);
}

static int64_t cpu_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * LEAT_S + ts.tv_nsec;
}

/* Neither the watchdog nor the spares run when all wait. */
TEST_WITH(sleeps, .workers = WORKERS)
{
	int64_t before;

	CHECK(best_of(spawn_ready, NULL) < limit());
	leat_sleep(300 * LEAT_MS);
	before = cpu_time();
	leat_sleep(500 * LEAT_MS);
	CHECK(cpu_time() - before < (test_slow() ? 50 : 5) * LEAT_MS);
}

/* Spares that have retired are no reason to miss a deadlock. */
static leat_chan(int) lost; /* nobody is left to release it */

static int stick_and_deadlock(void *arg)
{
	leat_chan(int) c = leat_chan_make(int, 0);
	int v;

	(void)arg;
	lost = c;
	best_of(spawn_ready, NULL);
	leat_sleep(20 * LEAT_MS);
	leat_recv(c, &v);
	return 0;
}

TEST_PLAIN(deadlock)
{
	CHECK_EQ(leat_run(LEAT_OPTIONS(.workers = WORKERS, .log = capture_log), stick_and_deadlock,
			  NULL), -EDEADLK);
}

LEAT_TASK(stick_shortly, (int, ms))
{
	usleep((useconds_t)ms * 1000);
}

LEAT_TASK(talk, (leat_chan(int), c), (int, n))
{
	for (int i = 0; i < n; i++) {
		CHECK_EQ(leat_send(c, i), 0);
		if (i % 16 == 0)
			leat_sleep(LEAT_MS);
	}
}

static int mix(void *arg)
{
	int n = 100, v = 0;
	leat_chan(int) c = leat_chan_make(int, 4);
	leat_group group;

	(void)arg;
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(leat_go_in(&group, talk, c, n), 0);
	for (int i = 0; i < 12; i++)
		CHECK_EQ(leat_go_in(&group, stick_shortly, 5 + i * 3), 0);
	for (int i = 0; i < 4 * n; i++)
		CHECK_EQ(leat_recv(c, &v), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	leat_chan_unref(c);
	return 0;
}

/* Spares come and go while others work; and with the runtime. */
TEST_PLAIN(many_runs)
{
	for (int i = 0; i < 20; i++)
		CHECK_EQ(leat_run(LEAT_OPTIONS(.workers = 1 + i % 3), mix, NULL), 0);
}
