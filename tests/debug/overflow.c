/* A task whose stack overflows. */
#include <leat/leat.h>

__attribute__((noinline)) static int dig(volatile char *above, int depth)
{
	volatile char here[512];

	here[0] = above ? above[0] : 1;
	return depth == 0 ? here[0] : dig(here, depth - 1) + here[1];
}

LEAT_TASK_ERR(digger, (int, depth))
{
	return dig(0, depth) > 0;
}

LEAT_MAIN(int argc, char **argv)
{
	leat_group group;
	int r = leat_group_init(&group, 0);

	(void)argc;
	(void)argv;
	if (r < 0)
		return 1;
	leat_go_with(&group, LEAT_TASK_OPTIONS(.name = "the digger"), digger, 100000);
	r = leat_group_wait(&group);
	leat_group_release(&group);
	return r != 0;
}
