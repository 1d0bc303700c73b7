/*
 * The driver and the watcher.
 *
 * W1 the watcher waits until the epoll instance has events, and says so (ready)
 * W2 it goes on when the driver has looked (looked): until then it would find the same events
 * V1 the driver waits for an order, for ready, or for libcurl's timer; it takes all orders that
 *    there are, so that those who leave together do not make room for each other
 * V2 in a no-park scope it does what the order says, tells libcurl of events or of the timer, and
 *    takes what has ended
 * V3 outside of the scope it tells those whose transfers have ended
 * V4 when the orders are closed, it frees all that is libcurl's, and ends the watcher
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include <leat/extend.h>

#include "client.h"

enum {
	ORDERS_AT_ONCE = 256,
	EVENTS_AT_ONCE = 64,
	KEPT = 256,		/* transfers that wait for their next request */
	STACK_SIZE = 512 * 1024,
};

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
	struct http_client *client = user;
	struct epoll_event event = { .data.fd = fd };
	bool in = what & CURL_POLL_IN, out = what & CURL_POLL_OUT;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(client->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	event.events = (in ? EPOLLIN : 0u) | (out ? EPOLLOUT : 0u);
	if (epoll_ctl(client->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) < 0)
		return -1;
	/* Any pointer but NULL says that it is in the epoll instance. */
	http_curl.multi_assign(client->multi, fd, client);
	return 0;
}

static int on_timer(CURLM *multi, long ms, void *user)
{
	struct http_client *client = user;

	(void)multi;
	client->timer = ms < 0 ? LEAT_FOREVER : leat_in(ms * LEAT_MS);
	return 0;
}

static int open_multi(struct http_client *client)
{
	long connections = client->o.connections > 0 ? client->o.connections : 64;

	client->timer = LEAT_FOREVER;
	client->multi = http_curl.multi_init();
	if (!client->multi)
		return -ENOMEM;
	http_curl.multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	http_curl.multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	http_curl.multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	http_curl.multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	http_curl.multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, connections);
	return 0;
}

int http_driver_add(struct http_transfer *t)
{
	struct http_client *client = t->client;

	if (!client->multi && open_multi(client) < 0)
		return -ENOMEM;
	if (http_curl.multi_add_handle(client->multi, t->easy) != CURLM_OK)
		return -ENOMEM;
	t->running = true;
	t->next_running = client->running;
	t->link_running = &client->running;
	if (client->running)
		client->running->link_running = &t->next_running;
	client->running = t;
	return 0;
}

void http_driver_remove(struct http_transfer *t)
{
	t->running = false;
	*t->link_running = t->next_running;
	if (t->next_running)
		t->next_running->link_running = t->link_running;
	http_curl.multi_remove_handle(t->client->multi, t->easy);
}

/* libcurl cannot go on, as when the kernel has no room for another descriptor: begins anew. */
static void fail_all(struct http_client *client, CURLMcode code)
{
	const char *why = http_curl.multi_strerror(code);

	leat_log("http_client: %s; all its requests end", why);
	while (client->running)
		http_transfer_end(client->running, code == CURLM_OUT_OF_MEMORY ? -ENOMEM : -EIO,
				  why);
	http_curl.multi_cleanup(client->multi);
	client->multi = NULL;
	client->timer = LEAT_FOREVER;
}

static void act(struct http_client *client, curl_socket_t fd, int what)
{
	CURLMcode code;
	int running;

	if (!client->multi)
		return;
	code = http_curl.multi_socket_action(client->multi, fd, what, &running);
	if (code != CURLM_OK)
		fail_all(client, code);
}

static void act_on_events(struct http_client *client)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n = epoll_wait(client->epoll_fd, events, EVENTS_AT_ONCE, 0);

	for (int i = 0; i < n; i++) {
		unsigned got = events[i].events;

		act(client, events[i].data.fd,
		    (got & EPOLLIN ? CURL_CSELECT_IN : 0) |
			    (got & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			    (got & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0));
	}
}

