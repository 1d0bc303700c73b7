/*
 * One table says what the options are: for getopt_long(3), for leat help map, and for the shell's
 * completion.  A function takes each, in the order of the table.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "message.h"

/* "" between the groups: a title. */
static const struct option_text {
	const char *name;	/* long */
	int letter;		/* 0: none */
	const char *arg;	/* NULL: none; in brackets: may be left out */
	const char *text;
} texts[] = {
	{ "", 0, NULL, "Input" },
	{ "arg-file", 'a', "FILE", "read records from FILE, not from stdin" },
	{ "null", '0', NULL, "records end with a NUL byte, not with a newline" },
	{ "max-args", 'n', "N", "N records a job (1)" },
	{ "max-record", 0, "SIZE", "a longer record fails its job (16M)" },
	{ "pipe", 0, NULL, "blocks of records go to stdin, not into arguments" },
	{ "block", 0, "SIZE", "bytes of a block (1M)" },
	{ "", 0, NULL, "Command" },
	{ "shell", 0, NULL, "by sh -c, with each {} quoted" },
	{ "isolate", 0, NULL, "nothing that a job starts outlives it" },
	{ "nice", 0, "N", "run jobs N nicer" },
	{ "", 0, NULL, "HTTP" },
	{ "http", 0, "METHOD", "the command is a URL, which is asked for" },
	{ "header", 0, "TEXT", "\"Name: value\"; again for more" },
	{ "body", 0, "TEXT", "of the request ({}, for POST, PUT and PATCH)" },
	{ "per-host", 0, "N", "N requests at once to one host" },
	{ "follow", 0, NULL, "follow redirects, never from https to http" },
	{ "max-response", 0, "SIZE", "a longer response fails its job (16M)" },
	{ "retry-after-max", 0, "TIME", "no retry if the server wants a longer pause (10m)" },
	{ "ca-file", 0, "FILE", "trust these authorities, and no others" },
	{ "insecure", 0, NULL, "do not verify who the server is" },
	{ "", 0, NULL, "How many, how fast, how often" },
	{ "jobs", 'j', "N", "N at once; N% of the cores; +N more; auto (100%)" },
	{ "rate", 0, "RATE", "start no more than 10/s, 600/m; 10/s:20 in bursts" },
	{ "rate-key", 0, "TEXT", "a rate for each TEXT, as {.host}" },
	{ "delay", 0, "TIME", "at least TIME between two starts" },
	{ "timeout", 0, "TIME", "a job that takes longer is stopped, and has failed" },
	{ "grace", 0, "TIME", "from SIGTERM to SIGKILL (5s)" },
	{ "retry", 0, "N", "run a job that has failed again, N times at most" },
	{ "retry-on", 0, "CODES", "only after these, as 1,75,100-110,signal" },
	{ "retry-delay", 0, "TIME", "before the first retry, then twice as long (1s)" },
	{ "halt", 0, "WHEN", "end early: soon|now,fail|success=N|N%; never" },
	{ "", 0, NULL, "Output" },
	{ "keep-order", 'k', NULL, "in the order of the input" },
	{ "window", 0, "N", "N jobs may wait for delivery (as -j; 64 with -k)" },
	{ "line-buffer", 0, NULL, "line by line, not job by job" },
	{ "tag", 0, NULL, "the record in front of each line" },
	{ "results", 0, "DIR", "also to DIR/SEQ/stdout and DIR/SEQ/stderr" },
	{ "progress", 0, NULL, "how far it is, on a terminal" },
	{ "dry-run", 0, NULL, "print the commands, run none" },
	{ "", 0, NULL, "State" },
	{ "joblog", 0, "FILE", "a line for each job, as GNU parallel has it" },
	{ "journal", 0, "FILE", "which jobs are done" },
	{ "resume", 0, "[force]", "run what is not done; force: with another command" },
	{ "resume-failed", 0, NULL, "the same, and what has failed" },
	{ "", 0, NULL, "" },
	{ "help", 'h', NULL, "this text" },
};

enum { NTEXTS = sizeof(texts) / sizeof(texts[0]) };

#define DELAY_MAX (24 * 3600 * LEAT_S)	/* what a leat_bucket takes */

/* What getopt_long(3) returns for texts[i]. */
enum { FIRST = 256 };

struct parse {
	struct map_options *o;
	const char *why;	/* of an argument that is refused */
};

static int is(const struct option_text *t, const char *name)
{
	return strcmp(t->name, name) == 0;
}

static int take_input(struct parse *p, const struct option_text *t, const char *arg)
{
	struct map_options *o = p->o;
	int64_t n;

	if (is(t, "arg-file"))
		o->file = arg;
	else if (is(t, "null"))
		o->delim = '\0';
	else if (is(t, "max-args")) {
		if (units_int(arg, 1, 1 << 20, &n, &p->why) < 0)
			return -EINVAL;
		o->per_job = (size_t)n;
	} else if (is(t, "max-record"))
		return units_size(arg, &o->record_max, &p->why);
	else if (is(t, "pipe"))
		o->pipe = true;
	else if (is(t, "block"))
		return units_size(arg, &o->block, &p->why);
	else
		return 1;
	return 0;
}

