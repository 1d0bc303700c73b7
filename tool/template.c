#include "template.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "json.h"
#include "path.h"
#include "quote.h"
#include "shell.h"

enum kind {
	TEXT,
	NUMBER, SLOT,
	WHOLE, WITHOUT_EXTENSION, LAST, LAST_WITHOUT_EXTENSION, DIRECTORY, FIELD, /* of a record */
};

struct piece {
	enum kind kind;
	bool quotes;		/* what follows would make something else of a plain word */
	const char *text;	/* n bytes of TEXT, or the path of a FIELD; not ours */
	size_t n;
};

/* Pieces that are repeated together for each record; in a command without a shell, an argument. */
struct word {
	size_t from, to;	/* pieces */
	bool begins;		/* an argument; a script is one */
	bool of_record;
	bool torn;		/* of a script: goes on in quotes or $(...), so is not repeated */
};

struct template {
	struct piece *pieces;
	struct word *words;
	size_t npieces, nwords;
	bool quote, has_fields, has_places;
};

/* What template_create knows on its way. */
struct parser {
	struct template *t;
	struct shell shell;
	size_t depth;		/* of nesting where the last word begins */
	const char **why;
};

static const struct {
	char name[5];
	enum kind kind;
} places[] = {
	{ "{}", WHOLE },	{ "{.}", WITHOUT_EXTENSION },
	{ "{/}", LAST },	{ "{/.}", LAST_WITHOUT_EXTENSION },
	{ "{//}", DIRECTORY },	{ "{#}", NUMBER },
	{ "{%}", SLOT },
};

static bool is_of_record(enum kind kind)
{
	return kind >= WHOLE;
}

/* The array with room for one more than n; NULL: no memory, and it is as it was. */
static void *with_room(void *array, size_t n, size_t size)
{
	if (n & (n - 1))	/* there was room for a power of two */
		return array;
	return reallocarray(array, n ? n * 2 : 1, size);
}

static struct piece *add_piece(struct template *t, enum kind kind, const char *text, size_t n)
{
	struct piece *pieces = with_room(t->pieces, t->npieces, sizeof(*pieces));
	struct word *word = &t->words[t->nwords - 1];

	if (!pieces)
		return NULL;
	t->pieces = pieces;
	pieces[t->npieces] = (struct piece){ .kind = kind, .text = text, .n = n };
	word->to = t->npieces + 1;
	word->of_record |= is_of_record(kind);
	t->has_fields |= kind == FIELD;
	t->has_places |= kind != TEXT;
	return &pieces[t->npieces++];
}

static bool begin_word(struct template *t, bool begins)
{
	struct word *words = with_room(t->words, t->nwords, sizeof(*words));

	if (!words)
		return false;
	t->words = words;
	words[t->nwords++] = (struct word){ .from = t->npieces, .to = t->npieces,
					    .begins = begins };
	return true;
}

/* The character at s becomes part of the text at the end of the last word. */
static bool add_character(struct template *t, const char *s)
{
	struct word *word = &t->words[t->nwords - 1];
	struct piece *last = word->to > word->from ? &t->pieces[word->to - 1] : NULL;

	if (last && last->kind == TEXT && last->text + last->n == s) {
		last->n++;
		return true;
	}
	return add_piece(t, TEXT, s, 1);
}

static bool is_name(char c)
{
	unsigned char u = (unsigned char)c;

	return (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') ||
	       u >= 0x80 || (u && strchr("_-@$:.", c));
}

/* The length of {.name.name} at s; 0: it is none. */
static size_t field_size(const char *s)
{
	size_t n = 2;

	if (s[0] != '{' || s[1] != '.')
		return 0;
	while (is_name(s[n]))
		n++;
	return s[n] == '}' ? n + 1 : 0;
}

static bool has_empty_name(const char *path, size_t n)
{
	return n == 0 || path[0] == '.' || path[n - 1] == '.' || memmem(path, n, "..", 2);
}

/* The place that s begins with: its length, 0: none; or -EINVAL. */
static ssize_t find_place(const char *s, enum kind *ret, const char **why)
{
	size_t n;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		n = strlen(places[i].name);
		if (strncmp(s, places[i].name, n) == 0) {
			*ret = places[i].kind;
			return (ssize_t)n;
		}
	}
	n = field_size(s);
	if (n > 0 && has_empty_name(s + 2, n - 3)) {
		*why = "a name of a field is empty; write {.name} or {.name.name}";
		return -EINVAL;
	}
	*ret = FIELD;
	return (ssize_t)n;
}

