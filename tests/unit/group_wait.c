/*
 * Waits and ends of groups where it gets hard: waiters that are not the owner,
 * spawns and deadlines that come just when a wait ends, deep trees, misuse.
 */
#include "foreign.h"
#include "test.h"

#include <sched.h>
#include <unistd.h>

static void make(leat_group *group)
{
	REQUIRE(leat_group_init(group, NULL) == 0);
}

#define make_with(group, ...) \
	REQUIRE(leat_group_init((group), LEAT_GROUP_OPTIONS(__VA_ARGS__)) == 0)

static int finish(leat_group *group)
{
	int r = leat_group_wait(group);

	leat_group_release(group);
	return r;
}

LEAT_TASK_ERR(give_back, (int, result))
{
	return result;
}

LEAT_TASK_ERR(give_back_received, (leat_chan(int), chan))
{
	int result;
	int r = leat_recv(chan, &result);

	return r == 0 ? result : r;
}

LEAT_TASK(count_up, (int *, count))
{
	__atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
}

static void dawdle(uint64_t most)
{
	for (uint64_t i = leat_random(most + 1); i > 0; i--)
		leat_yield();
}

/*
 * Waiters that are not the owner.
 */

struct waiter {
	leat_group *group;
	int64_t deadline;	/* 0: none */
	int returned;		/* 1 before */
};

LEAT_TASK(wait_too, (struct waiter *, waiter))
{
	dawdle(3);
	waiter->returned = waiter->deadline
		? leat_group_wait_until(waiter->group, leat_in(waiter->deadline))
		: leat_group_wait(waiter->group);
}

/* One wait by another that gives up, one that lasts; of a fast group and of a slow one. */
static void others_give_up(int64_t limit)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_group group, others;
	struct waiter gives_up = { &group, LEAT_MS, 1 }, lasts = { &group, 10 * LEAT_S, 1 };

	make_with(&group, .limit = limit);
	make(&others);
	CHECK_EQ(leat_go_in(&group, give_back_received, chan), 0);
	CHECK_EQ(leat_go_in(&others, wait_too, &gives_up), 0);
	CHECK_EQ(leat_go_in(&others, wait_too, &lasts), 0);
	test_settle();
	CHECK_EQ(gives_up.returned, -EAGAIN);
	CHECK_EQ(lasts.returned, 1);
	CHECK_EQ(leat_send(chan, -EIO), 0);
	test_settle();
	CHECK_EQ(leat_group_live(&group), 0);
	CHECK_EQ(lasts.returned, 1);	/* the owner has not waited yet */
	CHECK_EQ(leat_group_wait(&group), -EIO);
	CHECK_EQ(finish(&others), 0);
	CHECK_EQ(lasts.returned, -EIO);
	leat_group_release(&group);
	leat_chan_unref(chan);
}

TEST_SIM(others_wait_until, 100)
{
	others_give_up(0);
	others_give_up(4);
}

/* The other's deadline comes at about the end of the owner's wait: either outcome, no hang. */
static void others_at_the_deadline(int64_t limit)
{
	leat_group group, others;
	struct waiter waiter = { &group, 1 + (int64_t)leat_random(3000), 1 };

	make_with(&group, .limit = limit);
	make(&others);
	CHECK_EQ(leat_go_in(&group, give_back, -EIO), 0);
	CHECK_EQ(leat_go_in(&others, wait_too, &waiter), 0);
	dawdle(6);
	CHECK_EQ(leat_group_wait(&group), -EIO);
	CHECK_EQ(finish(&others), 0);
	CHECK(waiter.returned == -EIO || waiter.returned == -EAGAIN);
	leat_group_release(&group);
}

TEST_SIM(others_at_the_deadline, 1000)
{
	others_at_the_deadline(0);
	others_at_the_deadline(1);
}

