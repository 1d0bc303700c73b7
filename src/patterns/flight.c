/*
 * Singleflight: see leat/flight.h.
 *
 * L is leat_flight.lock; c: never changed.
 *
 * A call is in the list from its first caller until its task ends, or it is forgotten.  It is
 * freed by the last of its task and those who wait for it (refs).  The result is written by the
 * task before done, and read by the others after it.
 */
#include <leat/flight.h>

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <leat/extend.h>
#include <leat/group.h>
#include <leat/leat.h>

#include "patterns/options.h"

struct call {
	struct leat_flight *flight; /* (c) */
	struct call *next;	/* (L) in the list */
	bool listed;		/* (L) */
	bool done;		/* (L) */
	bool shared;		/* (L) more than one has asked for it */
	int error;		/* (L) of the function */
	int refs;		/* (L) */
	leat_cond ended;	/* done */
	_Atomic uint64_t task;	/* its id; 0: it has not begun */
	leat_flight_fn *fn;	/* (c) */
	size_t bytes;		/* (c) of all this */
	char *key;		/* (c) behind the result */
	char arg[LEAT_FLIGHT_ARG_MAX] __attribute__((aligned(16))); /* of the task */
	char result[] __attribute__((aligned(16)));
};

struct leat_flight {
	leat_flight_options o;	/* (c) */
	leat_group group;
	leat_mutex lock;
	struct call *first;	/* (L) */
};

#define BAD(ok, ...) OPTION("leat_flight_make", ok, __VA_ARGS__)

int leat_flight_create(leat_flight_raw **ret_flight, const leat_flight_options *options)
{
	struct leat_flight *f;
	int r;

	if (!options || options->size != sizeof(*options))
		leat_misuse(__func__, options, "the size is not set; use leat_flight_make");
	*ret_flight = NULL;
	NEEDS_RUNTIME("leat_flight_make");
	BAD(!options->drop || options->clone,
	    "drop is given without clone; callers would share what is dropped");
	f = leat_alloc(sizeof(*f));
	if (!f)
		return -ENOMEM;
	memset(f, 0, sizeof(*f));
	f->o = *options;
	r = leat_group_init(&f->group, LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE,
							  .shared = true, .name = options->name));
	if (r < 0)
		leat_free(f, sizeof(*f));
	else
		*ret_flight = f;
	return r;
}

/* Under the lock: the link to the call of a key, or to NULL. */
static struct call **find(struct leat_flight *f, const char *key)
{
	struct call **link = &f->first;

	while (*link && strcmp((*link)->key, key) != 0)
		link = &(*link)->next;
	return link;
}

/* Under the lock. */
static void unlist(struct leat_flight *f, struct call *c)
{
	struct call **link = &f->first;

	while (c->listed && *link != c)
		link = &(*link)->next;
	if (c->listed)
		*link = c->next;
	c->listed = false;
}

/* Unlocks; the result goes with the last. */
static void unref_and_unlock(struct leat_flight *f, struct call *c)
{
	bool last = --c->refs == 0;

	leat_mutex_unlock(&f->lock);
	if (!last)
		return;
	if (c->done && c->error == 0 && f->o.drop)
		f->o.drop(c->result);
	leat_free(c, c->bytes);
}

static int run_call(void *args)
{
	struct call *c = *(struct call **)args;
	struct leat_flight *f = c->flight;
	int r;

	/* Relaxed: only this task asks whether it is itself. */
	atomic_store_explicit(&c->task, leat_task_id(), memory_order_relaxed);
	r = c->fn(c->arg, c->result);
	leat_mutex_lock(&f->lock);
	c->error = r < 0 ? r : 0;
	c->done = true;
	unlist(f, c);
	leat_cond_broadcast(&c->ended);
	unref_and_unlock(f, c);
	return 0;
}

static const leat_task_type call_type = { "flight", run_call, sizeof(struct call *) };

static struct call *new_call(struct leat_flight *f, const char *key, leat_flight_fn *fn,
			     const void *arg, size_t arg_size)
{
	size_t bytes = sizeof(struct call) + f->o.result_size + strlen(key) + 1;
	struct call *c = leat_alloc(bytes);

	if (!c)
		return NULL;
	memset(c, 0, bytes);
	c->flight = f;
	c->fn = fn;
	c->bytes = bytes;
	c->key = c->result + f->o.result_size;
	memcpy(c->key, key, strlen(key) + 1);
	memcpy(c->arg, arg, arg_size);
	c->refs = 2; /* of the task, and the caller */
	return c;
}

/* Under the lock: the call that runs, or a new one; NULL: *ret_error. */
static struct call *join_or_begin(struct leat_flight *f, const char *key, leat_flight_fn *fn,
				  const void *arg, size_t arg_size, int *ret_error)
{
	struct call *c = *find(f, key);
	int r;

	if (c) {
		if (leat_task_id() != 0 &&
		    atomic_load_explicit(&c->task, memory_order_relaxed) == leat_task_id())
			leat_misuse("leat_flight_do", f, "called with key '%s' by the function of "
				    "that key, which would wait for itself", key);
		c->refs++;
		c->shared = true;
		return c;
	}
	c = new_call(f, key, fn, arg, arg_size);
	if (!c) {
		*ret_error = -ENOMEM;
		return NULL;
	}
	/* A spawn does not wait for the new task, which will want the lock. */
	r = leat_spawn(&f->group, &call_type, &c, LEAT_TASK_OPTIONS(.name = f->o.name));
	if (r < 0) {
		*ret_error = r;
		leat_free(c, c->bytes);
		return NULL;
	}
	c->next = f->first;
	f->first = c;
	c->listed = true;
	return c;
}

int leat_flight_call(leat_flight_raw *f, const char *key, leat_flight_fn *fn, const void *arg,
		     size_t arg_size, void *ret_result, int64_t deadline, bool *ret_shared)
{
	struct call *c;
	int r = 0;

	if (!f || !key || !fn)
		leat_misuse(__func__, f, "the flight, the key or the function is NULL");
	if (arg_size > LEAT_FLIGHT_ARG_MAX)
		leat_misuse(__func__, f, "the argument has %zu bytes, more than %d; pass a pointer",
			    arg_size, LEAT_FLIGHT_ARG_MAX);
	leat_mutex_lock(&f->lock);
	c = join_or_begin(f, key, fn, arg, arg_size, &r);
	while (c && r == 0 && !c->done)
		r = leat_cond_wait_until(&c->ended, &f->lock, deadline);
	if (!c) {
		leat_mutex_unlock(&f->lock);
		return r;
	}
	if (c->done)
		r = c->error;
	if (ret_shared)
		*ret_shared = c->shared;
	leat_mutex_unlock(&f->lock);
	/* It stays as it is as long as this caller has it. */
	if (r == 0 && f->o.clone)
		r = f->o.clone(c->result, ret_result);
	else if (r == 0)
		memcpy(ret_result, c->result, f->o.result_size);
	leat_mutex_lock(&f->lock);
	unref_and_unlock(f, c);
	return r < 0 ? r : 0;
}

void leat_flight_forget_key(leat_flight_raw *f, const char *key)
{
	struct call *c;

	leat_mutex_lock(&f->lock);
	c = *find(f, key);
	if (c)
		unlist(f, c);
	leat_mutex_unlock(&f->lock);
}

void leat_flight_free(leat_flight_raw *f)
{
	if (!f)
		return;
	leat_group_cancel(&f->group, 0);
	(void)leat_group_wait(&f->group);
	leat_group_release(&f->group);
	leat_free(f, sizeof(*f));
}
