/*
 * Child processes.
 *
 *	leat_process *p;
 *	leat_process_result result;
 *
 *	r = leat_process_start(&p, LEAT_PROCESS_OPTIONS(
 *		.argv = (const char *const[]){ "sort", "-u", NULL },
 *		.search = true,
 *		.in = { LEAT_STDIO_PIPE }, .out = { LEAT_STDIO_PIPE }));
 *	... leat_write_all(leat_process_stdin(p), ...); leat_read(leat_process_stdout(p), ...) ...
 *	r = leat_process_wait(p, &result, leat_in(5 * LEAT_S));
 *	leat_process_release(p);
 *
 * A start takes as long in a large program as in a small one: no memory is
 * copied.  The child begins with no signal blocked, all dispositions as they are by default
 * (SIGPIPE, too), and no descriptor but 0, 1, 2 and those it was given.
 *
 * No child outlives the program by accident: it is killed by the kernel when the program
 * ends, and its process group by a guardian, a small process that the first start makes and
 * that ends with the runtime.  A child that is to live on must leave its group (setsid(1))
 * and its parent, as daemons do.  A group is known only as long as its process has not been
 * waited for: what a program that has ended leaves running (sh -c 'sleep 60 &') lives on.
 * The guardian is executed from a file in memory; where the system forbids that
 * (vm.memfd_noexec=2), from one without a name in /dev/shm, /tmp or /var/tmp.  If all of them
 * are mounted noexec, a start returns -EACCES.
 *
 * leat waits for its own children only, by descriptor; it installs no handler of SIGCHLD.
 * A program that ignores SIGCHLD or calls waitpid(-1) takes their results away: a wait
 * then returns -ECHILD.  Linux 5.4 or later; before it a start returns -ENOSYS.  Under
 * simulation a start stops the program, unless LEAT_SIM_REAL=1.
 */
#ifndef LEAT_PROCESS_H
#define LEAT_PROCESS_H

#include <leat/io.h>

typedef struct leat_process leat_process;

enum leat_stdio_kind {
	LEAT_STDIO_INHERIT = 0,	/* what the program has */
	LEAT_STDIO_NULL,	/* /dev/null */
	LEAT_STDIO_PIPE,	/* a stream: leat_process_stdin and so on */
	LEAT_STDIO_FD,		/* .fd, which stays the caller's */
	LEAT_STDIO_STDOUT,	/* err only: where out goes */
};

typedef struct leat_stdio {
	enum leat_stdio_kind kind;
	int fd;
} leat_stdio;

/* `from` of the program is `to` of the child, to > 2. */
typedef struct leat_process_fd {
	int to, from;
} leat_process_fd;

/* See setrlimit(2); UINT64_MAX: no limit. */
typedef struct leat_process_limit {
	int resource;		/* RLIMIT_... */
	uint64_t soft, hard;
} leat_process_limit;

typedef struct leat_process_options {
	size_t size;		/* sizeof(leat_process_options) */
	const char *const *argv; /* ends with NULL; argv[0] is the program unless file is set */
	const char *file;	/* the program; NULL: argv[0] */
	bool search;		/* look for it in PATH, if it has no slash */
	const char *const *env;	/* "NAME=value", ends with NULL; NULL: the program's own */
	const char *cwd;	/* NULL: the program's own; file is relative to it */
	leat_stdio in, out, err;
	const leat_process_fd *fds; /* more descriptors */
	size_t nfds;
	const leat_process_limit *limits;
	size_t nlimits;
	/*
	 * Stays in the program's process group, and with it in the terminal's foreground.
	 * Then "the group" below is the child alone.
	 */
	bool same_group;
} leat_process_options;

#define LEAT_PROCESS_OPTIONS(...) LEAT__OPTIONS(leat_process_options, __VA_ARGS__)

