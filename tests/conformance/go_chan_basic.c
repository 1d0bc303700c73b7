/*
 * Rewritten from Go's test/chan: fifo.go, goroutines.go, zerosize.go,
 * sendstmt.go.
 */
#include "go_chan.h"

enum { FIFO_N = 10 };

/* Go test/chan/fifo.go, AsynchFifo: a buffered channel keeps the order. */
TEST_BOTH(go_fifo_buffered, 5)
{
	leat_chan(int) chan = leat_chan_make(int, FIFO_N);
	int value;

	for (int i = 0; i < FIFO_N; i++)
		CHECK_EQ(leat_send(chan, i), 0);
	for (int i = 0; i < FIFO_N; i++) {
		value = -1;
		CHECK_EQ(leat_recv(chan, &value), 0);
		CHECK_EQ(value, i);
	}
	leat_chan_unref(chan);
}

/* Waits for its turn, takes one value, gives the turn to the next. */
LEAT_TASK(fifo_link, (leat_receiver(int), chan), (int, expected), (leat_receiver(int), turn),
	  (leat_sender(int), next))
{
	int value = -1;
	int ignored;

	CHECK_EQ(leat_recv(turn, &ignored), 0);
	CHECK_EQ(leat_recv(chan, &value), 0);
	CHECK_EQ(value, expected);
	CHECK_EQ(leat_send(next, 1), 0);
}

/*
 * Go test/chan/fifo.go, SynchFifo: ten tasks take their turns at one
 * unbuffered channel; each receives the value with its own number.
 */
TEST_BOTH(go_fifo_unbuffered, 100)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_chan(int) turn[FIFO_N + 1];
	leat_group group;
	int last = 0;

	start(&group);
	for (int i = 0; i <= FIFO_N; i++)
		turn[i] = leat_chan_make(int, 0);
	for (int i = 0; i < FIFO_N; i++)
		leat_go_in(&group, fifo_link, leat_to_receiver(chan), i,
			   leat_to_receiver(turn[i]), leat_to_sender(turn[i + 1]));
	CHECK_EQ(leat_send(turn[0], 0), 0);
	for (int i = 0; i < FIFO_N; i++)
		CHECK_EQ(leat_send(chan, i), 0);
	CHECK_EQ(leat_recv(turn[FIFO_N], &last), 0);
	CHECK_EQ(last, 1);
	finish(&group);
	for (int i = 0; i <= FIFO_N; i++)
		leat_chan_unref(turn[i]);
	leat_chan_unref(chan);
}

LEAT_TASK(note_received, (leat_chan(int), chan), (int, expected), (bool, by_select))
{
	int value = -1;

	if (by_select)
		CHECK_EQ(leat_select(leat_case_recv(chan, &value)), 0);
	else
		CHECK_EQ(leat_recv(chan, &value), 0);
	CHECK_EQ(value, expected);
}

LEAT_TASK(send_number, (leat_chan(int), chan), (int, number), (bool, by_select))
{
	if (by_select)
		CHECK_EQ(leat_select(leat_case_send(chan, number)), 0);
	else
		CHECK_EQ(leat_send(chan, number), 0);
}

/*
 * The order that fifo.go rests on, where it can be seen: those who wait on a
 * channel, in a select or not, are served in the order of their coming.
 */
TEST_SIM(go_fifo_waiters, 100)
{
	for (size_t cap = 0; cap < 3; cap++) {
		leat_chan(int) chan = leat_chan_make(int, cap);
		leat_group group;
		int value = -1;

		start(&group);
		for (int i = 0; i < FIFO_N; i++) {
			leat_go_in(&group, note_received, chan, i, i % 3 == 1);
			settle();
		}
		for (int i = 0; i < FIFO_N; i++)
			CHECK_EQ(leat_send(chan, i), 0);
		CHECK_EQ(leat_group_wait(&group), 0);
		for (int i = 0; i < FIFO_N; i++) {
			leat_go_in(&group, send_number, chan, i, i % 3 == 1);
			settle();
		}
		for (int i = 0; i < FIFO_N; i++) {
			CHECK_EQ(leat_recv(chan, &value), 0);
			CHECK_EQ(value, i);
		}
		finish(&group);
		leat_chan_unref(chan);
	}
}

