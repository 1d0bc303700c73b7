/*
 * The shape of a pipeline: what would never end is refused before the start.
 *
 * A flow is there before who takes it, so there is no cycle but through a channel of the user's.
 *
 * A fan-in that waits for one of its flows while others have items (concat, ordered merge, zip)
 * lets those fill up.  It waits for ever if what it waits for needs what the full ones hold up.
 * So for each such fan-in, and each flow for which it may wait:
 *	H1 full: its other flows, and all flows above a stage whose flow is full; but not above a
 *	   reduce, which takes whatever comes, and has nothing to hand on before the end, unless
 *	   its dead letters are full
 *	H2 starved: what comes from the fan-in; what comes from a source with a full flow below it,
 *	   whose items may all be live, or from a fan-out with one; and what comes from a stage with
 *	   a flow that is starved
 *	H3 waits for it: another such fan-in that has a starved flow, also without what follows from
 *	   its own waiting; so H1 of that, too
 * until there is no more of it.  If then the flow is starved, it is refused.  More is refused than
 * need be (a merge is starved as soon as one of its flows is), and nothing too little.
 *
 * A zip of copies is the one case in which two of its flows that part above do no harm: between the
 * fan-out and it each stage hands on one for one.  So at each moment both flows have been sent as
 * many items, but for one, for which there is place where the zip waits (make_channels in
 * pipeline_add.c); and what is in one way comes out of it.  To that end a stage on the way
 * that leaves an item out hands on an empty place instead (keeps_place, leat__left_out).  The
 * origin of a flow is the fan-out of copies from which it comes one for one.
 *
 * A batch that waits for ever for its last item holds all but that one.  So what all batches below
 * a source may hold is less than what may be live.
 */
#include "patterns/pipeline.h"

#include <leat/extend.h>

#include "patterns/options.h"

/* No kind of stage. */
enum { NONE = -1 };

#define START(ok, ...) OPTION("leat_pipeline_start", ok, __VA_ARGS__)

/* Whether s receives from the channel of the user's to which t sends. */
static bool is_joined(const struct leat_stage *s, const struct leat_stage *t)
{
	return s->o.kind == LEAT__FROM && t->o.kind == LEAT__TO && t->o.chan == s->o.chan;
}

/* The stage of a flow that is full: whether that is new. */
static bool mark(const struct leat_flow_raw *full)
{
	struct leat_stage *s = full->from;
	bool *is = full == s->dead ? &s->letters_full : &s->marked, more = !*is;

	*is = s->marked = true;
	return more;
}

/*
 * Marks what is above the marked stages, but not what is above one of the kind stop, unless its
 * letters are full.
 */
