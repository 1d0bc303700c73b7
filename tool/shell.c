#include "shell.h"

#include <string.h>

enum nest { /* in shell->nest; the script itself is none of them */
	PAREN,			/* ( ) */
	SUBSTITUTION,		/* $( ) */
	ARITHMETIC,		/* $(( )), (( )): the inner ones */
	BRACE,			/* ${ } */
	SINGLE, DOUBLE, BACKQUOTE, COMMENT,
	TOP,
};

#define INSTEAD "set a variable first, as in x={}; echo \"$x\""

static const char in_quotes[] = "a place for the input stands in quotes, but it is quoted already; "
	"write {} without quotes, or pass it on as in sh -c 'echo \"$1\"' sh {}";
static const char in_backquotes[] = "a place for the input stands in backquotes; use $(...)";
static const char in_brace[] = "a place for the input stands in ${...}; " INSTEAD;
static const char in_arithmetic[] = "a place for the input stands in ((...)); " INSTEAD;
static const char in_comment[] = "a place for the input stands in a comment; take it out";
static const char behind_backslash[] = "a place for the input stands behind a backslash; "
				       "take the backslash out";
static const char behind_dollar[] = "a place for the input stands behind a $; write it without, "
				    "or $# for ${#}";
static const char lost_here[] = "a place for the input stands behind a here-document (<<); " INSTEAD;
static const char lost_case[] = "a place for the input stands behind a case in $(...); " INSTEAD;
static const char lost_quotes[] = "a place for the input stands behind $'...', $[...], quotes in "
				  "${...} or ((...)), or a (( without )); " INSTEAD;
static const char lost_depth[] = "a place for the input stands behind very deep nesting; " INSTEAD;

static enum nest top(const struct shell *s)
{
	return s->depth > 0 ? (enum nest)s->nest[s->depth - 1] : TOP;
}

static void push(struct shell *s, enum nest nest)
{
	if (s->depth < SHELL_DEPTH)
		s->nest[s->depth++] = (unsigned char)nest;
	else
		s->lost = lost_depth;
}

static void pop(struct shell *s)
{
	if (s->depth > 0)
		s->depth--;
}

static bool has(const struct shell *s, enum nest nest)
{
	return memchr(s->nest, nest, s->depth);
}

/* Where commands stand. */
static bool is_open(enum nest nest)
{
	return nest == TOP || nest == PAREN || nest == SUBSTITUTION;
}

static bool is_separator(char c)
{
	return c && strchr(" \t\n;|&()<>", c);
}

/* A word ends; in $(...) the ")" behind the pattern of a case would be taken for its end. */
static void end_word(struct shell *s)
{
	if (s->word_size == 4 && memcmp(s->word, "case", 4) == 0 && has(s, SUBSTITUTION))
		s->lost = lost_case;
	s->word_size = 0;
}

static void follow_word(struct shell *s, char c)
{
	if (is_separator(c)) {
		end_word(s);
		return;
	}
	if (s->word_size < sizeof(s->word))
		s->word[s->word_size++] = c;
}

/* Behind a $, outside single quotes. */
static bool follow_dollar(struct shell *s, char c)
{
	switch (c) {
	case '(':
		push(s, SUBSTITUTION);
		s->word_size = 0;
		return true;
	case '{':
		push(s, BRACE);
		return true;
	case '[':
		s->lost = lost_quotes;
		return true;
	case '\'':
		if (top(s) != DOUBLE)
			s->lost = lost_quotes;
		return false;
	default:
		return false;
	}
}

static void follow_quotes(struct shell *s, char c)
{
	if (c == '\'')
		push(s, SINGLE);
	else if (c == '"')
		push(s, DOUBLE);
	else if (c == '`')
		push(s, BACKQUOTE);
}

/* Behind $(...) a word goes on. */
static void close_paren(struct shell *s)
{
	if (top(s) == SUBSTITUTION)
		s->word[s->word_size++] = ')';
	pop(s);
}

