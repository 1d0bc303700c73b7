/*
 * Adaptive concurrency: nobody has said how many calls the server does at once (it does four; more
 * of them wait inside).  The limit finds out: it begins at forty and falls to where the calls
 * take no longer than they must.
 */
#include <stdio.h>
#include <leat/leat.h>

static leat_adaptive limit;
static leat_sem server;

static int call_server(void)
{
	int r = leat_sem_acquire(&server, 1); // the queue inside

	if (r < 0)
		return r;
	r = leat_sleep(5 * LEAT_MS); // Simulate work
	leat_sem_release(&server, 1);
	return r;
}

LEAT_TASK_ERR(ask, (int, times))
{
	leat_permit permit;
	int r = 0;

	for (int i = 0; i < times && r == 0; i++) {
		r = leat_adaptive_acquire(&limit, &permit);
		if (r < 0)
			break;
		r = call_server();
		leat_adaptive_release(&limit, &permit,
				      r < 0 ? LEAT_OUTCOME_DROPPED : LEAT_OUTCOME_SUCCESS);
	}
	return r;
}

LEAT_MAIN()
{
	leat_group group;
	int r = leat_adaptive_init(&limit, LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS, .min = 1,
								 .initial = 40, .max = 100));

	leat_sem_init(&server, 4, 0);
	leat_group_init(&group, NULL);
	printf("the limit begins at %d\n", leat_adaptive_limit(&limit));
	for (int i = 0; i < 50 && r == 0; i++)
		r = leat_go_in(&group, ask, 20);
	if (leat_group_wait(&group) < 0)
		r = -EIO;
	leat_group_release(&group);
	printf("after %d calls it is %d\n", 50 * 20, leat_adaptive_limit(&limit));
	return r < 0;
}
