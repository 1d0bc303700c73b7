/*
 * Ordered stages: what is done waits for what came before it.
 *
 * The window has a slot for each of the next size items, by their number, which they get when they
 * are taken.  Who has done one puts what it has made into the slot, and goes on; whoever finds that
 * the next slot in order is full hands on from there, one task at a time.  A worker waits only
 * if its item's number is beyond the window.
 *
 * A flat function emits into its item's slot, which has place for ahead values.  When these are
 * full it waits for its turn: all before it have been handed on, and nobody else hands on.  Then it
 * hands on itself, first what is in the slot; so the first in order never waits for another, and
 * the window needs no more memory than it was made with.
 *
 * With gap_after a watcher (one more task) puts a marker into the slot of the next item when that
 * has been the next for so long; when the item itself comes, its number has gone by: it is late.
 */
#include "patterns/pipeline.h"

#include <string.h>

#include <leat/extend.h>

/* PLACE: a gap's marker, or an empty place, neither of which counts as an item. */
enum state { EMPTY, MADE, NOTHING, PLACE };

struct slot {
	int state;		/* (W) enum state */
	size_t n;		/* (W) of a flat function: values */
	struct leat__env env;	/* (W) with out_size bytes; of a flat function, ahead of them */
};

struct leat__window {
	leat_mutex lock;
	leat_cond room;		/* next has gone on, or the pipeline is stopped */
	leat_cond moved;	/* for the watcher: that, or an item has been taken */
	size_t stride, bytes;	/* (c) */
	uint64_t next;		/* (W) the number of the next in order */
	uint64_t held;		/* (W) items in it, also the one that is being handed on */
	bool handing_on;	/* (W) a task does */
	char slots[] __attribute__((aligned(16))); /* (W) o.window of them */
};

static struct slot *slot_of(struct leat_stage *s, uint64_t seq)
{
	return (struct slot *)(s->window->slots + seq % s->o.window * s->window->stride);
}

static size_t env_size(const struct leat_stage *s)
{
	return (sizeof(struct leat__env) + s->o.out_size + 15) & ~(size_t)15;
}

static struct leat__env *value_of(struct leat_stage *s, struct slot *slot, size_t i)
{
	return (struct leat__env *)((char *)&slot->env + i * env_size(s));
}

int leat__window_create(struct leat_stage *s)
{
	size_t values = s->o.ahead > 0 ? s->o.ahead : 1;
	size_t stride = sizeof(struct slot) + values * env_size(s);
	size_t bytes = sizeof(struct leat__window) + s->o.window * stride;
	struct leat__window *w = leat_alloc(bytes);

	if (!w)
		return -ENOMEM;
	memset(w, 0, bytes);
	w->stride = stride;
	w->bytes = bytes;
	s->window = w;
	return 0;
}

void leat__window_free(struct leat_stage *s)
{
	if (s->window)
		leat_free(s->window, s->window->bytes);
}

/* Under the lock, which is free meanwhile: what a flat function has put into its slot. */
static void send_values(struct leat__stage_worker *w, struct slot *slot)
{
	struct leat_stage *s = w->stage;
	LEAT__ENV(out);

	for (size_t i = 0; i < slot->n; i++) {
		memcpy(out, value_of(s, slot, i), sizeof(*out) + s->o.out_size);
		leat_mutex_unlock(&s->window->lock);
		(void)leat__stage_send(w, out);
		leat_mutex_lock(&s->window->lock);
	}
	slot->n = 0;
}

/* Under the lock, which is free while an item is handed on. */
static void hand_on(struct leat__stage_worker *w)
{
	struct leat_stage *s = w->stage;
	struct leat__window *win = s->window;
	struct slot *slot;
	enum leat__end end;
	enum state state;
	LEAT__ENV(out);

	win->handing_on = true;
	while ((slot = slot_of(s, win->next))->state != EMPTY) {
		send_values(w, slot);
		state = (enum state)slot->state;
		memcpy(out, &slot->env, sizeof(*out) + s->o.out_size);
		slot->state = EMPTY;
		win->next++;
		leat_cond_broadcast(&win->room);
		if (s->o.gap_after > 0)
			leat_cond_signal(&win->moved);
		if (state == NOTHING)
			continue;
		leat_mutex_unlock(&win->lock);
		end = leat__stage_send(w, out);
		leat_mutex_lock(&win->lock);
		if (state == MADE) {
			win->held--;
			leat__count(&w->did.n[end]);
		}
	}
	win->handing_on = false;
	if (s->o.ahead > 0)
		leat_cond_broadcast(&win->room); /* it may be the turn of one that waits */
}

static bool is_turn(const struct leat__window *win, uint64_t seq)
{
	return seq == win->next && !win->handing_on;
}

/* Under the lock: waits until the window has a place for seq, or has gone by; false: stopped. */
static bool wait_for_room(struct leat__stage_worker *w, uint64_t seq)
{
	struct leat_stage *s = w->stage;
	struct leat__window *win = s->window;
	int r = 0;

	if ((int64_t)(seq - win->next) < (int64_t)s->o.window)
		return true;
	leat__meter_enter(&w->meter, LEAT_STAGE_BLOCKED);
	while (r == 0 && (int64_t)(seq - win->next) >= (int64_t)s->o.window &&
	       leat__pipeline_how(s->p) < LEAT__ENOUGH)
		r = leat_cond_wait(&win->room, &win->lock);
	leat__meter_enter(&w->meter, LEAT_STAGE_BUSY);
	return (int64_t)(seq - win->next) < (int64_t)s->o.window;
}

/* What has come too late, or after a stop. */
static void drop(struct leat__stage_worker *w, struct leat__env *out, enum leat__end end)
{
	leat__flow_drop(w->stage->out, &w->ends, out, end);
	leat__did(w, end, 1);
}

