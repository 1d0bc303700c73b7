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
	int per_host;		/* the most connections to one host; 0: no limit */
	int connections;	/* the most that are kept open when idle; 0: 64 */
	bool insecure;		/* does not verify the server's certificate */
	const char *ca_file;	/* PEM; NULL: the system's */
	const char *user_agent;	/* NULL: "leat/VERSION" */
	bool http1;		/* no HTTP/2 */
};

#define HTTP_CLIENT_OPTIONS(...) \
	(&(const struct http_client_options){ .size = sizeof(struct http_client_options), \
					      __VA_ARGS__ })

struct http_request {
	const char *method, *url;
	const char *const *headers; /* "Name: value", ends with NULL; NULL: none */
	const void *body;
	size_t body_size;
	size_t response_max;	/* bytes of the response's body; more is -EMSGSIZE; 0: 64 MiB */
};

struct http_response {
	int status;		/* 0: there was none */
	char *body;		/* body_size bytes, and a 0 behind them */
	size_t body_size;
	char *content_type;	/* NULL: none given */
	/* ns from the end of the response, as RFC 9110, 10.2.3 has it; -1: not given */
	int64_t retry_after;
	int64_t time;		/* ns from the start of the request to its end */
	uint64_t sent, received; /* bytes of bodies and headers */
	char error[256];	/* why there was no response, if there was none */
};

/*
 * 0; -ENOMEM; -EINVAL: the log says which option; -ENOENT: libcurl is not installed, and the log
 * says how to get it.
 */
int http_client_create(http_client **ret, const struct http_client_options *options);

/* No request may be going on. */
void http_client_destroy(http_client *client);

/*
 * Blocks the task until the response is complete.  0 whatever its status; or an error, and
 * response->error says why: -ETIMEDOUT (the deadline), -ECANCELED, -ECONNREFUSED, -EHOSTUNREACH
 * (also a name that is not known), -ECONNRESET (also an end in the middle), -EPROTO (no HTTP, or
 * TLS that is not trusted), -EMSGSIZE, -EINVAL (the URL), -ENOMEM, -EIO.  *response must be
 * released in every case.  Any number of tasks at once.
 */
int http_request(http_client *client, const struct http_request *request,
		 struct http_response *response, int64_t deadline);
void http_response_release(struct http_response *response);

#endif
