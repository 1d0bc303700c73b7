/*
 * Rewritten from Go's test/chan: sieve1.go and sieve2.go, two prime sieves
 * built of tasks and channels.
 *
 * Go leaves the endless generators blocked when main returns.  Here they end
 * when their group is cancelled: every loop ends at the first error of its
 * channel.  Each task owns a reference to the channels that were made for it.
 */
#include "go_chan.h"

static const int primes_below_100[] = {
	2,  3,	5,  7,	11, 13, 17, 19, 23, 29, 31, 37, 41,
	43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
};
#define PRIMES ((int)(sizeof(primes_below_100) / sizeof(primes_below_100[0])))

static void check_primes(leat_chan(int) primes)
{
	for (int i = 0; i < PRIMES; i++) {
		int prime = -1;

		CHECK_EQ(leat_recv(primes, &prime), 0);
		CHECK_EQ(prime, primes_below_100[i]);
	}
}

/* sieve1: 2, 3, 4, ... through one filter for each prime found so far. */

LEAT_TASK(generate, (leat_chan(int), out))
{
	for (int i = 2; leat_send(out, i) == 0; i++)
		;
	leat_chan_unref(out);
}

LEAT_TASK(filter, (leat_chan(int), in), (leat_chan(int), out), (int, prime))
{
	leat_range(i, in) {
		if (i % prime != 0 && leat_send(out, i) != 0)
			break;
	}
	leat_chan_unref(in);
	leat_chan_unref(out);
}

LEAT_TASK(sieve, (leat_group *, group), (leat_chan(int), primes))
{
	leat_chan(int) in = leat_chan_make(int, 0);
	int prime;

	if (leat_go_in(group, generate, leat_chan_ref(in)) != 0)
		leat_chan_unref(in);
	while (leat_recv(in, &prime) == 0 && leat_send(primes, prime) == 0) {
		leat_chan(int) out = leat_chan_make(int, 0);

		if (leat_go_in(group, filter, in, leat_chan_ref(out), prime) != 0) {
			leat_chan_unref(in);
			leat_chan_unref(out);
		}
		in = out;
	}
	leat_chan_unref(in);
}

/* Go test/chan/sieve1.go: the primes below 100 come out of the chain of filters. */
TEST_BOTH(go_sieve1, 20)
{
	leat_chan(int) primes = leat_chan_make(int, 0);
	leat_group group;

	start(&group);
	CHECK_EQ(leat_go_in(&group, sieve, &group, primes), 0);
	check_primes(primes);
	stop(&group);
	leat_chan_unref(primes);
}

/* sieve2: the odd numbers without the merged multiples of the primes found so far. */

enum { MAX_PEEKS = 64 };

/* A stream of numbers, and the one that was read ahead. */
struct peek {
	int head;
	leat_chan(int) chan;
};

/* A binary heap, the smallest head first. */
struct heap {
	int n;
	struct peek of[MAX_PEEKS];
};

static void swap(struct peek *a, struct peek *b)
{
	struct peek tmp = *a;

	*a = *b;
	*b = tmp;
}

static void heap_push(struct heap *heap, struct peek peek)
{
	int i = heap->n++;

	REQUIRE(heap->n <= MAX_PEEKS);
	heap->of[i] = peek;
	for (; i > 0 && heap->of[i].head < heap->of[(i - 1) / 2].head; i = (i - 1) / 2)
		swap(&heap->of[i], &heap->of[(i - 1) / 2]);
}

static struct peek heap_pop(struct heap *heap)
{
	struct peek top = heap->of[0];
	int i = 0;

	REQUIRE(heap->n > 0);
	heap->of[0] = heap->of[--heap->n];
	for (;;) {
		int child = 2 * i + 1;

		if (child + 1 < heap->n && heap->of[child + 1].head < heap->of[child].head)
			child++;
		if (child >= heap->n || heap->of[i].head <= heap->of[child].head)
			return top;
		swap(&heap->of[i], &heap->of[child]);
		i = child;
	}
}

LEAT_TASK(count_up, (leat_chan(int), out), (int, from), (int, step))
{
	for (int i = from; leat_send(out, i) == 0; i += step)
		;
	leat_chan_unref(out);
}

/* from, from + step, ...: a new channel, the caller's to unref. */
static leat_chan(int) counting(leat_group *group, size_t cap, int from, int step)
{
	leat_chan(int) out = leat_chan_make(int, cap);

	if (leat_go_in(group, count_up, leat_chan_ref(out), from, step) != 0)
		leat_chan_unref(out);
	return out;
}