/* A place in a script; 0 or -EINVAL. */
static int check_place(struct parser *p, enum kind kind)
{
	const char *why = is_of_record(kind) ? shell_refuses(&p->shell) :
					       shell_refuses_number(&p->shell);

	if (why) {
		*p->why = why;
		return -EINVAL;
	}
	shell_follow(&p->shell, 'x');	/* any letter: it is in a word */
	return 0;
}

static int parse_place(struct parser *p, const char *s, size_t n, enum kind kind)
{
	struct piece *piece;

	if (p->t->quote && check_place(p, kind))
		return -EINVAL;
	/* A field's path is without {. and }. */
	piece = kind == FIELD ? add_piece(p->t, kind, s + 2, n - 3) :
				add_piece(p->t, kind, NULL, 0);
	if (!piece)
		return -ENOMEM;
	/* 2>x, a=b, a+=b, a[1]=b, f() */
	piece->quotes = s[n] && strchr("<>=+[(", s[n]);
	return 0;
}

/* The last word of a script ends here, before c.  A copy of it would begin where it ends. */
static void end_word(struct parser *p, char c)
{
	if (p->t->nwords > 0)
		p->t->words[p->t->nwords - 1].torn |= shell_goes_on(&p->shell, p->depth, c);
}

/* What separates words in a script is a word of its own. */
static int parse_separator(struct parser *p, const char *s)
{
	end_word(p, *s);
	if (!begin_word(p->t, false) || !add_character(p->t, s))
		return -ENOMEM;
	shell_follow(&p->shell, *s);
	p->depth = p->shell.depth;
	if (!begin_word(p->t, false))
		return -ENOMEM;
	/* Behind $(...) it is the word before that goes on. */
	p->t->words[p->t->nwords - 1].torn = shell_is_in_word(&p->shell);
	return 0;
}

static int parse_character(struct parser *p, const char *s)
{
	if (p->t->quote && shell_separates(&p->shell, *s))
		return parse_separator(p, s);
	if (p->t->quote)
		shell_follow(&p->shell, *s);
	return add_character(p->t, s) ? 0 : -ENOMEM;
}

static int begin_argument(struct parser *p)
{
	if (p->t->quote && p->t->nwords > 0)
		return parse_character(p, " ");
	return begin_word(p->t, true) ? 0 : -ENOMEM;
}

static int parse_argument(struct parser *p, const char *s)
{
	int r = begin_argument(p);

	while (r == 0 && *s) {
		enum kind kind;
		ssize_t n = find_place(s, &kind, p->why);

		if (n < 0)
			return (int)n;
		r = n > 0 ? parse_place(p, s, (size_t)n, kind) : parse_character(p, s);
		s += n > 0 ? n : 1;
	}
	return r;
}

static int parse(struct parser *p, const char *const *args, size_t n, bool append)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = parse_argument(p, args[i]);
	if (r == 0 && append && !p->t->has_places)
		r = parse_argument(p, "{}");
	if (r == 0 && p->t->quote)
		end_word(p, '\0');
	return r;
}

