/*
 * A pool: see leat/pool.h, and docs/design/patterns.md for why.
 *
 * L is leat_pool.lock; o: of the task that works for the record; c: never changed; a: atomic.
 *
 *	submit	S1 send to the channel; per key, put into the key's list then: see pool_key.c
 *		S2 open: lock; a worker may begin (running < limit, none is starting): out of the
 *		   idle list, running + 1, starting; unlock; spawn its task
 *	task	T1 the worker's state is made, at its first job
 *		T2 receive; it was starting: lock; it is not any more; unlock; look into the
 *		   channels: there is more: S2; work; hand on.  With prefetch: receive some, work
 *		   on each, hand on what is out; all of that is done before T3
 *		T3 nothing there, also when others have had some turns, for who submits would start
 *		   a task anew; or too many: lock; running - 1, into the idle list; unlock
 *		T4 look into the channels once more: jobs are there: S2, for itself
 * One worker starts at a time: short jobs are done by few, however many there may be.
 * S1 and T4 (or the look of T2) hold the lock of the same channel in turn, or per key that of the
 * lists.  S1 first: T4 sees the job.  T4 first: S1 comes after it, so S2 sees that the pool is
 * open, which T3 has written before.  The end of a job may make the next of its key ready: who has
 * ended it looks for a job, at the latest in T4.
 */
#ifndef LEAT_PATTERNS_POOL_H
#define LEAT_PATTERNS_POOL_H

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <leat/leat.h>
#include <leat/pool.h>

#include "patterns/stats.h"

/*
 * What each job goes through begins a line of the cache: what is linked before it does not decide
 * how fast it is.
 */
#define LEAT__OWN_LINE __attribute__((aligned(64)))

/* An item of a queue: a job, and behind it, at job_size rounded up, a stamp. */
enum { LEAT__POOL_ITEM_MAX = LEAT_POOL_JOB_MAX + 16 };

/* Jobs one in the other on a stack of 64 KiB: some 4 KiB each (ASan: 8), and what the jobs need. */
enum { DEPTH_MAX = 4 };

/* A part of the ledger.  Read by anybody; written by one task at a time, unless it is shared. */
struct leat__counts {
	_Atomic uint64_t out, failed, cancelled, unwanted;
	_Atomic uint64_t held;	/* in flight here: in a worker's hand, or one in the other */
	bool shared;		/* (c) */
};

/*
 * Prefetch: jobs that a worker has taken together.  Those from begun on wait, the one before it is
 * at work.  Those from first up to that are out, but still held in the worker's counts, and their
 * results are here; those before first are done with.
 */
struct leat__hand {
	char *items, *results;	/* (c) room for prefetch of each, behind the worker's state */
	int taken, begun, first; /* (o) */
	int queue;		/* (o) the one that they come from */
};

struct leat__pool_worker {
	struct leat_pool *pool;	/* (c) */
	struct leat__pool_worker *next; /* (L) in the list of all */
	struct leat__pool_worker *next_idle; /* (L) */
	_Atomic uint64_t task;	/* id of the task that works for it; 0: none */
	int64_t idle_since;	/* (L) */
	int index;		/* (c) */
	int lenders;		/* (L) tasks below it that wait for the pool: pool_lend.c */
	uint32_t below;		/* (o) jobs on other stacks, which wait for the present one */
	bool has_state;		/* (o), (L) of an idle one */
	bool starting;		/* (o) has not taken a job yet */
	struct leat__counts counts;
	struct leat__hand hand;
	struct leat__meter meter; /* written by the task, or with no task under L */
	char state[] __attribute__((aligned(16))); /* (o) a copy of options.state */
};

/* leat_pool.flags: a worker may begin; per key (always).  A submit asks for both at once. */
enum { LEAT__POOL_OPEN = 1, LEAT__POOL_KEYED = 2 };

