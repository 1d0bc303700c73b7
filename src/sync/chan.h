/*
 * What select and the stackless waits know of a channel.
 */
#ifndef LEAT_SYNC_CHAN_H
#define LEAT_SYNC_CHAN_H

#include "rt/look.h"
#include "rt/park.h"

struct leat_channel {
	struct leat__bias_lock lock;
	uint32_t flags;		/* (L, a) LEAT__CH_CLOSED, LEAT__CH_ABANDONED */
	uint32_t version;	/* (L, a) changes whenever a case may have become ready */
	uint32_t elem_size;	/* (c) */
	size_t cap;		/* (c) */
	size_t count;		/* (L, a) elements buffered */
	size_t head;		/* (L) index of the oldest */
	uint64_t sent;		/* (L) elements, ever */
	struct leat__list recvq, sendq; /* (L) leat__waiter */
	uint32_t nrecv, nsend;	/* (L, a) their lengths */
	uint32_t refs;		/* (a) */
	void (*drop)(void *elem); /* (c) */
	const char *where;	/* (c) file:line of its creation */
	char buffer[] __attribute__((aligned(16)));
};

enum { LEAT__CH_CLOSED = 1, LEAT__CH_ABANDONED = 2 };

/*
 * Under the lock.  Does the operation for task me if it can be done at once:
 * 0 or LEAT_ECLOSED; else -EAGAIN.  Tasks that it claimed are pushed on *wake,
 * linked by next, for leat__chan_wake after the lock has been released.
 */
int leat__chan_send_locked(leat_channel *c, const void *elem, struct leat__task *me,
			   struct leat__task **wake);
int leat__chan_recv_locked(leat_channel *c, void *elem, struct leat__task *me,
			   struct leat__task **wake);
void leat__chan_wake(struct leat__task *wake);

/*
 * Under the lock: whether the operation would find something to do.  Waiters
 * that nobody can claim, or that are me's own, are nothing.
 */
bool leat__chan_ready_locked(leat_channel *c, bool send, const struct leat__task *me);

/* Under the lock: queues w, or takes it out if it still is in. */
void leat__chan_enqueue(leat_channel *c, bool send, struct leat__waiter *w);
void leat__chan_dequeue(leat_channel *c, bool send, struct leat__waiter *w);

/* For dumps: what lies at c, if it is a channel. */
void leat__chan_say(struct leat__look *l, const void *c);

/* w: the calling worker or NULL; the same for both.  NULL, too, to hold several. */
static inline void leat__chan_lock(leat_channel *c, struct leat__worker *w)
{
	leat__bias_acquire(&c->lock, w ? w->slot : NULL, LEAT__RANK_OBJECT);
}

static inline void leat__chan_unlock(leat_channel *c, struct leat__worker *w)
{
	leat__bias_release(&c->lock, w ? w->slot : NULL);
}

#endif
