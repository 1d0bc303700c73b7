/*
 * Weighted semaphore.
 *
 * One word says it all as long as nobody waits: _state >= 0 is the number of
 * free permits, and acquire and release are one CAS each.  _state < 0: somebody
 * waits, ~_state permits are free, and the word changes under the lock only.
 *
 * Invariants, when the lock is free:
 *   - _state < 0 iff there is a waiter in the queue;
 *   - the first waiter wants more than is free, or its claim was won by a
 *     timeout or cancel and its task is on the way to S5;
 *   - with _bypassed < _max_bypass, none of the SCAN waiters behind it wants less
 *     than is free, either; _bypassed counts who overtook the present first one.
 *
 *   acquire	S1 _state >= n: CAS it to _state - n; done
 *		S2 lock.  Once more, now also past the first waiter if the bypass
 *		   allows; else mark: CAS _state to ~_state
 *		S3 append a waiter, arm, unlock, park (P1-P3)
 *		S4 claimed: the permits are ours, taken by who claimed us
 *		S5 timeout or cancel: lock, take the waiter out, serve, unlock
 *   release	S6 _state >= 0: CAS it to _state + n; done
 *		S7 lock, add, serve, unlock, make ready (W1-W3)
 *   serve	S8 while the first waiter fits: claim it, take its permits
 *		S9 then those behind it, as far as the bypass allows
 *		S10 nobody waits any more: _state = free permits, else ~that
 * S5 serves because the first waiter may have been all that was in the way.
 * S1 and S6 fail against the mark of S2, so a release is either seen by S2 or sees
 * the waiter.
 *
 * Loads of _state are relaxed: without the mark a CAS looks again; with it the word
 * changes under the lock.
 */
#include <errno.h>

#include "rt/look.h"
#include "rt/spawn.h"
#include "sync/waitq.h"

/* How many waiters a release may look at behind the first one. */
enum { SCAN = 64 };

static inline int64_t weight(const struct leat__waiter *w)
{
	return (int64_t)(intptr_t)w->elem;
}

static inline struct leat__waiter waiter_of(struct leat__task *t, int64_t n)
{
	return (struct leat__waiter){ .task = t, .elem = (void *)(intptr_t)n };
}

void leat_sem_init(leat_sem *sem, int64_t n, uint32_t max_bypass)
{
	if (!sem)
		leat__misuse(sem, "the semaphore is NULL; give it memory");
	if (n < 0)
		leat__misuse(sem, "%lld permits; give it 0 or more", (long long)n);
	*sem = (leat_sem){ ._state = n, ._size = n, ._max_bypass = max_bypass };
}

static inline void check(const char *function, const leat_sem *sem, int64_t n)
{
	leat__check_fork(function, sem);
	if (leat__unlikely(!sem))
		leat__misuse_at(function, sem, "the semaphore is NULL; make it with leat_sem_init");
	if (leat__unlikely(n < 0))
		leat__misuse_at(function, sem, "%lld permits; ask for 0 or more", (long long)n);
}

/* S1.  The CAS acquires what the release of the permits, S6, has published. */
static inline bool take(leat_sem *sem, int64_t n)
{
	int64_t s = leat__load_relaxed(&sem->_state);

	while (s >= n) {
		if (leat__likely(leat__cas(&sem->_state, s, s - n)))
			return true;
		s = leat__load_relaxed(&sem->_state);
	}
	return false;
}

/* S2 */
static bool take_locked(leat_sem *sem, int64_t n, bool mark)
{
	for (;;) {
		int64_t s = leat__load_relaxed(&sem->_state);

		if (s < 0) {
			if (~s < n || sem->_bypassed >= sem->_max_bypass)
				return false;
			sem->_bypassed++;
			leat__store_relaxed(&sem->_state, ~(~s - n));
			return true;
		}
		if (s >= n) {
			if (leat__cas(&sem->_state, s, s - n))
				return true;
		} else if (!mark || leat__cas(&sem->_state, s, ~s)) {
			sem->_bypassed = 0;
			return false;
		}
	}
}

