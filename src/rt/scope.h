/*
 * A scope is the runtime's half of a group: the count of its live tasks, its
 * place in the tree, and cancel.  src/sync/group.c makes the public leat_group
 * of it.
 *
 * Count.  pending holds 2 * (tasks) + (1 if the owner waits).  A million empty
 * tasks must not cost two million atomic operations on one word, so counts are
 * moved in bulk:
 *   - the owner (the task that made the scope) takes LEAT__CREDITS at a time
 *     into owner_credit and spawns from there without an atomic operation;
 *   - a worker that ends tasks of one scope collects them in its credits, which
 *     a task of the same scope on that worker may spend on spawns;
 *   - N1: before a worker runs a task of another scope, or searches, or parks
 *     the owner, it gives its credits back (leat__scope_flush).
 * So pending >= live tasks always, and equal when the owner waits (it gives
 * back its own credit first) and nobody is in mid-flush.  By N1 a scope is
 * never kept open by a worker that does something else.
 *
 *   wait	N2 arm claim, waiter = me
 *		N3 pending += 1 - 2 * owner_credit, one RMW; 0 tasks left: done
 *		N4 park
 *   flush	N5 pending -= 2n, one RMW; result 1: the last, and the owner waits
 *		N6 claim the waiter and make it ready
 * The flush that does not see exactly 1 never touches the scope again, so the
 * owner may free it as soon as it has seen 0.  The one that does sees an owner
 * that cannot leave before N6.
 *
 * Slow scopes (limit, results, joiners, shared: flag LEAT__S_SLOW) count under
 * their lock, in group.c, by way of the hooks.
 *
 * Cancel.  flags has LEAT__S_CANCELED.  A scope is linked into its parent, and a
 * task into its scope, only before it parks for the first time: fork-join
 * trees and tasks that never block pay nothing.  Invariant: the parents of a
 * linked scope are linked; so cancel finds everything that is parked.
 *   cancel	K1 set the flag, epoch += 1
 *		K2 heavy fence
 *		K3 for each linked member and child, under the scope's lock: claim
 *   park	K4 link (scope's lock), arm the claim word
 *		K5 light fence
 *		K6 epoch changed and a scope above is cancelled: claim myself back
 * Running tasks see the epoch change and look up the tree.
 */
#ifndef LEAT_RT_SCOPE_H
#define LEAT_RT_SCOPE_H

#include "rt/rt.h"

enum { LEAT__CREDITS = 64 };

enum leat__scope_flag {
	LEAT__S_CANCELED = 1,
	LEAT__S_LINKED = 2,	/* in the parent's children */
	LEAT__S_SLOW = 4,	/* counts under the lock, by hooks */
	LEAT__S_ROOT = 8,
	LEAT__S_DETACHED = 16,	/* cancelling the parent does not reach it */
	LEAT__S_ISOLATE = 32,	/* a task's error cancels nothing */
	LEAT__S_HANDOFF = 64,	/* a completer lost the claim to a timeout: it is done with us */
	LEAT__S_WAITED = 128,	/* the owner has waited, nothing spawned since */
	LEAT__S_OTHERS = 256,	/* tasks that are not the owner wait in others */
	LEAT__S_ALIVE = 512,	/* initialized and not released */
};

struct leat__scope {
	int64_t pending;	/* (a) 2 * tasks + waiting */
	int32_t owner_credit;	/* (o) */
	uint32_t flags;		/* (a) */
	struct leat__task *owner; /* (c) NULL: shared */
	uint32_t ok_epoch;	/* (a) at this cancel_epoch it was not cancelled */
	int error;		/* (a) the first */
	struct leat__scope *parent; /* (c) */
	struct leat__task *waiter; /* (o) valid while pending is odd */
	struct leat__list members; /* (L) leat__task.member */
	struct leat__list children; /* (L) */
	struct leat__list sibling; /* (L: parent's lock) */
	struct leat__lock lock;
	int cause;		/* (L) of the cancel */
	const char *error_task;	/* (L) name of the task that set error */
	const char *name;	/* (c) */
	struct leat__group_ext *ext; /* (c) of a slow scope */
	struct leat__list others; /* (L) waiters that are not the owner: struct leat__waiter */
};
_Static_assert(sizeof(struct leat__scope) <= sizeof(leat_group), "leat_group is too small");

static inline struct leat__scope *leat__scope_of(leat_group *group)
{
	return (struct leat__scope *)group;
}

void leat__scope_init(struct leat__scope *s, struct leat__scope *parent, struct leat__task *owner,
		      uint32_t flags);
/* Unlinks it from its parent. */
void leat__scope_fini(struct leat__scope *s);

/* N5: n tasks have ended.  May free the scope's memory under our hands. */
void leat__scope_end(struct leat__scope *s, int64_t n);

/* A task of s ended with an error, or a slow scope's ended at all. */
void leat__scope_task_ended(struct leat__scope *s, struct leat__task *t, int r);

/* Called for every end of a task of a slow scope, without locks; set by group.c. */
extern void (*leat__group_task_ended)(struct leat__scope *s, struct leat__task *t, int r);

/* Sets the first error; task_name may be NULL.  True if it was the first. */
bool leat__scope_set_error(struct leat__scope *s, int error, const char *task_name);

void leat__scope_cancel(struct leat__scope *s, int cause);
bool leat__scope_is_canceled_slow(struct leat__scope *s);

/* Links t into its scope, and that upwards, so that cancel can find it. */
void leat__scope_link(struct leat__task *t);
void leat__scope_unlink(struct leat__task *t);

/* Blocks until all tasks have ended or deadline: 0 or -ETIMEDOUT.  Owner only. */
int leat__scope_wait(struct leat__scope *s, int64_t deadline);

static inline bool leat__scope_is_canceled(struct leat__scope *s)
{
	/* Relaxed: a cancel that is concurrent with this look may be seen by the next. */
	if (leat__likely(leat__load_relaxed(&s->ok_epoch) ==
			 leat__load_relaxed(&leat__rt->cancel_epoch)))
		return false;
	return leat__scope_is_canceled_slow(s);
}

/* True when the task must not start to block: -ECANCELED. */
static inline bool leat__is_canceled(struct leat__task *t)
{
	return leat__scope_is_canceled(t->scope) && t->shield == 0;
}

/* N1 */
static inline void leat__scope_flush(struct leat__worker *w)
{
	struct leat__scope *s = w->credit_scope;
	int64_t n = w->credits;

	if (n != 0) {
		w->credits = 0;
		leat__scope_end(s, n);
	}
	w->credit_scope = NULL;
}

/* One more task of s will exist. */
static inline void leat__scope_count(struct leat__worker *w, struct leat__scope *s)
{
	if (w && s->owner == w->cur) {
		if (leat__unlikely(s->owner_credit == 0)) {
			leat__fetch_add(&s->pending, 2 * LEAT__CREDITS);
			s->owner_credit = LEAT__CREDITS;
		}
		s->owner_credit--;
	} else if (w && w->credit_scope == s && w->credits > 0) {
		w->credits--;
	} else {
		leat__fetch_add(&s->pending, 2);
	}
}

/* A task of s has ended on w. */
static inline void leat__scope_uncount(struct leat__worker *w, struct leat__scope *s)
{
	if (leat__unlikely(w->credit_scope != s)) {
		leat__scope_flush(w);
		w->credit_scope = s;
	}
	w->credits++;
}

#endif
