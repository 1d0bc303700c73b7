/*
 * Tests of leat/group.h, as its comments promise it, and of fork-join.
 *
 * Tests of what blocks and in which order are simulated: test_settle() lets every
 * other task come to its next wait.
 */
#include <leat/extend.h>

#include "foreign.h"
#include "test.h"

static void make(leat_group *group)
{
	REQUIRE(leat_group_init(group, NULL) == 0);
}

#define make_with(group, ...) \
	REQUIRE(leat_group_init((group), LEAT_GROUP_OPTIONS(__VA_ARGS__)) == 0)

/* Waits for the group's tasks and ends it; its error. */
static int finish(leat_group *group)
{
	int r = leat_group_wait(group);

	leat_group_release(group);
	return r;
}

/* Blocks for as long as the task is not cancelled. */
static int wait_for_cancel(void)
{
	leat_chan(int) never = NULL;
	int ignored;

	return leat_select(leat_case_recv(never, &ignored));
}

LEAT_TASK_ERR(until_cancelled)
{
	int r = wait_for_cancel();

	CHECK_EQ(r, -ECANCELED);
	return r;
}

LEAT_TASK_ERR(give_back, (int, result))
{
	return result;
}

/* Blocks until it receives what to return; when cancelled it returns otherwise. */
LEAT_TASK_ERR(give_back_received, (leat_chan(int), chan), (int, otherwise))
{
	int result;

	return leat_recv(chan, &result) == 0 ? result : otherwise;
}

LEAT_TASK(count_up, (int *, count))
{
	__atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
}

/* Returns when the group has n live tasks left. */
static void until_live(leat_group *group, int64_t n)
{
	while (leat_group_live(group) != n)
		leat_yield();
}

static const char *error_name(leat_group *group)
{
	const char *name = "(untouched)";

	leat_group_error(group, &name);
	return name;
}

/*
 * Waiting.
 */

TEST_BOTH(wait_for_nothing, 5)
{
	leat_group group;

	make(&group);
	CHECK_EQ(leat_group_live(&group), 0);
	CHECK_EQ(leat_group_error(&group, NULL), 0);
	CHECK(!leat_group_is_cancelled(&group));
	CHECK_EQ(leat_group_wait_until(&group, leat_now()), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
}

TEST_PLAIN(init_without_runtime)
{
	leat_group group;

	CHECK_EQ(leat_group_init(&group, NULL), -EINVAL);
}

/* The line is in what is written before the abort. */
TEST_DEATH(init_without_runtime_says, "leat: leat_group_init: no runtime is running")
{
	leat_group group;

	if (leat_group_init(&group, NULL) == -EINVAL)
		abort();
}

/* The tasks' plain writes are visible after the wait (TSan checks the order, too). */
LEAT_TASK(write_square, (int *, slot), (int, i))
{
	*slot = i * i;
}

TEST_BOTH(wait_joins_all, 20)
{
	enum { TASKS = 200 };
	int squares[TASKS] = { 0 };
	leat_group group;

	make(&group);
	for (int round = 1; round <= 3; round++) {
		for (int i = 0; i < TASKS; i++)
			CHECK_EQ(leat_go_in(&group, write_square, &squares[i], i + round), 0);
		CHECK_EQ(leat_group_wait(&group), 0);
		CHECK_EQ(leat_group_live(&group), 0);
		for (int i = 0; i < TASKS; i++)
			CHECK_EQ(squares[i], (i + round) * (i + round));
	}
	leat_group_release(&group);
}

/* Tasks that are spawned by the group's tasks are waited for as well. */
LEAT_TASK(spawn_tree, (leat_group *, group), (int, depth), (int *, count))
{
	__atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 2 && depth > 0; i++)
		CHECK_EQ(leat_go_in(group, spawn_tree, group, depth - 1, count), 0);
}

TEST_BOTH(wait_joins_grandchildren, 20)
{
	enum { DEPTH = 8 };
	leat_group group;
	int count = 0;

	make(&group);
	CHECK_EQ(leat_go_in(&group, spawn_tree, &group, DEPTH, &count), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(count, (1 << (DEPTH + 1)) - 1);
}

TEST_BOTH(live_counts, 20)
{
	enum { TASKS = 5 };
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_group group;

	make(&group);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(leat_go_in(&group, give_back_received, chan, -EIO), 0);
	for (int i = TASKS; i > 0; i--) {
		CHECK_EQ(leat_group_live(&group), i);
		CHECK_EQ(leat_send(chan, 0), 0);
		until_live(&group, i - 1);
	}
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(chan);
}

TEST_BOTH(wait_until_deadline, 20)
{
	leat_chan(int) chan = leat_chan_make(int, 1);
	leat_group group;
	int64_t deadline;

	make(&group);
	CHECK_EQ(leat_go_in(&group, give_back_received, chan, -EIO), 0);
	CHECK_EQ(leat_group_wait_until(&group, leat_now()), -EAGAIN);
	deadline = leat_in(2 * LEAT_MS);
	CHECK_EQ(leat_group_wait_until(&group, deadline), -EAGAIN);
	CHECK(leat_now() >= deadline);
	CHECK_EQ(leat_group_live(&group), 1);
	CHECK(!leat_group_is_cancelled(&group));
	CHECK_EQ(leat_send(chan, -EDOM), 0);
	CHECK_EQ(leat_group_wait_until(&group, LEAT_FOREVER), -EDOM);
	leat_group_release(&group);
	leat_chan_unref(chan);
}

/*
 * Join policies.
 */

TEST_BOTH(fail_fast, 50)
{
	leat_group group;

	make(&group);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&group, until_cancelled), 0);
	CHECK_EQ(leat_go_in(&group, give_back, -EIO), 0);
	CHECK_EQ(leat_group_wait(&group), -EIO);
	CHECK(leat_group_is_cancelled(&group));
	CHECK_EQ(leat_group_error(&group, NULL), -EIO);
	CHECK_STR(error_name(&group), "give_back");
	CHECK_EQ(leat_go_in(&group, give_back, 0), -ECANCELED);
	CHECK_EQ(finish(&group), -EIO);
}

/* An error that comes later, even one of another kind, is not the first. */
TEST_BOTH(fail_fast_first_error_stays, 50)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, give_back_received, chan, -EDOM), 0);
	CHECK_EQ(leat_go_with(&group, LEAT_TASK_OPTIONS(.name = "culprit"), give_back, -EIO), 0);
	CHECK_EQ(leat_group_wait(&group), -EIO);
	CHECK_STR(error_name(&group), "culprit");
	CHECK_EQ(finish(&group), -EIO);
	leat_chan_unref(chan);
}

/* -ECANCELED that nobody asked for is an error like any other. */
TEST_BOTH(fail_fast_canceled_by_itself, 20)
{
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, give_back, -ECANCELED), 0);
	CHECK_EQ(leat_group_wait(&group), -ECANCELED);
	CHECK(leat_group_is_cancelled(&group));
	CHECK_STR(error_name(&group), "give_back");
	CHECK_EQ(finish(&group), -ECANCELED);
}

/* The error can be seen before the wait. */
TEST_BOTH(error_at_any_time, 20)
{
	leat_group group;

	make_with(&group, .join = LEAT_JOIN_ALL_DONE);
	CHECK_EQ(leat_go_in(&group, give_back, -EIO), 0);
	while (leat_group_error(&group, NULL) == 0)
		leat_yield();
	CHECK_EQ(leat_group_error(&group, NULL), -EIO);
	CHECK_EQ(finish(&group), -EIO);
}

