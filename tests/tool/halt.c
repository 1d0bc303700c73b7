/* Tests of tool/halt.h.  Where GNU parallel 20221122 stops was looked at for counts. */
#include "test.h"

#include "halt.h"

static const char *why;

static struct halt parse(const char *text)
{
	struct halt halt = { .when = HALT_NOW };

	REQUIRE(halt_parse(text, &halt, &why) == 0);
	return halt;
}

/* The jobs that end before it says so, of those with these results ('0' succeeded, '1' failed). */
static size_t ends_after(const char *text, const char *results, enum halt_when when)
{
	struct halt halt = parse(text);
	uint64_t n[2] = { 0, 0 };

	for (size_t i = 0; results[i]; i++) {
		enum halt_when now;

		n[results[i] - '0']++;
		now = halt_now(&halt, n[0], n[1]);
		if (now != HALT_NEVER) {
			CHECK_EQ(now, when);
			return i + 1;
		}
	}
	return 0;
}

TEST_PLAIN(never)
{
	CHECK_EQ(ends_after("never", "1111111111", HALT_NEVER), 0);
}

TEST_PLAIN(count)
{
	CHECK_EQ(ends_after("soon,fail=1", "0001000000", HALT_SOON), 4);
	CHECK_EQ(ends_after("now,fail=3", "1010101", HALT_NOW), 5);
	CHECK_EQ(ends_after("now,success=2", "1110000", HALT_NOW), 5);
	CHECK_EQ(ends_after("soon,success=2", "1111101", HALT_NEVER), 0);
}

TEST_PLAIN(share)
{
	CHECK_EQ(ends_after("soon,fail=30%", "0001000000", HALT_SOON), 0);
	CHECK_EQ(ends_after("soon,fail=30%", "1110000000", HALT_SOON), 3);
	CHECK_EQ(ends_after("soon,fail=30%", "0010110000", HALT_SOON), 6);
	CHECK_EQ(ends_after("now,fail=10%", "1100000000000000000001", HALT_NOW), 22);
	CHECK_EQ(ends_after("now,fail=10%", "1000000000000000000100000000001", HALT_NOW), 0);
	CHECK_EQ(ends_after("now,success=100%", "000", HALT_NOW), 3);
	CHECK_EQ(ends_after("now,success=50%", "10000", HALT_NOW), 4);
	CHECK_EQ(ends_after("now,fail=12.5%", "0000000000000000000001110", HALT_NOW), 24);
}

TEST_PLAIN(nothing_has_ended)
{
	struct halt halt = parse("now,fail=1%");

	CHECK_EQ(halt_now(&halt, 0, 0), HALT_NEVER);
}

static void refused(const char *text, const char *says)
{
	struct halt halt = { .count = 42 };

	why = NULL;
	CHECK_EQ(halt_parse(text, &halt, &why), -EINVAL);
	if (!why || !strstr(why, says))
		test_fail(__FILE__, __LINE__, "%s: \"%s\"", text, why ? why : "(NULL)");
	CHECK_EQ(halt.count, 42);
}

TEST_PLAIN(refusals)
{
	refused("", "soon,fail=1");
	refused("soon", "soon,fail=1");
	refused("fail=1", "soon,fail=1");
	refused("2", "soon,fail=1");
	refused("never,fail=1", "soon,fail=1");
	refused("now,", "now,success=1");
	refused("now,fail", "now,success=1");
	refused("now,done=1", "now,success=1");
	refused("now,fail=", "from 1");
	refused("now,fail=0", "from 1");
	refused("now,fail=x", "from 1");
	refused("now,fail=1.5", "from 1");
	refused("now,fail=-1", "from 1");
	refused("now,fail=1 ", "from 1");
	refused("now,fail=0%", "100%");
	refused("now,fail=150%", "100%");
	refused("now,fail=%", "100%");
	refused("now,fail=x%", "100%");
}
