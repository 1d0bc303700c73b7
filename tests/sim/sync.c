/*
 * Semaphore, mutex, condition, once, wait-group and barrier over many schedules,
 * with deadlines and cancels mixed in: nothing that was given is lost, nothing is
 * had twice, and nobody waits for ever (that would be reported as a deadlock).
 */
#include "run.h"

/* A deadline that may come before, while or after somebody waits; now and then none. */
static int64_t some_deadline(void)
{
	return leat_random(4) == 0 ? LEAT_FOREVER : leat_in((int64_t)leat_random(3000));
}

LEAT_TASK(cancel_later, (leat_group *, group), (unsigned, most))
{
	dawdle(most);
	leat_group_cancel(group, 0);
}

/*
 * Semaphore.  held is what the tasks have; it may never exceed the size, and in
 * the end all permits are free.
 */
enum { PERMITS = 5 };

struct permits {
	leat_sem sem;
	int64_t held;
	int taken, failed;
};

static void permits_hold(struct permits *p, int64_t n)
{
	p->held += n;
	p->taken++;
	CHECK(p->held <= PERMITS);
	dawdle(2);
	p->held -= n;
	leat_sem_release(&p->sem, n);
}

static void permits_open(struct permits *p, uint32_t max_bypass)
{
	*p = (struct permits){ 0 };
	leat_sem_init(&p->sem, PERMITS, max_bypass);
}

/* The last look: all are free, and nobody is marked as waiting. */
static void permits_balance(struct permits *p)
{
	CHECK_EQ(p->held, 0);
	CHECK_EQ(leat_sem_available(&p->sem), PERMITS);
	CHECK_EQ(leat_sem_try_acquire(&p->sem, PERMITS), 0);
}

LEAT_TASK(acquire_some, (struct permits *, p), (int, loops))
{
	for (int i = 0; i < loops; i++) {
		int64_t n = (int64_t)leat_random(PERMITS + 1);
		int r;

		if (leat_random(4) == 0)
			r = leat_sem_try_acquire(&p->sem, n);
		else
			r = leat_sem_acquire_until(&p->sem, n, some_deadline());
		if (r == 0) {
			permits_hold(p, n);
		} else {
			CHECK(r == -EAGAIN || r == -ETIMEDOUT || r == -ECANCELED);
			p->failed++;
		}
	}
}

static int hold_on(void *arg)
{
	permits_hold(arg, 2);
	return 0;
}

static void acquire_in_all_ways(uint32_t max_bypass)
{
	struct permits p;
	leat_group group, doomed;

	permits_open(&p, max_bypass);
	make(&group);
	make(&doomed);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(leat_go_in(&group, acquire_some, &p, 4), 0);
		CHECK_EQ(leat_go_in(&doomed, acquire_some, &p, 4), 0);
		CHECK_EQ(leat_sem_on_acquire(&p.sem, 2, i % 2 ? &group : &doomed, hold_on, &p), 0);
	}
	CHECK_EQ(leat_go_in(&group, cancel_later, &doomed, 40), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(finish(&doomed), -ECANCELED);
	permits_balance(&p);
	CHECK(p.taken > 0);
}

TEST_STRESS(sem_fifo_mix)
{
	acquire_in_all_ways(0);
}

TEST_STRESS(sem_bypass_mix)
{
	acquire_in_all_ways(1 + (uint32_t)leat_random(3));
}

/* Without deadlines every acquire succeeds, whatever its weight: nobody starves. */
LEAT_TASK(acquire_all, (struct permits *, p), (int64_t, n), (int, loops))
{
	for (int i = 0; i < loops; i++) {
		CHECK_EQ(leat_sem_acquire(&p->sem, n), 0);
		permits_hold(p, n);
	}
}

TEST_STRESS(sem_all_served)
{
	struct permits p;
	leat_group group;

	permits_open(&p, (uint32_t)leat_random(3));
	make(&group);
	for (int64_t n = 0; n <= PERMITS; n++)
		CHECK_EQ(leat_go_in(&group, acquire_all, &p, n, 4), 0);
	CHECK_EQ(finish(&group), 0);
	permits_balance(&p);
	CHECK_EQ(p.taken, 4 * (PERMITS + 1));
}

/* The front waiter is cancelled, or runs out of time; the one behind it must be served. */
LEAT_TASK_ERR(acquire_too_much, (struct permits *, p), (int64_t, deadline))
{
	return leat_sem_acquire_until(&p->sem, PERMITS, deadline);
}

