/* Parallel loops. */
#include "patterns.h"

#include <leat/loop.h>

enum { N = 100000 };

static unsigned char seen[N];
static struct gauge gauge;

struct range {
	atomic_int parts;
	size_t largest;
};

static int note(struct range *range, size_t from, size_t to)
{
	CHECK(from < to && to <= N);
	atomic_fetch_add(&range->parts, 1);
	for (size_t i = from; i < to; i++)
		seen[i]++;
	return 0;
}

/* Each index once, whatever the size. */
TEST_BOTH(for_each_index, 3)
{
	static const size_t sizes[] = { 0,  1,  2,    3,    7,    8,    9, 63,
					64, 65, 1000, 4095, 4096, 4097, N };

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		struct range range = { 0 };

		memset(seen, 0, sizeof(seen));
		CHECK_EQ(leat_parallel_for(sizes[k], note, &range), 0);
		for (size_t i = 0; i < N; i++)
			if (seen[i] != (i < sizes[k]))
				CHECK_EQ(i, -1);
		CHECK(sizes[k] == 0 || range.parts > 0);
	}
}

struct parts {
	int64_t each;		/* ns, that an element takes */
	size_t n, largest;	/* of those behind the first */
	size_t first;		/* how many those were: each as many as all before it, and one */
};

static int note_part(struct parts *p, size_t from, size_t to)
{
	if (from == p->first && to - from == from + 1) {
		p->first = to;
	} else {
		p->n++;
		if (to - from > p->largest)
			p->largest = to - from;
	}
	return p->each > 0 ? leat_sleep(p->each * (int64_t)(to - from)) : 0;
}

static struct parts parts_of(int64_t each, size_t n)
{
	struct parts p = { .each = each };

	CHECK_EQ(leat_parallel_for(n, note_part, &p), 0);
	return p;
}

/*
 * 20 us for each part, as the first elements tell, which in the simulator take a little longer;
 * and a half of that, since a part too large is halved.
 */
TEST_SIM(parts_take_a_time, 3)
{
	struct parts p = parts_of(100, N);

	CHECK_EQ(p.first, 63);
	CHECK(p.largest <= 200 && p.largest > 200 / 3);
	CHECK(p.n <= N / (200 / 3));
	p = parts_of(1000, N);
	CHECK_EQ(p.first, 7);
	CHECK(p.largest <= 20 && p.largest > 20 / 3);
	/* Slower than that: each for itself. */
	p = parts_of(100 * LEAT_US, 200);
	CHECK_EQ(p.first, 1);
	CHECK_EQ(p.largest, 1);
	CHECK_EQ(p.n, 199);
}

/* However quick they are: eight parts for each worker. */
TEST_SIM(parts_for_each_worker, 3)
{
	size_t parts = 8 * (size_t)leat_workers();
	struct parts p = parts_of(0, 8191 + parts * 1000);

	CHECK_EQ(p.first, 8191);
	CHECK(p.largest <= 1000);
	CHECK(p.n >= parts && p.n <= 2 * parts);
}

TEST_WITH(parts_for_four_workers, .workers = 4)
{
	struct range range = { 0 };

	CHECK_EQ(leat_parallel_for(N, note, &range), 0);
	CHECK(range.parts >= 8 * 4);
}

static int work_a_while(int *element)
{
	gauge_enter(&gauge);
	leat_sleep((int64_t)leat_random(20) * LEAT_US);
	(*element)++;
	gauge_leave(&gauge);
	return 0;
}

/* Elements that wait are waited for side by side. */
TEST_BOTH(elements, 20)
{
	int array[200];

	gauge = (struct gauge){ 0 };
	for (int i = 0; i < 200; i++)
		array[i] = i;
	CHECK_EQ(leat_parallel_each(array, 200, work_a_while), 0);
	for (int i = 0; i < 200; i++)
		CHECK_EQ(array[i], i + 1);
	CHECK(gauge.most > 1);
}

static int to_square(const int *in, long *out)
{
	leat_yield();
	*out = (long)*in * *in;
	return 0;
}

TEST_BOTH(map, 20)
{
	static int in[5000];
	static long out[5000];

	for (int i = 0; i < 5000; i++)
		in[i] = i - 2500;
	CHECK_EQ(leat_parallel_map((const int *)in, 5000, out, to_square), 0);
	for (int i = 0; i < 5000; i++)
		if (out[i] != (long)(i - 2500) * (i - 2500))
			CHECK_EQ(i, -1);
}

