#include "rt/park.h"

#include <sched.h>

#include "rt/idle.h"
#include "rt/sim.h"
#include "rt/stack.h"
#include "rt/timer.h"

const char *const leat__why_name[] = {
	[LEAT__WHY_NONE] = "nothing",
	[LEAT__WHY_SEND] = "channel send",
	[LEAT__WHY_RECV] = "channel receive",
	[LEAT__WHY_SELECT] = "select",
	[LEAT__WHY_SLEEP] = "sleep",
	[LEAT__WHY_GROUP] = "group wait",
	[LEAT__WHY_JOIN] = "join",
	[LEAT__WHY_LIMIT] = "group limit",
	[LEAT__WHY_SEM] = "semaphore",
	[LEAT__WHY_MUTEX] = "mutex",
	[LEAT__WHY_COND] = "condition",
	[LEAT__WHY_ONCE] = "once",
	[LEAT__WHY_WAITGROUP] = "wait-group",
	[LEAT__WHY_BARRIER] = "barrier",
	[LEAT__WHY_AFTER] = "timer",
	[LEAT__WHY_ON_RECV] = "channel receive (no stack)",
	[LEAT__WHY_ON_ACQUIRE] = "semaphore (no stack)",
	[LEAT__WHY_DEADLINE] = "group deadline",
	[LEAT__WHY_READ] = "read",
	[LEAT__WHY_WRITE] = "write",
	[LEAT__WHY_BLOCKING] = "blocking call",
};

/* The calls that block so, for messages. */
static const char *const call_name[] = {
	[LEAT__WHY_NONE] = "a call",
	[LEAT__WHY_SEND] = "leat_send",
	[LEAT__WHY_RECV] = "leat_recv",
	[LEAT__WHY_SELECT] = "leat_select",
	[LEAT__WHY_SLEEP] = "leat_sleep",
	[LEAT__WHY_GROUP] = "leat_group_wait",
	[LEAT__WHY_JOIN] = "leat_join",
	[LEAT__WHY_LIMIT] = "leat_go",
	[LEAT__WHY_SEM] = "leat_sem_acquire",
	[LEAT__WHY_MUTEX] = "leat_mutex_lock",
	[LEAT__WHY_COND] = "leat_cond_wait",
	[LEAT__WHY_ONCE] = "leat_once_do",
	[LEAT__WHY_WAITGROUP] = "leat_waitgroup_wait",
	[LEAT__WHY_BARRIER] = "leat_barrier_wait",
	[LEAT__WHY_READ] = "a read",
	[LEAT__WHY_WRITE] = "a write",
	[LEAT__WHY_BLOCKING] = "leat_blocking",
};

/* A deadline of a parked task: on its stack. */
struct park_timer {
	struct leat__timer timer;
	struct leat__task *task;
};

static struct leat__task *time_out(struct leat__timer *timer)
{
	struct leat__task *t = leat__container_of(timer, struct park_timer, timer)->task;

	return leat__claim(t, LEAT__CLAIM_TIMEOUT) ? t : NULL;
}

/*
 * The jump, with what the sanitizers must know.  One function, so that the
 * return address on every saved stack is the same and is predicted.
 */
__attribute__((noinline)) void leat__switch(void **save_sp, void *to_sp, struct leat__stack *from,
					    struct leat__stack *to)
{
#ifdef LEAT__ASAN
	/* A context that never comes back gives its fake stack up. */
	bool dies = save_sp == &leat__self()->scratch_sp;
	size_t size = to->native_size ? to->native_size : (size_t)((char *)to - to->low);

	__sanitizer_start_switch_fiber(dies ? NULL : &from->fake_stack, to->low, size);
#endif
#ifdef LEAT__TSAN
	if (!to->fiber)
		to->fiber = __tsan_create_fiber(0);
	__tsan_switch_to_fiber(to->fiber, 0);
#endif
	leat__check_drain(); /* C1 is no store of base/atomic.h */
	leat__ctx_jump(save_sp, to_sp);
#ifdef LEAT__ASAN
	__sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
	(void)from;
	(void)to;
}

