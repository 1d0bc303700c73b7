/*
 * Select.
 *
 * One claim word, the task's, for all its cases; one channel lock at a time.
 *
 *   S1 look at all channels without their locks; draw one of the cases that seem
 *	ready, do it under its channel's lock; it cannot be done after all: draw
 *	another
 *   S2 default: see below
 *   S3 a few tasks are queued at this worker: let them run once, S1 again
 *   S4 arm
 *   S5 at each channel, in an order drawn once, under its lock: the case cannot be
 *	done: queue a waiter, or leave the one that is queued.  It can be done: take the
 *	claim back first (CAS armed -> IDLE).  That fails: somebody has claimed us; S6.  It
 *	succeeds: do the case under the same lock; if it cannot be done after
 *	all (the other side was a select that has just taken its own claim back),
 *	wait for a random time, S4 again
 *   S6 park
 *   S7 take the waiters out of all queues, each under its lock; who claimed us has
 *	taken out the one of the case that it did
 *
 * No wake-up is lost: somebody who works on a channel before our S5 looks at it
 * leaves a trace (an element, a waiter, closed) that S5 finds under the lock;
 * somebody who comes later sees us armed, or passes us over while we have taken our
 * claim back, and is found when we look again.  Two selects that could meet each
 * other both reach S5 armed; the later of the two under the channel's lock
 * finds the other, armed, or in its own S5 and then about to arm and look again.
 *
 * S5 passes over waiters that it could not claim: its own (a select that sends
 * and receives on one channel), those that were claimed and have not been taken
 * out yet, and those of a select that has taken its claim back; that one looks
 * again once it is armed, and finds us.  Without this S5 would
 * go round for as long as such a waiter is queued, which may be until its task
 * gets this worker.
 *
 * Two selects may each find the other armed, take their own claims back, then
 * find the other's claim taken back, and both go round again; each waits for a
 * random time in between, so they part.
 *
 * S3: tasks that run next are often those that make a case ready, and to queue at
 * all channels and leave the queues again costs more than a switch.  Only as
 * many as there are cases, or we would be late; and seldom, when it was of no
 * use of late; and not with so few cases that to queue is cheap.
 *
 * Default is taken only if there was an instant at which no case was ready:
 * each case is tried under its channel's lock, and afterwards the versions of all
 * channels are the same as each was under the lock.  A channel's version changes
 * when a waiter is queued, and when S5 leaves one there: a try that came while its
 * owner had taken the claim back has passed it over.
 * After MAX_DEFAULT_SCANS tries all channels are locked, in the order of their
 * addresses.
 *
 * Rejected: locking all channels (Go): a channel that thousands of selects
 * share ("done") serializes them (golang/go#20351).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/chan.h"

#ifdef LEAT_FAULTS
enum { MAX_DEFAULT_SCANS = 0 }; /* the last resort at once: its allocation must be reached */
#else
enum { MAX_DEFAULT_SCANS = 8 };
#endif
enum {
	DROP_ON_STACK = 512,
	FEW = 16,		/* cases whose places and waiters are on the stack */
	YIELD_MIN = 4,		/* with fewer cases to queue costs less than a switch */
	LUCK_MAX = 8,		/* S3 was of use: it may be of none so often, */
	LUCK_MIN = -16,		/* then it is left out so often */
	BACKOFF_MAX = 64,
};

/* A case to try. */
struct place {
	uint32_t index;
	uint32_t version;	/* of the channel after the try */
};

struct select {
	leat_case *cases;
	uint32_t n;
	bool has_default, ordered;
	bool drops;		/* a case receives into NULL */
	struct place *places;	/* [0, drawn) tried, [drawn, listed) to be tried */
	uint32_t drawn, listed;
	uint32_t queued;	/* so many of the places have waiters in queues */
	struct leat__waiter *waiters; /* one per case */
	struct leat__worker *w;
	struct leat__task *me;
	void *unwanted;		/* where a receive into NULL goes */
	leat_channel *drop_of;	/* the channel whose element is in unwanted */
	int64_t deadline;
};

