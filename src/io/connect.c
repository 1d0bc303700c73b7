/* Connecting. */
#include "io/sim_net.h"
#include "io/socket.h"

#include <errno.h>
#include <unistd.h>

#include "port/sys.h"

/*
 * connect(2), without waiting.  0, -EINPROGRESS, or an error.  A Unix socket whose listener has
 * no place in its queue says -EAGAIN; nobody will say when it has: asks again.
 */
static int start(int fd, const leat_addr *addr, int64_t deadline)
{
	int64_t pause = 0, until = 0;
	int r;

	for (;;) {
		r = (int)LEAT__SYS(connect(fd, (const struct sockaddr *)&addr->_storage,
					   addr->_size));
		if (r != -EAGAIN || addr->_storage.ss_family != AF_UNIX)
			return r == -EINTR ? -EINPROGRESS : r;
		if (until >= deadline)
			return -ETIMEDOUT;
		pause = leat__socket_pause(pause);
		until = leat_in(pause);
		if (until > deadline)
			until = deadline;
		r = leat_sleep_until(until);
		if (r < 0)
			return r;
	}
}

/* Waits until the kernel knows what became of it. */
static int finish(leat_io handle, int64_t deadline)
{
	struct leat__io *io = leat__io_hold(handle);
	socklen_t size = sizeof(int);
	int error = 0;
	int64_t r;

	r = leat__io_wait(io, LEAT__WRITABLE, deadline);
	if (r >= 0)
		r = LEAT__SYS(getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &error, &size));
	leat__io_release(io);
	return r < 0 ? (int)r : -error;
}

static int begin(const leat_addr *addr, const leat_socket_options *options, int64_t deadline,
		 int *ret_fd)
{
	int fd = leat__socket_open(addr, SOCK_STREAM, options), r = 0;

	if (fd < 0)
		return fd;
	if (options->local)
		r = leat__socket_bind(fd, SOCK_STREAM, options->local, options);
	if (r == 0)
		r = start(fd, addr, deadline);
	if (r < 0 && r != -EINPROGRESS)
		close(fd);
	else
		*ret_fd = fd;
	return r;
}

int leat_connect(leat_io *ret_io, const leat_addr *addr, const leat_socket_options *options,
		 int64_t deadline)
{
	struct leat__worker *w;
	struct leat__task *me;
	int fd = -1, r, started;
	leat_io io;

	options = leat__socket_options(options, __func__);
	leat__require(ret_io);
	leat__require(addr);
	r = leat__enter(&w, &me);
	if (r < 0)
		return r;
	if (leat__sim_io())
		return leat__sim_connect(ret_io, addr, options, deadline);
	started = begin(addr, options, deadline, &fd);
	if (fd < 0)
		return started;
	/* Not before: epoll calls a socket that does not connect yet writable. */
	r = leat__io_adopt(&io, fd, 0,
			   leat__socket_ops_of(addr->_storage.ss_family, SOCK_STREAM),
			   started == 0 ? LEAT__WRITABLE : 0);
	if (r < 0) {
		close(fd);
		return r;
	}
	if (started < 0)
		r = finish(io, deadline);
	if (r < 0)
		leat_io_close(io);
	else
		*ret_io = io;
	return r;
}
