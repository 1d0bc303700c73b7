/*
 * A pipeline as in production: images are read, made small by four workers at once, put back in
 * order, and stored in batches.  One fails, and is reported; at the end the pipeline
 * says where everything went, and which stage to widen.
 */
#include <stdio.h>
#include <leat/leat.h>

struct album {
	int next, last;
};

struct batch {
	int *item;
	size_t n;
};

static int read_image(struct album *album, int *ret_image)
{
	if (album->next > album->last)
		return LEAT_ECLOSED;
	*ret_image = album->next++;
	return 0;
}

static int make_small(int *image, int *ret_small)
{
	if (*image == 13)
		return -EIO;
	*ret_small = *image;
	return leat_sleep((8 + *image % 5) * LEAT_MS); // Simulate work
}

static void report(int *image, int error)
{
	printf("image %d: %s\n", *image, leat_strerror(error));
}

static int store(struct batch *batch)
{
	printf("stored %d to %d\n", batch->item[0], batch->item[batch->n - 1]);
	return leat_sleep(LEAT_MS);
}

LEAT_MAIN()
{
	struct album album = { 1, 60 };
	leat_ledger ledger = { .size = sizeof(ledger) };
	leat_flow(struct batch) batches;
	leat_flow(int) images, small;
	leat_pipeline *p;
	char text[1024];
	int r;

	r = leat_pipeline_make(&p, .live = 32);
	leat_pipeline_source(p, &images, &album, read_image, .name = "read");
	leat_pipeline_map(p, images, &small, make_small, .name = "make small",
			  .mode = LEAT_STAGE_ORDERED, .workers = 4, .window = 16,
			  .on_error = LEAT_ERROR_COUNT, .failed = LEAT_STAGE_FAILED(int, report));
	leat_pipeline_batch(p, small, &batches, .name = "batch", .items = 10, .wait = LEAT_S);
	leat_pipeline_sink(p, batches, store, .name = "store", .mode = LEAT_STAGE_SERIAL,
			   .on_error = LEAT_ERROR_STOP);
	r = leat_pipeline_run(p);

	leat_pipeline_explain(p, text, sizeof(text));
	printf("%s", text);
	leat_pipeline_destroy(p, &ledger);
	leat_ledger_format(&ledger, text, sizeof(text));
	printf("%s\n", text);
	return r < 0;
}
