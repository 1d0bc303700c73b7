/*
 * Simulation: one worker, and a seeded generator at every choice.
 *
 * All runnable tasks are in ready[], in the order in which they became runnable;
 * the next one is drawn from it.  Each operation of a task is a chance of
 * preemption.  Nothing depends on addresses or on the real clock, so a seed
 * replays.  Each choice takes CHOICE_NS of virtual time; when nothing is runnable, time
 * jumps to the first timer.
 */
#include "rt/sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rt/deadlock.h"
#include "rt/idle.h"
#include "rt/park.h"
#include "rt/poll.h"
#include "rt/timer.h"

enum { CHOICE_NS = 100, PREEMPT_ONE_IN = 3 };

struct leat__sim {
	uint64_t seed;
	uint64_t random;
	uint64_t hash;
	int64_t now;		/* (a) written by the worker; threads outside read it, too */
	struct leat__task *first, *last; /* runnable, oldest first */
	uint32_t n;
	struct leat__lock lock;
	struct leat__list events; /* (L) soonest first */
	leat_group *cancel;	/* to be cancelled at that park; NULL: none */
	uint64_t cancel_at;
	struct leat__sim_part *part[LEAT__SIM_PARTS]; /* (L) */
};

static bool is_real(void)
{
	const char *real = getenv("LEAT_SIM_REAL");

	return real && strcmp(real, "1") == 0;
}

struct leat__sim *leat__sim_create(uint64_t seed)
{
	struct leat__sim *sim = leat__alloc(sizeof(*sim));

	if (!sim)
		return NULL;
	memset(sim, 0, sizeof(*sim));
	sim->seed = seed;
	sim->random = seed;
	sim->now = LEAT_S;
	leat__list_init(&sim->events);
	return sim;
}

void leat__sim_destroy(struct leat__sim *sim)
{
	for (int i = 0; i < LEAT__SIM_PARTS; i++)
		if (sim->part[i])
			sim->part[i]->fini(sim->part[i]);
	leat__free(sim, sizeof(*sim));
}

uint64_t leat__sim_seed_of(const struct leat__sim *sim)
{
	return sim->seed;
}

const int64_t *leat__sim_clock(const struct leat__sim *sim)
{
	return &sim->now;
}

int64_t leat__sim_now(const struct leat__sim *sim)
{
	return leat__load_relaxed(&sim->now);
}

uint64_t leat__sim_hash(const struct leat__sim *sim)
{
	return sim->hash;
}

static void go_on(struct leat__sim *sim, int64_t ns)
{
	leat__store_relaxed(&sim->now, sim->now + ns);
}

uint32_t leat__sim_choose(struct leat__sim *sim, uint32_t n)
{
	uint32_t choice = leat__random_below(&sim->random, n);

	go_on(sim, CHOICE_NS);
	sim->hash = (sim->hash ^ choice ^ (uint64_t)n << 32) * 0x100000001b3u; /* FNV-1a */
	return choice;
}

uint64_t leat__sim_roll(struct leat__sim *sim, uint64_t n)
{
	if (n > UINT32_MAX || !leat__self())
		return leat_random(n);
	return leat__sim_choose(sim, (uint32_t)n);
}

struct leat__sim *leat__sim_io(void)
{
	struct leat__sim *sim = leat__rt ? leat__rt->sim : NULL;

	return sim && !is_real() ? sim : NULL;
}

struct leat__sim_part **leat__sim_part(struct leat__sim *sim, enum leat__sim_part_kind kind)
{
	return &sim->part[kind];
}

void leat__sim_lock(struct leat__sim *sim)
{
	leat__lock_acquire(&sim->lock, LEAT__RANK_SIM);
}

void leat__sim_unlock(struct leat__sim *sim)
{
	leat__lock_release(&sim->lock);
}

void leat__sim_event_add(struct leat__sim *sim, struct leat__sim_event *event)
{
	struct leat__list *at = &sim->events;

	/* From the end: most are later than all the others. */
	while (at->prev != &sim->events &&
	       leat__container_of(at->prev, struct leat__sim_event, node)->due > event->due)
		at = at->prev;
	leat__list_append(at, &event->node);
}

void leat__sim_event_remove(struct leat__sim_event *event)
{
	leat__list_remove(&event->node);
}

/* When the first event is due; INT64_MAX: there is none. */
static int64_t next_event(struct leat__sim *sim)
{
	int64_t due = INT64_MAX;

	leat__sim_lock(sim);
	if (!leat__list_is_empty(&sim->events))
		due = leat__container_of(sim->events.next, struct leat__sim_event, node)->due;
	leat__sim_unlock(sim);
	return due;
}

