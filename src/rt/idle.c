/*
 * Idle workers.
 *
 * Waking a core costs more than a thousand messages between tasks on one core,
 * and tasks that talk are best kept together.  So a task that has just been made ready
 * is left to its own worker for a while; only a backlog that lasts is moved
 * (steal.c).  But no ready task may wait long while a worker is idle, even if the
 * task that made it ready computes for a second without another call.
 *
 * An idle worker is in one of three states:
 *   spinning	looks at the other queues every few microseconds, for SPIN_NS or,
 *		while that finds nothing, half as long each time
 *   dozing	sleeps and looks, first after DOZE_MIN_NS, then at doubling
 *		intervals up to DOZE_MAX_NS, as long as anything is pushed anywhere
 *   asleep	in the idle list, until somebody wakes it
 * The first two are "searching".  While anyone searches, pushers need not wake
 * anyone: they see need_wake == 0, and a searcher sees what they pushed at its next
 * look.  One searcher dozes, the others go to sleep.
 *
 *   push	I1 put the task into the own queue, or several; or back into it, or from the
 *		   slot into it
 *		I2 light fence
 *		I3 read need_wake; set: take a sleeper from the list, count it as
 *		   searching, clear need_wake, wake it (one pusher wins, under idle_lock)
 *   sleep	I4 lock; into the list; searching -= 1; need_wake = (searching == 0); unlock
 *		I5 heavy fence: pairs with I2
 *		I6 look into all queues once more; something there: I7, search on
 *		I8 sleep until woken, or until the first timer
 *   leave	I7 lock; out of the list, if still in; searching += 1, need_wake = 0; unlock
 *   found	I9 a searcher that found work: searching -= 1; it was the last and others
 *		   sleep: need_wake = 1, heavy fence, and wake the next if more is queued,
 *		   or if no sleeper is left that knows of the timers
 * Either I3 sees need_wake, or I6 sees the task.  Threads that are no workers push
 * to the injector and do the same.
 *
 * A spare (watchdog.c) that nobody needs leaves the search as in I9 and sleeps outside of the list,
 * with nothing queued and no timers; it counts as one that is in it.
 *
 * I10: when all workers are in the list, I6 found nothing, no timer is set and
 * nothing outside can wake a task, nobody ever will: deadlock.
 */
#include "rt/idle.h"

#include "rt/deadlock.h"
#include "rt/park.h"
#include "rt/poll.h"
#include "rt/sim.h"
#include "rt/steal.h"
#include "rt/timer.h"
#include "rt/worker.h"

enum { LINE = 64, FRAME_LINES = 6 }; /* of a cache; of a parked task's frames */
#define SPIN_NS INT64_C(20000)
#define LOOK_NS INT64_C(2000)
#define PENDING_NS INT64_C(10000)
#define DOZE_MIN_NS INT64_C(50000)
#define DOZE_MAX_NS INT64_C(800000)

/*
 * The injector is a queue of chains: the tasks of a chain are linked by next, and the
 * first of them knows the next chain.  A worker that has nothing else takes a
 * whole chain, so that a million tasks do not pass through one lock one by one, and
 * walks it outside of the lock.
 */
static struct leat__task **next_chain(struct leat__task *first)
{
	/* What neither a task in a queue nor its stack needs. */
	return first->stack ? &first->stack->chain : &first->chain;
}

void leat__injector_push(struct leat__runtime *rt, struct leat__task *first,
			 struct leat__task *last, uint32_t n)
{
	last->next = NULL;
	*next_chain(first) = NULL;
	leat__lock_acquire(&rt->injector_lock, LEAT__RANK_QUEUE);
	if (rt->injector_last)
		*next_chain(rt->injector_last) = first;
	else
		rt->injector_first = first;
	rt->injector_last = first;
	leat__fetch_add(&rt->injector_len, n);
	leat__lock_release(&rt->injector_lock);
}

/* The first chain, now a mere list; or, with one, its first task.  NULL: none is there. */
static struct leat__task *injector_remove(struct leat__runtime *rt, bool one)
{
	struct leat__task *first, *follows;

