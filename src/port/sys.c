#include "port/sys.h"

#include <errno.h>
#include <leat/base.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((noinline)) int64_t leat__sys_result(int64_t r)
{
	return r == -1 ? -errno : r;
}

/* The barriers keep a link-time optimizer from seeing that these are errno itself. */
__attribute__((noinline)) int leat_errno(void)
{
	int error = errno;

	__asm__ volatile("" : "+r"(error) : : "memory");
	return error;
}

__attribute__((noinline)) void leat_set_errno(int error)
{
	errno = error;
	__asm__ volatile("" : : : "memory");
}

/* The sanitizers know libc's functions, and what those read and write. */
#if defined(LEAT__ASAN) || defined(LEAT__TSAN) || !defined(SYS_recvfrom)
int64_t leat__sys_recv(int fd, void *buf, size_t n, int flags)
{
	return recv(fd, buf, n, flags);
}

int64_t leat__sys_send(int fd, const void *buf, size_t n, int flags)
{
	return send(fd, buf, n, flags);
}
#else
int64_t leat__sys_recv(int fd, void *buf, size_t n, int flags)
{
	return syscall(SYS_recvfrom, fd, buf, n, flags, NULL, NULL);
}

int64_t leat__sys_send(int fd, const void *buf, size_t n, int flags)
{
	return syscall(SYS_sendto, fd, buf, n, flags, NULL, 0);
}
#endif

#ifdef LEAT_FAULTS
/* The linker's names for the ends of the section. */
extern struct leat__sys_site __start_leat_sys_sites[] __attribute__((visibility("hidden")));
extern struct leat__sys_site __stop_leat_sys_sites[] __attribute__((visibility("hidden")));

int leat__sys_fault(struct leat__sys_site *site)
{
	leat__fetch_add(&site->calls, 1);
	if (leat__load_relaxed(&site->error) == 0)
		return 0;
	return (int)leat__exchange(&site->error, 0);
}

struct leat__sys_site *leat__sys_sites(uint32_t *ret_n)
{
	*ret_n = (uint32_t)(__stop_leat_sys_sites - __start_leat_sys_sites);
	return __start_leat_sys_sites;
}
#endif
