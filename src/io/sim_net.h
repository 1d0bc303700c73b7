/* Sockets of a simulation: sim_net.c (names, listeners) and sim_conn.c (connections). */
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
	struct leat__list listeners; /* (L) oldest first */
	unsigned next_port;	/* (L) */
};
struct leat__sim_network *leat__sim_network(struct leat__sim *sim);
int64_t leat__sim_latency(struct leat__sim *sim);

struct leat__sim_conn *leat__sim_conn_new(struct leat__sim *sim, const leat_addr *client,
					  const leat_addr *server);
/* Under the lock. */
void leat__sim_end_close(struct leat__sim_end *end);
/* Wakes who waits for end's handle, if it has one.  Under the lock. */
void leat__sim_wake(struct leat__io *io, uint32_t what);

extern const struct leat__io_ops leat__sim_stream_ops, leat__sim_listener_ops;

static inline bool leat__sim_is_listener(const struct leat__io *io)
{
	return io->ops == &leat__sim_listener_ops;
}

static inline bool leat__sim_is_socket(const struct leat__io *io)
{
	return io->ops == &leat__sim_stream_ops || leat__sim_is_listener(io);
}

int leat__sim_listen(leat_io *ret_io, const leat_addr *addr, const leat_socket_options *options);
int leat__sim_accept(struct leat__io *io, leat_io *ret_io, leat_addr *ret_peer, int64_t deadline);
int leat__sim_connect(leat_io *ret_io, const leat_addr *addr, const leat_socket_options *options,
		      int64_t deadline);
int leat__sim_shutdown(struct leat__io *io, unsigned how);
int leat__sim_local_addr(struct leat__io *io, leat_addr *ret_addr);
int leat__sim_peer_addr(struct leat__io *io, leat_addr *ret_addr);

#endif
