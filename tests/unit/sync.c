/*
 * Tests of leat/sync.h, as its comments promise it: semaphore, mutex,
 * condition, once, wait-group, barrier; from tasks and from foreign threads.
 *
 * Tests of what blocks and in which order are simulated: test_settle() lets every
 * other task come to its next wait, so who is spawned before it waits before
 * who is spawned after it.
 */
#include "foreign.h"
#include "test.h"

enum { WAITERS = 5 };

static void make(leat_group *group)
{
	REQUIRE(leat_group_init(group, NULL) == 0);
}

/* Waits for the group's tasks and ends it; its error. */
static int finish(leat_group *group)
{
	int r = leat_group_wait(group);

	leat_group_release(group);
	return r;
}

/* Who came when. */
struct order {
	int n;
	int who[64];
};

static void note(struct order *order, int who)
{
	int i = __atomic_fetch_add(&order->n, 1, __ATOMIC_RELAXED);

	REQUIRE(i < 64);
	order->who[i] = who;
}

static void check_in_order(const struct order *order, int n)
{
	CHECK_EQ(order->n, n);
	for (int i = 0; i < n; i++)
		CHECK_EQ(order->who[i], i);
}

/* What a blocking call of another task returned; PENDING as long as it blocks. */
enum { PENDING = 1000 };

struct call {
	int64_t n;
	int64_t deadline;	/* 0: none */
	int returned;
	int64_t when;
};

static void returned(struct call *call, int r)
{
	call->when = leat_now();
	call->returned = r;
}

static void check_on_time(int64_t when, int64_t deadline)
{
	CHECK(when >= deadline);
	CHECK(when < deadline + LEAT_MS);
}

/*
 * Semaphore.
 */

TEST_PLAIN(sem_counts_without_runtime)
{
	leat_sem sem;

	leat_sem_init(&sem, 3, 0);
	CHECK_EQ(leat_sem_available(&sem), 3);
	CHECK_EQ(leat_sem_try_acquire(&sem, 2), 0);
	CHECK_EQ(leat_sem_available(&sem), 1);
	CHECK_EQ(leat_sem_try_acquire(&sem, 2), -EAGAIN);
	CHECK_EQ(leat_sem_try_acquire(&sem, 0), 0);
	CHECK_EQ(leat_sem_try_acquire(&sem, 1), 0);
	CHECK_EQ(leat_sem_available(&sem), 0);
	leat_sem_release(&sem, 0);
	leat_sem_release(&sem, 3);
	CHECK_EQ(leat_sem_available(&sem), 3);
}

LEAT_TASK(sem_take, (leat_sem *, sem), (struct call *, call), (struct order *, order), (int, who))
{
	int r;

	if (call->deadline)
		r = leat_sem_acquire_until(sem, call->n, call->deadline);
	else
		r = leat_sem_acquire(sem, call->n);
	returned(call, r);
	if (r == 0 && order)
		note(order, who);
}

/* Spawns a task that acquires call->n permits and notes who it is; it waits, or has them. */
static void sem_take_settled(leat_group *group, leat_sem *sem, struct call *call,
			     struct order *order, int who)
{
	CHECK_EQ(leat_go_in(group, sem_take, sem, call, order, who), 0);
	test_settle();
}

TEST_SIM(sem_fifo, 50)
{
	struct call calls[WAITERS];
	struct order order = { 0 };
	leat_group group;
	leat_sem sem;

	leat_sem_init(&sem, 1, 0);
	make(&group);
	CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
	for (int i = 0; i < WAITERS; i++) {
		calls[i] = (struct call){ .n = 1, .returned = PENDING };
		sem_take_settled(&group, &sem, &calls[i], &order, i);
	}
	for (int i = 0; i < WAITERS; i++) {
		CHECK_EQ(order.n, i);
		leat_sem_release(&sem, 1);
		test_settle();
		CHECK_EQ(order.n, i + 1);
	}
	check_in_order(&order, WAITERS);
	leat_sem_release(&sem, 1);
	CHECK_EQ(leat_sem_available(&sem), 1);
	CHECK_EQ(finish(&group), 0);
}

/* One release can serve several that wait. */
TEST_SIM(sem_release_serves_many, 50)
{
	struct call calls[WAITERS];
	struct order order = { 0 };
	leat_group group;
	leat_sem sem;

	leat_sem_init(&sem, WAITERS, 0);
	make(&group);
	CHECK_EQ(leat_sem_acquire(&sem, WAITERS), 0);
	for (int i = 0; i < WAITERS; i++) {
		calls[i] = (struct call){ .n = 1, .returned = PENDING };
		sem_take_settled(&group, &sem, &calls[i], &order, i);
	}
	leat_sem_release(&sem, WAITERS - 1);
	test_settle();
	CHECK_EQ(order.n, WAITERS - 1);
	CHECK_EQ(calls[WAITERS - 1].returned, PENDING);
	leat_sem_release(&sem, 1);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(order.n, WAITERS);
	CHECK_EQ(leat_sem_available(&sem), 0);
	leat_sem_release(&sem, WAITERS);
}

/* FIFO: a large request at the head is overtaken by none, not even by a try. */
TEST_SIM(sem_large_is_not_overtaken, 50)
{
	struct call large = { .n = 3, .returned = PENDING };
	struct call small = { .n = 1, .returned = PENDING };
	leat_group group;
	leat_sem sem;

	leat_sem_init(&sem, 4, 0);
	make(&group);
	CHECK_EQ(leat_sem_acquire(&sem, 2), 0);
	sem_take_settled(&group, &sem, &large, NULL, 0);
	sem_take_settled(&group, &sem, &small, NULL, 0);
	CHECK_EQ(large.returned, PENDING);
	CHECK_EQ(small.returned, PENDING);
	CHECK_EQ(leat_sem_available(&sem), 2);
	CHECK_EQ(leat_sem_try_acquire(&sem, 1), -EAGAIN);
	leat_sem_release(&sem, 1);
	test_settle();
	CHECK_EQ(large.returned, 0);
	CHECK_EQ(small.returned, PENDING);
	leat_sem_release(&sem, 1);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(small.returned, 0);
	leat_sem_release(&sem, 4);
	CHECK_EQ(leat_sem_available(&sem), 4);
}

/* Bounded bypass: two small ones overtake the head, the third waits behind it. */
static void bypass_the_head(leat_group *group, leat_sem *sem)
{
	struct call large = { .n = 4, .returned = PENDING };
	struct call small[3] = {
		{ .n = 1, .returned = PENDING },
		{ .n = 1, .returned = PENDING },
		{ .n = 1, .returned = PENDING },
	};

	CHECK_EQ(leat_sem_acquire(sem, 3), 0);
	sem_take_settled(group, sem, &large, NULL, 0);
	CHECK_EQ(large.returned, PENDING);
	for (int i = 0; i < 2; i++) {
		sem_take_settled(group, sem, &small[i], NULL, 0);
		CHECK_EQ(small[i].returned, 0);
		leat_sem_release(sem, 1);
		test_settle();
		CHECK_EQ(large.returned, PENDING);
	}
	sem_take_settled(group, sem, &small[2], NULL, 0);
	CHECK_EQ(small[2].returned, PENDING);
	leat_sem_release(sem, 3);
	test_settle();
	CHECK_EQ(large.returned, 0);
	CHECK_EQ(small[2].returned, PENDING);
	leat_sem_release(sem, 4);
	test_settle();
	CHECK_EQ(small[2].returned, 0);
	leat_sem_release(sem, 1);
	CHECK_EQ(leat_sem_available(sem), 4);
	CHECK_EQ(leat_group_wait(group), 0);
}

