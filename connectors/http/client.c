/* A client's life, and the requester's side of a request. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <leat/extend.h>

#include "client.h"

enum { ORDERS = 256 };

#define BAD(ok, ...)                                                          \
	do {                                                                  \
		if (!(ok)) {                                                  \
			leat_log("http_client_create: " __VA_ARGS__);         \
			return -EINVAL;                                       \
		}                                                             \
	} while (0)

static int check_options(const struct http_client_options *o)
{
	BAD(o->per_host >= 0, "per_host is %d; it must be >= 0", o->per_host);
	BAD(o->connections >= 0, "connections is %d; it must be >= 0", o->connections);
	BAD(!o->insecure || !o->ca_file, "ca_file is given, but insecure verifies nothing");
	BAD(!o->ca_file || access(o->ca_file, R_OK) == 0, "ca_file is %s, which cannot be read",
	    o->ca_file);
	for (const char *s = o->user_agent; s && *s; s++)
		BAD((unsigned char)*s >= ' ' && *s != 0x7f,
		    "user_agent has a control character; leave it out");
	return 0;
}

static int copy_options(struct http_client *client, const struct http_client_options *options)
{
	client->o = *options;
	client->o.user_agent = strdup(options->user_agent ? options->user_agent
							  : "leat/" LEAT_VERSION);
	client->o.ca_file = options->ca_file ? strdup(options->ca_file) : NULL;
	if (!client->o.user_agent || (options->ca_file && !client->o.ca_file))
		return -ENOMEM;
	return 0;
}

static void release(struct http_client *client)
{
	http_curl.url_cleanup(client->url);
	if (!leat_io_is_none(client->epoll))
		leat_io_close(client->epoll);	/* LEAT_ECLOSED: the driver has */
	leat_chan_unref(client->orders);
	leat_chan_unref(client->ready);
	leat_chan_unref(client->looked);
	free((char *)client->o.user_agent);
	free((char *)client->o.ca_file);
	free(client);
}

static int open_epoll(struct http_client *client)
{
	int r;

	client->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (client->epoll_fd < 0)
		return -leat_errno();
	r = leat_io_adopt(&client->epoll, client->epoll_fd, 0);
	if (r < 0)
		close(client->epoll_fd);
	return r;
}

static int make_parts(struct http_client *client)
{
	client->orders = leat_chan_make(struct http_order, ORDERS);
	client->ready = leat_chan_make(int, 1);
	client->looked = leat_chan_make(int, 1);
	if (!client->orders || !client->ready || !client->looked)
		return -ENOMEM;
	client->url = http_curl.url();
	return client->url ? open_epoll(client) : -ENOMEM;
}

static int start(struct http_client *client)
{
	/* Below the root and out of reach of a cancel: requests that are cancelled need it. */
	int r = leat_group_init(&client->group,
				LEAT_GROUP_OPTIONS(.parent = leat_group_root(), .shared = true,
						   .detached_from_cancel = true,
						   .name = "http_client"));

	if (r < 0)
		return r;
	r = http_driver_start(client);
	if (r < 0)
		leat_group_release(&client->group);
	return r;
}

int http_client_create(http_client **ret, const struct http_client_options *options)
{
	struct http_client *client;
	int r;

	if (!options || options->size != sizeof(*options))
		leat_misuse(__func__, options, "the size is not set; use HTTP_CLIENT_OPTIONS");
	r = check_options(options);
	if (r == 0)
		r = http_curl_load();
	if (r < 0)
		return r;
	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	client->timer = LEAT_FOREVER;
	r = copy_options(client, options);
	if (r == 0)
		r = make_parts(client);
	if (r == 0)
		r = start(client);
	if (r < 0) {
		release(client);
		return r;
	}
	*ret = client;
	return 0;
}

void http_client_destroy(http_client *client)
{
	if (!client)
		return;
	if (atomic_load(&client->live) > 0)
		leat_misuse(__func__, client, "%d requests are going on; wait for them first",
			    atomic_load(&client->live));
	leat_close(client->orders);
	(void)leat_group_wait(&client->group);
	leat_group_release(&client->group);
	release(client);
}

static struct http_transfer *new_transfer(struct http_client *client)
{
	struct http_transfer *t;

	leat_mutex_lock(&client->lock);
	t = client->free;
	if (t) {
		client->free = t->next;
		client->nfree--;
	}
	leat_mutex_unlock(&client->lock);
	if (!t)
		t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->client = client;
	t->next = NULL;
	t->host = NULL;
	atomic_init(&t->refs, 1);
	t->done = (leat_waitgroup)LEAT_WAITGROUP_INIT;
	leat_waitgroup_add(&t->done, 1);
	return t;
}

void http_transfer_unref(struct http_transfer *t)
{
	struct http_client *client = t->client;

	/* Release and acquire: who takes it next has seen what the others did with it. */
	if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) > 1)
		return;
	leat_mutex_lock(&client->lock);
	t->next = client->free;
	client->free = t;
	client->nfree++;
	leat_mutex_unlock(&client->lock);
}

static void prepare(struct http_transfer *t, const struct http_request *request,
		    struct http_response *response, int64_t deadline)
{
	t->request = request;
	t->response = response;
	t->deadline = deadline;
	t->method = request->method;
	t->once = !http_method_is_idempotent(request->method);
	t->url = NULL;
	t->no_body = t->elsewhere = false;
	t->hops = 0;
	t->began = 0;
	t->failure = 0;
	t->failure_text = NULL;
	t->capacity = 0;
	t->result = 0;
}

/* The task may be cancelled, or late; the driver still has t. */
static int give_up(struct http_transfer *t, int r)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	leat_shield_begin();
	leat_send(t->client->orders, ((struct http_order){ t, true }));
	if (leat_waitgroup_wait(&t->done) < 0)
		leat_misuse(__func__, t, "a shielded wait has ended early");
	leat_shield_end();
	/* It may have been complete before. */
	return t->result == -ECANCELED ? r : t->result;
}

static int run(struct http_transfer *t, int64_t deadline)
{
	int r;

	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	r = leat_send_until(t->client->orders, ((struct http_order){ t, false }), deadline);
	if (r < 0) {
		http_transfer_unref(t);
		return r;
	}
	r = leat_waitgroup_wait_until(&t->done, deadline);
	return r == 0 ? t->result : give_up(t, r);
}

static const char *own_reason(int r)
{
	return r == -ETIMEDOUT ? "no response before the deadline" : leat_strerror(r);
}

int http_request(http_client *client, const struct http_request *request,
		 struct http_response *response, int64_t deadline)
{
	const char *problem = http_request_problem(request);
	struct http_transfer *t;
	int r = problem ? -EINVAL : 0;

	memset(response, 0, sizeof(*response));
	response->retry_after = -1;
	if (r == 0 && leat_cancelled())
		r = -ECANCELED;
	if (r == 0 && leat_now() >= deadline)
		r = -ETIMEDOUT;
	if (r == 0) {
		atomic_fetch_add(&client->live, 1);
		t = new_transfer(client);
		if (t) {
			prepare(t, request, response, deadline);
			r = run(t, deadline);
			http_transfer_unref(t);
		} else {
			r = -ENOMEM;
		}
		atomic_fetch_sub(&client->live, 1);
	}
	if (r == -ECANCELED || r == -ETIMEDOUT || !response->error[0])
		snprintf(response->error, sizeof(response->error), "%s",
			 r == 0 ? "" : problem ? problem : own_reason(r));
	return r;
}

void http_response_release(struct http_response *response)
{
	free(response->body);
	free(response->content_type);
	memset(response, 0, sizeof(*response));
}