TEST_BOTH(isolate, 50)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_group group;

	make_with(&group, .join = LEAT_JOIN_ALL_DONE);
	CHECK_EQ(leat_go_in(&group, give_back_received, chan, -EDOM), 0);
	CHECK_EQ(leat_go_in(&group, give_back, -EIO), 0);
	until_live(&group, 1);
	CHECK(!leat_group_is_cancelled(&group));
	CHECK_EQ(leat_group_error(&group, NULL), -EIO);
	CHECK_EQ(leat_go_in(&group, give_back_received, chan, -EDOM), 0);
	CHECK_EQ(leat_send(chan, 0), 0);
	CHECK_EQ(leat_send(chan, -EXDEV), 0);
	CHECK_EQ(leat_group_wait(&group), -EIO);
	CHECK_STR(error_name(&group), "give_back");
	CHECK_EQ(finish(&group), -EIO);
	leat_chan_unref(chan);
}

TEST_BOTH(any_first_success_wins, 50)
{
	leat_group group;

	make_with(&group, .join = LEAT_JOIN_ANY_SUCCEEDS);
	CHECK_EQ(leat_go_in(&group, give_back, -EIO), 0);
	CHECK_EQ(leat_go_in(&group, until_cancelled), 0);
	CHECK_EQ(leat_go_in(&group, until_cancelled), 0);
	until_live(&group, 2);
	CHECK(!leat_group_is_cancelled(&group));
	CHECK_EQ(leat_go_in(&group, give_back, 0), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	CHECK(leat_group_is_cancelled(&group));
	CHECK_EQ(leat_go_in(&group, give_back, 0), -ECANCELED);
	CHECK_EQ(finish(&group), 0);
}

TEST_BOTH(any_all_failed, 20)
{
	leat_group group;

	make_with(&group, .join = LEAT_JOIN_ANY_SUCCEEDS);
	CHECK_EQ(leat_go_in(&group, give_back, -EIO), 0);
	until_live(&group, 0);
	CHECK_EQ(leat_go_in(&group, give_back, -EDOM), 0);
	CHECK_EQ(leat_group_wait(&group), -EIO);
	CHECK_STR(error_name(&group), "give_back");
	CHECK_EQ(finish(&group), -EIO);
}

TEST_BOTH(any_of_none, 5)
{
	leat_group group;

	make_with(&group, .join = LEAT_JOIN_ANY_SUCCEEDS);
	CHECK_EQ(finish(&group), -ENOENT);
}

TEST_BOTH(any_cancelled, 20)
{
	leat_group group;

	make_with(&group, .join = LEAT_JOIN_ANY_SUCCEEDS);
	CHECK_EQ(leat_go_in(&group, until_cancelled), 0);
	leat_group_cancel(&group, -EXDEV);
	CHECK_EQ(finish(&group), -EXDEV);
}

/*
 * Cancel.
 */

TEST_BOTH(cancel_cause, 20)
{
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, until_cancelled), 0);
	leat_group_cancel(&group, -EXDEV);
	leat_group_cancel(&group, -EDOM);
	leat_group_cancel(&group, 0);
	CHECK(leat_group_is_cancelled(&group));
	CHECK_EQ(leat_group_error(&group, NULL), -EXDEV);
	CHECK_STR(error_name(&group), NULL);
	CHECK_EQ(finish(&group), -EXDEV);
}

TEST_BOTH(cancel_without_cause, 20)
{
	leat_group group;

	make(&group);
	leat_group_cancel(&group, 0);
	leat_group_cancel(&group, -EXDEV);
	CHECK_EQ(leat_go_in(&group, give_back, 0), -ECANCELED);
	CHECK_EQ(leat_group_live(&group), 0);
	CHECK_EQ(finish(&group), -ECANCELED);
}

/* An error that was there before the cancel is the group's, not the cause. */
TEST_BOTH(cancel_after_error, 20)
{
	leat_group group;

	make_with(&group, .join = LEAT_JOIN_ALL_DONE);
	CHECK_EQ(leat_go_in(&group, give_back, -EIO), 0);
	until_live(&group, 0);
	leat_group_cancel(&group, -EXDEV);
	CHECK(leat_group_is_cancelled(&group));
	CHECK_EQ(finish(&group), -EIO);
}

/* Level-triggered: every blocking call of a cancelled task says so, no try call does. */
struct objects {
	leat_chan(int) empty;
	leat_chan(int) full;
	leat_sem sem;
	leat_mutex mutex;
	leat_cond cond;
	leat_waitgroup wg;
	leat_barrier barrier;
};

LEAT_TASK(use_all, (struct objects *, o))
{
	int value = 0;

	CHECK_EQ(wait_for_cancel(), -ECANCELED);
	CHECK(leat_cancelled());
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(leat_recv(o->empty, &value), -ECANCELED);
		CHECK_EQ(leat_send(o->full, 1), -ECANCELED);
		CHECK_EQ(leat_select(leat_case_recv(o->empty, &value),
				     leat_case_send(o->full, 1)), -ECANCELED);
		CHECK_EQ(leat_recv(o->full, &value), -ECANCELED);
		CHECK_EQ(leat_sleep(LEAT_S), -ECANCELED);
		CHECK_EQ(leat_sleep_until(leat_in(LEAT_S)), -ECANCELED);
		CHECK_EQ(leat_yield(), -ECANCELED);
		CHECK_EQ(leat_sem_acquire(&o->sem, 1), -ECANCELED);
		CHECK_EQ(leat_sem_acquire_until(&o->sem, 1, leat_in(LEAT_S)), -ECANCELED);
		CHECK_EQ(leat_waitgroup_wait(&o->wg), -ECANCELED);
		CHECK_EQ(leat_barrier_wait(&o->barrier), -ECANCELED);
		leat_mutex_lock(&o->mutex);
		CHECK_EQ(leat_cond_wait(&o->cond, &o->mutex), -ECANCELED);
		leat_mutex_unlock(&o->mutex);
	}
	CHECK_EQ(leat_try_recv(o->empty, &value), -EAGAIN);
	CHECK_EQ(leat_try_send(o->full, 1), -EAGAIN);
	CHECK_EQ(leat_try_recv(o->full, &value), 0);
	CHECK_EQ(leat_sem_try_acquire(&o->sem, 1), 0);
	leat_sem_release(&o->sem, 1);
	CHECK_EQ(leat_mutex_try_lock(&o->mutex), 0);
	leat_mutex_unlock(&o->mutex);
}

TEST_BOTH(cancel_is_level_triggered, 20)
{
	struct objects o = {
		.empty = leat_chan_make(int, 1),
		.full = leat_chan_make(int, 1),
		.mutex = LEAT_MUTEX_INIT,
		.cond = LEAT_COND_INIT,
		.wg = LEAT_WAITGROUP_INIT,
	};
	leat_group group;

	leat_sem_init(&o.sem, 1, 0);
	leat_waitgroup_add(&o.wg, 1);
	leat_barrier_init(&o.barrier, 2);
	CHECK_EQ(leat_send(o.full, 7), 0);
	make(&group);
	CHECK_EQ(leat_go_in(&group, use_all, &o), 0);
	leat_group_cancel(&group, 0);
	CHECK_EQ(finish(&group), -ECANCELED);
	leat_chan_unref(o.empty);
	leat_chan_unref(o.full);
}

/* A task may cancel its own group, and is cancelled then. */
LEAT_TASK_ERR(cancel_own)
{
	CHECK(!leat_cancelled());
	leat_group_cancel(leat_group_current(), -EXDEV);
	CHECK(leat_cancelled());
	return leat_yield();
}

