#include "deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "file.h"
#include "joblog.h"
#include "memory.h"
#include "message.h"
#include "output.h"
#include "quote.h"
#include "results.h"
#include "screen.h"

/* Pieces on their way out. */
struct writing {
	leat_io io;
	int fd;			/* that io is a copy of */
	const struct job *job;
	bool in_line;		/* the last piece did not end with a newline */
	char *tagged;		/* a piece with its tags */
	size_t n, size;
};

static int fail(const char *what, const char *name, int r)
{
	message("%s%s%s: %s", what, name ? " " : "", name ? name : "", leat_strerror(r));
	return r;
}

static int open_joblog(struct deliver *d)
{
	const char *path = d->o->joblog;
	off_t size;
	int r = 0;

	d->joblog = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (d->joblog < 0)
		return fail("--joblog", path, -leat_errno());
	size = lseek(d->joblog, 0, SEEK_END);
	if (size == 0)
		r = file_write(d->joblog, joblog_header, strlen(joblog_header));
	return r < 0 ? fail("--joblog", path, r) : 0;
}

int deliver_open(struct deliver *d, const struct map_options *o, struct journal *journal)
{
	int r;

	*d = (struct deliver){ .o = o, .journal = journal, .lock = LEAT_MUTEX_INIT,
			       .joblog = -1, .results = -1 };
	r = output_open(&d->out, STDOUT_FILENO);
	if (r < 0)
		return fail("stdout", NULL, r);
	r = output_open(&d->err, STDERR_FILENO);
	if (r < 0)
		return fail("stderr", NULL, r);
	if (o->dry_run)
		return 0;
	if (o->results) {
		r = results_open(o->results);
		if (r < 0)
			return fail("--results", o->results, r);
		d->results = r;
		if (journal)
			journal_set_results(journal, d->results);
	}
	return o->joblog ? open_joblog(d) : 0;
}

void deliver_close(struct deliver *d)
{
	if (!leat_io_is_none(d->out))
		leat_io_close(d->out);
	if (!leat_io_is_none(d->err))
		leat_io_close(d->err);
	if (d->joblog >= 0)
		close(d->joblog);
	if (d->results >= 0)
		close(d->results);
}

static void append(struct writing *w, const char *bytes, size_t n)
{
	if (w->n + n > w->size) {
		w->size = 2 * (w->n + n);
		w->tagged = need_more(w->tagged, w->size);
	}
	memcpy(w->tagged + w->n, bytes, n);
	w->n += n;
}

static void append_tag(struct writing *w)
{
	const struct job *job = w->job;

	for (size_t i = 0; i < job->nrecords; i++) {
		if (i > 0)
			append(w, " ", 1);
		append(w, job->records[i].bytes, job->records[i].n);
	}
	append(w, "\t", 1);
}

static int write_tagged(void *arg, const char *bytes, size_t n)
{
	struct writing *w = arg;
	const char *end = bytes + n, *at;

	w->n = 0;
	while (bytes < end) {
		at = memchr(bytes, '\n', (size_t)(end - bytes));
		if (!w->in_line)
			append_tag(w);
		n = (size_t)((at ? at + 1 : end) - bytes);
		append(w, bytes, n);
		w->in_line = !at;
		bytes += n;
	}
	screen_above(w->fd, w->tagged, w->n);
	return output_write(w->io, w->tagged, w->n);
}

static int write_plain(void *arg, const char *bytes, size_t n)
{
	const struct writing *w = arg;

	screen_above(w->fd, bytes, n);
	return output_write(w->io, bytes, n);
}

static int write_group(struct deliver *d, const struct job *job, bool is_err)
{
	struct writing w = { .io = is_err ? d->err : d->out, .job = job,
			     .fd = is_err ? STDERR_FILENO : STDOUT_FILENO };
	int r;

	screen_above_begin(w.fd);
	r = capture_each(is_err ? &job->err : &job->out, d->o->tag ? write_tagged : write_plain,
			 &w);
	screen_above_end(w.fd);
	free(w.tagged);
	return r;
}

