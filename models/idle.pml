/*
 * Idle workers: src/rt/idle.c, whose steps are I1 to I10.
 *
 * Worker 0 runs a task, the others begin with a search.  A task makes further tasks
 * ready, up to PUSHES of them in all, and ends or computes for ever.  In the
 * cases FOREIGN and DEADLOCK the last thread is no worker: it pushes to the
 * injector and, in DEADLOCK, blocks until a task wakes it.
 *
 * A run queue is two counters: bottom is stored by its worker, top is moved by
 * a CAS of whoever takes a task.  Spinning and dozing are one look at all queues; what
 * they add is more looks.  In the case TIMER a timer is set in worker 0's wheel all
 * the time; a worker that goes to sleep when there is no timekeeper becomes it.
 *
 * Properties: at rest no task is in a queue while a worker sleeps, and if one
 * sleeps, one of the sleepers knows of the timer; a deadlock is declared only when
 * nothing can run, and, if so, always.
 */
#define NT	3
#if defined(CASE_THREE)
#define NW	3		/* workers */
#define PUSHES	(me == 0 -> 2 : 0)
#elif defined(CASE_TIMER)
#define NW	3
#define PUSHES	(me == 0 -> 1 : 0)
#elif defined(CASE_FOREIGN)
#define NW	2
#define PUSHES	1
#define INJECTOR
#else
#define NW	2
#define PUSHES	0
#define INJECTOR
#endif

#define NEED	0		/* need_wake */
#define ILOCK	1		/* idle_lock */
#define JLOCK	2		/* injector_lock */
#define INJ	3		/* injector_len */
#define ATTACHED 4		/* threads that are no workers and not blocked */
#define FREADY	5		/* the futex of such a thread */
#define FCLAIM	6		/* its claim word: 1 armed */
#define FUTEX(w) (7 + (w))
#define BOTTOM(w) (10 + (w))
#define TOP(w)	(13 + (w))
#define NLOC	16

#include "tso.h"

/* Under ILOCK. */
bool idle[NW];			/* in the list */
byte nidle, nsearching;
byte timekeeper = NW;		/* NW: none */
/* Under JLOCK. */
byte injected;

/* What is true. */
bool asleep[NW];
bool running[NW];		/* runs a task, or has one in its hands */
byte pushes;
bool blocked;			/* the foreign thread waits */
bool gone;			/* and has ended */
bool declared;			/* a deadlock */

#define ACQUIRE(lock) DRAINED(me) && mem[lock] == 0 -> mem[lock] = 1
#define RELEASE(lock) ST(me, lock, 0)

#define QUEUED(w) (LD(me, BOTTOM(w)) > LD(me, TOP(w)))

/* ok: took a task from the queue of v. */
inline take(v)
{
	ok = false;
	t = LD(me, TOP(v));
	if
	:: LD(me, BOTTOM(v)) > t ->
		CAS(me, TOP(v), t, t + 1, ok);
		running[me] = running[me] || ok
	:: else
	fi;
	t = 0
}

inline injector_push()
{
	atomic {
		ACQUIRE(JLOCK);
		injected++;
		ST(me, INJ, injected);
		RELEASE(JLOCK)
	}
}

inline injector_pop()
{
	atomic {
		ok = (LD(me, INJ) > 0);
		if
		:: ok ->
			ACQUIRE(JLOCK);
			ok = (injected > 0);
			if
			:: ok -> injected--; ST(me, INJ, injected)
			:: else
			fi;
			RELEASE(JLOCK);
			running[me] = running[me] || ok
		:: else
		fi
	}
}

inline unlist(w)
{
	idle[w] = false;
	nidle--;
#ifdef CASE_TIMER
	if
	:: timekeeper == w -> timekeeper = NW
	:: else
	fi
#endif
}

inline wake_one()
{
	atomic {
		ACQUIRE(ILOCK);
		v = NW;
		if						/* any will do; the code prefers some */
		:: nsearching == 0 && idle[0] -> v = 0
		:: nsearching == 0 && idle[1] -> v = 1
#if NW > 2
		:: nsearching == 0 && idle[2] -> v = 2
#endif
		:: else
		fi;
		if
		:: v < NW ->
			unlist(v);
			nsearching++;
			ST(me, NEED, 0)
		:: else
		fi;
		RELEASE(ILOCK)
	}
	atomic {
		if
		:: v < NW -> ST(me, FUTEX(v), 1)
		:: else
		fi;
		v = 0
	}
}

