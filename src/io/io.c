/*
 * Handles: a table of slots, and waiting in them.
 *
 * A leat_io is a slot's number and generation.  The slot's state word is
 *
 *	generation << 32 | CLOSING | users
 *
 *   hold	H1 generation as in the handle, and not CLOSING: users + 1, by one CAS
 *   close	H2 the same, and CLOSING; wake all that wait; H3
 *   release	H3 users - 1; was it the last, and CLOSING: ops->close, next generation,
 *		   into the free list
 * So a handle is good or seen to be stale, and nothing of a slot changes while a call
 * holds it.  Slots are freed when the runtime stops.
 *
 * Readiness: `ready` has a bit for each direction and counts events above them; one more,
 * which is never cleared, says that the end, too, has been reported: the event for it does not
 * come again, so that less than all (R3) is no reason to wait.
 *
 *   try	R1 read ready: the bit is not set: R4
 *		R2 attempt; got something, or an error: done
 *		R3 -EAGAIN, or less than all: clear the bit by CAS, if ready is still what R1 read
 *		R4 lock; CLOSING: LEAT_ECLOSED; the bit is set by now: unlock, R1
 *		R5 queue a waiter, arm, unlock, park (park.h)
 *   event	R6 lock; by CAS ready = (ready + EVENT) | bits; claim all who wait; unlock
 *		R7 make them ready: they try again
 * An event between R2 and R3 makes the CAS fail, one before R4 is seen there.
 * close sets CLOSING before it takes the lock, so R4 sees it, or close finds the waiter.
 */
#include "io/io.h"

#include <errno.h>
#include <string.h>

#include "rt/runtime.h"

enum {
	CHUNK = 64,
	CHUNKS_MAX = 1 << 14,
	EVENT = 8,		/* ready counts in units of it */
	BOTH = LEAT__READABLE | LEAT__WRITABLE,
};
#define CLOSING (UINT64_C(1) << 31)
#define GENERATION_1 (UINT64_C(1) << 32)

struct table {
	struct leat__lock lock;
	struct leat__io *free;	/* (L) */
	uint32_t nchunks;	/* (L, a) */
	struct leat__io *chunk[CHUNKS_MAX]; /* (c) below nchunks */
};

static void pollable_prefetch(const struct leat__pollable *p)
{
	const struct leat__io *io = leat__container_of(p, const struct leat__io, pollable);

	__builtin_prefetch(leat__load_relaxed(&io->reader), 1);
}

static void pollable_ready(struct leat__pollable *p, uint32_t what)
{
	leat__io_event(leat__container_of(p, struct leat__io, pollable), what);
}

static const struct leat__pollable_ops pollable_ops = { pollable_ready, pollable_prefetch };

static void table_fini(struct leat__runtime *rt)
{
	struct table *table = rt->io;

	for (uint32_t i = 0; i < table->nchunks; i++) {
		for (int j = 0; j < CHUNK; j++) {
			struct leat__io *io = &table->chunk[i][j];

			if (io->ops)
				io->ops->close(io);
		}
		leat__free(table->chunk[i], sizeof(struct leat__io) * CHUNK);
	}
	leat__free(table, sizeof(*table));
	rt->io = NULL;
}

/* The runtime's table, made at its first use; NULL: no memory. */
static struct table *table_get(struct leat__runtime *rt)
{
	struct table *table = leat__load_acquire(&rt->io); /* pairs with the CAS */

	if (leat__likely(table != NULL))
		return table;
	table = leat__alloc(sizeof(*table));
	if (!table)
		return NULL;
	memset(table, 0, sizeof(*table));
	leat__store_relaxed(&rt->io_fini, table_fini); /* the same from every thread */
	if (leat__cas(&rt->io, NULL, table))
		return table;
	leat__free(table, sizeof(*table));
	return leat__load_acquire(&rt->io);
}

/* Under the table's lock. */
static void add_chunk(struct table *table, struct leat__io *slots)
{
	for (uint32_t i = CHUNK; i-- > 0;) {
		struct leat__io *io = &slots[i];

		memset(io, 0, sizeof(*io));
		io->pollable.ops = &pollable_ops;
		leat__list_init(&io->readers);
		leat__list_init(&io->writers);
		leat__list_init(&io->pausers);
		io->index = table->nchunks * CHUNK + i;
		io->state = GENERATION_1;
		io->next_free = table->free;
		table->free = io;
	}
	table->chunk[table->nchunks] = slots;
	/* Release: pairs with the acquire in leat__io_hold. */
	leat__store_release(&table->nchunks, table->nchunks + 1);
}

static struct leat__io *pop_free(struct table *table, struct leat__io *fresh)
{
	struct leat__io *io;

	leat__lock_acquire(&table->lock, LEAT__RANK_MEMORY);
	if (fresh && !table->free && table->nchunks < CHUNKS_MAX) {
		add_chunk(table, fresh);
		fresh = NULL;
	}
	io = table->free;
	if (io)
		table->free = io->next_free;
	leat__lock_release(&table->lock);
	leat__free(fresh, sizeof(*fresh) * CHUNK);
	return io;
}

