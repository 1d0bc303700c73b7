#include "job.h"

#include "http_job.h"
#include "memory.h"

struct job *job_create(uint64_t seq, const struct record *records, size_t n)
{
	size_t size = sizeof(struct job) + n * sizeof(struct record);
	struct job *job;
	char *to;

	for (size_t i = 0; i < n; i++)
		size += records[i].n + 1;
	job = need_more(NULL, size);
	memset(job, 0, sizeof(*job));
	job->seq = seq;
	job->code = -1;
	job->records = (struct record *)(job + 1);
	job->nrecords = n;
	to = (char *)(job->records + n);
	for (size_t i = 0; i < n; i++) {
		if (records[i].n > 0)
			memcpy(to, records[i].bytes, records[i].n);
		to[records[i].n] = '\0';
		job->records[i] = (struct record){ to, records[i].n };
		to += records[i].n + 1;
	}
	return job;
}

void job_free(struct job *job)
{
	if (!job)
		return;
	capture_reset(&job->out);
	capture_reset(&job->err);
	http_job_free(job->request);
	free(job->more_args);
	free(job->args);
	free(job);
}
