/*
 * Fan-out and fan-in between stages: a stage is a piece of fan.h, on the channels of its flows.
 *
 * A copy shares the token of what it was copied from, so an item ends with the last of its copies,
 * as the worst of them did.  What zip makes of two items has a token with both as its parents; of
 * two copies of one, it has theirs.
 */
#include "patterns/pipeline.h"

#include <assert.h>
#include <string.h>

#include <leat/extend.h>

static_assert(sizeof(struct leat__env) <= LEAT__FAN_HEAD, "an envelope is a head of fan.h");
static_assert((int)LEAT_ITEM_MAX <= (int)LEAT_FAN_ITEM_MAX, "any item goes into a piece's");

static void received(struct leat_fan *f, void *item)
{
	struct leat__env *env = item;

	if (env->queued_at != 0)
		leat__times_add(&f->worker->stage->queue, leat_now() - env->queued_at, 1);
}

static void sending(struct leat_fan *f, size_t i, void *item)
{
	struct leat__stage_worker *w = f->worker;
	struct leat__env *env = item;
	bool timed = w->handed_on++ % LEAT__SAMPLE_ONE_IN == 0;

	for (size_t k = 0; k < f->nouts && !timed; k++)
		timed = (k == i || i == f->nouts) &&
			atomic_load_explicit(&w->stage->out[k].slow, memory_order_relaxed);
	env->queued_at = timed ? leat_now() : 0;
}

/* After a stop it does not matter which of the two a call has returned. */
static int reason(struct leat_fan *f, int r)
{
	struct leat_pipeline *p = f->worker->stage->p;

	if (r != LEAT_ECLOSED && r != -ECANCELED)
		return r;
	return leat__unsent_end(p, r) == LEAT__END_UNWANTED ? LEAT_ECLOSED : -ECANCELED;
}

static void drop(struct leat_fan *f, enum leat__fan_part part, void *item, int r)
{
	struct leat__stage_worker *w = f->worker;
	struct leat_stage *s = w->stage;
	bool zip = f->o.kind == LEAT__FAN_ZIP;
	struct leat__env *env = item;
	enum leat__end end = LEAT__END_FAILED;

	r = reason(f, r);
	if (part == LEAT__FAN_COPY)
		end = LEAT__END_FILTERED; /* the least: the others say how it ends */
	else if (r == LEAT_ECLOSED || r == -ECANCELED)
		end = r == LEAT_ECLOSED ? LEAT__END_UNWANTED : LEAT__END_CANCELLED;
	if (leat__is_left_out(env))
		return;
	if (part != LEAT__FAN_PAIRED)
		leat__flow_drop_item(part == LEAT__FAN_SECOND		? s->ins[1]
				     : part == LEAT__FAN_FIRST && zip	? s->ins[0]
									: s->out, env->item);
	leat__token_end(&w->ends, env->token, end);
}

static bool is_place(const void *item)
{
	return leat__is_left_out(item);
}

static void leave_out(struct leat_fan *f, enum leat__fan_part part, void *item)
{
	struct leat__stage_worker *w = f->worker;

	leat__flow_drop(w->stage->ins[part == LEAT__FAN_SECOND], &w->ends, item,
			LEAT__END_FILTERED);
	leat__count(&w->did.n[LEAT__END_FILTERED]);
}

static bool place(struct leat_fan *f, size_t i, void *ret_item)
{
	struct leat__env *env = ret_item;

	env->token = &leat__left_out;
	return f->worker->stage->out[i].keeps_place;
}

static void copied(struct leat_fan *f, const void *item, void *copy)
{
	const struct leat__env *from = item;
	struct leat__env *to = copy;

	(void)f;
	to->token = from->token;
	leat__token_ref(to->token);
}

static int pair(struct leat_fan *f, void *first, void *second, void *out)
{
	struct leat__env *a = first, *b = second, *made = out;
	struct leat__token *token = a->token ? a->token : b->token;

	if (a->token && b->token && a->token != b->token) {
		token = leat__token_create(2, 0);
		if (!token)
			return -ENOMEM;
		token->parent[token->nparents++] = a->token;
		token->parent[token->nparents++] = b->token;
	} else if (a->token && b->token) {
		leat__token_end(&f->worker->ends, b->token, LEAT__END_FILTERED);
	}
	made->token = token;
	a->token = b->token = NULL;
	return 0;
}

static int failed(struct leat_fan *f, int r)
{
	struct leat_stage *s = f->worker->stage;

	if (r == -ECANCELED && (leat_cancelled() || leat__pipeline_how(s->p) >= LEAT__ENOUGH))
		return r;
	if (s->o.on_error == LEAT_ERROR_COUNT)
		return 0;
	leat__pipeline_halt(s->p, LEAT__ABORTED, r);
	return r;
}

static const struct leat__fan_ops ops = {
	received, sending, reason, drop, copied, pair, is_place, leave_out, place, failed,
};

int leat__fan_stage_create(struct leat_stage *s)
{
	struct leat_fan *f = leat_alloc(sizeof(*f));

	if (!f)
		return -ENOMEM;
	memset(f, 0, sizeof(*f));
	f->o = (leat_fan_options){
		.kind = s->o.kind - LEAT__FANS, .item_size = leat__env_size(s->in->size),
		.fn = s->o.fn, .n = s->o.n, .name = s->o.name, .end = s->o.end, .clone = s->o.clone,
	};
	f->ops = &ops;
	f->head = sizeof(struct leat__env);
	f->nins = f->ins_left = s->nins;
	f->nouts = f->outs_left = s->nouts;
	s->fan = f;
	return 0;
}

void leat__fan_stage_free(struct leat_stage *s)
{
	leat_free(s->fan, sizeof(*s->fan));
}

void leat__fan_stage_run(struct leat__stage_worker *w)
{
	struct leat_stage *s = w->stage;
	struct leat_fan *f = s->fan;
	int r;

	f->worker = w;
	for (size_t i = 0; i < f->nins; i++)
		f->in[i] = s->ins[i]->chan;
	for (size_t i = 0; i < f->nouts; i++)
		f->out[i] = s->out[i].chan;
	leat__meter_enter(&f->meter, LEAT_STAGE_BUSY);
	r = leat__fan_run(f);
	leat__meter_stop(&f->meter);
	if (r == -ECANCELED)
		return; /* the stop drops what is in the flows */
	if (r < 0 && r != LEAT_ECLOSED)
		leat__pipeline_halt(s->p, LEAT__ABORTED, r);
	for (size_t i = 0; i < s->nins; i++) {
		if (f->in_gone[i])
			continue;
		leat__flow_cut(s->ins[i]);
		leat__flow_drain(s->ins[i], &w->ends);
	}
}
