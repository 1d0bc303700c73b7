/* Photos are read, made small on all cores, and stored in order; a damaged one is reported. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <leat/leat.h>

enum { PHOTOS = 60, SIDE = 64, DOTS = 16 };
static unsigned char photo[PHOTOS + 1][SIDE][SIDE];

struct thumbnail {
	int number;
	char dot[DOTS + 1];
};

struct row {
	struct thumbnail *item;
	size_t n;
};

static int read_photo(int *last, int *ret_number)
{
	int n = ++*last;

	for (int y = 0; y < SIDE && n <= PHOTOS; y++)
		memset(photo[n][y], n * y % 256, SIDE); // Simulate a view
	*ret_number = n;
	return n > PHOTOS ? LEAT_ECLOSED : 0;
}

static int shrink(int *number, struct thumbnail *ret_small)
{
	double light[DOTS] = { 0 };

	*ret_small = (struct thumbnail){ .number = *number };
	for (int y = 0; y < SIDE; y++)
		for (int x = 0; x < SIDE; x++)
			light[y * DOTS / SIDE] += pow(photo[*number][y][x] / 256.0, 2.2);
	for (int i = 0; i < DOTS; i++)
		ret_small->dot[i] = " .:-=+*#%@"[(int)(light[i] * 10 * DOTS / (SIDE * SIDE))];
	return *number == 13 ? -EBADMSG : 0;
}

static void report(int *number, int error)
{
	printf("photo %d: %s\n", *number, leat_strerror(error));
}

static int store(struct row *row)
{
	char line[128] = ""; // Printed at once: report prints, too

	for (size_t i = 0, at = 0; i < row->n; i++, at = strlen(line))
		snprintf(line + at, sizeof(line) - at, "%2d %s ", row->item[i].number,
			 row->item[i].dot);
	return puts(line) < 0 ? -EIO : 0;
}

LEAT_MAIN()
{
	leat_flow(struct thumbnail) dots;
	leat_flow(struct row) rows;
	leat_flow(int) photos;
	leat_pipeline *p;
	char text[1024];
	int last = 0;

	if (leat_pipeline_make(&p, .live = 32) < 0)
		return 1;
	leat_pipeline_source(p, &photos, &last, read_photo, .name = "read");
	leat_pipeline_map(p, photos, &dots, shrink, .name = "shrink", .mode = LEAT_STAGE_ORDERED,
			  .workers = leat_workers(), .window = 16, .buffer = 4,
			  .on_error = LEAT_ERROR_COUNT, .failed = LEAT_STAGE_FAILED(int, report));
	leat_pipeline_batch(p, dots, &rows, .name = "row", .buffer = 9, .items = 5, .wait = LEAT_S);
	leat_pipeline_sink(p, rows, store, .name = "store", .mode = LEAT_STAGE_SERIAL,
			   .on_error = LEAT_ERROR_STOP);
	if (leat_pipeline_run(p) == 0 && leat_pipeline_explain(p, text, sizeof(text)) > 0)
		printf("%s", text);
	return leat_pipeline_destroy(p, NULL) < 0;
}