struct leat_pool {
	leat_pool_options o;	/* (c) */
	leat_channel *queue[LEAT_POOL_PRIORITIES]; /* (c) of jobs; [0] the most urgent */
	int nqueues;		/* (c) */
	leat_group group;	/* of the tasks */
	leat_mutex lock;
	leat_cond quiet;	/* nobody is at work any more, or ended has become true */
	struct leat__pool_worker *all; /* (L) */
	struct leat__pool_worker *idle; /* (L) last in, first out; those with a state first */
	int next_index;		/* (L) of a worker */
	struct leat__counts gone; /* (L) of workers that are no more */
	int64_t gone_times[LEAT__METER_STATES]; /* (L) of the same */
	struct leat__limits limits; /* of all workers */
	struct leat__times service, queueing; /* how long jobs take, and waited */
	size_t item_size, stamp_at; /* (c) the latter in an item */
	/* (a) without a lock: a race makes a stamp too many or too few */
	_Atomic uint32_t stamps, stamp_skip; /* given so far; jobs without one, still to come */
	_Atomic uint32_t stamp_stride; /* jobs without one between two that have one */
	_Atomic int hand_max;	/* jobs that a worker may take at once, as quick as they are */
	int64_t began;		/* (c) */
	_Atomic int running;	/* (L, a) records with a task */
	_Atomic int limit;	/* (L, a) how many may have one, by the next three */
	bool paused;		/* (L) */
	int workers;		/* (L) the limit when nothing is lent, and it is not paused */
	_Atomic int lent;	/* (L, a) workers with lenders, and lenders of none */
	int states;		/* (L) of workers; no more of idle ones than workers */
	bool starting;		/* (L) one of the workers is */
	bool closed;		/* (L) */
	struct leat__pool_caller *callers; /* (L) who does a job now, and is no worker */
	int ncallers;		/* (L) */
	int closing;		/* (L) calls that close or stop it, and are not through with it */
	_Atomic int refs;	/* on the memory alone: of the owner, and of all those calls */
	bool ended;		/* (L) closed, and everything is done; no worker begins any more */
	bool trims;		/* (L) leat__pool_trim_later has been called, and it has not come */
	_Atomic uint8_t flags;	/* (L, a) LEAT__POOL_OPEN, LEAT__POOL_KEYED */
	_Atomic int error;	/* (a) why it was stopped; 0: it was not */
	_Atomic uint64_t direct; /* accepted without the channels */
	_Atomic uint64_t oldest, newest; /* dropped by the policy of overflow */
	_Atomic uint64_t dropped_queued; /* cancelled in the queue */
	struct leat__counts caller; /* of callers that run; shared */
	struct leat__pool_window *window; /* as submitted; else NULL */
	struct leat__pool_keys *keys; /* per key; else NULL */
	leat_mutex take_lock;	/* as submitted: receive and take a number in one step */
	uint64_t taken;		/* (L: take_lock) */
	char state[] __attribute__((aligned(16))); /* (c) what workers copy */
};

/* pool_worker.c */
/* S2, for a pool that is open. */
void leat__pool_start(struct leat_pool *pool);
/* S2: starts a worker if that may be. */
static inline void leat__pool_wake(struct leat_pool *pool)
{
	/* Relaxed: the lock of the channel orders it. */
	if (atomic_load_explicit(&pool->flags, memory_order_relaxed) & LEAT__POOL_OPEN)
		leat__pool_start(pool);
}
/* Under the lock: the one that the task works for; NULL: none. */
struct leat__pool_worker *leat__pool_by_task(struct leat_pool *pool, uint64_t task);
/* That of the calling task; NULL: none, also if it is only below it. */
struct leat__pool_worker *leat__pool_self(struct leat_pool *pool);
bool leat__pool_has_jobs(struct leat_pool *pool);
/* The same without those that wait for their keys: a worker would find one. */
bool leat__pool_is_ready(struct leat_pool *pool);
/* Under the lock. */
struct leat__pool_worker *leat__pool_worker_new(struct leat_pool *pool);
/* Under the lock: w has no task, and may begin again. */
void leat__pool_to_idle(struct leat__pool_worker *w);
/* Ends the state of w, if it has one, which pool->states does not count any more.  May block. */
void leat__pool_end_state(struct leat__pool_worker *w);
/* The same, and frees it; nobody knows of it any more. */
void leat__pool_worker_free(struct leat__pool_worker *w);
/* Under the lock: limit and open, as they follow from what has changed. */
void leat__pool_update_open(struct leat_pool *pool);
/* Closes the results when everything is done: after each end of a worker, and the close. */
void leat__pool_look_for_end(struct leat_pool *pool);

/* T2: w has taken its first job, so another may start. */
void leat__pool_started(struct leat__pool_worker *w);

/* pool_job.c */
/* T2 until there is nothing. */
void leat__pool_do_jobs(struct leat_pool *pool, struct leat__pool_worker *w);
/* T2 once; false: there is no job. */
bool leat__pool_take_and_do(struct leat_pool *pool, struct leat__pool_worker *w);
/* Does a job that has been taken, an item. */
void leat__pool_do(struct leat_pool *pool, struct leat__pool_worker *w, char *item, uint64_t seq);
/* Does the next job that w has in hand, inside another that waits; there is one. */
void leat__pool_do_next(struct leat_pool *pool, struct leat__pool_worker *w);
/* Hands on what is out of w's hand, since the job at work waits or fails.  May block. */
void leat__pool_hand_on_early(struct leat_pool *pool, struct leat__pool_worker *w);
static inline int leat__pool_in_hand(const struct leat__pool_worker *w)
{
	return w->hand.taken - w->hand.begun;
}