/* S9: returns what is left. */
static int64_t serve_behind(leat_sem *sem, int64_t left, struct leat__wakes *wakes)
{
	struct leat__waiter *w = leat__waitq_next(leat__waitq_first(&sem->_waiters)), *next;

	for (int i = 0; w && i < SCAN && sem->_bypassed < sem->_max_bypass; i++, w = next) {
		int64_t n = weight(w);

		next = leat__waitq_next(w);
		if (n > left || !leat__waitq_claim(&sem->_waiters, w, wakes))
			continue;
		leat__wakes_add(wakes, w->task);
		left -= n;
		sem->_bypassed++;
	}
	return left;
}

/* S8 to S10.  Under the lock, with the mark. */
static void serve(leat_sem *sem, struct leat__wakes *wakes)
{
	int64_t left = ~leat__load_relaxed(&sem->_state);
	struct leat__waiter *w;

	while ((w = leat__waitq_first(&sem->_waiters)) != NULL && weight(w) <= left) {
		int64_t n = weight(w);

		sem->_bypassed = 0;
		if (leat__waitq_claim(&sem->_waiters, w, wakes)) {
			leat__wakes_add(wakes, w->task);
			left -= n;
		}
	}
	if (w && sem->_max_bypass > 0)
		left = serve_behind(sem, left, wakes);
	LEAT_DEBUG_CHECK(left >= 0 && left <= sem->_size && (!w || weight(w) > left));
	/* Release: pairs with the CAS of S1. */
	leat__store_release(&sem->_state, w ? ~left : left);		/* S10 */
}

/* S5 */
static void leave(leat_sem *sem, struct leat__waiter *w)
{
	struct leat__wakes wakes = { 0 };

	leat__waitq_lock(&sem->_waiters);
	if (w->node.next != &w->node) {
		if (leat__waitq_first(&sem->_waiters) == w)
			sem->_bypassed = 0;
		leat__waitq_remove(&sem->_waiters, w);
		if (!LEAT__MUTANT(SEM_FRONT_CANCEL) || leat__waitq_is_empty(&sem->_waiters))
			serve(sem, &wakes);
	}
	leat__waitq_unlock(&sem->_waiters);
	leat__wakes_run(&wakes);
}

/* S2 to S5 */
static __attribute__((noinline)) int acquire_slow(leat_sem *sem, int64_t n, struct leat__task *me,
						  int64_t deadline)
{
	struct leat__waiter w = waiter_of(me, n);
	int r;

	leat__list_init(&w.node);
	leat__waitq_lock(&sem->_waiters);
	if (n > sem->_size) {
		/* It can never be had: nobody queues behind it. */
		leat__arm(me, !(me->flags & LEAT__T_FOREIGN));
	} else {
		if (take_locked(sem, n, true)) {
			leat__waitq_unlock(&sem->_waiters);
			return 0;
		}
		leat__waitq_block(&sem->_waiters, &w, true);
	}
	leat__waitq_unlock(&sem->_waiters);
	r = leat__park(me, LEAT__WHY_SEM, sem, deadline);
	if (r < 0)
		leave(sem, &w);
	return r;
}

static inline int acquire(leat_sem *sem, int64_t n, int64_t deadline)
{
	struct leat__worker *w;
	struct leat__task *me;
	int r = leat__enter(&w, &me);

	if (leat__unlikely(r < 0))
		return r;
	if (leat__likely(take(sem, n)))
		return 0;
	return acquire_slow(sem, n, me, deadline);
}

int leat_sem_acquire(leat_sem *sem, int64_t n)
{
	check(__func__, sem, n);
	return acquire(sem, n, LEAT_FOREVER);
}

int leat_sem_acquire_until(leat_sem *sem, int64_t n, int64_t deadline)
{
	check(__func__, sem, n);
	return acquire(sem, n, deadline);
}

int leat_sem_try_acquire(leat_sem *sem, int64_t n)
{
	bool ok;

	check(__func__, sem, n);
	if (take(sem, n))
		return 0;
	if (sem->_max_bypass == 0)
		return -EAGAIN;
	leat__waitq_lock(&sem->_waiters);
	ok = take_locked(sem, n, false);
	leat__waitq_unlock(&sem->_waiters);
	return ok ? 0 : -EAGAIN;
}

static inline void check_release(const leat_sem *sem, int64_t n, int64_t available)
{
	int64_t taken = sem->_size - available;

	if (leat__unlikely(n > taken))
		leat__misuse_at("leat_sem_release", sem,
				"%lld permits released, but only %lld are taken; "
				"release what was acquired, once",
				(long long)n, (long long)taken);
}

