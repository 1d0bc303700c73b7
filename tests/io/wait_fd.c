/*
 * leat_wait_fd: descriptors of others.
 */
#include "io.h"

LEAT_TASK(wait_for, (int, fd), (unsigned, what), (int *, ret))
{
	*ret = leat_wait_fd(fd, what, LEAT_FOREVER);
}

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

static void fill(int fd)
{
	char bytes[4096] = "";

	REQUIRE(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
}

TEST(ready_at_once)
{
	int fd[2];

	REQUIRE(pipe2(fd, O_CLOEXEC) == 0);
	CHECK_EQ(leat_wait_fd(fd[1], LEAT_WRITABLE, LEAT_FOREVER), LEAT_WRITABLE);
	CHECK_EQ(leat_wait_fd(fd[0], LEAT_READABLE, leat_in(LEAT_MS)), -ETIMEDOUT);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	/* As often as one asks: it is the state that counts, not the event. */
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_wait_fd(fd[0], LEAT_READABLE, LEAT_FOREVER), LEAT_READABLE);
	close(fd[1]);
	close(fd[0]);
	CHECK_EQ(leat_wait_fd(fd[0], LEAT_READABLE, LEAT_FOREVER), -EBADF);
	CHECK_EQ(leat_wait_fd(-1, LEAT_READABLE, LEAT_FOREVER), -EBADF);
}

/* Readers and a writer wait for one socket. */
TEST(many_wait_for_one)
{
	int fd[2], r[4] = { 0 };
	char c[4096];
	leat_group group;

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
	fill(fd[0]);
	make(&group);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&group, wait_for, fd[0], LEAT_READABLE, &r[i]), 0);
	CHECK_EQ(leat_go_in(&group, wait_for, fd[0], LEAT_WRITABLE, &r[3]), 0);
	CHECK_EQ(leat_sleep(2 * LEAT_MS), 0);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_EQ(leat_sleep(2 * LEAT_MS), 0);
	REQUIRE(fcntl(fd[1], F_SETFL, O_NONBLOCK) == 0);
	while (read(fd[1], c, sizeof(c)) > 0)
		;
	CHECK_EQ(finish(&group), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(r[i], LEAT_READABLE);
	CHECK_EQ(r[3], LEAT_WRITABLE);
	close(fd[0]);
	close(fd[1]);
}

TEST(both_directions_and_cancel)
{
	int fd[2], r = 0;
	leat_group group;

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
	fill(fd[0]);
	make(&group);
	CHECK_EQ(leat_go_in(&group, wait_for, fd[0], LEAT_READABLE | LEAT_WRITABLE, &r), 0);
	CHECK_EQ(leat_sleep(2 * LEAT_MS), 0);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(r, LEAT_READABLE);
	make(&group);
	CHECK_EQ(leat_go_in(&group, wait_for, fd[0], LEAT_WRITABLE, &r), 0);
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	leat_group_cancel(&group, 0);
	CHECK_EQ(finish(&group), -ECANCELED);
	CHECK_EQ(r, -ECANCELED);
	close(fd[0]);
	close(fd[1]);
}

LEAT_TASK(wait_until_canceled, (int, fd), (int *, ret))
{
	while ((*ret = leat_wait_fd(fd, LEAT_READABLE, LEAT_FOREVER)) > 0)
		leat_group_cancel(leat_group_current(), 0);
}

/* A loop around a descriptor that is always ready ends, too. */
TEST(cancel_while_ready)
{
	int fd[2], r = 0;
	leat_group group;

	REQUIRE(pipe2(fd, O_CLOEXEC) == 0);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	make(&group);
	CHECK_EQ(leat_go_in(&group, wait_until_canceled, fd[0], &r), 0);
	CHECK_EQ(finish(&group), -ECANCELED);
	CHECK_EQ(r, -ECANCELED);
	close(fd[0]);
	close(fd[1]);
}

/* What poll(2) calls always ready is; a descriptor that has a handle is not waited for twice. */
TEST(files_and_handles)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct pair p = make_pipe();

	REQUIRE(fd >= 0);
	CHECK_EQ(leat_wait_fd(fd, LEAT_READABLE, LEAT_FOREVER), LEAT_READABLE);
	close(fd);
	CHECK_EQ(leat_wait_fd(leat_io_fd(p.a), LEAT_READABLE, LEAT_FOREVER), -EEXIST);
	close_pair(p);
}

/* The same number again and again, for another pipe each time. */
LEAT_TASK(pass_one, (int, rounds))
{
	for (int i = 0; i < rounds; i++) {
		int fd[2], r = 0;
		leat_group group;
		char c;

		REQUIRE(pipe2(fd, O_CLOEXEC) == 0);
		make(&group);
		CHECK_EQ(leat_go_in(&group, wait_for, fd[0], LEAT_READABLE, &r), 0);
		leat_yield();
		CHECK_EQ(write(fd[1], "x", 1), 1);
		CHECK_EQ(finish(&group), 0);
		CHECK_EQ(r, LEAT_READABLE);
		CHECK_EQ(read(fd[0], &c, 1), 1);
		close(fd[0]);
		close(fd[1]);
	}
}

TEST(numbers_are_used_again)
{
	leat_group group;

	make(&group);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(leat_go_in(&group, pass_one, 100), 0);
	CHECK_EQ(finish(&group), 0);
}

TEST_DEATH_TASK(wait_for_nothing, "leat_wait_fd")
{
	leat_wait_fd(0, 0, LEAT_FOREVER);
}
