/*
 * Select.
 *
 * One claim word, the task's, for all its cases; one channel lock at a time.
 *
 *   S1 scan the cases in random order; the first that can be done under its
 *	channel's lock is done
 *   S2 default: see below
 *   S3 queue a waiter at each channel.  The claim word is IDLE: whoever finds the
 *	waiter skips it and leaves it where it is
 *   S4 arm
 *   S5 scan again, each channel under its lock.  A case can be done: take the
 *	claim back first (CAS armed -> IDLE).  That fails: somebody has claimed us;
 *	S6.  It succeeds: do the case under the same lock; if it cannot be
 *	done after all (the other side was a select that has just taken its own
 *	claim back), S4 again
 *   S6 park
 *   S7 take the waiters out of all queues, each under its lock
 *
 * No wake-up is lost: somebody who works on a channel before our S5 looks at it
 * leaves a trace (an element, a waiter, closed) that S5 finds under the lock;
 * somebody who comes later sees us armed.  Two selects that could meet each
 * other both reach S5 armed; the later of the two under the channel's lock
 * finds the other, armed, or in its own S5 and then about to arm and scan again.
 *
 * S5 passes over waiters that it could not claim: its own (a select that sends
 * and receives on one channel), those that were claimed and have not been taken
 * out yet, and those of a select that has not armed, or has taken its claim back;
 * that one scans again once it is armed, and finds us.  Without this S5 would
 * go round for as long as such a waiter is queued, which may be until its task
 * gets this worker.
 *
 * Two selects may each find the other armed, take their own claims back, then
 * find the other's claim taken back, and both go round again; the order of each
 * round is random, so they part.
 *
 * Default is taken only if there was an instant at which no case was ready:
 * the versions of all channels are the same after the scan as each was under
 * the lock during it.  S5 changes the version of a channel that it leaves
 * armed: a scan that came after S3 but before S4 has passed over the waiter.
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
enum { DROP_ON_STACK = 512 };

/* Lives in leat_case._waiter. */
struct state {
	struct leat__waiter waiter;
	leat_case *at;		/* the permutation: the case at this position */
	uint32_t version;	/* of the channel at the scan */
};
_Static_assert(sizeof(struct state) <= sizeof(((leat_case *)0)->_waiter), "leat_case is too small");

struct select {
	leat_case *cases;
	uint32_t n;
	uint32_t nready;	/* positions that hold channels: the permutation's length */
	struct leat__task *me;
	void *unwanted;		/* where a receive into NULL goes */
	size_t unwanted_size;	/* bytes that it needs */
	uint64_t random;	/* bits for the permutation */
	uint32_t random_left;	/* 16 bits at a time */
	int64_t deadline;
	bool has_default, ordered;
	leat_channel *drop_of;	/* the channel whose element is in unwanted */
};

static inline struct state *state_of(leat_case *c)
{
	return (struct state *)c->_waiter;
}

/* The case at position i of the permutation. */
static inline leat_case *at(struct select *s, uint32_t i)
{
	return state_of(&s->cases[i])->at;
}

static bool is_channel_op(const leat_case *c)
{
	return c->op == LEAT_OP_SEND || c->op == LEAT_OP_RECV;
}

static void parse(struct select *s)
{
	s->deadline = LEAT_FOREVER;
	for (uint32_t i = 0; i < s->n; i++) {
		leat_case *c = &s->cases[i];

		if (c->op == LEAT_OP_DEFAULT)
			s->has_default = true;
		else if (c->op == LEAT_OP_ORDERED)
			s->ordered = true;
		else if (c->op == LEAT_OP_UNTIL)
			s->deadline = c->deadline < s->deadline ? c->deadline : s->deadline;
		else if (c->chan) {
			state_of(&s->cases[s->nready++])->at = c;
			if (c->op == LEAT_OP_RECV && !c->elem.recv &&
			    c->chan->elem_size >= s->unwanted_size)
				s->unwanted_size = c->chan->elem_size;
		}
	}
}

/*
 * One step of Fisher and Yates: draws the case for position i from the rest.
 * 16 random bits a step are enough: the bias is below n / 65536.
 */
static inline leat_case *draw(struct select *s, uint32_t i)
{
	leat_case **a = &state_of(&s->cases[i])->at, **b, *keep = *a;
	uint32_t n = s->nready - i;

	if (s->ordered || n == 1)
		return keep;
	if (n > 4096)
		i += (uint32_t)leat_random(n);
	else {
		if (s->random_left == 0) {
			s->random = leat_random(UINT64_MAX);
			s->random_left = 4;
		}
		i += (uint32_t)(((s->random & 0xffff) * n) >> 16);
		s->random >>= 16;
		s->random_left--;
	}
	b = &state_of(&s->cases[i])->at;
	*a = *b;
	*b = keep;
	return *a;
}

