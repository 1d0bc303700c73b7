/* One task selects over 2 or 8 unbuffered channels with a sender each. */
#include "rows.h"

LEAT_TASK(sender, (leat_chan(int64_t), c), (int64_t, n))
{
	produce(c, 0, n);
}

static int64_t receive2(leat_chan(int64_t) *c, int64_t n)
{
	int64_t v = 0, sum = 0;

	for (int64_t i = 0; i < n; i++) {
		leat_select(leat_case_recv(c[0], &v), leat_case_recv(c[1], &v));
		sum += v;
	}
	return sum;
}

static int64_t receive8(leat_chan(int64_t) *c, int64_t n)
{
	int64_t v = 0, sum = 0;

	for (int64_t i = 0; i < n; i++) {
		leat_select(leat_case_recv(c[0], &v), leat_case_recv(c[1], &v),
			    leat_case_recv(c[2], &v), leat_case_recv(c[3], &v),
			    leat_case_recv(c[4], &v), leat_case_recv(c[5], &v),
			    leat_case_recv(c[6], &v), leat_case_recv(c[7], &v));
		sum += v;
	}
	return sum;
}

#define CHANNELS_MAX 8

static void select_over(struct bench *b, int channels,
			int64_t (*receive)(leat_chan(int64_t) *c, int64_t n))
{
	int64_t each = b->size / channels, sum;
	leat_chan(int64_t) c[CHANNELS_MAX];
	leat_group group;

	must("group", leat_group_init(&group, NULL));
	bench_start(b);
	for (int i = 0; i < channels; i++) {
		c[i] = make_chan(0);
		leat_go_in(&group, sender, c[i], each);
	}
	sum = receive(c, each * channels);
	bench_stop(b);
	must("wait", leat_group_wait(&group));
	leat_group_release(&group);
	for (int i = 0; i < channels; i++)
		leat_chan_unref(c[i]);
	bench_check(b, "sum", sum, channels * each * (each - 1) / 2);
	bench_report(b, channels * each);
}

static void select2(struct bench *b)
{
	select_over(b, 2, receive2);
}

static void select8(struct bench *b)
{
	select_over(b, 8, receive8);
}

const struct bench_row select_rows[] = {
	{ .name = "select2", .unit = "ns", .size = 1000000, .run = select2 },
	{ .name = "select8", .unit = "ns", .size = 1000000, .run = select8 },
	{ 0 },
};
