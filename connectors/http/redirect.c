/*
 * Redirects, RFC 9110, 15.4.  Not libcurl's, which keeps a method that it was given by name, also
 * for 303; nor could it be kept from https to http behind another hop, or to the limit of a host.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client.h"

static bool is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void choose_method(struct http_transfer *t, long status)
{
	bool post = strcmp(t->method, "POST") == 0, head = strcmp(t->method, "HEAD") == 0;

	if ((status == 303 && !head) || ((status == 301 || status == 302) && post)) {
		t->method = "GET";
		t->no_body = true;
	}
}

int http_redirect(struct http_transfer *t, const char **why)
{
	const char *from = t->url ? t->url : t->request->url;
	char *to = NULL, *copy;
	long status = 0;

	http_curl.easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	http_curl.easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &to);
	if (!is_redirect(status) || !to)
		return 0;
	if (t->hops == HTTP_REDIRECTS_MAX) {
		*why = "more than 10 redirects";
		return -ELOOP;
	}
	if (strncasecmp(from, "https:", 6) == 0 && strncasecmp(to, "https:", 6) != 0) {
		*why = "a redirect leads from https to something else";
		return -EPROTO;
	}
	copy = strdup(to);
	if (!copy)
		return -ENOMEM;
	free(t->url);
	t->url = copy;
	t->hops++;
	choose_method(t, status);
	return 1;
}
