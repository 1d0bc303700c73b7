/*
 * The text of a dump, or of a run's log.
 */
#ifndef LEAT_TESTS_DEBUG_CAPTURE_H
#define LEAT_TESTS_DEBUG_CAPTURE_H

#include <pthread.h>
#include <unistd.h>

#include "test.h"

static char captured[64 * 1024];

static inline void capture_dump(void)
{
	FILE *file = tmpfile();
	size_t n;

	REQUIRE(file);
	CHECK_EQ(leat_dump(fileno(file)), 0);
	rewind(file);
	n = fread(captured, 1, sizeof(captured) - 1, file);
	captured[n] = '\0';
	fclose(file);
}

/* For leat_options.log: called by one thread at a time in these tests. */
static inline void capture_log(void *ctx, const char *line)
{
	size_t used = strlen(captured);

	(void)ctx;
	snprintf(captured + used, sizeof(captured) - used, "%s\n", line);
}

/* The line that has name in it also has text. */
static inline bool line_has(const char *name, const char *text)
{
	const char *at = captured;
	char line[2048];

	for (; *at; at += strcspn(at, "\n") + 1) {
		size_t n = strcspn(at, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)n, at);
		if (strstr(line, name) && strstr(line, text))
			return true;
		if (!at[n])
			break;
	}
	return false;
}

#define CHECK_LINE(name, text)                                                \
	do {                                                                  \
		if (!line_has((name), (text)))                                \
			test_fail(__FILE__, __LINE__, "no line with %s and %s in:\n%s", \
				  (name), (text), captured);                  \
	} while (0)

#endif
