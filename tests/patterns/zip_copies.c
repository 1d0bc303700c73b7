/* Zips of copies of one item, of which one is left out: the pairs stay those of one item. */
#include "patterns.h"

#include <leat/leat.h>

enum { N = 120 };

struct box {
	int n;
	int *owned;
};

static atomic_int owned;

static void fill(struct box *box, int n)
{
	*box = (struct box){ n, malloc(1) };
	atomic_fetch_add(&owned, 1);
}

static void drop_box(struct box *box)
{
	free(box->owned);
	atomic_fetch_sub(&owned, 1);
}

static int make_box(int *next, struct box *ret_box)
{
	if (*next == N)
		return LEAT_ECLOSED;
	fill(ret_box, (*next)++);
	return 0;
}

static int clone_box(const struct box *box, struct box *ret_copy)
{
	fill(ret_copy, box->n);
	return 0;
}

/* Which items are left out on a way: each with n % every == 0; by LEAT_SKIP or by an error. */
struct filter {
	int every, error;
};

static int filter(struct filter *f, struct box *in, struct box *ret_out)
{
	if (leat_random(2) && leat_sleep((int64_t)leat_random(20) * LEAT_US) < 0)
		return -ECANCELED;
	if (f->every > 0 && in->n % f->every == 0) {
		if (f->error == 0)
			drop_box(in);
		return f->error < 0 ? f->error : LEAT_SKIP;
	}
	*ret_out = *in;
	return 0;
}

static int join(struct box *a, struct box *b, struct box *ret_out)
{
	CHECK_EQ(a->n, b->n);
	if (a->n % 11 == 0)
		return -EBADMSG;
	drop_box(b);
	*ret_out = *a;
	return 0;
}

struct log {
	int n, last;
};

static int use(struct log *log, struct box *box)
{
	CHECK(box->n > log->last);
	log->last = box->n;
	log->n++;
	drop_box(box);
	return 0;
}

static int use_any(struct box *box)
{
	drop_box(box);
	return 0;
}

#define STOPS .mode = LEAT_STAGE_SERIAL, .on_error = LEAT_ERROR_STOP
#define DROP .drop = LEAT_STAGE_DROP(struct box, drop_box)
#define CLONE .clone = LEAT_STAGE_CLONE(struct box, clone_box), .on_error = LEAT_ERROR_STOP

static leat_pipeline *make(size_t live, int *next, leat_flow(struct box) *ret_flow)
{
	leat_pipeline *p;

	*next = 0;
	CHECK_EQ(leat_pipeline_make(&p, .live = live), 0);
	leat_pipeline_source(p, ret_flow, next, make_box, .name = "make", DROP);
	return p;
}

static void cast(leat_pipeline *p, leat_flow(struct box) in, leat_flow(struct box) out[2])
{
	leat_pipeline_broadcast(p, in, out, 2, .name = "cast", .end = LEAT_FAN_ALL, CLONE);
}

static void add_filter(leat_pipeline *p, leat_flow(struct box) *flow, struct filter *f,
		       enum leat_stage_mode mode)
{
	leat_flow(struct box) in = *flow;
	bool serial = mode == LEAT_STAGE_SERIAL;

	CHECK_EQ(leat_pipeline_map_with(p, in, flow, f, filter, .name = "filter", .mode = mode,
					.workers = serial ? 1 : 4, .window = serial ? 0 : 3,
					.on_error = LEAT_ERROR_COUNT, DROP), 0);
}

static void zip(leat_pipeline *p, leat_flow(struct box) way[2], leat_flow(struct box) *ret_out,
		enum leat_on_error on_error)
{
	CHECK_EQ(leat_pipeline_zip(p, way[0], way[1], ret_out, join, .name = "zip",
				   .on_error = on_error, DROP), 0);
}

static void run(leat_pipeline *p, leat_ledger *ledger)
{
	leat_ledger l;

	CHECK_EQ(leat_pipeline_run(p), 0);
	for (size_t i = 0; leat_pipeline_stage_ledger(p, i, ledger_init(&l)) == 0; i++)
		check_at_rest(&l);
	CHECK_EQ(leat_pipeline_destroy(p, ledger_init(ledger)), 0);
	check_at_rest(ledger);
	CHECK_EQ(atomic_load(&owned), 0);
}

