/* What the patterns say to who uses them in ways that cannot be: the line names the function. */
#include "patterns.h"

#include <leat/leat.h>

static int work(int *job)
{
	(void)job;
	return 0;
}

/* The line is in what is written before the abort. */
static void refused(int r)
{
	if (r == -EINVAL)
		abort();
}

#define NO_RUNTIME ": no runtime is running; call it inside leat_run or LEAT_MAIN"

TEST_DEATH(pool_without_a_runtime, "leat: leat_pool_make" NO_RUNTIME)
{
	leat_pool(int) pool;

	refused(leat_pool_make(&pool, work, .workers = 1, .queue = 1,
			       .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_STOP));
}

TEST_DEATH(pipeline_without_a_runtime, "leat: leat_pipeline_make" NO_RUNTIME)
{
	leat_pipeline *p;

	refused(leat_pipeline_make(&p, .live = 1));
}

TEST_DEATH(flight_without_a_runtime, "leat: leat_flight_make" NO_RUNTIME)
{
	leat_flight(int) flight;

	refused(leat_flight_make(&flight, .name = "flight"));
}

TEST_DEATH(timeout_without_a_runtime, "leat: leat_timeout" NO_RUNTIME)
{
	int n = 0;

	refused(leat_timeout(work, &n, LEAT_S));
}

/* What blocks names itself, and not what it calls. */
TEST_DEATH(sleep_without_a_runtime, "leat: leat_sleep_until((nil))" NO_RUNTIME)
{
	leat_sleep(LEAT_MS);
}

TEST_DEATH(send_without_a_runtime, "leat: no runtime is running; call leat's functions inside")
{
	leat_chan(int) c = leat_chan_make(int, 0);

	leat_send(c, 1);
}

/* NULL: ignored by what frees, a broken contract elsewhere. */
TEST(destroy_of_nothing)
{
	leat_pool(int) pool = NULL;
	leat_flight(int) flight = NULL;

	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
	CHECK_EQ(leat_pipeline_destroy(NULL, NULL), 0);
	leat_fan_destroy(NULL, NULL);
	leat_flight_destroy(flight);
	leat_keyed_destroy(NULL);
}

TEST_DEATH(a_key_without_a_string, "leat: leat_key_string((nil)): the string is NULL")
{
	const char *none = NULL;

	(void)leat_key_string(none);
}

TEST_DEATH_TASK(a_fan_without_a_group, "leat: leat_merge((nil)): the group is NULL; give one")
{
	leat_chan(int) in = leat_chan_make(int, 0), out = leat_chan_make(int, 0);
	leat_fan *fan;

	refused(leat_merge(&fan, NULL, &in, 1, out, .end = LEAT_FAN_ALL));
}

static void names(const char *text, int r)
{
	CHECK_EQ(r, -EINVAL);
	if (strncmp(logged, text, strlen(text)) != 0)
		test_fail(__FILE__, __LINE__, "\"%s\" does not begin with \"%s\"", logged, text);
}

/* The function that was called, and not the one that it makes use of. */
TEST_WITH(rates_by_who_was_called, .log = log_line)
{
	leat_retry_budget budget;
	leat_keyed *keyed;
	leat_bucket bucket;

	names("leat: leat_keyed_create: rate is 0",
	      leat_keyed_create(&keyed, LEAT_KEYED_OPTIONS(.burst = 1, .keys = 1,
							   .full = LEAT_KEYED_REFUSE)));
	names("leat: leat_bucket_init: burst is 0", leat_bucket_init(&bucket, 1, 0));
	CHECK_EQ(leat_bucket_init(&bucket, 1, 1), 0);
	names("leat: leat_bucket_set: rate is -1", leat_bucket_set(&bucket, -1, 1));
	names("leat: leat_retry_budget_init: per_second is 1e-06",
	      leat_retry_budget_init(&budget, 0, 1e-6));
}

/* Who would wait for itself. */

static leat_pool(int) own;

static int drain_own(int *job)
{
	(void)job;
	return leat_pool_drain(own, LEAT_FOREVER);
}

static int pause_own(int *job)
{
	(void)job;
	return leat_pool_pause(own, LEAT_FOREVER);
}

static int destroy_own(int *job)
{
	(void)job;
	return leat_pool_destroy(own, NULL);
}

static void run_in_own(int (*job)(int *job))
{
	REQUIRE(leat_pool_make(&own, job, .workers = 1, .queue = 1, .on_error = LEAT_ERROR_STOP,
			       .overflow = LEAT_OVERFLOW_BLOCK) == 0);
	REQUIRE(leat_pool_submit(own, 1) == 0);
	(void)leat_sleep(LEAT_S);
}

TEST_DEATH_TASK(drain_by_a_job, "leat_pool_wait_drained(0x")
{
	run_in_own(drain_own);
}

static int drain_own_in_time(int *job)
{
	return leat_timeout(drain_own, job, LEAT_S);
}

TEST_DEATH_TASK(drain_below_a_job, "leat_pool_wait_drained(0x")
{
	run_in_own(drain_own_in_time);
}

TEST_DEATH_TASK(pause_by_a_job, "leat_pool_hold(0x")
{
	run_in_own(pause_own);
}

TEST_DEATH_TASK(destroy_by_a_job, "leat_pool_end(0x")
{
	run_in_own(destroy_own);
}

static leat_flight(int) flight;

static int ask_again(int *n, int *ret_n)
{
	return leat_flight_do(flight, "key", ask_again, n, ret_n, LEAT_FOREVER);
}

TEST_DEATH_TASK(flight_in_its_own_key, "with key 'key' by the function of that key")
{
	int n = 0;

	REQUIRE(leat_flight_make(&flight, .name = "flight") == 0);
	REQUIRE(leat_flight_do(flight, "key", ask_again, &n, &n, LEAT_FOREVER) == 0);
}

static int ask_other(int *depth, int *ret_n)
{
	int below = *depth - 1;
	char key[16];

	*ret_n = 0;
	snprintf(key, sizeof(key), "%d", below);
	return below == 0 ? 0 : leat_flight_do(flight, key, ask_other, &below, ret_n, LEAT_FOREVER);
}

/* Other keys may be asked for. */
TEST(flight_in_other_keys)
{
	int depth = 3;

	REQUIRE(leat_flight_make(&flight, .name = "flight") == 0);
	CHECK_EQ(leat_flight_do(flight, "3", ask_other, &depth, &depth, LEAT_FOREVER), 0);
	leat_flight_destroy(flight);
}
