/* Stages that have one worker and a loop of their own: source, batch, reduce, conflate. */
#include "patterns/pipeline.h"

#include <string.h>

#include <leat/extend.h>

static int next_item(struct leat__stage_worker *w, void *item)
{
	const leat_stage_options *o = &w->stage->o;
	int r;

	if (o->kind == LEAT__SOURCE)
		return ((int (*)(void *, void *))o->fn)((void *)(uintptr_t)o->state, item);
	r = leat_channel_recv(o->chan, item, INT64_MIN);
	if (r == -ETIMEDOUT) {
		leat__meter_enter(&w->meter, LEAT_STAGE_STARVED);
		r = leat_channel_recv(o->chan, item, LEAT_FOREVER);
		leat__meter_enter(&w->meter, LEAT_STAGE_BUSY);
	}
	return r;
}

/* Its bytes among the live ones; one that is larger than all goes alone. */
static void take_bytes(struct leat__stage_worker *w, struct leat__env *env)
{
	struct leat_pipeline *p = w->stage->p;
	leat_sem *bytes = &w->stage->source->bytes;
	uint64_t weight;
	int r;

	if (p->o.live_bytes == 0)
		return;
	weight = w->stage->o.weigh(env->item);
	if (weight > (uint64_t)p->o.live_bytes)
		weight = (uint64_t)p->o.live_bytes;
	r = leat_sem_try_acquire(bytes, (int64_t)weight);
	if (r == -EAGAIN) {
		leat__meter_enter(&w->meter, leat__limited(LEAT_LIMIT_LIVE_BYTES));
		r = leat_sem_acquire(bytes, (int64_t)weight);
		leat__meter_enter(&w->meter, LEAT_STAGE_BUSY);
	}
	/* Told to stop while it waits: the last item goes on all the same. */
	env->token->weight = r == 0 ? (int64_t)weight : 0;
}

/* 0; the error of the user's function; LEAT_ECLOSED: no more. */
static int make_item(struct leat__stage_worker *w, struct leat__env *env)
{
	struct leat_stage *s = w->stage;
	int64_t begin;
	int r = 0;

	if (s->o.rate && leat_bucket_try_take(s->o.rate, 1) != 0) {
		leat__meter_enter(&w->meter, LEAT_STAGE_LIMITED);
		r = leat_bucket_take(s->o.rate, 1);
		leat__meter_enter(&w->meter, LEAT_STAGE_BUSY);
	}
	if (r < 0)
		return r;
	begin = leat__sample_begin(&w->sampler);
	r = next_item(w, env->item);
	leat__sample_end(&w->sampler, &s->service, begin);
	return r;
}

/* What has been made goes on also when the source is told to stop. */
static void hand_on(struct leat__stage_worker *w, struct leat__env *env)
{
	leat__count(&w->stage->source->in);
	leat__count(&w->held);
	leat__token_begin(env->token);
	take_bytes(w, env);
	leat__did(w, leat__stage_send(w, env), 1);
}

static bool goes_on(const struct leat_stage *s)
{
	return leat__pipeline_how(s->p) == LEAT__RUNS && !leat__flow_is_cut(s->out);
}

void leat__source_run(struct leat__stage_worker *w)
{
	struct leat_stage *s = w->stage;
	int r = 0;
	LEAT__ENV(env);

	while (goes_on(s)) {
		env->token = leat__token_take(w);
		if (!env->token)
			break;
		r = make_item(w, env);
		if (r < 0) {
			leat__token_untake(env->token);
			break;
		}
		hand_on(w, env);
	}
	if (r < 0 && r != LEAT_ECLOSED && goes_on(s))
		leat__pipeline_halt(s->p, LEAT__ABORTED, r);
	if (s->o.kind == LEAT__FROM)
		leat_channel_abandon(s->o.chan);
}

enum { LOOK_EVERY = 16 };

struct batch {
	struct leat__token *token; /* NULL: it is empty */
	char *item;
	size_t n;
	uint64_t weight;
	int64_t deadline;
};

static int begin_batch(struct leat_stage *s, struct batch *b)
{
	size_t bytes = s->o.items * s->in->size;

	*b = (struct batch){ .token = leat__token_create(s->o.items, bytes) };
	if (!b->token)
		return -ENOMEM;
	b->item = (char *)b->token + b->token->bytes - bytes;
	b->deadline = leat_in(s->o.wait);
	return 0;
}

static void end_batch(struct leat__stage_worker *w, struct batch *b)
{
	struct {
		char *item;
		size_t n;
	} out = { b->item, b->n };
	LEAT__ENV(env);

	if (!b->token)
		return;
	memset(env->item, 0, w->stage->o.out_size);
	memcpy(env->item, &out, sizeof(out));
	env->token = b->token;
	b->token = NULL;
	leat__did(w, leat__stage_send(w, env), b->n);
}

