/*
 * The simulated sockets of messages, and pairs, against the kernel's: the same random calls on
 * either must have the same results: errors, sizes, bytes, addresses.
 *
 * Without loss, and with a pause after each call, so that all that was sent has arrived.  Ports
 * differ: an address is compared by the socket that has it.
 */
#include <ftw.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <leat/net.h>
#include <leat/sim.h>

#include "test.h"

enum { CALLS = 300, SOCKETS = 8, SEEDS = 150, BUF = 8 };

struct slot {
	leat_io io;
	bool open, is_named, is_shut;
	int type;
	leat_addr addr;		/* if is_named */
	int number;		/* of the address: the same in both */
	char about[32];
};

struct run {
	uint64_t random;	/* the same in both */
	struct slot slot[SOCKETS];
	leat_addr old[4];	/* of sockets that are closed */
	int nold, n, names;
	struct step {
		const char *call;
		char about[96];
		char addr[LEAT_ADDR_TEXT]; /* that was returned */
		int64_t result;
		uint64_t hash;	/* of what was read, of addr without its port */
	} step[CALLS];
};

static char base[] = "/tmp/leat-datagram-XXXXXX";
static bool no_v6;		/* the kernel has none here */

static uint64_t below(struct run *run, uint64_t n)
{
	run->random = run->random * 6364136223846793005u + 1442695040888963407u;
	return (run->random >> 33) % n;
}

static uint64_t hash_of(const char *bytes, size_t n)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
	return hash;
}

/* The text of an address without what differs from run to run: the port, which says whose. */
static void note_addr(const struct run *run, struct step *step, const leat_addr *addr)
{
	char text[LEAT_ADDR_TEXT];
	leat_addr plain = *addr;
	uint64_t whose = 99;

	for (int i = 0; i < SOCKETS && leat_addr_port(addr) > 0; i++)
		if (run->slot[i].is_named &&
		    leat_addr_port(&run->slot[i].addr) == leat_addr_port(addr))
			whose = (uint64_t)run->slot[i].number;
	(void)leat_addr_set_port(&plain, 0);
	CHECK(leat_addr_format(&plain, text, sizeof(text)) > 0);
	CHECK(leat_addr_format(addr, step->addr, sizeof(step->addr)) > 0);
	step->hash = hash_of(text, strlen(text)) + whose;
}

static leat_addr addr_of(const char *text)
{
	leat_addr addr;

	REQUIRE(leat_addr_parse(&addr, text) == 0);
	return addr;
}

/* An address to bind at; ports are given by the kernel, or the simulation. */
static leat_addr new_addr(struct run *run, char about[32])
{
	static const char *const any[] = { "127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0",
					   "[::ffff:127.0.0.1]:0" };
	uint64_t kind = below(run, 8), which = below(run, 3);
	char text[LEAT_ADDR_TEXT];

	if (kind < 5)
		which = below(run, no_v6 ? 2 : 5);
	if (kind < 5)
		snprintf(text, sizeof(text), "%s", any[which]);
	else if (kind < 7)
		snprintf(text, sizeof(text), "unix:%s/%d", base, (int)which);
	else
		snprintf(text, sizeof(text), "unix:@leat-%s-%d", base + 5, (int)which);
	snprintf(about, 32, "%s", kind < 5 ? any[which] : strrchr(text, kind < 7 ? '/' : '@'));
	return addr_of(text);
}

