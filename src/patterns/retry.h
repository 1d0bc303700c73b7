/* The options of retries, for patterns that have some. */
#ifndef LEAT_PATTERNS_RETRY_H
#define LEAT_PATTERNS_RETRY_H

#include <leat/retry.h>

/* 0, or -EINVAL, and the log says which is bad. */
int leat__retry_check(const leat_retry_options *o);

#endif
