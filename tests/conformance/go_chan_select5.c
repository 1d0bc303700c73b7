/*
 * Rewritten from Go's test/chan/select5.go, which generates a program with
 * every form of a receive, a send and a select in which one operation is
 * ready, among cases that are not.  Here the forms are built at run time, as
 * arrays of cases, and the macro forms are written out.
 *
 * Go's test also fixes the order in which a select evaluates its operands.  C
 * leaves that order open; what holds is that each is evaluated exactly once.
 */
#include "go_chan.h"

/* The cases that are never ready, each of which may be in a select or not. */
enum {
	DUMMY_SEND = 1 << 0,
	DUMMY_RECV = 1 << 1,
	NULL_SEND = 1 << 2,
	NULL_RECV = 1 << 3,
	EXTRAS = 1 << 4,
};

enum where_default {
	NO_DEFAULT,
	DEFAULT_FIRST,
	DEFAULT_SECOND,
	DEFAULT_LAST,
	WHERE_DEFAULT,
};

/* One form of select. */
struct form {
	enum where_default where;
	unsigned extras;
};

static leat_chan(int) dummy;	/* unbuffered, nobody at the other end */
static leat_chan(int) none;	/* NULL */

/* Somewhere that faults when it is written to. */
static int *const nowhere = (int *)16;

/*
 * Builds the form's array round the tested case (NULL: none) in cases, of 6.
 * Returns their number; *ret_at is the tested case's position.  The values of
 * the send cases live until the caller's block ends.
 */
static size_t build(const struct form *form, const leat_case *tested, const leat_case *extras,
		    leat_case *cases, size_t *ret_at)
{
	size_t n = 0;

	if (form->where == DEFAULT_FIRST)
		cases[n++] = leat_case_default;
	*ret_at = n;
	if (tested)
		cases[n++] = *tested;
	if (form->where == DEFAULT_SECOND)
		cases[n++] = leat_case_default;
	for (unsigned i = 0; i < 4; i++)
		if (form->extras & 1u << i)
			cases[n++] = extras[i];
	if (form->where == DEFAULT_LAST)
		cases[n++] = leat_case_default;
	return n;
}

/* The select must take the tested case, as the only one that is ready. */
static void select_tested(const struct form *form, leat_case tested)
{
	leat_case extras[] = {
		leat_case_send(dummy, 1),
		leat_case_recv(dummy, nowhere),
		leat_case_send(none, 1),
		leat_case_recv(none, nowhere),
	};
	leat_case cases[6];
	size_t at;
	size_t n = build(form, &tested, extras, cases, &at);
	int taken = leat_select_cases(cases, n);

	CHECK_EQ(taken, at);
	CHECK_EQ(cases[at].status, 0);
}

/* Receives the value that is in chan, in the select's way or another. */
static int recv_in_way(leat_chan(int) chan, const struct form *form, int way)
{
	int status = 1;
	int a[3] = { -1, -1, -1 };

	switch (way) {
	case 0:
		CHECK_EQ(leat_recv(chan, &a[1]), 0);
		break;
	case 1:
		CHECK_EQ(leat_try_recv(chan, &a[1]), 0);
		break;
	case 2:
		CHECK_EQ(leat_recv_n(chan, &a[1], 2, LEAT_FOREVER), 1);
		CHECK_EQ(a[2], -1);
		break;
	case 3:
		select_tested(form, leat_case_recv(chan, &a[1]));
		break;
	default:
		select_tested(form, leat_case_recv_ok(chan, &a[1], &status));
		CHECK_EQ(status, 0);
		break;
	}
	CHECK_EQ(a[0], -1);
	return a[1];
}

enum { RECV_WAYS = 5, SEND_WAYS = 5 };