/* S7 */
static __attribute__((noinline)) void release_slow(leat_sem *sem, int64_t n)
{
	struct leat__wakes wakes = { 0 };

	leat__waitq_lock(&sem->_waiters);
	for (;;) {
		int64_t s = leat__load_relaxed(&sem->_state);

		check_release(sem, n, s >= 0 ? s : ~s);
		if (s >= 0) {
			if (leat__cas(&sem->_state, s, s + n))
				break;
		} else {
			leat__store_relaxed(&sem->_state, ~(~s + n));
			serve(sem, &wakes);
			break;
		}
	}
	leat__waitq_unlock(&sem->_waiters);
	leat__wakes_run(&wakes);
}

void leat_sem_release(leat_sem *sem, int64_t n)
{
	int64_t s;

	check(__func__, sem, n);
	s = leat__load_relaxed(&sem->_state);
	if (leat__likely(s >= 0)) {
		check_release(sem, n, s);
		if (leat__likely(leat__cas(&sem->_state, s, s + n))) /* S6: pairs with S1 */
			return;
	}
	release_slow(sem, n);
}

int64_t leat_sem_available(const leat_sem *sem)
{
	int64_t s;

	check(__func__, sem, 0);
	s = leat__load_relaxed(&sem->_state);
	return s >= 0 ? s : ~s;
}

/* An acquire without a stack. */
struct on_acquire {
	struct leat__waiter waiter;
	leat_sem *sem;
	int (*fn)(void *arg);
	void *arg;
};

static int on_acquire_run(void *args)
{
	struct on_acquire *o = args;

	/* Also waits until leat_sem_on_acquire has let go of the record. */
	leave(o->sem, &o->waiter);
	if (leat__load_acquire(&o->waiter.task->claim) == LEAT__CLAIM_CANCELED)
		return -ECANCELED; /* fn has not run: no success, and no result */
	return o->fn(o->arg);
}

static const leat_task_type on_acquire_type = { "leat_sem_on_acquire", on_acquire_run, 0 };

int leat_sem_on_acquire(leat_sem *sem, int64_t n, leat_group *group, int (*fn)(void *arg),
			void *arg)
{
	struct leat__task *t;
	struct on_acquire *o;
	bool mine;
	int r;

	check(__func__, sem, n);
	if (!fn)
		leat__misuse(sem, "fn is NULL; give it a function that takes over the permits");
	if (!leat__rt)
		leat__misuse(sem, "no runtime is running; call it inside leat_run or LEAT_MAIN");
	t = leat__wait_create(group ? leat__scope_of(group) : leat__rt->root, &on_acquire_type,
			      sizeof(*o), LEAT__WHY_ON_ACQUIRE, &r);
	if (!t)
		return r;
	o = leat__args(t);
	o->waiter = waiter_of(t, n);
	leat__list_init(&o->waiter.node);
	o->sem = sem;
	o->fn = fn;
	o->arg = arg;
	leat__waitq_lock(&sem->_waiters);
	mine = n <= sem->_size && take_locked(sem, n, true);
	if (!mine) {
		if (n <= sem->_size)
			leat__waitq_append(&sem->_waiters, &o->waiter);
		mine = leat__wait_arm(t);
	}
	leat__waitq_unlock(&sem->_waiters);
	if (mine)
		leat__ready_fifo(t);
	return 0;
}

/*
 * For dumps.
 */

static void describe(struct leat__look *l, const void *object)
{
	leat_sem sem;

	leat__say(l, " %p", object);
	if (leat__look_at(l, &sem, (const leat_sem *)object))
		leat__say(l, " (%lld of %lld free)",
			  (long long)(sem._state >= 0 ? sem._state : ~sem._state),
			  (long long)sem._size);
}

static void describe_on_acquire(struct leat__look *l, const void *args)
{
	struct on_acquire o;

	if (leat__look_at(l, &o, (const struct on_acquire *)args))
		describe(l, o.sem);
}

__attribute__((constructor)) static void set_kinds(void)
{
	static const struct leat__kind acquire = { describe, NULL, NULL };
	static const struct leat__kind on_acquire = { describe_on_acquire, NULL, NULL };

	leat__kind_set(LEAT__WHY_SEM, &acquire);
	leat__kind_set(LEAT__WHY_ON_ACQUIRE, &on_acquire);
}