LEAT_TASK(pass_on, (leat_chan(int), left), (leat_chan(int), right))
{
	int value = -1;

	CHECK_EQ(leat_recv(right, &value), 0);
	CHECK_EQ(leat_send(left, value), 0);
}

LEAT_TASK(send_one, (leat_chan(int), chan))
{
	CHECK_EQ(leat_send(chan, 1), 0);
}

/*
 * Go test/chan/goroutines.go: 10,000 tasks in a chain, all of them blocked,
 * hand one value down to the first.
 */
TEST_BOTH(go_goroutines_chain, 5)
{
	int n = scaled(10000);
	leat_chan(int) *link = calloc((size_t)n + 1, sizeof(*link));
	leat_group group;
	int value = -1;

	REQUIRE(link != NULL);
	start(&group);
	link[0] = leat_chan_make(int, 0);
	for (int i = 0; i < n; i++) {
		link[i + 1] = leat_chan_make(int, 0);
		CHECK_EQ(leat_go_in(&group, pass_on, link[i], link[i + 1]), 0);
	}
	CHECK_EQ(leat_go_in(&group, send_one, link[n]), 0);
	CHECK_EQ(leat_recv(link[0], &value), 0);
	CHECK_EQ(value, 1);
	finish(&group);
	for (int i = 0; i <= n; i++)
		leat_chan_unref(link[i]);
	free(link);
}

struct empty {
};
struct no_bytes {
	char bytes[0];
};

LEAT_TASK(send_empty, (leat_chan(struct empty), chan), (int, n))
{
	struct empty nothing = {};

	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_send(chan, nothing), 0);
	leat_close(chan);
}

static int count_empty(leat_chan(struct empty) chan)
{
	int n = 0;

	leat_range(nothing, chan) {
		(void)nothing;
		n++;
	}
	return n;
}

/*
 * Go test/chan/zerosize.go: channels of elements without a size can be made,
 * unbuffered and buffered; and, here, each element still counts.
 */
TEST_BOTH(go_zerosize, 20)
{
	for (size_t cap = 0; cap < 2; cap++) {
		leat_chan(struct no_bytes) idle = leat_chan_make(struct no_bytes, cap);
		leat_chan(struct empty) chan = leat_chan_make(struct empty, cap);
		leat_group group;

		REQUIRE(idle && chan);
		CHECK_EQ(leat_chan_cap(idle), cap);
		start(&group);
		leat_go_in(&group, send_empty, chan, 7);
		CHECK_EQ(count_empty(chan), 7);
		finish(&group);
		leat_chan_unref(idle);
		leat_chan_unref(chan);
	}
}

/* What Go writes as <-cc in the place of a channel. */
static leat_chan(int) take(leat_chan(leat_chan(int)) chans)
{
	leat_chan(int) chan = NULL;

	CHECK_EQ(leat_recv(chans, &chan), 0);
	return chan;
}

/*
 * Go test/chan/sendstmt.go, chanchan: a channel that is itself received from a
 * channel, as the operand of a send case.  It is received once.
 */
TEST(go_sendstmt_chan_of_chan)
{
	leat_chan(leat_chan(int)) chans = leat_chan_make(leat_chan(int), 1);
	leat_chan(int) chan = leat_chan_make(int, 1);
	int value = -1;

	CHECK_EQ(leat_send(chans, chan), 0);
	CHECK_EQ(leat_select(leat_case_send(take(chans), 2), leat_case_default), 0);
	CHECK_EQ(leat_chan_len(chans), 0);
	CHECK_EQ(leat_recv(chan, &value), 0);
	CHECK_EQ(value, 2);
	leat_chan_unref(chan);
	leat_chan_unref(chans);
}

/* Go test/chan/sendstmt.go, sendprec: the value may be any expression. */
TEST(go_sendstmt_precedence)
{
	leat_chan(bool) chan = leat_chan_make(bool, 2);
	bool yes = true;
	bool no = false;
	bool value = false;

	CHECK_EQ(leat_send(chan, no || yes), 0);
	CHECK_EQ(leat_send(chan, yes ? yes : no), 0);
	for (int i = 0; i < 2; i++) {
		value = false;
		CHECK_EQ(leat_recv(chan, &value), 0);
		CHECK(value);
	}
	leat_chan_unref(chan);
}
