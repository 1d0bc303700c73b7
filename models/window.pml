/*
 * The window of an ordered stage: src/patterns/pipeline_window.c, whose steps are V1 to V9.
 *
 * Two workers, or three, take items by their numbers, put them, and wait for room; the window is
 * one.  In the case GAPS there is the watcher, which gives up the next item at any moment.  What
 * a slot holds is the number of its item and one more, or EMPTY.  Flat functions are not in the
 * model.
 *
 * Properties: one task at a time hands on; each number is handed on once, in order, and its item is
 * handed on or late; no slot is filled that is not empty; at rest all have been handed on, and
 * nobody waits.
 */
#define NT	3
#define WINDOW	1
#ifdef CASE_THREE
#define ITEMS	4
#define WORKERS	3
#else
#define ITEMS	5		/* more than slots */
#define WORKERS	2
#endif
#ifdef MUT_SLOTS_OF_WINDOW
#define SLOTS	WINDOW
#else
#define SLOTS	(WINDOW + WORKERS)
#endif

#define TURN	0
#define STATE(seq) (1 + (seq) % SLOTS)
#define CLAIM(seq) (1 + SLOTS + (seq) % SLOTS)
#define NLOC	(1 + 2 * SLOTS)

#define BUSY	1
#define WANTED	2
#define STEP	4

#define EMPTY	0

#include "tso.h"

byte taken;			/* by the channel's lock */
byte handed;			/* numbers */
byte late;			/* items */
byte gaps;			/* markers that were handed on */
bool sends;			/* somebody */
bool is_gap[ITEMS];		/* what was claimed by the watcher */

/* leat_mutex and leat_cond. */
bool locked, waits[3];

/* Whether a task waits is changed under the lock, which is a locked instruction. */
#define LOCK	atomic { DRAINED(me) && !locked -> locked = true }
#define UNLOCK	atomic { DRAINED(me) -> locked = false }

inline wake()							/* V9 */
{
#ifndef MUT_WAKE_WITHOUT_LOCK
	LOCK;
#endif
	atomic { DRAINED(me) -> mem[TURN] = mem[TURN] & ~WANTED }
	atomic { waits[0] = false; waits[1] = false; waits[2] = false }
#ifndef MUT_WAKE_WITHOUT_LOCK
	UNLOCK
#endif
}

/* V2; ok: it was the turn of seq. */
inline try_turn()
{
	ok = false;
	do
	:: t = LD(me, TURN);
		if
#ifdef MUT_IGNORE_BUSY
		:: t / STEP == seq -> CAS(me, TURN, t, t | BUSY, ok)
#else
		:: t / STEP == seq && !(t & BUSY) -> CAS(me, TURN, t, t | BUSY, ok)
#endif
			if
			:: ok -> break
			:: else
			fi
		:: else -> break
		fi
	od;
	t = 0
}

/* From V5 on; direct: without the slot. */
inline hand_on()
{
	do
	:: atomic {
		assert(!sends);					/* two hand on */
		sends = true
	   }
		atomic {						/* V5 */
			assert(handed == seq);			/* not in order, or twice */
			assert(direct || LD(me, STATE(seq)) == seq + 1);	/* another item, or none */
			handed++;
			if
			:: is_gap[seq] -> gaps++
			:: else
			fi;
			sends = false
		}
#ifndef MUT_NEXT_BEFORE_EMPTY
		if
		:: !direct -> ST(me, STATE(seq), EMPTY)
		:: else
		fi;
#endif
		next = (LD(me, STATE(seq + 1)) != EMPTY);
#ifdef MUT_TURN_BY_STORE
		t = LD(me, TURN);
		ST(me, TURN, (next -> t + STEP : t + STEP - BUSY));
#else
		atomic {						/* V6 */
			DRAINED(me);
			t = mem[TURN];
			mem[TURN] = (next -> t + STEP : t + STEP - BUSY)
		}
#endif
#ifdef MUT_NEXT_BEFORE_EMPTY
		if
		:: !direct -> ST(me, STATE(seq), EMPTY)
		:: else
		fi;
#endif
		if
		:: t & WANTED -> wake()
		:: else
		fi;
		atomic { direct = false; seq++; t = 0 }
		if
		:: next
		:: !next ->						/* V7 */
#ifdef MUT_NO_SECOND_LOOK
			break
#else
			if
			:: LD(me, STATE(seq)) != EMPTY -> try_turn()
			:: else -> ok = false
			fi;
			if
			:: ok
			:: else -> break
			fi
#endif
		fi
	od;
	atomic { next = false; ok = false }
}