/* No more are at work than there may be. */
static inline bool leat__pool_may_go_on(struct leat_pool *pool)
{
	/* Relaxed: too many go, or too few; T4 and the next T2 see to it. */
	return atomic_load_explicit(&pool->running, memory_order_relaxed) <=
	       atomic_load_explicit(&pool->limit, memory_order_relaxed);
}

static inline void leat__pool_busy(struct leat__pool_worker *w)
{
	leat__meter_is_in(&w->meter, LEAT_STAGE_BUSY);
}

/* Under the lock: of a worker that has no task. */
static inline enum leat_stage_state leat__pool_idle_state(struct leat_pool *pool)
{
	return pool->paused ? LEAT_STAGE_LIMITED : LEAT_STAGE_STARVED;
}

/* pool.c */
/* A caller, no worker, that does a job in a group of its own, which a stop cancels. */
struct leat__pool_caller {
	leat_group group;
	struct leat_pool *pool;	/* (c) */
	char *item;		/* (c) */
	struct leat__pool_caller *next, **link; /* (L) where it is in the list */
};

/* 0: it may; LEAT_ECLOSED; -EAGAIN: the pool is paused, and no job begins. */
int leat__pool_caller_begin(struct leat__pool_caller *c);
void leat__pool_caller_end(struct leat__pool_caller *c);
/* The task of the job that the calling one does or is below, a worker's or a caller's; 0: none. */
uint64_t leat__pool_job_above(struct leat_pool *pool);
/* Takes out of the queue the job that has waited for longest; false: there is none. */
bool leat__pool_take_oldest(struct leat_pool *pool, leat_channel *queue, char *item);
/* One that is not done, and has been accepted: counter says how it ends. */
void leat__pool_drop(struct leat_pool *pool, void *job, _Atomic uint64_t *counter);
/* Of a pool that was stopped: all that are queued. */
void leat__pool_drop_queued(struct leat_pool *pool);

/* pool_submit.c */
/*
 * What a worker's job waits for: to send item to chan, or (NULL) to receive from it into elem; or,
 * without a chan, that item is done.
 */
struct leat__pool_wait {
	leat_channel *chan;
	char *item;
	void *elem;
	int64_t deadline;
};

/* Does other jobs meanwhile.  As leat_channel_send, leat_channel_recv; 0. */
int leat__pool_wait_for(struct leat_pool *pool, struct leat__pool_worker *w,
			const struct leat__pool_wait *wait);

/* The same by anybody, who does nothing meanwhile. */
int leat__pool_wait_idly(const struct leat__pool_wait *wait);

/* pool_lend.c */
/* The same by a task below a job of task; or -ENOMEM. */
int leat__pool_lend(struct leat_pool *pool, uint64_t task, const struct leat__pool_wait *wait);

/* pool_deep.c */
/* The same on another stack; or -ENOMEM, -ECANCELED: there is none. */
int leat__pool_go_deeper(struct leat_pool *pool, struct leat__pool_worker *w,
			 const struct leat__pool_wait *wait);

/* pool_trim.c */
/* Under the lock: w is idle from now on, and goes if it stays so. */
void leat__pool_trim_later(struct leat_pool *pool, struct leat__pool_worker *w);
/* There are more states than workers now: those of idle ones end, in a task. */
void leat__pool_end_surplus(struct leat_pool *pool);
/* Adds part to sum. */
void leat__counts_add(struct leat__counts *sum, struct leat__counts *part);

/* pool_key.c */
int leat__pool_keys_create(struct leat_pool *pool);
/* No job may be there, nor at work. */
void leat__pool_keys_free(struct leat_pool *pool);
/* S1, second part: a job that has its place.  0; -ENOMEM: it has none any more. */
int leat__pool_key_put(struct leat_pool *pool, const leat_channel *queue, const char *item);
/* A place though the queue is full.  0, or LEAT_ECLOSED. */
int leat__pool_key_beyond(struct leat_pool *pool, leat_channel *queue, const char *item);
/* How many have such a place. */
uint64_t leat__pool_keys_beyond(struct leat_pool *pool);
/* ns for which jobs have waited for their keys, and no other was there. */
int64_t leat__pool_keys_waited(struct leat_pool *pool, int64_t now);
/* T2 takes a job, of whose key none begins before leat__pool_key_leave.  false: none is ready. */
bool leat__pool_key_take(struct leat_pool *pool, char *item);
void leat__pool_key_leave(struct leat_pool *pool, uint64_t key);
bool leat__pool_key_is_ready(struct leat_pool *pool);
/* As leat__pool_take_oldest. */
bool leat__pool_key_oldest(struct leat_pool *pool, const leat_channel *queue, char *item);

