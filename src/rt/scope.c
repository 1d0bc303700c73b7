#include "rt/scope.h"

#include <errno.h>

#include "rt/park.h"

void (*leat__group_task_ended)(struct leat__scope *s, struct leat__task *t, int r);

void leat__scope_init(struct leat__scope *s, struct leat__scope *parent, struct leat__task *owner,
		      uint32_t flags)
{
	s->pending = 0;
	s->owner_credit = 0;
	s->flags = flags | LEAT__S_ALIVE;
	s->owner = owner;
	s->maker = owner ? owner->id : 0;
	/* Not cancelled when the parent was not; at another epoch the first look goes up. */
	s->ok_epoch = parent ? leat__load_relaxed(&parent->ok_epoch)
			     : leat__load_relaxed(&leat__rt->cancel_epoch) - 1;
	s->error = 0;
	s->parent = parent;
	s->waiter = NULL;
	leat__list_init(&s->members);
	leat__list_init(&s->children);
	leat__list_init(&s->sibling);
	leat__list_init(&s->others);
	leat__list_init(&s->spawners);
	s->waited_credit = 0;
	s->has_waited = 0;
	s->lock.word = 0;
	s->cause = 0;
	s->error_task = NULL;
	s->name = NULL;
	s->ext = NULL;
}

/*
 * Not by recursion: a tree of groups may be deeper than a stack.  Bottom up, and
 * marked as linked only when all above it is in its list: who sees the mark
 * needs to go no further.
 */
void leat__scope_link_up(struct leat__scope *s)
{
	struct leat__scope *up;

	for (up = s; up->parent; up = up->parent) {
		/* Acquire: pairs with the RMW below; all above is linked. */
		if (leat__load_acquire(&up->flags) & LEAT__S_LINKED)
			break;
		leat__lock_acquire(&up->parent->lock, LEAT__RANK_SCOPE);
		if (!(leat__fetch_or(&up->flags, LEAT__S_LISTED) & LEAT__S_LISTED))
			leat__list_append(&up->parent->children, &up->sibling);
		leat__lock_release(&up->parent->lock);
	}
	for (; s != up; s = s->parent)
		leat__fetch_or(&s->flags, LEAT__S_LINKED);
}

void leat__scope_link(struct leat__task *t)
{
	struct leat__scope *s = t->scope;

	leat__scope_link_up(s);
	leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);
	leat__list_append(&s->members, &t->member);
	t->is_member = 1;
	leat__lock_release(&s->lock);
}

void leat__scope_unlink(struct leat__task *t)
{
	leat__lock_acquire(&t->scope->lock, LEAT__RANK_SCOPE);
	leat__list_remove(&t->member);
	t->is_member = 0;
	leat__lock_release(&t->scope->lock);
}

void leat__scope_fini(struct leat__scope *s)
{
	if (leat__load_relaxed(&s->flags) & LEAT__S_LISTED) {
		leat__lock_acquire(&s->parent->lock, LEAT__RANK_SCOPE);
		leat__list_remove(&s->sibling);
		leat__lock_release(&s->parent->lock);
	}
	s->flags = 0;
}

bool leat__scope_is_canceled_slow(struct leat__scope *s)
{
	/* Acquire: pairs with K1; flags are set before the epoch changes. */
	uint32_t epoch = leat__load_acquire(&leat__rt->cancel_epoch);

	for (struct leat__scope *up = s; up; up = up->parent) {
		uint32_t flags = leat__load_relaxed(&up->flags);

		if (flags & LEAT__S_CANCELED)
			return true;
		/* What was said of it at this epoch holds for all above it. */
		if ((flags & LEAT__S_DETACHED) || leat__load_relaxed(&up->ok_epoch) == epoch)
			break;
	}
	leat__store_relaxed(&s->ok_epoch, epoch);
	return false;
}

int leat__scope_cause(struct leat__scope *s)
{
	/* By the epoch: who has seen a cause must not find the scope alive afterwards. */
	if (!leat__scope_is_canceled(s))
		return 0;
	for (struct leat__scope *up = s; up; up = up->parent) {
		/* Acquire: pairs with the RMW in set_canceled; the cause is written. */
		uint32_t flags = leat__load_acquire(&up->flags);

		if (flags & LEAT__S_CANCELED)
			return leat__load_relaxed(&up->cause);
		if (flags & LEAT__S_DETACHED)
			break;
	}
	return 0;
}

