/*
 * Limits and results of groups where it gets hard: who waits in which order, who
 * gives up just when a place becomes free, results taken in parts.
 */
#include "foreign.h"
#include "test.h"

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

/*
 * Limits.
 */

enum { SPAWNERS = 5 };

struct line {
	leat_group group;	/* with the limit */
	leat_chan(int) chan;	/* what its tasks wait for */
	int order[SPAWNERS];	/* numbers of the spawners, as they got their places */
	int n;
	int returned[SPAWNERS];	/* 1 before */
};

LEAT_TASK(spawn_numbered, (struct line *, line), (int, i), (int64_t, deadline))
{
	const leat_task_options *options = LEAT_TASK_OPTIONS(.limit_deadline = deadline);

	line->returned[i] = leat_go_with(&line->group, options, give_back_received, line->chan);
	if (line->returned[i] == 0)
		line->order[line->n++] = i;
}

static void line_begin(struct line *line, leat_group *spawners)
{
	*line = (struct line){ .chan = leat_chan_make(int, 0) };
	for (int i = 0; i < SPAWNERS; i++)
		line->returned[i] = 1;
	make_with(&line->group, .limit = 1);
	make(spawners);
	CHECK_EQ(leat_go_in(&line->group, give_back_received, line->chan), 0);
}

/* Puts spawner i in line. */
static void line_up(struct line *line, leat_group *spawners, int i, int64_t deadline)
{
	CHECK_EQ(leat_go_in(spawners, spawn_numbered, line, i, deadline), 0);
	test_settle();
}

static void line_end(struct line *line, leat_group *spawners, int want_n)
{
	for (int i = 0; i <= want_n; i++)
		CHECK_EQ(leat_send(line->chan, 0), 0);
	CHECK_EQ(leat_group_wait(spawners), 0);
	leat_group_release(spawners);
	CHECK_EQ(finish(&line->group), 0);
	CHECK_EQ(line->n, want_n);
	leat_chan_unref(line->chan);
}

/* Places go to spawners in the order in which they came. */
TEST_SIM(limit_is_fifo, 100)
{
	leat_group spawners;
	struct line line;

	line_begin(&line, &spawners);
	for (int i = 0; i < SPAWNERS; i++)
		line_up(&line, &spawners, i, 0);
	line_end(&line, &spawners, SPAWNERS);
	for (int i = 0; i < SPAWNERS; i++)
		CHECK_EQ(line.order[i], i);
}

/* Who comes when a place has just been given to another waits behind all others. */
TEST_SIM(limit_no_overtaking, 200)
{
	const leat_task_options *try = LEAT_TASK_OPTIONS(.try_only = true);
	leat_group spawners;
	struct line line;

	line_begin(&line, &spawners);
	line_up(&line, &spawners, 0, 0);
	CHECK_EQ(leat_send(line.chan, 0), 0);
	/* The place is free, or given to 0, or not yet free: a try gets it in no case before 0. */
	while (line.returned[0] == 1) {
		CHECK_EQ(leat_go_with(&line.group, try, give_back, 0), -EAGAIN);
		leat_yield();
	}
	CHECK_EQ(line.returned[0], 0);
	CHECK_EQ(leat_send(line.chan, 0), 0);
	CHECK_EQ(finish(&spawners), 0);
	CHECK_EQ(finish(&line.group), 0);
	leat_chan_unref(line.chan);
}

/*
 * The front spawner's deadline, or its cancel, comes at about the time at which the
 * place becomes free: the place goes to it or to the next, and is never lost.
 */
LEAT_TASK(send_late, (leat_chan(int), chan), (unsigned, most))
{
	for (uint64_t i = leat_random(most); i > 0; i--)
		leat_yield();
	CHECK_EQ(leat_send(chan, 0), 0);
}

