/*
 * The journal when the kernel does not do what it was asked: short and interrupted writes, a full
 * disk, a disk with errors, no thread.  And what it asks for, in what order: the linker
 * puts the functions below between the journal and libc (meson.build).
 */
#include <stdarg.h>
#include <sys/mount.h>

#include "journal_lib.h"

static struct {
	size_t short_by;	/* at most so many bytes a write, every second is interrupted */
	bool full;		/* after `room` bytes a write fails */
	size_t room;
	int cut_error, sync_error, blocking_error;
	int output;		/* whose sync is not the journal's */
	void (*in_sync)(bool of_output);
	bool interrupted, reboot;
	char calls[64];		/* w rite, c ut, s ync, o utput's sync, d irectory's */
} fault = { .output = -1 };

ssize_t __real_pwrite64(int fd, const void *bytes, size_t n, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t offset);
int __real_ftruncate64(int fd, off_t size);
int __wrap_ftruncate64(int fd, off_t size);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __real_leat_blocking(int (*fn)(void *arg), void *arg);
int __wrap_leat_blocking(int (*fn)(void *arg), void *arg);

static void called(char what)
{
	size_t n = strlen(fault.calls);

	if (n + 1 < sizeof(fault.calls))
		fault.calls[n] = what;
}

static void check_calls(const char *expected)
{
	CHECK_STR(fault.calls, expected);
	memset(fault.calls, 0, sizeof(fault.calls));
}

static ssize_t fail(int error)
{
	errno = error;
	return -1;
}

ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t offset)
{
	called('w');
	fault.interrupted = !fault.interrupted;
	if (fault.short_by && fault.interrupted)
		return fail(EINTR);
	if (fault.short_by && n > fault.short_by)
		n = fault.short_by;
	if (fault.full && fault.room == 0)
		return fail(ENOSPC);
	if (fault.full && n > fault.room)
		n = fault.room;
	if (fault.full)
		fault.room -= n;
	return __real_pwrite64(fd, bytes, n, offset);
}

int __wrap_ftruncate64(int fd, off_t size)
{
	called('c');
	return fault.cut_error ? (int)fail(fault.cut_error) : __real_ftruncate64(fd, size);
}

int __wrap_fdatasync(int fd)
{
	called(fd == fault.output ? 'o' : 's');
	if (fault.in_sync)
		fault.in_sync(fd == fault.output);
	return fault.sync_error ? (int)fail(fault.sync_error) : __real_fdatasync(fd);
}

int __wrap_fsync(int fd)
{
	called('d');
	return __real_fsync(fd);
}

/* After set_boot, or with no boot known. */
int __wrap_open64(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = (mode_t)va_arg(args, int);
	va_end(args);
	if (fault.reboot && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0)
		path = path_of("boot");
	return __real_open64(path, flags, mode);
}

int __wrap_leat_blocking(int (*fn)(void *arg), void *arg)
{
	return fault.blocking_error ? fault.blocking_error : __real_leat_blocking(fn, arg);
}

static struct bytes bytes;

/* What a kill leaves: the file as it is now, under another name, without a lock. */
static const char *copy_of(const char *path)
{
	const char *copy = path_of("copy");

	read_file(path, &bytes);
	write_file(copy, bytes.b, bytes.n);
	return copy;
}

static void set_boot(const char *id)
{
	fault.reboot = true;
	write_file(path_of("boot"), id, strlen(id));
}

static size_t size_of(const char *path)
{
	struct stat st;

	CHECK_EQ(stat(path, &st), 0);
	return (size_t)st.st_size;
}

static void check_line(const char *path, const char *line, enum journal_state state)
{
	struct journal *j = open_how(path, JOURNAL_RESUME);
	uint64_t done, failed, bad;

	CHECK_EQ(state_of(j, line), state);
	journal_counts(j, &done, &failed, &bad);
	CHECK_EQ(bad, 0);
	CHECK_EQ(journal_close(j), 0);
}

TEST(short_and_interrupted_writes)
{
	const char *path = path_of("j");
	struct journal *j;

	for (fault.short_by = 1; fault.short_by < 40; fault.short_by += 6) {
		unlink(path);
		make_file(path, 10);
		j = open_how(path, JOURNAL_RESUME);
		CHECK_EQ(count_done(j, 10), 10);
		CHECK_EQ(journal_close(j), 0);
		CHECK_EQ(size_of(path), HEADER + 13 * RECORD);
	}
}

