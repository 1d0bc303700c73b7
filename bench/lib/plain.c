/*
 * Rows without any runtime: what this machine can do at best, printed on top
 * of the table, and the loops that some rows are compared with.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

/* An uncontended locked instruction. */
static void lock_add(struct bench *b)
{
	static int64_t counter;

	__atomic_store_n(&counter, 0, __ATOMIC_RELAXED);
	bench_start(b);
	for (int64_t i = 0; i < b->size; i++)
		__atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
	bench_stop(b);
	bench_check(b, "count", counter, b->size);
	bench_report(b, b->size);
}

/* The row "sem" in C11 alone: three of four permits, taken and given back by a CAS loop each. */
static void cas_pair(struct bench *b)
{
	static _Atomic int64_t word;
	int64_t count = 0, free;

	word = 4;
	bench_start(b);
	for (int64_t i = 0; i < b->size; i++) {
		free = atomic_load_explicit(&word, memory_order_relaxed);
		while (free >= 3 && !atomic_compare_exchange_weak(&word, &free, free - 3))
			;
		++*(volatile int64_t *)&count;
		free = atomic_load_explicit(&word, memory_order_relaxed);
		while (!atomic_compare_exchange_weak(&word, &free, free + 3))
			;
	}
	bench_stop(b);
	bench_check(b, "permits", word, 4);
	bench_check(b, "count", count, b->size);
	bench_report(b, b->size);
}

/* The row "now" without leat. */
static void clock_read(struct bench *b)
{
	int64_t last = 0, next;
	struct timespec now;

	bench_start(b);
	for (int64_t i = 0; i < b->size; i++) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		next = now.tv_sec * 1000000000 + now.tv_nsec;
		bench_check(b, "order", next >= last, 1);
		last = next;
	}
	bench_stop(b);
	bench_report(b, b->size);
}

/* Touches one fresh page for each of size: the least that a parked stack can cost. */
static void pages(struct bench *b)
{
	size_t length = b->size * 4096;
	char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(EXIT_FAILURE);
	}
	madvise(memory, length, MADV_NOHUGEPAGE);
	int64_t before = bench_memory();
	bench_start(b);
	for (int64_t i = 0; i < b->size; i++)
		*(volatile char *)(memory + i * 4096) = 1;
	bench_stop(b);
	bench_check(b, "pages", (bench_memory() - before) / 4096 >= b->size, true);
	bench_report(b, b->size);
	munmap(memory, length);
}

extern char **environ;

/* The same work as the row "process". */
static void posix_spawn_loop(struct bench *b)
{
	char *const argv[] = { (char *)"/bin/true", NULL };
	int64_t ended = 0;

	bench_start(b);
	for (int64_t i = 0; i < b->size; i++) {
		int status = -1;
		pid_t pid;

		if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) == 0 &&
		    waitpid(pid, &status, 0) == pid)
			ended += status == 0;
	}
	bench_stop(b);
	bench_check(b, "ended", ended, b->size);
	bench_report(b, ended);
}

const struct bench_row bench_plain_rows[] = {
	{ .name = "lock-add", .unit = "ns", .size = 20000000, .plain = true, .run = lock_add },
	{ .name = "cas-pair", .unit = "ns", .size = 10000000, .plain = true, .run = cas_pair },
	{ .name = "clock-read", .unit = "ns", .size = 10000000, .plain = true, .run = clock_read },
	{ .name = "pages", .unit = "ms", .size = 1000000, .cold = true, .plain = true,
	  .run = pages },
	{ .name = "posix-spawn", .unit = "ns", .size = 2000, .plain = true,
	  .run = posix_spawn_loop },
	{ .name = "plain", .unit = "ms", .size = 40, .plain = true, .run = bench_compute },
	{ 0 },
};
