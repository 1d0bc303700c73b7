/*
 * Files: reading, writing, directories, errors; and that no worker waits for them.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "io.h"

static char dir[] = "/tmp/leat-file-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[4][128];
	static int next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void enter_dir(void)
{
	REQUIRE(mkdtemp(dir));
}

static void remove_dir(void)
{
	CHECK(rmdir(dir) == 0);
}

static leat_io open_new(const char *name)
{
	leat_io io = { 0 };

	REQUIRE(leat_open(&io, path_of(name), O_RDWR | O_CREAT | O_EXCL, 0640, LEAT_FOREVER) == 0);
	return io;
}

TEST(write_and_read)
{
	char buf[64] = "", made[] = "/tmp/leat-file-XXXXXX";
	struct stat st;
	leat_io io;

	memcpy(dir, made, sizeof(dir));
	enter_dir();
	io = open_new("a");
	CHECK(fcntl(leat_io_fd(io), F_GETFD) & FD_CLOEXEC);
	CHECK_EQ(leat_write_all(io, "hello, file", 11, LEAT_FOREVER, NULL), 0);
	CHECK_EQ(leat_read(io, buf, sizeof(buf), LEAT_FOREVER), 0);
	CHECK_EQ(leat_pread(io, buf, 5, 7, LEAT_FOREVER), 4);
	CHECK(memcmp(buf, "file", 4) == 0);
	CHECK_EQ(leat_pwrite(io, "J", 1, 0, LEAT_FOREVER), 1);
	CHECK_EQ(leat_fsync(io, LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_wait(io, LEAT_READABLE, LEAT_FOREVER), LEAT_READABLE);
	CHECK_EQ(leat_io_close(io), 0);
	CHECK_EQ(leat_pread(io, buf, 1, 0, LEAT_FOREVER), LEAT_ECLOSED);
	CHECK_EQ(leat_fsync(io, LEAT_FOREVER), LEAT_ECLOSED);

	REQUIRE(leat_open(&io, path_of("a"), O_RDONLY, 0, LEAT_FOREVER) == 0);
	CHECK(fstat(leat_io_fd(io), &st) == 0 && st.st_size == 11 && (st.st_mode & 0777) == 0640);
	CHECK_EQ(leat_read_full(io, buf, 11, LEAT_FOREVER, NULL), 0);
	CHECK(memcmp(buf, "Jello, file", 11) == 0);
	CHECK_EQ(leat_write(io, "x", 1, LEAT_FOREVER), -EBADF);
	CHECK_EQ(leat_io_close(io), 0);
	CHECK_EQ(leat_unlink(path_of("a"), LEAT_FOREVER), 0);
	remove_dir();
}

TEST(names)
{
	leat_io io;

	enter_dir();
	CHECK_EQ(leat_io_close(open_new("a")), 0);
	CHECK_EQ(leat_rename(path_of("a"), path_of("b"), LEAT_FOREVER), 0);
	CHECK_EQ(leat_open(&io, path_of("a"), O_RDONLY, 0, LEAT_FOREVER), -ENOENT);
	CHECK_EQ(leat_open(&io, path_of("b"), O_RDWR | O_CREAT | O_EXCL, 0600, LEAT_FOREVER),
		 -EEXIST);
	CHECK_EQ(leat_rename(path_of("a"), path_of("c"), LEAT_FOREVER), -ENOENT);
	CHECK_EQ(leat_unlink(path_of("b"), LEAT_FOREVER), 0);
	CHECK_EQ(leat_unlink(path_of("b"), LEAT_FOREVER), -ENOENT);
	REQUIRE(leat_open(&io, dir, O_RDONLY, 0, LEAT_FOREVER) == 0);
	CHECK_EQ(leat_fsync(io, LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_close(io), 0);
	remove_dir();
}

enum { FILES = 2000 };

/* More entries than fit into one buffer; each is seen once. */
TEST(directory)
{
	int seen[FILES] = { 0 }, dirs = 0, n = 0, i, fds = count_fds();
	leat_dir_entry entry;
	char name[32];
	leat_dir *d;
	int r;

	enter_dir();
	for (i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "some-file-%d", i);
		REQUIRE(mknod(path_of(name), S_IFREG | 0600, 0) == 0);
	}
	REQUIRE(mkdir(path_of("d"), 0700) == 0);
	REQUIRE(leat_dir_open(&d, dir, LEAT_FOREVER) == 0);
	while ((r = leat_dir_next(d, &entry, LEAT_FOREVER)) == 1) {
		if (entry.type == DT_DIR && strcmp(entry.name, "d") == 0)
			dirs++;
		else if (sscanf(entry.name, "some-file-%d", &i) == 1 && i >= 0 && i < FILES)
			seen[i]++;
		else
			CHECK_STR(entry.name, "nothing else");
		n++;
	}
	CHECK_EQ(r, 0);
	CHECK_EQ(leat_dir_next(d, &entry, LEAT_FOREVER), 0);
	leat_dir_close(d);
	leat_dir_close(NULL);
	CHECK_EQ(n, FILES + 1);
	CHECK_EQ(dirs, 1);
	for (i = 0; i < FILES; i++) {
		CHECK_EQ(seen[i], 1);
		snprintf(name, sizeof(name), "some-file-%d", i);
		CHECK(unlink(path_of(name)) == 0);
	}
	CHECK_EQ(leat_dir_open(&d, path_of("none"), LEAT_FOREVER), -ENOENT);
	CHECK(rmdir(path_of("d")) == 0);
	CHECK_EQ(leat_dir_open(&d, "/dev/null", LEAT_FOREVER), -ENOTDIR);
	CHECK_EQ(count_fds(), fds);
	remove_dir();
}

