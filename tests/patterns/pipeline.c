/* Pipelines: each option, each way to end, and the bottleneck that is named. */
#include <limits.h>

#include "patterns.h"
#include "range.h"

#include <leat/leat.h>

enum { N = 200 };

struct log {
	leat_mutex lock;
	int n, item[10 * N];
};

static int collect(struct log *log, int *item)
{
	leat_mutex_lock(&log->lock);
	if (log->n < 10 * N)
		log->item[log->n++] = *item;
	leat_mutex_unlock(&log->lock);
	return 0;
}

static int square(int *n, int *ret_square)
{
	*ret_square = *n * *n;
	return 0;
}

#define SERIAL(name_) .name = name_, .mode = LEAT_STAGE_SERIAL, .on_error = LEAT_ERROR_STOP
#define PARALLEL(name_, n_)                                                   \
	.name = name_, .mode = LEAT_STAGE_PARALLEL, .workers = n_, .on_error = LEAT_ERROR_STOP
#define ORDERED(name_, n_, window_)                                           \
	.name = name_, .mode = LEAT_STAGE_ORDERED, .workers = n_,             \
	.on_error = LEAT_ERROR_STOP, .window = window_

static void end(leat_pipeline *p, leat_ledger *ledger)
{
	leat_pipeline_destroy(p, ledger_init(ledger));
	check_at_rest(ledger);
}

TEST_BOTH(source_stage_sink, 20)
{
	struct range range = { 0, N };
	struct log log = { 0 };
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a, b;

	CHECK_EQ(leat_pipeline_make(&p, .live = 16), 0);
	CHECK_EQ(leat_pipeline_source(p, &a, &range, count, .name = "count"), 0);
	CHECK_EQ(leat_pipeline_map(p, a, &b, square, SERIAL("square"), .buffer = 4), 0);
	CHECK_EQ(leat_pipeline_sink_with(p, b, &log, collect, SERIAL("collect")), 0);
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	CHECK_EQ(ledger.in, N);
	CHECK_EQ(ledger.out, N);
	CHECK_EQ(log.n, N);
	for (int i = 0; i < log.n; i++)
		CHECK_EQ(log.item[i], i * i);
}

static struct gauge gauge;

static int nap(int *n, int *ret_n)
{
	gauge_enter(&gauge);
	*ret_n = *n;
	leat_sleep((int64_t)leat_random(100) * LEAT_US);
	gauge_leave(&gauge);
	return 0;
}

