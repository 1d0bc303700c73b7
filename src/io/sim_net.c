/*
 * The simulated network: its listeners, and how connections come about.
 *
 * A connect takes two latencies.  After the first the connection is in the queue of the
 * listener, after the second the client knows.
 */
#include "io/sim_net.h"

#include <errno.h>
#include <string.h>

#include "io/socket.h"

enum { BACKLOG_MAX = 4096 };

struct listener {
	struct leat__sim *sim;	/* (c) */
	struct leat__sim_name *name; /* (c) */
	struct leat__list queue; /* (L) leat__sim_conn, oldest first */
	int queued, backlog;	/* (L), (c) */
};

int leat__sim_listen(leat_io *ret_io, const leat_addr *addr, const leat_socket_options *options)
{
	struct leat__sim *sim = leat__sim_io();
	struct listener *l = leat__alloc(sizeof(*l));
	struct leat__io *io;
	int r;

	if (!l)
		return -ENOMEM;
	memset(l, 0, sizeof(*l));
	l->sim = sim;
	l->backlog = options->backlog > 0 ? options->backlog : BACKLOG_MAX;
	leat__list_init(&l->queue);
	io = leat__io_new(&leat__sim_listener_ops, -1, l, 0);
	leat__sim_lock(sim);
	r = io ? leat__sim_bind(&l->name, sim, io, SOCK_STREAM, addr, options) : -ENOMEM;
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
	leat__sim_unbind(l->name);
	leat__sim_unlock(sim);
	leat__free(l, sizeof(*l));
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
		leat_addr_set_port(&addr, leat__sim_next_port(net));
	return addr;
}

/* Puts a new connection, of which io is the client's end, into the queue. */
static int enqueue(struct leat__sim *sim, struct leat__io *io, const leat_addr *addr,
		   const leat_socket_options *options)
{
	struct leat__sim_name *name;
	struct leat__sim_conn *conn;
	struct listener *l;
	leat_addr client;
	int r;

	name = leat__sim_find(sim, addr, SOCK_STREAM, &r);
	if (!name)
		return r;
	l = name->io->ctx;
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
	leat__sim_wake(name->io, LEAT__READABLE);
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

int leat__sim_stream_pair(leat_io ret_io[2])
{
	static const leat_addr unnamed = { ._storage = { .ss_family = AF_UNIX },
					   ._size = sizeof(sa_family_t) };
	struct leat__sim *sim = leat__sim_io();
	struct leat__sim_conn *conn = NULL;
	struct leat__io *io[2];

	for (int i = 0; i < 2; i++)
		io[i] = leat__io_new(&leat__sim_stream_ops, -1, NULL,
				     LEAT__READABLE | LEAT__WRITABLE);
	leat__sim_lock(sim);
	if (io[0] && io[1] && leat__sim_network(sim))
		conn = leat__sim_conn_new(sim, &unnamed, &unnamed);
	for (int i = 0; i < 2; i++) {
		if (conn) {
			conn->end[i].io = io[i];
			io[i]->ctx = &conn->end[i];
			ret_io[i] = leat__io_open(io[i]);
		} else if (io[i]) {
			leat__io_discard(io[i]);
		}
	}
	leat__sim_unlock(sim);
	return conn ? 0 : -ENOMEM;
}

int leat__sim_local_addr(struct leat__io *io, leat_addr *ret_addr)
{
	if (leat__sim_is_datagram(io))
		return leat__sim_datagram_addr(io, false, ret_addr);
	if (leat__sim_is_listener(io))
		*ret_addr = ((struct listener *)io->ctx)->name->addr;
	else
		*ret_addr = ((struct leat__sim_end *)io->ctx)->addr;
	return 0;
}

int leat__sim_peer_addr(struct leat__io *io, leat_addr *ret_addr)
{
	const struct leat__sim_end *end = io->ctx;

	if (leat__sim_is_listener(io))
		return -ENOTCONN;
	if (leat__sim_is_datagram(io))
		return leat__sim_datagram_addr(io, true, ret_addr);
	*ret_addr = end->conn->end[end == &end->conn->end[0]].addr;
	return 0;
}
