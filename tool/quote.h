/*
 * Words as sh(1) reads them: every byte but 0 comes out as it went in, wherever a word may stand.
 */
#ifndef TOOL_QUOTE_H
#define TOOL_QUOTE_H

#include "text.h"

/* Appends them between single quotes. */
void quote_bytes(struct text *text, const char *bytes, size_t n);

/* The same, but a word that says the same without quotes stays as it is. */
void quote_word(struct text *text, const char *bytes, size_t n);

/* A command (its arguments, NULL at the end) as a shell takes it; for free(3).  NULL: no memory. */
char *quote_command(const char *const *args);

#endif
