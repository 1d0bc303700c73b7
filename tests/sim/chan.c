/*
 * Channels over many schedules: no element is lost or doubled, the order is
 * kept, a close or a cancel ends everyone, and nobody waits for ever (that would
 * be reported as a deadlock).
 */
#include "run.h"

LEAT_TASK(send_some, (leat_chan(int), out), (int, n))
{
	for (int i = 0; i < n; i++) {
		int element = books_new();
		int r = leat_send(out, element);

		if (r == 0)
			books_sent(element);
		else
			CHECK(r == LEAT_ECLOSED || r == -ECANCELED);
	}
}

/* Of one sender each receiver gets what it gets in order; elements grow with time. */
LEAT_TASK(receive_all, (leat_chan(int), in))
{
	int last = -1;

	leat_range(element, in) {
		books_received(element);
		CHECK(element != last);
		last = element;
	}
}


/* Many senders, many receivers, closed when all is sent: every element arrives. */
static void many_to_many(size_t cap)
{
	enum { SENDERS = 3, RECEIVERS = 3, EACH = 4 };
	leat_chan(int) chan = make_chan(cap);
	leat_group senders, receivers;

	books_open();
	make(&receivers);
	make(&senders);
	for (int i = 0; i < RECEIVERS; i++)
		CHECK_EQ(leat_go_in(&receivers, receive_all, chan), 0);
	for (int i = 0; i < SENDERS; i++)
		CHECK_EQ(leat_go_in(&senders, send_some, chan, EACH), 0);
	CHECK_EQ(finish(&senders), 0);
	leat_close(chan);
	CHECK_EQ(finish(&receivers), 0);
	leat_chan_unref(chan);
	books_balance();
	CHECK_EQ(books_total(books.received), SENDERS * EACH);
}

TEST_STRESS(chan_unbuffered)
{
	many_to_many(0);
}

TEST_STRESS(chan_buffered)
{
	many_to_many(1);
	many_to_many(3);
}

/* One sender, one receiver: the order is that of the sends. */
LEAT_TASK(receive_in_order, (leat_chan(int), in))
{
	int expected = 0;

	leat_range(element, in) {
		CHECK_EQ(element, expected);
		expected++;
		books_received(element);
	}
}

TEST_STRESS(chan_fifo)
{
	leat_chan(int) chan = make_chan(leat_random(3));
	leat_group group;

	books_open();
	make(&group);
	CHECK_EQ(leat_go_in(&group, receive_in_order, chan), 0);
	send_some(chan, 12);
	leat_close(chan);
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(chan);
	books_balance();
	CHECK_EQ(books_total(books.received), 12);
}

/* Senders that wait are served in the order in which they came. */
LEAT_TASK(send_one, (leat_chan(int), out), (int, element))
{
	CHECK_EQ(leat_send(out, element), 0);
	books_sent(element);
}

TEST_STRESS(chan_waiters_fifo)
{
	enum { WAITERS = 4 };
	leat_chan(int) chan = make_chan(0);
	leat_group group;
	int element;

	books_open();
	make(&group);
	for (int i = 0; i < WAITERS; i++) {
		CHECK_EQ(leat_go_in(&group, send_one, chan, books_new()), 0);
		test_settle();
	}
	for (int i = 0; i < WAITERS; i++) {
		CHECK_EQ(leat_recv(chan, &element), 0);
		CHECK_EQ(element, i);
		books_received(element);
		dawdle(2);
	}
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(chan);
	books_balance();
}

/* Deadlines on both sides. */
LEAT_TASK(send_until, (leat_chan(int), out), (int, n))
{
	for (int i = 0; i < n; i++) {
		int element = books_new();
		int r = leat_send_until(out, element, leat_in((int64_t)leat_random(2000)));

		CHECK(r == 0 || r == -ETIMEDOUT);
		if (r == 0)
			books_sent(element);
	}
}

LEAT_TASK(receive_until, (leat_chan(int), in), (int, n))
{
	for (int i = 0; i < n; i++) {
		int element = -1;
		int64_t deadline = leat_in((int64_t)leat_random(2000));
		int r = leat_recv_until(in, &element, deadline);

		CHECK(r == 0 || r == -ETIMEDOUT);
		if (r == 0) {
			books_received(element);
		} else {
			CHECK_EQ(element, -1);
			CHECK(leat_now() >= deadline);
		}
	}
}

