/* tool/json.h: the field is what jansson finds on the same path. */
#include "fuzz.h"

#include <errno.h>
#include <jansson.h>

#include "json.h"

/* The element or member of that name; NULL: there is none. */
static json_t *step(json_t *json, const char *name)
{
	size_t n = strlen(name);

	if (!json_is_array(json))
		return json_object_get(json, name);
	if (strspn(name, "0123456789") != n)
		return NULL;
	while (*name == '0')
		name++;
	return strlen(name) > 9 ? NULL : json_array_get(json, strtoul(name, NULL, 10));
}

static json_t *walk(json_t *json, char *path)
{
	char *name;

	while (json && (name = strsep(&path, ".")))
		json = step(json, name);
	return json;
}

static void check_value(const struct text *text, json_t *expected)
{
	json_t *value;

	if (json_is_string(expected)) {
		FUZZ_CHECK(text->n == json_string_length(expected));
		FUZZ_CHECK(!text->n || !memcmp(text->bytes, json_string_value(expected), text->n));
		return;
	}
	value = json_loadb(text->bytes, text->n,
			   JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
	FUZZ_CHECK(value && json_equal(value, expected));
	json_decref(value);
}

static void fuzz_field(const char *bytes, size_t n, const char *path)
{
	json_t *json = json_loadb(bytes, n,
				  JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
	char *copy = strdup(path), error[200];
	struct text text = { 0 };
	json_t *expected;
	int r;

	FUZZ_CHECK(json && copy);
	expected = walk(json, copy);
	r = json_field(bytes, n, path, strlen(path), &text, error, sizeof(error));
	FUZZ_CHECK(r == (expected ? 0 : -EINVAL));
	if (expected)
		check_value(&text, expected);
	text_release(&text);
	json_decref(json);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	char *path = take_string(&in), error[200], *bytes;

	bytes = malloc(in.size ? in.size : 1);	/* so that ASan knows where it ends */
	FUZZ_CHECK(bytes);
	memcpy(bytes, in.size ? in.data : (const uint8_t *)"", in.size);
	if (json_check(bytes, in.size, error, sizeof(error)) == 0)
		fuzz_field(bytes, in.size, path);
	free(bytes);
	free(path);
	return 0;
}
