/*
 * Interleavings by hand: what others do after a call of a pattern has read the clock, and before it
 * goes on.  leat_now is wrapped by the linker.
 */
#include "patterns.h"

#include <leat/adaptive.h>
#include <leat/breaker.h>
#include <leat/keyed.h>

static void (*meanwhile)(void);

int64_t __real_leat_now(void);
int64_t __wrap_leat_now(void);
int64_t __wrap_leat_now(void)
{
	int64_t now = __real_leat_now();
	void (*others)(void) = meanwhile;

	meanwhile = NULL;
	if (others)
		others();
	return now;
}

static leat_breaker breaker;
static leat_breaker_ticket first;

static int call(int result)
{
	leat_breaker_ticket ticket;
	int r = leat_breaker_enter(&breaker, &ticket);

	if (r == 0)
		leat_breaker_leave(&breaker, ticket, result);
	return r;
}

static bool opened_again;

/* As much of it as others can do. */
static void open_close_and_open(void)
{
	leat_breaker_leave(&breaker, first, -EIO);
	CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_OPEN);
	CHECK_EQ(call(0), LEAT_EOPEN);
	leat_sleep(LEAT_S);
	opened_again = call(0) == 0 && call(-EIO) == 0;
}

/* Two calls fail at once: who opens it says for how long, and nobody who comes later. */
TEST_SIM(two_open_a_breaker, 3)
{
	leat_breaker_ticket second;

	REQUIRE(leat_breaker_init(&breaker,
				  LEAT_BREAKER_OPTIONS(.failures = 1, .open_for = LEAT_S,
						       .probes = 1, .successes = 1)) == 0);
	REQUIRE(leat_breaker_enter(&breaker, &first) == 0);
	REQUIRE(leat_breaker_enter(&breaker, &second) == 0);
	meanwhile = open_close_and_open;
	leat_breaker_leave(&breaker, second, -EIO);
	CHECK(!meanwhile);
	CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_OPEN);
	CHECK_EQ(call(0), opened_again ? LEAT_EOPEN : 0);
}

static leat_adaptive limit;
static leat_permit late;

static void begin_late(void)
{
	leat_sleep(LEAT_MS);
	CHECK_EQ(leat_adaptive_acquire(&limit, &late), 0);
	leat_sleep(LEAT_MS);
}

/* What begins while a call that has ended waits to change the limit, began before the change. */
TEST_SIM(a_call_begins_before_the_change, 3)
{
	leat_permit permit;

	REQUIRE(leat_adaptive_init(&limit,
				   LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_AIMD, .min = 1,
							 .initial = 16, .max = 100, .backoff = 0.5,
							 .slow = LEAT_FOREVER)) == 0);
	CHECK_EQ(leat_adaptive_acquire(&limit, &permit), 0);
	leat_sleep(LEAT_MS);
	meanwhile = begin_late;
	leat_adaptive_release(&limit, &permit, LEAT_OUTCOME_DROPPED);
	CHECK(!meanwhile);
	CHECK_EQ(leat_adaptive_limit(&limit), 8);
	leat_sleep(LEAT_MS);
	leat_adaptive_release(&limit, &late, LEAT_OUTCOME_DROPPED);
	CHECK_EQ(leat_adaptive_limit(&limit), 8);
}

static leat_group group;

/* The taker is held up until its token is there, and cancelled. */
static void late_and_cancelled(void)
{
	leat_sleep(150 * LEAT_MS);
	leat_group_cancel(&group, 0);
}

LEAT_TASK(take, (leat_bucket *, bucket), (leat_keyed *, keyed))
{
	meanwhile = late_and_cancelled;
	if (bucket)
		CHECK_EQ(leat_bucket_take(bucket, 1), -ECANCELED);
	else
		CHECK_EQ(leat_keyed_take(keyed, leat_key_number(1), 1), -ECANCELED);
	CHECK(!meanwhile);
}

static void run_take(leat_bucket *bucket, leat_keyed *keyed)
{
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, take, bucket, keyed), 0);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
}

/* A wait that is cancelled gives its token back, also when that has come by then. */
TEST_SIM(a_token_comes_too_late, 3)
{
	leat_bucket bucket;
	leat_keyed *keyed;

	REQUIRE(leat_bucket_init(&bucket, 10, 1) == 0);
	CHECK_EQ(leat_bucket_take(&bucket, 1), 0);
	run_take(&bucket, NULL);
	CHECK_EQ(leat_bucket_try_take(&bucket, 1), 0);

	REQUIRE(leat_keyed_create(&keyed, LEAT_KEYED_OPTIONS(.rate = 10, .burst = 1, .keys = 1,
							     .full = LEAT_KEYED_REFUSE)) == 0);
	CHECK_EQ(leat_keyed_take(keyed, leat_key_number(1), 1), 0);
	run_take(NULL, keyed);
	CHECK_EQ(leat_keyed_try_take(keyed, leat_key_number(1), 1), 0);
	leat_keyed_destroy(keyed);
}