/* Owner and others begin to wait in any order, on several workers. */
static void wait_together(int64_t limit, bool shared)
{
	enum { OTHERS = 3 };
	struct waiter waiters[OTHERS];
	leat_group group, others;

	make_with(&group, .limit = limit, .shared = shared);
	make(&others);
	for (int i = 0; i < OTHERS; i++) {
		int r = leat_go_in(&group, give_back, i == 1 ? -EIO : 0);

		CHECK(r == 0 || (r == -ECANCELED && i == 2));
		waiters[i] = (struct waiter){ &group, 0, 1 };
		CHECK_EQ(leat_go_in(&others, wait_too, &waiters[i]), 0);
	}
	dawdle(4);
	CHECK_EQ(leat_group_wait(&group), -EIO);
	CHECK_EQ(finish(&others), 0);
	for (int i = 0; i < OTHERS; i++)
		CHECK(waiters[i].returned == -EIO || (shared && waiters[i].returned == 0));
	leat_group_release(&group);
}

TEST_WITH(others_together, .workers = 4)
{
	for (int i = 0; i < (test_slow() ? 100 : 2000); i++) {
		wait_together(0, false);
		wait_together(2, false);
		wait_together(0, true);
	}
}

TEST_SIM(others_together_sim, 1000)
{
	wait_together(0, false);
	wait_together(2, false);
	wait_together(0, true);
}

/* Threads wait for a group whose owner is a task, again and again. */
struct rounds {
	leat_group *group;	/* atomic: of the round; NULL: over */
	int round;		/* atomic */
	int waits;		/* atomic: that have returned */
};

static void wait_each_round(void *arg)
{
	struct rounds *rounds = arg;
	int seen = 0;

	for (;;) {
		leat_group *group;

		while (__atomic_load_n(&rounds->round, __ATOMIC_ACQUIRE) == seen)
			sched_yield();
		seen++;
		group = __atomic_load_n(&rounds->group, __ATOMIC_ACQUIRE);
		if (!group)
			return;
		CHECK_EQ(leat_group_wait(group), -EDOM);
		__atomic_add_fetch(&rounds->waits, 1, __ATOMIC_ACQ_REL);
	}
}

static void begin_round(struct rounds *rounds, leat_group *group)
{
	__atomic_store_n(&rounds->group, group, __ATOMIC_RELEASE);
	__atomic_add_fetch(&rounds->round, 1, __ATOMIC_RELEASE);
}

TEST(others_foreign)
{
	enum { THREADS = 2 };
	struct foreign foreign[THREADS];
	struct rounds rounds = { 0 };
	int n = test_slow() ? 100 : 1000;

	for (int i = 0; i < THREADS; i++)
		foreign_start(&foreign[i], wait_each_round, &rounds);
	for (int i = 1; i <= n; i++) {
		leat_group group;

		make(&group);
		begin_round(&rounds, &group);
		CHECK_EQ(leat_go_in(&group, give_back, -EDOM), 0);
		dawdle(2);
		CHECK_EQ(leat_group_wait(&group), -EDOM);
		while (__atomic_load_n(&rounds.waits, __ATOMIC_ACQUIRE) < THREADS * i)
			leat_yield();
		leat_group_release(&group);
	}
	begin_round(&rounds, NULL);
	for (int i = 0; i < THREADS; i++)
		foreign_join(&foreign[i]);
}

