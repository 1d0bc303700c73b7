/*
 * Adaptive concurrency.  The algorithms, sample by sample: tests/conformance/netflix_limits.c.
 *
 * The server: so many calls at once as it has capacity take base; each more makes all of them
 * wait for their turn, so latency is base x calls / capacity.  Some refuse what is far too much.
 */
#include "patterns.h"

#include <leat/leat.h>

struct server {
	int64_t base;
	int capacity;
	int refuses_at;		/* calls at once; 0: never */
	int now, most, done, refused;
};

static leat_adaptive limit;
static struct server server;

static enum leat_outcome call_server(struct server *s)
{
	enum leat_outcome outcome = LEAT_OUTCOME_SUCCESS;

	s->now++;
	s->most = s->now > s->most ? s->now : s->most;
	if (s->refuses_at > 0 && s->now > s->refuses_at) {
		leat_sleep(s->base / 10);
		s->refused++;
		outcome = LEAT_OUTCOME_DROPPED;
	} else {
		leat_sleep(s->now > s->capacity ? s->base * s->now / s->capacity : s->base);
		s->done++;
	}
	s->now--;
	return outcome;
}

LEAT_TASK(client, (int64_t, until), (int64_t, pause))
{
	leat_permit permit;

	while (leat_now() < until && leat_adaptive_acquire_until(&limit, until, &permit) == 0) {
		leat_adaptive_release(&limit, &permit, call_server(&server));
		if (pause > 0)
			leat_sleep((int64_t)leat_random((uint64_t)pause));
	}
}

/* Clients for so long; the limit at each tenth of it. */
static void load(int clients, int64_t time, int64_t pause, int limits[10])
{
	leat_group group;
	int64_t until = leat_in(time);

	server.most = server.done = server.refused = 0;
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < clients; i++)
		CHECK_EQ(leat_go_in(&group, client, until, pause), 0);
	for (int i = 0; i < 10; i++) {
		leat_sleep(time / 10);
		limits[i] = leat_adaptive_limit(&limit);
	}
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(leat_adaptive_out(&limit), 0);
}

static void within(const int *limits, int n, int low, int high)
{
	for (int i = 0; i < n; i++)
		if (limits[i] < low || limits[i] > high)
			test_fail(__FILE__, __LINE__, "the limit is %d, not %d to %d",
				  limits[i], low, high);
}

static void make(const leat_adaptive_options *options, int capacity, int refuses_at)
{
	REQUIRE(leat_adaptive_init(&limit, options) == 0);
	server = (struct server){ .base = 10 * LEAT_MS, .capacity = capacity,
				  .refuses_at = refuses_at };
}

/* As many more than the capacity as the queue may have: 6 log10. */
TEST_SIM(vegas_finds_the_capacity, 2)
{
	int limits[10];

	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 2, .initial = 5, .max = 500),
	     30, 0);
	load(100, LEAT_S, 0, limits);
	within(limits + 1, 9, 30, 50);
	/* Nearly all that the server can do, with probes; and never much more at once. */
	CHECK(server.done > 90 * 100 * 30 / 100);
	CHECK(server.most <= 55);

	/* Overload: the server can do less.  Then it recovers. */
	server.capacity = 10;
	load(100, 4 * LEAT_S, 0, limits);
	within(limits + 5, 5, 10, 25);
	server.capacity = 50;
	load(100, LEAT_S, 0, limits);
	within(limits + 5, 5, 50, 75);
}

/* A latency that is higher from now on, whatever the load: a probe finds it. */
TEST_SIM(vegas_follows_the_least_latency, 2)
{
	int limits[10];

	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 5, .initial = 5, .max = 500,
				   .probe = 20), 30, 0);
	load(100, LEAT_S, 0, limits);
	within(limits + 5, 5, 30, 50);
	server.base *= 4;
	load(100, 5 * LEAT_S, 0, limits);
	within(limits + 5, 5, 30, 50);
	server.base /= 8;
	load(100, LEAT_S, 0, limits);
	within(limits + 5, 5, 30, 50);
}

