/* The public face of the library's memory, log and misuse. */
#include <leat/extend.h>

#include <stdarg.h>
#include <stdio.h>

#include "rt/rt.h"

enum { TEXT = 1024 };

void *leat_alloc(size_t size)
{
	return leat__alloc(size);
}

void leat_free(void *ptr, size_t size)
{
	leat__free(ptr, size);
}

void leat_log(const char *fmt, ...)
{
	char text[TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	leat__log("%s", text);
}

void leat_misuse(const char *function, const void *object, const char *fmt, ...)
{
	char text[TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	leat__misuse_at(function, object, "%s", text);
}
