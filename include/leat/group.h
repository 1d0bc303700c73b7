/*
 * Groups own tasks: wait-group, errgroup and context in one.
 *
 *	leat_group group;
 *
 *	leat_group_init(&group, NULL);
 *	for (int i = 0; i < 3; i++)
 *		leat_go_in(&group, worker, i, jobs);
 *	r = leat_group_wait(&group);		// joins all, the first error
 *	leat_group_release(&group);
 *
 * A group is a child of the group that its creator runs in (of the root
 * group, outside a task), so cancelling a group cancels everything below it.
 * Cancelling is a request: blocking calls of the group's tasks return
 * -ECANCELED from then on, and the tasks unwind themselves.
 *
 * Threads: any task or thread may spawn into, cancel and look at a group
 * that it knows to be alive.  The creating task or thread is the owner.  Others
 * may wait, too; for them the group is complete when its owner waits or has
 * waited since the last spawn, and every task has ended.  A group made with .shared
 * has no owner.
 */
#ifndef LEAT_GROUP_H
#define LEAT_GROUP_H

#include <leat/base.h>

enum leat_join {
	LEAT_JOIN_ALL_SUCCEED = 0, /* fail-fast: the first error cancels the rest */
	LEAT_JOIN_ALL_DONE,	/* isolate: one task's error does not touch the others */
	LEAT_JOIN_ANY_SUCCEEDS,	/* the first success cancels the rest; all failed: first error */
};

enum leat_result_order {
	LEAT_AS_SUBMITTED = 0,
	LEAT_AS_COMPLETED,
};

typedef struct leat_group_options {
	size_t size;		/* sizeof(leat_group_options) */
	enum leat_join join;
	int64_t limit;		/* at most so many at once; 0: no limit; < 0: none may start */
	int64_t deadline;	/* cancel with -ETIMEDOUT at this time; 0: none */
	size_t result_size;	/* bytes of each task's result; 0: no results */
	enum leat_result_order order;
	leat_group *parent;	/* NULL: the group of the running task */
	const char *name;	/* in dumps; must outlive the group */
	bool shared;		/* no owner; spawns cost an atomic operation each */
	bool detached_from_cancel; /* shielded: cancelling the parent does not reach it */
} leat_group_options;

#define LEAT_GROUP_OPTIONS(...) LEAT__OPTIONS(leat_group_options, __VA_ARGS__)

struct leat_group {
	uint64_t _private[24];	/* struct leat__scope, src/rt/scope.h */
};

LEAT_BEGIN_DECLS

/*
 * Makes a group in the caller's memory; options may be NULL.  Returns 0, or
 * -ENOMEM (only with limit, deadline or results), -EINVAL (no runtime runs).
 * After 0, leat_group_wait and leat_group_release are owed.  Never blocks.
 */
LEAT_API int leat_group_init(leat_group *group, const leat_group_options *options);

/*
 * Blocks until every task of the group has ended; runs some of them itself.
 * When the caller is cancelled meanwhile, the group is, too (it is below the
 * caller's), and the wait goes on.  Afterwards tasks may be spawned again,
 * unless the group was cancelled.
 *
 * Returns 0, or the group's error: of all-succeed the first task's that
 * failed; of any-succeeds the first error if none succeeded (-ENOENT if there
 * was no task); of all-done the first error; -ETIMEDOUT after its deadline; the cause
 * given to leat_group_cancel, for it or for one above it.  What comes first counts: the
 * errors of tasks that end after the cancel, -ECANCELED or others, do not, nor, of
 * any-succeeds, does a success.
 *
 * A task of the group must not wait for it: the program is stopped.
 */
LEAT_API int leat_group_wait(leat_group *group);

/*
 * As leat_group_wait, but returns -EAGAIN at the deadline if tasks still run;
 * the group goes on, and must be waited for again.  Does not run tasks itself.
 */
LEAT_API LEAT_MUST_CHECK int leat_group_wait_until(leat_group *group, int64_t deadline);

/*
 * Ends the use of the memory.  All tasks must have been waited for, all waits of
 * others have returned, and the groups below it been released; else the program
 * is stopped.  Results that were not taken are dropped.  Never blocks.
 */
LEAT_API void leat_group_release(leat_group *group);

/*
 * Cancels the group and all groups below it; cause is a negative error and
 * becomes the group's error if it has none (0: -ECANCELED).  Idempotent: the
 * first cause stays.  Never blocks; the tasks end in their own time.
 */
LEAT_API void leat_group_cancel(leat_group *group, int cause);
LEAT_API bool leat_group_is_cancelled(const leat_group *group);

/*
 * The group's first error so far (0: none), why: the name of the task that
 * returned it (NULL: cancelled from outside).  leat_group_error may be called
 * at any time; the name is valid as long as the task's type or name is.
 */
LEAT_API int leat_group_error(const leat_group *group, const char **ret_task_name);

/* The number of tasks that were spawned and have not ended, or only just have; a snapshot. */
LEAT_API int64_t leat_group_live(const leat_group *group);

/*
 * Changes the limit while the group is in use.  Tasks that run are not
 * stopped; a raised limit lets blocked spawners go on.  Only for a group made
 * with a limit.
 */
LEAT_API void leat_group_set_limit(leat_group *group, int64_t limit);

/* The group that the running task belongs to; the root group outside a task. */
LEAT_API leat_group *leat_group_current(void);
LEAT_API leat_group *leat_group_root(void);

/*
 * Results.  Inside a task of a group with result_size: where to write its result,
 * zeroed at first, aligned to 16; it counts if the task returns 0 (any-succeeds: the
 * first task that does).
 */
LEAT_API void *leat_group_result_slot(void);

/*
 * After the wait: copies up to max results to results, in the group's order,
 * tasks that failed left out.  Returns how many.  Each result is given once; the next
 * call goes on behind it.  Typed: leat_results(group, array, max) checks at run
 * time that the element has the group's result_size.
 */
LEAT_API size_t leat_group_results(leat_group *group, void *results, size_t elem_size,
				   size_t max);
#define leat_results(group, array, max) \
	leat_group_results((group), (array), sizeof((array)[0]), (max))

LEAT_END_DECLS

#endif