/* It fails at 40 at once: the limit goes up and down below. */
TEST_SIM(aimd_finds_where_it_fails, 2)
{
	int limits[10];

	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_AIMD, .min = 2, .initial = 10, .max = 500,
				   .backoff = 0.9, .slow = LEAT_FOREVER), 1000, 40);
	load(100, LEAT_S, 0, limits);
	within(limits + 4, 6, 20, 43);
	CHECK(server.refused > 0 && server.refused < server.done / 10);
	server.refuses_at = 15;
	load(100, LEAT_S, 0, limits);
	within(limits + 4, 6, 8, 18);
	server.refuses_at = 60;
	load(100, 2 * LEAT_S, 0, limits);
	within(limits + 4, 6, 30, 63);
}

/* Nothing is refused, but what takes more than twice as long counts as dropped. */
TEST_SIM(aimd_finds_where_it_is_slow, 2)
{
	int limits[10];

	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_AIMD, .min = 2, .initial = 10, .max = 500,
				   .backoff = 0.9, .slow = 20 * LEAT_MS), 40, 0);
	load(100, 2 * LEAT_S, 0, limits);
	within(limits + 1, 9, 35, 82);
}

/* n calls out at once: the last one ends first, and the others after rest; one may be dropped. */
static void wave(int n, int64_t first, int64_t rest, int dropped)
{
	leat_permit permit[20];

	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_adaptive_try_acquire(&limit, &permit[i]), 0);
	for (int i = n - 1; i >= 0; i--) {
		leat_sleep_until(permit[i]._began + (i == n - 1 ? first : rest));
		leat_adaptive_release(&limit, &permit[i], i == dropped ? LEAT_OUTCOME_DROPPED
								       : LEAT_OUTCOME_SUCCESS);
	}
}

/* Windows: a change each, not one for each call. */
TEST_SIM(windows, 5)
{
	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_AIMD, .min = 2, .initial = 20, .max = 500,
				   .backoff = 0.5, .slow = 2 * LEAT_S, .window = LEAT_S), 50, 0);
	for (int round = 0; round < 3; round++) {
		wave(20, LEAT_MS, LEAT_MS, -1);
		CHECK_EQ(leat_adaptive_limit(&limit), 20 + round);
		leat_sleep(LEAT_S);
		wave(1, LEAT_MS, LEAT_MS, -1); /* the first after its end */
		CHECK_EQ(leat_adaptive_limit(&limit), 21 + round);
	}
	/* One that is dropped counts for all; in the next one it is forgotten. */
	wave(20, LEAT_MS, LEAT_MS, 3);
	leat_sleep(LEAT_S);
	wave(1, LEAT_MS, LEAT_MS, -1);
	CHECK_EQ(leat_adaptive_limit(&limit), 11);
	wave(11, LEAT_MS, LEAT_MS, -1);
	leat_sleep(LEAT_S);
	wave(1, LEAT_MS, LEAT_MS, -1);
	CHECK_EQ(leat_adaptive_limit(&limit), 12);
	/* What was out in an earlier one, too: less than half is no use. */
	wave(5, LEAT_MS, LEAT_MS, -1);
	leat_sleep(LEAT_S);
	wave(1, LEAT_MS, LEAT_MS, -1);
	CHECK_EQ(leat_adaptive_limit(&limit), 12);
	/* One that is slow. */
	wave(12, LEAT_MS, 3 * LEAT_S, -1);
	CHECK_EQ(leat_adaptive_limit(&limit), 6);
}

/* One that does not end. */
TEST_SIM(an_endless_window, 3)
{
	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_AIMD, .min = 2, .initial = 20, .max = 500,
				   .backoff = 0.5, .slow = 2 * LEAT_S, .window = LEAT_FOREVER),
	     50, 0);
	for (int i = 0; i < 3; i++)
		wave(20, LEAT_MS, LEAT_MS, 3);
	CHECK_EQ(leat_adaptive_limit(&limit), 20);
}

/* Of a window the mean counts, and nothing of the one before. */
TEST_SIM(mean_of_a_window, 5)
{
	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 2, .initial = 10, .max = 500,
				   .alpha = 3, .beta = 6, .window = 90 * LEAT_MS), 50, 0);
	wave(10, 10 * LEAT_MS, 100 * LEAT_MS, -1);
	CHECK_EQ(leat_adaptive_limit(&limit), 9); /* 55 ms: 8 of 10 wait */
	wave(8, 10 * LEAT_MS, 10 * LEAT_MS, -1);
	leat_sleep(81 * LEAT_MS);
	wave(1, 10 * LEAT_MS, 10 * LEAT_MS, -1);
	CHECK_EQ(leat_adaptive_limit(&limit), 15);
}

