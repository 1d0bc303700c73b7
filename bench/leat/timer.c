/* A million timers of 1 to 1,000 ms, and a million tasks that sleep as long. */
#include <stdlib.h>
#include <string.h>

#include "rows.h"

#define LONGEST_NS (1000 * LEAT_MS)

static int64_t fired, early;

static void count(int64_t due)
{
	if (leat_now() < due)
		__atomic_fetch_add(&early, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&fired, 1, __ATOMIC_RELAXED);
}

/* The last one is late by the time that all took beyond the longest delay. */
static void report_late(struct bench *b)
{
	bench_check(b, "timers fired", fired, b->size);
	bench_check(b, "timers that fired early", early, 0);
	bench_metric(b, ".late", (b->wall_ns - LONGEST_NS) / 1e6, "ms");
	bench_metric(b, ".cpu", b->cpu_ns / 1e9, "s");
}

static int on_time(void *arg)
{
	count(*(const int64_t *)arg);
	return 0;
}

static void timers(struct bench *b)
{
	int64_t *due = malloc(b->size * sizeof(*due));
	leat_group group;

	must("memory", due ? 0 : -ENOMEM);
	memset(due, 0, b->size * sizeof(*due));
	must("group", leat_group_init(&group, NULL));
	bench_start(b);
	for (int64_t i = 0; i < b->size; i++) {
		due[i] = leat_in(bench_delay_ms(i) * LEAT_MS);
		must("after", leat_after(&group, due[i], on_time, &due[i]));
	}
	must("wait", leat_group_wait(&group));
	bench_stop(b);
	leat_group_release(&group);
	free(due);
	report_late(b);
}

LEAT_TASK(sleeper, (int64_t, delay_ns))
{
	int64_t due = leat_in(delay_ns);

	leat_sleep(delay_ns);
	count(due);
}

static void sleepers(struct bench *b)
{
	leat_group group;

	must("group", leat_group_init(&group, NULL));
	bench_start(b);
	for (int64_t i = 0; i < b->size; i++)
		must("spawn", leat_go_in(&group, sleeper, bench_delay_ms(i) * LEAT_MS));
	must("wait", leat_group_wait(&group));
	bench_stop(b);
	leat_group_release(&group);
	report_late(b);
}

const struct bench_row timer_rows[] = {
	{ .name = "timers", .unit = "ms", .size = 1000000, .cold = true, .run = timers },
	{ .name = "sleepers", .unit = "ms", .size = 1000000, .cold = true, .run = sleepers },
	{ 0 },
};
