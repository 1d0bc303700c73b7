/*
 * Streams in memory, buffered readers and writers.
 */
#include "io.h"

#include <leat/stream.h>

static leat_io memory(const char *text)
{
	leat_io io;

	REQUIRE(leat_io_memory(&io, text, strlen(text), 0) == 0);
	return io;
}

static leat_reader *reader_of(leat_io io, size_t buffer, size_t limit)
{
	leat_reader *reader;

	REQUIRE(leat_reader_create(&reader, io,
				   LEAT_STREAM_OPTIONS(.buffer = buffer, .limit = limit)) == 0);
	return reader;
}

static void check_line(leat_reader *reader, const char *want)
{
	const char *line;
	size_t n = 0;

	CHECK_EQ(leat_reader_line(reader, &line, &n, LEAT_FOREVER), 0);
	CHECK_EQ(n, strlen(want));
	CHECK(n == strlen(want) && memcmp(line, want, n) == 0);
}

static void check_end(leat_reader *reader)
{
	const char *line;
	size_t n;

	CHECK_EQ(leat_reader_line(reader, &line, &n, LEAT_FOREVER), LEAT_EEND);
}

TEST_BOTH(memory_streams, 3)
{
	leat_io io = memory("hello");
	char buf[16];

	CHECK_EQ(leat_read(io, buf, 2, LEAT_FOREVER), 2);
	CHECK_EQ(leat_write(io, " you", 4, LEAT_FOREVER), 4);
	CHECK_EQ(leat_read(io, buf, sizeof(buf), LEAT_FOREVER), 7);
	CHECK(memcmp(buf, "llo you", 7) == 0);
	CHECK_EQ(leat_read(io, buf, sizeof(buf), LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_fd(io), -EBADF);
	CHECK_EQ(leat_io_wait(io, LEAT_READABLE, LEAT_FOREVER), LEAT_READABLE);
	CHECK_EQ(leat_io_close(io), 0);
	CHECK_EQ(leat_read(io, buf, 1, LEAT_FOREVER), LEAT_ECLOSED);
}

TEST(memory_has_a_limit)
{
	leat_io io;
	char buf[16];
	size_t done;

	REQUIRE(leat_io_memory(&io, "abc", 3, 5) == 0);
	CHECK_EQ(leat_write_all(io, "defg", 4, LEAT_FOREVER, &done), -ENOSPC);
	CHECK_EQ(done, 2);
	CHECK_EQ(leat_read(io, buf, sizeof(buf), LEAT_FOREVER), 5);
	CHECK_EQ(leat_write_all(io, "fg", 2, LEAT_FOREVER, NULL), 0);
	CHECK_EQ(leat_io_close(io), 0);
}

TEST_BOTH(lines, 3)
{
	/* Buffers of all sizes: each line lies across their ends somewhere. */
	for (size_t size = 1; size < 20; size++) {
		leat_io io = memory("one\n\ntwo with spaces\r\nlast");
		leat_reader *reader = reader_of(io, size, 0);

		check_line(reader, "one");
		check_line(reader, "");
		check_line(reader, "two with spaces");
		check_line(reader, "last");
		check_end(reader);
		check_end(reader);
		leat_reader_free(reader);
		CHECK_EQ(leat_io_close(io), 0);
	}
}

TEST(pieces_and_the_rest)
{
	leat_io io = memory("a,bc,rest of it");
	leat_reader *reader = reader_of(io, 4, 0);
	const char *bytes;
	char buf[32];
	size_t n, got = 0;
	int64_t r;

	CHECK_EQ(leat_reader_until(reader, ',', &bytes, &n, LEAT_FOREVER), 0);
	CHECK(n == 1 && *bytes == 'a');
	CHECK_EQ(leat_reader_until(reader, ',', &bytes, &n, LEAT_FOREVER), 0);
	CHECK(n == 2 && memcmp(bytes, "bc", 2) == 0);
	while ((r = leat_reader_read(reader, buf + got, sizeof(buf) - got, LEAT_FOREVER)) > 0)
		got += (size_t)r;
	CHECK_EQ(r, 0);
	CHECK(got == 10 && memcmp(buf, "rest of it", 10) == 0);
	leat_reader_free(reader);
	CHECK_EQ(leat_io_close(io), 0);
}

TEST(too_long_a_line)
{
	leat_io io = memory("12345678\nshort\n");
	leat_reader *reader = reader_of(io, 2, 5);
	const char *line;
	char buf[9];
	size_t n, got = 0;

	CHECK_EQ(leat_reader_line(reader, &line, &n, LEAT_FOREVER), -EMSGSIZE);
	CHECK_EQ(leat_reader_line(reader, &line, &n, LEAT_FOREVER), -EMSGSIZE);
	while (got < sizeof(buf)) {
		int64_t r = leat_reader_read(reader, buf + got, sizeof(buf) - got, LEAT_FOREVER);

		REQUIRE(r > 0);
		got += (size_t)r;
	}
	CHECK(memcmp(buf, "12345678\n", sizeof(buf)) == 0);
	check_line(reader, "short");
	check_end(reader);
	leat_reader_free(reader);
	CHECK_EQ(leat_io_close(io), 0);
}

/* A deadline in the middle of a line loses nothing of it. */
TEST(deadline_inside_of_a_line)
{
	struct pair p = make_socketpair();
	leat_reader *reader = reader_of(p.a, 0, 0);
	const char *line;
	size_t n;

	CHECK_EQ(leat_write_all(p.b, "first ", 6, LEAT_FOREVER, NULL), 0);
	CHECK_EQ(leat_reader_line(reader, &line, &n, leat_in(2 * LEAT_MS)), -ETIMEDOUT);
	CHECK_EQ(leat_write_all(p.b, "half\nnext", 9, LEAT_FOREVER, NULL), 0);
	check_line(reader, "first half");
	CHECK_EQ(leat_io_close(p.b), 0);
	check_line(reader, "next");
	check_end(reader);
	leat_reader_free(reader);
	CHECK_EQ(leat_io_close(p.a), 0);
}

TEST(writes_are_collected)
{
	struct pair p = make_socketpair();
	leat_writer *writer;
	char buf[32];
	size_t done;

	REQUIRE(leat_writer_create(&writer, p.b, LEAT_STREAM_OPTIONS(.buffer = 8)) == 0);
	CHECK_EQ(leat_writer_write(writer, "abc", 3, LEAT_FOREVER, &done), 0);
	CHECK_EQ(done, 3);
	CHECK_EQ(leat_read(p.a, buf, sizeof(buf), leat_in(LEAT_MS)), -ETIMEDOUT);
	CHECK_EQ(leat_writer_write(writer, "defghij", 7, LEAT_FOREVER, NULL), 0);
	CHECK_EQ(leat_read(p.a, buf, sizeof(buf), LEAT_FOREVER), 8);
	CHECK_EQ(leat_writer_flush(writer, LEAT_FOREVER), 0);
	CHECK_EQ(leat_read(p.a, buf + 8, sizeof(buf) - 8, LEAT_FOREVER), 2);
	CHECK(memcmp(buf, "abcdefghij", 10) == 0);
	CHECK_EQ(leat_writer_flush(writer, LEAT_FOREVER), 0);
	CHECK_EQ(leat_io_close(p.a), 0);
	CHECK_EQ(leat_writer_write(writer, "x", 1, LEAT_FOREVER, NULL), 0);
	CHECK_EQ(leat_writer_flush(writer, LEAT_FOREVER), -EPIPE);
	leat_writer_free(writer);
	CHECK_EQ(leat_io_close(p.b), 0);
}

TEST(no_stream)
{
	leat_reader_free(NULL);
	leat_writer_free(NULL);
}
