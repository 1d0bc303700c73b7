/* A pipeline's life: run, stopped, ended. */
#include "patterns/pipeline.h"

#include <string.h>

#include <leat/extend.h>

#include "patterns/options.h"

#define MAKE(ok, ...) OPTION("leat_pipeline_make", ok, __VA_ARGS__)

int leat_pipeline_create(leat_pipeline **ret_pipeline, const leat_pipeline_options *options)
{
	struct leat_pipeline *p;
	int r;

	if (!options || options->size != sizeof(*options))
		leat_misuse(__func__, options, "the size is not set; use leat_pipeline_make");
	*ret_pipeline = NULL;
	NEEDS_RUNTIME("leat_pipeline_make");
	MAKE(options->live > 0, "live is 0; give the number of items between source and sink");
	MAKE(options->live <= SIZE_MAX / 256, "live is %zu; that is more than memory", options->live);
	MAKE(options->live_bytes >= 0, "live_bytes is %lld; it must be >= 0",
	     (long long)options->live_bytes);
	p = leat_alloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	memset(p, 0, sizeof(*p));
	p->o = *options;
	atomic_init(&p->refs, 1);
	r = leat_group_init(&p->group, LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE,
							  .shared = true, .name = options->name));
	if (r < 0) {
		leat_free(p, sizeof(*p));
		return r;
	}
	*ret_pipeline = p;
	return 0;
}

static void check(const char *function, const struct leat_pipeline *p)
{
	if (!p)
		leat_misuse(function, p, "the pipeline is NULL; make it with leat_pipeline_make");
}

/* Tells the other side of a channel of the user's, as the stage's task does if there is one. */
static void leave_channel(struct leat_stage *s)
{
	if (s->o.kind == LEAT__FROM)
		leat_channel_abandon(s->o.chan);
	else if (s->o.kind == LEAT__TO && atomic_load(&s->began) == 0)
		leat_channel_close(s->o.chan);
}

/* By a stop that is no error, or a cut; those that have begun may do that, too. */
static bool is_told_to_stop(struct leat_stage *s)
{
	enum leat__halt how = leat__pipeline_how(s->p);

	return how == LEAT__ENOUGH ||
	       (s->source && (how == LEAT__SHUT || leat__flow_is_cut(s->out)));
}

/* One that has been told to stop before it was started does nothing. */
static int start_stage(struct leat_stage *s)
{
	int r = leat__stage_start(s);

	if (r != -ECANCELED || !is_told_to_stop(s))
		return r;
	leave_channel(s);
	return 0;
}

int leat_pipeline_start(leat_pipeline *p)
{
	int r;

	if (!p)
		return -EINVAL;
	if (p->started)
		leat_misuse(__func__, p, "it has been started already");
	r = p->broken < 0 ? p->broken : leat__graph_check(p);
	if (r < 0)
		return r;
	p->started = true;
	/* From the sinks up: what comes in finds who takes it. */
	for (struct leat_stage *s = p->last; s && r == 0; s = s->prev)
		r = start_stage(s);
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
		for (struct leat_stage *s = p->first; s; s = s->next)
			if (s->source)
				leat_group_cancel(&s->source->group, -ECANCELED);
		return;
	}
	leat_group_cancel(&p->group, cause);
	for (struct leat_stage *s = p->first; s; s = s->next) {
		for (size_t i = 0; i < s->nins; i++)
			leat__flow_close(s->ins[i]);
		if (s->window)
			leat__window_wake(s);
	}
}

static void unref(struct leat_pipeline *p)
{
	/* Release and acquire: who frees it has seen what the others did with it. */
	if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
		leat_free(p, sizeof(*p));
}

/*
 * By the user.  The owner may see the end, and destroy the pipeline, while this one is still at the
 * stages: so that waits for stops, and the last one frees what it has waited in.
 */
static void stop(struct leat_pipeline *p, enum leat__halt how, int cause)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	leat_mutex_lock(&p->stop_lock);
	p->stops++;
	leat_mutex_unlock(&p->stop_lock);
	leat__pipeline_halt(p, how, cause);
	leat_mutex_lock(&p->stop_lock);
	if (--p->stops == 0)
		leat_cond_broadcast(&p->stopped);
	leat_mutex_unlock(&p->stop_lock);
	unref(p);
}

static void wait_for_stops(struct leat_pipeline *p)
{
	bool in_task = leat_task_id() != 0;
	int r = 0;

	if (in_task)
		leat_shield_begin();
	leat_mutex_lock(&p->stop_lock);
	while (r == 0 && p->stops > 0)
		r = leat_cond_wait(&p->stopped, &p->stop_lock);
	leat_mutex_unlock(&p->stop_lock);
	if (in_task)
		leat_shield_end();
}

void leat_pipeline_shutdown(leat_pipeline *p)
{
	check(__func__, p);
	stop(p, LEAT__SHUT, 0);
}

void leat_pipeline_abort(leat_pipeline *p, int cause)
{
	check(__func__, p);
	if (cause > 0)
		leat_misuse(__func__, p, "cause is %d; it must be a negative error, or 0", cause);
	stop(p, LEAT__ABORTED, cause < 0 ? cause : -ECANCELED);
}

/* No task is left. */
static void drain_stage(struct leat_stage *s)
{
	for (size_t i = 0; i < s->nins; i++)
		leat__flow_drain(s->ins[i], &s->p->rest);
	if (s->window)
		leat__window_drain(s);
	leave_channel(s);
}

int leat_pipeline_wait(leat_pipeline *p)
{
	check(__func__, p);
	if (!p->started)
		leat_misuse(__func__, p, "it has not been started");
	if (!p->waited) {
		for (struct leat_stage *s = p->first; s; s = s->next)
			if (s->source)
				(void)leat_group_wait(&s->source->group);
		(void)leat_group_wait(&p->group);
		for (struct leat_stage *s = p->first; s; s = s->next)
			drain_stage(s);
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
	wait_for_stops(p);
	for (s = p->first; s; s = next) {
		next = s->next;
		if (!p->started)
			leave_channel(s);
		leat__stage_free(s);
	}
	leat_group_release(&p->group);
	unref(p);
	return r;
}
