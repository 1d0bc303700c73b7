/*
 * The worker that the calling thread is, or NULL.
 *
 * A task may go on in another thread after any call that may park, and
 * compilers keep the address of a thread-local variable in a register across
 * calls.  So the worker is read through here only: by one instruction that
 * the compiler cannot see into, or by a function that is never inlined.
 * Read it again after every possible park.
 */
#ifndef LEAT_PORT_SELF_H
#define LEAT_PORT_SELF_H

#include "base/atomic.h"

struct leat__worker;

extern __thread struct leat__worker *leat__self_tls __attribute__((tls_model("initial-exec")));

/* In the checking build both are the explorer's (port/check.c). */
#if defined(__x86_64__) && !defined(LEAT__TSAN) && !defined(LEAT_CHECKING)
static inline struct leat__worker *leat__self(void)
{
	struct leat__worker *w;

	__asm__ volatile("movq leat__self_tls@gottpoff(%%rip), %0\n\t"
			 "movq %%fs:(%0), %0"
			 : "=r"(w));
	return w;
}
#else
struct leat__worker *leat__self(void);
#endif

void leat__self_set(struct leat__worker *w);

#endif
