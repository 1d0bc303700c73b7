/*
 * Select: src/sync/select.c, whose steps are S1 to S7.
 *
 * Three tasks, two channels.  A task does a select of two cases, or one plain
 * operation; the CASE says who does what.  In the case TIMEOUT an outsider ends
 * a wait, as a timer or a cancel does.  In the case ONE_WORKER the tasks share a
 * worker: one runs until it parks.
 *
 * Properties: of each select one case fires, the one that it reports; each
 * element goes from one sender to one receiver; nobody touches a waiter whose
 * owner has returned; at rest no two tasks wait that could meet, and nobody
 * waits while there is room or an element; a select goes round (S5 to S4)
 * only because somebody else runs at the same time.
 */
#ifdef CASE_TIMEOUT
#define NT	4
#else
#define NT	3
#endif
#define LOCK(c)	(c)
#define CLAIM(t) (2 + (t))
#define NLOC	5

#define IDLE	0
#define ARMED	1
#define TIMEOUT	2
#define DONE	3			/* + index of the case */

#define SEND	0
#define RECV	1
#define NOBODY	7

/* Cases of task t, and channel and operation of its i-th. */
#if defined(CASE_THREE_SELECTS)		/* any two of them could meet */
#define NCASES(t) 2
#define CH(t, i) (i)
#define OP(t, i) (t == 0 -> RECV : (t == 1 -> SEND : i))
#elif defined(CASE_BOTH_ENDS)		/* two selects at both ends of a channel, and a receiver */
#define NCASES(t) (t == 2 -> 1 : 2)
#define CH(t, i) 0
#define OP(t, i) (t == 2 -> RECV : i)
#elif defined(CASE_ONE_WORKER)		/* the second is a select at both ends */
#define NCASES(t) (t == 2 -> 1 : 2)
#define CH(t, i) ((t == 0) * (i) + (t == 2))		/* i, 0, 1 */
#define OP(t, i) ((t == 0) * RECV + (t == 1) * (i))	/* RECV, i, SEND */
#elif defined(CASE_BUFFERED)		/* two selects on a channel with room for one, and a sender */
#define NCASES(t) (t == 2 -> 1 : 2)
#define CH(t, i) (t == 2 -> 0 : i)
#define OP(t, i) (t == 0 -> RECV : SEND)
#else					/* TIMEOUT: two selects, and a sender */
#define NCASES(t) (t == 2 -> 1 : 2)
#define CH(t, i) (t == 2 -> 0 : i)
#define OP(t, i) (t == 0 -> RECV : SEND)
#endif

#include "tso.h"

/* Under the channel's lock.  A waiter is 2 * task + index of the case. */
byte waiter[12];		/* the queues */
byte count[4];
#ifdef CASE_BUFFERED
#define CAP(c)	(1 - (c))
byte buffered[2];
#define BUFFER_FIRST (MY_OP == SEND && buffered[MY_CH] > 0)	/* receivers take from it first */
#else
#define BUFFER_FIRST false
#endif

#define QUEUE(c, op) (2 * (c) + (op))
#define Q(c, op, k) waiter[3 * QUEUE(c, op) + (k)]
#define COUNT(c, op) count[QUEUE(c, op)]

/* What is true. */
bool ready[3];			/* the task is in a run queue */
bool parked[3];
bool alive[3];			/* its waiters exist */
bool fired[3];			/* a case of it has fired: */
byte which[3];			/* this one */

#ifdef CASE_ONE_WORKER
bool worker;			/* a task runs on it */
#define RUN	!worker -> worker = true
#define LEAVE	DRAINED(me) -> worker = false
#else
#define RUN	skip
#define LEAVE	skip
#endif

/* The lock may be biased to this worker (bias.pml): taking it drains nothing. */
#define ACQUIRE(c) (mem[LOCK(c)] == 0) -> mem[LOCK(c)] = 1
#define RELEASE(c) ST(me, LOCK(c), 0)

inline fire(t, i)
{
	assert(!fired[t]);					/* two cases of one task fired */
	fired[t] = true;
	which[t] = i
}

inline dequeue(c, op, w)
{
	d_step {
		j = 0;
		do
		:: j < COUNT(c, op) && Q(c, op, j) != w -> j++
		:: else -> break
		od;
		do
		:: j + 1 < COUNT(c, op) -> Q(c, op, j) = Q(c, op, j + 1); j++
		:: else -> break
		od;
		if
		:: j < COUNT(c, op) -> COUNT(c, op)--; Q(c, op, COUNT(c, op)) = 0
		:: else
		fi;
		j = 0
	}
}

inline enqueue(c, op, w)
{
	Q(c, op, COUNT(c, op)) = w;
	COUNT(c, op)++
}

#define MY_CH	CH(me, i)
#define MY_OP	OP(me, i)
#define OTHER	(1 - OP(me, i))

