/*
 * A task may be made ready before it has left its stack: src/rt/park.c,
 * src/rt/worker.c and the switch itself, src/port/ctx.
 *
 * Two workers, two tasks, two run queues (from which both workers pick), and a
 * timer that also wakes tasks.  A task arms its claim word before it leaves its
 * stack, so a worker may pick it while another one still saves it.  sp says when
 * that is over: NULL while the task runs, published as the last step of the
 * switch away from it (C1).  Whoever picked a task waits for its sp, but leaves
 * its own task first.
 *
 * Properties: nobody resumes a task that is still on a worker or whose context
 * was not saved; at rest no task is in a queue and no worker waits for an sp.
 */
#define NT	3
#define CLAIM(t) (t)		/* t: task 0, 1 */
#define SP(t)	(2 + (t))	/* 0: NULL */
#define CTX(t)	(4 + (t))	/* what is saved on its stack: of which park */
#define NLOC	6

#define IDLE	0
#define ARMED	1
#define DONE	2
#define NONE	2		/* no task */
#define PARKS	2

#include "tso.h"

chan queue[2] = [2] of { byte };
byte parks[2];			/* how often each task parked */
bool running[2];		/* it is on some worker's stack */
byte waiting[2] = NONE;		/* the task whose sp this worker waits for */

/* Someone whom t may wait for: claims it and makes it ready. */
inline wake(q, t)
{
	CAS(me, CLAIM(t), ARMED, DONE, ok);
	if
	:: ok -> queue[q]!t
	:: else
	fi;
	ok = false
}

/* The next task of any queue. */
inline pick(n)
{
	if
	:: queue[0]?n
	:: queue[1]?n
	:: empty(queue[0]) && empty(queue[1]) -> n = NONE
	fi
}

inline wait_sp(me, n)
{
	waiting[me] = n;
#ifdef MUT_NO_WAIT
	skip;
#else
	LD(me, SP(n)) != 0;				/* resume() in worker.c */
#endif
	waiting[me] = NONE
}

/* On to n's stack. */
inline resume(me, n)
{
	atomic {
		assert(!running[n]);			/* resumed while it runs elsewhere */
		assert(LD(me, CTX(n)) == parks[n]);	/* resumed with an old context */
		running[n] = true
	}
#ifndef MUT_SP_LEFT_SET
	ST(me, SP(n), 0);
#endif
	ST(me, CLAIM(n), IDLE)
}

inline save(me, c)
{
#ifdef MUT_PUBLISH_FIRST
	ST(me, SP(c), 1);
	ST(me, CTX(c), parks[c]);
	running[c] = false
#else
	ST(me, CTX(c), parks[c]);
	running[c] = false;
	ST(me, SP(c), 1)				/* C1 */
#endif
}

proctype worker(byte me)
{
	byte c = me;					/* the current task */
	byte n = NONE;					/* the next one */
	bool ok;

go:
	if
	:: wake(me, 1 - c); goto go
	:: parks[c] < PARKS -> goto park
	:: atomic { running[c] = false; c = NONE; goto sched }
	fi;

park:
	parks[c]++;
	ST(me, CLAIM(c), ARMED);			/* P1 */
	pick(n);					/* P4 */
	if
	:: n == NONE -> save(me, c)			/* P5': to a scheduler loop */
	:: n == c ->					/* woken already: no switch */
		ST(me, CLAIM(c), IDLE);
		n = NONE;
		goto go
	:: else ->
#ifdef MUT_WAIT_BEFORE_SAVE
		wait_sp(me, n);
#else
		if
		:: LD(me, SP(n)) != 0
		:: else -> save(me, c); goto handoff	/* P5' */
		fi;
#endif
		save(me, c);				/* P5: straight to n */
		goto switch
	fi;

sched:
	c = NONE;
end_idle:
	nempty(queue[0]) || nempty(queue[1]);
	pick(n);
	if
	:: n == NONE -> goto sched
	:: else
	fi;
handoff:
	wait_sp(me, n);
switch:
	resume(me, n);
	atomic { c = n; n = NONE; goto go }
}

proctype timer()
{
	byte me = 2, wakes;
	bool ok;

	do
	:: wakes < 2 -> wakes++;
		if
		:: wake(0, 0)
		:: wake(0, 1)
		:: wake(1, 0)
		:: wake(1, 1)
		fi
	:: break
	od
}

active proctype at_rest()
{
end:
	timeout ->
	assert(waiting[0] == NONE && waiting[1] == NONE);	/* waits for an sp for ever */
	assert(empty(queue[0]) && empty(queue[1]))		/* a ready task does not run */
}

init {
	atomic {
		running[0] = true;
		running[1] = true;
		run worker(0);
		run worker(1);
		run timer()
	}
}
