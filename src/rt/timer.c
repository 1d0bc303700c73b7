/*
 * Timers: one hierarchical timing wheel per worker.
 *
 * Varghese and Lauck, "Hashed and hierarchical timing wheels" (SOSP 1987),
 * with absolute slots as in the Linux kernel's old wheel: a timer that is due
 * in tick e lies at level (highest bit in which e differs from now) / 6, in slot
 * (e >> 6 * level) % 64.  Setting and unsetting cost O(1); each timer moves down
 * at most once per level.
 *
 * Invariants, under the wheel's lock: a slot's bit in used[] is set iff its
 * list is not empty; every timer has e >= now; a slot of level l > 0 that starts
 * at or before now is moved down before anything of level 0 fires.
 *
 * A timer is due in tick e = ceil(deadline / tick), so it never fires early; a
 * tick is 8 us (1 ns under simulation).  Timers of one tick fire in the order in
 * which they came there.
 *
 * Gathering.  To wake a core, or to look at the clock again and again, for each of
 * many timers costs far more than what they do.  While more than GATHER_MIN timers
 * fire in GATHER_WINDOW, they are fired only at the end of each slot of level 1 (512
 * us), so a timer is then late by up to that, and a slot fires as a whole, without a
 * move to level 0: in the order in which its timers came there.
 *
 * What has fired is claimed under the lock and made ready after it, as one batch.
 */
#include "rt/timer.h"

#include "rt/park.h"
#include "rt/spawn.h"

enum { FIRE_BATCH = LEAT__WAKE_BATCH, GATHER_MIN = 256 };
#define GATHER_WINDOW INT64_C(1000000)

void leat__wheel_init(struct leat__wheel *wheel, int64_t now, unsigned tick_bits)
{
	wheel->tick_bits = tick_bits;
	wheel->now = (uint64_t)now >> tick_bits;
	wheel->count = 0;
	wheel->next = INT64_MAX;
	wheel->gathers = false;
	wheel->hold = 0;
	wheel->since = now;
	wheel->recent = 0;
	for (unsigned l = 0; l < LEAT__WHEEL_LEVELS; l++) {
		wheel->used[l] = 0;
		for (unsigned i = 0; i < LEAT__WHEEL_SLOTS; i++)
			leat__list_init(&wheel->slot[l][i]);
	}
}

static uint64_t due_tick(const struct leat__wheel *wheel, const struct leat__timer *timer)
{
	uint64_t last = UINT64_C(1) << (LEAT__WHEEL_BITS * LEAT__WHEEL_LEVELS - 1);
	uint64_t e = 0;

	if (timer->deadline > 0)
		e = ((uint64_t)timer->deadline +
		     (LEAT__MUTANT(TIMER_EARLY) ? 0 : (UINT64_C(1) << wheel->tick_bits) - 1)) >>
		    wheel->tick_bits;
	if (e > wheel->now + last)
		e = wheel->now + last; /* goes round again when it comes up */
	return e > wheel->now ? e : wheel->now;
}

static unsigned level_of(const struct leat__wheel *wheel, uint64_t e)
{
	unsigned bit = 63 - (unsigned)__builtin_clzll((e ^ wheel->now) | (LEAT__WHEEL_SLOTS - 1));
	unsigned level = bit / LEAT__WHEEL_BITS;

	return level < LEAT__WHEEL_LEVELS ? level : LEAT__WHEEL_LEVELS - 1;
}

static void insert(struct leat__wheel *wheel, struct leat__timer *timer)
{
	uint64_t e = due_tick(wheel, timer);
	unsigned level = level_of(wheel, e);
	unsigned i = (e >> (LEAT__WHEEL_BITS * level)) % LEAT__WHEEL_SLOTS;

	leat__list_append(&wheel->slot[level][i], &timer->node);
	wheel->used[level] |= UINT64_C(1) << i;
}