	if (leat__likely(leat__load_relaxed(&rt->injector_len) == 0))
		return NULL;
	leat__lock_acquire(&rt->injector_lock, LEAT__RANK_QUEUE);
	first = rt->injector_first;
	if (first) {
		follows = *next_chain(first);
		*next_chain(first) = NULL;
		if (one && first->next) {
			*next_chain(first->next) = follows;
			follows = first->next;
			if (rt->injector_last == first)
				rt->injector_last = follows;
		}
		rt->injector_first = follows;
		if (!follows)
			rt->injector_last = NULL;
	}
	leat__lock_release(&rt->injector_lock);
	return first;
}

struct leat__task *leat__injector_pop(struct leat__runtime *rt)
{
	struct leat__task *t = injector_remove(rt, true);

	if (t)
		leat__fetch_sub(&rt->injector_len, 1);
	return t;
}

/* t will run soon, and has perhaps not been looked at for a long time. */
static inline void prefetch_task(struct leat__task *t)
{
	const char *at = (const char *)t, *stack = (const char *)t->stack;
	const char *sp = leat__load_relaxed(&t->sp);

	__builtin_prefetch(at + LINE, 1);
	if (!stack) {
		__builtin_prefetch(at + 2 * LINE, 1);
		return;
	}
	__builtin_prefetch(stack, 1);
	for (int i = 0; i < FRAME_LINES && sp && sp < stack; i++, sp += LINE)
		__builtin_prefetch(sp, 1);
}

struct leat__task *leat__injector_take(struct leat__worker *w)
{
	struct leat__task *first = injector_remove(w->rt, false), *t, *next;
	uint32_t n = 1;

	if (leat__likely(!first))
		return NULL;
	prefetch_task(first);
	for (t = first->next; t; t = next, n++) {
		next = t->next;
		prefetch_task(t);
		if (leat__unlikely(!leat__deque_push(&w->deque, t)))
			leat__push_overflow(w, t);
	}
	leat__fetch_sub(&w->rt->injector_len, n);
	if (n > 1)
		leat__notify(w); /* others may steal them: I1 */
	return first;
}

void leat__wake_worker(struct leat__worker *w)
{
	leat__store_release(&w->futex, 1);	/* Q4 in poll.c */
	if (!leat__poll_wake(w))
		leat__futex_wake(&w->futex, 1);
}

/* Out of the list; under idle_lock. */
static void unlist(struct leat__runtime *rt, struct leat__worker *w)
{
	struct leat__worker **link = &rt->idle;

	while (*link != w)
		link = &(*link)->idle_next;
	*link = w->idle_next;
	w->idle = false;
	rt->nidle--;
	if (rt->timekeeper == w->index)
		rt->timekeeper = -1;
}

void leat__wake_one(struct leat__runtime *rt)
{
	struct leat__worker *w = NULL;

	leat__lock_acquire(&rt->idle_lock, LEAT__RANK_IDLE);
	if (rt->nsearching == 0 && rt->idle) {
		w = rt->idle;
		/* The timekeeper last: somebody else would have to take over. */
		if (w->index == rt->timekeeper && w->idle_next)
			w = w->idle_next;
		unlist(rt, w);
		rt->nsearching++;
		leat__store_relaxed(&rt->need_wake, 0);
	}
	leat__lock_release(&rt->idle_lock);
	if (w) {
		struct leat__worker *me = leat__self();

		if (me)
			leat__count(&me->counters.wakes, 1);
		leat__wake_worker(w);
	}
}

void leat__notify_timer(struct leat__worker *w)
{
	if (w) {
		leat__notify(w);
		return;
	}
	leat__wake_worker(leat__rt->worker[0]);
	leat__wake_for_injector(leat__rt);
}

void leat__wake_for_injector(struct leat__runtime *rt)
{
	struct leat__worker *w;

	leat__fence_light(); /* I2: pairs with I5 */
	if (leat__load_relaxed(&rt->need_wake)) {
		leat__wake_one(rt);
		return;
	}
	w = leat__load_relaxed(&rt->dozing);
	if (w)
		leat__wake_worker(w);
}

static uint32_t all_pushes(struct leat__runtime *rt)
{
	uint32_t sum = 0;

	for (int i = 0; i < leat__nworkers(rt); i++)
		sum += leat__load_relaxed(&rt->worker[i]->pushes);
	return sum;
}