/* Where something is sent to: a socket, one that is closed, or nobody. */
static const leat_addr *some_addr(struct run *run, char about[32])
{
	static const char *const nobody[] = { "unix:/nowhere/at/all", "unix:@leat-nobody",
					      "127.0.0.1:0", "255.255.255.255:9", "[::1]:0" };
	static leat_addr addr;
	uint64_t i = below(run, SOCKETS), what = below(run, 12), who = below(run, 5);
	uint64_t variant = below(run, 6);

	if (what == 0 || (!run->slot[i].is_named && run->nold == 0)) {
		addr = addr_of(nobody[no_v6 && who == 4 ? 0 : who]);
		snprintf(about, 32, "%s", nobody[who]);
	} else if (what == 1 || !run->slot[i].is_named) {
		if (run->nold == 0)
			return some_addr(run, about);
		addr = run->old[who % (uint64_t)run->nold];
		snprintf(about, 32, "closed %d", (int)(who % (uint64_t)run->nold));
	} else {
		static const char *const others[] = { "127.0.0.1:0", "[::ffff:127.0.0.1]:0",
						      "[::1]:0", "0.0.0.0:0" };

		addr = run->slot[i].addr;
		snprintf(about, 32, "of %d", (int)i);
		if (leat_addr_port(&addr) >= 0 && variant < 4 && !(no_v6 && variant < 3)) {
			leat_addr other = addr_of(others[variant]);

			(void)leat_addr_set_port(&other, (unsigned)leat_addr_port(&addr));
			addr = other;
			snprintf(about, 32, "of %d, %s", (int)i, others[variant]);
		}
	}
	return &addr;
}

static void close_slot(struct run *run, struct slot *slot)
{
	if (!slot->open)
		return;
	CHECK_EQ(leat_io_close(slot->io), 0);
	if (slot->is_named)
		run->old[run->nold < 4 ? run->nold++ : (int)below(run, 4)] = slot->addr;
	slot->open = slot->is_named = false;
}

static void opened(struct run *run, struct slot *slot, struct step *step)
{
	slot->open = step->result == 0;
	slot->is_shut = false;
	slot->number = run->names++;
	if (!slot->open)
		return;
	CHECK_EQ(leat_local_addr(slot->io, &slot->addr), 0);
	slot->is_named = slot->addr._size > sizeof(sa_family_t);
	note_addr(run, step, &slot->addr);
}

/* The kernel may give the same port for two IPs, or one that was another's: nobody's name then. */
static bool is_known(const struct run *run, leat_io io)
{
	leat_addr addr;
	int port;

	if (leat_local_addr(io, &addr) < 0 || (port = leat_addr_port(&addr)) < 0)
		return false;
	for (int i = 0; i < SOCKETS; i++)
		if (run->slot[i].is_named && leat_addr_port(&run->slot[i].addr) == port)
			return true;
	for (int i = 0; i < run->nold; i++)
		if (leat_addr_port(&run->old[i]) == port)
			return true;
	return false;
}

static void call_open(struct run *run, struct step *step)
{
	leat_addr local;
	const leat_addr *peer = NULL, *own;
	struct slot *slot = &run->slot[below(run, SOCKETS)];
	char at[32] = "-", to[32] = "-";
	uint64_t how = below(run, 4);
	const leat_socket_options *options =
		LEAT_SOCKET_OPTIONS(.v6_only = below(run, 4) == 0, .replace_path = below(run, 2));

	close_slot(run, slot);
	step->call = "open";
	if (how > 0)
		local = new_addr(run, at);
	if (how < 2)
		peer = some_addr(run, to);
	snprintf(step->about, sizeof(step->about), "%d: %s %s%s%s", (int)(slot - run->slot), at, to,
		 options->v6_only ? " v6 only" : "", options->replace_path ? " replaces" : "");
	own = how > 0 ? &local : NULL;
	do
		step->result = leat_datagram_open(&slot->io, own, peer, options);
	while (step->result == 0 && is_known(run, slot->io) && leat_io_close(slot->io) == 0);
	slot->type = SOCK_DGRAM;
	opened(run, slot, step);
}

static void call_pair(struct run *run, struct step *step)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	uint64_t which = below(run, 3), i = below(run, SOCKETS / 2);
	struct slot *a = &run->slot[2 * i], *b = a + 1;
	leat_io io[2];

	step->call = "pair";
	snprintf(step->about, sizeof(step->about), "%d: type %d", (int)(2 * i), types[which]);
	close_slot(run, a);
	close_slot(run, b);
	step->result = leat_socketpair(io, types[which]);
	a->io = io[0];
	b->io = io[1];
	opened(run, a, step);
	opened(run, b, step);
	a->type = b->type = types[which];
}

