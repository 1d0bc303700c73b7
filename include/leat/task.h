/*
 * Tasks: functions that run concurrently, on all cores, at ~10 ns a spawn.
 *
 *	LEAT_TASK(worker, (int, id), (leat_chan(int), jobs))
 *	{
 *		leat_range(job, jobs)
 *			printf("worker %d: %d\n", id, job);
 *	}
 *	...
 *	leat_go(worker, 1, jobs);		// in the root group
 *	leat_go_in(&group, worker, 2, jobs);	// in a group, see leat/group.h
 *	worker(3, jobs);			// it is a plain function, too
 *
 * A task that never blocks runs on its worker's stack and costs no stack and
 * no switch.  A task that blocks keeps the stack it stands on (64 KiB), and its
 * worker goes on on another.  A task may go on in another thread after any
 * call that blocks, unless it is pinned; so it must not keep the address of a
 * thread-local variable (errno!) or hold a pthread mutex across such a call:
 * docs/thread-local.md.
 *
 * Happens-before: the spawn before the task's first statement; the task's
 * last statement before the return of the wait on its group.
 */
#ifndef LEAT_TASK_H
#define LEAT_TASK_H

#include <leat/base.h>
#include <leat/detail/macros.h>

/*
 * LEAT_TASK(name, (type, argument)...): a task function that returns nothing.
 * LEAT_TASK_ERR(name, (type, argument)...): one that returns 0 or a negative
 * error, which becomes its group's error.  Up to 8 arguments of any copyable
 * type, together at most LEAT_ARGS_MAX bytes; they are copied at the spawn.
 * Wrong types do not compile.  The function is static.
 */
#define LEAT_TASK(...) LEAT__TASK(void, LEAT__RUN_VOID, __VA_ARGS__)
#define LEAT_TASK_ERR(...) LEAT__TASK(int, LEAT__RUN_INT, __VA_ARGS__)

/*
 * leat_go(task, arguments...): spawns task in the root group.
 * leat_go_in(group, task, arguments...): in a group.
 * leat_go_with(group, options, task, arguments...): with leat_task_options.
 *
 * The arguments are copied.  Blocks only when the group's limit is reached,
 * until another of its tasks ends; else may yield, so that a storm of spawns
 * stays in cache.
 *
 * Return 0, or an error and the task will not run: -ENOMEM, -ECANCELED (the
 * group is cancelled, or the caller is while it waits for the limit).  An
 * -ENOMEM also becomes the group's error, so that it arrives even where the
 * return value is not looked at.
 */
#define leat_go(...) LEAT__GO(((leat_group *)0), ((const leat_task_options *)0), __VA_ARGS__)
#define leat_go_in(group, ...) LEAT__GO((group), ((const leat_task_options *)0), __VA_ARGS__)
#define leat_go_with(group, options, ...) LEAT__GO((group), (options), __VA_ARGS__)

#define LEAT_ARGS_MAX 128

typedef struct leat_task_options {
	size_t size;		/* sizeof(leat_task_options) */
	const char *name;	/* in dumps; must outlive the task; NULL: the function's name */
	size_t stack_size;	/* bytes; 0: run on the worker's stacks (64 KiB) */
	bool pinned;		/* always run on the spawning task's worker */
	bool try_only;		/* limit reached: return -EAGAIN instead of blocking */
	int64_t limit_deadline;	/* how long to wait for the limit: then -ETIMEDOUT; 0: forever */
} leat_task_options;

#define LEAT_TASK_OPTIONS(...) LEAT__OPTIONS(leat_task_options, __VA_ARGS__)

/* What LEAT_TASK makes of a task function; for leat_spawn. */
typedef struct leat_task_type {
	const char *name;
	int (*run)(void *args);	/* args: the task's own copy */
	size_t args_size;	/* at most LEAT_ARGS_MAX */
} leat_task_type;

LEAT_BEGIN_DECLS

/*
 * The call under leat_go, for generated code and other languages: spawns
 * type->run with a copy of args (aligned to 16).  type must outlive the task.
 * group NULL: root.  options may be NULL.  Returns as leat_go.
 */
LEAT_API int leat_spawn(leat_group *group, const leat_task_type *type, const void *args,
			const leat_task_options *options);

/* Lets other runnable tasks run first.  Returns 0, or -ECANCELED (it yields all the same). */
LEAT_API int leat_yield(void);

/* The running task's id, never reused; 0 outside a task. */
LEAT_API uint64_t leat_task_id(void);

/* The running task's name, and a new one for it (must outlive the task).  Task only. */
LEAT_API const char *leat_task_name(void);
LEAT_API void leat_task_set_name(const char *name);

/*
 * True when the running task has been cancelled: its group, or one above it.
 * For loops that compute; every blocking call looks by itself.  False while
 * shielded and outside a task.
 */
LEAT_API bool leat_cancelled(void);

/*
 * Between the two calls the running task is not cancelled: blocking calls in
 * clean-up code work.  They nest.  Task only.
 */
LEAT_API void leat_shield_begin(void);
LEAT_API void leat_shield_end(void);

/*
 * Between the two calls parking is a broken contract: the program is stopped, in every
 * build, with the names of the task and of the call that would have parked.  A call that
 * need not park is fine.  For code that holds a thread's lock or uses thread-local state, and
 * for callbacks of libraries that do (libcurl, SQLite, qsort).  They nest.  Task only.
 */
LEAT_API void leat_no_park_begin(void);
LEAT_API void leat_no_park_end(void);

/*
 * Task-local values.  A key is made once, for all tasks; drop (may be NULL) is
 * called with a task's value, if not NULL, when the task ends.  At most 16
 * keys.  leat_local_key_create returns 0, -ENOMEM or -EAGAIN (too many);
 * leat_local_set 0 or -ENOMEM.  leat_local_get gives NULL where nothing was
 * set.  get and set: task only.
 */
typedef struct leat_local_key {
	uint32_t _index;
} leat_local_key;

LEAT_API LEAT_MUST_CHECK int leat_local_key_create(leat_local_key *ret_key,
						   void (*drop)(void *value));
LEAT_API LEAT_MUST_CHECK int leat_local_set(leat_local_key key, void *value);
LEAT_API void *leat_local_get(leat_local_key key);

/*
 * Fork-join for divide and conquer: the record is on the caller's stack, the
 * child is run by whichever worker is free, or by leat_join itself.
 *
 *	leat_forked left;
 *	leat_fork(&left, fib, n - 1, &a);
 *	fib(n - 2, &b);
 *	leat_join(&left);
 *
 * Each fork must be joined by the same task, in reverse order, before the
 * record goes out of scope.  The child belongs to the caller's group and is
 * cancelled with it; its return value comes from leat_join.  Arguments: at
 * most LEAT_FORK_ARGS_MAX bytes.  Task only.  leat_fork never fails;
 * leat_join blocks until the child has ended and ignores cancellation.
 */
#define LEAT_FORK_ARGS_MAX 64

typedef struct leat_forked {
	uint64_t _private[24];	/* a task, see src/rt/task.h; args at the end */
} __attribute__((aligned(16))) leat_forked;

#define leat_fork(forked, ...) LEAT__FORK((forked), __VA_ARGS__)
LEAT_API void leat__fork_push(leat_forked *forked, const leat_task_type *type);
LEAT_API void *leat__fork_args(leat_forked *forked);
LEAT_API int leat_join(leat_forked *forked);

LEAT_END_DECLS

#endif
