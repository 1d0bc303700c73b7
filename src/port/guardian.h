/*
 * The guardian: a process that kills our children when we have died.  See guardian.c.
 */
#ifndef LEAT_PORT_GUARDIAN_H
#define LEAT_PORT_GUARDIAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct leat__guardian {
	int pidfd;		/* -1: there is none */
	int pid;
	int pipe;		/* its end tells the guardian of ours */
	int32_t *table;		/* (a) shared with it; NULL: there is none */
	int table_fd;
};
#define LEAT__GUARDIAN_NONE { .pidfd = -1, .pipe = -1, .table_fd = -1 }

/*
 * Starts it, unless it runs.  The table stays when it had to be started again.
 * 0 or a negative errno.  By one thread only, which lends it a stack.
 */
int leat__guardian_start(struct leat__guardian *g, void *stack, size_t size);
/* Ends it without harm to anybody, and reaps it. */
void leat__guardian_stop(struct leat__guardian *g);
/*
 * An entry for a target, see leat__kill; NULL: all are in use.  By the same thread.
 * It is free again as soon as it is 0, and is looked for only after that.
 */
int32_t *leat__guardian_entry(struct leat__guardian *g);

#endif
