/*
 * Rewritten from Go's runtime/chan_test.go; what runs longer, TestSelectStress
 * and TestMultiConsumer, and chanbarrier_test.go are in go_chan_stress.c.
 */
#include "go_chan.h"

#include <pthread.h>

/* TestChan, for each capacity from 0 to 199. */

/* Receives one value, or learns that the channel is closed. */
LEAT_TASK(recv_outcome, (leat_chan(int), chan), (int *, ret_value), (int *, ret_result))
{
	*ret_result = leat_recv(chan, ret_value);
}

static void check_recv_blocks(size_t cap)
{
	leat_chan(int) chan = leat_chan_make(int, cap);
	int value[2] = { -1, -1 };
	int result[2] = { 1, 1 };
	leat_group group;
	int other = -1;

	start(&group);
	for (int i = 0; i < 2; i++)
		leat_go_in(&group, recv_outcome, chan, &value[i], &result[i]);
	if (leat_sim_seed() != 0) {
		settle();
		CHECK_EQ(result[0], 1);
		CHECK_EQ(result[1], 1);
	}
	CHECK_EQ(leat_try_recv(chan, &other), -EAGAIN);
	CHECK_EQ(leat_select(leat_case_recv(chan, &other), leat_case_default), LEAT_DEFAULT);
	CHECK_EQ(leat_send(chan, 5), 0);
	CHECK_EQ(leat_send(chan, 6), 0);
	finish(&group);
	CHECK_EQ(result[0], 0);
	CHECK_EQ(result[1], 0);
	CHECK((value[0] == 5 && value[1] == 6) || (value[0] == 6 && value[1] == 5));
	CHECK_EQ(other, -1);
	leat_chan_unref(chan);
}

LEAT_TASK(send_outcome, (leat_chan(int), chan), (int, value), (int *, ret_result))
{
	*ret_result = leat_send(chan, value);
}

static void check_send_blocks(size_t cap)
{
	leat_chan(int) chan = leat_chan_make(int, cap);
	leat_group group;
	int result = 1;

	for (size_t i = 0; i < cap; i++)
		CHECK_EQ(leat_send(chan, (int)i), 0);
	CHECK_EQ(leat_try_send(chan, -1), -EAGAIN);
	start(&group);
	leat_go_in(&group, send_outcome, chan, (int)cap, &result);
	if (leat_sim_seed() != 0) {
		settle();
		CHECK_EQ(result, 1);
	}
	CHECK_EQ(leat_try_send(chan, -1), -EAGAIN);
	CHECK_EQ(leat_select(leat_case_send(chan, -1), leat_case_default), LEAT_DEFAULT);
	for (size_t i = 0; i <= cap; i++) {
		int value = -1;

		CHECK_EQ(leat_recv(chan, &value), 0);
		CHECK_EQ(value, i);	/* the blocked sender's comes last */
		if (i > 0)
			continue;
		finish(&group);		/* one receive is enough for it to go on */
		CHECK_EQ(result, 0);
		CHECK_EQ(leat_chan_len(chan), cap);
	}
	leat_chan_unref(chan);
}

static void check_close(size_t cap)
{
	leat_chan(int) chan = leat_chan_make(int, cap);
	int value = -1;

	for (size_t i = 0; i < cap; i++)
		CHECK_EQ(leat_send(chan, (int)i), 0);
	leat_close(chan);
	CHECK(leat_channel_is_closed((leat_channel *)chan));
	for (size_t i = 0; i < cap; i++) {
		CHECK_EQ(leat_recv(chan, &value), 0);
		CHECK_EQ(value, i);
	}
	for (int i = 0; i < 2; i++) {
		value = -1;
		CHECK_EQ(leat_recv(chan, &value), LEAT_ECLOSED);
		CHECK_EQ(value, 0);
	}
	leat_chan_unref(chan);
}

