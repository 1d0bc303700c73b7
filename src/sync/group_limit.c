/*
 * How a task comes into a slow scope; the limit.  The rules are in group.h.
 */
#include "rt/spawn.h"
#include "sync/group.h"

static bool has_place(const struct leat__group_ext *ext)
{
	return ext->limit == 0 || ext->running < ext->limit;
}

void leat__limit_grant(struct leat__scope *s, struct leat__wake *wake)
{
	while (!leat__list_is_empty(&s->spawners) && has_place(s->ext)) {
		struct leat__waiter *w = leat__container_of(s->spawners.next, struct leat__waiter,
							    node);

		/* Who has given up already is passed over, and finds itself out of the list. */
		leat__list_remove(&w->node);
		if (!leat__claim_waiter(w)) {
			if (LEAT__MUTANT(LIMIT_PLACE_LOST))
				return;
			continue;
		}
		leat__group_enter(s);
		leat__wake_add(wake, w->task);
	}
}

/* Cancelled before we slept: the claim is ours, unless somebody was quicker. */
static bool is_canceled(struct leat__scope *s, struct leat__task *me)
{
	leat__fence_light();	/* K5: pairs with K2 */
	if (leat__likely(!leat__scope_is_canceled(s)) || LEAT__MUTANT(LIMIT_NO_RECHECK) ||
	    !leat__claim(me, LEAT__CLAIM_CANCELED))
		return false;
	leat__store_relaxed(&me->claim, LEAT__CLAIM_IDLE);
	return true;
}

/* Called without the lock: a place may have become free meanwhile. */
static int wait_for_place(struct leat__scope *s, int64_t deadline)
{
	struct leat__task *me = leat__current(leat__self());
	struct leat__waiter w = { .task = me };
	int r;

	leat__scope_link_up(s);		/* K4: a cancel from above finds us */
	leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);
	if (has_place(s->ext)) {
		leat__group_enter(s);
		leat__lock_release(&s->lock);
		return 0;
	}
	leat__arm(me, true);
	leat__list_append(&s->spawners, &w.node);
	leat__lock_release(&s->lock);

	r = is_canceled(s, me) ? -ECANCELED : leat__park(me, LEAT__WHY_LIMIT, s, deadline);
	if (r == 0)
		return 0;
	leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);
	leat__list_remove(&w.node);
	leat__lock_release(&s->lock);
	return r;
}

static int take_place(struct leat__scope *s, const leat_task_options *options)
{
	int r;

	leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);
	if (!s->ext || has_place(s->ext)) {
		leat__group_enter(s);
		leat__lock_release(&s->lock);
		return 0;
	}
	leat__lock_release(&s->lock);
	if (options && options->try_only)
		return -EAGAIN;
	r = wait_for_place(s, options && options->limit_deadline ? options->limit_deadline
								: LEAT_FOREVER);
	if (r == 0 && leat__scope_is_canceled(s)) {
		leat__group_leave(s);
		return -ECANCELED;
	}
	return r;
}

int leat__limit_admit(struct leat__scope *s, const leat_task_options *options,
		      uint32_t *ret_result_index)
{
	int r = take_place(s, options);

	if (r < 0 || !s->ext || s->ext->results.size == 0)
		return r;
	r = leat__results_reserve(s, ret_result_index);
	if (r < 0) {
		if (leat__scope_set_error(s, r, NULL) &&
		    !(leat__load_relaxed(&s->flags) & LEAT__S_ISOLATE))
			leat__scope_cancel(s, r);
		leat__group_leave(s);
	}
	return r;
}

void leat_group_set_limit(leat_group *group, int64_t limit)
{
	struct leat__scope *s = leat__group_check(__func__, group);
	struct leat__wake wake = { NULL, NULL };

	if (!s->ext || !s->ext->has_limit)
		leat__misuse(group, "the group was made without a limit; set .limit in its options");
	leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);
	s->ext->limit = limit;
	leat__limit_grant(s, &wake);
	leat__lock_release(&s->lock);
	leat__wake_all(&wake);
}
