#include "text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Room for n more and a 0. */
static bool grow(struct text *text, size_t n)
{
	size_t wanted, room = text->room ? text->room : 64;
	char *bytes;

	if (text->failed || __builtin_add_overflow(text->n, n, &wanted) ||
	    __builtin_add_overflow(wanted, 1, &wanted) || wanted > SIZE_MAX / 2)
		goto failed;
	if (wanted <= text->room)
		return true;
	while (room < wanted)
		room *= 2;
	bytes = realloc(text->bytes, room);
	if (!bytes)
		goto failed;
	text->bytes = bytes;
	text->room = room;
	return true;
failed:
	text->failed = true;
	return false;
}

void text_add(struct text *text, const char *bytes, size_t n)
{
	if (n == 0 || !grow(text, n))
		return;
	memcpy(text->bytes + text->n, bytes, n);
	text->n += n;
}

void text_add_string(struct text *text, const char *string)
{
	text_add(text, string, strlen(string));
}

char *text_take(struct text *text)
{
	char *bytes;

	if (!grow(text, 0)) {
		text_release(text);
		return NULL;
	}
	bytes = text->bytes;
	bytes[text->n] = '\0';
	*text = (struct text){ .failed = false };
	return bytes;
}

void text_release(struct text *text)
{
	free(text->bytes);
	*text = (struct text){ .failed = false };
}
