/* Meters, histograms, and the table of leat/stats.h. */
#include "patterns/stats.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * A sequence lock without a fence.  Writer (one): version odd; values, each by a release; version
 * even, by a release.  Reader: version; values, each by an acquire; version.  Who reads a value
 * that is being written sees the odd version behind it, or a later one.
 */
static int64_t get(_Atomic int64_t *v)
{
	return atomic_load_explicit(v, memory_order_acquire); /* pairs with put */
}

static void put(_Atomic int64_t *v, int64_t x)
{
	atomic_store_explicit(v, x, memory_order_release); /* pairs with get */
}

static void add_version(struct leat__meter *m, memory_order order)
{
	atomic_store_explicit(&m->version,
			      atomic_load_explicit(&m->version, memory_order_relaxed) + 1, order);
}

void leat__meter_enter_at(struct leat__meter *m, enum leat_stage_state state, int64_t now)
{
	int old = atomic_load_explicit(&m->state, memory_order_relaxed);
	int64_t since = get(&m->since);

	add_version(m, memory_order_relaxed);
	if (since != 0)
		put(&m->time[old], get(&m->time[old]) + now - since);
	put(&m->since, now);
	atomic_store_explicit(&m->state, (int)state, memory_order_release);
	add_version(m, memory_order_release);
}

void leat__meter_stop(struct leat__meter *m)
{
	if (get(&m->since) == 0)
		return;
	leat__meter_enter(m, LEAT_STAGE_STARVED);
	put(&m->since, 0);
}

int64_t leat__meter_read(struct leat__meter *m, leat_stage_stats *stats, int64_t now)
{
	int64_t time[LEAT_STAGE_STATES], since, sum = 0;
	uint32_t version;
	int state;

	/* The writer is done in a few stores, or preempted: what is read then is as good. */
	for (int tries = 0; tries < 1000; tries++) {
		version = atomic_load_explicit(&m->version, memory_order_acquire);
		for (int i = 0; i < LEAT_STAGE_STATES; i++)
			time[i] = get(&m->time[i]);
		since = get(&m->since);
		state = atomic_load_explicit(&m->state, memory_order_acquire);
		if (!(version & 1) &&
		    atomic_load_explicit(&m->version, memory_order_relaxed) == version)
			break;
	}
	if (since != 0 && now > since)
		time[state] += now - since;
	for (int i = 0; i < LEAT_STAGE_STATES; i++) {
		stats->time[i] += time[i];
		sum += time[i];
	}
	return sum;
}

/* Slots 0 to 7 are 0 to 7 ns; then eight for each power of two. */
static unsigned slot_of(int64_t ns)
{
	uint64_t v = ns > 0 ? (uint64_t)ns : 0;
	unsigned log, slot;

	if (v < 8)
		return (unsigned)v;
	log = 63 - (unsigned)__builtin_clzll(v);
	slot = (log - 2) * 8 + (unsigned)(v >> (log - 3) & 7);
	return slot < LEAT__TIME_SLOTS ? slot : LEAT__TIME_SLOTS - 1;
}

/* The largest time that goes into a slot. */
static int64_t top_of(unsigned slot)
{
	unsigned log = slot / 8 + 2;

	if (slot < 8)
		return slot;
	return (int64_t)((8 + slot % 8 + 1) * (1ull << (log - 3)) - 1);
}

void leat__times_add(struct leat__times *times, int64_t ns, uint32_t weight)
{
	atomic_fetch_add_explicit(&times->slot[slot_of(ns)], weight, memory_order_relaxed);
}

int64_t leat__times_percentile(struct leat__times *times, double share)
{
	uint64_t n = 0, sum = 0;

	for (unsigned i = 0; i < LEAT__TIME_SLOTS; i++)
		n += atomic_load_explicit(&times->slot[i], memory_order_relaxed);
	for (unsigned i = 0; i < LEAT__TIME_SLOTS && n > 0; i++) {
		sum += atomic_load_explicit(&times->slot[i], memory_order_relaxed);
		if ((double)sum >= share * (double)n)
			return top_of(i);
	}
	return -1;
}

void leat__stats_finish(leat_stage_stats *s, struct leat__times *service, struct leat__times *queue)
{
	int64_t rest = s->elapsed * s->workers;

	for (int i = 0; i < LEAT_STAGE_STATES; i++)
		rest -= s->time[i];
	if (rest > 0)
		s->time[LEAT_STAGE_STARVED] += rest;
	s->service_p50 = leat__times_percentile(service, 0.5);
	s->service_p99 = leat__times_percentile(service, 0.99);
	s->queue_p50 = leat__times_percentile(queue, 0.5);
	s->queue_p99 = leat__times_percentile(queue, 0.99);
}

