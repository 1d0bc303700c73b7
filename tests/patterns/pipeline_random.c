/*
 * Random pipelines: shapes, modes, capacities, errors, ways to end.  Whatever happens, every box
 * that was made is used, failed or dropped once; the ledger says so; no bound is exceeded; the
 * order is what the modes promise; and what has been started comes to its end, whatever its shape
 * (the simulator would say if it did not), unless the start has refused it.
 *
 * A shape grows from the sources: as long as there is room, a step takes an open flow, or several,
 * and leaves others; what is open at the end goes to sinks.
 */
#include "patterns.h"

#include <leat/leat.h>

#include "structure.h"

enum {
	SOURCES = 3, STEPS = 8, STAGES = 200, OPEN = 6, SINKS = OPEN,
	KEYS = 4, ITEMS = 40, APART = 1000, HEAVIEST = 5,
	RATE = 200000, BURST = 3,
	SEEDS = 13500, DISTINCT = 10000,
};

struct box {
	int n;			/* of the source's item */
	int part;		/* of what a flat stage has made of it */
	int *owned;
};

struct boxes {
	struct box *item;
	size_t n;
};

/* Of what takes a token for each of its items. */
struct rate {
	leat_bucket bucket;
	bool is_given;
	int taken;
};

struct stage {
	struct gauge gauge;
	struct rate rate;
	int workers;
	uint64_t bad, skip;	/* one in so many; 0: none */
	int64_t nap;		/* at most */
	size_t items;		/* of a batch that it takes: the most */
	uint64_t weight;	/* the same; 0: no bound */
};

/* A flow that no stage takes yet. */
struct open_flow {
	leat_flow(struct box) flow;
	bool in_order, key_order;
	unsigned sources;	/* a set: of which its items are */
	size_t batched;
};

struct source {
	leat_chan(struct box) chan; /* from which it comes; NULL: it is made */
	struct rate rate;
	int next, end;
	unsigned waits;		/* a set: those that wait for it, or for which it waits */
	int bytes, most_bytes;	/* of its items that have not ended */
};

struct sink {
	leat_chan(struct box) chan; /* to which it goes; NULL: it is used */
	struct stage *stage;
	int enough;		/* 0: never */
	bool in_order, key_order;
	int last[KEYS], last_of_all;
	int used;
};

struct shape {
	struct open_flow open[OPEN];
	int nopen;
	struct stage stage[STAGES];
	int nstages;
	struct source source[SOURCES];
	int nsources;
	struct sink sink[SINKS];
	int nsinks;
	bool all;		/* every item is wanted */
	bool may_be_refused;	/* it might wait for ever */
	size_t live;
	int64_t live_bytes;
	int64_t began;
};

/* Of the one that runs: how many boxes there are of each item. */
static struct source *source_of;
static int boxes_of[SOURCES * APART];

static atomic_int made, used, failed, dropped;

static uint64_t one_in(uint64_t n)
{
	return n > 0 && leat_random(n) == 0;
}

static uint64_t weight_of(const struct box *box)
{
	return (uint64_t)(1 + box->n % HEAVIEST);
}

static void fill(struct box *box, int n, int part)
{
	struct source *s = &source_of[n / APART];

	*box = (struct box){ .n = n, .part = part, .owned = malloc(1) };
	atomic_fetch_add(&made, 1);
	if (boxes_of[n]++ > 0)
		return;
	s->bytes += (int)weight_of(box);
	if (s->bytes > s->most_bytes)
		s->most_bytes = s->bytes;
}

static int make_box(struct source *s, struct box *ret_box)
{
	s->rate.taken++;
	if (one_in(4) && leat_sleep((int64_t)leat_random(10 * LEAT_US)) < 0)
		return -ECANCELED;
	if (s->next == s->end)
		return LEAT_ECLOSED;
	fill(ret_box, s->next++, 0);
	return 0;
}

/* What a reduce hands on owns nothing, and counts as no item. */
static void end_box(struct box *box, atomic_int *how)
{
	if (!box->owned)
		return;
	atomic_fetch_add(how, 1);
	if (--boxes_of[box->n] == 0)
		source_of[box->n / APART].bytes -= (int)weight_of(box);
	free(box->owned);
}