/* For who comes when the owner has waited and nothing was spawned since, it is over. */
TEST_SIM(others_after_the_owner, 50)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_group group, others;
	struct waiter first = { &group, 0, 1 }, second = { &group, 0, 1 };

	make(&group);
	make(&others);
	CHECK_EQ(leat_go_in(&group, give_back, 0), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	CHECK_EQ(leat_go_in(&others, wait_too, &first), 0);
	test_settle();
	CHECK_EQ(first.returned, 0);
	/* A new task: the group is not over. */
	CHECK_EQ(leat_go_in(&group, give_back_received, chan), 0);
	CHECK_EQ(leat_go_in(&others, wait_too, &second), 0);
	test_settle();
	CHECK_EQ(second.returned, 1);
	CHECK_EQ(leat_send(chan, 0), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	CHECK_EQ(finish(&others), 0);
	CHECK_EQ(second.returned, 0);
	leat_group_release(&group);
	leat_chan_unref(chan);
}

/* The main task may wait for all others of the root group. */
TEST_BOTH(root_wait, 20)
{
	int count = 0;

	for (int i = 0; i < 100; i++)
		CHECK_EQ(leat_go(count_up, &count), 0);
	CHECK_EQ(leat_group_wait(leat_group_root()), 0);
	CHECK_EQ(count, 100);
}

/*
 * Counting.
 */

/* A thread spawns while the owner waits and waits: no task is forgotten. */
struct outside {
	leat_group *group;
	int n;
	int count;		/* atomic: tasks that ran */
	bool done;		/* atomic */
};

static void spawn_outside(void *arg)
{
	struct outside *outside = arg;

	for (int i = 0; i < outside->n; i++)
		CHECK_EQ(leat_go_in(outside->group, count_up, &outside->count), 0);
	__atomic_store_n(&outside->done, true, __ATOMIC_RELEASE);
}

TEST(count_while_others_spawn)
{
	struct outside outside = { .n = test_slow() ? 2000 : 100000 };
	struct foreign foreign;
	leat_group group;
	int own = 0;
	int spawned = 0;

	make(&group);
	outside.group = &group;
	foreign_start(&foreign, spawn_outside, &outside);
	while (!__atomic_load_n(&outside.done, __ATOMIC_ACQUIRE)) {
		int n = (int)leat_random(3);

		for (int i = 0; i < n; i++)
			CHECK_EQ(leat_go_in(&group, count_up, &own), 0);
		spawned += n;
		CHECK_EQ(leat_group_wait(&group), 0);
		CHECK_EQ(own, spawned);
	}
	CHECK_EQ(leat_group_wait(&group), 0);
	CHECK_EQ(outside.count, outside.n);
	CHECK_EQ(leat_group_live(&group), 0);
	foreign_join(&foreign);
	leat_group_release(&group);
}

/*
 * Live tasks are counted exactly, wherever they were spawned and have ended; a worker that is about
 * to say how many have ended with it may be seen in between, and then they are live once more.
 */
LEAT_TASK(spawn_blocked, (leat_group *, group), (leat_chan(int), chan), (int, n))
{
	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_go_in(group, give_back_received, chan), 0);
}

TEST_WITH(live_is_exact, .workers = 4)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_group group, spawners;
	int64_t live = 0;

	make(&group);
	make(&spawners);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(leat_go_in(&spawners, spawn_blocked, &group, chan, 20), 0);
	CHECK_EQ(leat_group_wait(&spawners), 0);
	for (int i = 0; i < 40; i++)
		CHECK_EQ(leat_go_in(&group, give_back_received, chan), 0);
	for (live = 200; live > 0; live--) {
		while (leat_group_live(&group) != live)
			leat_yield();
		CHECK_EQ(leat_send(chan, 0), 0);
	}
	while (leat_group_live(&group) != 0)
		leat_yield();
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(finish(&spawners), 0);
	leat_chan_unref(chan);
}

/*
 * Deadlines.
 */

/* The deadline comes at about the release: it is on time or it is gone. */
static void deadline_at_the_end(int64_t most)
{
	int64_t deadline = leat_in((int64_t)leat_random((uint64_t)most));
	int64_t end = deadline + (int64_t)leat_random((uint64_t)most);
	leat_group group;
	int r;

	make_with(&group, .deadline = deadline);
	r = leat_go_in(&group, give_back, 0);
	CHECK(r == 0 || r == -ECANCELED);
	while (leat_now() < end) {
		bool cancelled = leat_group_is_cancelled(&group);

		CHECK(!cancelled || leat_now() >= deadline); /* by the group before it? */
		leat_yield();
	}
	r = finish(&group);
	CHECK(r == 0 || r == -ETIMEDOUT);
	memset(&group, 0x5a, sizeof(group));
	dawdle(2);
	for (size_t i = 0; i < sizeof(group); i++)
		REQUIRE(((unsigned char *)&group)[i] == 0x5a);
}

LEAT_TASK(many_deadlines, (int, n))
{
	for (int i = 0; i < n; i++)
		deadline_at_the_end(20000);
}

TEST_WITH(deadline_at_the_end, .workers = 4)
{
	leat_group group;

	make(&group);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(leat_go_in(&group, many_deadlines, test_slow() ? 200 : 2000), 0);
	CHECK_EQ(finish(&group), 0);
}

TEST_SIM(deadline_at_the_end_sim, 1000)
{
	deadline_at_the_end(3000);
}

