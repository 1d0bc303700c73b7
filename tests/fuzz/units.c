/*
 * tool/units.h and tool/halt.h.  The first byte says which; what is refused has a reason and
 * leaves the result alone, what is taken is in its range and taken again when written plainly.
 */
#include "fuzz.h"

#include <errno.h>
#include <inttypes.h>
#include <leat/bucket.h>

#include "halt.h"
#include "units.h"

#define UNTOUCHED 0x5a

/* Whether it was taken; ret is of size bytes, all UNTOUCHED before. */
static int taken(int r, const char *why, const void *ret, size_t size)
{
	FUZZ_CHECK(r == 0 || r == -EINVAL);
	if (r == 0)
		return 1;
	FUZZ_CHECK(why && *why);
	for (size_t i = 0; i < size; i++)
		FUZZ_CHECK(((const unsigned char *)ret)[i] == UNTOUCHED);
	return 0;
}

static void fuzz_int(const char *text)
{
	int64_t n, again;
	const char *why = NULL;
	char plain[32];

	memset(&n, UNTOUCHED, sizeof(n));
	if (!taken(units_int(text, -1000, INT64_MAX, &n, &why), why, &n, sizeof(n)))
		return;
	FUZZ_CHECK(n >= -1000);
	snprintf(plain, sizeof(plain), "%" PRId64, n);
	FUZZ_CHECK(units_int(plain, n, n, &again, &why) == 0 && again == n);
}

static void fuzz_size(const char *text)
{
	uint64_t n, again;
	const char *why = NULL;
	char plain[32];

	memset(&n, UNTOUCHED, sizeof(n));
	if (!taken(units_size(text, &n, &why), why, &n, sizeof(n)))
		return;
	snprintf(plain, sizeof(plain), "%" PRIu64 "B", n);
	FUZZ_CHECK(units_size(plain, &again, &why) == 0 && again == n);
}

static void fuzz_duration(const char *text)
{
	int64_t n, again;
	const char *why = NULL;
	char plain[64];

	memset(&n, UNTOUCHED, sizeof(n));
	if (!taken(units_duration(text, &n, &why), why, &n, sizeof(n)))
		return;
	FUZZ_CHECK(n >= 0);
	snprintf(plain, sizeof(plain), "%" PRId64 ".%09" PRId64, n / 1000000000, n % 1000000000);
	FUZZ_CHECK(units_duration(plain, &again, &why) == 0 && again == n);
}

static void fuzz_rate(const char *text)
{
	struct rate rate;
	leat_bucket bucket;
	const char *why = NULL;

	memset(&rate, UNTOUCHED, sizeof(rate));
	if (taken(units_rate(text, &rate, &why), why, &rate, sizeof(rate)))
		FUZZ_CHECK(leat_bucket_init(&bucket, rate.per_second, rate.burst) == 0);
}

static void fuzz_jobs(const char *text, int cores)
{
	struct jobs jobs;
	const char *why = NULL;

	memset(&jobs, UNTOUCHED, sizeof(jobs));
	if (!taken(units_jobs(text, cores, &jobs, &why), why, &jobs, sizeof(jobs)))
		return;
	FUZZ_CHECK(jobs.n >= 1 && jobs.n <= 1000000);
	FUZZ_CHECK(jobs.adaptive == (strcmp(text, "auto") == 0));
}

/* The codes again, one by one. */
static void fuzz_codes(const char *text)
{
	struct codes codes, again;
	const char *why = NULL;
	char plain[8 + 256 * 4] = "0,signal";

	memset(&codes, UNTOUCHED, sizeof(codes));
	if (!taken(units_codes(text, &codes, &why), why, &codes, sizeof(codes)))
		return;
	FUZZ_CHECK(!codes_has(&codes, -1) && !codes_has(&codes, 256));
	for (int code = 1; code < 256; code++)
		if (codes_has(&codes, code))
			snprintf(plain + strlen(plain), 5, ",%d", code);
	FUZZ_CHECK(units_codes(plain, &again, &why) == 0 && again.signal);
	for (int code = 1; code < 256; code++)
		FUZZ_CHECK(codes_has(&codes, code) == codes_has(&again, code));
}

/* It says stop for a number of those that it counts, and then for any that is larger. */
static void fuzz_halt(const char *text, uint64_t others)
{
	struct halt halt;
	const char *why = NULL;
	enum halt_when now, last = HALT_NEVER;

	memset(&halt, UNTOUCHED, sizeof(halt));
	if (!taken(halt_parse(text, &halt, &why), why, &halt, sizeof(halt)))
		return;
	for (uint64_t n = 1; n != 0; n *= 2) {
		now = halt.success ? halt_now(&halt, n, others) : halt_now(&halt, others, n);
		FUZZ_CHECK(now == HALT_NEVER || now == halt.when);
		FUZZ_CHECK(last == HALT_NEVER || now == last);
		last = now;
	}
	FUZZ_CHECK(halt_now(&halt, 0, 0) == HALT_NEVER);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t what = take_byte(&in);
	char *text = take_string(&in);

	switch (what % 7) {
	case 0:
		fuzz_int(text);
		break;
	case 1:
		fuzz_size(text);
		break;
	case 2:
		fuzz_duration(text);
		break;
	case 3:
		fuzz_rate(text);
		break;
	case 4:
		fuzz_jobs(text, what / 7 + 1);
		break;
	case 5:
		fuzz_codes(text);
		break;
	default:
		fuzz_halt(text, what / 7);
	}
	free(text);
	return 0;
}
