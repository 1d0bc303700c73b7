/* The options of a stage, one by one. */
#include "patterns/pipeline.h"

#include "patterns/options.h"
#include "patterns/retry.h"

#define STAGE(ok, fmt, ...) OPTION("leat_pipeline", ok, "stage %s: " fmt, o->name, __VA_ARGS__)

/* Calls a function for each item, which may fail and be tried again; so several may at once. */
static bool calls_function(const leat_stage_options *o)
{
	return o->kind == LEAT__MAP || o->kind == LEAT__FLAT || o->kind == LEAT__SINK;
}

bool leat__stage_may_fail(const leat_stage_options *o)
{
	return calls_function(o) || o->kind == LEAT__REDUCE || o->kind == LEAT__CONFLATE;
}

/* Of an ordered stage: a window with a slot more for each worker, of a value or ahead of them. */
static bool fits_in_memory(const leat_stage_options *o)
{
	size_t n;

	return !__builtin_add_overflow(o->window, (size_t)o->workers, &n) &&
	       !__builtin_mul_overflow(n, o->ahead > 0 ? o->ahead : 1, &n) && n <= SIZE_MAX / 4096;
}

static int check_mode(const leat_stage_options *o)
{
	bool ordered = o->mode == LEAT_STAGE_ORDERED, keyed = o->mode == LEAT_STAGE_KEYED;

	STAGE(o->mode >= 0 && o->mode <= LEAT_STAGE_KEYED,
	      "mode is %d; give one of enum leat_stage_mode", (int)o->mode);
	STAGE(o->mode != 0 || !calls_function(o), "mode is %d, not given", 0);
	STAGE(calls_function(o) || o->mode <= LEAT_STAGE_SERIAL,
	      "mode is %d; here it can only be serial", (int)o->mode);
	STAGE(o->mode <= LEAT_STAGE_SERIAL || o->workers > 0, "workers is %d; it must be > 0",
	      o->workers);
	STAGE(o->mode > LEAT_STAGE_SERIAL || o->workers == 0 || o->workers == 1,
	      "workers is %d, but it is serial", o->workers);
	STAGE(!ordered || o->kind == LEAT__MAP || o->kind == LEAT__FLAT,
	      "mode is ordered (%d), which only a map or a flat function can be", (int)o->mode);
	STAGE(!ordered || o->window > 0, "window is %zu; ordered it must be > 0", o->window);
	STAGE(ordered || o->window == 0, "window is %zu, but it is not ordered", o->window);
	STAGE((ordered && o->kind == LEAT__FLAT) == (o->ahead > 0),
	      "ahead is %zu; it must be > 0 for a flat function in order, and 0 for others", o->ahead);
	STAGE(!ordered || fits_in_memory(o), "window is %zu, ahead %zu; that is more than memory",
	      o->window, o->ahead);
	STAGE(o->gap_after == 0 || o->kind == LEAT__MAP, "gap_after is %lld ns; it is for maps",
	      (long long)o->gap_after);
	STAGE(o->gap_after >= 0 && (ordered || o->gap_after == 0),
	      "gap_after is %lld ns; it must be >= 0, and 0 unless ordered", (long long)o->gap_after);
	STAGE((o->gap_after > 0) == (o->gap != NULL), "gap_after is %lld, gap %s given",
	      (long long)o->gap_after, o->gap ? "is" : "is not");
	STAGE(keyed == (o->key != NULL), "mode is %d; key must be given if it is keyed, and only then",
	      (int)o->mode);
	return 0;
}

