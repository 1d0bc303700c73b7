/*
 * The rules of Reactive Streams 1.0.4, which its TCK tests: each that can exist is a test, named
 * by the rule's number (101 is 1.1).  README.md has the others.
 *
 * A publisher is a pipeline's source, or who sends to a channel; a subscriber the sink, or who
 * receives.  Demand is room: a place among the live items, a receiver that waits.  A cancel is the
 * sink's "enough", an abort, or an abandoned channel.
 */
#include "flows.h"

#include <limits.h>

enum { LIVE = 4 };

/* source -> serial stage -> sink that asks for one item at a time: what there is of demand. */
struct stream {
	struct range range;
	struct notes notes;
	leat_sem demand;
	leat_pipeline *p;
	leat_ledger ledger;
};

static void make_stream(struct stream *s, int n)
{
	leat_flow(int) a, b;

	memset(s, 0, sizeof(*s));
	s->range.end = n;
	no_demand(&s->demand);
	s->notes.demand = &s->demand;
	CHECK_EQ(leat_pipeline_make(&s->p, .live = LIVE), 0);
	leat_pipeline_source(s->p, &a, &s->range, count, .name = "publisher");
	leat_pipeline_map(s->p, a, &b, pass, .name = "processor", SERIAL, .buffer = 2);
	leat_pipeline_sink_with(s->p, b, &s->notes, note, .name = "subscriber", SERIAL);
	CHECK_EQ(leat_pipeline_start(s->p), 0);
}

/* 101, 308: never more than was asked for, and requests add up. */
TEST_SIM(rule_101_demand_is_never_exceeded, 30)
{
	struct stream s;
	int asked = 0;

	make_stream(&s, 200);
	while (asked < 200) {
		int n = 1 + (int)leat_random(5);

		n = n < 200 - asked ? n : 200 - asked;
		leat_sem_release(&s.demand, n);
		asked += n;
		test_settle();
		CHECK_EQ(s.notes.n, asked);
		CHECK(s.range.next <= asked + LIVE);
	}
	end_pipeline(s.p, 0, &s.ledger);
	check_in_order(&s.notes, 0, 200);
}

/* The same on the workers, of plain channels: a send returns when somebody has asked. */
static atomic_int sent, asked;

LEAT_TASK(publish, (leat_chan(int), to), (int, n))
{
	for (int i = 0; i < n; i++) {
		CHECK_EQ(leat_send(to, i), 0);
		CHECK(atomic_fetch_add(&sent, 1) < asked);
	}
	leat_close(to);
}

TEST_BOTH(rule_101_of_a_channel, 20)
{
	leat_chan(int) c = leat_chan_make(int, 0);
	int v = -1;

	sent = asked = 0;
	CHECK_EQ(leat_go(publish, c, 500), 0);
	for (int i = 0; i < 500; i++) {
		atomic_fetch_add(&asked, 1);
		CHECK_EQ(leat_recv(c, &v), 0);
		CHECK_EQ(v, i);
	}
	CHECK_EQ(leat_recv(c, &v), LEAT_ECLOSED);
	CHECK_EQ(sent, 500);
	leat_chan_unref(c);
}

/* 102, 105: fewer than asked for, and the end is said: 0 from the wait, a closed channel. */
TEST_BOTH(rule_105_the_end_is_signalled, 20)
{
	leat_chan(int) c = leat_chan_make(int, 0);
	struct range range = { 0, 3 };
	leat_pipeline *p;
	leat_flow(int) a;
	leat_ledger l;
	int n = 0;

	CHECK_EQ(leat_pipeline_make(&p, .live = 100), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "publisher");
	leat_pipeline_to(p, a, c, .name = "subscriber");
	CHECK_EQ(leat_pipeline_start(p), 0);
	leat_range(v, c)
		CHECK_EQ(v, n++);
	CHECK_EQ(n, 3);
	end_pipeline(p, 0, &l);
	leat_chan_unref(c);
}

/* 103: signals come one after the other, each before the next: 100 runs; TSan sees the memory. */
struct serial {
	int busy, n;		/* of no atomic type */
};

static int one_signal(struct serial *s, int *in)
{
	(void)in;
	CHECK_EQ(s->busy++, 0);
	s->n++;
	leat_yield();
	s->busy--;
	return 0;
}

static int to_pointer(int *in, int **ret_out)
{
	*ret_out = malloc(sizeof(int));
	**ret_out = *in;	/* 211: written here, read in the sink */
	return 0;
}

