/* What leat says to a person: on stderr, a line each, above the progress bar (screen.h). */
#ifndef TOOL_MESSAGE_H
#define TOOL_MESSAGE_H

#include <leat/base.h>

/* "leat: TEXT".  Any task or thread; one write(2), so that lines of others do not get in. */
LEAT_PRINTF(1, 2) void message(const char *fmt, ...);

/* The same, then exits with 255: a mistake of the user's, before anything has begun. */
LEAT_PRINTF(1, 2) __attribute__((noreturn)) void die(const char *fmt, ...);

#endif
