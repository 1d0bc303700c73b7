/* One job, from its turn to its last attempt. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "child.h"
#include "map.h"
#include "memory.h"
#include "message.h"
#include "quote.h"

/* What an attempt says that may be tried again; the job has the rest. */
enum { AGAIN = -EAGAIN };

/* How long a child is waited for room for, when none runs whose end would make it. */
#define ROOM_NS (200 * LEAT_MS)
enum { ROOM_TRIES = 50 };

struct run {
	struct map *m;
	struct job *job;
	struct slot *slot;
	leat_key key;		/* of --rate-key */
	int error;		/* of the program itself: it cannot go on with this job */
	bool has_tokens;	/* of this attempt */
	bool has_waited;	/* for them */
};

__attribute__((format(printf, 2, 3)))
static void refuse(struct job *job, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(job->why, sizeof(job->why), fmt, args);
	va_end(args);
}

static int64_t wall_us(void)
{
	struct timeval t;

	gettimeofday(&t, NULL);
	return t.tv_sec * INT64_C(1000000) + t.tv_usec;
}

/* It has not begun, and shall not. */
static bool is_too_late(const struct run *run)
{
	return run->job->attempts == 0 && atomic_load(&run->m->no_new_jobs);
}

/* Until then, or until no new job is wanted; 0 or -ECANCELED. */
static int wait_until(struct run *run, int64_t when)
{
	struct map *m = run->m;
	int r = 0;

	leat_mutex_lock(&m->lock);
	while (r == 0 && leat_now() < when && !is_too_late(run))
		r = leat_cond_wait_until(&m->changed, &m->lock, when);
	leat_mutex_unlock(&m->lock);
	return r == -ECANCELED ? r : 0;
}

static int wait_for_turn(struct run *run, int64_t when)
{
	if (when <= leat_now())
		return 0;
	run->has_waited = true;
	return wait_until(run, when);
}

/* --rate */
static int take_rate(struct run *run)
{
	struct rate_limit *rate = &run->m->rate;
	struct rate_token token;
	int r = rate_reserve(rate, run->key, &token);

	while (r == -ENOBUFS && !is_too_late(run)) {
		r = wait_for_turn(run, leat_in(ROOM_NS));
		if (r == 0)
			r = rate_reserve(rate, run->key, &token);
	}
	if (r < 0)
		return r == -ENOBUFS ? 0 : r;
	r = wait_for_turn(run, token.when);
	if (r < 0 || is_too_late(run))
		rate_give_back(rate, &token);
	return r;
}

/* --delay */
static int take_delay(struct run *run)
{
	leat_bucket *delay = &run->m->delay;
	leat_reservation token;
	int r = leat_bucket_reserve(delay, 1, LEAT_FOREVER, &token);

	if (r == 0)
		r = wait_for_turn(run, token.when);
	if (r < 0 || is_too_late(run))
		leat_bucket_give_back(delay, &token);
	return r;
}

/*
 * The last thing before the start: who took them and then waited for a place would begin together
 * with others who have done so, however low the rate.
 */
static int take_tokens(struct run *run)
{
	struct map *m = run->m;
	int r = 0;

	run->has_waited = false;
	if (run->has_tokens) /* there was no room for it */
		return 0;
	if (m->o->rate.per_second > 0)
		r = take_rate(run);
	if (r == 0 && m->o->delay > 0)
		r = take_delay(run);
	run->has_tokens = r == 0;
	return r;
}

