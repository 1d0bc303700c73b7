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
	int fd;

	if (mkdir(dir, 0700) < 0 && leat_errno() != EEXIST)
		return -leat_errno();
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -leat_errno() : fd;
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

int results_write(int dir, const struct job *job)
{
	char name[24];
	int fd, r;

	snprintf(name, sizeof(name), "%llu", (unsigned long long)job->seq);
	if (mkdirat(dir, name, 0700) < 0 && leat_errno() != EEXIST)
		return -leat_errno();
	fd = openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -leat_errno();
	r = write_file(fd, "stdout", &job->out);
	if (r == 0)
		r = write_file(fd, "stderr", &job->err);
	close(fd);
	return r;
}
