/*
 * The switch on x86-64 (System V ABI).
 *
 * A saved context is a stack pointer; on the stack lie the address to resume
 * at and rbp.  rbx and r12 to r15 are clobbers, so the compiler saves those that
 * are live; everything else is the caller's to save by the ABI.  mxcsr and the
 * x87 control word belong to the thread: a task that changes them restores
 * them before it parks.
 *
 * C1 (the store to *save_sp) is the last access to the old stack: from then on
 * another worker may resume the context.  On x86 a plain store is a release.
 * The switch ends in an indirect jump: a ret would be mispredicted.
 */
#ifndef LEAT_PORT_CTX_X86_64_H
#define LEAT_PORT_CTX_X86_64_H

#include <stdint.h>

static inline __attribute__((always_inline)) void leat__ctx_jump(void **save_sp, void *to)
{
	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\t" /* past the red zone */
			 "pushq %%rbp\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "movq %%rsp, (%0)\n\t" /* C1 */
			 "movq %1, %%rsp\n\t"
			 "popq %%rax\n\t"
			 "popq %%rbp\n\t"
			 "jmpq *%%rax\n\t"
			 ".p2align 4\n"
			 "1:\n\t"
			 "endbr64\n\t"
			 "leaq 128(%%rsp), %%rsp\n\t"
			 : "+D"(save_sp), "+S"(to)
			 :
			 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13",
			   "r14", "r15", "memory", "cc");
}

/* A context that enters fn on the stack that ends at top (aligned to 16). */
static inline void *leat__ctx_make(void *top, void (*fn)(void))
{
	uint64_t *sp = top;

	*--sp = 0; /* fn sees the stack as after a call: misaligned by 8, return address 0 */
	*--sp = 0; /* rbp: the end of the chain of frames */
	*--sp = (uint64_t)(uintptr_t)fn;
	return sp;
}

/* The stack pointer now, roughly. */
static inline char *leat__ctx_sp(void)
{
	char *sp;

	__asm__ volatile("movq %%rsp, %0" : "=r"(sp));
	return sp;
}

#endif
