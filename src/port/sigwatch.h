/*
 * Signal handlers that only take a note: see sigwatch.c.
 */
#ifndef LEAT_PORT_SIGWATCH_H
#define LEAT_PORT_SIGWATCH_H

#include <stdbool.h>
#include <stdint.h>

/* Bit n - 1 stands for signal n. */
struct leat__sigwatch {
	uint64_t mask;		/* (c) the signals wanted */
	uint64_t pending;	/* (a) those that came */
	int fd;			/* (c) gets a byte when one came; must not block */
};

/* Whether the signal can be received this way. */
bool leat__sigwatch_can(int sig);
/* Takes the handlers over.  0, -ENOSPC, or what sigaction(2) says. */
int leat__sigwatch_begin(struct leat__sigwatch *watch);
/* Gives them back.  Afterwards no handler touches watch. */
void leat__sigwatch_end(struct leat__sigwatch *watch);

#endif
