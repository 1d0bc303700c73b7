/* What all pieces of fan-out and fan-in share: start, receive, send, end. */
#include "patterns/fan.h"

#include <string.h>

#include <leat/extend.h>

#include "patterns/options.h"

static void add(_Atomic uint64_t *counter, int64_t n)
{
	/* Release: pairs with the acquire in leat_fan_ledger. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) +
					       (uint64_t)n, memory_order_release);
}

void leat__fan_received(struct leat_fan *f, void *item)
{
	add(&f->received, 1);
	add(&f->held, 1);
	if (f->ops)
		f->ops->received(f, item);
}

static int received(struct leat_fan *f, size_t i, void *item, int r)
{
	if (r == 0) {
		leat__fan_received(f, item);
	} else if (r == LEAT_ECLOSED && !f->in_gone[i]) {
		f->in_gone[i] = true;
		f->ins_left--;
	}
	return r;
}

int leat__fan_recv_from(struct leat_fan *f, leat_channel *from, void *item)
{
	int r = leat_channel_recv(from, item, INT64_MIN);

	if (r == -ETIMEDOUT) {
		leat__meter_enter(&f->meter, LEAT_STAGE_STARVED);
		r = leat_channel_recv(from, item, LEAT_FOREVER);
		leat__meter_enter(&f->meter, LEAT_STAGE_BUSY);
	}
	return r;
}

int leat__fan_recv(struct leat_fan *f, size_t i, void *item)
{
	return received(f, i, item, leat__fan_recv_from(f, f->in[i], item));
}

int leat__fan_recv_second(struct leat_fan *f, void *item)
{
	return f->ops ? leat__fan_recv(f, 1, item) : leat__fan_recv_from(f, f->in[1], item);
}

int leat__fan_select(struct leat_fan *f, leat_case *cases, size_t n, enum leat_stage_state waits)
{
	int i;

	cases[n] = leat_case_default;
	i = leat_select_cases(cases, n + 1);
	if (i == LEAT_DEFAULT) {
		leat__meter_enter(&f->meter, waits);
		i = leat_select_cases(cases, n);
		leat__meter_enter(&f->meter, LEAT_STAGE_BUSY);
	}
	return i;
}

int leat__fan_recv_any(struct leat_fan *f, void *item, size_t *ret_i)
{
	leat_case cases[LEAT_FAN_MAX + 1];
	int i;

	/* A case without a channel is never ready. */
	for (size_t k = 0; k < f->nins; k++)
		cases[k] = leat_recv_case(f->in_gone[k] ? NULL : f->in[k], item, NULL);
	i = leat__fan_select(f, cases, f->nins, LEAT_STAGE_STARVED);
	if (i < 0)
		return i;
	*ret_i = (size_t)i;
	return received(f, (size_t)i, item, cases[i].status);
}

static int sent(struct leat_fan *f, size_t i, int r)
{
	if (r == LEAT_ECLOSED && !f->out_gone[i]) {
		f->out_gone[i] = true;
		f->outs_left--;
	}
	return r;
}

int leat__fan_send(struct leat_fan *f, size_t i, void *item)
{
	int r;

	if (f->out_gone[i])
		return LEAT_ECLOSED;
	if (f->ops)
		f->ops->sending(f, i, item);
	r = leat_channel_send(f->out[i], item, INT64_MIN);
	if (r == -ETIMEDOUT) {
		leat__meter_enter(&f->meter, LEAT_STAGE_BLOCKED);
		r = leat_channel_send(f->out[i], item, LEAT_FOREVER);
		leat__meter_enter(&f->meter, LEAT_STAGE_BUSY);
	}
	return sent(f, i, r);
}