static int take_command(struct parse *p, const struct option_text *t, const char *arg)
{
	struct map_options *o = p->o;
	int64_t n;

	if (is(t, "shell"))
		o->shell = true;
	else if (is(t, "isolate"))
		o->isolate = true;
	else if (is(t, "nice")) {
		if (units_int(arg, -40, 40, &n, &p->why) < 0)
			return -EINVAL;
		o->nice = (int)n;
	} else
		return 1;
	return 0;
}

static int take_http(struct parse *p, const struct option_text *t, const char *arg)
{
	struct map_options *o = p->o;
	int64_t n;

	if (is(t, "http"))
		o->http = arg;
	else if (is(t, "header")) {
		o->headers = need_more(o->headers, (o->nheaders + 2) * sizeof(char *));
		o->headers[o->nheaders++] = arg;
		o->headers[o->nheaders] = NULL;
	} else if (is(t, "body"))
		o->body = arg;
	else if (is(t, "per-host")) {
		if (units_int(arg, 1, 1 << 20, &n, &p->why) < 0)
			return -EINVAL;
		o->per_host = (int)n;
	} else if (is(t, "follow"))
		o->follow = true;
	else if (is(t, "max-response"))
		return units_size(arg, &o->max_response, &p->why);
	else if (is(t, "retry-after-max"))
		return units_duration(arg, &o->retry_after_max, &p->why);
	else if (is(t, "ca-file"))
		o->ca_file = arg;
	else if (is(t, "insecure"))
		o->insecure = true;
	else
		return 1;
	return 0;
}

static int take_limit(struct parse *p, const struct option_text *t, const char *arg)
{
	struct map_options *o = p->o;
	int64_t n;

	if (is(t, "jobs"))
		return units_jobs(arg, (int)sysconf(_SC_NPROCESSORS_ONLN), &o->jobs, &p->why);
	if (is(t, "rate"))
		return units_rate(arg, &o->rate, &p->why);
	if (is(t, "delay"))
		return units_duration(arg, &o->delay, &p->why);
	if (is(t, "timeout"))
		return units_duration(arg, &o->timeout, &p->why);
	if (is(t, "grace"))
		return units_duration(arg, &o->grace, &p->why);
	if (is(t, "retry-on"))
		return units_codes(arg, &o->retry_on, &p->why);
	if (is(t, "retry-delay"))
		return units_duration(arg, &o->retry_delay, &p->why);
	if (is(t, "halt"))
		return halt_parse(arg, &o->halt, &p->why);
	if (is(t, "rate-key"))
		o->rate_key = arg;
	else if (is(t, "retry")) {
		if (units_int(arg, 0, 1000000, &n, &p->why) < 0)
			return -EINVAL;
		o->retries = (int)n;
	} else
		return 1;
	return 0;
}

static int take_output(struct parse *p, const struct option_text *t, const char *arg)
{
	struct map_options *o = p->o;
	int64_t n;

	if (is(t, "keep-order"))
		o->keep_order = true;
	else if (is(t, "window")) {
		if (units_int(arg, 1, 1 << 20, &n, &p->why) < 0)
			return -EINVAL;
		o->window = (size_t)n;
	} else if (is(t, "line-buffer"))
		o->line_buffer = true;
	else if (is(t, "tag"))
		o->tag = true;
	else if (is(t, "results"))
		o->results = arg;
	else if (is(t, "progress"))
		o->progress = true;
	else if (is(t, "dry-run"))
		o->dry_run = true;
	else
		return 1;
	return 0;
}

static int take_state(struct parse *p, const struct option_text *t, const char *arg)
{
	struct map_options *o = p->o;

	if (is(t, "joblog"))
		o->joblog = arg;
	else if (is(t, "journal"))
		o->journal = arg;
	else if (is(t, "resume-failed"))
		o->resume_failed = true;
	else if (is(t, "resume")) {
		if (arg && strcmp(arg, "force") != 0) {
			p->why = "give --resume, or --resume=force";
			return -EINVAL;
		}
		o->resume = true;
		o->resume_force = arg != NULL;
	} else
		return 1;
	return 0;
}

/* 0; -EINVAL; 1: --help. */
static int take(struct parse *p, const struct option_text *t, const char *arg)
{
	static int (*const takers[])(struct parse *, const struct option_text *, const char *) = {
		take_input, take_command, take_http, take_limit, take_output, take_state,
	};
	int r = 1;

	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]) && r == 1; i++)
		r = takers[i](p, t, arg);
	return r;
}

static void describe(struct option *options, char *letters)
{
	*letters++ = '+'; /* the command's options are its own */
	*letters++ = ':'; /* our own messages */
	for (int i = 0; i < NTEXTS; i++) {
		const struct option_text *t = &texts[i];

		if (!t->name[0])
			continue;
		*options++ = (struct option){
			t->name, !t->arg ? no_argument : t->arg[0] == '[' ? optional_argument
									  : required_argument,
			NULL, FIRST + i };
		if (!t->letter)
			continue;
		*letters++ = (char)t->letter;
		if (t->arg)
			*letters++ = ':';
	}
	*options = (struct option){ 0 };
	*letters = '\0';
}

