/*
 * For the fuzzers: each is a file with LLVMFuzzerTestOneInput of libFuzzer, which is called with
 * any bytes.  What must hold is looked at with FUZZ_CHECK, and by ASan and UBSan.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_CHECK(cond)                                                      \
	do {                                                                  \
		if (!(cond)) {                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                              \
		}                                                             \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of the input. */
struct input {
	const uint8_t *data;
	size_t size;
};

static inline uint8_t take_byte(struct input *in)
{
	if (in->size == 0)
		return 0;
	in->size--;
	return *in->data++;
}

/* Up to the next 0 byte or the end; for free(3). */
static inline char *take_string(struct input *in)
{
	const uint8_t *zero = in->size ? memchr(in->data, 0, in->size) : NULL;
	size_t n = zero ? (size_t)(zero - in->data) : in->size;
	char *string = malloc(n + 1);

	FUZZ_CHECK(string);
	if (n > 0)
		memcpy(string, in->data, n);
	string[n] = '\0';
	n += zero != NULL;
	in->data += n;
	in->size -= n;
	return string;
}

#endif
