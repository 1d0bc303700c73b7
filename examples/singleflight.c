/* Singleflight: a hundred visitors ask for the same page, and it is made once. */
#include <stdatomic.h>
#include <stdio.h>
#include <leat/leat.h>

struct page {
	char text[32];
};

static atomic_int made, shared;

static int make_page(int *number, struct page *ret_page)
{
	atomic_fetch_add(&made, 1);
	snprintf(ret_page->text, sizeof(ret_page->text), "page %d", *number);
	return leat_sleep(50 * LEAT_MS); // Simulate work
}

LEAT_TASK_ERR(visit, (leat_flight(struct page), pages), (int, number))
{
	bool with_others = false;
	struct page page;
	int r = leat_flight_do_shared(pages, "front", make_page, &number, &page, leat_in(LEAT_S),
				      &with_others);

	if (r == 0 && with_others)
		atomic_fetch_add(&shared, 1);
	return r;
}

LEAT_MAIN()
{
	leat_flight(struct page) pages;
	leat_group visitors;
	int r;

	if (leat_flight_make(&pages, .name = "pages") < 0)
		return 1;
	leat_group_init(&visitors, NULL);
	for (int i = 0; i < 100; i++)
		leat_go_in(&visitors, visit, pages, 1);
	r = leat_group_wait(&visitors);
	leat_group_release(&visitors);
	printf("%d visitors, made %d time\n", (int)shared, (int)made);
	leat_flight_destroy(pages);
	return r < 0;
}
