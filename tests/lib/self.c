/*
 * Tests that fail on purpose, one for each way to fail, and some that pass:
 * self-test.sh runs them and looks at what the harness makes of each.
 */
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

TEST_PLAIN(pass_plain)
{
	CHECK(true);
	CHECK_EQ(-1, -1);
	CHECK_STR("a", "a");
	CHECK_STR(NULL, NULL);
}

TEST(pass_task)
{
	CHECK(leat_task_id() != 0);
}

TEST_WITH(pass_options, .workers = 3)
{
	CHECK_EQ(leat_workers(), 3);
}

TEST_SIM(pass_sim, 3)
{
	static uint64_t seed;

	CHECK_EQ(leat_sim_seed(), ++seed);
}

LEAT_TASK(set, (bool *, flag))
{
	leat_yield();
	*flag = true;
}

TEST_SIM(pass_settle, 20)
{
	bool flag = false;

	leat_go(set, &flag);
	test_settle();
	CHECK(flag);
}

TEST_BOTH(pass_both, 2)
{
	CHECK(leat_task_id() != 0);
}

TEST_DEATH(pass_death, "as expected")
{
	fprintf(stderr, "dies as expected\n");
	abort();
}

TEST_DEATH_TASK(pass_death_task, "as expected")
{
	fprintf(stderr, "task %llu dies as expected\n", (unsigned long long)leat_task_id());
	abort();
}

TEST_PLAIN(skip_plain)
{
	SKIP("not today");
}

TEST_PLAIN(fail_check)
{
	CHECK(1 + 1 == 3);
}

TEST_PLAIN(fail_eq)
{
	CHECK_EQ(6 * 7, 54);
}

TEST_PLAIN(fail_str)
{
	CHECK_STR("left", "right");
}

TEST_PLAIN(fail_require)
{
	int *null = NULL;

	REQUIRE(null != NULL);
	*null = 1;
}

static void *fail_in_thread(void *arg)
{
	CHECK(arg != NULL);
	return NULL;
}

TEST_PLAIN(fail_thread)
{
	pthread_t thread;

	REQUIRE(pthread_create(&thread, NULL, fail_in_thread, NULL) == 0);
	pthread_join(thread, NULL);
}

LEAT_TASK(fail_in_task, (int, n))
{
	CHECK_EQ(n, 0);
}

TEST(fail_task)
{
	leat_go(fail_in_task, 17);
}

TEST_SIM(fail_sim, 5)
{
	CHECK(leat_sim_seed() != 3);
}

TEST(fail_deadlock)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	int value;

	leat_recv(chan, &value);
}

TEST_PLAIN(fail_crash)
{
	raise(SIGSEGV);
}

TEST_PLAIN(fail_exit)
{
	exit(0);
}

TEST_PLAIN(fail_timeout)
{
	alarm(1);
	for (;;)
		pause();
}

TEST_DEATH(fail_death_survives, "anything")
{
}

TEST_DEATH(fail_death_silent, "as expected")
{
	abort();
}

TEST_DEATH(fail_death_signal, "as expected")
{
	fprintf(stderr, "dies as expected\n");
	raise(SIGKILL);
}
