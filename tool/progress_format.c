/* The line of the progress bar: fields, of which those that matter most are shown if they fit. */
#include <stdio.h>
#include <string.h>

#include <leat/time.h>

#include "progress.h"

/* As they are shown. */
enum field { SHARE, COUNT, RATE, TIME, FAILED, SKIPPED, RUNNING, FIELDS };

/* As they are wanted. */
static const enum field wanted[] = { SHARE, COUNT, FAILED, TIME, RATE, RUNNING, SKIPPED };

enum { FIELD = 64, BAR_LEAST = 8, BAR_MOST = 40 };

struct line {
	char fields[FIELDS][FIELD]; /* "": nothing to say */
	bool shown[FIELDS];
	char *text;
	size_t n, size;
	size_t columns;
};

/* 1,234,567. */
static void format_count(uint64_t n, char *text, size_t size)
{
	char digits[21];
	int k = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	size_t used = 0;

	for (int i = 0; i < k && used + 2 < size; i++) {
		if (i > 0 && (k - i) % 3 == 0)
			text[used++] = ',';
		text[used++] = digits[i];
	}
	text[used] = '\0';
}

static void format_time(int64_t ns, char *text, size_t size)
{
	long long s = (long long)(ns / LEAT_S);

	if (s >= 100 * 3600)
		snprintf(text, size, "%lldd", s / 86400);
	else if (s >= 3600)
		snprintf(text, size, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(text, size, "%lld:%02lld", s / 60, s % 60);
}

/* What is done, and never all of it before it is. */
static double share_of(const struct progress_now *now)
{
	double share = (double)now->done / (double)now->all;

	if (now->done >= now->all && !now->about)
		return 1;
	if (now->in_bytes && now->worked + now->left > 0)
		share = (double)now->worked / (double)(now->worked + now->left);
	return share < 0.99 ? share : 0.99;
}

static void fill_rate(struct line *line, const struct progress_now *now, double rate)
{
	char *text = line->fields[RATE];

	if (rate < 0)
		return;
	if (now->in_bytes)
		snprintf(text, FIELD, "%.*f MB/s", rate < 10e6 ? 1 : 0, rate / 1e6);
	else if (rate < 1 && rate > 0)
		snprintf(text, FIELD, "%.1f/min", rate * 60);
	else
		snprintf(text, FIELD, "%.*f/s", rate < 100 ? 1 : 0, rate);
}

static void fill(struct line *line, const struct progress_now *now,
		 const struct progress_style *style, double rate, int64_t elapsed)
{
	char done[28], all[28], time[24];

	format_count(now->done, done, sizeof(done));
	format_count(now->all, all, sizeof(all));
	if (now->all > 0) {
		snprintf(line->fields[SHARE], FIELD, "%3d%%", (int)(100 * share_of(now)));
		snprintf(line->fields[COUNT], FIELD, "%s/%s%s", done, now->about ? "~" : "", all);
	} else {
		snprintf(line->fields[COUNT], FIELD, "%s done", done);
	}
	fill_rate(line, now, rate);
	if (style->ended) {
		format_time(elapsed, time, sizeof(time));
		if (elapsed < 60 * LEAT_S)
			snprintf(time, sizeof(time), "%.1f s", (double)elapsed / 1e9);
		snprintf(line->fields[TIME], FIELD, "in %s", time);
	} else if (now->all > 0 && rate > 0 && (double)now->left / rate < 1e9) {
		format_time((int64_t)((double)now->left / rate * 1e9), time, sizeof(time));
		snprintf(line->fields[TIME], FIELD, "ETA %s", time);
	}
	if (now->failed > 0) {
		format_count(now->failed, done, sizeof(done));
		snprintf(line->fields[FAILED], FIELD, "%s failed", done);
	}
	if (now->skipped > 0) {
		format_count(now->skipped, done, sizeof(done));
		snprintf(line->fields[SKIPPED], FIELD, "%s skipped", done);
	}
	if (!style->ended)
		snprintf(line->fields[RUNNING], FIELD, "%d run", now->running);
}

/* Two spaces between; the columns that they fill together. */
static size_t choose(struct line *line, size_t columns)
{
	size_t used = 0, more;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		more = strlen(line->fields[wanted[i]]);
		if (more == 0 || used + (used > 0 ? 2 : 0) + more > columns)
			continue;
		used += (used > 0 ? 2 : 0) + more;
		line->shown[wanted[i]] = true;
	}
	return used;
}

static void add(struct line *line, const char *text, size_t columns)
{
	size_t n = strlen(text);

	if (line->n + n >= line->size)
		return;
	memcpy(line->text + line->n, text, n + 1);
	line->n += n;
	line->columns += columns;
}

static void add_plain_bar(struct line *line, double share, size_t width)
{
	size_t full = (size_t)(share * (double)(width - 2));

	add(line, "[", 1);
	for (size_t i = 0; i < width - 2; i++)
		add(line, i < full ? "=" : i == full ? ">" : " ", 1);
	add(line, "]", 1);
}

/* In eighths of a column. */
static void add_bar(struct line *line, double share, size_t width)
{
	static const char *const parts[] = { "\u2591", "\u258f", "\u258e", "\u258d", "\u258c",
					     "\u258b", "\u258a", "\u2589", "\u2588" };
	size_t eighths = (size_t)(share * (double)(8 * width));

	for (size_t i = 0; i < width; i++) {
		size_t here = eighths > 8 * i ? eighths - 8 * i : 0;

		add(line, parts[here > 8 ? 8 : here], 1);
	}
}

size_t progress_format(const struct progress_now *now, const struct progress_style *style,
		       double rate, int64_t elapsed, char *text, size_t size, size_t *ret_columns)
{
	struct line line = { .text = text, .size = size };
	size_t used, left;

	text[0] = '\0';
	fill(&line, now, style, rate, elapsed);
	used = choose(&line, style->columns);
	left = style->columns - used;
	if (now->all > 0 && used > 0 && left >= BAR_LEAST + 2) {
		left = left - 2 > BAR_MOST ? BAR_MOST : left - 2;
		if (style->utf8)
			add_bar(&line, share_of(now), left);
		else
			add_plain_bar(&line, share_of(now), left);
	}
	for (int i = 0; i < FIELDS; i++) {
		if (!line.shown[i])
			continue;
		if (line.columns > 0)
			add(&line, "  ", 2);
		if (i == FAILED && style->colours)
			add(&line, "\033[31m", 0);
		add(&line, line.fields[i], strlen(line.fields[i]));
		if (i == FAILED && style->colours)
			add(&line, "\033[39m", 0);
	}
	*ret_columns = line.columns;
	return line.n;
}
