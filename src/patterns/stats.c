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

/* Of those of leat/stats.h. */
static int slot_of_state(int state)
{
	return state < LEAT_STAGE_LIMITED ? state : LEAT_STAGE_LIMITED;
}

void leat__meter_enter_at(struct leat__meter *m, int state, int64_t now)
{
	int old = atomic_load_explicit(&m->state, memory_order_relaxed), slot = slot_of_state(old);
	int64_t since = get(&m->since);

	if (old > LEAT_STAGE_LIMITED)
		atomic_fetch_add_explicit(&m->limits->time[old - LEAT_STAGE_LIMITED], now - since,
					  memory_order_relaxed);
	add_version(m, memory_order_relaxed);
	if (since != 0)
		put(&m->time[slot], get(&m->time[slot]) + now - since);
	put(&m->since, now);
	atomic_store_explicit(&m->state, state, memory_order_release);
	add_version(m, memory_order_release);
}

void leat__meter_stop(struct leat__meter *m)
{
	if (get(&m->since) == 0)
		return;
	leat__meter_enter(m, LEAT_STAGE_STARVED);
	put(&m->since, 0);
}

void leat__meter_read(struct leat__meter *m, int64_t sum[LEAT__METER_STATES], int64_t now)
{
	int64_t time[LEAT__METER_STATES] = { 0 }, since;
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
	for (int i = 0; i < LEAT__METER_STATES; i++)
		sum[i] += time[i];
}

int64_t leat__meter_total(struct leat__meter *m, int64_t now)
{
	int64_t time[LEAT__METER_STATES] = { 0 }, all = 0;

	leat__meter_read(m, time, now);
	for (int i = 0; i < LEAT__METER_STATES; i++)
		all += time[i];
	return all;
}

