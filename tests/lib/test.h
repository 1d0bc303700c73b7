/*
 * The test harness.  A test program is a file of tests, linked with test.c:
 *
 *	TEST(chan_close_twice) { ... }		// the main task of a leat_run()
 *	TEST_WITH(steal, .workers = 4) { ... }	// the same, with leat_options
 *	TEST_SIM(close_race, 50) { ... }	// the simulator, seeds 1 to 50
 *	TEST_BOTH(fan_in, 50) { ... }		// TEST(fan_in), TEST_SIM(fan_in_sim, 50)
 *	TEST_STRESS(chan_mix) { ... }		// TEST_SIM, 1,000 different schedules
 *	TEST_PLAIN(run_nested) { ... }		// no runtime; a plain thread
 *	TEST_DEATH(sem_over_release, "leat_sem_release") { ... }
 *						// no runtime; must abort, with
 *						// this text in its stderr
 *	TEST_DEATH_TASK(join_null, "leat_join") { ... }	// the same, in a main task
 *
 * Each test runs in a process of its own, forked from one with a single
 * thread: a crash, a hang or a leak (under LeakSanitizer) is that test's
 * failure, and the others still run.  A TEST fails when leat_run() does not
 * return 0, so also at a deadlock.
 *
 * Under TEST_SIM time is virtual: test_settle() returns when every other task
 * waits for something but time.  The first seed that fails ends the test and is
 * printed; LEAT_TEST_SEED=seed in the environment runs that seed alone.  A
 * TEST_STRESS runs 1,100 seeds, and fails if they make less than 1,000 different
 * schedules; a tenth of both where it is slow, 11,000 seeds in script/test --full.
 *
 * The checks may be used in any task or thread of the test.  CHECK* notes the
 * failure and goes on; REQUIRE ends the test at once.
 *
 * Program arguments: -l lists the tests; -n does not fork (for a debugger);
 * names, or patterns as chan_*, select tests.
 */
#ifndef LEAT_TEST_H
#define LEAT_TEST_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <leat/leat.h>

enum test_kind {
	TEST_KIND_TASK,		/* body is the main task */
	TEST_KIND_SIM,		/* the same, simulated, once for each seed */
	TEST_KIND_PLAIN,
	TEST_KIND_DEATH,
};

enum { TEST_STRESS_SEEDS = UINT16_MAX }; /* struct test.seeds: as TEST_STRESS says */

struct test {
	const char *name;
	enum test_kind kind;
	void (*body)(void);
	const char *expected;	/* of TEST_KIND_DEATH: in its stderr */
	const leat_options *options; /* of TEST_KIND_TASK and TEST_KIND_SIM */
	unsigned seeds;		/* of TEST_KIND_SIM */
	struct test *next;
};

#define TEST(name_) TEST__DEFINE(name_, TEST_KIND_TASK, NULL, LEAT_OPTIONS(), 0)
#define TEST_WITH(name_, ...) \
	TEST__DEFINE(name_, TEST_KIND_TASK, NULL, LEAT_OPTIONS(__VA_ARGS__), 0)
#define TEST_SIM(name_, seeds_) \
	TEST__DEFINE(name_, TEST_KIND_SIM, NULL, LEAT_OPTIONS(), seeds_)
#define TEST_SIM_WITH(name_, seeds_, ...) \
	TEST__DEFINE(name_, TEST_KIND_SIM, NULL, LEAT_OPTIONS(__VA_ARGS__), seeds_)
#define TEST_STRESS(name_) \
	TEST__DEFINE(name_, TEST_KIND_SIM, NULL, LEAT_OPTIONS(), TEST_STRESS_SEEDS)