TEST_SIM(sem_bounded_bypass, 50)
{
	leat_group group;
	leat_sem sem;

	leat_sem_init(&sem, 4, 2);
	make(&group);
	bypass_the_head(&group, &sem);
	bypass_the_head(&group, &sem);	/* the next head may be overtaken as often */
	leat_group_release(&group);
}

/* The bypass holds for those that wait already, too: a release goes past the head to them. */
TEST_SIM(sem_bypass_of_waiters, 50)
{
	struct call large = { .n = 3, .returned = PENDING };
	struct call small[3] = {
		{ .n = 1, .returned = PENDING },
		{ .n = 1, .returned = PENDING },
		{ .n = 1, .returned = PENDING },
	};
	leat_group group;
	leat_sem sem;

	leat_sem_init(&sem, 3, 2);
	make(&group);
	CHECK_EQ(leat_sem_acquire(&sem, 3), 0);
	sem_take_settled(&group, &sem, &large, NULL, 0);
	for (int i = 0; i < 3; i++)
		sem_take_settled(&group, &sem, &small[i], NULL, 0);
	CHECK_EQ(small[0].returned, PENDING);
	leat_sem_release(&sem, 2);
	test_settle();
	CHECK_EQ(large.returned, PENDING);
	CHECK_EQ((small[0].returned == 0) + (small[1].returned == 0) + (small[2].returned == 0), 2);
	leat_sem_release(&sem, 2);	/* one of ours, one of theirs: the bypass is used up */
	test_settle();
	CHECK_EQ((small[0].returned == 0) + (small[1].returned == 0) + (small[2].returned == 0), 2);
	CHECK_EQ(large.returned, PENDING);
	leat_sem_release(&sem, 1);
	test_settle();
	CHECK_EQ(large.returned, 0);
	leat_sem_release(&sem, 3);
	CHECK_EQ(finish(&group), 0);
	leat_sem_release(&sem, 1);
	CHECK_EQ(leat_sem_available(&sem), 3);
}

/* Each head may be overtaken anew, also one that came to the head by a release. */
TEST_SIM(sem_bypass_of_next_head, 50)
{
	struct call large[2] = {
		{ .n = 3, .returned = PENDING },
		{ .n = 3, .returned = PENDING },
	};
	leat_group group;
	leat_sem sem;

	leat_sem_init(&sem, 4, 1);
	make(&group);
	CHECK_EQ(leat_sem_acquire(&sem, 4), 0);
	for (int i = 0; i < 2; i++)
		sem_take_settled(&group, &sem, &large[i], NULL, 0);
	leat_sem_release(&sem, 2);
	CHECK_EQ(leat_sem_try_acquire(&sem, 1), 0);
	CHECK_EQ(leat_sem_try_acquire(&sem, 1), -EAGAIN);
	leat_sem_release(&sem, 2);
	test_settle();
	CHECK_EQ(large[0].returned, 0);
	leat_sem_release(&sem, 1);
	CHECK_EQ(leat_sem_try_acquire(&sem, 1), 0);
	CHECK_EQ(large[1].returned, PENDING);
	leat_sem_release(&sem, 3);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(large[1].returned, 0);
	leat_sem_release(&sem, 4);
	CHECK_EQ(leat_sem_available(&sem), 4);
}

/* So may one that came to the head because the one before it gave up. */
TEST_SIM(sem_bypass_after_front_left, 50)
{
	struct call first = { .n = 4, .returned = PENDING, .deadline = leat_in(10 * LEAT_S) };
	struct call second = { .n = 4, .returned = PENDING };
	leat_group group;
	leat_sem sem;

	leat_sem_init(&sem, 4, 1);
	make(&group);
	CHECK_EQ(leat_sem_acquire(&sem, 2), 0);
	sem_take_settled(&group, &sem, &first, NULL, 0);
	sem_take_settled(&group, &sem, &second, NULL, 0);
	CHECK_EQ(leat_sem_try_acquire(&sem, 1), 0);
	CHECK_EQ(leat_sem_try_acquire(&sem, 1), -EAGAIN);
	CHECK_EQ(leat_sleep_until(first.deadline + LEAT_S), 0);
	CHECK_EQ(first.returned, -ETIMEDOUT);
	CHECK_EQ(leat_sem_try_acquire(&sem, 1), 0);
	leat_sem_release(&sem, 4);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(second.returned, 0);
	leat_sem_release(&sem, 4);
}

/* The front waiter goes away, cancelled or out of time: the next must be woken. */
TEST_SIM(sem_front_cancelled, 100)
{
	struct call large = { .n = 3, .returned = PENDING };
	struct call small = { .n = 2, .returned = PENDING };
	leat_group first, second;
	leat_sem sem;

	leat_sem_init(&sem, 3, 0);
	make(&first);
	make(&second);
	CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
	sem_take_settled(&first, &sem, &large, NULL, 0);
	sem_take_settled(&second, &sem, &small, NULL, 0);
	CHECK_EQ(small.returned, PENDING);
	leat_group_cancel(&first, 0);
	CHECK_EQ(finish(&first), -ECANCELED);
	CHECK_EQ(finish(&second), 0);
	CHECK_EQ(large.returned, -ECANCELED);
	CHECK_EQ(small.returned, 0);
	CHECK_EQ(leat_sem_available(&sem), 0);
	leat_sem_release(&sem, 3);
}

TEST_SIM(sem_front_timed_out, 100)
{
	struct call large = { .n = 3, .returned = PENDING, .deadline = leat_in(10 * LEAT_S) };
	struct call small = { .n = 2, .returned = PENDING };
	leat_group group;
	leat_sem sem;

	leat_sem_init(&sem, 3, 0);
	make(&group);
	CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
	sem_take_settled(&group, &sem, &large, NULL, 0);
	sem_take_settled(&group, &sem, &small, NULL, 0);
	CHECK_EQ(small.returned, PENDING);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(large.returned, -ETIMEDOUT);
	check_on_time(large.when, large.deadline);
	CHECK_EQ(small.returned, 0);
	check_on_time(small.when, large.deadline);
	leat_sem_release(&sem, 3);
}

/* A waiter in the middle goes away: the order of the others stays. */
TEST_SIM(sem_middle_cancelled, 50)
{
	struct call calls[3];
	struct order order = { 0 };
	leat_group group, middle;
	leat_sem sem;

	leat_sem_init(&sem, 1, 0);
	make(&group);
	make(&middle);
	CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
	for (int i = 0; i < 3; i++)
		calls[i] = (struct call){ .n = 1, .returned = PENDING };
	sem_take_settled(&group, &sem, &calls[0], &order, 0);
	sem_take_settled(&middle, &sem, &calls[1], &order, 7);
	sem_take_settled(&group, &sem, &calls[2], &order, 1);
	leat_group_cancel(&middle, 0);
	CHECK_EQ(finish(&middle), -ECANCELED);
	leat_sem_release(&sem, 1);
	test_settle();
	CHECK_EQ(order.n, 1);
	leat_sem_release(&sem, 1);
	CHECK_EQ(finish(&group), 0);
	check_in_order(&order, 2);
	leat_sem_release(&sem, 1);
}

/* A release and a cancel at the same time: the permit is taken or it is free, never lost. */
LEAT_TASK(sem_give, (leat_sem *, sem))
{
	leat_sem_release(sem, 1);
}

