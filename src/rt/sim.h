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
 * For a call that reaches out of the simulation: stops a simulated program by the name of the
 * function, unless LEAT_SIM_REAL=1.
 */
void leat__sim_real_only(const char *function);

#endif
