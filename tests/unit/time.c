/*
 * Tests of leat/time.h, as its comments promise it: clock, sleep, leat_after,
 * tickers, and the deadlines of blocking calls.
 *
 * "Never early" is looked at in real time, too; order and lateness only in
 * virtual time, where no other program can make anything late.
 */
#include "foreign.h"
#include "test.h"

#include <time.h>

/* In virtual time a choice takes 100 ns; nothing here makes this many at one instant. */
#define SLACK LEAT_MS

static void make(leat_group *group)
{
	REQUIRE(leat_group_init(group, NULL) == 0);
}

/* Waits for the group's tasks and ends it; its error. */
static int finish(leat_group *group)
{
	int r = leat_group_wait(group);

	leat_group_release(group);
	return r;
}

static void check_on_time(int64_t when, int64_t deadline)
{
	CHECK(when >= deadline);
	if (leat_sim_seed())
		CHECK(when < deadline + SLACK);
}

/*
 * The clock.
 */

TEST_BOTH(now_goes_on, 5)
{
	int64_t before = leat_now();

	for (int i = 0; i < 1000; i++) {
		int64_t now = leat_now();

		CHECK(now >= before);
		before = now;
		if (i % 100 == 0)
			leat_yield();
	}
}

/* The real clock is the monotonic one. */
static int64_t monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * LEAT_S + ts.tv_nsec;
}

TEST(now_is_monotonic_clock)
{
	int64_t before = monotonic();
	int64_t now = leat_now();
	int64_t after = monotonic();

	CHECK(now >= before && now <= after);
}

TEST_BOTH(in_saturates, 2)
{
	int64_t before = leat_now();
	int64_t when = leat_in(LEAT_S);

	CHECK(when >= before + LEAT_S && when <= leat_now() + LEAT_S);
	CHECK_EQ(leat_in(LEAT_FOREVER), LEAT_FOREVER);
	CHECK_EQ(leat_in(LEAT_FOREVER - 1), LEAT_FOREVER);
	CHECK(leat_in(-LEAT_MS) < leat_now());
	CHECK(leat_in(INT64_MIN) < leat_now());
}

/*
 * Sleep.
 */

LEAT_TASK(sleep_and_check, (int64_t, ns))
{
	int64_t before = leat_now();

	CHECK_EQ(leat_sleep(ns), 0);
	check_on_time(leat_now(), before + ns);
}

TEST_BOTH(sleep_never_early, 20)
{
	leat_group group;

	make(&group);
	for (int64_t ns = 1; ns <= 10 * LEAT_MS; ns = ns * 3 + 7)
		CHECK_EQ(leat_go_in(&group, sleep_and_check, ns), 0);
	CHECK_EQ(finish(&group), 0);
	for (int64_t ns = 1; ns <= LEAT_MS; ns *= 10)
		sleep_and_check(ns);
}

/*
 * On a worker that never sleeps the latency of a wake-up does not hide that one
 * comes too early; and many at a time, so that one's time is almost another's.
 */
LEAT_TASK(keep_busy, (int *, stop))
{
	while (!__atomic_load_n(stop, __ATOMIC_RELAXED))
		leat_yield();
}

LEAT_TASK(sleep_often, (int, times))
{
	for (int i = 0; i < times; i++)
		sleep_and_check(10 * LEAT_US + (int64_t)leat_random(100000));
}

TEST_WITH(sleep_never_early_busy, .workers = 1)
{
	leat_group busy, sleepers;
	int stop = 0;

	make(&busy);
	make(&sleepers);
	CHECK_EQ(leat_go_in(&busy, keep_busy, &stop), 0);
	for (int i = 0; i < 50; i++)
		CHECK_EQ(leat_go_in(&sleepers, sleep_often, 50), 0);
	CHECK_EQ(finish(&sleepers), 0);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	CHECK_EQ(finish(&busy), 0);
}

TEST_BOTH(sleep_not_at_all, 20)
{
	int64_t before = leat_now();

	CHECK_EQ(leat_sleep(0), 0);
	CHECK_EQ(leat_sleep(-LEAT_S), 0);
	CHECK_EQ(leat_sleep(INT64_MIN), 0);
	CHECK_EQ(leat_sleep_until(before), 0);
	CHECK_EQ(leat_sleep_until(0), 0);
	CHECK_EQ(leat_sleep_until(INT64_MIN), 0);
	if (leat_sim_seed())
		CHECK(leat_now() < before + SLACK);
}

