/*
 * Mutex: one word and a queue.
 *
 * _state is the owner's address (0: free) with two flags:
 *   WAITERS	there may be waiters in the queue
 *   WOKEN	one waiter was woken and is on its way to take the mutex
 * A lock or unlock that meets nobody is one CAS.  Unlock does not hand the mutex
 * over: it frees it and wakes the first waiter, which must take it like anyone
 * else, and while one is on its way no other is woken.  So eight tasks that
 * contend cost one wake-up a turn, not one an operation.  A waiter that comes too
 * late goes back to the front; when that has gone on for STARVING_NS the next
 * unlock hands the mutex over to it.
 *
 * Invariants:
 *   - a free mutex with WAITERS has WOKEN, when the queue's lock is free;
 *   - waiters in the queue imply WAITERS;
 *   - WOKEN is set under the lock; it is cleared by the woken waiter alone, in the
 *     CAS by which it takes the mutex (M3) or sees that another holds it (M5).
 *
 *   lock	M1 CAS free to me; done
 *		M2 held by me: misuse
 *		M3 free: CAS to me, flags kept; the woken clears WOKEN; done
 *		M4 lock the queue; M3 again
 *		M5 held: CAS the same with WAITERS (the woken: and without WOKEN)
 *		M6 append a waiter (the woken: at the front), arm, unlock, park
 *		M7 claimed: it is ours (result OWNED), or we are woken: M3
 *		M8 timeout: lock the queue, take the waiter out
 *   unlock	U1 CAS me to free; done
 *		U2 no WAITERS, or WOKEN: CAS to free, flags kept; done
 *		U3 lock the queue; claim the first waiter; none: free, no flags
 *		U4 it starves: owner = it; else free with WOKEN
 *		U5 unlock the queue; make it ready
 * M5 and U1/U2 are CASes on one word: either the unlock sees WAITERS, and WOKEN
 * gone, or M5 sees the mutex free.  Loads of _state are relaxed: a CAS looks again.
 *   requeue	M9 lock the queue.  Free without flags: CAS to WOKEN, make the waiter
 *		   ready.  Else M5, append it, armed.
 */
#include "sync/mutex.h"

#include <errno.h>

#include "rt/look.h"
#include "rt/timer.h"

#define STARVING_NS LEAT_MS

enum { WAITERS = 1, WOKEN = 2, FLAGS = 3 };

static inline uint64_t word_of(const struct leat__task *t)
{
	return (uint64_t)(uintptr_t)t;
}

static inline uint64_t owner_of(uint64_t state)
{
	return state & ~(uint64_t)FLAGS;
}

static inline void check(const char *function, const leat_mutex *mutex)
{
	leat__check_fork(function, mutex);
	if (leat__unlikely(!mutex))
		leat__misuse_at(function, mutex,
				"the mutex is NULL; give it memory and LEAT_MUTEX_INIT");
}

/* The calling task or thread. */
static inline struct leat__task *self(void)
{
	struct leat__worker *w = leat__self();

	return leat__likely(w != NULL) ? w->cur : leat__current(NULL);
}

/* The same; yields before, when the budget is used up. */
static inline struct leat__task *enter(void)
{
	struct leat__worker *w = leat__self();

	if (leat__likely(w != NULL))
		return leat__budget(w)->cur;
	return leat__current(NULL);
}

bool leat__mutex_is_held_by(const leat_mutex *mutex, const struct leat__task *t)
{
	return owner_of(leat__load_relaxed(&mutex->_state)) == word_of(t);
}

/* M3.  The CAS acquires what the last owner published in U1, U2 or U4. */
static bool take(leat_mutex *mutex, struct leat__task *me, bool woken)
{
	uint64_t s = leat__load_relaxed(&mutex->_state);

	while (owner_of(s) == 0) {
		if (leat__cas(&mutex->_state, s,
			      word_of(me) | (woken ? s & ~(uint64_t)WOKEN : s)))
			return true;
		s = leat__load_relaxed(&mutex->_state);
	}
	return false;
}

