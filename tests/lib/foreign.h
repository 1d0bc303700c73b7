/*
 * Foreign threads for tests: threads that are no workers, started by a task.
 *
 * The task goes on only when the thread is attached; before that the runtime
 * would not know that somebody outside may still wake the tasks.
 */
#ifndef LEAT_TEST_FOREIGN_H
#define LEAT_TEST_FOREIGN_H

#include "test.h"

#include <pthread.h>

struct foreign {
	pthread_t thread;
	void (*fn)(void *arg);
	void *arg;
	leat_waitgroup done;
	bool attached;
};

static inline void *foreign_run(void *arg)
{
	struct foreign *foreign = arg;

	CHECK_EQ(leat_thread_attach(), 0);
	__atomic_store_n(&foreign->attached, true, __ATOMIC_RELEASE);
	foreign->fn(foreign->arg);
	leat_waitgroup_done(&foreign->done);
	leat_thread_detach();
	return NULL;
}

/* Runs fn(arg) in a thread of its own. */
static inline void foreign_start(struct foreign *foreign, void (*fn)(void *arg), void *arg)
{
	*foreign = (struct foreign){ .fn = fn, .arg = arg, .done = LEAT_WAITGROUP_INIT };
	leat_waitgroup_add(&foreign->done, 1);
	REQUIRE(pthread_create(&foreign->thread, NULL, foreign_run, foreign) == 0);
	while (!__atomic_load_n(&foreign->attached, __ATOMIC_ACQUIRE))
		leat_yield();
}

/* Blocks the task until fn has returned, then shortly its worker until the thread is gone. */
static inline void foreign_join(struct foreign *foreign)
{
	CHECK_EQ(leat_waitgroup_wait(&foreign->done), 0);
	pthread_join(foreign->thread, NULL);
}

#endif
