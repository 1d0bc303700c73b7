/*
 * Who ends a wait: src/rt/park.h (P, W) and src/rt/scope.h (K).
 *
 * Task T acquires twice from an object with a queue (a semaphore, say), each
 * time with a deadline, which may be over.  A waker releases up to two permits, a
 * timer fires, a canceller cancels T's scope; each of them at any moment or never.
 *
 * The claim word: IDLE -> ARMED by T, under the object's lock; ARMED -> DONE,
 * TIMEOUT or CANCELED by one CAS of the waker, the timer, the canceller or T.
 *
 * Properties: at rest T does not wait if its scope is cancelled or there is a
 * permit; it is made ready once for each time that it parks, and never else; no
 * permit is lost or used twice; nobody touches a waiter or a timer of a call
 * that has returned.
 */
#define NT	4
#define CLAIM	0
#define EPOCH	1		/* 1: the scope is cancelled */
#define OLOCK	2		/* of the object */
#define SLOCK	3		/* of the scope */
#define WLOCK	4		/* of the timers' wheel */
#define NLOC	5

#define IDLE	0
#define ARMED	1		/* and cancelable */
#define DONE	2
#define TIMEOUT	3
#define CANCELED 4

#define CALLS	2

#include "tso.h"

byte permits;			/* under OLOCK */
bool queued;			/* T's waiter; under OLOCK */
bool member;			/* T is linked into its scope; under SLOCK */
bool timer_set;			/* under WLOCK */

byte ready;			/* T is in a run queue */
bool waits;			/* T is off its worker, or about to be */
bool alive;			/* T's waiter and timer exist: T is in the call */
byte given, used;

/* The object's lock may be biased to this worker (bias.pml): taking it drains nothing. */
#define LOCK(l)								\
	atomic { mem[l] == 0 && (l == OLOCK || DRAINED(me)) -> mem[l] = 1 }
#define UNLOCK(l) ST(me, l, 0)

inline make_ready()						/* W3 */
{
	atomic {
		ready++;
		assert(ready == 1)				/* made ready twice */
	}
}

inline claim(how)
{
#ifdef MUT_CLAIM_BY_STORE
	ok = (LD(me, CLAIM) == ARMED);
	if
	:: ok -> ST(me, CLAIM, how)
	:: else
	fi
#else
	CAS(me, CLAIM, ARMED, how, ok)
#endif
}

/* K4 to K6; ok: we claimed ourselves back. */
inline look_for_cancel()
{
#ifndef MUT_LOOK_BEFORE_LINK
	if
	:: !member -> LOCK(SLOCK); member = true; UNLOCK(SLOCK)	/* K4 */
	:: else
	fi;
#endif
	LIGHT_FENCE;						/* K5 */
	ok = false;
#ifndef MUT_NO_CANCEL_RECHECK
	if
#ifdef MUT_NO_LIGHT_FENCE
	:: early ->						/* the compiler moved K6 before P1 */
#else
	:: LD(me, EPOCH) ->					/* K6 */
#endif
#ifdef MUT_SELF_CLAIM_BY_STORE
		ST(me, CLAIM, CANCELED);
		ok = true
#else
		CAS(me, CLAIM, ARMED, CANCELED, ok)
#endif
	:: else
	fi;
#endif
#ifdef MUT_LOOK_BEFORE_LINK
	if
	:: !member -> LOCK(SLOCK); member = true; UNLOCK(SLOCK)
	:: else
	fi
#else
	skip
#endif
}

/* P3 with a deadline that is over, which is chosen; ok: we claimed ourselves back. */
inline look_at_clock()
{
	if
	:: true ->
#ifdef MUT_OVER_BY_STORE
		ST(me, CLAIM, TIMEOUT);
		ok = true
#else
		CAS(me, CLAIM, ARMED, TIMEOUT, ok);
#ifdef MUT_OVER_NO_WAIT
		ok = true
#endif
#endif
	:: true
	fi
}