/* The first tick at which a slot must be looked at, higher levels first; false: none. */
static bool next_slot(const struct leat__wheel *wheel, unsigned *ret_level, unsigned *ret_slot,
		      uint64_t *ret_tick)
{
	bool found = false;

	for (unsigned l = LEAT__WHEEL_LEVELS; l-- > 0;) {
		unsigned shift = LEAT__WHEEL_BITS * l;
		uint64_t at = wheel->now >> shift, used = wheel->used[l], tick;
		unsigned turn = at % LEAT__WHEEL_SLOTS, ahead;

		if (used == 0)
			continue;
		/* Rotate so that now's slot is bit 0. */
		used = used >> turn | (turn ? used << (LEAT__WHEEL_SLOTS - turn) : 0);
		ahead = (unsigned)__builtin_ctzll(used);
		tick = (at + ahead) << shift;
		if (found && tick >= *ret_tick)
			continue;
		found = true;
		*ret_level = l;
		*ret_slot = (turn + ahead) % LEAT__WHEEL_SLOTS;
		*ret_tick = tick;
	}
	return found;
}

static void update_next(struct leat__wheel *wheel)
{
	unsigned level = 0, slot = 0;
	uint64_t tick = 0;
	int64_t next = INT64_MAX;

	if (next_slot(wheel, &level, &slot, &tick)) {
		next = (int64_t)(tick << wheel->tick_bits);
		if (next < wheel->hold)
			next = wheel->hold;
	}
	leat__store_relaxed(&wheel->next, next);
}

static void set_locked(struct leat__wheel *wheel, struct leat__timer *timer)
{
	int64_t at = timer->deadline > wheel->hold ? timer->deadline : wheel->hold;

	timer->wheel = wheel;
	insert(wheel, timer);
	leat__store_relaxed(&wheel->count, wheel->count + 1);
	/* A lower bound is all that next promises. */
	if (at < wheel->next && !LEAT__MUTANT(TIMER_UNNOTICED))
		leat__store_relaxed(&wheel->next, at);
}

static bool unset_locked(struct leat__wheel *wheel, struct leat__timer *timer)
{
	struct leat__list *head = timer->node.next;

	if (head == &timer->node)
		return false;
	if (head == timer->node.prev) { /* alone in its slot */
		size_t i = (size_t)(head - &wheel->slot[0][0]);

		wheel->used[i / LEAT__WHEEL_SLOTS] &= ~(UINT64_C(1) << i % LEAT__WHEEL_SLOTS);
	}
	leat__list_remove(&timer->node);
	leat__store_relaxed(&wheel->count, wheel->count - 1);
	if (wheel->count == 0)
		leat__store_relaxed(&wheel->next, INT64_MAX);
	return true;
}

void leat__timer_set(struct leat__wheel *wheel, struct leat__timer *timer)
{
	leat__lock_acquire(&wheel->lock, LEAT__RANK_TIMERS);
	set_locked(wheel, timer);
	leat__lock_release(&wheel->lock);
}

bool leat__timer_set_wait(struct leat__wheel *wheel, struct leat__timer *timer,
			  struct leat__task *t)
{
	bool canceled;

	leat__lock_acquire(&wheel->lock, LEAT__RANK_TIMERS);
	set_locked(wheel, timer);
	canceled = leat__wait_arm(t);
	if (canceled)
		unset_locked(wheel, timer);
	leat__lock_release(&wheel->lock);
	return canceled;
}

bool leat__timer_unset(struct leat__timer *timer)
{
	struct leat__wheel *wheel = timer->wheel;
	bool was_set;

	leat__lock_acquire(&wheel->lock, LEAT__RANK_TIMERS);
	was_set = unset_locked(wheel, timer);
	leat__lock_release(&wheel->lock);
	return was_set;
}

/* The timer at node will be next; most are in the record of the task that they wake. */
static inline void prefetch_timer(const struct leat__list *node)
{
	__builtin_prefetch(node, 1);
	__builtin_prefetch((const char *)node - sizeof(struct leat__task), 1);
}

