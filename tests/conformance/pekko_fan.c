/*
 * Pekko's specs of Balance, Broadcast, Partition and Merge, on channels: see README.md.
 *
 * A request is a receive: the channels are unbuffered.  Cancelling is abandoning; eagerCancel is
 * LEAT_FAN_ANY.
 */
#include "flows.h"

enum { WAYS = 22 };

struct fan {
	leat_chan(int) in[WAYS], out[WAYS];
	int nins, nouts;
	leat_group group;
	leat_fan *fan;
	leat_ledger ledger;
};

static atomic_int dropped, copies;

static void count_drop(int *item)
{
	(void)item;
	atomic_fetch_add(&dropped, 1);
}

static int copy(const int *item, int *ret_copy)
{
	*ret_copy = *item;
	atomic_fetch_add(&copies, 1);
	return 0;
}

static void begin(struct fan *f, int nins, int nouts)
{
	memset(f, 0, sizeof(*f));
	atomic_store(&dropped, 0);
	atomic_store(&copies, 0);
	f->nins = nins;
	f->nouts = nouts;
	REQUIRE(leat_group_init(&f->group, LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE)) == 0);
	for (int i = 0; i < nins; i++)
		f->in[i] = leat_chan_make(int, 0);
	for (int i = 0; i < nouts; i++)
		f->out[i] = leat_chan_make(int, 0);
}

static void end(struct fan *f)
{
	CHECK_EQ(leat_group_wait(&f->group), 0);
	leat_group_release(&f->group);
	leat_fan_destroy(f->fan, ledger_init(&f->ledger));
	check_at_rest(&f->ledger);
	for (int i = 0; i < f->nins; i++)
		leat_chan_unref(f->in[i]);
	for (int i = 0; i < f->nouts; i++)
		leat_chan_unref(f->out[i]);
}

/* from, ..., to, and the end, unless it is refused before. */
LEAT_TASK(feed, (leat_chan(int), c), (int, from), (int, to))
{
	for (int i = from; i <= to; i++)
		if (leat_send(c, i) < 0)
			return;
	leat_close(c);
}

LEAT_TASK(drain, (leat_chan(int), c), (struct notes *, notes))
{
	leat_range(v, c)
		note(notes, &v);
}

static void expect(leat_chan(int) c, int value)
{
	int v = -1;

	CHECK_EQ(leat_recv_until(c, &v, leat_in(LEAT_S)), 0);
	CHECK_EQ(v, value);
}

static void expect_nothing(leat_chan(int) c)
{
	int v;

	test_settle();
	CHECK_EQ(leat_try_recv(c, &v), -EAGAIN);
}

static void expect_end(leat_chan(int) c)
{
	int v;

	CHECK_EQ(leat_recv_until(c, &v, leat_in(LEAT_S)), LEAT_ECLOSED);
}

/* The input is abandoned, at the next item or the one behind it. */
static void expect_cancelled(leat_chan(int) c)
{
	int r = 0;

	for (int i = 0; i < 2 && r == 0; i++) {
		r = leat_send_until(c, 1000 + i, leat_in(LEAT_S));
		test_settle();
	}
	if (r == 0)
		r = leat_send_until(c, 1002, leat_in(LEAT_S));
	CHECK_EQ(r, LEAT_ECLOSED);
}

/* An ask that waits. */
LEAT_TASK(ask, (leat_chan(int), c), (atomic_int *, ret_value))
{
	int v;

	if (leat_recv(c, &v) == 0)
		*ret_value = v;
}

/* Balance */
#define BALANCE(f, end_)                                                      \
	CHECK_EQ(leat_balance(&(f).fan, &(f).group, (f).in[0], (f).out, (size_t)(f).nouts, \
			      .end = end_, .drop = LEAT_FAN_DROP(int, count_drop)), 0)

TEST_SIM(balance_by_demand, 20)
{
	struct fan f;

	begin(&f, 1, 2);
	BALANCE(f, LEAT_FAN_ALL);
	CHECK_EQ(leat_go_in(&f.group, feed, f.in[0], 1, 3), 0);
	expect(f.out[0], 1);
	expect(f.out[1], 2);
	expect(f.out[1], 3);
	expect_end(f.out[0]);
	expect_end(f.out[1]);
	end(&f);
}

