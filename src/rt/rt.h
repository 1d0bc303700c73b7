/*
 * The runtime's structures.
 *
 * A field's letter says who may touch it: (c) constant after creation,
 * (o) the owner only: the worker, or the task itself while it runs,
 * (a) atomic, (L) under the named lock.
 */
#ifndef LEAT_RT_RT_H
#define LEAT_RT_RT_H

#include <leat/leat.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/bias.h"
#include "base/deque.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/random.h"
#include "port/ctx/ctx.h"
#include "port/poller.h"
#include "port/port.h"
#include "port/self.h"

enum {
	LEAT__MAX_WORKERS = 256,
	LEAT__SPARES = 16,	/* workers that stand in for stuck ones, at most */
	LEAT__BUDGET = 128,	/* operations between forced yields */
	LEAT__LIFO_RUNS = 3,	/* LIFO slot picks in a row */
	LEAT__INJECTOR_TICK = 61, /* the injector is looked at first every so many picks */
	LEAT__TIMER_TICK = 32,	/* and the clock, while timers are set */
	LEAT__STACK_SIZE = 64 * 1024,
	LEAT__AT_STOP_MAX = 4,
	LEAT__INLINE_MIN = 16 * 1024, /* stack that must remain to run a child inline */
};

enum leat__state {
	LEAT__FREE = 0,		/* the record is in a free list */
	LEAT__READY,		/* in a queue, or in a worker's hands */
	LEAT__RUNNING,
	LEAT__INLINE,		/* in a join, runs a child on top of itself */
	LEAT__PARKED,		/* blocked, on its own stack */
	LEAT__WAITING,		/* a wait without a stack: a record only */
};

/* What a task waits for; the names are in dump.c. */
enum leat__why {
	LEAT__WHY_NONE = 0,
	LEAT__WHY_SEND,
	LEAT__WHY_RECV,
	LEAT__WHY_SELECT,
	LEAT__WHY_SLEEP,
	LEAT__WHY_GROUP,
	LEAT__WHY_JOIN,
	LEAT__WHY_LIMIT,
	LEAT__WHY_SEM,
	LEAT__WHY_MUTEX,
	LEAT__WHY_COND,
	LEAT__WHY_ONCE,
	LEAT__WHY_WAITGROUP,
	LEAT__WHY_BARRIER,
	LEAT__WHY_AFTER,
	LEAT__WHY_ON_RECV,
	LEAT__WHY_ON_ACQUIRE,
	LEAT__WHY_DEADLINE,
	LEAT__WHY_READ,
	LEAT__WHY_WRITE,
	LEAT__WHY_BLOCKING,
	LEAT__WHYS,
};

enum leat__task_flag {
	LEAT__T_PINNED = 1,	/* runs on worker ext->pin only */
	LEAT__T_FOREIGN = 2,	/* stands for a thread that is no worker: struct leat__thread */
	LEAT__T_FORK = 8,	/* lives in a leat_forked, not in a record */
	LEAT__T_OWN_STACK = 16,	/* runs on a stack made for it */
	LEAT__T_MAIN = 32,
	LEAT__T_EXT = 64,	/* has ext */
	LEAT__T_WAIT = 128,	/* began as a wait without a stack */
};

/*
 * The claim word of a task decides who ends its wait.  IDLE -> ARMED by the
 * task, under the lock of what it waits for; ARMED -> anything else by one CAS:
 * of a waker, the timer, or a cancel.  The winner, and nobody else, makes the
 * task runnable.  IDLE again by the task.
 */
enum leat__claim {
	LEAT__CLAIM_IDLE = 0,
	LEAT__CLAIM_ARMED,	/* as below, but deaf to cancel */
	LEAT__CLAIM_CANCELABLE,
	LEAT__CLAIM_TIMEOUT,
	LEAT__CLAIM_CANCELED,
	LEAT__CLAIM_DONE,	/* + index of the case */
};

