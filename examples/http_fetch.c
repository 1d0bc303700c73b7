/*
 * Fetches URLs into files, all at once, with libcurl: how a library that has sockets and timers of
 * its own is driven from a task.
 *
 * usage: http_fetch [-t SECONDS] URL FILE [URL FILE]...
 *
 * libcurl says which descriptors it waits for, for what and how long (on_socket, on_timer); they go
 * into an epoll instance, and leat_wait_fd waits for that.  One line for each URL; the
 * exit status is 1 if one has failed, whose file is removed.  SIGINT and SIGTERM cancel.
 */
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <leat/leat.h>

struct fetch {
	const char *url;
	const char *path;
	CURL *easy;
	FILE *file;
	bool ok;
	char error[CURL_ERROR_SIZE];
};

struct driver {
	CURLM *multi;
	int epoll;		/* what libcurl waits for */
	int64_t timer;		/* until when */
	struct fetch *fetches;
	int n;
};

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
	struct driver *d = user;
	struct epoll_event event = { .data.fd = fd };
	bool in = what & CURL_POLL_IN, out = what & CURL_POLL_OUT;

	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(d->epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	event.events = (in ? EPOLLIN : 0u) | (out ? EPOLLOUT : 0u);
	if (epoll_ctl(d->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) < 0)
		return -1;
	/* Any pointer but NULL says that it is in the epoll instance. */
	curl_multi_assign(d->multi, fd, d);
	return 0;
}

static int on_timer(CURLM *multi, long ms, void *user)
{
	struct driver *d = user;

	d->timer = ms < 0 ? LEAT_FOREVER : leat_in(ms * LEAT_MS);
	return 0;
}

/* Tells libcurl of an event; it must not park, as it has state of this thread on its stack. */
static int act(struct driver *d, curl_socket_t fd, int what)
{
	int running;
	CURLMcode code;

	leat_no_park_begin();
	code = curl_multi_socket_action(d->multi, fd, what, &running);
	leat_no_park_end();
	if (code == CURLM_OK)
		return running;
	fprintf(stderr, "http_fetch: %s\n", curl_multi_strerror(code));
	return -EIO;
}

