/*
 * Sockets: listening, accepting, connecting, ending.
 */
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include "net.h"

/* An address that nobody listens at: it was somebody's until now. */
static leat_addr nobodys(void)
{
	leat_addr addr;

	CHECK_EQ(leat_io_close(listen_at("127.0.0.1:0", &addr)), 0);
	return addr;
}

static void talk(struct pair p)
{
	char buf[8] = "";

	CHECK_EQ(leat_write(p.a, "ping", 4, LEAT_FOREVER), 4);
	CHECK_EQ(leat_read(p.b, buf, sizeof(buf), LEAT_FOREVER), 4);
	CHECK(memcmp(buf, "ping", 4) == 0);
	CHECK_EQ(leat_write(p.b, "pong!", 5, LEAT_FOREVER), 5);
	CHECK_EQ(leat_read(p.a, buf, sizeof(buf), LEAT_FOREVER), 5);
	CHECK(memcmp(buf, "pong!", 5) == 0);
}

static void half_close(struct pair p)
{
	char buf[8];

	CHECK_EQ(leat_write(p.a, "last", 4, LEAT_FOREVER), 4);
	CHECK_EQ(leat_shutdown(p.a, LEAT_WRITABLE), 0);
	CHECK_EQ(leat_write(p.a, "x", 1, LEAT_FOREVER), -EPIPE);
	/* The bytes and the end are there before anybody reads. */
	CHECK_EQ(leat_sleep(2 * LEAT_MS), 0);
	CHECK_EQ(leat_read(p.b, buf, sizeof(buf), LEAT_FOREVER), 4);
	CHECK_EQ(leat_read(p.b, buf, sizeof(buf), leat_in(LEAT_S)), 0);
	CHECK_EQ(leat_write(p.b, "answer", 6, LEAT_FOREVER), 6);
	CHECK_EQ(leat_io_close(p.b), 0);
	CHECK_EQ(leat_sleep(2 * LEAT_MS), 0);
	CHECK_EQ(leat_read(p.a, buf, sizeof(buf), LEAT_FOREVER), 6);
	CHECK_EQ(leat_read(p.a, buf, sizeof(buf), leat_in(LEAT_S)), 0);
	CHECK_EQ(leat_io_close(p.a), 0);
}

static void use(const char *text)
{
	int before = count_fds();
	struct pair p = make_connection(text);
	char local[LEAT_ADDR_TEXT], peer[LEAT_ADDR_TEXT];
	leat_addr addr;

	talk(p);
	CHECK_EQ(leat_peer_addr(p.a, &addr), 0);
	CHECK(leat_addr_format(&addr, peer, sizeof(peer)) > 0);
	CHECK_EQ(leat_local_addr(p.b, &addr), 0);
	CHECK(leat_addr_format(&addr, local, sizeof(local)) > 0);
	CHECK_STR(local, peer);
	half_close(p);
	CHECK(count_fds() <= before + 2);	/* the poller's */
	CHECK_EQ(leat_local_addr(p.a, &addr), LEAT_ECLOSED);
	CHECK_EQ(leat_shutdown(p.a, LEAT_WRITABLE), LEAT_ECLOSED);
}

TEST(ipv4)
{
	use("127.0.0.1:0");
}

TEST(ipv6)
{
	if (!has_ipv6())
		SKIP("no IPv6 here");
	use("[::1]:0");
}

TEST(unix_abstract)
{
	use("unix:@leat-test-socket");
}

static const char *temp_path(void)
{
	static char text[64];

	snprintf(text, sizeof(text), "unix:/tmp/leat-test-%d.socket", (int)getpid());
	return text;
}

TEST(unix_path)
{
	use(temp_path());
	CHECK_EQ(unlink(temp_path() + 5), 0);
}

/* A path stays at the close, is in the way, and is replaced only if nobody listens. */
TEST(unix_path_policy)
{
	const leat_socket_options *replace = LEAT_SOCKET_OPTIONS(.replace_path = true);
	const char *path = temp_path() + 5;
	leat_addr addr;
	leat_io io = listen_at(temp_path(), &addr), other;
	struct stat st;
	int fd;

	CHECK_EQ(leat_listen(&other, &addr, replace), -EADDRINUSE);
	CHECK_EQ(leat_io_close(io), 0);
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(leat_connect(&other, &addr, NULL, LEAT_FOREVER), -ECONNREFUSED);
	CHECK_EQ(leat_listen(&other, &addr, NULL), -EADDRINUSE);
	CHECK_EQ(leat_listen(&io, &addr, replace), 0);
	CHECK_EQ(leat_io_close(io), 0);
	CHECK_EQ(unlink(path), 0);
	fd = open(path, O_CREAT | O_CLOEXEC | O_WRONLY, 0600);
	REQUIRE(fd >= 0);
	close(fd);
	CHECK_EQ(leat_listen(&io, &addr, replace), -EADDRINUSE);
	CHECK_EQ(unlink(path), 0);
}

