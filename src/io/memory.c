/* A stream in memory: a byte string that reads shorten and writes lengthen. */
#include <errno.h>
#include <string.h>

#include <leat/stream.h>
#include <leat/sync.h>

#include "io/io.h"

struct memory {
	leat_mutex lock;
	char *bytes;		/* (L: lock) */
	size_t cap;		/* (L: lock) */
	size_t from, to;	/* (L: lock) what is there */
	size_t limit;		/* (c) */
};

/* Under the lock: room for n bytes more. */
static int make_room(struct memory *m, size_t n)
{
	size_t have = m->to - m->from, cap;
	char *bytes;

	if (n > m->limit - have)
		return -ENOSPC;
	if (m->from > 0 && m->cap - m->to < n) {
		memmove(m->bytes, m->bytes + m->from, have);
		m->from = 0;
		m->to = have;
	}
	if (m->cap - m->to >= n)
		return 0;
	cap = m->cap < 256 ? 256 : m->cap;
	while (cap - have < n)
		if (__builtin_mul_overflow(cap, 2, &cap))
			return -ENOMEM;
	bytes = leat__alloc(cap);
	if (!bytes)
		return -ENOMEM;
	if (have > 0)
		memcpy(bytes, m->bytes, have);
	leat__free(m->bytes, m->cap);
	m->bytes = bytes;
	m->cap = cap;
	return 0;
}

/* Under the lock. */
static int append(struct memory *m, const void *bytes, size_t n)
{
	int r = make_room(m, n);

	if (r == 0 && n > 0) {
		memcpy(m->bytes + m->to, bytes, n);
		m->to += n;
	}
	return r;
}

static int64_t memory_read(struct leat__io *io, const struct iovec *iov, int count)
{
	struct memory *m = io->ctx;
	size_t done = 0;

	leat_mutex_lock(&m->lock);
	for (int i = 0; i < count && m->from < m->to; i++) {
		size_t n = m->to - m->from < iov[i].iov_len ? m->to - m->from : iov[i].iov_len;

		memcpy(iov[i].iov_base, m->bytes + m->from, n);
		m->from += n;
		done += n;
	}
	leat_mutex_unlock(&m->lock);
	return (int64_t)done;
}

static int64_t memory_write(struct leat__io *io, const struct iovec *iov, int count)
{
	struct memory *m = io->ctx;
	size_t done = 0;
	int r = 0;

	leat_mutex_lock(&m->lock);
	for (int i = 0; i < count && r == 0; i++) {
		size_t room = m->limit - (m->to - m->from);
		size_t n = iov[i].iov_len < room ? iov[i].iov_len : room;

		r = n < iov[i].iov_len ? -ENOSPC : 0;
		if (n > 0 && append(m, iov[i].iov_base, n) < 0)
			r = -ENOMEM;
		else
			done += n;
	}
	leat_mutex_unlock(&m->lock);
	return done > 0 ? (int64_t)done : r;
}

static void memory_close(struct leat__io *io)
{
	struct memory *m = io->ctx;

	leat__free(m->bytes, m->cap);
	leat__free(m, sizeof(*m));
}

static const struct leat__io_ops memory_ops = {
	.name = "memory",
	.read = memory_read,
	.write = memory_write,
	.close = memory_close,
};

int leat_io_memory(leat_io *ret_io, const void *bytes, size_t n, size_t limit)
{
	struct leat__io *io = NULL;
	struct memory *m;

	leat__check_fork(__func__, NULL);
	leat__require(ret_io);
	if (n > 0)
		leat__require(bytes);
	m = leat__alloc(sizeof(*m));
	if (!m)
		return -ENOMEM;
	*m = (struct memory){ .lock = LEAT_MUTEX_INIT, .limit = limit > 0 ? limit : SIZE_MAX };
	if (n > m->limit)
		m->limit = n;
	if (append(m, bytes, n) == 0)
		io = leat__io_new(&memory_ops, -1, m, LEAT__READABLE | LEAT__WRITABLE);
	if (!io) {
		leat__free(m->bytes, m->cap);
		leat__free(m, sizeof(*m));
		return -ENOMEM;
	}
	*ret_io = leat__io_open(io);
	return 0;
}
