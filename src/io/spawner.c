/*
 * The start of child processes.
 *
 * The kernel kills a child that asks for it (PR_SET_PDEATHSIG) when the thread that
 * made it ends.  So that must be one that stays as long as the runtime: a worker, which is
 * held for as long as the exec takes (the watchdog finds a stand-in if that is long); or, for
 * other threads than workers, the spawner's.  Starts are made one at a time: who has the
 * permit has the guardian and the children's stack.
 *
 *   start, by another thread:
 *		S0 coming + 1; wake the thread.  Not after S1: if it took this core at once, the
 *		   task would be made ready while its context is not saved, and who resumes
 *		   it would have to wait for that
 *		S1 append the request, which is on the stack of the task that asks; coming - 1;
 *		   arm; park
 *		S2 the thread takes it, starts the child, notes it in the list of children
 *		S3 claim the task, make it ready: the request is no longer touched
 *   stop	S4 no task is left: kill and reap the children that were not released
 *		S5 end the thread, then the guardian
 */
#include "io/spawner.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "rt/park.h"
#include "rt/runtime.h"
#include "port/guardian.h"
#include "port/sys.h"

enum { STACK = 64 * 1024 };

struct request {
	struct request *next;	/* (L) */
	struct leat__task *task; /* (c) */
	struct leat__spawn *spawn; /* (c) */
	struct leat__child *child; /* (c) */
	int result;		/* written before S3 */
};

struct leat__spawner {
	struct leat__lock lock;
	struct request *first, *last; /* (L) */
	struct leat__list children; /* (L) */
	leat_sem permit;	/* to start a child; one */
	uint32_t requests;	/* (a) futex: changes with each request */
	uint32_t coming;	/* (a) requests that are about to be appended */
	uint32_t stopping;	/* (a) */
	bool thread_runs;	/* (P) */
	struct leat__thread_handle thread; /* (P) */
	/* (P): of who has the permit. */
	char *stack;		/* of the children, one at a time; NULL: nothing was started yet */
	struct leat__guardian guardian;
};

/* The rest, when the child's exec has succeeded or failed. */
static void note_child(struct leat__spawner *spawner, const struct leat__spawn *s,
		       struct leat__child *child)
{
	child->pid = s->pid;
	child->pidfd = s->pidfd;
	child->target = s->flags & LEAT__SPAWN_GROUP ? -s->pid : s->pid;
	child->entry = s->enter;
	leat__lock_acquire(&spawner->lock, LEAT__RANK_OBJECT);
	leat__list_append(&spawner->children, &child->node);
	leat__lock_release(&spawner->lock);
}

/* Before the first start; with the permit. */
static int make_ready(struct leat__spawner *spawner)
{
	int r = spawner->stack ? 0 : leat__spawn_supported();

	if (r < 0 || spawner->stack)
		return r;
	spawner->stack = leat__map_reserve(STACK, 0);
	return spawner->stack ? 0 : -ENOMEM;
}

/* With the permit. */
static int start(struct leat__spawner *spawner, struct leat__spawn *s, struct leat__child *child)
{
	int r = leat__guardian_start(&spawner->guardian, spawner->stack, STACK);

	if (r < 0)
		return r;
	s->enter = leat__guardian_entry(&spawner->guardian);
	if (!s->enter)
		return -EAGAIN;
	r = leat__spawn(s, spawner->stack, STACK);					/* S2 */
	if (r == 0)
		note_child(spawner, s, child);
	return r;
}

static struct request *take(struct leat__spawner *spawner)
{
	struct request *request;

	leat__lock_acquire(&spawner->lock, LEAT__RANK_OBJECT);
	request = spawner->first;
	if (request)
		spawner->first = request->next;
	if (!spawner->first)
		spawner->last = NULL;
	leat__lock_release(&spawner->lock);
	return request;
}

static void *thread_main(void *arg)
{
	struct leat__spawner *spawner = arg;

	leat__thread_set_name("leat-spawner");
	for (;;) {
		/*
		 * In this order: a request whose bell is in seen is coming, or to be taken;
		 * another rings after seen, so the futex does not sleep.
		 */
		uint32_t seen = leat__load_acquire(&spawner->requests);
		uint32_t coming = leat__load_acquire(&spawner->coming);
		struct request *request = take(spawner);

		if (request) {
			struct leat__task *t = request->task;

			request->result = start(spawner, request->spawn, request->child);
			LEAT_CHECK(leat__claim(t, LEAT__CLAIM_DONE));			/* S3 */
			leat__ready(t);
		} else if (coming > 0) {
			sched_yield();
		} else if (leat__load_relaxed(&spawner->stopping)) {
			return NULL;
		} else {
			leat__futex_wait(&spawner->requests, seen, INT64_MAX);
		}
	}
}

