/*
 * Scenarios in the checking build: src/port/check.h.
 *
 *	SCENARIO(deque_steal, 5000) { ...; return 0; }
 *
 * is a test that runs its body in virtual thread 0 for seeds 1 to 5000 and stops at
 * the first that fails: that returns an error, fails a CHECK, hangs or crashes.
 * LEAT_TEST_SEED=seed runs that seed alone.
 */
#ifndef LEAT_TEST_CHECKING_H
#define LEAT_TEST_CHECKING_H

#include "test.h"

#include "base/atomic.h"
#include "port/check.h"
#include "port/port.h"

enum { SCENARIO_STEPS_MAX = 200 * 1000 };

static inline int run_scenario(void *arg)
{
	int (*body)(void) = (int (*)(void))(uintptr_t)arg;
	int r = body();

	return test_failed() ? -EBADMSG : r;
}

static inline void run_scenarios(int (*body)(void), uint64_t seeds)
{
	const char *seed = getenv("LEAT_TEST_SEED");
	uint64_t first = seed ? strtoull(seed, NULL, 0) : 1;
	uint64_t n = seed ? 1 : test_full() ? 20 * seeds : test_slow() ? seeds / 10 : seeds;
	struct leat__check_report report;
	int r;

	if (test_full())
		test_timeout(300);
	test_seed = leat__check_seed;
	r = leat__check_run(run_scenario, (void *)(uintptr_t)body, first, n, SCENARIO_STEPS_MAX,
			    &report);
	if (r != 0) {
		test_fail(__FILE__, __LINE__, "error %d", r);
		test_stop();
	}
	printf("# %llu runs, %llu different, %llu steps a run\n", (unsigned long long)report.runs,
	       (unsigned long long)report.distinct,
	       (unsigned long long)(report.steps / report.runs));
	/* Short scenarios have few interleavings, but not one (with one worker they have). */
	if (seeds >= 100)
		CHECK(report.distinct >= (report.runs < 1000 ? report.runs / 10 : 100));
}

#define SCENARIO(name_, seeds_)                                               \
	static int scenario_##name_(void);                                    \
	TEST_PLAIN(name_)                                                     \
	{                                                                     \
		run_scenarios(scenario_##name_, (seeds_));                     \
	}                                                                     \
	static int scenario_##name_(void)

#endif
