/*
 * Pekko's specs of GroupedWithin, GroupedWeightedWithin, Throttle, Conflate and Buffer: see
 * README.md.  All in virtual time.
 */
#include "flows.h"

/* GroupedWithin: a batch stage between a channel and a sink that notes the groups. */
struct group {
	int *item;
	size_t n;
};

struct grouped {
	leat_chan(int) from;
	leat_pipeline *p;
	leat_sem demand;
	bool limited;		/* by demand */
	int n;
	int size[64], item[64][16];
	int64_t at[64];
	leat_ledger ledger;
};

static int note_group(struct grouped *g, struct group *in)
{
	if (g->limited && leat_sem_acquire(&g->demand, 1) < 0)
		return -ECANCELED;
	g->at[g->n] = leat_now();
	g->size[g->n] = (int)in->n;
	for (size_t i = 0; i < in->n && i < 16; i++)
		g->item[g->n][i] = in->item[i];
	g->n++;
	return 0;
}

static uint64_t own_weight(const int *item)
{
	return (uint64_t)(*item % 1000);	/* 1000: weighs nothing */
}

static uint64_t no_weight(const int *item)
{
	(void)item;
	return 0;
}

static void begin_grouped(struct grouped *g, size_t items, int64_t wait, uint64_t weight,
			  uint64_t (*weigh)(const int *))
{
	leat_flow(struct group) b;
	leat_flow(int) a;

	memset(g, 0, sizeof(*g));
	no_demand(&g->demand);
	g->from = leat_chan_make(int, 0);
	CHECK_EQ(leat_pipeline_make(&g->p, .live = 1000), 0);
	leat_pipeline_from(g->p, &a, g->from, .name = "source");
	leat_pipeline_batch(g->p, a, &b, .name = "groupedWithin", .items = items, .wait = wait,
			    .weight = weight,
			    .weigh = weigh ? LEAT_STAGE_WEIGH(int, weigh) : NULL);
	leat_pipeline_sink_with(g->p, b, g, note_group, .name = "sink", SERIAL);
	CHECK_EQ(leat_pipeline_start(g->p), 0);
}

static void end_grouped(struct grouped *g)
{
	leat_close(g->from);
	leat_sem_release(&g->demand, 1000);
	end_pipeline(g->p, 0, &g->ledger);
	leat_chan_unref(g->from);
}

static void send_range(leat_chan(int) to, int from, int end)
{
	for (int i = from; i < end; i++)
		CHECK_EQ(leat_send(to, i), 0);
}

/* Group k is from, from + 1, ... */
static void check_group(struct grouped *g, int k, int from, int n)
{
	CHECK(k < g->n);
	CHECK_EQ(g->size[k], n);
	for (int i = 0; i < n && i < 16; i++)
		CHECK_EQ(g->item[k][i], from + i);
}

static bool about(int64_t at, int64_t when)
{
	return at >= when - LEAT_MS && at <= when + LEAT_MS;
}

/* "group elements within the duration" */
TEST_SIM(grouped_within_the_duration, 20)
{
	int64_t then = leat_now();
	struct grouped g;

	begin_grouped(&g, 1000, LEAT_S, 0, NULL);
	send_range(g.from, 1, 5);
	CHECK_EQ(leat_sleep(LEAT_S / 2), 0);
	send_range(g.from, 5, 9);
	CHECK_EQ(g.n, 0);
	CHECK_EQ(leat_sleep(LEAT_S), 0);
	CHECK_EQ(g.n, 1);
	check_group(&g, 0, 1, 8);
	CHECK(about(g.at[0], then + LEAT_S));
	send_range(g.from, 9, 12);
	CHECK_EQ(leat_sleep(9 * LEAT_S / 10), 0);
	CHECK_EQ(g.n, 1);
	CHECK_EQ(leat_sleep(2 * LEAT_S / 10), 0);
	CHECK_EQ(g.n, 2);
	check_group(&g, 1, 9, 3);
	send_range(g.from, 12, 13);
	end_grouped(&g);
	CHECK_EQ(g.n, 3);
	check_group(&g, 2, 12, 1);
}