/* M4 to M6.  1: we have taken it; 0: queued; -ETIMEDOUT: woken, but past the deadline. */
static int take_or_queue(leat_mutex *mutex, struct leat__waiter *w, bool woken, bool late)
{
	uint64_t clear = woken && !LEAT__MUTANT(MUTEX_KEEPS_WOKEN) ? WOKEN : 0;
	uint64_t s;

	leat__waitq_lock(&mutex->_waiters);
	do {
		if (take(mutex, w->task, woken)) {
			leat__waitq_unlock(&mutex->_waiters);
			return 1;
		}
		s = leat__load_relaxed(&mutex->_state);
	} while (owner_of(s) == 0 ||
		 !leat__cas(&mutex->_state, s, (s | WAITERS) & ~clear)); /* M5 */
	if (!late) {
		if (woken)
			leat__waitq_prepend(&mutex->_waiters, w);
		else
			leat__waitq_append(&mutex->_waiters, w);
		leat__arm(w->task, false);
	}
	leat__waitq_unlock(&mutex->_waiters);
	return late ? -ETIMEDOUT : 0;
}

int leat__mutex_wait(leat_mutex *mutex, struct leat__waiter *w, bool woken, int64_t deadline)
{
	struct leat__task *me = w->task;
	int64_t since = 0; /* when it came too late for the first time */
	int r;

	for (;;) {
		bool late = false;

		if (take(mutex, me, woken))
			return 0;
		w->result = 0;
		if (woken) {
			int64_t now = leat__time_now();

			if (since == 0)
				since = now;
			if (now - since >= STARVING_NS)
				w->result = LEAT__MUTEX_STARVES;
			late = now >= deadline;
		}
		r = take_or_queue(mutex, w, woken, late);
		if (r != 0)
			return r < 0 ? r : 0;
		r = leat__park(me, LEAT__WHY_MUTEX, mutex, deadline);
		if (r < 0) {
			leat__waitq_leave(&mutex->_waiters, w);		/* M8 */
			return r;
		}
		if (w->result == LEAT__MUTEX_OWNED)			/* M7 */
			return 0;
		woken = true;
	}
}

void leat__mutex_requeue(leat_mutex *mutex, struct leat__waiter *w)
{
	uint64_t s;

	leat__waitq_lock(&mutex->_waiters);
	do {
		s = leat__load_relaxed(&mutex->_state);
		if (s == 0 && leat__cas(&mutex->_state, 0, WOKEN)) {
			w->result = LEAT__MUTEX_WOKEN;
			leat__waitq_unlock(&mutex->_waiters);
			leat__ready(w->task);
			return;
		}
	} while (s == 0 || !leat__cas(&mutex->_state, s, s | WAITERS));
	w->elem = NULL;
	leat__waitq_append(&mutex->_waiters, w);
	/* Release: pairs with the claim of a timer, so that the task sees elem. */
	leat__store_release(&w->task->claim, LEAT__CLAIM_ARMED);
	leat__waitq_unlock(&mutex->_waiters);
}

static __attribute__((noinline)) int lock_slow(leat_mutex *mutex, struct leat__task *me,
					       int64_t deadline, const char *function)
{
	struct leat__waiter w = { .task = me };

	if (leat__mutex_is_held_by(mutex, me)) /* M2 */
		leat__misuse_at(function, mutex,
				"'%s' (%llu) holds it already and would wait for itself; "
				"it is not recursive: lock it once",
				leat__task_name_of(me), (unsigned long long)me->id);
	leat__list_init(&w.node);
	return leat__mutex_wait(mutex, &w, false, deadline);
}

void leat_mutex_lock(leat_mutex *mutex)
{
	struct leat__task *me;

	check(__func__, mutex);
	me = enter();
	if (leat__unlikely(!leat__cas(&mutex->_state, 0, word_of(me)))) /* M1 */
		lock_slow(mutex, me, LEAT_FOREVER, __func__);
}

int leat_mutex_lock_until(leat_mutex *mutex, int64_t deadline)
{
	struct leat__task *me;

	check(__func__, mutex);
	me = enter();
	if (leat__likely(leat__cas(&mutex->_state, 0, word_of(me)))) /* M1 */
		return 0;
	return lock_slow(mutex, me, deadline, __func__);
}

int leat_mutex_try_lock(leat_mutex *mutex)
{
	check(__func__, mutex);
	return take(mutex, self(), false) ? 0 : -EAGAIN;
}

