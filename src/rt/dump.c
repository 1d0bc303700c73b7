/*
 * leat_dump: every record of every slab that is not free.  It takes no lock
 * and calls only what is safe in a signal handler.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rt/park.h"
#include "rt/timer.h"

static const char *const state_name[] = {
	[LEAT__FREE] = "free",	     [LEAT__READY] = "ready",	[LEAT__RUNNING] = "running",
	[LEAT__INLINE] = "joining", [LEAT__PARKED] = "blocked", [LEAT__WAITING] = "waiting",
};

static int put(int fd, const char *text, size_t n)
{
	while (n > 0) {
		ssize_t k = write(fd, text, n);

		if (k < 0)
			return -EIO;
		text += k;
		n -= (size_t)k;
	}
	return 0;
}

static int dump_task(int fd, const struct leat__task *t)
{
	uint8_t state = leat__load_relaxed(&t->state), why = leat__load_relaxed(&t->why);
	const struct leat__stack *s = t->stack;
	char line[256];
	int n;

	n = snprintf(line, sizeof(line), "task %llu '%s' %s", (unsigned long long)t->id,
		     leat__task_name_of(t), state_name[state]);
	if (t->scope && t->scope->name)
		n += snprintf(line + n, sizeof(line) - (size_t)n, " group '%s'", t->scope->name);
	if ((state == LEAT__PARKED && s) || state == LEAT__WAITING)
		n += snprintf(line + n, sizeof(line) - (size_t)n, ": %s", leat__why_name[why]);
	if (state == LEAT__PARKED && s)
		n += snprintf(line + n, sizeof(line) - (size_t)n, " %p for %lld us",
			      s->wait_object, (long long)(leat_now() - s->wait_since) / 1000);
	line[n++] = '\n';
	return put(fd, line, (size_t)n);
}

int leat_dump(int fd)
{
	struct leat__runtime *rt = leat__rt;
	int r = 0;

	if (!rt)
		return -EINVAL;
	for (unsigned c = 0; c < LEAT__SIZE_CLASSES; c++) {
		for (struct leat__slab *slab = leat__load_acquire(&rt->slabs[c]); slab && r == 0;
		     slab = slab->next) {
			/* Acquire: pairs with the release in carve(). */
			uint32_t n = leat__load_acquire(&slab->carved);

			for (uint32_t i = 0; i < n && r == 0; i++) {
				struct leat__task *t = (struct leat__task *)(slab->records +
									     (size_t)i * slab->size);

				if (leat__load_relaxed(&t->state) != LEAT__FREE)
					r = dump_task(fd, t);
			}
		}
	}
	return r;
}

int leat_stats_get(leat_stats *stats)
{
	struct leat__runtime *rt = leat__rt;
	leat_stats out = { .size = sizeof(out) };

	if (!rt)
		return -EINVAL;
	for (int i = 0; i < rt->nworkers; i++) {
		const struct leat__counters *c = &rt->worker[i]->counters;

		out.spawned += leat__load_relaxed(&c->spawned);
		out.ended += leat__load_relaxed(&c->ended);
		out.refused += leat__load_relaxed(&c->refused);
		out.parked += leat__load_relaxed(&c->parked);
		out.switches += leat__load_relaxed(&c->switches);
		out.steals += leat__load_relaxed(&c->steals);
		out.wakes += leat__load_relaxed(&c->wakes);
		out.sleeps += leat__load_relaxed(&c->sleeps);
		out.timers += leat__load_relaxed(&c->timers);
	}
	out.stacks = leat__load_relaxed(&rt->stacks_made);
	out.workers = (uint64_t)rt->nworkers;
	if (stats->size < sizeof(out))
		out.size = stats->size;
	memcpy(stats, &out, out.size);
	return 0;
}