/*
 * A timer in a worker's wheel.  fire runs under the wheel's lock: it may claim a
 * task, and returns it to be made ready after the lock (W3), or NULL.
 */
struct leat__timer {
	struct leat__list node;	/* (L: wheel) */
	int64_t deadline;	/* (c) while set */
	struct leat__task *(*fire)(struct leat__timer *timer);
	struct leat__wheel *wheel; /* (o) where it was set; NULL: not set */
};

struct leat__task {
	union {
		void *sp;	/* (a) saved context, see C1; NULL: runs, or never parked */
		struct leat__task *chain; /* (L: injector_lock) of one that never ran, see idle.c */
	};
	uint32_t claim;		/* (a) enum leat__claim */
	uint16_t flags;		/* (o) enum leat__task_flag */
	uint8_t state;		/* (a) enum leat__state, for dumps */
	uint8_t why;		/* (a) enum leat__why, for dumps */
	struct leat__scope *scope; /* (c) */
	const leat_task_type *type; /* (c) */
	struct leat__task *next; /* (L) link in a queue or free list */
	struct leat__stack *stack; /* (o) of a parked task */
	union {
		struct leat__ext *ext; /* (o) rare things; with LEAT__T_EXT */
		int64_t wait_since; /* (o) of a wait without a stack, for dumps */
	};
	uint64_t id;		/* (c) */
	uint8_t shield;		/* (o) nesting of leat_shield_begin */
	uint8_t no_park;	/* (o) nesting of leat_no_park_begin */
	uint8_t size_class;	/* (c) of the record */
	uint8_t is_member;	/* (o) linked in its scope's members */
	uint32_t result_index;	/* (c) in the group's results */
	struct leat__list member; /* (L: scope->lock) in its members, if is_member */
	union {
		void *depot_next; /* (L: memory_lock) of a free record: the next batch */
		struct leat__fork *last_fork; /* (o) of a running task, see fork.c */
		void *object;	/* (c) of a wait without a stack: what it waits for */
	};
};
/* A multiple of 16: the arguments may have any fundamental alignment. */
_Static_assert(sizeof(struct leat__task) == 96, "task header");

/* The task's copy of its arguments: right behind it. */
static inline void *leat__args(struct leat__task *t)
{
	return t + 1;
}

static inline struct leat__task *leat__task_of_args(void *args)
{
	return (struct leat__task *)args - 1;
}

/* What few tasks have. */
struct leat__ext {
	const char *name;	/* (a) NULL: type->name */
	int pin;		/* worker, if LEAT__T_PINNED */
	void *locals[16];	/* (o) task-local values */
	void *result;		/* (c) result slot */
};

/*
 * At the upper end of each stack.  The fields below "of the task" belong to
 * the task that is parked or runs on the stack.
 */
struct leat__stack {
	char *low;		/* (c) lowest usable address */
	void *map;		/* (c) own mapping of a large stack; NULL: a slot of a slab */
	size_t map_size;	/* (c) */
	union {
		struct leat__stack *next; /* (L) in a pool */
		struct leat__task *chain; /* (L: injector_lock) of the task, see idle.c */
	};
	struct leat__list all;	/* (L: memory_lock) in rt->all_stacks */
	/* of the task */
	const struct leat__task *task; /* for dumps, as the next two: who parked here last */
	const void *wait_object;
	int64_t wait_since;
	unsigned valgrind_id;
#ifdef LEAT__ASAN
	void *fake_stack;
	size_t native_size;	/* of a thread's own stack; 0: one of ours */
#endif
#ifdef LEAT__TSAN
	void *fiber;		/* of all code that runs on this stack */
#endif
};

/* Hierarchical timing wheel, see timer.c. */
enum { LEAT__WHEEL_BITS = 6, LEAT__WHEEL_SLOTS = 64, LEAT__WHEEL_LEVELS = 9 };