void *leat__loop_context(struct leat__stack *s)
{
#ifdef LEAT__ASAN
	__asan_unpoison_memory_region(s->low, (size_t)((char *)s - s->low));
#endif
	return leat__ctx_make(leat__stack_top(s), leat__loop_entry);
}

/* P4, P5: runs something else until t is ready. */
static inline void switch_away(struct leat__worker *w, struct leat__task *t)
{
	struct leat__task *n = leat__pick(w);
	struct leat__stack *s;
	void *sp;

	if (n == t)
		return;
	leat__count(&w->counters.switches, 1);
	/* Acquire: pairs with C1; the context is complete. */
	if (n && (sp = leat__load_acquire(&n->sp)) != NULL) {
		if (n->scope != w->credit_scope)
			leat__scope_flush(w); /* N1 */
		leat__store_relaxed(&n->sp, NULL);
		leat__store_relaxed(&n->state, LEAT__RUNNING);
		w->cur = n;
		w->stack = n->stack;
		w->budget = w->quantum;
		leat__switch(&t->sp, sp, t->stack, n->stack);
		return;
	}
	if (LEAT__MUTANT(PARK_WAITS_UNSAVED))
		while (n && n->stack && leat__load_acquire(&n->sp) == NULL)
			leat__cpu_pause();
	/* P5': nothing to do, a new task, or an unsaved one: a scheduler loop takes over. */
	w->handoff = n;
	w->cur = NULL;
	s = leat__stack_get(w);
	if (leat__unlikely(!s)) {
		s = w->reserve;
		w->reserve = NULL;
	}
	if (leat__unlikely(!s)) {
		/* The last resort: the thread's own stack, which only resumes tasks. */
		w->stack = &w->native;
		leat__switch(&t->sp, w->native_sp, t->stack, &w->native);
		return;
	}
	w->stack = s;
	leat__switch(&t->sp, leat__loop_context(s), t->stack, s);
}

/*
 * A thread that waits for ever counts as attached no more; who makes it ready
 * counts it again, so that nobody sees a deadlock before it runs.  With a deadline it
 * comes back by itself and stays counted.
 */
static void foreign_block(struct leat__task *t, int64_t deadline)
{
	struct leat__thread *thread = leat__container_of(t, struct leat__thread, task);
	struct leat__runtime *rt = leat__rt;

	if (deadline == LEAT_FOREVER && leat__fetch_sub(&rt->attached, 1) == 1)
		leat__wake_for_injector(rt); /* a worker may now see a deadlock */
	while (leat__load_acquire(&thread->futex) == 0) {
		if (deadline != LEAT_FOREVER && leat__time_now() >= deadline &&
		    leat__claim(t, LEAT__CLAIM_TIMEOUT))
			return;
		/* Virtual time is not the kernel's: look now and then. */
		leat__futex_wait(&thread->futex, 0,
				 rt->sim && deadline != LEAT_FOREVER ? leat__clock() + LEAT_MS
								     : deadline);
	}
	if (deadline != LEAT_FOREVER)
		leat__fetch_sub(&rt->attached, 1); /* counted twice */
	leat__store_relaxed(&thread->futex, 0);
}

/* K4-K6.  True: we were cancelled, and did the claim ourselves. */
static bool canceled_meanwhile(struct leat__task *t)
{
	bool early = LEAT__MUTANT(PARK_LOOKS_BEFORE_LINK) && !leat__scope_is_canceled(t->scope);

	if (!t->is_member)
		leat__scope_link(t); /* K4 */
	leat__fence_light(); /* K5: pairs with K2 */
	if (LEAT__MUTANT(PARK_NO_RECHECK) || early ||
	    leat__likely(!leat__scope_is_canceled(t->scope)))
		return false;
	return leat__cas(&t->claim, LEAT__CLAIM_CANCELABLE, LEAT__CLAIM_CANCELED);
}

