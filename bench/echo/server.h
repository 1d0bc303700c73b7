/* What the echo servers in C share; the Go server does the same. */
#ifndef ECHO_SERVER_H
#define ECHO_SERVER_H

#include <stdio.h>
#include <sys/resource.h>

enum { ECHO_BUFFER = 1024 };

/* As many descriptors as allowed. */
static inline void echo_limits(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Tells bench/echo/run where the server listens; it is killed when that has measured. */
static inline void echo_announce(int port)
{
	printf("%d\n", port);
	fflush(stdout);
}

#endif