/* The case's channel, or NULL: an option, or never ready. */
static inline leat_channel *channel_of(const leat_case *c)
{
	return c->op <= LEAT_OP_RECV ? c->chan : NULL;
}

static void set_option(struct select *s, const leat_case *c)
{
	if (c->op == LEAT_OP_DEFAULT)
		s->has_default = true;
	else if (c->op == LEAT_OP_ORDERED)
		s->ordered = true;
	else if (c->op == LEAT_OP_UNTIL && c->deadline < s->deadline)
		s->deadline = c->deadline;
}

/* A look without the lock; a miss is made good by S5.  Without a branch that depends on it. */
static inline bool seems_ready(const leat_channel *ch, bool send)
{
	uint32_t flags = leat__load_relaxed(&ch->flags);
	size_t count = leat__load_relaxed(&ch->count);

	if (send)
		return ((flags | leat__load_relaxed(&ch->nrecv)) != 0) | (count < ch->cap);
	return (flags | count | leat__load_relaxed(&ch->nsend)) != 0;
}

/* S1.  Also finds the options. */
static inline void list_ready(struct select *s)
{
	struct place *places = s->places;
	uint32_t n = s->n, listed = 0;
	bool drops = false;

	for (uint32_t i = 0; i < n; i++) {
		const leat_case *c = &s->cases[i];

		if (leat__unlikely(c->op > LEAT_OP_RECV)) {
			set_option(s, c);
		} else if (leat__likely(c->chan != NULL)) {
			drops |= !c->elem;
			places[listed].index = i;
			listed += seems_ready(c->chan, c->op == LEAT_OP_SEND);
		}
	}
	s->drops = drops;
	s->listed = listed;
	s->drawn = 0;
}

static void list_all(struct select *s)
{
	s->drawn = s->listed = 0;
	for (uint32_t i = 0; i < s->n; i++)
		if (channel_of(&s->cases[i]))
			s->places[s->listed++].index = i;
}

static inline uint32_t random_below(struct select *s, uint32_t n)
{
	if (leat__likely(s->w && !s->w->simulated))
		return leat__random_below(&s->w->random, n);
	return (uint32_t)leat_random(n);
}

/* One step of Fisher and Yates: the next place to try, any of the rest. */
static inline struct place *draw(struct select *s)
{
	uint32_t drawn = s->drawn, left = s->listed - drawn, at = drawn, keep;
	struct place *places = s->places;

	s->drawn = drawn + 1;
	if (left > 1 && !s->ordered) {
		at += random_below(s, left);
		keep = places[drawn].index;
		places[drawn].index = places[at].index;
		places[at].index = keep;
	}
	return &places[drawn];
}

/* Under the channel's lock. */
static inline int do_locked(struct select *s, leat_case *c, struct leat__task **wake)
{
	void *to = c->elem;
	int r;

	if (c->op == LEAT_OP_SEND)
		return leat__chan_send_locked(c->chan, c->elem, s->me, wake);
	if (leat__unlikely(!to))
		to = s->unwanted;
	r = leat__chan_recv_locked(c->chan, to, s->me, wake);
	if (leat__unlikely(!c->elem) && r == 0)
		s->drop_of = c->chan;
	return r;
}

/* S1, S2: tries what is listed.  The index of the case that was done, or -EAGAIN. */
static inline __attribute__((always_inline)) int try_listed(struct select *s)
{
	while (s->drawn < s->listed) {
		struct leat__worker *w = s->w;
		struct place *at = draw(s);
		leat_case *c = &s->cases[at->index];
		leat_channel *ch = c->chan;
		struct leat__task *wake = NULL;
		int r;

		leat__chan_lock(ch, w);
		r = do_locked(s, c, &wake);
		at->version = ch->version;
		leat__chan_unlock(ch, w);
		if (wake)
			leat__ready_on(w, wake);
		if (leat__unlikely(r == -EAGAIN))
			continue;
		c->status = r;
		return (int)at->index;
	}
	return -EAGAIN;
}

