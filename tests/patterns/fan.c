/* Fan-out and fan-in: each piece, its ends, its options; cancel.c cancels them everywhere. */
#include "patterns.h"

#include <leat/leat.h>

enum { N = 60 };

/* from, from + step, ... below N */
LEAT_TASK(send_some, (leat_chan(int), to), (int, from), (int, step))
{
	for (int i = from; i < N; i += step)
		if (leat_send(to, i) < 0)
			return;
	leat_close(to);
}

struct got {
	int n, item[2 * N];
};

LEAT_TASK(receive, (leat_chan(int), from), (struct got *, got), (int, most))
{
	int v;

	while (got->n < most && leat_recv(from, &v) == 0)
		got->item[got->n++] = v;
	leat_abandon(from);
}

struct piece {
	leat_chan(int) in[3], out[3];
	struct got got[3];
	leat_group group;
	leat_fan *fan;
	leat_ledger ledger;
};

static void begin(struct piece *p, int nins, int nouts)
{
	*p = (struct piece){ 0 };
	CHECK_EQ(leat_group_init(&p->group, LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE)), 0);
	for (int i = 0; i < 3; i++) {
		p->in[i] = leat_chan_make(int, i);
		p->out[i] = leat_chan_make(int, i);
	}
	for (int i = 0; i < nins; i++)
		CHECK_EQ(leat_go_in(&p->group, send_some, p->in[i], i, nins), 0);
	for (int i = 0; i < nouts; i++)
		CHECK_EQ(leat_go_in(&p->group, receive, p->out[i], &p->got[i], 2 * N), 0);
}

static int finish(struct piece *p)
{
	int r = leat_group_wait(&p->group);

	leat_group_release(&p->group);
	leat_fan_destroy(p->fan, ledger_init(&p->ledger));
	check_at_rest(&p->ledger);
	for (int i = 0; i < 3; i++) {
		leat_chan_unref(p->in[i]);
		leat_chan_unref(p->out[i]);
	}
	return r;
}

static bool has_all(const struct got *got, int n)
{
	bool seen[N] = { 0 };

	for (int i = 0; i < got->n; i++)
		seen[got->item[i]] = true;
	for (int i = 0; i < n; i++)
		if (!seen[i])
			return false;
	return got->n == n;
}

static bool is_sorted(const struct got *got)
{
	for (int i = 1; i < got->n; i++)
		if (got->item[i - 1] > got->item[i])
			return false;
	return true;
}

TEST_BOTH(merge_takes_all, 30)
{
	struct piece p;

	begin(&p, 3, 1);
	CHECK_EQ(leat_merge(&p.fan, &p.group, p.in, 3, p.out[0], .end = LEAT_FAN_ALL), 0);
	CHECK_EQ(finish(&p), 0);
	CHECK(has_all(&p.got[0], N));
	CHECK_EQ(p.ledger.out, N);
}

TEST_SIM(merge_ends_with_the_first, 30)
{
	struct piece p;

	begin(&p, 0, 1);
	leat_close(p.in[1]);
	CHECK_EQ(leat_merge(&p.fan, &p.group, p.in, 3, p.out[0], .end = LEAT_FAN_ANY), 0);
	CHECK_EQ(finish(&p), 0);
	CHECK_EQ(p.ledger.in, 0);
}

static bool less(const int *a, const int *b)
{
	return *a < *b;
}

TEST_BOTH(merge_of_sorted_is_sorted, 30)
{
	struct piece p;

	begin(&p, 3, 1);
	CHECK_EQ(leat_merge_ordered(&p.fan, &p.group, p.in, 3, p.out[0], less, .name = "m"), 0);
	CHECK_EQ(finish(&p), 0);
	CHECK(has_all(&p.got[0], N));
	CHECK(is_sorted(&p.got[0]));
}

TEST_BOTH(concat_is_one_after_the_other, 30)
{
	struct piece p;

	begin(&p, 3, 1);
	CHECK_EQ(leat_concat(&p.fan, &p.group, p.in, 3, p.out[0], .name = "concat"), 0);
	CHECK_EQ(finish(&p), 0);
	CHECK(has_all(&p.got[0], N));
	for (int i = 0; i < N; i++)
		CHECK_EQ(p.got[0].item[i], 3 * (i % (N / 3)) + i / (N / 3));
}

