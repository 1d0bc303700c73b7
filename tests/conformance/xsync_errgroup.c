/*
 * The cases of golang.org/x/sync/errgroup's tests, for leat/group.h.
 *
 * A zero errgroup.Group, which cancels nothing, is a LEAT_JOIN_ALL_DONE group; one
 * from WithContext is LEAT_JOIN_ALL_SUCCEED.  Go's SetLimit(0), nothing may
 * start, is a negative limit here, because 0 is "no limit" in the options.
 */
#include "test.h"

enum { NAMES_MAX = 3 };

struct table {
	int n;
	int returns[NAMES_MAX];	/* what the tasks return, in the order of their spawns */
	int want;
};

LEAT_TASK_ERR(give_back, (int, result))
{
	return result;
}

/* TestZeroGroup: after each task and wait, the first error so far. */
TEST_BOTH(zero_group, 20)
{
	static const struct table cases[] = {
		{ 0 },
		{ 1, { 0 } },
		{ 1, { -EIO } },
		{ 2, { -EIO, 0 } },
		{ 3, { -EIO, 0, -EDOM } },
	};

	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		const leat_group_options *isolate = LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE);
		leat_group group;
		int first = 0;

		REQUIRE(leat_group_init(&group, isolate) == 0);
		for (int i = 0; i < cases[c].n; i++) {
			CHECK_EQ(leat_go_in(&group, give_back, cases[c].returns[i]), 0);
			if (first == 0)
				first = cases[c].returns[i];
			CHECK_EQ(leat_group_wait(&group), first);
			CHECK(!leat_group_is_cancelled(&group));
		}
		CHECK_EQ(leat_group_wait(&group), first);
		leat_group_release(&group);
	}
}

static const struct table doomed[] = {
	{ 0, { 0 }, 0 },
	{ 1, { 0 }, 0 },
	{ 1, { -EIO }, -EIO },
	{ 2, { -EIO, 0 }, -EIO },
};

/*
 * TestWithContext: the wait gives the error, and the error has cancelled the group.
 * Unlike Go's context, a group without an error is not cancelled by the wait.
 */
TEST_BOTH(with_context, 20)
{
	for (size_t c = 0; c < sizeof(doomed) / sizeof(doomed[0]); c++) {
		leat_group group;
		int want = doomed[c].want;

		REQUIRE(leat_group_init(&group, NULL) == 0);
		for (int i = 0; i < doomed[c].n; i++) {
			int r = leat_go_in(&group, give_back, doomed[c].returns[i]);

			/* The first task may have failed already: then there is no second. */
			CHECK(r == 0 || (r == -ECANCELED && i > 0 && want != 0));
		}
		CHECK_EQ(leat_group_wait(&group), want);
		CHECK_EQ(leat_group_is_cancelled(&group), want != 0);
		CHECK_EQ(leat_go_in(&group, give_back, 0), want ? -ECANCELED : 0);
		CHECK_EQ(leat_group_wait(&group), want);
		leat_group_release(&group);
	}
}

/* TestCancelCause: spawns that do not block; the cause is the first error. */
TEST_BOTH(cancel_cause, 20)
{
	for (size_t c = 0; c < sizeof(doomed) / sizeof(doomed[0]); c++) {
		const char *name = "";
		leat_group group;
		int want = doomed[c].want;

		REQUIRE(leat_group_init(&group, NULL) == 0);
		for (int i = 0; i < doomed[c].n; i++) {
			int r = leat_go_with(&group, LEAT_TASK_OPTIONS(.try_only = true),
					     give_back, doomed[c].returns[i]);

			CHECK(r == 0 || (r == -ECANCELED && i > 0 && want != 0));
		}
		CHECK_EQ(leat_group_wait(&group), want);
		CHECK_EQ(leat_group_error(&group, &name), want);
		if (want)
			CHECK_STR(name, "give_back");
		leat_group_release(&group);
	}
}

LEAT_TASK(send_one, (leat_chan(int), chan))
{
	CHECK_EQ(leat_send(chan, 1), 0);
}

LEAT_TASK(receive_n, (leat_chan(int), chan), (int, n))
{
	int value;

	for (int i = 0; i < n; i++)
		CHECK_EQ(leat_recv(chan, &value), 0);
}

