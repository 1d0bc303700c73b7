/*
 * The buffer holds what has been read and not been given out: bytes[first .. first + n).  It
 * grows up to record_max, or a block; of a longer record the rest is read and thrown away.
 */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <leat/leat.h>

#include "memory.h"

enum { FIRST_BUFFER = 64 * 1024 };

struct input {
	leat_io io;
	int fd;
	bool terminal;
	char delim;
	size_t record_max;
	char *bytes;
	size_t first, n, size;
	size_t looked;		/* of the n, that have no delimiter */
	bool end;
	_Atomic uint64_t done;	/* of the bytes, those of records that were given out */
	uint64_t all;		/* from where it begins */
};

/*
 * Of a pipe or a terminal a description of our own, which may be non-blocking: the one that was
 * inherited is the shell's, too.  A file has its offset in common with whoever else reads it.
 */
static int open_stdin(leat_io *ret_io)
{
	struct stat st;
	int fd;

	if (fstat(STDIN_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || isatty(STDIN_FILENO))) {
		fd = open("/proc/self/fd/0", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		if (fd >= 0) {
			if (leat_io_adopt(ret_io, fd, 0) == 0)
				return 0;
			close(fd);
		}
	}
	return leat_io_adopt(ret_io, STDIN_FILENO, LEAT_IO_INHERITED);
}

int input_open(struct input **ret, const char *path, char delim, size_t record_max)
{
	struct input *in;
	struct stat st;
	leat_io io;
	off_t begin;
	int r = path ? leat_open(&io, path, O_RDONLY, 0, LEAT_FOREVER) : open_stdin(&io);

	if (r < 0)
		return r;
	in = need(sizeof(*in));
	in->io = io;
	in->fd = leat_io_fd(io);
	in->terminal = isatty(in->fd);
	in->delim = delim;
	in->record_max = record_max;
	begin = lseek(in->fd, 0, SEEK_CUR);
	if (fstat(in->fd, &st) == 0 && S_ISREG(st.st_mode) && begin >= 0 && begin < st.st_size)
		in->all = (uint64_t)(st.st_size - begin);
	*ret = in;
	return 0;
}

void input_close(struct input *in)
{
	if (!in)
		return;
	leat_io_close(in->io);
	free(in->bytes);
	free(in);
}

/*
 * A process in the background that reads from its terminal is stopped by SIGTTIN; but not one whose
 * thread has that blocked, as leat's have: it gets EIO.
 */
static bool stopped_by_terminal(const struct input *in)
{
	if (!in->terminal || tcgetpgrp(in->fd) == getpgrp())
		return false;
	return kill(getpid(), SIGTTIN) == 0;
}

static int64_t read_some(struct input *in, char *to, size_t n)
{
	int64_t r;

	do
		r = leat_read(in->io, to, n, LEAT_FOREVER);
	while (r == -EIO && stopped_by_terminal(in));
	in->end = r == 0;
	return r;
}

/* More into the buffer, which may then have up to max bytes.  > 0; 0: the end, or it is full. */
static int64_t fill(struct input *in, size_t max)
{
	int64_t r;

	if (in->end || in->n >= max)
		return 0;
	if (in->first > 0 && in->size - in->first - in->n < in->size / 4) {
		memmove(in->bytes, in->bytes + in->first, in->n);
		in->first = 0;
	}
	if (in->n == in->size) {
		in->size = in->size == 0 ? FIRST_BUFFER : 2 * in->size;
		in->bytes = need_more(in->bytes, in->size);
	}
	r = read_some(in, in->bytes + in->first + in->n, in->size - in->first - in->n);
	if (r > 0)
		in->n += (size_t)r;
	return r;
}

static void count(struct input *in, uint64_t n)
{
	atomic_store_explicit(&in->done, in->done + n, memory_order_relaxed);
}

static void give(struct input *in, size_t n, size_t with_delim, struct record *ret)
{
	*ret = (struct record){ in->bytes + in->first, n };
	in->first += with_delim;
	in->n -= with_delim;
	in->looked = 0;
	count(in, with_delim);
	if (in->n == 0)
		in->first = 0; /* the bytes stay where they are until the next read */
}

/* The rest of a record that is too long; the buffer keeps what it begins with, but gives it out. */
static int skip_rest(struct input *in, struct record *ret, uint64_t *ret_size)
{
	size_t keep = in->record_max;
	const char *at;
	int64_t r;

	*ret_size = in->n;
	in->n = keep;
	for (;;) {
		char *to = in->bytes + in->first + keep;

		r = read_some(in, to, in->size - in->first - keep);
		if (r < 0)
			return (int)r;
		at = r > 0 ? memchr(to, in->delim, (size_t)r) : NULL;
		*ret_size += at ? (uint64_t)(at - to) : (uint64_t)r;
		if (r == 0 || at)
			break;
	}
	*ret = (struct record){ in->bytes + in->first, keep };
	count(in, *ret_size + (at != NULL));
	if (at) { /* what follows is the next record's */
		in->n = (size_t)r - (size_t)(at + 1 - (in->bytes + in->first + keep));
		in->first = (size_t)(at + 1 - in->bytes);
	} else {
		in->first += keep;
		in->n = 0;
	}
	in->looked = 0;
	return 0;
}

/* As input_record; with_delim: that is a part of it. */
static int next(struct input *in, struct record *ret, uint64_t *ret_size, bool with_delim)
{
	const char *at;
	int64_t r;

	for (;;) {
		at = in->n > in->looked ? memchr(in->bytes + in->first + in->looked, in->delim,
						 in->n - in->looked) : NULL;
		if (at) {
			*ret_size = (uint64_t)(at - (in->bytes + in->first)) + with_delim;
			give(in, (size_t)*ret_size, (size_t)*ret_size + !with_delim, ret);
			if (*ret_size > in->record_max)
				ret->n = in->record_max;
			return 0;
		}
		in->looked = in->n;
		if (in->n > in->record_max)
			return skip_rest(in, ret, ret_size);
		r = fill(in, SIZE_MAX);
		if (r < 0)
			return (int)r;
		if (r == 0)
			break;
	}
	if (in->n == 0)
		return LEAT_EEND;
	*ret_size = in->n;
	give(in, in->n, in->n, ret);
	return 0;
}

int input_record(struct input *in, struct record *ret, uint64_t *ret_size)
{
	return next(in, ret, ret_size, false);
}

int input_block(struct input *in, size_t size, struct record *ret, uint64_t *ret_size)
{
	const char *at;
	size_t n;
	int64_t r = 1;

	while (r > 0 && in->n < size)
		r = fill(in, size);
	if (r < 0)
		return (int)r;
	if (in->n == 0)
		return LEAT_EEND;
	n = in->n < size ? in->n : size;
	at = memrchr(in->bytes + in->first, in->delim, n);
	if (!at && !(in->end && in->n <= size))
		return next(in, ret, ret_size, true);
	if (!in->end || in->n > size) /* else all of it */
		n = (size_t)(at + 1 - (in->bytes + in->first));
	*ret_size = n;
	give(in, n, n, ret);
	return 0;
}

void input_position(const struct input *in, uint64_t *ret_done, uint64_t *ret_all)
{
	*ret_done = atomic_load_explicit(&((struct input *)(uintptr_t)in)->done,
					 memory_order_relaxed);
	*ret_all = in->all;
}
