/*
 * Rewritten from Go's test/chan: select.go, select2.go, select4.go, select6.go,
 * select7.go, select8.go, doubleselect.go.  (select3.go and select5.go have
 * files of their own.)
 */
#include "go_chan.h"

#include <pthread.h>
#include <sched.h>

struct shifter {
	unsigned calls;
	unsigned shift;
};

static unsigned next_value(struct shifter *s)
{
	s->calls++;
	return 1u << s->shift;
}

/* Sends on each of the two channels once, taking it out of the select then. */
static int send_each(struct shifter *s, leat_chan(unsigned) a, leat_chan(unsigned) b)
{
	int sent = 0;

	for (;; s->shift++) {
		switch (leat_select(leat_case_send(a, next_value(s)),
				    leat_case_send(b, next_value(s)),
				    leat_case_default)) {
		case 0:
			sent++;
			a = NULL;
			break;
		case 1:
			sent++;
			b = NULL;
			break;
		default:
			return sent;
		}
	}
}

/*
 * Go test/chan/select.go: a channel set to NULL is out of the select; the
 * values of all cases, of NULL channels too, are evaluated once per select:
 * five selects of two cases make ten calls.
 */
TEST_BOTH(go_select, 50)
{
	leat_chan(unsigned) a = leat_chan_make(unsigned, 1);
	leat_chan(unsigned) b = leat_chan_make(unsigned, 1);
	struct shifter s = { 0, 0 };
	unsigned from_a = 0;
	unsigned from_b = 0;

	CHECK_EQ(send_each(&s, a, b), 2);
	CHECK_EQ(leat_recv(a, &from_a), 0);
	CHECK_EQ(leat_recv(b, &from_b), 0);
	CHECK_EQ(from_a | from_b, 3);
	CHECK_EQ(send_each(&s, a, NULL), 1);
	CHECK_EQ(s.calls, 10);
	leat_chan_unref(a);
	leat_chan_unref(b);
}

/* Go test/chan/select4.go: the select goes on with the case that is ready. */
TEST_BOTH(go_select4_ready_case, 50)
{
	leat_chan(int) ready = leat_chan_make(int, 1);
	leat_chan(int) silent = leat_chan_make(int, 0);
	struct {
		int before, a, after;
	} x = { 1, 2, 3 };
	int loser = 17;

	CHECK_EQ(leat_send(ready, 42), 0);
	CHECK_EQ(leat_select(leat_case_recv(silent, &loser), leat_case_recv(ready, &x.a)), 1);
	CHECK_EQ(x.a, 42);
	CHECK_EQ(x.before, 1);
	CHECK_EQ(x.after, 3);
	CHECK_EQ(loser, 17);	/* in C its address was taken; it was not written */
	leat_chan_unref(silent);
	leat_chan_unref(ready);
}

LEAT_TASK(recv_once, (leat_chan(bool), chan))
{
	bool ignored;

	CHECK_EQ(leat_recv(chan, &ignored), 0);
}

LEAT_TASK(send_once, (leat_chan(bool), chan))
{
	CHECK_EQ(leat_send(chan, true), 0);
}

LEAT_TASK(select_second_then_first, (leat_chan(bool), c1), (leat_chan(bool), c2),
	  (leat_chan(bool), c3))
{
	bool ignored;

	CHECK_EQ(leat_select(leat_case_recv(c1, &ignored), leat_case_recv(c2, &ignored)), 1);
	CHECK_EQ(leat_send(c3, true), 0);
	CHECK_EQ(leat_recv(c1, &ignored), 0);
}

static void select6(bool in_order)
{
	leat_chan(bool) c1 = leat_chan_make(bool, 0);
	leat_chan(bool) c2 = leat_chan_make(bool, 0);
	leat_chan(bool) c3 = leat_chan_make(bool, 0);
	leat_group group;
	bool ignored;

	start(&group);
	leat_go_in(&group, recv_once, c1);
	if (in_order)
		settle();
	leat_go_in(&group, select_second_then_first, c1, c2, c3);
	if (in_order)
		settle();
	leat_go_in(&group, send_once, c2);
	CHECK_EQ(leat_recv(c3, &ignored), 0);
	CHECK_EQ(leat_send(c1, true), 0);
	CHECK_EQ(leat_send(c1, true), 0);
	finish(&group);
	leat_chan_unref(c3);
	leat_chan_unref(c2);
	leat_chan_unref(c1);
}

