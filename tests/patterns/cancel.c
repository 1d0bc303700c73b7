/* Each pattern, cancelled wherever it waits and refused each allocation: leat/testing.h. */
#include "patterns.h"

#include <leat/leat.h>
#include <leat/testing.h>

enum { ITEMS = 6 };

/* What the scenarios count: each box that is made is used, failed or dropped. */
struct box {
	int n;
	int *owned;
};

static atomic_int made, used, failed, dropped;

struct fixture {
	leat_ledger ledger;
	bool has_ledger;
	int next;
	enum leat_pool_order order;
	enum leat_overflow overflow;
	int prefetch;
	const leat_stage_options *stage;
	bool batch, flat, ordered, letters;
	int kind;		/* of fan */
	int shape;		/* of a pipeline */
};

static struct fixture *begin(struct fixture *f)
{
	made = used = failed = dropped = 0;
	f->next = 0;
	return f;
}

static struct box new_box(int n)
{
	struct box box = { n, malloc(1) };

	atomic_fetch_add(&made, 1);
	return box;
}

static void drop_box(struct box *box)
{
	free(box->owned);
	atomic_fetch_add(&dropped, 1);
}

static void box_failed(struct box *box, int error)
{
	CHECK(error < 0);
	free(box->owned);
	atomic_fetch_add(&failed, 1);
}

static int use_box(struct box *box)
{
	int r = leat_sleep(LEAT_US);

	if (r < 0)
		return r;
	free(box->owned);
	atomic_fetch_add(&used, 1);
	return 0;
}

static int check(struct fixture *f, int result)
{
	char text[256];

	(void)result;
	if (made != used + failed + dropped) {
		printf("made %d, used %d, failed %d, dropped %d\n", made, used, failed, dropped);
		return -EIO;
	}
	if (!f->has_ledger)
		return 0;
	leat_ledger_format(&f->ledger, text, sizeof(text));
	if (!leat_ledger_balances(&f->ledger) || f->ledger.in_flight > 0)
		printf("%s\n", text);
	return leat_ledger_balances(&f->ledger) && f->ledger.in_flight == 0 ? 0 : -EPROTO;
}

static void everywhere_with(int seeds, int (*scenario)(struct fixture *), struct fixture *f)
{
	leat_test_report report;

	CHECK_EQ(leat_test_everywhere(LEAT_TEST_OPTIONS(.seeds = (uint64_t)seeds), scenario, check,
				      f, &report), 0);
	CHECK(report.cancelled > 0);
	CHECK(report.refused > 0);
}

static void everywhere(int (*scenario)(struct fixture *), struct fixture *f)
{
	everywhere_with(3, scenario, f);
}

static int pass_box(struct box *in, struct box *out)
{
	int r = leat_sleep(LEAT_US);

	if (r == 0 && in->n == 2)
		r = -EIO;
	if (r == 0)
		*out = *in;
	return r;
}

static uint64_t box_key(const struct box *box)
{
	return (uint64_t)box->n % 2;
}

static int clone_box(const struct box *box, struct box *ret_copy)
{
	*ret_copy = new_box(box->n);
	return 0;
}

static bool box_less(const struct box *a, const struct box *b)
{
	return a->n < b->n;
}

static int join_boxes(struct box *a, struct box *b, struct box *ret_box)
{
	drop_box(b);
	*ret_box = *a;
	return 0;
}

/* Pool: submits while results are received. */
LEAT_TASK(submit_boxes, (leat_pool(struct box), pool))
{
	for (int i = 0; i < ITEMS; i++) {
		struct box box = new_box(i);

		if (leat_pool_submit(pool, box) < 0)
			drop_box(&box);
	}
	leat_pool_close(pool);
}

static int pool_scenario(struct fixture *f)
{
	bool ordered = begin(f)->order == LEAT_POOL_AS_SUBMITTED;
	leat_chan(struct box) results = leat_chan_make_drop(struct box, 1, drop_box);
	leat_pool(struct box) pool;
	leat_group group;
	int r;

	if (!results)
		return -ENOMEM;
	r = leat_pool_make_to(&pool, results, pass_box, .workers = 2, .queue = 2,
			      .overflow = f->overflow, .on_error = LEAT_ERROR_COUNT,
			      .order = f->order, .window = ordered ? 2 : 0,
			      .key = f->order == LEAT_POOL_PER_KEY ?
				      LEAT_POOL_KEY(struct box, box_key) : NULL,
			      .prefetch = f->prefetch,
			      .drop = LEAT_POOL_DROP(struct box, drop_box),
			      .drop_result = LEAT_POOL_DROP(struct box, drop_box),
			      .failed = LEAT_POOL_FAILED(struct box, box_failed));
	if (r < 0) {
		leat_chan_unref(results);
		return r;
	}
	leat_group_init(&group, NULL);
	if (leat_go_in(&group, submit_boxes, pool) < 0)
		leat_pool_close(pool);
	leat_range(box, results)
		if (use_box(&box) < 0)
			drop_box(&box);
	leat_group_wait(&group);
	leat_group_release(&group);
	r = leat_pool_destroy(pool, ledger_init(&f->ledger));
	f->has_ledger = true;
	leat_chan_unref(results);
	return r;
}

TEST_PLAIN(pools)
{
	for (int order = LEAT_POOL_AS_COMPLETED; order <= LEAT_POOL_PER_KEY; order++)
		for (int flow = LEAT_OVERFLOW_BLOCK; flow <= LEAT_OVERFLOW_DROP_NEWEST; flow++) {
			struct fixture f = { .order = (enum leat_pool_order)order,
					     .overflow = (enum leat_overflow)flow };

			if (order == LEAT_POOL_AS_COMPLETED || flow != LEAT_OVERFLOW_CALLER_RUNS)
				everywhere(pool_scenario, &f);
			f.prefetch = 4;
			if (order == LEAT_POOL_AS_COMPLETED)
				everywhere(pool_scenario, &f);
		}
}

