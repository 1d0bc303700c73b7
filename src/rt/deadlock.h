#ifndef LEAT_RT_DEADLOCK_H
#define LEAT_RT_DEADLOCK_H

#include "rt/rt.h"

/* Reports that nothing can ever run again; aborts, or makes leat_run return -EDEADLK. */
void leat__deadlock(struct leat__runtime *rt);

#endif
