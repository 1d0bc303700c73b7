/*
 * Groups over many schedules: every task is joined once, limits hold, the first
 * error is the group's, and a cancel ends everything below it, wherever it
 * waits.
 */
#include "run.h"

LEAT_TASK(touch, (int *, count), (int, yields))
{
	for (int i = 0; i < yields; i++)
		leat_yield();
	++*count;
}

/* Spawned by the owner, waited for, and again. */
TEST_STRESS(group_joins)
{
	leat_group group;
	int count = 0;

	make(&group);
	for (int round = 1; round <= 3; round++) {
		for (int i = 0; i < 4; i++)
			CHECK_EQ(leat_go_in(&group, touch, &count, (int)leat_random(3)), 0);
		dawdle(2);
		CHECK_EQ(leat_group_wait(&group), 0);
		CHECK_EQ(count, 4 * round);
	}
	leat_group_release(&group);
}

/* Spawned by the group's own tasks. */
LEAT_TASK(tree, (leat_group *, group), (int, depth), (int *, count))
{
	++*count;
	for (int i = 0; i < 2 && depth > 0; i++) {
		CHECK_EQ(leat_go_in(group, tree, group, depth - 1, count), 0);
		dawdle(1);
	}
}

TEST_STRESS(group_grows)
{
	leat_group group;
	int count = 0;

	make(&group);
	CHECK_EQ(leat_go_in(&group, tree, &group, 3, &count), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(count, 15);
}

/* Groups within groups: each is joined by its own task. */
LEAT_TASK_ERR(nest, (int, depth), (int *, count))
{
	leat_group group;

	make(&group);
	for (int i = 0; i < 2 && depth > 0; i++)
		CHECK_EQ(leat_go_in(&group, nest, depth - 1, count), 0);
	dawdle(1);
	CHECK_EQ(finish(&group), 0);
	++*count;
	return 0;
}

TEST_STRESS(group_nests)
{
	int count = 0;

	CHECK_EQ(nest(3, &count), 0);
	CHECK_EQ(count, 15);
}

/* Waits with a deadline, until it is over; the tasks end at about that time. */
LEAT_TASK(sleep_for, (int64_t, ns), (int *, count))
{
	CHECK_EQ(leat_sleep(ns), 0);
	++*count;
}

TEST_STRESS(group_wait_until)
{
	leat_group group;
	int count = 0, r;

	make(&group);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&group, sleep_for, (int64_t)leat_random(3000), &count), 0);
	while ((r = leat_group_wait_until(&group, leat_in((int64_t)leat_random(2000)))) != 0)
		CHECK_EQ(r, -EAGAIN);
	CHECK_EQ(count, 3);
	leat_group_release(&group);
}

/* Others wait for the same group. */
LEAT_TASK(wait_for, (leat_group *, group), (int *, count))
{
	int64_t deadline = leat_random(2) ? LEAT_FOREVER : leat_in((int64_t)leat_random(5000));
	int r = leat_group_wait_until(group, deadline);

	CHECK(r == 0 || r == -EAGAIN);
	if (r == 0)
		CHECK_EQ(*count, 3);
}

static void others(bool shared)
{
	leat_group group, waiters;
	int count = 0;

	CHECK_EQ(leat_group_init(&group, LEAT_GROUP_OPTIONS(.shared = shared)), 0);
	make(&waiters);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&group, touch, &count, (int)leat_random(4)), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&waiters, wait_for, &group, &count), 0);
	dawdle(3);
	CHECK_EQ(leat_group_wait(&group), 0);
	CHECK_EQ(count, 3);
	CHECK_EQ(finish(&waiters), 0);
	leat_group_release(&group);
}

TEST_STRESS(group_others_wait)
{
	others(false);
}

TEST_STRESS(group_shared)
{
	others(true);
}

/* At most so many at once, however they are spawned. */
static struct {
	int running, most, ended, refused;
} limited;

LEAT_TASK(run_limited, (int, yields))
{
	if (++limited.running > limited.most)
		limited.most = limited.running;
	for (int i = 0; i < yields; i++)
		leat_yield();
	limited.running--;
	limited.ended++;
}

