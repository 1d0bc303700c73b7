/* A pipeline's ledger, and where the time of its stages goes. */
#include "patterns/pipeline.h"

#include <string.h>

#include <leat/extend.h>

enum { LEDGER_TRIES = 8 };

static void add_ends(struct leat__ends *sum, struct leat__ends *part)
{
	for (int i = 0; i < LEAT__ENDS; i++)
		sum->n[i] += atomic_load_explicit(&part->n[i], memory_order_acquire);
}

static uint64_t came_in(struct leat_pipeline *p)
{
	uint64_t n = 0;

	for (struct leat_stage *s = p->first; s; s = s->next)
		if (s->source)
			n += atomic_load_explicit(&s->source->in, memory_order_acquire);
	return n;
}

static void set_ends(leat_ledger *l, const struct leat__ends *sum)
{
	l->out = sum->n[LEAT__END_OUT];
	l->failed = sum->n[LEAT__END_FAILED];
	l->cancelled = sum->n[LEAT__END_CANCELLED];
	l->dropped[LEAT_DROPPED_FILTERED] = sum->n[LEAT__END_FILTERED];
	l->dropped[LEAT_DROPPED_MERGED] = sum->n[LEAT__END_MERGED];
	l->dropped[LEAT_DROPPED_LATE] = sum->n[LEAT__END_LATE];
	l->dropped[LEAT_DROPPED_UNWANTED] = sum->n[LEAT__END_UNWANTED];
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
	l->in_flight = l->in = 0;
	set_ends(l, &sum);
	for (struct leat_stage *s = p->first; s; s = s->next)
		if (s->source)
			l->in_flight += leat__tokens_in_flight(s->source);
	l->in = came_in(p);
}

int leat_pipeline_ledger(leat_pipeline *p, leat_ledger *ret_ledger)
{
	leat_ledger l = { 0 };
	uint64_t before;

	if (!p)
		leat_misuse(__func__, p, "the pipeline is NULL; make it with leat_pipeline_make");
	/* What comes in meanwhile is in none of the ends: once more then, but not for ever. */
	for (int tries = 0; tries < LEDGER_TRIES; tries++) {
		before = came_in(p);
		read_ledger(p, &l);
		if (l.in == before)
			break;
	}
	return leat__fill(ret_ledger, &l, sizeof(l));
}

/* What a stage has done with its own items. */
static void add_done(struct leat_stage *s, struct leat__ends *sum)
{
	add_ends(sum, &s->rest);
	leat_mutex_lock(&s->lock);
	for (struct leat__stage_worker *w = s->all; w; w = w->next)
		add_ends(sum, &w->did);
	leat_mutex_unlock(&s->lock);
}

static uint64_t in_hands(struct leat_stage *s)
{
	uint64_t n = 0;

	leat_mutex_lock(&s->lock);
	for (struct leat__stage_worker *w = s->all; w; w = w->next)
		n += atomic_load_explicit(&w->held, memory_order_acquire);
	leat_mutex_unlock(&s->lock);
	return n;
}

/* Those that wait in its flows; and all that have been sent there. */
static void read_flows(struct leat_stage *s, leat_ledger *l)
{
	uint64_t sent, received;

	for (size_t i = 0; i < s->nins; i++) {
		leat_channel_totals(s->ins[i]->chan, &sent, &received);
		l->in_flight += sent - received;
		l->in += sent;
	}
}

/* A piece counts for itself; what its worker has dropped is in rest. */
static void read_fan(struct leat_stage *s, leat_ledger *l)
{
	leat_ledger f = { .size = sizeof(f) };

	(void)leat_fan_ledger(s->fan, &f);
	l->out += f.out;
	l->failed += f.failed;
	l->cancelled += f.cancelled;
	l->dropped[LEAT_DROPPED_UNWANTED] += f.dropped[LEAT_DROPPED_UNWANTED];
	l->in_flight += f.in_flight;
}

/* From the end of an item's way to its begin: see leat__did. */
static void read_stage(struct leat_stage *s, leat_ledger *l)
{
	struct leat__ends sum = { 0 };

	add_done(s, &sum);
	set_ends(l, &sum);
	if (s->fan)
		read_fan(s, l);
	if (s->window)
		l->in_flight += leat__window_held(s);
	l->in_flight += in_hands(s);
	if (s->keys)
		l->in_flight += leat__keys_held(s->keys);
	read_flows(s, l);
	if (s->source)
		l->in = atomic_load_explicit(&s->source->in, memory_order_acquire);
}

