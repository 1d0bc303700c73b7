/* Handles of simulated files. */
#include "io/sim_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "io/sim_fault.h"

struct file {
	struct leat__sim *sim;	/* (c) */
	struct leat__sim_node *node; /* (c) */
	int flags;		/* (c) of open(2) */
	uint64_t offset;	/* (L) */
};

int64_t leat__sim_file_open(leat_io *ret_io, struct leat__sim *sim, struct leat__sim_node *node,
			    int flags)
{
	struct file *file = leat__alloc(sizeof(*file));
	struct leat__io *io;

	if (!file)
		return -ENOMEM;
	*file = (struct file){ sim, node, flags, 0 };
	io = leat__io_new(&leat__sim_file_ops, -1, file, 0);
	if (!io) {
		leat__free(file, sizeof(*file));
		return -ENOMEM;
	}
	node->handles++;
	*ret_io = leat__io_open(io);
	return 0;
}

static void file_close(struct leat__io *io)
{
	struct file *file = io->ctx;
	struct leat__sim *sim = file->sim;

	leat__sim_lock(sim);
	file->node->handles--;
	leat__sim_node_release(leat__sim_disk(sim), file->node);
	leat__sim_unlock(sim);
	leat__free(file, sizeof(*file));
}

void leat__sim_truncate(struct leat__sim_disk *disk, struct leat__sim_node *node)
{
	disk->used -= node->size;
	leat__free(node->bytes, node->cap);
	node->bytes = NULL;
	node->size = node->cap = 0;
}

/* 0, or -ENOMEM. */
static int make_room(struct leat__sim_node *node, size_t size)
{
	size_t cap = node->cap < 256 ? 256 : node->cap;
	char *bytes;

	if (size <= node->cap)
		return 0;
	while (cap < size)
		if (__builtin_mul_overflow(cap, 2, &cap))
			return -ENOMEM;
	bytes = leat__alloc(cap);
	if (!bytes)
		return -ENOMEM;
	if (node->size > 0)
		memcpy(bytes, node->bytes, node->size);
	leat__free(node->bytes, node->cap);
	node->bytes = bytes;
	node->cap = cap;
	return 0;
}

/* Makes the file large enough for n bytes at offset, or for as many as there is room for. */
static int64_t extend(struct leat__sim_disk *disk, struct leat__sim_node *node, uint64_t offset,
		      size_t n)
{
	uint64_t end, room = 0, limit;
	int r;

	if (__builtin_add_overflow(offset, n, &end) || end > INT64_MAX)
		return -EFBIG;
	if (end <= node->size)
		return (int64_t)n;
	/* The capacity may have been made less than what is there. */
	if (disk->options.capacity > disk->used)
		room = disk->options.capacity - disk->used;
	limit = node->size + room;
	if (end > limit) {
		if (offset >= limit)
			return -ENOSPC;
		end = limit;
	}
	r = make_room(node, end);
	if (r < 0)
		return r;
	memset(node->bytes + node->size, 0, end - node->size); /* a hole takes room, too */
	disk->used += end - node->size;
	node->size = end;
	return (int64_t)(end - offset);
}

static int64_t write_at(struct file *file, const struct iovec *iov, int count, uint64_t offset)
{
	struct leat__sim_disk *disk = leat__sim_disk(file->sim);
	size_t done = 0, n = leat__iov_size(iov, count);
	int64_t r;

	if ((file->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	n = leat__sim_shortened(file->sim, disk->options.short_one_in, n);
	r = n > 0 ? extend(disk, file->node, offset, n) : 0;
	for (int i = 0; i < count && r > 0 && done < (size_t)r; i++) {
		size_t part = (size_t)r - done;

		if (part > iov[i].iov_len)
			part = iov[i].iov_len;
		if (part > 0)
			memcpy(file->node->bytes + offset + done, iov[i].iov_base, part);
		done += part;
	}
	return r;
}

static int64_t read_at(struct file *file, const struct iovec *iov, int count, uint64_t offset)
{
	struct leat__sim_disk *disk = leat__sim_disk(file->sim);
	size_t done = 0, n = leat__iov_size(iov, count), left;

	if ((file->flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	if (file->node->is_dir)
		return -EISDIR;
	left = offset < file->node->size ? file->node->size - offset : 0;
	n = leat__sim_shortened(file->sim, disk->options.short_one_in, n < left ? n : left);
	for (int i = 0; i < count && done < n; i++) {
		size_t part = n - done < iov[i].iov_len ? n - done : iov[i].iov_len;

		if (part > 0)
			memcpy(iov[i].iov_base, file->node->bytes + offset + done, part);
		done += part;
	}
	return (int64_t)n;
}

static int64_t file_read(struct leat__io *io, const struct iovec *iov, int count)
{
	struct file *file = io->ctx;
	int64_t n = read_at(file, iov, count, file->offset);

	if (n > 0)
		file->offset += (uint64_t)n;
	return n;
}

static int64_t file_write(struct leat__io *io, const struct iovec *iov, int count)
{
	struct file *file = io->ctx;
	uint64_t at = file->flags & O_APPEND ? file->node->size : file->offset;
	int64_t n = write_at(file, iov, count, at);

	if (n > 0)
		file->offset = at + (uint64_t)n;
	return n;
}

int64_t leat__sim_pread(struct leat__io *io, void *buf, size_t n, int64_t offset)
{
	struct iovec iov = { buf, n };

	return read_at(io->ctx, &iov, 1, (uint64_t)offset);
}

/* As Linux does it: O_APPEND beats the offset. */
int64_t leat__sim_pwrite(struct leat__io *io, const void *buf, size_t n, int64_t offset)
{
	struct iovec iov = { (void *)(uintptr_t)buf, n };
	struct file *file = io->ctx;

	return write_at(file, &iov, 1,
			file->flags & O_APPEND ? file->node->size : (uint64_t)offset);
}

const struct leat__io_ops leat__sim_file_ops = {
	.name = "simulated file",
	.read = file_read,
	.write = file_write,
	.close = file_close,
	.blocks = true,
};
