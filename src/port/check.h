/*
 * The checking build: the library and a scenario run in virtual threads, all on
 * one thread of the system.  Each operation of base/atomic.h is a choice point, at
 * which a seeded explorer may let another virtual thread go on; the clock is
 * virtual; stores wait in a buffer per thread, as on x86 (see check.c).
 *
 * A scenario is a function that runs in virtual thread 0.  It may start others
 * (leat__thread_start), or call leat_run with 2 or 3 workers.  A run fails when it
 * returns an error, when every thread sleeps and none has a deadline, when
 * it takes too many steps, or when it crashes.  A seed gives the same run again.
 */
#ifndef LEAT_PORT_CHECK_H
#define LEAT_PORT_CHECK_H

#include <stdint.h>

struct leat__check_report {
	uint64_t runs;		/* seeds that were run */
	uint64_t distinct;	/* different interleavings among them */
	uint64_t steps;		/* operations in all */
	uint64_t failed_seed;	/* 0: none */
};

/*
 * Runs fn(arg) for n seeds from first on, until one fails.  Returns 0 or the
 * error: fn's, -EDEADLK (everyone sleeps) or -ETIME (more than max_steps).  After
 * these two the virtual threads are left where they are: call it no more.
 */
int leat__check_run(int (*fn)(void *arg), void *arg, uint64_t first, uint64_t n,
		    uint64_t max_steps, struct leat__check_report *ret_report);

/* The seed of this run. */
uint64_t leat__check_seed(void);

/* A choice of the scenario: 0 <= result < n, from the run's seed. */
uint32_t leat__check_choose(uint32_t n);

/* The calling thread does nothing that others could see for ns nanoseconds. */
void leat__check_compute(int64_t ns);

#endif
