/* Retries. */
#include "patterns.h"

#include <leat/retry.h>

struct calls {
	int n, succeeds_at, error;
	int64_t when[64];
};

static int try_it(struct calls *calls)
{
	calls->when[calls->n % 64] = leat_now();
	return ++calls->n == calls->succeeds_at ? 7 : calls->error;
}

TEST_SIM(until_it_succeeds, 3)
{
	struct calls calls = { .succeeds_at = 3, .error = -EIO };

	CHECK_EQ(leat_retry(LEAT_RETRY_OPTIONS(.attempts = 5, .backoff = LEAT_MS), try_it, &calls),
		 7);
	CHECK_EQ(calls.n, 3);
}

TEST_SIM(so_many_attempts, 3)
{
	struct calls calls = { .error = -EIO };

	CHECK_EQ(leat_retry(LEAT_RETRY_OPTIONS(.attempts = 5, .backoff = LEAT_MS), try_it, &calls),
		 -EIO);
	CHECK_EQ(calls.n, 5);
	CHECK_EQ(leat_retry(LEAT_RETRY_OPTIONS(.attempts = 1), try_it, &calls), -EIO);
	CHECK_EQ(calls.n, 6);
}

static bool is_busy(int error)
{
	return error == -EBUSY;
}

TEST_SIM(errors_that_are_final, 3)
{
	struct calls calls = { .error = -EIO };
	const leat_retry_options *o =
		LEAT_RETRY_OPTIONS(.attempts = 5, .backoff = LEAT_MS, .retryable = is_busy);

	CHECK_EQ(leat_retry(o, try_it, &calls), -EIO);
	CHECK_EQ(calls.n, 1);
	calls.error = -EBUSY;
	CHECK_EQ(leat_retry(o, try_it, &calls), -EBUSY);
	CHECK_EQ(calls.n, 6);
	calls.error = -ECANCELED;
	CHECK_EQ(leat_retry(LEAT_RETRY_OPTIONS(.attempts = 5, .backoff = LEAT_MS), try_it, &calls),
		 -ECANCELED);
	CHECK_EQ(calls.n, 7);
}

static int64_t pause_before(const struct calls *calls, int i)
{
	return (calls->when[i] - calls->when[i - 1]) / LEAT_MS;
}

TEST_SIM(pauses_grow, 3)
{
	struct calls calls = { .error = -EIO };

	CHECK_EQ(leat_retry(LEAT_RETRY_OPTIONS(.attempts = 6, .backoff = 10 * LEAT_MS,
					       .backoff_max = 50 * LEAT_MS, .no_jitter = true),
			    try_it, &calls), -EIO);
	CHECK_EQ(pause_before(&calls, 1), 10);
	CHECK_EQ(pause_before(&calls, 2), 20);
	CHECK_EQ(pause_before(&calls, 3), 40);
	CHECK_EQ(pause_before(&calls, 4), 50);
	CHECK_EQ(pause_before(&calls, 5), 50);
	calls.n = 0;
	CHECK_EQ(leat_retry(LEAT_RETRY_OPTIONS(.attempts = 4, .backoff = 10 * LEAT_MS, .factor = 3,
					       .no_jitter = true), try_it, &calls), -EIO);
	CHECK_EQ(pause_before(&calls, 2), 30);
	CHECK_EQ(pause_before(&calls, 3), 90);
	/* It saturates. */
	calls.n = 0;
	CHECK_EQ(leat_retry(LEAT_RETRY_OPTIONS(.attempts = 3, .backoff = LEAT_FOREVER / 8,
					       .factor = 1e9, .deadline = LEAT_FOREVER - 1),
			    try_it, &calls), -EIO);
}

/* From 0 to the whole, evenly. */
TEST_SIM(jitter, 5)
{
	struct calls calls = { .error = -EIO };
	int low = 0, high = 0;

	for (int i = 0; i < 100; i++) {
		calls.n = 0;
		CHECK_EQ(leat_retry(LEAT_RETRY_OPTIONS(.attempts = 2, .backoff = 100 * LEAT_MS),
				    try_it, &calls), -EIO);
		CHECK(pause_before(&calls, 1) <= 100);
		low += pause_before(&calls, 1) < 25;
		high += pause_before(&calls, 1) >= 75;
	}
	CHECK(low > 8 && high > 8);
}

TEST_SIM(deadline, 3)
{
	struct calls calls = { .error = -EIO };
	int64_t start = leat_now();

	CHECK_EQ(leat_retry(LEAT_RETRY_OPTIONS(.attempts = 10, .backoff = 10 * LEAT_MS,
					       .no_jitter = true,
					       .deadline = leat_in(35 * LEAT_MS)),
			    try_it, &calls), -EIO);
	CHECK_EQ(calls.n, 3); /* at 0, 10 and 30; 70 is too late, and not waited for */
	CHECK_EQ((leat_now() - start) / LEAT_MS, 30);
}

LEAT_TASK(retry_long, (struct calls *, calls), (int *, ret))
{
	*ret = leat_retry(LEAT_RETRY_OPTIONS(.attempts = 10, .backoff = LEAT_S, .no_jitter = true),
			  try_it, calls);
}

TEST_SIM(cancelled_pause, 3)
{
	struct calls calls = { .error = -EIO };
	leat_group group;
	int r = 1;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, retry_long, &calls, &r), 0);
	leat_sleep(2 * LEAT_S);
	leat_group_cancel(&group, 0);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
	CHECK_EQ(r, -ECANCELED);
	CHECK_EQ(calls.n, 2);
}

