/*
 * Adaptive concurrency: see leat/adaptive.h.
 *
 * The permits are a semaphore of max, of which only _lent can be had, the others are withheld; so
 * who waits is served in order, and a cancel loses nothing.  What the limit grants is _granted.
 * When it falls by more than is free, _lent is more: that is a debt, and releases pay it before
 * they give anything back.
 *
 *	withheld = max - _lent; out = _lent - free
 *
 *	acquire	A1 a permit of the semaphore; no lock
 *		A2 read how many are out, and the clock: the call begins.  Releases change
 *		   _lent, and who begins at that moment may be off by the change
 *	release	R1 read the clock: the call ends.  Not under the lock, which is held for as short
 *		   as can be; so what has been changed meanwhile may be later
 *		R2 lock.  What began before the last change is no sample
 *		R3 the sample may change the limit.  That is now, not at R1: a call that began in
 *		   between began before the change
 *		R4 pay the debt, or give the permit back; unlock
 *
 * A probe: _granted goes to half, so nobody begins a call before the debt is paid; then the first
 * one that begins and ends tells the least latency.
 */
#include "patterns/adaptive.h"

#include <stdatomic.h>

#include <leat/extend.h>
#include <leat/sim.h>
#include <leat/time.h>

#include "patterns/options.h"

#define BAD(ok, ...) OPTION("leat_adaptive_init", ok, __VA_ARGS__)

enum { MOST = 1000000, PROBE = 30 };

static int check_vegas(const leat_adaptive_options *o)
{
	BAD(o->alpha >= 0, "alpha is %d; it must be > 0, or 0 for 3 log10", o->alpha);
	BAD(o->beta >= 0, "beta is %d; it must be > 0, or 0 for 6 log10", o->beta);
	BAD((o->alpha > 0) == (o->beta > 0) && o->alpha <= o->beta,
	    "alpha is %d and beta %d; give both, alpha <= beta, or neither", o->alpha, o->beta);
	BAD(o->smoothing >= 0 && o->smoothing <= 1, "smoothing is %g; it must be > 0 and <= 1, or 0",
	    o->smoothing);
	BAD(o->probe >= 0, "probe is %d; it must be > 0, or 0 for %d", o->probe, PROBE);
	BAD(o->slow == 0, "slow is %lld ns, but it is for AIMD", (long long)o->slow);
	return 0;
}

static int check_aimd(const leat_adaptive_options *o)
{
	BAD(o->backoff > 0, "backoff is %g; AIMD needs it: 0.5 to less than 1", o->backoff);
	BAD(o->slow > 0, "slow is %lld ns; it must be > 0: LEAT_FOREVER if nothing is too slow",
	    (long long)o->slow);
	BAD(o->alpha == 0 && o->beta == 0 && o->smoothing == 0 && o->probe == 0,
	    "alpha, beta, smoothing or probe is given, but they are for Vegas");
	return 0;
}

static int check_options(const leat_adaptive_options *o)
{
	BAD(o->algorithm == LEAT_VEGAS || o->algorithm == LEAT_AIMD,
	    "algorithm is %d; give LEAT_VEGAS or LEAT_AIMD", (int)o->algorithm);
	BAD(o->min >= 1, "min is %d; it must be >= 1", o->min);
	BAD(o->max >= o->min && o->max <= MOST, "max is %d; it must be min to %d", o->max, MOST);
	BAD(o->initial >= o->min && o->initial <= o->max, "initial is %d; it must be min to max",
	    o->initial);
	BAD(o->window >= 0, "window is %lld ns; it must be >= 0", (long long)o->window);
	BAD(o->backoff == 0 || (o->backoff >= 0.5 && o->backoff < 1),
	    "backoff is %g; it must be 0.5 to less than 1", o->backoff);
	return o->algorithm == LEAT_VEGAS ? check_vegas(o) : check_aimd(o);
}

