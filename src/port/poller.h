/*
 * Readiness of file descriptors, from the kernel: epoll, edge-triggered.
 *
 * A descriptor is added once, for both directions.  An event says what has become
 * possible since the last one; whoever gets it must remember it.
 */
#ifndef LEAT_PORT_POLLER_H
#define LEAT_PORT_POLLER_H

#include <stdbool.h>
#include <stdint.h>

enum {
	LEAT__READABLE = 1,	/* or at the end, or broken */
	LEAT__WRITABLE = 2,	/* or broken */
	/* With READABLE: the end, an error or urgent data may be behind what is read. */
	LEAT__MORE_BEHIND = 4,
};

struct leat__poller {
	int fd;
	int wake_fd;
};

struct leat__event {
	void *data;
	uint32_t what;		/* LEAT__READABLE, LEAT__WRITABLE, LEAT__MORE_BEHIND */
};

int leat__poller_open(struct leat__poller *ret_poller);
void leat__poller_close(struct leat__poller *poller);

/* -EPERM: it cannot be polled (files); -EEXIST: it is in already. */
int leat__poller_add(struct leat__poller *poller, int fd, void *data);
void leat__poller_remove(struct leat__poller *poller, int fd);

/*
 * Waits for events, leat__poller_wake or the deadline (0: does not wait).  Returns how
 * many of the n are filled.  One thread at a time.
 */
int leat__poller_wait(struct leat__poller *poller, struct leat__event *events, int n,
		      int64_t deadline);
void leat__poller_wake(struct leat__poller *poller);

/* What of `what` could be done on fd now without waiting; no poller is needed. */
uint32_t leat__poll_now(int fd, uint32_t what);

#endif