/* Whether the last look saw something that may yet be stolen. */
static bool anything_pending(const struct leat__worker *w)
{
	for (int i = 0; i < leat__nworkers(w->rt); i++)
		if (i != w->index && leat__steal_pending(w, w->rt->worker[i]))
			return true;
	return false;
}

/* Work that is there now. */
static struct leat__task *look(struct leat__worker *w, int64_t now)
{
	struct leat__runtime *rt = w->rt;
	int n = leat__nworkers(rt), start = (int)leat__random_below(&w->random, (uint32_t)n);
	struct leat__task *t;

	leat__poll_look(w);
	t = leat__pick(w);
	for (int i = 0; !t && i < n; i++) {
		struct leat__worker *v = rt->worker[(start + i) % n];

		if (v == w)
			continue;
		t = leat__steal_from(w, v, now);
		/* A busy worker's timers are late; fire them into our queue. */
		if (!t && leat__load_relaxed(&v->wheel.next) <= now &&
		    leat__wheel_fire(&v->wheel, now) > 0)
			t = leat__pick(w);
	}
	return t;
}

static void searching_begin(struct leat__runtime *rt)
{
	leat__lock_acquire(&rt->idle_lock, LEAT__RANK_IDLE);
	rt->nsearching++;
	leat__store_relaxed(&rt->need_wake, 0);
	leat__lock_release(&rt->idle_lock);
}

/* I6: anything at all, however fresh. */
static bool anything_queued(struct leat__worker *w)
{
	struct leat__runtime *rt = w->rt;

	if (leat__load_relaxed(&rt->injector_len) > 0 || leat__load_relaxed(&w->inbox_len) > 0 ||
	    leat__load_relaxed(&rt->stopping))
		return true;
	for (int i = 0; i < leat__nworkers(rt); i++) {
		struct leat__worker *v = rt->worker[i];

		if (leat__deque_len(&v->deque) > 0 || leat__load_relaxed(&v->lifo))
			return true;
	}
	return false;
}

/* Sleepers only know of timers that the timekeeper knows of: is it gone, and is one set? */
static bool timers_unwatched(struct leat__runtime *rt)
{
	if (rt->timekeeper >= 0)
		return false;
	for (int i = 0; i < leat__nworkers(rt); i++)
		if (leat__load_relaxed(&rt->worker[i]->wheel.count) > 0)
			return true;
	return false;
}

/* I9 */
static void searching_found(struct leat__worker *w)
{
	struct leat__runtime *rt = w->rt;
	bool last = false, unwatched = false;

	leat__lock_acquire(&rt->idle_lock, LEAT__RANK_IDLE);
	rt->nsearching--;
	if (rt->nsearching == 0 && rt->nidle > 0) {
		leat__store_relaxed(&rt->need_wake, 1);
		last = true;
		unwatched = timers_unwatched(rt);
	}
	leat__lock_release(&rt->idle_lock);
	if (!last)
		return;
	if (!LEAT__MUTANT(FOUND_NO_FENCE))
		leat__fence_heavy(); /* pairs with I2: what saw need_wake == 0 is seen here */
	if (unwatched || (!LEAT__MUTANT(FOUND_NO_RECHECK) && anything_queued(w)))
		leat__wake_one(rt);
}

/*
 * When w must wake for timers: its own, and as the timekeeper those of others,
 * somewhat later: normally they fire them themselves, but they may be computing.
 */
static int64_t first_timer(struct leat__worker *w, bool timekeeper)
{
	struct leat__runtime *rt = w->rt;
	int64_t first = leat__load_relaxed(&w->wheel.next);

	for (int i = 0; timekeeper && i < leat__nworkers(rt); i++) {
		int64_t next = leat__load_relaxed(&rt->worker[i]->wheel.next);

		if (next < first - DOZE_MAX_NS)
			first = next + DOZE_MAX_NS;
	}
	return first;
}

/*
 * Until when w may sleep; under idle_lock, after I5.  One sleeper is the timekeeper.
 * When it has fallen asleep for longer than a timer that was set afterwards, whoever
 * was woken for that takes over.
 */
