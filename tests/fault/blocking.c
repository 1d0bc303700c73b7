/*
 * leat_blocking when no thread can be started.
 */
#include <semaphore.h>

#include "port/sys.h"
#include "test.h"

/* The next thread of the pool does not start. */
static void fail_next_start(void)
{
	uint32_t n;
	struct leat__sys_site *site = leat__sys_sites(&n);

	for (uint32_t i = 0; i < n; i++)
		if (strstr(site[i].where, "leat__thread_start_stack")) {
			__atomic_store_n(&site[i].error, EAGAIN, __ATOMIC_RELAXED);
			return;
		}
	REQUIRE(false);
}

static leat_stats stats(void)
{
	leat_stats s = { .size = sizeof(s) };

	CHECK_EQ(leat_stats_get(&s), 0);
	return s;
}

static int count(void *arg)
{
	++*(int *)arg;
	return 0;
}

struct gate {
	sem_t begun, end;
};

static int pass_gate(void *arg)
{
	struct gate *gate = arg;

	sem_post(&gate->begun);
	while (sem_wait(&gate->end) != 0)
		;
	return 0;
}

LEAT_TASK(hold, (struct gate *, gate))
{
	CHECK_EQ(leat_blocking(pass_gate, gate), 0);
}

LEAT_TASK(count_once, (int *, n))
{
	CHECK_EQ(leat_blocking(count, n), 0);
}

TEST(no_thread)
{
	int n = 0;

	fail_next_start();
	CHECK_EQ(leat_blocking(count, &n), -EAGAIN);
	CHECK_EQ(n, 0);
	CHECK_EQ(stats().blocking_threads, 0);
	CHECK_EQ(stats().blocking_queued, 0);
	CHECK_EQ(leat_blocking(count, &n), 0);
	CHECK_EQ(n, 1);
}

/* The call waits for the thread that there is. */
TEST(one_thread)
{
	struct gate gate;
	leat_group group;
	int n = 0;

	sem_init(&gate.begun, 0, 0);
	sem_init(&gate.end, 0, 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, hold, &gate), 0);
	while (sem_trywait(&gate.begun) != 0)
		leat_sleep(LEAT_MS);
	fail_next_start();
	CHECK_EQ(leat_go_in(&group, count_once, &n), 0);
	while (stats().blocking_queued == 0)
		leat_sleep(LEAT_MS);
	leat_sleep(LEAT_MS);
	CHECK_EQ(stats().blocking_threads, 1);
	CHECK_EQ(n, 0);
	sem_post(&gate.end);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(n, 1);
}