static int add(int *a, int *b, int *ret_sum)
{
	if (*a == 40 || *a == 41)
		return *a == 40 ? -EDOM : LEAT_ECLOSED;
	*ret_sum = *a + *b;
	return 0;
}

TEST_BOTH(zip_pairs_until_one_ends, 30)
{
	struct piece p;

	begin(&p, 0, 1);
	CHECK_EQ(leat_go_in(&p.group, send_some, p.in[0], 0, 3), 0);
	CHECK_EQ(leat_go_in(&p.group, send_some, p.in[1], 1, 6), 0);
	CHECK_EQ(leat_zip(&p.fan, &p.group, p.in[0], p.in[1], p.out[0], add, .name = "zip"), 0);
	CHECK_EQ(finish(&p), 0);
	CHECK_EQ(p.got[0].n, 10);
	for (int i = 0; i < p.got[0].n; i++)
		CHECK_EQ(p.got[0].item[i], 9 * i + 1);
	CHECK_EQ(p.ledger.out, 10);
	CHECK_EQ(p.ledger.dropped[LEAT_DROPPED_UNWANTED], 1);
}

TEST_BOTH(an_error_of_a_function_arrives, 30)
{
	struct piece p;

	begin(&p, 0, 1);
	CHECK_EQ(leat_go_in(&p.group, send_some, p.in[0], 0, 1), 0);
	CHECK_EQ(leat_go_in(&p.group, send_some, p.in[1], 0, 1), 0);
	CHECK_EQ(leat_zip(&p.fan, &p.group, p.in[0], p.in[1], p.out[0], add, .name = "zip"), 0);
	CHECK_EQ(finish(&p), -EDOM);
	CHECK_EQ(p.got[0].n, 40);
	CHECK_EQ(p.ledger.failed, 1);
}

/* Not that a channel is closed, which would be the end of the inputs. */
TEST_BOTH(closed_by_a_function_is_an_error, 30)
{
	struct piece p;

	begin(&p, 0, 1);
	CHECK_EQ(leat_go_in(&p.group, send_some, p.in[0], 41, 1), 0);
	CHECK_EQ(leat_go_in(&p.group, send_some, p.in[1], 41, 1), 0);
	CHECK_EQ(leat_zip(&p.fan, &p.group, p.in[0], p.in[1], p.out[0], add, .name = "zip"), 0);
	CHECK_EQ(finish(&p), -EPIPE);
	CHECK_EQ(p.ledger.failed, 1);
}

TEST_BOTH(balance_gives_each_item_once, 30)
{
	struct piece p;
	struct got all = { 0 };

	begin(&p, 1, 3);
	CHECK_EQ(leat_balance(&p.fan, &p.group, p.in[0], p.out, 3, .end = LEAT_FAN_ALL), 0);
	CHECK_EQ(finish(&p), 0);
	for (int k = 0; k < 3; k++) {
		CHECK(p.got[k].n > 0);
		for (int i = 0; i < p.got[k].n; i++)
			all.item[all.n++] = p.got[k].item[i];
	}
	CHECK(has_all(&all, N));
}

/* One goes early: the others get the rest; or all end. */
static void one_goes(struct piece *p, enum leat_fan_end end)
{
	begin(p, 1, 2);
	CHECK_EQ(leat_go_in(&p->group, receive, p->out[2], &p->got[2], 5), 0);
	CHECK_EQ(leat_broadcast(&p->fan, &p->group, p->in[0], p->out, 3, .end = end), 0);
	CHECK_EQ(finish(p), 0);
	CHECK_EQ(p->got[2].n, 5);
}

TEST_BOTH(broadcast_gives_all_to_each, 30)
{
	struct piece p;

	one_goes(&p, LEAT_FAN_ALL);
	CHECK(has_all(&p.got[0], N) && is_sorted(&p.got[0]));
	CHECK(has_all(&p.got[1], N) && is_sorted(&p.got[1]));
	CHECK_EQ(p.ledger.out, N);
}

