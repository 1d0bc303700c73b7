#include "halt.h"

#include <errno.h>
#include <string.h>

#include "units.h"

#define PERCENT_AT_LEAST 3	/* so many before a share says anything */

static int fail(const char **why, const char *text)
{
	*why = text;
	return -EINVAL;
}

/* Whether *at begins with prefix; then *at moves behind it. */
static bool take(const char **at, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncmp(*at, prefix, n) != 0)
		return false;
	*at += n;
	return true;
}

/* "3", or "10%": over 0, and 100 at most. */
static int parse_limit(const char *text, struct halt *halt, const char **why)
{
	size_t n = strlen(text);
	int64_t count;

	if (n > 0 && text[n - 1] == '%') {
		if (units_percent(text, &halt->percent, why))
			return fail(why, "give a share over 0% and up to 100%, as in fail=10%");
		return 0;
	}
	if (units_int(text, 1, INT64_MAX, &count, why))
		return fail(why, "give a number of jobs from 1, or a share, "
				 "as in fail=1 or fail=10%");
	halt->count = (uint64_t)count;
	return 0;
}

int halt_parse(const char *text, struct halt *ret, const char **why)
{
	struct halt halt = { .when = HALT_NEVER };
	const char *s = text;
	int r;

	if (strcmp(text, "never") == 0) {
		*ret = halt;
		return 0;
	}
	if (take(&s, "soon,"))
		halt.when = HALT_SOON;
	else if (take(&s, "now,"))
		halt.when = HALT_NOW;
	else
		return fail(why, "give never, or soon or now with a reason, as in soon,fail=1");
	halt.success = take(&s, "success=");
	if (!halt.success && !take(&s, "fail="))
		return fail(why, "give fail= or success= as the reason, as in now,success=1");
	r = parse_limit(s, &halt, why);
	if (r == 0)
		*ret = halt;
	return r;
}

static bool reached(const struct halt *halt, uint64_t these, uint64_t all)
{
	if (halt->count > 0)
		return these >= halt->count;
	return these >= PERCENT_AT_LEAST &&
	       (double)these >= (double)all * halt->percent / 100;
}

enum halt_when halt_now(const struct halt *halt, uint64_t succeeded, uint64_t failed)
{
	if (halt->when == HALT_NEVER ||
	    !reached(halt, halt->success ? succeeded : failed, succeeded + failed))
		return HALT_NEVER;
	return halt->when;
}
