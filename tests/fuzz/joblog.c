/*
 * tool/joblog.h.  An entry that is written is read again as it was; whatever is read is written
 * and read again as that.
 */
#include "fuzz.h"

#include <errno.h>

#include "joblog.h"

static void check_same(const struct joblog_entry *a, const struct joblog_entry *b)
{
	FUZZ_CHECK(a->seq == b->seq && a->sent == b->sent && a->received == b->received);
	FUZZ_CHECK(a->exitval == b->exitval && a->signal == b->signal);
	FUZZ_CHECK(strcmp(a->host, b->host) == 0);
	FUZZ_CHECK(a->command_size == b->command_size);
	FUZZ_CHECK(memcmp(a->command, b->command, a->command_size) == 0);
}

/* The line, without its newline, in a block of its size; for free(3). */
static char *line_of(const struct joblog_entry *entry, size_t *ret_n)
{
	size_t n = joblog_format(entry, NULL, 0);
	char *line = malloc(n + 1);

	FUZZ_CHECK(line);
	FUZZ_CHECK(joblog_format(entry, line, n + 1) == n);
	FUZZ_CHECK(line[n] == '\0' && line[n - 1] == '\n');
	FUZZ_CHECK(!memchr(line, '\n', n - 1));
	*ret_n = n - 1;
	return line;
}

/* Written, read, written: the same line, so that times are the same, too. */
static void check_again(const struct joblog_entry *entry)
{
	struct joblog_entry back, again;
	size_t n, m;
	char *line = line_of(entry, &n), *second;

	FUZZ_CHECK(joblog_parse(line, n, &back) == 0);
	check_same(entry, &back);
	second = line_of(&back, &m);
	FUZZ_CHECK(m == n && joblog_parse(second, m, &again) == 0);
	check_same(&back, &again);
	FUZZ_CHECK(back.runtime == again.runtime && back.start == again.start);
	free(line);
	free(second);
}

static void fuzz_entry(struct input *in)
{
	struct joblog_entry entry = { .host = ":" };
	char *host;

	for (int i = 0; i < 8; i++) {
		entry.seq = entry.seq << 8 | take_byte(in);
		entry.sent = entry.sent << 8 | take_byte(in);
		entry.received = entry.received << 8 | take_byte(in);
	}
	entry.start = (double)entry.sent / 1e7;
	entry.runtime = (double)entry.received / 1e6;
	entry.exitval = (int8_t)take_byte(in);
	entry.signal = take_byte(in);
	entry.host = host = take_string(in);
	entry.command = in->size ? (const char *)in->data : "";
	entry.command_size = in->size;
	check_again(&entry);
	free(host);
}

static void fuzz_line(struct input *in)
{
	struct joblog_entry entry;
	char *line = malloc(in->size ? in->size : 1);

	FUZZ_CHECK(line);
	if (in->size > 0)
		memcpy(line, in->data, in->size);
	if (joblog_parse(line, in->size, &entry) == 0)
		check_again(&entry);
	free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	if (take_byte(&in) % 2)
		fuzz_entry(&in);
	else
		fuzz_line(&in);
	return 0;
}
