/* --results DIR: DIR/SEQ/stdout and DIR/SEQ/stderr of each job, 0600, in directories of 0700. */
#ifndef TOOL_RESULTS_H
#define TOOL_RESULTS_H

#include "job.h"

/* Makes the directory, unless it is there.  Its descriptor, or an error. */
int results_open(const char *dir);

/* Replaces what is there of a job with that number.  0 or an error.  Blocks. */
int results_write(int dir, const struct job *job);

#endif
