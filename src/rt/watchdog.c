/*
 * The watchdog: a thread that looks every TICK_NS at what each worker does.
 *
 * A worker that has picked no task for STUCK_NS and is not idle is stuck: its task computes or
 * blocks the thread.  What waits behind it is served nevertheless:
 *   G1	its LIFO slot and run queue go to the injector, and its timers fire into it, at each
 *	tick; and unless somebody sleeps in the poller, the watchdog looks there: who fell
 *	asleep while the stuck one looked does so elsewhere
 *   G2	when no worker is idle or searching, a spare one is called, as many as are stuck,
 *	up to LEAT__SPARES
 * A spare is a worker like any other, with an index above those that were asked for.  It
 * takes part in everything, and polls.  Out of work, with no timers, and nobody stuck, it retires:
 * it leaves the search (I9 in idle.c) and sleeps outside of the idle list, until it is called
 * again.  rt->nworkers only grows, so who walks the workers sees every spare.
 *
 * With all workers idle nothing can be stuck.  After IDLE_TICKS of that the watchdog sleeps
 * until one leaves the idle list:
 *   G3	watchdog: idle_lock; all are idle: state = ASLEEP; unlock; sleep
 *   G4	worker, at I7, under the same lock: ASLEEP: state = AWAKE, and wake it
 */
#include "rt/watchdog.h"

#include <string.h>

#include "port/sys.h"
#include "rt/idle.h"
#include "rt/look.h"
#include "rt/park.h"
#include "rt/poll.h"
#include "rt/timer.h"

#define TICK_NS (4 * LEAT_MS)
#define STUCK_NS (10 * LEAT_MS)
enum { IDLE_TICKS = 25 };

#ifdef LEAT_CHECKING
enum { HAS_WATCHDOG = 0 };	/* in virtual time nothing lasts */
#else
enum { HAS_WATCHDOG = 1 };
#endif

/* What the watchdog saw of a worker. */
struct seen {
	uint32_t tick;
	int64_t since;		/* when it saw that tick first */
	bool stuck;
};

/* Only its owner writes it, plainly; an old value is good enough. */
static __attribute__((noinline, no_sanitize_thread)) uint32_t tick_of(const struct leat__worker *w)
{
	return *(const volatile uint32_t *)&w->tick;
}

static __attribute__((noinline, no_sanitize_thread)) struct leat__task *
task_of(const struct leat__worker *w)
{
	return *(struct leat__task *const volatile *)&w->cur;
}

/* It sleeps, or is about to look for work. */
static bool is_idle(struct leat__worker *w)
{
	bool idle;

	leat__lock_acquire(&w->rt->idle_lock, LEAT__RANK_IDLE);
	idle = w->idle || w->retired;
	leat__lock_release(&w->rt->idle_lock);
	return idle;
}

static void name_it(struct leat__runtime *rt, const struct leat__worker *w)
{
	char name[sizeof(rt->stuck_name)];

	leat__look_name(&rt->watchdog_probe, task_of(w), name, sizeof(name));
	for (size_t i = 0; i < sizeof(name); i++)
		leat__store_relaxed(&rt->stuck_name[i], name[i]);
}

/* Whether w is stuck. */
static bool look_at(struct leat__worker *w, struct seen *seen, int64_t now)
{
	uint32_t tick = tick_of(w);

	if (seen->since == 0 || tick != seen->tick || is_idle(w)) {
		seen->tick = tick;
		seen->since = now;
		seen->stuck = false;
		leat__store_relaxed(&w->stuck_since, 0);
	} else if (!seen->stuck && now - seen->since >= STUCK_NS) {
		seen->stuck = true;
		leat__store_relaxed(&w->stuck_since, seen->since);
		name_it(w->rt, w);
		leat__fetch_add(&w->rt->stuck, 1);
	}
	return seen->stuck;
}

/* G1 */
static void rescue(struct leat__worker *w, int64_t now)
{
	struct leat__runtime *rt = w->rt;
	struct leat__task *t = leat__load_relaxed(&w->lifo);
	bool lost = false, any = false;

	if (t && leat__cas(&w->lifo, t, NULL)) {
		leat__injector_push(rt, t, t, 1);
		any = true;
	}
	while ((t = leat__deque_steal(&w->deque, &lost)) != NULL) {
		leat__injector_push(rt, t, t, 1);
		any = true;
	}
	if (leat__load_relaxed(&w->wheel.next) <= now)
		leat__wheel_fire(&w->wheel, now);
	if (any)
		leat__wake_for_injector(rt);
	leat__poll_look(w);
}

