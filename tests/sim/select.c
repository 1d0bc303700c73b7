/*
 * Select over many schedules: each takes one case and that one only, selects that
 * meet each other on the same channels neither lose an element nor hang, and
 * the default is taken only when nothing was ready.
 */
#include "run.h"

/* Against plain senders and receivers. */
LEAT_TASK(send_plainly, (leat_chan(int), out), (int, n))
{
	for (int i = 0; i < n; i++) {
		int element = books_new();
		int r = leat_send(out, element);

		CHECK(r == 0 || r == LEAT_ECLOSED || r == -ECANCELED);
		if (r == 0)
			books_sent(element);
	}
}

LEAT_TASK(receive_plainly, (leat_chan(int), in))
{
	leat_range(element, in)
		books_received(element);
}

LEAT_TASK(receive_from_two, (leat_chan(int), a), (leat_chan(int), b))
{
	int from_a = 0, from_b = 0;

	while (from_a == 0 || from_b == 0) {
		int element = -1, ok = -1;

		switch (leat_select(leat_case_recv_ok(a, &element, &ok),
				    leat_case_recv_ok(b, &element, &ok))) {
		case 0:
			from_a = ok;
			break;
		case 1:
			from_b = ok;
			break;
		default:
			REQUIRE(!"one of the cases");
		}
		if (ok == 0)
			books_received(element);
		else
			CHECK_EQ(ok, LEAT_ECLOSED);
		if (from_a)
			a = NULL;
		if (from_b)
			b = NULL;
	}
}

TEST_STRESS(select_receive)
{
	leat_chan(int) a = make_chan(leat_random(2)), b = make_chan(leat_random(2));
	leat_group senders, receivers;

	books_open();
	make(&senders);
	make(&receivers);
	CHECK_EQ(leat_go_in(&receivers, receive_from_two, a, b), 0);
	CHECK_EQ(leat_go_in(&receivers, receive_from_two, b, a), 0);
	CHECK_EQ(leat_go_in(&senders, send_plainly, a, 5), 0);
	CHECK_EQ(leat_go_in(&senders, send_plainly, b, 5), 0);
	CHECK_EQ(finish(&senders), 0);
	leat_close(a);
	leat_close(b);
	CHECK_EQ(finish(&receivers), 0);
	leat_chan_unref(a);
	leat_chan_unref(b);
	books_balance();
	CHECK_EQ(books_total(books.received), 10);
}

/* Sends to whoever takes first. */
LEAT_TASK(send_to_either, (leat_chan(int), a), (leat_chan(int), b), (int, n))
{
	for (int i = 0; i < n; i++) {
		int element = books_new();
		int ok = -1;
		int r = leat_select(leat_case_send_ok(a, element, &ok),
				    leat_case_send_ok(b, element, &ok));

		if (r == -ECANCELED)
			break;
		CHECK(r == 0 || r == 1);
		CHECK(ok == 0 || ok == LEAT_ECLOSED);
		if (ok == 0)
			books_sent(element);
	}
}

TEST_STRESS(select_send)
{
	leat_chan(int) a = make_chan(leat_random(2)), b = make_chan(leat_random(2));
	leat_group senders, receivers;

	books_open();
	make(&senders);
	make(&receivers);
	CHECK_EQ(leat_go_in(&receivers, receive_plainly, a), 0);
	CHECK_EQ(leat_go_in(&receivers, receive_plainly, b), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&senders, send_to_either, a, b, 4), 0);
	CHECK_EQ(finish(&senders), 0);
	leat_close(a);
	leat_close(b);
	CHECK_EQ(finish(&receivers), 0);
	leat_chan_unref(a);
	leat_chan_unref(b);
	books_balance();
	CHECK_EQ(books_total(books.received), 12);
}

/*
 * Selects against selects on the same channels: each sends n elements and
 * receives n, in the order that comes.  The sums are equal, so all can end.
 */
LEAT_TASK(exchange, (leat_chan(int), out), (leat_chan(int), in), (int, n))
{
	int to_send = n, to_receive = n, element = -1, got = -1;

	while (to_send > 0 || to_receive > 0) {
		if (to_send > 0 && element < 0)
			element = books_new();
		switch (leat_select(leat_case_send(to_send > 0 ? out : NULL, element),
				    leat_case_recv(to_receive > 0 ? in : NULL, &got))) {
		case 0:
			books_sent(element);
			element = -1;
			to_send--;
			break;
		case 1:
			books_received(got);
			to_receive--;
			break;
		default:
			REQUIRE(!"one of the cases");
		}
	}
}

TEST_STRESS(select_crossed)
{
	leat_chan(int) a = make_chan(0), b = make_chan(0);
	leat_group group;

	books_open();
	make(&group);
	CHECK_EQ(leat_go_in(&group, exchange, a, b, 4), 0);
	CHECK_EQ(leat_go_in(&group, exchange, b, a, 4), 0);
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(a);
	leat_chan_unref(b);
	books_balance();
	CHECK_EQ(books_total(books.received), 8);
}

