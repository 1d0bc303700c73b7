/* Attribution: meters, histograms, the table and the stage that it names. */
#include "patterns.h"

#include <leat/leat.h>

#include "patterns/stats.h"

static void meter_states(void)
{
	int64_t time[LEAT__METER_STATES] = { 0 }, begin = leat_now();
	struct leat__meter m = { 0 };

	leat__meter_enter_at(&m, LEAT_STAGE_STARVED, begin);
	leat__meter_enter_at(&m, LEAT_STAGE_BUSY, begin + 10);
	leat__meter_enter_at(&m, LEAT_STAGE_BLOCKED, begin + 110);
	leat__meter_enter_at(&m, LEAT_STAGE_BUSY, begin + 1110);
	/* The state that goes on counts, too. */
	leat__meter_read(&m, time, begin + 1111);
	CHECK_EQ(leat__meter_total(&m, begin + 1111), 1111);
	CHECK_EQ(time[LEAT_STAGE_STARVED], 10);
	CHECK_EQ(time[LEAT_STAGE_BUSY], 101);
	CHECK_EQ(time[LEAT_STAGE_BLOCKED], 1000);
	CHECK_EQ(time[LEAT_STAGE_LIMITED], 0);
}

TEST(meter)
{
	meter_states();
}

TEST_SIM(meter_that_was_stopped, 3)
{
	int64_t time[LEAT__METER_STATES] = { 0 };
	struct leat__meter m = { 0 };

	leat__meter_stop(&m); /* not begun */
	leat__meter_enter(&m, LEAT_STAGE_LIMITED);
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	leat__meter_stop(&m);
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	leat__meter_read(&m, time, leat_now());
	CHECK(time[LEAT_STAGE_LIMITED] >= LEAT_MS);
	CHECK(time[LEAT_STAGE_LIMITED] < LEAT_MS + LEAT_US * 100);
	CHECK_EQ(time[LEAT_STAGE_STARVED], 0);
}

static struct leat__times times;

TEST(percentiles)
{
	CHECK_EQ(leat__times_percentile(&times, 0.5), -1);
	for (int64_t ns = 1; ns <= 1000; ns++)
		leat__times_add(&times, ns, 3);
	for (int p = 1; p <= 100; p++) {
		int64_t exact = 10 * p, got = leat__times_percentile(&times, p / 100.0);

		CHECK(got >= exact && (double)got <= 1.125 * (double)exact + 1);
	}
	leat__times_add(&times, INT64_MAX, 1);
	leat__times_add(&times, -5, 1);
	CHECK(leat__times_percentile(&times, 1) > INT64_C(1) << 48);
	CHECK_EQ(leat__times_percentile(&times, 0), 0);
}

static struct leat__times mixed;

static void work_for(struct leat__sampler *m, int64_t ns)
{
	int64_t begin = leat__sample_begin(m);

	CHECK_EQ(leat_sleep(ns), 0);
	leat__sample_end(m, &mixed, begin);
}

/* One fast item among slow ones does not stand for them; of fast ones few are timed. */
TEST_SIM(samples_stand_for_their_like, 3)
{
	struct leat__sampler m = { 0 };
	int timed = 0;

	memset(&mixed, 0, sizeof(mixed));
	for (int i = 0; i < 40; i++)
		work_for(&m, i == 5 ? 1 : LEAT_MS);
	CHECK(leat__times_percentile(&mixed, 0.5) >= LEAT_MS);
	CHECK(leat__times_percentile(&mixed, 0.01) < LEAT_MS);
	m = (struct leat__sampler){ 0 };
	for (int i = 0; i < 10240; i++) {
		int64_t begin = leat__sample_begin(&m);

		timed += begin != 0;
		leat__sample_end(&m, &mixed, begin);
	}
	CHECK(timed >= 10 && timed <= 20);
}

static leat_stage_stats limited_stage(const char *name, int workers, int busy, int limited,
				      enum leat_stage_limit by)
{
	leat_stage_stats s = { .size = sizeof(s), .name = name, .workers = workers, .items = 7 };
	int64_t time[LEAT__METER_STATES] = { 0 };

	s.elapsed = 1000;
	time[LEAT_STAGE_BUSY] = 10 * busy * workers;
	time[leat__limited(by)] = 10 * limited * workers;
	leat__stats_finish(&s, time, &times, &times);
	return s;
}