/* By how many wait in a queue: fewer than alpha, up to beta, more. */
TEST_SIM(vegas_by_the_queue, 5)
{
	static const struct {
		int64_t latency;
		int limit;
	} then[] = { { 10, 16 }, { 12, 11 }, { 15, 10 }, { 18, 10 }, { 23, 10 }, { 27, 9 } };

	for (size_t i = 0; i < sizeof(then) / sizeof(then[0]); i++) {
		make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 2, .initial = 10,
					   .max = 500, .alpha = 3, .beta = 6), 50, 0);
		wave(1, 10 * LEAT_MS, 0, -1);
		CHECK_EQ(leat_adaptive_limit(&limit), 10);
		wave(10, then[i].latency * LEAT_MS, then[i].latency * LEAT_MS, -1);
		CHECK_EQ(leat_adaptive_limit(&limit), then[i].limit);
	}
}

/* Who comes first to an empty limit is quick; that says nothing of a full one. */
TEST_SIM(the_first_calls_are_quick, 5)
{
	leat_permit permit[20];

	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 2, .initial = 20, .max = 500,
				   .alpha = 3, .beta = 6), 50, 0);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(leat_adaptive_try_acquire(&limit, &permit[i]), 0);
	leat_sleep(10 * LEAT_MS);
	for (int i = 0; i < 9; i++)
		leat_adaptive_release(&limit, &permit[i], LEAT_OUTCOME_SUCCESS);
	CHECK_EQ(leat_adaptive_limit(&limit), 20);
	leat_adaptive_release(&limit, &permit[9], LEAT_OUTCOME_SUCCESS); /* half of it */
	CHECK_EQ(leat_adaptive_limit(&limit), 26);
	for (int i = 10; i < 20; i++)
		leat_adaptive_release(&limit, &permit[i], LEAT_OUTCOME_IGNORED);
}

/* By a part of it, or by log10; and not all of that at once. */
TEST_SIM(how_far_vegas_falls, 5)
{
	static const struct {
		double backoff, smoothing;
		int limit;
	} then[] = { { 0, 0, 98 }, { 0, 0.5, 99 }, { 0.6, 0, 60 }, { 0.5, 0.2, 90 } };

	for (size_t i = 0; i < sizeof(then) / sizeof(then[0]); i++) {
		make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 2, .initial = 100,
					   .max = 500, .backoff = then[i].backoff,
					   .smoothing = then[i].smoothing), 50, 0);
		wave(1, 10 * LEAT_MS, 0, -1);
		wave(1, 10 * LEAT_MS, 0, 0);
		CHECK_EQ(leat_adaptive_limit(&limit), then[i].limit);
	}
}

/* A latency that is less than the least is the least at once. */
TEST_SIM(a_lower_latency_is_the_least, 5)
{
	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 2, .initial = 10, .max = 500,
				   .alpha = 3, .beta = 6), 50, 0);
	wave(1, 50 * LEAT_MS, 0, -1);
	wave(1, 10 * LEAT_MS, 0, -1);
	CHECK_EQ(leat_adaptive_limit(&limit), 10);
	wave(10, 50 * LEAT_MS, 50 * LEAT_MS, -1);
	CHECK_EQ(leat_adaptive_limit(&limit), 9);
}

/* A probe: half of the limit, until a call has begun and ended in it. */
TEST_SIM(a_probe_is_in_half_of_the_limit, 10)
{
	leat_permit permit[10], other;
	int n = 10;

	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 2, .initial = 10, .max = 10,
				   .probe = 1), 50, 0);
	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_adaptive_try_acquire(&limit, &permit[i]), 0);
	leat_sleep(10 * LEAT_MS);
	/* As many again as end, until it begins. */
	for (int i = 0; i < 12 && n == 10; i++) {
		leat_adaptive_release(&limit, &permit[n - 1], LEAT_OUTCOME_SUCCESS);
		n -= leat_adaptive_try_acquire(&limit, &permit[n - 1]) < 0;
		leat_sleep(10 * LEAT_MS);
	}
	CHECK_EQ(n, 9);
	/* Of those that began before, none ends it. */
	while (n > 4) {
		CHECK_EQ(leat_adaptive_try_acquire(&limit, &other), -EAGAIN);
		leat_adaptive_release(&limit, &permit[--n], LEAT_OUTCOME_SUCCESS);
	}
	CHECK_EQ(leat_adaptive_limit(&limit), 10);
	CHECK_EQ(leat_adaptive_try_acquire(&limit, &permit[n++]), 0);
	CHECK_EQ(leat_adaptive_try_acquire(&limit, &other), -EAGAIN);
	leat_sleep(10 * LEAT_MS);
	leat_adaptive_release(&limit, &permit[--n], LEAT_OUTCOME_SUCCESS);
	for (; n < 10; n++)
		CHECK_EQ(leat_adaptive_try_acquire(&limit, &permit[n]), 0);
	while (n > 0)
		leat_adaptive_release(&limit, &permit[--n], LEAT_OUTCOME_IGNORED);
}

