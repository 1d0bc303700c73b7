/*
 * Retry: calls a function again after an error, with growing pauses, within a budget.
 *
 *	static int fetch(struct page *page);
 *	...
 *	r = leat_retry(LEAT_RETRY_OPTIONS(.attempts = 5, .backoff = 100 * LEAT_MS), fetch, &page);
 *
 * The pause before the k-th retry is chosen at random from 0 to backoff x factor^(k-1), at most
 * backoff_max ("full jitter"; Brooker, Exponential Backoff And Jitter, 2015), so that many who have
 * failed together do not come back together.  leat_random and leat_now: simulation controls both.
 */
#ifndef LEAT_RETRY_H
#define LEAT_RETRY_H

#include <leat/bucket.h>

/*
 * What all retries of a program, or against one server, may be: a part of the calls, and some a
 * second in any case.  Without it, retries multiply the load of a server that fails for its
 * load.  One struct for many tasks; nothing to be destroyed.
 */
typedef struct leat_retry_budget {
	int64_t _milli;		/* of a retry, that are left */
	int64_t _per_call;
	leat_bucket _reserve;
	bool _has_reserve;
} leat_retry_budget;

typedef struct leat_retry_options {
	size_t size;		/* sizeof(leat_retry_options) */
	int attempts;		/* calls in all; > 0, must be given */
	int64_t backoff;	/* ns; > 0, unless attempts is 1 */
	int64_t backoff_max;	/* ns; 0: no limit */
	double factor;		/* >= 1; 0: 2 */
	bool no_jitter;		/* the pause is as long as it may be */
	int64_t deadline;	/* no pause that would end later; 0: LEAT_FOREVER */
	leat_retry_budget *budget; /* NULL: none */
	bool (*retryable)(int error); /* NULL: every error but -ECANCELED */
} leat_retry_options;

#define LEAT_RETRY_OPTIONS(...) LEAT__OPTIONS(leat_retry_options, __VA_ARGS__)

/*
 * leat_retry(options, fn, arg): calls int fn(T *arg) until it returns >= 0, an error that is not
 * retryable, or it may not be called again.  Blocks in the pauses.
 *
 * Returns what the last call returned; -ECANCELED if a pause was cancelled; -EINVAL: an option is
 * bad, and the log says which, fn was not called.
 */
#ifndef __cplusplus
#define leat_retry(options, fn, arg)                                          \
	leat_retry_run((options), (int (*)(void *))(void (*)(void))_Generic((fn), \
			int (*)(__typeof__(*(arg)) *): (fn)), (arg))
#else
#define leat_retry(options, fn, arg)                                          \
	leat_retry_run((options), (int (*)(void *))(void (*)(void))           \
		static_cast<int (*)(decltype(+(arg)))>(fn), (arg))
#endif

LEAT_BEGIN_DECLS

LEAT_API int leat_retry_run(const leat_retry_options *options, int (*fn)(void *arg), void *arg);

/*
 * ratio: retries a call, from 0 to 10, say 0.2; what is not used is kept, up to 100 retries;
 * per_second: retries that are allowed in any case, 0 or at least one a day.  0, or -EINVAL.
 *
 * It begins empty: with a ratio of 0.2 and per_second 0 the first retry comes with the fifth call.
 * Whose first calls are to be retried, too, gives a per_second.
 */
LEAT_API LEAT_MUST_CHECK int leat_retry_budget_init(leat_retry_budget *budget, double ratio,
						    double per_second);

LEAT_END_DECLS

#endif
