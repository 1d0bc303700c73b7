/*
 * Groups: the public face of scopes (src/rt/scope.h).
 */
#include <string.h>

#include "rt/idle.h"
#include "rt/spawn.h"
#include "rt/stack.h"
#include "rt/timer.h"
#include "rt/worker.h"
#include "sync/group.h"

struct leat__scope *leat__group_check(const char *function, const leat_group *group)
{
	struct leat__scope *s = leat__scope_of((leat_group *)(uintptr_t)group);

	leat__check_fork(function, group);
	if (leat__unlikely(!s || !(leat__load_relaxed(&s->flags) & LEAT__S_ALIVE)))
		leat__misuse_at(function, group, "the group is not initialized; call leat_group_init first");
	return s;
}

/*
 * Begin.
 */

static uint32_t flags_of(const leat_group_options *o)
{
	uint32_t flags = 0;

	/* One failure among those of which any may succeed touches nobody. */
	if (o->join == LEAT_JOIN_ANY_SUCCEEDS)
		flags |= LEAT__S_ANY | LEAT__S_ISOLATE | LEAT__S_SLOW;
	else if (o->join == LEAT_JOIN_ALL_DONE)
		flags |= LEAT__S_ISOLATE;
	if (o->limit != 0 || o->result_size != 0 || o->shared)
		flags |= LEAT__S_SLOW;
	if (o->detached_from_cancel)
		flags |= LEAT__S_DETACHED;
	return flags;
}

static int make_ext(struct leat__scope *s, const leat_group_options *o)
{
	struct leat__group_ext *ext = leat__alloc(sizeof(*ext));

	if (!ext)
		return -ENOMEM;
	memset(ext, 0, sizeof(*ext));
	ext->has_limit = o->limit != 0;
	ext->limit = o->limit;
	ext->results.size = o->result_size;
	ext->results.as_completed = o->order == LEAT_AS_COMPLETED;
	if (__builtin_add_overflow(o->result_size, 15, &ext->results.stride)) {
		leat__free(ext, sizeof(*ext));
		return -ENOMEM;
	}
	ext->results.stride &= ~(size_t)15;
	ext->deadline.refs = 1;
	s->ext = ext;
	return 0;
}

static int init_with(struct leat__scope *s, struct leat__task *me,
		     const leat_group_options *options)
{
	leat_group_options o = { 0 };
	struct leat__scope *parent = me->scope;
	int r = 0;

	if (options->size == 0)
		leat__misuse_at("leat_group_init", s, "options->size is 0; make the options with LEAT_GROUP_OPTIONS");
	memcpy(&o, options, options->size < sizeof(o) ? options->size : sizeof(o));
	if (o.parent)
		parent = leat__group_check("leat_group_init", o.parent);
	leat__scope_init(s, parent, o.shared ? NULL : me, flags_of(&o));
	s->maker = me->id; /* of a shared one, too */
	s->name = o.name;
	if (o.deadline != 0 && o.deadline <= leat__time_now()) {
		leat__scope_cancel(s, -ETIMEDOUT);
		o.deadline = 0;
	}
	if (o.limit == 0 && o.result_size == 0 && o.deadline == 0)
		return 0;
	r = make_ext(s, &o);
	if (r == 0 && o.deadline != 0 && o.deadline != LEAT_FOREVER) {
		r = leat__deadline_set(s, o.deadline);
		if (r < 0)
			leat__deadline_end(s->ext);
	}
	if (r < 0)
		leat__scope_fini(s);
	return r;
}

int leat_group_init(leat_group *group, const leat_group_options *options)
{
	struct leat__task *me;

	if (leat__unlikely(!group))
		leat__misuse(group, "the group is NULL; pass the address of a leat_group");
	if (leat__unlikely(!leat__rt)) {
		leat__log("leat_group_init: no runtime is running; "
			  "call it inside leat_run or LEAT_MAIN");
		return -EINVAL;
	}
	me = leat__current(leat__self());
	if (options)
		return init_with(leat__scope_of(group), me, options);
	leat__scope_init(leat__scope_of(group), me->scope, me, 0);
	return 0;
}

