// The public API from C++17: tasks, typed channels, select, groups, results.
#include <cstdio>
#include <cstring>
#include <leat/leat.h>
#include <leat/testing.h>
// Not where only the installed library is.
#if __has_include(<http/http.h>)
#include <http/http.h>
#endif

// g++ warns of the options that a pool is not given.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static int checked, failed;

static void expect(bool cond, const char *what)
{
	std::printf("%s %s\n", cond ? "ok" : "FAIL", what);
	checked++;
	failed += !cond;
}

LEAT_TASK(square, (leat_receiver(int), in), (leat_sender(long), out))
{
	leat_range(n, in)
		leat_send(out, (long)n * n);
	leat_close(out);
}

LEAT_TASK_ERR(fail, (int, error))
{
	return error;
}

LEAT_TASK(fib, (int, n), (long *, result))
{
	if (n < 2) {
		*result = n;
		return;
	}
	long a, b;
	leat_forked left;
	leat_fork(&left, fib, n - 1, &a);
	fib(n - 2, &b);
	leat_join(&left);
	*result = a + b;
}

static int twice(int *job, long *ret_result)
{
	*ret_result = 2L * *job;
	return 0;
}

struct counter {
	int jobs;
};

static int begin_count(counter *, int)
{
	return 0;
}

static int count_job(counter *c, int *)
{
	c->jobs++;
	return 0;
}

static void end_count(counter *c)
{
	expect(c->jobs == 3, "state of a worker");
}

static void pools()
{
	leat_chan(long) results = leat_chan_make(long, 10);
	const counter none = {};
	leat_pool(int) pool;
	long sum = 0;

	expect(leat_pool_make_to(&pool, results, twice, .workers = 2, .queue = 10,
				 .overflow = LEAT_OVERFLOW_BLOCK, .on_error = LEAT_ERROR_STOP,
				 .order = LEAT_POOL_AS_COMPLETED) == 0, "pool");
	for (int i = 1; i <= 3; i++)
		expect(leat_pool_submit(pool, i) == 0, "submit");
	leat_pool_close(pool);
	leat_range(r, results)
		sum += r;
	expect(sum == 12, "results of a pool");
	expect(leat_pool_destroy(pool, nullptr) == 0, "end of a pool");
	leat_chan_unref(results);

	expect(leat_pool_make_with(&pool, &none, begin_count, end_count, count_job, .workers = 1,
				   .queue = 10, .overflow = LEAT_OVERFLOW_BLOCK,
				   .on_error = LEAT_ERROR_STOP) == 0, "pool with states");
	for (int i = 0; i < 3; i++)
		expect(leat_pool_submit_at_until(pool, 0, i, leat_in(LEAT_S)) == 0, "submit");
	expect(leat_pool_drain(pool, LEAT_FOREVER) == 0, "drain");
	expect(leat_pool_destroy(pool, nullptr) == 0, "end of a pool with states");
}

struct numbers {
	int next;
	long sum;
};

static int next_number(numbers *n, int *ret_n)
{
	*ret_n = n->next++;
	return *ret_n < 10 ? 0 : LEAT_ECLOSED;
}

struct batch {
	long *item;
	size_t n;
};

static int add_batch(numbers *n, batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		n->sum += b->item[i];
	return 0;
}

static void pipelines()
{
	numbers n = {};
	leat_pipeline *p;
	leat_flow(int) a;
	leat_flow(long) b;
	leat_flow(batch) c;

	expect(leat_pipeline_make(&p, .live = 8) == 0, "pipeline");
	expect(leat_pipeline_source(p, &a, &n, next_number, .name = "next") == 0, "source");
	expect(leat_pipeline_map(p, a, &b, twice, .name = "twice", .mode = LEAT_STAGE_ORDERED,
				 .workers = 2, .on_error = LEAT_ERROR_STOP, .window = 2) == 0, "map");
	expect(leat_pipeline_batch(p, b, &c, .name = "batch", .items = 3, .wait = LEAT_S) == 0,
	       "batch");
	expect(leat_pipeline_sink_with(p, c, &n, add_batch, .name = "add",
				       .mode = LEAT_STAGE_SERIAL, .on_error = LEAT_ERROR_STOP) == 0,
	       "sink");
	expect(leat_pipeline_run(p) == 0, "run");
	expect(n.sum == 90, "sum of a pipeline");
	expect(leat_pipeline_destroy(p, nullptr) == 0, "end of a pipeline");
}

