/*
 * Pipelines: a source, stages, a sink, and what is between them, bounded from end to end.
 *
 *	static int generate(struct range *range, int *ret_n);	// 0, or LEAT_ECLOSED: no more
 *	static int square(int *n, long *ret_square);
 *	static int print(long *square);
 *	...
 *	leat_pipeline *p;
 *	leat_flow(int) numbers;
 *	leat_flow(long) squares;
 *
 *	r = leat_pipeline_make(&p, .live = 64);
 *	leat_pipeline_source(p, &numbers, &range, generate, .name = "generate");
 *	leat_pipeline_map(p, numbers, &squares, square, .name = "square",
 *			  .mode = LEAT_STAGE_PARALLEL, .workers = 8, .on_error = LEAT_ERROR_STOP);
 *	leat_pipeline_sink(p, squares, print, .name = "print", .mode = LEAT_STAGE_SERIAL,
 *			   .on_error = LEAT_ERROR_STOP);
 *	r = leat_pipeline_run(p);	// until the last item is through
 *	leat_pipeline_destroy(p, NULL);
 *
 * A flow is what one stage hands on to the next: its type is checked at each joint.  Each flow is
 * taken by exactly one stage; one that several are to get goes through a fan-out.  There may be
 * several sources and sinks, and any shape without a cycle.
 *
 * Items are counted by the sources': what a stage makes of one (several, one of many, none, one of
 * two) ends with it, and its place among the live ones is free when the last of that has ended; it
 * ends as the worst of its parts did.  An item whose function failed, or that is dropped, goes to
 * the failed or the drop function of its type, or on as a dead letter, exactly once.
 *
 * A pipeline is built and ended by one task; the other calls may be made from any task or thread,
 * and must have returned when it is destroyed, except for a stop (see leat_pipeline_destroy).
 */
#ifndef LEAT_PIPELINE_H
#define LEAT_PIPELINE_H

#include <leat/bucket.h>
#include <leat/chan.h>
#include <leat/fan.h>
#include <leat/ledger.h>
#include <leat/pool.h>
#include <leat/retry.h>
#include <leat/stats.h>

enum leat_stage_mode {
	LEAT_STAGE_SERIAL = 1,	/* one item at a time */
	LEAT_STAGE_PARALLEL,	/* as many as workers at once, handed on as they are done */
	LEAT_STAGE_ORDERED,	/* handed on as they came; the item waits, not its worker */
	LEAT_STAGE_KEYED,	/* those of one key one after the other, as they came */
};

/*
 * What a map function returns for an item of which nothing is handed on.  No count that it might
 * return by chance: any other result that is not negative is success, as of all functions here.
 */
#define LEAT_SKIP 0x4c534b50

/* The most bytes of an item. */
enum { LEAT_ITEM_MAX = 1024 };

typedef struct leat_pipeline leat_pipeline;
typedef struct leat_flow_raw leat_flow_raw;
typedef struct leat_emitter_raw leat_emitter_raw;
typedef void leat_stage_fn(void);

typedef struct leat_pipeline_options {
	size_t size;		/* sizeof(leat_pipeline_options) */
	size_t live;		/* > 0: the most items of each source between it and the sinks */
	int64_t live_bytes;	/* the most bytes of them, by the source's weigh; 0: no bound */
	const char *name;	/* in dumps; must outlive the pipeline; may be NULL */
} leat_pipeline_options;