/* V2 to V4. */
inline fill()
{
	try_turn();
	if
	:: ok -> direct = true; hand_on()
	:: else ->
		atomic {						/* V3 */
			assert(LD(me, STATE(seq)) == EMPTY);		/* the slot is another's */
			ST(me, STATE(seq), seq + 1)
		}
#ifndef MUT_FILL_BY_STORE
		FENCE(me);
#endif
		try_turn();						/* V4 */
		if
		:: ok -> hand_on()
		:: else
		fi
	fi
}

#define HAS_ROOM(turn) (mine < (turn) / STEP + WINDOW)

inline wait_for_room()						/* V8 */
{
#ifndef MUT_NO_WAIT
	if
	:: HAS_ROOM(LD(me, TURN))
	:: else ->
		LOCK;
		do
#ifdef MUT_LOOK_BEFORE_WANTED
		:: ok = HAS_ROOM(LD(me, TURN));
			atomic { DRAINED(me) -> mem[TURN] = mem[TURN] | WANTED }
#else
		:: atomic { DRAINED(me) -> mem[TURN] = mem[TURN] | WANTED }
			ok = HAS_ROOM(LD(me, TURN));
#endif
			if
			:: ok -> break
			:: else -> atomic { waits[me] = true; locked = false }
				atomic { !waits[me] && !locked -> locked = true }
			fi
		od;
		ok = false;
		UNLOCK
	fi
#else
	skip
#endif
}

/* ok: the slot is ours. */
inline claim()							/* V1 */
{
#ifdef MUT_CLAIM_BY_STORE
	ok = (LD(me, CLAIM(seq)) == seq);
	if
	:: ok -> ST(me, CLAIM(seq), seq + SLOTS)
	:: else
	fi
#else
	CAS(me, CLAIM(seq), seq, seq + SLOTS, ok)
#endif
}

proctype worker(byte me)
{
	byte seq, mine, t;
	bool ok, next, direct;

	do
	:: atomic { taken < ITEMS -> seq = taken; mine = seq; taken++ }
#ifdef CASE_GAPS
		claim();
		if
		:: ok -> fill()
		:: else -> late++
		fi;
#else
		fill();
#endif
		atomic { seq = 0; ok = false; direct = false }
		wait_for_room();
		mine = 0
	:: atomic { taken == ITEMS -> break }
	od
}

#ifdef CASE_GAPS
proctype watcher()
{
	byte me = 2, seq, t, n;
	bool ok, next, direct;

	do
	:: n == 2 -> break
	:: atomic { n < 2 && LD(me, TURN) / STEP < taken -> n++; seq = LD(me, TURN) / STEP }
		claim();
		if
		:: ok -> is_gap[seq] = true; fill()
		:: else
		fi;
		atomic { seq = 0; ok = false; direct = false }
	:: break
	od
}
#endif

active proctype at_rest()
{
end:
	timeout ->
	assert(handed == ITEMS || mem[STATE(handed)] == EMPTY);	/* a full slot is left */
	assert(!waits[0] && !waits[1] && !waits[2]);		/* waits, though there is room */
	assert(handed == ITEMS);				/* an item is lost */
	assert(late == gaps)					/* an item is handed on and late, or neither */
}

init {
	atomic {
		byte i;
		for (i : 0 .. SLOTS - 1) {
			mem[CLAIM(i)] = i
		}
		run worker(0);
		run worker(1);
#if defined(CASE_GAPS)
		run watcher()
#elif defined(CASE_THREE)
		run worker(2)
#endif
	}
}