/* ok: there is a task in some queue. */
inline anything_queued()
{
#ifdef INJECTOR
	atomic { v = 0; ok = (LD(me, INJ) > 0) }
#else
	atomic { v = 0; ok = false }
#endif
	do
	:: atomic { v < NW && !ok -> ok = QUEUED(v); v++ }
	:: else -> v = 0; break
	od
}

/* After I1. */
inline notify()
{
#ifdef MUT_NO_LIGHT_FENCE					/* I3 before I1 */
	ok = early;
#else
	LIGHT_FENCE;						/* I2 */
	ok = LD(me, NEED);					/* I3 */
#endif
	if
	:: ok -> wake_one()
	:: else
	fi
}

/*
 * From a thread that is no worker.  The code has a full fence here; a light one is
 * enough, because the heavy fence reaches all threads of the process.
 */
inline wake_for_injector()
{
	LIGHT_FENCE;
	if
	:: LD(me, NEED) -> wake_one()
	:: else
	fi
}

inline heavy_fence()
{
#ifdef MUT_NO_HEAVY_FENCE
	FENCE(me)
#else
	HEAVY_FENCE(me, seen)
#endif
}

proctype worker(byte me)
{
	byte b, t, v, seen;
	bool ok, last, early, unwatched;

	if
	:: me == 0 -> goto task
	:: else -> goto search
	fi;

task:
	do
#ifndef CASE_DEADLOCK
	:: atomic { pushes < PUSHES -> pushes++;
#ifdef MUT_NO_LIGHT_FENCE
		early = LD(me, NEED);
#endif
		b++; ST(me, BOTTOM(me), b) }			/* I1 */
		notify()
#else
	:: atomic { LD(me, FCLAIM) == 1 -> CAS(me, FCLAIM, 1, 0, ok) }
		if
		:: ok ->
#ifndef MUT_COUNTS_ITSELF
			atomic { DRAINED(me); mem[ATTACHED]++ }
#endif
			ST(me, FREADY, 1)
		:: else
		fi
#endif
	:: goto pick						/* it ends */
#ifndef CASE_DEADLOCK
	:: goto computes
#endif
	od;

#ifndef CASE_DEADLOCK
computes:
end_computes:
	false;
#endif

pick:
	atomic { running[me] = false; take(me) }
	if
	:: ok -> goto task
	:: else
	fi;
#ifdef INJECTOR
	injector_pop();
	if
	:: ok -> goto task
	:: else
	fi;
#endif

search:
	atomic {
		ACQUIRE(ILOCK);
		nsearching++;
		ST(me, NEED, 0);
		RELEASE(ILOCK)
	}

look:
	do
	:: atomic { v < NW -> take(v); v++;
		if
		:: ok -> v = 0; goto found
		:: else
		fi }
	:: else -> v = 0; break
	od;
#ifdef INJECTOR
	injector_pop();
	if
	:: ok -> goto found
	:: else
	fi;
#endif

	atomic {						/* I4 */
		ACQUIRE(ILOCK);
		idle[me] = true;
		nidle++;
		nsearching--;
#ifndef MUT_NEED_AFTER_RECHECK
		ST(me, NEED, nsearching == 0);
#endif
		RELEASE(ILOCK)
	}
	heavy_fence();						/* I5 */
#ifdef MUT_NO_RECHECK
	ok = false;
#else
	anything_queued();					/* I6 */
#endif
#ifdef MUT_NEED_AFTER_RECHECK
	atomic { ACQUIRE(ILOCK); if :: idle[me] -> ST(me, NEED, nsearching == 0) :: else fi; RELEASE(ILOCK) }
#endif
	if
	:: ok
	:: else ->
#ifdef CASE_DEADLOCK
		atomic {					/* I10 */
			ACQUIRE(ILOCK);
			if
			:: nidle == NW && LD(me, ATTACHED) == 0 && LD(me, INJ) == 0 ->
				declared = true;
				assert(!running[0] && !running[1]);		/* a deadlock, but a task runs */
				assert(injected == 0);				/* a deadlock, but a task is queued */
				assert(gone || (blocked && mem[FREADY] == 0));	/* a deadlock, but a thread is on its way */
			:: else
			fi;
			RELEASE(ILOCK)
		}
#endif
#ifdef CASE_TIMER
		atomic {
			ACQUIRE(ILOCK);
			if
			:: idle[me] && timekeeper == NW -> timekeeper = me
			:: else
			fi;
			RELEASE(ILOCK)
		}
#endif
#ifdef MUT_CLEAR_BEFORE_SLEEP
		ST(me, FUTEX(me), 0);
#endif
		asleep[me] = true;				/* I8 */
end_asleep:
		atomic { LD(me, FUTEX(me)) == 1 -> asleep[me] = false; ST(me, FUTEX(me), 0) }
	fi;
	atomic {						/* I7 */
		ACQUIRE(ILOCK);
		if
		:: idle[me] -> unlist(me); nsearching++; ST(me, NEED, 0)
		:: else
		fi;
		RELEASE(ILOCK)
	}
	goto look;

found:
	atomic {						/* I9 */
		ACQUIRE(ILOCK);
		nsearching--;
		last = (nsearching == 0 && nidle > 0);
#ifdef CASE_TIMER
		unwatched = (timekeeper == NW);
#endif
#ifndef MUT_LEAVES_NEED
		if
		:: last -> ST(me, NEED, 1)
		:: else
		fi;
#endif
		RELEASE(ILOCK)
	}
#ifndef MUT_NO_LOOK_AFTER_FOUND
	if
	:: last ->
#ifdef MUT_NO_HEAVY_FENCE_AFTER_FOUND
		FENCE(me);
#else
		heavy_fence();
#endif
		anything_queued();
		if
#ifdef MUT_NO_NEXT_TIMEKEEPER
		:: ok -> wake_one()
#else
		:: ok || unwatched -> wake_one()
#endif
		:: else
		fi
	:: else
	fi;
#endif
	atomic { last = false; unwatched = false; ok = false; goto task }
}

