/*
 * dpkg's database, as far as one that verifies files needs it: deb(5), dpkg-query(1), dpkg(1).
 *
 *	var/lib/dpkg/info/PACKAGE.md5sums	its files with their MD5
 *	var/lib/dpkg/info/PACKAGE.conffiles	those that are the administrator's: left out
 *	var/lib/dpkg/diversions			those that are elsewhere, for another package
 *	etc/dpkg/dpkg.cfg, dpkg.cfg.d/		path-exclude, -include: those that are not installed
 */
#ifndef TOOL_DPKG_H
#define TOOL_DPKG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dpkg_file {
	const char *package;	/* as "libc6:amd64" */
	const char *path;	/* without the slash in front */
	const char *at;		/* where it is, if it has been diverted; else path */
	uint8_t md5[16];
};

struct dpkg_filter {
	bool include;
	const char *pattern;	/* "/usr/share/doc/" and a star */
	const char *where;	/* the file that says so */
};

struct dpkg_diversion {
	const char *from, *to;	/* without the slash */
	const char *package;	/* that has `from`; ":" nobody has, the administrator moved it */
};

struct dpkg {
	int root;		/* a directory; < 0: not open */
	struct dpkg_file *files; /* by package, as the database has them */
	size_t nfiles, packages;
	size_t bad;		/* lines that are no checksum; each has been reported */
	struct dpkg_diversion *diversions; /* by from */
	size_t ndiversions;
	struct dpkg_filter *filters;
	size_t nfilters;
	char **texts;		/* what all these point into */
	size_t ntexts;
};

/*
 * Of the system that is installed in root.  0; -ENOENT: there is none; or an error of the kernel.
 * Blocks the thread.
 */
int dpkg_read(struct dpkg *ret, const char *root);
void dpkg_release(struct dpkg *d);

/* The filter because of which dpkg did not install that file; NULL: none. */
const struct dpkg_filter *dpkg_excluded(const struct dpkg *d, const struct dpkg_file *file);

#endif
