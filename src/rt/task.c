#include "rt/task.h"

#include <errno.h>
#include <string.h>

#include "rt/park.h"
#include "rt/stack.h"

/*
 * Records are carved from slabs that are freed only with the runtime, so that a
 * dump may look at any record at any time.  Each worker keeps free records by
 * class; more than LOCAL_MAX of them go to the depot in batches.  The batches of
 * the depot are linked through their first record's depot_next.
 */
enum { LOCAL_MAX = 256, BATCH = 128 };
/* Whole pages together with the header of malloc, which maps each such block. */
enum { MALLOC_HEADER = 128, SLAB_BYTES = 256 * 1024 - MALLOC_HEADER };

const uint16_t leat__record_size[LEAT__SIZE_CLASSES] = { 128, 160, 176, 224, 288, 152 };

static unsigned class_of(size_t args_size)
{
	size_t bytes = sizeof(struct leat__task) + args_size;
	unsigned c = 0;

	while (c < LEAT__CLASS_WAIT && leat__record_size[c] < bytes)
		c++;
	LEAT_CHECK(c < LEAT__CLASS_WAIT);
	return c;
}

static struct leat__slab *slab_make(struct leat__runtime *rt, unsigned c)
{
	uint64_t used = leat__fetch_add(&rt->memory_used, SLAB_BYTES);
	struct leat__slab *slab = NULL;

	if (used + SLAB_BYTES <= rt->memory_limit)
		slab = leat__alloc_aligned(SLAB_BYTES, 64);
	if (!slab) {
		leat__fetch_sub(&rt->memory_used, SLAB_BYTES);
		return NULL;
	}
	slab->bytes = SLAB_BYTES;
	slab->size = leat__record_size[c];
	slab->capacity = (uint32_t)((SLAB_BYTES - sizeof(*slab)) / slab->size);
	slab->carved = 0;
	return slab;
}

/* Up to n fresh records of class c, linked; under memory_lock. */
static struct leat__task *carve(struct leat__slab *slab, unsigned c, uint32_t n, uint32_t *ret_n)
{
	struct leat__task *first = NULL;
	uint32_t i = slab->carved;

	for (*ret_n = 0; *ret_n < n && i < slab->capacity; ++*ret_n, i++) {
		char *record = slab->records + (size_t)i * slab->size;
		struct leat__task *t = (struct leat__task *)(void *)record;

		t->state = LEAT__FREE;
		t->size_class = (uint8_t)c;
		t->next = first;
		first = t;
	}
	/* Release: pairs with the acquire in dump.c; the states are set. */
	leat__store_release(&slab->carved, i);
	return first;
}

/* A batch of free records, from the depot or fresh. */
static struct leat__task *refill(struct leat__runtime *rt, unsigned c, uint32_t *ret_n)
{
	struct leat__task *batch;
	struct leat__slab *slab;

	leat__lock_acquire(&rt->memory_lock, LEAT__RANK_MEMORY);
	batch = rt->depot[c];
	if (batch) {
		rt->depot[c] = batch->depot_next;
		*ret_n = BATCH;
	} else if (rt->slabs[c]) {
		batch = carve(rt->slabs[c], c, BATCH, ret_n);
	}
	leat__lock_release(&rt->memory_lock);
	if (batch)
		return batch;

	slab = slab_make(rt, c);
	if (!slab)
		return NULL;
	leat__lock_acquire(&rt->memory_lock, LEAT__RANK_MEMORY);
	slab->next = rt->slabs[c];
	rt->slabs[c] = slab;
	batch = carve(slab, c, BATCH, ret_n);
	leat__lock_release(&rt->memory_lock);
	return batch;
}

static void spill(struct leat__runtime *rt, struct leat__worker *w, unsigned c)
{
	struct leat__task *batch = w->free[c], *last = batch;

	for (uint32_t i = 1; i < BATCH; i++)
		last = last->next;
	w->free[c] = last->next;
	w->free_count[c] -= BATCH;
	last->next = NULL;

	leat__lock_acquire(&rt->memory_lock, LEAT__RANK_MEMORY);
	batch->depot_next = rt->depot[c];
	rt->depot[c] = batch;
	leat__lock_release(&rt->memory_lock);
}

/* Foreign threads share one list of their own. */
static struct {
	struct leat__lock lock;
	struct leat__task *free[LEAT__SIZE_CLASSES];
} foreign;

static struct leat__task *alloc_foreign(struct leat__runtime *rt, unsigned c)
{
	struct leat__task *t = NULL, *last;
	uint32_t n;

	leat__lock_acquire(&foreign.lock, LEAT__RANK_QUEUE);
	t = foreign.free[c];
	if (t)
		foreign.free[c] = t->next;
	leat__lock_release(&foreign.lock);
	if (t)
		return t;

	t = refill(rt, c, &n);
	if (!t || !t->next)
		return t;
	for (last = t->next; last->next; last = last->next)
		;
	leat__lock_acquire(&foreign.lock, LEAT__RANK_QUEUE);
	last->next = foreign.free[c];
	foreign.free[c] = t->next;
	leat__lock_release(&foreign.lock);
	return t;
}

