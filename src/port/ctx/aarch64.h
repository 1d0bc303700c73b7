/*
 * The switch on aarch64 (AAPCS64).  As on x86-64: a saved context is a stack
 * pointer; on the stack lie the address to resume at, x29, and x19, x30.  The
 * other callee-saved registers are clobbers.  The store to *save_sp is a
 * release: it publishes everything that was pushed (C1).
 */
#ifndef LEAT_PORT_CTX_AARCH64_H
#define LEAT_PORT_CTX_AARCH64_H

#include <stdint.h>

static inline __attribute__((always_inline)) void leat__ctx_jump(void **save_sp, void *to)
{
	register void **x0 __asm__("x0") = save_sp;
	register void *x1 __asm__("x1") = to;

	__asm__ volatile("adr x9, 1f\n\t"
			 "stp x19, x30, [sp, #-16]!\n\t"
			 "stp x9, x29, [sp, #-16]!\n\t"
			 "mov x10, sp\n\t"
			 "stlr x10, [x0]\n\t" /* C1 */
			 "mov sp, x1\n\t"
			 "ldp x9, x29, [sp], #16\n\t"
			 "ldp x19, x30, [sp], #16\n\t"
			 "br x9\n"
			 "1:\n\t"
			 "hint #36\n\t" /* bti j */
			 : "+r"(x0), "+r"(x1)
			 :
			 : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
			   "x13", "x14", "x15", "x16", "x17", "x20", "x21", "x22", "x23", "x24",
			   "x25", "x26", "x27", "x28", "v0", "v1", "v2", "v3", "v4", "v5", "v6",
			   "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16",
			   "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26",
			   "v27", "v28", "v29", "v30", "v31", "memory", "cc");
}

static inline void *leat__ctx_make(void *top, void (*fn)(void))
{
	uint64_t *sp = top;

	*--sp = 0; /* x30: fn never returns */
	*--sp = 0; /* x19 */
	*--sp = 0; /* x29: the end of the chain of frames */
	*--sp = (uint64_t)(uintptr_t)fn;
	return sp;
}

static inline char *leat__ctx_sp(void)
{
	char *sp;

	__asm__ volatile("mov %0, sp" : "=r"(sp));
	return sp;
}

#endif
