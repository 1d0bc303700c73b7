/*
 * The journal of a process that is killed, at each of its crash points (tool/crash.h), and of a
 * machine whose power is cut there.  Here crash_point is the test's; so are, by the
 * linker (meson.build), the calls that say what has reached the disk.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "crash.h"
#include "journal_lib.h"

enum { JOBS = 9, LINES = 4, SYNC_EVERY = 3 };

/* What the processes tell each other: it is there whichever of them was killed. */
static struct story {
	int runs[JOBS];		/* how often it was begun */
	bool in_doubt[JOBS];	/* begun, and not known to be written */
	bool done[JOBS];	/* journal_add has returned, or a later run was told so */
	int synced;		/* so many of the first jobs are sure: a sync has returned */
	int points;		/* crash points that were reached */
	size_t out_durable;	/* bytes of the output that have been synced */
	bool finished;
} *story;

static int kill_at;		/* the number of the point; 0: none */
static void (*at_point)(void);

void crash_point(const char *what)
{
	if (at_point)
		at_point();
	if (__atomic_add_fetch(&story->points, 1, __ATOMIC_RELAXED) != kill_at)
		return;
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static void start_story(void)
{
	if (!story)
		story = mmap(NULL, sizeof(*story), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(story != MAP_FAILED);
	memset(story, 0, sizeof(*story));
	unlink(path_of("j"));
	unlink(path_of("out"));
}

/* Some lines come more than once. */
static enum journal_state job_key(struct journal *j, int job, struct journal_key *ret)
{
	char line[16];

	snprintf(line, sizeof(line), "%d", job % LINES);
	return key_of(j, line, ret);
}

/* The output, then the journal. */
static void run_job(struct journal *j, int out, int i, const struct journal_key *key)
{
	story->in_doubt[i] = true;
	story->runs[i]++;
	CHECK_EQ(dprintf(out, "%d\n", i), 2);
	CHECK_EQ(journal_add(j, key, JOURNAL_DONE), 0);
	story->done[i] = true;
	story->in_doubt[i] = false;
}

static void run_jobs(void)
{
	struct journal *j = open_how(path_of("j"), JOURNAL_RESUME);
	int out = open(path_of("out"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	REQUIRE(out >= 0);
	journal_set_output(j, out);
	for (int i = 0; i < JOBS; i++) {
		struct journal_key key;

		if (job_key(j, i, &key) == JOURNAL_UNKNOWN) {
			CHECK(!story->done[i]);
			run_job(j, out, i, &key);
		}
		story->done[i] = true;
		story->in_doubt[i] = false;
		if (i % SYNC_EVERY == SYNC_EVERY - 1) {
			CHECK_EQ(journal_sync(j), 0);
			story->synced = i + 1;
		}
	}
	CHECK_EQ(journal_close(j), 0);
	close(out);
	story->finished = true;
}

/* What the file says of the jobs. */
static void check_story(const char *path)
{
	struct journal *j = open_how(path, JOURNAL_RESUME);
	uint64_t done, failed, bad;
	int in_doubt = 0;

	for (int i = 0; i < JOBS; i++) {
		struct journal_key key;
		enum journal_state state = job_key(j, i, &key);

		if (story->done[i])
			CHECK_EQ(state, JOURNAL_DONE);
		else if (!story->in_doubt[i])
			CHECK_EQ(state, JOURNAL_UNKNOWN);
		in_doubt += story->in_doubt[i];
	}
	CHECK(in_doubt <= 1);
	journal_counts(j, &done, &failed, &bad);
	CHECK_EQ(failed, 0);
	CHECK_EQ(bad, 0);
	CHECK_EQ(journal_close(j), 0);
}

/* Of a copy: the next run finds the file as the kill has left it. */
static void check_copy(void)
{
	static struct bytes bytes;

	if (access(path_of("j"), F_OK) < 0)
		write_file(path_of("j"), "", 0); /* killed before there was one */
	read_file(path_of("j"), &bytes);
	write_file(path_of("copy"), bytes.b, bytes.n);
	check_story(path_of("copy"));
}

/* In a process of its own that is killed at a point.  True: it ended before. */
static bool in_child(void (*body)(void), int point)
{
	pid_t child;
	int status;

	fflush(NULL);
	story->points = 0;
	child = fork();
	REQUIRE(child >= 0);
	if (child == 0) {
		kill_at = point;
		test_run_task(body);
		_exit(test_failed());
	}
	REQUIRE(waitpid(child, &status, 0) == child);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && point)
		return false;
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return true;
}

/* All is done at last, each job once and once more for each kill that left it in doubt. */
static void check_end(int kills)
{
	static struct bytes out;
	int runs = 0;

	CHECK(in_child(run_jobs, 0));
	CHECK(story->finished);
	read_file(path_of("out"), &out);
	for (int i = 0; i < JOBS; i++) {
		CHECK(memchr(out.b, '0' + i, out.n));
		runs += story->runs[i];
	}
	CHECK(runs <= JOBS + kills);
	CHECK_EQ(out.n, 2 * runs);
	CHECK(in_child(check_copy, 0));
}

/* Kills at each point of a run, and of the run that resumes it. */
TEST_PLAIN(killed_at_each_point)
{
	int first, second, kills = 0, step = test_full() ? 1 : 7;

	test_timeout(300);
	for (first = 1; !test_failed(); first++) {
		bool ended = false;

		for (second = 1 + first % step; !ended && !test_failed(); second += step) {
			start_story();
			if (in_child(run_jobs, first))
				goto out;
			in_child(check_copy, 0);
			ended = in_child(run_jobs, second);
			if (!ended)
				in_child(check_copy, 0);
			check_end(2);
			kills++;
		}
	}
out:
	printf("%d points, %d pairs\n", first - 1, kills);
	CHECK(first > 40 && kills > first);
}

/* The power is cut: of each file the disk has what was synced last, and maybe more. */
struct disk {
	size_t n;
	uint8_t b[2048];
};

static struct cut {
	struct disk durable, now;
	bool named;		/* the directory has been synced */
	struct story story;
} cuts[512];

static int ncuts;
static struct disk durable;
static bool named, reboot;

static bool is_file(int fd, const char *name)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path_of(name), &b) == 0 && a.st_ino == b.st_ino;
}

static void read_disk(const char *name, struct disk *ret)
{
	int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, ret->b, sizeof(ret->b));

	REQUIRE(n >= 0 && n < (ssize_t)sizeof(ret->b));
	memset(ret->b + n, 0, sizeof(ret->b) - (size_t)n);
	ret->n = (size_t)n;
	if (fd >= 0)
		close(fd);
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);