int leat__fan_send_any(struct leat_fan *f, void *item)
{
	leat_case cases[LEAT_FAN_MAX + 1];
	int i, r = LEAT_ECLOSED;

	if (f->ops)
		f->ops->sending(f, f->nouts, item);
	while (r == LEAT_ECLOSED && f->outs_left > 0) {
		for (size_t k = 0; k < f->nouts; k++)
			cases[k] = leat_send_case(f->out_gone[k] ? NULL : f->out[k], item, NULL);
		i = leat__fan_select(f, cases, f->nouts, LEAT_STAGE_BLOCKED);
		r = i < 0 ? i : sent(f, (size_t)i, cases[i].status);
		if (r == LEAT_ECLOSED && !leat__fan_goes_on(f))
			break;
	}
	return r;
}

void leat__fan_drop(struct leat_fan *f, enum leat__fan_part part, void *item, int r)
{
	void (*drop)(void *) = part == LEAT__FAN_SECOND ? f->o.drop_second
			       : part == LEAT__FAN_OUT	? f->o.drop_out
							: f->o.drop;

	if (f->ops)
		f->ops->drop(f, part, item, r);
	else if (drop && part != LEAT__FAN_PAIRED)
		drop(item);
}

void leat__fan_end(struct leat_fan *f, void *item, int r)
{
	if (r < 0)
		leat__fan_drop(f, LEAT__FAN_FIRST, item, r);
	leat__fan_count(f, r);
}

void leat__fan_count(struct leat_fan *f, int r)
{
	if (r < 0 && f->ops)
		r = f->ops->reason(f, r);
	add(&f->held, -1);
	add(r == 0		? &f->sent
	    : r == LEAT_ECLOSED ? &f->unwanted
	    : r == -ECANCELED	? &f->cancelled
				: &f->failed, 1);
}

void leat__fan_merged(struct leat_fan *f)
{
	add(&f->held, -1);
	add(&f->merged, 1);
}

bool leat__fan_is_place(const struct leat_fan *f, const void *item)
{
	return f->ops && f->ops->is_place(item);
}

void leat__fan_leave_out(struct leat_fan *f, enum leat__fan_part part, void *item)
{
	add(&f->held, -1);
	f->ops->leave_out(f, part, item);
}

int leat__fan_send_place(struct leat_fan *f, size_t i)
{
	LEAT__FAN_ITEM(place);

	return f->ops && f->ops->place(f, i, place) ? leat__fan_send(f, i, place) : 0;
}

bool leat__fan_goes_on(const struct leat_fan *f)
{
	if (f->ins_left == 0 || f->outs_left == 0)
		return false;
	return f->o.end != LEAT_FAN_ANY || (f->ins_left == f->nins && f->outs_left == f->nouts);
}

int leat__fan_failed(struct leat_fan *f, int r)
{
	return f->ops && r != LEAT_ECLOSED ? f->ops->failed(f, r) : r;
}

int leat__fan_run(struct leat_fan *f)
{
	static int (*const piece[])(struct leat_fan *) = {
		leat__fan_merge, leat__fan_merge_ordered, leat__fan_concat, leat__fan_zip,
		leat__fan_balance, leat__fan_broadcast, leat__fan_partition, leat__fan_take,
		leat__fan_or_done, leat__fan_bridge, leat__fan_conflate,
	};

	return piece[f->o.kind](f);
}

static int run_task(void *args)
{
	struct leat_fan *f = *(struct leat_fan **)args;
	int r;

	leat__meter_enter(&f->meter, LEAT_STAGE_BUSY);
	r = leat__fan_run(f);
	for (size_t i = 0; i < f->nins; i++)
		leat_channel_abandon(f->in[i]);
	for (size_t i = 0; i < f->nouts; i++)
		leat_channel_close(f->out[i]);
	leat__meter_stop(&f->meter);
	atomic_store(&f->ended, leat_now());
	return r == LEAT_ECLOSED ? 0 : r;
}

static const leat_task_type fan_type = { "fan", run_task, sizeof(struct leat_fan *) };

