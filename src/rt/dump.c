/*
 * leat_dump: every task, worker and thread outside; and the counters.  How it looks
 * at what others change meanwhile is in look.h.
 */
#include <errno.h>
#include <string.h>

#include "rt/dump.h"
#include "rt/look.h"
#include "rt/park.h"

/* Reads what only its owner writes, plainly: an old value is good enough. */
#define RACY __attribute__((noinline, no_sanitize_thread))

static const char *const state_name[] = {
	[LEAT__FREE] = "free",	     [LEAT__READY] = "ready",	[LEAT__RUNNING] = "running",
	[LEAT__INLINE] = "joining", [LEAT__PARKED] = "blocked", [LEAT__WAITING] = "waiting",
};

static void dump_wait(struct leat__look *l, const struct leat__task *t, const struct leat__task *at)
{
	int64_t since = t->wait_since;

	if (t->state == LEAT__PARKED &&
	    (!t->stack || !leat__look_at(l, &since, &t->stack->wait_since)))
		return;
	leat__say(l, " ");
	leat__say_time(l, l->now - since);
	leat__say(l, ": ");
	leat__say_wait(l, t, at);
	if (t->state == LEAT__PARKED)
		leat__say_site(l, t);
}

/* It goes on when the task that it runs on top of itself has ended. */
static void dump_inline(struct leat__look *l, const struct leat__task *t,
			const struct leat__task *at)
{
	const struct leat__task *top = leat__look_top(l, t, at);

	if (top) {
		leat__say(l, ": below ");
		leat__say_task_at(l, top);
	}
}

static void dump_task(struct leat__look *l, const struct leat__task *t, const struct leat__task *at,
		      void *ctx)
{
	int number;

	(void)ctx;
	leat__say_task(l, t);
	if ((t->flags & LEAT__T_FOREIGN) &&
	    leat__look_at(l, &number, &leat__container_of(at, struct leat__thread, task)->number))
		leat__say(l, " %d", number);
	leat__say(l, " %s", t->state <= LEAT__WAITING ? state_name[t->state] : "?");
	if (t->state == LEAT__PARKED || t->state == LEAT__WAITING)
		dump_wait(l, t, at);
	else if (t->state == LEAT__INLINE)
		dump_inline(l, t, at);
	if (!(t->flags & LEAT__T_FOREIGN)) {
		leat__say(l, "; ");
		leat__say_group(l, t->scope);
	}
	leat__say(l, "\n");
}

void leat__dump_tasks(struct leat__look *l)
{
	leat__look_tasks(l, dump_task, NULL);
}

/* One field of what may be gone; 0 then. */
#define FIELD(l, ptr)                                                         \
	({                                                                    \
		__typeof__(*(ptr)) leat__v = 0;                               \
		leat__look_at((l), &leat__v, (ptr)) ? leat__v : 0;            \
	})

static void dump_worker(struct leat__look *l, struct leat__worker *w, int index)
{
	const struct leat__task *cur = FIELD(l, &w->cur);
	int64_t stuck_since = FIELD(l, &w->stuck_since);
	int32_t queued = (int32_t)(FIELD(l, &w->deque.bottom) - FIELD(l, &w->deque.top));

	leat__say(l, index < FIELD(l, &l->rt->nasked) ? "worker %d " : "spare worker %d ", index);
	if (cur) {
		leat__say(l, "running ");
		leat__say_task_at(l, cur);
		if (stuck_since > 0) {
			leat__say(l, ", stuck for ");
			leat__say_time(l, l->now - stuck_since);
		}
	} else {
		leat__say(l, FIELD(l, &w->idle) || FIELD(l, &w->retired) ? "asleep" : "searching");
	}
	leat__say(l, ": %d queued, %u of them pinned, %llu timers\n",
		  (queued > 0 ? queued : 0) + (FIELD(l, &w->lifo) ? 1 : 0) +
		  (int)FIELD(l, &w->inbox_len),
		  FIELD(l, &w->inbox_len), (unsigned long long)FIELD(l, &w->wheel.count));
}

static void add_counters(leat_stats *out, const struct leat__counters *c)
{
	out->spawned += c->spawned;
	out->ended += c->ended;
	out->refused += c->refused;
	out->parked += c->parked;
	out->switches += c->switches;
	out->steals += c->steals;
	out->wakes += c->wakes;
	out->sleeps += c->sleeps;
	out->timers += c->timers;
}

/* What of w is needed for the counters. */
struct part {
	struct leat__counters counters;
	struct leat__task *cur;
	struct leat__stack *stack, *reserve;
	uint32_t stack_count;
};

static RACY void read_part(struct part *part, const struct leat__worker *w)
{
	part->counters = w->counters;
	part->cur = w->cur;
	part->stack = w->stack;
	part->reserve = w->reserve;
	part->stack_count = w->stack_count;
}

static bool look_at_part(struct leat__look *l, struct part *part, const struct leat__worker *w)
{
	return leat__look_at(l, &part->counters, &w->counters) &&
	       leat__look_at(l, &part->cur, &w->cur) &&
	       leat__look_at(l, &part->stack, &w->stack) &&
	       leat__look_at(l, &part->reserve, &w->reserve) &&
	       leat__look_at(l, &part->stack_count, &w->stack_count);
}

