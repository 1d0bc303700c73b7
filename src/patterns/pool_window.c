/*
 * Results in the order of submission.
 *
 * The window has a slot for each of the next size jobs, by their number, which they get when they
 * are taken from the queue.  Who has done one puts its result into the slot, and goes on.
 * Whoever finds that the next slot in order is full hands on from there, one task at a time; the
 * others only fill slots.  A worker waits if its job's number is beyond the window: the
 * job that the window begins with is in some worker's hands by then.  In this one's, if it does the
 * job while one of its own waits for another; so it does not wait then, and gets more slots.  Nor
 * does any as long as a place is lent (pool_lend.c).
 */
#include "patterns/pool.h"

#include <string.h>

#include <leat/extend.h>

enum state { EMPTY, RESULT, NOTHING };

struct leat__pool_window {
	leat_mutex lock;
	leat_cond room;		/* next has gone on, a place is lent, or the pool was stopped */
	size_t size;		/* (L) slots; as many as the option window says, or more */
	size_t result_size;	/* (c) */
	uint64_t next;		/* (L) the number of the next in order */
	bool handing_on;	/* (L) a task does */
	uint8_t *state;		/* (L) enum state, of each slot */
	char *results;		/* (L) */
	struct leat__counts counts; /* shared */
};

static size_t bytes_of(const struct leat__pool_window *w, size_t size)
{
	return size * (w->result_size + 1);
}

/* Under the lock: size slots, more than there are. */
static bool add_slots(struct leat__pool_window *w, size_t size)
{
	char *results = leat_alloc(bytes_of(w, size));
	uint8_t *state;

	if (!results)
		return false;
	state = (uint8_t *)results + size * w->result_size;
	memset(state, EMPTY, size);
	for (uint64_t seq = w->next; seq - w->next < w->size; seq++) {
		state[seq % size] = w->state[seq % w->size];
		memcpy(results + seq % size * w->result_size,
		       w->results + seq % w->size * w->result_size, w->result_size);
	}
	leat_free(w->results, bytes_of(w, w->size));
	w->size = size;
	w->results = results;
	w->state = state;
	return true;
}

int leat__pool_window_create(struct leat_pool *pool)
{
	struct leat__pool_window *w = leat_alloc(sizeof(*w));

	if (!w)
		return -ENOMEM;
	memset(w, 0, sizeof(*w));
	w->counts.shared = true;
	w->result_size = pool->o.result_size;
	pool->window = w;
	return add_slots(w, pool->o.window) ? 0 : -ENOMEM;
}

void leat__pool_window_free(struct leat_pool *pool)
{
	struct leat__pool_window *w = pool->window;

	if (w) {
		leat_free(w->results, bytes_of(w, w->size));
		leat_free(w, sizeof(*w));
	}
	pool->window = NULL;
}

/* Under the lock, which is free while a result is handed on. */
static void hand_on(struct leat_pool *pool, struct leat__pool_worker *worker,
		    struct leat__pool_window *w)
{
	char result[LEAT_POOL_JOB_MAX] __attribute__((aligned(16)));

	w->handing_on = true;
	while (w->state[w->next % w->size] != EMPTY) {
		size_t i = w->next++ % w->size;
		bool is_result = w->state[i] == RESULT;

		memcpy(result, w->results + i * w->result_size, w->result_size);
		w->state[i] = EMPTY;
		leat_cond_broadcast(&w->room);
		if (!is_result)
			continue;
		leat_mutex_unlock(&w->lock);
		if (leat__pool_hand_on(pool, worker, &w->counts, result))
			leat__tally_end(&w->counts, &w->counts.out);
		leat_mutex_lock(&w->lock);
	}
	w->handing_on = false;
}

/* Under the lock: until job seq has a slot, or the pool is stopped, or a place is lent. */
static void wait_for_room(struct leat_pool *pool, struct leat__pool_worker *worker, uint64_t seq)
{
	struct leat__pool_window *w = pool->window;
	size_t size = pool->o.window;

	if (seq - w->next < size)
		return;
	while (seq - w->next >= size && leat__pool_error(pool) == 0 &&
	       atomic_load(&pool->lent) == 0) {
		leat__meter_is_in(&worker->meter, w->state[w->next % w->size] != EMPTY
						  ? LEAT_STAGE_BLOCKED /* by who hands on */
						  : leat__limited(LEAT_LIMIT_WINDOW));
		if (leat_cond_wait(&w->room, &w->lock) < 0)
			break;
	}
	leat__pool_busy(worker);
}

/* A slot at once. */
static void make_room(struct leat_pool *pool, uint64_t seq)
{
	struct leat__pool_window *w = pool->window;
	size_t size = w->size;

	while (seq - w->next >= size)
		size *= 2;
	if (size == w->size || add_slots(w, size))
		return;
	leat_mutex_unlock(&w->lock);
	leat_pool_stop(pool, -ENOMEM);
	leat_mutex_lock(&w->lock);
}

void leat__pool_window_put(struct leat_pool *pool, struct leat__pool_worker *worker,
			   struct leat__counts *counts, uint64_t seq, const void *result)
{
	struct leat__pool_window *w = pool->window;
	/* Of a job that has failed it is not held any more. */
	bool waits_below = atomic_load_explicit(&counts->held, memory_order_relaxed) > !!result;
	size_t i;

	leat_mutex_lock(&w->lock);
	if (!waits_below)
		wait_for_room(pool, worker, seq);
	if (waits_below || leat__pool_error(pool) == 0)
		make_room(pool, seq);
	i = seq % w->size;
	if (seq - w->next >= w->size) { /* stopped */
		leat_mutex_unlock(&w->lock);
		if (!result)
			return;
		if (pool->o.drop_result)
			pool->o.drop_result((void *)(uintptr_t)result);
		leat__tally_end(counts, &counts->cancelled);
		return;
	}
	w->state[i] = result ? RESULT : NOTHING;
	if (result) {
		memcpy(w->results + i * w->result_size, result, w->result_size);
		/* In this order: who has seen it here does not see it there. */
		leat__tally(counts, &counts->held, -1);
		leat__tally(&w->counts, &w->counts.held, 1);
	}
	if (!w->handing_on)
		hand_on(pool, worker, w);
	leat_mutex_unlock(&w->lock);
}

void leat__pool_window_wake(struct leat_pool *pool)
{
	struct leat__pool_window *w = pool->window;

	leat_mutex_lock(&w->lock);
	leat_cond_broadcast(&w->room);
	leat_mutex_unlock(&w->lock);
}

/* Nobody works any more. */
void leat__pool_window_drop(struct leat_pool *pool)
{
	struct leat__pool_window *w = pool->window;

	for (size_t i = 0; i < w->size; i++) {
		if (w->state[i] != RESULT)
			continue;
		if (pool->o.drop_result)
			pool->o.drop_result(w->results + i * w->result_size);
		w->state[i] = EMPTY;
		leat__tally_end(&w->counts, &w->counts.cancelled);
	}
}

struct leat__counts *leat__pool_window_counts(struct leat_pool *pool)
{
	return &pool->window->counts;
}
