/* A scenario, cancelled at each wait and refused each allocation: see leat/testing.h. */
#include <leat/testing.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <leat/leat.h>
#include <leat/sim.h>

enum kind { UNDISTURBED, CANCEL, ALLOC };

static const char *const kind_name[] = { "none", "cancel", "alloc" };
static const char *const kind_text[] = { "undisturbed", "cancelled at wait", "refused allocation" };

/* In front of each allocation. */
struct block {
	struct block *next, *prev;
	void *base;
};

struct tester {
	leat_test_options o;
	int (*scenario)(void *fixture);
	int (*check)(void *fixture, int result);
	void *fixture;
	const void *first;	/* what it was */
	size_t fixture_size;
	/* Of the run. */
	enum kind kind;
	uint64_t point;
	bool hit;		/* it was cancelled, or an allocation failed */
	atomic_bool armed;	/* the scenario runs */
	_Atomic uint64_t allocations;
	atomic_flag lock;	/* of blocks; held for a few instructions */
	struct block *blocks;	/* that have not been freed */
	const char *wrong;	/* what did not hold */
};

static void lock(struct tester *t)
{
	while (atomic_flag_test_and_set_explicit(&t->lock, memory_order_acquire))
		;
}

static void unlock(struct tester *t)
{
	atomic_flag_clear_explicit(&t->lock, memory_order_release);
}

static void *count_alloc(void *ctx, size_t size, size_t align)
{
	struct tester *t = ctx;
	size_t head;
	void *base = NULL;
	struct block *b;

	if (align < _Alignof(struct block))
		align = _Alignof(struct block);
	head = (sizeof(struct block) + align - 1) / align * align;
	if (atomic_load(&t->armed) && atomic_fetch_add(&t->allocations, 1) + 1 == t->point &&
	    t->kind == ALLOC) {
		t->hit = true;
		return NULL;
	}
	if (posix_memalign(&base, align, head + size) != 0)
		return NULL;
	b = (struct block *)((char *)base + head) - 1;
	lock(t);
	*b = (struct block){ .next = t->blocks, .base = base };
	if (b->next)
		b->next->prev = b;
	t->blocks = b;
	unlock(t);
	return b + 1;
}

static void count_release(void *ctx, void *ptr, size_t size)
{
	struct tester *t = ctx;
	struct block *b = ptr;

	(void)size;
	if (!b)
		return;
	b--;
	lock(t);
	if (b->next)
		b->next->prev = b->prev;
	if (b->prev)
		b->prev->next = b->next;
	else
		t->blocks = b->next;
	unlock(t);
	free(b->base);
}

/* What a run has left behind; how much that was. */
static int64_t free_rest(struct tester *t)
{
	int64_t n = 0;

	for (; t->blocks; n++)
		count_release(t, t->blocks + 1, 0);
	return n;
}

LEAT_TASK_ERR(run_scenario, (struct tester *, t), (int *, ret_result))
{
	*ret_result = t->scenario(t->fixture);
	return 0;
}

/* The main task of a run. */
static int run_once(void *arg)
{
	struct tester *t = arg;
	int64_t tasks = leat_group_live(leat_group_root());
	int result = -ECANCELED, r;
	leat_group group;

	memcpy(t->fixture, t->first, t->fixture_size);
	r = leat_group_init(&group, NULL);
	if (r < 0)
		return r;
	atomic_store(&t->armed, true);
	if (t->kind == CANCEL)
		leat_sim_cancel_at(&group, t->point);
	r = leat_go_in(&group, run_scenario, t, &result);
	(void)leat_group_wait(&group);
	atomic_store(&t->armed, false);
	if (t->kind == CANCEL)
		t->hit = leat_group_is_cancelled(&group);
	leat_sim_cancel_at(NULL, 0);
	leat_group_release(&group);
	if (leat_group_live(leat_group_root()) != tasks) {
		t->wrong = "tasks are left";
		return -ENOTEMPTY;
	}
	if (r < 0)
		return 0; /* it could not even begin */
	r = t->check(t->fixture, result);
	t->wrong = "check returned";
	return r < 0 ? r : 0;
}