#if NW == 2
proctype foreign(byte me)
{
	byte v, n;
	bool ok;

	do
	:: n == 0 -> n++; injector_push(); wake_for_injector()
#ifdef CASE_DEADLOCK
	:: n < 2 ->
		n = 2;
		ST(me, FCLAIM, 1);
		blocked = true;
		atomic { DRAINED(me); mem[ATTACHED]--; ok = (mem[ATTACHED] == 0) }
#ifndef MUT_NO_WAKE_AT_BLOCK
		if
		:: ok -> wake_for_injector()
		:: else
		fi;
#endif
end_blocked:
		atomic { LD(me, FREADY) == 1 -> ST(me, FREADY, 0) }
#ifdef MUT_COUNTS_ITSELF
		atomic { DRAINED(me); mem[ATTACHED]++ }
#endif
		blocked = false
#endif
	:: break
	od;
	atomic { DRAINED(me); mem[ATTACHED]--; gone = true }
}
#endif

#define SOMETHING_QUEUED						\
	(mem[INJ] > 0 || mem[BOTTOM(0)] > mem[TOP(0)] || mem[BOTTOM(1)] > mem[TOP(1)] || \
	 mem[BOTTOM(2)] > mem[TOP(2)])

active proctype at_rest()
{
end:
	timeout ->
	assert(!SOMETHING_QUEUED || !(asleep[0] || asleep[1]));	/* a task is queued, and a worker sleeps */
#if NW > 2
	assert(!SOMETHING_QUEUED || !asleep[2]);		/* a task is queued, and a worker sleeps */
#ifdef CASE_TIMER
	assert(asleep[0] || timekeeper < NW || !(asleep[1] || asleep[2]))	/* a worker sleeps, and none knows of the timer */
#endif
#endif
#ifdef CASE_DEADLOCK
	assert(!(asleep[0] && asleep[1] && blocked) || declared)	/* a deadlock was not seen */
#endif
}

init {
	atomic {
		running[0] = true;
		run worker(0);
		run worker(1);
#if NW > 2
		run worker(2)
#else
		mem[ATTACHED] = 1;
		run foreign(2)
#endif
	}
}
