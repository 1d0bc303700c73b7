/*
 * The thread that starts the child processes, and the guardian: see spawner.c.
 */
#ifndef LEAT_IO_SPAWNER_H
#define LEAT_IO_SPAWNER_H

#include "base/list.h"
#include "port/spawn.h"

/* A child between its start and its reaping. */
struct leat__child {
	struct leat__list node;	/* (L: spawner) */
	int pid, pidfd;		/* (c) */
	int target;		/* (c) of leat__kill: the process or its group */
	int32_t *entry;		/* (c) of the guardian's table */
};

/*
 * Starts the program: fills in child.  Blocks the task, or the thread.  0 or a negative
 * errno.
 */
int leat__spawner_start(struct leat__spawn *s, struct leat__child *child);
/* Before the child is reaped: the guardian forgets it. */
void leat__spawner_forget(struct leat__child *child);

#endif
