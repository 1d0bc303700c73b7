/*
 * Channels.
 *
 * A ring of cap elements under a spin lock, and two FIFO queues of waiters.
 * A waiter's element is copied straight from or to the blocked task's memory.
 *
 * Invariants, under the lock, for waiters whose claim is still open:
 *   - receivers wait only while the buffer is empty, senders only while it is full;
 *   - at most one of the queues has such waiters, except that one select may
 *     wait in both (a task never meets itself);
 *   - closed or abandoned: neither queue has any, except those that H7 has not
 *     come to yet, which are its alone.
 * One exception: a select that was passed over while it had taken its claim
 * back (S5 in select.c) may wait, claimable, while the buffer has elements or room, until it
 * has scanned again (S5).  Nothing may be given to it past the buffer: that
 * would overtake older elements.
 * Waiters whose claim was won by a timeout, a cancel or another case of their
 * select stay in the queue until their task takes them out; they are skipped.
 *
 *   operation	H1 lock; the other side waits: claim the first that can be
 *		   claimed, copy, unlock, make it ready
 *		H2 else use the buffer, if it has room or content
 *		H3 else queue a waiter, arm, unlock, park (P1-P3 in park.h)
 *		H4 claimed by the other side: the waiter is out of the queue, and
 *		   result says how it went
 *		H5 timeout or cancel: lock, take the waiter out, unlock
 *   close	H6 lock, set the flag, unlock: from now on nobody queues, and no
 *		   receiver takes from a sender that waits
 *		H7 until the queues have been gone through: lock, claim the next
 *		   CLOSE_BATCH waiters, unlock, make them ready
 */
#include "sync/chan.h"

#include <errno.h>
#include <string.h>

#include <leat/extend.h>

#include "rt/spawn.h"

enum { DROP_ON_STACK = 512, CLOSE_BATCH = 64 };

/* Begins a line of the cache: what is linked before it does not decide how fast it is. */
#define OWN_LINE __attribute__((aligned(64)))

static inline void copy(void *to, const void *from, size_t n)
{
	/* The common sizes, without a call. */
	if (n == 8)
		__builtin_memcpy(to, from, 8);
	else if (n == 4)
		__builtin_memcpy(to, from, 4);
	else if (n > 0)
		memcpy(to, from, n);
}

/* Words one by one: they may just have been written so, and a wider load would wait for that. */
static inline __attribute__((always_inline)) void copy_words(void *to, const void *from, int n)
{
	for (int i = 0; i < n; i++) {
		uint64_t word;

		__builtin_memcpy(&word, (const char *)from + 8 * i, sizeof(word));
		__asm__("" : "+r"(word));
		__builtin_memcpy((char *)to + 8 * i, &word, sizeof(word));
	}
}

/* The commonest sizes, a pointer and two words before the others; false: another. */
static inline bool copy_quickly(void *to, const void *from, size_t n)
{
	if (leat__likely(n == 8)) {
		copy_words(to, from, 1);
		return true;
	}
	if (leat__likely(n == 16)) {
		copy_words(to, from, 2);
		return true;
	}
	switch (n) {
	case 4:
		__builtin_memcpy(to, from, 4);
		return true;
	case 24:
		copy_words(to, from, 3);
		return true;
	case 32:
		copy_words(to, from, 4);
		return true;
	default:
		return false;
	}
}

static inline char *slot(leat_channel *c, size_t i)
{
	return c->buffer + i * c->elem_size;
}

static inline void changed(leat_channel *c)
{
	/* Release: pairs with the acquire in select.c; the change is visible. */
	leat__store_release(&c->version, c->version + 1);
}

leat_channel *leat_channel_create(size_t elem_size, size_t cap, void (*drop)(void *elem),
				  const char *file_line)
{
	leat_channel *c;
	size_t bytes;

	if (elem_size > UINT32_MAX || __builtin_mul_overflow(elem_size, cap, &bytes) ||
	    __builtin_add_overflow(bytes, sizeof(*c), &bytes))
		return NULL;
	c = leat__alloc_aligned(bytes, 64);
	if (!c)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->elem_size = (uint32_t)elem_size;
	c->cap = cap;
	c->drop = drop;
	c->where = file_line;
	c->refs = 1;
	leat__list_init(&c->recvq);
	leat__list_init(&c->sendq);
	return c;
}

