/*
 * Datagrams, the kernel's and simulated ones.
 */
#include "net.h"

#include <leat/sim.h>

/* Simulated, none overtakes another. */
static void keep_order(void)
{
	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.latency_min = 10 * LEAT_US,
					       .latency_max = 10 * LEAT_US)), 0);
}

static leat_io open_at(const char *text, leat_addr *ret_addr)
{
	leat_addr addr = addr_of(text);
	leat_io io;

	REQUIRE(leat_datagram_open(&io, &addr, NULL, NULL) == 0);
	REQUIRE(leat_local_addr(io, ret_addr) == 0);
	return io;
}

static void exchange(const char *text_a, const char *text_b)
{
	leat_addr at_a, at_b, from;
	leat_io a = open_at(text_a, &at_a), b = open_at(text_b, &at_b);
	char buf[16], got[LEAT_ADDR_TEXT], want[LEAT_ADDR_TEXT];

	keep_order();
	/* Two that wait, of different sizes; borders are kept. */
	CHECK_EQ(leat_send_to(a, "one", 3, &at_b, LEAT_FOREVER), 0);
	CHECK_EQ(leat_send_to(a, "", 0, &at_b, LEAT_FOREVER), 0);
	CHECK_EQ(leat_send_to(a, "a datagram of 26 characters", 26, &at_b, LEAT_FOREVER), 0);
	CHECK_EQ(leat_send_to(a, "four", 4, &at_b, LEAT_FOREVER), 0);
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	CHECK_EQ(leat_recv_from(b, buf, sizeof(buf), &from, leat_in(LEAT_S)), 3);
	CHECK(memcmp(buf, "one", 3) == 0);
	leat_addr_format(&from, got, sizeof(got));
	leat_addr_format(&at_a, want, sizeof(want));
	CHECK_STR(got, want);
	CHECK_EQ(leat_recv_from(b, buf, sizeof(buf), NULL, leat_in(LEAT_S)), 0);
	CHECK_EQ(leat_recv_from(b, buf, sizeof(buf), NULL, leat_in(LEAT_S)), 26);
	CHECK(memcmp(buf, "a datagram of 26", 16) == 0);
	CHECK_EQ(leat_read(b, buf, sizeof(buf), leat_in(LEAT_S)), 4);
	CHECK_EQ(leat_send_to(b, "back", 4, &from, LEAT_FOREVER), 0);
	CHECK_EQ(leat_recv_from(a, buf, sizeof(buf), &from, leat_in(LEAT_S)), 4);
	CHECK_EQ(leat_recv_from(a, buf, sizeof(buf), &from, leat_in(LEAT_MS)), -ETIMEDOUT);
	close_pair((struct pair){ a, b });
}

TEST_BOTH(udp_v4, 20)
{
	exchange("127.0.0.1:0", "127.0.0.1:0");
}

TEST_SIM(udp_v6_sim, 20)
{
	exchange("[::1]:0", "[::1]:0");
}

TEST(udp_v6)
{
	if (!has_ipv6())
		SKIP("no IPv6 here");
	exchange("[::1]:0", "[::1]:0");
}

TEST_BOTH(unix_datagrams, 20)
{
	exchange("unix:@leat-test-dgram-a", "unix:@leat-test-dgram-b");
}