static void say(struct tester *t, uint64_t seed, const char *wrong, int error)
{
	char line[512], at[64] = "";

	if (t->kind != UNDISTURBED)
		snprintf(at, sizeof(at), " %llu", (unsigned long long)t->point);
	snprintf(line, sizeof(line),
		 "leat_test_everywhere: seed %llu, %s%s: %s%s%s; replay with LEAT_TEST_POINT=%llu:%s:%llu",
		 (unsigned long long)seed, kind_text[t->kind], at, wrong, error < 0 ? " " : "",
		 error < 0 ? leat_strerror(error) : "", (unsigned long long)seed,
		 kind_name[t->kind], (unsigned long long)t->point);
	if (t->o.log)
		t->o.log(NULL, line);
	else
		fprintf(stderr, "leat: %s\n", line);
}

/* One run; 0, or what is wrong with it. */
static int run(struct tester *t, uint64_t seed, leat_test_report *report)
{
	leat_options options = {
		.size = sizeof(options),
		.allocator = { count_alloc, count_release, t },
		.log = t->o.log,
		.sim_seed = seed,
	};
	int64_t left;
	int r;

	t->hit = false;
	t->wrong = NULL;
	atomic_store(&t->allocations, 0);
	/* Not by leat_sim_run, whose hint, LEAT_SIM, would not come to the point. */
	r = leat_run(&options, run_once, t);
	atomic_store(&t->armed, false);
	report->runs++;
	left = free_rest(t);
	if (r < 0) {
		say(t, seed, t->wrong && r != -EDEADLK ? t->wrong : "the run ended with",
		    r == -ENOTEMPTY ? 0 : r);
	} else if (left > 0) {
		char text[64];

		snprintf(text, sizeof(text), "%lld allocations are left", (long long)left);
		say(t, seed, text, 0);
		r = -EFAULT;
	}
	if (r < 0) {
		report->seed = seed;
		report->at_cancel = t->kind == CANCEL;
		report->at_alloc = t->kind == ALLOC;
		report->point = t->point;
	}
	return r;
}

/* All points of a kind, until one is not reached. */
static int run_points(struct tester *t, uint64_t seed, enum kind kind, uint64_t *ret_hits,
		      leat_test_report *report)
{
	uint64_t most = t->o.max_points > 0 ? t->o.max_points : 100000;
	int r = 0;

	t->kind = kind;
	for (t->point = 1; r == 0 && t->point <= most; t->point++) {
		r = run(t, seed, report);
		if (r == 0 && !t->hit)
			return 0;
		*ret_hits += t->hit;
	}
	return r < 0 ? r : -E2BIG;
}

static int run_seed(struct tester *t, uint64_t seed, leat_test_report *report)
{
	int r;

	t->kind = UNDISTURBED;
	t->point = 0;
	r = run(t, seed, report);
	if (r == 0)
		r = run_points(t, seed, CANCEL, &report->cancelled, report);
	if (r == 0)
		r = run_points(t, seed, ALLOC, &report->refused, report);
	return r;
}

/* LEAT_TEST_POINT=SEED:KIND:POINT.  1: there is none. */
static int replay(struct tester *t, leat_test_report *report)
{
	const char *text = getenv("LEAT_TEST_POINT");
	unsigned long long seed, point;
	char kind[8];

	if (!text || sscanf(text, "%llu:%7[a-z]:%llu", &seed, kind, &point) != 3)
		return 1;
	for (int k = UNDISTURBED; k <= ALLOC; k++)
		if (strcmp(kind, kind_name[k]) == 0)
			t->kind = (enum kind)k;
	t->point = point;
	return run(t, seed, report);
}

int leat_test_run(const leat_test_options *options, int (*scenario)(void *fixture),
		  int (*check)(void *fixture, int result), void *fixture, size_t fixture_size,
		  leat_test_report *ret_report)
{
	struct tester t = { .scenario = scenario, .check = check, .fixture = fixture,
			    .fixture_size = fixture_size, .lock = ATOMIC_FLAG_INIT };
	leat_test_report report = { 0 };
	void *first = malloc(fixture_size > 0 ? fixture_size : 1);
	uint64_t seed;
	int r;

	if (!first)
		return -ENOMEM;
	if (options)
		t.o = *options;
	memcpy(first, fixture, fixture_size);
	t.first = first;
	seed = t.o.seed > 0 ? t.o.seed : 1;
	r = replay(&t, &report);
	if (r == 1) {
		r = 0;
		for (uint64_t i = 0; r == 0 && i < (t.o.seeds > 0 ? t.o.seeds : 1); i++)
			r = run_seed(&t, seed + i, &report);
	}
	free(first);
	if (ret_report)
		*ret_report = report;
	return r;
}
