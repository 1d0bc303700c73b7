/*
 * The journal: what is written is believed, and nothing else.  Kills and power cuts:
 * journal_kill.c; its bytes, by another reader: journal_format.py.
 */
#include <signal.h>
#include <sys/wait.h>

#include "journal_lib.h"

static struct bytes before, now;

TEST(resume_knows_what_was_done)
{
	const char *path = path_of("j");
	struct journal *j = open_how(path, JOURNAL_NEW);
	uint64_t done, failed, bad;
	struct journal_key c;
	struct stat st;

	CHECK_EQ(state_of(j, "never added"), JOURNAL_UNKNOWN);
	add_line(j, "a", JOURNAL_DONE);
	add_line(j, "b", JOURNAL_FAILED);
	key_of(j, "c", &c);
	add_line(j, "d", JOURNAL_DONE);
	CHECK_EQ(journal_add(j, &c, JOURNAL_DONE), 0);
	CHECK_EQ(journal_close(j), 0);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);

	j = open_how(path, JOURNAL_RESUME);
	journal_counts(j, &done, &failed, &bad);
	CHECK_EQ(done, 3);
	CHECK_EQ(failed, 1);
	CHECK_EQ(bad, 0);
	CHECK_EQ(state_of(j, "c"), JOURNAL_DONE);
	CHECK_EQ(state_of(j, "b"), JOURNAL_FAILED);
	CHECK_EQ(state_of(j, "never added"), JOURNAL_UNKNOWN);
	CHECK_EQ(state_of(j, "new"), JOURNAL_UNKNOWN);
	CHECK_EQ(state_of(j, "a"), JOURNAL_DONE);
	CHECK_EQ(state_of(j, ""), JOURNAL_UNKNOWN);
	CHECK_EQ(journal_close(j), 0);
	CHECK_EQ(journal_close(NULL), 0);
}

TEST(each_of_equal_lines_counts)
{
	const char *path = path_of("j");
	struct journal *j = open_how(path, JOURNAL_NEW);
	struct journal_key keys[3];

	for (int i = 0; i < 3; i++)
		CHECK_EQ(key_of(j, "same", &keys[i]), JOURNAL_UNKNOWN);
	CHECK(memcmp(&keys[0], &keys[1], sizeof(keys[0])) != 0);
	CHECK(memcmp(&keys[0], &keys[2], sizeof(keys[0])) != 0);
	CHECK(memcmp(&keys[1], &keys[2], sizeof(keys[0])) != 0);
	CHECK_EQ(journal_add(j, &keys[1], JOURNAL_DONE), 0);
	CHECK_EQ(journal_close(j), 0);

	j = open_how(path, JOURNAL_RESUME);
	CHECK_EQ(state_of(j, "same"), JOURNAL_UNKNOWN);
	CHECK_EQ(state_of(j, "same"), JOURNAL_DONE);
	CHECK_EQ(state_of(j, "same"), JOURNAL_UNKNOWN);
	CHECK_EQ(state_of(j, "same"), JOURNAL_UNKNOWN);
	CHECK_EQ(journal_close(j), 0);
}

TEST(borders_of_records_count)
{
	const struct record jobs[][2] = {
		{ { "a", 1 }, { "b", 1 } },
		{ { "ab", 2 }, { "", 0 } },
		{ { "", 0 }, { "ab", 2 } },
		{ { "a b", 3 }, { NULL, 0 } },
		{ { "a\0b", 3 }, { NULL, 0 } },
		{ { "ab", 2 }, { NULL, 0 } },
	};
	const char *path = path_of("j");

	/* Each of them done, and no other is. */
	for (int i = 0; i < 6; i++) {
		struct journal *j = open_how(path, JOURNAL_NEW);
		enum journal_state state;
		struct journal_key key;

		CHECK_EQ(journal_key(j, jobs[i], i < 3 ? 2 : 1, &key, &state), 0);
		CHECK_EQ(journal_add(j, &key, JOURNAL_DONE), 0);
		CHECK_EQ(journal_close(j), 0);
		j = open_how(path, JOURNAL_RESUME);
		for (int k = 0; k < 6; k++) {
			CHECK_EQ(journal_key(j, jobs[k], k < 3 ? 2 : 1, &key, &state), 0);
			CHECK_EQ(state, i == k ? JOURNAL_DONE : JOURNAL_UNKNOWN);
		}
		CHECK_EQ(journal_close(j), 0);
		CHECK_EQ(unlink(path), 0);
	}
}