/* Whether so many more may be out. */
static bool has_room(int n)
{
	leat_permit permit[20];
	int got = 0;

	while (got < n && leat_adaptive_try_acquire(&limit, &permit[got]) == 0)
		got++;
	for (int i = 0; i < got; i++)
		leat_adaptive_release(&limit, &permit[i], LEAT_OUTCOME_IGNORED);
	return got == n;
}

/* Calls, one after the other, until it probes. */
static int calls_until_probe(int initial, int64_t latency)
{
	int n = 0;

	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 1, .initial = initial,
				   .max = 100, .probe = 10), 50, 0);
	for (; has_room(initial) && n < 1000; n++)
		wave(1, latency, 0, -1);
	return n;
}

/* In limits that were made together, not at the same time. */
TEST_SIM(probes_are_spread, 5)
{
	int least = INT32_MAX, most = 0;

	for (int i = 0; i < 30; i++) {
		int n = calls_until_probe(20, LEAT_US);

		least = n < least ? n : least;
		most = n > most ? n : most;
	}
	CHECK(least > 100 && least < 120);
	CHECK(most > 180 && most <= 201);
}

/* What ends after a probe, and has begun in it, says nothing of the whole limit. */
TEST_SIM(calls_of_a_probe_are_not_judged, 5)
{
	(void)calls_until_probe(20, 10 * LEAT_MS);
	wave(10, 10 * LEAT_MS, 10 * LEAT_MS, -1);
	CHECK_EQ(leat_adaptive_limit(&limit), 20);
	wave(15, 10 * LEAT_MS, 10 * LEAT_MS, -1);
	CHECK_EQ(leat_adaptive_limit(&limit), 26);
}

TEST_SIM(vegas_in_windows, 2)
{
	int limits[10];

	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 2, .initial = 5, .max = 500,
				   .window = 50 * LEAT_MS, .probe = 20), 30, 0);
	load(100, 2 * LEAT_S, 0, limits);
	within(limits + 4, 6, 30, 50);
}

/* It is not in use: it does not grow, however well it goes. */
TEST_SIM(no_growth_without_use, 2)
{
	int limits[10];

	for (int a = LEAT_VEGAS; a <= LEAT_AIMD; a++) {
		bool aimd = a == LEAT_AIMD;

		make(LEAT_ADAPTIVE_OPTIONS(.algorithm = (enum leat_adaptive_algorithm)a, .min = 1,
					   .initial = 20, .max = 500, .backoff = aimd ? 0.9 : 0,
					   .slow = aimd ? LEAT_FOREVER : 0), 50, 0);
		load(9, LEAT_S, 20 * LEAT_MS, limits);
		within(limits, 10, 20, 20);
	}
}

/* Whatever happens. */
TEST_SIM(min_and_max, 2)
{
	int limits[10];

	for (int a = LEAT_VEGAS; a <= LEAT_AIMD; a++) {
		bool aimd = a == LEAT_AIMD;

		make(LEAT_ADAPTIVE_OPTIONS(.algorithm = (enum leat_adaptive_algorithm)a, .min = 7,
					   .initial = 10, .max = 12, .backoff = aimd ? 0.5 : 0,
					   .slow = aimd ? LEAT_FOREVER : 0), 1000, 1);
		load(30, LEAT_S, 0, limits);
		within(limits + 1, 9, 7, 7);
		server.refuses_at = 0;
		load(30, LEAT_S, 0, limits);
		within(limits + 1, 9, 12, 12);
		CHECK(server.most <= 12);
	}
}

LEAT_TASK(one_call, (int, i), (int *, order), (int *, n))
{
	leat_permit permit;

	if (leat_adaptive_acquire(&limit, &permit) < 0)
		return;
	order[(*n)++] = i;
	leat_adaptive_release(&limit, &permit, LEAT_OUTCOME_IGNORED);
}