static void send_in_way(leat_chan(int) chan, const struct form *form, int way, int value)
{
	int status = 1;

	switch (way) {
	case 0:
		CHECK_EQ(leat_send(chan, value), 0);
		break;
	case 1:
		CHECK_EQ(leat_try_send(chan, value), 0);
		break;
	case 2:
		CHECK_EQ(leat_send_n(chan, &value, 1, LEAT_FOREVER), 1);
		break;
	case 3:
		select_tested(form, leat_case_send(chan, value));
		break;
	default:
		select_tested(form, leat_case_send_ok(chan, value, &status));
		CHECK_EQ(status, 0);
		break;
	}
}

static void each_form(void (*fn)(leat_chan(int) chan, const struct form *form))
{
	leat_chan(int) chan = leat_chan_make(int, 1);

	dummy = leat_chan_make(int, 0);
	none = NULL;
	for (int where = 0; where < WHERE_DEFAULT; where++) {
		for (unsigned extras = 0; extras < EXTRAS; extras++) {
			struct form form = { (enum where_default)where, extras };

			fn(chan, &form);
			CHECK_EQ(leat_chan_len(chan), 0);
			CHECK_EQ(leat_chan_len(dummy), 0);
		}
	}
	leat_chan_unref(dummy);
	leat_chan_unref(chan);
}

static void recv_form(leat_chan(int) chan, const struct form *form)
{
	static int n;

	for (int way = 0; way < RECV_WAYS; way++) {
		n++;
		CHECK_EQ(leat_send(chan, n), 0);
		CHECK_EQ(recv_in_way(chan, form, way), n);
	}
}

/* Go test/chan/select5.go, template "recv". */
TEST_BOTH(go_select5_recv, 5)
{
	each_form(recv_form);
}

static void send_form(leat_chan(int) chan, const struct form *form)
{
	static int n;
	int value;

	for (int way = 0; way < SEND_WAYS; way++) {
		n++;
		send_in_way(chan, form, way, n);
		value = -1;
		CHECK_EQ(leat_recv(chan, &value), 0);
		CHECK_EQ(value, n);
	}
}

/* Go test/chan/select5.go, template "send". */
TEST_BOTH(go_select5_send, 5)
{
	each_form(send_form);
}

static void nonblock_form(leat_chan(int) chan, const struct form *form)
{
	leat_case extras[] = {
		leat_case_send(dummy, 1),
		leat_case_recv(dummy, nowhere),
		leat_case_send(none, 1),
		leat_case_recv(none, nowhere),
	};
	leat_case cases[6];
	size_t at;
	size_t n;

	if (form->where == NO_DEFAULT)
		return;		/* blocks: go_chan_select3.c */
	n = build(form, NULL, extras, cases, &at);
	CHECK_EQ(leat_select_cases(cases, n), LEAT_DEFAULT);
	CHECK_EQ(leat_try_send(dummy, 1), -EAGAIN);
	CHECK_EQ(leat_try_recv(dummy, nowhere), -EAGAIN);
	CHECK_EQ(leat_chan_len(chan), 0);
}

/*
 * Go test/chan/select5.go, template "nonblock": with a default and nothing
 * ready the default is taken, and no receive's target is touched.
 */
TEST_BOTH(go_select5_nonblock, 5)
{
	each_form(nonblock_form);
}

/* How often each operand of a statement was evaluated. */
static int calls[8];

static leat_chan(int) c_(leat_chan(int) chan, int slot)
{
	calls[slot]++;
	return chan;
}

static int v_(int value, int slot)
{
	calls[slot]++;
	return value;
}

static int *p_(int *ptr, int slot)
{
	calls[slot]++;
	return ptr;
}

static int64_t t_(int64_t deadline, int slot)
{
	calls[slot]++;
	return deadline;
}

/* Operands 0 to n - 1 were evaluated once each, and no others. */
static void check_once(int n, int line)
{
	for (int i = 0; i < 8; i++)
		if (calls[i] != (i < n))
			test_fail(__FILE__, line, "operand %d was evaluated %d times", i, calls[i]);
	memset(calls, 0, sizeof(calls));
}

#define ONCE(n, statement)                                                    \
	do {                                                                  \
		CHECK(statement);                                             \
		check_once(n, __LINE__);                                      \
	} while (0)

