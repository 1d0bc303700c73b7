/* Semaphore: ten downloads, of which at most three run at once. */
#include <stdio.h>
#include <leat/leat.h>

static leat_sem slots;
static leat_mutex lock = LEAT_MUTEX_INIT;
static int running, most, done; // under lock

static void count(int begun, int ended)
{
	leat_mutex_lock(&lock);
	running += begun - ended;
	done += ended;
	if (running > most)
		most = running;
	leat_mutex_unlock(&lock);
}

LEAT_TASK_ERR(download, (int, id))
{
	int r = leat_sem_acquire(&slots, 1);

	if (r < 0)
		return r;
	count(1, 0);
	printf("downloading %d\n", id);
	leat_sleep(20 * LEAT_MS); // Simulate work
	count(0, 1);
	leat_sem_release(&slots, 1);
	return 0;
}

LEAT_MAIN()
{
	leat_group group;

	leat_sem_init(&slots, 3, 0);
	leat_group_init(&group, NULL);
	for (int id = 1; id <= 10; id++)
		leat_go_in(&group, download, id);
	if (leat_group_wait(&group) == 0)
		printf("%d done, at most %d at once\n", done, most);
	leat_group_release(&group);
	return 0;
}
