/*
 * Channels: Go's semantics, typed, with two ends.
 *
 *	leat_chan(int) jobs = leat_chan_make(int, 100);
 *
 *	leat_send(jobs, 7);			// blocks while full
 *	leat_close(jobs);
 *	while (leat_recv(jobs, &job) == 0)	// or: leat_range(job, jobs)
 *		...
 *	leat_chan_unref(jobs);
 *
 * FIFO.  Capacity 0: unbuffered, sender and receiver meet.  close says that no
 * more will be sent: receivers get what is buffered and then LEAT_ECLOSED.
 * abandon says that no more will be received: what is buffered goes to the drop
 * function, senders get LEAT_ECLOSED.  Every element that was sent (0 was
 * returned) is received once or dropped once; after a failed send the caller
 * still owns it.
 *
 * Happens-before: a send before the return of the receive that got its
 * element; the k-th receive before the return of the (k + capacity)-th send;
 * close or abandon before the return of the call that reports it.
 *
 * leat_chan(T), leat_sender(T) and leat_receiver(T) are the typed handles;
 * the untyped handle leat_channel and its functions are for generated code.
 * A handle does not count a reference by itself.  A call uses the channel until it
 * returns, and a send may still do so when its element has been received: who
 * releases the last reference must know that all calls have returned, by a join or by a
 * reference for each task.
 */
#ifndef LEAT_CHAN_H
#define LEAT_CHAN_H

#include <leat/base.h>
#include <leat/time.h>
#include <leat/detail/typed.h>

LEAT_BEGIN_DECLS

/*
 * Makes a channel for cap elements of elem_size bytes (0 is allowed for both),
 * with one reference.  drop (may be NULL) is called with the address of an
 * element that nobody will receive; it runs without locks, in any task or
 * thread, and must not block.  file:line appear in dumps and reports.
 *
 * Returns the channel, or NULL without memory.  Never blocks.
 */
LEAT_API LEAT_MUST_CHECK leat_channel *leat_channel_create(size_t elem_size, size_t cap,
							   void (*drop)(void *elem),
							   const char *file_line);

/* Counts references; the last unref drops what is buffered and frees.  NULL is ignored. */
LEAT_API leat_channel *leat_channel_ref(leat_channel *chan);
LEAT_API void leat_channel_unref(leat_channel *chan);

/*
 * Sends a copy of *elem.  Blocks until it is buffered or handed to a receiver,
 * or until deadline (leat_now() clock; LEAT_FOREVER).
 *
 * Returns 0, LEAT_ECLOSED (closed or abandoned), -ETIMEDOUT or -ECANCELED.
 * On 0 the channel owns whatever the element refers to; on any error the
 * caller still does.  try: -EAGAIN instead of blocking, ignores cancellation.
 */
LEAT_API int leat_channel_send(leat_channel *chan, const void *elem, int64_t deadline);
LEAT_API LEAT_MUST_CHECK int leat_channel_try_send(leat_channel *chan, const void *elem);

/*
 * Receives into *elem (NULL: the element goes to the drop function).  Blocks
 * until there is one, or until deadline.
 *
 * Returns 0, LEAT_ECLOSED (closed and drained, or abandoned; *elem is zeroed,
 * as in Go), -ETIMEDOUT or -ECANCELED (*elem is untouched).  On 0 the caller
 * owns the element.  try: -EAGAIN instead of blocking, ignores cancellation.
 */
LEAT_API int leat_channel_recv(leat_channel *chan, void *elem, int64_t deadline);
LEAT_API LEAT_MUST_CHECK int leat_channel_try_recv(leat_channel *chan, void *elem);

/*
 * Many at a time.  send_n blocks until all n are sent; recv_n until at least
 * one is there, and takes up to n.  Return how many were sent or received if
 * any were, else the error as above (so the next call reports it).
 */
LEAT_API LEAT_MUST_CHECK int64_t leat_channel_send_n(leat_channel *chan, const void *elems,
						     size_t n, int64_t deadline);
LEAT_API LEAT_MUST_CHECK int64_t leat_channel_recv_n(leat_channel *chan, void *elems,
						     size_t n, int64_t deadline);

/*
 * No more sends.  Closing twice stops the program; senders that are blocked
 * get LEAT_ECLOSED.  Never blocks, ignores cancellation.
 */
LEAT_API void leat_channel_close(leat_channel *chan);

/* No more receives.  Idempotent.  Runs the drop function; else never blocks. */
LEAT_API void leat_channel_abandon(leat_channel *chan);