struct leat__wheel {
	struct leat__lock lock;
	uint64_t now;		/* (L) in ticks: everything before has fired */
	uint64_t count;		/* (a) timers set */
	unsigned tick_bits;	/* (c) a tick is 1 << tick_bits ns */
	int64_t next;		/* (a) none is to be fired before; INT64_MAX: none set */
	bool gathers;		/* (L) timers fire at the ends of slots of level 1 */
	int64_t hold;		/* (L) none is fired before; 0: does not gather */
	int64_t since;		/* (L) when the counting of recent began */
	uint64_t recent;	/* (L) timers that fired since then */
	uint64_t used[LEAT__WHEEL_LEVELS]; /* (L) bitmap of slots in use */
	struct leat__list slot[LEAT__WHEEL_LEVELS][LEAT__WHEEL_SLOTS]; /* (L) */
};

/* The last class, of records aligned to 8 bytes only, is for waits without a stack. */
enum { LEAT__SIZE_CLASSES = 6, LEAT__CLASS_WAIT = LEAT__SIZE_CLASSES - 1 };

struct leat__counters {
	uint64_t spawned, ended, refused, parked, switches, steals, wakes, sleeps, timers;
};

/* Relaxed: only the owner writes a counter; leat_stats_get reads it at any time. */
static inline void leat__count(uint64_t *counter, uint64_t n)
{
	leat__store_relaxed(counter, *counter + n);
}

struct leat__worker {
	/* owner only */
	struct leat__task *cur;	/* the running task; NULL in the scheduler loop */
	struct leat__stack *stack; /* the stack that we stand on */
	struct leat__task *handoff; /* what the next scheduler loop shall run first */
	struct leat__stack *dead_stack; /* to be freed by whoever runs next */
	int budget;		/* operations left until the next forced yield */
	int quantum;		/* (c) LEAT__BUDGET; 1 under simulation */
	bool simulated;		/* (c) */
	uint32_t tick;
	uint32_t lifo_runs;
	struct leat__scope *credit_scope; /* (a) see scope.h */
	int64_t credits;	/* (a) */
	struct leat__task *free[LEAT__SIZE_CLASSES];
	uint32_t free_count[LEAT__SIZE_CLASSES];
	uint64_t next_id, last_id;
	struct leat__stack *stacks;
	uint32_t stack_count;
	struct leat__stack *reserve; /* for a park when memory is gone */
	uint64_t random;
	int select_luck;	/* how often a select yields before it waits, see select.c */
	int64_t clock;		/* the time of a moment ago, for dumps */
	int64_t polled_at;	/* when it last looked for events */
	int64_t spin_ns;	/* how long it spins: less while that finds nothing */
	struct leat__seen *seen; /* what it saw of each other worker, see steal.c */
	int64_t confirm_ns;	/* how long a queue must last before it steals from it */
	int64_t stole_at;	/* since when it lives on stolen tasks; 0: it does not */
	struct leat__bias_slot stole_slot; /* what slot counted then */
	struct leat__runtime *rt;
	int index;
	struct leat__bias_slot *slot; /* (c) for base/bias.h */
	void *native_sp;	/* the thread's own stack, to return to at stop */
	struct leat__stack native; /* stands for it */
	void *scratch_sp;	/* where contexts that never come back are saved */
	int64_t timer_slack;
	struct leat__counters counters; /* (a) written by the owner */
	struct leat__thread_handle thread;
	/* shared */
	__attribute__((aligned(64))) struct leat__task *lifo; /* (a) put by the owner only */
	uint32_t pushes;	/* (a) written by the owner: changes with each push */
	struct leat__deque deque;
	__attribute__((aligned(64))) struct leat__lock inbox_lock;
	struct leat__task *inbox_first, *inbox_last; /* (L: inbox_lock) pinned tasks */
	uint32_t inbox_len;	/* (a) */
	uint32_t futex;		/* (a) 1: woken */
	struct leat__worker *idle_next; /* (L: idle_lock) */
	bool idle;		/* (L: idle_lock) in the list */
	bool retired;		/* (L: idle_lock) a spare that is not needed */
	int64_t stuck_since;	/* (a) see watchdog.c; 0: it is not */
	struct leat__wheel wheel;
};