/* K1; under s->lock.  True: it was not cancelled before. */
static bool set_canceled(struct leat__scope *s, int cause)
{
	if (leat__load_relaxed(&s->flags) & LEAT__S_CANCELED)
		return false;
	leat__store_relaxed(&s->cause, cause);
	leat__fetch_or(&s->flags, LEAT__S_CANCELED);
	return true;
}

/* K3 for s alone; under its lock. */
static void cancel_one(struct leat__scope *s, int cause)
{
	set_canceled(s, cause);
	leat__list_for_each(node, &s->members) {
		struct leat__task *t = leat__container_of(node, struct leat__task, member);

		/* Deaf waits (ARMED) and running tasks are left alone. */
		if (leat__cas(&t->claim, LEAT__CLAIM_CANCELABLE, LEAT__CLAIM_CANCELED))
			leat__ready_fifo(t);
	}
	/* A shield is against the spawner's own group, not against this one. */
	leat__list_for_each(node, &s->spawners) {
		struct leat__task *t = leat__container_of(node, struct leat__waiter, node)->task;

		if (leat__claim(t, LEAT__CLAIM_CANCELED))
			leat__ready_fifo(t);
	}
}

/* The first child of s after node that a cancel of s reaches. */
static struct leat__scope *next_child(struct leat__scope *s, struct leat__list *node)
{
	for (node = node->next; node != &s->children; node = node->next) {
		struct leat__scope *child = leat__container_of(node, struct leat__scope, sibling);

		if (!(leat__load_relaxed(&child->flags) & LEAT__S_DETACHED))
			return child;
	}
	return NULL;
}

/*
 * K3 for top and everything below, depth first.  The locks from top down to s are
 * held, so none of these scopes can end.  Not by recursion, as above.
 */
static void cancel_tree(struct leat__scope *top, int cause)
{
	struct leat__scope *s = top, *child;
	struct leat__list *node;

	leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);
	cancel_one(s, cause);
	node = &s->children;
	for (;;) {
		child = LEAT__MUTANT(CANCEL_NOT_BELOW) ? NULL : next_child(s, node);
		if (child) {
			leat__lock_acquire(&child->lock, LEAT__RANK_SCOPE);
			cancel_one(child, leat__load_relaxed(&s->cause));
			s = child;
			node = &s->children;
			continue;
		}
		node = &s->sibling;
		leat__lock_release(&s->lock);
		if (s == top)
			return;
		s = s->parent;
	}
}

void leat__scope_cancel(struct leat__scope *s, int cause)
{
	int above = leat__scope_cause(s);
	bool first;

	/* A cancel from above came first: its cause stays. */
	leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);
	if (above != 0)
		cause = above;
	first = set_canceled(s, cause);
	leat__lock_release(&s->lock);
	if (!first)
		return;
	if (LEAT__MUTANT(CANCEL_BEFORE_FLAG))
		cancel_tree(s, cause);
	leat__fetch_add(&leat__rt->cancel_epoch, 1);
	if (LEAT__MUTANT(CANCEL_BEFORE_FLAG))
		return;
	if (!LEAT__MUTANT(CANCEL_NO_FENCE))
		leat__fence_heavy(); /* K2: pairs with K5 */
	cancel_tree(s, cause);
}

int leat__scope_error(struct leat__scope *s, const char **ret_task_name)
{
	int cause = leat__scope_cause(s), error = 0;

	*ret_task_name = NULL;
	leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);
	if (s->error != 0) {
		error = s->error;
		*ret_task_name = s->error_task;
	} else if (cause != 0) {
		/* Of a cancel above, too: what was told here must stay. */
		set_canceled(s, cause);
		error = leat__load_relaxed(&s->cause);
	}
	if (leat__load_relaxed(&s->flags) & LEAT__S_SUCCEEDED)
		error = 0;
	leat__lock_release(&s->lock);
	return error;
}

bool leat__scope_set_error(struct leat__scope *s, int error, const char *task_name)
{
	bool first;

	leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);
	first = s->error == 0 && !(leat__load_relaxed(&s->flags) & LEAT__S_CANCELED);
	if (first) {
		leat__store_relaxed(&s->error, error);
		s->error_task = task_name;
	}
	leat__lock_release(&s->lock);
	return first;
}