static int counted(const struct filter *a, const struct filter *b, int *ret_failed)
{
	int out = 0;

	*ret_failed = 0;
	for (int n = 0; n < N; n++) {
		bool a_out = a->every > 0 && n % a->every == 0;
		bool b_out = b->every > 0 && n % b->every == 0;

		if ((a_out && a->error < 0) || (b_out && b->error < 0))
			++*ret_failed;
		else if (!a_out && !b_out && n % 11 == 0)
			++*ret_failed;
		else if (!a_out && !b_out)
			out++;
	}
	return out;
}

/* With one live item, or many; serial or in order; left out by a skip, an error, or not at all. */
static void two_ways(size_t live, struct filter f[2], enum leat_stage_mode mode)
{
	struct log log = { .last = -1 };
	leat_flow(struct box) a, way[2], c;
	leat_ledger ledger;
	int next, failed, out = counted(&f[0], &f[1], &failed);
	leat_pipeline *p = make(live, &next, &a);

	cast(p, a, way);
	add_filter(p, &way[0], &f[0], LEAT_STAGE_SERIAL);
	add_filter(p, &way[1], &f[1], mode);
	zip(p, way, &c, LEAT_ERROR_COUNT);
	leat_pipeline_sink_with(p, c, &log, use, .name = "use", STOPS);
	run(p, &ledger);
	CHECK_EQ(log.n, out);
	CHECK_EQ(ledger.in, N);
	CHECK_EQ(ledger.out, out);
	CHECK_EQ(ledger.failed, failed);
	CHECK_EQ(ledger.dropped[LEAT_DROPPED_FILTERED], N - out - failed);
}

TEST_BOTH(items_that_are_left_out_on_one_way, 10)
{
	for (size_t live = 1; live <= 9; live += 4)
		for (int error = 0; error >= -EIO; error -= EIO) {
			struct filter one[] = { { 3, error }, { 0, 0 } };
			struct filter all[] = { { 0, 0 }, { 1, error } };
			struct filter both[] = { { 3, error }, { 2, 0 } };

			two_ways(live, one, LEAT_STAGE_SERIAL);
			two_ways(live, all, LEAT_STAGE_ORDERED);
			two_ways(live, both, LEAT_STAGE_ORDERED);
		}
}

/* The ledger of each stage: what was left out before is in it, as filtered. */
TEST_SIM(ledgers_of_the_ways, 10)
{
	struct filter f[2] = { { 4, 0 }, { 3, 0 } };
	struct log log = { .last = -1 };
	leat_flow(struct box) a, way[2], c;
	leat_ledger l;
	int next;
	leat_pipeline *p = make(5, &next, &a);

	cast(p, a, way);
	add_filter(p, &way[0], &f[0], LEAT_STAGE_SERIAL);
	add_filter(p, &way[0], &f[1], LEAT_STAGE_SERIAL);
	zip(p, way, &c, LEAT_ERROR_COUNT);
	leat_pipeline_sink_with(p, c, &log, use, .name = "use", STOPS);
	CHECK_EQ(leat_pipeline_run(p), 0);
	leat_pipeline_stage_ledger(p, 2, ledger_init(&l));
	CHECK_EQ(l.in, N);
	CHECK_EQ(l.dropped[LEAT_DROPPED_FILTERED], N / 4);
	leat_pipeline_stage_ledger(p, 3, ledger_init(&l));
	CHECK_EQ(l.in, N);
	CHECK_EQ(l.dropped[LEAT_DROPPED_FILTERED], N / 2);
	leat_pipeline_stage_ledger(p, 4, ledger_init(&l));
	check_at_rest(&l);
	CHECK_EQ(l.in, 2 * N);
	CHECK_EQ(l.dropped[LEAT_DROPPED_FILTERED], N);
	leat_pipeline_destroy(p, NULL);
}

