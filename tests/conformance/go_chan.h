/*
 * What the tests rewritten from Go's test/chan and runtime/chan_test.go share.
 *
 * Go's programs end with goroutines still blocked, which nobody collects.
 * Here each test owns a group: finish() expects every task to end by itself,
 * stop() ends those that would go on for ever; only then are channels freed.
 */
#ifndef GO_CHAN_H
#define GO_CHAN_H

#include "test.h"

/* n iterations, or fewer where each of them is slow; at least 10 of more than 10. */
static inline int scaled(int n)
{
	int less = n;

	if (leat_sim_seed() != 0)
		less /= 100;
	if (test_slow())
		less /= 10;
	if (less < 10)
		less = n < 10 ? n : 10;
	return less;
}

static inline void start(leat_group *group)
{
	REQUIRE(leat_group_init(group, NULL) == 0);
}

static inline void finish(leat_group *group)
{
	CHECK_EQ(leat_group_wait(group), 0);
	leat_group_release(group);
}

static inline void stop(leat_group *group)
{
	leat_group_cancel(group, 0);
	CHECK_EQ(leat_group_wait(group), -ECANCELED);
	leat_group_release(group);
}

/*
 * Where Go's tests sleep so that the others get as far as they can.  Only the
 * simulator knows when that is; elsewhere the tests are right without it.
 */
static inline void settle(void)
{
	if (leat_sim_seed() != 0)
		test_settle();
}

#endif
