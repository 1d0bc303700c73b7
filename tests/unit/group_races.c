/*
 * Groups whose tasks, limits, deadlines, cancels and waits come at random
 * moments: in real time, and over many schedules.  What must hold is in each
 * test; what must not happen is left to the sanitizers.
 */
#include "foreign.h"
#include "test.h"

static unsigned rounds(void)
{
	if (leat_sim_seed())
		return 3;
	return test_slow() ? 50 : 500;
}

static int draw(int below)
{
	return (int)leat_random((uint64_t)below);
}

/* A deadline below us microseconds from now. */
static int64_t soon(int us)
{
	return leat_in(draw(us) * LEAT_US);
}

static int wait_for_cancel(void)
{
	leat_chan(int) never = NULL;
	int ignored;

	return leat_select(leat_case_recv(never, &ignored));
}

LEAT_TASK_ERR(take_a_while, (int, how))
{
	if (how == 1)
		return leat_yield();
	if (how == 2)
		return leat_sleep(draw(50) * LEAT_US);
	return 0;
}

static void overwrite_and_check(leat_group *group)
{
	unsigned char *bytes = (unsigned char *)group;

	memset(group, 0x5a, sizeof(*group));
	for (int i = draw(4); i > 0; i--)
		leat_yield();
	for (size_t i = 0; i < sizeof(*group); i++)
		REQUIRE(bytes[i] == 0x5a);
}

/* A deadline that comes while its group ends: it is in time or not, and touches nothing later. */
TEST_BOTH(deadline_against_release, 200)
{
	for (unsigned i = rounds(); i > 0; i--) {
		leat_group group;
		int r;

		REQUIRE(leat_group_init(&group, LEAT_GROUP_OPTIONS(.deadline = soon(40))) == 0);
		for (int n = 0; n < 2; n++) {
			r = leat_go_in(&group, take_a_while, draw(3));
			CHECK(r == 0 || r == -ECANCELED);
		}
		r = leat_group_wait(&group);
		CHECK(r == 0 || r == -ETIMEDOUT);
		if (leat_group_is_cancelled(&group))
			CHECK_EQ(leat_group_error(&group, NULL), -ETIMEDOUT);
		leat_group_release(&group);
		overwrite_and_check(&group);
	}
}

/*
 * Spawners of all kinds against a limit: never more than it at once, and of
 * what was spawned everything runs.
 */
struct limited {
	leat_group group;
	int limit;
	int running;
	int ran;
	int spawned;
};

LEAT_TASK(run_limited, (struct limited *, l), (int, how))
{
	CHECK(__atomic_add_fetch(&l->running, 1, __ATOMIC_SEQ_CST) <= l->limit);
	(void)!take_a_while(how);
	__atomic_add_fetch(&l->ran, 1, __ATOMIC_SEQ_CST);
	__atomic_sub_fetch(&l->running, 1, __ATOMIC_SEQ_CST);
}

static int spawn_limited(struct limited *l)
{
	const leat_task_options *once = LEAT_TASK_OPTIONS(.try_only = true);
	const leat_task_options *for_a_while = LEAT_TASK_OPTIONS(.limit_deadline = soon(20) + 1);
	int kind = draw(4);

	if (kind == 0)
		return leat_go_with(&l->group, once, run_limited, l, draw(3));
	if (kind == 1)
		return leat_go_with(&l->group, for_a_while, run_limited, l, draw(3));
	return leat_go_in(&l->group, run_limited, l, draw(3));
}

static void spawn_many(void *arg)
{
	struct limited *l = arg;

	for (int i = 0; i < 20; i++) {
		int r = spawn_limited(l);

		CHECK(r == 0 || r == -EAGAIN || r == -ETIMEDOUT || r == -ECANCELED);
		if (r == 0)
			__atomic_add_fetch(&l->spawned, 1, __ATOMIC_SEQ_CST);
		else if (r == -ECANCELED)
			break;
	}
}

LEAT_TASK(spawn_many_task, (struct limited *, l))
{
	spawn_many(l);
}

enum cancelled { NOBODY, SPAWNERS, GROUP, KINDS };

