/*
 * Rewritten from Go's test/chan/select3.go: what blocks and what does not, for
 * channels that are NULL, closed, empty, full, or used twice in one select.
 *
 * Go's test takes a sleep for "blocks".  Here two things must hold: the
 * simulator, when nothing else can run any more, still has the task waiting,
 * and a cancel ends it with -ECANCELED; and a run in which the operation is all
 * there is ends as a deadlock.
 */
#include "go_chan.h"

/* What the operations below work on; a fresh set for each. */
static struct channels {
	leat_chan(int) none;		/* NULL */
	leat_chan(int) closed;
	leat_chan(int) unbuffered;	/* nobody at the other end */
	leat_chan(int) empty;		/* capacity 1 */
	leat_chan(int) full;		/* capacity 1, holds 7 */
} on;

static void make_channels(void)
{
	on.none = NULL;
	on.closed = leat_chan_make(int, 0);
	leat_close(on.closed);
	on.unbuffered = leat_chan_make(int, 0);
	on.empty = leat_chan_make(int, 1);
	on.full = leat_chan_make(int, 1);
	CHECK_EQ(leat_send(on.full, 7), 0);
}

static void free_channels(void)
{
	leat_chan_unref(on.closed);
	leat_chan_unref(on.unbuffered);
	leat_chan_unref(on.empty);
	leat_chan_unref(on.full);
	memset(&on, 0, sizeof(on));
}

/* Operations that block for ever.  Each returns what the operation returns. */

static int recv_from_unready(void)
{
	int value;

	return leat_recv(on.unbuffered, &value);
}

static int recv_from_empty(void)
{
	int value;

	return leat_recv(on.empty, &value);
}

static int send_to_unready(void)
{
	return leat_send(on.unbuffered, 7);
}

static int send_to_full(void)
{
	return leat_send(on.full, 8);
}

static int select_nothing(void)
{
	return leat_select_cases(NULL, 0);
}

static int select_recv_null(void)
{
	int value;

	return leat_select(leat_case_recv(on.none, &value));
}

static int select_send_null(void)
{
	return leat_select(leat_case_send(on.none, 7));
}

static int select_both_null(void)
{
	int value;

	return leat_select(leat_case_recv(on.none, &value), leat_case_send(on.none, 7));
}

static int select_recv_unready(void)
{
	int value;

	return leat_select(leat_case_recv(on.unbuffered, &value));
}

static int select_recv_unready_or_null(void)
{
	int value;

	return leat_select(leat_case_recv(on.none, &value), leat_case_recv(on.empty, &value));
}

static int select_self(void)
{
	int value;

	return leat_select(leat_case_send(on.unbuffered, 1),
			   leat_case_recv(on.unbuffered, &value));
}

static const struct blocker {
	const char *name;
	int (*fn)(void);
} blockers[] = {
	{ "receive, unbuffered channel without a sender", recv_from_unready },
	{ "receive, empty buffered channel", recv_from_empty },
	{ "send, unbuffered channel without a receiver", send_to_unready },
	{ "send, full channel", send_to_full },
	{ "select without cases", select_nothing },
	{ "select, receive from NULL", select_recv_null },
	{ "select, send to NULL", select_send_null },
	{ "select, receive from and send to NULL", select_both_null },
	{ "select, receive from a channel that is not ready", select_recv_unready },
	{ "select, receive from NULL or from an empty channel", select_recv_unready_or_null },
	{ "select, send to and receive from one unbuffered channel", select_self },
};
#define BLOCKERS (sizeof(blockers) / sizeof(blockers[0]))

struct outcome {
	bool ended;
	int result;
};

LEAT_TASK(try_blocker, (const struct blocker *, blocker), (struct outcome *, outcome))
{
	outcome->result = blocker->fn();
	outcome->ended = true;
}

static void check_blocks(const struct blocker *blocker)
{
	struct outcome outcome = { false, 0 };
	leat_group group;

	make_channels();
	start(&group);
	leat_go_in(&group, try_blocker, blocker, &outcome);
	test_settle();
	if (outcome.ended)
		test_fail(__FILE__, __LINE__, "%s: did not block, returned %d", blocker->name,
			  outcome.result);
	stop(&group);
	if (outcome.result != -ECANCELED)
		test_fail(__FILE__, __LINE__, "%s: cancelled, it returned %d", blocker->name,
			  outcome.result);
	CHECK_EQ(leat_chan_len(on.empty), 0);
	CHECK_EQ(leat_chan_len(on.full), 1);
	free_channels();
}

/*
 * Go test/chan/select3.go: receiving from a channel that is not ready, a select
 * without cases, with nothing but nil channels, with nothing ready, or with
 * both directions of one unbuffered channel, blocks.
 */
TEST_SIM(go_select3_blocks, 20)
{
	for (size_t i = 0; i < BLOCKERS; i++)
		check_blocks(&blockers[i]);
}

static void ignore_log(void *ctx, const char *line)
{
}

static int run_blocker(void *arg)
{
	const struct blocker *blocker = arg;

	make_channels();
	return blocker->fn();
}

/* What a deadlock leaves behind, which is then no leak to LeakSanitizer. */
static volatile struct channels left[BLOCKERS];

/* The same, seen from outside: each of them alone is a deadlock. */
TEST_PLAIN(go_select3_blocks_for_ever)
{
	leat_options options = { .size = sizeof(options) };

	options.workers = 2;
	options.log = ignore_log;
	for (size_t i = 0; i < BLOCKERS; i++) {
		int r = leat_run(&options, run_blocker, (void *)&blockers[i]);

		if (r != -EDEADLK)
			test_fail(__FILE__, __LINE__, "%s: leat_run returned %d, not -EDEADLK",
				  blockers[i].name, r);
		left[i] = on;
	}
}

