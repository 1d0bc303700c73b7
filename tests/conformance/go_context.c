/*
 * The cases of Go's context tests (context_test.go, x_test.go), for groups.
 *
 * A context is a group here, WithCancel a group with a parent, WithTimeout one
 * with a deadline, WithoutCancel one detached from cancel; Background is the
 * root group, Done a blocking call in a task of the group, Cause the group's
 * error.  What AfterFunc does is a task that waits for the cancel, below.
 */
#include "test.h"

#define SHORT LEAT_MS
#define VERY_LONG (1000 * 3600 * LEAT_S)

enum {
	PARENT_CAUSE = -EXDEV,
	CHILD_CAUSE = -EDOM,
	FINISHED_EARLY = -EALREADY,
};

static void make(leat_group *group, leat_group *parent)
{
	REQUIRE(leat_group_init(group, LEAT_GROUP_OPTIONS(.parent = parent)) == 0);
}

static void make_until(leat_group *group, leat_group *parent, int64_t deadline)
{
	const leat_group_options *options =
		LEAT_GROUP_OPTIONS(.parent = parent, .deadline = deadline);

	REQUIRE(leat_group_init(group, options) == 0);
}

/* Waits for the group's tasks and ends it; its error. */
static int finish(leat_group *group)
{
	int r = leat_group_wait(group);

	leat_group_release(group);
	return r;
}

/* <-ctx.Done(): a blocking call that only a cancel ends. */
static int wait_for_cancel(void)
{
	leat_chan(int) never = NULL;
	int ignored;

	return leat_select(leat_case_recv(never, &ignored));
}

LEAT_TASK_ERR(until_done)
{
	int r = wait_for_cancel();

	CHECK_EQ(r, -ECANCELED);
	CHECK(leat_cancelled());
	return r;
}

LEAT_TASK(cancel, (leat_group *, group), (int, cause))
{
	leat_group_cancel(group, cause);
}

LEAT_TASK_ERR(succeed)
{
	return 0;
}

static bool is_done(leat_group *group, int cause)
{
	return leat_group_is_cancelled(group) && leat_group_error(group, NULL) == cause;
}

static bool is_alive(leat_group *group)
{
	return !leat_group_is_cancelled(group) && leat_group_error(group, NULL) == 0;
}

/* TestBackground, TestTODO */
TEST_BOTH(background, 2)
{
	leat_group *root = leat_group_root();

	CHECK(root != NULL);
	CHECK(leat_group_current() == root);
	CHECK(is_alive(root));
	CHECK(!leat_cancelled());
}

/*
 * context.AfterFunc: runs work once group is cancelled, unless stopped before.
 * after_end() joins the task.
 */
struct after {
	leat_group tasks;	/* below the group */
	leat_group now;		/* not below it: for a group that is cancelled already */
	leat_chan(int) stop;	/* closed by after_stop() */
	leat_chan(int) called;	/* gets one element when the work is done */
	int state;		/* atomic: 0, STOPPED or CALLED */
};

enum { STOPPED = 1, CALLED = 2 };

