/*
 * --joblog: a line for each job that has ended, to read and to grep; columns of GNU parallel:
 *
 *	Seq	Host	Starttime	JobRuntime	Send	Receive	Exitval	Signal	Command
 *
 * separated by tabs, the numbers padded by spaces as there.  In the command (and the host) \, tab
 * and newline and other control characters are escaped as \\, \t, \n, \xNN, which GNU parallel
 * does not do: a line is always one line of nine columns.  It is not the state for resuming: that
 * is the journal.
 */
#ifndef TOOL_JOBLOG_H
#define TOOL_JOBLOG_H

#include <stddef.h>
#include <stdint.h>

struct joblog_entry {
	uint64_t seq;
	const char *host;	/* ":" is this machine */
	double start;		/* s since 1970 */
	double runtime;		/* s */
	uint64_t sent, received; /* bytes to stdin, from stdout */
	int exitval, signal;
	const char *command;	/* command_size bytes */
	size_t command_size;
};

/* The line with its newline: its length, as snprintf(3).  Times are rounded to ms. */
size_t joblog_format(const struct joblog_entry *entry, char *text, size_t size);

/* The first line of a file. */
extern const char joblog_header[];

/*
 * One line, without newline; in text the command is unescaped in place, and the entry points into
 * it.  Also a line of GNU parallel, where a \ before anything else is itself.  0, or -EINVAL: not a
 * line of a joblog, as its first line; then text may have changed.
 */
int joblog_parse(char *text, size_t n, struct joblog_entry *ret);

#endif
