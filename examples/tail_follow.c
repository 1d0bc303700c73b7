/*
 * tail -F: prints a file from its beginning, and then what is appended, until SIGINT or SIGTERM.
 *
 * usage: tail_follow FILE
 *
 * When another file comes under the name (a log that is rotated), the rest of the old one is
 * printed, then the new one; what is written into the old one later is not.  A file that has
 * become shorter than what was printed of it is printed from its beginning.  Both are
 * said on stderr.  inotify tells of changes, so nothing is polled.
 *
 * A file that is truncated and has grown beyond its old size before anybody looked seems to
 * have been appended to.  No tail can tell.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <leat/leat.h>

struct tail {
	const char *path;
	const char *name;	/* the end of path */
	leat_io out;
	leat_io events;		/* inotify's */
	int dir_watch;		/* for other files under the name */
	int file_watch;		/* for changes of the file, whatever its name is now */
	leat_io file;		/* none before it exists */
	struct stat id;		/* which file that is */
	int64_t printed;
};

static void say(const struct tail *t, const char *what)
{
	fprintf(stderr, "tail_follow: %s: %s\n", t->path, what);
}

static int print_new(struct tail *t)
{
	char bytes[16 * 1024];
	struct stat now;
	int64_t n;

	if (leat_io_is_none(t->file))
		return 0;
	if (fstat(leat_io_fd(t->file), &now) < 0)
		return -leat_errno();
	if (now.st_size < t->printed) {
		say(t, "truncated");
		t->printed = 0;
	}
	while ((n = leat_pread(t->file, bytes, sizeof(bytes), t->printed, LEAT_FOREVER)) > 0) {
		int r = leat_write_all(t->out, bytes, n, LEAT_FOREVER, NULL);

		if (r < 0)
			return r;
		t->printed += n;
	}
	return (int)n;
}

/* From now on it is file that is followed; it is watched before its first byte is read. */
static int follow(struct tail *t, leat_io file, const struct stat *id)
{
	char link[64];

	if (!leat_io_is_none(t->file)) {
		/* Gone already if the file is. */
		inotify_rm_watch(leat_io_fd(t->events), t->file_watch);
		leat_io_close(t->file);
		say(t, "another file");
	}
	t->file = file;
	t->id = *id;
	t->printed = 0;
	/* The name may be another file's by now. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", leat_io_fd(file));
	t->file_watch = inotify_add_watch(leat_io_fd(t->events), link, IN_MODIFY);
	return t->file_watch < 0 ? -leat_errno() : 0;
}

/* Looks which file the name is of.  While there is none, the old one is followed on. */
static int look_at_name(struct tail *t)
{
	struct stat id;
	leat_io file;
	int r = leat_open(&file, t->path, O_RDONLY, 0, LEAT_FOREVER);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (fstat(leat_io_fd(file), &id) < 0) {
		r = -leat_errno();
	} else if (leat_io_is_none(t->file) || id.st_ino != t->id.st_ino ||
		   id.st_dev != t->id.st_dev) {
		r = print_new(t);
		if (r == 0)
			return follow(t, file, &id);
	}
	leat_io_close(file);
	return r;
}

/* Blocks until something has happened; *ret_name: to the name. */
static int wait_for_change(struct tail *t, bool *ret_name)
{
	char bytes[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	int64_t n = leat_read(t->events, bytes, sizeof(bytes), LEAT_FOREVER);
	const struct inotify_event *e;

	*ret_name = false;
	if (n < 0)
		return (int)n;
	for (char *at = bytes; at < bytes + n; at += sizeof(*e) + e->len) {
		e = (const struct inotify_event *)at;
		/* The directory is gone, and no file of it is open. */
		if (e->wd == t->dir_watch && (e->mask & IN_IGNORED))
			return -ENOENT;
		/* Events that were lost may have been of the name, too. */
		if ((e->mask & IN_Q_OVERFLOW) ||
		    (e->wd == t->dir_watch && e->len > 0 && strcmp(e->name, t->name) == 0))
			*ret_name = true;
	}
	return 0;
}

LEAT_TASK_ERR(print_all, (struct tail *, t))
{
	bool name = true;
	int r = 0;

	while (r == 0) {
		if (name)
			r = look_at_name(t);
		if (r == 0)
			r = print_new(t);
		if (r == 0)
			r = wait_for_change(t, &name);
	}
	return r;
}

/* Its error cancels the other tasks of its group. */
LEAT_TASK_ERR(stop_on_signal, (leat_receiver(int), signals))
{
	int number, r = leat_recv(signals, &number);

	return r == 0 ? -EINTR : r;
}

/* Until a signal comes (0) or something fails. */
static int run(struct tail *t, leat_signals *signals)
{
	leat_group group;
	int r = leat_group_init(&group, NULL);

	if (r < 0)
		return r;
	leat_go_in(&group, stop_on_signal, (leat_receiver(int))leat_signals_channel(signals));
	leat_go_in(&group, print_all, t);
	r = leat_group_wait(&group);
	leat_group_release(&group);
	return r == -EINTR ? 0 : r;
}

static int watch_directory(struct tail *t)
{
	const char *slash = strrchr(t->path, '/');
	char dir[4096] = ".";
	int fd, r;

	t->name = slash ? slash + 1 : t->path;
	if (t->name - t->path >= (int)sizeof(dir))
		return -ENAMETOOLONG;
	if (slash)
		snprintf(dir, sizeof(dir), "%.*s", (int)(t->name - t->path), t->path);
	fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fd < 0)
		return -leat_errno();
	r = leat_io_adopt(&t->events, fd, 0);
	if (r < 0) {
		close(fd);
		return r;
	}
	t->dir_watch = inotify_add_watch(fd, dir, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
	return t->dir_watch < 0 ? -leat_errno() : 0;
}

LEAT_MAIN(int argc, char **argv)
{
	struct tail t = { .path = argc == 2 ? argv[1] : NULL };
	leat_signals *signals;
	int r;

	if (!t.path) {
		fprintf(stderr, "usage: tail_follow FILE\n");
		return 2;
	}
	r = leat_signals_open(&signals, (const int[]){ SIGINT, SIGTERM }, 2);
	if (r == 0) {
		r = leat_io_adopt(&t.out, STDOUT_FILENO, LEAT_IO_INHERITED);
		if (r == 0)
			r = watch_directory(&t);
		if (r == 0)
			r = run(&t, signals);
		leat_io_close(t.file);
		leat_io_close(t.events);
		leat_io_close(t.out);
		leat_signals_close(signals);
	}
	if (r < 0)
		say(&t, leat_strerror(r));
	return r < 0;
}