typedef struct leat_process_result {
	int code;		/* what it exited with; -1: ended by a signal */
	int signal;		/* that ended it; 0: none */
	bool core;		/* it left a core file */
	int64_t user_ns, system_ns; /* CPU time of it and the children that it waited for */
	int64_t memory_max;	/* bytes of memory in use, at most */
} leat_process_result;

LEAT_BEGIN_DECLS

/*
 * Starts a program.  Blocks the task until it runs, and holds its worker meanwhile, which takes
 * less than a millisecond as a rule; ignores deadlines and cancel, but a task that is cancelled
 * already starts nothing.
 *
 * Returns 0, and *ret_process is the caller's to be released; or -ECANCELED, -ENOMEM, or
 * what the kernel says: -ENOENT (no such program, or no such cwd), -EACCES, -ENOEXEC, -E2BIG,
 * -EAGAIN (RLIMIT_NPROC), -EMFILE, -EBADF (a given descriptor), -EINVAL (a limit), -ENOSYS.
 * On failure there is no child, and nothing is left open.
 */
LEAT_API LEAT_MUST_CHECK int leat_process_start(leat_process **ret_process,
						const leat_process_options *options);

/*
 * Blocks until the process has ended.  Any number of tasks may wait, and again later.
 * Its children may live on, and hold its pipes.  ret_result may be NULL.
 *
 * Returns 0, -ETIMEDOUT, -ECANCELED (the process goes on) or -ECHILD (see above).
 */
LEAT_API int leat_process_wait(leat_process *process, leat_process_result *ret_result,
			       int64_t deadline);

/*
 * Sends a signal to the process, or to its group: itself and its children, unless they
 * have left it.  0; -ESRCH when it has been waited for, -EPERM.
 */
LEAT_API int leat_process_kill(leat_process *process, int sig);
LEAT_API int leat_process_kill_group(leat_process *process, int sig);

/* Its number; another process may have it once it has been waited for. */
LEAT_API int leat_process_pid(const leat_process *process);

/*
 * A descriptor that is readable when the process has ended, for epoll sets of the caller's own; it
 * stays the process's, and is closed by leat_process_release.
 */
LEAT_API int leat_process_pidfd(const leat_process *process);

/*
 * The program's ends of the pipes; none for what is no pipe.  Close stdin to end the
 * child's input.  release closes what is still open.
 */
LEAT_API leat_io leat_process_stdin(const leat_process *process);
LEAT_API leat_io leat_process_stdout(const leat_process *process);
LEAT_API leat_io leat_process_stderr(const leat_process *process);

/*
 * Ends the use of process, by which no call may be going on.  If it still runs, kills its group
 * by SIGKILL and blocks until it has ended, ignoring cancel.  NULL is ignored.
 */
LEAT_API void leat_process_release(leat_process *process);

/* What leat_process_output collects. */
typedef struct leat_output {
	leat_process_result result;
	char *out, *err;	/* with a 0 behind them, which does not count; NULL: no memory */
	size_t out_size, err_size;
	bool out_cut, err_cut;	/* there was more, which was dropped: over the limit, or too late */
	size_t _out_cap, _err_cap;
} leat_output;

/*
 * Runs a program to its end: writes the n bytes of input to its stdin and collects up to limit
 * bytes of each, stdout and stderr, whatever options say of these three, except that
 * LEAT_STDIO_STDOUT joins err to out.  Who reads nothing is fed nothing: no error.
 *
 * When the program has ended, its pipes are read for another second at most: a child of it
 * may hold them for ever.  At the deadline, or a cancel, its group is killed.
 *
 * Returns 0 whatever the program ended with, -ETIMEDOUT or -ECANCELED (*ret_output has what came
 * until then), or as leat_process_start.  Call leat_output_release in every case, while
 * the runtime runs.
 */
LEAT_API LEAT_MUST_CHECK int leat_process_output(leat_output *ret_output,
						 const leat_process_options *options,
						 const void *input, size_t n, size_t limit,
						 int64_t deadline);
LEAT_API void leat_output_release(leat_output *output);

LEAT_END_DECLS

#endif
