/*
 * Child processes: what they get, how they end, and that nothing is left of them.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "foreign.h"
#include "proc.h"

static leat_process *start(const leat_process_options *options)
{
	leat_process *p = NULL;
	int r = leat_process_start(&p, options);

	if (r == -ENOSYS)
		SKIP("no pidfd here");
	CHECK_EQ(r, 0);
	REQUIRE(r == 0);
	return p;
}

static leat_process_result finish(leat_process *p)
{
	leat_process_result result = { .code = -2 };

	CHECK_EQ(leat_process_wait(p, &result, soon()), 0);
	leat_process_release(p);
	return result;
}

static int exit_code(const leat_process_options *options)
{
	return finish(start(options)).code;
}

/* stdout of the program, to be freed. */
static leat_output output_of(const leat_process_options *options)
{
	leat_output out;
	int r = leat_process_output(&out, options, NULL, 0, LIMIT, soon());

	if (r == -ENOSYS)
		SKIP("no pidfd here");
	CHECK_EQ(r, 0);
	REQUIRE(r == 0);
	return out;
}

static void check_output(const leat_process_options *options, const char *expected)
{
	leat_output out = output_of(options);

	CHECK_STR(out.out, expected);
	CHECK_EQ(out.result.code, 0);
	CHECK(!out.out_cut && !out.err_cut);
	leat_output_release(&out);
}

static int children_of_self(void)
{
	return children_of(getpid());
}