static int one_pointer(struct serial *s, int **in)
{
	CHECK(**in >= 0 && **in < 50);
	one_signal(s, *in);
	free(*in);
	return 0;
}

TEST_BOTH(rule_103_211_signals_are_serial, 10)
{
	for (int run = 0; run < 100; run++) {
		struct range range = { 0, 50 };
		struct serial serial = { 0 };
		leat_flow(int *) b;
		leat_pipeline *p;
		leat_flow(int) a;
		leat_ledger l;

		CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
		leat_pipeline_source(p, &a, &range, count, .name = "publisher");
		leat_pipeline_map(p, a, &b, to_pointer, .name = "processor", PARALLEL(4));
		leat_pipeline_sink_with(p, b, &serial, one_pointer, .name = "subscriber", SERIAL);
		run_pipeline(p, 0, &l);
		CHECK_EQ(serial.n, 50);
	}
}

/* 104: the publisher's failure is the stream's. */
static int count_and_fail(struct range *range, int *ret_n)
{
	return range->next == 10 ? -EIO : count(range, ret_n);
}

static void failing_source(leat_sem *demand, struct notes *notes, leat_ledger *l)
{
	struct range range = { 0, 100 };
	leat_pipeline *p;
	leat_flow(int) a;

	notes->demand = demand;
	CHECK_EQ(leat_pipeline_make(&p, .live = 100), 0);
	leat_pipeline_source(p, &a, &range, count_and_fail, .name = "publisher");
	leat_pipeline_sink_with(p, a, notes, note, .name = "subscriber", SERIAL, .buffer = 100);
	run_pipeline(p, -EIO, l);
}

TEST_BOTH(rule_104_a_failure_is_signalled, 20)
{
	struct notes notes = { 0 };
	leat_ledger l;

	failing_source(NULL, &notes, &l);
	CHECK(is_sorted(&notes) && notes.n <= 10);
	CHECK_EQ(l.in, 10);
	CHECK_EQ(l.out, (uint64_t)notes.n);
}