LEAT_TASK(spawn_limited, (leat_group *, group), (int, n))
{
	for (int i = 0; i < n; i++) {
		int yields = (int)leat_random(4), r;
		int64_t deadline;

		switch (leat_random(3)) {
		case 0:
			r = leat_go_in(group, run_limited, yields);
			CHECK_EQ(r, 0);
			break;
		case 1:
			r = leat_go_with(group, LEAT_TASK_OPTIONS(.try_only = true), run_limited,
					 yields);
			CHECK(r == 0 || r == -EAGAIN);
			break;
		default:
			deadline = leat_in((int64_t)leat_random(2000));
			r = leat_go_with(group, LEAT_TASK_OPTIONS(.limit_deadline = deadline),
					 run_limited, yields);
			CHECK(r == 0 || r == -ETIMEDOUT);
		}
		if (r != 0)
			limited.refused++;
	}
}

TEST_STRESS(group_limit)
{
	enum { LIMIT = 2, SPAWNERS = 3, EACH = 4 };
	leat_group group, spawners;

	memset(&limited, 0, sizeof(limited));
	CHECK_EQ(leat_group_init(&group, LEAT_GROUP_OPTIONS(.limit = LIMIT)), 0);
	make(&spawners);
	for (int i = 0; i < SPAWNERS; i++)
		CHECK_EQ(leat_go_in(&spawners, spawn_limited, &group, EACH), 0);
	CHECK_EQ(finish(&spawners), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK(limited.most <= LIMIT);
	CHECK_EQ(limited.ended + limited.refused, SPAWNERS * EACH);
}

/* The error of a task is the group's; the others find themselves cancelled. */
LEAT_TASK_ERR(fail_at, (int, yields), (int, error), (int *, errors))
{
	for (int i = 0; i < yields; i++) {
		int r = leat_yield();

		if (r != 0)
			return r;
	}
	*errors |= 1 << -error;
	return error;
}

LEAT_TASK_ERR(wait_for_ever, (leat_chan(int), never), (int *, ended))
{
	int element, r;

	switch (leat_random(3)) {
	case 0:
		r = leat_recv(never, &element);
		break;
	case 1:
		r = leat_sleep_until(LEAT_FOREVER);
		break;
	default:
		r = leat_select(leat_case_recv(never, &element),
				leat_case_until(leat_in(1000 * LEAT_S)));
	}
	CHECK_EQ(r, -ECANCELED);
	++*ended;
	return r;
}

TEST_STRESS(group_first_error)
{
	leat_chan(int) never = leat_chan_make(int, 0);
	int errors = 0, ended = 0, spawned = 0, r;
	leat_group group;

	make(&group);
	for (int i = 1; i <= 3; i++) {
		if (leat_go_in(&group, wait_for_ever, never, &ended) == 0)
			spawned++;
		leat_go_in(&group, fail_at, (int)leat_random(4), -i, &errors);
	}
	r = finish(&group);
	CHECK(r < 0 && r >= -3 && (errors & 1 << -r));
	CHECK_EQ(ended, spawned);
	leat_chan_unref(never);
}

/* One success is enough. */
LEAT_TASK_ERR(succeed_at, (int, yields), (bool, fails), (int *, successes))
{
	for (int i = 0; i < yields; i++) {
		int r = leat_yield();

		if (r != 0)
			return r;
	}
	if (fails)
		return -EIO;
	++*successes;
	return 0;
}

TEST_STRESS(group_any_succeeds)
{
	int successes = 0, fine = 0;
	leat_group group;

	CHECK_EQ(leat_group_init(&group, LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ANY_SUCCEEDS)), 0);
	for (int i = 0; i < 4; i++) {
		bool fails = leat_random(2);

		fine += !fails;
		leat_go_in(&group, succeed_at, (int)leat_random(4), fails, &successes);
	}
	CHECK_EQ(finish(&group), fine > 0 ? 0 : -EIO);
	CHECK_EQ(successes > 0, fine > 0);
}

