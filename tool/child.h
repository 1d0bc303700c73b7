/*
 * A child process: started, fed, listened to, ended.
 *
 * It has a process group of its own.  When it has ended, whatever it left running in the group is
 * killed; what has left the group (setsid) and holds the pipes is listened to for CHILD_LINGER_NS.
 */
#ifndef TOOL_CHILD_H
#define TOOL_CHILD_H

#include "job.h"
#include "slots.h"

#define CHILD_LINGER_NS (100 * LEAT_MS)

struct child_options {
	const char *file;	/* the program */
	int64_t timeout;	/* ns; 0: none */
	int64_t grace;		/* ns from TERM to KILL, when it is timed out or cancelled */
	int nice;		/* added to the program's own */
	const struct record *input; /* for its stdin; NULL: /dev/null */
	/* After more has been captured, which it may take out; NULL: it is kept. */
	int (*captured)(void *arg, struct job *job, bool is_err);
	void *arg;
};

/*
 * Runs args to the end, and fills in the job's code, signal, timed_out, took and sent; what it
 * writes is in out and err.
 *
 * Returns 0; -ECANCELED: the run was stopped, and so was the child; why it could not be started, as
 * leat_process_start; or an error of what it wrote (-ENOSPC, -EIO), for which it was killed, or of
 * captured.  Blocks; no child is left in any case.
 */
int child_run(const struct child_options *o, struct slot *slot, struct job *job, char **args);

#endif