TEST_BOTH(sem_release_against_cancel, 300)
{
	int rounds = leat_sim_seed() ? 1 : 500;

	for (int i = 0; i < rounds; i++) {
		struct call call = { .n = 1, .returned = PENDING };
		leat_group takers, givers;
		leat_sem sem;

		leat_sem_init(&sem, 1, 0);
		make(&takers);
		make(&givers);
		CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
		CHECK_EQ(leat_go_in(&takers, sem_take, &sem, &call, (struct order *)NULL, 0), 0);
		CHECK_EQ(leat_go_in(&givers, sem_give, &sem), 0);
		leat_yield();
		leat_group_cancel(&takers, 0);
		CHECK_EQ(finish(&takers), -ECANCELED);
		CHECK_EQ(finish(&givers), 0);
		CHECK(call.returned == 0 || call.returned == -ECANCELED);
		CHECK_EQ(leat_sem_available(&sem), call.returned == 0 ? 0 : 1);
	}
}

/* Larger than the semaphore: until its deadline, and in nobody's way. */
TEST_SIM(sem_too_large, 50)
{
	struct call too_large = { .n = 3, .returned = PENDING, .deadline = leat_in(10 * LEAT_S) };
	leat_group group;
	leat_sem sem;

	leat_sem_init(&sem, 2, 0);
	make(&group);
	sem_take_settled(&group, &sem, &too_large, NULL, 0);
	CHECK_EQ(too_large.returned, PENDING);
	CHECK_EQ(leat_sem_try_acquire(&sem, 2), 0);
	leat_sem_release(&sem, 2);
	CHECK_EQ(leat_sem_acquire(&sem, 2), 0);
	leat_sem_release(&sem, 2);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(too_large.returned, -ETIMEDOUT);
	check_on_time(too_large.when, too_large.deadline);
	CHECK_EQ(leat_sem_available(&sem), 2);
}

TEST_BOTH(sem_deadline, 20)
{
	int64_t deadline = leat_in(2 * LEAT_MS);
	leat_sem sem;

	leat_sem_init(&sem, 1, 0);
	CHECK_EQ(leat_sem_acquire_until(&sem, 1, LEAT_FOREVER), 0);
	CHECK_EQ(leat_sem_acquire_until(&sem, 1, deadline), -ETIMEDOUT);
	CHECK(leat_now() >= deadline);
	CHECK_EQ(leat_sem_acquire_until(&sem, 1, leat_now()), -ETIMEDOUT);
	CHECK_EQ(leat_sem_acquire_until(&sem, 0, LEAT_FOREVER), 0);
	leat_sem_release(&sem, 1);
	CHECK_EQ(leat_sem_available(&sem), 1);
}

/* Waits without a stack. */
struct on_acquire {
	leat_sem *sem;
	int64_t n;
	struct order *order;
	int who;
	int result;
	uint64_t task;
	leat_group *group;
};

static int on_acquire(void *arg)
{
	struct on_acquire *on = arg;

	on->task = leat_task_id();
	CHECK(leat_group_current() == on->group);
	note(on->order, on->who);
	leat_sem_release(on->sem, on->n);
	return on->result;
}

TEST_BOTH(sem_on_acquire_free, 20)
{
	struct order order = { 0 };
	leat_group group;
	leat_sem sem;
	struct on_acquire on = { &sem, 2, &order, 0, -EDOM, 0, &group };

	leat_sem_init(&sem, 2, 0);
	make(&group);
	CHECK_EQ(leat_sem_on_acquire(&sem, 2, &group, on_acquire, &on), 0);
	CHECK_EQ(finish(&group), -EDOM);
	check_in_order(&order, 1);
	CHECK(on.task != 0 && on.task != leat_task_id());
	CHECK_EQ(leat_sem_available(&sem), 2);
}

/* In line with those that wait on a stack. */
TEST_SIM(sem_on_acquire_fifo, 50)
{
	struct call call = { .n = 2, .returned = PENDING };
	struct order order = { 0 };
	leat_group group;
	leat_sem sem;
	struct on_acquire first = { &sem, 2, &order, 0, 0, 0, &group };
	struct on_acquire last = { &sem, 1, &order, 2, 0, 0, &group };

	leat_sem_init(&sem, 2, 0);
	make(&group);
	CHECK_EQ(leat_sem_acquire(&sem, 2), 0);
	CHECK_EQ(leat_sem_on_acquire(&sem, 2, &group, on_acquire, &first), 0);
	test_settle();
	sem_take_settled(&group, &sem, &call, &order, 1);
	CHECK_EQ(leat_sem_on_acquire(&sem, 1, &group, on_acquire, &last), 0);
	test_settle();
	CHECK_EQ(order.n, 0);
	CHECK_EQ(leat_group_live(&group), 3);
	leat_sem_release(&sem, 1);
	test_settle();
	CHECK_EQ(order.n, 0);
	leat_sem_release(&sem, 1);
	test_settle();
	CHECK_EQ(order.n, 2);
	leat_sem_release(&sem, 2);
	CHECK_EQ(finish(&group), 0);
	check_in_order(&order, 3);
	CHECK_EQ(leat_sem_available(&sem), 2);
}

/* Cancelled: the function never runs, takes nothing, and the next in line goes on. */
TEST_SIM(sem_on_acquire_cancelled, 100)
{
	struct call call = { .n = 1, .returned = PENDING };
	struct order order = { 0 };
	leat_group group, others;
	leat_sem sem;
	struct on_acquire on = { &sem, 2, &order, 0, 0, 0, &group };

	leat_sem_init(&sem, 2, 0);
	make(&group);
	make(&others);
	CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
	CHECK_EQ(leat_sem_on_acquire(&sem, 2, &group, on_acquire, &on), 0);
	test_settle();
	sem_take_settled(&others, &sem, &call, NULL, 0);
	CHECK_EQ(call.returned, PENDING);
	leat_group_cancel(&group, 0);
	CHECK_EQ(leat_sem_on_acquire(&sem, 1, &group, on_acquire, &on), -ECANCELED);
	CHECK_EQ(finish(&group), -ECANCELED);
	CHECK_EQ(finish(&others), 0);
	CHECK_EQ(call.returned, 0);
	CHECK_EQ(order.n, 0);
	leat_sem_release(&sem, 2);
	CHECK_EQ(leat_sem_available(&sem), 2);
}

/* Mutual exclusion between tasks and threads, with a semaphore of 1 and a plain counter. */
struct shared_count {
	leat_sem sem;
	leat_mutex mutex;
	int rounds;
	int count;
};

static void sem_count_up(void *arg)
{
	struct shared_count *shared = arg;

	for (int i = 0; i < shared->rounds; i++) {
		CHECK_EQ(leat_sem_acquire(&shared->sem, 1), 0);
		shared->count++;
		leat_sem_release(&shared->sem, 1);
		if (i % 16 == 0)
			leat_yield();
	}
}

LEAT_TASK(sem_count_up_task, (struct shared_count *, shared))
{
	sem_count_up(shared);
}

TEST(sem_foreign)
{
	struct shared_count shared = { .rounds = test_slow() ? 200 : 2000 };
	struct foreign foreign[2];
	leat_group group;

	leat_sem_init(&shared.sem, 1, 0);
	make(&group);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(leat_go_in(&group, sem_count_up_task, &shared), 0);
		foreign_start(&foreign[i], sem_count_up, &shared);
	}
	CHECK_EQ(finish(&group), 0);
	for (int i = 0; i < 2; i++)
		foreign_join(&foreign[i]);
	CHECK_EQ(shared.count, 4 * shared.rounds);
	CHECK_EQ(leat_sem_available(&shared.sem), 1);
}

/* A thread that waits at the front and gives up makes way, too. */
struct gives_up {
	leat_sem sem;
	bool gave_up;
};

static void sem_give_up(void *arg)
{
	struct gives_up *g = arg;
	int64_t deadline = leat_in(2 * LEAT_MS);

	CHECK_EQ(leat_sem_acquire_until(&g->sem, 3, deadline), -ETIMEDOUT);
	CHECK(leat_now() >= deadline);
	__atomic_store_n(&g->gave_up, true, __ATOMIC_RELAXED);
}

