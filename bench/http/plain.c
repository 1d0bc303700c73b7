/*
 * The least that a program needs to make requests with libcurl's multi interface: an epoll loop in
 * one thread, a handle for each connection, which is used again and again.
 *
 * usage: http-plain URL CONNECTIONS REQUESTS
 */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "measure.h"

static CURLM *multi;
static int epoll;
static long timer = -1;		/* ms */

struct transfer {
	CURL *easy;
	char *body;
	size_t size;
};

static void die(const char *what)
{
	fprintf(stderr, "http-plain: %s\n", what);
	exit(1);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
	struct epoll_event event = { .data.fd = fd };

	(void)easy;
	(void)user;
	if (what == CURL_POLL_REMOVE)
		return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
	event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) |
		       (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
	curl_multi_assign(multi, fd, &epoll);
	return epoll_ctl(epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
}

static int on_timer(CURLM *of, long ms, void *user)
{
	(void)of;
	(void)user;
	timer = ms;
	return 0;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *user)
{
	struct transfer *t = user;

	n *= size;
	t->body = realloc(t->body, t->size + n + 1);
	if (!t->body)
		return 0;
	memcpy(t->body + t->size, bytes, n);
	t->size += n;
	return n;
}

static void begin(struct transfer *t, const char *url)
{
	if (!t->easy) {
		t->easy = curl_easy_init();
		curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
		curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
		curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
		curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
		/* The requests are alike on the wire. */
		curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "plain/0.1.0");
	}
	curl_easy_setopt(t->easy, CURLOPT_URL, url);
	if (curl_multi_add_handle(multi, t->easy) != CURLM_OK)
		die("add");
}

static void end(const CURLMsg *m)
{
	struct transfer *t;
	long status;

	curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
	curl_easy_getinfo(m->easy_handle, CURLINFO_RESPONSE_CODE, &status);
	if (m->data.result != CURLE_OK || status != 200 || t->size == 0)
		die("a request has failed");
	curl_multi_remove_handle(multi, t->easy);
	free(t->body);
	t->body = NULL;
	t->size = 0;
}

static void turn(void)
{
	struct epoll_event events[64];
	int running, n = epoll_wait(epoll, events, 64, (int)timer);

	if (n == 0) {
		timer = -1;
		curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	for (int i = 0; i < n; i++) {
		unsigned got = events[i].events;

		curl_multi_socket_action(multi, events[i].data.fd,
					 (got & EPOLLIN ? CURL_CSELECT_IN : 0) |
						 (got & EPOLLOUT ? CURL_CSELECT_OUT : 0),
					 &running);
	}
}

static void run(const char *url, int connections, long requests)
{
	struct transfer *all = calloc((size_t)connections, sizeof(*all));
	long begun = 0, ended = 0;
	CURLMsg *m;
	int left;

	for (; begun < connections && begun < requests; begun++)
		begin(&all[begun], url);
	while (ended < requests) {
		turn();
		while ((m = curl_multi_info_read(multi, &left))) {
			struct transfer *t;

			curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
			end(m);
			ended++;
			if (begun < requests) {
				begin(t, url);
				begun++;
			}
		}
	}
	for (int i = 0; i < connections; i++)
		curl_easy_cleanup(all[i].easy);
	free(all);
}

int main(int argc, char **argv)
{
	struct measure from;
	long connections, requests;

	if (argc != 4)
		return 2;
	connections = strtol(argv[2], NULL, 10);
	requests = strtol(argv[3], NULL, 10);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	multi = curl_multi_init();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, connections);
	run(argv[1], (int)connections, requests / 20 + 1);
	from = measure_now();
	run(argv[1], (int)connections, requests);
	measure_print(from, requests);
	curl_multi_cleanup(multi);
	return 0;
}