/* Takes the smallest multiple out and reads its stream on; *min is the next one. */
static int advance(struct heap *heap, int *min)
{
	struct peek peek = heap_pop(heap);
	int r;

	*min = peek.head;
	r = leat_recv(peek.chan, &peek.head);
	heap_push(heap, peek);	/* also on error, for the heap owns the channels */
	return r;
}

/* Adds the multiples of one more prime, once all the smaller ones were sent. */
static int add_prime(leat_group *group, struct heap *heap, int prime, int *min,
		     leat_chan(int) composites)
{
	struct peek peek = { 0, counting(group, 10, prime * prime, 2 * prime) };
	int head;
	int r = leat_recv(peek.chan, &head);

	while (r == 0 && *min < head) {
		r = leat_send(composites, *min);
		if (r == 0)
			r = advance(heap, min);
	}
	while (r == 0 && *min == head)
		r = advance(heap, min);
	if (r == 0)
		r = leat_send(composites, head);
	if (r == 0)
		r = leat_recv(peek.chan, &peek.head);
	heap_push(heap, peek);
	return r;
}

LEAT_TASK(merge, (leat_group *, group), (leat_chan(int), primes), (leat_chan(int), composites))
{
	struct heap heap = { 0 };
	int min = 15;
	int prime;

	while (leat_recv(primes, &prime) == 0)
		if (add_prime(group, &heap, prime, &min, composites) != 0)
			break;
	while (heap.n > 0)
		leat_chan_unref(heap_pop(&heap).chan);
}

/* Sends on what it receives, and holds as much as there is, so that in never stays full. */
LEAT_TASK(proxy, (leat_chan(int), in), (leat_chan(int), out))
{
	size_t size = 2;
	size_t first = 0;
	size_t n = 0;
	int *ring = calloc(size, sizeof(*ring));
	int e = 0;

	for (;;) {
		int r = leat_select(leat_case_recv(in, &e),
				    leat_case_send(n > 0 ? out : NULL, ring[first]));

		if (r < 0)
			break;
		if (r == 1) {
			first = (first + 1) % size;
			n--;
			continue;
		}
		if (n == size) {
			int *larger = calloc(2 * size, sizeof(*ring));

			for (size_t i = 0; i < n; i++)
				larger[i] = ring[(first + i) % size];
			free(ring);
			ring = larger;
			first = 0;
			size *= 2;
		}
		ring[(first + n++) % size] = e;
	}
	free(ring);
}

LEAT_TASK(sift, (leat_group *, group), (leat_chan(int), composites), (leat_chan(int), proxied),
	  (leat_chan(int), out))
{
	leat_chan(int) candidates = counting(group, 50, 5, 2);
	int p;
	int r = leat_recv(candidates, &p);

	leat_range(c, composites) {
		while (r == 0 && p < c) {
			r = leat_send(proxied, p);
			if (r == 0)
				r = leat_send(out, p);
			if (r == 0)
				r = leat_recv(candidates, &p);
		}
		if (r == 0 && p == c)
			r = leat_recv(candidates, &p);
		if (r != 0)
			break;
	}
	leat_chan_unref(candidates);
}

/*
 * Go test/chan/sieve2.go: the primes below 100, with the multiples merged by a
 * heap of channels, and a feedback loop that only an unbounded queue (a select
 * whose send case is NULL while it is empty) keeps from deadlock.
 */
TEST_BOTH(go_sieve2, 20)
{
	leat_chan(int) out = leat_chan_make(int, 10);
	leat_chan(int) composites = leat_chan_make(int, 50);
	leat_chan(int) primes = leat_chan_make(int, 10);
	leat_chan(int) proxied = leat_chan_make(int, 10);
	leat_group group;

	start(&group);
	CHECK_EQ(leat_send(out, 2), 0);
	CHECK_EQ(leat_send(out, 3), 0);
	CHECK_EQ(leat_send(primes, 3), 0);
	leat_go_in(&group, merge, &group, primes, composites);
	leat_go_in(&group, proxy, proxied, primes);
	leat_go_in(&group, sift, &group, composites, proxied, out);
	check_primes(out);
	stop(&group);
	leat_chan_unref(out);
	leat_chan_unref(composites);
	leat_chan_unref(primes);
	leat_chan_unref(proxied);
}