/* The same in a select, of a receive or of a send. */
LEAT_TASK(select_outcome, (leat_chan(int), chan), (bool, send), (int *, ret_value),
	  (int *, ret_result))
{
	int taken;

	if (send)
		taken = leat_select(leat_case_send_ok(chan, 1, ret_result));
	else
		taken = leat_select(leat_case_recv_ok(chan, ret_value, ret_result));
	CHECK_EQ(taken, 0);
}

static void check_close_unblocks(size_t cap)
{
	leat_chan(int) empty = leat_chan_make(int, cap);
	leat_chan(int) full = leat_chan_make(int, cap);
	int value[4] = { -1, -1, 0, 0 };
	int result[4] = { 1, 1, 1, 1 };
	leat_group group;

	for (size_t i = 0; i < cap; i++)
		CHECK_EQ(leat_send(full, 0), 0);
	start(&group);
	leat_go_in(&group, recv_outcome, empty, &value[0], &result[0]);
	leat_go_in(&group, select_outcome, empty, false, &value[1], &result[1]);
	leat_go_in(&group, send_outcome, full, 1, &result[2]);
	leat_go_in(&group, select_outcome, full, true, &value[3], &result[3]);
	if (leat_sim_seed() != 0) {
		settle();
		for (int i = 0; i < 4; i++)
			CHECK_EQ(result[i], 1);
	}
	leat_close(empty);
	leat_close(full);
	finish(&group);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(result[i], LEAT_ECLOSED);
		CHECK_EQ(value[i], 0);
	}
	CHECK_EQ(leat_chan_len(full), cap);
	leat_chan_unref(full);
	leat_chan_unref(empty);
}

LEAT_TASK(send_count, (leat_chan(int), chan), (int, n))
{
	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_send(chan, i), 0);
}

static void check_fifo(size_t cap)
{
	leat_chan(int) chan = leat_chan_make(int, cap);

	/* Once by receive, once by select. */
	for (int round = 0; round < 2; round++) {
		leat_group group;

		start(&group);
		leat_go_in(&group, send_count, chan, 100);
		for (int i = 0; i < 100; i++) {
			int status = 1;
			int value = -1;

			if (round == 0)
				status = leat_recv(chan, &value);
			else
				CHECK_EQ(leat_select(leat_case_recv_ok(chan, &value, &status)), 0);
			CHECK_EQ(status, 0);
			CHECK_EQ(value, i);
		}
		finish(&group);
	}
	leat_chan_unref(chan);
}

enum { MANY_TASKS = 4, MANY = 1000 };

LEAT_TASK(recv_count, (leat_chan(int), chan), (int, n), (int *, times))
{
	for (int i = 0; i < n; i++) {
		int value = -1;

		CHECK_EQ(leat_recv(chan, &value), 0);
		REQUIRE(value >= 0 && value < n);
		times[value]++;
	}
}

/* Four senders of 0 to n - 1, four receivers of n values: all arrive, none twice. */
static void check_conserved(size_t cap)
{
	static int times[MANY_TASKS][MANY];
	leat_chan(int) chan = leat_chan_make(int, cap);
	int n = scaled(MANY);
	leat_group group;

	memset(times, 0, sizeof(times));
	start(&group);
	for (int i = 0; i < MANY_TASKS; i++) {
		leat_go_in(&group, send_count, chan, n);
		leat_go_in(&group, recv_count, chan, n, times[i]);
	}
	finish(&group);
	for (int v = 0; v < n; v++)
		CHECK_EQ(times[0][v] + times[1][v] + times[2][v] + times[3][v], MANY_TASKS);
	leat_chan_unref(chan);
}

static void check_len_cap(size_t cap)
{
	leat_chan(int) chan = leat_chan_make(int, cap);

	CHECK_EQ(leat_chan_len(chan), 0);
	CHECK_EQ(leat_chan_cap(chan), cap);
	for (size_t i = 0; i < cap; i++) {
		CHECK_EQ(leat_send(chan, 0), 0);
		CHECK_EQ(leat_chan_len(chan), i + 1);
	}
	CHECK_EQ(leat_chan_cap(chan), cap);
	leat_chan_unref(chan);
}

