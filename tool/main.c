/* The program leat: finds the command. */
#include <stdio.h>
#include <string.h>

#include "demo.h"
#include "help.h"
#include "isolate.h"
#include "map.h"

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;

	if (!name || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
	    strcmp(name, "help") == 0)
		return help_main(name && argc > 2 ? argv[2] : NULL);
	if (strcmp(name, "map") == 0)
		return map_main(argc - 1, argv + 1);
	if (strcmp(name, "demo") == 0)
		return demo_main(argc - 1, argv + 1);
	if (strcmp(name, "isolate") == 0)
		return isolate_main(argc - 1, argv + 1);
	if (strcmp(name, "--version") == 0) {
		puts("leat " LEAT_VERSION);
		return 0;
	}
	fprintf(stderr, "leat: there is no command %s; try leat --help\n", name);
	return 255;
}
