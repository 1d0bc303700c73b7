/*
 * Output and memory for dumps.
 *
 * write(2) returns EFAULT where a load would kill the process, and copies as
 * the kernel does, unseen by ASan and TSan.  So what is to be read goes into a
 * pipe and out again.  process_vm_readv(2) would do it in one call, but a
 * seccomp filter may kill who calls it.  System calls by number: the
 * sanitizers' wrappers would look at the memory themselves.  Valgrind looks at
 * system calls too, and what is read may never have been written: it is told
 * not to mind.
 */
#include "port/port.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(LEAT_VALGRIND)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_DISABLE_ERROR_REPORTING ((void)0)
#define VALGRIND_ENABLE_ERROR_REPORTING ((void)0)
#endif

enum { PIECE = 4096 };	/* any pipe takes so much at once */

int leat__write_all(int fd, const void *bytes, size_t n)
{
	const char *next = bytes;
	int saved = errno, r = 0;

	while (n > 0 && r == 0) {
		ssize_t k = write(fd, next, n);

		if (k >= 0) {
			next += k;
			n -= (size_t)k;
		} else if (errno != EINTR) {
			r = -errno;
		}
	}
	errno = saved;
	return r;
}

int leat__probe_open(struct leat__probe *probe)
{
	int saved = errno, r = 0;

	if (pipe2(probe->fd, O_CLOEXEC | O_NONBLOCK) != 0) {
		r = -errno;
		probe->fd[0] = probe->fd[1] = -1;
	}
	errno = saved;
	return r;
}

void leat__probe_close(struct leat__probe *probe)
{
	int saved = errno;

	if (probe->fd[0] >= 0) {
		close(probe->fd[0]);
		close(probe->fd[1]);
	}
	errno = saved;
}

bool leat__probe_read(const struct leat__probe *probe, void *to, const void *from, size_t n)
{
	const char *source = from;
	char *target = to;
	int saved = errno;

	VALGRIND_DISABLE_ERROR_REPORTING;
	while (n > 0 && probe->fd[0] >= 0) {
		size_t piece = n < PIECE ? n : PIECE;
		long got = syscall(SYS_write, probe->fd[1], source, piece);

		if (got <= 0 || syscall(SYS_read, probe->fd[0], target, (size_t)got) != got)
			break;
		source += got;
		target += got;
		n -= (size_t)got;
	}
	VALGRIND_ENABLE_ERROR_REPORTING;
	errno = saved;
	return n == 0;
}