int template_create(struct template **ret, const char *const *args, size_t n, bool quote,
		    bool append, const char **why)
{
	struct template *t = calloc(1, sizeof(*t));
	struct parser parser = { .t = t, .why = why };
	int r;

	if (!t)
		return -ENOMEM;
	t->quote = quote;
	r = parse(&parser, args, n, append);
	if (r) {
		template_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void template_free(struct template *t)
{
	if (!t)
		return;
	free(t->pieces);
	free(t->words);
	free(t);
}

bool template_has_fields(const struct template *t)
{
	return t->has_fields;
}

bool template_has_places(const struct template *t)
{
	return t->has_places;
}

bool template_has_records(const struct template *t)
{
	for (size_t i = 0; i < t->nwords; i++)
		if (t->words[i].of_record)
			return true;
	return false;
}

/* An expansion on its way. */
struct expansion {
	const struct template *t;
	const struct template_values *values;
	struct text text;	/* the arguments so far, with a separator between */
	char separator;		/* 0: they are arguments, so no value may have a 0 */
	bool url;
	size_t nargs;
	char *error;
	size_t error_size;
};

static struct part part_of(enum kind kind, const struct record *record)
{
	struct part last = path_last(record->bytes, record->n);

	switch (kind) {
	case WITHOUT_EXTENSION:
		return path_without_extension(record->bytes, record->n);
	case LAST:
		return last;
	case LAST_WITHOUT_EXTENSION:
		return path_without_extension(last.bytes, last.n);
	case DIRECTORY:
		return path_directory(record->bytes, record->n);
	default:
		return (struct part){ record->bytes, record->n };
	}
}

static int refuse_zero(struct expansion *e, const struct piece *piece)
{
	if (piece->kind == FIELD)
		snprintf(e->error, e->error_size,
			 "field .%.*s has the character \\u0000, which no argument can have",
			 (int)piece->n, piece->text);
	else
		snprintf(e->error, e->error_size, "a record has a 0 byte, which no argument can have");
	return -EINVAL;
}

/* RFC 3986, 2.1 and 2.3. */
static int add_encoded(struct expansion *e, struct part value)
{
	struct text *text = &e->text;
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";
	char code[4];

	if (value.n > 0 && value.n <= 2 && memcmp(value.bytes, "..", value.n) == 0 &&
	    !memchr(text->bytes, '?', text->n)) {
		snprintf(e->error, e->error_size,
			 "a value is . or .., which is no part of a URL's path");
		return -EINVAL;
	}
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.bytes[i];

		if (c && strchr(plain, c)) {
			text_add(text, &value.bytes[i], 1);
		} else {
			snprintf(code, sizeof(code), "%%%02X", c);
			text_add(text, code, 3);
		}
	}
	return 0;
}

/* A value, quoted if it must be. */
static int add_value(struct expansion *e, const struct piece *piece, struct part value)
{
	if (e->url && e->text.n > 0)
		return add_encoded(e, value);
	if (e->separator == '\0' || e->t->quote || e->url) {
		if (value.n > 0 && memchr(value.bytes, '\0', value.n))
			return refuse_zero(e, piece);
	}
	if (!e->t->quote)
		text_add(&e->text, value.bytes, value.n);
	else if (piece->quotes)
		quote_bytes(&e->text, value.bytes, value.n);
	else
		quote_word(&e->text, value.bytes, value.n);
	return 0;
}

static int add_field(struct expansion *e, const struct piece *piece, const struct record *record)
{
	struct text field = { .failed = false };
	int r = json_field(record->bytes, record->n, piece->text, piece->n, &field, e->error,
			   e->error_size);

	if (r == 0 && field.failed)
		r = -ENOMEM;
	if (r == 0)
		r = add_value(e, piece, (struct part){ field.bytes, field.n });
	text_release(&field);
	return r;
}

static void add_number(struct expansion *e, const struct piece *piece)
{
	char number[24];

	if (piece->kind == SLOT)
		snprintf(number, sizeof(number), "%d", e->values->slot);
	else
		snprintf(number, sizeof(number), "%" PRIu64, e->values->seq);
	/* A number before > would be a descriptor. */
	if (e->t->quote && piece->quotes)
		quote_bytes(&e->text, number, strlen(number));
	else
		text_add_string(&e->text, number);
}

static int add_pieces(struct expansion *e, const struct word *word, const struct record *record)
{
	int r = 0;

	for (size_t i = word->from; i < word->to && r == 0; i++) {
		const struct piece *piece = &e->t->pieces[i];

		if (piece->kind == TEXT)
			text_add(&e->text, piece->text, piece->n);
		else if (piece->kind == FIELD)
			r = add_field(e, piece, record);
		else if (is_of_record(piece->kind))
			r = add_value(e, piece, part_of(piece->kind, record));
		else
			add_number(e, piece);
	}
	return r;
}

static int add_word(struct expansion *e, const struct word *word)
{
	size_t times = word->of_record ? e->values->nrecords : 1;
	int r = 0;

	if (word->torn && times > 1) {
		snprintf(e->error, e->error_size, "a word with a place for the input goes on in quotes "
			 "or $(...), so it cannot be repeated for %zu records; set a variable first, "
			 "as in x=$(...); echo {}$x", times);
		return -EINVAL;
	}
	for (size_t i = 0; i < times && r == 0; i++) {
		if (word->begins || i > 0) {
			if (e->nargs++ > 0)
				text_add(&e->text, &e->separator, 1);
		}
		r = add_pieces(e, word, word->of_record ? &e->values->records[i] : NULL);
	}
	return r;
}

static int expand(struct expansion *e)
{
	const struct template_values *values = e->values;
	int r = 0;

	for (size_t i = 0; e->t->has_fields && i < values->nrecords && r == 0; i++)
		r = json_check(values->records[i].bytes, values->records[i].n, e->error,
			       e->error_size);
	for (size_t i = 0; i < e->t->nwords && r == 0; i++)
		r = add_word(e, &e->t->words[i]);
	if (r == 0 && e->text.failed)
		r = -ENOMEM;
	if (r)
		text_release(&e->text);
	return r;
}

/* The text's arguments with their addresses before them; NULL: no memory. */
static char **lay_out(const struct text *text, size_t nargs)
{
	size_t head = (nargs + 1) * sizeof(char *), done = 0;
	char **args = malloc(head + text->n + 1);
	char *bytes = (char *)args + head;

	if (!args)
		return NULL;
	if (text->n > 0)
		memcpy(bytes, text->bytes, text->n);
	bytes[text->n] = '\0';
	for (; done < nargs; done++) {
		args[done] = bytes;
		bytes += strlen(bytes) + 1;
	}
	args[nargs] = NULL;
	return args;
}

int template_expand(const struct template *t, const struct template_values *values,
		    char ***ret_args, char *error, size_t error_size)
{
	struct expansion e = { .t = t, .values = values, .separator = t->quote ? ' ' : '\0',
			       .error = error, .error_size = error_size };
	char **args;
	int r = expand(&e);

	if (r)
		return r;
	args = lay_out(&e.text, t->quote ? 1 : e.nargs);
	text_release(&e.text);
	if (!args)
		return -ENOMEM;
	*ret_args = args;
	return 0;
}

static int expand_text(struct expansion *e, char **ret, size_t *ret_n)
{
	size_t n;
	int r = expand(e);

	if (r)
		return r;
	n = e->text.n;
	*ret = text_take(&e->text);
	if (!*ret)
		return -ENOMEM;
	*ret_n = n;
	return 0;
}

int template_expand_bytes(const struct template *t, const struct template_values *values,
			  char separator, char **ret, size_t *ret_n, char *error,
			  size_t error_size)
{
	struct expansion e = { .t = t, .values = values, .separator = separator, .error = error,
			       .error_size = error_size };

	return expand_text(&e, ret, ret_n);
}

int template_expand_url(const struct template *t, const struct template_values *values, char **ret,
			char *error, size_t error_size)
{
	struct expansion e = { .t = t, .values = values, .separator = ' ', .url = true,
			       .error = error, .error_size = error_size };
	size_t n;

	return expand_text(&e, ret, &n);
}