/* Calls between two probes: not all at the same time in all programs. */
static int64_t until_probe(const leat_adaptive *a)
{
	int64_t most = (a->_options.probe > 0 ? a->_options.probe : PROBE) * (int64_t)a->_estimate;

	return most / 2 + (int64_t)leat_random((uint64_t)(most / 2 + 1)) + 1;
}

int leat_adaptive_init(leat_adaptive *a, const leat_adaptive_options *o)
{
	int r;

	if (!o || o->size != sizeof(*o))
		leat_misuse(__func__, a, "the size is not set; use LEAT_ADAPTIVE_OPTIONS(...)");
	r = check_options(o);
	if (r < 0)
		return r;
	*a = (leat_adaptive){ ._options = *o, ._lock = LEAT_MUTEX_INIT, ._granted = o->initial,
			      ._lent = o->initial, ._estimate = o->initial };
	a->_until_probe = until_probe(a);
	leat_sem_init(&a->_permits, o->max, 0);
	/* Nobody else has it yet. */
	return leat_sem_try_acquire(&a->_permits, o->max - o->initial);
}

static void check(const char *function, const leat_adaptive *a)
{
	if (!a || a->_options.size == 0)
		leat_misuse(function, a, "the limit is not made; use leat_adaptive_init");
}

/* Relaxed: it guards nothing in memory. */
static int64_t lent(leat_adaptive *a)
{
	return atomic_load_explicit((_Atomic int64_t *)&a->_lent, memory_order_relaxed);
}

/* Under the lock. */
static void lend(leat_adaptive *a, int64_t n)
{
	atomic_store_explicit((_Atomic int64_t *)&a->_lent, n, memory_order_relaxed);
}

static int64_t out(leat_adaptive *a)
{
	return lent(a) - leat_sem_available(&a->_permits);
}

/* A2 */
static int taken(leat_adaptive *a, int r, leat_permit *ret)
{
	int64_t n;

	if (r < 0)
		return r;
	n = out(a);
	*ret = (leat_permit){ ._began = leat_now(), ._out = n > 1 ? n : 1 };
	return 0;
}

int leat_adaptive_try_acquire(leat_adaptive *a, leat_permit *ret_permit)
{
	check(__func__, a);
	return taken(a, leat_sem_try_acquire(&a->_permits, 1), ret_permit);
}

int leat_adaptive_acquire_until(leat_adaptive *a, int64_t deadline, leat_permit *ret_permit)
{
	check(__func__, a);
	return taken(a, leat_sem_acquire_until(&a->_permits, 1, deadline), ret_permit);
}

int leat_adaptive_acquire(leat_adaptive *a, leat_permit *ret_permit)
{
	return leat_adaptive_acquire_until(a, LEAT_FOREVER, ret_permit);
}

/* Under the lock: what may be out, once the debt is paid. */
static void grant(leat_adaptive *a, int64_t n)
{
	int64_t more = n - lent(a);

	a->_granted = n;
	if (more > 0) {
		lend(a, n);
		leat_sem_release(&a->_permits, more);
	}
}

/* Under the lock. */
static void grant_estimate(leat_adaptive *a)
{
	int64_t n = (int64_t)a->_estimate;

	if (a->_probe_at > 0)
		n = n / 2 > a->_options.min ? n / 2 : a->_options.min;
	grant(a, n);
}

/* Under the lock, of a call that went well.  True: the least latency is what it was. */
static bool least_stays(leat_adaptive *a, int64_t began, int64_t latency)
{
	if (a->_options.algorithm != LEAT_VEGAS)
		return true;
	if (a->_probe_at > 0) {
		if (began < a->_probe_at)
			return false;
		a->_probe_at = 0;
		a->_least = latency;
		a->_until_probe = until_probe(a);
		a->_changed_at = leat_now();
		grant_estimate(a);
		return false;
	}
	if (--a->_until_probe <= 0) {
		a->_probe_at = leat_now();
		grant_estimate(a);
		return false;
	}
	if (a->_least > 0 && latency >= a->_least)
		return true;
	a->_least = latency;
	return false;
}

