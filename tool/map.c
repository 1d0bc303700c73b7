#include "map.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "help.h"
#include "isolate.h"
#include "memory.h"
#include "message.h"

enum { KEPT_BYTES = 32 << 20 };

static void could_not_go_on(struct map *m, int r)
{
	int none = 0;

	atomic_compare_exchange_strong(&m->fatal, &none, r);
}

/* The records of one job; 0, LEAT_EEND, or an error. */
static int read_job(struct map *m, struct record *records, char **bytes, size_t *ret_n,
		    uint64_t *ret_long)
{
	const struct map_options *o = m->o;
	size_t n = 0, used = 0;
	struct record one;
	uint64_t size;
	int r = 0;

	*ret_long = 0;
	while (n < o->per_job) {
		r = o->pipe ? input_block(m->input, o->block, &one, &size)
			    : input_record(m->input, &one, &size);
		if (r < 0)
			break;
		if (size > o->record_max && !(o->pipe && size <= o->block))
			*ret_long = size;
		if (o->per_job > 1) { /* the input's are valid until the next call */
			*bytes = need_more(*bytes, used + one.n);
			memcpy(*bytes + used, one.bytes, one.n);
			one.bytes = NULL;
		}
		used += one.n;
		records[n++] = one;
	}
	used = 0;
	for (size_t i = 0; i < n && o->per_job > 1; i++) {
		records[i].bytes = *bytes + used;
		used += records[i].n;
	}
	*ret_n = n;
	return n > 0 ? 0 : r;
}

/* What no command can be given. */
static void check_records(struct map *m, struct job *job, uint64_t too_long)
{
	const char *nul;

	if (too_long > 0) {
		snprintf(job->why, sizeof(job->why),
			 "a record has %llu bytes, more than --max-record allows",
			 (unsigned long long)too_long);
		job->code = 1;
	}
	for (size_t i = 0; i < job->nrecords && !m->o->pipe && !m->o->http; i++) {
		nul = memchr(job->records[i].bytes, '\0', job->records[i].n);
		if (!nul)
			continue;
		snprintf(job->why, sizeof(job->why),
			 "a record has a NUL byte, at column %zu; no argument can have one",
			 (size_t)(nul - job->records[i].bytes) + 1);
		job->code = 1;
	}
}

/* false: it is done. */
static bool is_to_do(struct map *m, struct job *job)
{
	enum journal_state state;
	int r;

	if (!m->journal)
		return true;
	r = journal_key(m->journal, job->records, job->nrecords, &job->key, &state);
	if (r < 0)
		die("out of memory");
	return state == JOURNAL_UNKNOWN || (state == JOURNAL_FAILED && m->o->resume_failed);
}

static int next_job(struct map *m, struct job **ret_job)
{
	struct record *records = need(m->o->per_job * sizeof(*records));
	char *bytes = NULL;
	uint64_t too_long;
	struct job *job;
	size_t n;
	int r;

	for (;;) {
		r = read_job(m, records, &bytes, &n, &too_long);
		if (r < 0)
			break;
		job = job_create(++m->seq, records, n);
		atomic_store_explicit(&m->made, m->seq, memory_order_relaxed);
		if (is_to_do(m, job)) {
			check_records(m, job, too_long);
			*ret_job = job;
			break;
		}
		job_free(job);
		atomic_fetch_add_explicit(&m->skipped, 1, memory_order_relaxed);
	}
	free(records);
	free(bytes);
	if (r == LEAT_EEND)
		atomic_store_explicit(&m->made_all, true, memory_order_relaxed);
	if (r < 0 && r != LEAT_EEND && r != -ECANCELED) {
		message("%s: %s", m->o->file ? m->o->file : "stdin", leat_strerror(r));
		could_not_go_on(m, r);
	}
	return r < 0 ? LEAT_ECLOSED : 0;
}

static int run_job(struct map *m, struct job **in, struct job **ret_out)
{
	bool ran;
	int r = map_run_job(m, *in, &ran);

	if (r < 0) {
		if (r != -ECANCELED) /* that is the run's own end */
			could_not_go_on(m, r);
		return r;
	}
	if (!ran) {
		job_free(*in);
		return LEAT_SKIP;
	}
	*ret_out = *in;
	return 0;
}

void map_stop_soon(struct map *m)
{
	atomic_store(&m->no_new_jobs, true);
	leat_mutex_lock(&m->lock);
	leat_cond_broadcast(&m->changed);
	leat_mutex_unlock(&m->lock);
	leat_pipeline_shutdown(m->pipeline);
}

/* 126 and 127 are the shell's, too: no command will run any better. */
static bool cannot_run(const struct job *job)
{
	return job->code == 126 || job->code == 127;
}

static void look_for_halt(struct map *m, const struct job *job)
{
	enum halt_when when = halt_now(&m->o->halt, atomic_load(&m->deliver.succeeded),
				       atomic_load(&m->deliver.failed));

	if (cannot_run(job) && when == HALT_NEVER) {
		if (!m->said_cannot_run)
			message("job %llu could not be run (exit status %d): no new jobs",
				(unsigned long long)job->seq, job->code);
		m->said_cannot_run = true;
		when = HALT_SOON;
	}
	if (when == HALT_SOON)
		map_stop_soon(m);
	else if (when == HALT_NOW)
		leat_pipeline_abort(m->pipeline, -ECANCELED);
}