/* "deliver buffered elements onComplete before the timeout" */
TEST_SIM(grouped_within_ends_before_the_timeout, 20)
{
	int64_t then = leat_now();
	struct grouped g;

	begin_grouped(&g, 1000, 10 * LEAT_S, 0, NULL);
	send_range(g.from, 1, 4);
	end_grouped(&g);
	CHECK_EQ(g.n, 1);
	check_group(&g, 0, 1, 3);
	CHECK(leat_now() - then < LEAT_S);
}

/*
 * "buffer groups until requested from downstream".  One group is with the sink and one waits for it;
 * then the source waits, with one item in its hand.
 */
TEST_SIM(grouped_within_keeps_groups, 20)
{
	struct grouped g;

	begin_grouped(&g, 1000, LEAT_S, 0, NULL);
	g.limited = true;
	for (int k = 0; k < 2; k++) {
		send_range(g.from, 1 + 4 * k, 5 + 4 * k);
		CHECK_EQ(leat_sleep(2 * LEAT_S), 0);
		CHECK_EQ(g.n, 0);
	}
	CHECK_EQ(leat_send(g.from, 9), 0);
	CHECK_EQ(leat_send_until(g.from, 10, leat_in(LEAT_S)), -ETIMEDOUT);
	for (int k = 0; k < 3; k++) {
		leat_sem_release(&g.demand, 1);
		CHECK_EQ(leat_sleep(2 * LEAT_S), 0);
		CHECK_EQ(g.n, k + 1);
		check_group(&g, k, 1 + 4 * k, k < 2 ? 4 : 1);
	}
	end_grouped(&g);
	CHECK_EQ(g.n, 3);
}

/* "drop empty groups", "not emit empty group when finished while not being pushed" */
TEST_SIM(grouped_within_has_no_empty_groups, 20)
{
	struct grouped g;

	begin_grouped(&g, 1000, LEAT_S / 2, 0, NULL);
	CHECK_EQ(leat_sleep(6 * LEAT_S), 0);
	CHECK_EQ(g.n, 0);
	send_range(g.from, 1, 3);
	CHECK_EQ(leat_sleep(6 * LEAT_S), 0);
	CHECK_EQ(g.n, 1);
	check_group(&g, 0, 1, 2);
	end_grouped(&g);
	CHECK_EQ(g.n, 1);
	begin_grouped(&g, 1000, LEAT_S / 20, 0, NULL);
	end_grouped(&g);
	CHECK_EQ(g.n, 0);
}

/* "reset time window when max elements reached" */
TEST_SIM(grouped_within_begins_anew, 20)
{
	struct grouped g;
	int64_t then;

	begin_grouped(&g, 3, 2 * LEAT_S, 0, NULL);
	CHECK_EQ(leat_sleep(LEAT_S), 0);
	then = leat_now();
	send_range(g.from, 1, 5);
	CHECK_EQ(leat_sleep(3 * LEAT_S), 0);
	CHECK_EQ(g.n, 2);
	check_group(&g, 0, 1, 3);
	check_group(&g, 1, 4, 1);
	CHECK(about(g.at[0], then));
	CHECK(about(g.at[1], then + 2 * LEAT_S));
	end_grouped(&g);
}

/* "... when exact max elements reached", "group evenly", "group with rest" */
TEST_SIM(grouped_within_evenly_and_with_a_rest, 20)
{
	for (int n = 3; n <= 31; n++) {
		struct grouped g;

		begin_grouped(&g, 3, 600 * LEAT_S, 0, NULL);
		send_range(g.from, 0, n);
		end_grouped(&g);
		CHECK_EQ(g.n, (n + 2) / 3);
		for (int k = 0; k < g.n; k++)
			check_group(&g, k, 3 * k, n - 3 * k < 3 ? n - 3 * k : 3);
		CHECK_EQ(g.ledger.out, (uint64_t)n);
	}
}

