/* Sockets of the simulated network: as the kernel's, with latency and faults from the seed. */
#include "run.h"

#include <pthread.h>
#include <sched.h>

#include <leat/net.h>
#include <leat/sim.h>

enum { BYTES = 20000, TRACE_MAX = 4096 };

static leat_addr addr_of(const char *text)
{
	leat_addr addr;

	REQUIRE(leat_addr_parse(&addr, text) == 0);
	return addr;
}

static leat_io listen_at(const char *text)
{
	leat_addr addr = addr_of(text);
	leat_io io;

	REQUIRE(leat_listen(&io, &addr, NULL) == 0);
	CHECK_EQ(leat_io_fd(io), -EBADF); /* no socket of the kernel */
	return io;
}

/* A connection at text, both ends of it. */
static void pair_at(const char *text, leat_io ret_io[2])
{
	leat_addr addr = addr_of(text);
	leat_io listener = listen_at(text);

	REQUIRE(leat_connect(&ret_io[0], &addr, NULL, LEAT_FOREVER) == 0);
	REQUIRE(leat_accept(listener, &ret_io[1], NULL, LEAT_FOREVER) == 0);
	CHECK_EQ(leat_io_close(listener), 0);
}

#define AT "127.0.0.1:80"

static struct {
	int shorts_read, shorts_written, n;
	uint64_t hash;
	int64_t took;
} seen;

static void trace(uint64_t what)
{
	seen.hash = (seen.hash ^ what ^ (uint64_t)leat_now() << 20) * 0x100000001b3u;
	seen.n++;
}

LEAT_TASK(echo, (leat_io, io))
{
	char buf[3000];
	int64_t n;

	while ((n = leat_read(io, buf, sizeof(buf), LEAT_FOREVER)) > 0) {
		seen.shorts_read += n < (int64_t)sizeof(buf);
		trace((uint64_t)n);
		CHECK_EQ(leat_write_all(io, buf, (size_t)n, LEAT_FOREVER, NULL), 0);
	}
	CHECK_EQ(n, 0);
	CHECK_EQ(leat_io_close(io), 0);
}

LEAT_TASK(serve, (leat_io, listener))
{
	leat_io io;
	int r;

	while ((r = leat_accept(listener, &io, NULL, LEAT_FOREVER)) == 0)
		CHECK_EQ(leat_go_in(leat_group_current(), echo, io), 0);
	CHECK_EQ(r, LEAT_ECLOSED);
}

LEAT_TASK(send_all, (leat_io, io), (uint8_t, salt))
{
	static uint8_t bytes[2][BYTES];
	size_t done = 0;

	for (int i = 0; i < BYTES; i++)
		bytes[salt][i] = (uint8_t)(i * 7 + i / 256 + salt);
	while (done < BYTES) {
		int64_t n = leat_write(io, bytes[salt] + done, BYTES - done, LEAT_FOREVER);

		REQUIRE(n > 0);
		seen.shorts_written += (size_t)n < BYTES - done;
		done += (size_t)n;
	}
	CHECK_EQ(leat_shutdown(io, LEAT_WRITABLE), 0);
	CHECK_EQ(leat_write(io, "x", 1, LEAT_FOREVER), -EPIPE);
}

LEAT_TASK(client, (const leat_addr *, addr), (int, salt))
{
	uint8_t *got = malloc(BYTES);
	leat_io io;
	leat_group group;

	REQUIRE(got && leat_connect(&io, addr, NULL, LEAT_FOREVER) == 0);
	make(&group);
	CHECK_EQ(leat_go_in(&group, send_all, io, (uint8_t)salt), 0);
	CHECK_EQ(leat_read_full(io, got, BYTES, LEAT_FOREVER, NULL), 0);
	for (int i = 0; i < BYTES; i++)
		if (got[i] != (uint8_t)(i * 7 + i / 256 + salt)) {
			CHECK_EQ(i, -1);
			break;
		}
	CHECK_EQ(leat_read(io, got, 1, LEAT_FOREVER), 0); /* the end */
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(leat_io_close(io), 0);
	free(got);
	trace((uint64_t)salt);
}

