/*
 * A slab reserves SLAB_SLOTS slots of 64 KiB of address space; a page of it
 * becomes memory when it is touched.  The lowest page of each slot is a
 * guard: by a marker where the kernel has them (Linux 6.13: no mapping per
 * stack), else by mprotect up to MPROTECT_MAX stacks (each costs two mappings, of
 * 65,530), beyond that a canary word.
 *
 * A slot, from low to high:
 *	guard page | stack, grows down ... | descriptor | colour
 * The colour, a multiple of 64 bytes below 1 KiB that differs from slot to slot, keeps
 * the hot frames of many stacks out of the same cache sets.
 */
#include "rt/stack.h"

#include <errno.h>
#include <string.h>

enum { SLAB_SLOTS = 256, CACHE_MAX = 64, CACHE_BATCH = 32, MPROTECT_MAX = 16 * 1024 };
enum { BYTES_PER_STACK = 4096 + 128 }; /* what a parked task costs: a page, its page table */
#define CANARY UINT64_C(0x6c6561745f656e64)

struct leat__stack_slab {
	struct leat__stack_slab *next; /* (L: memory_lock) */
	char *base;
	uint32_t carved;	/* (L: memory_lock) */
};

static void enlist(struct leat__runtime *rt, struct leat__stack *s)
{
	s->valgrind_id = leat__stack_register(s->low, (char *)s);
	leat__lock_acquire(&rt->memory_lock, LEAT__RANK_MEMORY);
	leat__list_append(&rt->all_stacks, &s->all);
	leat__lock_release(&rt->memory_lock);
}

static void delist(struct leat__stack *s)
{
	leat__list_remove(&s->all);
	leat__stack_deregister(s->valgrind_id);
#ifdef LEAT__TSAN
	if (s->fiber)
		__tsan_destroy_fiber(s->fiber);
#endif
#ifdef LEAT__ASAN
	__asan_unpoison_memory_region(s->low, (size_t)((char *)s - s->low));
#endif
}

static struct leat__stack *slot_init(struct leat__runtime *rt, char *base, uint64_t number)
{
	size_t page = leat__page_size();
	size_t colour = (number * 5 % 16) * 64;
	/* Relaxed: once false it stays so; who has not seen it yet finds out by itself. */
	bool guarded = leat__load_relaxed(&rt->can_guard);
	struct leat__stack *s;

	s = (struct leat__stack *)(base + LEAT__STACK_SIZE - colour - sizeof(*s));
	s = (struct leat__stack *)((uintptr_t)s & ~(uintptr_t)63);
	memset(s, 0, sizeof(*s));
	s->low = base + page;
	if (guarded && leat__map_guard(base) != 0) {
		guarded = false;
		leat__store_relaxed(&rt->can_guard, false);
	}
	if (!guarded) {
		if (number >= MPROTECT_MAX || leat__map_guard_one(base) < 0) {
			s->low = base + sizeof(uint64_t);
			*(uint64_t *)base = CANARY;
			leat__store_relaxed(&rt->has_guard_failed, true);
		}
	}
	enlist(rt, s);
	return s;
}

static struct leat__stack_slab *slab_make(void)
{
	struct leat__stack_slab *slab = leat__alloc(sizeof(*slab));

	if (!slab)
		return NULL;
	slab->base = leat__map_reserve((size_t)SLAB_SLOTS * LEAT__STACK_SIZE, LEAT__STACK_SIZE);
	slab->carved = 0;
	if (!slab->base) {
		leat__free(slab, sizeof(*slab));
		return NULL;
	}
	return slab;
}

static void slab_free(struct leat__stack_slab *slab)
{
	leat__map_release(slab->base, (size_t)SLAB_SLOTS * LEAT__STACK_SIZE);
	leat__free(slab, sizeof(*slab));
}

static bool slab_has_room(const struct leat__stack_slab *slab)
{
	return slab && slab->carved < SLAB_SLOTS;
}

/* A slot that nobody has used yet. */
static struct leat__stack *carve(struct leat__runtime *rt)
{
	uint64_t used = leat__fetch_add(&rt->memory_used, BYTES_PER_STACK);
	struct leat__stack_slab *slab, *made;
	uint64_t number;
	uint32_t slot;

	if (used + BYTES_PER_STACK > rt->memory_limit)
		goto refuse;
	leat__lock_acquire(&rt->memory_lock, LEAT__RANK_MEMORY);
	slab = rt->stack_slabs;
	while (!slab_has_room(slab)) {
		leat__lock_release(&rt->memory_lock);
		made = slab_make();
		if (!made)
			goto refuse;
		leat__lock_acquire(&rt->memory_lock, LEAT__RANK_MEMORY);
		slab = rt->stack_slabs;
		if (slab_has_room(slab)) { /* another worker was quicker */
			leat__lock_release(&rt->memory_lock);
			slab_free(made);
			leat__lock_acquire(&rt->memory_lock, LEAT__RANK_MEMORY);
			slab = rt->stack_slabs;
		} else {
			made->next = slab;
			rt->stack_slabs = slab = made;
		}
	}
	slot = slab->carved++;
	number = rt->stacks_made;
	leat__store_relaxed(&rt->stacks_made, number + 1);
	leat__lock_release(&rt->memory_lock);
	return slot_init(rt, slab->base + (size_t)slot * LEAT__STACK_SIZE, number);

refuse:
	leat__fetch_sub(&rt->memory_used, BYTES_PER_STACK);
	leat__store_relaxed(&rt->memory_low, 1);
	return NULL;
}

