/*
 * Fan-out and fan-in: see leat/fan.h.
 *
 * A piece is one task, so its counters have one writer; anybody reads them.
 *
 * A stage of a pipeline can be a piece, too (pipeline_fan.c).  Its items have a head of so many
 * bytes before what the user's functions see, and ops say what else happens to them.
 */
#ifndef LEAT_PATTERNS_FAN_H
#define LEAT_PATTERNS_FAN_H

#include <errno.h>
#include <stdatomic.h>

#include <leat/fan.h>
#include <leat/leat.h>

#include "patterns/stats.h"

struct leat_fan;

/* What a call to drop is about. */
enum leat__fan_part {
	LEAT__FAN_FIRST,	/* an item that came in; of zip, the first of a pair */
	LEAT__FAN_SECOND,
	LEAT__FAN_OUT,		/* what zip has made */
	LEAT__FAN_PAIRED,	/* what zip was about to make: there is only its head */
	LEAT__FAN_COPY,		/* others have what it was copied from */
};

struct leat__fan_ops {
	void (*received)(struct leat_fan *f, void *item);
	/* To output i, or (nouts) to any. */
	void (*sending)(struct leat_fan *f, size_t i, void *item);
	/* Which of LEAT_ECLOSED and -ECANCELED is meant by r; else r. */
	int (*reason)(struct leat_fan *f, int r);
	/* Instead of the drop functions; r says why, as a send or a function of the user's did. */
	void (*drop)(struct leat_fan *f, enum leat__fan_part part, void *item, int r);
	void (*copied)(struct leat_fan *f, const void *item, void *copy);
	/* Takes the heads of a and b for out's; 0 or an error, and nothing was done. */
	int (*pair)(struct leat_fan *f, void *a, void *b, void *out);
	/* Whether it is an empty place (pipeline.h), which stands for an item that was left out. */
	bool (*is_place)(const void *item);
	/* Ends what is received of one that is left out, its part, or a place. */
	void (*leave_out)(struct leat_fan *f, enum leat__fan_part part, void *item);
	/* Makes an empty place for output i; false: it needs none. */
	bool (*place)(struct leat_fan *f, size_t i, void *ret_item);
	/* A function of the user's has failed: 0, go on; or the error, the piece ends with. */
	int (*failed)(struct leat_fan *f, int r);
};

struct leat_fan {
	leat_fan_options o;	/* (c) */
	const struct leat__fan_ops *ops; /* (c) of a pipeline's; else NULL */
	struct leat__stage_worker *worker; /* (c) of a pipeline's */
	size_t head;		/* (c) bytes, at most LEAT__FAN_HEAD */
	size_t nins, nouts;	/* (c) */
	leat_channel *in[LEAT_FAN_MAX], *out[LEAT_FAN_MAX]; /* (c) */
	leat_channel *done;	/* (c) of or-done */
	bool in_gone[LEAT_FAN_MAX], out_gone[LEAT_FAN_MAX]; /* of the task: closed, abandoned */
	size_t ins_left, outs_left; /* of the task */
	struct leat__meter meter;
	struct leat__times none; /* no function of the user's is timed */
	_Atomic uint64_t received, sent, unwanted, merged, failed, cancelled, held;
	_Atomic int64_t began, ended;
};

enum { LEAT__FAN_HEAD = 16 };

#define LEAT__FAN_ITEM(name) \
	char name[LEAT__FAN_HEAD + LEAT_FAN_ITEM_MAX] __attribute__((aligned(16)))

/* What a function of the user's has returned: LEAT_ECLOSED is said of channels here. */
static inline int leat__fan_result(int r)
{
	return r == LEAT_ECLOSED ? -EPIPE : r;
}

/* What the user's functions see of it. */
static inline void *leat__fan_body(const struct leat_fan *f, void *item)
{
	return (char *)item + f->head;
}

/*
 * The n cases, with a default in cases[n]: at once if one is ready; else it waits, in that state.
 * As leat_select_cases.
 */
int leat__fan_select(struct leat_fan *f, leat_case *cases, size_t n, enum leat_stage_state waits);
/* From any channel; 0, LEAT_ECLOSED or -ECANCELED.  Counts nothing. */
int leat__fan_recv_from(struct leat_fan *f, leat_channel *from, void *item);
/* An item has come in. */
void leat__fan_received(struct leat_fan *f, void *item);
/* One item of input i; 0, LEAT_ECLOSED (counted as gone) or -ECANCELED. */
int leat__fan_recv(struct leat_fan *f, size_t i, void *item);
/* Of zip, one of the second input: that of a pipeline counts it as well. */
int leat__fan_recv_second(struct leat_fan *f, void *item);
/* One item of any input; *ret_i: which. */
int leat__fan_recv_any(struct leat_fan *f, void *item, size_t *ret_i);
/* To output i; 0, LEAT_ECLOSED (counted as gone) or -ECANCELED: the item is still the caller's. */
int leat__fan_send(struct leat_fan *f, size_t i, void *item);
/* To any of the outputs. */
int leat__fan_send_any(struct leat_fan *f, void *item);
/* By the option that is for this part. */
void leat__fan_drop(struct leat_fan *f, enum leat__fan_part part, void *item, int r);
/* How an item that was received ends, r as a send returns it; drops it unless r is 0. */
void leat__fan_end(struct leat_fan *f, void *item, int r);
/* The same, and what is left of it has been dropped. */
void leat__fan_count(struct leat_fan *f, int r);
/* One that was received has become a part of another. */
void leat__fan_merged(struct leat_fan *f);
/* Whether it stands for an item that was left out before. */
bool leat__fan_is_place(const struct leat_fan *f, const void *item);
/* One that was received has no partner, or is an empty place itself. */
void leat__fan_leave_out(struct leat_fan *f, enum leat__fan_part part, void *item);
/* An empty place to output i, if that needs one.  As leat__fan_send. */
int leat__fan_send_place(struct leat_fan *f, size_t i);
/* Whether the piece goes on. */
bool leat__fan_goes_on(const struct leat_fan *f);
/* Whether it does after r < 0 of a user's function, a receive or a send: 0, or r. */
int leat__fan_failed(struct leat_fan *f, int r);

/* The piece itself, in the task of its own: until the end, or an error. */
int leat__fan_run(struct leat_fan *f);

/* fan_in.c, fan_out.c, fan_through.c: until the end, or an error. */
int leat__fan_merge(struct leat_fan *f);
int leat__fan_merge_ordered(struct leat_fan *f);
int leat__fan_concat(struct leat_fan *f);
int leat__fan_zip(struct leat_fan *f);
int leat__fan_balance(struct leat_fan *f);
int leat__fan_broadcast(struct leat_fan *f);
int leat__fan_partition(struct leat_fan *f);
int leat__fan_take(struct leat_fan *f);
int leat__fan_or_done(struct leat_fan *f);
int leat__fan_bridge(struct leat_fan *f);
int leat__fan_conflate(struct leat_fan *f);

#endif
