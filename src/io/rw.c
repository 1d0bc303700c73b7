/* Reading and writing through handles of any kind. */
#include <errno.h>
#include <limits.h>

#include "io/io.h"

struct transfer {
	const struct iovec *iov;
	int count;
};

static int64_t try_read(struct leat__io *io, void *arg)
{
	const struct transfer *t = arg;

	return io->ops->read(io, t->iov, t->count);
}

static int64_t try_write(struct leat__io *io, void *arg)
{
	const struct transfer *t = arg;

	return io->ops->write(io, t->iov, t->count);
}

static void check(const char *function, const struct iovec *iov, int count)
{
	leat__check_fork(function, NULL);
	if (leat__unlikely(count < 0 || count > IOV_MAX))
		leat__misuse_at(function, iov, "count is %d; it must be 0 to %d", count, IOV_MAX);
	if (leat__unlikely(!iov && count > 0))
		leat__misuse_at(function, iov, "iov is NULL; it must be given");
	for (int i = 0; i < count; i++)
		if (leat__unlikely(!iov[i].iov_base && iov[i].iov_len > 0))
			leat__misuse_at(function, iov, "the buffer is NULL");
}

static int64_t transfer(leat_io handle, const struct iovec *iov, int count, bool write,
			int64_t deadline)
{
	struct transfer t = { iov, count };
	struct leat__io *io = leat__io_hold(handle);
	size_t all = leat__iov_size(iov, count);
	int64_t r;

	if (!io)
		return LEAT_ECLOSED;
	if (all == 0)
		r = 0;
	else if (write)
		r = leat__io_try(io, LEAT__WRITABLE, deadline, try_write, &t, all);
	else
		r = leat__io_try(io, LEAT__READABLE, deadline, try_read, &t, all);
	leat__io_release(io);
	return r;
}

int64_t leat_readv(leat_io io, const struct iovec *iov, int count, int64_t deadline)
{
	check(__func__, iov, count);
	return transfer(io, iov, count, false, deadline);
}

int64_t leat_writev(leat_io io, const struct iovec *iov, int count, int64_t deadline)
{
	check(__func__, iov, count);
	return transfer(io, iov, count, true, deadline);
}

int64_t leat_read(leat_io io, void *buf, size_t n, int64_t deadline)
{
	struct iovec iov = { buf, n };

	check(__func__, &iov, 1);
	return transfer(io, &iov, 1, false, deadline);
}

int64_t leat_write(leat_io io, const void *buf, size_t n, int64_t deadline)
{
	struct iovec iov = { (void *)(uintptr_t)buf, n };

	check(__func__, &iov, 1);
	return transfer(io, &iov, 1, true, deadline);
}

int leat_read_full(leat_io io, void *buf, size_t n, int64_t deadline, size_t *ret_done)
{
	size_t done = 0;
	int64_t r = 0;

	while (done < n) {
		r = leat_read(io, (char *)buf + done, n - done, deadline);
		if (r <= 0)
			break;
		done += (size_t)r;
	}
	if (ret_done)
		*ret_done = done;
	if (done == n)
		return 0;
	return r == 0 ? LEAT_EEND : (int)r;
}

int leat_write_all(leat_io io, const void *buf, size_t n, int64_t deadline, size_t *ret_done)
{
	size_t done = 0;
	int64_t r = 0;

	while (done < n && (r = leat_write(io, (const char *)buf + done, n - done, deadline)) > 0)
		done += (size_t)r;
	if (ret_done)
		*ret_done = done;
	return done == n ? 0 : (int)r;
}

void leat__io_check_what(const char *function, unsigned what)
{
	if (leat__unlikely(what == 0 || what > (LEAT_READABLE | LEAT_WRITABLE)))
		leat__misuse_at(function, NULL,
				"what is %u; give LEAT_READABLE, LEAT_WRITABLE or both", what);
}

int leat_io_wait(leat_io handle, unsigned what, int64_t deadline)
{
	struct leat__io *io;
	int64_t r;

	leat__check_fork(__func__, NULL);
	leat__io_check_what(__func__, what);
	io = leat__io_hold(handle);
	if (!io)
		return LEAT_ECLOSED;
	r = leat__io_wait(io, what, deadline);
	leat__io_release(io);
	return (int)r;
}

int leat_io_fd(leat_io handle)
{
	struct leat__io *io = leat__io_hold(handle);
	int fd = io ? io->fd : -1;

	if (io)
		leat__io_release(io);
	return fd >= 0 ? fd : -EBADF;
}
