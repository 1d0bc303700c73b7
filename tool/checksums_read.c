/*
 * A file is read by the worker itself if it is small and in the page cache, so that no disk is
 * waited for (RESOLVE_CACHED, RWF_NOWAIT): that costs no more than reading it, and hashing it is
 * what a worker is for.  All others go to a thread of leat_blocking, as a whole, in one call.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <md5.h>

#include <leat/blocking.h>

#include "checksums.h"

/* Bytes that are hashed in a millisecond or two: so long the others of a worker wait. */
enum { SMALL = 1 << 20 };

enum { FLAGS = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK }; /* of a FIFO nobody has the end */

struct reading {
	struct checksums *s;
	struct checked *c;
	unsigned char *buffer;
	bool nowait;		/* -EAGAIN, where it would have to wait */
	bool ran;
};

static ssize_t read_some(const struct reading *q, int fd)
{
	struct iovec v = { q->buffer, CHECKSUMS_BUFFER };
	ssize_t k;

	do
		k = q->nowait ? preadv2(fd, &v, 1, -1, RWF_NOWAIT)
			      : read(fd, q->buffer, CHECKSUMS_BUFFER);
	while (k < 0 && leat_errno() == EINTR);
	return k < 0 ? -leat_errno() : k;
}

/* What has been opened, to its end.  0 or an error; -ECANCELED: the run is to stop. */
static int hash(const struct reading *q, int fd, uint8_t *ret_md5)
{
	uint64_t n = 0;
	MD5_CTX md5;
	ssize_t k;

	MD5Init(&md5);
	while ((k = read_some(q, fd)) > 0) {
		MD5Update(&md5, q->buffer, (size_t)k);
		n += (uint64_t)k;
		atomic_fetch_add_explicit(&q->s->bytes, (uint64_t)k, memory_order_relaxed);
		if (atomic_load_explicit(&q->s->stop, memory_order_relaxed)) {
			k = -ECANCELED;
			break;
		}
	}
	if (k < 0 && q->nowait) /* it is begun anew */
		atomic_fetch_sub_explicit(&q->s->bytes, n, memory_order_relaxed);
	if (k == 0)
		MD5Final(ret_md5, &md5);
	return (int)k;
}

static void conclude(struct checked *c, int error, const uint8_t *md5)
{
	c->error = error;
	if (error == -ENOENT || error == -ENOTDIR)
		c->verdict = MISSING;
	else if (error == -ECANCELED)
		c->verdict = NOT_READ;
	else if (error < 0)
		c->verdict = UNREADABLE;
	else
		c->verdict = memcmp(md5, c->file->md5, 16) == 0 ? MATCHES : DIFFERS;
}

/* false: it may be that the disk has to be waited for. */
static bool read_cached(struct reading *q)
{
	struct open_how how = { .flags = FLAGS, .resolve = RESOLVE_CACHED };
	int fd = (int)syscall(SYS_openat2, q->s->db.root, q->c->file->at, &how, sizeof(how)), r;
	uint8_t md5[16];
	struct stat st;

	if (fd < 0)
		return false; /* also where the system does not know this call */
	q->nowait = true;
	r = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? hash(q, fd, md5) : -EAGAIN;
	close(fd);
	q->nowait = false;
	if (r < 0 && r != -ECANCELED)
		return false;
	conclude(q->c, r, md5);
	return true;
}

/* On a thread of the pool. */
static int read_file(struct reading *q)
{
	int fd = openat(q->s->db.root, q->c->file->at, FLAGS), r = 0;
	uint8_t md5[16] = { 0 };
	struct stat st;

	q->ran = true;
	if (fd < 0) {
		conclude(q->c, -leat_errno(), NULL);
		return 0;
	}
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		q->c->verdict = DIFFERS;
	} else {
		r = hash(q, fd, md5);
		conclude(q->c, r, md5);
	}
	close(fd);
	return 0;
}

void checksums_read(struct checksums *s, struct checked *c, unsigned char *buffer)
{
	struct reading q = { .s = s, .c = c, .buffer = buffer };
	int r;

	atomic_fetch_add_explicit(&s->running, 1, memory_order_relaxed);
	if (c->size > SMALL || !read_cached(&q)) {
		r = leat_blocking_call(read_file, &q);
		if (!q.ran && r == -EAGAIN) /* there is no thread: slowly, then */
			read_file(&q);
	}
	atomic_fetch_sub_explicit(&s->running, 1, memory_order_relaxed);
}
