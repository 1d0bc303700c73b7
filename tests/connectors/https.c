/* The HTTP client over TLS, and HTTP/2, against the servers of tls.py. */
#include <signal.h>

#include "http/http.h"
#include "test.h"

struct fixture {
	leat_process *servers;
	char directory[200], ca[250];
	int trusted, other, closer, h2; /* ports */
	http_client *client;
};

static int64_t soon(void)
{
	return leat_in((test_slow() ? 200 : 20) * LEAT_S);
}

static void start_servers(struct fixture *f)
{
	const char *script = getenv("LEAT_TEST_PEER"), *line;
	leat_reader *in;
	size_t n;

	if (!script)
		SKIP("LEAT_TEST_PEER is not set to tests/connectors/tls.py");
	REQUIRE(leat_process_start(&f->servers,
				   LEAT_PROCESS_OPTIONS(.argv = (const char *const[]){
								"python3", script, NULL },
							.search = true,
							.in = { LEAT_STDIO_PIPE },
							.out = { LEAT_STDIO_PIPE })) == 0);
	REQUIRE(leat_reader_create(&in, leat_process_stdout(f->servers), NULL) == 0);
	REQUIRE(leat_reader_line(in, &line, &n, soon()) == 0);
	REQUIRE(sscanf(line, "%199s %d %d %d %d", f->directory, &f->trusted, &f->other, &f->closer,
		       &f->h2) == 5);
	leat_reader_free(in);
	snprintf(f->ca, sizeof(f->ca), "%s/trusted.pem", f->directory);
}

static void set_up(struct fixture *f)
{
	test_timeout(60);
	setenv("NO_PROXY", "*", 1);
	start_servers(f);
	REQUIRE(http_client_create(&f->client, HTTP_CLIENT_OPTIONS(.ca_file = f->ca)) == 0);
}

static void tear_down(struct fixture *f)
{
	http_client_destroy(f->client);
	leat_io_close(leat_process_stdin(f->servers));
	CHECK_EQ(leat_process_wait(f->servers, NULL, soon()), 0);
	leat_process_release(f->servers);
}

static int get_until(http_client *client, int port, const char *path,
		     struct http_response *response, int64_t deadline)
{
	char url[200];

	snprintf(url, sizeof(url), "https://127.0.0.1:%d%s", port, path);
	return http_request(client, &(struct http_request){ .method = "GET", .url = url }, response,
			    deadline);
}

static void check_get(http_client *client, int port, const char *path, int version,
		      const char *body)
{
	struct http_response response;

	CHECK_EQ(get_until(client, port, path, &response, soon()), 0);
	CHECK_EQ(response.status, 200);
	CHECK_EQ(response.version, version);
	CHECK_STR(response.body, body);
	CHECK_STR(response.error, "");
	http_response_release(&response);
}

static void check_refused(http_client *client, int port, int error, const char *why)
{
	struct http_response response;

	CHECK_EQ(get_until(client, port, "/hello", &response, soon()), error);
	CHECK_EQ(response.status, 0);
	if (!strstr(response.error, why))
		test_fail(__FILE__, __LINE__, "no \"%s\" in \"%s\"", why, response.error);
	http_response_release(&response);
}

TEST(trust)
{
	http_client *other;
	struct fixture f;

	set_up(&f);
	for (int i = 0; i < 5; i++)
		check_get(f.client, f.trusted, "/hello", 11, "hello");
	check_get(f.client, f.trusted, "/connections", 11, "1");
	/* Trusted by ca_file, but the certificate is for another name. */
	check_refused(f.client, f.other, -EPROTO, "certificate");
	/* The system's authorities have not signed it. */
	REQUIRE(http_client_create(&other, HTTP_CLIENT_OPTIONS()) == 0);
	check_refused(other, f.trusted, -EPROTO, "certificate");
	http_client_destroy(other);
	REQUIRE(http_client_create(&other, HTTP_CLIENT_OPTIONS(.insecure = true)) == 0);
	check_get(other, f.trusted, "/hello", 11, "hello");
	check_get(other, f.other, "/hello", 11, "hello");
	http_client_destroy(other);
	tear_down(&f);
}

TEST(wrong_name)
{
	http_client *client;
	struct fixture f;
	char ca[250];

	set_up(&f);
	/* Signed by whom it should, and for other.example, which is not 127.0.0.1. */
	snprintf(ca, sizeof(ca), "%s/other.pem", f.directory);
	REQUIRE(http_client_create(&client, HTTP_CLIENT_OPTIONS(.ca_file = ca)) == 0);
	check_refused(client, f.other, -EPROTO, "target host name");
	http_client_destroy(client);
	tear_down(&f);
}