static int64_t wake_time(struct leat__worker *w)
{
	struct leat__runtime *rt = w->rt;
	int64_t first = first_timer(w, true);

	if (!w->idle || (rt->timekeeper >= 0 && rt->timekeeper_until <= first))
		return first_timer(w, false);
	rt->timekeeper = w->index;
	rt->timekeeper_until = first;
	return first;
}

/*
 * Sleeps unless woken already; takes the wake-up.  deep: events wake it, too.  A searcher
 * that dozes looks for them itself, while the worker that runs may be quicker.
 */
static void sleep_until(struct leat__worker *w, int64_t deadline, bool deep)
{
	leat__count(&w->counters.sleeps, 1);
	if (leat__load_acquire(&w->futex) == 0 && !(deep && leat__poll_sleep(w, deadline)))
		leat__futex_wait(&w->futex, 0, deadline);
	leat__store_relaxed(&w->futex, 0);
	w->clock = leat__clock();
}

/* I10; under idle_lock. */
static bool is_deadlock(struct leat__runtime *rt)
{
	/*
	 * Acquire: pairs with who counts down.  What that thread has pushed before is
	 * seen below.
	 */
	if (rt->nidle + rt->nretired < leat__nworkers(rt) ||
	    leat__load_acquire(&rt->attached) > 0 ||
	    leat__load_acquire(&rt->external) > 0)
		return false;
	for (int i = 0; i < leat__nworkers(rt); i++) {
		struct leat__worker *v = rt->worker[i];

		if (leat__load_relaxed(&v->wheel.count) > 0 ||
		    leat__load_relaxed(&v->inbox_len) > 0)
			return false;
	}
	return leat__load_relaxed(&rt->injector_len) == 0;
}

/* I4 to I8.  Returns searching again. */
static void sleep_deep(struct leat__worker *w)
{
	struct leat__runtime *rt = w->rt;
	bool deadlock, watchdog;
	int64_t deadline;

	leat__lock_acquire(&rt->idle_lock, LEAT__RANK_IDLE);	/* I4 */
	w->idle = true;
	w->idle_next = rt->idle;
	rt->idle = w;
	rt->nidle++;
	rt->nsearching--;
	leat__store_relaxed(&rt->need_wake, rt->nsearching == 0);
	leat__lock_release(&rt->idle_lock);

	if (!LEAT__MUTANT(SLEEP_NO_FENCE))
		leat__fence_heavy();				/* I5 */
	if (LEAT__MUTANT(SLEEP_NO_RECHECK) || !anything_queued(w)) { /* I6 */
		leat__lock_acquire(&rt->idle_lock, LEAT__RANK_IDLE);
		/* One of the workers reports it. */
		deadlock = !rt->deadlocked && is_deadlock(rt);
		rt->deadlocked |= deadlock;
		deadline = wake_time(w);
		leat__lock_release(&rt->idle_lock);
		if (deadlock)
			leat__deadlock(rt);
		else
			sleep_until(w, deadline, true);		/* I8 */
	}

	leat__lock_acquire(&rt->idle_lock, LEAT__RANK_IDLE);	/* I7 */
	if (w->idle) {
		unlist(rt, w);
		rt->nsearching++;
		leat__store_relaxed(&rt->need_wake, 0);
	} else {
		w->spin_ns = SPIN_NS; /* woken for work: more may come */
	}
	watchdog = leat__load_relaxed(&rt->watchdog_state) == LEAT__WATCHDOG_ASLEEP &&
		   leat__cas(&rt->watchdog_state, LEAT__WATCHDOG_ASLEEP, LEAT__WATCHDOG_AWAKE);
	leat__lock_release(&rt->idle_lock);
	if (watchdog)						/* G4 in watchdog.c */
		leat__futex_wake(&rt->watchdog_state, 1);
}

/* Looks once, then every LOOK_NS for ns, and longer while something is to be confirmed. */
static struct leat__task *spin(struct leat__worker *w, int64_t ns)
{
	int64_t now = leat__clock(), until = now + ns;
	struct leat__task *t;

	for (;;) {
		w->clock = now;
		t = look(w, now);
		if (t || leat__load_relaxed(&w->rt->stopping))
			return t;
		if (now >= until && !(now < until + PENDING_NS && anything_pending(w)))
			return NULL;
		do
			leat__cpu_pause();
		while (leat__clock() < now + LOOK_NS);
		now = leat__clock();
	}
}

