/*
 * The simulated network: its names.
 *
 * A name is in the list as long as it is taken: that of a Unix socket with a path also after the
 * close, as the kernel's.  Ports of TCP and UDP are different names, and so are abstract ones of
 * streams and datagrams; paths are not.
 */
#include "io/sim_datagram.h"
#include "io/sim_net.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "io/sim_fault.h"

enum { PORT_FIRST = 32768, PORT_LAST = 60999, BUFFER = 65536 };

static void name_free(struct leat__sim_name *name)
{
	leat__list_remove(&name->node);
	leat__free(name, sizeof(*name));
}

static void network_fini(struct leat__sim_part *part)
{
	struct leat__sim_network *net = leat__container_of(part, struct leat__sim_network, part);

	while (!leat__list_is_empty(&net->names))
		name_free(leat__container_of(net->names.next, struct leat__sim_name, node));
	leat__sim_udp_drop_all(net);
	leat__free(net, sizeof(*net));
}

struct leat__sim_network *leat__sim_network(struct leat__sim *sim)
{
	struct leat__sim_part **where = leat__sim_part(sim, LEAT__SIM_NET);
	struct leat__sim_network *net;

	if (*where)
		return leat__container_of(*where, struct leat__sim_network, part);
	net = leat__alloc(sizeof(*net));
	if (!net)
		return NULL;
	memset(net, 0, sizeof(*net));
	net->part.fini = network_fini;
	net->options = *LEAT_SIM_NET(.latency_min = 10 * LEAT_US, .latency_max = LEAT_MS,
				     .short_one_in = 8, .buffer = BUFFER);
	net->next_port = PORT_FIRST;
	leat__list_init(&net->names);
	leat__list_init(&net->sockets);
	leat__list_init(&net->on_the_way);
	*where = &net->part;
	return net;
}

int leat_sim_net_set(const leat_sim_net *options)
{
	struct leat__sim *sim = leat__sim_io();
	struct leat__sim_network *net;

	leat__check_fork(__func__, NULL);
	if (leat__unlikely(!options || options->size != sizeof(*options)))
		leat__misuse(options, "the size is not set; use LEAT_SIM_NET(...)");
	if (leat__unlikely(options->latency_min < 0 || options->latency_max < options->latency_min))
		leat__misuse(options, "the latency is %lld to %lld ns", (long long)options->latency_min,
			     (long long)options->latency_max);
	if (!sim)
		return 0;
	leat__sim_lock(sim);
	net = leat__sim_network(sim);
	if (net) {
		net->options = *options;
		if (net->options.buffer == 0)
			net->options.buffer = BUFFER;
	}
	leat__sim_unlock(sim);
	return net ? 0 : -ENOMEM;
}

int64_t leat__sim_latency(struct leat__sim *sim)
{
	const leat_sim_net *net = &leat__sim_network(sim)->options;

	return leat__sim_between(sim, net->latency_min, net->latency_max);
}

/* The bytes of an IP address, 4 or 16. */
const void *leat__sim_ip_of(const leat_addr *addr, size_t *ret_n)
{
	if (addr->_storage.ss_family == AF_INET) {
		*ret_n = 4;
		return &((const struct sockaddr_in *)&addr->_storage)->sin_addr;
	}
	*ret_n = 16;
	return &((const struct sockaddr_in6 *)&addr->_storage)->sin6_addr;
}

bool leat__sim_is_any(const leat_addr *addr)
{
	static const char zero[16];
	size_t n;
	const void *ip = leat__sim_ip_of(addr, &n);

	return memcmp(ip, zero, n) == 0;
}

bool leat__sim_is_path(const leat_addr *addr)
{
	return addr->_storage.ss_family == AF_UNIX &&
	       ((const struct sockaddr_un *)&addr->_storage)->sun_path[0] != '\0';
}

leat_addr leat__sim_plain(const leat_addr *addr)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&addr->_storage;
	struct sockaddr_in in = { .sin_family = AF_INET };
	leat_addr plain = *addr;

	if (addr->_storage.ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		return plain;
	in.sin_port = in6->sin6_port;
	memcpy(&in.sin_addr, (const char *)&in6->sin6_addr + 12, 4);
	(void)!leat_addr_set(&plain, (const struct sockaddr *)&in, sizeof(in));
	return plain;
}

static bool reaches_unix(const struct leat__sim_name *name, const leat_addr *addr, int type)
{
	return name->addr._size == addr->_size &&
	       memcmp(&name->addr._storage, &addr->_storage, addr->_size) == 0 &&
	       (name->type == type || leat__sim_is_path(addr));
}

bool leat__sim_same_ip(const leat_addr *a, const leat_addr *b)
{
	size_t n, m;
	const void *ip_a = leat__sim_ip_of(a, &n), *ip_b = leat__sim_ip_of(b, &m);

	return n == m && memcmp(ip_a, ip_b, n) == 0;
}

