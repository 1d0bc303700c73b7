/*
 * Barrier.  All under the queue's lock; _arrived is the length of the queue.
 *
 *   wait	B1 lock; the last to come: _arrived = 0, next round, claim all, unlock,
 *		   make them ready; done
 *		B2 else count, append a waiter, arm, unlock, park
 *		B3 timeout or cancel: lock; the round is over: we were counted, so it is
 *		   a success; else take the waiter out, uncount; unlock
 * B3: whether a caller was counted is decided by the lock and not by the claim.
 * Else the last to come could count on one that has just timed out.
 */
#include <errno.h>

#include "rt/look.h"
#include "sync/waitq.h"

void leat_barrier_init(leat_barrier *barrier, uint32_t n)
{
	if (!barrier)
		leat__misuse(barrier, "the barrier is NULL; give it memory");
	if (n == 0)
		leat__misuse(barrier, "it is for 0 parties; give it 1 or more");
	*barrier = (leat_barrier){ ._parties = n };
}

/* B1 */
static void next_round(leat_barrier *b, struct leat__wakes *wakes)
{
	b->_arrived = 0;
	b->_round++;
	leat__waitq_claim_all(&b->_waiters, wakes);
	LEAT_DEBUG_CHECK(leat__waitq_is_empty(&b->_waiters));
}

/* B3 */
static int leave(leat_barrier *b, struct leat__waiter *w, uint64_t round, int r)
{
	leat__waitq_lock(&b->_waiters);
	if (b->_round != round) {
		r = 0;
	} else {
		b->_arrived--;
		leat__waitq_remove(&b->_waiters, w);
	}
	leat__waitq_unlock(&b->_waiters);
	return r;
}

static int wait(leat_barrier *b, int64_t deadline, const char *function)
{
	struct leat__wakes wakes = { 0 };
	struct leat__waiter w = { 0 };
	struct leat__worker *worker;
	uint64_t round;
	int r;

	leat__check_fork(function, b);
	if (leat__unlikely(!b))
		leat__misuse_at(function, b, "the barrier is NULL; make it with leat_barrier_init");
	r = leat__enter(&worker, &w.task);
	if (r < 0)
		return r;
	leat__waitq_lock(&b->_waiters);
	if (b->_arrived + 1 == b->_parties) {
		next_round(b, &wakes);
		leat__waitq_unlock(&b->_waiters);
		leat__wakes_run(&wakes);
		return 1;
	}
	b->_arrived++;
	round = b->_round;
	leat__waitq_block(&b->_waiters, &w, true);		/* B2 */
	leat__waitq_unlock(&b->_waiters);
	r = leat__park(w.task, LEAT__WHY_BARRIER, b, deadline);
	return r < 0 ? leave(b, &w, round, r) : 0;
}

int leat_barrier_wait(leat_barrier *barrier)
{
	return wait(barrier, LEAT_FOREVER, __func__);
}

int leat_barrier_wait_until(leat_barrier *barrier, int64_t deadline)
{
	return wait(barrier, deadline, __func__);
}

/*
 * For dumps.
 */

static void describe(struct leat__look *l, const void *object)
{
	leat_barrier b;

	leat__say(l, " %p", object);
	if (leat__look_at(l, &b, (const leat_barrier *)object))
		leat__say(l, " (%u of %u there)", b._arrived, b._parties);
}

__attribute__((constructor)) static void set_kind(void)
{
	static const struct leat__kind kind = { describe, NULL, NULL };

	leat__kind_set(LEAT__WHY_BARRIER, &kind);
}