typedef struct leat_stage_options {
	size_t size;		/* sizeof(leat_stage_options) */
	/* The first seven are set by the macros. */
	int kind;
	size_t in_size, out_size; /* bytes, at most LEAT_ITEM_MAX */
	leat_stage_fn *fn;
	const void *state;
	leat_channel *chan;
	uint64_t n;		/* take: of items; map, flat, sink: 1: fn has a state */
	const char *name;	/* must be given, and outlive the pipeline */
	enum leat_stage_mode mode; /* of map, flat and sink: must be given */
	int workers;		/* > 0, unless it is serial: the most that work at once */
	size_t buffer;		/* items that wait before it; 0: they are handed over (zip: 1) */
	/* Must be given of map, flat, reduce, conflate, sink, zip, with clone; of no others. */
	enum leat_on_error on_error;
	const leat_retry_options *retry; /* map, flat, sink: before an error counts; copied */
	/* source, from, map, flat, sink, to: a token for each item; outlives it; NULL: no limit */
	leat_bucket *rate;
	size_t window;		/* ordered: items that may wait for an earlier one; > 0 */
	/* An ordered flat function: what it may emit before its item's turn; then it waits; > 0. */
	size_t ahead;
	int64_t gap_after;	/* ordered: ns, how long they wait; 0: as long as it takes */
	void (*gap)(void *out);	/* what is handed on then in its place; must be given with it */
	uint64_t (*key)(const void *item); /* keyed */
	size_t items;		/* batch: the most; > 0, and not more than live */
	int64_t wait;		/* batch: ns, how long the first one waits; > 0, or LEAT_FOREVER */
	uint64_t weight;	/* batch: the most, by weigh, given with it; 0: no bound */
	uint64_t (*weigh)(const void *item); /* of a source: in bytes, for live_bytes; of a batch */
	enum leat_fan_end end;	/* merge, balance, broadcast, tee, partition: must be given */
	/* broadcast, tee: makes *ret_copy of *item, 0 or an error; must be given with drop. */
	int (*clone)(const void *item, void *ret_copy);
	/* Gets an item that failed, and owns it from now on; in its task; may block. */
	void (*failed)(void *item, int error);
	/* Of what the stage hands on; NULL: nothing to do; but fan-out and fan-in: as before it. */
	void (*drop)(void *item);
} leat_stage_options;

/*
 * leat_flow(T): the handle.
 *
 * leat_pipeline_make(ret_pipeline, options...).
 *
 * Sources:
 * leat_pipeline_source(p, ret_flow, state, fn, options...): int fn(S *state, T *ret_item) makes the
 * next item: 0, LEAT_ECLOSED: there is none any more, or an error, which stops the pipeline.
 * leat_pipeline_from(p, ret_flow, chan, options...): what can be received.  The pipeline
 * takes a reference, and abandons the channel when it ends, or is destroyed without having been
 * started: so who sends is told.  If it is refused, it has none, and the channel is as it was.
 *
 * Stages:
 * leat_pipeline_map(p, flow, ret_flow, fn, options...): int fn(In *in, Out *ret_out); 0 or
 * more; LEAT_SKIP: hand nothing on; or an error.
 * leat_pipeline_flat(p, flow, ret_flow, fn, options...): int fn(In *in, leat_emitter(Out) emitter)
 * hands on any number by leat_emit.  Ordered, what one item becomes is handed on together: at once
 * when all items before it are through, and till then it is kept, in memory for (window + workers)
 * x ahead.
 * leat_pipeline_batch(p, flow, ret_flow, options...): Out is a struct that begins with
 * T *item; size_t n; the array is valid until what is made of the batch has ended.
 * leat_pipeline_reduce(p, flow, ret_flow, init, fn, options...): int fn(Acc *acc, In *in) adds up
 * from *init; one Acc is handed on at the end, which counts as no item.
 * leat_pipeline_conflate(p, flow, ret_flow, fn, options...): int fn(T *sum, T *in) adds an item to
 * those before it while the next stage is busy; it ends as LEAT_DROPPED_MERGED.
 *
 * Fan-out and fan-in, as in leat/fan.h; flows, ret_flows: arrays of n:
 * leat_pipeline_balance(p, flow, ret_flows, n, options...)
 * leat_pipeline_broadcast(p, flow, ret_flows, n, options...)
 * leat_pipeline_partition(p, flow, ret_flows, n, key, options...)
 * leat_pipeline_tee(p, flow, ret_flow, ret_side, options...): a broadcast to two.
 * leat_pipeline_take(p, flow, ret_flow, count, options...)
 * leat_pipeline_merge(p, flows, n, ret_flow, options...)
 * leat_pipeline_merge_ordered(p, flows, n, ret_flow, less, options...)
 * leat_pipeline_concat(p, flows, n, ret_flow, options...)
 * leat_pipeline_zip(p, a, b, ret_flow, combine, options...)
 *
 * Sinks:
 * leat_pipeline_sink(p, flow, fn, options...): int fn(T *item): 0; LEAT_ECLOSED: this one was the
 * last that is wanted, the others are dropped; or an error.  While other sinks go on, what only
 * this one was for is given up: the stages between it and a fan-out that has other flows (with
 * LEAT_FAN_ANY that one, too), or a source, which is cancelled.
 * leat_pipeline_to(p, flow, chan, options...): sends them, and closes the channel after the last,
 * or when the pipeline is destroyed without having been started.  It takes a reference; if it is
 * refused, it has none, and the channel is as it was.
 *
 * map, flat and sink have forms _with(p, ..., state, fn, options...), whose function has
 * S *state, which all workers share, as its first argument.
 *
 * A function owns its item when it returns 0 or more; after an error it is as it
 * came, and goes to failed, or on as a dead letter (else to drop of its flow).
 *
 * leat_pipeline_dead_letters(p, flow, ret_flow): a flow of the items on which the function of the
 * stage that takes flow (a map, flat, reduce, conflate or sink with LEAT_ERROR_COUNT and without
 * failed) has failed, after its retries, as they fail.  A letter is a struct that begins with
 * T item and has an int error; what else is in it is 0.  The stage waits while nobody takes its
 * letters.  A letter keeps the item live, and is dropped as the item would be; the item counts as
 * failed, whatever becomes of the letter.  The stage's letters end when nobody wants what it hands
 * on any more.
 *
 * Types that do not match do not compile.  LEAT_STAGE_DROP(T, fn), LEAT_STAGE_KEY(T, fn),
 * LEAT_STAGE_WEIGH(T, fn), LEAT_STAGE_FAILED(T, fn), LEAT_STAGE_GAP(T, fn),
 * LEAT_STAGE_CLONE(T, fn) make options of typed functions.
 *
 * Return 0; -EINVAL: an option is bad, or no runtime runs, and the log says which; -ENOMEM.  An
 * error that is not looked at comes back from leat_pipeline_run, so only that one must be.  None
 * blocks.
 */