static void drop_box(struct box *box)
{
	end_box(box, &dropped);
}

static void box_failed(struct box *box, int error)
{
	CHECK(error == -EIO || error == -ECANCELED);
	end_box(box, &failed);
}

static uint64_t key_of(const struct box *box)
{
	return (uint64_t)(box->n % KEYS);
}

/* 0, LEAT_SKIP, -EIO, -ECANCELED. */
static int work(struct stage *st)
{
	int r = 0;

	st->rate.taken++;
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

/* In the place of one that comes too late: no item, and out of order. */
static void gap(struct box *box)
{
	*box = (struct box){ 0 };
}

/* 0 to 2 of each. */
static int multiply(struct stage *st, struct box *in, leat_emitter(struct box) out)
{
	int r = work(st);
	struct box box;

	if (r < 0)
		return r;
	for (int i = 0; i < in->n % 3 && r >= 0; i++) {
		fill(&box, in->n, 2 * in->part + i);
		r = leat_emit(out, box);
		if (r < 0)
			drop_box(&box);
	}
	/* Nobody wants any more, which it may say or not. */
	if (r < 0 && leat_random(2))
		return r;
	drop_box(in);
	return 0;
}

static int unpack(struct stage *st, struct boxes *batch, leat_emitter(struct box) out)
{
	uint64_t weight = 0;
	int r;

	for (size_t i = 0; i < batch->n; i++)
		weight += weight_of(&batch->item[i]);
	CHECK(batch->n > 0 && batch->n <= st->items);
	CHECK(st->weight == 0 || batch->n == 1 || weight <= st->weight);
	r = work(st);
	for (size_t i = 0; i < batch->n; i++)
		if (r < 0 || r == LEAT_SKIP || (r = leat_emit(out, batch->item[i])) < 0)
			drop_box(&batch->item[i]);
	return 0;
}

/* 0, or LEAT_ECLOSED. */
static int use_up(struct sink *s, struct box *box)
{
	int place = 2 * APART * box->n + box->part, *last = &s->last[key_of(box)];

	if (s->in_order)
		CHECK(place > s->last_of_all);
	if (s->key_order)
		CHECK(place > *last);
	s->last_of_all = *last = place;
	end_box(box, &used);
	return ++s->used == s->enough ? LEAT_ECLOSED : 0;
}

static int use(struct sink *s, struct box *box)
{
	int r = work(s->stage);

	return r < 0 ? r : use_up(s, box);
}

static int clone_box(const struct box *box, struct box *ret_copy)
{
	if (one_in(100))
		return -EIO;
	fill(ret_copy, box->n, box->part);
	return 0;
}

static int add_box(struct box *sum, struct box *box)
{
	if (one_in(50))
		return -EIO;
	sum->n = box->n;
	drop_box(box);
	return 0;
}

/* Into the one before it, which stays what it is. */
static int merge_boxes(struct box *sum, struct box *box)
{
	(void)sum;
	if (one_in(50))
		return -EIO;
	drop_box(box);
	return 0;
}

struct letter {
	struct box item;
	int error;
};

static int open_letter(struct letter *letter, struct box *ret_box)
{
	CHECK(letter->error == -EIO);
	*ret_box = letter->item;
	return 0;
}

/* The first of a pair goes on. */
static int join_boxes(struct box *a, struct box *b, struct box *ret_box)
{
	if (one_in(50))
		return -EIO;
	drop_box(b);
	*ret_box = *a;
	return 0;
}

/* Copies of one item. */
static int join_copies(struct box *a, struct box *b, struct box *ret_box)
{
	CHECK_EQ(a->n, b->n);
	CHECK_EQ(a->part, b->part);
	return join_boxes(a, b, ret_box);
}

static bool box_less(const struct box *a, const struct box *b)
{
	return 2 * APART * a->n + a->part < 2 * APART * b->n + b->part;
}

static enum leat_on_error random_on_error(void)
{
	return leat_random(2) ? LEAT_ERROR_STOP : LEAT_ERROR_COUNT;
}

static leat_retry_options retry = { .size = sizeof(retry), .attempts = 2, .backoff = LEAT_US };

static const leat_retry_options *random_retry(void)
{
	return leat_random(2) ? &retry : NULL;
}

/* Not with a retry: that takes no token. */
static leat_bucket *random_rate(struct rate *rate, const leat_retry_options *with)
{
	if (with || leat_random(4))
		return NULL;
	rate->is_given = true;
	CHECK_EQ(leat_bucket_init(&rate->bucket, RATE, BURST), 0);
	return &rate->bucket;
}

static size_t random_buffer(void)
{
	return leat_random(2) ? 0 : (size_t)leat_random(8);
}

#define DROP .drop = LEAT_STAGE_DROP(struct box, drop_box)
#define CLONE .clone = LEAT_STAGE_CLONE(struct box, clone_box), .on_error = random_on_error()

static struct stage *new_stage(struct shape *s)
{
	struct stage *st = &s->stage[s->nstages++];

	st->workers = 1;
	st->bad = leat_random(3) ? 0 : 1 + leat_random(20);
	st->skip = leat_random(3) ? 0 : 1 + leat_random(10);
	st->nap = leat_random(2) ? 0 : (int64_t)leat_random(30 * LEAT_US);
	return st;
}

/* Of the stage that takes in. */
static void add_letters(leat_pipeline *p, struct shape *s, const struct open_flow *f,
			leat_flow(struct box) in)
{
	leat_flow(struct letter) letters;
	struct open_flow *to = &s->open[s->nopen++];

	*to = *f;
	to->in_order = to->key_order = false;
	leat_pipeline_dead_letters(p, in, &letters);
	leat_pipeline_map(p, letters, &to->flow, open_letter, .name = "letters",
			  .mode = LEAT_STAGE_SERIAL, .on_error = LEAT_ERROR_STOP,
			  .buffer = random_buffer(), DROP);
}

static void add_map(leat_pipeline *p, struct shape *s, struct open_flow *f)
{
	enum leat_stage_mode mode = (enum leat_stage_mode)(1 + leat_random(4));
	enum leat_on_error on_error = random_on_error();
	struct stage *st = new_stage(s);
	leat_flow(struct box) in = f->flow;
	uint64_t fails = leat_random(3); /* nowhere, to a function, on as a letter */
	bool has_gaps = mode == LEAT_STAGE_ORDERED && one_in(3);
	const leat_retry_options *retries = random_retry();

	st->workers = mode == LEAT_STAGE_SERIAL ? 1 : 1 + (int)leat_random(4);
	f->in_order &= !has_gaps && (mode == LEAT_STAGE_SERIAL || mode == LEAT_STAGE_ORDERED);
	f->key_order &= !has_gaps && mode != LEAT_STAGE_PARALLEL;
	leat_pipeline_map_with(
		p, in, &f->flow, st, map_box, .name = "map", .mode = mode, .workers = st->workers,
		.buffer = random_buffer(), .on_error = on_error, .retry = retries,
		.rate = random_rate(&st->rate, retries),
		.window = mode == LEAT_STAGE_ORDERED ? 1 + (size_t)leat_random(6) : 0,
		.gap_after = has_gaps ? 1 + (int64_t)leat_random(20 * LEAT_US) : 0,
		.gap = has_gaps ? LEAT_STAGE_GAP(struct box, gap) : NULL,
		.key = mode == LEAT_STAGE_KEYED ? LEAT_STAGE_KEY(struct box, key_of) : NULL,
		.failed = fails == 1 ? LEAT_STAGE_FAILED(struct box, box_failed) : NULL, DROP);
	if (fails == 2 && on_error == LEAT_ERROR_COUNT && s->nopen < OPEN)
		add_letters(p, s, f, in);
}

static void add_reduce(leat_pipeline *p, struct shape *s, struct open_flow *f)
{
	static const struct box none;
	enum leat_on_error on_error = random_on_error();
	leat_flow(struct box) in = f->flow;

	s->may_be_refused = true;
	f->in_order = f->key_order = false;
	leat_pipeline_reduce(p, in, &f->flow, &none, add_box, .name = "reduce",
			     .on_error = on_error, .buffer = random_buffer(), DROP);
	if (on_error == LEAT_ERROR_COUNT && leat_random(2) && s->nopen < OPEN)
		add_letters(p, s, f, in);
}

static void add_conflate(leat_pipeline *p, struct shape *s, struct open_flow *f)
{
	enum leat_on_error on_error = random_on_error();
	leat_flow(struct box) in = f->flow;
	uint64_t fails = leat_random(3);

	leat_pipeline_conflate(p, in, &f->flow, merge_boxes, .name = "conflate",
			       .on_error = on_error, .buffer = random_buffer(),
			       .failed = fails == 1 ? LEAT_STAGE_FAILED(struct box, box_failed)
						    : NULL, DROP);
	if (fails == 2 && on_error == LEAT_ERROR_COUNT && s->nopen < OPEN)
		add_letters(p, s, f, in);
}

static void add_flat(leat_pipeline *p, struct shape *s, struct open_flow *f)
{
	enum leat_stage_mode mode = (enum leat_stage_mode)(1 + leat_random(4));
	enum leat_on_error on_error = random_on_error();
	bool ordered = mode == LEAT_STAGE_ORDERED;
	const leat_retry_options *retries = random_retry();
	struct stage *st = new_stage(s);
	leat_flow(struct box) in = f->flow;
	uint64_t fails = leat_random(3);

	st->workers = mode == LEAT_STAGE_SERIAL ? 1 : 1 + (int)leat_random(4);
	f->in_order &= mode == LEAT_STAGE_SERIAL || ordered;
	f->key_order &= mode != LEAT_STAGE_PARALLEL;
	leat_pipeline_flat_with(p, in, &f->flow, st, multiply, .name = "flat", .mode = mode,
				.workers = st->workers, .buffer = random_buffer(),
				.on_error = on_error, .retry = retries,
				.rate = random_rate(&st->rate, retries),
				.key = mode == LEAT_STAGE_KEYED ? LEAT_STAGE_KEY(struct box, key_of)
								: NULL,
				.window = ordered ? 1 + (size_t)leat_random(6) : 0,
				.ahead = ordered ? 1 + (size_t)leat_random(3) : 0,
				.failed = fails == 1 ? LEAT_STAGE_FAILED(struct box, box_failed)
						     : NULL, DROP);
	if (fails == 2 && on_error == LEAT_ERROR_COUNT && s->nopen < OPEN)
		add_letters(p, s, f, in);
}

static void add_batch(leat_pipeline *p, struct shape *s, struct open_flow *f)
{
	size_t items = 1 + leat_random(s->live / f->batched);
	bool for_ever = one_in(4) && s->live_bytes == 0;
	struct stage *st = new_stage(s);
	leat_flow(struct boxes) batch;

	st->items = items;
	st->weight = leat_random(3) ? 0 : 1 + leat_random(3 * HEAVIEST);
	f->batched *= items;
	s->may_be_refused |= for_ever;
	leat_pipeline_batch(p, f->flow, &batch, .name = "batch", .buffer = random_buffer(),
			    .items = items, .weight = st->weight,
			    .weigh = st->weight > 0 ? LEAT_STAGE_WEIGH(struct box, weight_of)
						    : NULL,
			    .wait = for_ever ? LEAT_FOREVER
					     : 1 + (int64_t)leat_random(20 * LEAT_US));
	leat_pipeline_flat_with(p, batch, &f->flow, st, unpack, .name = "unpack",
				.mode = LEAT_STAGE_SERIAL, .on_error = LEAT_ERROR_STOP, DROP);
}

static void add_take(leat_pipeline *p, struct shape *s, struct open_flow *f)
{
	leat_flow(struct box) in = f->flow;

	s->all = false;
	leat_pipeline_take(p, in, &f->flow, leat_random(2 * ITEMS), .name = "take",
			   .buffer = random_buffer());
}

/* To several flows, each of which is in the order in which the one was. */
static void add_fan_out(leat_pipeline *p, struct shape *s, struct open_flow *f)
{
	enum leat_fan_end end = leat_random(4) ? LEAT_FAN_ALL : LEAT_FAN_ANY;
	size_t n = 1 + leat_random((uint64_t)(OPEN - s->nopen) + 1);
	leat_flow(struct box) out[OPEN];

	s->all &= end == LEAT_FAN_ALL;
	switch (leat_random(n == 2 ? 4 : 3)) {
	case 0:
		leat_pipeline_balance(p, f->flow, out, n, .name = "balance", .end = end,
				      .buffer = random_buffer());
		break;
	case 1:
		leat_pipeline_broadcast(p, f->flow, out, n, .name = "cast", .end = end,
					.buffer = random_buffer(), CLONE);
		break;
	case 2:
		leat_pipeline_partition(p, f->flow, out, n, key_of, .name = "part", .end = end,
					.buffer = random_buffer());
		break;
	default:
		leat_pipeline_tee(p, f->flow, &out[0], &out[1], .name = "tee", .end = end,
				  .buffer = random_buffer(), CLONE);
	}
	f->flow = out[0];
	for (size_t i = 1; i < n; i++) {
		s->open[s->nopen] = *f;
		s->open[s->nopen++].flow = out[i];
	}
}

static void add_copies(leat_pipeline *p, struct shape *s, struct open_flow *f);

/* One way of copies: stages that hand on one for one, or leave an item out. */
static void go_way(leat_pipeline *p, struct shape *s, struct open_flow *f)
{
	for (uint64_t n = leat_random(3); n > 0; n--) {
		if (one_in(6))
			add_take(p, s, f);
		else if (one_in(6) && s->nstages < (int)STEPS)
			add_copies(p, s, f);
		else
			add_map(p, s, f);
	}
}

/* Copies of each item, which meet again. */
static void add_copies(leat_pipeline *p, struct shape *s, struct open_flow *f)
{
	leat_flow(struct box) copy[2];
	struct open_flow way[2] = { *f, *f };
	uint64_t first = leat_random(2);
	bool pairs;

	leat_pipeline_broadcast(p, f->flow, copy, 2, .name = "copies", .end = LEAT_FAN_ALL,
				.buffer = random_buffer(), CLONE);
	for (int i = 0; i < 2; i++) {
		way[i].flow = copy[(uint64_t)i ^ first];
		way[i].in_order = true;
		go_way(p, s, &way[i]);
	}
	pairs = way[0].in_order && way[1].in_order;
	f->in_order &= way[0].in_order;
	f->key_order &= way[0].key_order;
	leat_pipeline_zip(p, way[0].flow, way[1].flow, &f->flow, pairs ? join_copies : join_boxes,
			  .name = "zip of copies", .on_error = random_on_error(),
			  .buffer = random_buffer(), DROP);
}

static unsigned all_that_wait(const struct shape *s, unsigned sources)
{
	unsigned before;

	do {
		before = sources;
		for (int i = 0; i < s->nsources; i++)
			if (sources & 1u << i)
				sources |= s->source[i].waits;
	} while (sources != before);
	return sources;
}

/* Whether none of one's sources waits for one of the other's already. */
static bool may_wait(const struct shape *s, const struct open_flow *a, const struct open_flow *b)
{
	return !(all_that_wait(s, a->sources) & all_that_wait(s, b->sources));
}

/* The last two open flows become one. */
static void add_fan_in(leat_pipeline *p, struct shape *s)
{
	struct open_flow *a = &s->open[s->nopen - 2], *b = &s->open[s->nopen - 1];
	bool may = may_wait(s, a, b);
	uint64_t kind = may || one_in(2) ? leat_random(4) : 0;
	enum leat_fan_end end = leat_random(4) ? LEAT_FAN_ALL : LEAT_FAN_ANY;
	leat_flow(struct box) in[2] = { a->flow, b->flow };
	size_t buffer = random_buffer();

	s->may_be_refused |= kind > 0 && !may;
	a->key_order &= kind == 3;
	a->in_order &= kind == 3 || (kind == 1 && b->in_order);
	s->all &= kind != 3 && (kind != 0 || end == LEAT_FAN_ALL);
	if (kind == 0)
		leat_pipeline_merge(p, in, 2, &a->flow, .name = "merge", .end = end,
				    .buffer = buffer);
	else if (kind == 1)
		leat_pipeline_merge_ordered(p, in, 2, &a->flow, box_less, .name = "ordered merge",
					    .buffer = buffer);
	else if (kind == 2)
		leat_pipeline_concat(p, in, 2, &a->flow, .name = "concat", .buffer = buffer);
	else
		leat_pipeline_zip(p, in[0], in[1], &a->flow, join_boxes, .name = "zip",
				  .on_error = random_on_error(), .buffer = buffer, DROP);
	for (int i = 0; i < s->nsources && kind > 0; i++)
		if (a->sources & 1u << i)
			s->source[i].waits |= b->sources;
		else if (b->sources & 1u << i)
			s->source[i].waits |= a->sources;
	a->sources |= b->sources;
	if (b->batched > a->batched)
		a->batched = b->batched;
	s->nopen--;
}

#define WEIGHED(s) \
	.weigh = (s)->live_bytes > 0 ? LEAT_STAGE_WEIGH(struct box, weight_of) : NULL

static void add_source(leat_pipeline *p, struct shape *s)
{
	int i = s->nsources++;
	struct source *source = &s->source[i];
	struct open_flow *f = &s->open[s->nopen++];

	source->next = i * APART;
	source->end = i * APART + (int)leat_random(ITEMS);
	*f = (struct open_flow){ .in_order = true, .key_order = true, .sources = 1u << i,
				 .batched = 1 };
	if (leat_random(3)) {
		leat_pipeline_source(p, &f->flow, source, make_box, .name = "make", WEIGHED(s),
				     .rate = random_rate(&source->rate, NULL), DROP);
		return;
	}
	source->chan = leat_chan_make(struct box, 0);
	leat_pipeline_from(p, &f->flow, source->chan, .name = "from", WEIGHED(s),
			   .rate = random_rate(&source->rate, NULL), DROP);
}

static void add_user(leat_pipeline *p, struct shape *s, struct sink *sink,
		     const struct open_flow *f)
{
	static const enum leat_stage_mode modes[] = {
		LEAT_STAGE_SERIAL, LEAT_STAGE_SERIAL, LEAT_STAGE_PARALLEL, LEAT_STAGE_KEYED,
	};
	enum leat_stage_mode mode = modes[leat_random(4)];
	enum leat_on_error on_error = random_on_error();
	const leat_retry_options *retries = random_retry();
	struct stage *st = sink->stage;
	uint64_t fails = leat_random(3);

	st->workers = mode == LEAT_STAGE_SERIAL ? 1 : 1 + (int)leat_random(4);
	sink->in_order &= mode == LEAT_STAGE_SERIAL;
	sink->key_order &= mode != LEAT_STAGE_PARALLEL;
	leat_pipeline_sink_with(
		p, f->flow, sink, use, .name = "use", .mode = mode, .workers = st->workers,
		.on_error = on_error, .buffer = random_buffer(), .retry = retries,
		.rate = random_rate(&st->rate, retries),
		.key = mode == LEAT_STAGE_KEYED ? LEAT_STAGE_KEY(struct box, key_of) : NULL,
		.failed = fails == 1 ? LEAT_STAGE_FAILED(struct box, box_failed) : NULL);
	if (fails == 2 && on_error == LEAT_ERROR_COUNT && s->nopen < OPEN)
		add_letters(p, s, f, f->flow);
}

static void add_sink(leat_pipeline *p, struct shape *s, const struct open_flow *f)
{
	struct sink *sink = &s->sink[s->nsinks++];

	sink->stage = new_stage(s);
	sink->enough = leat_random(4) ? 0 : 1 + (int)leat_random(10);
	s->all &= sink->enough == 0;
	sink->in_order = f->in_order;
	sink->key_order = f->key_order;
	sink->last_of_all = -1;
	memset(sink->last, -1, sizeof(sink->last));
	if (leat_random(4)) {
		add_user(p, s, sink, f);
		return;
	}
	sink->chan = leat_chan_make(struct box, 0);
	leat_pipeline_to(p, f->flow, sink->chan, .name = "to", .buffer = random_buffer(),
			 .rate = random_rate(&sink->stage->rate, NULL));
}

static void grow(leat_pipeline *p, struct shape *s)
{
	struct open_flow *f = &s->open[leat_random((uint64_t)s->nopen)];
	uint64_t kind = leat_random(16);

	if (kind == 15)
		add_conflate(p, s, f);
	else if (kind == 14)
		add_reduce(p, s, f);
	else if (kind == 0)
		add_flat(p, s, f);
	else if (kind == 1)
		add_batch(p, s, f);
	else if (kind == 2)
		add_take(p, s, f);
	else if (kind == 3)
		add_copies(p, s, f);
	else if (kind <= 5 && s->nopen < OPEN)
		add_fan_out(p, s, f);
	else if (kind <= 8 && s->nopen > 1)
		add_fan_in(p, s);
	else
		add_map(p, s, f);
}

static leat_pipeline *build(struct shape *s)
{
	int sources = leat_random(2) ? 1 : 1 + (int)leat_random(SOURCES);
	leat_pipeline *p;

	s->live = 1 + leat_random(12);
	s->live_bytes = leat_random(3) ? 0 : 1 + (int64_t)leat_random(8 * HEAVIEST);
	s->all = true;
	s->began = leat_now();
	CHECK_EQ(leat_pipeline_make(&p, .live = s->live, .live_bytes = s->live_bytes), 0);
	for (int i = 0; i < sources; i++)
		add_source(p, s);
	for (uint64_t steps = leat_random(STEPS + 1); steps > 0; steps--)
		grow(p, s);
	for (int i = 0; i < s->nopen; i++)
		add_sink(p, s, &s->open[i]);
	return p;
}

/* For a source: into its channel, until that is abandoned. */
LEAT_TASK(feed, (struct source *, s))
{
	struct box box;

	for (; s->next < s->end; s->next++, s->rate.taken++) {
		if (one_in(4))
			leat_sleep((int64_t)leat_random(10 * LEAT_US));
		fill(&box, s->next, 0);
		if (leat_send(s->chan, box) < 0) {
			drop_box(&box);
			return;
		}
	}
	leat_close(s->chan);
}

/* For a sink: from its channel, until that is closed. */
LEAT_TASK(drain, (struct sink *, s))
{
	struct box box;

	while (leat_recv(s->chan, &box) == 0) {
		(void)work(s->stage);
		if (use_up(s, &box) < 0)
			leat_abandon(s->chan);
	}
}

static void begin_outside(struct shape *s, leat_group *outside)
{
	CHECK_EQ(leat_group_init(outside, NULL), 0);
	for (int i = 0; i < s->nsources; i++)
		if (s->source[i].chan)
			CHECK_EQ(leat_go_in(outside, feed, &s->source[i]), 0);
	for (int i = 0; i < s->nsinks; i++)
		if (s->sink[i].chan)
			CHECK_EQ(leat_go_in(outside, drain, &s->sink[i]), 0);
}

static void end_outside(struct shape *s, leat_group *outside)
{
	CHECK_EQ(leat_group_wait(outside), 0);
	leat_group_release(outside);
	for (int i = 0; i < s->nsources; i++)
		leat_chan_unref(s->source[i].chan);
	for (int i = 0; i < s->nsinks; i++)
		leat_chan_unref(s->sink[i].chan);
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
	leat_ledger l, before;

	for (int i = 0; i < 5; i++) {
		uint64_t sum;

		CHECK_EQ(leat_pipeline_ledger(p, ledger_init(&before)), 0);
		CHECK_EQ(leat_pipeline_ledger(p, ledger_init(&l)), 0);
		sum = l.out + l.failed + l.cancelled + ledger_dropped(&l) + l.in_flight;
		CHECK(sum <= l.in);
		/* Missed: only what moves meanwhile. */
		CHECK(l.in - sum <= live + l.in - before.in);
		CHECK(l.in_flight <= live);
		for (size_t k = 0; i == 2; k++) {
			if (leat_pipeline_stage_ledger(p, k, ledger_init(&l)) < 0)
				break;
			CHECK(l.out + l.failed + l.cancelled + ledger_dropped(&l) + l.in_flight <=
			      l.in);
		}
		leat_sleep((int64_t)leat_random(20 * LEAT_US));
	}
}

/* At rest: what each stage was given has an end there. */
static void check_stages(leat_pipeline *p)
{
	leat_ledger l;

	for (size_t i = 0; leat_pipeline_stage_ledger(p, i, ledger_init(&l)) == 0; i++)
		check_at_rest(&l);
}

static void check_rate(const struct rate *rate, int64_t elapsed)
{
	/* One whose task has been cancelled while it waited for its token has none. */
	if (rate->is_given)
		CHECK(rate->taken <= BURST + 2 + elapsed * RATE / LEAT_S);
}

static void check_bounds(const struct shape *s)
{
	int64_t elapsed = leat_now() - s->began;
	int64_t bytes = s->live_bytes > HEAVIEST ? s->live_bytes : HEAVIEST;

	/* One waits for its bytes, one to be received, and what was sent is outside. */
	bytes += 2 * HEAVIEST;
	for (int i = 0; i < s->nsinks; i++)
		bytes += s->sink[i].chan ? HEAVIEST : 0;
	for (int i = 0; i < s->nstages; i++) {
		CHECK(s->stage[i].gauge.most <= s->stage[i].workers);
		check_rate(&s->stage[i].rate, elapsed);
	}
	for (int i = 0; i < s->nsources; i++) {
		check_rate(&s->source[i].rate, elapsed);
		CHECK_EQ(s->source[i].bytes, 0);
		if (s->live_bytes > 0)
			CHECK(s->source[i].most_bytes <= bytes);
	}
}

static void count_distinct(bool refused)
{
	static int runs;

	if (!refused)
		structure_done();
	/* Not one seed alone. */
	if (++runs == SEEDS && structure.nseen < DISTINCT)
		test_fail(__FILE__, __LINE__, "%d distinct pipelines, not %d", structure.nseen,
			  DISTINCT);
}

/* Of these one in eleven is refused before it starts, and some are equal. */
TEST_SIM_WITH(random_pipelines, SEEDS, .log = log_line)
{
	struct shape shape = { 0 };
	uint64_t how = leat_random(8);
	leat_group group, others, outside;
	leat_ledger ledger;
	leat_pipeline *p;
	int r, in = 0;
	bool refused;

	/* With a sanitizer a quarter of them. */
	if (test_slow() && leat_random(4) != 0)
		return;
	made = used = failed = dropped = 0;
	source_of = shape.source;
	CHECK_EQ(leat_group_init(&others, NULL), 0);
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	p = build(&shape);
	begin_outside(&shape, &outside);
	CHECK_EQ(leat_go_in(&others, interfere, p, &group, how), 0);
	CHECK_EQ(leat_go_in(&others, watch, p, shape.live * (size_t)shape.nsources), 0);
	r = leat_go_in(&group, run, p);
	CHECK(r == 0 || how == 3);
	r = leat_group_wait(&group);
	CHECK(r != LEAT_ECLOSED);
	CHECK_EQ(leat_group_wait(&others), 0);
	refused = r == -EINVAL;
	if (refused && !shape.may_be_refused)
		test_fail(__FILE__, __LINE__, "%s", logged);
	check_stages(p);
	(void)leat_pipeline_destroy(p, ledger_init(&ledger));
	end_outside(&shape, &outside);
	for (int i = 0; i < shape.nsources; i++) {
		in += shape.source[i].next - i * APART;
		if (r == 0 && how == 0 && shape.all)
			CHECK_EQ(shape.source[i].next, shape.source[i].end);
	}
	leat_group_release(&group);
	leat_group_release(&others);
	check_at_rest(&ledger);
	CHECK_EQ(ledger.in, (uint64_t)in);
	CHECK_EQ(made, used + failed + dropped);
	check_bounds(&shape);
	count_distinct(refused);
}
