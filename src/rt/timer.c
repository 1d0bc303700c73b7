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
 */
#include "rt/timer.h"

#include "rt/park.h"
#include "rt/spawn.h"

enum { FIRE_BATCH = 128 };

void leat__wheel_init(struct leat__wheel *wheel, int64_t now, unsigned tick_bits)
{
	wheel->tick_bits = tick_bits;
	wheel->now = (uint64_t)now >> tick_bits;
	wheel->count = 0;
	wheel->next = INT64_MAX;
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
		e = ((uint64_t)timer->deadline + (UINT64_C(1) << wheel->tick_bits) - 1) >>
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
	unsigned level, slot;
	uint64_t tick;
	int64_t next = INT64_MAX;

	if (next_slot(wheel, &level, &slot, &tick))
		next = (int64_t)(tick << wheel->tick_bits);
	leat__store_relaxed(&wheel->next, next);
}

static void set_locked(struct leat__wheel *wheel, struct leat__timer *timer)
{
	int64_t at = timer->deadline > 0 ? timer->deadline : 0;

	timer->wheel = wheel;
	insert(wheel, timer);
	leat__store_relaxed(&wheel->count, wheel->count + 1);
	/* A lower bound is all that next promises. */
	if (at < wheel->next)
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

/* Moves the timers of a higher slot down; at most FIRE_BATCH of them. */
static void cascade(struct leat__wheel *wheel, struct leat__list *slot)
{
	for (unsigned n = 0; !leat__list_is_empty(slot) && n < FIRE_BATCH; n++) {
		struct leat__timer *timer =
			leat__container_of(slot->next, struct leat__timer, node);

		leat__list_remove(&timer->node);
		insert(wheel, timer);
	}
}

static unsigned fire_slot(struct leat__wheel *wheel, struct leat__list *slot)
{
	unsigned n = 0;

	while (!leat__list_is_empty(slot) && n < FIRE_BATCH) {
		struct leat__timer *timer =
			leat__container_of(slot->next, struct leat__timer, node);

		leat__list_remove(&timer->node);
		leat__store_relaxed(&wheel->count, wheel->count - 1);
		timer->fire(timer);
		n++;
	}
	return n;
}

unsigned leat__wheel_fire(struct leat__wheel *wheel, int64_t now)
{
	uint64_t now_tick = (uint64_t)now >> wheel->tick_bits, tick;
	unsigned level, slot, fired = 0;
	bool more = true;

	while (more) {
		leat__lock_acquire(&wheel->lock, LEAT__RANK_TIMERS);
		more = next_slot(wheel, &level, &slot, &tick) && tick <= now_tick;
		if (more) {
			/* Everything before this slot has fired: time may move on to it. */
			if (tick > wheel->now)
				wheel->now = tick;
			if (level == 0)
				fired += fire_slot(wheel, &wheel->slot[0][slot]);
			else
				cascade(wheel, &wheel->slot[level][slot]);
			if (leat__list_is_empty(&wheel->slot[level][slot]))
				wheel->used[level] &= ~(UINT64_C(1) << slot);
		} else {
			if (now_tick > wheel->now)
				wheel->now = now_tick;
			update_next(wheel);
		}
		leat__lock_release(&wheel->lock);
	}
	return fired;
}
