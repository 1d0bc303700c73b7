/*
 * Ordered stages: what is done waits for what came before it.
 *
 * Items are numbered as they came (leat_channel_recv_numbered).  The window has a slot for each of
 * those from the next in order on.  Who has done one puts what it has made into the slot, and goes
 * on; whoever finds that the next slot in order is full hands on from there, one task at a time.
 *
 * A worker whose item is size (the option window) or more behind the next waits then, with nothing
 * in its hands, before it takes another.  (With the item in its hands it would be needed by the
 * others: then all wait for one that has been woken and does not run yet.)  So slots for size +
 * workers are enough.
 *
 * turn is one word: the number of the next item, BUSY while a task hands on, WANTED while others
 * wait for a change.  A slot is written by the worker of its item, and then by who is BUSY.
 *
 *	put	V1 with gaps: claim the slot; else the item is late
 *		V2 it is next, and nobody BUSY: set BUSY; V5 without the slot
 *		V3 fill the slot
 *		V4 V2 again, from the slot; else who is BUSY hands it on, or will be
 *	hand on	V5 send
 *		V6 empty the slot; next + 1; unless the slot of that is full, clear BUSY
 *		V7 it is full now: V5, if BUSY has been cleared by V2
 *	wait	V8 under the lock: set WANTED; the change has come: done; else wait for moved
 *	wake	V9 V6 has found WANTED: under the lock clear it, and wake all
 *
 * Nothing full is left: V3 fills the slot and V4 looks at turn, V6 changes turn and V7 looks at the
 * slot; all four are sequentially consistent, so one of them sees the other.  No wake-up is lost:
 * V8 and V6 change one word, so either V6 finds WANTED or V8 finds what V6 has changed.
 *
 * A flat function emits into its item's slot, which has place for ahead values.  When these are
 * full it waits for its turn: all before it have been handed on, and nobody is BUSY.  Then it is,
 * and hands on itself, first what is in the slot; so the first in order never waits for another,
 * and the window needs no more memory than it was made with.
 *
 * With gap_after a watcher (one more task) claims the slot of the next item when that has been the
 * next for so long, and puts a marker there; when the item itself comes, it is late.
 */
#include "patterns/pipeline.h"

#include <string.h>

#include <leat/extend.h>

/* PLACE: a gap's marker, or an empty place, neither of which counts as an item. */
enum state { EMPTY, MADE, NOTHING, PLACE };

enum { BUSY = 1, WANTED = 2, STEP = 4 };

struct slot {
	_Atomic int state;	/* enum state; n and env are read when it is not EMPTY */
	_Atomic uint64_t claim;	/* with gaps: the number of the item that may claim it */
	size_t n;		/* of a flat function: values */
	struct leat__env env;	/* with out_size bytes; of a flat function, ahead of them */
};

struct leat__window {
	leat_mutex lock;
	leat_cond moved;	/* turn has changed, an item was taken, or the pipeline stopped */
	size_t nslots, stride, bytes; /* (c) */
	char apart[LEAT__APART];
	_Atomic uint64_t turn;	/* next * STEP + BUSY + WANTED */
	_Atomic uint64_t left;	/* (BUSY) items that were in a slot, and have left it */
	char apart2[LEAT__APART];
	char slots[] __attribute__((aligned(16)));
};

static struct slot *slot_of(struct leat_stage *s, uint64_t seq)
{
	return (struct slot *)(s->window->slots + seq % s->window->nslots * s->window->stride);
}

static struct leat__env *value_of(struct leat_stage *s, struct slot *slot, size_t i)
{
	return (struct leat__env *)((char *)&slot->env + i * leat__env_size(s->o.out_size));
}

int leat__window_create(struct leat_stage *s)
{
	size_t values = s->o.ahead > 0 ? s->o.ahead : 1;
	size_t stride = sizeof(struct slot) + values * leat__env_size(s->o.out_size);
	size_t nslots = s->o.window + (size_t)s->workers;
	size_t bytes = sizeof(struct leat__window) + nslots * stride;
	struct leat__window *win = leat_alloc(bytes);

	if (!win)
		return -ENOMEM;
	memset(win, 0, bytes);
	win->nslots = nslots;
	win->stride = stride;
	win->bytes = bytes;
	s->window = win;
	for (size_t i = 0; i < nslots; i++)
		atomic_init(&slot_of(s, i)->claim, i);
	return 0;
}

void leat__window_free(struct leat_stage *s)
{
	if (s->window)
		leat_free(s->window, s->window->bytes);
}

static bool is_full(struct slot *slot)
{
	return atomic_load(&slot->state) != EMPTY;
}

/* V9, also for what else is waited for. */
void leat__window_wake(struct leat_stage *s)
{
	struct leat__window *win = s->window;

	leat_mutex_lock(&win->lock);
	atomic_fetch_and(&win->turn, ~(uint64_t)WANTED);
	leat_cond_broadcast(&win->moved);
	leat_mutex_unlock(&win->lock);
}