int __wrap_fdatasync(int fd)
{
	struct stat st;

	if (is_file(fd, "j"))
		read_disk("j", &durable);
	else if (is_file(fd, "out") && fstat(fd, &st) == 0)
		story->out_durable = (size_t)st.st_size;
	return __real_fdatasync(fd);
}

int __wrap_fsync(int fd)
{
	named = true;
	return __real_fsync(fd);
}

int __wrap_open64(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = (mode_t)va_arg(args, int);
	va_end(args);
	if (reboot && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0)
		path = path_of("boot");
	return __real_open64(path, flags, mode);
}

static void set_boot(const char *id)
{
	reboot = true;
	write_file(path_of("boot"), id, strlen(id));
}

static void note_cut(void)
{
	struct cut *cut = &cuts[ncuts++];

	REQUIRE(ncuts < 512);
	cut->durable = durable;
	read_disk("j", &cut->now);
	cut->named = named;
	cut->story = *story;
}

static unsigned below(unsigned n)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % n;
}

/* What the disk may have: of each sector the old bytes or the new ones; a size between. */
static void write_cut(const struct cut *cut, int variant)
{
	size_t less = cut->durable.n < cut->now.n ? cut->durable.n : cut->now.n;
	size_t more = cut->durable.n + cut->now.n - less;
	struct disk disk = { .n = less + below((unsigned)(more - less) + 1) };

	if (variant < 2)
		disk.n = variant == 0 ? cut->durable.n : cut->now.n;
	else if (variant == 2)
		disk.n = more;
	for (size_t at = 0; at < sizeof(disk.b); at += 512) {
		bool old = variant == 0 || variant == 2 || (variant > 2 && below(2));

		memcpy(disk.b + at, (old ? cut->durable.b : cut->now.b) + at, 512);
	}
	write_file(path_of("copy"), disk.b, disk.n);
}

/* Done is what was sure, nothing that was not begun, and only what is in the output. */
static void check_cut(const struct cut *cut, const uint8_t *out)
{
	struct journal *j = open_how(path_of("copy"), JOURNAL_RESUME);

	for (int i = 0; i < JOBS; i++) {
		struct journal_key key;
		enum journal_state state = job_key(j, i, &key);

		if (i < cut->story.synced)
			CHECK_EQ(state, JOURNAL_DONE);
		if (!cut->story.done[i] && !cut->story.in_doubt[i])
			CHECK_EQ(state, JOURNAL_UNKNOWN);
		if (state == JOURNAL_DONE)
			CHECK(memchr(out, '0' + i, cut->story.out_durable));
	}
	CHECK_EQ(journal_close(j), 0);
}

static void check_cuts(void)
{
	struct disk out;

	read_disk("out", &out);
	set_boot("three");
	for (int i = 0; i < ncuts; i++) {
		for (int variant = 0; variant < 9 && !test_failed(); variant++) {
			write_cut(&cuts[i], variant);
			check_cut(&cuts[i], out.b);
			if (test_failed())
				printf("at point %d of %d, variant %d\n", i + 1, ncuts, variant);
		}
		/* The name is lost: then nothing was sure. */
		CHECK(cuts[i].named || cuts[i].story.synced == 0);
	}
}

static void run_with_cuts(void)
{
	at_point = note_cut;
	run_jobs();
	at_point = NULL;
}

TEST_PLAIN(power_cut_at_each_point)
{
	start_story();
	set_boot("one");
	test_run_task(run_with_cuts);
	CHECK(ncuts > 40);
	test_run_task(check_cuts);
}

/* The run was resumed after another one; what that one had not synced is lost. */
static void cut_twice(void)
{
	struct story before = *story;

	read_disk("j", &durable);
	named = true;
	CHECK(truncate(path_of("out"), (off_t)story->out_durable) == 0 || !story->out_durable);
	for (int i = story->synced; i < JOBS; i++) {
		story->in_doubt[i] |= before.done[i];
		story->done[i] = false;
	}
	set_boot("two");
	run_with_cuts();
	check_cuts();
}

TEST_PLAIN(power_cut_in_a_resumed_run)
{
	int step = test_full() ? 1 : 5, point = 1;

	test_timeout(300);
	for (; !test_failed(); point += step) {
		start_story();
		set_boot("one");
		if (in_child(run_jobs, point))
			break;
		in_child(cut_twice, 0);
	}
	CHECK(point > 40);
}
