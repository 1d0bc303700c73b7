/*
 * The count of a group and who waits for it (N1 to N6 and O1 to O7 in rt/scope.h): a
 * wait ends when the last task has ended, not before, and nobody touches the group
 * after that.
 */
#include "program.h"

/* What the group's memory holds when it is no group any more. */
static void poison(leat_group *group)
{
	memset(group, 0xa5, sizeof(*group));
}

static void check_poison(const leat_group *group)
{
	const unsigned char *byte = (const unsigned char *)group;

	for (size_t i = 0; i < sizeof(*group); i++)
		CHECK_EQ(byte[i], 0xa5);
}

LEAT_TASK(end_soon, (uint32_t *, ended))
{
	leat__check_compute(leat__check_choose(3000));
	leat__fetch_add(ended, 1);
}

/* Tasks end on other workers while the owner begins to wait. */
static void count(bool until)
{
	static leat_group groups[4];
	uint32_t ended = 0;

	for (uint32_t i = 0; i < 4; i++) {
		uint32_t n = 1 + leat__check_choose(2);
		int r;

		make(&groups[i]);
		ended = 0;
		for (uint32_t k = 0; k < n; k++)
			CHECK_EQ(leat_go_in(&groups[i], end_soon, &ended), 0);
		leat__check_compute(leat__check_choose(12000));
		do {
			r = until ? leat_group_wait_until(&groups[i],
							  leat_in(leat__check_choose(3000)))
				  : leat_group_wait(&groups[i]);
			CHECK(r == 0 || (until && r == -EAGAIN));
		} while (r != 0);
		CHECK_EQ(ended, n);
		leat_group_release(&groups[i]);
		poison(&groups[i]);
	}
	compute();
	for (int i = 0; i < 4; i++)
		check_poison(&groups[i]);
}

PROGRAM(group_count, 3000, 2)
{
	count(false);
}

PROGRAM(group_count_3, 2000, 3)
{
	count(false);
}

PROGRAM(group_count_until, 4000, 2)
{
	count(true);
}

/* A task that is not the owner waits at the same time. */
static uint32_t begun, over;

LEAT_TASK(wait_too, (leat_group *, group))
{
	leat__fetch_add(&begun, 1);
	while (leat__load_acquire(&begun) < 2)
		leat__cpu_pause();
	stall(30);
	CHECK_EQ(leat_group_wait(group), 0);
	leat__fetch_add(&over, 1);
}

PROGRAM(group_others, 6000, 2)
{
	leat_group group, waiters;

	for (uint32_t i = 1; i <= 5; i++) {
		begun = over = 0;
		make(&group);
		make(&waiters);
		CHECK_EQ(leat_go_in(&waiters, wait_too, &group), 0);
		leat__fetch_add(&begun, 1);
		compute_until(&begun, 2);
		stall(30);
		CHECK_EQ(leat_group_wait(&group), 0);
		/* The other one needs nobody else: it may not wait for our next call. */
		CHECK_EQ(finish(&waiters), 0);
		CHECK_EQ(over, 1);
		leat_group_release(&group);
	}
}

/* A group's tasks spawn into it while the owner waits. */
LEAT_TASK(spawn_more, (leat_group *, group), (int, depth), (uint32_t *, ended))
{
	for (int i = 0; i < depth; i++)
		CHECK_EQ(leat_go_in(group, spawn_more, group, depth - 1, ended), 0);
	if (leat__check_choose(3) == 0)
		leat_yield();
	leat__fetch_add(ended, 1);
}

PROGRAM(group_grows, 2000, 2)
{
	static leat_group group;
	uint32_t ended = 0;

	make(&group);
	CHECK_EQ(leat_go_in(&group, spawn_more, &group, 3, &ended), 0);
	compute();
	CHECK_EQ(finish(&group), 0);
	CHECK_EQ(ended, 16);
	poison(&group);
	compute();
	check_poison(&group);
}
