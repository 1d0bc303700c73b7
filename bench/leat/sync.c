/* Mutex and weighted semaphore, alone and with 8 tasks that want it. */
#include "rows.h"

#define PERMITS 4
#define WEIGHT 3	/* more than half, so that it excludes, and count shows it */

LEAT_TASK(locker, (leat_mutex *, mutex), (int64_t *, count), (int64_t, n))
{
	for (int64_t i = 0; i < n; i++) {
		leat_mutex_lock(mutex);
		++*count;
		leat_mutex_unlock(mutex);
	}
}

static void mutex_tasks(struct bench *b, int tasks)
{
	int64_t each = b->size / tasks, count = 0;
	leat_mutex mutex = LEAT_MUTEX_INIT;
	leat_group group;

	must("group", leat_group_init(&group, NULL));
	bench_start(b);
	for (int i = 0; i < tasks; i++)
		leat_go_in(&group, locker, &mutex, &count, each);
	must("wait", leat_group_wait(&group));
	bench_stop(b);
	leat_group_release(&group);
	bench_check(b, "count", count, each * tasks);
	bench_report(b, count);
}

static void mutex_alone(struct bench *b)
{
	mutex_tasks(b, 1);
}

static void mutex8(struct bench *b)
{
	mutex_tasks(b, 8);
}

LEAT_TASK_ERR(acquirer, (leat_sem *, sem), (int64_t *, count), (int64_t, n))
{
	for (int64_t i = 0; i < n; i++) {
		int r = leat_sem_acquire(sem, WEIGHT);

		if (r != 0)
			return r;
		++*count;
		leat_sem_release(sem, WEIGHT);
	}
	return 0;
}

static void sem_tasks(struct bench *b, int tasks)
{
	int64_t each = b->size / tasks, count = 0;
	leat_group group;
	leat_sem sem;

	leat_sem_init(&sem, PERMITS, 0);
	must("group", leat_group_init(&group, NULL));
	bench_start(b);
	for (int i = 0; i < tasks; i++)
		leat_go_in(&group, acquirer, &sem, &count, each);
	must("wait", leat_group_wait(&group));
	bench_stop(b);
	leat_group_release(&group);
	bench_check(b, "permits", leat_sem_available(&sem), PERMITS);
	bench_check(b, "count", count, each * tasks);
	bench_report(b, count);
}

static void sem_alone(struct bench *b)
{
	sem_tasks(b, 1);
}

static void sem8(struct bench *b)
{
	sem_tasks(b, 8);
}

const struct bench_row sync_rows[] = {
	{ .name = "mutex", .unit = "ns", .size = 20000000, .run = mutex_alone },
	{ .name = "mutex8", .unit = "ns", .size = 8000000, .run = mutex8 },
	{ .name = "sem", .unit = "ns", .size = 10000000, .run = sem_alone },
	{ .name = "sem8", .unit = "ns", .size = 1000000, .run = sem8 },
	{ 0 },
};
