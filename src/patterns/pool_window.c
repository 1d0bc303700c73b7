/*
 * Results in the order of submission.
 *
 * The window has a slot for each of the next size jobs, by their number, which they get when they
 * are taken from the queue.  Who has done one puts its result into the slot, and goes on.
 * Whoever finds that the next slot in order is full hands on from there, one task at a time; the
 * others only fill slots.  A worker waits if its job's number is beyond the window: the
 * job that the window begins with is in some worker's hands by then, or in this one's before.
 */
#include "patterns/pool.h"

#include <string.h>

#include <leat/extend.h>

enum state { EMPTY, RESULT, NOTHING };

struct leat__pool_window {
	leat_mutex lock;
	leat_cond room;		/* next has gone on, or the pool was stopped */
	size_t size;		/* (c) slots */
	size_t result_size;	/* (c) */
	uint64_t next;		/* (L) the number of the next in order */
	bool handing_on;	/* (L) a task does */
	uint8_t *state;		/* (L) enum state, of each slot */
	char *results;		/* (L) */
	struct leat__counts counts; /* shared */
};

static size_t bytes_of(size_t size, size_t result_size)
{
	return sizeof(struct leat__pool_window) + size * (result_size + 1);
}

int leat__pool_window_create(struct leat_pool *pool)
{
	size_t size = pool->o.window, bytes = bytes_of(size, pool->o.result_size);
	struct leat__pool_window *w = leat_alloc(bytes);

	if (!w)
		return -ENOMEM;
	memset(w, 0, bytes);
	w->counts.shared = true;
	w->size = size;
	w->result_size = pool->o.result_size;
	w->results = (char *)(w + 1);
	w->state = (uint8_t *)w->results + size * w->result_size;
	pool->window = w;
	return 0;
}

void leat__pool_window_free(struct leat_pool *pool)
{
	if (pool->window)
		leat_free(pool->window, bytes_of(pool->window->size, pool->window->result_size));
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

void leat__pool_window_put(struct leat_pool *pool, struct leat__pool_worker *worker,
			   struct leat__counts *counts, uint64_t seq, const void *result)
{
	struct leat__pool_window *w = pool->window;
	size_t i = seq % w->size;

	leat_mutex_lock(&w->lock);
	if (worker && seq - w->next >= w->size)
		leat__meter_enter(&worker->meter, LEAT_STAGE_BLOCKED);
	while (seq - w->next >= w->size && leat__pool_error(pool) == 0)
		if (leat_cond_wait(&w->room, &w->lock) < 0)
			break;
	if (worker)
		leat__pool_busy(worker);
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

void leat__pool_window_stop(struct leat_pool *pool)
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
