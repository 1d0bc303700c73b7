/*
 * Places of jobs that run at once, by number: {%}.  Each has what a running child needs and the
 * next one can use again.  Any task.
 */
#ifndef TOOL_SLOTS_H
#define TOOL_SLOTS_H

#include <leat/io.h>
#include <leat/process.h>
#include <leat/sync.h>

struct slots;

struct slot {
	struct slots *slots;
	int number;		/* from 1 */
	int epoll;		/* of the child's pipes and its end; < 0: none yet */
	leat_io epoll_io;
	leat_process *process;	/* (L) that runs; NULL: none */
	bool taken;		/* (L) */
};

struct slots {
	leat_mutex lock;
	struct slot *all;	/* n of them */
	int n;
};

void slots_init(struct slots *s, int n);
void slots_release(struct slots *s);

/* The lowest that is free; there is one, since no more than n jobs run.  Never blocks. */
struct slot *slots_take(struct slots *s);
void slots_give(struct slots *s, struct slot *slot);

/* process runs there from now on; NULL: it does no more, and may be released. */
void slots_set_process(struct slots *s, struct slot *slot, leat_process *process);

/* How many processes run. */
int slots_running(struct slots *s);

/* Sends sig to the groups of all that run. */
void slots_kill(struct slots *s, int sig);

#endif
