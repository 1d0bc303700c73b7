/*
 * Handles of file descriptors that can be polled.
 *
 * A descriptor of ours is set to O_NONBLOCK.  One that others use, too
 * (LEAT_IO_INHERITED), keeps its flags: sockets are then used with MSG_DONTWAIT, and of a
 * pipe or a terminal only so much is read or written as poll(2) has said to be possible.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/io.h"
#include "port/sys.h"

static int64_t socket_read(struct leat__io *io, const struct iovec *iov, int count)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)iov,
				  .msg_iovlen = (size_t)count };

	if (count == 1)
		return LEAT__SYS(leat__sys_recv(io->fd, iov->iov_base, iov->iov_len,
						MSG_DONTWAIT));
	return LEAT__SYS(recvmsg(io->fd, &message, MSG_DONTWAIT));
}

static int64_t socket_write(struct leat__io *io, const struct iovec *iov, int count)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)iov,
				  .msg_iovlen = (size_t)count };

	if (count == 1)
		return LEAT__SYS(leat__sys_send(io->fd, iov->iov_base, iov->iov_len,
						MSG_DONTWAIT | MSG_NOSIGNAL));
	return LEAT__SYS(sendmsg(io->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static int64_t pipe_read(struct leat__io *io, const struct iovec *iov, int count)
{
	if ((io->flags & LEAT_IO_INHERITED) && !leat__poll_now(io->fd, LEAT__READABLE))
		return -EAGAIN;
	return LEAT__SYS(readv(io->fd, iov, count));
}

/* Workers have SIGPIPE blocked, other threads may not. */
static int64_t write_without_signal(int fd, const struct iovec *iov, int count)
{
	bool outside = leat__self() == NULL, was_blocked = outside && leat__sigpipe_begin();
	int64_t r = LEAT__SYS(writev(fd, iov, count));

	if (outside)
		leat__sigpipe_end(was_blocked);
	return r;
}

static int64_t pipe_write(struct leat__io *io, const struct iovec *iov, int count)
{
	struct iovec part = *iov;

	if (!(io->flags & LEAT_IO_INHERITED))
		return write_without_signal(io->fd, iov, count);
	if (!leat__poll_now(io->fd, LEAT__WRITABLE))
		return -EAGAIN;
	/* "Writable" promises room for so much. */
	if (part.iov_len > PIPE_BUF)
		part.iov_len = PIPE_BUF;
	return write_without_signal(io->fd, &part, 1);
}

void leat__fd_close(struct leat__io *io)
{
	leat__poll_remove(leat__rt, io->fd);
	if (!(io->flags & LEAT_IO_INHERITED))
		close(io->fd);
}

const struct leat__io_ops leat__socket_ops = {
	.name = "socket",
	.read = socket_read,
	.write = socket_write,
	.close = leat__fd_close,
	.short_is_all = true,
	.external = true,
};

const struct leat__io_ops leat__message_ops = {
	.name = "socket",
	.read = socket_read,
	.write = socket_write,
	.close = leat__fd_close,
	.external = true,
};

const struct leat__io_ops leat__pipe_ops = {
	.name = "pipe",
	.read = pipe_read,
	.write = pipe_write,
	.close = leat__fd_close,
	.external = true,
};

const struct leat__io_ops *leat__socket_ops_of(int family, int type)
{
	bool tcp = (family == AF_INET || family == AF_INET6) && type == SOCK_STREAM;

	return tcp ? &leat__socket_ops : &leat__message_ops;
}

/* The kind of a socket that somebody else has made. */
static const struct leat__io_ops *ops_of_fd(int fd)
{
	int family = 0, type = 0;
	socklen_t size = sizeof(int);

	if (LEAT__SYS(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size)) < 0 ||
	    LEAT__SYS(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size)) < 0)
		return &leat__message_ops;
	return leat__socket_ops_of(family, type);
}

int leat__io_adopt(leat_io *ret_io, int fd, unsigned flags, const struct leat__io_ops *ops,
		   uint32_t ready)
{
	struct leat__io *io = leat__io_new(ops, fd, NULL, ready);
	int r;

	if (!io)
		return -ENOMEM;
	io->flags = flags;
	r = leat__poll_add(leat__rt, fd, &io->pollable);
	if (r < 0) {
		leat__io_discard(io);
		return r;
	}
	*ret_io = leat__io_open(io);
	return 0;
}

int leat_io_adopt(leat_io *ret_io, int fd, unsigned flags)
{
	const uint32_t ready = LEAT__READABLE | LEAT__WRITABLE;
	bool ours = !(flags & LEAT_IO_INHERITED);
	struct stat st;
	int64_t r, old = 0;

	leat__check_fork(__func__, NULL);
	leat__require(ret_io);
	if (leat__unlikely(flags & ~(unsigned)LEAT_IO_INHERITED))
		leat__misuse(NULL, "flags is %u; give 0 or LEAT_IO_INHERITED", flags);
	r = LEAT__SYS(fstat(fd, &st));
	if (r < 0)
		return (int)r;
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return leat__file_adopt(ret_io, fd, flags);
	if (ours) {
		old = r = LEAT__SYS(fcntl(fd, F_GETFL));
		if (r >= 0)
			r = LEAT__SYS(fcntl(fd, F_SETFL, (int)r | O_NONBLOCK));
		if (r < 0)
			return (int)r;
	}
	r = leat__io_adopt(ret_io, fd, flags,
			   S_ISSOCK(st.st_mode) ? ops_of_fd(fd) : &leat__pipe_ops, ready);
	if (r < 0 && ours)
		(void)LEAT__SYS(fcntl(fd, F_SETFL, (int)old));
	/* A device that cannot be polled, as /dev/zero: like a file. */
	return r == -EPERM ? leat__file_adopt(ret_io, fd, flags) : (int)r;
}
