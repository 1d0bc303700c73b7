/* The HTTP client against a server of tasks, over the loopback. */
#include "server.h"

#include <fcntl.h>
#include <unistd.h>

#include "http/http.h"

struct fixture {
	struct server server;
	http_client *client;
};

static void set_up(struct fixture *f, const struct http_client_options *options)
{
	/* No proxy of whoever runs the test. */
	setenv("NO_PROXY", "*", 1);
	REQUIRE(server_start(&f->server, "127.0.0.1:0"));
	REQUIRE(http_client_create(&f->client, options) == 0);
}

static void tear_down(struct fixture *f)
{
	http_client_destroy(f->client);
	server_stop(&f->server);
}

static int64_t soon(void)
{
	return leat_in((test_slow() ? 200 : 20) * LEAT_S);
}

static int request(struct fixture *f, const char *method, const char *path,
		   struct http_response *response)
{
	return http_request(f->client,
			    &(struct http_request){ .method = method,
						    .url = server_url(&f->server, path) },
			    response, soon());
}

static int get(struct fixture *f, const char *path, struct http_response *response)
{
	return request(f, "GET", path, response);
}

/* GET path gives status and body. */
static void check_get(struct fixture *f, const char *path, int status, const char *body)
{
	struct http_response response;

	CHECK_EQ(get(f, path, &response), 0);
	CHECK_EQ(response.status, status);
	CHECK_STR(response.body_size ? response.body : "", body);
	CHECK_STR(response.error, "");
	http_response_release(&response);
}

static void check_error(struct fixture *f, const char *path, int error)
{
	struct http_response response;

	CHECK_EQ(get(f, path, &response), error);
	CHECK_EQ(response.status, 0);
	CHECK(response.body == NULL && response.body_size == 0);
	CHECK(response.error[0] != 0);
	http_response_release(&response);
}

TEST(get)
{
	struct http_response response;
	struct fixture f;

	set_up(&f, HTTP_CLIENT_OPTIONS());
	CHECK_EQ(get(&f, "/hello", &response), 0);
	CHECK_EQ(response.status, 200);
	CHECK_EQ(response.version, 11);
	CHECK_STR(response.body, "hello");
	CHECK_EQ(response.body_size, 5);
	CHECK_STR(response.content_type, "text/plain");
	CHECK_EQ(response.retry_after, -1);
	CHECK(response.time > 0 && response.time < 20 * LEAT_S);
	CHECK(response.sent > 20 && response.received > 5);
	http_response_release(&response);
	CHECK(response.body == NULL);
	tear_down(&f);
}

TEST(connection_is_kept)
{
	struct fixture f;

	set_up(&f, HTTP_CLIENT_OPTIONS());
	for (int i = 0; i < 20; i++) {
		check_get(&f, "/hello", 200, "hello");
		check_get(&f, "/chunked", 200, "chunked body");
		check_get(&f, "/status/404", 404, "status");
		check_get(&f, "/status/204", 204, "");
		check_get(&f, "/status/304", 304, "");
	}
	CHECK_EQ(atomic_load(&f.server.connections), 1);
	check_get(&f, "/until-close", 200, "until close");
	check_get(&f, "/hello", 200, "hello");
	CHECK_EQ(atomic_load(&f.server.connections), 2);
	tear_down(&f);
}

LEAT_TASK_ERR(get_echo, (struct fixture *, f), (int, i))
{
	struct http_response response;
	char body[32], url[100];
	int r, n = snprintf(body, sizeof(body), "body %d", i);

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/echo", f->server.port);
	r = http_request(f->client,
			 &(struct http_request){ .method = "POST", .url = url, .body = body,
						 .body_size = (size_t)n },
			 &response, soon());
	CHECK_EQ(r, 0);
	CHECK_EQ(response.status, 200);
	CHECK_STR(response.body, body);
	http_response_release(&response);
	return r;
}

TEST(many_at_once)
{
	int n = test_slow() ? 50 : 200;
	struct fixture f;
	leat_group group;

	set_up(&f, HTTP_CLIENT_OPTIONS(.connections = 300));
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < n; i++)
			REQUIRE(leat_go_in(&group, get_echo, &f, i) == 0);
		CHECK_EQ(leat_group_wait(&group), 0);
	}
	leat_group_release(&group);
	CHECK_EQ(atomic_load(&f.server.requests), 3 * n);
	CHECK(atomic_load(&f.server.connections) <= n);
	tear_down(&f);
}

LEAT_TASK_ERR(get_path, (struct fixture *, f), (const char *, path), (int *, ret),
	      (int64_t, deadline))
{
	struct http_response response;
	char url[100];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", f->server.port, path);
	*ret = http_request(f->client, &(struct http_request){ .method = "GET", .url = url },
			    &response, deadline);
	http_response_release(&response);
	return 0;
}

