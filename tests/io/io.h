/* What the tests of handles share. */
#ifndef IO_H
#define IO_H

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

struct pair {
	leat_io a, b;
};

static inline struct pair make_socketpair(void)
{
	struct pair p;
	int fd[2];

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
	REQUIRE(leat_io_adopt(&p.a, fd[0], 0) == 0);
	REQUIRE(leat_io_adopt(&p.b, fd[1], 0) == 0);
	return p;
}

/* a: where one reads, b: where one writes. */
static inline struct pair make_pipe(void)
{
	struct pair p;
	int fd[2];

	REQUIRE(pipe2(fd, O_CLOEXEC) == 0);
	REQUIRE(leat_io_adopt(&p.a, fd[0], 0) == 0);
	REQUIRE(leat_io_adopt(&p.b, fd[1], 0) == 0);
	return p;
}

static inline void close_pair(struct pair p)
{
	CHECK_EQ(leat_io_close(p.a), 0);
	CHECK_EQ(leat_io_close(p.b), 0);
}

/* The descriptors that the process has open. */
static inline int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

#endif
