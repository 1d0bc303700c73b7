/*
 * Cancel against tasks that are about to block (K1 to K6 in rt/scope.h): whatever
 * waits in the group when the cancel is over has been found by one or the other.
 */
#include "program.h"

/* Where the group's task may wait; nothing there ever comes. */
static leat_chan(int) never;
static leat_group group;
static uint32_t begun;

/* Both sides begin at about the same time. */
static void begin_together(void)
{
	leat__fetch_add(&begun, 1);
	while (leat__load_acquire(&begun) < 2)
		leat__cpu_pause();
	stall(30);
}

LEAT_TASK_ERR(wait_for_ever, (int, how))
{
	int element, r;

	if (how == 3) {
		leat_group nested;

		make(&nested);
		CHECK_EQ(leat_go_in(&nested, wait_for_ever, (int)leat__check_choose(3)), 0);
		r = leat_group_wait(&nested);
		leat_group_release(&nested);
		return r;
	}
	/* Who has blocked before is linked into its group already (K4). */
	if (leat__check_choose(2))
		CHECK_EQ(leat_sleep(50000), 0);
	begin_together();
	switch (how) {
	case 0:
		return leat_recv(never, &element);
	case 1:
		return leat_sleep_until(LEAT_FOREVER);
	default:
		return leat_select(leat_case_recv(never, &element), leat_case_send(never, 1));
	}
}

LEAT_TASK(cancel_it)
{
	begin_together();
	leat_group_cancel(&group, -EINTR);
}

static void cancel_parked(int how)
{
	leat_group canceller;

	never = leat_chan_make(int, 0);
	for (int i = 0; i < 3; i++) {
		begun = 0;
		make(&group);
		make(&canceller);
		CHECK_EQ(leat_go_in(&canceller, cancel_it), 0);
		CHECK_EQ(leat_go_in(&group, wait_for_ever, how), 0);
		CHECK_EQ(finish(&canceller), 0);
		CHECK_EQ(finish(&group), -EINTR);
	}
	leat_chan_unref(never);
}

PROGRAM(cancel_recv, 2500, 3)
{
	cancel_parked(0);
}

PROGRAM(cancel_sleep, 1500, 3)
{
	cancel_parked(1);
}

PROGRAM(cancel_select, 1500, 3)
{
	cancel_parked(2);
}

PROGRAM(cancel_nested, 2500, 3)
{
	cancel_parked(3);
}

/* Waits without a stack. */
static int must_not_run(void *arg, int result, void *elem)
{
	(void)arg;
	(void)result;
	(void)elem;
	CHECK(!"nothing was sent");
	return 0;
}

static int must_not_come(void *arg)
{
	(void)arg;
	CHECK(!"the time has not come");
	return 0;
}

LEAT_TASK(wait_without_stack)
{
	int r;

	begin_together();
	if (leat__check_choose(2))
		r = leat_channel_on_recv((leat_channel *)never, &group, must_not_run, NULL);
	else
		r = leat_after(&group, LEAT_FOREVER - 1, must_not_come, NULL);
	CHECK(r == 0 || r == -ECANCELED);
}

PROGRAM(cancel_without_stack, 2500, 3)
{
	leat_group others;

	never = leat_chan_make(int, 0);
	for (int i = 0; i < 3; i++) {
		begun = 0;
		make(&group);
		make(&others);
		CHECK_EQ(leat_go_in(&others, cancel_it), 0);
		CHECK_EQ(leat_go_in(&others, wait_without_stack), 0);
		CHECK_EQ(finish(&others), 0);
		CHECK_EQ(finish(&group), -EINTR);
	}
	leat_chan_unref(never);
}

/* Who waits for a place under the group's limit; the place stays taken. */
LEAT_TASK(keep_place, (leat_chan(int), in))
{
	int element;

	leat_shield_begin();
	CHECK_EQ(leat_recv(in, &element), 0);
	leat_shield_end();
}

LEAT_TASK(wait_for_place)
{
	begin_together();
	CHECK_EQ(leat_go_in(&group, keep_place, never), -ECANCELED);
}

PROGRAM(cancel_limit, 2500, 3)
{
	leat_group others;

	never = leat_chan_make(int, 1);
	for (int i = 0; i < 3; i++) {
		begun = 0;
		CHECK_EQ(leat_group_init(&group, LEAT_GROUP_OPTIONS(.limit = 1)), 0);
		make(&others);
		CHECK_EQ(leat_go_in(&group, keep_place, never), 0);
		CHECK_EQ(leat_go_in(&others, wait_for_place), 0);
		CHECK_EQ(leat_go_in(&others, cancel_it), 0);
		CHECK_EQ(finish(&others), 0);
		CHECK_EQ(leat_send(never, 1), 0);
		CHECK_EQ(finish(&group), -EINTR);
	}
	leat_chan_unref(never);
}

/* An element that was handed over is not lost to the cancel, nor is it had twice. */
static uint32_t received;

LEAT_TASK(receive_or_not, (leat_chan(int), in))
{
	int element = -1;
	int r;

	begin_together();
	r = leat_recv(in, &element);
	CHECK(r == 0 ? element == 7 : r == -ECANCELED && element == -1);
	received += r == 0;
}

PROGRAM(cancel_or_receive, 2500, 3)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	uint32_t sent = 0;
	leat_group canceller;

	received = 0;
	for (int i = 0; i < 3; i++) {
		begun = 0;
		make(&group);
		make(&canceller);
		CHECK_EQ(leat_go_in(&group, receive_or_not, chan), 0);
		CHECK_EQ(leat_go_in(&canceller, cancel_it), 0);
		for (int tries = 0; tries < 4; tries++)
			if (leat_try_send(chan, 7) == 0)
				sent++;
		CHECK_EQ(finish(&canceller), 0);
		CHECK_EQ(finish(&group), -EINTR);
		CHECK_EQ(received, sent);
	}
	leat_chan_unref(chan);
}