static void check(const char *function, const leat_channel *c)
{
	leat__check_fork(function, c);
	if (leat__unlikely(!c))
		leat__misuse_at(function, c, "the channel is NULL; make it with leat_chan_make and check the result");
}

leat_channel *leat_channel_ref(leat_channel *c)
{
	check(__func__, c);
	leat__fetch_add(&c->refs, 1);
	return c;
}

void leat_channel_unref(leat_channel *c)
{
	if (!c || leat__fetch_sub(&c->refs, 1) != 1)
		return;
	if (c->nrecv != 0 || c->nsend != 0)
		leat__misuse(c, "last reference of the channel made at %s released while a task waits on it; keep a reference per task",
			     c->where ? c->where : "?");
	for (; c->count > 0; c->count--) {
		if (c->drop)
			c->drop(slot(c, c->head));
		c->head = c->head + 1 == c->cap ? 0 : c->head + 1;
	}
	leat__free(c, sizeof(*c) + c->cap * c->elem_size);
}

/* W1: the first waiter in q that is ours to wake, out of the queue; NULL: none. */
static inline struct leat__waiter *claim_first(struct leat__list *q, uint32_t *len,
					       struct leat__task *me)
{
	leat__list_for_each(node, q) {
		struct leat__waiter *w = leat__container_of(node, struct leat__waiter, node);

		if (w->task == me || !leat__claim_waiter(w)) {
			if (LEAT__MUTANT(CHAN_STOPS_AT_FIRST))
				return NULL;
			continue;
		}
		leat__list_remove(&w->node);
		leat__store_relaxed(len, *len - 1);
		return w;
	}
	return NULL;
}

/* After everything the task shall find has been written. */
static inline void push_wake(struct leat__task **wake, struct leat__waiter *w, int result)
{
	struct leat__task *t = w->task;

	w->result = result;
	t->next = *wake;
	*wake = t;
}

void leat__chan_wake(struct leat__task *wake)
{
	while (wake) {
		struct leat__task *t = wake;

		wake = t->next;
		if (t->next)
			leat__ready_fifo(t);
		else
			leat__ready(t);
	}
}

/* A receiver that also wants the element's number: its result is NUMBERED until it is claimed. */
struct numbered {
	struct leat__waiter waiter;
	uint64_t number;
};

enum { NUMBERED = 1 };

/* Where the next element goes, if there is room. */
static inline size_t tail_of(leat_channel *c)
{
	size_t tail = c->head + c->count;

	return tail >= c->cap ? tail - c->cap : tail;
}

/* An element has been copied to the tail. */
static inline void is_put(leat_channel *c)
{
	leat__store_relaxed(&c->count, c->count + 1);
	c->sent++;
}

/* How many were sent before the oldest: of those that are buffered, else of those to come. */
static inline uint64_t oldest(const leat_channel *c)
{
	return c->sent - c->count;
}

/* The oldest has been copied out. */
static inline void is_taken(leat_channel *c)
{
	c->head = c->head + 1 == c->cap ? 0 : c->head + 1;
	leat__store_relaxed(&c->count, c->count - 1);
}

static inline __attribute__((always_inline)) int send_locked(leat_channel *c, const void *elem,
							     struct leat__task *me,
							     struct leat__task **wake)
{
	struct leat__waiter *w;

	if (leat__unlikely(c->flags != 0))
		return LEAT_ECLOSED;
	if (c->nrecv > 0 && c->count == 0 &&
	    (w = claim_first(&c->recvq, &c->nrecv, me)) != NULL) {
		copy(w->elem, elem, c->elem_size);
		if (leat__unlikely(w->result == NUMBERED))
			leat__container_of(w, struct numbered, waiter)->number = c->sent;
		push_wake(wake, w, 0);
		c->sent++;
		return 0;
	}
	if (c->count == c->cap)
		return -EAGAIN;
	copy(slot(c, tail_of(c)), elem, c->elem_size);
	is_put(c);
	changed(c);
	return 0;
}

