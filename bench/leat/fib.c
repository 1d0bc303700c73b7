/* fib(35), a task for each call: in a group of its own, or forked. */
#include "rows.h"

LEAT_TASK(fib_group, (int64_t *, sum), (int64_t, n))
{
	leat_group group;
	int64_t x = 0, y = 0;

	if (n < 2) {
		*sum = n;
		return;
	}
	must("group", leat_group_init(&group, NULL));
	leat_go_in(&group, fib_group, &x, n - 1);
	fib_group(&y, n - 2);
	must("wait", leat_group_wait(&group));
	leat_group_release(&group);
	*sum = x + y;
}

LEAT_TASK(fib_fork, (int64_t *, sum), (int64_t, n))
{
	leat_forked forked;
	int64_t x = 0, y = 0;

	if (n < 2) {
		*sum = n;
		return;
	}
	leat_fork(&forked, fib_fork, &x, n - 1);
	fib_fork(&y, n - 2);
	leat_join(&forked);
	*sum = x + y;
}

/* One spawn for each call with n >= 2, so fib(n + 1) - 1 of them. */
static void report_fib(struct bench *b, int64_t n, int64_t sum)
{
	bench_check(b, "fib", sum, bench_fib(n));
	bench_report(b, bench_fib(n + 1) - 1);
}

static void fib_by_group(struct bench *b)
{
	int64_t n = bench_fib_n(b), sum = 0;

	bench_start(b);
	fib_group(&sum, n);
	bench_stop(b);
	report_fib(b, n, sum);
}

static void fib_by_fork(struct bench *b)
{
	int64_t n = bench_fib_n(b), sum = 0;

	bench_start(b);
	fib_fork(&sum, n);
	bench_stop(b);
	report_fib(b, n, sum);
}

const struct bench_row fib_rows[] = {
	{ .name = "fib-group", .unit = "ns", .size = 35, .run = fib_by_group },
	{ .name = "fib-fork", .unit = "ns", .size = 35, .run = fib_by_fork },
	{ .name = "compute", .unit = "ms", .size = 40, .run = bench_compute },
	{ 0 },
};
