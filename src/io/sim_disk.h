/* Files of a simulation: sim_disk.c (names) and sim_file.c (what is in them, and time). */
#ifndef LEAT_IO_SIM_DISK_H
#define LEAT_IO_SIM_DISK_H

#include <leat/sim.h>

#include "io/file.h"
#include "io/io.h"
#include "rt/sim.h"

enum { LEAT__NAME_MAX = 255 };

/* A file or a directory.  It lives as long as it has a name or a handle. */
struct leat__sim_node {
	struct leat__list node;	/* (L) in the parent's children */
	struct leat__list children; /* (L) of a directory */
	struct leat__sim_node *parent; /* (L) NULL: the root, or no name any more */
	uint64_t inode;		/* (c) */
	bool is_dir;		/* (c) */
	uint32_t handles;	/* (L) */
	char *bytes;		/* (L) of a file */
	size_t size, cap;	/* (L) */
	char name[LEAT__NAME_MAX + 1]; /* (L) */
};

/* L is leat__sim_lock.  The disk of the run, made at its first use; NULL: no memory. */
struct leat__sim_disk {
	struct leat__sim_part part;
	leat_sim_disk options;	/* (L) */
	struct leat__sim_node *root; /* (c) */
	uint64_t last_inode;	/* (L) */
	uint64_t used;		/* (L) bytes in all files */
};
struct leat__sim_disk *leat__sim_disk(struct leat__sim *sim);

/* Whether calls on path are to be simulated. */
bool leat__sim_has(const char *path);

/*
 * As leat__blocking, with the time that the disk takes; fn is called under the lock and with one
 * of leat__sim_io().
 */
int64_t leat__sim_disk_call(int64_t (*fn)(void *arg), void *arg, int64_t deadline);

/* For leat__sim_disk_call, with a struct leat__path_call. */
int64_t leat__sim_open(void *call);
int64_t leat__sim_rename(void *call);
int64_t leat__sim_unlink(void *call);
int64_t leat__sim_dir_open(void *call);

extern const struct leat__io_ops leat__sim_file_ops;

static inline bool leat__sim_is_file(const struct leat__io *io)
{
	return io->ops == &leat__sim_file_ops;
}

/* Under the lock.  A handle of node: 0, or -ENOMEM. */
int64_t leat__sim_file_open(leat_io *ret_io, struct leat__sim *sim, struct leat__sim_node *node,
			    int flags);
void leat__sim_truncate(struct leat__sim_disk *disk, struct leat__sim_node *node);
/* Under the lock: node has lost its name or a handle. */
void leat__sim_node_release(struct leat__sim_disk *disk, struct leat__sim_node *node);

/* For leat__io_block. */
int64_t leat__sim_pread(struct leat__io *io, void *buf, size_t n, int64_t offset);
int64_t leat__sim_pwrite(struct leat__io *io, const void *buf, size_t n, int64_t offset);

#endif
