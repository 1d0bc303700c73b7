/*
 * How UDP sends in a simulation.
 *
 * A datagram is an event with a latency of its own: it overtakes others, may be lost or come
 * twice.  Who gets it is found out when it arrives; it is dropped if his buffer is full.  If there
 * is nobody, its sender hears of that after one more latency, if it is connected to
 * there and still open.  What a socket has on the way is bounded as well: then it waits.
 *
 * Inside, addresses are plain (leat__sim_plain): a socket of IPv6 may talk with one of IPv4.
 */
#include "io/sim_datagram.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "io/sim_fault.h"

enum { MAX_V4 = 65507, MAX_V6 = 65527, V6_WANTED = 24 /* by Linux, of an address */ };

leat_addr leat__sim_udp_addr(const leat_addr *plain, int family)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	leat_addr addr = *plain;
	size_t n;

	if (family != AF_INET6 || plain->_storage.ss_family != AF_INET)
		return addr;
	in6.sin6_port = htons((uint16_t)leat_addr_port(plain));
	memset((char *)&in6.sin6_addr + 10, 0xff, 2);
	memcpy((char *)&in6.sin6_addr + 12, leat__sim_ip_of(plain, &n), 4);
	(void)!leat_addr_set(&addr, (const struct sockaddr *)&in6, sizeof(in6));
	return addr;
}

/* Whether s is connected to there; Linux takes the port 0 for each. */
static bool is_peer(const struct leat__sim_socket *s, const leat_addr *addr)
{
	int port = leat_addr_port(&s->peer);

	return s->is_connected && (port == 0 || port == leat_addr_port(addr)) &&
	       leat__sim_same_ip(&s->peer, addr);
}

/* The IP of addr with the port of at. */
static leat_addr with_port_of(const leat_addr *addr, const leat_addr *at)
{
	leat_addr r = *addr;

	(void)leat_addr_set_port(&r, (unsigned)leat_addr_port(at));
	return r;
}

/* From where that comes that s sends to dest. */
static leat_addr source_of(const struct leat__sim_socket *s, const leat_addr *dest)
{
	leat_addr own = leat__sim_plain(&s->name->addr);

	if (leat__sim_is_any(&own) || own._storage.ss_family != dest->_storage.ss_family)
		return with_port_of(dest, &own);
	return own;
}

/* To any address of this host: to the one of s, or the loopback. */
static void replace_any(const struct leat__sim_socket *s, leat_addr *dest)
{
	leat_addr own = leat__sim_plain(&s->name->addr), loopback;

	if (!leat__sim_is_any(dest))
		return;
	if (!leat__sim_is_any(&own) && (own._storage.ss_family == dest->_storage.ss_family ||
					own._storage.ss_family == AF_INET))
		*dest = with_port_of(&own, dest);
	else if (leat_addr_parse(&loopback, dest->_storage.ss_family == AF_INET ?
				 "127.0.0.1:0" : "[::1]:0") == 0)
		*dest = with_port_of(&loopback, dest);
}

/* Whether s can reach addr, as the kernel says; *ret_dest: its plain address. */
static int resolve(const struct leat__sim_socket *s, const leat_addr *addr, bool connects,
		   leat_addr *ret_dest)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&ret_dest->_storage;
	leat_addr own = leat__sim_plain(&s->name->addr);
	int family = addr->_storage.ss_family;
	socklen_t wanted = s->family == AF_INET ? sizeof(*in) : V6_WANTED;

	if (family != s->family && family != AF_INET)
		return addr->_size < wanted || (s->family == AF_INET6 && !connects) ? -EINVAL
										: -EAFNOSUPPORT;
	*ret_dest = leat__sim_plain(addr);
	if (s->family == AF_INET6 && ret_dest->_storage.ss_family == AF_INET && s->name->v6_only)
		return connects && family == AF_INET ? -EAFNOSUPPORT : -ENETUNREACH;
	if (!connects && leat_addr_port(addr) == 0)
		return -EINVAL;
	replace_any(s, ret_dest);
	if (own._storage.ss_family == AF_INET && ret_dest->_storage.ss_family == AF_INET6)
		return -EAFNOSUPPORT;
	if (ret_dest->_storage.ss_family == AF_INET && in->sin_addr.s_addr == INADDR_BROADCAST)
		return -EACCES;
	return 0;
}

int leat__sim_udp_connect(struct leat__sim_socket *s, const leat_addr *peer,
			  const leat_socket_options *options)
{
	leat_addr any = { ._size = s->family == AF_INET ? sizeof(struct sockaddr_in)
							: sizeof(struct sockaddr_in6) };
	leat_addr own;
	int r = 0;

	any._storage.ss_family = (sa_family_t)s->family;
	if (!s->name)
		r = leat__sim_bind(&s->name, s->sim, s->io, SOCK_DGRAM, &any, options);
	if (r == 0)
		r = resolve(s, peer, true, &s->peer);
	if (r < 0)
		return r;
	s->is_connected = true;
	own = source_of(s, &s->peer);
	if (leat__sim_is_any(&s->name->addr))
		s->name->addr = leat__sim_udp_addr(&own, s->family);
	return 0;
}

/* How well a socket's name fits; 0: it does not get m.  As the kernel, who is connected first. */
static int fit(const struct leat__sim_name *name, const struct leat__sim_message *m)
{
	const struct leat__sim_socket *s;

	if (name->type != SOCK_DGRAM || !name->io || name->addr._storage.ss_family == AF_UNIX ||
	    !leat__sim_reaches(name, &m->dest, SOCK_DGRAM))
		return 0;
	s = name->io->ctx;
	if (s->is_connected && !is_peer(s, &m->from))
		return 0;
	return 1 + (leat__sim_is_any(&name->addr) ? 0 : 1) + (s->is_connected ? 2 : 0);
}

