/* Fan-out, fan-in: one source, two workers in parallel, one merged result. */
#include <stdio.h>
#include <leat/leat.h>

// Input: a single source
LEAT_TASK(source, (int, count), (leat_sender(int), out))
{
	for (int i = 1; i <= count; i++)
		leat_send(out, i);
	leat_close(out);
}

// A worker: takes from the source whatever the other has not taken
LEAT_TASK(worker, (int, id), (leat_receiver(int), in), (leat_sender(int), out))
{
	leat_range(n, in) {
		printf("worker %d squares %d\n", id, n);
		leat_send(out, n * n);
	}
}

// Merger: what the workers produce, closed when all of them are done
LEAT_TASK(merge, (int, workers), (leat_receiver(int), in), (leat_sender(int), out))
{
	leat_group group;

	leat_group_init(&group, NULL);
	for (int w = 1; w <= workers; w++)
		leat_go_in(&group, worker, w, in, out);
	leat_group_wait(&group);
	leat_group_release(&group);
	leat_close(out);
}

LEAT_MAIN()
{
	leat_chan(int) numbers = leat_chan_make(int, 0);
	leat_chan(int) squares = leat_chan_make(int, 0);
	leat_group group;
	int sum = 0;

	leat_group_init(&group, NULL);
	leat_go_in(&group, source, 10, leat_to_sender(numbers));
	leat_go_in(&group, merge, 2, leat_to_receiver(numbers), leat_to_sender(squares));
	leat_range(n, squares)
		sum += n;
	printf("sum of the squares: %d\n", sum); // 385

	leat_group_wait(&group);
	leat_group_release(&group);
	leat_chan_unref(squares);
	leat_chan_unref(numbers);
	return 0;
}
