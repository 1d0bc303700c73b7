/* Worker pool: three workers process nine jobs from a shared channel. */
#include <stdio.h>
#include <leat/leat.h>

LEAT_TASK(worker, (int, id), (leat_receiver(int), jobs), (leat_sender(int), results))
{
	leat_range(job, jobs) {
		printf("Worker %d processing job %d\n", id, job);
		leat_sleep(LEAT_S); // Simulate work
		leat_send(results, job * 2);
	}
}

LEAT_MAIN()
{
	leat_chan(int) jobs = leat_chan_make(int, 100);
	leat_chan(int) results = leat_chan_make(int, 100);
	leat_group pool;

	// Start 3 workers
	leat_group_init(&pool, NULL);
	for (int w = 1; w <= 3; w++)
		leat_go_in(&pool, worker, w, leat_to_receiver(jobs), leat_to_sender(results));

	// Send 9 jobs
	for (int j = 1; j <= 9; j++)
		leat_send(jobs, j);
	leat_close(jobs);

	// Collect results
	for (int result, r = 1; r <= 9; r++) {
		leat_recv(results, &result);
		printf("%d\n", result);
	}

	// What Go leaves to its collector
	leat_group_wait(&pool);
	leat_group_release(&pool);
	leat_chan_unref(results);
	leat_chan_unref(jobs);
	return 0;
}
