/*
 * Where in a script for sh(1) one stands, as far as that decides whether a quoted word ('a b') put
 * there is read as that word and nothing else.
 *
 * It is not in other quotes, comments, here-documents, backquotes, arithmetic, ${...}, or behind a
 * backslash or $: there the shell reads quotes as something else, and would run what a word of a
 * hostile input says.  It follows nesting as in "$(a "$(b)")", and where it cannot (behind <<, a
 * case in $(...), $'...' of bash) it says no to all that comes.
 */
#ifndef TOOL_SHELL_H
#define TOOL_SHELL_H

#include <stdbool.h>
#include <stddef.h>

#define SHELL_DEPTH 32

struct shell {
	unsigned char nest[SHELL_DEPTH]; /* what has begun and not ended, innermost last */
	size_t depth;
	char last;		/* the character before, unless it was escaped */
	bool escaped;		/* the next one is */
	bool closing;		/* one of the two ) of ((...)) was there */
	char word[5];		/* the word so far, when it is short: to see "case" */
	size_t word_size;
	const char *lost;	/* not NULL: why nothing can be said any more */
};

/* One stands behind c now.  *shell is 0 at the beginning. */
void shell_follow(struct shell *shell, char c);

/* NULL: a quoted word may stand here; else a static text: why not, and what to write. */
const char *shell_refuses(const struct shell *shell);

/* The same for a number, which needs no quotes. */
const char *shell_refuses_number(const struct shell *shell);

/* Whether what begins now goes on with the word before, as behind $(...). */
bool shell_is_in_word(const struct shell *shell);

/* Whether the word that began at this depth of nesting does not end now, with c next. */
bool shell_goes_on(const struct shell *shell, size_t depth, char c);

/* Whether c, if it came next, would be between words. */
bool shell_separates(const struct shell *shell, char c);

#endif
