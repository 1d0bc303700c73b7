/*
 * System calls of the I/O layer.
 *
 *	r = LEAT__SYS(read(fd, buf, n));
 *
 * gives the call's result, or a negative errno.  errno is read in a function of its
 * own: compilers keep its address in a register over a park, after which the task may
 * run in another thread.
 *
 * Each use is a site.  In builds with -DLEAT_FAULTS a test can make the next
 * call of a site fail without being made.
 */
#ifndef LEAT_PORT_SYS_H
#define LEAT_PORT_SYS_H

#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"

/* r, or -errno if r is -1. */
int64_t leat__sys_result(int64_t r);

/*
 * recv(2) and send(2), but no cancellation points of pthread_cancel: in a program with threads
 * those cost libc two atomic operations a call, a fortieth of an echo.
 */
int64_t leat__sys_recv(int fd, void *buf, size_t n, int flags);
int64_t leat__sys_send(int fd, const void *buf, size_t n, int flags);

#ifdef LEAT_FAULTS
struct leat__sys_site {
	const char *where;	/* file:line call */
	uint64_t calls;		/* (a) */
	uint32_t error;		/* (a) the next call fails with it; 0: it is made */
} __attribute__((aligned(32))); /* the linker puts them side by side: no gaps of its own */

/* The error that the call must fail with, or 0. */
int leat__sys_fault(struct leat__sys_site *site);
/* All sites of the library. */
struct leat__sys_site *leat__sys_sites(uint32_t *ret_n);

#define LEAT__SYS_STR_(x) #x
#define LEAT__SYS_STR(x) LEAT__SYS_STR_(x)
#define LEAT__SYS(call)                                                          \
	({                                                                       \
		static struct leat__sys_site leat__site                          \
			__attribute__((section("leat_sys_sites"), used)) = {     \
				.where = __FILE__ ":" LEAT__SYS_STR(__LINE__) " " #call, \
			};                                                       \
		int leat__e = leat__sys_fault(&leat__site);                      \
		leat__e ? (int64_t)-leat__e : leat__sys_result((int64_t)(call)); \
	})
#else
#define LEAT__SYS(call) leat__sys_result((int64_t)(call))
#endif

#endif
