/*
 * The simulated disk against the kernel's: the same random calls, in a directory of either,
 * must have the same results.
 */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <leat/file.h>
#include <leat/sim.h>

#include "test.h"

enum { CALLS = 400, HANDLES = 4, SEEDS = 100 };

struct run {
	uint64_t random;	/* the same in both */
	bool simulated;
	leat_io io[HANDLES];
	bool open[HANDLES];
	int n;
	struct step {
		const char *call, *path, *to;
		int arg;
		int64_t result;
		uint64_t hash;	/* of what was read */
	} step[CALLS];
};

static char base[] = "/tmp/leat-disk-XXXXXX";

static uint64_t below(struct run *run, uint64_t n)
{
	run->random = run->random * 6364136223846793005u + 1442695040888963407u;
	return (run->random >> 33) % n;
}

static const char *in_base(const char *name)
{
	static char path[2][128];
	static int next;
	char *p = path[next++ % 2];

	snprintf(p, sizeof(path[0]), "%s/%s", base, name);
	return p;
}

/* x and y are directories at first; k and k/m always. */
static const char *const names[] = { "a", "b", "k/a", "k/m/a", "k/m/b", "x", "y", "k/../b/",
				     "k", "k/m", "./k/.", "" };
enum { NAMES = sizeof(names) / sizeof(names[0]), MOVABLE = 8 };

static uint64_t hash_of(const char *bytes, size_t n)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
	return hash;
}

static void call_open(struct run *run, struct step *step)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDWR };
	static const int flags[] = { 0, O_CREAT, O_CREAT, O_CREAT | O_EXCL, O_CREAT | O_TRUNC,
				     O_TRUNC, O_CREAT | O_APPEND, O_APPEND, O_DIRECTORY };
	uint64_t i = below(run, HANDLES);

	step->call = "open";
	step->path = names[below(run, NAMES)];
	step->arg = modes[below(run, 4)] | flags[below(run, sizeof(flags) / sizeof(flags[0]))];
	if (run->open[i])
		CHECK_EQ(leat_io_close(run->io[i]), 0);
	step->result = leat_open(&run->io[i], in_base(step->path), step->arg, 0600, LEAT_FOREVER);
	run->open[i] = step->result == 0;
}

static void call_handle(struct run *run, struct step *step)
{
	static const char *const calls[] = { "read", "write", "pread", "pwrite", "fsync", "close" };
	uint64_t what = below(run, 6), i = below(run, HANDLES), n = below(run, 40);
	int64_t at = (int64_t)below(run, 50);
	char buf[40];

	step->call = calls[what];
	step->arg = (int)i;
	if (!run->open[i])
		return;
	for (size_t k = 0; k < sizeof(buf); k++)
		buf[k] = (char)below(run, 256);
	switch (what) {
	case 0:
		step->result = leat_read(run->io[i], buf, n, LEAT_FOREVER);
		break;
	case 1:
		step->result = leat_write(run->io[i], buf, n, LEAT_FOREVER);
		break;
	case 2:
		step->result = leat_pread(run->io[i], buf, n, at, LEAT_FOREVER);
		break;
	case 3:
		step->result = leat_pwrite(run->io[i], buf, n, at, LEAT_FOREVER);
		break;
	case 4:
		step->result = leat_fsync(run->io[i], LEAT_FOREVER);
		break;
	default:
		step->result = leat_io_close(run->io[i]);
		run->open[i] = false;
	}
	step->hash = hash_of(buf, sizeof(buf));
}

/* The entries in any order. */
static void call_list(struct run *run, struct step *step)
{
	leat_dir_entry entry;
	leat_dir *dir;

	step->call = "list";
	step->path = names[below(run, NAMES)];
	step->result = leat_dir_open(&dir, in_base(step->path), LEAT_FOREVER);
	if (step->result < 0)
		return;
	while (leat_dir_next(dir, &entry, LEAT_FOREVER) == 1) {
		step->hash += hash_of(entry.name, strlen(entry.name)) ^ entry.type;
		step->result++;
	}
	leat_dir_close(dir);
}

static void make_call(struct run *run, struct step *step)
{
	switch (below(run, 8)) {
	case 0:
		step->call = "rename";
		step->path = names[below(run, MOVABLE)];
		step->to = names[below(run, NAMES)];
		step->result = leat_rename(in_base(step->path), in_base(step->to), LEAT_FOREVER);
		break;
	case 1:
		step->call = "unlink";
		step->path = names[below(run, NAMES)];
		step->result = leat_unlink(in_base(step->path), LEAT_FOREVER);
		break;
	case 2:
		call_list(run, step);
		break;
	case 3:
	case 4:
		call_open(run, step);
		break;
	default:
		call_handle(run, step);
	}
}

/* x with a file in it, k/m and y empty. */
static void make_dirs(bool simulated)
{
	static const char *const dirs[] = { "", "x", "y", "k", "k/m" };
	leat_io io;

	for (size_t i = 0; !simulated && i < sizeof(dirs) / sizeof(dirs[0]); i++)
		REQUIRE(mkdir(in_base(dirs[i]), 0700) == 0 || i == 0);
	for (size_t i = 0; simulated && i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		char name[16];

		snprintf(name, sizeof(name), "%s/f", dirs[i]);
		REQUIRE(leat_open(&io, in_base(name), O_CREAT | O_WRONLY, 0600, LEAT_FOREVER) == 0);
		CHECK_EQ(leat_io_close(io), 0);
		CHECK_EQ(leat_unlink(in_base(name), LEAT_FOREVER), 0);
	}
	REQUIRE(leat_open(&io, in_base("x/f"), O_CREAT | O_WRONLY, 0600, LEAT_FOREVER) == 0);
	CHECK_EQ(leat_io_close(io), 0);
}

static int make_calls(void *arg)
{
	struct run *run = arg;

	CHECK_EQ(leat_sim_disk_set(LEAT_SIM_DISK(.latency_max = LEAT_MS)), 0);
	make_dirs(run->simulated);
	for (run->n = 0; run->n < CALLS; run->n++)
		make_call(run, &run->step[run->n]);
	for (int i = 0; i < HANDLES; i++)
		if (run->open[i])
			CHECK_EQ(leat_io_close(run->io[i]), 0);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void compare(uint64_t seed)
{
	struct run *real = calloc(1, sizeof(*real)), *simulated = calloc(1, sizeof(*simulated));

	REQUIRE(real && simulated && mkdtemp(base));
	real->random = simulated->random = seed;
	simulated->simulated = true;
	CHECK_EQ(leat_run(LEAT_OPTIONS(.workers = 1), make_calls, real), 0);
	CHECK_EQ(nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	CHECK_EQ(leat_run(LEAT_OPTIONS(.sim_seed = seed), make_calls, simulated), 0);
	for (int i = 0; i < CALLS; i++) {
		const struct step *a = &real->step[i], *b = &simulated->step[i];

		if (a->result == b->result && a->hash == b->hash)
			continue;
		fprintf(stderr, "seed %llu, call %d, %s %s %s %#x: %lld of the kernel, %lld simulated\n",
			(unsigned long long)seed, i, a->call, a->path ? a->path : "",
			a->to ? a->to : "", (unsigned)a->arg, (long long)a->result,
			(long long)b->result);
		CHECK_EQ(b->result, a->result);
		CHECK(b->hash == a->hash);
		break;
	}
	free(real);
	free(simulated);
}

TEST_PLAIN(same_results)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		memcpy(base + sizeof(base) - 7, "XXXXXX", 6);
		compare(seed);
	}
}
