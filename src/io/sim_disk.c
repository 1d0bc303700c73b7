/*
 * The simulated disk: its tree of names, and the calls on them.
 *
 * There are files and directories, no links, owners or permissions.  As leat has no call that makes
 * a directory, those on the way to a new file come into being with it.  What the kernel makes up
 * itself (/dev, /proc, /sys) stays the kernel's.
 *
 * A call waits for its turn, which a deadline or a cancel ends; then for the disk, which
 * nothing ends; then it happens, at one point of virtual time, unless its handle is closed.
 */
#include "io/sim_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include <leat/task.h>
#include <leat/time.h>

#include "io/sim_fault.h"
#include "port/sys.h"

enum { CAPACITY = 1 << 30 };

/* Where a path leads. */
struct place {
	struct leat__sim_node *dir; /* NULL: the node is the root */
	struct leat__sim_node *node; /* NULL: there is none of that name in dir */
	bool is_dot;		/* it ends in "." or "..", */
	bool has_slash;		/* or in a name with a slash after it */
	char name[LEAT__NAME_MAX + 1];
};

static struct leat__sim_node *node_new(struct leat__sim_disk *disk, bool is_dir)
{
	struct leat__sim_node *node = leat__alloc(sizeof(*node));

	if (!node)
		return NULL;
	memset(node, 0, sizeof(*node));
	node->is_dir = is_dir;
	node->inode = ++disk->last_inode;
	leat__list_init(&node->node);
	leat__list_init(&node->children);
	return node;
}

void leat__sim_node_release(struct leat__sim_disk *disk, struct leat__sim_node *node)
{
	if (node->parent || node == disk->root || node->handles > 0)
		return;
	disk->used -= node->size;
	leat__free(node->bytes, node->cap);
	leat__free(node, sizeof(*node));
}

/* Takes the name that p is about. */
static void attach(struct leat__sim_node *node, const struct place *p)
{
	node->parent = p->dir;
	memcpy(node->name, p->name, sizeof(node->name));
	leat__list_append(&p->dir->children, &node->node);
}

static void detach(struct leat__sim_node *node)
{
	leat__list_remove(&node->node);
	node->parent = NULL;
}

/* The handles have been closed before. */
static void disk_fini(struct leat__sim_part *part)
{
	struct leat__sim_disk *disk = leat__container_of(part, struct leat__sim_disk, part);
	struct leat__sim_node *at = disk->root;

	while (!leat__list_is_empty(&disk->root->children)) {
		struct leat__sim_node *parent = at->parent;

		if (!leat__list_is_empty(&at->children)) {
			at = leat__container_of(at->children.next, struct leat__sim_node, node);
			continue;
		}
		detach(at);
		leat__sim_node_release(disk, at);
		at = parent;
	}
	leat__free(disk->root, sizeof(*disk->root));
	leat__free(disk, sizeof(*disk));
}

struct leat__sim_disk *leat__sim_disk(struct leat__sim *sim)
{
	struct leat__sim_part **where = leat__sim_part(sim, LEAT__SIM_DISK);
	struct leat__sim_disk *disk;

	if (*where)
		return leat__container_of(*where, struct leat__sim_disk, part);
	disk = leat__alloc(sizeof(*disk));
	if (!disk)
		return NULL;
	memset(disk, 0, sizeof(*disk));
	disk->part.fini = disk_fini;
	disk->options = *LEAT_SIM_DISK(.latency_min = 20 * LEAT_US, .latency_max = 2 * LEAT_MS,
				       .short_one_in = 8, .capacity = CAPACITY);
	disk->root = node_new(disk, true);
	if (!disk->root) {
		leat__free(disk, sizeof(*disk));
		return NULL;
	}
	*where = &disk->part;
	return disk;
}

