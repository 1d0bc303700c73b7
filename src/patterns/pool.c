/* A pool's life: made, closed, drained, stopped, ended; paused and resized; its ledger. */
#include "patterns/pool.h"

#include <string.h>

#include <leat/extend.h>

#include "patterns/options.h"

enum { LEDGER_TRIES = 8 };

#define BAD(ok, ...) OPTION("leat_pool_make", ok, __VA_ARGS__)

static int check_order(const leat_pool_options *o)
{
	bool submitted = o->order == LEAT_POOL_AS_SUBMITTED, keyed = o->order == LEAT_POOL_PER_KEY;

	BAD(o->order >= 0 && o->order <= LEAT_POOL_PER_KEY, "order is %d; give one of enum leat_pool_order",
	    (int)o->order);
	BAD(!o->results || o->order != 0, "order is not given; the jobs have results");
	BAD(o->results || !submitted, "order is LEAT_POOL_AS_SUBMITTED, but the jobs have no results");
	BAD(!submitted || o->window > 0, "window is 0; as submitted it must be > 0");
	BAD(submitted || o->window == 0, "window is %zu, but order is not LEAT_POOL_AS_SUBMITTED",
	    o->window);
	BAD(o->window <= PTRDIFF_MAX / (o->result_size + 1) / 2,
	    "window is %zu; that is more than memory", o->window);
	BAD(!submitted || o->priorities <= 1, "priorities is %d, but order is LEAT_POOL_AS_SUBMITTED",
	    o->priorities);
	BAD((!submitted && !keyed) || o->overflow != LEAT_OVERFLOW_CALLER_RUNS,
	    "overflow is LEAT_OVERFLOW_CALLER_RUNS, but order is LEAT_POOL_%s: it would overtake",
	    submitted ? "AS_SUBMITTED" : "PER_KEY");
	BAD((!submitted && !keyed) || o->prefetch <= 1, "prefetch is %d, but order is LEAT_POOL_%s",
	    o->prefetch, submitted ? "AS_SUBMITTED" : "PER_KEY");
	BAD(!keyed || o->key, "key is not given; order is LEAT_POOL_PER_KEY");
	BAD(keyed || !o->key, "key is given, but order is not LEAT_POOL_PER_KEY");
	return 0;
}

static int check_options(const leat_pool_options *o)
{
	BAD(o->work, "work is NULL");
	BAD(o->job_size <= LEAT_POOL_JOB_MAX, "a job has %zu bytes, more than %d; pass a pointer",
	    o->job_size, LEAT_POOL_JOB_MAX);
	BAD(o->result_size <= LEAT_POOL_JOB_MAX, "a result has %zu bytes, more than %d; pass a pointer",
	    o->result_size, LEAT_POOL_JOB_MAX);
	BAD(o->workers > 0, "workers is %d; it must be > 0", o->workers);
	BAD(o->queue > 0, "queue is 0; give the number of jobs that may wait");
	BAD(o->queue <= PTRDIFF_MAX / (o->job_size + 16), "queue is %zu; that is more than memory",
	    o->queue);
	BAD(o->overflow >= LEAT_OVERFLOW_BLOCK && o->overflow <= LEAT_OVERFLOW_DROP_NEWEST,
	    "overflow is %d; give one of enum leat_overflow", (int)o->overflow);
	BAD(o->on_error == LEAT_ERROR_STOP || o->on_error == LEAT_ERROR_COUNT,
	    "on_error is %d; give LEAT_ERROR_STOP or LEAT_ERROR_COUNT", (int)o->on_error);
	BAD(o->priorities >= 0 && o->priorities <= LEAT_POOL_PRIORITIES,
	    "priorities is %d; it must be 0 to %d", o->priorities, LEAT_POOL_PRIORITIES);
	BAD(o->prefetch >= 0 && o->prefetch <= LEAT_POOL_PREFETCH_MAX,
	    "prefetch is %d; it must be 0 to %d", o->prefetch, LEAT_POOL_PREFETCH_MAX);
	BAD(o->results || !o->drop_result, "drop_result is given, but the jobs have no results");
	BAD(o->state || (!o->init && !o->fini), "state is NULL; give one of which workers have copies");
	BAD(!o->state || (o->init && o->fini), "init or fini is NULL, but there is a state");
	BAD(!o->state || o->overflow != LEAT_OVERFLOW_CALLER_RUNS,
	    "overflow is LEAT_OVERFLOW_CALLER_RUNS, but callers have no state");
	BAD(o->idle >= 0, "idle is %lld ns; it must be >= 0", (long long)o->idle);
	return check_order(o);
}

