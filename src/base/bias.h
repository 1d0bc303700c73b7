/*
 * A spin lock that costs no atomic read-modify-write while one worker uses it.
 *
 * Tasks that talk mostly run on one worker, so their channel's lock is taken by
 * that worker over and over; an uncontended lock-prefixed instruction is then
 * the dearest thing that a send does.  A lock that one worker has taken
 * `limit` times in a row is biased to it: from then on that worker enters by a
 * store and a load, and everyone else first takes the bias away.
 *
 * After Kawachiya, Koseki and Onodera, "Lock reservation" (OOPSLA 2002), and
 * Dice, Moir and Scherer's asymmetric fence ("Quickly reacquirable locks", 2003).
 *
 *   enter, biased	B1 bias is my slot
 *			B2 slot.inside = lock
 *			B3 light fence; there is a heavy one, or B8 had given no bias
 *			B4 bias is still my slot: I hold the lock
 *			   else slot.inside = NULL and enter by the word
 *   leave, biased	B5 slot.inside = NULL, release
 *   enter, by the word	B6 take word by CAS
 *			B7 there is a bias: clear it, heavy fence, wait until the
 *			   slot that had it is not inside this lock
 *			B8 none, and I was the last `limit` times, and leat__asymmetric:
 *			   bias = my slot
 *   leave, by the word	B9 word = 0, release
 *
 * Mutual exclusion: by the heavy fence of B7 either the biased worker sees at B4
 * that the bias is gone, or B7 sees it inside and waits for B5 (acquire pairs with
 * release).  Only the holder of word changes bias.  A slot is written by its own
 * worker only, so a late B4 of a former owner disturbs nobody.  A worker
 * is inside one biased lock at a time: who takes several enters by the word
 * (me == NULL).
 *
 * Each time a bias is taken away, the limit grows fourfold, up to what makes the
 * heavy fence cheap: a lock that is really shared is an ordinary spin lock.
 */
#ifndef LEAT_BASE_BIAS_H
#define LEAT_BASE_BIAS_H

#include <stddef.h>

#include "base/lock.h"
#include "base/mutant.h"

struct leat__bias_lock;

/* One per worker, never freed: a lock may outlive the runtime that biased it. */
struct leat__bias_slot {
	__attribute__((aligned(64))) struct leat__bias_lock *inside; /* (a) written by its worker */
	uint32_t moved;		/* (o) locks taken that another worker had last */
	uint32_t revoked;	/* (o) those of them that were biased to it */
	uint32_t paused;	/* (o) pauses in which a lock was waited for */
};

struct leat__bias_lock {
	struct leat__lock word;
	uint32_t run;		/* (L: word) times in a row that last took it */
	struct leat__bias_slot *bias; /* (a) written under word */
	struct leat__bias_slot *last; /* (L: word) */
	uint32_t limit;		/* (L: word) 0: not used yet */
};

/* B6 to B8 */
void leat__bias_acquire_slow(struct leat__bias_lock *lock, struct leat__bias_slot *me,
			     enum leat__rank rank);

/* B1 to B4.  false: the lock is not biased to me, and nothing has been done. */
static inline bool leat__bias_enter(struct leat__bias_lock *lock, struct leat__bias_slot *me,
				    enum leat__rank rank)
{
	if (leat__unlikely(leat__load_relaxed(&lock->bias) != me))		/* B1 */
		return false;
	leat__store_relaxed(&me->inside, lock);				/* B2 */
	leat__fence_compiler();							/* B3 */
	if (leat__likely(leat__load_relaxed(&lock->bias) == me) ||
	    LEAT__MUTANT(BIAS_NO_RECHECK)) {					/* B4 */
		leat__rank_push(&lock->word, rank);
		return true;
	}
	leat__store_release(&me->inside, NULL);
	return false;
}

/* Leaves what leat__bias_enter has entered. */
static inline void leat__bias_leave(struct leat__bias_lock *lock, struct leat__bias_slot *me)
{
	leat__rank_pop(&lock->word);
	leat__store_release(&me->inside, NULL);	/* B5: pairs with B7 */
}

/* me: the calling worker's slot, or NULL. */
static inline void leat__bias_acquire(struct leat__bias_lock *lock, struct leat__bias_slot *me,
				      enum leat__rank rank)
{
	if (leat__unlikely(!me || !leat__bias_enter(lock, me, rank)))
		leat__bias_acquire_slow(lock, me, rank);
}

static inline void leat__bias_release(struct leat__bias_lock *lock, struct leat__bias_slot *me)
{
	if (leat__likely(me && leat__load_relaxed(&me->inside) == lock))
		leat__bias_leave(lock, me);
	else
		leat__lock_release(&lock->word);		/* B9 */
}

#endif
