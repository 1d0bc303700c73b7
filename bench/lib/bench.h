/*
 * The harness of a benchmark program in C: rows by name, timing, checks, and the
 * interface that bench/compare expects (bench/README.md).  It knows nothing of
 * leat, so that a peer's program can be made of it, too.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench;

/* A row: what it is called, how much it does at scale 1, and the function that does it. */
struct bench_row {
	const char *name;
	const char *unit;	/* "ns": for an operation; "ms": for the whole */
	int64_t size;
	bool cold;		/* a warm-up run would change what is measured */
	bool plain;		/* run without the runtime */
	void (*run)(struct bench *b);
};

/* One run of a row. */
struct bench {
	const struct bench_row *row;
	int64_t size;		/* how much to do: row->size times scale */
	double scale;		/* for rows whose work is not linear in size */
	bool quiet;		/* the warm-up: report nothing */
	int64_t wall_start, cpu_start;
	int64_t wall_ns, cpu_ns;	/* of the last bench_start to bench_stop */
};

/* A program: rows up to one without a name, and how to run fn(arg) in its runtime. */
struct bench_program {
	const char *name;
	const struct bench_row *const *groups;	/* up to NULL */
	int (*with_runtime)(int workers, int (*fn)(void *arg), void *arg);
};

/* The whole of main(). */
int bench_main(int argc, char **argv, const struct bench_program *program);

/* The time that counts is that between the two, and the CPU time of the process in it. */
void bench_start(struct bench *b);
void bench_stop(struct bench *b);

/* Prints the row's line for ops operations; value is taken from the time. */
void bench_report(struct bench *b, int64_t ops);

/* Prints a line "ROW.suffix" with a value of its own. */
void bench_metric(struct bench *b, const char *suffix, double value, const char *unit);

/* Ends the program with a message unless got is want.  Every row calls it. */
void bench_check(struct bench *b, const char *what, int64_t got, int64_t want);

/* VmRSS + VmPTE in bytes. */
int64_t bench_memory(void);

/* What every program shares, so that the work is the same. */
int64_t bench_fib(int64_t n);		/* by recursion */
int64_t bench_fib_n(struct bench *b);	/* n for the row's scale */

/* A row: that and no more, in a task that never blocks ("compute") or in none ("plain"). */
void bench_compute(struct bench *b);
int64_t bench_leaves(struct bench *b);	/* the greatest power of ten up to size */
int64_t bench_prime(int64_t n);		/* the n-th; 2 is the first */
int64_t bench_delay_ms(int64_t i);	/* of timer i: 1 to 1,000 */
uint64_t bench_work(uint64_t x);	/* about 1 us of xorshift; never 0 */

/*
 * Skewed work: item i takes bench_skew_ns(i), Pareto with exponent 1.2 from 1 ms on.  It is slept,
 * not computed, so that eight workers are eight, however few cores there are.
 */
enum { BENCH_SKEW_WORKERS = 8, BENCH_SKEW_WINDOW = 64 };
int64_t bench_skew_ns(int64_t i);
/*
 * How long n of those take eight workers at best if each takes the next in order when it is free;
 * window > 0: and who has done item i waits until all up to i - window are done.
 */
int64_t bench_skew_ideal_ns(int64_t n, int64_t window);
/* The row's lines, after the work: its time, and that by the two ideals. */
void bench_skew_report(struct bench *b);

/* Rows in plain C: the machine's limits, and what some rows are compared with. */
extern const struct bench_row bench_plain_rows[];

#ifdef __cplusplus
}
#endif

#endif