TEST_SIM(balance_fairly, 20)
{
	static const int who[] = { 0, 1, 2, 1, 0, 2, 0 };
	struct fan f;

	begin(&f, 1, 3);
	BALANCE(f, LEAT_FAN_ALL);
	CHECK_EQ(leat_go_in(&f.group, feed, f.in[0], 1, 7), 0);
	for (int i = 0; i < 7; i++)
		expect(f.out[who[i]], i + 1);
	for (int i = 0; i < 3; i++)
		expect_end(f.out[i]);
	end(&f);
}

static void balance_ways(int ways, int n)
{
	static struct notes notes[WAYS], all;
	struct fan f;

	memset(notes, 0, sizeof(notes));
	memset(&all, 0, sizeof(all));
	begin(&f, 1, ways);
	BALANCE(f, LEAT_FAN_ALL);
	for (int i = 0; i < ways; i++)
		CHECK_EQ(leat_go_in(&f.group, drain, f.out[i], &notes[i]), 0);
	CHECK_EQ(leat_go_in(&f.group, feed, f.in[0], 0, n - 1), 0);
	end(&f);
	for (int k = 0; k < ways; k++) {
		CHECK(is_sorted(&notes[k]));
		CHECK(n < 1000 || notes[k].n > 0);
		for (int i = 0; i < notes[k].n; i++)
			note(&all, &notes[k].item[i]);
	}
	check_all(&all, 0, n);
	CHECK_EQ(f.ledger.out, (uint64_t)n);
}

TEST_BOTH(balance_one_way, 20)
{
	balance_ways(1, 3);
}

TEST_BOTH(balance_five_ways, 20)
{
	balance_ways(5, 15);
}

TEST_SIM(balance_reaches_all_outputs, 5)
{
	balance_ways(3, 1000);
}

static void balance_one_cancels(int who)
{
	struct fan f;

	begin(&f, 1, 2);
	BALANCE(f, LEAT_FAN_ALL);
	leat_abandon(f.out[who]);
	CHECK_EQ(leat_go_in(&f.group, feed, f.in[0], 1, 3), 0);
	for (int i = 1; i <= 3; i++)
		expect(f.out[!who], i);
	expect_end(f.out[!who]);
	end(&f);
	CHECK_EQ(dropped, 0);
	CHECK_EQ(f.ledger.out, 3);
}

TEST_SIM(balance_produces_to_second_if_first_cancels, 20)
{
	balance_one_cancels(0);
}

TEST_SIM(balance_produces_to_first_if_second_cancels, 20)
{
	balance_one_cancels(1);
}

TEST_SIM(balance_cancels_upstream_when_all_cancel, 20)
{
	struct fan f;

	begin(&f, 1, 2);
	BALANCE(f, LEAT_FAN_ALL);
	CHECK_EQ(leat_go_in(&f.group, feed, f.in[0], 1, 100), 0);
	expect(f.out[0], 1);
	expect(f.out[1], 2);
	leat_abandon(f.out[0]);
	expect(f.out[1], 3);
	leat_abandon(f.out[1]);
	end(&f); /* who feeds has been told */
	CHECK_EQ(f.ledger.out, 3);
	CHECK_EQ(f.ledger.in, 3 + (uint64_t)dropped);
}

TEST_SIM(balance_cancels_upstream_when_any_cancels, 20)
{
	struct fan f;

	begin(&f, 1, 2);
	BALANCE(f, LEAT_FAN_ANY);
	CHECK_EQ(leat_send(f.in[0], 1), 0);
	expect(f.out[0], 1);
	CHECK_EQ(leat_send(f.in[0], 2), 0);
	expect(f.out[1], 2);
	leat_abandon(f.out[0]);
	expect_cancelled(f.in[0]);
	end(&f);
	CHECK_EQ(f.ledger.out, 2);
}

/* akka#20943: who has asked and goes gets nothing, and nothing is given twice or lost. */
TEST_SIM(balance_does_not_push_twice, 30)
{
	atomic_int second = -1;
	struct fan f;

	begin(&f, 1, 2);
	BALANCE(f, LEAT_FAN_ALL);
	CHECK_EQ(leat_send(f.in[0], 1), 0);
	expect(f.out[0], 1);
	CHECK_EQ(leat_go(ask, f.out[1], &second), 0);
	test_settle();
	leat_abandon(f.out[1]);
	CHECK_EQ(leat_send(f.in[0], 2), 0);
	test_settle();
	CHECK_EQ(second, -1);
	leat_abandon(f.out[0]);
	expect_cancelled(f.in[0]);
	end(&f);
	CHECK_EQ(f.ledger.out, 1);
	CHECK_EQ(f.ledger.in, 1 + (uint64_t)dropped);
	CHECK(dropped >= 1);
}

