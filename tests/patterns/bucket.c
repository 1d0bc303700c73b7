/*
 * Token buckets.  Cases of golang.org/x/time/rate's rate_test.go are named; its tokens come in
 * tenths of a second there, and here.
 */
#include "patterns.h"

#include <leat/bucket.h>

#define TENTH (100 * LEAT_MS)

static int64_t began;

static void at(int64_t tenths)
{
	leat_sleep_until(began + tenths * (TENTH + 10 * LEAT_US)); /* calls take time, too */
}

/* A bucket of 10 tokens a second. */
static void make(leat_bucket *b, double burst)
{
	began = leat_now();
	REQUIRE(leat_bucket_init(b, 10, burst) == 0);
}

static void allow(leat_bucket *b, int64_t tenths, int64_t n, bool ok)
{
	at(tenths);
	CHECK_EQ(leat_bucket_try_take(b, n) == 0, ok);
}

/* TestLimiterBurst1 */
TEST_SIM(burst_of_one, 3)
{
	leat_bucket b;

	make(&b, 1);
	allow(&b, 0, 1, true);
	allow(&b, 0, 1, false);
	allow(&b, 0, 1, false);
	allow(&b, 1, 1, true);
	allow(&b, 1, 1, false);
	allow(&b, 1, 1, false);
	CHECK_EQ(leat_bucket_try_take(&b, 2), -ERANGE);
	allow(&b, 2, 1, true);
	allow(&b, 2, 1, false);
}

/* TestLimiterBurst3 */
TEST_SIM(burst_of_three, 3)
{
	leat_bucket b;

	make(&b, 3);
	allow(&b, 0, 2, true);
	allow(&b, 0, 2, false);
	allow(&b, 0, 1, true);
	allow(&b, 0, 1, false);
	CHECK_EQ(leat_bucket_try_take(&b, 4), -ERANGE);
	allow(&b, 1, 1, true);
	allow(&b, 1, 1, false);
	allow(&b, 3, 2, true);
	allow(&b, 3, 1, false);
	allow(&b, 13, 3, true); /* no more than the burst, however long it was */
	allow(&b, 13, 1, false);
}

static leat_reservation reserve(leat_bucket *b, int64_t n, int64_t tenths)
{
	leat_reservation r = { 0 };

	CHECK_EQ(leat_bucket_reserve(b, n, LEAT_FOREVER, &r), 0);
	CHECK((r.when - began + TENTH / 2) / TENTH == tenths);
	CHECK(r.when >= leat_now() || tenths == (leat_now() - began) / TENTH);
	return r;
}

/* TestSimpleReserve, TestMix */
TEST_SIM(reservations, 3)
{
	leat_reservation r;
	leat_bucket b;

	make(&b, 2);
	(void)reserve(&b, 2, 0);
	(void)reserve(&b, 2, 2);
	at(3);
	(void)reserve(&b, 2, 4);
	CHECK_EQ(leat_bucket_reserve(&b, 3, LEAT_FOREVER, &r), -ERANGE);
	CHECK_EQ(leat_bucket_reserve(&b, 1, began + 4 * TENTH, &r), -ETIMEDOUT);
	(void)reserve(&b, 1, 5);
}

/* TestCancelInvalid to TestCancelMulti: what is given back, and what later ones count on. */
TEST_SIM(given_back, 3)
{
	leat_reservation r, later;
	leat_bucket b;

	make(&b, 2);
	(void)reserve(&b, 2, 0);
	r = reserve(&b, 2, 2);
	at(1);
	leat_bucket_give_back(&b, &r); /* as if it had not been */
	leat_bucket_give_back(&b, &r); /* once */
	(void)reserve(&b, 2, 2);

	make(&b, 2);
	r = reserve(&b, 2, 0);
	leat_bucket_give_back(&b, &r); /* too late */
	(void)reserve(&b, 2, 2);

	make(&b, 2);
	(void)reserve(&b, 2, 0);
	r = reserve(&b, 2, 2);
	later = reserve(&b, 1, 3);
	leat_bucket_give_back(&b, &r); /* one of the two: the later one has been told 3 */
	(void)reserve(&b, 1, 3);
	(void)later;
}

