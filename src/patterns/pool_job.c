/* What a worker of a pool does with its jobs: T2 in pool.h. */
#include "patterns/pool.h"

#include <string.h>

#include <leat/extend.h>

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
		leat__pool_started(w);
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
void leat__pool_do_jobs(struct leat_pool *pool, struct leat__pool_worker *w)
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
			leat__pool_started(w);
		is_out = do_one(pool, w, job, 0, false);
	}
	if (is_out)
		leat__tally_end(counts, &counts->out);
}
