/*
 * The runtime's poller: who waits for file descriptors, and when.  See poll.c.
 */
#ifndef LEAT_RT_POLL_H
#define LEAT_RT_POLL_H

#include "port/poller.h"
#include "rt/rt.h"

/*
 * What is registered for a descriptor.  ready() is called with what has become
 * possible, on a worker or the watchdog, with no lock held; it makes tasks ready and nothing else.
 * It may still be called once after leat__poll_remove, so the memory must
 * stay until the runtime stops.  prefetch() fetches from memory what ready() is going to use,
 * but for p itself, which has been fetched.
 */
struct leat__pollable {
	const struct leat__pollable_ops {
		void (*ready)(struct leat__pollable *p, uint32_t what);
		void (*prefetch)(const struct leat__pollable *p);
	} *ops;
};

/* Registers fd.  0, -EPERM (it cannot be polled), -EEXIST or another negative errno. */
int leat__poll_add(struct leat__runtime *rt, int fd, struct leat__pollable *p);
/* Before fd is closed. */
void leat__poll_remove(struct leat__runtime *rt, int fd);
void leat__poll_fini(struct leat__runtime *rt);

/* Makes ready what can go on, without waiting, unless somebody waits for it already. */
void leat__poll_look(struct leat__worker *w);
/* The same if it has not been done for a while: for workers that are busy. */
void leat__poll_often(struct leat__worker *w);
/*
 * Sleeps in the poller until an event, leat__wake_worker(w) or the deadline; false:
 * somebody else does.
 */
bool leat__poll_sleep(struct leat__worker *w, int64_t deadline);
/* Wakes w if it sleeps in the poller. */
bool leat__poll_wake(struct leat__worker *w);

#endif
