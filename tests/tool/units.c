/* Tests of tool/units.h: what is taken, and that anything else says what would be right. */
#include "test.h"

#include <leat/bucket.h>

#include "units.h"

#define KIB UINT64_C(1024)

/* The calls below set it when they refuse. */
static const char *why;

#define CHECK_REFUSED(call, text)                                             \
	do {                                                                  \
		why = NULL;                                                   \
		CHECK_EQ(call, -EINVAL);                                      \
		if (!why || !strstr(why, text))                               \
			test_fail(__FILE__, __LINE__, "%s says \"%s\"", #call, \
				  why ? why : "(NULL)");                      \
	} while (0)

static int64_t integer(const char *text, int64_t min, int64_t max)
{
	int64_t n = -77;

	CHECK_EQ(units_int(text, min, max, &n, &why), 0);
	return n;
}

TEST_PLAIN(int_range)
{
	int64_t n = 42;

	CHECK_EQ(integer("0", 0, 0), 0);
	CHECK_EQ(integer("007", 0, 7), 7);
	CHECK_EQ(integer("-5", -5, 5), -5);
	CHECK_EQ(integer("9223372036854775807", 0, INT64_MAX), INT64_MAX);
	CHECK_EQ(integer("-9223372036854775808", INT64_MIN, 0), INT64_MIN);
	CHECK_REFUSED(units_int("9223372036854775808", 0, INT64_MAX, &n, &why), "too large");
	CHECK_REFUSED(units_int("-9223372036854775809", INT64_MIN, 0, &n, &why), "too small");
	CHECK_REFUSED(units_int("99999999999999999999", 0, INT64_MAX, &n, &why), "too large");
	CHECK_REFUSED(units_int("6", 0, 5, &n, &why), "too large");
	CHECK_REFUSED(units_int("-1", 0, 5, &n, &why), "too small");
	CHECK_EQ(n, 42);
}

TEST_PLAIN(int_refused)
{
	static const char *const bad[] = { "", "-", "+1", " 1", "1 ", "1.0", "0x10", "1e3", "--1",
					   "one" };
	int64_t n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_REFUSED(units_int(bad[i], -100, 100, &n, &why), "whole number");
}

TEST_PLAIN(percent)
{
	static const char *const bad[] = { "", "%", "0%", "0.0%", "101%", "50", "50%%", "-1%",
					   "nan%", "100.1%" };
	double p = 0;

	CHECK_EQ(units_percent("12.5%", &p, &why), 0);
	CHECK(p == 12.5);
	CHECK_EQ(units_percent("100%", &p, &why), 0);
	CHECK(p == 100);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_REFUSED(units_percent(bad[i], &p, &why), "100%");
}

TEST_PLAIN(size)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },
		{ "4096", 4096 },
		{ "10B", 10 },
		{ "64K", 64 * KIB },
		{ "64k", 64 * KIB },
		{ "64KiB", 64 * KIB },
		{ "64kB", 64000 },
		{ "64KB", 64000 },
		{ "1.5M", 3 * KIB * KIB / 2 },
		{ "10GB", UINT64_C(10000000000) },
		{ "2T", 2 * KIB * KIB * KIB * KIB },
		{ "1P", KIB * KIB * KIB * KIB * KIB },
		{ "15E", 15 * KIB * KIB * KIB * KIB * KIB * KIB },
		{ "18446744073709551615", UINT64_MAX },
		{ "9007199254740993", UINT64_C(9007199254740993) }, /* no double */
		{ "0.1K", 102 },
		{ "0.9999999999999999999999999K", 1023 },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		uint64_t n = 1;

		CHECK_EQ(units_size(good[i].text, &n, &why), 0);
		if (n != good[i].bytes)
			test_fail(__FILE__, __LINE__, "%s: %llu", good[i].text,
				  (unsigned long long)n);
	}
}

TEST_PLAIN(size_refused)
{
	static const char *const bad[] = { "", "K", "1.", ".5K", "1.5.5", "-1", "1 K", "1KK", "1Ki",
					   "1X", "1e3", "0x10", "inf", "1iB", "16E", "1Kb",
					   "18446744073709551616", "99999999999999999999T" };
	uint64_t n = 42;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_REFUSED(units_size(bad[i], &n, &why), "4096, 64K");
	CHECK_EQ(n, 42);
}

TEST_PLAIN(duration)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {
		{ "0", 0 },
		{ "3", 3 * LEAT_S },
		{ "0.25", 250 * LEAT_MS },
		{ "1ns", 1 },
		{ "20us", 20 * LEAT_US },
		{ "250ms", 250 * LEAT_MS },
		{ "1.5s", 1500 * LEAT_MS },
		{ "2m", 120 * LEAT_S },
		{ "1h30m", 5400 * LEAT_S },
		{ "1d", 86400 * LEAT_S },
		{ "1d2h3m4s5ms6us7ns", 93784 * LEAT_S + 5006007 },
		{ "0.0000000019", 1 },
		{ "9223372036854775807ns", INT64_MAX },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		int64_t ns = -1;

		CHECK_EQ(units_duration(good[i].text, &ns, &why), 0);
		if (ns != good[i].ns)
			test_fail(__FILE__, __LINE__, "%s: %lld", good[i].text, (long long)ns);
	}
}

TEST_PLAIN(duration_refused)
{
	static const char *const bad[] = { "", "s", "-1s", "1h30", "30m1h", "1m1m", "1 s", "1w",
					   "1.s", "1e9", "inf", "1s ", "5M" };
	int64_t ns = 42;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_REFUSED(units_duration(bad[i], &ns, &why), "1h30m");
	CHECK_REFUSED(units_duration("9223372036854775808ns", &ns, &why), "too long");
	CHECK_REFUSED(units_duration("106751d24h", &ns, &why), "too long");
	CHECK_REFUSED(units_duration("300000d", &ns, &why), "too long");
	CHECK_EQ(ns, 42);
}

