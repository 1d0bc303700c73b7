/*
 * An HTTP/1.1 server for the tests of connectors/http, of tasks; at 127.0.0.1, or ::1.
 *
 * What it does is in the path of the request:
 *
 *	/hello			200, "hello"
 *	/echo			200, the request's body, and as many headers as it had in X-Headers
 *	/head			200, the request's head: its first line and its headers
 *	/status/N		N, no body for 204 and 304
 *	/bytes/N		200, N bytes, each its place modulo 251
 *	/chunked		200, "chunked body", in chunks
 *	/until-close		200, "until close", neither length nor chunks
 *	/retry/VALUE		503 and Retry-After: VALUE, _ are spaces; the Date is fixed
 *	/cut			200, 10 of 1,000 bytes and the end
 *	/reset			the same, and a reset instead of the end
 *	/drop			the connection is closed without an answer
 *	/hang			no answer until the connection ends
 *	/hold			200 when server_go_on has been called
 *	/headers/N		200, and N bytes of headers
 *	/garbage		no HTTP
 *	/to/CODE/URL		a redirect to URL
 *	/loop			a redirect to itself
 *	/answer-and-close	200, "last"; the second request of a connection is read, and the
 *				connection closed
 */
#ifndef TESTS_CONNECTORS_SERVER_H
#define TESTS_CONNECTORS_SERVER_H

#include <stdatomic.h>

#include "test.h"

#define SERVER_DATE "Sun, 06 Nov 1994 08:49:37 GMT"

struct server {
	leat_io listener;
	int port;
	leat_group group;
	atomic_int connections, requests; /* so far */
	atomic_int closed;	/* connections that have ended */
	atomic_int active, active_max; /* requests that are being answered, at most at once */
	atomic_int dropped;	/* requests at /drop, /answer-and-close */
	leat_mutex lock;
	leat_cond changed;
	bool go_on;		/* (L: lock) */
	char last_body[64];	/* (L: lock) of a request at /echo: its beginning */
};

/* address: "127.0.0.1:0" or "[::1]:0"; false: the machine has no such address. */
bool server_start(struct server *server, const char *address);
void server_stop(struct server *server);
/* Until so many requests are being answered, for 20 s at most. */
void server_wait_active(struct server *server, int n);
/* Until so many connections have ended, for 20 s at most. */
void server_wait_closed(struct server *server, int n);
/* Lets all that are at /hold go on, now and later. */
void server_go_on(struct server *server);

/* "http://127.0.0.1:PORT" and path, in a static buffer that the eighth call from now overwrites. */
const char *server_url(const struct server *server, const char *path);

#endif