static void check_full(size_t room, bool cut_fails)
{
	const char *path = path_of("j");
	struct journal *j = open_how(path, JOURNAL_NEW);
	struct journal_key key;
	size_t size;

	add_line(j, "a", JOURNAL_DONE);
	size = size_of(path);
	key_of(j, "b", &key);
	fault.full = true;
	fault.room = room;
	fault.cut_error = cut_fails ? EIO : 0;
	CHECK_EQ(journal_add(j, &key, JOURNAL_DONE), -ENOSPC);
	CHECK_EQ(size_of(path), size + (cut_fails ? room : 0));
	fault.full = false;
	fault.cut_error = 0;
	check_line(copy_of(path), "a", JOURNAL_DONE);
	check_line(copy_of(path), "b", JOURNAL_UNKNOWN);
	/* The next one is written where the failed one would have been. */
	add_line(j, "c", JOURNAL_DONE);
	CHECK_EQ(size_of(path), size + RECORD);
	CHECK_EQ(journal_close(j), 0);
	check_line(path, "a", JOURNAL_DONE);
	check_line(path, "b", JOURNAL_UNKNOWN);
	check_line(path, "c", JOURNAL_DONE);
	unlink(path);
}

TEST(full_disk)
{
	for (size_t room = 0; room < RECORD; room++) {
		check_full(room, false);
		check_full(room, true);
	}
}

TEST(full_disk_at_the_start)
{
	const char *path = path_of("j");
	struct journal *j;

	fault.full = true;
	for (size_t room = 0; room < HEADER + RECORD; room += 9) {
		fault.room = room;
		CHECK_EQ(journal_open(&j, path, JOURNAL_NEW, false, command, 2, why, sizeof(why)),
			 -ENOSPC);
		CHECK(strstr(why, strerror(ENOSPC)));
	}
	fault.full = false;
	make_file(path, 1);
	/* A resume that cannot write its mark has taken nothing away. */
	fault.full = true;
	fault.room = 0;
	CHECK_EQ(journal_open(&j, path, JOURNAL_RESUME, false, command, 2, why, sizeof(why)),
		 -ENOSPC);
	fault.full = false;
	check_line(path, "0", JOURNAL_DONE);
}

/* Nothing is lost, either, if there is something to be cut off: what comes first is the mark. */
TEST(full_disk_after_a_reboot)
{
	const char *path = path_of("j"), *copy;
	struct journal *j;

	set_boot("one");
	j = open_how(path, JOURNAL_NEW);
	add_line(j, "a", JOURNAL_DONE);
	CHECK_EQ(journal_sync(j), 0);
	add_line(j, "b", JOURNAL_DONE);
	add_line(j, "c", JOURNAL_DONE);
	copy = copy_of(path);
	set_boot("two");
	fault.full = true;
	fault.cut_error = EIO;
	CHECK_EQ(journal_open(&j, copy, JOURNAL_RESUME, false, command, 2, why, sizeof(why)),
		 -ENOSPC);
	fault.full = false;
	CHECK_EQ(journal_open(&j, copy, JOURNAL_RESUME, false, command, 2, why, sizeof(why)),
		 -EIO);
	fault.cut_error = 0;
	set_boot("three");
	check_line(copy, "a", JOURNAL_DONE);
	check_line(copy, "b", JOURNAL_UNKNOWN);
	CHECK_EQ(journal_close(j), 0);
}

TEST(full_disk_at_a_sync)
{
	struct journal *j = open_how(path_of("j"), JOURNAL_NEW);

	add_line(j, "a", JOURNAL_DONE);
	fault.full = true;
	CHECK_EQ(journal_sync(j), -ENOSPC);
	fault.full = false;
	add_line(j, "b", JOURNAL_DONE);
	CHECK_EQ(journal_sync(j), 0);
	CHECK_EQ(journal_close(j), 0);
}

