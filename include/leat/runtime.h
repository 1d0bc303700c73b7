/*
 * Start and stop of the runtime, and what a program that embeds it can set.
 *
 * A program:	LEAT_MAIN(int argc, char **argv) { ...; return 0; }
 * A library:	r = leat_run(NULL, fn, arg);
 *
 * As a guest leat installs no signal handler, changes no inherited file
 * descriptor, and can be started and stopped any number of times.
 */
#ifndef LEAT_RUNTIME_H
#define LEAT_RUNTIME_H

#include <stdarg.h>
#include <leat/base.h>

/*
 * Memory hooks.  alloc returns size bytes aligned to align (a power of two up
 * to 4096), or NULL; release gets the same size.  Called from any thread,
 * with no leat lock held; must not call leat.
 */
typedef struct leat_allocator {
	void *(*alloc)(void *ctx, size_t size, size_t align);
	void (*release)(void *ctx, void *ptr, size_t size);
	void *ctx;
} leat_allocator;

typedef struct leat_options {
	size_t size;		/* sizeof(leat_options); LEAT_OPTIONS sets it */
	/*
	 * 0: LEAT_WORKERS, else affinity and cgroup quota.  1 is no lock: while a task keeps its
	 * worker for more than 10 ms without a call of leat, a spare one runs the others.
	 */
	int workers;
	leat_allocator allocator; /* all NULL: malloc */
	/* One line of text without newline; NULL: stderr.  Any thread; must not call leat. */
	void (*log)(void *ctx, const char *line);
	void *log_ctx;
	/*
	 * On each worker thread, first thing and last thing.  Must not block.  Spare workers, which
	 * stand in for those that are stuck in a task, have numbers from leat_workers() on.
	 */
	void (*worker_start)(void *ctx, int worker);
	void (*worker_stop)(void *ctx, int worker);
	void *hook_ctx;
	uint64_t sim_seed;	/* not 0: simulate (leat/sim.h) */
	bool abort_on_deadlock;	/* true: report and abort; false: leat_run returns -EDEADLK */
	int blocking_threads;	/* the most that leat_blocking may start; 0: 64 */
} leat_options;

#define LEAT_OPTIONS(...) LEAT__OPTIONS(leat_options, __VA_ARGS__)

LEAT_BEGIN_DECLS

/*
 * Runs fn(arg) as the main task and blocks the calling thread, which serves as
 * worker 0, until fn has returned and every task of the root group has ended:
 * when fn returns, the root group is cancelled and joined.  options may be
 * NULL.  One runtime a process at a time.
 *
 * Returns what fn returned; or, when the runtime could not start,
 * -ENOMEM, -EAGAIN (no thread), -EBUSY (a runtime is running), -EINVAL (an
 * option or LEAT_WORKERS is bad; the log says which); or -EDEADLK when every
 * task waits for another and options->abort_on_deadlock is false.  After
 * -EDEADLK the blocked tasks' stacks are gone and what they owned is leaked.
 */
LEAT_API LEAT_MUST_CHECK int leat_run(const leat_options *options,
				      int (*fn)(void *arg), void *arg);

/* The number of workers of the running runtime; 0 when none runs. */
LEAT_API int leat_workers(void);

/*
 * Attach the calling thread, which is not a worker: while it is attached and
 * not blocked inside leat, no deadlock is declared, because it may still wake
 * a task.  A thread is attached by its first blocking leat call and detached
 * when it ends; call leat_thread_attach earlier if tasks may depend on it
 * before.  Returns 0 or -ENOMEM.  leat_thread_detach is idempotent.
 */
LEAT_API int leat_thread_attach(void);
LEAT_API void leat_thread_detach(void);

/* What LEAT_MAIN expands to; also dumps all tasks on SIGQUIT and reports stack overflows. */
LEAT_API int leat_main_run(int (*user_main)(int argc, char **argv), int argc, char **argv);

LEAT_END_DECLS

/*
 * Defines main().  The body runs as the main task; its return value is the
 * exit status.  On SIGQUIT the program dumps its tasks to stderr and goes on; a
 * deadlock is reported and aborts; a stack overflow is reported by task name.
 */
#define LEAT_MAIN(...)                                                        \
	static int leat__user_main(int argc, char **argv);                    \
	int main(int leat__argc, char **leat__argv)                           \
	{                                                                     \
		return leat_main_run(leat__user_main, leat__argc, leat__argv); \
	}                                                                     \
	static int leat__user_main(__attribute__((unused)) int argc,          \
				   __attribute__((unused)) char **argv)

#endif
