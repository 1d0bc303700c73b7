#include "units.h"

#include <errno.h>
#include <string.h>

#define NS_PER_S INT64_C(1000000000)
#define JOBS_MAX 1000000
/* What a leat_bucket takes: so many a second at most, and a burst of one day's tokens. */
#define RATE_MAX 1e9
#define BURST_SECONDS 86400
#define DECIMALS 18		/* 10^18 is below 2^63 */

static const char bad_int[] = "give a whole number";
static const char too_small[] = "the number is too small";
static const char too_large[] = "the number is too large";
static const char bad_size[] = "give a size such as 4096, 64K, 1.5M or 10GB, below 16 EiB";
static const char bad_duration[] = "give a time such as 250ms, 1.5s, 2m, 1h30m or 1d";
static const char bad_rate[] = "give a rate such as 10/s, 600/m, 5/h or 2.5 (a second), "
			       "with a burst as in 10/s:20";
static const char bad_jobs[] = "give a number of jobs such as 8, 200% (of the cores), "
			       "+2 (more than cores) or auto";
static const char too_many_jobs[] = "give 1000000 jobs at once at most";
static const char bad_codes[] = "give exit codes such as 1,75,100-110 or signal; "
				"a code is from 0 to 255";

static int fail(const char **why, const char *text)
{
	*why = text;
	return -EINVAL;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A number as it is written: whole + fraction / scale.  Nothing is rounded yet. */
struct decimal {
	uint64_t whole, fraction, scale;
};

/* The digits at *at, which moves behind them; false: there are none, or too many. */
static bool take_whole(const char **at, uint64_t *ret)
{
	const char *s = *at;
	uint64_t n = 0;

	for (; is_digit(*s); s++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*s - '0'), &n))
			return false;
	if (s == *at)
		return false;
	*at = s;
	*ret = n;
	return true;
}

/* "12" or "12.5"; no sign, no exponent.  Decimals that are too small to count are dropped. */
static bool take_decimal(const char **at, struct decimal *ret)
{
	const char *s = *at;
	struct decimal d = { .scale = 1 };

	if (!take_whole(&s, &d.whole))
		return false;
	if (*s == '.') {
		if (!is_digit(*++s))
			return false;
		for (int i = 0; is_digit(*s); s++, i++) {
			if (i >= DECIMALS)
				continue;
			d.fraction = d.fraction * 10 + (uint64_t)(*s - '0');
			d.scale *= 10;
		}
	}
	*at = s;
	*ret = d;
	return true;
}

/* d units, rounded down; false: more than max. */
static bool times(const struct decimal *d, uint64_t unit, uint64_t max, uint64_t *ret)
{
	unsigned __int128 n = (unsigned __int128)d->whole * unit +
			      (unsigned __int128)d->fraction * unit / d->scale;

	if (n > max)
		return false;
	*ret = (uint64_t)n;
	return true;
}

static double as_double(const struct decimal *d)
{
	return (double)d->whole + (double)d->fraction / (double)d->scale;
}

int units_int(const char *text, int64_t min, int64_t max, int64_t *ret, const char **why)
{
	bool negative = *text == '-';
	const char *s = text + negative;
	uint64_t n;
	int64_t value;

	if (!*s || s[strspn(s, "0123456789")])
		return fail(why, bad_int);
	if (!take_whole(&s, &n) || n > (uint64_t)INT64_MAX + negative)
		return fail(why, negative ? too_small : too_large);
	value = (int64_t)(negative ? 0 - n : n);
	if (value < min || value > max)
		return fail(why, value < min ? too_small : too_large);
	*ret = value;
	return 0;
}

int units_percent(const char *text, double *ret, const char **why)
{
	const char *s = text;
	struct decimal d;

	if (!take_decimal(&s, &d) || strcmp(s, "%") != 0 || as_double(&d) > 100 ||
	    as_double(&d) == 0)
		return fail(why, "give a share over 0% and up to 100%");
	*ret = as_double(&d);
	return 0;
}

/* "", "K", "KiB", "kB", ...: how many bytes; 0: no such unit. */
static uint64_t size_unit(const char *s)
{
	static const char powers[] = "KMGTPE";
	const char *power = *s ? strchr(powers, *s == 'k' ? 'K' : *s) : NULL;
	uint64_t unit = 1, base;

	if (!*s || strcmp(s, "B") == 0)
		return 1;
	if (!power)
		return 0;
	if (strcmp(s + 1, "B") == 0)
		base = 1000;
	else if (!s[1] || strcmp(s + 1, "iB") == 0)
		base = 1024;
	else
		return 0;
	for (const char *p = powers; p <= power; p++)
		unit *= base;
	return unit;
}

int units_size(const char *text, uint64_t *ret, const char **why)
{
	const char *s = text;
	struct decimal d;
	uint64_t unit;

	if (!take_decimal(&s, &d) || !(unit = size_unit(s)) || !times(&d, unit, UINT64_MAX, ret))
		return fail(why, bad_size);
	return 0;
}

