/*
 * A worker: picks tasks and runs them.
 *
 * Every pooled stack has a scheduler loop at its root.  A new task is called
 * from the loop, on the loop's stack; if it blocks, the stack stays with it, and
 * the worker goes on in another loop on another stack.  When a task that was
 * resumed ends, it returns into the loop at the root of its own stack, on
 * whichever worker runs it then.  So the loop keeps nothing in locals across a
 * task's run: it asks leat__self() again.
 *
 * A loop that resumes a task leaves its own stack for good: nothing on it
 * is alive.
 */
#include "rt/worker.h"

#include <sched.h>

#include "rt/idle.h"
#include "rt/park.h"
#include "rt/poll.h"
#include "rt/sim.h"
#include "rt/stack.h"
#include "rt/timer.h"

enum { SPINS_BEFORE_YIELD = 100 };

/* A pinned task that is ready. */
static struct leat__task *inbox_pop(struct leat__worker *w)
{
	struct leat__task *t;

	if (leat__likely(leat__load_relaxed(&w->inbox_len) == 0))
		return NULL;
	leat__lock_acquire(&w->inbox_lock, LEAT__RANK_QUEUE);
	t = w->inbox_first;
	if (t) {
		w->inbox_first = t->next;
		if (!t->next)
			w->inbox_last = NULL;
		leat__store_relaxed(&w->inbox_len, w->inbox_len - 1);
	}
	leat__lock_release(&w->inbox_lock);
	return t;
}

void leat__worker_timers(struct leat__worker *w)
{
	if (leat__load_relaxed(&w->wheel.count) == 0)
		return;
	w->clock = leat__time_now();
	if (leat__load_relaxed(&w->wheel.next) <= w->clock)
		leat__count(&w->counters.timers, leat__wheel_fire(&w->wheel, w->clock));
}

/* What must not starve behind a busy deque. */
static __attribute__((noinline)) struct leat__task *pick_rare(struct leat__worker *w)
{
	struct leat__task *t = NULL;

	leat__worker_timers(w);
	leat__poll_often(w);
	if (w->tick % LEAT__INJECTOR_TICK < LEAT__TIMER_TICK)
		t = leat__injector_pop(w->rt);
	return t ? t : inbox_pop(w);
}

/* The LIFO slot: what was made ready last runs next, but not for ever. */
static struct leat__task *pick_lifo(struct leat__worker *w)
{
	struct leat__task *t = leat__load_relaxed(&w->lifo);

	if (!t)
		return NULL;
	/* A thief may be quicker. */
	if (!leat__cas(&w->lifo, t, NULL))
		return NULL;
	if (LEAT__MUTANT(LIFO_FOR_EVER) || ++w->lifo_runs <= LEAT__LIFO_RUNS)
		return t;
	w->lifo_runs = 0;
	if (!leat__deque_push(&w->deque, t))
		return t;
	/* It was in neither for a moment: whoever looked then (I6) has missed it. */
	if (!LEAT__MUTANT(LIFO_MOVES_UNNOTICED))
		leat__notify(w);
	return NULL;
}

struct leat__task *leat__pick(struct leat__worker *w)
{
	struct leat__task *t;

	if (leat__unlikely(w->simulated))
		return leat__sim_pick(w);
	if (leat__unlikely(++w->tick % LEAT__TIMER_TICK == 0) && !LEAT__MUTANT(PICK_NO_TICK)) {
		t = pick_rare(w);
		if (t)
			return t;
	}
	t = pick_lifo(w);
	if (t)
		return t;
	t = leat__deque_take(&w->deque);
	if (leat__likely(t != NULL)) {
		w->lifo_runs = 0;
		return t;
	}
	t = inbox_pop(w);
	return t ? t : leat__injector_take(w);
}

void leat__push_overflow(struct leat__worker *w, struct leat__task *t)
{
	struct leat__task *first = NULL, *last = NULL;
	uint32_t n = 0;

	while (n < LEAT__DEQUE_CAP / 2) {
		struct leat__task *x = leat__deque_take(&w->deque);

		if (!x)
			break;
		x->next = NULL;
		if (last)
			last->next = x;
		else
			first = x;
		last = x;
		n++;
	}
	t->next = NULL;
	if (last)
		last->next = t;
	else
		first = t;
	leat__injector_push(w->rt, first, t, n + 1);
}

/* From the loop to a task that has a stack; the loop's stack is free again. */
static void resume(struct leat__worker *w, struct leat__task *t)
{
	struct leat__stack *loop = w->stack;
	unsigned spins = 0;
	void *sp;

	/*
	 * Acquire: pairs with C1.  Nothing of ours is unsaved, so waiting is safe.  The
	 * worker that saves t may have been preempted.
	 */
	while ((sp = leat__load_acquire(&t->sp)) == NULL) {
		leat__cpu_pause();
		if (++spins % SPINS_BEFORE_YIELD == 0)
			sched_yield();
	}
	if (!LEAT__MUTANT(RESUME_LEAVES_SP))
		leat__store_relaxed(&t->sp, NULL);
	leat__store_relaxed(&t->state, LEAT__RUNNING);
	w->cur = t;
	w->stack = t->stack;
	w->budget = w->quantum;
	leat__count(&w->counters.switches, 1);
	if (loop == &w->native) {
		leat__switch(&w->native_sp, sp, loop, t->stack);
		return;
	}
	leat__stack_put(w, loop);
	leat__switch(&w->scratch_sp, sp, loop, t->stack);
}

