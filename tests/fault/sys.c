/*
 * Every system call of the I/O layer made to fail once: no crash, no hang, no
 * descriptor leaked, and the next run works again.
 *
 * The sites count themselves (port/sys.h); one that the scenario does not pass fails
 * the test.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "port/sys.h"
#include "test.h"

#define SOON leat_in(LEAT_S)

static char path[64];
static char other_path[72];

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* 0 and counts are fine; an error ends the part of the scenario. */
#define TRY(call)                    \
	do {                         \
		int64_t r_ = (call); \
		if (r_ < 0)          \
			return (int)r_; \
	} while (0)

/* One byte through each kind of call. */
static int pass(leat_io from, leat_io to)
{
	struct iovec two[2] = { { (char *)"ab", 2 }, { (char *)"cd", 2 } };
	char a[2], b[2];
	struct iovec in[2] = { { a, 2 }, { b, 2 } };

	TRY(leat_write(from, "x", 1, SOON));
	TRY(leat_read(to, a, 1, SOON));
	TRY(leat_writev(from, two, 2, SOON));
	TRY(leat_readv(to, in, 2, SOON));
	return 0;
}

static int adopt_pair(int fd[2], unsigned flags)
{
	leat_io io[2] = { { 0 }, { 0 } };
	int r = leat_io_adopt(&io[0], fd[0], flags);

	if (r == 0)
		r = leat_io_adopt(&io[1], fd[1], flags);
	if (r == 0)
		r = pass(io[1], io[0]);
	for (int i = 0; i < 2; i++) {
		bool ours = !leat_io_is_none(io[i]);

		leat_io_close(io[i]);
		if (!ours || (flags & LEAT_IO_INHERITED))
			close(fd[i]);
	}
	return r;
}

static int pipes(void)
{
	int fd[2];

	REQUIRE(pipe2(fd, O_CLOEXEC) == 0);
	TRY(adopt_pair(fd, 0));
	REQUIRE(pipe2(fd, O_CLOEXEC) == 0);
	TRY(adopt_pair(fd, LEAT_IO_INHERITED));
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
	return adopt_pair(fd, 0);
}

static int wait_raw(void)
{
	int fd[2], r;

	REQUIRE(pipe2(fd, O_CLOEXEC) == 0);
	r = leat_wait_fd(fd[0], LEAT_READABLE, leat_in(LEAT_MS / 10));
	close(fd[0]);
	close(fd[1]);
	return r == -ETIMEDOUT ? 0 : r;
}

static int use_connection(leat_io client, leat_io server)
{
	leat_addr addr;
	socklen_t size = sizeof(int);
	int value = 1;

	TRY(leat_local_addr(client, &addr));
	TRY(leat_peer_addr(client, &addr));
	TRY(leat_sockopt_set(client, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof(value)));
	TRY(leat_sockopt_get(client, SOL_SOCKET, SO_KEEPALIVE, &value, &size));
	TRY(pass(client, server));
	return leat_shutdown(client, LEAT_WRITABLE);
}

static int connect_to(const char *text)
{
	const leat_socket_options *options =
		LEAT_SOCKET_OPTIONS(.reuse_port = text[0] != 'u', .no_delay = true,
				    .keep_alive = true, .replace_path = true);
	leat_io listener, client = { 0 }, server = { 0 };
	leat_addr addr;
	int r;

	TRY(leat_addr_parse(&addr, text));
	TRY(leat_listen(&listener, &addr, options));
	r = leat_local_addr(listener, &addr);
	if (r == 0)
		r = leat_connect(&client, &addr, options, SOON);
	if (r == 0)
		r = leat_accept(listener, &server, NULL, SOON);
	if (r == 0)
		r = use_connection(client, server);
	leat_io_close(client);
	leat_io_close(server);
	leat_io_close(listener);
	return r;
}

