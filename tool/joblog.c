#include "joblog.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 9

const char joblog_header[] =
	"Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

/* A line that is written: what does not fit is counted. */
struct line {
	char *text;
	size_t size, n;
};

static void put(struct line *line, char c)
{
	if (line->n < line->size)
		line->text[line->n] = c;
	line->n++;
}

static void put_string(struct line *line, const char *s)
{
	while (*s)
		put(line, *s++);
}

static bool is_control(unsigned char c)
{
	return c < ' ' || c == 0x7f;
}

static void put_hex(struct line *line, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";

	put_string(line, "\\x");
	put(line, digits[c >> 4]);
	put(line, digits[c & 15]);
}

static void put_escaped(struct line *line, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c == '\\')
			put_string(line, "\\\\");
		else if (c == '\t')
			put_string(line, "\\t");
		else if (c == '\n')
			put_string(line, "\\n");
		else if (is_control(c))
			put_hex(line, c);
		else
			put(line, (char)c);
	}
}

size_t joblog_format(const struct joblog_entry *entry, char *text, size_t size)
{
	struct line line = { .text = text, .size = size };
	char numbers[1024];	/* a double may have 309 digits */

	snprintf(numbers, sizeof(numbers), "%" PRIu64 "\t", entry->seq);
	put_string(&line, numbers);
	put_escaped(&line, entry->host, strlen(entry->host));
	snprintf(numbers, sizeof(numbers), "\t%.3f\t%10.3f\t%" PRIu64 "\t%" PRIu64 "\t%d\t%d\t",
		 entry->start, entry->runtime, entry->sent, entry->received, entry->exitval,
		 entry->signal);
	put_string(&line, numbers);
	put_escaped(&line, entry->command, entry->command_size);
	put(&line, '\n');
	if (size > 0)
		text[line.n < size ? line.n : size - 1] = '\0';
	return line.n;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * The byte that the escape at s means, and its length; 0: it is none.  Then the backslash is
 * itself, as in the logs of GNU parallel, which escapes nothing.
 */
static size_t unescape_one(const char *s, size_t n, char *ret)
{
	if (n >= 2 && (s[1] == '\\' || s[1] == 't' || s[1] == 'n')) {
		*ret = s[1] == 't' ? '\t' : s[1] == 'n' ? '\n' : '\\';
		return 2;
	}
	if (n >= 4 && s[1] == 'x' && hex_digit(s[2]) >= 0 && hex_digit(s[3]) >= 0) {
		*ret = (char)(hex_digit(s[2]) << 4 | hex_digit(s[3]));
		return 4;
	}
	return 0;
}

/* In place; the new size. */
static size_t unescape(char *text, size_t n)
{
	size_t to = 0, used;

	for (size_t from = 0; from < n; from += used) {
		used = text[from] == '\\' ? unescape_one(text + from, n - from, &text[to]) : 0;
		if (used == 0) {
			text[to] = text[from];
			used = 1;
		}
		to++;
	}
	return to;
}

/* The text in columns, which end with a 0 now, but the last; false: too few. */
static bool split(char *text, size_t n, char **columns, size_t *ret_last)
{
	char *end = text + n;

	for (int i = 0; i < COLUMNS - 1; i++) {
		char *tab = memchr(text, '\t', (size_t)(end - text));

		if (!tab || memchr(text, '\0', (size_t)(tab - text)))
			return false;
		*tab = '\0';
		columns[i] = text;
		text = tab + 1;
	}
	columns[COLUMNS - 1] = text;
	*ret_last = (size_t)(end - text);
	return true;
}

/* Behind the padding; NULL: what follows is not made of these characters, after a sign. */
static const char *number_of(const char *s, const char *of)
{
	const char *digits;

	s += strspn(s, " ");
	digits = s + (*s == '-');
	return *digits && digits[strspn(digits, of)] == '\0' ? s : NULL;
}

static bool parse_count(const char *s, uint64_t *ret)
{
	s = number_of(s, "0123456789");
	if (!s || *s == '-')
		return false;
	errno = 0;
	*ret = strtoull(s, NULL, 10);
	return errno == 0;
}

static bool parse_status(const char *s, int *ret)
{
	long n;

	s = number_of(s, "0123456789");
	if (!s)
		return false;
	errno = 0;
	n = strtol(s, NULL, 10);
	*ret = (int)n;
	return errno == 0 && n >= INT_MIN && n <= INT_MAX;
}

static bool parse_seconds(const char *s, double *ret)
{
	char *end;

	s = number_of(s, "0123456789.");
	if (!s)
		return false;
	errno = 0;
	*ret = strtod(s, &end);
	return errno == 0 && *end == '\0';
}

int joblog_parse(char *text, size_t n, struct joblog_entry *ret)
{
	struct joblog_entry entry = { .seq = 0 };
	char *columns[COLUMNS];
	size_t last;

	if (!split(text, n, columns, &last) || !parse_count(columns[0], &entry.seq) ||
	    !parse_seconds(columns[2], &entry.start) ||
	    !parse_seconds(columns[3], &entry.runtime) || !parse_count(columns[4], &entry.sent) ||
	    !parse_count(columns[5], &entry.received) ||
	    !parse_status(columns[6], &entry.exitval) || !parse_status(columns[7], &entry.signal))
		return -EINVAL;
	columns[1][unescape(columns[1], strlen(columns[1]))] = '\0';
	entry.host = columns[1];
	entry.command = columns[COLUMNS - 1];
	entry.command_size = unescape(columns[COLUMNS - 1], last);
	*ret = entry;
	return 0;
}