/*
 * Tasks of slow scopes.
 */

void leat__group_enter(struct leat__scope *s)
{
	leat__store_relaxed(&s->pending, s->pending + 2);
	leat__store_relaxed(&s->waited_credit, -1);
	if (s->ext)
		s->ext->running++;
}

static bool owner_waits(const struct leat__scope *s)
{
	leat__list_for_each(node, &s->others)
		if (leat__container_of(node, struct leat__waiter, node)->task == s->owner)
			return true;
	return false;
}

void leat__group_leave_locked(struct leat__scope *s, struct leat__wake *wake)
{
	if (s->ext) {
		s->ext->running--;
		leat__limit_grant(s, wake);
	}
	leat__store_relaxed(&s->pending, s->pending - 2);
	if (s->pending == 0 && !leat__list_is_empty(&s->others) && (!s->owner || owner_waits(s)))
		leat__scope_complete(s, wake);
}

void leat__group_leave(struct leat__scope *s)
{
	struct leat__wake wake = { NULL, NULL };

	leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);
	leat__group_leave_locked(s, &wake);
	leat__lock_release(&s->lock);
	leat__wake_all(&wake);
}

/* E1.  True if the task's result counts. */
static bool settle(struct leat__scope *s, const struct leat__task *t, int r)
{
	bool first;

	if (r != 0) {
		if (!leat__scope_is_canceled(s) &&
		    leat__scope_set_error(s, r, leat__task_name_of(t)) &&
		    !(leat__load_relaxed(&s->flags) & LEAT__S_ISOLATE))
			leat__scope_cancel(s, r);
		return false;
	}
	if (!(leat__load_relaxed(&s->flags) & LEAT__S_ANY))
		return true;
	/* Only a success that comes before any cancel decides. */
	if (leat__scope_is_canceled(s))
		return false;
	leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);
	first = !(leat__load_relaxed(&s->flags) & (LEAT__S_CANCELED | LEAT__S_SUCCEEDED));
	if (first)
		leat__fetch_or(&s->flags, LEAT__S_SUCCEEDED);
	leat__lock_release(&s->lock);
	if (first)
		leat__scope_cancel(s, -ECANCELED);
	return first;
}

static void task_ended(struct leat__scope *s, struct leat__task *t, int r)
{
	struct leat__wake wake = { NULL, NULL };
	bool counts = settle(s, t, r);				/* E1 */

	leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);		/* E2 */
	if (counts && s->ext && s->ext->results.size > 0)
		leat__results_store(&s->ext->results, t->result_index);
	leat__group_leave_locked(s, &wake);
	leat__lock_release(&s->lock);
	leat__wake_all(&wake);					/* E3 */
}

/* The runtime knows the hooks, not us: it is the layer below. */
__attribute__((constructor)) static void set_hooks(void)
{
	leat__group_admit = leat__limit_admit;
	leat__group_task_ended = task_ended;
}

/*
 * Waiting.
 */

/*
 * Runs children that nobody has taken, on top of the waiting owner: the
 * newest of this worker's deque first.
 */
static void run_inline(struct leat__scope *s, struct leat__worker *w)
{
	struct leat__task *me = w->cur;

	/* A child that blocks goes on anywhere, later, and we with it. */
	if (leat__unlikely((me->flags & LEAT__T_PINNED) || me->no_park > 0))
		return;
	leat__store_relaxed(&me->state, LEAT__INLINE);
	while (leat__stack_remaining(w->stack) >= LEAT__INLINE_MIN) {
		struct leat__task *t = leat__deque_pop(&w->deque);

		if (!t)
			break;
		if (t->scope != s || t->stack) {
			leat__put_back(w, t);
			break;
		}
		leat__run_new(w, t);
		w = leat__self();
		w->cur = me;
	}
	leat__store_relaxed(&me->state, LEAT__RUNNING);
}

/*
 * Nothing is out but what the owner and this worker hold: the owner keeps it,
 * and no atomic operation is needed.
 */
