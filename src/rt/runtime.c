/*
 * Start and stop.  The calling thread is worker 0; the main task runs on a
 * pooled stack like any other.  When the main function has returned, the main
 * task cancels and joins the root group, sets stopping and wakes everyone; each
 * worker then leaves its scheduler loop for its thread's own stack.
 */
#include "rt/runtime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "port/sys.h"
#include "rt/blocking.h"
#include "rt/idle.h"
#include "rt/park.h"
#include "rt/sim.h"
#include "rt/poll.h"
#include "rt/stack.h"
#include "rt/steal.h"
#include "rt/timer.h"
#include "rt/watchdog.h"
#include "rt/worker.h"

struct leat__runtime *leat__rt;
static uint32_t running; /* (a) a runtime starts, runs or stops */
static struct leat__bias_slot slots[LEAT__MAX_WORKERS + LEAT__SPARES];
static uint64_t started; /* under running */
static bool has_fork_handler; /* under running */

enum { STRAGGLER_S = 5, BLOCKING_THREADS = 64, BLOCKING_MAX = 4096 };

bool leat__is_forked;

void leat__misuse_forked(const char *function, const void *object)
{
	leat__misuse_at(function, object,
			"called in the child of a fork() made while leat ran; the "
			"child has no workers: call exec or _exit in it, or fork before leat_run");
}

static void after_fork(void)
{
	if (leat__load_relaxed(&running) == 0)
		return;
	leat__is_forked = true;
	leat__self_set(NULL);	/* whatever asks who is calling finds out */
}

/* The main task's code around the user's. */
static int main_run(void *args)
{
	struct leat__runtime *rt = leat__rt;
	struct leat__scope *root = rt->root;

	(void)args;
	rt->main_result = rt->main_fn(rt->main_arg);
	leat__check_fork("leat_run", NULL);
	leat__scope_cancel(root, -ECANCELED);
	while (leat__scope_wait(root, leat_in(STRAGGLER_S * LEAT_S)) < 0) {
		leat__log("main has returned, but tasks of the root group are still running after %d s:",
			  STRAGGLER_S);
		leat_dump(2);
	}
	leat__scope_owner_waited(root);
	if (rt->main_result == 0 && leat__load_relaxed(&root->error) == -ENOMEM)
		rt->main_result = -ENOMEM; /* a refused spawn */
	/* This task's own end will be counted, too. */
	leat__fetch_add(&root->pending, 2);
	leat__store_relaxed(&rt->stopping, 1);
	for (int i = 0; i < leat__nworkers(rt); i++)
		leat__wake_worker(rt->worker[i]);
	return 0;
}

static const leat_task_type main_type = { "main", main_run, 0 };

static void *thread_main(void *arg)
{
	struct leat__worker *w = arg;
	const leat_options *o = &w->rt->options;
	char name[16] = "leat-worker";

	leat__thread_set_name(name);
	/* Release: pairs with leat__nworkers.  Before it pushes anything. */
	if (w->index >= w->rt->nasked)
		leat__store_release(&w->rt->nworkers, w->index + 1);
	if (o->worker_start)
		o->worker_start(o->hook_ctx, w->index);
	leat__worker_main(w);
	if (o->worker_stop)
		o->worker_stop(o->hook_ctx, w->index);
	return NULL;
}

static void worker_free(struct leat__runtime *rt, struct leat__worker *w)
{
	leat__free(w->seen, leat__seen_size(rt->nasked + LEAT__SPARES));
	leat__free(w, sizeof(*w));
}

static struct leat__worker *worker_make(struct leat__runtime *rt, int index)
{
	struct leat__worker *w = leat__alloc_aligned(sizeof(*w), 64);

	if (!w)
		return NULL;
	memset(w, 0, offsetof(struct leat__worker, wheel));
	w->wheel.lock.word = 0;
	w->rt = rt;
	w->index = index;
	w->slot = &slots[index];
	w->spin_ns = 20000;
	leat__steal_init(w);
	w->simulated = rt->sim != NULL;
	w->quantum = rt->sim ? 1 : LEAT__BUDGET;
	w->budget = w->quantum;
	w->random = rt->sim ? leat__sim_seed_of(rt->sim) : leat__random_seed();
	w->clock = rt->sim ? leat__sim_now(rt->sim) : leat__clock();
	leat__wheel_init(&w->wheel, w->clock, rt->sim ? 0 : 13);
	w->seen = leat__alloc(leat__seen_size(rt->nasked + LEAT__SPARES));
	if (!w->seen || leat__stack_worker_init(w) < 0) {
		worker_free(rt, w);
		return NULL;
	}
	memset(w->seen, 0, leat__seen_size(rt->nasked + LEAT__SPARES));
	return w;
}

