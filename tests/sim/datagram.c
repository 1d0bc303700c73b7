/* Datagrams and pairs of the simulated network; what the kernel's do as well: tests/io/udp.c. */
#include "run.h"

#include <sys/socket.h>

#include <leat/net.h>
#include <leat/sim.h>

static leat_addr addr_of(const char *text)
{
	leat_addr addr;

	REQUIRE(leat_addr_parse(&addr, text) == 0);
	return addr;
}

static leat_io open_at(const char *text, leat_addr *ret_addr)
{
	leat_addr addr = addr_of(text);
	leat_io io;

	REQUIRE(leat_datagram_open(&io, &addr, NULL, NULL) == 0);
	CHECK_EQ(leat_io_fd(io), -EBADF);
	CHECK_EQ(leat_local_addr(io, ret_addr), 0);
	return io;
}

enum { N = 200 };

/* Sends N numbers from one socket to another; how often each has come, and how many too early. */
static int pass(const char *text, int counts[N])
{
	leat_addr at_a, at_b;
	leat_io a = open_at(text, &at_a), b = open_at(text, &at_b);
	int early = 0, last = -1, v;

	memset(counts, 0, N * sizeof(counts[0]));
	for (int i = 0; i < N; i++)
		CHECK_EQ(leat_send_to(a, &i, sizeof(i), &at_b, LEAT_FOREVER), 0);
	while (leat_recv_from(b, &v, sizeof(v), NULL, leat_in(LEAT_S)) == sizeof(v)) {
		counts[v]++;
		early += v < last;
		last = v > last ? v : last;
	}
	CHECK_EQ(leat_io_close(a) + leat_io_close(b), 0);
	return early;
}

TEST_SIM(they_overtake_each_other, 20)
{
	int counts[N];

	CHECK(pass("127.0.0.1:0", counts) > 0);
	for (int i = 0; i < N; i++)
		CHECK_EQ(counts[i], 1);
}

TEST_SIM(lost_and_doubled, 20)
{
	int counts[N], lost = 0, doubled = 0;

	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.lost_one_in = 4, .doubled_one_in = 4)), 0);
	(void)pass("[::1]:0", counts);
	for (int i = 0; i < N; i++) {
		CHECK(counts[i] <= 2);
		lost += counts[i] == 0;
		doubled += counts[i] == 2;
	}
	CHECK(lost > 10);
	CHECK(doubled > 10);
}

/* What does not fit into the receiver's buffer is dropped. */
TEST_SIM(full_buffer, 20)
{
	int counts[N], came = 0;

	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.buffer = 40)), 0);
	(void)pass("127.0.0.1:0", counts);
	for (int i = 0; i < N; i++)
		came += counts[i];
	CHECK(came >= 10 && came < 40); /* more while it receives */
}