TEST_STRESS(sem_front_leaves)
{
	bool cancel = leat_random(2) == 0;
	leat_group front, behind;
	struct permits p;
	int64_t deadline;

	permits_open(&p, 0);
	make(&front);
	make(&behind);
	CHECK_EQ(leat_sem_acquire(&p.sem, 1), 0);
	deadline = cancel ? LEAT_FOREVER : leat_in(20000);
	CHECK_EQ(leat_go_in(&front, acquire_too_much, &p, deadline), 0);
	dawdle(8);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&behind, acquire_all, &p, (int64_t)1 + i, 1), 0);
	dawdle(8);
	if (cancel)
		leat_group_cancel(&front, 0);
	CHECK_EQ(finish(&front), cancel ? -ECANCELED : -ETIMEDOUT);
	CHECK_EQ(finish(&behind), 0);
	leat_sem_release(&p.sem, 1);
	permits_balance(&p);
}

/*
 * Mutex: inside is 0 or 1.
 */
struct room {
	leat_mutex mutex;
	int inside;
	int entered;
	int wanted;
};

static void room_enter(struct room *room)
{
	CHECK_EQ(room->inside++, 0);
	room->entered++;
	dawdle(2);
	CHECK_EQ(--room->inside, 0);
	leat_mutex_unlock(&room->mutex);
}

LEAT_TASK(lock_some, (struct room *, room), (int, loops))
{
	for (int i = 0; i < loops; i++) {
		int r = 0;

		switch (leat_random(4)) {
		case 0:
			r = leat_mutex_try_lock(&room->mutex);
			break;
		case 1:
			r = leat_mutex_lock_until(&room->mutex, some_deadline());
			break;
		default:
			leat_mutex_lock(&room->mutex);
		}
		CHECK(r == 0 || r == -EAGAIN || r == -ETIMEDOUT);
		if (r == 0) {
			room->wanted++;
			room_enter(room);
		}
	}
}

static void room_balance(struct room *room)
{
	CHECK_EQ(room->inside, 0);
	CHECK_EQ(room->entered, room->wanted);
	CHECK_EQ(leat_mutex_try_lock(&room->mutex), 0);
	leat_mutex_unlock(&room->mutex);
}

TEST_STRESS(mutex_mix)
{
	struct room room = { .mutex = LEAT_MUTEX_INIT };
	leat_group group, doomed;

	make(&group);
	make(&doomed);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(leat_go_in(&group, lock_some, &room, 5), 0);
		CHECK_EQ(leat_go_in(&doomed, lock_some, &room, 5), 0);
	}
	CHECK_EQ(leat_go_in(&group, cancel_later, &doomed, 40), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(finish(&doomed), -ECANCELED);
	room_balance(&room);
}

/*
 * One who has it again before the woken waiter can run keeps the waiters out,
 * but not for ever: after 1 ms it is handed over, and in order.
 */
struct queue {
	leat_mutex mutex;
	int served;
};

LEAT_TASK(be_served, (struct queue *, q), (int, turn))
{
	leat_mutex_lock(&q->mutex);
	CHECK_EQ(q->served, turn);
	q->served++;
	leat_mutex_unlock(&q->mutex);
}

TEST_STRESS(mutex_starving)
{
	struct queue q = { .mutex = LEAT_MUTEX_INIT };
	leat_group group;
	int64_t start;

	make(&group);
	leat_mutex_lock(&q.mutex);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(leat_go_in(&group, be_served, &q, i), 0);
		test_settle();
	}
	/* The first is woken by the first unlock, and loses from then on. */
	start = leat_now();
	do {
		CHECK_EQ(leat_sleep((int64_t)leat_random(400 * LEAT_US)), 0);
		leat_mutex_unlock(&q.mutex);
		/* On several workers they may all be quick enough. */
	} while (q.served < 3 && leat_mutex_try_lock(&q.mutex) == 0);
	if (leat_sim_seed() != 0)
		CHECK(leat_now() < start + 3 * LEAT_MS);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(q.served, 3);
}

/*
 * Condition: tickets are made under the mutex, one signal each, and taken by
 * waiters; a waiter that leaves by deadline or cancel takes none.
 */
struct counter {
	leat_mutex mutex;
	leat_cond cond;
	int tickets, made, taken;
	bool closed;
};