static int act_on_events(struct driver *d)
{
	struct epoll_event events[64];
	int r = 1, n = epoll_wait(d->epoll, events, 64, 0);

	for (int i = 0; i < n && r >= 0; i++) {
		unsigned got = events[i].events;

		r = act(d, events[i].data.fd,
			(got & EPOLLIN ? CURL_CSELECT_IN : 0) |
				(got & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
				(got & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0));
	}
	return n < 0 ? -leat_errno() : r;
}

/* Until all transfers have ended; how is in libcurl's queue of messages. */
LEAT_TASK_ERR(drive, (struct driver *, d), (leat_sender(int), done))
{
	int r = 1;

	while (r > 0) {
		r = leat_wait_fd(d->epoll, LEAT_READABLE, d->timer);
		if (r > 0)
			r = act_on_events(d);
		if (r == -ETIMEDOUT || (r > 0 && leat_now() >= d->timer)) {
			d->timer = LEAT_FOREVER;	/* unless on_timer says otherwise now */
			r = act(d, CURL_SOCKET_TIMEOUT, 0);
		}
	}
	leat_close(done);
	return r;
}

/* Drives the transfers until they have ended, or a signal has come (-EINTR). */
static int run(struct driver *d, leat_signals *signals)
{
	leat_receiver(int) stop = (leat_receiver(int))leat_signals_channel(signals);
	leat_chan(int) done = leat_chan_make(int, 0);
	leat_group group;
	int number, ignored, r = done ? leat_group_init(&group, NULL) : -ENOMEM;

	if (r < 0) {
		leat_chan_unref(done);
		return r;
	}
	/* TLS libraries need more stack than a task has by default. */
	r = leat_go_with(&group, LEAT_TASK_OPTIONS(.stack_size = 512 * 1024), drive, d,
			 leat_to_sender(done));
	if (r == 0 && leat_select(leat_case_recv(stop, &number),
				  leat_case_recv(done, &ignored)) == 0)
		leat_group_cancel(&group, -EINTR);
	r = leat_group_wait(&group);
	leat_group_release(&group);
	leat_chan_unref(done);
	return r;
}

static int add(struct driver *d, struct fetch *f, long seconds)
{
	f->file = fopen(f->path, "wb");
	if (!f->file) {
		fprintf(stderr, "http_fetch: %s: %s\n", f->path, leat_strerror(-leat_errno()));
		return -EIO;
	}
	f->easy = curl_easy_init();
	if (!f->easy)
		return -ENOMEM;
	curl_easy_setopt(f->easy, CURLOPT_URL, f->url);
	curl_easy_setopt(f->easy, CURLOPT_WRITEDATA, f->file);
	curl_easy_setopt(f->easy, CURLOPT_ERRORBUFFER, f->error);
	curl_easy_setopt(f->easy, CURLOPT_FAILONERROR, 1L);	/* 404 and the like */
	curl_easy_setopt(f->easy, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(f->easy, CURLOPT_NOSIGNAL, 1L);	/* handlers are the process's */
	curl_easy_setopt(f->easy, CURLOPT_TIMEOUT, seconds);
	return curl_multi_add_handle(d->multi, f->easy) == CURLM_OK ? 0 : -ENOMEM;
}

/* Takes libcurl's word on each transfer that has ended. */
static void note_ends(struct driver *d)
{
	int left;

	for (CURLMsg *m; (m = curl_multi_info_read(d->multi, &left));) {
		struct fetch *f = d->fetches;

		while (f->easy != m->easy_handle)
			f++;
		f->ok = m->data.result == CURLE_OK;
		if (!f->ok && !*f->error)
			snprintf(f->error, sizeof(f->error), "%s",
				 curl_easy_strerror(m->data.result));
	}
}

/* Reports f and frees what it has; whether it is complete, on the disk's side, too. */
static bool finish(struct driver *d, struct fetch *f)
{
	curl_off_t size = 0;

	if (f->easy) {
		curl_easy_getinfo(f->easy, CURLINFO_SIZE_DOWNLOAD_T, &size);
		curl_multi_remove_handle(d->multi, f->easy);
		curl_easy_cleanup(f->easy);
	}
	if (f->file && fclose(f->file) != 0 && f->ok) {
		f->ok = false;
		snprintf(f->error, sizeof(f->error), "%s: %s", f->path,
			 leat_strerror(-leat_errno()));
	}
	if (f->ok) {
		printf("%s: %lld bytes\n", f->url, (long long)size);
		return true;
	}
	fprintf(stderr, "%s: %s\n", f->url, *f->error ? f->error : "cancelled");
	if (f->file)
		unlink(f->path);
	return false;
}

static int fetch_all(struct driver *d, leat_signals *signals, long seconds)
{
	int r = 0, failed = 0;

	curl_multi_setopt(d->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(d->multi, CURLMOPT_SOCKETDATA, d);
	curl_multi_setopt(d->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(d->multi, CURLMOPT_TIMERDATA, d);
	for (int i = 0; i < d->n && r == 0; i++)
		r = add(d, &d->fetches[i], seconds);
	if (r == 0)
		r = run(d, signals);
	note_ends(d);
	for (int i = 0; i < d->n; i++)
		failed += !finish(d, &d->fetches[i]);
	if (r < 0)
		fprintf(stderr, "http_fetch: %s\n", leat_strerror(r));
	return r < 0 || failed ? 1 : 0;
}

/* The options and pairs of arguments; the number of fetches, 0 if they make no sense. */
static int parse(int argc, char **argv, long *ret_seconds, struct fetch **ret_fetches)
{
	int first = 1, n;
	char *end;

	if (argc > 2 && strcmp(argv[1], "-t") == 0) {
		*ret_seconds = strtol(argv[2], &end, 10);
		if (*end || *ret_seconds < 1 || *ret_seconds > 1000000)
			return 0;
		first = 3;
	}
	n = (argc - first) / 2;
	if (n == 0 || (argc - first) % 2 != 0)
		return 0;
	*ret_fetches = calloc(n, sizeof(**ret_fetches));
	for (int i = 0; i < n && *ret_fetches; i++) {
		(*ret_fetches)[i].url = argv[first + 2 * i];
		(*ret_fetches)[i].path = argv[first + 2 * i + 1];
	}
	return n;
}

static int fetch_with_signals(struct driver *d, long seconds)
{
	leat_signals *signals;
	int status, r = leat_signals_open(&signals, (const int[]){ SIGINT, SIGTERM }, 2);

	if (r < 0) {
		fprintf(stderr, "http_fetch: signals: %s\n", leat_strerror(r));
		return 1;
	}
	status = fetch_all(d, signals, seconds);
	leat_signals_close(signals);
	return status;
}

LEAT_MAIN(int argc, char **argv)
{
	struct driver d = { .timer = LEAT_FOREVER };
	long seconds = 300;
	int status = 1;

	d.n = parse(argc, argv, &seconds, &d.fetches);
	if (d.n == 0) {
		fprintf(stderr, "usage: http_fetch [-t SECONDS] URL FILE [URL FILE]...\n");
		return 2;
	}
	d.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		d.multi = curl_multi_init();
	if (d.fetches && d.epoll >= 0 && d.multi)
		status = fetch_with_signals(&d, seconds);
	else
		fprintf(stderr, "http_fetch: no memory or descriptor to begin with\n");
	curl_multi_cleanup(d.multi);	/* calls on_socket for what is still connected */
	curl_global_cleanup();
	close(d.epoll);
	free(d.fetches);
	return status;
}
