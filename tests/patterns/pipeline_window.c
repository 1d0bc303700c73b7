/*
 * The window of ordered stages under load: several workers, gaps, flat functions, stops; on threads
 * and in simulation.  Whatever the order in which items are done, what comes out is in theirs, each
 * that was made ends once, and no ledger that is looked at meanwhile counts one twice.
 */
#include "patterns.h"

#include <leat/leat.h>

enum { ITEMS = 300, GAP = -1, PARTS = 8 };

struct box {
	int n;			/* of the item; of a part: n * PARTS + part */
	int *owned;		/* NULL: a gap's */
};

struct run {
	int next;		/* of the source */
	uint64_t salt;
	int64_t nap;		/* of some items, at most */
	int64_t gap_after;	/* 0: none */
	bool flat;
	size_t ahead;
	int enough;		/* for the sink; 0: all */
	int last;		/* that came out; -1: none yet */
	int gaps;		/* since then */
	int used;
	leat_pipeline *p;
	atomic_bool over;
};

static atomic_int made, ended;
static struct run *run;		/* for what has no state */

static struct box make_box(int n)
{
	atomic_fetch_add(&made, 1);
	return (struct box){ n, malloc(1) };
}

static void end_box(struct box *box)
{
	atomic_fetch_add(&ended, box->owned != NULL);
	free(box->owned);
}

static uint64_t hash(int n)
{
	uint64_t x = ((uint64_t)n + 1) * (run->salt | 1);

	x ^= x >> 32;
	x *= 0x9e3779b97f4a7c15u;
	return x ^ x >> 29;
}

/* What becomes of item n: nothing, an error, or parts (of a map: one). */
static bool is_skipped(int n)
{
	return hash(n) % 8 == 0;
}

static bool is_bad(int n)
{
	return hash(n) % 8 == 1;
}

static int parts_of(int n)
{
	return is_skipped(n) || is_bad(n) ? 0 : run->flat ? (int)(hash(n) >> 8 & 7) : 1;
}

static int next_box(struct run *r, struct box *ret_box)
{
	if (r->next == ITEMS)
		return LEAT_ECLOSED;
	*ret_box = make_box(r->next++);
	return 0;
}

static void work_on(int n)
{
	uint64_t how = hash(n) >> 16 & 15;
	volatile uint64_t x = 0;

	if (how == 0)
		(void)!leat_sleep((int64_t)leat_random((uint64_t)run->nap));
	else if (how == 1)
		leat_yield();
	else
		for (uint64_t i = 0; i < how * 50; i++)
			x = x + i;
}

static int do_map(struct box *in, struct box *ret_out)
{
	work_on(in->n);
	if (is_bad(in->n))
		return -EBADMSG;
	if (is_skipped(in->n)) {
		end_box(in);
		return LEAT_SKIP;
	}
	*ret_out = *in;
	return 0;
}

static int do_flat(struct box *in, leat_emitter(struct box) out)
{
	work_on(in->n);
	if (is_bad(in->n))
		return -EBADMSG;
	for (int i = 0; i < parts_of(in->n); i++) {
		struct box part = make_box(in->n * PARTS + i);
		int r = leat_emit(out, part);

		if (r < 0) {
			end_box(&part);
			return r;
		}
		if (hash(in->n) % 3 == 0)
			leat_yield();
	}
	end_box(in);
	return 0;
}

static void mark_gap(struct box *ret_box)
{
	ret_box->n = GAP;
}

/* What was left out between those that came out before n: each that was made has its gap. */
static void check_gaps(int n)
{
	int late = 0;

	for (int i = run->last + 1; i < n; i++)
		late += parts_of(i) > 0;
	CHECK(late <= run->gaps && run->gaps <= n - run->last - 1);
	run->gaps = 0;
}

/* The next item that has parts has come, or the next part. */
static void check_next(int n)
{
	int item = run->last < 0 ? 0 : run->last / PARTS;
	int part = run->last < 0 ? 0 : run->last % PARTS + 1;

	for (; part >= parts_of(item); part = 0)
		item++;
	CHECK_EQ(n, item * PARTS + part);
}

static int use(struct run *r, struct box *box)
{
	if (box->n == GAP) {
		r->gaps++;
		return 0;
	}
	if (r->flat)
		check_next(box->n);
	else
		check_gaps(box->n);
	r->last = box->n;
	end_box(box);
	return ++r->used == r->enough ? LEAT_ECLOSED : 0;
}

