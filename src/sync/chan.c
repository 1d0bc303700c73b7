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
 *   - closed or abandoned: neither queue has any.
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
 */
#include "sync/chan.h"

#include <errno.h>
#include <string.h>

#include "rt/spawn.h"

enum { DROP_ON_STACK = 512 };

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

		if (w->task == me || !leat__claim_waiter(w))
			continue;
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

static inline __attribute__((always_inline)) int send_locked(leat_channel *c, const void *elem,
							     struct leat__task *me,
							     struct leat__task **wake)
{
	struct leat__waiter *w;
	size_t tail;

	if (leat__unlikely(c->flags != 0))
		return LEAT_ECLOSED;
	if (c->nrecv > 0 && c->count == 0 &&
	    (w = claim_first(&c->recvq, &c->nrecv, me)) != NULL) {
		copy(w->elem, elem, c->elem_size);
		push_wake(wake, w, 0);
		return 0;
	}
	if (c->count == c->cap)
		return -EAGAIN;
	tail = c->head + c->count;
	if (tail >= c->cap)
		tail -= c->cap;
	copy(slot(c, tail), elem, c->elem_size);
	leat__store_relaxed(&c->count, c->count + 1);
	changed(c);
	return 0;
}

/* There is room now: the first sender that waits gets it. */
static inline void refill(leat_channel *c, struct leat__task *me, struct leat__task **wake)
{
	struct leat__waiter *w;
	size_t tail;

	if (c->nsend == 0 || !(w = claim_first(&c->sendq, &c->nsend, me)))
		return;
	tail = c->head + c->count;
	if (tail >= c->cap)
		tail -= c->cap;
	copy(slot(c, tail), w->elem, c->elem_size);
	leat__store_relaxed(&c->count, c->count + 1);
	push_wake(wake, w, 0);
}

static inline __attribute__((always_inline)) int recv_locked(leat_channel *c, void *elem,
							     struct leat__task *me,
							     struct leat__task **wake)
{
	struct leat__waiter *w;

