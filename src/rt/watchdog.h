/*
 * Workers that are stuck in a task: see watchdog.c.
 */
#ifndef LEAT_RT_WATCHDOG_H
#define LEAT_RT_WATCHDOG_H

#include "rt/rt.h"

/* 0 or a negative errno. */
int leat__watchdog_start(struct leat__runtime *rt);
/* No spare is started any more. */
void leat__watchdog_stop(struct leat__runtime *rt);
/* runtime.c: one more worker. */
int leat__spare_start(struct leat__runtime *rt);

#endif
