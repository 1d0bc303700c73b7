/* Token buckets by key. */
#include "patterns.h"

#include <leat/leat.h>

#define NUM(n) leat_key_number(n)
#define STR(s) leat_key_string(s)

static leat_keyed *make(const leat_keyed_options *options)
{
	leat_keyed *k = NULL;

	REQUIRE(leat_keyed_create(&k, options) == 0);
	return k;
}

TEST_SIM(each_key_has_its_own, 5)
{
	leat_keyed *k = make(LEAT_KEYED_OPTIONS(.rate = 10, .burst = 2, .keys = 10,
						.full = LEAT_KEYED_REFUSE));
	leat_key key[] = { NUM(7), NUM(8), STR("7"), STR("eight"), STR("") };

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 5; i++)
			CHECK_EQ(leat_keyed_try_take(k, key[i], 1), 0);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(leat_keyed_try_take(k, key[i], 1), -EAGAIN);
		CHECK_EQ(leat_keyed_try_take(k, key[i], 3), -ERANGE);
		CHECK(leat_keyed_tokens(k, key[i]) < 1);
	}
	CHECK(leat_keyed_tokens(k, NUM(9)) > 1.9);
	CHECK_EQ(leat_keyed_count(k), 5);
	leat_sleep(100 * LEAT_MS);
	CHECK_EQ(leat_keyed_try_take(k, NUM(7), 1), 0);
	CHECK_EQ(leat_keyed_try_take(k, NUM(7), 1), -EAGAIN);
	leat_keyed_destroy(k);
	leat_keyed_destroy(NULL);
}

/* Waits, deadlines, and what a cancel gives back. */
LEAT_TASK(take_two, (leat_keyed *, k), (int *, ret))
{
	*ret = leat_keyed_take(k, STR("host"), 2);
}

TEST_SIM(waits, 5)
{
	leat_keyed *k = make(LEAT_KEYED_OPTIONS(.rate = 10, .burst = 2, .keys = 10,
						.full = LEAT_KEYED_REFUSE));
	int64_t began = leat_now();
	leat_group group;
	int r = 1;

	CHECK_EQ(leat_keyed_take(k, STR("host"), 2), 0);
	CHECK_EQ(leat_keyed_take(k, STR("host"), 1), 0);
	CHECK_EQ((leat_now() - began) / LEAT_MS, 100);
	CHECK_EQ(leat_keyed_take_until(k, STR("host"), 1, leat_in(50 * LEAT_MS)), -ETIMEDOUT);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, take_two, k, &r), 0);
	leat_sleep(10 * LEAT_MS);
	leat_group_cancel(&group, 0);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
	CHECK_EQ(r, -ECANCELED);
	CHECK_EQ(leat_keyed_take(k, STR("host"), 1), 0);
	CHECK_EQ((leat_now() - began) / LEAT_MS, 200);
	leat_keyed_destroy(k);
}

LEAT_TASK(take_when_cancelled, (leat_keyed *, k))
{
	while (!leat_cancelled())
		leat_yield();
	CHECK_EQ(leat_keyed_take(k, NUM(1), 1), -ECANCELED);
	CHECK_EQ(leat_keyed_take_until(k, NUM(1), 1, leat_in(LEAT_S)), -ECANCELED);
}

/* As of a bucket: what is there is taken whatever the deadline is, but not after a cancel. */
TEST_SIM(too_late, 3)
{
	leat_keyed *k = make(LEAT_KEYED_OPTIONS(.rate = 0.01, .burst = 2, .keys = 10,
						.full = LEAT_KEYED_REFUSE));
	leat_group group;

	CHECK_EQ(leat_keyed_take_until(k, NUM(1), 1, leat_now() - 1), 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, take_when_cancelled, k), 0);
	test_settle();
	leat_group_cancel(&group, 0);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
	CHECK_EQ(leat_keyed_take_until(k, NUM(1), 1, leat_now()), 0);
	CHECK_EQ(leat_keyed_take_until(k, NUM(1), 1, leat_now()), -ETIMEDOUT);
	leat_keyed_destroy(k);
}

