/*
 * stdout and stderr of the program.
 *
 * A pipe or a terminal is opened once more, so that it can be written to without blocking a worker
 * and without a change to what the shell has, too.
 */
#ifndef TOOL_OUTPUT_H
#define TOOL_OUTPUT_H

#include <leat/io.h>

/* 0 or an error of the kernel. */
int output_open(leat_io *ret, int fd);

/*
 * All of it.  0; -EPIPE: nobody reads any more; or another error.  Blocks while nobody reads, and
 * ignores a cancel: what has begun to be delivered is delivered.
 */
int output_write(leat_io out, const char *bytes, size_t n);

#endif
