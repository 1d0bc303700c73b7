/*
 * What a simulation promises: the same seed gives the same run, other seeds give
 * others, and LEAT_SIM=seed gives that run to any program.
 */
#include "run.h"

enum { EVENTS_MAX = 256 };

/* What happened in a run, in order. */
static struct trace {
	int n;
	struct {
		int who, what;
		int64_t when;
	} event[EVENTS_MAX];
} trace;

static void happened(int who, int what)
{
	REQUIRE(trace.n < EVENTS_MAX);
	trace.event[trace.n].who = who;
	trace.event[trace.n].what = what;
	trace.event[trace.n++].when = leat_now();
}

LEAT_TASK(producer, (int, id), (leat_chan(int), out))
{
	for (int i = 0; i < 5; i++) {
		if (leat_random(2))
			leat_sleep((int64_t)leat_random(1000));
		if (leat_send(out, 10 * id + i) != 0)
			return;
		happened(id, i);
	}
}

LEAT_TASK(consumer, (int, id), (leat_chan(int), in), (leat_chan(int), other))
{
	int element = 0;

	while (leat_select(leat_case_recv(in, &element), leat_case_recv(other, &element),
			   leat_case_until(leat_in(5000))) >= 0)
		happened(id, element);
	happened(id, -1);
}

static int program(void *arg)
{
	leat_chan(int) a = make_chan(0), b = make_chan(1);
	leat_group group;

	(void)arg;
	memset(&trace, 0, sizeof(trace));
	books_open();
	make(&group);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(leat_go_in(&group, producer, i, i % 2 ? a : b), 0);
		CHECK_EQ(leat_go_in(&group, consumer, 10 + i, a, b), 0);
	}
	CHECK_EQ(finish(&group), 0);
	leat_chan_unref(a);
	leat_chan_unref(b);
	return 0;
}

static void run_seed(uint64_t seed, struct trace *ret_trace)
{
	CHECK_EQ(leat_run(LEAT_OPTIONS(.sim_seed = seed), program, NULL), 0);
	CHECK(trace.n > 10);
	*ret_trace = trace;
}

TEST_PLAIN(same_seed_same_run)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct trace first, second;

		run_seed(seed, &first);
		free(malloc(seed * 1000)); /* addresses must not matter */
		run_seed(seed + 1000, &second);
		run_seed(seed, &second);
		CHECK_EQ(memcmp(&first, &second, sizeof(first)), 0);
	}
}

TEST_PLAIN(other_seeds_other_runs)
{
	static struct trace traces[200];
	int same = 0;

	for (int i = 0; i < 200; i++) {
		run_seed((uint64_t)i + 1, &traces[i]);
		for (int k = 0; k < i; k++)
			same += memcmp(&traces[i], &traces[k], sizeof(trace)) == 0;
	}
	CHECK_EQ(same, 0);
}

TEST_PLAIN(report_counts)
{
	leat_sim_report report = { 0 };

	CHECK_EQ(leat_sim_run(NULL, program, NULL, 0, 101, &report), 0);
	CHECK_EQ(report.runs, 100); /* there is no seed 0 */
	CHECK_EQ(report.distinct, 100);
	CHECK_EQ(report.failed_seed, 0);
	CHECK_EQ(report.error, 0);
}

/* A program with nothing to choose has one schedule, however often it runs. */
static int nothing(void *arg)
{
	return arg ? -EIO : 0;
}

TEST_PLAIN(one_schedule)
{
	leat_sim_report report = { 0 };

	CHECK_EQ(leat_sim_run(NULL, nothing, NULL, 1, 100, &report), 0);
	CHECK_EQ(report.runs, 100);
	CHECK_EQ(report.distinct, 1);
}

static int fails_at_7(void *arg)
{
	(void)arg;
	CHECK(leat_sim_seed() != 0);
	return leat_sim_seed() == 7 ? -EIO : 0;
}

static void log_line(void *ctx, const char *line)
{
	char *text = ctx;

	snprintf(text, 200, "%s", line);
}

TEST_PLAIN(stops_at_the_first_failure)
{
	leat_sim_report report = { 0 };
	char said[200] = "";

	CHECK_EQ(leat_sim_run(LEAT_OPTIONS(.log = log_line, .log_ctx = said), fails_at_7, NULL, 1,
			      100, &report),
		 -EIO);
	CHECK_EQ(report.runs, 7);
	CHECK_EQ(report.failed_seed, 7);
	CHECK_EQ(report.error, -EIO);
	CHECK(strstr(said, "seed 7") != NULL);
}

static int waits_for_ever(void *arg)
{
	/* Static: after a deadlock nobody can unref it, and LeakSanitizer looks. */
	static leat_chan(int) chan;
	int element;

	(void)arg;
	chan = make_chan(0);
	return leat_recv(chan, &element);
}

TEST_PLAIN(deadlock_is_a_failure)
{
	leat_sim_report report = { 0 };

	CHECK_EQ(leat_sim_run(NULL, waits_for_ever, NULL, 3, 100, &report), -EDEADLK);
	CHECK_EQ(report.runs, 1);
	CHECK_EQ(report.failed_seed, 3);
	CHECK_EQ(report.error, -EDEADLK);
}

TEST_PLAIN(environment_replays)
{
	struct trace asked_for;

	run_seed(77, &asked_for);
	setenv("LEAT_SIM", "77", 1);
	CHECK_EQ(leat_run(NULL, program, NULL), 0);
	CHECK_EQ(memcmp(&asked_for, &trace, sizeof(trace)), 0);
	setenv("LEAT_SIM", "78", 1);
	CHECK_EQ(leat_run(NULL, program, NULL), 0);
	CHECK(memcmp(&asked_for, &trace, sizeof(trace)) != 0);
}

TEST_PLAIN(environment_is_checked)
{
	static const char *const bad[] = { "0", "x", "7x", "-" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setenv("LEAT_SIM", bad[i], 1);
		CHECK_EQ(leat_run(NULL, nothing, NULL), -EINVAL);
	}
	setenv("LEAT_SIM", "", 1);
	CHECK_EQ(leat_run(NULL, nothing, NULL), 0);
}

/* Time is virtual: a year passes at once, and every sleep ends on its nanosecond. */
TEST_SIM(time_jumps, 50)
{
	enum { DAY_S = 24 * 3600 };
	int64_t start = leat_now();

	CHECK_EQ(leat_sleep(365 * DAY_S * LEAT_S), 0);
	CHECK(leat_now() - start >= 365 * DAY_S * LEAT_S);
	CHECK(leat_now() - start < 365 * DAY_S * LEAT_S + LEAT_MS);
}
