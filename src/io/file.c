/*
 * Files: every system call runs on a thread of the pool (rt/blocking.c), as what a poller
 * says of files is of no use: they are always ready, and reading waits all the same.
 * Under simulation they are those of sim_disk.c.
 */
#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/io.h"
#include "io/sim_disk.h"
#include "port/sys.h"
#include "rt/blocking.h"

static int64_t file_read(struct leat__io *io, const struct iovec *iov, int count)
{
	return LEAT__SYS(readv(io->fd, iov, count));
}

static int64_t file_write(struct leat__io *io, const struct iovec *iov, int count)
{
	return LEAT__SYS(writev(io->fd, iov, count));
}

static void file_close(struct leat__io *io)
{
	if (!(io->flags & LEAT_IO_INHERITED))
		close(io->fd);
}

const struct leat__io_ops leat__file_ops = {
	.name = "file",
	.read = file_read,
	.write = file_write,
	.close = file_close,
	.blocks = true,
};

struct attempt {
	struct leat__io *io;
	int64_t (*fn)(struct leat__io *io, void *arg);
	void *arg;
};

static int64_t run_attempt(void *arg)
{
	struct attempt *attempt = arg;
	int64_t r;

	/* While it waited for its turn. */
	if (leat__io_is_closing(attempt->io))
		return LEAT_ECLOSED;
	do
		r = attempt->fn(attempt->io, attempt->arg);
	while (r == -EINTR);
	return r;
}

int64_t leat__io_block(struct leat__io *io, int64_t deadline,
		       int64_t (*fn)(struct leat__io *io, void *arg), void *arg)
{
	struct attempt attempt = { io, fn, arg };

	if (leat__sim_is_file(io))
		return leat__sim_disk_call(run_attempt, &attempt, deadline);
	return leat__blocking(run_attempt, &attempt, deadline);
}

int leat__file_adopt(leat_io *ret_io, int fd, unsigned flags)
{
	struct leat__io *io = leat__io_new(&leat__file_ops, fd, NULL, 0);

	if (!io)
		return -ENOMEM;
	io->flags = flags;
	*ret_io = leat__io_open(io);
	return 0;
}

static void check_path(const char *function, const char *path)
{
	leat__check_fork(function, NULL);
	if (leat__unlikely(!path))
		leat__misuse_at(function, NULL, "the path is NULL");
}

/* real on a thread of the pool: a disk may take its time, or the other end of a FIFO. */
static int64_t on_path(struct leat__path_call *call, int64_t deadline, int64_t (*real)(void *call),
		       int64_t (*simulated)(void *call))
{
	if (leat__sim_has(call->path) || (call->to && leat__sim_has(call->to)))
		return leat__sim_disk_call(simulated, call, deadline);
	return leat__blocking(real, call, deadline);
}

static int64_t run_open(void *arg)
{
	struct leat__path_call *call = arg;
	int64_t fd, r;

	do
		fd = LEAT__SYS(open(call->path, call->flags | O_CLOEXEC, call->mode));
	while (fd == -EINTR);
	if (fd < 0)
		return fd;
	r = leat_io_adopt(&call->ret_io, (int)fd, 0);
	if (r < 0)
		close((int)fd);
	return r;
}

int leat_open(leat_io *ret_io, const char *path, int flags, mode_t mode, int64_t deadline)
{
	struct leat__path_call call = { .path = path, .flags = flags, .mode = mode };
	int r;

	check_path(__func__, path);
	leat__require(ret_io);
	r = (int)on_path(&call, deadline, run_open, leat__sim_open);
	if (r == 0)
		*ret_io = call.ret_io;
	return r;
}

struct span {
	char *buf;
	size_t n;
	int64_t offset;
};

static int64_t try_pread(struct leat__io *io, void *arg)
{
	struct span *s = arg;

	if (leat__sim_is_file(io))
		return leat__sim_pread(io, s->buf, s->n, s->offset);
	return LEAT__SYS(pread(io->fd, s->buf, s->n, s->offset));
}

static int64_t try_pwrite(struct leat__io *io, void *arg)
{
	struct span *s = arg;

	if (leat__sim_is_file(io))
		return leat__sim_pwrite(io, s->buf, s->n, s->offset);
	return LEAT__SYS(pwrite(io->fd, s->buf, s->n, s->offset));
}

static int64_t try_fsync(struct leat__io *io, void *arg)
{
	(void)arg;
	return leat__sim_is_file(io) ? 0 : LEAT__SYS(fsync(io->fd));
}

