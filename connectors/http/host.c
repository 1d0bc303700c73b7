/*
 * How many requests a host has at once.
 *
 * Besides the limit: until the first request to a host has a connection, it is alone.  Else libcurl
 * would look for the same name once, with a thread, for each; and make a connection for each where
 * one of HTTP/2 is enough.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

static struct http_host **bucket_of(struct http_client *client, const char *name)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (const char *s = name; *s; s++)
		hash = (hash ^ (uint8_t)*s) * 16777619u;
	return &client->hosts[hash % HTTP_HOST_BUCKETS];
}

/* No name to be looked for (an address, or what libcurl knows by itself), nor a version. */
static bool is_plain_address(const char *scheme, const char *host)
{
	return strcmp(scheme, "http") == 0 &&
	       (host[0] == '[' || host[strspn(host, "0123456789.")] == 0 ||
		strcmp(host, "localhost") == 0);
}

/* The host called name, perhaps a new one; NULL: no memory. */
static struct http_host *get(struct http_client *client, const char *name, bool known)
{
	struct http_host **bucket = bucket_of(client, name), *host = *bucket;
	size_t n = strlen(name) + 1;

	while (host && strcmp(host->name, name) != 0)
		host = host->next;
	if (host)
		return host;
	host = calloc(1, sizeof(*host) + n);
	if (!host)
		return NULL;
	memcpy(host->name, name, n);
	host->last = &host->first;
	host->known = known;
	host->next = *bucket;
	*bucket = host;
	return host;
}

/* Frees it if nobody needs it. */
static void put(struct http_client *client, struct http_host *host)
{
	struct http_host **link;

	if (host->active > 0 || host->first || host->stirred || host == client->last)
		return;
	link = bucket_of(client, host->name);
	while (*link != host)
		link = &(*link)->next;
	*link = host->next;
	free(host);
}

static int find(struct http_client *client, const char *scheme, const char *name, const char *port,
		struct http_host **ret_host)
{
	char *text;

	if (asprintf(&text, "%s://%s:%s", scheme, name, port) < 0)
		return -ENOMEM;
	*ret_host = get(client, text, is_plain_address(scheme, name));
	free(text);
	return *ret_host ? 0 : -ENOMEM;
}

static int url_error(CURLUcode code, const char **why)
{
	*why = http_curl.url_strerror(code);
	return code == CURLUE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
}

/* By libcurl's parser, so that it is the host that libcurl will ask. */
static int parse(struct http_client *client, const char *url, struct http_host **ret_host,
		 const char **why)
{
	char *scheme = NULL, *name = NULL, *port = NULL;
	CURLUcode code = http_curl.url_set(client->url, CURLUPART_URL, url, 0);
	int r;

	if (code == CURLUE_OK)
		code = http_curl.url_get(client->url, CURLUPART_SCHEME, &scheme, 0);
	if (code == CURLUE_OK)
		code = http_curl.url_get(client->url, CURLUPART_HOST, &name, 0);
	if (code == CURLUE_OK)
		code = http_curl.url_get(client->url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
	if (scheme && strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) {
		*why = "neither http:// nor https://";
		r = -EINVAL;
	} else if (code != CURLUE_OK) {
		r = url_error(code, why);
	} else {
		r = find(client, scheme, name, port, ret_host);
	}
	http_curl.free(scheme);
	http_curl.free(name);
	http_curl.free(port);
	return r;
}

/* The size of "scheme://name:port" that url begins with; 0: none. */
static size_t start_size(const char *url)
{
	const char *name = strstr(url, "://");

	return name ? (size_t)(name - url) + 3 + strcspn(name + 3, "/?#") : 0;
}

void http_host_forget(struct http_client *client)
{
	struct http_host *host = client->last;

	client->last = NULL;
	if (host)
		put(client, host);
}

/* Most requests are to the host of the one before: then there is nothing to parse. */
int http_host_find(struct http_client *client, const char *url, struct http_host **ret_host,
		   const char **why)
{
	size_t n = start_size(url);
	int r;

	if (client->last && n > 0 && strncmp(client->last_start, url, n) == 0 &&
	    !client->last_start[n]) {
		*ret_host = client->last;
		return 0;
	}
	r = parse(client, url, ret_host, why);
	if (r < 0)
		return r;
	if (*ret_host != client->last)
		http_host_forget(client);
	if (n > 0 && n < sizeof(client->last_start)) {
		client->last = *ret_host;
		memcpy(client->last_start, url, n);
		client->last_start[n] = 0;
	}
	return 0;
}

static bool has_room(const struct http_client *client, const struct http_host *host)
{
	int limit = host->known ? client->o.per_host : 1;

	return limit == 0 || host->active < limit;
}

bool http_host_enter(struct http_host *host, struct http_transfer *t)
{
	t->host = host;
	t->next = NULL;
	t->counted = !host->first && has_room(t->client, host);
	if (t->counted) {
		host->active++;
	} else {
		*host->last = t;
		host->last = &t->next;
	}
	return t->counted;
}

static void stop_waiting(struct http_transfer *t)
{
	struct http_host *host = t->host;
	struct http_transfer **link = &host->first;

	while (*link != t)
		link = &(*link)->next;
	*link = t->next;
	if (host->last == &t->next)
		host->last = link;
}

static void stir(struct http_client *client, struct http_host *host)
{
	if (host->stirred)
		return;
	host->stirred = true;
	host->next_stirred = client->stirred;
	client->stirred = host;
}

void http_host_leave(struct http_transfer *t)
{
	if (t->counted)
		t->host->active--;
	else
		stop_waiting(t);
	t->counted = false;
	stir(t->client, t->host);
	t->host = NULL;
}

void http_host_set_known(struct http_client *client, struct http_host *host)
{
	if (host->known)
		return;
	host->known = true;
	stir(client, host);
}

struct http_transfer *http_host_next(struct http_client *client)
{
	struct http_host *host;

	while ((host = client->stirred)) {
		struct http_transfer *t = host->first;

		if (t && has_room(client, host)) {
			host->first = t->next;
			if (!host->first)
				host->last = &host->first;
			host->active++;
			t->counted = true;
			t->next = NULL;
			return t;
		}
		client->stirred = host->next_stirred;
		host->stirred = false;
		put(client, host);
	}
	return NULL;
}