/* The limit falls: those that are out go on, and nobody comes before there is room. */
TEST_SIM(a_lower_limit_waits, 10)
{
	leat_permit permit[10], other;
	int order[4], n = 0;
	leat_group group;

	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_AIMD, .min = 1, .initial = 10, .max = 500,
				   .backoff = 0.5, .slow = LEAT_FOREVER), 0, 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(leat_adaptive_try_acquire(&limit, &permit[i]), 0);
	CHECK_EQ(leat_adaptive_try_acquire(&limit, &other), -EAGAIN);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(leat_go_in(&group, one_call, i, order, &n), 0);
		test_settle();
	}
	leat_adaptive_release(&limit, &permit[0], LEAT_OUTCOME_DROPPED);
	CHECK_EQ(leat_adaptive_limit(&limit), 5);
	for (int i = 1; i < 5; i++) {
		leat_adaptive_release(&limit, &permit[i], LEAT_OUTCOME_IGNORED);
		test_settle();
		CHECK_EQ(n, 0);
		CHECK_EQ(leat_adaptive_out(&limit), 9 - i);
	}
	leat_adaptive_release(&limit, &permit[5], LEAT_OUTCOME_IGNORED);
	test_settle();
	CHECK_EQ(n, 4);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(order[i], i);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	/* It began before the limit fell: a wave that is dropped is one fall. */
	leat_adaptive_release(&limit, &permit[6], LEAT_OUTCOME_DROPPED);
	CHECK_EQ(leat_adaptive_limit(&limit), 5);
	/* What is free is withheld as well. */
	CHECK_EQ(leat_adaptive_try_acquire(&limit, &other), 0);
	leat_adaptive_release(&limit, &other, LEAT_OUTCOME_DROPPED);
	CHECK_EQ(leat_adaptive_limit(&limit), 2);
	CHECK_EQ(leat_adaptive_try_acquire(&limit, &other), -EAGAIN);
	for (int i = 7; i < 10; i++)
		leat_adaptive_release(&limit, &permit[i], LEAT_OUTCOME_IGNORED);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(leat_adaptive_try_acquire(&limit, &permit[i]), 0);
	CHECK_EQ(leat_adaptive_try_acquire(&limit, &other), -EAGAIN);
	for (int i = 0; i < 2; i++)
		leat_adaptive_release(&limit, &permit[i], LEAT_OUTCOME_IGNORED);
}

/* Deadlines and cancels take no permit along. */
TEST_SIM(waits_end, 10)
{
	leat_permit permit, other;
	int order[1], n = 0;
	leat_group group;
	int64_t began;

	make(LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 1, .initial = 1, .max = 1),
	     0, 0);
	CHECK_EQ(leat_adaptive_acquire(&limit, &permit), 0);
	began = leat_now();
	CHECK_EQ(leat_adaptive_acquire_until(&limit, leat_in(LEAT_S), &other), -ETIMEDOUT);
	CHECK_EQ((leat_now() - began) / LEAT_MS, 1000);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, one_call, 0, order, &n), 0);
	test_settle();
	leat_group_cancel(&group, 0);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
	CHECK_EQ(n, 0);
	leat_adaptive_release(&limit, &permit, LEAT_OUTCOME_SUCCESS);
	CHECK_EQ(leat_adaptive_try_acquire(&limit, &permit), 0);
	leat_adaptive_release(&limit, &permit, LEAT_OUTCOME_SUCCESS);
	CHECK_EQ(leat_adaptive_out(&limit), 0);
}

static struct gauge gauge;

LEAT_TASK(call_often, (int, n))
{
	leat_permit permit;

	for (int i = 0; i < n; i++) {
		CHECK_EQ(leat_adaptive_acquire(&limit, &permit), 0);
		gauge_enter(&gauge);
		if (i % 8 == 0)
			leat_yield();
		gauge_leave(&gauge);
		leat_adaptive_release(&limit, &permit,
				      (enum leat_outcome)(1 + (leat_random(20) == 0)));
	}
}

