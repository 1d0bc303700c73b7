/*
 * Select: waits for the first of several channel operations, and does that one.
 *
 *	switch (leat_select(leat_case_recv(jobs, &job),
 *			    leat_case_send(out, 42),
 *			    leat_case_until(leat_in(LEAT_S)))) {
 *	case 0: ...			// a job, or jobs is closed
 *	case 1: ...			// 42 was sent, or out is closed
 *	case -ETIMEDOUT: ...
 *	case -ECANCELED: ...
 *	}
 *
 * Of several ready cases one is taken at random, with equal chance.  Each
 * operand is evaluated once.  A case whose channel is NULL is never ready.
 * A send's value lives until the end of the enclosing block: build an array of cases in
 * the block that selects, not in the body of an if of its own.
 *
 * The same channel may occur in several cases; a send and a receive of one
 * select never meet each other.
 */
#ifndef LEAT_SELECT_H
#define LEAT_SELECT_H

#include <errno.h>
#include <leat/chan.h>

enum leat_case_op {
	LEAT_OP_SEND,
	LEAT_OP_RECV,
	LEAT_OP_DEFAULT,
	LEAT_OP_UNTIL,
	LEAT_OP_ORDERED,
};

/*
 * One case.  Make it with the macros or leat_send_case and leat_recv_case below.
 * Without a union: compilers copy structures that have one in pieces of another size than
 * they were written in, which stalls.
 */
typedef struct leat_case {
	leat_channel *chan;
	void *elem;		/* to copy from or to; NULL in a receive: to the drop function */
	int *ret_status;	/* where status goes, too; may be NULL */
	int64_t deadline;	/* of LEAT_OP_UNTIL */
	enum leat_case_op op;
	int status;		/* out: 0 or LEAT_ECLOSED, of the case that was taken */
} leat_case;

LEAT_BEGIN_DECLS

/*
 * Does one of the n cases.  Blocks until one is ready, unless there is a
 * default.  cases[i].status says how the taken case ended: 0, or LEAT_ECLOSED
 * (a closed or abandoned channel makes its case ready: a receive zeroes the
 * element, a send leaves the element with the caller).
 *
 * Cases of another kind set options for the whole select and count as
 * positions: LEAT_OP_DEFAULT, LEAT_OP_UNTIL, and LEAT_OP_ORDERED (of several
 * ready cases the first is taken, not a random one).
 *
 * Returns the index of the case taken; -EAGAIN (default: there was an instant
 * at which no case was ready), -ETIMEDOUT, or -ECANCELED.  Without any channel
 * it blocks until the deadline or the cancel.  On an error nothing was done.
 */
LEAT_API int leat_select_cases(leat_case *cases, size_t n);

LEAT_END_DECLS

#define LEAT_DEFAULT (-EAGAIN)

#ifdef __cplusplus
#define LEAT__CASE_INIT {}
#else
#define LEAT__CASE_INIT { .op = LEAT_OP_SEND }
#endif

static inline leat_case leat_send_case(leat_channel *chan, const void *elem, int *ret_status)
{
	leat_case c = LEAT__CASE_INIT;
	c.op = LEAT_OP_SEND;
	c.chan = chan;
	c.elem = (void *)(uintptr_t)elem; /* only read */
	c.ret_status = ret_status;
	return c;
}

static inline leat_case leat_recv_case(leat_channel *chan, void *elem, int *ret_status)
{
	leat_case c = LEAT__CASE_INIT;
	c.op = LEAT_OP_RECV;
	c.chan = chan;
	c.elem = elem;
	c.ret_status = ret_status;
	return c;
}

static inline leat_case leat_option_case(enum leat_case_op op, int64_t deadline)
{
	leat_case c = LEAT__CASE_INIT;
	c.op = op;
	c.deadline = deadline;
	return c;
}

/* The typed cases.  The _ok forms store 0 or LEAT_ECLOSED in *ok when they are taken. */
#define leat_case_send(c, value) leat_send_case(LEAT__TX(c), LEAT__VALUE(c, value), NULL)
#define leat_case_recv(c, ptr) leat_recv_case(LEAT__RX(c), LEAT__PTR(c, ptr), NULL)
#define leat_case_send_ok(c, value, ok) leat_send_case(LEAT__TX(c), LEAT__VALUE(c, value), (ok))
#define leat_case_recv_ok(c, ptr, ok) leat_recv_case(LEAT__RX(c), LEAT__PTR(c, ptr), (ok))
#define leat_case_default leat_option_case(LEAT_OP_DEFAULT, 0)
#define leat_case_until(deadline) leat_option_case(LEAT_OP_UNTIL, (deadline))
#define leat_case_ordered leat_option_case(LEAT_OP_ORDERED, 0)

#ifndef __cplusplus
#define leat_select(...)                                                      \
	leat_select_cases((leat_case[]){ __VA_ARGS__ },                       \
			  sizeof((leat_case[]){ __VA_ARGS__ }) / sizeof(leat_case))
#else
extern "C++" {
template <class... Case> int leat_select(Case... list)
{
	leat_case cases[] = { list... };
	return leat_select_cases(cases, sizeof...(list));
}
}
#endif
#endif
