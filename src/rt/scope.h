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
 * Slow scopes (limit, results, any-succeeds, shared: flag LEAT__S_SLOW) count
 * under their lock, in src/sync, by way of the hooks.
 *
 * Other waiters.  Who waits and is not the owner is in others, and is woken by the
 * owner's wait, at its end; of a slow scope, by the last task or the owner.
 *	owner	O1 has_waited = 1, waited_credit = owner_credit
 *		O2 light fence
 *		O3 flags has LEAT__S_OTHERS: complete
 *	another	O4 lock; into others, flags |= LEAT__S_OTHERS; unlock
 *		O5 heavy fence
 *		O6 has_waited, and nothing spawned since: complete
 *		O7 park
 * Either O3 or O6 sees the other.  Who completes takes all out of others, under
 * the lock, and leaves the outcome with each.
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
 *
 * The error of a scope is the first of: a task's error, its cancel's cause, the cause
 * of a cancel above it.  Once it is cancelled no task's error counts.
 */
#ifndef LEAT_RT_SCOPE_H
#define LEAT_RT_SCOPE_H

#include "rt/rt.h"

enum { LEAT__CREDITS = 64 };

enum leat__scope_flag {
	LEAT__S_CANCELED = 1,
	LEAT__S_LISTED = 2,	/* in the parent's children */
	LEAT__S_SLOW = 4,	/* counts under the lock, by hooks */
	LEAT__S_ROOT = 8,
	LEAT__S_DETACHED = 16,	/* cancelling the parent does not reach it */
	LEAT__S_ISOLATE = 32,	/* a task's error cancels nothing */
	LEAT__S_HANDOFF = 64,	/* a completer lost the claim to a timeout: it is done with us */
	LEAT__S_ANY = 128,	/* one success is enough */
	LEAT__S_OTHERS = 256,	/* tasks that are not the owner wait in others */
	LEAT__S_ALIVE = 512,	/* initialized and not released */
	LEAT__S_SUCCEEDED = 1024, /* with LEAT__S_ANY: one has */
	LEAT__S_LINKED = 2048,	/* listed, and so is everything above it */
};