static int by_address(const void *a, const void *b)
{
	const leat_channel *x = *(leat_channel *const *)a, *y = *(leat_channel *const *)b;

	return (x > y) - (x < y);
}

/* All channels locked at once: what is true then is true at an instant. */
static int try_all_locked(struct select *s)
{
	leat_channel *few[FEW], **list = few;
	size_t bytes;
	struct leat__task *wake = NULL;
	int result = -EAGAIN;

	list_all(s);
	bytes = s->listed * sizeof(*list);
	if (s->listed > FEW && !(list = leat__alloc(bytes)))
		return -ENOMEM;
	for (uint32_t i = 0; i < s->listed; i++)
		list[i] = s->cases[s->places[i].index].chan;
	qsort(list, s->listed, sizeof(*list), by_address);
	for (uint32_t i = 0; i < s->listed; i++)
		if (i == 0 || list[i] != list[i - 1])
			leat__chan_lock(list[i], NULL);
	while (s->drawn < s->listed && result == -EAGAIN) {
		struct place *at = draw(s);
		int r = do_locked(s, &s->cases[at->index], &wake);

		if (r != -EAGAIN) {
			s->cases[at->index].status = r;
			result = (int)at->index;
		}
	}
	for (uint32_t i = 0; i < s->listed; i++)
		if (i == 0 || list[i] != list[i - 1])
			leat__chan_unlock(list[i], NULL);
	if (list != few)
		leat__free(list, bytes);
	if (wake)
		leat__ready_on(s->w, wake);
	return result;
}

/* S2.  -EAGAIN means that no case was ready at some instant. */
static __attribute__((noinline)) int try_for_default(struct select *s)
{
	for (int tries = 0; tries < MAX_DEFAULT_SCANS; tries++) {
		bool same = true;
		int r;

		list_all(s);
		r = try_listed(s);
		if (r != -EAGAIN)
			return r;
		for (uint32_t i = 0; i < s->listed; i++) {
			leat_channel *ch = s->cases[s->places[i].index].chan;

			/* Acquire: pairs with changed() in chan.c. */
			same &= leat__load_acquire(&ch->version) == s->places[i].version;
		}
		if (same || LEAT__MUTANT(DEFAULT_ONE_SCAN))
			return -EAGAIN;
	}
	return try_all_locked(s);
}

/* S5: the case can be done, its channel is locked.  As look_at_each; unlocks. */
static int take_back_and_do(struct select *s, leat_case *c)
{
	struct leat__task *wake = NULL, *me = s->me;
	uint32_t armed = leat__load_relaxed(&me->claim);
	int r;

	if ((armed != LEAT__CLAIM_ARMED && armed != LEAT__CLAIM_CANCELABLE) ||
	    (!leat__cas(&me->claim, armed,
			LEAT__MUTANT(SELECT_STAYS_ARMED) ? armed : LEAT__CLAIM_IDLE) &&
	     !LEAT__MUTANT(SELECT_DISARM_BY_STORE))) {
		leat__chan_unlock(c->chan, s->w);
		return -EAGAIN; /* claimed: the park returns at once */
	}
	r = do_locked(s, c, &wake);
	leat__chan_unlock(c->chan, s->w);
	if (wake)
		leat__ready_on(s->w, wake);
	if (r == -EAGAIN)
		return LEAT__MUTANT(SELECT_NO_REARM) ? -EAGAIN : -EINTR;
	c->status = r;
	return (int)(c - s->cases);
}

static inline void queue_waiter(struct select *s, uint32_t i)
{
	struct leat__waiter *waiter = &s->waiters[i];
	leat_case *c = &s->cases[i];

	waiter->task = s->me;
	waiter->index = i;
	waiter->result = 0; /* of no number: see chan.c */
	waiter->elem = leat__unlikely(c->op == LEAT_OP_RECV && !c->elem) ? s->unwanted
									     : c->elem;
	leat__chan_enqueue(c->chan, c->op == LEAT_OP_SEND, waiter);
}