int leat_pipeline_stage_ledger(leat_pipeline *p, size_t i, leat_ledger *ret_ledger)
{
	leat_ledger l = { 0 };
	struct leat_stage *s;

	if (!p)
		leat_misuse(__func__, p, "the pipeline is NULL; make it with leat_pipeline_make");
	for (s = p->first; s && s->index != i; s = s->next)
		;
	if (!s)
		return -EINVAL;
	read_stage(s, &l);
	return leat__fill(ret_ledger, &l, sizeof(l));
}

/* What a function has been called for, or has been counted as no less. */
static uint64_t worked_on(struct leat_stage *s)
{
	struct leat__ends sum = { 0 };

	add_done(s, &sum);
	return sum.n[LEAT__END_OUT] + sum.n[LEAT__END_FILTERED] + sum.n[LEAT__END_MERGED] +
	       sum.n[LEAT__END_LATE] + sum.n[LEAT__END_FAILED];
}

static uint64_t size_of_limit(const struct leat_stage *s, enum leat_stage_limit limit)
{
	switch (limit) {
	case LEAT_LIMIT_WINDOW:
		return s->o.window;
	case LEAT_LIMIT_AHEAD:
		return s->o.ahead;
	case LEAT_LIMIT_LIVE:
		return s->p->o.live;
	case LEAT_LIMIT_LIVE_BYTES:
		return (uint64_t)s->p->o.live_bytes;
	default:
		return 0;
	}
}

static void stage_stats(struct leat_stage *s, leat_stage_stats *ret_stats)
{
	leat_stage_stats st = { .name = s->o.name, .workers = s->workers };
	int64_t began = atomic_load(&s->began), ended = atomic_load(&s->ended);
	int64_t time[LEAT__METER_STATES] = { 0 }, now = ended != 0 ? ended : leat_now();

	st.elapsed = began != 0 ? now - began : 0;
	if (s->fan) {
		leat__meter_read(&s->fan->meter, time, now);
		st.items = atomic_load_explicit(&s->fan->received, memory_order_relaxed);
	}
	leat_mutex_lock(&s->lock);
	for (struct leat__stage_worker *w = s->all; w && !s->fan; w = w->next)
		if (!w->is_watcher)
			leat__meter_read(&w->meter, time, now);
	leat_mutex_unlock(&s->lock);
	if (!s->fan)
		st.items = worked_on(s);
	leat__limits_read(&s->limits, time);
	if (s->keys)
		time[leat__limited(LEAT_LIMIT_KEY)] = leat__keys_waited(s->keys, now);
	leat__stats_finish(&st, time, &s->service, &s->queue);
	st.limit_size = size_of_limit(s, st.limit);
	(void)leat__fill(ret_stats, &st, sizeof(st));
}

int leat_pipeline_stats(leat_pipeline *p, leat_stage_stats *stages, size_t max)
{
	size_t n = 0, size = max > 0 ? stages[0].size : 0;

	if (!p)
		leat_misuse(__func__, p, "the pipeline is NULL; make it with leat_pipeline_make");
	if (max > 0 && size < sizeof(size))
		return -EINVAL;
	for (struct leat_stage *s = p->first; s; s = s->next, n++) {
		leat_stage_stats *to;

		if (n >= max)
			continue;
		to = (void *)((char *)stages + n * size);
		to->size = size;
		stage_stats(s, to);
	}
	return (int)n;
}

int leat_pipeline_explain(leat_pipeline *p, char *text, size_t size)
{
	size_t n = (size_t)leat_pipeline_stats(p, NULL, 0), bytes = n * sizeof(leat_stage_stats);
	leat_stage_stats *stages;
	int r;

	if (n == 0)
		return leat_stage_explain(NULL, 0, text, size);
	stages = leat_alloc(bytes);
	if (!stages)
		return -ENOMEM;
	stages[0].size = sizeof(stages[0]);
	n = (size_t)leat_pipeline_stats(p, stages, n);
	r = leat_stage_explain(stages, n, text, size);
	leat_free(stages, bytes);
	return r;
}
