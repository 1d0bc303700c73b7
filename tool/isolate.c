/*
 * Three processes: the outer one, which leat knows, waits; the first of the namespace, with whose
 * end the kernel kills all the others there; and the job.  The outer one dies: so does the first
 * (PR_SET_PDEATHSIG).  The first tells the outer one by a pipe how the job has ended, since it
 * cannot die by a signal itself.
 */
#include "isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "message.h"

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	close(fd);
	return r;
}

/* Who is not root needs a namespace of users, too, in which nothing is changed but that. */
static int enter_users(void)
{
	unsigned uid = geteuid(), gid = getegid();
	char map[64];
	int r;

	if (uid == 0)
		return 0;
	if (unshare(CLONE_NEWUSER) < 0)
		return -errno;
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	r = write_file("/proc/self/uid_map", map);
	if (r == 0)
		r = write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	return r == 0 ? write_file("/proc/self/gid_map", map) : r;
}

static int enter(void)
{
	int r = enter_users();

	if (r == 0 && unshare(CLONE_NEWPID) < 0)
		r = -errno;
	return r;
}

int isolate_check(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(-enter());
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EPERM;
}

static void run_job(char **argv)
{
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	execvp(argv[0], argv);
	message("cannot run %s: %s", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* The first of the namespace: also the parent of all that lose theirs. */
__attribute__((noreturn)) static void run_first(char **argv, int tell)
{
	int status = 0;
	pid_t job, pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	job = fork();
	if (job == 0)
		run_job(argv);
	do
		pid = job < 0 ? -1 : waitpid(-1, &status, 0);
	while (pid >= 0 ? pid != job : job >= 0 && errno == EINTR);
	if (job < 0)
		message("--isolate: %s", strerror(errno));
	else if (write(tell, &status, sizeof(status)) < 0)
		_exit(126);
	_exit(0);
}

static int end_as(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	signal(WTERMSIG(status), SIG_DFL);
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

int isolate_main(int argc, char **argv)
{
	int r = enter(), status, fd[2];
	pid_t first;

	if (argc < 2)
		die("isolate: there is no command; this is for --isolate of leat map");
	if (r == 0 && pipe2(fd, O_CLOEXEC) < 0)
		r = -errno;
	if (r < 0)
		die("--isolate: %s", strerror(-r));
	/* They are the job's; how it takes them is what counts. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	first = fork();
	if (first < 0)
		die("--isolate: %s", strerror(errno));
	if (first == 0)
		run_first(argv + 1, fd[1]);
	close(fd[1]);
	while (waitpid(first, NULL, 0) < 0 && errno == EINTR)
		;
	if (read(fd[0], &status, sizeof(status)) != sizeof(status))
		return 126; /* it was killed before it could tell */
	return end_as(status);
}
