/*
 * Rewritten from Go's runtime/chan_test.go, TestSelectStress and
 * TestMultiConsumer, and from runtime/chanbarrier_test.go.
 */
#include "go_chan.h"

enum { CHANS = 4 };

LEAT_TASK(send_zeros, (leat_chan(int), chan), (int, n))
{
	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_send(chan, 0), 0);
}

LEAT_TASK(recv_zeros, (leat_chan(int), chan), (int, n))
{
	for (int i = 0; i < n; i++) {
		int value = 1;

		CHECK_EQ(leat_recv(chan, &value), 0);
		CHECK_EQ(value, 0);
	}
}

/* Counts one operation on chans[i]; after n it takes the channel out of the select. */
static void count_down(leat_chan(int) *chans, int *done, int i, int n)
{
	REQUIRE(i >= 0 && i < CHANS);
	done[i]++;
	REQUIRE(done[i] <= n);
	if (done[i] == n)
		chans[i] = NULL;
}

LEAT_TASK(select_send_zeros, (leat_chan(int) *, all), (int, n))
{
	/* In another order than the channels' own. */
	leat_chan(int) chans[CHANS] = { all[3], all[2], all[0], all[1] };
	int done[CHANS] = { 0 };

	for (int i = 0; i < CHANS * n; i++)
		count_down(chans, done,
			   leat_select(leat_case_send(chans[0], 0), leat_case_send(chans[1], 0),
				       leat_case_send(chans[2], 0), leat_case_send(chans[3], 0)),
			   n);
}

LEAT_TASK(select_recv_zeros, (leat_chan(int) *, all), (int, n))
{
	leat_chan(int) chans[CHANS] = { all[0], all[1], all[2], all[3] };
	int done[CHANS] = { 0 };

	for (int i = 0; i < CHANS * n; i++) {
		int value = 1;

		count_down(chans, done,
			   leat_select(leat_case_recv(chans[0], &value),
				       leat_case_recv(chans[1], &value),
				       leat_case_recv(chans[2], &value),
				       leat_case_recv(chans[3], &value)),
			   n);
		CHECK_EQ(value, 0);
	}
}

/*
 * Go runtime/chan_test.go TestSelectStress: on four channels of capacity 0, 0,
 * 2 and 3, a sender, a receiver, and a part of one select that sends and of one
 * that receives, n values each; so 100,000 times 16 operations, none lost.
 */
static void select_stress(int n)
{
	static const size_t caps[CHANS] = { 0, 0, 2, 3 };
	leat_chan(int) chans[CHANS];
	leat_group group;

	start(&group);
	for (int i = 0; i < CHANS; i++)
		chans[i] = leat_chan_make(int, caps[i]);
	for (int i = 0; i < CHANS; i++) {
		leat_go_in(&group, send_zeros, chans[i], n);
		leat_go_in(&group, recv_zeros, chans[i], n);
	}
	leat_go_in(&group, select_send_zeros, chans, n);
	leat_go_in(&group, select_recv_zeros, chans, n);
	finish(&group);
	for (int i = 0; i < CHANS; i++) {
		CHECK_EQ(leat_chan_len(chans[i]), 0);
		leat_chan_unref(chans[i]);
	}
}

TEST_WITH(go_select_stress, .workers = 10)
{
	select_stress(scaled(100000));
}

TEST_SIM(go_select_stress_sim, 300)
{
	select_stress(20);
}

enum { CONSUMERS = 23 };

static const int consumer_primes[10] = { 2, 3, 7, 11, 13, 17, 19, 23, 27, 31 };

LEAT_TASK(consume, (leat_chan(int), in), (leat_chan(int), out), (int, i))
{
	leat_range(v, in) {
		/* A worker that now and then stands back disturbs the order. */
		if (consumer_primes[i % 10] == v)
			leat_yield();
		CHECK_EQ(leat_send(out, v), 0);
	}
}

