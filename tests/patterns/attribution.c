/*
 * Attribution in virtual time: of a pattern whose bottleneck is known it is the one that is named,
 * with what helps, and that does help; and each state has the time that it took.
 */
#include <stdlib.h>

#include "patterns.h"
#include "range.h"

#include <leat/leat.h>

enum { STAGES = 3 };

/* count, work, and a sink: save, or (to: ns from one to the next) who receives from a channel. */
struct shape {
	int items;
	leat_pipeline_options p;
	leat_stage_options count, work, save;
	int64_t (*takes)(int n); /* ns, of work */
	int64_t saves, to;
	bool flat;		/* work emits each item three times, after its time */
	/* out */
	leat_stage_stats stats[STAGES];
	char text[2000];
	const char *verdict;
	int64_t ns;		/* the run */
};

static struct shape *shape;

static int do_work(int *n, int *ret_n)
{
	*ret_n = *n;
	return leat_sleep(shape->takes(*n));
}

static int emit_work(int *n, leat_emitter(int) emitter)
{
	int r = leat_sleep(shape->takes(*n));

	for (int i = 0; i < 3 && r == 0; i++)
		r = leat_emit(emitter, *n);
	return r;
}

static int save(int *n)
{
	(void)n;
	return shape->saves > 0 ? leat_sleep(shape->saves) : 0;
}

LEAT_TASK(receive_slowly, (leat_chan(int), from), (int64_t, ns))
{
	leat_range(v, from) {
		(void)v;
		leat_sleep(ns);
	}
}

static void add_work(leat_pipeline *p, leat_flow(int) in, leat_flow(int) *ret_out)
{
	const leat_stage_options *o = &shape->work;
	int r;

	if (shape->flat)
		r = leat_pipeline_flat(p, in, ret_out, emit_work, .name = "work", .mode = o->mode,
				       .workers = o->workers, .window = o->window,
				       .ahead = o->ahead, .on_error = LEAT_ERROR_STOP);
	else
		r = leat_pipeline_map(p, in, ret_out, do_work, .name = "work", .mode = o->mode,
				      .workers = o->workers, .window = o->window, .key = o->key,
				      .rate = o->rate, .buffer = o->buffer, .gap = o->gap,
				      .gap_after = o->gap_after, .on_error = LEAT_ERROR_STOP);
	CHECK_EQ(r, 0);
}

/* All that its workers were there for is in one of the states, and in no two. */
static void check_sums(const leat_stage_stats *s)
{
	int64_t sum = 0;

	for (int i = 0; i < LEAT_STAGE_STATES; i++) {
		CHECK(s->time[i] >= 0);
		sum += s->time[i];
	}
	if (sum != s->elapsed * s->workers)
		test_fail(__FILE__, __LINE__, "%s: %lld ns of %lld", s->name, (long long)sum,
			  (long long)(s->elapsed * s->workers));
	CHECK(s->limit_time <= s->time[LEAT_STAGE_LIMITED]);
}

static void look(leat_pipeline *p)
{
	shape->stats[0].size = sizeof(shape->stats[0]);
	CHECK_EQ(leat_pipeline_stats(p, shape->stats, STAGES), STAGES);
	for (int i = 0; i < STAGES; i++)
		check_sums(&shape->stats[i]);
	CHECK(leat_pipeline_explain(p, shape->text, sizeof(shape->text)) > 0);
	shape->verdict = shape->text;
	for (const char *c = shape->text; c[1]; c++)
		if (*c == '\n')
			shape->verdict = c + 1;
}