/* akka#25387: two ask and go, the third gets the item. */
TEST_SIM(balance_skips_those_that_have_gone, 30)
{
	atomic_int first = -1, second = -1;
	struct fan f;

	begin(&f, 1, 3);
	BALANCE(f, LEAT_FAN_ALL);
	CHECK_EQ(leat_go(ask, f.out[0], &first), 0);
	CHECK_EQ(leat_go(ask, f.out[1], &second), 0);
	test_settle();
	leat_abandon(f.out[0]);
	leat_abandon(f.out[1]);
	CHECK_EQ(leat_send(f.in[0], 1), 0);
	expect(f.out[2], 1);
	CHECK_EQ(first + second, -2);
	leat_abandon(f.out[2]);
	expect_cancelled(f.in[0]);
	end(&f);
}

/* Broadcast */
#define BROADCAST(f, end_)                                                    \
	CHECK_EQ(leat_broadcast(&(f).fan, &(f).group, (f).in[0], (f).out, (size_t)(f).nouts, \
				.end = end_, .clone = LEAT_FAN_CLONE(int, copy),      \
				.drop = LEAT_FAN_DROP(int, count_drop)), 0)

/* The second item waits for the slowest of the first. */
TEST_SIM(broadcast_to_other_subscriber, 20)
{
	struct fan f;

	begin(&f, 1, 2);
	BROADCAST(f, LEAT_FAN_ALL);
	CHECK_EQ(leat_go_in(&f.group, feed, f.in[0], 1, 3), 0);
	expect(f.out[0], 1);
	expect_nothing(f.out[0]);
	expect(f.out[1], 1);
	expect(f.out[0], 2);
	expect(f.out[1], 2);
	expect_nothing(f.out[1]);
	expect(f.out[0], 3);
	expect(f.out[1], 3);
	expect_end(f.out[0]);
	expect_end(f.out[1]);
	end(&f);
	CHECK_EQ(f.ledger.out, 3);
}

static void broadcast_ways(int ways)
{
	static struct notes notes[WAYS];
	struct fan f;

	memset(notes, 0, sizeof(notes));
	begin(&f, 1, ways);
	BROADCAST(f, LEAT_FAN_ALL);
	for (int i = 0; i < ways; i++)
		CHECK_EQ(leat_go_in(&f.group, drain, f.out[i], &notes[i]), 0);
	CHECK_EQ(leat_go_in(&f.group, feed, f.in[0], 1, 30), 0);
	end(&f);
	for (int k = 0; k < ways; k++)
		check_in_order(&notes[k], 1, 30);
	CHECK_EQ(dropped, 0);
}

TEST_BOTH(broadcast_one_way, 20)
{
	broadcast_ways(1);
}

TEST_BOTH(broadcast_five_ways, 20)
{
	broadcast_ways(5);
}

TEST_BOTH(broadcast_22_ways, 5)
{
	broadcast_ways(22);
}

static void broadcast_one_cancels(int who)
{
	struct fan f;

	begin(&f, 1, 2);
	BROADCAST(f, LEAT_FAN_ALL);
	leat_abandon(f.out[who]);
	CHECK_EQ(leat_go_in(&f.group, feed, f.in[0], 1, 3), 0);
	for (int i = 1; i <= 3; i++)
		expect(f.out[!who], i);
	expect_end(f.out[!who]);
	end(&f);
	CHECK_EQ(f.ledger.out, 3);
}

TEST_SIM(broadcast_produces_to_other_if_first_cancels, 20)
{
	broadcast_one_cancels(0);
}

TEST_SIM(broadcast_produces_to_first_if_other_cancels, 20)
{
	broadcast_one_cancels(1);
}

