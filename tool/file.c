#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <leat/leat.h>

int file_write(int fd, const char *bytes, size_t n)
{
	ssize_t k;

	while (n > 0) {
		k = write(fd, bytes, n);
		if (k < 0 && leat_errno() != EINTR)
			return -leat_errno();
		bytes += k > 0 ? k : 0;
		n -= k > 0 ? (size_t)k : 0;
	}
	return 0;
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *file_in_path(const char *name)
{
	const char *dir = getenv("PATH"), *end;
	char *path;

	if (strchr(name, '/'))
		return NULL;
	if (!dir)
		dir = "/usr/local/bin:/usr/bin:/bin";
	for (;; dir = end + 1) {
		end = strchrnul(dir, ':');
		/* An empty part is the current directory. */
		if (asprintf(&path, "%.*s%s%s", (int)(end - dir), dir, end > dir ? "/" : "./",
			     name) < 0)
			return NULL;
		if (is_program(path))
			return path;
		free(path);
		if (!*end)
			return NULL;
	}
}
