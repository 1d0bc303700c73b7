#include "json.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Bytes of a text that json_check has passed, so what they begin they end. */
struct span {
	const char *at, *end;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(struct span *s)
{
	while (s->at < s->end && is_space(*s->at))
		s->at++;
}

/* Behind the string that begins at at. */
static const char *string_end(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		if (*at == '\\')
			at++;
	return at < end ? at + 1 : end;
}

/* How deep it nests, if it is JSON. */
static size_t depth_of(const char *bytes, size_t n)
{
	const char *at = bytes, *end = bytes + n;
	size_t depth = 0, most = 0;

	while (at < end) {
		if (*at == '"') {
			at = string_end(at, end);
			continue;
		}
		if (*at == '[' || *at == '{')
			most = ++depth > most ? depth : most;
		else if ((*at == ']' || *at == '}') && depth > 0)
			depth--;
		at++;
	}
	return most;
}

/* jansson shows a part of the input, which a terminal should not obey. */
static void without_controls(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

int json_check(const char *bytes, size_t n, char *error, size_t error_size)
{
	json_error_t e;
	json_t *json;

	if (depth_of(bytes, n) > JSON_DEPTH) {
		snprintf(error, error_size, "no JSON that is taken: it nests more than %d deep",
			 JSON_DEPTH);
		return -EINVAL;
	}
	/* Integers as reals: a long one is none that is wrong. */
	json = json_loadb(bytes, n, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &e);
	if (json) {
		json_decref(json);
		return 0;
	}
	without_controls(e.text);
	if (e.line > 1)
		snprintf(error, error_size, "no JSON: %s (line %d, column %d)", e.text, e.line,
			 e.column);
	else
		snprintf(error, error_size, "no JSON: %s (column %d)", e.text, e.column);
	return -EINVAL;
}

/* Behind the array or object that begins at at. */
static const char *nested_end(const char *at, const char *end)
{
	size_t depth = 0;

	do {
		if (*at == '"') {
			at = string_end(at, end);
			continue;
		}
		if (*at == '[' || *at == '{')
			depth++;
		else if (*at == ']' || *at == '}')
			depth--;
		at++;
	} while (at < end && depth > 0);
	return at;
}

static const char *plain_end(const char *at, const char *end)
{
	while (at < end && !is_space(*at) && *at != ',' && *at != ']' && *at != '}')
		at++;
	return at;
}

/* Takes the value that s begins with, and moves behind it. */
static struct span take_value(struct span *s)
{
	const char *start = s->at;

	if (*start == '"')
		s->at = string_end(start, s->end);
	else if (*start == '[' || *start == '{')
		s->at = nested_end(start, s->end);
	else
		s->at = plain_end(start, s->end);
	return (struct span){ start, s->at };
}

/* The string's value; NULL: no memory. */
static json_t *decode(struct span string)
{
	return json_loadb(string.at, (size_t)(string.end - string.at),
			  JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

/* Whether the string (with its quotes) says name; -ENOMEM. */
static int says(struct span string, struct span name)
{
	size_t n = (size_t)(name.end - name.at);
	json_t *json;
	int r;

	if (!memchr(string.at, '\\', (size_t)(string.end - string.at)))
		return (size_t)(string.end - string.at) == n + 2 &&
		       memcmp(string.at + 1, name.at, n) == 0;
	json = decode(string);
	if (!json)
		return -ENOMEM;
	r = json_string_length(json) == n && memcmp(json_string_value(json), name.at, n) == 0;
	json_decref(json);
	return r;
}

/* Moves behind the space and c, if c comes next. */
static bool take(struct span *s, char c)
{
	skip_space(s);
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	skip_space(s);
	return true;
}

/* The last field of that name.  1, 0: there is none, or -ENOMEM. */
static int find_member(struct span object, struct span name, struct span *ret)
{
	int found = 0, r;

	take(&object, '{');
	while (object.at < object.end && *object.at == '"') {
		struct span key = take_value(&object), value;

		take(&object, ':');
		value = take_value(&object);
		r = says(key, name);
		if (r < 0)
			return r;
		if (r > 0) {
			*ret = value;
			found = 1;
		}
		take(&object, ',');
	}
	return found;
}

/* The number that name is; SIZE_MAX: it is none. */
static size_t index_of(struct span name)
{
	size_t n = 0;

	for (; name.at < name.end; name.at++)
		if (*name.at < '0' || *name.at > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (size_t)(*name.at - '0'), &n))
			return SIZE_MAX;
	return n;
}

static int find_element(struct span array, struct span name, struct span *ret)
{
	size_t index = index_of(name);

	take(&array, '[');
	for (size_t i = 0; array.at < array.end && *array.at != ']'; i++) {
		struct span value = take_value(&array);

		if (i == index) {
			*ret = value;
			return 1;
		}
		take(&array, ',');
	}
	return 0;
}

static int find(struct span value, struct span name, struct span *ret)
{
	if (*value.at == '{')
		return find_member(value, name, ret);
	return *value.at == '[' ? find_element(value, name, ret) : 0;
}

static int add_value(struct span value, struct text *text)
{
	json_t *json;

	if (*value.at != '"') {
		text_add(text, value.at, (size_t)(value.end - value.at));
		return 0;
	}
	json = decode(value);
	if (!json)
		return -ENOMEM;
	text_add(text, json_string_value(json), json_string_length(json));
	json_decref(json);
	return 0;
}

int json_field(const char *bytes, size_t n, const char *path, size_t path_size, struct text *text,
	       char *error, size_t error_size)
{
	struct span value = { bytes, bytes + n };
	struct span name = { path, path };
	const char *end = path + path_size;
	int r;

	skip_space(&value);
	for (;;) {
		const char *dot = memchr(name.at, '.', (size_t)(end - name.at));

		name.end = dot ? dot : end;
		r = find(value, name, &value);
		if (r < 0)
			return r;
		if (r == 0) {
			snprintf(error, error_size, "no field .%.*s", (int)path_size, path);
			return -EINVAL;
		}
		if (!dot)
			return add_value(value, text);
		name.at = dot + 1;
	}
}
