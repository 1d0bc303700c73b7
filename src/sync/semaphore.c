/*
 * Weighted semaphore.
 *
 * All under one lock, which is biased (base/bias.h): while one worker alone uses the
 * semaphore, an acquire and its release cost no atomic read-modify-write.  (One
 * word and a compare-and-swap for each would be three times as dear then.)
 *
 * Invariants, when the lock is free:
 *   - the first waiter wants more than is free, or its claim was won by a
 *     timeout or cancel and its task is on the way to S4;
 *   - with _bypassed < _max_bypass, none of the SCAN waiters behind it wants less
 *     than is free, either; _bypassed counts who overtook the present first one.
 *
 *   acquire	S1 lock.  Nobody waits, or the bypass allows it, and n are free: take
 *		   them, unlock, done
 *		S2 append a waiter, arm, unlock, park (P1-P3)
 *		S3 claimed: the permits are ours, taken by who claimed us
 *		S4 timeout or cancel: lock, take the waiter out, serve, unlock
 *   release	S5 lock, add, serve, unlock, make ready (W1-W3)
 *   serve	S6 while the first waiter fits: claim it, take its permits
 *		S7 then those behind it, as far as the bypass allows
 * S4 serves because the first waiter may have been all that was in the way.
 */
#include <errno.h>

#include "base/bias.h"
#include "rt/look.h"
#include "rt/spawn.h"
#include "sync/waitq.h"

/* How many waiters a release may look at behind the first one. */
enum { SCAN = 64 };

_Static_assert(sizeof(struct leat__biased) == sizeof(struct leat__bias_lock), "one is the other");

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
	*sem = (leat_sem){ ._free = n, ._size = n, ._max_bypass = max_bypass };
}

static inline void check(const char *function, const leat_sem *sem, int64_t n)
{
	leat__check_fork(function, sem);
	if (leat__unlikely(!sem))
		leat__misuse_at(function, sem, "the semaphore is NULL; make it with leat_sem_init");
	if (leat__unlikely(n < 0))
		leat__misuse_at(function, sem, "%lld permits; ask for 0 or more", (long long)n);
}

/* w: the calling worker or NULL; the same for both. */
static inline void lock(leat_sem *sem, struct leat__worker *w)
{
	leat__bias_acquire((struct leat__bias_lock *)&sem->_lock, w ? w->slot : NULL,
			   LEAT__RANK_OBJECT);
}

static inline void unlock(leat_sem *sem, struct leat__worker *w)
{
	leat__bias_release((struct leat__bias_lock *)&sem->_lock, w ? w->slot : NULL);
}

/* Under the lock; others only look. */
static inline void set_free(leat_sem *sem, int64_t n)
{
	leat__store_relaxed(&sem->_free, n);
}

/* S1 */
static inline bool take(leat_sem *sem, int64_t n)
{
	if (sem->_free < n)
		return false;
	if (leat__unlikely(!leat__waitq_is_empty(&sem->_waiters))) {
		if (sem->_bypassed >= sem->_max_bypass)
			return false;
		sem->_bypassed++;
	}
	set_free(sem, sem->_free - n);
	return true;
}

/* S2, without the arming. */
static void append(leat_sem *sem, struct leat__waiter *w)
{
	if (leat__waitq_is_empty(&sem->_waiters))
		sem->_bypassed = 0;
	leat__waitq_append(&sem->_waiters, w);
}

/* S7 */
static void serve_behind(leat_sem *sem, struct leat__wakes *wakes)
{
	struct leat__waiter *w = leat__waitq_next(leat__waitq_first(&sem->_waiters)), *next;

	for (int i = 0; w && i < SCAN && sem->_bypassed < sem->_max_bypass; i++, w = next) {
		int64_t n = weight(w);

		next = leat__waitq_next(w);
		if (n > sem->_free || !leat__waitq_claim(&sem->_waiters, w, wakes))
			continue;
		leat__wakes_add(wakes, w->task);
		set_free(sem, sem->_free - n);
		sem->_bypassed++;
	}
}

