/* Sockets of a simulation: sim_name.c, sim_net.c (listeners), sim_conn.c; sim_datagram.h. */
#ifndef LEAT_IO_SIM_NET_H
#define LEAT_IO_SIM_NET_H

#include <leat/net.h>
#include <leat/sim.h>

#include "io/io.h"
#include "rt/sim.h"

/* One end of a connection, and what is on the way to it. */
struct leat__sim_end {
	struct leat__io *io;	/* (L) NULL: not accepted yet, or closed */
	struct leat__sim_conn *conn; /* (c) */
	struct leat__list in;	/* (L) packet, in the order of arrival */
	size_t used;		/* (L) bytes in it */
	int64_t last_due;	/* (L) no packet overtakes another */
	int error;		/* (L) for the next call */
	bool reset;		/* (L) there is no connection any more */
	bool peer_gone;		/* (L) it has heard that the peer has closed */
	bool closed, shut_read, shut_write; /* (L) */
	leat_addr addr;		/* (c) */
};

struct leat__sim_conn {
	struct leat__sim_end end[2]; /* of the client, of the server */
	struct leat__list node;	/* (L) in the queue of the listener */
	struct leat__sim *sim;	/* (c) */
	bool is_unix;		/* (c) */
};

/* L is leat__sim_lock.  The network of the run, made at its first use; NULL: no memory. */
struct leat__sim_network {
	struct leat__sim_part part;
	leat_sim_net options;	/* (L) */
	struct leat__list names; /* (L) leat__sim_name, oldest first */
	struct leat__list sockets; /* (L) leat__sim_socket, of datagrams */
	struct leat__list on_the_way; /* (L) leat__sim_message, of UDP */
	unsigned next_port;	/* (L) */
};
struct leat__sim_network *leat__sim_network(struct leat__sim *sim);
int64_t leat__sim_latency(struct leat__sim *sim);

/* Names: sim_name.c.  A listener, or a socket of datagrams, is its io's ctx. */
struct leat__sim_name {
	struct leat__list node;	/* (L) */
	struct leat__io *io;	/* (L) NULL: closed, only the name is left */
	int type;		/* (c) SOCK_STREAM or SOCK_DGRAM */
	bool reuse_port, v6_only; /* (c) */
	leat_addr addr;		/* (c) once the socket is open */
};
/* Under the lock.  addr gets a port if it has none.  0, -ENOMEM or -EADDRINUSE. */
int leat__sim_bind(struct leat__sim_name **ret_name, struct leat__sim *sim, struct leat__io *io,
		   int type, const leat_addr *addr, const leat_socket_options *options);
void leat__sim_unbind(struct leat__sim_name *name);
/*
 * Under the lock: who is reached by what is sent to addr, one of several by the seed.  NULL:
 * nobody; *ret_error: -ECONNREFUSED, and of a path -ENOENT, or -EPROTOTYPE: one of another type.
 */
struct leat__sim_name *leat__sim_find(struct leat__sim *sim, const leat_addr *addr, int type,
				      int *ret_error);
bool leat__sim_reaches(const struct leat__sim_name *name, const leat_addr *addr, int type);
/* An IPv4 address that is written as one of IPv6 (::ffff:1.2.3.4) as what it is; others stay. */
leat_addr leat__sim_plain(const leat_addr *addr);
/* The bytes of an IP address, 4 or 16. */
const void *leat__sim_ip_of(const leat_addr *addr, size_t *ret_n);
bool leat__sim_same_ip(const leat_addr *a, const leat_addr *b);
bool leat__sim_is_any(const leat_addr *addr);
bool leat__sim_is_path(const leat_addr *addr);
unsigned leat__sim_next_port(struct leat__sim_network *net);

struct leat__sim_conn *leat__sim_conn_new(struct leat__sim *sim, const leat_addr *client,
					  const leat_addr *server);
/* Under the lock. */
void leat__sim_end_close(struct leat__sim_end *end);
/* Wakes who waits for end's handle, if it has one.  Under the lock. */
void leat__sim_wake(struct leat__io *io, uint32_t what);

extern const struct leat__io_ops leat__sim_stream_ops, leat__sim_listener_ops,
	leat__sim_datagram_ops;

static inline bool leat__sim_is_listener(const struct leat__io *io)
{
	return io->ops == &leat__sim_listener_ops;
}

static inline bool leat__sim_is_datagram(const struct leat__io *io)
{
	return io->ops == &leat__sim_datagram_ops;
}

static inline bool leat__sim_is_socket(const struct leat__io *io)
{
	return io->ops == &leat__sim_stream_ops || leat__sim_is_listener(io) ||
	       leat__sim_is_datagram(io);
}

int leat__sim_listen(leat_io *ret_io, const leat_addr *addr, const leat_socket_options *options);
int leat__sim_accept(struct leat__io *io, leat_io *ret_io, leat_addr *ret_peer, int64_t deadline);
int leat__sim_connect(leat_io *ret_io, const leat_addr *addr, const leat_socket_options *options,
		      int64_t deadline);
int leat__sim_stream_pair(leat_io ret_io[2]);
int leat__sim_datagram_open(leat_io *ret_io, const leat_addr *local, const leat_addr *peer,
			    const leat_socket_options *options);
int leat__sim_message_pair(leat_io ret_io[2], int type);
/* For leat__io_try, with a struct leat__datagram. */
int64_t leat__sim_try_send(struct leat__io *io, void *datagram);
int64_t leat__sim_try_recv(struct leat__io *io, void *datagram);
int leat__sim_datagram_shutdown(struct leat__io *io, unsigned how);
int leat__sim_datagram_addr(struct leat__io *io, bool peer, leat_addr *ret_addr);
int leat__sim_shutdown(struct leat__io *io, unsigned how);
int leat__sim_local_addr(struct leat__io *io, leat_addr *ret_addr);
int leat__sim_peer_addr(struct leat__io *io, leat_addr *ret_addr);

#endif
