/* A job: the records that it is for, and what has become of it. */
#ifndef TOOL_JOB_H
#define TOOL_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "capture.h"
#include "journal.h"
#include "template.h"

/* The code of a job that took too long. */
enum { JOB_TIMED_OUT = 124 };

struct job {
	uint64_t seq;		/* from 1, as it came */
	struct journal_key key;
	struct record *records;	/* in one block of memory with the job, as their bytes are */
	size_t nrecords;
	/* Written by who runs it. */
	char **args;		/* of the command; NULL: it did not come to that */
	struct http_job *request; /* in place of a command (http_job.h); NULL: none */
	char **more_args;	/* the same with the shell in front, if it has one; else NULL */
	int attempts;
	int code;		/* what it exited with; -1: a signal, or it did not run */
	int signal;
	bool timed_out;
	int64_t started;	/* us since 1970 */
	int64_t took;		/* ns, of the last attempt */
	uint64_t sent;		/* bytes to stdin */
	struct capture out, err;
	char why[256];		/* leat's own words on why it failed; "": none */
};

/* Of records, whose bytes are copied. */
struct job *job_create(uint64_t seq, const struct record *records, size_t n);
void job_free(struct job *job);

static inline bool job_failed(const struct job *job)
{
	return job->code != 0;
}

#endif