void leat__limits_read(struct leat__limits *limits, int64_t sum[LEAT__METER_STATES])
{
	int64_t *rest = &sum[LEAT_STAGE_LIMITED], time;

	for (int i = LEAT_LIMIT_RATE + 1; i < LEAT_STAGE_LIMITS; i++) {
		time = atomic_load_explicit(&limits->time[i], memory_order_relaxed);
		/* It may have grown since the meters were read. */
		if (time > *rest)
			time = *rest;
		sum[LEAT_STAGE_LIMITED + i] += time;
		*rest -= time;
	}
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

/*
 * While items wait for one of their key, workers that starve wait for what those at work do.  How
 * long these starved meanwhile is not measured: no less than if all work had been done then.
 */
static void share_keys(int64_t sum[LEAT__METER_STATES], int64_t waited, int64_t at_work)
{
	int64_t *starved = &sum[LEAT_STAGE_STARVED], *rate = &sum[LEAT_STAGE_LIMITED];
	int64_t held = waited - at_work < *starved ? waited - at_work : *starved;
	int64_t by_key, by_rate;

	if (held <= 0 || at_work <= 0)
		return;
	by_key = (int64_t)((double)held * (double)sum[LEAT_STAGE_BUSY] / (double)at_work);
	by_rate = (int64_t)((double)held * (double)*rate / (double)at_work);
	sum[leat__limited(LEAT_LIMIT_KEY)] = by_key;
	*rate += by_rate;
	*starved -= by_key + by_rate;
}

/* What is limited in all, and by what most. */
static void add_limits(leat_stage_stats *s, const int64_t by[LEAT_STAGE_LIMITS])
{
	for (int i = 0; i < LEAT_STAGE_LIMITS; i++) {
		s->time[LEAT_STAGE_LIMITED] += by[i];
		if (by[i] <= s->limit_time)
			continue;
		s->limit = (enum leat_stage_limit)i;
		s->limit_time = by[i];
	}
}

void leat__stats_finish(leat_stage_stats *s, int64_t sum[LEAT__METER_STATES],
			struct leat__times *service, struct leat__times *queue)
{
	int64_t all = s->elapsed * s->workers, rest = all;
	int64_t waited = sum[leat__limited(LEAT_LIMIT_KEY)] * s->workers;

	sum[leat__limited(LEAT_LIMIT_KEY)] = 0;
	for (int i = 0; i < LEAT__METER_STATES; i++)
		rest -= sum[i];
	if (rest > 0)
		sum[LEAT_STAGE_STARVED] += rest;
	share_keys(sum, waited, all - sum[LEAT_STAGE_STARVED]);
	for (int i = 0; i < LEAT_STAGE_LIMITED; i++)
		s->time[i] = sum[i];
	add_limits(s, sum + LEAT_STAGE_LIMITED);
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

static double limit_of(const leat_stage_stats *s)
{
	double all = (double)s->elapsed * s->workers;

	return all > 0 ? (double)s->limit_time / all : 0;
}

/* Of a program's array, whose struct may be another version's: without what that does not have. */
static leat_stage_stats stage_at(const leat_stage_stats *stages, size_t i)
{
	size_t size = stages->size < sizeof(*stages) ? stages->size : sizeof(*stages);
	leat_stage_stats s = { 0 };

	memcpy(&s, (const char *)stages + i * stages->size, size);
	if (size < offsetof(leat_stage_stats, limit_size))
		s.limit_time = s.time[LEAT_STAGE_LIMITED];
	return s;
}

/* Some stage from i on cannot hand on. */
static bool is_held_up_below(const leat_stage_stats *stages, size_t n, size_t i)
{
	leat_stage_stats s;

	for (; i < n; i++) {
		s = stage_at(stages, i);
		if (share_of(&s, LEAT_STAGE_BLOCKED) >= 0.5)
			return true;
	}
	return false;
}

/*
 * Busy or limited.  Who waits for the work on other items may wait for a stage that holds these up,
 * too: so a limit of that kind counts less than what that stage is.
 */
static double load_of(const leat_stage_stats *stages, size_t n, size_t i)
{
	leat_stage_stats s = stage_at(stages, i);
	double load = share_of(&s, LEAT_STAGE_BUSY) + share_of(&s, LEAT_STAGE_LIMITED);

	switch (s.limit) {
	case LEAT_LIMIT_WINDOW:
	case LEAT_LIMIT_AHEAD:
		return load - 0.05 * limit_of(&s);
	case LEAT_LIMIT_LIVE:
	case LEAT_LIMIT_LIVE_BYTES:
		return load - (is_held_up_below(stages, n, i + 1) ? 1 : 0.1) * limit_of(&s);
	default:
		return load;
	}
}

int leat_stage_bottleneck(const leat_stage_stats *stages, size_t n)
{
	double load, most = 0;
	int index = -1;

	for (size_t i = 0; i < n; i++) {
		load = load_of(stages, n, i);
		if (load >= 0.5 && load > most) {
			most = load;
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

static void print_limit(struct text *t, const leat_stage_stats *s, const char *name)
{
	unsigned long long size = s->limit_size;

	switch (s->limit) {
	case LEAT_LIMIT_WINDOW:
		print(t, "widen the window of %s (%llu): its %d workers wait for the item at its "
		      "head", name, size, s->workers);
		break;
	case LEAT_LIMIT_AHEAD:
		print(t, "raise ahead of %s (%llu): its %d workers wait for their items' turn",
		      name, size, s->workers);
		break;
	case LEAT_LIMIT_LIVE:
		print(t, "raise live: %llu items are all out, and %s waits for them", size, name);
		break;
	case LEAT_LIMIT_LIVE_BYTES:
		print(t, "raise live_bytes: %llu bytes are all out, and %s waits for them", size,
		      name);
		break;
	case LEAT_LIMIT_KEY:
		print(t, "split the keys of %s: its %d workers wait for keys that are worked on",
		      name, s->workers);
		break;
	default:
		print(t, "raise the limit of %s: it is limited", name);
	}
	print(t, " %.0f %% of the time\n", 100 * limit_of(s));
}

static void print_verdict(struct text *t, const leat_stage_stats *stages, size_t n)
{
	int i = leat_stage_bottleneck(stages, n);
	leat_stage_stats s;
	const char *name;

	if (i < 0) {
		print(t, "no stage to widen: all of them wait most of the time\n");
		return;
	}
	s = stage_at(stages, (size_t)i);
	name = s.name ? s.name : "-";
	if (4 * limit_of(&s) >= share_of(&s, LEAT_STAGE_BUSY))
		print_limit(t, &s, name);
	else if (s.workers == 1)
		print(t, "widen %s: its worker is busy %.0f %% of the time\n", name,
		      100 * share_of(&s, LEAT_STAGE_BUSY));
	else
		print(t, "widen %s: its %d workers are busy %.0f %% of the time\n", name, s.workers,
		      100 * share_of(&s, LEAT_STAGE_BUSY));
}

int leat_stage_explain(const leat_stage_stats *stages, size_t n, char *text, size_t size)
{
	struct text t = { .at = text, .size = size };
	leat_stage_stats s;
	int width = 8;

	for (size_t i = 0; i < n; i++) {
		s = stage_at(stages, i);
		if (s.name && (int)strlen(s.name) > width)
			width = (int)strlen(s.name);
	}
	if (size > 0)
		text[0] = '\0';
	print(&t, "%-*s workers      items    busy starved blocked limited   service p50 / p99"
		  "      queue p50 / p99\n", width, "stage");
	for (size_t i = 0; i < n; i++) {
		s = stage_at(stages, i);
		print_row(&t, &s, width);
	}
	print_verdict(&t, stages, n);
	return t.length;
}
