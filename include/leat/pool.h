/*
 * Worker pool: n workers do typed jobs from a bounded queue.
 *
 *	static int square(int *job, int *ret_result)
 *	{
 *		*ret_result = *job * *job;
 *		return 0;
 *	}
 *	...
 *	leat_chan(int) results = leat_chan_make(int, 100);
 *	leat_pool(int) pool;
 *
 *	r = leat_pool_make_to(&pool, results, square, .workers = 3, .queue = 100,
 *			      .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_STOP,
 *			      .order = LEAT_POOL_AS_COMPLETED);
 *	r = leat_pool_submit(pool, 7);
 *	leat_pool_close(pool);
 *	leat_range(result, results)		// ends when all jobs are done
 *		...
 *	r = leat_pool_destroy(pool, NULL);
 *
 * A worker is a record, and a task only while it has jobs: a pool of 10,000 idle workers costs
 * some hundred bytes for each.  The tasks are in a group of the pool's own below the group of who
 * makes it, so a cancel from above ends it, and its own errors go no further.
 *
 * A job that was accepted ends in one of two ways: the work function gets it and owns what it
 * refers to, or the drop function does.  The ledger counts both, so that it would show if one were
 * lost.  After a submit that failed the caller still owns it.
 *
 * Every call may be made from any task or thread, except where it says otherwise.
 */
#ifndef LEAT_POOL_H
#define LEAT_POOL_H

#include <leat/chan.h>
#include <leat/ledger.h>
#include <leat/stats.h>

/* What a submit does when the queue is full. */
enum leat_overflow {
	LEAT_OVERFLOW_BLOCK = 1,
	LEAT_OVERFLOW_REJECT,	/* returns -EAGAIN */
	/*
	 * The caller does it, one in the other as deep as memory allows: a worker itself, others in
	 * a task that is cancelled with them, and when the pool stops.  While that is paused they
	 * wait.  Not with a state, a window or keys.
	 */
	LEAT_OVERFLOW_CALLER_RUNS,
	LEAT_OVERFLOW_DROP_OLDEST, /* the oldest of that priority goes to the drop function */
	LEAT_OVERFLOW_DROP_NEWEST, /* this one does, and the submit returns 0 */
};

/* What becomes of a pool when a job fails. */
enum leat_on_error {
	LEAT_ERROR_STOP = 1,	/* it stops as by leat_pool_abort with that error */
	LEAT_ERROR_COUNT,	/* the job counts as failed, and the pool goes on */
};

/* In which order results are handed on. */
enum leat_pool_order {
	LEAT_POOL_AS_COMPLETED = 1,
	LEAT_POOL_AS_SUBMITTED,	/* a result waits for those before it; its worker does not */
	/* Jobs of a key are done one by one: by priority, and as submitted; see below. */
	LEAT_POOL_PER_KEY,
};

enum { LEAT_POOL_PRIORITIES = 8, LEAT_POOL_JOB_MAX = 1024, LEAT_POOL_PREFETCH_MAX = 32 };

/* Of whatever arguments the work function has. */
typedef void leat_pool_fn(void);

typedef struct leat_pool leat_pool_raw;

typedef struct leat_pool_options {
	size_t size;		/* sizeof(leat_pool_options) */
	/* The first eight are set by the macros. */
	size_t job_size, result_size; /* bytes, at most LEAT_POOL_JOB_MAX */
	leat_channel *results;	/* NULL: jobs have no results */
	leat_pool_fn *work;	/* ([S *,] Job * [, R *]), 0 or a negative error */
	const void *state;	/* S, of which each worker has a copy; copied; NULL: none */
	size_t state_size;
	int (*init)(void *state, int worker);
	void (*fini)(void *state);
	int workers;		/* > 0: the most that work at once */
	size_t queue;		/* > 0: jobs that may wait, for each priority */
	enum leat_overflow overflow; /* must be given */
	enum leat_on_error on_error; /* must be given */
	enum leat_pool_order order; /* must be given if there are results or a key */
	/*
	 * As submitted: results that may wait for an earlier one; > 0.  Those of jobs that a worker
	 * does while a job of its own waits may be more; without memory for them the pool stops.
	 */
	size_t window;
	uint64_t (*key)(const void *job); /* per key; always the same of the same job */
	int priorities;		/* 1 to LEAT_POOL_PRIORITIES; 0: one; not as submitted */
	int prefetch;		/* jobs that a worker takes at once, at most; 0: one; see below */
	int64_t idle;		/* ns; a worker without a job for so long goes; 0: none goes */
	/* Of jobs that are never begun, of results that nobody takes; NULL: nothing to do. */
	void (*drop)(void *job);
	void (*drop_result)(void *result);
	/* A job has failed; in its task, with what work has left of it; may be NULL. */
	void (*failed)(void *job, int error);
	const char *name;	/* in dumps; must outlive the pool */
} leat_pool_options;