/* A send and a receive on one channel never meet within one select. */
TEST_STRESS(select_same_channel)
{
	leat_chan(int) chan = make_chan(0);
	leat_group group;

	books_open();
	make(&group);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(leat_go_in(&group, exchange, chan, chan, 3), 0);
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(chan);
	books_balance();
	CHECK_EQ(books_total(books.received), 6);
}

TEST_SIM(select_never_meets_itself, 200)
{
	leat_chan(int) chan = make_chan(0);
	int element = -1;

	books_open();
	CHECK_EQ(leat_select(leat_case_send(chan, 1), leat_case_recv(chan, &element),
			     leat_case_until(leat_in((int64_t)leat_random(3000)))),
		 -ETIMEDOUT);
	CHECK_EQ(element, -1);
	leat_chan_unref(chan);
}

/* The same channel in several cases: one of them, and nothing is left behind. */
LEAT_TASK(receive_doubly, (leat_chan(int), in), (leat_chan(int), other))
{
	for (;;) {
		int first = -1, second = -1, third = -1, ok = -1;
		int r = leat_select(leat_case_recv_ok(in, &first, &ok),
				    leat_case_recv_ok(other, &third, &ok),
				    leat_case_recv_ok(in, &second, &ok));

		REQUIRE(r >= 0 && r <= 2);
		if (ok != 0)
			return;
		CHECK_EQ((first >= 0) + (second >= 0) + (third >= 0), 1);
		books_received(r == 0 ? first : r == 1 ? third : second);
	}
}

TEST_STRESS(select_duplicates)
{
	leat_chan(int) chan = make_chan(leat_random(2)), other = make_chan(0);
	leat_group senders, receivers;

	books_open();
	make(&senders);
	make(&receivers);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(leat_go_in(&receivers, receive_doubly, chan, other), 0);
		CHECK_EQ(leat_go_in(&senders, send_plainly, chan, 4), 0);
	}
	CHECK_EQ(leat_go_in(&senders, send_plainly, other, 2), 0);
	CHECK_EQ(finish(&senders), 0);
	leat_close(chan);
	CHECK_EQ(finish(&receivers), 0);
	leat_chan_unref(chan);
	leat_chan_unref(other);
	books_balance();
	CHECK_EQ(books_total(books.received), 10);
}

/*
 * A token that is always in one of the channels, or in the selecting task's hands:
 * a select of both channels never finds nothing.
 */
LEAT_TASK(move_token, (leat_chan(int), a), (leat_chan(int), b), (int, rounds), (bool *, stop))
{
	int token;

	for (int i = 0; i < rounds; i++) {
		CHECK_EQ(leat_send(b, 7), 0);	/* it is in both */
		CHECK_EQ(leat_recv(a, &token), 0);
		CHECK_EQ(leat_send(a, 7), 0);
		CHECK_EQ(leat_recv(b, &token), 0);
	}
	*stop = true;
}

TEST_STRESS(select_default_only_if_idle)
{
	leat_chan(int) a = leat_chan_make(int, 4), b = leat_chan_make(int, 4);
	bool stop = false;
	leat_group group;
	int token;

	make(&group);
	CHECK_EQ(leat_send(a, 7), 0);
	CHECK_EQ(leat_go_in(&group, move_token, a, b, 5, &stop), 0);
	while (!stop) {
		int r = leat_select(leat_case_recv(a, &token), leat_case_recv(b, &token),
				    leat_case_default);

		CHECK(r != LEAT_DEFAULT);
		if (r == 0)
			CHECK_EQ(leat_send(a, 7), 0);
		else if (r == 1)
			CHECK_EQ(leat_send(b, 7), 0);
		leat_yield();
	}
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(a);
	leat_chan_unref(b);
}

/* Everything at once: deadlines, closes, cancels. */
LEAT_TASK(mix, (leat_chan(int), a), (leat_chan(int), b), (leat_chan(int), c), (int, n))
{
	for (int i = 0; i < n; i++) {
		int element = books_new(), from_b = -1, from_c = -1;
		int sent = -1, b_ok = -1, c_ok = -1;
		int r = leat_select(leat_case_send_ok(a, element, &sent),
				    leat_case_recv_ok(b, &from_b, &b_ok),
				    leat_case_recv_ok(c, &from_c, &c_ok),
				    leat_case_until(leat_in((int64_t)leat_random(3000))));

		if (r == -ECANCELED)
			return;
		CHECK(r == -ETIMEDOUT || (r >= 0 && r <= 2));
		CHECK_EQ((sent != -1) + (b_ok != -1) + (c_ok != -1), r >= 0);
		if (sent == 0)
			books_sent(element);
		if (b_ok == 0)
			books_received(from_b);
		if (c_ok == 0)
			books_received(from_c);
	}
}

