#include "dpkg.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <leat/leat.h>

#include "file.h"
#include "memory.h"
#include "message.h"

#define INFO "var/lib/dpkg/info"

/* The text stays until the release. */
static char *keep(struct dpkg *d, char *text)
{
	d->texts = need_more(d->texts, (d->ntexts + 1) * sizeof(char *));
	return d->texts[d->ntexts++] = text;
}

/* A file with a 0 behind it.  0, or an error. */
static int read_text(struct dpkg *d, const char *path, char **ret)
{
	int r = file_read_at(d->root, path, ret, NULL);

	if (r == 0)
		keep(d, *ret);
	return r;
}

/* Cuts the next line off; NULL: there is none. */
static char *next_line(char **text)
{
	char *line = *text, *end;

	if (!line || !*line)
		return NULL;
	end = strchr(line, '\n');
	*text = end ? end + 1 : NULL;
	if (end)
		*end = '\0';
	return line;
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A line that begins with a backslash has newlines and backslashes of the name escaped. */
static void unescape(char *name)
{
	char *to = name;

	for (; *name; name++, to++) {
		*to = *name;
		if (*name != '\\' || !name[1])
			continue;
		name++;
		*to = *name == 'n' ? '\n' : *name == 'r' ? '\r' : *name;
	}
	*to = '\0';
}

/* md5sum(1)'s: 32 digits, a space, a space or an asterisk, the name. */
static bool parse_line(char *line, struct dpkg_file *ret)
{
	bool escaped = *line == '\\';

	line += escaped;
	for (int i = 0; i < 16; i++) {
		int high = digit(line[0]), low = high < 0 ? -1 : digit(line[1]);

		if (low < 0)
			return false;
		ret->md5[i] = (uint8_t)(high << 4 | low);
		line += 2;
	}
	if (line[0] != ' ' || (line[1] != ' ' && line[1] != '*') || !line[2])
		return false;
	line += 2;
	if (escaped)
		unescape(line);
	while (line[0] == '/' || (line[0] == '.' && line[1] == '/'))
		line++;
	ret->path = ret->at = line;
	return line[0] != '\0';
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int compare_diversions(const void *a, const void *b)
{
	const struct dpkg_diversion *x = a, *y = b;

	return strcmp(x->from, y->from);
}

/* Three lines each: from, to, package. */
static int read_diversions(struct dpkg *d)
{
	struct dpkg_diversion one;
	char *text, *from, *to, *package;
	int r = read_text(d, "var/lib/dpkg/diversions", &text);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	while ((from = next_line(&text)) && (to = next_line(&text)) &&
	       (package = next_line(&text))) {
		one = (struct dpkg_diversion){ from + (*from == '/'), to + (*to == '/'), package };
		d->diversions = need_more(d->diversions, (d->ndiversions + 1) * sizeof(one));
		d->diversions[d->ndiversions++] = one;
	}
	if (d->ndiversions > 0)
		qsort(d->diversions, d->ndiversions, sizeof(one), compare_diversions);
	return 0;
}

/* A package may be named with its architecture in one place and without it in another. */
static bool is_package(const char *a, const char *b)
{
	size_t n = strcspn(a, ":");

	return n == strcspn(b, ":") && strncmp(a, b, n) == 0;
}

static void divert(const struct dpkg *d, struct dpkg_file *file)
{
	struct dpkg_diversion key = { .from = file->path }, *found;

	if (d->ndiversions == 0)
		return;
	found = bsearch(&key, d->diversions, d->ndiversions, sizeof(key), compare_diversions);
	if (found && (found->package[0] == ':' || !is_package(found->package, file->package)))
		file->at = found->to;
}

/* "/etc/x", or "remove-on-upgrade /etc/x".  Sorted. */
static int read_conffiles(struct dpkg *d, const char *package, char ***ret, size_t *ret_n)
{
	char path[512], *text, *line, *name;
	int r;

	*ret = NULL;
	*ret_n = 0;
	snprintf(path, sizeof(path), INFO "/%s.conffiles", package);
	r = read_text(d, path, &text);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	while ((line = next_line(&text))) {
		name = strchr(line, '/');
		if (!name)
			continue;
		*ret = need_more(*ret, (*ret_n + 1) * sizeof(char *));
		(*ret)[(*ret_n)++] = name + 1;
	}
	if (*ret_n > 0)
		qsort(*ret, *ret_n, sizeof(char *), compare_strings);
	return 0;
}

static void add_file(struct dpkg *d, const struct dpkg_file *file)
{
	if ((d->nfiles & (d->nfiles - 1)) == 0) /* a power of two, or none yet: full */
		d->files = need_more(d->files, (d->nfiles ? 2 * d->nfiles : 1) * sizeof(*file));
	d->files[d->nfiles++] = *file;
	divert(d, &d->files[d->nfiles - 1]);
}

static int read_package(struct dpkg *d, const char *name)
{
	char path[512], *text, *line, **conffiles;
	struct dpkg_file file = { .package = name };
	size_t n, number = 0;
	int r = read_conffiles(d, name, &conffiles, &n);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), INFO "/%s.md5sums", name);
	r = read_text(d, path, &text);
	while (r == 0 && (line = next_line(&text))) {
		number++;
		if (!parse_line(line, &file)) {
			d->bad++;
			message("/%s:%zu: no checksum and name", path, number);
		} else if (n == 0 ||
			   !bsearch(&file.path, conffiles, n, sizeof(char *), compare_strings)) {
			add_file(d, &file);
		}
	}
	free(conffiles);
	d->packages += r == 0;
	return r;
}