inline claim(w)
{
	assert(alive[w / 2]);					/* its owner has returned */
	if
	:: w / 2 == me -> ok = false				/* never with ourselves */
	:: else ->
#ifdef MUT_CLAIM_BY_STORE
		ok = (LD(me, CLAIM(w / 2)) == ARMED);
		if
		:: ok -> ST(me, CLAIM(w / 2), DONE + w % 2)
		:: else
		fi
#else
		CAS(me, CLAIM(w / 2), ARMED, DONE + w % 2, ok)
#endif
	fi
}

/* Under the lock: does case i if it can be done, and says so in ok; more: try the next. */
inline try_claim()
{
	ok = false;
	if
	:: k < COUNT(MY_CH, OTHER) && !BUFFER_FIRST ->
		peer = Q(MY_CH, OTHER, k);
		claim(peer);
		if
		:: ok -> dequeue(MY_CH, OTHER, peer); fire(peer / 2, peer % 2)
		:: else ->
#ifdef MUT_DROP_UNARMED
			if
			:: peer / 2 != me -> dequeue(MY_CH, OTHER, peer); k--
			:: else
			fi;
#endif
			peer = NOBODY;
			k++
		fi
	:: else
	fi;
	more = (!ok && k < COUNT(MY_CH, OTHER) && !BUFFER_FIRST);
	if
	:: ok -> fire(me, i)
	:: else
	fi
}

inline use_buffer()
{
#ifdef CASE_BUFFERED
	if
	:: !ok && MY_OP == SEND && buffered[MY_CH] < CAP(MY_CH) -> buffered[MY_CH]++; ok = true; fire(me, i)
	:: !ok && MY_OP == RECV && buffered[MY_CH] > 0 -> buffered[MY_CH]--; ok = true; fire(me, i)
	:: else
	fi;
#endif
	skip
}

/* The further claims: each is a step, because somebody may arm, or be claimed, in between. */
#define GO_ON(step, finish)						\
		do							\
		:: atomic { more -> step() }				\
		:: atomic { else -> k = 0; finish(); break }		\
		od

/* W2, W3 */
inline unlock_and_ready()
{
	atomic {
		if
		:: peer != NOBODY -> ready[peer / 2] = true; peer = NOBODY
		:: else
		fi;
		RELEASE(MY_CH)
	}
}

/* S5, under the lock: is there somebody whom we could claim?  Room, an element? */
inline look()
{
	ok = false;
	if
	:: k < COUNT(MY_CH, OTHER) && !BUFFER_FIRST ->
		peer = Q(MY_CH, OTHER, k);
		assert(alive[peer / 2]);			/* its owner has returned */
#ifdef MUT_GO_FOR_ANY_WAITER
		ok = true;
#elif defined(MUT_MEET_SELF)
		ok = (LD(me, CLAIM(peer / 2)) == ARMED);
#else
		ok = (peer / 2 != me && LD(me, CLAIM(peer / 2)) == ARMED);
#endif
		k++
	:: else
	fi;
	peer = NOBODY;
	more = (!ok && k < COUNT(MY_CH, OTHER) && !BUFFER_FIRST)
}

inline look_at_buffer()
{
#ifdef CASE_BUFFERED
	ok = ok || (MY_OP == SEND && buffered[MY_CH] < CAP(MY_CH)) || (MY_OP == RECV && buffered[MY_CH] > 0);
#endif
	skip
}

