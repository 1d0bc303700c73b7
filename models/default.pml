/*
 * A select with a default: S2 of src/sync/select.c.
 *
 * Task 0 would send to channel 0 or to channel 1, and has a default.  A receiver
 * waits at channel 1 from the start; task 2 takes it away.  Task 1 comes to receive
 * from channel 0, by a plain receive or by a select.
 *
 * Property: when the default is taken, there was an instant since the call at which
 * no case was ready.  A receiver waits when the stores of its last critical section
 * (of a select: S5) can be seen; before, nobody can tell.
 */
#define NT	3
#define LOCK(c)	(c)
#define VERSION(c) (2 + (c))
#define CLAIM	4			/* of task 1 */
#define NLOC	5

#define IDLE	0
#define ARMED	1
#define DONE	2
#define TRIES	2

#include "tso.h"

bool at_0;				/* under LOCK(0): task 1's waiter */
bool at_1 = true;			/* under LOCK(1): the other receiver's */

bool ready_0;				/* task 1 waits, and nobody has claimed it */
bool called, quiet;			/* since the call there was such an instant */

/* The lock may be biased to this worker (bias.pml): taking it drains nothing. */
#define ACQUIRE(c) (mem[LOCK(c)] == 0) -> mem[LOCK(c)] = 1
#define RELEASE(c) ST(me, LOCK(c), 0)

#define LOOK_AROUND quiet = quiet || (called && !ready_0 && !at_1)

inline changed(c)
{
	ST(me, VERSION(c), LD(me, VERSION(c)) + 1)
}

proctype chooser(byte me)
{
	byte version_0, version_1, tries;
	bool ok;

	atomic { called = true; LOOK_AROUND }
	do
	:: tries == TRIES -> goto done			/* all locked at once: not here */
	:: else ->
		atomic { ACQUIRE(0); tries++ }
		if
		:: at_0 ->
			atomic {
				CAS(me, CLAIM, ARMED, DONE, ok);
				if
				:: ok -> at_0 = false; ready_0 = false
				:: else
				fi
			}
		:: else
		fi;
		atomic { version_0 = LD(me, VERSION(0)); RELEASE(0) }
		if
		:: ok -> goto done
		:: else
		fi;
		atomic { ACQUIRE(1); ok = at_1; at_1 = false; version_1 = LD(me, VERSION(1)); RELEASE(1) }
		if
		:: ok -> goto done
		:: else
		fi;
#ifndef MUT_NO_SECOND_LOOK
		if
		:: LD(me, VERSION(0)) != version_0 -> goto again
		:: else
		fi;
		if
		:: LD(me, VERSION(1)) != version_1 -> goto again
		:: else
		fi;
#endif
		atomic {
			assert(quiet);			/* some case was ready all the time */
			goto done
		}
again:
		skip
	od;
done:
	skip
}

proctype receiver(byte me)
{
	bool ok;

	if
	:: atomic { ACQUIRE(0); at_0 = true;
		ST(me, CLAIM, ARMED);
#ifndef MUT_NO_VERSION_AT_ENQUEUE
		changed(0);
#endif
		RELEASE(0) }
	:: ST(me, CLAIM, ARMED);			/* S4 */
		atomic { ACQUIRE(0); at_0 = true; changed(0); RELEASE(0) }	/* S5 */
		CAS(me, CLAIM, ARMED, IDLE, ok);	/* for a case that it could not do after all */
		if
		:: ok -> ST(me, CLAIM, ARMED);		/* S4 */
			atomic { ACQUIRE(0);		/* S5 */
#ifndef MUT_NO_VERSION_AT_RESCAN
			changed(0);
#endif
			RELEASE(0) }
		:: else
		fi
	fi;
	atomic { DRAINED(me) -> ready_0 = (mem[CLAIM] == ARMED) }
}

proctype rival(byte me)
{
	atomic { ACQUIRE(1); at_1 = false; LOOK_AROUND; RELEASE(1) }
}

init {
	atomic {
		run chooser(0);
		run receiver(1);
		run rival(2)
	}
}
