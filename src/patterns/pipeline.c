/* A pipeline's life: built, run, stopped, ended; its ledger and its table. */
#include "patterns/pipeline.h"

#include <string.h>

#include <leat/extend.h>

#include "patterns/options.h"

enum { LEDGER_TRIES = 8 };

#define MAKE(ok, ...) OPTION("leat_pipeline_make", ok, __VA_ARGS__)
#define STAGE(ok, fmt, ...) OPTION("leat_pipeline", ok, "stage %s: " fmt, o->name, __VA_ARGS__)

int leat_pipeline_create(leat_pipeline **ret_pipeline, const leat_pipeline_options *options)
{
	struct leat_pipeline *p;
	int r;

	if (!options || options->size != sizeof(*options))
		leat_misuse(__func__, options, "the size is not set; use leat_pipeline_make");
	*ret_pipeline = NULL;
	MAKE(options->live > 0, "live is 0; give the number of items between source and sink");
	MAKE(options->live <= SIZE_MAX / 256, "live is %zu; that is more than memory", options->live);
	MAKE(options->live_bytes >= 0, "live_bytes is %lld; it must be >= 0",
	     (long long)options->live_bytes);
	p = leat_alloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	memset(p, 0, sizeof(*p));
	p->o = *options;
	p->last = &p->first;
	leat_sem_init(&p->bytes, options->live_bytes, 0);
	r = leat__tokens_create(p);
	if (r < 0) {
		leat_free(p, sizeof(*p));
		return r;
	}
	r = leat_group_init(&p->group, LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE,
							  .shared = true, .name = options->name));
	if (r == 0)
		r = leat_group_init(&p->source_group,
				    LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE, .shared = true,
						       .parent = &p->group, .name = options->name));
	if (r < 0) { /* no runtime: neither was made */
		leat__tokens_free(p);
		leat_free(p, sizeof(*p));
		return r;
	}
	*ret_pipeline = p;
	return 0;
}

static bool has_mode(const leat_stage_options *o)
{
	return o->kind == LEAT__MAP || o->kind == LEAT__FLAT || o->kind == LEAT__SINK ||
	       o->kind == LEAT__TO;
}

static int check_mode(const leat_stage_options *o)
{
	bool ordered = o->mode == LEAT_STAGE_ORDERED, keyed = o->mode == LEAT_STAGE_KEYED;

	STAGE(o->mode >= 0 && o->mode <= LEAT_STAGE_KEYED,
	      "mode is %d; give one of enum leat_stage_mode", (int)o->mode);
	STAGE(o->mode != 0 || !has_mode(o) || o->kind == LEAT__TO, "mode is %d, not given", 0);
	STAGE(has_mode(o) || o->mode <= LEAT_STAGE_SERIAL, "mode is %d; here it can only be serial",
	      (int)o->mode);
	STAGE(o->mode <= LEAT_STAGE_SERIAL || o->workers > 0, "workers is %d; it must be > 0",
	      o->workers);
	STAGE(o->mode > LEAT_STAGE_SERIAL || o->workers == 0 || o->workers == 1,
	      "workers is %d, but it is serial", o->workers);
	STAGE(!ordered || o->kind == LEAT__MAP, "mode is ordered (%d), which only a map can be",
	      (int)o->mode);
	STAGE(!ordered || o->window > 0, "window is %zu; ordered it must be > 0", o->window);
	STAGE(ordered || o->window == 0, "window is %zu, but it is not ordered", o->window);
	STAGE(o->gap_after >= 0 && (ordered || o->gap_after == 0),
	      "gap_after is %lld ns; it must be >= 0, and 0 unless ordered", (long long)o->gap_after);
	STAGE((o->gap_after > 0) == (o->gap != NULL), "gap_after is %lld, gap %s given",
	      (long long)o->gap_after, o->gap ? "is" : "is not");
	STAGE(keyed == (o->key != NULL), "mode is %d; key must be given if it is keyed, and only then",
	      (int)o->mode);
	return 0;
}

