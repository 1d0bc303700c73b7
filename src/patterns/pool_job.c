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

/* No try: this one looks for a cancel, and yields now and then. */
static inline bool take_now(leat_channel *queue, char *item)
{
	return leat_channel_recv(queue, item, INT64_MIN) == 0;
}

/* From the first n queues. */
static __attribute__((noinline)) bool take_from(struct leat_pool *pool, int n, char *item)
{
	for (int i = 0; i < n; i++)
		if (leat_channel_len(pool->queue[i]) > 0 && take_now(pool->queue[i], item))
			return true;
	return false;
}

static inline bool take(struct leat_pool *pool, char *item)
{
	return pool->nqueues == 1 ? take_now(pool->queue[0], item)
				  : take_from(pool, pool->nqueues, item);
}

/* Under one lock with its number, by which results are handed on. */
static __attribute__((noinline)) bool take_in_order(struct leat_pool *pool, char *item,
						    uint64_t *ret_seq)
{
	bool is_one;

	leat_mutex_lock(&pool->take_lock);
	is_one = take(pool, item);
	if (is_one)
		*ret_seq = pool->taken++;
	leat_mutex_unlock(&pool->take_lock);
	return is_one;
}

/* Takes a job, which counts hold from now on; *ret_seq: as submitted, its number. */
static inline bool take_one(struct leat_pool *pool, struct leat__counts *counts, char *item,
			    uint64_t *ret_seq)
{
	bool is_one = pool->window ? take_in_order(pool, item, ret_seq)
		      : pool->keys ? leat__pool_key_take(pool, item)
				   : take(pool, item);

	if (is_one)
		leat__tally(counts, &counts->held, 1);
	return is_one;
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

static void fail(struct leat_pool *pool, struct leat__pool_worker *w, char *job, int error)
{
	struct leat__counts *counts = w ? &w->counts : &pool->caller;
	bool cancelled = error == -ECANCELED && leat__pool_error(pool) != 0;

	if (w)
		leat__pool_hand_on_early(pool, w);
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

/* One after a slow job; then twice as many for each quick one. */
static int hand_for(struct leat_pool *pool, uint32_t stride)
{
	return stride < (uint32_t)pool->o.prefetch ? (int)stride + 1 : pool->o.prefetch;
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
	atomic_store_explicit(&pool->hand_max, hand_for(pool, stride), memory_order_relaxed);
	if (stride == 0)
		atomic_store_explicit(&pool->stamp_skip, 0, memory_order_relaxed);
	return r;
}

static inline bool is_dropped(struct leat_pool *pool, struct leat__counts *counts, char *item)
{
	if (leat__pool_error(pool) == 0)
		return false;
	if (pool->o.drop)
		pool->o.drop(item);
	leat__tally_end(counts, &counts->cancelled);
	return true;
}

/* 0, or the error, which has been counted. */
static inline int run(struct leat_pool *pool, struct leat__pool_worker *w, char *item, void *result)
{
	uint64_t stamp = leat__pool_stamp_of(pool, item);
	void *state = w ? w->state : NULL;
	int r;

	if (stamp == 0)
		r = call_work(pool, state, item, result);
	else
		r = call_timed(pool, stamp, state, item, result);
	if (r < 0)
		fail(pool, w, item, r);
	return r;
}

/* true: it is out, which is still to be counted; false: it has been counted, however it ended. */
static inline __attribute__((always_inline)) bool do_one(struct leat_pool *pool,
							 struct leat__pool_worker *w, char *item,
							 uint64_t seq, bool is_ordered)
{
	struct leat__counts *counts = w ? &w->counts : &pool->caller;
	char result[LEAT_POOL_JOB_MAX] __attribute__((aligned(16)));
	int r;

	if (is_dropped(pool, counts, item))
		return false;
	r = run(pool, w, item, result);
	if (is_ordered && pool->window)
		leat__pool_window_put(pool, w, counts, seq, r < 0 ? NULL : result);
	if (r < 0 || (is_ordered && pool->window))
		return false;
	return !pool->o.results || leat__pool_hand_on(pool, w, counts, result);
}

void leat__pool_do(struct leat_pool *pool, struct leat__pool_worker *w, char *item, uint64_t seq)
{
	struct leat__counts *counts = w ? &w->counts : &pool->caller;
	uint64_t key = pool->keys ? pool->o.key(item) : 0;

	if (do_one(pool, w, item, seq, true))
		leat__tally_end(counts, &counts->out);
	if (pool->keys)
		leat__pool_key_leave(pool, key);
}

/* T2 */
bool leat__pool_take_and_do(struct leat_pool *pool, struct leat__pool_worker *w)
{
	char job[LEAT__POOL_ITEM_MAX] __attribute__((aligned(16)));
	uint64_t seq = 0;

	if (!take_one(pool, &w->counts, job, &seq))
		return false;
	if (w->starting)
		leat__pool_started(w);
	leat__pool_do(pool, w, job, seq);
	return true;
}

/* How many of n results are sent; *ret_error: why no more. */
static int send_results(struct leat_pool *pool, struct leat__pool_worker *w, const char *results,
			int n, int *ret_error)
{
	int64_t r = leat_channel_send_n(pool->o.results, results, (size_t)n, INT64_MIN);
	int sent = r > 0 ? (int)r : 0;

	*ret_error = (int)r;
	if (sent == n || (r < 0 && r != -ETIMEDOUT))
		return sent;
	leat__meter_enter(&w->meter, LEAT_STAGE_BLOCKED);
	while (sent < n) {
		r = leat_channel_send_n(pool->o.results,
					results + (size_t)sent * pool->o.result_size,
					(size_t)(n - sent), LEAT_FOREVER);
		if (r < 0)
			break;
		sent += (int)r;
	}
	leat__pool_busy(w);
	*ret_error = (int)r;
	return sent;
}

/* Jobs i to end - 1 of the hand, which are out. */
static void hand_on_some(struct leat_pool *pool, struct leat__pool_worker *w, int i, int end)
{
	struct leat__counts *counts = &w->counts;
	char *results = w->hand.results + (size_t)i * pool->o.result_size;
	int n = end - i, sent = n, error = 0;

	if (n <= 0)
		return;
	if (pool->o.results)
		sent = send_results(pool, w, results, n, &error);
	leat__tally_own(&counts->held, -sent);
	leat__tally_own(&counts->out, sent);
	for (; sent < n; sent++) {
		if (pool->o.drop_result)
			pool->o.drop_result(results + (size_t)sent * pool->o.result_size);
		leat__tally_end(counts, error == LEAT_ECLOSED ? &counts->unwanted
							       : &counts->cancelled);
	}
}

void leat__pool_hand_on_early(struct leat_pool *pool, struct leat__pool_worker *w)
{
	struct leat__hand *h = &w->hand;
	int first = h->first, end = h->begun - 1;

	if (first >= end)
		return;
	h->first = end;
	hand_on_some(pool, w, first, end);
}

/* More urgent than what is in hand; false: there is none. */
static __attribute__((noinline)) bool do_urgent(struct leat_pool *pool,
						struct leat__pool_worker *w)
{
	char job[LEAT__POOL_ITEM_MAX] __attribute__((aligned(16)));
	struct leat__hand *h = &w->hand;

	if (!take_from(pool, h->queue, job))
		return false;
	leat__tally_own(&w->counts.held, 1);
	hand_on_some(pool, w, h->first, h->begun);
	h->first = h->begun;
	leat__pool_do(pool, w, job, 0);
	return true;
}

/* Whether it is out; if not, what is out of the hand has been handed on. */
static inline bool do_in_hand(struct leat_pool *pool, struct leat__pool_worker *w, char *item,
			      char *result)
{
	if (leat__pool_error(pool) != 0) {
		leat__pool_hand_on_early(pool, w);
		return !is_dropped(pool, &w->counts, item);
	}
	if (run(pool, w, item, result) >= 0)
		return true;
	/* What is left is not begun any more. */
	if (leat_cancelled() && leat__pool_error(pool) == 0)
		leat_pool_stop(pool, -ECANCELED);
	return false;
}

void leat__pool_do_next(struct leat_pool *pool, struct leat__pool_worker *w)
{
	struct leat__hand *h = &w->hand;
	int i = h->begun;

	h->begun = i + 1;
	h->first = i;
	if (do_in_hand(pool, w, h->items + (size_t)i * pool->item_size,
		       h->results + (size_t)i * pool->o.result_size))
		hand_on_some(pool, w, i, i + 1);
}

/* Job i of the hand is out, if is_out; but not to wait for others. */
static __attribute__((noinline)) void end_early(struct leat_pool *pool, struct leat__pool_worker *w,
						int i, bool is_out)
{
	struct leat__hand *h = &w->hand;
	int first = h->begun == i + 1 ? h->first : i;

	h->first = h->begun;
	if (is_out)
		hand_on_some(pool, w, first, i + 1);
}

static __attribute__((noinline)) LEAT__OWN_LINE void do_hand(struct leat_pool *pool,
							     struct leat__pool_worker *w)
{
	size_t item_size = pool->item_size, result_size = pool->o.result_size;
	struct leat__hand *h = &w->hand;
	char *item = h->items, *result = h->results;
	bool is_slow = false;
	int i = 0, n = h->taken;

	while (i < n) {
		bool is_out = false, may_wait = false;

		if (h->queue == 0 || !do_urgent(pool, w)) {
			h->begun = i + 1;
			is_out = do_in_hand(pool, w, item, result);
			is_slow |= atomic_load_explicit(&pool->hand_max, memory_order_relaxed) == 1;
			may_wait = is_out && !is_slow && h->begun == i + 1;
		}
		if (may_wait) {
			i++;
			item += item_size;
			result += result_size;
			continue;
		}
		end_early(pool, w, i, is_out);
		i = h->begun;
		item = h->items + (size_t)i * item_size;
		result = h->results + (size_t)i * result_size;
	}
	hand_on_some(pool, w, h->first, n);
}

/* No more than a worker's share of what is there, so that others have something to do, too. */
static size_t share_of(struct leat_pool *pool, size_t queued)
{
	/* Relaxed: any of the values that they have meanwhile would do, also 0 workers. */
	unsigned most = (unsigned)atomic_load_explicit(&pool->hand_max, memory_order_relaxed);
	unsigned workers = (unsigned)atomic_load_explicit(&pool->limit, memory_order_relaxed);

	if (queued >= (size_t)most * workers)
		return most;
	return queued > 0 ? ((unsigned)queued + workers - 1) / workers : 1;
}

static bool take_hand(struct leat_pool *pool, struct leat__pool_worker *w)
{
	for (int i = 0; i < pool->nqueues; i++) {
		size_t queued = leat_channel_len(pool->queue[i]);
		int64_t n = 0;

		if (queued > 0 || pool->nqueues == 1)
			n = leat_channel_recv_n(pool->queue[i], w->hand.items,
						share_of(pool, queued), INT64_MIN);
		if (n <= 0)
			continue;
		leat__tally_own(&w->counts.held, n);
		w->hand.taken = (int)n;
		w->hand.begun = w->hand.first = 0;
		w->hand.queue = i;
		return true;
	}
	return false;
}

/* T2 with prefetch, until there is nothing. */
static __attribute__((noinline)) LEAT__OWN_LINE void do_hands(struct leat_pool *pool,
							      struct leat__pool_worker *w)
{
	while (leat__pool_may_go_on(pool) && take_hand(pool, w)) {
		if (w->starting)
			leat__pool_started(w);
		do_hand(pool, w);
	}
}

/*
 * The same without, and without an order of the jobs, as most pools are.  A job that is out is
 * counted when the next is taken, which is held in its place: one counter a job.
 */
static __attribute__((noinline)) LEAT__OWN_LINE void do_each(struct leat_pool *pool,
							     struct leat__pool_worker *w)
{
	char job[LEAT__POOL_ITEM_MAX] __attribute__((aligned(16)));
	struct leat__counts *counts = &w->counts;
	_Atomic uint64_t *which = &counts->held;

	while (leat__pool_may_go_on(pool) && take(pool, job)) {
		leat__tally_own(which, 1);
		if (w->starting)
			leat__pool_started(w);
		which = do_one(pool, w, job, 0, false) ? &counts->out : &counts->held;
	}
	if (which == &counts->out)
		leat__tally_end(counts, &counts->out);
}

void leat__pool_do_jobs(struct leat_pool *pool, struct leat__pool_worker *w)
{
	if (pool->o.prefetch > 1)
		do_hands(pool, w);
	else if (!pool->window && !pool->keys)
		do_each(pool, w);
	else
		while (leat__pool_may_go_on(pool) && leat__pool_take_and_do(pool, w))
			;
}
