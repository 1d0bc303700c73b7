/* What options do that the patterns' own tests do not see; without.list says which. */
#include <unistd.h>

#include "patterns.h"

#include <leat/leat.h>
#include <leat/testing.h>

enum { N = 20 };

static leat_sem gate;
static atomic_int begun;

static void close_gate(void)
{
	leat_sem_init(&gate, 1, 0);
	CHECK_EQ(leat_sem_acquire(&gate, 1), 0);
	atomic_store(&begun, 0);
}

static bool all_wait;

/* The first, or each, waits until the gate is opened. */
static int first_waits(int *n, int *ret_n)
{
	int r = 0;

	*ret_n = *n;
	atomic_fetch_add(&begun, 1);
	if (*n == 0 || all_wait)
		r = leat_sem_acquire(&gate, 1);
	if (r == 0 && all_wait)
		leat_sem_release(&gate, 1);
	return r;
}

TEST_SIM(a_fast_job_overtakes, 10)
{
	leat_chan(int) results = leat_chan_make(int, 2);
	leat_pool(int) pool;
	int first = -1, second = -1;

	close_gate();
	CHECK_EQ(leat_pool_make_to(&pool, results, first_waits, .workers = 2, .queue = 2,
				   .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_STOP,
				   .order = LEAT_POOL_AS_COMPLETED), 0);
	CHECK_EQ(leat_pool_submit(pool, 0), 0);
	CHECK_EQ(leat_pool_submit(pool, 1), 0);
	test_settle();
	CHECK_EQ(leat_chan_len(results), 1);
	leat_sem_release(&gate, 1);
	CHECK_EQ(leat_pool_drain(pool, LEAT_FOREVER), 0);
	CHECK_EQ(leat_recv(results, &first), 0);
	CHECK_EQ(leat_recv(results, &second), 0);
	CHECK_EQ(first, 1);
	CHECK_EQ(second, 0);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
	leat_chan_unref(results);
}

static atomic_int made;

static int count_to_n(int *next, int *ret_n)
{
	if (*next == N)
		return LEAT_ECLOSED;
	*ret_n = (*next)++;
	atomic_fetch_add(&made, 1);
	return 0;
}

static int ignore(int *n)
{
	(void)n;
	return 0;
}

static leat_pipeline *start_gated(int *next, const leat_stage_options *o)
{
	leat_pipeline *p;
	leat_flow(int) a, b;

	close_gate();
	atomic_store(&made, 0);
	CHECK_EQ(leat_pipeline_make(&p, .live = N), 0);
	leat_pipeline_source(p, &a, next, count_to_n, .name = "count");
	leat_pipeline_map(p, a, &b, first_waits, .name = "wait", .mode = o->mode,
			  .workers = o->workers, .buffer = o->buffer, .window = o->window,
			  .on_error = LEAT_ERROR_STOP);
	leat_pipeline_sink(p, b, ignore, .name = "ignore", .mode = LEAT_STAGE_SERIAL, .buffer = N,
			   .on_error = LEAT_ERROR_STOP);
	CHECK_EQ(leat_pipeline_start(p), 0);
	test_settle();
	return p;
}

static void end_gated(leat_pipeline *p)
{
	leat_ledger l;

	leat_sem_release(&gate, 1);
	CHECK_EQ(leat_pipeline_wait(p), 0);
	CHECK_EQ(leat_pipeline_destroy(p, ledger_init(&l)), 0);
	check_at_rest(&l);
	CHECK_EQ(l.out, N);
}

/* What the source makes meanwhile: those at work, those in the buffer, and one in its hands. */
TEST_SIM(a_buffer_takes_what_comes, 10)
{
	for (size_t buffer = 0; buffer <= 12; buffer += 6) {
		int next = 0;
		leat_pipeline *p;

		all_wait = true;
		p = start_gated(&next, &(leat_stage_options){
			.mode = LEAT_STAGE_PARALLEL, .workers = 2, .buffer = buffer });
		CHECK_EQ(atomic_load(&begun), 2);
		CHECK_EQ(atomic_load(&made), 2 + (int)buffer + 1);
		end_gated(p);
	}
}

/* Behind a head that takes its time as many as the window has, then the workers wait. */
TEST_SIM(a_window_bounds_what_overtakes, 10)
{
	for (size_t window = 3; window <= 9; window += 3) {
		int next = 0;
		leat_pipeline *p = start_gated(&next, &(leat_stage_options){
			.mode = LEAT_STAGE_ORDERED, .workers = 2, .window = window });

		CHECK(atomic_load(&begun) >= (int)window);
		CHECK(atomic_load(&begun) <= (int)window + 2);
		end_gated(p);
	}
}

