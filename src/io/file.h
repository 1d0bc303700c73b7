/* What the kernel's files (file.c) and those of a simulation (sim_disk.c, sim_file.c) share. */
#ifndef LEAT_IO_FILE_H
#define LEAT_IO_FILE_H

#include <leat/file.h>

/* A call on a path; its functions are called with one of these. */
struct leat__path_call {
	const char *path, *to;
	int flags;
	mode_t mode;
	leat_io ret_io;
	leat_dir *ret_dir;
};

struct leat_dir {
	int fd;			/* (c) -1: buf has everything */
	size_t size;		/* (c) of buf */
	size_t at, filled;	/* in buf */
	char buf[] __attribute__((aligned(8))); /* struct dirent64 of any length */
};

/* NULL: no memory. */
leat_dir *leat__dir_new(int fd, size_t size);

#endif