static int deliver(struct map *m, struct job **in)
{
	struct job *job = *in;
	int r = deliver_job(&m->deliver, job);

	if (r < 0) {
		could_not_go_on(m, r);
		return r;
	}
	look_for_halt(m, job);
	job_free(job);
	return 0;
}

static void drop_job(struct job **job)
{
	job_free(*job);
}

static int build(struct map *m)
{
	const struct map_options *o = m->o;
	size_t jobs = (size_t)o->jobs.n, window = o->window > 0 ? o->window
						 : o->keep_order && jobs < 64 ? 64 : jobs;
	leat_flow(struct job *) made, done;
	int r;

	r = leat_pipeline_make(&m->pipeline, .live = jobs + window, .name = "map");
	if (r < 0)
		return r;
	leat_pipeline_source(m->pipeline, &made, m, next_job, .name = "input",
			     .drop = LEAT_STAGE_DROP(struct job *, drop_job));
	leat_pipeline_map_with(m->pipeline, made, &done, m, run_job, .name = "run",
			       .mode = o->keep_order ? LEAT_STAGE_ORDERED : LEAT_STAGE_PARALLEL,
			       .workers = o->jobs.n, .on_error = LEAT_ERROR_STOP,
			       .window = o->keep_order ? window : 0,
			       .drop = LEAT_STAGE_DROP(struct job *, drop_job));
	leat_pipeline_sink_with(m->pipeline, done, m, deliver, .name = "output",
				.mode = LEAT_STAGE_SERIAL, .buffer = window,
				.on_error = LEAT_ERROR_STOP);
	return 0;
}

/* What decides what a job does: its words, and what becomes of a record.  To be freed. */
static const char **command_of(const struct map_options *o, size_t *ret_n)
{
	const char *const how[] = {
		o->shell ? "shell" : "exec", o->delim ? "lines" : "null",
		o->pipe ? "pipe" : "arguments",
	};
	enum { NHOW = sizeof(how) / sizeof(how[0]) };
	const char **words = need((o->ncommand + NHOW) * sizeof(char *));

	memcpy(words, o->command, o->ncommand * sizeof(char *));
	memcpy(words + o->ncommand, how, sizeof(how));
	*ret_n = o->ncommand + NHOW;
	return words;
}

static int open_journal(struct map *m)
{
	const struct map_options *o = m->o;
	enum journal_resume resume = o->resume_failed ? JOURNAL_RESUME_FAILED
				     : o->resume      ? JOURNAL_RESUME
						      : JOURNAL_NEW;
	const char **words;
	char why[512];
	size_t n;
	int r;

	if (!o->journal)
		return 0;
	words = o->http ? http_jobs_command(o, &n) : command_of(o, &n);
	r = journal_open(&m->journal, o->journal, resume, o->resume_force, words, n, why,
			 sizeof(why));
	free(words);
	if (r < 0)
		message("%s", why);
	else
		journal_set_output(m->journal, STDOUT_FILENO);
	return r;
}

static int limit_jobs(struct map *m)
{
	const struct jobs *jobs = &m->o->jobs;
	int cores = (int)sysconf(_SC_NPROCESSORS_ONLN);

	gate_init(&m->gate, jobs->n);
	if (!jobs->adaptive)
		return 0;
	return leat_adaptive_init(&m->at_once, LEAT_ADAPTIVE_OPTIONS(
		.algorithm = LEAT_VEGAS, .min = 1, .initial = cores < jobs->n ? cores : jobs->n,
		.max = jobs->n));
}

static int start_limits(struct map *m)
{
	const struct map_options *o = m->o;
	int r = limit_jobs(m);

	if (r == 0)
		r = rate_init(&m->rate, o);
	if (r == 0 && o->delay > 0)
		r = leat_bucket_init(&m->delay, 1e9 / (double)o->delay, 1);
	return r;
}

static int open_command(struct map *m)
{
	const struct map_options *o = m->o;
	const char *why;
	int r = template_create(&m->command, o->command, o->ncommand, o->shell, !o->pipe, &why);

	if (r < 0) {
		message("map: %s", why);
		return r;
	}
	if (o->pipe && template_has_records(m->command)) {
		message("map: with --pipe the records are the command's stdin; "
			"{#} and {%%} may be in it, but no {}");
		return -EINVAL;
	}
	if (!o->shell && !o->isolate && !strchr(o->command[0], '{'))
		m->program = file_in_path(o->command[0]);
	return 0;
}