static void broadcast_cancelled(enum leat_fan_end how, int n)
{
	struct fan f;

	begin(&f, 1, 2);
	BROADCAST(f, how);
	CHECK_EQ(leat_send(f.in[0], 1), 0);
	expect(f.out[0], 1);
	expect(f.out[1], 1);
	for (int i = 0; i < n; i++)
		leat_abandon(f.out[i]);
	expect_cancelled(f.in[0]);
	if (n == 1)
		expect_end(f.out[1]);
	end(&f);
	CHECK_EQ(f.ledger.in - f.ledger.out, f.ledger.dropped[LEAT_DROPPED_UNWANTED]);
}

TEST_SIM(broadcast_cancels_upstream_when_all_cancel, 20)
{
	broadcast_cancelled(LEAT_FAN_ALL, 2);
}

/* "pass along early cancellation": before the first item. */
TEST_SIM(broadcast_passes_early_cancellation_along, 20)
{
	struct fan f;

	begin(&f, 1, 2);
	leat_abandon(f.out[0]);
	leat_abandon(f.out[1]);
	BROADCAST(f, LEAT_FAN_ALL);
	expect_cancelled(f.in[0]);
	end(&f);
	CHECK_EQ(f.ledger.out, 0);
	CHECK_EQ(f.ledger.in + (uint64_t)copies, (uint64_t)dropped);
}

/* alsoTo */
TEST_BOTH(tee_is_also_to, 20)
{
	static struct notes notes[2];
	struct fan f;

	memset(notes, 0, sizeof(notes));
	begin(&f, 1, 2);
	CHECK_EQ(leat_tee(&f.fan, &f.group, f.in[0], f.out[0], f.out[1], .end = LEAT_FAN_ALL), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(leat_go_in(&f.group, drain, f.out[i], &notes[i]), 0);
	CHECK_EQ(leat_go_in(&f.group, feed, f.in[0], 1, 10), 0);
	end(&f);
	check_in_order(&notes[0], 1, 10);
	check_in_order(&notes[1], 1, 10);
}

static void tee_cancelled(int who)
{
	struct fan f;

	begin(&f, 1, 2);
	CHECK_EQ(leat_tee(&f.fan, &f.group, f.in[0], f.out[0], f.out[1], .end = LEAT_FAN_ANY), 0);
	leat_abandon(f.out[who]);
	CHECK_EQ(leat_go_in(&f.group, feed, f.in[0], 1, 1000), 0);
	leat_range(v, f.out[!who])
		CHECK(v <= 2);
	end(&f);
	CHECK(f.ledger.in <= 2);
}

TEST_SIM(tee_cancels_if_either_branch_does, 20)
{
	tee_cancelled(0);
	tee_cancelled(1);
}

/* Partition */
#define PARTITION(f, key, end_)                                               \
	CHECK_EQ(leat_partition(&(f).fan, &(f).group, (f).in[0], (f).out, (size_t)(f).nouts, key, \
				.end = end_, .drop = LEAT_FAN_DROP(int, count_drop)), 0)

static uint64_t around_three(const int *n)
{
	return *n > 3 ? 0 : *n < 3 ? 1 : 2;
}

TEST_BOTH(partition_to_three, 20)
{
	static struct notes notes[3];
	struct fan f;

	memset(notes, 0, sizeof(notes));
	begin(&f, 1, 3);
	PARTITION(f, around_three, LEAT_FAN_ALL);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&f.group, drain, f.out[i], &notes[i]), 0);
	CHECK_EQ(leat_go_in(&f.group, feed, f.in[0], 1, 5), 0);
	end(&f);
	check_in_order(&notes[0], 4, 2);
	check_in_order(&notes[1], 1, 2);
	check_in_order(&notes[2], 3, 1);
}

static uint64_t from_six(const int *n)
{
	return *n >= 6;
}

LEAT_TASK(feed_two, (leat_chan(int), c), (int, first), (int, second))
{
	if (leat_send(c, first) == 0 && (second < 0 || leat_send(c, second) == 0))
		leat_close(c);
}

/* Who asks first, and whose item comes second, gets it. */
TEST_SIM(partition_remembers_the_first_pull, 20)
{
	atomic_int first = -1;
	struct fan f;

	begin(&f, 1, 2);
	PARTITION(f, from_six, LEAT_FAN_ALL);
	CHECK_EQ(leat_go_in(&f.group, feed_two, f.in[0], 6, 3), 0);
	CHECK_EQ(leat_go_in(&f.group, ask, f.out[0], &first), 0);
	CHECK_EQ(leat_sleep(LEAT_S), 0);
	CHECK_EQ(first, -1);
	expect(f.out[1], 6);
	test_settle();
	CHECK_EQ(first, 3);
	expect_end(f.out[0]);
	expect_end(f.out[1]);
	end(&f);
}

