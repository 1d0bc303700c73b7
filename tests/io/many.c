/*
 * Many connections: cancelled at random points, idle, slow.
 */
#include <dirent.h>
#include <sys/resource.h>

#include "net.h"

/* All of them, whatever their number. */
static int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	REQUIRE(dir != NULL);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* VmRSS + VmPTE in bytes. */
static int64_t memory(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[128];
	int64_t sum = 0;

	REQUIRE(file != NULL);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "VmRSS:", 6) == 0 || strncmp(line, "VmPTE:", 6) == 0)
			sum += strtoll(line + 6, NULL, 10) * 1024;
	fclose(file);
	return sum;
}

enum { MESSAGE = 64, MESSAGES = 3, DOOMED_GROUPS = 40, ACCEPTORS = 4 };

struct storm {
	leat_addr addr;
	leat_io listener;
	leat_group servers, acceptors, survivors, doomed[DOOMED_GROUPS];
	int64_t accepted, survived, cancelled, other;
};

static void count(int64_t *where)
{
	__atomic_fetch_add(where, 1, __ATOMIC_RELAXED);
}

LEAT_TASK(echo, (leat_io, io))
{
	char buf[MESSAGE];
	int64_t n;

	while ((n = leat_read(io, buf, sizeof(buf), LEAT_FOREVER)) > 0)
		if (leat_write_all(io, buf, (size_t)n, LEAT_FOREVER, NULL) < 0)
			break;
	CHECK_EQ(leat_io_close(io), 0);
}

LEAT_TASK(accept_all, (struct storm *, storm))
{
	leat_io io;
	int r;

	while ((r = leat_accept(storm->listener, &io, NULL, LEAT_FOREVER)) == 0) {
		count(&storm->accepted);
		CHECK_EQ(leat_go_in(&storm->servers, echo, io), 0);
	}
	CHECK_EQ(r, LEAT_ECLOSED);
}

/* 0, or the first error. */
static int talk(leat_io io, int id)
{
	char out[MESSAGE], in[MESSAGE];
	int r = 0;

	for (int i = 0; i < MESSAGES && r == 0; i++) {
		memset(out, id + i, sizeof(out));
		r = leat_write_all(io, out, sizeof(out), LEAT_FOREVER, NULL);
		if (r == 0)
			r = leat_read_full(io, in, sizeof(in), LEAT_FOREVER, NULL);
		if (r == 0)
			CHECK(memcmp(in, out, sizeof(in)) == 0);
	}
	return r;
}