/* Each state that is made ends once, in a task that is not cancelled. */
static int make_state(struct box *state, int worker)
{
	int r = leat_sleep(LEAT_US);

	if (r == 0)
		*state = new_box(worker);
	return r;
}

static void end_state(struct box *state)
{
	CHECK_EQ(leat_sleep(LEAT_US), 0);
	free(state->owned);
	atomic_fetch_add(&used, 1);
}

static int use_state(struct box *state, int *job)
{
	CHECK(state->owned);
	return leat_sleep(*job * LEAT_US);
}

static int resize_scenario(struct fixture *f)
{
	static const struct box none;
	leat_pool(int) pool;
	int r;

	begin(f);
	r = leat_pool_make_with(&pool, &none, make_state, end_state, use_state, .workers = 3,
				.queue = 8, .overflow = LEAT_OVERFLOW_BLOCK,
				.on_error = LEAT_ERROR_STOP);
	if (r < 0)
		return r;
	for (int i = 0; i < 8 && r == 0; i++) {
		r = leat_pool_submit(pool, i % 4);
		if (i % 4 == 3)
			leat_pool_resize(pool, 1);
		if (r == 0)
			r = leat_sleep(i % 4 * 2 * LEAT_US);
		if (i == 5)
			leat_pool_resize(pool, 3);
	}
	leat_pool_destroy(pool, ledger_init(&f->ledger));
	f->has_ledger = true;
	return r;
}

TEST_PLAIN(states_of_resized_pools)
{
	struct fixture f = { 0 };

	everywhere(resize_scenario, &f);
}

/* Jobs that wait for jobs of their own pool, so deep that they need more than one stack. */
struct ask {
	struct box box;
	leat_chan(int) reply;
};

static leat_pool(struct ask) asked;

static void drop_ask(struct ask *ask)
{
	drop_box(&ask->box);
	leat_close(ask->reply);
	leat_chan_unref(ask->reply);
}

static void ask_failed(struct ask *ask, int error)
{
	box_failed(&ask->box, error);
	leat_close(ask->reply);
	leat_chan_unref(ask->reply);
}

/* Submits a job, and waits for its reply. */
static int ask_for(int n)
{
	struct ask ask = { new_box(n), leat_oneshot(int) };
	int r = -ENOMEM, v;

	if (ask.reply) {
		leat_chan_ref(ask.reply);
		r = leat_pool_submit(asked, ask);
		if (r < 0)
			leat_chan_unref(ask.reply);
	}
	if (r < 0)
		drop_box(&ask.box);
	else
		r = leat_pool_recv(asked, ask.reply, &v, LEAT_FOREVER);
	leat_chan_unref(ask.reply);
	return r;
}

static int ask_by_address(int *n)
{
	return ask_for(*n);
}

LEAT_TASK_ERR(ask_in_task, (int, n))
{
	return ask_for(n);
}

static int ask_in_group(int n)
{
	leat_group group;
	int r, go;

	leat_group_init(&group, NULL);
	go = leat_go_in(&group, ask_in_task, n);
	r = leat_group_wait(&group);
	leat_group_release(&group);
	return r < 0 ? r : go;
}

static int ask_in_fork(int n)
{
	leat_forked forked;

	leat_fork(&forked, ask_in_task, n);
	(void)leat_sleep(LEAT_US); /* that it is taken */
	return leat_join(&forked);
}

/* By the job itself, or below it. */
static enum { ITSELF, TIMEOUT, GROUP, FORK, WAYS } asks_by;

static int ask_in_a_way(int n)
{
	switch (asks_by) {
	case TIMEOUT:
		return leat_timeout(ask_by_address, &n, LEAT_S);
	case GROUP:
		return ask_in_group(n);
	case FORK:
		return ask_in_fork(n);
	case ITSELF:
	case WAYS:
		break;
	}
	return -EINVAL;
}

static int answer(struct ask *ask)
{
	int r = 0;

	if (ask->box.n > 0) /* not one frame more than it takes, of so many */
		r = asks_by == ITSELF ? ask_for(ask->box.n - 1) : ask_in_a_way(ask->box.n - 1);
	if (r == 0)
		r = leat_sleep(LEAT_US);
	if (r < 0)
		return r;
	CHECK_EQ(leat_send(ask->reply, 1), 0);
	leat_chan_unref(ask->reply);
	free(ask->box.owned);
	atomic_fetch_add(&used, 1);
	return 0;
}

static uint64_t ask_key(const struct ask *ask)
{
	return (uint64_t)ask->box.n;
}

static int deep_scenario(struct fixture *f)
{
	bool keyed = begin(f)->order == LEAT_POOL_PER_KEY;
	int r;

	r = leat_pool_make(&asked, answer, .workers = 1, .queue = 1,
			   .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_STOP,
			   .order = f->order,
			   .key = keyed ? LEAT_POOL_KEY(struct ask, ask_key) : NULL,
			   .drop = LEAT_POOL_DROP(struct ask, drop_ask),
			   .failed = LEAT_POOL_FAILED(struct ask, ask_failed));
	if (r < 0)
		return r;
	r = ask_for(asks_by == ITSELF ? 20 : 3);
	leat_pool_destroy(asked, ledger_init(&f->ledger));
	f->has_ledger = true;
	return r;
}

static int answer_in_order(struct ask *ask, int *ret_n)
{
	*ret_n = ask->box.n;
	return answer(ask);
}

