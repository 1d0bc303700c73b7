/* The shop of pipeline_graph.c: what happens to an order.  It knows nothing of the pipeline. */
#ifndef SHOP_H
#define SHOP_H

#include <leat/leat.h>

struct order {
	int number, abroad, cents;
};

/* Sixty of them, and each third goes abroad. */
static inline int read_order(int *last, struct order *ret_order)
{
	int n = ++*last;

	*ret_order = (struct order){ .number = n, .abroad = n % 3 == 0, .cents = n * 100 };
	return n > 60 ? LEAT_ECLOSED : 0;
}

static inline uint64_t region(const struct order *order)
{
	return (uint64_t)order->abroad;
}

static inline int add_tax(struct order *order, struct order *ret_order)
{
	*ret_order = *order;
	ret_order->cents += order->cents / 5;
	return 0;
}

static inline int ask_customs(struct order *order, struct order *ret_order)
{
	*ret_order = *order;
	return order->number == 39 ? -EPERM : leat_sleep(LEAT_MS); // Simulate a server
}

#endif