TEST_BOTH(broadcast_ends_with_the_first, 30)
{
	struct piece p;

	one_goes(&p, LEAT_FAN_ANY);
	CHECK(p.got[0].n >= 5 && p.got[0].n <= 10);
}

static uint64_t tens(const int *n)
{
	return (uint64_t)(*n / 10);
}

TEST_BOTH(partition_is_by_key, 30)
{
	struct piece p;

	begin(&p, 1, 3);
	CHECK_EQ(leat_partition(&p.fan, &p.group, p.in[0], p.out, 3, tens, .end = LEAT_FAN_ALL), 0);
	CHECK_EQ(finish(&p), 0);
	for (int k = 0; k < 3; k++) {
		CHECK_EQ(p.got[k].n, N / 3);
		CHECK(is_sorted(&p.got[k]));
		for (int i = 0; i < p.got[k].n; i++)
			CHECK_EQ(p.got[k].item[i] / 10 % 3, k);
	}
}

TEST_BOTH(take_ends_what_is_above, 30)
{
	struct piece p;

	begin(&p, 1, 1);
	CHECK_EQ(leat_take(&p.fan, &p.group, p.in[0], p.out[0], 7, .name = "take"), 0);
	CHECK_EQ(finish(&p), 0);
	CHECK(has_all(&p.got[0], 7));
	CHECK_EQ(p.ledger.in, 7);
}

TEST_BOTH(tee_gives_all_to_both, 30)
{
	struct piece p;

	begin(&p, 1, 2);
	CHECK_EQ(leat_tee(&p.fan, &p.group, p.in[0], p.out[0], p.out[1], .end = LEAT_FAN_ALL), 0);
	CHECK_EQ(finish(&p), 0);
	for (int k = 0; k < 2; k++)
		CHECK(has_all(&p.got[k], N) && is_sorted(&p.got[k]));
}

TEST_BOTH(or_done_passes_all_on, 30)
{
	leat_chan(long) done = leat_chan_make(long, 0);
	struct piece p;

	begin(&p, 1, 1);
	CHECK_EQ(leat_or_done(&p.fan, &p.group, p.in[0], p.out[0], done, .name = "or-done"), 0);
	CHECK_EQ(finish(&p), 0);
	CHECK(has_all(&p.got[0], N) && is_sorted(&p.got[0]));
	CHECK(!leat_channel_is_closed((leat_channel *)done));
	CHECK_EQ(leat_try_send(done, 1), -EAGAIN); /* nor abandoned */
	leat_chan_unref(done);
}

/* done comes while the piece waits for an input, or for who receives; and when both would go. */
static void done_comes(bool has_input, bool has_output, bool by_close)
{
	leat_chan(long) done = leat_chan_make(long, 1);
	struct piece p;

	begin(&p, has_input ? 1 : 0, 0);
	if (!has_input || !has_output) {
		CHECK_EQ(leat_or_done(&p.fan, &p.group, p.in[0], p.out[0], done, .name = "d"), 0);
		test_settle();
	}
	if (by_close)
		leat_close(done);
	else
		CHECK_EQ(leat_send(done, 1), 0);
	if (has_input && has_output) {
		CHECK_EQ(leat_go_in(&p.group, receive, p.out[0], &p.got[0], N), 0);
		test_settle();
		CHECK_EQ(leat_or_done(&p.fan, &p.group, p.in[0], p.out[0], done, .name = "d"), 0);
	}
	CHECK_EQ(finish(&p), 0);
	CHECK_EQ(p.got[0].n, 0);
	CHECK_EQ(p.ledger.in, has_input && !has_output);
	CHECK_EQ(p.ledger.cancelled, p.ledger.in);
	leat_chan_unref(done);
}

TEST_SIM(or_done_ends_with_done, 10)
{
	done_comes(false, true, true);
	done_comes(false, true, false);
	done_comes(true, false, true);
	done_comes(true, false, false);
	done_comes(true, true, true);
	done_comes(true, true, false);
}

typedef leat_chan(int) ints;

/* With a reference of its own. */
LEAT_TASK(send_and_unref, (ints, to), (int, from), (int, step))
{
	send_some(to, from, step);
	leat_chan_unref(to);
}