TEST_SIM(errors_of_udp, 20)
{
	leat_addr at, none = addr_of("127.0.0.1:9"), v6 = addr_of("[::1]:9"), far, port0;
	leat_io a = open_at("0.0.0.0:0", &at), b;
	char *much = calloc(1, 65508), c;

	REQUIRE(much != NULL);
	port0 = addr_of("127.0.0.1:0");
	CHECK_EQ(leat_datagram_open(&b, &at, NULL, NULL), -EADDRINUSE);
	CHECK_EQ(leat_send_to(a, much, 65508, &none, LEAT_FOREVER), -EMSGSIZE);
	CHECK_EQ(leat_send_to(a, much, 65507, &none, LEAT_FOREVER), 0); /* nobody hears of it */
	CHECK_EQ(leat_send_to(a, "x", 1, NULL, LEAT_FOREVER), -EDESTADDRREQ);
	CHECK_EQ(leat_send_to(a, "x", 1, &v6, LEAT_FOREVER), -EAFNOSUPPORT);
	CHECK_EQ(leat_send_to(a, "x", 1, &port0, LEAT_FOREVER), -EINVAL);
	CHECK_EQ(leat_shutdown(a, LEAT_READABLE), -ENOTCONN);
	CHECK_EQ(leat_peer_addr(a, &far), -ENOTCONN);
	CHECK_EQ(leat_recv_from(a, &c, 1, NULL, leat_in(LEAT_S)), -ETIMEDOUT);
	/* A port of TCP is another one. */
	CHECK_EQ(leat_listen(&b, &at, NULL), 0);
	CHECK_EQ(leat_io_close(b), 0);
	/* Connected: it does hear of it, later. */
	REQUIRE(leat_datagram_open(&b, NULL, &none, NULL) == 0);
	CHECK_EQ(leat_peer_addr(b, &far), 0);
	CHECK_EQ(leat_addr_port(&far), 9);
	CHECK_EQ(leat_local_addr(b, &far), 0);
	CHECK(leat_addr_port(&far) > 0);
	CHECK_EQ(leat_write(b, "x", 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_read(b, &c, 1, LEAT_FOREVER), -ECONNREFUSED);
	CHECK_EQ(leat_read(b, &c, 1, leat_in(LEAT_S)), -ETIMEDOUT);
	CHECK_EQ(leat_shutdown(b, LEAT_WRITABLE | LEAT_READABLE), 0);
	CHECK_EQ(leat_write(b, "x", 1, LEAT_FOREVER), -EPIPE);
	CHECK_EQ(leat_read(b, &c, 1, leat_in(LEAT_S)), -ETIMEDOUT); /* as of Linux: no end */
	CHECK_EQ(leat_io_close(a) + leat_io_close(b), 0);
	CHECK_EQ(leat_io_close(a), LEAT_ECLOSED);
	free(much);
}

/* A name of any address is reached by each; the answer comes from the one that was meant. */
TEST_SIM(any_address, 20)
{
	leat_addr at, from, to = addr_of("127.0.0.1:0");
	leat_io server = open_at("0.0.0.0:0", &at), client;
	char c;

	leat_addr_set_port(&to, (unsigned)leat_addr_port(&at));
	REQUIRE(leat_datagram_open(&client, NULL, &to, NULL) == 0);
	CHECK_EQ(leat_write(client, "q", 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_recv_from(server, &c, 1, &from, LEAT_FOREVER), 1);
	CHECK_EQ(leat_send_to(server, "a", 1, &from, LEAT_FOREVER), 0);
	CHECK_EQ(leat_read(client, &c, 1, leat_in(LEAT_S)), 1);
	CHECK_EQ(c, 'a');
	CHECK_EQ(leat_io_close(server) + leat_io_close(client), 0);
}

/* A server of both families answers who asks by IPv4, by the address that it was given. */
TEST_SIM(both_families, 20)
{
	leat_addr at, from, to = addr_of("127.0.0.1:0"), only = addr_of("[::]:0");
	leat_io server = open_at("[::]:0", &at), client;
	char c, text[LEAT_ADDR_TEXT];

	leat_addr_set_port(&to, (unsigned)leat_addr_port(&at));
	REQUIRE(leat_datagram_open(&client, NULL, &to, NULL) == 0);
	CHECK_EQ(leat_write(client, "q", 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_recv_from(server, &c, 1, &from, LEAT_FOREVER), 1);
	CHECK(leat_addr_format(&from, text, sizeof(text)) > 0);
	CHECK(strncmp(text, "[::ffff:127.0.0.1]:", 19) == 0);
	CHECK_EQ(leat_send_to(server, "a", 1, &from, LEAT_FOREVER), 0);
	CHECK_EQ(leat_read(client, &c, 1, leat_in(LEAT_S)), 1);
	CHECK_EQ(leat_io_close(server), 0);
	REQUIRE(leat_datagram_open(&server, &only, NULL,
				   LEAT_SOCKET_OPTIONS(.v6_only = true)) == 0);
	CHECK_EQ(leat_send_to(server, "a", 1, &from, LEAT_FOREVER), -ENETUNREACH);
	CHECK_EQ(leat_io_close(server) + leat_io_close(client), 0);
}

/* Who is there when it arrives gets it; and who is there then is not told that nobody was. */
TEST_SIM(receiver_at_arrival, 20)
{
	leat_addr at;
	leat_io server = open_at("127.0.0.1:0", &at), client;
	char c;

	REQUIRE(leat_datagram_open(&client, NULL, &at, NULL) == 0);
	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.latency_min = LEAT_S, .latency_max = LEAT_S)), 0);
	CHECK_EQ(leat_write(client, "x", 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_io_close(server), 0);
	REQUIRE(leat_datagram_open(&server, &at, NULL, NULL) == 0);
	CHECK_EQ(leat_read(server, &c, 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_write(client, "x", 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_io_close(server), 0);
	/* There and back. */
	CHECK_EQ(leat_read(client, &c, 1, leat_in(1900 * LEAT_MS)), -ETIMEDOUT);
	CHECK_EQ(leat_read(client, &c, 1, leat_in(200 * LEAT_MS)), -ECONNREFUSED);
	CHECK_EQ(leat_write(client, "x", 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_io_close(client), 0); /* and what is on the way to nobody stays so */
	CHECK_EQ(leat_sleep(3 * LEAT_S), 0);
}

/* A sender that has as much on the way as fits waits; it gives up, or goes on. */
TEST_SIM(sender_waits, 20)
{
	leat_addr at, to;
	leat_io a = open_at("127.0.0.1:0", &at), b = open_at("127.0.0.1:0", &to);

	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.latency_min = LEAT_S, .latency_max = LEAT_S,
					       .buffer = 10)), 0);
	CHECK_EQ(leat_send_to(a, "0123456789", 10, &to, LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_wait(a, LEAT_WRITABLE, leat_in(LEAT_MS)), -ETIMEDOUT);
	CHECK_EQ(leat_send_to(a, "", 0, &to, leat_in(LEAT_MS)), -ETIMEDOUT);
	CHECK_EQ(leat_send_to(a, "", 0, &to, leat_in(LEAT_S)), 0);
	CHECK_EQ(leat_io_wait(a, LEAT_WRITABLE, leat_in(LEAT_MS)), LEAT_WRITABLE);
	CHECK_EQ(leat_io_close(a) + leat_io_close(b), 0);
}

/* Several at one port: who is connected to the sender, else one of them, for it always the same. */
TEST_SIM(shared_port, 20)
{
	enum { CLIENTS = 40 };
	const leat_socket_options *options = LEAT_SOCKET_OPTIONS(.reuse_port = true);
	leat_addr at = addr_of("127.0.0.1:53"), from[CLIENTS];
	leat_io server[2], client[CLIENTS], own;
	int n[2] = { 0, 0 };
	char c;

	for (int i = 0; i < 2; i++)
		REQUIRE(leat_datagram_open(&server[i], &at, NULL, options) == 0);
	CHECK_EQ(leat_datagram_open(&own, &at, NULL, NULL), -EADDRINUSE);
	for (int i = 0; i < CLIENTS; i++) {
		int which;

		client[i] = open_at("127.0.0.1:0", &from[i]);
		CHECK_EQ(leat_send_to(client[i], "x", 1, &at, LEAT_FOREVER), 0);
		leat_sleep(LEAT_S);
		which = leat_read(server[0], &c, 1, leat_in(LEAT_MS)) == 1 ? 0 : 1;
		CHECK(which == 0 || leat_read(server[1], &c, 1, leat_in(LEAT_MS)) == 1);
		n[which]++;
		CHECK_EQ(leat_send_to(client[i], "x", 1, &at, LEAT_FOREVER), 0);
		CHECK_EQ(leat_read(server[which], &c, 1, leat_in(LEAT_S)), 1);
	}
	CHECK(n[0] > 5 && n[1] > 5);
	REQUIRE(leat_datagram_open(&own, &at, &from[0], options) == 0);
	for (int i = 0; i < CLIENTS; i++)
		CHECK_EQ(leat_send_to(client[i], "x", 1, &at, LEAT_FOREVER), 0);
	CHECK_EQ(leat_read(own, &c, 1, leat_in(LEAT_S)), 1);
	CHECK_EQ(leat_read(own, &c, 1, leat_in(LEAT_S)), -ETIMEDOUT);
	for (int i = 0; i < CLIENTS; i++)
		CHECK_EQ(leat_io_close(client[i]), 0);
	CHECK_EQ(leat_io_close(own) + leat_io_close(server[0]) + leat_io_close(server[1]), 0);
}

/* It is a socket that a Unix socket is connected to, and not its name. */
TEST_SIM(another_at_the_name, 20)
{
	leat_addr at, of_a;
	leat_io b = open_at("unix:@b", &at), a, other = open_at("unix:@other", &of_a);
	char c;

	REQUIRE(leat_datagram_open(&a, NULL, &at, NULL) == 0);
	CHECK_EQ(leat_io_close(b), 0);
	b = open_at("unix:@b", &at);
	CHECK_EQ(leat_write(a, "x", 1, LEAT_FOREVER), -ECONNREFUSED);
	CHECK_EQ(leat_write(a, "x", 1, LEAT_FOREVER), -ENOTCONN);
	CHECK_EQ(leat_peer_addr(a, &at), -ENOTCONN);
	CHECK_EQ(leat_read(b, &c, 1, leat_in(LEAT_S)), -ETIMEDOUT);
	CHECK_EQ(leat_io_close(a) + leat_io_close(b) + leat_io_close(other), 0);
}

/* Abstract names, unlike paths, are different ones for streams and datagrams. */
TEST_SIM(abstract_names, 20)
{
	leat_addr at;
	leat_io a = open_at("unix:@name", &at), listener, io;

	CHECK_EQ(leat_connect(&io, &at, NULL, LEAT_FOREVER), -ECONNREFUSED);
	REQUIRE(leat_listen(&listener, &at, NULL) == 0);
	REQUIRE(leat_connect(&io, &at, NULL, LEAT_FOREVER) == 0);
	CHECK_EQ(leat_io_close(io) + leat_io_close(a), 0);
	CHECK_EQ(leat_datagram_open(&io, NULL, &at, NULL), -ECONNREFUSED);
	CHECK_EQ(leat_io_close(listener), 0);
}

/* What is on the way at a shutdown comes before the end. */
TEST_SIM(end_behind_messages, 20)
{
	leat_io io[2];
	char c;

	REQUIRE(leat_socketpair(io, SOCK_SEQPACKET) == 0);
	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.latency_min = LEAT_S, .latency_max = LEAT_S)), 0);
	CHECK_EQ(leat_write(io[0], "x", 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_shutdown(io[1], LEAT_READABLE), 0);
	CHECK_EQ(leat_write(io[0], "y", 1, LEAT_FOREVER), -EPIPE);
	CHECK_EQ(leat_read(io[1], &c, 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_read(io[1], &c, 1, LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_close(io[0]) + leat_io_close(io[1]), 0);
}

/* Streams take them as bytes, or not at all. */
TEST_SIM(not_for_streams, 20)
{
	leat_addr at;
	leat_io b = open_at("unix:@b", &at), pair[2];
	char buf[4];

	REQUIRE(leat_socketpair(pair, SOCK_STREAM) == 0);
	CHECK_EQ(leat_send_to(pair[0], "x", 1, NULL, LEAT_FOREVER), 0);
	CHECK_EQ(leat_send_to(pair[0], "", 0, NULL, LEAT_FOREVER), 0);
	CHECK_EQ(leat_send_to(pair[0], "x", 1, &at, LEAT_FOREVER), -EISCONN);
	CHECK_EQ(leat_read(pair[1], buf, 4, leat_in(LEAT_S)), 1);
	CHECK_EQ(leat_read(pair[1], buf, 4, leat_in(LEAT_S)), -ETIMEDOUT); /* and no end */
	CHECK_EQ(leat_recv_from(pair[1], buf, 4, NULL, leat_in(LEAT_S)), -EOPNOTSUPP);
	CHECK_EQ(leat_socketpair(pair, SOCK_RDM), -ESOCKTNOSUPPORT);
	CHECK_EQ(leat_io_close(b) + leat_io_close(pair[0]) + leat_io_close(pair[1]), 0);
}

/* Also without bytes they fill a buffer, some time. */
TEST_SIM(empty_ones_are_bounded, 5)
{
	leat_io io[2];
	int n = 0;

	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.buffer = 20)), 0);
	REQUIRE(leat_socketpair(io, SOCK_DGRAM) == 0);
	while (n < 100 && leat_send_to(io[0], "", 0, NULL, leat_in(LEAT_S)) == 0)
		n++;
	CHECK_EQ(n, 20);
	CHECK_EQ(leat_io_close(io[0]) + leat_io_close(io[1]), 0);
}

