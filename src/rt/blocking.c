/*
 * leat_blocking: calls on threads of a pool.
 *
 * The calls that wait for a thread are in a queue.  A thread is free when it runs
 * none: it starts, looks at the queue, or sleeps in the list of idle threads.  Under the
 * pool's lock:
 *   - wanted counts the calls that are queued or about to be; as long as there are
 *     threads to be had, wanted <= free;
 *   - a free thread that is not in the idle list will look at the queue;
 *   - threads == 0: the queue is empty.
 *
 *   call	B1 lock; wanted + 1; more than free, and below the limit: threads + 1,
 *		   free + 1; unlock, and start that thread; failed: B2
 *		B2 lock; threads - 1, free - 1; none is left: every queued call gets
 *		   -EAGAIN; unlock
 *		B3 lock; threads == 0: -EAGAIN; into the queue, arm, wake the thread that fell
 *		   idle last; unlock; park
 *	thread	B4 lock; take the first call that nobody has claimed; wanted - 1, free - 1;
 *		   unlock; run it
 *		B5 lock; the call is done; claim its task; free + 1; unlock, make it ready; B4
 *		B6 nothing in the queue: into the idle list; unlock, sleep
 *		B7 too long: it ends, if wanted < free
 *   cancel	B8 (or a deadline) lock; still queued: out of it, and it never runs;
 *		   running: arm once more, deaf to cancel; unlock, park
 * Between B3 and B8 a call is claimed by its end, a cancel or its timer, whichever is
 * first; its end finds the task unarmed if B8 has yet to look, and B8 then finds it done.
 *
 * A thread that ends joins the one that ended before it; so leat__pool_fini joins the
 * last one, and all are gone.
 */
#include "rt/blocking.h"

#include <errno.h>

#include "port/sys.h"
#include "rt/look.h"
#include "rt/park.h"
#include "rt/timer.h"

enum { STACK_SIZE = 8 << 20 };

int64_t leat__pool_idle_ns = 5 * LEAT_S;

enum call_state {
	QUEUED,
	DROPPED,		/* out of the queue, and will not run */
	RUNNING,
	DONE,
};

/* On the stack of the task that waits for it. */
struct call {
	struct leat__list node;	/* (L) */
	int64_t (*fn)(void *arg); /* (c) */
	void *arg;		/* (c) */
	int64_t result;		/* (L) when it is done */
	struct leat__task *task; /* (c) */
	uint8_t state;		/* (L) enum call_state */
};

/* On the thread's own stack. */
struct leat__pool_thread {
	struct leat__pool_thread *next; /* (L) in the idle list */
	uint32_t futex;		/* (a) 1: woken, and out of the list */
};

static void lock(struct leat__pool *pool)
{
	leat__lock_acquire(&pool->lock, LEAT__RANK_OBJECT);
}

static void unlock(struct leat__pool *pool)
{
	leat__lock_release(&pool->lock);
}

/* The counters are read by others: stored atomically, under the lock. */
static void add(uint32_t *counter, int n)
{
	leat__store_relaxed(counter, *counter + (uint32_t)n);
}

/* Under the lock: takes the thread that fell idle last; NULL: none. */
static struct leat__pool_thread *pop_idle(struct leat__pool *pool)
{
	struct leat__pool_thread *thread = pool->idle;

	if (thread) {
		pool->idle = thread->next;
		leat__store_relaxed(&thread->futex, 1);
	}
	return thread;
}

/* The thread may be awake or gone by now; then this wakes nobody. */
static void wake(struct leat__pool_thread *thread)
{
	if (thread)
		leat__futex_wake(&thread->futex, 1);
}

/* B4.  Under the lock. */
static struct call *take(struct leat__pool *pool)
{
	while (!leat__list_is_empty(&pool->calls)) {
		struct call *call = leat__container_of(pool->calls.next, struct call, node);

		leat__list_remove(&call->node);
		add(&pool->wanted, -1);
		/* Cancelled, and its task has not come to B8 yet. */
		if (!leat__claim_is_open(call->task)) {
			call->state = DROPPED;
			continue;
		}
		call->state = RUNNING;
		add(&pool->free, -1);
		return call;
	}
	return NULL;
}