static void run(struct shape *s)
{
	struct range range = { 0, s->items };
	leat_chan(int) results = leat_chan_make(int, 0);
	int64_t began = leat_now();
	leat_flow(int) a, b;
	leat_pipeline *p;
	leat_group group;

	shape = s;
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	CHECK_EQ(leat_pipeline_make(&p, .live = s->p.live, .live_bytes = s->p.live_bytes), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count", .rate = s->count.rate,
			     .weigh = s->count.weigh);
	add_work(p, a, &b);
	if (s->to > 0) {
		CHECK_EQ(leat_pipeline_to(p, b, results, .name = "to"), 0);
		CHECK_EQ(leat_go_in(&group, receive_slowly, results, s->to), 0);
	} else {
		leat_pipeline_sink(p, b, save, .name = "save", .mode = LEAT_STAGE_SERIAL,
				   .buffer = s->save.buffer, .on_error = LEAT_ERROR_STOP);
	}
	CHECK_EQ(leat_pipeline_run(p), 0);
	s->ns = leat_now() - began;
	look(p);
	leat_pipeline_destroy(p, NULL);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	leat_chan_unref(results);
}

/* Stage i (-1: none) is named, in these words, with a share in percent between least and most. */
static void expect(struct shape *s, int i, const char *words, int least, int most)
{
	size_t length = strlen(words);
	int share;

	run(s);
	share = strncmp(s->verdict, words, length) == 0 ? atoi(s->verdict + length) : -1;
	if (share < least || share > most)
		test_fail(__FILE__, __LINE__, "not \"%s %d to %d\":\n%s", words, least, most,
			  s->verdict);
	CHECK_EQ(leat_stage_bottleneck(s->stats, STAGES), i);
}

static void expect_none(struct shape *s)
{
	run(s);
	CHECK_STR(s->verdict, "no stage to widen: all of them wait most of the time\n");
	CHECK_EQ(leat_stage_bottleneck(s->stats, STAGES), -1);
}

/* ms, to a hundredth and what the steps in between take. */
static void about(int64_t ns, int64_t ms)
{
	if (ns < ms * LEAT_MS * 99 / 100 || ns > ms * LEAT_MS * 101 / 100 + LEAT_MS / 10)
		test_fail(__FILE__, __LINE__, "%d us, not %d ms", (int)(ns / LEAT_US), (int)ms);
}

static int64_t one_ms(int n)
{
	(void)n;
	return LEAT_MS;
}

static int64_t none(int n)
{
	(void)n;
	return 0;
}

static int64_t eighth_is_slow(int n)
{
	return n % 8 == 0 ? 8 * LEAT_MS : LEAT_MS / 10;
}

static uint64_t one_key(const int *n)
{
	(void)n;
	return 1;
}

static uint64_t three_keys(const int *n)
{
	return (uint64_t)*n % 3;
}

static uint64_t many_keys(const int *n)
{
	return (uint64_t)*n % 64;
}

