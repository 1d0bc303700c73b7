/*
 * Eight foreign threads against eight tasks in every kind of call.  Each thread has a
 * task as its partner, which does the other half of what it does; and all sixteen share
 * the objects that any number may use.  What is protected is written without atomics, so that
 * TSan sees a hole, and what is passed on is counted.
 *
 * A part begins when all are there (a barrier), so that all sixteen are in the same
 * kind of call at the same time.
 */
#include "foreign.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

enum { ROUNDS = 10, PAIRS = 8, ALL = 2 * PAIRS, LOOPS = 50, FEW = 8, PERMITS = 3, BYTES = 3000 };

struct pair {
	leat_chan(int) to_task, to_thread; /* unbuffered */
	leat_mutex mutex;
	leat_cond cond;
	int turn;		/* under mutex: 0 the task's */
	leat_io io[2];		/* the task's, the thread's */
	int raw[2];		/* a pipe with no handles */
	int64_t note;		/* written by one, read by the other, ordered by calls of leat */
};

struct world {
	struct pair pair[PAIRS];
	leat_barrier barrier;
	_Atomic int last;	/* who came last to it */
	leat_chan(int) rendezvous, buffered;
	_Atomic int64_t sent, received;
	leat_mutex mutex;
	int64_t inside, count;	/* under mutex */
	leat_sem sem;
	_Atomic int64_t held;
	leat_waitgroup wg[FEW];
	int64_t done[FEW][ALL];	/* each by its own, read after the wait */
	leat_once once;
	int64_t prepared;	/* by once */
	leat_group shared;
	_Atomic int64_t ran;	/* tasks of shared */
};

struct party {
	struct world *world;
	struct pair *pair;
	int index;		/* in ALL */
	int side;		/* 0: the task, 1: the thread */
	int parts;		/* begun */
};

static void part(struct party *p)
{
	int r = leat_barrier_wait(&p->world->barrier);

	CHECK(r == 0 || r == 1);
	atomic_fetch_add(&p->world->last, r);
	p->parts++;
}

/* A turn each; note is ordered by the channels. */
static void ping_pong(struct party *p)
{
	leat_chan(int) in = p->side ? p->pair->to_thread : p->pair->to_task;
	leat_chan(int) out = p->side ? p->pair->to_task : p->pair->to_thread;
	int got;

	for (int i = 0; i < LOOPS; i++) {
		if (p->side == 0) {
			p->pair->note = i;
			CHECK_EQ(leat_send(out, i), 0);
		}
		CHECK_EQ(leat_recv(in, &got), 0);
		CHECK_EQ(got, i);
		CHECK_EQ(p->pair->note, i + !p->side);
		if (p->side == 1) {
			p->pair->note = i + 1;
			CHECK_EQ(leat_send(out, i), 0);
		}
	}
}

/* All through two channels, one unbuffered: half send, half receive, then the other way round. */
static void use_select(struct party *p, int sender)
{
	struct world *w = p->world;
	int got = 0, r;

	for (int i = 0; i < LOOPS; i++) {
		if (p->side == sender) {
			r = leat_select(leat_case_send(w->rendezvous, i),
					leat_case_send(w->buffered, i));
			atomic_fetch_add(&w->sent, i);
		} else {
			r = leat_select(leat_case_recv(w->rendezvous, &got),
					leat_case_recv(w->buffered, &got));
			atomic_fetch_add(&w->received, got);
		}
		CHECK(r == 0 || r == 1);
	}
}

/* Nobody comes: deadlines, and what is tried. */
static void give_up(struct party *p)
{
	struct world *w = p->world;
	int got;

	CHECK_EQ(leat_recv_until(w->rendezvous, &got, leat_in(LEAT_MS / 10)), -ETIMEDOUT);
	CHECK_EQ(leat_select(leat_case_recv(w->rendezvous, &got), leat_case_recv(w->buffered, &got),
			     leat_case_until(leat_in(LEAT_MS / 10))), -ETIMEDOUT);
	CHECK_EQ(leat_try_recv(w->buffered, &got), -EAGAIN);
	CHECK_EQ(leat_sleep(LEAT_MS / 10), 0);
}

static void use_locks(struct party *p)
{
	struct world *w = p->world;

	for (int i = 0; i < LOOPS; i++) {
		leat_mutex_lock(&w->mutex);
		CHECK_EQ(w->inside++, 0);
		w->count++;
		if (i % 8 == 0)
			leat_yield();
		CHECK_EQ(--w->inside, 0);
		leat_mutex_unlock(&w->mutex);
		CHECK_EQ(leat_sem_acquire(&w->sem, 1), 0);
		CHECK(atomic_fetch_add(&w->held, 1) < PERMITS);
		if (i % 8 == 0)
			leat_yield();
		atomic_fetch_sub(&w->held, 1);
		leat_sem_release(&w->sem, 1);
	}
}