LEAT_TASK(take_tickets, (struct counter *, c))
{
	for (;;) {
		int r = 0;

		leat_mutex_lock(&c->mutex);
		while (c->tickets == 0 && !c->closed && r == 0)
			r = leat_cond_wait_until(&c->cond, &c->mutex, some_deadline());
		CHECK(r == 0 || r == -ETIMEDOUT || r == -ECANCELED);
		if (c->tickets > 0) {
			c->tickets--;
			c->taken++;
			r = 0;
		}
		dawdle(1);
		if ((c->closed && c->tickets == 0) || r == -ECANCELED) {
			leat_mutex_unlock(&c->mutex);
			return;
		}
		leat_mutex_unlock(&c->mutex);
	}
}

LEAT_TASK(make_tickets, (struct counter *, c), (int, n))
{
	for (int i = 0; i < n; i++) {
		bool outside = leat_random(2) == 0;

		leat_mutex_lock(&c->mutex);
		c->tickets++;
		c->made++;
		if (!outside)
			leat_cond_signal(&c->cond);
		leat_mutex_unlock(&c->mutex);
		if (outside)
			leat_cond_signal(&c->cond);
		dawdle(2);
	}
}

TEST_STRESS(cond_tickets)
{
	struct counter c = { .mutex = LEAT_MUTEX_INIT, .cond = LEAT_COND_INIT };
	leat_group makers, takers, doomed;

	make(&makers);
	make(&takers);
	make(&doomed);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(leat_go_in(&takers, take_tickets, &c), 0);
		CHECK_EQ(leat_go_in(&doomed, take_tickets, &c), 0);
	}
	for (int i = 0; i < 2; i++)
		CHECK_EQ(leat_go_in(&makers, make_tickets, &c, 8), 0);
	CHECK_EQ(leat_go_in(&makers, cancel_later, &doomed, 30), 0);
	CHECK_EQ(finish(&makers), 0);
	leat_mutex_lock(&c.mutex);
	c.closed = true;
	leat_cond_broadcast(&c.cond);
	leat_mutex_unlock(&c.mutex);
	CHECK_EQ(finish(&takers), 0);
	CHECK_EQ(finish(&doomed), -ECANCELED);
	CHECK_EQ(c.made, 16);
	CHECK_EQ(c.taken, 16);
}

/* A signal that comes as the front waiter gives up goes to the one behind, or is not needed. */
struct baton {
	leat_mutex mutex;
	leat_cond cond;
	int signalled;
};

LEAT_TASK(wait_for_baton, (struct baton *, b), (int64_t, deadline))
{
	int r;

	leat_mutex_lock(&b->mutex);
	r = leat_cond_wait_until(&b->cond, &b->mutex, deadline);
	CHECK(r == 0 || r == -ETIMEDOUT);
	b->signalled += r == 0;
	leat_mutex_unlock(&b->mutex);
}

TEST_STRESS(cond_signal_against_deadline)
{
	struct baton b = { .mutex = LEAT_MUTEX_INIT, .cond = LEAT_COND_INIT };
	int64_t deadline = leat_in(50 * LEAT_MS);
	leat_group group;

	make(&group);
	CHECK_EQ(leat_go_in(&group, wait_for_baton, &b, deadline), 0);
	CHECK_EQ(leat_go_in(&group, wait_for_baton, &b, leat_in(LEAT_S)), 0);
	CHECK_EQ(leat_go_in(&group, wait_for_baton, &b, leat_in(2 * LEAT_S)), 0);
	CHECK_EQ(leat_sleep_until(deadline - 500), 0);
	dawdle(10);
	/* Once or twice: it wakes so many, because at least two wait. */
	if (leat_random(2) == 0)
		leat_cond_signal(&b.cond);
	leat_mutex_lock(&b.mutex);
	leat_cond_signal(&b.cond);
	dawdle(10);
	leat_mutex_unlock(&b.mutex);
	CHECK_EQ(leat_sleep(10 * LEAT_MS), 0);
	CHECK(b.signalled == 1 || b.signalled == 2);
	leat_cond_broadcast(&b.cond);
	CHECK_EQ(finish(&group), 0);
	CHECK(b.signalled >= 2);
}

/* Once: runs once, and nobody returns before it has run. */
struct single {
	leat_once once;
	int began, ended;
};

static void single_run(void *arg)
{
	struct single *s = arg;

	s->began++;
	dawdle(5);
	s->ended++;
}

LEAT_TASK(do_once, (struct single *, s))
{
	dawdle(5);
	leat_once_do(&s->once, single_run, s);
	CHECK_EQ(s->ended, 1);
}

