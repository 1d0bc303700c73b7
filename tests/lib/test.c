/*
 * The test harness; test.h says how it is used.
 *
 * The parent never starts a thread, so each child is forked from a process in
 * a known state.  Parent and child share one page, struct shared: the child
 * leaves there how many checks failed and the first one's text, which the
 * parent prints on the test's line.  A test is done when its process is gone;
 * the exit status alone never makes it pass.
 */
#include "test.h"

#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	TIMEOUT_S = 30,
	SLOW_FACTOR = 10,
	STRESS_DISTINCT = 1000,	/* schedules of a TEST_STRESS */
	DUMP_S = 5,		/* what a hanging test gets to dump its tasks */
	EXIT_FAILED = 1,
	EXIT_SKIPPED = 77,	/* meson's code, too */
};

struct shared {
	int failures;		/* atomic: checks that failed */
	int finished;		/* the body came to its end, or skipped */
	int skipped;
	char first[480];	/* written by whoever made failures 1 */
};

static struct test *tests;
static struct test **tests_end = &tests;
static struct shared *shared;
static struct test *running;
uint64_t (*test_seed)(void);

static struct {
	int passed;
	int failed;
	int skipped;
} total;

void test_register(struct test *test)
{
	*tests_end = test;
	tests_end = &test->next;
}

static bool is_set(const char *variable)
{
	return test_same_string(getenv(variable), "1");
}

bool test_slow(void)
{
	return is_set("LEAT_TEST_SLOW");
}

bool test_full(void)
{
	return is_set("LEAT_TEST_FULL");
}

bool test_same_string(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

void test_timeout(unsigned seconds)
{
	alarm(test_slow() ? seconds * SLOW_FACTOR : seconds);
}

void test_fail(const char *file, int line, const char *format, ...)
{
	char text[400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (__atomic_fetch_add(&shared->failures, 1, __ATOMIC_RELAXED) == 0)
		snprintf(shared->first, sizeof(shared->first), "%s:%d: %s", file, line, text);
	fprintf(stderr, "%s: %s:%d: %s", running->name, file, line, text);
	if (test_seed)
		fprintf(stderr, " (LEAT_TEST_SEED=%llu)", (unsigned long long)test_seed());
	fprintf(stderr, "\n");
}

bool test_failed(void)
{
	return __atomic_load_n(&shared->failures, __ATOMIC_RELAXED) > 0;
}

void test_settle(void)
{
	REQUIRE(leat_sim_seed() != 0);
	CHECK_EQ(leat_sleep(LEAT_S), 0);
}

void test_stop(void)
{
	fflush(NULL);
	_exit(EXIT_FAILED);
}

void test_skip(const char *why)
{
	if (test_failed())
		test_stop();
	snprintf(shared->first, sizeof(shared->first), "%s", why);
	shared->skipped = 1;
	fflush(NULL);
	_exit(EXIT_SKIPPED);
}

/* A hanging test: show what it waits for, then die of the second alarm. */
static void on_alarm(int signal_number)
{
	signal(SIGALRM, SIG_DFL);
	alarm(DUMP_S);
	leat_dump(STDERR_FILENO);
	raise(SIGALRM);
}

static void start_watchdog(void)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_NODEFER };

	sigaction(SIGALRM, &action, NULL);
	test_timeout(TIMEOUT_S);
}

static int main_task(void *arg)
{
	struct test *test = arg;

	test->body();
	return 0;
}

struct bare_task {
	void (*body)(void);
};

static int bare_main_task(void *arg)
{
	struct bare_task *task = arg;

	task->body();
	return 0;
}

void test_run_task(void (*body)(void))
{
	struct bare_task task = { body };

	CHECK_EQ(leat_run(NULL, bare_main_task, &task), 0);
}

/* As main_task, but tells leat_sim_run to stop at the first seed that fails. */
static int sim_task(void *arg)
{
	main_task(arg);
	return test_failed() ? -EBADMSG : 0;
}

static int run_stress(struct test *test, leat_sim_report *report)
{
	uint64_t want = test_slow() ? STRESS_DISTINCT / SLOW_FACTOR : STRESS_DISTINCT;
	uint64_t n = want + want / SLOW_FACTOR;
	int r;

	if (test_full())
		n *= 10;
	r = leat_sim_run(test->options, sim_task, test, 1, n, report);
	if (r == 0 && report->distinct < want)
		test_fail(test->name, 0, "%llu seeds made %llu different schedules, not %llu",
			  (unsigned long long)report->runs, (unsigned long long)report->distinct,
			  (unsigned long long)want);
	return r;
}

static void run_simulated(struct test *test)
{
	const char *seed = getenv("LEAT_TEST_SEED");
	leat_sim_report report = { 0 };
	int r;

	test_seed = leat_sim_seed;
	if (seed)
		r = leat_sim_run(test->options, sim_task, test, strtoull(seed, NULL, 0), 1,
				 &report);
	else if (test->seeds == TEST_STRESS_SEEDS)
		r = run_stress(test, &report);
	else
		r = leat_sim_run(test->options, sim_task, test, 1, test->seeds, &report);
	test_seed = NULL;
	if (r != 0)
		test_fail(test->name, 0, "seed %llu: leat_sim_run returned %d (%s)",
			  (unsigned long long)report.failed_seed, r, leat_strerror(r));
}