LEAT_TASK(send_one, (leat_io, io), (int64_t *, ret))
{
	*ret = leat_write(io, "y", 1, LEAT_FOREVER);
}

LEAT_TASK(receive_one, (leat_io, io), (int64_t *, ret))
{
	char c;

	*ret = leat_recv_from(io, &c, 1, NULL, LEAT_FOREVER);
}

/* How a send and a receive that wait end: 0: cancel, 1: the close of theirs, 2: of the other. */
static void ended(int type, int how, int64_t expected_send, int64_t expected_receive)
{
	int64_t sent = 1, received = 1;
	leat_group group;
	leat_io io[2];

	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.buffer = 1)), 0);
	REQUIRE(leat_socketpair(io, type) == 0);
	CHECK_EQ(leat_write(io[0], "x", 1, LEAT_FOREVER), 1);
	make(&group);
	CHECK_EQ(leat_go_in(&group, send_one, io[0], &sent), 0);
	CHECK_EQ(leat_go_in(&group, receive_one, io[0], &received), 0);
	test_settle();
	if (how == 0)
		leat_group_cancel(&group, 0);
	else
		CHECK_EQ(leat_io_close(io[how - 1]), 0);
	if (expected_receive == -ETIMEDOUT) {
		test_settle();
		CHECK_EQ(received, 1); /* it waits on */
		expected_receive = -ECANCELED;
		leat_group_cancel(&group, 0);
	}
	(void)finish(&group);
	CHECK_EQ(sent, expected_send);
	CHECK_EQ(received, expected_receive);
	(void)leat_io_close(io[0]);
	(void)leat_io_close(io[1]);
}