/*
 * With prefetch a worker takes several jobs from the queue at once, and does one after the other.
 * That costs less, which shows where jobs take less than a microsecond.  It is not for long jobs,
 * nor for jobs that wait for each other: what is taken waits for those before it, even while
 * others are idle.
 *
 * - No more are taken than a worker's share: what is queued, by the workers.
 * - They are taken one at a time until a job has been seen to be quick (10 us), and after one that
 *   is slow; of quick ones one in 1,024 is looked at.
 * - Results of quick jobs are handed on together, and the jobs counted as out then: before others
 *   are taken, before a failed one, before an urgent one, and before the worker waits in
 *   leat_pool_submit or leat_pool_recv.  If work waits elsewhere, they wait with it.
 * - What is taken has left the queue: DROP_OLDEST does not reach it, and who pauses the pool waits
 *   for it.  A stop drops it.  More urgent jobs overtake it.
 * - In leat_pool_recv a worker first does what it has taken.
 *
 * Not as submitted, and not per key.
 */

/*
 * Per key, a job whose key is at work waits in the queue, as every job does that has not begun.  So
 * a key with much to do may fill it, and what overflow says is for all keys then.  Workers take
 * the most urgent of the jobs that may begin; keys take turns with jobs of one priority.
 *
 * A job that waits for another one of its own key waits for ever.
 */

/*
 * leat_pool(Job): the handle.
 *
 * leat_pool_make(ret_pool, work, options...): a pool whose jobs have no results; work is
 * int (*)(Job *job).
 * leat_pool_make_to(ret_pool, results, work, options...): sends them to results, a channel of R
 * or its sender's end, of which the pool takes a reference, and which it closes after
 * the last one; work is int (*)(Job *job, R *ret_result).  When the channel is abandoned, the pool
 * goes on with its jobs, which may do more than make results, and drops these (drop_result); who
 * wants nothing more done calls leat_pool_abort.
 *
 * leat_pool_make_with(ret_pool, state, init, fini, work, options...),
 * leat_pool_make_with_to(ret_pool, state, init, fini, results, work, options...): each worker has a
 * state of its own, such as the handle of a database: a copy of what *state, of type S, is now.
 * int (*init)(S *, int worker) is called on it in a task before the worker's first job, and
 * void (*fini)(S *) when it goes, or the pool is made smaller; it is work's first argument.  Both
 * may block; fini is not cancelled.  An error of init stops the pool.
 *
 * Types that do not match do not compile.  Functions among the options, that are given a job or a
 * result, are made of typed ones by LEAT_POOL_DROP(T, fn), LEAT_POOL_KEY(Job, fn),
 * LEAT_POOL_FAILED(Job, fn).
 *
 * Return 0; -EINVAL: an option is bad, or no runtime runs, and the log says which; -ENOMEM;
 * -ECANCELED.  Do not block.
 */
#define leat_pool(J) LEAT__POOL(J)
#define leat_pool_make(ret_pool, work, ...) LEAT__POOL_MAKE(ret_pool, work, __VA_ARGS__)
#define leat_pool_make_to(ret_pool, results, work, ...) \
	LEAT__POOL_MAKE_TO(ret_pool, results, work, __VA_ARGS__)
#define leat_pool_make_with(ret_pool, state, init, fini, work, ...) \
	LEAT__POOL_MAKE_WITH(ret_pool, state, init, fini, work, __VA_ARGS__)