/* 80% of what is there: past that, an error is better than the OOM killer. */
static uint64_t memory_limit(void)
{
	return leat__memory_available() / 10 * 8;
}

static int worker_count(const leat_options *options)
{
	const char *env = getenv("LEAT_WORKERS");
	char *end;
	long n;

	if (options->workers < 0 || options->workers > LEAT__MAX_WORKERS) {
		leat__log("leat_options.workers is %d; it must be 0 to %d", options->workers,
			  LEAT__MAX_WORKERS);
		return -EINVAL;
	}
	if (options->workers > 0)
		return options->workers;
	if (env && *env) {
		n = strtol(env, &end, 10);
		if (*end != '\0' || n < 1 || n > LEAT__MAX_WORKERS) {
			leat__log("LEAT_WORKERS is '%s'; it must be a number from 1 to %d", env,
				  LEAT__MAX_WORKERS);
			return -EINVAL;
		}
		return (int)n;
	}
	n = leat__cpu_count();
	return n < LEAT__MAX_WORKERS ? (int)n : LEAT__MAX_WORKERS;
}

static int blocking_limit(const leat_options *options)
{
	if (options->blocking_threads < 0 || options->blocking_threads > BLOCKING_MAX) {
		leat__log("leat_options.blocking_threads is %d; it must be 0 to %d",
			  options->blocking_threads, BLOCKING_MAX);
		return -EINVAL;
	}
	return options->blocking_threads > 0 ? options->blocking_threads : BLOCKING_THREADS;
}

static int sim_seed(const leat_options *options, uint64_t *ret_seed)
{
	const char *env = getenv("LEAT_SIM");
	char *end;

	*ret_seed = options->sim_seed;
	if (*ret_seed != 0 || !env || !*env)
		return 0;
	*ret_seed = strtoull(env, &end, 10);
	if (*end == '\0' && *ret_seed != 0)
		return 0;
	leat__log("LEAT_SIM is '%s'; it must be a seed, a number above 0", env);
	return -EINVAL;
}

void leat__at_stop(struct leat__runtime *rt, void (*fn)(struct leat__runtime *rt))
{
	uint32_t i = leat__fetch_add(&rt->nat_stop, 1);

	LEAT_CHECK(i < LEAT__AT_STOP_MAX);
	leat__store_release(&rt->at_stop[i], fn);
}

static void runtime_free(struct leat__runtime *rt)
{
	for (uint32_t i = 0; i < rt->nat_stop; i++)
		rt->at_stop[i](rt);
	leat__pool_fini(&rt->pool);
	for (int i = 0; i < rt->nworkers; i++)
		if (rt->worker[i])
			worker_free(rt, rt->worker[i]);
	if (rt->io_fini)
		rt->io_fini(rt);
	leat__poll_fini(rt);
	leat__task_fini(rt);
	leat__stack_fini(rt);
	if (rt->root)
		leat__free(rt->root, sizeof(*rt->root));
	if (rt->sim)
		leat__sim_destroy(rt->sim);
	leat__rt = NULL;
	leat__log_hook = NULL;
	leat__process_free(rt);
}

/* The parts of a runtime, without its threads. */
static int runtime_make(struct leat__runtime *rt, uint64_t seed)
{
	int limit = blocking_limit(&rt->options);

	if (limit < 0)
		return limit;
	leat__pool_init(&rt->pool, (uint32_t)limit);
	rt->memory_limit = memory_limit();
	rt->can_guard = true;
	rt->timekeeper = -1;
	rt->next_id = 1;
	rt->cancel_epoch = 1;
	if (seed != 0) {
		rt->nworkers = rt->nasked = 1;
		rt->sim = leat__sim_create(seed);
		if (!rt->sim)
			return -ENOMEM;
	}
	rt->root = leat__alloc(sizeof(*rt->root));
	if (!rt->root)
		return -ENOMEM;
	leat__scope_init(rt->root, NULL, NULL, LEAT__S_ROOT | LEAT__S_ISOLATE);
	rt->root->name = "root";
	for (int i = 0; i < rt->nworkers; i++) {
		rt->worker[i] = worker_make(rt, i);
		if (!rt->worker[i])
			return -ENOMEM;
	}
	return 0;
}

