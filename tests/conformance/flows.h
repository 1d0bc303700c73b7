/* What the tests of pipelines share: a source that counts, a sink that notes what comes. */
#ifndef TEST_FLOWS_H
#define TEST_FLOWS_H

#include "../patterns/patterns.h"
#include "../patterns/range.h"

#include <leat/leat.h>

#define SERIAL .mode = LEAT_STAGE_SERIAL, .on_error = LEAT_ERROR_STOP
#define PARALLEL(n) .mode = LEAT_STAGE_PARALLEL, .workers = (n), .on_error = LEAT_ERROR_STOP
#define ORDERED(n, window_)                                                   \
	.mode = LEAT_STAGE_ORDERED, .workers = (n), .window = (window_), .on_error = LEAT_ERROR_STOP

enum { NOTES = 1100 };	/* on a task's stack, which is small */

struct notes {
	leat_mutex lock;
	int n, item[NOTES];
	int64_t at[NOTES];
	leat_sem *demand;	/* one is taken for each item; NULL: as many as come */
};

static inline int note(struct notes *notes, int *item)
{
	int r = notes->demand ? leat_sem_acquire(notes->demand, 1) : 0;

	if (r < 0)
		return r;
	leat_mutex_lock(&notes->lock);
	if (notes->n < NOTES) {
		notes->at[notes->n] = leat_now();
		notes->item[notes->n++] = *item;
	}
	leat_mutex_unlock(&notes->lock);
	return 0;
}

static inline int pass(int *in, int *ret_out)
{
	*ret_out = *in;
	return 0;
}

static inline bool is_sorted(const struct notes *notes)
{
	for (int i = 1; i < notes->n; i++)
		if (notes->item[i - 1] > notes->item[i])
			return false;
	return true;
}

/* Exactly from, from + 1, ..., in whatever order. */
static inline void check_all(const struct notes *notes, int from, int n)
{
	bool seen[NOTES] = { 0 };

	CHECK_EQ(notes->n, n);
	for (int i = 0; i < notes->n; i++) {
		int k = notes->item[i] - from;

		if (k < 0 || k >= n || seen[k])
			CHECK_EQ(notes->item[i], -1);
		else
			seen[k] = true;
	}
}

/* ... and in this order. */
static inline void check_in_order(const struct notes *notes, int from, int n)
{
	check_all(notes, from, n);
	CHECK(is_sorted(notes));
}

/* So many that the sink will not wait: demand at first is none. */
static inline void no_demand(leat_sem *sem)
{
	leat_sem_init(sem, 1000000, 0);
	CHECK_EQ(leat_sem_acquire(sem, 1000000), 0);
}

/* The pipeline is over; both return r, and nothing has been lost. */
static inline void end_pipeline(leat_pipeline *p, int r, leat_ledger *ret_ledger)
{
	CHECK_EQ(leat_pipeline_wait(p), r);
	CHECK_EQ(leat_pipeline_destroy(p, ledger_init(ret_ledger)), r);
	check_at_rest(ret_ledger);
}

static inline void run_pipeline(leat_pipeline *p, int r, leat_ledger *ret_ledger)
{
	CHECK_EQ(leat_pipeline_start(p), 0);
	end_pipeline(p, r, ret_ledger);
}

#endif