/* 106, 204, 306, 307, 315, 316: after the end, whatever is asked for or cancelled does nothing. */
TEST_BOTH(rule_106_nothing_after_the_end, 20)
{
	leat_chan(int) c = leat_chan_make(int, 5);
	struct notes notes = { 0 };
	leat_pipeline *p;
	leat_flow(int) a;
	leat_ledger l;

	CHECK_EQ(leat_pipeline_make(&p, .live = 5), 0);
	leat_pipeline_from(p, &a, c, .name = "publisher");
	leat_pipeline_sink_with(p, a, &notes, note, .name = "subscriber", SERIAL);
	CHECK_EQ(leat_pipeline_start(p), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(leat_send(c, i), 0);
	leat_close(c);
	CHECK_EQ(leat_pipeline_wait(p), 0);
	leat_pipeline_shutdown(p);
	leat_pipeline_abort(p, -EIO);
	CHECK_EQ(leat_send(c, 6), LEAT_ECLOSED);
	end_pipeline(p, 0, &l);
	check_in_order(&notes, 0, 5);
	CHECK_EQ(l.in, 5);
	leat_chan_unref(c);
}

/* 107: a channel that has ended stays so, for who receives and for who sends. */
TEST_BOTH(rule_107_the_end_is_final, 5)
{
	leat_chan(int) c = leat_chan_make(int, 3);
	int v = 7;

	CHECK_EQ(leat_send(c, 1), 0);
	leat_close(c);
	CHECK_EQ(leat_recv(c, &v), 0);
	for (int i = 0; i < 100; i++) {
		v = 7;
		CHECK_EQ(leat_recv(c, &v), LEAT_ECLOSED);
		CHECK_EQ(v, 0);
		CHECK_EQ(leat_try_recv(c, &v), LEAT_ECLOSED);
		CHECK_EQ(leat_send(c, 1), LEAT_ECLOSED);
	}
	leat_chan_unref(c);
}

/* 108, 312: after a cancel the signals stop, though there is demand and there are items. */
TEST_SIM(rule_108_after_a_cancel_signals_stop, 30)
{
	struct stream s;
	int made, seen;

	make_stream(&s, INT_MAX);
	leat_sem_release(&s.demand, 10);
	test_settle();
	CHECK_EQ(s.notes.n, 10);
	leat_pipeline_abort(s.p, 0);
	leat_sem_release(&s.demand, 1000);
	test_settle();
	made = s.range.next;
	seen = s.notes.n;
	CHECK(made <= 10 + LIVE);
	CHECK(seen <= 11);	/* the one that was under way */
	test_settle();
	CHECK_EQ(s.range.next, made);
	CHECK_EQ(s.notes.n, seen);
	end_pipeline(s.p, -ECANCELED, &s.ledger);
	CHECK_EQ(s.notes.n, seen);
	CHECK_EQ(s.ledger.out + s.ledger.cancelled, (uint64_t)made);
}

/* 109: a stream that cannot be is refused before anything is signalled. */
TEST_WITH(rule_109_refused_before_the_first_signal, .log = log_line)
{
	struct range range = { 0, 10 };
	leat_flow(int) a, b;
	leat_pipeline *p;

	CHECK_EQ(leat_pipeline_make(&p, .live = 1), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "publisher");
	leat_pipeline_map(p, a, &b, pass, .name = "processor", SERIAL);
	CHECK_EQ(leat_pipeline_start(p), -EINVAL); /* no subscriber */
	CHECK_EQ(range.next, 0);
	CHECK_EQ(leat_pipeline_destroy(p, NULL), 0);
	CHECK_EQ(leat_pipeline_start(NULL), -EINVAL);
}

/* 110, 111: several subscribers: of a channel each item is one's; of a broadcast everyone's. */
static void subscribe(leat_chan(int) c, struct notes *notes, leat_pipeline **ret_p)
{
	leat_flow(int) a;

	CHECK_EQ(leat_pipeline_make(ret_p, .live = 3), 0);
	leat_pipeline_from(*ret_p, &a, c, .name = "publisher");
	leat_pipeline_sink_with(*ret_p, a, notes, note, .name = "subscriber", SERIAL);
	CHECK_EQ(leat_pipeline_start(*ret_p), 0);
}

TEST_BOTH(rule_111_unicast, 20)
{
	static struct notes notes[3];
	leat_chan(int) c = leat_chan_make(int, 0);
	leat_pipeline *p[3];
	leat_ledger l;

	memset(notes, 0, sizeof(notes));
	for (int k = 0; k < 3; k++)
		subscribe(c, &notes[k], &p[k]);
	for (int i = 0; i < 300; i++)
		CHECK_EQ(leat_send(c, i), 0);
	leat_close(c);
	for (int k = 0; k < 3; k++) {
		end_pipeline(p[k], 0, &l);
		CHECK(is_sorted(&notes[k]));
		for (int i = 0; k > 0 && i < notes[k].n; i++)
			notes[0].item[notes[0].n++] = notes[k].item[i];
	}
	check_all(&notes[0], 0, 300);
	leat_chan_unref(c);
}

TEST_BOTH(rule_111_multicast, 20)
{
	static struct notes notes[3];
	leat_chan(int) c = leat_chan_make(int, 0), out[3];
	leat_pipeline *p[3];
	leat_group group;
	leat_fan *fan;
	leat_ledger l;

	memset(notes, 0, sizeof(notes));
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int k = 0; k < 3; k++) {
		out[k] = leat_chan_make(int, 0);
		subscribe(out[k], &notes[k], &p[k]);
	}
	CHECK_EQ(leat_broadcast(&fan, &group, c, out, 3, .end = LEAT_FAN_ALL), 0);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(leat_send(c, i), 0);
	leat_close(c);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	leat_fan_destroy(fan, NULL);
	for (int k = 0; k < 3; k++) {
		end_pipeline(p[k], 0, &l);
		check_in_order(&notes[k], 0, 100);
		leat_chan_unref(out[k]);
	}
	leat_chan_unref(c);
}

/* 205: a second publisher that nobody is subscribed to, a second subscriber for a flow: refused. */
TEST_WITH(rule_205_one_subscription, .log = log_line)
{
	struct range range = { 0, 10 };
	struct notes notes = { 0 };
	leat_flow(int) a, b;
	leat_pipeline *p;

	CHECK_EQ(leat_pipeline_make(&p, .live = 1), 0);
	CHECK_EQ(leat_pipeline_source(p, &a, &range, count, .name = "publisher"), 0);
	CHECK_EQ(leat_pipeline_source(p, &b, &range, count, .name = "second"), 0);
	CHECK_EQ(leat_pipeline_sink_with(p, a, &notes, note, .name = "subscriber", SERIAL), 0);
	CHECK_EQ(leat_pipeline_start(p), -EINVAL);
	CHECK(strstr(logged, "no stage takes the flow of stage second"));
	CHECK_EQ(leat_pipeline_map(p, a, &b, pass, .name = "third", SERIAL), -EINVAL);
	CHECK(strstr(logged, "subscriber"));
	CHECK_EQ(leat_pipeline_run(p), -EINVAL); /* it remembers */
	CHECK_EQ(notes.n, 0);
	CHECK_EQ(leat_pipeline_destroy(p, NULL), 0);
}