/* The results of all wait for that of the first, in more slots than the window has. */
static int deep_in_order_scenario(struct fixture *f)
{
	leat_chan(int) results = leat_chan_make(int, 20);
	int r = -ENOMEM;

	begin(f);
	if (results)
		r = leat_pool_make_to(&asked, results, answer_in_order, .workers = 1, .queue = 1,
				      .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_STOP,
				      .order = LEAT_POOL_AS_SUBMITTED, .window = 2,
				      .drop = LEAT_POOL_DROP(struct ask, drop_ask),
				      .failed = LEAT_POOL_FAILED(struct ask, ask_failed));
	if (r == 0) {
		r = ask_for(asks_by == ITSELF ? 9 : 3);
		leat_pool_destroy(asked, ledger_init(&f->ledger));
		f->has_ledger = true;
	}
	leat_chan_unref(results);
	return r;
}

TEST_PLAIN(jobs_deep_in_jobs)
{
	struct fixture f = { 0 };

	for (asks_by = ITSELF; asks_by < WAYS; asks_by++) {
		f.order = (enum leat_pool_order)0;
		everywhere(deep_scenario, &f);
		everywhere(deep_in_order_scenario, &f);
		f.order = LEAT_POOL_PER_KEY;
		everywhere(deep_scenario, &f);
	}
}

static leat_pool(struct box) own;

/* Submits three of its own key, which wait for its own end. */
static int spread_box(struct box *box)
{
	int r = 0;

	for (int i = 0; i < 3 && box->n > 1 && r == 0; i++) {
		struct box next = new_box(box->n - 2);

		r = leat_pool_submit(own, next);
		if (r < 0)
			drop_box(&next);
	}
	return r < 0 ? r : use_box(box);
}

static int own_key_scenario(struct fixture *f)
{
	struct box box = { 0 };
	int r;

	begin(f);
	r = leat_pool_make(&own, spread_box, .workers = 2, .queue = 1, .priorities = 2,
			   .overflow = f->overflow, .on_error = LEAT_ERROR_STOP,
			   .order = LEAT_POOL_PER_KEY, .key = LEAT_POOL_KEY(struct box, box_key),
			   .drop = LEAT_POOL_DROP(struct box, drop_box),
			   .failed = LEAT_POOL_FAILED(struct box, box_failed));
	for (int i = 0; i < 4 && r == 0; i++) {
		box = new_box(i);
		r = leat_pool_submit_at(own, i / 2, box);
		if (r < 0)
			drop_box(&box);
	}
	if (!box.owned)
		return r;
	if (r == 0)
		r = leat_pool_drain(own, LEAT_FOREVER);
	leat_pool_destroy(own, ledger_init(&f->ledger));
	f->has_ledger = true;
	return r;
}

TEST_PLAIN(jobs_of_their_own_key)
{
	for (int flow = LEAT_OVERFLOW_BLOCK; flow <= LEAT_OVERFLOW_DROP_NEWEST; flow++) {
		struct fixture f = { .overflow = (enum leat_overflow)flow };

		if (flow != LEAT_OVERFLOW_CALLER_RUNS)
			everywhere(own_key_scenario, &f);
	}
}

/* Pipelines: each kind and mode. */
static int make_box(struct fixture *f, struct box *ret_box)
{
	if (f->next == ITEMS)
		return LEAT_ECLOSED;
	if (f->next % 2 && leat_sleep(LEAT_US) < 0)
		return -ECANCELED;
	*ret_box = new_box(f->next++);
	return 0;
}

struct boxes {
	struct box *item;
	size_t n;
};

static int unpack(struct boxes *batch, leat_emitter(struct box) out)
{
	for (size_t i = 0; i < batch->n; i++)
		if (leat_emit(out, batch->item[i]) < 0)
			drop_box(&batch->item[i]);
	return 0;
}

static int twice(struct box *in, leat_emitter(struct box) out)
{
	for (int i = 0; i < 2; i++) {
		struct box box = new_box(in->n);

		if (leat_emit(out, box) < 0)
			drop_box(&box);
	}
	drop_box(in);
	return 0;
}

static void mark_gap(struct box *ret_box)
{
	*ret_box = new_box(-1);
}

#define DROP .drop = LEAT_STAGE_DROP(struct box, drop_box)

static int pipeline_scenario(struct fixture *f)
{
	const leat_stage_options *o = begin(f)->stage;
	leat_flow(struct box) a, b, c;
	leat_flow(struct boxes) batches;
	leat_pipeline *p;
	int r;

	r = leat_pipeline_make(&p, .live = 4);
	leat_pipeline_source(p, &a, f, make_box, .name = "make", DROP);
	leat_pipeline_map(p, a, &b, pass_box, .name = "pass", .mode = o->mode,
			  .workers = o->workers, .buffer = o->buffer, .on_error = o->on_error,
			  .retry = o->retry, .rate = o->rate, .window = o->window,
			  .gap_after = o->gap_after, .gap = o->gap, .key = o->key,
			  .failed = LEAT_STAGE_FAILED(struct box, box_failed), DROP);
	if (f->batch) {
		leat_pipeline_batch(p, b, &batches, .name = "batch", .items = 3,
				    .wait = 10 * LEAT_US);
		leat_pipeline_flat(p, batches, &c, unpack, .name = "unpack",
				   .mode = LEAT_STAGE_SERIAL, .on_error = LEAT_ERROR_STOP, DROP);
		b = c;
	}
	if (f->flat) {
		leat_pipeline_flat(p, b, &c, twice, .name = "twice", .workers = 2,
				   .mode = f->ordered ? LEAT_STAGE_ORDERED : LEAT_STAGE_PARALLEL,
				   .window = f->ordered ? 2 : 0, .ahead = f->ordered ? 1 : 0,
				   .on_error = LEAT_ERROR_STOP, DROP);
		b = c;
	}
	leat_pipeline_sink(p, b, use_box, .name = "use", .mode = LEAT_STAGE_SERIAL,
			   .buffer = o->buffer, .on_error = LEAT_ERROR_STOP);
	r = leat_pipeline_run(p);
	f->has_ledger = p != NULL;
	leat_pipeline_destroy(p, ledger_init(&f->ledger));
	return r;
}