/* TestWaitSimple, TestWaitCancel, TestWaitTimeout */
TEST_SIM(waits, 3)
{
	leat_bucket b;

	make(&b, 3);
	CHECK_EQ(leat_bucket_take(&b, 2), 0);
	CHECK_EQ(leat_bucket_take(&b, 4), -ERANGE);
	CHECK(leat_now() - began < LEAT_MS);
	CHECK_EQ(leat_bucket_take(&b, 1), 0);
	CHECK_EQ(leat_bucket_take(&b, 1), 0);
	CHECK_EQ((leat_now() - began) / TENTH, 1);
	/* It would be too late: at once, and nothing is taken. */
	CHECK_EQ(leat_bucket_take_until(&b, 3, leat_in(2 * TENTH)), -ETIMEDOUT);
	CHECK_EQ((leat_now() - began) / TENTH, 1);
	CHECK_EQ(leat_bucket_take_until(&b, 3, leat_in(3 * TENTH)), 0);
	CHECK_EQ((leat_now() - began) / TENTH, 4);
}

LEAT_TASK(take_ten, (leat_bucket *, b), (int *, ret))
{
	*ret = leat_bucket_take(b, 10);
}

TEST_SIM(cancelled_wait, 10)
{
	leat_group group;
	leat_bucket b;
	int r = 1;

	make(&b, 10);
	CHECK_EQ(leat_bucket_take(&b, 10), 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, take_ten, &b, &r), 0);
	at(5);
	leat_group_cancel(&group, 0);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
	CHECK_EQ(r, -ECANCELED);
	CHECK(leat_bucket_tokens(&b) > 4.9 && leat_bucket_tokens(&b) < 5.1);
	CHECK_EQ(leat_bucket_try_take(&b, 5), 0);
	CHECK_EQ(leat_bucket_try_take(&b, 1), -EAGAIN);
}

/* What is there is taken, whatever the deadline is. */
TEST_SIM(deadline_that_is_over, 3)
{
	leat_reservation r;
	leat_bucket b;

	make(&b, 3);
	CHECK_EQ(leat_bucket_take_until(&b, 1, began - 1), 0);
	CHECK_EQ(leat_bucket_take_until(&b, 1, 0), 0);
	CHECK_EQ(leat_bucket_reserve(&b, 1, INT64_MIN, &r), 0);
	CHECK(r.when >= began && r.when <= leat_now());
	CHECK_EQ(leat_bucket_take_until(&b, 1, leat_now()), -ETIMEDOUT);
	CHECK_EQ(leat_bucket_reserve(&b, 1, INT64_MIN, &r), -ETIMEDOUT);
	CHECK((leat_now() - began) / TENTH == 0);
}

LEAT_TASK(take_when_cancelled, (leat_bucket *, b))
{
	while (!leat_cancelled())
		leat_yield();
	CHECK_EQ(leat_bucket_take(b, 1), -ECANCELED);
	CHECK_EQ(leat_bucket_take_until(b, 1, leat_in(LEAT_S)), -ECANCELED);
	CHECK_EQ(leat_bucket_try_take(b, 1), 0); /* no call that could block */
}

TEST_SIM(cancelled_before, 3)
{
	leat_group group;
	leat_bucket b;

	make(&b, 3);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, take_when_cancelled, &b), 0);
	test_settle();
	leat_group_cancel(&group, 0);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
	CHECK_EQ(leat_bucket_try_take(&b, 2), 0);
}

/* A token a day: more than time can say is refused, and not there at once. */
TEST_SIM(to_the_end_of_time, 1)
{
	leat_reservation r = { 0 };
	int64_t last = 0;
	int days = 0;
	leat_bucket b;

	REQUIRE(leat_bucket_init(&b, 1.0 / 86400, 1) == 0);
	for (; days < 20000 && leat_bucket_reserve(&b, 1, LEAT_FOREVER, &r) == 0; days++) {
		REQUIRE(r.when > last);
		last = r.when;
	}
	CHECK(days > 6000 && days < 7000); /* 18 years */
	CHECK_EQ(leat_bucket_reserve(&b, 1, LEAT_FOREVER, &r), -ETIMEDOUT);
	CHECK_EQ(leat_bucket_try_take(&b, 1), -EAGAIN);
}

