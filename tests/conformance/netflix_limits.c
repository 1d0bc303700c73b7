/*
 * Netflix's concurrency-limits: VegasLimitTest, AIMDLimitTest, SimpleLimiterTest.  Each test names
 * the case that it comes from.
 *
 * There a sample is handed to the algorithm; here it is made: as many calls as were in flight, of
 * which one ends after that latency, in virtual time.  The limit moves before the others end.
 */
#include "test.h"

#include <stdatomic.h>

#include <leat/leat.h>

enum { MOST = 6000 };

static leat_adaptive limit;
static leat_permit permit[MOST];

/* onSample(0, latency, in_flight, dropped) */
static void on_sample(int64_t latency, int in_flight, enum leat_outcome outcome)
{
	int64_t until;

	REQUIRE(in_flight > 0 && in_flight <= MOST);
	for (int i = 0; i < in_flight; i++)
		REQUIRE(leat_adaptive_try_acquire(&limit, &permit[i]) == 0);
	/* The last to come was told how many there are; a call here takes 100 ns of its own. */
	until = permit[in_flight - 1]._began + latency;
	leat_sleep_until(until);
	leat_adaptive_release(&limit, &permit[in_flight - 1], outcome);
	for (int i = 0; i < in_flight - 1; i++)
		leat_adaptive_release(&limit, &permit[i], LEAT_OUTCOME_IGNORED);
}

static void success(int64_t latency, int in_flight)
{
	on_sample(latency, in_flight, LEAT_OUTCOME_SUCCESS);
}

static void make(const leat_adaptive_options *options)
{
	REQUIRE(leat_adaptive_init(&limit, options) == 0);
}

static void make_vegas(void)
{
	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 1, .initial = 10, .max = 20,
				   .alpha = 3, .beta = 6));
}

/* VegasLimitTest.largeLimitIncrease */
TEST_SIM(vegas_large_limit_increases, 1)
{
	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 1, .initial = 10000,
				   .max = 20000));
	success(10 * LEAT_S, 5000);
	CHECK_EQ(leat_adaptive_limit(&limit), 10000);
	success(10 * LEAT_S + LEAT_MS, 6000);
	CHECK_EQ(leat_adaptive_limit(&limit), 10024);
}

/* VegasLimitTest.increaseLimit.  Its 11 in flight are more than the limit of 10 allows. */
TEST_SIM(vegas_increases, 3)
{
	make_vegas();
	success(10 * LEAT_MS, 10);
	CHECK_EQ(leat_adaptive_limit(&limit), 10);
	success(10 * LEAT_MS + LEAT_US, 10);
	CHECK_EQ(leat_adaptive_limit(&limit), 16);
}

/* VegasLimitTest.decreaseLimit */
TEST_SIM(vegas_decreases, 3)
{
	make_vegas();
	success(10 * LEAT_MS, 10);
	CHECK_EQ(leat_adaptive_limit(&limit), 10);
	success(50 * LEAT_MS, 10);
	CHECK_EQ(leat_adaptive_limit(&limit), 9);
}

/* VegasLimitTest.noChangeIfWithinThresholds */
TEST_SIM(vegas_stays_within_thresholds, 3)
{
	make_vegas();
	success(10 * LEAT_MS, 10);
	CHECK_EQ(leat_adaptive_limit(&limit), 10);
	success(14 * LEAT_MS, 10);
	CHECK_EQ(leat_adaptive_limit(&limit), 10);
}

/* VegasLimitTest.decreaseSmoothing, decreaseSmoothingDeprecatedBuilderMethod */
TEST_SIM(vegas_decreases_smoothly, 3)
{
	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 1, .initial = 100, .max = 200,
				   .backoff = 0.5, .smoothing = 0.5));
	success(10 * LEAT_MS, 100);
	CHECK_EQ(leat_adaptive_limit(&limit), 100);
	success(20 * LEAT_MS, 100);
	CHECK_EQ(leat_adaptive_limit(&limit), 75);
	success(20 * LEAT_MS, 75);
	CHECK_EQ(leat_adaptive_limit(&limit), 56);
}

