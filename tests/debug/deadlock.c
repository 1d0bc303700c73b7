/*
 * Deadlock reports: who waits for what, and the cycle.
 *
 * What a deadlock leaves behind is static, so that it is no leak.
 */
#include <sys/resource.h>

#include "capture.h"

static leat_mutex first = LEAT_MUTEX_INIT, second = LEAT_MUTEX_INIT;
static leat_once once = LEAT_ONCE_INIT;
static leat_barrier both;
static leat_group group;
static leat_chan(int) chan;

static int start(void *arg)
{
	void (*body)(void) = *(void (**)(void))arg;

	body();
	return 0;
}

/* body must deadlock; what was said is in captured. */
static void deadlock(void (*body)(void), int workers)
{
	leat_options options = { .size = sizeof(options), .workers = workers, .log = capture_log };

	captured[0] = '\0';
	CHECK_EQ(leat_run(&options, start, &body), -EDEADLK);
	CHECK(strstr(captured, "deadlock: every task is blocked"));
}

LEAT_TASK(both_locks, (leat_mutex *, mine), (leat_mutex *, other))
{
	leat_mutex_lock(mine);
	leat_barrier_wait(&both);
	leat_mutex_lock(other);
}

static void two_mutexes(void)
{
	leat_barrier_init(&both, 2);
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	CHECK_EQ(leat_go_with(&group, LEAT_TASK_OPTIONS(.name = "a"), both_locks, &first, &second),
		 0);
	CHECK_EQ(leat_go_with(&group, LEAT_TASK_OPTIONS(.name = "b"), both_locks, &second, &first),
		 0);
	(void)!leat_group_wait_until(&group, LEAT_FOREVER);
}

TEST_PLAIN(cycle_of_two_mutexes)
{
	deadlock(two_mutexes, 2);
	CHECK_LINE("'a' blocked", "held by task");
	CHECK_LINE("'b' blocked", "held by task");
	CHECK_LINE("'main' blocked", "group wait");
	CHECK_LINE("'main' blocked", ", 2 live");
	CHECK_LINE("cycle of 2: task ", " held by task ");
	CHECK(line_has("'a' waits for mutex 0x", "'b', which waits for mutex 0x") ||
	      line_has("'b' waits for mutex 0x", "'a', which waits for mutex 0x"));
}

LEAT_TASK(locks_first, (int, n))
{
	leat_mutex_lock(&first);
	(void)n;
}

static void wait_by_running(void)
{
	leat_mutex_lock(&first);
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	CHECK_EQ(leat_go_in(&group, locks_first, 0), 0);
	leat_group_wait(&group);
}

/* Main runs the task on top of itself, and can go on only below it. */
TEST_PLAIN(cycle_of_wait_and_mutex)
{
	deadlock(wait_by_running, 1);
	CHECK_LINE("'main' joining", ": below task 2 'locks_first'");
	CHECK_LINE("cycle of 2: ", "waits for the end of task 2 'locks_first'");
	CHECK_LINE("cycle of 2: ", "held by task 1 'main'");
}

static void group_wait(void)
{
	leat_mutex_lock(&first);
	CHECK_EQ(leat_group_init(&group, LEAT_GROUP_OPTIONS(.name = "crew")), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&group, locks_first, i), 0);
	(void)!leat_group_wait_until(&group, LEAT_FOREVER);
}

TEST_PLAIN(cycle_of_group_and_mutex)
{
	deadlock(group_wait, 2);
	CHECK_LINE("'main' blocked", "group 'crew'");
	CHECK_LINE("cycle of 2: ", "waits for group 'crew' 0x");
	CHECK_LINE("cycle of 2: ", "with live task");
	CHECK_LINE("cycle of 2: ", " waits for mutex 0x");
}

static void limit_wait(void)
{
	leat_mutex_lock(&first);
	CHECK_EQ(leat_group_init(&group, LEAT_GROUP_OPTIONS(.limit = 1)), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(leat_go_in(&group, locks_first, i), 0);
	leat_group_wait(&group);
}

TEST_PLAIN(cycle_of_limit_and_mutex)
{
	deadlock(limit_wait, 2);
	CHECK_LINE("'main' blocked", "group limit");
	CHECK_LINE("cycle of 2: ", "waits for a place in group");
	CHECK_LINE("cycle of 2: ", "held by task 1 'main'");
}

static void lock_first(void *arg)
{
	(void)arg;
	leat_barrier_wait(&both);
	leat_mutex_lock(&first);
}

LEAT_TASK(runs_once, (int, n))
{
	leat_once_do(&once, lock_first, NULL);
	(void)n;
}

static void once_wait(void)
{
	leat_barrier_init(&both, 2);
	leat_mutex_lock(&first);
	CHECK_EQ(leat_go(runs_once, 0), 0);
	leat_barrier_wait(&both);
	leat_once_do(&once, lock_first, NULL);
}

TEST_PLAIN(cycle_of_once_and_mutex)
{
	deadlock(once_wait, 2);
	CHECK_LINE("'main' blocked", "run by task");
	CHECK_LINE("cycle of 2: ", "waits for once 0x");
	CHECK_LINE("cycle of 2: ", "run by task");
}

static void recv_wait(void)
{
	int v;

	chan = leat_chan_make(int, 2);
	leat_recv(chan, &v);
}

TEST_PLAIN(no_cycle)
{
	deadlock(recv_wait, 2);
	CHECK_LINE("'main' blocked", "channel receive 0x");
	CHECK_LINE("'main' blocked", "deadlock.c:");
	CHECK_LINE("'main' blocked", "; in recv_wait+0x");
	CHECK(strstr(captured, "no cycle"));
}

static void no_descriptors(void)
{
	int lowest = dup(STDERR_FILENO);
	struct rlimit limit;

	REQUIRE(lowest >= 0 && close(lowest) == 0);
	REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = (rlim_t)lowest;
	REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	recv_wait();
}

/* It does not say that there is no cycle where it could not look. */
TEST_PLAIN(no_descriptors_left)
{
	deadlock(no_descriptors, 1);
	CHECK(strstr(captured, "the tasks cannot be shown: Too many open files"));
	CHECK(!strstr(captured, "no cycle"));
}

static void ended_holder(void)
{
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	CHECK_EQ(leat_go_in(&group, locks_first, 0), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_mutex_lock(&first);
}

TEST_PLAIN(holder_has_ended)
{
	deadlock(ended_holder, 2);
	CHECK_LINE("'main' blocked", "held by a task that has ended");
	CHECK(strstr(captured, "no cycle"));
}

TEST_DEATH(program_aborts, "deadlock: every task is blocked")
{
	leat_options options = { .size = sizeof(options), .abort_on_deadlock = true };
	void (*body)(void) = recv_wait;

	CHECK_EQ(leat_run(&options, start, &body), 0);
}