/* The names in a directory that `wanted` takes, sorted; each is kept. */
static int list(struct dpkg *d, const char *path, bool (*wanted)(char *name), char ***ret,
		size_t *ret_n)
{
	int fd = openat(d->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	*ret = NULL;
	*ret_n = 0;
	if (!dir)
		return -leat_errno();
	while ((entry = readdir(dir))) {
		if (!wanted(entry->d_name))
			continue;
		*ret = need_more(*ret, (*ret_n + 1) * sizeof(char *));
		(*ret)[*ret_n] = strdup(entry->d_name);
		if (!(*ret)[*ret_n])
			die("out of memory");
		keep(d, (*ret)[(*ret_n)++]);
	}
	closedir(dir);
	if (*ret_n > 0)
		qsort(*ret, *ret_n, sizeof(char *), compare_strings);
	return 0;
}

/* Cuts the ending off. */
static bool is_md5sums(char *name)
{
	static const char ending[] = ".md5sums";
	size_t n = strlen(name), k = sizeof(ending) - 1;

	if (n <= k || n > 255 || strcmp(name + n - k, ending) != 0)
		return false;
	name[n - k] = '\0';
	return true;
}

/* As dpkg has it: letters, digits, _ and -. */
static bool is_config(char *name)
{
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789_-")] == '\0';
}

/* "path-exclude=/usr/share/doc/x", "path-include /x", the name in quotes or not. */
static void parse_config(struct dpkg *d, char *line, const char *where)
{
	struct dpkg_filter one = { .where = where };
	size_t n;

	line += strspn(line, " \t");
	line += strncmp(line, "--", 2) == 0 ? 2 : 0;
	one.include = strncmp(line, "path-include", 12) == 0;
	if (!one.include && strncmp(line, "path-exclude", 12) != 0)
		return;
	line += 12;
	if (*line != '=' && !isspace((unsigned char)*line))
		return;
	line += strspn(line, " \t=");
	for (n = strlen(line); n > 0 && isspace((unsigned char)line[n - 1]); n--)
		line[n - 1] = '\0';
	if (n > 1 && (*line == '"' || *line == '\'') && line[n - 1] == *line) {
		line[n - 1] = '\0';
		line++;
	}
	one.pattern = line;
	d->filters = need_more(d->filters, (d->nfilters + 1) * sizeof(one));
	d->filters[d->nfilters++] = one;
}

/* A configuration that cannot be read filters nothing. */
static void read_config(struct dpkg *d, const char *path)
{
	char *text, *line, *where;

	if (read_text(d, path, &text) < 0)
		return;
	where = keep(d, need(strlen(path) + 2));
	snprintf(where, strlen(path) + 2, "/%s", path);
	while ((line = next_line(&text)))
		parse_config(d, line, where);
}

/* In dpkg's order, as the last one that matches decides. */
static void read_filters(struct dpkg *d)
{
	char path[512], **names;
	size_t n;

	if (list(d, "etc/dpkg/dpkg.cfg.d", is_config, &names, &n) == 0) {
		for (size_t i = 0; i < n; i++) {
			snprintf(path, sizeof(path), "etc/dpkg/dpkg.cfg.d/%s", names[i]);
			read_config(d, path);
		}
		free(names);
	}
	read_config(d, "etc/dpkg/dpkg.cfg");
}

static int read_packages(struct dpkg *d)
{
	char **names;
	size_t n;
	int r = list(d, INFO, is_md5sums, &names, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r == 0; i++)
		r = read_package(d, names[i]);
	free(names);
	return r == 0 && n == 0 ? -ENOENT : r;
}

int dpkg_read(struct dpkg *d, const char *root)
{
	int r;

	*d = (struct dpkg){ .root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC) };
	if (d->root < 0)
		return -leat_errno();
	r = read_diversions(d);
	if (r == 0)
		r = read_packages(d);
	if (r == 0)
		read_filters(d);
	return r;
}

void dpkg_release(struct dpkg *d)
{
	if (d->root >= 0)
		close(d->root);
	for (size_t i = 0; i < d->ntexts; i++)
		free(d->texts[i]);
	free(d->texts);
	free(d->files);
	free(d->diversions);
	free(d->filters);
}

const struct dpkg_filter *dpkg_excluded(const struct dpkg *d, const struct dpkg_file *file)
{
	const struct dpkg_filter *found = NULL;
	char path[4096];

	if (snprintf(path, sizeof(path), "/%s", file->path) >= (int)sizeof(path))
		return NULL;
	for (size_t i = 0; i < d->nfilters; i++)
		if (fnmatch(d->filters[i].pattern, path, 0) == 0)
			found = &d->filters[i];
	return found && !found->include ? found : NULL;
}
