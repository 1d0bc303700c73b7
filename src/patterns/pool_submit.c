/* How jobs come into a pool (S1), and what a worker does that would have to wait. */
#include "patterns/pool.h"

#include <string.h>

#include <leat/extend.h>

static void check_pool(const char *function, const struct leat_pool *pool)
{
	if (!pool)
		leat_misuse(function, pool, "the pool is NULL; make it with leat_pool_make");
}

static void check(const char *function, const struct leat_pool *pool, const void *job, int priority)
{
	check_pool(function, pool);
	if (!job)
		leat_misuse(function, pool, "the job is NULL");
	if ((unsigned)priority >= (unsigned)pool->nqueues)
		leat_misuse(function, pool, "priority %d; the pool has 0 to %d", priority,
			    pool->nqueues - 1);
}

enum { NOT_SENT = 1 };		/* but accepted, and done with */

static bool is_late(const struct leat__pool_wait *wait)
{
	return wait->deadline != LEAT_FOREVER && leat_now() >= wait->deadline;
}

/*
 * A full queue, and a job of task has nothing to do, or something below it waits.  What is queued
 * may all wait for that job's key; and per key it does none of that, see pool_key.c.
 */
static int send_by_job(struct leat_pool *pool, uint64_t task, const struct leat__pool_wait *wait)
{
	return pool->keys && wait->deadline == LEAT_FOREVER
		       ? leat__pool_key_beyond(pool, wait->chan, wait->item)
		       : leat__pool_lend(pool, task, wait);
}

/* A full queue, and the caller is a worker of the pool: it makes room. */
static int push_by_worker(struct leat_pool *pool, struct leat__pool_worker *w,
			  const struct leat__pool_wait *wait)
{
	int r;

	leat__pool_hand_on_early(pool, w);
	while ((r = leat_channel_try_send(wait->chan, wait->item)) == -EAGAIN) {
		if (leat__pool_depth(w) >= DEPTH_MAX)
			return leat__pool_go_deeper(pool, w, wait);
		if (pool->keys || !leat__pool_take_and_do(pool, w))
			return send_by_job(pool, leat_task_id(), wait);
		if (is_late(wait))
			return leat__pool_wait_idly(wait);
	}
	return r;
}

int leat__pool_wait_idly(const struct leat__pool_wait *wait)
{
	return wait->item ? leat_channel_send(wait->chan, wait->item, wait->deadline)
			  : leat_channel_recv(wait->chan, wait->elem, wait->deadline);
}

/* By a worker, below a job, or outside of the pool. */
static int wait_and_push(struct leat_pool *pool, leat_channel *queue, char *item, int64_t deadline)
{
	struct leat__pool_wait wait = { .chan = queue, .item = item, .deadline = deadline };
	struct leat__pool_worker *w = leat__pool_self(pool);
	uint64_t task;

	if (w)
		return push_by_worker(pool, w, &wait);
	task = leat__pool_job_above(pool);
	return task != 0 ? send_by_job(pool, task, &wait) : leat__pool_wait_idly(&wait);
}

static __attribute__((noinline)) int put_and_wake(struct leat_pool *pool, leat_channel *queue,
						  const char *item)
{
	int r = pool->keys ? leat__pool_key_put(pool, queue, item) : 0;

	if (r == 0)
		leat__pool_wake(pool);
	return r;
}

/* What there is to do after a send. */
static inline int sent(struct leat_pool *pool, leat_channel *queue, const char *item)
{
	/* Relaxed: as in leat__pool_wake. */
	return atomic_load_explicit(&pool->flags, memory_order_relaxed) == 0
		       ? 0
		       : put_and_wake(pool, queue, item);
}

int leat_pool_push_until(leat_pool_raw *pool, const void *job, int priority, int64_t deadline)
{
	char item[LEAT__POOL_ITEM_MAX] __attribute__((aligned(16)));
	leat_channel *queue;
	int r;

	check(__func__, pool, job, priority);
	queue = pool->queue[priority];
	leat__pool_wrap(pool, item, job, false);
	if (deadline == INT64_MIN)
		r = leat_channel_try_send(queue, item);
	else if ((r = leat_channel_send(queue, item, INT64_MIN)) == -ETIMEDOUT)
		r = wait_and_push(pool, queue, item, deadline);
	return r == 0 ? sent(pool, queue, item) : r;
}

/* work owns the copy in the item. */
static void run_by(struct leat_pool *pool, struct leat__pool_worker *w, char *item)
{
	struct leat__counts *counts = w ? &w->counts : &pool->caller;

	atomic_fetch_add(&pool->direct, 1);
	leat__tally(counts, &counts->held, 1);
	leat__pool_do(pool, w, item, 0);
}