/* 212: started once. */
TEST_DEATH_TASK(rule_212_started_twice, "it has been started already")
{
	struct stream s;

	make_stream(&s, 1);
	CHECK_EQ(leat_pipeline_start(s.p), 0);
}

/* 206, 313: who wants no more says so, and what is above lets go of everything. */
static int enough_at_five(struct notes *notes, int *item)
{
	notes->item[notes->n++] = *item;
	return notes->n == 5 ? LEAT_ECLOSED : 0;
}

static atomic_int dropped;

static void count_drop(int *item)
{
	(void)item;
	atomic_fetch_add(&dropped, 1);
}

LEAT_TASK(send_until_refused, (leat_chan(int), to), (int *, ret_sent))
{
	while (leat_send(to, *ret_sent) == 0)
		++*ret_sent;
}

TEST_BOTH(rule_206_cancel_reaches_the_publisher, 30)
{
	leat_chan(int) c = leat_chan_make_drop(int, 3, count_drop);
	struct notes notes = { 0 };
	leat_pipeline *p;
	leat_group group;
	leat_flow(int) a;
	leat_ledger l;
	int n = 0;

	atomic_store(&dropped, 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, send_until_refused, c, &n), 0);
	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	leat_pipeline_from(p, &a, c, .name = "publisher",
			   .drop = LEAT_STAGE_DROP(int, count_drop));
	leat_pipeline_sink_with(p, a, &notes, enough_at_five, .name = "subscriber", SERIAL);
	run_pipeline(p, 0, &l);
	CHECK_EQ(leat_group_wait(&group), 0); /* the publisher has been told */
	leat_group_release(&group);
	check_in_order(&notes, 0, 5);
	CHECK_EQ(l.out, 5);
	/* Each that was sent has been used or dropped; nobody holds it. */
	CHECK_EQ(n, 5 + dropped);
	leat_chan_unref(c);
}

/* 207, 305, 307: any number of cancels, from anywhere, at once: the first cause stays. */
LEAT_TASK(cancel_stream, (leat_pipeline *, p), (int, i))
{
	if (i % 3 == 0)
		leat_pipeline_shutdown(p);
	else
		leat_pipeline_abort(p, -EIO);
}

TEST_BOTH(rule_305_cancels_are_idempotent, 50)
{
	struct stream s;
	leat_group group;

	make_stream(&s, INT_MAX);
	leat_sem_release(&s.demand, 100);
	leat_sleep(LEAT_MS / 10);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 30; i++)
		CHECK_EQ(leat_go_in(&group, cancel_stream, s.p, i), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	leat_pipeline_abort(s.p, -EPERM);
	leat_pipeline_shutdown(s.p);
	end_pipeline(s.p, -EIO, &s.ledger);
}

/* 208: what is under way when it is cancelled comes to exactly one end. */
struct box {
	int *owned;
};

static atomic_int made, ended;

static int make_box(struct range *range, struct box *ret_box)
{
	int n, r = count(range, &n);

	if (r < 0)
		return r;
	ret_box->owned = malloc(sizeof(int));
	*ret_box->owned = n;
	made++;
	return 0;
}

static void end_box(struct box *box)
{
	free(box->owned);
	atomic_fetch_add(&ended, 1);
}

static int pass_box(struct box *in, struct box *ret_out)
{
	if (leat_sleep((int64_t)leat_random(30) * LEAT_US) < 0)
		return -ECANCELED;
	*ret_out = *in;
	return 0;
}

static int use_box(struct box *box)
{
	end_box(box);
	return 0;
}

