/*
 * Stacks: 64 KiB slots of slabs, pooled per worker, plus single large ones.
 */
#ifndef LEAT_RT_STACK_H
#define LEAT_RT_STACK_H

#include "rt/rt.h"

/* A pooled stack, or NULL when memory is gone; from the worker's cache first. */
struct leat__stack *leat__stack_get(struct leat__worker *w);
/* The worker must not be standing on it, or must leave it before anything else runs. */
void leat__stack_put(struct leat__worker *w, struct leat__stack *s);

/* A stack of its own mapping; NULL without memory. */
struct leat__stack *leat__stack_make_large(size_t size);
void leat__stack_free_large(struct leat__stack *s);

/* The reserve of a worker that is about to start; 0 or -ENOMEM. */
int leat__stack_worker_init(struct leat__worker *w);
void leat__stack_fini(struct leat__runtime *rt);

/* Where the first frame goes: below the descriptor, aligned to 16. */
static inline void *leat__stack_top(struct leat__stack *s)
{
	return (void *)((uintptr_t)s & ~(uintptr_t)15);
}

static inline size_t leat__stack_remaining(struct leat__stack *s)
{
	return (size_t)(leat__ctx_sp() - s->low);
}

/* The guard page (or the canary) of s contains addr, or lies within a page of it. */
bool leat__stack_is_guard(const struct leat__stack *s, const void *addr);
/* Without guard pages: aborts if the canary at the low end was overwritten. */
void leat__stack_check(const struct leat__stack *s, const struct leat__task *t);

#endif
