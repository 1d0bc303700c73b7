#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <md5.h>

#include <leat/blocking.h>

#include "checksums.h"

struct reading {
	struct checksums *s;
	struct checked *c;
	unsigned char *buffer;
	bool ran;
};

/* What has been opened, to its end.  0 or an error; -ECANCELED: the run is to stop. */
static int hash(struct reading *q, int fd, uint8_t *ret_md5)
{
	MD5_CTX md5;
	ssize_t k;

	MD5Init(&md5);
	while ((k = read(fd, q->buffer, CHECKSUMS_BUFFER)) != 0) {
		if (k < 0 && leat_errno() == EINTR)
			continue;
		if (k < 0)
			return -leat_errno();
		MD5Update(&md5, q->buffer, (size_t)k);
		atomic_fetch_add_explicit(&q->s->bytes, (uint64_t)k, memory_order_relaxed);
		if (atomic_load_explicit(&q->s->stop, memory_order_relaxed))
			return -ECANCELED;
	}
	MD5Final(ret_md5, &md5);
	return 0;
}

static enum verdict verdict_of(int error)
{
	if (error == -ENOENT || error == -ENOTDIR)
		return MISSING;
	return error == -ECANCELED ? NOT_READ : UNREADABLE;
}

/* On a thread of the pool.  O_NONBLOCK: a FIFO in place of a file has nobody at its other end. */
static int read_file(struct reading *q)
{
	struct checked *c = q->c;
	int r, fd = openat(q->s->db.root, c->file->at,
			   O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	uint8_t md5[16];

	q->ran = true;
	if (fd < 0) {
		c->error = -leat_errno();
		c->verdict = verdict_of(c->error);
		return 0;
	}
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		c->verdict = DIFFERS;
		close(fd);
		return 0;
	}
	r = hash(q, fd, md5);
	close(fd);
	c->error = r;
	if (r < 0)
		c->verdict = verdict_of(r);
	else
		c->verdict = memcmp(md5, c->file->md5, sizeof(md5)) == 0 ? MATCHES : DIFFERS;
	return 0;
}

void checksums_read(struct checksums *s, struct checked *c, unsigned char *buffer)
{
	struct reading q = { s, c, buffer, false };
	int r;

	atomic_fetch_add_explicit(&s->running, 1, memory_order_relaxed);
	r = leat_blocking_call(read_file, &q);
	if (!q.ran && r == -EAGAIN)	/* there is no thread: slowly, then */
		read_file(&q);
	atomic_fetch_sub_explicit(&s->running, 1, memory_order_relaxed);
}