/* Zips of zips, with a take and a further copy on the ways; what goes elsewhere sees no place. */
TEST_BOTH(ways_within_ways, 20)
{
	struct filter f[3] = { { 5, 0 }, { 3, -EIO }, { 2, 0 } };
	struct log log[2] = { { .last = -1 }, { .last = -1 } };
	leat_flow(struct box) a, way[2], in[2], side[2], c, d;
	leat_ledger ledger;
	int next, whole = 0;
	leat_pipeline *p = make(3, &next, &a);

	cast(p, a, way);
	add_filter(p, &way[0], &f[0], LEAT_STAGE_SERIAL);
	cast(p, way[0], side);
	cast(p, side[0], in);
	add_filter(p, &in[0], &f[1], LEAT_STAGE_ORDERED);
	add_filter(p, &in[1], &f[2], LEAT_STAGE_ORDERED);
	zip(p, in, &c, LEAT_ERROR_COUNT);
	CHECK_EQ(leat_pipeline_take(p, c, &way[0], N, .name = "take"), 0);
	zip(p, way, &d, LEAT_ERROR_COUNT);
	leat_pipeline_sink_with(p, d, &log[0], use, .name = "use", STOPS);
	leat_pipeline_sink_with(p, side[1], &log[1], use, .name = "use side", STOPS);
	run(p, &ledger);
	for (int n = 0; n < N; n++)
		whole += n % 5 != 0 && n % 3 != 0 && n % 2 != 0 && n % 11 != 0;
	CHECK_EQ(log[0].n, whole);
	CHECK_EQ(log[1].n, N - N / 5);
	CHECK_EQ(ledger.in, N);
}

/* A take counts items, not places. */
TEST_BOTH(a_take_among_places, 10)
{
	struct filter f = { 2, 0 };
	struct log log = { .last = -1 };
	leat_flow(struct box) a, way[2], b, c;
	leat_ledger ledger;
	int next;
	leat_pipeline *p = make(3, &next, &a);

	cast(p, a, way);
	add_filter(p, &way[0], &f, LEAT_STAGE_SERIAL);
	b = way[0];
	leat_pipeline_take(p, b, &way[0], 10, .name = "take");
	zip(p, way, &c, LEAT_ERROR_COUNT);
	leat_pipeline_sink_with(p, c, &log, use, .name = "use", STOPS);
	run(p, &ledger);
	/* 1 to 19, without 11. */
	CHECK_EQ(log.n, 9);
	CHECK_EQ(log.last, 19);
}

/* Of some, a copy cannot be made. */
static int clone_some(const struct box *box, struct box *ret_copy)
{
	return box->n % 3 == 0 ? -ENOSPC : clone_box(box, ret_copy);
}

static int clone_once(const struct box *box, struct box *ret_copy)
{
	static _Thread_local int last = -1;
	bool again = last == box->n;

	last = box->n;
	return again && box->n % 3 == 0 ? -ENOSPC : clone_box(box, ret_copy);
}

static void copies_that_fail(int (*clone)(const struct box *, struct box *), size_t n, size_t first)
{
	struct log log = { .last = -1 };
	leat_flow(struct box) a, copy[3], way[2], c;
	leat_ledger ledger;
	int next, whole = 0;
	leat_pipeline *p = make(3, &next, &a);

	leat_pipeline_broadcast(p, a, copy, n, .name = "cast", .end = LEAT_FAN_ALL,
				.clone = LEAT_STAGE_CLONE(struct box, clone),
				.on_error = LEAT_ERROR_COUNT);
	way[0] = copy[first];
	way[1] = copy[1];
	zip(p, way, &c, LEAT_ERROR_COUNT);
	leat_pipeline_sink_with(p, c, &log, use, .name = "use", STOPS);
	for (size_t i = 0; i < n; i++)
		if (i != first && i != 1)
			leat_pipeline_sink(p, copy[i], use_any, .name = "use", STOPS);
	run(p, &ledger);
	for (int i = 0; i < N; i++)
		whole += i % 3 != 0 && i % 11 != 0;
	CHECK_EQ(log.n, whole);
	CHECK_EQ(ledger.in, N);
	CHECK_EQ(ledger.out, whole);
}

TEST_SIM(copies_that_cannot_be_made, 20)
{
	copies_that_fail(clone_some, 2, 0);
	copies_that_fail(clone_some, 3, 2);
	copies_that_fail(clone_once, 3, 0);
	copies_that_fail(clone_once, 3, 2);
}

/* The fan-out has the one first, and the zip waits for the other first. */
TEST_BOTH(ways_that_cross, 20)
{
	struct log log = { .last = -1 };
	leat_flow(struct box) a, copy[2], way[2], c;
	leat_ledger ledger;
	int next;
	leat_pipeline *p = make(3, &next, &a);

	cast(p, a, copy);
	way[0] = copy[1];
	way[1] = copy[0];
	zip(p, way, &c, LEAT_ERROR_COUNT);
	leat_pipeline_sink_with(p, c, &log, use, .name = "use", STOPS);
	run(p, &ledger);
	CHECK_EQ(ledger.in, N);
}

