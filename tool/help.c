#include "help.h"

#include <stdio.h>

static const char overview[] =
	"leat " LEAT_VERSION ": runs jobs at once, and loses none.\n"
	"\n"
	"usage: leat map [OPTION]... [--] COMMAND [ARGUMENT]...	a job for each line of the input\n"
	"       leat help [TOPIC]\n"
	"       leat --version\n";

int help_main(const char *topic)
{
	if (topic) {
		fprintf(stderr, "leat help: there is no topic %s; try leat help\n", topic);
		return 255;
	}
	fputs(overview, stdout);
	return 0;
}