TEST_BOTH(rule_208_under_way_at_the_cancel, 100)
{
	struct range range = { 0, INT_MAX };
	leat_flow(struct box) a, b;
	leat_pipeline *p;
	leat_ledger l;

	made = ended = 0;
	CHECK_EQ(leat_pipeline_make(&p, .live = 16), 0);
	leat_pipeline_source(p, &a, &range, make_box, .name = "publisher",
			     .drop = LEAT_STAGE_DROP(struct box, end_box));
	leat_pipeline_map(p, a, &b, pass_box, .name = "processor", ORDERED(4, 4), .buffer = 2,
			  .drop = LEAT_STAGE_DROP(struct box, end_box));
	leat_pipeline_sink(p, b, use_box, .name = "subscriber", PARALLEL(2), .buffer = 2);
	CHECK_EQ(leat_pipeline_start(p), 0);
	leat_sleep((int64_t)leat_random(500) * LEAT_US);
	leat_pipeline_abort(p, 0);
	end_pipeline(p, -ECANCELED, &l);
	CHECK_EQ(made, ended);
	CHECK_EQ(l.in, (uint64_t)made);
}

/* 209, 210: the end and a failure come also to who has asked for nothing. */
TEST_SIM(rule_209_the_end_without_demand, 20)
{
	struct stream s;

	make_stream(&s, 0);
	end_pipeline(s.p, 0, &s.ledger);
	CHECK_EQ(s.notes.n, 0);
}

TEST_SIM(rule_210_a_failure_without_demand, 20)
{
	struct notes notes = { 0 };
	leat_sem none;
	leat_ledger l;

	no_demand(&none);
	failing_source(&none, &notes, &l);
	CHECK_EQ(notes.n, 0);
	CHECK_EQ(l.cancelled, 10);
}

/* 302: from inside of a signal, more can be asked for, and it can be cancelled. */
static leat_pipeline *inside;

static int shut_down_inside(struct notes *notes, int *item)
{
	leat_ledger l;

	CHECK_EQ(leat_pipeline_ledger(inside, ledger_init(&l)), 0);
	CHECK(l.in_flight > 0);
	notes->item[notes->n++] = *item;
	if (notes->n == 3)
		leat_pipeline_shutdown(inside);
	return 0;
}

static int abort_inside(struct notes *notes, int *item)
{
	notes->item[notes->n++] = *item;
	if (notes->n == 3)
		leat_pipeline_abort(inside, -EIO);
	return 0;
}

static void cancel_inside(int (*sink)(struct notes *, int *), int r)
{
	struct range range = { 0, INT_MAX };
	struct notes notes = { 0 };
	leat_flow(int) a;
	leat_ledger l;

	CHECK_EQ(leat_pipeline_make(&inside, .live = LIVE), 0);
	leat_pipeline_source(inside, &a, &range, count, .name = "publisher");
	leat_pipeline_sink_with(inside, a, &notes, sink, .name = "subscriber", SERIAL);
	run_pipeline(inside, r, &l);
	CHECK(notes.n >= 3 && notes.n <= 3 + LIVE);
	check_in_order(&notes, 0, notes.n);
	CHECK_EQ(l.out, (uint64_t)notes.n);
}

TEST_BOTH(rule_302_shutdown_inside_of_a_signal, 30)
{
	cancel_inside(shut_down_inside, 0);
}

TEST_BOTH(rule_302_abort_inside_of_a_signal, 30)
{
	cancel_inside(abort_inside, -EIO);
}

/* 303: signals do not nest: the stack does not grow with the items. */
struct depth {
	uint64_t task;
	uintptr_t lowest, highest;
	int n;
};

static int measure(struct depth *d, int *in)
{
	char here;
	uintptr_t at = (uintptr_t)&here;

	(void)in;
	if (d->task != leat_task_id()) {
		d->task = leat_task_id();
		d->lowest = d->highest = at;
	}
	d->lowest = at < d->lowest ? at : d->lowest;
	d->highest = at > d->highest ? at : d->highest;
	CHECK(d->highest - d->lowest < 1024);
	d->n++;
	return 0;
}

TEST_BOTH(rule_303_recursion_is_bounded, 2)
{
	int n = test_slow() ? 5000 : 50000;
	struct range range = { 0, n };
	struct depth depth = { 0 };
	leat_flow(int) a, b, c;
	leat_pipeline *p;
	leat_ledger l;

	CHECK_EQ(leat_pipeline_make(&p, .live = 64), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "publisher");
	leat_pipeline_map(p, a, &b, pass, .name = "first", SERIAL, .buffer = 64);
	leat_pipeline_map(p, b, &c, pass, .name = "second", SERIAL, .buffer = 64);
	leat_pipeline_sink_with(p, c, &depth, measure, .name = "subscriber", SERIAL, .buffer = 64);
	run_pipeline(p, 0, &l);
	CHECK_EQ(depth.n, n);
}

