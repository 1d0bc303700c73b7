/* What the workers of a pool do; the steps are in pool.h. */
#include "patterns/pool.h"

#include <string.h>

#include <leat/extend.h>

struct leat__pool_worker *leat__pool_worker_new(struct leat_pool *pool)
{
	struct leat__pool_worker *w = leat_alloc(sizeof(*w) + pool->o.state_size);

	if (!w)
		return NULL;
	memset(w, 0, sizeof(*w));
	w->pool = pool;
	w->index = pool->next_index++;
	w->next = pool->all;
	pool->all = w;
	return w;
}

void leat__pool_update_open(struct leat_pool *pool)
{
	int running = atomic_load_explicit(&pool->running, memory_order_relaxed);
	int limit = atomic_load_explicit(&pool->limit, memory_order_relaxed);

	atomic_store_explicit(&pool->open,
			      running < limit && !pool->starting && !pool->ended &&
				      leat__pool_error(pool) == 0,
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

/* S2: a record for which a task may begin; NULL: none. */
static struct leat__pool_worker *begin(struct leat_pool *pool)
{
	struct leat__pool_worker *w = NULL;

	leat_mutex_lock(&pool->lock);
	if (atomic_load_explicit(&pool->open, memory_order_relaxed)) {
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

/* T2: w has taken its first job, so another may start. */
static __attribute__((noinline)) void started(struct leat__pool_worker *w)
{
	struct leat_pool *pool = w->pool;

	leat_mutex_lock(&pool->lock);
	w->starting = pool->starting = false;
	leat__pool_update_open(pool);
	leat_mutex_unlock(&pool->lock);
	if (leat__pool_has_jobs(pool))
		leat__pool_wake(pool);
}

/* T3 */
static void end(struct leat__pool_worker *w)
{
	struct leat_pool *pool = w->pool;

	atomic_store_explicit(&w->task, 0, memory_order_relaxed);
	leat_mutex_lock(&pool->lock);
	leat__meter_enter(&w->meter, leat__pool_idle_state(pool));
	w->next_idle = pool->idle;
	pool->idle = w;
	if (w->starting)
		w->starting = pool->starting = false;
	if (pool->o.idle > 0)
		leat__pool_trim_later(pool, w);
	if (atomic_fetch_sub(&pool->running, 1) == 1)
		leat_cond_broadcast(&pool->quiet);
	leat__pool_update_open(pool);
	leat_mutex_unlock(&pool->lock);
}

uint64_t leat__pool_stamp_now(struct leat_pool *pool)
{
	uint32_t given = atomic_load_explicit(&pool->stamps, memory_order_relaxed), skip = 0;

	if (given < LEAT__STAMPS_FIRST)
		atomic_store_explicit(&pool->stamps, given + 1, memory_order_relaxed);
	else
		skip = atomic_load_explicit(&pool->stamp_stride, memory_order_relaxed);
	atomic_store_explicit(&pool->stamp_skip, skip, memory_order_relaxed);
	/* skip + 1 is a power of two. */
	return (uint64_t)leat_now() * LEAT__STAMP_UNIT + (uint32_t)__builtin_ctz(skip + 1);
}

static inline bool take(struct leat_pool *pool, char *item)
{
	/* No try: this one looks for a cancel, and yields now and then. */
	for (int i = 0; i < pool->nqueues; i++)
		if ((pool->nqueues == 1 || leat_channel_len(pool->queue[i]) > 0) &&
		    leat_channel_recv(pool->queue[i], item, INT64_MIN) == 0)
			return true;
	return false;
}

enum taken {
	NONE,			/* there is none */
	TAKEN,
	WAITS,			/* for the job before it of its key, which takes it along */
	NO_MEMORY,		/* to wait in */
};

static enum taken begin_key(struct leat_pool *pool, const char *job)
{
	switch (leat__key_begin(pool->keys, pool->o.key(job), job)) {
	case LEAT__KEY_FREE:
		return TAKEN;
	case LEAT__KEY_WAITS:
		return WAITS;
	case LEAT__KEY_NO_MEMORY:
		break;
	}
	return NO_MEMORY;
}

/*
 * Takes a job, which counts hold from now on; *ret_seq: as submitted, its number.
 * One at a time: a job in hand that has not begun would wait for the one before it, and that one
 * perhaps for this.
 */
static inline enum taken take_one(struct leat_pool *pool, struct leat__counts *counts, char *buf,
				  uint64_t *ret_seq)
{
	enum taken r = NONE;

	/* Under one lock with what the order depends on. */
	if (pool->window || pool->keys)
		leat_mutex_lock(&pool->take_lock);
	if (take(pool, buf)) {
		r = pool->keys ? begin_key(pool, buf) : TAKEN;
		*ret_seq = pool->window ? pool->taken++ : 0;
	}
	if (pool->window || pool->keys)
		leat_mutex_unlock(&pool->take_lock);
	if (r == TAKEN || r == NO_MEMORY)
		leat__tally(counts, &counts->held, 1);
	return r;
}

/* r: what a send that does not wait has returned. */
static __attribute__((noinline)) bool wait_and_hand_on(struct leat_pool *pool,
						       struct leat__pool_worker *w,
						       struct leat__counts *counts,
						       const void *result, int r)
{
	if (r == -ETIMEDOUT) {
		if (w)
			leat__meter_enter(&w->meter, LEAT_STAGE_BLOCKED);
		r = leat_channel_send(pool->o.results, result, LEAT_FOREVER);
		if (w)
			leat__pool_busy(w);
	}
	if (r == 0)
		return true;
	if (pool->o.drop_result)
		pool->o.drop_result((void *)(uintptr_t)result);
	leat__tally_end(counts, r == LEAT_ECLOSED ? &counts->unwanted : &counts->cancelled);
	return false;
}

bool leat__pool_hand_on(struct leat_pool *pool, struct leat__pool_worker *w,
			struct leat__counts *counts, const void *result)
{
	int r = leat_channel_send(pool->o.results, result, INT64_MIN);

	return r == 0 || wait_and_hand_on(pool, w, counts, result, r);
}

static int call_work(struct leat_pool *pool, void *state, void *job, void *result)
{
	leat_pool_fn *work = pool->o.work;

	if (pool->o.state && pool->o.results)
		return ((int (*)(void *, void *, void *))work)(state, job, result);
	if (pool->o.state)
		return ((int (*)(void *, void *))work)(state, job);
	if (pool->o.results)
		return ((int (*)(void *, void *))work)(job, result);
	return ((int (*)(void *))work)(job);
}

static void fail(struct leat_pool *pool, struct leat__counts *counts, char *job, int error)
{
	bool cancelled = error == -ECANCELED && leat__pool_error(pool) != 0;

	if (pool->o.failed)
		pool->o.failed(job, error);
	leat__tally_end(counts, cancelled ? &counts->cancelled : &counts->failed);
	if (!cancelled && pool->o.on_error == LEAT_ERROR_STOP)
		leat_pool_stop(pool, error);
}

static uint32_t weight_of(uint64_t stamp)
{
	return UINT32_C(1) << stamp % LEAT__STAMP_UNIT;
}

/* As call_work, for a job with a stamp. */
static __attribute__((noinline)) int call_timed(struct leat_pool *pool, uint64_t stamp, void *state,
						void *job, void *result)
{
	uint32_t stride = atomic_load_explicit(&pool->stamp_stride, memory_order_relaxed);
	int64_t begin = leat_now(), ns;
	int r;

	leat__times_add(&pool->queueing, begin - (int64_t)(stamp / LEAT__STAMP_UNIT),
			weight_of(stamp));
	r = call_work(pool, state, job, result);
	ns = leat_now() - begin;
	leat__times_add(&pool->service, ns, weight_of(stamp));
	stride = leat__next_stride(stride, ns);
	atomic_store_explicit(&pool->stamp_stride, stride, memory_order_relaxed);
	if (stride == 0)
		atomic_store_explicit(&pool->stamp_skip, 0, memory_order_relaxed);
	return r;
}

/* true: it is out, which is still to be counted; false: it has been counted, however it ended. */
static inline __attribute__((always_inline)) bool do_one(struct leat_pool *pool,
							 struct leat__pool_worker *w, char *item,
							 uint64_t seq, bool is_ordered)
{
	struct leat__counts *counts = w ? &w->counts : &pool->caller;
	char result[LEAT_POOL_JOB_MAX] __attribute__((aligned(16)));
	uint64_t stamp = leat__pool_stamp_of(pool, item);
	void *state = w ? w->state : NULL;
	int r;

	if (leat__pool_error(pool) != 0) {
		if (pool->o.drop)
			pool->o.drop(item);
		leat__tally_end(counts, &counts->cancelled);
		return false;
	}
	if (stamp == 0)
		r = call_work(pool, state, item, result);
	else
		r = call_timed(pool, stamp, state, item, result);
	if (r < 0)
		fail(pool, counts, item, r);
	if (is_ordered && pool->window)
		leat__pool_window_put(pool, w, counts, seq, r < 0 ? NULL : result);
	if (r < 0 || (is_ordered && pool->window))
		return false;
	return !pool->o.results || leat__pool_hand_on(pool, w, counts, result);
}

/* A key's jobs are done by who has begun with it. */
void leat__pool_do(struct leat_pool *pool, struct leat__pool_worker *w, char *item, uint64_t seq)
{
	struct leat__counts *counts = w ? &w->counts : &pool->caller;
	uint64_t key = pool->keys ? pool->o.key(item) : 0;

	for (;;) {
		if (do_one(pool, w, item, seq, true))
			leat__tally_end(counts, &counts->out);
		if (!pool->keys || !leat__key_next(pool->keys, key, item))
			break;
		leat__tally(counts, &counts->held, 1);
	}
}

/* T2 */
bool leat__pool_take_and_do(struct leat_pool *pool, struct leat__pool_worker *w)
{
	char job[LEAT__POOL_ITEM_MAX] __attribute__((aligned(16)));
	enum taken taken;
	uint64_t seq;

	taken = take_one(pool, &w->counts, job, &seq);
	if (taken != NONE && w->starting)
		started(w);
	switch (taken) {
	case NONE:
		return false;
	case TAKEN:
		leat__pool_do(pool, w, job, seq);
		break;
	case WAITS: /* for its key */
		break;
	case NO_MEMORY:
		fail(pool, &w->counts, job, -ENOMEM);
		break;
	}
	return true;
}

/* T1; false: the pool has been stopped. */
static bool have_state(struct leat__pool_worker *w)
{
	struct leat_pool *pool = w->pool;
	int r = 0;

	if (!w->has_state && pool->o.state) {
		memcpy(w->state, pool->o.state, pool->o.state_size);
		r = pool->o.init(w->state, w->index);
	}
	if (r < 0)
		leat_pool_stop(pool, r);
	else
		w->has_state = true;
	return r >= 0;
}

static bool may_go_on(struct leat_pool *pool)
{
	/* Relaxed: too many go, or too few; T4 and the next T2 see to it. */
	return atomic_load_explicit(&pool->running, memory_order_relaxed) <=
	       atomic_load_explicit(&pool->limit, memory_order_relaxed);
}

/*
 * T2 until there is nothing.  Most pools have one queue, and no order of their jobs.  There a job
 * that is out is counted when the next is taken, which is held in its place: one counter a job.
 */
static void do_jobs(struct leat_pool *pool, struct leat__pool_worker *w)
{
	char job[LEAT__POOL_ITEM_MAX] __attribute__((aligned(16)));
	struct leat__counts *counts = &w->counts;
	bool is_out = false;

	if (pool->window || pool->keys) {
		while (may_go_on(pool) && leat__pool_take_and_do(pool, w))
			;
		return;
	}
	while (may_go_on(pool) && take(pool, job)) {
		leat__tally_own(is_out ? &counts->out : &counts->held, 1);
		if (w->starting)
			started(w);
		is_out = do_one(pool, w, job, 0, false);
	}
	if (is_out)
		leat__tally_end(counts, &counts->out);
}

static void work(struct leat__pool_worker *w)
{
	struct leat_pool *pool = w->pool;

	do {
		atomic_store_explicit(&w->task, leat_task_id(), memory_order_relaxed);
		leat__meter_enter(&w->meter, LEAT_STAGE_BUSY);
		if (have_state(w))
			do_jobs(pool, w);
		if (leat_cancelled() && leat__pool_error(pool) == 0)
			leat_pool_stop(pool, -ECANCELED);
		end(w);								/* T3 */
		w = leat__pool_has_jobs(pool) ? begin(pool) : NULL;		/* T4 */
	} while (w);
	leat__pool_look_for_end(pool);
}

static int run_worker(void *args)
{
	work(*(struct leat__pool_worker **)args);
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
		work(w); /* no task can be had: the caller does it, or nobody would */
	else if (r < 0) {
		end(w);
		leat_pool_stop(pool, r); /* cancelled from above, or stopped already */
		leat__pool_look_for_end(pool);
	}
}

struct leat__pool_worker *leat__pool_self(struct leat_pool *pool)
{
	struct leat__pool_worker *w;
	uint64_t id;

	if (leat_group_current() != &pool->group)
		return NULL;
	id = leat_task_id();
	leat_mutex_lock(&pool->lock);
	for (w = pool->all; w; w = w->next)
		if (atomic_load_explicit(&w->task, memory_order_relaxed) == id)
			break;
	leat_mutex_unlock(&pool->lock);
	return w;
}
