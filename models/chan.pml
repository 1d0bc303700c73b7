/*
 * A channel of capacity 0 or 1: src/sync/chan.c.
 *
 * Three tasks, each of which sends or receives OPS times; an outsider ends waits
 * (as a timer or a cancel does) and may close the channel.  The channel has a
 * spin lock and two FIFO queues of waiters, which live on their owners' stacks.
 *
 * What happens under the lock is one step up to its release: the other tasks
 * cannot look in between, and what the outsider does in between, to claim words,
 * it might as well have done before.
 *
 * Properties: every element is received once, or buffered, or still its sender's;
 * what was sent is not lost; nobody touches a waiter whose owner has returned;
 * at rest nobody waits for what another one offers, nor on a closed channel.
 */
#define NT	4
#define LOCK	0
#define CLAIM(t) (1 + (t))
#define READY(t) (4 + (t))
#define ELEM(t)	(7 + (t))
#define NLOC	10

#define IDLE	0
#define ARMED	1
#define TIMEOUT	2
#define DONE	3
#define CLOSED	4

#define SEND	0
#define RECV	1
#define NONE	3

#ifdef CASE_BUFFERED
#define CAP	1
#else
#define CAP	0
#endif
/* Senders that wait on a closed channel are left to who closed it. */
#ifdef MUT_TAKE_AFTER_CLOSE
#define MAY_TAKE true
#else
#define MAY_TAKE !closed
#endif
#define OPS(t)	(t == 0 -> 2 : 1)
#define ENDINGS	2

#include "tso.h"

/* Under LOCK. */
byte waiter[6];			/* the queues: waiter[3 * op + k], k < count[op] */
byte count[2];
byte buffer;			/* the element in it, or 0 */
bool closed;

/* What is true. */
bool alive[3];			/* the task's waiter exists */
byte parked[3] = NONE;		/* SEND, RECV or NONE */
short sent, received, failed;	/* by element: a bit */

#define Q(op, k) waiter[3 * (op) + (k)]
#define BIT(x)	(1 << (x))

/* The lock may be biased to this worker (bias.pml): taking it drains nothing. */
#define LOCK_ACQUIRE(me)						\
	atomic { mem[LOCK] == 0 -> mem[LOCK] = 1 }
#define LOCK_RELEASE(me) ST(me, LOCK, 0)

inline enqueue(op)
{
	d_step {
		alive[me] = true;
		Q(op, count[op]) = me;
		count[op]++
	}
}

/* Takes task t out of the queue, if it is there. */
inline dequeue(op, t)
{
	d_step {
		k = 0;
		do
		:: k < count[op] && Q(op, k) != t -> k++
		:: else -> break
		od;
		do
		:: k + 1 < count[op] -> Q(op, k) = Q(op, k + 1); k++
		:: else -> break
		od;
		if
		:: k < count[op] -> count[op]--; Q(op, count[op]) = 0
		:: else
		fi;
		k = 0
	}
}

/* W1: the first waiter of the other side whose claim we win, out of the queue. */
inline match(op, how)
{
	atomic {
		k = 0;
		peer = NONE;
		do
		:: k == count[op] -> break
		:: else ->
			peer = Q(op, k);
			assert(alive[peer]);			/* its owner has returned */
#ifdef MUT_CLAIM_BY_STORE
			ok = (LD(me, CLAIM(peer)) == ARMED);
			if
			:: ok -> ST(me, CLAIM(peer), how)
			:: else
			fi;
#else
			CAS(me, CLAIM(peer), ARMED, how, ok);
#endif
			if
			:: ok -> dequeue(op, peer); break
			:: else ->
				peer = NONE;
#ifdef MUT_STOP_AT_FIRST
				break
#else
				k++
#endif
			fi
		od;
		k = 0;
		ok = false
	}
}

inline ready(t)
{
	ST(me, READY(t), 1)
}

inline give(t, x)
{
	atomic {
		assert(alive[t]);				/* its owner has returned */
		ST(me, ELEM(t), x)
	}
}

/* A waiter's element, by who claimed it. */
inline get(t, x)
{
	atomic {
		assert(alive[t]);				/* its owner has returned */
		x = LD(me, ELEM(t))
	}
}

inline got(x)
{
	atomic {
		assert(x != 0);					/* received nothing */
		assert((received & BIT(x)) == 0);		/* received twice */
		received = received | BIT(x)
	}
}

/* H3 to H5; how says who ended the wait. */
inline wait(op)
{
#ifdef MUT_ENQUEUE_AFTER_UNLOCK
	LOCK_RELEASE(me);
	LOCK_ACQUIRE(me);
#endif
	enqueue(op);						/* H3 */
	parked[me] = op;
	ST(me, CLAIM(me), ARMED);
	LOCK_RELEASE(me);
end_parked:
	mem[READY(me)] == 1 ->
	parked[me] = NONE;
	how = LD(me, CLAIM(me));
	ST(me, READY(me), 0);
	if
	:: how == TIMEOUT ->					/* H5 */
#ifndef MUT_NO_REMOVE
		LOCK_ACQUIRE(me);
		dequeue(op, me);
		LOCK_RELEASE(me)
#endif
	:: else
	fi
}

