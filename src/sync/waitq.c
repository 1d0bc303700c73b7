#include "sync/waitq.h"

void leat__wakes_run(struct leat__wakes *wakes)
{
	struct leat__task *t = wakes->first, *next;

	/* The first by way of the LIFO slot, the others behind it. */
	for (bool first = true; t; t = next, first = false) {
		next = t->next; /* not ours to read once t is ready */
		if (first)
			leat__ready(t);
		else
			leat__ready_fifo(t);
	}
}

void leat__waitq_append(struct leat__waitq *q, struct leat__waiter *w)
{
	struct leat__list *last = q->_last;

	w->node.prev = last;
	w->node.next = NULL;
	q->_last = &w->node;
	if (last)
		last->next = &w->node;
	else
		leat__store_relaxed(&q->_first, (void *)&w->node);
}

void leat__waitq_prepend(struct leat__waitq *q, struct leat__waiter *w)
{
	struct leat__list *first = leat__load_relaxed(&q->_first);

	w->node.prev = NULL;
	w->node.next = first;
	leat__store_relaxed(&q->_first, (void *)&w->node);
	if (first)
		first->prev = &w->node;
	else
		q->_last = &w->node;
}

void leat__waitq_remove(struct leat__waitq *q, struct leat__waiter *w)
{
	struct leat__list *prev = w->node.prev, *next = w->node.next;

	if (next == &w->node)
		return;
	if (prev)
		prev->next = next;
	else
		leat__store_relaxed(&q->_first, (void *)next);
	if (next)
		next->prev = prev;
	else
		q->_last = prev;
	leat__list_init(&w->node);
}

bool leat__waitq_claim(struct leat__waitq *q, struct leat__waiter *w, struct leat__wakes *wakes)
{
	struct leat__task *t = w->task;

	leat__waitq_remove(q, w);
	if (leat__load_relaxed(&t->claim) == LEAT__CLAIM_CANCELABLE &&
	    leat__unlikely(leat__scope_is_canceled(t->scope))) {
		if (leat__claim(t, LEAT__CLAIM_CANCELED))
			leat__wakes_add(wakes, t);
		return false;
	}
	return leat__claim_waiter(w);
}

struct leat__waiter *leat__waitq_claim_first(struct leat__waitq *q, struct leat__wakes *wakes)
{
	struct leat__waiter *w;

	while ((w = leat__waitq_first(q)) != NULL)
		if (leat__waitq_claim(q, w, wakes))
			return w;
	return NULL;
}

void leat__waitq_claim_all(struct leat__waitq *q, struct leat__wakes *wakes)
{
	struct leat__waiter *w;

	while ((w = leat__waitq_claim_first(q, wakes)) != NULL)
		leat__wakes_add(wakes, w->task);
}