/*
 * Go test/chan/select6.go: a select that waited behind another receiver on c1,
 * and was served by c2, leaves c1's queue whole: both later sends on c1 find
 * their receivers.
 */
TEST_BOTH(go_select6, 300)
{
	for (int i = 0, n = scaled(1000); i < n; i++)
		select6(false);
}

/* The same in the order that the Go program hopes for. */
TEST_SIM(go_select6_in_order, 300)
{
	select6(true);
}

/* Three ways to receive one value and throw it away. */
static int discard_recv(leat_chan(int) chan)
{
	return leat_recv(chan, (int *)NULL);
}

static int discard_select1(leat_chan(int) chan)
{
	return leat_select(leat_case_recv(chan, (int *)NULL));
}

static int discard_select2(leat_chan(int) chan)
{
	leat_chan(int) other = leat_chan_make(int, 0);
	int r = leat_select(leat_case_recv(chan, (int *)NULL),
			    leat_case_recv(other, (int *)NULL));

	leat_chan_unref(other);
	return r;
}

static int plain_send(leat_chan(int) chan)
{
	return leat_send(chan, 1);
}

static int send_select1(leat_chan(int) chan)
{
	return leat_select(leat_case_send(chan, 1));
}

static int send_select2(leat_chan(int) chan)
{
	leat_chan(int) other = leat_chan_make(int, 0);
	int r = leat_select(leat_case_send(chan, 1), leat_case_send(other, 1));

	leat_chan_unref(other);
	return r;
}

typedef int operation(leat_chan(int) chan);

LEAT_TASK(operate, (operation *, op), (leat_chan(int), chan))
{
	CHECK_EQ(op(chan), 0);
}

/*
 * Go test/chan/select7.go: three ways to send meet three ways to receive and
 * discard, with the receiver waiting first, and with the sender waiting first.
 */
TEST_BOTH(go_select7, 50)
{
	operation *const receivers[] = { discard_recv, discard_select1, discard_select2 };
	operation *const senders[] = { plain_send, send_select1, send_select2 };
	leat_chan(int) chan = leat_chan_make(int, 0);

	for (int i = 0; i < 18; i++) {
		operation *receiver = receivers[i % 3];
		operation *sender = senders[i / 3 % 3];
		leat_group group;

		start(&group);
		leat_go_in(&group, operate, i < 9 ? receiver : sender, chan);
		leat_yield();
		settle();
		CHECK_EQ((i < 9 ? sender : receiver)(chan), 0);
		finish(&group);
	}
	leat_chan_unref(chan);
}

LEAT_TASK(send_fives, (leat_chan(int), chan))
{
	while (leat_send(chan, 5) == 0)
		;
}

/*
 * Go test/chan/select8.go: a break leaves the select, whatever its number of
 * cases.  (In C it leaves the switch round it.)
 */
TEST_BOTH(go_select8_break, 20)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_group group;
	int value = -1;
	int after = 0;

	start(&group);
	leat_go_in(&group, send_fives, chan);
	switch (leat_select(leat_case_recv(chan, &value))) {
	case 0:
		CHECK_EQ(value, 5);
		break;
	default:
		CHECK(!"the only case of a select that blocks was not taken");
	}
	after++;
	switch (leat_select(leat_case_default)) {
	case LEAT_DEFAULT:
		break;
	default:
		CHECK(!"a select of nothing but a default did not take it");
	}
	after++;
	switch (leat_select(leat_case_recv(chan, &value), leat_case_default)) {
	case 0:
	case LEAT_DEFAULT:
		break;
	default:
		CHECK(!"neither the case nor the default");
	}
	after++;
	switch (leat_select(leat_case_recv(chan, &value), leat_case_send(chan, 10),
			    leat_case_default)) {
	case 0:
	case LEAT_DEFAULT:
		break;
	default:
		CHECK(!"sent, and nobody receives");
	}
	after++;
	CHECK_EQ(value, 5);
	CHECK_EQ(after, 4);
	stop(&group);
	leat_chan_unref(chan);
}