static bool is_shortage(int r)
{
	return r == -EAGAIN || r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

/*
 * There is no room for another child, and left of them run.  0: to be tried again, when one has
 * ended; r: there is none for a while, not even for one; or -ECANCELED.
 */
static int wait_for_room(struct run *run, int r, int left, int *tries)
{
	struct map *m = run->m;

	*tries = left > 0 ? 0 : *tries + 1;
	if (*tries > ROOM_TRIES)
		return r;
	slots_trim(&m->slots);
	if (!atomic_exchange(&m->short_of, true))
		message("there is no room for all of the jobs at once: %s", leat_strerror(r));
	return left > 0 ? 0 : leat_sleep(ROOM_NS);
}

static int captured(void *arg, struct job *job, bool is_err)
{
	struct map *m = arg;

	return deliver_lines(&m->deliver, job, is_err);
}

static char **args_of(const struct job *job)
{
	return job->more_args ? job->more_args : job->args;
}

/* In front of the job's arguments. */
static void prepend(struct job *job, const char *const *words, size_t nwords)
{
	char **args = args_of(job), **more;
	size_t n = 0;

	while (args[n])
		n++;
	more = need((nwords + n + 1) * sizeof(char *));
	memcpy(more, words, nwords * sizeof(char *));
	memcpy(more + nwords, args, n * sizeof(char *));
	free(job->more_args);
	job->more_args = more;
}

/* A script without a first line that names its interpreter is the shell's, as for execvp(3). */
static int run_script(const struct child_options *child, struct run *run)
{
	struct child_options with_shell = *child;

	run->job->args[0] = (char *)(uintptr_t)child->file;
	prepend(run->job, (const char *const[]){ "sh" }, 1);
	with_shell.file = "/bin/sh";
	return child_run(&with_shell, run->slot, run->job, args_of(run->job));
}

/* 0; why it could not be started or seen to its end. */
static int run_child(struct run *run)
{
	struct map *m = run->m;
	struct job *job = run->job;
	const struct map_options *o = m->o;
	struct child_options child = {
		.file = m->program ? m->program : args_of(job)[0], .timeout = o->timeout,
		.grace = o->grace, .nice = o->nice, .input = o->pipe ? job->records : NULL,
		.captured = o->line_buffer ? captured : NULL, .arg = m,
	};
	int r = child_run(&child, run->slot, job, args_of(job));

	return r == -ENOEXEC && !job->more_args ? run_script(&child, run) : r;
}

static int run_once(struct run *run)
{
	struct map *m = run->m;
	struct job *job = run->job;
	int r = take_tokens(run);

	if (r < 0 || is_too_late(run))
		return r;
	capture_reset(&job->out);
	capture_reset(&job->err);
	job->started = wall_us();
	job->attempts++;
	r = m->http ? http_job_run(m->http, job) : run_child(run);
	if (is_shortage(r))
		job->attempts--; /* it was none */
	return r;
}

/* --jobs auto: as many at once as make jobs no slower; a wait for the rate says nothing of it. */
static int run_adaptive(struct run *run)
{
	struct map *m = run->m;
	leat_permit permit;
	int r;

	if (!m->o->jobs.adaptive)
		return run_once(run);
	r = leat_adaptive_acquire(&m->at_once, &permit);
	if (r < 0)
		return r;
	r = run_once(run);
	leat_adaptive_release(&m->at_once, &permit,
			      run->job->timed_out	   ? LEAT_OUTCOME_DROPPED
			      : r == 0 && !run->has_waited ? LEAT_OUTCOME_SUCCESS
							   : LEAT_OUTCOME_IGNORED);
	return r;
}

static int run_when_there_is_room(struct run *run)
{
	struct map *m = run->m;
	int r, left, tries = 0;

	for (;;) {
		r = gate_enter(&m->gate);
		if (r < 0)
			return r;
		r = is_too_late(run) ? 0 : run_adaptive(run);
		left = gate_leave(&m->gate, is_shortage(r));
		if (!is_shortage(r))
			return r;
		r = wait_for_room(run, r, left, &tries);
		if (r < 0)
			return r;
	}
}

/* It did not run, or not to its end. */
static void not_run(struct job *job, int r)
{
	job->signal = 0;
	job->code = 1;
	if (r == -E2BIG) {
		refuse(job, "its arguments are too long for the system; use --pipe, or less with -n");
	} else if (r == -ENOENT || r == -EACCES || r == -ENOEXEC || r == -ENOTDIR || r == -EPERM) {
		job->code = r == -ENOENT || r == -ENOTDIR ? 127 : 126;
		refuse(job, "cannot run %s: %s", args_of(job)[0], leat_strerror(r));
	} else {
		refuse(job, "%s: %s", args_of(job)[0], leat_strerror(r));
	}
}

/* However it ended then; the status is that of timeout(1). */
static void timed_out(struct map *m, struct job *job)
{
	job->code = JOB_TIMED_OUT;
	job->signal = 0;
	refuse(job, "timed out after %.3g s, attempt %d", (double)m->o->timeout / 1e9,
	       job->attempts);
}

/* An attempt; >= 0: that was it.  AGAIN, or run->error. */
static int attempt(struct run *run)
{
	struct map *m = run->m;
	struct job *job = run->job;
	int r = m->http ? http_job_wait(job) : 0;

	if (r < 0)
		return run->error = r;
	job->why[0] = '\0';
	run->has_tokens = false;
	r = run_when_there_is_room(run);
	if (r == -ECANCELED || r == -EPIPE)
		return run->error = r;
	if (r < 0)
		not_run(job, r);
	else if (job->timed_out)
		timed_out(m, job);
	if (job->code == 0 || (r < 0 && r != -ENOSPC && r != -EIO))
		return 0;
	if (m->http)
		return http_job_may_retry(job) ? AGAIN : 0;
	return job->code < 0 ? (m->o->retry_on.signal ? AGAIN : 0)
			     : codes_has(&m->o->retry_on, job->code) ? AGAIN : 0;
}

static bool is_again(int error)
{
	return error == AGAIN;
}

static int run_in_slot(struct run *run)
{
	const struct map_options *o = run->m->o;
	struct job *job = run->job;
	int64_t pause = o->retry_delay > 0 ? o->retry_delay : 1;
	struct template_values values = { .records = job->records, .nrecords = job->nrecords,
					  .seq = job->seq, .slot = run->slot->number };
	int r = run->m->http ? http_job_expand(run->m->http, &values, job)
			     : template_expand(run->m->command, &values, &job->args, job->why,
					       sizeof(job->why));

	if (r == 0)
		r = rate_key(&run->m->rate, &values, &run->key, job->why, sizeof(job->why));
	if (r == -ENOMEM)
		die("out of memory");
	if (r < 0) {
		job->code = 1;
		return 0;
	}
	if (o->shell)
		prepend(job, (const char *const[]){ "/bin/sh", "-c" }, 2);
	if (o->isolate)
		prepend(job, (const char *const[]){ "/proc/self/exe", "isolate" }, 2);
	if (o->dry_run) {
		job->code = 0;
		job->out.bytes = quote_command((const char *const *)args_of(job));
		job->out.n = strlen(job->out.bytes);
		job->out.bytes[job->out.n++] = '\n'; /* in place of the 0 */
		return 0;
	}
	r = leat_retry(LEAT_RETRY_OPTIONS(.attempts = o->retries + 1,
					  .backoff = pause, .backoff_max = 64 * pause,
					  .retryable = is_again), attempt, run);
	return r == -ECANCELED ? r : run->error;
}

int map_run_job(struct map *m, struct job *job, bool *ret_ran)
{
	struct run run = { .m = m, .job = job };
	int r;

	*ret_ran = true;
	if (job->why[0]) /* its record was refused */
		return 0;
	atomic_fetch_add(&m->running, 1);
	run.slot = slots_take(&m->slots);
	r = run_in_slot(&run);
	slots_give(&m->slots, run.slot);
	*ret_ran = job->attempts > 0 || job->why[0] || m->o->dry_run;
	atomic_fetch_sub(&m->running, 1);
	leat_mutex_lock(&m->lock);
	leat_cond_broadcast(&m->changed);
	leat_mutex_unlock(&m->lock);
	return r;
}
