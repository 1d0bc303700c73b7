/*
 * Everything at once on real threads, with the books kept: producers, relays that
 * select with deadlines, consumers, groups that are cancelled half way, a
 * semaphore that bounds them.  Every element is received once or dropped once.
 *
 * Arguments by environment, since the harness owns the command line:
 * LEAT_STRESS_WORKERS (0: all), LEAT_STRESS_SECONDS (1), LEAT_STRESS_SEED (random, printed).
 */
#include <stdatomic.h>
#include <time.h>

#include "test.h"

static _Atomic int64_t made, used, dropped, inside;

struct item {
	int64_t value;
};

static void drop_item(struct item *item)
{
	(void)item;
	atomic_fetch_add(&dropped, 1);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

LEAT_TASK(produce, (leat_chan(struct item), out), (int, n), (uint64_t, seed))
{
	for (int i = 0; i < n; i++) {
		struct item item = { (int64_t)(seed + (uint64_t)i) };
		int r = i % 7 == 0 ? leat_send_until(out, item, leat_in(50 * LEAT_US))
				   : leat_send(out, item);

		if (r == 0)
			atomic_fetch_add(&made, 1);
		else if (r != -ETIMEDOUT)
			return;
	}
}

LEAT_TASK(relay, (leat_chan(struct item), a), (leat_chan(struct item), b),
	  (leat_chan(struct item), out))
{
	struct item item;

	for (;;) {
		int r = leat_select(leat_case_recv(a, &item), leat_case_recv(b, &item),
				    leat_case_until(leat_in(LEAT_MS)));

		if (r == -ETIMEDOUT)
			continue;
		if (r < 0)
			return;
		if (leat_send(out, item) != 0) {
			atomic_fetch_add(&dropped, 1);
			return;
		}
	}
}

LEAT_TASK(consume, (leat_chan(struct item), in), (leat_sem *, sem))
{
	struct item item;

	while (leat_recv(in, &item) == 0) {
		atomic_fetch_add(&used, 1);
		if (leat_sem_acquire(sem, 1) < 0)
			return;
		CHECK(atomic_fetch_add(&inside, 1) < 2);
		if (item.value % 5 == 0)
			leat_yield();
		atomic_fetch_sub(&inside, 1);
		leat_sem_release(sem, 1);
	}
}

static void round_of(uint64_t seed)
{
	size_t cap = seed % 3 == 0 ? 0 : seed % 17;
	leat_chan(struct item) a = leat_chan_make_drop(struct item, cap, drop_item);
	leat_chan(struct item) b = leat_chan_make_drop(struct item, 0, drop_item);
	leat_chan(struct item) out = leat_chan_make_drop(struct item, cap / 2, drop_item);
	leat_group group;
	leat_sem sem;

	REQUIRE(a && b && out);
	leat_sem_init(&sem, 2, 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 4; i++) {
		leat_go_in(&group, produce, i % 2 ? a : b, 200, seed + (uint64_t)i);
		leat_go_in(&group, relay, a, b, out);
		leat_go_in(&group, consume, out, &sem);
	}
	leat_sleep((int64_t)(seed % 400) * LEAT_US);
	if (seed % 4 == 0)
		leat_abandon(out);
	leat_group_cancel(&group, 0);
	leat_group_wait(&group);
	leat_group_release(&group);
	leat_chan_unref(a);
	leat_chan_unref(b);
	leat_chan_unref(out);
	CHECK_EQ(leat_sem_available(&sem), 2);
	CHECK_EQ(atomic_load(&made), atomic_load(&used) + atomic_load(&dropped));
}

static int run(void *arg)
{
	uint64_t seed = *(uint64_t *)arg;
	int64_t until = leat_in((int64_t)number("LEAT_STRESS_SECONDS", 1) * LEAT_S);

	while (leat_now() < until && !test_failed())
		round_of(seed++);
	return 0;
}

TEST_PLAIN(mix)
{
	uint64_t seed = number("LEAT_STRESS_SEED", (uint64_t)time(NULL));

	printf("LEAT_STRESS_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	CHECK_EQ(leat_run(LEAT_OPTIONS(.workers = (int)number("LEAT_STRESS_WORKERS", 0)), run,
			  &seed), 0);
	CHECK(atomic_load(&made) > 0);
}
