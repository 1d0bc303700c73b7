/*
 * The inside of the client.
 *
 * libcurl is called by one task of the client's own, the driver, alone, on a stack of its own, and
 * always in a no-park scope: what libcurl and its TLS library keep in thread-local variables
 * between two of its calls is nothing (libcurl clears OpenSSL's error queue before each call that
 * looks into it), so the driver may change its thread between two scopes.
 *
 *	requester	makes an order of its transfer and waits for transfer.done
 *	driver		takes orders, starts transfers, tells libcurl of events and timers
 *	watcher		waits in leat's poller for the epoll instance with libcurl's descriptors
 *
 * Who may touch a field: (D) the driver; (R) the requester, but the driver from the order until
 * done; (L) who holds client.lock; no letter: set when the client is made.
 */
#ifndef CONNECTORS_HTTP_CLIENT_H
#define CONNECTORS_HTTP_CLIENT_H

#include <stdatomic.h>

#include <leat/leat.h>

#include "curl.h"
#include "http.h"
#include "request.h"

enum {
	HTTP_HOST_BUCKETS = 256,
	HTTP_REDIRECTS_MAX = 10,
	HTTP_HEADERS_MAX = 256 * 1024,
};
#define HTTP_RESPONSE_MAX ((size_t)64 << 20)

struct http_transfer {
	struct http_client *client;
	atomic_int refs;	/* requester, driver, and each order to abort */
	leat_waitgroup done;
	const struct http_request *request; /* (R) */
	struct http_response *response; /* (R) */
	int64_t deadline;	/* (R) */
	int result;		/* (R) */
	struct http_transfer *next; /* (D) among those that wait or have ended; (L) the free */

	CURL *easy;		/* (D) kept from one request to the next */
	struct curl_slist *headers; /* (D) */
	char curl_error[CURL_ERROR_SIZE]; /* (D) */
	struct http_host *host;	/* (D) where it is counted, or waits; NULL: in neither */
	bool counted;		/* (D) at its host; else it waits there */
	bool running;		/* (D) libcurl has it */
	bool once;		/* (D) must not be sent twice */
	bool sent;		/* (D) has been sent, by this hop */
	int64_t began;		/* (D) 0: has not */
	int failure;		/* (D) why a callback has stopped it, or 0 */
	const char *failure_text;
	size_t capacity;	/* (D) of response->body */
	size_t header_bytes;	/* (D) */
	struct http_transfer *next_running, **link_running; /* (D) */

	/* Of the hop; at first the request's. (D) */
	const char *method;
	char *url;		/* NULL: the request's */
	bool no_body;		/* the request's body is not for this hop */
	bool elsewhere;		/* at another host: without what is secret */
	int hops;
};

/* A scheme, name and port to which there are requests. */
struct http_host {
	struct http_host *next;
	struct http_transfer *first, **last; /* that wait */
	int active;
	bool known;		/* its name has been found, and which version of HTTP it speaks */
	bool stirred;		/* in the list of those of which some that wait may start */
	struct http_host *next_stirred;
	char name[];
};

struct http_order {
	struct http_transfer *transfer;
	bool abort;
};

struct http_client {
	struct http_client_options o; /* with strings of its own */
	leat_group group;
	leat_chan(struct http_order) orders;
	leat_chan(int) ready;	/* watcher to driver: there are events */
	leat_chan(int) looked;	/* driver to watcher: they have been dealt with */
	leat_io epoll;
	int epoll_fd;
	atomic_int live;	/* requests */
	leat_mutex lock;
	struct http_transfer *free; /* (L) */
	int nfree;		/* (L) */

	CURLM *multi;		/* (D) NULL: could not be made */
	CURLU *url;		/* (D) */
	int64_t timer;		/* (D) libcurl's */
	struct http_transfer *running; /* (D) */
	struct http_transfer *ended; /* (D) to be told so, outside of the scope */
	struct http_host *hosts[HTTP_HOST_BUCKETS]; /* (D) */
	struct http_host *stirred; /* (D) */
	/* The last one that was found, which stays while it has no requests, too; or NULL. (D) */
	struct http_host *last;
	char last_start[256];	/* (D) what the URL began with, up to the end of the port */
};

/* client.c */
void http_transfer_unref(struct http_transfer *t);

/* driver.c: the two tasks.  0 or -ENOMEM. */
int http_driver_start(struct http_client *client);
/* Adds t to libcurl's.  In the driver's scope, as all that follows. */
int http_driver_add(struct http_transfer *t);
void http_driver_remove(struct http_transfer *t);

/* host.c */
/* Of url, into *ret_host (0), or an error: -ENOMEM, -EINVAL and *why a static text. */
int http_host_find(struct http_client *client, const char *url, struct http_host **ret_host,
		   const char **why);
/* Whether t may start; else it waits, and http_host_next gives it in its time. */
bool http_host_enter(struct http_host *host, struct http_transfer *t);
/* t, which is counted at its host or waits there, no longer does. */
void http_host_leave(struct http_transfer *t);
/* Its name and version have been found. */
void http_host_set_known(struct http_client *client, struct http_host *host);
/* Forgets the last one that was found. */
void http_host_forget(struct http_client *client);
/* One that waits at a host with room, and is counted there now; NULL: there is none. */
struct http_transfer *http_host_next(struct http_client *client);

/* transfer.c */
/* t begins, or waits for its host; or ends at once. */
void http_transfer_begin(struct http_transfer *t);
/* t ends with r, whatever it was at; why: a static text, or NULL. */
void http_transfer_end(struct http_transfer *t, int r, const char *why);
/* libcurl has ended it. */
void http_transfer_complete(struct http_transfer *t, CURLcode code);
/* Starts those that wait for a host that has room now. */
void http_transfer_start_waiting(struct http_client *client);

/* options.c: what of the options and of the request libcurl is told. */
CURLcode http_transfer_set_client(struct http_transfer *t);
CURLcode http_transfer_set_request(struct http_transfer *t);

/* error.c: the error for a code, and its text. */
int http_error_of(const struct http_transfer *t, CURLcode code, const char **ret_why);

/* redirect.c: 1: t has become the next hop; 0: no redirect; or an error. */
int http_redirect(struct http_transfer *t, const char **why);

#endif
