/*
 * The same with connectors/http: a task for each connection, which makes one request after another.
 *
 * usage: http-leat URL CONNECTIONS REQUESTS
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <leat/leat.h>

#include "http/http.h"
#include "measure.h"

static atomic_long begun;

LEAT_TASK_ERR(make_requests, (http_client *, client), (const char *, url), (long, requests))
{
	struct http_request q = { .method = "GET", .url = url };
	struct http_response response;
	int r = 0;

	while (r == 0 && atomic_fetch_add(&begun, 1) < requests) {
		r = http_request(client, &q, &response, LEAT_FOREVER);
		if (r == 0 && (response.status != 200 || response.body_size == 0))
			r = -EIO;
		http_response_release(&response);
	}
	return r;
}

static int run(http_client *client, const char *url, int connections, long requests)
{
	leat_group group;
	int r = leat_group_init(&group, NULL);

	if (r < 0)
		return r;
	atomic_store(&begun, 0);
	for (int i = 0; i < connections; i++)
		leat_go_in(&group, make_requests, client, url, requests);
	r = leat_group_wait(&group);
	leat_group_release(&group);
	return r;
}

LEAT_MAIN(int argc, char **argv)
{
	http_client *client;
	struct measure from;
	long connections, requests;
	int r;

	if (argc != 4)
		return 2;
	connections = strtol(argv[2], NULL, 10);
	requests = strtol(argv[3], NULL, 10);
	r = http_client_create(&client, HTTP_CLIENT_OPTIONS(.connections = (int)connections));
	if (r < 0)
		return 1;
	r = run(client, argv[1], (int)connections, requests / 20 + 1);
	from = measure_now();
	if (r == 0)
		r = run(client, argv[1], (int)connections, requests);
	measure_print(from, requests);
	http_client_destroy(client);
	return r < 0;
}
