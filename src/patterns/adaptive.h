/* What the limit becomes: see leat/adaptive.h. */
#ifndef LEAT_PATTERNS_ADAPTIVE_H
#define LEAT_PATTERNS_ADAPTIVE_H

#include <leat/adaptive.h>

/*
 * After a sample, by the algorithm, within min and max.  latency > 0, unless dropped, as what took
 * too long is.
 */
double leat__adaptive_next(const leat_adaptive *a, int64_t latency, int64_t out, bool dropped);

#endif