/* The deadline of a group that is shielded from cancel works while the program ends. */
LEAT_TASK(clean_up, (int *, returned))
{
	leat_chan(int) never = leat_chan_make(int, 0);
	leat_group group;
	int r;

	make_with(&group, .detached_from_cancel = true, .deadline = leat_in(5 * LEAT_MS));
	r = leat_go_in(&group, give_back_received, never);
	CHECK(r == 0 || r == -ECANCELED); /* on a slow machine the deadline is over */
	*returned = finish(&group);
	leat_chan_unref(never);
}

static int leave(void *arg)
{
	CHECK_EQ(leat_go(clean_up, (int *)arg), 0);
	return 0;
}

TEST_PLAIN(deadline_in_clean_up)
{
	int returned = 1;

	CHECK_EQ(leat_run(NULL, leave, &returned), 0);
	CHECK_EQ(returned, -ETIMEDOUT);
	returned = 1;
	CHECK_EQ(leat_sim_run(NULL, leave, &returned, 1, 20, NULL), 0);
	CHECK_EQ(returned, -ETIMEDOUT);
}

/* A thread's group has a deadline, too. */
static void time_out_outside(void *arg)
{
	leat_group group;
	int r;

	make_with(&group, .deadline = leat_in(LEAT_MS));
	r = leat_go_in(&group, give_back_received, *(leat_chan(int) *)arg);
	CHECK(r == 0 || r == -ECANCELED); /* on a slow machine the deadline is over */
	CHECK_EQ(leat_group_wait(&group), -ETIMEDOUT);
	leat_group_release(&group);
}

TEST(deadline_foreign)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	struct foreign foreign;

	foreign_start(&foreign, time_out_outside, &chan);
	foreign_join(&foreign);
	leat_chan_unref(chan);
}

/*
 * Trees.
 */

/* A tree that is deeper than a stack is linked and cancelled all the same. */
TEST(deep_tree)
{
	int depth = test_slow() ? 3000 : 20000;
	leat_group *groups = calloc((size_t)depth, sizeof(*groups));
	leat_chan(int) chan = leat_chan_make(int, 0);

	REQUIRE(groups != NULL);
	make(&groups[0]);
	for (int i = 1; i < depth; i++)
		make_with(&groups[i], .parent = &groups[i - 1]);
	CHECK_EQ(leat_go_in(&groups[depth - 1], give_back_received, chan), 0);
	CHECK_EQ(leat_go_in(&groups[depth / 2], give_back_received, chan), 0);
	CHECK_EQ(leat_group_wait_until(&groups[depth - 1], leat_in(LEAT_MS)), -EAGAIN);
	leat_group_cancel(&groups[0], -EXDEV);
	for (int i = depth; i-- > 0;)
		CHECK_EQ(finish(&groups[i]), -EXDEV);
	leat_chan_unref(chan);
	free(groups);
}

/* Children that others end, while the parent is cancelled from the side. */
LEAT_TASK(short_lived, (leat_group *, parent), (int, n))
{
	for (int i = 0; i < n; i++) {
		leat_group group;
		int r;

		make_with(&group, .parent = parent, .limit = 2);
		for (int j = 0; j < 3; j++) {
			r = leat_go_in(&group, give_back, 0);
			CHECK(r == 0 || r == -ECANCELED);
		}
		r = leat_sleep(1);
		CHECK(r == 0 || r == -ECANCELED);
		r = finish(&group);
		CHECK(r == 0 || r == -EXDEV);
	}
}

LEAT_TASK(cancel_soon, (leat_group *, group))
{
	dawdle(20);
	leat_group_cancel(group, -EXDEV);
}

static void cancel_among_children(int tasks, int each)
{
	leat_group parent, makers, canceller;

	make(&parent);
	make(&makers);
	make(&canceller);
	for (int i = 0; i < tasks; i++)
		CHECK_EQ(leat_go_in(&makers, short_lived, &parent, each), 0);
	CHECK_EQ(leat_go_in(&canceller, cancel_soon, &parent), 0);
	CHECK_EQ(finish(&makers), 0);
	CHECK_EQ(finish(&canceller), 0);
	CHECK_EQ(finish(&parent), -EXDEV);
}

TEST_WITH(cancel_among_children, .workers = 4)
{
	for (int i = 0; i < (test_slow() ? 20 : 200); i++)
		cancel_among_children(6, 5);
}

