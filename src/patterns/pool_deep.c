/*
 * Jobs that wait for jobs of their own pool, one in the other.
 *
 * Who would wait does a job meanwhile, or its own if callers run, on its own stack; that may do so,
 * too.  When a stack has so many of them, a task with a stack of its own goes on for the same
 * worker, and who has started it waits for its end: so there is one at a time that works for the
 * worker, as before, and the depth is bounded by memory alone.
 *
 * The record of the wait has two owners: who waits may go on while the other is still about to
 * return from telling it.
 */
#include "patterns/pool.h"

#include <leat/extend.h>

struct deeper {
	struct leat_pool *pool;	/* (c) */
	struct leat__pool_worker *w; /* (c) */
	struct leat__pool_wait wait; /* (c) */
	int result;		/* of the wait; before over */
	leat_waitgroup over;
	_Atomic int refs;
};

static void unref(struct deeper *d)
{
	/* Release and acquire: who frees it has seen what the other did with it. */
	if (atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) == 1)
		leat_free(d, sizeof(*d));
}

static int run_deeper(void *args)
{
	struct deeper *d = *(struct deeper **)args;
	struct leat__pool_worker *w = d->w;
	uint64_t task = atomic_load_explicit(&w->task, memory_order_relaxed);
	uint32_t below = w->below;

	atomic_store_explicit(&w->task, leat_task_id(), memory_order_relaxed);
	w->below += (uint32_t)leat__pool_depth(w);
	d->result = leat__pool_wait_for(d->pool, w, &d->wait);
	w->below = below;
	atomic_store_explicit(&w->task, task, memory_order_relaxed);
	leat_waitgroup_done(&d->over);
	unref(d);
	return 0;
}

static const leat_task_type deeper_type = { "pool worker, deeper", run_deeper,
					    sizeof(struct deeper *) };

int leat__pool_go_deeper(struct leat_pool *pool, struct leat__pool_worker *w,
			 const struct leat__pool_wait *wait)
{
	struct deeper *d = leat_alloc(sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	*d = (struct deeper){ .pool = pool, .w = w, .wait = *wait, .over = LEAT_WAITGROUP_INIT };
	leat_waitgroup_add(&d->over, 1);
	atomic_init(&d->refs, 2);
	r = leat_spawn(&pool->group, &deeper_type, &d, LEAT_TASK_OPTIONS(.name = pool->o.name));
	if (r == 0) {
		leat_shield_begin(); /* it is cancelled itself, and uses what is the caller's */
		while (leat_waitgroup_wait(&d->over) < 0)
			;
		leat_shield_end();
		r = d->result;
	} else {
		unref(d); /* the task's */
	}
	unref(d);
	return r;
}