/* There is room now: the first sender that waits gets it. */
static inline void refill(leat_channel *c, struct leat__task *me, struct leat__task **wake)
{
	struct leat__waiter *w;

	if (c->nsend == 0 || c->flags != 0 || LEAT__MUTANT(CHAN_NO_REFILL) ||
	    !(w = claim_first(&c->sendq, &c->nsend, me)))
		return;
	copy(slot(c, tail_of(c)), w->elem, c->elem_size);
	is_put(c);
	push_wake(wake, w, 0);
}

static inline __attribute__((always_inline)) int recv_locked(leat_channel *c, void *elem,
							     struct leat__task *me,
							     struct leat__task **wake)
{
	struct leat__waiter *w;

	if (c->count > 0) {
		copy(elem, slot(c, c->head), c->elem_size);
		is_taken(c);
		refill(c, me, wake);
		changed(c);
		return 0;
	}
	if (c->nsend > 0 && c->flags == 0 &&
	    (w = claim_first(&c->sendq, &c->nsend, me)) != NULL) {
		copy(elem, w->elem, c->elem_size);
		c->sent++;
		push_wake(wake, w, 0);
		return 0;
	}
	if (leat__unlikely(c->flags != 0)) {
		memset(elem, 0, c->elem_size);
		return LEAT_ECLOSED;
	}
	return -EAGAIN;
}

int leat__chan_send_locked(leat_channel *c, const void *elem, struct leat__task *me,
			   struct leat__task **wake)
{
	return send_locked(c, elem, me, wake);
}

int leat__chan_recv_locked(leat_channel *c, void *elem, struct leat__task *me,
			   struct leat__task **wake)
{
	return recv_locked(c, elem, me, wake);
}

bool leat__chan_ready_locked(leat_channel *c, bool send, const struct leat__task *me)
{
	if (c->flags != 0 || (send ? c->count < c->cap : c->count > 0))
		return true;
	if (send && c->count > 0)
		return false; /* full: a receiver takes from the buffer first */
	leat__list_for_each(node, send ? &c->recvq : &c->sendq) {
		struct leat__waiter *w = leat__container_of(node, struct leat__waiter, node);

		if (w->task != me && leat__claim_is_open(w->task))
			return true;
	}
	return false;
}

void leat__chan_enqueue(leat_channel *c, bool send, struct leat__waiter *w)
{
	uint32_t *len = send ? &c->nsend : &c->nrecv;

	leat__list_append(send ? &c->sendq : &c->recvq, &w->node);
	leat__store_relaxed(len, *len + 1);
	changed(c);
}

void leat__chan_dequeue(leat_channel *c, bool send, struct leat__waiter *w)
{
	uint32_t *len = send ? &c->nsend : &c->nrecv;

	if (w->node.next == &w->node)
		return;
	leat__list_remove(&w->node);
	leat__store_relaxed(len, *len - 1);
}

/* H3 to H5.  Called with the lock, returns without. */
static int block(leat_channel *c, struct leat__worker *w, bool send, struct leat__waiter *waiter,
		 int64_t deadline)
{
	struct leat__task *me = waiter->task;
	int r;

	if (deadline == INT64_MIN) {
		leat__chan_unlock(c, w);
		return -ETIMEDOUT;
	}
	if (!LEAT__MUTANT(CHAN_ARMS_LATE))
		leat__arm(me, true);
	leat__chan_enqueue(c, send, waiter);
	leat__chan_unlock(c, w);
	if (LEAT__MUTANT(CHAN_ARMS_LATE))
		leat__arm(me, true);
	r = leat__park(me, send ? LEAT__WHY_SEND : LEAT__WHY_RECV, c, deadline);
	if (leat__likely(r == 0))
		return waiter->result;			/* H4 */
	w = leat__self();
	leat__chan_lock(c, w);				/* H5 */
	if (!LEAT__MUTANT(CHAN_STALE_WAITER))
		leat__chan_dequeue(c, send, waiter);
	leat__chan_unlock(c, w);
	return r;
}

