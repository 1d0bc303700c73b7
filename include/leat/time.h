/*
 * Time: int64_t nanoseconds of the monotonic clock.  Every deadline is
 * absolute; LEAT_FOREVER never comes.  A call whose deadline is over takes what is there, or
 * returns -ETIMEDOUT without a wait.  Under simulation the clock is virtual.
 *
 *	leat_sleep(20 * LEAT_MS);
 *	r = leat_chan_recv_until(chan, &v, leat_in(3 * LEAT_S));
 */
#ifndef LEAT_TIME_H
#define LEAT_TIME_H

#include <leat/base.h>

#define LEAT_US INT64_C(1000)
#define LEAT_MS INT64_C(1000000)
#define LEAT_S INT64_C(1000000000)
#define LEAT_FOREVER INT64_MAX

LEAT_BEGIN_DECLS

/* The current time.  Never blocks. */
LEAT_API int64_t leat_now(void);

/* The deadline that lies ns from now; saturates at LEAT_FOREVER. */
LEAT_API int64_t leat_in(int64_t ns);

/*
 * Block the caller for ns nanoseconds, or until the given time.  Never early;
 * ordinarily late by less than 100 us; in a crowd of more than 256 timers a
 * millisecond by up to 0.6 ms.  ns <= 0, or a time in the past, yields.
 *
 * Return 0, or -ECANCELED as soon as the task's group is cancelled.
 */
LEAT_API int leat_sleep(int64_t ns);
LEAT_API int leat_sleep_until(int64_t when);

/*
 * Runs fn(arg) as a task of group (NULL: the root group) at the given time,
 * without a stack until then: a record of about 128 bytes waits.  The group's
 * wait covers it; when the group is cancelled first, fn never runs.  arg is
 * the caller's to keep alive until the group has been joined.
 *
 * Returns 0, or -ENOMEM, -ECANCELED (group already cancelled): then fn will
 * not run.  Does not block, except in a group with a limit: the wait takes one of
 * its places, as a spawn does.
 */
LEAT_API LEAT_MUST_CHECK int leat_after(leat_group *group, int64_t when,
					int (*fn)(void *arg), void *arg);

/*
 * A ticker sends the time (int64_t, see leat_now()) on a channel of capacity
 * 1, every period ns; a tick that finds the channel full is dropped, so a slow
 * receiver gets the latest rhythm, not a backlog.
 *
 * leat_ticker_create: *ret_ticker is the caller's, to be given to
 * leat_ticker_stop, which closes the channel.  period must be > 0.
 * Returns 0 or -ENOMEM.  Neither call blocks.
 */
typedef struct leat_ticker leat_ticker;

LEAT_API LEAT_MUST_CHECK int leat_ticker_create(leat_ticker **ret_ticker, int64_t period);
LEAT_API void leat_ticker_stop(leat_ticker *ticker);

/* The ticker's channel, of int64_t; valid until leat_ticker_stop. */
LEAT_API leat_channel *leat_ticker_channel(leat_ticker *ticker);

LEAT_END_DECLS

#endif
