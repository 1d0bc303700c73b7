/*
 * golang.org/x/time/rate, rate_test.go: each test names the case that it comes from.
 *
 * The time of a call is given there; here it is virtual, and comes in tenths of a second (t0, t1,
 * ...), of which each begins 20 us late, since calls take time.
 */
#include "test.h"

#include <stdatomic.h>

#include <leat/leat.h>

#define TENTH (100 * LEAT_MS)

static leat_bucket bucket;
static int64_t began;

static void make(double rate, double burst)
{
	began = leat_now();
	REQUIRE(leat_bucket_init(&bucket, rate, burst) == 0);
}

static void at(int tenths)
{
	leat_sleep_until(began + tenths * (TENTH + 20 * LEAT_US));
}

static void allow(int tenths, int64_t n, bool ok)
{
	at(tenths);
	CHECK_EQ(leat_bucket_try_take(&bucket, n) == 0, ok);
}

/* n at that time, to act at tenth act; -1: never. */
static leat_reservation reserve_until(int tenths, int64_t n, int act, int64_t deadline)
{
	leat_reservation r = { 0 };
	int got;

	at(tenths);
	got = leat_bucket_reserve(&bucket, n, deadline, &r);
	CHECK_EQ(got == 0, act >= 0);
	if (got == 0)
		CHECK_EQ((r.when - began + TENTH / 2) / TENTH, act);
	return r;
}

static leat_reservation reserve(int tenths, int64_t n, int act)
{
	return reserve_until(tenths, n, act, LEAT_FOREVER);
}

/* TestLimiterBurst1 */
TEST_SIM(limiter_burst1, 3)
{
	make(10, 1);
	allow(0, 1, true);
	allow(0, 1, false);
	allow(0, 1, false);
	allow(1, 1, true);
	allow(1, 1, false);
	allow(1, 1, false);
	allow(2, 2, false);
	allow(2, 1, true);
	allow(2, 1, false);
}

/* TestLimiterBurst3 */
TEST_SIM(limiter_burst3, 3)
{
	make(10, 3);
	allow(0, 2, true);
	allow(0, 2, false);
	allow(0, 1, true);
	allow(0, 1, false);
	allow(1, 4, false);
	allow(2, 1, true);
	allow(3, 1, true);
	allow(4, 1, true);
	allow(4, 1, true);
	allow(4, 1, false);
	allow(4, 1, false);
	allow(9, 3, true);
}

static atomic_int taken;

LEAT_TASK(try_one)
{
	if (leat_bucket_try_take(&bucket, 1) == 0)
		atomic_fetch_add(&taken, 1);
}

