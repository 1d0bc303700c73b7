/* Timeouts, alone and in a retry and a breaker. */
#include "patterns.h"

#include <leat/leat.h>

struct call {
	int64_t takes;
	int result;		/* when it is done */
	bool deaf;		/* a cancel does not end it, and it succeeds */
	int n, ended;		/* calls that began, and ended */
	int64_t began[20];
};

static int take_time(struct call *c)
{
	int r;

	c->began[c->n++] = leat_now();
	r = leat_sleep(c->takes);
	if (r < 0 && c->deaf) {
		leat_shield_begin();
		leat_sleep(c->takes);
		leat_shield_end();
		r = 0;
	}
	c->ended++;
	return r < 0 ? r : c->result;
}

TEST_BOTH(in_time, 5)
{
	struct call c = { .takes = LEAT_MS, .result = 7 };

	CHECK_EQ(leat_timeout(take_time, &c, 10 * LEAT_S), 7);
	c.result = -EIO;
	CHECK_EQ(leat_timeout(take_time, &c, LEAT_FOREVER), -EIO);
	/* Of its own: nobody's time was over. */
	c.result = -ECANCELED;
	CHECK_EQ(leat_timeout(take_time, &c, 10 * LEAT_S), -ECANCELED);
	CHECK_EQ(c.ended, 3);
}

TEST_SIM(too_late, 5)
{
	struct call c = { .takes = LEAT_S };
	int64_t began = leat_now();

	CHECK_EQ(leat_timeout(take_time, &c, 20 * LEAT_MS), -ETIMEDOUT);
	CHECK_EQ((leat_now() - began) / LEAT_MS, 20);
	CHECK_EQ(c.ended, 1); /* it has returned, before we have */
}

/* So short that the function may not even begin. */
TEST_BOTH(over_at_once, 5)
{
	struct call c = { .takes = LEAT_S };

	for (int i = 0; i < 10; i++)
		CHECK_EQ(leat_timeout(take_time, &c, 1), -ETIMEDOUT);
	CHECK_EQ(c.ended, c.n);
}

/* What is done all the same is done; it is waited for. */
TEST_SIM(success_after_the_time, 5)
{
	struct call c = { .takes = LEAT_S, .result = 3, .deaf = true };
	int64_t began = leat_now();

	CHECK_EQ(leat_timeout(take_time, &c, 20 * LEAT_MS), 3);
	CHECK_EQ((leat_now() - began) / LEAT_MS, 1020);
}

/* An error of the function's own is not hidden by its being late. */
static int fails_late(int *error)
{
	return leat_sleep(LEAT_S) < 0 ? *error : 0;
}

TEST_SIM(error_after_the_time, 5)
{
	int error = -EIO;

	CHECK_EQ(leat_timeout(fails_late, &error, 20 * LEAT_MS), -EIO);
}

static int inner(struct call *c)
{
	return leat_timeout(take_time, c, 100 * LEAT_MS);
}

/* The shorter one of two counts, and each knows its own. */
TEST_SIM(one_in_another, 5)
{
	struct call c = { .takes = LEAT_S };
	int64_t began = leat_now();

	CHECK_EQ(leat_timeout(inner, &c, 20 * LEAT_MS), -ETIMEDOUT);
	CHECK_EQ((leat_now() - began) / LEAT_MS, 20);
	began = leat_now();
	CHECK_EQ(leat_timeout(inner, &c, 200 * LEAT_MS), -ETIMEDOUT);
	CHECK_EQ((leat_now() - began) / LEAT_MS, 100);
}

static int inner_result;

static int note_inner(struct call *c)
{
	inner_result = inner(c);
	return inner_result;
}

LEAT_TASK(time_out, (struct call *, c), (int *, ret))
{
	*ret = leat_timeout(note_inner, c, LEAT_S);
}

/* The inner one is cancelled by the outer one, or by whoever cancels the caller. */
TEST_SIM(a_cancel_is_no_timeout, 5)
{
	struct call c = { .takes = LEAT_S };
	leat_group group;
	int r = 1;

	CHECK_EQ(leat_timeout(note_inner, &c, 20 * LEAT_MS), -ETIMEDOUT);
	CHECK_EQ(inner_result, -ECANCELED);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, time_out, &c, &r), 0);
	leat_sleep(20 * LEAT_MS);
	leat_group_cancel(&group, 0);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
	CHECK_EQ(inner_result, -ECANCELED);
	CHECK_EQ(r, -ECANCELED);
	CHECK_EQ(c.n, c.ended);
}

