#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

/* A warm-up does this part of the work. */
#define WARM_UP (1.0 / 20)
#define SIZE_SMALLEST 16

enum {
	EXIT_USAGE = 2,
	EXIT_NO_ROW = 3,
};

static int64_t wall_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static int64_t cpu_now(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * INT64_C(1000000000) +
	       (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * INT64_C(1000);
}

void bench_start(struct bench *b)
{
	b->cpu_start = cpu_now();
	b->wall_start = wall_now();
}

void bench_stop(struct bench *b)
{
	b->wall_ns = wall_now() - b->wall_start;
	b->cpu_ns = cpu_now() - b->cpu_start;
}

static void print_line(struct bench *b, const char *suffix, double value, const char *unit,
		       int64_t ops)
{
	if (b->quiet)
		return;
	printf("%s%s %.4f %s %.6f %.6f %" PRId64 "\n", b->row->name, suffix, value, unit,
	       b->cpu_ns / 1e9, b->wall_ns / 1e9, ops);
	fflush(stdout);
}

void bench_report(struct bench *b, int64_t ops)
{
	if (strcmp(b->row->unit, "ms") == 0)
		print_line(b, "", b->wall_ns / 1e6, "ms", ops);
	else
		print_line(b, "", (double)b->wall_ns / ops, "ns", ops);
}

void bench_metric(struct bench *b, const char *suffix, double value, const char *unit)
{
	print_line(b, suffix, value, unit, b->size);
}

void bench_check(struct bench *b, const char *what, int64_t got, int64_t want)
{
	if (got == want)
		return;
	fprintf(stderr, "%s: wrong %s: got %" PRId64 ", want %" PRId64 "\n", b->row->name, what,
		got, want);
	fflush(stderr);
	_exit(EXIT_FAILURE);
}

int64_t bench_memory(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	int64_t kb, sum = 0;
	char line[256];

	if (!file) {
		perror("/proc/self/status");
		_exit(EXIT_FAILURE);
	}
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmRSS: %" SCNd64, &kb) == 1 ||
		    sscanf(line, "VmPTE: %" SCNd64, &kb) == 1)
			sum += kb;
	fclose(file);
	return sum * 1024;
}

int64_t bench_fib(int64_t n)
{
	return n < 2 ? n : bench_fib(n - 1) + bench_fib(n - 2);
}

int64_t bench_fib_n(struct bench *b)
{
	/* fib(n) grows by the golden ratio with n. */
	int64_t n = b->row->size + llround(log(b->scale) / log((1 + sqrt(5)) / 2));

	return n < 5 ? 5 : n;
}

void bench_compute(struct bench *b)
{
	int64_t n = bench_fib_n(b), sum;

	bench_start(b);
	sum = bench_fib(n);
	bench_stop(b);
	bench_check(b, "fib is positive", sum > 0, true);
	bench_report(b, 1);
}

int64_t bench_leaves(struct bench *b)
{
	int64_t n = 1;

	while (n * 10 <= b->size)
		n *= 10;
	return n;
}

int64_t bench_prime(int64_t n)
{
	int64_t v, d;

	for (v = 2;; v++) {
		for (d = 2; d * d <= v && v % d != 0; d++)
			;
		if (d * d > v && --n == 0)
			return v;
	}
}

int64_t bench_delay_ms(int64_t i)
{
	return 1 + (uint64_t)i * 2654435761u % 1000;
}

static const struct bench_row *find(const struct bench_program *program, const char *name)
{
	for (size_t i = 0; program->groups[i]; i++)
		for (const struct bench_row *row = program->groups[i]; row->name; row++)
			if (strcmp(row->name, name) == 0)
				return row;
	return NULL;
}

static void run_at(const struct bench_row *row, double scale, bool quiet)
{
	struct bench b = { .row = row, .scale = scale, .size = row->size * scale, .quiet = quiet };

	if (b.size < SIZE_SMALLEST)
		b.size = SIZE_SMALLEST;
	row->run(&b);
}

struct runs {
	const struct bench_row *row;
	double scale;
};

/* The warm-up and the run that counts, in one life of the runtime. */
static int run_twice(void *arg)
{
	const struct runs *runs = arg;

	if (!runs->row->cold && !getenv("BENCH_NO_WARMUP"))
		run_at(runs->row, runs->scale * WARM_UP, true);
	run_at(runs->row, runs->scale, false);
	return 0;
}

static int list(const struct bench_program *program)
{
	for (size_t i = 0; program->groups[i]; i++)
		for (const struct bench_row *row = program->groups[i]; row->name; row++)
			puts(row->name);
	return 0;
}

int bench_main(int argc, char **argv, const struct bench_program *program)
{
	const char *workers_text = argc > 2 ? argv[2] : "0", *scale_text = argc > 3 ? argv[3] : "1";
	struct runs runs = { 0 };
	char *workers_end, *scale_end;
	long workers = strtol(workers_text, &workers_end, 10);
	int r;

	runs.scale = strtod(scale_text, &scale_end);
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list(program);
	if (argc < 2 || argc > 4 || *workers_end || *scale_end || workers < 0 ||
	    workers > 1024 || !(runs.scale > 0 && runs.scale <= 100)) {
		fprintf(stderr, "usage: %s --list | ROW [WORKERS [SCALE]]\n", program->name);
		return EXIT_USAGE;
	}
	runs.row = find(program, argv[1]);
	if (!runs.row) {
		fprintf(stderr, "%s: no row %s\n", program->name, argv[1]);
		return EXIT_NO_ROW;
	}
	r = runs.row->plain ? run_twice(&runs) : program->with_runtime(workers, run_twice, &runs);
	if (r != 0)
		fprintf(stderr, "%s: the runtime failed: %d\n", program->name, r);
	return r != 0;
}
