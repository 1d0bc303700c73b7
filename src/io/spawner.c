/*
 * The spawner: one thread starts all child processes.
 *
 * The kernel kills a child that asks for it (PR_SET_PDEATHSIG) when the thread that
 * made it ends.  So this one stays as long as the runtime; and it may block
 * for as long as an exec takes.
 *
 *   start	S0 coming + 1; wake the thread.  Not after S1: if it took this core at once, the
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
	uint32_t requests;	/* (a) futex: changes with each request */
	uint32_t coming;	/* (a) requests that are about to be appended */
	uint32_t stopping;	/* (a) */
	leat_mutex start_lock;
	bool started;		/* (L: start_lock) */
	int64_t slack;		/* (c) the timer slack that children get */
	struct leat__thread_handle thread;
	char *stack;		/* (c) of the children, one at a time */
	struct leat__guardian guardian; /* of the thread */
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

static int start(struct leat__spawner *spawner, struct request *request)
{
	struct leat__spawn *s = request->spawn;
	int r = leat__guardian_start(&spawner->guardian, spawner->stack, STACK);

	if (r < 0)
		return r;
	s->enter = leat__guardian_entry(&spawner->guardian);
	if (!s->enter)
		return -EAGAIN;
	r = leat__spawn(s, spawner->stack, STACK);					/* S2 */
	if (r == 0)
		note_child(spawner, s, request->child);
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
	leat__timer_slack_restore(spawner->slack);
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

			request->result = start(spawner, request);
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
	if (spawner->started) {
		leat__store_relaxed(&spawner->stopping, 1);
		ring(spawner);
		leat__thread_join(spawner->thread);					/* S5 */
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
	spawner->guardian = (struct leat__guardian)LEAT__GUARDIAN_NONE;
	if (leat__cas(&rt->spawner, NULL, spawner)) {
		leat__at_stop(rt, stop);
		return spawner;
	}
	leat__free(spawner, sizeof(*spawner));
	return leat__load_acquire(&rt->spawner);
}

static int run_thread(struct leat__spawner *spawner)
{
	struct leat__worker *w = leat__self();
	int r = leat__spawn_supported();

	if (r < 0)
		return r;
	spawner->slack = w ? w->timer_slack : 0;
	spawner->stack = leat__map_reserve(STACK, 0);
	if (!spawner->stack)
		return -ENOMEM;
	r = (int)LEAT__SYS(leat__thread_start(&spawner->thread, thread_main, spawner));
	if (r < 0)
		leat__map_release(spawner->stack, STACK);
	return r;
}

static int make_ready(struct leat__spawner *spawner)
{
	int r = 0;

	leat_mutex_lock(&spawner->start_lock);
	if (!spawner->started)
		r = run_thread(spawner);
	if (r == 0)
		leat__store_release(&spawner->started, true);
	leat_mutex_unlock(&spawner->start_lock);
	return r;
}

int leat__spawner_start(struct leat__spawn *s, struct leat__child *child)
{
	struct leat__runtime *rt = leat__rt;
	struct leat__spawner *spawner = get(rt);
	struct request request = { .spawn = s, .child = child };
	int r;

	if (!spawner)
		return -ENOMEM;
	r = leat__load_acquire(&spawner->started) ? 0 : make_ready(spawner);
	if (r < 0)
		return r;
	request.task = leat__current(leat__self());
	leat__fetch_add(&rt->external, 1);
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
	leat__fetch_sub(&rt->external, 1);
	return request.result;
}

void leat__spawner_forget(struct leat__child *child)
{
	struct leat__spawner *spawner = leat__rt->spawner;

	leat__lock_acquire(&spawner->lock, LEAT__RANK_OBJECT);
	leat__list_remove(&child->node);
	leat__lock_release(&spawner->lock);
	leat__store_release(child->entry, 0);
}
