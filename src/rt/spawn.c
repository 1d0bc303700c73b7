#include "rt/spawn.h"

#include <errno.h>
#include <string.h>

#include "rt/idle.h"
#include "rt/park.h"
#include "rt/stack.h"
#include "rt/timer.h"
#include "rt/worker.h"

int (*leat__group_admit)(struct leat__scope *s, const leat_task_options *options,
			 uint32_t *ret_result_index);

static struct leat__scope *scope_or_root(const char *function, leat_group *group)
{
	leat__check_fork("leat_go", group);
	if (group)
		return leat__scope_of(group);
	if (!leat__rt)
		leat__misuse_at(function, NULL, "no runtime is running; call it inside leat_run or LEAT_MAIN");
	return leat__rt->root;
}

/* An error that nobody may look at still arrives: as the group's. */
static int refuse(struct leat__worker *w, struct leat__scope *s, const leat_task_type *type)
{
	if (w)
		leat__count(&w->counters.refused, 1);
	if (leat__scope_set_error(s, -ENOMEM, type->name) &&
	    !(leat__load_relaxed(&s->flags) & LEAT__S_ISOLATE))
		leat__scope_cancel(s, -ENOMEM);
	return -ENOMEM;
}

/* Takes back the count of a task that could not be made. */
static void uncount(struct leat__scope *s, struct leat__task *t)
{
	struct leat__worker *w = leat__self();

	if (leat__load_relaxed(&s->flags) & LEAT__S_SLOW)
		leat__group_task_ended(s, t, -ENOMEM);
	else if (w && s->owner == w->cur)
		leat__store_relaxed(&s->owner_credit, s->owner_credit + 1);
	else
		leat__scope_end(s, 1);
}

/* A stack, a pin, a name: what the options ask for. */
static int apply_options(struct leat__task *t, const leat_task_options *options)
{
	struct leat__worker *w = leat__self();
	struct leat__ext *ext;

	if (options->name || options->pinned) {
		ext = leat__task_ext(t);
		if (!ext)
			return -ENOMEM;
		ext->name = options->name;
		if (options->pinned) {
			ext->pin = w ? w->index : 0;
			t->flags |= LEAT__T_PINNED;
		}
	}
	if (options->stack_size > LEAT__STACK_SIZE) {
		t->stack = leat__stack_make_large(options->stack_size);
		if (!t->stack)
			return -ENOMEM;
		t->flags |= LEAT__T_OWN_STACK;
		t->sp = leat__ctx_make(leat__stack_top(t->stack), leat__own_stack_entry);
	}
	return 0;
}

static void fill(struct leat__worker *w, struct leat__task *t, struct leat__scope *s,
		 const leat_task_type *type)
{
	t->scope = s;
	t->type = type;
	t->id = leat__task_new_id(w);
	leat__store_relaxed(&t->state, LEAT__READY);
}

static void discard(struct leat__task *t)
{
	if (t->flags & LEAT__T_EXT)
		leat__free(t->ext, sizeof(*t->ext));
	t->flags = 0;
	leat__task_free(leat__self(), t);
}

/* From outside a worker, with options, or into a slow scope. */
static __attribute__((noinline)) int spawn_slow(struct leat__scope *s, const leat_task_type *type,
						const void *args, const leat_task_options *options)
{
	struct leat__worker *w = leat__self();
	struct leat__task *t;
	uint32_t result_index = 0;
	int r = 0;

	if (type->args_size > LEAT_ARGS_MAX)
		leat__misuse(type, "task '%s' has %zu bytes of arguments, more than LEAT_ARGS_MAX; pass a pointer",
			     type->name, type->args_size);
	if (leat__load_relaxed(&s->flags) & LEAT__S_SLOW) {
		r = leat__group_admit(s, options, &result_index); /* may block */
		if (r < 0)
			return r;
		w = leat__self();
	} else {
		leat__scope_count(w, s);
	}
	t = leat__load_relaxed(&leat__rt->memory_low) ? NULL : leat__task_alloc(w, type->args_size);
	if (t) {
		fill(w, t, s, type);
		t->result_index = result_index;
		if (options)
			r = apply_options(t, options);
	}
	if (!t || r < 0) {
		struct leat__task none = { .result_index = result_index, .type = type, .scope = s };

		if (t)
			discard(t);
		uncount(s, &none);
		return refuse(w, s, type);
	}
	if (type->args_size > 0)
		memcpy(leat__args(t), args, type->args_size);
	if (w)
		leat__count(&w->counters.spawned, 1);
	leat__ready_fifo(t);
	return 0;
}

