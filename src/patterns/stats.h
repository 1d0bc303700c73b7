/*
 * Attribution: see leat/stats.h.
 *
 * A leat__meter belongs to one worker and is written by the task that works for it, one at a time;
 * a version (odd while it is written) lets anybody read it.  A leat__limits and a leat__times are
 * of all workers of a stage, and are added to atomically: when a limited time ends, and sample by
 * sample.
 */
#ifndef LEAT_PATTERNS_STATS_H
#define LEAT_PATTERNS_STATS_H

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <leat/leat.h>
#include <leat/stats.h>

/* A timed item costs some 100 ns: two or three looks at the clock, and the histogram. */
enum { LEAT__SAMPLE_ONE_IN = 1024, LEAT__TIME_SLOTS = 8 * 48 };

/* Neither meters nor ledgers: for bench/ alone, which measures what they cost. */
#ifdef LEAT_BENCH_BARE
enum { LEAT__IS_BARE = 1 };
#else
enum { LEAT__IS_BARE = 0 };
#endif

/* A meter's states: of limited there is one for each limit, leat__limited. */
enum { LEAT__METER_STATES = (int)LEAT_STAGE_LIMITED + (int)LEAT_STAGE_LIMITS };

/* Times in states of leat__limited that have ended. */
struct leat__limits {
	_Atomic int64_t time[LEAT_STAGE_LIMITS];
};

struct leat__meter {
	_Atomic uint32_t version;
	_Atomic int state;
	_Atomic int64_t since;	/* it is in this state; 0: not begun */
	_Atomic int64_t time[LEAT_STAGE_STATES]; /* in states that have ended */
	struct leat__limits *limits; /* (c) NULL: it is never in a state of leat__limited */
};

/* Which items are timed. */
struct leat__sampler {
	uint32_t stride;	/* those that are not between two that are */
	uint32_t skip;		/* of those, still to come */
};

/* A histogram of times. */
struct leat__times {
	_Atomic uint32_t slot[LEAT__TIME_SLOTS];
};

/* From now, a time that the caller has read, on in that state.  The first call starts the meter. */
void leat__meter_enter_at(struct leat__meter *meter, int state, int64_t now);
/* Ends the present state, and is in none. */
void leat__meter_stop(struct leat__meter *meter);
/* Adds what the meter has at now to sum, of limited times that have ended without their limit. */
void leat__meter_read(struct leat__meter *meter, int64_t sum[LEAT__METER_STATES], int64_t now);
/* How long it has run in all. */
int64_t leat__meter_total(struct leat__meter *meter, int64_t now);
/* After all meters: sets apart those whose limit is no rate. */
void leat__limits_read(struct leat__limits *limits, int64_t sum[LEAT__METER_STATES]);

void leat__times_add(struct leat__times *times, int64_t ns, uint32_t weight);
/* The time that share (0 to 1) of the samples do not exceed; -1: none. */
int64_t leat__times_percentile(struct leat__times *times, double share);

/*
 * Fills in the times from the sum of all meters, and the percentiles.  What is not attributed
 * (workers x elapsed) is starved.  The sum for LEAT_LIMIT_KEY is how long items have waited for one
 * of their key (leat__keys_waited).
 */
void leat__stats_finish(leat_stage_stats *stats, int64_t sum[LEAT__METER_STATES],
			struct leat__times *service, struct leat__times *queue);

/*
 * Fills in the caller's leat_stage_stats or leat_ledger, up to the size that its first member says:
 * what is in ours, of size bytes, behind that member.  -EINVAL: it is too small to say so.
 */
static inline int leat__fill(void *theirs, const void *ours, size_t size)
{
	size_t wanted = *(size_t *)theirs;

	if (wanted < sizeof(wanted))
		return -EINVAL;
	if (wanted < size)
		size = wanted;
	memcpy((size_t *)theirs + 1, (const size_t *)ours + 1, size - sizeof(size));
	return 0;
}

static inline void leat__meter_enter(struct leat__meter *meter, int state)
{
	if (!LEAT__IS_BARE)
		leat__meter_enter_at(meter, state, leat_now());
}

/* The state of one that is. */
static inline int leat__limited(enum leat_stage_limit by)
{
	return (int)LEAT_STAGE_LIMITED + (int)by;
}

/* From now on, if it was not. */
static inline void leat__meter_is_in(struct leat__meter *meter, int state)
{
	if (atomic_load_explicit(&meter->state, memory_order_relaxed) != state)
		leat__meter_enter(meter, state);
}

/* When an item's work begins: the time, if it is one to be timed; else 0. */
static inline int64_t leat__sample_begin(struct leat__sampler *sampler)
{
	if (LEAT__IS_BARE)
		return 0;
	if (sampler->skip > 0) {
		sampler->skip--;
		return 0;
	}
	return leat_now();
}

/* How many are not timed until the next is, if one took ns: while items are slow each is timed. */
static inline uint32_t leat__next_stride(uint32_t stride, int64_t ns)
{
	if (ns > 10 * LEAT_US)
		return 0;
	return stride < LEAT__SAMPLE_ONE_IN - 1 ? 2 * stride + 1 : stride;
}

/*
 * And when it ends.  A sample stands for those before it that were not timed; so a fast one among
 * slow ones, of which each is timed, stands for itself alone, and the next are timed, too.
 */
static inline void leat__sample_end(struct leat__sampler *sampler, struct leat__times *service,
				    int64_t begin)
{
	int64_t ns;

	if (begin == 0)
		return;
	ns = leat_now() - begin;
	leat__times_add(service, ns, sampler->stride + 1);
	sampler->stride = leat__next_stride(sampler->stride, ns);
	sampler->skip = sampler->stride;
}

/* Items that come so slowly that a clock read for each costs nothing. */
static inline bool leat__is_slow(const struct leat__sampler *sampler)
{
	return sampler->stride == 0;
}

#endif
