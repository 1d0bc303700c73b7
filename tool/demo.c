#include "demo.h"

#include <stdio.h>
#include <string.h>

#include "checksums.h"

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
	void (*help)(void);
} demos[] = {
	{ "checksums", checksums_main, checksums_help },
};

enum { NDEMOS = sizeof(demos) / sizeof(demos[0]) };

void demo_help(void)
{
	for (int i = 0; i < NDEMOS; i++)
		demos[i].help();
}

int demo_main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "--help";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		demo_help();
		return 0;
	}
	for (int i = 0; i < NDEMOS; i++)
		if (strcmp(name, demos[i].name) == 0)
			return demos[i].main(argc - 1, argv + 1);
	fprintf(stderr, "leat demo: there is no %s; try leat help demo\n", name);
	return 255;
}