/* 100 calls that all fail are 120 with a budget of 0.2, and not 500. */
TEST_SIM(budget, 3)
{
	struct calls calls = { .error = -EIO };
	leat_retry_budget budget;

	REQUIRE(leat_retry_budget_init(&budget, 0.2, 0) == 0);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(leat_retry(LEAT_RETRY_OPTIONS(.attempts = 5, .backoff = LEAT_US,
						       .budget = &budget), try_it, &calls), -EIO);
	CHECK_EQ(calls.n, 120);
	/* What is kept has a limit. */
	calls.error = 0;
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(leat_retry(LEAT_RETRY_OPTIONS(.attempts = 5, .backoff = LEAT_US,
						       .budget = &budget), try_it, &calls), 0);
	calls = (struct calls){ .error = -EIO };
	CHECK_EQ(leat_retry(LEAT_RETRY_OPTIONS(.attempts = 1000, .backoff = LEAT_US,
					       .backoff_max = LEAT_US, .budget = &budget),
			    try_it, &calls), -EIO);
	CHECK_EQ(calls.n, 101);
}

/* A retry that would come too late is none: the budget is for others. */
TEST_SIM(budget_without_a_retry, 3)
{
	struct calls calls = { .error = -EIO };
	leat_retry_budget budget;

	REQUIRE(leat_retry_budget_init(&budget, 1, 0) == 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(leat_retry(LEAT_RETRY_OPTIONS(.attempts = 5, .backoff = LEAT_S,
						       .no_jitter = true, .budget = &budget,
						       .deadline = leat_in(LEAT_MS)),
				    try_it, &calls), -EIO);
	CHECK_EQ(calls.n, 10);
	CHECK_EQ(leat_retry(LEAT_RETRY_OPTIONS(.attempts = 20, .backoff = LEAT_US,
					       .backoff_max = LEAT_US, .budget = &budget),
			    try_it, &calls), -EIO);
	CHECK_EQ(calls.n, 10 + 1 + 11); /* of each call one */
}

TEST_SIM(budget_of_a_second, 3)
{
	struct calls calls = { .error = -EIO };
	leat_retry_budget budget;

	REQUIRE(leat_retry_budget_init(&budget, 0, 10) == 0);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(leat_retry(LEAT_RETRY_OPTIONS(.attempts = 5, .backoff = LEAT_US,
						       .budget = &budget), try_it, &calls), -EIO);
	CHECK_EQ(calls.n, 110);
	leat_sleep(LEAT_S);
	CHECK_EQ(leat_retry(LEAT_RETRY_OPTIONS(.attempts = 50, .backoff = LEAT_US,
					       .backoff_max = LEAT_US, .budget = &budget),
			    try_it, &calls), -EIO);
	CHECK_EQ(calls.n, 121);
}

static void refused(const char *field, const leat_retry_options *options)
{
	struct calls calls = { 0 };

	CHECK_EQ(leat_retry(options, try_it, &calls), -EINVAL);
	CHECK_EQ(calls.n, 0);
	EXPECT_LOG(field);
}

TEST_WITH(bad_options, .log = log_line)
{
	leat_retry_budget budget;

	refused("attempts", LEAT_RETRY_OPTIONS(.backoff = 1));
	refused("backoff", LEAT_RETRY_OPTIONS(.attempts = 2));
	refused("backoff", LEAT_RETRY_OPTIONS(.attempts = 1, .backoff = -1));
	refused("backoff_max", LEAT_RETRY_OPTIONS(.attempts = 2, .backoff = 1, .backoff_max = -1));
	refused("factor", LEAT_RETRY_OPTIONS(.attempts = 2, .backoff = 1, .factor = 0.5));
	CHECK_EQ(leat_retry_budget_init(&budget, -1, 0), -EINVAL);
	EXPECT_LOG("ratio");
	CHECK_EQ(leat_retry_budget_init(&budget, 11, 0), -EINVAL);
	EXPECT_LOG("ratio is 11; it must be 0 to 10");
	CHECK_EQ(leat_retry_budget_init(&budget, 0, -1), -EINVAL);
	EXPECT_LOG("per_second is -1; it must be 0 to 1e9");
	CHECK_EQ(leat_retry_budget_init(&budget, 0, 2e9), -EINVAL);
	EXPECT_LOG("leat_retry_budget_init: per_second is 2e+09; it must be 0 to 1e9");
	CHECK_EQ(leat_retry_budget_init(&budget, 0, 1e-6), -EINVAL);
	EXPECT_LOG("per_second is 1e-06; it must be 0, or one a day at least");
}

static int fail_and_count(int *calls)
{
	++*calls;
	return -EIO;
}

/* Of a fifth of a retry a call, the fifth has the first one. */
TEST_SIM(a_budget_begins_empty, 1)
{
	leat_retry_budget budget;
	int calls = 0;

	CHECK_EQ(leat_retry_budget_init(&budget, 0.2, 0), 0);
	for (int i = 1; i <= 5; i++) {
		CHECK_EQ(leat_retry(LEAT_RETRY_OPTIONS(.attempts = 2, .backoff = 1,
						       .budget = &budget), fail_and_count, &calls),
			 -EIO);
		CHECK_EQ(calls, i + i / 5);
	}
}