void leat__window_put(struct leat__stage_worker *w, uint64_t seq, struct leat__env *out)
{
	struct leat_stage *s = w->stage;
	struct leat__window *win = s->window;
	struct slot *slot;
	bool room, late;

	leat_mutex_lock(&win->lock);
	room = wait_for_room(w, seq);
	late = (int64_t)(seq - win->next) < 0;
	if (!room || late) {
		leat_mutex_unlock(&win->lock);
		if (out && !leat__is_left_out(out))
			drop(w, out, late ? LEAT__END_LATE : leat__stopped_end(s->p));
		return;
	}
	slot = slot_of(s, seq);
	/* The marker is there, and has not been handed on yet. */
	if (slot->state != EMPTY) {
		leat_mutex_unlock(&win->lock);
		if (out && !leat__is_left_out(out))
			drop(w, out, LEAT__END_LATE);
		return;
	}
	slot->state = !out ? NOTHING : leat__is_left_out(out) ? PLACE : MADE;
	if (out)
		memcpy(&slot->env, out, sizeof(*out) + s->o.out_size);
	if (slot->state == MADE) {
		leat__add(&w->held, (uint64_t)-1);
		win->held++;
	}
	if (!win->handing_on)
		hand_on(w);
	leat_mutex_unlock(&win->lock);
}

/* Under the lock: whether item seq has place for one more value, or its turn. */
static bool may_emit(struct leat_stage *s, uint64_t seq)
{
	struct leat__window *win = s->window;

	return is_turn(win, seq) || ((int64_t)(seq - win->next) < (int64_t)s->o.window &&
				     slot_of(s, seq)->n < s->o.ahead);
}

/* Under the lock, which is free meanwhile: it is the turn of the item that emits. */
static int emit_now(struct leat__stage_worker *w, struct slot *slot, struct leat__env *out)
{
	struct leat__window *win = w->stage->window;
	int r;

	win->handing_on = true;
	send_values(w, slot);
	leat_mutex_unlock(&win->lock);
	r = leat__stage_try_hand_on(w, out);
	leat_mutex_lock(&win->lock);
	win->handing_on = false;
	return r;
}

int leat__window_emit(struct leat__stage_worker *w, uint64_t seq, struct leat__env *out)
{
	struct leat_stage *s = w->stage;
	struct leat__window *win = s->window;
	struct slot *slot = slot_of(s, seq);
	bool waits;
	int r = 0;

	leat_mutex_lock(&win->lock);
	waits = !may_emit(s, seq);
	if (waits)
		leat__meter_enter(&w->meter, LEAT_STAGE_BLOCKED);
	while (r == 0 && !may_emit(s, seq) && leat__pipeline_how(s->p) < LEAT__ENOUGH)
		r = leat_cond_wait(&win->room, &win->lock);
	if (waits)
		leat__meter_enter(&w->meter, LEAT_STAGE_BUSY);
	if (r < 0 || !may_emit(s, seq))
		r = r < 0 ? r : LEAT_ECLOSED;
	else if (is_turn(win, seq))
		r = emit_now(w, slot, out);
	else
		memcpy(value_of(s, slot, slot->n++), out, sizeof(*out) + s->o.out_size);
	leat_mutex_unlock(&win->lock);
	return r;
}

void leat__window_wake(struct leat_stage *s)
{
	leat_mutex_lock(&s->window->lock);
	leat_cond_broadcast(&s->window->room);
	leat_cond_broadcast(&s->window->moved);
	leat_mutex_unlock(&s->window->lock);
}

/* Under the lock: the next item has been waited for long enough. */
static void put_gap(struct leat__stage_worker *w)
{
	struct leat_stage *s = w->stage;
	struct leat__window *win = s->window;
	struct slot *slot = slot_of(s, win->next);

	if (slot->state != EMPTY)
		return;
	slot->state = PLACE;
	slot->env = (struct leat__env){ .token = NULL };
	memset(slot->env.item, 0, s->o.out_size);
	s->o.gap(slot->env.item);
	if (!win->handing_on)
		hand_on(w);
}

static void watch(struct leat__stage_worker *w)
{
	struct leat_stage *s = w->stage;
	struct leat__window *win = s->window;
	int64_t deadline;
	uint64_t head;
	int r = 0;

	leat_mutex_lock(&win->lock);
	while (r != -ECANCELED && leat__pipeline_how(s->p) < LEAT__ENOUGH) {
		head = win->next;
		if (head == atomic_load(&s->taken)) {
			if (atomic_load(&s->alive) == 1)
				break;
			r = leat_cond_wait(&win->moved, &win->lock);
			continue;
		}
		deadline = leat_in(s->o.gap_after);
		do
			r = leat_cond_wait_until(&win->moved, &win->lock, deadline);
		while (r == 0 && win->next == head);
		if (r == -ETIMEDOUT && win->next == head)
			put_gap(w);
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
	uint64_t n;

	leat_mutex_lock(&s->window->lock);
	n = s->window->held;
	leat_mutex_unlock(&s->window->lock);
	return n;
}

void leat__window_drain(struct leat_stage *s)
{
	enum leat__end end = leat__stopped_end(s->p);

	for (size_t i = 0; i < s->o.window; i++) {
		struct slot *slot = slot_of(s, i);

		for (size_t k = 0; k < slot->n; k++)
			leat__flow_drop(s->out, &s->p->rest, value_of(s, slot, k), end);
		slot->n = 0;
		if (slot->state == MADE || slot->state == PLACE)
			leat__flow_drop(s->out, &s->p->rest, &slot->env, end);
		if (slot->state == MADE) {
			leat__count(&s->rest.n[end]);
			s->window->held--;
		}
		slot->state = EMPTY;
	}
}