TEST(last_state_holds)
{
	const char *path = path_of("j");
	struct journal *j = open_how(path, JOURNAL_NEW);
	uint64_t done, failed, bad;

	add_line(j, "a", JOURNAL_FAILED);
	add_line(j, "b", JOURNAL_FAILED);
	CHECK_EQ(journal_close(j), 0);
	j = open_how(path, JOURNAL_RESUME_FAILED);
	CHECK_EQ(state_of(j, "b"), JOURNAL_FAILED);
	add_line(j, "a", JOURNAL_DONE);
	CHECK_EQ(journal_close(j), 0);
	j = open_how(path, JOURNAL_RESUME_FAILED);
	journal_counts(j, &done, &failed, &bad);
	CHECK_EQ(done, 1);
	CHECK_EQ(failed, 1);
	CHECK_EQ(state_of(j, "a"), JOURNAL_DONE);
	CHECK_EQ(journal_close(j), 0);
}

/* Refused with r, a text that names the file and has this in it, and the file is as it was. */
static void check_refused(const char *path, enum journal_resume resume,
			  const char *const *words, size_t n, int r, const char *text)
{
	struct journal *j;

	read_file(path, &before);
	why[0] = '\0';
	CHECK_EQ(journal_open(&j, path, resume, false, words, n, why, sizeof(why)), r);
	if (strncmp(why, path, strlen(path)) != 0 || !strstr(why, text) || strchr(why, '\n'))
		test_fail(__FILE__, __LINE__, "\"%s\" lacks \"%s\"", why, text);
	CHECK(same_file(path, before.b, before.n));
}

TEST(new_leaves_an_old_one_alone)
{
	const char *path = path_of("j");
	struct journal *j;

	make_file(path, 1);
	check_refused(path, JOURNAL_NEW, command, 2, -EEXIST, "--resume");
	CHECK_EQ(truncate(path, HEADER + RECORD), 0); /* no job yet: a mark */
	j = open_how(path, JOURNAL_NEW);
	add_line(j, "x", JOURNAL_DONE);
	CHECK_EQ(journal_close(j), 0);
	check_refused(path, JOURNAL_NEW, command, 2, -EEXIST, "--resume");
	write_file(path, "", 0);
	make_file(path, 1);
}

TEST(another_command_is_refused)
{
	const char *path = path_of("j"), *longer[] = { "gzip", "-9", "" };
	const char *joined[] = { "gzip -9" }, *moved[] = { "gzip-", "9" };
	struct journal *j;

	make_file(path, 3);
	check_refused(path, JOURNAL_RESUME, longer, 3, -ESTALE, "--resume=force");
	check_refused(path, JOURNAL_RESUME, joined, 1, -ESTALE, "--resume=force");
	check_refused(path, JOURNAL_RESUME_FAILED, moved, 2, -ESTALE, "--resume=force");
	/* Both hashes; that of the file is in its first line. */
	read_file(path, &now);
	now.b[15 + 16] = '\0';
	CHECK(strstr(why, (char *)now.b + 15));

	REQUIRE(journal_open(&j, path, JOURNAL_RESUME, true, moved, 2, why, sizeof(why)) == 0);
	CHECK_EQ(count_done(j, 3), 3);
	add_line(j, "more", JOURNAL_DONE);
	CHECK_EQ(journal_close(j), 0);
	j = open_how(path, JOURNAL_RESUME);
	CHECK_EQ(count_done(j, 3), 3);
	CHECK_EQ(state_of(j, "more"), JOURNAL_DONE);
	CHECK_EQ(journal_close(j), 0);
}