#define STAGE(...) &(leat_stage_options){ .on_error = LEAT_ERROR_COUNT, __VA_ARGS__ }

TEST_PLAIN(pipelines)
{
	struct fixture all[] = {
		{ .stage = STAGE(.mode = LEAT_STAGE_SERIAL) },
		{ .stage = STAGE(.mode = LEAT_STAGE_SERIAL, .buffer = 4) },
		{ .stage = STAGE(.mode = LEAT_STAGE_PARALLEL, .workers = 3) },
		{ .stage = STAGE(.mode = LEAT_STAGE_ORDERED, .workers = 3, .window = 2) },
		{ .stage = STAGE(.mode = LEAT_STAGE_ORDERED, .workers = 3, .window = 2,
				 .gap_after = 1, .gap = LEAT_STAGE_GAP(struct box, mark_gap)) },
		{ .stage = STAGE(.mode = LEAT_STAGE_KEYED, .workers = 3, .buffer = 2,
				 .key = LEAT_STAGE_KEY(struct box, box_key)) },
		{ .stage = STAGE(.mode = LEAT_STAGE_KEYED, .workers = 1, .buffer = 4,
				 .key = LEAT_STAGE_KEY(struct box, box_key)) },
		{ .stage = STAGE(.mode = LEAT_STAGE_SERIAL,
				 .retry = LEAT_RETRY_OPTIONS(.attempts = 2, .backoff = LEAT_MS)) },
		{ .stage = STAGE(.mode = LEAT_STAGE_PARALLEL, .workers = 2), .batch = true },
		{ .stage = STAGE(.mode = LEAT_STAGE_SERIAL), .flat = true },
		{ .stage = STAGE(.mode = LEAT_STAGE_SERIAL), .flat = true, .ordered = true },
		{ .stage = STAGE(.mode = LEAT_STAGE_ORDERED, .workers = 2, .window = 3),
		  .batch = true, .flat = true },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		everywhere(pipeline_scenario, &all[i]);
}

/*
 * A start that fails when other stages run already: for want of memory, or cancelled from above.
 * Where the starter is preempted, they have made items by then.
 */
static int part_way_refused, part_way_cancelled, part_way_with_items;

static void failed_part_way(leat_pipeline *p, int error, leat_chan(struct box) from,
			    leat_chan(struct box) to)
{
	struct box box = new_box(0);
	leat_ledger l;

	CHECK_EQ(leat_pipeline_wait(p), error);
	CHECK_EQ(leat_pipeline_ledger(p, ledger_init(&l)), 0);
	CHECK_EQ(l.in, l.out + l.failed + l.cancelled);
	part_way_refused += error == -ENOMEM;
	part_way_cancelled += error == -ECANCELED;
	part_way_with_items += l.cancelled > 0;
	/* Who sends is told, and who receives. */
	CHECK_EQ(leat_try_send(from, box), LEAT_ECLOSED);
	drop_box(&box);
	while (leat_try_recv(to, &box) == 0)
		drop_box(&box);
	CHECK_EQ(leat_try_recv(to, &box), LEAT_ECLOSED);
}

/* From a channel to a channel; and beside it, begun before, a source and a sink. */
static bool build_two(leat_pipeline **p, struct fixture *f, leat_chan(struct box) from,
		      leat_chan(struct box) to)
{
	leat_flow(struct box) a, b, c;

	return leat_pipeline_make(p, .live = 4) == 0 &&
	       leat_pipeline_from(*p, &a, from, .name = "from", DROP) == 0 &&
	       leat_pipeline_to(*p, a, to, .name = "to", .buffer = 2) == 0 &&
	       leat_pipeline_source(*p, &b, f, make_box, .name = "make", DROP) == 0 &&
	       leat_pipeline_map(*p, b, &c, pass_box, .name = "pass", .mode = LEAT_STAGE_ORDERED,
				 .workers = 2, .window = 2, .on_error = LEAT_ERROR_COUNT, DROP,
				 .failed = LEAT_STAGE_FAILED(struct box, box_failed)) == 0 &&
	       leat_pipeline_sink(*p, c, use_box, .name = "use", .mode = LEAT_STAGE_SERIAL,
				  .on_error = LEAT_ERROR_STOP) == 0;
}

static int start_scenario(struct fixture *f)
{
	leat_chan(struct box) from = leat_chan_make_drop(struct box, 2, drop_box);
	leat_chan(struct box) to = leat_chan_make_drop(struct box, 2, drop_box);
	leat_pipeline *p = NULL;
	bool built;
	int r;

	begin(f);
	for (int i = 0; i < 2 && from; i++)
		CHECK_EQ(leat_try_send(from, new_box(i)), 0);
	built = from && to && build_two(&p, f, from, to);
	r = built ? leat_pipeline_start(p) : -ENOMEM;
	if (r == 0) {
		leat_close(from);
		r = leat_pipeline_wait(p);
	} else if (built) {
		failed_part_way(p, r, from, to);
	}
	f->has_ledger = p != NULL;
	CHECK_EQ(leat_pipeline_destroy(p, ledger_init(&f->ledger)), built ? r : 0);
	leat_chan_unref(from);
	leat_chan_unref(to);
	return r;
}

TEST_PLAIN(a_start_that_fails_part_way)
{
	struct fixture f = { 0 };

	everywhere_with(30, start_scenario, &f);
	CHECK(part_way_refused > 0);
	CHECK(part_way_cancelled > 0);
	CHECK(part_way_with_items > 0);
}

/* A channel that is taken is told of the end; that of a stage that is refused memory is not. */
static int refused_scenario(struct fixture *f)
{
	leat_chan(struct box) from = leat_chan_make_drop(struct box, 1, drop_box);
	leat_chan(struct box) to = leat_chan_make_drop(struct box, 1, drop_box);
	int from_taken = -ENOMEM, to_taken = -ENOMEM;
	leat_pipeline *p = NULL;
	leat_flow(struct box) a;
	struct box box;

	begin(f);
	if (from && to && leat_pipeline_make(&p, .live = 1) == 0) {
		from_taken = leat_pipeline_from(p, &a, from, .name = "from", DROP);
		to_taken = leat_pipeline_to(p, a, to, .name = "to");
		CHECK_EQ(leat_pipeline_destroy(p, NULL), 0);
		box = new_box(0);
		CHECK_EQ(leat_try_send(from, box), from_taken == 0 ? LEAT_ECLOSED : 0);
		if (from_taken == 0)
			drop_box(&box);
		CHECK_EQ(leat_try_recv(to, &box), to_taken == 0 ? LEAT_ECLOSED : -EAGAIN);
		if (from_taken < 0)
			CHECK_EQ(to_taken, from_taken);
	}
	leat_chan_unref(from);
	leat_chan_unref(to);
	return to_taken;
}

TEST_PLAIN(channels_of_a_refused_stage)
{
	struct fixture f = { 0 };
	leat_test_report report;

	CHECK_EQ(leat_test_everywhere(NULL, refused_scenario, check, &f, &report), 0);
	CHECK(report.refused > 6);
}

/* Fan-out and fan-in between stages. */
enum shape { BALANCE_MERGE, CAST_ZIP, TWO_SOURCES, ORDERED_SOURCES, PART_SINKS, TAKE_OF_CONCAT };

static int enough_boxes(struct box *box)
{
	int r = use_box(box);

	return r == 0 ? LEAT_ECLOSED : r;
}

#define PIECE(name_) .name = name_, .end = LEAT_FAN_ALL
#define SINK(name_) .name = name_, .mode = LEAT_STAGE_SERIAL, .on_error = LEAT_ERROR_STOP

/* What becomes of two flows of boxes. */
static void add_joint(leat_pipeline *p, enum shape shape, leat_flow(struct box) in[2])
{
	leat_flow(struct box) out, last;

	if (shape == BALANCE_MERGE)
		leat_pipeline_merge(p, in, 2, &out, PIECE("merge"));
	else if (shape == ORDERED_SOURCES)
		leat_pipeline_merge_ordered(p, in, 2, &out, box_less, .name = "merge", DROP);
	else if (shape == TAKE_OF_CONCAT)
		leat_pipeline_concat(p, in, 2, &out, .name = "concat", .buffer = 2);
	else
		leat_pipeline_zip(p, in[0], in[1], &out, join_boxes, .name = "zip",
				  .on_error = LEAT_ERROR_COUNT, DROP);
	if (shape == TAKE_OF_CONCAT) {
		leat_pipeline_take(p, out, &last, ITEMS + 1, .name = "take");
		out = last;
	}
	leat_pipeline_sink(p, out, use_box, SINK("use"), .buffer = 1);
}

static int graph_scenario(struct fixture *f)
{
	enum shape shape = begin(f)->shape;
	leat_flow(struct box) a, b[2], c[2];
	struct fixture second = { 0 };
	leat_pipeline *p;
	int r;

	r = leat_pipeline_make(&p, .live = 3);
	leat_pipeline_source(p, &a, f, make_box, .name = "make", DROP);
	if (shape == BALANCE_MERGE) {
		leat_pipeline_balance(p, a, b, 2, PIECE("balance"), .buffer = 1);
	} else if (shape == CAST_ZIP) {
		leat_pipeline_tee(p, a, &b[0], &b[1], PIECE("tee"), .on_error = LEAT_ERROR_STOP,
				  .clone = LEAT_STAGE_CLONE(struct box, clone_box));
	} else if (shape == PART_SINKS) {
		leat_pipeline_partition(p, a, b, 2, box_key, PIECE("part"));
	} else {
		b[0] = a;
		leat_pipeline_source(p, &b[1], &second, make_box, .name = "second", DROP);
	}
	leat_pipeline_map(p, b[0], &c[0], pass_box, .name = "pass", .mode = LEAT_STAGE_PARALLEL,
			  .workers = 2, DROP,
			  .on_error = shape == CAST_ZIP ? LEAT_ERROR_STOP : LEAT_ERROR_COUNT,
			  .failed = LEAT_STAGE_FAILED(struct box, box_failed));
	c[1] = b[1];
	if (shape != PART_SINKS) {
		add_joint(p, shape, c);
	} else {
		leat_pipeline_sink(p, c[0], enough_boxes, SINK("enough"));
		leat_pipeline_sink(p, c[1], use_box, SINK("use"), .buffer = 2);
	}
	r = leat_pipeline_run(p);
	f->has_ledger = p != NULL;
	leat_pipeline_destroy(p, ledger_init(&f->ledger));
	return r;
}

/* What fails is left out on one way of copies; or goes on as a letter, mended, to the others. */
struct letter {
	struct box item;
	int error;
};

static int mend_box(struct letter *letter, struct box *ret_box)
{
	int r = leat_sleep(LEAT_US);

	if (r == 0)
		*ret_box = letter->item;
	return r;
}

static int left_out_scenario(struct fixture *f)
{
	bool letters = begin(f)->letters;
	leat_flow(struct box) a, way[2], c;
	leat_flow(struct letter) dead;
	leat_pipeline *p;
	int r;

	r = leat_pipeline_make(&p, .live = 2);
	leat_pipeline_source(p, &a, f, make_box, .name = "make", DROP);
	if (!letters) {
		leat_pipeline_tee(p, a, &c, &way[1], PIECE("tee"), .on_error = LEAT_ERROR_STOP,
				  .clone = LEAT_STAGE_CLONE(struct box, clone_box));
		a = c;
	}
	leat_pipeline_map(p, a, &way[0], pass_box, .name = "pass", .mode = LEAT_STAGE_ORDERED,
			  .workers = 2, .window = 2, .on_error = LEAT_ERROR_COUNT, DROP);
	if (letters) {
		leat_pipeline_dead_letters(p, a, &dead);
		leat_pipeline_map(p, dead, &way[1], mend_box, SINK("mend"), DROP);
		leat_pipeline_merge(p, way, 2, &c, PIECE("merge"), DROP);
	} else {
		leat_pipeline_zip(p, way[0], way[1], &c, join_boxes, .name = "zip",
				  .on_error = LEAT_ERROR_COUNT, DROP);
	}
	leat_pipeline_sink(p, c, use_box, SINK("use"), .buffer = 1);
	r = leat_pipeline_run(p);
	f->has_ledger = p != NULL;
	leat_pipeline_destroy(p, ledger_init(&f->ledger));
	return r;
}

TEST_PLAIN(places_and_letters)
{
	for (int letters = 0; letters < 2; letters++) {
		struct fixture f = { .letters = letters != 0 };

		everywhere(left_out_scenario, &f);
	}
}

TEST_PLAIN(graphs)
{
	for (int shape = BALANCE_MERGE; shape <= TAKE_OF_CONCAT; shape++) {
		struct fixture f = { .shape = shape };

		everywhere(graph_scenario, &f);
	}
}

/* What has no items: nothing is left behind, and permits and tokens come back. */
static leat_sem sem;

LEAT_TASK(hold_permit, (int, n))
{
	if (leat_sem_acquire(&sem, n) < 0)
		return;
	leat_sleep(LEAT_US);
	leat_sem_release(&sem, n);
}

static int hold_permits(struct fixture *f)
{
	leat_group group;

	begin(f);
	leat_sem_init(&sem, 2, 0);
	if (leat_group_init(&group, LEAT_GROUP_OPTIONS(.limit = 3)) < 0)
		return -ENOMEM;
	for (int i = 0; i < 4; i++)
		if (leat_go_in(&group, hold_permit, 1 + i % 2) < 0)
			break;
	leat_group_wait(&group);
	leat_group_release(&group);
	made = leat_sem_available(&sem) == 2 ? 0 : 1;
	return 0;
}

static leat_adaptive adaptive;

LEAT_TASK(call_adaptively, (int, n))
{
	leat_permit permit;

	if (leat_adaptive_acquire_until(&adaptive, leat_in(n * LEAT_US), &permit) < 0)
		return;
	leat_adaptive_release(&adaptive, &permit, leat_sleep(LEAT_US) < 0 ? LEAT_OUTCOME_IGNORED :
			      n % 2 ? LEAT_OUTCOME_DROPPED : LEAT_OUTCOME_SUCCESS);
}

/* All permits come back, whatever the limit is then. */
static int call_all_adaptively(struct fixture *f)
{
	leat_permit permit[8];
	leat_group group;
	int n = 0, limit;

	begin(f);
	if (leat_adaptive_init(&adaptive,
			       LEAT_ADAPTIVE_OPTIONS(.algorithm = LEAT_AIMD, .min = 1, .initial = 2,
						     .max = 7, .backoff = 0.5,
						     .slow = LEAT_FOREVER)) < 0 ||
	    leat_group_init(&group, LEAT_GROUP_OPTIONS(.limit = 6)) < 0)
		return -ENOMEM;
	for (int i = 0; i < 8; i++)
		if (leat_go_in(&group, call_adaptively, i) < 0)
			break;
	leat_group_wait(&group);
	leat_group_release(&group);
	limit = leat_adaptive_limit(&adaptive);
	made = leat_adaptive_out(&adaptive);
	while (leat_adaptive_try_acquire(&adaptive, &permit[n]) == 0)
		n++;
	made += n - limit;
	while (n > 0)
		leat_adaptive_release(&adaptive, &permit[--n], LEAT_OUTCOME_IGNORED);
	return 0;
}

/* A bucket for each key: what is cancelled gives back, so at the end the time is the same. */
LEAT_TASK(take_keyed, (leat_keyed *, k), (int, i))
{
	if (leat_keyed_take(k, i % 2 ? leat_key_string("odd") : leat_key_number(7), 1) < 0)
		atomic_fetch_add(&failed, 1);
	else
		atomic_fetch_add(&used, 1);
}

static int take_all_keyed(struct fixture *f)
{
	leat_group group;
	leat_keyed *k;
	int r;

	begin(f);
	r = leat_keyed_create(&k, LEAT_KEYED_OPTIONS(.rate = 1e5, .burst = 1, .keys = 2,
						     .full = LEAT_KEYED_REFUSE));
	if (r < 0)
		return r;
	leat_group_init(&group, NULL);
	for (int i = 0; i < 6 && leat_go_in(&group, take_keyed, k, i) == 0; i++)
		made++;
	leat_group_wait(&group);
	leat_group_release(&group);
	leat_keyed_destroy(k);
	return 0;
}

static int flaky(struct fixture *f)
{
	int r = leat_sleep(LEAT_US);

	return r < 0 ? r : ++f->next < 3 ? -EIO : 0;
}

static int element(int *n)
{
	return *n % 2 ? leat_sleep(LEAT_US) : 0;
}

static int wait_for_limits(struct fixture *f)
{
	int numbers[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	leat_chan(int) chan;
	leat_bucket bucket;
	int r, v;

	begin(f);
	r = leat_bucket_init(&bucket, 1000, 1);
	for (int i = 0; i < 3 && r == 0; i++)
		r = leat_bucket_take(&bucket, 1);
	if (r == 0)
		r = leat_retry(LEAT_RETRY_OPTIONS(.attempts = 3, .backoff = LEAT_MS), flaky, f);
	if (r == 0)
		r = leat_parallel_each(numbers, 8, element);
	chan = leat_chan_make(int, 1);
	if (!chan)
		return -ENOMEM;
	if (r == 0)
		r = leat_select(leat_case_recv(chan, &v), leat_case_until(leat_in(LEAT_MS)));
	leat_chan_unref(chan);
	return r;
}

TEST_PLAIN(limits_loops_and_select)
{
	struct fixture f = { 0 };

	everywhere(hold_permits, &f);
	everywhere(call_all_adaptively, &f);
	everywhere(take_all_keyed, &f);
	everywhere(wait_for_limits, &f);
}

/* Retry round breaker round timeout: whatever is cut short has ended. */
static leat_breaker breaker;

static int take_long(struct fixture *f)
{
	int r;

	made++;
	r = leat_sleep(f->next++ % 2 ? 10 * LEAT_US : 100 * LEAT_US);
	used++;
	return r < 0 ? r : -EIO;
}

static int take_long_in_time(struct fixture *f)
{
	int r = leat_timeout(take_long, f, 50 * LEAT_US);

	/* Who refuses memory cancels nobody. */
	if (r == -ECANCELED && !leat_cancelled())
		failed--;
	return r;
}

static int guarded(struct fixture *f)
{
	return leat_breaker_call(&breaker, take_long_in_time, f);
}

static int retry_guarded(struct fixture *f)
{
	begin(f);
	if (leat_breaker_init(&breaker, LEAT_BREAKER_OPTIONS(.failures = 2, .probes = 1,
							     .successes = 1,
							     .open_for = 150 * LEAT_US)) < 0)
		return -EINVAL;
	return leat_retry(LEAT_RETRY_OPTIONS(.attempts = 5, .backoff = 100 * LEAT_US), guarded, f);
}

TEST_PLAIN(retries_breakers_and_timeouts)
{
	struct fixture f = { 0 };

	everywhere(retry_guarded, &f);
}

/* Singleflight: a box for each who gets a result, and that of the run. */
static int load_box(int *n, struct box *ret_box)
{
	int r = leat_sleep(LEAT_US);

	if (r < 0)
		return r;
	*ret_box = new_box(*n);
	return 0;
}

LEAT_TASK(ask_for_box, (leat_flight(struct box), flight), (int, n))
{
	struct box box;

	if (leat_flight_do(flight, n % 2 ? "odd" : "even", load_box, &n, &box, LEAT_FOREVER) < 0)
		return;
	if (use_box(&box) < 0)
		drop_box(&box);
}

static int flight_scenario(struct fixture *f)
{
	leat_flight(struct box) flight;
	leat_group group;
	int r;

	begin(f);
	r = leat_flight_make(&flight, .clone = LEAT_FLIGHT_CLONE(struct box, clone_box),
			     .drop = LEAT_FLIGHT_DROP(struct box, drop_box));
	if (r < 0)
		return r;
	leat_group_init(&group, NULL);
	for (int i = 0; i < ITEMS && r == 0; i++)
		r = leat_go_in(&group, ask_for_box, flight, i);
	leat_group_wait(&group);
	leat_group_release(&group);
	leat_flight_destroy(flight);
	return r;
}

TEST_PLAIN(flights)
{
	struct fixture f = { 0 };

	everywhere(flight_scenario, &f);
}

/* Fan-out and fan-in: some of what comes in is never received. */
LEAT_TASK(send_boxes, (leat_chan(struct box), to))
{
	for (int i = 0; i < ITEMS; i++) {
		struct box box = new_box(i);

		if (leat_send(to, box) < 0)
			drop_box(&box);
	}
	leat_close(to);
}

LEAT_TASK(use_boxes, (leat_chan(struct box), from), (int, most))
{
	struct box box;

	while (most-- > 0 && leat_recv(from, &box) == 0)
		if (use_box(&box) < 0)
			drop_box(&box);
	leat_abandon(from);
}

static int add_box(struct box *sum, struct box *box)
{
	if (box->n == 4 && sum->n != 3)
		return -EIO;
	drop_box(box);
	return 0;
}

LEAT_TASK(close_later, (leat_chan(int), done))
{
	leat_sleep(3 * LEAT_US);
	leat_close(done);
}

/* A broadcast by another name; behind the kinds. */
enum { TEE = LEAT__FAN_CONFLATE + 1 };

#define FAN_DROP .drop = LEAT_FAN_DROP(struct box, drop_box)

static int start_fan(leat_fan **fan, leat_group *g, int kind, leat_chan(struct box) *in,
		     leat_chan(struct box) *out, leat_chan(int) done)
{
	switch (kind) {
	case LEAT__FAN_MERGE:
		return leat_merge(fan, g, in, 2, out[0], .end = LEAT_FAN_ALL, FAN_DROP);
	case LEAT__FAN_ORDERED:
		return leat_merge_ordered(fan, g, in, 2, out[0], box_less, FAN_DROP);
	case LEAT__FAN_CONCAT:
		return leat_concat(fan, g, in, 2, out[0], FAN_DROP);
	case LEAT__FAN_ZIP:
		return leat_zip(fan, g, in[0], in[1], out[0], join_boxes, FAN_DROP,
				.drop_second = LEAT_FAN_DROP(struct box, drop_box),
				.drop_out = LEAT_FAN_DROP(struct box, drop_box));
	case LEAT__FAN_BALANCE:
		return leat_balance(fan, g, in[0], out, 2, .end = LEAT_FAN_ALL, FAN_DROP);
	case LEAT__FAN_BROADCAST:
		return leat_broadcast(fan, g, in[0], out, 2, .end = LEAT_FAN_ALL,
				      .clone = LEAT_FAN_CLONE(struct box, clone_box), FAN_DROP);
	case LEAT__FAN_PARTITION:
		return leat_partition(fan, g, in[0], out, 2, box_key, .end = LEAT_FAN_ANY,
				      FAN_DROP);
	case LEAT__FAN_TAKE:
		return leat_take(fan, g, in[0], out[0], 3, .name = "take", FAN_DROP);
	case LEAT__FAN_OR_DONE:
		return leat_or_done(fan, g, in[0], out[0], done, .name = "or-done", FAN_DROP);
	case LEAT__FAN_CONFLATE:
		return leat_conflate(fan, g, in[0], out[0], add_box, .name = "c", FAN_DROP);
	default:
		return leat_tee(fan, g, in[0], out[0], out[1], .end = LEAT_FAN_ANY,
				.clone = LEAT_FAN_CLONE(struct box, clone_box), FAN_DROP);
	}
}

static int fan_scenario(struct fixture *f)
{
	leat_chan(struct box) in[2], out[2];
	bool two_in = f->kind <= LEAT__FAN_ZIP, made_all;
	bool two_out = (f->kind >= LEAT__FAN_BALANCE && f->kind <= LEAT__FAN_PARTITION) ||
		       f->kind == TEE;
	leat_chan(int) done;
	leat_fan *fan = NULL;
	leat_group group;
	int r = -ENOMEM;

	begin(f);
	done = leat_chan_make(int, 0);
	made_all = done != NULL;
	for (int i = 0; i < 2; i++) {
		in[i] = leat_chan_make_drop(struct box, i, drop_box);
		out[i] = leat_chan_make_drop(struct box, i, drop_box);
		made_all &= in[i] && out[i];
	}
	leat_group_init(&group, NULL);
	if (made_all)
		r = start_fan(&fan, &group, f->kind, in, out, done);
	if (r == 0 && f->kind == LEAT__FAN_OR_DONE)
		r = leat_go_in(&group, close_later, done);
	for (int i = 0; i < 2 && r == 0; i++) {
		if (i == 0 || two_in)
			r = leat_go_in(&group, send_boxes, in[i]);
		if (r == 0 && (i == 0 || two_out))
			r = leat_go_in(&group, use_boxes, out[i], i == 0 ? 100 : 2);
	}
	if (r < 0)
		leat_group_cancel(&group, r);
	leat_group_wait(&group);
	leat_group_release(&group);
	f->has_ledger = fan != NULL;
	leat_fan_destroy(fan, ledger_init(&f->ledger));
	for (int i = 0; i < 2; i++) {
		leat_chan_unref(in[i]);
		leat_chan_unref(out[i]);
	}
	leat_chan_unref(done);
	return r;
}

/* A channel of channels. */
typedef leat_chan(struct box) boxes_chan;

static void drop_boxes_chan(boxes_chan *c)
{
	leat_abandon(*c);
	leat_chan_unref(*c);
}

/* One channel after the other; each sender has a reference of its own. */
LEAT_TASK_ERR(send_box_and_unref, (boxes_chan, to), (int, n))
{
	struct box box = new_box(n);

	if (leat_send(to, box) < 0)
		drop_box(&box);
	leat_close(to);
	leat_chan_unref(to);
	return 0;
}

LEAT_TASK_ERR(send_box_chans, (leat_chan(boxes_chan), to), (leat_group *, group))
{
	int r = 0;

	for (int i = 0; i < 3 && r == 0; i++) {
		boxes_chan c = leat_chan_make_drop(struct box, i % 2, drop_box);

		if (!c) {
			r = -ENOMEM;
			break;
		}
		leat_chan_ref(c);
		r = leat_go_in(group, send_box_and_unref, c, i);
		if (r < 0)
			leat_chan_unref(c);
		if (r == 0)
			r = leat_send(to, c);
		if (r < 0)
			drop_boxes_chan(&c);
	}
	leat_close(to);
	return r == LEAT_ECLOSED ? 0 : r;
}

static int bridge_scenario(struct fixture *f)
{
	leat_chan(boxes_chan) in = leat_chan_make_drop(boxes_chan, 2, drop_boxes_chan);
	leat_chan(struct box) out = leat_chan_make_drop(struct box, 0, drop_box);
	leat_fan *fan = NULL;
	leat_group group;
	int r = -ENOMEM;

	begin(f);
	leat_group_init(&group, NULL);
	if (in && out)
		r = leat_bridge(&fan, &group, in, out, .name = "bridge", FAN_DROP);
	if (r == 0)
		r = leat_go_in(&group, send_box_chans, in, &group);
	if (r == 0)
		r = leat_go_in(&group, use_boxes, out, 2);
	if (r < 0)
		leat_group_cancel(&group, r);
	leat_group_wait(&group);
	leat_group_release(&group);
	f->has_ledger = fan != NULL;
	leat_fan_destroy(fan, ledger_init(&f->ledger));
	leat_chan_unref(in);
	leat_chan_unref(out);
	return r;
}

TEST_PLAIN(fan_out_and_fan_in)
{
	for (int kind = LEAT__FAN_MERGE; kind <= TEE; kind++) {
		struct fixture f = { .kind = kind };

		everywhere(kind == LEAT__FAN_BRIDGE ? bridge_scenario : fan_scenario, &f);
	}
}
