/*
 * Deterministic simulation: one thread, a seeded generator that decides at
 * every choice (which task runs next, where a task is preempted, which ready
 * case a select takes), and virtual time: each choice takes 100 ns, and when
 * every task waits, time jumps to the next timer.  The same seed gives the
 * same run.  LEAT_SIM=seed in the environment simulates any leat program.
 *
 * Sockets are simulated, too: TCP, UDP, Unix and pairs (all addresses, of whatever host, are
 * in the one process), with latency, short counts and faults from the seed.  They have no
 * descriptor; socket options are accepted and mean nothing, and there is no broadcast or multicast.
 * Adopted descriptors are always the kernel's.
 *
 * Files (leat/file.h) are simulated as well: on a disk in memory that each run finds empty,
 * with latency, short counts and faults from the seed.  The directories on the way to a new file
 * are made with it; there are no links and no permissions.  Paths that begin with /dev,
 * /proc or /sys stay the kernel's.  With LEAT_SIM_REAL=1 all sockets and files are the kernel's.
 *
 * Calls that cannot be simulated stop the program by name; LEAT_SIM_REAL=1
 * allows them and says that the run cannot be replayed.
 */
#ifndef LEAT_SIM_H
#define LEAT_SIM_H

#include <leat/runtime.h>

typedef struct leat_sim_report {
	uint64_t runs;		/* seeds that were run */
	uint64_t distinct;	/* different schedules among them, by hash of the choices */
	uint64_t failed_seed;	/* the seed of the failure; 0: none */
	int error;		/* what fn returned then, or -EDEADLK */
} leat_sim_report;

/*
 * What the simulated network does.  A run starts with a latency of 10 us to 1 ms, one count in 8
 * short, no resets, no datagram lost or doubled (but they overtake each other), 64 KiB in a
 * direction.
 */
typedef struct leat_sim_net {
	size_t size;		/* sizeof(leat_sim_net) */
	int64_t latency_min, latency_max; /* ns; of all that is sent, each way of a connect */
	uint32_t short_one_in;	/* reads and writes that are cut short: one in so many; 0: none */
	uint32_t reset_one_in;	/* reads and writes that find -ECONNRESET; 0: none */
	uint32_t lost_one_in, doubled_one_in; /* datagrams of UDP; 0: none */
	/*
	 * Bytes sent and not read, a direction; 0: 64 KiB.  Of UDP the receiver's, where the rest
	 * is dropped, and as many of a sender on the way.
	 */
	size_t buffer;
} leat_sim_net;

#define LEAT_SIM_NET(...) LEAT__OPTIONS(leat_sim_net, __VA_ARGS__)

/*
 * What the simulated disk does.  A run starts with a latency of 20 us to 2 ms, one count in 8
 * short, no -EIO, room for 1 GiB.
 */
typedef struct leat_sim_disk {
	size_t size;		/* sizeof(leat_sim_disk) */
	int64_t latency_min, latency_max; /* ns; of each call but leat_io_close and leat_dir_next */
	uint32_t short_one_in;	/* reads and writes that are cut short: one in so many; 0: none */
	uint32_t error_one_in;	/* calls that find -EIO, and do nothing; 0: none */
	uint64_t capacity;	/* bytes in all files; then -ENOSPC; 0: 1 GiB */
} leat_sim_disk;

#define LEAT_SIM_DISK(...) LEAT__OPTIONS(leat_sim_disk, __VA_ARGS__)

LEAT_BEGIN_DECLS

/*
 * Runs fn(arg) as the main task of a fresh simulated runtime, once for each of
 * n seeds from first on (seed 0 is skipped), until a run returns an error or
 * deadlocks.  Prints the seed of a failure through the log, with the deadlock
 * report if it is one.  Blocks the calling thread, which must not be a task.
 * report may be NULL.  Returns 0, or the error of the run that failed.
 */
LEAT_API LEAT_MUST_CHECK int leat_sim_run(const leat_options *options, int (*fn)(void *arg),
					  void *arg, uint64_t first, uint64_t n,
					  leat_sim_report *report);

/* The seed of this run; 0 when it is not simulated. */
LEAT_API uint64_t leat_sim_seed(void);

/*
 * Cancels group when tasks of this run have waited n times more (n > 0; 0 or NULL: no more),
 * between two tasks.  One group at a time.  Tasks of a simulation only; else it does nothing.
 * For tests: leat/testing.h has all n.
 */
LEAT_API void leat_sim_cancel_at(leat_group *group, uint64_t n);

/*
 * From now on the network of this run is like that; without a simulation, or with LEAT_SIM_REAL=1,
 * it does nothing.  0, or -ENOMEM.  Does not block.
 */
LEAT_API int leat_sim_net_set(const leat_sim_net *net);

/* The same for its disk.  What is on it stays, also if it is more than the capacity. */
LEAT_API int leat_sim_disk_set(const leat_sim_disk *disk);

/* A number below n (n > 0) from the run's generator: replays under simulation, random otherwise. */
LEAT_API uint64_t leat_random(uint64_t n);

LEAT_END_DECLS

#endif
