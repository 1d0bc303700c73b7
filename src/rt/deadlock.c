/*
 * What happens when every task waits and nothing can wake one (I10 in idle.c).
 */
#include "rt/deadlock.h"

#include <stdlib.h>
#include <unistd.h>

#include "rt/dump.h"
#include "rt/idle.h"
#include "rt/look.h"
#include "rt/sim.h"

void leat__deadlock(struct leat__runtime *rt)
{
	struct leat__look l;

	leat__log("deadlock: every task is blocked, and no timer, thread or event can wake one");
	leat__look_begin(&l, STDERR_FILENO, rt->options.log != NULL);
	l.stopped = true;
	if (l.error < 0) {
		leat__log("the tasks cannot be shown: %s", leat_strerror(l.error));
	} else {
		leat__dump_tasks(&l);
		leat__say_cycle(&l);
	}
	(void)leat__look_end(&l);
	if (rt->sim)
		leat__log("seed %llu (replay with LEAT_SIM=%llu)",
			  (unsigned long long)leat__sim_seed_of(rt->sim),
			  (unsigned long long)leat__sim_seed_of(rt->sim));
	if (rt->options.abort_on_deadlock)
		abort();
	leat__store_relaxed(&rt->stopping, 1);
	for (int i = 0; i < leat__nworkers(rt); i++)
		leat__wake_worker(rt->worker[i]);
}