LEAT_TASK(try_when_cancelled, (struct call *, c), (int *, ret))
{
	while (!leat_cancelled())
		leat_yield();
	*ret = leat_timeout(take_time, c, LEAT_S);
}

TEST_SIM(cancelled_before, 5)
{
	struct call c = { .takes = LEAT_S };
	leat_group group;
	int r = 1;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, try_when_cancelled, &c, &r), 0);
	leat_group_cancel(&group, 0);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
	CHECK_EQ(r, -ECANCELED);
	CHECK_EQ(c.n, 0);
}

/* Retry round breaker round timeout, as leat/timeout.h says. */
static leat_breaker breaker;
static struct call slow;

static int call(struct call *c)
{
	return leat_timeout(take_time, c, 100 * LEAT_MS);
}

static int guarded(struct call *c)
{
	return leat_breaker_call(&breaker, call, c);
}

static int with_retries(struct call *c)
{
	return leat_retry(LEAT_RETRY_OPTIONS(.attempts = 10, .backoff = 200 * LEAT_MS, .factor = 1,
					     .no_jitter = true), guarded, c);
}

static void make_breaker(void)
{
	REQUIRE(leat_breaker_init(&breaker, LEAT_BREAKER_OPTIONS(.failures = 3, .probes = 1,
								 .successes = 1,
								 .open_for = LEAT_S)) == 0);
}

/*
 * Each attempt has its time; three timeouts open the breaker; attempts that find it open do not
 * call; the first that finds it half open does, and fails, and so on.
 */
TEST_SIM(retry_breaker_timeout, 5)
{
	int64_t began = leat_now(), at[] = { 0, 300, 600, 1700 };

	make_breaker();
	slow = (struct call){ .takes = LEAT_S };
	CHECK_EQ(with_retries(&slow), LEAT_EOPEN);
	CHECK_EQ(slow.n, 4);
	for (int i = 0; i < 4; i++)
		CHECK_EQ((slow.began[i] - began) / LEAT_MS, at[i]);
	/* 10 attempts: 4 that take 100 ms, and 9 pauses. */
	CHECK_EQ((leat_now() - began) / LEAT_MS, 4 * 100 + 9 * 200);
	CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_OPEN);

	/* The server is fast again: the attempt that finds the breaker half open closes it. */
	leat_sleep(LEAT_S);
	slow = (struct call){ .takes = LEAT_MS, .result = 5 };
	CHECK_EQ(with_retries(&slow), 5);
	CHECK_EQ(slow.n, 1);
	CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_CLOSED);
}

/* A time for all together: it ends the attempts, and is no failure of the server. */
TEST_SIM(timeout_round_all, 5)
{
	int64_t began = leat_now();

	make_breaker();
	slow = (struct call){ .takes = LEAT_S };
	CHECK_EQ(leat_timeout(with_retries, &slow, 350 * LEAT_MS), -ETIMEDOUT);
	CHECK_EQ((leat_now() - began) / LEAT_MS, 350);
	CHECK_EQ(slow.n, 2);
	/* The second one was cancelled: it is neither failure nor success. */
	CHECK_EQ(leat_timeout(guarded, &slow, 350 * LEAT_MS), -ETIMEDOUT);
	CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_CLOSED);
	CHECK_EQ(leat_timeout(guarded, &slow, 350 * LEAT_MS), -ETIMEDOUT);
	CHECK_EQ(leat_breaker_state_of(&breaker), LEAT_BREAKER_OPEN);
}

TEST_WITH(bad_time, .log = log_line)
{
	struct call c = { 0 };

	CHECK_EQ(leat_timeout(take_time, &c, 0), -EINVAL);
	EXPECT_LOG("leat_timeout: ns is 0");
	CHECK_EQ(leat_timeout(take_time, &c, -1), -EINVAL);
	CHECK_EQ(c.n, 0);
}

/* It was no connection. */
TEST_PLAIN(the_text_of_a_timeout)
{
	CHECK_STR(leat_strerror(-ETIMEDOUT), "timed out");
	CHECK_STR(leat_strerror(-ENOENT), "No such file or directory");
}
