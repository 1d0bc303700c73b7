/*
 * Semaphore, mutex, condition, once, wait-group, barrier.
 *
 * All of them park the task, not its thread, work from any thread, and are
 * made in the caller's memory by a static initializer or an init function.
 * None needs to be destroyed; the memory must stay valid until the last call
 * on the object has returned, and no task may wait on it then.
 *
 * The _until forms return -ETIMEDOUT at the deadline; every blocking form
 * returns -ECANCELED when the task is cancelled, except where it says that it
 * ignores cancellation.  Waiters are served in FIFO order.
 *
 * Happens-before: the release of permits before the return of the acquire that
 * gets them; an unlock before the return of the next lock; what a task did before
 * it called signal or broadcast, the return of the wait that this ends; the end of
 * a leat_once's function, the return of every leat_once_do; a done, the return of
 * the wait that its 0 ends; each call of leat_barrier_wait of a round, the return
 * of every other.
 */
#ifndef LEAT_SYNC_H
#define LEAT_SYNC_H

#include <leat/base.h>
#include <leat/time.h>

/* The head of each object here; private. */
struct leat__waitq {
	uint32_t _lock;
	uint32_t _pad;
	void *_first;
	void *_last;
};

/* A spin lock, private as well. */
struct leat__biased {
	uint32_t _word;
	uint32_t _run;
	void *_bias;
	void *_last;
	uint32_t _limit;
};

/*
 * Weighted semaphore.  FIFO (the default): a large request at the head is not
 * overtaken, and try fails while anyone waits.  With max_bypass > 0 at most
 * so many smaller requests may overtake the head, then FIFO holds.
 *
 * Releasing more than was acquired stops the program.  A request larger than
 * the semaphore blocks until its deadline or cancel, without blocking others.
 */
typedef struct leat_sem {
	struct leat__biased _lock;
	struct leat__waitq _waiters;
	int64_t _free;
	int64_t _size;
	uint32_t _max_bypass;
	uint32_t _bypassed;
} leat_sem;

/*
 * Mutex of a task or thread.  Not recursive: locking it twice, or unlocking
 * what another holds or nobody, stops the program.
 *
 * A task that runs may take a free mutex before the waiter that was woken for
 * it; a waiter to which this has happened for 1 ms gets it handed over next.
 */
typedef struct leat_mutex {
	uint64_t _state;
	struct leat__waitq _waiters;
} leat_mutex;
#define LEAT_MUTEX_INIT { 0, { 0, 0, NULL, NULL } }

typedef struct leat_cond {
	struct leat__waitq _waiters;
} leat_cond;
#define LEAT_COND_INIT { { 0, 0, NULL, NULL } }

typedef struct leat_once {
	uint64_t _state;
	struct leat__waitq _waiters;
} leat_once;
#define LEAT_ONCE_INIT { 0, { 0, 0, NULL, NULL } }

typedef struct leat_waitgroup {
	int64_t _count;
	struct leat__waitq _waiters;
} leat_waitgroup;
#define LEAT_WAITGROUP_INIT { 0, { 0, 0, NULL, NULL } }

typedef struct leat_barrier {
	uint32_t _parties;
	uint32_t _arrived;
	uint64_t _round;
	struct leat__waitq _waiters;
} leat_barrier;

LEAT_BEGIN_DECLS

/* Semaphore of n permits, n >= 0.  max_bypass 0: strictly FIFO. */
LEAT_API void leat_sem_init(leat_sem *sem, int64_t n, uint32_t max_bypass);

/*
 * Take n >= 0 permits.  Return 0; -ETIMEDOUT, -ECANCELED: none were taken; try: -EAGAIN.
 * A caller that is cancelled already fails even if permits are free.
 */
LEAT_API LEAT_MUST_CHECK int leat_sem_acquire(leat_sem *sem, int64_t n);
LEAT_API LEAT_MUST_CHECK int leat_sem_acquire_until(leat_sem *sem, int64_t n, int64_t deadline);
LEAT_API LEAT_MUST_CHECK int leat_sem_try_acquire(leat_sem *sem, int64_t n);
LEAT_API void leat_sem_release(leat_sem *sem, int64_t n);

/* Free permits now, a snapshot. */
LEAT_API int64_t leat_sem_available(const leat_sem *sem);

/*
 * A wait without a stack: when n permits have been taken for it, fn(arg) runs
 * as a task of group and owns them.  When the group is cancelled first, fn never
 * runs and no permit is taken.  Returns 0, -ENOMEM or -ECANCELED.  Does not
 * block, except for a place in a group with a limit.
 */
LEAT_API LEAT_MUST_CHECK int leat_sem_on_acquire(leat_sem *sem, int64_t n, leat_group *group,
						 int (*fn)(void *arg), void *arg);

/* lock ignores cancellation and cannot fail.  try: -EAGAIN.  until: -ETIMEDOUT. */
LEAT_API void leat_mutex_lock(leat_mutex *mutex);
LEAT_API LEAT_MUST_CHECK int leat_mutex_try_lock(leat_mutex *mutex);
LEAT_API LEAT_MUST_CHECK int leat_mutex_lock_until(leat_mutex *mutex, int64_t deadline);
LEAT_API void leat_mutex_unlock(leat_mutex *mutex);

/*
 * Condition.  wait releases mutex, which the caller holds, blocks until
 * signalled, and returns with the mutex held, whatever it returns: 0,
 * -ETIMEDOUT or -ECANCELED.  No spurious wake-ups, but another may have taken
 * what the signal announced: wait in a loop.
 */
LEAT_API LEAT_MUST_CHECK int leat_cond_wait(leat_cond *cond, leat_mutex *mutex);
LEAT_API LEAT_MUST_CHECK int leat_cond_wait_until(leat_cond *cond, leat_mutex *mutex,
						  int64_t deadline);
LEAT_API void leat_cond_signal(leat_cond *cond);
LEAT_API void leat_cond_broadcast(leat_cond *cond);

/*
 * Runs fn(arg) exactly once; callers that come while it runs block until it
 * has returned.  Ignores cancellation.  Calling it from inside fn stops the program.
 */
LEAT_API void leat_once_do(leat_once *once, void (*fn)(void *arg), void *arg);

/*
 * Wait-group: add(n) tasks to wait for (n may be negative), done is add(-1).
 * A count below 0 stops the program.  wait blocks until the count is 0.
 */
LEAT_API void leat_waitgroup_add(leat_waitgroup *wg, int64_t n);
LEAT_API void leat_waitgroup_done(leat_waitgroup *wg);
LEAT_API LEAT_MUST_CHECK int leat_waitgroup_wait(leat_waitgroup *wg);
LEAT_API LEAT_MUST_CHECK int leat_waitgroup_wait_until(leat_waitgroup *wg, int64_t deadline);

/*
 * Barrier for n >= 1 parties, reusable.  wait blocks until n callers wait;
 * returns 1 to the one that came last, 0 to the others.  A caller that leaves by
 * -ETIMEDOUT or -ECANCELED is no longer counted.
 */
LEAT_API void leat_barrier_init(leat_barrier *barrier, uint32_t n);
LEAT_API int leat_barrier_wait(leat_barrier *barrier);
LEAT_API LEAT_MUST_CHECK int leat_barrier_wait_until(leat_barrier *barrier, int64_t deadline);

LEAT_END_DECLS

#endif
