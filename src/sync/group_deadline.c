/*
 * A group's deadline: a timer that makes a task ready, which cancels the group.
 *
 * The timer's fire runs under the wheel's lock and may not cancel by itself.  The
 * task's record is made with the group, so that nothing can fail later.  It
 * belongs to the root group, but is counted there only when it is ready: a
 * deadline that lies ahead keeps nobody from ending.
 *
 *	fire	D1 refs += 1, count the task, make it ready
 *	task	D2 state SET -> CANCELING: cancel, then state = CANCELED; refs -= 1
 *	release	D3 unset the timer; it was still set: the task never runs
 *		D4 else state SET -> RELEASED, or wait for the end of the cancel
 *		   (it does not block); refs -= 1
 * The group's memory is used by the task only between the two steps of D2.
 */
#include "rt/idle.h"
#include "rt/timer.h"
#include "sync/group.h"

enum { SET = 0, CANCELING, CANCELED, RELEASED };

static void unref(struct leat__group_ext *ext)
{
	if (leat__fetch_sub(&ext->deadline.refs, 1) == 1)
		leat__free(ext, sizeof(*ext));
}

static int deadline_run(void *args)
{
	struct leat__group_ext *ext = *(struct leat__group_ext **)args;
	struct leat__deadline *d = &ext->deadline;
	struct leat__worker *w = leat__self();

	leat__count(&w->counters.spawned, 1);	/* its end will be counted */
	if (leat__cas(&d->state, SET, CANCELING)) {		/* D2 */
		leat__scope_cancel(d->scope, -ETIMEDOUT);
		/* Release: pairs with the acquire of D4. */
		leat__store_release(&d->state, CANCELED);
	}
	unref(ext);
	return 0;
}

static const leat_task_type deadline_type = { "group deadline", deadline_run, sizeof(void *) };

static struct leat__task *deadline_fire(struct leat__timer *timer)
{
	struct leat__deadline *d = leat__container_of(timer, struct leat__deadline, timer);

	leat__fetch_add(&d->refs, 1);				/* D1 */
	leat__fetch_add(&leat__rt->root->pending, 2);
	return d->task;
}

int leat__deadline_set(struct leat__scope *s, int64_t when)
{
	struct leat__group_ext *ext = s->ext;
	struct leat__deadline *d = &ext->deadline;
	struct leat__worker *w = leat__self();
	struct leat__task *t = leat__task_alloc(w, deadline_type.args_size);

	if (!t)
		return -ENOMEM;
	*(struct leat__group_ext **)leat__args(t) = ext;
	t->scope = leat__rt->root;
	t->type = &deadline_type;
	t->id = leat__task_new_id(w);
	t->flags = LEAT__T_WAIT;
	t->wait_since = leat__time_now();
	leat__store_relaxed(&t->why, LEAT__WHY_DEADLINE);
	leat__store_relaxed(&t->state, LEAT__WAITING);
	d->scope = s;
	d->task = t;
	d->timer.deadline = when;
	d->timer.fire = deadline_fire;
	leat__timer_set(w ? &w->wheel : &leat__rt->worker[0]->wheel, &d->timer);
	leat__notify_timer(w);
	return 0;
}

void leat__deadline_end(struct leat__group_ext *ext)
{
	struct leat__deadline *d = &ext->deadline;

	if (d->task && leat__timer_unset(&d->timer)) {		/* D3 */
		leat__task_free(leat__self(), d->task);
	} else if (d->task && !leat__cas(&d->state, SET, RELEASED)) { /* D4 */
		while (leat__load_acquire(&d->state) == CANCELING)
			leat__cpu_pause();
	}
	unref(ext);
}