TEST_SIM(ends_of_waits, 20)
{
	ended(SOCK_DGRAM, 0, -ECANCELED, -ECANCELED);
	ended(SOCK_SEQPACKET, 0, -ECANCELED, -ECANCELED);
	ended(SOCK_DGRAM, 1, LEAT_ECLOSED, LEAT_ECLOSED);
	ended(SOCK_SEQPACKET, 1, LEAT_ECLOSED, LEAT_ECLOSED);
	ended(SOCK_DGRAM, 2, -ECONNREFUSED, -ETIMEDOUT);
}

/* Of SOCK_SEQPACKET one of the two hears that bytes were not read, the other that it is the end. */
TEST_SIM(close_of_a_sequence, 20)
{
	int64_t sent = 1, received = 1;
	leat_group group;
	leat_io io[2];

	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.buffer = 1)), 0);
	REQUIRE(leat_socketpair(io, SOCK_SEQPACKET) == 0);
	CHECK_EQ(leat_write(io[0], "x", 1, LEAT_FOREVER), 1);
	make(&group);
	CHECK_EQ(leat_go_in(&group, send_one, io[0], &sent), 0);
	CHECK_EQ(leat_go_in(&group, receive_one, io[0], &received), 0);
	test_settle();
	CHECK_EQ(leat_io_close(io[1]), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK(sent == -ECONNRESET ? received == 0 : sent == -EPIPE && received == -ECONNRESET);
	CHECK_EQ(leat_io_close(io[0]), 0);
}

