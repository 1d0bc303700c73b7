/* An echo server: a plain epoll loop in one thread, level-triggered, without timers or tasks. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../lib/listener.h"
#include "server.h"

enum { EVENTS = 128 };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void add(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

static void accept_all(int epoll, int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
		add(epoll, fd);
	if (errno != EAGAIN)
		die("accept");
}

/* Messages are small and one at a time: a short write does not happen. */
static void echo(int fd)
{
	char buf[ECHO_BUFFER];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || send(fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
		close(fd);
}

int main(void)
{
	struct epoll_event events[EVENTS];
	int epoll = epoll_create1(0), listener, port, n;

	echo_limits();
	listener = listener_open(&port);
	if (listener < 0)
		die("listen");
	echo_announce(port);
	add(epoll, listener);
	while ((n = epoll_wait(epoll, events, EVENTS, -1)) >= 0 || errno == EINTR)
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				accept_all(epoll, listener);
			else
				echo(events[i].data.fd);
		}
	die("epoll_wait");
}
