/*
 * A pool for work that needs the CPU: the checksums (CRC-32) of a file's blocks, as many at once as
 * there are cores, in their order; then where the workers' time went.
 *
 * usage: checksums [FILE]	(without one: of this program)
 */
#include <stdio.h>
#include <leat/leat.h>

enum { BLOCK = 16 * 1024, BLOCKS = 4096 };

struct block {
	size_t at, size;
	uint32_t sum;
};

static unsigned char bytes[BLOCK * BLOCKS];

static int load(const char *path)
{
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file)
		return -leat_errno();
	size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	return (int)size;
}

static int checksum(struct block *block, struct block *ret_block)
{
	uint32_t sum = ~0u;

	for (size_t i = block->at; i < block->at + block->size; i++) {
		sum ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ (sum & 1 ? 0xedb88320 : 0);
	}
	*ret_block = (struct block){ block->at, block->size, ~sum };
	return 0;
}

LEAT_TASK(submit_blocks, (leat_pool(struct block), pool), (size_t, size))
{
	struct block block = { 0 };

	for (; block.at < size; block.at += BLOCK) {
		block.size = size - block.at < BLOCK ? size - block.at : BLOCK;
		if (leat_pool_submit(pool, block) < 0)
			break;
	}
	leat_pool_close(pool);
}

LEAT_MAIN(int argc, char **argv)
{
	leat_chan(struct block) sums = leat_chan_make(struct block, 64);
	const char *path = argc > 1 ? argv[1] : argv[0];
	leat_stage_stats stats = { .size = sizeof(stats) };
	leat_pool(struct block) pool;
	int size = leat_blocking_call(load, path);
	char text[1024];

	if (size < 0 ||
	    leat_pool_make_to(&pool, sums, checksum, .workers = leat_workers(), .queue = 64,
			      .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_STOP,
			      .order = LEAT_POOL_AS_SUBMITTED, .window = 64, .name = "sum") < 0)
		return 1;
	leat_go(submit_blocks, pool, (size_t)size);
	leat_range(block, sums)
		printf("%08zx %08x\n", block.at, (unsigned)block.sum);
	leat_pool_stats(pool, &stats);
	leat_stage_explain(&stats, 1, text, sizeof(text));
	printf("%s", text);
	leat_pool_destroy(pool, NULL);
	leat_chan_unref(sums);
	return 0;
}