/* What can never be had makes no room for its key. */
TEST_SIM(more_than_the_burst, 3)
{
	leat_keyed *k = make(LEAT_KEYED_OPTIONS(.rate = 1, .burst = 2, .keys = 1,
						.full = LEAT_KEYED_FORGET));

	CHECK_EQ(leat_keyed_try_take(k, NUM(1), 2), 0);
	CHECK_EQ(leat_keyed_try_take(k, NUM(2), 3), -ERANGE);
	CHECK_EQ(leat_keyed_try_take(k, NUM(1), 1), -EAGAIN);
	leat_keyed_destroy(k);
}

/* Of N keys that are in use none is forgotten; as soon as one is full again, it is. */
TEST_SIM(full_buckets_are_forgotten_first, 5)
{
	leat_keyed *k = make(LEAT_KEYED_OPTIONS(.rate = 10, .burst = 5, .keys = 8,
						.full = LEAT_KEYED_REFUSE));

	/* Key i is full after (i % 5 + 1) tenths of a second. */
	for (uint64_t i = 0; i < 8; i++)
		CHECK_EQ(leat_keyed_try_take(k, NUM(i), (int64_t)(i % 5 + 1)), 0);
	CHECK_EQ(leat_keyed_try_take(k, NUM(100), 1), -ENOBUFS);
	leat_sleep(101 * LEAT_MS); /* 0 and 5 are */
	CHECK_EQ(leat_keyed_try_take(k, NUM(100), 5), 0);
	CHECK_EQ(leat_keyed_try_take(k, NUM(101), 5), 0);
	CHECK_EQ(leat_keyed_try_take(k, NUM(102), 1), -ENOBUFS);
	CHECK_EQ(leat_keyed_count(k), 8);
	/* Those in use are as they were: 4 has been empty for a tenth of a second. */
	CHECK(leat_keyed_tokens(k, NUM(4)) < 1.1);
	CHECK(leat_keyed_tokens(k, NUM(2)) < 3.1);
	/* A key that is used goes on being in use: of 1 and 6 the one that is not. */
	CHECK_EQ(leat_keyed_try_take(k, NUM(1), 4), 0);
	leat_sleep(101 * LEAT_MS);
	CHECK_EQ(leat_keyed_try_take(k, NUM(102), 1), 0);
	CHECK_EQ(leat_keyed_try_take(k, NUM(103), 1), -ENOBUFS);
	CHECK(leat_keyed_tokens(k, NUM(1)) < 2.1);
	leat_keyed_destroy(k);
}

/* What is given back makes a bucket full, and free for others. */
TEST_SIM(given_back, 5)
{
	leat_keyed *k = make(LEAT_KEYED_OPTIONS(.rate = 1, .burst = 5, .keys = 3,
						.full = LEAT_KEYED_REFUSE));
	leat_keyed_reservation r, stale;

	for (uint64_t i = 0; i < 3; i++)
		CHECK_EQ(leat_keyed_take(k, NUM(i), 5), 0);
	CHECK_EQ(leat_keyed_reserve(k, NUM(2), 5, LEAT_FOREVER, &r), 0);
	stale = r;
	CHECK_EQ(leat_keyed_try_take(k, NUM(9), 1), -ENOBUFS); /* looks when they are due */
	leat_sleep(2 * LEAT_S);
	CHECK_EQ(leat_keyed_take(k, NUM(0), 2), 0);
	CHECK_EQ(leat_keyed_take(k, NUM(1), 2), 0);
	leat_keyed_give_back(k, &r);
	leat_sleep(3 * LEAT_S + LEAT_MS);
	CHECK_EQ(leat_keyed_try_take(k, NUM(9), 5), 0); /* 2 is full, and no other */
	CHECK(leat_keyed_tokens(k, NUM(0)) < 3.1);
	/* Its reservation is not that of who has the slot now. */
	CHECK_EQ(leat_keyed_reserve(k, NUM(9), 1, LEAT_FOREVER, &r), 0);
	stale.reservation.when = r.reservation.when;
	leat_keyed_give_back(k, &stale);
	CHECK(leat_keyed_tokens(k, NUM(9)) < 0);
	leat_keyed_destroy(k);
}