struct leat__io *leat__io_new(const struct leat__io_ops *ops, int fd, void *ctx, uint32_t ready)
{
	struct leat__runtime *rt = leat__rt;
	struct table *table;
	struct leat__io *io, *fresh;

	if (leat__unlikely(!rt))
		leat__misuse_at("leat_io", NULL, "no runtime runs; call it inside of leat_run");
	table = table_get(rt);
	if (!table)
		return NULL;
	io = pop_free(table, NULL);
	if (!io) {
		fresh = leat__alloc_aligned(sizeof(*fresh) * CHUNK, 64);
		if (!fresh)
			return NULL;
		io = pop_free(table, fresh);
		if (!io)
			return NULL;
	}
	io->ops = ops;
	io->fd = fd;
	io->ctx = ctx;
	io->flags = 0;
	leat__store_relaxed(&io->ready, ready);
	return io;
}

leat_io leat__io_open(struct leat__io *io)
{
	uint64_t state = leat__load_relaxed(&io->state);

	return (leat_io){ state >> 32 << 32 | (io->index + 1) };
}

static void push_free(struct leat__io *io)
{
	struct table *table = leat__rt->io;

	io->ops = NULL;
	/* Release: pairs with the CAS of H1; the slot's fields are the next owner's. */
	leat__store_release(&io->state, ((leat__load_relaxed(&io->state) >> 32) + 1) << 32);
	leat__lock_acquire(&table->lock, LEAT__RANK_MEMORY);
	io->next_free = table->free;
	table->free = io;
	leat__lock_release(&table->lock);
}

void leat__io_discard(struct leat__io *io)
{
	push_free(io);
}

/* The slot that handle means, whatever its generation; NULL: none. */
static struct leat__io *slot_of(leat_io handle)
{
	struct table *table = leat__rt ? leat__load_acquire(&leat__rt->io) : NULL;
	uint32_t index = (uint32_t)handle._id - 1;

	/* Acquire: pairs with add_chunk. */
	if (!table || index / CHUNK >= leat__load_acquire(&table->nchunks))
		return NULL;
	return &table->chunk[index / CHUNK][index % CHUNK];
}

/* H1; with: CLOSING, or 0. */
static struct leat__io *hold(leat_io handle, uint64_t with)
{
	struct leat__io *io = slot_of(handle);
	uint64_t state;

	if (!io)
		return NULL;
	do {
		state = leat__load_relaxed(&io->state);
		if (state >> 32 != handle._id >> 32 || (state & CLOSING))
			return NULL;
	} while (!leat__cas(&io->state, state, (state + 1) | with));
	return io;
}

struct leat__io *leat__io_hold(leat_io handle)
{
	return hold(handle, 0);
}

void leat__io_release(struct leat__io *io)
{
	uint64_t state = leat__fetch_sub(&io->state, 1) - 1;		/* H3 */

	if (leat__likely((uint32_t)state != CLOSING))
		return;
	io->ops->close(io);
	push_free(io);
}

bool leat__io_is_closing(struct leat__io *io)
{
	return leat__load_relaxed(&io->state) & CLOSING;
}

/* Claims all who wait in q; result is what they find. */
static void claim_all(struct leat__list *q, int result, struct leat__wake *wake)
{
	while (q->next != q) {
		struct leat__waiter *w = leat__container_of(q->next, struct leat__waiter, node);

		leat__list_remove(&w->node);
		if (!leat__claim_waiter(w))
			continue;
		w->result = result;
		leat__wake_add(wake, w->task);
	}
}

/* R3 may come in between, it needs no lock. */
static void note_event(struct leat__io *io, uint32_t what)
{
	uint32_t ready;

	do
		ready = leat__load_relaxed(&io->ready);
	while (!leat__cas(&io->ready, ready, (ready + EVENT) | what));
}

/*
 * A batch of events makes many tasks ready, which have not run for a while: their frames, from
 * the switch up to the caller of leat_read, are fetched from memory together and not one by one.
 */
static void prefetch_frames(struct leat__task *t)
{
	enum { LINE = 64, LINES = 10 };
	const char *sp = leat__load_relaxed(&t->sp);

	/* NULL: it still saves its context; then it has its frames in a cache. */
	for (int i = 0; sp && i < LINES; i++)
		__builtin_prefetch(sp + (ptrdiff_t)i * LINE, 1);
}

static void wake_waiters(struct leat__io *io, uint32_t what, int result)
{
	struct leat__wake wake = { NULL, NULL };

	leat__lock_acquire(&io->lock, LEAT__RANK_OBJECT);
	if (result == 0)
		note_event(io, what);					/* R6 */
	if (what & LEAT__READABLE)
		claim_all(&io->readers, result, &wake);
	if (what & LEAT__WRITABLE)
		claim_all(&io->writers, result, &wake);
	if (result != 0)
		claim_all(&io->pausers, result, &wake);
	leat__lock_release(&io->lock);
	for (struct leat__task *t = wake.first, *next; t; t = next) {		/* R7 */
		next = t->next;
		prefetch_frames(t);
		leat__ready_fifo(t);
	}
}