TEST_STRESS(chan_deadlines)
{
	leat_chan(int) chan = make_chan(leat_random(3));
	leat_group group;

	books_open();
	make(&group);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(leat_go_in(&group, send_until, chan, 4), 0);
		CHECK_EQ(leat_go_in(&group, receive_until, chan, 4), 0);
	}
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(chan);
	books_balance();
}

/* The receivers go away: what is buffered is dropped, the senders are told. */
LEAT_TASK(receive_and_abandon, (leat_chan(int), in), (int, n))
{
	int element;

	for (int i = 0; i < n && leat_recv(in, &element) == 0; i++)
		books_received(element);
	leat_abandon(in);
}

TEST_STRESS(chan_abandon)
{
	leat_chan(int) chan = make_chan(leat_random(4));
	leat_group group;

	books_open();
	make(&group);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&group, send_some, chan, 4), 0);
	CHECK_EQ(leat_go_in(&group, receive_and_abandon, chan, 2), 0);
	CHECK_EQ(leat_go_in(&group, receive_and_abandon, chan, 3), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(leat_try_send(chan, books_new()), LEAT_ECLOSED);
	leat_chan_unref(chan);
	books_balance();
}

/* Closed under the senders: who was told 0 was received, and nobody is stuck. */
TEST_STRESS(chan_close_early)
{
	leat_chan(int) chan = make_chan(leat_random(3));
	leat_group group;

	books_open();
	make(&group);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(leat_go_in(&group, send_some, chan, 3), 0);
		CHECK_EQ(leat_go_in(&group, receive_all, chan), 0);
	}
	dawdle(7);
	leat_close(chan);
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(chan);
	books_balance();
}

/* Closed with all senders blocked and nobody to receive: they are told. */
LEAT_TASK(send_in_vain, (leat_chan(int), out))
{
	CHECK_EQ(leat_send(out, books_new()), LEAT_ECLOSED);
}

TEST_STRESS(chan_close_blocked_senders)
{
	size_t cap = leat_random(3);
	leat_chan(int) chan = make_chan(cap);
	leat_group group;

	books_open();
	make(&group);
	send_some(chan, (int)cap);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(leat_go_in(&group, send_in_vain, chan), 0);
	dawdle(9);
	leat_close(chan);
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(chan);
	books_balance();
	CHECK_EQ(books_total(books.dropped), cap);
}

/* One receive makes room for one sender that is blocked; no other will come. */
TEST_STRESS(chan_room_is_used)
{
	leat_chan(int) chan = make_chan(2);
	leat_group group;
	int element;

	books_open();
	make(&group);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(leat_go_in(&group, send_one, chan, books_new()), 0);
	dawdle(9);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(leat_recv(chan, &element), 0);
		books_received(element);
	}
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(leat_chan_len(chan), 2);
	leat_chan_unref(chan);
	books_balance();
}

/* Cancel ends everyone, wherever they wait, and loses nothing. */
TEST_STRESS(chan_cancel)
{
	leat_chan(int) chan = make_chan(leat_random(3));
	leat_group group;

	books_open();
	make(&group);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&group, send_some, chan, 5), 0);
	CHECK_EQ(leat_go_in(&group, receive_all, chan), 0);
	CHECK_EQ(leat_go_in(&group, receive_all, chan), 0);
	dawdle(9);
	leat_group_cancel(&group, 0);
	CHECK_EQ(finish(&group), -ECANCELED);
	leat_chan_unref(chan);
	books_balance();
}

/* A waiter that left by timeout or cancel is not in the way of those behind it. */
LEAT_TASK(send_or_leave, (leat_chan(int), out), (int64_t, deadline))
{
	int element = books_new();
	int r = leat_send_until(out, element, deadline);

	if (r == 0)
		books_sent(element);
}

TEST_STRESS(chan_leavers)
{
	leat_chan(int) chan = make_chan(0);
	leat_group leavers, stayers;

	books_open();
	make(&leavers);
	make(&stayers);
	for (int i = 0; i < 3; i++) {
		int64_t soon = leat_in(500 + (int64_t)leat_random(2000));

		CHECK_EQ(leat_go_in(&leavers, send_or_leave, chan, soon), 0);
		CHECK_EQ(leat_go_in(&leavers, send_or_leave, chan, LEAT_FOREVER), 0);
		CHECK_EQ(leat_go_in(&stayers, send_some, chan, 1), 0);
	}
	for (int received = 0; received < 3; received++) {
		int element;

		if (received == 1)
			leat_group_cancel(&leavers, 0);
		CHECK_EQ(leat_recv(chan, &element), 0);
		books_received(element);
	}
	CHECK_EQ(finish(&leavers), -ECANCELED);
	leat_abandon(chan);
	CHECK_EQ(finish(&stayers), 0);
	leat_chan_unref(chan);
	books_balance();
}