TEST(sem_foreign_front_timed_out)
{
	struct gives_up g = { .gave_up = false };
	struct foreign foreign;

	leat_sem_init(&g.sem, 3, 0);
	CHECK_EQ(leat_sem_acquire(&g.sem, 1), 0);
	foreign_start(&foreign, sem_give_up, &g);
	/* Until it waits; on a busy machine we may see only that it has waited. */
	while (leat_sem_try_acquire(&g.sem, 1) == 0) {
		leat_sem_release(&g.sem, 1);
		if (__atomic_load_n(&g.gave_up, __ATOMIC_RELAXED))
			break;
		leat_yield();
	}
	CHECK_EQ(leat_sem_acquire(&g.sem, 2), 0);
	foreign_join(&foreign);
	leat_sem_release(&g.sem, 3);
}

/*
 * Mutex.
 */

static void mutex_count_up(void *arg)
{
	struct shared_count *shared = arg;

	for (int i = 0; i < shared->rounds; i++) {
		leat_mutex_lock(&shared->mutex);
		shared->count++;
		if (i % 16 == 0)
			leat_yield();
		leat_mutex_unlock(&shared->mutex);
	}
}

LEAT_TASK(mutex_count_up_task, (struct shared_count *, shared))
{
	mutex_count_up(shared);
}

TEST_BOTH(mutex_excludes, 20)
{
	enum { TASKS = 8 };
	struct shared_count shared = { .mutex = LEAT_MUTEX_INIT };
	leat_group group;

	shared.rounds = leat_sim_seed() ? 20 : 2000;
	make(&group);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(leat_go_in(&group, mutex_count_up_task, &shared), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(shared.count, TASKS * shared.rounds);
}

TEST(mutex_foreign)
{
	struct shared_count shared = { .mutex = LEAT_MUTEX_INIT };
	struct foreign foreign[2];
	leat_group group;

	shared.rounds = test_slow() ? 200 : 2000;
	make(&group);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(leat_go_in(&group, mutex_count_up_task, &shared), 0);
		foreign_start(&foreign[i], mutex_count_up, &shared);
	}
	CHECK_EQ(finish(&group), 0);
	for (int i = 0; i < 2; i++)
		foreign_join(&foreign[i]);
	CHECK_EQ(shared.count, 4 * shared.rounds);
}

LEAT_TASK(mutex_take, (leat_mutex *, mutex), (struct call *, call), (struct order *, order),
	  (int, who))
{
	int r = 0;

	if (call->deadline)
		r = leat_mutex_lock_until(mutex, call->deadline);
	else
		leat_mutex_lock(mutex);
	returned(call, r);
	if (r == 0) {
		if (order)
			note(order, who);
		leat_mutex_unlock(mutex);
	}
}

TEST_SIM(mutex_fifo, 50)
{
	leat_mutex mutex = LEAT_MUTEX_INIT;
	struct call calls[WAITERS];
	struct order order = { 0 };
	leat_group group;

	make(&group);
	leat_mutex_lock(&mutex);
	for (int i = 0; i < WAITERS; i++) {
		calls[i] = (struct call){ .returned = PENDING };
		CHECK_EQ(leat_go_in(&group, mutex_take, &mutex, &calls[i], &order, i), 0);
		test_settle();
		CHECK_EQ(calls[i].returned, PENDING);
	}
	leat_mutex_unlock(&mutex);
	CHECK_EQ(finish(&group), 0);
	check_in_order(&order, WAITERS);
}

LEAT_TASK(mutex_try, (leat_mutex *, mutex), (int, expected))
{
	CHECK_EQ(leat_mutex_try_lock(mutex), expected);
	if (expected == 0)
		leat_mutex_unlock(mutex);
}