static struct leat__task *make_main(struct leat__runtime *rt)
{
	struct leat__task *t = leat__task_alloc(rt->worker[0], 0);

	if (!t)
		return NULL;
	t->flags = LEAT__T_MAIN;
	t->scope = rt->root;
	t->type = &main_type;
	t->id = leat__task_new_id(rt->worker[0]);
	leat__store_relaxed(&t->state, LEAT__READY);
	rt->root->owner = t;
	return t;
}

static void stop_threads(struct leat__runtime *rt, int n)
{
	leat__store_relaxed(&rt->stopping, 1);
	for (int i = 1; i < n; i++)
		leat__wake_worker(rt->worker[i]);
	for (int i = 1; i < n; i++)
		leat__thread_join(rt->worker[i]->thread);
}

int leat__spare_start(struct leat__runtime *rt)
{
	int n = rt->nasked + rt->nspares, r;
	struct leat__worker *w;

	if (leat__nworkers(rt) < n)
		return -EAGAIN; /* the one before has yet to begin */
	w = worker_make(rt, n);
	if (!w)
		return -ENOMEM;
	rt->worker[n] = w;
	r = (int)LEAT__SYS(leat__thread_start(&w->thread, thread_main, w));
	if (r < 0) {
		rt->worker[n] = NULL;
		worker_free(rt, w);
		return r;
	}
	rt->nspares++;
	return 0;
}

static int start_threads(struct leat__runtime *rt)
{
	int r;

	for (int i = 1; i < rt->nasked; i++) {
		r = (int)LEAT__SYS(leat__thread_start(&rt->worker[i]->thread, thread_main,
						      rt->worker[i]));
		if (r < 0) {
			stop_threads(rt, i);
			return r;
		}
	}
	r = leat__watchdog_start(rt);
	if (r < 0)
		stop_threads(rt, rt->nasked);
	return r;
}

static int run(struct leat__runtime *rt)
{
	const leat_options *o = &rt->options;
	struct leat__task *t = make_main(rt);
	int r = t ? start_threads(rt) : -ENOMEM;
	bool was_blocked;

	if (r < 0)
		return r;
	/* Not before: when a thread cannot be started, nothing of the user's has run. */
	leat__injector_push(rt, t, t, 1);
	if (o->worker_start)
		o->worker_start(o->hook_ctx, 0);
	was_blocked = leat__sigpipe_begin(); /* the other workers block all signals */
	leat__worker_main(rt->worker[0]);
	leat__sigpipe_end(was_blocked);
	if (o->worker_stop)
		o->worker_stop(o->hook_ctx, 0);
	leat__watchdog_stop(rt);
	stop_threads(rt, rt->nasked + rt->nspares);
	leat__park_fini();
	return rt->deadlocked ? -EDEADLK : rt->main_result;
}

int leat_run(const leat_options *options, int (*fn)(void *arg), void *arg)
{
	leat_options o = { .size = sizeof(o) };
	struct leat__runtime *rt;
	uint64_t seed;
	int r = 0;

	if (options)
		memcpy(&o, options, options->size < sizeof(o) ? options->size : sizeof(o));
	leat__check_fork(__func__, NULL);
	if (!leat__cas(&running, 0, 1))
		return -EBUSY;
	if (!has_fork_handler)
		r = leat__on_fork_child(after_fork);
	has_fork_handler = r == 0;
	rt = r == 0 ? leat__process_alloc(sizeof(*rt)) : NULL;
	if (!rt) {
		leat__store_release(&running, 0);
		return -ENOMEM;
	}
	rt->number = ++started;
	rt->options = o;
	rt->main_fn = fn;
	rt->main_arg = arg;
	leat__list_init(&rt->all_stacks);
	leat__log_hook = o.log;
	leat__log_ctx = o.log_ctx;
	leat__fence_heavy_init();
	leat__rt = rt;
	r = sim_seed(&o, &seed);
	if (r == 0) {
		r = worker_count(&o);
		if (r > 0) {
			rt->nworkers = rt->nasked = r;
			r = runtime_make(rt, seed);
		}
	}
	if (r == 0)
		r = run(rt);
	if (rt->sim)
		leat__sim_last_hash = leat__sim_hash(rt->sim);
	runtime_free(rt);
	leat__store_release(&running, 0);
	return r;
}

int leat_workers(void)
{
	return leat__rt ? leat__rt->nasked : 0;
}
