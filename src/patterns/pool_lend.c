/*
 * Tasks that wait for their own pool below one of its jobs: in a group that the job has made, as
 * leat_timeout does, or forked by it.
 *
 * Such a task does no jobs meanwhile, as a worker's own does: there may be several of one job, and
 * its worker's record and state are for one; and what cancels the task, such as a deadline, must
 * not cancel those jobs.  It lends the place of its job's worker, which is taken to wait for it: as
 * long as any does, one more may work than the limit says.  So of those that run there is always
 * one that does not wait, or another may begin.  A worker, too, lends its place when it finds no
 * job and waits without looking.  A task whose job is not found, since that has ended or a caller
 * does it, lends a place of its own; but no more are lent than jobs are at work.
 *
 *	lend	E1 there is an idle record: no memory is needed when one must begin
 *		E2 lent + 1; the limit is higher; look into the channels: jobs are there: S2
 *		E3 wait
 *		E4 lent - 1; who is too many ends, after its present job
 * E2 and S1 as T4 and S1: see pool.h.
 */
#include "patterns/pool.h"

#include <leat/extend.h>

/* E1, under the lock. */
static bool have_idle(struct leat_pool *pool)
{
	struct leat__pool_worker *w;

	if (pool->idle)
		return true;
	w = leat__pool_worker_new(pool);
	if (w)
		leat__pool_to_idle(w);
	return w != NULL;
}

/* E2; *ret_lender: the worker, if it is known. */
static int begin(struct leat_pool *pool, uint64_t task, struct leat__pool_worker **ret_lender)
{
	struct leat__pool_worker *w;
	bool may = false;

	leat_mutex_lock(&pool->lock);
	w = leat__pool_by_task(pool, task);
	if (have_idle(pool)) {
		may = true;
		if (!w || w->lenders++ == 0)
			atomic_fetch_add(&pool->lent, 1);
		leat__pool_update_open(pool);
	}
	leat_mutex_unlock(&pool->lock);
	if (!may)
		return -ENOMEM;
	if (pool->window)
		leat__pool_window_wake(pool);
	if (leat__pool_is_ready(pool))
		leat__pool_wake(pool);
	*ret_lender = w;
	return 0;
}

/* E4 */
static void end(struct leat_pool *pool, struct leat__pool_worker *w)
{
	leat_mutex_lock(&pool->lock);
	if (!w || --w->lenders == 0)
		atomic_fetch_sub(&pool->lent, 1);
	leat__pool_update_open(pool);
	leat_mutex_unlock(&pool->lock);
}

int leat__pool_lend(struct leat_pool *pool, uint64_t task, const struct leat__pool_wait *wait)
{
	struct leat__pool_worker *w;
	int r = -ETIMEDOUT;

	if (!wait->item)
		r = leat_channel_recv(wait->chan, wait->elem, INT64_MIN);
	if (r != -ETIMEDOUT)
		return r;
	r = begin(pool, task, &w);
	if (r < 0)
		return r;
	r = leat__pool_wait_idly(wait);
	end(pool, w);
	return r;
}