TEST_STRESS(once_mix)
{
	struct single s = { .once = LEAT_ONCE_INIT };
	leat_group group, doomed;

	make(&group);
	make(&doomed);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(leat_go_in(&group, do_once, &s), 0);
		CHECK_EQ(leat_go_in(&doomed, do_once, &s), 0);
	}
	CHECK_EQ(leat_go_in(&group, cancel_later, &doomed, 10), 0);
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(finish(&doomed), -ECANCELED);
	CHECK_EQ(s.began, 1);
}

/* Wait-group: 0 returned means that the count was 0; rounds follow each other at once. */
struct gate {
	leat_waitgroup wg;
	int round;
	int left;		/* in this round */
};

LEAT_TASK(gate_done, (struct gate *, gate))
{
	dawdle(4);
	gate->left--;
	leat_waitgroup_done(&gate->wg);
}

LEAT_TASK(gate_wait, (struct gate *, gate), (int, round))
{
	int r = leat_waitgroup_wait_until(&gate->wg, some_deadline());

	CHECK(r == 0 || r == -ETIMEDOUT || r == -ECANCELED);
	if (r == 0)
		CHECK(gate->round > round || gate->left == 0);
}

TEST_STRESS(waitgroup_rounds)
{
	struct gate gate = { .wg = LEAT_WAITGROUP_INIT };
	leat_group group, doomed;

	make(&group);
	make(&doomed);
	for (gate.round = 0; gate.round < 3; gate.round++) {
		gate.left = 4;
		leat_waitgroup_add(&gate.wg, 4);
		for (int i = 0; i < 4; i++) {
			CHECK_EQ(leat_go_in(&group, gate_done, &gate), 0);
			CHECK_EQ(leat_go_in(&group, gate_wait, &gate, gate.round), 0);
			if (gate.round == 0)
				CHECK_EQ(leat_go_in(&doomed, gate_wait, &gate, gate.round), 0);
		}
		if (gate.round == 0)
			CHECK_EQ(leat_go_in(&group, cancel_later, &doomed, 10), 0);
		CHECK_EQ(leat_waitgroup_wait(&gate.wg), 0);
		CHECK_EQ(gate.left, 0);
	}
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(finish(&doomed), -ECANCELED);
}

/*
 * Barrier: those that were let through are whole rounds, with one last each;
 * those that left by deadline were not counted.
 */
enum { PARTIES = 3 };

struct meetings {
	leat_barrier barrier;
	int passed, last, left;
	bool over;
};

LEAT_TASK(meet_some, (struct meetings *, m), (int, loops))
{
	for (int i = 0; i < loops; i++) {
		int r = leat_barrier_wait_until(&m->barrier, some_deadline());

		CHECK(r == 0 || r == 1 || r == -ETIMEDOUT || r == -ECANCELED);
		if (r < 0) {
			m->left++;
		} else {
			m->passed++;
			m->last += r;
		}
	}
}

TEST_STRESS(barrier_mix)
{
	struct meetings m = { 0 };
	leat_group group;

	leat_barrier_init(&m.barrier, PARTIES);
	make(&group);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(leat_go_in(&group, meet_some, &m, 6), 0);
	/* Who waits without a deadline when the others are through is cancelled. */
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	leat_group_cancel(&group, 0);
	CHECK_EQ(finish(&group), -ECANCELED);
	CHECK_EQ(m.passed + m.left, 5 * 6);
	CHECK_EQ(m.passed, m.last * PARTIES);
}

/* Tickers: stopped at any time, also while a tick is on its way, and by the end of the root. */
LEAT_TASK(count_ticks, (leat_channel *, chan), (int *, ret_n))
{
	int64_t tick, before = 0;

	while (leat_channel_recv(chan, &tick, LEAT_FOREVER) == 0) {
		CHECK(tick > before && tick <= leat_now());
		before = tick;
		++*ret_n;
	}
}

TEST_STRESS(ticker_stops)
{
	int64_t period = 500 + (int64_t)leat_random(1000);
	leat_ticker *ticker;
	leat_channel *chan;
	leat_group group;
	int64_t start = leat_now(), end;
	int n = 0;

	REQUIRE(leat_ticker_create(&ticker, period) == 0);
	chan = leat_channel_ref(leat_ticker_channel(ticker));
	make(&group);
	CHECK_EQ(leat_go_in(&group, count_ticks, chan, &n), 0);
	CHECK_EQ(leat_sleep(1000 + (int64_t)leat_random(10000)), 0);
	dawdle(10);
	leat_ticker_stop(ticker);
	end = leat_now();
	CHECK_EQ(finish(&group), 0);
	CHECK(leat_channel_is_closed(chan));
	CHECK(n <= (end - start) / period + 1);
	leat_channel_unref(chan);
}