/* A run was killed, or the power cut, while it made the file. */
TEST(torn_header_is_a_new_file)
{
	const char *path = path_of("j");

	make_file(path, 0);
	read_file(path, &before);
	memset(before.b + before.n, 0, RECORD);
	for (size_t n = 0; n < HEADER; n++) {
		for (size_t zeros = 0; n + zeros <= HEADER + RECORD; zeros += 13) {
			memcpy(now.b, before.b, n);
			memset(now.b + n, 0, zeros);
			write_file(path, now.b, n + zeros);
			make_file(path, 1);
			read_file(path, &now);
			CHECK_EQ(now.n, HEADER + 3 * RECORD);
		}
	}
	for (size_t n = HEADER; n <= HEADER + RECORD; n++) {
		write_file(path, before.b, n);
		make_file(path, 1);
	}
}

static void check_open(const char *path, int r, const char *text)
{
	struct journal *j;

	CHECK_EQ(journal_open(&j, path, JOURNAL_NEW, false, command, 2, why, sizeof(why)), r);
	CHECK(strncmp(why, path, strlen(path)) == 0 && strstr(why, text));
}

TEST(what_is_no_journal_is_refused)
{
	const char *path = path_of("j"), *link = path_of("link");
	struct journal *j;

	write_file(path, "my only copy\n", 13);
	check_refused(path, JOURNAL_NEW, command, 2, -EPROTO, "no journal");
	check_refused(path, JOURNAL_RESUME, command, 2, -EPROTO, "no journal");
	write_file(path, "leat-journalist\n", 16);
	check_refused(path, JOURNAL_RESUME, command, 2, -EPROTO, "no journal");
	write_file(path, "leat-journal 12 x", 17);
	check_refused(path, JOURNAL_RESUME, command, 2, -EPROTO, "version");
	memset(now.b, 0, sizeof(now.b));
	write_file(path, now.b, HEADER + RECORD + 1);
	check_refused(path, JOURNAL_NEW, command, 2, -EPROTO, "");

	CHECK_EQ(symlink(path, link), 0);
	check_open(link, -ELOOP, "symbolic");
	CHECK_EQ(unlink(link), 0);
	CHECK_EQ(mkfifo(link, 0600), 0);
	check_open(link, -EPROTO, "no regular file");
	check_open(test_dir, -EISDIR, strerror(EISDIR));
	check_open("/dev/null", -EPROTO, "no regular file");
	check_open(path_of("no/j"), -ENOENT, strerror(ENOENT));
	/* However short the place for the text is. */
	for (size_t n = 0; n < 40; n++) {
		char small[41];

		memset(small, 'x', sizeof(small));
		CHECK_EQ(journal_open(&j, path_of("no/j"), JOURNAL_NEW, false, command, 2,
				      small, n), -ENOENT);
		CHECK(small[n] == 'x' && (n == 0 || memchr(small, '\0', n)));
	}
}

TEST(every_byte_of_the_header_matters)
{
	const char *path = path_of("j");

	make_file(path, 2);
	for (size_t i = 0; i < HEADER; i++) {
		for (int bit = 0; bit < 8; bit++) {
			read_file(path, &now);
			now.b[i] ^= (uint8_t)(1 << bit);
			write_file(path, now.b, now.n);
			check_refused(path, JOURNAL_RESUME, command, 2, -EPROTO, "");
			now.b[i] ^= (uint8_t)(1 << bit);
			write_file(path, now.b, now.n);
		}
	}
}

TEST(torn_record_is_cut_off)
{
	const char *path = path_of("j");
	struct journal *j;

	make_file(path, 2);
	read_file(path, &before);
	REQUIRE(before.n == HEADER + 4 * RECORD);
	for (size_t n = 0; n < RECORD; n++) {
		write_file(path, before.b, HEADER + 2 * RECORD + n);
		j = open_how(path, JOURNAL_RESUME);
		CHECK_EQ(count_done(j, 2), 1);
		add_line(j, "next", JOURNAL_DONE);
		CHECK_EQ(journal_close(j), 0);
		read_file(path, &now);
		CHECK_EQ(now.n, HEADER + 5 * RECORD);
		j = open_how(path, JOURNAL_RESUME);
		CHECK_EQ(count_done(j, 2), 1);
		CHECK_EQ(state_of(j, "next"), JOURNAL_DONE);
		CHECK_EQ(journal_close(j), 0);
	}
}