/* "group with small groups with backpressure" */
static int slowly(struct notes *notes, struct group *in)
{
	CHECK_EQ(in->n, 1);
	leat_sleep(110 * LEAT_MS);
	return note(notes, in->item);
}

TEST_SIM(grouped_within_one_each, 20)
{
	struct range range = { 1, 11 };
	struct notes notes = { 0 };
	leat_flow(struct group) b;
	leat_pipeline *p;
	leat_flow(int) a;
	leat_ledger l;

	CHECK_EQ(leat_pipeline_make(&p, .live = 4), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "source");
	leat_pipeline_batch(p, a, &b, .name = "groupedWithin", .items = 1,
			    .wait = 24 * 3600 * LEAT_S);
	leat_pipeline_sink_with(p, b, &notes, slowly, .name = "sink", SERIAL);
	run_pipeline(p, 0, &l);
	check_in_order(&notes, 1, 10);
}

/* GroupedWeightedWithin: the groups of these items. */
static void check_weighted(struct grouped *g, const int *items, int nitems, const int *sizes,
			   int nsizes)
{
	int item = 0;

	for (int i = 0; i < nitems; i++)
		CHECK_EQ(leat_send(g->from, items[i]), 0);
	end_grouped(g);
	CHECK_EQ(g->n, nsizes);
	for (int k = 0; k < g->n && k < nsizes; k++) {
		CHECK_EQ(g->size[k], sizes[k]);
		for (int i = 0; i < g->size[k]; i++)
			CHECK_EQ(g->item[k][i], items[item++]);
	}
	CHECK_EQ(item, nitems);
}

#define WEIGHTED(g, items, sizes)                                             \
	check_weighted(&(g), items, (int)(sizeof(items) / sizeof(int)), sizes, \
		       (int)(sizeof(sizes) / sizeof(int)))

/* "handle elements larger than the limit" */
TEST_SIM(grouped_weighted_larger_than_the_limit, 20)
{
	static const int items[] = { 1, 2, 3, 101, 4, 5, 6 }, sizes[] = { 3, 1, 3 };
	struct grouped g;

	begin_grouped(&g, 100, 100 * LEAT_MS, 100, own_weight);
	WEIGHTED(g, items, sizes);
}

/* "not drop a pending last element on upstream finish" */
TEST_SIM(grouped_weighted_keeps_the_last, 20)
{
	static const int items[] = { 1, 2, 3 }, sizes[] = { 2, 1 };
	struct grouped g;

	begin_grouped(&g, 100, 50 * LEAT_MS, 5, own_weight);
	WEIGHTED(g, items, sizes);
}

/* "not emit an empty group if first element is heavier than maxWeight": it goes at once. */
TEST_SIM(grouped_weighted_too_heavy_goes_alone, 20)
{
	struct grouped g;

	begin_grouped(&g, 100, 600 * LEAT_S, 10, own_weight);
	CHECK_EQ(leat_send(g.from, 11), 0);
	test_settle();
	CHECK_EQ(g.n, 1);
	check_group(&g, 0, 11, 1);
	end_grouped(&g);
	CHECK_EQ(g.n, 1);
}

/* No weight is too large to be added: it is a bound, not a sum. */
static uint64_t huge_weight(const int *item)
{
	return *item == 2 ? UINT64_MAX : *item == 4 ? UINT64_MAX - 2 : 1;
}

TEST_SIM(grouped_weighted_by_huge_weights, 20)
{
	static const int items[] = { 1, 2, 3, 4, 5 }, sizes[] = { 1, 1, 1, 1, 1 };
	struct grouped g;

	begin_grouped(&g, 100, 50 * LEAT_MS, 5, huge_weight);
	WEIGHTED(g, items, sizes);
}

/* "append zero weighted elements to a full group ...": a full one goes; they are in the next. */
TEST_SIM(grouped_weighted_of_no_weight, 20)
{
	static const int items[] = { 3, 2, 1000, 1000, 1000 }, sizes[] = { 2, 3 };
	struct grouped g;

	begin_grouped(&g, 100, 50 * LEAT_MS, 5, own_weight);
	WEIGHTED(g, items, sizes);
}