/*
 * Go test/chan/select3.go: sending to, receiving from a nil channel blocks.
 * In leat, outside of a select, it is a broken contract and names the call.
 */
static int send_to_null(void *arg)
{
	return leat_send(on.none, 7);
}

TEST_DEATH(go_select3_send_to_null, "leat_channel_send")
{
	CHECK_EQ(leat_run(NULL, send_to_null, NULL), 0);
}

static int recv_from_null(void *arg)
{
	int value;

	return leat_recv(on.none, &value);
}

TEST_DEATH(go_select3_recv_from_null, "leat_channel_recv")
{
	CHECK_EQ(leat_run(NULL, recv_from_null, NULL), 0);
}

/* Go test/chan/select3.go: nil channels in a select with a default. */
TEST_BOTH(go_select3_null_with_default, 10)
{
	leat_chan(int) none = NULL;
	int value = 5;

	CHECK_EQ(leat_select(leat_case_send(none, 7), leat_case_default), LEAT_DEFAULT);
	CHECK_EQ(leat_select(leat_case_recv(none, &value), leat_case_default), LEAT_DEFAULT);
	CHECK_EQ(leat_select(leat_case_default), LEAT_DEFAULT);
	CHECK_EQ(value, 5);
}

/* Go test/chan/select3.go: a send into free buffer space never blocks. */
TEST_BOTH(go_select3_send_to_buffer, 10)
{
	make_channels();
	CHECK_EQ(leat_send(on.empty, 7), 0);
	CHECK_EQ(leat_chan_len(on.empty), 1);
	free_channels();
}

/* Go test/chan/select3.go: a receive from a closed channel never blocks. */
TEST_BOTH(go_select3_recv_from_closed, 10)
{
	make_channels();
	for (int i = 0; i < 10; i++) {
		int value = 1;

		CHECK_EQ(leat_recv(on.closed, &value), LEAT_ECLOSED);
		CHECK_EQ(value, 0);
		value = 1;
		CHECK_EQ(leat_try_recv(on.closed, &value), LEAT_ECLOSED);
		CHECK_EQ(value, 0);
		CHECK_EQ(leat_recv(on.closed, (int *)NULL), LEAT_ECLOSED);
	}
	free_channels();
}

/*
 * Go test/chan/select3.go: sending to a closed channel panics; in a select, too.
 * In leat it returns LEAT_ECLOSED.
 */
TEST_BOTH(go_select3_send_to_closed, 10)
{
	int status = 1;

	make_channels();
	CHECK_EQ(leat_send(on.closed, 7), LEAT_ECLOSED);
	CHECK_EQ(leat_try_send(on.closed, 7), LEAT_ECLOSED);
	CHECK_EQ(leat_select(leat_case_send_ok(on.closed, 7, &status)), 0);
	CHECK_EQ(status, LEAT_ECLOSED);
	status = 1;
	CHECK_EQ(leat_select(leat_case_send_ok(on.closed, 7, &status), leat_case_default), 0);
	CHECK_EQ(status, LEAT_ECLOSED);
	leat_close(on.empty);
	CHECK_EQ(leat_send(on.empty, 7), LEAT_ECLOSED);
	CHECK_EQ(leat_chan_len(on.empty), 0);
	free_channels();
}

/* Go test/chan/select3.go: a ready channel is preferred to the default. */
TEST_BOTH(go_select3_ready, 10)
{
	int value = 0;

	make_channels();
	CHECK_EQ(leat_select(leat_case_send(on.empty, 7), leat_case_default), 0);
	CHECK_EQ(leat_chan_len(on.empty), 1);
	CHECK_EQ(leat_select(leat_case_recv(on.full, &value), leat_case_default), 0);
	CHECK_EQ(value, 7);
	CHECK_EQ(leat_chan_len(on.full), 0);
	free_channels();
}

/*
 * Go test/chan/select3.go: a select of one closed channel does what the receive
 * outside of a select does, whether the value, or the value and ok, or nothing
 * is asked for.
 */
TEST_BOTH(go_select3_select_closed, 10)
{
	int value = 1;
	int status = 1;

	make_channels();
	CHECK_EQ(leat_select(leat_case_recv(on.closed, (int *)NULL)), 0);
	CHECK_EQ(leat_select(leat_case_recv(on.closed, &value)), 0);
	CHECK_EQ(value, 0);
	value = 1;
	CHECK_EQ(leat_select(leat_case_recv_ok(on.closed, &value, &status)), 0);
	CHECK_EQ(value, 0);
	CHECK_EQ(status, LEAT_ECLOSED);
	free_channels();
}

LEAT_TASK(self_with_partner, (leat_chan(int), chan), (int *, got))
{
	CHECK_EQ(leat_select(leat_case_send(chan, 1), leat_case_recv(chan, got)), 1);
}

/* A select that saw itself on both sides of a channel still meets others there. */
TEST_BOTH(go_select3_self_then_partner, 50)
{
	leat_group group;
	int got = 0;

	make_channels();
	start(&group);
	leat_go_in(&group, self_with_partner, on.unbuffered, &got);
	settle();
	CHECK_EQ(leat_send(on.unbuffered, 9), 0);
	finish(&group);
	CHECK_EQ(got, 9);
	free_channels();
}
