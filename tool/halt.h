/*
 * When a run ends before its input: --halt WHEN,WHY=HOW_MANY, as in GNU parallel.
 *
 *	soon,fail=1	no new job after the first that failed; those that run may end
 *	now,fail=10%	kill what runs, when a tenth of the jobs, and 3 at least, have failed
 *	now,success=1	when one has succeeded
 *	never
 *
 * Of a share GNU parallel takes the whole input, which it reads first; here the input is a stream,
 * so it is of the jobs that have ended so far.
 */
#ifndef TOOL_HALT_H
#define TOOL_HALT_H

#include <stdbool.h>
#include <stdint.h>

enum halt_when { HALT_NEVER, HALT_SOON, HALT_NOW };

struct halt {
	enum halt_when when;
	bool success;		/* counts those that succeeded; else those that failed */
	uint64_t count;		/* so many; 0: percent */
	double percent;		/* of the jobs that have ended, when 3 at least were such */
};

/* 0, or -EINVAL with *why a static text. */
int halt_parse(const char *text, struct halt *ret, const char **why);

/* What to do now, with so many that have ended. */
enum halt_when halt_now(const struct halt *halt, uint64_t succeeded, uint64_t failed);

#endif
