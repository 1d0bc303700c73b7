/* Answers each HTTP request alike, as fast as it can: a plain epoll loop in one thread. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <signal.h>
#include <unistd.h>

#include "../lib/listener.h"

enum { EVENTS = 128, BUFFER = 64 * 1024 };

static char answer[BUFFER];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void accept_all(int epoll, int listener)
{
	struct epoll_event event = { .events = EPOLLIN };

	while ((event.data.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event) < 0)
			die("epoll_ctl");
	if (errno != EAGAIN)
		die("accept");
}

/* A request is small, has no body, and comes at once. */
static void serve(int fd)
{
	char request[4096];
	ssize_t n = recv(fd, request, sizeof(request), 0);
	size_t size = strlen(answer);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		close(fd);
		return;
	}
	if (n < 4 || memcmp(request + n - 4, "\r\n\r\n", 4) != 0)
		die("a request in pieces");
	if (send(fd, answer, size, MSG_NOSIGNAL) != (ssize_t)size)
		close(fd);
}

/* argv[1]: the bytes of the body. */
int main(int argc, char **argv)
{
	size_t body = argc > 1 ? strtoul(argv[1], NULL, 10) : 100;
	int port, epoll = epoll_create1(0), listener = listener_open(&port), n;
	struct epoll_event event = { .events = EPOLLIN, .data.fd = listener }, events[EVENTS];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (listener < 0)
		die("listen");
	n = snprintf(answer, sizeof(answer),
		     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
		     body);
	if (body + (size_t)n >= sizeof(answer))
		return 2;
	memset(answer + n, 'x', body);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0)
		die("epoll");
	printf("%d\n", port);
	fflush(stdout);
	for (;;) {
		n = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				accept_all(epoll, listener);
			else
				serve(events[i].data.fd);
		}
	}
}