static void limit_round(enum cancelled cancelled, bool with_thread)
{
	struct limited l = { .limit = 1 + draw(4) };
	struct foreign thread;
	leat_group spawners;

	REQUIRE(leat_group_init(&l.group, LEAT_GROUP_OPTIONS(.limit = l.limit)) == 0);
	REQUIRE(leat_group_init(&spawners, NULL) == 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(leat_go_in(&spawners, spawn_many_task, &l), 0);
	if (with_thread)
		foreign_start(&thread, spawn_many, &l);
	for (int i = draw(10); i > 0; i--)
		leat_yield();
	if (cancelled != NOBODY)
		leat_group_cancel(cancelled == SPAWNERS ? &spawners : &l.group, 0);
	CHECK_EQ(leat_group_wait(&spawners), cancelled == SPAWNERS ? -ECANCELED : 0);
	if (with_thread)
		foreign_join(&thread);
	CHECK_EQ(leat_group_wait(&l.group), cancelled == GROUP ? -ECANCELED : 0);
	CHECK_EQ(l.running, 0);
	CHECK_EQ(l.ran, l.spawned);
	CHECK_EQ(leat_group_live(&l.group), 0);
	leat_group_release(&spawners);
	leat_group_release(&l.group);
}

TEST_BOTH(limit_random, 200)
{
	for (unsigned i = rounds() / 3; i > 0; i--)
		limit_round((enum cancelled)draw(KINDS), false);
}

TEST(limit_random_foreign)
{
	for (unsigned i = rounds() / 5; i > 0; i--)
		limit_round((enum cancelled)draw(KINDS), true);
}

/* One success at most counts, whoever it is, and its is the one result. */
LEAT_TASK_ERR(compete, (int, how))
{
	leat_yield();
	if (how == 0)
		return -EIO;
	if (how == 1)
		return wait_for_cancel();
	*(int *)leat_group_result_slot() = how;
	return 0;
}

static void any_round(void)
{
	int results[5];
	leat_group group;
	int winners = 0;
	size_t n;

	REQUIRE(leat_group_init(&group, LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ANY_SUCCEEDS,
							   .result_size = sizeof(int))) == 0);
	for (int i = 0; i < 5; i++) {
		/* Who waits for the cancel needs a winner who was there before. */
		int how = winners ? draw(4) : draw(2) * 2;
		int r = leat_go_in(&group, compete, how);

		CHECK(r == 0 || (r == -ECANCELED && winners > 0));
		winners += r == 0 && how >= 2;
	}
	CHECK_EQ(leat_group_wait(&group), winners ? 0 : -EIO);
	n = leat_results(&group, results, 5);
	CHECK_EQ(n, winners ? 1 : 0);
	CHECK(n == 0 || results[0] >= 2);
	leat_group_release(&group);
}

TEST_BOTH(any_random, 200)
{
	for (unsigned i = rounds(); i > 0; i--)
		any_round();
}

/* A tree of groups with random options, errors, deadlines and cancels: everything ends. */
LEAT_TASK_ERR(grow, (int, depth))
{
	leat_group group;
	int r;

	if (depth == 0) {
		int kind = draw(5);

		return kind == 0 ? -EIO : kind == 1 ? wait_for_cancel() : take_a_while(kind - 2);
	}
	REQUIRE(leat_group_init(&group, LEAT_GROUP_OPTIONS(
		.deadline = draw(2) ? soon(100) + 1 : 0,
		.join = (enum leat_join)draw(3),
		.limit = draw(3),
		.shared = draw(2) == 1)) == 0);
	for (int i = 0; i < 3; i++)
		if (leat_go_in(&group, grow, depth - 1) < 0)
			break;
	if (draw(2))
		leat_group_cancel(&group, draw(2) ? -EXDEV : 0);
	r = leat_group_wait_until(&group, soon(50));
	if (r == -EAGAIN) {
		leat_group_cancel(&group, 0);
		r = leat_group_wait(&group);
	}
	CHECK_EQ(leat_group_live(&group), 0);
	leat_group_release(&group);
	return r;
}

TEST_BOTH(tree_random, 200)
{
	for (unsigned i = rounds() / 3; i > 0; i--) {
		int64_t deadline = leat_in(LEAT_MS);
		leat_group group;

		REQUIRE(leat_group_init(&group, LEAT_GROUP_OPTIONS(.deadline = deadline)) == 0);
		int r = leat_go_in(&group, grow, 4);

		CHECK(r == 0 || r == -ECANCELED); /* on a slow machine the deadline is over */
		leat_group_wait(&group);
		CHECK_EQ(leat_group_live(&group), 0);
		leat_group_release(&group);
	}
}

/* Threads that wait with short deadlines, again and again, while the tasks end. */
static void wait_outside(void *arg)
{
	int r;

	do
		r = leat_group_wait_until(arg, soon(30));
	while (r == -EAGAIN);
	CHECK_EQ(r, 0);
}

TEST(foreign_waits_random)
{
	for (unsigned i = rounds() / 10; i > 0; i--) {
		struct foreign threads[2];
		leat_group group;

		REQUIRE(leat_group_init(&group, LEAT_GROUP_OPTIONS(.shared = i % 2 == 0)) == 0);
		for (int n = 0; n < 4; n++)
			CHECK_EQ(leat_go_in(&group, take_a_while, draw(3)), 0);
		for (int n = 0; n < 2; n++)
			foreign_start(&threads[n], wait_outside, &group);
		CHECK_EQ(leat_group_wait(&group), 0);
		for (int n = 0; n < 2; n++)
			foreign_join(&threads[n]);
		leat_group_release(&group);
	}
}
