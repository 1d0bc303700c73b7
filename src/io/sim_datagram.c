/*
 * Sockets of a simulation that keep the borders of messages: UDP, Unix datagrams, and pairs.
 *
 * What is sent becomes an event that has a latency of its own.  UDP: datagrams overtake each
 * other, may be lost or come twice, and are dropped where the buffer is full.  Unix: they keep
 * their order, and the sender waits while the receiver's buffer is full.  Who receives is found
 * out when it is sent; to nobody: a connected sender hears of that, after a latency (UDP)
 * or at once (Unix).
 */
#include "io/sim_net.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "io/sim_fault.h"
#include "io/socket.h"

enum { UDP_MAX = 65507 };

struct message {
	struct leat__sim_event event;
	struct leat__list node;	/* in to's coming or in */
	struct leat__sim_socket *to;
	leat_addr from;
	int error;		/* the message is this, and no bytes */
	bool is_end;		/* no more will come */
	size_t n;
	char bytes[];
};

struct leat__sim_socket {
	struct leat__list node;	/* (L) in the network's list */
	struct leat__sim *sim;	/* (c) */
	struct leat__io *io;	/* (L) */
	struct leat__sim_name *name; /* (L) NULL: none yet */
	struct leat__sim_socket *pair; /* (L) the other end; NULL: none, or it is closed */
	leat_addr peer;		/* (c) if connected */
	int family;		/* (c) */
	bool is_connected;	/* (c) to peer, or as a pair */
	bool is_pair, is_sequence; /* (c) SOCK_SEQPACKET */
	bool shut_read, shut_write, peer_gone; /* (L) */
	bool waits;		/* (L) a send has found a full buffer */
	int error;		/* (L) for the next call */
	struct leat__list coming, in; /* (L) message */
	size_t used;		/* (L) bytes in them; UDP: in in */
	int64_t last_due;	/* (L) Unix: none overtakes another */
};

static const leat_addr unnamed = { ._storage = { .ss_family = AF_UNIX },
				   ._size = sizeof(sa_family_t) };

static struct leat__sim_socket *socket_new(struct leat__sim *sim, int family)
{
	struct leat__sim_socket *s = leat__alloc(sizeof(*s));

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->sim = sim;
	s->family = family;
	leat__list_init(&s->node);
	leat__list_init(&s->coming);
	leat__list_init(&s->in);
	s->io = leat__io_new(&leat__sim_datagram_ops, -1, s, LEAT__READABLE | LEAT__WRITABLE);
	if (s->io)
		return s;
	leat__free(s, sizeof(*s));
	return NULL;
}

static bool is_reliable(const struct leat__sim_socket *s)
{
	return s->family == AF_UNIX;
}

static void message_free(struct message *m)
{
	leat__sim_event_remove(&m->event);
	leat__list_remove(&m->node);
	leat__free(m, sizeof(*m) + m->n);
}

static void drop_all(struct leat__list *list)
{
	while (!leat__list_is_empty(list))
		message_free(leat__container_of(list->next, struct message, node));
}

static void arrive(struct leat__sim_event *event)
{
	struct message *m = leat__container_of(event, struct message, event);
	struct leat__sim_socket *s = m->to;
	size_t buffer = leat__sim_network(s->sim)->options.buffer;

	if (m->error < 0 || m->is_end) {
		s->error = m->error < 0 ? m->error : s->error;
		s->peer_gone |= m->is_end;
		message_free(m);
	} else if (!is_reliable(s) && s->used > 0 && s->used + m->n > buffer) {
		message_free(m);
		return;
	} else {
		if (!is_reliable(s))
			s->used += m->n;
		leat__list_remove(&m->node);
		leat__list_append(&s->in, &m->node);
	}
	leat__sim_wake(s->io, LEAT__READABLE | LEAT__WRITABLE);
}

