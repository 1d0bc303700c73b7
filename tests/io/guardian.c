/*
 * The end of the program is the end of its children, however it ends.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "proc.h"

/* What a program under test tells of itself. */
struct report {
	int error;		/* -ENOSYS: cannot be tested here */
	int child, grandchild, guardian;
};

/* The number that the process writes to its stdout. */
static int read_number(leat_process *p)
{
	char buf[32] = "";

	return leat_read(leat_process_stdout(p), buf, sizeof(buf) - 1, soon()) > 0 ? atoi(buf) : 0;
}

static bool is_guardian(int pid)
{
	char path[64], text[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	return strcmp(text, "leat-guardian") == 0;
}

static int find_guardian(int parent)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	int found = 0;

	REQUIRE(proc != NULL);
	while ((d = readdir(proc)) != NULL) {
		int pid = atoi(d->d_name);

		if (pid > 0 && parent_of(pid) == parent && is_guardian(pid) &&
		    state_of(pid) != 'Z')
			found = pid;
	}
	closedir(proc);
	return found;
}

/* A start returns a moment before the new program has its name. */
static int guardian_of(int parent)
{
	int pid = find_guardian(parent);

	for (int i = 0; i < 5000 && pid == 0; i++) {
		usleep(1000);
		pid = find_guardian(parent);
	}
	return pid;
}

/* A child with a child of its own, which the kernel does not kill with us. */
static int start_family(leat_process **ret_process, struct report *report)
{
	int r = leat_process_start(ret_process,
				   LEAT_PROCESS_OPTIONS(.argv = SH(FAMILY),
							.out = { LEAT_STDIO_PIPE }));

	report->error = r;
	if (r < 0)
		return r;
	report->child = leat_process_pid(*ret_process);
	report->grandchild = read_number(*ret_process);
	report->guardian = guardian_of(getpid());
	return 0;
}

static void tell(int fd, const struct report *report)
{
	REQUIRE(write(fd, report, sizeof(*report)) == (ssize_t)sizeof(*report));
}

static int program(void *arg)
{
	struct report report = { 0 };
	leat_process *p;

	start_family(&p, &report);
	tell(*(int *)arg, &report);
	leat_sleep(LEAT_FOREVER / 2);
	return 0;
}

/* Runs fn in a leat_run of a forked process; what it reports. */
static struct report run_program(int (*fn)(void *arg), int *ret_pid)
{
	struct report report = { .error = -EIO };
	int fd[2];

	REQUIRE(pipe(fd) == 0);
	*ret_pid = fork();
	REQUIRE(*ret_pid >= 0);
	if (*ret_pid == 0) {
		close(fd[0]);
		_exit(leat_run(NULL, fn, &fd[1]) == 0 ? 0 : 1);
	}
	close(fd[1]);
	CHECK_EQ(read(fd[0], &report, sizeof(report)), sizeof(report));
	close(fd[0]);
	if (report.error == -ENOSYS) {
		kill(*ret_pid, SIGKILL);
		waitpid(*ret_pid, NULL, 0);
		SKIP("no pidfd here");
	}
	if (report.guardian == 0 && report.grandchild > 0)
		kill(report.grandchild, SIGKILL);
	REQUIRE(report.error == 0 && report.child > 0 && report.grandchild > 0 &&
		report.guardian > 0);
	return report;
}

static void end_by(int pid, int sig)
{
	int status = 0;

	REQUIRE(kill(pid, sig) == 0);
	REQUIRE(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status));
}

TEST_PLAIN(killed_program)
{
	int pid;
	struct report r = run_program(program, &pid);

	end_by(pid, SIGKILL);
	CHECK(dies(r.child));
	CHECK(dies(r.grandchild));
	CHECK(dies(r.guardian));
}

TEST_PLAIN(aborted_program)
{
	int pid;
	struct report r = run_program(program, &pid);

	end_by(pid, SIGABRT);
	CHECK(dies(r.child) && dies(r.grandchild) && dies(r.guardian));
}

/* The kernel kills the child itself: what is left if the guardian was killed before. */
TEST_PLAIN(without_guardian)
{
	int pid;
	struct report r = run_program(program, &pid);

	REQUIRE(kill(r.guardian, SIGKILL) == 0);
	CHECK(dies(r.guardian));
	CHECK(lives(r.child));
	end_by(pid, SIGKILL);
	CHECK(dies(r.child));
	CHECK(lives(r.grandchild));
	kill(r.grandchild, SIGKILL);
}