static void unref(struct leat_pool *pool)
{
	/* Release and acquire: who frees it has seen what the others did with it. */
	if (atomic_fetch_sub_explicit(&pool->refs, 1, memory_order_acq_rel) == 1)
		leat_free(pool, sizeof(*pool) + pool->o.state_size);
}

static void release(struct leat_pool *pool)
{
	struct leat__pool_worker *w, *next;

	for (w = pool->all; w; w = next) {
		next = w->next;
		leat__pool_worker_free(w);
	}
	for (int i = 0; i < pool->nqueues; i++)
		leat_channel_unref(pool->queue[i]);
	leat_channel_unref(pool->o.results);
	leat__pool_window_free(pool);
	leat__pool_keys_free(pool);
	unref(pool);
}

static int make_parts(struct leat_pool *pool)
{
	const leat_pool_options *o = &pool->o;

	/* Per key the jobs are elsewhere: see pool_key.c. */
	size_t size = o->order == LEAT_POOL_PER_KEY ? 1 : pool->item_size;

	for (int i = 0; i < (o->priorities > 0 ? o->priorities : 1); i++) {
		pool->queue[i] = leat_channel_create(size, o->queue, NULL,
						     o->name ? o->name : "pool");
		if (!pool->queue[i])
			return -ENOMEM;
		pool->nqueues++;
	}
	pool->idle = leat__pool_worker_new(pool);
	if (!pool->idle)
		return -ENOMEM;
	if (o->order == LEAT_POOL_AS_SUBMITTED)
		return leat__pool_window_create(pool);
	return o->order == LEAT_POOL_PER_KEY ? leat__pool_keys_create(pool) : 0;
}

static void set_sizes(struct leat_pool *pool)
{
	size_t job = pool->o.job_size;

	pool->stamp_at = LEAT__IS_BARE ? job : (job + 7) & ~(size_t)7;
	pool->item_size = pool->stamp_at + (LEAT__IS_BARE ? 0 : sizeof(uint64_t));
	/* Side by side in a hand, each is aligned as any job may have to be. */
	if (pool->o.prefetch > 1)
		pool->item_size = (pool->item_size + 15) & ~(size_t)15;
}

int leat_pool_create(leat_pool_raw **ret_pool, const leat_pool_options *options)
{
	struct leat_pool *pool;
	int r;

	if (!options || options->size != sizeof(*options))
		leat_misuse(__func__, options, "the size is not set; use leat_pool_make");
	NEEDS_RUNTIME("leat_pool_make");
	r = check_options(options);
	if (r < 0)
		return r;
	pool = leat_alloc(sizeof(*pool) + options->state_size);
	if (!pool)
		return -ENOMEM;
	memset(pool, 0, sizeof(*pool));
	pool->o = *options;
	if (options->state) {
		/* Workers begin later, when the caller's may be gone. */
		memcpy(pool->state, options->state, options->state_size);
		pool->o.state = pool->state;
	}
	pool->workers = options->workers;
	if (options->prefetch < 1)
		pool->o.prefetch = 1;
	set_sizes(pool);
	/* Without stamps nobody finds out whether jobs are quick. */
	atomic_init(&pool->hand_max, LEAT__IS_BARE ? pool->o.prefetch : 1);
	atomic_init(&pool->stamp_stride, LEAT__SAMPLE_ONE_IN - 1);
	pool->began = leat_now();
	pool->caller.shared = true;
	atomic_init(&pool->refs, 1);
	leat__pool_update_open(pool);
	if (pool->o.results)
		leat_channel_ref(pool->o.results);
	r = make_parts(pool);
	if (r == 0)
		r = leat_group_init(&pool->group,
				    LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE, .shared = true,
						       .name = options->name));
	if (r < 0) {
		release(pool);
		return r;
	}
	*ret_pool = pool;
	return 0;
}

static void check(const char *function, const struct leat_pool *pool)
{
	if (!pool)
		leat_misuse(function, pool, "the pool is NULL; make it with leat_pool_make");
}

