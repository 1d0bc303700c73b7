#ifndef LEAT_RT_RUNTIME_H
#define LEAT_RT_RUNTIME_H

#include "rt/rt.h"

/* The hash of the last simulated run, for leat_sim_run. */
extern uint64_t leat__sim_last_hash;

#endif
