/*
 * Sockets: TCP, UDP and Unix, over IPv4 and IPv6.
 *
 *	leat_addr addr;
 *	leat_io listener, io;
 *
 *	leat_addr_parse(&addr, "[::]:8080");
 *	r = leat_listen(&listener, &addr, NULL);
 *	while ((r = leat_accept(listener, &io, NULL, LEAT_FOREVER)) == 0)
 *		leat_go(serve, io);		// leat_read, leat_write, leat_io_close
 *
 * A socket is a leat_io, so what leat/io.h says of handles, deadlines and errors holds
 * here: calls with a deadline block the task, return -ETIMEDOUT, -ECANCELED or
 * LEAT_ECLOSED, else the kernel's own error.  A call that fails leaves no
 * descriptor behind.  Sockets are closed by exec (SOCK_CLOEXEC).
 */
#ifndef LEAT_NET_H
#define LEAT_NET_H

#include <sys/socket.h>

#include <leat/io.h>

/*
 * An address of a socket; a value, without memory of its own.  As an argument of a task it is
 * too large (LEAT_ARGS_MAX): give a pointer to it.
 */
typedef struct leat_addr {
	struct sockaddr_storage _storage;
	socklen_t _size;
} leat_addr;

/* Room for the text of any address. */
#define LEAT_ADDR_TEXT 144

typedef struct leat_socket_options {
	size_t size;		/* sizeof(leat_socket_options) */
	int backlog;		/* connections that may wait; 0: as many as the kernel allows */
	bool reuse_port;	/* others may listen there, too, and share the connections */
	bool v6_only;		/* IPv6: not also IPv4 */
	/*
	 * Unix, when it is bound: a socket at the path, at which nobody listens, is removed
	 * first.  Else a path that exists is -EADDRINUSE.  Nothing removes it at the
	 * close: another server may have it by then.  Unlink it yourself, before the close.
	 */
	bool replace_path;
	/* TCP; accepted connections have them from their listener. */
	bool no_delay;		/* send at once (TCP_NODELAY) */
	bool keep_alive;	/* find out that the peer is gone (SO_KEEPALIVE) */
	const leat_addr *local;	/* connect: from there; NULL: the kernel chooses */
} leat_socket_options;

#define LEAT_SOCKET_OPTIONS(...) LEAT__OPTIONS(leat_socket_options, __VA_ARGS__)

LEAT_BEGIN_DECLS

/*
 * An address from its text, without asking anybody for names:
 *
 *	127.0.0.1:80	[::1]:80	[fe80::1%eth0]:80	unix:/a/path	unix:@abstract
 *
 * Returns 0, -EINVAL, -ENAMETOOLONG (Unix: 107 bytes at most), -ENODEV (no such interface).
 * Does not block.
 */
LEAT_API LEAT_MUST_CHECK int leat_addr_parse(leat_addr *ret_addr, const char *text);

/*
 * The same text for addr; "unix:" for a socket without a name; a 0 byte in an abstract name
 * is shown as @.  Returns its length, or -ENOSPC.  Does not block.
 */
LEAT_API int leat_addr_format(const leat_addr *addr, char *text, size_t size);

/* To and from the system's own type.  leat_addr_set: 0, or -EINVAL. */
LEAT_API LEAT_MUST_CHECK int leat_addr_set(leat_addr *ret_addr, const struct sockaddr *sockaddr,
					   socklen_t size);
LEAT_API const struct sockaddr *leat_addr_get(const leat_addr *addr, socklen_t *ret_size);

/* The port; -1 if it has none.  leat_addr_set_port: 0, or -EINVAL. */
LEAT_API int leat_addr_port(const leat_addr *addr);
LEAT_API int leat_addr_set_port(leat_addr *addr, unsigned port);

/*
 * Makes *ret_io a listener at addr (SOCK_STREAM; TCP with SO_REUSEADDR).  options may be NULL.
 * Returns 0, or what socket(2), bind(2), listen(2), setsockopt(2) say.  Does not block.
 */
