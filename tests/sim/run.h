/* What the stress scenarios share. */
#ifndef LEAT_TEST_RUN_H
#define LEAT_TEST_RUN_H

#include "books.h"

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

/* A channel whose unreceived elements go to the books. */
static inline leat_chan(int) make_chan(size_t cap)
{
	leat_chan(int) chan = leat_chan_make_drop(int, cap, books_drop);

	REQUIRE(chan != NULL);
	return chan;
}

/* Lets others run for a while, of a length that differs from seed to seed. */
static inline void dawdle(unsigned most)
{
	for (uint64_t i = leat_random(most + 1); i > 0; i--)
		leat_yield();
}

#endif