/* What leat__park returns: how the wait ended. */
static inline int outcome(struct leat__task *t)
{
	/* Acquire: pairs with the claim's CAS; what the winner wrote before is ours. */
	uint32_t claim = leat__load_acquire(&t->claim);

	leat__store_relaxed(&t->claim, LEAT__CLAIM_IDLE);
	leat__store_relaxed(&t->state, LEAT__RUNNING);
	if (leat__likely(claim >= LEAT__CLAIM_DONE))
		return (int)(claim - LEAT__CLAIM_DONE);
	return claim == LEAT__CLAIM_TIMEOUT ? -ETIMEDOUT : -ECANCELED;
}

/* The parks that are not the common one: of a thread, or with a deadline. */
static __attribute__((noinline)) int park_slow(struct leat__worker *w, struct leat__task *t,
					       enum leat__why why, const void *object,
					       int64_t deadline)
{
	struct park_timer timeout = { .task = t };

	if (!w) {
		t->stack->wait_since = leat__clock();
		foreign_block(t, deadline);
		return outcome(t);
	}
	if (t->no_park > 0)
		leat__misuse_at(call_name[why], object,
				"task '%s' would block in a no-park scope (%s); use a try_ call, or move the call behind leat_no_park_end",
				leat__task_name_of(t), leat__why_name[why]);
	if (deadline == LEAT_FOREVER) {
		switch_away(w, t);
		return outcome(t);
	}
	/* It is over: nobody else runs meanwhile, for who knows how long.  Unless claimed. */
	if (deadline <= w->clock && leat__claim(t, LEAT__CLAIM_TIMEOUT))
		return outcome(t);
	timeout.timer.deadline = deadline;
	timeout.timer.fire = time_out;
	leat__timer_set(&w->wheel, &timeout.timer);
	switch_away(w, t);
	if (!LEAT__MUTANT(PARK_LEAVES_TIMER))
		leat__timer_unset(&timeout.timer);		/* P6 */
	return outcome(t);
}

int leat__park(struct leat__task *t, enum leat__why why, const void *object, int64_t deadline)
{
	struct leat__worker *w = leat__self();

	leat__store_relaxed(&t->why, why);
	t->stack->task = t;
	t->stack->wait_object = object;
	leat__store_relaxed(&t->state, LEAT__PARKED);
	if (leat__likely(w != NULL)) {
		t->stack->wait_since = w->clock;
		leat__count(&w->counters.parked, 1);
		if (leat__load_relaxed(&t->claim) == LEAT__CLAIM_CANCELABLE &&
		    canceled_meanwhile(t))
			return outcome(t);
	}
	if (leat__unlikely(!w || deadline != LEAT_FOREVER || t->no_park > 0))
		return park_slow(w, t, why, object, deadline);
	switch_away(w, t);
	return outcome(t);
}

/*
 * Threads outside that make a task ready.  With that task everything may end: leat_run
 * waits here, before it frees what such a thread still uses.
 */
static uint32_t pushing;

void leat__park_fini(void)
{
	/* Acquire: pairs with the end of leat__ready_elsewhere. */
	while (leat__load_acquire(&pushing) > 0) {
		leat__cpu_pause();
		sched_yield();
	}
}

static void ready_elsewhere(struct leat__runtime *rt, struct leat__task *t)
{
	if (t->flags & LEAT__T_FOREIGN) {
		struct leat__thread *thread = leat__container_of(t, struct leat__thread, task);

		leat__fetch_add(&rt->attached, 1); /* see foreign_block */
		leat__store_release(&thread->futex, 1);
		leat__futex_wake(&thread->futex, 1);
	} else if (t->flags & LEAT__T_PINNED) {
		struct leat__worker *w = rt->worker[t->ext->pin];

		leat__lock_acquire(&w->inbox_lock, LEAT__RANK_QUEUE);
		t->next = NULL;
		if (w->inbox_last)
			w->inbox_last->next = t;
		else
			w->inbox_first = t;
		w->inbox_last = t;
		leat__store_relaxed(&w->inbox_len, w->inbox_len + 1);
		leat__lock_release(&w->inbox_lock);
		leat__wake_worker(w);
	} else {
		leat__injector_push(rt, t, t, 1);
		leat__wake_for_injector(rt);
	}
}

