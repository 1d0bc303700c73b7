/* The workers of a pool, from their begin to their end: S2, T1, T3, T4 in pool.h. */
#include "patterns/pool.h"

#include <string.h>

#include <leat/extend.h>

enum { TURNS = 4 };	/* of others, before a worker's task ends for want of jobs */

/* The state, and what a hand needs, one behind the other. */
static size_t size_of(const struct leat_pool *pool)
{
	size_t prefetch = pool->o.prefetch > 1 ? (size_t)pool->o.prefetch : 0;

	return sizeof(struct leat__pool_worker) + ((pool->o.state_size + 15) & ~(size_t)15) +
	       prefetch * (pool->item_size + pool->o.result_size);
}

struct leat__pool_worker *leat__pool_worker_new(struct leat_pool *pool)
{
	struct leat__pool_worker *w = leat_alloc(size_of(pool));

	if (!w)
		return NULL;
	memset(w, 0, sizeof(*w));
	w->pool = pool;
	w->meter.limits = &pool->limits;
	w->hand.items = w->state + ((pool->o.state_size + 15) & ~(size_t)15);
	w->hand.results = w->hand.items + (size_t)pool->o.prefetch * pool->item_size;
	w->index = pool->next_index++;
	w->next = pool->all;
	pool->all = w;
	return w;
}

void leat__pool_end_state(struct leat__pool_worker *w)
{
	bool in_task = leat_task_id() != 0;

	if (!w->has_state)
		return;
	if (in_task)
		leat_shield_begin();
	w->pool->o.fini(w->state);
	if (in_task)
		leat_shield_end();
	w->has_state = false;
}

void leat__pool_worker_free(struct leat__pool_worker *w)
{
	leat__pool_end_state(w);
	leat_free(w, size_of(w->pool));
}

void leat__pool_to_idle(struct leat__pool_worker *w)
{
	struct leat_pool *pool = w->pool;
	struct leat__pool_worker **link = &pool->idle;

	leat__meter_is_in(&w->meter, leat__pool_idle_state(pool));
	if (pool->o.state && !w->has_state)
		while (*link && (*link)->has_state)
			link = &(*link)->next_idle;
	w->next_idle = *link;
	*link = w;
	if (pool->o.idle > 0)
		leat__pool_trim_later(pool, w);
}

void leat__pool_update_open(struct leat_pool *pool)
{
	int running = atomic_load_explicit(&pool->running, memory_order_relaxed);
	int lent = atomic_load_explicit(&pool->lent, memory_order_relaxed);
	int limit = pool->workers;
	bool is_open;

	if (lent > running + pool->ncallers)
		lent = running + pool->ncallers;
	/* Who pauses it waits for those who wait for jobs: these are done, one at a time. */
	if (pool->paused)
		limit = lent > 0;
	limit += lent;
	atomic_store_explicit(&pool->limit, limit, memory_order_relaxed);
	is_open = running < limit && !pool->starting && !pool->ended && leat__pool_error(pool) == 0;
	atomic_store_explicit(&pool->flags, (is_open ? LEAT__POOL_OPEN : 0) |
					    (pool->o.key ? LEAT__POOL_KEYED : 0),
			      memory_order_relaxed);
}

bool leat__pool_has_jobs(struct leat_pool *pool)
{
	for (int i = 0; i < pool->nqueues; i++) {
		uint64_t sent, received;

		leat_channel_totals(pool->queue[i], &sent, &received);
		if (sent != received)
			return true;
	}
	return false;
}

bool leat__pool_is_ready(struct leat_pool *pool)
{
	return pool->keys ? leat__pool_key_is_ready(pool) : leat__pool_has_jobs(pool);
}

/* S2: a record for which a task may begin; NULL: none. */
static struct leat__pool_worker *begin(struct leat_pool *pool)
{
	struct leat__pool_worker *w = NULL;

	leat_mutex_lock(&pool->lock);
	if (atomic_load_explicit(&pool->flags, memory_order_relaxed) & LEAT__POOL_OPEN) {
		w = pool->idle;
		if (w)
			pool->idle = w->next_idle;
		else
			w = leat__pool_worker_new(pool);
	}
	if (w) {
		atomic_fetch_add(&pool->running, 1);
		w->starting = pool->starting = true;
		leat__pool_update_open(pool);
	}
	leat_mutex_unlock(&pool->lock);
	return w;
}

/* T2 */
void leat__pool_started(struct leat__pool_worker *w)
{
	struct leat_pool *pool = w->pool;

	leat_mutex_lock(&pool->lock);
	w->starting = pool->starting = false;
	leat__pool_update_open(pool);
	leat_mutex_unlock(&pool->lock);
	if (leat__pool_is_ready(pool))
		leat__pool_wake(pool);
}