static int block_send(leat_channel *c, struct leat__worker *w, const void *elem,
		      struct leat__task *me, int64_t deadline)
{
	struct leat__waiter waiter = { .task = me, .elem = (void *)(uintptr_t)elem };

	return block(c, w, true, &waiter, deadline);
}

static int block_recv(leat_channel *c, struct leat__worker *w, void *elem, struct leat__task *me,
		      int64_t deadline)
{
	struct leat__waiter waiter = { .task = me, .elem = elem };

	return block(c, w, false, &waiter, deadline);
}

static int block_recv_numbered(leat_channel *c, struct leat__worker *w, void *elem,
			       struct leat__task *me, int64_t deadline, uint64_t *ret_number)
{
	struct numbered n = { { .task = me, .elem = elem, .result = NUMBERED }, 0 };
	int r = block(c, w, false, &n.waiter, deadline);

	if (r == 0)
		*ret_number = n.number;
	return r;
}

/*
 * H0.  The common case: a worker to which the lock is biased, not cancelled, with budget left.
 * (After a fork there is none.)  With the lock then; NULL: none of it, and nothing has been done.
 */
static inline __attribute__((always_inline)) struct leat__worker *begin_quickly(leat_channel *c)
{
	struct leat__worker *w = leat__self();

	if (leat__unlikely(!c || !w || w->budget <= 1 ||
			   !leat__scope_is_surely_ok(w->cur->scope)) ||
	    !leat__bias_enter(&c->lock, w->slot, LEAT__RANK_OBJECT))
		return NULL;
	w->budget--;
	return w;
}

static inline void end_quickly(leat_channel *c, struct leat__worker *w)
{
	leat__bias_leave(&c->lock, w->slot);
}

static __attribute__((noinline)) int send_slowly(leat_channel *c, const void *elem,
						 int64_t deadline)
{
	struct leat__task *me, *wake = NULL;
	struct leat__worker *w;
	int r;

	check("leat_channel_send", c);
	r = leat__enter(&w, &me);
	if (leat__unlikely(r < 0))
		return r;
	leat__chan_lock(c, w);
	r = send_locked(c, elem, me, &wake);
	if (r == -EAGAIN)
		return block_send(c, w, elem, me, deadline);
	leat__chan_unlock(c, w);
	if (wake)
		leat__ready_on(w, wake);
	return r;
}

OWN_LINE int leat_channel_send(leat_channel *c, const void *elem, int64_t deadline)
{
	struct leat__worker *w = begin_quickly(c);
	bool is_done;

	if (leat__unlikely(!w))
		return send_slowly(c, elem, deadline);
	is_done = c->flags == 0 && c->nrecv == 0 && c->count < c->cap &&
		  copy_quickly(slot(c, tail_of(c)), elem, c->elem_size);
	if (leat__likely(is_done)) {
		is_put(c);
		changed(c);
	}
	end_quickly(c, w);
	return leat__likely(is_done) ? 0 : send_slowly(c, elem, deadline);
}

int leat_channel_try_send(leat_channel *c, const void *elem)
{
	struct leat__worker *w = leat__self();
	struct leat__task *wake = NULL;
	int r;

	check(__func__, c);
	leat__chan_lock(c, w);
	r = leat__chan_send_locked(c, elem, w ? w->cur : NULL, &wake);
	leat__chan_unlock(c, w);
	if (wake)
		leat__ready(wake);
	return r;
}

static __attribute__((noinline)) int recv_slowly(leat_channel *c, void *elem, int64_t deadline)
{
	struct leat__task *me, *wake = NULL;
	struct leat__worker *w;
	int r = leat__enter(&w, &me);

	if (leat__unlikely(r < 0))
		return r;
	leat__chan_lock(c, w);
	r = recv_locked(c, elem, me, &wake);
	if (r == -EAGAIN)
		return block_recv(c, w, elem, me, deadline);
	leat__chan_unlock(c, w);
	if (wake)
		leat__ready_on(w, wake);
	return r;
}

