/*
 * tool/journal.h: a file with any bytes is opened, and what it says of a job is what was written.
 *
 * The first byte says whether the rest is the file itself, or changes to a good one of JOBS jobs:
 * numbers of two bytes and a byte to put there, and in the end the size to which it is cut.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include <leat/leat.h>

#include "journal.h"

enum { JOBS = 20, IMAGE_MAX = 4096, HEADER = 128 };

static const char *const command[] = { "true" };
static char directory[64], path[96];
static uint8_t image[IMAGE_MAX];
static size_t image_size;

static enum journal_state written_state(int job)
{
	return job % 3 == 0 ? JOURNAL_FAILED : JOURNAL_DONE;
}

static enum journal_state key_of(struct journal *j, int job, struct journal_key *ret)
{
	enum journal_state state;
	char line[16];
	struct record record = { line, 0 };

	record.n = (size_t)snprintf(line, sizeof(line), "job %d", job);
	FUZZ_CHECK(journal_key(j, &record, 1, ret, &state) == 0);
	return state;
}

static void clean_up(void)
{
	unlink(path);
	rmdir(directory);
}

static void make_image(void)
{
	struct journal_key key;
	struct journal *j;
	char why[300];
	int fd;

	snprintf(directory, sizeof(directory), "%s/leat-fuzz-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	FUZZ_CHECK(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/journal", directory);
	atexit(clean_up);
	FUZZ_CHECK(journal_open(&j, path, JOURNAL_NEW, false, command, 1, why, sizeof(why)) == 0);
	for (int job = 0; job < JOBS; job++) {
		key_of(j, job, &key);
		FUZZ_CHECK(journal_add(j, &key, written_state(job)) == 0);
	}
	FUZZ_CHECK(journal_close(j) == 0);
	fd = open(path, O_RDONLY);
	image_size = (size_t)read(fd, image, sizeof(image));
	FUZZ_CHECK(image_size > 0 && image_size < sizeof(image));
	close(fd);
}

static void write_file(const uint8_t *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	FUZZ_CHECK(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
	close(fd);
}

/* The good file with the changes; whether its header is another one. */
static bool write_changed(struct input *in)
{
	static uint8_t changed[IMAGE_MAX];
	size_t size = image_size;

	memcpy(changed, image, sizeof(changed));
	while (in->size >= 3) {
		size_t at = take_byte(in);

		at = (at << 8 | take_byte(in)) % sizeof(changed);
		changed[at] = take_byte(in);
		if (at >= size)
			size = at + 1;
	}
	if (in->size > 0)
		size -= (size_t)take_byte(in) * 4 % size;
	write_file(changed, size);
	return memcmp(changed, image, HEADER) != 0;
}

static int open_again(struct journal **ret)
{
	char why[300] = "";
	int r = journal_open(ret, path, JOURNAL_RESUME, false, command, 1, why, sizeof(why));

	FUZZ_CHECK(r == 0 || *why);
	return r;
}

/* Nothing is believed but what was written; nothing at all with a header that was not. */
static void check_states(struct journal *j, bool believable, enum journal_state *ret_states)
{
	uint64_t known = 0, done, failed, bad;
	struct journal_key key;

	for (int job = 0; job < JOBS; job++) {
		ret_states[job] = key_of(j, job, &key);
		FUZZ_CHECK(ret_states[job] == JOURNAL_UNKNOWN ||
			   ret_states[job] == written_state(job));
		known += ret_states[job] != JOURNAL_UNKNOWN;
	}
	journal_counts(j, &done, &failed, &bad);
	FUZZ_CHECK(done + failed == known);
	FUZZ_CHECK(known == 0 || believable);
	FUZZ_CHECK(key_of(j, JOBS, &key) == JOURNAL_UNKNOWN);
	FUZZ_CHECK(journal_add(j, &key, JOURNAL_DONE) == 0);
}

/* What was believed still is when one more was added, and that one is. */
static void check_next(const enum journal_state *states)
{
	struct journal_key key;
	struct journal *j;

	FUZZ_CHECK(open_again(&j) == 0);
	for (int job = 0; job < JOBS; job++)
		FUZZ_CHECK(key_of(j, job, &key) == states[job]);
	FUZZ_CHECK(key_of(j, JOBS, &key) == JOURNAL_DONE);
	FUZZ_CHECK(journal_close(j) == 0);
}

/* The main task: the journal is of tasks. */
static int fuzz(void *arg)
{
	struct input *in = arg;
	enum journal_state states[JOBS];
	bool believable = false;
	struct journal *j;

	if (!image_size)
		make_image();
	if (take_byte(in) % 4 == 0)
		write_file(in->data, in->size);
	else
		believable = !write_changed(in);
	if (open_again(&j) == 0) {
		check_states(j, believable, states);
		FUZZ_CHECK(journal_close(j) == 0);
		check_next(states);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	FUZZ_CHECK(leat_run(LEAT_OPTIONS(.workers = 1), fuzz, &in) == 0);
	return 0;
}