/* Lets n tasks that block in send_one go on, and waits for all of the group. */
static int wait_and_receive(leat_group *group, leat_chan(int) chan, int n)
{
	leat_group receivers;
	int r;

	REQUIRE(leat_group_init(&receivers, NULL) == 0);
	CHECK_EQ(leat_go_in(&receivers, receive_n, chan, n), 0);
	r = leat_group_wait(group);
	CHECK_EQ(leat_group_wait(&receivers), 0);
	leat_group_release(&receivers);
	return r;
}

/* One task that blocks until somebody receives, if the limit allows it now. */
static int try_go(leat_group *group, leat_chan(int) chan)
{
	return leat_go_with(group, LEAT_TASK_OPTIONS(.try_only = true), send_one, chan);
}

/* TestTryGo: 42 start, the 43rd does not; then with limits 42, 1 and none at all. */
TEST_BOTH(try_go, 20)
{
	leat_chan(int) chan = leat_chan_make(int, 0);
	enum { LIMIT = 42, TRIES = 1024 };
	leat_group group;

	REQUIRE(leat_group_init(&group, LEAT_GROUP_OPTIONS(.limit = LIMIT)) == 0);
	for (int i = 0; i < LIMIT; i++)
		CHECK_EQ(try_go(&group, chan), 0);
	CHECK_EQ(try_go(&group, chan), -EAGAIN);
	CHECK_EQ(leat_group_live(&group), LIMIT);
	CHECK_EQ(wait_and_receive(&group, chan, LIMIT), 0);

	CHECK_EQ(try_go(&group, chan), 0);
	CHECK_EQ(wait_and_receive(&group, chan, 1), 0);

	leat_group_set_limit(&group, 1);
	CHECK_EQ(try_go(&group, chan), 0);
	CHECK_EQ(try_go(&group, chan), -EAGAIN);
	CHECK_EQ(wait_and_receive(&group, chan, 1), 0);

	leat_group_set_limit(&group, -1);
	for (int i = 0; i < TRIES; i++)
		CHECK_EQ(try_go(&group, chan), -EAGAIN);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	leat_chan_unref(chan);
}

struct activity {
	int active;
	int ran;
	int limit;
};

LEAT_TASK_ERR(be_active, (struct activity *, activity))
{
	int active = __atomic_add_fetch(&activity->active, 1, __ATOMIC_RELAXED);

	leat_yield();		/* gives the others a chance to be active, too */
	__atomic_sub_fetch(&activity->active, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&activity->ran, 1, __ATOMIC_RELAXED);
	return active > activity->limit ? -EOVERFLOW : 0;
}

/* TestGoLimit: of 1,025 tasks never more than 10 at once, and all of them run. */
TEST_BOTH(go_limit, 10)
{
	enum { LIMIT = 10, TASKS = 1025 };
	struct activity activity = { .limit = LIMIT };
	leat_group group;

	REQUIRE(leat_group_init(&group, LEAT_GROUP_OPTIONS(.limit = LIMIT)) == 0);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(leat_go_in(&group, be_active, &activity), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	CHECK_EQ(activity.ran, TASKS);
	CHECK_EQ(activity.active, 0);
	leat_group_release(&group);
}

/* ExampleGroup_justErrors, with hosts of our own instead of the network. */
LEAT_TASK_ERR(fetch, (const char *, host), (int *, fetched))
{
	leat_yield();
	if (strcmp(host, "nowhere.invalid") == 0)
		return -EHOSTUNREACH;
	__atomic_add_fetch(fetched, 1, __ATOMIC_RELAXED);
	return 0;
}

TEST_BOTH(example_just_errors, 20)
{
	static const char *const hosts[] = { "a.test", "b.test", "nowhere.invalid" };
	int fetched = 0;
	leat_group group;

	REQUIRE(leat_group_init(&group, LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE)) == 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&group, fetch, hosts[i], &fetched), 0);
	CHECK_EQ(leat_group_wait(&group), -EHOSTUNREACH);
	CHECK_EQ(fetched, 2);
	leat_group_release(&group);
}

/* ExampleGroup_parallel: three searches at once, answers in the order of the questions. */
struct answer {
	char text[48];
};

