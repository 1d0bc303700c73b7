/*
 * Timeout: a function that has only so long.
 *
 *	static int fetch(struct page *page);
 *	...
 *	r = leat_timeout(fetch, &page, 200 * LEAT_MS);
 *
 * The function runs as a task of its own, below the caller's group.  When its time is over, it is
 * cancelled: what blocks in it returns -ECANCELED, and it unwinds itself.  leat_timeout returns
 * when the function has, and not before: so its argument may be on the caller's stack, nothing
 * goes on behind the caller's back, and a function that computes without blocking is not cut
 * short (leat_cancelled tells it).
 *
 * Who owns what: the argument is the caller's, all the time.  What the function has made for the
 * caller, by its argument, is there if and only if it says so by what it returned.  A function that
 * succeeds although its time is over has succeeded, so that nothing is lost.
 *
 * With others: retry round breaker round timeout.  Each attempt has its own time; the breaker
 * counts a timeout as a failure, and while it is open, an attempt costs nothing but its pause:
 *
 *	static int call(struct page *page) { return leat_timeout(fetch, page, 200 * LEAT_MS); }
 *	static int guarded(struct page *page) { return leat_breaker_call(&breaker, call, page); }
 *	...
 *	r = leat_retry(LEAT_RETRY_OPTIONS(.attempts = 3, .backoff = 50 * LEAT_MS), guarded, &page);
 *
 * A time for all attempts together is a timeout round the retry.
 */
#ifndef LEAT_TIMEOUT_H
#define LEAT_TIMEOUT_H

#include <leat/time.h>

/*
 * leat_timeout(fn, arg, ns): calls int fn(T *arg), which has ns > 0 nanoseconds.  Blocks.
 *
 * Returns what fn returned; but -ETIMEDOUT if that is -ECANCELED, since the time is over, and the
 * caller has not been cancelled itself.  Or fn was not called: -EINVAL (ns is not > 0, or no
 * runtime runs; the log says which), -ENOMEM, -ETIMEDOUT: the time was over before it could be, or
 * -ECANCELED: the caller had been cancelled before.
 */
#ifndef __cplusplus
#define leat_timeout(fn, arg, ns)                                             \
	leat_timeout_run((int (*)(void *))(void (*)(void))_Generic((fn),      \
			int (*)(__typeof__(*(arg)) *): (fn)), (arg), (ns))
#else
#define leat_timeout(fn, arg, ns)                                             \
	leat_timeout_run((int (*)(void *))(void (*)(void))                    \
		static_cast<int (*)(decltype(+(arg)))>(fn), (arg), (ns))
#endif

LEAT_BEGIN_DECLS

LEAT_API int leat_timeout_run(int (*fn)(void *arg), void *arg, int64_t ns);

LEAT_END_DECLS

#endif
