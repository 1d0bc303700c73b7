/*
 * The server of api_client.c: HTTP on loopback.  It answers 20 requests a second, refuses what
 * is more with 429 and Retry-After, and has a fault now and then.
 */
#ifndef API_SERVER_H
#define API_SERVER_H

#include "http.h"

struct api_server {
	leat_io listener;
	leat_addr addr;
	leat_bucket capacity;
	leat_group group;
	int answered, refused, faults; // one request at a time
};

static inline int api_answer(struct api_server *s, const char *request, char *text, size_t size)
{
	int id = 0;

	if (sscanf(request, "GET /squares/%d ", &id) != 1)
		return snprintf(text, size, "HTTP/1.1 404 Not Found\r\n\r\n");
	if (leat_bucket_try_take(&s->capacity, 1) < 0) {
		s->refused++;
		return snprintf(text, size, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\n\r\n");
	}
	if (s->answered++ % 10 == 9) {
		s->faults++;
		return snprintf(text, size, "HTTP/1.1 503 Service Unavailable\r\n\r\n");
	}
	return snprintf(text, size, "HTTP/1.1 200 OK\r\n\r\n%d", id * id);
}

LEAT_TASK(api_serve, (struct api_server *, s))
{
	char request[1024], answer[128];
	leat_io io;
	int n;

	while (leat_accept(s->listener, &io, NULL, LEAT_FOREVER) == 0) {
		if (http_read(io, request, sizeof(request), "\r\n\r\n") == 0) {
			n = api_answer(s, request, answer, sizeof(answer));
			leat_write_all(io, answer, (size_t)n, leat_in(LEAT_S), NULL);
		}
		leat_io_close(io);
	}
}

static inline int api_server_start(struct api_server *s)
{
	if (leat_bucket_init(&s->capacity, 20, 20) < 0 ||
	    leat_addr_parse(&s->addr, "127.0.0.1:0") < 0 ||
	    leat_listen(&s->listener, &s->addr, NULL) < 0 ||
	    leat_local_addr(s->listener, &s->addr) < 0)
		return -EIO;
	leat_group_init(&s->group, NULL);
	return leat_go_in(&s->group, api_serve, s);
}

static inline void api_server_stop(struct api_server *s)
{
	leat_io_close(s->listener);
	leat_group_wait(&s->group);
	leat_group_release(&s->group);
}

#endif
