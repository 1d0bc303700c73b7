/*
 * Places of jobs that run at once, by number: {%}.  Each has what a running child needs and the
 * next one can use again.  Any task.
 */
#ifndef TOOL_SLOTS_H
#define TOOL_SLOTS_H

#include <stdatomic.h>

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
	bool busy;		/* (L) epoll is in use */
};

struct slots {
	leat_mutex lock;
	leat_mutex starting;	/* with a process that starts, until slots_set_process */
	struct slot *all;	/* n of them */
	int n;
	int64_t paused_at;	/* of who pauses */
	_Atomic int64_t paused;	/* ns */
};

void slots_init(struct slots *s, int n);
void slots_release(struct slots *s);

/* The lowest that is free; there is one, since no more than n jobs run.  Never blocks. */
struct slot *slots_take(struct slots *s);
void slots_give(struct slots *s, struct slot *slot);

/*
 * process runs there from now on, which was started under the lock `starting`, so that no signal
 * misses it; NULL: it does no more, and may be released.
 */
void slots_set_process(struct slots *s, struct slot *slot, leat_process *process);

/*
 * Between the two calls the slot has an epoll set: 0, or an error.  It is kept for the next child;
 * slots_trim closes those that are not in use, when descriptors are short.
 */
int slots_epoll_begin(struct slots *s, struct slot *slot);
void slots_epoll_end(struct slots *s, struct slot *slot);
void slots_trim(struct slots *s);

/*
 * Stops all that run, and lets them go on; from the first to the second, which is the same task's,
 * none is started.
 */
void slots_pause(struct slots *s);
void slots_continue(struct slots *s);

/* ns that children have been paused in all. */
int64_t slots_paused(struct slots *s);

#endif
