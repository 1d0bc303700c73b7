/*
 * Commands with places for their input.
 *
 *	{}	the record		{.}	without its extension
 *	{/}	its last component	{//}	its directory ("." if it has none)
 *	{/.}	last component without extension
 *	{#}	the number of the job	{%}	its slot, from 1 to the number of jobs at once
 *	{.name.name2}	a field of the record, which is JSON: a string as it is, anything else as it
 *		is written there; in an array a number is the place, from 0
 *
 * As in GNU parallel, but for a newline in a path, which is a character as any other here.
 * "{other}" stays as it is; the names of fields are of letters, digits, _ - @ $ : and whatever is
 * not ASCII.  A command without any of these gets the records appended.  With several records (-n)
 * an argument that has a place for a record is repeated for each (as by parallel -X).
 *
 * Under a shell the arguments are joined by spaces and each value is quoted; it is the word that is
 * repeated.  A place where quotes do not mean that, as in other quotes, is refused (shell.h).
 */
#ifndef TOOL_TEMPLATE_H
#define TOOL_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct template;

struct record {
	const char *bytes;	/* n of them */
	size_t n;
};

struct template_values {
	const struct record *records;
	size_t nrecords;
	uint64_t seq;		/* {#} */
	int slot;		/* {%} */
};

/*
 * Of n arguments, which must outlive it.  quote: for a shell.  append: records are appended
 * where no place is.  0; -EINVAL: *why is a static text; -ENOMEM.
 */
int template_create(struct template **ret, const char *const *args, size_t n, bool quote,
		    bool append, const char **why);
void template_free(struct template *t);

/* Whether it has {.field}: then each record must be JSON. */
bool template_has_fields(const struct template *t);

/* Whether it has any place; any of a record. */
bool template_has_places(const struct template *t);
bool template_has_records(const struct template *t);

/*
 * *ret_args: arguments, ends with NULL, all in one block, to be given to free(3); with quote it is
 * one.  0; -ENOMEM; -EINVAL: a value has a 0 byte, or a record is no JSON or lacks a field, and
 * error says which, as "no field .user.id" or "no JSON: ... (column 7)".  Never blocks.
 */
int template_expand(const struct template *t, const struct template_values *values,
		    char ***ret_args, char *error, size_t error_size);

/*
 * The same for what is no command, as the body of a request: the arguments joined by separator, all
 * bytes as they are; ret_n of them, to be given to free(3).
 */
int template_expand_bytes(const struct template *t, const struct template_values *values,
			  char separator, char **ret, size_t *ret_n, char *error,
			  size_t error_size);

/*
 * The same for a URL of one argument: a value is percent-encoded, all but letters, digits and -._~,
 * unless the URL begins with it.  In a path . and .. are refused, too.  *ret is to be given to
 * free(3).
 */
int template_expand_url(const struct template *t, const struct template_values *values, char **ret,
			char *error, size_t error_size);

#endif
