/*
 * Spin lock of one word, for critical sections of a few dozen instructions.
 * A holder never parks, never calls the user's code, never allocates.
 *
 * Ranks order the locks: a thread may take a lock only if its rank is above
 * those of all locks that it holds.  Debug builds check.
 */
#ifndef LEAT_BASE_LOCK_H
#define LEAT_BASE_LOCK_H

#include "base/atomic.h"

enum leat__rank {
	LEAT__RANK_NONE = 0,
	LEAT__RANK_SIM,		/* simulated network and its events */
	LEAT__RANK_SCOPE,	/* parent before child */
	LEAT__RANK_MEMBERS,	/* the members of one scope */
	LEAT__RANK_OBJECT,	/* channel, semaphore, ...; select: several, by address */
	LEAT__RANK_TIMERS,
	LEAT__RANK_QUEUE,	/* injector, inbox */
	LEAT__RANK_IDLE,
	LEAT__RANK_MEMORY,	/* depots, slabs */
};

struct leat__lock {
	uint32_t word;		/* (a) 0 free, 1 held */
};

/* Takes a lock that is held.  How many pauses that took. */
uint32_t leat__lock_contended(struct leat__lock *lock);

#ifdef LEAT_CHECKS
void leat__rank_push(const struct leat__lock *lock, enum leat__rank rank);
void leat__rank_pop(const struct leat__lock *lock);
#else
#define leat__rank_push(lock, rank) ((void)(lock), (void)(rank))
#define leat__rank_pop(lock) ((void)(lock))
#endif

/* Returns how many pauses it waited. */
static inline uint32_t leat__lock_acquire(struct leat__lock *lock, enum leat__rank rank)
{
	leat__rank_push(lock, rank);
	/* Acquire: pairs with the release in leat__lock_release. */
	if (leat__likely(leat__cas(&lock->word, 0, 1)))
		return 0;
	return leat__lock_contended(lock);
}

static inline void leat__lock_release(struct leat__lock *lock)
{
	leat__rank_pop(lock);
	/* Release: pairs with the acquire of the next holder. */
	leat__store_release(&lock->word, 0);
}

#endif
