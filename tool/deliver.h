/*
 * Delivery: what a job has written goes out, and then, that it is done.
 *
 *	V1 --results	V2 stdout, stderr	V3 --joblog	V4 --journal
 *
 * In this order: a job is in the journal only after all else.  One task delivers; the lines of
 * --line-buffer are written by those that run the jobs, under the same lock.
 */
#ifndef TOOL_DELIVER_H
#define TOOL_DELIVER_H

#include <stdatomic.h>

#include <leat/io.h>
#include <leat/sync.h>

#include "job.h"
#include "options.h"

struct deliver {
	const struct map_options *o;
	struct journal *journal; /* NULL: none */
	leat_io out, err;
	leat_mutex lock;	/* of both */
	int joblog, results;	/* < 0: none */
	_Atomic uint64_t succeeded, failed;
};

/* 0, or an error, of which it has said what it is. */
int deliver_open(struct deliver *d, const struct map_options *o, struct journal *journal);
void deliver_close(struct deliver *d);

/* 0, or an error, of which it has said what it is, unless it is -EPIPE.  Blocks. */
int deliver_job(struct deliver *d, struct job *job);

/* --line-buffer: the whole lines that have been captured.  0 or an error.  Any task. */
int deliver_lines(struct deliver *d, struct job *job, bool is_err);

#endif