static bool all_here(struct leat__scope *s, struct leat__worker *w)
{
	int64_t credit = leat__load_relaxed(&s->owner_credit);
	int64_t here = credit + (w->credit_scope == s ? w->credits : 0);

	/* Acquire: pairs with N5; what the tasks did is visible. */
	if (leat__load_acquire(&s->pending) != 2 * here || here > INT32_MAX)
		return false;
	if (here != credit) {
		leat__store_relaxed(&w->credits, 0);
		leat__store_relaxed(&w->credit_scope, NULL);
		leat__store_relaxed(&s->owner_credit, (int32_t)here);
	}
	return true;
}

static void check_no_member(const char *function, struct leat__scope *s, struct leat__task *me)
{
	if (leat__unlikely(me->scope == s && me != s->owner && !(me->flags & LEAT__T_FOREIGN)))
		leat__misuse_at(function, s, "task '%s' waits for its own group, so both would never end; wait in the task that made the group",
				leat__task_name_of(me));
}

/* Of a slow scope: what me would wait for has happened.  Under the lock. */
static bool is_over(const struct leat__scope *s, const struct leat__task *me)
{
	return s->pending == 0 && (!s->owner || me == s->owner ||
				   (s->has_waited && s->waited_credit == 0));
}

/*
 * The wait of who is not the owner, and every wait for a slow scope (O4 to O7 in
 * scope.h).  -EAGAIN at the deadline.
 */
static int wait_in_line(struct leat__scope *s, struct leat__task *me, int64_t deadline)
{
	bool is_slow = leat__load_relaxed(&s->flags) & LEAT__S_SLOW;
	struct leat__waiter waiter = { .task = me, .result = -EAGAIN };

	leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);		/* O4 */
	if (is_slow && is_over(s, me)) {
		struct leat__wake wake = { NULL, NULL };
		int outcome = leat__scope_complete(s, &wake);

		leat__lock_release(&s->lock);
		leat__wake_all(&wake);
		return outcome;
	}
	leat__arm(me, false);
	leat__list_append(&s->others, &waiter.node);
	leat__fetch_or(&s->flags, LEAT__S_OTHERS);
	leat__lock_release(&s->lock);
	if (!is_slow) {
		if (!LEAT__MUTANT(OTHERS_NO_FENCE))
			leat__fence_heavy();			/* O5 */
		if (leat__load_acquire(&s->has_waited) && leat__scope_is_waited(s) && /* O6 */
		    !LEAT__MUTANT(OTHERS_NO_RECHECK))
			leat__scope_complete_others(s);
	}
	if (leat__park(me, LEAT__WHY_GROUP, s, deadline) == 0)	/* O7 */
		return waiter.result;
	leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);
	leat__list_remove(&waiter.node);
	leat__lock_release(&s->lock);
	return waiter.result;
}

static __attribute__((noinline)) int wait_slow(struct leat__scope *s, struct leat__task *me)
{
	struct leat__worker *w = leat__self();

	check_no_member("leat_group_wait", s, me);
	if (w && !w->rt->sim && (!s->owner || s->owner == me))
		run_inline(s, w);
	return wait_in_line(s, me, LEAT_FOREVER);
}

int leat_group_wait(leat_group *group)
{
	struct leat__scope *s = leat__group_check(__func__, group);
	struct leat__worker *w = leat__self();
	struct leat__task *me = leat__current(w);

	if (leat__unlikely(me != s->owner || (leat__load_relaxed(&s->flags) & LEAT__S_SLOW)))
		return wait_slow(s, me);
	if (leat__likely(w != NULL && !w->rt->sim)) {
		run_inline(s, w);
		w = leat__self();
		if (all_here(s, w))
			return leat__scope_owner_waited(s);
	}
	leat__scope_wait(s, LEAT_FOREVER);
	return leat__scope_owner_waited(s);
}

