/*
 * What conditions know of a mutex.
 */
#ifndef LEAT_SYNC_MUTEX_H
#define LEAT_SYNC_MUTEX_H

#include "sync/waitq.h"

/* leat__waiter.result of who waits for a mutex. */
enum {
	LEAT__MUTEX_WOKEN = 1,	/* to the waiter: take it; nobody else is woken meanwhile */
	LEAT__MUTEX_OWNED,	/* to the waiter: it is yours */
	LEAT__MUTEX_STARVES,	/* to the unlock: hand it over to me */
};

bool leat__mutex_is_held_by(const leat_mutex *mutex, const struct leat__task *t);

/* Unlock, called for function: it is in the message. */
void leat__mutex_unlock(leat_mutex *mutex, struct leat__task *me, const char *function);

/*
 * From M3 on.  woken: w was claimed with LEAT__MUTEX_WOKEN.  0 or -ETIMEDOUT.
 * Ignores cancellation.
 */
int leat__mutex_wait(leat_mutex *mutex, struct leat__waiter *w, bool woken, int64_t deadline);

/*
 * M9: w, which the caller has claimed in the queue of a condition, shall get the
 * mutex: it is woken if the mutex is free, else it waits in line.  Then its elem is
 * NULL and it is armed again, so that a deadline set before can still come.
 */
void leat__mutex_requeue(leat_mutex *mutex, struct leat__waiter *w);

#endif