#define leat_flow(T) LEAT__FLOW(T)
#define leat_emitter(T) LEAT__EMITTER(T)
#define leat_pipeline_make(ret_pipeline, ...) LEAT__PIPELINE_MAKE(ret_pipeline, __VA_ARGS__)
#define leat_pipeline_source(p, ret_flow, state, fn, ...) \
	LEAT__PIPELINE_SOURCE(p, ret_flow, state, fn, __VA_ARGS__)
#define leat_pipeline_from(p, ret_flow, chan, ...) \
	LEAT__PIPELINE_FROM(p, ret_flow, chan, __VA_ARGS__)
#define leat_pipeline_map(p, flow, ret_flow, fn, ...) \
	LEAT__PIPELINE_MAP(p, flow, ret_flow, fn, __VA_ARGS__)
#define leat_pipeline_map_with(p, flow, ret_flow, state, fn, ...) \
	LEAT__PIPELINE_MAP_WITH(p, flow, ret_flow, state, fn, __VA_ARGS__)
#define leat_pipeline_flat(p, flow, ret_flow, fn, ...) \
	LEAT__PIPELINE_FLAT(p, flow, ret_flow, fn, __VA_ARGS__)
#define leat_pipeline_flat_with(p, flow, ret_flow, state, fn, ...) \
	LEAT__PIPELINE_FLAT_WITH(p, flow, ret_flow, state, fn, __VA_ARGS__)
#define leat_pipeline_batch(p, flow, ret_flow, ...) \
	LEAT__PIPELINE_BATCH(p, flow, ret_flow, __VA_ARGS__)
#define leat_pipeline_reduce(p, flow, ret_flow, init, fn, ...) \
	LEAT__PIPELINE_REDUCE(p, flow, ret_flow, init, fn, __VA_ARGS__)
#define leat_pipeline_conflate(p, flow, ret_flow, fn, ...) \
	LEAT__PIPELINE_CONFLATE(p, flow, ret_flow, fn, __VA_ARGS__)
#define leat_pipeline_balance(p, flow, ret_flows, n_, ...) \
	LEAT__PIPELINE_BALANCE(p, flow, ret_flows, n_, __VA_ARGS__)
#define leat_pipeline_broadcast(p, flow, ret_flows, n_, ...) \
	LEAT__PIPELINE_BROADCAST(p, flow, ret_flows, n_, __VA_ARGS__)
