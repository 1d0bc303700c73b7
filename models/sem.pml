/*
 * Weighted semaphore, FIFO: src/sync/semaphore.c, whose steps are S1 to S10.
 *
 * Two permits, both held by task 0.  Task 1 acquires two, task 2 one, task 3 one.
 * The first two release what they have, one by one, or keep it.  A timer ends waits of the
 * tasks 1 and 2, at any moment or never.
 *
 * Properties: permits are neither lost nor made; a permit that is held is taken
 * once; nobody touches a waiter whose owner has returned; at rest the first
 * waiter wants more than is free; the word is marked as long as somebody waits.
 */
#define NT	4
#define STATE	0
#define LOCK	1
#define CLAIM(t) (1 + (t))		/* t: 1 to 3 */
#define NLOC	5

#define IDLE	0
#define ARMED	1
#define TIMEOUT	2
#define DONE	3

#define MARK	8			/* in STATE: somebody waits */
#define FREE(s)	((s) % MARK)
#define WANTS(t) (t <= 1 -> 2 : 1)

#include "tso.h"

/* Under LOCK. */
chan queue = [3] of { byte };

bool ready[4], waits[4], alive[4];
byte held[4];

#define ACQUIRE_LOCK DRAINED(me) && mem[LOCK] == 0 -> mem[LOCK] = 1
#define RELEASE_LOCK ST(me, LOCK, 0)

/* S8 to S10, under the lock, with the mark.  wake: a bit for each task to make ready. */
inline serve()
{
	left = FREE(LD(me, STATE));
	do
	:: atomic { queue?<peer>;
		if
		:: WANTS(peer) > left -> break
		:: else ->
			queue?peer;
			assert(alive[peer]);				/* its owner has returned */
#ifdef MUT_CLAIM_BY_STORE
			ok = (LD(me, CLAIM(peer)) == ARMED);
			if
			:: ok -> ST(me, CLAIM(peer), DONE)
			:: else
			fi;
#else
			CAS(me, CLAIM(peer), ARMED, DONE, ok);
#endif
			if
			:: ok -> left = left - WANTS(peer); wake = wake | (1 << peer)
			:: else ->
#ifdef MUT_STOP_AT_LOST
				break
#else
				skip
#endif
			fi
		fi }
	:: atomic { empty(queue) -> break }
	od;
	atomic {
		ST(me, STATE, (len(queue) > 0 -> MARK : 0) + left);
		left = 0; peer = 0; ok = false
	}
}

inline unlock_and_wake()
{
	atomic {
		RELEASE_LOCK;
		ready[1] = ready[1] || (wake & 2);
		ready[2] = ready[2] || (wake & 4);
		ready[3] = ready[3] || (wake & 8);
		wake = 0
	}
}

inline release(n)
{
	held[me] = held[me] - n;
	s = LD(me, STATE);
	ok = false;
	if
	:: s < MARK -> CAS(me, STATE, s, s + n, ok)			/* S6 */
	:: else
	fi;
	if
	:: ok
	:: else ->
		atomic { ACQUIRE_LOCK }					/* S7 */
		do
		:: s = LD(me, STATE);
			if
			:: s >= MARK -> ST(me, STATE, s + n); serve(); break
			:: else ->
				CAS(me, STATE, s, s + n, ok);
				if
				:: ok -> break
				:: else
				fi
			fi
		od;
		unlock_and_wake()
	fi;
	atomic { s = 0; ok = false }
}

/* ok: the permits are ours. */
inline take()
{
	do
	:: s = LD(me, STATE);
		if
		:: s < MARK && s >= WANTS(me) ->
#ifdef MUT_TAKE_BY_STORE
			ST(me, STATE, s - WANTS(me));
			ok = true;
#else
			CAS(me, STATE, s, s - WANTS(me), ok);		/* S1, S2 */
#endif
			if
			:: ok -> break
			:: else
			fi
		:: else -> ok = false; break
		fi
	od
}

proctype task(byte me)
{
	byte s, left, peer, wake;
	bool ok, marked;

	if
	:: me == 0 -> goto acquired
	:: else -> take()
	fi;
	if
	:: ok -> goto acquired
	:: else
	fi;

	atomic { ACQUIRE_LOCK }						/* S2 */
	do
	:: take();
		if
		:: ok -> RELEASE_LOCK; goto acquired
		:: !ok && s >= MARK -> break
		:: else ->
#if defined(MUT_NO_MARK)
			break
#elif defined(MUT_MARK_BY_STORE)
			ST(me, STATE, s + MARK);
			break
#else
			CAS(me, STATE, s, s + MARK, ok);
			if
			:: ok -> break
			:: else
			fi
#endif
		fi
	od;
	atomic {							/* S3 */
		s = 0; ok = false;
		queue!me;
		alive[me] = true;
		waits[me] = true;
		ST(me, CLAIM(me), ARMED);
		RELEASE_LOCK
	}
end_waits:
	atomic { ready[me] -> waits[me] = false; s = LD(me, CLAIM(me)) }
	if
	:: s == DONE -> goto acquired					/* S4 */
	:: else ->							/* S5 */
#ifndef MUT_NO_REMOVE
		atomic { ACQUIRE_LOCK }
		if
		:: queue??[eval(me)] ->
			queue??eval(me);
#ifndef MUT_NO_SERVE_AT_LEAVE
			serve()
#else
			atomic {
				if
				:: empty(queue) -> s = FREE(LD(me, STATE)); ST(me, STATE, s)
				:: nempty(queue)
				fi
			}
#endif
		:: else
		fi;
		unlock_and_wake();
#endif
		atomic { alive[me] = false; s = 0; goto gone }
	fi;

acquired:
	atomic { alive[me] = false; s = 0; ok = false; held[me] = WANTS(me) }
	do
	:: me <= 1 && held[me] > 0 -> release(1)
	:: break
	od;
gone:
	skip
}

proctype timer()
{
	byte t, n;

	do
	:: n == 2 -> break
	:: n < 2 ->
		n++;
		if
		:: t = 1
		:: t = 2
		fi;
end_timer:
		atomic { mem[CLAIM(t)] == ARMED -> mem[CLAIM(t)] = TIMEOUT; ready[t] = true }
	od
}

active proctype at_rest()
{
	byte first;
end:
	timeout ->
	assert(FREE(mem[STATE]) + held[0] + held[1] + held[2] + held[3] == 2);	/* a permit was lost, or made */
	assert((mem[STATE] >= MARK) == (len(queue) > 0));		/* marked, though nobody waits, or the other way round */
	if
	:: queue?<first> -> assert(WANTS(first) > FREE(mem[STATE]))	/* waits for permits that are free */
	:: empty(queue)
	fi
}

init {
	atomic {
		held[0] = 2;
		run task(0);
		run task(1);
		run task(2);
		run task(3);
		run timer()
	}
}
