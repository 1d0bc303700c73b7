#include "message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "screen.h"

enum { TEXT = 1024 };

/* A whole line into text, which has TEXT bytes; how many it has. */
static size_t format(char *text, const char *fmt, va_list args)
{
	int n = snprintf(text, TEXT, "leat: ");

	n += vsnprintf(text + n, (size_t)(TEXT - n - 1), fmt, args);
	if (n > TEXT - 2)
		n = TEXT - 2;
	text[n] = '\n';
	return (size_t)n + 1;
}

void message(const char *fmt, ...)
{
	char text[TEXT];
	va_list args;
	size_t n;

	va_start(args, fmt);
	n = format(text, fmt, args);
	va_end(args);
	screen_message(text, n);
}

void die(const char *fmt, ...)
{
	char text[TEXT];
	va_list args;
	size_t n;

	va_start(args, fmt);
	n = format(text, fmt, args);
	va_end(args);
	screen_leave();
	if (write(STDERR_FILENO, text, n) < 0)
		exit(255); /* nobody is there to be told */
	exit(255);
}