static void clients_and_server(const char *text)
{
	leat_addr addr = addr_of(text);
	leat_group servers, clients;
	leat_io listener = listen_at(text);

	memset(&seen, 0, sizeof(seen));
	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.latency_min = 1000, .latency_max = LEAT_MS,
				      .short_one_in = 3, .buffer = 4096)), 0);
	make(&servers);
	make(&clients);
	CHECK_EQ(leat_go_in(&servers, serve, listener), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(leat_go_in(&clients, client, &addr, i), 0);
	CHECK_EQ(finish(&clients), 0);
	CHECK_EQ(leat_io_close(listener), 0);
	CHECK_EQ(finish(&servers), 0);
	CHECK(seen.shorts_read > 0);
	CHECK(seen.shorts_written > 0);
}

TEST_STRESS(client_and_server)
{
	clients_and_server(leat_sim_seed() % 2 ? AT : "unix:@name");
}

static int traced_run(void *arg)
{
	(void)arg;
	clients_and_server("[::1]:7");
	return 0;
}

TEST_PLAIN(replay)
{
	uint64_t before = 0;

	for (uint64_t seed = 1; seed <= 20; seed++) {
		uint64_t first;

		CHECK_EQ(leat_run(LEAT_OPTIONS(.sim_seed = seed), traced_run, NULL), 0);
		first = seen.hash;
		CHECK_EQ(leat_run(LEAT_OPTIONS(.sim_seed = seed), traced_run, NULL), 0);
		CHECK(seen.hash == first);
		CHECK(first != before);
		before = first;
	}
}

TEST_SIM(short_counts, 20)
{
	char bytes[100] = "", buf[100];
	int64_t n;
	leat_io io[2];

	pair_at(AT, io);
	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.short_one_in = 1)), 0);
	n = leat_write(io[0], bytes, 100, LEAT_FOREVER);
	CHECK(n >= 1 && n < 100);
	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.short_one_in = 0)), 0);
	CHECK_EQ(leat_write(io[0], bytes, (size_t)(100 - n), LEAT_FOREVER), 100 - n);
	leat_sleep(LEAT_S);
	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.short_one_in = 1)), 0);
	n = leat_read(io[1], buf, 100, LEAT_FOREVER);
	CHECK(n >= 1 && n < 100);
	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.short_one_in = 0)), 0);
	CHECK_EQ(leat_read(io[1], buf, 100, LEAT_FOREVER), 100 - n);
	CHECK_EQ(leat_io_close(io[0]) + leat_io_close(io[1]), 0);
}

static int first_to_arrive;

LEAT_TASK(arrival, (leat_io, io), (int, who))
{
	char c;

	CHECK_EQ(leat_read(io, &c, 1, LEAT_FOREVER), 1);
	if (first_to_arrive < 0)
		first_to_arrive = who;
}

static int two_arrive(void *arg)
{
	leat_io a[2], b[2];
	leat_group group;
	int *firsts = arg;

	first_to_arrive = -1;
	pair_at(AT, a);
	pair_at(AT, b);
	/* Far apart, so that it is latency that decides and no choice of the scheduler. */
	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.latency_min = LEAT_S, .latency_max = 99 * LEAT_S)),
		 0);
	make(&group);
	CHECK_EQ(leat_go_in(&group, arrival, a[1], 0), 0);
	CHECK_EQ(leat_go_in(&group, arrival, b[1], 1), 0);
	CHECK_EQ(leat_write(a[0], "x", 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_write(b[0], "x", 1, LEAT_FOREVER), 1);
	CHECK_EQ(finish(&group), 0);
	firsts[first_to_arrive]++;
	CHECK_EQ(leat_io_close(a[0]) + leat_io_close(a[1]), 0);
	CHECK_EQ(leat_io_close(b[0]) + leat_io_close(b[1]), 0);
	return 0;
}

TEST_PLAIN(order_of_readiness)
{
	int firsts[2] = { 0, 0 };

	CHECK_EQ(leat_sim_run(NULL, two_arrive, firsts, 1, 100, NULL), 0);
	CHECK(firsts[0] > 20);
	CHECK(firsts[1] > 20);
}

