/*
 * What groups with options have beyond a scope (src/rt/scope.h).
 *
 * A group with limit, results, any-succeeds or without an owner is a slow scope:
 * its tasks are counted under the scope's lock.  The order in which a task of
 * it ends matters:
 *	E1 its outcome: first error or first success, which may cancel the group
 *	E2 under the lock: its result, its place under the limit, the count; the release
 *	   of the lock is the last touch of the group's memory
 *	E3 wake the spawner that got the place, and the waiters
 * E1 before E2, so that no spawner gets a place in a group that is about to be
 * cancelled, and a wait that sees the count sees the outcome.
 *
 * Limit.  running places are taken.  Invariant, under the lock: while a spawner
 * waits, there is no place.  A place that becomes free is given to the first
 * spawner whose claim succeeds, so nobody overtakes, and a spawner that gives up
 * has either not been given a place, or has it and goes on.
 */
#ifndef LEAT_SYNC_GROUP_H
#define LEAT_SYNC_GROUP_H

#include "rt/park.h"

enum { LEAT__RESULT_CHUNKS = 30, LEAT__RESULTS_FIRST = 4 };

/*
 * Slots in chunks of doubling size, so that they never move.  Behind a chunk's
 * slots is an array of marks: in the order of submission the mark of slot i is
 * whether its task succeeded; in the order of completion mark n is the slot of
 * the n-th that did.
 */
struct leat__results {
	size_t size;		/* (c) of a result; 0: none wanted */
	size_t stride;		/* (c) of a slot */
	bool as_completed;	/* (c) */
	uint32_t reserved;	/* (L) slots given to tasks */
	uint32_t stored;	/* (L) of these, tasks that succeeded */
	uint32_t next;		/* what leat_group_results looks at next */
	char *chunk[LEAT__RESULT_CHUNKS]; /* (L) written once, before its slots are given out */
};

/* See group_deadline.c. */
struct leat__deadline {
	struct leat__timer timer;
	struct leat__scope *scope; /* (c) */
	struct leat__task *task; /* (c) the record that the timer makes ready; NULL: no deadline */
	uint32_t state;		/* (a) */
	uint32_t refs;		/* (a) of the ext: the group, and the task once it is ready */
};

/* L is the scope's lock. */
struct leat__group_ext {
	bool has_limit;		/* (c) */
	int64_t limit;		/* (L) 0: none; < 0: no task may start */
	int64_t running;	/* (L) places taken */
	struct leat__results results;
	struct leat__deadline deadline;
};

/* group.c: the scope of a group that is alive; else the program is stopped. */
struct leat__scope *leat__group_check(const char *function, const leat_group *group);

/* group.c: under the lock, one more task of a slow scope. */
void leat__group_enter(struct leat__scope *s);
/* E2 and E3 of what was entered and leaves without an outcome. */
void leat__group_leave(struct leat__scope *s);
/* E2 without result; under the lock. */
void leat__group_leave_locked(struct leat__scope *s, struct leat__wake *wake);

/* group_limit.c: takes a place and counts a task; see spawn.h. */
int leat__limit_admit(struct leat__scope *s, const leat_task_options *options,
		      uint32_t *ret_result_index);
/* Gives free places to spawners; under the lock. */
void leat__limit_grant(struct leat__scope *s, struct leat__wake *wake);

/* group_results.c: a slot for one more task; 0 or -ENOMEM. */
int leat__results_reserve(struct leat__scope *s, uint32_t *ret_index);
/* The task of slot index has succeeded; under the lock. */
void leat__results_store(struct leat__results *results, uint32_t index);
void leat__results_fini(struct leat__results *results);

/* group_deadline.c: 0 or -ENOMEM. */
int leat__deadline_set(struct leat__scope *s, int64_t when);
/* Afterwards nobody but the caller uses s because of its deadline.  Frees ext. */
void leat__deadline_end(struct leat__group_ext *ext);

#endif
