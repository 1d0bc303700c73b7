/*
 * Fields of a JSON text, by jansson, but numbers keep their digits: 12345678901234567890 and 1.10
 * come out as they went in.
 */
#ifndef TOOL_JSON_H
#define TOOL_JSON_H

#include <stddef.h>

#include "text.h"

/* jansson takes a task's stack for each. */
#define JSON_DEPTH 128

/* 0, or -EINVAL with error as "no JSON: ... (column 7)".  Never blocks. */
int json_check(const char *bytes, size_t n, char *error, size_t error_size);

/*
 * Appends the field of a text that json_check has passed: a string as it is, anything else as it
 * is written there.  path: names with dots between; a number is a place in an array, from 0.  Of
 * names that are there twice the last counts.  0, or -EINVAL with error as "no field .a.b".
 */
int json_field(const char *bytes, size_t n, const char *path, size_t path_size, struct text *text,
	       char *error, size_t error_size);

#endif