/* S6 and S7 */
static __attribute__((noinline)) void serve(leat_sem *sem, struct leat__wakes *wakes)
{
	struct leat__waiter *w;

	while ((w = leat__waitq_first(&sem->_waiters)) != NULL && weight(w) <= sem->_free) {
		int64_t n = weight(w);

		sem->_bypassed = 0;
		if (leat__waitq_claim(&sem->_waiters, w, wakes)) {
			leat__wakes_add(wakes, w->task);
			set_free(sem, sem->_free - n);
		}
	}
	if (w && sem->_max_bypass > 0)
		serve_behind(sem, wakes);
}

/* S4 */
static void leave(leat_sem *sem, struct leat__waiter *waiter)
{
	struct leat__worker *w = leat__self();
	struct leat__wakes wakes = { 0 };

	lock(sem, w);
	if (waiter->node.next != &waiter->node) {
		if (leat__waitq_first(&sem->_waiters) == waiter)
			sem->_bypassed = 0;
		leat__waitq_remove(&sem->_waiters, waiter);
		if (!LEAT__MUTANT(SEM_FRONT_CANCEL) || leat__waitq_is_empty(&sem->_waiters))
			serve(sem, &wakes);
	}
	unlock(sem, w);
	leat__wakes_run(&wakes);
}

/* S2 to S4, with the lock held by w. */
static __attribute__((noinline)) int wait_for(leat_sem *sem, int64_t n, struct leat__worker *w,
					      struct leat__task *me, int64_t deadline)
{
	struct leat__waiter waiter = waiter_of(me, n);
	int r;

	leat__list_init(&waiter.node);
	if (n <= sem->_size)
		append(sem, &waiter);
	/* else it can never be had: nobody queues behind it. */
	leat__arm(me, !(me->flags & LEAT__T_FOREIGN));
	unlock(sem, w);
	r = leat__park(me, LEAT__WHY_SEM, sem, deadline);
	if (r < 0)
		leave(sem, &waiter);
	return r;
}

static inline int acquire(leat_sem *sem, int64_t n, int64_t deadline)
{
	struct leat__worker *w;
	struct leat__task *me;
	int r = leat__enter(&w, &me);

	if (leat__unlikely(r < 0))
		return r;
	lock(sem, w);
	if (leat__unlikely(!take(sem, n)))
		return wait_for(sem, n, w, me, deadline);
	unlock(sem, w);
	return 0;
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
	struct leat__worker *w;
	bool ok;

	check(__func__, sem, n);
	w = leat__self();
	lock(sem, w);
	ok = take(sem, n);
	unlock(sem, w);
	return ok ? 0 : -EAGAIN;
}

static inline void check_release(const leat_sem *sem, int64_t n)
{
	int64_t taken = sem->_size - sem->_free;

	if (leat__unlikely(n > taken))
		leat__misuse_at("leat_sem_release", sem,
				"%lld permits released, but only %lld are taken; "
				"release what was acquired, once",
				(long long)n, (long long)taken);
}

void leat_sem_release(leat_sem *sem, int64_t n)
{
	struct leat__wakes wakes = { 0 };
	struct leat__worker *w;

	check(__func__, sem, n);
	w = leat__self();
	lock(sem, w);							/* S5 */
	check_release(sem, n);
	set_free(sem, sem->_free + n);
	if (leat__unlikely(!leat__waitq_is_empty(&sem->_waiters)))
		serve(sem, &wakes);
	unlock(sem, w);
	if (leat__unlikely(wakes.first != NULL))
		leat__wakes_run(&wakes);
}

int64_t leat_sem_available(const leat_sem *sem)
{
	check(__func__, sem, 0);
	return leat__load_relaxed(&sem->_free);
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
	struct leat__worker *w;
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
	w = leat__self();
	lock(sem, w);
	mine = take(sem, n);
	if (!mine) {
		if (n <= sem->_size)
			append(sem, &o->waiter);
		mine = leat__wait_arm(t);
	}
	unlock(sem, w);
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
			  (long long)sem._free, (long long)sem._size);
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
