/*
 * Retry-After and the dates of HTTP, RFC 9110, 5.6.7 and 10.2.3.  By hand, because strptime(3)
 * depends on the locale and takes more than the three forms.
 */
#include <string.h>

#include "http.h"

/* s: what is left of the text. */
struct scan {
	const char *s;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool take(struct scan *in, const char *text)
{
	size_t n = strlen(text);

	if (strncmp(in->s, text, n) != 0)
		return false;
	in->s += n;
	return true;
}

/* A number of exactly n digits; space: the first may be one (asctime). */
static bool take_number(struct scan *in, int n, bool space, int *ret)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		if (space && i == 0 && n > 1 && in->s[0] == ' ')
			continue;
		if (!is_digit(in->s[i]))
			return false;
		value = value * 10 + in->s[i] - '0';
	}
	in->s += n;
	*ret = value;
	return true;
}

/* One of n names; *ret its number from 0. */
static bool take_name(struct scan *in, const char *const *names, int n, int *ret)
{
	for (int i = 0; i < n; i++)
		if (take(in, names[i])) {
			*ret = i;
			return true;
		}
	return false;
}

struct date {
	int year, month, day, hour, minute, second;
};

static bool take_month(struct scan *in, int *ret)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

	return take_name(in, months, 12, ret);
}

static bool take_time(struct scan *in, struct date *d)
{
	return take_number(in, 2, false, &d->hour) && take(in, ":") &&
	       take_number(in, 2, false, &d->minute) && take(in, ":") &&
	       take_number(in, 2, false, &d->second);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool is_imf(struct scan in, struct date *d)
{
	return take(&in, ", ") && take_number(&in, 2, false, &d->day) && take(&in, " ") &&
	       take_month(&in, &d->month) && take(&in, " ") &&
	       take_number(&in, 4, false, &d->year) && take(&in, " ") && take_time(&in, d) &&
	       take(&in, " GMT") && !*in.s;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool is_asctime(struct scan in, struct date *d)
{
	return take(&in, " ") && take_month(&in, &d->month) && take(&in, " ") &&
	       take_number(&in, 2, true, &d->day) && take(&in, " ") && take_time(&in, d) &&
	       take(&in, " ") && take_number(&in, 4, false, &d->year) && !*in.s;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool is_rfc850(struct scan in, struct date *d)
{
	return take(&in, ", ") && take_number(&in, 2, false, &d->day) && take(&in, "-") &&
	       take_month(&in, &d->month) && take(&in, "-") &&
	       take_number(&in, 2, false, &d->year) && take(&in, " ") && take_time(&in, d) &&
	       take(&in, " GMT") && !*in.s;
}

/*
 * Days from 1970-01-01 to a day of the Gregorian calendar: years begin in March, so that the day
 * that is not always there is the last.
 */
static int64_t days_of(int64_t year, int month, int day)
{
	int64_t y = month < 2 ? year - 1 : year, m = (month + 10) % 12;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + day - 1 - 719468;
}

static int64_t seconds_of(const struct date *d)
{
	int64_t days = days_of(d->year, d->month, d->day);

	return ((days * 24 + d->hour) * 60 + d->minute) * 60 + d->second;
}

/* Two digits that would be more than 50 years ahead are of the past (RFC 9110, 5.6.7). */
static int full_year(int two_digits, int64_t now)
{
	/* Of the average length; at its borders it does not matter which century it is. */
	int64_t this_year = 1970 + now / 31556952;
	int64_t year = this_year - this_year % 100 + two_digits;

	if (year > this_year + 50)
		year -= 100;
	return (int)year;
}

static bool is_valid(const struct date *d)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = d->year % 4 == 0 && (d->year % 100 != 0 || d->year % 400 == 0);

	/* Second 60 is a leap second's. */
	return d->day >= 1 && d->day <= days[d->month] + (d->month == 1 && leap) &&
	       d->hour <= 23 && d->minute <= 59 && d->second <= 60;
}

static bool parse_date(const char *text, int64_t now, int64_t *ret)
{
	static const char *const long_names[] = { "Monday", "Tuesday", "Wednesday", "Thursday",
						  "Friday", "Saturday", "Sunday" };
	static const char *const names[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
	struct scan in = { text };
	struct date d;
	int weekday;
	bool ok;

	if (take_name(&in, long_names, 7, &weekday)) {
		ok = is_rfc850(in, &d);
		if (ok)
			d.year = full_year(d.year, now);
	} else {
		ok = take_name(&in, names, 7, &weekday) && (is_imf(in, &d) || is_asctime(in, &d));
	}
	if (!ok || !is_valid(&d))
		return false;
	*ret = seconds_of(&d);
	return true;
}

static int64_t ns_of(int64_t seconds)
{
	if (seconds <= 0)
		return 0;
	return seconds < LEAT_FOREVER / LEAT_S ? seconds * LEAT_S : LEAT_FOREVER;
}

int64_t http_retry_after(const char *value, const char *date, int64_t now)
{
	int64_t seconds = 0, then, server;
	const char *s = value;

	for (; is_digit(*s); s++)
		if (seconds < LEAT_FOREVER / LEAT_S)
			seconds = seconds * 10 + *s - '0';
	if (s > value && !*s)
		return ns_of(seconds);
	if (!parse_date(value, now, &then))
		return -1;
	if (date && parse_date(date, now, &server))
		now = server;
	return ns_of(then - now);
}
