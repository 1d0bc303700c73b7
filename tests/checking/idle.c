/*
 * Who sleeps and who wakes whom (rt/idle.c): no task that is ready waits for ever
 * while a worker could run it.  A worker that computes calls nothing of leat, so
 * only another worker can run what it has made ready; if none comes, the run has
 * no end, and fails.
 */
#include "program.h"

static uint32_t done;

LEAT_TASK(add_done)
{
	compute();
	leat__fetch_add(&done, 1);
}

/* A spawns B and computes until B has run. */
static void spawn_and_compute(void)
{
	done = 0;
	for (uint32_t i = 1; i <= 3; i++) {
		compute();
		CHECK_EQ(leat_go(add_done), 0);
		compute_until(&done, i);
	}
}

PROGRAM(idle_spawn, 3000, 2)
{
	spawn_and_compute();
}

PROGRAM(idle_spawn_3, 2000, 3)
{
	spawn_and_compute();
}

/*
 * The same with B blocked in a receive: it comes by the LIFO slot.
 */
LEAT_TASK(receive_all, (leat_chan(int), in))
{
	leat_range(element, in) {
		(void)element;
		leat__fetch_add(&done, 1);
	}
}

PROGRAM(idle_lifo, 3000, 2)
{
	leat_chan(int) chan = leat_chan_make(int, leat__check_choose(2));
	leat_group group;

	done = 0;
	make(&group);
	CHECK_EQ(leat_go_in(&group, receive_all, chan), 0);
	for (uint32_t i = 1; i <= 3; i++) {
		compute();
		CHECK_EQ(leat_send(chan, 1), 0);
		compute_until(&done, i);
	}
	leat_close(chan);
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(chan);
}

/* Two tasks must run at the same time, on the two workers that have slept. */
LEAT_TASK(meet, (uint32_t *, arrived), (uint32_t, n))
{
	leat__fetch_add(arrived, 1);
	compute_until(arrived, n);
}

PROGRAM(idle_both_wake, 2000, 3)
{
	uint32_t arrived = 0;
	leat_group group;

	make(&group);
	compute();
	CHECK_EQ(leat_go_in(&group, meet, &arrived, 3), 0);
	CHECK_EQ(leat_go_in(&group, meet, &arrived, 3), 0);
	leat__fetch_add(&arrived, 1);
	compute_until(&arrived, 3);
	CHECK_EQ(finish(&group), 0);
}

/* The second is pushed as the last searcher finds the first: it must wake the next. */
PROGRAM(idle_wakes_the_next, 4000, 3)
{
	for (int i = 0; i < 4; i++) {
		uint32_t arrived = 0;
		leat_group group;

		make(&group);
		compute();
		CHECK_EQ(leat_go_in(&group, meet, &arrived, 3), 0);
		leat__check_compute(leat__check_choose(12000));
		CHECK_EQ(leat_go_in(&group, meet, &arrived, 3), 0);
		leat__fetch_add(&arrived, 1);
		compute_until(&arrived, 3);
		CHECK_EQ(finish(&group), 0);
	}
}

/* Pinned tasks go by the inbox. */
LEAT_TASK(receive_one, (leat_chan(int), in))
{
	int element;

	CHECK_EQ(leat_recv(in, &element), 0);
	leat__fetch_add(&done, 1);
}

LEAT_TASK(receive_pinned, (leat_chan(int), in))
{
	CHECK_EQ(leat_go_with(leat_group_current(), LEAT_TASK_OPTIONS(.pinned = true), receive_one,
			      in),
		 0);
}

PROGRAM(idle_pinned, 1500, 2)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_group group;

	done = 0;
	make(&group);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(leat_go_in(&group, receive_pinned, chan), 0);
	dawdle(3);
	for (int i = 0; i < 2; i++) {
		compute();
		CHECK_EQ(leat_send(chan, 1), 0);
	}
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(done, 2);
	leat_chan_unref(chan);
}

/* A thread that is no worker sends and receives, while the workers sleep. */
static leat_chan(int) from_outside, to_outside;

static void *outsider(void *arg)
{
	(void)arg;
	CHECK_EQ(leat_thread_attach(), 0);
	leat__store_release(&done, 1);
	for (int i = 0; i < 3; i++) {
		int back = -1;

		compute();
		CHECK_EQ(leat_send(from_outside, i), 0);
		CHECK_EQ(leat_recv(to_outside, &back), 0);
		CHECK_EQ(back, i);
	}
	return NULL;
}