int leat_sim_disk_set(const leat_sim_disk *options)
{
	struct leat__sim *sim = leat__sim_io();
	struct leat__sim_disk *disk;

	leat__check_fork(__func__, NULL);
	if (leat__unlikely(!options || options->size != sizeof(*options)))
		leat__misuse(options, "the size is not set; use LEAT_SIM_DISK(...)");
	if (leat__unlikely(options->latency_min < 0 || options->latency_max < options->latency_min))
		leat__misuse(options, "the latency is %lld to %lld ns", (long long)options->latency_min,
			     (long long)options->latency_max);
	if (!sim)
		return 0;
	leat__sim_lock(sim);
	disk = leat__sim_disk(sim);
	if (disk) {
		disk->options = *options;
		if (disk->options.capacity == 0)
			disk->options.capacity = CAPACITY;
	}
	leat__sim_unlock(sim);
	return disk ? 0 : -ENOMEM;
}

bool leat__sim_has(const char *path)
{
	static const char *const kernels[] = { "/dev", "/proc", "/sys" };

	if (!leat__sim_io())
		return false;
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		size_t n = strlen(kernels[i]);

		if (strncmp(path, kernels[i], n) == 0 && (path[n] == '/' || path[n] == '\0'))
			return false;
	}
	return true;
}

struct timing {
	int64_t turn, end;	/* when */
	bool fails;
};

static int64_t draw_timing(struct leat__sim *sim, struct timing *ret_timing)
{
	struct leat__sim_disk *disk;
	int64_t took;

	leat__sim_lock(sim);
	disk = leat__sim_disk(sim);
	if (disk) {
		const leat_sim_disk *o = &disk->options;

		took = leat__sim_between(sim, o->latency_min, o->latency_max);
		ret_timing->end = leat__sim_now(sim) + took;
		ret_timing->turn = ret_timing->end - leat__sim_between(sim, 0, took);
		ret_timing->fails = leat__sim_happens(sim, o->error_one_in);
	}
	leat__sim_unlock(sim);
	return disk ? 0 : -ENOMEM;
}

/* 0, -ETIMEDOUT or -ECANCELED. */
static int wait_for_disk(const struct timing *timing, int64_t deadline)
{
	int r = leat_sleep_until(timing->turn < deadline ? timing->turn : deadline);

	if (r < 0)
		return r;
	if (timing->turn > deadline)
		return -ETIMEDOUT;
	leat_shield_begin();
	(void)leat_sleep_until(timing->end);
	leat_shield_end();
	return 0;
}

int64_t leat__sim_disk_call(int64_t (*fn)(void *arg), void *arg, int64_t deadline)
{
	struct leat__sim *sim = leat__sim_io();
	struct timing timing = { 0 };
	int64_t r;

	if (deadline != LEAT_FOREVER && deadline <= leat_now())
		return -ETIMEDOUT;
	r = draw_timing(sim, &timing);
	/* A thread from outside is in no schedule: for it there is no time. */
	if (r == 0 && leat_task_id() != 0)
		r = wait_for_disk(&timing, deadline);
	if (r < 0)
		return r;
	if (timing.fails)
		return -EIO;
	leat__sim_lock(sim);
	r = fn(arg);
	leat__sim_unlock(sim);
	return r;
}

static struct leat__sim_node *child_of(const struct leat__sim_node *dir, const char *name)
{
	leat__list_for_each(at, &dir->children) {
		struct leat__sim_node *node = leat__container_of(at, struct leat__sim_node, node);

		if (strcmp(node->name, name) == 0)
			return node;
	}
	return NULL;
}

/* One part of a path; those before it are directories, or are made. */
static int step(struct leat__sim_disk *disk, struct place *p, const char *name, size_t n, bool make)
{
	if (!p->node) {
		if (!make)
			return -ENOENT;
		p->node = node_new(disk, true);
		if (!p->node)
			return -ENOMEM;
		attach(p->node, p);
	}
	if (!p->node->is_dir)
		return -ENOTDIR;
	p->is_dot = (n == 1 && name[0] == '.') || (n == 2 && name[0] == '.' && name[1] == '.');
	if (p->is_dot) {
		if (n == 2 && p->node->parent)
			p->node = p->node->parent;
		p->dir = p->node->parent;
		return 0;
	}
	if (n > LEAT__NAME_MAX)
		return -ENAMETOOLONG;
	p->dir = p->node;
	memcpy(p->name, name, n);
	memset(p->name + n, 0, sizeof(p->name) - n);
	p->node = child_of(p->dir, p->name);
	return 0;
}

