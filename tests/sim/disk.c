/* Files of the simulated disk: as the kernel's, with latency and faults from the seed. */
#include "run.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <leat/file.h>
#include <leat/sim.h>

enum { BYTES = 20000 };

static leat_io open_at(const char *path, int flags)
{
	leat_io io = { 0 };

	CHECK_EQ(leat_open(&io, path, flags, 0600, LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_fd(io), -EBADF); /* no file of the kernel */
	return io;
}

static leat_io new_at(const char *path)
{
	return open_at(path, O_RDWR | O_CREAT | O_EXCL);
}

static int error_of_open(const char *path, int flags)
{
	leat_io io;
	int r = leat_open(&io, path, flags, 0600, LEAT_FOREVER);

	if (r == 0)
		leat_io_close(io);
	return r;
}

static void put(const char *path, const char *text)
{
	leat_io io = open_at(path, O_WRONLY | O_CREAT | O_TRUNC);

	CHECK_EQ(leat_write_all(io, text, strlen(text), LEAT_FOREVER, NULL), 0);
	CHECK_EQ(leat_io_close(io), 0);
}

/* What is left from the position of io on. */
static void check_rest(leat_io io, const char *text)
{
	char buf[100] = "";
	size_t n = 0;

	CHECK_EQ(leat_read_full(io, buf, sizeof(buf) - 1, LEAT_FOREVER, &n), LEAT_EEND);
	CHECK_STR(buf, text);
	CHECK_EQ(n, strlen(text));
}

static void check_content(const char *path, const char *text)
{
	leat_io io = open_at(path, O_RDONLY);

	check_rest(io, text);
	CHECK_EQ(leat_io_close(io), 0);
}

static void set_quiet(void)
{
	CHECK_EQ(leat_sim_disk_set(LEAT_SIM_DISK(.latency_max = LEAT_US)), 0);
}

TEST_SIM(reading_and_writing, 50)
{
	char a[3] = "", b[3] = "";
	struct iovec in[2] = { { a, 2 }, { b, 2 } };
	struct iovec out[3] = { { (char[]){ "ab" }, 2 }, { NULL, 0 }, { (char[]){ "cd" }, 2 } };
	leat_io io;

	set_quiet();
	io = new_at("/data/some/file");
	CHECK_EQ(leat_write(io, "0123456789", 10, LEAT_FOREVER), 10);
	CHECK_EQ(leat_read(io, a, 1, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pwrite(io, "abc", 3, 8, LEAT_FOREVER), 3);
	CHECK_EQ(leat_pread(io, a, 2, 9, LEAT_FOREVER), 2);
	CHECK_STR(a, "bc");
	CHECK_EQ(leat_pread(io, a, 2, 10, LEAT_FOREVER), 1);
	CHECK_EQ(leat_pread(io, a, 2, 11, LEAT_FOREVER), 0);
	CHECK_EQ(leat_pread(io, a, 2, INT64_MAX, LEAT_FOREVER), 0);
	CHECK_EQ(leat_fsync(io, LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_wait(io, LEAT_READABLE, LEAT_FOREVER), LEAT_READABLE);
	CHECK_EQ(leat_writev(io, out, 3, LEAT_FOREVER), 4);
	CHECK_EQ(leat_io_close(io), 0);
	CHECK_EQ(leat_read(io, a, 1, LEAT_FOREVER), LEAT_ECLOSED);
	CHECK_EQ(leat_pread(io, a, 1, 0, LEAT_FOREVER), LEAT_ECLOSED);

	check_content("/data/some/file", "01234567ababcd");
	io = open_at("/data/some/file", O_RDONLY);
	CHECK_EQ(leat_readv(io, in, 2, LEAT_FOREVER), 4);
	CHECK_EQ(memcmp(a, "01", 2) + memcmp(b, "23", 2), 0);
	CHECK_EQ(leat_write(io, "x", 1, LEAT_FOREVER), -EBADF);
	CHECK_EQ(leat_pwrite(io, "x", 1, 0, LEAT_FOREVER), -EBADF);
	CHECK_EQ(leat_io_close(io), 0);
	io = open_at("/data/some/file", O_WRONLY | O_APPEND);
	CHECK_EQ(leat_write(io, "!", 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_pwrite(io, "?", 1, 0, LEAT_FOREVER), 1); /* O_APPEND beats the offset */
	CHECK_EQ(leat_read(io, a, 1, LEAT_FOREVER), -EBADF);
	CHECK_EQ(leat_io_close(io), 0);
	check_content("/data/some/file", "01234567ababcd!?");
	put("/data/some/file", "new");
	check_content("/data/some/file", "new");
	/* A hole reads as zeros. */
	io = open_at("/data/some/file", O_RDWR);
	CHECK_EQ(leat_pwrite(io, "x", 1, 5, LEAT_FOREVER), 1);
	CHECK_EQ(leat_pread(io, a, 3, 3, LEAT_FOREVER), 3);
	CHECK_EQ(memcmp(a, "\0\0x", 3), 0);
	CHECK_EQ(leat_pwrite(io, "x", 1, INT64_MAX, LEAT_FOREVER), -EFBIG);
	CHECK_EQ(leat_io_close(io), 0);
}

static char cwd[PATH_MAX];

TEST_SIM(errors_of_open, 5)
{
	char name[300], path[5000];
	leat_io io;

	set_quiet();
	put("/a/file", "x");
	CHECK_EQ(error_of_open("", O_RDONLY), -ENOENT);
	CHECK_EQ(error_of_open("/none", O_RDWR), -ENOENT);
	CHECK_EQ(error_of_open("/none/x", O_RDWR), -ENOENT);
	CHECK_EQ(error_of_open("/none/../a/file", O_RDWR), -ENOENT);
	CHECK_EQ(error_of_open("/a/file", O_RDWR | O_CREAT | O_EXCL), -EEXIST);
	CHECK_EQ(error_of_open("/a", O_RDWR | O_CREAT | O_EXCL), -EEXIST);
	CHECK_EQ(error_of_open("/a", O_RDWR), -EISDIR);
	CHECK_EQ(error_of_open("/a", O_RDONLY | O_CREAT), -EISDIR);
	CHECK_EQ(error_of_open("/a/new/", O_RDWR | O_CREAT), -EISDIR);
	CHECK_EQ(error_of_open("/a/new", O_RDWR | O_CREAT | O_DIRECTORY), -EINVAL);
	CHECK_EQ(error_of_open("/a/file/", O_RDONLY), -ENOTDIR);
	CHECK_EQ(error_of_open("/a/file/.", O_RDONLY), -ENOTDIR);
	CHECK_EQ(error_of_open("/a/file/x", O_RDWR | O_CREAT), -ENOTDIR);
	CHECK_EQ(error_of_open("/a/file", O_RDONLY | O_DIRECTORY), -ENOTDIR);
	memset(name, 'n', sizeof(name));
	name[0] = '/';
	name[257] = '\0';
	CHECK_EQ(error_of_open(name, O_RDWR | O_CREAT), -ENAMETOOLONG);
	name[256] = '\0';
	CHECK_EQ(error_of_open(name, O_RDWR | O_CREAT), 0);
	memset(path, '/', sizeof(path));
	path[PATH_MAX] = '\0';
	CHECK_EQ(error_of_open(path, O_RDONLY), -ENAMETOOLONG);
	path[PATH_MAX - 1] = '\0';
	CHECK_EQ(error_of_open(path, O_RDONLY), 0);

	/* Directories can be opened, for leat_fsync. */
	io = open_at("//a/./", O_RDONLY | O_DIRECTORY);
	CHECK_EQ(leat_read(io, name, 1, LEAT_FOREVER), -EISDIR);
	CHECK_EQ(leat_write(io, name, 1, LEAT_FOREVER), -EBADF);
	CHECK_EQ(leat_fsync(io, LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_close(io), 0);

	/* Relative to where the program is. */
	REQUIRE(getcwd(cwd, sizeof(cwd)));
	put("file", "here");
	snprintf(path, sizeof(path), "%.4000s/./x/../file", cwd);
	CHECK_EQ(error_of_open(path, O_RDONLY), -ENOENT);
	put("x/y", "");
	check_content(path, "here");
	check_content("./x/../file", "here");
	check_content("/../../a/file", "x");
	CHECK(access("file", F_OK) < 0 && access("/a", F_OK) < 0);
}

/* The kernel's own are its own under simulation, too. */
TEST_SIM(kernel_files, 5)
{
	leat_io io;
	char c;

	REQUIRE(leat_open(&io, "/dev/zero", O_RDONLY, 0, LEAT_FOREVER) == 0);
	CHECK(leat_io_fd(io) >= 0);
	CHECK_EQ(leat_read(io, &c, 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_io_close(io), 0);
	put("/a", "x");
	CHECK_EQ(leat_rename("/a", "/dev/a", LEAT_FOREVER), -EXDEV);
	CHECK_EQ(leat_rename("/dev/null", "/a", LEAT_FOREVER), -EXDEV);
	put("/devices", "x");
	check_content("/devices", "x");
}

TEST_SIM(unnamed, 5)
{
	leat_io io = open_at("/tmp", O_RDWR | O_TMPFILE);

	CHECK_EQ(leat_write_all(io, "abc", 3, LEAT_FOREVER, NULL), 0);
	CHECK_EQ(leat_io_close(io), 0);
	CHECK_EQ(error_of_open("/tmp", O_RDONLY | O_TMPFILE), -EINVAL);
	put("/file", "x");
	CHECK_EQ(error_of_open("/file", O_RDWR | O_TMPFILE), -ENOTDIR);
}

TEST_SIM(names, 5)
{
	leat_io io, old;

	set_quiet();
	put("/a/1", "one");
	put("/b/2", "two");
	CHECK_EQ(leat_rename("/a/none", "/a/x", LEAT_FOREVER), -ENOENT);
	CHECK_EQ(leat_rename("/a/1", "/a/1", LEAT_FOREVER), 0);
	CHECK_EQ(leat_rename("/a/1", "/a/1/", LEAT_FOREVER), -ENOTDIR);
	CHECK_EQ(leat_rename("/a/1", "/new/", LEAT_FOREVER), -ENOTDIR);
	CHECK_EQ(leat_rename("/a/1", "/b", LEAT_FOREVER), -EISDIR);
	CHECK_EQ(leat_rename("/a", "/b/2", LEAT_FOREVER), -ENOTDIR);
	CHECK_EQ(leat_rename("/a", "/b", LEAT_FOREVER), -ENOTEMPTY);
	CHECK_EQ(leat_rename("/a", "/a/x/y", LEAT_FOREVER), -EINVAL);
	CHECK_EQ(leat_rename("/a/.", "/c", LEAT_FOREVER), -EBUSY);
	CHECK_EQ(leat_rename("/a", "/b/..", LEAT_FOREVER), -EBUSY);
	CHECK_EQ(leat_rename("/", "/c", LEAT_FOREVER), -EBUSY);

	/* The file that had the name stays as long as it has a handle. */
	old = open_at("/b/2", O_RDONLY);
	io = open_at("/a/1", O_RDWR);
	CHECK_EQ(leat_rename("/a/1", "/b/2", LEAT_FOREVER), 0);
	check_content("/b/2", "one");
	check_rest(old, "two");
	CHECK_EQ(leat_write_all(io, "ONE+", 4, LEAT_FOREVER, NULL), 0);
	check_content("/b/2", "ONE+");
	CHECK_EQ(error_of_open("/a/1", O_RDONLY), -ENOENT);
	CHECK_EQ(leat_unlink("/b/2", LEAT_FOREVER), 0);
	CHECK_EQ(leat_unlink("/b/2", LEAT_FOREVER), -ENOENT);
	CHECK_EQ(leat_unlink("/b", LEAT_FOREVER), -EISDIR);
	CHECK_EQ(leat_write_all(io, "!", 1, LEAT_FOREVER, NULL), 0);
	CHECK_EQ(leat_io_close(io) + leat_io_close(old), 0);

	/* A directory with what is in it, over an empty one. */
	put("/d/e/f", "deep");
	CHECK_EQ(leat_rename("/d", "/b", LEAT_FOREVER), 0);
	check_content("/b/e/f", "deep");
	CHECK_EQ(error_of_open("/d/e/f", O_RDONLY), -ENOENT);
	CHECK_EQ(leat_unlink("/b/e/f/", LEAT_FOREVER), -ENOTDIR);
}

enum { FILES = 200 };

/* The sequence of names as a hash; each is seen once. */
static uint64_t list(const char *path)
{
	int seen[FILES] = { 0 }, dirs = 0, i, r;
	leat_dir_entry entry;
	uint64_t hash = 0;
	leat_dir *dir;

	REQUIRE(leat_dir_open(&dir, path, LEAT_FOREVER) == 0);
	while ((r = leat_dir_next(dir, &entry, LEAT_FOREVER)) == 1) {
		CHECK(entry.inode > 0);
		if (entry.type == DT_DIR && strcmp(entry.name, "d") == 0)
			dirs++;
		else if (entry.type == DT_REG && sscanf(entry.name, "f%d", &i) == 1)
			seen[i]++;
		else
			CHECK_STR(entry.name, "nothing else");
		hash = hash * 31 + (uint64_t)(entry.type == DT_DIR ? FILES : i);
	}
	CHECK_EQ(r, 0);
	CHECK_EQ(leat_dir_next(dir, &entry, LEAT_FOREVER), 0);
	leat_dir_close(dir);
	CHECK_EQ(dirs, 1);
	for (i = 0; i < FILES; i++)
		CHECK_EQ(seen[i], 1);
	return hash;
}

TEST_SIM(directories, 5)
{
	leat_dir_entry entry;
	char path[32];
	leat_dir *dir;

	set_quiet();
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "/x/f%d", i);
		put(path, "");
	}
	put("/x/d/f", "");
	CHECK(list("/x") != list("/x/"));
	CHECK_EQ(leat_dir_open(&dir, "/none", LEAT_FOREVER), -ENOENT);
	CHECK_EQ(leat_dir_open(&dir, "/x/f1", LEAT_FOREVER), -ENOTDIR);
	REQUIRE(leat_dir_open(&dir, ".", LEAT_FOREVER) == 0);
	CHECK_EQ(leat_dir_next(dir, &entry, LEAT_FOREVER), 0);
	leat_dir_close(dir);
}

/* What there is room for is written, then -ENOSPC; and the room comes back. */
TEST_SIM(no_space, 20)
{
	static const char bytes[100];
	leat_io io, other;

	CHECK_EQ(leat_sim_disk_set(LEAT_SIM_DISK(.capacity = 150)), 0);
	io = new_at("/a");
	other = new_at("/b");
	CHECK_EQ(leat_write(io, bytes, 100, LEAT_FOREVER), 100);
	CHECK_EQ(leat_write(other, bytes, 100, LEAT_FOREVER), 50);
	CHECK_EQ(leat_write(other, bytes, 100, LEAT_FOREVER), -ENOSPC);
	CHECK_EQ(leat_pwrite(other, bytes, 100, 10, LEAT_FOREVER), 40);
	CHECK_EQ(leat_pwrite(other, bytes, 1, 60, LEAT_FOREVER), -ENOSPC); /* a hole takes room */
	CHECK_EQ(leat_pwrite(io, bytes, 100, 0, LEAT_FOREVER), 100);
	CHECK_EQ(leat_unlink("/a", LEAT_FOREVER), 0);
	CHECK_EQ(leat_write(other, bytes, 1, LEAT_FOREVER), -ENOSPC); /* it has a handle */
	CHECK_EQ(leat_io_close(io), 0);
	CHECK_EQ(leat_write(other, bytes, 100, LEAT_FOREVER), 100);
	CHECK_EQ(leat_write(other, bytes, 1, LEAT_FOREVER), -ENOSPC);
	CHECK_EQ(leat_io_close(open_at("/b", O_RDWR | O_TRUNC)), 0);
	CHECK_EQ(leat_pwrite(other, bytes, 100, 0, LEAT_FOREVER), 100);
	/* Less room than is taken already. */
	CHECK_EQ(leat_sim_disk_set(LEAT_SIM_DISK(.capacity = 10)), 0);
	CHECK_EQ(leat_pwrite(other, bytes, 100, 0, LEAT_FOREVER), 100);
	CHECK_EQ(leat_pwrite(other, bytes, 1, 100, LEAT_FOREVER), -ENOSPC);
	CHECK_EQ(error_of_open("/c", O_RDWR | O_CREAT), 0);
	put("/b", "small");
	CHECK_EQ(leat_io_close(other), 0);
}

TEST_SIM(input_output_errors, 20)
{
	leat_io io, other;
	leat_dir *dir;
	char c;

	io = new_at("/a");
	CHECK_EQ(leat_sim_disk_set(LEAT_SIM_DISK(.error_one_in = 1)), 0);
	CHECK_EQ(leat_write(io, "x", 1, LEAT_FOREVER), -EIO);
	CHECK_EQ(leat_read(io, &c, 1, LEAT_FOREVER), -EIO);
	CHECK_EQ(leat_pwrite(io, "x", 1, 0, LEAT_FOREVER), -EIO);
	CHECK_EQ(leat_pread(io, &c, 1, 0, LEAT_FOREVER), -EIO);
	CHECK_EQ(leat_fsync(io, LEAT_FOREVER), -EIO);
	CHECK_EQ(leat_open(&other, "/b", O_RDWR | O_CREAT, 0600, LEAT_FOREVER), -EIO);
	CHECK_EQ(leat_rename("/a", "/b", LEAT_FOREVER), -EIO);
	CHECK_EQ(leat_unlink("/a", LEAT_FOREVER), -EIO);
	CHECK_EQ(leat_dir_open(&dir, "/", LEAT_FOREVER), -EIO);
	CHECK_EQ(leat_sim_disk_set(LEAT_SIM_DISK(.error_one_in = 0)), 0);
	check_content("/a", ""); /* nothing has happened */
	CHECK_EQ(error_of_open("/b", O_RDONLY), -ENOENT);
	CHECK_EQ(leat_io_close(io), 0);
}

TEST_SIM(short_counts, 20)
{
	char bytes[100] = "", buf[100];
	leat_io io = new_at("/a");
	int64_t n;

	CHECK_EQ(leat_sim_disk_set(LEAT_SIM_DISK(.short_one_in = 1)), 0);
	n = leat_write(io, bytes, 100, LEAT_FOREVER);
	CHECK(n >= 1 && n < 100);
	n = leat_pwrite(io, bytes, 100, 0, LEAT_FOREVER);
	CHECK(n >= 1 && n < 100);
	CHECK_EQ(leat_pwrite(io, bytes, 1, 99, LEAT_FOREVER), 1);
	n = leat_pread(io, buf, 100, 0, LEAT_FOREVER);
	CHECK(n >= 1 && n < 100);
	CHECK_EQ(leat_pread(io, buf, 100, 99, LEAT_FOREVER), 1);
	CHECK_EQ(leat_io_close(io), 0);
}

TEST_SIM(latency_is_virtual, 20)
{
	int64_t start, took;
	leat_io io;
	char c;

	CHECK_EQ(leat_sim_disk_set(LEAT_SIM_DISK(.latency_min = 3600 * LEAT_S,
						 .latency_max = 3601 * LEAT_S)), 0);
	start = leat_now();
	io = new_at("/a");
	took = leat_now() - start;
	CHECK(took >= 3600 * LEAT_S && took < 3602 * LEAT_S);
	start = leat_now();
	CHECK_EQ(leat_read(io, &c, 1, LEAT_FOREVER), 0);
	CHECK_EQ(leat_fsync(io, LEAT_FOREVER), 0);
	took = leat_now() - start;
	CHECK(took >= 2 * 3600 * LEAT_S && took < 2 * 3602 * LEAT_S);
	start = leat_now();
	CHECK_EQ(leat_read(io, &c, 1, start), -ETIMEDOUT);
	CHECK_EQ(leat_io_close(io), 0);
	CHECK(leat_now() - start < LEAT_S);
}

LEAT_TASK(write_one, (leat_io, io), (int64_t, deadline), (int64_t *, ret))
{
	*ret = leat_write(io, "x", 1, deadline);
}

/* While it waits for its turn a call is ended, and nothing happens; after that it is not. */
static int ended_call(bool cancel, int *ret_ended)
{
	int64_t start, deadline, r = 1, took;
	leat_io io = new_at("/a");
	leat_group group;

	CHECK_EQ(leat_sim_disk_set(LEAT_SIM_DISK(.latency_min = 60 * LEAT_S,
						 .latency_max = 60 * LEAT_S)), 0);
	start = leat_now();
	make(&group);
	deadline = cancel ? LEAT_FOREVER : leat_in(30 * LEAT_S);
	CHECK_EQ(leat_go_in(&group, write_one, io, deadline, &r), 0);
	CHECK_EQ(leat_sleep(30 * LEAT_S), 0);
	if (cancel)
		leat_group_cancel(&group, 0);
	(void)finish(&group);
	took = leat_now() - start;
	if (r < 0) {
		CHECK_EQ(r, cancel ? -ECANCELED : -ETIMEDOUT);
		CHECK(took < 31 * LEAT_S);
		ret_ended[0]++;
	} else {
		CHECK_EQ(r, 1);
		CHECK(took >= 60 * LEAT_S);
		ret_ended[1]++;
	}
	CHECK_EQ(leat_sim_disk_set(LEAT_SIM_DISK(.short_one_in = 0)), 0);
	check_content("/a", r < 0 ? "" : "x");
	CHECK_EQ(leat_io_close(io), 0);
	return 0;
}

static int cancelled_call(void *ret_ended)
{
	return ended_call(true, ret_ended);
}

static int late_call(void *ret_ended)
{
	return ended_call(false, ret_ended);
}

TEST_PLAIN(cancel_and_deadline)
{
	int ended[2] = { 0, 0 };

	CHECK_EQ(leat_sim_run(NULL, cancelled_call, ended, 1, 50, NULL), 0);
	CHECK(ended[0] > 5 && ended[1] > 5);
	memset(ended, 0, sizeof(ended));
	CHECK_EQ(leat_sim_run(NULL, late_call, ended, 1, 50, NULL), 0);
	CHECK(ended[0] > 5 && ended[1] > 5);
}

/* A handle that is closed in another task meanwhile: nothing happens any more. */
TEST_SIM(close_during_a_call, 20)
{
	leat_io io = new_at("/a");
	leat_group group;
	int64_t r = 0;

	CHECK_EQ(leat_sim_disk_set(LEAT_SIM_DISK(.latency_min = LEAT_S, .latency_max = LEAT_S)), 0);
	make(&group);
	CHECK_EQ(leat_go_in(&group, write_one, io, LEAT_FOREVER, &r), 0);
	test_settle();
	CHECK_EQ(leat_io_close(io), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(r, LEAT_ECLOSED);
	check_content("/a", "");
}

static uint64_t trace;

/* Two tasks append to one log, and one reads it: what it finds depends on the seed alone. */
LEAT_TASK(append, (int, who))
{
	leat_io io = open_at("log", O_WRONLY | O_CREAT | O_APPEND);
	char line[32];

	for (int i = 0; i < 50; i++) {
		int n = snprintf(line, sizeof(line), "%d from %d;", i, who);

		CHECK_EQ(leat_write_all(io, line, (size_t)n, LEAT_FOREVER, NULL), 0);
	}
	CHECK_EQ(leat_io_close(io), 0);
}

static int traced_run(void *arg)
{
	char *buf = malloc(BYTES);
	leat_group group;
	size_t n;
	leat_io io;

	(void)arg;
	trace = 0;
	make(&group);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(leat_go_in(&group, append, i), 0);
	CHECK_EQ(finish(&group), 0);
	io = open_at("log", O_RDONLY);
	REQUIRE(buf && leat_read_full(io, buf, BYTES, LEAT_FOREVER, &n) == LEAT_EEND);
	CHECK_EQ(n, 2 * (10 * 9 + 40 * 10));
	for (size_t i = 0; i < n; i++)
		trace = (trace ^ (unsigned char)buf[i]) * 0x100000001b3u;
	trace ^= (uint64_t)leat_now();
	CHECK_EQ(leat_io_close(io), 0);
	free(buf);
	return 0;
}

TEST_PLAIN(replay)
{
	uint64_t before = 0;

	for (uint64_t seed = 1; seed <= 20; seed++) {
		uint64_t first;

		CHECK_EQ(leat_run(LEAT_OPTIONS(.sim_seed = seed), traced_run, NULL), 0);
		first = trace;
		CHECK_EQ(leat_run(LEAT_OPTIONS(.sim_seed = seed), traced_run, NULL), 0);
		CHECK(trace == first);
		CHECK(first != before);
		before = first;
	}
}

/* The disk and the handles of a run that ends with open ones, and by a deadlock. */
static int leaves_open(void *arg)
{
	leat_io io = new_at("/dir/left");

	(void)new_at("/dir/other");
	CHECK_EQ(leat_unlink("/dir/left", LEAT_FOREVER), 0);
	CHECK_EQ(leat_write_all(io, "bytes", 5, LEAT_FOREVER, NULL), 0);
	if (arg)
		leat_sleep_until(LEAT_FOREVER);
	return 0;
}

TEST_PLAIN(left_open)
{
	int yes = 1;

	CHECK_EQ(leat_sim_run(NULL, leaves_open, NULL, 1, 5, NULL), 0);
	CHECK_EQ(leat_sim_run(NULL, leaves_open, &yes, 1, 5, NULL), -EDEADLK);
}

/* With LEAT_SIM_REAL=1 files are the kernel's. */
static int real_files(void *arg)
{
	leat_io io;

	(void)arg;
	CHECK_EQ(leat_sim_disk_set(LEAT_SIM_DISK(.capacity = 1)), 0);
	REQUIRE(leat_open(&io, "/tmp", O_RDONLY, 0, LEAT_FOREVER) == 0);
	CHECK(leat_io_fd(io) >= 0);
	CHECK_EQ(leat_io_close(io), 0);
	return 0;
}

TEST_PLAIN(real_by_environment)
{
	REQUIRE(setenv("LEAT_SIM_REAL", "1", 1) == 0);
	CHECK_EQ(leat_sim_run(NULL, real_files, NULL, 1, 2, NULL), 0);
	REQUIRE(unsetenv("LEAT_SIM_REAL") == 0);
	CHECK_EQ(leat_run(NULL, real_files, NULL), 0);
}