/* Under the channel's lock. */
static int do_locked(struct select *s, leat_case *c, struct leat__task **wake)
{
	void *to = c->elem.recv;
	int r;

	if (c->op == LEAT_OP_SEND)
		return leat__chan_send_locked(c->chan, c->elem.send, s->me, wake);
	if (!to)
		to = s->unwanted;
	r = leat__chan_recv_locked(c->chan, to, s->me, wake);
	if (r == 0 && !c->elem.recv)
		s->drop_of = c->chan;
	return r;
}

/* A look without the lock; a miss is made good by S5. */
static bool may_be_ready(const leat_case *c)
{
	leat_channel *ch = c->chan;

	if (leat__load_relaxed(&ch->flags) != 0)
		return true;
	if (c->op == LEAT_OP_SEND)
		return leat__load_relaxed(&ch->nrecv) > 0 ||
		       leat__load_relaxed(&ch->count) < ch->cap;
	return leat__load_relaxed(&ch->count) > 0 || leat__load_relaxed(&ch->nsend) > 0;
}

/* S1.  The index of the case that was done, or -EAGAIN. */
static int scan(struct select *s, bool all)
{
	struct leat__worker *w = leat__self();

	for (uint32_t i = 0; i < s->nready; i++) {
		leat_case *c = draw(s, i);
		struct leat__task *wake = NULL;
		int r;

		if (!all && !may_be_ready(c))
			continue;
		leat__chan_lock(c->chan, w);
		r = do_locked(s, c, &wake);
		state_of(c)->version = c->chan->version;
		leat__chan_unlock(c->chan, w);
		if (wake)
			leat__ready(wake);
		if (r == -EAGAIN)
			continue;
		c->status = r;
		return (int)(c - s->cases);
	}
	return -EAGAIN;
}

static int by_address(const void *a, const void *b)
{
	const leat_channel *x = *(leat_channel *const *)a, *y = *(leat_channel *const *)b;

	return (x > y) - (x < y);
}

/* All channels locked at once: what is true then is true at an instant. */
static int scan_all_locked(struct select *s)
{
	leat_channel *few[16], **list = few;
	size_t bytes = s->nready * sizeof(*list);
	struct leat__task *wake = NULL;
	int result = -EAGAIN;

	if (s->nready > 16 && !(list = leat__alloc(bytes)))
		return -ENOMEM;
	for (uint32_t i = 0; i < s->nready; i++)
		list[i] = at(s, i)->chan;
	qsort(list, s->nready, sizeof(*list), by_address);
	for (uint32_t i = 0; i < s->nready; i++)
		if (i == 0 || list[i] != list[i - 1])
			leat__chan_lock(list[i], NULL);
	for (uint32_t i = 0; i < s->nready && result == -EAGAIN; i++) {
		leat_case *c = draw(s, i);
		int r = do_locked(s, c, &wake);

		if (r != -EAGAIN) {
			c->status = r;
			result = (int)(c - s->cases);
		}
	}
	for (uint32_t i = 0; i < s->nready; i++)
		if (i == 0 || list[i] != list[i - 1])
			leat__chan_unlock(list[i], NULL);
	if (list != few)
		leat__free(list, bytes);
	if (wake)
		leat__ready(wake);
	return result;
}

/* S2.  As scan; -EAGAIN means that no case was ready at some instant. */
static int scan_for_default(struct select *s)
{
	for (int tries = 0; tries < MAX_DEFAULT_SCANS; tries++) {
		int r = scan(s, true);
		bool same = true;

		if (r != -EAGAIN)
			return r;
		for (uint32_t i = 0; i < s->nready; i++) {
			leat_case *c = at(s, i);

			/* Acquire: pairs with changed() in chan.c. */
			same &= leat__load_acquire(&c->chan->version) == state_of(c)->version;
		}
		if (same)
			return -EAGAIN;
	}
	return scan_all_locked(s);
}