static bool after_claim(struct after *after, int state)
{
	int expected = 0;

	return __atomic_compare_exchange_n(&after->state, &expected, state, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static void after_work(struct after *after)
{
	leat_shield_begin();
	if (after_claim(after, CALLED))
		CHECK_EQ(leat_send(after->called, 1), 0);
	leat_shield_end();
}

LEAT_TASK(watch, (struct after *, after))
{
	int ignored;

	if (leat_select(leat_case_recv(after->stop, &ignored)) == -ECANCELED)
		after_work(after);
}

LEAT_TASK(work_now, (struct after *, after))
{
	after_work(after);
}

/* called_cap 0: the work blocks until somebody receives from called. */
static void after_func(struct after *after, leat_group *group, size_t called_cap)
{
	int r;

	after->stop = leat_chan_make(int, 0);
	after->called = leat_chan_make(int, called_cap);
	after->state = 0;
	make(&after->tasks, group);
	make(&after->now, leat_group_root());
	r = leat_go_in(&after->tasks, watch, after);
	if (r == -ECANCELED)	/* the group is cancelled already: at once */
		r = leat_go_in(&after->now, work_now, after);
	CHECK_EQ(r, 0);
}

static bool after_stop(struct after *after)
{
	bool stopped = after_claim(after, STOPPED);

	if (stopped)
		leat_close(after->stop);
	return stopped;
}

static void after_end(struct after *after)
{
	finish(&after->tasks);
	CHECK_EQ(finish(&after->now), 0);
	leat_chan_unref(after->stop);
	leat_chan_unref(after->called);
}

/* TestParentFinishesChild */
TEST_BOTH(parent_finishes_child, 100)
{
	leat_group parent, cancel_child, value_child, timer_child, late_child;
	struct after after;
	int ignored;

	make(&parent, NULL);
	make(&cancel_child, &parent);
	make(&value_child, &parent);
	make_until(&timer_child, &value_child, leat_in(VERY_LONG));
	after_func(&after, &parent, 1);
	CHECK_EQ(leat_go_in(&parent, until_done), 0);
	CHECK_EQ(leat_go_in(&cancel_child, until_done), 0);
	CHECK_EQ(leat_go_in(&timer_child, until_done), 0);
	CHECK(is_alive(&parent) && is_alive(&cancel_child));
	CHECK(is_alive(&value_child) && is_alive(&timer_child));

	leat_group_cancel(&parent, 0);

	CHECK(is_done(&parent, -ECANCELED) && is_done(&cancel_child, -ECANCELED));
	CHECK(is_done(&value_child, -ECANCELED) && is_done(&timer_child, -ECANCELED));
	CHECK(is_alive(leat_group_root()));
	CHECK_EQ(leat_recv(after.called, &ignored), 0);

	make(&late_child, &parent);
	CHECK(is_done(&late_child, -ECANCELED));
	CHECK_EQ(leat_go_in(&late_child, succeed), -ECANCELED);

	after_end(&after);
	CHECK_EQ(finish(&late_child), -ECANCELED);
	CHECK_EQ(finish(&timer_child), -ECANCELED);
	CHECK_EQ(finish(&value_child), -ECANCELED);
	CHECK_EQ(finish(&cancel_child), -ECANCELED);
	CHECK_EQ(finish(&parent), -ECANCELED);
}

/*
 * True when the parent's cancel finds nothing left of a child that was
 * released: the child's memory, by then another's, is as it was left.
 */
static bool leaves_no_link(leat_group *parent, leat_group *child)
{
	unsigned char *bytes = (unsigned char *)child;
	bool untouched = true;

	memset(child, 0x5a, sizeof(*child));
	leat_group_cancel(parent, 0);
	for (size_t i = 0; i < sizeof(*child); i++)
		untouched = untouched && bytes[i] == 0x5a;
	return untouched;
}

static void child_finishes_first_of(leat_group *parent)
{
	leat_group child;

	make(&child, parent);
	CHECK(is_alive(&child));
	CHECK_EQ(leat_go_in(&child, until_done), 0);
	leat_group_cancel(&child, 0);
	CHECK(is_done(&child, -ECANCELED));
	CHECK_EQ(finish(&child), -ECANCELED);
	CHECK(is_alive(parent));
	if (parent == leat_group_root())
		return;
	CHECK_EQ(leat_go_in(parent, succeed), 0);
	CHECK_EQ(leat_group_wait(parent), 0);
	CHECK(leaves_no_link(parent, &child));
}

/* TestChildFinishesFirst: its parent lives on, and has forgotten it. */
TEST_BOTH(child_finishes_first, 20)
{
	leat_group parent;

	make(&parent, NULL);
	child_finishes_first_of(leat_group_root());
	child_finishes_first_of(&parent);
	CHECK_EQ(finish(&parent), -ECANCELED);
}

/* TestCancelRemoves: three kinds of children, each cancelled, leave no link behind. */
TEST_BOTH(cancel_removes, 20)
{
	leat_group parent, child;
	struct after after;

	make(&parent, NULL);
	make(&child, &parent);
	leat_group_cancel(&child, 0);
	CHECK_EQ(finish(&child), -ECANCELED);
	CHECK(leaves_no_link(&parent, &child));
	CHECK_EQ(finish(&parent), -ECANCELED);

	make(&parent, NULL);
	make_until(&child, &parent, leat_in(3600 * LEAT_S));
	leat_group_cancel(&child, 0);
	CHECK_EQ(finish(&child), -ECANCELED);
	CHECK(leaves_no_link(&parent, &child));
	CHECK_EQ(finish(&parent), -ECANCELED);

	make(&parent, NULL);
	after_func(&after, &parent, 1);
	CHECK(after_stop(&after));
	after_end(&after);
	CHECK(leaves_no_link(&parent, &after.tasks));
	CHECK_EQ(finish(&parent), -ECANCELED);
}

/* TestCustomContextGoroutines, the part without custom contexts: groups need no tasks. */
static uint64_t spawned(void)
{
	leat_stats stats = { .size = sizeof(stats) };

	CHECK_EQ(leat_stats_get(&stats), 0);
	return stats.spawned;
}

TEST_BOTH(groups_are_no_tasks, 5)
{
	leat_group outer, timed, inner, late;
	uint64_t before = spawned();

	make(&outer, NULL);
	make_until(&timed, &outer, leat_in(VERY_LONG));
	make(&inner, &timed);
	leat_group_cancel(&inner, 0);
	leat_group_cancel(&outer, 0);
	make(&late, &inner);
	finish(&late);
	finish(&inner);
	finish(&timed);
	finish(&outer);
	CHECK_EQ(spawned(), before);
}

/* TestWithCancel: alive, then done, at once and with what is below. */
TEST_BOTH(with_cancel, 20)
{
	leat_group first, second;

	make(&first, NULL);
	make(&second, &first);
	CHECK(is_alive(&first) && is_alive(&second));
	CHECK_EQ(leat_go_in(&second, until_done), 0);
	leat_group_cancel(&first, 0);
	CHECK(is_done(&first, -ECANCELED) && is_done(&second, -ECANCELED));
	CHECK_EQ(finish(&second), -ECANCELED);
	CHECK_EQ(finish(&first), -ECANCELED);
}

/* The group, whose own or parent's deadline comes soon, times out and not before. */
static void times_out(leat_group *group, int64_t deadline)
{
	int r = leat_go_in(group, until_done);

	CHECK(r == 0 || (r == -ECANCELED && leat_now() >= deadline));
	while (!leat_group_is_cancelled(group))
		leat_yield();
	CHECK(leat_now() >= deadline);
	CHECK(is_done(group, -ETIMEDOUT));
	CHECK_EQ(finish(group), -ETIMEDOUT);
}

/* TestDeadline */
TEST_BOTH(deadline, 10)
{
	leat_group outer, group;
	int64_t when;

	CHECK_EQ(leat_sleep(2 * SHORT), 0);	/* so that no past deadline is 0, "none" */

	when = leat_in(SHORT);
	make_until(&group, NULL, when);
	times_out(&group, when);

	when = leat_in(SHORT);
	make_until(&outer, NULL, when);
	make_until(&group, &outer, leat_in(VERY_LONG));
	times_out(&group, when);
	times_out(&outer, when);

	make_until(&group, NULL, leat_now() - SHORT);
	times_out(&group, leat_now() - SHORT);

	make_until(&group, NULL, leat_now());
	times_out(&group, 0);
}

/* TestTimeout: a shorter deadline below a longer one, too. */
TEST_BOTH(timeout, 10)
{
	leat_group outer, group;
	int64_t when = leat_in(SHORT);

	make_until(&outer, NULL, leat_in(VERY_LONG));
	make_until(&group, &outer, when);
	times_out(&group, when);
	CHECK(is_alive(&outer));
	CHECK_EQ(finish(&outer), 0);
}

/* TestCanceledTimeout: cancelled by hand, long before the deadline. */
TEST_BOTH(canceled_timeout, 20)
{
	leat_group outer, group;

	make_until(&outer, NULL, leat_in(VERY_LONG));
	make_until(&group, &outer, leat_in(VERY_LONG));
	CHECK_EQ(leat_go_in(&group, until_done), 0);
	leat_group_cancel(&group, 0);
	CHECK(is_done(&group, -ECANCELED));
	CHECK(is_alive(&outer));
	CHECK_EQ(finish(&group), -ECANCELED);
	CHECK_EQ(finish(&outer), 0);
}

/* TestAllocs: what a context costs there in allocations; a plain group costs none. */
struct count {
	int64_t allocs;
	int64_t bytes;
};

static void *count_alloc(void *ctx, size_t size, size_t align)
{
	struct count *count = ctx;
	void *ptr = NULL;

	if (posix_memalign(&ptr, align < sizeof(void *) ? sizeof(void *) : align, size) != 0)
		return NULL;
	__atomic_add_fetch(&count->allocs, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&count->bytes, (int64_t)size, __ATOMIC_RELAXED);
	return ptr;
}

static void count_release(void *ctx, void *ptr, size_t size)
{
	struct count *count = ctx;

	__atomic_sub_fetch(&count->bytes, (int64_t)size, __ATOMIC_RELAXED);
	free(ptr);
}

enum { ALLOC_RUNS = 100, TIMED_ALLOCS_MAX = 8 };

static int count_allocs(void *arg)
{
	struct count *count = arg;
	leat_group group;
	int64_t before = count->allocs;

	for (int i = 0; i < ALLOC_RUNS; i++) {
		make(&group, NULL);
		leat_group_cancel(&group, 0);
		CHECK_EQ(finish(&group), -ECANCELED);
	}
	CHECK_EQ(count->allocs, before);

	for (int i = 0; i < ALLOC_RUNS; i++) {
		make_until(&group, NULL, leat_in(5 * LEAT_S));
		leat_group_cancel(&group, 0);
		CHECK_EQ(finish(&group), -ECANCELED);
	}
	CHECK(count->allocs - before <= ALLOC_RUNS * TIMED_ALLOCS_MAX);
	return 0;
}

TEST_PLAIN(allocs)
{
	struct count count = { 0 };

	CHECK_EQ(leat_run(LEAT_OPTIONS(.workers = 1,
				       .allocator = { count_alloc, count_release, &count }),
			  count_allocs, &count), 0);
	CHECK_EQ(count.bytes, 0);
}

/* TestSimultaneousCancels: a tree of 101 groups, all cancelled at once, in random order. */
enum { NODES = 101, CHILDREN = 4 };

static void shuffle(int *order, int n)
{
	for (int i = 0; i < n; i++) {
		int j = (int)leat_random((uint64_t)i + 1);

		order[i] = order[j];
		order[j] = i;
	}
}

TEST_BOTH(simultaneous_cancels, 30)
{
	static leat_group nodes[NODES];
	leat_group cancellers;
	int order[NODES];

	make(&nodes[0], NULL);
	for (int i = 1; i < NODES; i++)
		make(&nodes[i], &nodes[(i - 1) / CHILDREN]);
	for (int i = 0; i < NODES; i++)
		CHECK_EQ(leat_go_in(&nodes[i], until_done), 0);
	shuffle(order, NODES);
	make(&cancellers, NULL);
	for (int i = 0; i < NODES; i++)
		CHECK_EQ(leat_go_in(&cancellers, cancel, &nodes[order[i]], 0), 0);
	shuffle(order, NODES);
	for (int i = 0; i < NODES; i++)
		CHECK_EQ(leat_group_wait(&nodes[order[i]]), -ECANCELED);
	CHECK_EQ(finish(&cancellers), 0);
	for (int i = NODES; i-- > 0;) {
		CHECK(is_done(&nodes[i], -ECANCELED));
		leat_group_release(&nodes[i]);
	}
}

/* TestInterlockedCancels: the parent's cancel makes another task cancel the child. */
LEAT_TASK(then_cancel, (leat_group *, child))
{
	CHECK_EQ(wait_for_cancel(), -ECANCELED);
	leat_group_cancel(child, 0);
}

TEST_BOTH(interlocked_cancels, 200)
{
	int rounds = leat_sim_seed() ? 1 : 200;

	for (int i = 0; i < rounds; i++) {
		leat_group parent, child;

		make(&parent, NULL);
		make(&child, &parent);
		CHECK_EQ(leat_go_in(&parent, then_cancel, &child), 0);
		CHECK_EQ(leat_go_in(&child, until_done), 0);
		leat_group_cancel(&parent, 0);
		CHECK_EQ(leat_group_wait(&child), -ECANCELED);
		CHECK_EQ(leat_group_wait(&parent), -ECANCELED);
		leat_group_release(&child);
		leat_group_release(&parent);
	}
}

/*
 * TestLayersCancel, TestLayersTimeout: 30 or more groups, one in another, of
 * random kinds.  Go's layers with a value are groups that nobody cancels.
 */
enum { LAYERS_MIN = 30, LAYERS_MAX = 200 };
enum layer_kind { LAYER_PLAIN, LAYER_CANCEL, LAYER_TIMEOUT };

struct layers {
	leat_group group[LAYERS_MAX];
	enum layer_kind kind[LAYERS_MAX];
	int n;
	int n_of[3];
	uint64_t seed;
	uint64_t random;
};

#define CHECK_LAYERS(layers, cond)                                            \
	do {                                                                  \
		if (!(cond))                                                  \
			test_fail(__FILE__, __LINE__, "%s (layers of seed %llu)", #cond, \
				  (unsigned long long)(layers)->seed);        \
	} while (0)

static int draw(struct layers *layers, int below)
{
	layers->random = layers->random * 6364136223846793005u + 1442695040888963407u;
	return (int)((layers->random >> 33) % (uint64_t)below);
}

static void make_layers(struct layers *layers, int64_t timeout)
{
	leat_group *parent = NULL;

	/* LEAT_TEST_LAYERS=seed makes the layers of a run that failed. */
	layers->seed = leat_sim_seed() ? leat_sim_seed() : (uint64_t)leat_now();
	if (getenv("LEAT_TEST_LAYERS"))
		layers->seed = strtoull(getenv("LEAT_TEST_LAYERS"), NULL, 0);
	layers->random = layers->seed;
	while (layers->n < LAYERS_MAX && (layers->n < LAYERS_MIN || !layers->n_of[0] ||
					  !layers->n_of[1] || !layers->n_of[2])) {
		enum layer_kind kind = (enum layer_kind)draw(layers, 3);
		leat_group *group = &layers->group[layers->n];

		if (kind == LAYER_TIMEOUT)
			make_until(group, parent, leat_in(timeout));
		else
			make(group, parent);
		layers->kind[layers->n++] = kind;
		layers->n_of[kind]++;
		parent = group;
	}
}

/* The groups from cut on are done, those above it are not. */
static void check_layers(struct layers *layers, int cut, int cause)
{
	for (int i = 0; i < layers->n; i++)
		if (i < cut)
			CHECK_LAYERS(layers, is_alive(&layers->group[i]));
		else
			CHECK_LAYERS(layers, is_done(&layers->group[i], cause));
}

static void end_layers(struct layers *layers)
{
	leat_group_cancel(&layers->group[0], 0);
	for (int i = layers->n; i-- > 0;)
		finish(&layers->group[i]);
}

TEST_BOTH(layers_cancel, 100)
{
	static struct layers layers;
	int nth;
	int cut;

	layers = (struct layers){ .n = 0 };
	make_layers(&layers, VERY_LONG);
	check_layers(&layers, layers.n, 0);
	CHECK_EQ(leat_go_in(&layers.group[layers.n - 1], until_done), 0);
	nth = draw(&layers, layers.n_of[LAYER_CANCEL] + layers.n_of[LAYER_TIMEOUT]);
	for (cut = 0; layers.kind[cut] == LAYER_PLAIN || nth-- > 0; cut++)
		;
	leat_group_cancel(&layers.group[cut], PARENT_CAUSE);
	check_layers(&layers, cut, PARENT_CAUSE);
	CHECK_LAYERS(&layers, leat_group_wait(&layers.group[layers.n - 1]) == PARENT_CAUSE);
	end_layers(&layers);
}

TEST_BOTH(layers_timeout, 100)
{
	static struct layers layers;
	int cut = 0;
	int r;

	layers = (struct layers){ .n = 0 };
	make_layers(&layers, SHORT);
	r = leat_go_in(&layers.group[layers.n - 1], until_done);
	CHECK(r == 0 || r == -ECANCELED);
	while (layers.kind[cut] != LAYER_TIMEOUT)
		cut++;
	for (int i = cut; i < layers.n; i++)
		while (!leat_group_is_cancelled(&layers.group[i]))
			leat_yield();
	check_layers(&layers, cut, -ETIMEDOUT);
	CHECK_LAYERS(&layers, leat_group_wait(&layers.group[layers.n - 1]) == -ETIMEDOUT);
	end_layers(&layers);
}

/* TestWithCancelCanceledParent: cancelled from the start, with the parent's cause. */
TEST_BOTH(with_cancel_canceled_parent, 5)
{
	leat_group parent, child;

	make(&parent, NULL);
	leat_group_cancel(&parent, PARENT_CAUSE);
	make(&child, &parent);
	CHECK(is_done(&child, PARENT_CAUSE));
	CHECK_EQ(finish(&child), PARENT_CAUSE);
	CHECK_EQ(finish(&parent), PARENT_CAUSE);
}

/* TestWithCancelSimultaneouslyCanceledParent */
TEST_BOTH(with_cancel_simultaneously_canceled_parent, 100)
{
	int rounds = leat_sim_seed() ? 1 : 100;

	for (int i = 0; i < rounds; i++) {
		leat_group parent, child, canceller;
		int r;

		make(&parent, NULL);
		make(&canceller, NULL);
		CHECK_EQ(leat_go_in(&canceller, cancel, &parent, PARENT_CAUSE), 0);
		make(&child, &parent);
		r = leat_go_in(&child, until_done);
		CHECK(r == 0 || r == -ECANCELED);
		while (!leat_group_is_cancelled(&child))
			leat_yield();
		CHECK_EQ(finish(&child), PARENT_CAUSE);
		CHECK_EQ(finish(&canceller), 0);
		CHECK_EQ(finish(&parent), PARENT_CAUSE);
	}
}

/* TestInvalidDerivedFail: no context, no child of it. */
TEST_DEATH_TASK(invalid_derived_fail, "leat_group_init")
{
	CHECK_EQ(leat_group_init(NULL, NULL), 0);
}

/* TestDeadlineExceededSupportsTimeout: a timeout is told from a cancel, and says so. */
TEST_PLAIN(deadline_exceeded_supports_timeout)
{
	CHECK(-ETIMEDOUT != -ECANCELED && -ETIMEDOUT != LEAT_ECLOSED);
	CHECK(strstr(leat_strerror(-ETIMEDOUT), "timed out") != NULL);
}

/* TestCause: who cancelled first decides, for the child and for the parent. */
enum step { NOTHING, PARENT_WITH_CAUSE, PARENT_PLAIN, CHILD_WITH_CAUSE, CHILD_PLAIN };

struct cause_case {
	const char *name;
	enum step first;
	enum step second;
	int child;
	int parent;
};

static const struct cause_case causes[] = {
	{ "WithCancel", CHILD_PLAIN, NOTHING, -ECANCELED, 0 },
	{ "WithCancelCause", CHILD_WITH_CAUSE, NOTHING, CHILD_CAUSE, 0 },
	{ "parent cause before child", PARENT_WITH_CAUSE, CHILD_WITH_CAUSE,
	  PARENT_CAUSE, PARENT_CAUSE },
	{ "parent cause after child", CHILD_WITH_CAUSE, PARENT_WITH_CAUSE,
	  CHILD_CAUSE, PARENT_CAUSE },
	{ "parent cause before nil", PARENT_WITH_CAUSE, CHILD_PLAIN, PARENT_CAUSE, PARENT_CAUSE },
	{ "parent cause after nil", CHILD_PLAIN, PARENT_WITH_CAUSE, -ECANCELED, PARENT_CAUSE },
	{ "child cause after nil", PARENT_PLAIN, CHILD_WITH_CAUSE, -ECANCELED, -ECANCELED },
	{ "child cause before nil", CHILD_WITH_CAUSE, PARENT_PLAIN, CHILD_CAUSE, -ECANCELED },
};

static void take_step(enum step step, leat_group *parent, leat_group *child)
{
	if (step == PARENT_WITH_CAUSE)
		leat_group_cancel(parent, PARENT_CAUSE);
	else if (step == PARENT_PLAIN)
		leat_group_cancel(parent, 0);
	else if (step == CHILD_WITH_CAUSE)
		leat_group_cancel(child, CHILD_CAUSE);
	else if (step == CHILD_PLAIN)
		leat_group_cancel(child, 0);
}

static void check_cause(const struct cause_case *c)
{
	leat_group parent, child;
	int r;

	make(&parent, NULL);
	make(&child, &parent);
	CHECK_EQ(leat_go_in(&child, until_done), 0);
	take_step(c->first, &parent, &child);
	take_step(c->second, &parent, &child);
	CHECK(leat_group_is_cancelled(&child));
	CHECK_EQ(leat_group_is_cancelled(&parent), c->parent != 0);
	r = finish(&child);
	if (r != c->child)
		test_fail(__FILE__, __LINE__, "%s: the child's cause is %d, not %d",
			  c->name, r, c->child);
	r = finish(&parent);
	if (r != c->parent)
		test_fail(__FILE__, __LINE__, "%s: the parent's cause is %d, not %d",
			  c->name, r, c->parent);
}

TEST_BOTH(cause, 20)
{
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		check_cause(&causes[i]);
}

/* TestCause, "WithTimeout" and "WithTimeoutCause": the deadline came first, or the cancel did. */
TEST_SIM(cause_timeout, 20)
{
	leat_group parent, group;

	test_settle();
	make_until(&group, NULL, leat_now() - 1);
	test_settle();
	leat_group_cancel(&group, 0);
	CHECK(is_done(&group, -ETIMEDOUT));
	CHECK_EQ(finish(&group), -ETIMEDOUT);

	make_until(&group, NULL, leat_in(VERY_LONG));
	leat_group_cancel(&group, 0);
	CHECK_EQ(finish(&group), -ECANCELED);

	make(&parent, NULL);
	make_until(&group, &parent, leat_now() - 1);
	test_settle();
	leat_group_cancel(&parent, FINISHED_EARLY);
	CHECK(is_done(&group, -ETIMEDOUT));
	CHECK_EQ(finish(&group), -ETIMEDOUT);
	CHECK_EQ(finish(&parent), FINISHED_EARLY);

	make(&parent, NULL);
	make_until(&group, &parent, leat_in(VERY_LONG));
	leat_group_cancel(&parent, FINISHED_EARLY);
	CHECK(is_done(&group, FINISHED_EARLY));
	CHECK_EQ(finish(&group), FINISHED_EARLY);
	CHECK_EQ(finish(&parent), FINISHED_EARLY);
}

/* TestCause, "WithTimeoutCause" with a cause of its own: leat_after and a cancel. */
enum { TOO_SLOW = -ETIME };

static int too_slow(void *arg)
{
	leat_group_cancel(arg, TOO_SLOW);
	return 0;
}

/*
 * A group below parent, if one is given, with a cause for its deadline; then
 * the parent, or else the group, is cancelled.  Returns the group's cause.
 */
static int cause_of_slow(leat_group *parent, int64_t timeout, int cause)
{
	leat_group group, timer;
	int r;

	make(&group, parent);
	make(&timer, NULL);
	CHECK_EQ(leat_go_in(&group, until_done), 0);
	CHECK_EQ(leat_after(&timer, leat_in(timeout), too_slow, &group), 0);
	if (timeout == SHORT)
		CHECK_EQ(leat_group_wait(&timer), 0);
	leat_group_cancel(parent ? parent : &group, cause);
	CHECK_EQ(leat_group_wait(&timer), 0);
	CHECK(leat_group_is_cancelled(&group));
	r = finish(&group);
	leat_group_release(&timer);
	return r;
}

TEST_SIM(cause_timeout_cause, 20)
{
	leat_group parent;

	CHECK_EQ(cause_of_slow(NULL, SHORT, 0), TOO_SLOW);
	CHECK_EQ(cause_of_slow(NULL, VERY_LONG, 0), -ECANCELED);
	make(&parent, NULL);
	CHECK_EQ(cause_of_slow(&parent, SHORT, FINISHED_EARLY), TOO_SLOW);
	CHECK_EQ(finish(&parent), FINISHED_EARLY);
	make(&parent, NULL);
	CHECK_EQ(cause_of_slow(&parent, VERY_LONG, FINISHED_EARLY), FINISHED_EARLY);
	CHECK_EQ(finish(&parent), FINISHED_EARLY);
}

/* TestWithoutCancel; TestCause, "WithoutCancel", "... canceled" and "... timeout" */
LEAT_TASK_ERR(is_not_cancelled, (leat_group *, group))
{
	CHECK(leat_group_current() == group);
	CHECK(!leat_cancelled());
	return leat_yield();
}

static void check_detached(leat_group *parent)
{
	leat_group group;

	REQUIRE(leat_group_init(&group, LEAT_GROUP_OPTIONS(.parent = parent,
							   .detached_from_cancel = true)) == 0);
	leat_group_cancel(parent, FINISHED_EARLY);
	CHECK(is_alive(&group));
	CHECK_EQ(leat_go_in(&group, is_not_cancelled, &group), 0);
	CHECK_EQ(finish(&group), 0);
}

TEST_BOTH(without_cancel, 20)
{
	leat_group parent, group;

	REQUIRE(leat_group_init(&group, LEAT_GROUP_OPTIONS(.detached_from_cancel = true)) == 0);
	CHECK(is_alive(&group));
	CHECK_EQ(finish(&group), 0);

	make(&parent, NULL);
	check_detached(&parent);
	CHECK_EQ(finish(&parent), FINISHED_EARLY);

	make_until(&parent, NULL, leat_in(1));
	while (!leat_group_is_cancelled(&parent))
		leat_yield();
	check_detached(&parent);
	CHECK_EQ(finish(&parent), -ETIMEDOUT);
}

/* TestCauseRace: who polls the cause sees none, or the one that was given. */
TEST_BOTH(cause_race, 50)
{
	int rounds = leat_sim_seed() ? 1 : 100;

	for (int i = 0; i < rounds; i++) {
		leat_group group, canceller;
		int error;

		make(&group, NULL);
		make(&canceller, NULL);
		CHECK_EQ(leat_go_in(&canceller, cancel, &group, CHILD_CAUSE), 0);
		while ((error = leat_group_error(&group, NULL)) == 0)
			leat_yield();
		CHECK_EQ(error, CHILD_CAUSE);
		CHECK_EQ(finish(&canceller), 0);
		CHECK_EQ(finish(&group), CHILD_CAUSE);
	}
}

/* TestContextErrDoneRace (golang/go#75533): who sees the cause of a cancel sees the cancel. */
TEST_BOTH(err_done_race, 50)
{
	int rounds = leat_sim_seed() ? 1 : 100;

	for (int i = 0; i < rounds; i++) {
		leat_group group, canceller;

		make(&group, NULL);
		make(&canceller, NULL);
		CHECK_EQ(leat_go_in(&canceller, cancel, &group, 0), 0);
		while (leat_group_error(&group, NULL) == 0)
			leat_yield();
		CHECK(leat_group_is_cancelled(&group));
		CHECK_EQ(leat_go_in(&group, succeed), -ECANCELED);
		CHECK_EQ(finish(&canceller), 0);
		CHECK_EQ(finish(&group), -ECANCELED);
	}
}

/* TestAfterFuncCalledAfterCancel: not before, and then it cannot be stopped. */
TEST_SIM(after_func_called_after_cancel, 50)
{
	leat_group group;
	struct after after;
	int ignored;

	make(&group, NULL);
	after_func(&after, &group, 1);
	test_settle();
	CHECK_EQ(leat_try_recv(after.called, &ignored), -EAGAIN);
	leat_group_cancel(&group, 0);
	CHECK_EQ(leat_recv(after.called, &ignored), 0);
	CHECK(!after_stop(&after));
	after_end(&after);
	CHECK_EQ(finish(&group), -ECANCELED);
}

/* TestAfterFuncCalledAfterTimeout */
TEST_BOTH(after_func_called_after_timeout, 20)
{
	leat_group group;
	struct after after;
	int ignored;

	make_until(&group, NULL, leat_in(SHORT));
	after_func(&after, &group, 1);
	CHECK_EQ(leat_recv(after.called, &ignored), 0);
	after_end(&after);
	CHECK_EQ(finish(&group), -ETIMEDOUT);
}

/* TestAfterFuncCalledImmediately: the group is cancelled already. */
TEST_BOTH(after_func_called_immediately, 20)
{
	leat_group group;
	struct after after;
	int ignored;

	make(&group, NULL);
	leat_group_cancel(&group, 0);
	after_func(&after, &group, 0);
	CHECK_EQ(leat_recv(after.called, &ignored), 0);
	after_end(&after);
	CHECK_EQ(finish(&group), -ECANCELED);
}

/* TestAfterFuncNotCalledAfterStop */
TEST_SIM(after_func_not_called_after_stop, 50)
{
	leat_group group;
	struct after after;
	int ignored;

	make(&group, NULL);
	after_func(&after, &group, 1);
	CHECK(after_stop(&after));
	leat_group_cancel(&group, 0);
	test_settle();
	CHECK_EQ(leat_try_recv(after.called, &ignored), -EAGAIN);
	CHECK(!after_stop(&after));
	after_end(&after);
	CHECK_EQ(finish(&group), -ECANCELED);
}

/* TestAfterFuncCalledAsynchronously: the cancel does not wait for the function. */
TEST_BOTH(after_func_called_asynchronously, 50)
{
	leat_group group;
	struct after after;
	int ignored;

	make(&group, NULL);
	after_func(&after, &group, 0);
	leat_group_cancel(&group, 0);
	CHECK_EQ(leat_recv(after.called, &ignored), 0);
	after_end(&after);
	CHECK_EQ(finish(&group), -ECANCELED);
}
