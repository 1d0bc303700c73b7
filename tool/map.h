/*
 * leat map: a job for each record of the input.
 *
 *	input.c  ->  run.c (child.c)  ->  deliver.c
 *
 * One leat_pipeline: the source makes jobs of records, and leaves out those that the journal says
 * are done; a stage runs them, parallel or, to keep the order, ordered; the sink delivers.  What is
 * live is bounded: the jobs that run, and window that wait to be delivered.
 *
 * It ends at the end of the input; or soon (leat_pipeline_shutdown: no new job), or now (leat_pipeline_abort:
 * children are stopped, what was not delivered is not done).
 */
#ifndef TOOL_MAP_H
#define TOOL_MAP_H

#include <stdatomic.h>

#include <leat/leat.h>
#include <leat/pipeline.h>

#include "deliver.h"
#include "http_job.h"
#include "input.h"
#include "options.h"
#include "slots.h"

struct map {
	const struct map_options *o;
	leat_pipeline *pipeline;
	struct input *input;
	struct journal *journal; /* NULL: none */
	struct template *command;
	struct http_jobs *http;	/* in place of a command; NULL: none */
	char *program;		/* the path of the command; NULL: looked for at each start */
	struct slots slots;
	struct deliver deliver;
	leat_bucket rate, delay;
	/* Of the source. */
	uint64_t seq;
	/* Of the sink. */
	bool said_cannot_run;
	/* Of all. */
	_Atomic uint64_t skipped; /* done by an earlier run */
	_Atomic uint64_t started;
	_Atomic int running;
	_Atomic int signal;	/* that ended it; 0: none */
	_Atomic int fatal;	/* why it could not go on; 0: it could */
	leat_mutex lock;	/* with ended */
	leat_cond ended;	/* a job has, and what it had is free */
	atomic_bool short_of;	/* has said that it lacks resources */
};

/* argv[0] is "map".  The exit status. */
int map_main(int argc, char **argv);

/* run.c: the stage.  0, or -ECANCELED: the run was stopped. */
int map_run_job(struct map *m, struct job *job);

/* signals.c: a task that ends when the run does. */
int map_signals_start(struct map *m, leat_group *group);

#endif
