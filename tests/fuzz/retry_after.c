/* http_retry_after of connectors/http/http.h. */
#include "fuzz.h"

#include "http/http.h"

#define NOW INT64_C(1800000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	char *value = take_string(&in), *date = take_string(&in);
	int64_t ns = http_retry_after(value, in.size % 2 ? NULL : date, NOW);

	FUZZ_CHECK(ns >= -1);
	/* Digits alone are seconds, whatever the date says. */
	if (*value && strspn(value, "0123456789") == strlen(value) && strlen(value) < 9)
		FUZZ_CHECK(ns == strtoll(value, NULL, 10) * 1000000000);
	free(value);
	free(date);
	return 0;
}
