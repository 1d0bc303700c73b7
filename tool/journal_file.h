/*
 * The calls by which the journal changes its file, each between two crash points (crash.h).
 * 0 or a negative errno; interrupted calls go on.  They block the thread.
 */
#ifndef TOOL_JOURNAL_FILE_H
#define TOOL_JOURNAL_FILE_H

#include <stddef.h>
#include <stdint.h>

/* A descriptor.  Makes the file if it is not there, with mode 0600. */
int journal_file_open(const char *path);

/* For this process and those that it makes.  -EBUSY: another has it still after half a second. */
int journal_file_lock(int fd);

/* All of it, or an error; then a part of it may be there. */
int journal_file_write(int fd, const void *bytes, size_t n, uint64_t offset);

/* How many of n there are, less only at the end of the file; or an error. */
int64_t journal_file_read(int fd, void *bytes, size_t n, uint64_t offset);

int journal_file_cut(int fd, uint64_t size);

/* Content and size; of the directory that path is in, the name. */
int journal_file_sync(int fd);
int journal_file_sync_directory(const char *path);

#endif