static void check_chan(size_t cap)
{
	check_recv_blocks(cap);
	check_send_blocks(cap);
	check_close(cap);
	check_close_unblocks(cap);
	check_fifo(cap);
	check_conserved(cap);
	check_len_cap(cap);
}

/*
 * Go runtime/chan_test.go TestChan: for capacities 0 to 199, a receive from an
 * empty and a send to a full channel block, and do not as try and with default;
 * a closed channel is drained and then gives zeros; close unblocks a receiver;
 * 100 values in order; 4 x 1,000 values conserved; len and cap.
 */
TEST_WITH(go_chan, .workers = 4)
{
	for (size_t cap = 0, n = (size_t)scaled(200); cap < n; cap++)
		check_chan(cap);
}

TEST_SIM(go_chan_sim, 100)
{
	check_chan(leat_random(4));
	check_chan(4 + leat_random(196));
}

/* Leaves the value that was found in *ret_status: 0, LEAT_ECLOSED or -EAGAIN. */
LEAT_TASK(poll_owned, (leat_chan(int), chan), (bool, by_select), (leat_chan(int), done))
{
	int status = -EAGAIN;
	int value;

	if (by_select)
		(void)leat_select(leat_case_recv_ok(chan, &value, &status), leat_case_default);
	else
		status = leat_try_recv(chan, &value);
	leat_chan_unref(chan);
	CHECK_EQ(leat_send(done, status), 0);
}

/*
 * Go runtime/chan_test.go TestNonblockRecvRace: a channel with one value, closed
 * and emptied by one task while another polls it, is ready all the time.
 */
TEST_BOTH(go_nonblock_recv_race, 100)
{
	leat_chan(int) done = leat_chan_make(int, 1);
	leat_group group;
	int n = scaled(10000);

	start(&group);
	for (int i = 0; i < n; i++) {
		leat_chan(int) chan = leat_chan_make(int, 1);
		int polled = 1;
		int value = 7;
		int own;

		CHECK_EQ(leat_send(chan, 1), 0);
		leat_go_in(&group, poll_owned, leat_chan_ref(chan), i % 2 == 0, done);
		leat_close(chan);
		own = leat_recv(chan, &value);
		CHECK_EQ(leat_recv(done, &polled), 0);
		/* One of the two has got the value, the other has seen the close. */
		CHECK_EQ(own + polled, LEAT_ECLOSED);
		CHECK_EQ(value, own == 0);
		leat_chan_unref(chan);
	}
	finish(&group);
	leat_chan_unref(done);
}

LEAT_TASK(poll_two, (leat_chan(int), c1), (leat_chan(int), c2), (leat_chan(bool), done))
{
	int value;
	int i = leat_select(leat_case_recv(c1, &value), leat_case_recv(c2, &value),
			    leat_case_default);

	CHECK_EQ(leat_send(done, i >= 0), 0);
}

/*
 * c1 is ready; the other task starts; c2 becomes ready, by a value or by a
 * close; c1 perhaps ceases to be.  So there is no instant at which neither is.
 */
static void nonblock_select_race(bool by_close)
{
	leat_chan(bool) done = leat_chan_make(bool, 1);
	leat_group group;
	int n = scaled(100000);

	start(&group);
	for (int i = 0; i < n; i++) {
		leat_chan(int) c1 = leat_chan_make(int, 1);
		leat_chan(int) c2 = leat_chan_make(int, by_close ? 0 : 1);
		bool found = false;
		int value;
		int r;

		CHECK_EQ(leat_send(c1, 1), 0);
		leat_go_in(&group, poll_two, c1, c2, done);
		if (by_close)
			leat_close(c2);
		else
			CHECK_EQ(leat_send(c2, 1), 0);
		r = leat_try_recv(c1, &value);
		CHECK(r == 0 || r == -EAGAIN);
		CHECK_EQ(leat_recv(done, &found), 0);
		REQUIRE(found);
		leat_chan_unref(c2);
		leat_chan_unref(c1);
	}
	finish(&group);
	leat_chan_unref(done);
}