	if (c->count > 0) {
		copy(elem, slot(c, c->head), c->elem_size);
		c->head = c->head + 1 == c->cap ? 0 : c->head + 1;
		leat__store_relaxed(&c->count, c->count - 1);
		refill(c, me, wake);
		changed(c);
		return 0;
	}
	if (c->nsend > 0 && (w = claim_first(&c->sendq, &c->nsend, me)) != NULL) {
		copy(elem, w->elem, c->elem_size);
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
	if (send && c->count > 0)
		return false; /* a receiver that waits will find the buffer first */
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
static int block(leat_channel *c, struct leat__worker *w, bool send, void *elem,
		 struct leat__task *me, int64_t deadline)
{
	struct leat__waiter waiter = { .task = me, .elem = elem };
	int r;

	leat__arm(me, true);
	leat__chan_enqueue(c, send, &waiter);
	leat__chan_unlock(c, w);
	r = leat__park(me, send ? LEAT__WHY_SEND : LEAT__WHY_RECV, c, deadline);
	if (leat__likely(r == 0))
		return waiter.result;			/* H4 */
	w = leat__self();
	leat__chan_lock(c, w);				/* H5 */
	leat__chan_dequeue(c, send, &waiter);
	leat__chan_unlock(c, w);
	return r;
}

int leat_channel_send(leat_channel *c, const void *elem, int64_t deadline)
{
	struct leat__task *me, *wake = NULL;
	struct leat__worker *w;
	int r;

	check(__func__, c);
	r = leat__enter(&w, &me);
	if (leat__unlikely(r < 0))
		return r;
	leat__chan_lock(c, w);
	r = send_locked(c, elem, me, &wake);
	if (r == -EAGAIN)
		return block(c, w, true, (void *)(uintptr_t)elem, me, deadline);
	leat__chan_unlock(c, w);
	if (wake)
		leat__ready_on(w, wake);
	return r;
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

static int recv_some(leat_channel *c, void *elem, int64_t deadline)
{
	struct leat__task *me, *wake = NULL;
	struct leat__worker *w;
	int r = leat__enter(&w, &me);

	if (leat__unlikely(r < 0))
		return r;
	leat__chan_lock(c, w);
	r = recv_locked(c, elem, me, &wake);
	if (r == -EAGAIN)
		return block(c, w, false, elem, me, deadline);
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
	r = recv_some(c, elem, deadline);
	if (r == 0 && c->drop)
		c->drop(elem);
	if (elem != small)
		leat__free(elem, c->elem_size);
	return r;
}

int leat_channel_recv(leat_channel *c, void *elem, int64_t deadline)
{
	check(__func__, c);
	return leat__likely(elem != NULL) ? recv_some(c, elem, deadline)
					  : recv_and_drop(c, deadline);
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

int64_t leat_channel_send_n(leat_channel *c, const void *elems, size_t n, int64_t deadline)
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
		while (done < n && (r = leat__chan_send_locked(c, next, me, &wake)) == 0) {
			next += c->elem_size;
			done++;
		}
		if (r == -EAGAIN && !wake) {
			r = block(c, w, true, (void *)(uintptr_t)next, me, deadline);
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

int64_t leat_channel_recv_n(leat_channel *c, void *elems, size_t n, int64_t deadline)
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
	while (done < n && (r = leat__chan_recv_locked(c, next, me, &wake)) == 0) {
		next += c->elem_size;
		done++;
	}
	if (done == 0 && r == -EAGAIN) {
		r = block(c, w, false, elems, me, deadline);
		return r == 0 ? 1 : r;
	}
	leat__chan_unlock(c, w);
	leat__chan_wake(wake);
	return done > 0 ? (int64_t)done : r;
}

/* Claims everyone who waits in q; they get LEAT_ECLOSED. */
static void close_queue(leat_channel *c, bool send, struct leat__task **wake)
{
	struct leat__list *q = send ? &c->sendq : &c->recvq;
	uint32_t *len = send ? &c->nsend : &c->nrecv;
	struct leat__waiter *w;

	while ((w = claim_first(q, len, NULL)) != NULL) {
		if (!send)
			memset(w->elem, 0, c->elem_size);
		push_wake(wake, w, LEAT_ECLOSED);
	}
}

/* *wake was pushed in front; the first to wait shall run first. */
static struct leat__task *reversed(struct leat__task *list)
{
	struct leat__task *out = NULL;

	while (list) {
		struct leat__task *t = list;

		list = t->next;
		t->next = out;
		out = t;
	}
	return out;
}

void leat_channel_close(leat_channel *c)
{
	struct leat__worker *w = leat__self();
	struct leat__task *wake = NULL;

	check(__func__, c);
	leat__chan_lock(c, w);
	if (c->flags & LEAT__CH_CLOSED) {
		leat__chan_unlock(c, w);
		leat__misuse(c, "the channel made at %s is closed already; close it once, after the last send",
			     c->where ? c->where : "?");
	}
	leat__store_relaxed(&c->flags, c->flags | LEAT__CH_CLOSED);
	changed(c);
	if (c->count == 0)
		close_queue(c, false, &wake);
	close_queue(c, true, &wake);
	leat__chan_unlock(c, w);
	leat__chan_wake(reversed(wake));
}

void leat_channel_abandon(leat_channel *c)
{
	struct leat__worker *w = leat__self();
	struct leat__task *wake = NULL;
	bool first;

	check(__func__, c);
	leat__chan_lock(c, w);
	first = !(c->flags & LEAT__CH_ABANDONED);
	leat__store_relaxed(&c->flags, c->flags | LEAT__CH_ABANDONED);
	changed(c);
	close_queue(c, false, &wake);
	close_queue(c, true, &wake);
	/* Nobody adds or takes elements any more but us: they stay where they are. */
	leat__chan_unlock(c, w);
	leat__chan_wake(reversed(wake));
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

/* A receive without a stack; the record's object is the channel. */
struct on_recv {
	struct leat__waiter waiter;
	int (*fn)(void *arg, int result, void *elem);
	void *arg;
	char elem[] __attribute__((aligned(8)));
};

static int on_recv_run(void *args)
{
	struct on_recv *o = args;
	struct leat__worker *w = leat__self();
	leat_channel *c = o->waiter.task->object;
	int r = -ECANCELED;	/* fn does not run: no success, and no result */

	/* Also waits until leat_channel_on_recv has let go of the record. */
	leat__chan_lock(c, w);
	leat__chan_dequeue(c, false, &o->waiter);
	leat__chan_unlock(c, w);
	if (leat__load_acquire(&o->waiter.task->claim) != LEAT__CLAIM_CANCELED)
		r = o->fn(o->arg, o->waiter.result, o->elem);
	leat_channel_unref(c);
	return r;
}

static const leat_task_type on_recv_type = { "leat_chan_on_recv", on_recv_run, 0 };

int leat_channel_on_recv(leat_channel *c, leat_group *group,
			 int (*fn)(void *arg, int result, void *elem), void *arg)
{
	struct leat__task *t, *wake = NULL;
	struct leat__worker *w;
	struct on_recv *o;
	bool mine;
	int r;

	check(__func__, c);
	if (c->elem_size > 64)
		return -EINVAL;
	t = leat__wait_create(group ? leat__scope_of(group) : leat__rt->root, &on_recv_type,
			      sizeof(*o) + c->elem_size, LEAT__WHY_ON_RECV, &r);
	if (!t)
		return r;
	o = leat__args(t);
	o->waiter = (struct leat__waiter){ .task = t, .elem = o->elem };
	leat__list_init(&o->waiter.node);
	t->object = leat_channel_ref(c);
	o->fn = fn;
	o->arg = arg;
	w = leat__self();
	leat__chan_lock(c, w);
	r = leat__chan_recv_locked(c, o->elem, t, &wake);
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

	if (leat__look_at(l, &c, (leat_channel *const *)&at->object))
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