/* "handle zero cost function to get only timed based grouping without limit" */
TEST_SIM(grouped_weighted_by_time_alone, 20)
{
	int64_t then = leat_now();
	struct grouped g;

	begin_grouped(&g, 100, 100 * LEAT_MS, 1, no_weight);
	send_range(g.from, 1, 5);
	CHECK_EQ(leat_sleep(50 * LEAT_MS), 0);
	CHECK_EQ(g.n, 0);
	CHECK_EQ(leat_sleep(100 * LEAT_MS), 0);
	CHECK_EQ(g.n, 1);
	check_group(&g, 0, 1, 4);
	CHECK(about(g.at[0], then + 100 * LEAT_MS));
	end_grouped(&g);
	CHECK_EQ(g.n, 1);
}

/* "group by max weight and max number of elements reached" */
TEST_SIM(grouped_weighted_by_weight_and_number, 20)
{
	static const int items[] = { 1, 2, 3, 4, 5, 6, 11, 7, 2 }, sizes[] = { 3, 2, 1, 1, 2 };
	struct grouped g;

	begin_grouped(&g, 3, 30 * LEAT_S, 10, own_weight);
	WEIGHTED(g, items, sizes);
}

/* Throttle: a bucket at a stage. */
struct throttled {
	leat_bucket bucket;
	leat_chan(int) from;
	leat_pipeline *p;
	struct notes notes;
	int64_t began;
	leat_ledger ledger;
};

static void begin_throttled(struct throttled *t, double rate, double burst)
{
	leat_flow(int) a, b;

	memset(t, 0, sizeof(*t));
	CHECK_EQ(leat_bucket_init(&t->bucket, rate, burst), 0);
	t->from = leat_chan_make(int, 200);
	t->began = leat_now();
	CHECK_EQ(leat_pipeline_make(&t->p, .live = 200), 0);
	leat_pipeline_from(t->p, &a, t->from, .name = "source");
	leat_pipeline_map(t->p, a, &b, pass, .name = "throttle", SERIAL, .rate = &t->bucket,
			  .buffer = 200);
	leat_pipeline_sink_with(t->p, b, &t->notes, note, .name = "sink", SERIAL);
	CHECK_EQ(leat_pipeline_start(t->p), 0);
}

static void end_throttled(struct throttled *t, int n)
{
	leat_close(t->from);
	end_pipeline(t->p, 0, &t->ledger);
	check_in_order(&t->notes, 1, n);
	leat_chan_unref(t->from);
}

/* "work for the happy case" */
TEST_SIM(throttle_happy_case, 20)
{
	struct throttled t;

	begin_throttled(&t, 19, 19);
	send_range(t.from, 1, 6);
	end_throttled(&t, 5);
	CHECK(leat_now() - t.began < LEAT_MS);
}

/* "accept very high rates" */
TEST_SIM(throttle_very_high_rate, 20)
{
	struct throttled t;

	begin_throttled(&t, 1e9, 1);
	send_range(t.from, 1, 6);
	end_throttled(&t, 5);
	CHECK(leat_now() - t.began < LEAT_MS);
}

/* "accept very low rates", "cancel when downstream cancels": who waits for a day can stop. */
TEST_SIM(throttle_very_low_rate, 20)
{
	struct throttled t;

	begin_throttled(&t, 1.0 / (24 * 3600), 1);
	send_range(t.from, 1, 6);
	CHECK_EQ(leat_sleep(3600 * LEAT_S), 0);
	CHECK_EQ(t.notes.n, 1);
	leat_pipeline_abort(t.p, 0);
	end_pipeline(t.p, -ECANCELED, &t.ledger);
	CHECK_EQ(t.ledger.cancelled, 4);
	leat_chan_unref(t.from);
}

/* "work if there are two throttles in different streams": each has its bucket, or they share it. */
TEST_SIM(throttle_in_two_streams, 20)
{
	struct throttled a, b;

	begin_throttled(&a, 1.0 / 3600, 1);
	begin_throttled(&b, 1.0 / 3600, 1);
	send_range(a.from, 1, 2);
	send_range(b.from, 1, 2);
	end_throttled(&a, 1);
	end_throttled(&b, 1);
	CHECK(leat_now() - a.began < LEAT_MS);
}