LEAT_TASK(watch_ledger, (struct run *, r))
{
	leat_ledger l;

	while (!atomic_load(&r->over)) {
		CHECK_EQ(leat_pipeline_stage_ledger(r->p, 1, ledger_init(&l)), 0);
		CHECK(l.in >= l.out + l.failed + ledger_dropped(&l) + l.cancelled + l.in_flight);
		CHECK_EQ(leat_sleep(20 * LEAT_US), 0);
	}
}

LEAT_TASK(abort_it, (leat_pipeline *, p), (int64_t, after))
{
	CHECK_EQ(leat_sleep(after), 0);
	leat_pipeline_abort(p, -EBADMSG);
}

#define END .drop = LEAT_STAGE_DROP(struct box, end_box)

static void build(struct run *r)
{
	enum leat_on_error count = LEAT_ERROR_COUNT;
	leat_flow(struct box) a, b;

	CHECK_EQ(leat_pipeline_make(&r->p, .live = 64), 0);
	leat_pipeline_source(r->p, &a, r, next_box, .name = "boxes", END);
	if (r->flat)
		leat_pipeline_flat(r->p, a, &b, do_flat, .name = "flat", .on_error = count,
				   .mode = LEAT_STAGE_ORDERED, .workers = 1 + (int)leat_random(6),
				   .window = 1 + leat_random(6), .ahead = 1 + leat_random(9),
				   .buffer = leat_random(9), END);
	else
		leat_pipeline_map(r->p, a, &b, do_map, .name = "map", .on_error = count,
				  .mode = LEAT_STAGE_ORDERED, .workers = 1 + (int)leat_random(6),
				  .window = 1 + leat_random(6), .buffer = leat_random(9), END,
				  .gap_after = r->gap_after,
				  .gap = r->gap_after > 0 ? LEAT_STAGE_GAP(struct box, mark_gap)
							  : NULL);
	leat_pipeline_sink_with(r->p, b, r, use, .name = "use", .mode = LEAT_STAGE_SERIAL,
				.on_error = count, .buffer = leat_random(9));
}

static void check_end(struct run *r)
{
	leat_ledger l;
	uint64_t bad = 0, made_parts = 0;

	for (int i = 0; i < ITEMS; i++) {
		bad += is_bad(i);
		made_parts += (uint64_t)parts_of(i);
	}
	CHECK_EQ(leat_pipeline_stage_ledger(r->p, 1, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.in, ITEMS);
	CHECK_EQ(l.failed, bad);
	CHECK_EQ((uint64_t)r->used + l.dropped[LEAT_DROPPED_LATE], made_parts);
	if (!r->flat)
		check_gaps(ITEMS);
}

static void run_once(struct run *r, int64_t abort_after)
{
	leat_ledger l;
	leat_group group;

	run = r;
	made = ended = 0;
	r->last = -1;
	r->salt = leat_random(UINT64_MAX);
	r->nap = 1 + (int64_t)leat_random(60 * LEAT_US);
	build(r);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, watch_ledger, r), 0);
	if (abort_after > 0)
		CHECK_EQ(leat_go_in(&group, abort_it, r->p, abort_after), 0);
	CHECK_EQ(leat_pipeline_start(r->p), 0);
	(void)!leat_pipeline_wait(r->p);
	atomic_store(&r->over, true);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	if (abort_after == 0 && r->enough == 0)
		check_end(r);
	leat_pipeline_destroy(r->p, ledger_init(&l));
	check_at_rest(&l);
	CHECK_EQ(made, ended);
}

TEST_BOTH(items_come_out_in_order, 100)
{
	for (int i = 0; i < 5; i++)
		run_once(&(struct run){ 0 }, 0);
}

TEST_BOTH(items_come_out_in_order_or_late, 100)
{
	for (int i = 0; i < 5; i++)
		run_once(&(struct run){ .gap_after = 1 + (int64_t)leat_random(50 * LEAT_US) }, 0);
}

TEST_BOTH(parts_come_out_in_order, 100)
{
	for (int i = 0; i < 5; i++)
		run_once(&(struct run){ .flat = true }, 0);
}