static int run_called(void *args)
{
	struct leat__pool_caller *c = *(struct leat__pool_caller **)args;

	run_by(c->pool, NULL, c->item);
	return 0;
}

static const leat_task_type caller_type = {
	"pool caller", run_called, sizeof(struct leat__pool_caller *)
};

/* Waits while the pool is paused. */
static int run_by_caller(struct leat_pool *pool, leat_channel *queue, char *item)
{
	struct leat__pool_caller caller = { .pool = pool, .item = item }, *c = &caller;
	int r = leat_group_init(&c->group, NULL);

	if (r < 0)
		return r;
	r = leat__pool_caller_begin(c);
	if (r == 0) {
		/* Without memory for a task, or in a cancelled one, as it is. */
		if (leat_spawn(&c->group, &caller_type, &c, NULL) < 0)
			run_by(pool, NULL, item);
		(void)leat_group_wait(&c->group);
		leat__pool_caller_end(c);
	}
	leat_group_release(&c->group);
	return r == -EAGAIN ? wait_and_push(pool, queue, item, LEAT_FOREVER) : r;
}

/* LEAT_OVERFLOW_CALLER_RUNS. */
static int run_here(struct leat_pool *pool, leat_channel *queue, char *item)
{
	struct leat__pool_worker *w = leat__pool_self(pool);
	struct leat__pool_wait wait = { .item = item };

	if (!w)
		return run_by_caller(pool, queue, item);
	if (leat__pool_depth(w) >= DEPTH_MAX)
		return leat__pool_go_deeper(pool, w, &wait);
	run_by(pool, w, item);
	return 0;
}

static int drop_newest(struct leat_pool *pool, char *item)
{
	atomic_fetch_add(&pool->direct, 1);
	leat__pool_drop(pool, item, &pool->newest);
	return NOT_SENT;
}

static int drop_oldest(struct leat_pool *pool, leat_channel *queue, const char *item)
{
	char old[LEAT__POOL_ITEM_MAX] __attribute__((aligned(16)));
	int r;

	while ((r = leat_channel_try_send(queue, item)) == -EAGAIN)
		if (leat__pool_take_oldest(pool, queue, old))
			leat__pool_drop(pool, old, &pool->oldest);
		else if (pool->keys) /* places whose jobs are still to come */
			return leat__pool_key_beyond(pool, queue, item);
	return r;
}

/* refused: what a send that does not wait has returned.  Also NOT_SENT. */
static __attribute__((noinline)) int push_refused(struct leat_pool *pool, leat_channel *queue,
						  char *item, int refused)
{
	if (refused != -EAGAIN && refused != -ETIMEDOUT)
		return refused;
	switch (pool->o.overflow) {
	case LEAT_OVERFLOW_BLOCK:
		return wait_and_push(pool, queue, item, LEAT_FOREVER);
	case LEAT_OVERFLOW_REJECT:
		return -EAGAIN;
	case LEAT_OVERFLOW_CALLER_RUNS:
		return run_here(pool, queue, item);
	case LEAT_OVERFLOW_DROP_OLDEST:
		return drop_oldest(pool, queue, item);
	case LEAT_OVERFLOW_DROP_NEWEST:
		return drop_newest(pool, item);
	}
	return -EINVAL;
}

LEAT__OWN_LINE int leat_pool_push(leat_pool_raw *pool, const void *job, int priority)
{
	char item[LEAT__POOL_ITEM_MAX] __attribute__((aligned(16)));
	leat_channel *queue;
	int r;

	check(__func__, pool, job, priority);
	queue = pool->queue[priority];
	leat__pool_wrap(pool, item, job, false);
	/* S1.  No try where it may wait: this one looks for a cancel, and yields now and then. */
	r = pool->o.overflow == LEAT_OVERFLOW_BLOCK
		    ? leat_channel_send(queue, item, INT64_MIN)
		    : leat_channel_try_send(queue, item);
	if (r != 0)
		r = push_refused(pool, queue, item, r);
	if (r != 0)
		return r == NOT_SENT ? 0 : r;
	return sent(pool, queue, item);
}

/* As many of n > 0 jobs as find room at once, and a buffer holds: how many, or an error. */
static LEAT__OWN_LINE int64_t push_some(struct leat_pool *pool, const char *jobs, size_t n)
{
	char items[2 * LEAT__POOL_ITEM_MAX] __attribute__((aligned(16)));
	size_t size = pool->item_size, most = sizeof(items) / size;
	size_t room = pool->o.queue - leat_channel_len(pool->queue[0]);
	bool skipped;
	int64_t r;

	n = n < most ? n : most;
	n = n < room ? n : room;
	skipped = leat__pool_skip_stamps(pool, n);
	for (size_t i = 0; i < n; i++)
		leat__pool_wrap(pool, items + i * size, jobs + i * pool->o.job_size, skipped);
	r = leat_channel_send_n(pool->queue[0], items, n, INT64_MIN);
	if (r > 0)
		leat__pool_wake(pool);
	return r == -ETIMEDOUT ? 0 : r; /* others have filled it */
}