/* The kernel's errors. */
TEST(errors)
{
	char buf[8];
	leat_io io;

	REQUIRE(leat_open(&io, "/dev/full", O_WRONLY, 0, LEAT_FOREVER) == 0);
	CHECK_EQ(leat_write(io, "x", 1, LEAT_FOREVER), -ENOSPC);
	CHECK_EQ(leat_write_all(io, "x", 1, LEAT_FOREVER, NULL), -ENOSPC);
	CHECK_EQ(leat_io_close(io), 0);
	REQUIRE(leat_open(&io, "/", O_RDONLY, 0, LEAT_FOREVER) == 0);
	CHECK_EQ(leat_read(io, buf, sizeof(buf), LEAT_FOREVER), -EISDIR);
	CHECK_EQ(leat_io_close(io), 0);
	REQUIRE(leat_open(&io, "/proc/self/mem", O_RDONLY, 0, LEAT_FOREVER) == 0);
	CHECK_EQ(leat_pread(io, buf, sizeof(buf), 0, LEAT_FOREVER), -EIO);
	CHECK_EQ(leat_io_close(io), 0);
	CHECK_EQ(leat_open(&io, "/", O_RDONLY, 0, leat_now()), -ETIMEDOUT);
}

/* Devices without a poller are like files, and keep their flags. */
TEST(devices)
{
	char buf[16] = "0123456789abcde";
	leat_io io;

	REQUIRE(leat_open(&io, "/dev/zero", O_RDWR, 0, LEAT_FOREVER) == 0);
	CHECK_EQ(fcntl(leat_io_fd(io), F_GETFL) & O_NONBLOCK, 0);
	CHECK_EQ(leat_read_full(io, buf, sizeof(buf), LEAT_FOREVER, NULL), 0);
	for (size_t i = 0; i < sizeof(buf); i++)
		CHECK_EQ(buf[i], 0);
	CHECK_EQ(leat_io_close(io), 0);
}

LEAT_TASK(open_fifo, (int *, state))
{
	leat_io io;
	char c = 0;

	*state = 1;
	REQUIRE(leat_open(&io, path_of("fifo"), O_RDONLY, 0, LEAT_FOREVER) == 0);
	CHECK_EQ(leat_read(io, &c, 1, LEAT_FOREVER), 1);
	CHECK_EQ(c, 'f');
	*state = 2;
	CHECK_EQ(leat_io_close(io), 0);
}