TEST_BOTH(a_window_is_stopped, 200)
{
	bool flat = leat_random(2), gaps = !flat && leat_random(2);
	struct run r = { .flat = flat, .gap_after = gaps ? 5 * LEAT_US : 0 };

	if (leat_random(2))
		r.enough = 1 + (int)leat_random(ITEMS);
	run_once(&r, r.enough > 0 ? 0 : 1 + (int64_t)leat_random(LEAT_MS));
}

/* Two ways in order: the sink of one has enough at some moment, the other goes on to its end. */
static int clone_box(const struct box *box, struct box *ret_copy)
{
	*ret_copy = make_box(box->n);
	return 0;
}

struct way {
	int last, used, enough;
};

static int use_way(struct way *way, struct box *box)
{
	if (box->n == GAP)
		return 0;
	CHECK(box->n > way->last);
	way->last = box->n;
	end_box(box);
	return ++way->used == way->enough ? LEAT_ECLOSED : 0;
}

TEST_BOTH(a_window_is_cut, 200)
{
	struct run r = { .salt = leat_random(UINT64_MAX), .nap = 20 * LEAT_US };
	struct way way[2] = { { -1, 0, 1 + (int)leat_random(ITEMS / 2) }, { -1, 0, 0 } };
	int64_t gap_after = leat_random(2) ? 5 * LEAT_US : 0;
	int good = 0;
	leat_flow(struct box) a, copy[2], out[2];
	leat_ledger l;

	run = &r;
	made = ended = 0;
	CHECK_EQ(leat_pipeline_make(&r.p, .live = 1 + leat_random(64)), 0);
	leat_pipeline_source(r.p, &a, &r, next_box, .name = "boxes", END);
	leat_pipeline_broadcast(r.p, a, copy, 2, .name = "cast", .end = LEAT_FAN_ALL,
				.clone = LEAT_STAGE_CLONE(struct box, clone_box),
				.on_error = LEAT_ERROR_STOP);
	for (int i = 0; i < 2; i++) {
		leat_pipeline_map(r.p, copy[i], &out[i], do_map, .name = "map",
				  .on_error = LEAT_ERROR_COUNT, .mode = LEAT_STAGE_ORDERED,
				  .workers = 1 + (int)leat_random(6), .window = 1 + leat_random(6),
				  .buffer = leat_random(9), END,
				  .gap_after = i == 0 ? gap_after : 0,
				  .gap = i == 0 && gap_after > 0
						 ? LEAT_STAGE_GAP(struct box, mark_gap)
						 : NULL);
		leat_pipeline_sink_with(r.p, out[i], &way[i], use_way, .name = "use",
					.mode = LEAT_STAGE_SERIAL, .on_error = LEAT_ERROR_COUNT,
					.buffer = leat_random(9));
	}
	CHECK_EQ(leat_pipeline_run(r.p), 0);
	for (int i = 0; i < ITEMS; i++)
		good += parts_of(i);
	CHECK_EQ(way[1].used, good);
	CHECK(way[0].used <= way[0].enough);
	for (size_t i = 0; leat_pipeline_stage_ledger(r.p, i, ledger_init(&l)) == 0; i++)
		check_at_rest(&l);
	leat_pipeline_destroy(r.p, ledger_init(&l));
	check_at_rest(&l);
	CHECK_EQ(l.in, ITEMS);
	CHECK_EQ(made, ended);
}

/* Nothing is to be done but to hand on, so the workers meet there all the time. */
struct counter {
	int next, end;
};

static int next_number(struct counter *c, int *ret_n)
{
	if (c->next == c->end)
		return LEAT_ECLOSED;
	*ret_n = c->next++;
	return 0;
}

static int copy(int *n, int *ret_n)
{
	*ret_n = *n;
	return 0;
}

static int must_be_next(struct counter *c, int *n)
{
	CHECK_EQ(*n, c->next);
	c->next = *n + 1;
	return *n < c->end ? 0 : -EBADMSG;
}