/* G2 */
static void call_spare(struct leat__runtime *rt, uint32_t stuck)
{
	struct leat__worker *w = NULL;
	int n = rt->nasked + rt->nspares;
	bool wanted;

	leat__lock_acquire(&rt->idle_lock, LEAT__RANK_IDLE);
	wanted = rt->nidle + rt->nsearching == 0 &&
		 (uint32_t)(rt->nspares - rt->nretired) < stuck;
	for (int i = rt->nasked; wanted && rt->nretired > 0 && !w && i < n; i++)
		if (rt->worker[i]->retired)
			w = rt->worker[i];
	if (w) {
		/* It searches from now on; nobody else need be woken. */
		w->retired = false;
		rt->nretired--;
		rt->nsearching++;
		leat__store_relaxed(&rt->need_wake, 0);
	}
	leat__lock_release(&rt->idle_lock);
	if (w)
		leat__wake_worker(w);
	else if (wanted && rt->nspares < LEAT__SPARES)
		(void)leat__spare_start(rt); /* no memory, no thread: the next tick tries again */
}

/* Spares that sleep as ordinary workers may retire now. */
static void dismiss(struct leat__runtime *rt)
{
	for (int i = rt->nasked, n = leat__nworkers(rt); i < n; i++)
		leat__wake_worker(rt->worker[i]);
}

/* Returns how many are stuck. */
static uint32_t look_at_all(struct leat__runtime *rt, struct seen *seen)
{
	int64_t now = leat__clock();
	uint32_t stuck = 0;

	for (int i = 0, n = leat__nworkers(rt); i < n; i++) {
		if (!look_at(rt->worker[i], &seen[i], now))
			continue;
		stuck++;
		rescue(rt->worker[i], now);
	}
	leat__store_relaxed(&rt->stuck_now, stuck);
	return stuck;
}

/* G3: sleeps until the next tick, or as long as all are idle. */
static void wait_for_tick(struct leat__runtime *rt, uint32_t *idle_ticks)
{
	uint32_t state = LEAT__WATCHDOG_AWAKE;

	leat__lock_acquire(&rt->idle_lock, LEAT__RANK_IDLE);
	if (rt->nidle + rt->nretired < leat__nworkers(rt))
		*idle_ticks = 0;
	else if (++*idle_ticks > IDLE_TICKS &&
		 leat__cas(&rt->watchdog_state, state, LEAT__WATCHDOG_ASLEEP))
		state = LEAT__WATCHDOG_ASLEEP;
	leat__lock_release(&rt->idle_lock);
	leat__futex_wait(&rt->watchdog_state, state,
			 state == LEAT__WATCHDOG_ASLEEP ? INT64_MAX : leat__clock() + TICK_NS);
}

static void *watchdog_main(void *arg)
{
	struct seen seen[LEAT__MAX_WORKERS + LEAT__SPARES];
	struct leat__runtime *rt = arg;
	uint32_t idle_ticks = 0, stuck = 0, before;

	memset(seen, 0, sizeof(seen));
	leat__thread_set_name("leat-watchdog");
	while (leat__load_acquire(&rt->watchdog_state) != LEAT__WATCHDOG_STOP) {
		before = stuck;
		stuck = look_at_all(rt, seen);
		if (stuck > 0)
			call_spare(rt, stuck);
		else if (before > 0)
			dismiss(rt);
		wait_for_tick(rt, &idle_ticks);
	}
	return NULL;
}

int leat__watchdog_start(struct leat__runtime *rt)
{
	int r;

	if (rt->sim || !HAS_WATCHDOG)
		return 0;
	(void)leat__probe_open(&rt->watchdog_probe);
	r = (int)LEAT__SYS(leat__thread_start(&rt->watchdog, watchdog_main, rt));
	rt->has_watchdog = r == 0;
	if (r < 0)
		leat__probe_close(&rt->watchdog_probe);
	return r;
}

void leat__watchdog_stop(struct leat__runtime *rt)
{
	if (!rt->has_watchdog)
		return;
	leat__store_release(&rt->watchdog_state, LEAT__WATCHDOG_STOP);
	leat__futex_wake(&rt->watchdog_state, 1);
	leat__thread_join(rt->watchdog);
	leat__probe_close(&rt->watchdog_probe);
	rt->has_watchdog = false;
}