/* In real time, too: never more than max, and all permits come back. */
TEST_BOTH(many_tasks, 20)
{
	leat_permit permit[20], other;
	leat_group group;
	int n;

	gauge.now = gauge.most = 0;
	REQUIRE(leat_adaptive_init(&limit, LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 2,
								 .initial = 4, .max = 20,
								 .probe = 1)) == 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 40; i++)
		CHECK_EQ(leat_go_in(&group, call_often, leat_sim_seed() ? 30 : 1000), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK(gauge.most <= 20);
	CHECK_EQ(leat_adaptive_out(&limit), 0);
	/* Half of it, if it was about to probe: but as many as that, and no more. */
	for (n = 0; n < 20 && leat_adaptive_try_acquire(&limit, &permit[n]) == 0; n++)
		;
	CHECK(n == leat_adaptive_limit(&limit) || n == leat_adaptive_limit(&limit) / 2 || n == 2);
	CHECK(n == 20 || leat_adaptive_try_acquire(&limit, &other) == -EAGAIN);
	while (n > 0)
		leat_adaptive_release(&limit, &permit[--n], LEAT_OUTCOME_IGNORED);
}

TEST_DEATH_TASK(released_twice, "the permit has been released already")
{
	leat_permit permit;

	REQUIRE(leat_adaptive_init(&limit, LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 1,
								 .initial = 2, .max = 3)) == 0);
	REQUIRE(leat_adaptive_acquire(&limit, &permit) == 0);
	leat_adaptive_release(&limit, &permit, LEAT_OUTCOME_SUCCESS);
	leat_adaptive_release(&limit, &permit, LEAT_OUTCOME_SUCCESS);
}

TEST_DEATH_TASK(no_outcome, "the outcome is 0")
{
	leat_permit permit;

	REQUIRE(leat_adaptive_init(&limit, LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 1,
								 .initial = 2, .max = 3)) == 0);
	REQUIRE(leat_adaptive_acquire(&limit, &permit) == 0);
	leat_adaptive_release(&limit, &permit, (enum leat_outcome)0);
}

static void refused(const char *field, const leat_adaptive_options *options)
{
	leat_adaptive a;

	CHECK_EQ(leat_adaptive_init(&a, options), -EINVAL);
	EXPECT_LOG(field);
}

#define VEGAS(...) LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, __VA_ARGS__)
#define AIMD(...) LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_AIMD, __VA_ARGS__)
#define SIZES .min = 1, .initial = 2, .max = 3

TEST_WITH(bad_options, .log = log_line)
{
	refused("algorithm is 0", LEAT_ADAPTIVE_OPTIONS(SIZES));
	refused("algorithm is 3", LEAT_ADAPTIVE_OPTIONS(.algorithm = 3, SIZES));
	refused("min is 0", VEGAS(.initial = 2, .max = 3));
	refused("max is 0", VEGAS(.min = 1, .initial = 2));
	refused("max is 1000001", VEGAS(.min = 1, .initial = 2, .max = 1000001));
	refused("initial is 0", VEGAS(.min = 1, .max = 3));
	refused("initial is 4", VEGAS(.min = 1, .initial = 4, .max = 3));
	refused("window is -1", VEGAS(SIZES, .window = -1));
	refused("backoff is 0.4", VEGAS(SIZES, .backoff = 0.4));
	refused("backoff is 1", AIMD(SIZES, .backoff = 1, .slow = 1));
	refused("backoff is 0;", AIMD(SIZES, .slow = 1));
	refused("slow is 0", AIMD(SIZES, .backoff = 0.5));
	refused("slow is 1", VEGAS(SIZES, .slow = 1));
	refused("alpha is -1; it must be > 0", VEGAS(SIZES, .alpha = -1));
	refused("beta is -1", VEGAS(SIZES, .alpha = 1, .beta = -1));
	refused("alpha is 3 and beta 2", VEGAS(SIZES, .alpha = 3, .beta = 2));
	refused("alpha is 3 and beta 0", VEGAS(SIZES, .alpha = 3));
	refused("smoothing is 1.5", VEGAS(SIZES, .smoothing = 1.5));
	refused("smoothing is -1", VEGAS(SIZES, .smoothing = -1));
	refused("probe is -1", VEGAS(SIZES, .probe = -1));
	refused("for Vegas", AIMD(SIZES, .backoff = 0.5, .slow = 1, .probe = 1));
	refused("for Vegas", AIMD(SIZES, .backoff = 0.5, .slow = 1, .alpha = 1, .beta = 1));
	refused("for Vegas", AIMD(SIZES, .backoff = 0.5, .slow = 1, .smoothing = 1));
}