/* S5.  The index of the case done; -EAGAIN: park; -EINTR: arm and look again. */
static int look_at_each(struct select *s)
{
	for (uint32_t i = 0; i < s->listed; i++) {
		/* In an order that is drawn once: of two cases of a channel each may be first. */
		uint32_t index = (i < s->drawn ? &s->places[i] : draw(s))->index;
		leat_case *c = &s->cases[index];
		leat_channel *ch = c->chan;

		leat__chan_lock(ch, s->w);
		if (!LEAT__MUTANT(SELECT_NO_RESCAN) &&
		    leat__chan_ready_locked(ch, c->op == LEAT_OP_SEND, s->me))
			return take_back_and_do(s, c);
		if (leat__likely(i >= s->queued)) {
			queue_waiter(s, index);
			s->queued = i + 1;
		} else { /* It was passed over, maybe: news for S2 of others. */
			leat__store_release(&ch->version, ch->version + 1);
		}
		leat__chan_unlock(ch, s->w);
	}
	return -EAGAIN;
}

/* S7.  fired: the case whose waiter is out already; or an error. */
static void leave_queues(struct select *s, int fired)
{
	for (uint32_t i = 0; i < s->queued; i++) {
		uint32_t index = s->places[i].index;
		leat_case *c = &s->cases[index];

		if ((int)index == fired)
			continue;
		leat__chan_lock(c->chan, s->w);
		if (!LEAT__MUTANT(SELECT_STALE_WAITER))
			leat__chan_dequeue(c->chan, c->op == LEAT_OP_SEND, &s->waiters[index]);
		leat__chan_unlock(c->chan, s->w);
	}
}

static void back_off(struct select *s, uint32_t rounds)
{
	uint32_t most = rounds < 6 ? 1u << rounds : BACKOFF_MAX;

	for (uint32_t n = 1 + random_below(s, most); n > 0; n--)
		leat__cpu_pause();
}

/* S4 to S7 */
static __attribute__((noinline)) int block(struct select *s)
{
	struct leat__waiter few[FEW];
	int r, fired = -1;

	if (!s->waiters)
		s->waiters = few;
	list_all(s);
	s->queued = 0;
	for (uint32_t rounds = 1;; rounds++) {
		leat__arm(s->me, true);		/* S4 */
		r = look_at_each(s);
		if (r != -EINTR)
			break;
		back_off(s, rounds);
	}
	if (r == -EAGAIN) {
		r = leat__park(s->me, LEAT__WHY_SELECT, s, s->deadline); /* S6 */
		s->w = leat__self();
		if (leat__likely(r >= 0)) {
			leat_case *c = &s->cases[r];

			fired = r;
			c->status = s->waiters[r].result;
			if (leat__unlikely(c->op == LEAT_OP_RECV && !c->elem) &&
			    c->status == 0)
				s->drop_of = c->chan;
		}
	}
	leave_queues(s, fired);
	return r;
}

/* S3.  False: not now. */
static inline bool let_others_run(struct select *s)
{
	struct leat__worker *w = s->w;
	uint32_t ahead;

	if (leat__unlikely(!w || s->me->no_park > 0))
		return false;
	ahead = leat__deque_len(&w->deque) + (leat__load_relaxed(&w->lifo) != NULL);
	if (s->n < YIELD_MIN || ahead == 0 || ahead > s->n)
		return false;
	if (w->select_luck < 0) {
		w->select_luck++;
		return false;
	}
	leat__yield(w);
	s->w = leat__self();
	return true;
}

static inline void note_luck(struct leat__worker *w, bool luck)
{
	if (luck)
		w->select_luck = LUCK_MAX;
	else if (--w->select_luck < 0)
		w->select_luck = LUCK_MIN;
}