TEST(zeros_at_the_end_are_cut_off)
{
	const char *path = path_of("j");
	uint64_t done, failed, bad;
	struct journal *j;

	make_file(path, 2);
	for (off_t more = 1; more < 200000; more = more * 3 + 1) {
		struct stat st;

		CHECK(stat(path, &st) == 0 && truncate(path, st.st_size + more) == 0);
		j = open_how(path, JOURNAL_RESUME);
		journal_counts(j, &done, &failed, &bad);
		CHECK_EQ(bad, 0);
		CHECK_EQ(count_done(j, 2), 2);
		CHECK_EQ(journal_close(j), 0);
		CHECK(stat(path, &st) == 0 && st.st_size <= HEADER + 32 * RECORD);
	}
}

/* Record i of the file is not believed; the other of `jobs`, which follow a mark, are. */
static void check_only_lost(const char *path, int jobs, size_t i)
{
	struct journal *j = open_how(path, JOURNAL_RESUME);
	uint64_t done, failed, bad;

	journal_counts(j, &done, &failed, &bad);
	CHECK_EQ(done, i == 0 || i > (size_t)jobs ? jobs : jobs - 1);
	CHECK_EQ(failed, 0);
	CHECK_EQ(bad, 1);
	for (int k = 0; k < jobs; k++) {
		char line[16];

		snprintf(line, sizeof(line), "%d", k);
		CHECK_EQ(state_of(j, line),
			 (size_t)k + 1 == i ? JOURNAL_UNKNOWN : JOURNAL_DONE);
	}
	CHECK_EQ(journal_close(j), 0);
}

TEST(corrupt_record_is_skipped)
{
	const char *path = path_of("j");
	enum { JOBS = 5 };

	make_file(path, JOBS);
	read_file(path, &before);
	for (size_t i = HEADER; i < before.n; i++) {
		for (int flip = 1; flip < 256; flip = flip * 2 + 1) {
			memcpy(now.b, before.b, before.n);
			now.b[i] ^= (uint8_t)flip;
			write_file(path, now.b, before.n);
			check_only_lost(path, JOBS, (i - HEADER) / RECORD);
			if (test_failed())
				return;
		}
	}
}

TEST(record_from_elsewhere_is_not_believed)
{
	const char *path = path_of("j"), *other = path_of("other");
	const size_t at = HEADER + RECORD;
	struct journal *j;

	make_file(path, 4);
	make_file(other, 4);
	read_file(path, &before);
	read_file(other, &now);
	/* Of another file, at the same place. */
	memcpy(now.b + at, before.b + at, RECORD);
	write_file(other, now.b, now.n);
	check_only_lost(other, 4, 1);
	/* Of the same file, at another place. */
	memcpy(now.b, before.b, before.n);
	memcpy(now.b + at + RECORD, before.b + at, RECORD);
	write_file(path, now.b, before.n);
	check_only_lost(path, 4, 2);
	/* Once more at its end. */
	memcpy(now.b, before.b, before.n);
	memcpy(now.b + before.n, before.b + at, RECORD);
	write_file(path, now.b, before.n + RECORD);
	check_only_lost(path, 4, 99);
	/* All of them, behind the header of another. */
	memcpy(now.b, before.b, before.n);
	read_file(other, &before);
	memcpy(now.b, before.b, HEADER);
	write_file(other, now.b, HEADER + 5 * RECORD);
	j = open_how(other, JOURNAL_RESUME);
	CHECK_EQ(count_done(j, 4), 0);
	CHECK_EQ(journal_close(j), 0);
}