/* A sleep that is none yields: a loop of them lets the others run on one worker. */
LEAT_TASK(set, (int *, flag))
{
	__atomic_store_n(flag, 1, __ATOMIC_RELAXED);
}

TEST_WITH(sleep_not_at_all_yields, .workers = 1)
{
	leat_group group;
	int flag = 0;

	make(&group);
	CHECK_EQ(leat_go_in(&group, set, &flag), 0);
	while (!__atomic_load_n(&flag, __ATOMIC_RELAXED))
		CHECK_EQ(leat_sleep(0), 0);
	CHECK_EQ(finish(&group), 0);
}

/* Sleepers wake in the order of their times, whatever the order in which they lay down. */
enum { SLEEPERS = 200 };

struct wakes {
	int64_t start;
	int n;
	int64_t when[SLEEPERS];
};

LEAT_TASK(sleep_and_note, (struct wakes *, wakes), (int64_t, ns))
{
	CHECK_EQ(leat_sleep_until(wakes->start + ns), 0);
	check_on_time(leat_now(), wakes->start + ns);
	wakes->when[wakes->n++] = ns;
}

TEST_SIM(sleep_order, 30)
{
	struct wakes wakes = { .start = leat_in(LEAT_S) };
	leat_group group;

	make(&group);
	for (int i = 0; i < SLEEPERS; i++)
		/* 1 ms apart, so that nobody is so late as to come after the next */
		CHECK_EQ(leat_go_in(&group, sleep_and_note, &wakes,
				    (int64_t)(i * 77 % SLEEPERS) * LEAT_MS), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(wakes.n, SLEEPERS);
	for (int i = 0; i < SLEEPERS; i++)
		CHECK_EQ(wakes.when[i], i * LEAT_MS);
}

/* Random times, many of them equal, over nine powers of ten. */
TEST_SIM(sleep_random, 30)
{
	struct wakes wakes = { .start = leat_in(LEAT_S) };
	leat_group group;

	make(&group);
	for (int i = 0; i < SLEEPERS; i++) {
		int64_t ns = 1;

		for (uint64_t digits = leat_random(10); digits > 0; digits--)
			ns *= 10;
		ns *= (int64_t)leat_random(10);
		CHECK_EQ(leat_go_in(&group, sleep_and_note, &wakes, ns), 0);
	}
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(wakes.n, SLEEPERS);
	for (int i = 1; i < SLEEPERS; i++)
		CHECK(wakes.when[i] >= wakes.when[i - 1] - SLACK);
}

/* When all sleep, virtual time jumps: 40 days take no time, and end on time. */
TEST_SIM(sleep_jumps, 5)
{
	int64_t real = monotonic();

	for (int i = 0; i < 40; i++)
		sleep_and_check(24 * 3600 * LEAT_S);
	CHECK(monotonic() - real < 3600 * LEAT_S);
}

LEAT_TASK_ERR(sleep_long, (int64_t *, ret_when))
{
	int r = leat_sleep(3600 * LEAT_S);

	*ret_when = leat_now();
	return r;
}

TEST_SIM(sleep_cancelled, 50)
{
	leat_group group;
	int64_t cancelled;
	int64_t woken = 0;

	make(&group);
	CHECK_EQ(leat_go_in(&group, sleep_long, &woken), 0);
	test_settle();
	CHECK_EQ(woken, 0);
	cancelled = leat_now();
	leat_group_cancel(&group, 0);
	CHECK_EQ(finish(&group), -ECANCELED);
	check_on_time(woken, cancelled);
	/* Nothing of the sleep is left to wake somebody an hour later. */
	sleep_and_check(2 * 3600 * LEAT_S);
}

/* In real time, at whatever moment the cancel comes. */
TEST(sleep_cancelled_real)
{
	for (int i = 0; i < 100; i++) {
		leat_group group;
		int64_t woken = 0;

		make(&group);
		CHECK_EQ(leat_go_in(&group, sleep_long, &woken), 0);
		for (int j = 0; j < i % 4; j++)
			leat_yield();
		leat_group_cancel(&group, 0);
		CHECK_EQ(finish(&group), -ECANCELED);
	}
}

static void sleep_outside(void *arg)
{
	(void)arg;
	for (int64_t ns = 1000; ns <= LEAT_MS; ns *= 10)
		sleep_and_check(ns);
	CHECK_EQ(leat_sleep(0), 0);
}

TEST(sleep_foreign)
{
	struct foreign foreign;

	foreign_start(&foreign, sleep_outside, NULL);
	foreign_join(&foreign);
}

/*
 * leat_after.
 */

struct after {
	int64_t when;
	int64_t ran;		/* 0: not yet */
	leat_group *group;
	struct afters *all;
	int result;
};

struct afters {
	int n;
	int64_t order[SLEEPERS];
};

static int after_note(void *arg)
{
	struct after *after = arg;

	after->ran = leat_now();
	check_on_time(after->ran, after->when);
	CHECK(leat_group_current() == after->group);
	CHECK(leat_task_id() != 0);
	if (after->all)
		after->all->order[after->all->n++] = after->when;
	return after->result;
}

/* The group's wait covers it, and its error is the group's. */
TEST_BOTH(after_on_time, 20)
{
	leat_group group;
	struct after soon = { .when = leat_in(2 * LEAT_MS), .group = &group, .result = -EDOM };
	struct after past = { .when = leat_now(), .group = &group };

	make(&group);
	/* In this order: once soon has run, the group is cancelled. */
	CHECK_EQ(leat_after(&group, past.when - LEAT_MS, after_note, &past), 0);
	CHECK_EQ(leat_after(&group, soon.when, after_note, &soon), 0);
	CHECK_EQ(leat_group_wait(&group), -EDOM);
	CHECK(soon.ran != 0);
	CHECK(past.ran != 0);
	CHECK_EQ(leat_after(&group, leat_now(), after_note, &past), -ECANCELED);
	CHECK_EQ(finish(&group), -EDOM);
}

TEST_SIM(after_order, 30)
{
	static struct after after[SLEEPERS];
	struct afters all = { 0 };
	leat_group group;

	make(&group);
	for (int i = 0; i < SLEEPERS; i++) {
		after[i] = (struct after){
			.when = leat_in(LEAT_S + (i * 77 % SLEEPERS) * 2 * LEAT_MS),
			.group = &group,
			.all = &all,
		};
		CHECK_EQ(leat_after(&group, after[i].when, after_note, &after[i]), 0);
	}
	CHECK_EQ(leat_group_live(&group), SLEEPERS);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(all.n, SLEEPERS);
	for (int i = 1; i < SLEEPERS; i++)
		CHECK(all.order[i] > all.order[i - 1]);
}

/* A function that blocks, as any task may. */
static int after_sleep(void *arg)
{
	int64_t *woken = arg;

	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	*woken = leat_now();
	return 0;
}

TEST_BOTH(after_may_block, 20)
{
	int64_t when = leat_in(LEAT_MS);
	int64_t woken = 0;
	leat_group group;

	make(&group);
	CHECK_EQ(leat_after(&group, when, after_sleep, &woken), 0);
	CHECK_EQ(finish(&group), 0);
	check_on_time(woken, when + LEAT_MS);
}

/* Cancelled before its time: it never runs, and the wait is over at once. */
TEST_SIM(after_cancelled, 50)
{
	leat_group group;
	struct after after = { .when = leat_in(3600 * LEAT_S), .group = &group };
	int64_t cancelled;

	make(&group);
	CHECK_EQ(leat_after(&group, after.when, after_note, &after), 0);
	CHECK_EQ(leat_group_wait_until(&group, leat_in(LEAT_S)), -EAGAIN);
	cancelled = leat_now();
	leat_group_cancel(&group, -EXDEV);
	CHECK_EQ(finish(&group), -EXDEV);
	check_on_time(leat_now(), cancelled);
	CHECK_EQ(leat_sleep(2 * 3600 * LEAT_S), 0);
	CHECK_EQ(after.ran, 0);
}

/* Cancelled at its time: it runs or it does not, once, and the wait is over. */
static int count_up(void *arg)
{
	__atomic_add_fetch((int *)arg, 1, __ATOMIC_RELAXED);
	return 0;
}

TEST_BOTH(after_against_cancel, 300)
{
	int rounds = leat_sim_seed() ? 1 : 300;

	for (int i = 0; i < rounds; i++) {
		int64_t when = leat_in(leat_sim_seed() ? 2000 : 20 * LEAT_US);
		leat_group group;
		int count = 0;

		make(&group);
		CHECK_EQ(leat_after(&group, when, count_up, &count), 0);
		while (leat_now() < when)
			leat_yield();
		leat_group_cancel(&group, 0);
		CHECK_EQ(finish(&group), -ECANCELED);
		CHECK(count == 0 || count == 1);
	}
}

static int after_in_root(void *arg)
{
	leat_chan(int) chan = arg;

	CHECK(leat_group_current() == leat_group_root());
	CHECK_EQ(leat_send(chan, 1), 0);
	leat_chan_unref(chan);
	return 0;
}

/* NULL is the root group. */
TEST_BOTH(after_of_root, 20)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	int value = 0;

	CHECK_EQ(leat_after(NULL, leat_in(LEAT_MS), after_in_root, leat_chan_ref(chan)), 0);
	CHECK_EQ(leat_recv(chan, &value), 0);
	CHECK_EQ(value, 1);
	leat_chan_unref(chan);
}