/* 304, 305: asking and cancelling do not wait, whatever the functions do. */
static leat_sem never;

static int deaf(int *in)
{
	(void)in;
	leat_shield_begin();
	CHECK_EQ(leat_sem_acquire(&never, 1), 0);
	leat_shield_end();
	return 0;
}

TEST_SIM(rule_305_a_cancel_does_not_wait, 20)
{
	struct range range = { 0, 100 };
	leat_pipeline *p;
	leat_flow(int) a;
	leat_ledger l;
	int64_t then;

	no_demand(&never);
	CHECK_EQ(leat_pipeline_make(&p, .live = LIVE), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "publisher");
	leat_pipeline_sink(p, a, deaf, .name = "subscriber", PARALLEL(2));
	CHECK_EQ(leat_pipeline_start(p), 0);
	test_settle();
	then = leat_now();
	leat_no_park_begin();
	leat_pipeline_shutdown(p);
	leat_pipeline_abort(p, 0);
	leat_no_park_end();
	CHECK(leat_now() - then < LEAT_MS);
	leat_sem_release(&never, 100);
	end_pipeline(p, -ECANCELED, &l);
	CHECK_EQ(l.out, 2);
}

/* 309: no demand at all, or less, is an error that says so. */
TEST_WITH(rule_309_demand_that_is_not_positive, .log = log_line)
{
	leat_pipeline *p;

	CHECK_EQ(leat_pipeline_make(&p, .live = 0), -EINVAL);
	CHECK(strstr(logged, "live is 0"));
	CHECK_EQ(leat_pipeline_make(&p, .live = 1, .live_bytes = -1), -EINVAL);
	CHECK(strstr(logged, "live_bytes is -1"));
}

/* 317: any number of requests, and demand without a bound. */
TEST_BOTH(rule_317_unbounded_demand, 5)
{
	leat_chan(int) in = leat_chan_make(int, 0), out = leat_chan_make(int, 0);
	leat_group group;
	leat_fan *fan;
	int n = 0;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	sent = 0;
	asked = INT_MAX;
	CHECK_EQ(leat_go_in(&group, publish, in, 1000), 0);
	CHECK_EQ(leat_take(&fan, &group, in, out, UINT64_MAX, .name = "take"), 0);
	leat_range(v, out)
		CHECK_EQ(v, n++);
	CHECK_EQ(n, 1000);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	leat_fan_destroy(fan, NULL);
	leat_chan_unref(in);
	leat_chan_unref(out);
}

TEST_WITH(rule_317_more_than_memory, .log = log_line)
{
	leat_pipeline *p = NULL;
	int r = leat_pipeline_make(&p, .live = SIZE_MAX);

	CHECK(r == -EINVAL || r == -ENOMEM);
	r = leat_pipeline_make(&p, .live = SIZE_MAX / 64 + 2);
	CHECK(r == -EINVAL || r == -ENOMEM);
	CHECK(!p);
}

/* 402: a processor recovers from a failure, or hands it on at once. */
static int tenth_fails(int *in, int *ret_out)
{
	*ret_out = *in;
	return *in % 10 == 9 ? -EIO : 0;
}

static void processor_fails(enum leat_on_error on_error, int r, struct notes *notes, leat_ledger *l)
{
	struct range range = { 0, 100 };
	leat_flow(int) a, b;
	leat_pipeline *p;

	CHECK_EQ(leat_pipeline_make(&p, .live = LIVE), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "publisher");
	leat_pipeline_map(p, a, &b, tenth_fails, .name = "processor", .mode = LEAT_STAGE_SERIAL,
			  .on_error = on_error);
	leat_pipeline_sink_with(p, b, notes, note, .name = "subscriber", SERIAL);
	run_pipeline(p, r, l);
}

TEST_BOTH(rule_402_a_failure_is_handed_on, 20)
{
	struct notes notes = { 0 };
	leat_ledger l;

	processor_fails(LEAT_ERROR_STOP, -EIO, &notes, &l);
	CHECK(notes.n <= 9 && is_sorted(&notes));
	CHECK_EQ(l.failed, 1);
}

TEST_BOTH(rule_402_a_failure_is_recovered, 20)
{
	struct notes notes = { 0 };
	leat_ledger l;

	processor_fails(LEAT_ERROR_COUNT, 0, &notes, &l);
	CHECK_EQ(notes.n, 90);
	CHECK(is_sorted(&notes));
	CHECK_EQ(l.failed, 10);
	CHECK_EQ(l.out, 90);
}
