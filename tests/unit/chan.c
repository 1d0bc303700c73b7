/*
 * Channels with more waiters than a close claims at once, and receives without a
 * stack of all sizes.  Who waits, and what a close finds, over many schedules:
 * tests/sim/chan.c.
 */
#include "test.h"

#include <errno.h>
#include <string.h>

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