static void mark_upwards(const struct leat_pipeline *p, int stop)
{
	bool more = true;

	while (more) {
		more = false;
		for (struct leat_stage *s = p->last; s; s = s->prev) {
			if (!s->marked || (s->o.kind == stop && !s->letters_full))
				continue;
			for (size_t i = 0; i < s->nins; i++)
				(void)mark(s->ins[i]);
			for (struct leat_stage *t = p->first; t; t = t->next)
				if (is_joined(s, t) && !t->marked)
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
	mark_upwards(p, NONE);
	for (struct leat_stage *s = p->first; s; s = s->next)
		OPTION("leat_pipeline", !s->marked || !s->source || s->o.chan != o->chan,
		       "stage %s: a cycle: %s receives from the same channel", o->name, s->o.name);
	return 0;
}

static bool is_fan(const struct leat_stage *s, enum leat__fan_kind kind)
{
	return s->o.kind == (int)LEAT__FANS + (int)kind;
}

/* Whether a fan-in waits for one of its flows while others have items. */
static bool waits(const struct leat_stage *s)
{
	return is_fan(s, LEAT__FAN_CONCAT) || is_fan(s, LEAT__FAN_ORDERED) ||
	       is_fan(s, LEAT__FAN_ZIP);
}

static bool is_zip_of_copies(const struct leat_stage *s)
{
	return is_fan(s, LEAT__FAN_ZIP) && s->ins[0]->origin &&
	       s->ins[0]->origin == s->ins[1]->origin;
}

static void find_origin(struct leat_stage *s)
{
	bool copies = is_fan(s, LEAT__FAN_BROADCAST);
	bool one_for_one = copies || s->o.kind == LEAT__MAP || is_fan(s, LEAT__FAN_TAKE) ||
			   is_zip_of_copies(s);

	for (size_t i = 0; i < s->nouts && one_for_one; i++)
		s->out[i].origin = copies && !s->in->origin ? s : s->in->origin;
}

static bool keeps_order(const struct leat_stage *s)
{
	return s->o.mode != LEAT_STAGE_PARALLEL && s->o.mode != LEAT_STAGE_KEYED && !s->mixes;
}

/* Up to where the copies part. */
static void keep_places(struct leat_stage *zip)
{
	struct leat_flow_raw *way[2] = { zip->ins[0], zip->ins[1] };
	int later;

	way[0]->keeps_place = way[1]->keeps_place = true;
	while (way[0]->from != way[1]->from) {
		later = way[1]->from->index > way[0]->from->index;
		zip->mixes |= !keeps_order(way[later]->from);
		way[later] = way[later]->from->in;
		way[later]->keeps_place = true;
	}
}

/* Full, so that what else is below it gets nothing. */
static bool is_stuck(const struct leat_stage *s)
{
	return s->marked && (s->source || s->nouts + (s->dead != NULL) > 1);
}

/* H2 */
static bool is_starved(const struct leat_pipeline *p, const struct leat_stage *s)
{
	if (is_stuck(s))
		return true;
	for (size_t i = 0; i < s->nins; i++)
		if (s->ins[i]->from->starved)
			return true;
	for (const struct leat_stage *t = p->first; t; t = t->next)
		if (is_joined(s, t) && t->starved)
			return true;
	return false;
}

/* H1 of k, which waits for flow i: whether it is more. */
static bool fill_up(struct leat_stage *k, size_t i)
{
	bool more = false;

	for (size_t j = is_fan(k, LEAT__FAN_CONCAT) ? i + 1 : 0; j < k->nins; j++)
		if (j != i && !is_zip_of_copies(k))
			more |= mark(k->ins[j]);
	return more;
}

/* H1 of s, unless it is without: whether it is more. */
static bool fill_up_of(struct leat_stage *s, const struct leat_stage *without)
{
	bool more = false;

	for (size_t i = 0; i < s->nins && s != without; i++)
		if (s->ins[i]->waited_for && s->ins[i]->from->starved)
			more |= fill_up(s, i);
	return more;
}

/* H1 and H2 of k, which waits for flow i, and of all fan-ins but one. */
static void spread(const struct leat_pipeline *p, struct leat_stage *k, size_t i,
		   const struct leat_stage *without)
{
	bool more;

	for (struct leat_stage *s = p->first; s; s = s->next)
		s->marked = s->letters_full = s->starved = false;
	k->starved = true;
	more = fill_up(k, i);
	while (more) {
		mark_upwards(p, LEAT__REDUCE);
		more = false;
		for (struct leat_stage *s = p->first; s; s = s->next) {
			if (!s->starved && is_starved(p, s))
				s->starved = more = true;
			more |= s != k && fill_up_of(s, without);
		}
	}
}

/* H3: whether there is more. */
static bool more_wait(const struct leat_pipeline *p, struct leat_stage *k, size_t i)
{
	bool more = false;

	for (struct leat_stage *s = p->first; s; s = s->next) {
		if (s == k || !waits(s))
			continue;
		spread(p, k, i, s);
		for (size_t j = 0; j < s->nins; j++)
			if (s->ins[j]->from->starved && !s->ins[j]->waited_for)
				s->ins[j]->waited_for = more = true;
	}
	return more;
}

static int check_wait(const struct leat_pipeline *p, struct leat_stage *k, size_t i)
{
	const struct leat_stage *stuck = p->last;

	for (struct leat_stage *s = p->first; s; s = s->next)
		for (size_t j = 0; j < s->nins; j++)
			s->ins[j]->waited_for = false;
	while (more_wait(p, k, i))
		;
	spread(p, k, i, NULL);
	while (stuck && !is_stuck(stuck))
		stuck = stuck->prev;
	START(!k->ins[i]->from->starved,
	      "stage %s would wait for ever: while it waits for stage %s, its other flows fill up, and "
	      "nothing comes from stage %s any more, which that needs; merge them, or reduce those "
	      "that fill up", k->o.name, k->ins[i]->from->o.name, stuck ? stuck->o.name : "-");
	return 0;
}

/* Of the source, the most that are live for one item in flow: none for what a reduce has made. */
static size_t live_in(const struct leat_flow_raw *flow)
{
	const struct leat_stage *s = flow->from;

	return s->o.kind == LEAT__REDUCE && flow != s->dead ? 0 : s->live_for_one;
}

/* The same of one that s hands on; no more than bound. */
static size_t live_for_one(const struct leat_stage *s, size_t bound)
{
	bool is_sum = is_fan(s, LEAT__FAN_ZIP) && (!is_zip_of_copies(s) || s->mixes);
	size_t n = 0;

	for (size_t i = 0; i < s->nins; i++) {
		size_t more = live_in(s->ins[i]);

		n = is_sum ? n + more : more > n ? more : n;
	}
	if (s->o.kind == LEAT__BATCH)
		n *= s->o.items; /* both at most live, or memory */
	return n < bound ? n : bound;
}

/* What batches that wait for ever may hold together of what the source has live. */
static int check_batches(const struct leat_pipeline *p, struct leat_stage *source)
{
	size_t held = 0;

	for (struct leat_stage *s = p->first; s; s = s->next) {
		s->live_for_one = s == source ? 1 : live_for_one(s, p->o.live);
		if (s->o.kind != LEAT__BATCH || s->o.wait != LEAT_FOREVER)
			continue;
		held += (s->o.items - 1) * live_in(s->in);
		START(held < p->o.live,
		      "stage %s would wait for ever: it and other batches may hold %zu items of stage "
		      "%s while they wait, and live is %zu; give a wait, or more that are live",
		      s->o.name, held, source->o.name, p->o.live);
	}
	return 0;
}

/* Whether stage s, and what is below it, comes to an end. */
static int check_end(const struct leat_pipeline *p, struct leat_stage *s)
{
	int r = s->source ? check_batches(p, s) : 0;

	for (size_t i = 0; i < s->nins && waits(s) && r == 0; i++)
		r = check_wait(p, s, i);
	return r;
}

int leat__graph_check(struct leat_pipeline *p)
{
	bool has_source = false;
	int r = 0;

	for (struct leat_stage *s = p->first; s; s = s->next) {
		has_source |= s->source != NULL;
		for (size_t i = 0; i < s->nouts; i++)
			START(s->out[i].to, "no stage takes the flow of stage %s (%zu of %zu)",
			      s->o.name, i + 1, s->nouts);
		START(!s->dead || s->dead->to, "no stage takes the dead letters of stage %s",
		      s->o.name);
		find_origin(s);
		if (is_zip_of_copies(s))
			keep_places(s);
	}
	START(has_source, "there is no source; add one");
	for (struct leat_stage *s = p->first; s && r == 0; s = s->next)
		r = check_end(p, s);
	return r;
}