void leat__io_event(struct leat__io *io, uint32_t what)
{
	wake_waiters(io, what, 0);
}

int leat_io_close(leat_io handle)
{
	struct leat__io *io = hold(handle, CLOSING);			/* H2 */

	leat__check_fork(__func__, NULL);
	if (!io)
		return LEAT_ECLOSED;
	wake_waiters(io, BOTH, LEAT_ECLOSED);
	leat__io_release(io);
	return 0;
}

/* R4, R5; what: 0: only until the close.  0, LEAT_ECLOSED, -ETIMEDOUT or -ECANCELED. */
static int block(struct leat__io *io, uint32_t what, struct leat__task *me, int64_t deadline)
{
	struct leat__waiter reader = { .task = me }, writer = { .task = me };
	struct leat__runtime *rt = leat__rt;
	int r;

	leat__list_init(&reader.node);
	leat__list_init(&writer.node);

	leat__lock_acquire(&io->lock, LEAT__RANK_OBJECT);
	r = leat__io_is_closing(io) ? LEAT_ECLOSED : 0;
	if (r < 0 || (leat__load_relaxed(&io->ready) & what)) {
		leat__lock_release(&io->lock);
		return r;
	}
	leat__arm(me, true);
	if (what == 0)
		leat__list_append(&io->pausers, &reader.node);
	if (what & LEAT__READABLE) {
		leat__list_append(&io->readers, &reader.node);
		leat__store_relaxed(&io->reader, me);
	}
	if (what & LEAT__WRITABLE)
		leat__list_append(&io->writers, &writer.node);
	if (io->ops->external)
		leat__fetch_add(&rt->external, 1);
	leat__lock_release(&io->lock);
	r = leat__park(me, what == LEAT__WRITABLE ? LEAT__WHY_WRITE : LEAT__WHY_READ, io, deadline);
	if (r < 0 || what == BOTH) {
		leat__lock_acquire(&io->lock, LEAT__RANK_OBJECT);
		leat__list_remove(&reader.node);
		leat__list_remove(&writer.node);
		leat__lock_release(&io->lock);
	}
	if (io->ops->external)
		leat__fetch_sub(&rt->external, 1);
	if (r < 0)
		return r;
	/* One of them was claimed; of the other it is 0. */
	return reader.result != 0 ? reader.result : writer.result;
}

static bool is_short(int64_t r, size_t all)
{
	return r > 0 && (uint64_t)r < all;
}

int64_t leat__io_try(struct leat__io *io, uint32_t what, int64_t deadline,
		     int64_t (*attempt)(struct leat__io *io, void *arg), void *arg, size_t all)
{
	struct leat__worker *w;
	struct leat__task *me;
	int64_t r;

	if (io->ops->blocks)
		return leat__io_block(io, deadline, attempt, arg);
	r = leat__enter(&w, &me);
	while (r == 0) {
		uint32_t seen = leat__load_acquire(&io->ready);		/* R1 */

		if (seen & what) {
			r = attempt(io, arg);				/* R2 */
			if (r == -EINTR) {
				r = 0;
				continue;
			}
			if (r == -EAGAIN || (is_short(r, all) && io->ops->short_is_all &&
					     !(seen & LEAT__MORE_BEHIND)))
				leat__cas(&io->ready, seen, seen & ~what);	/* R3 */
			if (r != -EAGAIN)
				return r;
		}
		r = block(io, what, me, deadline);
	}
	return r;
}

int64_t leat__io_wait(struct leat__io *io, uint32_t what, int64_t deadline)
{
	struct leat__worker *w;
	struct leat__task *me;
	int64_t r = leat__enter(&w, &me);

	if (r == 0 && io->ops->blocks)
		return what;
	while (r == 0) {
		uint32_t seen = leat__load_acquire(&io->ready), now = seen & what;

		/* The bit may be a guess, or old: only the kernel knows. */
		if (now && io->fd >= 0)
			now = leat__poll_now(io->fd, now);
		else if (now && io->ops->possible)
			now = io->ops->possible(io, now);
		if (now)
			return now;
		leat__cas(&io->ready, seen, seen & ~what);
		r = block(io, what, me, deadline);
	}
	return r;
}

int leat__io_pause(struct leat__io *io, int64_t until)
{
	struct leat__worker *w;
	struct leat__task *me;
	int r = leat__enter(&w, &me);

	if (r == 0)
		r = block(io, 0, me, until);
	return r == -ETIMEDOUT ? 0 : r;
}

static void describe(struct leat__look *l, const void *object)
{
	struct leat__io io;

	if (!leat__look_at(l, &io, (const struct leat__io *)object))
		return;
	if (io.fd >= 0)
		leat__say(l, " of fd %d", io.fd);
}

__attribute__((constructor)) static void set_kind(void)
{
	static const struct leat__kind kind = { describe, NULL, NULL };

	leat__kind_set(LEAT__WHY_READ, &kind);
	leat__kind_set(LEAT__WHY_WRITE, &kind);
}
