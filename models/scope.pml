/*
 * Waiting for the tasks of a scope: src/rt/scope.h.
 *
 * COUNT, steps N1 to N6: an owner with one credit left that it did not spend, two
 * workers that each give back what a task held, and a timer.  The owner waits
 * with a deadline and, if that comes first, again without; then it frees the scope.
 *
 * OTHERS, steps O1 to O7: the owner has waited; two other tasks wait for the same, one
 * of them with a deadline.
 *
 * Properties: nobody touches a scope that was freed; a waiter is made ready once; at
 * rest nobody waits for what has happened.
 */
#define NT	3
#ifdef CASE_COUNT
#define PENDING	0		/* 2 * tasks + 1 if the owner waits */
#define FLAGS	1		/* 1: HANDOFF */
#define CLAIM(t) 2		/* of the owner */
#define NLOC	3
#else
#define WAITED	0		/* has_waited */
#define FLAGS	1		/* 1: OTHERS */
#define LOCK	2
#define CLAIM(t) (3 + (t))
#define NLOC	6
#endif

#define IDLE	0
#define ARMED	1
#define TIMEOUT	2
#define DONE	3

#include "tso.h"

byte ready[3];
bool waits[3];
bool freed;
bool timer_on;

inline make_ready(t)
{
	ready[t]++;
	assert(ready[t] == 1 && waits[t])			/* made ready twice, or not waiting */
}

/* At any moment while a deadline is set, or never. */
proctype timer(byte t)
{
end_timer:
	atomic { timer_on && mem[CLAIM(t)] == ARMED -> mem[CLAIM(t)] = TIMEOUT; make_ready(t) }
}

#ifdef CASE_COUNT

inline add(n, result)
{
	atomic {
		DRAINED(me);
		assert(!freed);					/* the scope is gone */
		mem[PENDING] = mem[PENDING] + (n);
		result = mem[PENDING]
	}
}

inline park()
{
	timer_on = (tries == 1);				/* P3 */
	atomic { ready[0] > 0 -> ready[0] = 0; waits[0] = false; timer_on = false; how = LD(me, CLAIM(0)); ST(me, CLAIM(0), IDLE) }
}

/* Waits once; ok: all tasks have ended. */
inline wait()
{
	ok = false;
	atomic { waits[0] = true }
#ifndef MUT_ARM_AFTER_COUNT
	ST(me, CLAIM(0), ARMED);				/* N2 */
#endif
	add(1 - 2 * credit, left);				/* N3 */
#ifdef MUT_ARM_AFTER_COUNT
	ST(me, CLAIM(0), ARMED);
#endif
	if
	:: left == 1 ->
		atomic { waits[0] = false; ok = true }
		ST(me, CLAIM(0), IDLE);
		ST(me, PENDING, 0)
	:: else ->
		park();						/* N4 */
		add(-1, left);
		if
		:: how == DONE -> ok = true
		:: how != DONE && left != 0
		:: how != DONE && left == 0 ->
#ifndef MUT_NO_HANDOFF
			LD(me, FLAGS) == 1;
			ST(me, FLAGS, 0);
#endif
			ok = true
		fi
	fi
}

proctype owner(byte me)
{
	byte left, how, tries, credit;
	bool ok;

	do
	:: tries < 2 && !ok -> credit = 1 - tries; tries++; wait()
	:: else -> break
	od;
	atomic { DRAINED(me) -> freed = true }
	assert(mem[PENDING] == 0)				/* a task still runs */
}

proctype worker(byte me)
{
	byte left;
	bool ok;

	add(-2, left);						/* N5 */
	if
	:: left == 1 ->						/* N6 */
#ifdef MUT_CLAIM_BY_STORE
		atomic { ok = (LD(me, CLAIM(0)) == ARMED); if :: ok -> ST(me, CLAIM(0), DONE) :: else fi }
#else
		CAS(me, CLAIM(0), ARMED, DONE, ok);
#endif
		if
		:: ok -> atomic { make_ready(0) }
		:: else ->
			atomic {
				DRAINED(me);
				assert(!freed);			/* the scope is gone */
				mem[FLAGS] = 1
			}
		fi
	:: else
	fi
}

init {
	atomic {
		mem[PENDING] = 6;
		run owner(0);
		run worker(1);
		run worker(2);
		run timer(0)
	}
}

#else

bool in_line[3];		/* under LOCK */

#define ACQUIRE DRAINED(me) && mem[LOCK] == 0 -> mem[LOCK] = 1
#define RELEASE ST(me, LOCK, 0)

inline complete()
{
	atomic { ACQUIRE; ST(me, WAITED, 1) }
	do
	:: atomic { in_line[1] || in_line[2] ->
		t = (in_line[1] -> 1 : 2);
		in_line[t] = false;
		CAS(me, CLAIM(t), ARMED, DONE, ok);
		if
		:: ok -> wake = wake | (1 << t)
		:: else
		fi }
	:: atomic { else -> t = 0; break }
	od;
	atomic { DRAINED(me) -> mem[FLAGS] = 0; RELEASE }
	atomic {
		if
		:: wake & 2 -> make_ready(1)
		:: else
		fi;
		if
		:: wake & 4 -> make_ready(2)
		:: else
		fi;
		wake = 0
	}
}

proctype owner(byte me)
{
	byte wake, t;
	bool ok, early;

#ifdef MUT_NO_LIGHT_FENCE					/* O3 before O1 */
	early = LD(me, FLAGS);
#endif
	ST(me, WAITED, 1);					/* O1 */
	LIGHT_FENCE;						/* O2 */
	if
#ifdef MUT_NO_LIGHT_FENCE
	:: early -> complete()
#else
	:: LD(me, FLAGS) -> complete()				/* O3 */
#endif
	:: else
	fi
}

proctype another(byte me)
{
	byte wake, seen, t;
	bool ok;

	atomic {						/* O4 */
		ACQUIRE;
		waits[me] = true;
		in_line[me] = true;
		ST(me, CLAIM(me), ARMED);
		DRAINED(me);
		mem[FLAGS] = 1;
		RELEASE
	}
#ifdef MUT_NO_HEAVY_FENCE					/* O5 */
	FENCE(me);
#else
	HEAVY_FENCE(me, seen);
#endif
#ifndef MUT_NO_LOOK
	if
	:: LD(me, WAITED) -> complete()				/* O6 */
	:: else
	fi;
#endif
end_parked:
	atomic { ready[me] > 0 -> waits[me] = false }		/* O7 */
	if
	:: LD(me, CLAIM(me)) == TIMEOUT -> atomic { ACQUIRE; in_line[me] = false; RELEASE }
	:: else
	fi
}

active proctype at_rest()
{
end:
	timeout ->
	assert(!waits[1] && !waits[2])				/* waits for what has happened */
}

init {
	atomic {
		run owner(0);
		timer_on = true;
		run another(1);
		run another(2);
		run timer(1)
	}
}
#endif
