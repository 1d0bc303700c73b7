#include "base/lock.h"

#include <sched.h>

#include "base/assert.h"

enum { PAUSES_MAX = 64, ROUNDS_BEFORE_YIELD = 8 };

/*
 * Looks at doubling intervals: a holder that uses the lock again and again does
 * many operations on the lines that it has, instead of one a turn.  Yields the CPU
 * after a while, because the holder may have been preempted.
 */
uint32_t leat__lock_contended(struct leat__lock *lock)
{
	uint32_t pauses = 0, wait = 1, rounds = 0;

	do {
		for (uint32_t i = 0; i < wait; i++)
			leat__cpu_pause();
		pauses += wait;
		if (wait < PAUSES_MAX)
			wait *= 2;
		else if (++rounds > ROUNDS_BEFORE_YIELD)
			sched_yield();
	} while (leat__load_relaxed(&lock->word) != 0 || !leat__cas(&lock->word, 0, 1));
	return pauses;
}

#ifdef LEAT_CHECKS
enum { MAX_HELD = 64 };

struct held {
	unsigned n;
	unsigned unrecorded;	/* held beyond MAX_HELD */
	const struct leat__lock *lock[MAX_HELD];
	enum leat__rank rank[MAX_HELD];
};

#ifdef LEAT_CHECKING
#define held_by_thread() ((struct held *)leat__check_local(sizeof(struct held)))
#else
static __thread struct held held;
#define held_by_thread() (&held)
#endif

/* Not inlined: a task may call it from another thread each time. */
__attribute__((noinline)) void leat__rank_push(const struct leat__lock *lock, enum leat__rank rank)
{
	struct held *h = held_by_thread();

	if (h->n > 0) {
		enum leat__rank top = h->rank[h->n - 1];
		const struct leat__lock *last = h->lock[h->n - 1];
		/* Locks of one rank: by address, or (scopes) from parent to child. */
		if (rank < top || (rank == top && rank != LEAT__RANK_SCOPE && lock <= last))
			leat__fatal("lock %p of rank %d taken while holding %p of rank %d (a bug in leat)",
				    (const void *)lock, rank, (const void *)last, top);
	}
	if (h->n == MAX_HELD) {
		h->unrecorded++;
		return;
	}
	h->lock[h->n] = lock;
	h->rank[h->n++] = rank;
}

__attribute__((noinline)) void leat__rank_pop(const struct leat__lock *lock)
{
	struct held *h = held_by_thread();
	unsigned i = h->n;

	while (i > 0 && h->lock[i - 1] != lock)
		i--;
	if (i == 0 && h->unrecorded > 0) {
		h->unrecorded--;
		return;
	}
	LEAT_CHECK(i > 0);
	for (; i < h->n; i++) {
		h->lock[i - 1] = h->lock[i];
		h->rank[i - 1] = h->rank[i];
	}
	h->n--;
}
#endif