static int after_never(void *arg)
{
	*(bool *)arg = true;
	return 0;
}

static int leave_after(void *arg)
{
	CHECK_EQ(leat_after(NULL, leat_in(3600 * LEAT_S), after_never, arg), 0);
	return 0;
}

/* The end of the main function cancels those of the root group. */
TEST_PLAIN(after_ends_with_root)
{
	bool ran = false;

	CHECK_EQ(leat_run(NULL, leave_after, &ran), 0);
	CHECK(!ran);
}

static void after_outside(void *arg)
{
	struct after *after = arg;

	CHECK_EQ(leat_after(after->group, after->when, after_note, after), 0);
}

/* From a foreign thread; the workers, asleep by then, must hear of it. */
TEST(after_foreign)
{
	struct foreign foreign;
	leat_group group;
	struct after after = { .when = leat_in(2 * LEAT_MS), .group = &group };

	REQUIRE(leat_group_init(&group, LEAT_GROUP_OPTIONS(.shared = true)) == 0);
	foreign_start(&foreign, after_outside, &after);
	foreign_join(&foreign);
	CHECK_EQ(finish(&group), 0);
	CHECK(after.ran >= after.when);
}

/*
 * The same when all workers are asleep, one of them until a much later timer: they
 * must hear of the earlier one.
 */