LEAT_TASK(client, (struct storm *, storm), (int, id), (bool, doomed))
{
	/* A reset at the end: ports that wait for late packets would run out. */
	struct linger linger = { 1, 0 };
	leat_io io;
	int r = leat_connect(&io, &storm->addr, NULL, LEAT_FOREVER);

	if (r == 0) {
		CHECK_EQ(leat_sockopt_set(io, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
		r = talk(io, id);
		CHECK_EQ(leat_io_close(io), 0);
	}
	if (!doomed)
		CHECK_EQ(r, 0);
	if (!doomed && r == 0)
		count(&storm->survived);
	else if (r == -ECANCELED)
		count(&storm->cancelled);
	else if (r < 0)
		count(&storm->other);
}

static void spawn_clients(struct storm *storm, int n)
{
	for (int i = 0; i < n; i++) {
		bool doomed = i % 2;
		leat_group *group = doomed ? &storm->doomed[i / 2 % DOOMED_GROUPS]
					   : &storm->survivors;
		int r = leat_go_in(group, client, storm, i, doomed);

		CHECK(r == 0 || (doomed && r == -ECANCELED));
		/* Some are cancelled before they have begun, others while they connect. */
		if (i % 64 == 0 && leat_random(8) == 0)
			leat_group_cancel(&storm->doomed[leat_random(4)], 0);
	}
}

static int64_t total_cancelled;

static void one_round(int n)
{
	struct storm *storm = calloc(1, sizeof(*storm));

	storm->listener = listen_at("127.0.0.1:0", &storm->addr);
	group_make(&storm->servers);
	group_make(&storm->acceptors);
	group_make(&storm->survivors);
	for (int i = 0; i < DOOMED_GROUPS; i++)
		group_make(&storm->doomed[i]);
	for (int i = 0; i < ACCEPTORS; i++)
		CHECK_EQ(leat_go_in(&storm->acceptors, accept_all, storm), 0);
	spawn_clients(storm, n - n % 2);
	for (int i = 0; i < DOOMED_GROUPS; i++) {
		leat_group_cancel(&storm->doomed[i], 0);
		CHECK_EQ(leat_sleep((int64_t)leat_random((uint64_t)n * 4) * LEAT_US), 0);
	}
	for (int i = 0; i < DOOMED_GROUPS; i++)
		CHECK_EQ(group_finish(&storm->doomed[i]), -ECANCELED);
	CHECK_EQ(group_finish(&storm->survivors), 0);
	CHECK_EQ(leat_io_close(storm->listener), 0);
	CHECK_EQ(group_finish(&storm->acceptors), 0);
	CHECK_EQ(group_finish(&storm->servers), 0);
	CHECK_EQ(storm->survived, n / 2);
	CHECK_EQ(storm->other, 0);
	CHECK(storm->accepted >= n / 2);
	total_cancelled += storm->cancelled;
	free(storm);
}

static void storms(int n, int rounds)
{
	int fds = raise_nofile((rlim_t)(2 * n + 200)), before;

	if (n > (fds - 200) / 2)
		n = (fds - 200) / 2;
	one_round(10);	/* opens what stays open */
	before = open_fds();
	for (int i = 0; i < rounds && !test_failed(); i++) {
		one_round(n);
		CHECK_EQ(open_fds(), before);
	}
	/* Else nothing was shown. */
	CHECK(total_cancelled > 0);
}

TEST(half_of_them_cancelled)
{
	if (test_full())
		test_timeout(600);
	storms(test_full() ? 10000 : test_slow() ? 100 : 500, test_full() ? 100 : 4);
}

TEST_WITH(half_of_them_cancelled_on_one_worker, .workers = 1)
{
	storms(test_slow() ? 50 : 300, 3);
}

LEAT_TASK(hold, (leat_io, io))
{
	char c;

	CHECK_EQ(leat_read(io, &c, 1, LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_close(io), 0);
}

static int64_t cpu_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * LEAT_S +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * LEAT_US;
}

/* An idle connection costs at most 5 KB above the kernel's, and no CPU. */
TEST(idle)
{
	int n = 5000;
	leat_io *client = calloc((size_t)n, sizeof(*client));
	int64_t before, each, cpu;
	leat_group group;
	leat_addr addr;
	leat_io listener = listen_at("127.0.0.1:0", &addr), io;

	if (test_slow() || raise_nofile((rlim_t)(2 * n + 200)) < 2 * n + 200)
		SKIP("too few descriptors, or sanitizers with memory of their own");
	group_make(&group);
	before = memory();
	for (int i = 0; i < n; i++) {
		REQUIRE(leat_connect(&client[i], &addr, NULL, leat_in(LEAT_S)) == 0);
		REQUIRE(leat_accept(listener, &io, NULL, leat_in(LEAT_S)) == 0);
		REQUIRE(leat_go_in(&group, hold, io) == 0);
	}
	CHECK_EQ(leat_sleep(50 * LEAT_MS), 0);
	each = (memory() - before) / n;
	if (each > 5000)
		CHECK_EQ(each, 5000);
	cpu = cpu_ns();
	CHECK_EQ(leat_sleep(300 * LEAT_MS), 0);
	CHECK(cpu_ns() - cpu < 3 * LEAT_MS);
	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_io_close(client[i]), 0);
	CHECK_EQ(group_finish(&group), 0);
	free(client);
}

/* Who does not read costs the writer nothing but the kernel's buffers. */
TEST(slow_client)
{
	enum { N = 50, PIECE = 65536 };
	static char piece[PIECE];
	struct pair p[N];
	int64_t before, deadline;

	for (int i = 0; i < N; i++)
		p[i] = make_connection("127.0.0.1:0");
	memset(piece, 1, sizeof(piece));
	before = memory();
	deadline = leat_in(100 * LEAT_MS);
	for (int i = 0; i < N; i++)
		while (leat_write(p[i].a, piece, PIECE, leat_in(LEAT_MS)) > 0)
			if (leat_now() > deadline + 5 * LEAT_S)
				REQUIRE(!"it never stops");
	/* A sanitizer's memory grows, too; what all have written would be 3 MiB and more. */
	CHECK(memory() - before < (test_slow() ? 3 << 20 : 1 << 20));
	for (int i = 0; i < N; i++)
		close_pair(p[i]);
}
