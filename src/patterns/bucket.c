/*
 * Token buckets.
 *
 * A bucket is the time at which it will be full again.  To take a token moves that by an
 * interval into the future; the token is there when the time is no further than a full
 * bucket is worth.  One that is full already is full at now.
 */
#include "patterns/bucket.h"

#include <errno.h>
#include <stdatomic.h>

#include <leat/extend.h>
#include <leat/task.h>

#include "patterns/options.h"

#define TICKS LEAT__BUCKET_TICKS
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

static double load_burst(const leat_bucket *b)
{
	return atomic_load_explicit((_Atomic double *)(uintptr_t)&b->_burst, memory_order_relaxed);
}

/* Without libm. */
static int64_t round_up(double x)
{
	int64_t n = (int64_t)x;

	return n + (x > (double)n);
}

int leat__bucket_set(const char *function, leat_bucket *b, double rate, double burst)
{
	double interval = rate > 0 ? (double)LEAT_S * TICKS / rate : 0;

	OPTION("%s", rate > 0 && rate <= 1e9, "rate is %g; it must be > 0, and 1e9 at most",
	       function, rate);
	OPTION("%s", burst >= 1 && burst * interval <= (double)DAY,
	       "burst is %g; it must be >= 1, and a day's tokens at most", function, burst);
	/* Never more than the rate. */
	atomic_store((_Atomic int64_t *)&b->_interval, round_up(interval));
	atomic_store((_Atomic double *)&b->_burst, burst);
	return 0;
}

int leat_bucket_init(leat_bucket *b, double rate, double burst)
{
	b->_full_at = 0;
	return leat__bucket_set(__func__, b, rate, burst);
}

int leat_bucket_set(leat_bucket *b, double rate, double burst)
{
	return leat__bucket_set(__func__, b, rate, burst);
}

static void check(const char *function, const leat_bucket *b, int64_t n)
{
	if (!b || load(&b->_interval) == 0)
		leat_misuse(function, b, "the bucket is not made; use leat_bucket_init");
	if (n <= 0)
		leat_misuse(function, b, "n is %lld; it must be > 0", (long long)n);
}

/* What a full bucket is worth.  A new rate with the old burst may be more than a day. */
static int64_t tolerance(double burst, int64_t interval)
{
	double ticks = burst * (double)interval;

	return ticks < 2.0 * DAY ? (int64_t)ticks : 2 * DAY;
}

int leat__bucket_plan(const leat_bucket *b, int64_t full_at, int64_t now, int64_t n,
		      int64_t latest, leat_reservation *ret)
{
	int64_t interval = load(&b->_interval), begin = now * TICKS, wait;
	double burst = load_burst(b);

	if ((double)n > burst)
		return -ERANGE;
	/* After any deadline: later than an int64_t can say. */
	if (__builtin_mul_overflow(n, interval, &ret->_cost) ||
	    __builtin_add_overflow(full_at > begin ? full_at : begin, ret->_cost, &ret->_full_at))
		return -ETIMEDOUT;
	wait = ret->_full_at - begin - tolerance(burst, interval);
	if (wait <= 0) {
		ret->when = now;
		return 0;
	}
	ret->when = (begin + wait + TICKS - 1) / TICKS; /* rounded up: never early */
	return ret->when > latest ? -ETIMEDOUT : 1;
}

/* As leat__bucket_plan, and it is done. */
static int reserve(leat_bucket *b, int64_t n, int64_t latest, leat_reservation *ret)
{
	int64_t now = leat_now(), old = load(&b->_full_at);
	int r;

	do {
		r = leat__bucket_plan(b, old, now, n, latest, ret);
		/* Relaxed: the tokens guard nothing in memory. */
	} while (r >= 0 && !atomic_compare_exchange_weak_explicit(full_at(b), &old, ret->_full_at,
								  memory_order_relaxed,
								  memory_order_relaxed));
	return r;
}

int leat_bucket_reserve(leat_bucket *b, int64_t n, int64_t deadline, leat_reservation *ret)
{
	leat_reservation reservation;
	int r;

	check(__func__, b, n);
	r = reserve(b, n, deadline, &reservation);
	if (r < 0)
		return r;
	*ret = reservation;
	return 0;
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

void leat__bucket_undo(leat_bucket *b, leat_reservation *reservation)
{
	int64_t mine = reservation->_full_at;

	leat_bucket_give_back(b, reservation);
	if (reservation->_cost > 0) /* its time has come */
		atomic_compare_exchange_strong_explicit(full_at(b), &mine,
							mine - reservation->_cost,
							memory_order_relaxed, memory_order_relaxed);
}

int leat_bucket_try_take(leat_bucket *b, int64_t n)
{
	leat_reservation reservation;
	int r;

	check(__func__, b, n);
	r = reserve(b, n, LEAT__BUCKET_NOW, &reservation);
	return r == -ETIMEDOUT ? -EAGAIN : r;
}

int leat_bucket_take_until(leat_bucket *b, int64_t n, int64_t deadline)
{
	leat_reservation reservation;
	int r;

	check(__func__, b, n);
	if (leat_cancelled())
		return -ECANCELED;
	r = reserve(b, n, deadline, &reservation);
	if (r <= 0)
		return r;
	r = leat_sleep_until(reservation.when);
	if (r < 0)
		leat__bucket_undo(b, &reservation);
	return r;
}

int leat_bucket_take(leat_bucket *b, int64_t n)
{
	return leat_bucket_take_until(b, n, LEAT_FOREVER);
}

double leat_bucket_tokens(const leat_bucket *b)
{
	int64_t now = leat_now() * TICKS, full = load(&b->_full_at), interval = load(&b->_interval);
	int64_t missing = full > now ? full - now : 0;

	return load_burst(b) - (double)missing / (double)interval;
}