TEST_BOTH(mutex_try, 20)
{
	leat_mutex mutex = LEAT_MUTEX_INIT;
	leat_group group;

	make(&group);
	CHECK_EQ(leat_mutex_try_lock(&mutex), 0);
	CHECK_EQ(leat_go_in(&group, mutex_try, &mutex, -EAGAIN), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_mutex_unlock(&mutex);
	CHECK_EQ(leat_go_in(&group, mutex_try, &mutex, 0), 0);
	CHECK_EQ(finish(&group), 0);
}

/* Who runs out of time leaves the line, and the one behind it still gets its turn. */
TEST_SIM(mutex_deadline, 50)
{
	leat_mutex mutex = LEAT_MUTEX_INIT;
	struct call first = { .returned = PENDING, .deadline = leat_in(10 * LEAT_S) };
	struct call second = { .returned = PENDING, .deadline = leat_in(3600 * LEAT_S) };
	leat_group group;

	make(&group);
	CHECK_EQ(leat_mutex_lock_until(&mutex, leat_in(LEAT_S)), 0);
	CHECK_EQ(leat_go_in(&group, mutex_take, &mutex, &first, (struct order *)NULL, 0), 0);
	test_settle();
	CHECK_EQ(leat_go_in(&group, mutex_take, &mutex, &second, (struct order *)NULL, 0), 0);
	CHECK_EQ(leat_sleep_until(first.deadline + LEAT_S), 0);
	CHECK_EQ(first.returned, -ETIMEDOUT);
	check_on_time(first.when, first.deadline);
	CHECK_EQ(second.returned, PENDING);
	leat_mutex_unlock(&mutex);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(second.returned, 0);
}

/* lock ignores a cancel: it comes back with the mutex, and not before. */
TEST_SIM(mutex_ignores_cancel, 100)
{
	leat_mutex mutex = LEAT_MUTEX_INIT;
	struct call before = { .returned = PENDING };
	leat_group group;

	make(&group);
	leat_mutex_lock(&mutex);
	CHECK_EQ(leat_go_in(&group, mutex_take, &mutex, &before, (struct order *)NULL, 0), 0);
	test_settle();
	leat_group_cancel(&group, 0);
	test_settle();
	CHECK_EQ(before.returned, PENDING);
	leat_mutex_unlock(&mutex);
	CHECK_EQ(finish(&group), -ECANCELED);
	CHECK_EQ(before.returned, 0);
	CHECK_EQ(leat_mutex_try_lock(&mutex), 0);
	leat_mutex_unlock(&mutex);
}

/*
 * Condition.
 */

struct monitor {
	leat_mutex mutex;
	leat_cond cond;
};

#define MONITOR_INIT { LEAT_MUTEX_INIT, LEAT_COND_INIT }

/* The unlock stops the program if the wait came back without the mutex. */
LEAT_TASK(cond_take, (struct monitor *, m), (struct call *, call), (struct order *, order),
	  (int, who))
{
	int r;

	leat_mutex_lock(&m->mutex);
	if (call->deadline)
		r = leat_cond_wait_until(&m->cond, &m->mutex, call->deadline);
	else
		r = leat_cond_wait(&m->cond, &m->mutex);
	returned(call, r);
	if (r == 0)
		note(order, who);
	leat_mutex_unlock(&m->mutex);
}

/* WAITERS tasks that wait, in the order of their numbers. */
static void cond_wait_all(leat_group *group, struct monitor *m, struct call *calls,
			  struct order *order)
{
	for (int i = 0; i < WAITERS; i++) {
		calls[i] = (struct call){ .returned = PENDING };
		CHECK_EQ(leat_go_in(group, cond_take, m, &calls[i], order, i), 0);
		test_settle();
	}
	CHECK_EQ(order->n, 0);
}

TEST_SIM(cond_signal_wakes_one, 50)
{
	struct monitor m = MONITOR_INIT;
	struct call calls[WAITERS];
	struct order order = { 0 };
	leat_group group;

	make(&group);
	cond_wait_all(&group, &m, calls, &order);
	for (int i = 0; i < WAITERS; i++) {
		CHECK_EQ(leat_mutex_try_lock(&m.mutex), 0);	/* they wait without it */
		leat_cond_signal(&m.cond);
		test_settle();
		CHECK_EQ(order.n, i);				/* we still have it */
		leat_mutex_unlock(&m.mutex);
		test_settle();
		CHECK_EQ(order.n, i + 1);
	}
	check_in_order(&order, WAITERS);
	CHECK_EQ(finish(&group), 0);
}

TEST_SIM(cond_broadcast_wakes_all, 50)
{
	struct monitor m = MONITOR_INIT;
	struct call calls[WAITERS];
	struct order order = { 0 };
	leat_group group;

	make(&group);
	cond_wait_all(&group, &m, calls, &order);
	leat_cond_broadcast(&m.cond);
	CHECK_EQ(finish(&group), 0);
	check_in_order(&order, WAITERS);
}

/* A signal that nobody waits for is forgotten. */
TEST_BOTH(cond_signal_is_not_kept, 20)
{
	struct monitor m = MONITOR_INIT;
	int64_t deadline = leat_in(2 * LEAT_MS);

	leat_cond_signal(&m.cond);
	leat_cond_broadcast(&m.cond);
	leat_mutex_lock(&m.mutex);
	CHECK_EQ(leat_cond_wait_until(&m.cond, &m.mutex, deadline), -ETIMEDOUT);
	CHECK(leat_now() >= deadline);
	leat_mutex_unlock(&m.mutex);
}

/* A cancelled wait, and one out of time, come back with the mutex; the signal goes to the next. */
TEST_SIM(cond_leave_early, 100)
{
	struct monitor m = MONITOR_INIT;
	struct call cancelled = { .returned = PENDING };
	struct call late = { .returned = PENDING, .deadline = leat_in(100 * LEAT_S) };
	struct call stays = { .returned = PENDING };
	struct order order = { 0 };
	leat_group first, second;

	make(&first);
	make(&second);
	CHECK_EQ(leat_go_in(&first, cond_take, &m, &cancelled, &order, 7), 0);
	test_settle();
	CHECK_EQ(leat_go_in(&second, cond_take, &m, &late, &order, 8), 0);
	test_settle();
	CHECK_EQ(leat_go_in(&second, cond_take, &m, &stays, &order, 0), 0);
	test_settle();
	leat_mutex_lock(&m.mutex);
	leat_group_cancel(&first, 0);
	test_settle();
	CHECK_EQ(cancelled.returned, PENDING);	/* it has no mutex to come back with */
	leat_mutex_unlock(&m.mutex);
	CHECK_EQ(finish(&first), -ECANCELED);
	CHECK_EQ(cancelled.returned, -ECANCELED);
	CHECK_EQ(leat_sleep_until(late.deadline + LEAT_S), 0);
	CHECK_EQ(late.returned, -ETIMEDOUT);
	check_on_time(late.when, late.deadline);
	leat_cond_signal(&m.cond);
	CHECK_EQ(finish(&second), 0);
	check_in_order(&order, 1);
	CHECK_EQ(stays.returned, 0);
}

/* No spurious wake-ups: nothing but a signal ends a wait. */
TEST_SIM(cond_nothing_spurious, 20)
{
	struct monitor m = MONITOR_INIT;
	struct call call = { .returned = PENDING };
	struct order order = { 0 };
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, cond_take, &m, &call, &order, 0), 0);
	for (int i = 0; i < 20; i++) {
		leat_mutex_lock(&m.mutex);
		leat_yield();
		leat_mutex_unlock(&m.mutex);
		test_settle();
	}
	CHECK_EQ(call.returned, PENDING);
	leat_cond_signal(&m.cond);
	CHECK_EQ(finish(&group), 0);
}

/* A bounded buffer between tasks and threads: nothing lost, nothing twice. */
struct buffer {
	leat_mutex mutex;
	leat_cond not_full;
	leat_cond not_empty;
	int items;
	int taken;
	int rounds;
};

static void buffer_put(void *arg)
{
	struct buffer *b = arg;

	for (int i = 0; i < b->rounds; i++) {
		leat_mutex_lock(&b->mutex);
		while (b->items == 3)
			CHECK_EQ(leat_cond_wait(&b->not_full, &b->mutex), 0);
		b->items++;
		leat_cond_signal(&b->not_empty);
		leat_mutex_unlock(&b->mutex);
	}
}

static void buffer_take(void *arg)
{
	struct buffer *b = arg;

	for (int i = 0; i < b->rounds; i++) {
		leat_mutex_lock(&b->mutex);
		while (b->items == 0)
			CHECK_EQ(leat_cond_wait(&b->not_empty, &b->mutex), 0);
		b->items--;
		b->taken++;
		leat_cond_signal(&b->not_full);
		leat_mutex_unlock(&b->mutex);
	}
}

LEAT_TASK(buffer_put_task, (struct buffer *, b))
{
	buffer_put(b);
}

LEAT_TASK(buffer_take_task, (struct buffer *, b))
{
	buffer_take(b);
}

TEST_BOTH(cond_bounded_buffer, 20)
{
	struct buffer b = { LEAT_MUTEX_INIT, LEAT_COND_INIT, LEAT_COND_INIT, 0, 0, 0 };
	leat_group group;

	b.rounds = leat_sim_seed() ? 20 : 1000;
	make(&group);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(leat_go_in(&group, buffer_put_task, &b), 0);
		CHECK_EQ(leat_go_in(&group, buffer_take_task, &b), 0);
	}
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(b.items, 0);
	CHECK_EQ(b.taken, 3 * b.rounds);
}

TEST(cond_foreign)
{
	struct buffer b = { LEAT_MUTEX_INIT, LEAT_COND_INIT, LEAT_COND_INIT, 0, 0, 500 };
	struct foreign foreign[2];
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, buffer_put_task, &b), 0);
	foreign_start(&foreign[0], buffer_take, &b);
	foreign_start(&foreign[1], buffer_put, &b);
	CHECK_EQ(leat_go_in(&group, buffer_take_task, &b), 0);
	CHECK_EQ(finish(&group), 0);
	foreign_join(&foreign[0]);
	foreign_join(&foreign[1]);
	CHECK_EQ(b.items, 0);
	CHECK_EQ(b.taken, 2 * b.rounds);
}

/*
 * Once.
 */

struct once_work {
	leat_once once;
	leat_chan(int) go_on;	/* NULL: the work does not block */
	int runs;
	int returned;
};

static void once_work(void *arg)
{
	struct once_work *work = arg;
	int ignored;

	if (work->go_on)
		CHECK_EQ(leat_recv(work->go_on, &ignored), 0);
	work->runs++;
}

static void once_call(void *arg)
{
	struct once_work *work = arg;

	leat_once_do(&work->once, once_work, work);
	CHECK_EQ(work->runs, 1);
	__atomic_add_fetch(&work->returned, 1, __ATOMIC_RELAXED);
}

LEAT_TASK(once_call_task, (struct once_work *, work))
{
	once_call(work);
}