TEST_SIM(cancel_among_children_sim, 300)
{
	cancel_among_children(3, 2);
}

/* What was once told of a group's error stays, whatever comes together. */
LEAT_TASK_ERR(fail_soon, (int, result))
{
	dawdle(5);
	return result;
}

LEAT_TASK(watch_error, (leat_group *, group), (int *, ret_error))
{
	int error;

	while ((error = leat_group_error(group, NULL)) == 0)
		leat_yield();
	*ret_error = error;
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(leat_group_error(group, NULL), error);
		leat_yield();
	}
}

static void errors_together(enum leat_join join)
{
	leat_group parent, group, others;
	int seen = 0;

	make(&parent);
	make_with(&group, .parent = &parent, .join = join);
	make(&others);
	CHECK_EQ(leat_go_in(&others, watch_error, &group, &seen), 0);
	CHECK_EQ(leat_go_in(&others, cancel_soon, &parent), 0);
	for (int i = 1; i <= 3; i++)
		if (leat_go_in(&group, fail_soon, -i) < 0)
			break;
	CHECK_EQ(finish(&others), 0);
	CHECK(seen == -EXDEV || (seen < 0 && seen >= -3));
	CHECK_EQ(finish(&group), seen);
	CHECK_EQ(finish(&parent), -EXDEV);
}

TEST_WITH(errors_together, .workers = 4)
{
	for (int i = 0; i < (test_slow() ? 100 : 2000); i++) {
		errors_together(LEAT_JOIN_ALL_SUCCEED);
		errors_together(LEAT_JOIN_ALL_DONE);
		errors_together(LEAT_JOIN_ANY_SUCCEEDS);
	}
}

TEST_SIM(errors_together_sim, 500)
{
	errors_together(LEAT_JOIN_ALL_SUCCEED);
	errors_together(LEAT_JOIN_ALL_DONE);
	errors_together(LEAT_JOIN_ANY_SUCCEEDS);
}

/* A pinned owner stays where it is while its children, which block, go elsewhere. */
struct pinned {
	leat_chan(int) chan;
	leat_group others;
	bool sender_runs;	/* atomic, as the others */
	bool child_receives;
	bool child_ends;
};

static void await(bool *flag)
{
	while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE))
		sched_yield();	/* this worker runs nothing else */
}

static void set(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

LEAT_TASK(send_elsewhere, (struct pinned *, pinned))
{
	set(&pinned->sender_runs);
	await(&pinned->child_receives);
	CHECK_EQ(leat_send(pinned->chan, 0), 0);
}

LEAT_TASK(keep_busy, (struct pinned *, pinned))
{
	await(&pinned->child_ends);
}

/* Leaves its worker, which is the owner's, to keep_busy. */
LEAT_TASK(receive_pinned, (struct pinned *, pinned))
{
	const leat_task_options *here = LEAT_TASK_OPTIONS(.pinned = true);
	int result;

	CHECK_EQ(leat_go_with(&pinned->others, here, keep_busy, pinned), 0);
	set(&pinned->child_receives);
	CHECK_EQ(leat_recv(pinned->chan, &result), 0);
	set(&pinned->child_ends);
}

/* The owner's worker is kept busy until its child has gone on on another. */
LEAT_TASK(wait_pinned, (leat_chan(int), chan))
{
	struct pinned pinned = { .chan = chan };
	pid_t thread = gettid();
	leat_group group;

	make(&group);
	make(&pinned.others);
	CHECK_EQ(leat_go_in(&pinned.others, send_elsewhere, &pinned), 0);
	await(&pinned.sender_runs);
	CHECK_EQ(leat_go_in(&group, receive_pinned, &pinned), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(gettid(), thread);	/* pthread_self() is a constant to the compiler */
	CHECK_EQ(finish(&pinned.others), 0);
}

TEST_WITH(pinned_owner_stays, .workers = 2)
{
	const leat_task_options *here = LEAT_TASK_OPTIONS(.pinned = true);
	leat_chan(int) chan = leat_chan_make(int, 0);

	for (int i = 0; i < 20; i++) {
		leat_group group;

		make(&group);
		CHECK_EQ(leat_go_with(&group, here, wait_pinned, chan), 0);
		CHECK_EQ(finish(&group), 0);
	}
	leat_chan_unref(chan);
}

/*
 * Misuse.
 */

LEAT_TASK_ERR(wait_for_own, (leat_group *, group))
{
	return leat_group_wait(group);
}

LEAT_TASK_ERR(wait_long_for_own, (leat_group *, group))
{
	return leat_group_wait_until(group, LEAT_FOREVER);
}

TEST_DEATH_TASK(wait_by_a_member, "leat_group_wait")
{
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, wait_for_own, &group), 0);
	finish(&group);
}