void leat__scope_task_ended(struct leat__scope *s, struct leat__task *t, int r)
{
	if (leat__load_relaxed(&s->flags) & LEAT__S_SLOW) {
		leat__group_task_ended(s, t, r);
		return;
	}
	if (r == 0 || leat__scope_is_canceled(s))
		return;
	if (leat__scope_set_error(s, r, leat__task_name_of(t)) &&
	    !(leat__load_relaxed(&s->flags) & LEAT__S_ISOLATE))
		leat__scope_cancel(s, r);
}

void leat__scope_end(struct leat__scope *s, int64_t n)
{
	struct leat__task *waiter;

	if (leat__fetch_sub(&s->pending, 2 * n) - 2 * n != 1) /* N5 */
		return;
	waiter = s->waiter;
	if (leat__claim(waiter, LEAT__CLAIM_DONE)) /* N6 */
		leat__ready(waiter);
	else
		leat__fetch_or(&s->flags, LEAT__S_HANDOFF);
}

int leat__scope_wait(struct leat__scope *s, int64_t deadline)
{
	struct leat__worker *w = leat__self();
	struct leat__task *me = leat__current(w);
	int64_t credit = leat__load_relaxed(&s->owner_credit), left;
	int r;

	if (w)
		leat__scope_flush(w);
	leat__store_relaxed(&s->owner_credit, 0);
	s->waiter = me;
	if (!LEAT__MUTANT(GROUP_ARMS_LATE))
		leat__arm(me, false);				/* N2 */
	left = leat__fetch_add(&s->pending, 1 - 2 * credit) + 1 - 2 * credit; /* N3 */
	if (left == 1) {
		leat__store_relaxed(&me->claim, LEAT__CLAIM_IDLE);
		leat__store_relaxed(&s->pending, 0);
		return 0;
	}
	if (LEAT__MUTANT(GROUP_ARMS_LATE))
		leat__arm(me, false);
	r = leat__park(me, LEAT__WHY_GROUP, s, deadline);	/* N4 */
	left = leat__fetch_sub(&s->pending, 1) - 1;
	if (r == 0 || left != 0)
		return r == 0 ? 0 : -ETIMEDOUT;
	/* The last flush lost the claim to our timeout; wait until it is done with s. */
	while (!(leat__load_acquire(&s->flags) & LEAT__S_HANDOFF) &&
	       !LEAT__MUTANT(GROUP_NO_HANDOFF))
		leat__cpu_pause();
	leat__fetch_and(&s->flags, ~(uint32_t)LEAT__S_HANDOFF);
	return 0;
}

int leat__scope_outcome(struct leat__scope *s)
{
	uint32_t flags = leat__load_relaxed(&s->flags);
	int error = leat__load_relaxed(&s->error);

	if (flags & LEAT__S_SUCCEEDED)
		return 0;
	if (error == 0)
		error = leat__scope_cause(s);
	return error == 0 && (flags & LEAT__S_ANY) ? -ENOENT : error;
}

int leat__scope_complete(struct leat__scope *s, struct leat__wake *wake)
{
	int outcome = leat__scope_outcome(s);

	leat__store_relaxed(&s->waited_credit, leat__load_relaxed(&s->owner_credit));
	/* Release: pairs with the acquire of O6; the count and the tasks' work is visible. */
	leat__store_release(&s->has_waited, 1);
	while (!leat__list_is_empty(&s->others)) {
		struct leat__waiter *w =
			leat__container_of(s->others.next, struct leat__waiter, node);

		/* Who has timed out finds itself out of the list, and the outcome. */
		leat__list_remove(&w->node);
		w->result = outcome;
		if (leat__claim_waiter(w))
			leat__wake_add(wake, w->task);
	}
	leat__fetch_and(&s->flags, ~(uint32_t)LEAT__S_OTHERS);
	return outcome;
}

void leat__scope_complete_others(struct leat__scope *s)
{
	struct leat__wake wake = { NULL, NULL };

	leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);
	leat__scope_complete(s, &wake);
	leat__lock_release(&s->lock);
	leat__wake_all(&wake);
}

int leat__scope_owner_waited(struct leat__scope *s)
{
	int outcome = leat__scope_outcome(s);

	leat__store_relaxed(&s->waited_credit, leat__load_relaxed(&s->owner_credit)); /* O1 */
	leat__store_release(&s->has_waited, 1);
	leat__fence_light();		/* O2: pairs with O5 */
	if (leat__unlikely(leat__load_relaxed(&s->flags) & LEAT__S_OTHERS) && /* O3 */
	    !LEAT__MUTANT(GROUP_FORGETS_OTHERS))
		leat__scope_complete_others(s);
	return outcome;
}