LEAT_TASK(send_channels, (leat_chan(ints), to), (leat_group *, group), (int, n))
{
	for (int i = 0; i < n; i++) {
		ints c = leat_chan_make(int, i % 3);

		leat_chan_ref(c); /* one is the bridge's, one the sender's */
		CHECK_EQ(leat_go_in(group, send_and_unref, c, i, n), 0);
		CHECK_EQ(leat_send(to, c), 0);
	}
	leat_close(to);
}

TEST_BOTH(bridge_is_one_after_the_other, 20)
{
	leat_chan(ints) in = leat_chan_make(ints, 1);
	struct piece p;

	begin(&p, 0, 1);
	CHECK_EQ(leat_bridge(&p.fan, &p.group, in, p.out[0], .name = "bridge"), 0);
	CHECK_EQ(leat_go_in(&p.group, send_channels, in, &p.group, 3), 0);
	CHECK_EQ(finish(&p), 0);
	CHECK(has_all(&p.got[0], N));
	for (int i = 0; i < N; i++)
		CHECK_EQ(p.got[0].item[i], 3 * (i % (N / 3)) + i / (N / 3));
	leat_chan_unref(in);
}

static int dropped_channels;

static void drop_channel(ints *c)
{
	dropped_channels++;
	leat_abandon(*c);
	leat_chan_unref(*c);
}

/* Who sends to the channel that the bridge leaves is told; the channels behind it are dropped. */
TEST_SIM(bridge_abandons_what_it_leaves, 20)
{
	leat_chan(ints) in = leat_chan_make_drop(ints, 3, drop_channel);
	ints c[3];
	struct piece p;

	dropped_channels = 0;
	begin(&p, 0, 0);
	for (int i = 0; i < 3; i++) {
		c[i] = leat_chan_make(int, 0);
		leat_chan_ref(c[i]);
		CHECK_EQ(leat_go_in(&p.group, send_some, c[i], 0, 1), 0);
		CHECK_EQ(leat_send(in, c[i]), 0);
	}
	CHECK_EQ(leat_bridge(&p.fan, &p.group, in, p.out[0], .name = "bridge"), 0);
	CHECK_EQ(leat_go_in(&p.group, receive, p.out[0], &p.got[0], 5), 0);
	CHECK_EQ(finish(&p), 0);
	CHECK_EQ(p.got[0].n, 5);
	CHECK_EQ(dropped_channels, 2);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(leat_try_send(c[i], 1), LEAT_ECLOSED);
		leat_chan_unref(c[i]);
	}
	leat_chan_unref(in);
}

TEST_DEATH_TASK(bridge_of_null, "a NULL came out")
{
	leat_chan(ints) in = leat_chan_make(ints, 1);
	leat_chan(int) out = leat_chan_make(int, 1);
	leat_fan *fan;

	REQUIRE(leat_send(in, (ints)NULL) == 0);
	REQUIRE(leat_bridge(&fan, leat_group_root(), in, out, .name = "bridge") == 0);
	leat_sleep(LEAT_S);
}

static int sum_up(int *sum, int *n)
{
	if (*n == 40 || *n == 42)
		return *n == 40 ? -EDOM : LEAT_ECLOSED;
	*sum += *n;
	return 0;
}

static void end_of_conflate(struct piece *p, int more)
{
	CHECK_EQ(leat_recv(p->out[0], &p->got[0].item[0]), 0);
	for (int i = 0; i < more; i++)
		CHECK_EQ(leat_recv(p->out[0], &p->got[0].item[i + 1]), 0);
	CHECK_EQ(leat_recv(p->out[0], &p->got[0].item[more + 1]), LEAT_ECLOSED);
	CHECK_EQ(finish(p), 0);
}

