/*
 * Once.  _state: 0, then the address of the task that runs fn, then DONE.
 *
 *   do		O1 _state is DONE (acquire, pairs with O4): done
 *		O2 CAS 0 to me: run fn
 *		O3 lock the queue
 *		O4 _state = DONE, claim all waiters; unlock; make them ready
 *   others	O5 lock the queue; DONE: unlock, done
 *		O6 append a waiter, arm, unlock, park
 */
#include "rt/look.h"
#include "sync/waitq.h"

enum { DONE = 1 };

static void run(leat_once *once, void (*fn)(void *arg), void *arg)
{
	struct leat__wakes wakes = { 0 };

	fn(arg);
	leat__waitq_lock(&once->_waiters);
	leat__store_release(&once->_state, DONE);		/* O4 */
	leat__waitq_claim_all(&once->_waiters, &wakes);
	leat__waitq_unlock(&once->_waiters);
	leat__wakes_run(&wakes);
}

static void wait(leat_once *once, struct leat__task *me)
{
	struct leat__waiter w = { .task = me };

	leat__waitq_lock(&once->_waiters);			/* O5 */
	/* Relaxed: written under the lock. */
	if (leat__load_relaxed(&once->_state) == DONE) {
		leat__waitq_unlock(&once->_waiters);
		return;
	}
	leat__waitq_block(&once->_waiters, &w, false);		/* O6 */
	leat__waitq_unlock(&once->_waiters);
	leat__park(me, LEAT__WHY_ONCE, once, LEAT_FOREVER);
}

void leat_once_do(leat_once *once, void (*fn)(void *arg), void *arg)
{
	struct leat__worker *w;
	struct leat__task *me;

	leat__check_fork(__func__, once);
	if (leat__unlikely(!once))
		leat__misuse(once, "the leat_once is NULL; give it memory and LEAT_ONCE_INIT");
	if (leat__unlikely(!fn))
		leat__misuse(once, "fn is NULL; give it the function to run");
	if (leat__likely(leat__load_acquire(&once->_state) == DONE)) /* O1 */
		return;
	(void)leat__enter(&w, &me); /* ignores a cancel */
	if (leat__cas(&once->_state, 0, (uint64_t)(uintptr_t)me)) { /* O2 */
		run(once, fn, arg);
		return;
	}
	/* Relaxed: only we can have put ourselves there. */
	if (leat__load_relaxed(&once->_state) == (uint64_t)(uintptr_t)me)
		leat__misuse(once,
			     "called by the function that it runs, in '%s' (%llu), "
			     "which would wait for itself; call what you need directly",
			     leat__task_name_of(me), (unsigned long long)me->id);
	wait(once, me);
}

/*
 * For dumps.
 */

static const struct leat__task *runner_at(struct leat__look *l, const void *object)
{
	leat_once once;

	if (!leat__look_at(l, &once, (const leat_once *)object) || once._state == DONE)
		return NULL;
	return (const struct leat__task *)(uintptr_t)once._state;
}

static void describe(struct leat__look *l, const void *object)
{
	const struct leat__task *runner = runner_at(l, object);

	leat__say(l, " %p", object);
	if (runner) {
		leat__say(l, " run by ");
		leat__say_task_at(l, runner);
	}
}

__attribute__((constructor)) static void set_kind(void)
{
	static const struct leat__kind kind = { describe, runner_at, "run by" };

	leat__kind_set(LEAT__WHY_ONCE, &kind);
}