struct text {
	char first, last;	/* of the part; 0: it is empty */
	int breaks;		/* where the next is not the one behind it */
	long sum;
};

/* Parts must be joined in their order: each begins where the one before it ends. */
static int add_part(const char *bytes, size_t from, size_t to, struct text *acc)
{
	for (size_t i = from; i < to; i++) {
		if (acc->last != 0 && bytes[i] != acc->last % 100 + 1)
			acc->breaks++;
		if (acc->first == 0)
			acc->first = bytes[i];
		acc->last = bytes[i];
		acc->sum += bytes[i];
	}
	if (leat_random(4) == 0)
		leat_yield();
	return 0;
}

static void join_parts(struct text *acc, struct text *next)
{
	if (next->first == 0)
		return;
	if (acc->last != 0 && next->first != acc->last % 100 + 1)
		acc->breaks++;
	if (acc->first == 0)
		acc->first = next->first;
	acc->last = next->last;
	acc->breaks += next->breaks;
	acc->sum += next->sum;
}

TEST_BOTH(reduce_in_order, 20)
{
	static char bytes[N];
	struct text whole = { 0 };

	for (int i = 0; i < N; i++)
		bytes[i] = (char)(i % 100 + 1);
	CHECK_EQ(leat_parallel_reduce(N, add_part, join_parts, (const char *)bytes, &whole), 0);
	CHECK_EQ(whole.breaks, 0);
	CHECK_EQ(whole.first, 1);
	CHECK_EQ(whole.last, 100);
	CHECK_EQ(whole.sum, 5050L * (N / 100));
	/* It goes on from what is there. */
	CHECK_EQ(leat_parallel_reduce(0, add_part, join_parts, (const char *)bytes, &whole), 0);
	CHECK_EQ(whole.sum, 5050L * (N / 100));
}

static atomic_int calls;

static int fail_at(int *at, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		atomic_fetch_add(&calls, 1);
		leat_yield();
		if ((int)i == *at)
			return -EIO;
	}
	return 0;
}

/* The error comes back, and what has not begun does not. */
TEST_BOTH(errors, 20)
{
	int at = 500;

	calls = 0;
	CHECK_EQ(leat_parallel_for(5000, fail_at, &at), -EIO);
	CHECK(calls < 5000);
	at = 0;
	calls = 0;
	CHECK_EQ(leat_parallel_for(5000, fail_at, &at), -EIO);
	CHECK_EQ(calls, 1);
}

static int nap(int *element)
{
	(void)element;
	leat_sleep(LEAT_MS); /* ignores that it is cancelled */
	atomic_fetch_add(&calls, 1);
	return 0;
}

static int nap_part(int *array, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		nap(&array[i]);
	return 0;
}

LEAT_TASK(loop_long, (int *, array), (int *, ret))
{
	*ret = leat_parallel_for(1000, nap_part, array);
}

/* Parts that have not begun do not begin. */
TEST_SIM(cancel, 20)
{
	static int array[1000];
	leat_group group;
	int r = 1;

	calls = 0;
	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, loop_long, array, &r), 0);
	leat_sleep(LEAT_MS / 2); /* the first is being probed */
	leat_group_cancel(&group, 0);
	(void)leat_group_wait(&group);
	leat_group_release(&group);
	CHECK_EQ(r, -ECANCELED);
	CHECK_EQ(calls, 1);
}

struct large {
	char bytes[LEAT_REDUCE_MAX + 1];
};

static int add_large(int *arg, size_t from, size_t to, struct large *acc)
{
	(void)arg;
	(void)from;
	(void)to;
	(void)acc;
	return 0;
}

static void join_large(struct large *acc, struct large *next)
{
	(void)acc;
	(void)next;
}

TEST_DEATH_TASK(too_large_to_reduce, "257 bytes")
{
	struct large acc = { { 0 } };
	int arg = 0;

	(void)leat_parallel_reduce(10, add_large, join_large, &arg, &acc);
}

TEST_DEATH(outside_of_a_task, "outside of a task")
{
	struct range range = { 0 };

	(void)leat_parallel_for(10, note, &range);
}