/* Nobody receives: all are one.  The sender never waits for the receiver. */
TEST_SIM(conflate_merges_while_the_receiver_is_busy, 20)
{
	struct piece p;

	begin(&p, 0, 0);
	CHECK_EQ(leat_conflate(&p.fan, &p.group, p.in[0], p.out[0], sum_up, .name = "sum"), 0);
	for (int i = 1; i <= 9; i++)
		CHECK_EQ(leat_send_until(p.in[0], i, leat_in(LEAT_MS)), 0);
	test_settle();
	leat_close(p.in[0]);
	end_of_conflate(&p, 0);
	CHECK_EQ(p.got[0].item[0], 45);
	CHECK_EQ(p.ledger.out, 1);
	CHECK_EQ(p.ledger.dropped[LEAT_DROPPED_MERGED], 8);
}

/* Who receives before the next comes gets each as it is; a buffer is filled first. */
TEST_SIM(conflate_passes_on_what_is_taken, 20)
{
	struct piece p;
	int v;

	begin(&p, 0, 0);
	CHECK_EQ(leat_conflate(&p.fan, &p.group, p.in[0], p.out[0], sum_up, .name = "sum"), 0);
	for (int i = 1; i <= 5; i++) {
		CHECK_EQ(leat_send(p.in[0], i), 0);
		CHECK_EQ(leat_recv(p.out[0], &v), 0);
		CHECK_EQ(v, i);
	}
	leat_close(p.in[0]);
	CHECK_EQ(leat_recv(p.out[0], &v), LEAT_ECLOSED);
	CHECK_EQ(finish(&p), 0);
	CHECK_EQ(p.ledger.out, 5);

	begin(&p, 0, 0);
	CHECK_EQ(leat_conflate(&p.fan, &p.group, p.in[0], p.out[2], sum_up, .name = "sum"), 0);
	for (int i = 1; i <= 5; i++) {
		CHECK_EQ(leat_send(p.in[0], i), 0);
		test_settle();
	}
	leat_close(p.in[0]);
	for (int i = 1; i <= 3; i++) {
		CHECK_EQ(leat_recv(p.out[2], &v), 0);
		CHECK_EQ(v, i < 3 ? i : 3 + 4 + 5);
	}
	CHECK_EQ(finish(&p), 0);

	/* There is room, and there are more: room comes first. */
	begin(&p, 0, 0);
	CHECK_EQ(leat_send(p.in[2], 1), 0);
	CHECK_EQ(leat_send(p.in[2], 2), 0);
	leat_close(p.in[2]);
	CHECK_EQ(leat_conflate(&p.fan, &p.group, p.in[2], p.out[2], sum_up, .name = "sum"), 0);
	CHECK_EQ(leat_go_in(&p.group, receive, p.out[2], &p.got[0], N), 0);
	CHECK_EQ(finish(&p), 0);
	CHECK_EQ(p.got[0].n, 2);
}

TEST_BOTH(conflate_loses_nothing, 30)
{
	struct piece p;
	int sum = 0;

	begin(&p, 0, 1);
	CHECK_EQ(leat_go_in(&p.group, send_some, p.in[1], 20, 3), 0);
	CHECK_EQ(leat_conflate(&p.fan, &p.group, p.in[1], p.out[0], sum_up, .name = "sum"), 0);
	CHECK_EQ(finish(&p), 0);
	for (int i = 0; i < p.got[0].n; i++)
		sum += p.got[0].item[i];
	CHECK_EQ(sum, 14 * (20 + 59) / 2);
	CHECK_EQ(p.ledger.out + p.ledger.dropped[LEAT_DROPPED_MERGED], 14);
}

/* An error of the function ends it, and both items with it. */
TEST_SIM(conflate_fails, 20)
{
	struct piece p;

	begin(&p, 0, 0);
	CHECK_EQ(leat_go_in(&p.group, send_some, p.in[0], 38, 1), 0);
	CHECK_EQ(leat_conflate(&p.fan, &p.group, p.in[0], p.out[0], sum_up, .name = "sum"), 0);
	CHECK_EQ(finish(&p), -EDOM);
	CHECK_EQ(p.ledger.failed, 2);
	CHECK_EQ(p.ledger.dropped[LEAT_DROPPED_MERGED], 1);
	begin(&p, 0, 0);
	CHECK_EQ(leat_go_in(&p.group, send_some, p.in[0], 41, 1), 0);
	CHECK_EQ(leat_conflate(&p.fan, &p.group, p.in[0], p.out[0], sum_up, .name = "sum"), 0);
	CHECK_EQ(finish(&p), -EPIPE);
}