/* V2, V4, V7: whether it was the turn of seq; then this task is BUSY. */
static bool try_turn(struct leat__window *win, uint64_t seq)
{
	uint64_t turn = atomic_load(&win->turn);

	while (turn / STEP == seq && !(turn & BUSY))
		if (atomic_compare_exchange_weak(&win->turn, &turn, turn | BUSY))
			return true;
	return false;
}

/* Of who is BUSY: what a flat function has put into its slot. */
static void send_values(struct leat__stage_worker *w, struct slot *slot)
{
	struct leat_stage *s = w->stage;

	for (size_t i = 0; i < slot->n; i++)
		(void)leat__stage_send(w, value_of(s, slot, i));
	slot->n = 0;
}

/* V5.  env: the item, in the slot or not. */
static void send_item(struct leat__stage_worker *w, struct slot *slot, enum state state,
		      struct leat__env *env)
{
	enum leat__end end;

	send_values(w, slot);
	if (state == NOTHING)
		return;
	end = leat__stage_send(w, env);
	if (state == MADE && env != &slot->env) {
		leat__did(w, end, 1);
	} else if (state == MADE) {
		leat__count(&w->stage->window->left);
		leat__count(&w->did.n[end]);
	}
}

/* From V5 on, with item seq; BUSY is this task's. */
static void hand_on(struct leat__stage_worker *w, uint64_t seq, struct slot *slot, enum state state,
		    struct leat__env *env)
{
	struct leat_stage *s = w->stage;
	uint64_t old;
	bool next;

	for (;;) {
		send_item(w, slot, state, env);
		/* Relaxed: who fills it next has seen turn, which is changed after it. */
		atomic_store_explicit(&slot->state, EMPTY, memory_order_relaxed);
		slot = slot_of(s, ++seq);
		next = is_full(slot);
		old = atomic_fetch_add(&s->window->turn, next ? STEP : STEP - BUSY); /* V6 */
		if (old & WANTED)
			leat__window_wake(s);
		if (!next && !(is_full(slot) && try_turn(s->window, seq))) /* V7 */
			return;
		state = (enum state)atomic_load_explicit(&slot->state, memory_order_relaxed);
		env = &slot->env;
	}
}

/* The next is less than the window's size before item seq. */
static bool has_room(struct leat_stage *s, uint64_t seq)
{
	uint64_t next = atomic_load(&s->window->turn) / STEP;

	return (int64_t)(seq - next) < (int64_t)s->o.window;
}

/* Item seq has place for one more value, or its turn, and keeps it; or the pipeline is stopped. */
static bool may_emit(struct leat_stage *s, uint64_t seq)
{
	uint64_t turn = atomic_load(&s->window->turn);

	return slot_of(s, seq)->n < s->o.ahead || (turn / STEP == seq && !(turn & BUSY)) ||
	       leat__pipeline_how(s->p) >= LEAT__ENOUGH;
}

/* What w waits for: who is BUSY and hands on; or that the next item is done. */
static void meter_wait(struct leat__stage_worker *w, enum leat_stage_limit limit)
{
	bool is_busy = atomic_load(&w->stage->window->turn) & BUSY;

	leat__meter_is_in(&w->meter, is_busy ? (int)LEAT_STAGE_BLOCKED : leat__limited(limit));
}

/* V8, until item seq may go on.  0, or -ECANCELED. */
static int wait_until(struct leat__stage_worker *w, bool (*may)(struct leat_stage *s, uint64_t seq),
		      uint64_t seq, enum leat_stage_limit limit)
{
	struct leat_stage *s = w->stage;
	struct leat__window *win = s->window;
	int r = 0;

	if (may(s, seq))
		return 0;
	leat_mutex_lock(&win->lock);
	atomic_fetch_or(&win->turn, WANTED);
	while (r == 0 && !may(s, seq)) {
		meter_wait(w, limit);
		r = leat_cond_wait(&win->moved, &win->lock);
		atomic_fetch_or(&win->turn, WANTED);
	}
	leat_mutex_unlock(&win->lock);
	leat__meter_enter(&w->meter, LEAT_STAGE_BUSY);
	return r;
}

/* V1.  false: it is late. */
static bool claim(struct leat_stage *s, uint64_t seq)
{
	uint64_t mine = seq, next = seq + s->window->nslots;

	return s->o.gap_after == 0 ||
	       atomic_compare_exchange_strong(&slot_of(s, seq)->claim, &mine, next);
}

/* V2 to V4.  The slot is this task's. */
static void fill(struct leat__stage_worker *w, uint64_t seq, enum state state,
		 struct leat__env *env)
{
	struct leat_stage *s = w->stage;
	struct slot *slot = slot_of(s, seq);

	if (try_turn(s->window, seq)) {
		hand_on(w, seq, slot, state, env);
		return;
	}
	if (env)
		memcpy(&slot->env, env, sizeof(*env) + s->o.out_size);
	if (state == MADE) {
		leat__add(&w->held, (uint64_t)-1);
		leat__count(&w->put);
	}
	/* An exchange, since under QEMU a later load may come before such a store. */
	(void)atomic_exchange(&slot->state, (int)state);
	if (try_turn(s->window, seq))
		hand_on(w, seq, slot, state, &slot->env);
}

