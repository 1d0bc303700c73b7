#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void (*leat__log_hook)(void *ctx, const char *line);
void *leat__log_ctx;
#ifdef LEAT__TSAN
uint32_t leat__tsan_fence_word;
#endif

static void log_line(const char *prefix, const char *fmt, va_list ap)
{
	char line[1024];
	int n = snprintf(line, sizeof(line), "%s", prefix);

	vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap); /* room for \n */
	if (leat__log_hook) {
		leat__log_hook(leat__log_ctx, line);
		return;
	}
	n = (int)strlen(line);
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nowhere left to complain */
}

void leat__log(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line("leat: ", fmt, ap);
	va_end(ap);
}

void leat__fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line("leat: ", fmt, ap);
	va_end(ap);
	abort();
}

void leat__misuse_at(const char *function, const void *object, const char *fmt, ...)
{
	char prefix[128];
	va_list ap;

	snprintf(prefix, sizeof(prefix), "leat: %s(%p): ", function, object);
	va_start(ap, fmt);
	log_line(prefix, fmt, ap);
	va_end(ap);
	abort();
}