static uint64_t sum_of(const leat_ledger *l)
{
	return l->out + l->failed + ledger_dropped(l) + l->cancelled + l->in_flight;
}

/*
 * A ledger that is read while items move: in >= sum, and sum is at least what had come in when the
 * one before it was read, but for what was in hand then.
 */
TEST_BOTH(ledger_at_any_time, 20)
{
	enum { LIVE = 3 }; /* a head for each input */
	uint64_t in_before = 0;
	leat_ledger l;
	struct piece p;

	begin(&p, 3, 1);
	CHECK_EQ(leat_merge_ordered(&p.fan, &p.group, p.in, 3, p.out[0], less, .name = "m"), 0);
	do {
		CHECK_EQ(leat_fan_ledger(p.fan, ledger_init(&l)), 0);
		CHECK(l.in >= sum_of(&l));
		CHECK(l.in_flight <= LIVE);
		CHECK(sum_of(&l) + LIVE >= in_before);
		if (leat_sim_seed())
			CHECK(sum_of(&l) + LIVE >= l.in);
		in_before = l.in;
		leat_yield();
	} while (l.out < N);
	CHECK_EQ(finish(&p), 0);
}

/* No byte behind the size that the program knows. */
TEST_SIM(stats_of_an_older_program, 1)
{
	_Alignas(leat_stage_stats) char bytes[2 * OLD_STATS_SIZE];
	leat_stage_stats *old = old_stats(bytes, sizeof(bytes)), none = { 0 };
	struct piece p;

	begin(&p, 0, 1);
	CHECK_EQ(leat_merge(&p.fan, &p.group, p.in, 3, p.out[0], .name = "merge",
			    .end = LEAT_FAN_ANY), 0);
	CHECK_EQ(leat_fan_stats(p.fan, old), 0);
	CHECK_EQ(old->size, OLD_STATS_SIZE);
	CHECK_STR(old->name, "merge");
	CHECK(is_untouched(bytes + OLD_STATS_SIZE, OLD_STATS_SIZE));
	CHECK_EQ(leat_fan_stats(p.fan, &none), -EINVAL);
	leat_close(p.in[0]);
	CHECK_EQ(finish(&p), 0);
}

TEST_SIM(time_is_attributed, 3)
{
	struct piece p;
	leat_stage_stats s = { .size = sizeof(s) };

	begin(&p, 0, 1);
	CHECK_EQ(leat_merge(&p.fan, &p.group, p.in, 3, p.out[0], .end = LEAT_FAN_ANY), 0);
	CHECK_EQ(leat_sleep(LEAT_S), 0);
	CHECK_EQ(leat_fan_stats(p.fan, &s), 0);
	CHECK_EQ(s.workers, 1);
	CHECK(s.time[LEAT_STAGE_STARVED] > 99 * s.elapsed / 100);
	leat_close(p.in[0]);
	CHECK_EQ(finish(&p), 0);
}

static void refused(const char *text, int r)
{
	CHECK_EQ(r, -EINVAL);
	EXPECT_LOG(text);
}

static int copy(const int *from, int *to)
{
	*to = *from;
	return 0;
}

static void drop(int *n)
{
	(void)n;
}

struct big {
	char bytes[LEAT_FAN_ITEM_MAX + 1];
};

static int join_big(struct big *big, int *n, int *ret_n)
{
	(void)big;
	*ret_n = *n;
	return 0;
}

static int join_with_big(int *n, struct big *big, int *ret_n)
{
	return join_big(big, n, ret_n);
}

static int make_big(int *a, int *b, struct big *ret_big)
{
	(void)a;
	(void)b;
	memset(ret_big, 0, sizeof(*ret_big));
	return 0;
}

