/*
 * A part of a pipeline that nobody wants any more, while the rest goes on.
 *
 * A flow that is cut is closed: who sends to it is told, and drops the item as unwanted; who
 * receives from it drops what is in it.  A stage none of whose flows is wanted wants nothing
 * itself, so those that it takes are cut, up to a fan-out that has others (with LEAT_FAN_ANY one is
 * enough), or to a source, which is cancelled: it may wait for an item that does not come.  The
 * functions of other stages run to their end.
 */
#include "patterns/pipeline.h"

static void cut_one(struct leat_flow_raw *flow)
{
	atomic_store(&flow->cut, true);
	leat__flow_close(flow);
}

static bool is_wanted(const struct leat_stage *s)
{
	size_t wanted = 0;

	for (size_t i = 0; i < s->nouts; i++)
		wanted += !s->out[i].unwanted;
	return s->nouts == 0 || (s->o.end == LEAT_FAN_ANY ? wanted == s->nouts : wanted > 0);
}

/* All flows of s that are not wanted. */
static void cut_flows(struct leat_stage *s)
{
	for (size_t i = 0; i < s->nouts; i++)
		if (s->out[i].unwanted)
			cut_one(&s->out[i]);
	if (s->dead && s->dead->unwanted)
		cut_one(s->dead);
	if (s->source && s->out->unwanted)
		leat_group_cancel(&s->source->group, -ECANCELED);
}

/*
 * What is above a stage comes before it in the list.  The cuts are made from the source down: one
 * below drops items, and so lets a source that does not know yet make others.
 */
void leat__flow_cut(struct leat_flow_raw *flow)
{
	struct leat_pipeline *p = flow->from->p;

	leat_mutex_lock(&p->cut_lock);
	flow->unwanted = true;
	for (struct leat_stage *s = flow->from; s; s = s->prev)
		for (size_t i = 0; i < s->nins && !is_wanted(s); i++)
			s->ins[i]->unwanted = true;
	for (struct leat_stage *s = p->first; s; s = s->next)
		cut_flows(s);
	leat_mutex_unlock(&p->cut_lock);
}

void leat__sink_over(struct leat_stage *s, bool enough)
{
	if (atomic_exchange(&s->over, true))
		return;
	if (atomic_fetch_sub(&s->p->sinks, 1) > 1) {
		if (enough)
			leat__flow_cut(s->in);
	} else if (enough) {
		leat__pipeline_halt(s->p, LEAT__ENOUGH, 0);
	}
}