/* B5.  Under the lock: the task to be made ready, or NULL. */
static struct leat__task *finish(struct call *call, int64_t result)
{
	struct leat__task *t = call->task;

	call->result = result;
	call->state = DONE;
	return leat__claim(t, LEAT__CLAIM_DONE) ? t : NULL;
}

/* Under the lock, which is free while the call runs. */
static void run(struct leat__pool *pool, struct call *call)
{
	struct leat__task *t;
	int64_t result;

	unlock(pool);
	result = call->fn(call->arg);
	leat_thread_detach(); /* if fn has attached it by a leat call */
	lock(pool);
	add(&pool->free, 1);
	t = finish(call, result);
	if (!t)
		return;
	unlock(pool);
	leat__ready(t);
	lock(pool);
}

static void leave_idle(struct leat__pool *pool, struct leat__pool_thread *me)
{
	struct leat__pool_thread **link = &pool->idle;

	while (*link != me)
		link = &(*link)->next;
	*link = me->next;
}

/* B6, B7.  Under the lock, which is free while it sleeps.  False: the thread ends. */
static bool idle(struct leat__pool *pool, struct leat__pool_thread *me)
{
	int64_t until = leat__clock() + leat__load_relaxed(&leat__pool_idle_ns);

	leat__store_relaxed(&me->futex, 0);
	me->next = pool->idle;
	pool->idle = me;
	unlock(pool);
	while (leat__load_relaxed(&me->futex) == 0 && leat__clock() < until)
		leat__futex_wait(&me->futex, 0, until);
	lock(pool);
	if (leat__load_relaxed(&me->futex) != 0)
		return true;
	leave_idle(pool, me);
	return pool->wanted >= pool->free;
}

static void *thread_main(void *arg)
{
	struct leat__thread_handle before;
	struct leat__pool_thread me = { NULL, 0 };
	struct leat__pool *pool = arg;
	bool join;

	leat__thread_set_name("leat-blocking");
	lock(pool);
	for (;;) {
		struct call *call = take(pool);

		if (call)
			run(pool, call);
		else if (pool->stopping || !idle(pool, &me))
			break;
	}
	add(&pool->free, -1);
	add(&pool->threads, -1);
	join = pool->has_ended;
	before = pool->ended;
	pool->has_ended = true;
	pool->ended = leat__thread_handle_self();
	unlock(pool);
	leat__futex_wake(&pool->threads, 1);
	if (join)
		leat__thread_join(before);
	return NULL;
}

void leat__pool_init(struct leat__pool *pool, uint32_t limit)
{
	leat__list_init(&pool->calls);
	pool->limit = limit;
}

void leat__pool_fini(struct leat__pool *pool)
{
	struct leat__pool_thread *thread;
	uint32_t n;

	lock(pool);
	pool->stopping = true;
	while ((thread = pop_idle(pool)) != NULL) {
		unlock(pool);
		wake(thread);
		lock(pool);
	}
	unlock(pool);
	while ((n = leat__load_acquire(&pool->threads)) > 0)
		leat__futex_wait(&pool->threads, n, INT64_MAX);
	lock(pool); /* the last one has left it */
	unlock(pool);
	if (pool->has_ended)
		leat__thread_join(pool->ended);
}

/* B2 */
static void start_failed(struct leat__pool *pool)
{
	struct leat__wake tasks = { NULL, NULL };

	lock(pool);
	add(&pool->threads, -1);
	add(&pool->free, -1);
	while (pool->threads == 0 && !leat__list_is_empty(&pool->calls)) {
		struct call *call = leat__container_of(pool->calls.next, struct call, node);
		struct leat__task *t = finish(call, -EAGAIN);

		leat__list_remove(&call->node);
		add(&pool->wanted, -1);
		if (t)
			leat__wake_add(&tasks, t);
	}
	unlock(pool);
	leat__wake_all(&tasks);
}

