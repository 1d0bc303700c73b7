/* Tests of tool/joblog.h. */
#include "test.h"

#include <limits.h>
#include <math.h>

#include "joblog.h"

/* Parses text, which is a literal: a copy in a block of exactly its size, so that ASan looks. */
static int parse(const char *text, size_t n, struct joblog_entry *ret, char **block)
{
	*block = malloc(n ? n : 1);
	REQUIRE(*block);
	memcpy(*block, text, n);
	return joblog_parse(*block, n, ret);
}

static bool is_bytes(const char *bytes, size_t n, const char *expected, size_t expected_n)
{
	return n == expected_n && memcmp(bytes, expected, n) == 0;
}

/* Lines that GNU parallel 20221122 wrote, but for the time of day. */
TEST_PLAIN(lines_of_gnu_parallel)
{
	static const char first[] =
		"Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";
	static const struct {
		const char *line, *command;
		double runtime;
		uint64_t received;
		int exitval, signal;
	} lines[] = {
		{ "1\t:\t1795876434.804\t     0.000\t0\t2\t1\t0\techo a; exit 1",
		  "echo a; exit 1", 0, 2, 1, 0 },
		{ "2\t:\t1795876434.896\t    11.004\t0\t0\t0\t9\tsleep 11; kill -9 $$",
		  "sleep 11; kill -9 $$", 11.004, 0, 0, 9 },
		{ "3\t:\t1795876434.813\t     0.002\t0\t5\t-1\t0\techo 'back\\s'",
		  "echo 'back\\s'", 0.002, 5, -1, 0 },
		{ "4\t:\t1795876434.809\t     0.002\t0\t4\t3\t0\techo 'b\tc'", "echo 'b\tc'",
		  0.002, 4, 3, 0 },
	};

	CHECK_STR(joblog_header, first);
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct joblog_entry e;
		char *block;

		REQUIRE(parse(lines[i].line, strlen(lines[i].line), &e, &block) == 0);
		CHECK_EQ(e.seq, i + 1);
		CHECK_STR(e.host, ":");
		CHECK(fabs(e.start - 1795876434.8) < 0.2);
		CHECK(e.runtime == lines[i].runtime);
		CHECK_EQ(e.sent, 0);
		CHECK_EQ(e.received, lines[i].received);
		CHECK_EQ(e.exitval, lines[i].exitval);
		CHECK_EQ(e.signal, lines[i].signal);
		CHECK(is_bytes(e.command, e.command_size, lines[i].command,
			       strlen(lines[i].command)));
		free(block);
	}
}

/* The numbers stand as there. */
TEST_PLAIN(numbers)
{
	static const char command[] = "sleep 11; kill -9 $$";
	struct joblog_entry e = { .seq = 2, .host = ":", .start = 1795876434.896,
				  .runtime = 11.004, .signal = 9, .command = command,
				  .command_size = strlen(command) };
	char line[200];

	CHECK_EQ(joblog_format(&e, line, sizeof(line)), strlen(line));
	CHECK_STR(line, "2\t:\t1795876434.896\t    11.004\t0\t0\t0\t9\tsleep 11; kill -9 $$\n");
	e.runtime = 123456.7896;
	e.sent = UINT64_MAX;
	e.received = 1;
	e.exitval = -1;
	e.command_size = 5;
	CHECK_EQ(joblog_format(&e, line, sizeof(line)), strlen(line));
	CHECK_STR(line, "2\t:\t1795876434.896\t123456.790\t18446744073709551615\t1\t-1\t9\tsleep\n");
}

TEST_PLAIN(escapes)
{
	static const char command[] = "a\tb\nc\\d\001\177\0e\303\251\377\r\033[1m";
	struct joblog_entry e = { .host = "x\ty", .command = command,
				  .command_size = sizeof(command) - 1 }, back;
	char line[200];
	size_t n = joblog_format(&e, line, sizeof(line));

	CHECK(strstr(line, "\tx\\ty\t"));
	CHECK(strstr(line, "\ta\\tb\\nc\\\\d\\x01\\x7f\\x00e\303\251\377\\x0d\\x1b[1m\n"));
	REQUIRE(joblog_parse(line, n - 1, &back) == 0);
	CHECK_STR(back.host, "x\ty");
	CHECK(is_bytes(back.command, back.command_size, command, sizeof(command) - 1));
}

/* As snprintf(3): always ends with a 0, writes nothing behind size, says how long it would be. */
TEST_PLAIN(short_of_room)
{
	struct joblog_entry e = { .seq = 1, .host = ":", .command = "a\tb", .command_size = 3 };
	char whole[200], part[200];
	size_t n = joblog_format(&e, whole, sizeof(whole));

	CHECK_EQ(joblog_format(&e, NULL, 0), n);
	for (size_t size = 1; size <= n + 1; size++) {
		memset(part, '#', sizeof(part));
		CHECK_EQ(joblog_format(&e, part, size), n);
		CHECK(memcmp(part, whole, size - 1) == 0);
		CHECK_EQ(part[size - 1], 0);
		CHECK_EQ(part[size], '#');
	}
}

TEST_PLAIN(not_lines)
{
	static const char *const bad[] = {
		"",
		"\t\t\t\t\t\t\t\t",
		"Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand",
		"1\t:\t0.0\t0.0\t0\t0\t0\t0", /* no command */
		"x\t:\t0.0\t0.0\t0\t0\t0\t0\tc",
		"-1\t:\t0.0\t0.0\t0\t0\t0\t0\tc",
		"18446744073709551616\t:\t0.0\t0.0\t0\t0\t0\t0\tc",
		"1\t:\tnan\t0.0\t0\t0\t0\t0\tc",
		"1\t:\t0.0\tinf\t0\t0\t0\t0\tc",
		"1\t:\t0x1\t0.0\t0\t0\t0\t0\tc",
		"1\t:\t1.2.3\t0.0\t0\t0\t0\t0\tc",
		"1\t:\t.\t0.0\t0\t0\t0\t0\tc",
		"1\t:\t0.0\t0.0\t\t0\t0\t0\tc",
		"1\t:\t0.0\t0.0\t0\t0 \t0\t0\tc",
		"1\t:\t0.0\t0.0\t0\t0\t4294967296\t0\tc",
		"1\t:\t0.0\t0.0\t0\t0\t0\t-\tc",
	};
	static const char zero[] = "1\t:\t0.\0" "0\t0.0\t0\t0\t0\t0\tc";
	struct joblog_entry e;
	char *block;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (parse(bad[i], strlen(bad[i]), &e, &block) != -EINVAL)
			test_fail(__FILE__, __LINE__, "%s", bad[i]);
		free(block);
	}
	CHECK_EQ(parse(zero, sizeof(zero) - 1, &e, &block), -EINVAL);
	free(block);
}

/* Escapes that are none stand for themselves, also at the end. */
TEST_PLAIN(no_escapes)
{
	static const char line[] = "1\t:\t0.0\t0.0\t0\t0\t0\t0\t\\a\\x4\\x4g\\xAB\\x41\\";
	static const char command[] = "\\a\\x4\\x4g\\xABA\\";
	struct joblog_entry e;
	char *block;

	REQUIRE(parse(line, sizeof(line) - 1, &e, &block) == 0);
	CHECK(is_bytes(e.command, e.command_size, command, sizeof(command) - 1));
	free(block);
}