/* Spins for as long as that has paid of late. */
static struct leat__task *spin_adaptive(struct leat__worker *w)
{
	struct leat__task *t = spin(w, 0);

	if (t || w->spin_ns < LOOK_NS)
		return t;
	t = spin(w, w->spin_ns);
	w->spin_ns = t ? SPIN_NS : w->spin_ns / 2;
	return t;
}

/* Sleeps between looks as long as others push.  One worker at a time. */
static struct leat__task *doze(struct leat__worker *w)
{
	struct leat__runtime *rt = w->rt;
	struct leat__task *t = NULL;
	int64_t interval = DOZE_MIN_NS;
	uint32_t pushes = all_pushes(rt), before;
	bool pending;

	if (!leat__cas(&rt->dozing, (struct leat__worker *)NULL, w))
		return NULL;
	do {
		int64_t now = leat__clock(), until = now + interval;
		int64_t timer = first_timer(w, true);

		sleep_until(w, timer < until ? timer : until, false);
		before = pushes;
		pushes = all_pushes(rt);
		t = spin(w, 0);
		pending = anything_pending(w);
		if (pending)
			interval = w->confirm_ns;
		else if (interval < DOZE_MAX_NS)
			interval *= 2;
	} while (!t && (pending || pushes != before) && !leat__load_relaxed(&rt->stopping));
	leat__store_relaxed(&rt->dozing, NULL);
	return t;
}

/* Whether anybody is there to push; idle workers do so only when they have been woken. */
static bool others_run(struct leat__runtime *rt)
{
	bool run;

	leat__lock_acquire(&rt->idle_lock, LEAT__RANK_IDLE);
	run = rt->nidle + rt->nsearching + rt->nretired < leat__nworkers(rt);
	leat__lock_release(&rt->idle_lock);
	return run;
}

/* A spare (watchdog.c) that nobody needs any more. */
static bool may_retire(const struct leat__worker *w)
{
	return w->index >= w->rt->nasked && leat__load_relaxed(&w->rt->stuck_now) == 0 &&
	       leat__load_relaxed(&w->wheel.count) == 0;
}

/* It sleeps until it is called; then it searches again. */
static void retire(struct leat__worker *w)
{
	struct leat__runtime *rt = w->rt;
	bool last, retired = true;

	leat__lock_acquire(&rt->idle_lock, LEAT__RANK_IDLE);
	w->retired = true;
	rt->nretired++;
	last = rt->nidle + rt->nretired == leat__nworkers(rt);
	leat__lock_release(&rt->idle_lock);
	searching_found(w);
	if (last)
		leat__wake_one(rt); /* I10 is for the last one that sleeps */
	while (retired && !leat__load_relaxed(&rt->stopping)) {
		sleep_until(w, INT64_MAX, false);
		leat__lock_acquire(&rt->idle_lock, LEAT__RANK_IDLE);
		retired = w->retired;
		leat__lock_release(&rt->idle_lock);
	}
	if (!retired)
		return;
	leat__lock_acquire(&rt->idle_lock, LEAT__RANK_IDLE);
	if (w->retired) {
		w->retired = false;
		rt->nretired--;
		rt->nsearching++;
	}
	leat__lock_release(&rt->idle_lock);
}

struct leat__task *leat__find_work(struct leat__worker *w)
{
	struct leat__runtime *rt = w->rt;
	struct leat__task *t = NULL;

	leat__scope_flush(w); /* N1 */
	if (leat__unlikely(rt->sim != NULL))
		return leat__sim_find_work(w);
	leat__steal_judge(w, leat__clock());
	searching_begin(rt);
	while (!leat__load_relaxed(&rt->stopping)) {
		bool alone = leat__nworkers(rt) == 1;

		leat__worker_timers(w);
		t = alone ? leat__pick(w) : spin_adaptive(w);
		if (!t && !alone && others_run(rt))
			t = doze(w);
		if (t)
			break;
		if (leat__unlikely(may_retire(w)))
			retire(w);
		else
			sleep_deep(w);
	}
	searching_found(w);
	return leat__load_relaxed(&rt->stopping) ? NULL : t;
}