/* Receives an element that nobody wants. */
static __attribute__((noinline)) int recv_and_drop(leat_channel *c, int64_t deadline)
{
	char small[DROP_ON_STACK] __attribute__((aligned(16)));
	char *elem = c->elem_size <= sizeof(small) ? small : leat__alloc(c->elem_size);
	int r;

	if (!elem)
		return -ENOMEM;
	r = recv_slowly(c, elem, deadline);
	if (r == 0 && c->drop)
		c->drop(elem);
	if (elem != small)
		leat__free(elem, c->elem_size);
	return r;
}

static __attribute__((noinline)) int recv_any(leat_channel *c, void *elem, int64_t deadline)
{
	check("leat_channel_recv", c);
	return elem ? recv_slowly(c, elem, deadline) : recv_and_drop(c, deadline);
}

/* Under the lock. */
static inline __attribute__((always_inline)) bool recv_quickly(leat_channel *c, void *elem)
{
	bool is_done = c->count > 0 && c->nsend == 0 && elem &&
		       copy_quickly(elem, slot(c, c->head), c->elem_size);

	if (leat__likely(is_done)) {
		is_taken(c);
		changed(c);
	}
	return is_done;
}

OWN_LINE int leat_channel_recv(leat_channel *c, void *elem, int64_t deadline)
{
	struct leat__worker *w = begin_quickly(c);
	bool is_done;

	if (leat__unlikely(!w))
		return recv_any(c, elem, deadline);
	is_done = recv_quickly(c, elem);
	end_quickly(c, w);
	return leat__likely(is_done) ? 0 : recv_any(c, elem, deadline);
}

static __attribute__((noinline)) int recv_numbered_slowly(leat_channel *c, void *elem,
							  uint64_t *ret_number, int64_t deadline)
{
	struct leat__task *me, *wake = NULL;
	struct leat__worker *w;
	uint64_t number;
	int r = leat__enter(&w, &me);

	if (leat__unlikely(r < 0))
		return r;
	leat__chan_lock(c, w);
	number = oldest(c);
	r = recv_locked(c, elem, me, &wake);
	if (r == -EAGAIN)
		return block_recv_numbered(c, w, elem, me, deadline, ret_number);
	leat__chan_unlock(c, w);
	if (wake)
		leat__ready_on(w, wake);
	if (r == 0)
		*ret_number = number;
	return r;
}

int leat_channel_recv_numbered(leat_channel *c, void *elem, uint64_t *ret_number, int64_t deadline)
{
	struct leat__worker *w = begin_quickly(c);
	uint64_t number;
	bool is_done;

	if (leat__likely(w != NULL)) {
		number = oldest(c);
		is_done = recv_quickly(c, elem);
		end_quickly(c, w);
		if (leat__likely(is_done)) {
			*ret_number = number;
			return 0;
		}
	}
	check(__func__, c);
	if (!elem)
		leat__misuse(c, "elem is NULL; give it a place for the element");
	return recv_numbered_slowly(c, elem, ret_number, deadline);
}

int leat_channel_try_recv(leat_channel *c, void *elem)
{
	struct leat__worker *w = leat__self();
	struct leat__task *wake = NULL;
	int r;

	check(__func__, c);
	if (!elem)
		leat__misuse(c, "elem is NULL; give leat_try_recv a place for the element");
	leat__chan_lock(c, w);
	r = leat__chan_recv_locked(c, elem, w ? w->cur : NULL, &wake);
	leat__chan_unlock(c, w);
	if (wake)
		leat__ready(wake);
	return r;
}

/* Under the lock: H2 for up to n elements that lie side by side in the ring; how many. */
static size_t put_run(leat_channel *c, const char *elems, size_t n)
{
	size_t tail = tail_of(c), to_end = c->cap - tail;

	if (c->flags != 0 || c->nrecv > 0)
		return 0;
	n = n < c->cap - c->count ? n : c->cap - c->count;
	n = n < to_end ? n : to_end;
	if (n == 0)
		return 0;
	memcpy(slot(c, tail), elems, n * c->elem_size);
	leat__store_relaxed(&c->count, c->count + n);
	c->sent += n;
	changed(c);
	return n;
}