static int check_kind(const leat_pipeline *p, const leat_stage_options *o)
{
	bool fails = has_mode(o) || o->kind == LEAT__REDUCE || o->kind == LEAT__CONFLATE;
	bool batch = o->kind == LEAT__BATCH, weighs = o->kind == LEAT__SOURCE || batch ||
						      o->kind == LEAT__FROM;

	STAGE(!fails || o->kind == LEAT__TO || o->on_error == LEAT_ERROR_STOP ||
		      o->on_error == LEAT_ERROR_COUNT,
	      "on_error is %d; give LEAT_ERROR_STOP or LEAT_ERROR_COUNT", (int)o->on_error);
	STAGE(!batch || o->items > 0, "items is %zu; it must be > 0", o->items);
	STAGE(batch || (o->items == 0 && o->wait == 0 && o->weight == 0),
	      "items is %zu, wait %lld; they are for batches", o->items, (long long)o->wait);
	STAGE(!batch || o->wait > 0, "wait is %lld ns; it must be > 0, or LEAT_FOREVER",
	      (long long)o->wait);
	STAGE(!batch || o->weight == 0 || o->weigh, "weight is %llu, but weigh is not given",
	      (unsigned long long)o->weight);
	STAGE(weighs || !o->weigh, "weigh is given; it is for sources and batches, not %s", o->name);
	STAGE(o->kind > LEAT__FROM || (p->o.live_bytes > 0) == (o->weigh != NULL),
	      "live_bytes is %lld; weigh must be given with it, and only then",
	      (long long)p->o.live_bytes);
	STAGE(!o->rate || has_mode(o) || o->kind <= LEAT__FROM, "rate is given, which %s cannot have",
	      o->name);
	STAGE(!o->retry || has_mode(o), "retry is given, which %s cannot have", o->name);
	STAGE(!o->failed || fails, "failed is given, but %s does not fail", o->name);
	return 0;
}

static int check_stage(const leat_pipeline *p, const leat_stage_options *o)
{
	OPTION("leat_pipeline", o->name, "a stage has no name; give one");
	STAGE(o->in_size <= LEAT_ITEM_MAX && o->out_size <= LEAT_ITEM_MAX,
	      "an item has more than %d bytes; pass a pointer", LEAT_ITEM_MAX);
	STAGE(o->buffer <= SIZE_MAX / 4096, "buffer is %zu; that is more than memory", o->buffer);
	STAGE(o->kind != LEAT__CONFLATE || o->in_size == o->out_size,
	      "it merges items of %zu bytes into another type", o->in_size);
	STAGE(o->kind > LEAT__FROM || (o->buffer == 0 && o->workers == 0),
	      "buffer is %zu; a source has no buffer and no workers", o->buffer);
	if (check_mode(o) < 0)
		return -EINVAL;
	return check_kind(p, o);
}

/* Where it stands among the others. */
static int check_joints(const leat_pipeline *p, const leat_flow_raw *in,
			const leat_stage_options *o)
{
	bool source = o->kind <= LEAT__FROM, sink = o->kind >= LEAT__SINK;

	STAGE(!p->started, "the pipeline has been started%s", "");
	STAGE(!source || !p->source, "stage %s is a source already", p->source->o.name);
	STAGE(!sink || !p->sink, "stage %s is a sink already", p->sink->o.name);
	if (source)
		return 0;
	STAGE(in, "its flow is NULL%s; it is set by the stage that makes it", "");
	STAGE(in->p == p, "its flow, from %s, is another pipeline's", in->o.name);
	STAGE(!in->down, "the flow of %s is taken by %s already", in->o.name, in->down->o.name);
	STAGE(o->kind != LEAT__TO || !p->source || p->source->o.chan != o->chan,
	      "a cycle: %s receives from the same channel", p->source->o.name);
	STAGE(o->kind != LEAT__BATCH || o->items <= p->o.live / in->batched,
	      "items is %zu, and one of them %zu items of the source; more than live, %zu", o->items,
	      in->batched, p->o.live);
	return 0;
}

