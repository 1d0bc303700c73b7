/*
 * Pipeline: each stage is a task that reads from one channel and writes to
 * another.  Sender and receiver each have a reference to the channel between.
 */
#include <stdio.h>
#include <leat/leat.h>

LEAT_TASK(generator, (const int *, nums), (int, count), (leat_sender(int), out))
{
	for (int i = 0; i < count; i++)
		leat_send(out, nums[i]);
	leat_close(out);
	leat_chan_unref(out);
}

static leat_receiver(int) generate(const int *nums, int count)
{
	leat_chan(int) out = leat_chan_make(int, 0);

	leat_go(generator, nums, count, leat_to_sender(leat_chan_ref(out)));
	return leat_to_receiver(out);
}

LEAT_TASK(squarer, (leat_receiver(int), in), (leat_sender(int), out))
{
	leat_range(n, in)
		leat_send(out, n * n);
	leat_close(out);
	leat_chan_unref(in);
	leat_chan_unref(out);
}

static leat_receiver(int) square(leat_receiver(int) in)
{
	leat_chan(int) out = leat_chan_make(int, 0);

	leat_go(squarer, in, leat_to_sender(leat_chan_ref(out)));
	return leat_to_receiver(out);
}

LEAT_MAIN()
{
	// Pipeline: generate -> square -> print
	leat_receiver(int) squares = square(generate((int[]){ 2, 3, 4 }, 3));

	leat_range(val, squares)
		printf("%d\n", val); // 4, 9, 16
	leat_chan_unref(squares);
	return 0;
}
