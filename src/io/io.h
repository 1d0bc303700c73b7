/*
 * Handles of the I/O layer: see io.c.
 */
#ifndef LEAT_IO_IO_H
#define LEAT_IO_IO_H

#include <string.h>

#include <leat/io.h>

#include "rt/look.h"
#include "rt/park.h"
#include "rt/poll.h"

struct leat__io;

static inline size_t leat__iov_size(const struct iovec *iov, int count)
{
	size_t n = 0;

	for (int i = 0; i < count; i++)
		n += iov[i].iov_len;
	return n;
}

/* The first n bytes of iov, of which there are as many, to one place. */
static inline void leat__iov_gather(void *to, const struct iovec *iov, int count, size_t n)
{
	size_t at = 0;

	for (int i = 0; i < count && at < n; i++) {
		size_t part = iov[i].iov_len < n - at ? iov[i].iov_len : n - at;

		if (part > 0)
			memcpy((char *)to + at, iov[i].iov_base, part);
		at += part;
	}
}

/* n bytes to iov, as far as they fit. */
static inline void leat__iov_scatter(const struct iovec *iov, int count, const void *from,
				     size_t n)
{
	size_t at = 0;

	for (int i = 0; i < count && at < n; i++) {
		size_t part = iov[i].iov_len < n - at ? iov[i].iov_len : n - at;

		if (part > 0)
			memcpy(iov[i].iov_base, (const char *)from + at, part);
		at += part;
	}
}

/*
 * What the kinds of handles do differently.  read and write try once and never wait:
 * a count, or a negative error; -EAGAIN: leat__io_event will say when to try again.
 */
struct leat__io_ops {
	const char *name;	/* for dumps */
	int64_t (*read)(struct leat__io *io, const struct iovec *iov, int count);
	int64_t (*write)(struct leat__io *io, const struct iovec *iov, int count);
	/* Which of what is possible now; NULL: as ready says, or poll(2) of the descriptor. */
	uint32_t (*possible)(struct leat__io *io, uint32_t what);
	/* The last user has left; frees what ctx and fd are. */
	void (*close)(struct leat__io *io);
	/* A short count says that the next try would find nothing. */
	bool short_is_all;
	/* Whoever waits is woken from outside of the runtime: no deadlock. */
	bool external;
	/* An attempt waits for a disk: it runs on a thread of the pool, and is never early. */
	bool blocks;
};

struct leat__io {
	/* One cache line: all that a read, a write, and the wait of a reader touch. */
	struct leat__pollable pollable;
	uint64_t state;		/* (a) generation, LEAT__IO_CLOSING, users; see io.c */
	struct leat__lock lock;
	uint32_t ready;		/* (a) LEAT__READABLE, LEAT__WRITABLE, count of events */
	const struct leat__io_ops *ops; /* (c) while it is open */
	int fd;			/* (c) -1: none */
	uint32_t flags;		/* (c) LEAT_IO_INHERITED */
	struct leat__list readers; /* (L) leat__waiter */
	struct leat__task *reader; /* (a) of the last of them, to be prefetched; may be gone */

	struct leat__list writers, pausers; /* (L) the same */
	void *ctx;		/* (c) of the kind */
	uint32_t index;		/* (c) of the slot */
	struct leat__io *next_free; /* (L: of the table) */
} __attribute__((aligned(64)));

/*
 * A new handle, of which the caller is the one user; ready says what to try at once.
 * NULL: no memory.  leat__io_open makes it usable; leat__io_discard gives it back.
 */
struct leat__io *leat__io_new(const struct leat__io_ops *ops, int fd, void *ctx, uint32_t ready);
leat_io leat__io_open(struct leat__io *io);
void leat__io_discard(struct leat__io *io);

/* The slot of an open handle, held: it stays until leat__io_release.  NULL: closed. */
struct leat__io *leat__io_hold(leat_io io);
void leat__io_release(struct leat__io *io);
/* Whether somebody has closed it while it is held. */
bool leat__io_is_closing(struct leat__io *io);

/* Something has become possible: wakes who waits for it. */
void leat__io_event(struct leat__io *io, uint32_t what);

/*
 * Calls attempt(io, arg) until it returns something else than -EAGAIN or -EINTR, and
 * waits between the calls.  all: a smaller count means that the next
 * attempt would find nothing (0: never).
 */
int64_t leat__io_try(struct leat__io *io, uint32_t what, int64_t deadline,
		     int64_t (*attempt)(struct leat__io *io, void *arg), void *arg, size_t all);

/* Stops the program unless what is LEAT_READABLE, LEAT_WRITABLE or both. */
void leat__io_check_what(const char *function, unsigned what);
/* Waits until one of what may be possible: which, or an error. */
int64_t leat__io_wait(struct leat__io *io, uint32_t what, int64_t deadline);

/* Sleeps until then: 0; LEAT_ECLOSED as soon as io is closed, or -ECANCELED. */
int leat__io_pause(struct leat__io *io, int64_t until);

/*
 * Handles of files: file.c.  Runs fn(io, arg) on a thread of the pool, or in the time of a
 * simulated disk; its result.
 */
int64_t leat__io_block(struct leat__io *io, int64_t deadline,
		       int64_t (*fn)(struct leat__io *io, void *arg), void *arg);
int leat__file_adopt(leat_io *ret_io, int fd, unsigned flags);
extern const struct leat__io_ops leat__file_ops;

/* Handles of descriptors: fd.c. */
int leat__io_adopt(leat_io *ret_io, int fd, unsigned flags, const struct leat__io_ops *ops,
		   uint32_t ready);
/*
 * Sockets of TCP, and all others: messages, and Unix sockets, of which a read ends at a
 * passed descriptor.
 */
extern const struct leat__io_ops leat__socket_ops, leat__message_ops, leat__pipe_ops;
const struct leat__io_ops *leat__socket_ops_of(int family, int type);
void leat__fd_close(struct leat__io *io);

#endif
