/*
 * Files: open, read, write, list directories, without holding a worker.
 *
 * A file has a leat_io as everything else that bytes come from: leat_read, leat_write
 * and leat_io_close of leat/io.h do for it, and so do buffers.  As no poller knows when
 * a disk will answer, each call runs on a thread of leat_blocking's pool:
 * a deadline or a cancel ends it only as long as it waits for its turn there; one that
 * has begun is waited for, also when the handle is closed meanwhile; one that has not then
 * does nothing but return LEAT_ECLOSED, as soon as it is its turn.
 *
 * Errors are the kernel's own: -ENOENT, -ENOSPC, -EIO, ...; and of the wait -ECANCELED,
 * -ETIMEDOUT, -EAGAIN (no thread for the pool).  leat_io_close says nothing of what could not be
 * written: leat_fsync does.  It closes the descriptor at once; a network file system may take
 * its time then, unless leat_fsync came before.
 *
 * Under simulation the files are in memory: see leat/sim.h.
 */
#ifndef LEAT_FILE_H
#define LEAT_FILE_H

#include <sys/types.h>

#include <leat/io.h>

/* A directory that is being read. */
typedef struct leat_dir leat_dir;

typedef struct leat_dir_entry {
	const char *name;	/* without directory; until the next call on the leat_dir */
	uint64_t inode;
	uint8_t type;		/* DT_REG, DT_DIR, ... of dirent.h; DT_UNKNOWN: ask stat(2) */
} leat_dir_entry;

LEAT_BEGIN_DECLS

/*
 * open(2), always with O_CLOEXEC.  mode is that of a file that is created.  What is no
 * file, but a FIFO or a terminal, gets the handle that leat_io_adopt would make.  To open a FIFO
 * for one direction waits for its other end, and neither deadline nor cancel ends that:
 * give O_NONBLOCK, or O_RDWR.
 * Returns 0 or an error.
 */
LEAT_API LEAT_MUST_CHECK int leat_open(leat_io *ret_io, const char *path, int flags, mode_t mode,
				       int64_t deadline);

/* At an offset >= 0; the position of leat_read and leat_write stays.  A count, or an error. */
LEAT_API int64_t leat_pread(leat_io io, void *buf, size_t n, int64_t offset, int64_t deadline);
LEAT_API int64_t leat_pwrite(leat_io io, const void *buf, size_t n, int64_t offset,
			     int64_t deadline);

/* Until all that was written is on the disk.  Of a directory, too: see fsync(2).  0 or an error. */
LEAT_API int leat_fsync(leat_io io, int64_t deadline);

LEAT_API int leat_rename(const char *from, const char *to, int64_t deadline);
LEAT_API int leat_unlink(const char *path, int64_t deadline);

/*
 * leat_dir_next gives the entries one by one, in no order, without "." and "..":
 * 1; 0 at the end; or an error.  One task at a time.  leat_dir_close may be given NULL.
 */
LEAT_API LEAT_MUST_CHECK int leat_dir_open(leat_dir **ret_dir, const char *path, int64_t deadline);
LEAT_API int leat_dir_next(leat_dir *dir, leat_dir_entry *ret_entry, int64_t deadline);
LEAT_API void leat_dir_close(leat_dir *dir);

LEAT_END_DECLS

#endif