/* pool_window.c */
int leat__pool_window_create(struct leat_pool *pool);
void leat__pool_window_free(struct leat_pool *pool);
/*
 * The result of job seq, held in counts until now; NULL: there is none, and it is counted already.
 * Blocks while the window is full.
 */
void leat__pool_window_put(struct leat_pool *pool, struct leat__pool_worker *w,
			   struct leat__counts *counts, uint64_t seq, const void *result);
/* The pool was stopped, or something lent: nobody waits for room any more. */
void leat__pool_window_wake(struct leat_pool *pool);
/* Nobody works any more: drops the results that have not been handed on. */
void leat__pool_window_drop(struct leat_pool *pool);
struct leat__counts *leat__pool_window_counts(struct leat_pool *pool);
/*
 * Sends a result that counts holds to who receives them.  true: it is out, which the caller counts;
 * false: it was dropped, and is counted.  w: who does; NULL: no worker.
 */
bool leat__pool_hand_on(struct leat_pool *pool, struct leat__pool_worker *w,
			struct leat__counts *counts, const void *result);

/* n more, or less, of counts that are not shared.  Release: pairs with leat__counts_add. */
static inline void leat__tally_own(_Atomic uint64_t *which, int64_t n)
{
	if (!LEAT__IS_BARE)
		atomic_store_explicit(which, atomic_load_explicit(which, memory_order_relaxed) +
						     (uint64_t)n, memory_order_release);
}

/* Of any. */
static inline void leat__tally(struct leat__counts *counts, _Atomic uint64_t *which, int64_t n)
{
	if (!counts->shared)
		leat__tally_own(which, n);
	else if (!LEAT__IS_BARE)
		atomic_fetch_add_explicit(which, (uint64_t)n, memory_order_release);
}

/* An item that was held here has come to this end. */
static inline void leat__tally_end(struct leat__counts *counts, _Atomic uint64_t *end)
{
	leat__tally(counts, &counts->held, -1);
	leat__tally(counts, end, 1);
}

/*
 * Stamps: when a job was submitted, for those that are timed: of quick jobs one in 1,024, of slow
 * ones each, and each of the first, which may all come before one of them has shown what it is.  A
 * stamp is the time in ns, times 16, plus the logarithm of how many jobs it stands for; 0: none.
 */
enum { LEAT__STAMPS_FIRST = 1024, LEAT__STAMP_UNIT = 16 };
uint64_t leat__pool_stamp_now(struct leat_pool *pool);
static inline uint64_t leat__pool_stamp(struct leat_pool *pool)
{
	uint32_t skip = atomic_load_explicit(&pool->stamp_skip, memory_order_relaxed);

	if (skip == 0)
		return leat__pool_stamp_now(pool);
	atomic_store_explicit(&pool->stamp_skip, skip - 1, memory_order_relaxed);
	return 0;
}

/* Whether none of the next n jobs has a stamp; they have been counted then. */
static inline bool leat__pool_skip_stamps(struct leat_pool *pool, size_t n)
{
	uint32_t skip = atomic_load_explicit(&pool->stamp_skip, memory_order_relaxed);

	if (skip < n)
		return false;
	atomic_store_explicit(&pool->stamp_skip, skip - (uint32_t)n, memory_order_relaxed);
	return true;
}

static inline uint64_t leat__pool_stamp_of(const struct leat_pool *pool, const char *item)
{
	uint64_t stamp;

	if (LEAT__IS_BARE)
		return 0;
	__builtin_memcpy(&stamp, item + pool->stamp_at, sizeof(stamp));
	return stamp;
}

/* Makes an item of a job; skipped: it has no stamp. */
static inline void leat__pool_wrap(struct leat_pool *pool, char *item, const void *job,
				   bool skipped)
{
	size_t size = pool->o.job_size;
	uint64_t stamp;

	/* The commonest sizes, without a call. */
	if (size == 8)
		__builtin_memcpy(item, job, 8);
	else if (size == 16)
		__builtin_memcpy(item, job, 16);
	else
		memcpy(item, job, size);
	if (LEAT__IS_BARE)
		return;
	stamp = skipped ? 0 : leat__pool_stamp(pool);
	__builtin_memcpy(item + pool->stamp_at, &stamp, sizeof(stamp));
}

/* Jobs that w does one in the other on its present stack; what is out has been handed on. */
static inline uint64_t leat__pool_depth(struct leat__pool_worker *w)
{
	return atomic_load_explicit(&w->counts.held, memory_order_relaxed) - w->below -
	       (uint64_t)leat__pool_in_hand(w);
}

static inline int leat__pool_error(struct leat_pool *pool)
{
	return atomic_load_explicit(&pool->error, memory_order_acquire);
}

#endif
