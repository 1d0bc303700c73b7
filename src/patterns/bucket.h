/*
 * Taking tokens, by arithmetic alone: for leat/bucket.h, where a compare-and-swap follows, and
 * leat/keyed.h, where a lock is held.
 */
#ifndef LEAT_PATTERNS_BUCKET_H
#define LEAT_PATTERNS_BUCKET_H

#include <leat/bucket.h>

enum { LEAT__BUCKET_TICKS = 16 }; /* a nanosecond */

/* A deadline with which nobody waits. */
#define LEAT__BUCKET_NOW INT64_MIN

/* leat_bucket_set, by function, which the log names. */
int leat__bucket_set(const char *function, leat_bucket *b, double rate, double burst);

/*
 * n tokens of a bucket that would be full at full_at (in ticks; the other times are in ns).  0:
 * they are there now; 1: not before ret->when, which is not after latest; the bucket becomes full
 * at ret->_full_at.  -ERANGE, -ETIMEDOUT: nothing is taken.
 */
int leat__bucket_plan(const leat_bucket *b, int64_t full_at, int64_t now, int64_t n,
		      int64_t latest, leat_reservation *ret);

/*
 * Gives back what a cancelled wait was for: also when its time has come, unless somebody has taken
 * tokens since: nobody knows then how much that would be.
 */
void leat__bucket_undo(leat_bucket *b, leat_reservation *reservation);

#endif