TEST_BOTH(cancel_own_group, 20)
{
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, until_cancelled), 0);
	CHECK_EQ(leat_go_in(&group, cancel_own), 0);
	CHECK_EQ(finish(&group), -EXDEV);
	CHECK(!leat_cancelled());
}

/*
 * Nesting.
 */

LEAT_TASK_ERR(in_group, (leat_group *, group))
{
	CHECK(leat_group_current() == group);
	CHECK(leat_group_root() != group);
	return 0;
}

TEST_BOTH(current_and_root, 5)
{
	leat_group group;

	CHECK(leat_group_current() == leat_group_root());
	make(&group);
	CHECK(leat_group_current() == leat_group_root());
	CHECK_EQ(leat_go_in(&group, in_group, &group), 0);
	CHECK_EQ(finish(&group), 0);
}

LEAT_TASK(look_from, (leat_group *, top), (uint64_t *, ret_id))
{
	*ret_id = leat_task_id_in(top);
}

LEAT_TASK(look_below, (leat_group *, top), (uint64_t *, ret_id))
{
	leat_group group;

	make_with(&group, .shared = true);
	CHECK_EQ(leat_go_in(&group, look_from, top, ret_id), 0);
	CHECK_EQ(finish(&group), 0);
}

LEAT_TASK(look_all_around, (leat_group *, top), (leat_group *, beside))
{
	leat_group group, elsewhere;
	uint64_t below = 0, outside = 1;

	CHECK_EQ(leat_task_id_in(top), leat_task_id());
	CHECK_EQ(leat_task_id_in(beside), 0);
	make(&group);
	CHECK_EQ(leat_go_in(&group, look_below, top, &below), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(below, leat_task_id());
	make_with(&elsewhere, .parent = beside);
	CHECK_EQ(leat_go_in(&elsewhere, look_below, top, &outside), 0);
	CHECK_EQ(finish(&elsewhere), 0);
	CHECK_EQ(outside, 0);
}

TEST_BOTH(id_in_a_group, 20)
{
	leat_group group, beside;

	make(&group);
	make(&beside);
	CHECK_EQ(leat_go_in(&group, look_all_around, &group, &beside), 0);
	CHECK_EQ(leat_task_id_in(&group), 0);
	CHECK_EQ(leat_task_id_in(leat_group_root()), leat_task_id());
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(finish(&beside), 0);
}

LEAT_TASK(wait_in_fork, (uint64_t, parent))
{
	CHECK_EQ(leat_task_id_in(leat_group_current()), parent);
	CHECK_EQ(leat_yield(), 0);
	CHECK(leat_task_is_forked());
}

/* Which runs while its parent sleeps. */
TEST_SIM(id_of_a_fork, 20)
{
	leat_forked forked;

	CHECK(!leat_task_is_forked());
	leat_fork(&forked, wait_in_fork, leat_task_id());
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	CHECK_EQ(leat_join(&forked), 0);
	CHECK(!leat_task_is_forked());
}

TEST_BOTH(nested_cancel_goes_down, 50)
{
	leat_group outer, middle, inner;

	make(&outer);
	make_with(&middle, .parent = &outer);
	make_with(&inner, .parent = &middle, .join = LEAT_JOIN_ALL_DONE);
	CHECK_EQ(leat_go_in(&outer, until_cancelled), 0);
	CHECK_EQ(leat_go_in(&middle, until_cancelled), 0);
	CHECK_EQ(leat_go_in(&inner, until_cancelled), 0);
	leat_group_cancel(&middle, -EXDEV);
	CHECK(leat_group_is_cancelled(&inner));
	CHECK(!leat_group_is_cancelled(&outer));
	CHECK_EQ(leat_group_wait(&inner), -EXDEV);
	CHECK_EQ(leat_group_wait(&middle), -EXDEV);
	CHECK_EQ(leat_group_wait_until(&outer, leat_now()), -EAGAIN);
	leat_group_cancel(&outer, 0);
	CHECK_EQ(leat_group_wait(&outer), -ECANCELED);
	leat_group_release(&inner);
	leat_group_release(&middle);
	leat_group_release(&outer);
}

/* A group belongs below the task that makes it; its error goes up by being returned. */
LEAT_TASK_ERR(own_group, (int, result), (bool, hand_on))
{
	leat_group group;
	int r;

	make(&group);
	r = leat_go_in(&group, give_back, result);
	CHECK(r == 0 || (r == -ECANCELED && result == 0));
	if (result == 0) {
		r = leat_go_in(&group, until_cancelled);
		CHECK(r == 0 || r == -ECANCELED);	/* cancelled before it began? */
	}
	r = leat_group_wait(&group);
	CHECK_EQ(r, result ? result : -ECANCELED);
	CHECK_EQ(leat_group_is_cancelled(&group), true);
	leat_group_release(&group);
	return hand_on ? r : 0;
}

TEST_BOTH(nested_error_stays_inside, 50)
{
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, own_group, -EIO, false), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	CHECK(!leat_group_is_cancelled(&group));
	CHECK_EQ(leat_go_in(&group, own_group, -EIO, true), 0);
	CHECK_EQ(leat_group_wait(&group), -EIO);
	CHECK_STR(error_name(&group), "own_group");
	CHECK_EQ(finish(&group), -EIO);
}

TEST_BOTH(nested_default_parent, 50)
{
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, own_group, 0, true), 0);
	leat_group_cancel(&group, 0);
	CHECK_EQ(finish(&group), -ECANCELED);
	CHECK(!leat_group_is_cancelled(leat_group_root()));
}

/* A cancelled wait goes on until the tasks have ended. */
LEAT_TASK_ERR(shielded_receive, (leat_chan(int), chan))
{
	int result = 0;

	leat_shield_begin();
	CHECK(!leat_cancelled());
	CHECK_EQ(leat_recv(chan, &result), 0);
	leat_shield_end();
	return result;
}

LEAT_TASK_ERR(wait_for_shielded, (leat_chan(int), chan), (bool *, done))
{
	leat_group group;
	int r;

	make(&group);
	CHECK_EQ(leat_go_in(&group, shielded_receive, chan), 0);
	r = leat_group_wait(&group);
	CHECK(leat_group_is_cancelled(&group));
	CHECK_EQ(leat_group_live(&group), 0);
	*done = true;
	leat_group_release(&group);
	return r;
}

TEST_SIM(cancelled_wait_goes_on, 100)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_group group;
	bool done = false;

	make(&group);
	CHECK_EQ(leat_go_in(&group, wait_for_shielded, chan, &done), 0);
	test_settle();
	leat_group_cancel(&group, 0);
	test_settle();
	CHECK(!done);
	CHECK_EQ(leat_send(chan, 0), 0);
	CHECK_EQ(finish(&group), -ECANCELED);
	CHECK(done);
	leat_chan_unref(chan);
}

/*
 * Shields.
 */

LEAT_TASK(shielded_twice, (leat_chan(int), chan))
{
	int ignored;

	CHECK_EQ(wait_for_cancel(), -ECANCELED);
	leat_shield_begin();
	leat_shield_begin();
	CHECK(!leat_cancelled());
	CHECK_EQ(leat_recv(chan, &ignored), 0);
	leat_shield_end();
	CHECK(!leat_cancelled());
	CHECK_EQ(leat_recv(chan, &ignored), 0);
	CHECK_EQ(leat_yield(), 0);
	leat_shield_end();
	CHECK(leat_cancelled());
	CHECK_EQ(leat_recv(chan, &ignored), -ECANCELED);
}