/*
 * Go runtime/chan_test.go TestNonblockSelectRace: a select acts on one moment;
 * its default is never taken while one of its channels is always ready.
 */
TEST_BOTH(go_nonblock_select_race, 100)
{
	nonblock_select_race(false);
}

/* Go runtime/chan_test.go TestNonblockSelectRace2: the same with a close. */
TEST_BOTH(go_nonblock_select_race2, 100)
{
	nonblock_select_race(true);
}

enum { POLLED = 8 };

struct poller {
	leat_chan(int) chans[POLLED];
	leat_chan(bool) done;
	int n;
	int found;
};

LEAT_TASK(move_token, (struct poller *, p), (int, n))
{
	for (int i = 0; i < n; i++) {
		leat_chan(int) from = p->chans[i % POLLED];
		leat_chan(int) to = p->chans[(i + 1) % POLLED];
		int value;

		CHECK_EQ(leat_send(to, 1), 0);
		if (leat_try_recv(from, &value) != 0)
			CHECK_EQ(leat_recv(to, &value), 0);
	}
}

/* A thread of its own, because tasks that talk to each other share a worker. */
static void *poll_token(void *arg)
{
	struct poller *p = arg;
	int value;

	for (int i = 0; i < p->n; i++) {
		leat_case cases[POLLED + 1];
		int taken;

		for (int k = 0; k < POLLED; k++)
			cases[k] = leat_case_recv(p->chans[k], &value);
		cases[POLLED] = leat_case_default;
		taken = leat_select_cases(cases, POLLED + 1);
		if (taken < 0)
			break;
		p->found++;
		leat_send(p->chans[taken], value);
	}
	leat_send(p->done, true);
	return NULL;
}

/*
 * The property of TestNonblockSelectRace with both sides at full speed: one task
 * moves a token round a ring of channels, a second token appearing before the
 * first is taken, so that one of the channels is always ready; another polls
 * them in a thread of its own, and puts back what it has got.
 */
TEST_WITH(go_nonblock_select_race_moving, .workers = 1)
{
	struct poller p = { .n = scaled(100000) };
	leat_group group;
	pthread_t thread;
	size_t left = 0;
	bool ignored;

	for (int i = 0; i < POLLED; i++)
		p.chans[i] = leat_chan_make(int, 3);
	p.done = leat_chan_make(bool, 1);
	CHECK_EQ(leat_send(p.chans[0], 1), 0);
	start(&group);
	REQUIRE(pthread_create(&thread, NULL, poll_token, &p) == 0);
	while (leat_try_recv(p.done, &ignored) == -EAGAIN) {
		leat_go_in(&group, move_token, &p, 1000);
		CHECK_EQ(leat_group_wait(&group), 0);
	}
	pthread_join(thread, NULL);
	finish(&group);
	CHECK_EQ(p.found, p.n);
	for (int i = 0; i < POLLED; i++) {
		left += leat_chan_len(p.chans[i]);
		leat_chan_unref(p.chans[i]);
	}
	CHECK_EQ(left, 1);
	leat_chan_unref(p.done);
}

LEAT_TASK(self_select, (leat_chan(int), chan), (int, self), (int, n))
{
	bool buffered = leat_chan_cap(chan) > 0;

	for (int i = 0; i < n; i++) {
		bool send_first = self == 0 || i % 2 == 0;
		int value = -1;
		int taken;

		if (send_first)
			taken = leat_select(leat_case_send(chan, self),
					    leat_case_recv(chan, &value));
		else
			taken = leat_select(leat_case_recv(chan, &value),
					    leat_case_send(chan, self));
		CHECK(taken == 0 || taken == 1);
		if (taken == (send_first ? 1 : 0))
			CHECK(value == 1 - self || (buffered && value == self));
		else
			CHECK_EQ(value, -1);
	}
}