static struct leat_stage *new_stage(struct leat_pipeline *p, struct leat_stage *in,
				    const leat_stage_options *o)
{
	struct leat_stage *s = leat_alloc(sizeof(*s));

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->p = p;
	s->o = *o;
	s->up = in;
	s->workers = o->mode > LEAT_STAGE_SERIAL ? o->workers : 1;
	s->batched = (in ? in->batched : 1) * (o->kind == LEAT__BATCH ? o->items : 1);
	if (o->retry) {
		s->retry = *o->retry;
		s->o.retry = &s->retry;
	}
	if (o->kind == LEAT__BATCH)
		s->o.on_error = LEAT_ERROR_STOP; /* for want of memory */
	if (o->chan)
		leat_channel_ref(o->chan);
	return s;
}

static void free_stage(struct leat_stage *s)
{
	struct leat__stage_worker *w, *next;

	for (w = s->all; w; w = next) {
		next = w->next;
		leat_free(w->hand, w->bytes);
		leat_free(w, sizeof(*w));
	}
	leat__keys_free(s->keys);
	leat__window_free(s);
	leat_channel_unref(s->in);
	leat_channel_unref(s->o.chan);
	if (s->o.kind == LEAT__REDUCE && s->o.state)
		leat_free((void *)(uintptr_t)s->o.state, s->o.out_size);
	leat_free(s, sizeof(*s));
}

static int make_parts(struct leat_stage *s)
{
	void *init;

	if (s->o.kind == LEAT__REDUCE) {
		init = leat_alloc(s->o.out_size);
		if (init)
			memcpy(init, s->o.state, s->o.out_size);
		s->o.state = init;
		if (!init)
			return -ENOMEM;
	}
	if (!s->up)
		return 0;
	s->in = leat_channel_create(sizeof(struct leat__env) + s->o.in_size, s->o.buffer, NULL,
				    s->o.name);
	if (!s->in)
		return -ENOMEM;
	if (s->o.mode == LEAT_STAGE_KEYED) {
		s->keys = leat__keys_create(sizeof(struct leat__env) + s->o.in_size,
					    (size_t)s->workers);
		return s->keys ? 0 : -ENOMEM;
	}
	return s->o.mode == LEAT_STAGE_ORDERED ? leat__window_create(s) : 0;
}

static int add(struct leat_pipeline *p, struct leat_stage *in, struct leat_stage **ret_stage,
	       const leat_stage_options *o)
{
	struct leat_stage *s;
	int r = check_stage(p, o);

	if (r == 0)
		r = check_joints(p, in, o);
	if (r < 0)
		return r;
	s = new_stage(p, in, o);
	if (!s)
		return -ENOMEM;
	r = make_parts(s);
	if (r < 0) {
		free_stage(s);
		return r;
	}
	if (in)
		in->down = s;
	if (o->kind <= LEAT__FROM)
		p->source = s;
	if (o->kind >= LEAT__SINK)
		p->sink = s;
	*p->last = s;
	p->last = &s->next;
	*ret_stage = s;
	return 0;
}

int leat_pipeline_add(leat_pipeline *p, leat_flow_raw *in, leat_flow_raw **ret_out,
		      const leat_stage_options *options)
{
	struct leat_stage *s = NULL;
	int r = 0;

	if (!options || options->size != sizeof(*options))
		leat_misuse(__func__, options, "the size is not set; use leat_pipeline_map");
	if (!p)
		r = -EINVAL; /* it could not be made, and that has been said */
	else if (!in && options->kind > LEAT__FROM && p->broken < 0)
		r = p->broken; /* so could not its flow */
	else
		r = add(p, in, &s, options);
	if (ret_out)
		*ret_out = s;
	if (p && p->broken == 0)
		p->broken = r;
	return r;
}

static void check(const char *function, const struct leat_pipeline *p)
{
	if (!p)
		leat_misuse(function, p, "the pipeline is NULL; make it with leat_pipeline_make");
}