TEST_SIM(latency_is_virtual, 20)
{
	char buf[8];
	int64_t start;
	leat_io io[2];

	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.latency_min = 3600 * LEAT_S,
					       .latency_max = 3601 * LEAT_S)), 0);
	start = leat_now();
	pair_at(AT, io);
	CHECK(leat_now() - start >= 2 * 3600 * LEAT_S);
	CHECK(leat_now() - start < 2 * 3602 * LEAT_S);
	start = leat_now();
	CHECK_EQ(leat_write(io[0], "hello", 5, LEAT_FOREVER), 5);
	CHECK(leat_now() - start < LEAT_S);
	CHECK_EQ(leat_read(io[1], buf, 5, leat_in(3599 * LEAT_S)), -ETIMEDOUT);
	CHECK_EQ(leat_read(io[1], buf, 5, leat_in(3 * LEAT_S)), 5);
	CHECK_EQ(leat_io_close(io[0]), 0);
	CHECK_EQ(leat_read(io[1], buf, 5, LEAT_FOREVER), 0);
	CHECK_EQ(leat_write(io[1], "x", 1, LEAT_FOREVER), -EPIPE);
	CHECK_EQ(leat_io_close(io[1]), 0);
}

TEST_SIM(names, 20)
{
	leat_addr addr = addr_of(AT), any = addr_of("0.0.0.0:80"), zero = addr_of("127.0.0.1:0");
	leat_addr path = addr_of("unix:/nowhere/socket"), local, peer;
	leat_io listener, io, other;

	CHECK_EQ(leat_connect(&io, &addr, NULL, LEAT_FOREVER), -ECONNREFUSED);
	CHECK_EQ(leat_connect(&io, &path, NULL, LEAT_FOREVER), -ENOENT);
	listener = listen_at(AT);
	CHECK_EQ(leat_listen(&other, &addr, NULL), -EADDRINUSE);
	CHECK_EQ(leat_listen(&other, &any, NULL), -EADDRINUSE);
	CHECK_EQ(leat_connect(&io, &addr, NULL, LEAT_FOREVER), 0);
	CHECK_EQ(leat_local_addr(io, &local), 0);
	CHECK_EQ(leat_accept(listener, &other, &peer, LEAT_FOREVER), 0);
	CHECK_EQ(leat_addr_port(&local), leat_addr_port(&peer));
	CHECK(leat_addr_port(&peer) > 1024);
	CHECK_EQ(leat_peer_addr(io, &peer), 0);
	CHECK_EQ(leat_addr_port(&peer), 80);
	CHECK_EQ(leat_io_close(io) + leat_io_close(other) + leat_io_close(listener), 0);
	CHECK_EQ(leat_connect(&io, &addr, NULL, LEAT_FOREVER), -ECONNREFUSED);
	CHECK_EQ(leat_listen(&listener, &zero, NULL), 0);
	CHECK_EQ(leat_local_addr(listener, &local), 0);
	CHECK(leat_addr_port(&local) > 0);
	CHECK_EQ(leat_io_close(listener), 0);
	listener = listen_at("unix:/nowhere/socket");
	CHECK_EQ(leat_io_close(listener), 0);
	CHECK_EQ(leat_connect(&io, &path, NULL, LEAT_FOREVER), -ECONNREFUSED);
	CHECK_EQ(leat_listen(&listener, &path, NULL), -EADDRINUSE);
	CHECK_EQ(leat_listen(&listener, &path, LEAT_SOCKET_OPTIONS(.replace_path = true)), 0);
	CHECK_EQ(leat_io_close(listener), 0);
}

TEST_SIM(resets, 50)
{
	char buf[16] = "";
	int64_t n = 1;
	leat_io io[2];

	pair_at(AT, io);
	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.reset_one_in = 4)), 0);
	for (int i = 0; i < 1000 && n > 0; i++)
		n = leat_write(io[0], buf, sizeof(buf), LEAT_FOREVER);
	CHECK_EQ(n, -ECONNRESET);
	CHECK_EQ(leat_write(io[0], buf, 1, LEAT_FOREVER), -EPIPE);
	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.reset_one_in = 0)), 0);
	leat_sleep(LEAT_S);
	CHECK_EQ(leat_read(io[1], buf, sizeof(buf), LEAT_FOREVER), -ECONNRESET);
	CHECK_EQ(leat_read(io[1], buf, sizeof(buf), LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_close(io[0]) + leat_io_close(io[1]), 0);
}