/* All 200 are in the server at the same time, on 200 connections. */
TEST(no_limit)
{
	int n = 200, r[200] = { 0 };
	struct fixture f;
	leat_group group;

	set_up(&f, HTTP_CLIENT_OPTIONS(.connections = 20));
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < n; i++)
		REQUIRE(leat_go_in(&group, get_path, &f, "/hold", &r[i], LEAT_FOREVER) == 0);
	server_wait_active(&f.server, n);
	server_go_on(&f.server);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	for (int i = 0; i < n; i++)
		CHECK_EQ(r[i], 0);
	CHECK_EQ(atomic_load(&f.server.connections), n);
	/* What is over .connections is closed. */
	server_wait_closed(&f.server, n - 20);
	tear_down(&f);
}

TEST(per_host)
{
	struct fixture f, other;
	leat_group group;
	int r[12];

	set_up(&f, HTTP_CLIENT_OPTIONS(.per_host = 3));
	REQUIRE(server_start(&other.server, "127.0.0.1:0"));
	other.client = f.client;
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 10; i++)
		REQUIRE(leat_go_in(&group, get_path, &f, "/hold", &r[i], LEAT_FOREVER) == 0);
	server_wait_active(&f.server, 3);
	/* The limit is of each host. */
	for (int i = 10; i < 12; i++)
		REQUIRE(leat_go_in(&group, get_path, &other, "/hold", &r[i], LEAT_FOREVER) == 0);
	server_wait_active(&other.server, 2);
	server_go_on(&other.server);
	server_go_on(&f.server);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	for (int i = 0; i < 12; i++)
		CHECK_EQ(r[i], 0);
	CHECK_EQ(atomic_load(&f.server.active_max), 3);
	CHECK_EQ(atomic_load(&f.server.connections), 3);
	CHECK_EQ(atomic_load(&f.server.requests), 10);
	server_stop(&other.server);
	tear_down(&f);
}

/* A host loses its last request, by a cancel, just when another host gets one. */
TEST_WITH(hosts_in_turns, .workers = 1)
{
	struct fixture f, other;

	set_up(&f, HTTP_CLIENT_OPTIONS());
	REQUIRE(server_start(&other.server, "127.0.0.1:0"));
	other.client = f.client;
	for (int i = 0; i < 20; i++) {
		leat_group group;
		int r = 0;

		REQUIRE(leat_group_init(&group, NULL) == 0);
		REQUIRE(leat_go_in(&group, get_path, &f, "/hang", &r, LEAT_FOREVER) == 0);
		server_wait_active(&f.server, 1);
		leat_group_cancel(&group, 0);
		(void)leat_yield();
		check_get(&other, "/hello", 200, "hello");
		CHECK_EQ(leat_group_wait(&group), -ECANCELED);
		leat_group_release(&group);
		CHECK_EQ(r, -ECANCELED);
		server_wait_closed(&f.server, i + 1);
	}
	server_stop(&other.server);
	tear_down(&f);
}

/* Who waits for the host leaves at its deadline, and those behind it are served. */
TEST(deadline_while_waiting_for_host)
{
	struct fixture f;
	leat_group group;
	int r[3] = { 0 };

	set_up(&f, HTTP_CLIENT_OPTIONS(.per_host = 1));
	REQUIRE(leat_group_init(&group, NULL) == 0);
	REQUIRE(leat_go_in(&group, get_path, &f, "/hold", &r[0], LEAT_FOREVER) == 0);
	server_wait_active(&f.server, 1);
	REQUIRE(get_path(&f, "/hold", &r[1], leat_in(20 * LEAT_MS)) == 0);
	CHECK_EQ(r[1], -ETIMEDOUT);
	REQUIRE(leat_go_in(&group, get_path, &f, "/hello", &r[2], LEAT_FOREVER) == 0);
	server_go_on(&f.server);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(r[0], 0);
	CHECK_EQ(r[2], 0);
	CHECK_EQ(atomic_load(&f.server.requests), 2);
	tear_down(&f);
}

/* At the deadline of all, those that run make room; none of those that waited is sent then. */
TEST(deadline_of_all)
{
	struct fixture f;
	leat_group group;
	int64_t deadline;
	int r[50];

	set_up(&f, HTTP_CLIENT_OPTIONS(.per_host = 2));
	deadline = leat_in(200 * LEAT_MS);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 50; i++)
		REQUIRE(leat_go_in(&group, get_path, &f, "/hang", &r[i], deadline) == 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	for (int i = 0; i < 50; i++)
		CHECK_EQ(r[i], -ETIMEDOUT);
	server_wait_closed(&f.server, atomic_load(&f.server.connections));
	CHECK(atomic_load(&f.server.requests) <= 2);
	tear_down(&f);
}

