/* Retries, and what they may be in all. */
#include "patterns/retry.h"

#include <errno.h>
#include <stdatomic.h>

#include <leat/extend.h>
#include <leat/sim.h>

#include "patterns/options.h"

#define BAD(ok, ...) OPTION("leat_retry", ok, __VA_ARGS__)
#define BAD_BUDGET(ok, ...) OPTION("leat_retry_budget_init", ok, __VA_ARGS__)

enum { RETRY = 1000, KEPT = 100 * RETRY };

int leat_retry_budget_init(leat_retry_budget *b, double ratio, double per_second)
{
	BAD_BUDGET(ratio >= 0 && ratio <= 10, "ratio is %g; it must be 0 to 10", ratio);
	BAD_BUDGET(per_second >= 0 && per_second <= 1e9, "per_second is %g; it must be 0 to 1e9",
		   per_second);
	BAD_BUDGET(per_second == 0 || per_second >= 1.0 / (24 * 3600),
		   "per_second is %g; it must be 0, or one a day at least", per_second);
	b->_milli = 0;
	b->_per_call = (int64_t)(ratio * RETRY);
	b->_has_reserve = per_second > 0;
	/* A second's worth may be used at once. */
	return per_second > 0 ? leat_bucket_init(&b->_reserve, per_second,
						 per_second > 1 ? per_second : 1)
			      : 0;
}

static _Atomic int64_t *milli(leat_retry_budget *b)
{
	return (_Atomic int64_t *)&b->_milli;
}

/* By n; false: it would be less than 0.  Relaxed: it guards nothing in memory. */
static bool add(leat_retry_budget *b, int64_t n)
{
	int64_t old = atomic_load_explicit(milli(b), memory_order_relaxed), next;

	do {
		next = old + n < KEPT ? old + n : KEPT;
		if (next < 0)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(milli(b), &old, next, memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

static bool may_retry(leat_retry_budget *b)
{
	if (!b || add(b, -RETRY))
		return true;
	return b->_has_reserve && leat_bucket_try_take(&b->_reserve, 1) == 0;
}

int leat__retry_check(const leat_retry_options *o)
{
	BAD(o->size == sizeof(*o), "size is %zu; use LEAT_RETRY_OPTIONS(...)", o->size);
	BAD(o->attempts > 0, "attempts is %d; it must be > 0", o->attempts);
	BAD(o->backoff > 0 || (o->backoff == 0 && o->attempts == 1),
	    "backoff is %lld ns; it must be > 0", (long long)o->backoff);
	BAD(o->backoff_max >= 0, "backoff_max is %lld ns; it must be >= 0",
	    (long long)o->backoff_max);
	BAD(o->factor == 0 || o->factor >= 1, "factor is %g; it must be >= 1", o->factor);
	return 0;
}

/* The longest pause after the one of pause ns. */
static int64_t grown(const leat_retry_options *o, int64_t pause)
{
	int64_t max = o->backoff_max > 0 ? o->backoff_max : LEAT_FOREVER / 4;
	double next = (double)pause * (o->factor > 0 ? o->factor : 2);

	return next < (double)max ? (int64_t)next : max;
}

/* When the next attempt may be. */
static int64_t after(const leat_retry_options *o, int64_t pause)
{
	return leat_in(o->no_jitter ? pause : (int64_t)leat_random((uint64_t)pause + 1));
}

int leat_retry_run(const leat_retry_options *o, int (*fn)(void *arg), void *arg)
{
	int64_t pause, when, deadline;
	int r, slept;

	if (!o || o->size != sizeof(*o))
		leat_misuse(__func__, o, "the size is not set; use LEAT_RETRY_OPTIONS(...)");
	r = leat__retry_check(o);
	if (r < 0)
		return r;
	if (o->budget)
		add(o->budget, o->budget->_per_call);
	pause = o->backoff_max > 0 && o->backoff > o->backoff_max ? o->backoff_max : o->backoff;
	deadline = o->deadline != 0 ? o->deadline : LEAT_FOREVER;
	for (int attempt = 1;; attempt++) {
		r = fn(arg);
		if (r >= 0 || r == -ECANCELED || attempt == o->attempts ||
		    (o->retryable && !o->retryable(r)))
			return r;
		when = after(o, pause);
		if (when > deadline || !may_retry(o->budget))
			return r;
		slept = leat_sleep_until(when);
		if (slept < 0)
			return slept;
		pause = grown(o, pause);
	}
}
