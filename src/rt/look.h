/*
 * What a dump and a deadlock report look with.
 *
 * A dump runs in a signal handler, beside tasks that go on.  So it takes no lock,
 * allocates nothing, and follows no pointer: it copies what a pointer points to by
 * leat__probe_read, which fails where a load would fault.  What it copies may
 * be older than the rest, torn, or another object by now; it is never more
 * than wrong text.  Every loop over a list has a bound.
 *
 * What a task waits for is described by a struct leat__kind, which the object's own
 * file sets for its enum leat__why: this layer does not know the objects.
 */
#ifndef LEAT_RT_LOOK_H
#define LEAT_RT_LOOK_H

#include "rt/task.h"

enum { LEAT__LOOK_SYMBOLS = 32 };

struct leat__look {
	struct leat__runtime *rt;
	struct leat__probe probe;
	int fd;
	bool to_log;		/* line by line, and not to fd */
	int error;		/* why nothing can be looked at, or of the first failed write */
	bool stopped;		/* no task runs any more */
	int64_t now;
	uint64_t tasks;		/* seen by leat__look_tasks */
	uintptr_t code_start, code_end; /* of the library */
	size_t length;		/* of text */
	char text[1024];
	struct {
		uintptr_t pc;
		struct leat__symbol symbol;
	} cache[LEAT__LOOK_SYMBOLS];
};

void leat__look_begin(struct leat__look *l, int fd, bool to_log);
/* Returns 0, or error. */
int leat__look_end(struct leat__look *l);

/* Knows %s %c %d %u %p and %llu %lld %llx, without width. */
__attribute__((format(printf, 2, 3))) void leat__say(struct leat__look *l, const char *fmt, ...);
void leat__say_time(struct leat__look *l, int64_t ns);
/* A name in quotes; nothing for NULL, "?" for what cannot be read. */
void leat__say_name(struct leat__look *l, const char *name);
/* task 3 'a' */
void leat__say_task(struct leat__look *l, const struct leat__task *t);
/* The name of the task at that address, cut to fit; "?" if it has ended.  Allocates nothing. */
void leat__look_name(const struct leat__probe *probe, const struct leat__task *at, char *name,
		     size_t size);
/* The same of a task that the caller has an address of; false: it has ended. */
bool leat__say_task_at(struct leat__look *l, const struct leat__task *at);
/* group 'g' 0x7f.. (cancelled) */
void leat__say_group(struct leat__look *l, const struct leat__scope *at);
/*
 * ; in pull+0x2a (prog): the user's function that blocks in a call of the library.
 * Nothing where it is not known.
 */
void leat__say_site(struct leat__look *l, const struct leat__task *t);
/* channel receive on channel 0x7f.. (made at x.c:12, ...) */
void leat__say_wait(struct leat__look *l, const struct leat__task *t, const struct leat__task *at);

#define leat__look_at(l, to, from) leat__probe_read(&(l)->probe, (to), (from), sizeof(*(to)))

/* Calls fn with a copy of each task and foreign thread, and where it is. */
void leat__look_tasks(struct leat__look *l,
		      void (*fn)(struct leat__look *l, const struct leat__task *t,
				 const struct leat__task *at, void *ctx), void *ctx);
/* What t waits for: its object; of a wait without a stack, its arguments. */
const void *leat__look_object(struct leat__look *l, const struct leat__task *t,
			      const struct leat__task *at);

/* Of a task that joins others by running them: the one that is blocked on top of it; or NULL. */
const struct leat__task *leat__look_top(struct leat__look *l, const struct leat__task *t,
					const struct leat__task *at);

/* How to describe what a task waits for; object may be anything, only to be looked at. */
struct leat__kind {
	void (*describe)(struct leat__look *l, const void *object);
	/* The task that must act; NULL: nobody is known to own it. */
	const struct leat__task *(*owner)(struct leat__look *l, const void *object);
	const char *held;	/* with owner: "held by" */
};
void leat__kind_set(enum leat__why why, const struct leat__kind *kind);
const struct leat__kind *leat__kind_of(enum leat__why why);

/* Names the tasks that wait for each other in a circle, if they do.  The world is stopped. */
void leat__say_cycle(struct leat__look *l);

#endif