static int check_whole(struct leat_pipeline *p)
{
	OPTION("leat_pipeline_start", p->source, "there is no source; add one");
	for (struct leat_stage *s = p->first; s; s = s->next)
		OPTION("leat_pipeline_start", s->down || s->o.kind >= LEAT__SINK,
		       "no stage takes the flow of stage %s", s->o.name);
	return 0;
}

/* A source that has been told to stop before it was started makes nothing. */
static int start_source(struct leat_pipeline *p)
{
	int r = leat__stage_start(p->source);

	return r == -ECANCELED && leat__pipeline_how(p) == LEAT__SHUT ? 0 : r;
}

int leat_pipeline_start(leat_pipeline *p)
{
	int r;

	if (!p)
		return -EINVAL;
	if (p->started)
		leat_misuse(__func__, p, "it has been started already");
	r = p->broken < 0 ? p->broken : check_whole(p);
	if (r < 0)
		return r;
	p->started = true;
	/* From the sink up: what comes in finds who takes it. */
	for (struct leat_stage *s = p->sink; s != p->source && r == 0; s = s->up)
		r = leat__stage_start(s);
	if (r == 0)
		r = start_source(p);
	if (r < 0)
		leat__pipeline_halt(p, LEAT__ABORTED, r);
	return r;
}

void leat__pipeline_halt(struct leat_pipeline *p, enum leat__halt how, int cause)
{
	int old = atomic_load(&p->how), none = 0;

	if (cause < 0)
		atomic_compare_exchange_strong(&p->error, &none, cause);
	do
		if (old >= LEAT__ENOUGH || old >= (int)how)
			return;
	while (!atomic_compare_exchange_weak(&p->how, &old, (int)how));
	if (how == LEAT__SHUT) {
		leat_group_cancel(&p->source_group, -ECANCELED);
		return;
	}
	leat_group_cancel(&p->group, cause);
	for (struct leat_stage *s = p->first; s; s = s->next) {
		if (s->in)
			leat__stage_close_in(s);
		if (s->window)
			leat__window_wake(s);
	}
}

void leat_pipeline_shutdown(leat_pipeline *p)
{
	check(__func__, p);
	leat__pipeline_halt(p, LEAT__SHUT, 0);
}

void leat_pipeline_abort(leat_pipeline *p, int cause)
{
	check(__func__, p);
	if (cause > 0)
		leat_misuse(__func__, p, "cause is %d; it must be a negative error, or 0", cause);
	leat__pipeline_halt(p, LEAT__ABORTED, cause < 0 ? cause : -ECANCELED);
}

int leat_pipeline_wait(leat_pipeline *p)
{
	check(__func__, p);
	if (!p->started)
		leat_misuse(__func__, p, "it has not been started");
	if (!p->waited) {
		(void)leat_group_wait(&p->source_group);
		(void)leat_group_wait(&p->group);
		for (struct leat_stage *s = p->first; s; s = s->next)
			leat__stage_drain(s);
		/* As its task has done, if there was one. */
		if (p->source->o.kind == LEAT__FROM)
			leat_channel_abandon(p->source->o.chan);
		/* A stop that comes after the end is none. */
		leat__pipeline_halt(p, LEAT__ENOUGH, 0);
		p->waited = true;
	}
	return leat__pipeline_how(p) == LEAT__ABORTED ? atomic_load(&p->error) : 0;
}

int leat_pipeline_run(leat_pipeline *p)
{
	int r = leat_pipeline_start(p);

	if (r == 0 || (p && p->started))
		r = leat_pipeline_wait(p);
	return r;
}

int leat_pipeline_destroy(leat_pipeline *p, leat_ledger *ret_ledger)
{
	struct leat_stage *s, *next;
	int r = 0;

	if (!p)
		return 0;
	if (p->started && !p->waited)
		leat__pipeline_halt(p, LEAT__ABORTED, -ECANCELED);
	if (p->started)
		r = leat_pipeline_wait(p);
	if (ret_ledger)
		(void)leat_pipeline_ledger(p, ret_ledger);
	leat_group_release(&p->source_group);
	leat_group_release(&p->group);
	for (s = p->first; s; s = next) {
		next = s->next;
		free_stage(s);
	}
	leat__tokens_free(p);
	leat_free(p, sizeof(*p));
	return r;
}

