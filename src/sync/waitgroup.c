/*
 * Wait-group.  _count >= 0: the count, and nobody waits.  _count < 0: somebody
 * waits, and the count is ~_count, above 0.
 *
 *   add	G1 the new count is not 0, or nobody waits: CAS; done
 *		G2 lock the queue; the new count is 0 and somebody waits: CAS to 0, claim
 *		   all; unlock; make them ready
 *   wait	G3 _count is 0 (acquire, pairs with G1 and G2): done
 *		G4 lock the queue; not 0: CAS to the same, marked
 *		G5 append a waiter, arm, unlock, park
 *		G6 timeout or cancel: lock, take the waiter out, unlock
 * The mark stays when the last waiter has left by G6: G2 then claims nobody.
 * 0 is reached and all waiters are claimed under one hold of the lock, so an add
 * that follows cannot mix up two rounds.
 */
#include <errno.h>

#include "rt/look.h"
#include "sync/waitq.h"

static inline int64_t count_of(int64_t state)
{
	return state >= 0 ? state : ~state;
}

/* G1, G2: one try, from state to the count n.  True: done. */
static bool change(leat_waitgroup *wg, int64_t state, int64_t n)
{
	struct leat__wakes wakes = { 0 };
	bool ok;

	if (leat__likely(state >= 0))
		return leat__cas(&wg->_count, state, n);
	if (n != 0)
		return leat__cas(&wg->_count, state, ~n);
	leat__waitq_lock(&wg->_waiters);
	ok = leat__cas(&wg->_count, state, 0);
	if (ok)
		leat__waitq_claim_all(&wg->_waiters, &wakes);
	leat__waitq_unlock(&wg->_waiters);
	leat__wakes_run(&wakes);
	return ok;
}

static inline void check(const char *function, const leat_waitgroup *wg)
{
	leat__check_fork(function, wg);
	if (leat__unlikely(!wg))
		leat__misuse_at(function, wg,
				"the wait-group is NULL; give it memory and LEAT_WAITGROUP_INIT");
}

static void add(leat_waitgroup *wg, int64_t n, const char *function)
{
	int64_t state, count, sum;

	check(function, wg);
	do {
		/* Relaxed: the CAS looks again. */
		state = leat__load_relaxed(&wg->_count);
		count = count_of(state);
		if (leat__unlikely(__builtin_add_overflow(count, n, &sum) || sum < 0))
			leat__misuse_at(function, wg,
					"count %lld plus %lld is out of range; "
					"add before, and done once for each",
					(long long)count, (long long)n);
	} while (leat__unlikely(!change(wg, state, sum)));
}

void leat_waitgroup_add(leat_waitgroup *wg, int64_t n)
{
	add(wg, n, __func__);
}

void leat_waitgroup_done(leat_waitgroup *wg)
{
	add(wg, -1, __func__);
}

/* G4: true if there is something to wait for. */
static bool mark(leat_waitgroup *wg)
{
	for (;;) {
		int64_t state = leat__load_acquire(&wg->_count);

		if (state == 0)
			return false;
		if (state < 0 || leat__cas(&wg->_count, state, ~state))
			return true;
	}
}

static int wait(leat_waitgroup *wg, int64_t deadline, const char *function)
{
	struct leat__waiter w = { 0 };
	struct leat__worker *worker;
	int r;

	check(function, wg);
	r = leat__enter(&worker, &w.task);
	if (r < 0 || leat__load_acquire(&wg->_count) == 0) /* G3 */
		return r;
	leat__waitq_lock(&wg->_waiters);
	if (!mark(wg)) {
		leat__waitq_unlock(&wg->_waiters);
		return 0;
	}
	leat__waitq_block(&wg->_waiters, &w, true);		/* G5 */
	leat__waitq_unlock(&wg->_waiters);
	r = leat__park(w.task, LEAT__WHY_WAITGROUP, wg, deadline);
	if (r < 0)
		leat__waitq_leave(&wg->_waiters, &w);		/* G6 */
	return r;
}

int leat_waitgroup_wait(leat_waitgroup *wg)
{
	return wait(wg, LEAT_FOREVER, __func__);
}

int leat_waitgroup_wait_until(leat_waitgroup *wg, int64_t deadline)
{
	return wait(wg, deadline, __func__);
}

/*
 * For dumps.
 */

static void describe(struct leat__look *l, const void *object)
{
	leat_waitgroup wg;

	leat__say(l, " %p", object);
	if (leat__look_at(l, &wg, (const leat_waitgroup *)object))
		leat__say(l, " (count %lld)", (long long)count_of(wg._count));
}

__attribute__((constructor)) static void set_kind(void)
{
	static const struct leat__kind kind = { describe, NULL, NULL };

	leat__kind_set(LEAT__WHY_WAITGROUP, &kind);
}
