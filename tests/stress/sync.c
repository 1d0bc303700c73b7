/*
 * The synchronization objects on real threads: tasks, tasks that are cancelled
 * half way, and threads that are no workers, with and without deadlines.  What is
 * protected is written without atomics, so that TSan sees a hole; what was taken
 * is counted, so that the end shows whether something was lost.
 *
 * Environment as in mix.c: LEAT_STRESS_WORKERS (0: all), LEAT_STRESS_SECONDS (1),
 * LEAT_STRESS_SEED (random, printed).
 */
#include <stdatomic.h>
#include <time.h>

#include "foreign.h"
#include "test.h"

enum { PERMITS = 4, PARTIES = 3, TASKS = 4, LOOPS = 60 };

struct stress {
	leat_sem sem, bypass;
	_Atomic int64_t held, bypass_held;
	leat_mutex mutex;
	int64_t inside, tickets, made, taken;	/* under mutex */
	bool closed;				/* under mutex */
	leat_cond cond;
	leat_once once;
	int64_t prepared;			/* by once */
	leat_waitgroup wg;
	leat_barrier barrier;
	_Atomic int64_t passed, last;
};

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

/* Each task and thread draws from a state of its own: nothing is shared that need not be. */
static uint64_t draw(uint64_t *state, uint64_t n)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state % n;
}

static int64_t some_deadline(uint64_t *state)
{
	return draw(state, 3) == 0 ? LEAT_FOREVER
				   : leat_in((int64_t)draw(state, 50) * LEAT_US);
}

static void check_code(int r)
{
	CHECK(r == 0 || r == -EAGAIN || r == -ETIMEDOUT || r == -ECANCELED);
}

static void use_sem(leat_sem *sem, _Atomic int64_t *held, uint64_t *state)
{
	int64_t n = (int64_t)draw(state, PERMITS + 1);
	int r = draw(state, 4) == 0 ? leat_sem_try_acquire(sem, n)
				    : leat_sem_acquire_until(sem, n, some_deadline(state));

	check_code(r);
	if (r != 0)
		return;
	CHECK(atomic_fetch_add(held, n) + n <= PERMITS);
	if (draw(state, 4) == 0)
		leat_yield();
	atomic_fetch_sub(held, n);
	leat_sem_release(sem, n);
}

static void use_mutex(struct stress *s, uint64_t *state)
{
	int r = 0;

	switch (draw(state, 4)) {
	case 0:
		r = leat_mutex_try_lock(&s->mutex);
		break;
	case 1:
		r = leat_mutex_lock_until(&s->mutex, some_deadline(state));
		break;
	default:
		leat_mutex_lock(&s->mutex);
	}
	check_code(r);
	if (r != 0)
		return;
	CHECK_EQ(s->inside++, 0);
	if (draw(state, 4) == 0)
		leat_yield();
	CHECK_EQ(--s->inside, 0);
	s->tickets++;
	s->made++;
	leat_cond_signal(&s->cond);
	leat_mutex_unlock(&s->mutex);
}

static void init_once(void *arg)
{
	struct stress *s = arg;

	s->prepared++;
}

static void work(struct stress *s, uint64_t seed)
{
	uint64_t state = seed | 1;

	leat_once_do(&s->once, init_once, s);
	CHECK_EQ(s->prepared, 1);
	for (int i = 0; i < LOOPS; i++) {
		use_sem(&s->sem, &s->held, &state);
		use_sem(&s->bypass, &s->bypass_held, &state);
		use_mutex(s, &state);
	}
	leat_waitgroup_done(&s->wg);
}

LEAT_TASK(work_task, (struct stress *, s), (uint64_t, seed))
{
	work(s, seed);
}

/* Takes tickets until all have been made; the cancelled leave early. */
static void take(struct stress *s, uint64_t seed)
{
	uint64_t state = seed | 1;
	bool over = false;

	while (!over) {
		int r = 0;

		leat_mutex_lock(&s->mutex);
		while (s->tickets == 0 && !s->closed && r == 0)
			r = leat_cond_wait_until(&s->cond, &s->mutex, some_deadline(&state));
		check_code(r);
		if (s->tickets > 0) {
			s->tickets--;
			s->taken++;
		}
		over = (s->closed && s->tickets == 0) || r == -ECANCELED;
		leat_mutex_unlock(&s->mutex);
	}
}