TEST(deadline)
{
	struct http_response response;
	struct fixture f;
	int64_t before;

	set_up(&f, HTTP_CLIENT_OPTIONS());
	before = leat_now();
	CHECK_EQ(http_request(f.client,
			      &(struct http_request){ .method = "GET",
						      .url = server_url(&f.server, "/hang") },
			      &response, leat_in(100 * LEAT_MS)),
		 -ETIMEDOUT);
	CHECK(leat_now() - before >= 100 * LEAT_MS);
	CHECK(leat_now() - before < 10 * LEAT_S);
	CHECK_STR(response.error, "no response before the deadline");
	http_response_release(&response);
	/* The connection is closed, not kept. */
	server_wait_closed(&f.server, 1);
	check_get(&f, "/hello", 200, "hello");
	CHECK_EQ(atomic_load(&f.server.connections), 2);
	/* A deadline that has passed sends nothing. */
	CHECK_EQ(http_request(f.client,
			      &(struct http_request){ .method = "GET",
						      .url = server_url(&f.server, "/hello") },
			      &response, leat_now()),
		 -ETIMEDOUT);
	http_response_release(&response);
	CHECK_EQ(atomic_load(&f.server.requests), 2);
	tear_down(&f);
}

TEST(cancel_of_a_hundred)
{
	struct fixture f;
	leat_group group;
	int r[100];
	int64_t before;

	set_up(&f, HTTP_CLIENT_OPTIONS(.per_host = 60));
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 100; i++)
		REQUIRE(leat_go_in(&group, get_path, &f, "/hang", &r[i], LEAT_FOREVER) == 0);
	server_wait_active(&f.server, 60);
	before = leat_now();
	leat_group_cancel(&group, 0);
	CHECK_EQ(leat_group_wait(&group), -ECANCELED);
	CHECK(leat_now() - before < (test_slow() ? 20 : 2) * LEAT_S);
	leat_group_release(&group);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(r[i], -ECANCELED);
	server_wait_closed(&f.server, atomic_load(&f.server.connections));
	check_get(&f, "/hello", 200, "hello");
	tear_down(&f);
}

TEST(cancelled_already)
{
	struct fixture f;
	leat_group group;
	int r = 0;

	set_up(&f, HTTP_CLIENT_OPTIONS());
	REQUIRE(leat_group_init(&group, NULL) == 0);
	leat_group_cancel(&group, 0);
	CHECK_EQ(leat_go_in(&group, get_path, &f, "/hello", &r, LEAT_FOREVER), -ECANCELED);
	leat_group_wait(&group);
	leat_group_release(&group);
	CHECK_EQ(atomic_load(&f.server.requests), 0);
	tear_down(&f);
}

TEST(ends_in_the_middle)
{
	struct fixture f;

	set_up(&f, HTTP_CLIENT_OPTIONS());
	check_error(&f, "/cut", -ECONNRESET);
	check_error(&f, "/reset", -ECONNRESET);
	check_error(&f, "/drop", -ECONNRESET);
	check_error(&f, "/garbage", -EPROTO);
	check_get(&f, "/hello", 200, "hello");
	tear_down(&f);
}

TEST(response_over_the_limit)
{
	const char *const paths[] = { "/bytes/100000", "/chunked", "/until-close" };
	struct http_response response;
	struct fixture f;

	set_up(&f, HTTP_CLIENT_OPTIONS());
	for (int i = 0; i < 3; i++) {
		struct http_request q = { .method = "GET", .url = server_url(&f.server, paths[i]),
					  .response_max = 10 };

		CHECK_EQ(http_request(f.client, &q, &response, soon()), -EMSGSIZE);
		CHECK_STR(response.error, "the response is larger than allowed");
		CHECK(response.body == NULL);
		http_response_release(&response);
		/* To the byte. */
		q.response_max = i == 0 ? 100000 : i == 1 ? 12 : 11;
		CHECK_EQ(http_request(f.client, &q, &response, soon()), 0);
		CHECK_EQ(response.body_size, q.response_max);
		http_response_release(&response);
		q.response_max--;
		CHECK_EQ(http_request(f.client, &q, &response, soon()), -EMSGSIZE);
		http_response_release(&response);
	}
	tear_down(&f);
}