/* Items that refer to memory: how many of them there are. */
static atomic_int live, clones;

static int *make_box(int n)
{
	int *box = malloc(sizeof(*box));

	*box = n;
	atomic_fetch_add(&live, 1);
	return box;
}

/* Its result is a count: success, too. */
static int clone_box(int *const *box, int **ret_box)
{
	*ret_box = make_box(**box);
	return atomic_fetch_add(&clones, 1) + 1;
}

static void drop_box(int **box)
{
	free(*box);
	atomic_fetch_sub(&live, 1);
}

LEAT_TASK(send_boxes, (leat_chan(int *), to))
{
	for (int i = 0; i < N; i++) {
		int *box = make_box(i);

		if (leat_send(to, box) < 0) {
			drop_box(&box);
			return;
		}
	}
	leat_close(to);
}

LEAT_TASK(receive_boxes, (leat_chan(int *), from), (int, most))
{
	int *box;

	for (int i = 0; i < most && leat_recv(from, &box) == 0; i++) {
		CHECK_EQ(*box, i);
		drop_box(&box);
	}
	leat_abandon(from);
}

/* Each output has a box of its own; one that nobody will receive is dropped. */
TEST_SIM(a_broadcast_clones_and_drops, 20)
{
	leat_chan(int *) in = leat_chan_make(int *, 0), out[2];
	leat_group group;
	leat_ledger l;
	leat_fan *fan;

	atomic_store(&live, 0);
	atomic_store(&clones, 0);
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	for (int i = 0; i < 2; i++)
		out[i] = leat_chan_make(int *, 0);
	CHECK_EQ(leat_broadcast(&fan, &group, in, out, 2, .end = LEAT_FAN_ALL,
				.clone = LEAT_FAN_CLONE(int *, clone_box),
				.drop = LEAT_FAN_DROP(int *, drop_box)), 0);
	CHECK_EQ(leat_go_in(&group, send_boxes, in), 0);
	CHECK_EQ(leat_go_in(&group, receive_boxes, out[0], N), 0);
	CHECK_EQ(leat_go_in(&group, receive_boxes, out[1], 5), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	leat_fan_destroy(fan, ledger_init(&l));
	check_at_rest(&l);
	CHECK_EQ(l.out, N);
	CHECK(atomic_load(&clones) >= 5);
	CHECK_EQ(atomic_load(&live), 0);
	leat_chan_unref(in);
	leat_chan_unref(out[0]);
	leat_chan_unref(out[1]);
}

/* Fails at the pair 6; what it made of the pair 5 nobody receives. */
static int pair_up(int **a, int **b, int **ret_box)
{
	CHECK_EQ(**a, **b);
	if (**a == 6)
		return -EDOM;
	drop_box(b);
	*ret_box = *a;
	return 0;
}

static void zip_boxes(int received, int result)
{
	leat_chan(int *) a = leat_chan_make(int *, 0), b = leat_chan_make(int *, 0);
	leat_chan(int *) out = leat_chan_make(int *, 0);
	leat_group group;
	leat_fan *fan;

	atomic_store(&live, 0);
	CHECK_EQ(leat_group_init(&group, LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE)), 0);
	CHECK_EQ(leat_zip(&fan, &group, a, b, out, pair_up,
			  .drop = LEAT_FAN_DROP(int *, drop_box),
			  .drop_second = LEAT_FAN_DROP(int *, drop_box),
			  .drop_out = LEAT_FAN_DROP(int *, drop_box)), 0);
	CHECK_EQ(leat_go_in(&group, send_boxes, a), 0);
	CHECK_EQ(leat_go_in(&group, send_boxes, b), 0);
	CHECK_EQ(leat_go_in(&group, receive_boxes, out, received), 0);
	CHECK_EQ(leat_group_wait(&group), result);
	leat_group_release(&group);
	leat_fan_destroy(fan, NULL);
	CHECK_EQ(atomic_load(&live), 0);
	leat_chan_unref(a);
	leat_chan_unref(b);
	leat_chan_unref(out);
}

TEST_SIM(a_zip_drops_both_and_what_it_makes, 20)
{
	zip_boxes(3, 0);
	zip_boxes(N, -EDOM);
}

static int load(int *n, int **ret_box)
{
	*ret_box = make_box(*n);
	return leat_sleep(LEAT_MS);
}

LEAT_TASK(ask, (leat_flight(int *), flight))
{
	int n = 3, *box;

	CHECK_EQ(leat_flight_do(flight, "key", load, &n, &box, LEAT_FOREVER), 0);
	CHECK_EQ(*box, 3);
	*box = 4; /* nobody else's */
	drop_box(&box);
}