TEST_SIM(errors_of_unix, 20)
{
	leat_addr at, stream = addr_of("unix:/stream"), path = addr_of("unix:/path"), from;
	leat_io a = open_at("unix:/path", &at), b, listener;
	char c;

	CHECK_EQ(leat_datagram_open(&b, &path, NULL, NULL), -EADDRINUSE);
	CHECK_EQ(leat_listen(&listener, &path, NULL), -EADDRINUSE); /* one space of names */
	CHECK_EQ(leat_connect(&b, &path, NULL, LEAT_FOREVER), -EPROTOTYPE);
	REQUIRE(leat_listen(&listener, &stream, NULL) == 0);
	CHECK_EQ(leat_datagram_open(&b, NULL, &stream, NULL), -EPROTOTYPE);
	REQUIRE(leat_datagram_open(&b, NULL, &path, NULL) == 0);
	CHECK_EQ(leat_write(b, "x", 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_recv_from(a, &c, 1, &from, LEAT_FOREVER), 1);
	CHECK_EQ(from._size, sizeof(sa_family_t)); /* it has no name */
	CHECK_EQ(leat_io_close(a), 0);
	CHECK_EQ(leat_write(b, "x", 1, LEAT_FOREVER), -ECONNREFUSED);
	CHECK_EQ(leat_datagram_open(&a, NULL, &path, NULL), -ECONNREFUSED);
	path = addr_of("unix:/nowhere");
	CHECK_EQ(leat_datagram_open(&a, NULL, &path, NULL), -ENOENT);
	CHECK_EQ(leat_io_close(b) + leat_io_close(listener), 0);
}

LEAT_TASK(send_numbers, (leat_io, io), (leat_addr *, to), (int *, ret_sent))
{
	for (int i = 0; i < N; i++) {
		CHECK_EQ(leat_send_to(io, &i, sizeof(i), to, LEAT_FOREVER), 0);
		*ret_sent = i + 1;
	}
}

/* Unix: the sender waits, nothing is lost, the order is kept. */
TEST_SIM(unix_waits_for_room, 20)
{
	leat_addr at_a, at_b;
	leat_io a = open_at("unix:@a", &at_a), b = open_at("unix:@b", &at_b);
	leat_group group;
	int sent = 0, v;

	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.latency_max = LEAT_MS, .buffer = 40)), 0);
	make(&group);
	CHECK_EQ(leat_go_in(&group, send_numbers, a, &at_b, &sent), 0);
	test_settle();
	CHECK_EQ(sent, 10);
	for (int i = 0; i < N; i++) {
		CHECK_EQ(leat_recv_from(b, &v, sizeof(v), NULL, leat_in(LEAT_S)), sizeof(v));
		CHECK_EQ(v, i);
	}
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(leat_io_close(a) + leat_io_close(b), 0);
}