static void add_part(leat_stats *out, const struct part *part, const struct leat__worker *w,
		     uint64_t *unused)
{
	add_counters(out, &part->counters);
	*unused += part->stack_count + (part->reserve ? 1 : 0);
	/* A scheduler loop stands on a stack, too. */
	if (!part->cur && part->stack && part->stack != &w->native)
		++*unused;
}

static void add_stacks(leat_stats *out, uint64_t made, uint64_t large, uint64_t unused)
{
	out->stacks = made + large;
	out->stacks_in_use = out->stacks > unused ? out->stacks - unused : 0;
}

static void dump_counters(struct leat__look *l)
{
	struct leat__runtime *rt = l->rt;
	uint64_t unused = FIELD(l, &rt->stacks_pooled);
	int n = FIELD(l, &rt->nworkers);
	leat_stats s = { 0 };
	struct part part;

	for (int i = 0; i < n && i < LEAT__MAX_WORKERS + LEAT__SPARES; i++) {
		struct leat__worker *w = FIELD(l, &rt->worker[i]);

		if (w && look_at_part(l, &part, w))
			add_part(&s, &part, w, &unused);
	}
	add_stacks(&s, FIELD(l, &rt->stacks_made), FIELD(l, &rt->stacks_large), unused);
	leat__say(l, "counters: spawned %llu, ended %llu, refused %llu, parked %llu, "
		  "switches %llu, ",
		  (unsigned long long)s.spawned, (unsigned long long)s.ended,
		  (unsigned long long)s.refused, (unsigned long long)s.parked,
		  (unsigned long long)s.switches);
	leat__say(l, "steals %llu, wakes %llu, sleeps %llu, timers %llu, stacks %llu, "
		  "in use %llu\n",
		  (unsigned long long)s.steals, (unsigned long long)s.wakes,
		  (unsigned long long)s.sleeps, (unsigned long long)s.timers,
		  (unsigned long long)s.stacks, (unsigned long long)s.stacks_in_use);
}

static void dump_pool(struct leat__look *l)
{
	struct leat__pool *pool = &l->rt->pool;
	uint32_t threads = FIELD(l, &pool->threads), unused = FIELD(l, &pool->free);
	uint32_t wanted = FIELD(l, &pool->wanted);

	if (threads > 0 || wanted > 0)
		leat__say(l, "threads for blocking calls: %u busy, %u idle; %u calls queued\n",
			  threads > unused ? threads - unused : 0, unused, wanted);
}

int leat_dump(int fd)
{
	struct leat__look l;

	leat__look_begin(&l, fd, false);
	if (!l.rt) {
		int r = leat__look_end(&l);

		return r < 0 ? r : -EINVAL;
	}
	leat__dump_tasks(&l);
	for (int i = 0, n = FIELD(&l, &l.rt->nworkers);
	     i < n && i < LEAT__MAX_WORKERS + LEAT__SPARES; i++) {
		struct leat__worker *w = FIELD(&l, &l.rt->worker[i]);

		if (w)
			dump_worker(&l, w, i);
	}
	dump_pool(&l);
	leat__say(&l, "%llu tasks, %u of them in the common queue; %llu threads attached "
		  "and not blocked\n",
		  (unsigned long long)l.tasks, FIELD(&l, &l.rt->injector_len),
		  (unsigned long long)FIELD(&l, &l.rt->attached));
	dump_counters(&l);
	return leat__look_end(&l);
}

static void add_pool(leat_stats *out, const struct leat__pool *pool)
{
	uint32_t unused = leat__load_relaxed(&pool->free);

	out->blocking_threads = leat__load_relaxed(&pool->threads);
	if (out->blocking_threads > unused)
		out->blocking_calls = out->blocking_threads - unused;
	out->blocking_queued = leat__load_relaxed(&pool->wanted);
}

int leat_stats_get(leat_stats *stats)
{
	leat_stats out = { .size = sizeof(out) };
	struct leat__runtime *rt = leat__rt;
	struct part part;
	uint64_t unused;

	leat__require(stats);
	if (!rt)
		return -EINVAL;
	unused = leat__load_relaxed(&rt->stacks_pooled);
	for (int i = 0; i < leat__nworkers(rt); i++) {
		read_part(&part, rt->worker[i]);
		add_part(&out, &part, rt->worker[i], &unused);
	}
	add_stacks(&out, leat__load_relaxed(&rt->stacks_made),
		   leat__load_relaxed(&rt->stacks_large), unused);
	out.workers = (uint64_t)rt->nasked;
	add_pool(&out, &rt->pool);
	out.spares = (uint64_t)(leat__nworkers(rt) - rt->nasked);
	out.stuck = leat__load_relaxed(&rt->stuck);
	out.stuck_now = leat__load_relaxed(&rt->stuck_now);
	for (size_t i = 0; i < sizeof(out.stuck_task) - 1; i++)
		out.stuck_task[i] = leat__load_relaxed(&rt->stuck_name[i]);
	if (stats->size < sizeof(out))
		out.size = stats->size;
	memcpy(stats, &out, out.size);
	return 0;
}