inline send(x)
{
	atomic {
	LOCK_ACQUIRE(me);
	if
#ifndef MUT_NO_CLOSED_CHECK
	:: closed ->
		LOCK_RELEASE(me);
		how = CLOSED
#endif
	:: else ->
		if
		:: buffer == 0 -> match(RECV, DONE)		/* H1 */
		:: else -> peer = NONE
		fi;
		if
		:: peer != NONE ->
#ifdef MUT_READY_BEFORE_COPY
			ready(peer);
			give(peer, x);
			LOCK_RELEASE(me);
#else
			give(peer, x);
			LOCK_RELEASE(me);
			ready(peer);
#endif
			how = DONE
#if CAP > 0
		:: peer == NONE && buffer == 0 ->
			buffer = x;				/* H2 */
			LOCK_RELEASE(me);
			how = DONE
#endif
		:: else ->
			ST(me, ELEM(me), x);
			wait(SEND)
		fi
	fi;
	alive[me] = false;
	if
	:: how == DONE -> sent = sent | BIT(x)
	:: else -> failed = failed | BIT(x)
	fi
	}
}

inline recv(x)
{
	atomic {
	LOCK_ACQUIRE(me);
	if
#if CAP > 0
	:: buffer != 0 ->
		x = buffer;
		buffer = 0;
		peer = NONE;
#ifndef MUT_NO_REFILL
		if
		:: MAY_TAKE -> match(SEND, DONE)
		:: else
		fi;
#endif
		if
		:: peer != NONE ->
			assert(!closed);		/* taken from a sender after the close */
			get(peer, buffer);
			LOCK_RELEASE(me);
			ready(peer)
		:: else -> LOCK_RELEASE(me)
		fi;
		how = DONE
#endif
	:: else ->
		peer = NONE;
#if CAP == 0				/* else a sender waits only while the buffer is full */
		if
		:: MAY_TAKE -> match(SEND, DONE)
		:: else
		fi;
#endif
		if
#if CAP == 0
		:: peer != NONE ->
			assert(!closed);		/* taken from a sender after the close */
			get(peer, x);
			LOCK_RELEASE(me);
			ready(peer);
			how = DONE
#endif
		:: peer == NONE && closed ->
			LOCK_RELEASE(me);
			how = CLOSED
		:: else ->
			wait(RECV);
			x = LD(me, ELEM(me))
		fi
	fi;
	alive[me] = false;
	if
	:: how == DONE -> got(x)
	:: else
	fi
	}
}

proctype task(byte me)
{
	byte x, k, peer, how, ops;
	bool ok;

	do
	:: ops < OPS(me) -> ops++; x = 3 * (ops - 1) + me + 1; send(x); x = 0; peer = 0; how = 0
	:: ops < OPS(me) -> ops++; recv(x); x = 0; peer = 0; how = 0
	:: break
	od
}

/* Claims task t, whatever it waits for. */
inline end_wait(t)
{
	CAS(me, CLAIM(t), ARMED, TIMEOUT, ok);
	if
	:: ok -> ready(t)
	:: else
	fi;
	ok = false
}

/* In batches, here of one waiter: the others may take the lock in between. */
inline close_some(op)
{
	do
	:: atomic {
		LOCK_ACQUIRE(me);
		match(op, CLOSED);
		LOCK_RELEASE(me)
	   }
		if
		:: peer != NONE -> ready(peer)
		:: else -> break
		fi
	od
}

inline close()
{
	atomic {
		LOCK_ACQUIRE(me);
		closed = true;
		LOCK_RELEASE(me)
	}
	close_some(RECV);
#ifndef MUT_CLOSE_LEAVES_SENDERS
	close_some(SEND)
#endif
}

proctype outsider()
{
	byte me = 3, k, peer, n;
	bool ok;

	do
	:: n < ENDINGS -> n++; end_wait(0)
	:: n < ENDINGS -> n++; end_wait(1)
	:: n < ENDINGS && !closed -> n++; close()
	:: break
	od
}

#define WAITS(op) (parked[0] == op || parked[1] == op || parked[2] == op)

active proctype at_rest()
{
end:
	timeout ->
	assert(!(WAITS(SEND) && WAITS(RECV)));			/* two that could meet wait */
	assert(!(WAITS(SEND) && CAP > 0 && buffer == 0));	/* waits, though there is room */
	assert(!(WAITS(RECV) && buffer != 0));			/* waits, though there is an element */
	assert(!(closed && (WAITS(SEND) || WAITS(RECV))));	/* waits on a closed channel */
	assert((received | (buffer != 0 -> BIT(buffer) : 0)) == sent);	/* lost, or received though its send failed */
	assert((received & failed) == 0)			/* received though its send failed */
}

init {
	atomic {
		run task(0);
		run task(1);
		run task(2);
		run outsider()
	}
}