/* Many at a time. */
LEAT_TASK(send_batches, (leat_chan(int), out), (int, n), (int64_t, patience))
{
	for (int i = 0; i < n; i++) {
		int elements[4];
		size_t size = 1 + leat_random(4);
		int64_t sent;

		for (size_t k = 0; k < size; k++)
			elements[k] = books_new();
		sent = leat_send_n(out, elements, size,
				   patience == LEAT_FOREVER ? patience : leat_in(patience));
		CHECK(sent <= (int64_t)size);
		if (sent < 0)
			CHECK(sent == LEAT_ECLOSED || sent == -ECANCELED || sent == -ETIMEDOUT);
		for (int64_t k = 0; k < sent; k++)
			books_sent(elements[k]);
	}
}

LEAT_TASK(receive_batches, (leat_chan(int), in))
{
	int elements[3];
	int64_t n;

	while ((n = leat_recv_n(in, elements, 1 + leat_random(3), LEAT_FOREVER)) > 0)
		for (int64_t k = 0; k < n; k++)
			books_received(elements[k]);
	CHECK(n == LEAT_ECLOSED || n == -ECANCELED);
}

static void batches(int64_t patience, bool cancel)
{
	leat_chan(int) chan = make_chan(leat_random(5));
	leat_group senders, receivers;
	int r;

	books_open();
	make(&senders);
	make(&receivers);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(leat_go_in(&receivers, receive_batches, chan), 0);
		CHECK_EQ(leat_go_in(&senders, send_batches, chan, 4, patience), 0);
	}
	if (cancel) {
		dawdle(9);
		leat_group_cancel(&senders, -ECANCELED);
	}
	r = finish(&senders);
	CHECK_EQ(r, cancel ? -ECANCELED : 0);
	leat_close(chan);
	CHECK_EQ(finish(&receivers), 0);
	leat_chan_unref(chan);
	books_balance();
}

TEST_STRESS(chan_batches)
{
	batches(LEAT_FOREVER, false);
}

TEST_STRESS(chan_batches_deadline)
{
	batches(700, false);
}

TEST_STRESS(chan_batches_cancel)
{
	batches(LEAT_FOREVER, true);
}

/* Receives that wait without a stack, some of them cancelled. */
static int on_element(void *arg, int result, void *elem)
{
	(void)arg;
	CHECK(result == 0 || result == LEAT_ECLOSED);
	if (result == 0)
		books_received(*(int *)elem);
	return 0;
}

TEST_STRESS(chan_on_recv)
{
	leat_chan(int) chan = make_chan(leat_random(3));
	leat_group senders, stay, leave;
	int r;

	books_open();
	make(&senders);
	make(&stay);
	make(&leave);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(leat_go_in(&senders, send_some, chan, 2), 0);
		r = leat_channel_on_recv((leat_channel *)chan, &stay, on_element, NULL);
		CHECK_EQ(r, 0);
		r = leat_channel_on_recv((leat_channel *)chan, &leave, on_element, NULL);
		CHECK_EQ(r, 0);
		dawdle(1);
	}
	leat_group_cancel(&leave, 0);
	CHECK_EQ(finish(&leave), -ECANCELED);
	leat_abandon(chan);
	CHECK_EQ(finish(&senders), 0);
	CHECK_EQ(finish(&stay), 0);
	leat_chan_unref(chan);
	books_balance();
}

/* Tries never block, and never invent or lose. */
LEAT_TASK(try_some, (leat_chan(int), chan), (int, n))
{
	for (int i = 0; i < n; i++) {
		int element = books_new();
		int r = leat_try_send(chan, element);

		CHECK(r == 0 || r == -EAGAIN);
		if (r == 0)
			books_sent(element);
		leat_yield();
		r = leat_try_recv(chan, &element);
		CHECK(r == 0 || r == -EAGAIN);
		if (r == 0)
			books_received(element);
	}
}

TEST_STRESS(chan_tries)
{
	leat_chan(int) chan = make_chan(leat_random(3));
	leat_group group;

	books_open();
	make(&group);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(leat_go_in(&group, try_some, chan, 5), 0);
		CHECK_EQ(leat_go_in(&group, send_until, chan, 2), 0);
		CHECK_EQ(leat_go_in(&group, receive_until, chan, 2), 0);
	}
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(chan);
	books_balance();
}
