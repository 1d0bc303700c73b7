/*
 * Sockets of a simulation that keep the borders of messages: UDP, Unix datagrams, and pairs.
 *
 * What all have in common: messages that have come, reading them, opening and closing.  How they
 * get there: sim_udp.c, sim_unix.c.  Errors, also which of several, are those of Linux;
 * tests/sim/datagram_kernel.c compares.
 */
#include "io/sim_datagram.h"

#include <errno.h>
#include <string.h>

static const leat_addr unnamed = { ._storage = { .ss_family = AF_UNIX },
				   ._size = sizeof(sa_family_t) };

struct leat__sim_message *leat__sim_message_new(const struct iovec *iov, int count)
{
	size_t n = leat__iov_size(iov, count);
	struct leat__sim_message *m = leat__alloc(sizeof(*m) + n);

	if (!m)
		return NULL;
	memset(m, 0, sizeof(*m));
	leat__list_init(&m->event.node);
	leat__list_init(&m->node);
	m->from = unnamed;
	m->n = n;
	leat__iov_gather(m->bytes, iov, count, n);
	return m;
}

void leat__sim_message_free(struct leat__sim_message *m)
{
	leat__sim_event_remove(&m->event);
	leat__list_remove(&m->node);
	leat__free(m, sizeof(*m) + m->n);
}

bool leat__sim_is_full(const struct leat__sim_socket *s, size_t used, size_t n)
{
	return used > 0 && used + leat__sim_cost(n) > leat__sim_network(s->sim)->options.buffer;
}

int leat__sim_send_error(struct leat__sim_socket *s)
{
	int r = s->error;

	s->error = 0;
	if (r == 0 && s->shut_write)
		r = -EPIPE;
	return r;
}

/* Somebody's buffer has room, or he is gone: who has found it full tries again. */
static void wake_senders(struct leat__sim *sim)
{
	leat__list_for_each(node, &leat__sim_network(sim)->sockets) {
		struct leat__sim_socket *s =
			leat__container_of(node, struct leat__sim_socket, node);

		if (!s->waits || s->family != AF_UNIX)
			continue;
		s->waits = false;
		leat__sim_wake(s->io, LEAT__WRITABLE);
	}
}

void leat__sim_message_arrived(struct leat__sim_socket *s, struct leat__sim_message *m)
{
	leat__list_remove(&m->node);
	if (m->is_end) {
		s->peer_gone = true;
		s->used -= leat__sim_cost(m->n);
		leat__sim_message_free(m);
	} else {
		leat__list_append(&s->in, &m->node);
	}
	leat__sim_wake(s->io, LEAT__READABLE);
}

/* Nothing comes any more.  Of datagrams Linux has no end, also after a shutdown. */
static bool is_at_end(const struct leat__sim_socket *s)
{
	return s->type == SOCK_SEQPACKET && (s->shut_read || s->peer_gone) &&
	       leat__list_is_empty(&s->coming);
}

/* The whole size, of which the buffers get what fits. */
static int64_t recv_locked(struct leat__sim_socket *s, const struct iovec *iov, int count,
			   leat_addr *ret_from)
{
	struct leat__sim_message *m;
	int64_t r = s->error;

	s->error = 0;
	if (r < 0)
		return r;
	if (leat__list_is_empty(&s->in)) {
		if (!is_at_end(s))
			return -EAGAIN;
		*ret_from = unnamed;
		return 0;
	}
	m = leat__container_of(s->in.next, struct leat__sim_message, node);
	leat__iov_scatter(iov, count, m->bytes, m->n);
	*ret_from = s->family == AF_UNIX ? m->from : leat__sim_udp_addr(&m->from, s->family);
	r = (int64_t)m->n;
	s->used -= leat__sim_cost(m->n);
	leat__sim_message_free(m);
	wake_senders(s->sim);
	return r;
}

static int64_t send_locked(struct leat__sim_socket *s, const leat_addr *addr,
			   const struct iovec *iov, int count)
{
	return s->family == AF_UNIX ? leat__sim_unix_send(s, addr, iov, count)
				    : leat__sim_udp_send(s, addr, iov, count);
}

