/*
 * Fan-out and fan-in on channels.
 *
 *	leat_chan(int) in[3], out;
 *	leat_fan *merge;
 *
 *	r = leat_merge(&merge, &group, in, 3, out, .name = "merge", .end = LEAT_FAN_ALL);
 *	...
 *	leat_group_wait(&group);
 *	leat_fan_destroy(merge, &ledger);
 *
 * Each piece is one task of a group, which must be given: its owner waits for it, and destroys the
 * piece then.  It takes a reference of its channels, closes its outputs when it ends, and abandons
 * its inputs: so whoever sends to a piece that has ended is told so, and an early exit anywhere
 * ends everything above it.  When the group is cancelled, it ends as well.
 * An error of a function of the user's ends it and is the task's error (LEAT_ECLOSED as -EPIPE).
 *
 * An item that cannot be handed on, since those who would receive it have gone or the piece is
 * cancelled, goes to the option drop, exactly once.
 */
#ifndef LEAT_FAN_H
#define LEAT_FAN_H

#include <leat/chan.h>
#include <leat/ledger.h>
#include <leat/stats.h>

/* When a piece that has many inputs or outputs ends. */
enum leat_fan_end {
	LEAT_FAN_ALL = 1,	/* when all inputs are closed, or all outputs abandoned */
	LEAT_FAN_ANY,		/* when one is */
};

/* The most inputs or outputs; the most bytes of an item. */
enum { LEAT_FAN_MAX = 64, LEAT_FAN_ITEM_MAX = 1024 };

typedef struct leat_fan leat_fan;
typedef void leat_fan_fn(void);

typedef struct leat_fan_options {
	size_t size;		/* sizeof(leat_fan_options) */
	/* The first five are set by the macros. */
	int kind;
	size_t item_size, out_size;
	leat_fan_fn *fn;
	uint64_t n;		/* take: of items */
	const char *name;	/* in dumps and tables; must outlive the piece; may be NULL */
	enum leat_fan_end end;	/* merge, balance, broadcast, tee, partition: must be given */
	/* broadcast, tee: makes *ret_copy of *item, 0 or an error; must be given with drop. */
	int (*clone)(const void *item, void *ret_copy);
	void (*drop)(void *item); /* NULL: nothing to do */
	void (*drop_second)(void *item), (*drop_out)(void *item); /* zip: of b; of what it makes */
} leat_fan_options;

/*
 * fan-in, from several channels of T (an array) to one:
 * leat_merge(ret_fan, group, in, n, out, options...): as they come.
 * leat_merge_ordered(ret_fan, group, in, n, out, less, options...): of sorted inputs a sorted
 * output; bool less(const T *a, const T *b).  What is equal comes in the order of the inputs.
 * leat_concat(ret_fan, group, in, n, out, options...): one after the other.
 * leat_zip(ret_fan, group, a, b, out, combine, options...): int combine(A *a, B *b, T *ret_item)
 * makes one item of a pair, which it owns if it returns 0; ends with the shorter one.  Its ledger
 * counts pairs (that of a pipeline's zip, items of both flows).
 *
 * fan-out, from one channel to several:
 * leat_balance(ret_fan, group, in, out, n, options...): to whoever is free.
 * leat_broadcast(ret_fan, group, in, out, n, options...): a copy to each; waits for the slowest.
 * leat_partition(ret_fan, group, in, out, n, key, options...): uint64_t key(const T *item); what
 * has the same key modulo n goes to the same output.
 * leat_tee(ret_fan, group, in, a, b, options...): a broadcast to two.
 *
 * from one to one:
 * leat_take(ret_fan, group, in, out, count, options...): the first count.
 * leat_or_done(ret_fan, group, in, out, done, options...): all, until done (a channel of anything)
 * is closed, or something comes out of it.  That counts first: when it has come, no item is
 * handed on.  done is neither closed nor abandoned.
 * leat_bridge(ret_fan, group, in, out, options...): in is a channel of channels of T; what comes
 * out of the first, then of the second, and so on.  Each comes with a reference of its own, which
 * the piece releases; one that it leaves early it abandons.  Those that it never gets are the
 * business of in's drop function.
 * leat_conflate(ret_fan, group, in, out, merge, options...): as they are while the receiver takes
 * them; while it does not, int merge(T *sum, T *item) adds item to those that wait already, and
 * owns it if it returns 0; it ends as LEAT_DROPPED_MERGED.
 *
 * Return 0; -EINVAL: an option is bad, and the log says which; -ENOMEM, -ECANCELED: nothing was
 * started.  Do not block.
 */
#define leat_merge(ret, group, in, n_, out, ...) LEAT__MERGE(ret, group, in, n_, out, __VA_ARGS__)
#define leat_merge_ordered(ret, group, in, n_, out, less, ...) \
	LEAT__MERGE_ORDERED(ret, group, in, n_, out, less, __VA_ARGS__)
#define leat_concat(ret, group, in, n_, out, ...) \
	LEAT__CONCAT(ret, group, in, n_, out, __VA_ARGS__)
#define leat_zip(ret, group, a, b, out, combine, ...) \
	LEAT__ZIP(ret, group, a, b, out, combine, __VA_ARGS__)
#define leat_balance(ret, group, in, out, n_, ...) \
	LEAT__BALANCE(ret, group, in, out, n_, __VA_ARGS__)
#define leat_broadcast(ret, group, in, out, n_, ...) \
	LEAT__BROADCAST(ret, group, in, out, n_, __VA_ARGS__)
#define leat_partition(ret, group, in, out, n_, key, ...) \
	LEAT__PARTITION(ret, group, in, out, n_, key, __VA_ARGS__)
#define leat_take(ret, group, in, out, count, ...) \
	LEAT__TAKE(ret, group, in, out, count, __VA_ARGS__)
#define leat_tee(ret, group, in, a, b, ...) LEAT__TEE(ret, group, in, a, b, __VA_ARGS__)
#define leat_or_done(ret, group, in, out, done, ...) \
	LEAT__OR_DONE(ret, group, in, out, done, __VA_ARGS__)
#define leat_bridge(ret, group, in, out, ...) LEAT__BRIDGE(ret, group, in, out, __VA_ARGS__)
#define leat_conflate(ret, group, in, out, merge, ...) \
	LEAT__FAN_CONFLATED(ret, group, in, out, merge, __VA_ARGS__)

/* Options of typed functions. */
#define LEAT_FAN_DROP(T, fn) LEAT__DROP(T, fn)
#define LEAT_FAN_CLONE(T, fn) LEAT__FAN_CLONE(T, fn)

LEAT_BEGIN_DECLS

/* ins and outs: arrays of handles. */
LEAT_API LEAT_MUST_CHECK int leat_fan_start(leat_fan **ret_fan, leat_group *group, const void *ins,
					    size_t nins, const void *outs, size_t nouts,
					    const leat_fan_options *options);

/*
 * Any task or thread, until the destroy.  Fill *ledger, or *stats, up to its size.  0, or -EINVAL:
 * the size is not set.
 */
LEAT_API int leat_fan_ledger(leat_fan *fan, leat_ledger *ledger);
LEAT_API int leat_fan_stats(leat_fan *fan, leat_stage_stats *stats);

/*
 * Frees it; its group has been waited for.  *ret_ledger, unless NULL: its last ledger.  NULL as fan
 * is ignored.
 */
LEAT_API void leat_fan_destroy(leat_fan *fan, leat_ledger *ret_ledger);

LEAT_END_DECLS

#include <leat/detail/fan.h>

#endif
