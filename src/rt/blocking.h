/*
 * The pool of threads for calls that block: see blocking.c.
 */
#ifndef LEAT_RT_BLOCKING_H
#define LEAT_RT_BLOCKING_H

#include <leat/blocking.h>

#include "rt/rt.h"

void leat__pool_init(struct leat__pool *pool, uint32_t limit);
/* No call is queued or runs any more.  Returns when all threads are gone. */
void leat__pool_fini(struct leat__pool *pool);

/* leat_blocking_until for the library's own functions. */
int64_t leat__blocking(int64_t (*fn)(void *arg), void *arg, int64_t deadline);

/* For tests: how long a thread waits for a call before it ends. */
extern int64_t leat__pool_idle_ns;

#endif
