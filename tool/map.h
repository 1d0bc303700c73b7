/*
 * leat map: a job for each record of the input.
 *
 *	input.c  ->  run.c (child.c)  ->  deliver.c
 *
 * One leat_pipeline: the source makes jobs of records, and leaves out those that the journal says
 * are done; a stage runs them, parallel or, to keep the order, ordered; the sink delivers.  What is
 * live is bounded: the jobs that run, and window that wait to be delivered.
 *
 * It ends at the end of the input; or soon (leat_pipeline_shutdown: no new job), or now
 * (leat_pipeline_abort: children are stopped, what was not delivered is not done).
 */
#ifndef TOOL_MAP_H
#define TOOL_MAP_H

#include <stdatomic.h>

#include <leat/leat.h>
#include <leat/pipeline.h>

#include "deliver.h"
#include "gate.h"
#include "http_job.h"
#include "input.h"
#include "options.h"
#include "rate.h"
#include "progress.h"
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
	struct rate_limit rate;
	leat_bucket delay;
	struct gate gate;	/* as many at once as there is room for */
	leat_adaptive at_once;	/* of --jobs auto */
	struct progress progress;
	/* Of the source. */
	uint64_t seq;
	/* Of the sink. */
	bool said_cannot_run;
	/* Of all. */
	_Atomic uint64_t made;	/* jobs of the input so far */
	atomic_bool made_all;
	_Atomic uint64_t skipped; /* done by an earlier run */
	_Atomic int running;
	_Atomic int signal;	/* that ended it; 0: none */
	_Atomic int fatal;	/* why it could not go on; 0: it could */
	atomic_bool no_new_jobs;
	leat_mutex lock;	/* with changed */
	leat_cond changed;	/* a job has ended, and what it had is free; or no_new_jobs */
	atomic_bool short_of;	/* has said that it lacks resources */
};

/* argv[0] is "map".  The exit status. */
int map_main(int argc, char **argv);

/* No job begins from now on; those that run may end. */
void map_stop_soon(struct map *m);

/*
 * run.c: the stage.  0, and *ret_ran says whether it was done, or left for another run; -ECANCELED:
 * the run was stopped; or why it cannot go on.
 */
int map_run_job(struct map *m, struct job *job, bool *ret_ran);

/* signals.c: a task that ends when the run does. */
int map_signals_start(struct map *m, leat_group *group);

#endif
