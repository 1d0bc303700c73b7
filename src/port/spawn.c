/*
 * Child processes.
 *
 * clone(CLONE_VM | CLONE_VFORK): the child runs in our memory on a stack of its own
 * while the calling thread waits, until it has called execve or _exit; so the start takes as
 * long in a large program as in a small one.
 *
 * What runs in the child is bare: system calls without the libc's functions around
 * them, which keep books that are the parent's (sanitizers, too, wrap those), no locks, no
 * allocation.  Its signals are blocked until no handler is left.
 */
#include "port/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "port/sys.h"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
enum { P_PIDFD_ = 3, CLOSE_RANGE_CLOEXEC_ = 4, SIGNALS = 64, KERNEL_SIGSET = 8 };

/* TSan's clone takes every child for a forked one; this is the same without TSan. */
#ifdef LEAT__TSAN
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
#define clone __clone
#endif

/* A function that does not return would leave an entry in the sanitizers' stacks. */
#if defined(__clang__) && __has_attribute(disable_sanitizer_instrumentation)
#define BARE __attribute__((noinline, disable_sanitizer_instrumentation, \
			    no_sanitize("address", "thread", "undefined")))
#elif defined(__clang__)
#define BARE __attribute__((noinline, no_sanitize("address", "thread", "undefined")))
#else
#define BARE __attribute__((noinline, no_sanitize("address,thread,undefined")))
#endif

/* struct sigaction as the kernel has it; all zero: SIG_DFL. */
struct kernel_action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

/* An ignored signal would stay so over the exec, a handler would run in the parent's memory. */
BARE static void default_signals(void)
{
	struct kernel_action action = { 0 };

	for (int sig = 1; sig <= SIGNALS; sig++)
		syscall(SYS_rt_sigaction, sig, &action, NULL, KERNEL_SIGSET);
}

BARE static int bind_to_parent(const struct leat__spawn *s)
{
	int64_t r = LEAT__SYS(syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));

	if (r < 0)
		return (int)r;
	/* It may have died before that. */
	return syscall(SYS_getppid) == s->parent ? 0 : -ESRCH;
}

BARE static int set_limits(const struct leat__spawn *s)
{
	for (size_t i = 0; i < s->nlimits; i++) {
		uint64_t limit[2] = { s->limits[i].soft, s->limits[i].hard };
		int64_t r = LEAT__SYS(syscall(SYS_prlimit64, 0, s->limits[i].resource, limit,
					      NULL));

		if (r < 0)
			return (int)r;
	}
	return 0;
}

/* Kernels before 5.11 cannot do it in one call. */
BARE static int cloexec_from(unsigned first)
{
	uint64_t limit[2] = { 0, 0 };
	int64_t r = LEAT__SYS(syscall(SYS_close_range, first, ~0u, CLOSE_RANGE_CLOEXEC_));

	if (r != -ENOSYS && r != -EINVAL)
		return (int)r;
	r = LEAT__SYS(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, limit));
	if (r < 0)
		return (int)r;
	for (uint64_t fd = first; fd < limit[0] && fd < INT_MAX; fd++)
		syscall(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

/* Moves *fd above all numbers that will be overwritten. */
BARE static int move_up(int *fd, int above)
{
	int64_t r;

	if (*fd < 0 || *fd > above)
		return 0;
	r = LEAT__SYS(syscall(SYS_fcntl, *fd, F_DUPFD_CLOEXEC, above + 1));
	if (r < 0)
		return (int)r;
	*fd = (int)r;
	return 0;
}

BARE static int arrange_fds(struct leat__spawn *s)
{
	int above = 2, r = cloexec_from(s->flags & LEAT__SPAWN_SESSION ? 0 : 3);

	for (size_t i = 0; i < s->nfds; i++)
		if (s->fds[i].to > above)
			above = s->fds[i].to;
	if (r == 0)
		r = move_up(&s->image, above);
	for (size_t i = 0; i < s->nfds && r == 0; i++)
		r = move_up(&s->fds[i].from, above);
	for (size_t i = 0; i < s->nfds && r == 0; i++) {
		int64_t fd = LEAT__SYS(syscall(SYS_dup3, s->fds[i].from, s->fds[i].to, 0));

		r = fd < 0 ? (int)fd : 0;
	}
	return r;
}

BARE static int set_up(struct leat__spawn *s)
{
	const uint64_t blocked = s->flags & LEAT__SPAWN_SESSION ? ~UINT64_C(0) : 0;
	int64_t r = 0;

	default_signals();
	if (s->timer_slack > 0)
		syscall(SYS_prctl, PR_SET_TIMERSLACK, s->timer_slack, 0, 0, 0);
	if (s->flags & LEAT__SPAWN_SESSION)
		r = LEAT__SYS(syscall(SYS_setsid));
	else if (s->flags & LEAT__SPAWN_GROUP)
		r = LEAT__SYS(syscall(SYS_setpgid, 0, 0));
	if (r >= 0 && s->enter) {
		int pid = (int)syscall(SYS_getpid);

		leat__store_release(s->enter, s->flags & LEAT__SPAWN_GROUP ? -pid : pid);
	}
	if (r >= 0 && (s->flags & LEAT__SPAWN_BOUND))
		r = bind_to_parent(s);
	if (r >= 0)
		r = arrange_fds(s);
	if (r >= 0 && s->cwd)
		r = LEAT__SYS(syscall(SYS_chdir, s->cwd));
	/* Last: they may forbid what went before. */
	if (r >= 0)
		r = set_limits(s);
	if (r >= 0)
		r = LEAT__SYS(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, NULL,
				      KERNEL_SIGSET));
	return r < 0 ? (int)r : 0;
}

