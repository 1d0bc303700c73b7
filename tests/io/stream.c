/*
 * Handles: reading, writing, waiting, closing, cancelling.
 */
#include <signal.h>

#include "foreign.h"
#include "io.h"

static void make(leat_group *group)
{
	REQUIRE(leat_group_init(group, NULL) == 0);
}

static int finish(leat_group *group)
{
	int r = leat_group_wait(group);

	leat_group_release(group);
	return r;
}

TEST(pass_bytes)
{
	struct pair p = make_socketpair();
	char buf[16] = "";

	CHECK_EQ(leat_write(p.a, "hello", 5, LEAT_FOREVER), 5);
	CHECK_EQ(leat_read(p.b, buf, sizeof(buf), LEAT_FOREVER), 5);
	CHECK(memcmp(buf, "hello", 5) == 0);
	CHECK_EQ(leat_read(p.b, buf, 0, LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_close(p.a), 0);
	CHECK_EQ(leat_read(p.b, buf, sizeof(buf), LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_close(p.b), 0);
}

TEST(vectors)
{
	struct pair p = make_pipe();
	char x[3], y[8];
	struct iovec out[2] = { { (char *)"abc", 3 }, { (char *)"defg", 4 } };
	struct iovec in[2] = { { x, sizeof(x) }, { y, sizeof(y) } };

	CHECK_EQ(leat_writev(p.b, out, 2, LEAT_FOREVER), 7);
	CHECK_EQ(leat_readv(p.a, in, 2, LEAT_FOREVER), 7);
	CHECK(memcmp(x, "abc", 3) == 0 && memcmp(y, "defg", 4) == 0);
	close_pair(p);
}

enum { MUCH = 1 << 20 };

LEAT_TASK(write_much, (leat_io, io))
{
	char *bytes = malloc(MUCH);
	size_t done = 0;

	for (int i = 0; i < MUCH; i++)
		bytes[i] = (char)(i * 31 >> 3);
	CHECK_EQ(leat_write_all(io, bytes, MUCH, LEAT_FOREVER, &done), 0);
	CHECK_EQ(done, MUCH);
	free(bytes);
}

static void pass_much(struct pair p)
{
	char *bytes = malloc(MUCH);
	leat_group group;
	size_t done = 0;

	make(&group);
	CHECK_EQ(leat_go_in(&group, write_much, p.b), 0);
	CHECK_EQ(leat_read_full(p.a, bytes, MUCH, LEAT_FOREVER, &done), 0);
	CHECK_EQ(done, MUCH);
	for (int i = 0; i < MUCH; i++)
		if (bytes[i] != (char)(i * 31 >> 3)) {
			CHECK_EQ(i, -1);
			break;
		}
	CHECK_EQ(finish(&group), 0);
	free(bytes);
	close_pair(p);
}

TEST(more_than_the_kernel_buffers)
{
	pass_much(make_socketpair());
	pass_much(make_pipe());
}

TEST(end_before_all)
{
	struct pair p = make_pipe();
	char buf[8];
	size_t done = 0;

	CHECK_EQ(leat_write(p.b, "xyz", 3, LEAT_FOREVER), 3);
	CHECK_EQ(leat_io_close(p.b), 0);
	CHECK_EQ(leat_read_full(p.a, buf, sizeof(buf), LEAT_FOREVER, &done), LEAT_EEND);
	CHECK_EQ(done, 3);
	CHECK_EQ(leat_io_close(p.a), 0);
}

TEST(deadlines)
{
	struct pair p = make_socketpair();
	int64_t start = leat_now();
	char buf[8];

	CHECK_EQ(leat_read(p.a, buf, sizeof(buf), leat_in(5 * LEAT_MS)), -ETIMEDOUT);
	CHECK(leat_now() - start >= 5 * LEAT_MS);
	CHECK_EQ(leat_io_wait(p.a, LEAT_READABLE, leat_in(LEAT_MS)), -ETIMEDOUT);
	CHECK_EQ(leat_io_wait(p.a, LEAT_READABLE | LEAT_WRITABLE, LEAT_FOREVER), LEAT_WRITABLE);
	/* Bytes that are there are read even past the deadline. */
	CHECK_EQ(leat_write(p.b, "x", 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_io_wait(p.a, LEAT_READABLE, LEAT_FOREVER), LEAT_READABLE);
	CHECK_EQ(leat_read(p.a, buf, sizeof(buf), 1), 1);
	close_pair(p);
}

LEAT_TASK(read_one, (leat_io, io), (int64_t *, ret))
{
	char c;

	*ret = leat_read(io, &c, 1, LEAT_FOREVER);
}

TEST(cancel_a_reader)
{
	struct pair p = make_socketpair();
	leat_group group;
	int64_t r = 0;

	make(&group);
	CHECK_EQ(leat_go_in(&group, read_one, p.a, &r), 0);
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	leat_group_cancel(&group, 0);
	CHECK_EQ(finish(&group), -ECANCELED);
	CHECK_EQ(r, -ECANCELED);
	close_pair(p);
}

TEST(close_under_readers)
{
	struct pair p = make_socketpair();
	int64_t r[3] = { 0 };
	leat_group group;
	char c;

	make(&group);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&group, read_one, p.a, &r[i]), 0);
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	CHECK_EQ(leat_io_close(p.a), 0);
	CHECK_EQ(finish(&group), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(r[i], LEAT_ECLOSED);
	CHECK_EQ(leat_io_close(p.a), LEAT_ECLOSED);
	CHECK_EQ(leat_read(p.a, &c, 1, LEAT_FOREVER), LEAT_ECLOSED);
	CHECK_EQ(leat_io_fd(p.a), -EBADF);
	CHECK_EQ(leat_read(p.b, &c, 1, LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_close(p.b), 0);
}

/* A handle that is stale stays so when its slot has been used again. */
TEST(stale_handles)
{
	struct pair old = make_socketpair(), new;
	char c;

	close_pair(old);
	new = make_socketpair();
	CHECK_EQ(leat_write(old.a, "x", 1, LEAT_FOREVER), LEAT_ECLOSED);
	CHECK_EQ(leat_write(old.b, "x", 1, LEAT_FOREVER), LEAT_ECLOSED);
	CHECK_EQ(leat_read(new.a, &c, 1, leat_in(0)), -ETIMEDOUT);
	CHECK_EQ(leat_read((leat_io){ 0 }, &c, 1, LEAT_FOREVER), LEAT_ECLOSED);
	CHECK(leat_io_is_none((leat_io){ 0 }));
	close_pair(new);
}

TEST(several_read_one_handle)
{
	enum { N = 8 };
	struct pair p = make_socketpair();
	int64_t r[N] = { 0 };
	leat_group group;

	make(&group);
	for (int i = 0; i < N; i++)
		CHECK_EQ(leat_go_in(&group, read_one, p.a, &r[i]), 0);
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	CHECK_EQ(leat_write_all(p.b, "12345678", N, LEAT_FOREVER, NULL), 0);
	CHECK_EQ(finish(&group), 0);
	for (int i = 0; i < N; i++)
		CHECK_EQ(r[i], 1);
	close_pair(p);
}

TEST(nobody_reads)
{
	struct pair p = make_socketpair(), q = make_pipe();

	CHECK_EQ(leat_io_close(p.b), 0);
	CHECK_EQ(leat_write(p.a, "x", 1, LEAT_FOREVER), -EPIPE);
	CHECK_EQ(leat_io_close(p.a), 0);
	CHECK_EQ(leat_io_close(q.a), 0);
	CHECK_EQ(leat_write(q.b, "x", 1, LEAT_FOREVER), -EPIPE);
	CHECK_EQ(leat_io_close(q.b), 0);
}

/* Inherited descriptors keep their flags and stay open. */
static void inherit(bool sockets)
{
	int fd[2], flags[2];
	char buf[8];
	leat_io in, out;

	REQUIRE(sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0 : pipe(fd) == 0);
	for (int i = 0; i < 2; i++)
		flags[i] = fcntl(fd[i], F_GETFL);
	REQUIRE(leat_io_adopt(&in, fd[0], LEAT_IO_INHERITED) == 0);
	REQUIRE(leat_io_adopt(&out, fd[1], LEAT_IO_INHERITED) == 0);
	CHECK_EQ(leat_read(in, buf, sizeof(buf), leat_in(LEAT_MS)), -ETIMEDOUT);
	CHECK_EQ(leat_write(out, "abc", 3, LEAT_FOREVER), 3);
	CHECK_EQ(leat_read(in, buf, sizeof(buf), LEAT_FOREVER), 3);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(fcntl(fd[i], F_GETFL), flags[i]);
	CHECK_EQ(leat_io_close(in), 0);
	CHECK_EQ(leat_io_close(out), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(fcntl(fd[i], F_GETFL), flags[i]);
	CHECK_EQ(write(fd[1], "d", 1), 1);
	CHECK_EQ(read(fd[0], buf, 1), 1);
	close(fd[0]);
	close(fd[1]);
}

TEST(inherited)
{
	inherit(false);
	inherit(true);
}

TEST(inherited_and_full)
{
	struct pair p;
	int fd[2];

	REQUIRE(pipe2(fd, O_CLOEXEC) == 0);
	REQUIRE(leat_io_adopt(&p.a, fd[0], LEAT_IO_INHERITED) == 0);
	REQUIRE(leat_io_adopt(&p.b, fd[1], LEAT_IO_INHERITED) == 0);
	pass_much(p);
	close(fd[0]);
	close(fd[1]);
}

TEST(files_are_streams_too)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char magic[4];
	leat_io io;

	REQUIRE(fd >= 0);
	CHECK_EQ(leat_io_adopt(&io, fd, LEAT_IO_INHERITED), 0);
	CHECK_EQ(leat_read_full(io, magic, 4, LEAT_FOREVER, NULL), 0);
	CHECK(memcmp(magic, "\177ELF", 4) == 0);
	CHECK_EQ(leat_io_close(io), 0);
	CHECK_EQ(close(fd), 0);
}

static int open_some(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++)
		make_socketpair();
	return 0;
}

/* What is still open when the runtime stops is closed by it. */
TEST_PLAIN(the_end_closes)
{
	int before = count_fds();

	for (int i = 0; i < 10; i++)
		CHECK_EQ(leat_run(NULL, open_some, NULL), 0);
	CHECK_EQ(count_fds(), before);
}

static int outside_timed_out; /* atomic */

static void read_outside(void *arg)
{
	char c;

	CHECK_EQ(leat_read(*(leat_io *)arg, &c, 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_read(*(leat_io *)arg, &c, 1, leat_in(LEAT_MS)), -ETIMEDOUT);
	__atomic_store_n(&outside_timed_out, 1, __ATOMIC_RELEASE);
	CHECK_EQ(leat_read(*(leat_io *)arg, &c, 1, LEAT_FOREVER), LEAT_ECLOSED);
}

TEST(foreign_thread)
{
	struct pair p = make_socketpair();
	struct foreign thread;

	foreign_start(&thread, read_outside, &p.a);
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	CHECK_EQ(leat_write(p.b, "x", 1, LEAT_FOREVER), 1);
	while (!__atomic_load_n(&outside_timed_out, __ATOMIC_ACQUIRE))
		CHECK_EQ(leat_sleep(LEAT_MS), 0);
	CHECK_EQ(leat_io_close(p.a), 0);
	foreign_join(&thread);
	CHECK_EQ(leat_io_close(p.b), 0);
}

LEAT_TASK(echo, (leat_io, io))
{
	char buf[256];
	int64_t n;

	while ((n = leat_read(io, buf, sizeof(buf), LEAT_FOREVER)) > 0)
		if (leat_write_all(io, buf, (size_t)n, LEAT_FOREVER, NULL) < 0)
			break;
	leat_io_close(io);
}

LEAT_TASK(ask, (leat_io, io), (int, rounds))
{
	int got;

	for (int i = 0; i < rounds; i++) {
		CHECK_EQ(leat_write_all(io, &i, sizeof(i), LEAT_FOREVER, NULL), 0);
		CHECK_EQ(leat_read_full(io, &got, sizeof(got), LEAT_FOREVER, NULL), 0);
		CHECK_EQ(got, i);
	}
	leat_io_close(io);
}

static void many_talk(void)
{
	leat_group group;

	make(&group);
	for (int i = 0; i < 50; i++) {
		struct pair p = make_socketpair();

		CHECK_EQ(leat_go_in(&group, echo, p.a), 0);
		CHECK_EQ(leat_go_in(&group, ask, p.b, 200), 0);
	}
	CHECK_EQ(finish(&group), 0);
}

TEST(many_talk_on_all_workers)
{
	many_talk();
}

TEST_WITH(many_talk_on_one_worker, .workers = 1)
{
	many_talk();
}

/* Readers that are closed, cancelled and timed out at the same moment. */
LEAT_TASK(close_it, (leat_io, io))
{
	leat_io_close(io);
}

TEST(close_cancel_and_deadline_at_once)
{
	for (int i = 0; i < 300; i++) {
		struct pair p = make_socketpair();
		int64_t r[2] = { 0, 0 };
		leat_group readers, closers;

		make(&readers);
		make(&closers);
		CHECK_EQ(leat_go_in(&readers, read_one, p.a, &r[0]), 0);
		CHECK_EQ(leat_go_in(&readers, read_one, p.a, &r[1]), 0);
		CHECK_EQ(leat_go_in(&closers, close_it, p.a), 0);
		CHECK_EQ(leat_go_in(&closers, close_it, p.b), 0);
		if (i % 2)
			leat_yield();
		leat_group_cancel(&readers, 0);
		finish(&readers);
		CHECK_EQ(finish(&closers), 0);
		for (int j = 0; j < 2; j++)
			CHECK(r[j] == 0 || r[j] == -ECANCELED || r[j] == LEAT_ECLOSED);
	}
}

/* Tasks wait for a descriptor: nobody can say that this is a deadlock. */

static void *write_from_thread(void *arg)
{
	usleep(20000);
	CHECK_EQ(write(*(int *)arg, "x", 1), 1);
	return NULL;
}

TEST(no_deadlock_is_seen)
{
	pthread_t thread;
	int fd[2];
	leat_io io;
	char c;

	REQUIRE(pipe2(fd, O_CLOEXEC) == 0);
	REQUIRE(leat_io_adopt(&io, fd[0], 0) == 0);
	REQUIRE(pthread_create(&thread, NULL, write_from_thread, &fd[1]) == 0);
	CHECK_EQ(leat_read(io, &c, 1, LEAT_FOREVER), 1);
	pthread_join(thread, NULL);
	CHECK_EQ(leat_io_close(io), 0);
	close(fd[1]);
}
