/*
 * Attribution: where the time of a pattern's stages goes, which of them holds up the others, and
 * what would help.
 *
 *	stage    workers items   busy starved blocked limited  service p50 / p99  queue p50 / p99
 *	read           1 10000    4 %     0 %    96 %     0 %   400 ns / 900 ns        - / -
 *	resize         4 10000  100 %     0 %     0 %     0 %     1 ms / 1.2 ms   2.4 ms / 2.9 ms
 *	store          1 10000   21 %    79 %     0 %     0 %    52 us / 60 us      1 us / 3 us
 *	widen resize: its 4 workers are busy 100 % of the time
 *
 * A worker is in one of four states at any time; those that were never needed are starved.  The
 * clock is read when a state changes by waiting; service and queueing times are sampled (one
 * item in 1,024; each one while they take longer than 10 us) in steps of an eighth of an octave, so
 * a percentile is at most 12.5 % too high.
 */
#ifndef LEAT_STATS_H
#define LEAT_STATS_H

#include <leat/base.h>

enum leat_stage_state {
	LEAT_STAGE_BUSY,	/* in the user's function, also where that waits itself */
	LEAT_STAGE_STARVED,	/* there is nothing to do */
	LEAT_STAGE_BLOCKED,	/* what is done cannot be handed on */
	LEAT_STAGE_LIMITED,	/* by one of leat_stage_limit */
	LEAT_STAGE_STATES,
};

enum leat_stage_limit {
	LEAT_LIMIT_RATE,	/* or a pause */
	LEAT_LIMIT_WINDOW,	/* in order: the window is full, its first item is not done yet */
	LEAT_LIMIT_AHEAD,	/* an ordered flat function: ahead are made, it is not their turn */
	LEAT_LIMIT_LIVE,	/* a source: all items that may be live are */
	LEAT_LIMIT_LIVE_BYTES,	/* the same of their bytes */
	/* Items wait for one of their key, and for a key is what the workers without one wait. */
	LEAT_LIMIT_KEY,
	LEAT_STAGE_LIMITS,
};

/* Of an array the first one's size counts, as the distance of one to the next. */
typedef struct leat_stage_stats {
	size_t size;		/* in: sizeof(leat_stage_stats) */
	const char *name;
	int workers;		/* the most at once */
	uint64_t items;		/* whose work has ended */
	int64_t elapsed;	/* ns, from its start to now or its end */
	int64_t time[LEAT_STAGE_STATES]; /* ns, of all workers: together elapsed x workers */
	int64_t service_p50, service_p99; /* ns of the user's function; -1: not known */
	int64_t queue_p50, queue_p99; /* ns from handed on by the stage before; -1: not known */
	enum leat_stage_limit limit; /* by which it is limited most, if it is */
	int64_t limit_time;	/* ns, of time[LEAT_STAGE_LIMITED] */
	uint64_t limit_size;	/* of a window, of ahead, of live: items, or bytes; else 0 */
} leat_stage_stats;

LEAT_BEGIN_DECLS

/*
 * The stage that holds up the others: the busiest or most limited one, if it is so for half of its
 * time or more.  Its index; -1: none, the load comes from outside, or is held up there.  A source
 * waits for live items whoever holds them up: so it is named if no stage is busy or limited for
 * nine tenths of its time, and none below it is blocked for half of it.
 */
LEAT_API int leat_stage_bottleneck(const leat_stage_stats *stages, size_t n);

/*
 * The table above, and a line that names that stage and what helps: to widen it; or, if a fifth of
 * what holds it up or more is a limit, for which more workers would wait as well, one of
 *
 *	raise the limit of fetch: it is limited 97 % of the time
 *	widen the window of order (64): its 4 workers wait for the item at its head 67 % of the time
 *	raise ahead of split (2): its 4 workers wait for their items' turn 67 % of the time
 *	raise live: 8 items are all out, and count waits for them 95 % of the time
 *	raise live_bytes: 4096 bytes are all out, and count waits for them 95 % of the time
 *	split the keys of store: its 4 workers wait for keys that are worked on 75 % of the time
 *
 * The length of the whole text, as snprintf(3).  Neither blocks.
 */
LEAT_API int leat_stage_explain(const leat_stage_stats *stages, size_t n, char *text, size_t size);

LEAT_END_DECLS

#endif