/* The kernel's own, where this may mount a file system of a few pages. */
TEST(full_file_system)
{
	const char *dir = path_of("mount");
	struct journal_key key;
	char path[1100], line[16];
	struct journal *j;
	int n = 0, r;

	CHECK_EQ(mkdir(dir, 0700), 0);
	if (mount("leat", dir, "tmpfs", 0, "size=16k") < 0)
		SKIP("cannot mount a file system");
	snprintf(path, sizeof(path), "%s/j", dir);
	j = open_how(path, JOURNAL_NEW);
	for (r = 0; r == 0 && n < 4096; n += r == 0) {
		snprintf(line, sizeof(line), "%d", n);
		key_of(j, line, &key);
		r = journal_add(j, &key, JOURNAL_DONE);
	}
	CHECK_EQ(r, -ENOSPC);
	CHECK_EQ(size_of(path) % RECORD, 0);
	CHECK_EQ(journal_close(j), -ENOSPC); /* no room for its mark */
	CHECK_EQ(journal_open(&j, path, JOURNAL_RESUME, false, command, 2, why, sizeof(why)),
		 -ENOSPC);
	CHECK_EQ(mount("leat", dir, "tmpfs", MS_REMOUNT, "size=32k"), 0);
	j = open_how(path, JOURNAL_RESUME);
	CHECK_EQ(count_done(j, n + 1), n);
	add_line(j, "more", JOURNAL_DONE);
	CHECK_EQ(journal_close(j), 0);
	CHECK_EQ(umount(dir), 0);
}

TEST(error_of_a_sync_stays)
{
	const char *path = path_of("j");
	struct journal *j = open_how(path, JOURNAL_NEW);
	struct journal_key key;
	size_t size;

	add_line(j, "a", JOURNAL_DONE);
	fault.sync_error = EIO;
	CHECK_EQ(journal_sync(j), -EIO);
	fault.sync_error = 0;
	size = size_of(path);
	key_of(j, "b", &key);
	CHECK_EQ(journal_add(j, &key, JOURNAL_DONE), -EIO);
	memset(fault.calls, 0, sizeof(fault.calls));
	CHECK_EQ(journal_sync(j), -EIO);
	CHECK_EQ(journal_close(j), -EIO);
	check_calls("");
	CHECK_EQ(size_of(path), size);
}

