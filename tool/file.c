#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <leat/leat.h>

#include "memory.h"

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

int file_read_at(int dir, const char *path, char **ret, size_t *ret_n)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t n = 0, size = 4096;
	struct stat st;
	char *bytes;
	ssize_t k;

	if (fd < 0)
		return -leat_errno();
	if (fstat(fd, &st) == 0 && st.st_size > 0)
		size = (size_t)st.st_size + 2; /* one more shows the end, one for the 0 */
	bytes = need(size);
	while ((k = read(fd, bytes + n, size - n - 1)) != 0) {
		if (k < 0 && leat_errno() == EINTR)
			continue;
		if (k < 0)
			break;
		n += (size_t)k;
		if (n + 1 == size)
			bytes = need_more(bytes, size *= 2);
	}
	k = k < 0 ? -leat_errno() : 0;
	close(fd);
	if (k < 0) {
		free(bytes);
		return (int)k;
	}
	bytes[n] = '\0';
	*ret = bytes;
	if (ret_n)
		*ret_n = n;
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
