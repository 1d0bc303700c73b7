#include "help.h"

#include <stdio.h>
#include <string.h>

#include "demo.h"
#include "options.h"

#define EXAMPLES                                                              \
	"  ls *.log | leat map gzip                    as many at once as cores\n" \
	"  leat map -j8 -k --tag -a hosts ping -c1     in order, each line with its host\n" \
	"  leat map --rate 10/s --retry 3 --journal done -a urls -- curl -fsSO {}\n" \
	"                                              and with --resume what is not done\n"

static const char overview[] =
	"leat " LEAT_VERSION ": runs jobs at once, and loses none.\n"
	"\n"
	EXAMPLES
	"\n"
	"usage: leat map [OPTION]... [--] COMMAND [ARGUMENT]...\n"
	"       leat map [OPTION]... --http METHOD URL\n"
	"       leat demo checksums [OPTION]... [DIR]\n"
	"       leat help map|demo\n"
	"       leat --version\n"
	"\n"
	"map runs COMMAND, or asks for URL, for each line of the input.\n"
	"demo checksums verifies the files of this machine's packages.\n";

static const char map_head[] =
	"usage: leat map [OPTION]... [--] COMMAND [ARGUMENT]...\n"
	"       leat map [OPTION]... --http METHOD URL\n"
	"\n"
	EXAMPLES
	"\n"
	"Runs COMMAND, or asks for URL, for each line of the input, several at once.\n"
	"In an argument these are replaced, here for the line d/a.tar.gz:\n"
	"  {} d/a.tar.gz   {.} d/a.tar   {/} a.tar.gz   {//} d   {/.} a.tar\n"
	"  {#} the job's number   {%} its slot   {.name} a field of a line of JSON\n"
	"Without any of them the line is appended.  No shell sees it, unless --shell.\n"
	"\n";

static const char map_foot[] =
	"\n"
	"Of HTTP the output is a line of JSON for each response: seq, status, time,\n"
	"attempts, body.  It has failed if there is none, or its status is 400 or more.\n"
	"\n"
	"Exit status: 0 all jobs succeeded; 1-100 so many failed; 101 more; 255 leat\n"
	"could not go on.  man leat-map has the rest.\n";

int help_main(const char *topic)
{
	if (topic && strcmp(topic, "map") == 0) {
		fputs(map_head, stdout);
		map_options_print();
		fputs(map_foot, stdout);
		return 0;
	}
	if (topic && strcmp(topic, "demo") == 0) {
		demo_help();
		return 0;
	}
	if (topic) {
		fprintf(stderr, "leat help: there is no topic %s; try leat help\n", topic);
		return 255;
	}
	fputs(overview, stdout);
	return 0;
}