LEAT_TASK(take_task, (struct stress *, s), (uint64_t, seed))
{
	take(s, seed);
}

/* Until it is cancelled; passes are counted in whole rounds. */
LEAT_TASK(meet_task, (struct stress *, s), (uint64_t, seed))
{
	uint64_t state = seed | 1;
	int r;

	do {
		r = leat_barrier_wait_until(&s->barrier, some_deadline(&state));
		if (r >= 0) {
			atomic_fetch_add(&s->passed, 1);
			atomic_fetch_add(&s->last, r);
		} else {
			check_code(r);
		}
	} while (r != -ECANCELED);
}

struct outside {
	struct stress *s;
	uint64_t seed;
};

static void work_outside(void *arg)
{
	struct outside *o = arg;

	work(o->s, o->seed);
}

static void take_outside(void *arg)
{
	struct outside *o = arg;

	take(o->s, o->seed);
}

static void check_balance(struct stress *s)
{
	CHECK_EQ(atomic_load(&s->held), 0);
	CHECK_EQ(leat_sem_try_acquire(&s->sem, PERMITS), 0);
	CHECK_EQ(leat_sem_try_acquire(&s->bypass, PERMITS), 0);
	CHECK_EQ(s->made, s->taken);
	CHECK_EQ(s->prepared, 1);
	CHECK(s->made > 0);
	CHECK_EQ(atomic_load(&s->passed), atomic_load(&s->last) * PARTIES);
}

static void round_of(uint64_t seed)
{
	struct stress s = { .mutex = LEAT_MUTEX_INIT, .cond = LEAT_COND_INIT };
	struct outside outside[2] = { { &s, seed * 31 + 7 }, { &s, seed * 37 + 11 } };
	struct foreign worker, taker;
	leat_group stay, doomed;

	leat_sem_init(&s.sem, PERMITS, 0);
	leat_sem_init(&s.bypass, PERMITS, (uint32_t)(seed % 3));
	leat_barrier_init(&s.barrier, PARTIES);
	REQUIRE(leat_group_init(&stay, NULL) == 0 && leat_group_init(&doomed, NULL) == 0);
	leat_waitgroup_add(&s.wg, 2 * TASKS + 1);
	foreign_start(&worker, work_outside, &outside[0]);
	foreign_start(&taker, take_outside, &outside[1]);
	for (uint64_t i = 0; i < TASKS; i++) {
		CHECK_EQ(leat_go_in(&stay, work_task, &s, seed * 41 + i), 0);
		CHECK_EQ(leat_go_in(&doomed, work_task, &s, seed * 43 + i), 0);
		CHECK_EQ(leat_go_in(&stay, take_task, &s, seed * 47 + i), 0);
		CHECK_EQ(leat_go_in(&doomed, take_task, &s, seed * 53 + i), 0);
		CHECK_EQ(leat_go_in(&doomed, meet_task, &s, seed * 59 + i), 0);
	}
	leat_sleep((int64_t)(seed % 500) * LEAT_US);
	leat_group_cancel(&doomed, 0);
	CHECK_EQ(leat_waitgroup_wait(&s.wg), 0);
	leat_mutex_lock(&s.mutex);
	s.closed = true;
	leat_mutex_unlock(&s.mutex);
	leat_cond_broadcast(&s.cond);
	CHECK_EQ(leat_group_wait(&stay), 0);
	CHECK_EQ(leat_group_wait(&doomed), -ECANCELED);
	foreign_join(&worker);
	foreign_join(&taker);
	leat_group_release(&stay);
	leat_group_release(&doomed);
	check_balance(&s);
}

static int run(void *arg)
{
	uint64_t seed = *(uint64_t *)arg;
	int64_t until = leat_in((int64_t)number("LEAT_STRESS_SECONDS", 1) * LEAT_S);

	while (leat_now() < until && !test_failed())
		round_of(seed++);
	return 0;
}

TEST_PLAIN(sync_objects)
{
	uint64_t seed = number("LEAT_STRESS_SEED", (uint64_t)time(NULL));
	int workers = (int)number("LEAT_STRESS_WORKERS", 0);

	printf("LEAT_STRESS_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	test_timeout(30 + (unsigned)number("LEAT_STRESS_SECONDS", 1));
	CHECK_EQ(leat_run(LEAT_OPTIONS(.workers = workers), run, &seed), 0);
}