static void take_turns(struct party *p)
{
	struct pair *pair = p->pair;

	for (int i = 0; i < LOOPS; i++) {
		leat_mutex_lock(&pair->mutex);
		while (pair->turn != p->side)
			CHECK_EQ(leat_cond_wait(&pair->cond, &pair->mutex), 0);
		pair->note++;
		pair->turn = !p->side;
		leat_cond_signal(&pair->cond);
		leat_mutex_unlock(&pair->mutex);
	}
}

/* Each has written its own; after the wait all have. */
static void use_waitgroups(struct party *p)
{
	struct world *w = p->world;

	for (int i = 0; i < FEW; i++) {
		w->done[i][p->index] = 1;
		leat_waitgroup_done(&w->wg[i]);
		CHECK_EQ(leat_waitgroup_wait(&w->wg[i]), 0);
		for (int k = 0; k < ALL; k++)
			CHECK_EQ(w->done[i][k], 1);
	}
}

static void prepare(void *arg)
{
	((struct world *)arg)->prepared++;
}

LEAT_TASK_ERR(add_up, (int *, sum), (leat_mutex *, mutex), (int, n))
{
	leat_yield();
	leat_mutex_lock(mutex);
	*sum += n;
	leat_mutex_unlock(mutex);
	return n == FEW ? -EDOM : 0;
}

/* A group of one's own: spawned into, cancelled by its error, joined. */
static void own_group(struct party *p)
{
	(void)p;
	for (int i = 0; i < FEW; i++) {
		leat_mutex mutex = LEAT_MUTEX_INIT;
		leat_group group;
		int sum = 0;

		REQUIRE(leat_group_init(&group, LEAT_GROUP_OPTIONS(
					.join = LEAT_JOIN_ALL_DONE)) == 0);
		for (int n = 1; n <= FEW; n++)
			CHECK_EQ(leat_go_in(&group, add_up, &sum, &mutex, n), 0);
		CHECK_EQ(leat_group_wait(&group), -EDOM);
		CHECK_EQ(sum, FEW * (FEW + 1) / 2);
		leat_group_release(&group);
	}
}

LEAT_TASK(note_run, (struct world *, w), (int *, mine))
{
	leat_yield();
	++*mine;
	atomic_fetch_add(&w->ran, 1);
}

/* All spawn into one group, and all wait for it. */
static void shared_group(struct party *p)
{
	int mine[FEW] = { 0 };

	for (int i = 0; i < FEW; i++)
		CHECK_EQ(leat_go_in(&p->world->shared, note_run, p->world, &mine[i]), 0);
	CHECK_EQ(leat_group_wait(&p->world->shared), 0);
	for (int i = 0; i < FEW; i++)
		CHECK_EQ(mine[i], 1);
}

/* More than the socket holds at once is not needed: each waits for the other's answer. */
static void use_socket(struct party *p)
{
	leat_io io = p->pair->io[p->side];
	char out[BYTES], in[BYTES];

	for (int i = 0; i < FEW; i++) {
		memset(out, p->index + i, sizeof(out));
		if (p->side == 0)
			CHECK_EQ(leat_write_all(io, out, sizeof(out), LEAT_FOREVER, NULL), 0);
		CHECK_EQ(leat_read_full(io, in, sizeof(in), LEAT_FOREVER, NULL), 0);
		if (p->side == 1)
			CHECK_EQ(leat_write_all(io, in, sizeof(in), LEAT_FOREVER, NULL), 0);
		else
			CHECK_EQ(memcmp(out, in, sizeof(out)), 0);
		if (p->side == 0)
			CHECK_EQ(leat_read(io, in, 1, leat_in(LEAT_MS / 10)), -ETIMEDOUT);
	}
}

/* The thread waits for a pipe that the task writes into. */
static void use_raw_fd(struct party *p)
{
	char byte;

	for (int i = 0; i < FEW; i++) {
		if (p->side == 0) {
			CHECK_EQ(write(p->pair->raw[1], "", 1), 1);
		} else {
			CHECK_EQ(leat_wait_fd(p->pair->raw[0], LEAT_READABLE, LEAT_FOREVER),
				 LEAT_READABLE);
			CHECK_EQ(read(p->pair->raw[0], &byte, 1), 1);
		}
	}
	CHECK(leat_io_wait(p->pair->io[p->side], LEAT_WRITABLE, LEAT_FOREVER) & LEAT_WRITABLE);
}

static int twice(void *arg)
{
	*(int *)arg *= 2;
	usleep(100);
	return 7;
}

static void use_blocking(struct party *p)
{
	(void)p;
	for (int i = 0; i < FEW; i++) {
		int n = i;

		CHECK_EQ(leat_blocking(twice, &n), 7);
		CHECK_EQ(n, 2 * i);
	}
}