static const char *const function_of[] = {
	[LEAT__FAN_MERGE] = "leat_merge",
	[LEAT__FAN_ORDERED] = "leat_merge_ordered",
	[LEAT__FAN_CONCAT] = "leat_concat",
	[LEAT__FAN_ZIP] = "leat_zip",
	[LEAT__FAN_BALANCE] = "leat_balance",
	[LEAT__FAN_BROADCAST] = "leat_broadcast", /* a tee is one */
	[LEAT__FAN_PARTITION] = "leat_partition",
	[LEAT__FAN_TAKE] = "leat_take",
	[LEAT__FAN_OR_DONE] = "leat_or_done",
	[LEAT__FAN_BRIDGE] = "leat_bridge",
	[LEAT__FAN_CONFLATE] = "leat_conflate",
};

/* o is the piece's. */
#define BAD(ok, fmt, ...)                                                     \
	OPTION("%s", ok, "%s%s" fmt, function_of[o->kind], o->name ? o->name : "", \
	       o->name ? ": " : "", ##__VA_ARGS__)

static int check_options(const leat_fan_options *o, size_t nins, size_t nouts)
{
	bool ends = o->kind == LEAT__FAN_MERGE || o->kind == LEAT__FAN_BALANCE ||
		    o->kind == LEAT__FAN_BROADCAST || o->kind == LEAT__FAN_PARTITION;

	BAD(nins > 0 && nins <= LEAT_FAN_MAX, "%zu inputs; it must be 1 to %d", nins, LEAT_FAN_MAX);
	BAD(nouts > 0 && nouts <= LEAT_FAN_MAX, "%zu outputs; it must be 1 to %d", nouts,
	    LEAT_FAN_MAX);
	BAD(o->item_size <= LEAT_FAN_ITEM_MAX && o->out_size <= LEAT_FAN_ITEM_MAX &&
		    (o->kind != LEAT__FAN_ZIP || o->n <= LEAT_FAN_ITEM_MAX),
	    "an item has more than %d bytes; send a pointer", LEAT_FAN_ITEM_MAX);
	BAD(!ends || o->end == LEAT_FAN_ALL || o->end == LEAT_FAN_ANY,
	    "end is %d; give LEAT_FAN_ALL or LEAT_FAN_ANY", (int)o->end);
	BAD(ends || o->end == 0, "end is %d, but this piece has one end", (int)o->end);
	BAD(o->kind == LEAT__FAN_BROADCAST || !o->clone, "clone is given, but nothing is copied");
	BAD(o->kind != LEAT__FAN_BROADCAST || !o->drop || o->clone,
	    "drop is given without clone; copies of the bytes would be dropped twice");
	BAD(o->kind == LEAT__FAN_ZIP || (!o->drop_second && !o->drop_out),
	    "drop_second or drop_out is given; they are for zip");
	return 0;
}

/* A cycle, or a channel twice: it would be closed twice. */
static int check_channels(const struct leat_fan *f)
{
	const leat_fan_options *o = &f->o;

	for (size_t i = 0; i < f->nins; i++)
		BAD(f->in[i], "input %zu is NULL", i);
	BAD(o->kind != LEAT__FAN_OR_DONE || f->done, "done is NULL; without it, use the group's cancel");
	BAD(!f->done || f->done != f->in[0], "done is the input; what came out would be lost");
	for (size_t k = 0; k < f->nouts; k++) {
		BAD(f->out[k], "output %zu is NULL", k);
		BAD(f->out[k] != f->done, "output %zu is done; it would be closed for all", k);
		for (size_t i = 0; i < f->nins; i++)
			BAD(f->out[k] != f->in[i], "a cycle: output %zu is input %zu", k, i);
		for (size_t i = 0; i < k; i++)
			BAD(f->out[k] != f->out[i], "output %zu is output %zu", k, i);
	}
	return 0;
}

static void release(struct leat_fan *f)
{
	for (size_t i = 0; i < f->nins; i++)
		leat_channel_unref(f->in[i]);
	for (size_t i = 0; i < f->nouts; i++)
		leat_channel_unref(f->out[i]);
	leat_channel_unref(f->done);
	leat_free(f, sizeof(*f));
}

int leat_fan_start(leat_fan **ret_fan, leat_group *group, const void *ins, size_t nins,
		   const void *outs, size_t nouts, const leat_fan_options *options)
{
	struct leat_fan *f;
	int r;

	if (!options || options->size != sizeof(*options))
		leat_misuse(__func__, options, "the size is not set; use leat_merge, ...");
	if (!group)
		leat_misuse(function_of[options->kind], NULL, "the group is NULL; give one, whose "
			    "owner waits for it and destroys the piece then");
	*ret_fan = NULL;
	r = check_options(options, nins, nouts);
	if (r < 0)
		return r;
	f = leat_alloc(sizeof(*f));
	if (!f)
		return -ENOMEM;
	memset(f, 0, sizeof(*f));
	f->o = *options;
	/* Typed handles are pointers of other types. */
	memcpy(f->in, ins, nins * sizeof(f->in[0]));
	memcpy(f->out, outs, nouts * sizeof(f->out[0]));
	if (f->o.kind == LEAT__FAN_OR_DONE) {
		f->done = f->in[1]; /* it is not the piece's to abandon */
		nins = 1;
	}
	f->nins = f->ins_left = nins;
	f->nouts = f->outs_left = nouts;
	r = check_channels(f);
	if (r < 0) {
		leat_free(f, sizeof(*f));
		return r;
	}
	for (size_t i = 0; i < nins; i++)
		leat_channel_ref(f->in[i]);
	for (size_t i = 0; i < nouts; i++)
		leat_channel_ref(f->out[i]);
	if (f->done)
		leat_channel_ref(f->done);
	atomic_store(&f->began, leat_now());
	r = leat_spawn(group, &fan_type, &f, LEAT_TASK_OPTIONS(.name = f->o.name));
	if (r < 0)
		release(f);
	else
		*ret_fan = f;
	return r;
}

int leat_fan_ledger(leat_fan *f, leat_ledger *ret_ledger)
{
	leat_ledger l = { 0 };

	/* The ends first: see leat/ledger.h. */
	l.out = atomic_load_explicit(&f->sent, memory_order_acquire);
	l.dropped[LEAT_DROPPED_UNWANTED] = atomic_load_explicit(&f->unwanted, memory_order_acquire);
	l.dropped[LEAT_DROPPED_MERGED] = atomic_load_explicit(&f->merged, memory_order_acquire);
	l.failed = atomic_load_explicit(&f->failed, memory_order_acquire);
	l.cancelled = atomic_load_explicit(&f->cancelled, memory_order_acquire);
	l.in_flight = atomic_load_explicit(&f->held, memory_order_acquire);
	l.in = atomic_load_explicit(&f->received, memory_order_acquire);
	return leat__fill(ret_ledger, &l, sizeof(l));
}

int leat_fan_stats(leat_fan *f, leat_stage_stats *ret_stats)
{
	leat_stage_stats s = { .name = f->o.name, .workers = 1 };
	int64_t ended = atomic_load(&f->ended), now = ended != 0 ? ended : leat_now();
	int64_t time[LEAT__METER_STATES] = { 0 };

	s.elapsed = now - atomic_load(&f->began);
	s.items = atomic_load(&f->received);
	leat__meter_read(&f->meter, time, now);
	leat__stats_finish(&s, time, &f->none, &f->none);
	return leat__fill(ret_stats, &s, sizeof(s));
}

void leat_fan_destroy(leat_fan *f, leat_ledger *ret_ledger)
{
	if (!f)
		return;
	if (atomic_load(&f->ended) == 0)
		leat_misuse(__func__, f, "it still runs; wait for its group first");
	if (ret_ledger)
		(void)leat_fan_ledger(f, ret_ledger);
	release(f);
}