TEST_BOTH(shield_nests, 50)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, shielded_twice, chan), 0);
	leat_group_cancel(&group, 0);
	CHECK_EQ(leat_send(chan, 1), 0);
	CHECK_EQ(leat_send(chan, 2), 0);
	CHECK_EQ(finish(&group), -ECANCELED);
	leat_chan_unref(chan);
}

/* A cancel that comes while the task is parked under a shield does not wake it. */
TEST_SIM(shield_while_parked, 100)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, shielded_receive, chan), 0);
	test_settle();
	leat_group_cancel(&group, 0);
	test_settle();
	CHECK_EQ(leat_group_live(&group), 1);
	CHECK_EQ(leat_send(chan, 0), 0);
	CHECK_EQ(finish(&group), -ECANCELED);
	leat_chan_unref(chan);
}

/* A shielded group hears nothing of its parent's cancel, but its own. */
TEST_BOTH(detached_from_cancel, 50)
{
	leat_group outer, group, below;

	make(&outer);
	make_with(&group, .parent = &outer, .detached_from_cancel = true);
	make_with(&below, .parent = &group);
	CHECK_EQ(leat_go_in(&group, until_cancelled), 0);
	CHECK_EQ(leat_go_in(&below, until_cancelled), 0);
	leat_group_cancel(&outer, -EXDEV);
	CHECK(!leat_group_is_cancelled(&group));
	CHECK(!leat_group_is_cancelled(&below));
	CHECK_EQ(leat_group_wait_until(&below, leat_now()), -EAGAIN);
	leat_group_cancel(&group, -EDOM);
	CHECK_EQ(leat_group_wait(&below), -EDOM);
	CHECK_EQ(leat_group_wait(&group), -EDOM);
	leat_group_release(&below);
	leat_group_release(&group);
	CHECK_EQ(finish(&outer), -EXDEV);
}

/*
 * Limits.
 */

struct rendezvous {
	leat_barrier barrier;
	int active;
	int limit;
};

LEAT_TASK_ERR(meet, (struct rendezvous *, place))
{
	int active = __atomic_add_fetch(&place->active, 1, __ATOMIC_RELAXED);
	int r = leat_barrier_wait(&place->barrier);

	CHECK(active <= place->limit);
	CHECK(r == 0 || r == 1);
	__atomic_sub_fetch(&place->active, 1, __ATOMIC_RELAXED);
	return 0;
}

/* No more than the limit, and no less: each task needs two others to go on. */
TEST_BOTH(limit_is_exact, 50)
{
	enum { LIMIT = 3, TASKS = 30 };
	struct rendezvous place = { .limit = LIMIT };
	leat_group group;

	leat_barrier_init(&place.barrier, LIMIT);
	make_with(&group, .limit = LIMIT);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(leat_go_in(&group, meet, &place), 0);
	CHECK_EQ(finish(&group), 0);
}

struct spawner {
	leat_group *group;
	leat_chan(int) chan;
	int64_t deadline;
	int returned;		/* what the spawn returned; 1 before */
	int64_t when;
};

LEAT_TASK(spawn_one, (struct spawner *, s))
{
	if (s->deadline)
		s->returned = leat_go_with(s->group,
					   LEAT_TASK_OPTIONS(.limit_deadline = s->deadline),
					   give_back_received, s->chan, 0);
	else
		s->returned = leat_go_in(s->group, give_back_received, s->chan, 0);
	s->when = leat_now();
}

TEST_SIM(limit_blocks, 50)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_group group, spawners;
	struct spawner s = { &group, chan, 0, 1, 0 };

	make_with(&group, .limit = 1);
	make(&spawners);
	CHECK_EQ(leat_go_in(&group, give_back_received, chan, 0), 0);
	CHECK_EQ(leat_go_in(&spawners, spawn_one, &s), 0);
	test_settle();
	CHECK_EQ(s.returned, 1);
	CHECK_EQ(leat_group_live(&group), 1);
	CHECK_EQ(leat_send(chan, 0), 0);
	CHECK_EQ(finish(&spawners), 0);
	CHECK_EQ(s.returned, 0);
	CHECK_EQ(leat_send(chan, 0), 0);
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(chan);
}

TEST_BOTH(limit_try, 20)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	const leat_task_options *try = LEAT_TASK_OPTIONS(.try_only = true);
	leat_group group;

	make_with(&group, .limit = 2);
	CHECK_EQ(leat_go_with(&group, try, give_back_received, chan, 0), 0);
	CHECK_EQ(leat_go_with(&group, try, give_back_received, chan, 0), 0);
	CHECK_EQ(leat_go_with(&group, try, give_back_received, chan, 0), -EAGAIN);
	CHECK_EQ(leat_send(chan, 0), 0);
	until_live(&group, 1);
	CHECK_EQ(leat_go_with(&group, try, give_back_received, chan, 0), 0);
	CHECK_EQ(leat_go_with(&group, try, give_back_received, chan, 0), -EAGAIN);
	CHECK_EQ(leat_send(chan, 0), 0);
	CHECK_EQ(leat_send(chan, 0), 0);
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(chan);
}

TEST_BOTH(limit_deadline, 20)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	int64_t deadline = leat_in(2 * LEAT_MS);
	leat_group group;

	make_with(&group, .limit = 1);
	CHECK_EQ(leat_go_in(&group, give_back_received, chan, 0), 0);
	CHECK_EQ(leat_go_with(&group, LEAT_TASK_OPTIONS(.limit_deadline = deadline),
			      give_back_received, chan, 0), -ETIMEDOUT);
	CHECK(leat_now() >= deadline);
	CHECK_EQ(leat_group_live(&group), 1);
	CHECK_EQ(leat_send(chan, 0), 0);
	CHECK_EQ(leat_go_with(&group, LEAT_TASK_OPTIONS(.limit_deadline = leat_in(LEAT_S)),
			      give_back_received, chan, 0), 0);
	CHECK_EQ(leat_send(chan, 0), 0);
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(chan);
}

/* A negative limit lets nothing start, until it is raised. */
TEST_SIM(limit_negative, 50)
{
	leat_chan(int) chan = leat_chan_make(int, 2);
	leat_group group, spawners;
	struct spawner waits = { &group, chan, 0, 1, 0 };
	struct spawner gives_up = { &group, chan, leat_in(LEAT_MS), 1, 0 };

	make_with(&group, .limit = -1);
	make(&spawners);
	CHECK_EQ(leat_go_with(&group, LEAT_TASK_OPTIONS(.try_only = true), give_back, 0), -EAGAIN);
	CHECK_EQ(leat_go_in(&spawners, spawn_one, &waits), 0);
	CHECK_EQ(leat_go_in(&spawners, spawn_one, &gives_up), 0);
	test_settle();
	CHECK_EQ(waits.returned, 1);
	CHECK_EQ(gives_up.returned, -ETIMEDOUT);
	CHECK(gives_up.when >= gives_up.deadline);
	CHECK(gives_up.when < gives_up.deadline + LEAT_MS);
	leat_group_set_limit(&group, 1);
	CHECK_EQ(finish(&spawners), 0);
	CHECK_EQ(waits.returned, 0);
	CHECK_EQ(leat_send(chan, 0), 0);
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(chan);
}

