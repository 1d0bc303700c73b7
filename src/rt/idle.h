/*
 * Idle workers: who sleeps, who searches, who wakes whom.  See idle.c.
 */
#ifndef LEAT_RT_IDLE_H
#define LEAT_RT_IDLE_H

#include "rt/rt.h"

/* Work for w from anywhere; sleeps as long as there is none.  NULL: the runtime stops. */
struct leat__task *leat__find_work(struct leat__worker *w);

void leat__wake_one(struct leat__runtime *rt);
/* Wakes w, whatever it does in its sleep. */
void leat__wake_worker(struct leat__worker *w);
/*
 * After a timer was set in w's wheel by w, or (NULL) in worker 0's by a thread: we may
 * compute on, so somebody else must know the time.
 */
void leat__notify_timer(struct leat__worker *w);
/* After a push from a thread that is no worker. */
void leat__wake_for_injector(struct leat__runtime *rt);

/* I1: after every push to a worker's own queue. */
static inline void leat__notify(struct leat__worker *w)
{
	/* Relaxed: a counter that a searcher compares with an older value. */
	leat__store_relaxed(&w->pushes, w->pushes + 1);
	leat__fence_light(); /* I2: pairs with the heavy fence of I6 in idle.c */
	if (leat__unlikely(leat__load_relaxed(&w->rt->need_wake)) && !LEAT__MUTANT(PUSH_NO_WAKE))
		leat__wake_one(w->rt);
}

/* A chain of n tasks, linked by next; n is half a deque and one at most. */
void leat__injector_push(struct leat__runtime *rt, struct leat__task *first,
			 struct leat__task *last, uint32_t n);
/* One task. */
struct leat__task *leat__injector_pop(struct leat__runtime *rt);
/* A chain, for a worker whose deque is empty: the first of it, the others are in the deque. */
struct leat__task *leat__injector_take(struct leat__worker *w);

#endif
