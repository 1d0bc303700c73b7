/*
 * Random pipelines: shapes, modes, capacities, errors, ways to end.  Whatever happens, every box
 * that was made is used, failed or dropped once; the ledger says so; no bound is exceeded; and the
 * order is what the modes promise.
 */
#include "patterns.h"

#include <leat/leat.h>

enum { STAGES = 4, KEYS = 4, ITEMS = 40 };

struct box {
	int n;			/* of the source's item */
	int part;		/* of what a flat stage has made of it */
	int *owned;
};

struct boxes {
	struct box *item;
	size_t n;
};

struct shape {
	leat_flow(struct box) flow[2 * STAGES + 1];
	leat_flow(struct boxes) batch[STAGES];
	struct stage {
		struct gauge gauge;
		enum leat_stage_mode mode;
		int workers;
		uint64_t bad, skip;	/* one in so many; 0: none */
		int64_t nap;		/* at most */
	} stage[STAGES];
	int nstages;
	int next, end;		/* of the source */
	int enough;		/* the sink's; 0: never */
	bool in_order, key_order;
	size_t live, batched;
	int last[KEYS], last_of_all;
	int used;
};

static atomic_int made, used, failed, dropped;

static uint64_t one_in(uint64_t n)
{
	return n > 0 && leat_random(n) == 0;
}

static void fill(struct box *box, int n, int part)
{
	*box = (struct box){ .n = n, .part = part, .owned = malloc(1) };
	atomic_fetch_add(&made, 1);
}

static int make_box(struct shape *s, struct box *ret_box)
{
	if (one_in(4) && leat_sleep((int64_t)leat_random(10 * LEAT_US)) < 0)
		return -ECANCELED;
	if (s->next == s->end)
		return LEAT_ECLOSED;
	fill(ret_box, s->next++, 0);
	return 0;
}

static void drop_box(struct box *box)
{
	free(box->owned);
	atomic_fetch_add(&dropped, 1);
}

static void box_failed(struct box *box, int error)
{
	CHECK(error == -EIO || error == -ECANCELED);
	free(box->owned);
	atomic_fetch_add(&failed, 1);
}

static uint64_t key_of(const struct box *box)
{
	return (uint64_t)(box->n % KEYS);
}

/* 0, LEAT_SKIP, -EIO, -ECANCELED. */
static int work(struct stage *st)
{
	int r = 0;

	gauge_enter(&st->gauge);
	if (st->nap > 0 && one_in(2))
		r = leat_sleep((int64_t)leat_random((uint64_t)st->nap));
	gauge_leave(&st->gauge);
	if (r == 0 && one_in(st->bad))
		r = -EIO;
	return r == 0 && one_in(st->skip) ? LEAT_SKIP : r;
}

static int map_box(struct stage *st, struct box *in, struct box *out)
{
	int r = work(st);

	if (r == LEAT_SKIP)
		drop_box(in);
	else if (r == 0)
		*out = *in;
	return r;
}

/* 0 to 2 of each. */
static int multiply(struct stage *st, struct box *in, leat_emitter(struct box) out)
{
	int r = work(st);
	struct box box;

	if (r < 0)
		return r;
	for (int i = 0; i < in->n % 3; i++) {
		fill(&box, in->n, 2 * in->part + i);
		if (leat_emit(out, box) < 0) {
			drop_box(&box);
			break;
		}
	}
	drop_box(in);
	return 0;
}

static int unpack(struct stage *st, struct boxes *batch, leat_emitter(struct box) out)
{
	int r = work(st);

	for (size_t i = 0; i < batch->n; i++)
		if (r < 0 || r == LEAT_SKIP || (r = leat_emit(out, batch->item[i])) < 0)
			drop_box(&batch->item[i]);
	return 0;
}

static int use(struct shape *s, struct box *box)
{
	int place = 2 * 1024 * box->n + box->part, *last = &s->last[key_of(box)];

	if (s->in_order)
		CHECK(place > s->last_of_all);
	if (s->key_order)
		CHECK(place > *last);
	s->last_of_all = *last = place;
	free(box->owned);
	atomic_fetch_add(&used, 1);
	return ++s->used == s->enough ? LEAT_ECLOSED : 0;
}

static enum leat_on_error random_on_error(void)
{
	return leat_random(2) ? LEAT_ERROR_STOP : LEAT_ERROR_COUNT;
}

static size_t random_buffer(void)
{
	return leat_random(2) ? 0 : (size_t)leat_random(8);
}

static void add_map(leat_pipeline *p, struct shape *s, struct stage *st, int i)
{
	st->mode = (enum leat_stage_mode)(1 + leat_random(4));
	st->workers = st->mode == LEAT_STAGE_SERIAL ? 1 : 1 + (int)leat_random(4);
	s->in_order &= st->mode == LEAT_STAGE_SERIAL || st->mode == LEAT_STAGE_ORDERED;
	s->key_order &= st->mode != LEAT_STAGE_PARALLEL;
	leat_pipeline_map_with(
		p, s->flow[i], &s->flow[i + 1], st, map_box, .name = "map", .mode = st->mode,
		.workers = st->workers, .buffer = random_buffer(), .on_error = random_on_error(),
		.window = st->mode == LEAT_STAGE_ORDERED ? 1 + (size_t)leat_random(6) : 0,
		.key = st->mode == LEAT_STAGE_KEYED ? LEAT_STAGE_KEY(struct box, key_of) : NULL,
		.failed = leat_random(2) ? LEAT_STAGE_FAILED(struct box, box_failed) : NULL,
		.drop = LEAT_STAGE_DROP(struct box, drop_box));
}