LEAT_TASK(feed_consumers, (leat_chan(int), in), (leat_chan(int), out), (int, n),
	  (int64_t *, ret_sum))
{
	leat_group workers;

	start(&workers);
	for (int i = 0; i < CONSUMERS; i++)
		leat_go_in(&workers, consume, in, out, i);
	for (int i = 0; i < n; i++) {
		*ret_sum += consumer_primes[i % 10];
		CHECK_EQ(leat_send(in, consumer_primes[i % 10]), 0);
	}
	leat_close(in);
	finish(&workers);
	leat_close(out);
}

/*
 * Go runtime/chan_test.go TestMultiConsumer: 271,828 values through 23 workers;
 * their number and their sum arrive.
 */
TEST_BOTH(go_multi_consumer, 20)
{
	leat_chan(int) in = leat_chan_make(int, CONSUMERS * 3);
	leat_chan(int) out = leat_chan_make(int, CONSUMERS * 3);
	int n = leat_sim_seed() ? 300 : scaled(271828);
	int64_t expected = 0;
	int64_t sum = 0;
	leat_group group;
	int count = 0;

	start(&group);
	leat_go_in(&group, feed_consumers, in, out, n, &expected);
	leat_range(v, out) {
		count++;
		sum += v;
	}
	finish(&group);
	CHECK_EQ(count, n);
	CHECK_EQ(sum, expected);
	leat_chan_unref(out);
	leat_chan_unref(in);
}

struct response {
	int error;
};

static void drop_response(struct response **response)
{
	free(*response);
}

LEAT_TASK(respond, (bool, by_select), (leat_chan(struct response *), to), (leat_chan(bool), done))
{
	struct response *response = malloc(sizeof(*response));
	bool ignored;
	int r;

	REQUIRE(response != NULL);
	response->error = -EIO;
	if (by_select)
		r = leat_select(leat_case_send(to, response), leat_case_recv(done, &ignored));
	else
		r = leat_send(to, response);
	CHECK_EQ(r, 0);
	leat_chan_unref(to);
	leat_chan_unref(done);
}

/* One request: a task of its own answers on a channel of its own. */
static int request(leat_group *group, bool by_select)
{
	leat_chan(struct response *) to = leat_chan_make_drop(struct response *, 0, drop_response);
	leat_chan(bool) done = leat_chan_make(bool, 0);
	struct response *response = NULL;
	int error;

	CHECK_EQ(leat_go_in(group, respond, by_select, leat_chan_ref(to), leat_chan_ref(done)), 0);
	CHECK_EQ(leat_recv(to, &response), 0);
	leat_yield();
	REQUIRE(response != NULL);
	error = response->error;
	free(response);
	leat_chan_unref(done);
	leat_chan_unref(to);
	return error;
}

LEAT_TASK(make_requests, (bool, by_select), (int, n))
{
	leat_group group;

	start(&group);
	for (int i = 0; i < n; i++)
		CHECK_EQ(request(&group, by_select), -EIO);
	finish(&group);
}

static void send_barrier(bool by_select)
{
	/* As many as Go's take seconds; a tenth is ten times what Go's take with -short. */
	int each = leat_sim_seed() ? 5 : scaled(test_full() ? 100000 : 10000);
	leat_group group;

	test_timeout(120);
	start(&group);
	for (int i = 0, n = scaled(100); i < n; i++)
		leat_go_in(&group, make_requests, by_select, each);
	finish(&group);
}

/*
 * Go runtime/chanbarrier_test.go TestChanSendSelectBarrier and
 * TestChanSendBarrier: 100 tasks make requests, whose answers are pointers that
 * go from one task's stack to another's.  What they test, the garbage
 * collector's write barrier, does not exist here; what is left is that each
 * answer arrives once, from a task and over channels that end right after.
 */
TEST_BOTH(go_chan_send_select_barrier, 20)
{
	send_barrier(true);
}

TEST_BOTH(go_chan_send_barrier, 20)
{
	send_barrier(false);
}