/* The unit at *at, which moves behind it; 0: there is none. */
static int64_t take_time_unit(const char **at)
{
	static const struct {
		char name[3];
		int64_t ns;
	} units[] = { /* "ms" before "m" */
		{ "ns", 1 },		     { "us", 1000 },
		{ "ms", 1000000 },	     { "s", NS_PER_S },
		{ "m", 60 * NS_PER_S },	     { "h", 3600 * NS_PER_S },
		{ "d", 24 * 3600 * NS_PER_S },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		size_t n = strlen(units[i].name);

		if (strncmp(*at, units[i].name, n) == 0) {
			*at += n;
			return units[i].ns;
		}
	}
	return 0;
}

int units_duration(const char *text, int64_t *ret, const char **why)
{
	const char *s = text;
	int64_t unit, last = INT64_MAX;
	uint64_t part, sum = 0;
	struct decimal d;

	do {
		if (!take_decimal(&s, &d))
			return fail(why, bad_duration);
		unit = !*s && last == INT64_MAX ? NS_PER_S : take_time_unit(&s);
		if (unit == 0 || unit >= last) /* "1h30" and "30m1h" are mistakes */
			return fail(why, bad_duration);
		last = unit;
		if (!times(&d, (uint64_t)unit, INT64_MAX, &part) ||
		    part > (uint64_t)INT64_MAX - sum)
			return fail(why, "the time is too long; give less than 292 years");
		sum += part;
	} while (*s);
	*ret = (int64_t)sum;
	return 0;
}

/* "", "/s", "/m", "/h", "/d" at *at, which moves behind it: seconds; 0: something else. */
static double take_period(const char **at)
{
	const char *s = *at;

	if (*s != '/')
		return 1;
	*at += 2;
	switch (s[1]) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 24 * 3600;
	default:
		return 0;
	}
}

int units_rate(const char *text, struct rate *ret, const char **why)
{
	struct rate rate = { .burst = 1 };
	const char *s = text;
	struct decimal d;
	double period;

	if (!take_decimal(&s, &d) || !(period = take_period(&s)))
		return fail(why, bad_rate);
	rate.per_second = as_double(&d) / period;
	if (*s == ':') {
		s++;
		if (!take_decimal(&s, &d))
			return fail(why, bad_rate);
		rate.burst = as_double(&d);
	}
	if (*s)
		return fail(why, bad_rate);
	/* With a margin for what leat_bucket rounds. */
	if (rate.per_second * (BURST_SECONDS * 1.001) < 1 || rate.per_second > RATE_MAX)
		return fail(why, "give a rate from 1/d to 1000000000/s");
	if (rate.burst < 1 || rate.burst > rate.per_second * BURST_SECONDS)
		return fail(why, "give a burst of 1 at least and of a day's jobs at most");
	*ret = rate;
	return 0;
}

/* A share of the cores, rounded down, but one at least; false: too many. */
static bool share_of(int cores, const struct decimal *percent, uint64_t *ret)
{
	if (!times(percent, (uint64_t)cores, 100 * (uint64_t)JOBS_MAX, ret))
		return false;
	*ret /= 100;
	if (*ret == 0 && (percent->whole || percent->fraction))
		*ret = 1;
	return true;
}

int units_jobs(const char *text, int cores, struct jobs *ret, const char **why)
{
	bool more = *text == '+';
	const char *s = text + more;
	struct decimal d;
	uint64_t n;

	if (strcmp(text, "auto") == 0) {
		*ret = (struct jobs){ .n = cores * JOBS_AUTO_PER_CORE, .adaptive = true };
		return 0;
	}
	if (!take_decimal(&s, &d))
		return fail(why, bad_jobs);
	if (!more && strcmp(s, "%") == 0) {
		if (!share_of(cores, &d, &n))
			return fail(why, too_many_jobs);
	} else if (*s || d.scale != 1) {
		return fail(why, bad_jobs);
	} else if (__builtin_add_overflow(d.whole, more ? (uint64_t)cores : 0, &n)) {
		return fail(why, too_many_jobs);
	}
	if (n == 0)
		return fail(why, "give one job at least");
	if (n > JOBS_MAX)
		return fail(why, too_many_jobs);
	*ret = (struct jobs){ .n = (int)n };
	return 0;
}

static bool take_code(const char **at, uint64_t *ret)
{
	return take_whole(at, ret) && *ret <= UINT8_MAX;
}

/* "75" or "100-110" at *at, which moves behind it. */
static bool take_code_range(const char **at, struct codes *codes)
{
	uint64_t from, to;

	if (!take_code(at, &from))
		return false;
	to = from;
	if (**at == '-') {
		++*at;
		if (!take_code(at, &to) || to < from)
			return false;
	}
	for (; from <= to; from++)
		codes->set[from / 8] |= (uint8_t)(1u << from % 8);
	return true;
}

int units_codes(const char *text, struct codes *ret, const char **why)
{
	static const char by_signal[] = "signal";
	struct codes codes = { .signal = false };
	const char *s = text;

	do {
		if (strncmp(s, by_signal, strlen(by_signal)) == 0) {
			codes.signal = true;
			s += strlen(by_signal);
		} else if (!take_code_range(&s, &codes)) {
			return fail(why, bad_codes);
		}
		if (*s && (*s != ',' || !s[1]))
			return fail(why, bad_codes);
	} while (*s++);
	*ret = codes;
	return 0;
}

bool codes_has(const struct codes *codes, int code)
{
	return code >= 0 && code <= UINT8_MAX && codes->set[code / 8] & (1u << code % 8);
}