struct asleep {
	leat_group group;
	leat_waitgroup ran;
	leat_chan(int) over;
	int64_t when;
};

static int after_asleep(void *arg)
{
	struct asleep *a = arg;

	a->when = leat_now();
	leat_waitgroup_done(&a->ran);
	return 0;
}

static void *after_all_asleep(void *arg)
{
	struct asleep *a = arg;

	for (int i = 0; i < 3; i++) {
		int64_t when;

		CHECK_EQ(leat_sleep(20 * LEAT_MS), 0);
		leat_waitgroup_add(&a->ran, 1);
		when = leat_in(LEAT_MS);
		CHECK_EQ(leat_after(&a->group, when, after_asleep, a), 0);
		CHECK_EQ(leat_waitgroup_wait_until(&a->ran, when + LEAT_S), 0);
		CHECK(a->when >= when);
	}
	CHECK_EQ(leat_send(a->over, 1), 0);
	return NULL;
}

/* The main task waits at once, so that its worker falls asleep before the others. */
TEST_WITH(after_foreign_asleep, .workers = 4)
{
	struct asleep a = { .ran = LEAT_WAITGROUP_INIT, .over = leat_chan_make(int, 1) };
	pthread_t thread;
	int value;

	REQUIRE(leat_group_init(&a.group, LEAT_GROUP_OPTIONS(.shared = true)) == 0);
	REQUIRE(pthread_create(&thread, NULL, after_all_asleep, &a) == 0);
	CHECK_EQ(leat_recv_until(a.over, &value, leat_in(5 * LEAT_S)), 0);
	pthread_join(thread, NULL);
	CHECK_EQ(finish(&a.group), 0);
	leat_chan_unref(a.over);
}

/*
 * Tickers.
 */

/* Receives a tick: its time is the time it was sent. */
static int64_t tick_of(leat_ticker *ticker)
{
	int64_t tick = 0;

	CHECK_EQ(leat_channel_recv(leat_ticker_channel(ticker), &tick, LEAT_FOREVER), 0);
	CHECK(tick <= leat_now());
	return tick;
}