/* Under the lock. */
static bool is_at_work(struct leat_pool *pool)
{
	return atomic_load_explicit(&pool->running, memory_order_relaxed) > 0 || pool->callers;
}

/* Under the lock: nobody works, nothing waits. */
static bool is_quiet(struct leat_pool *pool)
{
	return !is_at_work(pool) &&
	       (leat__pool_error(pool) != 0 || !leat__pool_has_jobs(pool));
}

void leat__pool_look_for_end(struct leat_pool *pool)
{
	bool close = false;

	leat_mutex_lock(&pool->lock);
	if (pool->closed && pool->closing == 0 && !pool->ended && is_quiet(pool)) {
		close = pool->o.results != NULL;
		pool->ended = true;
		leat__pool_update_open(pool);
		leat_cond_broadcast(&pool->quiet);
	}
	if (close)
		leat_channel_close(pool->o.results);
	leat_mutex_unlock(&pool->lock);
}

/*
 * Between the two calls the pool does not come to its end, after which its owner may free it: it is
 * a result's receiver that sees the end, and perhaps not who closes the pool.
 */
static void closing_begin(struct leat_pool *pool)
{
	bool first;

	atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
	leat_mutex_lock(&pool->lock);
	pool->closing++;
	first = !pool->closed;
	pool->closed = true;
	leat_mutex_unlock(&pool->lock);
	for (int i = 0; i < pool->nqueues && first; i++)
		leat_channel_close(pool->queue[i]);
}

static void closing_end(struct leat_pool *pool)
{
	leat_mutex_lock(&pool->lock);
	pool->closing--;
	leat_mutex_unlock(&pool->lock);
	leat__pool_look_for_end(pool);
	unref(pool);
}

int leat__pool_caller_begin(struct leat__pool_caller *c)
{
	struct leat_pool *pool = c->pool;
	int r = 0;

	leat_mutex_lock(&pool->lock);
	if (pool->closed) {
		r = LEAT_ECLOSED;
	} else if (pool->paused) {
		r = -EAGAIN;
	} else {
		atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
		c->next = pool->callers;
		c->link = &pool->callers;
		if (c->next)
			c->next->link = &c->next;
		pool->callers = c;
		pool->ncallers++;
	}
	leat_mutex_unlock(&pool->lock);
	return r;
}

void leat__pool_caller_end(struct leat__pool_caller *c)
{
	struct leat_pool *pool = c->pool;

	leat_mutex_lock(&pool->lock);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	pool->ncallers--;
	if (!is_at_work(pool))
		leat_cond_broadcast(&pool->quiet);
	leat_mutex_unlock(&pool->lock);
	leat__pool_look_for_end(pool);
	unref(pool);
}

uint64_t leat__pool_job_above(struct leat_pool *pool)
{
	uint64_t task = leat_task_id_in(&pool->group);

	if (task != 0 || pool->o.overflow != LEAT_OVERFLOW_CALLER_RUNS)
		return task;
	leat_mutex_lock(&pool->lock);
	for (struct leat__pool_caller *c = pool->callers; c && task == 0; c = c->next)
		task = leat_task_id_in(&c->group);
	leat_mutex_unlock(&pool->lock);
	return task;
}

void leat_pool_end_submits(leat_pool_raw *pool)
{
	check(__func__, pool);
	closing_begin(pool);
	closing_end(pool);
}

bool leat__pool_take_oldest(struct leat_pool *pool, leat_channel *queue, char *item)
{
	return pool->keys ? leat__pool_key_oldest(pool, queue, item)
			  : leat_channel_try_recv(queue, item) == 0;
}

void leat__pool_drop(struct leat_pool *pool, void *job, _Atomic uint64_t *counter)
{
	if (pool->o.drop)
		pool->o.drop(job);
	atomic_fetch_add(counter, 1);
}

void leat__pool_drop_queued(struct leat_pool *pool)
{
	char job[LEAT__POOL_ITEM_MAX] __attribute__((aligned(16)));

	for (int i = 0; i < pool->nqueues; i++)
		while (leat__pool_take_oldest(pool, pool->queue[i], job))
			leat__pool_drop(pool, job, &pool->dropped_queued);
}

