/*
 * Fork-join with the record on the caller's stack.
 *
 *	F1 fork: the record goes to the bottom of the worker's deque
 *	F2 join: pop the bottom.  It is the record, and has no stack: nobody took it; call it
 *	   here, as part of the joining task
 *	F3 else it was stolen, or this worker's scheduler took it (it may lie there again, ready
 *	   after a wait, and then has a stack): done 0 -> WAITING and park, unless it is DONE
 *	F4 the child ends: done -> DONE; it was WAITING: claim and ready the parent
 * The forks that a task has not joined are a stack, last_fork and down by below, so
 * that a join in another order is seen.
 * After F4's exchange the child touches the record only if the parent waits.
 */
#include <errno.h>

#include "rt/idle.h"
#include "rt/park.h"
#include "rt/worker.h"

enum { RUNNING = 0, WAITING, DONE, NOT_PUSHED };

struct leat__fork {
	union {
		struct leat__task task;
		char room[sizeof(struct leat__task) + LEAT_FORK_ARGS_MAX];
	} u;
	uint32_t done;		/* (a) */
	int result;		/* written before F4 */
	struct leat__task *parent; /* (c) */
	struct leat__fork *below; /* (c) the fork before it */
};
_Static_assert(sizeof(struct leat__fork) <= sizeof(leat_forked), "leat_forked is too small");

void *leat__fork_args(leat_forked *forked)
{
	return leat__args(&((struct leat__fork *)forked)->u.task);
}

void leat__fork_push(leat_forked *forked, const leat_task_type *type)
{
	struct leat__fork *f = (struct leat__fork *)forked;
	struct leat__worker *w = leat__self();
	struct leat__task *t = &f->u.task;

	if (leat__unlikely(!w)) {
		leat__check_fork("leat_fork", forked);
		leat__misuse_at("leat_fork", forked, "called outside a task; call it inside leat_run");
	}
	t->sp = NULL;
	t->claim = LEAT__CLAIM_IDLE;
	t->flags = LEAT__T_FORK;
	t->scope = w->cur->scope;
	t->type = type;
	t->stack = NULL;
	t->id = w->cur->id; /* whoever runs it, it is part of the task */
	t->shield = w->cur->shield;
	t->no_park = 0;
	t->is_member = 0;
	t->result_index = w->cur->result_index; /* the child is part of the task */
	f->parent = w->cur;
	f->below = w->cur->last_fork;
	w->cur->last_fork = f;
	leat__store_relaxed(&f->done, RUNNING);
	if (leat__unlikely(!leat__deque_push(&w->deque, t))) { /* F1 */
		leat__store_relaxed(&f->done, NOT_PUSHED);
		return;
	}
	leat__notify(w);
}

static int join_slow(struct leat__fork *f, struct leat__worker *w, struct leat__task *popped)
{
	struct leat__task *me = w->cur;

	/* Something was queued after the fork: put it back. */
	if (popped)
		leat__put_back(w, popped);
	leat__arm(me, false);
	if (leat__cas(&f->done, RUNNING, WAITING) ||	/* F3 */
	    LEAT__MUTANT(JOIN_NO_RECHECK))
		leat__park(me, LEAT__WHY_JOIN, f, LEAT_FOREVER);
	else
		leat__store_relaxed(&me->claim, LEAT__CLAIM_IDLE);
	return f->result;
}

static __attribute__((noreturn, cold)) void bad_join(struct leat__worker *w, struct leat__fork *f)
{
	if (!w)
		leat__check_fork("leat_join", f);
	if (!w)
		leat__misuse_at("leat_join", f, "called outside a task; join in the task that called leat_fork");
	if (!f)
		leat__misuse_at("leat_join", f, "the record is NULL; pass what was passed to leat_fork");
	if (f->parent != w->cur)
		leat__misuse_at("leat_join", f, "joined by another task than the one that forked it; join in the task that called leat_fork");
	leat__misuse_at("leat_join", f, "joined twice, or not in reverse order; join first what was forked last");
}

int leat_join(leat_forked *forked)
{
	struct leat__fork *f = (struct leat__fork *)forked;
	struct leat__worker *w = leat__self();
	struct leat__task *t;

	if (leat__unlikely(!w || !f || w->cur->last_fork != f))
		bad_join(w, f);
	w->cur->last_fork = f->below;
	if (leat__unlikely(leat__load_relaxed(&f->done) == NOT_PUSHED))
		return f->u.task.type->run(leat__args(&f->u.task));
	t = leat__deque_pop(&w->deque);				/* F2 */
	if (leat__likely(t == &f->u.task && !t->stack))
		return t->type->run(leat__args(t));
	return join_slow(f, w, t);
}

void leat__fork_ended(struct leat__worker *w, struct leat__task *t, int r)
{
	struct leat__fork *f = (struct leat__fork *)t;
	struct leat__task *parent = f->parent;

	(void)w;
	if (t->is_member)
		leat__scope_unlink(t);
	f->result = r;
	if (leat__exchange(&f->done, DONE) != WAITING)	/* F4 */
		return;
	if (leat__claim(parent, LEAT__CLAIM_DONE))
		leat__ready(parent);
}