TEST(huge_headers)
{
	struct fixture f;

	set_up(&f, HTTP_CLIENT_OPTIONS());
	check_get(&f, "/headers/200000", 200, "ok");
	check_error(&f, "/headers/400000", -EMSGSIZE);
	check_get(&f, "/hello", 200, "hello");
	tear_down(&f);
}

static int post(struct fixture *f, const char *path, const void *body, size_t n,
		const char *const *headers, struct http_response *response)
{
	return http_request(f->client,
			    &(struct http_request){ .method = "POST",
						    .url = server_url(&f->server, path),
						    .headers = headers, .body = body,
						    .body_size = n, .response_max = 128 << 20 },
			    response, soon());
}

TEST(bodies_of_any_bytes)
{
	static const char body[] = "a\0b\xff\xfe\x80\r\n\0\0c";
	size_t n = sizeof(body) - 1;
	struct http_response response;
	struct fixture f;

	set_up(&f, HTTP_CLIENT_OPTIONS());
	CHECK_EQ(post(&f, "/echo", body, n, NULL, &response), 0);
	CHECK_EQ(response.body_size, n);
	CHECK(response.body_size == n && memcmp(response.body, body, n) == 0);
	CHECK_EQ(response.body[n], 0);
	http_response_release(&response);
	/* None at all is a body, too. */
	CHECK_EQ(post(&f, "/echo", NULL, 0, NULL, &response), 0);
	CHECK_EQ(response.status, 200);
	CHECK_EQ(response.body_size, 0);
	http_response_release(&response);
	CHECK_EQ(atomic_load(&f.server.connections), 1);
	tear_down(&f);
}

TEST(large_bodies)
{
	size_t n = (size_t)(test_slow() ? 8 : 64) << 20;
	struct http_response response;
	struct fixture f;
	char *body = malloc(n);
	bool same = true;

	REQUIRE(body);
	test_timeout(60);
	for (size_t i = 0; i < n; i++)
		body[i] = (char)(i * 2654435761u >> 11);
	set_up(&f, HTTP_CLIENT_OPTIONS());
	CHECK_EQ(post(&f, "/echo", body, n, NULL, &response), 0);
	CHECK_EQ(response.body_size, n);
	CHECK(response.body_size == n && memcmp(response.body, body, n) == 0);
	http_response_release(&response);
	free(body);
	CHECK_EQ(get(&f, "/bytes/3000001", &response), 0);
	CHECK_EQ(response.body_size, 3000001);
	for (size_t i = 0; i < response.body_size; i++)
		same &= response.body[i] == (char)(i % 251);
	CHECK(same);
	http_response_release(&response);
	tear_down(&f);
}

/* The head of the request that the server got. */
static char *head_of(struct fixture *f, const struct http_request *q)
{
	struct http_response response;
	char *text;

	CHECK_EQ(http_request(f->client, q, &response, soon()), 0);
	text = response.body ? strdup(response.body) : strdup("");
	http_response_release(&response);
	return text;
}

TEST(head_of_a_request)
{
	static const char *const headers[] = { "X-One: 1", "Authorization: Bearer secret",
					       "Content-Type: application/json", "Accept:", NULL };
	struct fixture f;
	char *text;

	set_up(&f, HTTP_CLIENT_OPTIONS(.user_agent = "tester/1"));
	text = head_of(&f, &(struct http_request){ .method = "POST", .body = "x", .body_size = 1,
						   .url = server_url(&f.server, "/head?a=b"),
						   .headers = headers });
	CHECK(strncmp(text, "POST /head?a=b HTTP/1.1\n", 24) == 0);
	CHECK(strstr(text, "\nX-One: 1\n"));
	CHECK(strstr(text, "\nAuthorization: Bearer secret\n"));
	CHECK(strstr(text, "\nContent-Type: application/json\n"));
	CHECK(strstr(text, "\nUser-Agent: tester/1\n"));
	CHECK(strstr(text, "\nContent-Length: 1\n"));
	CHECK(!strstr(text, "\nAccept:"));
	CHECK(!strstr(text, "\nExpect:"));
	free(text);
	/* Nothing of that stays with the handle. */
	text = head_of(&f, &(struct http_request){ .method = "GET",
						   .url = server_url(&f.server, "/head") });
	CHECK(strncmp(text, "GET /head HTTP/1.1\n", 19) == 0);
	CHECK(!strstr(text, "X-One") && !strstr(text, "Authorization") && !strstr(text, "Content"));
	free(text);
	tear_down(&f);
}

