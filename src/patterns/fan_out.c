/* From one channel to several: balance, broadcast (and tee), partition. */
#include "patterns/fan.h"

#include <string.h>

#include <leat/extend.h>

int leat__fan_balance(struct leat_fan *f)
{
	int r = 0;
	LEAT__FAN_ITEM(item);

	while (leat__fan_goes_on(f) && (r = leat__fan_recv(f, 0, item)) == 0) {
		r = leat__fan_send_any(f, item);
		leat__fan_end(f, item, r);
	}
	return r;
}

static int copy_to(struct leat_fan *f, size_t i, void *item)
{
	int r = 0;
	LEAT__FAN_ITEM(copy);

	if (f->out_gone[i])
		return LEAT_ECLOSED;
	if (f->o.clone)
		r = leat__fan_result(f->o.clone(leat__fan_body(f, item), leat__fan_body(f, copy)));
	else
		memcpy(copy, item, f->o.item_size);
	if (r < 0)
		return r;
	if (f->ops)
		f->ops->copied(f, item, copy);
	r = leat__fan_send(f, i, copy);
	if (r < 0)
		leat__fan_drop(f, LEAT__FAN_COPY, copy, r);
	return r;
}

/* Where zips wait, to all outputs from i on. */
static int send_places(struct leat_fan *f, size_t i)
{
	int r = 0;

	for (; i < f->nouts && r != -ECANCELED; i++)
		r = leat__fan_send_place(f, i);
	return r;
}

/* Copies to all but the last, which gets the item itself. */
static int send_to_all(struct leat_fan *f, void *item)
{
	size_t last = f->nouts;
	int r, sent = 0;

	while (last > 0 && f->out_gone[last - 1])
		last--;
	for (size_t i = 0; i + 1 < last; i++) {
		r = copy_to(f, i, item);
		if (r < 0 && r != LEAT_ECLOSED) {
			leat__fan_end(f, item, r);
			r = leat__fan_failed(f, r);
			return r < 0 ? r : send_places(f, i);
		}
		sent += r == 0;
	}
	r = last > 0 ? leat__fan_send(f, last - 1, item) : LEAT_ECLOSED;
	/* It has arrived somewhere, though the last did not want it. */
	if (r == LEAT_ECLOSED && sent > 0) {
		leat__fan_drop(f, LEAT__FAN_COPY, item, r);
		r = 0;
	}
	leat__fan_end(f, item, r);
	return r;
}

/* Of an item that was left out before. */
static int pass_place_on(struct leat_fan *f, void *item)
{
	int r = send_places(f, 0);

	leat__fan_leave_out(f, LEAT__FAN_FIRST, item);
	return r;
}

int leat__fan_broadcast(struct leat_fan *f)
{
	int r = 0;
	LEAT__FAN_ITEM(item);

	while (leat__fan_goes_on(f) && (r = leat__fan_recv(f, 0, item)) == 0) {
		r = leat__fan_is_place(f, item) ? pass_place_on(f, item) : send_to_all(f, item);
		if (r < 0 && r != LEAT_ECLOSED)
			break;
	}
	return r;
}

int leat__fan_partition(struct leat_fan *f)
{
	uint64_t key;
	int r = 0;
	LEAT__FAN_ITEM(item);

	while (leat__fan_goes_on(f) && (r = leat__fan_recv(f, 0, item)) == 0) {
		key = ((uint64_t (*)(const void *))f->o.fn)(leat__fan_body(f, item));
		r = leat__fan_send(f, key % f->nouts, item);
		leat__fan_end(f, item, r);
		if (r == -ECANCELED)
			break;
	}
	return r;
}