/* Who waits for a place is cancelled by its own group, and by the one it spawns into. */
TEST_SIM(limit_cancelled, 100)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_group group, first, second;
	struct spawner a = { &group, chan, 0, 1, 0 };
	struct spawner b = { &group, chan, 0, 1, 0 };

	make_with(&group, .limit = 1);
	make(&first);
	make(&second);
	CHECK_EQ(leat_go_in(&group, give_back_received, chan, -EDOM), 0);
	CHECK_EQ(leat_go_in(&first, spawn_one, &a), 0);
	CHECK_EQ(leat_go_in(&second, spawn_one, &b), 0);
	test_settle();
	leat_group_cancel(&first, 0);
	CHECK_EQ(finish(&first), -ECANCELED);
	CHECK_EQ(a.returned, -ECANCELED);
	CHECK(!leat_group_is_cancelled(&group));
	test_settle();
	CHECK_EQ(b.returned, 1);
	leat_group_cancel(&group, -EXDEV);
	CHECK_EQ(finish(&second), 0);
	CHECK_EQ(b.returned, -ECANCELED);
	CHECK_EQ(finish(&group), -EXDEV);
	leat_chan_unref(chan);
}

/* A raised limit lets as many go on; a lowered one stops nobody, but holds up the next. */
TEST_SIM(limit_set, 100)
{
	enum { SPAWNERS = 5 };
	leat_chan(int) chan = leat_chan_make(int, 0);
	struct spawner s[SPAWNERS];
	leat_group group, spawners;

	make_with(&group, .limit = 1);
	make(&spawners);
	for (int i = 0; i < SPAWNERS; i++) {
		s[i] = (struct spawner){ &group, chan, 0, 1, 0 };
		CHECK_EQ(leat_go_in(&spawners, spawn_one, &s[i]), 0);
	}
	test_settle();
	CHECK_EQ(leat_group_live(&group), 1);
	leat_group_set_limit(&group, 3);
	test_settle();
	CHECK_EQ(leat_group_live(&group), 3);
	leat_group_set_limit(&group, 2);
	test_settle();
	CHECK_EQ(leat_group_live(&group), 3);
	CHECK_EQ(leat_send(chan, 0), 0);
	test_settle();
	CHECK_EQ(leat_group_live(&group), 2);
	CHECK_EQ(leat_send(chan, 0), 0);
	test_settle();
	CHECK_EQ(leat_group_live(&group), 2);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_send(chan, 0), 0);
	CHECK_EQ(finish(&spawners), 0);
	CHECK_EQ(finish(&group), 0);
	for (int i = 0; i < SPAWNERS; i++)
		CHECK_EQ(s[i].returned, 0);
	leat_chan_unref(chan);
}

/*
 * Deadlines.
 */

struct sleeper {
	int64_t duration;
	int returned;
	int64_t when;
};

LEAT_TASK_ERR(sleep_for, (struct sleeper *, sleeper))
{
	sleeper->returned = leat_sleep(sleeper->duration);
	sleeper->when = leat_now();
	return sleeper->returned;
}

TEST_BOTH(deadline_cancels, 20)
{
	struct sleeper sleeper = { .duration = 3600 * LEAT_S };
	/* Long enough for the spawn, where it is slow. */
	int64_t deadline = leat_in((test_slow() ? 200 : 2) * LEAT_MS);
	leat_group group;

	make_with(&group, .deadline = deadline);
	CHECK_EQ(leat_go_in(&group, sleep_for, &sleeper), 0);
	CHECK_EQ(leat_group_wait(&group), -ETIMEDOUT);
	CHECK_EQ(sleeper.returned, -ECANCELED);
	CHECK(sleeper.when >= deadline);
	CHECK(leat_group_is_cancelled(&group));
	CHECK_STR(error_name(&group), NULL);
	CHECK_EQ(finish(&group), -ETIMEDOUT);
}

TEST_SIM(deadline_on_time, 20)
{
	struct sleeper long_one = { .duration = 3600 * LEAT_S };
	struct sleeper short_one = { .duration = LEAT_MS };
	int64_t deadline = leat_in(10 * LEAT_S);
	leat_group group;

	make_with(&group, .deadline = deadline);
	CHECK_EQ(leat_go_in(&group, sleep_for, &long_one), 0);
	CHECK_EQ(leat_go_in(&group, sleep_for, &short_one), 0);
	CHECK_EQ(finish(&group), -ETIMEDOUT);
	CHECK_EQ(short_one.returned, 0);
	CHECK_EQ(long_one.returned, -ECANCELED);
	CHECK(long_one.when >= deadline && long_one.when < deadline + LEAT_MS);
}

/* A deadline that does not come leaves nothing behind that would fire later. */
TEST_SIM(deadline_not_reached, 20)
{
	leat_group group;

	for (int i = 0; i < 3; i++) {
		make_with(&group, .deadline = leat_in(10 * LEAT_S));
		CHECK_EQ(leat_go_in(&group, give_back, 0), 0);
		CHECK_EQ(leat_group_wait(&group), 0);
		CHECK(!leat_group_is_cancelled(&group));
		leat_group_release(&group);
		memset(&group, 0x5a, sizeof(group));
	}
	CHECK_EQ(leat_sleep(20 * LEAT_S), 0);
	for (size_t i = 0; i < sizeof(group); i++)
		REQUIRE(((unsigned char *)&group)[i] == 0x5a);
}

TEST_SIM(deadline_after_error, 20)
{
	leat_group group;

	make_with(&group, .deadline = leat_in(LEAT_MS), .join = LEAT_JOIN_ALL_DONE);
	CHECK_EQ(leat_go_in(&group, give_back, -EIO), 0);
	CHECK_EQ(leat_go_in(&group, until_cancelled), 0);
	test_settle();
	CHECK(leat_group_is_cancelled(&group));
	CHECK_EQ(finish(&group), -EIO);
}

/*
 * Results.
 */

struct result {
	int number;
	char text[20];		/* so that the size is no multiple of 16 */
};

/* Writes a result once it has received what to return. */
LEAT_TASK_ERR(result_of, (int, i), (leat_chan(int), chan))
{
	struct result *result = leat_group_result_slot();
	static const struct result zeroes;
	int r = 0;

	CHECK(result != NULL);
	CHECK_EQ((uintptr_t)result % 16, 0);
	CHECK(memcmp(result, &zeroes, sizeof(*result)) == 0);
	if (chan)
		CHECK_EQ(leat_recv(chan, &r), 0);
	result->number = i;
	snprintf(result->text, sizeof(result->text), "task %d", i);
	return r;
}

enum { RESULTS = 8 };

/* Runs tasks that end in reverse order; the numbers of their results go to numbers. */
static void reverse_results(enum leat_result_order order, int *numbers)
{
	leat_chan(int) chans[RESULTS];
	struct result results[RESULTS + 1];
	leat_group group;

	make_with(&group, .result_size = sizeof(struct result), .order = order);
	for (int i = 0; i < RESULTS; i++) {
		chans[i] = leat_chan_make(int, 0);
		CHECK_EQ(leat_go_in(&group, result_of, i, chans[i]), 0);
	}
	for (int i = RESULTS; i-- > 0;) {
		CHECK_EQ(leat_send(chans[i], 0), 0);
		until_live(&group, i);
	}
	CHECK_EQ(leat_group_wait(&group), 0);
	REQUIRE(leat_results(&group, results, RESULTS + 1) == RESULTS);
	for (int i = 0; i < RESULTS; i++) {
		char text[20];

		numbers[i] = results[i].number;
		snprintf(text, sizeof(text), "task %d", numbers[i]);
		CHECK_STR(results[i].text, text);
		leat_chan_unref(chans[i]);
	}
	leat_group_release(&group);
}