static inline struct leat__task *alloc_of_class(struct leat__worker *w, unsigned c)
{
	struct leat__task *t;

	if (leat__unlikely(!w)) {
		t = alloc_foreign(leat__rt, c);
		if (!t)
			return NULL;
	} else {
		t = w->free[c];
		if (leat__unlikely(!t)) {
			t = refill(w->rt, c, &w->free_count[c]);
			if (!t)
				return NULL;
		}
		w->free[c] = t->next;
		w->free_count[c]--;
	}
	t->sp = NULL;
	t->claim = LEAT__CLAIM_IDLE;
	t->flags = 0;
	t->stack = NULL;
	t->shield = 0;
	t->no_park = 0;
	t->is_member = 0;
	return t;
}

struct leat__task *leat__task_alloc(struct leat__worker *w, size_t args_size)
{
	return alloc_of_class(w, args_size <= 32 ? 0 : class_of(args_size));
}

struct leat__task *leat__task_alloc_wait(struct leat__worker *w, size_t args_size)
{
	bool small = sizeof(struct leat__task) + args_size <= leat__record_size[LEAT__CLASS_WAIT];

	return alloc_of_class(w, small ? LEAT__CLASS_WAIT : class_of(args_size));
}

void leat__task_free(struct leat__worker *w, struct leat__task *t)
{
	unsigned c = t->size_class;

	leat__store_relaxed(&t->state, LEAT__FREE);
	if (leat__unlikely(!w)) {
		leat__lock_acquire(&foreign.lock, LEAT__RANK_QUEUE);
		t->next = foreign.free[c];
		foreign.free[c] = t;
		leat__lock_release(&foreign.lock);
		return;
	}
	t->next = w->free[c];
	w->free[c] = t;
	if (leat__unlikely(++w->free_count[c] > LOCAL_MAX))
		spill(w->rt, w, c);
}

/* What a deadlock left behind. */
static void free_exts(struct leat__slab *slab)
{
	for (uint32_t i = 0; i < slab->carved; i++) {
		char *record = slab->records + (size_t)i * slab->size;
		struct leat__task *t = (struct leat__task *)record;

		if (t->state != LEAT__FREE && (t->flags & LEAT__T_EXT))
			leat__free(t->ext, sizeof(*t->ext));
	}
}

void leat__task_fini(struct leat__runtime *rt)
{
	for (unsigned c = 0; c < LEAT__SIZE_CLASSES; c++) {
		while (rt->slabs[c]) {
			struct leat__slab *slab = rt->slabs[c];

			rt->slabs[c] = slab->next;
			if (rt->deadlocked)
				free_exts(slab);
			leat__free(slab, slab->bytes);
		}
		foreign.free[c] = NULL;
	}
}

enum { ID_BLOCK = 1024 };

uint64_t leat__task_new_id(struct leat__worker *w)
{
	if (leat__unlikely(!w))
		return leat__fetch_add(&leat__rt->next_id, 1);
	if (leat__unlikely(w->next_id == w->last_id)) {
		w->next_id = leat__fetch_add(&leat__rt->next_id, ID_BLOCK);
		w->last_id = w->next_id + ID_BLOCK;
	}
	return w->next_id++;
}

struct leat__ext *leat__task_ext(struct leat__task *t)
{
	if (!(t->flags & LEAT__T_EXT)) {
		struct leat__ext *ext = leat__alloc(sizeof(*ext));

		if (!ext)
			return NULL;
		memset(ext, 0, sizeof(*ext));
		t->ext = ext;
		t->flags |= LEAT__T_EXT;
	}
	return t->ext;
}

const char *leat__task_name_of(const struct leat__task *t)
{
	const char *name = NULL;

	if (t->flags & LEAT__T_EXT)
		name = leat__load_relaxed(&t->ext->name);
	return name ? name : t->type ? t->type->name : "thread";
}

/* Task-local values; a drop function may set others, so go round until none is left. */
static void drop_locals(struct leat__task *t)
{
	struct leat__runtime *rt = leat__rt;
	uint32_t n = leat__load_relaxed(&rt->local_keys);
	bool again = true;

	for (int round = 0; again && round < 4; round++) {
		again = false;
		for (uint32_t i = 0; i < n; i++) {
			void *value = t->ext->locals[i];

			t->ext->locals[i] = NULL;
			if (value && rt->local_drop[i]) {
				rt->local_drop[i](value);
				again = true;
			}
		}
	}
}

static void end_slow(struct leat__task *t, int r)
{
	/* The hook is the last to look at the task's result and name. */
	if (t->flags & LEAT__T_EXT)
		drop_locals(t);
	leat__scope_task_ended(t->scope, t, r);
	if (t->flags & LEAT__T_EXT) {
		leat__free(t->ext, sizeof(*t->ext));
		t->ext = NULL;
		t->flags &= (uint16_t)~LEAT__T_EXT;
	}
}

void leat__task_end(struct leat__worker *w, struct leat__task *t, int r)
{
	struct leat__scope *s = t->scope;
	bool slow = leat__load_relaxed(&s->flags) & LEAT__S_SLOW;

	if (t->is_member)
		leat__scope_unlink(t);
	if (leat__unlikely(r != 0 || slow || (t->flags & LEAT__T_EXT))) {
		end_slow(t, r);
		w = leat__self();
	}
	leat__count(&w->counters.ended, 1);
	leat__task_free(w, t);
	if (!slow)
		leat__scope_uncount(w, s);
}
