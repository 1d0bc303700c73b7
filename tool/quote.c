#include "quote.h"

#include <string.h>

/* What no shell takes for anything else.  "," is left out: bash has {a,b}. */
#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+"

/* Words that are the shell's own where a command may begin. */
static const char *const reserved[] = {
	"case", "coproc", "do",	    "done", "elif", "else",   "esac", "fi",    "for",
	"function", "if", "in",	    "select", "then", "time", "until", "while",
};

void quote_bytes(struct text *text, const char *bytes, size_t n)
{
	const char *end = bytes + n, *quote;

	text_add(text, "'", 1);
	while ((quote = memchr(bytes, '\'', (size_t)(end - bytes)))) {
		text_add(text, bytes, (size_t)(quote - bytes));
		text_add_string(text, "'\\''");
		bytes = quote + 1;
	}
	text_add(text, bytes, (size_t)(end - bytes));
	text_add(text, "'", 1);
}

static bool is_plain(const char *bytes, size_t n)
{
	/* a=b would be an assignment; --a=b is none. */
	bool option = n > 0 && *bytes == '-';

	for (size_t i = 0; i < n; i++)
		if (!bytes[i] || !(strchr(PLAIN, bytes[i]) || (option && bytes[i] == '=')))
			return false;
	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
		if (n == strlen(reserved[i]) && memcmp(bytes, reserved[i], n) == 0)
			return false;
	return n > 0;
}

void quote_word(struct text *text, const char *bytes, size_t n)
{
	if (is_plain(bytes, n))
		text_add(text, bytes, n);
	else
		quote_bytes(text, bytes, n);
}

char *quote_command(const char *const *args)
{
	struct text text = { .failed = false };

	for (size_t i = 0; args[i]; i++) {
		if (i > 0)
			text_add(&text, " ", 1);
		quote_word(&text, args[i], strlen(args[i]));
	}
	return text_take(&text);
}