TEST_BOTH(results_as_submitted, 20)
{
	int numbers[RESULTS];

	reverse_results(LEAT_AS_SUBMITTED, numbers);
	for (int i = 0; i < RESULTS; i++)
		CHECK_EQ(numbers[i], i);
}

TEST_BOTH(results_as_completed, 20)
{
	int numbers[RESULTS];

	reverse_results(LEAT_AS_COMPLETED, numbers);
	for (int i = 0; i < RESULTS; i++)
		CHECK_EQ(numbers[i], RESULTS - 1 - i);
}

/* Of six tasks the odd ones fail; asked for two, the first two of the others come. */
TEST_BOTH(results_of_failed_left_out, 20)
{
	leat_chan(int) chan = leat_chan_make(int, 1);
	struct result results[6] = { { 0 } };
	leat_group group;

	make_with(&group, .result_size = sizeof(struct result), .join = LEAT_JOIN_ALL_DONE);
	for (int i = 0; i < 6; i++) {
		CHECK_EQ(leat_go_in(&group, result_of, i, chan), 0);
		CHECK_EQ(leat_send(chan, i % 2 ? -EIO : 0), 0);
		until_live(&group, 0);
	}
	CHECK_EQ(leat_group_wait(&group), -EIO);
	CHECK_EQ(leat_results(&group, results, 2), 2);
	CHECK_EQ(results[0].number, 0);
	CHECK_EQ(results[1].number, 2);
	CHECK_EQ(results[2].number, 0);
	leat_group_release(&group);	/* drops the third */
	leat_chan_unref(chan);
}

TEST_BOTH(results_of_many, 5)
{
	enum { MANY = 1000 };
	static struct result results[MANY];
	leat_chan(int) none = NULL;
	leat_group group;

	make_with(&group, .result_size = sizeof(struct result), .limit = 16);
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(leat_go_in(&group, result_of, i, none), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	REQUIRE(leat_results(&group, results, MANY) == MANY);
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(results[i].number, i);
	leat_group_release(&group);
}

/* Replicated requests: the winner's result is the only one. */
TEST_BOTH(results_of_any, 20)
{
	leat_chan(int) winner = leat_chan_make(int, 1);
	leat_group group;
	struct result results[2] = { { 0 } };

	make_with(&group, .result_size = sizeof(struct result), .join = LEAT_JOIN_ANY_SUCCEEDS);
	CHECK_EQ(leat_go_in(&group, until_cancelled), 0);
	CHECK_EQ(leat_go_in(&group, result_of, 42, winner), 0);
	CHECK_EQ(leat_send(winner, 0), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	CHECK_EQ(leat_results(&group, results, 2), 1);
	CHECK_EQ(results[0].number, 42);
	leat_group_release(&group);
	leat_chan_unref(winner);
}

static int never_after(void *arg)
{
	*(bool *)arg = true;
	return 0;
}

static int never_received(void *arg, int result, void *elem)
{
	(void)result;
	(void)elem;
	return never_after(arg);
}

/* A wait without a stack that is cancelled has not run, so it has no result and is no success. */
TEST_SIM(results_of_cancelled_waits, 20)
{
	leat_channel *chan = leat_channel_create(sizeof(int), 0, NULL, NULL);
	struct result results[3];
	bool ran = false;
	leat_group group;
	leat_sem sem;

	leat_sem_init(&sem, 1, 0);
	CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
	for (int join = LEAT_JOIN_ALL_SUCCEED; join <= LEAT_JOIN_ANY_SUCCEEDS; join++) {
		make_with(&group, .result_size = sizeof(struct result),
			  .join = (enum leat_join)join);
		CHECK_EQ(leat_after(&group, leat_in(3600 * LEAT_S), never_after, &ran), 0);
		CHECK_EQ(leat_sem_on_acquire(&sem, 1, &group, never_after, &ran), 0);
		CHECK_EQ(leat_channel_on_recv(chan, &group, never_received, &ran), 0);
		leat_group_cancel(&group, -EXDEV);
		CHECK_EQ(leat_group_wait(&group), -EXDEV);
		CHECK_EQ(leat_results(&group, results, 3), 0);
		leat_group_release(&group);
	}
	CHECK(!ran);
	leat_channel_unref(chan);
}

/*
 * Owners, other waiters and foreign threads.
 */

struct waiter {
	leat_group *group;
	int returned;		/* 1 before */
};

LEAT_TASK(wait_too, (struct waiter *, waiter))
{
	waiter->returned = leat_group_wait(waiter->group);
}

/* For another task the group is complete only when its owner waits, too. */
TEST_SIM(wait_by_another, 100)
{
	leat_group group, others;
	struct waiter waiters[2] = { { &group, 1 }, { &group, 1 } };

	make(&group);
	make(&others);
	CHECK_EQ(leat_go_in(&others, wait_too, &waiters[0]), 0);
	CHECK_EQ(leat_go_in(&group, give_back, -EIO), 0);
	test_settle();
	CHECK_EQ(waiters[0].returned, 1);
	CHECK_EQ(leat_group_wait(&group), -EIO);
	CHECK_EQ(leat_go_in(&others, wait_too, &waiters[1]), 0);
	CHECK_EQ(finish(&others), 0);
	CHECK_EQ(waiters[0].returned, -EIO);
	CHECK_EQ(waiters[1].returned, -EIO);
	leat_group_release(&group);
}

/* A shared group has no owner: for all waiters it is complete when its tasks have ended. */
TEST_SIM(shared_wait, 100)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_group group, others;
	struct waiter waiters[2] = { { &group, 1 }, { &group, 1 } };

	make_with(&group, .shared = true);
	make(&others);
	CHECK_EQ(leat_go_in(&group, give_back_received, chan, 0), 0);
	CHECK_EQ(leat_go_in(&others, wait_too, &waiters[0]), 0);
	CHECK_EQ(leat_go_in(&others, wait_too, &waiters[1]), 0);
	test_settle();
	CHECK_EQ(waiters[0].returned, 1);
	CHECK_EQ(waiters[1].returned, 1);
	CHECK_EQ(leat_send(chan, -EIO), 0);
	CHECK_EQ(finish(&others), 0);
	CHECK_EQ(waiters[0].returned, -EIO);
	CHECK_EQ(waiters[1].returned, -EIO);
	CHECK_EQ(finish(&group), -EIO);
	leat_chan_unref(chan);
}

LEAT_TASK(spawn_many, (leat_group *, group), (int, n), (int *, count))
{
	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_go_in(group, count_up, count), 0);
}