TEST_BOTH(connected, 20)
{
	leat_addr at_b, at_c, local, none = addr_of("127.0.0.1:0");
	leat_io b = open_at("127.0.0.1:0", &at_b), c = open_at("127.0.0.1:0", &at_c), a;
	char buf[16];

	keep_order();
	REQUIRE(leat_datagram_open(&a, &none, &at_b, NULL) == 0);
	REQUIRE(leat_local_addr(a, &local) == 0);
	CHECK_EQ(leat_write(a, "x", 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_send_to(a, "yz", 2, NULL, LEAT_FOREVER), 0);
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	/* Less than all does not mean that there is no second one. */
	CHECK_EQ(leat_read(b, buf, sizeof(buf), leat_in(LEAT_S)), 1);
	CHECK_EQ(leat_read(b, buf, sizeof(buf), leat_in(LEAT_S)), 2);
	/* From others it gets nothing. */
	CHECK_EQ(leat_send_to(c, "no", 2, &local, LEAT_FOREVER), 0);
	CHECK_EQ(leat_read(a, buf, sizeof(buf), leat_in(2 * LEAT_MS)), -ETIMEDOUT);
	/* Nobody is there any more: the kernel says so. */
	CHECK_EQ(leat_io_close(b), 0);
	CHECK_EQ(leat_write(a, "x", 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_read(a, buf, sizeof(buf), leat_in(LEAT_S)), -ECONNREFUSED);
	close_pair((struct pair){ a, c });
}

TEST(errors)
{
	leat_addr at, taken, far = addr_of("255.255.255.255:9");
	leat_io a = open_at("127.0.0.1:0", &at), b;
	int before = count_fds();
	char *much = calloc(1, 100000);

	CHECK_EQ(leat_datagram_open(&b, &at, NULL, NULL), -EADDRINUSE);
	taken = addr_of("192.0.2.1:9");
	CHECK_EQ(leat_datagram_open(&b, &taken, NULL, NULL), -EADDRNOTAVAIL);
	CHECK_EQ(count_fds(), before);
	CHECK_EQ(leat_send_to(a, much, 100000, &at, LEAT_FOREVER), -EMSGSIZE);
	CHECK_EQ(leat_send_to(a, "x", 1, NULL, LEAT_FOREVER), -EDESTADDRREQ);
	CHECK_EQ(leat_send_to(a, "x", 1, &far, LEAT_FOREVER), -EACCES);
	free(much);
	CHECK_EQ(leat_io_close(a), 0);
	CHECK_EQ(leat_send_to(a, "x", 1, &at, LEAT_FOREVER), LEAT_ECLOSED);
	CHECK_EQ(leat_recv_from(a, &before, 1, NULL, LEAT_FOREVER), LEAT_ECLOSED);
}

/* In a stream it would lose bytes. */
TEST_BOTH(not_for_streams, 20)
{
	struct pair p = make_connection("127.0.0.1:0");
	char buf[4];

	keep_order();
	CHECK_EQ(leat_write(p.a, "abcdef", 6, LEAT_FOREVER), 6);
	CHECK_EQ(leat_recv_from(p.b, buf, 2, NULL, leat_in(LEAT_S)), -EOPNOTSUPP);
	CHECK_EQ(leat_read(p.b, buf, 2, leat_in(LEAT_S)), 2);
	CHECK(memcmp(buf, "ab", 2) == 0);
	close_pair(p);
}

LEAT_TASK(receive, (leat_io, io), (int64_t *, ret))
{
	char buf[8];

	*ret = leat_recv_from(io, buf, sizeof(buf), NULL, LEAT_FOREVER);
}

TEST_BOTH(close_and_cancel, 20)
{
	leat_addr at;
	leat_io io = open_at("127.0.0.1:0", &at);
	leat_group group;
	int64_t r = 0;

	group_make(&group);
	CHECK_EQ(leat_go_in(&group, receive, io, &r), 0);
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	leat_group_cancel(&group, 0);
	CHECK_EQ(group_finish(&group), -ECANCELED);
	CHECK_EQ(r, -ECANCELED);
	group_make(&group);
	CHECK_EQ(leat_go_in(&group, receive, io, &r), 0);
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	CHECK_EQ(leat_io_close(io), 0);
	CHECK_EQ(group_finish(&group), 0);
	CHECK_EQ(r, LEAT_ECLOSED);
}

LEAT_TASK(send_many, (leat_io, io), (int, n))
{
	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_send_to(io, &i, sizeof(i), NULL, LEAT_FOREVER), 0);
}

/* A full queue makes the sender of a Unix datagram wait; none is lost or out of order. */
TEST_BOTH(pair_of_datagram_sockets, 20)
{
	enum { N = 5000 };
	leat_io io[2];
	leat_group group;
	int got;

	REQUIRE(leat_socketpair(io, SOCK_DGRAM) == 0);
	group_make(&group);
	CHECK_EQ(leat_go_in(&group, send_many, io[0], N), 0);
	for (int i = 0; i < N; i++) {
		REQUIRE(leat_read(io[1], &got, sizeof(got), leat_in(5 * LEAT_S)) == sizeof(got));
		REQUIRE(got == i);
	}
	CHECK_EQ(group_finish(&group), 0);
	close_pair((struct pair){ io[0], io[1] });
}
