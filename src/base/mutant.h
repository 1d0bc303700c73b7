/*
 * Seeded bugs.  A test build with -DLEAT_MUTANTS turns one on by name
 * (LEAT_MUTANT=NAME in the environment); tests/mutants shows that the simulator or
 * the checking build finds each of them.  In every other build this is 0.
 */
#ifndef LEAT_BASE_MUTANT_H
#define LEAT_BASE_MUTANT_H

#ifdef LEAT_MUTANTS
#include <stdbool.h>
bool leat__mutant_is(const char *name);
/* The environment does not change: each place asks once. */
#define LEAT__MUTANT(name)                                                    \
	({                                                                    \
		static signed char leat__on = -1;                             \
		if (leat__on < 0)                                             \
			leat__on = leat__mutant_is(#name);                    \
		leat__on > 0;                                                 \
	})
#else
#define LEAT__MUTANT(name) 0
#endif

#endif