/* Go test/chan/select5.go, templates "recvOrder" and "sendOrder": outside of select. */
TEST(go_select5_operands_once)
{
	leat_chan(int) chan = leat_chan_make(int, 4);
	int a[2] = { 1, 2 };
	int x = 0;

	memset(calls, 0, sizeof(calls));
	ONCE(2, leat_send(c_(chan, 0), v_(1, 1)) == 0);
	ONCE(3, leat_send_until(c_(chan, 0), v_(2, 1), t_(LEAT_FOREVER, 2)) == 0);
	ONCE(2, leat_try_send(c_(chan, 0), v_(3, 1)) == 0);
	ONCE(1, leat_chan_len(c_(chan, 0)) == 3);
	ONCE(1, leat_chan_cap(c_(chan, 0)) == 4);
	ONCE(2, leat_recv(c_(chan, 0), p_(&x, 1)) == 0 && x == 1);
	ONCE(3, leat_recv_until(c_(chan, 0), p_(&x, 1), t_(LEAT_FOREVER, 2)) == 0 && x == 2);
	ONCE(2, leat_try_recv(c_(chan, 0), p_(&x, 1)) == 0 && x == 3);
	ONCE(3, leat_send_n(c_(chan, 0), p_(a, 1), 2, t_(LEAT_FOREVER, 2)) == 2);
	a[0] = a[1] = 0;
	ONCE(3, leat_recv_n(c_(chan, 0), p_(a, 1), 2, t_(LEAT_FOREVER, 2)) == 2 && a[1] == 2);
	ONCE(1, leat_chan_ref(c_(chan, 0)) == chan);
	ONCE(1, (leat_chan_unref(c_(chan, 0)), true));
	ONCE(1, leat_to_sender(c_(chan, 0)) != NULL);
	ONCE(1, leat_to_receiver(c_(chan, 0)) != NULL);
	ONCE(1, (leat_close(c_(chan, 0)), true));
	ONCE(1, (leat_abandon(c_(chan, 0)), true));
	leat_chan_unref(chan);
}

/* Go test/chan/select5.go, templates "recvOrder" and "sendOrder": in a select. */
TEST(go_select5_select_operands_once)
{
	leat_chan(int) chan = leat_chan_make(int, 1);
	leat_chan(int) idle = leat_chan_make(int, 0);
	leat_chan(int) null = NULL;
	int status = 1;
	int x = 0;

	memset(calls, 0, sizeof(calls));
	ONCE(8, leat_select(leat_case_send(c_(chan, 0), v_(7, 1)),
			    leat_case_recv(c_(idle, 2), p_(nowhere, 3)),
			    leat_case_send(c_(null, 4), v_(1, 5)),
			    leat_case_recv(c_(null, 6), p_(nowhere, 7))) == 0);
	ONCE(8, leat_select(leat_case_default,
			    leat_case_send(c_(idle, 0), v_(1, 1)),
			    leat_case_recv(c_(chan, 2), p_(&x, 3)),
			    leat_case_send(c_(null, 4), v_(1, 5)),
			    leat_case_recv(c_(null, 6), p_(nowhere, 7))) == 2);
	CHECK_EQ(x, 7);
	ONCE(8, leat_select(leat_case_send_ok(c_(chan, 0), v_(8, 1), p_(&status, 2)),
			    leat_case_recv_ok(c_(idle, 3), p_(nowhere, 4), p_(nowhere, 5)),
			    leat_case_recv(c_(null, 6), (int *)NULL),
			    leat_case_until(t_(LEAT_FOREVER, 7))) == 0);
	CHECK_EQ(status, 0);
	ONCE(4, leat_select(leat_case_send(c_(chan, 0), v_(9, 1)),
			    leat_case_recv(c_(idle, 2), p_(nowhere, 3)),
			    leat_case_default) == LEAT_DEFAULT);
	leat_chan_unref(idle);
	leat_chan_unref(chan);
}