#define WORK(mode_, n_, ...) \
	.work = { .mode = LEAT_STAGE_##mode_, .workers = n_, __VA_ARGS__ }
#define LIVE(n_) .p = { .live = n_ }

/* A slow item at the head: the window runs full. */
TEST_SIM(the_window_is_too_small, 5)
{
	struct shape s = { .items = 160, .takes = eighth_is_slow, LIVE(64),
			   WORK(ORDERED, 4, .window = 4) };
	int64_t before;

	expect(&s, 1, "widen the window of work (4): its 4 workers wait for the item at its head", 60, 75);
	CHECK_EQ(s.stats[1].limit, LEAT_LIMIT_WINDOW);
	CHECK_EQ(s.stats[1].limit_size, 4);
	before = s.ns;
	s.work.window = 40;
	expect(&s, 1, "widen work: its 4 workers are busy", 90, 100);
	CHECK(s.ns < before / 2);
}

/* One item at the head for 100 ms, and seven of 1 ms that are done: 4 workers, 4 in the window. */
static int64_t first_is_slow(int n)
{
	return n == 0 ? 100 * LEAT_MS : LEAT_MS;
}

TEST_SIM(the_time_at_a_window, 5)
{
	struct shape s = { .items = 7, .takes = first_is_slow, LIVE(64),
			   WORK(ORDERED, 4, .window = 4) };

	run(&s);
	about(s.stats[1].time[LEAT_STAGE_BUSY], 106);
	about(s.stats[1].time[LEAT_STAGE_LIMITED], 3 * 98);
	about(s.stats[1].limit_time, 3 * 98);
	CHECK(s.stats[1].time[LEAT_STAGE_BLOCKED] < LEAT_MS / 10);
	/* From then on who hands on is waited for: that one 60 ms, and two workers 10 and 20. */
	s.saves = 10 * LEAT_MS;
	run(&s);
	about(s.stats[1].time[LEAT_STAGE_LIMITED], 3 * 98);
	about(s.stats[1].time[LEAT_STAGE_BLOCKED], 60 + 10 + 20);
}

static void mark_gap(int *ret_n)
{
	*ret_n = -1;
}

/* Who hands on where an item is waited for in vain is none of the stage's workers. */
TEST_SIM(the_watcher_of_a_window_is_no_worker, 5)
{
	struct shape s = { .items = 20, .takes = first_is_slow, LIVE(64), .saves = 10 * LEAT_MS,
			   WORK(ORDERED, 2, .window = 8, .gap = LEAT_STAGE_GAP(int, mark_gap),
				.gap_after = 10 * LEAT_MS) };

	run(&s);
	CHECK_EQ(s.stats[2].items, 20);
}

/* Three values of each item, and place for one of those that are not the next. */
TEST_SIM(ahead_is_too_small, 5)
{
	struct shape s = { .items = 160, .takes = eighth_is_slow, LIVE(64), .flat = true,
			   WORK(ORDERED, 4, .window = 40, .ahead = 1) };
	int64_t before;

	expect(&s, 1, "raise ahead of work (1): its 4 workers wait for their items' turn", 60, 75);
	CHECK_EQ(s.stats[1].limit, LEAT_LIMIT_AHEAD);
	before = s.ns;
	s.work.ahead = 3;
	expect(&s, 1, "widen work: its 4 workers are busy", 90, 100);
	CHECK(s.ns < before / 2);
}

TEST_SIM(live_is_too_small, 5)
{
	struct shape s = { .items = 100, .takes = one_ms, LIVE(2), WORK(PARALLEL, 8) };
	int64_t before;

	expect(&s, 0, "raise live: 2 items are all out, and count waits for them", 90, 100);
	about(s.ns, 50);
	CHECK_EQ(s.stats[0].limit, LEAT_LIMIT_LIVE);
	about(s.stats[0].time[LEAT_STAGE_LIMITED], 50);
	CHECK(s.stats[0].time[LEAT_STAGE_BLOCKED] < LEAT_MS / 10);
	/* Also where the workers are busy for more than half of their time. */
	s.p.live = 6;
	expect(&s, 0, "raise live: 6 items are all out, and count waits for them", 90, 100);
	before = s.ns;
	s.p.live = 20;
	expect(&s, 1, "widen work: its 8 workers are busy", 90, 100);
	CHECK(s.ns < before * 7 / 8);
}

static uint64_t weighs_five(const int *n)
{
	(void)n;
	return 5;
}

TEST_SIM(live_bytes_are_too_few, 5)
{
	struct shape s = { .items = 100, .takes = one_ms, .p = { .live = 64, .live_bytes = 10 },
			   .count = { .weigh = LEAT_STAGE_WEIGH(int, weighs_five) },
			   WORK(PARALLEL, 8) };

	expect(&s, 0, "raise live_bytes: 10 bytes are all out, and count waits for them", 90, 100);
	about(s.ns, 50);
	about(s.stats[0].time[LEAT_STAGE_LIMITED], 49);
	CHECK(s.stats[0].time[LEAT_STAGE_BLOCKED] < LEAT_MS / 10);
}

/* More workers would have nothing to do, and with more live items more of them would wait. */
TEST_SIM(a_key_is_hot, 5)
{
	struct shape s = { .items = 100, .takes = one_ms, LIVE(32),
			   WORK(KEYED, 4, .key = LEAT_STAGE_KEY(int, one_key)) };

	expect(&s, 1, "split the keys of work: its 4 workers wait for keys that are worked on", 70, 75);
	CHECK_EQ(s.stats[1].limit, LEAT_LIMIT_KEY);
	about(s.ns, 100);
	about(s.stats[1].time[LEAT_STAGE_BUSY], 100);
	/* But for the last item, for which none waits. */
	about(s.stats[1].time[LEAT_STAGE_LIMITED], 3 * 100 - 4);
	s.work.key = LEAT_STAGE_KEY(int, three_keys);
	expect(&s, 1, "split the keys of work: its 4 workers wait for keys that are worked on", 20, 30);
	about(s.ns, 34);
	s.work.key = LEAT_STAGE_KEY(int, many_keys);
	expect(&s, 1, "widen work: its 4 workers are busy", 90, 100);
}

/* They wait for a key, whose worker waits for the rate. */
TEST_SIM(a_key_that_is_hot_is_limited, 5)
{
	struct shape s = { .items = 30, .takes = none, LIVE(16),
			   WORK(KEYED, 4, .key = LEAT_STAGE_KEY(int, one_key)) };
	leat_bucket bucket;

	CHECK_EQ(leat_bucket_init(&bucket, 100, 1), 0);
	s.work.rate = &bucket;
	expect(&s, 1, "raise the limit of work: it is limited", 90, 100);
}

static uint64_t zero_is_alone(const int *n)
{
	return *n == 0 ? 8 : (uint64_t)*n % 8;
}

/* Items wait, and all are at work; then one is, and none waits: that is not for a key. */
TEST_SIM(keys_that_waited_while_all_were_busy, 5)
{
	struct shape s = { .items = 91, .takes = first_is_slow, LIVE(128),
			   WORK(KEYED, 4, .key = LEAT_STAGE_KEY(int, zero_is_alone)) };

	expect_none(&s);
	about(s.stats[1].time[LEAT_STAGE_BUSY], 190);
	CHECK_EQ(s.stats[1].time[LEAT_STAGE_LIMITED], 0);
}

/* What waits below is no fault of the window's, of live, or of a key. */
TEST_SIM(what_is_held_up_below, 5)
{
	struct shape s = { .items = 100, .takes = none, LIVE(16), .saves = LEAT_MS,
			   .save = { .buffer = 4 } };

	s.work = (leat_stage_options){ .mode = LEAT_STAGE_ORDERED, .workers = 8, .window = 2 };
	expect(&s, 2, "widen save: its worker is busy", 90, 100);
	CHECK(s.stats[1].time[LEAT_STAGE_LIMITED] < s.ns / 10);
	s.work = (leat_stage_options){ .mode = LEAT_STAGE_KEYED, .workers = 8,
				       .key = LEAT_STAGE_KEY(int, one_key) };
	expect(&s, 2, "widen save: its worker is busy", 90, 100);
	s.work = (leat_stage_options){ .mode = LEAT_STAGE_ORDERED, .workers = 8, .window = 2,
				       .ahead = 1 };
	s.flat = true;
	expect(&s, 2, "widen save: its worker is busy", 90, 100);
	s.flat = false;
	s.p.live = 2;
	expect(&s, 2, "widen save: its worker is busy", 90, 100);
}

/* Nor where that is not the pipeline's. */
TEST_SIM(what_is_held_up_outside, 5)
{
	struct shape s = { .items = 100, .takes = none, LIVE(16), .to = LEAT_MS };

	s.work = (leat_stage_options){ .mode = LEAT_STAGE_ORDERED, .workers = 8, .window = 2 };
	expect_none(&s);
	s.work = (leat_stage_options){ .mode = LEAT_STAGE_KEYED, .workers = 8,
				       .key = LEAT_STAGE_KEY(int, one_key) };
	expect_none(&s);
	s.p.live = 2;
	expect_none(&s);
}

TEST_SIM(a_rate_limits_a_source, 5)
{
	struct shape s = { .items = 30, .takes = none, LIVE(16), WORK(SERIAL, 0) };
	leat_bucket bucket;

	CHECK_EQ(leat_bucket_init(&bucket, 100, 1), 0);
	s.count.rate = &bucket;
	expect(&s, 0, "raise the limit of count: it is limited", 90, 100);
	CHECK_EQ(s.stats[0].limit, LEAT_LIMIT_RATE);
	about(s.stats[0].time[LEAT_STAGE_LIMITED], 300);
	about(s.stats[1].time[LEAT_STAGE_STARVED], 300);
}

/* The largest value of a step of an eighth of an octave. */
static void is_step_of(int64_t step, int64_t ns)
{
	if (step < ns || step > ns * 9 / 8 + 20 * LEAT_US)
		test_fail(__FILE__, __LINE__, "%d us, not %d", (int)(step / LEAT_US),
			  (int)(ns / LEAT_US));
}

/* From when it is handed on an item waits for the one in the buffer, and the one at work. */
TEST_SIM(queueing_in_a_pipeline, 5)
{
	struct shape s = { .items = 400, .takes = none, LIVE(64), .saves = LEAT_MS,
			   .save = { .buffer = 1 }, WORK(SERIAL, 0) };

	run(&s);
	is_step_of(s.stats[2].queue_p50, 2 * LEAT_MS);
	is_step_of(s.stats[2].queue_p99, 2 * LEAT_MS);
	is_step_of(s.stats[2].service_p50, LEAT_MS);
	is_step_of(s.stats[2].service_p99, LEAT_MS);
	CHECK_EQ(s.stats[0].queue_p50, -1);
}

static int count_slowly(struct range *range, int *ret_n)
{
	leat_sleep(LEAT_MS / 4);
	return count(range, ret_n);
}

/* The same before a piece of fan-out and fan-in: 1 ms, less what it takes to make the item. */
TEST_SIM(queueing_before_a_take, 5)
{
	struct shape s = { .saves = LEAT_MS };
	struct range range = { 0, 400 };
	leat_flow(int) a, b;
	leat_pipeline *p;

	shape = &s;
	CHECK_EQ(leat_pipeline_make(&p, .live = 64), 0);
	leat_pipeline_source(p, &a, &range, count_slowly, .name = "count");
	leat_pipeline_take(p, a, &b, 400, .name = "take");
	leat_pipeline_sink(p, b, save, .name = "save", .mode = LEAT_STAGE_SERIAL,
			   .on_error = LEAT_ERROR_STOP);
	CHECK_EQ(leat_pipeline_run(p), 0);
	look(p);
	is_step_of(s.stats[1].queue_p50, LEAT_MS * 3 / 4);
	is_step_of(s.stats[1].queue_p99, LEAT_MS * 3 / 4);
	is_step_of(s.stats[2].queue_p50, LEAT_MS);
	leat_pipeline_destroy(p, NULL);
}

static int slow_first(int *job, int *ret_result)
{
	*ret_result = *job;
	return leat_sleep(first_is_slow(*job));
}

static leat_stage_stats stats_of(leat_pool(int) pool)
{
	leat_stage_stats s = { .size = sizeof(s) };

	CHECK_EQ(leat_pool_stats(pool, &s), 0);
	check_sums(&s);
	return s;
}

static const char *verdict_of(const leat_stage_stats *s)
{
	static char text[1000];

	leat_stage_explain(s, 1, text, sizeof(text));
	return strchr(strchr(text, '\n') + 1, '\n') + 1;
}

/* As the_time_at_a_window: jobs 1 to 3 have their slots, and the others wait for one. */
TEST_SIM(the_window_of_a_pool, 5)
{
	leat_chan(int) results = leat_chan_make(int, 1);
	leat_stage_stats s;
	leat_pool(int) pool;

	CHECK_EQ(leat_pool_make_to(&pool, results, slow_first, .workers = 4, .queue = 20,
				   .order = LEAT_POOL_AS_SUBMITTED, .window = 4, .name = "pool",
				   .overflow = LEAT_OVERFLOW_BLOCK,
				   .on_error = LEAT_ERROR_STOP), 0);
	for (int i = 0; i < 7; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	CHECK_EQ(leat_sleep(99 * LEAT_MS), 0);
	s = stats_of(pool);
	about(s.time[LEAT_STAGE_LIMITED], 3 * 97);
	CHECK_EQ(s.time[LEAT_STAGE_BLOCKED], 0);
	CHECK_EQ(s.limit_size, 4);
	CHECK_EQ(leat_stage_bottleneck(&s, 1), 0);
	CHECK(strstr(verdict_of(&s), "widen the window of pool (4): its 4 workers wait for the item"));
	/* Nobody receives the second: who hands it on, and who waits for room, is blocked. */
	CHECK_EQ(leat_sleep(101 * LEAT_MS), 0);
	s = stats_of(pool);
	about(s.time[LEAT_STAGE_LIMITED], 3 * 98);
	about(s.time[LEAT_STAGE_BLOCKED], 2 * 100);
	/* And who has waited works on. */
	for (int i = 0; i < 16; i++)
		CHECK_EQ(leat_pool_submit(pool, i), 0);
	for (int i = 0, v; i < 7 + 16; i++)
		CHECK_EQ(leat_recv(results, &v), 0);
	about(stats_of(pool).time[LEAT_STAGE_BUSY], 106 + 115);
	leat_abandon(results);
	leat_pool_destroy(pool, NULL);
	leat_chan_unref(results);
}

/* Its jobs are there when the first begins; or they come while that is at work. */
static void make_key_hot(bool at_once)
{
	leat_chan(int) results = leat_chan_make(int, 20);
	leat_stage_stats s;
	leat_pool(int) pool;

	CHECK_EQ(leat_pool_make_to(&pool, results, slow_first, .workers = 4, .queue = 20,
				   .order = LEAT_POOL_PER_KEY, .key = LEAT_POOL_KEY(int, one_key),
				   .name = "pool", .overflow = LEAT_OVERFLOW_BLOCK,
				   .on_error = LEAT_ERROR_STOP), 0);
	if (at_once)
		CHECK_EQ(leat_pool_pause(pool, LEAT_FOREVER), 0);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(leat_pool_submit(pool, i), 0);
		if (i == 0 && !at_once)
			CHECK_EQ(leat_sleep(LEAT_MS / 10), 0);
	}
	leat_pool_resume(pool);
	CHECK_EQ(leat_sleep(99 * LEAT_MS), 0);
	s = stats_of(pool);
	about(s.time[LEAT_STAGE_LIMITED], 3 * 99);
	CHECK(strstr(verdict_of(&s), "split the keys of pool: its 4 workers wait for keys that are "));
	/* 19 more, and none waits while the last is at work, nor then. */
	CHECK_EQ(leat_sleep(LEAT_S), 0);
	about(stats_of(pool).time[LEAT_STAGE_LIMITED], 3 * 118 - 1);
	leat_pool_destroy(pool, NULL);
	leat_chan_unref(results);
}

TEST_SIM(the_hot_key_of_a_pool, 5)
{
	make_key_hot(true);
	make_key_hot(false);
}

TEST_SIM(an_or_done_is_blocked, 5)
{
	leat_stage_stats s = { .size = sizeof(s) };
	leat_chan(int) in = leat_chan_make(int, 1), out = leat_chan_make(int, 0);
	leat_chan(int) done = leat_chan_make(int, 0);
	leat_group group;
	leat_fan *fan;

	CHECK_EQ(leat_group_init(&group, NULL), 0);
	CHECK_EQ(leat_or_done(&fan, &group, in, out, done, .name = "or-done"), 0);
	CHECK_EQ(leat_send(in, 1), 0);
	CHECK_EQ(leat_sleep(100 * LEAT_MS), 0);
	CHECK_EQ(leat_fan_stats(fan, &s), 0);
	about(s.time[LEAT_STAGE_BLOCKED], 100);
	leat_close(done);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	leat_fan_destroy(fan, NULL);
	leat_chan_unref(in);
	leat_chan_unref(out);
	leat_chan_unref(done);
}