static void run_naps(const leat_stage_options *as, struct log *log, leat_ledger *ledger)
{
	struct range range = { 0, N };
	leat_pipeline *p;
	leat_flow(int) a, b;

	gauge = (struct gauge){ 0 };
	CHECK_EQ(leat_pipeline_make(&p, .live = 32), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_map(p, a, &b, nap, .name = "nap", .mode = as->mode, .workers = as->workers,
			  .buffer = as->buffer, .on_error = LEAT_ERROR_STOP, .window = as->window,
			  .key = as->key);
	leat_pipeline_sink_with(p, b, log, collect, SERIAL("collect"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, ledger);
	CHECK_EQ(ledger->out, N);
	CHECK_EQ(log->n, N);
}

static bool is_sorted(const struct log *log)
{
	for (int i = 1; i < log->n; i++)
		if (log->item[i] < log->item[i - 1])
			return false;
	return true;
}

/* oneTBB's filter modes: serial in order, parallel, and the most that there are at once. */
TEST_BOTH(serial_is_one_at_a_time_in_order, 10)
{
	struct log log = { 0 };
	leat_ledger ledger;

	run_naps(&(leat_stage_options){ .mode = LEAT_STAGE_SERIAL, .buffer = 8 }, &log, &ledger);
	CHECK_EQ(gauge.most, 1);
	CHECK(is_sorted(&log));
}

TEST_SIM(parallel_is_as_many_as_workers, 10)
{
	struct log log = { 0 };
	leat_ledger ledger;

	run_naps(&(leat_stage_options){ .mode = LEAT_STAGE_PARALLEL, .workers = 8 }, &log, &ledger);
	CHECK_EQ(gauge.most, 8);
	CHECK(!is_sorted(&log));
}

TEST_BOTH(ordered_hands_on_as_they_came, 30)
{
	struct log log = { 0 };
	leat_ledger ledger;

	run_naps(&(leat_stage_options){ .mode = LEAT_STAGE_ORDERED, .workers = 8, .window = 16 },
		 &log, &ledger);
	CHECK(gauge.most > 1 && gauge.most <= 8);
	CHECK(is_sorted(&log));
}

static uint64_t mod5(const int *n)
{
	return (uint64_t)(*n % 5);
}

TEST_BOTH(keyed_keeps_the_order_of_a_key, 30)
{
	struct log log = { 0 };
	int last[5] = { -1, -1, -1, -1, -1 };
	leat_ledger ledger;

	run_naps(&(leat_stage_options){ .mode = LEAT_STAGE_KEYED, .workers = 8, .buffer = 4,
					.key = LEAT_STAGE_KEY(int, mod5) }, &log, &ledger);
	CHECK(gauge.most > 1 && gauge.most <= 5);
	CHECK(!is_sorted(&log));
	for (int i = 0; i < log.n; i++) {
		CHECK(last[log.item[i] % 5] < log.item[i]);
		last[log.item[i] % 5] = log.item[i];
	}
}

static int nap_and_emit(int *n, leat_emitter(int) out)
{
	int r, v;

	r = nap(n, &v);
	for (int i = 0; i < 2 && r == 0; i++)
		r = leat_emit(out, v * 2 + i);
	return r;
}

/* What two items of one key become does not mix either. */
TEST_BOTH(keyed_flat_keeps_the_order_of_a_key, 30)
{
	struct range range = { 0, N };
	struct log log = { 0 };
	int last[5] = { -1, -1, -1, -1, -1 };
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a, b;

	gauge = (struct gauge){ 0 };
	CHECK_EQ(leat_pipeline_make(&p, .live = 32), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_flat(p, a, &b, nap_and_emit, .name = "nap", .mode = LEAT_STAGE_KEYED,
			   .workers = 8, .buffer = 4, .on_error = LEAT_ERROR_STOP,
			   .key = LEAT_STAGE_KEY(int, mod5));
	leat_pipeline_sink_with(p, b, &log, collect, SERIAL("collect"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	CHECK_EQ(ledger.out, N);
	CHECK_EQ(log.n, 2 * N);
	CHECK(gauge.most > 1 && gauge.most <= 5);
	for (int i = 0; i < log.n; i++) {
		int key = log.item[i] / 2 % 5;

		CHECK(last[key] < log.item[i]);
		last[key] = log.item[i];
	}
}

/* All workers must be at work at once: one that waits for items is started behind each. */
static leat_barrier barrier;

static int meet(int *n, int *ret_n)
{
	*ret_n = *n;
	return leat_barrier_wait(&barrier) < 0 ? -EIO : 0;
}

TEST_BOTH(parallel_stage_reaches_its_width, 20)
{
	struct range range = { 0, 32 };
	struct log log = { 0 };
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a, b;

	leat_barrier_init(&barrier, 8);
	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_map(p, a, &b, meet, PARALLEL("meet", 8));
	leat_pipeline_sink_with(p, b, &log, collect, SERIAL("collect"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	CHECK_EQ(ledger.out, 32);
}

/* The bound from end to end. */
static int count_live(struct range *range, int *ret_n)
{
	int r = count(range, ret_n);

	if (r == 0)
		gauge_enter(&gauge);
	return r;
}

static int leave(int *n)
{
	leat_sleep((int64_t)leat_random(20) * LEAT_US + *n % 2);
	gauge_leave(&gauge);
	return 0;
}

TEST_BOTH(live_bounds_the_items, 20)
{
	struct range range = { 0, N };
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a, b;

	gauge = (struct gauge){ 0 };
	CHECK_EQ(leat_pipeline_make(&p, .live = 5), 0);
	leat_pipeline_source(p, &a, &range, count_live, .name = "count");
	leat_pipeline_map(p, a, &b, square, PARALLEL("square", 3), .buffer = 100);
	leat_pipeline_sink(p, b, leave, SERIAL("leave"), .buffer = 100);
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	CHECK_EQ(ledger.out, N);
	CHECK_EQ(gauge.most, 5);
}

static uint64_t weight(const int *n)
{
	return *n % 7 == 0 ? 1000 : 10;
}

static atomic_int bytes, most_bytes;

static int add_bytes(int *n, int *ret_n)
{
	int now = atomic_fetch_add(&bytes, (int)weight(n)) + (int)weight(n);
	int most = atomic_load(&most_bytes);

	while (now > most && !atomic_compare_exchange_weak(&most_bytes, &most, now))
		;
	*ret_n = *n;
	return 0;
}

static int take_bytes(int *n)
{
	leat_sleep((int64_t)leat_random(20) * LEAT_US);
	atomic_fetch_sub(&bytes, (int)weight(n));
	return 0;
}

TEST_BOTH(live_bytes_bounds_their_weight, 20)
{
	struct range range = { 1, N };
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a, b;

	atomic_store(&most_bytes, 0);
	/* A thousand fill it, and go alone; tens go by three. */
	CHECK_EQ(leat_pipeline_make(&p, .live = 50, .live_bytes = 35), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count",
			     .weigh = LEAT_STAGE_WEIGH(int, weight));
	leat_pipeline_map(p, a, &b, add_bytes, SERIAL("add"), .buffer = 50);
	leat_pipeline_sink(p, b, take_bytes, SERIAL("take"), .buffer = 50);
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	CHECK_EQ(ledger.out, N - 1);
	CHECK_EQ(atomic_load(&most_bytes), 1000);
}

struct ints {
	int *item;
	size_t n;
};

struct batches {
	size_t n, size[10 * N];
	int64_t at[10 * N];
	int sum;
};

static int collect_batch(struct batches *b, struct ints *batch)
{
	b->at[b->n] = leat_now();
	b->size[b->n++] = batch->n;
	for (size_t i = 0; i < batch->n; i++)
		b->sum += batch->item[i];
	return 0;
}

static int64_t paused_at;

static int count_with_pause(struct range *range, int *ret_n)
{
	int r = count(range, ret_n);

	if (r == 0 && *ret_n == 25) {
		paused_at = leat_now();
		r = leat_sleep(LEAT_S);
	}
	return r;
}

TEST_SIM(batch_by_size_and_time, 10)
{
	struct range range = { 0, 50 };
	struct batches batches = { 0 };
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a;
	leat_flow(struct ints) b;

	CHECK_EQ(leat_pipeline_make(&p, .live = 50), 0);
	leat_pipeline_source(p, &a, &range, count_with_pause, .name = "count");
	leat_pipeline_batch(p, a, &b, .name = "batch", .items = 10, .wait = 10 * LEAT_MS);
	leat_pipeline_sink_with(p, b, &batches, collect_batch, SERIAL("collect"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	CHECK_EQ(ledger.out, 50);
	CHECK_EQ(batches.sum, 49 * 50 / 2);
	/* 10, 10, and 5 that do not wait for the rest; then 10, 10, 5 again. */
	CHECK_EQ(batches.n, 6);
	CHECK_EQ(batches.size[0], 10);
	CHECK_EQ(batches.size[2], 5);
	CHECK(batches.at[2] - paused_at <= 11 * LEAT_MS);
	CHECK(batches.at[2] - paused_at >= 9 * LEAT_MS);
	CHECK_EQ(batches.size[5], 5);
}

static uint64_t weigh_for_a_ms(const int *n)
{
	(void)n;
	CHECK_EQ(leat_sleep(LEAT_MS), 0);
	return 1;
}

/* While there always is a next item, too, the first one waits no longer. */
TEST_SIM(batch_by_time_of_many_items, 5)
{
	struct range range = { 0, 50 };
	struct batches batches = { 0 };
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a;
	leat_flow(struct ints) b;

	CHECK_EQ(leat_pipeline_make(&p, .live = 50), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_batch(p, a, &b, .name = "batch", .items = 50, .wait = 10 * LEAT_MS,
			    .buffer = 50, .weight = 1000,
			    .weigh = LEAT_STAGE_WEIGH(int, weigh_for_a_ms));
	leat_pipeline_sink_with(p, b, &batches, collect_batch, SERIAL("collect"), .buffer = 50);
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	CHECK_EQ(ledger.out, 50);
	CHECK_EQ(batches.sum, 49 * 50 / 2);
	CHECK(batches.n >= 4);
	for (size_t i = 0; i < batches.n; i++)
		CHECK(batches.size[i] <= 12);
}

TEST_SIM(batch_by_weight, 5)
{
	struct range range = { 1, 15 };
	struct batches batches = { 0 };
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a;
	leat_flow(struct ints) b;

	CHECK_EQ(leat_pipeline_make(&p, .live = 50), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_batch(p, a, &b, .name = "batch", .items = 50, .wait = LEAT_FOREVER,
			    .weight = 30, .weigh = LEAT_STAGE_WEIGH(int, weight));
	leat_pipeline_sink_with(p, b, &batches, collect_batch, SERIAL("collect"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	/* 1 2 3, 4 5 6, 7 (too heavy for others), 8 9 10, 11 12 13, 14 */
	CHECK_EQ(batches.n, 6);
	CHECK_EQ(batches.size[0], 3);
	CHECK_EQ(batches.size[1], 3);
	CHECK_EQ(batches.size[2], 1);
	CHECK_EQ(batches.size[3], 3);
	CHECK_EQ(batches.size[5], 1);
}

static int repeat(int *n, leat_emitter(int) out)
{
	int r = 0;

	for (int i = 0; i < *n % 3 && r == 0; i++)
		r = leat_emit(out, *n * 10 + i);
	return r;
}

TEST_BOTH(flat_hands_on_any_number, 20)
{
	struct range range = { 0, 90 };
	struct log log = { 0 };
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a, b;

	CHECK_EQ(leat_pipeline_make(&p, .live = 4), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_flat(p, a, &b, repeat, PARALLEL("repeat", 3));
	leat_pipeline_sink_with(p, b, &log, collect, SERIAL("collect"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	CHECK_EQ(log.n, 90); /* 0, 1 or 2 of each */
	CHECK_EQ(ledger.out, 60);
	CHECK_EQ(ledger.dropped[LEAT_DROPPED_FILTERED], 30);
}

/* Each item's values one after the other, in the order of the items; so many at once. */
static int repeat_slowly(int *n, leat_emitter(int) out)
{
	int r = 0;

	gauge_enter(&gauge);
	for (int i = 0; i < *n % 8 && r == 0; i++) {
		if (leat_random(2))
			leat_sleep((int64_t)leat_random(20) * LEAT_US);
		r = leat_emit(out, *n * 10 + i);
	}
	gauge_leave(&gauge);
	return r;
}

static void repeat_in_order(size_t ahead, struct log *log)
{
	struct range range = { 0, 160 };
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a, b;
	int n = 0;

	gauge = (struct gauge){ 0 };
	CHECK_EQ(leat_pipeline_make(&p, .live = 16), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_flat(p, a, &b, repeat_slowly, ORDERED("repeat", 4, 5), .ahead = ahead,
			   .buffer = 3);
	leat_pipeline_sink_with(p, b, log, collect, SERIAL("collect"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	CHECK_EQ(ledger.out, 140);
	CHECK_EQ(ledger.dropped[LEAT_DROPPED_FILTERED], 20);
	for (int i = 0; i < 160; i++)
		for (int k = 0; k < i % 8; k++)
			CHECK_EQ(log->item[n++], i * 10 + k);
	CHECK_EQ(log->n, n);
	CHECK(gauge.most > 1 && gauge.most <= 4);
}

TEST_BOTH(flat_in_order, 20)
{
	struct log log = { 0 };

	repeat_in_order(10, &log);
}

/* Less place than values: it waits for its turn, and the first one never does. */
TEST_BOTH(flat_in_order_waits_for_its_turn, 20)
{
	struct log log = { 0 };

	repeat_in_order(1, &log);
}

/* The first one sleeps; how much the others have emitted meanwhile is what ahead says. */
static atomic_int emitted;

static int emit_four(int *n, leat_emitter(int) out)
{
	int r = *n == 0 ? leat_sleep(LEAT_S) : 0;

	for (int i = 0; i < 4 && r == 0; i++) {
		r = leat_emit(out, *n);
		atomic_fetch_add(&emitted, 1);
	}
	return r;
}

TEST_SIM(ahead_bounds_what_is_kept, 5)
{
	struct range range = { 0, 20 };
	struct log log = { 0 };
	leat_pipeline *p;
	leat_flow(int) a, b;

	atomic_store(&emitted, 0);
	CHECK_EQ(leat_pipeline_make(&p, .live = 16), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_flat(p, a, &b, emit_four, ORDERED("four", 4, 4), .ahead = 3);
	leat_pipeline_sink_with(p, b, &log, collect, SERIAL("collect"));
	CHECK_EQ(leat_pipeline_start(p), 0);
	leat_sleep(LEAT_S / 2);
	/* Three others are at work; each has emitted three, and waits with the fourth. */
	CHECK_EQ(emitted, 9);
	CHECK_EQ(leat_pipeline_wait(p), 0);
	leat_pipeline_destroy(p, NULL);
	CHECK_EQ(emitted, 80);
	CHECK_EQ(log.n, 80);
	CHECK(is_sorted(&log));
}

static int odd(int *n, int *ret_n)
{
	*ret_n = *n;
	return *n % 2 ? 0 : LEAT_SKIP;
}

static int add(long *sum, int *n)
{
	*sum += *n;
	return 0;
}

static long result;

static int store(long *sum)
{
	result = *sum;
	return 0;
}

TEST_BOTH(skip_and_reduce, 20)
{
	struct range range = { 0, 100 };
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a, b;
	leat_flow(long) c;
	long zero = 0;

	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_map(p, a, &b, odd, PARALLEL("odd", 2));
	leat_pipeline_reduce(p, b, &c, &zero, add, .name = "add", .on_error = LEAT_ERROR_STOP);
	leat_pipeline_sink(p, c, store, SERIAL("store"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	CHECK_EQ(result, 2500);
	CHECK_EQ(ledger.out, 50);
	CHECK_EQ(ledger.dropped[LEAT_DROPPED_FILTERED], 50);
}

static int returns_count(int *n, int *ret_n)
{
	*ret_n = *n;
	return *n == 0 ? INT_MAX : *n; /* 1 of 1, 2 of 2, ... */
}

/* Of a map any result but LEAT_SKIP and errors is success. */
TEST_BOTH(map_that_returns_counts, 20)
{
	struct range range = { 0, 100 };
	struct log log = { 0 };
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a, b;

	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_map(p, a, &b, returns_count, SERIAL("counts"));
	leat_pipeline_sink_with(p, b, &log, collect, SERIAL("collect"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	CHECK_EQ(log.n, 100);
	CHECK_EQ(ledger.out, 100);
}

static int count_at_times(struct range *range, int *ret_n)
{
	if (leat_random(8) == 0)
		leat_sleep((int64_t)leat_random(5) * LEAT_MS);
	return count(range, ret_n);
}

static int count_slowly(struct range *range, int *ret_n)
{
	leat_sleep(LEAT_MS);
	return count(range, ret_n);
}

static int sum_up(int *sum, int *n)
{
	*sum += *n;
	return 0;
}

static int collect_slowly(struct log *log, int *item)
{
	leat_sleep(10 * LEAT_MS);
	return collect(log, item);
}

TEST_SIM(conflate_while_the_sink_is_busy, 10)
{
	struct range range = { 1, 101 };
	struct log log = { 0 };
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a, b;
	int sum = 0;

	CHECK_EQ(leat_pipeline_make(&p, .live = 100), 0);
	leat_pipeline_source(p, &a, &range, count_slowly, .name = "count");
	leat_pipeline_conflate(p, a, &b, sum_up, .name = "sum", .on_error = LEAT_ERROR_STOP);
	leat_pipeline_sink_with(p, b, &log, collect_slowly, SERIAL("collect"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	for (int i = 0; i < log.n; i++)
		sum += log.item[i];
	CHECK_EQ(sum, 5050);
	CHECK(log.n >= 9 && log.n <= 13);
	CHECK_EQ(ledger.out, (uint64_t)log.n);
	CHECK_EQ(ledger.dropped[LEAT_DROPPED_MERGED], 100 - (uint64_t)log.n);
}

/* Items that are counted: each is made, and then used, failed or dropped exactly once. */
struct box {
	int n;
	int *owned;
};

static atomic_int made, used, failed, dropped;

static int make_box(struct range *range, struct box *ret_box)
{
	int r = count(range, &ret_box->n);

	if (r < 0)
		return r;
	ret_box->owned = malloc(sizeof(int));
	atomic_fetch_add(&made, 1);
	return 0;
}

static void drop_box(struct box *box)
{
	free(box->owned);
	atomic_fetch_add(&dropped, 1);
}

static void box_failed(struct box *box, int error)
{
	CHECK_EQ(error, -EIO);
	free(box->owned);
	atomic_fetch_add(&failed, 1);
}

static int use_box(struct box *box)
{
	free(box->owned);
	atomic_fetch_add(&used, 1);
	return 0;
}

static int bad_seventh(struct box *box, struct box *ret_box)
{
	if (box->n % 7 == 6)
		return -EIO;
	*ret_box = *box;
	return 0;
}

static void check_boxes(const leat_ledger *ledger)
{
	CHECK_EQ(ledger->in, (uint64_t)made);
	CHECK_EQ(ledger->out, (uint64_t)used);
	CHECK_EQ(made, used + failed + dropped);
}

static leat_pipeline *make_boxes(struct range *range, enum leat_on_error on_error,
				 const leat_retry_options *retry)
{
	leat_pipeline *p;
	leat_flow(struct box) a, b;

	atomic_store(&made, 0);
	atomic_store(&used, 0);
	atomic_store(&failed, 0);
	atomic_store(&dropped, 0);
	CHECK_EQ(leat_pipeline_make(&p, .live = 16), 0);
	leat_pipeline_source(p, &a, range, make_box, .name = "make",
			     .drop = LEAT_STAGE_DROP(struct box, drop_box));
	leat_pipeline_map(p, a, &b, bad_seventh, .name = "check", .mode = LEAT_STAGE_PARALLEL,
			  .workers = 3, .buffer = 4, .on_error = on_error, .retry = retry,
			  .failed = LEAT_STAGE_FAILED(struct box, box_failed),
			  .drop = LEAT_STAGE_DROP(struct box, drop_box));
	leat_pipeline_sink(p, b, use_box, SERIAL("use"), .buffer = 4);
	return p;
}

TEST_BOTH(an_error_stops, 50)
{
	struct range range = { 0, N };
	leat_pipeline *p = make_boxes(&range, LEAT_ERROR_STOP, NULL);
	leat_ledger ledger;

	CHECK_EQ(leat_pipeline_run(p), -EIO);
	CHECK_EQ(leat_pipeline_destroy(p, ledger_init(&ledger)), -EIO);
	check_at_rest(&ledger);
	check_boxes(&ledger);
	CHECK(failed >= 1 && made < N);
	CHECK_EQ(ledger.failed, (uint64_t)failed);
	CHECK_EQ(ledger.cancelled, (uint64_t)dropped);
}

TEST_BOTH(errors_are_dead_letters, 50)
{
	struct range range = { 0, 210 };
	leat_pipeline *p = make_boxes(&range, LEAT_ERROR_COUNT, NULL);
	leat_ledger ledger;

	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	check_boxes(&ledger);
	CHECK_EQ(failed, 30);
	CHECK_EQ(ledger.failed, 30);
	CHECK_EQ(used, 180);
}

static atomic_int tries;

static int third_time(int *n, int *ret_n)
{
	*ret_n = *n;
	return atomic_fetch_add(&tries, 1) % 3 == 2 ? 0 : -EIO;
}

TEST_SIM(retry_before_it_fails, 5)
{
	struct range range = { 0, 30 };
	struct log log = { 0 };
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a, b;

	atomic_store(&tries, 0);
	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_map(p, a, &b, third_time, SERIAL("try"),
			  .retry = LEAT_RETRY_OPTIONS(.attempts = 3, .backoff = LEAT_MS));
	leat_pipeline_sink_with(p, b, &log, collect, SERIAL("collect"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	CHECK_EQ(ledger.out, 30);
	CHECK_EQ(tries, 90);
}

static int map_with_none(struct log *none, int *n, int *ret_n)
{
	*ret_n = *n;
	return none ? -EIO : 0;
}

static int emit_with_none(struct log *none, int *n, leat_emitter(int) emitter)
{
	return none ? -EIO : leat_emit(emitter, *n);
}

static int use_with_none(struct log *none, int *n)
{
	atomic_fetch_add(&tries, *n);
	return none ? -EIO : 0;
}

/* Functions that have a state get it, also if it is NULL. */
TEST_SIM(a_state_that_is_null, 3)
{
	struct range range = { 0, 30 };
	struct log *none = NULL;
	leat_pipeline *p;
	leat_flow(int) a, b, c;
	leat_ledger ledger;

	atomic_store(&tries, 0);
	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_map_with(p, a, &b, none, map_with_none, SERIAL("map"));
	leat_pipeline_flat_with(p, b, &c, none, emit_with_none, SERIAL("flat"));
	leat_pipeline_sink_with(p, c, none, use_with_none, SERIAL("use"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	CHECK_EQ(tries, 30 * 29 / 2);
}

static int enough(int *n)
{
	(void)n;
	atomic_fetch_add(&tries, 1);
	return LEAT_ECLOSED;
}

/* It is no error, so it is not tried again. */
TEST_SIM(enough_is_not_retried, 5)
{
	struct range range = { 0, 30 };
	leat_pipeline *p;
	leat_flow(int) a;
	leat_ledger ledger;

	atomic_store(&tries, 0);
	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_sink(p, a, enough, SERIAL("enough"),
			   .retry = LEAT_RETRY_OPTIONS(.attempts = 3, .backoff = LEAT_MS));
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	CHECK_EQ(tries, 1);
	CHECK_EQ(ledger.out, 1);
}

static int first_ten(struct box *box)
{
	use_box(box);
	return used == 10 ? LEAT_ECLOSED : 0;
}

TEST_BOTH(the_sink_has_enough, 50)
{
	struct range range = { 0, INT_MAX };
	leat_pipeline *p;
	leat_flow(struct box) a;
	leat_ledger ledger;

	atomic_store(&made, 0);
	atomic_store(&used, 0);
	atomic_store(&failed, 0);
	atomic_store(&dropped, 0);
	CHECK_EQ(leat_pipeline_make(&p, .live = 16), 0);
	leat_pipeline_source(p, &a, &range, make_box, .name = "make",
			     .drop = LEAT_STAGE_DROP(struct box, drop_box));
	leat_pipeline_sink(p, a, first_ten, SERIAL("first ten"), .buffer = 16);
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	check_boxes(&ledger);
	CHECK_EQ(ledger.out, 10);
	CHECK_EQ(ledger.dropped[LEAT_DROPPED_UNWANTED], (uint64_t)dropped);
}

LEAT_TASK(stop_after, (leat_pipeline *, p), (int64_t, ns), (int, cause))
{
	leat_sleep(ns);
	if (cause == 0)
		leat_pipeline_shutdown(p);
	else
		leat_pipeline_abort(p, cause);
}

static int make_slowly(struct range *range, struct box *ret_box)
{
	int r = leat_sleep(10 * LEAT_US);

	return r < 0 ? r : make_box(range, ret_box);
}

static leat_pipeline *make_endless(struct range *range)
{
	leat_pipeline *p;
	leat_flow(struct box) a, b;

	atomic_store(&made, 0);
	atomic_store(&used, 0);
	atomic_store(&failed, 0);
	atomic_store(&dropped, 0);
	CHECK_EQ(leat_pipeline_make(&p, .live = 16), 0);
	leat_pipeline_source(p, &a, range, make_slowly, .name = "make",
			     .drop = LEAT_STAGE_DROP(struct box, drop_box));
	leat_pipeline_map(p, a, &b, bad_seventh, ORDERED("check", 3, 4), .buffer = 4,
			  .drop = LEAT_STAGE_DROP(struct box, drop_box));
	leat_pipeline_sink(p, b, use_box, SERIAL("use"), .buffer = 4);
	return p;
}

static int never_bad(struct box *box, struct box *ret_box)
{
	*ret_box = *box;
	return 0;
}

TEST_BOTH(shutdown_lets_through_what_is_live, 200)
{
	struct range range = { 0, INT_MAX };
	leat_pipeline *p;
	leat_flow(struct box) a, b;
	leat_ledger ledger;

	atomic_store(&made, 0);
	atomic_store(&used, 0);
	atomic_store(&failed, 0);
	atomic_store(&dropped, 0);
	CHECK_EQ(leat_pipeline_make(&p, .live = 16), 0);
	leat_pipeline_source(p, &a, &range, make_slowly, .name = "make");
	leat_pipeline_map(p, a, &b, never_bad, ORDERED("check", 3, 4), .buffer = 4);
	leat_pipeline_sink(p, b, use_box, SERIAL("use"), .buffer = 4);
	CHECK_EQ(leat_go(stop_after, p, (int64_t)leat_random(LEAT_MS), 0), 0);
	/* The other task may still be in shutdown when this one destroys it. */
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	check_boxes(&ledger);
	CHECK_EQ(ledger.out, ledger.in);
}

TEST_BOTH(shutdown_and_abort_before_the_start, 5)
{
	leat_chan(int) from = leat_chan_make(int, 1), to = leat_chan_make(int, 1);
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a;
	int v;

	for (int cause = 0; cause >= -EPERM; cause -= EPERM) {
		CHECK_EQ(leat_pipeline_make(&p, .live = 16), 0);
		leat_pipeline_from(p, &a, from, .name = "from");
		leat_pipeline_to(p, a, to, .name = "to");
		if (cause == 0)
			leat_pipeline_shutdown(p);
		else
			leat_pipeline_abort(p, cause);
		CHECK_EQ(leat_pipeline_run(p), cause);
		CHECK_EQ(leat_pipeline_destroy(p, ledger_init(&ledger)), cause);
		check_at_rest(&ledger);
		CHECK_EQ(ledger.in, 0);
		/* Both sides are told. */
		CHECK_EQ(leat_send(from, 1), LEAT_ECLOSED);
		CHECK_EQ(leat_recv(to, &v), LEAT_ECLOSED);
		leat_chan_unref(from);
		leat_chan_unref(to);
		from = leat_chan_make(int, 1);
		to = leat_chan_make(int, 1);
	}
	leat_chan_unref(from);
	leat_chan_unref(to);
}

TEST_BOTH(abort_drops_what_is_live, 200)
{
	struct range range = { 7, INT_MAX };
	leat_pipeline *p = make_endless(&range);
	leat_ledger ledger;
	leat_group group;
	int r;

	CHECK_EQ(leat_group_init(&group, LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE)), 0);
	CHECK_EQ(leat_go_in(&group, stop_after, p, (int64_t)leat_random(50 * LEAT_US), -EPERM), 0);
	r = leat_pipeline_run(p);
	CHECK(r == -EPERM || r == -EIO);
	/* An item has failed: the other task may come later. */
	if (r == -EIO)
		CHECK_EQ(leat_group_wait(&group), 0);
	end(p, &ledger);
	check_boxes(&ledger);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
}

static int use_int(int *n)
{
	return *n < 0 ? -EINVAL : 0;
}

/* Many stages to walk for who stops it. */
static leat_pipeline *make_long(struct range *range)
{
	leat_pipeline *p;
	leat_flow(int) a;

	*range = (struct range){ 0, INT_MAX };
	CHECK_EQ(leat_pipeline_make(&p, .live = 16), 0);
	leat_pipeline_source(p, &a, range, count, .name = "count");
	for (int i = 0; i < 12; i++) {
		leat_flow(int) in = a;

		leat_pipeline_map(p, in, &a, nap, ORDERED("nap", 2, 4));
	}
	leat_pipeline_sink(p, a, use_int, SERIAL("use"));
	return p;
}

TEST_BOTH(destroyed_while_another_stops_it, 300)
{
	static const int cause[] = { -EPERM, -EPIPE, 0 };

	for (int i = 0; i < 3; i++) {
		struct range range;
		leat_pipeline *p = make_long(&range);
		leat_ledger ledger;
		int r;

		CHECK_EQ(leat_go(stop_after, p, (int64_t)leat_random(50 * LEAT_US), cause[i]), 0);
		r = leat_pipeline_run(p);
		CHECK_EQ(leat_pipeline_destroy(p, ledger_init(&ledger)), r);
		CHECK_EQ(r, cause[i]);
		check_at_rest(&ledger);
	}
}

LEAT_TASK_ERR(run_endless, (leat_ledger *, ledger))
{
	struct range range = { 0, INT_MAX };
	leat_pipeline *p = make_endless(&range);
	int r = leat_pipeline_run(p);

	leat_pipeline_destroy(p, ledger_init(ledger));
	return r;
}

TEST_BOTH(cancelled_from_above, 50)
{
	leat_group group;
	leat_ledger ledger;

	CHECK_EQ(leat_group_init(&group, NULL), 0);
	CHECK_EQ(leat_go_in(&group, run_endless, &ledger), 0);
	leat_sleep((int64_t)leat_random(50 * LEAT_US) + 1);
	leat_group_cancel(&group, 0);
	CHECK(leat_group_wait(&group) < 0);
	leat_group_release(&group);
	check_at_rest(&ledger);
	check_boxes(&ledger);
}

static int slow_fifth(int *n, int *ret_n)
{
	*ret_n = *n;
	leat_sleep(*n == 5 ? LEAT_S : LEAT_MS);
	return 0;
}

static void mark_gap(int *ret_n)
{
	*ret_n = -1;
}

TEST_SIM(a_gap_for_a_head_that_blocks, 20)
{
	struct range range = { 0, 40 };
	struct log log = { 0 };
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a, b;
	int64_t began = leat_now();

	CHECK_EQ(leat_pipeline_make(&p, .live = 20), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_map(p, a, &b, slow_fifth, ORDERED("nap", 4, 8), .gap_after = 50 * LEAT_MS,
			  .gap = LEAT_STAGE_GAP(int, mark_gap));
	leat_pipeline_sink_with(p, b, &log, collect, SERIAL("collect"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	CHECK(leat_now() - began < LEAT_S + 100 * LEAT_MS);
	end(p, &ledger);
	CHECK_EQ(ledger.out, 39);
	CHECK_EQ(ledger.dropped[LEAT_DROPPED_LATE], 1);
	CHECK_EQ(log.n, 40);
	for (int i = 0; i < log.n; i++)
		CHECK_EQ(log.item[i], i == 5 ? -1 : i);
}

/* An array in steps of the size that the program knows. */
TEST_SIM(stats_of_an_older_program, 1)
{
	_Alignas(leat_stage_stats) char room[4 * OLD_STATS_SIZE];
	leat_stage_stats *old = old_stats(room, sizeof(room)), none = { 0 };
	const leat_stage_stats *second = (const void *)(room + OLD_STATS_SIZE);
	struct range range = { 0, 3 };
	struct log log = { 0 };
	leat_pipeline *p;
	leat_flow(int) a;
	char text[1000];

	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	CHECK(leat_pipeline_explain(p, text, sizeof(text)) > 0);
	CHECK(strstr(text, "no stage to widen"));
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_sink_with(p, a, &log, collect, SERIAL("collect"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	CHECK_EQ(leat_pipeline_stats(p, NULL, 0), 2);
	CHECK_EQ(leat_pipeline_stats(p, &none, 1), -EINVAL);
	CHECK_EQ(leat_pipeline_stats(p, old, 4), 2);
	CHECK_STR(old->name, "count");
	CHECK_EQ(second->size, OLD_STATS_SIZE);
	CHECK_STR(second->name, "collect");
	CHECK_EQ(second->items, 3);
	CHECK(is_untouched(room + 2 * OLD_STATS_SIZE, 2 * OLD_STATS_SIZE));
	CHECK(leat_stage_explain(old, 2, text, sizeof(text)) > 0);
	CHECK(strstr(text, "\ncount ") && strstr(text, "\ncollect "));
	leat_pipeline_destroy(p, NULL);
}

TEST_SIM(a_rate_limits_a_stage, 5)
{
	struct range range = { 0, 30 };
	struct log log = { 0 };
	leat_stage_stats stats[3] = { { .size = sizeof(stats[0]) } };
	leat_ledger ledger;
	leat_bucket bucket;
	leat_pipeline *p;
	leat_flow(int) a, b;
	int64_t began = leat_now();
	char text[1000];

	CHECK_EQ(leat_bucket_init(&bucket, 100, 1), 0);
	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_map(p, a, &b, square, SERIAL("square"), .rate = &bucket);
	leat_pipeline_sink_with(p, b, &log, collect, SERIAL("collect"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	CHECK(leat_now() - began >= 290 * LEAT_MS);
	CHECK(leat_now() - began < 310 * LEAT_MS);
	CHECK_EQ(leat_pipeline_stats(p, stats, 3), 3);
	CHECK_EQ(stats[1].items, 30);
	CHECK(stats[1].time[LEAT_STAGE_LIMITED] > 280 * LEAT_MS);
	CHECK(stats[0].time[LEAT_STAGE_BLOCKED] > 200 * LEAT_MS);
	CHECK(stats[2].time[LEAT_STAGE_STARVED] > 280 * LEAT_MS);
	leat_pipeline_explain(p, text, sizeof(text));
	CHECK(strstr(text, "raise the limit of square"));
	end(p, &ledger);
}

enum { RATED_SOURCE, RATED_FLAT, RATED_SINK, RATED_FROM, RATED_TO, RATED };

/* 30 items, at ten milliseconds each, through two lines of which one stage has a rate. */
static void run_rated(int which)
{
	leat_chan(int) from = leat_chan_make(int, 30), to = leat_chan_make(int, 30);
	leat_stage_stats stats[RATED] = { { .size = sizeof(stats[0]) } };
	struct range range = { 0, 30 };
	struct log log = { 0 };
	leat_bucket bucket, *rate[RATED] = { NULL };
	int64_t began = leat_now();
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a, b, c;

	rate[which] = &bucket;
	for (int i = 0; i < 30; i++)
		CHECK_EQ(leat_send(from, i), 0);
	leat_close(from);
	CHECK_EQ(leat_bucket_init(&bucket, 100, 1), 0);
	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count", .rate = rate[RATED_SOURCE]);
	leat_pipeline_flat(p, a, &b, repeat, PARALLEL("repeat", 2), .rate = rate[RATED_FLAT]);
	leat_pipeline_sink_with(p, b, &log, collect, SERIAL("collect"), .rate = rate[RATED_SINK]);
	leat_pipeline_from(p, &c, from, .name = "from", .rate = rate[RATED_FROM]);
	leat_pipeline_to(p, c, to, .name = "to", .rate = rate[RATED_TO]);
	CHECK_EQ(leat_pipeline_run(p), 0);
	CHECK(leat_now() - began >= 290 * LEAT_MS);
	CHECK(leat_now() - began < 310 * LEAT_MS);
	CHECK_EQ(leat_pipeline_stats(p, stats, RATED), RATED);
	for (int i = 0; i < RATED; i++)
		CHECK_EQ(stats[i].time[LEAT_STAGE_LIMITED] > 280 * LEAT_MS, i == which);
	end(p, &ledger);
	CHECK_EQ(log.n, 30); /* 0, 1 or 2 of each */
	CHECK_EQ(leat_chan_len(to), 30);
	leat_chan_unref(from);
	leat_chan_unref(to);
}

TEST_SIM(a_rate_limits_whatever_may_have_one, 5)
{
	for (int which = 0; which < RATED; which++)
		run_rated(which);
}

static int nap_for(int64_t *ns, int *n, int *ret_n)
{
	*ret_n = *n;
	return leat_sleep(*ns);
}

/* Three stages, of which each is the slowest in turn, and is named. */
static void name_bottleneck(int which)
{
	static const char *const name[] = { "one", "two", "three" };
	int64_t ns[3] = { 100 * LEAT_US, 100 * LEAT_US, 100 * LEAT_US };
	struct range range = { 0, N };
	struct log log = { 0 };
	leat_stage_stats stats[5] = { { .size = sizeof(stats[0]) } };
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) flow[4];
	char text[2000], expected[64];

	ns[which] = LEAT_MS;
	CHECK_EQ(leat_pipeline_make(&p, .live = 32), 0);
	leat_pipeline_source(p, &flow[0], &range, count, .name = "count");
	for (int i = 0; i < 3; i++)
		leat_pipeline_map_with(p, flow[i], &flow[i + 1], &ns[i], nap_for,
				       PARALLEL(name[i], 2), .buffer = 4);
	leat_pipeline_sink_with(p, flow[3], &log, collect, SERIAL("collect"), .buffer = 4);
	CHECK_EQ(leat_pipeline_run(p), 0);
	leat_pipeline_explain(p, text, sizeof(text));
	snprintf(expected, sizeof(expected), "widen %s: its 2 workers", name[which]);
	if (!strstr(text, expected))
		test_fail(__FILE__, __LINE__, "not \"%s\":\n%s", expected, text);
	CHECK_EQ(leat_pipeline_stats(p, stats, 5), 5);
	/* 200 items of 1 ms by two: 100 ms; sampled times are at most 12.5 % too high. */
	CHECK(stats[1 + which].service_p50 >= LEAT_MS);
	CHECK(stats[1 + which].service_p50 <= LEAT_MS * 9 / 8 + 10 * LEAT_US);
	CHECK(stats[1 + which].time[LEAT_STAGE_BUSY] >= 199 * LEAT_MS);
	CHECK(stats[1 + which].time[LEAT_STAGE_BUSY] <= 203 * LEAT_MS);
	end(p, &ledger);
}

TEST_SIM(the_bottleneck_is_named, 5)
{
	for (int i = 0; i < 3; i++)
		name_bottleneck(i);
}

static int spin(int *n, int *ret_n)
{
	int64_t end = leat_now() + 100 * LEAT_US;

	while (leat_now() < end)
		;
	*ret_n = *n;
	return 0;
}

/* On threads, all of them at work: who only waits for one of them is not busy. */
TEST_WITH(the_stage_that_computes_is_named, .workers = 2)
{
	struct range range = { 0, 10 * N };
	struct batches batches = { 0 };
	leat_stage_stats stats[4] = { { .size = sizeof(stats[0]) } };
	leat_flow(struct ints) c;
	leat_flow(int) a, b;
	leat_ledger ledger;
	leat_pipeline *p;
	char text[2000];

	CHECK_EQ(leat_pipeline_make(&p, .live = 32), 0);
	leat_pipeline_source(p, &a, &range, count, .name = "count");
	leat_pipeline_map(p, a, &b, spin, ORDERED("spin", 2, 16), .buffer = 4);
	leat_pipeline_batch(p, b, &c, .name = "batch", .items = 5, .wait = LEAT_S);
	leat_pipeline_sink_with(p, c, &batches, collect_batch, SERIAL("collect"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	leat_pipeline_explain(p, text, sizeof(text));
	CHECK_EQ(leat_pipeline_stats(p, stats, 4), 4);
	for (int i = 0; i < 4; i++)
		if (i != 1 && stats[i].time[LEAT_STAGE_BUSY] > stats[i].elapsed / 4)
			test_fail(__FILE__, __LINE__, "%s is busy:\n%s", stats[i].name, text);
	if (!strstr(text, "widen spin"))
		test_fail(__FILE__, __LINE__, "not spin:\n%s", text);
	end(p, &ledger);
}

LEAT_TASK(send_all, (leat_chan(int), to), (int, n))
{
	for (int i = 0; i < n; i++)
		if (leat_send(to, i) < 0)
			return;
	leat_close(to);
}

TEST_BOTH(from_and_to_channels, 20)
{
	leat_chan(int) from = leat_chan_make(int, 3), to = leat_chan_make(int, 3);
	leat_group group;
	leat_pipeline *p;
	leat_flow(int) a, b;
	leat_ledger ledger;
	int n = 0;

	CHECK_EQ(leat_group_init(&group, NULL), 0);
	CHECK_EQ(leat_go_in(&group, send_all, from, N), 0);
	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	leat_pipeline_from(p, &a, from, .name = "from");
	leat_pipeline_map(p, a, &b, square, ORDERED("square", 3, 8));
	CHECK_EQ(leat_pipeline_to(p, b, to, .name = "to"), 0);
	CHECK_EQ(leat_pipeline_start(p), 0);
	leat_range(v, to) {
		CHECK_EQ(v, n * n);
		n++;
	}
	CHECK_EQ(n, N);
	CHECK_EQ(leat_pipeline_wait(p), 0);
	end(p, &ledger);
	CHECK_EQ(ledger.out, N);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	leat_chan_unref(from);
	leat_chan_unref(to);
}

/* The receiver goes: the pipeline has enough, and says so to its senders. */
TEST_BOTH(nobody_receives_any_more, 20)
{
	leat_chan(int) from = leat_chan_make(int, 3), to = leat_chan_make(int, 0);
	leat_group group;
	leat_pipeline *p;
	leat_flow(int) a;
	leat_ledger ledger;
	int v;

	CHECK_EQ(leat_group_init(&group, NULL), 0);
	CHECK_EQ(leat_go_in(&group, send_all, from, 1000000), 0);
	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	leat_pipeline_from(p, &a, from, .name = "from");
	leat_pipeline_to(p, a, to, .name = "to");
	CHECK_EQ(leat_pipeline_start(p), 0);
	CHECK_EQ(leat_recv(to, &v), 0);
	leat_abandon(to);
	CHECK_EQ(leat_pipeline_wait(p), 0);
	end(p, &ledger);
	CHECK_EQ(ledger.out, 1);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	leat_chan_unref(from);
	leat_chan_unref(to);
}

static int fail_now(struct range *range, int *ret_n)
{
	return count(range, ret_n) < 0 ? -ENODATA : 0;
}

TEST_BOTH(an_error_of_the_source_stops, 10)
{
	struct range range = { 0, 3 };
	struct log log = { 0 };
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a;

	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	leat_pipeline_source(p, &a, &range, fail_now, .name = "fail");
	leat_pipeline_sink_with(p, a, &log, collect, SERIAL("collect"));
	CHECK_EQ(leat_pipeline_run(p), -ENODATA);
	CHECK_EQ(leat_pipeline_destroy(p, ledger_init(&ledger)), -ENODATA);
	check_at_rest(&ledger);
	CHECK_EQ(ledger.in, 3);
}

TEST_BOTH(destroy_without_a_wait, 20)
{
	struct range range = { 0, INT_MAX };
	leat_pipeline *p = make_endless(&range);
	leat_ledger ledger;

	CHECK_EQ(leat_pipeline_start(p), 0);
	leat_sleep((int64_t)leat_random(30 * LEAT_US) + 1);
	CHECK(leat_pipeline_destroy(p, ledger_init(&ledger)) < 0);
	check_at_rest(&ledger);
	check_boxes(&ledger);
	CHECK_EQ(leat_pipeline_destroy(NULL, NULL), 0);
}

/* While items move: never more at its ends and in flight than has come in. */
LEAT_TASK(watch_ledger, (leat_pipeline *, p), (atomic_bool *, over))
{
	leat_ledger l;

	while (!atomic_load(over)) {
		uint64_t sum;

		CHECK_EQ(leat_pipeline_ledger(p, ledger_init(&l)), 0);
		sum = l.out + l.failed + l.cancelled + ledger_dropped(&l) + l.in_flight;
		if (sum > l.in || l.in_flight > 16)
			test_fail(__FILE__, __LINE__, "in %d, sum %d", (int)l.in, (int)sum);
		leat_yield();
	}
}

TEST_BOTH(a_ledger_at_any_time, 30)
{
	struct range range = { 0, 500 };
	leat_pipeline *p = make_boxes(&range, LEAT_ERROR_COUNT, NULL);
	atomic_bool over = false;
	leat_group group;
	leat_ledger ledger;

	CHECK_EQ(leat_group_init(&group, NULL), 0);
	CHECK_EQ(leat_go_in(&group, watch_ledger, p, &over), 0);
	CHECK_EQ(leat_pipeline_run(p), 0);
	atomic_store(&over, true);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	end(p, &ledger);
	check_boxes(&ledger);
}

/* Each stage counts what it has been given, and where that is. */
static int odd_or_bad(int *n, int *ret_n)
{
	*ret_n = *n;
	return *n % 10 == 9 ? -EIO : *n % 2 ? 0 : LEAT_SKIP;
}

static int use_for_a_second(int *n)
{
	(void)n;
	return leat_sleep(LEAT_S);
}

static leat_pipeline *three_stages(struct range *range, const leat_stage_options *as)
{
	leat_pipeline *p;
	leat_flow(int) a, b;

	*range = (struct range){ 0, 100 };
	CHECK_EQ(leat_pipeline_make(&p, .live = 20), 0);
	leat_pipeline_source(p, &a, range, count, .name = "count");
	leat_pipeline_map(p, a, &b, odd_or_bad, .name = "odd", .mode = as->mode,
			  .workers = as->workers, .buffer = as->buffer, .window = as->window,
			  .key = as->key, .on_error = LEAT_ERROR_COUNT);
	leat_pipeline_sink(p, b, use_for_a_second, SERIAL("use"), .buffer = 4);
	return p;
}

static leat_ledger of_stage(leat_pipeline *p, size_t i)
{
	leat_ledger l;

	CHECK_EQ(leat_pipeline_stage_ledger(p, i, ledger_init(&l)), 0);
	return l;
}

static void ledgers_of(const leat_stage_options *as)
{
	struct range range;
	leat_pipeline *p = three_stages(&range, as);
	leat_ledger l;
	uint64_t n;

	CHECK_EQ(leat_pipeline_start(p), 0);
	leat_sleep(LEAT_S / 2);
	/* The sink works on one, and up to eight wait there: it takes four at once. */
	l = of_stage(p, 2);
	n = l.in;
	CHECK(n >= 5 && n <= 9);
	CHECK_EQ(l.in_flight, n);
	l = of_stage(p, 1);
	CHECK(leat_ledger_balances(&l));
	CHECK_EQ(l.out, n);
	CHECK(l.failed >= 1 && l.dropped[LEAT_DROPPED_FILTERED] >= 6 && l.in_flight >= 1);
	CHECK_EQ(leat_pipeline_wait(p), 0);
	for (size_t i = 0; i < 3; i++) {
		l = of_stage(p, i);
		check_at_rest(&l);
		CHECK_EQ(l.in, i == 2 ? 40 : 100);
		CHECK_EQ(l.out, i == 0 ? 100 : 40);
		CHECK_EQ(l.failed, i == 1 ? 10 : 0);
		CHECK_EQ(l.dropped[LEAT_DROPPED_FILTERED], i == 1 ? 50 : 0);
	}
	CHECK_EQ(leat_pipeline_stage_ledger(p, 3, ledger_init(&l)), -EINVAL);
	leat_pipeline_destroy(p, NULL);
}

TEST_SIM(ledgers_of_stages, 5)
{
	ledgers_of(&(leat_stage_options){ .mode = LEAT_STAGE_SERIAL });
	ledgers_of(&(leat_stage_options){ .mode = LEAT_STAGE_SERIAL, .buffer = 8 });
	ledgers_of(&(leat_stage_options){ .mode = LEAT_STAGE_ORDERED, .workers = 3, .window = 3 });
}

static int latest(int *sum, int *n)
{
	*sum = *n;
	return 0;
}

static int collect_now_and_then(struct log *log, int *item)
{
	leat_sleep((int64_t)leat_random(5) * LEAT_MS);
	return collect(log, item);
}

/* In their order, also when there is a buffer. */
TEST_BOTH(conflate_keeps_the_order, 20)
{
	struct range range = { 0, N };
	struct log log = { 0 };
	leat_ledger ledger;
	leat_pipeline *p;
	leat_flow(int) a, b;

	CHECK_EQ(leat_pipeline_make(&p, .live = 32), 0);
	leat_pipeline_source(p, &a, &range, count_at_times, .name = "count");
	leat_pipeline_conflate(p, a, &b, latest, .name = "latest", .buffer = 8,
			       .on_error = LEAT_ERROR_STOP);
	leat_pipeline_sink_with(p, b, &log, collect_now_and_then, SERIAL("collect"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	end(p, &ledger);
	CHECK(is_sorted(&log));
	CHECK_EQ(log.item[log.n - 1], N - 1);
}

/* Each option that is bad is named. */
static void refused_stage(const char *text, const leat_stage_options *o)
{
	struct range range = { 0, 1 };
	leat_pipeline *p;
	leat_flow(int) a;
	leat_flow_raw *raw;
	leat_stage_options all = *o;

	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	CHECK_EQ(leat_pipeline_source(p, &a, &range, count, .name = "count"), 0);
	all.size = sizeof(all);
	all.in_size = o->in_size > 0 ? o->in_size : sizeof(int);
	all.out_size = o->out_size > 0 ? o->out_size : sizeof(int);
	logged[0] = '\0';
	CHECK_EQ(leat_pipeline_add(p, (leat_flow_raw *)a, &raw, &all), -EINVAL);
	CHECK(!raw);
	EXPECT_LOG(text);
	CHECK_EQ(leat_pipeline_run(p), -EINVAL);
	CHECK_EQ(leat_pipeline_destroy(p, NULL), 0);
}

#define MAP_OF(...)                                                           \
	(&(leat_stage_options){ .kind = LEAT__MAP, __VA_ARGS__ })
#define BATCH_OF(...)                                                         \
	(&(leat_stage_options){ .kind = LEAT__BATCH, .name = "it", __VA_ARGS__ })
#define SINK_OF(...)                                                          \
	(&(leat_stage_options){ .kind = LEAT__SINK, __VA_ARGS__ })
#define SOURCE_OF(...)                                                        \
	(&(leat_stage_options){ .kind = LEAT__SOURCE, .name = "it", __VA_ARGS__ })
#define TO_OF(...)                                                            \
	(&(leat_stage_options){ .kind = LEAT__TO, .name = "it", __VA_ARGS__ })

static void ignore_drop(int *n)
{
	(void)n;
}

static void ignore_failed(int *n, int error)
{
	(void)n;
	(void)error;
}

TEST_WITH(bad_options_of_a_stage, .log = log_line)
{
	refused_stage("no name", &(leat_stage_options){ .kind = LEAT__MAP });
	refused_stage("stage it: mode is 0", MAP_OF(.name = "it", .on_error = LEAT_ERROR_STOP));
	refused_stage("init is NULL", &(leat_stage_options){ .kind = LEAT__REDUCE, .name = "it",
							     .on_error = LEAT_ERROR_STOP });
	refused_stage("mode is 9", MAP_OF(.name = "it", .mode = 9, .on_error = LEAT_ERROR_STOP));
	refused_stage("on_error is 0", MAP_OF(.name = "it", .mode = LEAT_STAGE_SERIAL));
	refused_stage("workers is 0",
		      MAP_OF(.name = "it", .mode = LEAT_STAGE_PARALLEL, .on_error = 1));
	refused_stage("workers is -1", MAP_OF(.name = "it", .mode = LEAT_STAGE_KEYED, .on_error = 1,
					      .workers = -1, .key = LEAT_STAGE_KEY(int, mod5)));
	refused_stage("workers is 2", MAP_OF(SERIAL("it"), .workers = 2));
	refused_stage("window is 0", MAP_OF(ORDERED("it", 2, 0)));
	refused_stage("mode is ordered (3), which only a map or a flat",
		      SINK_OF(ORDERED("it", 2, 2)));
	refused_stage("window is 2", MAP_OF(SERIAL("it"), .window = 2));
	refused_stage("that is more than memory", MAP_OF(ORDERED("it", 2, SIZE_MAX / 64)));
	refused_stage("gap_after is 1", MAP_OF(SERIAL("it"), .gap_after = 1));
	refused_stage("ahead is 2; it must be > 0 for a flat", MAP_OF(ORDERED("it", 2, 2), .ahead = 2));
	refused_stage("ahead is 0; it must be > 0 for a flat",
		      &(leat_stage_options){ .kind = LEAT__FLAT, ORDERED("it", 2, 2) });
	refused_stage("gap_after is 1 ns; it is for maps",
		      &(leat_stage_options){ .kind = LEAT__FLAT, ORDERED("it", 2, 2), .ahead = 1,
					     .gap_after = 1 });
	refused_stage("gap_after is -1 ns; it must be >= 0",
		      MAP_OF(ORDERED("it", 2, 2), .gap_after = -1));
	refused_stage("gap is not given", MAP_OF(ORDERED("it", 2, 2), .gap_after = 1));
	refused_stage("key must be given",
		      MAP_OF(.name = "it", .mode = LEAT_STAGE_KEYED, .workers = 1));
	refused_stage("key must be given",
		      MAP_OF(SERIAL("it"), .key = LEAT_STAGE_KEY(int, mod5)));
	refused_stage("weigh is given",
		      MAP_OF(SERIAL("it"), .weigh = LEAT_STAGE_WEIGH(int, weight)));
	refused_stage("items is 3", MAP_OF(SERIAL("it"), .items = 3));
	refused_stage("wait 4", MAP_OF(SERIAL("it"), .wait = 4));
	refused_stage("weight 3; they are for batches", MAP_OF(SERIAL("it"), .weight = 3));
	refused_stage("stage it: retry is bad",
		      MAP_OF(SERIAL("it"), .retry = LEAT_RETRY_OPTIONS(.attempts = 0)));
	refused_stage("stage it: retry is bad",
		      MAP_OF(SERIAL("it"), .retry = &(leat_retry_options){ .attempts = 1 }));
	refused_stage("drop is given, but it hands nothing on",
		      SINK_OF(SERIAL("it"), .drop = LEAT_STAGE_DROP(int, ignore_drop)));
	refused_stage("on_error is 1", &(leat_stage_options){
		.kind = (int)LEAT__FANS + (int)LEAT__FAN_BALANCE, .name = "it",
		.end = LEAT_FAN_ALL, .on_error = LEAT_ERROR_STOP });
	refused_stage("buffer is", MAP_OF(SERIAL("it"), .buffer = SIZE_MAX));
	refused_stage("more than 1024 bytes", SINK_OF(SERIAL("it"), .in_size = LEAT_ITEM_MAX + 1));
	refused_stage("more than 1024 bytes",
		      MAP_OF(SERIAL("it"), .out_size = LEAT_ITEM_MAX + 1));
	refused_stage("it merges items of 4 bytes into another type",
		      &(leat_stage_options){ .kind = LEAT__CONFLATE, .name = "it", .out_size = 8,
					     .on_error = LEAT_ERROR_STOP });
}

TEST_WITH(bad_options_of_what_calls_no_function, .log = log_line)
{
	leat_bucket bucket;

	CHECK_EQ(leat_bucket_init(&bucket, 1, 1), 0);
	refused_stage("workers is 2; a source has none", SOURCE_OF(.workers = 2));
	refused_stage("buffer is 3; a source has none", SOURCE_OF(.buffer = 3));
	refused_stage("on_error is 2", SOURCE_OF(.on_error = LEAT_ERROR_COUNT));
	refused_stage("live_bytes is 0; weigh must be given with it, and only then",
		      SOURCE_OF(.weigh = LEAT_STAGE_WEIGH(int, weight)));
	refused_stage("on_error is 1",
		      BATCH_OF(.items = 2, .wait = 1, .on_error = LEAT_ERROR_STOP));
	refused_stage("items is 0", BATCH_OF(.wait = 1));
	refused_stage("items is 9", BATCH_OF(.items = 9, .wait = 1));
	refused_stage("wait is 0", BATCH_OF(.items = 2));
	refused_stage("weight is 3; weigh must be given with it",
		      BATCH_OF(.items = 2, .wait = 1, .weight = 3));
	refused_stage("weight is 0; weigh must be given with it, and only then",
		      BATCH_OF(.items = 2, .wait = 1, .weigh = LEAT_STAGE_WEIGH(int, weight)));
	refused_stage("mode is 2; here it can only be serial",
		      BATCH_OF(.items = 2, .wait = 1, .mode = LEAT_STAGE_PARALLEL, .workers = 2));
	refused_stage("rate is given, which it cannot have",
		      BATCH_OF(.items = 2, .wait = 1, .rate = &bucket));
	refused_stage("drop is given", TO_OF(.drop = LEAT_STAGE_DROP(int, ignore_drop)));
	refused_stage("retry is given", TO_OF(.retry = LEAT_RETRY_OPTIONS(.attempts = 1)));
	refused_stage("failed is given", TO_OF(.failed = LEAT_STAGE_FAILED(int, ignore_failed)));
	refused_stage("on_error is 1", TO_OF(.on_error = LEAT_ERROR_STOP));
	refused_stage("mode is 2; here it can only be serial",
		      TO_OF(.mode = LEAT_STAGE_PARALLEL, .workers = 2));
	refused_stage("workers is 2, but it is serial", TO_OF(.workers = 2));
}

TEST_WITH(bad_options_of_a_pipeline, .log = log_line)
{
	struct range range = { 0, 1 };
	leat_pipeline *p;
	leat_flow(int) a;

	CHECK_EQ(leat_pipeline_make(&p, .live = 0), -EINVAL);
	EXPECT_LOG("live is 0");
	CHECK(!p);
	CHECK_EQ(leat_pipeline_make(&p, .live = SIZE_MAX / 255), -EINVAL);
	EXPECT_LOG("that is more than memory");
	CHECK_EQ(leat_pipeline_make(&p, .live = 1, .live_bytes = -1), -EINVAL);
	EXPECT_LOG("live_bytes is -1");
	CHECK_EQ(leat_pipeline_run(p), -EINVAL);
	CHECK_EQ(leat_pipeline_make(&p, .live = 1, .live_bytes = 10), 0);
	CHECK_EQ(leat_pipeline_source(p, &a, &range, count, .name = "count"), -EINVAL);
	EXPECT_LOG("stage count: live_bytes is 10; weigh must be given with it");
	leat_pipeline_destroy(p, NULL);
}

TEST_WITH(a_stage_after_the_start, .log = log_line)
{
	struct range range = { 0, 1 };
	leat_pipeline *p;
	leat_flow(int) a, b;

	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	CHECK_EQ(leat_pipeline_source(p, &a, &range, count, .name = "count"), 0);
	CHECK_EQ(leat_pipeline_sink(p, a, use_int, SERIAL("use")), 0);
	CHECK_EQ(leat_pipeline_start(p), 0);
	CHECK_EQ(leat_pipeline_source(p, &b, &range, count, .name = "late"), -EINVAL);
	EXPECT_LOG("stage late: the pipeline has been started");
	CHECK(!b);
	(void)leat_pipeline_destroy(p, NULL);
}

TEST_WITH(bad_joints, .log = log_line)
{
	leat_chan(int) chan = leat_chan_make(int, 1);
	leat_pipeline *p, *other;
	leat_flow(int) a, b, none = NULL;

	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	CHECK_EQ(leat_pipeline_make(&other, .live = 8), 0);
	CHECK_EQ(leat_pipeline_start(p), -EINVAL);
	EXPECT_LOG("there is no source");
	CHECK_EQ(leat_pipeline_map(p, none, &b, square, SERIAL("square")), -EINVAL);
	EXPECT_LOG("its flow is NULL");
	leat_pipeline_destroy(p, NULL);
	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	CHECK_EQ(leat_pipeline_from(p, &a, chan, .name = "from"), 0);
	CHECK_EQ(leat_pipeline_start(p), -EINVAL);
	EXPECT_LOG("no stage takes the flow of stage from");
	CHECK_EQ(leat_pipeline_map(other, a, &b, square, SERIAL("square")), -EINVAL);
	EXPECT_LOG("is another pipeline's");
	CHECK_EQ(leat_pipeline_to(p, a, chan, .name = "to"), -EINVAL);
	EXPECT_LOG("a cycle: from receives from the same channel");
	CHECK_EQ(leat_pipeline_map(p, a, &b, square, SERIAL("square")), 0);
	CHECK_EQ(leat_pipeline_map(p, a, &b, square, SERIAL("again")), -EINVAL);
	EXPECT_LOG("the flow of from is taken by square already");
	/* The first error stays. */
	CHECK_EQ(leat_pipeline_run(p), -EINVAL);
	leat_pipeline_destroy(p, NULL);
	leat_pipeline_destroy(other, NULL);
	leat_chan_unref(chan);
}

/* For want of memory: tests/patterns/cancel.c. */
TEST_WITH(channels_of_a_refused_stage, .log = log_line)
{
	leat_chan(int) from = leat_chan_make(int, 1), to = leat_chan_make(int, 1);
	struct range range = { 0, 1 };
	leat_pipeline *p;
	leat_flow(int) a, b;
	int v;

	CHECK_EQ(leat_pipeline_make(&p, .live = 8), 0);
	CHECK_EQ(leat_pipeline_source(p, &a, &range, count, .name = "count"), 0);
	CHECK_EQ(leat_pipeline_from(p, &b, from, .name = NULL), -EINVAL);
	CHECK(!b);
	CHECK_EQ(leat_pipeline_to(p, a, to, .name = NULL), -EINVAL);
	CHECK_EQ(leat_pipeline_run(p), -EINVAL);
	CHECK_EQ(leat_pipeline_destroy(p, NULL), 0);
	CHECK_EQ(leat_try_send(from, 1), 0);
	CHECK_EQ(leat_try_recv(to, &v), -EAGAIN);
	leat_chan_unref(from);
	leat_chan_unref(to);
}
