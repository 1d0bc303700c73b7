/*
 * Task records: where tasks come from and where they end.
 */
#ifndef LEAT_RT_TASK_H
#define LEAT_RT_TASK_H

#include "rt/scope.h"

/* Bytes of a record by class; the class for so many bytes of arguments. */
extern const uint16_t leat__record_size[LEAT__SIZE_CLASSES];

/* A chunk of records; the dump walks them. */
struct leat__slab {
	struct leat__slab *next; /* (L: memory_lock) */
	size_t bytes;		/* (c) of the whole chunk */
	uint32_t size;		/* (c) of a record */
	uint32_t capacity;	/* (c) */
	uint32_t carved;	/* (a) records handed out so far */
	char records[] __attribute__((aligned(64)));
};

/* A record with args_size bytes of arguments; NULL without memory. w may be NULL. */
struct leat__task *leat__task_alloc(struct leat__worker *w, size_t args_size);
/* The same for a wait without a stack: the arguments are aligned to 8 bytes only. */
struct leat__task *leat__task_alloc_wait(struct leat__worker *w, size_t args_size);
void leat__task_free(struct leat__worker *w, struct leat__task *t);
uint64_t leat__task_new_id(struct leat__worker *w);

/* ext of t, made at first use; NULL without memory. */
struct leat__ext *leat__task_ext(struct leat__task *t);

/* After type->run has returned r: error, count, record.  t is gone afterwards. */
void leat__task_end(struct leat__worker *w, struct leat__task *t, int r);

const char *leat__task_name_of(const struct leat__task *t);

/* Frees all slabs: at the end of the runtime. */
void leat__task_fini(struct leat__runtime *rt);

/*
 * One operation of the running task: yields when its budget is used up, or
 * simulation says so.  Returns the worker, which may be another now.
 */
struct leat__worker *leat__budget_spent(struct leat__worker *w);
static inline struct leat__worker *leat__budget(struct leat__worker *w)
{
	if (leat__likely(--w->budget > 0))
		return w;
	return leat__budget_spent(w);
}

#endif