/* On the way to s.  0, or -ENOMEM. */
static int post(struct leat__sim_socket *s, const leat_addr *from, const struct iovec *iov,
		int count, const struct message *kind)
{
	size_t n = leat__iov_size(iov, count), at = 0;
	struct message *m = leat__alloc(sizeof(*m) + n);

	if (!m)
		return -ENOMEM;
	*m = *kind;
	m->to = s;
	m->from = *from;
	m->n = n;
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > 0)
			memcpy(m->bytes + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	m->event.fire = arrive;
	m->event.due = leat__sim_now(s->sim) + leat__sim_latency(s->sim);
	if (is_reliable(s)) {
		if (m->event.due < s->last_due)
			m->event.due = s->last_due;
		s->last_due = m->event.due;
		s->used += n;
	}
	leat__list_append(&s->coming, &m->node);
	leat__sim_event_add(s->sim, &m->event);
	return 0;
}

static const struct message data, end = { .is_end = true }, refused = { .error = -ECONNREFUSED };

/* Somebody's buffer has room: who has found one full tries again. */
static void wake_senders(struct leat__sim *sim)
{
	leat__list_for_each(node, &leat__sim_network(sim)->sockets) {
		struct leat__sim_socket *s =
			leat__container_of(node, struct leat__sim_socket, node);

		if (!s->waits)
			continue;
		s->waits = false;
		leat__sim_wake(s->io, LEAT__WRITABLE);
	}
}

static bool same_addr(const leat_addr *a, const leat_addr *b)
{
	return a->_size == b->_size && memcmp(&a->_storage, &b->_storage, a->_size) == 0;
}

/* The address that who gets something at to sees. */
static leat_addr sender_addr(const struct leat__sim_socket *s, const leat_addr *to)
{
	leat_addr addr = s->name ? s->name->addr : unnamed, any = addr;

	if (s->family == AF_UNIX)
		return addr;
	/* From any address: it is the one of the way to there. */
	memset((char *)&any._storage + sizeof(sa_family_t), 0,
	       sizeof(any._storage) - sizeof(sa_family_t));
	leat_addr_set_port(&any, (unsigned)leat_addr_port(&addr));
	if (same_addr(&any, &addr) && to->_storage.ss_family == s->family) {
		any = *to;
		leat_addr_set_port(&any, (unsigned)leat_addr_port(&addr));
		return any;
	}
	return addr;
}

/* An unbound UDP socket gets a port when it first needs one. */
static int bind_any(struct leat__sim_socket *s)
{
	static const leat_socket_options none = { .size = sizeof(none) };
	leat_addr any = { ._size = s->family == AF_INET ? sizeof(struct sockaddr_in)
							: sizeof(struct sockaddr_in6) };

	if (s->name || s->family == AF_UNIX)
		return 0;
	any._storage.ss_family = (sa_family_t)s->family;
	return leat__sim_bind(&s->name, s->sim, s->io, SOCK_DGRAM, &any, &none);
}

/* Who gets what s sends to addr.  NULL: nobody, *ret_error: what a Unix socket hears at once. */
static struct leat__sim_socket *receiver_of(struct leat__sim_socket *s, const leat_addr *addr,
					    const leat_addr *from, int *ret_error)
{
	struct leat__sim_socket *to;
	struct leat__sim_name *name;
	bool is_name;

	name = leat__sim_find(s->sim, addr, SOCK_DGRAM, &is_name);
	*ret_error = is_name || !leat__sim_is_path(addr) ? -ECONNREFUSED : -ENOENT;
	if (name && name->type != SOCK_DGRAM)
		*ret_error = -EPROTOTYPE;
	if (!name || name->type != SOCK_DGRAM)
		return NULL;
	to = name->io->ctx;
	*ret_error = s->family == AF_UNIX ? -EPERM : 0;
	return to->is_connected && !same_addr(&to->peer, from) ? NULL : to;
}