/* Those that libcurl has ended. */
static void take_completed(struct http_client *client)
{
	struct http_transfer *t;
	CURLMsg *message;
	int left;

	while (client->multi && (message = http_curl.multi_info_read(client->multi, &left))) {
		CURLcode code = message->data.result;

		http_curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
		http_transfer_complete(t, code);
	}
}

/* Until libcurl has nothing to do at once. */
static void settle(struct http_client *client)
{
	do {
		if (leat_now() >= client->timer) {
			client->timer = LEAT_FOREVER;	/* unless on_timer says otherwise */
			act(client, CURL_SOCKET_TIMEOUT, 0);
		}
		take_completed(client);
		http_transfer_start_waiting(client);
	} while (leat_now() >= client->timer);
}

static void follow_order(const struct http_order *order)
{
	struct http_transfer *t = order->transfer;

	if (!order->abort)
		http_transfer_begin(t);
	else if (t->host)	/* else it has ended meanwhile */
		http_transfer_end(t, -ECANCELED, NULL);
}

static void tell_ended(struct http_client *client)
{
	struct http_transfer *t;

	while ((t = client->ended)) {
		client->ended = t->next;
		leat_waitgroup_done(&t->done);
		http_transfer_unref(t);
	}
}

/* One turn; n orders; events: the watcher has found some. */
static void turn(struct http_client *client, const struct http_order *orders, int n, bool events)
{
	leat_no_park_begin();
	for (int i = 0; i < n; i++)
		follow_order(&orders[i]);
	if (events)
		act_on_events(client);
	settle(client);
	leat_no_park_end();
	for (int i = 0; i < n; i++)
		if (orders[i].abort)
			http_transfer_unref(orders[i].transfer);
	tell_ended(client);
}

/* All but so many of those that are free. */
static void free_transfers(struct http_client *client, int kept)
{
	struct http_transfer *t, *list = NULL;

	leat_mutex_lock(&client->lock);
	while (client->nfree > kept) {
		t = client->free;
		client->free = t->next;
		client->nfree--;
		t->next = list;
		list = t;
	}
	leat_mutex_unlock(&client->lock);
	leat_no_park_begin();
	while ((t = list)) {
		list = t->next;
		http_curl.easy_cleanup(t->easy);
		free(t);
	}
	leat_no_park_end();
}

static void close_all(struct http_client *client)
{
	free_transfers(client, 0);
	http_host_forget(client);
	leat_no_park_begin();
	if (client->multi)
		http_curl.multi_cleanup(client->multi);	/* calls on_socket */
	leat_no_park_end();
}

LEAT_TASK(http_driver, (struct http_client *, client))
{
	struct http_order orders[ORDERS_AT_ONCE];
	int found, n, status = 0, which = 0;

	for (;;) {
		which = leat_select(leat_case_recv_ok(client->orders, &orders[0], &status),
				    leat_case_recv(client->ready, &found),
				    leat_case_until(client->timer));
		if (which == 0 && status < 0)
			break;
		for (n = which == 0; n < ORDERS_AT_ONCE; n++)
			if (leat_try_recv(client->orders, &orders[n]) != 0)
				break;
		turn(client, orders, n, which == 1);
		if (which == 1)
			leat_send(client->looked, 0);
		if (!client->running)
			free_transfers(client, KEPT);
	}
	close_all(client);
	leat_io_close(client->epoll);
	leat_abandon(client->ready);
	leat_close(client->looked);
}

LEAT_TASK(http_watcher, (struct http_client *, client))
{
	int looked = 0;

	while (leat_io_wait(client->epoll, LEAT_READABLE, LEAT_FOREVER) > 0)
		if (leat_send(client->ready, 0) < 0 || leat_recv(client->looked, &looked) < 0)
			break;
}

int http_driver_start(struct http_client *client)
{
	int r = leat_go_with(&client->group, LEAT_TASK_OPTIONS(.stack_size = STACK_SIZE),
			     http_driver, client);

	if (r < 0)
		return r;
	r = leat_go_in(&client->group, http_watcher, client);
	if (r < 0) {
		leat_close(client->orders);
		(void)leat_group_wait(&client->group);
	}
	return r;
}
