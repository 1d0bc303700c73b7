/*
 * Channels with more waiters than a close claims at once, and receives without a
 * stack of all sizes.  Who waits, and what a close finds, over many schedules:
 * tests/sim/chan.c.
 */
#include "test.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <leat/extend.h>

enum { WAITERS = 500 };

static int64_t closed, timed_out, cancelled;

static void count(int r)
{
	int64_t *counter = r == LEAT_ECLOSED ? &closed : r == -ETIMEDOUT ? &timed_out : &cancelled;

	CHECK(r == LEAT_ECLOSED || r == -ETIMEDOUT || r == -ECANCELED);
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static leat_channel *make(size_t elem_size, size_t cap)
{
	leat_channel *c = leat_channel_create(elem_size, cap, NULL, "here");

	REQUIRE(c);
	closed = timed_out = cancelled = 0;
	return c;
}

LEAT_TASK(receiver, (leat_channel *, c), (int64_t, deadline))
{
	int64_t v = -1;
	int r = leat_channel_recv(c, &v, deadline);

	count(r);
	CHECK(r != LEAT_ECLOSED || v == 0);
}

LEAT_TASK(sender, (leat_channel *, c))
{
	int64_t v = 1;

	count(leat_channel_send(c, &v, LEAT_FOREVER));
}

static int on_closed(void *arg, int result, void *elem)
{
	(void)arg;
	count(result);
	CHECK_EQ(*(int64_t *)elem, 0);
	return 0;
}

/* Tasks, some of which give up meanwhile or are cancelled, and waits without a stack. */
TEST_BOTH(close_wakes_many, 5)
{
	leat_channel *c = make(sizeof(int64_t), 0);
	leat_group stay, leave;

	CHECK_EQ(leat_group_init(&stay, NULL), 0);
	CHECK_EQ(leat_group_init(&leave, NULL), 0);
	for (int i = 0; i < WAITERS; i++) {
		int64_t deadline = i % 4 == 0 ? leat_in(LEAT_MS) : LEAT_FOREVER;
		leat_group *group = i % 8 == 1 ? &leave : &stay;

		CHECK_EQ(leat_go_in(group, receiver, c, deadline), 0);
		CHECK_EQ(leat_channel_on_recv(c, &stay, on_closed, NULL), 0);
		if (i % 8 == 2)
			leat_yield();
	}
	leat_sleep(LEAT_MS / 2 + (int64_t)leat_random(LEAT_MS));
	leat_group_cancel(&leave, 0);
	leat_channel_close(c);
	CHECK_EQ(leat_group_wait(&leave), -ECANCELED);
	CHECK_EQ(leat_group_wait(&stay), 0);
	leat_group_release(&leave);
	leat_group_release(&stay);
	leat_channel_unref(c);
	CHECK_EQ(closed + timed_out + cancelled, 2 * WAITERS);
	CHECK(closed >= WAITERS);
}

/* Abandon: those that send, and those that would. */
TEST_BOTH(abandon_wakes_many, 5)
{
	leat_channel *c = make(sizeof(int64_t), 3);
	leat_group group;

	CHECK_EQ(leat_group_init(&group, NULL), 0);
	for (int64_t v = 0; v < 3; v++)
		CHECK_EQ(leat_channel_try_send(c, &v), 0);
	for (int i = 0; i < WAITERS; i++)
		CHECK_EQ(leat_go_in(&group, sender, c), 0);
	leat_sleep(LEAT_MS);
	leat_channel_abandon(c);
	CHECK_EQ(leat_channel_len(c), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	leat_channel_unref(c);
	CHECK_EQ(closed, WAITERS);
}

/* The element is told apart by its bytes, whichever way it comes. */
static size_t size;
static int received;

static void fill(char *elem, int seed)
{
	for (size_t i = 0; i < size; i++)
		elem[i] = (char)(seed + (int)i);
}

static int on_element(void *arg, int result, void *elem)
{
	char expected[64];

	CHECK_EQ(result, 0);
	fill(expected, *(int *)arg);
	CHECK_EQ(memcmp(elem, expected, size), 0);
	CHECK_EQ((uintptr_t)elem % (size >= 8 ? 8 : 1), 0);
	__atomic_fetch_add(&received, 1, __ATOMIC_RELAXED);
	return 0;
}

TEST_BOTH(on_recv_of_all_sizes, 5)
{
	static int seed[2] = { 3, 77 };

	received = 0;
	for (size = 0; size <= 64; size++) {
		leat_channel *c = make(size, 1);
		leat_group group;
		char elem[64];

		CHECK_EQ(leat_group_init(&group, NULL), 0);
		/* One finds its element buffered, the other one is handed it. */
		fill(elem, seed[0]);
		CHECK_EQ(leat_channel_send(c, elem, LEAT_FOREVER), 0);
		for (int i = 0; i < 2; i++)
			CHECK_EQ(leat_channel_on_recv(c, &group, on_element, &seed[i]), 0);
		fill(elem, seed[1]);
		CHECK_EQ(leat_channel_send(c, elem, LEAT_FOREVER), 0);
		CHECK_EQ(leat_group_wait(&group), 0);
		leat_group_release(&group);
		leat_channel_unref(c);
	}
	CHECK_EQ(received, 2 * 65);
}

static int count_element(void *arg, int result, void *elem)
{
	(void)elem;
	CHECK_EQ(result, 0);
	__atomic_fetch_add((int *)arg, 1, __ATOMIC_RELAXED);
	return 0;
}

LEAT_TASK(send_four, (leat_channel *, c))
{
	int four[4] = { 0 };

	CHECK_EQ(leat_channel_send_n(c, four, 4, LEAT_FOREVER), 4);
}

/* What went in, whichever way, and what came out or was dropped. */
TEST_BOTH(totals, 20)
{
	leat_channel *c = make(4, 2);
	uint64_t sent = 7, got = 7;
	leat_group group;
	int v = 1, six[6] = { 0 }, counted = 0;

	leat_channel_totals(c, &sent, &got);
	CHECK_EQ(sent, 0);
	CHECK_EQ(got, 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_channel_on_recv(c, &group, count_element, &counted), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_channel_send(c, &v, LEAT_FOREVER), 0); /* to who waits */
	CHECK_EQ(leat_channel_send_n(c, six, 2, LEAT_FOREVER), 2);
	CHECK_EQ(leat_channel_try_send(c, &v), -EAGAIN);
	leat_channel_totals(c, &sent, &got);
	CHECK_EQ(sent, 5);
	CHECK_EQ(got, 3);
	CHECK_EQ(leat_go_in(&group, send_four, c), 0); /* two wait for room */
	for (int i = 0; i < 5; i++)
		CHECK_EQ(leat_channel_recv(c, &v, LEAT_FOREVER), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(counted, 3);
	leat_channel_totals(c, &sent, NULL);
	CHECK_EQ(sent, 9);
	leat_channel_totals(c, NULL, &got);
	CHECK_EQ(got, 8);
	leat_channel_abandon(c);
	leat_channel_totals(c, &sent, &got);
	CHECK_EQ(sent, 9);
	CHECK_EQ(got, 9);
	leat_channel_unref(c);
}

enum { NUMBERS = 200 };

struct numbers {
	leat_channel *c;	/* of int64_t: those from 0 on */
	atomic_int received;	/* any way */
};

static int count_number(void *arg, int result, void *elem)
{
	struct numbers *n = arg;

	(void)elem;
	if (result == 0)
		atomic_fetch_add(&n->received, 1);
	return 0;
}

/* Receives one in some way; of those that have a number, it is the element.  False: the end. */
static bool take_one(struct numbers *n)
{
	uint64_t number = UINT64_MAX;
	int64_t nap = (int64_t)leat_random(3000);
	int64_t v[3], deadline = leat_random(3) == 0 ? LEAT_FOREVER : leat_in(nap);
	int r;

	switch (leat_random(6)) {
	case 0:
		r = leat_channel_recv(n->c, v, deadline);
		break;
	case 1:
		r = leat_channel_try_recv(n->c, v);
		break;
	case 2:
		r = (int)leat_channel_recv_n(n->c, v, 3, deadline);
		atomic_fetch_add(&n->received, r > 0 ? r - 1 : 0);
		break;
	case 3: {
		leat_case cases[] = { { .op = LEAT_OP_RECV, .chan = n->c, .elem = v },
				      leat_case_until(deadline) };
		r = leat_select_cases(cases, 2);
		r = r == 0 ? cases[0].status : r;
		break;
	}
	default:
		r = leat_channel_recv_numbered(n->c, v, &number, deadline);
		CHECK_EQ(number, r == 0 ? (uint64_t)v[0] : UINT64_MAX);
	}
	if (r >= 0)
		atomic_fetch_add(&n->received, 1);
	return r != LEAT_ECLOSED;
}

LEAT_TASK(take_numbers, (struct numbers *, n))
{
	while (take_one(n))
		leat_yield();
}

/* However they are sent and received, and whoever gives up: the number is the place in order. */
TEST_BOTH(numbers_of_what_is_received, 200)
{
	struct numbers n = { .c = make(sizeof(int64_t), leat_random(4)) };
	leat_group group;
	int64_t v[5], next = 0;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(leat_go_in(&group, take_numbers, &n), 0);
	while (next < NUMBERS) {
		int64_t some = 1 + (int64_t)leat_random(5);

		for (int i = 0; i < some; i++)
			v[i] = next + i;
		if (leat_random(8) == 0)
			CHECK_EQ(leat_channel_on_recv(n.c, &group, count_number, &n), 0);
		if (leat_random(2))
			CHECK_EQ(leat_channel_send_n(n.c, v, (size_t)some, LEAT_FOREVER), some);
		else
			for (int i = 0; i < some; i++)
				CHECK_EQ(leat_channel_send(n.c, &v[i], LEAT_FOREVER), 0);
		next += some;
		if (leat_random(3) == 0)
			CHECK_EQ(leat_sleep((int64_t)leat_random(2000)), 0);
	}
	leat_channel_close(n.c);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(n.received, next);
	leat_channel_unref(n.c);
}
