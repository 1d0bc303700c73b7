#include "screen.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <leat/leat.h>

#include "output.h"

enum { LINE = 1024, MESSAGE = 8192 };

/* Under the lock, but for open. */
static struct {
	leat_mutex lock;
	atomic_bool open;
	leat_io io;
	bool is_stdout;		/* the same terminal */
	bool drawn;
	bool hidden;
	bool in_line;		/* what is above does not end with a newline */
	bool gone;
	char line[LINE];
	size_t n, columns;
} screen = { .lock = LEAT_MUTEX_INIT };

static const char erase[] = "\r\033[K";

static bool is_open(void)
{
	return atomic_load_explicit(&screen.open, memory_order_acquire);
}

static bool is_same_terminal(int a, int b)
{
	struct stat sa, sb;

	return isatty(a) && isatty(b) && fstat(a, &sa) == 0 && fstat(b, &sb) == 0 &&
	       sa.st_rdev == sb.st_rdev;
}

int screen_open(void)
{
	const char *term = getenv("TERM");
	int r;

	if (!isatty(STDERR_FILENO) || !term || !*term || strcmp(term, "dumb") == 0)
		return -ENOTTY;
	r = output_open(&screen.io, STDERR_FILENO);
	if (r < 0)
		return r;
	screen.is_stdout = is_same_terminal(STDOUT_FILENO, STDERR_FILENO);
	atomic_store_explicit(&screen.open, true, memory_order_release);
	return 0;
}

/* Of a terminal that is not the process's own, nobody has the foreground. */
static bool in_foreground(void)
{
	pid_t group = tcgetpgrp(STDERR_FILENO);

	if (group >= 0)
		return group == getpgrp();
	if (leat_errno() != ENOTTY)
		screen.gone = true;
	return !screen.gone;
}

size_t screen_columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return 79;
	return size.ws_col - 1U; /* in the last one the cursor would be at a loss */
}

/* A thread may not wait as tasks do, and is held. */
static void put(const char *bytes, size_t n)
{
	int r = 0;

	if (screen.gone)
		return;
	if (leat_task_id() != 0 && is_open()) {
		leat_shield_begin();
		r = leat_write_all(screen.io, bytes, n, leat_in(200 * LEAT_MS), NULL);
		leat_shield_end();
	} else if (write(STDERR_FILENO, bytes, n) < 0) {
		r = -leat_errno();
	}
	if (r < 0 && r != -ETIMEDOUT)
		screen.gone = true;
}

static size_t add(char *to, size_t n, const char *bytes, size_t more)
{
	memcpy(to + n, bytes, more);
	return n + more;
}

/* The line as it is drawn now, into to, which has LINE + 8 bytes; how many. */
static size_t draw(char *to)
{
	size_t n = 0;

	if (screen.hidden || screen.n == 0 || !in_foreground() ||
	    screen.columns > screen_columns()) /* narrower by now: a new one comes soon */
		return 0;
	n = add(to, n, screen.in_line ? "\n" : "\r", 1);
	n = add(to, n, screen.line, screen.n);
	n = add(to, n, erase + 1, sizeof(erase) - 2);
	screen.in_line = false;
	screen.drawn = true;
	return n;
}

static size_t undraw(char *to)
{
	bool drawn = screen.drawn;

	screen.drawn = false;
	return drawn && in_foreground() ? add(to, 0, erase, sizeof(erase) - 1) : 0;
}

static void redraw(void)
{
	char text[LINE + 8];
	size_t n = draw(text);

	if (n > 0)
		put(text, n);
}

static void hide(void)
{
	char text[8];
	size_t n = undraw(text);

	if (n > 0)
		put(text, n);
}

void screen_set_line(const char *bytes, size_t n, size_t columns)
{
	if (!is_open() || n > LINE)
		return;
	leat_mutex_lock(&screen.lock);
	memcpy(screen.line, bytes, n);
	screen.n = n;
	screen.columns = columns;
	redraw();
	leat_mutex_unlock(&screen.lock);
}

void screen_close(void)
{
	if (!is_open())
		return;
	leat_mutex_lock(&screen.lock);
	if (screen.drawn)
		put("\n", 1);
	atomic_store_explicit(&screen.open, false, memory_order_release);
	leat_io_close(screen.io);
	screen.drawn = false;
	screen.n = 0;
	leat_mutex_unlock(&screen.lock);
}

static bool is_ours(int fd)
{
	return is_open() && (fd == STDERR_FILENO || screen.is_stdout);
}

void screen_above_begin(int fd)
{
	if (!is_ours(fd))
		return;
	leat_mutex_lock(&screen.lock);
	hide();
}

void screen_above(int fd, const char *bytes, size_t n)
{
	if (is_ours(fd) && n > 0)
		screen.in_line = bytes[n - 1] != '\n';
}

void screen_above_end(int fd)
{
	if (!is_ours(fd))
		return;
	redraw();
	leat_mutex_unlock(&screen.lock);
}

/* In one write, so that the line does not flicker, and nothing of others gets in. */
void screen_message(const char *text, size_t n)
{
	char all[MESSAGE + LINE + 16];
	size_t used;

	if (!is_open()) {
		if (write(STDERR_FILENO, text, n) < 0)
			return; /* nobody is there to be told */
		return;
	}
	if (n > MESSAGE)
		n = MESSAGE;
	leat_mutex_lock(&screen.lock);
	used = undraw(all);
	used = add(all, used, text, n);
	screen.in_line = false;
	used += draw(all + used);
	put(all, used);
	leat_mutex_unlock(&screen.lock);
}

void screen_hide(void)
{
	if (!is_open())
		return;
	leat_mutex_lock(&screen.lock);
	screen.hidden = true;
	hide();
	leat_mutex_unlock(&screen.lock);
}

void screen_show(void)
{
	if (!is_open())
		return;
	leat_mutex_lock(&screen.lock);
	screen.hidden = false;
	redraw();
	leat_mutex_unlock(&screen.lock);
}

void screen_leave(void)
{
	if (is_open() && screen.drawn && write(STDERR_FILENO, erase, sizeof(erase) - 1) < 0)
		return; /* it is about to end anyway */
}
