/*
 * Token buckets.
 *
 * A bucket is the time at which it will be full again.  To take a token moves that by an
 * interval into the future; the token is there when the time is no further than a full
 * bucket is worth.  One that is full already is full at now.
 */
#include <errno.h>
#include <stdatomic.h>

#include <leat/bucket.h>
#include <leat/extend.h>

#include "patterns/options.h"

#define TICKS 16 /* a nanosecond */
#define NOW INT64_MIN
#define DAY (86400 * LEAT_S * TICKS)

static _Atomic int64_t *full_at(leat_bucket *b)
{
	return (_Atomic int64_t *)&b->_full_at;
}

static int64_t load(const int64_t *field)
{
	/* Relaxed: each is a parameter of its own. */
	return atomic_load_explicit((_Atomic int64_t *)(uintptr_t)field, memory_order_relaxed);
}

/* Without libm. */
static int64_t round_up(double x)
{
	int64_t n = (int64_t)x;

	return n + (x > (double)n);
}

int leat_bucket_set(leat_bucket *b, double rate, double burst)
{
	double interval = rate > 0 ? (double)LEAT_S * TICKS / rate : 0;
	int64_t ticks;

	OPTION("leat_bucket_init", rate > 0 && rate <= 1e9, "rate is %g; it must be > 0, and 1e9 at most",
	       rate);
	OPTION("leat_bucket_init", burst >= 1 && burst * interval <= (double)DAY,
	       "burst is %g; it must be >= 1, and a day's tokens at most", burst);
	ticks = round_up(interval); /* never more than the rate */
	atomic_store((_Atomic int64_t *)&b->_interval, ticks);
	atomic_store((_Atomic int64_t *)&b->_tolerance, round_up(burst * (double)ticks));
	return 0;
}

int leat_bucket_init(leat_bucket *b, double rate, double burst)
{
	b->_full_at = 0;
	return leat_bucket_set(b, rate, burst);
}

static void check(const char *function, const leat_bucket *b, int64_t n)
{
	if (!b || b->_interval == 0)
		leat_misuse(function, b, "the bucket is not made; use leat_bucket_init");
	if (n <= 0)
		leat_misuse(function, b, "n is %lld; it must be > 0", (long long)n);
}

/* At latest, in ns, or NOW; *ret: what has been taken. */
static int reserve(leat_bucket *b, int64_t n, int64_t latest, leat_reservation *ret)
{
	int64_t now = leat_now() * TICKS, interval = load(&b->_interval);
	int64_t tolerance = load(&b->_tolerance), old = load(&b->_full_at), full, wait;

	if (n > tolerance / interval)
		return -ERANGE;
	if (latest == NOW)
		latest = now / TICKS;
	do {
		full = (old > now ? old : now) + n * interval;
		wait = full - now - tolerance;
		/* Rounded up: never early. */
		ret->when = wait <= 0 ? now / TICKS : (now + wait + TICKS - 1) / TICKS;
		if (ret->when > latest)
			return -ETIMEDOUT;
		/* Relaxed: the tokens guard nothing in memory. */
	} while (!atomic_compare_exchange_weak_explicit(full_at(b), &old, full,
							memory_order_relaxed,
							memory_order_relaxed));
	ret->_full_at = full;
	ret->_cost = n * interval;
	return 0;
}

int leat_bucket_reserve(leat_bucket *b, int64_t n, int64_t deadline, leat_reservation *ret)
{
	leat_reservation reservation;
	int r;

	check(__func__, b, n);
	r = reserve(b, n, deadline, &reservation);
	if (r == 0)
		*ret = reservation;
	return r;
}

void leat_bucket_give_back(leat_bucket *b, leat_reservation *reservation)
{
	int64_t old = load(&b->_full_at), later, back;

	check(__func__, b, 1);
	if (reservation->_cost == 0 || reservation->when <= leat_now())
		return;
	do {
		/* Those who came later have been told times that count on it. */
		later = old - reservation->_full_at;
		back = later > 0 ? reservation->_cost - later : reservation->_cost;
		if (back <= 0)
			break;
	} while (!atomic_compare_exchange_weak_explicit(full_at(b), &old, old - back,
							memory_order_relaxed,
							memory_order_relaxed));
	reservation->_cost = 0;
}

int leat_bucket_try_take(leat_bucket *b, int64_t n)
{
	leat_reservation reservation;
	int r;

	check(__func__, b, n);
	r = reserve(b, n, NOW, &reservation);
	return r == -ETIMEDOUT ? -EAGAIN : r;
}

int leat_bucket_take_until(leat_bucket *b, int64_t n, int64_t deadline)
{
	leat_reservation reservation;
	int r;

	check(__func__, b, n);
	r = reserve(b, n, deadline, &reservation);
	if (r < 0 || reservation.when <= leat_now())
		return r;
	r = leat_sleep_until(reservation.when);
	if (r < 0)
		leat_bucket_give_back(b, &reservation);
	return r;
}

int leat_bucket_take(leat_bucket *b, int64_t n)
{
	return leat_bucket_take_until(b, n, LEAT_FOREVER);
}

double leat_bucket_tokens(const leat_bucket *b)
{
	int64_t now = leat_now() * TICKS, full = load(&b->_full_at);
	int64_t missing = full > now ? full - now : 0;

	return (double)(load(&b->_tolerance) - missing) / (double)load(&b->_interval);
}
