/*
 * Misuse that no other file has: no-park scopes, fork, NULL and closed channels.
 * Each message names the function.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

TEST(send_on_closed)
{
	leat_chan(int) c = leat_chan_make(int, 1);

	leat_close(c);
	CHECK_EQ(leat_send(c, 1), LEAT_ECLOSED);
	CHECK_EQ(leat_try_send(c, 1), LEAT_ECLOSED);
	leat_chan_unref(c);
}

/* No-park scopes. */

TEST_DEATH_TASK(no_park_recv, "leat_recv(0x")
{
	leat_chan(int) c = leat_chan_make(int, 1);
	int v;

	leat_no_park_begin();
	leat_recv(c, &v);
}

TEST_DEATH_TASK(no_park_names_the_fix, "leat_no_park_end")
{
	leat_no_park_begin();
	leat_sleep(LEAT_MS);
}

TEST_DEATH_TASK(no_park_sem, "leat_sem_acquire(0x")
{
	leat_sem sem;

	leat_sem_init(&sem, 0, 0);
	leat_no_park_begin();
	CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
}

TEST_DEATH_TASK(no_park_yield, "leat_yield(0x")
{
	leat_no_park_begin();
	leat_yield();
}

TEST(no_park_without_a_park)
{
	leat_chan(int) c = leat_chan_make(int, 1);

	leat_no_park_begin();
	CHECK_EQ(leat_send(c, 1), 0);
	leat_no_park_end();
	leat_chan_unref(c);
}

TEST_DEATH_TASK(no_park_end_alone, "leat_no_park_end")
{
	leat_no_park_end();
}

TEST_DEATH(no_park_begin_outside, "leat_no_park_begin")
{
	leat_no_park_begin();
}

/* NULL channels. */

TEST_DEATH(null_try_send, "leat_channel_try_send")
{
	int v = 1;

	CHECK_EQ(leat_channel_try_send(NULL, &v), 0);
}

TEST_DEATH(null_try_recv, "leat_channel_try_recv")
{
	int v;

	CHECK_EQ(leat_channel_try_recv(NULL, &v), 0);
}

TEST_DEATH(null_close, "leat_channel_close")
{
	leat_channel_close(NULL);
}

TEST_DEATH(null_abandon, "leat_channel_abandon")
{
	leat_channel_abandon(NULL);
}

TEST_DEATH(null_len, "leat_channel_len")
{
	CHECK_EQ(leat_channel_len(NULL), 0);
}

/*
 * fork.  The child's message is in the same stderr; the parent aborts only if
 * the child was stopped.
 */

static void in_child(void (*body)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		body();
		_exit(0);
	}
	REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
		abort();
	exit(3);
}

static leat_chan(int) shared_chan;
static leat_sem shared_sem;

static void child_sends(void)
{
	leat_send(shared_chan, 1);
}

TEST_DEATH_TASK(fork_then_send, "leat_channel_send(0x")
{
	shared_chan = leat_chan_make(int, 1);
	in_child(child_sends);
}

TEST_DEATH_TASK(fork_names_the_fix, "call exec or _exit")
{
	shared_chan = leat_chan_make(int, 1);
	in_child(child_sends);
}

static void child_closes(void)
{
	leat_close(shared_chan);
}

TEST_DEATH_TASK(fork_then_close, "leat_channel_close(0x")
{
	shared_chan = leat_chan_make(int, 1);
	in_child(child_closes);
}

static void child_releases(void)
{
	leat_sem_release(&shared_sem, 1);
}

TEST_DEATH_TASK(fork_then_release, "leat_sem_release(0x")
{
	leat_sem_init(&shared_sem, 1, 0);
	CHECK_EQ(leat_sem_try_acquire(&shared_sem, 1), 0);
	in_child(child_releases);
}

LEAT_TASK(nothing, (int, n))
{
	(void)n;
}

static void child_spawns(void)
{
	CHECK_EQ(leat_go(nothing, 1), 0);
}

TEST_DEATH_TASK(fork_then_spawn, "leat_go(")
{
	in_child(child_spawns);
}

static void child_yields(void)
{
	leat_yield();
}

TEST_DEATH_TASK(fork_then_yield, "leat_yield(")
{
	in_child(child_yields);
}

static void child_runs(void)
{
	test_run_task(child_yields);
}

TEST_DEATH_TASK(fork_then_run, "leat_run(")
{
	in_child(child_runs);
}

static void child_sleeps(void)
{
	leat_sleep(1);
}

TEST_DEATH_TASK(fork_then_sleep, "leat_sleep(")
{
	in_child(child_sleeps);
}

static void child_selects(void)
{
	int v;

	leat_select(leat_case_recv(shared_chan, &v));
}

TEST_DEATH_TASK(fork_then_select, "leat_select_cases(")
{
	shared_chan = leat_chan_make(int, 1);
	in_child(child_selects);
}

static leat_barrier shared_barrier;

static void child_meets(void)
{
	leat_barrier_wait(&shared_barrier);
}

TEST_DEATH_TASK(fork_then_meet, "leat_barrier_wait(")
{
	leat_barrier_init(&shared_barrier, 2);
	in_child(child_meets);
}

/* The child returns from the main task, as if nothing had happened. */
static pid_t forked_pid;

static void just_forks(void)
{
	forked_pid = fork();
}

TEST_DEATH(fork_then_return, "call exec or _exit")
{
	int status = 0;
	pid_t pid;

	test_run_task(just_forks);
	pid = forked_pid;
	REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
		abort();
	exit(3);
}

/* Before and after a run, fork is nobody's business. */
TEST_PLAIN(fork_between_runs)
{
	int status = 0;
	pid_t pid;

	test_run_task(child_yields);
	pid = fork();
	if (pid == 0) {
		test_run_task(child_yields);
		_exit(0);
	}
	REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 0);
}

/* A child that only execs or exits is fine, and so is the parent. */
TEST(fork_and_exit)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(7);
	REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK_EQ(WEXITSTATUS(status), 7);
	CHECK_EQ(leat_yield(), 0);
}