static int walk(struct leat__sim_disk *disk, struct place *p, const char *path, bool make)
{
	while (*path) {
		size_t n = strcspn(path, "/");
		int r = n > 0 ? step(disk, p, path, n, make) : 0;

		if (r < 0)
			return r;
		path += n;
		p->has_slash = !p->is_dot && *path == '/';
		path += strspn(path, "/");
	}
	return 0;
}

/* A slash at its end says that it is a directory. */
static bool is_denied(const struct place *p)
{
	return p->has_slash && p->node && !p->node->is_dir;
}

/* make: the directories on the way to it.  0, or an error. */
static int find(struct leat__sim_disk *disk, struct place *ret_place, const char *path, bool make)
{
	char cwd[PATH_MAX];
	int64_t r;

	*ret_place = (struct place){ .node = disk->root };
	if (!path[0])
		return -ENOENT;
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (path[0] != '/') {
		r = LEAT__SYS(getcwd(cwd, sizeof(cwd)) ? 0 : -1);
		if (r == 0)
			r = walk(disk, ret_place, cwd, true);
		if (r == 0)
			r = walk(disk, ret_place, ".", true);
		if (r < 0)
			return (int)r;
	}
	return walk(disk, ret_place, path, make);
}

/* place: of its name; NULL: it has none. */
static int64_t open_new(struct leat__sim_disk *disk, struct leat__sim *sim,
			struct leat__path_call *call, const struct place *place)
{
	struct leat__sim_node *node = node_new(disk, false);
	int64_t r;

	if (!node)
		return -ENOMEM;
	r = leat__sim_file_open(&call->ret_io, sim, node, call->flags);
	if (r < 0)
		leat__sim_node_release(disk, node);
	else if (place)
		attach(node, place);
	return r;
}

/* O_TMPFILE: the path is that of a directory. */
static int64_t open_unnamed(struct leat__sim_disk *disk, struct leat__sim *sim,
			    struct leat__path_call *call)
{
	struct place p;
	int64_t r;

	if ((call->flags & O_ACCMODE) == O_RDONLY)
		return -EINVAL;
	r = find(disk, &p, call->path, true);
	if (r == 0)
		r = walk(disk, &p, ".", true);
	return r < 0 ? r : open_new(disk, sim, call, NULL);
}

static int64_t open_old(struct leat__sim_disk *disk, struct leat__sim *sim,
			struct leat__path_call *call, struct leat__sim_node *node)
{
	bool writes = (call->flags & O_ACCMODE) != O_RDONLY;
	int64_t r;

	if ((call->flags & O_CREAT) && (call->flags & O_EXCL))
		return -EEXIST;
	if (node->is_dir && (writes || (call->flags & (O_CREAT | O_TRUNC))))
		return -EISDIR;
	if (!node->is_dir && (call->flags & O_DIRECTORY))
		return -ENOTDIR;
	r = leat__sim_file_open(&call->ret_io, sim, node, call->flags);
	if (r == 0 && (call->flags & O_TRUNC) && !node->is_dir)
		leat__sim_truncate(disk, node);
	return r;
}

int64_t leat__sim_open(void *arg)
{
	struct leat__path_call *call = arg;
	struct leat__sim *sim = leat__sim_io();
	struct leat__sim_disk *disk = leat__sim_disk(sim);
	bool make = call->flags & O_CREAT;
	struct place p;
	int r;

	if ((call->flags & O_TMPFILE) == O_TMPFILE)
		return open_unnamed(disk, sim, call);
	r = find(disk, &p, call->path, make);
	if (r < 0)
		return r;
	if (make && p.has_slash)
		return -EISDIR;
	if (is_denied(&p))
		return -ENOTDIR;
	if (p.node)
		return open_old(disk, sim, call, p.node);
	if (!make)
		return -ENOENT;
	if (call->flags & O_DIRECTORY)
		return -EINVAL;
	return open_new(disk, sim, call, &p);
}

static bool is_in(const struct leat__sim_node *node, const struct leat__sim_node *dir)
{
	while (node && node != dir)
		node = node->parent;
	return node == dir;
}