int64_t leat__sim_try_send(struct leat__io *io, void *arg)
{
	const struct leat__datagram *d = arg;
	struct leat__sim_socket *s = io->ctx;
	struct iovec iov = { d->buf, d->n };
	int64_t r;

	if (!leat__sim_is_datagram(io)) {
		if (d->addr && d->addr->_storage.ss_family == AF_UNIX)
			return -EISCONN;
		return io->ops->write(io, &iov, 1);
	}
	leat__sim_lock(s->sim);
	r = send_locked(s, d->addr, &iov, 1);
	leat__sim_unlock(s->sim);
	return r;
}

int64_t leat__sim_try_recv(struct leat__io *io, void *arg)
{
	struct leat__datagram *d = arg;
	struct leat__sim_socket *s = io->ctx;
	struct iovec iov = { d->buf, d->n };
	int64_t r;

	leat__sim_lock(s->sim);
	r = recv_locked(s, &iov, 1, d->addr);
	leat__sim_unlock(s->sim);
	return r;
}

static int64_t datagram_read(struct leat__io *io, const struct iovec *iov, int count)
{
	struct leat__sim_socket *s = io->ctx;
	size_t room = leat__iov_size(iov, count);
	leat_addr from;
	int64_t r;

	leat__sim_lock(s->sim);
	r = recv_locked(s, iov, count, &from);
	leat__sim_unlock(s->sim);
	return r > 0 && (size_t)r > room ? (int64_t)room : r;
}

static int64_t datagram_write(struct leat__io *io, const struct iovec *iov, int count)
{
	struct leat__sim_socket *s = io->ctx;
	int64_t r;

	leat__sim_lock(s->sim);
	r = send_locked(s, NULL, iov, count);
	leat__sim_unlock(s->sim);
	return r;
}

/* Whether the next send finds room; to whom an unconnected Unix socket sends is not known. */
static bool has_room(const struct leat__sim_socket *s)
{
	size_t buffer = leat__sim_network(s->sim)->options.buffer;

	if (s->family != AF_UNIX)
		return s->sending < buffer;
	return !s->pair || s->pair->shut_read || s->pair->used < buffer;
}

static uint32_t datagram_possible(struct leat__io *io, uint32_t what)
{
	struct leat__sim_socket *s = io->ctx;
	uint32_t now = 0;

	leat__sim_lock(s->sim);
	if (s->error < 0 || s->shut_read || is_at_end(s) || !leat__list_is_empty(&s->in))
		now |= LEAT__READABLE;
	if (s->error < 0 || s->shut_write || has_room(s))
		now |= LEAT__WRITABLE;
	else
		s->waits = true;
	leat__sim_unlock(s->sim);
	return now & what;
}

static void drop_all(struct leat__list *list)
{
	while (!leat__list_is_empty(list))
		leat__sim_message_free(leat__container_of(list->next, struct leat__sim_message,
							  node));
}

static void datagram_close(struct leat__io *io)
{
	struct leat__sim_socket *s = io->ctx;
	struct leat__sim *sim = s->sim;

	leat__sim_lock(sim);
	if (s->family == AF_UNIX)
		leat__sim_unix_leave(s);
	else
		leat__sim_udp_leave(s);
	if (s->name)
		leat__sim_unbind(s->name);
	drop_all(&s->coming);
	drop_all(&s->in);
	leat__list_remove(&s->node);
	wake_senders(sim);
	leat__sim_unlock(sim);
	leat__free(s, sizeof(*s));
}

const struct leat__io_ops leat__sim_datagram_ops = {
	.name = "simulated datagrams",
	.read = datagram_read,
	.write = datagram_write,
	.possible = datagram_possible,
	.close = datagram_close,
};

static struct leat__sim_socket *socket_new(struct leat__sim *sim, int family, int type)
{
	struct leat__sim_socket *s = leat__alloc(sizeof(*s));

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->sim = sim;
	s->family = family;
	s->type = type;
	leat__list_init(&s->node);
	leat__list_init(&s->coming);
	leat__list_init(&s->in);
	s->io = leat__io_new(&leat__sim_datagram_ops, -1, s, LEAT__READABLE | LEAT__WRITABLE);
	if (s->io)
		return s;
	leat__free(s, sizeof(*s));
	return NULL;
}