TEST_SIM(pair_of_streams, 20)
{
	leat_io io[2];
	char buf[8];

	REQUIRE(leat_socketpair(io, SOCK_STREAM) == 0);
	CHECK_EQ(leat_io_fd(io[0]), -EBADF);
	CHECK_EQ(leat_write_all(io[0], "ab", 2, LEAT_FOREVER, NULL), 0);
	CHECK_EQ(leat_write_all(io[0], "cd", 2, LEAT_FOREVER, NULL), 0);
	CHECK_EQ(leat_read_full(io[1], buf, 4, LEAT_FOREVER, NULL), 0);
	CHECK_EQ(memcmp(buf, "abcd", 4), 0);
	CHECK_EQ(leat_io_close(io[0]), 0);
	CHECK_EQ(leat_read(io[1], buf, 1, LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_close(io[1]), 0);
}

TEST_SIM(pair_of_messages, 20)
{
	leat_addr addr;
	leat_io io[2];
	char buf[8];

	REQUIRE(leat_socketpair(io, SOCK_SEQPACKET) == 0);
	CHECK_EQ(leat_local_addr(io[0], &addr) + leat_peer_addr(io[0], &addr), 0);
	CHECK_EQ(leat_write(io[0], "abcdef", 6, LEAT_FOREVER), 6);
	CHECK_EQ(leat_write(io[0], "gh", 2, LEAT_FOREVER), 2);
	CHECK_EQ(leat_read(io[1], buf, 4, LEAT_FOREVER), 4); /* its end is lost */
	CHECK_EQ(leat_read(io[1], buf, 4, LEAT_FOREVER), 2);
	CHECK_EQ(leat_write(io[0], "last", 4, LEAT_FOREVER), 4);
	CHECK_EQ(leat_shutdown(io[0], LEAT_WRITABLE), 0);
	CHECK_EQ(leat_write(io[0], "x", 1, LEAT_FOREVER), -EPIPE);
	CHECK_EQ(leat_read(io[1], buf, 8, LEAT_FOREVER), 4);
	CHECK_EQ(leat_read(io[1], buf, 8, LEAT_FOREVER), 0);
	CHECK_EQ(leat_write(io[1], "back", 4, LEAT_FOREVER), 4);
	CHECK_EQ(leat_read(io[0], buf, 8, LEAT_FOREVER), 4);
	CHECK_EQ(leat_io_close(io[0]), 0);
	CHECK_EQ(leat_write(io[1], "x", 1, LEAT_FOREVER), -EPIPE);
	CHECK_EQ(leat_io_close(io[1]), 0);

	REQUIRE(leat_socketpair(io, SOCK_DGRAM) == 0);
	CHECK_EQ(leat_write(io[0], "ab", 2, LEAT_FOREVER), 2);
	CHECK_EQ(leat_io_close(io[0]), 0);
	CHECK_EQ(leat_read(io[1], buf, 8, LEAT_FOREVER), 2);
	CHECK_EQ(leat_write(io[1], "x", 1, LEAT_FOREVER), -ECONNREFUSED);
	CHECK_EQ(leat_read(io[1], buf, 8, leat_in(LEAT_S)), -ETIMEDOUT); /* it has no end */
	CHECK_EQ(leat_io_close(io[1]), 0);
}

TEST_SIM(latency_is_virtual, 20)
{
	leat_addr at_a, at_b;
	leat_io a = open_at("127.0.0.1:0", &at_a), b = open_at("127.0.0.1:0", &at_b);
	int64_t start = leat_now();
	char c;

	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.latency_min = 3600 * LEAT_S,
					       .latency_max = 3601 * LEAT_S)), 0);
	CHECK_EQ(leat_send_to(a, "x", 1, &at_b, LEAT_FOREVER), 0);
	CHECK(leat_now() - start < LEAT_S);
	CHECK_EQ(leat_recv_from(b, &c, 1, NULL, leat_in(3599 * LEAT_S)), -ETIMEDOUT);
	CHECK_EQ(leat_recv_from(b, &c, 1, NULL, leat_in(3 * LEAT_S)), 1);
	/* On the way to nobody, when the run ends. */
	CHECK_EQ(leat_send_to(b, "x", 1, &at_a, LEAT_FOREVER), 0);
	CHECK_EQ(leat_send_to(b, "x", 1, &at_a, LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_close(a) + leat_io_close(b), 0);
}