TEST(exit_codes)
{
	CHECK_EQ(exit_code(LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/true"))), 0);
	CHECK_EQ(exit_code(LEAT_PROCESS_OPTIONS(.argv = SH("exit 7"))), 7);
	CHECK_EQ(exit_code(LEAT_PROCESS_OPTIONS(.argv = SH("exit 255"))), 255);
	CHECK_EQ(exit_code(LEAT_PROCESS_OPTIONS(.argv = ARGV("true"), .search = true)), 0);
}

TEST(ended_by_a_signal)
{
	leat_process *p = start(LEAT_PROCESS_OPTIONS(.argv = SH("kill -USR1 $$; sleep 100")));
	leat_process_result result = finish(p);

	CHECK_EQ(result.code, -1);
	CHECK_EQ(result.signal, SIGUSR1);

	p = start(LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/sleep", "100")));
	CHECK_EQ(leat_process_wait(p, NULL, leat_in(LEAT_MS)), -ETIMEDOUT);
	CHECK_EQ(leat_process_kill(p, SIGTERM), 0);
	CHECK_EQ(leat_process_wait(p, &result, soon()), 0);
	CHECK_EQ(result.signal, SIGTERM);
	CHECK_EQ(leat_process_wait(p, &result, 0), 0); /* again */
	CHECK_EQ(leat_process_kill(p, SIGTERM), -ESRCH);
	leat_process_release(p);
}

TEST(usage)
{
	leat_process *p = start(LEAT_PROCESS_OPTIONS(
		.argv = SH("i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done")));
	leat_process_result result = finish(p);

	CHECK(result.user_ns + result.system_ns > LEAT_MS);
	CHECK(result.memory_max > 100000);
}

static void check_refused(const leat_process_options *options, int error)
{
	leat_process *p = (leat_process *)&p;
	int r = leat_process_start(&p, options);

	if (r == -ENOSYS)
		SKIP("no pidfd here");
	CHECK_EQ(r, error);
	CHECK(p == (leat_process *)&p);
}

TEST(cannot_start)
{
	const leat_process_fd bad = { 5, 999 };
	const leat_process_limit wrong = { RLIMIT_CORE, 10, 5 };
	int before;

	leat_process_release(start(LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/true"))));
	before = count_fds();
	check_refused(LEAT_PROCESS_OPTIONS(.argv = ARGV("/no/such")), -ENOENT);
	check_refused(LEAT_PROCESS_OPTIONS(.argv = ARGV("no-such"), .search = true), -ENOENT);
	check_refused(LEAT_PROCESS_OPTIONS(.argv = ARGV(""), .search = true), -ENOENT);
	check_refused(LEAT_PROCESS_OPTIONS(.argv = ARGV("/etc/passwd")), -EACCES);
	check_refused(LEAT_PROCESS_OPTIONS(.argv = ARGV("true")), -ENOENT);
	check_refused(LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/true"), .cwd = "/no/such"), -ENOENT);
	check_refused(LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/true"), .fds = &bad, .nfds = 1),
		      -EBADF);
	check_refused(LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/true"), .limits = &wrong,
					   .nlimits = 1), -EINVAL);
	check_refused(LEAT_PROCESS_OPTIONS(.argv = ARGV("/no/such"), .in = { LEAT_STDIO_PIPE },
					   .out = { LEAT_STDIO_PIPE }, .err = { LEAT_STDIO_NULL }),
		      -ENOENT);
	CHECK_EQ(count_fds(), before);
}

TEST(arguments_environment_directory)
{
	char cwd[64] = "/tmp/leat-process-XXXXXX", expected[80];

	check_output(LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/echo", "a b", "", "c")), "a b  c\n");
	check_output(LEAT_PROCESS_OPTIONS(.argv = ARGV("other-name", "-c", "echo $0"),
					  .file = "/bin/sh"), "other-name\n");
	check_output(LEAT_PROCESS_OPTIONS(.argv = ARGV("/usr/bin/env"),
					  .env = ARGV("A=1", "B=two words")),
		     "A=1\nB=two words\n");
	setenv("LEAT_TEST_VARIABLE", "seen", 1);
	check_output(LEAT_PROCESS_OPTIONS(.argv = SH("echo $LEAT_TEST_VARIABLE")), "seen\n");
	REQUIRE(mkdtemp(cwd) != NULL);
	snprintf(expected, sizeof(expected), "%s\n", cwd);
	check_output(LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/pwd"), .cwd = cwd), expected);
	rmdir(cwd);
}

TEST(descriptors)
{
	int leaky = open("/dev/null", O_RDWR), a, b;
	leat_process_fd fds[2];

	REQUIRE(leaky >= 0);
	leat_output plain = output_of(LEAT_PROCESS_OPTIONS(.argv = SH("ls /proc/$$/fd")));

	CHECK_STR(plain.out, "0\n1\n2\n");
	leat_output_release(&plain);

	/* Exchanged, so that one would overwrite the other. */
	a = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	b = open("/etc/group", O_RDONLY | O_CLOEXEC);
	REQUIRE(a >= 0 && b >= 0);
	fds[0] = (leat_process_fd){ .to = a, .from = b };
	fds[1] = (leat_process_fd){ .to = b, .from = a };
	char script[200];

	snprintf(script, sizeof(script),
		 "readlink /proc/$$/fd/%d; readlink /proc/$$/fd/%d; set -- /proc/$$/fd/*; echo $#",
		 a, b);
	/* The sixth is the shell's own, of the directory. */
	check_output(LEAT_PROCESS_OPTIONS(.argv = SH(script), .fds = fds, .nfds = 2),
		     "/etc/group\n/etc/passwd\n6\n");
	/* Onto itself. */
	fds[0] = (leat_process_fd){ .to = a, .from = a };
	snprintf(script, sizeof(script), "readlink /proc/$$/fd/%d", a);
	check_output(LEAT_PROCESS_OPTIONS(.argv = SH(script), .fds = fds, .nfds = 1),
		     "/etc/passwd\n");
	close(a);
	close(b);
	close(leaky);
}

TEST(stdio_of_every_kind)
{
	int fd[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char buf[64] = "";
	leat_process *p;

	REQUIRE(pipe2(fd, O_CLOEXEC) == 0 && null >= 0);
	p = start(LEAT_PROCESS_OPTIONS(.argv = SH("echo out; echo err >&2"),
				       .in = { LEAT_STDIO_NULL },
				       .out = { LEAT_STDIO_FD, fd[1] },
				       .err = { LEAT_STDIO_STDOUT }));
	CHECK(leat_io_is_none(leat_process_stdin(p)));
	CHECK_EQ(finish(p).code, 0);
	close(fd[1]);
	CHECK_EQ(read(fd[0], buf, sizeof(buf)), 8);
	CHECK_STR(buf, "out\nerr\n");
	CHECK_EQ(read(fd[0], buf, sizeof(buf)), 0);
	close(fd[0]);
	close(null);
	check_output(LEAT_PROCESS_OPTIONS(.argv = SH("echo b >&2"), .err = { LEAT_STDIO_STDOUT }),
		     "b\n");
}

TEST(limits)
{
	const leat_process_limit limits[] = { { RLIMIT_NOFILE, 17, 33 }, { RLIMIT_CORE, 0, 0 } };

	check_output(LEAT_PROCESS_OPTIONS(.argv = SH("ulimit -Sn; ulimit -Hn; ulimit -c"),
					  .limits = limits, .nlimits = 2), "17\n33\n0\n");
}

/* The hexadecimal number behind name in /proc/PID/status. */
static unsigned long long status_of(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	REQUIRE(line != NULL);
	return strtoull(line + strlen(name), NULL, 16);
}

TEST(signals_of_the_child)
{
	sigset_t set;
	leat_output out;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGPIPE);
	REQUIRE(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	REQUIRE(signal(SIGPIPE, SIG_IGN) != SIG_ERR && signal(SIGHUP, SIG_IGN) != SIG_ERR);
	out = output_of(LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/cat", "/proc/self/status")));
	CHECK_EQ(status_of(out.out, "SigBlk:"), 0);
	CHECK_EQ(status_of(out.out, "SigIgn:"), 0);
	CHECK_EQ(status_of(out.out, "SigCgt:"), 0);
	CHECK_EQ(status_of(out.out, "SigPnd:"), 0);
	leat_output_release(&out);
	/* Ours are as they were. */
	CHECK(signal(SIGPIPE, SIG_IGN) == SIG_IGN && signal(SIGHUP, SIG_IGN) == SIG_IGN);
}

TEST(process_groups)
{
	leat_output out = output_of(LEAT_PROCESS_OPTIONS(
		.argv = SH("[ $(cut -d' ' -f5 /proc/$$/stat) = $$ ] && echo own")));

	CHECK_STR(out.out, "own\n");
	leat_output_release(&out);
	out = output_of(LEAT_PROCESS_OPTIONS(.argv = SH("cut -d' ' -f5 /proc/$$/stat"),
					     .same_group = true));
	CHECK_EQ(atoi(out.out), getpgrp());
	leat_output_release(&out);
}

enum { MUCH = 10 << 20 };

TEST(much_through_cat)
{
	char *bytes = malloc(MUCH);
	leat_output out;
	int r;

	for (int i = 0; i < MUCH; i++)
		bytes[i] = (char)(i * 31 >> 3);
	r = leat_process_output(&out, LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/cat")), bytes, MUCH,
				MUCH, soon());
	if (r == -ENOSYS)
		SKIP("no pidfd here");
	CHECK_EQ(r, 0);
	CHECK_EQ(out.out_size, MUCH);
	CHECK(out.out_size == MUCH && memcmp(out.out, bytes, MUCH) == 0);
	CHECK_EQ(out.err_size, 0);
	CHECK(!out.out_cut && !out.err_cut);
	leat_output_release(&out);
	free(bytes);
}

TEST(output_is_limited)
{
	leat_output out;
	const char *script = "yes | head -c 1000000; echo 123456 >&2";
	int r = leat_process_output(&out, LEAT_PROCESS_OPTIONS(.argv = SH(script)), "unread", 6,
				    100, soon());

	if (r == -ENOSYS)
		SKIP("no pidfd here");
	CHECK_EQ(r, 0);
	CHECK_EQ(out.out_size, 100);
	CHECK(out.out_cut);
	CHECK_STR(out.err, "123456\n");
	CHECK(!out.err_cut);
	CHECK_EQ(out.result.code, 0);
	leat_output_release(&out);
	/* Nothing may be kept: all is read and dropped. */
	CHECK_EQ(leat_process_output(&out, LEAT_PROCESS_OPTIONS(.argv = SH("echo x")), NULL, 0, 0,
				     soon()), 0);
	CHECK_EQ(out.out_size, 0);
	CHECK_STR(out.out, "");
	CHECK(out.out_cut);
	leat_output_release(&out);
}

/* The child's child writes its number; at the deadline both are killed. */
TEST(deadline_kills_the_group)
{
	leat_output out;
	int64_t before = leat_now();
	int r = leat_process_output(&out, LEAT_PROCESS_OPTIONS(.argv = SH(FAMILY)), NULL, 0, LIMIT,
				    leat_in(300 * LEAT_MS)), pid;

	if (r == -ENOSYS)
		SKIP("no pidfd here");
	CHECK_EQ(r, -ETIMEDOUT);
	CHECK_EQ(out.result.signal, SIGKILL);
	pid = atoi(out.out ? out.out : "0");
	CHECK(pid > 0 && dies(pid));
	CHECK(leat_now() - before < 20 * LEAT_S);
	leat_output_release(&out);
}

/* What is left of it holds the pipe: one second, not a thousand. */
TEST(daemon_holds_the_pipe)
{
	int64_t before = leat_now(), took;
	leat_output out = output_of(LEAT_PROCESS_OPTIONS(
		.argv = SH("echo first; (sleep 1000 & echo $! >&2)")));
	int pid;

	took = leat_now() - before;
	CHECK(took >= LEAT_S && took < (test_slow() ? 15 : 5) * LEAT_S);
	CHECK_STR(out.out, "first\n");
	CHECK(out.out_cut);
	pid = atoi(out.err);
	REQUIRE(pid > 0);
	CHECK(lives(pid)); /* it is none of ours: it lives on */
	kill(pid, SIGKILL);
	leat_output_release(&out);
}

TEST(release_kills_and_reaps)
{
	leat_process *p = start(LEAT_PROCESS_OPTIONS(.argv = SH(FAMILY),
						     .out = { LEAT_STDIO_PIPE }));
	int pid = leat_process_pid(p), grandchild;
	char buf[32] = "";

	CHECK(leat_read(leat_process_stdout(p), buf, sizeof(buf) - 1, soon()) > 0);
	grandchild = atoi(buf);
	REQUIRE(grandchild > 0);
	CHECK(state_of(pid) != 0 && state_of(grandchild) != 0);
	leat_process_release(p);
	CHECK_EQ(state_of(pid), 0);
	CHECK(dies(grandchild));
}

LEAT_TASK(wait_for, (leat_process *, p), (leat_process_result *, ret), (int *, ret_error))
{
	*ret_error = leat_process_wait(p, ret, soon());
}

TEST(several_wait)
{
	leat_process *p = start(LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/cat"),
						     .in = { LEAT_STDIO_PIPE },
						     .out = { LEAT_STDIO_NULL }));
	leat_process_result result[8];
	int error[8];
	leat_group group;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 8; i++)
		REQUIRE(leat_go_in(&group, wait_for, p, &result[i], &error[i]) == 0);
	leat_sleep(10 * LEAT_MS);
	CHECK_EQ(leat_io_close(leat_process_stdin(p)), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(error[i], 0);
		CHECK_EQ(result[i].code, 0);
	}
	leat_process_release(p);
}

LEAT_TASK(wait_cancelled, (leat_process *, p), (int *, ret_error))
{
	*ret_error = leat_process_wait(p, NULL, LEAT_FOREVER);
}

TEST(wait_is_cancelled)
{
	leat_process *p = start(LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/sleep", "1000")));
	leat_group group;
	int error = 1;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	REQUIRE(leat_go_in(&group, wait_cancelled, p, &error) == 0);
	leat_sleep(10 * LEAT_MS);
	leat_group_cancel(&group, 0);
	leat_group_wait(&group);
	leat_group_release(&group);
	CHECK_EQ(error, -ECANCELED);
	leat_process_release(p);
}

LEAT_TASK(quick, (int, i), (int *, ok))
{
	leat_process_result result;
	leat_process *p;
	char script[32];

	snprintf(script, sizeof(script), "exit %d", i % 100);
	if (leat_process_start(&p, LEAT_PROCESS_OPTIONS(.argv = SH(script),
							.out = { LEAT_STDIO_PIPE })) != 0)
		return;
	if (leat_process_wait(p, &result, soon()) == 0 && result.code == i % 100)
		__atomic_fetch_add(ok, 1, __ATOMIC_RELAXED);
	leat_process_release(p);
}

TEST(many_in_parallel)
{
	int n = test_slow() ? 200 : 1000, ok = 0, before;
	leat_group group;

	test_timeout(60);
	leat_process_release(start(LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/true"))));
	before = count_fds();
	REQUIRE(leat_group_init(&group, LEAT_GROUP_OPTIONS(.limit = 50)) == 0);
	for (int i = 0; i < n; i++)
		REQUIRE(leat_go_in(&group, quick, i, &ok) == 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(ok, n);
	CHECK_EQ(count_fds(), before);
	CHECK_EQ(children_of_self(), 1); /* the guardian */
}

static int from_thread(void *arg)
{
	leat_process_result result = { .code = -2 };
	leat_process *p;
	int r = leat_process_start(&p, LEAT_PROCESS_OPTIONS(.argv = SH("exit 3")));

	(void)arg;
	if (r < 0)
		return r;
	r = leat_process_wait(p, &result, soon());
	leat_process_release(p);
	return r < 0 ? r : result.code;
}

static void *thread_body(void *ret)
{
	*(int *)ret = from_thread(NULL);
	return NULL;
}

TEST(from_a_foreign_thread)
{
	pthread_t thread;
	int result = 0;

	REQUIRE(pthread_create(&thread, NULL, thread_body, &result) == 0);
	while (pthread_tryjoin_np(thread, NULL) != 0)
		leat_sleep(LEAT_MS);
	if (result == -ENOSYS)
		SKIP("no pidfd here");
	CHECK_EQ(result, 3);
}

/* Starts and releases, with all that a start opens; what start says. */
static int try_start(void)
{
	leat_process *p;
	int r = leat_process_start(&p, LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/true"),
							    .in = { LEAT_STDIO_PIPE },
							    .out = { LEAT_STDIO_PIPE },
							    .err = { LEAT_STDIO_NULL }));

	if (r == 0)
		leat_process_release(p);
	return r;
}

/* The same with no descriptor of this number or above. */
static int try_start_below(int fd)
{
	struct rlimit limit, low;
	int r;

	REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	low = limit;
	low.rlim_cur = (rlim_t)fd;
	REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
	r = try_start();
	REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	return r;
}

/* With every number of free descriptors from none to enough. */
TEST(no_descriptors_left)
{
	int before, r = -EMFILE, refused = 0;

	leat_process_release(start(LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/true"))));
	before = count_fds();
	for (int fd = 3; fd < 100 && r == -EMFILE; fd++) {
		r = try_start_below(fd);
		CHECK_EQ(count_fds(), before);
		CHECK_EQ(children_of_self(), 1);
		refused += r == -EMFILE;
	}
	CHECK_EQ(r, 0);
	CHECK(refused > 5);
}

static int start_once(void *arg)
{
	(void)arg;
	return try_start();
}

static int start_below_each(void *arg)
{
	int r = -EMFILE, refused = 0;

	(void)arg;
	for (int fd = 3; fd < 100 && r == -EMFILE; fd++) {
		r = try_start_below(fd);
		refused += r == -EMFILE;
		CHECK(children_of_self() <= 1);
	}
	CHECK(refused > 5);
	return r;
}

/*
 * The first start of a runtime makes the guardian: the same for its descriptors.  Where
 * processes cannot be started this is seen with descriptors to spare: an emulator wants some, too.
 */
TEST_PLAIN(no_descriptors_for_the_guardian)
{
	if (leat_run(NULL, start_once, NULL) == -ENOSYS)
		SKIP("no pidfd here");
	CHECK_EQ(leat_run(NULL, start_below_each, NULL), 0);
}

static int too_many_processes(void *arg)
{
	struct rlimit limit, one;
	int r = try_start(), before;

	(void)arg;
	if (r < 0)
		return r;
	before = count_fds();
	REQUIRE(getrlimit(RLIMIT_NPROC, &limit) == 0);
	one = (struct rlimit){ 1, limit.rlim_max };
	REQUIRE(setrlimit(RLIMIT_NPROC, &one) == 0);
	CHECK_EQ(try_start(), -EAGAIN);
	CHECK_EQ(count_fds(), before);
	CHECK_EQ(children_of_self(), 1);
	REQUIRE(setrlimit(RLIMIT_NPROC, &limit) == 0);
	return 0;
}

TEST_PLAIN(no_processes_left)
{
	int r;

	if (geteuid() == 0)
		REQUIRE(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
	REQUIRE(prctl(PR_SET_DUMPABLE, 1) == 0); /* LeakSanitizer wants it */
	r = leat_run(NULL, too_many_processes, NULL);
	if (r == -ENOSYS)
		SKIP("no pidfd here");
	CHECK_EQ(r, 0);
	CHECK_EQ(children_of_self(), 0);
}

static int64_t time_of_starts(int n)
{
	int64_t before = leat_now();

	for (int i = 0; i < n; i++)
		leat_process_release(start(LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/true"))));
	return leat_now() - before;
}

/* 1 GiB in pages of 4 KiB: a copy of the page tables alone would take milliseconds. */
TEST(large_program)
{
	enum { STARTS = 20 };
	const size_t size = (size_t)(test_slow() ? 256 : 1024) << 20;
	int64_t small, large;
	char *memory;

	time_of_starts(3);
	small = time_of_starts(STARTS);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(memory != MAP_FAILED);
	madvise(memory, size, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < size; i += 4096)
		memory[i] = 1;
	large = time_of_starts(STARTS);
	CHECK(large < 2 * small + 20 * LEAT_MS);
	munmap(memory, size);
}

static void sim_start(void)
{
	leat_process *p;

	(void)!leat_process_start(&p, LEAT_PROCESS_OPTIONS(.argv = ARGV("/bin/true")));
}

static int sim_main(void *arg)
{
	(void)arg;
	sim_start();
	return 0;
}

static int real_in_sim(void *arg)
{
	int r = from_thread(arg);

	return r == 3 ? 0 : r == 0 ? -EIO : r;
}

TEST_DEATH(not_in_simulation, "leat_process_start")
{
	unsetenv("LEAT_SIM_REAL");
	(void)!leat_sim_run(NULL, sim_main, NULL, 1, 1, NULL);
}

TEST_PLAIN(in_simulation_if_asked)
{
	int r;

	setenv("LEAT_SIM_REAL", "1", 1);
	r = leat_sim_run(NULL, real_in_sim, NULL, 1, 1, NULL);
	if (r == -ENOSYS)
		SKIP("no pidfd here");
	CHECK_EQ(r, 0);
}

TEST_DEATH_TASK(no_argv, "leat_process_start")
{
	leat_process *p;

	(void)!leat_process_start(&p, LEAT_PROCESS_OPTIONS(.file = "/bin/true"));
}