static leat_stage_stats stage(const char *name, int workers, int busy, int limited)
{
	return limited_stage(name, workers, busy, limited, LEAT_LIMIT_RATE);
}

TEST(the_rest_is_starved)
{
	leat_stage_stats s = stage("a", 3, 20, 30);

	CHECK_EQ(s.time[LEAT_STAGE_STARVED], 1500);
}

static char text[4096];

static const char *verdict(const leat_stage_stats *stages, size_t n)
{
	const char *last = text;
	int length = leat_stage_explain(stages, n, text, sizeof(text));

	CHECK_EQ(length, (int)strlen(text));
	for (const char *p = text; p[1]; p++)
		if (*p == '\n')
			last = p + 1;
	return last;
}

TEST(names_the_stage_to_widen)
{
	leat_stage_stats s[3];

	s[0] = stage("read", 1, 10, 0);
	s[1] = stage("resize", 4, 97, 0);
	s[2] = stage("store", 1, 60, 0);
	CHECK_EQ(leat_stage_bottleneck(s, 3), 1);
	CHECK(strcmp(verdict(s, 3), "widen resize: its 4 workers are busy 97 % of the time\n") == 0);
	CHECK(strstr(text, "resize         4          7    97 %"));
	s[1] = stage("resize", 4, 12, 0);
	CHECK(strcmp(verdict(s, 3), "widen store: its worker is busy 60 % of the time\n") == 0);
	s[0] = stage("read", 1, 3, 95);
	CHECK(strcmp(verdict(s, 3), "raise the limit of read: it is limited 95 % of the time\n") == 0);
	CHECK_EQ(leat_stage_bottleneck(s + 1, 1), -1);
	CHECK(strstr(verdict(s + 1, 1), "no stage to widen"));
	/* Cut off where there is no room, and the whole length. */
	CHECK_EQ(leat_stage_explain(s, 3, text, 10), leat_stage_explain(s, 3, NULL, 0));
	CHECK_EQ((int)strlen(text), 9);
}

/* Who waits for the work on other items is named where no stage does that for about as long. */
TEST(names_what_is_waited_for_first)
{
	leat_stage_stats s[3];

	s[0] = limited_stage("read", 1, 1, 99, LEAT_LIMIT_LIVE);
	s[1] = limited_stage("order", 50, 1, 98, LEAT_LIMIT_WINDOW);
	s[2] = stage("store", 1, 97, 0);
	CHECK_EQ(leat_stage_bottleneck(s, 3), 2);
	s[2] = stage("store", 1, 40, 0);
	CHECK_EQ(leat_stage_bottleneck(s, 3), 1);
	s[1] = stage("order", 8, 62, 0);
	CHECK_EQ(leat_stage_bottleneck(s, 3), 0);
	s[1] = stage("order", 8, 93, 0);
	CHECK_EQ(leat_stage_bottleneck(s, 3), 1);
	/* Where it is held up below, it is not for want of live items. */
	s[1] = stage("order", 8, 10, 0);
	s[2].time[LEAT_STAGE_BLOCKED] = s[2].elapsed / 2;
	CHECK_EQ(leat_stage_bottleneck(s, 3), -1);
}

/* More workers would wait, too. */
TEST(names_a_limit_of_a_fifth)
{
	leat_stage_stats s = stage("fetch", 4, 80, 20);

	CHECK_STR(verdict(&s, 1), "raise the limit of fetch: it is limited 20 % of the time\n");
	s = stage("fetch", 4, 81, 19);
	CHECK_STR(verdict(&s, 1), "widen fetch: its 4 workers are busy 81 % of the time\n");
}

/* Of a program that knows no limits, all are rates; and nothing behind its structs is looked at. */
TEST(names_a_limit_of_an_older_program)
{
	_Alignas(leat_stage_stats) char room[2 * OLD_STATS_SIZE + 1];
	leat_stage_stats s = limited_stage("read", 1, 3, 95, LEAT_LIMIT_LIVE);

	s.size = OLD_STATS_SIZE;
	memcpy(room, &s, OLD_STATS_SIZE);
	memcpy(room + OLD_STATS_SIZE, &s, OLD_STATS_SIZE);
	CHECK_STR(verdict((const leat_stage_stats *)room, 2),
		  "raise the limit of read: it is limited 95 % of the time\n");
}
