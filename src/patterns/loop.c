/* Parallel loops: halving by fork and join. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <leat/extend.h>
#include <leat/loop.h>
#include <leat/runtime.h>
#include <leat/task.h>
#include <leat/time.h>

/*
 * A part should take PART_NS: a steal and its join cost less than a hundredth of that.  PARTS for
 * each worker at least, for loads that are not even.
 */
enum { PARTS = 8, PROBE_MAX = 4096 };
#define PART_NS (20 * LEAT_US)
#define PROBE_NS (5 * LEAT_US)

struct loop {
	int (*run)(struct loop *loop, size_t from, size_t to, void *acc); /* (c) */
	leat_loop_fn *fn, *join; /* (c) */
	void *arg;		/* (c) array or in */
	void *out;		/* (c) */
	size_t size, out_size;	/* (c) of elements */
	const void *begin;	/* (c) where a part's acc begins */
	size_t acc_size;	/* (c) */
	size_t grain;		/* (c) once the probe is over */
	_Atomic int error;	/* (a) the first */
};

static int run_for(struct loop *l, size_t from, size_t to, void *acc)
{
	(void)acc;
	return ((int (*)(void *, size_t, size_t))l->fn)(l->arg, from, to);
}

static int run_reduce(struct loop *l, size_t from, size_t to, void *acc)
{
	return ((int (*)(void *, size_t, size_t, void *))l->fn)(l->arg, from, to, acc);
}

static int run_each(struct loop *l, size_t from, size_t to, void *acc)
{
	int r = 0;

	(void)acc;
	for (size_t i = from; i < to && r >= 0; i++)
		r = ((int (*)(void *))l->fn)((char *)l->arg + i * l->size);
	return r;
}

static int run_map(struct loop *l, size_t from, size_t to, void *acc)
{
	int r = 0;

	(void)acc;
	for (size_t i = from; i < to && r >= 0; i++)
		r = ((int (*)(void *, void *))l->fn)((char *)l->arg + i * l->size,
						     (char *)l->out + i * l->out_size);
	return r;
}

static int error_of(struct loop *l)
{
	/* Relaxed: the join orders what the parts have written. */
	return atomic_load_explicit(&l->error, memory_order_relaxed);
}

static void run_part(struct loop *l, size_t from, size_t to, void *acc)
{
	int none = 0, r;

	if (error_of(l) != 0)
		return;
	r = leat_cancelled() ? -ECANCELED : l->run(l, from, to, acc);
	if (r < 0)
		atomic_compare_exchange_strong(&l->error, &none, r);
}

LEAT_TASK(halve, (struct loop *, l), (size_t, from), (size_t, to), (void *, acc))
{
	char right[LEAT_REDUCE_MAX] __attribute__((aligned(16)));
	leat_forked forked;
	size_t middle;

	if (to - from <= l->grain || error_of(l) != 0) {
		run_part(l, from, to, acc);
		return;
	}
	middle = from + (to - from) / 2;
	if (l->acc_size > 0)
		memcpy(right, l->begin, l->acc_size);
	leat_fork(&forked, halve, l, middle, to, (void *)right);
	halve(l, from, middle, acc);
	leat_join(&forked);
	if (l->join)
		((void (*)(void *, void *))l->join)(acc, right);
}

/* The first elements, until they tell how long one takes.  How many that were. */
static size_t probe(struct loop *l, size_t n, void *acc)
{
	int64_t start = leat_now(), took = 0;
	size_t done = 0, part = 1, workers = (size_t)leat_workers(), most;

	while (done < n && done < PROBE_MAX && took < PROBE_NS && error_of(l) == 0) {
		if (part > n - done)
			part = n - done;
		run_part(l, done, done + part, acc);
		done += part;
		part *= 2;
		took = leat_now() - start;
	}
	most = (n - done) / (PARTS * (workers > 0 ? workers : 1));
	l->grain = took > 0 ? (size_t)(PART_NS * (int64_t)done / took) : n;
	if (l->grain > most)
		l->grain = most;
	if (l->grain == 0)
		l->grain = 1;
	return done;
}

static int run(struct loop *l, size_t n, void *acc)
{
	size_t done = probe(l, n, acc);

	if (done < n)
		halve(l, done, n, acc);
	return error_of(l);
}

static void check(const char *function, const void *fn)
{
	if (!fn)
		leat_misuse(function, NULL, "the function is NULL");
	if (leat_task_id() == 0)
		leat_misuse(function, NULL, "called outside of a task; use leat_run or LEAT_MAIN");
}

int leat_loop_for(size_t n, leat_loop_fn *body, const void *arg)
{
	struct loop l = { .run = run_for, .fn = body, .arg = (void *)(uintptr_t)arg };

	check(__func__, (const void *)body);
	return run(&l, n, NULL);
}

int leat_loop_each(const void *array, size_t size, size_t n, leat_loop_fn *fn)
{
	struct loop l = { .run = run_each, .fn = fn, .arg = (void *)(uintptr_t)array,
			  .size = size };

	check(__func__, (const void *)fn);
	return run(&l, n, NULL);
}

int leat_loop_map(const void *in, size_t in_size, void *out, size_t out_size, size_t n,
		  leat_loop_fn *fn)
{
	struct loop l = { .run = run_map, .fn = fn, .arg = (void *)(uintptr_t)in, .size = in_size,
			  .out = out, .out_size = out_size };

	check(__func__, (const void *)fn);
	return run(&l, n, NULL);
}

int leat_loop_reduce(size_t n, leat_loop_fn *body, leat_loop_fn *join, const void *arg,
		     void *acc, size_t acc_size)
{
	char begin[LEAT_REDUCE_MAX] __attribute__((aligned(16)));
	struct loop l = { .run = run_reduce, .fn = body, .join = join,
			  .arg = (void *)(uintptr_t)arg, .begin = begin, .acc_size = acc_size };

	check(__func__, (const void *)body);
	if (acc_size > LEAT_REDUCE_MAX)
		leat_misuse(__func__, acc, "*acc has %zu bytes, more than %d; reduce to a pointer",
			    acc_size, LEAT_REDUCE_MAX);
	memcpy(begin, acc, acc_size);
	return run(&l, n, acc);
}
