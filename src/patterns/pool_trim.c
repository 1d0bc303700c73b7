/*
 * Workers that have idled for long go: their state ends, their record is freed.  Of those that are
 * too many since the pool was made smaller the state ends.
 */
#include "patterns/pool.h"

#include <leat/extend.h>

void leat__counts_add(struct leat__counts *sum, struct leat__counts *part)
{
	/* Acquire: pairs with leat__tally: whoever has ended is not seen as held. */
	sum->out += atomic_load_explicit(&part->out, memory_order_acquire);
	sum->failed += atomic_load_explicit(&part->failed, memory_order_acquire);
	sum->cancelled += atomic_load_explicit(&part->cancelled, memory_order_acquire);
	sum->unwanted += atomic_load_explicit(&part->unwanted, memory_order_acquire);
	sum->held += atomic_load_explicit(&part->held, memory_order_acquire);
}

/* Under the lock: out of the list of all. */
static void forget(struct leat_pool *pool, struct leat__pool_worker *w)
{
	struct leat__pool_worker **link = &pool->all;

	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
	pool->states -= w->has_state;
	leat__counts_add(&pool->gone, &w->counts);
	leat__meter_read(&w->meter, pool->gone_times, leat_now());
}

/*
 * Under the lock: those that have idled since before since, linked by next_idle.  The record that
 * is made with the pool stays, so that there always is one; *ret_oldest: of those that stay.
 */
static struct leat__pool_worker *take_old(struct leat_pool *pool, int64_t since,
					  int64_t *ret_oldest)
{
	struct leat__pool_worker **link = &pool->idle, *old = NULL, *w;

	*ret_oldest = LEAT_FOREVER;
	while ((w = *link) != NULL) {
		if (w->idle_since > since || w->index == 0 || w->lenders > 0) {
			if (w->index > 0 && w->idle_since < *ret_oldest)
				*ret_oldest = w->idle_since;
			link = &w->next_idle;
			continue;
		}
		*link = w->next_idle;
		forget(pool, w);
		w->next_idle = old;
		old = w;
	}
	return old;
}

static int trim(void *arg);

/* Under the lock: when what has idled since then goes. */
static void trim_later(struct leat_pool *pool, int64_t since)
{
	int64_t when = since < LEAT_FOREVER - pool->o.idle ? since + pool->o.idle : LEAT_FOREVER;

	pool->trims = leat_after(&pool->group, when, trim, pool) == 0;
}

static int trim(void *arg)
{
	struct leat_pool *pool = arg;
	struct leat__pool_worker *old, *next;
	int64_t oldest;

	leat_mutex_lock(&pool->lock);
	old = take_old(pool, leat_now() - pool->o.idle, &oldest);
	pool->trims = false;
	if (oldest != LEAT_FOREVER)
		trim_later(pool, oldest);
	leat_mutex_unlock(&pool->lock);
	for (; old; old = next) {
		next = old->next_idle;
		leat__pool_worker_free(old);
	}
	return 0;
}

void leat__pool_trim_later(struct leat_pool *pool, struct leat__pool_worker *w)
{
	w->idle_since = leat_now();
	if (!pool->trims && w->index > 0)
		trim_later(pool, w->idle_since);
}

/*
 * Under the lock: idle ones whose states are too many, out of the list, linked by next_idle.  Those
 * that have worked last keep theirs.
 */
static struct leat__pool_worker *take_surplus(struct leat_pool *pool)
{
	struct leat__pool_worker **link = &pool->idle, *taken = NULL, *w;
	int keep = pool->workers - pool->states;

	for (w = pool->idle; w; w = w->next_idle)
		keep += w->has_state;
	while ((w = *link) != NULL) {
		if (!w->has_state || keep-- > 0) {
			link = &w->next_idle;
			continue;
		}
		*link = w->next_idle;
		pool->states--;
		w->next_idle = taken;
		taken = w;
	}
	return taken;
}

static int end_surplus(void *args)
{
	struct leat_pool *pool = *(struct leat_pool **)args;
	struct leat__pool_worker *w, *next;

	leat_mutex_lock(&pool->lock);
	w = take_surplus(pool);
	leat_mutex_unlock(&pool->lock);
	for (; w; w = next) {
		next = w->next_idle;
		leat__pool_end_state(w);
		leat_mutex_lock(&pool->lock);
		leat__pool_to_idle(w);
		leat_mutex_unlock(&pool->lock);
	}
	/* Without memory for another, nobody may have begun meanwhile. */
	if (leat__pool_is_ready(pool))
		leat__pool_wake(pool);
	return 0;
}

static const leat_task_type surplus_type = {
	"pool, end of states", end_surplus, sizeof(struct leat_pool *)
};

void leat__pool_end_surplus(struct leat_pool *pool)
{
	/* Without memory they end after their next job, or with the pool. */
	(void)leat_spawn(&pool->group, &surplus_type, &pool,
			 LEAT_TASK_OPTIONS(.name = pool->o.name));
}