TEST_BOTH(shared_spawns, 20)
{
	enum { SPAWNERS = 8, EACH = 100 };
	leat_group group, spawners;
	int count = 0;

	make_with(&group, .shared = true);
	make(&spawners);
	for (int i = 0; i < SPAWNERS; i++)
		CHECK_EQ(leat_go_in(&spawners, spawn_many, &group, EACH, &count), 0);
	CHECK_EQ(finish(&spawners), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(count, SPAWNERS * EACH);
}

/* The same into a group that has an owner, which waits only when all were spawned. */
TEST_BOTH(owned_spawns_by_others, 20)
{
	enum { SPAWNERS = 8, EACH = 100 };
	leat_group group, spawners;
	int count = 0;

	make(&group);
	make(&spawners);
	for (int i = 0; i < SPAWNERS; i++)
		CHECK_EQ(leat_go_in(&spawners, spawn_many, &group, EACH, &count), 0);
	CHECK_EQ(finish(&spawners), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(count, SPAWNERS * EACH);
}

static void cancel_from_outside(void *arg)
{
	leat_group_cancel(arg, -EXDEV);
}

TEST(foreign_cancel)
{
	struct foreign foreign;
	leat_group group;

	make(&group);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(leat_go_in(&group, until_cancelled), 0);
	foreign_start(&foreign, cancel_from_outside, &group);
	CHECK_EQ(leat_group_wait(&group), -EXDEV);
	foreign_join(&foreign);
	leat_group_release(&group);
}

/* The thread makes a group of its own, below the root, spawns and blocks as a thread. */
static void own_group_outside(void *arg)
{
	leat_group group;
	int count = 0;

	CHECK(leat_group_current() == leat_group_root());
	CHECK_EQ(leat_task_id(), 0);
	CHECK(!leat_cancelled());
	make_with(&group, .limit = 2);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(leat_go_in(&group, count_up, &count), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	CHECK_EQ(count, 100);
	CHECK_EQ(leat_go_in(&group, until_cancelled), 0);
	CHECK_EQ(leat_group_wait_until(&group, leat_in(LEAT_MS)), -EAGAIN);
	leat_group_cancel(&group, 0);
	CHECK_EQ(finish(&group), -ECANCELED);
}

TEST(foreign_owner)
{
	struct foreign foreign;

	foreign_start(&foreign, own_group_outside, NULL);
	foreign_join(&foreign);
}

struct outside_spawns {
	leat_group *group;
	int count;
};

static void spawn_from_outside(void *arg)
{
	struct outside_spawns *spawns = arg;

	for (int i = 0; i < 200; i++)
		CHECK_EQ(leat_go_in(spawns->group, count_up, &spawns->count), 0);
}

TEST(foreign_spawn)
{
	struct foreign foreign[2];
	struct outside_spawns spawns;
	leat_group group;

	make_with(&group, .shared = true);
	spawns = (struct outside_spawns){ .group = &group };
	foreign_start(&foreign[0], spawn_from_outside, &spawns);
	foreign_start(&foreign[1], spawn_from_outside, &spawns);
	spawn_from_outside(&spawns);
	foreign_join(&foreign[0]);
	foreign_join(&foreign[1]);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(spawns.count, 600);
}

static void wait_from_outside(void *arg)
{
	struct waiter *waiter = arg;

	waiter->returned = leat_group_wait(waiter->group);
}

TEST(foreign_wait)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	struct foreign foreign;
	struct waiter waiter;
	leat_group group;

	make(&group);
	waiter = (struct waiter){ &group, 1 };
	CHECK_EQ(leat_go_in(&group, give_back_received, chan, 0), 0);
	foreign_start(&foreign, wait_from_outside, &waiter);
	CHECK_EQ(leat_send(chan, -EIO), 0);
	CHECK_EQ(leat_group_wait(&group), -EIO);
	foreign_join(&foreign);
	CHECK_EQ(waiter.returned, -EIO);
	leat_group_release(&group);
	leat_chan_unref(chan);
}

/*
 * The root group.
 */

struct left_over {
	bool saw_cancel;
	bool cleaned_up;
};

LEAT_TASK(stays, (struct left_over *, left))
{
	left->saw_cancel = wait_for_cancel() == -ECANCELED;
	leat_shield_begin();
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	left->cleaned_up = true;
	leat_shield_end();
}

static int leave(void *arg)
{
	CHECK_EQ(leat_go(stays, (struct left_over *)arg), 0);
	return 17;
}

/* When the main function returns, the root group is cancelled and joined. */
TEST_PLAIN(root_is_cancelled_and_joined)
{
	struct left_over left = { false, false };

	CHECK_EQ(leat_run(NULL, leave, &left), 17);
	CHECK(left.saw_cancel);
	CHECK(left.cleaned_up);
}

/*
 * Fork-join.
 */

LEAT_TASK_ERR(fib, (int, n), (int *, ret_value))
{
	leat_forked left;
	int a = 0;
	int b = 0;

	if (n < 2) {
		*ret_value = n;
		return 0;
	}
	leat_fork(&left, fib, n - 1, &a);
	CHECK_EQ(fib(n - 2, &b), 0);
	CHECK_EQ(leat_join(&left), 0);
	*ret_value = a + b;
	return 0;
}

TEST_BOTH(fork_join_fib, 10)
{
	int value = 0;

	CHECK_EQ(fib(12, &value), 0);
	CHECK_EQ(value, 144);
}

TEST_WITH(fork_join_fib_4, .workers = 4)
{
	int value = 0;

	CHECK_EQ(fib(20, &value), 0);
	CHECK_EQ(value, 6765);
}

/* The child's value comes from the join; several are joined in reverse order. */
TEST_BOTH(fork_join_values, 20)
{
	enum { FORKS = 10 };
	leat_forked forked[FORKS];

	for (int i = 0; i < FORKS; i++)
		leat_fork(&forked[i], give_back, -i);
	for (int i = FORKS; i-- > 0;)
		CHECK_EQ(leat_join(&forked[i]), -i);
	CHECK(!leat_cancelled());	/* an error stays with the join */
}

/* Stolen or not, the child is part of the task: it has the same id. */
LEAT_TASK_ERR(note_id, (uint64_t *, ret_id), (int *, begun))
{
	*ret_id = leat_task_id();
	__atomic_store_n(begun, 1, __ATOMIC_RELEASE);
	return 0;
}

TEST_WITH(fork_join_id, .workers = 2)
{
	for (int stolen = 0; stolen < 2; stolen++) {
		leat_forked forked;
		uint64_t id = 0;
		int begun = 0;

		leat_fork(&forked, note_id, &id, &begun);
		/* We do not look for work meanwhile, so it is the other worker that begins it. */
		while (stolen && !__atomic_load_n(&begun, __ATOMIC_ACQUIRE))
			;
		CHECK_EQ(leat_join(&forked), 0);
		CHECK_EQ(id, leat_task_id());
	}
}

/* A child that blocks: the join waits, whoever runs it. */
LEAT_TASK_ERR(forked_receive, (leat_chan(int), chan), (leat_group *, group))
{
	int result;
	int r = leat_recv(chan, &result);

	CHECK(leat_group_current() == group);
	return r == 0 ? result : r;
}

LEAT_TASK_ERR(fork_and_join, (leat_chan(int), chan))
{
	leat_forked forked;

	leat_fork(&forked, forked_receive, chan, leat_group_current());
	return leat_join(&forked);
}

TEST_BOTH(fork_join_blocks, 50)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, fork_and_join, chan), 0);
	CHECK_EQ(leat_send(chan, -EDOM), 0);
	CHECK_EQ(finish(&group), -EDOM);
	leat_chan_unref(chan);
}

/* The child is cancelled with the group. */
enum { LEAVES = 64 };

static int leaf_runs[LEAVES];

LEAT_TASK(sleep_in_leaves, (int, from), (int, to))
{
	leat_forked right;

	if (to - from == 1) {
		leat_sleep((int64_t)leat_random(20) * LEAT_US);
		__atomic_fetch_add(&leaf_runs[from], 1, __ATOMIC_RELAXED);
		return;
	}
	leat_fork(&right, sleep_in_leaves, (from + to) / 2, to);
	sleep_in_leaves(from, (from + to) / 2);
	leat_join(&right);
}

/* A child that has begun, waited, and is ready again lies where it lay when it was new. */
TEST_BOTH(fork_join_of_children_that_wait, 200)
{
	for (int round = 0; round < 20; round++) {
		memset(leaf_runs, 0, sizeof(leaf_runs));
		sleep_in_leaves(0, LEAVES);
		for (int i = 0; i < LEAVES; i++)
			CHECK_EQ(leaf_runs[i], 1);
	}
}