/* Two fan-outs and two zips, each of which waits for another first. */
TEST_BOTH(zips_that_cross, 20)
{
	struct log log[2] = { { .last = -1 }, { .last = -1 } };
	leat_flow(struct box) a, x[3], y[2], way[2], c[2];
	leat_ledger ledger;
	int next;
	leat_pipeline *p = make(3, &next, &a);

	leat_pipeline_broadcast(p, a, x, 3, .name = "cast", .end = LEAT_FAN_ALL, CLONE);
	cast(p, x[0], y);
	way[0] = x[2];
	way[1] = y[0];
	zip(p, way, &c[0], LEAT_ERROR_COUNT);
	way[0] = y[1];
	way[1] = x[1];
	zip(p, way, &c[1], LEAT_ERROR_COUNT);
	for (int i = 0; i < 2; i++)
		leat_pipeline_sink_with(p, c[i], &log[i], use, .name = "use", STOPS);
	run(p, &ledger);
	CHECK_EQ(log[0].n, log[1].n);
	CHECK_EQ(ledger.in, N);
}

/* Keyed and parallel ways pair what comes, and lose nothing. */
static int join_any(struct box *a, struct box *b, struct box *ret_out)
{
	drop_box(b);
	*ret_out = *a;
	return 0;
}

static uint64_t key_of(const struct box *box)
{
	CHECK(box->owned);
	return (uint64_t)(box->n % 3);
}

TEST_BOTH(ways_out_of_order, 20)
{
	struct filter f[2] = { { 4, 0 }, { 3, -EIO } };
	leat_flow(struct box) a, way[2], to[2], c;
	leat_ledger ledger;
	int next;
	leat_pipeline *p = make(4, &next, &a);

	cast(p, a, way);
	add_filter(p, &way[0], &f[0], LEAT_STAGE_SERIAL);
	leat_pipeline_map_with(p, way[0], &to[0], &f[1], filter, .name = "keyed",
			       .mode = LEAT_STAGE_KEYED, .workers = 3,
			       .key = LEAT_STAGE_KEY(struct box, key_of),
			       .on_error = LEAT_ERROR_COUNT, DROP);
	leat_pipeline_map_with(p, way[1], &to[1], &f[1], filter, .name = "parallel",
			       .mode = LEAT_STAGE_PARALLEL, .workers = 3,
			       .on_error = LEAT_ERROR_COUNT, DROP);
	leat_pipeline_zip(p, to[0], to[1], &c, join_any, .name = "zip", .on_error = LEAT_ERROR_STOP,
			  DROP);
	leat_pipeline_sink(p, c, use_any, .name = "use", STOPS);
	run(p, &ledger);
	CHECK_EQ(ledger.in, N);
	CHECK_EQ(ledger.failed, N / 3);
}

/* Stopped at any moment: what is left is dropped, places are nothing. */
LEAT_TASK_ERR(run_it, (leat_pipeline *, p))
{
	return leat_pipeline_run(p);
}

TEST_SIM(stopped_among_places, 200)
{
	struct filter f[2] = { { 2, 0 }, { 3, 0 } };
	struct log log = { .last = -1 };
	leat_flow(struct box) a, way[2], c;
	leat_group group;
	leat_ledger ledger;
	int next;
	leat_pipeline *p = make(4, &next, &a);

	cast(p, a, way);
	add_filter(p, &way[0], &f[0], LEAT_STAGE_ORDERED);
	add_filter(p, &way[1], &f[1], LEAT_STAGE_ORDERED);
	zip(p, way, &c, LEAT_ERROR_COUNT);
	leat_pipeline_sink_with(p, c, &log, use, .name = "use", STOPS);
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	CHECK_EQ(leat_go_in(&group, run_it, p), 0);
	leat_sleep((int64_t)leat_random(300) * LEAT_US);
	leat_pipeline_abort(p, -EPERM);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
	(void)leat_pipeline_destroy(p, ledger_init(&ledger));
	check_at_rest(&ledger);
	CHECK_EQ(atomic_load(&owned), 0);
}