/* The task closes under the thread, which is blocked on it. */
static void close_under(struct party *p)
{
	char byte;

	if (p->side == 1) {
		CHECK_EQ(leat_read(p->pair->io[1], &byte, 1, LEAT_FOREVER), LEAT_ECLOSED);
	} else {
		CHECK_EQ(leat_sleep(LEAT_MS), 0);
		CHECK_EQ(leat_io_close(p->pair->io[1]), 0);
	}
}

static void work(struct party *p)
{
	struct world *w = p->world;

	leat_once_do(&w->once, prepare, w);
	CHECK_EQ(w->prepared, 1);
	part(p);
	ping_pong(p);
	part(p);
	use_select(p, 0);
	part(p);
	use_select(p, 1);
	part(p);
	give_up(p);
	part(p);
	use_locks(p);
	part(p);
	take_turns(p);
	part(p);
	use_waitgroups(p);
	part(p);
	own_group(p);
	part(p);
	shared_group(p);
	part(p);
	use_socket(p);
	part(p);
	use_raw_fd(p);
	part(p);
	use_blocking(p);
	part(p);
	close_under(p);
}

LEAT_TASK(work_as_task, (struct party *, p))
{
	work(p);
}

static void work_as_thread(void *arg)
{
	work(arg);
}

static void make_pair(struct pair *pair)
{
	int fd[2];

	*pair = (struct pair){ .mutex = LEAT_MUTEX_INIT, .cond = LEAT_COND_INIT,
			       .to_task = leat_chan_make(int, 0),
			       .to_thread = leat_chan_make(int, 0) };
	REQUIRE(leat_socketpair(pair->io, SOCK_STREAM) == 0);
	REQUIRE(pipe(fd) == 0);
	pair->raw[0] = fd[0];
	pair->raw[1] = fd[1];
}

static void end_pair(struct pair *pair)
{
	CHECK_EQ(pair->turn, 0);
	CHECK_EQ(pair->note, 3 * LOOPS); /* ping_pong left LOOPS, take_turns added 2 * LOOPS */
	leat_chan_unref(pair->to_task);
	leat_chan_unref(pair->to_thread);
	CHECK_EQ(leat_io_close(pair->io[0]), 0);
	CHECK_EQ(leat_io_close(pair->io[1]), LEAT_ECLOSED);
	close(pair->raw[0]);
	close(pair->raw[1]);
}

static void make_world(struct world *w)
{
	for (int i = 0; i < PAIRS; i++)
		make_pair(&w->pair[i]);
	leat_barrier_init(&w->barrier, ALL);
	w->rendezvous = leat_chan_make(int, 0);
	w->buffered = leat_chan_make(int, 4);
	w->mutex = (leat_mutex)LEAT_MUTEX_INIT;
	leat_sem_init(&w->sem, PERMITS, 0);
	for (int i = 0; i < FEW; i++) {
		w->wg[i] = (leat_waitgroup)LEAT_WAITGROUP_INIT;
		leat_waitgroup_add(&w->wg[i], ALL);
	}
	w->once = (leat_once)LEAT_ONCE_INIT;
	REQUIRE(leat_group_init(&w->shared, LEAT_GROUP_OPTIONS(.shared = true)) == 0);
}

static void end_world(struct world *w)
{
	for (int i = 0; i < PAIRS; i++)
		end_pair(&w->pair[i]);
	CHECK_EQ(w->sent, w->received);
	CHECK_EQ(w->sent, (int64_t)2 * PAIRS * (LOOPS * (LOOPS - 1) / 2));
	CHECK_EQ(w->count, ALL * LOOPS);
	CHECK_EQ(leat_sem_available(&w->sem), PERMITS);
	CHECK_EQ(w->ran, ALL * FEW);
	leat_chan_unref(w->rendezvous);
	leat_chan_unref(w->buffered);
	CHECK_EQ(leat_group_wait(&w->shared), 0);
	leat_group_release(&w->shared);
}

static void run_all(void)
{
	static struct world world;
	static struct foreign thread[PAIRS];
	static struct party party[ALL];
	leat_group group;

	world = (struct world){ .pair = { { .turn = 0 } } };
	make_world(&world);
	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < ALL; i++)
		party[i] = (struct party){ &world, &world.pair[i / 2], i, i % 2, 0 };
	for (int i = 0; i < PAIRS; i++) {
		CHECK_EQ(leat_go_in(&group, work_as_task, &party[2 * i]), 0);
		foreign_start(&thread[i], work_as_thread, &party[2 * i + 1]);
	}
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	for (int i = 0; i < PAIRS; i++)
		foreign_join(&thread[i]);
	CHECK_EQ(world.last, party[0].parts);
	end_world(&world);
}

TEST_WITH(every_kind_of_call, .workers = 4)
{
	for (int i = 0; i < ROUNDS && !test_failed(); i++)
		run_all();
}

/* All tasks are on one worker, so all that is parallel is theirs against the threads. */
TEST_WITH(every_kind_of_call_one_worker, .workers = 1)
{
	for (int i = 0; i < ROUNDS && !test_failed(); i++)
		run_all();
}
