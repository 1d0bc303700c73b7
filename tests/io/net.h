/* What the tests of sockets share. */
#ifndef NET_H
#define NET_H

#include <netinet/in.h>
#include <sys/resource.h>

#include "io.h"

static inline leat_addr addr_of(const char *text)
{
	leat_addr addr;

	REQUIRE(leat_addr_parse(&addr, text) == 0);
	return addr;
}

/* A listener at text; *ret_addr is where it listens. */
static inline leat_io listen_at(const char *text, leat_addr *ret_addr)
{
	leat_addr addr = addr_of(text);
	leat_io listener;

	REQUIRE(leat_listen(&listener, &addr, NULL) == 0);
	REQUIRE(leat_local_addr(listener, ret_addr) == 0);
	return listener;
}

/* A connection through a listener at text: a connected, b accepted. */
static inline struct pair make_connection(const char *text)
{
	leat_addr addr;
	leat_io listener = listen_at(text, &addr);
	struct pair p;

	REQUIRE(leat_connect(&p.a, &addr, NULL, leat_in(LEAT_S)) == 0);
	REQUIRE(leat_accept(listener, &p.b, NULL, leat_in(LEAT_S)) == 0);
	CHECK_EQ(leat_io_close(listener), 0);
	return p;
}

/* Whether the machine has an IPv6 loopback. */
static inline bool has_ipv6(void)
{
	leat_addr addr = addr_of("[::1]:0");
	leat_io io;

	if (leat_listen(&io, &addr, NULL) < 0)
		return false;
	leat_io_close(io);
	return true;
}

/* Lets the process have n descriptors if it may; returns how many it has. */
static inline int raise_nofile(rlim_t n)
{
	struct rlimit limit;

	REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	if (limit.rlim_cur < n) {
		struct rlimit more = { n, limit.rlim_max > n ? limit.rlim_max : n };

		/* Who may can raise both. */
		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return (int)n;
		limit.rlim_cur = limit.rlim_max < n ? limit.rlim_max : n;
		REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	}
	return (int)limit.rlim_cur;
}

static inline void group_make(leat_group *group)
{
	REQUIRE(leat_group_init(group, NULL) == 0);
}

static inline int group_finish(leat_group *group)
{
	int r = leat_group_wait(group);

	leat_group_release(group);
	return r;
}

#endif
