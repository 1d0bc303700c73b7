/*
 * The cases of golang.org/x/sync/semaphore's tests, for leat_sem.
 *
 * What a context does there, a group does here: an acquire can be cancelled
 * when it is made by a task of a group that somebody cancels.
 */
#include "test.h"

/* Returns when somebody waits for sem, at the head: then try fails though permits are free. */
static void until_somebody_waits(leat_sem *sem)
{
	while (leat_sem_try_acquire(sem, 1) == 0) {
		leat_sem_release(sem, 1);
		leat_yield();
	}
}

struct hammer {
	leat_sem sem;
	int64_t held;
	int64_t size;
	int loops;
};

LEAT_TASK(hammer_sem, (struct hammer *, hammer), (int64_t, n))
{
	for (int i = 0; i < hammer->loops; i++) {
		CHECK_EQ(leat_sem_acquire(&hammer->sem, n), 0);
		CHECK(__atomic_add_fetch(&hammer->held, n, __ATOMIC_RELAXED) <= hammer->size);
		leat_yield();
		__atomic_sub_fetch(&hammer->held, n, __ATOMIC_RELAXED);
		leat_sem_release(&hammer->sem, n);
	}
}

/* TestWeighted: tasks of weight 0 to n - 1 hammer a semaphore of size n. */
static void hammer_with(int64_t n, int loops)
{
	struct hammer hammer = { .size = n, .loops = loops };
	leat_group group;

	leat_sem_init(&hammer.sem, n, 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int64_t i = 0; i < n; i++)
		CHECK_EQ(leat_go_in(&group, hammer_sem, &hammer, i), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	CHECK_EQ(leat_sem_available(&hammer.sem), n);
	leat_group_release(&group);
}

TEST_BOTH(weighted, 10)
{
	int total = leat_sim_seed() ? 400 : 10000;

	hammer_with(leat_workers(), total / leat_workers());
	hammer_with(5, total / 5);
}

/* TestWeightedPanic */
TEST_DEATH(weighted_panic, "leat_sem_release")
{
	leat_sem sem;

	leat_sem_init(&sem, 1, 0);
	leat_sem_release(&sem, 1);
}

/* TestWeightedNegativeSizePanic */
TEST_DEATH(weighted_negative_size_panic, "leat_sem_init")
{
	leat_sem sem;

	leat_sem_init(&sem, -1, 0);
}

/* TestWeightedZeroSize */
TEST_PLAIN(weighted_zero_size)
{
	leat_sem sem;

	leat_sem_init(&sem, 0, 0);
	CHECK_EQ(leat_sem_try_acquire(&sem, 0), 0);
	CHECK_EQ(leat_sem_try_acquire(&sem, 1), -EAGAIN);
	leat_sem_release(&sem, 0);
}

/* TestWeightedNegativeWeightPanic, its three parts. */
TEST_DEATH(weighted_negative_acquire_panic, "leat_sem_acquire")
{
	leat_sem sem;

	leat_sem_init(&sem, 1, 0);
	CHECK_EQ(leat_sem_acquire(&sem, -1), 0);
}

TEST_DEATH(weighted_negative_try_acquire_panic, "leat_sem_try_acquire")
{
	leat_sem sem;

	leat_sem_init(&sem, 1, 0);
	CHECK_EQ(leat_sem_try_acquire(&sem, -1), 0);
}

TEST_DEATH(weighted_negative_release_panic, "leat_sem_release")
{
	leat_sem sem;

	leat_sem_init(&sem, 1, 0);
	leat_sem_release(&sem, -1);
}

/* TestWeightedTryAcquire: yes, no, after the release yes, no. */
TEST_BOTH(weighted_try_acquire, 5)
{
	leat_sem sem;

	leat_sem_init(&sem, 2, 0);
	CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
	CHECK_EQ(leat_sem_try_acquire(&sem, 1), 0);
	CHECK_EQ(leat_sem_try_acquire(&sem, 1), -EAGAIN);
	leat_sem_release(&sem, 2);
	CHECK_EQ(leat_sem_try_acquire(&sem, 1), 0);
	CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
	CHECK_EQ(leat_sem_try_acquire(&sem, 1), -EAGAIN);
}

/* TestWeightedAcquire: the same with a deadline of 10 ms, which must be waited for. */
static int acquire_in_10_ms(leat_sem *sem)
{
	int64_t deadline = leat_in(10 * LEAT_MS);
	int r = leat_sem_acquire_until(sem, 1, deadline);

	CHECK(r == 0 || leat_now() >= deadline);
	return r;
}

TEST_BOTH(weighted_acquire, 5)
{
	leat_sem sem;

	leat_sem_init(&sem, 2, 0);
	CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
	CHECK_EQ(acquire_in_10_ms(&sem), 0);
	CHECK_EQ(acquire_in_10_ms(&sem), -ETIMEDOUT);
	leat_sem_release(&sem, 2);
	CHECK_EQ(acquire_in_10_ms(&sem), 0);
	CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
	CHECK_EQ(acquire_in_10_ms(&sem), -ETIMEDOUT);
	CHECK_EQ(leat_sem_available(&sem), 0);
}

LEAT_TASK_ERR(acquire, (leat_sem *, sem), (int64_t, n))
{
	return leat_sem_acquire(sem, n);
}

LEAT_TASK_ERR(acquire_and_release, (leat_sem *, sem))
{
	int r = leat_sem_acquire(sem, 1);

	if (r == 0) {
		leat_yield();
		leat_sem_release(sem, 1);
	}
	return r;
}

/* TestWeightedDoesntBlockIfTooBig: what can never be had holds nobody up. */
TEST_BOTH(weighted_doesnt_block_if_too_big, 20)
{
	enum { SIZE = 2 };
	leat_group too_big;
	leat_group group;
	leat_sem sem;

	leat_sem_init(&sem, SIZE, 0);
	REQUIRE(leat_group_init(&too_big, NULL) == 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&too_big, acquire, &sem, SIZE + 1), 0);
	if (leat_sim_seed())
		test_settle();
	for (int i = 0; i < 3 * SIZE; i++)
		CHECK_EQ(leat_go_in(&group, acquire_and_release, &sem), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	CHECK_EQ(leat_sem_try_acquire(&sem, SIZE), 0);
	CHECK_EQ(leat_group_live(&too_big), 1);
	leat_group_cancel(&too_big, 0);
	CHECK_EQ(leat_group_wait(&too_big), -ECANCELED);
	leat_sem_release(&sem, SIZE);
	CHECK_EQ(leat_sem_available(&sem), SIZE);
	leat_group_release(&group);
	leat_group_release(&too_big);
}

LEAT_TASK(take_turns, (leat_sem *, sem), (bool *, running))
{
	while (__atomic_load_n(running, __ATOMIC_RELAXED)) {
		leat_yield();
		leat_sem_release(sem, 1);
		CHECK_EQ(leat_sem_acquire(sem, 1), 0);
	}
	leat_sem_release(sem, 1);
}

/* TestLargeAcquireDoesntStarve: coming to an end is what is tested. */
TEST_BOTH(large_acquire_doesnt_starve, 20)
{
	enum { SIZE = 4 };
	bool running = true;
	leat_group group;
	leat_sem sem;

	leat_sem_init(&sem, SIZE, 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < SIZE; i++) {
		CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
		CHECK_EQ(leat_go_in(&group, take_turns, &sem, &running), 0);
	}
	CHECK_EQ(leat_sem_acquire(&sem, SIZE), 0);
	__atomic_store_n(&running, false, __ATOMIC_RELAXED);
	leat_sem_release(&sem, SIZE);
	CHECK_EQ(leat_group_wait(&group), 0);
	CHECK_EQ(leat_sem_available(&sem), SIZE);
	leat_group_release(&group);
}

LEAT_TASK(cancel, (leat_group *, group))
{
	leat_group_cancel(group, 0);
}

/*
 * TestAllocCancelDoesntStarve: the large request at the head is cancelled, and
 * the small one behind it, for which there is room, goes on.
 */
TEST_BOTH(alloc_cancel_doesnt_starve, 200)
{
	enum { SIZE = 10 };
	leat_group cancellers;
	leat_group group;
	leat_sem sem;

	leat_sem_init(&sem, SIZE, 0);
	REQUIRE(leat_group_init(&cancellers, NULL) == 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
	CHECK_EQ(leat_go_in(&group, acquire, &sem, SIZE), 0);
	until_somebody_waits(&sem);
	CHECK_EQ(leat_go_in(&cancellers, cancel, &group), 0);
	CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
	leat_sem_release(&sem, 1);
	CHECK_EQ(leat_group_wait(&cancellers), 0);
	leat_group_release(&cancellers);
	CHECK_EQ(leat_group_wait(&group), -ECANCELED);
	CHECK_EQ(leat_sem_available(&sem), SIZE - 1);
	leat_group_release(&group);
}

struct tries {
	leat_sem sem;
	leat_chan(int) again;
	int first;
	int second;
};

LEAT_TASK(acquire_twice, (struct tries *, tries))
{
	int ignored;

	tries->first = leat_sem_acquire(&tries->sem, 2);
	leat_shield_begin();
	CHECK_EQ(leat_recv(tries->again, &ignored), 0);
	leat_shield_end();
	tries->second = leat_sem_acquire(&tries->sem, 1);
}

/*
 * TestWeightedAcquireCanceled (golang/go#63615): cancelled before there were
 * permits, so it must fail, and take none; and whoever is cancelled already
 * fails even though permits are free.
 */
TEST_BOTH(weighted_acquire_canceled, 200)
{
	struct tries tries = { .again = leat_chan_make(int, 0) };
	leat_group group;

	leat_sem_init(&tries.sem, 2, 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_sem_acquire(&tries.sem, 1), 0);
	CHECK_EQ(leat_go_in(&group, acquire_twice, &tries), 0);
	until_somebody_waits(&tries.sem);
	leat_group_cancel(&group, 0);
	leat_sem_release(&tries.sem, 1);

	CHECK_EQ(leat_send(tries.again, 1), 0);
	CHECK_EQ(leat_group_wait(&group), -ECANCELED);
	CHECK_EQ(tries.first, -ECANCELED);
	CHECK_EQ(tries.second, -ECANCELED);
	CHECK_EQ(leat_sem_try_acquire(&tries.sem, 2), 0);
	leat_group_release(&group);
	leat_chan_unref(tries.again);
}

/* Example_workerPool: at most as many tasks as workers; the last acquire waits for all. */
static int collatz_steps(int n)
{
	int steps = 0;

	for (; n > 1; steps++)
		n = n % 2 ? 3 * n + 1 : n / 2;
	return steps;
}

LEAT_TASK(count_steps, (leat_sem *, sem), (int, i), (int *, out))
{
	out[i] = collatz_steps(i + 1);
	leat_yield();
	leat_sem_release(sem, 1);
}

TEST_BOTH(example_worker_pool, 20)
{
	static const int want[32] = {
		0, 1, 7, 2, 5, 8, 16, 3, 19, 6, 14, 9, 9, 17, 17, 4,
		12, 20, 20, 7, 7, 15, 15, 10, 23, 10, 111, 18, 18, 18, 106, 5,
	};
	int64_t workers = leat_workers();
	int out[32] = { 0 };
	leat_group group;
	leat_sem sem;

	leat_sem_init(&sem, workers, 0);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < 32; i++) {
		CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
		CHECK_EQ(leat_go_in(&group, count_steps, &sem, i, out), 0);
	}
	CHECK_EQ(leat_sem_acquire(&sem, workers), 0);
	CHECK(memcmp(out, want, sizeof(want)) == 0);
	CHECK_EQ(leat_group_wait(&group), 0);	/* sem is used until the releases return */
	leat_group_release(&group);
}