static const char *bytes_of(struct run *run, size_t *ret_n)
{
	static const size_t sizes[] = { 0, 1, 2, 3, 5, BUF, BUF + 1, 20, 1000, 65507, 65508 };
	static char bytes[65536];

	*ret_n = sizes[below(run, 8) ? below(run, 8) : below(run, 11)];
	memset(bytes, 'a' + (int)below(run, 26), sizeof(bytes));
	return bytes;
}

/* Long enough for what has arrived, also where other programs run. */
static int64_t soon(void)
{
	return leat_in(leat_sim_seed() ? LEAT_S : test_slow() ? 2 * LEAT_MS : LEAT_MS / 2);
}

/* Of a Unix socket that is neither connected nor writable: versions of Linux differ. */
static int64_t same_error(int64_t r)
{
	return r == -ENOTCONN ? -EPIPE : r;
}

static void call_send(struct run *run, struct slot *slot, struct step *step)
{
	struct iovec iov[3];
	const leat_addr *to = NULL;
	char about[32] = "-";
	uint64_t how = below(run, 4);
	size_t n;
	char *bytes = (char *)(uintptr_t)bytes_of(run, &n);

	/*
	 * A stream would split what is large.  An empty message that nobody has read makes the
	 * close of a SOCK_SEQPACKET a reset in some versions of Linux, and in others not.
	 */
	if ((slot->type == SOCK_STREAM && n > 1000) || (slot->type == SOCK_SEQPACKET && n == 0))
		n = 7;
	if (how < 2 && slot->type != SOCK_STREAM)
		to = some_addr(run, about);
	step->call = how < 3 ? "send_to" : "writev";
	snprintf(step->about, sizeof(step->about), "%d, %zu bytes, to %s",
		 (int)(slot - run->slot), n, about);
	if (how < 3) {
		step->result = same_error(leat_send_to(slot->io, bytes, n, to, soon()));
		return;
	}
	iov[0] = (struct iovec){ bytes, n / 3 };
	iov[1] = (struct iovec){ NULL, 0 };
	iov[2] = (struct iovec){ bytes + n / 3, n - n / 3 };
	step->result = same_error(leat_writev(slot->io, iov, 3, soon()));
}

static void call_receive(struct run *run, struct slot *slot, struct step *step)
{
	char buf[BUF] = "";
	struct iovec iov[2] = { { buf, 2 }, { buf + 2, BUF - 2 } };
	uint64_t how = below(run, 4);
	leat_addr from;

	if (how < 2 && slot->type == SOCK_STREAM)
		how = 3;
	step->call = how < 2 ? "recv_from" : how == 2 ? "readv" : "read";
	snprintf(step->about, sizeof(step->about), "%d", (int)(slot - run->slot));
	if (how < 2) {
		step->result = leat_recv_from(slot->io, buf, how ? BUF : 0, &from, soon());
		if (step->result >= 0)
			note_addr(run, step, &from);
	} else if (how == 2) {
		step->result = leat_readv(slot->io, iov, 2, soon());
	} else {
		step->result = leat_read(slot->io, buf, BUF, soon());
	}
	step->hash += hash_of(buf, BUF);
}

