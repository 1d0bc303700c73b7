/*
 * A million blocked tasks, a million timers, and what happens beyond the
 * memory that there is: an error, not the OOM killer.
 */
#include <stdatomic.h>
#include <sys/resource.h>

#include "test.h"

static int many(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	return 2000; /* TSan has no more fibres */
#else
#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
	return 2000;
#endif
#endif
	return getenv("LEAT_TEST_SLOW") && *getenv("LEAT_TEST_SLOW") ? 20000 : 1000000;
#endif
}

/* In KiB; 8 GiB are needed. */
static bool have_memory(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kb = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb >= 8ull << 20;
}

static _Atomic int woken;

LEAT_TASK(wait_for, (leat_chan(char), gate))
{
	char c;

	CHECK_EQ(leat_recv(gate, &c), LEAT_ECLOSED);
	atomic_fetch_add(&woken, 1);
}

TEST(a_million_blocked_tasks)
{
	leat_chan(char) gate = leat_chan_make(char, 0);
	leat_stats stats = { .size = sizeof(stats) };
	leat_group group;
	int n = many();

	if (n == 1000000 && !have_memory())
		SKIP("needs 8 GiB");
	leat_group_init(&group, NULL);
	for (int i = 0; i < n; i++)
		REQUIRE(leat_go_in(&group, wait_for, gate) == 0);
	/* All are blocked when the stacks are there: each keeps one. */
	do
		leat_yield();
	while (leat_stats_get(&stats) == 0 && stats.parked < (uint64_t)n);
	leat_close(gate);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	leat_chan_unref(gate);
	CHECK_EQ(atomic_load(&woken), n);
}

static int count(void *arg)
{
	(void)arg;
	atomic_fetch_add(&woken, 1);
	return 0;
}

TEST(a_million_timers)
{
	int64_t start = leat_now();
	leat_group group;
	int n = many();

	leat_group_init(&group, NULL);
	for (int i = 0; i < n; i++)
		REQUIRE(leat_after(&group, start + (i % 1000) * LEAT_MS, count, NULL) == 0);
	CHECK_EQ(leat_group_live(&group) + atomic_load(&woken) >= 0, 1);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(atomic_load(&woken), n);
	CHECK(leat_now() - start >= 999 * LEAT_MS);
}

/* With little address space left: spawns are refused, what runs goes on, nothing crashes. */
static int until_refused(void *arg)
{
	leat_chan(char) gate = leat_chan_make(char, 0);
	leat_group group;
	int r = 0, n = 0;

	(void)arg;
	leat_group_init(&group, LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE));
	for (; n < 3000000 && r == 0; n++) {
		r = leat_go_in(&group, wait_for, gate);
		if (n % 64 == 0)
			leat_yield();
	}
	CHECK_EQ(r, -ENOMEM);
	CHECK(n > 1000);
	leat_close(gate);
	CHECK_EQ(leat_group_wait(&group), -ENOMEM);
	leat_group_release(&group);
	leat_chan_unref(gate);
	CHECK_EQ(atomic_load(&woken), n - 1);
	return 0;
}

TEST_PLAIN(beyond_memory_spawns_are_refused)
{
	struct rlimit limit = { 600u << 20, 600u << 20 };

	if (many() != 1000000)
		SKIP("a sanitizer reserves address space of its own");
	REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
	CHECK_EQ(leat_run(LEAT_OPTIONS(.workers = 2), until_refused, NULL), 0);
}
