/* Limits that nobody else is at: what each call pays. */
#include "rows.h"

/* So many tokens that none is ever missed. */
#define RATE 1e9
#define BURST 1e9

static void bucket(struct bench *b)
{
	leat_bucket bucket;

	must("bucket", leat_bucket_init(&bucket, RATE, BURST));
	bench_start(b);
	for (int64_t i = 0; i < b->size; i++)
		must("take", leat_bucket_try_take(&bucket, 1));
	bench_stop(b);
	bench_report(b, b->size);
}

/* The clock read that a bucket cannot do without. */
static void now(struct bench *b)
{
	int64_t last = 0, next;

	bench_start(b);
	for (int64_t i = 0; i < b->size; i++) {
		next = leat_now();
		bench_check(b, "order", next >= last, 1);
		last = next;
	}
	bench_stop(b);
	bench_report(b, b->size);
}

static void breaker(struct bench *b)
{
	leat_breaker_ticket ticket;
	leat_breaker breaker;

	must("breaker", leat_breaker_init(&breaker, LEAT_BREAKER_OPTIONS(.failures = 5, .probes = 1,
									 .successes = 1,
									 .open_for = LEAT_S)));
	bench_start(b);
	for (int64_t i = 0; i < b->size; i++) {
		must("enter", leat_breaker_enter(&breaker, &ticket));
		leat_breaker_leave(&breaker, ticket, 0);
	}
	bench_stop(b);
	bench_report(b, b->size);
}

static void adaptive(struct bench *b)
{
	leat_adaptive limit;
	leat_permit permit;

	must("limit", leat_adaptive_init(&limit, LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_VEGAS,
								       .min = 1, .initial = 10,
								       .max = 100)));
	bench_start(b);
	for (int64_t i = 0; i < b->size; i++) {
		must("acquire", leat_adaptive_acquire(&limit, &permit));
		leat_adaptive_release(&limit, &permit, LEAT_OUTCOME_SUCCESS);
	}
	bench_stop(b);
	bench_report(b, b->size);
}

#define KEYS 1000

static leat_keyed *make_keyed(void)
{
	leat_keyed *keyed;

	must("keyed", leat_keyed_create(&keyed, LEAT_KEYED_OPTIONS(.rate = RATE, .burst = BURST,
								   .keys = KEYS,
								   .full = LEAT_KEYED_REFUSE)));
	return keyed;
}

LEAT_TASK(take_keyed, (leat_keyed *, keyed), (int64_t, n))
{
	for (int64_t i = 0; i < n; i++)
		must("take", leat_keyed_try_take(keyed, leat_key_number((uint64_t)i % KEYS), 1));
}

static void keyed_tasks(struct bench *b, int tasks)
{
	leat_keyed *keyed = make_keyed();
	leat_group group;

	must("group", leat_group_init(&group, NULL));
	bench_start(b);
	for (int i = 0; i < tasks; i++)
		leat_go_in(&group, take_keyed, keyed, b->size / tasks);
	must("wait", leat_group_wait(&group));
	bench_stop(b);
	leat_group_release(&group);
	leat_keyed_destroy(keyed);
	bench_report(b, b->size / tasks * tasks);
}

static void keyed_alone(struct bench *b)
{
	keyed_tasks(b, 1);
}

static void keyed8(struct bench *b)
{
	keyed_tasks(b, 8);
}

const struct bench_row limit_rows[] = {
	{ .name = "bucket", .unit = "ns", .size = 10000000, .run = bucket },
	{ .name = "now", .unit = "ns", .size = 10000000, .run = now },
	{ .name = "breaker", .unit = "ns", .size = 20000000, .run = breaker },
	{ .name = "adaptive", .unit = "ns", .size = 5000000, .run = adaptive },
	{ .name = "keyed", .unit = "ns", .size = 5000000, .run = keyed_alone },
	{ .name = "keyed8", .unit = "ns", .size = 5000000, .run = keyed8 },
	{ 0 },
};
