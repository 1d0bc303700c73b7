/*
 * Ticker: a wait without a stack in the root group for each tick.
 *
 * Two own the ticker: its user until leat_ticker_stop, and the wait that is set.
 * The wait's record is in task, from the moment at which its timer may fire
 * until its run takes it out, both under the lock; so stop may claim it.
 *
 *   tick	T1 claimed by its timer: lock, task = NULL, unlock
 *		T2 stopped, or cancelled with the root group: give up our share
 *		T3 send the time, if there is room
 *		T4 make the next record; lock; stopped: T2; task = it, set its timer
 *		   and arm it; unlock
 *   stop	T5 lock; stopped; claim task, if any, as cancelled; unlock
 *		T6 make it ready: it gives up its share; close the channel; give up ours
 * Lock order: the ticker's before the wheel's.
 */
#include <errno.h>

#include "rt/idle.h"
#include "rt/spawn.h"
#include "rt/timer.h"
#include "sync/chan.h"

struct leat_ticker {
	struct leat__lock lock;
	uint32_t refs;		/* (a) */
	bool stopped;		/* (L) */
	struct leat__task *task; /* (L) the wait that is set */
	leat_channel *chan;	/* (c) */
	int64_t period;		/* (c) */
	int64_t next;		/* (o) of the tick: when it is due */
};

/* The arguments of a tick. */
struct tick {
	struct leat__timer timer;
	leat_ticker *ticker;
};

static void unref(leat_ticker *ticker)
{
	if (leat__fetch_sub(&ticker->refs, 1) != 1)
		return;
	leat_channel_unref(ticker->chan);
	leat__free(ticker, sizeof(*ticker));
}

static struct leat__task *fire(struct leat__timer *timer)
{
	struct leat__task *t = leat__task_of_args(timer);

	return leat__claim(t, LEAT__CLAIM_DONE) ? t : NULL;
}

static int tick_run(void *args);

static const leat_task_type tick_type = { "leat_ticker", tick_run, sizeof(struct tick) };

/* T4: 0, or an error and there will be no tick. */
static int set(leat_ticker *ticker)
{
	struct leat__worker *w;
	struct leat__task *t;
	struct tick *tick;
	bool mine;
	int r;

	t = leat__wait_create(leat__rt->root, &tick_type, sizeof(*tick), LEAT__WHY_AFTER, &r);
	if (!t)
		return r;
	tick = leat__args(t);
	*tick = (struct tick){ .timer = { .deadline = ticker->next, .fire = fire },
			       .ticker = ticker };
	leat__list_init(&tick->timer.node);
	w = leat__self();
	leat__lock_acquire(&ticker->lock, LEAT__RANK_OBJECT);
	if (ticker->stopped) {
		mine = true;
	} else {
		ticker->task = t;
		mine = leat__timer_set_wait(w ? &w->wheel : &leat__rt->worker[0]->wheel,
					    &tick->timer, t);
	}
	leat__lock_release(&ticker->lock);
	if (mine)
		leat__ready_fifo(t);
	leat__notify_timer(w);
	return 0;
}

/* T3; next: the first beat of the rhythm that is still to come. */
static void tick(leat_ticker *ticker)
{
	int64_t now = leat__time_now(), late = now - ticker->next;

	/* Full: the receiver is slow, and the tick is dropped. */
	(void)!leat_channel_try_send(ticker->chan, &now);
	if (__builtin_add_overflow(ticker->next, late / ticker->period * ticker->period,
				   &ticker->next) ||
	    __builtin_add_overflow(ticker->next, ticker->period, &ticker->next))
		ticker->next = LEAT_FOREVER;
}

static int tick_run(void *args)
{
	struct tick *me = args;
	struct leat__task *t = leat__task_of_args(args);
	leat_ticker *ticker = me->ticker;
	bool cancelled = leat__load_acquire(&t->claim) == LEAT__CLAIM_CANCELED, over;

	leat__lock_acquire(&ticker->lock, LEAT__RANK_OBJECT);
	ticker->task = NULL;					/* T1 */
	over = ticker->stopped || cancelled;
	leat__lock_release(&ticker->lock);
	if (cancelled)
		leat__timer_unset(&me->timer);
	while (!over) {
		int r;

		tick(ticker);
		r = set(ticker);
		if (r == 0)
			return 0;
		/* No memory for a record: wait on the stack that we have. */
		over = r != -ENOMEM || leat_sleep_until(ticker->next) < 0;
	}
	unref(ticker);						/* T2 */
	return 0;
}

int leat_ticker_create(leat_ticker **ret_ticker, int64_t period)
{
	leat_ticker *ticker;
	int r;

	if (!ret_ticker)
		leat__misuse(ret_ticker, "ret_ticker is NULL; give it a place for the ticker");
	if (period <= 0)
		leat__misuse(ret_ticker, "the period is %lld ns; it must be above 0",
			     (long long)period);
	if (!leat__rt)
		leat__misuse(ret_ticker,
			     "no runtime is running; call it inside leat_run or LEAT_MAIN");
	ticker = leat__alloc(sizeof(*ticker));
	if (!ticker)
		return -ENOMEM;
	*ticker = (leat_ticker){ .refs = 2, .period = period, .next = leat_in(period) };
	ticker->chan = leat_channel_create(sizeof(int64_t), 1, NULL, "leat_ticker_create");
	r = ticker->chan ? set(ticker) : -ENOMEM;
	if (r == -ENOMEM) {
		leat_channel_unref(ticker->chan);
		leat__free(ticker, sizeof(*ticker));
		return r;
	}
	if (r < 0)
		unref(ticker); /* the root group is cancelled: it never ticks */
	*ret_ticker = ticker;
	return 0;
}

leat_channel *leat_ticker_channel(leat_ticker *ticker)
{
	if (!ticker)
		leat__misuse(ticker, "the ticker is NULL; make it with leat_ticker_create");
	return ticker->chan;
}

void leat_ticker_stop(leat_ticker *ticker)
{
	struct leat__task *t;
	bool stopped;

	if (!ticker)
		leat__misuse(ticker, "the ticker is NULL; make it with leat_ticker_create");
	leat__lock_acquire(&ticker->lock, LEAT__RANK_OBJECT);	/* T5 */
	stopped = ticker->stopped;
	ticker->stopped = true;
	t = ticker->task;
	if (t && !leat__claim(t, LEAT__CLAIM_CANCELED))
		t = NULL;
	leat__lock_release(&ticker->lock);
	if (stopped)
		leat__misuse(ticker, "the ticker is stopped already; stop it once");
	if (t)
		leat__ready_fifo(t);				/* T6 */
	leat_channel_close(ticker->chan);
	unref(ticker);
}