static int copy_long(const long *n, long *ret_copy)
{
	*ret_copy = *n;
	return 0;
}

static uint64_t last_digit(const long *n)
{
	return (uint64_t)(*n % 10);
}

static bool less_long(const long *a, const long *b)
{
	return *a < *b;
}

static int pair(int *a, long *b, long *ret_sum)
{
	*ret_sum = *a + *b;
	return 0;
}

static int add(numbers *n, long *v)
{
	n->sum += *v;
	return 0;
}

struct letter {
	long item;
	int error;
};

static int no_letter(letter *l)
{
	return l->error;
}

/* Each piece between stages. */
static void graphs()
{
	numbers n = {}, other = {};
	leat_pipeline *p;
	leat_flow(int) a, c;
	leat_flow(long) b, tee, side, copies[2], parts[2], halves[2], in[2], out[7];
	leat_flow(letter) dead;

	expect(leat_pipeline_make(&p, .live = 8) == 0, "pipeline");
	leat_pipeline_source(p, &a, &n, next_number, .name = "next");
	leat_pipeline_source(p, &c, &other, next_number, .name = "other");
	leat_pipeline_map(p, a, &b, twice, .name = "twice", .mode = LEAT_STAGE_SERIAL,
			  .on_error = LEAT_ERROR_STOP);
	leat_pipeline_tee(p, b, &tee, &side, .name = "tee", .end = LEAT_FAN_ALL);
	leat_pipeline_broadcast(p, tee, copies, 2, .name = "cast", .on_error = LEAT_ERROR_STOP,
				.end = LEAT_FAN_ALL, .clone = LEAT_STAGE_CLONE(long, copy_long));
	leat_pipeline_merge(p, copies, 2, &out[0], .name = "both", .end = LEAT_FAN_ALL);
	leat_pipeline_balance(p, out[0], halves, 2, .name = "halves", .end = LEAT_FAN_ALL);
	leat_pipeline_merge(p, halves, 2, &out[1], .name = "merge", .end = LEAT_FAN_ALL);
	leat_pipeline_partition(p, out[1], parts, 2, last_digit, .name = "parts",
				.end = LEAT_FAN_ALL);
	leat_pipeline_take(p, parts[0], &out[2], 1000, .name = "take");
	leat_pipeline_zip(p, c, side, &out[3], pair, .name = "zip", .on_error = LEAT_ERROR_STOP);
	in[0] = out[2];
	in[1] = parts[1];
	leat_pipeline_merge(p, in, 2, &out[4], .name = "all", .end = LEAT_FAN_ALL);
	leat_pipeline_sink_with(p, out[4], &n, add, .name = "add", .mode = LEAT_STAGE_SERIAL,
				.on_error = LEAT_ERROR_STOP);
	in[0] = out[3];
	leat_pipeline_merge_ordered(p, in, 1, &out[5], less_long, .name = "sort");
	in[0] = out[5];
	leat_pipeline_concat(p, in, 1, &out[6], .name = "one");
	leat_pipeline_sink_with(p, out[6], &other, add, .name = "add", .mode = LEAT_STAGE_SERIAL,
				.on_error = LEAT_ERROR_COUNT);
	leat_pipeline_dead_letters(p, out[6], &dead);
	leat_pipeline_sink(p, dead, no_letter, .name = "letters", .mode = LEAT_STAGE_SERIAL,
			   .on_error = LEAT_ERROR_STOP);
	expect(leat_pipeline_run(p) == 0, "run");
	expect(n.sum == 180, "sum of two copies");
	expect(other.sum == 135, "sum of pairs");
	expect(leat_pipeline_destroy(p, nullptr) == 0, "end of a graph");
}

static void fans()
{
	leat_chan(int) in[2] = { leat_chan_make(int, 3), leat_chan_make(int, 3) };
	leat_chan(int) out = leat_chan_make(int, 0);
	leat_group group;
	leat_fan *fan;
	int sum = 0;

	expect(leat_group_init(&group, nullptr) == 0, "group");
	expect(leat_merge(&fan, &group, in, 2, out, .name = "merge", .end = LEAT_FAN_ALL) == 0,
	       "merge");
	for (int i = 0; i < 6; i++)
		expect(leat_send(in[i % 2], i) == 0, "send to a merge");
	leat_close(in[0]);
	leat_close(in[1]);
	leat_range(v, out)
		sum += v;
	expect(sum == 15, "sum of a merge");
	expect(leat_group_wait(&group) == 0, "wait for a merge");
	leat_group_release(&group);
	leat_fan_destroy(fan, nullptr);
	leat_chan_unref(in[0]);
	leat_chan_unref(in[1]);
	leat_chan_unref(out);
}

