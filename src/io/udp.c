/* Datagrams: sockets that keep the borders of messages. */
#include "io/sim_net.h"
#include "io/socket.h"

#include <errno.h>
#include <unistd.h>

#include "port/sys.h"

static int prepare(int fd, const leat_addr *local, const leat_addr *peer,
		   const leat_socket_options *options)
{
	int r = 0;

	if (local)
		r = leat__socket_bind(fd, SOCK_DGRAM, local, options);
	if (r == 0 && peer)
		r = (int)LEAT__SYS(connect(fd, (const struct sockaddr *)&peer->_storage,
					   peer->_size));
	return r;
}

int leat_datagram_open(leat_io *ret_io, const leat_addr *local, const leat_addr *peer,
		       const leat_socket_options *options)
{
	int fd, r;

	options = leat__socket_options(options, __func__);
	if (leat__unlikely(!local && !peer))
		leat__misuse(NULL, "neither local nor peer is given");
	if (leat__sim_io())
		return leat__sim_datagram_open(ret_io, local, peer, options);
	fd = leat__socket_open(local ? local : peer, SOCK_DGRAM, options);
	if (fd < 0)
		return fd;
	r = prepare(fd, local, peer, options);
	if (r == 0)
		r = leat__io_adopt(ret_io, fd, 0, &leat__message_ops,
				   LEAT__READABLE | LEAT__WRITABLE);
	if (r < 0)
		close(fd);
	return r;
}

static int64_t try_send(struct leat__io *io, void *arg)
{
	const struct leat__datagram *d = arg;
	const struct sockaddr *to = d->addr ? (const struct sockaddr *)&d->addr->_storage : NULL;

	return LEAT__SYS(sendto(io->fd, d->buf, d->n, MSG_DONTWAIT | MSG_NOSIGNAL, to,
				d->addr ? d->addr->_size : 0));
}

int leat_send_to(leat_io handle, const void *buf, size_t n, const leat_addr *to, int64_t deadline)
{
	struct leat__datagram d = { (void *)(uintptr_t)buf, n, (leat_addr *)(uintptr_t)to };
	struct leat__io *io = leat__io_hold(handle);
	int64_t r;

	leat__check_fork(__func__, NULL);
	if (!io)
		return LEAT_ECLOSED;
	r = leat__io_try(io, LEAT__WRITABLE, deadline,
			 leat__sim_is_socket(io) ? leat__sim_try_send : try_send, &d, 0);
	leat__io_release(io);
	return r < 0 ? (int)r : 0;
}

/*
 * With MSG_TRUNC the kernel tells the size that the datagram had.  Of a sender without a name it
 * says nothing at all: that is a Unix socket.
 */
static int64_t try_recv(struct leat__io *io, void *arg)
{
	struct leat__datagram *d = arg;
	int64_t r;

	d->addr->_size = sizeof(d->addr->_storage);
	r = LEAT__SYS(recvfrom(io->fd, d->buf, d->n, MSG_DONTWAIT | MSG_TRUNC,
			       (struct sockaddr *)&d->addr->_storage, &d->addr->_size));
	if (r >= 0 && d->addr->_size == 0) {
		d->addr->_storage.ss_family = AF_UNIX;
		d->addr->_size = sizeof(d->addr->_storage.ss_family);
	}
	return r;
}

int64_t leat_recv_from(leat_io handle, void *buf, size_t n, leat_addr *ret_from, int64_t deadline)
{
	leat_addr from;
	struct leat__datagram d = { buf, n, &from };
	struct leat__io *io = leat__io_hold(handle);
	int64_t r;

	leat__check_fork(__func__, NULL);
	if (!io)
		return LEAT_ECLOSED;
	/* In a stream MSG_TRUNC would throw bytes away. */
	if (leat__sim_is_datagram(io))
		r = leat__io_try(io, LEAT__READABLE, deadline, leat__sim_try_recv, &d, 0);
	else if (io->ops == &leat__message_ops)
		r = leat__io_try(io, LEAT__READABLE, deadline, try_recv, &d, 0);
	else
		r = -EOPNOTSUPP;
	leat__io_release(io);
	if (r >= 0 && ret_from)
		*ret_from = from;
	return r;
}
