/* The tester of leat/testing.h finds what is wrong at one point only. */
#include "patterns.h"

#include <leat/extend.h>
#include <leat/leat.h>
#include <leat/testing.h>

enum { WAITS = 5 };

struct fixture {
	int made, ended;
	int wrong_at;		/* the wait at which the scenario is careless; 0: none */
	bool forgets_memory, loses_item, leaves_task;
};

/* Waits a few times, with something in its hands. */
static int scenario(struct fixture *f)
{
	for (int i = 1; i <= WAITS; i++) {
		int *item = leat_alloc(sizeof(*item));
		int r;

		if (!item) {
			f->made += f->loses_item;
			return -ENOMEM;
		}
		f->made++;
		r = leat_sleep(LEAT_MS);
		f->ended++;
		if (r < 0 && f->forgets_memory && i == f->wrong_at)
			return r;
		leat_free(item, sizeof(*item));
		if (r < 0 && f->loses_item && i == f->wrong_at)
			f->ended--;
		if (r < 0)
			return r;
	}
	return 0;
}

static int check(struct fixture *f, int result)
{
	CHECK(result == 0 || result == -ECANCELED || result == -ENOMEM);
	return f->made == f->ended ? 0 : -EIO;
}

static int test(struct fixture *f, leat_test_report *report)
{
	logged[0] = '\0';
	return leat_test_everywhere(LEAT_TEST_OPTIONS(.seeds = 2, .log = log_line), scenario, check,
				    f, report);
}

TEST_PLAIN(each_wait_and_each_allocation)
{
	struct fixture f = { 0 };
	leat_test_report report;

	CHECK_EQ(test(&f, &report), 0);
	CHECK_EQ(report.seed, 0);
	/* The main task waits for the scenario, too. */
	CHECK(report.cancelled >= 2 * WAITS && report.cancelled <= 2 * (WAITS + 2));
	CHECK(report.refused >= 2 * WAITS);
	CHECK(report.runs >= report.cancelled + report.refused);
}

TEST_PLAIN(memory_that_is_forgotten_at_one_wait)
{
	struct fixture f = { .wrong_at = 3, .forgets_memory = true };
	leat_test_report report;

	CHECK_EQ(test(&f, &report), -EFAULT);
	CHECK_EQ(report.seed, 1);
	CHECK(report.at_cancel && !report.at_alloc);
	CHECK(strstr(logged, "seed 1, cancelled at wait"));
	CHECK(strstr(logged, "1 allocations are left"));
	CHECK(strstr(logged, "replay with LEAT_TEST_POINT=1:cancel:"));
}

TEST_PLAIN(an_item_that_is_lost_at_the_last_wait)
{
	struct fixture f = { .wrong_at = WAITS, .loses_item = true };
	leat_test_report report;

	CHECK_EQ(test(&f, &report), -EIO);
	CHECK(report.at_cancel);
	CHECK(strstr(logged, "check returned Input/output error"));
}

TEST_PLAIN(an_item_that_is_lost_without_memory)
{
	struct fixture f = { .loses_item = true };
	leat_test_report report;
	char point[64];

	CHECK_EQ(test(&f, &report), -EIO);
	CHECK(report.at_alloc && !report.at_cancel);
	/* The same run alone, and the undisturbed one, which is well. */
	f = (struct fixture){ .loses_item = true };
	snprintf(point, sizeof(point), "1:alloc:%d", (int)report.point);
	setenv("LEAT_TEST_POINT", point, 1);
	CHECK_EQ(test(&f, &report), -EIO);
	CHECK_EQ(report.runs, 1);
	f = (struct fixture){ .loses_item = true };
	setenv("LEAT_TEST_POINT", "1:none:0", 1);
	CHECK_EQ(test(&f, &report), 0);
	unsetenv("LEAT_TEST_POINT");
}

LEAT_TASK(sleep_long, (int, s))
{
	leat_sleep(s * LEAT_S);
}

static int leave_task(struct fixture *f)
{
	f->made = f->ended = 1;
	return leat_go(sleep_long, 1);
}

TEST_PLAIN(a_task_that_is_left)
{
	struct fixture f = { 0 };
	leat_test_report report;

	CHECK_EQ(leat_test_everywhere(LEAT_TEST_OPTIONS(.log = log_line), leave_task, check, &f,
				      &report), -ENOTEMPTY);
	CHECK(!report.at_cancel && !report.at_alloc);
	CHECK(strstr(logged, "seed 1, undisturbed: tasks are left"));
}

/* Cancelled, it waits for what nobody sends. */
static int hang_on(struct fixture *f)
{
	leat_chan(int) never = leat_chan_make(int, 0);
	int v;

	f->made = f->ended = 0;
	if (!never)
		return -ENOMEM;
	if (leat_sleep(LEAT_MS) < 0) {
		leat_shield_begin();
		leat_recv(never, &v);
		leat_shield_end();
	}
	leat_chan_unref(never);
	return 0;
}

static void keep_dead(void *ctx, const char *line)
{
	if (strstr(line, "leat_test_everywhere"))
		log_line(ctx, line);
}

TEST_PLAIN(a_deadlock_after_a_cancel)
{
	struct fixture f = { 0 };
	leat_test_report report;

	CHECK_EQ(leat_test_everywhere(LEAT_TEST_OPTIONS(.log = keep_dead), hang_on, check, &f,
				      &report), -EDEADLK);
	CHECK(report.at_cancel);
	CHECK(strstr(logged, "the run ended with"));
}

static int lines;

static void count_lines(void *ctx, const char *line)
{
	lines++;
	log_line(ctx, line);
}

/* As the header says; and LEAT_SIM would not come to the point. */
TEST_PLAIN(one_line_of_a_failure)
{
	struct fixture f = { 0 };

	lines = 0;
	CHECK(leat_test_everywhere(LEAT_TEST_OPTIONS(.log = count_lines), leave_task, check, &f,
				   NULL) < 0);
	CHECK_EQ(lines, 1);
	CHECK(strstr(logged, "LEAT_TEST_POINT"));
}

TEST_PLAIN(too_many_points)
{
	struct fixture f = { 0 };

	CHECK_EQ(leat_test_everywhere(LEAT_TEST_OPTIONS(.max_points = 3, .log = log_line), scenario,
				      check, &f, NULL), -E2BIG);
}