TEST_BOTH(once_runs_once, 50)
{
	struct once_work work = { .once = LEAT_ONCE_INIT };
	leat_group group;

	make(&group);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(leat_go_in(&group, once_call_task, &work), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	CHECK_EQ(leat_go_in(&group, once_call_task, &work), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(work.runs, 1);
	CHECK_EQ(work.returned, 21);
}

/* Who comes while it runs waits until it has run. */
TEST_SIM(once_others_wait, 50)
{
	struct once_work work = { .once = LEAT_ONCE_INIT, .go_on = leat_chan_make(int, 0) };
	leat_group group;

	make(&group);
	for (int i = 0; i < WAITERS; i++)
		CHECK_EQ(leat_go_in(&group, once_call_task, &work), 0);
	test_settle();
	CHECK_EQ(work.returned, 0);
	CHECK_EQ(leat_send(work.go_on, 1), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(work.returned, WAITERS);
	leat_chan_unref(work.go_on);
}

/* Cancelled callers run it and wait for it all the same. */
LEAT_TASK(once_call_cancelled, (struct once_work *, work))
{
	leat_chan(int) never = NULL;
	int ignored;

	CHECK_EQ(leat_select(leat_case_recv(never, &ignored)), -ECANCELED);
	once_call(work);
}

static void once_slow_work(void *arg)
{
	struct once_work *work = arg;

	leat_shield_begin();
	once_work(work);
	leat_shield_end();
}

LEAT_TASK(once_call_slow, (struct once_work *, work))
{
	leat_once_do(&work->once, once_slow_work, work);
	CHECK_EQ(work->runs, 1);
	__atomic_add_fetch(&work->returned, 1, __ATOMIC_RELAXED);
}

TEST_SIM(once_ignores_cancel, 100)
{
	struct once_work slow = { .once = LEAT_ONCE_INIT, .go_on = leat_chan_make(int, 0) };
	struct once_work quick = { .once = LEAT_ONCE_INIT };
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, once_call_cancelled, &quick), 0);
	for (int i = 0; i < WAITERS; i++)
		CHECK_EQ(leat_go_in(&group, once_call_slow, &slow), 0);
	test_settle();
	leat_group_cancel(&group, 0);
	test_settle();
	CHECK_EQ(quick.returned, 1);
	CHECK_EQ(slow.returned, 0);
	CHECK_EQ(leat_send(slow.go_on, 1), 0);
	CHECK_EQ(finish(&group), -ECANCELED);
	CHECK_EQ(slow.returned, WAITERS);
	leat_chan_unref(slow.go_on);
}

TEST(once_foreign)
{
	for (int i = 0; i < 20; i++) {
		struct once_work work = { .once = LEAT_ONCE_INIT };
		struct foreign foreign[2];
		leat_group group;

		make(&group);
		foreign_start(&foreign[0], once_call, &work);
		CHECK_EQ(leat_go_in(&group, once_call_task, &work), 0);
		foreign_start(&foreign[1], once_call, &work);
		once_call(&work);
		foreign_join(&foreign[0]);
		foreign_join(&foreign[1]);
		CHECK_EQ(finish(&group), 0);
		CHECK_EQ(work.runs, 1);
		CHECK_EQ(work.returned, 4);
	}
}

/*
 * Wait-group.
 */

LEAT_TASK(wg_take, (leat_waitgroup *, wg), (struct call *, call))
{
	returned(call, call->deadline ? leat_waitgroup_wait_until(wg, call->deadline)
				      : leat_waitgroup_wait(wg));
}

TEST_SIM(waitgroup_waits_for_zero, 50)
{
	leat_waitgroup wg = LEAT_WAITGROUP_INIT;
	struct call calls[2] = { { .returned = PENDING }, { .returned = PENDING } };
	leat_group group;

	CHECK_EQ(leat_waitgroup_wait(&wg), 0);
	make(&group);
	for (int round = 0; round < 3; round++) {
		leat_waitgroup_add(&wg, 3);
		for (int i = 0; i < 2; i++) {
			calls[i].returned = PENDING;
			CHECK_EQ(leat_go_in(&group, wg_take, &wg, &calls[i]), 0);
		}
		leat_waitgroup_done(&wg);
		leat_waitgroup_add(&wg, -1);
		test_settle();
		CHECK_EQ(calls[0].returned, PENDING);
		CHECK_EQ(calls[1].returned, PENDING);
		leat_waitgroup_done(&wg);
		CHECK_EQ(leat_group_wait(&group), 0);
		CHECK_EQ(calls[0].returned, 0);
		CHECK_EQ(calls[1].returned, 0);
	}
	leat_group_release(&group);
}

LEAT_TASK(wg_write, (leat_waitgroup *, wg), (int *, slot))
{
	*slot = 1;
	leat_waitgroup_done(wg);
}

/* The plain writes are visible after the wait. */
TEST_BOTH(waitgroup_joins, 20)
{
	enum { TASKS = 100 };
	leat_waitgroup wg = LEAT_WAITGROUP_INIT;
	int slots[TASKS] = { 0 };
	leat_group group;

	make(&group);
	leat_waitgroup_add(&wg, TASKS);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(leat_go_in(&group, wg_write, &wg, &slots[i]), 0);
	CHECK_EQ(leat_waitgroup_wait(&wg), 0);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(slots[i], 1);
	CHECK_EQ(finish(&group), 0);
}

TEST_SIM(waitgroup_deadline_and_cancel, 50)
{
	leat_waitgroup wg = LEAT_WAITGROUP_INIT;
	struct call late = { .returned = PENDING, .deadline = leat_in(10 * LEAT_S) };
	struct call cancelled = { .returned = PENDING };
	struct call stays = { .returned = PENDING };
	leat_group first, second;

	make(&first);
	make(&second);
	leat_waitgroup_add(&wg, 1);
	CHECK_EQ(leat_go_in(&first, wg_take, &wg, &cancelled), 0);
	CHECK_EQ(leat_go_in(&second, wg_take, &wg, &late), 0);
	CHECK_EQ(leat_go_in(&second, wg_take, &wg, &stays), 0);
	test_settle();
	leat_group_cancel(&first, 0);
	CHECK_EQ(finish(&first), -ECANCELED);
	CHECK_EQ(cancelled.returned, -ECANCELED);
	CHECK_EQ(leat_sleep_until(late.deadline + LEAT_S), 0);
	CHECK_EQ(late.returned, -ETIMEDOUT);
	check_on_time(late.when, late.deadline);
	CHECK_EQ(stays.returned, PENDING);
	leat_waitgroup_done(&wg);
	CHECK_EQ(finish(&second), 0);
	CHECK_EQ(stays.returned, 0);
	CHECK_EQ(leat_waitgroup_wait_until(&wg, leat_in(LEAT_S)), 0);
}

static void wg_done_outside(void *arg)
{
	leat_waitgroup_done(arg);
}

static void wg_wait_outside(void *arg)
{
	leat_waitgroup *wg = arg;
	int64_t deadline = leat_in(LEAT_MS);

	CHECK_EQ(leat_waitgroup_wait_until(&wg[0], deadline), -ETIMEDOUT);
	CHECK(leat_now() >= deadline);
	leat_waitgroup_done(&wg[1]);
	CHECK_EQ(leat_waitgroup_wait(&wg[0]), 0);
}

TEST(waitgroup_foreign)
{
	leat_waitgroup wg[2] = { LEAT_WAITGROUP_INIT, LEAT_WAITGROUP_INIT };
	struct foreign foreign;

	leat_waitgroup_add(&wg[0], 1);
	foreign_start(&foreign, wg_done_outside, &wg[0]);
	CHECK_EQ(leat_waitgroup_wait(&wg[0]), 0);
	foreign_join(&foreign);

	leat_waitgroup_add(&wg[0], 1);
	leat_waitgroup_add(&wg[1], 1);
	foreign_start(&foreign, wg_wait_outside, wg);
	CHECK_EQ(leat_waitgroup_wait(&wg[1]), 0);
	leat_waitgroup_done(&wg[0]);
	foreign_join(&foreign);
}

/*
 * Barrier.
 */

struct rounds {
	leat_barrier barrier;
	int parties;
	int rounds;
	int arrived[64];	/* how many came to each round */
	int last[64];		/* how many were told that they came last */
};

/* Nobody leaves a round before all have come, and one came last. */
static void barrier_rounds(void *arg)
{
	struct rounds *rounds = arg;

	for (int i = 0; i < rounds->rounds; i++) {
		int r;

		__atomic_add_fetch(&rounds->arrived[i], 1, __ATOMIC_RELAXED);
		r = leat_barrier_wait(&rounds->barrier);
		CHECK(r == 0 || r == 1);
		CHECK_EQ(__atomic_load_n(&rounds->arrived[i], __ATOMIC_RELAXED), rounds->parties);
		__atomic_add_fetch(&rounds->last[i], r, __ATOMIC_RELAXED);
	}
}

LEAT_TASK(barrier_rounds_task, (struct rounds *, rounds))
{
	barrier_rounds(rounds);
}

static void check_rounds(const struct rounds *rounds)
{
	for (int i = 0; i < rounds->rounds; i++) {
		CHECK_EQ(rounds->arrived[i], rounds->parties);
		CHECK_EQ(rounds->last[i], 1);
	}
}

TEST_BOTH(barrier_is_reusable, 50)
{
	struct rounds rounds = { .parties = 5, .rounds = 64 };
	leat_group group;

	leat_barrier_init(&rounds.barrier, 5);
	make(&group);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(leat_go_in(&group, barrier_rounds_task, &rounds), 0);
	CHECK_EQ(finish(&group), 0);
	check_rounds(&rounds);
}

TEST_BOTH(barrier_of_one, 5)
{
	leat_barrier barrier;

	leat_barrier_init(&barrier, 1);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_barrier_wait(&barrier), 1);
	CHECK_EQ(leat_barrier_wait_until(&barrier, leat_in(LEAT_S)), 1);
}

