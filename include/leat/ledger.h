/*
 * The ledger of a pattern: where each of its items is, or how it ended.
 *
 *	in = out + failed + dropped + cancelled + in_flight
 *
 * What is in flight is counted where the items are, and not as the difference of the others; so a
 * ledger that balances says that nothing has been lost.  While items move, a snapshot
 * may miss those that change hands, or come in, as it is taken, and never counts one
 * twice: in >= the sum.  At rest both are equal.
 */
#ifndef LEAT_LEDGER_H
#define LEAT_LEDGER_H

#include <leat/base.h>

enum leat_dropped {
	LEAT_DROPPED_OLDEST,	/* by a policy: the item was the oldest in a full queue */
	LEAT_DROPPED_NEWEST,	/* the queue was full */
	LEAT_DROPPED_UNWANTED,	/* nobody receives what has become of it */
	LEAT_DROPPED_FILTERED,	/* a stage handed nothing on */
	LEAT_DROPPED_MERGED,	/* into another item */
	LEAT_DROPPED_LATE,	/* others had not waited for it */
	LEAT_DROPPED_REASONS,
};

typedef struct leat_ledger {
	size_t size;		/* in: sizeof(leat_ledger) */
	uint64_t in;		/* accepted */
	uint64_t out;		/* done, and handed on if there is something to hand on */
	uint64_t failed;	/* the user's function returned an error */
	uint64_t dropped[LEAT_DROPPED_REASONS];
	uint64_t cancelled;	/* not begun when the pattern was stopped, or ended by it */
	uint64_t in_flight;	/* queued, at work, or done and not handed on */
} leat_ledger;

LEAT_BEGIN_DECLS

/* Whether both sides are equal. */
LEAT_API bool leat_ledger_balances(const leat_ledger *ledger);

/*
 * As text: "in 9 = out 7 + failed 1 + dropped 0 + cancelled 0 + in flight 1".  Its length, as
 * snprintf(3).  Neither blocks.
 */
LEAT_API int leat_ledger_format(const leat_ledger *ledger, char *text, size_t size);

LEAT_END_DECLS

#endif
