/*
 * Numbers as people write them: "64M", "1.5s", "10/s", "50%".
 *
 * Each takes a whole text and sets *ret; 0, or -EINVAL with *why a static text that says what is
 * wanted: "give a size such as 4096, 64K or 1.5M".  Never blocks.
 */
#ifndef TOOL_UNITS_H
#define TOOL_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A whole number from min to max. */
int units_int(const char *text, int64_t min, int64_t max, int64_t *ret, const char **why);

/* "12.5%": over 0 and up to 100. */
int units_percent(const char *text, double *ret, const char **why);

/* Bytes, rounded down: K, M, G, T, P, E (or KiB, ...) are powers of 1024, kB, MB, ... of 1000. */
int units_size(const char *text, uint64_t *ret, const char **why);

/* ns: "250ms", "1.5s", "2m", "1h30m", "1d"; a number alone is in seconds. */
int units_duration(const char *text, int64_t *ret, const char **why);

/*
 * A second: "10/s", "600/m", "5/h", "20/d", "2.5" (a second); with a burst: "10/s:20", else 1.
 * What it takes, leat_bucket_init takes, too.
 */
struct rate {
	double per_second, burst;
};
int units_rate(const char *text, struct rate *ret, const char **why);

/*
 * How many jobs at once: "8", "200%" (of the cores, rounded down, but one at least), "+2" (more
 * than cores), "auto": adaptive, JOBS_AUTO_PER_CORE for each core at most.
 */
#define JOBS_AUTO_PER_CORE 16
struct jobs {
	int n;			/* > 0; adaptive: the most */
	bool adaptive;
};
int units_jobs(const char *text, int cores, struct jobs *ret, const char **why);

/* Exit codes: "1,75,100-110"; "signal" is a death by signal. */
struct codes {
	uint8_t set[32];	/* a bit each */
	bool signal;
};
int units_codes(const char *text, struct codes *ret, const char **why);
bool codes_has(const struct codes *codes, int code);

#endif