/* Elements buffered now, a snapshot; the capacity; whether close was called. */
LEAT_API size_t leat_channel_len(const leat_channel *chan);
LEAT_API size_t leat_channel_cap(const leat_channel *chan);
LEAT_API bool leat_channel_is_closed(const leat_channel *chan);

/*
 * How many elements have ever gone in, and come out: received, or dropped.  One instant's: as if it
 * were itself a send or receive, so who calls it after a send has returned sees that.  The pointers
 * may be NULL.  Never blocks.
 */
LEAT_API void leat_channel_totals(leat_channel *chan, uint64_t *ret_sent, uint64_t *ret_received);

/*
 * A wait without a stack: when an element can be received (or the channel is
 * closed), fn runs as a task of group with it.  result: 0 or LEAT_ECLOSED;
 * elem: the element, the function's to own on 0, valid until it returns.
 * When the group is cancelled first, fn never runs.  arg must stay valid until
 * the group has been joined.  One element per call.  elem_size <= 64.
 *
 * Returns 0, or -ENOMEM, -ECANCELED, -EINVAL (element too large): fn will not run.
 * Does not block, except for a place in a group with a limit.
 */
LEAT_API LEAT_MUST_CHECK int leat_channel_on_recv(leat_channel *chan, leat_group *group,
						  int (*fn)(void *arg, int result, void *elem),
						  void *arg);

LEAT_END_DECLS

/*
 * The typed layer.  T is any copyable type; an element or a pointer of another
 * type does not compile.
 *
 *	leat_chan(T)		both directions
 *	leat_sender(T), leat_receiver(T)	one; leat_to_sender(c), leat_to_receiver(c)
 */
#define leat_chan(T) LEAT__CHAN(T)
#define leat_sender(T) LEAT__SENDER(T)
#define leat_receiver(T) LEAT__RECEIVER(T)
#define leat_to_sender(c) LEAT__TO_SENDER(c)
#define leat_to_receiver(c) LEAT__TO_RECEIVER(c)

#define LEAT__STR_(x) #x
#define LEAT__STR(x) LEAT__STR_(x)
#define LEAT__HERE __FILE__ ":" LEAT__STR(__LINE__)

/* NULL without memory.  The second sets the drop function, void (*)(T *). */
#define leat_chan_make(T, cap) \
	((leat_chan(T))leat_channel_create(sizeof(T), (cap), NULL, LEAT__HERE))
#define leat_chan_make_drop(T, cap, drop) \
	((leat_chan(T))leat_channel_create(sizeof(T), (cap), LEAT__DROP(T, drop), LEAT__HERE))
/* A channel for one element: a send never blocks. */
#define leat_oneshot(T) leat_chan_make(T, 1)

#define leat_send(c, value) leat_send_until(c, value, LEAT_FOREVER)
#define leat_send_until(c, value, deadline) \
	leat_channel_send(LEAT__TX(c), LEAT__VALUE(c, value), (deadline))
#define leat_try_send(c, value) leat_channel_try_send(LEAT__TX(c), LEAT__VALUE(c, value))
#define leat_send_n(c, array, n, deadline) \
	leat_channel_send_n(LEAT__TX(c), LEAT__CPTR(c, array), (n), (deadline))

#define leat_recv(c, ptr) leat_recv_until(c, ptr, LEAT_FOREVER)
#define leat_recv_until(c, ptr, deadline) \
	leat_channel_recv(LEAT__RX(c), LEAT__PTR(c, ptr), (deadline))
#define leat_try_recv(c, ptr) leat_channel_try_recv(LEAT__RX(c), LEAT__PTR(c, ptr))
#define leat_recv_n(c, array, n, deadline) \
	leat_channel_recv_n(LEAT__RX(c), LEAT__PTR(c, array), (n), (deadline))

/*
 * for v := range c, with c evaluated at each turn; ends when the channel is
 * closed or the task cancelled.
 */
#define leat_range(v, c) \
	for (LEAT__ELEM(c) v; leat_recv(c, &v) == 0;)

#define leat_close(c) leat_channel_close(LEAT__TX(c))
#define leat_abandon(c) leat_channel_abandon(LEAT__RX(c))
#define leat_chan_ref(c) ((__typeof__(c))leat_channel_ref(LEAT__RAW(c)))
#define leat_chan_unref(c) leat_channel_unref(LEAT__RAW(c))
#define leat_chan_len(c) leat_channel_len(LEAT__RAW(c))
#define leat_chan_cap(c) leat_channel_cap(LEAT__RAW(c))

#endif
