/*
 * Weighted semaphore, FIFO: src/sync/semaphore.c, whose steps are S1 to S7.
 *
 * Two permits, both held by task 0.  Task 1 acquires two, task 2 one, task 3 one.
 * The first two release what they have, one by one, or keep it.  A timer ends waits of the
 * tasks 1 and 2, at any moment or never.
 *
 * Properties: permits are neither lost nor made; a permit that is held is taken
 * once; nobody touches a waiter whose owner has returned; at rest the first
 * waiter wants more than is free.
 */
#define NT	4
#define LOCK	0
#define CLAIM(t) (t)			/* t: 1 to 3 */
#define NLOC	4

#define IDLE	0
#define ARMED	1
#define TIMEOUT	2
#define DONE	3

#define WANTS(t) (t <= 1 -> 2 : 1)

#include "tso.h"

/* Under LOCK. */
byte free;
chan queue = [3] of { byte };

bool ready[4], waits[4], alive[4];
byte held[4];

/* The lock may be biased to this worker (bias.pml): taking it drains nothing. */
#define ACQUIRE_LOCK mem[LOCK] == 0 -> mem[LOCK] = 1
#define RELEASE_LOCK ST(me, LOCK, 0)

/* S6, under the lock.  wake: a bit for each task to make ready. */
inline serve()
{
	do
	:: atomic { queue?<peer>;
		if
		:: WANTS(peer) > free -> break
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
			:: ok -> free = free - WANTS(peer); wake = wake | (1 << peer)
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
	atomic { peer = 0; ok = false }
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

/* S5 */
inline release(n)
{
	atomic { ACQUIRE_LOCK; held[me] = held[me] - n; free = free + n }
#ifndef MUT_NO_SERVE_AT_RELEASE
	serve();
#endif
	unlock_and_wake()
}

#define CAN_TAKE (empty(queue) && free >= WANTS(me))

proctype task(byte me)
{
	byte s, peer, wake;
	bool ok;

	if
	:: me == 0 -> goto acquired
	:: else
	fi;
#ifdef MUT_LOOK_BEFORE_LOCK
	ok = CAN_TAKE;
	atomic { ACQUIRE_LOCK }
#else
	atomic { ACQUIRE_LOCK; ok = CAN_TAKE }				/* S1 */
#endif
	if
	:: ok -> atomic { free = free - WANTS(me); RELEASE_LOCK }; goto acquired
	:: else
	fi;
#ifdef MUT_APPEND_AFTER_UNLOCK
	RELEASE_LOCK;
#endif
	atomic {							/* S2 */
		queue!me;
		alive[me] = true;
		waits[me] = true;
		ST(me, CLAIM(me), ARMED);
#ifndef MUT_APPEND_AFTER_UNLOCK
		RELEASE_LOCK
#endif
	}
end_waits:
	atomic { ready[me] -> waits[me] = false; s = LD(me, CLAIM(me)) }
	if
	:: s == DONE -> goto acquired					/* S3 */
	:: else ->							/* S4 */
#ifndef MUT_NO_REMOVE
		atomic { ACQUIRE_LOCK }
		if
		:: queue??[eval(me)] ->
			queue??eval(me);
#ifndef MUT_NO_SERVE_AT_LEAVE
			serve()
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
	assert(free + held[0] + held[1] + held[2] + held[3] == 2);	/* a permit was lost, or made */
	if
	:: queue?<first> -> assert(WANTS(first) > free)	/* waits for permits that are free */
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
