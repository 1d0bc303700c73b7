/*
 * Adaptive concurrency: how many calls may be out at once is learnt from how they go.
 *
 *	leat_adaptive limit;
 *	leat_permit permit;
 *
 *	r = leat_adaptive_init(&limit, LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 1,
 *							     .initial = 10, .max = 200));
 *	r = leat_adaptive_acquire(&limit, &permit);
 *	if (r == 0) {
 *		r = call();
 *		leat_adaptive_release(&limit, &permit, r < 0 ? LEAT_OUTCOME_DROPPED
 *							      : LEAT_OUTCOME_SUCCESS);
 *	}
 *
 * Algorithms and their parameters are those of Netflix's concurrency-limits:
 *
 * Vegas (Brakmo, Peterson: TCP Vegas, 1995) compares latency with the least there has been: of
 * limit calls, limit x (1 - least / latency) wait in a queue somewhere.  Fewer than alpha: the
 * limit grows; more than beta: it falls.  So it stays where the queue is short, before anything
 * fails.
 *
 * AIMD adds 1 after a success and multiplies by backoff after a call that was dropped or slow.  It
 * needs something that fails, and goes up and down below where that begins.
 *
 * Neither grows by calls that begin while less than half of the limit is in use, and both stay
 * within min and max.  A change is judged by the calls that begin after it, so there is one in the
 * time that a call takes, however many end in it.  When the limit falls, calls that are out end as
 * they are, and new ones wait until there is room.
 *
 * What has been the least latency may be no more.  So Vegas measures it anew after about probe x
 * limit calls, with half of the limit in use for that time (twice a latency): in a queue that the
 * limit itself keeps up it would find only what is, and grow for ever.
 *
 * A struct of the caller's, with nothing to be destroyed; any task or thread; the clock is
 * leat_now and the generator leat_random, so simulation controls both.
 */
#ifndef LEAT_ADAPTIVE_H
#define LEAT_ADAPTIVE_H

#include <leat/sync.h>

enum leat_adaptive_algorithm {
	LEAT_VEGAS = 1,
	LEAT_AIMD,
};

/* How a call ended. */
enum leat_outcome {
	LEAT_OUTCOME_SUCCESS = 1, /* its latency counts */
	LEAT_OUTCOME_DROPPED,	/* refused for load, or timed out: the limit falls */
	LEAT_OUTCOME_IGNORED,	/* says nothing of load: an early error, a cancel */
};

typedef struct leat_adaptive_options {
	size_t size;		/* sizeof(leat_adaptive_options) */
	enum leat_adaptive_algorithm algorithm; /* must be given */
	int min, initial, max;	/* 1 <= min <= initial <= max <= 1,000,000; must be given */
	/*
	 * ns.  The calls that end in so long are one sample: their mean latency, the most that were
	 * out, and dropped if one of them was.  0: each is one.
	 */
	int64_t window;
	/*
	 * What a fall leaves of the limit: 0.5 to < 1.  AIMD: must be given.  Vegas: 0: it falls
	 * by log10 of itself.
	 */
	double backoff;
	/* AIMD: ns; longer counts as dropped; LEAT_FOREVER: nothing does; must be given. */
	int64_t slow;
	int alpha, beta;	/* Vegas; 0: 3 and 6 times log10 of the limit; alpha <= beta */
	double smoothing;	/* Vegas: how much of a change is made at once, to 1; 0: 1 */
	int probe;		/* Vegas: calls between two probes, by limit; 0: 30 */
} leat_adaptive_options;

#define LEAT_ADAPTIVE_OPTIONS(...) LEAT__OPTIONS(leat_adaptive_options, __VA_ARGS__)

typedef struct leat_adaptive {
	leat_adaptive_options _options;
	leat_sem _permits;	/* of max: those that are withheld are taken */
	leat_mutex _lock;	/* of all below; _lent is read without it */
	int64_t _granted, _lent;
	double _estimate;
	int64_t _least;
	int64_t _until_probe, _probe_at, _changed_at;
	int64_t _window_began, _calls, _latency, _most_out;
	bool _dropped;
} leat_adaptive;

/* Of one call that may be made. */
typedef struct leat_permit {
	int64_t _began, _out;
} leat_permit;

LEAT_BEGIN_DECLS

/* 0, or -EINVAL: an option is bad, and the log says which.  Not while it is in use. */
LEAT_API LEAT_MUST_CHECK int leat_adaptive_init(leat_adaptive *adaptive,
						const leat_adaptive_options *options);

/*
 * 0, and a release is owed; the latency counts from now.  Blocks until it is the caller's turn (in
 * the order of the calls) and there is room: -ECANCELED; until: not longer than to deadline,
 * -ETIMEDOUT; try: not at all, -EAGAIN, also while others wait.
 */
LEAT_API LEAT_MUST_CHECK int leat_adaptive_acquire(leat_adaptive *adaptive,
						   leat_permit *ret_permit);
LEAT_API LEAT_MUST_CHECK int leat_adaptive_acquire_until(leat_adaptive *adaptive, int64_t deadline,
							 leat_permit *ret_permit);
LEAT_API LEAT_MUST_CHECK int leat_adaptive_try_acquire(leat_adaptive *adaptive,
						       leat_permit *ret_permit);

/* Once for each permit, from any task.  May wait for others that release. */
LEAT_API void leat_adaptive_release(leat_adaptive *adaptive, leat_permit *permit,
				    enum leat_outcome outcome);

/* The limit, and the calls that are out: snapshots.  May wait for others that release. */
LEAT_API int leat_adaptive_limit(leat_adaptive *adaptive);
LEAT_API int leat_adaptive_out(leat_adaptive *adaptive);

LEAT_END_DECLS

#endif
