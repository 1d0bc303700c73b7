/* A park from which the task comes back in another thread, for certain. */
#ifndef ELSEWHERE_H
#define ELSEWHERE_H

#include <sched.h>
#include <unistd.h>

#include "test.h"

struct elsewhere {
	leat_group group;
	leat_chan(int) chan;
	void (*then)(void *arg); /* in the thread that the task has left; may be NULL */
	void *arg;
	bool ended;		/* atomic */
};

/* On the worker of the task that parks; holds it, so another has to run that task. */
LEAT_TASK(hold_worker, (struct elsewhere *, e))
{
	CHECK_EQ(leat_send(e->chan, 0), 0);
	if (e->then)
		e->then(e->arg);
	while (!__atomic_load_n(&e->ended, __ATOMIC_ACQUIRE))
		sched_yield();
}

/* Parks once, and goes on in another thread; this one stays held until go_elsewhere_end. */
static inline void go_elsewhere(struct elsewhere *e, void (*then)(void *arg), void *arg)
{
	pid_t before = gettid();
	int got;

	*e = (struct elsewhere){ .chan = leat_chan_make(int, 1), .then = then, .arg = arg };
	REQUIRE(leat_group_init(&e->group, NULL) == 0);
	REQUIRE(leat_go_with(&e->group, LEAT_TASK_OPTIONS(.pinned = true), hold_worker, e) == 0);
	REQUIRE(leat_recv(e->chan, &got) == 0);
	CHECK(gettid() != before); /* pthread_self() is a constant to the compiler */
}

static inline void go_elsewhere_end(struct elsewhere *e)
{
	__atomic_store_n(&e->ended, true, __ATOMIC_RELEASE);
	CHECK_EQ(leat_group_wait(&e->group), 0);
	leat_group_release(&e->group);
	leat_chan_unref(e->chan);
}

#endif