static inline int done(struct select *s, int r)
{
	if (leat__likely(r >= 0) && s->cases[r].ret_status)
		*s->cases[r].ret_status = s->cases[r].status;
	return r;
}

/* What is ready is listed; there is no default. */
static inline __attribute__((always_inline)) int run(struct select *s)
{
	int r = try_listed(s);

	if (r == -EAGAIN && let_others_run(s)) {
		list_ready(s);
		r = try_listed(s);
		note_luck(s->w, r != -EAGAIN);
	}
	return done(s, r == -EAGAIN ? block(s) : r);
}

static __attribute__((noinline)) int run_rare(struct select *s)
{
	return s->has_default ? done(s, try_for_default(s)) : run(s);
}

/* With a place for what nobody wants. */
static __attribute__((noinline)) int run_and_drop(struct select *s)
{
	char small[DROP_ON_STACK] __attribute__((aligned(16)));
	size_t size = 0;
	int r;

	for (uint32_t i = 0; i < s->n; i++) {
		const leat_case *c = &s->cases[i];

		if (c->op == LEAT_OP_RECV && c->chan && !c->elem && c->chan->elem_size > size)
			size = c->chan->elem_size;
	}
	s->unwanted = size <= sizeof(small) ? small : leat__alloc(size);
	if (!s->unwanted)
		return -ENOMEM;
	r = run_rare(s);
	if (s->drop_of && s->drop_of->drop)
		s->drop_of->drop(s->unwanted);
	if (s->unwanted != small)
		leat__free(s->unwanted, size);
	return r;
}

/* More cases than fit on the stack. */
static __attribute__((noinline)) int run_many(struct select *s)
{
	size_t bytes = s->n * (sizeof(struct leat__waiter) + sizeof(struct place));
	int r;

	s->waiters = leat__alloc(bytes);
	if (!s->waiters)
		return -ENOMEM;
	s->places = (struct place *)(s->waiters + s->n);
	list_ready(s);
	r = s->drops ? run_and_drop(s) : run_rare(s);
	leat__free(s->waiters, bytes);
	return r;
}

int leat_select_cases(leat_case *cases, size_t n)
{
	struct select s = { .cases = cases, .n = (uint32_t)n, .deadline = LEAT_FOREVER };
	struct place few[FEW];
	int r;

	leat__check_fork(__func__, cases);
	r = leat__enter(&s.w, &s.me);
	if (leat__unlikely(r < 0))
		return r;
	if (leat__unlikely(n > UINT32_MAX / 2 || (n > 0 && !cases)))
		leat__misuse(cases, "%zu cases", n);
	if (leat__unlikely(n > FEW))
		return run_many(&s);
	s.places = few;
	list_ready(&s);
	if (leat__unlikely(s.drops))
		return run_and_drop(&s);
	if (leat__unlikely(s.has_default))
		return run_rare(&s);
	return run(&s);
}

/*
 * For dumps.
 */

enum { MAX_DESCRIBED = 16 };

static void describe(struct leat__look *l, const void *object)
{
	struct select s;
	leat_case c;

	if (!leat__look_at(l, &s, (const struct select *)object))
		return;
	leat__say(l, " of %u cases:", s.n);
	for (uint32_t i = 0; i < s.n; i++) {
		if (i == MAX_DESCRIBED) {
			leat__say(l, " ...");
			return;
		}
		if (!leat__look_at(l, &c, &s.cases[i]))
			return;
		leat__say(l, "%s", i > 0 ? "," : "");
		if (c.op > LEAT_OP_RECV) {
			leat__say(l, c.op == LEAT_OP_UNTIL ? " deadline" : " order");
			continue;
		}
		leat__say(l, c.op == LEAT_OP_SEND ? " send" : " receive");
		if (c.chan)
			leat__chan_say(l, c.chan);
		else
			leat__say(l, " NULL");
	}
}

__attribute__((constructor)) static void set_kind(void)
{
	static const struct leat__kind kind = { describe, NULL, NULL };

	leat__kind_set(LEAT__WHY_SELECT, &kind);
}