#define leat_pool_make_with_to(ret_pool, state, init, fini, results, work, ...) \
	LEAT__POOL_MAKE_WITH_TO(ret_pool, state, init, fini, results, work, __VA_ARGS__)
#define LEAT_POOL_DROP(T, fn) LEAT__DROP(T, fn)
#define LEAT_POOL_KEY(J, fn) LEAT__POOL_KEY(J, fn)
#define LEAT_POOL_FAILED(J, fn) LEAT__POOL_FAILED(J, fn)

/*
 * leat_pool_submit(pool, job): queues a copy of job, a value; when the queue is full, as the option
 * overflow says.  A worker of the pool itself never waits for a place: it does other
 * jobs of the queue meanwhile, one in the other as deep as memory allows (else -ENOMEM).  Below a
 * job: as leat_pool_recv says.  Per key, what a worker submits, or who is below a job, is queued
 * though the queue is full.
 * leat_pool_try_submit: -EAGAIN when the queue is full.  leat_pool_submit_until: waits to the
 * deadline then; a worker of the pool first ends the job that it does meanwhile.
 * leat_pool_submit_at: with a priority, 0 the most urgent; leat_pool_submit_at_until: both.
 * leat_pool_submit_n(pool, jobs, n): an array, as the option overflow says; how many were
 * accepted, or an error if none was.
 *
 * Return 0: the pool owns the job; LEAT_ECLOSED (closed, aborted), -EAGAIN, -ETIMEDOUT,
 * -ECANCELED, -ENOMEM (of a worker, as above; per key): the caller still does.
 */
#define leat_pool_submit(pool, job) \
	leat_pool_push(LEAT__POOL_RAW(pool), LEAT__VALUE(pool, job), 0)
#define leat_pool_submit_at(pool, priority, job) \
	leat_pool_push(LEAT__POOL_RAW(pool), LEAT__VALUE(pool, job), (priority))
#define leat_pool_submit_at_until(pool, priority, job, deadline)              \
	leat_pool_push_until(LEAT__POOL_RAW(pool), LEAT__VALUE(pool, job), (priority), (deadline))
#define leat_pool_submit_until(pool, job, deadline) \
	leat_pool_submit_at_until(pool, 0, job, deadline)
#define leat_pool_try_submit(pool, job) leat_pool_submit_until(pool, job, INT64_MIN)
#define leat_pool_submit_n(pool, jobs, n) \
	leat_pool_push_n(LEAT__POOL_RAW(pool), LEAT__CPTR(pool, jobs), (n))

LEAT_BEGIN_DECLS

LEAT_API LEAT_MUST_CHECK int leat_pool_create(leat_pool_raw **ret_pool,
					      const leat_pool_options *options);
LEAT_API LEAT_MUST_CHECK int leat_pool_push(leat_pool_raw *pool, const void *job, int priority);
LEAT_API LEAT_MUST_CHECK int leat_pool_push_until(leat_pool_raw *pool, const void *job,
						  int priority, int64_t deadline);
LEAT_API LEAT_MUST_CHECK int64_t leat_pool_push_n(leat_pool_raw *pool, const void *jobs, size_t n);

/*
 * Receives from any channel, as leat_channel_recv; a worker of the pool does jobs of the queue
 * while it waits, as in a submit (as submitted: those that are there, then it lends its place; per
 * key: none, since they may need its key, and it lends its place at once).  For work functions that
 * wait for other jobs of their pool.
 *
 * What waits below a job, here or in a submit, lends its worker's place: a task of a group that the
 * job has made (leat_timeout, another pool), or that it has forked (parallel loops).  Such a task
 * does no jobs itself, which its deadline would cancel, but as long as one waits, one worker more
 * may be at work, with a state of its own.  When the wait is over, that one ends after its present
 * job; and the job's own task is taken to wait, too, whatever it does.  -ENOMEM: no worker can be
 * had.  What waits in a job that a caller does, or below one, lends a place, too.  Others, such as
 * threads of leat_blocking_call or tasks of the root group, are not known to be waited for by a
 * job: with all workers waiting for them, they wait for ever.
 */
LEAT_API int leat_pool_wait_recv(leat_pool_raw *pool, leat_channel *chan, void *elem,
				 int64_t deadline);
