/* Names of hosts: a getaddrinfo of the test's own, which libcurl finds before that of libc. */
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>

#include "http/http.h"
#include "server.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int calls, hanging, hanging_max; /* under lock */
static bool go_on;

static void hang(void)
{
	pthread_mutex_lock(&lock);
	calls++;
	hanging++;
	if (hanging > hanging_max)
		hanging_max = hanging;
	pthread_cond_broadcast(&changed);
	while (!go_on)
		pthread_cond_wait(&changed, &lock);
	hanging--;
	pthread_mutex_unlock(&lock);
}

static void let_go(void)
{
	pthread_mutex_lock(&lock);
	go_on = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static int read_calls(void)
{
	int n;

	pthread_mutex_lock(&lock);
	n = calls;
	pthread_mutex_unlock(&lock);
	return n;
}

static int wait_for_call(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&lock);
	while (calls == 0)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return 0;
}

/* name.test is this machine, after let_go. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (node && strcmp(node, "name.test") == 0) {
		hang();
		node = "127.0.0.1";
	}
	return real(node, service, hints, ret);
}

struct fixture {
	struct server server;
	http_client *client;
	char url[100];
};

static void set_up(struct fixture *f)
{
	setenv("NO_PROXY", "*", 1);
	REQUIRE(server_start(&f->server, "127.0.0.1:0"));
	REQUIRE(http_client_create(&f->client, HTTP_CLIENT_OPTIONS()) == 0);
	snprintf(f->url, sizeof(f->url), "http://name.test:%d/hello", f->server.port);
}

static void tear_down(struct fixture *f)
{
	http_client_destroy(f->client);
	server_stop(&f->server);
}

LEAT_TASK_ERR(get, (struct fixture *, f), (int64_t, deadline), (int *, ret))
{
	struct http_response response;

	*ret = http_request(f->client, &(struct http_request){ .method = "GET", .url = f->url },
			    &response, deadline);
	if (*ret == 0)
		CHECK_STR(response.body, "hello");
	http_response_release(&response);
	return 0;
}

/* A hundred want the same name: it is looked for once. */
TEST(looked_for_once)
{
	struct fixture f;
	leat_group group;
	int r[100];

	set_up(&f);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 100; i++)
		REQUIRE(leat_go_in(&group, get, &f, LEAT_FOREVER, &r[i]) == 0);
	CHECK_EQ(leat_blocking(wait_for_call, NULL), 0);
	let_go();
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(r[i], 0);
	CHECK_EQ(read_calls(), 1);
	tear_down(&f);
}

/*
 * The name server does not answer.  With one worker: nobody waits for it but the request, and that
 * to its deadline; and the client can be destroyed.
 */
TEST_WITH(name_server_hangs, .workers = 1)
{
	struct http_response response;
	struct fixture f;
	int64_t before;
	char url[100];
	int r;

	set_up(&f);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/hello", f.server.port);
	before = leat_now();
	CHECK_EQ(get(&f, leat_in(50 * LEAT_MS), &r), 0);
	CHECK_EQ(r, -ETIMEDOUT);
	CHECK_EQ(read_calls(), 1);
	CHECK_EQ(http_request(f.client, &(struct http_request){ .method = "GET", .url = url },
			      &response, leat_in(200 * LEAT_S)),
		 0);
	CHECK_STR(response.body, "hello");
	http_response_release(&response);
	tear_down(&f);
	CHECK(leat_now() - before < (test_slow() ? 20 : 5) * LEAT_S);
	/* So that the thread of the search ends before the program, for LeakSanitizer. */
	let_go();
	pthread_mutex_lock(&lock);
	while (hanging > 0) {
		pthread_mutex_unlock(&lock);
		leat_sleep(LEAT_MS);
		pthread_mutex_lock(&lock);
	}
	pthread_mutex_unlock(&lock);
}