LEAT_TASK(take_eight, (leat_bucket *, b), (atomic_bool *, begun), (atomic_bool *, end))
{
	for (*begun = true; !*end;) {
		int r = leat_bucket_try_take(b, 8);

		if (r != 0)
			REQUIRE(r == -EAGAIN);
	}
}

/* Rate and burst are seen one after the other; each is one that was set. */
TEST_WITH(changed_meanwhile, .workers = 2)
{
	atomic_bool begun = false, end = false;
	leat_group group;
	leat_bucket b;

	REQUIRE(leat_bucket_init(&b, 1e6, 10) == 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, take_eight, &b, &begun, &end), 0);
	while (!begun)
		; /* on another worker */
	for (int i = 0; i < 1000000; i++)
		CHECK_EQ(leat_bucket_set(&b, i % 2 ? 1e6 : 1, 10), 0);
	end = true;
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
}

LEAT_TASK(take_many, (leat_bucket *, b), (int, n), (atomic_int *, taken))
{
	for (int i = 0; i < n; i++) {
		CHECK_EQ(leat_bucket_take(b, 1), 0);
		atomic_fetch_add(taken, 1);
	}
}

/* TestLongRunningQPS: never more than rate x time + burst, and not less either. */
TEST_BOTH(rate_in_the_long_run, 5)
{
	atomic_int taken = 0;
	leat_group group;
	leat_bucket b;
	int64_t took;

	began = leat_now();
	REQUIRE(leat_bucket_init(&b, 10000, 50) == 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(leat_go_in(&group, take_many, &b, 300, &taken), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	took = leat_now() - began;
	CHECK_EQ(taken, 1200);
	CHECK(took >= 1150 * LEAT_S / 10000);
	CHECK(took < 1150 * LEAT_S / 10000 + (leat_sim_seed() ? 2 * LEAT_MS : LEAT_S));
}

/* A third of a second has no end in ns; it is exact all the same. */
TEST_SIM(odd_rates, 3)
{
	leat_reservation r;
	leat_bucket b;

	began = leat_now();
	REQUIRE(leat_bucket_init(&b, 3, 1) == 0);
	for (int i = 0; i < 3000; i++)
		CHECK_EQ(leat_bucket_reserve(&b, 1, LEAT_FOREVER, &r), 0);
	CHECK(r.when >= began + 2999 * LEAT_S / 3);
	CHECK(r.when < began + 2999 * LEAT_S / 3 + LEAT_MS);
}

/* TestSetLimit, TestSetBurst */
TEST_SIM(changed, 3)
{
	leat_bucket b;

	make(&b, 1);
	allow(&b, 0, 1, true);
	CHECK_EQ(leat_bucket_set(&b, 100, 5), 0);
	at(1);
	CHECK_EQ(leat_bucket_try_take(&b, 5), 0);
	CHECK_EQ(leat_bucket_try_take(&b, 1), -EAGAIN);
	leat_sleep(10 * LEAT_MS);
	CHECK_EQ(leat_bucket_try_take(&b, 1), 0);
	CHECK_EQ(leat_bucket_try_take(&b, 1), -EAGAIN);
}

TEST_WITH(bad_numbers, .log = log_line)
{
	leat_bucket b;

	CHECK_EQ(leat_bucket_init(&b, 0, 1), -EINVAL);
	EXPECT_LOG("rate is 0");
	CHECK_EQ(leat_bucket_init(&b, -1, 1), -EINVAL);
	CHECK_EQ(leat_bucket_init(&b, 0.0 / 0.0, 1), -EINVAL);
	EXPECT_LOG("rate");
	CHECK_EQ(leat_bucket_init(&b, 1, 0.5), -EINVAL);
	EXPECT_LOG("burst is 0.5");
	CHECK_EQ(leat_bucket_init(&b, 1, 1e6), -EINVAL);
	EXPECT_LOG("burst");
}

TEST_DEATH_TASK(of_nothing, "n is 0")
{
	leat_bucket b;

	REQUIRE(leat_bucket_init(&b, 1, 1) == 0);
	(void)!leat_bucket_try_take(&b, 0);
}
