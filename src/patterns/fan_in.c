/* From several channels to one: merge, ordered merge, concat, zip. */
#include "patterns/fan.h"

#include <string.h>

#include <leat/extend.h>

int leat__fan_merge(struct leat_fan *f)
{
	int r = 0;
	size_t i;
	LEAT__FAN_ITEM(item);

	while (leat__fan_goes_on(f)) {
		r = leat__fan_recv_any(f, item, &i);
		if (r == LEAT_ECLOSED)
			continue; /* that one has gone */
		if (r < 0)
			break;
		r = leat__fan_send(f, 0, item);
		leat__fan_end(f, item, r);
	}
	return r;
}

int leat__fan_concat(struct leat_fan *f)
{
	int r = 0;
	LEAT__FAN_ITEM(item);

	for (size_t i = 0; i < f->nins && f->outs_left > 0 && r != -ECANCELED;) {
		r = leat__fan_recv(f, i, item);
		if (r == LEAT_ECLOSED)
			i++;
		if (r < 0)
			continue;
		r = leat__fan_send(f, 0, item);
		leat__fan_end(f, item, r);
	}
	return r;
}

/* The heads of all inputs, of which the least goes on. */
struct heads {
	bool full[LEAT_FAN_MAX];
	char *item;		/* nins of item_size bytes, rounded up to 16 */
	size_t stride;
};

static int fill_heads(struct leat_fan *f, struct heads *h)
{
	for (size_t i = 0; i < f->nins; i++) {
		int r;

		if (h->full[i] || f->in_gone[i])
			continue;
		r = leat__fan_recv(f, i, h->item + i * h->stride);
		if (r == -ECANCELED)
			return r;
		h->full[i] = r == 0;
	}
	return 0;
}

/* Its index; nins: there is none. */
static size_t least(struct leat_fan *f, struct heads *h)
{
	bool (*less)(const void *, const void *) = (bool (*)(const void *, const void *))f->o.fn;
	size_t best = f->nins;

	for (size_t i = 0; i < f->nins; i++)
		if (h->full[i] &&
		    (best == f->nins || less(leat__fan_body(f, h->item + i * h->stride),
					     leat__fan_body(f, h->item + best * h->stride))))
			best = i;
	return best;
}

int leat__fan_merge_ordered(struct leat_fan *f)
{
	struct heads h = { .stride = (f->o.item_size + 15) & ~(size_t)15 };
	size_t i;
	int r;

	h.item = leat_alloc(f->nins * h.stride);
	if (!h.item)
		return -ENOMEM;
	for (r = 0; r == 0;) {
		r = fill_heads(f, &h);
		i = least(f, &h);
		if (r < 0 || i == f->nins)
			break;
		h.full[i] = false;
		r = leat__fan_send(f, 0, h.item + i * h.stride);
		leat__fan_end(f, h.item + i * h.stride, r);
	}
	for (i = 0; i < f->nins; i++)
		if (h.full[i])
			leat__fan_end(f, h.item + i * h.stride, r);
	leat_free(h.item, f->nins * h.stride);
	return r;
}

/* A pair counts as its first item; in a pipeline, as two. */
static void count_pair(struct leat_fan *f, int r)
{
	leat__fan_count(f, r);
	if (f->ops)
		leat__fan_count(f, r);
}

/* Takes the heads, then makes one item: 0, or an error, and what is left has been dropped. */
static int combine_pair(struct leat_fan *f, void *a, void *b, void *out)
{
	int (*combine)(void *, void *, void *) = (int (*)(void *, void *, void *))f->o.fn;
	int r = f->ops ? f->ops->pair(f, a, b, out) : 0;

	if (r == 0) {
		r = leat__fan_result(combine(leat__fan_body(f, a), leat__fan_body(f, b),
					     leat__fan_body(f, out)));
		if (r < 0)
			leat__fan_drop(f, LEAT__FAN_PAIRED, out, r);
	}
	if (r < 0) {
		leat__fan_drop(f, LEAT__FAN_SECOND, b, r);
		leat__fan_drop(f, LEAT__FAN_FIRST, a, r);
		count_pair(f, r);
	}
	return r;
}

/* One of the two was left out before, so the other has no partner. */
static int leave_out_pair(struct leat_fan *f, void *a, void *b)
{
	leat__fan_leave_out(f, LEAT__FAN_FIRST, a);
	leat__fan_leave_out(f, LEAT__FAN_SECOND, b);
	return leat__fan_send_place(f, 0);
}

/* A pair: 0, or the error with which the piece ends. */
static int zip_pair(struct leat_fan *f, void *a)
{
	int r;
	LEAT__FAN_ITEM(b);
	LEAT__FAN_ITEM(out);

	r = leat__fan_recv_second(f, b);
	if (r < 0) {
		leat__fan_end(f, a, r);
		return r;
	}
	if (leat__fan_is_place(f, a) || leat__fan_is_place(f, b))
		return leave_out_pair(f, a, b);
	r = combine_pair(f, a, b, out);
	if (r < 0) {
		r = leat__fan_failed(f, r);
		return r < 0 ? r : leat__fan_send_place(f, 0);
	}
	r = leat__fan_send(f, 0, out);
	if (r < 0)
		leat__fan_drop(f, LEAT__FAN_OUT, out, r);
	count_pair(f, r);
	return r;
}

int leat__fan_zip(struct leat_fan *f)
{
	int r;
	LEAT__FAN_ITEM(a);

	do {
		r = leat__fan_recv(f, 0, a);
		if (r == 0)
			r = zip_pair(f, a);
	} while (r == 0);
	return r;
}
