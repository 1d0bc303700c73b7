/*
 * For tests: a scenario that is cancelled wherever it waits, and refused memory wherever it asks.
 *
 *	struct fixture {
 *		int made, ended;
 *	};
 *
 *	static int scenario(struct fixture *f);		// what is to be tested, until its end
 *	static int check(struct fixture *f, int result)	// and what must be true then
 *	{
 *		return f->made == f->ended ? 0 : -EIO;
 *	}
 *	...
 *	r = leat_test_everywhere(NULL, scenario, check, &fixture, &report);
 *
 * The scenario is run in simulation (leat/sim.h), first undisturbed, as a task in a group of its
 * own.  Then again and again: the group is cancelled when the run's tasks wait for the first time,
 * the second, and so on, until one comes to its end before; and the first allocation of the
 * runtime's allocator fails (what leat makes itself, and leat_alloc), the second, and so on.
 *
 * After each run: check returned 0; no task is left; and every allocation has been freed.
 * Whatever goes wrong is said in one line through the log, with the point (of a deadlock, after the
 * report of the tasks):
 *
 *	leat: leat_test_everywhere: seed 1, cancelled at wait 7: check returned Input/output error;
 *	replay with LEAT_TEST_POINT=1:cancel:7
 */
#ifndef LEAT_TESTING_H
#define LEAT_TESTING_H

#include <leat/base.h>

typedef struct leat_test_options {
	size_t size;		/* sizeof(leat_test_options) */
	uint64_t seed;		/* the first schedule; 0: 1 */
	uint64_t seeds;		/* how many of them, each with all its points; 0: 1 */
	uint64_t max_points;	/* of each kind in a schedule; more is -E2BIG; 0: 100,000 */
	void (*log)(void *ctx, const char *line); /* NULL: stderr */
} leat_test_options;

#define LEAT_TEST_OPTIONS(...) LEAT__OPTIONS(leat_test_options, __VA_ARGS__)

typedef struct leat_test_report {
	uint64_t runs;
	uint64_t cancelled;	/* runs that were cancelled at a point */
	uint64_t refused;	/* runs in which an allocation failed */
	/* Of the failure, if there was one: */
	uint64_t seed;		/* 0: there was none */
	bool at_cancel, at_alloc; /* neither: the undisturbed run */
	uint64_t point;
} leat_test_report;

/*
 * leat_test_everywhere(options, scenario, check, fixture, ret_report): int scenario(T *fixture),
 * int check(T *fixture, int result), where result is the scenario's.  *fixture is before each run
 * as it was at the call.  options and ret_report may be NULL.
 *
 * Returns 0; the error of check, -EDEADLK, -ENOTEMPTY (tasks are left), -EFAULT (memory is
 * left), of the first run that failed; -E2BIG.  Not in a task.  Blocks.
 */
#ifndef __cplusplus
#define leat_test_everywhere(options, scenario, check, fixture, ret_report)   \
	leat_test_run((options),                                              \
		      (int (*)(void *))(void (*)(void))_Generic((scenario),   \
				int (*)(__typeof__(*(fixture)) *): (scenario)), \
		      (int (*)(void *, int))(void (*)(void))_Generic((check), \
				int (*)(__typeof__(*(fixture)) *, int): (check)), \
		      (fixture), sizeof(*(fixture)), (ret_report))
#else
#define leat_test_everywhere(options, scenario, check, fixture, ret_report)   \
	leat_test_run((options),                                              \
		      (int (*)(void *))(void (*)(void))                       \
			      static_cast<int (*)(decltype(+(fixture)))>(scenario), \
		      (int (*)(void *, int))(void (*)(void))                  \
			      static_cast<int (*)(decltype(+(fixture)), int)>(check), \
		      (fixture), sizeof(*(fixture)), (ret_report))
#endif

LEAT_BEGIN_DECLS

LEAT_API LEAT_MUST_CHECK int leat_test_run(const leat_test_options *options,
					   int (*scenario)(void *fixture),
					   int (*check)(void *fixture, int result), void *fixture,
					   size_t fixture_size, leat_test_report *ret_report);

LEAT_END_DECLS

#endif