TEST_SIM(a_flight_clones_and_drops, 10)
{
	leat_flight(int *) flight;
	leat_group group;

	atomic_store(&live, 0);
	atomic_store(&clones, 0);
	CHECK_EQ(leat_flight_make(&flight, .clone = LEAT_FLIGHT_CLONE(int *, clone_box),
				  .drop = LEAT_FLIGHT_DROP(int *, drop_box)), 0);
	CHECK_EQ(leat_group_init(&group, NULL), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(leat_go_in(&group, ask, flight), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	leat_flight_destroy(flight);
	CHECK_EQ(atomic_load(&clones), 4);
	CHECK_EQ(atomic_load(&live), 0);
}

static char dumped[64 * 1024];

static void dump(void)
{
	FILE *file = tmpfile();
	size_t n;

	REQUIRE(file);
	CHECK_EQ(leat_dump(fileno(file)), 0);
	rewind(file);
	n = fread(dumped, 1, sizeof(dumped) - 1, file);
	dumped[n] = '\0';
	fclose(file);
}

static void named(const char *name)
{
	if (!strstr(dumped, name))
		test_fail(__FILE__, __LINE__, "%s is not in the dump:\n%s", name, dumped);
}

static int wait_at_gate(int *n)
{
	(void)n;
	return leat_sem_acquire(&gate, 1);
}

static int load_at_gate(int *n, int *ret_n)
{
	*ret_n = *n;
	return leat_sem_acquire(&gate, 1);
}

LEAT_TASK(ask_for_int, (leat_flight(int), flight))
{
	int n = 0;

	CHECK_EQ(leat_flight_do(flight, "key", load_at_gate, &n, &n, LEAT_FOREVER), 0);
}

/* One of each is at work, and waits. */
TEST_SIM(names_are_in_dumps, 5)
{
	leat_chan(int) in[1] = { leat_chan_make(int, 0) }, out = leat_chan_make(int, 0);
	leat_flight(int) flight;
	leat_stage_stats stats = { .size = sizeof(stats) };
	leat_pool(int) pool;
	leat_pipeline *p;
	leat_flow(int) flow;
	leat_group group;
	leat_fan *fan;
	int next = N - 1;

	close_gate();
	CHECK_EQ(leat_group_init(&group, LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE)), 0);
	CHECK_EQ(leat_pool_make(&pool, wait_at_gate, .workers = 1, .queue = 1,
				.overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_STOP,
				.name = "name of a pool"), 0);
	CHECK_EQ(leat_pool_submit(pool, 1), 0);
	CHECK_EQ(leat_pipeline_make(&p, .live = 2, .name = "name of a pipeline"), 0);
	leat_pipeline_source(p, &flow, &next, count_to_n, .name = "count");
	leat_pipeline_sink(p, flow, wait_at_gate, .name = "name of a stage",
			   .mode = LEAT_STAGE_SERIAL, .on_error = LEAT_ERROR_STOP);
	CHECK_EQ(leat_pipeline_start(p), 0);
	CHECK_EQ(leat_flight_make(&flight, .name = "name of a flight"), 0);
	CHECK_EQ(leat_go_in(&group, ask_for_int, flight), 0);
	CHECK_EQ(leat_merge(&fan, &group, in, 1, out, .name = "name of a fan",
			    .end = LEAT_FAN_ALL), 0);
	test_settle();
	dump();
	named("name of a pool");
	named("name of a pipeline");
	named("name of a stage");
	named("name of a flight");
	named("name of a fan");
	CHECK_EQ(leat_fan_stats(fan, &stats), 0);
	CHECK_STR(stats.name, "name of a fan");

	leat_sem_release(&gate, 1);
	for (int i = 0; i < 2; i++) {
		test_settle();
		leat_sem_release(&gate, 1);
	}
	leat_close(in[0]);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	CHECK_EQ(leat_pipeline_wait(p), 0);
	leat_pipeline_destroy(p, NULL);
	CHECK_EQ(leat_pool_destroy(pool, NULL), 0);
	leat_flight_destroy(flight);
	leat_fan_destroy(fan, NULL);
	leat_chan_unref(in[0]);
	leat_chan_unref(out);
}

static int no_scenario(int *fixture)
{
	(void)fixture;
	return 0;
}

static int refuse(int *fixture, int result)
{
	(void)fixture;
	(void)result;
	return -EIO;
}

TEST_PLAIN(the_tester_begins_with_its_seed)
{
	leat_test_report report;
	int fixture = 0;

	CHECK_EQ(leat_test_everywhere(LEAT_TEST_OPTIONS(.seed = 77, .log = log_line), no_scenario,
				      refuse, &fixture, &report), -EIO);
	CHECK_EQ(report.seed, 77);
	CHECK(strstr(logged, "LEAT_TEST_POINT=77:"));
}
