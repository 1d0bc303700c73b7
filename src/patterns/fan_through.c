/* From one channel to one: take, or-done, bridge, conflate. */
#include "patterns/fan.h"

#include <leat/extend.h>

int leat__fan_take(struct leat_fan *f)
{
	uint64_t taken = 0;
	int r = 0;
	LEAT__FAN_ITEM(item);

	while (taken < f->o.n && leat__fan_goes_on(f) && (r = leat__fan_recv(f, 0, item)) == 0) {
		if (leat__fan_is_place(f, item)) {
			r = leat__fan_send_place(f, 0);
			leat__fan_leave_out(f, LEAT__FAN_FIRST, item);
			continue;
		}
		taken++;
		r = leat__fan_send(f, 0, item);
		leat__fan_end(f, item, r);
	}
	return r;
}

/* Does c unless done has come: that counts first.  0, LEAT_ECLOSED, -ECANCELED or -ETIMEDOUT. */
static int unless_done(struct leat_fan *f, leat_case c, enum leat_stage_state waits)
{
	leat_case cases[] = { leat_recv_case(f->done, NULL, NULL), c, leat_case_ordered,
			      leat_case_default };
	int i = leat__fan_select(f, cases, 3, waits);

	return i < 0 ? i : i == 0 ? -ETIMEDOUT : cases[1].status;
}

int leat__fan_or_done(struct leat_fan *f)
{
	int r;
	LEAT__FAN_ITEM(item);

	do {
		r = unless_done(f, leat_recv_case(f->in[0], item, NULL), LEAT_STAGE_STARVED);
		if (r < 0)
			break;
		leat__fan_received(f, item);
		r = unless_done(f, leat_send_case(f->out[0], item, NULL), LEAT_STAGE_BLOCKED);
		leat__fan_end(f, item, r == -ETIMEDOUT ? -ECANCELED : r);
	} while (r == 0);
	return r == -ETIMEDOUT ? 0 : r;
}

/* All items of one of the channels: LEAT_ECLOSED of it, with 0; or what ends the piece. */
static int pass_all(struct leat_fan *f, leat_channel *from)
{
	int r;
	LEAT__FAN_ITEM(item);

	for (;;) {
		r = leat__fan_recv_from(f, from, item);
		if (r < 0)
			return r == LEAT_ECLOSED ? 0 : r;
		leat__fan_received(f, item);
		r = leat__fan_send(f, 0, item);
		leat__fan_end(f, item, r);
		if (r < 0)
			return r;
	}
}

int leat__fan_bridge(struct leat_fan *f)
{
	leat_channel *from;
	int r;

	while ((r = leat__fan_recv_from(f, f->in[0], &from)) == 0) {
		if (!from)
			leat_misuse("leat_bridge", f, "a NULL came out of the channel of channels; "
				    "nobody would ever send to it");
		r = pass_all(f, from);
		/* Its senders are told, unless they have closed it already. */
		leat_channel_abandon(from);
		leat_channel_unref(from);
		if (r < 0)
			break;
	}
	return r;
}

/* The next item into sum.  An error: both have been dropped. */
static int merge_next(struct leat_fan *f, void *sum, void *item)
{
	int r = leat__fan_result(((int (*)(void *, void *))f->o.fn)(sum, item));

	if (r < 0) {
		leat__fan_end(f, item, r);
		leat__fan_end(f, sum, r);
	} else {
		leat__fan_merged(f);
	}
	return r;
}

/*
 * Hands sum on, with all that comes before it can be.  0, LEAT_ECLOSED of the output, or an error:
 * it has ended.
 */
static int conflate(struct leat_fan *f, void *sum)
{
	int i, r = 0;
	LEAT__FAN_ITEM(item);

	for (;;) {
		leat_case cases[] = { leat_send_case(f->out[0], sum, NULL),
				      leat_recv_case(f->ins_left > 0 ? f->in[0] : NULL, item, NULL),
				      leat_case_ordered, leat_case_default };

		i = leat__fan_select(f, cases, 3, LEAT_STAGE_BLOCKED);
		if (i <= 0) {
			r = i < 0 ? i : cases[0].status;
			leat__fan_end(f, sum, r);
			return r;
		}
		if (cases[1].status < 0) {
			f->ins_left = 0;
			continue; /* the last one goes on as it is */
		}
		leat__fan_received(f, item);
		r = merge_next(f, sum, item);
		if (r < 0)
			return r;
	}
}

int leat__fan_conflate(struct leat_fan *f)
{
	int r = 0;
	LEAT__FAN_ITEM(sum);

	while (r == 0 && leat__fan_goes_on(f)) {
		r = leat__fan_recv(f, 0, sum);
		if (r == 0)
			r = conflate(f, sum);
	}
	return r;
}