/* A large body is not held back for a 100, nor called a form. */
TEST(no_expect_nor_form)
{
	struct http_response response;
	struct fixture f;
	char *body = calloc(1, 2 << 20);

	set_up(&f, HTTP_CLIENT_OPTIONS());
	CHECK_EQ(post(&f, "/head", body, 2 << 20, NULL, &response), 0);
	CHECK(response.body && !strstr(response.body, "Expect:"));
	CHECK(response.body && !strstr(response.body, "Content-Type:"));
	CHECK(response.body && strstr(response.body, "\nContent-Length: 2097152\n"));
	CHECK(response.body && strstr(response.body, "\nUser-Agent: leat/"));
	http_response_release(&response);
	free(body);
	tear_down(&f);
}

TEST(user_of_a_url)
{
	struct fixture f;
	char url[200], *text;

	set_up(&f, HTTP_CLIENT_OPTIONS());
	snprintf(url, sizeof(url), "http://user:pass%%40@127.0.0.1:%d/head", f.server.port);
	text = head_of(&f, &(struct http_request){ .method = "GET", .url = url });
	CHECK(strstr(text, "\nAuthorization: Basic dXNlcjpwYXNzQA==\n"));
	free(text);
	text = head_of(&f, &(struct http_request){ .method = "GET",
						   .url = server_url(&f.server, "/head") });
	CHECK(!strstr(text, "Authorization"));
	free(text);
	tear_down(&f);
}

TEST(methods)
{
	const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD",
					"PURGE", "POST", "GET" };
	struct http_response response;
	struct fixture f;

	set_up(&f, HTTP_CLIENT_OPTIONS());
	for (int i = 0; i < 10; i++) {
		bool head = strcmp(methods[i], "HEAD") == 0, has_length;
		bool wants = methods[i][0] == 'P' && strcmp(methods[i], "PURGE") != 0;
		char start[64];

		snprintf(start, sizeof(start), "%s /head HTTP/1.1\n", methods[i]);
		CHECK_EQ(request(&f, methods[i], "/head", &response), 0);
		CHECK_EQ(response.status, 200);
		if (head) {
			CHECK_EQ(response.body_size, 0);
		} else {
			has_length = strstr(response.body, "\nContent-Length: 0\n");
			CHECK(strncmp(response.body, start, strlen(start)) == 0);
			CHECK_EQ(has_length, wants);
		}
		http_response_release(&response);
	}
	/* A body with a method that has none by itself. */
	CHECK_EQ(http_request(f.client,
			      &(struct http_request){ .method = "DELETE", .body = "why",
						      .body_size = 3,
						      .url = server_url(&f.server, "/echo") },
			      &response, soon()),
		 0);
	CHECK_STR(response.body, "why");
	http_response_release(&response);
	CHECK_EQ(atomic_load(&f.server.connections), 1);
	tear_down(&f);
}

TEST(requests_that_are_refused)
{
	static const struct {
		const char *method, *url, *header;
	} bad[] = {
		{ "GET", "ftp://127.0.0.1/", NULL },
		{ "GET", "file:///etc/passwd", NULL },
		{ "GET", "gopher://127.0.0.1/", NULL },
		{ "GET", "", NULL },
		{ "GET", "127.0.0.1/no-scheme", NULL },
		{ "GET", "http://", NULL },
		{ "GET", "http://127.0.0.1:99999/", NULL },
		{ "GET", "http://127.0.0.1:port/", NULL },
		{ "GET", "http://127.0.0.1/a b", NULL },
		{ "GET", "http://127.0.0.1/a\nb", NULL },
		{ "GET", "http://user:secret@[::1/", NULL },
		{ "GET", NULL, NULL },
		{ NULL, "http://127.0.0.1:1/", NULL },
		{ "", "http://127.0.0.1:1/", NULL },
		{ "GET /x HTTP/1.1\r\nX: y", "http://127.0.0.1:1/", NULL },
		{ "CONNECT", "http://127.0.0.1:1/", NULL },
		{ "GET", "http://127.0.0.1:1/", "X: secret\nY: b" },
		{ "GET", "http://127.0.0.1:1/", "X: secret\r" },
		{ "GET", "http://127.0.0.1:1/", "no colon secret" },
		{ "GET", "http://127.0.0.1:1/", ": secret" },
		{ "GET", "http://127.0.0.1:1/", "X Y: secret" },
		{ "GET", "http://127.0.0.1:1/", "X;secret" },
		{ "POST", "http://127.0.0.1:1/", "Content-Length: 5" },
		{ "POST", "http://127.0.0.1:1/", "transfer-encoding: chunked" },
	};
	struct http_response response;
	struct fixture f;

	set_up(&f, HTTP_CLIENT_OPTIONS());
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *const headers[] = { bad[i].header, NULL };
		struct http_request q = { .method = bad[i].method, .url = bad[i].url,
					  .headers = headers };
		int r = http_request(f.client, &q, &response, soon());

		if (r != -EINVAL)
			test_fail(__FILE__, __LINE__, "%zu: %d %s", i, r, response.error);
		CHECK(response.error[0]);
		CHECK(!strstr(response.error, "secret"));
		http_response_release(&response);
	}
	/* At a host that is known already. */
	check_get(&f, "/hello", 200, "hello");
	check_error(&f, "/a b", -EINVAL);
	check_error(&f, "/a\nb", -EINVAL);
	check_get(&f, "/hello", 200, "hello");
	tear_down(&f);
}

