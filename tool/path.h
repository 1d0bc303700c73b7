/* Parts of a path's text, as {.}, {/}, {//} and {/.} of GNU parallel; nothing is looked up. */
#ifndef TOOL_PATH_H
#define TOOL_PATH_H

#include <stddef.h>

struct part {
	const char *bytes;
	size_t n;
};

/* "a/b.c": "a/b"; ".c" and "a/.c" are all extension. */
struct part path_without_extension(const char *bytes, size_t n);

/* "a/b.c": "b.c"; "a/": "". */
struct part path_last(const char *bytes, size_t n);

/* "a/b.c": "a"; "a": "."; "a/": "."; "/a": "/". */
struct part path_directory(const char *bytes, size_t n);

#endif
