/*
 * Echo server: sends back what it receives, with one task for each connection.
 *
 * usage: echo_server [ADDRESS [CONNECTIONS [IDLE_SECONDS]]]
 *
 * At port 0 the kernel chooses one; the first line of output says where it listens.  Connections
 * beyond the limit wait until another one ends; one that is idle for too long is closed.
 * SIGINT and SIGTERM end the server, and the connections that are left.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <leat/leat.h>

LEAT_TASK(serve, (leat_io, io), (int64_t, idle))
{
	char bytes[16 * 1024], name[LEAT_ADDR_TEXT] = "a client";
	leat_addr peer;
	int64_t n;
	int r = 0;

	if (leat_peer_addr(io, &peer) == 0)
		leat_addr_format(&peer, name, sizeof(name));
	while (r == 0 && (n = leat_read(io, bytes, sizeof(bytes), leat_in(idle))) != 0)
		r = n < 0 ? (int)n : leat_write_all(io, bytes, n, leat_in(idle), NULL);
	if (r == -ETIMEDOUT)
		fprintf(stderr, "%s: idle for too long\n", name);
	else if (r < 0 && r != -ECANCELED)
		fprintf(stderr, "%s: %s\n", name, leat_strerror(r));
	leat_io_close(io);
}

LEAT_TASK_ERR(accept_all, (leat_io, listener), (int64_t, limit), (int64_t, idle))
{
	leat_group connections;
	leat_io io;
	int r = leat_group_init(&connections, LEAT_GROUP_OPTIONS(.limit = limit));

	if (r < 0)
		return r;
	while ((r = leat_accept(listener, &io, NULL, LEAT_FOREVER)) == 0) {
		r = leat_go_in(&connections, serve, io, idle);
		if (r < 0) {
			leat_io_close(io);
			break;
		}
	}
	leat_group_cancel(&connections, r);
	leat_group_wait(&connections);
	leat_group_release(&connections);
	return r;
}

/* Its error cancels the other tasks of its group. */
LEAT_TASK_ERR(stop_on_signal, (leat_receiver(int), signals))
{
	int number, r = leat_recv(signals, &number);

	return r == 0 ? -EINTR : r;
}

/* Until a signal comes (0) or something fails. */
static int run(leat_io listener, leat_signals *signals, int64_t limit, int64_t idle)
{
	leat_group server;
	int r = leat_group_init(&server, NULL);

	if (r < 0)
		return r;
	leat_go_in(&server, stop_on_signal, (leat_receiver(int))leat_signals_channel(signals));
	leat_go_in(&server, accept_all, listener, limit, idle);
	r = leat_group_wait(&server);
	leat_group_release(&server);
	return r == -EINTR ? 0 : r;
}

static int fail(const char *what, int r)
{
	fprintf(stderr, "echo_server: %s: %s\n", what, leat_strerror(r));
	return 1;
}

/* 0, after a message, if it is none. */
static int64_t number_of(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (!*end && n >= 1 && n <= 1000000)
		return n;
	fprintf(stderr, "echo_server: %s: a number from 1 to 1000000 is needed\n", text);
	return 0;
}

LEAT_MAIN(int argc, char **argv)
{
	const char *where = argc > 1 ? argv[1] : "127.0.0.1:7777";
	int64_t limit = number_of(argc > 2 ? argv[2] : "1000");
	int64_t idle = number_of(argc > 3 ? argv[3] : "60") * LEAT_S;
	char name[LEAT_ADDR_TEXT];
	leat_signals *signals;
	leat_io listener;
	leat_addr addr;
	int r;

	if (!limit || !idle)
		return 2;
	r = leat_addr_parse(&addr, where);
	if (r == 0)
		r = leat_listen(&listener, &addr, NULL);
	if (r < 0)
		return fail(where, r);
	r = leat_signals_open(&signals, (const int[]){ SIGINT, SIGTERM }, 2);
	if (r < 0)
		return fail("signals", r);
	if (leat_local_addr(listener, &addr) == 0 &&
	    leat_addr_format(&addr, name, sizeof(name)) > 0)
		where = name;
	printf("listening at %s\n", where);
	fflush(stdout);

	r = run(listener, signals, limit, idle);
	leat_signals_close(signals);
	leat_io_close(listener);
	return r < 0 ? fail(where, r) : 0;
}