/* P3 to P6 */
inline park()
{
	waits = true;
	look_for_cancel();					/* P3 */
	if
	:: ok
	:: else -> look_at_clock()
	fi;
	if
	:: ok
	:: else ->
		LOCK(WLOCK); timer_set = true; UNLOCK(WLOCK);
end_parked:
		atomic { ready > 0 -> ready--; waits = false }	/* P4, P5 */
#ifndef MUT_TIMER_LEFT_SET
		LOCK(WLOCK); timer_set = false; UNLOCK(WLOCK)	/* P6 */
#endif
	fi;
	waits = false
}

inline acquire()
{
	LOCK(OLOCK);
	if
	:: permits > 0 -> permits--; used++; UNLOCK(OLOCK)
	:: else ->
		atomic { queued = true; alive = true }
#ifdef MUT_ARM_AFTER_UNLOCK
		UNLOCK(OLOCK);
		ST(me, CLAIM, ARMED);
#else
#ifdef MUT_NO_LIGHT_FENCE
		early = LD(me, EPOCH);
#endif
		ST(me, CLAIM, ARMED);				/* P1 */
		UNLOCK(OLOCK);					/* P2 */
#endif
		park();
		how = LD(me, CLAIM);
		ST(me, CLAIM, IDLE);
		if
		:: how == DONE -> used++
		:: else ->
#ifndef MUT_NO_REMOVE
			LOCK(OLOCK); queued = false; UNLOCK(OLOCK)
#else
			skip
#endif
		fi;
		alive = false
	fi;
	atomic { how = 0; ok = false }
}

proctype task(byte me)
{
	byte calls, how;
	bool ok, early;

	do
	:: calls < CALLS -> calls++; acquire()
	:: else -> break
	od;
	assert(ready == 0)					/* made ready, but does not wait */
}

proctype waker(byte me)
{
	byte n;
	bool ok;

	do
	:: n < 2 ->
		n++;
		given++;
		LOCK(OLOCK);
		ok = false;
		if
		:: queued ->
			assert(alive);				/* the call has returned */
			claim(DONE)				/* W1 */
		:: else
		fi;
		if
		:: ok -> queued = false; UNLOCK(OLOCK); make_ready()	/* W2, W3 */
		:: else -> permits++; UNLOCK(OLOCK)
		fi
	:: break
	od
}

proctype timer(byte me)
{
	bool ok;

	if
	:: timer_set ->
		LOCK(WLOCK);
		if
		:: timer_set ->
			timer_set = false;
			assert(alive);				/* the call has returned */
			claim(TIMEOUT);
			if
			:: ok -> make_ready()
			:: else
			fi
		:: else
		fi;
		UNLOCK(WLOCK)
	:: true
	fi
}

proctype canceller(byte me)
{
	byte seen;
	bool ok;

#ifndef MUT_CLAIM_BEFORE_FLAG
	ST(me, EPOCH, 1);					/* K1 */
#ifdef MUT_NO_HEAVY_FENCE
	FENCE(me);
#else
	HEAVY_FENCE(me, seen);					/* K2 */
#endif
#endif
	LOCK(SLOCK);
	if
	:: member ->
		claim(CANCELED);				/* K3 */
		if
		:: ok -> make_ready()
		:: else
		fi
	:: else
	fi;
	UNLOCK(SLOCK);
#ifdef MUT_CLAIM_BEFORE_FLAG
	ST(me, EPOCH, 1)
#endif
}

active proctype at_rest()
{
end:
	timeout ->
	assert(!(waits && mem[EPOCH]));				/* waits, though cancelled */
	assert(!(waits && permits > 0));			/* waits, though there is a permit */
	assert(given == used + permits)				/* a permit lost or used twice */
}

init {
	atomic {
		run task(0);
		run waker(1);
		run timer(2);
		if
		:: run canceller(3)
		:: true
		fi
	}
}
