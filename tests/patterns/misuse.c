/* What the patterns say to who uses them in ways that cannot be: the line names the function. */
#include "patterns.h"

#include <leat/leat.h>

static int work(int *job)
{
	(void)job;
	return 0;
}

/* The line is in what is written before the abort. */
static void refused(int r)
{
	if (r == -EINVAL)
		abort();
}

#define NO_RUNTIME ": no runtime is running; call it inside leat_run or LEAT_MAIN"

TEST_DEATH(pool_without_a_runtime, "leat: leat_pool_make" NO_RUNTIME)
{
	leat_pool(int) pool;

	refused(leat_pool_make(&pool, work, .workers = 1, .queue = 1,
			       .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_STOP));
}

TEST_DEATH(pipeline_without_a_runtime, "leat: leat_pipeline_make" NO_RUNTIME)
{
	leat_pipeline *p;

	refused(leat_pipeline_make(&p, .live = 1));
}

TEST_DEATH(flight_without_a_runtime, "leat: leat_flight_make" NO_RUNTIME)
{
	leat_flight(int) flight;

	refused(leat_flight_make(&flight, .name = "flight"));
}

TEST_DEATH(timeout_without_a_runtime, "leat: leat_timeout" NO_RUNTIME)
{
	int n = 0;

	refused(leat_timeout(work, &n, LEAT_S));
}

/* What blocks names itself, and not what it calls. */
TEST_DEATH(sleep_without_a_runtime, "leat: leat_sleep_until((nil))" NO_RUNTIME)
{
	leat_sleep(LEAT_MS);
}

TEST_DEATH(send_without_a_runtime, "leat: no runtime is running; call leat's functions inside")
{
	leat_chan(int) c = leat_chan_make(int, 0);

	leat_send(c, 1);
}
