/*
 * The run queue of a worker: a bounded work-stealing deque of pointers.
 *
 * Chase and Lev, "Dynamic circular work-stealing deque" (SPAA 2005), in the
 * form that Lê, Pop, Cohen and Zappa Nardelli proved (PPoPP 2013), without
 * growth: the worker puts the overflow elsewhere.
 *
 * The owner pushes at bottom, pops at bottom (last in, first out: joins), and
 * takes at top (first in, first out: the scheduler) just as a thief does.
 * Thieves take at top, one element per CAS; half a queue is a loop of those.
 *
 * Invariants: bottom - CAP <= top <= bottom, except that bottom may be
 * top - 1 while pop runs.  Only the owner writes bottom and the slots.  top only
 * grows.  Element i of [top, bottom) is in slot[i % CAP].
 *
 *   push	D1 slot = x
 *		D2 bottom = b + 1, release
 *   pop	D3 bottom = b - 1
 *		D4 full fence: D3 before D5
 *		D5 read top; below b - 1: the element is ours
 *		D6 equal: the last element; CAS top to win it against thieves
 *   steal	D7 read top, acquire
 *		D8 full fence: D7 before D9
 *		D9 read bottom, acquire; pairs with D2
 *		D10 read slot
 *		D11 CAS top: wins the element, or someone else did
 */
#ifndef LEAT_BASE_DEQUE_H
#define LEAT_BASE_DEQUE_H

#include "base/atomic.h"
#include "base/mutant.h"

enum { LEAT__DEQUE_CAP = 256 };

struct leat__deque {
	/* (a) written by owner and thieves */
	__attribute__((aligned(64))) uint32_t top;
	/* (a) written by the owner */
	__attribute__((aligned(64))) uint32_t bottom;
	void *slot[LEAT__DEQUE_CAP];
};

static inline uint32_t leat__deque_len(struct leat__deque *d)
{
	int32_t n = (int32_t)(leat__load_relaxed(&d->bottom) - leat__load_relaxed(&d->top));

	return n > 0 ? (uint32_t)n : 0;
}

/* Owner.  False when it is full. */
static inline bool leat__deque_push(struct leat__deque *d, void *x)
{
	uint32_t b = leat__load_relaxed(&d->bottom); /* only we write it */

	/* Acquire: pairs with D11; a slot is reused only after it was read. */
	if (leat__unlikely(b - leat__load_acquire(&d->top) >= LEAT__DEQUE_CAP))
		return false;
	if (LEAT__MUTANT(DEQUE_BOTTOM_FIRST))
		leat__store_release(&d->bottom, b + 1);
	leat__store_relaxed(&d->slot[b % LEAT__DEQUE_CAP], x);	/* D1 */
	leat__store_release(&d->bottom, b + 1);			/* D2 */
	return true;
}

/* Owner.  The newest element, or NULL. */
static inline void *leat__deque_pop(struct leat__deque *d)
{
	uint32_t b = leat__load_relaxed(&d->bottom) - 1;
	uint32_t t;
	void *x = (void *)0;

	leat__store_relaxed(&d->bottom, b);			/* D3 */
	if (!LEAT__MUTANT(DEQUE_NO_FENCE))
		leat__fence_full();				/* D4 */
	t = leat__load_relaxed(&d->top);			/* D5 */
	if ((int32_t)(b - t) < 0) {
		leat__store_relaxed(&d->bottom, b + 1);
		return (void *)0;
	}
	x = leat__load_relaxed(&d->slot[b % LEAT__DEQUE_CAP]);
	if (b == t) {
		if (!leat__cas(&d->top, t, t + 1) &&		/* D6 */
		    !LEAT__MUTANT(DEQUE_LAST_WITHOUT_CAS))
			x = (void *)0;
		leat__store_relaxed(&d->bottom, b + 1);
	}
	return x;
}

/*
 * Anyone.  The oldest element, or NULL: empty, or lost a race (then *lost is
 * set and it is worth another try).
 */
static inline void *leat__deque_steal(struct leat__deque *d, bool *lost)
{
	uint32_t early = LEAT__MUTANT(DEQUE_NO_STEAL_FENCE) ? leat__load_relaxed(&d->bottom) : 0;
	uint32_t t = leat__load_acquire(&d->top);		/* D7 */
	uint32_t b;
	void *x;

	leat__fence_full();					/* D8 */
	b = leat__load_acquire(&d->bottom);			/* D9 */
	if (LEAT__MUTANT(DEQUE_NO_STEAL_FENCE))
		b = early;	/* what x86 does not do, but aarch64: D9 before D7 */
	if ((int32_t)(b - t) <= 0)
		return (void *)0;
	x = leat__load_relaxed(&d->slot[t % LEAT__DEQUE_CAP]);	/* D10 */
	if (LEAT__MUTANT(DEQUE_STEAL_BY_STORE)) {
		leat__store_release(&d->top, t + 1);
		return x;
	}
	if (leat__cas(&d->top, t, t + 1))			/* D11 */
		return x;
	*lost = true;
	return (void *)0;
}

/* Owner.  The oldest element, or NULL.  Needs no D8: bottom is our own. */
static inline void *leat__deque_take(struct leat__deque *d)
{
	uint32_t b = leat__load_relaxed(&d->bottom);

	for (;;) {
		uint32_t t = leat__load_acquire(&d->top);
		void *x;

		if ((int32_t)(b - t) <= 0)
			return (void *)0;
		x = leat__load_relaxed(&d->slot[t % LEAT__DEQUE_CAP]);
		if (leat__likely(leat__cas(&d->top, t, t + 1)))
			return x;
	}
}

#endif
