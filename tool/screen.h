/*
 * The last line of the terminal that stderr is: the progress bar is there, and what others print
 * to the same terminal goes above it.  One lock is around all of it.
 *
 * There is one such line in the process, or none; then these calls cost one load each and do
 * nothing.  A terminal that goes away ends it, and nobody is told.
 */
#ifndef TOOL_SCREEN_H
#define TOOL_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Begins.  0; -ENOTTY: stderr is no terminal, or one that cannot go back in a line (TERM=dumb);
 * or an error of the kernel.  A task.
 */
int screen_open(void);

/* The line stays, and the cursor goes below it.  A task. */
void screen_close(void);

/* Columns that a line may fill now.  Never blocks. */
size_t screen_columns(void);

/*
 * Shows this line: n bytes, of which so many columns are seen.  Blocks no longer than 0.2 s, even
 * when the terminal is stopped by Ctrl-S.  A task.
 */
void screen_set_line(const char *bytes, size_t n, size_t columns);

/*
 * Around what is written to fd, 1 or 2, by a task: the line is erased before and drawn again
 * after, if fd is that terminal.  screen_above: these bytes are now written; if they do not end
 * with a newline, the line gets one of its own in front.  No message() between the two.
 */
void screen_above_begin(int fd);
void screen_above(int fd, const char *bytes, size_t n);
void screen_above_end(int fd);

/* All that for a text that ends with a newline and is written to stderr.  Any task or thread. */
void screen_message(const char *text, size_t n);

/* Before the process is stopped: no line; and after it goes on.  A task. */
void screen_hide(void);
void screen_show(void);

/* The process is about to end as it is: no line.  Takes no lock.  Any task or thread. */
void screen_leave(void);

#endif
