#include "server.h"

#include <netinet/in.h>
#include <strings.h>

struct request {
	struct server *server;
	leat_io io;
	leat_reader *in;
	char head[16 * 1024];	/* with newlines, without carriage returns */
	size_t head_size;
	char method[16], path[4096];
	int headers;
	char *body;
	size_t body_size;
	int nth;		/* of its connection, from 1 */
};

static bool write_text(struct request *q, const char *text)
{
	return leat_write_all(q->io, text, strlen(text), LEAT_FOREVER, NULL) == 0;
}

/* Whether the connection may go on. */
static bool answer(struct request *q, const char *status, const char *headers, const void *body,
		   size_t n)
{
	bool head = strcmp(q->method, "HEAD") == 0;
	char *text;
	bool ok;

	if (asprintf(&text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n", status, n, headers) < 0)
		return false;
	ok = write_text(q, text);
	free(text);
	return ok && (head || leat_write_all(q->io, body, n, LEAT_FOREVER, NULL) == 0);
}

static bool answer_text(struct request *q, const char *status, const char *headers,
			const char *text)
{
	return answer(q, status, headers, text, strlen(text));
}

static bool hello(struct request *q, const char *rest)
{
	(void)rest;
	return answer_text(q, "200 OK", "Content-Type: text/plain\r\n", "hello");
}

static bool echo(struct request *q, const char *rest)
{
	struct server *s = q->server;
	char headers[64];

	(void)rest;
	leat_mutex_lock(&s->lock);
	snprintf(s->last_body, sizeof(s->last_body), "%.*s",
		 (int)(q->body_size < 60 ? q->body_size : 60), q->body);
	leat_mutex_unlock(&s->lock);
	snprintf(headers, sizeof(headers), "X-Headers: %d\r\n", q->headers);
	return answer(q, "200 OK", headers, q->body, q->body_size);
}

static bool head(struct request *q, const char *rest)
{
	(void)rest;
	return answer(q, "200 OK", "", q->head, q->head_size);
}

static bool status(struct request *q, const char *rest)
{
	char text[64];

	if (strcmp(rest, "204") == 0 || strcmp(rest, "304") == 0) {
		snprintf(text, sizeof(text), "HTTP/1.1 %s Nothing\r\n\r\n", rest);
		return write_text(q, text);
	}
	snprintf(text, sizeof(text), "%s Status", rest);
	return answer_text(q, text, "", "status");
}

static bool bytes(struct request *q, const char *rest)
{
	size_t n = strtoull(rest, NULL, 10);
	char *body = malloc(n + 1);
	bool ok;

	for (size_t i = 0; i < n; i++)
		body[i] = (char)(i % 251);
	ok = answer(q, "200 OK", "", body, n);
	free(body);
	return ok;
}

static bool chunked(struct request *q, const char *rest)
{
	(void)rest;
	return write_text(q, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			     "8\r\nchunked \r\n4;x=y\r\nbody\r\n0\r\nX-Trailer: 1\r\n\r\n");
}

static bool until_close(struct request *q, const char *rest)
{
	(void)rest;
	write_text(q, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil close");
	return false;
}

static bool retry(struct request *q, const char *rest)
{
	char headers[256], value[128];

	snprintf(value, sizeof(value), "%s", rest);
	for (char *c = value; *c; c++)
		if (*c == '_')
			*c = ' ';
	snprintf(headers, sizeof(headers), "Retry-After: %s\r\nDate: " SERVER_DATE "\r\n", value);
	return answer_text(q, "503 Busy", headers, "later");
}

static bool cut(struct request *q, const char *rest)
{
	(void)rest;
	write_text(q, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789");
	return false;
}

static bool reset(struct request *q, const char *rest)
{
	struct linger linger = { .l_onoff = 1 };

	cut(q, rest);
	leat_sockopt_set(q->io, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	return false;
}

static bool drop(struct request *q, const char *rest)
{
	(void)rest;
	atomic_fetch_add(&q->server->dropped, 1);
	return false;
}

static bool hang(struct request *q, const char *rest)
{
	char byte;

	(void)rest;
	while (leat_read(q->io, &byte, 1, LEAT_FOREVER) > 0)
		;
	return false;
}

static bool hold(struct request *q, const char *rest)
{
	struct server *s = q->server;

	(void)rest;
	leat_mutex_lock(&s->lock);
	while (!s->go_on && leat_cond_wait(&s->changed, &s->lock) == 0)
		;
	leat_mutex_unlock(&s->lock);
	return answer_text(q, "200 OK", "", "held");
}

static bool headers(struct request *q, const char *rest)
{
	size_t n = strtoull(rest, NULL, 10);
	bool ok = write_text(q, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n");
	char line[1001];

	memset(line, 'x', sizeof(line));
	memcpy(line, "X-Y: ", 5);
	memcpy(line + 998, "\r\n", 3);
	for (; ok && n >= 1000; n -= 1000)
		ok = write_text(q, line);
	return ok && write_text(q, "\r\nok");
}

static bool garbage(struct request *q, const char *rest)
{
	(void)rest;
	write_text(q, "\x16\x03\x01 this is no HTTP\r\n\r\n");
	return false;
}

static bool redirect(struct request *q, const char *rest)
{
	char headers[4200], status_line[32];

	snprintf(status_line, sizeof(status_line), "%.3s Elsewhere", rest);
	snprintf(headers, sizeof(headers), "Location: %s\r\n", rest + 4);
	return answer_text(q, status_line, headers, "moved");
}

static bool loop(struct request *q, const char *rest)
{
	(void)rest;
	return answer_text(q, "302 Found", "Location: /loop\r\n", "");
}

static bool answer_and_close(struct request *q, const char *rest)
{
	(void)rest;
	if (q->nth == 1)
		return answer_text(q, "200 OK", "", "last");
	atomic_fetch_add(&q->server->dropped, 1);
	return false;
}

static const struct route {
	const char *path;
	bool (*answer)(struct request *q, const char *rest);
} routes[] = {
	{ "/hello", hello }, { "/echo", echo }, { "/head", head }, { "/status/", status },
	{ "/bytes/", bytes }, { "/chunked", chunked }, { "/until-close", until_close },
	{ "/retry/", retry }, { "/cut", cut }, { "/reset", reset }, { "/drop", drop },
	{ "/hang", hang }, { "/hold", hold }, { "/headers/", headers }, { "/garbage", garbage },
	{ "/to/", redirect }, { "/loop", loop }, { "/answer-and-close", answer_and_close },
};

static bool dispatch(struct request *q)
{
	const struct route *best = NULL;

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		size_t n = strlen(routes[i].path);

		if (strncmp(q->path, routes[i].path, n) == 0 &&
		    (!best || n > strlen(best->path)))
			best = &routes[i];
	}
	if (!best)
		return answer_text(q, "404 Not Found", "", "");
	return best->answer(q, q->path + strlen(best->path));
}

/* The head, then as much body as it announces. */
static bool read_request(struct request *q)
{
	size_t n, length = 0;
	const char *line;

	q->head_size = 0;
	q->headers = -1;
	for (;;) {
		if (leat_reader_line(q->in, &line, &n, LEAT_FOREVER) < 0)
			return false;
		if (n == 0)
			break;
		if (q->head_size + n + 2 > sizeof(q->head))
			return false;
		if (strncasecmp(line, "Content-Length:", 15) == 0)
			length = strtoull(line + 15, NULL, 10);
		memcpy(q->head + q->head_size, line, n);
		q->head_size += n;
		q->head[q->head_size++] = '\n';
		q->head[q->head_size] = 0;
		q->headers++;
	}
	if (sscanf(q->head, "%15s %4095s", q->method, q->path) != 2)
		return false;
	free(q->body);
	q->body = malloc(length + 1);
	for (q->body_size = 0; q->body_size < length;) {
		int64_t r = leat_reader_read(q->in, q->body + q->body_size, length - q->body_size,
					     LEAT_FOREVER);

		if (r <= 0)
			return false;
		q->body_size += (size_t)r;
	}
	return true;
}

static void tell(struct server *s)
{
	leat_mutex_lock(&s->lock);
	leat_cond_broadcast(&s->changed);
	leat_mutex_unlock(&s->lock);
}

static bool serve_one(struct request *q)
{
	struct server *s = q->server;
	int active, max;
	bool more;

	if (!read_request(q))
		return false;
	q->nth++;
	atomic_fetch_add(&s->requests, 1);
	active = atomic_fetch_add(&s->active, 1) + 1;
	max = atomic_load(&s->active_max);
	while (active > max && !atomic_compare_exchange_weak(&s->active_max, &max, active))
		;
	tell(s);
	more = dispatch(q);
	atomic_fetch_sub(&s->active, 1);
	return more;
}

LEAT_TASK(serve, (struct server *, server), (leat_io, io))
{
	struct request *q = calloc(1, sizeof(*q));

	q->server = server;
	q->io = io;
	if (leat_reader_create(&q->in, io, NULL) == 0) {
		while (serve_one(q))
			;
		leat_reader_free(q->in);
	}
	leat_io_close(io);
	atomic_fetch_add(&server->closed, 1);
	tell(server);
	free(q->body);
	free(q);
}

LEAT_TASK(accept_all, (struct server *, server))
{
	leat_io io;

	while (leat_accept(server->listener, &io, NULL, LEAT_FOREVER) == 0) {
		atomic_fetch_add(&server->connections, 1);
		if (leat_go_in(&server->group, serve, server, io) < 0)
			leat_io_close(io);
	}
}

bool server_start(struct server *server, const char *address)
{
	leat_addr addr;

	memset(server, 0, sizeof(*server));
	REQUIRE(leat_addr_parse(&addr, address) == 0);
	if (leat_listen(&server->listener, &addr, LEAT_SOCKET_OPTIONS(.no_delay = true)) < 0)
		return false;
	REQUIRE(leat_local_addr(server->listener, &addr) == 0);
	server->port = leat_addr_port(&addr);
	REQUIRE(leat_group_init(&server->group,
				LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE, .shared = true)) ==
		0);
	REQUIRE(leat_go_in(&server->group, accept_all, server) == 0);
	return true;
}

void server_stop(struct server *server)
{
	leat_group_cancel(&server->group, 0);
	leat_group_wait(&server->group);
	leat_group_release(&server->group);
	leat_io_close(server->listener);
}

static void wait_until(struct server *server, const atomic_int *count, int n)
{
	int64_t deadline = leat_in((test_slow() ? 200 : 20) * LEAT_S);

	leat_mutex_lock(&server->lock);
	while (atomic_load(count) < n)
		if (leat_cond_wait_until(&server->changed, &server->lock, deadline) < 0) {
			test_fail(__FILE__, __LINE__, "%d of %d came", atomic_load(count), n);
			break;
		}
	leat_mutex_unlock(&server->lock);
}

void server_wait_active(struct server *server, int n)
{
	wait_until(server, &server->active, n);
}

void server_wait_closed(struct server *server, int n)
{
	wait_until(server, &server->closed, n);
}

void server_go_on(struct server *server)
{
	leat_mutex_lock(&server->lock);
	server->go_on = true;
	leat_cond_broadcast(&server->changed);
	leat_mutex_unlock(&server->lock);
}

const char *server_url(const struct server *server, const char *path)
{
	static char urls[8][4300];
	static atomic_uint next;
	char *url = urls[atomic_fetch_add(&next, 1) % 8];

	snprintf(url, sizeof(urls[0]), "http://127.0.0.1:%d%s", server->port, path);
	return url;
}
