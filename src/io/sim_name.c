/*
 * The simulated network: its names.
 *
 * A name is in the list as long as it is taken: that of a Unix socket with a path also after the
 * close, as the kernel's.  Ports of TCP and UDP are different names; paths are not.
 */
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
static const void *ip_of(const leat_addr *addr, size_t *ret_n)
{
	if (addr->_storage.ss_family == AF_INET) {
		*ret_n = 4;
		return &((const struct sockaddr_in *)&addr->_storage)->sin_addr;
	}
	*ret_n = 16;
	return &((const struct sockaddr_in6 *)&addr->_storage)->sin6_addr;
}

static bool is_any(const leat_addr *addr)
{
	static const char zero[16];
	size_t n;
	const void *ip = ip_of(addr, &n);

	return memcmp(ip, zero, n) == 0;
}

bool leat__sim_is_path(const leat_addr *addr)
{
	return addr->_storage.ss_family == AF_UNIX &&
	       ((const struct sockaddr_un *)&addr->_storage)->sun_path[0] != '\0';
}

/* Whether what is sent to addr reaches the name. */
static bool reaches(const struct leat__sim_name *name, const leat_addr *addr, int type)
{
	int family = addr->_storage.ss_family, own = name->addr._storage.ss_family;
	const void *a, *b;
	size_t n, m;

	if (family == AF_UNIX || own == AF_UNIX)
		return family == own && name->addr._size == addr->_size &&
		       memcmp(&name->addr._storage, &addr->_storage, addr->_size) == 0;
	if (name->type != type || leat_addr_port(&name->addr) != leat_addr_port(addr))
		return false;
	if (family != own)
		return own == AF_INET6 && !name->v6_only && is_any(&name->addr);
	a = ip_of(addr, &n);
	b = ip_of(&name->addr, &m);
	/* A connect to any address of this host is one to its loopback. */
	return is_any(&name->addr) || is_any(addr) || memcmp(a, b, n) == 0;
}

struct leat__sim_name *leat__sim_find(struct leat__sim *sim, const leat_addr *addr, int type,
				      bool *ret_is_name)
{
	struct leat__sim_network *net = leat__sim_network(sim);
	struct leat__sim_name *found = NULL;
	uint64_t n = 0;

	*ret_is_name = false;
	leat__list_for_each(node, &net->names) {
		struct leat__sim_name *name =
			leat__container_of(node, struct leat__sim_name, node);

		if (!reaches(name, addr, type))
			continue;
		*ret_is_name = true;
		if (name->io && (n++ == 0 || leat__sim_roll(sim, n) == 0))
			found = name;
	}
	return found;
}

static bool is_taken(struct leat__sim_network *net, const struct leat__sim_name *by)
{
	leat__list_for_each(node, &net->names) {
		struct leat__sim_name *name =
			leat__container_of(node, struct leat__sim_name, node);

		if ((reaches(name, &by->addr, by->type) || reaches(by, &name->addr, name->type)) &&
		    !(name->reuse_port && by->reuse_port))
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

		if (!old->io && reaches(old, addr, old->type)) {
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
	int r;

	if (!name)
		return -ENOMEM;
	memset(name, 0, sizeof(*name));
	leat__list_init(&name->node);
	name->io = io;
	name->type = type;
	name->addr = *addr;
	name->reuse_port = options->reuse_port;
	name->v6_only = options->v6_only;
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
