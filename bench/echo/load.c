/*
 * The load: connections that send 64 bytes, wait until all are back, and send again.
 *
 *	load PORT CONNECTIONS MILLISECONDS PID
 *
 * prints requests a second, the server's CPU time a request in ns (of all threads of
 * process PID), and the latency in us that half and 99% of the requests keep.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

enum {
	MESSAGE = 64,
	EVENTS = 128,
	SUB_BITS = 5,		/* of the histogram: 32 steps a power of two, 3% */
	BUCKETS = 64 << SUB_BITS,
};

struct connection {
	int fd;
	int got;		/* bytes of the answer */
	int64_t sent_at;
};

struct load {
	int epoll, n;
	struct connection *connections;
	bool counting;
	int64_t requests;
	int64_t histogram[BUCKETS];
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* Of all its threads, in ns. */
static int64_t cpu_of(const char *pid)
{
	char path[300], text[64];
	int64_t sum = 0;
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	dir = opendir(path);
	if (!dir)
		die(path);
	while ((entry = readdir(dir))) {
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/task/%.20s/schedstat", pid, entry->d_name);
		file = fopen(path, "r");
		if (!file || !fgets(text, sizeof(text), file))
			die(path);
		sum += strtoll(text, NULL, 10);
		fclose(file);
	}
	closedir(dir);
	return sum;
}

static int bucket_of(int64_t ns)
{
	int shift;

	if (ns < 1 << SUB_BITS)
		return (int)ns;
	shift = 63 - __builtin_clzll((uint64_t)ns) - SUB_BITS;
	return ((shift + 1) << SUB_BITS) + (int)((ns >> shift) - (1 << SUB_BITS));
}

/* The middle of what the bucket holds. */
static double value_of(int bucket)
{
	int shift = (bucket >> SUB_BITS) - 1, sub = bucket & ((1 << SUB_BITS) - 1);

	if (shift < 0)
		return bucket;
	return (double)((INT64_C(2) * ((1 << SUB_BITS) + sub) + 1) << shift) / 2;
}

static double percentile(const struct load *load, double part)
{
	int64_t left = (int64_t)((double)load->requests * part);
	int i = 0;

	while (i < BUCKETS - 1 && (left -= load->histogram[i]) >= 0)
		i++;
	return value_of(i) / 1000;
}

static void ask(struct connection *c)
{
	static const char message[MESSAGE] = "an echo";

	c->got = 0;
	c->sent_at = now();
	if (send(c->fd, message, sizeof(message), MSG_NOSIGNAL) != sizeof(message))
		die("send");
}

static void answered(struct load *load, struct connection *c)
{
	char buf[MESSAGE];
	ssize_t n = recv(c->fd, buf, sizeof(buf), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		die("recv");
	c->got += (int)n;
	if (c->got < MESSAGE)
		return;
	if (load->counting) {
		load->requests++;
		load->histogram[bucket_of(now() - c->sent_at)]++;
	}
	ask(c);
}

static void run_until(struct load *load, int64_t end)
{
	struct epoll_event events[EVENTS];

	do {
		int n = epoll_wait(load->epoll, events, EVENTS, 1000);

		if (n <= 0)
			die("epoll_wait: no answer");
		for (int i = 0; i < n; i++)
			answered(load, &load->connections[events[i].data.u32]);
	} while (now() < end);
}

static void open_all(struct load *load, int port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	/* A reset at the end: ports that wait for late packets would run out. */
	struct linger linger = { 1, 0 };
	int one = 1;

	load->connections = calloc((size_t)load->n, sizeof(*load->connections));
	load->epoll = epoll_create1(0);
	for (int i = 0; i < load->n; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)i };
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0 ||
		    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
		    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0 ||
		    epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
			die("connect");
		load->connections[i].fd = fd;
	}
}

int main(int argc, char **argv)
{
	static struct load load;
	int64_t ms, cpu, start, wall;

	if (argc != 5) {
		fprintf(stderr, "usage: load PORT CONNECTIONS MILLISECONDS PID\n");
		return 2;
	}
	echo_limits();
	load.n = (int)strtol(argv[2], NULL, 10);
	ms = strtoll(argv[3], NULL, 10);
	open_all(&load, (int)strtol(argv[1], NULL, 10));
	for (int i = 0; i < load.n; i++)
		ask(&load.connections[i]);
	run_until(&load, now() + ms * 300000);	/* the warm-up, 0.3 of it */
	load.counting = true;
	cpu = cpu_of(argv[4]);
	start = now();
	run_until(&load, start + ms * 1000000);
	wall = now() - start;
	cpu = cpu_of(argv[4]) - cpu;
	printf("%.0f %.0f %.1f %.1f\n", (double)load.requests * 1e9 / (double)wall,
	       (double)cpu / (double)load.requests, percentile(&load, 0.5),
	       percentile(&load, 0.99));
	return 0;
}