/* FORGET: a new key always comes in; the one nearest to full loses what it had used. */
TEST_SIM(forget_the_nearest_to_full, 5)
{
	leat_keyed *k = make(LEAT_KEYED_OPTIONS(.rate = 1, .burst = 5, .keys = 3,
						.full = LEAT_KEYED_FORGET));

	CHECK_EQ(leat_keyed_take(k, NUM(0), 5), 0);
	CHECK_EQ(leat_keyed_take(k, NUM(1), 2), 0);
	CHECK_EQ(leat_keyed_take(k, NUM(2), 4), 0);
	CHECK_EQ(leat_keyed_take(k, NUM(1), 1), 0); /* 3 now, still the nearest */
	CHECK_EQ(leat_keyed_try_take(k, NUM(3), 5), 0);
	CHECK_EQ(leat_keyed_count(k), 3);
	CHECK(leat_keyed_tokens(k, NUM(1)) > 4.9); /* forgotten */
	CHECK(leat_keyed_tokens(k, NUM(2)) < 1.1);
	CHECK(leat_keyed_tokens(k, NUM(0)) < 0.1);
	leat_keyed_destroy(k);
}

/* Against a table without a bound: as long as what is in use has room, nobody sees a difference. */
TEST_SIM(as_if_each_had_its_own_bucket, 20)
{
	enum { KEYS = 200 };
	static leat_bucket own[KEYS];
	leat_keyed *k = make(LEAT_KEYED_OPTIONS(.rate = 1000, .burst = 4, .keys = 100,
						.full = LEAT_KEYED_REFUSE));

	for (int i = 0; i < KEYS; i++)
		REQUIRE(leat_bucket_init(&own[i], 1000, 4) == 0);
	/* Less than 100 are in use at once: a bucket is full after 4 ms, a turn takes 50 us. */
	for (int turn = 0; turn < 3000; turn++) {
		uint64_t i = leat_random(8) ? leat_random(20) : leat_random(KEYS);
		int64_t n = 1 + (int64_t)leat_random(4);
		int want = leat_bucket_try_take(&own[i], n);

		CHECK_EQ(leat_keyed_try_take(k, NUM(i), n), want);
		leat_sleep(50 * LEAT_US);
	}
	CHECK_EQ(leat_keyed_count(k), 100);
	leat_keyed_destroy(k);
}

enum { MODEL_KEYS = 40, MODEL_ROOM = 7 };

static leat_bucket model[MODEL_KEYS];
static bool present[MODEL_KEYS];
static int forgotten[MODEL_KEYS];

/* The key comes in; if there is no room, the one with the most tokens goes. */
static void model_enter(int key)
{
	int n = 0, most = -1;

	for (int i = 0; i < MODEL_KEYS; i++) {
		n += present[i];
		if (present[i] && (most < 0 || leat_bucket_tokens(&model[i]) >
						       leat_bucket_tokens(&model[most])))
			most = i;
	}
	if (!present[key] && n == MODEL_ROOM) {
		present[most] = false;
		forgotten[most]++;
		REQUIRE(leat_bucket_init(&model[most], 1, 10) == 0);
	}
	present[key] = true;
}