static void add_flat(leat_pipeline *p, struct shape *s, struct stage *st, int i)
{
	st->mode = leat_random(2) ? LEAT_STAGE_SERIAL : LEAT_STAGE_PARALLEL;
	st->workers = st->mode == LEAT_STAGE_SERIAL ? 1 : 1 + (int)leat_random(4);
	s->in_order &= st->mode == LEAT_STAGE_SERIAL;
	s->key_order &= st->mode == LEAT_STAGE_SERIAL;
	leat_pipeline_flat_with(p, s->flow[i], &s->flow[i + 1], st, multiply, .name = "flat",
				.mode = st->mode, .workers = st->workers,
				.buffer = random_buffer(), .on_error = random_on_error(),
				.drop = LEAT_STAGE_DROP(struct box, drop_box));
}

static void add_batch(leat_pipeline *p, struct shape *s, struct stage *st, int i)
{
	size_t items = 1 + leat_random(s->live / s->batched);

	st->mode = LEAT_STAGE_SERIAL;
	st->workers = 1;
	s->batched *= items;
	leat_pipeline_batch(p, s->flow[i], &s->batch[i], .name = "batch", .buffer = random_buffer(),
			    .items = items, .wait = 1 + (int64_t)leat_random(20 * LEAT_US));
	leat_pipeline_flat_with(p, s->batch[i], &s->flow[i + 1], st, unpack, .name = "unpack",
				.mode = LEAT_STAGE_SERIAL, .on_error = LEAT_ERROR_STOP,
				.drop = LEAT_STAGE_DROP(struct box, drop_box));
}

static leat_pipeline *build(struct shape *s)
{
	leat_pipeline *p;

	s->live = 1 + leat_random(12);
	s->batched = 1;
	s->end = (int)leat_random(ITEMS);
	s->enough = leat_random(4) ? 0 : 1 + (int)leat_random(10);
	s->in_order = s->key_order = true;
	s->last_of_all = -1;
	memset(s->last, -1, sizeof(s->last));
	CHECK_EQ(leat_pipeline_make(&p, .live = s->live), 0);
	leat_pipeline_source(p, &s->flow[0], s, make_box, .name = "make",
			     .drop = LEAT_STAGE_DROP(struct box, drop_box));
	s->nstages = (int)leat_random(STAGES + 1);
	for (int i = 0; i < s->nstages; i++) {
		struct stage *st = &s->stage[i];
		uint64_t kind = leat_random(6);

		st->bad = leat_random(3) ? 0 : 1 + leat_random(20);
		st->skip = leat_random(3) ? 0 : 1 + leat_random(10);
		st->nap = leat_random(2) ? 0 : (int64_t)leat_random(30 * LEAT_US);
		if (kind == 0)
			add_flat(p, s, st, i);
		else if (kind == 1)
			add_batch(p, s, st, i);
		else
			add_map(p, s, st, i);
	}
	leat_pipeline_sink_with(p, s->flow[s->nstages], s, use, .name = "use",
				.mode = LEAT_STAGE_SERIAL, .on_error = LEAT_ERROR_STOP,
				.buffer = random_buffer());
	return p;
}

/* One of the ways in which it is ended by others; or none. */
LEAT_TASK(interfere, (leat_pipeline *, p), (leat_group *, group), (uint64_t, how))
{
	leat_sleep((int64_t)leat_random(100 * LEAT_US));
	if (how == 1)
		leat_pipeline_shutdown(p);
	else if (how == 2)
		leat_pipeline_abort(p, -EPERM);
	else if (how == 3)
		leat_group_cancel(group, 0);
}

LEAT_TASK_ERR(run, (leat_pipeline *, p))
{
	return leat_pipeline_run(p);
}

LEAT_TASK(watch, (leat_pipeline *, p), (size_t, live))
{
	leat_ledger l;

	for (int i = 0; i < 5; i++) {
		uint64_t sum;

		CHECK_EQ(leat_pipeline_ledger(p, ledger_init(&l)), 0);
		sum = l.out + l.failed + l.cancelled + ledger_dropped(&l) + l.in_flight;
		CHECK(sum <= l.in);
		CHECK(l.in - sum <= live);
		CHECK(l.in_flight <= live);
		leat_sleep((int64_t)leat_random(20 * LEAT_US));
	}
}

TEST_SIM(random_pipelines, 10000)
{
	struct shape shape = { 0 };
	uint64_t how = leat_random(8);
	leat_group group, others;
	leat_ledger ledger;
	leat_pipeline *p;
	int r;

	made = used = failed = dropped = 0;
	CHECK_EQ(leat_group_init(&others, NULL), 0);
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	p = build(&shape);
	CHECK_EQ(leat_go_in(&others, interfere, p, &group, how), 0);
	CHECK_EQ(leat_go_in(&others, watch, p, shape.live), 0);
	r = leat_go_in(&group, run, p);
	CHECK(r == 0 || how == 3);
	r = leat_group_wait(&group);
	CHECK_EQ(leat_group_wait(&others), 0);
	if (r == 0 && how == 0 && shape.enough == 0)
		CHECK_EQ(shape.next, shape.end);
	(void)leat_pipeline_destroy(p, ledger_init(&ledger));
	leat_group_release(&group);
	leat_group_release(&others);
	check_at_rest(&ledger);
	CHECK_EQ(ledger.in, (uint64_t)shape.next);
	CHECK_EQ(made, used + failed + dropped);
	for (int i = 0; i < shape.nstages; i++)
		CHECK(shape.stage[i].gauge.most <= shape.stage[i].workers);
}