TEST_PLAIN(rate)
{
	static const struct {
		const char *text;
		double per_second, burst;
	} good[] = {
		{ "10/s", 10, 1 },	 { "600/m", 10, 1 },	{ "5/h", 5 / 3600., 1 },
		{ "24/d", 1 / 3600., 1 }, { "2.5", 2.5, 1 },	{ "10/s:20", 10, 20 },
		{ "0.5:1.5", 0.5, 1.5 }, { "1000000000/s", 1e9, 1 }, { "1/d", 1 / 86400., 1 },
		{ "1:86400", 1, 86400 },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct rate rate = { 0, 0 };
		leat_bucket bucket;

		CHECK_EQ(units_rate(good[i].text, &rate, &why), 0);
		if (rate.per_second != good[i].per_second || rate.burst != good[i].burst)
			test_fail(__FILE__, __LINE__, "%s: %.17g burst %.17g", good[i].text,
				  rate.per_second, rate.burst);
		CHECK_EQ(leat_bucket_init(&bucket, rate.per_second, rate.burst), 0);
	}
}

TEST_PLAIN(rate_refused)
{
	static const char *const bad[] = { "", "/s", "10/", "10/x", "10/ms", "10/s/s", "-1/s",
					   "10/s:", "10/s:x", "10/s:2x", "10s", "10 /s", "nan" };
	struct rate rate;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_REFUSED(units_rate(bad[i], &rate, &why), "10/s");
	CHECK_REFUSED(units_rate("0/s", &rate, &why), "1/d");
	CHECK_REFUSED(units_rate("0.9/d", &rate, &why), "1/d");
	CHECK_REFUSED(units_rate("1000000001/s", &rate, &why), "1000000000/s");
	CHECK_REFUSED(units_rate("10/s:0.5", &rate, &why), "burst of 1");
	CHECK_REFUSED(units_rate("1/s:86401", &rate, &why), "a day's jobs");
}

static int jobs(const char *text, int cores)
{
	struct jobs jobs = { .n = -77, .adaptive = true };

	CHECK_EQ(units_jobs(text, cores, &jobs, &why), 0);
	CHECK(!jobs.adaptive);
	return jobs.n;
}

TEST_PLAIN(jobs_number)
{
	CHECK_EQ(jobs("8", 2), 8);
	CHECK_EQ(jobs("200%", 2), 4);
	CHECK_EQ(jobs("50%", 3), 1);
	CHECK_EQ(jobs("10%", 2), 1); /* one at least */
	CHECK_EQ(jobs("12.5%", 16), 2);
	CHECK_EQ(jobs("+2", 4), 6);
	CHECK_EQ(jobs("+0", 4), 4);
	CHECK_EQ(jobs("1000000", 4), 1000000);
	CHECK_EQ(jobs("100000000%", 1), 1000000);
}

TEST_PLAIN(jobs_auto)
{
	struct jobs jobs = { 0 };

	CHECK_EQ(units_jobs("auto", 3, &jobs, &why), 0);
	CHECK(jobs.adaptive);
	CHECK_EQ(jobs.n, 3 * JOBS_AUTO_PER_CORE);
}

TEST_PLAIN(jobs_refused)
{
	static const char *const bad[] = { "", "-1", "1.5", "+", "+50%", "%", "8x", "automatic",
					   "8 ", "++2", "+1.0" };
	struct jobs jobs;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_REFUSED(units_jobs(bad[i], 2, &jobs, &why), "auto");
	CHECK_REFUSED(units_jobs("0", 2, &jobs, &why), "one job");
	CHECK_REFUSED(units_jobs("0%", 2, &jobs, &why), "one job");
	CHECK_REFUSED(units_jobs("1000001", 2, &jobs, &why), "1000000 jobs");
	CHECK_REFUSED(units_jobs("+1000000", 2, &jobs, &why), "1000000 jobs");
	CHECK_REFUSED(units_jobs("100000001%", 1, &jobs, &why), "1000000 jobs");
	CHECK_REFUSED(units_jobs("18446744073709551615%", 64, &jobs, &why), "1000000 jobs");
	CHECK_REFUSED(units_jobs("+18446744073709551615", 2, &jobs, &why), "1000000 jobs");
}

TEST_PLAIN(codes)
{
	struct codes codes;

	CHECK_EQ(units_codes("1,75,100-110,signal", &codes, &why), 0);
	CHECK(codes.signal);
	for (int code = -1; code <= 300; code++)
		CHECK_EQ(codes_has(&codes, code),
			 code == 1 || code == 75 || (code >= 100 && code <= 110));
	CHECK_EQ(units_codes("0-255", &codes, &why), 0);
	CHECK(!codes.signal);
	for (int code = -1; code <= 300; code++)
		CHECK_EQ(codes_has(&codes, code), code >= 0 && code <= 255);
	CHECK_EQ(units_codes("signal", &codes, &why), 0);
	CHECK(codes.signal && !codes_has(&codes, 0));
}

TEST_PLAIN(codes_refused)
{
	static const char *const bad[] = { "", ",", "1,", ",1", "1,,2", "256", "-1", "5-1", "5-",
					   "1-2-3", "signals", "sig", "1 ,2", "signal,", "0-256" };
	struct codes codes;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_REFUSED(units_codes(bad[i], &codes, &why), "100-110");
}