/* S3 */
static void enqueue_all(struct select *s)
{
	struct leat__worker *w = leat__self();

	for (uint32_t i = 0; i < s->nready; i++) {
		leat_case *c = at(s, i);
		struct leat__waiter *waiter = &state_of(c)->waiter;

		waiter->task = s->me;
		waiter->index = (uint32_t)(c - s->cases);
		waiter->elem = c->op == LEAT_OP_SEND ? (void *)(uintptr_t)c->elem.send
			  : c->elem.recv	? c->elem.recv
						: s->unwanted;
		leat__chan_lock(c->chan, w);
		leat__chan_enqueue(c->chan, c->op == LEAT_OP_SEND, waiter);
		leat__chan_unlock(c->chan, w);
	}
}

/* S7 */
static void dequeue_all(struct select *s)
{
	struct leat__worker *w = leat__self();

	for (uint32_t i = 0; i < s->nready; i++) {
		leat_case *c = at(s, i);

		leat__chan_lock(c->chan, w);
		leat__chan_dequeue(c->chan, c->op == LEAT_OP_SEND, &state_of(c)->waiter);
		leat__chan_unlock(c->chan, w);
	}
}

/* S5.  The index of the case done; -EAGAIN: park; -EINTR: arm and scan again. */
static int rescan(struct select *s)
{
	struct leat__worker *w = leat__self();

	for (uint32_t i = 0; i < s->nready; i++) {
		leat_case *c = draw(s, i);
		struct leat__task *wake = NULL, *me = s->me;
		uint32_t armed;
		int r;

		leat__chan_lock(c->chan, w);
		if (!leat__chan_ready_locked(c->chan, c->op == LEAT_OP_SEND, me)) {
			/* From here on we wait at this channel: news for S2 of others. */
			leat__store_release(&c->chan->version, c->chan->version + 1);
			leat__chan_unlock(c->chan, w);
			continue;
		}
		armed = leat__load_relaxed(&me->claim);
		if ((armed != LEAT__CLAIM_ARMED && armed != LEAT__CLAIM_CANCELABLE) ||
		    !leat__cas(&me->claim, armed, LEAT__CLAIM_IDLE)) {
			leat__chan_unlock(c->chan, w);
			return -EAGAIN; /* claimed: the park returns at once */
		}
		r = do_locked(s, c, &wake);
		leat__chan_unlock(c->chan, w);
		if (wake)
			leat__ready(wake);
		if (r == -EAGAIN)
			return -EINTR;
		c->status = r;
		return (int)(c - s->cases);
	}
	return -EAGAIN;
}

/* S3 to S7 */
static int block(struct select *s)
{
	int r;

	enqueue_all(s);
	do {
		leat__arm(s->me, true);		/* S4 */
		r = LEAT__MUTANT(SELECT_NO_RESCAN) ? -EAGAIN : rescan(s);
		if (r == -EINTR)
			leat__cpu_pause();
	} while (r == -EINTR);
	if (r == -EAGAIN) {
		r = leat__park(s->me, LEAT__WHY_SELECT, s, s->deadline); /* S6 */
		if (r >= 0) {
			s->cases[r].status = state_of(&s->cases[r])->waiter.result;
			if (s->cases[r].op == LEAT_OP_RECV && !s->cases[r].elem.recv &&
			    s->cases[r].status == 0)
				s->drop_of = s->cases[r].chan;
		}
	}
	dequeue_all(s);
	return r;
}

static int run(struct select *s)
{
	int r;

	r = s->has_default ? scan_for_default(s) : scan(s, false);
	if (r == -EAGAIN && !s->has_default)
		r = block(s);
	if (r >= 0) {
		if (s->cases[r].ret_status)
			*s->cases[r].ret_status = s->cases[r].status;
		if (s->drop_of && s->drop_of->drop)
			s->drop_of->drop(s->unwanted);
	}
	return r;
}

int leat_select_cases(leat_case *cases, size_t n)
{
	struct select s = { .cases = cases, .n = (uint32_t)n };
	char small[DROP_ON_STACK] __attribute__((aligned(16)));
	struct leat__worker *w;
	int r = leat__enter(&w, &s.me);

	if (leat__unlikely(r < 0))
		return r;
	if (n > UINT32_MAX / 2 || (n > 0 && !cases))
		leat__misuse(cases, "%zu cases", n);
	parse(&s);
	s.unwanted = s.unwanted_size <= sizeof(small) ? small : leat__alloc(s.unwanted_size);
	if (!s.unwanted)
		return -ENOMEM;
	r = run(&s);
	if (s.unwanted != small)
		leat__free(s.unwanted, s.unwanted_size);
	return r;
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
		if (!is_channel_op(&c)) {
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