/* What is running: in tasks of the pool, and of others; no more of these begin. */
static void cancel_jobs(struct leat_pool *pool, int cause)
{
	leat_group_cancel(&pool->group, cause);
	leat_mutex_lock(&pool->lock);
	for (struct leat__pool_caller *c = pool->callers; c; c = c->next)
		leat_group_cancel(&c->group, cause);
	leat_mutex_unlock(&pool->lock);
}

void leat_pool_stop(leat_pool_raw *pool, int cause)
{
	int none = 0;

	check(__func__, pool);
	if (cause > 0)
		leat_misuse(__func__, pool, "cause is %d; it must be a negative error, or 0", cause);
	if (!atomic_compare_exchange_strong(&pool->error, &none, cause < 0 ? cause : -ECANCELED))
		return;
	closing_begin(pool);
	cancel_jobs(pool, cause);
	leat__pool_drop_queued(pool);
	if (pool->window)
		leat__pool_window_wake(pool);
	closing_end(pool);
}

/* A job's own task would wait for its end, and so would one for which it waits. */
static void not_by_worker(const char *function, struct leat_pool *pool)
{
	check(function, pool);
	if (leat__pool_job_above(pool) != 0)
		leat_misuse(function, pool, "called by a job of the pool, which would wait for "
			    "itself; call it in a task outside of the pool");
}

/* Until nobody works, or until everything is done.  0, -ETIMEDOUT, -ECANCELED. */
static int wait_quiet(struct leat_pool *pool, bool drained, int64_t deadline)
{
	int r = 0;

	leat_mutex_lock(&pool->lock);
	while (r == 0 && (drained ? !pool->ended : is_at_work(pool)))
		r = leat_cond_wait_until(&pool->quiet, &pool->lock, deadline);
	leat_mutex_unlock(&pool->lock);
	return r;
}

int leat_pool_wait_drained(leat_pool_raw *pool, int64_t deadline)
{
	int r;

	not_by_worker(__func__, pool);
	leat_pool_end_submits(pool);
	r = wait_quiet(pool, true, deadline);
	return r < 0 ? r : leat__pool_error(pool);
}

/* Others may be closing it. */
static void wait_for_end(struct leat_pool *pool)
{
	bool in_task = leat_task_id() != 0;

	if (in_task)
		leat_shield_begin();
	(void)wait_quiet(pool, true, LEAT_FOREVER);
	if (in_task)
		leat_shield_end();
}

int leat_pool_end(leat_pool_raw *pool, leat_ledger *ret_ledger)
{
	leat_ledger last = { .size = sizeof(last) };
	bool ended;
	int r;

	if (!pool)
		return 0;
	not_by_worker(__func__, pool);
	leat_pool_end_submits(pool);
	leat_mutex_lock(&pool->lock);
	ended = pool->ended;
	leat_mutex_unlock(&pool->lock);
	r = leat__pool_error(pool);
	if (!ended)
		leat_pool_stop(pool, 0);
	/* Timers, and tasks that are about to end. */
	leat_group_cancel(&pool->group, 0);
	(void)leat_group_wait(&pool->group);
	leat_group_release(&pool->group);
	wait_for_end(pool);
	leat__pool_drop_queued(pool);
	if (pool->window)
		leat__pool_window_drop(pool);
	(void)leat_pool_get_ledger(pool, &last);
	/* That it was stopped above matters only if anything was. */
	if (r == 0 && last.cancelled > 0)
		r = leat__pool_error(pool);
	if (ret_ledger)
		(void)leat_pool_get_ledger(pool, ret_ledger);
	release(pool);
	return r;
}

/* With the lock: as many workers as may begin now, and have something to do. */
static void limit_changed(struct leat_pool *pool)
{
	leat__pool_update_open(pool);
	for (struct leat__pool_worker *w = pool->idle; w; w = w->next_idle)
		leat__meter_enter(&w->meter, leat__pool_idle_state(pool));
	leat_mutex_unlock(&pool->lock);
	if (leat__pool_is_ready(pool))
		leat__pool_wake(pool); /* who begins wakes the next: T2 */
}

void leat_pool_set_workers(leat_pool_raw *pool, int n)
{
	bool surplus;

	check(__func__, pool);
	if (n <= 0)
		leat_misuse(__func__, pool, "n is %d; it must be > 0", n);
	leat_mutex_lock(&pool->lock);
	pool->workers = n;
	surplus = pool->states > n;
	limit_changed(pool);
	if (surplus)
		leat__pool_end_surplus(pool);
}

