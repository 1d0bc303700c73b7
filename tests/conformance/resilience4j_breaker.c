/*
 * resilience4j, resilience4j-circuitbreaker: each test names the case that it comes from.
 *
 * Its breaker opens at a rate of failures over a window, here at so many in a row: three, where its
 * cases have three of five.  Half-open, four calls are let through, and four successes close it.
 */
#include "test.h"

#include <leat/leat.h>

enum { FAILURES = 3, PROBES = 4 };

static leat_breaker breaker;

static void make(int64_t open_for)
{
	const leat_breaker_options *o = LEAT_BREAKER_OPTIONS(.failures = FAILURES, .probes = PROBES,
							     .open_for = open_for,
							     .successes = PROBES);

	REQUIRE(leat_breaker_init(&breaker, o) == 0);
	CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_CLOSED);
}

/* A call that ends like this; the state then. */
static enum leat_breaker_state call(int result)
{
	leat_breaker_ticket ticket;

	CHECK_EQ(leat_breaker_enter(&breaker, &ticket), 0);
	leat_breaker_leave(&breaker, ticket, result);
	return leat_breaker_state_of(&breaker);
}

static bool permitted(leat_breaker_ticket *ret_ticket)
{
	int r = leat_breaker_enter(&breaker, ret_ticket);

	CHECK(r == 0 || r == LEAT_EOPEN);
	return r == 0;
}

static void make_open(int64_t open_for)
{
	make(open_for);
	for (int i = 0; i < FAILURES; i++)
		(void)call(-EIO);
	CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_OPEN);
}

/* The next call is a probe. */
static void make_ready(void)
{
	make_open(5 * LEAT_S);
	leat_sleep(5 * LEAT_S);
}

static int fail(int *calls)
{
	++*calls;
	return -EIO;
}

/*
 * shouldThrowCallNotPermittedExceptionWhenStateIsOpen,
 * shouldReturnFailureWithCircuitBreakerOpenException
 */
TEST_SIM(open_it_lets_nobody_through, 3)
{
	leat_breaker_ticket ticket;
	int calls = 0;

	make_open(5 * LEAT_S);
	CHECK(!permitted(&ticket));
	CHECK_EQ(leat_breaker_call(&breaker, fail, &calls), LEAT_EOPEN);
	CHECK_EQ(calls, 0);
}

/* shouldReturnFailureWithRuntimeException */
TEST_SIM(an_error_is_handed_through, 3)
{
	int calls = 0;

	make(5 * LEAT_S);
	CHECK_EQ(leat_breaker_call(&breaker, fail, &calls), -EIO);
	CHECK_EQ(calls, 1);
	CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_CLOSED);
}

/* shouldOpenAfterFailureRateThresholdExceeded, and its second: with a second between the calls. */
TEST_SIM(failures_open_it, 3)
{
	leat_breaker_ticket ticket;

	for (int pause = 0; pause < 2; pause++) {
		make(5 * LEAT_S);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(call(0), LEAT_BREAKER_CLOSED);
		for (int i = 1; i <= FAILURES; i++) {
			leat_sleep(pause * LEAT_S);
			CHECK_EQ(call(-EIO),
				 i < FAILURES ? LEAT_BREAKER_CLOSED : LEAT_BREAKER_OPEN);
		}
		CHECK(!permitted(&ticket));
	}
}

/* testCircuitBreakerMetrics: what was before is forgotten; here it is by a success. */
TEST_SIM(a_success_forgets_the_failures, 3)
{
	make(5 * LEAT_S);
	for (int i = 0; i < 5; i++) {
		for (int k = 1; k < FAILURES; k++)
			CHECK_EQ(call(-EIO), LEAT_BREAKER_CLOSED);
		CHECK_EQ(call(0), LEAT_BREAKER_CLOSED);
	}
}

/* Calls that may take four seconds. */
static int take(int64_t *ns)
{
	return leat_sleep(*ns);
}

static int take_in_time(int64_t *ns)
{
	return leat_timeout(take, ns, 4 * LEAT_S);
}

static enum leat_breaker_state call_for(int64_t ns)
{
	int r = leat_breaker_call(&breaker, take_in_time, &ns);

	CHECK_EQ(r, ns > 4 * LEAT_S ? -ETIMEDOUT : 0);
	return leat_breaker_state_of(&breaker);
}

/* shouldOpenAfterSlowCallRateThresholdExceeded, ...UsingMockClock: they fail by a timeout. */
TEST_SIM(slow_calls_open_it, 3)
{
	make(5 * LEAT_S);
	CHECK_EQ(call_for(LEAT_S), LEAT_BREAKER_CLOSED);
	CHECK_EQ(call_for(5 * LEAT_S), LEAT_BREAKER_CLOSED);
	CHECK_EQ(call_for(5 * LEAT_S), LEAT_BREAKER_CLOSED);
	CHECK_EQ(call_for(5 * LEAT_S), LEAT_BREAKER_OPEN);
}