int leat_spawn(leat_group *group, const leat_task_type *type, const void *args,
	       const leat_task_options *options)
{
	struct leat__scope *s = scope_or_root(__func__, group);
	struct leat__worker *w = leat__self();
	struct leat__task *t;

	if (leat__likely(w != NULL)) {
		w = leat__budget(w);
	}
	if (leat__unlikely(leat__scope_is_canceled(s)))
		return -ECANCELED;
	if (leat__unlikely(!w || options || (leat__load_relaxed(&s->flags) & LEAT__S_SLOW) ||
			   leat__load_relaxed(&w->rt->memory_low)))
		return spawn_slow(s, type, args, options);
	t = leat__task_alloc(w, type->args_size);
	if (leat__unlikely(!t))
		return refuse(w, s, type);
	leat__scope_count(w, s);
	fill(w, t, s, type);
	if (type->args_size > 0)
		memcpy(leat__args(t), args, type->args_size);
	leat__count(&w->counters.spawned, 1);
	if (leat__unlikely(!leat__deque_push(&w->deque, t)))
		leat__push_overflow(w, t);
	leat__notify(w);
	return 0;
}

struct leat__task *leat__wait_create(struct leat__scope *s, const leat_task_type *type,
				     size_t extra, enum leat__why why, int *ret_error)
{
	struct leat__worker *w = leat__self();
	struct leat__task *t;
	uint32_t result_index = 0;

	*ret_error = 0;
	if (leat__scope_is_canceled(s))
		*ret_error = -ECANCELED;
	else if (leat__load_relaxed(&s->flags) & LEAT__S_SLOW)
		*ret_error = leat__group_admit(s, NULL, &result_index);
	else
		leat__scope_count(w, s);
	if (*ret_error < 0)
		return NULL;
	w = leat__self();
	t = leat__load_relaxed(&leat__rt->memory_low) ? NULL : leat__task_alloc_wait(w, extra);
	if (!t) {
		struct leat__task none = { .result_index = result_index, .type = type, .scope = s };

		uncount(s, &none);
		*ret_error = refuse(w, s, type);
		return NULL;
	}
	fill(w, t, s, type);
	t->result_index = result_index;
	t->flags = LEAT__T_WAIT;
	leat__store_relaxed(&t->state, LEAT__WAITING);
	leat__store_relaxed(&t->why, why);
	t->wait_since = w ? w->clock : leat__clock();
	leat__scope_link(t);	/* K4 */
	if (w)
		leat__count(&w->counters.spawned, 1);
	return t;
}

bool leat__wait_arm(struct leat__task *t)
{
	leat__store_relaxed(&t->claim, LEAT__CLAIM_CANCELABLE);
	leat__fence_light();	/* K5: pairs with K2 */
	return leat__unlikely(leat__scope_is_canceled(t->scope)) &&
	       !LEAT__MUTANT(WAIT_NO_RECHECK) &&
	       leat__cas(&t->claim, LEAT__CLAIM_CANCELABLE, LEAT__CLAIM_CANCELED);
}

/* leat_after: a timer and a call. */
struct after {
	struct leat__timer timer;
	int (*fn)(void *arg);
	void *arg;
};

static struct leat__task *after_fire(struct leat__timer *timer)
{
	struct leat__task *t = leat__task_of_args(timer);

	return leat__claim(t, LEAT__CLAIM_DONE) ? t : NULL;
}

static int after_run(void *args)
{
	struct after *a = args;
	struct leat__task *t = leat__self()->cur;

	if (leat__load_acquire(&t->claim) == LEAT__CLAIM_CANCELED) {
		leat__timer_unset(&a->timer);
		return -ECANCELED; /* fn has not run: no success, and no result */
	}
	return a->fn(a->arg);
}

static const leat_task_type after_type = { "leat_after", after_run, sizeof(struct after) };

int leat_after(leat_group *group, int64_t when, int (*fn)(void *arg), void *arg)
{
	struct leat__worker *w;
	struct leat__task *t;
	struct after *a;
	int r;

	if (leat__unlikely(!fn))
		leat__misuse(group, "fn is NULL; give it the function to run");
	t = leat__wait_create(scope_or_root(__func__, group), &after_type, sizeof(*a),
			      LEAT__WHY_AFTER, &r);
	if (!t)
		return r;
	a = leat__args(t);
	a->timer.deadline = when;
	a->timer.fire = after_fire;
	a->fn = fn;
	a->arg = arg;
	w = leat__self();
	if (leat__timer_set_wait(w ? &w->wheel : &leat__rt->worker[0]->wheel, &a->timer, t))
		leat__ready_fifo(t);
	leat__notify_timer(w);
	return 0;
}