/* A thread that is no worker.  It blocks in a futex where a task would park. */
struct leat__thread {
	struct leat__task task;
	uint32_t futex;		/* (a) 1: ready */
	struct leat__stack waiting; /* only what it waits for is used */
	uint64_t attached_to;	/* (o) number of the runtime it counts in; 0: none */
	int number;		/* (c) of the thread, as gdb shows it */
	struct leat__list all;	/* (L: of leat__threads) */
};

/* Threads for calls that block, see blocking.c. */
struct leat__pool {
	struct leat__lock lock;
	uint32_t limit;		/* (c) of threads */
	uint32_t threads;	/* (L, a) */
	uint32_t free;		/* (L, a) of them, those that run no call */
	uint32_t wanted;	/* (L, a) calls that are queued or about to be */
	bool stopping;		/* (L) */
	bool has_ended;		/* (L) ended is set */
	struct leat__thread_handle ended; /* (L) the last one, not joined yet */
	struct leat__pool_thread *idle; /* (L) last in, first out */
	struct leat__list calls; /* (L) queued, oldest first */
};

enum leat__watchdog_state {
	LEAT__WATCHDOG_AWAKE = 0,
	LEAT__WATCHDOG_ASLEEP,
	LEAT__WATCHDOG_STOP,
};

struct leat__runtime {
	/* read by every push */
	__attribute__((aligned(64))) uint32_t need_wake; /* (a) idle workers, and nobody searches */
	uint32_t cancel_epoch;	/* (a) changes with every cancel */
	uint32_t stopping;	/* (a) */
	uint32_t memory_low;	/* (a) spawns are refused */
	int nworkers;		/* (a) with spares; only grows */
	int nasked;		/* (c) without */
	uint64_t number;	/* (c) of this runtime among those of the process */
	struct leat__sim *sim;	/* (c) NULL: real */
	struct leat__worker *worker[LEAT__MAX_WORKERS + LEAT__SPARES]; /* (c) below nworkers */
	struct leat__scope *root; /* (c) */

	__attribute__((aligned(64))) struct leat__lock idle_lock;
	struct leat__worker *idle; /* (L: idle_lock) deep sleepers */
	int nidle;		/* (L: idle_lock) */
	int nsearching;		/* (L: idle_lock) */
	int nretired;		/* (L: idle_lock) spares that are not needed */
	struct leat__worker *dozing; /* (a) the searcher that sleeps between looks */
	int timekeeper;		/* (L: idle_lock) who wakes for the timers of all; -1 */
	int64_t timekeeper_until; /* (L: idle_lock) when it does so at the latest */

	__attribute__((aligned(64))) struct leat__lock injector_lock;
	struct leat__task *injector_first, *injector_last; /* (L: injector_lock) chains */
	uint32_t injector_len;	/* (a) tasks, or some more: it is lowered last */

	__attribute__((aligned(64))) struct leat__lock memory_lock;
	struct leat__slab *slabs[LEAT__SIZE_CLASSES]; /* (L: memory_lock) */
	struct leat__task *depot[LEAT__SIZE_CLASSES]; /* (L: memory_lock) batches of free records */
	struct leat__stack *stacks; /* (L: memory_lock) */
	struct leat__stack_slab *stack_slabs; /* (L: memory_lock) */
	struct leat__list all_stacks; /* (L: memory_lock) */
	uint64_t stacks_made;	/* (a) slots */
	uint64_t stacks_large;	/* (a) stacks of their own mapping */
	uint64_t stacks_pooled;	/* (L: memory_lock, a) in stacks */
	uint64_t memory_limit;	/* (c) bytes that tasks may use */
	uint64_t memory_used;	/* (a) by records and stacks ever handed out */
	bool can_guard;		/* (a) guard markers without a mapping each */
	uint64_t next_id;	/* (a) */

