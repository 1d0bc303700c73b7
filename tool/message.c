#include "message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void say(const char *fmt, va_list args)
{
	char text[1024] = "leat: ";
	int n = 6 + vsnprintf(text + 6, sizeof(text) - 7, fmt, args);

	if (n > (int)sizeof(text) - 2)
		n = (int)sizeof(text) - 2;
	text[n] = '\n';
	if (write(STDERR_FILENO, text, (size_t)n + 1) < 0)
		return; /* nobody is there to be told */
}

void message(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
}

void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
	exit(255);
}