TEST_BOTH(ticker_ticks, 20)
{
	int64_t period = 2 * LEAT_MS;
	int64_t start = leat_now();
	leat_ticker *ticker;

	REQUIRE(leat_ticker_create(&ticker, period) == 0);
	CHECK_EQ(leat_channel_cap(leat_ticker_channel(ticker)), 1);
	/* on a slow machine the first tick may be there already, but never before its time */
	CHECK(leat_channel_len(leat_ticker_channel(ticker)) == 0 || leat_now() >= start + period);
	for (int i = 1; i <= 5; i++) {
		int64_t tick = tick_of(ticker);

		check_on_time(tick, start + i * period);
	}
	leat_ticker_stop(ticker);
}

/* Ticks that find the channel full are dropped; the rhythm stays. */
TEST_SIM(ticker_drops, 20)
{
	int64_t period = LEAT_S;
	int64_t start = leat_now();
	leat_ticker *ticker;

	REQUIRE(leat_ticker_create(&ticker, period) == 0);
	CHECK_EQ(leat_sleep_until(start + 10 * period + period / 2), 0);
	CHECK_EQ(leat_channel_len(leat_ticker_channel(ticker)), 1);
	check_on_time(tick_of(ticker), start + period);
	check_on_time(tick_of(ticker), start + 11 * period);
	check_on_time(tick_of(ticker), start + 12 * period);
	leat_ticker_stop(ticker);
}

/* Ticks that the runtime itself is too late for are left out, not made up for. */
TEST_WITH(ticker_late, .workers = 1)
{
	int64_t period = 400 * LEAT_US;
	int64_t start = leat_now();
	int64_t first;
	leat_ticker *ticker;

	REQUIRE(leat_ticker_create(&ticker, period) == 0);
	/* The one worker does nothing else meanwhile, too short a time to be found stuck. */
	while (leat_now() < start + 10 * period + period / 2)
		;
	first = tick_of(ticker);
	/* After it comes the rest of its period, then whole ones. */
	for (int i = 0; i < 5; i++)
		CHECK(tick_of(ticker) > first + i * period);
	leat_ticker_stop(ticker);
}

/* After the stop the channel is closed, and nothing ticks any more. */
LEAT_TASK(drain_ticks, (leat_channel *, chan), (int *, ret_n))
{
	int64_t tick;

	while (leat_channel_recv(chan, &tick, LEAT_FOREVER) == 0)
		++*ret_n;
	CHECK_EQ(leat_channel_recv(chan, &tick, LEAT_FOREVER), LEAT_ECLOSED);
}

TEST_SIM(ticker_stop_closes, 50)
{
	leat_ticker *ticker;
	leat_channel *chan;
	leat_group group;
	int n = 0;

	REQUIRE(leat_ticker_create(&ticker, LEAT_S) == 0);
	chan = leat_channel_ref(leat_ticker_channel(ticker));
	make(&group);
	CHECK_EQ(leat_go_in(&group, drain_ticks, chan, &n), 0);
	CHECK_EQ(leat_sleep(3 * LEAT_S + LEAT_S / 2), 0);
	leat_ticker_stop(ticker);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(n, 3);
	CHECK(leat_channel_is_closed(chan));
	CHECK_EQ(leat_sleep(10 * LEAT_S), 0);
	CHECK_EQ(leat_channel_len(chan), 0);
	leat_channel_unref(chan);
}

/* Stopped with a tick in the channel, which can still be had; and at once. */
TEST_SIM(ticker_stop_keeps_tick, 20)
{
	leat_ticker *ticker;
	leat_channel *chan;
	int64_t tick = 0;

	REQUIRE(leat_ticker_create(&ticker, LEAT_S) == 0);
	leat_ticker_stop(ticker);

	REQUIRE(leat_ticker_create(&ticker, LEAT_S) == 0);
	chan = leat_channel_ref(leat_ticker_channel(ticker));
	CHECK_EQ(leat_sleep(2 * LEAT_S), 0);
	leat_ticker_stop(ticker);
	CHECK_EQ(leat_channel_recv(chan, &tick, LEAT_FOREVER), 0);
	CHECK(tick != 0);
	CHECK_EQ(leat_channel_recv(chan, &tick, LEAT_FOREVER), LEAT_ECLOSED);
	leat_channel_unref(chan);
}

