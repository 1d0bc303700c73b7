/*
 * A pipeline that is a graph: what goes abroad passes through customs, and what is refused there is
 * reported; the others are booked, ten at once, and the auditor gets a copy of each.  At the end:
 * where the time went, and that no order is missing.
 *
 *	read -> region -> tax     -> merge -> copy -> ten -> book
 *		       -> customs ->               -> audit
 *			       (refused) -> report
 */
#include <stdio.h>
#include <leat/leat.h>

#include "shop.h"

struct orders {
	struct order *item;
	size_t n;
};

struct refused {
	struct order item;
	int error;
};

static int report(struct refused *order)
{
	printf("order %d: %s\n", order->item.number, leat_strerror(order->error));
	return 0;
}

static int book(struct orders *batch)
{
	printf("booked: %zu\n", batch->n);
	return 0;
}

static int audit(int *cents, struct order *order)
{
	cents[order->abroad] += order->cents;
	return 0;
}

#define SERIAL .mode = LEAT_STAGE_SERIAL, .on_error = LEAT_ERROR_STOP

LEAT_MAIN()
{
	leat_flow(struct order) orders, by_region[2], ready[2], all, to_book, to_audit;
	leat_flow(struct orders) tens;
	leat_flow(struct refused) refused;
	leat_ledger ledger = { .size = sizeof(ledger) };
	int last = 0, cents[2] = { 0 }, r;
	leat_pipeline *p;
	char text[2048];

	if (leat_pipeline_make(&p, .live = 32) < 0)
		return 1;
	leat_pipeline_source(p, &orders, &last, read_order, .name = "read");
	leat_pipeline_partition(p, orders, by_region, 2, region, .name = "region",
				.end = LEAT_FAN_ALL);
	leat_pipeline_map(p, by_region[0], &ready[0], add_tax, .name = "tax", SERIAL);
	leat_pipeline_map(p, by_region[1], &ready[1], ask_customs, .name = "customs",
			  .mode = LEAT_STAGE_PARALLEL, .workers = 4, .on_error = LEAT_ERROR_COUNT);
	leat_pipeline_dead_letters(p, by_region[1], &refused);
	leat_pipeline_sink(p, refused, report, .name = "report", SERIAL);
	leat_pipeline_merge(p, ready, 2, &all, .name = "merge", .end = LEAT_FAN_ALL);
	leat_pipeline_tee(p, all, &to_book, &to_audit, .name = "copy", .end = LEAT_FAN_ALL);
	leat_pipeline_batch(p, to_book, &tens, .name = "ten", .items = 10, .wait = LEAT_S);
	leat_pipeline_sink(p, tens, book, .name = "book", SERIAL);
	leat_pipeline_sink_with(p, to_audit, cents, audit, .name = "audit", SERIAL);

	r = leat_pipeline_run(p);
	if (r == 0 && leat_pipeline_explain(p, text, sizeof(text)) > 0)
		printf("%s", text);
	leat_pipeline_destroy(p, &ledger);
	leat_ledger_format(&ledger, text, sizeof(text));
	printf("to here: %d, abroad: %d\n%s\n", cents[0], cents[1], text);
	return r < 0;
}
