/*
 * A million tasks that wait on one channel: to create them, what they cost in
 * memory, to wake them all by closing it.  With a stack each, and as records.
 */
#include "rows.h"

struct parked {
	leat_channel *chan;
	int64_t ready;
	int64_t woken;
};

LEAT_TASK(waiter, (struct parked *, p))
{
	int64_t v;

	__atomic_fetch_add(&p->ready, 1, __ATOMIC_RELAXED);
	if (leat_channel_recv(p->chan, &v, LEAT_FOREVER) == LEAT_ECLOSED)
		__atomic_fetch_add(&p->woken, 1, __ATOMIC_RELAXED);
}

static int on_closed(void *arg, int result, void *elem)
{
	struct parked *p = arg;

	if (result == LEAT_ECLOSED)
		__atomic_fetch_add(&p->woken, 1, __ATOMIC_RELAXED);
	return 0;
}

static void create_tasks(struct bench *b, struct parked *p, leat_group *group)
{
	for (int64_t i = 0; i < b->size; i++)
		must("spawn", leat_go_in(group, waiter, p));
	while (__atomic_load_n(&p->ready, __ATOMIC_RELAXED) < b->size)
		leat_sleep(LEAT_MS);
}

static void create_records(struct bench *b, struct parked *p, leat_group *group)
{
	for (int64_t i = 0; i < b->size; i++)
		must("on_recv", leat_channel_on_recv(p->chan, group, on_closed, p));
}

static void park_and_wake(struct bench *b,
			  void (*create)(struct bench *b, struct parked *p, leat_group *group))
{
	struct parked p = { .chan = leat_channel_create(sizeof(int64_t), 0, NULL, "parked") };
	int64_t before = bench_memory();
	leat_group group;

	must("channel", p.chan ? 0 : -ENOMEM);
	must("group", leat_group_init(&group, NULL));
	bench_start(b);
	create(b, &p, &group);
	bench_stop(b);
	bench_metric(b, ".create", b->wall_ns / 1e6, "ms");
	bench_metric(b, ".bytes", (double)(bench_memory() - before) / b->size, "bytes");
	bench_start(b);
	leat_channel_close(p.chan);
	must("wait", leat_group_wait(&group));
	bench_stop(b);
	leat_group_release(&group);
	leat_channel_unref(p.chan);
	bench_check(b, "tasks woken", p.woken, b->size);
	bench_metric(b, ".wake", b->wall_ns / 1e6, "ms");
}

static void parked(struct bench *b)
{
	park_and_wake(b, create_tasks);
}

static void parked_records(struct bench *b)
{
	park_and_wake(b, create_records);
}

const struct bench_row parked_rows[] = {
	{ .name = "parked", .unit = "ms", .size = 1000000, .cold = true, .run = parked },
	{ .name = "records", .unit = "ms", .size = 1000000, .cold = true, .run = parked_records },
	{ 0 },
};