static void mixed(bool cancel)
{
	leat_chan(int) a = make_chan(leat_random(2)), b = make_chan(leat_random(2));
	leat_chan(int) c = make_chan(0);
	leat_group group;

	books_open();
	make(&group);
	CHECK_EQ(leat_go_in(&group, mix, a, b, c, 5), 0);
	CHECK_EQ(leat_go_in(&group, mix, b, c, a, 5), 0);
	CHECK_EQ(leat_go_in(&group, mix, c, a, b, 5), 0);
	CHECK_EQ(leat_go_in(&group, mix, a, c, c, 5), 0);
	dawdle(9);
	if (cancel) {
		leat_group_cancel(&group, 0);
	} else {
		leat_close(a);
		leat_abandon(b);
	}
	CHECK_EQ(finish(&group), cancel ? -ECANCELED : 0);
	leat_chan_unref(a);
	leat_chan_unref(b);
	leat_chan_unref(c);
	books_balance();
}

TEST_STRESS(select_mixed_close)
{
	mixed(false);
}

TEST_STRESS(select_mixed_cancel)
{
	mixed(true);
}

/* A done channel that many selects share. */
LEAT_TASK(until_done, (leat_chan(int), in), (leat_chan(int), done))
{
	for (;;) {
		int element, ignored;

		if (leat_select(leat_case_recv(in, &element), leat_case_recv(done, &ignored)) != 0)
			return;
		books_received(element);
	}
}

TEST_STRESS(select_done_channel)
{
	leat_chan(int) chan = make_chan(0), done = make_chan(0);
	leat_group senders, receivers;

	books_open();
	make(&senders);
	make(&receivers);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(leat_go_in(&receivers, until_done, chan, done), 0);
	CHECK_EQ(leat_go_in(&senders, send_plainly, chan, 6), 0);
	CHECK_EQ(finish(&senders), 0);
	leat_close(done);
	CHECK_EQ(finish(&receivers), 0);
	/* No waiter is left in the queue: nobody takes this. */
	CHECK_EQ(leat_try_send(chan, 0), -EAGAIN);
	leat_chan_unref(chan);
	leat_chan_unref(done);
	books_balance();
	CHECK_EQ(books_total(books.received), 6);
}

/* Ready cases of an ordered select: the first, always. */
TEST_SIM(select_ordered, 200)
{
	leat_chan(int) a = leat_chan_make(int, 8), b = leat_chan_make(int, 8);
	int element;

	for (int i = 0; i < 8; i++) {
		CHECK_EQ(leat_send(a, i), 0);
		CHECK_EQ(leat_send(b, i), 0);
	}
	for (int i = 0; i < 16; i++)
		CHECK_EQ(leat_select(leat_case_recv(a, &element), leat_case_recv(b, &element),
				     leat_case_ordered),
			 i < 8 ? 0 : 1);
	leat_chan_unref(a);
	leat_chan_unref(b);
}

/* More cases than have room on the stack: all channels but two are never used. */
enum { MANY = 40 };

LEAT_TASK(receive_from_many, (leat_chan(int) *, chans), (int, first), (int *, dropped))
{
	for (;;) {
		leat_case cases[MANY];
		int element = -1, r;

		for (int i = 0; i < MANY; i++)
			cases[i] = leat_recv_case(LEAT__RAW(chans[i]), &element, NULL);
		/* What comes from the last goes to the drop function. */
		cases[MANY - 1].elem = NULL;
		r = leat_select_cases(cases, MANY);
		REQUIRE(r == first || r == MANY - 1);
		if (cases[r].status == LEAT_ECLOSED)
			return;
		CHECK_EQ(cases[r].status, 0);
		if (r == MANY - 1)
			++*dropped;
		else
			books_received(element);
	}
}

TEST_STRESS(select_many)
{
	leat_chan(int) chans[MANY];
	leat_group senders, receivers;
	int dropped = 0;

	books_open();
	make(&senders);
	make(&receivers);
	for (int i = 0; i < MANY; i++)
		chans[i] = make_chan(leat_random(2));
	CHECK_EQ(leat_go_in(&receivers, receive_from_many, chans, 17, &dropped), 0);
	CHECK_EQ(leat_go_in(&senders, send_plainly, chans[17], 4), 0);
	CHECK_EQ(leat_go_in(&senders, send_plainly, chans[MANY - 1], 4), 0);
	CHECK_EQ(finish(&senders), 0);
	/* All that was sent is received before the end is seen. */
	while (leat_chan_len(chans[17]) > 0)
		leat_yield();
	leat_close(chans[MANY - 1]);
	CHECK_EQ(finish(&receivers), 0);
	for (int i = 0; i < MANY; i++)
		leat_chan_unref(chans[i]);
	books_balance();
	CHECK_EQ(dropped, 4);
	CHECK_EQ(books_total(books.received), 4);
}