int leat_group_wait_until(leat_group *group, int64_t deadline)
{
	struct leat__scope *s = leat__group_check(__func__, group);
	struct leat__task *me = leat__current(leat__self());

	if (deadline == LEAT_FOREVER)
		check_no_member(__func__, s, me);
	if (me != s->owner || (leat__load_relaxed(&s->flags) & LEAT__S_SLOW))
		return wait_in_line(s, me, deadline);
	if (leat__scope_wait(s, deadline) < 0)
		return -EAGAIN;
	return leat__scope_owner_waited(s);
}

/*
 * End, cancel, and what can be asked.
 */

/* Not in line: groups with options, and bad ones. */
static __attribute__((noinline)) void release_checked(leat_group *group, struct leat__scope *s)
{
	bool waited, alone;

	leat__lock_acquire(&s->lock, LEAT__RANK_SCOPE);
	waited = leat__scope_is_waited(s);
	alone = leat__list_is_empty(&s->others) && leat__list_is_empty(&s->spawners);
	leat__lock_release(&s->lock);
	if (leat__load_relaxed(&s->flags) & LEAT__S_ROOT)
		leat__misuse_at("leat_group_release", group, "the root group ends with leat_run; release only what leat_group_init made");
	if (!waited)
		leat__misuse_at("leat_group_release", group, "tasks of the group were not waited for and may still run; call leat_group_wait first");
	if (!alone)
		leat__misuse_at("leat_group_release", group, "a task is blocked in leat_group_wait or in a spawn; let it return first");
	if (!leat__list_is_empty(&s->children))
		leat__misuse_at("leat_group_release", group, "a group below it is still in use; release that one first");
	if (s->ext) {
		leat__results_fini(&s->ext->results);
		leat__deadline_end(s->ext);
	}
	leat__scope_fini(s);
}

void leat_group_release(leat_group *group)
{
	struct leat__scope *s = leat__group_check(__func__, group);
	const uint32_t rare = LEAT__S_SLOW | LEAT__S_ROOT | LEAT__S_OTHERS | LEAT__S_LISTED;

	if (leat__unlikely((leat__load_relaxed(&s->flags) & rare) || s->ext ||
			   !leat__scope_is_waited(s)))
		release_checked(group, s);
	else
		leat__scope_fini(s);
}

void leat_group_cancel(leat_group *group, int cause)
{
	leat__scope_cancel(leat__group_check(__func__, group), cause < 0 ? cause : -ECANCELED);
}

bool leat_group_is_cancelled(const leat_group *group)
{
	return leat__scope_is_canceled(leat__group_check(__func__, group));
}

int leat_group_error(const leat_group *group, const char **ret_task_name)
{
	const char *name;
	int error = leat__scope_error(leat__group_check(__func__, group), &name);

	if (ret_task_name)
		*ret_task_name = name;
	return error;
}

/* What the workers hold of s; it changes as tasks end. */
static int64_t credits_of(const struct leat__scope *s)
{
	struct leat__runtime *rt = leat__rt;
	int64_t sum = 0;

	for (int i = 0; rt && i < leat__nworkers(rt); i++)
		if (leat__load_acquire(&rt->worker[i]->credit_scope) == s)
			sum += leat__load_acquire(&rt->worker[i]->credits);
	return sum;
}

int64_t leat_group_live(const leat_group *group)
{
	struct leat__scope *s = leat__group_check(__func__, group);
	int64_t before, pending, live;
	int tries = 0;

	/* Whatever moves credits changes pending; so what did not see it change fits together. */
	pending = leat__load_acquire(&s->pending);
	do {
		before = pending;
		live = before / 2 - leat__load_acquire(&s->owner_credit) - credits_of(s);
		pending = leat__load_acquire(&s->pending);
	} while (pending != before && ++tries < 100);
	return live > 0 ? live : 0;
}

leat_group *leat_group_current(void)
{
	struct leat__worker *w = leat__self();

	return w && w->cur ? (leat_group *)w->cur->scope : leat_group_root();
}

leat_group *leat_group_root(void)
{
	if (!leat__rt)
		leat__misuse(NULL, "no runtime is running; call it inside leat_run or LEAT_MAIN");
	return (leat_group *)leat__rt->root;
}
