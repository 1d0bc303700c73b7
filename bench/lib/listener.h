/* The socket of a server without leat. */
#ifndef BENCH_LISTENER_H
#define BENCH_LISTENER_H

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* A listener on the loopback that does not block, at any port, *ret_port; -1: see errno. */
static inline int listener_open(int *ret_port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 || listen(fd, 65535) < 0 ||
	    getsockname(fd, (struct sockaddr *)&in, &size) < 0)
		return -1;
	*ret_port = ntohs(in.sin_port);
	return fd;
}

#endif
