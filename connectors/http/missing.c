/* In place of the client, where it was built without the headers of libcurl. */
#include "http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <leat/extend.h>

int http_client_create(http_client **ret, const struct http_client_options *options)
{
	(void)ret;
	(void)options;
	leat_log("http_client_create: leat was built without HTTP; build it where the headers of "
		 "libcurl 7.87 or later are (Debian: libcurl4-openssl-dev)");
	return -ENOENT;
}

void http_client_destroy(http_client *client)
{
	(void)client;
}

int http_request(http_client *client, const struct http_request *request,
		 struct http_response *response, int64_t deadline)
{
	(void)request;
	(void)deadline;
	memset(response, 0, sizeof(*response));
	leat_misuse(__func__, client, "there is no client; http_client_create has failed");
}

void http_response_release(struct http_response *response)
{
	free(response->body);
	free(response->content_type);
	memset(response, 0, sizeof(*response));
}
