/*
 * A program whose tasks are all blocked in known places, for tests that look at
 * it from outside: gdb, a core.  Prints "ready", then waits for a line on stdin.
 * With the argument "abort" it aborts then, with "go on" it ends.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <leat/leat.h>

static leat_mutex mutex = LEAT_MUTEX_INIT;

__attribute__((noinline)) static int pull(leat_chan(int) jobs)
{
	int job = 0;

	leat_recv(jobs, &job);
	return job + 1;
}

LEAT_TASK(puller, (leat_chan(int), jobs))
{
	volatile int unread = pull(jobs);

	(void)unread;
}

LEAT_TASK(locker, (int, n))
{
	leat_mutex_lock(&mutex);
	leat_mutex_unlock(&mutex);
	(void)n;
}

/* Nothing runs any more but us. */
static void settle(uint64_t blocked)
{
	leat_stats stats = { .size = sizeof(stats) };

	do {
		leat_yield();
		leat_stats_get(&stats);
	} while (stats.parked < blocked);
}

LEAT_MAIN(int argc, char **argv)
{
	leat_chan(int) jobs = leat_chan_make(int, 3);
	leat_group group;
	char line[16];
	int r;

	r = leat_group_init(&group, LEAT_GROUP_OPTIONS(.name = "crew"));
	if (r < 0)
		return 1;
	leat_mutex_lock(&mutex);
	leat_go_in(&group, puller, jobs);
	leat_go_with(&group, LEAT_TASK_OPTIONS(.name = "the locker"), locker, 1);
	settle(2);
	puts("ready");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin) || (argc > 1 && strcmp(argv[1], "abort") == 0))
		abort();
	leat_mutex_unlock(&mutex);
	leat_close(jobs);
	r = leat_group_wait(&group);
	leat_group_release(&group);
	leat_chan_unref(jobs);
	puts("done");
	return r;
}
