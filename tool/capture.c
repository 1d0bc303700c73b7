#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <leat/leat.h>

#include "memory.h"

static _Atomic size_t in_memory; /* of all captures */

enum { FIRST = 4096, PIECE = 64 * 1024, SPLICE = 1 << 20 };

static int open_file(void)
{
	const char *dir = getenv("TMPDIR");
	char path[4096];
	int fd;

	if (!dir || !*dir)
		dir = "/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || (leat_errno() != EOPNOTSUPP && leat_errno() != EISDIR))
		return fd >= 0 ? fd : -leat_errno();
	/* A file system without nameless files. */
	if (snprintf(path, sizeof(path), "%s/leat-XXXXXX", dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -leat_errno();
	unlink(path);
	return fd;
}

static int write_file(struct capture *c, const char *bytes, size_t n)
{
	ssize_t k;

	while (n > 0) {
		k = pwrite(c->file, bytes, n, (off_t)c->in_file);
		if (k < 0 && leat_errno() == EINTR)
			continue;
		if (k < 0)
			return -leat_errno();
		c->in_file += (uint64_t)k;
		bytes += k;
		n -= (size_t)k;
	}
	return 0;
}

static void set_size(struct capture *c, size_t size)
{
	/* Relaxed: a sum that decides nothing but what is spilled. */
	atomic_fetch_add_explicit(&in_memory, size - c->size, memory_order_relaxed);
	c->size = size;
}

static void free_bytes(struct capture *c)
{
	free(c->bytes);
	c->bytes = NULL;
	c->n = 0;
	set_size(c, 0);
}

/* From now on all goes to the file. */
static int spill(struct capture *c)
{
	int r;

	if (c->file == 0) {
		r = open_file();
		if (r < 0)
			return r;
		c->file = r;
	}
	r = write_file(c, c->bytes, c->n);
	if (r == 0)
		free_bytes(c);
	return r;
}

/* Pages go from the pipe to the file without a copy through the program. */
static ssize_t splice_some(struct capture *c, int pipe)
{
	off_t at = (off_t)c->in_file;
	ssize_t k = splice(pipe, NULL, c->file, &at, SPLICE, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

	if (k > 0)
		c->in_file += (uint64_t)k;
	return k;
}

static ssize_t read_some(struct capture *c, int pipe)
{
	ssize_t k;

	if (c->n == c->size) {
		set_size(c, c->size == 0 ? FIRST : 4 * c->size);
		c->bytes = need_more(c->bytes, c->size);
	}
	k = read(pipe, c->bytes + c->n, c->size - c->n);
	if (k > 0)
		c->n += (size_t)k;
	return k;
}

int capture_read(struct capture *c, int pipe, size_t max)
{
	ssize_t k;
	int r;

	while (c->n < max) {
		if (c->n >= CAPTURE_IN_MEMORY &&
		    atomic_load_explicit(&in_memory, memory_order_relaxed) > CAPTURES_IN_MEMORY) {
			r = spill(c);
			if (r < 0)
				return r;
		}
		k = c->file > 0 && c->n == 0 ? splice_some(c, pipe) : read_some(c, pipe);
		if (k == 0)
			return 0;
		if (k < 0 && leat_errno() == EAGAIN)
			return 1;
		if (k < 0 && leat_errno() != EINTR)
			return -leat_errno();
	}
	return 1;
}

int capture_take(struct capture *c, char *bytes, size_t n)
{
	capture_reset(c);
	*c = (struct capture){ .bytes = bytes, .n = n, .size = n };
	return n > CAPTURE_IN_MEMORY ? spill(c) : 0;
}

uint64_t capture_size(const struct capture *c)
{
	return c->in_file + c->n;
}

int capture_each(const struct capture *c, int (*each)(void *arg, const char *bytes, size_t n),
		 void *arg)
{
	char *piece = c->in_file > 0 ? need(PIECE) : NULL;
	uint64_t at = 0;
	ssize_t k;
	int r = 0;

	while (r == 0 && at < c->in_file) {
		k = pread(c->file, piece, PIECE, (off_t)at);
		if (k < 0 && leat_errno() == EINTR)
			continue;
		if (k <= 0)
			r = k < 0 ? -leat_errno() : -EIO;
		else
			r = each(arg, piece, (size_t)k);
		at += k > 0 ? (uint64_t)k : 0;
	}
	free(piece);
	if (r == 0 && c->n > 0)
		r = each(arg, c->bytes, c->n);
	return r;
}

void capture_reset(struct capture *c)
{
	if (c->file > 0)
		close(c->file);
	free_bytes(c);
	*c = (struct capture){ 0 };
}