static int64_t send_udp(struct leat__sim_socket *s, const leat_addr *addr, const struct iovec *iov,
			int count)
{
	const leat_sim_net *net = &leat__sim_network(s->sim)->options;
	size_t n = leat__iov_size(iov, count);
	struct leat__sim_socket *to;
	leat_addr from;
	int r = bind_any(s), error;

	if (r < 0)
		return r;
	if (n > UDP_MAX)
		return -EMSGSIZE;
	if (addr->_storage.ss_family != s->family)
		return -EAFNOSUPPORT;
	if (leat_addr_port(addr) == 0)
		return -EINVAL;
	from = sender_addr(s, addr);
	to = receiver_of(s, addr, &from, &error);
	if (!to) {
		r = s->is_connected ? post(s, addr, NULL, 0, &refused) : 0;
		return r < 0 ? r : (int64_t)n;
	}
	if (leat__sim_happens(s->sim, net->lost_one_in))
		return (int64_t)n;
	r = post(to, &from, iov, count, &data);
	if (r == 0 && leat__sim_happens(s->sim, net->doubled_one_in))
		r = post(to, &from, iov, count, &data);
	return r < 0 ? r : (int64_t)n;
}

static int64_t send_unix(struct leat__sim_socket *s, const leat_addr *addr, const struct iovec *iov,
			 int count)
{
	size_t buffer = leat__sim_network(s->sim)->options.buffer, n = leat__iov_size(iov, count);
	struct leat__sim_socket *to = s->pair;
	leat_addr from = sender_addr(s, NULL);
	int r = 0;

	if (addr && addr->_storage.ss_family != AF_UNIX)
		return -EINVAL;
	if (addr && !s->is_sequence)
		to = receiver_of(s, addr, &from, &r);
	else if (!to)
		r = s->is_sequence ? -EPIPE : -ECONNREFUSED;
	if (!to)
		return r;
	if (to->shut_read)
		return -EPIPE;
	if (n > buffer)
		return -EMSGSIZE;
	if (to->used > 0 && to->used + n > buffer) {
		s->waits = true;
		return -EAGAIN;
	}
	r = post(to, &from, iov, count, &data);
	return r < 0 ? r : (int64_t)n;
}

/* addr NULL: to whom s is connected. */
static int64_t send_locked(struct leat__sim_socket *s, const leat_addr *addr,
			   const struct iovec *iov, int count)
{
	int r = s->error;

	s->error = 0;
	if (r < 0)
		return r;
	if (s->shut_write)
		return -EPIPE;
	if (!addr && !s->is_connected)
		return s->family == AF_UNIX ? -ENOTCONN : -EDESTADDRREQ;
	if (!addr && !s->is_pair)
		addr = &s->peer;
	return s->family == AF_UNIX ? send_unix(s, addr, iov, count)
				    : send_udp(s, addr, iov, count);
}

/* The whole size, of which the buffers get what fits. */
static int64_t recv_locked(struct leat__sim_socket *s, const struct iovec *iov, int count,
			   leat_addr *ret_from)
{
	struct message *m;
	int r = s->error;
	size_t n, at = 0;

	s->error = 0;
	if (r < 0)
		return r;
	if (leat__list_is_empty(&s->in))
		return s->shut_read || (s->is_sequence && s->peer_gone) ? 0 : -EAGAIN;
	m = leat__container_of(s->in.next, struct message, node);
	for (int i = 0; i < count && at < m->n; i++) {
		size_t part = iov[i].iov_len < m->n - at ? iov[i].iov_len : m->n - at;

		if (part > 0)
			memcpy(iov[i].iov_base, m->bytes + at, part);
		at += part;
	}
	*ret_from = m->from;
	n = m->n;
	s->used -= n;
	message_free(m);
	wake_senders(s->sim);
	return (int64_t)n;
}

