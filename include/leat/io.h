/*
 * Streams: reading and writing that looks as if it blocked.
 *
 * A leat_io is a handle of a socket, a pipe, a file or a piece of memory.  It is a
 * small value: copy it, pass it to tasks, keep it after the close.  A handle that has
 * been closed, by whomever, is recognized for ever: each call on it returns
 * LEAT_ECLOSED, also the calls that are blocked in it at that moment.  Its
 * file descriptor is closed when the last call has left, so that its number is not
 * used again under somebody's feet.
 *
 * All calls need a running runtime.  Those with a deadline (LEAT_FOREVER: none) block
 * the task; they return -ETIMEDOUT or, when the task's group is cancelled,
 * -ECANCELED.  An error is the kernel's own, negative.  Several tasks may use one
 * handle at once: each call gets or writes what the kernel gives it, no lock is
 * held between two calls.
 */
#ifndef LEAT_IO_H
#define LEAT_IO_H

#include <sys/uio.h>

#include <leat/time.h>

typedef struct leat_io {
	uint64_t _id;		/* 0: none */
} leat_io;

/* The end of the input came before all that was asked for.  Clear of every errno. */
#define LEAT_EEND (-4098)

/* What leat_io_wait and leat_wait_fd wait for. */
enum {
	LEAT_READABLE = 1,	/* there is something to read, or the end, or an error */
	LEAT_WRITABLE = 2,	/* there is room, or an error */
};

/* For leat_io_adopt. */
enum {
	/*
	 * The descriptor belongs to somebody else, too, as stdin does to the shell: its flags
	 * are not changed, and leat_io_close does not close it.
	 */
	LEAT_IO_INHERITED = 1,
};

LEAT_BEGIN_DECLS

static inline bool leat_io_is_none(leat_io io)
{
	return io._id == 0;
}

/*
 * Makes *ret_io a handle of fd: a socket, pipe, terminal, or anything else that can be
 * polled; or a file, see leat/file.h.  The handle owns fd from now on and sets O_NONBLOCK
 * where that means anything, unless LEAT_IO_INHERITED says otherwise.  On failure fd stays
 * the caller's.
 *
 * Returns 0, -ENOMEM, -EEXIST (fd has a handle already), or what fstat(2), fcntl(2) and
 * epoll_ctl(2) say.
 * Does not block.
 */
LEAT_API LEAT_MUST_CHECK int leat_io_adopt(leat_io *ret_io, int fd, unsigned flags);

/* The descriptor of io, to set options; -EBADF when it is closed or has none. */
LEAT_API int leat_io_fd(leat_io io);

/*
 * Closes io.  Who is blocked in a call on it gets LEAT_ECLOSED.  Does not block;
 * 0, or LEAT_ECLOSED if it is closed already.
 */
LEAT_API int leat_io_close(leat_io io);

/*
 * Reads up to n bytes, blocks until there is at least one.  Returns how many, 0 at the
 * end of the input (or for n == 0), or an error.  count: 0 to IOV_MAX (1024).
 */
LEAT_API int64_t leat_read(leat_io io, void *buf, size_t n, int64_t deadline);
LEAT_API int64_t leat_readv(leat_io io, const struct iovec *iov, int count, int64_t deadline);

/*
 * Writes up to n bytes, blocks until at least one is written.  Returns how many, or
 * an error; -EPIPE when nobody reads any more (SIGPIPE never comes).
 */
LEAT_API int64_t leat_write(leat_io io, const void *buf, size_t n, int64_t deadline);
LEAT_API int64_t leat_writev(leat_io io, const struct iovec *iov, int count, int64_t deadline);

/*
 * All n bytes, however many calls that takes.  0; or an error, LEAT_EEND if the input
 * ended before.  Then *ret_done, unless NULL, says how many bytes were done.
 */
LEAT_API int leat_read_full(leat_io io, void *buf, size_t n, int64_t deadline, size_t *ret_done);
LEAT_API int leat_write_all(leat_io io, const void *buf, size_t n, int64_t deadline,
			    size_t *ret_done);

/*
 * Blocks until io is ready for one of `what`.  Returns which of them it is ready for,
 * > 0, or an error.
 */
LEAT_API int leat_io_wait(leat_io io, unsigned what, int64_t deadline);

/*
 * The same for a file descriptor of another library (libpq, libcurl, hiredis, ...).  It
 * need not be non-blocking; it must have no handle (-EEXIST), and must stay open until the
 * call returns.  Several tasks may wait for one descriptor.  What the kernel cannot tell of, as a
 * file, is always ready.  Also returns -ENOMEM, -EBADF, or what epoll_ctl(2) says.
 */
LEAT_API int leat_wait_fd(int fd, unsigned what, int64_t deadline);

LEAT_END_DECLS

#endif
