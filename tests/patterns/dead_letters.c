/* Dead letters: what fails goes on, with its error, and is counted as failed. */
#include "patterns.h"

#include <leat/leat.h>

enum { N = 100 };

struct box {
	int n;
	int *owned;
};

struct letter {
	struct box item;
	int error;
};

static atomic_int owned;

static int make_box(int *next, struct box *ret_box)
{
	if (*next == N)
		return LEAT_ECLOSED;
	*ret_box = (struct box){ *next, malloc(sizeof(int)) };
	*ret_box->owned = (*next)++;
	atomic_fetch_add(&owned, 1);
	return 0;
}

static void drop_box(struct box *box)
{
	CHECK_EQ(*box->owned, box->n);
	free(box->owned);
	atomic_fetch_sub(&owned, 1);
}

static int error_of(int n)
{
	return n % 5 == 0 ? -EIO : n % 7 == 0 ? -ENOENT : 0;
}

static int check(struct box *in, struct box *ret_out)
{
	int r = error_of(in->n);

	if (r == 0)
		*ret_out = *in;
	return r;
}

static int check_flat(struct box *in, leat_emitter(struct box) out)
{
	int r = error_of(in->n);

	if (r == 0 && leat_emit(out, *in) < 0)
		drop_box(in);
	return r;
}

static int use(struct box *box)
{
	int r = error_of(box->n);

	if (r == 0)
		drop_box(box);
	return r;
}

static int use_any(struct box *box)
{
	drop_box(box);
	return 0;
}

static int add_up(struct box *sum, struct box *box)
{
	int r = error_of(box->n);

	(void)sum;
	if (r == 0)
		drop_box(box);
	return r;
}

static int ignore(struct box *sum)
{
	return sum->owned ? -EBADMSG : 0;
}

struct letters {
	int n, enough;
	bool seen[N];
};

static int read_letter(struct letters *l, struct letter *letter)
{
	CHECK_EQ(letter->error, error_of(letter->item.n));
	CHECK(letter->error < 0 && !l->seen[letter->item.n]);
	l->seen[letter->item.n] = true;
	drop_box(&letter->item);
	return ++l->n == l->enough ? LEAT_ECLOSED : 0;
}

#define COUNTED(name_) .name = name_, .mode = LEAT_STAGE_SERIAL, .on_error = LEAT_ERROR_COUNT
#define STOPS(name_) .name = name_, .mode = LEAT_STAGE_SERIAL, .on_error = LEAT_ERROR_STOP
#define DROP .drop = LEAT_STAGE_DROP(struct box, drop_box)

static leat_pipeline *make(int *next, leat_flow(struct box) *ret_flow)
{
	leat_pipeline *p;

	*next = 0;
	CHECK_EQ(leat_pipeline_make(&p, .live = 4), 0);
	leat_pipeline_source(p, ret_flow, next, make_box, .name = "make", DROP);
	return p;
}

static void end_letters(leat_pipeline *p, leat_flow(struct box) of, struct letters *l)
{
	leat_flow(struct letter) letters;

	CHECK_EQ(leat_pipeline_dead_letters(p, of, &letters), 0);
	leat_pipeline_sink_with(p, letters, l, read_letter, STOPS("letters"));
}

static int failing(void)
{
	int n = 0;

	for (int i = 0; i < N; i++)
		n += error_of(i) < 0;
	return n;
}

static void run_all(leat_pipeline *p, const struct letters *l)
{
	leat_ledger ledger;

	CHECK_EQ(leat_pipeline_run(p), 0);
	CHECK_EQ(leat_pipeline_stage_ledger(p, 1, ledger_init(&ledger)), 0);
	CHECK_EQ(ledger.failed, failing());
	check_at_rest(&ledger);
	CHECK_EQ(leat_pipeline_destroy(p, ledger_init(&ledger)), 0);
	check_at_rest(&ledger);
	CHECK_EQ(ledger.in, N);
	CHECK_EQ(ledger.failed, failing());
	CHECK_EQ(ledger.out, N - failing());
	CHECK_EQ(l->n, failing());
	CHECK_EQ(atomic_load(&owned), 0);
}

