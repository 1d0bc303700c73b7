/* Circuit breakers. */
#include "patterns.h"

#include <leat/breaker.h>

static void make(leat_breaker *b)
{
	REQUIRE(leat_breaker_init(b, LEAT_BREAKER_OPTIONS(.failures = 3, .open_for = LEAT_S,
							  .probes = 2, .successes = 3)) == 0);
}

/* A call with this result; what the breaker says. */
static int call(leat_breaker *b, int result)
{
	leat_breaker_ticket ticket;
	int r = leat_breaker_enter(b, &ticket);

	if (r == 0)
		leat_breaker_leave(b, ticket, result);
	return r;
}

static void fail(leat_breaker *b, int times)
{
	while (times-- > 0)
		CHECK_EQ(call(b, -EIO), 0);
}

TEST_SIM(failures_in_a_row_open_it, 3)
{
	leat_breaker b;

	make(&b);
	fail(&b, 2);
	CHECK_EQ(call(&b, 0), 0); /* begins anew */
	fail(&b, 2);
	CHECK_EQ(call(&b, -ECANCELED), 0); /* does not */
	CHECK_EQ(leat_breaker_state_of(&b), LEAT_BREAKER_CLOSED);
	fail(&b, 1);
	CHECK_EQ(leat_breaker_state_of(&b), LEAT_BREAKER_OPEN);
	CHECK_EQ(call(&b, 0), LEAT_EOPEN);
	leat_sleep(LEAT_S - LEAT_MS);
	CHECK_EQ(call(&b, 0), LEAT_EOPEN);
	leat_sleep(LEAT_MS);
	CHECK_EQ(call(&b, 0), 0);
	CHECK_EQ(leat_breaker_state_of(&b), LEAT_BREAKER_HALF_OPEN);
}

static void make_half_open(leat_breaker *b)
{
	make(b);
	fail(b, 3);
	leat_sleep(LEAT_S);
}

TEST_SIM(successes_close_it, 3)
{
	leat_breaker b;

	make_half_open(&b);
	CHECK_EQ(call(&b, 0), 0);
	CHECK_EQ(call(&b, -ECANCELED), 0);
	CHECK_EQ(call(&b, 0), 0);
	CHECK_EQ(leat_breaker_state_of(&b), LEAT_BREAKER_HALF_OPEN);
	CHECK_EQ(call(&b, 0), 0);
	CHECK_EQ(leat_breaker_state_of(&b), LEAT_BREAKER_CLOSED);
	fail(&b, 2); /* of before nothing is left */
	CHECK_EQ(leat_breaker_state_of(&b), LEAT_BREAKER_CLOSED);
}

TEST_SIM(one_failure_opens_it_again, 3)
{
	leat_breaker b;

	make_half_open(&b);
	CHECK_EQ(call(&b, 0), 0);
	CHECK_EQ(call(&b, 0), 0);
	CHECK_EQ(call(&b, -EIO), 0);
	CHECK_EQ(leat_breaker_state_of(&b), LEAT_BREAKER_OPEN);
	leat_sleep(LEAT_S - LEAT_MS);
	CHECK_EQ(call(&b, 0), LEAT_EOPEN); /* a whole open_for */
	leat_sleep(LEAT_MS);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(call(&b, 0), 0);
	CHECK_EQ(leat_breaker_state_of(&b), LEAT_BREAKER_CLOSED);
}

TEST_SIM(probes_at_once, 3)
{
	leat_breaker_ticket t[3];
	leat_breaker b;

	make_half_open(&b);
	CHECK_EQ(leat_breaker_enter(&b, &t[0]), 0);
	CHECK_EQ(leat_breaker_enter(&b, &t[1]), 0);
	CHECK_EQ(leat_breaker_enter(&b, &t[2]), LEAT_EOPEN);
	leat_breaker_leave(&b, t[0], -ECANCELED);
	CHECK_EQ(leat_breaker_enter(&b, &t[2]), 0);
	leat_breaker_leave(&b, t[1], 0);
	leat_breaker_leave(&b, t[2], 0);
	CHECK_EQ(leat_breaker_state_of(&b), LEAT_BREAKER_HALF_OPEN);
	CHECK_EQ(call(&b, 0), 0);
	CHECK_EQ(leat_breaker_state_of(&b), LEAT_BREAKER_CLOSED);
}