/* More than are read at once, with the last mark at every place of a block. */
TEST(many_records)
{
	const char *path = path_of("j");
	struct journal *j;
	int jobs = 2040;

	make_file(path, jobs);
	for (int i = 0; i < 20; i++, jobs++) {
		char line[16];

		j = open_how(path, JOURNAL_RESUME);
		CHECK_EQ(count_done(j, jobs), jobs);
		snprintf(line, sizeof(line), "%d", jobs);
		add_line(j, line, JOURNAL_DONE);
		CHECK_EQ(journal_close(j), 0);
	}
	j = open_how(path, JOURNAL_RESUME);
	for (; jobs < 9000; jobs++) {
		char line[16];

		snprintf(line, sizeof(line), "%d", jobs);
		add_line(j, line, JOURNAL_DONE);
	}
	CHECK_EQ(journal_close(j), 0);
	j = open_how(path, JOURNAL_RESUME);
	CHECK_EQ(count_done(j, jobs), jobs);
	CHECK_EQ(journal_close(j), 0);
}

TEST(one_run_at_a_time)
{
	const char *path = path_of("j");
	struct journal *j = open_how(path, JOURNAL_NEW), *second;

	CHECK_EQ(journal_open(&second, path, JOURNAL_RESUME, false, command, 2, why, sizeof(why)),
		 -EBUSY);
	CHECK(strstr(why, "another run"));
	add_line(j, "a", JOURNAL_DONE);
	CHECK_EQ(journal_close(j), 0);
	j = open_how(path, JOURNAL_RESUME);
	CHECK_EQ(journal_close(j), 0);
}

static int pipes[2][2];

/* Has the journal until the other process has said something, and is killed then. */
static void first_process(void)
{
	struct journal *j = open_how(path_of("j"), JOURNAL_NEW);
	char byte;

	add_line(j, "a", JOURNAL_DONE);
	REQUIRE(write(pipes[0][1], "x", 1) == 1 && read(pipes[1][0], &byte, 1) == 1);
	if (!test_failed())
		kill(getpid(), SIGKILL);
	_exit(1);
}

static void second_process(void)
{
	struct journal *j;

	CHECK_EQ(journal_open(&j, path_of("j"), JOURNAL_RESUME, false, command, 2, why,
			      sizeof(why)), -EBUSY);
	/* The first may end while this one waits for the lock. */
	REQUIRE(write(pipes[1][1], "x", 1) == 1);
	j = open_how(path_of("j"), JOURNAL_RESUME);
	CHECK_EQ(state_of(j, "a"), JOURNAL_DONE);
	CHECK_EQ(journal_close(j), 0);
}

TEST_PLAIN(one_process_at_a_time)
{
	int status;
	char byte;
	pid_t child;

	path_of("j");
	REQUIRE(pipe(pipes[0]) == 0 && pipe(pipes[1]) == 0);
	child = fork();
	REQUIRE(child >= 0);
	if (child == 0)
		test_run_task(first_process);
	close(pipes[0][1]);
	REQUIRE(read(pipes[0][0], &byte, 1) == 1);
	test_run_task(second_process);
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
}

/* The table of keys against a plain list, and a resume now and then.  All from the seed. */
enum { LINES = 40, TIMES = 60 };

static struct {
	enum journal_state file[LINES][TIMES];	/* what the file says of the nth job with a line */
	int times[LINES];			/* of this run */
} model;

static uint64_t seed;

static uint64_t print_seed(void)
{
	return seed;
}

static unsigned below(unsigned n)
{
	static uint64_t state;

	if (!state)
		state = seed;
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % n;
}

static void random_job(struct journal *j)
{
	int line = (int)below(LINES), nth = model.times[line];
	enum journal_state state;
	struct journal_key key;
	char text[16];

	if (nth == TIMES)
		return;
	model.times[line]++;
	snprintf(text, sizeof(text), "line %d", line);
	CHECK_EQ(key_of(j, text, &key), model.file[line][nth]);
	if (below(3) == 0)
		return;	/* not run */
	state = below(4) == 0 ? JOURNAL_FAILED : JOURNAL_DONE;
	CHECK_EQ(journal_add(j, &key, state), 0);
	model.file[line][nth] = state;
}