TEST_SIM(unread_bytes_reset, 20)
{
	char buf[4];
	leat_io io[2];

	pair_at(AT, io);
	CHECK_EQ(leat_write_all(io[0], "hello", 5, LEAT_FOREVER, NULL), 0);
	CHECK_EQ(leat_read_full(io[1], buf, 4, LEAT_FOREVER, NULL), 0);
	CHECK_EQ(leat_io_close(io[1]), 0);
	CHECK_EQ(leat_read(io[0], buf, 4, LEAT_FOREVER), -ECONNRESET);
	CHECK_EQ(leat_io_close(io[0]), 0);
}

/* A Unix socket's bytes are read before the reset; a shutdown is heard of at once. */
TEST_SIM(unix_keeps_bytes, 20)
{
	char buf[4];
	leat_io io[2];

	pair_at("unix:@name", io);
	CHECK_EQ(leat_write_all(io[0], "ab", 2, LEAT_FOREVER, NULL), 0);
	CHECK_EQ(leat_write_all(io[1], "x", 1, LEAT_FOREVER, NULL), 0);
	CHECK_EQ(leat_shutdown(io[0], LEAT_READABLE | LEAT_WRITABLE), 0);
	CHECK_EQ(leat_write(io[1], "y", 1, LEAT_FOREVER), -EPIPE);
	leat_sleep(LEAT_S);
	CHECK_EQ(leat_io_close(io[0]), 0);
	CHECK_EQ(leat_read_full(io[1], buf, 2, LEAT_FOREVER, NULL), 0);
	leat_sleep(LEAT_S);
	CHECK_EQ(leat_read(io[1], buf, 1, LEAT_FOREVER), -ECONNRESET);
	CHECK_EQ(leat_read(io[1], buf, 1, LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_close(io[1]), 0);
}

LEAT_TASK(count_accepts, (leat_io, listener), (int *, n))
{
	leat_io io;

	while (leat_accept(listener, &io, NULL, LEAT_FOREVER) == 0) {
		(*n)++;
		CHECK_EQ(leat_io_close(io), 0);
	}
}

/* Listeners that share a name share the connections, by the seed. */
TEST_SIM(shared_name, 20)
{
	const leat_socket_options *options = LEAT_SOCKET_OPTIONS(.reuse_port = true);
	leat_addr addr = addr_of(AT);
	leat_io listener[2], io;
	leat_group group;
	int n[2] = { 0, 0 };

	make(&group);
	for (int i = 0; i < 2; i++) {
		REQUIRE(leat_listen(&listener[i], &addr, options) == 0);
		CHECK_EQ(leat_go_in(&group, count_accepts, listener[i], &n[i]), 0);
	}
	CHECK_EQ(leat_listen(&io, &addr, NULL), -EADDRINUSE);
	for (int i = 0; i < 60; i++) {
		REQUIRE(leat_connect(&io, &addr, NULL, LEAT_FOREVER) == 0);
		CHECK_EQ(leat_io_close(io), 0);
	}
	test_settle();
	CHECK_EQ(leat_io_close(listener[0]) + leat_io_close(listener[1]), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(n[0] + n[1], 60);
	CHECK(n[0] > 5 && n[1] > 5);
}

LEAT_TASK(connect_late, (leat_addr *, addr), (int *, ret))
{
	leat_io io;

	*ret = leat_connect(&io, addr, NULL, LEAT_FOREVER);
	if (*ret == 0)
		CHECK_EQ(leat_io_close(io), 0);
}

/* A full queue of the listener: a connect waits, and gets through. */
TEST_SIM(full_backlog, 20)
{
	leat_addr addr = addr_of(AT);
	leat_io listener, io[3], accepted;
	leat_group group;
	int r = 1;

	REQUIRE(leat_listen(&listener, &addr, LEAT_SOCKET_OPTIONS(.backlog = 2)) == 0);
	for (int i = 0; i < 3; i++)
		REQUIRE(leat_connect(&io[i], &addr, NULL, LEAT_FOREVER) == 0);
	make(&group);
	CHECK_EQ(leat_go_in(&group, connect_late, &addr, &r), 0);
	test_settle();
	CHECK_EQ(r, 1);
	REQUIRE(leat_accept(listener, &accepted, NULL, LEAT_FOREVER) == 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(r, 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_io_close(io[i]), 0);
	CHECK_EQ(leat_io_close(accepted) + leat_io_close(listener), 0);
}

/* Bytes that have not been read when a reset arrives are lost, as TCP's. */
TEST_SIM(reset_overtakes_bytes, 20)
{
	char buf[4];
	leat_io io[2];

	pair_at(AT, io);
	CHECK_EQ(leat_write(io[0], "ab", 2, LEAT_FOREVER) > 0, 1);
	CHECK_EQ(leat_write_all(io[1], "x", 1, LEAT_FOREVER, NULL), 0);
	leat_sleep(LEAT_S);
	CHECK_EQ(leat_io_close(io[0]), 0); /* with a byte that nobody has read */
	leat_sleep(LEAT_S);
	CHECK_EQ(leat_read(io[1], buf, 4, LEAT_FOREVER), -ECONNRESET);
	CHECK_EQ(leat_read(io[1], buf, 4, LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_close(io[1]), 0);
}

static leat_sem ended;
static int attached;

static void *client_thread(void *addr)
{
	leat_io io;
	char c = 0;

	CHECK_EQ(leat_thread_attach(), 0);
	__atomic_fetch_add(&attached, 1, __ATOMIC_RELEASE);
	CHECK_EQ(leat_connect(&io, addr, NULL, LEAT_FOREVER), 0);
	CHECK_EQ(leat_write_all(io, "q", 1, LEAT_FOREVER, NULL), 0);
	CHECK_EQ(leat_read(io, &c, 1, LEAT_FOREVER), 1);
	CHECK_EQ(c, 'q');
	CHECK_EQ(leat_io_close(io), 0);
	leat_sem_release(&ended, 1);
	return NULL;
}

/* Threads of the program's own use simulated sockets, too; such a run does not replay. */
TEST_SIM(threads, 5)
{
	leat_addr addr = addr_of(AT);
	leat_io listener = listen_at(AT);
	pthread_t thread[2];
	leat_group group;

	leat_sem_init(&ended, 2, 0);
	CHECK_EQ(leat_sem_acquire(&ended, 2), 0);
	attached = 0;
	make(&group);
	CHECK_EQ(leat_go_in(&group, serve, listener), 0);
	for (int i = 0; i < 2; i++)
		REQUIRE(pthread_create(&thread[i], NULL, client_thread, &addr) == 0);
	while (__atomic_load_n(&attached, __ATOMIC_ACQUIRE) < 2)
		sched_yield();
	CHECK_EQ(leat_sem_acquire(&ended, 2), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	CHECK_EQ(leat_io_close(listener), 0);
	CHECK_EQ(finish(&group), 0);
}

static int64_t read_one(leat_io io)
{
	char c;

	return leat_read(io, &c, 1, LEAT_FOREVER);
}

LEAT_TASK(blocked_read, (leat_io, io), (int64_t *, ret))
{
	*ret = read_one(io);
}

LEAT_TASK(blocked_write, (leat_io, io), (int64_t *, ret))
{
	static const char bytes[1000];

	while ((*ret = leat_write(io, bytes, sizeof(bytes), LEAT_FOREVER)) > 0)
		;
}

LEAT_TASK(blocked_accept, (leat_io, io), (int64_t *, ret))
{
	leat_io accepted;

	*ret = leat_accept(io, &accepted, NULL, LEAT_FOREVER);
}

LEAT_TASK(blocked_connect, (leat_addr *, addr), (int64_t *, ret))
{
	leat_io io;

	*ret = leat_connect(&io, addr, NULL, LEAT_FOREVER);
}

TEST_SIM(deadlines, 20)
{
	static const char bytes[1000];
	leat_addr addr = addr_of("127.0.0.1:81");
	leat_io io[2], listener = listen_at("127.0.0.1:81"), other;
	int64_t n;

	pair_at(AT, io);
	CHECK_EQ(leat_read(io[0], (char[1]){ 0 }, 1, leat_in(LEAT_S)), -ETIMEDOUT);
	CHECK_EQ(leat_accept(listener, &other, NULL, leat_in(LEAT_S)), -ETIMEDOUT);
	CHECK_EQ(leat_io_wait(io[0], LEAT_READABLE, leat_in(LEAT_S)), -ETIMEDOUT);
	for (size_t all = 0; (n = leat_write(io[0], bytes, 1000, leat_in(LEAT_S))) > 0;)
		REQUIRE((all += (size_t)n) <= 65536); /* bounded */
	CHECK_EQ(n, -ETIMEDOUT);
	CHECK_EQ(leat_io_wait(io[1], LEAT_READABLE, LEAT_FOREVER), LEAT_READABLE);
	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.latency_min = LEAT_S, .latency_max = LEAT_S)), 0);
	CHECK_EQ(leat_connect(&other, &addr, NULL, leat_in(LEAT_MS)), -ETIMEDOUT);
	CHECK_EQ(leat_connect(&other, &addr, NULL, leat_in(1500 * LEAT_MS)), -ETIMEDOUT);
	CHECK_EQ(leat_io_close(io[0]) + leat_io_close(io[1]) + leat_io_close(listener), 0);
}

static void blocked(bool cancel)
{
	int64_t expected = cancel ? -ECANCELED : LEAT_ECLOSED, r[4] = { 1, 1, 1, 1 };
	leat_addr addr = addr_of("127.0.0.1:81");
	leat_io io[2], listener = listen_at("127.0.0.1:81");
	leat_group group;

	pair_at(AT, io);
	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.latency_min = 60 * LEAT_S,
					       .latency_max = 60 * LEAT_S)), 0);
	make(&group);
	CHECK_EQ(leat_go_in(&group, blocked_read, io[0], &r[0]), 0);
	CHECK_EQ(leat_go_in(&group, blocked_write, io[0], &r[1]), 0);
	CHECK_EQ(leat_go_in(&group, blocked_accept, listener, &r[2]), 0);
	if (cancel)
		CHECK_EQ(leat_go_in(&group, blocked_connect, &addr, &r[3]), 0);
	test_settle();
	if (cancel)
		leat_group_cancel(&group, 0);
	CHECK_EQ(cancel ? 0 : leat_io_close(io[0]) + leat_io_close(listener), 0);
	(void)finish(&group);
	for (int i = 0; i < (cancel ? 4 : 3); i++)
		CHECK_EQ(r[i], expected);
	if (cancel)
		CHECK_EQ(leat_io_close(io[0]) + leat_io_close(listener), 0);
	CHECK_EQ(leat_io_close(io[1]), 0);
}