/* Of handles that have no descriptor the kernel says -EBADF. */
static int64_t on_handle(leat_io handle, int64_t deadline,
			 int64_t (*fn)(struct leat__io *io, void *arg), void *arg)
{
	struct leat__io *io = leat__io_hold(handle);
	int64_t r;

	if (!io)
		return LEAT_ECLOSED;
	r = leat__io_block(io, deadline, fn, arg);
	leat__io_release(io);
	return r;
}

static void check_span(const char *function, const void *buf, size_t n, int64_t offset)
{
	leat__check_fork(function, NULL);
	if (leat__unlikely(!buf && n > 0))
		leat__misuse_at(function, NULL, "the buffer is NULL");
	if (leat__unlikely(offset < 0))
		leat__misuse_at(function, NULL, "the offset is %lld; it must be 0 or more",
				(long long)offset);
}

int64_t leat_pread(leat_io io, void *buf, size_t n, int64_t offset, int64_t deadline)
{
	struct span span = { buf, n, offset };

	check_span(__func__, buf, n, offset);
	return on_handle(io, deadline, try_pread, &span);
}

int64_t leat_pwrite(leat_io io, const void *buf, size_t n, int64_t offset, int64_t deadline)
{
	struct span span = { (char *)(uintptr_t)buf, n, offset };

	check_span(__func__, buf, n, offset);
	return on_handle(io, deadline, try_pwrite, &span);
}

int leat_fsync(leat_io io, int64_t deadline)
{
	leat__check_fork(__func__, NULL);
	return (int)on_handle(io, deadline, try_fsync, NULL);
}

static int64_t run_rename(void *arg)
{
	struct leat__path_call *call = arg;

	return LEAT__SYS(rename(call->path, call->to));
}

static int64_t run_unlink(void *arg)
{
	struct leat__path_call *call = arg;

	return LEAT__SYS(unlink(call->path));
}

int leat_rename(const char *from, const char *to, int64_t deadline)
{
	struct leat__path_call call = { .path = from, .to = to };

	check_path(__func__, from);
	check_path(__func__, to);
	return (int)on_path(&call, deadline, run_rename, leat__sim_rename);
}

int leat_unlink(const char *path, int64_t deadline)
{
	struct leat__path_call call = { .path = path };

	check_path(__func__, path);
	return (int)on_path(&call, deadline, run_unlink, leat__sim_unlink);
}

enum { DIR_BUFFER = 32 * 1024 };

leat_dir *leat__dir_new(int fd, size_t size)
{
	leat_dir *dir = leat__alloc(sizeof(*dir) + size);

	if (!dir)
		return NULL;
	dir->fd = fd;
	dir->size = size;
	dir->at = dir->filled = 0;
	return dir;
}

static int64_t run_dir_open(void *arg)
{
	struct leat__path_call *call = arg;
	int64_t fd = LEAT__SYS(open(call->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	if (fd < 0)
		return fd;
	call->ret_dir = leat__dir_new((int)fd, DIR_BUFFER);
	if (call->ret_dir)
		return 0;
	close((int)fd);
	return -ENOMEM;
}

static int64_t run_dir_read(void *arg)
{
	leat_dir *dir = arg;

	return LEAT__SYS(getdents64(dir->fd, dir->buf, dir->size));
}

int leat_dir_open(leat_dir **ret_dir, const char *path, int64_t deadline)
{
	struct leat__path_call call = { .path = path };
	int r;

	check_path(__func__, path);
	leat__require(ret_dir);
	r = (int)on_path(&call, deadline, run_dir_open, leat__sim_dir_open);
	if (r == 0)
		*ret_dir = call.ret_dir;
	return r;
}

int leat_dir_next(leat_dir *dir, leat_dir_entry *ret_entry, int64_t deadline)
{
	leat__check_fork(__func__, dir);
	if (leat__unlikely(!dir))
		leat__misuse(dir, "the directory is NULL; open it with leat_dir_open");
	leat__require(ret_entry);
	for (;;) {
		const struct dirent64 *raw = (const void *)(dir->buf + dir->at);
		int64_t r;

		if (dir->at == dir->filled) {
			if (dir->fd < 0)
				return 0;
			r = leat__blocking(run_dir_read, dir, deadline);
			if (r <= 0)
				return (int)r;
			dir->at = 0;
			dir->filled = (size_t)r;
			continue;
		}
		dir->at += raw->d_reclen;
		if (strcmp(raw->d_name, ".") == 0 || strcmp(raw->d_name, "..") == 0)
			continue;
		*ret_entry = (leat_dir_entry){ raw->d_name, raw->d_ino, raw->d_type };
		return 1;
	}
}

void leat_dir_close(leat_dir *dir)
{
	if (!dir)
		return;
	leat__check_fork(__func__, dir);
	if (dir->fd >= 0)
		close(dir->fd);
	leat__free(dir, sizeof(*dir) + dir->size);
}
