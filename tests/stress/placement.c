/*
 * Where tasks run: no ready task waits while a worker is idle, cores are kept
 * busy, and idle workers use no CPU.  Other processes share the machine, so each
 * test looks at the best of several tries, or at the median.
 */
#include <stdatomic.h>
#include <sys/resource.h>

#include "test.h"

static bool two_cpus(void)
{
	return leat_workers() >= 2;
}

LEAT_TASK(note_time, (_Atomic int64_t *, when))
{
	atomic_store(when, leat_now());
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* How long B waited that A made ready before it computed on: the median of some. */
static int64_t median_wait(void)
{
	enum { ROUNDS = 21 };
	int64_t took[ROUNDS];
	leat_group group;

	leat_group_init(&group, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		_Atomic int64_t when = 0;
		int64_t start;

		if (i % 2)
			leat_sleep(2 * LEAT_MS); /* the other worker is asleep, or not yet */
		start = leat_now();
		leat_go_in(&group, note_time, &when);
		while (atomic_load(&when) == 0 && leat_now() < start + LEAT_S)
			;
		took[i] = leat_now() - start;
		leat_group_wait(&group);
	}
	leat_group_release(&group);
	qsort(took, ROUNDS, sizeof(took[0]), by_value);
	return took[ROUNDS / 2];
}

TEST(a_ready_task_does_not_wait_for_its_maker)
{
	int64_t best = LEAT_S;

	if (!two_cpus())
		SKIP("needs two workers");
	for (int i = 0; i < 20 && best >= LEAT_MS; i++) {
		int64_t wait = median_wait();

		best = wait < best ? wait : best;
	}
	if (best >= LEAT_MS)
		fprintf(stderr, "median %lld us\n", (long long)best / 1000);
	CHECK(best < LEAT_MS);
}

static _Atomic int64_t worked;

LEAT_TASK(job, (int64_t, ns))
{
	int64_t start = leat_now(), now;

	do
		now = leat_now();
	while (now < start + ns);
	atomic_fetch_add(&worked, now - start);
}

static double busy(int64_t ns, int jobs)
{
	int64_t start = leat_now();
	leat_group group;

	atomic_store(&worked, 0);
	leat_group_init(&group, NULL);
	for (int i = 0; i < jobs; i++)
		leat_go_in(&group, job, ns);
	leat_group_wait(&group);
	leat_group_release(&group);
	return (double)atomic_load(&worked) / (double)(leat_now() - start) / leat_workers();
}

TEST(jobs_of_10_us_keep_every_core_busy)
{
	double best = 0;

	if (!two_cpus())
		SKIP("needs two workers");
	if (test_slow())
		SKIP("measures the runtime, not a sanitizer or qemu");
	for (int i = 0; i < 10 && best < 0.95; i++) {
		double b = busy(10 * LEAT_US, 10000);

		best = b > best ? b : best;
	}
	if (best < 0.95)
		fprintf(stderr, "busy %.3f\n", best);
	CHECK(best >= 0.95);
}

static int64_t cpu_ns(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * LEAT_S +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * LEAT_US;
}

TEST_WITH(idle_workers_use_no_cpu, .workers = 4)
{
	int64_t before;

	busy(10 * LEAT_US, 100);
	leat_sleep(20 * LEAT_MS);
	before = cpu_ns();
	leat_sleep(500 * LEAT_MS);
	CHECK(cpu_ns() - before < 10 * LEAT_MS);
}