/* Calls of an earlier state say nothing of this one. */
TEST_SIM(stale_calls, 3)
{
	leat_breaker_ticket early, probe;
	leat_breaker b;

	make(&b);
	CHECK_EQ(leat_breaker_enter(&b, &early), 0);
	fail(&b, 3);
	leat_sleep(LEAT_S);
	CHECK_EQ(leat_breaker_enter(&b, &probe), 0);
	leat_breaker_leave(&b, early, -EIO);
	CHECK_EQ(leat_breaker_state_of(&b), LEAT_BREAKER_HALF_OPEN);
	CHECK_EQ(call(&b, -EIO), 0);
	leat_breaker_leave(&b, probe, 0);
	CHECK_EQ(leat_breaker_state_of(&b), LEAT_BREAKER_OPEN);
}

TEST_DEATH_TASK(left_twice, "left already")
{
	leat_breaker_ticket ticket;
	leat_breaker b;

	make_half_open(&b);
	REQUIRE(leat_breaker_enter(&b, &ticket) == 0);
	leat_breaker_leave(&b, ticket, -ECANCELED);
	leat_breaker_leave(&b, ticket, -ECANCELED);
}

static leat_breaker shared;
static atomic_int out, most, through;

LEAT_TASK(call_often, (int, n))
{
	for (int i = 0; i < n; i++) {
		leat_breaker_ticket ticket;
		bool half_open;

		if (leat_breaker_enter(&shared, &ticket) < 0) {
			leat_sleep(LEAT_US);
			continue;
		}
		half_open = leat_breaker_state_of(&shared) != LEAT_BREAKER_CLOSED;
		if (half_open && atomic_fetch_add(&out, 1) + 1 > most)
			atomic_fetch_add(&most, 1);
		atomic_fetch_add(&through, 1);
		leat_yield();
		if (half_open)
			atomic_fetch_sub(&out, 1);
		leat_breaker_leave(&shared, ticket, leat_random(3) ? -EIO : 0);
	}
}

/* Whatever many do at once, it ends in a state that goes on. */
TEST_BOTH(many_tasks, 50)
{
	leat_group group;

	out = most = through = 0;
	REQUIRE(leat_breaker_init(&shared, LEAT_BREAKER_OPTIONS(.failures = 2,
								.open_for = 2 * LEAT_US,
								.probes = 2, .successes = 2)) == 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(leat_go_in(&group, call_often, 100), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK(through > 6);
	leat_sleep(LEAT_MS);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(call(&shared, 0), 0);
	CHECK_EQ(leat_breaker_state_of(&shared), LEAT_BREAKER_CLOSED);
}

static void refused(const char *field, const leat_breaker_options *options)
{
	leat_breaker b;

	CHECK_EQ(leat_breaker_init(&b, options), -EINVAL);
	EXPECT_LOG(field);
}

TEST_WITH(bad_options, .log = log_line)
{
	refused("failures", LEAT_BREAKER_OPTIONS(.open_for = 1, .probes = 1, .successes = 1));
	refused("failures", LEAT_BREAKER_OPTIONS(.failures = 1001, .open_for = 1, .probes = 1,
						 .successes = 1));
	refused("open_for", LEAT_BREAKER_OPTIONS(.failures = 1, .probes = 1, .successes = 1));
	refused("probes", LEAT_BREAKER_OPTIONS(.failures = 1, .open_for = 1, .successes = 1));
	refused("successes", LEAT_BREAKER_OPTIONS(.failures = 1, .open_for = 1, .probes = 1));
}
