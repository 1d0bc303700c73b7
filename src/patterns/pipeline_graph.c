/*
 * The shape of a pipeline: what would never end is refused before the start.
 *
 * A flow is there before who takes it, so there is no cycle but through a channel of the user's.
 *
 * A fan-in that waits for one flow while others of its flows have items (concat, ordered merge,
 * zip) keeps those items live.  If they are a source's whose next items it waits for, and these are
 * as many as may be live, it waits for ever.  So is it when two of its flows come from one fan-out
 * by two ways that have no stage in common, and
 *	balance or partition hands each item to one of them;
 *	or concat takes the second one only after the end of the first;
 *	or one of them makes fewer items of the same (batch, conflate) than the other.
 * A reduce keeps no item live, and hands on one at the end.
 *
 * Two ways are found as by two walkers from the fan-in up, of whom the one that stands later in
 * the list goes on to what it takes from; they meet where the ways part, or not at all.  What they
 * have passed is in the state of the walk, and each state is seen once: at most n^2 of them.
 */
#include "patterns/pipeline.h"

#include <string.h>

#include <leat/extend.h>

#include "patterns/options.h"

#define START(ok, ...) OPTION("leat_pipeline_start", ok, __VA_ARGS__)

/* Marks what is above the marked stages, also by way of a channel of the user's. */
static void mark_upwards(const struct leat_pipeline *p)
{
	bool more = true;

	while (more) {
		more = false;
		for (struct leat_stage *s = p->last; s; s = s->prev) {
			for (size_t i = 0; s->marked && i < s->nins; i++)
				s->ins[i]->from->marked = true;
			for (struct leat_stage *t = p->first; t && s->marked; t = t->next)
				if (s->o.kind == LEAT__FROM && t->o.kind == LEAT__TO &&
				    t->o.chan == s->o.chan && !t->marked)
					t->marked = more = true;
		}
	}
}

int leat__graph_check_channel(const struct leat_pipeline *p, const struct leat_flow_raw *in,
			      const leat_stage_options *o)
{
	for (struct leat_stage *s = p->first; s; s = s->next) {
		OPTION("leat_pipeline", s->o.kind != o->kind || s->o.chan != o->chan,
		       "stage %s: its channel is that of stage %s already", o->name, s->o.name);
		s->marked = in && s == in->from;
	}
	mark_upwards(p);
	for (struct leat_stage *s = p->first; s; s = s->next)
		OPTION("leat_pipeline", !s->marked || !s->source || s->o.chan != o->chan,
		       "stage %s: a cycle: %s receives from the same channel", o->name, s->o.name);
	return 0;
}

/* What a way has passed. */
enum { REDUCED = 1, FEWER = 2 };

/* Two ways: the stages, and what has been passed by each. */
struct ways {
	const struct leat_stage *at[2];
	int passed[2];
};

struct walk {
	const struct leat_stage *join;
	size_t n;
	uint16_t *seen;		/* n * n: of the states of two stages, those that have been */
};

static bool waits(const struct leat_stage *s)
{
	int kind = s->o.kind - LEAT__FANS;

	return kind == LEAT__FAN_CONCAT || kind == LEAT__FAN_ORDERED || kind == LEAT__FAN_ZIP;
}

static int passed(const struct leat_stage *s)
{
	if (s->o.kind == LEAT__REDUCE)
		return REDUCED;
	return s->o.kind == LEAT__BATCH || s->o.kind == LEAT__CONFLATE ? FEWER : 0;
}

static void see(struct walk *k, const struct ways *w)
{
	k->seen[w->at[0]->index * k->n + w->at[1]->index] |=
		(uint16_t)(1u << (w->passed[0] * 4 + w->passed[1]));
}

/* They have met: whether the join may wait for the first while the second keeps its items live. */
static bool is_endless(const struct walk *k, const struct ways *w)
{
	bool first = w->passed[0] & REDUCED, second = w->passed[1] & REDUCED;

	if (k->join->o.kind == LEAT__FANS + LEAT__FAN_CONCAT)
		return !second;
	if (first && second)
		return false;
	return first != second || w->at[0]->o.kind != LEAT__FANS + LEAT__FAN_BROADCAST ||
	       w->passed[0] != w->passed[1];
}

static int step(struct walk *k, struct ways *w)
{
	int later = w->at[1]->index > w->at[0]->index;
	const struct leat_stage *s = w->at[later];

	if (w->at[0] == w->at[1]) {
		START(!is_endless(k, w),
		      "stage %s would wait for ever: two of its flows come from stage %s, and while it "
		      "waits for one of them the other keeps all items live; merge them, or reduce "
		      "that one", k->join->o.name, s->o.name);
		return 0;
	}
	w->passed[later] |= passed(s);
	for (size_t i = 0; i < s->nins; i++) {
		w->at[later] = s->ins[i]->from;
		see(k, w);
	}
	return 0;
}

/* All states of two stages. */
static int step_all(struct walk *k, const struct leat_stage *a, const struct leat_stage *b)
{
	uint16_t states = k->seen[a->index * k->n + b->index];

	for (int i = 0; i < 16; i++) {
		struct ways w = { { a, b }, { i / 4, i % 4 } };

		if (states & 1u << i && step(k, &w) < 0)
			return -EINVAL;
	}
	return 0;
}

static int check_join(struct walk *k, const struct leat_pipeline *p)
{
	const struct leat_stage *join = k->join;

	memset(k->seen, 0, k->n * k->n * sizeof(*k->seen));
	for (size_t i = 0; i < join->nins; i++)
		for (size_t j = i + 1; j < join->nins; j++)
			see(k, &(struct ways){ { join->ins[i]->from, join->ins[j]->from }, { 0 } });
	/* A step leads to what comes earlier in the list. */
	for (const struct leat_stage *a = p->last; a; a = a->prev)
		for (const struct leat_stage *b = a; b; b = b->prev)
			if (step_all(k, a, b) < 0 || (a != b && step_all(k, b, a) < 0))
				return -EINVAL;
	return 0;
}

static int check_joins(const struct leat_pipeline *p)
{
	struct walk k = { .n = p->nstages };
	size_t bytes = k.n * k.n * sizeof(*k.seen);
	int r = 0;

	for (const struct leat_stage *s = p->first; s && r == 0; s = s->next) {
		if (!waits(s))
			continue;
		if (!k.seen)
			k.seen = leat_alloc(bytes);
		if (!k.seen)
			return -ENOMEM;
		k.join = s;
		r = check_join(&k, p);
	}
	leat_free(k.seen, bytes);
	return r;
}

int leat__graph_check(struct leat_pipeline *p)
{
	bool has_source = false;

	for (struct leat_stage *s = p->first; s; s = s->next) {
		has_source |= s->source != NULL;
		for (size_t i = 0; i < s->nouts; i++)
			START(s->out[i].to, "no stage takes the flow of stage %s (%zu of %zu)",
			      s->o.name, i + 1, s->nouts);
	}
	START(has_source, "there is no source; add one");
	return check_joins(p);
}