TEST_BOTH(fork_join_cancelled, 50)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, fork_and_join, chan), 0);
	leat_group_cancel(&group, -EXDEV);
	CHECK_EQ(finish(&group), -EXDEV);
	leat_chan_unref(chan);
}

/*
 * The join itself does not end because of a cancel: neither when it runs the
 * child itself, nor when somebody else has begun it.
 */
LEAT_TASK_ERR(join_shielded, (leat_chan(int), chan), (bool, begun), (bool *, done))
{
	leat_forked forked;
	int r;

	leat_fork(&forked, shielded_receive, chan);
	if (begun)
		CHECK_EQ(leat_sleep(LEAT_MS), 0);
	r = leat_join(&forked);
	*done = true;
	return r;
}

TEST_SIM(join_ignores_cancel, 100)
{
	leat_chan(int) chan = leat_chan_make(int, 0);

	for (int begun = 0; begun < 2; begun++) {
		leat_group group;
		bool done = false;

		make(&group);
		CHECK_EQ(leat_go_in(&group, join_shielded, chan, begun, &done), 0);
		test_settle();
		leat_group_cancel(&group, 0);
		test_settle();
		CHECK(!done);
		CHECK_EQ(leat_send(chan, 0), 0);
		CHECK_EQ(finish(&group), -ECANCELED);
		CHECK(done);
	}
	leat_chan_unref(chan);
}

/* A child that is forked under a shield is under it, whoever runs it. */
LEAT_TASK_ERR(fork_shielded, (leat_chan(int), chan), (bool, begun))
{
	leat_forked forked;
	int r;

	CHECK_EQ(wait_for_cancel(), -ECANCELED);
	leat_shield_begin();
	leat_fork(&forked, forked_receive, chan, leat_group_current());
	if (begun)
		CHECK_EQ(leat_sleep(LEAT_MS), 0);
	r = leat_join(&forked);
	leat_shield_end();
	return r;
}

TEST_SIM(fork_join_shielded, 100)
{
	leat_chan(int) chan = leat_chan_make(int, 0);

	for (int begun = 0; begun < 2; begun++) {
		leat_group group;

		make(&group);
		CHECK_EQ(leat_go_in(&group, fork_shielded, chan, begun), 0);
		leat_group_cancel(&group, 0);
		CHECK_EQ(leat_send_until(chan, 0, leat_in(100 * LEAT_S)), 0);
		CHECK_EQ(finish(&group), -ECANCELED);
	}
	leat_chan_unref(chan);
}

/* A group per call, for the same recursion. */
LEAT_TASK(fib_group, (int, n), (int *, ret_value))
{
	leat_group group;
	int a = 0;
	int b = 0;

	if (n < 2) {
		*ret_value = n;
		return;
	}
	make(&group);
	CHECK_EQ(leat_go_in(&group, fib_group, n - 1, &a), 0);
	CHECK_EQ(leat_go_in(&group, fib_group, n - 2, &b), 0);
	CHECK_EQ(finish(&group), 0);
	*ret_value = a + b;
}

TEST_BOTH(group_per_call, 10)
{
	int value = 0;

	fib_group(leat_sim_seed() ? 10 : 16, &value);
	CHECK_EQ(value, leat_sim_seed() ? 55 : 987);
}

/*
 * Misuse: each stops the program with a message that has the function's name.
 */

TEST_DEATH_TASK(release_with_live_tasks, "leat_group_release")
{
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, until_cancelled), 0);
	leat_group_release(&group);
}

TEST_DEATH_TASK(release_not_waited_for, "leat_group_release")
{
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, give_back, 0), 0);
	until_live(&group, 0);
	leat_group_release(&group);
}

TEST_DEATH_TASK(set_limit_without_limit, "leat_group_set_limit")
{
	leat_group group;

	make(&group);
	leat_group_set_limit(&group, 3);
	finish(&group);
}

TEST_DEATH_TASK(results_of_another_size, "leat_group_results")
{
	leat_group group;
	int16_t results[1];

	make_with(&group, .result_size = sizeof(int64_t));
	CHECK_EQ(leat_group_wait(&group), 0);
	CHECK_EQ(leat_results(&group, results, 1), 0);
	leat_group_release(&group);
}

TEST_DEATH_TASK(wait_for_null, "leat_group_wait")
{
	leat_group_wait(NULL);
}

TEST_DEATH_TASK(wait_until_for_null, "leat_group_wait_until")
{
	CHECK_EQ(leat_group_wait_until(NULL, leat_now()), 0);
}

TEST_DEATH_TASK(release_null, "leat_group_release")
{
	leat_group_release(NULL);
}

TEST_DEATH_TASK(cancel_null, "leat_group_cancel")
{
	leat_group_cancel(NULL, 0);
}

TEST_DEATH_TASK(is_cancelled_null, "leat_group_is_cancelled")
{
	CHECK(leat_group_is_cancelled(NULL));
}

TEST_DEATH_TASK(error_null, "leat_group_error")
{
	CHECK_EQ(leat_group_error(NULL, NULL), 0);
}

TEST_DEATH_TASK(join_in_wrong_order, "leat_join")
{
	leat_forked a, b;

	leat_fork(&a, give_back, 0);
	leat_fork(&b, give_back, 0);
	leat_join(&a);
	leat_join(&b);
}

LEAT_TASK(join_of_another, (leat_forked *, forked))
{
	leat_join(forked);
}

TEST_DEATH_TASK(join_by_another, "leat_join")
{
	leat_forked forked;
	leat_group group;

	make(&group);
	leat_fork(&forked, give_back, 0);
	CHECK_EQ(leat_go_in(&group, join_of_another, &forked), 0);
	finish(&group);
	leat_join(&forked);
}

TEST_DEATH_TASK(join_null, "leat_join")
{
	leat_join(NULL);
}

TEST_DEATH(go_without_runtime, "leat_spawn")
{
	CHECK_EQ(leat_go(give_back, 0), 0);
}

TEST_DEATH(fork_outside_a_task, "leat_fork")
{
	leat_forked forked;

	leat_fork(&forked, give_back, 0);
}

TEST_DEATH(join_outside_a_task, "leat_join")
{
	leat_forked forked;

	memset(&forked, 0, sizeof(forked));
	leat_join(&forked);
}

TEST_DEATH(shield_begin_outside_a_task, "leat_shield_begin")
{
	leat_shield_begin();
}

TEST_DEATH(shield_end_outside_a_task, "leat_shield_end")
{
	leat_shield_end();
}

TEST_DEATH_TASK(shield_end_without_begin, "leat_shield_end")
{
	leat_shield_end();
}

TEST_DEATH(task_name_outside_a_task, "leat_task_name")
{
	CHECK_STR(leat_task_name(), "");
}

TEST_DEATH(task_set_name_outside_a_task, "leat_task_set_name")
{
	leat_task_set_name("nobody");
}

TEST_DEATH(local_get_outside_a_task, "leat_local_get")
{
	leat_local_key key = { 0 };

	CHECK(leat_local_get(key) == NULL);
}

TEST_DEATH(local_set_outside_a_task, "leat_local_set")
{
	leat_local_key key = { 0 };

	CHECK_EQ(leat_local_set(key, &key), 0);
}

TEST_DEATH(result_slot_outside_a_task, "leat_group_result_slot")
{
	CHECK(leat_group_result_slot() == NULL);
}

TEST_DEATH_TASK(result_slot_without_results, "leat_group_result_slot")
{
	CHECK(leat_group_result_slot() == NULL);
}