LEAT_TASK(send_counter, (int, n), (leat_chan(int) *, out))
{
	for (int i = 0; i < n; i++)
		CHECK(leat_select(leat_case_send(out[0], i), leat_case_send(out[1], i),
				  leat_case_send(out[2], i), leat_case_send(out[3], i)) >= 0);
	for (int i = 0; i < 4; i++)
		leat_close(out[i]);
}

LEAT_TASK(forward, (leat_chan(int), out), (leat_chan(int), in), (leat_chan(bool), done))
{
	leat_range(v, in)
		CHECK_EQ(leat_send(out, v), 0);
	CHECK_EQ(leat_send(done, true), 0);
}

LEAT_TASK(close_after_four, (leat_chan(bool), done), (leat_chan(int), chan))
{
	bool ignored;

	for (int i = 0; i < 4; i++)
		CHECK_EQ(leat_recv(done, &ignored), 0);
	leat_close(chan);
}

static void double_select(int n)
{
	leat_chan(int) out[4];
	leat_chan(int) merged = leat_chan_make(int, 0);
	leat_chan(bool) done = leat_chan_make(bool, 0);
	unsigned char *seen = calloc((size_t)n, 1);
	leat_group group;
	int received = 0;

	REQUIRE(seen != NULL);
	start(&group);
	for (int i = 0; i < 4; i++) {
		out[i] = leat_chan_make(int, 0);
		leat_go_in(&group, forward, merged, out[i], done);
	}
	leat_go_in(&group, send_counter, n, out);
	leat_go_in(&group, close_after_four, done, merged);
	leat_range(v, merged) {
		REQUIRE(v >= 0 && v < n);
		CHECK_EQ(seen[v], 0);
		seen[v] = 1;
		received++;
	}
	CHECK_EQ(received, n);
	finish(&group);
	for (int i = 0; i < 4; i++)
		leat_chan_unref(out[i]);
	leat_chan_unref(done);
	leat_chan_unref(merged);
	free(seen);
}

/*
 * Go test/chan/doubleselect.go: 100,000 selects that send their number to one
 * of four channels; no number arrives twice, and, here, none is missing.
 */
TEST_WITH(go_doubleselect, .workers = 2)
{
	double_select(scaled(100000));
}

TEST_SIM(go_doubleselect_sim, 200)
{
	double_select(50);
}

struct pair_of_threads {
	leat_chan(int) chan;
	leat_chan(int) dummy;
	leat_chan(bool) done;
	pthread_barrier_t attached;
	int rounds[2];		/* atomic: begun by each of the two */
	bool select_sends;
	int n;
};

/*
 * Both begin a round at the same time, give or take what is random: then what one
 * does falls into each step of what the other does.
 */
static void begin_round(struct pair_of_threads *p, int self)
{
	int round = __atomic_add_fetch(&p->rounds[self], 1, __ATOMIC_ACQ_REL);

	while (__atomic_load_n(&p->rounds[1 - self], __ATOMIC_ACQUIRE) < round)
		sched_yield();
	for (volatile uint64_t i = leat_random(256); i > 0; i--)
		;
}

/* From here on a deadlock waits for this thread to block, too. */
static void attach(struct pair_of_threads *p)
{
	CHECK_EQ(leat_thread_attach(), 0);
	pthread_barrier_wait(&p->attached);
}

static void *select_in_thread(void *arg)
{
	struct pair_of_threads *p = arg;
	int value = -1;

	attach(p);
	for (int i = 0; i < p->n; i++) {
		begin_round(p, 0);
		if (p->select_sends)
			CHECK_EQ(leat_select(leat_case_send(p->dummy, -1),
					     leat_case_send(p->chan, i)), 1);
		else
			CHECK_EQ(leat_select(leat_case_recv(p->dummy, &value),
					     leat_case_recv(p->chan, &value)), 1);
		CHECK_EQ(value, p->select_sends ? -1 : i);
	}
	leat_send(p->done, true);
	return NULL;
}

static void *plain_in_thread(void *arg)
{
	struct pair_of_threads *p = arg;
	int value = -1;

	attach(p);
	for (int i = 0; i < p->n; i++) {
		begin_round(p, 1);
		if (p->select_sends) {
			CHECK_EQ(leat_recv(p->chan, &value), 0);
			CHECK_EQ(value, i);
		} else {
			CHECK_EQ(leat_send(p->chan, i), 0);
		}
	}
	leat_send(p->done, true);
	return NULL;
}

