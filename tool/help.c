#include "help.h"

#include <stdio.h>
#include <string.h>

#include "options.h"

static const char overview[] =
	"leat " LEAT_VERSION ": runs jobs at once, and loses none.\n"
	"\n"
	"usage: leat map [OPTION]... [--] COMMAND [ARGUMENT]...	a job for each line of the input\n"
	"       leat help [TOPIC]\n"
	"       leat --version\n";

static const char map_overview[] =
	"usage: leat map [OPTION]... [--] COMMAND [ARGUMENT]...\n"
	"       leat map [OPTION]... --http METHOD URL\n"
	"\n"
	"Runs COMMAND for each line of the input, several at once.  Replaced in ARGUMENT:\n"
	"  {} the line     {.} without extension  {/} last part  {//} directory  {/.} both\n"
	"  {#} job number  {%} slot               {.name} a field of a line of JSON\n"
	"Without any of them the line is appended.  No shell sees it, unless --shell.\n"
	"\n"
	"With --http a value in URL is percent-encoded, unless URL begins with it.  The output is a\n"
	"line of JSON for each response: seq, status, time, attempts, and body (or body_base64, if it\n"
	"is no text).  A job fails if the status is 400 or more, or null: then there is an error in\n"
	"place of a body.  --retry is for no response, 408, 425, 429, 5xx, and respects Retry-After.\n"
	"\n"
	"Exit status: 0 all jobs succeeded; 1-100 so many failed; 101 more; 255 it could not go on.\n"
	"\n";

int help_main(const char *topic)
{
	if (topic && strcmp(topic, "map") == 0) {
		fputs(map_overview, stdout);
		map_options_print();
		return 0;
	}
	if (topic) {
		fprintf(stderr, "leat help: there is no topic %s; try leat help\n", topic);
		return 255;
	}
	fputs(overview, stdout);
	return 0;
}