/* B1 */
static void have_thread(struct leat__pool *pool)
{
	struct leat__thread_handle thread;
	bool start;

	lock(pool);
	add(&pool->wanted, 1);
	start = pool->wanted > pool->free && pool->threads < pool->limit;
	if (start) {
		add(&pool->threads, 1);
		add(&pool->free, 1);
	}
	unlock(pool);
	if (start && LEAT__SYS(leat__thread_start_stack(&thread, thread_main, pool,
							STACK_SIZE)) < 0)
		start_failed(pool);
}

/* B8.  True: it has ended; false: it has not run and will not. */
static bool wait_for_end(struct leat__pool *pool, struct call *call)
{
	lock(pool);
	switch ((enum call_state)call->state) {
	case QUEUED:
		leat__list_remove(&call->node);
		add(&pool->wanted, -1);
		unlock(pool);
		return false;
	case DROPPED:
		unlock(pool);
		return false;
	case RUNNING:
		leat__arm(call->task, false);
		unlock(pool);
		(void)leat__park(call->task, LEAT__WHY_BLOCKING, call, LEAT_FOREVER);
		return true;
	case DONE:
		break;
	}
	unlock(pool);
	return true;
}

/* B3.  The result, or what ended the wait before the call began. */
static int64_t call_and_wait(struct leat__pool *pool, struct call *call, int64_t deadline)
{
	struct leat__runtime *rt = leat__rt;
	struct leat__pool_thread *thread;
	int r;

	have_thread(pool);
	lock(pool);
	if (pool->threads == 0) {
		add(&pool->wanted, -1);
		unlock(pool);
		return -EAGAIN;
	}
	leat__list_append(&pool->calls, &call->node);
	leat__arm(call->task, true);
	leat__fetch_add(&rt->external, 1);
	thread = pop_idle(pool);
	unlock(pool);
	wake(thread);
	r = leat__park(call->task, LEAT__WHY_BLOCKING, call, deadline);
	if (r < 0 && wait_for_end(pool, call))
		r = 0;
	leat__fetch_sub(&rt->external, 1);
	return r < 0 ? r : call->result;
}

int64_t leat__blocking(int64_t (*fn)(void *arg), void *arg, int64_t deadline)
{
	struct call call = { .fn = fn, .arg = arg, .state = QUEUED };
	struct leat__worker *w = leat__self();
	int r = w ? leat__enter(&w, &call.task) : 0;

	if (r < 0)
		return r;
	if (deadline != LEAT_FOREVER && deadline <= leat__time_now())
		return -ETIMEDOUT;
	if (!w || w->simulated)
		return fn(arg);
	return call_and_wait(&w->rt->pool, &call, deadline);
}

struct user_call {
	int (*fn)(void *arg);
	void *arg;
};

static int64_t run_user_call(void *arg)
{
	struct user_call *call = arg;

	return call->fn(call->arg);
}

static int call_user(const char *function, int (*fn)(void *arg), void *arg, int64_t deadline)
{
	struct user_call call = { fn, arg };

	leat__check_fork(function, NULL);
	if (leat__unlikely(!fn))
		leat__misuse_at(function, NULL, "the function is NULL; give it one to run");
	return (int)leat__blocking(run_user_call, &call, deadline);
}

int leat_blocking(int (*fn)(void *arg), void *arg)
{
	return call_user(__func__, fn, arg, LEAT_FOREVER);
}

int leat_blocking_until(int (*fn)(void *arg), void *arg, int64_t deadline)
{
	return call_user(__func__, fn, arg, deadline);
}

static void describe(struct leat__look *l, const void *object)
{
	struct call call;

	if (leat__look_at(l, &call, (const struct call *)object))
		leat__say(l, call.state == QUEUED ? ", queued" : ", running");
}

__attribute__((constructor)) static void set_kind(void)
{
	static const struct leat__kind kind = { describe, NULL, NULL };

	leat__kind_set(LEAT__WHY_BLOCKING, &kind);
}
