/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): small, seedable with any value. */
#ifndef LEAT_BASE_RANDOM_H
#define LEAT_BASE_RANDOM_H

#include <stdint.h>

static inline uint64_t leat__random_next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* 0 <= result < n, n > 0; multiply-shift, bias below n / 2^32. */
static inline uint32_t leat__random_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)(((leat__random_next(state) >> 32) * n) >> 32);
}

#endif