static size_t take_run(leat_channel *c, char *elems, size_t n)
{
	size_t to_end = c->cap - c->head;

	if (c->nsend > 0)
		return 0;
	n = n < c->count ? n : c->count;
	n = n < to_end ? n : to_end;
	if (n == 0)
		return 0;
	memcpy(elems, slot(c, c->head), n * c->elem_size);
	c->head = n == to_end ? 0 : c->head + n;
	leat__store_relaxed(&c->count, c->count - n);
	changed(c);
	return n;
}

OWN_LINE int64_t leat_channel_send_n(leat_channel *c, const void *elems, size_t n,
				     int64_t deadline)
{
	const char *next = elems;
	size_t done = 0;

	check(__func__, c);
	while (done < n) {
		struct leat__task *me, *wake = NULL;
		struct leat__worker *w;
		int r = leat__enter(&w, &me);

		if (r < 0)
			return done > 0 ? (int64_t)done : r;
		leat__chan_lock(c, w);
		while (done < n) {
			size_t part = put_run(c, next, n - done);

			if (part == 0) {
				r = leat__chan_send_locked(c, next, me, &wake);
				if (r != 0)
					break;
				part = 1;
			}
			next += part * c->elem_size;
			done += part;
		}
		if (r == -EAGAIN && !wake) {
			r = block_send(c, w, next, me, deadline);
			if (r == 0) {
				next += c->elem_size;
				done++;
			}
		} else {
			leat__chan_unlock(c, w);
			leat__chan_wake(wake);
			if (r == -EAGAIN)
				r = 0; /* the receivers that we woke will make room */
		}
		if (r < 0)
			return done > 0 ? (int64_t)done : r;
	}
	return (int64_t)done;
}

OWN_LINE int64_t leat_channel_recv_n(leat_channel *c, void *elems, size_t n, int64_t deadline)
{
	struct leat__task *me, *wake = NULL;
	struct leat__worker *w;
	char *next = elems;
	size_t done = 0;
	int r;

	check(__func__, c);
	if (n == 0)
		return 0;
	r = leat__enter(&w, &me);
	if (r < 0)
		return r;
	leat__chan_lock(c, w);
	while (done < n) {
		size_t part = take_run(c, next, n - done);

		if (part == 0) {
			r = leat__chan_recv_locked(c, next, me, &wake);
			if (r != 0)
				break;
			part = 1;
		}
		next += part * c->elem_size;
		done += part;
	}
	if (done == 0 && r == -EAGAIN) {
		r = block_recv(c, w, elems, me, deadline);
		return r == 0 ? 1 : r;
	}
	leat__chan_unlock(c, w);
	leat__chan_wake(wake);
	return done > 0 ? (int64_t)done : r;
}

/* The first n waiters of q will be claimed: a million of them are not in the cache. */
static void prefetch_waiters(const struct leat__list *q, uint32_t n)
{
	for (const struct leat__list *node = q->next; node != q && n > 0; node = node->next, n--) {
		const struct leat__waiter *w =
			leat__container_of(node, const struct leat__waiter, node);

		__builtin_prefetch(w->task, 1);
		__builtin_prefetch(w->elem, 1);
	}
}

/*
 * The next n waiters of q get LEAT_ECLOSED.  Who cannot be claimed is put behind the
 * others and takes itself out.  Returns how many waits without a stack are among
 * them: each has let go of its reference.
 */
static uint32_t close_some(leat_channel *c, bool send, uint32_t n, struct leat__wake *wake)
{
	struct leat__list *q = send ? &c->sendq : &c->recvq;
	uint32_t *len = send ? &c->nsend : &c->nrecv;
	uint32_t claimed = 0, without_stack = 0;

	prefetch_waiters(q, n);
	for (; n > 0 && !leat__list_is_empty(q); n--) {
		struct leat__waiter *w = leat__container_of(q->next, struct leat__waiter, node);

		leat__list_remove(&w->node);
		if (!leat__claim_waiter(w)) {
			leat__list_append(q, &w->node);
			continue;
		}
		if (!send)
			memset(w->elem, 0, c->elem_size);
		w->result = LEAT_ECLOSED;
		if (w->task->flags & LEAT__T_WAIT) {
			w->task->object = NULL;
			without_stack++;
		}
		leat__wake_add(wake, w->task);
		claimed++;
	}
	leat__store_relaxed(len, *len - claimed);
	return without_stack;
}