/* Moves the timers of a higher slot down; at most FIRE_BATCH of them. */
static void cascade(struct leat__wheel *wheel, struct leat__list *slot)
{
	for (unsigned n = 0; !leat__list_is_empty(slot) && n < FIRE_BATCH; n++) {
		struct leat__timer *timer =
			leat__container_of(slot->next, struct leat__timer, node);

		__builtin_prefetch(timer->node.next, 1);
		leat__list_remove(&timer->node);
		insert(wheel, timer);
	}
}

/* Fires at most FIRE_BATCH timers of a slot; whom they wake is added to wake. */
static unsigned fire_slot(struct leat__wheel *wheel, struct leat__list *slot,
			  struct leat__wake *wake)
{
	unsigned n = 0;

	while (!leat__list_is_empty(slot) && n < FIRE_BATCH) {
		struct leat__timer *timer =
			leat__container_of(slot->next, struct leat__timer, node);
		struct leat__task *t;

		prefetch_timer(timer->node.next);
		leat__list_remove(&timer->node);
		n++;
		t = timer->fire(timer);
		if (t)
			leat__wake_add(wake, t);
	}
	leat__store_relaxed(&wheel->count, wheel->count - n);
	return n;
}

/* All that was due has fired: decides when to fire next. */
static void settle(struct leat__wheel *wheel, int64_t now, unsigned fired)
{
	uint64_t now_tick = (uint64_t)now >> wheel->tick_bits;

	if (now_tick > wheel->now)
		wheel->now = now_tick;
	wheel->recent += fired;
	if (now - wheel->since >= GATHER_WINDOW) {
		/* A crowd after a long silence says nothing of what will come. */
		wheel->gathers = wheel->tick_bits > 0 && wheel->recent >= GATHER_MIN &&
				 now - wheel->since < 4 * GATHER_WINDOW;
		wheel->since = now;
		wheel->recent = 0;
	}
	wheel->hold = 0;
	if (wheel->gathers)
		wheel->hold = (int64_t)(((wheel->now | (LEAT__WHEEL_SLOTS - 1)) + 1)
					<< wheel->tick_bits);
	update_next(wheel);
}

/* The next slot that is due: fires it or moves it down.  False: there is none. */
static bool fire_next(struct leat__wheel *wheel, uint64_t now_tick, struct leat__wake *wake,
		      unsigned *ret_fired)
{
	unsigned level = 0, i = 0;
	struct leat__list *slot;
	uint64_t tick = 0;

	*ret_fired = 0;
	if (!next_slot(wheel, &level, &i, &tick) || tick > now_tick)
		return false;
	/* Everything before this slot has fired: time may move on to it. */
	if (tick > wheel->now)
		wheel->now = tick;
	slot = &wheel->slot[level][i];
	if (level == 0 ||
	    (level == 1 && wheel->gathers && tick + LEAT__WHEEL_SLOTS - 1 <= now_tick))
		*ret_fired = fire_slot(wheel, slot, wake);
	else
		cascade(wheel, slot);
	if (leat__list_is_empty(slot))
		wheel->used[level] &= ~(UINT64_C(1) << i);
	return true;
}

unsigned leat__wheel_fire(struct leat__wheel *wheel, int64_t now)
{
	uint64_t now_tick = (uint64_t)now >> wheel->tick_bits;
	unsigned n, fired = 0;
	bool more = true;

	while (more) {
		struct leat__wake wake = { NULL, NULL };

		leat__lock_acquire(&wheel->lock, LEAT__RANK_TIMERS);
		more = fire_next(wheel, now_tick, &wake, &n);
		fired += n;
		if (!more)
			settle(wheel, now, fired);
		leat__lock_release(&wheel->lock);
		leat__wake_fifo(&wake);
	}
	return fired;
}
