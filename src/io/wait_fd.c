/*
 * Waiting for descriptors of other libraries.
 *
 * The kernel registers a descriptor once, but several tasks may wait for it: they
 * share a slot, which is in a list while somebody waits.  Its flags count them, its ctx
 * is the next slot of the list.
 */
#include <errno.h>
#include <fcntl.h>

#include <leat/sync.h>

#include "io/io.h"
#include "port/sys.h"

enum { BUCKETS = 64 };

static leat_mutex lock = LEAT_MUTEX_INIT; /* a mutex: system calls are made under it */
static struct leat__io *bucket[BUCKETS]; /* (L: lock) */

static void nothing_to_close(struct leat__io *io)
{
	(void)io;
}

static const struct leat__io_ops raw_ops = {
	.name = "descriptor",
	.close = nothing_to_close,
	.external = true,
};

/* Under lock: where the pointer to fd's slot is, or to NULL. */
static struct leat__io **find(int fd)
{
	struct leat__io **link = &bucket[fd % BUCKETS];

	while (*link && (*link)->fd != fd)
		link = (struct leat__io **)&(*link)->ctx;
	return link;
}

/* Under lock: a slot for fd, which has none. */
static int add(int fd, struct leat__io **link)
{
	struct leat__io *io = leat__io_new(&raw_ops, fd, NULL, 0);
	int r;

	if (!io)
		return -ENOMEM;
	r = leat__poll_add(leat__rt, fd, &io->pollable);
	if (r < 0) {
		leat__io_discard(io);
		return r;
	}
	*link = io;
	return 0;
}

static int enter(int fd, struct leat__io **ret_io)
{
	struct leat__io **link;
	int r = 0;

	leat_mutex_lock(&lock);
	link = find(fd);
	if (!*link)
		r = add(fd, link);
	if (r == 0) {
		(*link)->flags++;
		*ret_io = *link;
	}
	leat_mutex_unlock(&lock);
	return r;
}

static void leave(struct leat__io *io)
{
	leat_mutex_lock(&lock);
	if (--io->flags == 0) {
		*find(io->fd) = io->ctx;
		leat__poll_remove(leat__rt, io->fd);
		leat__io_discard(io);
	}
	leat_mutex_unlock(&lock);
}

int leat_wait_fd(int fd, unsigned what, int64_t deadline)
{
	struct leat__worker *w;
	struct leat__task *me;
	struct leat__io *io;
	int64_t r;

	leat__check_fork(__func__, NULL);
	leat__io_check_what(__func__, what);
	r = leat__enter(&w, &me);
	if (r < 0)
		return (int)r;
	r = LEAT__SYS(fcntl(fd, F_GETFD));
	if (r < 0)
		return (int)r;
	r = leat__poll_now(fd, what);
	if (r > 0)
		return (int)r;
	r = enter(fd, &io);
	if (r < 0)
		return (int)r;
	r = leat__io_wait(io, what, deadline);
	leave(io);
	return (int)r;
}