TEST(error_of_the_output_stays)
{
	const char *path = path_of("j");
	struct journal *j = open_how(path, JOURNAL_NEW);
	int fd = open(path_of("out"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	journal_set_output(j, fd);
	fault.output = fd;
	add_line(j, "a", JOURNAL_DONE);
	memset(fault.calls, 0, sizeof(fault.calls));
	fault.sync_error = EIO;
	CHECK_EQ(journal_sync(j), -EIO);
	check_calls("o"); /* and no mark */
	fault.sync_error = 0;
	CHECK_EQ(journal_close(j), -EIO);
	close(fd);
}

TEST(output_goes_to_the_disk_first)
{
	const char *path = path_of("j");
	int fd = open(path_of("out"), O_RDWR | O_CREAT | O_CLOEXEC, 0600), fds[2];
	struct journal *j;

	j = open_how(path, JOURNAL_NEW);
	check_calls("cwwsd");
	CHECK_EQ(journal_sync(j), 0);
	check_calls(""); /* nothing new */
	add_line(j, "a", JOURNAL_DONE);
	CHECK_EQ(journal_sync(j), 0);
	check_calls("wws");
	fault.output = fd;
	journal_set_output(j, fd);
	add_line(j, "b", JOURNAL_DONE);
	add_line(j, "c", JOURNAL_DONE);
	CHECK_EQ(journal_sync(j), 0);
	check_calls("wwows");
	CHECK_EQ(journal_sync(j), 0);
	check_calls("");
	/* A pipe has nothing to be synced. */
	REQUIRE(pipe(fds) == 0);
	fault.output = fds[1];
	journal_set_output(j, fds[1]);
	add_line(j, "d", JOURNAL_DONE);
	CHECK_EQ(journal_close(j), 0);
	check_calls("wws");
	j = open_how(path, JOURNAL_RESUME);
	check_calls("ws");
	CHECK_EQ(journal_close(j), 0);
	check_calls("");
}

static leat_sem entered, leave;

static void hold(bool of_output)
{
	leat_sem_release(&entered, 1);
	CHECK_EQ(leat_sem_acquire(&leave, 1), 0);
}

LEAT_TASK_ERR(sync_task, (struct journal *, j))
{
	return journal_sync(j);
}

TEST(adds_do_not_wait_for_a_sync)
{
	const char *path = path_of("j");
	struct journal *j = open_how(path, JOURNAL_NEW);
	leat_group group;

	leat_sem_init(&entered, 1, 0);
	leat_sem_init(&leave, 1, 0);
	REQUIRE(leat_sem_try_acquire(&entered, 1) == 0 && leat_sem_try_acquire(&leave, 1) == 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	add_line(j, "a", JOURNAL_DONE);
	fault.in_sync = hold;
	CHECK_EQ(leat_go_in(&group, sync_task, j), 0);
	REQUIRE(leat_sem_acquire(&entered, 1) == 0);
	add_line(j, "b", JOURNAL_DONE);
	leat_sem_release(&leave, 1);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	fault.in_sync = NULL;
	/* It was too late for that sync. */
	memset(fault.calls, 0, sizeof(fault.calls));
	CHECK_EQ(journal_sync(j), 0);
	check_calls("ws");
	CHECK_EQ(journal_close(j), 0);
	check_line(path, "b", JOURNAL_DONE);
}

TEST(unsynced_is_not_believed_after_a_reboot)
{
	const char *path = path_of("j"), *copy;
	struct journal *j;

	set_boot("one");
	j = open_how(path, JOURNAL_NEW);
	add_line(j, "a", JOURNAL_DONE);
	CHECK_EQ(journal_sync(j), 0);
	add_line(j, "b", JOURNAL_DONE);
	copy = copy_of(path);
	check_line(copy, "b", JOURNAL_DONE);
	/* It is not made sure by the run that read it. */
	check_line(copy, "b", JOURNAL_DONE);
	set_boot("two");
	check_line(copy, "b", JOURNAL_UNKNOWN);
	check_line(copy, "a", JOURNAL_DONE);
	set_boot("one");
	check_line(copy, "b", JOURNAL_UNKNOWN);
	check_line(copy, "a", JOURNAL_DONE);
	CHECK_EQ(journal_close(j), 0);
	set_boot("two");
	check_line(path, "b", JOURNAL_DONE);
}

TEST(unknown_boot_is_another)
{
	const char *path = path_of("j");
	struct journal *j;

	fault.reboot = true;
	j = open_how(path, JOURNAL_NEW);
	add_line(j, "a", JOURNAL_DONE);
	CHECK_EQ(journal_sync(j), 0);
	add_line(j, "b", JOURNAL_DONE);
	check_line(copy_of(path), "b", JOURNAL_UNKNOWN);
	check_line(copy_of(path), "a", JOURNAL_DONE);
	CHECK_EQ(journal_close(j), 0);
}

static struct journal *added_to;

static void add_meanwhile(bool of_output)
{
	if (of_output)
		add_line(added_to, "meanwhile", JOURNAL_DONE);
}

/* Its output may have missed the sync that was on. */
TEST(added_during_the_output_s_sync)
{
	const char *path = path_of("j");
	int fd = open(path_of("out"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	set_boot("one");
	added_to = open_how(path, JOURNAL_NEW);
	fault.output = fd;
	journal_set_output(added_to, fd);
	add_line(added_to, "a", JOURNAL_DONE);
	fault.in_sync = add_meanwhile;
	CHECK_EQ(journal_sync(added_to), 0);
	fault.in_sync = NULL;
	copy_of(path);
	set_boot("two");
	check_line(path_of("copy"), "meanwhile", JOURNAL_UNKNOWN);
	check_line(path_of("copy"), "a", JOURNAL_DONE);
	CHECK_EQ(journal_sync(added_to), 0);
	check_line(copy_of(path), "meanwhile", JOURNAL_DONE);
	CHECK_EQ(journal_close(added_to), 0);
	close(fd);
}

TEST(no_thread_to_be_had)
{
	fault.blocking_error = -EAGAIN;
	make_file(path_of("j"), 3);
	check_line(path_of("j"), "2", JOURNAL_DONE);
}

static void on_a_thread_of_the_pool(bool of_output)
{
	CHECK_EQ(leat_task_id(), 0);
}

LEAT_TASK_ERR(sync_cancelled, (struct journal *, j), (leat_group *, group))
{
	leat_group_cancel(group, 0);
	CHECK(leat_cancelled());
	add_line(j, "b", JOURNAL_DONE);
	CHECK_EQ(journal_sync(j), 0);
	return journal_close(j);
}

TEST(cancelled_run_is_still_written)
{
	const char *path = path_of("j");
	struct journal *j = open_how(path, JOURNAL_NEW);
	leat_group group;

	memset(fault.calls, 0, sizeof(fault.calls));
	fault.in_sync = on_a_thread_of_the_pool;
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, sync_cancelled, j, &group), 0);
	CHECK_EQ(leat_group_wait(&group), -ECANCELED);
	leat_group_release(&group);
	check_calls("wws");
	check_line(path, "b", JOURNAL_DONE);
}