static int add_int(int *sum, int *n)
{
	*sum += *n;
	return 0;
}

static int clone_int(const int *n, int *ret_copy)
{
	*ret_copy = *n;
	return 0;
}

typedef leat_chan(int) ints;

/* A bridge, then or-done, then a tee, of which one side is conflated. */
static void fans_from_one()
{
	leat_chan(ints) in = leat_chan_make(ints, 1);
	leat_chan(int) c[5], inner = leat_chan_make(int, 3);
	leat_chan(long) done = leat_chan_make(long, 0);
	leat_group group;
	leat_fan *fan[4];
	int sum = 0;

	for (int i = 0; i < 5; i++)
		c[i] = leat_chan_make(int, i == 4 ? 3 : 0);
	expect(leat_group_init(&group, nullptr) == 0, "group");
	expect(leat_bridge(&fan[0], &group, in, c[0], .name = "bridge") == 0, "bridge");
	expect(leat_or_done(&fan[1], &group, c[0], c[1], done, .name = "or-done") == 0, "or-done");
	expect(leat_tee(&fan[2], &group, c[1], c[2], c[3], .end = LEAT_FAN_ALL,
			.clone = LEAT_FAN_CLONE(int, clone_int)) == 0, "tee");
	expect(leat_conflate(&fan[3], &group, c[2], c[4], add_int, .name = "sum") == 0, "conflate");
	for (int i = 1; i < 4; i++)
		expect(leat_send(inner, i) == 0, "send to a bridge");
	leat_close(inner);
	expect(leat_send(in, inner) == 0, "send a channel");
	leat_close(in);
	leat_range(v, c[3])
		sum += v;
	leat_range(v, c[4])
		sum += v;
	expect(sum == 12, "sum of a tee");
	expect(leat_group_wait(&group) == 0, "wait for a tee");
	leat_group_release(&group);
	for (int i = 0; i < 4; i++)
		leat_fan_destroy(fan[i], nullptr);
	for (int i = 0; i < 5; i++)
		leat_chan_unref(c[i]);
	leat_chan_unref(in);
	leat_chan_unref(done);
}

static int negate(long *n)
{
	return -(int)*n;
}

static int seven(int *n)
{
	*n = 7;
	return 0;
}

static leat_breaker breaker;

static int guarded(int *n)
{
	return leat_breaker_call(&breaker, seven, n);
}

static void limits()
{
	leat_keyed *keyed;
	leat_adaptive adaptive;
	leat_permit permit;
	int n = 0;

	expect(leat_breaker_init(&breaker, LEAT_BREAKER_OPTIONS(
			.failures = 1, .open_for = LEAT_S, .probes = 1, .successes = 1)) == 0,
	       "a breaker");
	expect(leat_timeout(guarded, &n, 10 * LEAT_S) == 0 && n == 7, "a timeout");
	expect(leat_adaptive_init(&adaptive, LEAT_ADAPTIVE_OPTIONS(
			.algorithm = LEAT_VEGAS, .min = 1, .initial = 1, .max = 1)) == 0,
	       "an adaptive limit");
	expect(leat_adaptive_acquire(&adaptive, &permit) == 0, "a permit");
	leat_adaptive_release(&adaptive, &permit, LEAT_OUTCOME_SUCCESS);
	expect(leat_keyed_create(&keyed, LEAT_KEYED_OPTIONS(
			.rate = 1, .burst = 1, .keys = 1, .full = LEAT_KEYED_FORGET)) == 0,
	       "a keyed limiter");
	expect(leat_keyed_try_take(keyed, leat_key_string("k"), 1) == 0, "a key");
	expect(leat_keyed_try_take(keyed, leat_key_string("k"), 1) == -EAGAIN, "the key again");
	leat_keyed_destroy(keyed);
}

static int fail_twice(int *calls)
{
	return ++*calls < 3 ? -EAGAIN : 0;
}

LEAT_TASK_ERR(has_name, (const char *, name))
{
	return std::strcmp(leat_task_name(), name);
}