int64_t leat__sim_try_send(struct leat__io *io, void *arg)
{
	const struct leat__datagram *d = arg;
	struct leat__sim_socket *s = io->ctx;
	struct iovec iov = { d->buf, d->n };
	int64_t r;

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

static uint32_t datagram_possible(struct leat__io *io, uint32_t what)
{
	struct leat__sim_socket *s = io->ctx;
	uint32_t now = LEAT__WRITABLE;

	leat__sim_lock(s->sim);
	if (s->pair && s->pair->used >= leat__sim_network(s->sim)->options.buffer)
		now = 0;
	if (s->error < 0 || s->shut_read || s->peer_gone || !leat__list_is_empty(&s->in))
		now |= LEAT__READABLE;
	leat__sim_unlock(s->sim);
	return now & what;
}

/* The other end of a pair hears of it behind all that has been sent. */
static void leave_pair(struct leat__sim_socket *s)
{
	struct leat__sim_socket *other = s->pair;
	bool unread = !leat__list_is_empty(&s->in) || !leat__list_is_empty(&s->coming);

	if (!other)
		return;
	other->pair = NULL;
	if (s->is_sequence && post(other, &unnamed, NULL, 0, &end) < 0)
		other->peer_gone = true;
	if (s->is_sequence && unread)
		other->error = -ECONNRESET;
	leat__sim_wake(other->io, LEAT__READABLE | LEAT__WRITABLE);
}

static void datagram_close(struct leat__io *io)
{
	struct leat__sim_socket *s = io->ctx;
	struct leat__sim *sim = s->sim;

	leat__sim_lock(sim);
	if (s->name)
		leat__sim_unbind(s->name);
	leave_pair(s);
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

/* Under the lock. */
static int prepare(struct leat__sim_socket *s, const leat_addr *local, const leat_addr *peer,
		   const leat_socket_options *options)
{
	leat_addr from;
	int r = 0;

	if (local)
		r = leat__sim_bind(&s->name, s->sim, s->io, SOCK_DGRAM, local, options);
	if (r == 0 && peer)
		r = bind_any(s);
	if (r < 0 || !peer)
		return r;
	from = sender_addr(s, peer);
	if (s->family == AF_UNIX && !receiver_of(s, peer, &from, &r))
		return r;
	s->peer = *peer;
	s->is_connected = true;
	return 0;
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
	struct leat__sim_socket *s = socket_new(sim, (local ? local : peer)->_storage.ss_family);
	int r;

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

	leat__sim_lock(sim);
	for (int i = 0; i < 2 && r == 0; i++) {
		s[i] = leat__sim_network(sim) ? socket_new(sim, AF_UNIX) : NULL;
		r = s[i] ? 0 : -ENOMEM;
	}
	for (int i = 0; i < 2 && r == 0; i++) {
		s[i]->pair = s[!i];
		s[i]->is_connected = s[i]->is_pair = true;
		s[i]->is_sequence = type == SOCK_SEQPACKET;
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

	if (!s->is_connected)
		return -ENOTCONN;
	leat__sim_lock(s->sim);
	if ((how & LEAT_WRITABLE) && !s->shut_write) {
		s->shut_write = true;
		if (s->is_sequence && s->pair && post(s->pair, &unnamed, NULL, 0, &end) < 0)
			s->pair->peer_gone = true;
	}
	if (how & LEAT_READABLE)
		s->shut_read = true;
	leat__sim_wake(io, how);
	leat__sim_unlock(s->sim);
	return 0;
}

int leat__sim_datagram_addr(struct leat__io *io, bool peer, leat_addr *ret_addr)
{
	struct leat__sim_socket *s = io->ctx;

	if (peer && !s->is_connected)
		return -ENOTCONN;
	leat__sim_lock(s->sim);
	if (peer)
		*ret_addr = s->is_pair ? unnamed : s->peer;
	else
		*ret_addr = s->name ? sender_addr(s, s->is_connected ? &s->peer : &s->name->addr)
				    : unnamed;
	leat__sim_unlock(s->sim);
	return 0;
}