/* "emit single element per tick", "send elements downstream as soon as time comes" */
TEST_SIM(throttle_as_soon_as_time_comes, 20)
{
	struct throttled t;

	begin_throttled(&t, 2, 1);
	send_range(t.from, 1, 6);
	end_throttled(&t, 5);
	for (int i = 0; i < 5; i++)
		CHECK(about(t.notes.at[i], t.began + i * LEAT_S / 2));
}

/* "not send downstream if upstream does not emit element" */
TEST_SIM(throttle_without_elements, 20)
{
	struct throttled t;

	begin_throttled(&t, 10.0 / 3, 1);
	send_range(t.from, 1, 2);
	CHECK_EQ(leat_sleep(LEAT_S), 0);
	CHECK_EQ(t.notes.n, 1);
	send_range(t.from, 2, 3);
	end_throttled(&t, 2);
	CHECK(about(t.notes.at[1], t.began + LEAT_S));
}

/* "burst according to its maximum if enough time passed": five at once, then five again, not six. */
TEST_SIM(throttle_burst, 20)
{
	struct throttled t;

	begin_throttled(&t, 5, 5);
	send_range(t.from, 1, 6);
	test_settle();
	CHECK_EQ(t.notes.n, 5);
	CHECK(about(t.notes.at[4], t.began));
	CHECK_EQ(leat_sleep(12 * LEAT_S), 0);
	send_range(t.from, 6, 13);
	end_throttled(&t, 12);
	CHECK(t.notes.at[9] - t.notes.at[5] < LEAT_MS);
	CHECK(about(t.notes.at[10], t.notes.at[5] + LEAT_S / 5));
	CHECK(about(t.notes.at[11], t.notes.at[5] + 2 * LEAT_S / 5));
}

/* "burst some elements if have enough time": two tokens have come back, so two at once. */
TEST_SIM(throttle_burst_of_some, 20)
{
	struct throttled t;

	begin_throttled(&t, 5, 5);
	send_range(t.from, 1, 7);
	CHECK_EQ(leat_sleep(210 * LEAT_MS), 0);
	CHECK_EQ(t.notes.n, 6);
	CHECK(about(t.notes.at[5], t.began + LEAT_S / 5));
	CHECK_EQ(leat_sleep(400 * LEAT_MS), 0);
	send_range(t.from, 7, 11);
	CHECK_EQ(leat_sleep(100 * LEAT_MS), 0);
	CHECK_EQ(t.notes.n, 8);
	end_throttled(&t, 10);
}

/* "throw exception when exceeding throughput in enforced mode": a function that does not wait. */
static leat_bucket enforced;

static int enforce(int *in, int *ret_out)
{
	*ret_out = *in;
	return leat_bucket_try_take(&enforced, 1);
}

static void run_enforced(int n, leat_bucket *shape, int r)
{
	struct range range = { 1, n + 1 };
	struct notes notes = { 0 };
	leat_flow(int) a, b;
	leat_pipeline *p;
	leat_ledger l;

	CHECK_EQ(leat_bucket_init(&enforced, 10, 5), 0);
	CHECK_EQ(leat_pipeline_make(&p, .live = 10), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "source", .rate = shape);
	leat_pipeline_map(p, a, &b, enforce, .name = "enforce", SERIAL);
	leat_pipeline_sink_with(p, b, &notes, note, .name = "sink", SERIAL);
	run_pipeline(p, r, &l);
	CHECK(notes.n <= n && is_sorted(&notes));
	CHECK(r < 0 || notes.n == n);
	CHECK_EQ(l.failed, r < 0);
}

TEST_SIM(throttle_enforced, 20)
{
	run_enforced(5, NULL, 0);
	run_enforced(6, NULL, -EAGAIN);
}

