/*
 * The simulated network: its names, its listeners, and how connections come about.
 *
 * A connect takes two latencies.  After the first the connection is in the queue of the
 * listener, after the second the client knows.  A name is in the list of listeners as long as it is
 * taken: that of a Unix socket with a path also after the close, as the kernel's.
 */
#include "io/sim_net.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "io/sim_fault.h"
#include "io/socket.h"

enum { PORT_FIRST = 32768, PORT_LAST = 60999, BUFFER = 65536, BACKLOG_MAX = 4096 };

struct listener {
	struct leat__list node;
	struct leat__sim *sim;	/* (c) */
	struct leat__io *io;	/* (L) NULL: closed, only the name is left */
	struct leat__list queue; /* (L) leat__sim_conn, oldest first */
	int queued, backlog;	/* (L), (c) */
	bool reuse_port, v6_only; /* (c) */
	leat_addr addr;		/* (c) */
};

static void network_fini(struct leat__sim_part *part)
{
	struct leat__sim_network *net = leat__container_of(part, struct leat__sim_network, part);

	while (!leat__list_is_empty(&net->listeners)) {
		struct listener *l = leat__container_of(net->listeners.next, struct listener, node);

		leat__list_remove(&l->node);
		leat__free(l, sizeof(*l));
	}
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
	leat__list_init(&net->listeners);
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

static bool is_path(const leat_addr *addr)
{
	return addr->_storage.ss_family == AF_UNIX &&
	       ((const struct sockaddr_un *)&addr->_storage)->sun_path[0] != '\0';
}

/* Whether a connect to addr reaches the listener l. */
static bool reaches(const struct listener *l, const leat_addr *addr)
{
	int family = addr->_storage.ss_family, own = l->addr._storage.ss_family;
	const void *a, *b;
	size_t n, m;

	if (family == AF_UNIX || own == AF_UNIX)
		return family == own && l->addr._size == addr->_size &&
		       memcmp(&l->addr._storage, &addr->_storage, addr->_size) == 0;
	if (leat_addr_port(&l->addr) != leat_addr_port(addr))
		return false;
	if (family != own)
		return own == AF_INET6 && !l->v6_only && is_any(&l->addr);
	a = ip_of(addr, &n);
	b = ip_of(&l->addr, &m);
	/* A connect to any address of this host is one to its loopback. */
	return is_any(&l->addr) || is_any(addr) || memcmp(a, b, n) == 0;
}

/* The listener that a connect reaches; one of several by the seed.  NULL: none. */
static struct listener *find(struct leat__sim *sim, const leat_addr *addr, bool *ret_is_name)
{
	struct leat__sim_network *net = leat__sim_network(sim);
	struct listener *found = NULL;
	uint64_t n = 0;

	*ret_is_name = false;
	leat__list_for_each(node, &net->listeners) {
		struct listener *l = leat__container_of(node, struct listener, node);

		if (!reaches(l, addr))
			continue;
		*ret_is_name = true;
		if (l->io && (n++ == 0 || leat__sim_roll(sim, n) == 0))
			found = l;
	}
	return found;
}

static bool is_taken(struct leat__sim_network *net, const struct listener *by)
{
	leat__list_for_each(node, &net->listeners) {
		struct listener *l = leat__container_of(node, struct listener, node);

		if ((reaches(l, &by->addr) || reaches(by, &l->addr)) &&
		    !(l->reuse_port && by->reuse_port))
			return true;
	}
	return false;
}

static unsigned next_port(struct leat__sim_network *net)
{
	unsigned port = net->next_port++;

	if (net->next_port > PORT_LAST)
		net->next_port = PORT_FIRST;
	return port;
}

/* Under the lock: gives l its name.  0, or -EADDRINUSE. */
static int bind_name(struct leat__sim_network *net, struct listener *l, bool replace)
{
	if (leat_addr_port(&l->addr) == 0) {
		for (int left = PORT_LAST - PORT_FIRST; left >= 0; left--) {
			leat_addr_set_port(&l->addr, next_port(net));
			if (!is_taken(net, l))
				break;
		}
	}
	if (replace && is_path(&l->addr)) {
		leat__list_for_each(node, &net->listeners) {
			struct listener *old = leat__container_of(node, struct listener, node);

			if (old->io || !reaches(old, &l->addr))
				continue;
			leat__list_remove(&old->node);
			leat__free(old, sizeof(*old));
			break;
		}
	}
	if (is_taken(net, l))
		return -EADDRINUSE;
	leat__list_append(&net->listeners, &l->node);
	return 0;
}

int leat__sim_listen(leat_io *ret_io, const leat_addr *addr, const leat_socket_options *options)
{
	struct leat__sim *sim = leat__sim_io();
	struct listener *l = leat__alloc(sizeof(*l));
	struct leat__sim_network *net;
	struct leat__io *io;
	int r;

	if (!l)
		return -ENOMEM;
	memset(l, 0, sizeof(*l));
	l->sim = sim;
	l->addr = *addr;
	l->backlog = options->backlog > 0 ? options->backlog : BACKLOG_MAX;
	l->reuse_port = options->reuse_port;
	l->v6_only = options->v6_only;
	leat__list_init(&l->queue);
	io = leat__io_new(&leat__sim_listener_ops, -1, l, 0);
	leat__sim_lock(sim);
	net = leat__sim_network(sim);
	r = io && net ? bind_name(net, l, options->replace_path) : -ENOMEM;
	l->io = io;
	leat__sim_unlock(sim);
	if (r == 0) {
		*ret_io = leat__io_open(io);
		return 0;
	}
	if (io)
		leat__io_discard(io);
	leat__free(l, sizeof(*l));
	return r;
}

static struct leat__sim_conn *pop(struct listener *l)
{
	struct leat__sim_conn *conn;

	if (leat__list_is_empty(&l->queue))
		return NULL;
	conn = leat__container_of(l->queue.next, struct leat__sim_conn, node);
	leat__list_remove(&conn->node);
	l->queued--;
	return conn;
}

static void listener_close(struct leat__io *io)
{
	struct listener *l = io->ctx;
	struct leat__sim *sim = l->sim;
	struct leat__sim_conn *conn;

	leat__sim_lock(sim);
	while ((conn = pop(l)) != NULL) {
		/* As the kernel does: what nobody has accepted is reset. */
		conn->end[1].used++;
		leat__sim_end_close(&conn->end[1]);
	}
	l->io = NULL;
	if (!is_path(&l->addr)) {
		leat__list_remove(&l->node);
		leat__free(l, sizeof(*l));
	}
	leat__sim_unlock(sim);
}

static int64_t no_bytes(struct leat__io *io, const struct iovec *iov, int count)
{
	(void)io;
	(void)iov;
	(void)count;
	return -ENOTCONN;
}

static uint32_t listener_possible(struct leat__io *io, uint32_t what)
{
	struct listener *l = io->ctx;
	uint32_t now;

	leat__sim_lock(l->sim);
	now = leat__list_is_empty(&l->queue) ? 0 : LEAT__READABLE;
	leat__sim_unlock(l->sim);
	return now & what;
}

const struct leat__io_ops leat__sim_listener_ops = {
	.name = "simulated listener",
	.read = no_bytes,
	.write = no_bytes,
	.possible = listener_possible,
	.close = listener_close,
};

static int64_t try_accept(struct leat__io *io, void *arg)
{
	struct listener *l = io->ctx;
	struct leat__io *fresh = arg;
	struct leat__sim_conn *conn;

	leat__sim_lock(l->sim);
	conn = pop(l);
	if (conn) {
		fresh->ctx = &conn->end[1];
		conn->end[1].io = fresh;
	}
	leat__sim_unlock(l->sim);
	return conn ? 0 : -EAGAIN;
}

int leat__sim_accept(struct leat__io *io, leat_io *ret_io, leat_addr *ret_peer, int64_t deadline)
{
	struct leat__io *fresh = leat__io_new(&leat__sim_stream_ops, -1, NULL,
					      LEAT__READABLE | LEAT__WRITABLE);
	struct leat__sim_end *end;
	int r;

	if (!fresh)
		return -ENOMEM;
	r = (int)leat__io_try(io, LEAT__READABLE, deadline, try_accept, fresh, 0);
	if (r < 0) {
		leat__io_discard(fresh);
		return r;
	}
	end = fresh->ctx;
	*ret_peer = end->conn->end[0].addr;
	*ret_io = leat__io_open(fresh);
	return 0;
}

/* The address that the client has. */
static leat_addr client_addr(struct leat__sim_network *net, const leat_addr *to,
			     const leat_socket_options *options)
{
	leat_addr addr = options->local ? *options->local : *to;

	if (!options->local && addr._storage.ss_family == AF_UNIX)
		addr._size = sizeof(addr._storage.ss_family);
	else if (!options->local || leat_addr_port(&addr) == 0)
		leat_addr_set_port(&addr, next_port(net));
	return addr;
}

/* Puts a new connection, of which io is the client's end, into the queue. */
static int enqueue(struct leat__sim *sim, struct leat__io *io, const leat_addr *addr,
		   const leat_socket_options *options)
{
	struct leat__sim_conn *conn;
	struct listener *l;
	leat_addr client;
	bool is_name;

	l = find(sim, addr, &is_name);
	if (!l)
		return is_path(addr) && !is_name ? -ENOENT : -ECONNREFUSED;
	if (l->queued > l->backlog)
		return -EAGAIN;
	client = client_addr(leat__sim_network(sim), addr, options);
	conn = leat__sim_conn_new(sim, &client, addr);
	if (!conn)
		return -ENOMEM;
	io->ctx = &conn->end[0];
	conn->end[0].io = io;
	leat__list_append(&l->queue, &conn->node);
	l->queued++;
	leat__sim_wake(l->io, LEAT__READABLE);
	return 0;
}

static int wait_until(int64_t until, int64_t deadline)
{
	int r = leat_sleep_until(until < deadline ? until : deadline);

	return r == 0 && until > deadline ? -ETIMEDOUT : r;
}

/* One way of a connect. */
static int travel(struct leat__sim *sim, int64_t deadline)
{
	int64_t until;

	leat__sim_lock(sim);
	until = leat__sim_network(sim) ? leat__sim_now(sim) + leat__sim_latency(sim) : -1;
	leat__sim_unlock(sim);
	return until < 0 ? -ENOMEM : wait_until(until, deadline);
}

static int connect_io(struct leat__sim *sim, struct leat__io *io, const leat_addr *addr,
		      const leat_socket_options *options, int64_t deadline)
{
	int64_t pause = 0;
	int r = travel(sim, deadline);

	while (r == 0) {
		leat__sim_lock(sim);
		r = enqueue(sim, io, addr, options);
		leat__sim_unlock(sim);
		if (r != -EAGAIN)
			break;
		pause = leat__socket_pause(pause);
		r = wait_until(leat_in(pause), deadline);
	}
	return r == 0 ? travel(sim, deadline) : r;
}

int leat__sim_connect(leat_io *ret_io, const leat_addr *addr, const leat_socket_options *options,
		      int64_t deadline)
{
	struct leat__sim *sim = leat__sim_io();
	struct leat__io *io = leat__io_new(&leat__sim_stream_ops, -1, NULL,
					   LEAT__READABLE | LEAT__WRITABLE);
	leat_io handle;
	int r;

	if (!io)
		return -ENOMEM;
	r = connect_io(sim, io, addr, options, deadline);
	if (!io->ctx) {
		leat__io_discard(io);
		return r;
	}
	handle = leat__io_open(io);
	if (r < 0)
		leat_io_close(handle);
	else
		*ret_io = handle;
	return r;
}

int leat__sim_local_addr(struct leat__io *io, leat_addr *ret_addr)
{
	if (leat__sim_is_listener(io))
		*ret_addr = ((struct listener *)io->ctx)->addr;
	else
		*ret_addr = ((struct leat__sim_end *)io->ctx)->addr;
	return 0;
}

int leat__sim_peer_addr(struct leat__io *io, leat_addr *ret_addr)
{
	const struct leat__sim_end *end = io->ctx;

	if (leat__sim_is_listener(io))
		return -ENOTCONN;
	*ret_addr = end->conn->end[end == &end->conn->end[0]].addr;
	return 0;
}
