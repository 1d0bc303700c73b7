/*
 * The timing wheel by itself (src/rt/timer.c), with a clock of the test's own:
 * nothing fires early, twice or never, and gathering makes nothing later than a
 * slot of level 1.
 */
#include "test.h"

#include "base/random.h"
#include "rt/timer.h"

enum { TICK_BITS = 13, TIMERS = 5000 };
#define TICK (INT64_C(1) << TICK_BITS)
#define GATHERED (LEAT__WHEEL_SLOTS * TICK) /* a slot of level 1 */
#define START (123 * LEAT_S + 4567)

struct probe {
	struct leat__timer timer;
	int64_t fired;		/* 0: not yet */
};

static int64_t now;
static int fires;

static struct leat__task *note(struct leat__timer *timer)
{
	struct probe *p = (struct probe *)timer;

	CHECK_EQ(p->fired, 0);
	CHECK(now >= timer->deadline);
	p->fired = now;
	fires++;
	return NULL;
}

/* A wheel is large: one for all tests. */
static struct leat__wheel *new_wheel(unsigned tick_bits)
{
	static struct leat__wheel wheel;

	now = START;
	fires = 0;
	wheel.lock.word = 0;
	leat__wheel_init(&wheel, now, tick_bits);
	return &wheel;
}

static void set(struct leat__wheel *wheel, struct probe *p, int64_t deadline)
{
	*p = (struct probe){ .timer = { .deadline = deadline, .fire = note } };
	leat__list_init(&p->timer.node);
	leat__timer_set(wheel, &p->timer);
}

/* As a worker does: sleeps until next, and wakes somewhat late.  How often it fired. */
static int run(struct leat__wheel *wheel, uint64_t *random, int64_t oversleep)
{
	int wakes = 0;

	while (wheel->count > 0) {
		REQUIRE(wheel->next < INT64_MAX);
		if (wheel->next > now)
			now = wheel->next;
		now += leat__random_below(random, (uint32_t)oversleep + 1);
		leat__wheel_fire(wheel, now);
		wakes++;
	}
	CHECK_EQ(wheel->next, INT64_MAX);
	return wakes;
}

/* n timers within span, all set at the start.  How often the wheel was looked at. */
static int crowd(struct probe *p, int n, int64_t span, int64_t *ret_latest)
{
	struct leat__wheel *wheel = new_wheel(TICK_BITS);
	uint64_t random = 1;
	int wakes;

	for (int i = 0; i < n; i++)
		set(wheel, &p[i], now + 1 + leat__random_below(&random, (uint32_t)span));
	wakes = run(wheel, &random, TICK);
	CHECK_EQ(fires, n);
	*ret_latest = 0;
	for (int i = 0; i < n; i++)
		if (p[i].fired - p[i].timer.deadline > *ret_latest)
			*ret_latest = p[i].fired - p[i].timer.deadline;
	return wakes;
}

TEST_PLAIN(wheel_sparse_is_exact)
{
	static struct probe p[TIMERS];
	int64_t latest;

	/* 100 in a millisecond. */
	crowd(p, TIMERS, 50 * LEAT_MS, &latest);
	CHECK(latest <= 2 * TICK);
}

TEST_PLAIN(wheel_crowd_is_gathered)
{
	static struct probe p[TIMERS];
	int64_t latest;
	int wakes;

	/* 1,000 in a millisecond: a wake for each slot of level 1, and a first millisecond. */
	wakes = crowd(p, TIMERS, 5 * LEAT_MS, &latest);
	CHECK(latest <= GATHERED + 2 * TICK);
	CHECK(latest > 2 * TICK);
	CHECK(wakes < 300);
}

/* After the crowd, and a silence, one timer is fired exactly again. */
TEST_PLAIN(wheel_gathering_ends)
{
	static struct probe p[TIMERS], alone;
	struct leat__wheel *wheel = new_wheel(TICK_BITS);
	uint64_t random = 2;

	for (int i = 0; i < TIMERS; i++)
		set(wheel, &p[i], now + i * LEAT_US);
	run(wheel, &random, 0);
	now += 20 * LEAT_MS;
	for (int i = 0; i < 3; i++) {
		set(wheel, &alone, now + LEAT_MS + 11);
		run(wheel, &random, 0);
		CHECK(alone.fired - alone.timer.deadline <= 2 * TICK);
	}
}

/* What is set while others are gathered, for now or later, is not forgotten. */
TEST_PLAIN(wheel_set_while_gathering)
{
	static struct probe p[TIMERS], more[TIMERS];
	struct leat__wheel *wheel = new_wheel(TICK_BITS);
	uint64_t random = 3;
	int n = 0, unset = 0;

	for (int i = 0; i < TIMERS; i++)
		set(wheel, &p[i], now + i * LEAT_US);
	while (wheel->count > 0) {
		if (wheel->next > now)
			now = wheel->next;
		leat__wheel_fire(wheel, now);
		if (n < TIMERS) {
			set(wheel, &more[n], now + leat__random_below(&random, 3000000));
			n++;
		}
		if (n > 0 && leat__random_below(&random, 4) == 0 && more[n / 2].fired == 0 &&
		    leat__timer_unset(&more[n / 2].timer)) {
			more[n / 2].fired = 1;
			unset++;
		}
	}
	CHECK(unset > 0);
	CHECK_EQ(fires, TIMERS + n - unset);
	for (int i = 0; i < n; i++)
		CHECK(more[i].fired != 0);
}

/* Under simulation a tick is a nanosecond, and nothing is late. */
TEST_PLAIN(wheel_of_simulation_is_exact)
{
	static struct probe p[TIMERS];
	struct leat__wheel *wheel = new_wheel(0);
	uint64_t random = 4;

	for (int i = 0; i < TIMERS; i++)
		set(wheel, &p[i], now + leat__random_below(&random, 1000000));
	run(wheel, &random, 0);
	for (int i = 0; i < TIMERS; i++)
		CHECK_EQ(p[i].fired, p[i].timer.deadline);
}