static void ring(struct leat__spawner *spawner)
{
	leat__fetch_add(&spawner->requests, 1);
	leat__futex_wake(&spawner->requests, 1);
}

static void kill_children(struct leat__spawner *spawner)
{
	while (spawner->children.next != &spawner->children) {
		struct leat__child *child = leat__container_of(spawner->children.next,
							       struct leat__child, node);
		struct leat__exit ignored;

		leat__kill(child->target, SIGKILL);
		leat__spawner_forget(child);
		leat__reap(child->pidfd, true, &ignored);
	}
}

static void stop(struct leat__runtime *rt)
{
	struct leat__spawner *spawner = rt->spawner;

	kill_children(spawner);								/* S4 */
	if (spawner->thread_runs) {
		leat__store_relaxed(&spawner->stopping, 1);
		ring(spawner);
		leat__thread_join(spawner->thread);					/* S5 */
	}
	if (spawner->stack) {
		leat__guardian_stop(&spawner->guardian);
		leat__map_release(spawner->stack, STACK);
	}
	rt->spawner = NULL;
	leat__free(spawner, sizeof(*spawner));
}

/* The runtime's, made at its first use; NULL: no memory. */
static struct leat__spawner *get(struct leat__runtime *rt)
{
	struct leat__spawner *spawner = leat__load_acquire(&rt->spawner); /* pairs with the CAS */

	if (leat__likely(spawner != NULL))
		return spawner;
	spawner = leat__alloc(sizeof(*spawner));
	if (!spawner)
		return NULL;
	memset(spawner, 0, sizeof(*spawner));
	leat__list_init(&spawner->children);
	leat_sem_init(&spawner->permit, 1, 0);
	spawner->guardian = (struct leat__guardian)LEAT__GUARDIAN_NONE;
	if (leat__cas(&rt->spawner, NULL, spawner)) {
		leat__at_stop(rt, stop);
		return spawner;
	}
	leat__free(spawner, sizeof(*spawner));
	return leat__load_acquire(&rt->spawner);
}

/* By the spawner's thread; with the permit, which is the caller's meanwhile. */
static int start_by_thread(struct leat__spawner *spawner, struct leat__spawn *s,
			   struct leat__child *child)
{
	struct request request = { .spawn = s, .child = child };

	if (!spawner->thread_runs) {
		int64_t r = LEAT__SYS(leat__thread_start(&spawner->thread, thread_main, spawner));

		if (r < 0)
			return (int)r;
		spawner->thread_runs = true;
	}
	request.task = leat__current(leat__self());
	leat__fetch_add(&spawner->coming, 1);						/* S0 */
	ring(spawner);
	leat__lock_acquire(&spawner->lock, LEAT__RANK_OBJECT);				/* S1 */
	leat__arm(request.task, false);
	if (spawner->last)
		spawner->last->next = &request;
	else
		spawner->first = &request;
	spawner->last = &request;
	leat__fetch_sub(&spawner->coming, 1);
	leat__lock_release(&spawner->lock);
	leat__park(request.task, LEAT__WHY_BLOCKING, spawner, LEAT_FOREVER);
	return request.result;
}

int leat__spawner_start(struct leat__spawn *s, struct leat__child *child)
{
	struct leat__runtime *rt = leat__rt;
	struct leat__spawner *spawner = get(rt);
	struct leat__worker *w = leat__self();
	int r;

	if (!spawner)
		return -ENOMEM;
	leat__fetch_add(&rt->external, 1);
	if (w)
		leat_shield_begin();
	r = leat_sem_acquire(&spawner->permit, 1);
	if (w)
		leat_shield_end();
	if (r == 0) {
		s->timer_slack = w ? w->timer_slack : 0;
		r = make_ready(spawner);
		if (r == 0)
			r = w ? start(spawner, s, child) : start_by_thread(spawner, s, child);
		leat_sem_release(&spawner->permit, 1);
	}
	leat__fetch_sub(&rt->external, 1);
	return r;
}

void leat__spawner_forget(struct leat__child *child)
{
	struct leat__spawner *spawner = leat__rt->spawner;

	leat__lock_acquire(&spawner->lock, LEAT__RANK_OBJECT);
	leat__list_remove(&child->node);
	leat__lock_release(&spawner->lock);
	leat__store_release(child->entry, 0);
}