/* The record of a task, into which we may look; NULL: a thread, or a forked task. */
static const struct leat__task *record_of(uint64_t owner)
{
	struct leat__runtime *rt = leat__rt;

	for (unsigned c = 0; rt && c < LEAT__SIZE_CLASSES; c++)
		for (struct leat__slab *slab = leat__load_acquire(&rt->slabs[c]); slab;
		     slab = slab->next)
			if (owner - word_of((void *)slab) < slab->bytes)
				return (const struct leat__task *)(uintptr_t)owner;
	return NULL;
}

static __attribute__((noinline, cold)) void not_owner(const leat_mutex *mutex, uint64_t owner,
						      const struct leat__task *me,
						      const char *function)
{
	const struct leat__task *holder = record_of(owner);
	const char *who = leat__task_name_of(me);

	if (owner == 0)
		leat__misuse_at(function, mutex,
				"'%s' (%llu) unlocks it, but nobody holds it; "
				"unlock once for each lock",
				who, (unsigned long long)me->id);
	if (holder)
		leat__misuse_at(function, mutex,
				"'%s' (%llu) unlocks it, but '%s' (%llu) holds it; "
				"unlock it in the task that locked it",
				who, (unsigned long long)me->id, leat__task_name_of(holder),
				(unsigned long long)holder->id);
	leat__misuse_at(function, mutex,
			"'%s' (%llu) unlocks it, but another thread or forked task (%p) holds it; "
			"unlock it where it was locked",
			who, (unsigned long long)me->id, (void *)(uintptr_t)owner);
}

/* U2 to U5 */
static __attribute__((noinline)) void unlock_slow(leat_mutex *mutex, struct leat__task *me,
						  const char *function)
{
	struct leat__wakes wakes = { 0 };
	struct leat__waiter *w;
	bool starves;
	uint64_t s, left;

	for (;;) {
		s = leat__load_relaxed(&mutex->_state);
		if (owner_of(s) != word_of(me))
			not_owner(mutex, owner_of(s), me, function);
		if ((s & FLAGS) == WAITERS)
			break;
		if (leat__cas(&mutex->_state, s, s & FLAGS)) /* U2: pairs with M1, M3 */
			return;
	}
	leat__waitq_lock(&mutex->_waiters);
	/* Held, WAITERS, not WOKEN: nobody but us changes the word now. */
	LEAT_DEBUG_CHECK(leat__load_relaxed(&mutex->_state) == (word_of(me) | WAITERS));
	w = leat__waitq_claim_first(&mutex->_waiters, &wakes); /* U3 */
	left = leat__waitq_is_empty(&mutex->_waiters) ? 0 : WAITERS;
	if (!w) {
		leat__store_release(&mutex->_state, 0); /* pairs with M1, M3 */
	} else {						/* U4 */
		starves = w->result == LEAT__MUTEX_STARVES;
		w->result = starves ? LEAT__MUTEX_OWNED : LEAT__MUTEX_WOKEN;
		leat__store_release(&mutex->_state, left | (starves ? word_of(w->task) : WOKEN));
	}
	leat__waitq_unlock(&mutex->_waiters);			/* U5 */
	if (w)
		leat__wakes_add(&wakes, w->task);
	leat__wakes_run(&wakes);
}

void leat__mutex_unlock(leat_mutex *mutex, struct leat__task *me, const char *function)
{
	/* U1: pairs with M1, M3. */
	if (leat__unlikely(!leat__cas(&mutex->_state, word_of(me), 0)))
		unlock_slow(mutex, me, function);
}

void leat_mutex_unlock(leat_mutex *mutex)
{
	check(__func__, mutex);
	leat__mutex_unlock(mutex, self(), __func__);
}

/*
 * For dumps.
 */

static const struct leat__task *owner_at(struct leat__look *l, const void *object)
{
	leat_mutex mutex;

	if (!leat__look_at(l, &mutex, (const leat_mutex *)object))
		return NULL;
	return (const struct leat__task *)(uintptr_t)owner_of(mutex._state);
}

static void describe(struct leat__look *l, const void *object)
{
	const struct leat__task *owner = owner_at(l, object);

	leat__say(l, " %p", object);
	if (owner) {
		leat__say(l, " held by ");
		leat__say_task_at(l, owner);
	}
}

__attribute__((constructor)) static void set_kind(void)
{
	static const struct leat__kind kind = { describe, owner_at, "held by" };

	leat__kind_set(LEAT__WHY_MUTEX, &kind);
}