TEST(cut_in_the_middle)
{
	struct http_response response;
	struct fixture f;

	set_up(&f);
	CHECK_EQ(get_until(f.client, f.trusted, "/cut", &response, soon()), -ECONNRESET);
	CHECK(response.body == NULL);
	http_response_release(&response);
	tear_down(&f);
}

TEST(redirect_to_http)
{
	struct http_response response;
	http_client *client;
	struct fixture f;

	set_up(&f);
	CHECK_EQ(get_until(f.client, f.trusted, "/plain", &response, soon()), 0);
	CHECK_EQ(response.status, 302);
	http_response_release(&response);
	REQUIRE(http_client_create(&client, HTTP_CLIENT_OPTIONS(.ca_file = f.ca, .follow = true)) ==
		0);
	CHECK_EQ(get_until(client, f.trusted, "/plain", &response, soon()), -EPROTO);
	CHECK(strstr(response.error, "from https"));
	http_response_release(&response);
	http_client_destroy(client);
	tear_down(&f);
}

/* Who writes to a connection that is closed gets SIGPIPE, unless somebody sees to it. */
TEST(closed_while_it_sends)
{
	size_t n = 32 << 20;
	struct http_response response;
	struct fixture f;
	char url[100], *body = calloc(1, n);

	set_up(&f);
	signal(SIGPIPE, SIG_DFL);
	for (int i = 0; i < 5; i++) {
		snprintf(url, sizeof(url), "https://127.0.0.1:%d/", f.closer);
		CHECK_EQ(http_request(f.client,
				      &(struct http_request){ .method = "POST", .url = url,
							      .body = body, .body_size = n },
				      &response, soon()),
			 -ECONNRESET);
		http_response_release(&response);
	}
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/", f.trusted);
	CHECK_EQ(http_request(f.client,
			      &(struct http_request){ .method = "POST", .url = url, .body = body,
						      .body_size = n },
			      &response, soon()),
		 0);
	CHECK_STR(response.body, "posted");
	http_response_release(&response);
	free(body);
	tear_down(&f);
}

LEAT_TASK_ERR(get_hello, (http_client *, client), (int, port), (int, version))
{
	check_get(client, port, "/hello", version, "hello");
	return 0;
}

static void get_many(http_client *client, int port, int version, int n)
{
	leat_group group;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < n; i++)
		REQUIRE(leat_go_in(&group, get_hello, client, port, version) == 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
}

TEST(many_at_once)
{
	struct fixture f;

	set_up(&f);
	get_many(f.client, f.trusted, 11, 50);
	tear_down(&f);
}

/* All of them over one connection, also those that come before it is there. */
TEST(http2)
{
	struct fixture f;

	set_up(&f);
	if (f.h2 == 0) {
		tear_down(&f);
		SKIP("nghttpd is not installed");
	}
	get_many(f.client, f.h2, 20, 90);
	check_get(f.client, f.h2, "/hello", 20, "hello");
	check_get(f.client, f.trusted, "/h2-connections", 11, "1");
	/* More than the server lets into one connection. */
	get_many(f.client, f.h2, 20, test_slow() ? 150 : 500);
	tear_down(&f);
}

/* A stream that is cancelled leaves the connection to the others. */
TEST(http2_cancel)
{
	struct http_response response;
	struct fixture f;

	set_up(&f);
	if (f.h2 == 0) {
		tear_down(&f);
		SKIP("nghttpd is not installed");
	}
	check_get(f.client, f.h2, "/hello", 20, "hello");
	for (int i = 0; i < 5; i++) {
		int r = get_until(f.client, f.h2, "/big", &response, leat_in(LEAT_MS));

		CHECK(r == -ETIMEDOUT || r == 0);
		http_response_release(&response);
		check_get(f.client, f.h2, "/hello", 20, "hello");
	}
	CHECK_EQ(get_until(f.client, f.h2, "/big", &response, soon()), 0);
	CHECK_EQ(response.body_size, 20 << 20);
	http_response_release(&response);
	check_get(f.client, f.trusted, "/h2-connections", 11, "1");
	tear_down(&f);
}

TEST(http1)
{
	http_client *client;
	struct fixture f;

	set_up(&f);
	if (f.h2 == 0) {
		tear_down(&f);
		SKIP("nghttpd is not installed");
	}
	REQUIRE(http_client_create(&client, HTTP_CLIENT_OPTIONS(.ca_file = f.ca, .http1 = true)) ==
		0);
	/* It is asked for HTTP/1.1, which it has not. */
	check_refused(client, f.h2, -ECONNRESET, "");
	check_get(client, f.trusted, "/h2-connections", 11, "0");
	http_client_destroy(client);
	tear_down(&f);
}
