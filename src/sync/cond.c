/*
 * Condition.
 *
 * A signal does not make a waiter run against the mutex: it moves it to the
 * mutex's own queue (leat__mutex_requeue), so a broadcast wakes one task at a
 * time and keeps the order.
 *
 *   wait	C1 lock the queue; append a waiter whose elem is the mutex; arm;
 *		   unlock the queue
 *		C2 unlock the mutex
 *		C3 park
 *		C4 claimed by an unlock of the mutex: as M7 in mutex.c
 *		C5 timeout or cancel before a signal: out of the queue; lock the mutex
 *		C6 timeout after a signal, elem is NULL: out of the mutex's queue; lock
 *		   it; the wait has succeeded
 *   signal	C7 lock the queue; claim the first waiter; unlock
 *		C8 leat__mutex_requeue
 * C2 after C1: who changes what is waited for under the mutex finds the waiter in the
 * queue; so signal need not lock the queue to see that it is empty.
 */
#include <errno.h>

#include "sync/mutex.h"

static inline void check(const char *function, const leat_cond *cond)
{
	leat__check_fork(function, cond);
	if (leat__unlikely(!cond))
		leat__misuse_at(function, cond,
				"the condition is NULL; give it memory and LEAT_COND_INIT");
}

static int wait(leat_cond *cond, leat_mutex *mutex, int64_t deadline, const char *function)
{
	struct leat__waiter w = { .elem = mutex };
	struct leat__worker *worker;
	bool woken;
	int r;

	check(function, cond);
	if (!mutex)
		leat__misuse_at(function, cond,
				"the mutex is NULL; give it the mutex that the caller holds");
	r = leat__enter(&worker, &w.task);
	if (!leat__mutex_is_held_by(mutex, w.task))
		leat__misuse_at(function, cond,
				"'%s' (%llu) does not hold mutex %p; lock it before the wait",
				leat__task_name_of(w.task), (unsigned long long)w.task->id,
				(void *)mutex);
	if (r < 0)
		return r;
	leat__waitq_lock(&cond->_waiters);
	leat__waitq_block(&cond->_waiters, &w, true);			/* C1 */
	leat__waitq_unlock(&cond->_waiters);
	leat__mutex_unlock(mutex, w.task, function);			/* C2 */
	r = leat__park(w.task, LEAT__WHY_COND, cond, deadline);		/* C3 */
	if (r == 0 && w.result == LEAT__MUTEX_OWNED)			/* C4 */
		return 0;
	woken = r == 0;
	if (r < 0 && w.elem) {						/* C5 */
		leat__waitq_leave(&cond->_waiters, &w);
	} else if (r < 0) {						/* C6 */
		leat__waitq_leave(&mutex->_waiters, &w);
		r = 0;
	}
	leat__mutex_wait(mutex, &w, woken, LEAT_FOREVER);
	return r;
}

int leat_cond_wait(leat_cond *cond, leat_mutex *mutex)
{
	return wait(cond, mutex, LEAT_FOREVER, __func__);
}

int leat_cond_wait_until(leat_cond *cond, leat_mutex *mutex, int64_t deadline)
{
	return wait(cond, mutex, deadline, __func__);
}

/*
 * C7 for up to n waiters, then C8.  Claimed all at once: none that comes back to
 * wait meanwhile is woken in place of another.
 */
static void wake(leat_cond *cond, size_t n)
{
	struct leat__waitq claimed = { 0 };
	struct leat__wakes wakes = { 0 };
	struct leat__waiter *w;

	if (leat__waitq_is_empty(&cond->_waiters))
		return;
	leat__waitq_lock(&cond->_waiters);
	while (n-- > 0 && (w = leat__waitq_claim_first(&cond->_waiters, &wakes)) != NULL)
		leat__waitq_append(&claimed, w);
	leat__waitq_unlock(&cond->_waiters);
	leat__wakes_run(&wakes);
	while ((w = leat__waitq_first(&claimed)) != NULL) {
		leat__waitq_remove(&claimed, w);
		leat__mutex_requeue(w->elem, w);
	}
}

void leat_cond_signal(leat_cond *cond)
{
	check(__func__, cond);
	wake(cond, 1);
}

void leat_cond_broadcast(leat_cond *cond)
{
	check(__func__, cond);
	wake(cond, SIZE_MAX);
}