static int check_kind(const leat_pipeline *p, const leat_stage_options *o)
{
	bool fails = leat__stage_may_fail(o);
	bool batch = o->kind == LEAT__BATCH, weighs = o->kind == LEAT__SOURCE || batch ||
						      o->kind == LEAT__FROM;
	bool needs = fails || o->clone || o->kind == LEAT__FANS + LEAT__FAN_ZIP;

	STAGE(!needs || o->on_error == LEAT_ERROR_STOP || o->on_error == LEAT_ERROR_COUNT,
	      "on_error is %d; give LEAT_ERROR_STOP or LEAT_ERROR_COUNT", (int)o->on_error);
	STAGE(needs || o->on_error == 0, "on_error is %d, but %s calls nothing that might fail and "
	      "not stop all", (int)o->on_error, o->name);
	STAGE(!batch || o->items > 0, "items is %zu; it must be > 0", o->items);
	STAGE(batch || (o->items == 0 && o->wait == 0 && o->weight == 0),
	      "items is %zu, wait %lld, weight %llu; they are for batches", o->items,
	      (long long)o->wait, (unsigned long long)o->weight);
	STAGE(!batch || o->wait > 0, "wait is %lld ns; it must be > 0, or LEAT_FOREVER",
	      (long long)o->wait);
	STAGE(!batch || o->wait != LEAT_FOREVER || p->o.live_bytes == 0,
	      "wait is LEAT_FOREVER, but live_bytes is %lld: for want of bytes the last item of a batch "
	      "might not come; give a time", (long long)p->o.live_bytes);
	STAGE(!batch || (o->weight > 0) == (o->weigh != NULL),
	      "weight is %llu; weigh must be given with it, and only then",
	      (unsigned long long)o->weight);
	STAGE(weighs || !o->weigh, "weigh is given; it is for sources and batches, not %s", o->name);
	STAGE(o->kind > LEAT__FROM || (p->o.live_bytes > 0) == (o->weigh != NULL),
	      "live_bytes is %lld; weigh must be given with it, and only then",
	      (long long)p->o.live_bytes);
	STAGE(!o->rate || calls_function(o) || o->kind == LEAT__TO || o->kind <= LEAT__FROM,
	      "rate is given, which %s cannot have", o->name);
	STAGE(!o->retry || calls_function(o), "retry is given, which %s cannot have", o->name);
	STAGE(!o->retry || leat__retry_check(o->retry) == 0, "retry is bad, as said before%s", "");
	STAGE(!o->failed || fails, "failed is given, but %s does not fail", o->name);
	STAGE(!o->drop || (o->kind != LEAT__SINK && o->kind != LEAT__TO),
	      "drop is given, but %s hands nothing on; the stage before drops what it does not take",
	      o->name);
	return 0;
}

static int check_fan(const leat_stage_options *o)
{
	int kind = o->kind - LEAT__FANS;
	bool ends = kind == LEAT__FAN_MERGE || kind == LEAT__FAN_BALANCE ||
		    kind == LEAT__FAN_BROADCAST || kind == LEAT__FAN_PARTITION;

	STAGE(!ends || o->end == LEAT_FAN_ALL || o->end == LEAT_FAN_ANY,
	      "end is %d; give LEAT_FAN_ALL or LEAT_FAN_ANY", (int)o->end);
	STAGE(ends || o->end == 0, "end is %d, but this one has one end", (int)o->end);
	STAGE(kind == LEAT__FAN_BROADCAST || !o->clone, "clone is given, but %s copies nothing",
	      o->name);
	return 0;
}

int leat__stage_check(const leat_pipeline *p, const leat_stage_options *o)
{
	OPTION("leat_pipeline", o->name, "a stage has no name; give one");
	STAGE(o->in_size <= LEAT_ITEM_MAX && o->out_size <= LEAT_ITEM_MAX,
	      "an item has more than %d bytes; pass a pointer", LEAT_ITEM_MAX);
	STAGE(o->buffer <= SIZE_MAX / 4096, "buffer is %zu; that is more than memory", o->buffer);
	STAGE(o->kind != LEAT__REDUCE || o->state, "init is NULL%s; give what it adds up from", "");
	STAGE(o->kind != LEAT__CONFLATE || o->in_size == o->out_size,
	      "it merges items of %zu bytes into another type", o->in_size);
	STAGE(o->kind > LEAT__FROM || o->buffer == 0, "buffer is %zu; a source has none", o->buffer);
	STAGE(o->kind > LEAT__FROM || o->workers == 0, "workers is %d; a source has none", o->workers);
	if (check_mode(o) < 0 || check_fan(o) < 0)
		return -EINVAL;
	return check_kind(p, o);
}
