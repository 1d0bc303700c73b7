/* Programs that are started and waited for, one after the other. */
#include "rows.h"

static void process(struct bench *b)
{
	const char *const argv[] = { "/bin/true", NULL };
	int64_t ended = 0;

	bench_start(b);
	for (int64_t i = 0; i < b->size; i++) {
		leat_process_result result;
		leat_process *p;

		must("start", leat_process_start(&p, LEAT_PROCESS_OPTIONS(.argv = argv)));
		must("wait", leat_process_wait(p, &result, LEAT_FOREVER));
		leat_process_release(p);
		ended += result.code == 0;
	}
	bench_stop(b);
	bench_check(b, "ended", ended, b->size);
	bench_report(b, ended);
}

const struct bench_row process_rows[] = {
	{ .name = "process", .unit = "ns", .size = 2000, .run = process },
	{ 0 },
};