/* The guardian alone: of a child that the kernel has been told to leave. */
static int spare_program(void *arg)
{
	struct report report = { 0 };
	leat_process *p;

	start_family(&p, &report);
	/* A second one in the first one's place, with the group's number only in the table. */
	if (report.error == 0) {
		kill(report.child, SIGKILL);
		for (int i = 0; i < 5000 && state_of(report.child) != 'Z'; i++)
			usleep(1000);
	}
	tell(*(int *)arg, &report);
	leat_sleep(LEAT_FOREVER / 2);
	return 0;
}

/* The child has ended, but nobody has waited for it: its group still counts. */
TEST_PLAIN(group_of_a_zombie)
{
	int pid;
	struct report r = run_program(spare_program, &pid);

	CHECK(lives(r.grandchild));
	end_by(pid, SIGKILL);
	CHECK(dies(r.grandchild));
}

/* Somebody kills the guardian: the next start makes another, which knows the old children. */
static int again_program(void *arg)
{
	struct report report = { 0 }, next = { 0 };
	leat_process *p, *q;

	if (start_family(&p, &report) == 0) {
		kill(report.guardian, SIGKILL);
		dies(report.guardian);
		report.error = start_family(&q, &next);
		CHECK(next.guardian != report.guardian);
		report.guardian = next.guardian;
	}
	tell(*(int *)arg, &report);
	leat_sleep(LEAT_FOREVER / 2);
	return 0;
}

TEST_PLAIN(another_guardian)
{
	int pid;
	struct report r = run_program(again_program, &pid);

	CHECK_EQ(guardian_of(pid), r.guardian);
	end_by(pid, SIGKILL);
	CHECK(dies(r.grandchild) && dies(r.guardian));
}

/* A copy that fork(2) made does not keep the guardian from seeing the end. */
static int forking_program(void *arg)
{
	struct report report = { 0 };
	leat_process *p;

	if (start_family(&p, &report) == 0 && fork() == 0) {
		sleep(20);
		_exit(0);
	}
	tell(*(int *)arg, &report);
	leat_sleep(LEAT_FOREVER / 2);
	return 0;
}

TEST_PLAIN(forked_copy_lives_on)
{
	int pid;
	struct report r = run_program(forking_program, &pid);

	end_by(pid, SIGKILL);
	CHECK(dies(r.grandchild) && dies(r.guardian));
}

static void check_status(int pid, const char *name, const char *expected)
{
	char path[64], line[256];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	REQUIRE(f != NULL);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, strlen(name)) != 0)
			continue;
		found = true;
		line[strcspn(line, "\n")] = '\0';
		CHECK_STR(line + strlen(name), expected);
	}
	fclose(f);
	CHECK(found);
}

static int fds_of(int pid)
{
	char path[64];
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	REQUIRE(dir != NULL);
	for (struct dirent *d = readdir(dir); d; d = readdir(dir))
		n += d->d_name[0] != '.';
	closedir(dir);
	return n;
}

static int release_family(void *arg)
{
	struct report report = { 0 };
	leat_process *p;
	int r = start_family(&p, &report);

	(void)arg;
	if (r < 0)
		return r;
	/* It closes its copy of the table a moment after its exec. */
	for (int i = 0; i < 5000 && fds_of(report.guardian) > 1; i++)
		usleep(1000);
	CHECK_EQ(fds_of(report.guardian), 1);
	check_status(report.guardian, "SigBlk:\t", "fffffffffffbfeff"); /* all but KILL, STOP */
	CHECK_EQ(getsid(report.guardian), report.guardian);
	CHECK_EQ(getpgid(report.guardian), report.guardian);
	kill(report.guardian, SIGTERM);
	kill(report.guardian, SIGINT);
	leat_process_release(p);
	CHECK_EQ(children_of(getpid()), 1);
	CHECK_EQ(guardian_of(getpid()), report.guardian);
	return 0;
}

TEST_PLAIN(ends_with_the_runtime)
{
	int before = count_fds();

	for (int i = 0; i < 20; i++) {
		int r = leat_run(NULL, release_family, NULL);

		if (r == -ENOSYS)
			SKIP("no pidfd here");
		CHECK_EQ(r, 0);
		CHECK_EQ(children_of(getpid()), 0);
		CHECK_EQ(count_fds(), before);
	}
}

static int forget_family(void *arg)
{
	static leat_process *forgotten;

	return start_family(&forgotten, arg);
}

/* What was not released is killed when the runtime stops. */
TEST_PLAIN(nobody_released)
{
	struct report report = { 0 };
	int before = count_fds(), r = leat_run(NULL, forget_family, &report);

	if (r == -ENOSYS)
		SKIP("no pidfd here");
	CHECK_EQ(r, 0);
	CHECK_EQ(state_of(report.child), 0);
	CHECK(dies(report.grandchild));
	CHECK_EQ(children_of(getpid()), 0);
	CHECK_EQ(count_fds(), before);
}