TEST(nobody_there)
{
	struct http_response response;
	struct fixture f;
	char url[64];

	set_up(&f, HTTP_CLIENT_OPTIONS());
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", f.server.port);
	server_stop(&f.server);
	CHECK_EQ(http_request(f.client, &(struct http_request){ .method = "GET", .url = url },
			      &response, soon()),
		 -ECONNREFUSED);
	CHECK(strstr(response.error, "127.0.0.1"));
	http_response_release(&response);
	/* Reserved by RFC 6761: no such name. */
	CHECK_EQ(http_request(f.client,
			      &(struct http_request){ .method = "GET",
						      .url = "http://u:secret@nowhere.invalid/" },
			      &response, soon()),
		 -EHOSTUNREACH);
	CHECK(strstr(response.error, "nowhere.invalid") && !strstr(response.error, "secret"));
	http_response_release(&response);
	http_client_destroy(f.client);
}

TEST(ipv6)
{
	struct http_response response;
	struct fixture f;
	char url[64];

	setenv("NO_PROXY", "*", 1);
	if (!server_start(&f.server, "[::1]:0"))
		SKIP("no IPv6");
	REQUIRE(http_client_create(&f.client, HTTP_CLIENT_OPTIONS()) == 0);
	snprintf(url, sizeof(url), "http://[::1]:%d/hello", f.server.port);
	CHECK_EQ(http_request(f.client, &(struct http_request){ .method = "GET", .url = url },
			      &response, soon()),
		 0);
	CHECK_STR(response.body, "hello");
	http_response_release(&response);
	tear_down(&f);
}

TEST(retry_after_of_a_response)
{
	struct http_response response;
	struct fixture f;

	set_up(&f, HTTP_CLIENT_OPTIONS());
	CHECK_EQ(get(&f, "/retry/120", &response), 0);
	CHECK_EQ(response.status, 503);
	CHECK_EQ(response.retry_after, 120 * LEAT_S);
	http_response_release(&response);
	/* By the clock of the server, which is far behind. */
	CHECK_EQ(get(&f, "/retry/Sun,_06_Nov_1994_08:50:00_GMT", &response), 0);
	CHECK_EQ(response.retry_after, 23 * LEAT_S);
	http_response_release(&response);
	CHECK_EQ(get(&f, "/retry/soon", &response), 0);
	CHECK_EQ(response.retry_after, -1);
	http_response_release(&response);
	tear_down(&f);
}

TEST(redirect_is_a_response)
{
	struct fixture f;

	set_up(&f, HTTP_CLIENT_OPTIONS());
	check_get(&f, "/to/302//hello", 302, "moved");
	CHECK_EQ(atomic_load(&f.server.requests), 1);
	tear_down(&f);
}

TEST(redirects)
{
	static const struct {
		const char *method, *path, *first;
		int status;
	} cases[] = {
		{ "GET", "/to/301//head", "GET /head HTTP/1.1\n", 200 },
		{ "POST", "/to/301//head", "GET /head HTTP/1.1\n", 200 },
		{ "POST", "/to/302//head", "GET /head HTTP/1.1\n", 200 },
		{ "POST", "/to/303//head", "GET /head HTTP/1.1\n", 200 },
		{ "PUT", "/to/303//head", "GET /head HTTP/1.1\n", 200 },
		{ "PUT", "/to/302//head", "PUT /head HTTP/1.1\n", 200 },
		{ "POST", "/to/307//head", "POST /head HTTP/1.1\n", 200 },
		{ "DELETE", "/to/308//to/307//head", "DELETE /head HTTP/1.1\n", 200 },
		{ "GET", "/to/300//head", "moved", 300 },
	};
	struct http_response response;
	struct fixture f;

	set_up(&f, HTTP_CLIENT_OPTIONS(.follow = true, .per_host = 1));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool body = cases[i].method[0] == 'P';
		size_t n = strlen(cases[i].first);
		struct http_request q = { .method = cases[i].method,
					  .url = server_url(&f.server, cases[i].path),
					  .body = "body", .body_size = body ? 4 : 0 };

		CHECK_EQ(http_request(f.client, &q, &response, soon()), 0);
		CHECK_EQ(response.status, cases[i].status);
		if (!response.body || strncmp(response.body, cases[i].first, n) != 0)
			test_fail(__FILE__, __LINE__, "%zu: %s", i, response.body);
		if (response.body && cases[i].status == 200)
			CHECK_EQ(strstr(response.body, "Content-Length: 4") != NULL,
				 body && cases[i].first[0] == 'P');
		http_response_release(&response);
	}
	check_error(&f, "/loop", -ELOOP);
	CHECK_EQ(atomic_load(&f.server.connections), 1);
	check_error(&f, "/to/302/ftp://127.0.0.1/x", -EINVAL);
	check_error(&f, "/to/302/file:///etc/passwd", -EINVAL);
	tear_down(&f);
}

