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

static void work(int64_t ns)
{
	int64_t start = leat_now(), now;

	do
		now = leat_now();
	while (now < start + ns);
	atomic_fetch_add(&worked, now - start);
}

LEAT_TASK(job, (int64_t, ns))
{
	work(ns);
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

LEAT_TASK(pool_worker, (leat_chan(int), jobs))
{
	leat_range(n, jobs)
		work(n * LEAT_US);
}

/* The same, as a pool: four tasks that receive their jobs from one channel. */
static double pool_busy(int us, int jobs)
{
	leat_chan(int) c = leat_chan_make(int, 100);
	int64_t start = leat_now();
	leat_group group;

	atomic_store(&worked, 0);
	leat_group_init(&group, NULL);
	for (int i = 0; i < 4; i++)
		leat_go_in(&group, pool_worker, c);
	for (int i = 0; i < jobs; i++)
		leat_send(c, us);
	leat_close(c);
	leat_group_wait(&group);
	leat_group_release(&group);
	leat_chan_unref(c);
	return (double)atomic_load(&worked) / (double)(leat_now() - start) / leat_workers();
}

TEST(a_pool_keeps_every_core_busy)
{
	double best = 0;

	if (!two_cpus())
		SKIP("needs two workers");
	if (test_slow())
		SKIP("measures the runtime, not a sanitizer or qemu");
	for (int i = 0; i < 10 && best < 0.95; i++) {
		double b = pool_busy(10, 10000);

		best = b > best ? b : best;
	}
	if (best < 0.95)
		fprintf(stderr, "busy %.3f\n", best);
	CHECK(best >= 0.95);
}

LEAT_TASK(send_some, (leat_chan(int), c), (int, n))
{
	for (int i = 0; i < n; i++)
		leat_send(c, i);
}

LEAT_TASK(receive_some, (leat_chan(int), c))
{
	leat_range(n, c)
		(void)n;
}

static uint64_t steals(void)
{
	leat_stats stats = { .size = sizeof(stats) };

	CHECK_EQ(leat_stats_get(&stats), 0);
	return stats.steals;
}

/* Tasks that do nothing but share a channel stay together, once that has been learnt. */
TEST(tasks_of_one_channel_gather)
{
	enum { TASKS = 4, EACH = 100000 };
	uint64_t before, stolen = UINT64_MAX;

	if (test_slow())
		SKIP("measures the runtime, not a sanitizer or qemu");
	for (int i = 0; i < 10 && stolen > TASKS * EACH / 1000; i++) {
		leat_chan(int) c = leat_chan_make(int, 100);
		leat_group senders, receivers;

		before = steals();
		leat_group_init(&senders, NULL);
		leat_group_init(&receivers, NULL);
		for (int j = 0; j < TASKS; j++) {
			leat_go_in(&senders, send_some, c, EACH);
			leat_go_in(&receivers, receive_some, c);
		}
		leat_group_wait(&senders);
		leat_close(c);
		leat_group_wait(&receivers);
		leat_group_release(&senders);
		leat_group_release(&receivers);
		leat_chan_unref(c);
		stolen = steals() - before;
	}
	CHECK(stolen <= TASKS * EACH / 1000);
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
