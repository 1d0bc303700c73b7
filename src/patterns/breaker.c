/*
 * Circuit breakers.
 *
 * All is in one word: the generation, which changes with the state, and so tells stale calls;
 * the state; half-open, the calls that are out; and a count: of failures (closed) or successes
 * (half-open).  The time until which it is open is beside it:
 *
 *	open	O1 CAS the word to OPENING, with a new generation: nobody else changes it now
 *		O2 read the clock, write open_until
 *		O3 the word says OPEN
 *	enter	O4 OPENING: refused.  OPEN: before open_until refused, else CAS to half-open
 *
 * So it is written by who has opened it, and not by who would have, too, but came too late.
 */
#include <errno.h>
#include <stdatomic.h>

#include <leat/breaker.h>
#include <leat/extend.h>

#include "patterns/options.h"

#define BAD(ok, ...) OPTION("leat_breaker_init", ok, __VA_ARGS__)

enum { MAX = 1000 };

/* A state that nobody is told of: it is open. */
enum { OPENING = LEAT_BREAKER_HALF_OPEN + 1 };

struct word {
	uint32_t generation;
	uint16_t count;
	uint16_t state : 2, out : 14;
};

static uint64_t pack(struct word w)
{
	return (uint64_t)w.generation << 32 | (uint64_t)w.count << 16 | (uint64_t)w.out << 2 |
	       w.state;
}

static struct word unpack(uint64_t bits)
{
	return (struct word){ .generation = (uint32_t)(bits >> 32),
			      .count = (uint16_t)(bits >> 16),
			      .state = bits & 3,
			      .out = (uint16_t)(bits >> 2) & 0x3fff };
}

static _Atomic uint64_t *word_of(const leat_breaker *b)
{
	return (_Atomic uint64_t *)(uintptr_t)&b->_state;
}

static _Atomic int64_t *open_until(const leat_breaker *b)
{
	return (_Atomic int64_t *)(uintptr_t)&b->_open_until;
}

int leat_breaker_init(leat_breaker *b, const leat_breaker_options *o)
{
	if (!o || o->size != sizeof(*o))
		leat_misuse(__func__, b, "the size is not set; use LEAT_BREAKER_OPTIONS(...)");
	BAD(o->failures > 0 && o->failures <= MAX, "failures is %d; it must be 1 to %d",
	    o->failures, MAX);
	BAD(o->open_for > 0, "open_for is %lld ns; it must be > 0", (long long)o->open_for);
	BAD(o->probes > 0 && o->probes <= MAX, "probes is %d; it must be 1 to %d", o->probes, MAX);
	BAD(o->successes > 0 && o->successes <= MAX, "successes is %d; it must be 1 to %d",
	    o->successes, MAX);
	b->_options = *o;
	atomic_init(open_until(b), 0);
	atomic_init(word_of(b), 0);
	return 0;
}

static void check(const char *function, const leat_breaker *b)
{
	if (!b || b->_options.failures == 0)
		leat_misuse(function, b, "the breaker is not made; use leat_breaker_init");
}

/* Acquire: pairs with O3. */
static bool replace(leat_breaker *b, uint64_t *old, struct word next)
{
	return atomic_compare_exchange_weak_explicit(word_of(b), old, pack(next),
						     memory_order_acq_rel, memory_order_acquire);
}

static void change(struct word *w, unsigned state)
{
	*w = (struct word){ .generation = w->generation + 1, .state = state };
}

/* What the word is after a call has been let through; false: it is not. */
static bool let_through(leat_breaker *b, struct word *w)
{
	switch (w->state) {
	case LEAT_BREAKER_CLOSED:
		return true;
	case OPENING:					/* O4 */
		return false;
	case LEAT_BREAKER_OPEN:
		if (leat_now() < atomic_load_explicit(open_until(b), memory_order_relaxed))
			return false;
		change(w, LEAT_BREAKER_HALF_OPEN);
		break;
	case LEAT_BREAKER_HALF_OPEN:
		if (w->out >= b->_options.probes)
			return false;
		break;
	}
	w->out++;
	return true;
}

int leat_breaker_enter(leat_breaker *b, leat_breaker_ticket *ret_ticket)
{
	uint64_t old;
	struct word w;

	check(__func__, b);
	old = atomic_load_explicit(word_of(b), memory_order_acquire);
	do {
		w = unpack(old);
		if (!let_through(b, &w))
			return LEAT_EOPEN;
	} while (w.state != LEAT_BREAKER_CLOSED && !replace(b, &old, w));
	*ret_ticket = w.generation;
	return 0;
}

/* O2, O3; O1 was ours. */
static void open_for(leat_breaker *b, struct word w)
{
	int64_t now = leat_now();
	int64_t until = b->_options.open_for < LEAT_FOREVER - now ? now + b->_options.open_for
								  : LEAT_FOREVER;

	atomic_store_explicit(open_until(b), until, memory_order_relaxed);
	w.state = LEAT_BREAKER_OPEN;
	/* Release: pairs with enter's loads of the word. */
	atomic_store_explicit(word_of(b), pack(w), memory_order_release);
}

/* What the word is after a call of its generation; false: as before. */
static bool count(leat_breaker *b, struct word *w, int result)
{
	bool failed = result < 0 && result != -ECANCELED;

	if (w->state == LEAT_BREAKER_CLOSED) {
		if (result == -ECANCELED || (!failed && w->count == 0))
			return false;
		w->count = failed ? w->count + 1 : 0;
		if (w->count >= b->_options.failures)
			change(w, OPENING);
		return true;
	}
	if (w->out == 0)
		leat_misuse("leat_breaker_leave", b, "the call has left already; leave once for each enter");
	w->out--;
	if (failed)
		change(w, OPENING);
	else if (result != -ECANCELED && ++w->count >= b->_options.successes)
		change(w, LEAT_BREAKER_CLOSED);
	return true;
}

void leat_breaker_leave(leat_breaker *b, leat_breaker_ticket ticket, int result)
{
	uint64_t old;
	struct word w;

	check(__func__, b);
	old = atomic_load_explicit(word_of(b), memory_order_acquire);
	do {
		w = unpack(old);
		if (w.generation != ticket || !count(b, &w, result))
			return;
	} while (!replace(b, &old, w));			/* O1 */
	if (w.state == OPENING)
		open_for(b, w);
}

int leat_breaker_run(leat_breaker *b, int (*fn)(void *arg), void *arg)
{
	leat_breaker_ticket ticket;
	int r = leat_breaker_enter(b, &ticket);

	if (r < 0)
		return r;
	r = fn(arg);
	leat_breaker_leave(b, ticket, r);
	return r;
}

enum leat_breaker_state leat_breaker_state_of(const leat_breaker *b)
{
	unsigned state;

	check(__func__, b);
	state = unpack(atomic_load_explicit(word_of(b), memory_order_relaxed)).state;
	return state == OPENING ? LEAT_BREAKER_OPEN : (enum leat_breaker_state)state;
}