static void add_ends(struct leat__ends *sum, struct leat__ends *part)
{
	for (int i = 0; i < LEAT__ENDS; i++)
		sum->n[i] += atomic_load_explicit(&part->n[i], memory_order_acquire);
}

/* The ends first, then what is in flight, then what has come in: see leat/ledger.h. */
static void read_ledger(struct leat_pipeline *p, leat_ledger *l)
{
	struct leat__ends sum = { 0 };

	for (struct leat_stage *s = p->first; s; s = s->next) {
		leat_mutex_lock(&s->lock);
		for (struct leat__stage_worker *w = s->all; w; w = w->next)
			add_ends(&sum, &w->ends);
		leat_mutex_unlock(&s->lock);
	}
	add_ends(&sum, &p->rest);
	l->out = sum.n[LEAT__END_OUT];
	l->failed = sum.n[LEAT__END_FAILED];
	l->cancelled = sum.n[LEAT__END_CANCELLED];
	l->dropped[LEAT_DROPPED_FILTERED] = sum.n[LEAT__END_FILTERED];
	l->dropped[LEAT_DROPPED_MERGED] = sum.n[LEAT__END_MERGED];
	l->dropped[LEAT_DROPPED_LATE] = sum.n[LEAT__END_LATE];
	l->dropped[LEAT_DROPPED_UNWANTED] = sum.n[LEAT__END_UNWANTED];
	l->in_flight = leat__tokens_in_flight(p);
	l->in = atomic_load_explicit(&p->in, memory_order_acquire);
}

int leat_pipeline_ledger(leat_pipeline *p, leat_ledger *ret_ledger)
{
	leat_ledger l = { .size = ret_ledger->size };
	uint64_t before;

	check(__func__, p);
	if (l.size < sizeof(l.size))
		return -EINVAL;
	/* What comes in meanwhile is in none of the ends: once more then, but not for ever. */
	for (int tries = 0; tries < LEDGER_TRIES; tries++) {
		before = atomic_load_explicit(&p->in, memory_order_acquire);
		read_ledger(p, &l);
		if (l.in == before)
			break;
	}
	memcpy(ret_ledger, &l, l.size < sizeof(l) ? l.size : sizeof(l));
	return 0;
}

static void stage_stats(struct leat_stage *s, leat_stage_stats *ret_stats)
{
	leat_stage_stats st = { .size = sizeof(st), .name = s->o.name, .workers = s->workers };
	int64_t began = atomic_load(&s->began), ended = atomic_load(&s->ended);
	int64_t now = ended != 0 ? ended : leat_now();

	st.elapsed = began != 0 ? now - began : 0;
	leat_mutex_lock(&s->lock);
	for (struct leat__stage_worker *w = s->all; w; w = w->next) {
		(void)leat__meter_read(&w->meter, &st, now);
		st.items += atomic_load_explicit(&w->items, memory_order_relaxed);
	}
	leat_mutex_unlock(&s->lock);
	leat__stats_finish(&st, &s->service, &s->queue);
	*ret_stats = st;
}

size_t leat_pipeline_stats(leat_pipeline *p, leat_stage_stats *stages, size_t max)
{
	size_t n = 0;

	check(__func__, p);
	for (struct leat_stage *s = p->source; s; s = s->down, n++)
		if (n < max)
			stage_stats(s, &stages[n]);
	return n;
}

int leat_pipeline_explain(leat_pipeline *p, char *text, size_t size)
{
	size_t n = leat_pipeline_stats(p, NULL, 0), bytes = n * sizeof(leat_stage_stats);
	leat_stage_stats *stages;
	int r;

	if (n == 0)
		return leat_stage_explain(NULL, 0, text, size);
	stages = leat_alloc(bytes);
	if (!stages)
		return -ENOMEM;
	n = leat_pipeline_stats(p, stages, n);
	r = leat_stage_explain(stages, n, text, size);
	leat_free(stages, bytes);
	return r;
}