/* open(2) waits for the other end: on a thread of the pool, not on the one worker. */
TEST_WITH(holds_no_worker, .workers = 1)
{
	leat_group group;
	int state = 0;
	leat_io io;

	enter_dir();
	REQUIRE(mkfifo(path_of("fifo"), 0600) == 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, open_fifo, &state), 0);
	leat_sleep(20 * LEAT_MS);
	CHECK_EQ(state, 1);
	REQUIRE(leat_open(&io, path_of("fifo"), O_WRONLY, 0, LEAT_FOREVER) == 0);
	leat_sleep(5 * LEAT_MS);
	CHECK_EQ(state, 1);
	CHECK_EQ(leat_write(io, "f", 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(state, 2);
	CHECK_EQ(leat_io_close(io), 0);
	CHECK_EQ(leat_unlink(path_of("fifo"), LEAT_FOREVER), 0);
	remove_dir();
}

enum { BLOCK = 4096, BLOCKS = 64 };

LEAT_TASK(fill_block, (leat_io, io), (int, i))
{
	char buf[BLOCK];

	memset(buf, i + 1, sizeof(buf));
	CHECK_EQ(leat_pwrite(io, buf, BLOCK, (int64_t)i * BLOCK, LEAT_FOREVER), BLOCK);
	memset(buf, 0, sizeof(buf));
	CHECK_EQ(leat_pread(io, buf, BLOCK, (int64_t)i * BLOCK, LEAT_FOREVER), BLOCK);
	for (int k = 0; k < BLOCK; k++)
		if (buf[k] != i + 1) {
			CHECK_EQ(k, -1);
			break;
		}
}

TEST(many_at_once)
{
	leat_group group;
	leat_io io;

	enter_dir();
	io = open_new("a");
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < BLOCKS; i++)
		CHECK_EQ(leat_go_in(&group, fill_block, io, i), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(leat_io_close(io), 0);
	CHECK_EQ(leat_unlink(path_of("a"), LEAT_FOREVER), 0);
	remove_dir();
}

LEAT_TASK(read_often, (leat_io, io), (int *, closed))
{
	char buf[64];

	for (;;) {
		int64_t r = leat_pread(io, buf, sizeof(buf), 0, LEAT_FOREVER);

		if (r == LEAT_ECLOSED)
			break;
		CHECK_EQ(r, 2);
	}
	__atomic_fetch_add(closed, 1, __ATOMIC_RELAXED);
}

/* The descriptor stays open as long as a call uses it. */
TEST(close_while_used)
{
	int closed = 0, fds = count_fds();
	leat_group group;

	enter_dir();
	for (int round = 0; round < 20; round++) {
		leat_io io = open_new("a");

		CHECK_EQ(leat_write(io, "ab", 2, LEAT_FOREVER), 2);
		REQUIRE(leat_group_init(&group, NULL) == 0);
		for (int i = 0; i < 4; i++)
			CHECK_EQ(leat_go_in(&group, read_often, io, &closed), 0);
		leat_sleep(LEAT_MS);
		CHECK_EQ(leat_io_close(io), 0);
		CHECK_EQ(leat_group_wait(&group), 0);
		leat_group_release(&group);
		CHECK_EQ(leat_unlink(path_of("a"), LEAT_FOREVER), 0);
	}
	CHECK_EQ(closed, 80);
	CHECK_EQ(count_fds(), fds);
	remove_dir();
}

static int hold(void *arg)
{
	leat_sem *gate = arg;

	return leat_sem_acquire(gate, 1);
}

LEAT_TASK(hold_thread, (leat_sem *, gate))
{
	CHECK_EQ(leat_blocking(hold, gate), 0);
}

LEAT_TASK(write_one, (leat_io, io), (int64_t *, ret))
{
	*ret = leat_write(io, "x", 1, LEAT_FOREVER);
}

/* A call that still waits for its turn when the handle is closed does nothing any more. */
TEST_WITH(close_while_queued, .blocking_threads = 1)
{
	leat_group group;
	struct stat st;
	leat_sem gate;
	int64_t r = 0;
	leat_io io;

	enter_dir();
	io = open_new("a");
	leat_sem_init(&gate, 1, 0);
	CHECK_EQ(leat_sem_acquire(&gate, 1), 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, hold_thread, &gate), 0);
	CHECK_EQ(leat_sleep(5 * LEAT_MS), 0);
	CHECK_EQ(leat_go_in(&group, write_one, io, &r), 0);
	CHECK_EQ(leat_sleep(5 * LEAT_MS), 0);
	CHECK_EQ(leat_io_close(io), 0);
	leat_sem_release(&gate, 1);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(r, LEAT_ECLOSED);
	CHECK(stat(path_of("a"), &st) == 0 && st.st_size == 0);
	CHECK_EQ(leat_unlink(path_of("a"), LEAT_FOREVER), 0);
	remove_dir();
}

/* Handles that are not closed are, with the runtime. */
static int leave_open(void *arg)
{
	leat_io io;

	(void)arg;
	return leat_open(&io, "/dev/zero", O_RDONLY, 0, LEAT_FOREVER);
}

TEST_PLAIN(closed_at_the_end)
{
	int fds = count_fds();

	for (int i = 0; i < 10; i++)
		CHECK_EQ(leat_run(NULL, leave_open, NULL), 0);
	CHECK_EQ(count_fds(), fds);
}