/*
 * H7.  Ends the waits of all in q, after which nobody can be claimed there any more: c is
 * closed or abandoned.  In batches, so that others begin to run, and get the lock,
 * long before the last of a million is claimed.  The caller has a reference.
 */
static void close_queue(leat_channel *c, struct leat__worker *me, bool send)
{
	uint32_t left = leat__load_relaxed(send ? &c->nsend : &c->nrecv);

	while (left > 0) {
		struct leat__wake wake = { NULL, NULL };
		uint32_t n = left < CLOSE_BATCH ? left : CLOSE_BATCH, refs;

		leat__chan_lock(c, me);
		refs = close_some(c, send, n, &wake);
		leat__chan_unlock(c, me);
		if (refs > 0)
			leat__fetch_sub(&c->refs, refs);
		leat__wake_fifo(&wake);
		left -= n;
	}
}

void leat_channel_close(leat_channel *c)
{
	struct leat__worker *w = leat__self();
	bool is_empty;

	check(__func__, c);
	leat__chan_lock(c, w);
	if (c->flags & LEAT__CH_CLOSED) {
		leat__chan_unlock(c, w);
		leat__misuse(c, "the channel made at %s is closed already; close it once, after the last send",
			     c->where ? c->where : "?");
	}
	leat__store_relaxed(&c->flags, c->flags | LEAT__CH_CLOSED); /* H6 */
	changed(c);
	is_empty = c->count == 0;
	leat__chan_unlock(c, w);
	if (is_empty)
		close_queue(c, w, false);
	if (!LEAT__MUTANT(CHAN_CLOSE_LEAVES_SENDERS))
		close_queue(c, w, true);
}

void leat_channel_abandon(leat_channel *c)
{
	struct leat__worker *w = leat__self();
	bool first;

	check(__func__, c);
	leat__chan_lock(c, w);
	first = !(c->flags & LEAT__CH_ABANDONED);
	leat__store_relaxed(&c->flags, c->flags | LEAT__CH_ABANDONED); /* H6 */
	changed(c);
	/* Nobody adds or takes elements any more but us: they stay where they are. */
	leat__chan_unlock(c, w);
	close_queue(c, w, false);
	close_queue(c, w, true);
	while (first) {
		char *elem;

		w = leat__self(); /* drop may not block, but be safe */
		leat__chan_lock(c, w);
		if (c->count == 0) {
			leat__chan_unlock(c, w);
			return;
		}
		elem = slot(c, c->head);
		c->head = c->head + 1 == c->cap ? 0 : c->head + 1;
		leat__store_relaxed(&c->count, c->count - 1);
		leat__chan_unlock(c, w);
		if (c->drop)
			c->drop(elem);
		if (c->drop && LEAT__MUTANT(CHAN_DROPS_TWICE))
			c->drop(elem);
	}
}

size_t leat_channel_len(const leat_channel *c)
{
	check(__func__, c);
	return leat__load_relaxed(&c->count);
}

size_t leat_channel_cap(const leat_channel *c)
{
	check(__func__, c);
	return c->cap;
}

bool leat_channel_is_closed(const leat_channel *c)
{
	check(__func__, c);
	return leat__load_acquire(&c->flags) & LEAT__CH_CLOSED;
}

void leat_channel_totals(leat_channel *c, uint64_t *ret_sent, uint64_t *ret_received)
{
	struct leat__worker *w = leat__self();
	uint64_t sent, received;

	check(__func__, c);
	leat__chan_lock(c, w);
	sent = c->sent;
	received = sent - c->count;
	leat__chan_unlock(c, w);
	if (ret_sent)
		*ret_sent = sent;
	if (ret_received)
		*ret_received = received;
}

/* A receive without a stack; the record's object is the channel. */
struct on_recv {
	struct leat__waiter waiter;
	int (*fn)(void *arg, int result, void *elem);
	void *arg;
	char elem[] __attribute__((aligned(8)));
};

