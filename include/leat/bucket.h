/*
 * Token bucket: at most rate tokens a second over time, at most burst of them at once.
 *
 *	leat_bucket bucket;
 *
 *	r = leat_bucket_init(&bucket, 10, 20);		// 10/s, bursts of 20
 *	r = leat_bucket_take(&bucket, 1);		// waits for its turn
 *
 * It begins full.  Who waits is served in the order of the calls, at exact times: a waiter sleeps
 * until its own, whoever else comes.  A wait that is cancelled gives its tokens back.
 *
 * One word and one compare-and-swap (the generic cell rate algorithm, ITU-T I.371): no lock, and
 * nothing to be destroyed.  Any task or thread; the clock is leat_now, so simulation controls it.
 */
#ifndef LEAT_BUCKET_H
#define LEAT_BUCKET_H

#include <leat/time.h>

typedef struct leat_bucket {
	int64_t _full_at;	/* when it would be full again, in 1/16 ns */
	int64_t _interval;	/* 1/16 ns a token */
	double _burst;		/* tokens */
} leat_bucket;

/* Tokens that have been taken for a time to come. */
typedef struct leat_reservation {
	int64_t when;		/* the caller may act from then on */
	int64_t _full_at, _cost;
} leat_reservation;

LEAT_BEGIN_DECLS

/*
 * rate > 0 tokens a second (to 10^9), burst >= 1 (to a day's tokens).  0, or -EINVAL: one of them
 * is not, and the log says which.
 */
LEAT_API LEAT_MUST_CHECK int leat_bucket_init(leat_bucket *bucket, double rate, double burst);

/*
 * From now on; what has been taken stays so.  0 or -EINVAL, as leat_bucket_init.  Who takes at that
 * moment may see the new rate with the old burst.
 */
LEAT_API LEAT_MUST_CHECK int leat_bucket_set(leat_bucket *bucket, double rate, double burst);

/*
 * Take n > 0 tokens.  try: 0, or -EAGAIN if they are not there now.  take: waits until they
 * are; until: not longer than to deadline, and not at all if that would be too long: -ETIMEDOUT.
 * -ECANCELED: the task was cancelled before, and nothing was taken, or in the wait, and they have
 * been given back.  -ERANGE: n is more than the burst.
 */
LEAT_API LEAT_MUST_CHECK int leat_bucket_try_take(leat_bucket *bucket, int64_t n);
LEAT_API LEAT_MUST_CHECK int leat_bucket_take(leat_bucket *bucket, int64_t n);
LEAT_API LEAT_MUST_CHECK int leat_bucket_take_until(leat_bucket *bucket, int64_t n,
						    int64_t deadline);

/*
 * Takes n > 0 tokens for the time at which they will be there, *ret_reservation; 0, -ERANGE, or
 * -ETIMEDOUT: they are not there now, and that would be after deadline.  Does not block.
 *
 * leat_bucket_give_back: of a reservation that is not used.  Tokens are given back so far as no
 * later reservation counts on them.  Nothing, if its time has come.
 */
LEAT_API LEAT_MUST_CHECK int leat_bucket_reserve(leat_bucket *bucket, int64_t n, int64_t deadline,
						 leat_reservation *ret_reservation);
LEAT_API void leat_bucket_give_back(leat_bucket *bucket, leat_reservation *reservation);

/* Tokens that are there now; less than 0: so many have been taken in advance.  A snapshot. */
LEAT_API double leat_bucket_tokens(const leat_bucket *bucket);

LEAT_END_DECLS

#endif