/* "stage completion is waiting for pending output", "handle upstream completes ... pulls" */
TEST_SIM(partition_ends_after_what_is_pending, 20)
{
	atomic_int first = -1;
	struct fan f;

	begin(&f, 1, 2);
	PARTITION(f, from_six, LEAT_FAN_ALL);
	CHECK_EQ(leat_go_in(&f.group, feed_two, f.in[0], 6, -1), 0);
	CHECK_EQ(leat_go_in(&f.group, ask, f.out[0], &first), 0);
	CHECK_EQ(leat_sleep(LEAT_S), 0);
	expect(f.out[1], 6);
	expect_end(f.out[1]);
	expect_end(f.out[0]);
	end(&f);
	CHECK_EQ(first, -1);
	CHECK_EQ(f.ledger.out, 1);
}

/* "complete stage after upstream completes" */
TEST_SIM(partition_ends_with_its_input, 20)
{
	struct fan f;

	begin(&f, 1, 2);
	PARTITION(f, from_six, LEAT_FAN_ALL);
	CHECK_EQ(leat_go_in(&f.group, feed, f.in[0], 3, 7), 0);
	for (int i = 3; i < 6; i++)
		expect(f.out[0], i);
	expect(f.out[1], 6);
	expect(f.out[1], 7);
	expect_end(f.out[0]);
	expect_end(f.out[1]);
	end(&f);
}

TEST_SIM(partition_cancels_upstream_when_all_cancel, 20)
{
	struct fan f;

	begin(&f, 1, 2);
	PARTITION(f, from_six, LEAT_FAN_ALL);
	CHECK_EQ(leat_send(f.in[0], 1), 0);
	expect(f.out[0], 1);
	CHECK_EQ(leat_send(f.in[0], 8), 0);
	expect(f.out[1], 8);
	leat_abandon(f.out[0]);
	CHECK_EQ(leat_send(f.in[0], 2), 0); /* nobody's */
	CHECK_EQ(leat_send(f.in[0], 9), 0);
	expect(f.out[1], 9);
	CHECK_EQ(dropped, 1);
	leat_abandon(f.out[1]);
	expect_cancelled(f.in[0]);
	end(&f);
	CHECK_EQ(f.ledger.out, 3);
}

/* ... and divertTo "must cancel when any of the downstreams cancel" */
TEST_SIM(partition_cancels_upstream_when_any_cancels, 20)
{
	struct fan f;

	begin(&f, 1, 2);
	PARTITION(f, from_six, LEAT_FAN_ANY);
	CHECK_EQ(leat_send(f.in[0], 8), 0);
	expect(f.out[1], 8);
	leat_abandon(f.out[1]);
	CHECK_EQ(leat_send(f.in[0], 9), 0); /* it is then that it sees it */
	test_settle();
	CHECK_EQ(leat_send(f.in[0], 1), LEAT_ECLOSED);
	expect_end(f.out[0]);
	end(&f);
	CHECK_EQ(dropped, 1);
}

/* "handle upstream completes and downstream cancel" */
TEST_SIM(partition_goes_on_for_the_others, 20)
{
	struct fan f;

	begin(&f, 1, 2);
	PARTITION(f, from_six, LEAT_FAN_ALL);
	CHECK_EQ(leat_go_in(&f.group, feed, f.in[0], 4, 9), 0);
	expect(f.out[0], 4);
	expect(f.out[0], 5);
	expect(f.out[1], 6);
	leat_abandon(f.out[1]);
	expect_end(f.out[0]);
	end(&f);
	CHECK_EQ(dropped, 3);
	CHECK_EQ(f.ledger.dropped[LEAT_DROPPED_UNWANTED], 3);
}

