/* What the clients measure alike: see bench/README.md. */
#ifndef BENCH_HTTP_MEASURE_H
#define BENCH_HTTP_MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

struct measure {
	double wall, cpu;
};

static inline struct measure measure_now(void)
{
	struct timespec now;
	struct rusage used;

	clock_gettime(CLOCK_MONOTONIC, &now);
	getrusage(RUSAGE_SELF, &used);
	return (struct measure){
		.wall = (double)now.tv_sec + (double)now.tv_nsec / 1e9,
		.cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6,
	};
}

static inline void measure_print(struct measure from, long requests)
{
	struct measure to = measure_now();

	printf("%.0f requests/s %.0f CPU ns/req\n", (double)requests / (to.wall - from.wall),
	       (to.cpu - from.cpu) * 1e9 / (double)requests);
}

#endif