/* The other options, each as an argument. */
static void options()
{
	const char *const argv[] = { "true", nullptr };
	leat_process_result result;
	leat_process *process;
	leat_addr addr;
	leat_io io;
	leat_reader *reader;
	leat_flight(int) flight;
	leat_group group;
	const char *line;
	size_t n;
	int calls = 0;

	expect(leat_group_init(&group, LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE,
							  .limit = 1)) == 0, "a group");
	expect(leat_go_with(&group, LEAT_TASK_OPTIONS(.name = "other"), has_name, "other") == 0,
	       "a task");
	expect(leat_group_wait(&group) == 0, "its name");
	leat_group_release(&group);
	expect(leat_retry(LEAT_RETRY_OPTIONS(.attempts = 3, .backoff = 1), fail_twice, &calls) == 0,
	       "a retry");
	expect(leat_addr_parse(&addr, "127.0.0.1:0") == 0, "an address");
	expect(leat_listen(&io, &addr, LEAT_SOCKET_OPTIONS(.backlog = 1, .no_delay = true)) == 0,
	       "a socket");
	expect(leat_io_close(io) == 0, "its close");
	expect(leat_io_memory(&io, "line\n", 5, 0) == 0, "a stream");
	expect(leat_reader_create(&reader, io, LEAT_STREAM_OPTIONS(.buffer = 64, .limit = 64)) == 0,
	       "a reader");
	expect(leat_reader_line(reader, &line, &n, LEAT_FOREVER) == 0 && n == 4, "a line");
	leat_reader_free(reader);
	expect(leat_io_close(io) == 0, "close of a stream");
	expect(leat_process_start(&process,
				  LEAT_PROCESS_OPTIONS(.argv = argv, .search = true)) == 0,
	       "a process");
	expect(leat_process_wait(process, &result, LEAT_FOREVER) == 0 && result.code == 0,
	       "its end");
	leat_process_release(process);
	expect(leat_flight_make(&flight, .name = "flight") == 0, "a flight");
	leat_flight_destroy(flight);
#ifdef HTTP_CLIENT_OPTIONS
	expect(HTTP_CLIENT_OPTIONS(.per_host = 2)->per_host == 2, "of a connector");
#endif
}

static int simulated(void *)
{
	expect(leat_sim_net_set(LEAT_SIM_NET(.latency_min = 1, .latency_max = 2)) == 0, "a net");
	expect(leat_sim_disk_set(LEAT_SIM_DISK(.latency_min = 1, .latency_max = 2)) == 0, "a disk");
	return 0;
}

static int scenario(int *)
{
	return leat_yield();
}

static int check(int *, int r)
{
	return r == -ECANCELED ? 0 : r;
}

/* What begins a runtime of its own. */
static void runtimes()
{
	int fixture = 0;

	expect(leat_run(LEAT_OPTIONS(.workers = 1, .sim_seed = 1), simulated, nullptr) == 0,
	       "a simulation");
	expect(leat_test_everywhere(LEAT_TEST_OPTIONS(.seeds = 2), scenario, check, &fixture,
				    nullptr) == 0, "a scenario");
}

static int body(void *)
{
	options();
	limits();
	fans_from_one();
	pools();
	pipelines();
	graphs();
	fans();
	leat_chan(int) in = leat_chan_make(int, 2);
	leat_chan(long) out = leat_chan_make(long, 0);
	leat_group group;
	long sum = 0, value = 0;
	int ok = -1;

	leat_group_init(&group, nullptr);
	leat_go_in(&group, square, leat_to_receiver(in), leat_to_sender(out));
	for (int i = 1; i <= 2; i++)
		leat_send(in, i);
	leat_close(in);
	leat_range(n, out)
		sum += n;
	expect(sum == 5, "range over a typed channel");
	expect(leat_select(leat_case_recv_ok(out, &value, &ok), leat_case_default) == 0 &&
	       ok == LEAT_ECLOSED, "select on a closed channel");
	expect(leat_group_wait(&group) == 0, "the group's wait");
	leat_group_release(&group);

	leat_group_init(&group, nullptr);
	leat_go_in(&group, fail, -ENOENT);
	expect(leat_group_wait(&group) == -ENOENT, "a task's error is its group's");
	leat_group_release(&group);

	fib(15, &value);
	expect(value == 610, "fork and join");

	expect(leat_blocking_call(negate, &value) == -610, "a typed blocking call");

	leat_chan_unref(in);
	leat_chan_unref(out);
	return 0;
}

int main()
{
	expect(leat_run(nullptr, body, nullptr) == 0, "leat_run");
	runtimes();
	std::printf("%d passed, %d failed\n", checked - failed, failed);
	return failed != 0;
}
