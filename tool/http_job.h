/*
 * leat map --http METHOD URL: a job is a request.
 *
 * URL, headers and body are templates (template.h).  A value in the URL is percent-encoded, so that
 * it is one part of the path or of the query, unless the URL begins with it: so {} alone is a URL
 * as it is.  The body of POST, PUT and PATCH is the record, if no other is given; with several
 * records (-n) they are joined by newlines.
 *
 * A job has failed if there is no response, or if its status is 400 or more.  Its code is then the
 * status, JOB_TIMED_OUT, or 1.  Tried again is what may be better the next time: no response, and
 * the status 408, 425, 429 and from 500 on; after a Retry-After not before it has passed.
 *
 * Its output is a line of JSON (http_output.h).
 */
#ifndef TOOL_HTTP_JOB_H
#define TOOL_HTTP_JOB_H

#include "job.h"
#include "options.h"

/* What all of them share. */
struct http_jobs;

/* 0, or an error, of which it has said what it is.  Task only. */
int http_jobs_open(struct http_jobs **ret, const struct map_options *o);
/* NULL is ignored. */
void http_jobs_close(struct http_jobs *jobs);

/*
 * What decides what a job does, for the journal: a list, to be given to free(3), of *ret_n texts
 * that are not.  Without headers that are secret, which change from run to run.
 */
const char **http_jobs_command(const struct map_options *o, size_t *ret_n);

/*
 * Makes job->request, and job->args for the log: METHOD and the URL without user and password.
 * 0, or -EINVAL, and job->why says why.
 */
int http_job_expand(struct http_jobs *jobs, const struct template_values *values, struct job *job);

/*
 * As long as the last response said: before an attempt, and before its token of the rate is taken,
 * so that those who were sent away together do not come back together.  0 or -ECANCELED.
 */
int http_job_wait(struct job *job);

/*
 * One attempt: asks, and fills in the job's code, timed_out, took, sent, why and out.  0;
 * -ECANCELED; an error of out's file; or -EMFILE, -ENFILE, -ENOMEM: there was no request.
 */
int http_job_run(struct http_jobs *jobs, struct job *job);

/* Whether another attempt may be better. */
bool http_job_may_retry(const struct job *job);

struct http_job;
void http_job_free(struct http_job *request);

#endif