static int write_groups(struct deliver *d, const struct job *job)
{
	int r = 0, k;

	leat_mutex_lock(&d->lock);
	if (capture_size(&job->out) > 0)
		r = write_group(d, job, false);
	if (r == 0 && capture_size(&job->err) > 0) {
		k = write_group(d, job, true);
		r = k == -EPIPE ? 0 : k; /* nobody listens: the work is done all the same */
	}
	leat_mutex_unlock(&d->lock);
	if (r < 0 && r != -EPIPE)
		message("stdout: %s; what is not in it has not been marked as done", leat_strerror(r));
	return r;
}

int deliver_lines(struct deliver *d, struct job *job, bool is_err)
{
	struct capture *c = is_err ? &job->err : &job->out, lines;
	const char *end = c->n > 0 ? memrchr(c->bytes, '\n', c->n) : NULL;
	size_t n = end ? (size_t)(end + 1 - c->bytes) : c->n >= CAPTURE_IN_MEMORY ? c->n : 0;
	struct job part = *job;
	int r;

	if (n == 0)
		return 0;
	lines = (struct capture){ .bytes = c->bytes, .n = n };
	if (is_err)
		part.err = lines;
	else
		part.out = lines;
	leat_mutex_lock(&d->lock);
	r = write_group(d, &part, is_err);
	leat_mutex_unlock(&d->lock);
	memmove(c->bytes, c->bytes + n, c->n - n);
	c->n -= n;
	return r == -EPIPE && is_err ? 0 : r;
}

/* As a shell takes it, for free(3): a script of --shell, or the words; NULL: there is none. */
static char *command_of(const struct deliver *d, const struct job *job)
{
	if (!job->args) /* its record was refused */
		return NULL;
	return d->o->shell ? strdup(job->args[0]) : quote_command((const char *const *)job->args);
}

static int log_job(struct deliver *d, const struct job *job)
{
	struct joblog_entry entry = {
		.seq = job->seq, .host = ":", .start = (double)job->started / 1e6,
		.runtime = (double)job->took / 1e9, .sent = job->sent,
		.received = capture_size(&job->out), .exitval = job->code < 0 ? 0 : job->code,
		.signal = job->signal,
	};
	char *command = command_of(d, job), *line;
	size_t n;
	int r;

	entry.command = command ? command : "";
	entry.command_size = command ? strlen(command) : 0;
	n = joblog_format(&entry, NULL, 0);
	line = need(n + 1);
	joblog_format(&entry, line, n + 1);
	r = file_write(d->joblog, line, n);
	free(line);
	free(command);
	return r < 0 ? fail("--joblog", d->o->joblog, r) : 0;
}

static void explain(const struct job *job)
{
	if (job->why[0])
		message("job %llu: %s", (unsigned long long)job->seq, job->why);
}

int deliver_job(struct deliver *d, struct job *job)
{
	bool failed = job_failed(job);
	int r = 0;

	if (d->results >= 0 && !d->o->dry_run)
		r = results_write(d->results, job);					/* V1 */
	if (r < 0)
		return fail("--results", d->o->results, r);
	r = write_groups(d, job);							/* V2 */
	if (r < 0)
		return r;
	explain(job);
	if (d->joblog >= 0)
		r = log_job(d, job);							/* V3 */
	if (r == 0 && d->journal && !d->o->dry_run) {
		r = journal_add(d->journal, &job->key, failed ? JOURNAL_FAILED : JOURNAL_DONE);
		if (r < 0)								/* V4 */
			fail("--journal", d->o->journal, r);
	}
	if (r == 0)
		atomic_fetch_add_explicit(failed ? &d->failed : &d->succeeded, 1,
					  memory_order_relaxed);
	return r;
}
