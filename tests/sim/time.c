/*
 * Sleeps and timers over many schedules: nothing is early, nothing is
 * forgotten, everything comes in its order.
 */
#include "run.h"

LEAT_TASK(sleep_some, (int, n), (int64_t, most))
{
	for (int i = 0; i < n; i++) {
		int64_t when = leat_in((int64_t)leat_random((uint64_t)most));

		CHECK_EQ(leat_sleep_until(when), 0);
		CHECK(leat_now() >= when);
	}
}

/* From nanoseconds to days: every level of the wheel, and moves between them. */
TEST_STRESS(sleeps)
{
	int64_t most = 1;
	leat_group group;

	make(&group);
	for (int i = 0; i < 8; i++, most *= 80)
		CHECK_EQ(leat_go_in(&group, sleep_some, 4, most), 0);
	CHECK_EQ(finish(&group), 0);
}

/* Sleeps that end at different times end in that order. */
enum { SLEEPERS = 8 };

LEAT_TASK(sleep_and_sign, (int, id), (int64_t, when), (int *, order), (int *, n))
{
	CHECK_EQ(leat_sleep_until(when), 0);
	order[(*n)++] = id;
}

TEST_STRESS(sleeps_end_in_order)
{
	int64_t when[SLEEPERS], start = leat_in(LEAT_MS);
	int order[SLEEPERS], n = 0;
	leat_group group;

	make(&group);
	for (int i = 0; i < SLEEPERS; i++) {
		/* Far enough apart for a slow choice between them. */
		when[i] = start + (int64_t)leat_random(1000000) * 10 * LEAT_US;
		CHECK_EQ(leat_go_in(&group, sleep_and_sign, i, when[i], order, &n), 0);
	}
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(n, SLEEPERS);
	for (int i = 1; i < n; i++)
		CHECK(when[order[i - 1]] < when[order[i]] + 10 * LEAT_US);
}

/* A cancel ends every sleep at once, and leaves no timer behind. */
LEAT_TASK_ERR(sleep_long, (int64_t, ns))
{
	return leat_sleep(ns);
}

TEST_STRESS(sleeps_cancelled)
{
	leat_group group;
	int64_t start = leat_now();

	make(&group);
	for (int64_t i = 1; i <= 6; i++)
		CHECK_EQ(leat_go_in(&group, sleep_long, i * 100 * LEAT_S), 0);
	dawdle(12);
	leat_group_cancel(&group, 0);
	CHECK_EQ(finish(&group), -ECANCELED);
	CHECK(leat_now() - start < LEAT_S);
}

/* A cancel and the end of the sleep at about the same time: one of them wins, no hang. */
TEST_STRESS(sleeps_against_cancel)
{
	leat_group group;

	make(&group);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(leat_go_in(&group, sleep_long, (int64_t)leat_random(4000)), 0);
	CHECK_EQ(leat_sleep((int64_t)leat_random(3000)), 0);
	leat_group_cancel(&group, 0);
	CHECK_EQ(finish(&group), -ECANCELED);
}

/* Functions that are called later: once, not early, or not at all. */
static struct {
	int64_t when;
	int calls;
} later[8];

static int on_time(void *arg)
{
	int i = *(int *)arg;

	CHECK(leat_now() >= later[i].when);
	later[i].calls++;
	return 0;
}

LEAT_TASK(in_between, (int, n))
{
	for (int i = 0; i < n; i++)
		leat_yield();
}

static void call_later(bool cancel)
{
	static int number[8];
	leat_group group;
	int calls = 0;

	make(&group);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&group, in_between, 10), 0);
	for (int i = 0; i < 8; i++) {
		number[i] = i;
		later[i].calls = 0;
		later[i].when = leat_in((int64_t)leat_random(4000));
		CHECK_EQ(leat_after(&group, later[i].when, on_time, &number[i]), 0);
		dawdle(1);
	}
	if (cancel) {
		CHECK_EQ(leat_sleep((int64_t)leat_random(4000)), 0);
		leat_group_cancel(&group, 0);
	}
	CHECK_EQ(finish(&group), cancel ? -ECANCELED : 0);
	for (int i = 0; i < 8; i++) {
		CHECK(later[i].calls <= 1);
		calls += later[i].calls;
	}
	if (!cancel)
		CHECK_EQ(calls, 8);
}

TEST_STRESS(after)
{
	call_later(false);
}

TEST_STRESS(after_cancelled)
{
	call_later(true);
}
