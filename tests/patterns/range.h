/* A source of numbers. */
#ifndef TEST_RANGE_H
#define TEST_RANGE_H

#include <leat/chan.h>

struct range {
	int next, end;
};

/* next, next + 1, ..., end - 1 */
static inline int count(struct range *range, int *ret_n)
{
	if (range->next == range->end)
		return LEAT_ECLOSED;
	*ret_n = range->next++;
	return 0;
}

#endif