/* "properly combine shape and throttle modes": what is shaped does not exceed. */
TEST_SIM(throttle_shaped_and_enforced, 20)
{
	leat_bucket shape;

	CHECK_EQ(leat_bucket_init(&shape, 10, 4), 0);
	run_enforced(50, &shape, 0);
}

/* "emit elements according to cost": a function that takes as many tokens as the item costs. */
static int take_cost(struct throttled *t, int *in, int *ret_out)
{
	*ret_out = *in;
	return leat_bucket_take(&t->bucket, *in);
}

TEST_SIM(throttle_by_cost, 20)
{
	struct range range = { 1, 6 };
	struct throttled t;
	leat_flow(int) a, b;
	int cost = 0;

	memset(&t, 0, sizeof(t));
	CHECK_EQ(leat_bucket_init(&t.bucket, 10, 5), 0);
	CHECK_EQ(leat_bucket_take(&t.bucket, 5), 0); /* empty: 100 ms a token */
	t.began = leat_now();
	CHECK_EQ(leat_pipeline_make(&t.p, .live = 10), 0);
	leat_pipeline_source(t.p, &a, &range, count, .name = "source");
	leat_pipeline_map_with(t.p, a, &b, &t, take_cost, .name = "throttle", SERIAL);
	leat_pipeline_sink_with(t.p, b, &t.notes, note, .name = "sink", SERIAL);
	run_pipeline(t.p, 0, &t.ledger);
	check_in_order(&t.notes, 1, 5);
	for (int i = 0; i < 5; i++) {
		cost += i + 1;
		CHECK(about(t.notes.at[i], t.began + cost * LEAT_S / 10));
	}
}

/* "work for real scenario with automatic burst size": over time it is the rate. */
TEST_SIM(throttle_keeps_the_rate, 3)
{
	struct throttled t;

	begin_throttled(&t, 300, 30);
	send_range(t.from, 1, 1001);
	end_throttled(&t, 1000);
	for (int i = 30; i < 1000; i += 97)
		CHECK(about(t.notes.at[i], t.began + (i - 29) * LEAT_S / 300));
}

/* Conflate, of a pipeline and of channels. */
static int sum(int *sum, int *in)
{
	if (*in == 2000)
		return -EDOM;
	*sum += *in;
	return 0;
}

struct conflated {
	leat_chan(int) in, out;
	leat_group group;
	leat_fan *fan;
	leat_ledger ledger;
};

static void begin_conflated(struct conflated *c)
{
	c->in = leat_chan_make(int, 0);
	c->out = leat_chan_make(int, 0);
	c->fan = NULL;
	REQUIRE(leat_group_init(&c->group, NULL) == 0);
	CHECK_EQ(leat_conflate(&c->fan, &c->group, c->in, c->out, sum, .name = "conflate"), 0);
}

static void end_conflated(struct conflated *c, int r)
{
	CHECK_EQ(leat_group_wait(&c->group), r);
	leat_group_release(&c->group);
	leat_fan_destroy(c->fan, ledger_init(&c->ledger));
	check_at_rest(&c->ledger);
	leat_chan_unref(c->in);
	leat_chan_unref(c->out);
}

static void expect(leat_chan(int) c, int value)
{
	int v = -1;

	CHECK_EQ(leat_recv_until(c, &v, leat_in(LEAT_S)), 0);
	CHECK_EQ(v, value);
}

LEAT_TASK(ask, (leat_chan(int), c), (atomic_int *, ret_value))
{
	int v;

	if (leat_recv(c, &v) == 0)
		*ret_value = v;
}

/* "pass-through elements unchanged when there is no rate difference" */
TEST_SIM(conflate_without_rate_difference, 20)
{
	struct conflated c;

	begin_conflated(&c);
	for (int i = 1; i <= 100; i++) {
		CHECK_EQ(leat_send(c.in, i), 0);
		expect(c.out, i);
	}
	leat_close(c.in);
	end_conflated(&c, 0);
	CHECK_EQ(c.ledger.out, 100);
}