static void add_to_batch(struct leat__stage_worker *w, struct batch *b, struct leat__env *env)
{
	const leat_stage_options *o = &w->stage->o;
	size_t in_size = w->stage->in->size;
	uint64_t weight = o->weight > 0 ? o->weigh(env->item) : 0;

	/* One that is not full weighs less than it may. */
	if (b->token && o->weight > 0 && weight > o->weight - b->weight)
		end_batch(w, b);
	if (!b->token && begin_batch(w->stage, b) < 0) {
		leat__stage_fail(w, env, -ENOMEM);
		return;
	}
	/* What counts as no item has no token. */
	if (env->token)
		b->token->parent[b->token->nparents++] = env->token;
	memcpy(b->item + b->n++ * in_size, env->item, in_size);
	b->weight += weight;
	if (b->n == o->items || (o->weight > 0 && b->weight >= o->weight))
		end_batch(w, b);
}

/*
 * Whether the time is over though there may be a next item at once.  The clock is looked at once in
 * LOOK_EVERY items, which take no time but that of a weigh.
 */
static bool is_due(const leat_stage_options *o, const struct batch *b)
{
	return b->token && o->wait != LEAT_FOREVER && (o->weight > 0 || b->n % LOOK_EVERY == 0) &&
	       leat_now() >= b->deadline;
}

void leat__batch_run(struct leat__stage_worker *w)
{
	struct batch b = { 0 };
	int r;
	LEAT__ENV(env);

	for (;;) {
		if (is_due(&w->stage->o, &b))
			end_batch(w, &b);
		r = leat__stage_recv(w, &env, b.token ? b.deadline : LEAT_FOREVER);
		if (r == 0)
			add_to_batch(w, &b, env);
		else if (r == -ETIMEDOUT)
			end_batch(w, &b);
		else
			break;
	}
	end_batch(w, &b);
}

static int call_two(struct leat__stage_worker *w, void *sum, void *item)
{
	struct leat_stage *s = w->stage;
	int64_t begin = leat__sample_begin(&w->sampler);
	int r = ((int (*)(void *, void *))s->o.fn)(sum, item);

	leat__sample_end(&w->sampler, &s->service, begin);
	return r;
}

static void reduced(struct leat__stage_worker *w, struct leat__env *env)
{
	leat__token_end(&w->ends, env->token, LEAT__END_OUT);
	leat__did(w, LEAT__END_OUT, 1);
}

void leat__reduce_run(struct leat__stage_worker *w)
{
	struct leat_stage *s = w->stage;
	int r;
	LEAT__ENV(env);
	LEAT__ENV(sum);

	memcpy(sum->item, s->o.state, s->o.out_size);
	sum->token = NULL;
	while (leat__stage_recv(w, &env, LEAT_FOREVER) == 0) {
		r = call_two(w, sum->item, env->item);
		if (r < 0)
			leat__stage_fail(w, env, r);
		else
			reduced(w, env);
	}
	(void)leat__stage_send(w, sum);
}

/* Until sum has been handed on, or the input has ended: then 0. */
static int conflate(struct leat__stage_worker *w, struct leat__env *sum)
{
	struct leat_stage *s = w->stage;
	int r;
	LEAT__ENV(env);

	sum->queued_at = 0;
	for (;;) {
		leat_case cases[] = { leat_send_case(s->out->chan, sum, NULL),
				      leat_recv_case(s->in->chan, env, NULL), leat_case_ordered };

		leat__meter_enter(&w->meter, LEAT_STAGE_BLOCKED);
		r = leat_select_cases(cases, 3);
		leat__meter_enter(&w->meter, LEAT_STAGE_BUSY);
		if (r == 0 && cases[0].status == 0)
			return 1;
		if (r != 1 || cases[1].status < 0)
			return 0;
		leat__count(&w->held);
		r = call_two(w, sum->item, env->item);
		if (r < 0) {
			leat__stage_fail(w, env, r);
			continue;
		}
		leat__token_end(&w->ends, env->token, LEAT__END_MERGED);
		leat__did(w, LEAT__END_MERGED, 1);
	}
}

void leat__conflate_run(struct leat__stage_worker *w)
{
	LEAT__ENV(sum);

	while (leat__stage_recv(w, &sum, LEAT_FOREVER) == 0) {
		/* Not yet: the last. */
		leat__did(w, conflate(w, sum) == 0 ? leat__stage_send(w, sum) : LEAT__END_OUT, 1);
	}
}