/* VegasLimitTest.decreaseWithoutSmoothing, decreaseWithoutSmoothingDeprecatedBuilderMethod */
TEST_SIM(vegas_decreases_at_once, 3)
{
	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 1, .initial = 100, .max = 200,
				   .backoff = 0.5));
	success(10 * LEAT_MS, 100);
	CHECK_EQ(leat_adaptive_limit(&limit), 100);
	success(20 * LEAT_MS, 100);
	CHECK_EQ(leat_adaptive_limit(&limit), 50);
	success(20 * LEAT_MS, 50);
	CHECK_EQ(leat_adaptive_limit(&limit), 25);
}

static void make_aimd(int initial, int max)
{
	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_AIMD, .min = 1, .initial = initial,
				   .max = max, .backoff = 0.9, .slow = 5 * LEAT_S));
}

/* AIMDLimitTest.testDefault */
TEST_SIM(aimd_begins_with_initial, 1)
{
	make_aimd(10, 200);
	CHECK_EQ(leat_adaptive_limit(&limit), 10);
}

/* AIMDLimitTest.increaseOnSuccess; and not with less than half in use. */
TEST_SIM(aimd_increases_on_success, 3)
{
	make_aimd(20, 200);
	success(LEAT_MS, 9);
	CHECK_EQ(leat_adaptive_limit(&limit), 20);
	success(LEAT_MS, 10);
	CHECK_EQ(leat_adaptive_limit(&limit), 21);
}

/* AIMDLimitTest.decreaseOnDrops; and on what is slow. */
TEST_SIM(aimd_decreases_on_drops, 3)
{
	make_aimd(30, 200);
	on_sample(LEAT_US, 1, LEAT_OUTCOME_DROPPED);
	CHECK_EQ(leat_adaptive_limit(&limit), 27);
	success(5 * LEAT_S, 1);
	CHECK_EQ(leat_adaptive_limit(&limit), 24);
}

/* AIMDLimitTest.successOverflow */
TEST_SIM(aimd_stays_at_max, 3)
{
	make_aimd(21, 21);
	success(LEAT_MS, 11);
	CHECK_EQ(leat_adaptive_limit(&limit), 21);
}

/* A limit that does not move. */
static void make_fixed(void)
{
	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_AIMD, .min = 10, .initial = 10, .max = 10,
				   .backoff = 0.9, .slow = LEAT_FOREVER));
}

/* SimpleLimiterTest.useLimiterCapacityUntilTotalLimit, .testReleaseLimit, and
 * .testSimpleBypassLimiterDefault */
TEST_BOTH(simple_limit_and_release, 3)
{
	leat_permit other;

	make_fixed();
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(leat_adaptive_try_acquire(&limit, &permit[i]), 0);
		CHECK_EQ(leat_adaptive_out(&limit), i + 1);
	}
	CHECK_EQ(leat_adaptive_try_acquire(&limit, &other), -EAGAIN);
	CHECK_EQ(leat_adaptive_out(&limit), 10);
	leat_adaptive_release(&limit, &permit[0], LEAT_OUTCOME_SUCCESS);
	CHECK_EQ(leat_adaptive_out(&limit), 9);
	CHECK_EQ(leat_adaptive_try_acquire(&limit, &permit[0]), 0);
	CHECK_EQ(leat_adaptive_out(&limit), 10);
	for (int i = 0; i < 10; i++)
		leat_adaptive_release(&limit, &permit[i], LEAT_OUTCOME_SUCCESS);
}

static atomic_int succeeded, rejected, most;

LEAT_TASK(call_often, (int, n))
{
	leat_permit mine;

	for (int i = 0; i < n; i++) {
		int out, seen = most;

		if (leat_adaptive_try_acquire(&limit, &mine) < 0) {
			atomic_fetch_add(&rejected, 1);
			continue;
		}
		out = leat_adaptive_out(&limit);
		while (out > seen && !atomic_compare_exchange_weak(&most, &seen, out))
			;
		atomic_fetch_add(&succeeded, 1);
		leat_yield();
		leat_adaptive_release(&limit, &mine, LEAT_OUTCOME_SUCCESS);
	}
}

/* SimpleLimiterTest.testConcurrentSimple */
TEST_BOTH(simple_concurrent, 3)
{
	int each = leat_sim_seed() || test_slow() ? 50 : 1000;
	leat_group group;

	succeeded = rejected = most = 0;
	make_fixed();
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(leat_go_in(&group, call_often, each), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK(most <= 10);
	CHECK_EQ(succeeded + rejected, 100 * each);
}