/* T3 */
static void end(struct leat__pool_worker *w)
{
	struct leat_pool *pool = w->pool;

	atomic_store_explicit(&w->task, 0, memory_order_relaxed);
	leat_mutex_lock(&pool->lock);
	leat__pool_to_idle(w);
	if (w->starting)
		w->starting = pool->starting = false;
	if (atomic_fetch_sub(&pool->running, 1) == 1)
		leat_cond_broadcast(&pool->quiet);
	leat__pool_update_open(pool);
	leat_mutex_unlock(&pool->lock);
}

/* T1; false: the pool has been stopped. */
static bool have_state(struct leat__pool_worker *w)
{
	struct leat_pool *pool = w->pool;
	int r;

	if (w->has_state || !pool->o.state)
		return true;
	memcpy(w->state, pool->o.state, pool->o.state_size);
	r = pool->o.init(w->state, w->index);
	if (r < 0) {
		leat_pool_stop(pool, r);
		return false;
	}
	leat_mutex_lock(&pool->lock);
	pool->states++;
	leat_mutex_unlock(&pool->lock);
	w->has_state = true;
	return true;
}

/* Before T3: the pool may have been made smaller. */
static void end_if_surplus(struct leat__pool_worker *w)
{
	struct leat_pool *pool = w->pool;
	bool surplus;

	leat_mutex_lock(&pool->lock);
	surplus = pool->states > pool->workers;
	pool->states -= surplus;
	leat_mutex_unlock(&pool->lock);
	if (!surplus)
		return;
	if (w->starting) /* others need not wait for it */
		leat__pool_started(w);
	leat__pool_end_state(w);
}

/* Looks that may be late: T4 sees what they miss. */
static bool has_some(struct leat_pool *pool)
{
	if (pool->keys)
		return leat__pool_key_is_ready(pool);
	for (int i = 0; i < pool->nqueues; i++)
		if (leat_channel_len(pool->queue[i]) > 0)
			return true;
	return false;
}

static bool may_get_more(struct leat_pool *pool)
{
	return leat__pool_may_go_on(pool) && !leat_channel_is_closed(pool->queue[0]);
}

/*
 * Before T3; false: it may not go on, or there is nothing still.  Not one turn alone: who comes
 * back before those who submit have had theirs would end, and be started anew by the next job.
 */
static bool wait_some_turns(struct leat__pool_worker *w)
{
	struct leat_pool *pool = w->pool;

	leat__meter_enter(&w->meter, LEAT_STAGE_STARVED);
	for (int i = 0; i < TURNS && may_get_more(pool) && leat_yield() == 0; i++)
		if (has_some(pool)) {
			leat__meter_enter(&w->meter, LEAT_STAGE_BUSY);
			return true;
		}
	return false;
}

/* is_task: of the pool's own, which may yield. */
static void work(struct leat__pool_worker *w, bool is_task)
{
	struct leat_pool *pool = w->pool;

	do {
		atomic_store_explicit(&w->task, leat_task_id(), memory_order_relaxed);
		leat__meter_enter(&w->meter, LEAT_STAGE_BUSY);
		if (have_state(w))
			do
				leat__pool_do_jobs(pool, w);
			while (is_task && wait_some_turns(w));
		if (leat_cancelled() && leat__pool_error(pool) == 0)
			leat_pool_stop(pool, -ECANCELED);
		if (w->has_state)
			end_if_surplus(w);
		end(w);								/* T3 */
		w = leat__pool_is_ready(pool) ? begin(pool) : NULL;		/* T4 */
	} while (w);
	leat__pool_look_for_end(pool);
}

static int run_worker(void *args)
{
	work(*(struct leat__pool_worker **)args, true);
	return 0;
}

static const leat_task_type worker_type = {
	"pool worker", run_worker, sizeof(struct leat__pool_worker *)
};

void leat__pool_start(struct leat_pool *pool)
{
	struct leat__pool_worker *w = begin(pool);
	int r;

	if (!w)
		return;
	r = leat_spawn(&pool->group, &worker_type, &w, LEAT_TASK_OPTIONS(.name = pool->o.name));
	if (r == -ENOMEM)
		work(w, false); /* no task can be had: the caller does it, or nobody would */
	else if (r < 0) {
		end(w);
		leat_pool_stop(pool, r); /* cancelled from above, or stopped already */
		leat__pool_look_for_end(pool);
	}
}

struct leat__pool_worker *leat__pool_by_task(struct leat_pool *pool, uint64_t task)
{
	struct leat__pool_worker *w = pool->all;

	while (w && atomic_load_explicit(&w->task, memory_order_relaxed) != task)
		w = w->next;
	return w;
}

struct leat__pool_worker *leat__pool_self(struct leat_pool *pool)
{
	struct leat__pool_worker *w;

	if (leat_task_id_in(&pool->group) == 0 || leat_task_is_forked())
		return NULL;
	leat_mutex_lock(&pool->lock);
	w = leat__pool_by_task(pool, leat_task_id());
	leat_mutex_unlock(&pool->lock);
	return w;
}