/* What says how the body is to be understood goes with it. */
TEST(redirect_without_body)
{
	static const char *const headers[] = { "Content-Type: text/x-mine", "X-Mine: 1", NULL };
	struct http_request q = { .method = "POST", .headers = headers, .body = "b",
				  .body_size = 1 };
	struct fixture f;
	char *text;

	set_up(&f, HTTP_CLIENT_OPTIONS(.follow = true));
	q.url = server_url(&f.server, "/to/303//head");
	text = head_of(&f, &q);
	CHECK(strstr(text, "\nX-Mine: 1\n") && !strstr(text, "x-mine"));
	free(text);
	q.url = server_url(&f.server, "/to/307//head");
	text = head_of(&f, &q);
	CHECK(strstr(text, "\nContent-Type: text/x-mine\n"));
	free(text);
	tear_down(&f);
}

/* To another port is to another host; what is secret stays here. */
TEST(redirect_elsewhere)
{
	static const char *const headers[] = { "Authorization: Bearer secret", "Cookie: secret",
					       "X-Mine: 1", NULL };
	char path[200], *text;
	struct server other;
	struct fixture f;

	set_up(&f, HTTP_CLIENT_OPTIONS(.follow = true));
	REQUIRE(server_start(&other, "127.0.0.1:0"));
	snprintf(path, sizeof(path), "/to/307/http://127.0.0.1:%d/head", other.port);
	text = head_of(&f, &(struct http_request){ .method = "GET", .headers = headers,
						   .url = server_url(&f.server, path) });
	CHECK(strstr(text, "\nX-Mine: 1\n"));
	CHECK(!strstr(text, "secret"));
	free(text);
	text = head_of(&f, &(struct http_request){ .method = "GET", .headers = headers,
						   .url = server_url(&f.server, "/to/307//head") });
	CHECK(strstr(text, "\nAuthorization: Bearer secret\n"));
	free(text);
	server_stop(&other);
	tear_down(&f);
}

/*
 * The server reads a second request on a connection and closes it.  GET is sent again, on a new
 * one; POST may have been done, and is not.
 */