/* Of several that share a port, those of one sender go to the same one, as long as it is there. */
static uint64_t hash_of(const struct leat__sim_message *m, uint64_t hash)
{
	size_t n;
	const unsigned char *ip = leat__sim_ip_of(&m->from, &n);

	hash ^= (uint64_t)leat_addr_port(&m->from) << 32;
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ ip[i]) * 0x100000001b3u;
	return hash ^ hash >> 32;
}

static struct leat__sim_socket *receiver_of(struct leat__sim *sim,
					    const struct leat__sim_message *m)
{
	struct leat__sim_network *net = leat__sim_network(sim);
	struct leat__sim_name *found = NULL;
	uint64_t n = 0, which;
	int best = 1;

	leat__list_for_each(node, &net->names) {
		int how = fit(leat__container_of(node, struct leat__sim_name, node), m);

		n = how > best ? 1 : n + (how == best);
		best = how > best ? how : best;
	}
	if (n == 0)
		return NULL;
	which = hash_of(m, leat__sim_seed_of(sim)) % n;
	leat__list_for_each(node, &net->names) {
		struct leat__sim_name *name =
			leat__container_of(node, struct leat__sim_name, node);

		if (fit(name, m) == best && which-- == 0)
			found = name;
	}
	return found->io->ctx;
}

static void refuse(struct leat__sim_event *event)
{
	struct leat__sim_message *m = leat__container_of(event, struct leat__sim_message, event);

	if (m->sender) {
		m->sender->error = -ECONNREFUSED;
		leat__sim_wake(m->sender->io, LEAT__READABLE | LEAT__WRITABLE);
	}
	leat__sim_message_free(m);
}

/* m is on the way no more. */
static void make_room(struct leat__sim_message *m)
{
	struct leat__sim_socket *sender = m->sender;

	if (!sender)
		return;
	sender->sending -= leat__sim_cost(m->n);
	if (sender->waits)
		leat__sim_wake(sender->io, LEAT__WRITABLE);
	sender->waits = false;
}

static void arrive(struct leat__sim_event *event)
{
	struct leat__sim_message *m = leat__container_of(event, struct leat__sim_message, event);
	struct leat__sim_socket *sender = m->sender, *to;
	struct leat__sim *sim = m->sim;

	make_room(m);
	to = receiver_of(sim, m);
	if (to && !leat__sim_is_full(to, to->used, m->n)) {
		to->used += leat__sim_cost(m->n);
		leat__sim_message_arrived(to, m);
	} else if (!to && sender && is_peer(sender, &m->dest)) {
		m->event.fire = refuse;
		m->event.due = leat__sim_now(sim) + leat__sim_latency(sim);
		leat__sim_event_add(sim, &m->event);
	} else {
		leat__sim_message_free(m);
	}
}

static int post(struct leat__sim_socket *s, const leat_addr *dest, const struct iovec *iov,
		int count)
{
	struct leat__sim_message *m = leat__sim_message_new(iov, count);

	if (!m)
		return -ENOMEM;
	m->sim = s->sim;
	m->sender = s;
	m->from = source_of(s, dest);
	m->dest = *dest;
	m->event.fire = arrive;
	m->event.due = leat__sim_now(s->sim) + leat__sim_latency(s->sim);
	s->sending += leat__sim_cost(m->n);
	leat__list_append(&leat__sim_network(s->sim)->on_the_way, &m->node);
	leat__sim_event_add(s->sim, &m->event);
	return 0;
}

int64_t leat__sim_udp_send(struct leat__sim_socket *s, const leat_addr *addr,
			   const struct iovec *iov, int count)
{
	const leat_sim_net *net = &leat__sim_network(s->sim)->options;
	size_t n = leat__iov_size(iov, count);
	leat_addr dest = s->peer;
	int r = 0;

	if (addr)
		r = resolve(s, addr, false, &dest);
	else if (!s->is_connected)
		r = -EDESTADDRREQ;
	else if (s->family != dest._storage.ss_family && leat_addr_port(&dest) == 0)
		r = -EINVAL;
	if (r == 0 && n > (dest._storage.ss_family == AF_INET ? MAX_V4 : MAX_V6))
		r = -EMSGSIZE;
	if (r == 0)
		r = leat__sim_send_error(s);
	if (r < 0)
		return r;
	if (leat__sim_is_full(s, s->sending, n)) {
		s->waits = true;
		return -EAGAIN;
	}
	if (leat__sim_happens(s->sim, net->lost_one_in))
		return (int64_t)n;
	r = post(s, &dest, iov, count);
	/* Without memory for the second it comes once. */
	if (r == 0 && leat__sim_happens(s->sim, net->doubled_one_in))
		(void)post(s, &dest, iov, count);
	return r < 0 ? r : (int64_t)n;
}

void leat__sim_udp_leave(struct leat__sim_socket *s)
{
	leat__list_for_each(node, &leat__sim_network(s->sim)->on_the_way) {
		struct leat__sim_message *m =
			leat__container_of(node, struct leat__sim_message, node);

		if (m->sender == s)
			m->sender = NULL;
	}
}

void leat__sim_udp_drop_all(struct leat__sim_network *net)
{
	while (!leat__list_is_empty(&net->on_the_way))
		leat__sim_message_free(leat__container_of(net->on_the_way.next,
							  struct leat__sim_message, node));
}