int leat_pool_hold(leat_pool_raw *pool, int64_t deadline)
{
	not_by_worker(__func__, pool);
	leat_mutex_lock(&pool->lock);
	pool->paused = true;
	limit_changed(pool);
	return wait_quiet(pool, false, deadline);
}

void leat_pool_go_on(leat_pool_raw *pool)
{
	check(__func__, pool);
	leat_mutex_lock(&pool->lock);
	pool->paused = false;
	limit_changed(pool);
}

static uint64_t accepted(struct leat_pool *pool, uint64_t *ret_queued)
{
	uint64_t in = atomic_load(&pool->direct), queued = 0;

	for (int i = 0; i < pool->nqueues; i++) {
		uint64_t sent, received;

		leat_channel_totals(pool->queue[i], &sent, &received);
		in += sent;
		queued += sent - received;
	}
	*ret_queued = queued;
	return in;
}

/* Under the lock: what all have counted. */
static struct leat__counts sum_up(struct leat_pool *pool)
{
	struct leat__counts sum = { 0 };

	leat__counts_add(&sum, &pool->gone);
	leat__counts_add(&sum, &pool->caller);
	if (pool->window)
		leat__counts_add(&sum, leat__pool_window_counts(pool));
	for (struct leat__pool_worker *w = pool->all; w; w = w->next)
		leat__counts_add(&sum, &w->counts);
	return sum;
}

/* The ends first, then what is held, then what has come in: see leat/ledger.h. */
static void read_ledger(struct leat_pool *pool, leat_ledger *l)
{
	struct leat__counts sum;

	l->dropped[LEAT_DROPPED_OLDEST] = atomic_load(&pool->oldest);
	l->dropped[LEAT_DROPPED_NEWEST] = atomic_load(&pool->newest);
	l->cancelled = atomic_load(&pool->dropped_queued);
	leat_mutex_lock(&pool->lock);
	sum = sum_up(pool);
	leat_mutex_unlock(&pool->lock);
	l->out = sum.out;
	l->failed = sum.failed;
	l->cancelled += sum.cancelled;
	l->dropped[LEAT_DROPPED_UNWANTED] = sum.unwanted;
	l->in_flight = sum.held + (pool->keys ? leat__pool_keys_beyond(pool) : 0);
}

int leat_pool_get_ledger(leat_pool_raw *pool, leat_ledger *ret_ledger)
{
	leat_ledger l = { 0 };
	uint64_t before, queued;

	check(__func__, pool);
	/* What comes in meanwhile is in none of the ends: once more then, but not for ever. */
	for (int tries = 0; tries < LEDGER_TRIES; tries++) {
		before = accepted(pool, &queued);
		read_ledger(pool, &l);
		l.in = accepted(pool, &queued);
		if (l.in == before)
			break;
	}
	l.in_flight += queued;
	return leat__fill(ret_ledger, &l, sizeof(l));
}

int leat_pool_get_stats(leat_pool_raw *pool, leat_stage_stats *ret_stats)
{
	int64_t time[LEAT__METER_STATES], now = leat_now();
	leat_stage_stats s = { 0 };
	struct leat__counts sum;

	check(__func__, pool);
	s.name = pool->o.name;
	s.elapsed = now - pool->began;
	leat_mutex_lock(&pool->lock);
	s.workers = pool->workers;
	sum = sum_up(pool);
	memcpy(time, pool->gone_times, sizeof(time));
	for (struct leat__pool_worker *w = pool->all; w; w = w->next)
		leat__meter_read(&w->meter, time, now);
	leat_mutex_unlock(&pool->lock);
	leat__limits_read(&pool->limits, time);
	if (pool->keys)
		time[leat__limited(LEAT_LIMIT_KEY)] = leat__pool_keys_waited(pool, now);
	s.items = sum.out + sum.failed + sum.unwanted;
	leat__stats_finish(&s, time, &pool->service, &pool->queueing);
	s.limit_size = s.limit == LEAT_LIMIT_WINDOW ? pool->o.window : 0;
	return leat__fill(ret_stats, &s, sizeof(s));
}