struct leat__scope {
	int64_t pending;	/* (a) 2 * tasks + waiting; (L) of a slow scope */
	int32_t owner_credit;	/* (a) written by the owner */
	uint32_t flags;		/* (a) */
	struct leat__task *owner; /* (c) NULL: shared */
	uint64_t maker;		/* (c) id of the task that has made it; 0: a thread */
	uint32_t ok_epoch;	/* (a) at this cancel_epoch it was not cancelled */
	int error;		/* (a) the first */
	struct leat__scope *parent; /* (c) */
	struct leat__task *waiter; /* (o) valid while pending is odd */
	struct leat__list members; /* (L) leat__task.member */
	struct leat__list children; /* (L) */
	struct leat__list sibling; /* (L: parent's lock) */
	struct leat__lock lock;
	int cause;		/* (a) of the cancel; written before LEAT__S_CANCELED is set */
	const char *error_task;	/* (L) name of the task that set error */
	const char *name;	/* (c) */
	struct leat__group_ext *ext; /* (c) of a group with limit, results or deadline */
	struct leat__list others; /* (L) who waits for its end: struct leat__waiter */
	struct leat__list spawners; /* (L) who waits for a place under the limit */
	int32_t waited_credit;	/* (a) owner_credit when a wait last ended; < 0: spawned since */
	uint32_t has_waited;	/* (a) a wait has ended */
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

/* Sets the first error, unless it is cancelled; task_name may be NULL.  True if it was set. */
bool leat__scope_set_error(struct leat__scope *s, int error, const char *task_name);

void leat__scope_cancel(struct leat__scope *s, int cause);
bool leat__scope_is_canceled_slow(struct leat__scope *s);

/* The cause of the cancel that reaches s, its own or of one above; 0: not cancelled. */
int leat__scope_cause(struct leat__scope *s);

/* The first error so far, and the task that returned it, or NULL: it was a cancel. */
int leat__scope_error(struct leat__scope *s, const char **ret_task_name);

/* What a wait for s returns, when all tasks have ended. */
int leat__scope_outcome(struct leat__scope *s);

/* O1 to O3: the owner has waited.  The last use of s by the wait; the outcome. */
int leat__scope_owner_waited(struct leat__scope *s);

/* Ends all waits in others.  Under s->lock; leat__wake_all is due after it.  The outcome. */
struct leat__wake;
int leat__scope_complete(struct leat__scope *s, struct leat__wake *wake);
/* The same, with the lock and the wake-ups. */
void leat__scope_complete_others(struct leat__scope *s);

/* A wait has ended and nothing was spawned since.  Under s->lock, if s is slow. */
static inline bool leat__scope_is_waited(struct leat__scope *s)
{
	int32_t credit = leat__load_relaxed(&s->owner_credit);

	return credit == leat__load_relaxed(&s->waited_credit) &&
	       leat__load_acquire(&s->pending) == 2 * (int64_t)credit;
}

/* Links s upwards, so that a cancel above it comes here. */
void leat__scope_link_up(struct leat__scope *s);
/* Links t into its scope, and that upwards, so that cancel can find it. */
void leat__scope_link(struct leat__task *t);
void leat__scope_unlink(struct leat__task *t);

/* Blocks until all tasks have ended or deadline: 0 or -ETIMEDOUT.  Owner only. */
int leat__scope_wait(struct leat__scope *s, int64_t deadline);

/* false: a longer look is needed. */
static inline bool leat__scope_is_surely_ok(const struct leat__scope *s)
{
	/* Relaxed: a cancel that is concurrent with this look may be seen by the next. */
	return leat__load_relaxed(&s->ok_epoch) == leat__load_relaxed(&leat__rt->cancel_epoch);
}

static inline bool leat__scope_is_canceled(struct leat__scope *s)
{
	return leat__unlikely(!leat__scope_is_surely_ok(s)) && leat__scope_is_canceled_slow(s);
}

/* True when the task must not start to block: -ECANCELED. */
static inline bool leat__is_canceled(struct leat__task *t)
{
	return leat__scope_is_canceled(t->scope) && t->shield == 0;
}

/* N1 */
static inline void leat__scope_flush(struct leat__worker *w)
{
	if (LEAT__MUTANT(GROUP_NO_FLUSH))
		return;

	struct leat__scope *s = w->credit_scope;
	int64_t n = w->credits;

	/* Relaxed: others read the credits only to count, see leat_group_live. */
	if (n != 0) {
		leat__store_relaxed(&w->credits, 0);
		leat__scope_end(s, n);
	}
	leat__store_relaxed(&w->credit_scope, NULL);
}

/* One more task of s will exist. */
static inline void leat__scope_count(struct leat__worker *w, struct leat__scope *s)
{
	if (w && s->owner == w->cur) {
		int32_t credit = leat__load_relaxed(&s->owner_credit);

		if (leat__unlikely(credit == 0)) {
			leat__fetch_add(&s->pending, 2 * LEAT__CREDITS);
			credit = LEAT__CREDITS;
		}
		leat__store_relaxed(&s->owner_credit, credit - 1);
	} else if (w && w->credit_scope == s && w->credits > 0) {
		leat__store_relaxed(&w->credits, w->credits - 1);
	} else {
		leat__fetch_add(&s->pending, 2);
	}
}

/* A task of s has ended on w. */
static inline void leat__scope_uncount(struct leat__worker *w, struct leat__scope *s)
{
	if (leat__unlikely(w->credit_scope != s)) {
		leat__scope_flush(w);
		leat__store_relaxed(&w->credit_scope, s);
	}
	leat__store_relaxed(&w->credits, w->credits + 1);
}

#endif