/* Stopped while it ticks, at whatever moment. */
TEST(ticker_stop_race)
{
	for (int i = 0; i < 200; i++) {
		leat_ticker *ticker;
		int64_t until = leat_in(i * LEAT_US);

		REQUIRE(leat_ticker_create(&ticker, 50 * LEAT_US) == 0);
		while (leat_now() < until)
			leat_yield();
		leat_ticker_stop(ticker);
	}
}

/*
 * Deadlines of the other calls, on time.
 */

struct objects {
	leat_chan(int) empty;
	leat_chan(int) full;
	leat_sem sem;
	leat_mutex mutex;
	leat_mutex monitor;
	leat_cond cond;
	leat_waitgroup wg;
	leat_barrier barrier;
};

static int call_until(struct objects *o, int which, int64_t deadline)
{
	int64_t got;
	int values[2] = { 0 };
	int r = 0;

	switch (which) {
	case 0: return leat_recv_until(o->empty, values, deadline);
	case 1: return leat_send_until(o->full, 1, deadline);
	case 2: return leat_select(leat_case_recv(o->empty, values), leat_case_until(deadline));
	case 3: return leat_sem_acquire_until(&o->sem, 1, deadline);
	case 4: return leat_mutex_lock_until(&o->mutex, deadline);
	case 5:
		leat_mutex_lock(&o->monitor);
		r = leat_cond_wait_until(&o->cond, &o->monitor, deadline);
		leat_mutex_unlock(&o->monitor);
		return r;
	case 6: return leat_waitgroup_wait_until(&o->wg, deadline);
	case 7: return leat_barrier_wait_until(&o->barrier, deadline);
	case 8:
		got = leat_recv_n(o->empty, values, 2, deadline);
		return (int)got;
	case 9:
		got = leat_send_n(o->full, values, 2, deadline);
		return (int)got;
	default: return 1;
	}
}

LEAT_TASK(time_out, (struct objects *, o), (int, which), (int64_t, deadline))
{
	int64_t before = leat_now();
	int r = call_until(o, which, deadline);

	if (r != -ETIMEDOUT)
		test_fail(__FILE__, __LINE__, "call %d returned %d", which, r);
	check_on_time(leat_now(), deadline > before ? deadline : before);
}

TEST_BOTH(deadlines, 20)
{
	enum { CALLS = 10 };
	struct objects o = {
		.empty = leat_chan_make(int, 1),
		.full = leat_chan_make(int, 1),
		.mutex = LEAT_MUTEX_INIT,
		.monitor = LEAT_MUTEX_INIT,
		.cond = LEAT_COND_INIT,
		.wg = LEAT_WAITGROUP_INIT,
	};
	leat_group group;

	leat_sem_init(&o.sem, 0, 0);
	leat_waitgroup_add(&o.wg, 1);
	leat_barrier_init(&o.barrier, 100);
	leat_mutex_lock(&o.mutex);
	CHECK_EQ(leat_send(o.full, 7), 0);
	make(&group);
	for (int which = 0; which < CALLS; which++) {
		CHECK_EQ(leat_go_in(&group, time_out, &o, which, leat_in(2 * LEAT_MS)), 0);
		CHECK_EQ(leat_go_in(&group, time_out, &o, which, leat_in(which * LEAT_MS)), 0);
		CHECK_EQ(leat_go_in(&group, time_out, &o, which, leat_in(-LEAT_MS)), 0);
	}
	CHECK_EQ(finish(&group), 0);
	leat_mutex_unlock(&o.mutex);
	CHECK_EQ(leat_chan_len(o.full), 1);
	leat_chan_unref(o.empty);
	leat_chan_unref(o.full);
}

/* A thousand deadlines that do not come leave nothing behind. */
LEAT_TASK(recv_in_time, (leat_chan(int), chan))
{
	int value;

	CHECK_EQ(leat_recv_until(chan, &value, leat_in(10 * LEAT_S)), 0);
}

TEST_BOTH(deadlines_not_reached, 5)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_group group;

	make(&group);
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(leat_go_in(&group, recv_in_time, chan), 0);
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(leat_send(chan, i), 0);
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(chan);
	if (leat_sim_seed())
		sleep_and_check(20 * LEAT_S);
}

/*
 * Misuse.
 */

