/*
 * What the stress scenarios share.  tests/checking builds them a second time, for
 * the checking build: the same programs on 2 or 3 workers, interleaved at every
 * atomic operation.
 */
#ifndef LEAT_TEST_RUN_H
#define LEAT_TEST_RUN_H

#include "books.h"

#ifdef LEAT_CHECKING
#include "../checking/program.h"

#undef TEST_STRESS
#undef TEST_SIM
#define TEST_STRESS(name_) PROGRAM(name_, 1000, 2 + (int)(leat__check_seed() % 2))
#define TEST_SIM(name_, seeds_) PROGRAM(name_, 100, 2)
/* A second is for ever in programs that sleep for microseconds. */
#define test_settle() CHECK_EQ(leat_sleep(LEAT_S), 0)
#else

static inline void make(leat_group *group)
{
	REQUIRE(leat_group_init(group, NULL) == 0);
}

/* Waits for the group's tasks and ends it; its error. */
static inline int finish(leat_group *group)
{
	int r = leat_group_wait(group);

	leat_group_release(group);
	return r;
}

/* Lets others run for a while, of a length that differs from seed to seed. */
static inline void dawdle(unsigned most)
{
	for (uint64_t i = leat_random(most + 1); i > 0; i--)
		leat_yield();
}
#endif

/* A channel whose unreceived elements go to the books. */
static inline leat_chan(int) make_chan(size_t cap)
{
	leat_chan(int) chan = leat_chan_make_drop(int, cap, books_drop);

	REQUIRE(chan != NULL);
	return chan;
}

#endif