static double share_of(const leat_stage_stats *s, enum leat_stage_state state)
{
	double all = (double)s->elapsed * s->workers;

	return all > 0 ? (double)s->time[state] / all : 0;
}

static double load_of(const leat_stage_stats *s)
{
	return share_of(s, LEAT_STAGE_BUSY) + share_of(s, LEAT_STAGE_LIMITED);
}

/* Of a program's array, whose struct may be another version's. */
static const leat_stage_stats *stage_at(const leat_stage_stats *stages, size_t i)
{
	return (const leat_stage_stats *)((const char *)stages + i * stages->size);
}

int leat_stage_bottleneck(const leat_stage_stats *stages, size_t n)
{
	const leat_stage_stats *s, *most = NULL;
	int index = -1;

	for (size_t i = 0; i < n; i++) {
		s = stage_at(stages, i);
		if (load_of(s) >= 0.5 && (!most || load_of(s) > load_of(most))) {
			most = s;
			index = (int)i;
		}
	}
	return index;
}

struct text {
	char *at;
	size_t size;
	int length;
};

LEAT_PRINTF(2, 3)
static void print(struct text *t, const char *fmt, ...)
{
	size_t used = (size_t)t->length < t->size ? (size_t)t->length : t->size;
	va_list args;

	va_start(args, fmt);
	t->length += vsnprintf(t->at ? t->at + used : NULL, t->size - used, fmt, args);
	va_end(args);
}

static void print_time(char text[16], int64_t ns)
{
	static const char *const unit[] = { "ns", "us", "ms", "s" };
	double v = (double)ns;
	int i = 0;

	for (; v >= 999.5 && i < 3; i++)
		v /= 1000;
	if (ns < 0)
		snprintf(text, 16, "-");
	else
		snprintf(text, 16, i == 0 ? "%.0f %s" : "%.3g %s", v, unit[i]);
}

static void print_row(struct text *t, const leat_stage_stats *s, int width)
{
	char time[4][16];

	print_time(time[0], s->service_p50);
	print_time(time[1], s->service_p99);
	print_time(time[2], s->queue_p50);
	print_time(time[3], s->queue_p99);
	print(t, "%-*s %7d %10llu", width, s->name ? s->name : "-", s->workers,
	      (unsigned long long)s->items);
	for (int i = 0; i < LEAT_STAGE_STATES; i++)
		print(t, "  %4.0f %%", 100 * share_of(s, (enum leat_stage_state)i));
	print(t, " %9s / %-8s %8s / %s\n", time[0], time[1], time[2], time[3]);
}

static void print_verdict(struct text *t, const leat_stage_stats *stages, size_t n)
{
	int i = leat_stage_bottleneck(stages, n);
	const leat_stage_stats *s;
	const char *name;

	if (i < 0) {
		print(t, "no stage to widen: all of them wait most of the time\n");
		return;
	}
	s = stage_at(stages, (size_t)i);
	name = s->name ? s->name : "-";
	if (share_of(s, LEAT_STAGE_LIMITED) > share_of(s, LEAT_STAGE_BUSY))
		print(t, "raise the limit of %s: it is limited %.0f %% of the time\n", name,
		      100 * share_of(s, LEAT_STAGE_LIMITED));
	else if (s->workers == 1)
		print(t, "widen %s: its worker is busy %.0f %% of the time\n", name,
		      100 * share_of(s, LEAT_STAGE_BUSY));
	else
		print(t, "widen %s: its %d workers are busy %.0f %% of the time\n", name, s->workers,
		      100 * share_of(s, LEAT_STAGE_BUSY));
}

int leat_stage_explain(const leat_stage_stats *stages, size_t n, char *text, size_t size)
{
	struct text t = { .at = text, .size = size };
	int width = 8;

	for (size_t i = 0; i < n; i++)
		if (stage_at(stages, i)->name && (int)strlen(stage_at(stages, i)->name) > width)
			width = (int)strlen(stage_at(stages, i)->name);
	if (size > 0)
		text[0] = '\0';
	print(&t, "%-*s workers      items    busy starved blocked limited   service p50 / p99"
		  "      queue p50 / p99\n", width, "stage");
	for (size_t i = 0; i < n; i++)
		print_row(&t, stage_at(stages, i), width);
	print_verdict(&t, stages, n);
	return t.length;
}
