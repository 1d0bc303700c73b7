/*
 * Park and ready: how a task blocks and how it goes on.
 *
 * What waits in an object's queue is a leat__waiter, on the stack of the
 * blocked task (or in the record of a wait without a stack).
 *
 *   block	P1 under the object's lock: append a waiter, arm the claim word
 *		P2 release the lock
 *		P3 leat__park: link into the scope, look for a cancel (K4-K6), set
 *		   the timer; if the deadline is over, claim myself, and go on at P6
 *		P4 pick another task.  It is me: somebody was quick; go on
 *		P5 switch to it; C1 publishes my context
 *		P6 resumed: remove the timer; the caller removes its waiter from the
 *		   queue if the claim was not the object's (under the lock)
 *   wake	W1 under the object's lock: take a waiter whose claim CAS succeeds,
 *		   remove it from the queue, fill in what it gets
 *		W2 release the lock
 *		W3 leat__ready: put the task into a queue
 * After W1 the waiter's task cannot return from its call before W3, so its
 * stack is safe to touch; after W3 it is not.
 *
 * Between P2 and C1 the task may already be in another worker's hands: it waits
 * for C1 (sp becomes non-NULL), but only while its own last task is saved;
 * else two workers could wait for each other.  So a parking worker that picks
 * an unsaved task first leaves its own stack for a scheduler loop (P5'), and waits
 * there.
 */
#ifndef LEAT_RT_PARK_H
#define LEAT_RT_PARK_H

#include "rt/idle.h"
#include "rt/scope.h"
#include "rt/task.h"

#include <errno.h>

/* Makes room: half of the deque goes to the injector with t. */
void leat__push_overflow(struct leat__worker *w, struct leat__task *t);
/* What w has popped from its deque and leaves there: a push like any other (I1). */
void leat__put_back(struct leat__worker *w, struct leat__task *t);

struct leat__waiter {
	struct leat__list node;	/* (L: object) self-linked when not queued */
	struct leat__task *task; /* (c) */
	void *elem;		/* (c) to copy from or to; or what the object needs */
	int result;		/* written by the winner of the claim, before W3 */
	uint32_t index;		/* (c) the case of a select; else 0 */
};

/* P1.  Cancelable unless the task is shielded or the caller ignores cancel. */
static inline void leat__arm(struct leat__task *t, bool cancelable)
{
	/* Relaxed: published by the release of the object's lock (P2). */
	leat__store_relaxed(&t->claim, cancelable && t->shield == 0 ? LEAT__CLAIM_CANCELABLE
								     : LEAT__CLAIM_ARMED);
}

/* Whether somebody could claim t now; a snapshot, of another task. */
static inline bool leat__claim_is_open(const struct leat__task *t)
{
	uint32_t c = leat__load_relaxed(&t->claim);

	return c == LEAT__CLAIM_ARMED || c == LEAT__CLAIM_CANCELABLE;
}

/* W1: true if we are the one to wake t; index goes to leat__park's result. */
static inline bool leat__claim(struct leat__task *t, uint32_t how)
{
	uint32_t c = leat__load_relaxed(&t->claim);

	if (c != LEAT__CLAIM_ARMED && c != LEAT__CLAIM_CANCELABLE)
		return false;
	if (LEAT__MUTANT(CLAIM_BY_STORE)) {
		leat__store_relaxed(&t->claim, how);
		return true;
	}
	/* It changes between these two only while the task runs, unarmed. */
	return leat__cas(&t->claim, c, how);
}

/* W1 for an object: claims the task of w for case w->index. */
static inline bool leat__claim_waiter(struct leat__waiter *w)
{
	return leat__claim(w->task, LEAT__CLAIM_DONE + w->index);
}

/* Tasks that were claimed under a lock and are made ready after it, oldest first. */
struct leat__wake {
	struct leat__task *first, *last;
};

/* After everything the task shall find has been written.  W3 follows in leat__wake_all. */
static inline void leat__wake_add(struct leat__wake *wake, struct leat__task *t)
{
	t->next = NULL;
	if (wake->last)
		wake->last->next = t;
	else
		wake->first = t;
	wake->last = t;
}

/* The last of them runs next, if possible. */
void leat__wake_all(struct leat__wake *wake);
/* All behind everything that is queued, as one batch: at most LEAT__WAKE_BATCH of them. */
enum { LEAT__WAKE_BATCH = 128 };
void leat__wake_fifo(struct leat__wake *wake);

/*
 * P3-P6.  Blocks until claimed.  Returns the index of the case (>= 0),
 * -ETIMEDOUT or -ECANCELED.  In task or thread; t is leat__current().
 */
int leat__park(struct leat__task *t, enum leat__why why, const void *object, int64_t deadline);

/* Waits until no thread outside is in leat__ready_elsewhere. */
void leat__park_fini(void);
/* Tasks that may not go into the caller's own queues. */
void leat__ready_elsewhere(struct leat__task *t);

/*
 * W3.  t must have been claimed by the caller; w is the calling worker or NULL.
 * No lock above LEAT__RANK_TIMERS is held.  The task runs next, if possible.
 */
static inline void leat__ready_on(struct leat__worker *w, struct leat__task *t)
{
	struct leat__task *old;

	leat__store_relaxed(&t->state, LEAT__READY);
	if (leat__unlikely(!w || (t->flags & (LEAT__T_FOREIGN | LEAT__T_PINNED)))) {
		leat__ready_elsewhere(t);
		return;
	}
	/* Only we put tasks into our slot: empty now stays empty. */
	if (leat__likely(leat__load_relaxed(&w->lifo) == NULL)) {
		leat__store_release(&w->lifo, t); /* pairs with the CAS of who takes it */
	} else {
		old = leat__exchange(&w->lifo, t);
		if (old && leat__unlikely(!leat__deque_push(&w->deque, old)))
			leat__push_overflow(w, old);
	}
	leat__notify(w);
}

static inline void leat__ready(struct leat__task *t)
{
	leat__ready_on(leat__self(), t);
}

/* The same, behind everything that is queued: for timers, yields and spawns. */
void leat__ready_fifo(struct leat__task *t);

/*
 * What every blocking call does first.  NULL w: a foreign thread.  *ret_t is
 * who blocks.  Returns 0, or -ECANCELED.
 */
#define leat__enter(ret_w, ret_t) leat__enter_in(__func__, (ret_w), (ret_t))
static inline int leat__enter_in(const char *function, struct leat__worker **ret_w,
				 struct leat__task **ret_t)
{
	struct leat__worker *w = leat__self();

	if (leat__likely(w != NULL)) {
		w = leat__budget(w);
		*ret_w = w;
		*ret_t = w->cur;
		return leat__unlikely(leat__is_canceled(w->cur)) ? -ECANCELED : 0;
	}
	*ret_w = NULL;
	*ret_t = leat__current_in(function, NULL);
	return 0;
}

/* The running task goes behind everything that is queued.  w may be another afterwards. */
void leat__yield(struct leat__worker *w);

/* The names of enum leat__why, for dumps. */
extern const char *const leat__why_name[];

/* worker.c: the next task of the worker's own queues, or NULL; may run timers. */
struct leat__task *leat__pick(struct leat__worker *w);
/* The entry of a fresh stack: a scheduler loop. */
void leat__loop_entry(void);
/* Leaves the context in *save_sp for the one in to_sp. */
void leat__switch(void **save_sp, void *to_sp, struct leat__stack *from, struct leat__stack *to);
/* A pooled stack made ready to enter leat__loop_entry. */
void *leat__loop_context(struct leat__stack *s);


#endif
