/*
 * Groups: the public face of scopes (src/rt/scope.h).
 */
#include <errno.h>
#include <string.h>

#include "rt/idle.h"
#include "rt/park.h"
#include "rt/stack.h"
#include "rt/worker.h"

static struct leat__scope *check(const char *function, const leat_group *group)
{
	struct leat__scope *s = leat__scope_of((leat_group *)(uintptr_t)group);

	if (leat__unlikely(!s || !(leat__load_relaxed(&s->flags) & LEAT__S_ALIVE)))
		leat__misuse_at(function, group, "the group is not initialized; call leat_group_init first");
	return s;
}

int leat_group_init(leat_group *group, const leat_group_options *options)
{
	struct leat__worker *w = leat__self();
	struct leat__task *me;

	if (!leat__rt)
		return -EINVAL;
	me = leat__current(w);
	leat__scope_init(leat__scope_of(group), me->scope, me, 0);
	(void)options;
	return 0;
}

/*
 * Runs children that nobody has taken, on top of the waiting owner: the
 * newest of this worker's deque first.
 */
static void run_inline(struct leat__scope *s, struct leat__worker *w)
{
	struct leat__task *me = w->cur;

	leat__store_relaxed(&me->state, LEAT__INLINE);
	while (leat__stack_remaining(w->stack) >= LEAT__INLINE_MIN) {
		struct leat__task *t = leat__deque_pop(&w->deque);

		if (!t)
			break;
		if (t->scope != s || t->stack) {
			if (!leat__deque_push(&w->deque, t))
				leat__push_overflow(w, t);
			break;
		}
		leat__run_new(w, t);
		w = leat__self();
		w->cur = me;
	}
	leat__store_relaxed(&me->state, LEAT__RUNNING);
}

/* Nothing is out but what the owner and this worker hold: no atomic operation needed. */
static bool all_here(struct leat__scope *s, struct leat__worker *w)
{
	int64_t here = s->owner_credit + (w->credit_scope == s ? w->credits : 0);

	if (leat__load_acquire(&s->pending) != 2 * here)
		return false;
	s->owner_credit = 0;
	if (w->credit_scope == s) {
		w->credits = 0;
		w->credit_scope = NULL;
	}
	leat__store_relaxed(&s->pending, 0);
	return true;
}

static int result_of(struct leat__scope *s)
{
	int error = leat__load_relaxed(&s->error);

	if (error != 0)
		return error;
	return leat__load_relaxed(&s->flags) & LEAT__S_CANCELED ? s->cause : 0;
}

int leat_group_wait(leat_group *group)
{
	struct leat__scope *s = check(__func__, group);
	struct leat__worker *w = leat__self();

	if (leat__likely(w != NULL && !w->rt->sim)) {
		run_inline(s, w);
		w = leat__self();
		if (all_here(s, w))
			return result_of(s);
	}
	leat__scope_wait(s, LEAT_FOREVER);
	return result_of(s);
}

void leat_group_release(leat_group *group)
{
	struct leat__scope *s = check(__func__, group);

	if (leat__load_relaxed(&s->pending) != 2 * s->owner_credit)
		leat__misuse(group, "tasks of the group may still run; call leat_group_wait first");
	leat__scope_fini(s);
}

void leat_group_cancel(leat_group *group, int cause)
{
	leat__scope_cancel(check(__func__, group), cause < 0 ? cause : -ECANCELED);
}

bool leat_group_is_cancelled(const leat_group *group)
{
	return leat__scope_is_canceled(check(__func__, group));
}
