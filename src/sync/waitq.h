/*
 * The queue of waiters of an object in leat/sync.h: FIFO, under a spin lock.
 *
 * struct leat__waitq is all zero when it is empty, so that static initializers
 * work; therefore the list ends in NULL.  A waiter that is in no queue has a
 * node that points at itself.
 *
 * Who waits follows P1-P6 in park.h, who wakes W1-W3.  Common to all objects:
 *   - A waiter leaves the queue under the lock: taken out by who wakes it, or by
 *     its own task after a timeout or cancel.  So while it is in the queue and
 *     the lock is held, its memory is there.
 *   - A waker that finds a waiter whose claim was won by a timeout or a cancel
 *     takes it out and goes on to the next; its task notices that by itself.
 *   - A waiter that was cancelled before the waker came gets nothing, even if it
 *     is so new that the cancel has not found it: leat__waitq_claim looks.
 */
#ifndef LEAT_SYNC_WAITQ_H
#define LEAT_SYNC_WAITQ_H

#include "rt/park.h"

/* Tasks that were claimed, for leat__wakes_run after the lock has been released. */
struct leat__wakes {
	struct leat__task *first, *last;
};

static inline void leat__wakes_add(struct leat__wakes *wakes, struct leat__task *t)
{
	t->next = NULL;
	if (wakes->last)
		wakes->last->next = t;
	else
		wakes->first = t;
	wakes->last = t;
}

/* W3: makes them ready, to run in the order in which they were added. */
void leat__wakes_run(struct leat__wakes *wakes);

static inline void leat__waitq_lock(struct leat__waitq *q)
{
	leat__lock_acquire((struct leat__lock *)&q->_lock, LEAT__RANK_OBJECT);
}

static inline void leat__waitq_unlock(struct leat__waitq *q)
{
	leat__lock_release((struct leat__lock *)&q->_lock);
}

/* Without the lock a snapshot, therefore relaxed. */
static inline bool leat__waitq_is_empty(const struct leat__waitq *q)
{
	return leat__load_relaxed(&q->_first) == NULL;
}

/* The rest is under the lock. */

static inline struct leat__waiter *leat__waitq_first(const struct leat__waitq *q)
{
	void *first = leat__load_relaxed(&q->_first);

	return first ? leat__container_of(first, struct leat__waiter, node) : NULL;
}

static inline struct leat__waiter *leat__waitq_next(const struct leat__waiter *w)
{
	return w->node.next ? leat__container_of(w->node.next, struct leat__waiter, node) : NULL;
}

void leat__waitq_append(struct leat__waitq *q, struct leat__waiter *w);
void leat__waitq_prepend(struct leat__waitq *q, struct leat__waiter *w);
/* Does nothing to a waiter that is in no queue. */
void leat__waitq_remove(struct leat__waitq *q, struct leat__waiter *w);

/*
 * W1: takes w out of the queue and claims it.  True: it is ours, to be filled in
 * and added to wakes.  False: it has timed out or is cancelled.
 */
bool leat__waitq_claim(struct leat__waitq *q, struct leat__waiter *w, struct leat__wakes *wakes);
/* The first that can be claimed; NULL: the queue is empty now. */
struct leat__waiter *leat__waitq_claim_first(struct leat__waitq *q, struct leat__wakes *wakes);
/* Claims all and adds them to wakes. */
void leat__waitq_claim_all(struct leat__waitq *q, struct leat__wakes *wakes);

/*
 * P1 for a blocked task: into the queue, armed.  me is leat__current(w); threads
 * that are no workers cannot be cancelled.
 */
static inline void leat__waitq_block(struct leat__waitq *q, struct leat__waiter *waiter,
				     bool cancelable)
{
	struct leat__task *me = waiter->task;

	leat__waitq_append(q, waiter);
	leat__arm(me, cancelable && !(me->flags & LEAT__T_FOREIGN));
}

/* P6 after a timeout or cancel. */
static inline void leat__waitq_leave(struct leat__waitq *q, struct leat__waiter *waiter)
{
	leat__waitq_lock(q);
	leat__waitq_remove(q, waiter);
	leat__waitq_unlock(q);
}

#endif