static int prepare(struct leat__sim_socket *s, const leat_addr *local, const leat_addr *peer,
		   const leat_socket_options *options)
{
	int r = 0;

	if (local)
		r = leat__sim_bind(&s->name, s->sim, s->io, SOCK_DGRAM, local, options);
	if (r == 0 && peer)
		r = s->family == AF_UNIX ? leat__sim_unix_connect(s, peer)
					 : leat__sim_udp_connect(s, peer, options);
	return r;
}

static leat_io open_socket(struct leat__sim_socket *s)
{
	leat__list_append(&leat__sim_network(s->sim)->sockets, &s->node);
	return leat__io_open(s->io);
}

static void socket_free(struct leat__sim_socket *s)
{
	if (s->name)
		leat__sim_unbind(s->name);
	leat__io_discard(s->io);
	leat__free(s, sizeof(*s));
}

int leat__sim_datagram_open(leat_io *ret_io, const leat_addr *local, const leat_addr *peer,
			    const leat_socket_options *options)
{
	struct leat__sim *sim = leat__sim_io();
	int family = (local ? local : peer)->_storage.ss_family, r;
	struct leat__sim_socket *s;

	if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	s = socket_new(sim, family, SOCK_DGRAM);
	if (!s)
		return -ENOMEM;
	leat__sim_lock(sim);
	r = leat__sim_network(sim) ? prepare(s, local, peer, options) : -ENOMEM;
	if (r == 0)
		*ret_io = open_socket(s);
	else
		socket_free(s);
	leat__sim_unlock(sim);
	return r;
}

int leat__sim_message_pair(leat_io ret_io[2], int type)
{
	struct leat__sim *sim = leat__sim_io();
	struct leat__sim_socket *s[2] = { NULL, NULL };
	int r = 0;

	if (type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	leat__sim_lock(sim);
	for (int i = 0; i < 2 && r == 0; i++) {
		s[i] = leat__sim_network(sim) ? socket_new(sim, AF_UNIX, type) : NULL;
		r = s[i] ? 0 : -ENOMEM;
	}
	for (int i = 0; i < 2 && r == 0; i++) {
		s[i]->pair = s[!i];
		s[i]->peer = unnamed;
		s[i]->is_connected = true;
		ret_io[i] = open_socket(s[i]);
	}
	if (r < 0 && s[0])
		socket_free(s[0]);
	leat__sim_unlock(sim);
	return r;
}

int leat__sim_datagram_shutdown(struct leat__io *io, unsigned how)
{
	struct leat__sim_socket *s = io->ctx;
	int r = 0;

	leat__sim_lock(s->sim);
	if ((how & LEAT_WRITABLE) && !s->shut_write) {
		s->shut_write = true;
		leat__sim_unix_end(s);
	}
	if (how & LEAT_READABLE) {
		s->shut_read = true;
		wake_senders(s->sim); /* they get -EPIPE */
	}
	leat__sim_wake(io, how);
	/* Linux does it all the same. */
	if (s->family != AF_UNIX && !s->is_connected)
		r = -ENOTCONN;
	leat__sim_unlock(s->sim);
	return r;
}

static int peer_addr(const struct leat__sim_socket *s, leat_addr *ret_addr)
{
	if (!s->is_connected || leat_addr_port(&s->peer) == 0)
		return -ENOTCONN;
	*ret_addr = s->family == AF_UNIX ? s->peer : leat__sim_udp_addr(&s->peer, s->family);
	return 0;
}

int leat__sim_datagram_addr(struct leat__io *io, bool peer, leat_addr *ret_addr)
{
	struct leat__sim_socket *s = io->ctx;
	int r = 0;

	leat__sim_lock(s->sim);
	if (peer)
		r = peer_addr(s, ret_addr);
	else
		*ret_addr = s->name ? s->name->addr : unnamed;
	leat__sim_unlock(s->sim);
	return r;
}
