/*
 * An HTTP client for tasks: libcurl's multi interface, driven by leat's poller.
 *
 *	http_client *client;
 *	struct http_response response;
 *
 *	r = http_client_create(&client, HTTP_CLIENT_OPTIONS(.per_host = 8));
 *	r = http_request(client, &(struct http_request){ .method = "POST", .url = url,
 *			 .body = body, .body_size = n }, &response, leat_in(30 * LEAT_S));
 *	http_response_release(&response);
 *	http_client_destroy(client);
 *
 * Connections are kept and shared by all requests of a client (keep-alive, HTTP/2 where the
 * server has it).  TLS is verified unless insecure.  libcurl is loaded by the first client, so a
 * program that makes none does not pay for it.
 *
 * As with curl, the variables http_proxy, HTTPS_PROXY, ALL_PROXY and NO_PROXY count, and
 * user:password@ in a URL becomes an Authorization header.  Neither that nor a header or a body is
 * ever in a log or in the text of an error.
 */
#ifndef CONNECTORS_HTTP_H
#define CONNECTORS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <leat/time.h>

typedef struct http_client http_client;

struct http_client_options {
	size_t size;		/* sizeof(struct http_client_options) */
	/*
	 * The most requests at once to one host (scheme, name and port); 0: no limit.  The others
	 * wait, first come, first served.
	 */
	int per_host;
	int connections;	/* the most that are kept open when idle; 0: 64 */
	bool insecure;		/* does not verify the server's certificate */
	const char *ca_file;	/* PEM: trusts these alone; NULL: the system's */
	const char *user_agent;	/* NULL: "leat/VERSION" */
	bool http1;		/* no HTTP/2 */
	/*
	 * Follows redirects, at most 10 and never from https to http.  POST becomes GET, but not
	 * by 307 and 308; to another host no Authorization, Cookie or Host header is sent.  Else
	 * a redirect is a response as any other.
	 */
	bool follow;
};

#define HTTP_CLIENT_OPTIONS(...) LEAT__OPTIONS(struct http_client_options, __VA_ARGS__)

struct http_request {
	const char *method, *url;
	/*
	 * "Name: value", ends with NULL; NULL: none.  "Name:" leaves out one that would be sent by
	 * itself, as "Accept:".  Content-Type is sent only if it is given.  Not allowed are
	 * Content-Length and Transfer-Encoding, which follow from the body.
	 */
	const char *const *headers;
	const void *body;
	size_t body_size;
	size_t response_max;	/* bytes of the response's body; more is -EMSGSIZE; 0: 64 MiB */
};

struct http_response {
	int status;		/* 0: there was none */
	int version;		/* of HTTP: 10, 11, 20 or 30; 0: there was no response */
	char *body;		/* body_size bytes, and a 0 behind them; to free(3), or NULL */
	size_t body_size;
	char *content_type;	/* NULL: none given */
	/* ns from the end of the response, as RFC 9110, 10.2.3 has it; -1: not given */
	int64_t retry_after;
	int64_t time;		/* ns from when its host had room for it to its end */
	uint64_t sent, received; /* bytes of bodies and headers */
	char error[256];	/* why there was no response, if there was none */
};

/*
 * 0; -ENOMEM; -EINVAL: the log says which option; -ENOENT: libcurl is not installed, or leat was
 * built without it, and the log says so; -EMFILE and what else epoll_create1(2) says; -EAGAIN: no
 * thread to load it in.  Task only.  Blocks while libcurl is loaded.
 */
int http_client_create(http_client **ret, const struct http_client_options *options);

/*
 * No request may be going on.  Task only, before the runtime ends; blocks for the time that it
 * takes to close the connections.  NULL is ignored.
 */
void http_client_destroy(http_client *client);

/*
 * Blocks the task until the response is complete.  0 whatever its status; or an error, and
 * response->error says why: -ETIMEDOUT (the deadline, or no connection within 5 minutes),
 * -ECANCELED, -ECONNREFUSED, -EHOSTUNREACH (also a name that is not known), -ECONNRESET (also an
 * end in the middle), -EPROTO (no HTTP, or TLS that is not trusted, or a redirect to http), -ELOOP
 * (too many redirects), -EMSGSIZE (also headers over 256 KiB), -EINVAL (the method, the URL, a
 * header), -EMFILE, -ENOMEM, -EIO.  *response must be released in every case.  Any number of tasks
 * at once.
 *
 * At the deadline, or a cancel, the request ends at once, and its connection is closed (of HTTP/2
 * its stream).  One that waits for its host is never sent after its deadline, but may be after a
 * cancel that its task has not noticed yet.  A request whose method is not idempotent (POST, PATCH)
 * is never sent twice; others are, by libcurl, when a connection that was kept open turns out to be
 * dead.
 */
int http_request(http_client *client, const struct http_request *request,
		 struct http_response *response, int64_t deadline);
void http_response_release(struct http_response *response);

/*
 * What is wrong with the method or the headers, a static text; NULL: nothing.  http_request looks,
 * too; this is for who wants to know before.  Never blocks.
 */
const char *http_request_problem(const struct http_request *request);

/*
 * A Retry-After field: seconds, or a date in one of the three forms of RFC 9110, 5.6.7.  date: the
 * response's Date field, with which a date in value is compared, so that the clocks of client and
 * server need not agree; NULL, or no date: with now, in seconds since 1970.  ns from then on, 0 for
 * what has passed; -1: value is neither.  Pure; never blocks.
 */
int64_t http_retry_after(const char *value, const char *date, int64_t now);

#endif