TEST(barrier_foreign)
{
	struct rounds rounds = { .parties = 4, .rounds = 64 };
	struct foreign foreign[2];
	leat_group group;

	leat_barrier_init(&rounds.barrier, 4);
	make(&group);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(leat_go_in(&group, barrier_rounds_task, &rounds), 0);
		foreign_start(&foreign[i], barrier_rounds, &rounds);
	}
	CHECK_EQ(finish(&group), 0);
	foreign_join(&foreign[0]);
	foreign_join(&foreign[1]);
	check_rounds(&rounds);
}

LEAT_TASK(barrier_take, (leat_barrier *, barrier), (struct call *, call))
{
	returned(call, call->deadline ? leat_barrier_wait_until(barrier, call->deadline)
				      : leat_barrier_wait(barrier));
}

/* Who leaves by deadline or cancel is no longer counted. */
TEST_SIM(barrier_leave_early, 100)
{
	struct call late = { .returned = PENDING, .deadline = leat_in(10 * LEAT_S) };
	struct call cancelled = { .returned = PENDING };
	struct call stays[2] = { { .returned = PENDING }, { .returned = PENDING } };
	leat_group first, second;
	leat_barrier barrier;

	leat_barrier_init(&barrier, 3);
	make(&first);
	make(&second);
	CHECK_EQ(leat_go_in(&first, barrier_take, &barrier, &cancelled), 0);
	CHECK_EQ(leat_go_in(&second, barrier_take, &barrier, &late), 0);
	test_settle();
	leat_group_cancel(&first, 0);
	CHECK_EQ(finish(&first), -ECANCELED);
	CHECK_EQ(cancelled.returned, -ECANCELED);
	CHECK_EQ(leat_sleep_until(late.deadline + LEAT_S), 0);
	CHECK_EQ(late.returned, -ETIMEDOUT);
	check_on_time(late.when, late.deadline);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(leat_go_in(&second, barrier_take, &barrier, &stays[i]), 0);
	test_settle();
	CHECK_EQ(stays[0].returned, PENDING);
	CHECK_EQ(stays[1].returned, PENDING);
	CHECK_EQ(leat_barrier_wait(&barrier), 1);
	CHECK_EQ(finish(&second), 0);
	CHECK_EQ(stays[0].returned, 0);
	CHECK_EQ(stays[1].returned, 0);
}

/*
 * Misuse.
 */

TEST_DEATH(sem_over_release, "leat_sem_release")
{
	leat_sem sem;

	leat_sem_init(&sem, 3, 0);
	CHECK_EQ(leat_sem_try_acquire(&sem, 2), 0);
	leat_sem_release(&sem, 3);
}

TEST_DEATH(sem_acquire_null, "leat_sem_acquire")
{
	CHECK_EQ(leat_sem_acquire(NULL, 1), 0);
}

TEST_DEATH(sem_try_acquire_null, "leat_sem_try_acquire")
{
	CHECK_EQ(leat_sem_try_acquire(NULL, 1), 0);
}

TEST_DEATH(sem_release_null, "leat_sem_release")
{
	leat_sem_release(NULL, 1);
}

TEST_DEATH(sem_init_null, "leat_sem_init")
{
	leat_sem_init(NULL, 1, 0);
}

TEST_DEATH_TASK(sem_on_acquire_null, "leat_sem_on_acquire")
{
	leat_sem sem;

	leat_sem_init(&sem, 3, 0);
	CHECK_EQ(leat_sem_on_acquire(&sem, 1, leat_group_current(), NULL, NULL), 0);
}

TEST_DEATH_TASK(mutex_unlock_unlocked, "leat_mutex_unlock")
{
	leat_mutex mutex = LEAT_MUTEX_INIT;

	leat_mutex_unlock(&mutex);
}

LEAT_TASK(mutex_unlock_task, (leat_mutex *, mutex))
{
	leat_mutex_unlock(mutex);
}

TEST_DEATH_TASK(mutex_unlock_by_another, "leat_mutex_unlock")
{
	leat_mutex mutex = LEAT_MUTEX_INIT;
	leat_group group;

	make(&group);
	leat_mutex_lock(&mutex);
	CHECK_EQ(leat_go_in(&group, mutex_unlock_task, &mutex), 0);
	finish(&group);
	leat_mutex_unlock(&mutex);
}

static void mutex_unlock_outside(void *arg)
{
	leat_mutex_unlock(arg);
}

TEST_DEATH_TASK(mutex_unlock_by_thread, "leat_mutex_unlock")
{
	leat_mutex mutex = LEAT_MUTEX_INIT;
	struct foreign foreign;

	leat_mutex_lock(&mutex);
	foreign_start(&foreign, mutex_unlock_outside, &mutex);
	foreign_join(&foreign);
	leat_mutex_unlock(&mutex);
}

TEST_DEATH_TASK(mutex_lock_twice, "leat_mutex_lock")
{
	leat_mutex mutex = LEAT_MUTEX_INIT;

	leat_mutex_lock(&mutex);
	leat_mutex_lock(&mutex);
}

TEST_DEATH_TASK(mutex_lock_null, "leat_mutex_lock")
{
	leat_mutex_lock(NULL);
}

TEST_DEATH_TASK(cond_wait_unlocked, "leat_cond_wait")
{
	struct monitor m = MONITOR_INIT;

	CHECK_EQ(leat_cond_wait_until(&m.cond, &m.mutex, leat_in(LEAT_MS)), 0);
}

TEST_DEATH_TASK(cond_wait_null, "leat_cond_wait")
{
	leat_mutex mutex = LEAT_MUTEX_INIT;

	leat_mutex_lock(&mutex);
	CHECK_EQ(leat_cond_wait(NULL, &mutex), 0);
}

TEST_DEATH_TASK(cond_signal_null, "leat_cond_signal")
{
	leat_cond_signal(NULL);
}