struct leat__stack *leat__stack_get(struct leat__worker *w)
{
	struct leat__runtime *rt = w->rt;
	struct leat__stack *s = w->stacks;

	if (leat__likely(s != NULL)) {
		w->stacks = s->next;
		w->stack_count--;
		return s;
	}
	leat__lock_acquire(&rt->memory_lock, LEAT__RANK_MEMORY);
	while (rt->stacks && w->stack_count < CACHE_BATCH) {
		s = rt->stacks;
		rt->stacks = s->next;
		leat__store_relaxed(&rt->stacks_pooled, rt->stacks_pooled - 1);
		s->next = w->stacks;
		w->stacks = s;
		w->stack_count++;
	}
	leat__lock_release(&rt->memory_lock);
	s = w->stacks;
	if (!s)
		return carve(rt);
	w->stacks = s->next;
	w->stack_count--;
	return s;
}

static void spill(struct leat__worker *w)
{
	struct leat__runtime *rt = w->rt;

	leat__lock_acquire(&rt->memory_lock, LEAT__RANK_MEMORY);
	while (w->stack_count > CACHE_BATCH) {
		struct leat__stack *s = w->stacks;

		w->stacks = s->next;
		w->stack_count--;
		s->next = rt->stacks;
		rt->stacks = s;
		leat__store_relaxed(&rt->stacks_pooled, rt->stacks_pooled + 1);
	}
	leat__lock_release(&rt->memory_lock);
	if (leat__unlikely(leat__load_relaxed(&rt->memory_low)))
		leat__store_relaxed(&rt->memory_low, 0);
}

void leat__stack_put(struct leat__worker *w, struct leat__stack *s)
{
	struct leat__runtime *rt = w->rt;

	LEAT_DEBUG_CHECK(!s->map);
	if (leat__unlikely(!w->reserve)) {
		w->reserve = s;
		leat__store_relaxed(&rt->memory_low, 0);
		return;
	}
	/* s stays in the cache: we may still be standing on it. */
	if (leat__unlikely(w->stack_count >= CACHE_MAX))
		spill(w);
	s->next = w->stacks;
	w->stacks = s;
	w->stack_count++;
}

struct leat__stack *leat__stack_make_large(size_t size)
{
	size_t page = leat__page_size();
	size_t bytes = (size + 2 * page + sizeof(struct leat__stack) - 1) / page * page + page;
	char *base = leat__map_reserve(bytes, page);
	struct leat__stack *s;

	if (!base)
		return NULL;
	if (leat__map_guard_one(base) < 0) {
		leat__map_release(base, bytes);
		return NULL;
	}
	s = (struct leat__stack *)(((uintptr_t)base + bytes - sizeof(*s)) & ~(uintptr_t)63);
	memset(s, 0, sizeof(*s));
	s->low = base + page;
	s->map = base;
	s->map_size = bytes;
	leat__fetch_add(&leat__rt->stacks_large, 1);
	enlist(leat__rt, s);
	return s;
}

void leat__stack_free_large(struct leat__stack *s)
{
	leat__lock_acquire(&leat__rt->memory_lock, LEAT__RANK_MEMORY);
	delist(s);
	leat__lock_release(&leat__rt->memory_lock);
	leat__fetch_sub(&leat__rt->stacks_large, 1);
	leat__map_release(s->map, s->map_size);
}

int leat__stack_worker_init(struct leat__worker *w)
{
	w->reserve = carve(w->rt);
	return w->reserve ? 0 : -ENOMEM;
}

void leat__stack_fini(struct leat__runtime *rt)
{
	while (!leat__list_is_empty(&rt->all_stacks)) {
		struct leat__stack *s =
			leat__container_of(rt->all_stacks.next, struct leat__stack, all);

		delist(s);
		if (s->map)	/* of a task that a deadlock left behind */
			leat__map_release(s->map, s->map_size);
	}
	while (rt->stack_slabs) {
		struct leat__stack_slab *slab = rt->stack_slabs;

		rt->stack_slabs = slab->next;
		leat__map_release(slab->base, (size_t)SLAB_SLOTS * LEAT__STACK_SIZE);
		leat__free(slab, sizeof(*slab));
	}
}

bool leat__stack_is_guard(const struct leat__stack *s, const void *addr)
{
	const char *a = addr;

	return a < s->low && a >= s->low - leat__page_size();
}

void leat__stack_check(const struct leat__stack *s, const struct leat__task *t)
{
	(void)t;
	if (s->map || (uintptr_t)s->low % leat__page_size() == 0)
		return; /* has a guard page */
	if (*(const uint64_t *)(s->low - sizeof(uint64_t)) != CANARY)
		leat__fatal("stack overflow in a task: give it a larger stack (leat_task_options.stack_size)");
}