LEAT_API LEAT_MUST_CHECK int leat_listen(leat_io *ret_io, const leat_addr *addr,
					 const leat_socket_options *options);

/*
 * Accepts a connection; *ret_peer, unless NULL, says from where.  Any number of tasks may accept
 * from one listener.
 *
 * Connections that have died before are passed over.  When descriptors or memory have run out
 * (-EMFILE, -ENFILE, -ENOBUFS, -ENOMEM), it waits, up to 100 ms at a time, and tries
 * again, while the connections wait in the kernel; that error comes back only at the deadline.
 */
LEAT_API LEAT_MUST_CHECK int leat_accept(leat_io listener, leat_io *ret_io, leat_addr *ret_peer,
					 int64_t deadline);

/* Connects to addr (SOCK_STREAM).  options may be NULL. */
LEAT_API LEAT_MUST_CHECK int leat_connect(leat_io *ret_io, const leat_addr *addr,
					  const leat_socket_options *options, int64_t deadline);

/*
 * Ends one or both directions of a connection, for every handle of it: LEAT_WRITABLE: the
 * peer reads the end; LEAT_READABLE: reads return the end (not of datagrams: on Linux they wait
 * on).  Does not block.
 */
LEAT_API int leat_shutdown(leat_io io, unsigned how);

/* The addresses of both ends.  0, LEAT_ECLOSED, or the kernel's error.  Do not block. */
LEAT_API int leat_local_addr(leat_io io, leat_addr *ret_addr);
LEAT_API int leat_peer_addr(leat_io io, leat_addr *ret_addr);

/* setsockopt(2), getsockopt(2).  *size as there.  0, LEAT_ECLOSED, or their error. */
LEAT_API int leat_sockopt_set(leat_io io, int level, int name, const void *value,
			      socklen_t size);
LEAT_API int leat_sockopt_get(leat_io io, int level, int name, void *ret_value,
			      socklen_t *size);

/* Two connected Unix sockets; type: SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET. */
LEAT_API LEAT_MUST_CHECK int leat_socketpair(leat_io ret_io[2], int type);

/*
 * A socket for datagrams (UDP, or Unix), bound to local and connected to peer; one of them may be
 * NULL.  Connected, leat_read and leat_write do, too.  Returns 0, or what socket(2), bind(2),
 * connect(2) say.  Does not block.
 */
LEAT_API LEAT_MUST_CHECK int leat_datagram_open(leat_io *ret_io, const leat_addr *local,
						const leat_addr *peer,
						const leat_socket_options *options);

/* Sends n bytes as one datagram; to: NULL where the socket is connected.  0, or an error. */
LEAT_API int leat_send_to(leat_io io, const void *buf, size_t n, const leat_addr *to,
			  int64_t deadline);

/*
 * Receives one datagram.  Returns its size, which is greater than n if the datagram did not fit and
 * its end is lost; 0: it is empty.  *ret_from, unless NULL: where from.
 */
LEAT_API int64_t leat_recv_from(leat_io io, void *buf, size_t n, leat_addr *ret_from,
				int64_t deadline);

/*
 * The addresses of a host and service, by getaddrinfo(3) on a thread of leat_blocking's pool, the
 * best first: up to n (and 64) of them.  host NULL: any address of this machine, to listen
 * at; service: a name or number, NULL: port 0.
 *
 * Returns how many; -ENOENT (no such name), -EAGAIN (the name server does not answer; try
 * later), -EIO (it refuses), -EINVAL (no such service or port), -ENOMEM, -ETIMEDOUT,
 * -ECANCELED.  After the last two the search goes on where nobody waits for it, except the
 * end of the runtime.
 */
LEAT_API LEAT_MUST_CHECK int leat_resolve(const char *host, const char *service,
					  leat_addr *ret_addrs, int n, int64_t deadline);

LEAT_END_DECLS

#endif
