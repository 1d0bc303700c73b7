/*
 * tool/template.h, quote.h and shell.h.  Arguments and records of the input are put together;
 * what comes out is compared with what a simpler way says.
 */
#include "fuzz.h"

#include <errno.h>

#include "quote.h"
#include "shell.h"
#include "template.h"

enum { MAX_ARGS = 4, MAX_RECORDS = 3 };

/* What the input says. */
struct job {
	char *args[MAX_ARGS];
	char *lines[MAX_RECORDS];
	struct record records[MAX_RECORDS];
	size_t nargs, nrecords;
	bool quote, append;
};

static void take_job(struct input *in, struct job *job)
{
	uint8_t flags = take_byte(in);

	job->quote = flags & 1;
	job->append = flags & 2;
	job->nargs = flags >> 2 & 3;
	job->nrecords = 1 + (flags >> 4) % MAX_RECORDS;
	for (size_t i = 0; i < job->nargs; i++)
		job->args[i] = take_string(in);
	for (size_t i = 0; i < job->nrecords; i++) {
		job->lines[i] = take_string(in);
		job->records[i] = (struct record){ job->lines[i], strlen(job->lines[i]) };
	}
}

static void release_job(struct job *job)
{
	for (size_t i = 0; i < job->nargs; i++)
		free(job->args[i]);
	for (size_t i = 0; i < job->nrecords; i++)
		free(job->lines[i]);
}

/* The arguments, or NULL; then an error is there. */
static char **expand(const struct template *t, const struct record *records, size_t n)
{
	struct template_values values = { records, n, 12, 3 };
	char error[200] = "", **args = NULL;
	int r = template_expand(t, &values, &args, error, sizeof(error));

	FUZZ_CHECK(r == 0 || (r == -EINVAL && *error));
	FUZZ_CHECK((r == 0) == (args != NULL));
	return args;
}

static size_t count(char **args)
{
	size_t n = 0;

	while (args[n])
		n++;
	return n;
}

/* Arguments whose only braces are those of {}: each is the text with the record put in. */
static void check_simple(const struct job *job, char **args)
{
	bool any = false;
	size_t at = 0;

	for (size_t i = 0; i < job->nargs; i++) {
		const char *place = strstr(job->args[i], "{}"), *arg = job->args[i];
		size_t head = place ? (size_t)(place - arg) : 0;

		any |= place != NULL;
		for (size_t k = 0; place && k < job->nrecords; k++, at++) {
			size_t n = job->records[k].n;

			FUZZ_CHECK(strlen(args[at]) == strlen(arg) - 2 + n);
			FUZZ_CHECK(memcmp(args[at], arg, head) == 0);
			FUZZ_CHECK(memcmp(args[at] + head, job->records[k].bytes, n) == 0);
			FUZZ_CHECK(strcmp(args[at] + head + n, place + 2) == 0);
		}
		if (!place)
			FUZZ_CHECK(strcmp(args[at++], arg) == 0);
	}
	for (size_t k = 0; !any && job->append && k < job->nrecords; k++)
		FUZZ_CHECK(strcmp(args[at++], job->lines[k]) == 0);
	FUZZ_CHECK(!args[at]);
}

/* Whether every argument has one { at most, and that one begins {}. */
static bool is_simple(const struct job *job)
{
	for (size_t i = 0; i < job->nargs; i++) {
		const char *brace = strchr(job->args[i], '{');

		if (brace && (brace[1] != '}' || strchr(brace + 1, '{')))
			return false;
	}
	return true;
}

static void follow(struct shell *shell, const char *script)
{
	*shell = (struct shell){ .depth = 0 };
	while (*script)
		shell_follow(shell, *script++);
}

/* Whatever the records say, the script ends in the same nesting as with plain ones. */
static void check_script(const struct template *t, const struct job *job, char **args)
{
	struct record plain[MAX_RECORDS];
	struct shell hostile_end, plain_end;
	char **plain_args;

	FUZZ_CHECK(count(args) == 1);
	for (size_t i = 0; i < job->nrecords; i++)
		plain[i] = (struct record){ "z", 1 };
	plain_args = expand(t, plain, job->nrecords);
	FUZZ_CHECK(plain_args);
	follow(&hostile_end, args[0]);
	follow(&plain_end, plain_args[0]);
	FUZZ_CHECK(hostile_end.depth == plain_end.depth);
	FUZZ_CHECK(memcmp(hostile_end.nest, plain_end.nest, plain_end.depth) == 0);
	FUZZ_CHECK(hostile_end.escaped == plain_end.escaped);
	FUZZ_CHECK(hostile_end.lost == plain_end.lost);
	free(plain_args);
}

/* Reads a word of quote.c; NULL: it is not one whole word.  For free(3). */
static char *unquote(const char *word)
{
	struct text text = { 0 };
	bool quoted = false;

	for (; *word; word++) {
		if (*word == '\'')
			quoted = !quoted;
		else if (*word == '\\' && !quoted)
			text_add(&text, ++word, 1);
		else if (quoted || !strchr(" \t\n|&;()<>$`\"*?[]{}#~!,", *word))
			text_add(&text, word, 1);
		else
			FUZZ_CHECK(!"a bare character");
	}
	FUZZ_CHECK(!quoted);
	return text_take(&text);
}

static void check_quotes(const char *line)
{
	struct text text = { 0 };
	char *word, *back;

	quote_word(&text, line, strlen(line));
	word = text_take(&text);
	FUZZ_CHECK(word && *word);
	back = unquote(word);
	FUZZ_CHECK(back && strcmp(back, line) == 0);
	free(word);
	free(back);
}

static void check_expanded(const struct template *t, const struct job *job)
{
	char **args = expand(t, job->records, job->nrecords);

	if (!args) { /* JSON, or a word of a script that goes on */
		FUZZ_CHECK(template_has_fields(t) || (job->quote && job->nrecords > 1));
		return;
	}
	if (job->quote && !template_has_fields(t))
		check_script(t, job, args);
	if (!job->quote && is_simple(job))
		check_simple(job, args);
	free(args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct job job = { 0 };
	struct template *t = NULL;
	const char *why = NULL;
	int r;

	take_job(&in, &job);
	check_quotes(job.lines[0]);
	r = template_create(&t, (const char *const *)job.args, job.nargs, job.quote, job.append,
			    &why);
	FUZZ_CHECK(r == 0 ? t != NULL : r == -EINVAL && why);
	if (r == 0)
		check_expanded(t, &job);
	template_free(t);
	release_job(&job);
	return 0;
}
