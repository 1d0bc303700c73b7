/*
 * Accepting connections.
 *
 * When something has run out, the kernel keeps the connection and the listener stays
 * readable: nobody will say when to try again.  So the task waits in the listener (where a
 * close finds it), for longer each time.  A connection that was accepted but got
 * no handle is kept over these waits.
 */
#include "io/sim_net.h"
#include "io/socket.h"

#include <errno.h>
#include <unistd.h>

#include "port/sys.h"

struct accepting {
	int fd;			/* accepted, has no handle yet; -1: none */
	leat_addr peer;
};

/* Errors of the connection, not of the listener; see accept(2). */
static bool is_of_connection(int64_t r)
{
	switch (r) {
	case -ECONNABORTED:
	case -ENETDOWN:
	case -EPROTO:
	case -ENOPROTOOPT:
	case -EHOSTDOWN:
	case -ENONET:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
		return true;
	default:
		return false;
	}
}

static bool is_shortage(int64_t r)
{
	/* ENOSPC: of epoll_ctl(2). */
	return r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM || r == -ENOSPC;
}

static int64_t try_accept(struct leat__io *io, void *arg)
{
	struct accepting *a = arg;
	int64_t r;

	/* Its flags are somebody else's: accept4 may block. */
	if ((io->flags & LEAT_IO_INHERITED) && !leat__poll_now(io->fd, LEAT__READABLE))
		return -EAGAIN;
	a->peer._size = sizeof(a->peer._storage);
	r = LEAT__SYS(accept4(io->fd, (struct sockaddr *)&a->peer._storage, &a->peer._size,
			      SOCK_NONBLOCK | SOCK_CLOEXEC));
	return is_of_connection(r) ? -EINTR : r;
}

static int accept_one(struct leat__io *io, struct accepting *a, leat_io *ret_io, int64_t deadline)
{
	int64_t r;

	if (a->fd < 0) {
		r = leat__io_try(io, LEAT__READABLE, deadline, try_accept, a, 0);
		if (r < 0)
			return (int)r;
		a->fd = (int)r;
	}
	/* Of the listener's kind. */
	return leat__io_adopt(ret_io, a->fd, 0, io->ops, LEAT__READABLE | LEAT__WRITABLE);
}

int leat_accept(leat_io listener, leat_io *ret_io, leat_addr *ret_peer, int64_t deadline)
{
	struct leat__io *io = leat__io_hold(listener);
	struct accepting a = { .fd = -1 };
	int64_t pause = 0, until = 0;
	int r, k;

	leat__check_fork(__func__, NULL);
	leat__require(ret_io);
	if (!io)
		return LEAT_ECLOSED;
	while (is_shortage(r = leat__sim_is_listener(io) ?
				   leat__sim_accept(io, ret_io, &a.peer, deadline) :
				   accept_one(io, &a, ret_io, deadline))) {
		if (until >= deadline)
			break;
		pause = leat__socket_pause(pause);
		until = leat_in(pause);
		if (until > deadline)
			until = deadline;
		k = leat__io_pause(io, until);
		if (k < 0) {
			r = k;
			break;
		}
	}
	if (r == 0 && ret_peer)
		*ret_peer = a.peer;
	if (r < 0 && a.fd >= 0)
		close(a.fd);
	leat__io_release(io);
	return r;
}