/* Whether from may get the name of to, in the order in which Linux asks.  0, or an error. */
static int check_rename(const struct place *from, const struct place *to)
{
	if (from->is_dot || to->is_dot || !from->dir || !to->dir)
		return -EBUSY;
	if (!from->node)
		return -ENOENT;
	if (!from->node->is_dir && (from->has_slash || to->has_slash))
		return -ENOTDIR;
	if (is_in(to->dir, from->node))
		return -EINVAL;
	if (to->node && is_in(from->dir, to->node))
		return -ENOTEMPTY;
	if (!to->node || to->node == from->node)
		return 0;
	if (to->node->is_dir != from->node->is_dir)
		return to->node->is_dir ? -EISDIR : -ENOTDIR;
	return leat__list_is_empty(&to->node->children) ? 0 : -ENOTEMPTY;
}

int64_t leat__sim_rename(void *arg)
{
	struct leat__path_call *call = arg;
	struct leat__sim_disk *disk = leat__sim_disk(leat__sim_io());
	struct place from, to;
	int64_t r;

	if (!leat__sim_has(call->path) || !leat__sim_has(call->to))
		return -EXDEV;
	r = find(disk, &from, call->path, false);
	if (r == 0)
		r = find(disk, &to, call->to, from.node != NULL);
	if (r == 0)
		r = check_rename(&from, &to);
	if (r < 0 || from.node == to.node)
		return r;
	if (to.node) {
		detach(to.node);
		leat__sim_node_release(disk, to.node);
	}
	detach(from.node);
	attach(from.node, &to);
	return 0;
}

int64_t leat__sim_unlink(void *arg)
{
	struct leat__path_call *call = arg;
	struct leat__sim_disk *disk = leat__sim_disk(leat__sim_io());
	struct place p;
	int r = find(disk, &p, call->path, false);

	if (r < 0)
		return r;
	if (!p.node)
		return -ENOENT;
	if (p.node->is_dir)
		return -EISDIR;
	if (is_denied(&p))
		return -ENOTDIR;
	detach(p.node);
	leat__sim_node_release(disk, p.node);
	return 0;
}

static size_t entry_size(const struct leat__sim_node *node)
{
	size_t n = offsetof(struct dirent64, d_name) + strlen(node->name) + 1;

	return (n + 7) & ~(size_t)7;
}

/* A disk has no order: another one each time. */
static void shuffle(struct leat__sim *sim, struct leat__list *children)
{
	struct leat__list left;
	uint64_t n = 0;

	leat__list_init(&left);
	while (!leat__list_is_empty(children)) {
		struct leat__list *node = children->next;

		leat__list_remove(node);
		leat__list_append(&left, node);
		n++;
	}
	for (; n > 0; n--) {
		struct leat__list *node = left.next;

		for (uint64_t i = leat__sim_roll(sim, n); i > 0; i--)
			node = node->next;
		leat__list_remove(node);
		leat__list_append(children, node);
	}
}

/* All entries at once: what changes later is not seen. */
int64_t leat__sim_dir_open(void *arg)
{
	struct leat__path_call *call = arg;
	struct leat__sim *sim = leat__sim_io();
	struct leat__sim_disk *disk = leat__sim_disk(sim);
	struct place p;
	size_t size = 0;
	leat_dir *dir;
	int r = find(disk, &p, call->path, false);

	if (r < 0)
		return r;
	if (!p.node || !p.node->is_dir)
		return p.node ? -ENOTDIR : -ENOENT;
	leat__list_for_each(at, &p.node->children)
		size += entry_size(leat__container_of(at, struct leat__sim_node, node));
	dir = leat__dir_new(-1, size);
	if (!dir)
		return -ENOMEM;
	shuffle(sim, &p.node->children);
	leat__list_for_each(at, &p.node->children) {
		struct leat__sim_node *node = leat__container_of(at, struct leat__sim_node, node);
		struct dirent64 *entry = (void *)(dir->buf + dir->filled);

		entry->d_ino = node->inode;
		entry->d_type = node->is_dir ? DT_DIR : DT_REG;
		entry->d_reclen = (unsigned short)entry_size(node);
		memcpy(entry->d_name, node->name, strlen(node->name) + 1);
		dir->filled += entry->d_reclen;
	}
	call->ret_dir = dir;
	return 0;
}
