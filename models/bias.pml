/*
 * A lock that is biased to one worker: src/base/bias.h, whose steps are B1 to B9.
 *
 * Two workers enter the lock ROUNDS times each, and in between another lock, which
 * is biased to them for good.  A thread that is no worker enters once.  Who holds
 * the lock adds one to a number.  The limit at which the lock is biased stays 1.
 *
 * Properties: one at a time is inside; no addition is lost.
 */
#define NT	3
#define WORKERS	2
#define ROUNDS	3

#define WORD	0
#define BIAS	1		/* 0: none; 1 + worker */
#define INSIDE(w) (2 + (w))	/* of the worker's slot: 0, THIS or OTHER */
#define NUMBER	4
#define NLOC	5

#define THIS	1
#define OTHER	2

#include "tso.h"

/* Under WORD. */
byte last = NT, run_length;

byte inside;
byte entered;

#define IS_WORKER (me < WORKERS)
#define MINE (IS_WORKER && LD(me, BIAS) == me + 1)

inline enter_by_word()
{
	atomic { DRAINED(me) && mem[WORD] == 0 -> mem[WORD] = 1 }	/* B6 */
	owner = LD(me, BIAS);
	if
	:: owner != 0 ->						/* B7 */
		ST(me, BIAS, 0);
#ifdef MUT_NO_HEAVY_FENCE
		FENCE(me);
#else
		HEAVY_FENCE(me, seen);
#endif
#ifndef MUT_NO_WAIT
		LD(me, INSIDE(owner - 1)) != THIS;
#endif
		atomic { last = me; run_length = 0 }
	:: owner == 0 && IS_WORKER && last == me ->
#ifdef MUT_BIAS_AFTER_RELEASE
		late = true
#else
		ST(me, BIAS, me + 1)					/* B8 */
#endif
	:: else ->
		last = me
	fi;
	owner = 0
}

inline leave()
{
	if
	:: IS_WORKER && LD(me, INSIDE(me)) == THIS -> ST(me, INSIDE(me), 0)	/* B5 */
	:: else ->
		ST(me, WORD, 0);					/* B9 */
#ifdef MUT_BIAS_AFTER_RELEASE
		if
		:: late -> late = false; ST(me, BIAS, me + 1)
		:: else
		fi
#endif
	fi
}

proctype thread(byte me; byte rounds)
{
	byte owner, seen, x;
	bool ok, late;

	do
	:: rounds == 0 -> break
	:: else ->
		rounds--;
		if
		:: MINE ->						/* B1 */
#ifdef MUT_NO_LIGHT_FENCE						/* B4 before B2 */
			ok = MINE;
#endif
			ST(me, INSIDE(me), THIS);			/* B2 */
			LIGHT_FENCE;					/* B3 */
#if defined(MUT_NO_RECHECK)
			ok = true;
#elif !defined(MUT_NO_LIGHT_FENCE)
			ok = MINE;					/* B4 */
#endif
			if
			:: ok -> goto entered_it
			:: else -> ST(me, INSIDE(me), 0)
			fi
		:: else
		fi;
		enter_by_word();
entered_it:
		atomic {
			inside++;
			assert(inside == 1);				/* two are inside */
			entered++;
			x = LD(me, NUMBER)
		}
#ifdef MUT_LEAVE_BEFORE_STORE
		inside--;
		leave();
		ST(me, NUMBER, x + 1);
#else
		atomic { ST(me, NUMBER, x + 1); inside-- }
		leave();
#endif
		x = 0;
		if
		:: IS_WORKER -> ST(me, INSIDE(me), OTHER); ST(me, INSIDE(me), 0)
		:: true
		fi
	od
}

active proctype at_rest()
{
end:
	timeout ->
	assert(mem[NUMBER] == entered)					/* an addition was lost */
}

init {
	atomic {
		run thread(0, ROUNDS);
		run thread(1, ROUNDS);
		run thread(2, 1)
	}
}