#define leat_pipeline_partition(p, flow, ret_flows, n_, key, ...) \
	LEAT__PIPELINE_PARTITION(p, flow, ret_flows, n_, key, __VA_ARGS__)
#define leat_pipeline_tee(p, flow, ret_flow, ret_side, ...) \
	LEAT__PIPELINE_TEE(p, flow, ret_flow, ret_side, __VA_ARGS__)
#define leat_pipeline_take(p, flow, ret_flow, count, ...) \
	LEAT__PIPELINE_TAKE(p, flow, ret_flow, count, __VA_ARGS__)
#define leat_pipeline_merge(p, flows, n_, ret_flow, ...) \
	LEAT__PIPELINE_MERGE(p, flows, n_, ret_flow, __VA_ARGS__)
#define leat_pipeline_merge_ordered(p, flows, n_, ret_flow, less, ...) \
	LEAT__PIPELINE_MERGE_ORDERED(p, flows, n_, ret_flow, less, __VA_ARGS__)
#define leat_pipeline_concat(p, flows, n_, ret_flow, ...) \
	LEAT__PIPELINE_CONCAT(p, flows, n_, ret_flow, __VA_ARGS__)
#define leat_pipeline_zip(p, a, b, ret_flow, combine, ...) \
	LEAT__PIPELINE_ZIP(p, a, b, ret_flow, combine, __VA_ARGS__)
#define leat_pipeline_dead_letters(p, flow, ret_flow) LEAT__PIPELINE_LETTERS(p, flow, ret_flow)
#define leat_pipeline_sink(p, flow, fn, ...) LEAT__PIPELINE_SINK(p, flow, fn, __VA_ARGS__)
#define leat_pipeline_sink_with(p, flow, state, fn, ...) \
	LEAT__PIPELINE_SINK_WITH(p, flow, state, fn, __VA_ARGS__)
#define leat_pipeline_to(p, flow, chan, ...) LEAT__PIPELINE_TO(p, flow, chan, __VA_ARGS__)

#define LEAT_STAGE_DROP(T, fn) LEAT__DROP(T, fn)
#define LEAT_STAGE_GAP(T, fn) LEAT__DROP(T, fn)
#define LEAT_STAGE_KEY(T, fn) LEAT__POOL_KEY(T, fn)
#define LEAT_STAGE_WEIGH(T, fn) LEAT__POOL_KEY(T, fn)
#define LEAT_STAGE_FAILED(T, fn) LEAT__POOL_FAILED(T, fn)
#define LEAT_STAGE_CLONE(T, fn) LEAT__FAN_CLONE(T, fn)

/*
 * In a flat function, in its task: hands value on; blocks while there is no room.  0; after
 * -ECANCELED or LEAT_ECLOSED (nobody wants any more) the caller still owns it.  A function that
 * returns that has not failed: its item ends as what is not wanted does.
 */
#define leat_emit(emitter, value) \
	leat_emit_item((leat_emitter_raw *)(emitter), LEAT__VALUE(emitter, value))

LEAT_BEGIN_DECLS

LEAT_API int leat_pipeline_create(leat_pipeline **ret_pipeline,
				  const leat_pipeline_options *options);
LEAT_API int leat_pipeline_add(leat_pipeline *pipeline, leat_flow_raw *in, leat_flow_raw **ret_out,
			       const leat_stage_options *options);
LEAT_API int leat_pipeline_add_fan(leat_pipeline *pipeline, leat_flow_raw *const *ins, size_t nins,
				   leat_flow_raw **ret_outs, size_t nouts,
				   const leat_stage_options *options);
LEAT_API int leat_pipeline_add_tee(leat_pipeline *pipeline, leat_flow_raw *in,
				   leat_flow_raw **ret_out, leat_flow_raw **ret_side,
				   const leat_stage_options *options);
LEAT_API int leat_pipeline_add_zip(leat_pipeline *pipeline, leat_flow_raw *first,
				   leat_flow_raw *second, leat_flow_raw **ret_out,
				   const leat_stage_options *options);
/* A letter has size bytes, the error at error_at. */
LEAT_API int leat_pipeline_add_letters(leat_pipeline *pipeline, leat_flow_raw *in,
				       leat_flow_raw **ret_out, size_t size, size_t error_at);