proctype task(byte me)
{
	byte i, n, k, j;
	byte peer = NOBODY;
	byte how;
	bool ok, more, flip;
	byte queued;						/* so many cases have waiters in queues */

	atomic { RUN }

	do							/* S1, or a plain operation */
	:: atomic { n < NCASES(me) -> i = n; n++; ACQUIRE(MY_CH); k = 0; try_claim() }
		GO_ON(try_claim, use_buffer);
		if
		:: ok -> unlock_and_ready(); goto done
		:: !ok && NCASES(me) == 1 ->
			atomic {
				alive[me] = true;
				enqueue(MY_CH, MY_OP, 2 * me);
				queued = 1;
				ST(me, CLAIM(me), ARMED);
				RELEASE(MY_CH)
			}
			goto park
		:: else -> RELEASE(MY_CH)
		fi
	:: atomic { NCASES(me) == 2 && n < 2 -> n = 2 }		/* the rest did not seem ready */
	:: else -> break
	od;

	/* The order of the cases; that of task 2 is as good as any. */
	atomic { alive[me] = true; if :: me < 2 -> flip = true :: flip = false fi }
again:
#ifndef MUT_ARM_AFTER_RESCAN
	ST(me, CLAIM(me), ARMED);				/* S4 */
#endif
	n = 0;
	do							/* S5 */
	:: atomic { n < 2 -> i = (flip -> 1 - n : n); n++; ACQUIRE(MY_CH); k = 0; look() }
		GO_ON(look, look_at_buffer);
#ifdef MUT_NO_RESCAN
		ok = false;
#endif
		if
		:: !ok && n > queued -> atomic { enqueue(MY_CH, MY_OP, 2 * me + i); queued++; RELEASE(MY_CH) }
		:: !ok && n <= queued -> RELEASE(MY_CH)
		:: else ->
#ifdef MUT_STAY_ARMED
			ok = true;
#elif defined(MUT_DISARM_BY_STORE)
			atomic { ok = (LD(me, CLAIM(me)) == ARMED); if :: ok -> ST(me, CLAIM(me), IDLE) :: else fi }
#elif defined(MUT_ARM_AFTER_RESCAN)
			ok = true;
#else
			CAS(me, CLAIM(me), ARMED, IDLE, ok);
#endif
			if
			:: !ok -> RELEASE(MY_CH); goto park	/* somebody has claimed us */
			:: else
			fi;
			atomic { k = 0; try_claim() }
			GO_ON(try_claim, use_buffer);
			if
			:: ok -> unlock_and_ready(); goto done
			:: else ->
				RELEASE(MY_CH);
#ifdef CASE_ONE_WORKER
				assert(false);			/* goes round for ever */
#endif
#ifdef MUT_NO_REARM
				goto park
#else
				goto again
#endif
			fi
		fi
	:: else -> break
	od;
#ifdef MUT_ARM_AFTER_RESCAN
	ST(me, CLAIM(me), ARMED);
#endif

park:								/* S6 */
	atomic { i = 0; n = 0; parked[me] = true; LEAVE }
end_parked:
	ready[me];
	atomic { RUN; parked[me] = false; ready[me] = false; how = LD(me, CLAIM(me)) }
	atomic {
		if
		:: how >= DONE -> assert(fired[me] && which[me] == how - DONE)	/* reports another case */
		:: else -> assert(!fired[me])			/* reports none, but one fired */
		fi;
		ST(me, CLAIM(me), IDLE)
	}

done:
#ifdef MUT_NO_REMOVE
	queued = 0;
#endif
	atomic { n = 0 }
	do							/* S7 */
	:: atomic { n < queued -> i = (flip -> 1 - n : n); n++;
		if
		:: how == DONE + i			/* who claimed us has taken it out */
		:: else -> ACQUIRE(MY_CH); dequeue(MY_CH, MY_OP, 2 * me + i); RELEASE(MY_CH)
		fi }
	:: else -> break
	od;
	atomic { alive[me] = false; how = 0; i = 0; n = 0; flip = false; queued = 0; LEAVE }
}

#ifdef CASE_TIMEOUT
proctype outsider(byte me)
{
	byte t;
	bool ok;

	select(t : 0 .. 1);
	CAS(me, CLAIM(t), ARMED, TIMEOUT, ok);
	if
	:: ok -> ready[t] = true
	:: else
	fi
}
#endif

#define WAITS(t, c, op)							\
	(parked[t] && ((CH(t, 0) == c && OP(t, 0) == op) ||		\
		       (NCASES(t) == 2 && CH(t, 1) == c && OP(t, 1) == op)))
#define COULD_MEET(a, b)						\
	((WAITS(a, 0, SEND) && WAITS(b, 0, RECV)) || (WAITS(a, 0, RECV) && WAITS(b, 0, SEND)) || \
	 (WAITS(a, 1, SEND) && WAITS(b, 1, RECV)) || (WAITS(a, 1, RECV) && WAITS(b, 1, SEND)))
#define ANYONE(c, op) (WAITS(0, c, op) || WAITS(1, c, op) || WAITS(2, c, op))
#define DID(t, op) (fired[t] && OP(t, which[t]) == op -> 1 : 0)
#define DONE_BY_ALL(op) (DID(0, op) + DID(1, op) + DID(2, op))

active proctype at_rest()
{
end:
	timeout ->
	assert(!COULD_MEET(0, 1) && !COULD_MEET(0, 2) && !COULD_MEET(1, 2));	/* two that could meet wait */
#ifdef CASE_BUFFERED
	assert(!(ANYONE(0, SEND) && buffered[0] < CAP(0)));	/* waits, though there is room */
	assert(!(ANYONE(0, RECV) && buffered[0] > 0));		/* waits, though there is an element */
	assert(DONE_BY_ALL(SEND) == DONE_BY_ALL(RECV) + buffered[0])	/* an element lost or doubled */
#else
	assert(DONE_BY_ALL(SEND) == DONE_BY_ALL(RECV))		/* an element lost or doubled */
#endif
}

init {
	atomic {
		run task(0);
		run task(1);
		run task(2);
#ifdef CASE_TIMEOUT
		run outsider(3)
#endif
	}
}
