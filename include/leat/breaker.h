/*
 * Circuit breaker: after some failures in a row it lets nobody through for a while, then a few to
 * see whether it goes again.
 *
 *	r = leat_breaker_enter(&breaker, &ticket);
 *	if (r == 0) {
 *		r = call();
 *		leat_breaker_leave(&breaker, ticket, r);
 *	}
 *
 * Closed, it costs two loads a call.  A struct of the caller's, with nothing to be destroyed; any
 * task or thread; none of the calls blocks.  The clock is leat_now, so simulation controls it.
 */
#ifndef LEAT_BREAKER_H
#define LEAT_BREAKER_H

#include <leat/time.h>

/* The circuit breaker is open.  Clear of every errno. */
#define LEAT_EOPEN (-4099)

enum leat_breaker_state {
	LEAT_BREAKER_CLOSED,	/* all calls go through */
	LEAT_BREAKER_OPEN,	/* none does */
	LEAT_BREAKER_HALF_OPEN,	/* some do, to try */
};

typedef struct leat_breaker_options {
	size_t size;		/* sizeof(leat_breaker_options) */
	int failures;		/* so many, with no success between, open it; 1 to 1000 */
	int64_t open_for;	/* ns that it is open; > 0 */
	int probes;		/* half-open, so many calls at once; 1 to 1000 */
	int successes;		/* so many of them close it; one failure opens it; 1 to 1000 */
} leat_breaker_options;

#define LEAT_BREAKER_OPTIONS(...) LEAT__OPTIONS(leat_breaker_options, __VA_ARGS__)

typedef struct leat_breaker {
	uint64_t _state;
	int64_t _open_until;
	leat_breaker_options _options;
} leat_breaker;

/* Of a call that was let through. */
typedef uint32_t leat_breaker_ticket;

/*
 * leat_breaker_call(breaker, fn, arg): enter, int fn(T *arg), leave with what it returned.  That,
 * or LEAT_EOPEN, and fn was not called.
 */
#ifndef __cplusplus
#define leat_breaker_call(breaker, fn, arg)                                   \
	leat_breaker_run((breaker), (int (*)(void *))(void (*)(void))_Generic((fn), \
			int (*)(__typeof__(*(arg)) *): (fn)), (arg))
#else
#define leat_breaker_call(breaker, fn, arg)                                   \
	leat_breaker_run((breaker), (int (*)(void *))(void (*)(void))         \
		static_cast<int (*)(decltype(+(arg)))>(fn), (arg))
#endif

LEAT_BEGIN_DECLS

LEAT_API int leat_breaker_run(leat_breaker *breaker, int (*fn)(void *arg), void *arg);

/* Closed.  0, or -EINVAL: an option is bad, and the log says which; all must be given. */
LEAT_API LEAT_MUST_CHECK int leat_breaker_init(leat_breaker *breaker,
					       const leat_breaker_options *options);

/*
 * 0, and leat_breaker_leave is owed; or LEAT_EOPEN: do not call.  Half-open, who does not come back
 * keeps a probe's place for ever: give what can hang a leat_timeout, inside the breaker.
 */
LEAT_API LEAT_MUST_CHECK int leat_breaker_enter(leat_breaker *breaker,
						leat_breaker_ticket *ret_ticket);

/*
 * How the call ended: result < 0 is a failure, but -ECANCELED is neither that nor a success.  Calls
 * that were let through before the breaker last changed its state do not count any more.
 */
LEAT_API void leat_breaker_leave(leat_breaker *breaker, leat_breaker_ticket ticket, int result);

/* A snapshot.  Open also when its time is over, until somebody tries. */
LEAT_API enum leat_breaker_state leat_breaker_state_of(const leat_breaker *breaker);

LEAT_END_DECLS

#endif
