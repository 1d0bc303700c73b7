#include "progress.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <leat/leat.h>

#include "screen.h"

#define REDRAW_NS (140 * LEAT_MS)

/* The program itself stays in the locale "C": numbers and messages are the same everywhere. */
static bool is_utf8(void)
{
	locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	bool utf8;

	if (!locale)
		return false;
	utf8 = strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
	freelocale(locale);
	return utf8;
}

/* no-color.org: any text but the empty one. */
static bool wants_colours(void)
{
	const char *no = getenv("NO_COLOR");

	return !no || !*no;
}

/*
 * Each rate counts as much as its time is of that over which it is smoothed.  A gap is a stop by
 * the terminal, and says nothing.
 */
static double smoothed_rate(struct progress *p, const struct progress_now *now, int64_t t)
{
	double dt = (double)(t - p->last) / 1e9, over = (double)(t - p->began) / 4e9, part;

	if (t - p->last < REDRAW_NS / 2)
		return p->weight > 0 ? p->sum / p->weight : -1;
	if (t - p->last < 20 * REDRAW_NS) {
		part = dt / (dt + (over > 5 ? over : 5));
		p->sum += part * ((double)(now->worked - p->last_worked) / dt - p->sum);
		p->weight += part * (1 - p->weight);
	}
	p->last = t;
	p->last_worked = now->worked;
	return p->weight > 0 ? p->sum / p->weight : -1;
}

static void draw(struct progress *p, bool ended)
{
	struct progress_style style = { p->utf8, p->colours, ended, screen_columns() };
	struct progress_now now = { 0 };
	int64_t t = leat_now(), elapsed = t - p->began;
	char text[1024];
	size_t n, columns;
	double rate;

	p->look(p->arg, &now);
	rate = smoothed_rate(p, &now, t);
	if (ended && elapsed > 0)
		rate = (double)now.worked / ((double)elapsed / 1e9);
	n = progress_format(&now, &style, rate, elapsed, text, sizeof(text), &columns);
	screen_set_line(text, n, columns);
}

LEAT_TASK(tick, (struct progress *, p))
{
	do
		draw(p, false);
	while (leat_sleep(REDRAW_NS) == 0);
}

int progress_start(struct progress *p, leat_group *group,
		   void (*look)(void *arg, struct progress_now *ret), void *arg)
{
	int r = screen_open();

	if (r < 0)
		return 0; /* nobody looks */
	*p = (struct progress){ .look = look, .arg = arg, .on = true, .utf8 = is_utf8(),
				.colours = wants_colours(), .began = leat_now() };
	p->last = p->began;
	return leat_go_in(group, tick, p);
}

void progress_end(struct progress *p)
{
	if (!p->on)
		return;
	draw(p, true);
	screen_close();
	p->on = false;
}
