/* Files of the program's own. */
#ifndef TOOL_FILE_H
#define TOOL_FILE_H

#include <stddef.h>

/* All n bytes, at the file's position.  0 or an error.  Blocks the thread. */
int file_write(int fd, const char *bytes, size_t n);

/* The program of that name in PATH, to be freed; NULL: it has a slash, or there is none. */
char *file_in_path(const char *name);

#endif