/* TestSimultaneousRequests */
TEST_BOTH(simultaneous_requests, 10)
{
	leat_group group;

	taken = 0;
	REQUIRE(leat_bucket_init(&bucket, 0.1, 5) == 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 15; i++)
		CHECK_EQ(leat_go_in(&group, try_one), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(taken, 5);
}

/* TestSimpleReserve */
TEST_SIM(simple_reserve, 3)
{
	make(10, 2);
	(void)reserve(0, 2, 0);
	(void)reserve(0, 2, 2);
	(void)reserve(3, 2, 4);
}

/* TestMix, without its negative number, which stops the program here. */
TEST_SIM(mix, 3)
{
	make(10, 2);
	(void)reserve(0, 3, -1);
	(void)reserve(0, 2, 0);
	allow(1, 2, false);
	(void)reserve(1, 2, 2);
	allow(1, 1, false);
	allow(3, 1, true);
}

/* TestCancelInvalid */
TEST_SIM(cancel_invalid, 3)
{
	leat_reservation r;

	make(10, 2);
	(void)reserve(0, 2, 0);
	r = reserve(0, 3, -1);
	leat_bucket_give_back(&bucket, &r);
	(void)reserve(0, 2, 2);
}

/* TestCancelLast */
TEST_SIM(cancel_last, 3)
{
	leat_reservation r;

	make(10, 2);
	(void)reserve(0, 2, 0);
	r = reserve(0, 2, 2);
	at(1);
	leat_bucket_give_back(&bucket, &r);
	(void)reserve(1, 2, 2);
}

/* TestCancelTooLate */
TEST_SIM(cancel_too_late, 3)
{
	leat_reservation r;

	make(10, 2);
	(void)reserve(0, 2, 0);
	r = reserve(0, 2, 2);
	at(3);
	leat_bucket_give_back(&bucket, &r);
	(void)reserve(3, 2, 4);
}

/* TestCancel0Tokens */
TEST_SIM(cancel_0_tokens, 3)
{
	leat_reservation r;

	make(10, 2);
	(void)reserve(0, 2, 0);
	r = reserve(0, 1, 1);
	(void)reserve(0, 1, 2);
	leat_bucket_give_back(&bucket, &r);
	(void)reserve(0, 1, 3);
}

/* TestCancel1Token; there at t2 itself, when its time has come here. */
TEST_SIM(cancel_1_token, 3)
{
	leat_reservation r;

	make(10, 2);
	(void)reserve(0, 2, 0);
	r = reserve(0, 2, 2);
	(void)reserve(0, 1, 3);
	at(1);
	leat_bucket_give_back(&bucket, &r);
	(void)reserve(2, 2, 4);
}

/* TestCancelMulti */
TEST_SIM(cancel_multi, 3)
{
	leat_reservation a, c;

	make(10, 4);
	(void)reserve(0, 4, 0);
	a = reserve(0, 3, 3);
	(void)reserve(0, 1, 4);
	c = reserve(0, 1, 5);
	at(1);
	leat_bucket_give_back(&bucket, &c);
	leat_bucket_give_back(&bucket, &a);
	(void)reserve(1, 3, 5);
}

/* TestReserveMax */
TEST_SIM(reserve_max, 3)
{
	make(10, 2);
	(void)reserve_until(0, 2, 0, leat_in(TENTH));
	(void)reserve_until(0, 1, 1, leat_in(TENTH));
	(void)reserve_until(0, 1, -1, leat_in(TENTH));
}

/* Waits for n; what it returned, after so many tenths. */
static void wait_for(int64_t n, int64_t deadline, int result, int tenths)
{
	int64_t start = leat_now();

	CHECK_EQ(leat_bucket_take_until(&bucket, n, deadline), result);
	CHECK_EQ((leat_now() - start + TENTH / 2) / TENTH, tenths);
}

/* TestWaitSimple but for its first row; TestWaitTimeout */
TEST_SIM(wait_simple_and_timeout, 3)
{
	make(10, 3);
	wait_for(4, LEAT_FOREVER, -ERANGE, 0);
	wait_for(2, LEAT_FOREVER, 0, 0);
	wait_for(3, LEAT_FOREVER, 0, 2);
	make(10, 3);
	wait_for(2, leat_in(TENTH), 0, 0);
	wait_for(3, leat_in(TENTH), -ETIMEDOUT, 0);
}

LEAT_TASK(wait_for_three, (int *, ret))
{
	*ret = leat_bucket_take(&bucket, 3);
}

/* TestWaitCancel */
TEST_SIM(wait_cancel, 3)
{
	leat_group group;
	int r = 1;

	make(10, 3);
	wait_for(2, LEAT_FOREVER, 0, 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, wait_for_three, &r), 0);
	at(1);
	leat_group_cancel(&group, 0);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
	CHECK_EQ(r, -ECANCELED);
	wait_for(2, LEAT_FOREVER, 0, 0);
}

/* TestTinyLimit: as small as a rate can be, a token a day. */
TEST_SIM(tiny_limit, 3)
{
	make(1.0 / 86400, 1);
	allow(0, 1, true);
	allow(0, 1, false);
	allow(10, 1, false);
}