static void fire_events(struct leat__sim *sim)
{
	leat__sim_lock(sim);
	while (!leat__list_is_empty(&sim->events)) {
		struct leat__sim_event *event =
			leat__container_of(sim->events.next, struct leat__sim_event, node);

		if (event->due > sim->now)
			break;
		leat__list_remove(&event->node);
		event->fire(event);
	}
	leat__sim_unlock(sim);
}

bool leat__sim_preempts(struct leat__worker *w)
{
	return leat__sim_choose(w->rt->sim, PREEMPT_ONE_IN) == 0;
}

static void add(struct leat__sim *sim, struct leat__task *t)
{
	t->next = NULL;
	if (sim->last)
		sim->last->next = t;
	else
		sim->first = t;
	sim->last = t;
	sim->n++;
}

static struct leat__task *remove_at(struct leat__sim *sim, uint32_t i)
{
	struct leat__task *before = NULL, *t = sim->first;

	for (; i > 0; i--) {
		before = t;
		t = t->next;
	}
	if (before)
		before->next = t->next;
	else
		sim->first = t->next;
	if (!t->next)
		sim->last = before;
	sim->n--;
	return t;
}

/* Everything that was made ready since the last pick, oldest first. */
static void gather(struct leat__worker *w)
{
	struct leat__sim *sim = w->rt->sim;
	struct leat__task *t;

	while ((t = leat__injector_pop(w->rt)) != NULL)
		add(sim, t);
	while ((t = leat__deque_take(&w->deque)) != NULL)
		add(sim, t);
	t = leat__exchange(&w->lifo, NULL);
	if (t)
		add(sim, t);
	leat__lock_acquire(&w->inbox_lock, LEAT__RANK_QUEUE);
	for (t = w->inbox_first; t; t = w->inbox_first) {
		w->inbox_first = t->next;
		add(sim, t);
	}
	w->inbox_last = NULL;
	w->inbox_len = 0;
	leat__lock_release(&w->inbox_lock);
}

/* Choosing among a thousand is as good as among all, and keeps a step cheap. */
enum { WINDOW = 1024 };

/* leat_sim_cancel_at; between two tasks, as a deadline would. */
static void cancel_if_due(struct leat__worker *w)
{
	struct leat__sim *sim = w->rt->sim;
	leat_group *group = sim->cancel;

	if (!group || w->counters.parked < sim->cancel_at)
		return;
	sim->cancel = NULL;
	leat_group_cancel(group, 0);
}

struct leat__task *leat__sim_pick(struct leat__worker *w)
{
	struct leat__sim *sim = w->rt->sim;

	cancel_if_due(w);
	if (w->wheel.next <= sim->now)
		leat__count(&w->counters.timers, leat__wheel_fire(&w->wheel, sim->now));
	fire_events(sim);
	gather(w);
	if (sim->n == 0)
		return NULL;
	return remove_at(sim, leat__sim_choose(sim, sim->n < WINDOW ? sim->n : WINDOW));
}

/* When something will happen by itself; INT64_MAX: never. */
static int64_t next_time(struct leat__worker *w)
{
	int64_t event = next_event(w->rt->sim);

	return w->wheel.count > 0 && w->wheel.next < event ? w->wheel.next : event;
}

/*
 * Some task waits for what is not simulated (LEAT_SIM_REAL=1).  Virtual time takes as long
 * as the wait: a deadline is no earlier than it would be.  False: the first timer is due.
 */
static bool wait_outside(struct leat__worker *w)
{
	struct leat__sim *sim = w->rt->sim;
	int64_t step = LEAT_MS;

	if (next_time(w) - sim->now < step)
		step = next_time(w) - sim->now;
	if (step <= 0)
		return false;
	if (!leat__poll_sleep(w, leat__clock() + step))
		leat__futex_wait(&w->futex, 0, leat__clock() + step);
	leat__store_relaxed(&w->futex, 0);
	go_on(sim, step);
	return true;
}

struct leat__task *leat__sim_find_work(struct leat__worker *w)
{
	struct leat__runtime *rt = w->rt;
	struct leat__sim *sim = rt->sim;
	int64_t next;