/*
 * Go runtime/chan_test.go TestSelfSelect, capacities 0 and 10: two tasks whose
 * selects both send to and receive from one channel neither crash nor deadlock;
 * unbuffered, none receives its own value.
 */
static void run_self_select(void)
{
	for (size_t cap = 0; cap <= 10; cap += 10) {
		leat_chan(int) chan = leat_chan_make(int, cap);
		leat_group group;

		start(&group);
		for (int self = 0; self < 2; self++)
			leat_go_in(&group, self_select, chan, self, scaled(1000));
		finish(&group);
		leat_chan_unref(chan);
	}
}

TEST_WITH(go_self_select, .workers = 2)
{
	run_self_select();
}

TEST_SIM(go_self_select_sim, 500)
{
	run_self_select();
}

LEAT_TASK(fair_select, (leat_chan(char) *, in), (leat_chan(char), out), (leat_chan(char), done))
{
	char b = 0;

	for (;;) {
		CHECK(leat_select(leat_case_recv(in[2], &b), leat_case_recv(in[3], &b),
				  leat_case_recv(in[0], &b), leat_case_recv(in[1], &b)) >= 2);
		if (leat_select(leat_case_send(out, b), leat_case_recv(done, (char *)NULL)) != 0)
			return;
	}
}

/*
 * Go runtime/chan_test.go TestSelectFairness: of two channels that are always
 * ready, among two that never are, each is taken about as often: within 10
 * standard deviations after 10,000 selects.
 */
TEST_BOTH(go_select_fairness, 5)
{
	int trials = scaled(10000);
	leat_chan(char) out = leat_chan_make(char, 0);
	leat_chan(char) done = leat_chan_make(char, 0);
	leat_chan(char) in[4];
	leat_group group;
	int64_t difference;
	int first = 0;

	for (int i = 0; i < 4; i++)
		in[i] = leat_chan_make(char, i < 2 ? (size_t)trials + 1 : 0);
	for (int i = 0; i < trials + 1; i++) {
		CHECK_EQ(leat_send(in[0], 1), 0);
		CHECK_EQ(leat_send(in[1], 2), 0);
	}
	start(&group);
	leat_go_in(&group, fair_select, in, out, done);
	for (int i = 0; i < trials; i++) {
		char b = 0;

		CHECK_EQ(leat_recv(out, &b), 0);
		REQUIRE(b == 1 || b == 2);
		first += b == 1;
	}
	/* |first - trials / 2| <= 10 * sqrt(trials / 4), without a square root. */
	difference = 2 * (int64_t)first - trials;
	CHECK(difference * difference <= 100 * (int64_t)trials);
	leat_close(done);
	finish(&group);
	for (int i = 0; i < 4; i++)
		leat_chan_unref(in[i]);
	leat_chan_unref(done);
	leat_chan_unref(out);
}

struct nothing {
};

/* An interface value: a pointer and what says how to read it. */
struct any {
	const char *type;
	const struct nothing *value;
};

/*
 * Go runtime/chan_test.go TestChanSendInterface: values of two words, with a
 * pointer in them, in sends that succeed and that take the default.
 */
TEST_BOTH(go_chan_send_interface, 5)
{
	static const struct nothing m, m2;
	leat_chan(struct any) chan = leat_chan_make(struct any, 1);
	struct any first = { "m", &m };
	struct any second = { "m2", &m2 };
	struct any got = { NULL, NULL };

	CHECK_EQ(leat_send(chan, first), 0);
	CHECK_EQ(leat_select(leat_case_send(chan, first), leat_case_default), LEAT_DEFAULT);
	CHECK_EQ(leat_select(leat_case_send(chan, first), leat_case_send(chan, second),
			     leat_case_default), LEAT_DEFAULT);
	CHECK_EQ(leat_recv(chan, &got), 0);
	CHECK_STR(got.type, "m");
	CHECK(got.value == &m);
	CHECK_EQ(leat_chan_len(chan), 0);
	leat_chan_unref(chan);
}

