/* What chance does in a simulated network and on a simulated disk.  Under leat__sim_lock. */
#ifndef LEAT_IO_SIM_FAULT_H
#define LEAT_IO_SIM_FAULT_H

#include "rt/sim.h"

static inline int64_t leat__sim_between(struct leat__sim *sim, int64_t min, int64_t max)
{
	return min + (max > min ? (int64_t)leat__sim_roll(sim, (uint64_t)(max - min) + 1) : 0);
}

/* 0: never. */
static inline bool leat__sim_happens(struct leat__sim *sim, uint32_t one_in)
{
	return one_in > 0 && leat__sim_roll(sim, one_in) == 0;
}

/* How many of n bytes a call transfers. */
static inline size_t leat__sim_shortened(struct leat__sim *sim, uint32_t one_in, size_t n)
{
	if (n > 1 && leat__sim_happens(sim, one_in))
		return 1 + (size_t)leat__sim_roll(sim, n - 1);
	return n;
}

#endif
