/*
 * Three strengths: LEAT_CHECK always (cheap; bugs and broken contracts),
 * LEAT_DEBUG_CHECK in debug builds, and leat__misuse for what a user of the
 * library did wrong: it names the function, the object and the fix.
 */
#ifndef LEAT_BASE_ASSERT_H
#define LEAT_BASE_ASSERT_H

#include <stdbool.h>
#include "base/atomic.h"

/* Prints "leat: <text>" through the log hook and aborts. */
__attribute__((noreturn, cold, format(printf, 1, 2))) void leat__fatal(const char *fmt, ...);

/* leat: FUNCTION(OBJECT): what is wrong; FIX */
#define leat__misuse(object, ...) leat__misuse_at(__func__, (object), __VA_ARGS__)
__attribute__((noreturn, cold, format(printf, 3, 4))) void
leat__misuse_at(const char *function, const void *object, const char *fmt, ...);

/* An argument that the caller must give: its name is in the message. */
#define leat__require(pointer)                                                \
	do {                                                                  \
		if (leat__unlikely(!(pointer)))                               \
			leat__misuse(NULL, "%s is NULL; it must be given", #pointer); \
	} while (0)

/* One line of text for the log hook (stderr without one). */
__attribute__((cold, format(printf, 1, 2))) void leat__log(const char *fmt, ...);
extern void (*leat__log_hook)(void *ctx, const char *line);
extern void *leat__log_ctx;

#define LEAT_CHECK(cond)                                                      \
	do {                                                                  \
		if (leat__unlikely(!(cond)))                                  \
			leat__fatal("%s:%d: %s: check failed: %s (a bug in leat)", \
				    __FILE__, __LINE__, __func__, #cond);     \
	} while (0)

/* Prints both values. */
#define LEAT_CHECK_EQ(a, b)                                                   \
	do {                                                                  \
		long long leat__a = (long long)(a), leat__b = (long long)(b); \
		if (leat__unlikely(leat__a != leat__b))                       \
			leat__fatal("%s:%d: %s: %s is %lld, %s is %lld (a bug in leat)", \
				    __FILE__, __LINE__, __func__, #a, leat__a, #b, leat__b); \
	} while (0)

#ifdef LEAT_CHECKS
#define LEAT_DEBUG_CHECK(cond) LEAT_CHECK(cond)
#else
#define LEAT_DEBUG_CHECK(cond) ((void)sizeof(!(cond)))
#endif

#endif
