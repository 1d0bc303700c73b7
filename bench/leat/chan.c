/* Messages through one or two channels. */
#include "rows.h"

LEAT_TASK(ponger, (leat_chan(int64_t), ping), (leat_chan(int64_t), pong))
{
	leat_range(v, ping)
		leat_send(pong, v + 1);
}

static void pingpong(struct bench *b)
{
	leat_chan(int64_t) ping = make_chan(0);
	leat_chan(int64_t) pong = make_chan(0);
	int64_t rounds = b->size / 2, v = 0;
	leat_group group;

	must("group", leat_group_init(&group, NULL));
	bench_start(b);
	leat_go_in(&group, ponger, ping, pong);
	for (int64_t i = 0; i < rounds; i++) {
		leat_send(ping, v);
		leat_recv(pong, &v);
	}
	leat_close(ping);
	bench_stop(b);
	must("wait", leat_group_wait(&group));
	leat_group_release(&group);
	leat_chan_unref(ping);
	leat_chan_unref(pong);
	bench_check(b, "count", v, rounds);
	bench_report(b, 2 * rounds);
}

LEAT_TASK(producer, (leat_chan(int64_t), c), (int64_t, from), (int64_t, to))
{
	produce(c, from, to);
}

LEAT_TASK(consumer, (leat_chan(int64_t), c), (int64_t *, ret_sum))
{
	int64_t sum = 0;

	leat_range(v, c)
		sum += v;
	*ret_sum = sum;
}

static void spsc(struct bench *b)
{
	leat_chan(int64_t) c = make_chan(100);
	int64_t sum = 0;
	leat_group group;

	must("group", leat_group_init(&group, NULL));
	bench_start(b);
	leat_go_in(&group, consumer, c, &sum);
	produce(c, 0, b->size);
	leat_close(c);
	must("wait", leat_group_wait(&group));
	bench_stop(b);
	leat_group_release(&group);
	leat_chan_unref(c);
	bench_check(b, "sum", sum, b->size * (b->size - 1) / 2);
	bench_report(b, b->size);
}

#define ENDS 4

static void mpmc(struct bench *b)
{
	int64_t sums[ENDS] = { 0 }, each = b->size / ENDS, n = each * ENDS, sum = 0;
	leat_chan(int64_t) c = make_chan(100);
	leat_group sending, receiving;

	must("group", leat_group_init(&sending, NULL));
	must("group", leat_group_init(&receiving, NULL));
	bench_start(b);
	for (int i = 0; i < ENDS; i++)
		leat_go_in(&sending, producer, c, i * each, (i + 1) * each);
	for (int i = 0; i < ENDS; i++)
		leat_go_in(&receiving, consumer, c, &sums[i]);
	must("wait", leat_group_wait(&sending));
	leat_close(c);
	must("wait", leat_group_wait(&receiving));
	bench_stop(b);
	leat_group_release(&sending);
	leat_group_release(&receiving);
	leat_chan_unref(c);
	for (int i = 0; i < ENDS; i++)
		sum += sums[i];
	bench_check(b, "sum", sum, n * (n - 1) / 2);
	bench_report(b, n);
}

const struct bench_row chan_rows[] = {
	{ .name = "pingpong", .unit = "ns", .size = 2000000, .run = pingpong },
	{ .name = "spsc", .unit = "ns", .size = 5000000, .run = spsc },
	{ .name = "mpmc", .unit = "ns", .size = 5000000, .run = mpmc },
	{ 0 },
};
