/*
 * What a child writes, until it is delivered: in memory; or in a file without a name in TMPDIR, if
 * it is much, and all captures together have much in memory.  One task at a time.
 */
#ifndef TOOL_CAPTURE_H
#define TOOL_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

#include <leat/io.h>

/* Bytes that each may have in memory, and that all may have together before those spill. */
enum { CAPTURE_IN_MEMORY = 64 * 1024, CAPTURES_IN_MEMORY = 16 << 20 };

struct capture {
	char *bytes;		/* n of them, what is not in the file; of size, which are counted */
	size_t n, size;
	int file;		/* 0: none (it is never stdin) */
	uint64_t in_file;
};

/*
 * Reads what is in the pipe now, as long as it has less than max bytes in memory.  1: there
 * may be more later; 0: the end; or an error: -ENOSPC, -EIO of the file.  Does not block but for
 * the file.
 */
int capture_read(struct capture *c, int pipe, size_t max);

/*
 * n bytes, which were made by malloc(3) and belong to it from now on, are all that is captured.
 * 0 or an error of the file.
 */
int capture_take(struct capture *c, char *bytes, size_t n);

/* Of all that was captured. */
uint64_t capture_size(const struct capture *c);

/*
 * Calls each with the bytes from the beginning, piece by piece, as long as that returns 0.  What it
 * returned, or an error of the file.
 */
int capture_each(const struct capture *c, int (*each)(void *arg, const char *bytes, size_t n),
		 void *arg);

/* Forgets what was captured. */
void capture_reset(struct capture *c);

#endif
