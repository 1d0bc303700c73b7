/* Sockets of messages in a simulation: sim_datagram.c, and how they send: sim_udp.c, sim_unix.c. */
#ifndef LEAT_IO_SIM_DATAGRAM_H
#define LEAT_IO_SIM_DATAGRAM_H

#include "io/sim_net.h"
#include "io/socket.h"

struct leat__sim_message {
	struct leat__sim_event event;
	struct leat__list node;	/* (L) in a socket's coming or in, or the network's on_the_way */
	struct leat__sim *sim;	/* (c) UDP */
	struct leat__sim_socket *to; /* (c) Unix */
	struct leat__sim_socket *sender; /* (L) UDP; NULL: closed */
	leat_addr from, dest;	/* (c) dest: UDP, where both are plain */
	bool is_end;		/* (c) no more will come */
	size_t n;		/* (c) */
	char bytes[];
};

struct leat__sim_socket {
	struct leat__list node;	/* (L) in the network's list */
	struct leat__sim *sim;	/* (c) */
	struct leat__io *io;	/* (c) */
	struct leat__sim_name *name; /* (c) NULL: none */
	struct leat__sim_socket *pair; /* (L) Unix: to whom it is connected; NULL: it is closed */
	leat_addr peer;		/* (c) if connected; UDP: plain */
	int family, type;	/* (c) */
	bool is_connected;	/* (L) */
	bool shut_read, shut_write, peer_gone; /* (L) */
	bool waits;		/* (L) a send has found a full buffer */
	int error;		/* (L) for the next call */
	struct leat__list coming, in; /* (L) messages, in their order; coming: Unix */
	size_t used;		/* (L) bytes in both */
	size_t sending;		/* (L) UDP: bytes of it on the way */
	int64_t last_due;	/* (L) Unix: none overtakes another */
};

/* What is under the lock from here on. */

/* NULL: no memory. */
struct leat__sim_message *leat__sim_message_new(const struct iovec *iov, int count);
void leat__sim_message_free(struct leat__sim_message *m);
/* What it takes of a buffer: empty ones must not be without number. */
static inline size_t leat__sim_cost(size_t n)
{
	return n > 0 ? n : 1;
}

/* Whether n bytes more are too many for a buffer; one message always fits. */
bool leat__sim_is_full(const struct leat__sim_socket *s, size_t used, size_t n);
void leat__sim_message_arrived(struct leat__sim_socket *s, struct leat__sim_message *m);
/* Why s may not send now: an error that has happened, or -EPIPE. */
int leat__sim_send_error(struct leat__sim_socket *s);

int leat__sim_udp_connect(struct leat__sim_socket *s, const leat_addr *peer,
			  const leat_socket_options *options);
/* addr NULL: to the peer. */
int64_t leat__sim_udp_send(struct leat__sim_socket *s, const leat_addr *addr,
			   const struct iovec *iov, int count);
/* An address as sockets of that family say it. */
leat_addr leat__sim_udp_addr(const leat_addr *plain, int family);
/* What s has sent goes on without it. */
void leat__sim_udp_leave(struct leat__sim_socket *s);
void leat__sim_udp_drop_all(struct leat__sim_network *net);

int leat__sim_unix_connect(struct leat__sim_socket *s, const leat_addr *peer);
int64_t leat__sim_unix_send(struct leat__sim_socket *s, const leat_addr *addr,
			    const struct iovec *iov, int count);
/* s sends no more; who reads hears of it behind all that has been sent. */
void leat__sim_unix_end(struct leat__sim_socket *s);
void leat__sim_unix_leave(struct leat__sim_socket *s);

#endif
