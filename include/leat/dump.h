/*
 * Looking inside a running program.
 */
#ifndef LEAT_DUMP_H
#define LEAT_DUMP_H

#include <leat/base.h>

/* Counters since the start of the runtime, summed over the workers; a snapshot. */
typedef struct leat_stats {
	size_t size;		/* in: sizeof(leat_stats) */
	uint64_t spawned;	/* tasks */
	uint64_t ended;
	uint64_t refused;	/* spawns that returned -ENOMEM */
	uint64_t parked;	/* times a task blocked */
	uint64_t switches;	/* stack switches */
	uint64_t steals;	/* tasks taken from another worker */
	uint64_t wakes;		/* sleeping workers woken */
	uint64_t sleeps;	/* times a worker went to sleep */
	uint64_t timers;	/* timers fired */
	uint64_t stacks;	/* stacks that exist now */
	uint64_t stacks_in_use;	/* by blocked or running tasks */
	uint64_t workers;
	uint64_t blocking_threads; /* of leat_blocking, that exist now */
	uint64_t blocking_calls; /* that run on them now */
	uint64_t blocking_queued; /* that wait for one */
	/* Workers in one task for more than 10 ms: it computes, or blocks the thread. */
	uint64_t stuck;		/* times that one was found so */
	uint64_t stuck_now;
	uint64_t spares;	/* workers that were started to stand in for them */
	char stuck_task[32];	/* the name of the last such task, cut; "": none */
} leat_stats;

LEAT_BEGIN_DECLS

/*
 * Writes to fd every task with its name, id, group, state, what it waits for,
 * since when and in which function of yours (not where libleat.a is linked in; gdb
 * knows, see gdb/leat-gdb.py); then the workers, the threads outside and the
 * counters.  Tasks that run while it writes may be shown in an older state.
 * Safe in a signal handler; keeps errno.  Uses two file descriptors while it runs.
 * Returns 0, -EINVAL when no runtime runs, -EMFILE or -ENFILE without descriptors (nothing is
 * written then), or a negative errno of write(2).
 */
LEAT_API int leat_dump(int fd);

/* Fills *stats up to stats->size.  Returns 0, or -EINVAL when no runtime runs. */
LEAT_API int leat_stats_get(leat_stats *stats);

LEAT_END_DECLS

#endif
