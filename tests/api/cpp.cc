// The public API from C++17: tasks, typed channels, select, groups, results.
#include <cstdio>
#include <leat/leat.h>

static int failed;

static void expect(bool cond, const char *what)
{
	std::printf("%s %s\n", cond ? "ok" : "FAIL", what);
	failed += !cond;
}

LEAT_TASK(square, (leat_receiver(int), in), (leat_sender(long), out))
{
	leat_range(n, in)
		leat_send(out, (long)n * n);
	leat_close(out);
}

LEAT_TASK_ERR(fail, (int, error))
{
	return error;
}

LEAT_TASK(fib, (int, n), (long *, result))
{
	if (n < 2) {
		*result = n;
		return;
	}
	long a, b;
	leat_forked left;
	leat_fork(&left, fib, n - 1, &a);
	fib(n - 2, &b);
	leat_join(&left);
	*result = a + b;
}

static int body(void *)
{
	leat_chan(int) in = leat_chan_make(int, 2);
	leat_chan(long) out = leat_chan_make(long, 0);
	leat_group group;
	long sum = 0, value = 0;
	int ok = -1;

	leat_group_init(&group, nullptr);
	leat_go_in(&group, square, leat_to_receiver(in), leat_to_sender(out));
	for (int i = 1; i <= 2; i++)
		leat_send(in, i);
	leat_close(in);
	leat_range(n, out)
		sum += n;
	expect(sum == 5, "range over a typed channel");
	expect(leat_select(leat_case_recv_ok(out, &value, &ok), leat_case_default) == 0 &&
	       ok == LEAT_ECLOSED, "select on a closed channel");
	expect(leat_group_wait(&group) == 0, "the group's wait");
	leat_group_release(&group);

	leat_group_init(&group, nullptr);
	leat_go_in(&group, fail, -ENOENT);
	expect(leat_group_wait(&group) == -ENOENT, "a task's error is its group's");
	leat_group_release(&group);

	fib(15, &value);
	expect(value == 610, "fork and join");

	leat_chan_unref(in);
	leat_chan_unref(out);
	return 0;
}

int main()
{
	expect(leat_run(nullptr, body, nullptr) == 0, "leat_run");
	std::printf("%d passed, %d failed\n", 6 - failed, failed);
	return failed != 0;
}
