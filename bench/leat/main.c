#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rows.h"

bool produce(leat_chan(int64_t) c, int64_t from, int64_t to)
{
	for (int64_t v = from; v < to; v++)
		if (leat_send(c, v) != 0)
			return false;
	return true;
}

void must(const char *what, int error)
{
	if (error == 0)
		return;
	fprintf(stderr, "bench-leat: %s: %s\n", what, leat_strerror(error));
	fflush(stderr);
	_exit(EXIT_FAILURE);
}

leat_chan(int64_t) make_chan(size_t cap)
{
	leat_chan(int64_t) c = leat_chan_make(int64_t, cap);

	must("channel", c ? 0 : -ENOMEM);
	return c;
}

static int with_runtime(int workers, int (*fn)(void *arg), void *arg)
{
	return leat_run(LEAT_OPTIONS(.workers = workers, .abort_on_deadlock = true), fn, arg);
}

int main(int argc, char **argv)
{
	static const struct bench_row *const groups[] = {
#ifdef LEAT_BENCH_BARE
		pool_rows, NULL,
#else
		spawn_rows, fib_rows, chan_rows, pattern_rows, pool_rows, pipeline_rows, loop_rows,
		select_rows, sync_rows, limit_rows, parked_rows, timer_rows, process_rows,
		bench_plain_rows,
		NULL,
#endif
	};
	static const struct bench_program program = {
		.name = "bench-leat",
		.groups = groups,
		.with_runtime = with_runtime,
	};

	return bench_main(argc, argv, &program);
}