void leat__window_put(struct leat__stage_worker *w, uint64_t seq, struct leat__env *out)
{
	enum state state = !out ? NOTHING : leat__is_left_out(out) ? PLACE : MADE;
	struct leat_stage *s = w->stage;

	if (claim(s, seq)) {
		fill(w, seq, state, out);
	} else if (state == MADE) {
		leat__flow_drop(s->out, &w->ends, out, LEAT__END_LATE);
		leat__did(w, LEAT__END_LATE, 1);
	}
	/* Cancelled, it takes no more: so the slots are enough. */
	(void)wait_until(w, has_room, seq, LEAT_LIMIT_WINDOW);
}

/* It is the turn of the item that emits.  None waits for the end of that: its slot is not full. */
static int emit_now(struct leat__stage_worker *w, struct slot *slot, struct leat__env *out)
{
	int r;

	send_values(w, slot);
	r = leat__stage_try_hand_on(w, out);
	atomic_fetch_sub(&w->stage->window->turn, BUSY);
	return r;
}

int leat__window_emit(struct leat__stage_worker *w, uint64_t seq, struct leat__env *out)
{
	struct leat_stage *s = w->stage;
	struct slot *slot = slot_of(s, seq);
	int r = wait_until(w, may_emit, seq, LEAT_LIMIT_AHEAD);

	if (r < 0)
		return r;
	if (try_turn(s->window, seq))
		return emit_now(w, slot, out);
	if (slot->n == s->o.ahead)
		return LEAT_ECLOSED;
	memcpy(value_of(s, slot, slot->n++), out, sizeof(*out) + s->o.out_size);
	return 0;
}

/* The next item has been waited for long enough. */
static void put_gap(struct leat__stage_worker *w, uint64_t seq)
{
	struct leat_stage *s = w->stage;
	LEAT__ENV(out);

	if (!claim(s, seq))
		return;
	*out = (struct leat__env){ .token = NULL };
	memset(out->item, 0, s->o.out_size);
	s->o.gap(out->item);
	fill(w, seq, PLACE, out);
}

static void watch(struct leat__stage_worker *w)
{
	struct leat_stage *s = w->stage;
	struct leat__window *win = s->window;
	uint64_t head, taken;
	int64_t deadline;
	int r = 0;

	leat_mutex_lock(&win->lock);
	while (r != -ECANCELED && leat__pipeline_how(s->p) < LEAT__ENOUGH) {
		head = atomic_fetch_or(&win->turn, WANTED) / STEP; /* V8 */
		leat_channel_totals(s->in->chan, NULL, &taken);
		if (head == taken) {
			if (atomic_load(&s->alive) == 1)
				break;
			r = leat_cond_wait(&win->moved, &win->lock);
			continue;
		}
		deadline = leat_in(s->o.gap_after);
		do
			r = leat_cond_wait_until(&win->moved, &win->lock, deadline);
		while (r == 0 && atomic_fetch_or(&win->turn, WANTED) / STEP == head);
		if (r != -ETIMEDOUT)
			continue;
		leat_mutex_unlock(&win->lock);
		put_gap(w, head);
		leat_mutex_lock(&win->lock);
	}
	leat_mutex_unlock(&win->lock);
}

static int run_watcher(void *args)
{
	struct leat__stage_worker *w = *(struct leat__stage_worker **)args;

	watch(w);
	leat__meter_stop(&w->meter);
	leat__stage_leave(w->stage);
	return 0;
}

static const leat_task_type watcher_type = { "stage watcher", run_watcher,
					     sizeof(struct leat__stage_worker *) };

int leat__window_start(struct leat_stage *s)
{
	return s->o.gap_after > 0 ? leat__stage_spawn(s, &watcher_type) : 0;
}

uint64_t leat__window_held(struct leat_stage *s)
{
	/* Acquire: pairs with leat__count.  What has left it has been counted in before that. */
	uint64_t n = -atomic_load_explicit(&s->window->left, memory_order_acquire);

	leat_mutex_lock(&s->lock);
	for (struct leat__stage_worker *w = s->all; w; w = w->next)
		n += atomic_load_explicit(&w->put, memory_order_acquire);
	leat_mutex_unlock(&s->lock);
	return n;
}

void leat__window_drain(struct leat_stage *s)
{
	enum leat__end end = leat__stopped_end(s->p);

	for (size_t i = 0; i < s->window->nslots; i++) {
		struct slot *slot = slot_of(s, i);

		for (size_t k = 0; k < slot->n; k++)
			leat__flow_drop(s->out, &s->p->rest, value_of(s, slot, k), end);
		slot->n = 0;
		if (slot->state == MADE || slot->state == PLACE)
			leat__flow_drop(s->out, &s->p->rest, &slot->env, end);
		if (slot->state == MADE) {
			leat__count(&s->window->left);
			leat__count(&s->rest.n[end]);
		}
		slot->state = EMPTY;
	}
}
