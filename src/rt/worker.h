#ifndef LEAT_RT_WORKER_H
#define LEAT_RT_WORKER_H

#include "rt/rt.h"

/* A worker's thread, from its first to its last statement: until the runtime stops. */
void leat__worker_main(struct leat__worker *w);

/* Runs a new task to its end on the stack that we stand on. w->cur is t until it ends. */
void leat__run_new(struct leat__worker *w, struct leat__task *t);

/* Fires what is due in w's wheel. */
void leat__worker_timers(struct leat__worker *w);

/* Where a task with a stack of its own begins. */
void leat__own_stack_entry(void);

/* fork.c: a forked task has ended on w. */
void leat__fork_ended(struct leat__worker *w, struct leat__task *t, int r);

#endif
