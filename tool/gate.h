/*
 * How many children may be there at once, when the system has no room for as many as were asked for
 * (descriptors, processes, memory): it closes down to those that are there, and opens again, one
 * by one, as they go well.  Any task.
 */
#ifndef TOOL_GATE_H
#define TOOL_GATE_H

#include <stdbool.h>

#include <leat/sync.h>

struct gate {
	leat_mutex lock;
	leat_cond room;
	int max;		/* (c) */
	int limit, inside;	/* (L) 1 <= limit <= max */
	int went_well;		/* (L) since the limit was last changed */
};

void gate_init(struct gate *gate, int max);

/* Blocks until there is room: 0, and a leave is owed; or -ECANCELED. */
int gate_enter(struct gate *gate);

/* short_of: there was no room for it.  How many are left inside. */
int gate_leave(struct gate *gate, bool short_of);

#endif