static int run_on_recv(struct on_recv *o, void *elem)
{
	leat_channel *c = o->waiter.task->object; /* NULL: who closed it took our reference */
	int r;

	/* Who won the claim under the lock has taken us out of the queue. */
	if (leat__load_acquire(&o->waiter.task->claim) == LEAT__CLAIM_CANCELED) {
		struct leat__worker *w = leat__self();

		/* Also waits until leat_channel_on_recv has let go of the record. */
		leat__chan_lock(c, w);
		leat__chan_dequeue(c, false, &o->waiter);
		leat__chan_unlock(c, w);
		r = -ECANCELED; /* fn does not run: no success, and no result */
	} else {
		r = o->fn(o->arg, o->waiter.result, elem);
	}
	leat_channel_unref(c);
	return r;
}

static int on_recv_run(void *args)
{
	struct on_recv *o = args;

	return run_on_recv(o, o->elem);
}

static int on_recv_small_run(void *args)
{
	struct on_recv *o = args;

	return run_on_recv(o, &o->waiter.elem);
}

static const leat_task_type on_recv_type = { "leat_chan_on_recv", on_recv_run, 0 };
/* An element of a pointer's size lies where the pointer to it was: nobody needs that any more. */
static const leat_task_type on_recv_small_type = { "leat_chan_on_recv", on_recv_small_run, 0 };

int leat_channel_on_recv(leat_channel *c, leat_group *group,
			 int (*fn)(void *arg, int result, void *elem), void *arg)
{
	struct leat__task *t, *wake = NULL;
	struct leat__worker *w;
	struct on_recv *o;
	bool small, mine;
	int r;

	check(__func__, c);
	if (c->elem_size > 64)
		return -EINVAL;
	small = c->elem_size <= sizeof(o->waiter.elem);
	t = leat__wait_create(group ? leat__scope_of(group) : leat__rt->root,
			      small ? &on_recv_small_type : &on_recv_type,
			      sizeof(*o) + (small ? 0 : c->elem_size), LEAT__WHY_ON_RECV, &r);
	if (!t)
		return r;
	o = leat__args(t);
	o->waiter = (struct leat__waiter){ .task = t };
	o->waiter.elem = small ? (void *)&o->waiter.elem : o->elem;
	leat__list_init(&o->waiter.node);
	t->object = leat_channel_ref(c);
	o->fn = fn;
	o->arg = arg;
	w = leat__self();
	leat__chan_lock(c, w);
	r = leat__chan_recv_locked(c, o->waiter.elem, t, &wake);
	if (r == -EAGAIN) {
		leat__chan_enqueue(c, false, &o->waiter);
		mine = leat__wait_arm(t);
	} else {
		o->waiter.result = r;
		mine = true;
	}
	leat__chan_unlock(c, w);
	if (mine)
		leat__ready_fifo(t);
	if (wake)
		leat__ready(wake);
	return 0;
}

/*
 * For dumps.
 */

void leat__chan_say(struct leat__look *l, const void *object)
{
	leat_channel c;

	leat__say(l, " %p", object);
	if (!leat__look_at(l, &c, (const leat_channel *)object))
		return;
	leat__say(l, " (");
	if (c.where) {
		leat__say(l, "made at ");
		leat__say_name(l, c.where);
		leat__say(l, ", ");
	}
	leat__say(l, "%llu of %llu buffered, %s)", (unsigned long long)c.count,
		  (unsigned long long)c.cap,
		  c.flags & LEAT__CH_ABANDONED ? "abandoned"
		  : c.flags & LEAT__CH_CLOSED  ? "closed"
						: "open");
}

static void describe_on_recv(struct leat__look *l, const void *args)
{
	const struct leat__task *at = (const struct leat__task *)args - 1;
	const leat_channel *c;

	if (leat__look_at(l, &c, (leat_channel *const *)&at->object) && c)
		leat__chan_say(l, c);
}

__attribute__((constructor)) static void set_kinds(void)
{
	static const struct leat__kind channel = { leat__chan_say, NULL, NULL };
	static const struct leat__kind on_recv = { describe_on_recv, NULL, NULL };

	leat__kind_set(LEAT__WHY_SEND, &channel);
	leat__kind_set(LEAT__WHY_RECV, &channel);
	leat__kind_set(LEAT__WHY_ON_RECV, &on_recv);
}