/* Results come in the order of the spawns, without those of tasks that failed. */
LEAT_TASK_ERR(square, (int, i))
{
	dawdle(3);
	*(int *)leat_group_result_slot() = i * i;
	return i % 3 == 2 ? -EIO : 0;
}

TEST_STRESS(group_results)
{
	int squares[8] = { 0 };
	leat_group group;

	CHECK_EQ(leat_group_init(&group, LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE,
							    .result_size = sizeof(int),
							    .limit = 3)),
		 0);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(leat_go_in(&group, square, i), 0);
	CHECK_EQ(leat_group_wait(&group), -EIO);
	CHECK_EQ(leat_results(&group, squares, 8), 6);
	CHECK_EQ(squares[0], 0);
	CHECK_EQ(squares[1], 1);
	CHECK_EQ(squares[2], 9);
	CHECK_EQ(squares[5], 49);
	leat_group_release(&group);
}

/* A cancel from above ends everything below, also what is spawned meanwhile. */
LEAT_TASK_ERR(dig, (int, depth), (leat_chan(int), never), (int *, alive))
{
	leat_group group;
	int r;

	++*alive;
	make(&group);
	for (int i = 0; i < 2 && depth > 0; i++) {
		r = leat_go_in(&group, dig, depth - 1, never, alive);
		CHECK(r == 0 || r == -ECANCELED);
	}
	if (depth == 0) {
		int ignored = 0;

		CHECK_EQ(wait_for_ever(never, &ignored), -ECANCELED);
	}
	CHECK_EQ(finish(&group), -EINTR); /* the cause of the cancel above */
	--*alive;
	return -ECANCELED;
}

TEST_STRESS(group_cancel_tree)
{
	leat_chan(int) never = leat_chan_make(int, 0);
	leat_group group;
	int alive = 0;

	make(&group);
	CHECK_EQ(leat_go_in(&group, dig, 2, never, &alive), 0);
	dawdle(20);
	leat_group_cancel(&group, -EINTR);
	CHECK_EQ(finish(&group), -EINTR);
	CHECK_EQ(alive, 0);
	leat_chan_unref(never);
}

/* A deadline cancels the group; ending before it does not. */
TEST_STRESS(group_deadline)
{
	int64_t deadline = leat_in((int64_t)leat_random(4000));
	leat_group group;
	int count = 0, r;

	CHECK_EQ(leat_group_init(&group, LEAT_GROUP_OPTIONS(.deadline = deadline)), 0);
	for (int i = 0; i < 3; i++) {
		r = leat_go_in(&group, touch, &count, (int)leat_random(5));
		CHECK(r == 0 || r == -ECANCELED);
		dawdle(2);
	}
	r = finish(&group);
	CHECK(r == 0 || r == -ETIMEDOUT);
	if (r == -ETIMEDOUT)
		CHECK(leat_now() >= deadline);
}

/* A shielded task is not reached by the cancel until the shield is gone. */
LEAT_TASK_ERR(clean_up, (leat_chan(int), in), (int *, cleaned))
{
	int element, r;

	leat_shield_begin();
	CHECK_EQ(leat_recv(in, &element), 0);
	leat_shield_end();
	++*cleaned;
	r = leat_recv(in, &element);
	CHECK_EQ(r, -ECANCELED);
	return r;
}

TEST_STRESS(group_shield)
{
	leat_chan(int) chan = leat_chan_make(int, leat_random(2));
	leat_group group;
	int cleaned = 0, spawned = 0;

	make(&group);
	for (int i = 0; i < 2; i++)
		if (leat_go_in(&group, clean_up, chan, &cleaned) == 0)
			spawned++;
	dawdle(4);
	leat_group_cancel(&group, 0);
	for (int i = 0; i < spawned; i++)
		CHECK_EQ(leat_send(chan, i), 0);
	CHECK_EQ(finish(&group), -ECANCELED);
	CHECK_EQ(cleaned, spawned);
	leat_chan_unref(chan);
}
