/* The life of a transfer, in the driver: begin, wait for its host, start, hops, end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client.h"

static void note_curl_error(struct http_transfer *t, CURLcode code)
{
	const char *why = NULL;
	int r = http_error_of(t, code, &why);

	http_transfer_end(t, r, why);
}

static void start(struct http_transfer *t)
{
	CURLcode code = CURLE_OK;
	int64_t now = leat_now();
	int r;

	if (now >= t->deadline) {
		http_transfer_end(t, -ETIMEDOUT, NULL);
		return;
	}
	if (!t->began)
		t->began = now;
	t->sent = false;
	t->header_bytes = 0;
	t->response->body_size = 0;
	t->curl_error[0] = 0;
	if (!t->easy) {
		t->easy = http_curl.easy_init();
		code = t->easy ? http_transfer_set_client(t) : CURLE_OUT_OF_MEMORY;
	}
	if (code == CURLE_OK)
		code = http_transfer_set_request(t);
	if (code != CURLE_OK) {
		/* Perhaps half of the options are set. */
		http_curl.easy_cleanup(t->easy);
		t->easy = NULL;
		note_curl_error(t, code);
		return;
	}
	r = http_driver_add(t);
	if (r < 0)
		http_transfer_end(t, r, NULL);
}

void http_transfer_begin(struct http_transfer *t)
{
	struct http_host *old = t->host, *host;
	const char *why = NULL;
	int r = http_host_find(t->client, t->url ? t->url : t->request->url, &host, &why);

	if (r < 0) {
		http_transfer_end(t, r, why);
		return;
	}
	if (old) {
		t->elsewhere |= host != old;
		http_host_leave(t);
	}
	if (http_host_enter(host, t))
		start(t);
}

void http_transfer_start_waiting(struct http_client *client)
{
	struct http_transfer *t;

	while ((t = http_host_next(client)))
		start(t);
}

static int64_t retry_after(CURL *easy)
{
	struct curl_header *value, *date;
	int64_t r = -1;
	bool dated;
	char *text;

	if (http_curl.easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1, &value) != CURLHE_OK)
		return -1;
	/* The next call may overwrite what value points to. */
	text = strdup(value->value);
	dated = http_curl.easy_header(easy, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK;
	if (text)
		r = http_retry_after(text, dated ? date->value : NULL, time(NULL));
	free(text);
	return r;
}

static int version_of(long curl)
{
	switch (curl) {
	case CURL_HTTP_VERSION_1_0:
		return 10;
	case CURL_HTTP_VERSION_1_1:
		return 11;
	case CURL_HTTP_VERSION_2_0:
		return 20;
	case CURL_HTTP_VERSION_3:
		return 30;
	default:
		return 0;
	}
}

static int fill(struct http_transfer *t)
{
	struct http_response *response = t->response;
	long status = 0, version = 0;
	char *type = NULL;

	http_curl.easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	http_curl.easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
	http_curl.easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version);
	response->status = (int)status;
	response->version = version_of(version);
	response->retry_after = retry_after(t->easy);
	if (type) {
		response->content_type = strdup(type);
		if (!response->content_type)
			return -ENOMEM;
	}
	return 0;
}

static void count_bytes(struct http_transfer *t)
{
	long request = 0, header = 0;
	curl_off_t up = 0, down = 0;

	http_curl.easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &request);
	http_curl.easy_getinfo(t->easy, CURLINFO_HEADER_SIZE, &header);
	http_curl.easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &up);
	http_curl.easy_getinfo(t->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
	t->response->sent += (uint64_t)(request + up);
	t->response->received += (uint64_t)(header + down);
}

static void fail(struct http_response *response, int r, const char *why)
{
	free(response->body);
	free(response->content_type);
	response->body = NULL;
	response->content_type = NULL;
	response->body_size = 0;
	response->status = 0;
	response->retry_after = -1;
	snprintf(response->error, sizeof(response->error), "%s", why ? why : leat_strerror(r));
}

void http_transfer_end(struct http_transfer *t, int r, const char *why)
{
	struct http_client *client = t->client;

	if (t->running) {
		http_driver_remove(t);
		count_bytes(t);
	}
	if (r == 0)
		r = fill(t);
	if (r < 0)
		fail(t->response, r, why);
	if (t->began)
		t->response->time = leat_now() - t->began;
	if (t->host)
		http_host_leave(t);
	http_curl.slist_free_all(t->headers);
	t->headers = NULL;
	free(t->url);
	t->url = NULL;
	t->result = r;
	t->next = client->ended;
	client->ended = t;
}

void http_transfer_complete(struct http_transfer *t, CURLcode code)
{
	const char *why = NULL;
	int r = 0;

	if (code != CURLE_COULDNT_RESOLVE_HOST)
		http_host_set_known(t->client, t->host);
	if (code != CURLE_OK) {
		note_curl_error(t, code);
		return;
	}
	if (t->client->o.follow)
		r = http_redirect(t, &why);
	if (r <= 0) {
		http_transfer_end(t, r, why);
		return;
	}
	http_driver_remove(t);
	count_bytes(t);
	http_transfer_begin(t);
}
