#include "base/mutant.h"

#ifdef LEAT_MUTANTS
#include <stdlib.h>
#include <string.h>

bool leat__mutant_is(const char *name)
{
	static const char *chosen;

	if (!chosen) {
		chosen = getenv("LEAT_MUTANT");
		if (!chosen)
			chosen = "";
	}
	return strcmp(chosen, name) == 0;
}
#else
typedef int leat__no_mutants; /* a translation unit must not be empty */
#endif