static void follow_open(struct shell *s, char c)
{
	bool begins_word = s->word_size == 0;

	follow_word(s, c);
	if (c == '#' && begins_word)
		push(s, COMMENT);
	else if (c == '(' && s->last == '(')
		push(s, ARITHMETIC);
	else if (c == '(')
		push(s, PAREN);
	else if (c == ')')
		close_paren(s);
	else if (c == '<' && s->last == '<')
		s->lost = lost_here;
	else
		follow_quotes(s, c);
}

/* What ends with one ) was not what it seemed, and how sh reads it is hard to say. */
static void end_expression(struct shell *s)
{
	enum nest ended = top(s);

	pop(s);
	s->closing = ended == ARITHMETIC && top(s) != ARITHMETIC;
}

/* In ((...)) and ${...}, which nest, too. */
static void follow_expression(struct shell *s, char c)
{
	bool brace = top(s) == BRACE;

	if (c == '\'' || c == '"')
		s->lost = lost_quotes;
	else if (!brace && c == '(')
		push(s, ARITHMETIC);
	else if (c == (brace ? '}' : ')'))
		end_expression(s);
	else
		follow_quotes(s, c);
}

static void follow_nest(struct shell *s, char c)
{
	switch (top(s)) {
	case SINGLE:
		if (c == '\'')
			pop(s);
		break;
	case DOUBLE:
		if (c == '"')
			pop(s);
		else if (c == '`')
			push(s, BACKQUOTE);
		break;
	case BACKQUOTE:
		if (c == '`')
			pop(s);
		break;
	case COMMENT:
		if (c == '\n') {
			pop(s);
			follow_open(s, c);
		}
		break;
	case BRACE:
	case ARITHMETIC:
		follow_expression(s, c);
		break;
	default:
		follow_open(s, c);
	}
}

static void follow_escaped(struct shell *s)
{
	s->last = '\0';
	if (is_open(top(s)))
		follow_word(s, '\\');
}

void shell_follow(struct shell *s, char c)
{
	enum nest nest = top(s);
	bool literal = nest == SINGLE || nest == COMMENT;

	if (s->closing && c != ')')
		s->lost = lost_quotes;
	s->closing = false;
	if (s->escaped) {
		s->escaped = false;
		if (c != '\n') /* which is as if it were not there */
			follow_escaped(s);
		return;
	}
	if (c == '\\' && !literal) {
		s->escaped = true;
		return;
	}
	if (s->last != '$' || literal || nest == BACKQUOTE || !follow_dollar(s, c))
		follow_nest(s, c);
	s->last = c == '$' && s->last == '$' ? '\0' : c; /* $$ is a variable */
}

const char *shell_refuses(const struct shell *s)
{
	if (s->lost)
		return s->lost;
	if (s->depth == SHELL_DEPTH)	/* the word's quotes are one more */
		return lost_depth;
	if (s->closing)
		return in_arithmetic;
	if (s->escaped)
		return behind_backslash;
	switch (top(s)) {
	case SINGLE:
	case DOUBLE:
		return in_quotes;
	case BACKQUOTE:
		return in_backquotes;
	case BRACE:
		return in_brace;
	case ARITHMETIC:
		return in_arithmetic;
	case COMMENT:
		return in_comment;
	default:
		return shell_refuses_number(s);
	}
}

const char *shell_refuses_number(const struct shell *s)
{
	enum nest nest = top(s);

	if (s->last != '$' || s->escaped || nest == SINGLE || nest == COMMENT)
		return NULL;
	return behind_dollar;
}

bool shell_separates(const struct shell *s, char c)
{
	return is_open(top(s)) && !s->escaped && is_separator(c);
}

bool shell_is_in_word(const struct shell *s)
{
	return s->word_size > 0;
}

bool shell_goes_on(const struct shell *s, size_t depth, char c)
{
	return s->depth != depth || s->escaped || s->closing || s->lost ||
	       (c == '(' && s->last == '$');
}
