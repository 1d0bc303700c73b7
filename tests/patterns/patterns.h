/* What the tests of the patterns share. */
#ifndef TEST_PATTERNS_H
#define TEST_PATTERNS_H

#include <stdatomic.h>

#include "test.h"

#include <leat/ledger.h>
#include <leat/stats.h>

static inline leat_ledger *ledger_init(leat_ledger *ledger)
{
	*ledger = (leat_ledger){ .size = sizeof(*ledger) };
	return ledger;
}

static inline uint64_t ledger_dropped(const leat_ledger *l)
{
	uint64_t n = 0;

	for (int i = 0; i < LEAT_DROPPED_REASONS; i++)
		n += l->dropped[i];
	return n;
}

/* At rest: nothing in flight, nothing lost. */
static inline void check_at_rest(const leat_ledger *l)
{
	char text[256];

	leat_ledger_format(l, text, sizeof(text));
	if (!leat_ledger_balances(l) || l->in_flight > 0)
		test_fail(__FILE__, __LINE__, "%s", text);
}

/* Stats of a program that was built when the struct ended before queue_p50. */
enum { OLD_STATS_SIZE = offsetof(leat_stage_stats, queue_p50), STATS_CANARY = 0x5a };

static inline leat_stage_stats *old_stats(void *bytes, size_t n)
{
	size_t size = OLD_STATS_SIZE;

	memset(bytes, STATS_CANARY, n);
	memcpy(bytes, &size, sizeof(size));
	return bytes;
}

static inline bool is_untouched(const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((const unsigned char *)bytes)[i] != STATS_CANARY)
			return false;
	return true;
}

/* The most that were at work at once. */
struct gauge {
	atomic_int now, most;
};

static inline void gauge_enter(struct gauge *g)
{
	int now = atomic_fetch_add(&g->now, 1) + 1, most = atomic_load(&g->most);

	while (now > most && !atomic_compare_exchange_weak(&g->most, &most, now))
		;
}

static inline void gauge_leave(struct gauge *g)
{
	atomic_fetch_sub(&g->now, 1);
}

/* The last line of the log. */
static char logged[1024];

static inline void log_line(void *ctx, const char *line)
{
	(void)ctx;
	snprintf(logged, sizeof(logged), "%s", line);
}

/* It says text; and it is forgotten, so that each check needs a line of its own. */
#define EXPECT_LOG(text) expect_log(__FILE__, __LINE__, text)

static inline void expect_log(const char *file, int line, const char *text)
{
	if (!strstr(logged, text))
		test_fail(file, line, "\"%s\" does not say \"%s\"", logged, text);
	logged[0] = '\0';
}

#endif