LEAT_TASK(collect, (leat_chan(int), chan), (int *, values), (int, n))
{
	for (int i = 0; i < n; i++) {
		leat_yield();
		CHECK_EQ(leat_recv(chan, &values[i]), 0);
	}
}

/*
 * Go runtime/chan_test.go TestPseudoRandomSend: of two send cases on one
 * channel, unbuffered or with room for all, each is taken more than a tenth of
 * a hundred times.
 */
TEST_BOTH(go_pseudo_random_send, 20)
{
	enum { N = 100 };

	for (size_t cap = 0; cap <= N; cap += N) {
		leat_chan(int) chan = leat_chan_make(int, cap);
		int values[N] = { 0 };
		leat_group group;
		int sent = 0;
		int received = 0;

		start(&group);
		leat_go_in(&group, collect, chan, values, N);
		for (int i = 0; i < N; i++) {
			int taken = leat_select(leat_case_send(chan, 1), leat_case_send(chan, 0));

			CHECK(taken == 0 || taken == 1);
			sent += taken == 0;
		}
		finish(&group);
		for (int i = 0; i < N; i++)
			received += values[i];
		CHECK_EQ(received, sent);
		CHECK(received > N / 10 && N - received > N / 10);
		leat_chan_unref(chan);
	}
}

/* Uses a kilobyte of stack at each of depth + 1 levels; 0 if it keeps what was put there. */
static __attribute__((noinline)) int use_stack(int depth)
{
	volatile unsigned char bytes[1024];
	int wrong = 0;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(depth + (int)i);
	if (depth > 0)
		wrong = use_stack(depth - 1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		wrong |= bytes[i] != (unsigned char)(depth + (int)i);
	return wrong;
}

LEAT_TASK(send_and_use_stack, (leat_chan(int), chan), (int, n), (leat_chan(struct nothing), done))
{
	struct nothing nothing = {};

	for (int i = 0; i < n; i++) {
		CHECK_EQ(leat_send(chan, i), 0);
		CHECK_EQ(use_stack(20), 0);
	}
	CHECK_EQ(leat_send(done, nothing), 0);
}

LEAT_TASK(recv_slowly, (leat_chan(int), chan), (int, n), (leat_chan(struct nothing), done))
{
	struct nothing nothing = {};

	for (int i = 0; i < n; i++) {
		int value = -1;

		leat_yield();
		CHECK_EQ(leat_recv(chan, &value), 0);
		CHECK_EQ(value, i);
	}
	CHECK_EQ(leat_send(done, nothing), 0);
}

/*
 * Go runtime/chan_test.go TestShrinkStackDuringBlockedSend and
 * TestNoShrinkStackWhileParking: a sender that uses much stack between the
 * sends, each of which blocks.  leat's stacks do not move or shrink; what is
 * left is that a task has its stack to itself, parked or not.
 */
TEST_BOTH(go_stack_use_around_send, 20)
{
	for (int i = 0, n = scaled(200); i < n; i++) {
		leat_chan(int) chan = leat_chan_make(int, 0);
		leat_chan(struct nothing) done = leat_chan_make(struct nothing, 0);
		leat_group group;

		start(&group);
		leat_go_in(&group, recv_slowly, chan, 10, done);
		leat_go_in(&group, send_and_use_stack, chan, 10, done);
		CHECK_EQ(leat_recv(done, (struct nothing *)NULL), 0);
		CHECK_EQ(leat_recv(done, (struct nothing *)NULL), 0);
		finish(&group);
		leat_chan_unref(done);
		leat_chan_unref(chan);
	}
}

LEAT_TASK(select_dup_a, (leat_chan(int), c), (leat_chan(int), d), (leat_chan(int), e))
{
	int value = -1;

	CHECK_EQ(leat_select(leat_case_recv(c, &value), leat_case_recv(c, &value),
			     leat_case_recv(d, &value)), 2);
	CHECK_EQ(value, 7);
	CHECK_EQ(leat_send(e, 9), 0);
}

LEAT_TASK(select_dup_b, (leat_chan(int), c))
{
	int value = -1;

	CHECK_EQ(leat_recv(c, &value), 0);
	CHECK_EQ(value, 8);
}

/*
 * Go runtime/chan_test.go TestSelectDuplicateChannel: a select that waits twice
 * on c, ahead of another receiver, and is served by d, leaves c's queue whole.
 * The simulator has them wait in this order; else any order must do.
 */
TEST_BOTH(go_select_duplicate_channel, 300)
{
	leat_chan(int) c = leat_chan_make(int, 0);
	leat_chan(int) d = leat_chan_make(int, 0);
	leat_chan(int) e = leat_chan_make(int, 0);

	for (int i = 0, n = leat_sim_seed() ? 2 : scaled(10000); i < n; i++) {
		leat_group group;
		int value = -1;

		start(&group);
		leat_go_in(&group, select_dup_a, c, d, e);
		if (i % 2 == 0)
			settle();
		leat_go_in(&group, select_dup_b, c);
		if (i % 2 == 0)
			settle();
		CHECK_EQ(leat_send(d, 7), 0);
		CHECK_EQ(leat_recv(e, &value), 0);
		CHECK_EQ(value, 9);
		CHECK_EQ(leat_send(c, 8), 0);
		finish(&group);
	}
	leat_chan_unref(e);
	leat_chan_unref(d);
	leat_chan_unref(c);
}

LEAT_TASK(select_into_stack, (leat_chan(int *), c), (leat_chan(int *), d), (bool, twice),
	  (leat_chan(bool), ready))
{
	int value = 42;
	int *cx = &value;
	int *dx = &value;
	int taken;

	CHECK_EQ(use_stack(10), 0);
	CHECK_EQ(leat_send(ready, true), 0);
	taken = leat_select(leat_case_recv(c, &cx), leat_case_recv(twice ? c : NULL, (int **)NULL),
			    leat_case_recv(d, &dx), leat_case_recv(twice ? d : NULL, (int **)NULL));
	CHECK(taken == 2 || (twice && taken == 3));
	CHECK(cx == &value);
	CHECK(taken == 2 ? dx == NULL : dx == &value);
	CHECK_EQ(value, 42);
	*cx = 43;
	CHECK_EQ(value, 43);
	CHECK_EQ(leat_send(ready, true), 0);
}

/*
 * Go runtime/chan_test.go TestSelectStackAdjust: two selects wait with slots on
 * their stacks for c and d, one of them with each channel twice; a close of d
 * wakes both, and the slots for c keep what they had.  (Here the stack of a
 * parked task never moves, which is why a slot on it can be written to.)
 */
TEST_BOTH(go_select_stack_slots, 50)
{
	leat_chan(int *) c = leat_chan_make(int *, 0);
	leat_chan(int *) d = leat_chan_make(int *, 0);
	leat_chan(bool) ready1 = leat_chan_make(bool, 0);
	leat_chan(bool) ready2 = leat_chan_make(bool, 0);
	leat_group group;
	bool ignored;

	start(&group);
	leat_go_in(&group, select_into_stack, c, d, false, ready1);
	leat_go_in(&group, select_into_stack, c, d, true, ready2);
	CHECK_EQ(leat_recv(ready1, &ignored), 0);
	CHECK_EQ(leat_recv(ready2, &ignored), 0);
	settle();
	leat_close(d);
	CHECK_EQ(leat_recv(ready1, &ignored), 0);
	CHECK_EQ(leat_recv(ready2, &ignored), 0);
	finish(&group);
	leat_chan_unref(ready2);
	leat_chan_unref(ready1);
	leat_chan_unref(d);
	leat_chan_unref(c);
}