/* Takes and gives back, in both; then each key has as many tokens as in the model. */
TEST_SIM(forgets_as_the_model_does, 30)
{
	leat_keyed *k = make(LEAT_KEYED_OPTIONS(.rate = 1, .burst = 10, .keys = MODEL_ROOM,
						.full = LEAT_KEYED_FORGET));
	leat_keyed_reservation r;
	leat_reservation own;

	for (int i = 0; i < MODEL_KEYS; i++) {
		REQUIRE(leat_bucket_init(&model[i], 1, 10) == 0);
		present[i] = false;
	}
	for (int turn = 0; turn < 300 && !test_failed(); turn++) {
		int key = (int)leat_random(leat_random(2) ? MODEL_KEYS : MODEL_ROOM);
		int64_t n = 1 + (int64_t)leat_random(10);
		int other = (int)leat_random(MODEL_KEYS), times;

		model_enter(key);
		times = forgotten[key];
		CHECK_EQ(leat_keyed_reserve(k, NUM((uint64_t)key), n, LEAT_FOREVER, &r), 0);
		CHECK_EQ(leat_bucket_reserve(&model[key], n, LEAT_FOREVER, &own), 0);
		/* Another key makes the table look when they are due. */
		if (leat_random(2)) {
			model_enter(other);
			CHECK_EQ(leat_keyed_try_take(k, NUM((uint64_t)other), 1),
				 leat_bucket_try_take(&model[other], 1));
		}
		if (leat_random(2)) {
			leat_keyed_give_back(k, &r);
			if (forgotten[key] == times)
				leat_bucket_give_back(&model[key], &own);
		}
		for (int i = 0; i < MODEL_KEYS; i++) {
			double d = leat_keyed_tokens(k, NUM((uint64_t)i)) -
				   leat_bucket_tokens(&model[i]);

			CHECK(d < 0.01 && d > -0.01);
		}
		leat_sleep((int64_t)leat_random(2 * LEAT_S));
	}
	leat_keyed_destroy(k);
}

TEST_SIM(long_strings, 3)
{
	leat_keyed *k = make(LEAT_KEYED_OPTIONS(.rate = 1, .burst = 1, .keys = 3, .key_size = 5,
						.full = LEAT_KEYED_REFUSE));

	CHECK_EQ(leat_keyed_try_take(k, STR("12345"), 1), 0);
	CHECK_EQ(leat_keyed_try_take(k, STR("12345"), 1), -EAGAIN);
	CHECK_EQ(leat_keyed_try_take(k, STR("123456"), 1), -ENAMETOOLONG);
	leat_keyed_destroy(k);
	k = make(LEAT_KEYED_OPTIONS(.rate = 1, .burst = 1, .keys = 3, .full = LEAT_KEYED_REFUSE));
	CHECK_EQ(leat_keyed_try_take(k, STR("123456"), 1), 0);
	leat_keyed_destroy(k);
}

LEAT_TASK(take_often, (leat_keyed *, k), (int, n), (atomic_int *, taken))
{
	for (int i = 0; i < n; i++)
		if (leat_keyed_try_take(k, NUM(leat_random(50)), 1) == 0)
			atomic_fetch_add(taken, 1);
}

/* At once from many: no key gives more than its burst. */
TEST_BOTH(many_tasks, 10)
{
	leat_keyed *k = make(LEAT_KEYED_OPTIONS(.rate = 0.001, .burst = 20, .keys = 50,
						.full = LEAT_KEYED_REFUSE));
	atomic_int taken = 0;
	leat_group group;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(leat_go_in(&group, take_often, k, 1000, &taken), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(taken, 50 * 20);
	leat_keyed_destroy(k);
}

static void refused(const char *field, const leat_keyed_options *options)
{
	leat_keyed *k;

	CHECK_EQ(leat_keyed_create(&k, options), -EINVAL);
	EXPECT_LOG(field);
}

TEST_WITH(bad_options, .log = log_line)
{
	refused("rate", LEAT_KEYED_OPTIONS(.burst = 1, .keys = 1, .full = LEAT_KEYED_REFUSE));
	refused("burst", LEAT_KEYED_OPTIONS(.rate = 1, .keys = 1, .full = LEAT_KEYED_REFUSE));
	refused("keys is 0", LEAT_KEYED_OPTIONS(.rate = 1, .burst = 1, .full = LEAT_KEYED_REFUSE));
	refused("full is 0", LEAT_KEYED_OPTIONS(.rate = 1, .burst = 1, .keys = 1));
	refused("key_size", LEAT_KEYED_OPTIONS(.rate = 1, .burst = 1, .keys = 1, .key_size = 1025,
					       .full = LEAT_KEYED_REFUSE));
}