int64_t leat_pool_push_n(leat_pool_raw *pool, const void *jobs, size_t n)
{
	const char *job = jobs;
	size_t done = 0;
	int64_t r = 0;

	if (n == 0)
		return 0;
	check(__func__, pool, jobs, 0);
	/* All that finds room at once; then one, as the policy says. */
	while (done < n && r >= 0) {
		r = pool->keys ? 0 : push_some(pool, job, n - done);
		if (r == 0) {
			r = leat_pool_push(pool, job, 0);
			r = r == 0 ? 1 : r;
		}
		if (r > 0) {
			done += (size_t)r;
			job += (size_t)r * pool->o.job_size;
		}
	}
	return done > 0 ? (int64_t)done : r;
}

/* A receive from chan, or a job meanwhile.  Its frame is not that of leat_pool_wait_recv, too. */
static __attribute__((noinline)) int recv_or_help(struct leat_pool *pool,
						  struct leat__pool_worker *w, leat_channel *chan,
						  void *elem, int64_t deadline)
{
	char job[LEAT__POOL_ITEM_MAX] __attribute__((aligned(16)));
	leat_case cases[LEAT_POOL_PRIORITIES + 3];
	int n = 0, r;

	cases[n++] = leat_recv_case(chan, elem, NULL);
	for (int i = 0; i < pool->nqueues; i++)
		cases[n++] = leat_recv_case(pool->queue[i], job, NULL);
	cases[n++] = leat_case_until(deadline);
	cases[n++] = leat_case_ordered;
	r = leat_select_cases(cases, (size_t)n);
	if (r <= 0)
		return r == 0 ? cases[0].status : r;
	/* Closed, so ready for ever: no more help but with what others still have. */
	if (cases[r].status == LEAT_ECLOSED)
		return leat__pool_take_and_do(pool, w) ? -EAGAIN
						       : leat_channel_recv(chan, elem, deadline);
	leat__tally(&w->counts, &w->counts.held, 1);
	leat__pool_do(pool, w, job, 0);
	return -EAGAIN;
}

/* No try: this one looks for a cancel, and yields now and then. */
static int recv_now(leat_channel *chan, void *elem)
{
	int r = leat_channel_recv(chan, elem, INT64_MIN);

	return r == -ETIMEDOUT ? -EAGAIN : r;
}

/* Does jobs until something has come, those in w's own hand first: nobody else can do those. */
static int recv_by_worker(struct leat_pool *pool, struct leat__pool_worker *w,
			  const struct leat__pool_wait *wait)
{
	int r;

	leat__pool_hand_on_early(pool, w);
	while ((r = recv_now(wait->chan, wait->elem)) == -EAGAIN) {
		if (leat__pool_depth(w) >= DEPTH_MAX)
			return leat__pool_go_deeper(pool, w, wait);
		if (leat__pool_in_hand(w) > 0)
			leat__pool_do_next(pool, w);
		else if (!pool->window && !pool->keys)
			r = recv_or_help(pool, w, wait->chan, wait->elem, wait->deadline);
		else if (pool->keys || !leat__pool_take_and_do(pool, w))
			return leat__pool_lend(pool, leat_task_id(), wait);
		if (r != -EAGAIN)
			break;
		if (leat__pool_in_hand(w) == 0 && is_late(wait))
			return leat__pool_wait_idly(wait);
	}
	return r;
}

int leat__pool_wait_for(struct leat_pool *pool, struct leat__pool_worker *w,
			const struct leat__pool_wait *wait)
{
	if (wait->chan)
		return wait->item ? push_by_worker(pool, w, wait) : recv_by_worker(pool, w, wait);
	run_by(pool, w, wait->item);
	return 0;
}

int leat_pool_wait_recv(leat_pool_raw *pool, leat_channel *chan, void *elem, int64_t deadline)
{
	struct leat__pool_wait wait = { .chan = chan, .elem = elem, .deadline = deadline };
	struct leat__pool_worker *w;
	uint64_t task;

	check_pool(__func__, pool);
	w = leat__pool_self(pool);
	if (w)
		return recv_by_worker(pool, w, &wait);
	task = leat__pool_job_above(pool);
	return task != 0 ? leat__pool_lend(pool, task, &wait) : leat__pool_wait_idly(&wait);
}
