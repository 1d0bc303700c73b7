/* eapache/go-resiliency, breaker_test.go: each test names the case that it comes from. */
#include "test.h"

#include <leat/leat.h>

static leat_breaker breaker;

static int some_error(int *calls)
{
	++*calls;
	return -EIO;
}

static int success(int *calls)
{
	++*calls;
	return 0;
}

/* New(failures, successes, open_for); half-open, it lets any number through. */
static void make(int failures, int successes, int64_t open_for)
{
	REQUIRE(leat_breaker_init(&breaker,
				  LEAT_BREAKER_OPTIONS(.failures = failures, .successes = successes,
						       .open_for = open_for,
						       .probes = 1000)) == 0);
	CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_CLOSED);
}

static void run(int (*fn)(int *), int times, int result)
{
	int calls = 0;

	for (int i = 0; i < times; i++)
		CHECK_EQ(leat_breaker_call(&breaker, fn, &calls), result);
	CHECK_EQ(calls, result == LEAT_EOPEN ? 0 : times);
}

/* TestBreakerStateTransitions */
TEST_SIM(state_transitions, 3)
{
	make(3, 2, 10 * LEAT_MS);
	run(some_error, 3, -EIO);
	CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_OPEN);
	run(some_error, 5, LEAT_EOPEN);

	leat_sleep(20 * LEAT_MS);
	run(success, 1, 0); /* not enough to close it */
	CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_HALF_OPEN);
	run(some_error, 1, -EIO); /* enough to open it */
	CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_OPEN);
	run(some_error, 1, LEAT_EOPEN);

	leat_sleep(20 * LEAT_MS);
	run(success, 2, 0);
	CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_CLOSED);
	run(some_error, 1, -EIO);
	CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_CLOSED);
	run(success, 1, 0);
}

LEAT_TASK(call_once, (bool, ok))
{
	int calls = 0;

	CHECK_EQ(leat_breaker_call(&breaker, ok ? success : some_error, &calls), ok ? 0 : -EIO);
	CHECK_EQ(calls, 1);
}

/* Calls in tasks of their own. */
static void run_in_tasks(bool ok, int times)
{
	leat_group group;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < times; i++)
		CHECK_EQ(leat_go_in(&group, call_once, ok), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
}

/* TestBreakerAsyncStateTransitions: tasks that are waited for, instead of a pause. */
TEST_SIM(async_state_transitions, 20)
{
	make(3, 2, 10 * LEAT_MS);
	run_in_tasks(false, 3);
	run(some_error, 5, LEAT_EOPEN);
	leat_sleep(20 * LEAT_MS);
	run_in_tasks(true, 1);
	run_in_tasks(false, 1);
	run(some_error, 1, LEAT_EOPEN);
	leat_sleep(20 * LEAT_MS);
	run_in_tasks(true, 2);
	run_in_tasks(false, 1);
	run_in_tasks(true, 1);
	CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_CLOSED);
}