static int streams(void)
{
	leat_io pair[2];
	char text[80];
	int r;

	TRY(leat_socketpair(pair, SOCK_STREAM));
	r = pass(pair[0], pair[1]);
	leat_io_close(pair[0]);
	leat_io_close(pair[1]);
	TRY(r);
	TRY(connect_to("127.0.0.1:0"));
	/* Twice: the second finds the socket of the first there, and nobody listens. */
	snprintf(text, sizeof(text), "unix:%s", path);
	r = connect_to(text);
	if (r == 0)
		r = connect_to(text);
	unlink(path);
	return r;
}

static int datagrams(void)
{
	leat_io to = { 0 }, from = { 0 };
	leat_addr addr, peer;
	char buf[8];
	int r;

	TRY(leat_addr_parse(&addr, "127.0.0.1:0"));
	TRY(leat_datagram_open(&to, &addr, NULL, NULL));
	r = leat_local_addr(to, &addr);
	if (r == 0)
		r = leat_datagram_open(&from, NULL, &addr, NULL);
	if (r == 0)
		r = (int)leat_send_to(from, "x", 1, NULL, SOON);
	if (r >= 0)
		r = (int)leat_recv_from(to, buf, sizeof(buf), &peer, SOON);
	leat_io_close(to);
	leat_io_close(from);
	return r < 0 ? r : 0;
}

static int use_file(leat_io file)
{
	char buf[8];

	TRY(leat_write(file, "abc", 3, SOON));
	TRY(leat_pwrite(file, "d", 1, 3, SOON));
	TRY(leat_pread(file, buf, 4, 0, SOON));
	TRY(leat_read(file, buf, 1, SOON));
	return leat_fsync(file, SOON);
}

static int files(void)
{
	leat_dir_entry entry;
	leat_dir *dir;
	leat_io file;
	int r;

	TRY(leat_open(&file, path, O_RDWR | O_CREAT, 0600, SOON));
	r = use_file(file);
	leat_io_close(file);
	if (r == 0)
		r = leat_rename(path, other_path, SOON);
	if (r == 0)
		r = leat_unlink(other_path, SOON);
	unlink(path);
	unlink(other_path);
	TRY(r);
	TRY(leat_dir_open(&dir, "/", SOON));
	r = leat_dir_next(dir, &entry, SOON);
	leat_dir_close(dir);
	return r < 0 ? r : 0;
}

static int main_task(void *arg)
{
	(void)arg;
	TRY(pipes());
	TRY(wait_raw());
	TRY(streams());
	TRY(datagrams());
	return files();
}

static int scenario(void)
{
	return leat_run(NULL, main_task, NULL);
}

static void fail_at(struct leat__sys_site *site)
{
	int before = count_fds();

	__atomic_store_n(&site->error, EIO, __ATOMIC_RELAXED);
	scenario();
	if (__atomic_exchange_n(&site->error, 0, __ATOMIC_RELAXED) != 0 && site->calls > 0)
		fprintf(stderr, "%s is not passed again\n", site->where);
	if (count_fds() != before)
		fprintf(stderr, "%s leaks\n", site->where);
	CHECK_EQ(count_fds(), before);
}

TEST_PLAIN(every_call_fails_once)
{
	struct leat__sys_site *site;
	uint32_t n;

	snprintf(path, sizeof(path), "/tmp/leat-fault-%d", (int)getpid());
	snprintf(other_path, sizeof(other_path), "%s.new", path);
	REQUIRE(scenario() == 0);
	site = leat__sys_sites(&n);
	CHECK(n > 40);
	for (uint32_t i = 0; i < n; i++)
		if (site[i].calls > 0)
			fail_at(&site[i]);
	CHECK_EQ(scenario(), 0);
	/* Those that only the failure of another one leads to have been passed by now, too. */
	for (uint32_t i = 0; i < n; i++) {
		if (site[i].calls == 0)
			fprintf(stderr, "%s is never passed\n", site[i].where);
		CHECK(site[i].calls > 0);
	}
}
