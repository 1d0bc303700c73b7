/* Files of the program's own. */
#ifndef TOOL_FILE_H
#define TOOL_FILE_H

#include <stddef.h>

/* All n bytes, at the file's position.  0 or an error.  Blocks the thread. */
int file_write(int fd, const char *bytes, size_t n);

/*
 * A whole file, in dir (AT_FDCWD: the current one), into *ret, to be freed, with a 0 behind it;
 * *ret_n, unless NULL: how many bytes.  0 or an error.  Blocks the thread.
 */
int file_read_at(int dir, const char *path, char **ret, size_t *ret_n);

/* The program of that name in PATH, to be freed; NULL: it has a slash, or there is none. */
char *file_in_path(const char *name);

#endif
