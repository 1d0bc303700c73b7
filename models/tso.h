/*
 * Memory as x86-64 has it (TSO), for Promela.
 *
 * Spin alone is sequentially consistent: a store is seen by all at once, and a
 * missing store->load fence cannot be seen at all.  Here every thread has a
 * store buffer, a FIFO of SB_CAP entries:
 *
 *	ST(t, a, v)	thread t stores v at a: appends to t's buffer; waits while
 *			it is full
 *	LD(t, a)	thread t loads a: its own newest buffered store, else memory
 *	FENCE(t)	full fence: waits until t's buffer is empty
 *	CAS(t, a, expected, v, ok)	locked instruction: empty buffer,
 *			then one step
 *	XCHG(t, a, v, old)	the same
 *	HEAVY_FENCE(t, seen)	membarrier(PRIVATE_EXPEDITED): returns when each
 *			thread has had an empty buffer at some instant since the
 *			call, in whatever order, not all at the same instant.
 *			seen is a scratch variable of the caller
 *	LIGHT_FENCE	the other side of it: it binds the compiler only, and a
 *			step of a model is never reordered, so it is nothing here
 *
 * The process store_buffers moves the oldest entry of any buffer to memory at
 * any moment.  Waiting until a buffer is empty is what draining it is: there is
 * always a run in which store_buffers empties it next.
 *
 * A model defines NT (threads, 2 to 4) and NLOC (addresses) and includes this.
 * What only the holder of a lock touches may be an ordinary variable, so long
 * as the lock itself is here: its release is a buffered store behind the
 * holder's other stores.  Addresses and values are bytes.
 */
#ifndef NT
#error "NT: the number of threads"
#endif
#define SB_CAP 2

byte mem[NLOC];
byte sb_at[2 * NT];
byte sb_val[2 * NT];
byte sb_len[NT];

#define LD(t, a)							\
	((sb_len[t] == 2 && sb_at[2 * (t) + 1] == (a)) -> sb_val[2 * (t) + 1] :	\
	 ((sb_len[t] >= 1 && sb_at[2 * (t)] == (a)) -> sb_val[2 * (t)] : mem[a]))

#define ST(t, a, v)							\
	atomic {							\
		sb_len[t] < SB_CAP;					\
		sb_at[2 * (t) + sb_len[t]] = a;				\
		sb_val[2 * (t) + sb_len[t]] = v;			\
		sb_len[t]++						\
	}

#define DRAINED(t) (sb_len[t] == 0)

#define FENCE(t) DRAINED(t)

#define CAS(t, a, expected, v, ok)					\
	atomic {							\
		DRAINED(t);						\
		if							\
		:: mem[a] == (expected) -> mem[a] = v; ok = true	\
		:: else -> ok = false					\
		fi							\
	}

#define XCHG(t, a, v, old)						\
	atomic {							\
		DRAINED(t);						\
		old = mem[a];						\
		mem[a] = v						\
	}

#define LIGHT_FENCE skip

#define ALL_SEEN ((1 << NT) - 1)
#if NT == 2
#define EMPTY_NOW (DRAINED(0) + 2 * DRAINED(1))
#elif NT == 3
#define EMPTY_NOW (DRAINED(0) + 2 * DRAINED(1) + 4 * DRAINED(2))
#else
#define EMPTY_NOW (DRAINED(0) + 2 * DRAINED(1) + 4 * DRAINED(2) + 8 * DRAINED(3))
#endif

/* Marking a thread as soon as its buffer is empty asks the least of it. */
#define HEAVY_FENCE(t, seen)						\
	atomic { DRAINED(t); seen = EMPTY_NOW };			\
	do								\
	:: seen == ALL_SEEN -> seen = 0; break				\
	:: atomic { EMPTY_NOW & ~seen -> seen = seen | EMPTY_NOW }	\
	od

#define FLUSH(t)							\
	d_step {							\
		sb_len[t] > 0 ->					\
		mem[sb_at[2 * (t)]] = sb_val[2 * (t)];			\
		sb_at[2 * (t)] = sb_at[2 * (t) + 1];			\
		sb_val[2 * (t)] = sb_val[2 * (t) + 1];			\
		sb_at[2 * (t) + 1] = 0;					\
		sb_val[2 * (t) + 1] = 0;				\
		sb_len[t]--;						\
		if							\
		:: sb_len[t] == 0 -> sb_at[2 * (t)] = 0; sb_val[2 * (t)] = 0 \
		:: else							\
		fi							\
	}

active proctype store_buffers()
{
end:
	do
	:: FLUSH(0)
	:: FLUSH(1)
#if NT > 2
	:: FLUSH(2)
#endif
#if NT > 3
	:: FLUSH(3)
#endif
	od
}