void leat__ready_elsewhere(struct leat__task *t)
{
	if (leat__self()) {
		ready_elsewhere(leat__rt, t);
		return;
	}
	leat__fetch_add(&pushing, 1);
	ready_elsewhere(leat__rt, t);
	leat__fetch_sub(&pushing, 1);
}

void leat__ready_fifo(struct leat__task *t)
{
	struct leat__worker *w = leat__self();

	leat__store_relaxed(&t->state, LEAT__READY);
	if (leat__unlikely(!w || (t->flags & (LEAT__T_FOREIGN | LEAT__T_PINNED)))) {
		leat__ready_elsewhere(t);
		return;
	}
	if (leat__unlikely(!leat__deque_push(&w->deque, t)))
		leat__push_overflow(w, t);
	leat__notify(w);
}

void leat__put_back(struct leat__worker *w, struct leat__task *t)
{
	if (leat__unlikely(!leat__deque_push(&w->deque, t)))
		leat__push_overflow(w, t);
	/* Who has looked before it sleeps (I6) may have missed t, and what is below it. */
	if (!LEAT__MUTANT(PUT_BACK_UNNOTICED))
		leat__notify(w);
}

/* W3 for one of a batch.  False: the worker's deque is full. */
static bool ready_one_of(struct leat__worker *w, struct leat__task *t)
{
	leat__store_relaxed(&t->state, LEAT__READY);
	if (leat__unlikely(!w || (t->flags & (LEAT__T_FOREIGN | LEAT__T_PINNED)))) {
		leat__ready_elsewhere(t);
		return true;
	}
	return leat__deque_push(&w->deque, t);
}

/* What did not fit into the deque, as one chain; a pinned task among them is not for it. */
static void ready_rest(struct leat__worker *w, struct leat__task *t)
{
	struct leat__wake rest = { NULL, NULL };
	uint32_t n = 0;

	while (t) {
		struct leat__task *next = t->next;

		leat__store_relaxed(&t->state, LEAT__READY);
		if (leat__unlikely(t->flags & (LEAT__T_FOREIGN | LEAT__T_PINNED))) {
			leat__ready_elsewhere(t);
		} else {
			leat__wake_add(&rest, t);
			n++;
		}
		t = next;
	}
	if (n > 0)
		leat__injector_push(w->rt, rest.first, rest.last, n);
}

void leat__wake_fifo(struct leat__wake *wake)
{
	struct leat__worker *w = leat__self();
	struct leat__task *t = wake->first, *next;

	if (!t)
		return;
	for (; t; t = next) {
		next = t->next; /* t may run at once */
		if (leat__unlikely(!ready_one_of(w, t))) {
			ready_rest(w, t);
			break;
		}
	}
	if (w)
		leat__notify(w);
}

void leat__wake_all(struct leat__wake *wake)
{
	struct leat__task *t = wake->first;

	while (t) {
		struct leat__task *next = t->next;

		if (next)
			leat__ready_fifo(t);
		else
			leat__ready(t);
		t = next;
	}
}

/*
 * A yield is a park that makes itself ready first: whoever picks us up waits
 * for our context (P5').  Nobody else can claim us: the word stays IDLE.
 */
void leat__yield(struct leat__worker *w)
{
	struct leat__task *t = w->cur;

	leat__ready_fifo(t);
	switch_away(w, t);
	leat__store_relaxed(&t->state, LEAT__RUNNING);
}

struct leat__worker *leat__budget_spent(struct leat__worker *w)
{
	w->budget = w->quantum;
	w->clock = leat__time_now();
	if (leat__unlikely(w->simulated) && !leat__sim_preempts(w))
		return w;
	if (w->cur && w->cur->no_park == 0)
		leat__yield(w);
	return leat__self();
}

int leat_yield(void)
{
	struct leat__worker *w = leat__self();
	struct leat__task *t;

	if (!w) {
		leat__check_fork(__func__, NULL);
		sched_yield();
		return 0;
	}
	t = w->cur;
	if (leat__unlikely(t->no_park > 0))
		leat__misuse(t, "task '%s' would park in a no-park scope; move the call behind leat_no_park_end",
			     leat__task_name_of(t));
	leat__yield(w);
	return leat__is_canceled(t) ? -ECANCELED : 0;
}