static int start(struct map *m)
{
	const struct map_options *o = m->o;
	int r = o->http ? http_jobs_open(&m->http, o) : open_command(m);

	if (r < 0)
		return r;
	slots_init(&m->slots, o->jobs.n);
	r = start_limits(m);
	if (r == 0)
		r = open_journal(m);
	if (r == 0) {
		r = input_open(&m->input, o->file, o->delim, o->record_max);
		if (r < 0)
			message("%s: %s", o->file ? o->file : "stdin", leat_strerror(r));
	}
	if (r == 0)
		r = deliver_open(&m->deliver, o, m->journal);
	return r == 0 ? build(m) : r;
}

LEAT_TASK(sync_journal, (struct map *, m))
{
	int r = 0;

	while (r == 0 && leat_sleep(JOURNAL_SYNC_NS) == 0)
		r = journal_sync(m->journal);
	if (r < 0) {
		message("--journal %s: %s", m->o->journal, leat_strerror(r));
		could_not_go_on(m, r);
		leat_pipeline_abort(m->pipeline, r);
	}
}

/* How many jobs there will be is known at the end of the input; before, by its bytes. */
static void look(void *arg, struct progress_now *ret)
{
	struct map *m = arg;
	uint64_t failed = atomic_load(&m->deliver.failed), skipped = atomic_load(&m->skipped);
	uint64_t made, at, size;

	*ret = (struct progress_now){ .failed = failed, .skipped = skipped,
				      .running = atomic_load(&m->running) };
	ret->worked = failed + atomic_load(&m->deliver.succeeded);
	ret->done = ret->worked + skipped;
	ret->about = !atomic_load(&m->made_all);
	made = atomic_load(&m->made);
	input_position(m->input, &at, &size);
	if (!ret->about)
		ret->all = made;
	else if (at > 0 && size > 0)
		ret->all = (uint64_t)((double)made * ((double)size / (double)at));
	if (ret->all > 0 && ret->all < made) /* it has grown */
		ret->all = made;
	ret->left = ret->all > ret->done ? ret->all - ret->done : 0;
}

static void run(struct map *m)
{
	leat_group beside;
	int r = leat_group_init(&beside, LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE));

	if (r == 0)
		r = map_signals_start(m, &beside);
	if (r == 0 && m->journal)
		r = leat_go_in(&beside, sync_journal, m);
	if (r == 0 && m->o->progress)
		r = progress_start(&m->progress, &beside, look, m);
	if (r == 0)
		r = leat_pipeline_run(m->pipeline);
	leat_group_cancel(&beside, 0);
	leat_group_wait(&beside);
	leat_group_release(&beside);
	if (r < 0 && r != -ECANCELED)
		could_not_go_on(m, r);
}

static void end(struct map *m)
{
	int r;

	leat_pipeline_destroy(m->pipeline, NULL);
	progress_end(&m->progress);
	r = journal_close(m->journal);
	if (r < 0) {
		message("--journal %s: %s", m->o->journal, leat_strerror(r));
		could_not_go_on(m, r);
	}
	deliver_close(&m->deliver);
	input_close(m->input);
	slots_release(&m->slots);
	rate_release(&m->rate);
	http_jobs_close(m->http);
	template_free(m->command);
	free(m->program);
}

static int map_task(void *arg)
{
	struct map *m = arg;
	int r = start(m);

	if (r == 0)
		run(m);
	else
		could_not_go_on(m, r);
	end(m);
	return 0;
}

static int exit_status(struct map *m)
{
	uint64_t failed = atomic_load(&m->deliver.failed);
	int sig = atomic_load(&m->signal), fatal = atomic_load(&m->fatal);

	if (fatal == -EPIPE)
		sig = SIGPIPE; /* as everybody's who writes to who has gone */
	if (sig != 0) {
		signal(sig, SIG_DFL);
		raise(sig);
	}
	if (fatal < 0)
		return 255;
	return failed > 100 ? 101 : (int)failed;
}

/*
 * Blocks of megabytes come and go: given back to the kernel each time, each page would be made
 * anew.
 */
static void keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
	mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
}

/*
 * Workers: children need the cores, and what leat does for one is little; of two workers the one
 * that has nothing to do looks for work that the other would have done.  0: as many as there are
 * cores, or as the environment says.
 */
static int workers_for(const struct map_options *o)
{
	if (o->http || getenv("LEAT_WORKERS"))
		return 0;
	return sysconf(_SC_NPROCESSORS_ONLN) > 2 ? 2 : 1;
}

int map_main(int argc, char **argv)
{
	struct map m = { .lock = LEAT_MUTEX_INIT, .deliver = { .joblog = -1, .results = -1 } };
	struct map_options o;
	int r = map_options_parse(&o, argc, argv);

	if (r != 0) {
		map_options_release(&o);
		return r > 0 ? help_main("map") : 255;
	}
	keep_memory();
	if (o.isolate && (r = isolate_check()) < 0)
		die("--isolate: namespaces of processes are not allowed here: %s", strerror(-r));
	m.o = &o;
	r = leat_run(LEAT_OPTIONS(.workers = workers_for(&o), .abort_on_deadlock = true), map_task,
		     &m);
	if (r < 0)
		die("cannot start: %s", leat_strerror(r));
	map_options_release(&o);
	return exit_status(&m);
}