static void once_again(void *arg)
{
	leat_once_do(arg, once_again, arg);
}

TEST_DEATH_TASK(once_recursion, "leat_once_do")
{
	leat_once once = LEAT_ONCE_INIT;

	leat_once_do(&once, once_again, &once);
}

TEST_DEATH_TASK(once_null, "leat_once_do")
{
	leat_once once = LEAT_ONCE_INIT;

	leat_once_do(&once, NULL, NULL);
}

TEST_DEATH(waitgroup_below_zero, "leat_waitgroup_done")
{
	leat_waitgroup wg = LEAT_WAITGROUP_INIT;

	leat_waitgroup_add(&wg, 1);
	leat_waitgroup_done(&wg);
	leat_waitgroup_done(&wg);
}

TEST_DEATH(waitgroup_add_below_zero, "leat_waitgroup_add")
{
	leat_waitgroup wg = LEAT_WAITGROUP_INIT;

	leat_waitgroup_add(&wg, 2);
	leat_waitgroup_add(&wg, -3);
}

TEST_DEATH(waitgroup_null, "leat_waitgroup_add")
{
	leat_waitgroup_add(NULL, 1);
}

TEST_DEATH(barrier_of_none, "leat_barrier_init")
{
	leat_barrier barrier;

	leat_barrier_init(&barrier, 0);
}

TEST_DEATH_TASK(barrier_null, "leat_barrier_wait")
{
	leat_barrier_wait(NULL);
}

/* What the message must say beside the function. */
TEST_DEATH(sem_over_release_says, "3 permits released, but only 2 are taken")
{
	leat_sem sem;

	leat_sem_init(&sem, 3, 0);
	CHECK_EQ(leat_sem_try_acquire(&sem, 2), 0);
	leat_sem_release(&sem, 3);
}

LEAT_TASK(sem_take_all, (leat_sem *, sem))
{
	CHECK_EQ(leat_sem_acquire(sem, 3), 0);
}

/* Also when somebody waits. */
TEST_DEATH_TASK(sem_over_release_waiting, "2 permits released, but only 1 are taken")
{
	leat_group group;
	leat_sem sem;

	leat_sem_init(&sem, 3, 0);
	CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
	make(&group);
	CHECK_EQ(leat_go_in(&group, sem_take_all, &sem), 0);
	while (leat_sem_try_acquire(&sem, 1) == 0) {
		leat_sem_release(&sem, 1);
		leat_yield();
	}
	leat_sem_release(&sem, 2);
}

TEST_DEATH(sem_acquire_until_null, "leat_sem_acquire_until")
{
	CHECK_EQ(leat_sem_acquire_until(NULL, 1, 0), 0);
}

TEST_DEATH(sem_available_null, "leat_sem_available")
{
	CHECK_EQ(leat_sem_available(NULL), 0);
}

static int never(void *arg)
{
	(void)arg;
	return 0;
}

TEST_DEATH_TASK(sem_on_acquire_of_null, "leat_sem_on_acquire")
{
	CHECK_EQ(leat_sem_on_acquire(NULL, 1, NULL, never, NULL), 0);
}

TEST_DEATH_TASK(sem_on_acquire_negative, "leat_sem_on_acquire")
{
	leat_sem sem;

	leat_sem_init(&sem, 3, 0);
	CHECK_EQ(leat_sem_on_acquire(&sem, -1, NULL, never, NULL), 0);
}

TEST_DEATH_TASK(mutex_unlock_unlocked_says, "'main' (1) unlocks it, but nobody holds it")
{
	leat_mutex mutex = LEAT_MUTEX_INIT;

	leat_mutex_unlock(&mutex);
}

LEAT_TASK(mutex_unlock_of_another, (leat_mutex *, mutex))
{
	leat_mutex_unlock(mutex);
}

TEST_DEATH_TASK(mutex_unlock_by_another_says, "unlocks it, but 'main' (1) holds it")
{
	leat_mutex mutex = LEAT_MUTEX_INIT;
	leat_group group;

	make(&group);
	leat_mutex_lock(&mutex);
	CHECK_EQ(leat_go_in(&group, mutex_unlock_of_another, &mutex), 0);
	finish(&group);
}

static void mutex_lock_outside(void *arg)
{
	leat_mutex_lock(arg);
}

TEST_DEATH_TASK(mutex_unlock_of_thread, "but another thread or forked task")
{
	leat_mutex mutex = LEAT_MUTEX_INIT;
	struct foreign foreign;

	foreign_start(&foreign, mutex_lock_outside, &mutex);
	foreign_join(&foreign);
	leat_mutex_unlock(&mutex);
}

TEST_DEATH_TASK(mutex_lock_until_twice, "leat_mutex_lock_until")
{
	leat_mutex mutex = LEAT_MUTEX_INIT;

	leat_mutex_lock(&mutex);
	CHECK_EQ(leat_mutex_lock_until(&mutex, leat_in(LEAT_MS)), 0);
}

TEST_DEATH_TASK(mutex_lock_until_null, "leat_mutex_lock_until")
{
	CHECK_EQ(leat_mutex_lock_until(NULL, leat_in(LEAT_MS)), 0);
}

TEST_DEATH_TASK(mutex_try_lock_null, "leat_mutex_try_lock")
{
	CHECK_EQ(leat_mutex_try_lock(NULL), 0);
}

TEST_DEATH_TASK(mutex_unlock_null, "leat_mutex_unlock")
{
	leat_mutex_unlock(NULL);
}

TEST_DEATH_TASK(cond_wait_without_mutex, "leat_cond_wait_until")
{
	leat_cond cond = LEAT_COND_INIT;

	CHECK_EQ(leat_cond_wait_until(&cond, NULL, leat_in(LEAT_MS)), 0);
}

TEST_DEATH_TASK(cond_broadcast_null, "leat_cond_broadcast")
{
	leat_cond_broadcast(NULL);
}

TEST_DEATH_TASK(once_of_null, "leat_once_do")
{
	leat_once_do(NULL, once_again, NULL);
}

TEST_DEATH(waitgroup_done_null, "leat_waitgroup_done")
{
	leat_waitgroup_done(NULL);
}

TEST_DEATH_TASK(waitgroup_wait_null, "leat_waitgroup_wait")
{
	CHECK_EQ(leat_waitgroup_wait(NULL), 0);
}

TEST_DEATH(waitgroup_overflow, "count 2 plus 9223372036854775807 is out of range")
{
	leat_waitgroup wg = LEAT_WAITGROUP_INIT;

	leat_waitgroup_add(&wg, 2);
	leat_waitgroup_add(&wg, INT64_MAX);
}

TEST_DEATH(barrier_init_null, "leat_barrier_init")
{
	leat_barrier_init(NULL, 1);
}

TEST_DEATH_TASK(barrier_wait_until_null, "leat_barrier_wait_until")
{
	CHECK_EQ(leat_barrier_wait_until(NULL, leat_in(LEAT_MS)), 0);
}

/* Blocking in a no-park scope is misuse; what need not block is not. */
TEST_DEATH_TASK(mutex_no_park, "would block in a no-park scope (semaphore)")
{
	leat_mutex mutex = LEAT_MUTEX_INIT;
	leat_sem sem;

	leat_sem_init(&sem, 1, 0);
	leat_no_park_begin();
	leat_mutex_lock(&mutex);
	leat_mutex_unlock(&mutex);
	CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
	CHECK_EQ(leat_sem_acquire(&sem, 1), 0);
}

TEST_DEATH_TASK(chan_close_twice, "leat_channel_close")
{
	leat_chan(int) chan = leat_chan_make(int, 1);

	leat_close(chan);
	leat_close(chan);
}
