/*
 * The run queue of a worker (base/deque.h): the owner pushes, pops and takes while thieves
 * steal.  Each element comes out once.
 */
#include "checking.h"

#include "base/deque.h"

enum { ELEMENTS = 6, THIEVES = 2 };

static struct leat__deque deque;
static uint8_t out[ELEMENTS + 1];

static void came_out(void *x)
{
	uintptr_t i = (uintptr_t)x;

	REQUIRE(i <= ELEMENTS);
	if (i > 0)
		CHECK_EQ(++out[i], 1);
}

static void *thief(void *arg)
{
	unsigned tries = 2 + leat__check_choose(3);

	(void)arg;
	for (unsigned i = 0; i < tries; i++) {
		bool lost = false;

		came_out(leat__deque_steal(&deque, &lost));
	}
	return NULL;
}

static int run(uint32_t start, bool pops, bool takes)
{
	struct leat__thread_handle thieves[THIEVES];
	uintptr_t next = 1;
	int n = 0;

	deque.top = deque.bottom = start;
	memset(out, 0, sizeof(out));
	for (int i = 0; i < THIEVES; i++)
		CHECK_EQ(leat__thread_start(&thieves[i], thief, NULL), 0);
	while (next <= ELEMENTS || leat__deque_len(&deque) > 0) {
		uint32_t what = leat__check_choose(3);

		if (what == 0 && next <= ELEMENTS)
			REQUIRE(leat__deque_push(&deque, (void *)next++));
		else if (what == 1 && pops)
			came_out(leat__deque_pop(&deque));
		else if (takes)
			came_out(leat__deque_take(&deque));
		else if (!pops)
			break;
	}
	for (int i = 0; i < THIEVES; i++)
		leat__thread_join(thieves[i]);
	for (void *x; (x = leat__deque_take(&deque)) != NULL;)
		came_out(x);
	for (int i = 1; i < (int)next; i++)
		n += out[i];
	CHECK_EQ(n, (int)next - 1);
	return 0;
}

SCENARIO(deque_pop, 4000)
{
	return run(0, true, false);
}

SCENARIO(deque_take, 4000)
{
	return run(0, false, true);
}

SCENARIO(deque_pop_take, 4000)
{
	return run(0, true, true);
}

/* The indices wrap around. */
SCENARIO(deque_wrap, 2000)
{
	return run(UINT32_MAX - 2, true, true);
}

/* A full deque refuses, and takes again when a thief has been there. */
static void *steal_one(void *arg)
{
	bool lost;

	(void)arg;
	do {
		lost = false;
		if (leat__deque_steal(&deque, &lost))
			return NULL;
	} while (lost);
	CHECK(!"the deque is full, so there is one");
	return NULL;
}

SCENARIO(deque_full, 200)
{
	struct leat__thread_handle thread;
	uintptr_t i = 0;

	deque.top = deque.bottom = 7;
	while (leat__deque_push(&deque, (void *)(i + 1)))
		i++;
	CHECK_EQ(i, LEAT__DEQUE_CAP);
	CHECK_EQ(leat__thread_start(&thread, steal_one, NULL), 0);
	while (!leat__deque_push(&deque, (void *)(i + 1)))
		leat__cpu_pause();
	leat__thread_join(thread);
	for (uintptr_t k = 2; k <= i + 1; k++)
		CHECK_EQ((uintptr_t)leat__deque_take(&deque), k);
	CHECK(leat__deque_take(&deque) == NULL);
	return 0;
}