TEST_WITH(none_is_left_where_all_meet, .workers = 3)
{
	int end = test_slow() ? 30000 : 600000;
	struct counter from = { 0, end }, to = { 0, end };
	leat_flow(int) a, b;
	leat_pipeline *p;

	CHECK_EQ(leat_pipeline_make(&p, .live = 256), 0);
	leat_pipeline_source(p, &a, &from, next_number, .name = "numbers");
	leat_pipeline_map(p, a, &b, copy, .name = "copy", .mode = LEAT_STAGE_ORDERED, .workers = 6,
			  .window = 16, .buffer = 64, .on_error = LEAT_ERROR_STOP);
	leat_pipeline_sink_with(p, b, &to, must_be_next, .name = "check", .buffer = 64,
				.mode = LEAT_STAGE_SERIAL, .on_error = LEAT_ERROR_STOP);
	CHECK_EQ(leat_pipeline_run(p), 0);
	CHECK_EQ(to.next, end);
	leat_pipeline_destroy(p, NULL);
}

/*
 * The first waits until all have begun that the window and the workers allow, and no other has:
 * those in the window with it, and one more of each other worker.
 */
struct held_up {
	struct counter counter;
	atomic_int begun;
	leat_chan(int) all_begun;
};

enum { WINDOW = 3, WORKERS = 4, MOST = WINDOW + WORKERS - 1 };

static int hold_up_the_first(struct held_up *h, int *n, int *ret_n)
{
	int none;

	*ret_n = *n;
	if (atomic_fetch_add(&h->begun, 1) + 1 == MOST)
		CHECK_EQ(leat_send(h->all_begun, 0), 0);
	if (*n == 0) {
		CHECK_EQ(leat_recv(h->all_begun, &none), 0);
		test_settle();
		CHECK_EQ(h->begun, MOST);
	}
	return 0;
}

static int ignore(int *n)
{
	(void)n;
	return 0;
}

TEST_SIM(as_many_go_on_as_the_window_and_the_workers_are, 30)
{
	struct held_up h = { .counter = { 0, 20 } };
	leat_flow(int) a, b;
	leat_pipeline *p;

	h.all_begun = leat_chan_make(int, 1);
	CHECK_EQ(leat_pipeline_make(&p, .live = 20), 0);
	leat_pipeline_source(p, &a, &h.counter, next_number, .name = "count");
	leat_pipeline_map_with(p, a, &b, &h, hold_up_the_first, .name = "hold up",
			       .mode = LEAT_STAGE_ORDERED, .workers = WORKERS, .window = WINDOW,
			       .on_error = LEAT_ERROR_STOP);
	leat_pipeline_sink(p, b, ignore, .name = "ignore", .mode = LEAT_STAGE_SERIAL,
			   .on_error = LEAT_ERROR_STOP);
	CHECK_EQ(leat_pipeline_run(p), 0);
	leat_pipeline_destroy(p, NULL);
	leat_chan_unref(h.all_begun);
}

/* One worker: while it is at the first, it has begun no other, so no other is missed. */
struct late {
	int next, used, gaps;
};

static int dawdle(int *n, int *ret_n)
{
	*ret_n = *n;
	return *n == 0 ? leat_sleep(10 * LEAT_MS) : 0;
}

static void no_number(int *ret_n)
{
	*ret_n = GAP;
}

static int count_late(struct late *l, int *n)
{
	if (*n == GAP)
		l->gaps++;
	else
		l->used++;
	return 0;
}

TEST_SIM(what_has_not_begun_is_no_gap, 30)
{
	struct counter from = { 0, 20 };
	struct late late = { 0 };
	leat_flow(int) a, b;
	leat_ledger l;
	leat_pipeline *p;

	CHECK_EQ(leat_pipeline_make(&p, .live = 20), 0);
	leat_pipeline_source(p, &a, &from, next_number, .name = "count");
	leat_pipeline_map(p, a, &b, dawdle, .name = "dawdle", .mode = LEAT_STAGE_ORDERED,
			  .workers = 1, .window = 4, .buffer = 8, .gap_after = LEAT_MS,
			  .gap = LEAT_STAGE_GAP(int, no_number), .on_error = LEAT_ERROR_STOP);
	leat_pipeline_sink_with(p, b, &late, count_late, .name = "use", .mode = LEAT_STAGE_SERIAL,
				.on_error = LEAT_ERROR_STOP);
	CHECK_EQ(leat_pipeline_run(p), 0);
	leat_pipeline_destroy(p, ledger_init(&l));
	CHECK_EQ(late.gaps, 1);
	CHECK_EQ(late.used, 19);
	CHECK_EQ(l.dropped[LEAT_DROPPED_LATE], 1);
}