LEAT_API LEAT_MUST_CHECK int leat_emit_item(leat_emitter_raw *emitter, const void *item);

/*
 * Starts all stages, in a group of the pipeline's below the caller's, once; 0, or the error of the
 * building: -EINVAL when there is no source, a flow that no stage takes, or a stage that might
 * wait for ever, which the log names.  That is a concat, an ordered merge or a zip that waits for
 * one of its flows while the others fill up and hold up what it waits for: since both come from one
 * source, or since another such stage takes copies of both (zip them once, and copy the pairs).
 * A flow that is reduced holds nothing up.  And it is batches with LEAT_FOREVER that together may
 * hold all that may be live of a source.
 * If it fails when some stages have begun (-ENOMEM, -ECANCELED), these are stopped as by an abort
 * with that error, and channels are told; leat_pipeline_destroy waits for them, and returns it.
 *
 * A zip of flows that part at one broadcast, or tee, may have maps, takes, broadcasts and other
 * such zips on the ways.  An item that is left out on the one way (LEAT_SKIP, or an error with
 * LEAT_ERROR_COUNT) has no partner: its copy is dropped as LEAT_DROPPED_FILTERED.  So pairs are of
 * one item, unless a stage on a way is parallel or keyed.
 */
LEAT_API LEAT_MUST_CHECK int leat_pipeline_start(leat_pipeline *pipeline);

/*
 * Blocks until every item has ended; the task that started it.  0: the source's end or
 * leat_pipeline_shutdown or the sink ended it; the error that stopped it; -ECANCELED.
 */
LEAT_API LEAT_MUST_CHECK int leat_pipeline_wait(leat_pipeline *pipeline);

/* Both. */
LEAT_API LEAT_MUST_CHECK int leat_pipeline_run(leat_pipeline *pipeline);

/*
 * shutdown: the sources make no more items (their functions are cancelled if they block), those
 * that are live go through.  abort: all functions are cancelled, what is live is dropped; cause is
 * a negative error, the result of the wait (0: -ECANCELED).  Once is enough; after the end they do
 * nothing; neither blocks.
 */
LEAT_API void leat_pipeline_shutdown(leat_pipeline *pipeline);
LEAT_API void leat_pipeline_abort(leat_pipeline *pipeline, int cause);

/*
 * Aborts what runs, waits for it, and frees the pipeline.  *ret_ledger, unless NULL: its last
 * ledger.  Returns as leat_pipeline_wait; 0 if it has not been started.  NULL is ignored.  No other
 * call on the pipeline may be made or running, except that a shutdown or an abort that has begun
 * (the wait has returned for it, say) may not have returned yet.
 */
LEAT_API int leat_pipeline_destroy(leat_pipeline *pipeline, leat_ledger *ret_ledger);

/* Fills *ledger up to ledger->size; in items of all sources.  0, or -EINVAL: no size is set. */
LEAT_API int leat_pipeline_ledger(leat_pipeline *pipeline, leat_ledger *ledger);

/*
 * The same of stage i, in the order of leat_pipeline_stats: in is what has been handed on to it,
 * or made by it; out, what it has handed on or used.  So a flat, batch or reduce function's items
 * are those that it takes, and of a zip both flows'.  On the ways to a zip of copies an item that
 * an earlier stage has left out is in it as well, as filtered.  -EINVAL: there are not so many.
 */
LEAT_API int leat_pipeline_stage_ledger(leat_pipeline *pipeline, size_t i, leat_ledger *ledger);

/*
 * Attribution of the stages, as they were added (so from sources to sinks), of which up to max are
 * filled in, each up to stages[0].size; how many there are, or -EINVAL: that size is not set.
 * explain: as a table with the stage that holds up the others, and what helps (leat/stats.h); its
 * length, as snprintf(3), or -ENOMEM.
 */
LEAT_API int leat_pipeline_stats(leat_pipeline *pipeline, leat_stage_stats *stages, size_t max);
LEAT_API int leat_pipeline_explain(leat_pipeline *pipeline, char *text, size_t size);

LEAT_END_DECLS

#include <leat/detail/pipeline.h>

#endif
