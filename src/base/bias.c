#include "base/bias.h"

#include <sched.h>

/* The checking build's programs are short: they shall see biased locks, too. */
#ifdef LEAT_CHECKING
enum { LIMIT_MIN = 2 };
#else
enum { LIMIT_MIN = 64 };
#endif
enum { LIMIT_MAX = 4096, SPINS_BEFORE_YIELD = 100 };

/* B7.  The slot's worker leaves soon: a holder never parks. */
static void take_away(struct leat__bias_lock *lock, struct leat__bias_slot *owner)
{
	unsigned spins = 0;

	leat__store_relaxed(&lock->bias, NULL);
	if (!LEAT__MUTANT(BIAS_NO_FENCE))
		leat__fence_heavy(); /* pairs with B3 */
	/* Acquire: pairs with B5; what it did inside is done. */
	while (!LEAT__MUTANT(BIAS_NO_WAIT) && leat__load_acquire(&owner->inside) == lock) {
		leat__cpu_pause();
		if (++spins % SPINS_BEFORE_YIELD == 0)
			sched_yield();
	}
	if (lock->limit < LIMIT_MAX)
		lock->limit *= 4;
}

void leat__bias_acquire_slow(struct leat__bias_lock *lock, struct leat__bias_slot *me,
			     enum leat__rank rank)
{
	uint32_t pauses = leat__lock_acquire(&lock->word, rank); /* B6 */
	struct leat__bias_slot *owner;

	if (me)
		me->paused += pauses;
	if (lock->limit == 0)
		lock->limit = LIMIT_MIN;
	owner = leat__load_relaxed(&lock->bias);
	if (owner) {
		take_away(lock, owner);
		if (me)
			me->revoked++;
	} else if (me && lock->last == me) {
		if (++lock->run >= lock->limit && leat__asymmetric) {
			lock->run = 0;
			leat__store_relaxed(&lock->bias, me); /* B8 */
		}
		return;
	}
	if (me && lock->last)
		me->moved++;
	lock->last = me;
	lock->run = 0;
}