	struct leat__poller poller; /* (c) if has_poller */
	struct leat__lock poll_lock;
	bool has_poller;	/* (L: poll_lock, a) */
	uint32_t npolled;	/* (a) registered descriptors */
	void *io;		/* (a) the handles, see io/io.c; NULL: never used */
	void (*io_fini)(struct leat__runtime *rt);
	void (*at_stop[LEAT__AT_STOP_MAX])(struct leat__runtime *rt); /* (a) see leat__at_stop */
	uint32_t nat_stop;	/* (a) */
	struct leat__spawner *spawner; /* (a) see io/spawner.c; NULL: never used */
	struct leat__worker *poller_worker; /* (a) who waits in poller, or looks */

	struct leat__pool pool;
	struct leat__thread_handle watchdog;
	bool has_watchdog;
	struct leat__probe watchdog_probe; /* open as long: descriptors do not come and go */
	int nspares;		/* (o: of the watchdog) that were started */
	uint32_t watchdog_state; /* (L: idle_lock, a) enum leat__watchdog_state */
	uint32_t stuck_now;	/* (a) workers */
	uint64_t stuck;		/* (a) times that one was found stuck */
	char stuck_name[32];	/* (a) the task of the last one */
	uint64_t attached;	/* (a) foreign threads that are attached and not blocked */
	uint64_t external;	/* (a) things that may wake a task from outside */
	int main_result;
	bool deadlocked;	/* (L: idle_lock) */
	bool has_guard_failed;
	leat_options options;	/* (c) */
	int (*main_fn)(void *);
	void *main_arg;
	void (*local_drop[16])(void *); /* (c) per key */
	uint32_t local_keys;	/* (a) */
};

/* Acquire: pairs with who adds a spare.  Below it every worker is there. */
static inline int leat__nworkers(const struct leat__runtime *rt)
{
	return leat__load_acquire(&rt->nworkers);
}

/* One runtime a process at a time.  Hidden: read without a look into the table of addresses. */
extern struct leat__runtime *leat__rt __attribute__((visibility("hidden")));

/*
 * True in the child of a fork(2) that came while a runtime ran: its workers are
 * gone, and locks may be held for ever.  Every call that needs the runtime stops
 * the program; what it may do is exec, _exit, or what needs no leat.
 */
extern bool leat__is_forked;
__attribute__((noreturn, cold)) void leat__misuse_forked(const char *function, const void *object);

static inline void leat__check_fork(const char *function, const void *object)
{
	if (leat__unlikely(leat__is_forked))
		leat__misuse_forked(function, object);
}

/* All stand-ins, for dumps. */
extern struct leat__list leat__threads;

/* Threads that are no workers: their stand-in, made at first use; NULL without memory. */
struct leat__thread *leat__thread_self(void);

/* The running task, or the calling thread's stand-in.  function: named if no runtime runs. */
#define leat__current(w) leat__current_in(__func__, (w))
struct leat__task *leat__current_in(const char *function, struct leat__worker *w);

/* mem.c: the allocator hook, with fault injection by site. */
#define leat__alloc(size) leat__alloc_at((size), 16, __FILE__ ":" LEAT__STR(__LINE__))
#define leat__alloc_aligned(size, align) \
	leat__alloc_at((size), (align), __FILE__ ":" LEAT__STR(__LINE__))
void *leat__alloc_at(size_t size, size_t align, const char *site);
void leat__free(void *ptr, size_t size);
/* What is there before a runtime, or stays after it: always malloc's.  Zeroed. */
#define leat__process_alloc(size) leat__process_alloc_at((size), __FILE__ ":" LEAT__STR(__LINE__))
void *leat__process_alloc_at(size_t size, const char *site);
void leat__process_free(void *ptr);

#endif
