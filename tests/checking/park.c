/*
 * How tasks leave and take stacks (rt/park.h, rt/worker.c): tasks that block, yield,
 * fork and wake each other, handed from worker to worker.
 */
#include "program.h"

/* Yields: a task is in a queue before its context is saved. */
LEAT_TASK(yield_some, (int, n), (uint32_t *, count))
{
	uint64_t marks[4] = { leat_task_id(), 1, 2, 3 };

	for (int i = 0; i < n; i++) {
		CHECK_EQ(leat_yield(), 0);
		CHECK_EQ(marks[0], leat_task_id());
		CHECK_EQ(marks[1] + marks[2] + marks[3], 6);
	}
	leat__fetch_add(count, 1);
}

static void yields(int tasks)
{
	uint32_t count = 0;
	leat_group group;

	make(&group);
	for (int i = 0; i < tasks; i++)
		CHECK_EQ(leat_go_in(&group, yield_some, 3, &count), 0);
	dawdle(3);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(count, tasks);
}

PROGRAM(park_yield, 2000, 2)
{
	yields(3);
}

PROGRAM(park_yield_3, 1000, 3)
{
	yields(4);
}

/* Two pairs wake each other, each from wherever it happens to run. */
LEAT_TASK(play, (leat_chan(int), in), (leat_chan(int), out), (int, n))
{
	int ball;

	for (int i = 0; i < n; i++) {
		CHECK_EQ(leat_recv(in, &ball), 0);
		if (leat__check_choose(4) == 0)
			compute();
		CHECK_EQ(leat_send(out, ball + 1), 0);
	}
}

static void ping_pong(int pairs)
{
	enum { ROUNDS = 3, PAIRS_MAX = 2 };
	leat_chan(int) there[PAIRS_MAX], back[PAIRS_MAX];
	leat_group group;

	make(&group);
	for (int i = 0; i < pairs; i++) {
		there[i] = leat_chan_make(int, leat__check_choose(2));
		back[i] = leat_chan_make(int, 1);
		CHECK_EQ(leat_go_in(&group, play, there[i], back[i], ROUNDS), 0);
		CHECK_EQ(leat_go_in(&group, play, back[i], there[i], ROUNDS), 0);
	}
	compute();
	for (int i = 0; i < pairs; i++)
		CHECK_EQ(leat_send(there[i], 0), 0);
	/* The last ball of each pair comes back; somebody must take it. */
	for (int i = 0; i < pairs; i++) {
		int ball = 0;

		while (ball != 2 * ROUNDS) {
			CHECK_EQ(leat_recv(there[i], &ball), 0);
			if (ball != 2 * ROUNDS)
				CHECK_EQ(leat_send(there[i], ball), 0);
			leat_yield();
		}
	}
	CHECK_EQ(finish(&group), 0);
	for (int i = 0; i < pairs; i++) {
		leat_chan_unref(there[i]);
		leat_chan_unref(back[i]);
	}
}

PROGRAM(park_ping_pong, 1500, 2)
{
	ping_pong(1);
}

PROGRAM(park_ping_pongs, 1000, 3)
{
	ping_pong(2);
}

/*
 * P5': two tasks that block on two workers, both woken from outside before they
 * are saved: each worker may pick the other's task.
 */
static leat_chan(int) cross[2];

LEAT_TASK(receive_some, (leat_chan(int), in), (int, n))
{
	int element;

	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_recv(in, &element), 0);
}

static uint32_t attached;

static void *wake_both(void *arg)
{
	int n = *(int *)arg;

	CHECK_EQ(leat_thread_attach(), 0);
	leat__store_release(&attached, 1);
	for (int i = 0; i < n; i++)
		for (int k = 0; k < 2; k++)
			CHECK_EQ(leat_send(cross[k], i), 0);
	leat_thread_detach();
	return NULL;
}

PROGRAM(park_crossed, 4000, 2)
{
	struct leat__thread_handle thread;
	leat_group group;
	int n = 6;

	make(&group);
	for (int k = 0; k < 2; k++) {
		cross[k] = leat_chan_make(int, 1);
		CHECK_EQ(leat_go_in(&group, receive_some, cross[k], n), 0);
	}
	attached = 0;
	CHECK_EQ(leat__thread_start(&thread, wake_both, &n), 0);
	compute_until(&attached, 1); /* now waiting for it is no deadlock */
	CHECK_EQ(finish(&group), 0);
	leat__thread_join(thread);
	for (int k = 0; k < 2; k++)
		leat_chan_unref(cross[k]);
}

/* F1 to F4: children that are stolen, or not, and joined. */
LEAT_TASK_ERR(sum, (int, from), (int, to), (int *, result))
{
	leat_forked left;
	int a = 0, b = 0;

	if (to - from == 1) {
		if (leat__check_choose(3) == 0)
			compute();
		else if (leat__check_choose(3) == 0)
			leat_yield();
		*result = from;
		return 0;
	}
	leat_fork(&left, sum, from, (from + to) / 2, &a);
	CHECK_EQ(sum((from + to) / 2, to, &b), 0);
	CHECK_EQ(leat_join(&left), 0);
	*result = a + b;
	return 0;
}

PROGRAM(park_fork_join, 2500, 2)
{
	int result = -1;

	CHECK_EQ(sum(0, 6, &result), 0);
	CHECK_EQ(result, 15);
}

PROGRAM(park_fork_join_3, 1500, 3)
{
	int result = -1;

	CHECK_EQ(sum(0, 8, &result), 0);
	CHECK_EQ(result, 28);
}

/* A stack of its own for one task: it is freed by who comes after. */
LEAT_TASK(on_own_stack, (leat_chan(int), in))
{
	int element;

	CHECK_EQ(leat_recv(in, &element), 0);
	leat_yield();
}

PROGRAM(park_own_stack, 800, 2)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_group group;

	make(&group);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(leat_go_with(&group, LEAT_TASK_OPTIONS(.stack_size = 128 * 1024),
				      on_own_stack, chan),
			 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(leat_send(chan, i), 0);
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(chan);
}

/* The overflow of a run queue goes by the injector, half of it at a time. */
LEAT_TASK(count_one, (uint32_t *, count))
{
	leat__fetch_add(count, 1);
}

PROGRAM(park_overflow, 60, 2)
{
	enum { TASKS = 300 };
	uint32_t count = 0;
	leat_group group;

	make(&group);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(leat_go_in(&group, count_one, &count), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(count, TASKS);
}

/* The slot for what was made ready last must not starve the queue: one worker. */
LEAT_TASK(bounce, (leat_chan(int), in), (leat_chan(int), out), (int *, bounces), (bool *, stop))
{
	int ball;

	while (leat_recv(in, &ball) == 0 && !*stop) {
		++*bounces;
		CHECK_EQ(leat_send(out, ball), 0);
	}
	leat_close(out);
}

LEAT_TASK(stop_it, (bool *, stop))
{
	*stop = true;
}

PROGRAM(park_lifo_is_fair, 50, 1)
{
	leat_chan(int) a = leat_chan_make(int, 0), b = leat_chan_make(int, 0);
	bool stop = false;
	int bounces = 0;
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, bounce, a, b, &bounces, &stop), 0);
	CHECK_EQ(leat_go_in(&group, bounce, b, a, &bounces, &stop), 0);
	CHECK_EQ(leat_send(a, 0), 0);
	CHECK_EQ(leat_go_in(&group, stop_it, &stop), 0);
	leat_yield();
	CHECK_EQ(finish(&group), 0);
	CHECK(bounces <= 10);
	leat_chan_unref(a);
	leat_chan_unref(b);
}