/* The next directory of *path and file, in to; false: there is none. */
BARE static bool join_path(const char **path, const char *file, char to[PATH_MAX])
{
	size_t n = 0;

	if (!*path)
		return false;
	for (; **path && **path != ':'; ++*path)
		if (n < PATH_MAX - 1)
			to[n++] = **path;
	*path = **path ? *path + 1 : NULL;
	if (n > 0 && n < PATH_MAX - 1)
		to[n++] = '/';
	for (; *file && n < PATH_MAX - 1; file++)
		to[n++] = *file;
	to[n] = '\0';
	if (*file)
		to[0] = '\0'; /* too long: no such file */
	return true;
}

BARE static bool has_slash(const char *file)
{
	for (; *file; file++)
		if (*file == '/')
			return true;
	return false;
}

BARE static int exec(const struct leat__spawn *s)
{
	const char *path = s->path;
	char name[PATH_MAX];
	int r = -ENOENT, one;

	if (s->image >= 0)
		return (int)LEAT__SYS(syscall(SYS_execveat, s->image, "", s->argv, s->env,
					      AT_EMPTY_PATH));
	if (!path || has_slash(s->file))
		return (int)LEAT__SYS(syscall(SYS_execve, s->file, s->argv, s->env));
	while (s->file[0] && join_path(&path, s->file, name)) {
		one = (int)LEAT__SYS(syscall(SYS_execve, name, s->argv, s->env));
		if (one != -ENOENT && one != -ENOTDIR && one != -EACCES)
			return one;
		/* One that may not be run is worth more than none, if no other is found. */
		if (one == -EACCES)
			r = one;
	}
	return r;
}

BARE static int child(void *arg)
{
	struct leat__spawn *s = arg;
	int r = set_up(s);

	if (r == 0)
		r = exec(s);
	s->error = r;
	syscall(SYS_exit_group, 127);
	return 127;
}

int leat__spawn_supported(void)
{
	siginfo_t info;
	int64_t r = LEAT__SYS(syscall(SYS_waitid, P_PIDFD_, INT_MAX, &info, WEXITED | WNOHANG,
				      NULL));

	/* An old kernel does not know P_PIDFD, a new one not the descriptor. */
	return r == -EINVAL ? -ENOSYS : r == -EBADF ? 0 : (int)r;
}

int leat__spawn(struct leat__spawn *s, void *stack, size_t size)
{
	const int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
	struct leat__exit ignored;
	sigset_t all, old;
	int64_t pid;

	s->parent = getpid();
	s->error = 0;
	s->pidfd = -1;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = LEAT__SYS(clone(child, (char *)stack + size, flags, s, &s->pidfd));
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		return pid == -EINVAL ? -ENOSYS : (int)pid;
	s->pid = (int)pid;
	if (s->error == 0)
		return 0;
	if (s->enter)
		leat__store_release(s->enter, 0);
	leat__reap(s->pidfd, true, &ignored);
	close(s->pidfd);
	return s->error;
}

static int64_t ns_of(struct timeval t)
{
	return (int64_t)t.tv_sec * 1000000000 + (int64_t)t.tv_usec * 1000;
}

int leat__reap(int pidfd, bool block, struct leat__exit *ret_exit)
{
	siginfo_t info = { .si_pid = 0 };
	struct rusage usage = { 0 };
	int64_t r;

	do
		r = LEAT__SYS(syscall(SYS_waitid, P_PIDFD_, pidfd, &info,
				      WEXITED | (block ? 0 : WNOHANG), &usage));
	while (r == -EINTR);
	if (r < 0)
		return (int)r;
	if (info.si_pid == 0)
		return -EAGAIN;
	*ret_exit = (struct leat__exit){
		.code = info.si_code == CLD_EXITED ? info.si_status : -1,
		.signal = info.si_code == CLD_EXITED ? 0 : info.si_status,
		.core = info.si_code == CLD_DUMPED,
		.user_ns = ns_of(usage.ru_utime),
		.system_ns = ns_of(usage.ru_stime),
		.memory_max = (int64_t)usage.ru_maxrss * 1024,
	};
	return 0;
}

int leat__kill(int target, int sig)
{
	return (int)LEAT__SYS(kill(target, sig));
}

int leat__kill_child(int pidfd, int sig)
{
	return (int)LEAT__SYS(syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0));
}