PROGRAM(idle_outsider, 2000, 2)
{
	struct leat__thread_handle thread;

	from_outside = leat_chan_make(int, leat__check_choose(2));
	to_outside = leat_chan_make(int, leat__check_choose(2));
	done = 0;
	CHECK_EQ(leat__thread_start(&thread, outsider, NULL), 0);
	compute_until(&done, 1); /* it is attached: waiting for it is no deadlock */
	for (int i = 0; i < 3; i++) {
		int element = -1;

		CHECK_EQ(leat_recv(from_outside, &element), 0);
		CHECK_EQ(element, i);
		compute();
		CHECK_EQ(leat_send(to_outside, element), 0);
	}
	leat__thread_join(thread);
	leat_chan_unref(from_outside);
	leat_chan_unref(to_outside);
}

/* What it makes ready it does not run itself: it computes until somebody has. */
static void *outsider_computes(void *arg)
{
	(void)arg;
	CHECK_EQ(leat_thread_attach(), 0);
	leat__store_release(&done, 1);
	for (uint32_t i = 2; i <= 4; i++) {
		compute();
		if (i % 2)
			CHECK_EQ(leat_send(from_outside, 1), 0);
		else
			CHECK_EQ(leat_go(add_done), 0);
		compute_until(&done, i);
	}
	leat_close(from_outside);
	return NULL;
}

PROGRAM(idle_outsider_computes, 4000, 2)
{
	struct leat__thread_handle thread;
	leat_group group;

	done = 0;
	make(&group);
	from_outside = leat_chan_make(int, leat__check_choose(2));
	CHECK_EQ(leat__thread_start(&thread, outsider_computes, NULL), 0);
	compute_until(&done, 1);
	receive_all(from_outside);
	leat__thread_join(thread);
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(from_outside);
}

/* The queue for threads outside is looked at though the worker's own never runs empty. */
static void *outsider_spawns(void *arg)
{
	(void)arg;
	leat__check_compute(leat__check_choose(5000));
	CHECK_EQ(leat_go(add_done), 0);
	leat_thread_detach();
	return NULL;
}

LEAT_TASK(yield_until_done)
{
	while (!leat__load_relaxed(&done))
		leat_yield();
}

PROGRAM(idle_injector_is_fair, 100, 1)
{
	struct leat__thread_handle thread;
	leat_group group;

	done = 0;
	make(&group);
	CHECK_EQ(leat__thread_start(&thread, outsider_spawns, NULL), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(leat_go_in(&group, yield_until_done), 0);
	CHECK_EQ(finish(&group), 0);
	leat__thread_join(thread);
}

/*
 * Who waits looks first whether the newest task of its queue is one that it may run
 * itself, and puts it back if not: what was queued all the while must be found by
 * who goes to sleep meanwhile.
 */
LEAT_TASK_ERR(compute_until_done, (uint32_t, n))
{
	compute_until(&done, n);
	return 0;
}

PROGRAM(idle_put_back_by_wait, 3000, 2)
{
	for (uint32_t i = 1; i <= 3; i++) {
		leat_group group;

		done = i - 1;
		leat__check_compute(leat__check_choose(150000));
		make(&group);
		CHECK_EQ(leat_go_in(&group, compute_until_done, i), 0);
		CHECK_EQ(leat_go(add_done), 0);
		CHECK_EQ(finish(&group), 0);
	}
}

PROGRAM(idle_put_back_by_join, 5000, 2)
{
	for (uint32_t i = 1; i <= 3; i++) {
		leat_forked forked;

		done = i - 1;
		leat__check_compute(leat__check_choose(150000));
		leat_fork(&forked, compute_until_done, i);
		CHECK_EQ(leat_go(add_done), 0);
		CHECK_EQ(leat_join(&forked), 0);
	}
}

/* What has had the LIFO slot for too long moves to the queue's end: the same. */
enum { BOUNCES = 4 };

LEAT_TASK(bounce, (leat_chan(uint32_t), in), (leat_chan(uint32_t), out))
{
	leat_range(ball, in) {
		leat__fetch_add(&done, 1);
		if (ball < BOUNCES)
			CHECK_EQ(leat_send(out, ball + 1), 0);
	}
}

PROGRAM(idle_lifo_moves, 10000, 2)
{
	leat_chan(uint32_t) a = leat_chan_make(uint32_t, 0), b = leat_chan_make(uint32_t, 0);
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, bounce, a, b), 0);
	CHECK_EQ(leat_go_in(&group, bounce, b, a), 0);
	for (int i = 0; i < 8; i++) {
		leat__check_compute(leat__check_choose(70000));
		done = 0;
		CHECK_EQ(leat_send(a, 1), 0);
		leat_yield();
		compute_until(&done, BOUNCES);
	}
	leat_close(a);
	leat_close(b);
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(a);
	leat_chan_unref(b);
}