/* "work with merge", divertTo */
TEST_BOTH(partition_and_merge, 20)
{
	static struct notes notes;
	leat_chan(int) all = leat_chan_make(int, 0);
	leat_fan *merge;
	struct fan f;

	memset(&notes, 0, sizeof(notes));
	begin(&f, 1, 2);
	PARTITION(f, from_six, LEAT_FAN_ALL);
	CHECK_EQ(leat_merge(&merge, &f.group, f.out, 2, all, .end = LEAT_FAN_ALL), 0);
	CHECK_EQ(leat_go_in(&f.group, drain, all, &notes), 0);
	CHECK_EQ(leat_go_in(&f.group, feed, f.in[0], 1, 40), 0);
	end(&f);
	leat_fan_destroy(merge, NULL);
	check_all(&notes, 1, 40);
	leat_chan_unref(all);
}

/* Merge */
static void merge_ways(int ways, int each)
{
	static struct notes notes;
	int last[WAYS];
	struct fan f;

	memset(&notes, 0, sizeof(notes));
	begin(&f, ways, 1);
	CHECK_EQ(leat_merge(&f.fan, &f.group, f.in, (size_t)ways, f.out[0], .end = LEAT_FAN_ALL),
		 0);
	CHECK_EQ(leat_go_in(&f.group, drain, f.out[0], &notes), 0);
	for (int i = 0; i < ways; i++) {
		last[i] = -1;
		CHECK_EQ(leat_go_in(&f.group, feed, f.in[i], i * each, (i + 1) * each - 1), 0);
	}
	end(&f);
	check_all(&notes, 0, ways * each);
	for (int i = 0; i < notes.n; i++) {	/* those of one input as they came */
		CHECK(notes.item[i] > last[notes.item[i] / each]);
		last[notes.item[i] / each] = notes.item[i];
	}
}

TEST_BOTH(merge_one_way, 20)
{
	merge_ways(1, 3);
}

TEST_BOTH(merge_six_ways, 20)
{
	merge_ways(6, 10);
}

/* "work in the happy case": a merge of a merge, and one that asks for five, then for all. */
TEST_SIM(merge_of_merges, 20)
{
	leat_chan(int) between = leat_chan_make(int, 0), second[2];
	struct notes notes = { 0 };
	leat_fan *outer;
	struct fan f;
	int v;

	begin(&f, 3, 1);
	second[0] = between;
	second[1] = f.in[2];
	CHECK_EQ(leat_merge(&f.fan, &f.group, f.in, 2, between, .end = LEAT_FAN_ALL), 0);
	CHECK_EQ(leat_merge(&outer, &f.group, second, 2, f.out[0], .end = LEAT_FAN_ALL), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&f.group, feed, f.in[i], 4 * i, 4 * i + 3), 0);
	for (int i = 0; i < 12; i++) {
		CHECK_EQ(leat_recv(f.out[0], &v), 0);
		note(&notes, &v);
	}
	expect_end(f.out[0]);
	end(&f);
	leat_fan_destroy(outer, NULL);
	check_all(&notes, 0, 12);
	leat_chan_unref(between);
}

/* "one immediately completed", "one delayed completed and one nonempty publisher" */
static void merge_completed(bool first_later, int empty)
{
	struct fan f;

	begin(&f, 2, 1);
	if (!first_later)
		leat_close(f.in[empty]);
	CHECK_EQ(leat_merge(&f.fan, &f.group, f.in, 2, f.out[0], .end = LEAT_FAN_ALL), 0);
	CHECK_EQ(leat_go_in(&f.group, feed, f.in[!empty], 1, 4), 0);
	expect(f.out[0], 1);
	if (first_later)
		leat_close(f.in[empty]);
	for (int i = 2; i <= 4; i++)
		expect(f.out[0], i);
	expect_end(f.out[0]);
	end(&f);
}

TEST_SIM(merge_of_a_completed_one, 20)
{
	for (int i = 0; i < 4; i++)
		merge_completed(i / 2, i % 2);
}

/* "pass along early cancellation" */
TEST_SIM(merge_passes_early_cancellation_along, 20)
{
	struct fan f;

	begin(&f, 2, 1);
	leat_abandon(f.out[0]);
	CHECK_EQ(leat_merge(&f.fan, &f.group, f.in, 2, f.out[0], .end = LEAT_FAN_ALL,
			    .drop = LEAT_FAN_DROP(int, count_drop)), 0);
	expect_cancelled(f.in[0]);
	CHECK_EQ(leat_send(f.in[1], 1), LEAT_ECLOSED);
	end(&f);
	CHECK_EQ(f.ledger.in, (uint64_t)dropped);
}
