/*
 * Simulation as a scheduler policy: see leat/sim.h and sim.c.
 */
#ifndef LEAT_RT_SIM_H
#define LEAT_RT_SIM_H

#include "rt/rt.h"

struct leat__sim *leat__sim_create(uint64_t seed);
void leat__sim_destroy(struct leat__sim *sim);
uint64_t leat__sim_seed_of(const struct leat__sim *sim);
/* Where its time is: for dumps, which may only look. */
const int64_t *leat__sim_clock(const struct leat__sim *sim);
int64_t leat__sim_now(const struct leat__sim *sim);
/* A hash of all choices so far. */
uint64_t leat__sim_hash(const struct leat__sim *sim);

/* A choice: 0 <= result < n. */
uint32_t leat__sim_choose(struct leat__sim *sim, uint32_t n);
/* Whether the running task is preempted at this operation. */
bool leat__sim_preempts(struct leat__worker *w);
struct leat__task *leat__sim_pick(struct leat__worker *w);
struct leat__task *leat__sim_find_work(struct leat__worker *w);

/*
 * Something that happens at a time, without a task: fire is called by the scheduler, under
 * the lock of the events.
 */
struct leat__sim_event {
	struct leat__list node;	/* (L) */
	int64_t due;		/* (L) */
	void (*fire)(struct leat__sim_event *event);
};

/* The lock of events and of what is simulated with them; it may be held while tasks are woken. */
void leat__sim_lock(struct leat__sim *sim);
void leat__sim_unlock(struct leat__sim *sim);
/* Under the lock.  Events of the same time happen in the order in which they were added. */
void leat__sim_event_add(struct leat__sim *sim, struct leat__sim_event *event);
/* Under the lock; event has been added, and may have fired. */
void leat__sim_event_remove(struct leat__sim_event *event);

/* The runtime's simulation, if sockets and files are to be simulated; else NULL. */
struct leat__sim *leat__sim_io(void);
/* A choice for any thread: those that are not simulated do not use up the generator. */
uint64_t leat__sim_roll(struct leat__sim *sim, uint64_t n);
/* What is simulated above the runtime; freed by fini when the run ends. */
struct leat__sim_part {
	void (*fini)(struct leat__sim_part *part);
};
enum leat__sim_part_kind { LEAT__SIM_NET, LEAT__SIM_DISK, LEAT__SIM_PARTS };
/* Under the lock: where it is. */
struct leat__sim_part **leat__sim_part(struct leat__sim *sim, enum leat__sim_part_kind kind);

/*
 * For a call that reaches out of the simulation: stops a simulated program by the name of the
 * function, unless LEAT_SIM_REAL=1.
 */
void leat__sim_real_only(const char *function);

#endif
