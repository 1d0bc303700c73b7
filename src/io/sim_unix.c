/*
 * How Unix sockets of messages send in a simulation: datagrams, and pairs.
 *
 * Messages arrive after a latency, in order, and none is lost: the sender waits while the
 * receiver's buffer is full.  Who is connected is so to a socket, not to its name: when that is
 * closed, another one at the same name is not meant.
 */
#include "io/sim_datagram.h"

#include <errno.h>
#include <string.h>

static void arrive(struct leat__sim_event *event)
{
	struct leat__sim_message *m = leat__container_of(event, struct leat__sim_message, event);

	leat__sim_message_arrived(m->to, m);
}

static void post(struct leat__sim_socket *to, struct leat__sim_message *m)
{
	m->to = to;
	m->event.fire = arrive;
	m->event.due = leat__sim_now(to->sim) + leat__sim_latency(to->sim);
	if (m->event.due < to->last_due)
		m->event.due = to->last_due;
	to->last_due = m->event.due;
	to->used += leat__sim_cost(m->n);
	leat__list_append(&to->coming, &m->node);
	leat__sim_event_add(to->sim, &m->event);
}

static void drop_all(struct leat__list *list)
{
	while (!leat__list_is_empty(list))
		leat__sim_message_free(leat__container_of(list->next, struct leat__sim_message,
							  node));
}

/* The first send that finds nobody there ends the connection, and what has come is lost. */
static int disconnect(struct leat__sim_socket *s)
{
	s->is_connected = false;
	drop_all(&s->coming);
	drop_all(&s->in);
	s->used = 0;
	return -ECONNREFUSED;
}

/* Who gets what s sends to addr (NULL: to the other end).  0, or why nobody does. */
static int receiver_of(struct leat__sim_socket *s, const leat_addr *addr,
		       struct leat__sim_socket **ret_to)
{
	struct leat__sim_name *name;
	int r;

	if (addr) {
		name = leat__sim_find(s->sim, addr, SOCK_DGRAM, &r);
		if (!name)
			return r;
		*ret_to = name->io->ctx;
	} else {
		*ret_to = s->pair;
		if (!s->pair)
			return s->type == SOCK_SEQPACKET ? -EPIPE : disconnect(s);
	}
	return (*ret_to)->is_connected && (*ret_to)->pair != s ? -EPERM : 0;
}

static bool is_name(const leat_addr *addr)
{
	return addr->_storage.ss_family == AF_UNIX && addr->_size > sizeof(sa_family_t);
}

int leat__sim_unix_connect(struct leat__sim_socket *s, const leat_addr *peer)
{
	int r = is_name(peer) ? receiver_of(s, peer, &s->pair) : -EINVAL;

	if (r < 0) {
		s->pair = NULL;
		return r;
	}
	s->peer = *peer;
	s->is_connected = true;
	return 0;
}

/* In the order in which the kernel looks. */
static int send_error(struct leat__sim_socket *s, const leat_addr *addr, size_t n,
		      struct leat__sim_socket **ret_to)
{
	int r = 0;

	if (addr && !is_name(addr))
		return -EINVAL;
	if (!addr && !s->is_connected)
		return -ENOTCONN;
	if (n > leat__sim_network(s->sim)->options.buffer)
		return -EMSGSIZE;
	r = leat__sim_send_error(s);
	if (r == 0)
		r = receiver_of(s, addr, ret_to);
	if (r == 0 && (*ret_to)->shut_read)
		r = -EPIPE;
	return r;
}

int64_t leat__sim_unix_send(struct leat__sim_socket *s, const leat_addr *addr,
			    const struct iovec *iov, int count)
{
	size_t n = leat__iov_size(iov, count);
	struct leat__sim_socket *to = NULL;
	struct leat__sim_message *m;
	int r;

	/* The pairs of SOCK_SEQPACKET have no other address. */
	r = send_error(s, s->type == SOCK_SEQPACKET ? NULL : addr, n, &to);
	if (r < 0)
		return r;
	if (leat__sim_is_full(to, to->used, n)) {
		s->waits = true;
		return -EAGAIN;
	}
	m = leat__sim_message_new(iov, count);
	if (!m)
		return -ENOMEM;
	if (s->name)
		m->from = s->name->addr;
	post(to, m);
	return (int64_t)n;
}

void leat__sim_unix_end(struct leat__sim_socket *s)
{
	struct leat__sim_message *m;

	if (s->type != SOCK_SEQPACKET || !s->pair)
		return;
	m = leat__sim_message_new(NULL, 0);
	if (m) {
		m->is_end = true;
		post(s->pair, m);
		return;
	}
	/* Without memory it is heard of at once. */
	s->pair->peer_gone = true;
	leat__sim_wake(s->pair->io, LEAT__READABLE);
}

void leat__sim_unix_leave(struct leat__sim_socket *s)
{
	bool unread = !leat__list_is_empty(&s->in) || !leat__list_is_empty(&s->coming);

	leat__sim_unix_end(s);
	leat__list_for_each(node, &leat__sim_network(s->sim)->sockets) {
		struct leat__sim_socket *other =
			leat__container_of(node, struct leat__sim_socket, node);

		if (other->pair != s)
			continue;
		other->pair = NULL;
		if (s->type == SOCK_SEQPACKET && unread)
			other->error = -ECONNRESET;
		leat__sim_wake(other->io, LEAT__READABLE | LEAT__WRITABLE);
	}
}