#define TEST_BOTH(name_, seeds_)                                              \
	static void test__both_##name_(void);                                 \
	TEST(name_)                                                           \
	{                                                                     \
		test__both_##name_();                                         \
	}                                                                     \
	TEST_SIM(name_##_sim, seeds_)                                         \
	{                                                                     \
		test__both_##name_();                                         \
	}                                                                     \
	static void test__both_##name_(void)
#define TEST_PLAIN(name_) TEST__DEFINE(name_, TEST_KIND_PLAIN, NULL, NULL, 0)
#define TEST_DEATH(name_, expected_) TEST__DEFINE(name_, TEST_KIND_DEATH, expected_, NULL, 0)
#define TEST_DEATH_TASK(name_, expected_)                                     \
	static void test__task_##name_(void);                                 \
	TEST_DEATH(name_, expected_)                                          \
	{                                                                     \
		test_run_task(test__task_##name_);                            \
	}                                                                     \
	static void test__task_##name_(void)

#define CHECK(cond)                                                           \
	do {                                                                  \
		if (!(cond))                                                  \
			test_fail(__FILE__, __LINE__, "%s", #cond);           \
	} while (0)

#define REQUIRE(cond)                                                         \
	do {                                                                  \
		if (!(cond)) {                                                \
			test_fail(__FILE__, __LINE__, "%s", #cond);           \
			test_stop();                                          \
		}                                                             \
	} while (0)

/* Integers; both are printed, as signed. */
#define CHECK_EQ(a, b)                                                        \
	do {                                                                  \
		long long test__a = (long long)(a);                           \
		long long test__b = (long long)(b);                           \
		if (test__a != test__b)                                       \
			test_fail(__FILE__, __LINE__, "%s == %s: %lld is not %lld", \
				  #a, #b, test__a, test__b);                  \
	} while (0)

/* Strings; NULL equals only NULL. */
#define CHECK_STR(a, b)                                                       \
	do {                                                                  \
		const char *test__a = (a);                                    \
		const char *test__b = (b);                                    \
		if (!test_same_string(test__a, test__b))                      \
			test_fail(__FILE__, __LINE__, "%s == %s: \"%s\" is not \"%s\"", \
				  #a, #b, test__a ? test__a : "(NULL)",       \
				  test__b ? test__b : "(NULL)");              \
	} while (0)

/* Ends the test, which counts as skipped, unless a check has failed already. */
#define SKIP(why) test_skip(why)

/* The test has seconds from now on, instead of 30 in all; scaled as below. */
void test_timeout(unsigned seconds);

/*
 * True where everything is slow (sanitizers, Valgrind, qemu): LEAT_TEST_SLOW=1.
 * Timeouts are ten times as long then; a test should do less.
 */
bool test_slow(void);

/* True in script/test --full (LEAT_TEST_FULL=1): a test may take minutes. */
bool test_full(void);

/*
 * Only simulated: lets every other task run until it ends or waits, for one
 * virtual second, so for less than all that sleep.
 */
void test_settle(void);

/* body as the main task of a leat_run() that must return 0. */
void test_run_task(void (*body)(void));

void test_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Prints with each failure what replays it; NULL: nothing does. */
extern uint64_t (*test_seed)(void);
/* Whether a check has failed so far. */
bool test_failed(void);
_Noreturn void test_stop(void);
_Noreturn void test_skip(const char *why);
bool test_same_string(const char *a, const char *b);
void test_register(struct test *test);

#define TEST__DEFINE(name_, kind_, expected_, options_, seeds_)               \
	static void test__body_##name_(void);                                 \
	__attribute__((constructor)) static void test__register_##name_(void) \
	{                                                                     \
		static struct test test;                                      \
		static leat_options options;                                  \
		const leat_options *given = (options_);                       \
                                                                              \
		if (given)                                                    \
			options = *given;                                     \
		test = (struct test){ .name = #name_, .kind = (kind_),        \
				      .body = test__body_##name_,             \
				      .expected = (expected_), .options = &options, \
				      .seeds = (seeds_) };                    \
		test_register(&test);                                         \
	}                                                                     \
	static void test__body_##name_(void)

#endif