static void call_other(struct run *run, struct slot *slot, struct step *step)
{
	leat_addr addr;
	uint64_t what = below(run, 6);

	snprintf(step->about, sizeof(step->about), "%d", (int)(slot - run->slot));
	if (what == 0) {
		unsigned how = 1 + (unsigned)below(run, 3);

		step->call = "shutdown";
		snprintf(step->about, sizeof(step->about), "%d, %u", (int)(slot - run->slot), how);
		step->result = leat_shutdown(slot->io, how);
		slot->is_shut = true;
	} else if (what < 3) {
		step->call = "close";
		close_slot(run, slot);
	} else if (what == 3 || slot->is_shut) {
		/* For poll(2) it is readable ever after, of which an edge is told now and then. */
		step->call = "local";
		step->result = leat_local_addr(slot->io, &addr);
	} else if (what == 4) {
		step->call = "peer";
		step->result = leat_peer_addr(slot->io, &addr);
	} else {
		step->call = "wait";
		step->result = leat_io_wait(slot->io, LEAT_READABLE, soon());
	}
	if (what >= 3 && strcmp(step->call, "wait") != 0 && step->result == 0)
		note_addr(run, step, &addr);
}

static void make_call(struct run *run, struct step *step)
{
	struct slot *slot = &run->slot[below(run, SOCKETS)];
	uint64_t what = below(run, 16);

	step->call = "none";
	if (what < 2)
		call_open(run, step);
	else if (what == 2)
		call_pair(run, step);
	else if (!slot->open)
		call_open(run, step);
	else if (what < 9)
		call_send(run, slot, step);
	else if (what < 14)
		call_receive(run, slot, step);
	else
		call_other(run, slot, step);
	/* All that has been sent arrives, and what the kernel says of it. */
	if (leat_sim_seed())
		CHECK_EQ(leat_sleep(LEAT_S), 0);
}

static int make_calls(void *arg)
{
	struct run *run = arg;

	CHECK_EQ(leat_sim_net_set(LEAT_SIM_NET(.latency_max = LEAT_MS, .buffer = 1 << 20)), 0);
	for (run->n = 0; run->n < CALLS; run->n++)
		make_call(run, &run->step[run->n]);
	for (int i = 0; i < SOCKETS; i++)
		close_slot(run, &run->slot[i]);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void compare(uint64_t seed)
{
	struct run *real = calloc(1, sizeof(*real)), *simulated = calloc(1, sizeof(*simulated));

	REQUIRE(real && simulated && mkdtemp(base));
	real->random = simulated->random = seed;
	CHECK_EQ(leat_run(LEAT_OPTIONS(.workers = 1), make_calls, real), 0);
	CHECK_EQ(nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	CHECK_EQ(leat_run(LEAT_OPTIONS(.sim_seed = seed), make_calls, simulated), 0);
	for (int i = 0; i < CALLS; i++) {
		const struct step *a = &real->step[i], *b = &simulated->step[i];

		if (a->result == b->result && a->hash == b->hash)
			continue;
		for (int j = 0; j <= i; j++)
			fprintf(stderr, "seed %llu, call %d, %s %s: %lld %s of the kernel, %lld %s simulated%s\n",
				(unsigned long long)seed, j, real->step[j].call,
				real->step[j].about, (long long)real->step[j].result,
				real->step[j].addr, (long long)simulated->step[j].result,
				simulated->step[j].addr,
				real->step[j].hash == simulated->step[j].hash ? "" :
				", other bytes or addresses");
		CHECK_EQ(b->result, a->result);
		CHECK(b->hash == a->hash);
		break;
	}
	free(real);
	free(simulated);
}

/* Whether IPv6 is there is the kernel's own matter. */
static int try_v6(void *arg)
{
	leat_addr addr = addr_of("[::1]:0");
	leat_io io;

	(void)arg;
	no_v6 = leat_datagram_open(&io, &addr, NULL, NULL) < 0;
	return no_v6 ? 0 : leat_io_close(io);
}

TEST_PLAIN(same_results)
{
	uint64_t seeds = test_slow() ? SEEDS / 3 : SEEDS;

	CHECK_EQ(leat_run(LEAT_OPTIONS(.workers = 1), try_v6, NULL), 0);
	for (uint64_t seed = 1; seed <= seeds && !test_failed(); seed++) {
		memcpy(base + sizeof(base) - 7, "XXXXXX", 6);
		compare(seed);
	}
}
