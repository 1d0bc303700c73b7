/*
 * golang.org/x/sync/singleflight: its cases, re-expressed; and what a task of its own adds.
 */
#include <stdatomic.h>
#include <stdio.h>

#include "test.h"

#include <leat/flight.h>
#include <leat/leat.h>

struct text {
	char text[16];
};

static atomic_int calls;

static int bar(int *ignored, struct text *ret_text)
{
	(void)ignored;
	snprintf(ret_text->text, sizeof(ret_text->text), "bar");
	return 0;
}

static int some_error(int *error, struct text *ret_text)
{
	(void)ret_text;
	return *error;
}

/* TestDo, TestDoErr */
TEST_BOTH(do_and_its_error, 10)
{
	leat_flight(struct text) f;
	struct text v = { "" };
	int error = -EPIPE;
	bool shared = true;

	CHECK_EQ(leat_flight_make(&f, .name = "f"), 0);
	CHECK_EQ(leat_flight_do_shared(f, "key", bar, &error, &v, LEAT_FOREVER, &shared), 0);
	CHECK(strcmp(v.text, "bar") == 0);
	CHECK(!shared);
	CHECK_EQ(leat_flight_do(f, "key", some_error, &error, &v, LEAT_FOREVER), -EPIPE);
	leat_flight_destroy(f);
}

static int slow(int *n, int *ret_n)
{
	int r = leat_sleep(10 * LEAT_MS);

	atomic_fetch_add(&calls, 1);
	*ret_n = *n;
	return r;
}

LEAT_TASK(ask, (leat_flight(int), f), (int, n), (atomic_int *, sharers))
{
	bool shared;
	int v = 0;

	CHECK_EQ(leat_flight_do_shared(f, "key", slow, &n, &v, LEAT_FOREVER, &shared), 0);
	CHECK_EQ(v, 7);
	atomic_fetch_add(sharers, shared);
}

/* TestDoDupSuppress: ten callers, 0 < calls < 10; in virtual time, one. */
TEST_SIM(duplicates_are_suppressed, 20)
{
	atomic_int sharers = 0;
	leat_flight(int) f;
	leat_group group;

	calls = 0;
	CHECK_EQ(leat_flight_make(&f, .name = "f"), 0);
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(leat_go_in(&group, ask, f, 7, &sharers), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(calls, 1);
	CHECK(sharers >= 9);
	leat_flight_destroy(f);
}

LEAT_TASK(expect_n, (leat_flight(int), f), (int, n), (int, expected))
{
	int v;

	CHECK_EQ(leat_flight_do(f, "key", slow, &n, &v, LEAT_FOREVER), 0);
	CHECK_EQ(v, expected);
}

/* TestForget: the third caller sees the second's result, not the first's. */
TEST_SIM(forget_detaches, 20)
{
	leat_flight(int) f;
	leat_group group;

	calls = 0;
	CHECK_EQ(leat_flight_make(&f, .name = "f"), 0);
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	CHECK_EQ(leat_go_in(&group, expect_n, f, 1, 1), 0);
	leat_sleep(LEAT_MS);
	leat_flight_forget(f, "key");
	leat_flight_forget(f, "another");
	CHECK_EQ(leat_go_in(&group, expect_n, f, 2, 2), 0);
	leat_sleep(LEAT_MS);
	CHECK_EQ(leat_go_in(&group, expect_n, f, 3, 2), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(calls, 2);
	leat_flight_destroy(f);
}

/* TestDoTimeout of DoChan: the first caller gives up, the run goes on for the second. */
TEST_SIM(a_deadline_is_the_callers_own, 20)
{
	leat_flight(int) f;
	leat_group group;
	int v, n = 7;

	calls = 0;
	CHECK_EQ(leat_flight_make(&f, .name = "f"), 0);
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	CHECK_EQ(leat_flight_do(f, "key", slow, &n, &v, leat_in(LEAT_MS)), -ETIMEDOUT);
	CHECK_EQ(leat_go_in(&group, expect_n, f, 9, 7), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(calls, 1);
	leat_flight_destroy(f);
}

/* What refers to more is cloned for each, and dropped once: nothing is left (ASan). */
static atomic_int live;

static int make(int *n, int **ret_box)
{
	*ret_box = malloc(sizeof(int));
	**ret_box = *n;
	atomic_fetch_add(&live, 1);
	(void)leat_sleep(LEAT_MS);
	return 0;
}

static int clone(int *const *box, int **ret_box)
{
	int n = **box;

	*ret_box = malloc(sizeof(int));
	**ret_box = n;
	atomic_fetch_add(&live, 1);
	return 0;
}

static void drop(int **box)
{
	free(*box);
	atomic_fetch_sub(&live, 1);
}

LEAT_TASK(take_box, (leat_flight(int *), f), (int64_t, patience))
{
	int *box, n = 3;

	if (leat_flight_do(f, "key", make, &n, &box, leat_in(patience)) < 0)
		return;
	CHECK_EQ(*box, 3);
	drop(&box);
}

TEST_BOTH(results_are_cloned_and_dropped, 30)
{
	leat_flight(int *) f;
	leat_group group;

	live = 0;
	CHECK_EQ(leat_flight_make(&f, .clone = LEAT_FLIGHT_CLONE(int *, clone),
				  .drop = LEAT_FLIGHT_DROP(int *, drop)), 0);
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(leat_go_in(&group, take_box, f, (int64_t)leat_random(2 * LEAT_MS)), 0);
	leat_sleep((int64_t)leat_random(LEAT_MS));
	leat_group_cancel(&group, 0);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
	leat_flight_destroy(f);
	CHECK_EQ(live, 0);
}

TEST(drop_needs_clone)
{
	leat_flight(int *) f;

	CHECK_EQ(leat_flight_make(&f, .drop = LEAT_FLIGHT_DROP(int *, drop)), -EINVAL);
	leat_flight_destroy((leat_flight(int *))NULL);
}