static void check_counts(struct journal *j)
{
	uint64_t done = 0, failed = 0, of_file[3];

	for (int i = 0; i < LINES * TIMES; i++) {
		done += model.file[i / TIMES][i % TIMES] == JOURNAL_DONE;
		failed += model.file[i / TIMES][i % TIMES] == JOURNAL_FAILED;
	}
	journal_counts(j, &of_file[0], &of_file[1], &of_file[2]);
	CHECK_EQ(of_file[0], done);
	CHECK_EQ(of_file[1], failed);
	CHECK_EQ(of_file[2], 0);
}

TEST(random_runs)
{
	const char *path = path_of("j"), *given = getenv("LEAT_TEST_SEED");
	int runs = test_full() ? 2000 : test_slow() ? 20 : 100;

	test_timeout(120);
	seed = given ? strtoull(given, NULL, 10) : (uint64_t)leat_now();
	test_seed = print_seed;
	for (int run = 0; run < runs && !test_failed(); run++) {
		struct journal *j = open_how(path, JOURNAL_RESUME);

		check_counts(j);
		memset(model.times, 0, sizeof(model.times));
		for (unsigned i = below(200); i > 0; i--)
			random_job(j);
		if (below(2))
			CHECK_EQ(journal_sync(j), 0);
		CHECK_EQ(journal_close(j), 0);
	}
}

enum { TASKS = 4, EACH = 400 };

LEAT_TASK(add_many, (struct journal *, j), (struct journal_key *, keys))
{
	for (int i = 0; i < EACH; i++) {
		CHECK_EQ(journal_add(j, &keys[i], JOURNAL_DONE), 0);
		if (i % 50 == 49)
			CHECK_EQ(journal_sync(j), 0);
	}
}

/* While another reads on: it asks for keys. */
TEST_WITH(tasks_add_at_once, .workers = 3)
{
	const char *path = path_of("j");
	struct journal *j = open_how(path, JOURNAL_NEW);
	static struct journal_key keys[TASKS][EACH];
	leat_group group;
	char line[16];

	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int t = 0; t < TASKS; t++) {
		for (int i = 0; i < EACH; i++) {
			snprintf(line, sizeof(line), "%d", t * EACH + i);
			CHECK_EQ(key_of(j, line, &keys[t][i]), JOURNAL_UNKNOWN);
		}
		CHECK_EQ(leat_go_in(&group, add_many, j, keys[t]), 0);
	}
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(journal_close(j), 0);
	j = open_how(path, JOURNAL_RESUME);
	CHECK_EQ(count_done(j, TASKS * EACH), TASKS * EACH);
	CHECK_EQ(journal_close(j), 0);
}

static size_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	REQUIRE(f && fscanf(f, "%*u %lu", &pages) == 1);
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* What journal.h says of memory, of what the file has and of what the input has. */
TEST(memory_of_a_job)
{
	const char *path = path_of("j");
	struct journal *j = open_how(path, JOURNAL_NEW);
	enum { JOBS = 200000 };
	size_t start;
	char line[16];

	if (test_slow())
		SKIP("memory is counted in other ways");
	start = resident();
	for (int i = 0; i < JOBS; i++) {
		snprintf(line, sizeof(line), "%d", i);
		add_line(j, line, JOURNAL_DONE);
	}
	CHECK(resident() - start < (size_t)JOBS * 48 + (1 << 20));
	CHECK_EQ(journal_close(j), 0);
	start = resident();
	j = open_how(path, JOURNAL_RESUME);
	CHECK(resident() - start < (size_t)JOBS * 48 + (1 << 20));
	CHECK_EQ(count_done(j, JOBS), JOBS);
	/* The same lines, though as often as they like. */
	CHECK_EQ(count_done(j, JOBS), 0);
	CHECK(resident() - start < (size_t)JOBS * 48 + (1 << 20));
	CHECK_EQ(journal_close(j), 0);
}