LEAT_TASK_ERR(look_up, (const char *, kind), (const char *, query))
{
	struct answer *answer = leat_group_result_slot();

	leat_yield();
	snprintf(answer->text, sizeof(answer->text), "%s result for \"%s\"", kind, query);
	return 0;
}

TEST_BOTH(example_parallel, 20)
{
	static const char *const kinds[] = { "web", "image", "video" };
	const leat_group_options *with_results =
		LEAT_GROUP_OPTIONS(.result_size = sizeof(struct answer));
	struct answer answers[4];
	leat_group group;

	REQUIRE(leat_group_init(&group, with_results) == 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(leat_go_in(&group, look_up, kinds[i], "water"), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	REQUIRE(leat_results(&group, answers, 4) == 3);
	CHECK_STR(answers[0].text, "web result for \"water\"");
	CHECK_STR(answers[1].text, "image result for \"water\"");
	CHECK_STR(answers[2].text, "video result for \"water\"");
	leat_group_release(&group);
}

/*
 * ExampleGroup_pipeline: one task walks a tree, 20 digest its files, the caller
 * collects; somebody else waits for them all and closes the channel.  The files
 * are the numbers below FILES; one of them may be unreadable.
 */
enum { FILES = 200, DIGESTERS = 20 };

struct digest {
	int file;
	uint64_t sum;
};

static uint64_t digest_of(int file)
{
	uint64_t sum = 14695981039346656037u;

	for (int i = 0; i < 4; i++)
		sum = (sum ^ ((unsigned)file >> (8 * i) & 0xff)) * 1099511628211u;
	return sum;
}

LEAT_TASK_ERR(walk, (leat_chan(int), files))
{
	int r = 0;

	for (int i = 0; i < FILES && r == 0; i++)
		r = leat_send(files, i);
	leat_close(files);
	return r;
}

LEAT_TASK_ERR(digest_files, (leat_chan(int), files), (leat_chan(struct digest), digests),
	      (int, unreadable))
{
	int file;
	int r;

	while ((r = leat_recv(files, &file)) == 0) {
		if (file == unreadable)
			return -EACCES;
		r = leat_send(digests, ((struct digest){ file, digest_of(file) }));
		if (r != 0)
			return r;
	}
	return r == LEAT_ECLOSED ? 0 : r;
}

LEAT_TASK(close_when_done, (leat_group *, group), (leat_chan(struct digest), digests))
{
	leat_group_wait(group);
	leat_close(digests);
}

/* Returns the group's error; *ret_n is how many digests came, each one right. */
static int digest_all(int unreadable, int *ret_n)
{
	leat_chan(struct digest) digests = leat_chan_make(struct digest, 0);
	leat_chan(int) files = leat_chan_make(int, 0);
	leat_group closer;
	leat_group group;
	bool seen[FILES] = { false };
	int r;

	/* Shared: the closer's wait must not wait for the owner's, which comes after it. */
	REQUIRE(leat_group_init(&group, LEAT_GROUP_OPTIONS(.shared = true)) == 0);
	REQUIRE(leat_group_init(&closer, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, walk, files), 0);
	for (int i = 0; i < DIGESTERS; i++) {
		r = leat_go_in(&group, digest_files, files, digests, unreadable);
		CHECK(r == 0 || (r == -ECANCELED && unreadable >= 0));
	}
	CHECK_EQ(leat_go_in(&closer, close_when_done, &group, digests), 0);
	*ret_n = 0;
	leat_range(d, digests) {
		CHECK(d.sum == digest_of(d.file) && !seen[d.file]);
		seen[d.file] = true;
		++*ret_n;
	}
	r = leat_group_wait(&group);
	CHECK_EQ(leat_group_wait(&closer), 0);
	leat_group_release(&closer);
	leat_group_release(&group);
	leat_chan_unref(files);
	leat_chan_unref(digests);
	return r;
}

TEST_BOTH(example_pipeline, 10)
{
	int n;

	CHECK_EQ(digest_all(-1, &n), 0);
	CHECK_EQ(n, FILES);
	CHECK_EQ(digest_all(FILES / 2, &n), -EACCES);
	CHECK(n < FILES);
}
