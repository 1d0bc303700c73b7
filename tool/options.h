/* What the command line of leat map says. */
#ifndef TOOL_OPTIONS_H
#define TOOL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "halt.h"
#include "journal.h"
#include "units.h"

struct map_options {
	/* The command, and what becomes of a record in it. */
	const char *const *command; /* ends with NULL; of HTTP: the URL */
	size_t ncommand;
	bool shell;
	bool isolate;
	const char *http;	/* the method; NULL: a command */
	const char **headers;	/* of HTTP; nheaders of them */
	size_t nheaders;
	const char *body;
	int per_host;		/* of HTTP: requests at once; 0: no limit */
	const char *ca_file;
	bool insecure, follow;
	uint64_t max_response;	/* bytes */
	int64_t retry_after_max; /* ns */
	/* The input. */
	const char *file;	/* NULL: stdin */
	char delim;
	size_t per_job;		/* records */
	uint64_t record_max;	/* bytes */
	bool pipe;		/* blocks of records go to stdin */
	uint64_t block;		/* bytes */
	/* How many, how fast, how often. */
	struct jobs jobs;
	struct rate rate;	/* per_second 0: no limit */
	const char *rate_key;	/* a template; NULL: one rate for all */
	int64_t delay;		/* ns between two starts */
	int64_t timeout;	/* ns; 0: none */
	int64_t grace;		/* ns from TERM to KILL */
	int nice;
	int retries;
	struct codes retry_on;
	int64_t retry_delay;	/* ns */
	struct halt halt;
	/* The output. */
	bool keep_order;
	size_t window;		/* jobs that may wait to be delivered; 0: not given */
	bool line_buffer, tag;
	const char *results;	/* a directory */
	bool progress, dry_run;
	/* The state. */
	const char *joblog, *journal;
	bool resume, resume_failed, resume_force;
};

/*
 * argv[0] is "map".  0; 1: there was --help, which has been printed; or -EINVAL, and the message
 * is out.
 */
int map_options_parse(struct map_options *ret, int argc, char **argv);
void map_options_release(struct map_options *o);

/* The options as a list: for leat help map, and for the shell's completion. */
void map_options_print(void);

#endif
