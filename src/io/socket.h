/* What the files of sockets share. */
#ifndef LEAT_IO_SOCKET_H
#define LEAT_IO_SOCKET_H

#include <leat/net.h>

#include "io/io.h"

/* A socket for addr's family with the options that come before a bind; or an error. */
int leat__socket_open(const leat_addr *addr, int type, const leat_socket_options *options);

/* Binds fd, as options->replace_path says.  0, or an error. */
int leat__socket_bind(int fd, int type, const leat_addr *addr,
		      const leat_socket_options *options);

/* options, or the default ones. */
const leat_socket_options *leat__socket_options(const leat_socket_options *options,
						const char *function);

/* One datagram: to be sent to addr (NULL: to the peer), or received; then addr is filled in. */
struct leat__datagram {
	void *buf;
	size_t n;
	leat_addr *addr;
};

/*
 * The pause before the next try after something has run out: longer each time,
 * PAUSE_MIN to PAUSE_MAX; 0 at first.
 */
int64_t leat__socket_pause(int64_t pause);

#endif