bool leat__sim_reaches(const struct leat__sim_name *name, const leat_addr *addr, int type)
{
	leat_addr to = leat__sim_plain(addr), at = leat__sim_plain(&name->addr);
	int family = to._storage.ss_family, own = at._storage.ss_family;

	if (family == AF_UNIX || own == AF_UNIX)
		return family == own && reaches_unix(name, addr, type);
	if (name->type != type || leat_addr_port(&at) != leat_addr_port(&to))
		return false;
	if (family != own)
		return own == AF_INET6 && !name->v6_only && leat__sim_is_any(&at);
	/* A connect to any address of this host is one to its loopback. */
	return leat__sim_is_any(&at) || leat__sim_is_any(&to) || leat__sim_same_ip(&at, &to);
}

struct leat__sim_name *leat__sim_find(struct leat__sim *sim, const leat_addr *addr, int type,
				      int *ret_error)
{
	struct leat__sim_network *net = leat__sim_network(sim);
	struct leat__sim_name *found = NULL;
	uint64_t n = 0;

	*ret_error = leat__sim_is_path(addr) ? -ENOENT : -ECONNREFUSED;
	leat__list_for_each(node, &net->names) {
		struct leat__sim_name *name =
			leat__container_of(node, struct leat__sim_name, node);

		if (!leat__sim_reaches(name, addr, type))
			continue;
		if (!name->io)
			*ret_error = -ECONNREFUSED;
		else if (name->type != type)
			*ret_error = -EPROTOTYPE;
		else if (n++ == 0 || leat__sim_roll(sim, n) == 0)
			found = name;
	}
	return found;
}

static bool is_taken(struct leat__sim_network *net, const struct leat__sim_name *by)
{
	bool can_share = by->reuse_port && by->addr._storage.ss_family != AF_UNIX;

	leat__list_for_each(node, &net->names) {
		struct leat__sim_name *name =
			leat__container_of(node, struct leat__sim_name, node);

		if ((leat__sim_reaches(name, &by->addr, by->type) ||
		     leat__sim_reaches(by, &name->addr, name->type)) &&
		    !(can_share && name->reuse_port))
			return true;
	}
	return false;
}

unsigned leat__sim_next_port(struct leat__sim_network *net)
{
	unsigned port = net->next_port++;

	if (net->next_port > PORT_LAST)
		net->next_port = PORT_FIRST;
	return port;
}

/* A path at which nobody listens any more. */
static void forget_path(struct leat__sim_network *net, const leat_addr *addr)
{
	leat__list_for_each(node, &net->names) {
		struct leat__sim_name *old =
			leat__container_of(node, struct leat__sim_name, node);

		if (!old->io && leat__sim_reaches(old, addr, old->type)) {
			name_free(old);
			return;
		}
	}
}

static int bind_name(struct leat__sim_network *net, struct leat__sim_name *name, bool replace)
{
	if (leat_addr_port(&name->addr) == 0) {
		for (int left = PORT_LAST - PORT_FIRST; left >= 0; left--) {
			leat_addr_set_port(&name->addr, leat__sim_next_port(net));
			if (!is_taken(net, name))
				break;
		}
	}
	if (replace && leat__sim_is_path(&name->addr))
		forget_path(net, &name->addr);
	if (is_taken(net, name))
		return -EADDRINUSE;
	leat__list_append(&net->names, &name->node);
	return 0;
}

int leat__sim_bind(struct leat__sim_name **ret_name, struct leat__sim *sim, struct leat__io *io,
		   int type, const leat_addr *addr, const leat_socket_options *options)
{
	struct leat__sim_network *net = leat__sim_network(sim);
	struct leat__sim_name *name = leat__alloc(sizeof(*name));
	int family = addr->_storage.ss_family, plain = leat__sim_plain(addr)._storage.ss_family, r;

	if (!name)
		return -ENOMEM;
	memset(name, 0, sizeof(*name));
	leat__list_init(&name->node);
	name->io = io;
	name->type = type;
	name->addr = *addr;
	name->reuse_port = options->reuse_port;
	/* As the kernel has it: only any address of IPv6 is one of IPv4, too. */
	name->v6_only = options->v6_only ||
			(family == AF_INET6 && plain == AF_INET6 && !leat__sim_is_any(addr));
	if (options->v6_only && plain != family)
		r = -EINVAL;
	else
		r = net ? bind_name(net, name, options->replace_path) : -ENOMEM;
	if (r < 0)
		name_free(name);
	else
		*ret_name = name;
	return r;
}

void leat__sim_unbind(struct leat__sim_name *name)
{
	if (leat__sim_is_path(&name->addr))
		name->io = NULL;
	else
		name_free(name);
}