/* "conflate elements while downstream is silent" */
TEST_SIM(conflate_while_downstream_is_silent, 20)
{
	struct conflated c;

	begin_conflated(&c);
	send_range(c.in, 1, 101);
	CHECK_EQ(leat_sleep(LEAT_S), 0);
	expect(c.out, 5050);
	leat_close(c.in);
	end_conflated(&c, 0);
	CHECK_EQ(c.ledger.out, 1);
	CHECK_EQ(c.ledger.dropped[LEAT_DROPPED_MERGED], 99);
}

/* ... and what has been added up at the end is not lost. */
TEST_SIM(conflate_until_the_end, 20)
{
	struct conflated c;
	int v;

	begin_conflated(&c);
	send_range(c.in, 1, 11);
	leat_close(c.in);
	test_settle();
	expect(c.out, 55);
	CHECK_EQ(leat_recv(c.out, &v), LEAT_ECLOSED);
	end_conflated(&c, 0);
	CHECK_EQ(c.ledger.out, 1);
}

/* "backpressure subscriber when upstream is slower" */
TEST_SIM(conflate_when_upstream_is_slower, 20)
{
	atomic_int asked = -1;
	struct conflated c;

	begin_conflated(&c);
	CHECK_EQ(leat_send(c.in, 1), 0);
	expect(c.out, 1);
	CHECK_EQ(leat_go(ask, c.out, &asked), 0);
	CHECK_EQ(leat_sleep(LEAT_S / 2), 0);
	CHECK_EQ(asked, -1);
	CHECK_EQ(leat_send(c.in, 2), 0);
	test_settle();
	CHECK_EQ(asked, 2);
	send_range(c.in, 3, 5);
	test_settle();
	expect(c.out, 7);
	leat_close(c.in);
	end_conflated(&c, 0);
}

/* "restart", "resume when aggregate throws": there are neither; the error ends it. */
TEST_SIM(conflate_error_ends_it, 20)
{
	struct conflated c;
	int v;

	begin_conflated(&c);
	CHECK_EQ(leat_send(c.in, 1), 0);
	CHECK_EQ(leat_send(c.in, 2000), 0);
	test_settle();
	CHECK_EQ(leat_send(c.in, 3), LEAT_ECLOSED);
	CHECK_EQ(leat_recv(c.out, &v), LEAT_ECLOSED);
	end_conflated(&c, -EDOM);
}

/* "resume when aggregate throws", of a pipeline's: the sum stays, the item fails. */
static int collect(long *sum, int *in)
{
	leat_sleep(leat_random(2) * 10 * LEAT_MS);
	*sum += *in;
	return 0;
}

static int fast(struct range *range, int *ret_n)
{
	leat_sleep(LEAT_MS);
	return count(range, ret_n);
}

static void conflate_pipeline(size_t buffer, int bad, leat_ledger *l)
{
	struct range range = { bad ? 1990 : 1, bad ? 2011 : 1001 };
	leat_flow(int) a, b;
	leat_pipeline *p;
	long total = 0;

	CHECK_EQ(leat_pipeline_make(&p, .live = 100), 0);
	leat_pipeline_source(p, &a, &range, fast, .name = "source");
	leat_pipeline_conflate(p, a, &b, sum, .name = "conflate", .on_error = LEAT_ERROR_COUNT);
	leat_pipeline_sink_with(p, b, &total, collect, .name = "sink", SERIAL, .buffer = buffer);
	run_pipeline(p, 0, l);
	/* 2000 fails if it is to be added to others, and passes if it comes first. */
	CHECK_EQ(total, bad ? 42000 - (l->failed ? 2000 : 0) : 500500);
}

/* "work on a variable rate chain", "work with a buffer and fold" */
TEST_SIM(conflate_variable_rate, 10)
{
	leat_ledger l;

	conflate_pipeline(0, 0, &l);
	CHECK(l.dropped[LEAT_DROPPED_MERGED] > 100);
	CHECK_EQ(l.out + l.dropped[LEAT_DROPPED_MERGED], 1000);
	conflate_pipeline(50, 0, &l);
	CHECK_EQ(l.out + l.dropped[LEAT_DROPPED_MERGED], 1000);
}