TEST(options)
{
	leat_addr addr = addr_of("127.0.0.1:0"), from = addr_of("127.0.0.2:0"), peer;
	const leat_socket_options *options = LEAT_SOCKET_OPTIONS(
		.reuse_port = true, .no_delay = true, .keep_alive = true, .backlog = 5);
	leat_io listener, second, a, b;
	socklen_t size = sizeof(int);
	int value = 0;

	REQUIRE(leat_listen(&listener, &addr, options) == 0);
	REQUIRE(leat_local_addr(listener, &addr) == 0);
	CHECK_EQ(leat_listen(&second, &addr, options), 0);
	CHECK_EQ(leat_io_close(second), 0);
	CHECK_EQ(leat_listen(&second, &addr, NULL), -EADDRINUSE);
	REQUIRE(leat_connect(&a, &addr, LEAT_SOCKET_OPTIONS(.local = &from), leat_in(LEAT_S)) == 0);
	REQUIRE(leat_accept(listener, &b, &peer, leat_in(LEAT_S)) == 0);
	CHECK_EQ(leat_local_addr(a, &from), 0);
	CHECK_EQ(leat_addr_port(&peer), leat_addr_port(&from));
	CHECK_EQ(leat_sockopt_get(b, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
	CHECK(value != 0);
	CHECK_EQ(leat_sockopt_get(b, SOL_SOCKET, SO_KEEPALIVE, &value, &size), 0);
	CHECK(value != 0);
	CHECK_EQ(leat_sockopt_get(a, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
	CHECK_EQ(value, 0);
	value = 1;
	CHECK_EQ(leat_sockopt_set(a, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value)), 0);
	value = 0;
	CHECK_EQ(leat_sockopt_get(a, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
	CHECK(value != 0);
	CHECK_EQ(leat_sockopt_set(a, IPPROTO_TCP, 9999, &value, sizeof(value)), -ENOPROTOOPT);
	CHECK(fcntl(leat_io_fd(b), F_GETFD) & FD_CLOEXEC);
	CHECK(fcntl(leat_io_fd(b), F_GETFL) & O_NONBLOCK);
	close_pair((struct pair){ a, b });
	CHECK_EQ(leat_io_close(listener), 0);
}

TEST(both_families_or_one)
{
	leat_addr addr = addr_of("[::]:0"), v4 = addr_of("127.0.0.1:0");
	leat_io listener, io;

	if (!has_ipv6())
		SKIP("no IPv6 here");
	REQUIRE(leat_listen(&listener, &addr, NULL) == 0);
	REQUIRE(leat_local_addr(listener, &addr) == 0);
	CHECK_EQ(leat_addr_set_port(&v4, (unsigned)leat_addr_port(&addr)), 0);
	CHECK_EQ(leat_connect(&io, &v4, NULL, leat_in(LEAT_S)), 0);
	CHECK_EQ(leat_io_close(io), 0);
	CHECK_EQ(leat_io_close(listener), 0);
	addr = addr_of("[::]:0");
	REQUIRE(leat_listen(&listener, &addr, LEAT_SOCKET_OPTIONS(.v6_only = true)) == 0);
	REQUIRE(leat_local_addr(listener, &addr) == 0);
	CHECK_EQ(leat_addr_set_port(&v4, (unsigned)leat_addr_port(&addr)), 0);
	CHECK_EQ(leat_connect(&io, &v4, NULL, leat_in(LEAT_S)), -ECONNREFUSED);
	CHECK_EQ(leat_io_close(listener), 0);
}

TEST(errors_are_the_kernels)
{
	leat_addr addr = nobodys(), broadcast = addr_of("255.255.255.255:1");
	leat_addr foreign = addr_of("192.0.2.1:1"), none = { ._size = 0 };
	int before;
	leat_io io, listener = listen_at("127.0.0.1:0", &foreign);

	before = count_fds();
	CHECK_EQ(leat_connect(&io, &addr, NULL, leat_in(LEAT_S)), -ECONNREFUSED);
	CHECK_EQ(leat_connect(&io, &broadcast, NULL, leat_in(LEAT_S)), -ENETUNREACH);
	addr = addr_of("unix:/nonexistent/socket");
	CHECK_EQ(leat_connect(&io, &addr, NULL, LEAT_FOREVER), -ENOENT);
	addr = addr_of("unix:@leat-nobody");
	CHECK_EQ(leat_connect(&io, &addr, NULL, LEAT_FOREVER), -ECONNREFUSED);
	addr = addr_of("192.0.2.1:1");
	CHECK_EQ(leat_listen(&io, &addr, NULL), -EADDRNOTAVAIL);
	CHECK_EQ(leat_listen(&io, &foreign, NULL), -EADDRINUSE);
	CHECK_EQ(leat_listen(&io, &none, NULL), -EAFNOSUPPORT);
	CHECK_EQ(leat_read(listener, &io, sizeof(io), LEAT_FOREVER), -ENOTCONN);
	CHECK_EQ(count_fds(), before);
	CHECK_EQ(leat_io_close(listener), 0);
}

/* A listener whose queue is full: connections to it hang. */
static leat_io full_listener(const char *text, leat_addr *ret_addr, leat_io *fill, int n)
{
	leat_addr addr = addr_of(text);
	leat_io listener;

	REQUIRE(leat_listen(&listener, &addr, LEAT_SOCKET_OPTIONS(.backlog = 1)) == 0);
	REQUIRE(leat_local_addr(listener, ret_addr) == 0);
	for (int i = 0; i < n; i++)
		REQUIRE(leat_connect(&fill[i], ret_addr, NULL, leat_in(LEAT_S)) == 0);
	return listener;
}

LEAT_TASK(connect_to, (leat_addr *, addr), (leat_io *, ret_io), (int *, ret))
{
	*ret = leat_connect(ret_io, addr, NULL, LEAT_FOREVER);
}

/* Times out, is cancelled, and leaves nothing; then the queue moves and a third gets in. */
static void hang(const char *text)
{
	leat_io fill[2], io = { 0 }, listener;
	leat_addr addr;
	leat_group group;
	int64_t start;
	int before, r = 0;

	listener = full_listener(text, &addr, fill, 2);
	before = count_fds();
	start = leat_now();
	CHECK_EQ(leat_connect(&io, &addr, NULL, leat_in(20 * LEAT_MS)), -ETIMEDOUT);
	CHECK(leat_now() - start >= 20 * LEAT_MS);
	CHECK_EQ(count_fds(), before);
	group_make(&group);
	CHECK_EQ(leat_go_in(&group, connect_to, &addr, &io, &r), 0);
	CHECK_EQ(leat_sleep(5 * LEAT_MS), 0);
	leat_group_cancel(&group, 0);
	CHECK_EQ(group_finish(&group), -ECANCELED);
	CHECK_EQ(r, -ECANCELED);
	CHECK_EQ(count_fds(), before);
	CHECK(leat_io_is_none(io));
	group_make(&group);
	CHECK_EQ(leat_go_in(&group, connect_to, &addr, &io, &r), 0);
	CHECK_EQ(leat_sleep(5 * LEAT_MS), 0);
	for (int i = 0; i < 2; i++) {
		leat_io accepted;

		REQUIRE(leat_accept(listener, &accepted, NULL, leat_in(LEAT_S)) == 0);
		close_pair((struct pair){ fill[i], accepted });
	}
	CHECK_EQ(group_finish(&group), 0);
	CHECK_EQ(r, 0);
	CHECK_EQ(leat_io_close(io), 0);
	CHECK_EQ(leat_io_close(listener), 0);
}

TEST(connect_that_hangs)
{
	hang("127.0.0.1:0");
}

TEST(connect_that_hangs_unix)
{
	hang("unix:@leat-test-full");
}

LEAT_TASK(accept_one, (leat_io, listener), (leat_io *, ret_io), (int *, ret))
{
	*ret = leat_accept(listener, ret_io, NULL, LEAT_FOREVER);
}

TEST(deadlines_and_cancel_of_accept)
{
	leat_addr addr;
	leat_io listener = listen_at("127.0.0.1:0", &addr), io = { 0 };
	leat_group group;
	int r = 0;

	CHECK_EQ(leat_accept(listener, &io, NULL, leat_in(2 * LEAT_MS)), -ETIMEDOUT);
	CHECK_EQ(leat_accept(listener, &io, NULL, 0), -ETIMEDOUT);
	group_make(&group);
	CHECK_EQ(leat_go_in(&group, accept_one, listener, &io, &r), 0);
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	leat_group_cancel(&group, 0);
	CHECK_EQ(group_finish(&group), -ECANCELED);
	CHECK_EQ(r, -ECANCELED);
	CHECK_EQ(leat_io_close(listener), 0);
	CHECK_EQ(leat_accept(listener, &io, NULL, LEAT_FOREVER), LEAT_ECLOSED);
}

TEST(close_under_acceptors)
{
	leat_addr addr;
	leat_io listener = listen_at("127.0.0.1:0", &addr), io[3];
	int r[3] = { 0 };
	leat_group group;

	group_make(&group);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&group, accept_one, listener, &io[i], &r[i]), 0);
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	CHECK_EQ(leat_io_close(listener), 0);
	CHECK_EQ(group_finish(&group), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(r[i], LEAT_ECLOSED);
	/* Nobody listens any more. */
	CHECK_EQ(leat_connect(&io[0], &addr, NULL, leat_in(LEAT_S)), -ECONNREFUSED);
}

enum { ACCEPTORS = 6, CONNECTIONS = 600 };

LEAT_TASK(accept_all, (leat_io, listener), (uint64_t *, ret_sum), (int *, ret_n))
{
	leat_io io;
	uint32_t value;

	while (leat_accept(listener, &io, NULL, LEAT_FOREVER) == 0) {
		CHECK_EQ(leat_read_full(io, &value, sizeof(value), LEAT_FOREVER, NULL), 0);
		__atomic_fetch_add(ret_sum, value, __ATOMIC_RELAXED);
		__atomic_fetch_add(ret_n, 1, __ATOMIC_RELAXED);
		/* The peer waits for the end. */
		CHECK_EQ(leat_io_close(io), 0);
	}
}

LEAT_TASK(connect_and_say, (leat_addr *, addr), (uint32_t, value))
{
	leat_io io;
	char c;
	int r = leat_connect(&io, addr, NULL, leat_in(20 * LEAT_S));

	CHECK_EQ(r, 0);
	if (r < 0)
		return;
	CHECK_EQ(leat_write_all(io, &value, sizeof(value), LEAT_FOREVER, NULL), 0);
	CHECK_EQ(leat_read(io, &c, 1, LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_close(io), 0);
}

TEST_WITH(acceptors_on_all_workers, .workers = 4)
{
	leat_addr addr;
	leat_io listener = listen_at("127.0.0.1:0", &addr);
	leat_group acceptors, clients;
	uint64_t sum = 0, want = 0;
	int n = 0;

	group_make(&acceptors);
	group_make(&clients);
	for (int i = 0; i < ACCEPTORS; i++)
		CHECK_EQ(leat_go_in(&acceptors, accept_all, listener, &sum, &n), 0);
	for (uint32_t i = 1; i <= CONNECTIONS; i++) {
		CHECK_EQ(leat_go_in(&clients, connect_and_say, &addr, i * i), 0);
		want += (uint64_t)i * i;
	}
	CHECK_EQ(group_finish(&clients), 0);
	CHECK_EQ(leat_io_close(listener), 0);
	CHECK_EQ(group_finish(&acceptors), 0);
	CHECK_EQ(sum, want);
	CHECK_EQ(n, CONNECTIONS);
}

/* The end comes together with the last bytes, in one event. */
TEST(end_right_behind_the_bytes)
{
	struct pair p;
	char buf[64];

	for (int i = 0; i < 20; i++) {
		p = make_connection("127.0.0.1:0");
		CHECK_EQ(leat_read(p.a, buf, sizeof(buf), leat_in(0)), -ETIMEDOUT);
		CHECK_EQ(leat_write(p.b, "abc", 3, LEAT_FOREVER), 3);
		CHECK_EQ(leat_io_close(p.b), 0);
		CHECK_EQ(leat_sleep(LEAT_MS), 0);
		CHECK_EQ(leat_read(p.a, buf, sizeof(buf), leat_in(LEAT_S)), 3);
		CHECK_EQ(leat_read(p.a, buf, sizeof(buf), leat_in(LEAT_S)), 0);
		CHECK_EQ(leat_io_close(p.a), 0);
	}
}

/* A read stops at urgent data; what is behind it is there, too. */
TEST(bytes_behind_urgent_data)
{
	struct pair p = make_connection("127.0.0.1:0");
	char buf[64];
	size_t done = 0;

	CHECK_EQ(leat_read(p.b, buf, sizeof(buf), leat_in(0)), -ETIMEDOUT);
	CHECK_EQ(send(leat_io_fd(p.a), "abcX", 4, MSG_OOB), 4);
	CHECK_EQ(send(leat_io_fd(p.a), "def", 3, 0), 3);
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	for (int i = 0; i < 2 && done < 6; i++) {
		int64_t n = leat_read(p.b, buf + done, sizeof(buf) - done, leat_in(LEAT_S));

		CHECK(n > 0);
		done += n > 0 ? (size_t)n : 0;
	}
	CHECK_EQ(done, 6);
	CHECK(memcmp(buf, "abcdef", 6) == 0);
	close_pair(p);
}

/* A Unix read stops at a passed descriptor. */
TEST(bytes_behind_a_descriptor)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { (char *)"abc", 3 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
				  .msg_controllen = sizeof(control.bytes) };
	leat_io io[2];
	char buf[64];
	int fd = 0;

	REQUIRE(leat_socketpair(io, SOCK_STREAM) == 0);
	CHECK_EQ(leat_read(io[1], buf, sizeof(buf), leat_in(0)), -ETIMEDOUT);
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	CHECK_EQ(sendmsg(leat_io_fd(io[0]), &message, 0), 3);
	CHECK_EQ(send(leat_io_fd(io[0]), "def", 3, 0), 3);
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	CHECK_EQ(leat_read_full(io[1], buf, 6, leat_in(LEAT_S), NULL), 0);
	CHECK(memcmp(buf, "abcdef", 6) == 0);
	close_pair((struct pair){ io[0], io[1] });
}

TEST(reset)
{
	struct pair p = make_connection("127.0.0.1:0");
	struct linger linger = { 1, 0 };
	char c;

	CHECK_EQ(leat_sockopt_set(p.b, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	CHECK_EQ(leat_io_close(p.b), 0);
	CHECK_EQ(leat_read(p.a, &c, 1, leat_in(LEAT_S)), -ECONNRESET);
	CHECK_EQ(leat_write(p.a, "x", 1, leat_in(LEAT_S)), -EPIPE);
	CHECK_EQ(leat_io_close(p.a), 0);
}

/* A thread that has not blocked the signal, as a worker has, whose mask it inherits. */
static void *write_to_the_dead(void *arg)
{
	leat_io *dead = arg;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(leat_write(dead[i], "x", 1, LEAT_FOREVER), -EPIPE);
	CHECK_EQ(leat_send_to(dead[0], "x", 1, NULL, LEAT_FOREVER), -EPIPE);
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	CHECK(!sigismember(&set, SIGPIPE));
	return NULL;
}

/* SIGPIPE kills nobody, neither a task nor a thread, also where its action is the default. */
TEST(no_sigpipe)
{
	struct pair p = make_connection("unix:@leat-test-sigpipe"), q = make_pipe();
	leat_io dead[] = { p.a, q.b };
	pthread_t thread;

	signal(SIGPIPE, SIG_DFL);
	CHECK_EQ(leat_io_close(p.b), 0);
	CHECK_EQ(leat_io_close(q.a), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(leat_write(dead[i], "x", 1, LEAT_FOREVER), -EPIPE);
	CHECK_EQ(leat_send_to(p.a, "x", 1, NULL, LEAT_FOREVER), -EPIPE);
	REQUIRE(pthread_create(&thread, NULL, write_to_the_dead, dead) == 0);
	pthread_join(thread, NULL);
	CHECK_EQ(leat_io_close(p.a), 0);
	CHECK_EQ(leat_io_close(q.b), 0);
}

/* A peer that does not read: the writer stops where the kernel's buffers end. */
TEST(slow_reader)
{
	enum { MUCH = 64 << 20 };
	struct pair p = make_connection("127.0.0.1:0");
	char *bytes = calloc(1, MUCH);
	size_t done = MUCH;

	REQUIRE(bytes != NULL);
	CHECK_EQ(leat_write_all(p.a, bytes, MUCH, leat_in(30 * LEAT_MS), &done), -ETIMEDOUT);
	CHECK(done > 0 && done < MUCH);
	/* What was counted arrives, no more. */
	CHECK_EQ(leat_io_close(p.a), 0);
	CHECK_EQ(leat_read_full(p.b, bytes, MUCH, leat_in(5 * LEAT_S), &done), LEAT_EEND);
	free(bytes);
	CHECK_EQ(leat_io_close(p.b), 0);
}

TEST(slow_reader_counts)
{
	enum { MUCH = 64 << 20 };
	struct pair p = make_connection("127.0.0.1:0");
	char *bytes = calloc(1, MUCH);
	size_t written = 0, got = 0;

	REQUIRE(bytes != NULL);
	CHECK_EQ(leat_write_all(p.a, bytes, MUCH, leat_in(30 * LEAT_MS), &written), -ETIMEDOUT);
	CHECK_EQ(leat_shutdown(p.a, LEAT_WRITABLE), 0);
	CHECK_EQ(leat_read_full(p.b, bytes, MUCH, leat_in(5 * LEAT_S), &got), LEAT_EEND);
	CHECK_EQ(got, written);
	free(bytes);
	close_pair(p);
}

LEAT_TASK(connect_only, (leat_addr *, addr), (leat_io *, ret_io))
{
	CHECK_EQ(leat_connect(ret_io, addr, NULL, leat_in(20 * LEAT_S)), 0);
}

static void set_nofile(rlim_t n)
{
	struct rlimit limit;

	REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = n;
	REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

/* From now on no descriptor is to be had. */
static void no_more_fds(void)
{
	int lowest = fcntl(0, F_DUPFD, 0);

	REQUIRE(lowest >= 0);
	close(lowest);
	set_nofile((rlim_t)lowest);
}

LEAT_TASK(connect_until, (leat_addr *, addr), (int64_t, deadline), (int *, ret))
{
	leat_io io;

	*ret = leat_connect(&io, addr, NULL, deadline);
}

/* A listener that somebody else has made, and that blocks. */
static int blocking_listener(leat_addr *ret_addr)
{
	leat_addr addr = addr_of("127.0.0.1:0");
	socklen_t size;
	const struct sockaddr *any = leat_addr_get(&addr, &size);
	struct sockaddr_storage bound;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	REQUIRE(fd >= 0 && bind(fd, any, size) == 0 && listen(fd, 8) == 0);
	size = sizeof(bound);
	REQUIRE(getsockname(fd, (struct sockaddr *)&bound, &size) == 0);
	REQUIRE(leat_addr_set(ret_addr, (struct sockaddr *)&bound, size) == 0);
	return fd;
}

static void accept_from_blocking(unsigned flags)
{
	leat_addr addr;
	int fd = blocking_listener(&addr), r = 0;
	bool inherited = flags & LEAT_IO_INHERITED;
	leat_io listener, client, server;
	leat_group group;

	REQUIRE(leat_io_adopt(&listener, fd, flags) == 0);
	CHECK_EQ(!(fcntl(fd, F_GETFL) & O_NONBLOCK), inherited);
	CHECK_EQ(leat_accept(listener, &server, NULL, leat_in(LEAT_MS)), -ETIMEDOUT);
	group_make(&group);
	CHECK_EQ(leat_go_in(&group, accept_one, listener, &server, &r), 0);
	CHECK_EQ(leat_sleep(2 * LEAT_MS), 0);
	leat_group_cancel(&group, 0);
	CHECK_EQ(group_finish(&group), -ECANCELED);
	CHECK_EQ(r, -ECANCELED);
	group_make(&group);
	CHECK_EQ(leat_go_in(&group, accept_one, listener, &server, &r), 0);
	CHECK_EQ(leat_sleep(2 * LEAT_MS), 0);
	REQUIRE(leat_connect(&client, &addr, NULL, leat_in(LEAT_S)) == 0);
	CHECK_EQ(group_finish(&group), 0);
	CHECK_EQ(r, 0);
	talk((struct pair){ client, server });
	CHECK_EQ(leat_io_close(listener), 0);
	CHECK_EQ(close(fd), inherited ? 0 : -1);
}

TEST(accept_from_adopted)
{
	accept_from_blocking(0);
}

TEST(accept_from_inherited)
{
	accept_from_blocking(LEAT_IO_INHERITED);
}

/* Descriptors run out: accept waits, says so at the deadline, goes on when there are some. */
TEST(no_descriptors_left)
{
	enum { N = 20 };
	leat_addr addr;
	leat_io listener = listen_at("127.0.0.1:0", &addr), client[N], server[N];
	leat_group group;
	struct rlimit old;
	int64_t start;
	int r = 0, fds;

	REQUIRE(getrlimit(RLIMIT_NOFILE, &old) == 0);
	group_make(&group);
	for (int i = 0; i < N; i++)
		CHECK_EQ(leat_go_in(&group, connect_only, &addr, &client[i]), 0);
	CHECK_EQ(group_finish(&group), 0);
	fds = count_fds();
	no_more_fds();
	start = leat_now();
	CHECK_EQ(leat_accept(listener, &server[0], NULL, leat_in(10 * LEAT_MS)), -EMFILE);
	CHECK(leat_now() - start >= 10 * LEAT_MS);
	/* Cancelled, while it waits. */
	group_make(&group);
	CHECK_EQ(leat_go_in(&group, accept_one, listener, &server[0], &r), 0);
	CHECK_EQ(leat_sleep(5 * LEAT_MS), 0);
	leat_group_cancel(&group, 0);
	CHECK_EQ(group_finish(&group), -ECANCELED);
	CHECK_EQ(r, -ECANCELED);
	/* It recovers, and every connection is there. */
	group_make(&group);
	CHECK_EQ(leat_go_in(&group, accept_one, listener, &server[0], &r), 0);
	CHECK_EQ(leat_sleep(5 * LEAT_MS), 0);
	set_nofile(old.rlim_cur);
	CHECK_EQ(group_finish(&group), 0);
	CHECK_EQ(r, 0);
	for (int i = 1; i < N; i++)
		REQUIRE(leat_accept(listener, &server[i], NULL, leat_in(LEAT_S)) == 0);
	CHECK_EQ(leat_accept(listener, &server[0], NULL, leat_in(LEAT_MS)), -ETIMEDOUT);
	CHECK_EQ(count_fds(), fds + N);
}

/* A Unix connect asks again and again; the last wait before the deadline is cancelled. */
TEST(cancel_while_no_place_is_left)
{
	leat_addr addr = addr_of("unix:@leat-test-backlog");
	leat_io listener, client[8];
	leat_group group;
	int64_t deadline;
	bool in_time;
	int r, n = 0;

	REQUIRE(leat_listen(&listener, &addr, LEAT_SOCKET_OPTIONS(.backlog = 1)) == 0);
	while (n < 8 && leat_connect(&client[n], &addr, NULL, leat_in(5 * LEAT_MS)) == 0)
		n++;
	REQUIRE(n < 8);
	group_make(&group);
	deadline = leat_in(300 * LEAT_MS);
	CHECK_EQ(leat_go_in(&group, connect_until, &addr, deadline, &r), 0);
	CHECK_EQ(leat_sleep_until(deadline - 40 * LEAT_MS), 0);
	leat_group_cancel(&group, 0);
	in_time = leat_now() < deadline;
	group_finish(&group);
	CHECK(r == -ECANCELED || (r == -ETIMEDOUT && !in_time));
	while (n > 0)
		CHECK_EQ(leat_io_close(client[--n]), 0);
	CHECK_EQ(leat_io_close(listener), 0);
}

TEST(close_while_no_descriptors_are_left)
{
	leat_addr addr;
	leat_io listener = listen_at("unix:@leat-test-emfile", &addr), client, server;
	leat_group group;
	int64_t start;
	int r = 0;

	REQUIRE(leat_connect(&client, &addr, NULL, leat_in(LEAT_S)) == 0);
	no_more_fds();
	group_make(&group);
	CHECK_EQ(leat_go_in(&group, accept_one, listener, &server, &r), 0);
	/* By now it waits for 100 ms at a time; the close ends that at once. */
	CHECK_EQ(leat_sleep(250 * LEAT_MS), 0);
	start = leat_now();
	CHECK_EQ(leat_io_close(listener), 0);
	CHECK_EQ(group_finish(&group), 0);
	CHECK_EQ(r, LEAT_ECLOSED);
	CHECK(leat_now() - start < (test_slow() ? 90 : 20) * LEAT_MS);
	CHECK_EQ(leat_io_close(client), 0);
}