/*
 * select2.go's two tasks, each in a thread of its own and so at the same time,
 * and both ways round: with nobody else to wake them, one lost wake-up is a
 * deadlock.
 */
TEST_WITH(go_select2_threads, .workers = 1)
{
	struct pair_of_threads p = { .n = scaled(20000) };
	pthread_t threads[2];
	bool ignored;

	p.chan = leat_chan_make(int, 0);
	p.dummy = leat_chan_make(int, 0);
	p.done = leat_chan_make(bool, 2);
	pthread_barrier_init(&p.attached, NULL, 3);
	for (int round = 0; round < 2; round++) {
		p.select_sends = round == 1;
		p.rounds[0] = p.rounds[1] = 0;
		REQUIRE(pthread_create(&threads[0], NULL, select_in_thread, &p) == 0);
		REQUIRE(pthread_create(&threads[1], NULL, plain_in_thread, &p) == 0);
		pthread_barrier_wait(&p.attached);
		for (int i = 0; i < 2; i++)
			CHECK_EQ(leat_recv(p.done, &ignored), 0);
		pthread_join(threads[0], NULL);
		pthread_join(threads[1], NULL);
	}
	pthread_barrier_destroy(&p.attached);
	leat_chan_unref(p.done);
	leat_chan_unref(p.dummy);
	leat_chan_unref(p.chan);
}

/* Bytes that the library holds, by its allocator hook. */
static int64_t live_bytes;

static void *count_alloc(void *ctx, size_t size, size_t align)
{
	void *ptr = NULL;

	if (posix_memalign(&ptr, align < sizeof(ptr) ? sizeof(ptr) : align, size) != 0)
		return NULL;
	__atomic_fetch_add(&live_bytes, (int64_t)size, __ATOMIC_RELAXED);
	return ptr;
}

static void count_release(void *ctx, void *ptr, size_t size)
{
	__atomic_fetch_sub(&live_bytes, (int64_t)size, __ATOMIC_RELAXED);
	free(ptr);
}

LEAT_TASK(send_ones, (leat_chan(int), chan), (int, n))
{
	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_send(chan, 1), 0);
}

static void select_n(leat_chan(int) chan, leat_chan(int) dummy, int n)
{
	leat_group group;
	int value;

	start(&group);
	leat_go_in(&group, send_ones, chan, n);
	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_select(leat_case_recv(chan, &value),
				     leat_case_recv(dummy, &value)), 0);
	finish(&group);
}

static int select2(void *arg)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	leat_chan(int) dummy = leat_chan_make(int, 0);
	leat_stats before = { .size = sizeof(before) };
	leat_stats after = { .size = sizeof(after) };
	int64_t bytes;

	select_n(chan, dummy, scaled(100000));	/* fills the pools */
	CHECK_EQ(leat_stats_get(&before), 0);
	bytes = __atomic_load_n(&live_bytes, __ATOMIC_RELAXED);
	CHECK(bytes > 0);
	select_n(chan, dummy, scaled(100000));
	CHECK(__atomic_load_n(&live_bytes, __ATOMIC_RELAXED) - bytes <= 110000);
	CHECK_EQ(leat_stats_get(&after), 0);
	/* Each worker keeps some of its own; not one a select. */
	CHECK(after.stacks <= before.stacks + 4 * (uint64_t)leat_workers());
	leat_chan_unref(dummy);
	leat_chan_unref(chan);
	return 0;
}

/*
 * Go test/chan/select2.go: 100,000 selects, each of which leaves a waiter on a
 * channel where nothing ever happens, add at most 110,000 bytes; and no stack
 * beyond one that a worker may have taken meanwhile.
 */
TEST_PLAIN(go_select2_memory)
{
	leat_options options = { .size = sizeof(options) };

	options.workers = 2;
	options.allocator.alloc = count_alloc;
	options.allocator.release = count_release;
	CHECK_EQ(leat_run(&options, select2, NULL), 0);
	CHECK_EQ(live_bytes, 0);
}