TEST_DEATH_TASK(wait_by_a_member_of_slow, "waits for its own group")
{
	leat_group group;

	make_with(&group, .limit = 3);
	CHECK_EQ(leat_go_in(&group, wait_for_own, &group), 0);
	finish(&group);
}

TEST_DEATH_TASK(wait_by_a_member_of_shared, "waits for its own group")
{
	leat_group group;

	make_with(&group, .shared = true);
	CHECK_EQ(leat_go_in(&group, wait_for_own, &group), 0);
	finish(&group);
}

TEST_DEATH_TASK(wait_until_by_a_member, "leat_group_wait_until")
{
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, wait_long_for_own, &group), 0);
	finish(&group);
}

TEST_DEATH_TASK(wait_for_root_by_a_task, "waits for its own group")
{
	CHECK_EQ(leat_go(wait_for_own, leat_group_root()), 0);
	CHECK_EQ(leat_sleep(LEAT_S), 0);
}

/* With a deadline it is no deadlock, only in vain. */
LEAT_TASK_ERR(look_at_own, (leat_group *, group))
{
	CHECK_EQ(leat_group_wait_until(group, leat_in(LEAT_US)), -EAGAIN);
	return 0;
}

TEST_BOTH(wait_until_by_a_member_in_vain, 10)
{
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, look_at_own, &group), 0);
	CHECK_EQ(finish(&group), 0);
}

LEAT_TASK(wait_and_forget, (leat_group *, group))
{
	leat_group_wait(group);
}

TEST_DEATH_TASK(release_while_another_waits, "leat_group_release")
{
	leat_group group, others;

	make(&group);
	make(&others);
	CHECK_EQ(leat_go_in(&others, wait_and_forget, &group), 0);
	while (leat_group_wait_until(&others, leat_in(10 * LEAT_MS)) != -EAGAIN)
		;
	leat_group_release(&group);
}

TEST_DEATH_TASK(release_slow_not_waited_for, "leat_group_release")
{
	leat_group group;

	make_with(&group, .limit = 1);
	CHECK_EQ(leat_go_in(&group, give_back, 0), 0);
	while (leat_group_live(&group) > 0)
		leat_yield();
	leat_group_release(&group);
}

TEST_DEATH_TASK(release_before_a_child, "leat_group_release")
{
	leat_chan(int) never = leat_chan_make(int, 0);
	leat_group group, child;

	make(&group);
	make_with(&child, .parent = &group);
	CHECK_EQ(leat_go_in(&child, give_back_received, never), 0);
	CHECK_EQ(leat_group_wait_until(&child, leat_in(10 * LEAT_MS)), -EAGAIN);
	leat_group_release(&group);
}

TEST_DEATH_TASK(release_twice, "leat_group_release")
{
	leat_group group;

	make(&group);
	CHECK_EQ(finish(&group), 0);
	leat_group_release(&group);
}

TEST_DEATH_TASK(release_root, "leat_group_release")
{
	leat_group_release(leat_group_root());
}

TEST_DEATH_TASK(live_of_zeroes, "leat_group_live")
{
	leat_group group;

	memset(&group, 0, sizeof(group));
	CHECK_EQ(leat_group_live(&group), 0);
}

TEST_DEATH_TASK(options_without_size, "leat_group_init")
{
	leat_group_options options = { .limit = 3 };
	leat_group group;

	CHECK_EQ(leat_group_init(&group, &options), 0);
}

TEST_DEATH_TASK(parent_that_is_gone, "leat_group_init")
{
	leat_group parent, group;

	make(&parent);
	CHECK_EQ(finish(&parent), 0);
	make_with(&group, .parent = &parent);
}

TEST_DEATH(root_without_runtime, "leat_group_root")
{
	CHECK(leat_group_root() == NULL);
}
