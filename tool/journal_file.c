#include "journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <leat/base.h>
#include <leat/time.h>

#include "crash.h"

int journal_file_open(const char *path)
{
	/* No device or FIFO is to be waited for; fstat(2) tells the caller what it is. */
	int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
	int fd;

	crash_point("before open");
	do
		fd = open(path, flags, 0600);
	while (fd < 0 && leat_errno() == EINTR);
	if (fd < 0)
		return -leat_errno();
	crash_point("after open");
	return fd;
}

/*
 * A process that was killed has the lock until its memory is torn down, and its child between
 * fork and exec a moment longer.
 */
int journal_file_lock(int fd)
{
	const struct timespec pause = { .tv_nsec = 5 * LEAT_MS };

	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
		int error = leat_errno();

		if (error == EINTR)
			continue;
		if (error != EWOULDBLOCK)
			return -error;
		if (tries == 100)
			return -EBUSY;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* Not O_APPEND: what an error has left of a record is to be written over, not to stay. */
int journal_file_write(int fd, const void *bytes, size_t n, uint64_t offset)
{
	crash_point("before write");
	while (n > 0) {
		ssize_t r = pwrite(fd, bytes, n, (off_t)offset);
		int error = r < 0 ? leat_errno() : EIO; /* EIO: 0 bytes of n */

		if (r < 0 && error == EINTR)
			continue;
		if (r <= 0)
			return -error;
		bytes = (const char *)bytes + r;
		n -= (size_t)r;
		offset += (uint64_t)r;
	}
	crash_point("after write");
	return 0;
}

int64_t journal_file_read(int fd, void *bytes, size_t n, uint64_t offset)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = pread(fd, (char *)bytes + done, n - done, (off_t)(offset + done));

		if (r < 0 && leat_errno() == EINTR)
			continue;
		if (r < 0)
			return -leat_errno();
		if (r == 0)
			break;
		done += (size_t)r;
	}
	return (int64_t)done;
}

int journal_file_cut(int fd, uint64_t size)
{
	int r;

	crash_point("before ftruncate");
	do
		r = ftruncate(fd, (off_t)size);
	while (r < 0 && leat_errno() == EINTR);
	if (r < 0)
		return -leat_errno();
	crash_point("after ftruncate");
	return 0;
}

int journal_file_sync(int fd)
{
	int r;

	crash_point("before fsync");
	do
		r = fdatasync(fd);
	while (r < 0 && leat_errno() == EINTR);
	if (r < 0)
		return -leat_errno();
	crash_point("after fsync");
	return 0;
}

/* "." for a name alone. */
static int open_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *copy;
	int fd, error;

	copy = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	if (!copy)
		return -ENOMEM;
	fd = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	error = fd < 0 ? leat_errno() : 0;
	free(copy);
	return fd < 0 ? -error : fd;
}

/*
 * A directory that one may write to but not read cannot be synced, and some file systems have
 * no such call: then it is theirs to keep the name.
 */
int journal_file_sync_directory(const char *path)
{
	int fd = open_directory(path), r;

	if (fd < 0)
		return fd == -EACCES ? 0 : fd;
	crash_point("before fsync of the directory");
	do
		r = fsync(fd) < 0 ? -leat_errno() : 0;
	while (r == -EINTR);
	close(fd);
	crash_point("after fsync of the directory");
	return r == -EINVAL || r == -EBADF || r == -EROFS ? 0 : r;
}