	while (!leat__load_relaxed(&rt->stopping)) {
		struct leat__task *t = leat__sim_pick(w);

		if (t)
			return t;
		if (leat__load_relaxed(&rt->external) > 0 && wait_outside(w))
			continue;
		next = next_time(w);
		if (next != INT64_MAX) {
			if (next > sim->now)
				go_on(sim, next - sim->now);
			if (w->wheel.count > 0)
				leat__wheel_fire(&w->wheel, sim->now);
		} else if (leat__load_relaxed(&rt->attached) > 0) {
			/*
			 * A real thread will push, or waits for a time: this run is not
			 * replayable, and virtual time takes as long as the wait.
			 */
			leat__futex_wait(&w->futex, 0, leat__clock() + LEAT_MS);
			leat__store_relaxed(&w->futex, 0);
			go_on(sim, LEAT_MS);
		} else if (leat__load_relaxed(&rt->injector_len) == 0) {
			rt->deadlocked = true;
			leat__deadlock(rt);
		}
	}
	return NULL;
}

void leat__sim_real_only(const char *function)
{
	static uint32_t said; /* (a) */

	if (leat__likely(!leat__rt || !leat__rt->sim))
		return;
	if (!is_real())
		leat__misuse_at(function, NULL,
				"cannot be simulated; set LEAT_SIM_REAL=1 to allow it, then the run cannot be replayed");
	if (!leat__exchange(&said, 1))
		leat__log("%s: LEAT_SIM_REAL=1: this run is not replayable", function);
}

void leat_sim_cancel_at(leat_group *group, uint64_t n)
{
	struct leat__worker *w = leat__self();
	struct leat__sim *sim = w ? w->rt->sim : NULL;

	if (!sim)
		return;
	sim->cancel = n > 0 ? group : NULL;
	sim->cancel_at = w->counters.parked + n;
}

uint64_t leat_sim_seed(void)
{
	return leat__rt && leat__rt->sim ? leat__rt->sim->seed : 0;
}

uint64_t leat_random(uint64_t n)
{
	static uint64_t foreign; /* (a) */
	struct leat__worker *w = leat__self();
	uint64_t state;

	if (n == 0)
		leat__misuse(NULL, "n is 0; there is no number below it");
	if (w && w->rt->sim)
		return leat__random_next(&w->rt->sim->random) % n;
	if (w)
		return leat__random_next(&w->random) % n;
	state = leat__fetch_add(&foreign, 0x9e3779b97f4a7c15u) ^ leat__random_seed();
	return leat__random_next(&state) % n;
}

/* The set of hashes seen, to count distinct schedules: open addressing, half full at most. */
struct hash_set {
	uint64_t *slot;
	uint64_t cap, n;
};

static bool set_add(struct hash_set *set, uint64_t hash)
{
	uint64_t i;

	hash |= 1; /* 0 marks an empty slot */
	for (i = hash % set->cap; set->slot[i] != 0; i = (i + 1) % set->cap)
		if (set->slot[i] == hash)
			return false;
	set->slot[i] = hash;
	set->n++;
	return true;
}

uint64_t leat__sim_last_hash;

int leat_sim_run(const leat_options *options, int (*fn)(void *arg), void *arg, uint64_t first,
		 uint64_t n, leat_sim_report *report)
{
	struct hash_set set = { .cap = 2 * n + 1 };
	leat_sim_report out = { 0 };
	leat_options run = { .size = sizeof(run) };
	size_t bytes;
	int r = 0;

	leat__require(fn);
	if (!__builtin_mul_overflow(set.cap, sizeof(*set.slot), &bytes))
		set.slot = leat__process_alloc(bytes);
	if (!set.slot)
		return -ENOMEM;
	if (options)
		memcpy(&run, options, options->size < sizeof(run) ? options->size : sizeof(run));
	run.size = sizeof(run);
	run.abort_on_deadlock = false;
	for (uint64_t seed = first; r == 0 && seed < first + n; seed++) {
		if (seed == 0)
			continue;
		run.sim_seed = seed;
		r = leat_run(&run, fn, arg);
		out.runs++;
		set_add(&set, leat__sim_last_hash);
		if (r != 0) {
			out.failed_seed = seed;
			out.error = r;
			leat__log_hook = run.log; /* leat_run has taken it down */
			leat__log_ctx = run.log_ctx;
			leat__log("simulation failed: %s; seed %llu (replay with LEAT_SIM=%llu)",
				  leat_strerror(r), (unsigned long long)seed,
				  (unsigned long long)seed);
			leat__log_hook = NULL;
		}
	}
	out.distinct = set.n;
	leat__process_free(set.slot);
	if (report)
		*report = out;
	return r;
}