TEST_SIM(conflate_resumes, 30)
{
	leat_ledger l;

	conflate_pipeline(0, 2000, &l);
	CHECK(l.failed <= 1);
}

/* Buffer: of a stage, in backpressured mode. */
TEST_BOTH(buffers_in_a_chain, 5)
{
	static const size_t sizes[] = { 1, 10, 256, 1, 5, 128 };
	struct range range = { 1, 1001 };
	static struct notes notes;
	leat_flow(int) flow, next;
	leat_pipeline *p;
	leat_ledger l;

	memset(&notes, 0, sizeof(notes));
	CHECK_EQ(leat_pipeline_make(&p, .live = 500), 0);
	leat_pipeline_source(p, &flow, &range, count, .name = "source");
	for (int i = 0; i < 6; i++) {
		leat_pipeline_map(p, flow, &next, pass, .name = "buffer", SERIAL,
				  .buffer = sizes[i]);
		flow = next;
	}
	leat_pipeline_sink_with(p, flow, &notes, note, .name = "sink", SERIAL);
	run_pipeline(p, 0, &l);
	check_in_order(&notes, 1, 1000);
}

/* "accept elements that fit in the buffer while downstream is silent" */
TEST_SIM(buffer_while_downstream_is_silent, 20)
{
	leat_chan(int) c = leat_chan_make(int, 100);
	int64_t then = leat_now();

	send_range(c, 1, 101);
	CHECK(leat_now() - then < LEAT_MS);
	CHECK_EQ(leat_try_send(c, 101), -EAGAIN);
	for (int i = 1; i <= 100; i++)
		expect(c, i);
	leat_chan_unref(c);
}

/* The strategies are a pool's: its queue is the buffer, a pause is silence. */
static struct notes taken;

static int take(int *job)
{
	return note(&taken, job);
}

static void overflow(enum leat_overflow strategy, size_t size, int from, int to, leat_ledger *l)
{
	leat_pool(int) pool;
	int refused = 0;

	memset(&taken, 0, sizeof(taken));
	CHECK_EQ(leat_pool_make(&pool, take, .workers = 1, .queue = size, .overflow = strategy,
				.on_error = LEAT_ERROR_STOP), 0);
	CHECK_EQ(leat_pool_pause(pool, LEAT_FOREVER), 0);
	for (int i = 1; i <= 200; i++) {
		int r = leat_pool_submit(pool, i);

		CHECK(r == 0 || (r == -EAGAIN && strategy == LEAT_OVERFLOW_REJECT));
		refused += r < 0;
	}
	CHECK_EQ(refused, strategy == LEAT_OVERFLOW_REJECT ? 200 - (int)size : 0);
	test_settle();
	CHECK_EQ(taken.n, 0);
	leat_pool_resume(pool);
	test_settle();
	CHECK_EQ(leat_pool_submit(pool, to + 1), 0); /* it goes on */
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(l)), 0);
	check_at_rest(l);
	check_in_order(&taken, from, to - from + 2);
}

TEST_SIM(buffer_drops_head, 20)
{
	leat_ledger l;

	overflow(LEAT_OVERFLOW_DROP_OLDEST, 100, 101, 200, &l);
	CHECK_EQ(l.dropped[LEAT_DROPPED_OLDEST], 100);
	overflow(LEAT_OVERFLOW_DROP_OLDEST, 1, 200, 200, &l);
}

TEST_SIM(buffer_drops_what_comes, 20)
{
	leat_ledger l;

	overflow(LEAT_OVERFLOW_DROP_NEWEST, 100, 1, 100, &l);
	CHECK_EQ(l.dropped[LEAT_DROPPED_NEWEST], 100);
	overflow(LEAT_OVERFLOW_DROP_NEWEST, 1, 1, 1, &l);
}

TEST_SIM(buffer_fails_when_full, 20)
{
	leat_ledger l;

	overflow(LEAT_OVERFLOW_REJECT, 100, 1, 100, &l);
	CHECK_EQ(l.in, 101);
}