static void front_gives_up(bool by_cancel)
{
	leat_group spawners, front, sender;
	struct line line;

	line_begin(&line, &spawners);
	make(&front);
	make(&sender);
	line_up(&line, &front, 0, by_cancel ? 0 : leat_in(2 * LEAT_S + (int64_t)leat_random(4000)));
	line_up(&line, &spawners, 1, 0);
	CHECK_EQ(leat_go_in(&sender, send_late, line.chan, 8), 0);
	if (by_cancel) {
		for (uint64_t i = leat_random(8); i > 0; i--)
			leat_yield();
		leat_group_cancel(&front, 0);
	}
	CHECK_EQ(leat_group_wait(&front), by_cancel ? -ECANCELED : 0);
	CHECK(line.returned[0] == 0 || line.returned[0] == (by_cancel ? -ECANCELED : -ETIMEDOUT));
	CHECK_EQ(finish(&sender), 0);
	leat_group_release(&front);
	/* The first task has its message; the ones that got places are due theirs. */
	for (int i = 0; i < (line.returned[0] == 0) + 1; i++)
		CHECK_EQ(leat_send(line.chan, 0), 0);
	CHECK_EQ(finish(&spawners), 0);
	CHECK_EQ(line.returned[1], 0);
	CHECK_EQ(finish(&line.group), 0);
	CHECK_EQ(line.n, (line.returned[0] == 0) + 1);
	leat_chan_unref(line.chan);
}

TEST_SIM(limit_front_cancelled, 1000)
{
	front_gives_up(true);
}

TEST_SIM(limit_front_timed_out, 1000)
{
	front_gives_up(false);
}

/* A shield keeps the spawner's own cancel off, and no more than that. */
LEAT_TASK(spawn_shielded, (struct line *, line))
{
	leat_shield_begin();
	line->returned[0] = leat_go_in(&line->group, give_back_received, line->chan);
	leat_shield_end();
}

TEST_SIM(limit_shielded, 100)
{
	leat_group spawners;
	struct line line;

	line_begin(&line, &spawners);
	CHECK_EQ(leat_go_in(&spawners, spawn_shielded, &line), 0);
	test_settle();
	leat_group_cancel(&spawners, 0);
	test_settle();
	CHECK_EQ(line.returned[0], 1);
	leat_group_cancel(&line.group, 0);
	CHECK_EQ(finish(&spawners), -ECANCELED);
	CHECK_EQ(line.returned[0], -ECANCELED);
	CHECK_EQ(finish(&line.group), -ECANCELED);
	leat_chan_unref(line.chan);
}

/* A cancel far above reaches who waits for a place. */
TEST_SIM(limit_cancelled_from_above, 100)
{
	leat_group top, middle, spawners;
	struct line line = { .chan = leat_chan_make(int, 0), .returned = { 1 } };

	make(&top);
	make_with(&middle, .parent = &top);
	make_with(&line.group, .parent = &middle, .limit = -1);
	make(&spawners);
	CHECK_EQ(leat_go_in(&spawners, spawn_numbered, &line, 0, 0), 0);
	test_settle();
	CHECK_EQ(line.returned[0], 1);
	leat_group_cancel(&top, -EXDEV);
	CHECK_EQ(finish(&spawners), 0);
	CHECK_EQ(line.returned[0], -ECANCELED);
	CHECK_EQ(finish(&line.group), -EXDEV);
	leat_group_release(&middle);
	leat_group_release(&top);
	leat_chan_unref(line.chan);
}