#define leat_pool_recv(pool, chan, ptr, deadline) \
	leat_pool_wait_recv(LEAT__POOL_RAW(pool), LEAT__RX(chan), LEAT__PTR(chan, ptr), (deadline))

/* No more submits.  Idempotent.  Never blocks. */
LEAT_API void leat_pool_end_submits(leat_pool_raw *pool);
#define leat_pool_close(pool) leat_pool_end_submits(LEAT__POOL_RAW(pool))

/*
 * Closes the pool and blocks until every job is done and every result handed on, so somebody
 * must receive those.  0, -ETIMEDOUT, -ECANCELED (of the caller), or the error that stopped the
 * pool.  Not from a job of the pool, nor below one: it would wait for itself, and the program is
 * stopped.
 */
LEAT_API LEAT_MUST_CHECK int leat_pool_wait_drained(leat_pool_raw *pool, int64_t deadline);
#define leat_pool_drain(pool, deadline) leat_pool_wait_drained(LEAT__POOL_RAW(pool), (deadline))

/*
 * Stops the pool: running jobs are cancelled, also of callers, queued ones dropped; cause is a
 * negative error, which becomes the pool's if it has none (0: -ECANCELED).  Does not block.
 */
LEAT_API void leat_pool_stop(leat_pool_raw *pool, int cause);
#define leat_pool_abort(pool, cause) leat_pool_stop(LEAT__POOL_RAW(pool), (cause))

/*
 * Aborts what is not drained, waits for what runs, and frees the pool; *ret_ledger, unless
 * NULL, is its last ledger.  Returns the error that stopped it; -ECANCELED: not all was done;
 * else 0.  No other call on the pool may be made or running, except that one that closes or
 * aborts it may not have returned yet.  Not from a job, as drain.  NULL is ignored: 0.
 */
LEAT_API int leat_pool_end(leat_pool_raw *pool, leat_ledger *ret_ledger);
#define leat_pool_destroy(pool, ret_ledger) leat_pool_end(LEAT__POOL_RAW(pool), (ret_ledger))

/*
 * The most workers from now on, n > 0.  More begin at once if jobs wait; those that are too
 * many finish what they have taken.  No more than n keep their states: fini is called, in a task of
 * the pool, on those of idle ones, and of others when they end.  Never blocks.
 */
LEAT_API void leat_pool_set_workers(leat_pool_raw *pool, int n);
#define leat_pool_resize(pool, n) leat_pool_set_workers(LEAT__POOL_RAW(pool), (n))

/*
 * No job begins after leat_pool_pause has returned 0, until leat_pool_resume; it waits for those
 * that workers have taken, and that callers do.  Submits fill the queue.  -ETIMEDOUT, -ECANCELED:
 * it is paused, but some still run.  Not from a job, as drain.
 */
LEAT_API LEAT_MUST_CHECK int leat_pool_hold(leat_pool_raw *pool, int64_t deadline);
LEAT_API void leat_pool_go_on(leat_pool_raw *pool);
#define leat_pool_pause(pool, deadline) leat_pool_hold(LEAT__POOL_RAW(pool), (deadline))
#define leat_pool_resume(pool) leat_pool_go_on(LEAT__POOL_RAW(pool))

/* Fills *ledger up to ledger->size.  0, or -EINVAL: the size is not set.  Never blocks. */
LEAT_API int leat_pool_get_ledger(leat_pool_raw *pool, leat_ledger *ledger);
#define leat_pool_ledger(pool, ledger) leat_pool_get_ledger(LEAT__POOL_RAW(pool), (ledger))

/*
 * Attribution (leat/stats.h): fills *stats up to stats->size.  Limited is paused; elapsed and the
 * shares are for as many workers as it has now.  0, or -EINVAL: the size is not set.  Never blocks.
 */
LEAT_API int leat_pool_get_stats(leat_pool_raw *pool, leat_stage_stats *stats);
#define leat_pool_stats(pool, stats) leat_pool_get_stats(LEAT__POOL_RAW(pool), (stats))

LEAT_END_DECLS

#include <leat/detail/pool.h>

#endif