static void run_body(struct test *test)
{
	int r;

	start_watchdog();
	if (test->kind == TEST_KIND_TASK) {
		r = leat_run(test->options, main_task, test);
		if (r != 0)
			test_fail(test->name, 0, "leat_run returned %d (%s)", r, leat_strerror(r));
	} else if (test->kind == TEST_KIND_SIM) {
		run_simulated(test);
	} else {
		test->body();
	}
	alarm(0);
	shared->finished = 1;
}

/* The child's end.  exit(), so that LeakSanitizer looks; not where it failed anyway. */
static _Noreturn void run_child(struct test *test, int stderr_fd)
{
	if (stderr_fd >= 0) {
		struct rlimit no_core = { 0, 0 };

		setrlimit(RLIMIT_CORE, &no_core);
		dup2(stderr_fd, STDERR_FILENO);
	}
	run_body(test);
	if (shared->failures)
		test_stop();
	exit(0);
}

/* Why the process's end is a failure, in text; false: it is none. */
static bool bad_end(const struct test *test, int status, char *text, size_t size)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		snprintf(text, size, "timed out");
	else if (test->kind == TEST_KIND_DEATH && WIFSIGNALED(status))
		return WTERMSIG(status) != SIGABRT &&
		       snprintf(text, size, "died of signal %d (%s), not by abort",
				WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (test->kind == TEST_KIND_DEATH)
		snprintf(text, size, "did not abort; exit status %d", WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		snprintf(text, size, "died of signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		snprintf(text, size, "exit status %d (a sanitizer's report?)", WEXITSTATUS(status));
	else if (!shared->finished)
		snprintf(text, size, "called exit before its end");
	else
		return false;
	return true;
}

static void report(const struct test *test, const char *failure)
{
	if (failure) {
		printf("FAIL %s: %s\n", test->name, failure);
		total.failed++;
	} else if (shared->skipped) {
		printf("skip %s: %s\n", test->name, shared->first);
		total.skipped++;
	} else {
		printf("ok %s\n", test->name);
		total.passed++;
	}
	fflush(stdout);
}

/* Everything that the child wrote; the rest beyond size is cut off. */
static void read_back(FILE *file, char *text, size_t size)
{
	size_t n;

	rewind(file);
	n = fread(text, 1, size - 1, file);
	text[n] = '\0';
}

static void judge_death(struct test *test, int status, FILE *said)
{
	char text[32768];
	char why[256];

	read_back(said, text, sizeof(text));
	if (shared->skipped) {
		report(test, NULL);
	} else if (bad_end(test, status, why, sizeof(why))) {
		fprintf(stderr, "%s", text);
		report(test, why);
	} else if (!strstr(text, test->expected)) {
		fprintf(stderr, "%s", text);
		snprintf(why, sizeof(why), "aborted without saying \"%s\"", test->expected);
		report(test, why);
	} else {
		report(test, NULL);
	}
}

static void judge(struct test *test, int status)
{
	char why[256];

	if (shared->failures)
		report(test, shared->first);
	else if (!shared->skipped && bad_end(test, status, why, sizeof(why)))
		report(test, why);
	else
		report(test, NULL);
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void run_forked(struct test *test)
{
	FILE *said = NULL;
	int status;
	pid_t pid;

	if (test->kind == TEST_KIND_DEATH) {
		said = tmpfile();
		if (!said)
			die("tmpfile");
	}
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		run_child(test, said ? fileno(said) : -1);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("waitpid");
	if (said) {
		judge_death(test, status, said);
		fclose(said);
	} else {
		judge(test, status);
	}
}

static bool selected(const struct test *test, char **patterns)
{
	if (!*patterns)
		return true;
	for (; *patterns; patterns++)
		if (fnmatch(*patterns, test->name, 0) == 0)
			return true;
	return false;
}

static void run(struct test *test, bool do_fork)
{
	*shared = (struct shared){ 0 };
	running = test;
	if (do_fork) {
		run_forked(test);
		return;
	}
	run_body(test);
	report(test, shared->failures ? shared->first : NULL);
}

int main(int argc, char **argv)
{
	bool list = false;
	bool do_fork = true;
	int option;

	while ((option = getopt(argc, argv, "ln")) != -1) {
		if (option == 'l')
			list = true;
		else if (option == 'n')
			do_fork = false;
		else
			return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	for (struct test *test = tests; test; test = test->next) {
		if (!selected(test, argv + optind))
			continue;
		if (list)
			puts(test->name);
		else
			run(test, do_fork);
	}
	if (list)
		return 0;
	printf("%d passed, %d failed", total.passed, total.failed);
	if (total.skipped)
		printf(", %d skipped", total.skipped);
	printf("\n");
	if (total.failed || total.passed + total.skipped == 0)
		return EXIT_FAILED;
	return total.passed ? 0 : EXIT_SKIPPED;
}
