/*
 * The poller of a runtime.
 *
 * It is made when the first descriptor is registered.  A worker waits in it
 * instead of on its futex when it goes to sleep and nobody else does; the
 * others are woken by it, or look themselves:
 *   - searchers at each look, busy workers every LOOK_NS, or every LOOK_FULL_NS while they
 *     have much to do already;
 *   - nobody looks while somebody sleeps in it.
 *
 *   sleep	Q1 poller_worker: NULL -> w, by CAS; not NULL: sleep on the futex
 *		Q2 read w.futex: woken already; else wait in the poller
 *		Q3 poller_worker = NULL; hand out the events
 *   wake	Q4 w.futex = 1
 *		Q5 full fence
 *		Q6 read poller_worker: w: wake the poller; else the futex
 * Either Q2 sees the futex word or Q6 sees w (Q1 is a full fence).  A poller that is
 * woken for a worker that has left it wakes the next sleeper for nothing.
 */
#include "rt/poll.h"

#include <errno.h>

#include "rt/idle.h"

#define LOOK_NS INT64_C(50000)
#define LOOK_FULL_NS INT64_C(1000000)
enum { EVENTS = 64, AHEAD = 8 };

static int open_poller(struct leat__runtime *rt)
{
	int r = 0;

	leat__lock_acquire(&rt->poll_lock, LEAT__RANK_MEMORY);
	if (!rt->has_poller) {
		r = leat__poller_open(&rt->poller);
		/* Release: pairs with the acquire in has_poller; poller is filled in. */
		if (r == 0)
			leat__store_release(&rt->has_poller, true);
	}
	leat__lock_release(&rt->poll_lock);
	return r;
}

static bool has_poller(struct leat__runtime *rt)
{
	return leat__load_acquire(&rt->has_poller);
}

int leat__poll_add(struct leat__runtime *rt, int fd, struct leat__pollable *p)
{
	int r = has_poller(rt) ? 0 : open_poller(rt);

	if (r < 0)
		return r;
	/* Before it, so that whoever gets its events has this to pair with: see hand_out. */
	leat__fetch_add(&rt->npolled, 1);
	r = leat__poller_add(&rt->poller, fd, p);
	if (r < 0) {
		leat__fetch_sub(&rt->npolled, 1);
		return r;
	}
	/* A worker sleeps in it sooner or later; who sleeps already must be told by a thread. */
	if (!leat__self())
		leat__wake_one(rt);
	return 0;
}

void leat__poll_remove(struct leat__runtime *rt, int fd)
{
	leat__poller_remove(&rt->poller, fd);
	leat__fetch_sub(&rt->npolled, 1);
}

void leat__poll_fini(struct leat__runtime *rt)
{
	if (rt->has_poller)
		leat__poller_close(&rt->poller);
}

/* Acquire: pairs with leat__poll_add; the poller is there. */
static bool is_used(struct leat__runtime *rt)
{
	return leat__load_acquire(&rt->npolled) > 0;
}

static void hand_out(struct leat__runtime *rt, const struct leat__event *events, int n)
{
	/*
	 * Acquire: pairs with leat__poll_add; what was registered is filled in.  The kernel orders
	 * that, too, but no tool sees it in a system call of ours.
	 */
	(void)leat__load_acquire(&rt->npolled);
	for (int i = 0; i < n; i++) {
		struct leat__pollable *p = events[i].data;

		if (i + 2 * AHEAD < n)
			__builtin_prefetch(events[i + 2 * AHEAD].data, 1);
		if (i + AHEAD < n) {
			const struct leat__pollable *next = events[i + AHEAD].data;

			next->ops->prefetch(next);
		}
		p->ops->ready(p, events[i].what);
	}
}

void leat__poll_look(struct leat__worker *w)
{
	struct leat__runtime *rt = w->rt;
	struct leat__event events[EVENTS];
	int n;

	if (!is_used(rt) || !leat__cas(&rt->poller_worker, (struct leat__worker *)NULL, w))
		return;
	n = leat__poller_wait(&rt->poller, events, EVENTS, 0);
	leat__store_release(&rt->poller_worker, NULL);
	hand_out(rt, events, n);
}

void leat__poll_often(struct leat__worker *w)
{
	int64_t now, pause = LOOK_NS;

	if (leat__likely(leat__load_relaxed(&w->rt->npolled) == 0))
		return;
	/*
	 * The kernel keeps events in order, but what the deque cannot hold waits in the injector
	 * until the deque is empty: so not more than it can hold.
	 */
	if (leat__deque_len(&w->deque) > LEAT__DEQUE_CAP / 2)
		pause = LOOK_FULL_NS;
	now = leat__clock();
	if (now - w->polled_at < pause)
		return;
	w->polled_at = now;
	leat__poll_look(w);
}

bool leat__poll_sleep(struct leat__worker *w, int64_t deadline)
{
	struct leat__runtime *rt = w->rt;
	struct leat__event events[EVENTS];
	int n = 0;

	if (!is_used(rt) ||
	    !leat__cas(&rt->poller_worker, (struct leat__worker *)NULL, w))	/* Q1 */
		return false;
	if (leat__load_acquire(&w->futex) == 0)				/* Q2 */
		n = leat__poller_wait(&rt->poller, events, EVENTS, deadline);
	leat__store_release(&rt->poller_worker, NULL);			/* Q3 */
	hand_out(rt, events, n);
	return true;
}

bool leat__poll_wake(struct leat__worker *w)
{
	leat__fence_full();						/* Q5: pairs with Q1 */
	if (leat__load_relaxed(&w->rt->poller_worker) != w)		/* Q6 */
		return false;
	leat__poller_wake(&w->rt->poller);
	return true;
}