static uint64_t trace;

static int traced_run(void *arg)
{
	int counts[N];

	(void)arg;
	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.latency_max = LEAT_MS, .lost_one_in = 5,
					       .doubled_one_in = 5)), 0);
	trace = (uint64_t)pass("127.0.0.1:0", counts);
	for (int i = 0; i < N; i++)
		trace = trace * 31 + (uint64_t)counts[i];
	trace = trace * 31 + (uint64_t)leat_now();
	return 0;
}

TEST_PLAIN(replay)
{
	uint64_t before = 0;

	for (uint64_t seed = 1; seed <= 20; seed++) {
		uint64_t first;

		CHECK_EQ(leat_run(LEAT_OPTIONS(.sim_seed = seed), traced_run, NULL), 0);
		first = trace;
		CHECK_EQ(leat_run(LEAT_OPTIONS(.sim_seed = seed), traced_run, NULL), 0);
		CHECK(trace == first);
		CHECK(first != before);
		before = first;
	}
}

static int left_open(void *arg)
{
	leat_addr at;
	leat_io io[2];

	(void)arg;
	(void)open_at("127.0.0.1:0", &at);
	(void)open_at("unix:/left", &at);
	CHECK_EQ(leat_socketpair(io, SOCK_DGRAM), 0);
	CHECK_EQ(leat_write(io[0], "x", 1, LEAT_FOREVER), 1);
	return leat_socketpair(io, SOCK_SEQPACKET);
}

TEST_PLAIN(handles_left_open)
{
	CHECK_EQ(leat_sim_run(NULL, left_open, NULL, 1, 5, NULL), 0);
}
