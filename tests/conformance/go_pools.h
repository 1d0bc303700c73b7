/* What the tests of Go's worker pools share: jobs that wait at a gate, and what became of them. */
#ifndef TEST_GO_POOLS_H
#define TEST_GO_POOLS_H

#include "../patterns/patterns.h"

#define BLOCK .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_STOP
#define REJECT .overflow = LEAT_OVERFLOW_REJECT, .on_error = LEAT_ERROR_STOP

static struct gauge at_work;
static atomic_int done, dropped, order[128];
static leat_chan(char) gate;	/* closed: open */

static void begin(void)
{
	at_work = (struct gauge){ 0 };
	done = dropped = 0;
	gate = leat_chan_make(char, 0);
}

static inline void open_gate(void)
{
	leat_close(gate);
}

static inline void note_done(int job)
{
	order[atomic_fetch_add(&done, 1) % 128] = job;
}

static inline void count_drop(int *job)
{
	(void)job;
	atomic_fetch_add(&dropped, 1);
}

static inline int at_once(int *job)
{
	note_done(*job);
	return 0;
}

/* Does not begin its work before the gate is opened; an error if it is cancelled. */
static inline int wait_at_gate(int *job)
{
	int r;

	gauge_enter(&at_work);
	r = leat_recv(gate, (char *)NULL);
	gauge_leave(&at_work);
	if (r == -ECANCELED)
		return r;
	note_done(*job);
	return 0;
}

/* The same, and cannot be cancelled: as a function of Go that does not look at its context. */
static inline int ignore_cancel(int *job)
{
	int r;

	leat_shield_begin();
	r = wait_at_gate(job);
	leat_shield_end();
	return r;
}

static inline int take_1_ms(int *job)
{
	gauge_enter(&at_work);
	leat_sleep(LEAT_MS);
	gauge_leave(&at_work);
	note_done(*job);
	return 0;
}

LEAT_TASK(submit_one, (leat_pool(int), pool), (int, job), (int *, ret))
{
	*ret = leat_pool_submit(pool, job);
}

static inline void submit_all(leat_pool(int) pool, int n)
{
	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
}

/* Drains and frees it; both return r. */
static inline void end_pool(leat_pool(int) pool, int r, leat_ledger *ret_ledger)
{
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), r);
	CHECK_EQ(leat_pool_destroy(pool, ledger_init(ret_ledger)), r);
	check_at_rest(ret_ledger);
	leat_chan_unref(gate);
}

#endif