/* shouldTransitionBackToOpenStateWhenSlowCallRateIsAboveThreshold */
TEST_SIM(a_slow_probe_opens_it, 3)
{
	make_ready();
	CHECK_EQ(call_for(LEAT_S), LEAT_BREAKER_HALF_OPEN);
	CHECK_EQ(call_for(5 * LEAT_S), LEAT_BREAKER_OPEN);
}

/* shouldTransitionToHalfOpenAfterWaitDuration, ...AfterPassedWaitDuration: seconds, hours. */
TEST_SIM(half_open_after_its_time, 3)
{
	static const int64_t open_for[] = { 5 * LEAT_S, 2 * 3600 * LEAT_S };
	leat_breaker_ticket ticket;

	for (int i = 0; i < 2; i++) {
		make_open(open_for[i]);
		CHECK(!permitted(&ticket));
		leat_sleep(open_for[i] / 2);
		CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_OPEN);
		CHECK(!permitted(&ticket));
		leat_sleep(open_for[i] / 2);
		CHECK(permitted(&ticket));
		CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_HALF_OPEN);
	}
}

/*
 * shouldOnlyPermitFourCallsInHalfOpenState, shouldIncreaseCounterOnReleasePermission,
 * shouldThrowCallNotPermittedExceptionWhenNotFurtherTestCallsArePermitted
 */
TEST_SIM(four_probes, 3)
{
	leat_breaker_ticket probe[2][PROBES], other;

	make_ready();
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < PROBES; i++)
			CHECK(permitted(&probe[round][i]));
		CHECK(!permitted(&other));
		CHECK(!permitted(&other));
		/* Of the round before: they count no more, and have no place. */
		for (int i = 1; round > 0 && i < PROBES; i++)
			leat_breaker_leave(&breaker, probe[0][i], -EIO);
		CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_HALF_OPEN);
		CHECK(!permitted(&other));
		/* One that says nothing gives its place to another. */
		leat_breaker_leave(&breaker, probe[round][0], -ECANCELED);
		CHECK(permitted(&probe[round][0]));
		CHECK(!permitted(&other));
		leat_breaker_leave(&breaker, probe[round][0], -EIO);
		CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_OPEN);
		leat_sleep(5 * LEAT_S);
	}
}

/* shouldTransitionBackToOpenStateWhenFailureRateIsAboveThreshold */
TEST_SIM(a_failed_probe_opens_it, 3)
{
	leat_breaker_ticket ticket;

	make_ready();
	CHECK_EQ(call(0), LEAT_BREAKER_HALF_OPEN);
	CHECK_EQ(call(-EIO), LEAT_BREAKER_OPEN);
	CHECK(!permitted(&ticket));
}

/* shouldTransitionBackToClosedStateWhenFailureIsBelowThreshold: and it begins anew. */
TEST_SIM(four_successes_close_it, 3)
{
	make_ready();
	for (int i = 1; i <= PROBES; i++)
		CHECK_EQ(call(0), i < PROBES ? LEAT_BREAKER_HALF_OPEN : LEAT_BREAKER_CLOSED);
	for (int i = 1; i <= FAILURES; i++)
		CHECK_EQ(call(-EIO), i < FAILURES ? LEAT_BREAKER_CLOSED : LEAT_BREAKER_OPEN);
}

/* shouldReleasePermissionWhenExceptionIgnored, shouldIgnoreExceptionsAndThenTransitionToClosed */
TEST_SIM(what_is_ignored_gives_its_place_back, 3)
{
	make_ready();
	for (int i = 1; i <= PROBES; i++) {
		for (int k = 0; k < 2 * PROBES; k++)
			CHECK_EQ(call(-ECANCELED), LEAT_BREAKER_HALF_OPEN);
		CHECK_EQ(call(0), i < PROBES ? LEAT_BREAKER_HALF_OPEN : LEAT_BREAKER_CLOSED);
	}
}

/* shouldIgnoreNumberFormatException, shouldNotRecordIOExceptionAsAFailure */
TEST_SIM(what_is_ignored_counts_as_neither, 3)
{
	make(5 * LEAT_S);
	for (int i = 1; i <= FAILURES; i++) {
		for (int k = 0; k < 2 * FAILURES; k++)
			CHECK_EQ(call(-ECANCELED), LEAT_BREAKER_CLOSED);
		CHECK_EQ(call(-EIO), i < FAILURES ? LEAT_BREAKER_CLOSED : LEAT_BREAKER_OPEN);
	}
}
