#ifndef LEAT_RT_RUNTIME_H
#define LEAT_RT_RUNTIME_H

#include "rt/rt.h"

/* The hash of the last simulated run, for leat_sim_run. */
extern uint64_t leat__sim_last_hash;

/* fn(rt) runs when all tasks have ended, before anything of the runtime is freed. */
void leat__at_stop(struct leat__runtime *rt, void (*fn)(struct leat__runtime *rt));

#endif
