/* An echo server: a task for each connection. */
#include <stdlib.h>

#include <leat/leat.h>

#include "server.h"

LEAT_TASK(serve, (leat_io, io))
{
	char buf[ECHO_BUFFER];
	int64_t n;

	while ((n = leat_read(io, buf, sizeof(buf), LEAT_FOREVER)) > 0)
		if (leat_write_all(io, buf, (size_t)n, LEAT_FOREVER, NULL) < 0)
			break;
	leat_io_close(io);
}

static int run(void *arg)
{
	leat_io listener, io;
	leat_addr addr;
	int r = leat_addr_parse(&addr, "127.0.0.1:0");

	(void)arg;
	if (r == 0)
		r = leat_listen(&listener, &addr, LEAT_SOCKET_OPTIONS(.no_delay = true));
	if (r == 0)
		r = leat_local_addr(listener, &addr);
	if (r < 0)
		return r;
	echo_announce(leat_addr_port(&addr));
	while ((r = leat_accept(listener, &io, NULL, LEAT_FOREVER)) == 0) {
		r = leat_go(serve, io);
		if (r < 0)
			break;
	}
	return r;
}

int main(int argc, char **argv)
{
	int workers = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1, r;

	echo_limits();
	r = leat_run(LEAT_OPTIONS(.workers = workers), run, NULL);
	fprintf(stderr, "%s\n", leat_strerror(r));
	return 1;
}
