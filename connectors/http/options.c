/* What libcurl is told: once for each handle, and for each request; and its callbacks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

static size_t stop(struct http_transfer *t, int r, const char *why)
{
	t->failure = r;
	t->failure_text = why;
	return CURL_WRITEFUNC_ERROR;
}

static size_t limit_of(const struct http_transfer *t)
{
	size_t max = t->request->response_max;

	return max > 0 ? max : HTTP_RESPONSE_MAX;
}

/* Room for size bytes and a 0.  At first what is announced, if that is not too much to believe. */
static bool make_room(struct http_transfer *t, size_t size)
{
	size_t capacity = t->capacity * 2;
	curl_off_t announced = -1;
	char *body;

	if (size < t->capacity)
		return true;
	if (t->capacity == 0) {
		http_curl.easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
		if (announced >= 0 && announced < 1 << 20)
			capacity = (size_t)announced + 1;
	}
	if (capacity <= size)
		capacity = size + 1;
	body = realloc(t->response->body, capacity);
	if (!body)
		return false;
	t->response->body = body;
	t->capacity = capacity;
	return true;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
	struct http_transfer *t = user;
	struct http_response *response = t->response;
	size_t n = size * count, max = limit_of(t);

	if (n > max || response->body_size > max - n)
		return stop(t, -EMSGSIZE, "the response is larger than allowed");
	if (!make_room(t, response->body_size + n))
		return stop(t, -ENOMEM, NULL);
	memcpy(response->body + response->body_size, bytes, n);
	response->body_size += n;
	response->body[response->body_size] = 0;
	return n;
}

/* libcurl keeps all of them. */
static size_t on_header(char *bytes, size_t size, size_t count, void *user)
{
	struct http_transfer *t = user;

	(void)bytes;
	t->header_bytes += size * count;
	if (t->header_bytes > HTTP_HEADERS_MAX)
		return stop(t, -EMSGSIZE, "the response's headers are larger than 256 KiB");
	return size * count;
}

/*
 * t has a connection, and is about to be sent over it; again, if the connection, which had been
 * kept, was dead, and libcurl has got another one.
 */
static int on_send(void *user, char *remote, char *local, int remote_port, int local_port)
{
	struct http_transfer *t = user;

	(void)remote;
	(void)local;
	(void)remote_port;
	(void)local_port;
	http_host_set_known(t->client, t->host);
	if (t->sent && t->once) {
		stop(t, -ECONNRESET,
		     "the connection was closed; not sent again, as it may have been received");
		return CURL_PREREQFUNC_ABORT;
	}
	t->sent = true;
	return CURL_PREREQFUNC_OK;
}

/* In a function with t, and a CURLcode code, which becomes the first error. */
#define SET(option, value)                                                    \
	do {                                                                  \
		if (code == CURLE_OK)                                         \
			code = http_curl.easy_setopt(t->easy, CURLOPT_##option, (value)); \
	} while (0)

static CURLcode set_tls(struct http_transfer *t)
{
	const struct http_client_options *o = &t->client->o;
	CURLcode code = CURLE_OK;

	if (o->insecure) {
		SET(SSL_VERIFYPEER, 0L);
		SET(SSL_VERIFYHOST, 0L);
	}
	if (o->ca_file) {
		SET(CAINFO, o->ca_file);
		SET(CAPATH, (char *)NULL);
	}
	return code;
}

CURLcode http_transfer_set_client(struct http_transfer *t)
{
	const struct http_client_options *o = &t->client->o;
	CURLcode code = set_tls(t);

	SET(PRIVATE, t);
	SET(ERRORBUFFER, t->curl_error);
	SET(WRITEFUNCTION, on_body);
	SET(WRITEDATA, t);
	SET(HEADERFUNCTION, on_header);
	SET(HEADERDATA, t);
	SET(PREREQFUNCTION, on_send);
	SET(PREREQDATA, t);
	SET(PROTOCOLS_STR, "http,https");
	SET(FOLLOWLOCATION, 0L);
	SET(SUPPRESS_CONNECT_HEADERS, 1L); /* a proxy's are not the response's */
	SET(USERAGENT, o->user_agent);
	SET(TCP_KEEPALIVE, 1L);
	SET(NOSIGNAL, 1L);	/* handlers are the process's */
	SET(QUICK_EXIT, 1L);	/* else a cancel would wait for getaddrinfo */
	if (o->http1)
		SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	return code;
}

static CURLcode add_header(struct http_transfer *t, const char *header)
{
	struct curl_slist *list = http_curl.slist_append(t->headers, header);

	if (!list)
		return CURLE_OUT_OF_MEMORY;
	t->headers = list;
	return CURLE_OK;
}

static bool is_among(const char *header, const char *const *names)
{
	while (*names && !http_header_is(header, *names))
		names++;
	return *names != NULL;
}

/* What the next hop must not have. */
static bool is_left_out(const struct http_transfer *t, const char *header)
{
	static const char *const secret[] = { "authorization", "cookie", "host",
					      "proxy-authorization", NULL };
	static const char *const of_body[] = { "content-type", "content-encoding",
					       "content-language", "content-location", NULL };

	return (t->elsewhere && is_among(header, secret)) ||
	       (t->no_body && is_among(header, of_body));
}

static CURLcode set_headers(struct http_transfer *t, bool has_body)
{
	bool type = false, expect = false;
	CURLcode code = CURLE_OK;

	http_curl.slist_free_all(t->headers);
	t->headers = NULL;
	for (const char *const *h = t->request->headers; h && *h && code == CURLE_OK; h++) {
		if (is_left_out(t, *h))
			continue;
		type |= http_header_is(*h, "content-type");
		expect |= http_header_is(*h, "expect");
		code = add_header(t, *h);
	}
	/* libcurl would say that it is a form, and would wait for a 100. */
	if (has_body && !type && code == CURLE_OK)
		code = add_header(t, "Content-Type:");
	if (has_body && !expect && code == CURLE_OK)
		code = add_header(t, "Expect:");
	SET(HTTPHEADER, t->headers);
	return code;
}

CURLcode http_transfer_set_request(struct http_transfer *t)
{
	const struct http_request *request = t->request;
	bool head = strcmp(t->method, "HEAD") == 0, post = strcmp(t->method, "POST") == 0;
	bool body = !head && !t->no_body &&
		    (request->body_size > 0 || post || strcmp(t->method, "PUT") == 0 ||
		     strcmp(t->method, "PATCH") == 0);
	CURLcode code = set_headers(t, body);

	SET(URL, t->url ? t->url : request->url);
	SET(HTTPGET, 1L);	/* undoes what the handle's last request was */
	if (head)
		SET(NOBODY, 1L);
	if (body) {
		SET(POST, 1L);
		SET(POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
		SET(POSTFIELDS, request->body_size > 0 ? request->body : "");
	}
	/* A name that is the default anyway is not given. */
	if (head || (post && body) || (strcmp(t->method, "GET") == 0 && !body))
		SET(CUSTOMREQUEST, (char *)NULL);
	else
		SET(CUSTOMREQUEST, t->method);
	return code;
}