TEST(sent_once)
{
	struct http_response response;
	struct fixture f;

	set_up(&f, HTTP_CLIENT_OPTIONS());
	check_get(&f, "/answer-and-close", 200, "last");
	check_get(&f, "/answer-and-close", 200, "last");
	CHECK_EQ(atomic_load(&f.server.dropped), 1);
	CHECK_EQ(atomic_load(&f.server.connections), 2);
	CHECK_EQ(post(&f, "/answer-and-close", "x", 1, NULL, &response), -ECONNRESET);
	CHECK(strstr(response.error, "not sent again"));
	http_response_release(&response);
	CHECK_EQ(atomic_load(&f.server.dropped), 2);
	CHECK_EQ(atomic_load(&f.server.requests), 4);
	tear_down(&f);
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

TEST(a_thousand_clients)
{
	int n = test_slow() ? 100 : 1000, before = 0;
	struct fixture f;

	test_timeout(60);
	REQUIRE(server_start(&f.server, "127.0.0.1:0"));
	setenv("NO_PROXY", "*", 1);
	for (int i = 0; i < n; i++) {
		REQUIRE(http_client_create(&f.client, HTTP_CLIENT_OPTIONS()) == 0);
		if (i % 10 == 0)
			check_get(&f, "/hello", 200, "hello");
		http_client_destroy(f.client);
		if (i == 0) {
			server_wait_closed(&f.server, 1);
			before = open_descriptors();
		}
	}
	server_wait_closed(&f.server, n / 10);
	CHECK_EQ(open_descriptors(), before);
	server_stop(&f.server);
}

/* What was in its log. */
static char logged[1000];

static void log_line(void *ctx, const char *line)
{
	(void)ctx;
	snprintf(logged, sizeof(logged), "%s", line);
}

TEST_WITH(bad_options, .log = log_line)
{
	http_client *client = NULL;

	CHECK_EQ(http_client_create(&client, HTTP_CLIENT_OPTIONS(.per_host = -1)), -EINVAL);
	CHECK_STR(logged, "leat: http_client_create: per_host is -1; it must be >= 0");
	CHECK_EQ(http_client_create(&client, HTTP_CLIENT_OPTIONS(.connections = -5)), -EINVAL);
	CHECK(strstr(logged, "connections is -5"));
	CHECK_EQ(http_client_create(&client, HTTP_CLIENT_OPTIONS(.ca_file = "/nowhere/ca.pem")),
		 -EINVAL);
	CHECK(strstr(logged, "ca_file is /nowhere/ca.pem"));
	CHECK_EQ(http_client_create(&client, HTTP_CLIENT_OPTIONS(.user_agent = "a\r\nX: b")),
		 -EINVAL);
	CHECK(strstr(logged, "user_agent"));
	CHECK(client == NULL);
}

TEST_DEATH_TASK(destroyed_in_use, "http_client_destroy")
{
	struct fixture f;
	leat_group group;
	int r;

	set_up(&f, HTTP_CLIENT_OPTIONS());
	REQUIRE(leat_group_init(&group, NULL) == 0);
	REQUIRE(leat_go_in(&group, get_path, &f, "/hang", &r, LEAT_FOREVER) == 0);
	server_wait_active(&f.server, 1);
	http_client_destroy(f.client);
}

TEST_PLAIN(retry_after)
{
	/* 1994-11-06 08:49:37 */
	const int64_t then = 784111777;
	const char *const none[] = { "", "x", "-1", "+1", "1.5", "1 ", " 1", "1s", "0x10",
				     "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
				     "Sun, 6 Nov 1994 08:49:37 GMT",
				     "Sun, 31 Feb 1994 08:49:37 GMT",
				     "Sun, 06 Nov 1994 24:00:00 GMT",
				     "Sun, 00 Nov 1994 08:49:37 GMT",
				     "Sunday, 06-Nov-1994 08:49:37 GMT", "Sun Nov 6 08:49:37 1994",
				     "Sun, 29 Feb 1900 00:00:00 GMT", "Sun", "Sun, ",
				     "Sun, 06 Nov 1994 08:49:37 GMT " };

	CHECK_EQ(http_retry_after("0", NULL, 0), 0);
	CHECK_EQ(http_retry_after("120", NULL, 0), 120 * LEAT_S);
	CHECK_EQ(http_retry_after("00000000000000000000000000000007", NULL, 0), 7 * LEAT_S);
	CHECK_EQ(http_retry_after("99999999999999999999999999", NULL, 0), LEAT_FOREVER);
	CHECK_EQ(http_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", NULL, then - 5), 5 * LEAT_S);
	CHECK_EQ(http_retry_after("Sunday, 06-Nov-94 08:49:37 GMT", NULL, then - 5), 5 * LEAT_S);
	CHECK_EQ(http_retry_after("Sun Nov  6 08:49:37 1994", NULL, then - 5), 5 * LEAT_S);
	CHECK_EQ(http_retry_after("Sun Nov 16 08:49:37 1994", NULL, then), 864000 * LEAT_S);
	/* It has passed. */
	CHECK_EQ(http_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", NULL, then + 5), 0);
	/* The server's clock. */
	CHECK_EQ(http_retry_after("Sun, 06 Nov 1994 08:50:00 GMT", SERVER_DATE, then + 99999),
		 23 * LEAT_S);
	CHECK_EQ(http_retry_after("Sun, 06 Nov 1994 08:50:00 GMT", "now", then), 23 * LEAT_S);
	CHECK_EQ(http_retry_after("9", "now", then), 9 * LEAT_S);
	/* Leap days; a date of two digits is at most 50 years ahead. */
	CHECK_EQ(http_retry_after("Tue, 29 Feb 2000 00:00:00 GMT", NULL, 951782400 - 1), LEAT_S);
	CHECK_EQ(http_retry_after("Thu, 29 Feb 2024 12:00:00 GMT", NULL, 1709208000 - 1), LEAT_S);
	CHECK_EQ(http_retry_after("Monday, 01-Jan-40 00:00:00 GMT", NULL, 2208988800 - 3), 3 * LEAT_S);
	CHECK_EQ(http_retry_after("Monday, 01-Jan-99 00:00:00 GMT", NULL, 1700000000), 0);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (http_retry_after(none[i], NULL, 0) != -1)
			test_fail(__FILE__, __LINE__, "\"%s\" is accepted", none[i]);
}