void leat__run_new(struct leat__worker *w, struct leat__task *t)
{
	struct leat__stack *s = w->stack;
	int r;

	t->stack = s;
	leat__store_relaxed(&t->state, LEAT__RUNNING);
	w->cur = t;
	r = t->type->run(leat__args(t));
	leat__check_fork("the end of a task", t);
	leat__stack_check(s, t);
	w = leat__self();
	if (leat__unlikely(t->flags & LEAT__T_FORK))
		leat__fork_ended(w, t, r);
	else
		leat__task_end(w, t, r);
}

/* The scheduler loop.  Returns only to stop, or when no stack is left. */
static void loop(void)
{
	for (;;) {
		struct leat__worker *w = leat__self();
		struct leat__task *t = w->handoff;

		w->cur = NULL;
		w->handoff = NULL;
		if (leat__unlikely(w->dead_stack != NULL)) {
			leat__stack_free_large(w->dead_stack);
			w->dead_stack = NULL;
		}
		if (!t)
			t = leat__pick(w);
		if (!t)
			t = leat__find_work(w);
		if (leat__unlikely(!t))
			return;
		if (t->scope != w->credit_scope)
			leat__scope_flush(w); /* N1 */
		if (t->stack) {
			resume(w, t);
		} else {
			w->budget = w->quantum;
			leat__run_new(w, t);
		}
	}
}

/*
 * The first thing on a stack.  ASan says where we came from: at a worker's
 * first switch that is the thread's own stack, whose bounds only ASan knows.
 */
static void entered(void)
{
#ifdef LEAT__ASAN
	struct leat__stack *native = &leat__self()->native;
	const void *low;
	size_t size;

	__sanitizer_finish_switch_fiber(NULL, &low, &size);
	if (native->native_size == 0) {
		native->low = (char *)(uintptr_t)low;
		native->native_size = size;
	}
#endif
}

void leat__loop_entry(void)
{
	struct leat__worker *w;

	entered();
	loop();
	w = leat__self();
	leat__stack_put(w, w->stack);
	{
		struct leat__stack *s = w->stack;

		w->stack = &w->native;
		leat__switch(&w->scratch_sp, w->native_sp, s, &w->native);
	}
	LEAT_CHECK(false);
}

/* The root of a stack that was made for one task. */
void leat__own_stack_entry(void)
{
	struct leat__worker *w = leat__self();
	struct leat__task *t = w->cur;
	struct leat__stack *s;
	int r;

	entered();
	r = t->type->run(leat__args(t));
	leat__check_fork("the end of a task", t);
	w = leat__self();
	w->dead_stack = t->stack;
	leat__task_end(w, t, r);
	w = leat__self();
	w->cur = NULL;
	s = leat__stack_get(w);
	if (!s) {
		s = w->reserve;
		w->reserve = NULL;
	}
	if (s) {
		w->stack = s;
		leat__switch(&w->scratch_sp, leat__loop_context(s), w->dead_stack, s);
	}
	w->stack = &w->native;
	leat__switch(&w->scratch_sp, w->native_sp, w->dead_stack, &w->native);
	LEAT_CHECK(false);
}

/* On the thread's own stack, when there is no other: only resumes tasks. */
static struct leat__stack *wait_for_stack(struct leat__worker *w)
{
	uint32_t never = 0;

	while (!leat__load_relaxed(&w->rt->stopping)) {
		struct leat__task *t = w->handoff ? w->handoff : leat__pick(w);
		struct leat__stack *s;

		w->handoff = NULL;
		if (t && t->stack) {
			leat__scope_flush(w);
			resume(w, t);
			continue; /* a task of ours has come back here */
		}
		s = leat__stack_get(w);
		if (s) {
			w->handoff = t;
			return s;
		}
		leat__scope_flush(w); /* N1 */
		if (t) {
			leat__injector_push(w->rt, t, t, 1);
			leat__wake_for_injector(w->rt);
		} else {
			leat__worker_timers(w);
		}
		leat__futex_wait(&never, 0, leat__clock() + LEAT_MS);
	}
	return NULL;
}

void leat__worker_main(struct leat__worker *w)
{
	struct leat__stack *s = w->reserve;

	leat__self_set(w);
	w->timer_slack = leat__timer_slack_fine();
	w->stack = &w->native;
#ifdef LEAT__TSAN
	w->native.fiber = __tsan_get_current_fiber();
#endif
	w->reserve = NULL;
	while (s) {
		w->stack = s;
		leat__switch(&w->native_sp, leat__loop_context(s), &w->native, s);
		s = wait_for_stack(w);
	}
	leat__timer_slack_restore(w->timer_slack);
	leat__self_set(NULL);
}
