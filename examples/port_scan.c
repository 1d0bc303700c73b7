/*
 * Port scan: fan-out over the ports of this machine; a semaphore limits how many are tried at once.
 *
 * usage: port_scan [ADDRESS [FIRST [LAST [AT_ONCE]]]]
 *
 * Prints the TCP ports that somebody listens at.  Addresses of other machines are refused.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <leat/leat.h>

static leat_sem places;
static bool is_open[65536];	/* each written by one task */

static bool is_loopback(const leat_addr *addr)
{
	socklen_t size;
	const struct sockaddr *any = leat_addr_get(addr, &size);

	if (any->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)any)->sin_addr.s_addr) >> 24 == 127;
	return any->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)any)->sin6_addr);
}

/*
 * Whether io is connected to itself.  The kernel may choose the very port that is tried as the
 * local one; TCP then connects the socket to itself, and nobody listens there.
 */
static int is_own_peer(leat_io io)
{
	char local[LEAT_ADDR_TEXT], peer[LEAT_ADDR_TEXT];
	leat_addr addr;
	int r = leat_local_addr(io, &addr);

	if (r < 0)
		return r;
	leat_addr_format(&addr, local, sizeof(local));
	r = leat_peer_addr(io, &addr);
	/* Whoever listened has reset the connection already. */
	if (r < 0)
		return r == -ENOTCONN ? 0 : r;
	leat_addr_format(&addr, peer, sizeof(peer));
	return strcmp(local, peer) == 0;
}

/* 1: open, 0: not, or an error. */
static int try_port(const leat_addr *host, int port)
{
	leat_addr addr = *host;
	leat_io io;
	int r = leat_addr_set_port(&addr, port);

	if (r == 0)
		r = leat_connect(&io, &addr, NULL, leat_in(2 * LEAT_S));
	if (r < 0)	/* no answer: a full backlog, or a packet filter */
		return r == -ECONNREFUSED || r == -ETIMEDOUT ? 0 : r;
	r = is_own_peer(io);
	leat_io_close(io);
	return r < 0 ? r : !r;
}

LEAT_TASK_ERR(probe, (const leat_addr *, host), (int, port))
{
	int r = try_port(host, port);

	leat_sem_release(&places, 1);
	is_open[port] = r > 0;
	if (r < 0 && r != -ECANCELED)
		fprintf(stderr, "port_scan: port %d: %s\n", port, leat_strerror(r));
	return r < 0 ? r : 0;
}

static int scan(const leat_addr *host, int first, int last)
{
	leat_group group;
	int r = leat_group_init(&group, NULL);

	if (r < 0)
		return r;
	for (int port = first; port <= last && !leat_group_is_cancelled(&group); port++) {
		r = leat_sem_acquire(&places, 1);
		if (r == 0)
			r = leat_go_in(&group, probe, host, port);
		if (r < 0)
			break;
	}
	r = leat_group_wait(&group);
	leat_group_release(&group);
	return r;
}

/* 0, after a message, if it is none. */
static int number_of(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (!*end && n >= 1 && n <= 65535)
		return (int)n;
	fprintf(stderr, "port_scan: %s: a number from 1 to 65535 is needed\n", text);
	return 0;
}

LEAT_MAIN(int argc, char **argv)
{
	const char *address = argc > 1 ? argv[1] : "127.0.0.1";
	int first = number_of(argc > 2 ? argv[2] : "1");
	int last = number_of(argc > 3 ? argv[3] : argc > 2 ? argv[2] : "1024");
	int at_once = number_of(argc > 4 ? argv[4] : "100");
	char text[LEAT_ADDR_TEXT];
	leat_addr host;

	if (!first || !last || !at_once)
		return 2;
	snprintf(text, sizeof(text), strchr(address, ':') ? "[%s]:0" : "%s:0", address);
	if (leat_addr_parse(&host, text) < 0) {
		fprintf(stderr, "port_scan: %s: not an IP address\n", address);
		return 2;
	}
	if (!is_loopback(&host)) {
		fprintf(stderr, "port_scan: %s: not this machine; only loopback is scanned\n",
			address);
		return 2;
	}
	leat_sem_init(&places, at_once, 0);
	if (scan(&host, first, last) < 0)
		return 1;
	for (int port = first; port <= last; port++) {
		if (is_open[port])
			printf("%d\n", port);
	}
	return 0;
}
