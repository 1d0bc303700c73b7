// The rows of bench/ with oneTBB, and the loops with OpenMP (ROW@openmp).  Interface and
// rows: bench/README.md.
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include <omp.h>
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include "../lib/bench.h"

namespace {

int workers;

// Jobs of a task group: they are queued without a bound, and done by the arena's threads, of which
// the one that waits is one.
template <class Job> void pool_of(bench *b, Job job)
{
	std::atomic<int64_t> done{0};

	bench_start(b);
	tbb::task_group group;
	for (int64_t i = 0; i < b->size; i++)
		group.run([&done, job, i] { done.fetch_add(1 + job(i), std::memory_order_relaxed); });
	group.wait();
	bench_stop(b);
	bench_check(b, "jobs done", done.load(), b->size);
	bench_report(b, b->size);
}

int64_t work_zero(int64_t v)
{
	return bench_work(static_cast<uint64_t>(v)) == 0;
}

void pool_empty(bench *b)
{
	pool_of(b, [](int64_t) -> int64_t { return 0; });
}

void pool_1us(bench *b)
{
	pool_of(b, work_zero);
}

// The arena's other thread is kept busy, so that all jobs wait.
void pool_queued(bench *b)
{
	std::atomic<int64_t> done{0};
	std::atomic<bool> is_held{false}, go{false};
	int64_t before = bench_memory();
	tbb::task_group group;

	if (workers > 1) {
		group.run([&] {
			is_held = true;
			while (!go)
				std::this_thread::yield();
		});
		while (!is_held)
			std::this_thread::yield();
	}
	bench_start(b);
	for (int64_t i = 0; i < b->size; i++)
		group.run([&done, i] { done.fetch_add(1 + (i < 0), std::memory_order_relaxed); });
	bench_metric(b, ".bytes",
		     static_cast<double>(bench_memory() - before) / b->size - sizeof(int64_t), "bytes");
	go = true;
	group.wait();
	bench_stop(b);
	bench_check(b, "jobs done", done.load(), b->size);
	bench_report(b, b->size);
}

// Numbers from a source through fn to a sink in at most tokens live items.
template <class Fn, class Sink>
void pipeline(bench *b, size_t tokens, tbb::filter_mode middle, tbb::filter_mode last, Fn fn, Sink sink)
{
	int64_t next = 0;

	bench_start(b);
	tbb::parallel_pipeline(
		tokens,
		tbb::make_filter<void, int64_t>(tbb::filter_mode::serial_in_order,
						[&next, b](tbb::flow_control &control) -> int64_t {
							if (next == b->size) {
								control.stop();
								return 0;
							}
							return next++;
						}) &
			tbb::make_filter<int64_t, int64_t>(middle, fn) &
			tbb::make_filter<int64_t, void>(last, sink));
	bench_stop(b);
}

void squares(bench *b, size_t tokens, tbb::filter_mode middle, tbb::filter_mode last)
{
	uint64_t sum = 0, want = 0;

	pipeline(
		b, tokens, middle, last, [](int64_t v) { return v * v; },
		[&sum](int64_t v) { sum += static_cast<uint64_t>(v); });
	for (uint64_t v = 0; v < static_cast<uint64_t>(b->size); v++)
		want += v * v;
	bench_check(b, "sum", static_cast<int64_t>(sum), static_cast<int64_t>(want));
	bench_report(b, b->size);
}

// Two tokens for each worker, as oneTBB's manual has it.
size_t two_each()
{
	return 2 * static_cast<size_t>(workers);
}

void serial(bench *b)
{
	squares(b, two_each(), tbb::filter_mode::serial_in_order, tbb::filter_mode::serial_in_order);
}

void parallel(bench *b)
{
	squares(b, two_each(), tbb::filter_mode::parallel, tbb::filter_mode::serial_out_of_order);
}

void ordered(bench *b)
{
	squares(b, two_each(), tbb::filter_mode::parallel, tbb::filter_mode::serial_in_order);
}

template <class Fn> void works(bench *b, size_t tokens, bool is_ordered, Fn fn)
{
	int64_t sum = 0, last = -1;

	pipeline(b, tokens, tbb::filter_mode::parallel,
		 is_ordered ? tbb::filter_mode::serial_in_order : tbb::filter_mode::serial_out_of_order, fn,
		 [&](int64_t v) {
			 if (is_ordered && v != last + 1)
				 std::abort();
			 last = v;
			 sum += v;
		 });
	bench_check(b, "sum", sum, b->size * (b->size - 1) / 2);
}

void parallel_1us(bench *b)
{
	works(b, two_each(), false, [](int64_t v) { return v + work_zero(v); });
	bench_report(b, b->size);
}

void ordered_1us(bench *b)
{
	works(b, two_each(), true, [](int64_t v) { return v + work_zero(v); });
	bench_report(b, b->size);
}

// Eight threads that sleep, and as many tokens as others have places in their window.
void skewed(bench *b, bool is_ordered)
{
	tbb::global_control eight(tbb::global_control::max_allowed_parallelism, BENCH_SKEW_WORKERS);
	tbb::task_arena arena(BENCH_SKEW_WORKERS);

	arena.execute([&] {
		works(b, BENCH_SKEW_WINDOW, is_ordered, [](int64_t v) {
			std::this_thread::sleep_for(std::chrono::nanoseconds(bench_skew_ns(v)));
			return v;
		});
	});
	bench_skew_report(b);
}

void skew_parallel(bench *b)
{
	skewed(b, false);
}

void skew_ordered(bench *b)
{
	skewed(b, true);
}

// As bench/leat/loop.c.
constexpr int rounds = 20;

template <class Loop> void loop(bench *b, Loop run)
{
	size_t n = static_cast<size_t>(b->size);
	std::vector<float> in(n), out(n, -1.0f);
	int64_t wrong = 0;

	for (size_t i = 0; i < n; i++)
		in[i] = static_cast<float>(i % 1000);
	bench_start(b);
	for (int i = 0; i < rounds; i++)
		run(in.data(), out.data(), n);
	bench_stop(b);
	for (size_t i = 0; i < n; i++)
		wrong += std::fabs(out[i] - (std::sqrt(static_cast<float>(i % 1000)) * 0.5f + 1)) > 1e-5f;
	bench_check(b, "wrong elements", wrong, 0);
	bench_report(b, b->size * rounds);
}

void loop_tbb(bench *b)
{
	loop(b, [](const float *in, float *out, size_t n) {
		tbb::parallel_for(tbb::blocked_range<size_t>(0, n), [=](const tbb::blocked_range<size_t> &r) {
			for (size_t i = r.begin(); i != r.end(); i++)
				out[i] = std::sqrt(in[i]) * 0.5f + 1;
		});
	});
}

void loop_openmp(bench *b)
{
	loop(b, [](const float *in, float *out, size_t n) {
#pragma omp parallel for
		for (size_t i = 0; i < n; i++)
			out[i] = std::sqrt(in[i]) * 0.5f + 1;
	});
}

const bench_row rows[] = {
	{ .name = "pool-empty", .unit = "ns", .size = 2000000, .run = pool_empty },
	{ .name = "pool-1us", .unit = "ns", .size = 500000, .run = pool_1us },
	{ .name = "pool-queued", .unit = "ns", .size = 1000000, .cold = true, .run = pool_queued },
	{ .name = "pipeline-object", .unit = "ns", .size = 1000000, .run = serial },
	{ .name = "pipeline-parallel", .unit = "ns", .size = 1000000, .run = parallel },
	{ .name = "pipeline-ordered", .unit = "ns", .size = 1000000, .run = ordered },
	{ .name = "parallel-1us", .unit = "ns", .size = 500000, .run = parallel_1us },
	{ .name = "ordered-1us", .unit = "ns", .size = 500000, .run = ordered_1us },
	{ .name = "skew-parallel", .unit = "ms", .size = 1000, .cold = true, .run = skew_parallel },
	{ .name = "skew-ordered", .unit = "ms", .size = 1000, .cold = true, .run = skew_ordered },
	{ .name = "loop", .unit = "ns", .size = 10000000, .run = loop_tbb },
	{ .name = "loop@openmp", .unit = "ns", .size = 10000000, .run = loop_openmp },
	{},
};

int with_workers(int n, int (*fn)(void *), void *arg)
{
	int r = 0;

	workers = n > 0 ? n : static_cast<int>(std::thread::hardware_concurrency());
	omp_set_num_threads(workers);
	tbb::task_arena arena(workers);
	arena.execute([&] { r = fn(arg); });
	return r;
}

} // namespace

int main(int argc, char **argv)
{
	static const bench_row *const groups[] = { rows, nullptr };
	static const bench_program program = {
		.name = "bench-tbb",
		.groups = groups,
		.with_runtime = with_workers,
	};

	return bench_main(argc, argv, &program);
}
