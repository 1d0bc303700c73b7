/*
 * Deterministic simulation: one thread, a seeded generator that decides at
 * every choice (which task runs next, where a task is preempted, which ready
 * case a select takes), and virtual time: each choice takes 100 ns, and when
 * every task waits, time jumps to the next timer.  The same seed gives the
 * same run.  LEAT_SIM=seed in the environment simulates any leat program.
 *
 * Calls that cannot be simulated stop the program by name; LEAT_SIM_REAL=1
 * allows them and says that the run cannot be replayed.
 */
#ifndef LEAT_SIM_H
#define LEAT_SIM_H

#include <leat/runtime.h>

typedef struct leat_sim_report {
	uint64_t runs;		/* seeds that were run */
	uint64_t distinct;	/* different schedules among them, by hash of the choices */
	uint64_t failed_seed;	/* the seed of the failure; 0: none */
	int error;		/* what fn returned then, or -EDEADLK */
} leat_sim_report;

LEAT_BEGIN_DECLS

/*
 * Runs fn(arg) as the main task of a fresh simulated runtime, once for each of
 * n seeds from first on (seed 0 is skipped), until a run returns an error or
 * deadlocks.  Prints the seed of a failure through the log, with the deadlock
 * report if it is one.  Blocks the calling thread, which must not be a task.
 * report may be NULL.  Returns 0, or the error of the run that failed.
 */
LEAT_API LEAT_MUST_CHECK int leat_sim_run(const leat_options *options, int (*fn)(void *arg),
					  void *arg, uint64_t first, uint64_t n,
					  leat_sim_report *report);

/* The seed of this run; 0 when it is not simulated. */
LEAT_API uint64_t leat_sim_seed(void);

/* A number below n (n > 0) from the run's generator: replays under simulation, random otherwise. */
LEAT_API uint64_t leat_random(uint64_t n);

LEAT_END_DECLS

#endif