TEST_DEATH_TASK(ticker_without_period, "leat_ticker_create")
{
	leat_ticker *ticker;

	CHECK_EQ(leat_ticker_create(&ticker, 0), 0);
}

TEST_DEATH_TASK(ticker_stop_null, "leat_ticker_stop")
{
	leat_ticker_stop(NULL);
}

TEST_DEATH_TASK(ticker_without_place, "leat_ticker_create")
{
	CHECK_EQ(leat_ticker_create(NULL, LEAT_S), 0);
}

/* While the last tick's task has not run; later it is a use of freed memory. */
static int stop_twice(void *arg)
{
	leat_ticker *ticker;

	(void)arg;
	CHECK_EQ(leat_ticker_create(&ticker, LEAT_S), 0);
	leat_ticker_stop(ticker);
	leat_ticker_stop(ticker);
	return 0;
}

TEST_DEATH(ticker_stop_twice, "the ticker is stopped already")
{
	CHECK_EQ(leat_run(LEAT_OPTIONS(.workers = 1), stop_twice, NULL), 0);
}

TEST_DEATH_TASK(ticker_channel_null, "leat_ticker_channel")
{
	CHECK(leat_ticker_channel(NULL) == NULL);
}

TEST_DEATH_TASK(after_without_function, "leat_after")
{
	CHECK_EQ(leat_after(NULL, leat_now(), NULL, NULL), 0);
}

TEST_DEATH(after_without_runtime, "leat_after")
{
	CHECK_EQ(leat_after(NULL, leat_now(), count_up, NULL), 0);
}

/*
 * A deadline that is over.
 */

static bool others_have_run;

LEAT_TASK(other, (int, n))
{
	others_have_run = n > 0;
}

LEAT_TASK_ERR(wait_for_it, (leat_waitgroup *, wg))
{
	return leat_waitgroup_wait(wg);
}

static void not_waited(const char *what, int r)
{
	CHECK_EQ(r, -ETIMEDOUT);
	if (others_have_run)
		test_fail(__FILE__, __LINE__, "%s has let others run", what);
}

/* Nobody waits for it: who would run meanwhile takes as long as he likes. */
TEST_WITH(past_deadlines, .workers = 1)
{
	leat_chan(int) empty = leat_chan_make(int, 0);
	leat_mutex locked = LEAT_MUTEX_INIT, mine = LEAT_MUTEX_INIT;
	leat_waitgroup wg = LEAT_WAITGROUP_INIT;
	leat_cond cond = LEAT_COND_INIT;
	leat_barrier barrier;
	leat_group group;
	leat_sem sem;
	int v;

	make(&group);
	leat_sem_init(&sem, 0, 0);
	leat_barrier_init(&barrier, 2);
	leat_waitgroup_add(&wg, 1);
	leat_mutex_lock(&mine);
	CHECK_EQ(leat_go_in(&group, wait_for_it, &wg), 0);
	leat_yield();
	others_have_run = false;
	CHECK_EQ(leat_go(other, 1), 0);
	not_waited("recv", leat_recv_until(empty, &v, INT64_MIN));
	not_waited("recv of a moment ago", leat_recv_until(empty, &v, 1));
	not_waited("recv_n", (int)leat_recv_n(empty, &v, 1, INT64_MIN));
	not_waited("send", leat_send_until(empty, 1, INT64_MIN));
	not_waited("select", leat_select(leat_case_recv(empty, &v), leat_case_until(1)));
	not_waited("sem", leat_sem_acquire_until(&sem, 1, INT64_MIN));
	not_waited("waitgroup", leat_waitgroup_wait_until(&wg, INT64_MIN));
	not_waited("barrier", leat_barrier_wait_until(&barrier, INT64_MIN));
	not_waited("cond", leat_cond_wait_until(&cond, &mine, INT64_MIN));
	CHECK_EQ(leat_group_wait_until(&group, INT64_MIN), -EAGAIN);
	CHECK(!others_have_run);
	leat_yield();
	CHECK(others_have_run);
	/* What is there is taken all the same. */
	leat_sem_release(&sem, 0);
	CHECK_EQ(leat_mutex_lock_until(&locked, INT64_MIN), 0);
	leat_mutex_unlock(&locked);
	leat_mutex_unlock(&mine);
	leat_waitgroup_done(&wg);
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(empty);
}