TEST_SIM(cancel_of_each_call, 20)
{
	blocked(true);
}

TEST_SIM(close_wakes_each_call, 20)
{
	blocked(false);
}

static leat_io left_open;

static int waits_for_a_client(void *arg)
{
	leat_io io, both[2];

	(void)arg;
	CHECK_EQ(leat_io_close(left_open), LEAT_ECLOSED); /* of the run before, or none */
	pair_at(AT, both);
	left_open = both[0];
	return leat_accept(listen_at(AT), &io, NULL, LEAT_FOREVER);
}

TEST_PLAIN(deadlock)
{
	leat_sim_report report = { 0 };

	CHECK_EQ(leat_sim_run(NULL, waits_for_a_client, NULL, 3, 100, &report), -EDEADLK);
	CHECK_EQ(report.failed_seed, 3);
	CHECK_EQ(report.runs, 1);
}

static int real_socket(void *arg)
{
	leat_addr addr = addr_of("127.0.0.1:0");
	leat_io io;

	(void)arg;
	CHECK_EQ(leat_listen(&io, &addr, NULL), 0);
	CHECK(leat_io_fd(io) >= 0);
	return leat_io_close(io);
}

TEST_PLAIN(real)
{
	setenv("LEAT_SIM_REAL", "1", 1);
	CHECK_EQ(leat_run(LEAT_OPTIONS(.sim_seed = 1), real_socket, NULL), 0);
}
