/* The rows of the program bench-leat; each file of this directory has one group. */
#ifndef ROWS_H
#define ROWS_H

#include <leat/leat.h>

#include "../lib/bench.h"

extern const struct bench_row spawn_rows[];
extern const struct bench_row fib_rows[];
extern const struct bench_row chan_rows[];
extern const struct bench_row pattern_rows[];
extern const struct bench_row pool_rows[];
extern const struct bench_row pipeline_rows[];
extern const struct bench_row loop_rows[];
extern const struct bench_row select_rows[];
extern const struct bench_row sync_rows[];
extern const struct bench_row limit_rows[];
extern const struct bench_row parked_rows[];
extern const struct bench_row timer_rows[];
extern const struct bench_row process_rows[];

/* Sends from, from + 1, ... to - 1.  Returns false when a send failed. */
bool produce(leat_chan(int64_t) c, int64_t from, int64_t to);

/* A channel, or the end of the program. */
leat_chan(int64_t) make_chan(size_t cap);

/* Ends the program with a message if error is one. */
void must(const char *what, int error);

#endif
