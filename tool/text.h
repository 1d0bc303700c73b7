/*
 * Bytes that grow at their end.  An allocation that fails is remembered, and what follows does
 * nothing, so it is looked at once, when the text is taken.
 *
 *	struct text text = { 0 };
 *	text_add(&text, "a", 1);
 *	char *bytes = text_take(&text);		// "a", to be given to free(3); or NULL
 */
#ifndef TOOL_TEXT_H
#define TOOL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *bytes;		/* n of them; NULL: none yet */
	size_t n, room;
	bool failed;
};

void text_add(struct text *text, const char *bytes, size_t n);
void text_add_string(struct text *text, const char *string);

/* The bytes, with a 0 behind them, and the text is empty again; NULL: no memory. */
char *text_take(struct text *text);
void text_release(struct text *text);

#endif
