/*
 * The run queue of a worker, src/base/deque.h, whose step names are used here.
 *
 * One owner and two thieves on a ring of two slots.  The owner pushes up to
 * four elements and in between pops (at bottom) or takes (at top), in every
 * order; at the end it pops until the ring is empty.  Each thief tries to steal
 * twice.
 *
 * Property: no element is taken twice or without having been pushed, and when
 * the owner at the end finds the ring empty, each pushed element was taken.
 */
#define NT	3
#define CAP	2
#define TOP	0
#define BOTTOM	1
#define SLOT(i)	(2 + (i) % CAP)
#define NLOC	(2 + CAP)

#define PUSHES	4
#define POPS	2
#define STEALS	2

#include "tso.h"

byte pushed;		/* bit n: element n + 1 was pushed */
byte taken;		/* bit n: it was taken */

inline own(x)
{
	assert(x != 0);						/* no such element */
	assert((taken & (1 << (x - 1))) == 0);			/* taken twice */
	taken = taken | (1 << (x - 1))
}

/* b is the owner's own bottom: nobody else writes it. */
inline push(me, b, n)
{
	t = LD(me, TOP);
#ifdef MUT_NO_FULL_CHECK
	t = b;
#endif
	if
	:: b - t >= CAP						/* the caller puts it elsewhere */
	:: else ->
		n++;
#ifdef MUT_BOTTOM_BEFORE_SLOT
		ST(me, BOTTOM, b + 1);
		ST(me, SLOT(b), n);
#else
		ST(me, SLOT(b), n);				/* D1 */
		ST(me, BOTTOM, b + 1);				/* D2 */
#endif
		atomic { b++; pushed = pushed | (1 << (n - 1)) }
	fi
}

inline pop(me, b, x)
{
	atomic { ST(me, BOTTOM, b - 1); b-- }			/* D3 */
#ifndef MUT_NO_POP_FENCE
	FENCE(me);						/* D4 */
#endif
	t = LD(me, TOP);					/* D5 */
	if
	:: t < b -> atomic { x = LD(me, SLOT(b)); own(x) }
	:: t == b ->
		x = LD(me, SLOT(b));
#ifdef MUT_LAST_WITHOUT_CAS
		own(x);
		ST(me, TOP, t + 1);
#else
		atomic {
			CAS(me, TOP, t, t + 1, ok);		/* D6 */
			if :: ok -> own(x) :: else fi
		}
#endif
		atomic { ST(me, BOTTOM, b + 1); b++ }
	:: t > b ->
		none = true;
#ifdef MUT_NO_RESTORE
		skip
#else
		atomic { ST(me, BOTTOM, b + 1); b++ }
#endif
	fi
}

/* The owner's own steal: bottom is its own, and it tries until it wins or all is gone. */
inline take(me, b, x)
{
	do
	:: t = LD(me, TOP);
		if
		:: t >= b -> break
		:: else
		fi;
		x = LD(me, SLOT(t));
		atomic {
			CAS(me, TOP, t, t + 1, ok);
			if :: ok -> own(x); break :: else fi
		}
	od
}

inline steal(me, b, x)
{
#ifdef MUT_NO_STEAL_FENCE					/* D9 before D7 */
	b = LD(me, BOTTOM);
	t = LD(me, TOP);
#else
	t = LD(me, TOP);					/* D7 */
	FENCE(me);						/* D8 */
	b = LD(me, BOTTOM);					/* D9 */
#endif
	if
	:: t < b ->
#ifdef MUT_SLOT_AFTER_CAS
		CAS(me, TOP, t, t + 1, ok);
		atomic {
			x = LD(me, SLOT(t));
			if :: ok -> own(x) :: else fi
		}
#else
		x = LD(me, SLOT(t));				/* D10 */
#ifdef MUT_STEAL_PLAIN_STORE
		atomic {
			ok = (LD(me, TOP) == t);
			if :: ok -> own(x) :: else fi
		}
		ST(me, TOP, t + 1)
#else
		atomic {
			CAS(me, TOP, t, t + 1, ok);		/* D11 */
			if :: ok -> own(x) :: else fi
		}
#endif
#endif
	:: else
	fi
}

#define FORGET atomic { t = 0; x = 0; ok = false }

proctype owner()
{
	byte b = 1, t, x, n, pops;
	bool ok, none;

	do
	:: n < PUSHES -> push(0, b, n); FORGET
	:: pops < POPS -> pops++; pop(0, b, x); FORGET
	:: pops < POPS -> pops++; take(0, b, x); FORGET
	:: break
	od;
	none = false;
	do
	:: !none -> pop(0, b, x); FORGET
	:: else -> break
	od;
	assert(taken == pushed)					/* an element was lost */
}

proctype thief(byte me)
{
	byte t, b, x, tries;
	bool ok;

	do
	:: tries < STEALS -> tries++; steal(me, b, x); b = 0; FORGET
	:: else -> break
	od
}

init {
	atomic {
		mem[TOP] = 1;
		mem[BOTTOM] = 1;
		run owner();
		run thief(1);
		run thief(2)
	}
}
