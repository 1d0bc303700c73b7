#include "results.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <leat/leat.h>

#include "file.h"

int results_open(const char *dir)
{
	if (mkdir(dir, 0700) < 0 && leat_errno() != EEXIST)
		return -leat_errno();
	return access(dir, W_OK | X_OK) < 0 ? -leat_errno() : 0;
}

static int write_piece(void *arg, const char *bytes, size_t n)
{
	return file_write(*(int *)arg, bytes, n);
}

static int write_file(int dir, const char *name, const struct capture *c)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), r;

	if (fd < 0)
		return -leat_errno();
	r = capture_each(c, write_piece, &fd);
	return close(fd) < 0 && r == 0 ? -leat_errno() : r;
}

int results_write(const char *dir, const struct job *job)
{
	char path[4096];
	int fd, r;

	if (snprintf(path, sizeof(path), "%s/%llu", dir, (unsigned long long)job->seq) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	r = results_open(path);
	if (r < 0)
		return r;
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -leat_errno();
	r = write_file(fd, "stdout", &job->out);
	if (r == 0)
		r = write_file(fd, "stderr", &job->err);
	close(fd);
	return r;
}
