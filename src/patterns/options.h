/* Bad options: -EINVAL, and a line that names the function, the field, its value and the fix. */
#ifndef LEAT_PATTERNS_OPTIONS_H
#define LEAT_PATTERNS_OPTIONS_H

#include <errno.h>
#include <leat/extend.h>
#include <leat/runtime.h>

/* In a function whose result is 0 or an error: unless ok, logs the rest and returns. */
#define OPTION(function, ok, ...)                                             \
	do {                                                                  \
		if (!(ok)) {                                                  \
			leat_log(function ": " __VA_ARGS__);                  \
			return -EINVAL;                                       \
		}                                                             \
	} while (0)

/* The same, in what begins tasks. */
#define NEEDS_RUNTIME(function)                                               \
	OPTION(function, leat_workers() > 0,                                  \
	       "no runtime is running; call it inside leat_run or LEAT_MAIN")

#endif
