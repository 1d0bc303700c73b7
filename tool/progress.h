/*
 * The progress bar: one line, the last of the terminal (screen.h), drawn seven times a second.
 *
 *	[=======>            ]  38%  1,140/~3,000  97/s  ETA 0:19  2 failed  4 run
 *
 * Who has the numbers gives them when asked.  The rate is that of the last time, smoothed: over 5 s
 * at first, later over a quarter of what the run has taken.
 */
#ifndef TOOL_PROGRESS_H
#define TOOL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include <leat/group.h>

struct progress_now {
	uint64_t done;		/* jobs, also those that failed or were skipped */
	uint64_t all;		/* of how many; 0: not known */
	bool about;		/* all is an estimate */
	uint64_t failed, skipped;
	int running;
	bool in_bytes;		/* what is below; else in jobs */
	uint64_t worked;	/* by this run */
	uint64_t left;		/* if all is known */
};

struct progress {
	void (*look)(void *arg, struct progress_now *ret);
	void *arg;
	bool on, utf8, colours;
	int64_t began, last;	/* ns */
	uint64_t last_worked;
	double sum, weight;	/* of rates a second */
};

/* Wanted: draws until group is cancelled, in a task of its own; nothing without a terminal. */
int progress_start(struct progress *p, leat_group *group,
		   void (*look)(void *arg, struct progress_now *ret), void *arg);

/* When the group has ended: the last state stays.  Also of one that was never started. */
void progress_end(struct progress *p);

/*
 * The line, into text of size bytes, with a 0; at most columns wide, and what matters least left
 * out.  rate: a second, < 0: not known; elapsed: ns, and *ret_columns what it fills.
 */
struct progress_style {
	bool utf8, colours;
	bool ended;		/* the time it took, not what is left */
	size_t columns;
};
size_t progress_format(const struct progress_now *now, const struct progress_style *style,
		       double rate, int64_t elapsed, char *text, size_t size, size_t *ret_columns);

#endif
