/*
 * Calls that block their thread: libraries that do their own I/O, long
 * computations, code that needs a big stack.
 *
 *	static int query(struct job *job)
 *	{
 *		job->rows = db_query(job->db, job->sql);
 *		return job->rows ? 0 : -EIO;
 *	}
 *	...
 *	r = leat_blocking_call(query, &job);
 *
 * The function runs on a thread of a pool, on a stack of 8 MiB, while the calling task is
 * blocked and its worker goes on with others.  Threads are started when they are
 * needed, up to leat_options.blocking_threads; calls beyond that wait their turn, first
 * come, first served.  A thread that has had nothing to do for 5 s ends, the others when the
 * runtime stops.
 *
 * On its thread the function is no task: a blocking leat call in it blocks the
 * thread.  All signals are blocked there that a program may handle, SIGPIPE, too.
 * Thread-local state (errno, locale, OpenSSL's error queue) is that of the pool's thread, and
 * the next call may find another.  It stays there while the function runs, so errno is as usual:
 * return it, do not leave it to the caller (docs/thread-local.md).
 *
 * Under simulation, and called from a thread that is no worker, it simply runs where
 * it is called: on the task's own stack of 64 KiB, or the thread's.
 */
#ifndef LEAT_BLOCKING_H
#define LEAT_BLOCKING_H

#include <leat/time.h>

/*
 * leat_blocking_call(fn, arg), leat_blocking_call_until(fn, arg, deadline): the two functions below
 * for int fn(T *arg); T may be const.  Another type does not compile.
 */
#define leat_blocking_call(fn, arg) \
	leat_blocking(LEAT__BLOCKING_FN(fn, arg), LEAT__BLOCKING_ARG(arg))
#define leat_blocking_call_until(fn, arg, deadline) \
	leat_blocking_until(LEAT__BLOCKING_FN(fn, arg), LEAT__BLOCKING_ARG(arg), (deadline))
#define LEAT__BLOCKING_ARG(arg) ((void *)(uintptr_t)(const void *)(arg))
#ifndef __cplusplus
#define LEAT__BLOCKING_FN(fn, arg)                                            \
	((int (*)(void *))(void (*)(void))_Generic((fn),                      \
		int (*)(__typeof__(*(arg)) *): (fn)))
#else
#define LEAT__BLOCKING_FN(fn, arg)                                            \
	((int (*)(void *))(void (*)(void))static_cast<int (*)(decltype(+(arg)))>(fn))
#endif

LEAT_BEGIN_DECLS

/*
 * Blocks until fn(arg) has run; returns what it returned.  Or, and then fn has not run
 * and will not: -ECANCELED, when the task's group was cancelled before fn began;
 * -EAGAIN, when there is no thread and none can be started.
 * A call that has begun cannot be stopped: it is waited for.
 */
LEAT_API int leat_blocking(int (*fn)(void *arg), void *arg);

/* The same; also -ETIMEDOUT, when fn has not begun by deadline. */
LEAT_API int leat_blocking_until(int (*fn)(void *arg), void *arg, int64_t deadline);

LEAT_END_DECLS

#endif