static const struct option_text *find(int c)
{
	for (int i = 0; i < NTEXTS; i++)
		if (c == FIRST + i || (c < FIRST && texts[i].letter == c))
			return &texts[i];
	return NULL;
}

#define REFUSE(...)                                                           \
	do {                                                                  \
		message("map: " __VA_ARGS__);                                 \
		return -EINVAL;                                               \
	} while (0)

static bool has_all(const struct codes *codes)
{
	for (size_t i = 0; i < sizeof(codes->set); i++)
		if (codes->set[i] != 0xff)
			return false;
	return true;
}

/* The first that is given, or NULL. */
static const char *has_http_options(const struct map_options *o)
{
	return o->headers	 ? "--header"
	       : o->body	 ? "--body"
	       : o->per_host > 0 ? "--per-host"
	       : o->ca_file	 ? "--ca-file"
	       : o->insecure	 ? "--insecure"
	       : o->follow	 ? "--follow"
				 : NULL;
}

static int check_together(const struct map_options *o)
{
	if (o->ncommand == 0)
		REFUSE("there is no command; try leat map -j4 -- gzip {}");
	if (o->http && o->ncommand > 1)
		REFUSE("--http has one URL, not %zu; quote it", o->ncommand);
	if (!o->http && has_http_options(o))
		REFUSE("%s is for --http", has_http_options(o));
	if (o->http &&
	    (o->shell || o->pipe || o->isolate || o->nice != 0 || !has_all(&o->retry_on)))
		REFUSE("--shell, --pipe, --isolate, --nice and --retry-on are not for --http");
	if (o->pipe && o->per_job != 1)
		REFUSE("-n is not for --pipe; see --block");
	if (o->line_buffer && o->keep_order)
		REFUSE("--line-buffer and --keep-order: give one of them");
	if (o->line_buffer && o->results)
		REFUSE("--line-buffer and --results: give one of them");
	if (o->delay > DELAY_MAX || o->retry_delay > DELAY_MAX)
		REFUSE("--delay and --retry-delay: give 1d at most");
	if (o->rate_key && o->rate.per_second == 0)
		REFUSE("--rate-key is for --rate");
	if (!o->journal && (o->resume || o->resume_failed))
		REFUSE("--resume and --resume-failed are for --journal FILE");
	if (o->block == 0 || o->record_max == 0 || o->max_response == 0)
		REFUSE("--block, --max-record and --max-response must be more than 0");
	return 0;
}

static const struct map_options defaults = {
	.delim = '\n', .per_job = 1, .record_max = 16 << 20, .block = 1 << 20,
	.grace = 5 * LEAT_S, .retry_delay = LEAT_S, .max_response = 16 << 20,
	.retry_after_max = 600 * LEAT_S,
};

int map_options_parse(struct map_options *o, int argc, char **argv)
{
	struct option options[NTEXTS + 1];
	char letters[3 * NTEXTS + 3];
	struct parse p = { .o = o };
	const struct option_text *t;
	int c, r;

	*o = defaults;
	memset(o->retry_on.set, 0xff, sizeof(o->retry_on.set));
	o->retry_on.signal = true;
	describe(options, letters);
	units_jobs("100%", (int)sysconf(_SC_NPROCESSORS_ONLN), &o->jobs, &p.why);
	while ((c = getopt_long(argc, argv, letters, options, NULL)) >= 0) {
		if (c == ':')
			REFUSE("%s lacks its argument", argv[optind - 1]);
		if (c == '?')
			REFUSE("%s is no option; try leat help map", argv[optind - 1]);
		t = find(c);
		r = take(&p, t, optarg);
		if (r > 0)
			return r;
		if (r < 0)
			REFUSE("--%s %s: %s", t->name, optarg, p.why);
	}
	o->command = (const char *const *)argv + optind;
	o->ncommand = (size_t)(argc - optind);
	return check_together(o);
}

void map_options_release(struct map_options *o)
{
	free(o->headers);
}

void map_options_print(void)
{
	char left[64];

	for (int i = 0; i < NTEXTS; i++) {
		const struct option_text *t = &texts[i];

		if (!t->name[0]) {
			printf(t->text[0] ? "%s%s:\n" : "%s%s", i > 0 ? "\n" : "", t->text);
			continue;
		}
		snprintf(left, sizeof(left), "  %c%c%s --%s%s%s", t->letter ? '-' : ' ',
			 t->letter ? t->letter : ' ', t->letter ? "," : " ", t->name,
			 !t->arg ? "" : t->arg[0] == '[' ? "[=" : " ",
			 !t->arg ? "" : t->arg[0] == '[' ? t->arg + 1 : t->arg);
		printf("%-28s %s\n", left, t->text);
	}
}