/* Of each mode of a map. */
TEST_BOTH(letters_of_a_map, 20)
{
	static const enum leat_stage_mode mode[] = {
		LEAT_STAGE_SERIAL, LEAT_STAGE_PARALLEL, LEAT_STAGE_ORDERED,
	};

	for (int i = 0; i < 3; i++) {
		struct letters l = { 0 };
		leat_flow(struct box) a, b;
		int next;
		leat_pipeline *p = make(&next, &a);

		leat_pipeline_map(p, a, &b, check, .name = "check", .mode = mode[i],
				  .workers = i == 0 ? 1 : 3, .window = i == 2 ? 2 : 0,
				  .on_error = LEAT_ERROR_COUNT, DROP);
		end_letters(p, a, &l);
		leat_pipeline_sink(p, b, use_any, STOPS("use"));
		run_all(p, &l);
	}
}

TEST_BOTH(letters_of_a_flat_function, 10)
{
	struct letters l = { 0 };
	leat_flow(struct box) a, b;
	leat_ledger ledger;
	int next;
	leat_pipeline *p = make(&next, &a);

	leat_pipeline_flat(p, a, &b, check_flat, COUNTED("check"), DROP);
	end_letters(p, a, &l);
	leat_pipeline_sink(p, b, use_any, STOPS("use"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	CHECK_EQ(leat_pipeline_destroy(p, ledger_init(&ledger)), 0);
	check_at_rest(&ledger);
	CHECK_EQ(ledger.failed, failing());
	CHECK_EQ(l.n, failing());
	CHECK_EQ(atomic_load(&owned), 0);
}

TEST_BOTH(letters_of_a_sink, 10)
{
	struct letters l = { 0 };
	leat_flow(struct box) a;
	int next;
	leat_pipeline *p = make(&next, &a);

	leat_pipeline_sink(p, a, use, COUNTED("use"));
	end_letters(p, a, &l);
	run_all(p, &l);
}

TEST_BOTH(letters_of_a_reduce, 10)
{
	static const struct box none;
	struct letters l = { 0 };
	leat_flow(struct box) a, sum;
	int next;
	leat_pipeline *p = make(&next, &a);

	leat_pipeline_reduce(p, a, &sum, &none, add_up, .name = "sum",
			     .on_error = LEAT_ERROR_COUNT);
	end_letters(p, a, &l);
	leat_pipeline_sink(p, sum, ignore, STOPS("use"));
	run_all(p, &l);
}

/* Letters, mended, and back among the others: they count as failed all the same. */
static int mend(struct letter *letter, struct box *ret_box)
{
	*ret_box = letter->item;
	return 0;
}

TEST_BOTH(letters_that_are_mended, 10)
{
	leat_flow(struct box) a, way[2], c;
	leat_flow(struct letter) letters;
	leat_ledger ledger;
	int next;
	leat_pipeline *p = make(&next, &a);

	leat_pipeline_map(p, a, &way[0], check, COUNTED("check"), DROP);
	leat_pipeline_dead_letters(p, a, &letters);
	leat_pipeline_map(p, letters, &way[1], mend, STOPS("mend"), DROP);
	leat_pipeline_merge(p, way, 2, &c, .name = "merge", .end = LEAT_FAN_ALL, DROP);
	leat_pipeline_sink(p, c, use_any, STOPS("use"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	CHECK_EQ(leat_pipeline_destroy(p, ledger_init(&ledger)), 0);
	check_at_rest(&ledger);
	CHECK_EQ(ledger.failed, failing());
	CHECK_EQ(atomic_load(&owned), 0);
}

/* A batch goes on whole, and its memory lives as long as the letter. */
struct boxes {
	struct box *item;
	size_t n;
};

struct boxes_letter {
	struct boxes item;
	int error;
};

static int refuse(struct boxes *batch)
{
	return batch->item[0].n % 2 ? -EIO : 0;
}

static int use_boxes(struct boxes *batch)
{
	int r = refuse(batch);

	for (size_t i = 0; i < batch->n && r == 0; i++)
		drop_box(&batch->item[i]);
	return r;
}

static int drop_boxes(struct boxes_letter *letter)
{
	CHECK_EQ(letter->error, -EIO);
	for (size_t i = 0; i < letter->item.n; i++)
		drop_box(&letter->item.item[i]);
	return 0;
}

TEST_BOTH(letters_of_batches, 10)
{
	leat_flow(struct box) a;
	leat_flow(struct boxes) b;
	leat_flow(struct boxes_letter) letters;
	leat_ledger ledger;
	int next;
	leat_pipeline *p = make(&next, &a);

	leat_pipeline_batch(p, a, &b, .name = "batch", .items = 3, .wait = LEAT_MS);
	leat_pipeline_sink(p, b, use_boxes, COUNTED("use"));
	CHECK_EQ(leat_pipeline_dead_letters(p, b, &letters), 0);
	leat_pipeline_sink(p, letters, drop_boxes, STOPS("letters"));
	CHECK_EQ(leat_pipeline_run(p), 0);
	CHECK_EQ(leat_pipeline_destroy(p, ledger_init(&ledger)), 0);
	check_at_rest(&ledger);
	CHECK_EQ(ledger.in, N);
	CHECK(ledger.failed > 0 && ledger.out > 0);
	CHECK_EQ(atomic_load(&owned), 0);
}

/* Nobody takes them any more: then they are dropped, and counted as before. */
TEST_BOTH(enough_letters, 20)
{
	struct letters l = { .enough = 3 };
	leat_flow(struct box) a;
	leat_ledger ledger;
	int next;
	leat_pipeline *p = make(&next, &a);

	leat_pipeline_sink(p, a, use, COUNTED("use"));
	end_letters(p, a, &l);
	CHECK_EQ(leat_pipeline_run(p), 0);
	CHECK_EQ(leat_pipeline_destroy(p, ledger_init(&ledger)), 0);
	check_at_rest(&ledger);
	CHECK_EQ(l.n, 3);
	CHECK_EQ(ledger.failed, failing());
	CHECK_EQ(ledger.out, N - failing());
	CHECK_EQ(atomic_load(&owned), 0);
}

/* An abort while the stage waits for its letter to be taken. */
LEAT_TASK_ERR(run, (leat_pipeline *, p))
{
	return leat_pipeline_run(p);
}

static int never(struct letter *letter)
{
	(void)letter;
	return leat_sleep(LEAT_FOREVER);
}

TEST_SIM(letters_of_one_that_is_stopped, 20)
{
	leat_flow(struct box) a;
	leat_flow(struct letter) letters;
	leat_group group;
	leat_ledger ledger;
	int next;
	leat_pipeline *p = make(&next, &a);

	leat_pipeline_sink(p, a, use, COUNTED("use"));
	leat_pipeline_dead_letters(p, a, &letters);
	leat_pipeline_sink(p, letters, never, STOPS("letters"));
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	CHECK_EQ(leat_go_in(&group, run, p), 0);
	leat_sleep(LEAT_MS);
	leat_pipeline_abort(p, -EPERM);
	CHECK_EQ(leat_group_wait(&group), -EPERM);
	leat_group_release(&group);
	CHECK_EQ(leat_pipeline_destroy(p, ledger_init(&ledger)), -EPERM);
	check_at_rest(&ledger);
	/* 0 at the sink, 5 at the stage that waits: both have failed. */
	CHECK_EQ(ledger.failed, 2);
	CHECK_EQ(atomic_load(&owned), 0);
}

static void box_failed(struct box *box, int error)
{
	(void)error;
	drop_box(box);
}

struct full {
	char bytes[LEAT_ITEM_MAX];
};

struct full_letter {
	struct full item;
	int error;
};

static int make_full(int *next, struct full *ret_full)
{
	(void)next;
	(void)ret_full;
	return LEAT_ECLOSED;
}

static int use_full(struct full *full)
{
	(void)full;
	return 0;
}

TEST_WITH(letters_that_are_too_large, .log = log_line)
{
	leat_flow(struct full) a;
	leat_flow(struct full_letter) letters;
	leat_pipeline *p;
	int next = 0;

	CHECK_EQ(leat_pipeline_make(&p, .live = 1), 0);
	CHECK_EQ(leat_pipeline_source(p, &a, &next, make_full, .name = "make"), 0);
	CHECK_EQ(leat_pipeline_sink(p, a, use_full, COUNTED("use")), 0);
	CHECK_EQ(leat_pipeline_dead_letters(p, a, &letters), -EINVAL);
	EXPECT_LOG("a letter has 1028 bytes, more than 1024; pass a pointer");
	leat_pipeline_destroy(p, NULL);
}

TEST_WITH(letters_after_the_start, .log = log_line)
{
	leat_flow(struct box) a;
	leat_flow(struct letter) letters;
	int next;
	leat_pipeline *p = make(&next, &a);

	leat_pipeline_sink(p, a, use, COUNTED("use"));
	CHECK_EQ(leat_pipeline_start(p), 0);
	CHECK_EQ(leat_pipeline_dead_letters(p, a, &letters), -EINVAL);
	EXPECT_LOG("stage use: the pipeline has been started");
	leat_pipeline_destroy(p, NULL);
}

TEST_WITH(letters_that_are_refused, .log = log_line)
{
	leat_flow(struct box) a, b, c, d, none = NULL;
	leat_flow(struct letter) letters;
	struct letters l = { 0 };
	int next;
	leat_pipeline *p = make(&next, &a);

	CHECK_EQ(leat_pipeline_dead_letters(p, none, &letters), -EINVAL);
	EXPECT_LOG("leat_pipeline_dead_letters: the flow is NULL; give one that a stage takes");
	CHECK_EQ(leat_pipeline_dead_letters(p, a, &letters), -EINVAL);
	EXPECT_LOG("no stage takes the flow of make yet; add it first");
	CHECK(!letters);
	leat_pipeline_map(p, a, &b, check, STOPS("check"), DROP);
	CHECK_EQ(leat_pipeline_dead_letters(p, a, &letters), -EINVAL);
	EXPECT_LOG("stage check: on_error is 1; with dead letters it must be LEAT_ERROR_COUNT");
	leat_pipeline_map(p, b, &c, check, COUNTED("again"), DROP,
			  .failed = LEAT_STAGE_FAILED(struct box, box_failed));
	CHECK_EQ(leat_pipeline_dead_letters(p, b, &letters), -EINVAL);
	EXPECT_LOG("stage again: failed is given; its items can go to one of them");
	leat_pipeline_take(p, c, &d, 3, .name = "take");
	CHECK_EQ(leat_pipeline_dead_letters(p, c, &letters), -EINVAL);
	EXPECT_LOG("stage take has no function that may fail");
	leat_pipeline_sink(p, d, use, COUNTED("use"));
	end_letters(p, d, &l);
	CHECK_EQ(leat_pipeline_dead_letters(p, d, &letters), -EINVAL);
	EXPECT_LOG("stage use has dead letters already");
	CHECK_EQ(leat_pipeline_run(p), -EINVAL);
	leat_pipeline_destroy(p, NULL);

	p = make(&next, &a);
	leat_pipeline_sink(p, a, use, COUNTED("use"));
	CHECK_EQ(leat_pipeline_dead_letters(p, a, &letters), 0);
	CHECK_EQ(leat_pipeline_run(p), -EINVAL);
	EXPECT_LOG("no stage takes the dead letters of stage use");
	leat_pipeline_destroy(p, NULL);
}
