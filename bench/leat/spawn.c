/* Spawn, join, yield; the skynet tree of a million leaves. */
#include "rows.h"

LEAT_TASK(empty)
{
}

static uint64_t tasks_ended(void)
{
	leat_stats stats = { .size = sizeof(stats) };

	must("leat_stats_get", leat_stats_get(&stats));
	return stats.ended;
}

static void spawn(struct bench *b)
{
	uint64_t before = tasks_ended();
	leat_group group;

	bench_start(b);
	must("group", leat_group_init(&group, NULL));
	for (int64_t i = 0; i < b->size; i++)
		leat_go_in(&group, empty);
	must("wait", leat_group_wait(&group));
	leat_group_release(&group);
	bench_stop(b);
	bench_check(b, "count of tasks", tasks_ended() - before, b->size);
	bench_report(b, b->size);
}

#define CHILDREN 10

LEAT_TASK(join_node, (int64_t *, sum), (int64_t, num), (int64_t, size))
{
	int64_t parts[CHILDREN], part = size / CHILDREN;
	leat_forked forks[CHILDREN];

	if (size == 1) {
		*sum = num;
		return;
	}
	for (int i = 0; i < CHILDREN - 1; i++)
		leat_fork(&forks[i], join_node, &parts[i], num + i * part, part);
	join_node(sum, num + (CHILDREN - 1) * part, part);
	for (int i = CHILDREN - 2; i >= 0; i--) {
		leat_join(&forks[i]);
		*sum += parts[i];
	}
}

static void skynet_join(struct bench *b)
{
	int64_t n = bench_leaves(b), sum = 0;

	bench_start(b);
	join_node(&sum, 0, n);
	bench_stop(b);
	bench_check(b, "sum", sum, n * (n - 1) / 2);
	bench_report(b, n);
}

LEAT_TASK(chan_node, (leat_chan(int64_t), out), (int64_t, num), (int64_t, size))
{
	int64_t sum = 0, part = size / CHILDREN, value = 0;
	leat_chan(int64_t) in;

	if (size == 1) {
		leat_send(out, num);
		return;
	}
	in = make_chan(0);
	for (int i = 0; i < CHILDREN; i++)
		leat_go(chan_node, in, num + i * part, part);
	for (int i = 0; i < CHILDREN; i++) {
		leat_recv(in, &value);
		sum += value;
	}
	leat_chan_unref(in);
	leat_send(out, sum);
}

static void skynet_chan(struct bench *b)
{
	leat_chan(int64_t) out = make_chan(0);
	int64_t n = bench_leaves(b), sum = 0;

	bench_start(b);
	leat_go(chan_node, out, 0, n);
	must("recv", leat_recv(out, &sum));
	bench_stop(b);
	leat_chan_unref(out);
	bench_check(b, "sum", sum, n * (n - 1) / 2);
	bench_report(b, n);
}

#define YIELDERS 2

LEAT_TASK(yielder, (int64_t, n), (int64_t *, turns))
{
	for (int64_t i = 0; i < n; i++) {
		leat_yield();
		++*turns;
	}
}

static void yield(struct bench *b)
{
	int64_t turns[YIELDERS] = { 0 }, each = b->size / YIELDERS;
	leat_group group;

	must("group", leat_group_init(&group, NULL));
	bench_start(b);
	for (int i = 0; i < YIELDERS; i++)
		leat_go_in(&group, yielder, each, &turns[i]);
	must("wait", leat_group_wait(&group));
	bench_stop(b);
	leat_group_release(&group);
	bench_check(b, "turns", turns[0] + turns[1], each * YIELDERS);
	bench_report(b, each * YIELDERS);
}

const struct bench_row spawn_rows[] = {
	{ .name = "spawn", .unit = "ns", .size = 1000000, .run = spawn },
	{ .name = "skynet-join", .unit = "ms", .size = 1000000, .run = skynet_join },
	{ .name = "skynet-chan", .unit = "ms", .size = 1000000, .run = skynet_chan },
	{ .name = "yield", .unit = "ns", .size = 5000000, .run = yield },
	{ 0 },
};