/* A failing task's place is not given away: the group is cancelled first. */
TEST_SIM(limit_error_cancels_spawners, 200)
{
	leat_group spawners;
	struct line line;

	line_begin(&line, &spawners);
	for (int i = 0; i < 3; i++)
		line_up(&line, &spawners, i, 0);
	CHECK_EQ(leat_send(line.chan, -EIO), 0);
	CHECK_EQ(finish(&spawners), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(line.returned[i], -ECANCELED);
	CHECK_EQ(finish(&line.group), -EIO);
	leat_chan_unref(line.chan);
}

/* Given a place, but cancelled before it could go on: the spawn comes after the cancel. */
struct granted {
	leat_group group;
	leat_chan(int) chan;
	bool cancelled;
	int returned;
};

LEAT_TASK(spawn_granted, (struct granted *, granted))
{
	granted->returned = leat_go_in(&granted->group, give_back_received, granted->chan);
	CHECK_EQ(granted->returned, granted->cancelled ? -ECANCELED : 0);
}

TEST_SIM(limit_granted_then_cancelled, 500)
{
	struct granted granted = { .chan = leat_chan_make(int, 0) };
	leat_group spawner;

	make_with(&granted.group, .limit = 1);
	make(&spawner);
	CHECK_EQ(leat_go_in(&granted.group, give_back_received, granted.chan), 0);
	CHECK_EQ(leat_go_in(&spawner, spawn_granted, &granted), 0);
	test_settle();
	CHECK_EQ(leat_send(granted.chan, 0), 0);
	for (uint64_t i = leat_random(3); i > 0; i--)
		leat_yield();
	granted.cancelled = true;
	leat_group_cancel(&granted.group, -EXDEV);
	CHECK_EQ(finish(&spawner), 0);
	CHECK_EQ(finish(&granted.group), -EXDEV);
	leat_chan_unref(granted.chan);
}

/* 0 takes the limit away. */
TEST_SIM(limit_taken_away, 50)
{
	leat_group spawners;
	struct line line;

	line_begin(&line, &spawners);
	for (int i = 0; i < SPAWNERS; i++)
		line_up(&line, &spawners, i, 0);
	CHECK_EQ(line.n, 0);
	leat_group_set_limit(&line.group, 0);
	CHECK_EQ(leat_group_wait(&spawners), 0);
	CHECK_EQ(leat_group_live(&line.group), SPAWNERS + 1);
	line_end(&line, &spawners, SPAWNERS);
}

/* A thread waits for a place as a thread. */
static void spawn_outside(void *arg)
{
	struct line *line = arg;

	for (int i = 0; i < SPAWNERS; i++)
		line->returned[i] = leat_go_in(&line->group, give_back_received, line->chan);
}

TEST(limit_foreign)
{
	struct foreign foreign;
	leat_group spawners;
	struct line line;

	line_begin(&line, &spawners);
	foreign_start(&foreign, spawn_outside, &line);
	for (int i = 0; i <= SPAWNERS; i++)
		CHECK_EQ(leat_send(line.chan, 0), 0);
	foreign_join(&foreign);
	for (int i = 0; i < SPAWNERS; i++)
		CHECK_EQ(line.returned[i], 0);
	CHECK_EQ(finish(&spawners), 0);
	CHECK_EQ(finish(&line.group), 0);
	leat_chan_unref(line.chan);
}

/* Many spawners on all workers, places given and given up all the time: all is counted. */
struct crowd {
	leat_group group;
	int active;
	int limit;
	int ran;
	int spawned;
};

LEAT_TASK(crowd_member, (struct crowd *, crowd))
{
	int active = __atomic_add_fetch(&crowd->active, 1, __ATOMIC_RELAXED);

	CHECK(active <= crowd->limit);
	leat_yield();
	__atomic_sub_fetch(&crowd->active, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&crowd->ran, 1, __ATOMIC_RELAXED);
}

LEAT_TASK(crowd_spawner, (struct crowd *, crowd), (int, n))
{
	for (int i = 0; i < n; i++) {
		int64_t deadline = leat_random(2) ? leat_in((int64_t)leat_random(50000)) : 0;
		int r = leat_go_with(&crowd->group, LEAT_TASK_OPTIONS(.limit_deadline = deadline,
								      .try_only = i % 7 == 0),
				     crowd_member, crowd);

		if (r == 0)
			__atomic_add_fetch(&crowd->spawned, 1, __ATOMIC_RELAXED);
		else
			CHECK(r == -EAGAIN || (r == -ETIMEDOUT && deadline));
	}
}

static void crowd_of(int spawners_n, int each)
{
	struct crowd crowd = { .limit = 3 };
	leat_group spawners;

	make_with(&crowd.group, .limit = crowd.limit);
	make(&spawners);
	for (int i = 0; i < spawners_n; i++)
		CHECK_EQ(leat_go_in(&spawners, crowd_spawner, &crowd, each), 0);
	CHECK_EQ(finish(&spawners), 0);
	CHECK_EQ(finish(&crowd.group), 0);
	CHECK_EQ(crowd.ran, crowd.spawned);
	CHECK_EQ(crowd.active, 0);
}

TEST_WITH(limit_crowd, .workers = 4)
{
	crowd_of(16, test_slow() ? 50 : 500);
}

TEST_SIM(limit_crowd_sim, 200)
{
	crowd_of(5, 6);
}

/*
 * Results.
 */

LEAT_TASK_ERR(number, (int, i), (int, result))
{
	*(int *)leat_group_result_slot() = i;
	return result;
}

/* Every third task fails; the results are taken two at a time. */
static void take_in_parts(enum leat_result_order order)
{
	enum { TASKS = 30 };
	bool seen[TASKS] = { false };
	int results[2] = { 0 };
	int last = -1;
	int taken = 0;
	leat_group group;
	size_t n;

	make_with(&group, .result_size = sizeof(int), .order = order, .join = LEAT_JOIN_ALL_DONE);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(leat_go_in(&group, number, i, i % 3 ? 0 : -EIO), 0);
	CHECK_EQ(leat_group_wait(&group), -EIO);
	while ((n = leat_results(&group, results, 2)) > 0) {
		for (size_t i = 0; i < n; i++) {
			REQUIRE(results[i] >= 0 && results[i] < TASKS);
			CHECK(!seen[results[i]] && results[i] % 3 != 0);
			CHECK(order == LEAT_AS_COMPLETED || results[i] > last);
			seen[results[i]] = true;
			last = results[i];
		}
		taken += (int)n;
	}
	CHECK_EQ(taken, TASKS - TASKS / 3);
	leat_group_release(&group);
}

TEST_BOTH(results_in_parts, 20)
{
	take_in_parts(LEAT_AS_SUBMITTED);
	take_in_parts(LEAT_AS_COMPLETED);
}

/* A group that is waited for again and again gives each result once, from clean slots. */
LEAT_TASK_ERR(number_clean, (int, i))
{
	int *slot = leat_group_result_slot();

	CHECK_EQ(*slot, 0);
	*slot = i;
	return 0;
}

TEST_BOTH(results_round_by_round, 20)
{
	enum { EACH = 7 };
	int results[2 * EACH];
	leat_group group;

	make_with(&group, .result_size = sizeof(int));
	for (int round = 1; round <= 5; round++) {
		for (int i = 0; i < EACH; i++)
			CHECK_EQ(leat_go_in(&group, number_clean, round * 100 + i), 0);
		CHECK_EQ(leat_group_wait(&group), 0);
		REQUIRE(leat_results(&group, results, round % 2 ? EACH : 2 * EACH) == EACH);
		for (int i = 0; i < EACH; i++)
			CHECK_EQ(results[i], round * 100 + i);
	}
	leat_group_release(&group);
}

/* A forked child is part of its task: it has the task's slot. */
LEAT_TASK_ERR(slot_of, (void **, ret_slot))
{
	*ret_slot = leat_group_result_slot();
	return 0;
}

LEAT_TASK_ERR(fork_and_compare, (int, i))
{
	void *own = leat_group_result_slot();
	void *childs = NULL;
	leat_forked forked;

	leat_fork(&forked, slot_of, &childs);
	leat_yield();		/* may be taken by another worker */
	CHECK_EQ(leat_join(&forked), 0);
	CHECK(childs == own);
	*(int *)own = i;
	return 0;
}

TEST_BOTH(results_of_forks, 50)
{
	int results[20];
	leat_group group;

	make_with(&group, .result_size = sizeof(int));
	for (int i = 0; i < 20; i++)
		CHECK_EQ(leat_go_in(&group, fork_and_compare, i), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	REQUIRE(leat_results(&group, results, 20) == 20);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(results[i], i);
	leat_group_release(&group);
}

/* Of any-succeeds only the winner's result is there, whatever the others return. */
TEST_BOTH(results_of_one_winner, 50)
{
	int results[8];
	leat_group group;

	make_with(&group, .result_size = sizeof(int), .join = LEAT_JOIN_ANY_SUCCEEDS);
	for (int i = 0; i < 8; i++) {
		int r = leat_go_in(&group, number, i, i < 2 ? -EIO : 0);

		CHECK(r == 0 || (r == -ECANCELED && i > 2));
	}
	CHECK_EQ(leat_group_wait(&group), 0);
	CHECK_EQ(leat_group_error(&group, NULL), 0);
	CHECK_EQ(leat_results(&group, results, 8), 1);
	CHECK(results[0] >= 2);
	leat_group_release(&group);
}

/* A success that comes after the cancel decides nothing. */
LEAT_TASK_ERR(succeed_when_cancelled)
{
	while (!leat_cancelled())
		leat_yield();
	return 0;
}

TEST_BOTH(any_success_after_cancel, 50)
{
	leat_group group;

	make_with(&group, .join = LEAT_JOIN_ANY_SUCCEEDS);
	CHECK_EQ(leat_go_in(&group, succeed_when_cancelled), 0);
	leat_group_cancel(&group, -EXDEV);
	CHECK_EQ(finish(&group), -EXDEV);
}

/* A large result, and one of a single byte. */
struct large {
	char bytes[100000];
};

LEAT_TASK_ERR(fill_large, (int, i))
{
	memset(leat_group_result_slot(), i, sizeof(struct large));
	return 0;
}

LEAT_TASK_ERR(fill_byte, (int, i))
{
	*(char *)leat_group_result_slot() = (char)i;
	return 0;
}

TEST_BOTH(results_of_all_sizes, 2)
{
	static struct large large[10];
	char bytes[100];
	leat_group group;

	make_with(&group, .result_size = sizeof(struct large));
	for (int i = 0; i < 10; i++)
		CHECK_EQ(leat_go_in(&group, fill_large, i + 1), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	REQUIRE(leat_results(&group, large, 10) == 10);
	for (int i = 0; i < 10; i++)
		CHECK(large[i].bytes[0] == i + 1 && large[i].bytes[sizeof(large[i]) - 1] == i + 1);
	leat_group_release(&group);

	make_with(&group, .result_size = 1);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(leat_go_in(&group, fill_byte, i), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	REQUIRE(leat_results(&group, bytes, 100) == 100);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(bytes[i], i);
	leat_group_release(&group);
}

/* More bytes than there are: the spawn fails, and the group knows it. */
TEST_BOTH(results_beyond_memory, 2)
{
	leat_group group;

	make_with(&group, .result_size = SIZE_MAX / 2, .join = LEAT_JOIN_ALL_DONE);
	CHECK_EQ(leat_go_in(&group, give_back, 0), -ENOMEM);
	CHECK_EQ(leat_group_live(&group), 0);
	CHECK_EQ(finish(&group), -ENOMEM);
}

TEST_DEATH_TASK(results_while_tasks_run, "leat_group_results")
{
	leat_group group;
	int results[1];

	make_with(&group, .result_size = sizeof(int));
	CHECK_EQ(leat_go_in(&group, number, 1, 0), 0);
	CHECK_EQ(leat_results(&group, results, 1), 0);
	finish(&group);
}

TEST_DEATH_TASK(results_of_a_group_without, "leat_group_results")
{
	leat_group group;
	int results[1];

	make(&group);
	CHECK_EQ(leat_results(&group, results, 1), 0);
	finish(&group);
}
