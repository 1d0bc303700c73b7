/* For the tests of the journal: files in a directory of the test's own, jobs by their lines. */
#ifndef TESTS_TOOL_JOURNAL_LIB_H
#define TESTS_TOOL_JOURNAL_LIB_H

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <test.h>

#include "journal.h"

enum { HEADER = 128, RECORD = 32 };

static const char *const command[] = { "gzip", "-9" };
static char why[512];

static char test_dir[64];
static pid_t test_dir_owner;

static inline void remove_test_dir(void)
{
	char line[128];

	if (getpid() != test_dir_owner)
		return;
	snprintf(line, sizeof(line), "rm -rf '%s'", test_dir);
	CHECK(system(line) == 0);
}

/* A path in a directory that is removed when the test's process ends; the same for a name. */
static inline const char *path_of(const char *name)
{
	static char path[8][128];
	const char *end;
	int i = 0;

	if (!test_dir_owner) {
		/* In memory: an fsync takes no time, and these tests make many. */
		snprintf(test_dir, sizeof(test_dir), "%s/leat-journal-XXXXXX",
			 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
		REQUIRE(mkdtemp(test_dir));
		test_dir_owner = getpid();
		atexit(remove_test_dir);
	}
	for (; i < 8 && path[i][0]; i++) {
		end = path[i] + strlen(test_dir) + 1;
		if (strcmp(end, name) == 0)
			return path[i];
	}
	REQUIRE(i < 8);
	snprintf(path[i], sizeof(path[i]), "%s/%s", test_dir, name);
	return path[i];
}

static inline struct journal *open_how(const char *path, enum journal_resume resume)
{
	struct journal *j = NULL;
	int r = journal_open(&j, path, resume, false, command, 2, why, sizeof(why));

	if (r < 0)
		test_fail(__FILE__, __LINE__, "%s (%d)", why, r);
	REQUIRE(r == 0);
	return j;
}

/* The key of the next job with this line, and what the file says of it. */
static inline enum journal_state key_of(struct journal *j, const char *line,
					struct journal_key *ret)
{
	enum journal_state state = JOURNAL_UNKNOWN;
	struct record record = { line, strlen(line) };

	CHECK_EQ(journal_key(j, &record, 1, ret, &state), 0);
	return state;
}

static inline void add_line(struct journal *j, const char *line, enum journal_state state)
{
	struct journal_key key;

	key_of(j, line, &key);
	CHECK_EQ(journal_add(j, &key, state), 0);
}

static inline enum journal_state state_of(struct journal *j, const char *line)
{
	struct journal_key key;

	return key_of(j, line, &key);
}

/* A new file with this many jobs, "0", "1", ..., all done.  After its header is a mark. */
static inline void make_file(const char *path, int jobs)
{
	struct journal *j = open_how(path, JOURNAL_NEW);

	for (int i = 0; i < jobs; i++) {
		char line[16];

		snprintf(line, sizeof(line), "%d", i);
		add_line(j, line, JOURNAL_DONE);
	}
	CHECK_EQ(journal_close(j), 0);
}

/* How many of the first `jobs` of make_file the file says are done. */
static inline int count_done(struct journal *j, int jobs)
{
	int done = 0;

	for (int i = 0; i < jobs; i++) {
		char line[16];

		snprintf(line, sizeof(line), "%d", i);
		done += state_of(j, line) == JOURNAL_DONE;
	}
	return done;
}

/* For files of at most 1 MiB. */
struct bytes {
	size_t n;
	uint8_t b[1 << 20];
};

static inline void read_file(const char *path, struct bytes *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret->b, sizeof(ret->b));

	REQUIRE(n >= 0);
	ret->n = (size_t)n;
	close(fd);
}

static inline void write_file(const char *path, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	REQUIRE(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
	close(fd);
}

static inline bool same_file(const char *path, const void *bytes, size_t n)
{
	static struct bytes now;

	read_file(path, &now);
	return now.n == n && memcmp(now.b, bytes, n) == 0;
}

#endif
