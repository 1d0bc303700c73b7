/*
 * Fan-out and fan-in: see leat/fan.h.
 *
 * A piece is one task, so its counters have one writer; anybody reads them.
 */
#ifndef LEAT_PATTERNS_FAN_H
#define LEAT_PATTERNS_FAN_H

#include <errno.h>
#include <stdatomic.h>

#include <leat/fan.h>
#include <leat/leat.h>

#include "patterns/stats.h"

struct leat_fan {
	leat_fan_options o;	/* (c) */
	size_t nins, nouts;	/* (c) */
	leat_channel *in[LEAT_FAN_MAX], *out[LEAT_FAN_MAX]; /* (c) */
	bool in_gone[LEAT_FAN_MAX], out_gone[LEAT_FAN_MAX]; /* of the task: closed, abandoned */
	size_t ins_left, outs_left; /* of the task */
	struct leat__meter meter;
	struct leat__times none; /* no function of the user's is timed */
	_Atomic uint64_t received, sent, unwanted, failed, cancelled, held;
	_Atomic int64_t began, ended;
};

#define LEAT__FAN_ITEM(name) char name[LEAT_FAN_ITEM_MAX] __attribute__((aligned(16)))

/* One item of input i; 0, LEAT_ECLOSED (counted as gone) or -ECANCELED. */
int leat__fan_recv(struct leat_fan *f, size_t i, void *item);
/* One item of any input; *ret_i: which. */
int leat__fan_recv_any(struct leat_fan *f, void *item, size_t *ret_i);
/* To output i; 0, LEAT_ECLOSED (counted as gone) or -ECANCELED: the item is still the caller's. */
int leat__fan_send(struct leat_fan *f, size_t i, const void *item);
/* To any of the outputs. */
int leat__fan_send_any(struct leat_fan *f, const void *item);
/* How an item that was received ends, r as a send returns it; drops it unless r is 0. */
void leat__fan_end(struct leat_fan *f, void *item, int r);
/* The same, and what is left of it has been dropped. */
void leat__fan_count(struct leat_fan *f, int r);
/* Whether the piece goes on. */
bool leat__fan_goes_on(const struct leat_fan *f);

/* fan_in.c, fan_out.c: until the end, or an error. */
int leat__fan_merge(struct leat_fan *f);
int leat__fan_merge_ordered(struct leat_fan *f);
int leat__fan_concat(struct leat_fan *f);
int leat__fan_zip(struct leat_fan *f);
int leat__fan_balance(struct leat_fan *f);
int leat__fan_broadcast(struct leat_fan *f);
int leat__fan_partition(struct leat_fan *f);
int leat__fan_take(struct leat_fan *f);

#endif