/* Under the lock. */
static void update(leat_adaptive *a, int64_t latency, int64_t out, bool dropped)
{
	double next = leat__adaptive_next(a, latency, out, dropped);

	if (next < a->_estimate || next > a->_estimate)
		a->_changed_at = leat_now();
	a->_estimate = next;
	grant_estimate(a);
}

/* Under the lock: a call in its window; at the window's end, the update. */
static void add_to_window(leat_adaptive *a, int64_t now, int64_t latency, int64_t out, bool dropped)
{
	if (a->_window_began == 0)
		a->_window_began = now;
	a->_dropped |= dropped;
	if (!dropped) {
		a->_calls++;
		a->_latency += latency;
		a->_most_out = out > a->_most_out ? out : a->_most_out;
	}
	if (now - a->_window_began < a->_options.window)
		return;
	update(a, a->_calls > 0 ? a->_latency / a->_calls : 0, a->_most_out, a->_dropped);
	a->_window_began = a->_calls = a->_latency = a->_most_out = 0;
	a->_dropped = false;
}

/* R2, R3. */
static void sample(leat_adaptive *a, const leat_permit *permit, int64_t now, bool dropped)
{
	int64_t began = permit->_began, latency = now > began ? now - began : 1;
	bool stays;

	dropped |= a->_options.algorithm == LEAT_AIMD && latency > a->_options.slow;
	stays = dropped || least_stays(a, began, latency);
	/* What began before the last change says nothing of what the limit is now. */
	if (began < a->_changed_at)
		return;
	if (a->_options.window > 0 && (stays || a->_probe_at == 0))
		add_to_window(a, now, latency, permit->_out, dropped);
	else if (stays)
		update(a, latency, permit->_out, dropped);
}

/*
 * Under the lock: withholds what is free, as far as it is owed.  Whoever is quicker, or about to
 * leave the queue, has it; then a release pays.
 */
static void withhold(leat_adaptive *a)
{
	int64_t debt = lent(a) - a->_granted, n = debt > 0 ? leat_sem_available(&a->_permits) : 0;

	n = n < debt ? n : debt;
	if (n > 0 && leat_sem_try_acquire(&a->_permits, n) == 0)
		lend(a, lent(a) - n);
}

void leat_adaptive_release(leat_adaptive *a, leat_permit *permit, enum leat_outcome outcome)
{
	int64_t now;

	check(__func__, a);
	if (permit->_out == 0)
		leat_misuse(__func__, a, "the permit has been released already, or was never taken");
	if (outcome < LEAT_OUTCOME_SUCCESS || outcome > LEAT_OUTCOME_IGNORED)
		leat_misuse(__func__, a, "the outcome is %d; give LEAT_OUTCOME_...", (int)outcome);
	now = leat_now();					/* R1 */
	leat_mutex_lock(&a->_lock);
	if (outcome != LEAT_OUTCOME_IGNORED)
		sample(a, permit, now, outcome == LEAT_OUTCOME_DROPPED);
	if (lent(a) > a->_granted)				/* R4 */
		lend(a, lent(a) - 1);
	else
		leat_sem_release(&a->_permits, 1);
	withhold(a);
	leat_mutex_unlock(&a->_lock);
	permit->_out = 0;
}

int leat_adaptive_limit(leat_adaptive *a)
{
	int limit;

	check(__func__, a);
	leat_mutex_lock(&a->_lock);
	limit = (int)a->_estimate;
	leat_mutex_unlock(&a->_lock);
	return limit;
}

int leat_adaptive_out(leat_adaptive *a)
{
	int64_t n;

	check(__func__, a);
	leat_mutex_lock(&a->_lock);
	n = out(a);
	leat_mutex_unlock(&a->_lock);
	return (int)n;
}