TEST_WITH(items_that_are_too_large, .log = log_line)
{
	leat_chan(struct big) big = leat_chan_make(struct big, 0);
	leat_chan(struct big) other = leat_chan_make(struct big, 0);
	leat_chan(int) a = leat_chan_make(int, 0), b = leat_chan_make(int, 0);
	leat_group *group = leat_group_current();
	leat_fan *fan;

	refused("leat_take: an item has more than 1024 bytes",
		leat_take(&fan, group, big, other, 1, .name = NULL));
	refused("leat_zip: an item has more",
		leat_zip(&fan, group, big, a, b, join_big, .name = NULL));
	refused("leat_zip: an item has more",
		leat_zip(&fan, group, a, big, b, join_with_big, .name = NULL));
	refused("leat_zip: an item has more",
		leat_zip(&fan, group, a, b, big, make_big, .name = NULL));
	leat_chan_unref(big);
	leat_chan_unref(other);
	leat_chan_unref(a);
	leat_chan_unref(b);
}

TEST_WITH(bad_options, .log = log_line)
{
	leat_chan(int) in[2] = { leat_chan_make(int, 0), leat_chan_make(int, 0) };
	leat_chan(int) out[2] = { leat_chan_make(int, 0), NULL };
	leat_group *group = leat_group_current();
	leat_fan *fan;

	refused("leat_merge: m: end is 0", leat_merge(&fan, group, in, 2, out[0], .name = "m"));
	refused("leat_concat: end is 1",
		leat_concat(&fan, group, in, 2, out[0], .end = LEAT_FAN_ALL));
	refused("end is 9", leat_balance(&fan, group, in[0], out, 1, .end = 9));
	refused("end is 1", leat_concat(&fan, group, in, 2, out[0], .end = LEAT_FAN_ALL));
	refused("0 inputs", leat_merge(&fan, group, in, 0, out[0], .end = LEAT_FAN_ALL));
	refused("0 outputs", leat_balance(&fan, group, in[0], out, 0, .end = LEAT_FAN_ALL));
	refused("input 1 is NULL", leat_merge(&fan, group, ((ints[2]){ in[0], NULL }), 2, out[0],
					      .end = LEAT_FAN_ALL));
	refused("output 1 is NULL", leat_balance(&fan, group, in[0], out, 2, .end = LEAT_FAN_ALL));
	refused("a cycle: output 0 is input 1",
		leat_merge(&fan, group, in, 2, in[1], .end = LEAT_FAN_ALL));
	out[1] = out[0];
	refused("output 1 is output 0",
		leat_balance(&fan, group, in[0], out, 2, .end = LEAT_FAN_ALL));
	refused("clone is given", leat_take(&fan, group, in[0], out[0], 1,
					    .clone = LEAT_FAN_CLONE(int, copy)));
	refused("drop is given without clone",
		leat_broadcast(&fan, group, in[0], out, 1, .end = LEAT_FAN_ALL,
			       .drop = LEAT_FAN_DROP(int, drop)));
	refused("drop_second", leat_take(&fan, group, in[0], out[0], 1,
					 .drop_second = LEAT_FAN_DROP(int, drop)));
	refused("end is 0", leat_tee(&fan, group, in[0], in[1], out[0], .name = "t"));
	refused("drop is given without clone",
		leat_tee(&fan, group, in[0], in[1], out[0], .end = LEAT_FAN_ALL,
			 .drop = LEAT_FAN_DROP(int, drop)));
	refused("output 1 is output 0",
		leat_tee(&fan, group, in[0], out[0], out[0], .end = LEAT_FAN_ALL));
	refused("end is 1", leat_or_done(&fan, group, in[0], out[0], in[1], .end = LEAT_FAN_ALL));
	refused("done is NULL", leat_or_done(&fan, group, in[0], out[0], (ints)NULL, .name = "d"));
	refused("done is the input", leat_or_done(&fan, group, in[0], out[0], in[0], .name = "d"));
	refused("output 0 is done", leat_or_done(&fan, group, in[0], out[0], out[0], .name = "d"));
	refused("end is 2", leat_conflate(&fan, group, in[0], out[0], sum_up, .end = LEAT_FAN_ANY));
	refused("a cycle", leat_conflate(&fan, group, in[0], in[0], sum_up, .name = "sum"));
	CHECK(!fan);
	leat_fan_destroy(NULL, NULL);
	leat_chan_unref(in[0]);
	leat_chan_unref(in[1]);
	leat_chan_unref(out[0]);
}
