/*
 * Where each element of a run went.  Elements are ints made by books_new(), so a
 * lost, doubled or invented one is seen: at the end each that was sent
 * has been received once or dropped once, and no other has.
 *
 * The simulator runs one task at a time, so plain counters do.
 */
#ifndef LEAT_TEST_BOOKS_H
#define LEAT_TEST_BOOKS_H

#include "test.h"

enum { BOOKS_MAX = 512 };

static struct {
	int made;
	uint8_t sent[BOOKS_MAX], received[BOOKS_MAX], dropped[BOOKS_MAX];
} books;

/* At the start of each run. */
static inline void books_open(void)
{
	memset(&books, 0, sizeof(books));
}

static inline int books_new(void)
{
	REQUIRE(books.made < BOOKS_MAX);
	return books.made++;
}

static inline void books_sent(int element)
{
	REQUIRE(element >= 0 && element < books.made);
	books.sent[element]++;
}

static inline void books_received(int element)
{
	REQUIRE(element >= 0 && element < books.made);
	books.received[element]++;
}

/* The drop function of the channels. */
static inline void books_drop(int *element)
{
	REQUIRE(*element >= 0 && *element < books.made);
	books.dropped[*element]++;
}

/* When every channel is gone. */
static inline void books_balance(void)
{
	for (int i = 0; i < books.made; i++) {
		REQUIRE(books.sent[i] <= 1);
		if (books.received[i] + books.dropped[i] != books.sent[i]) {
			fprintf(stderr, "element %d: sent %d, received %d, dropped %d\n", i,
				books.sent[i], books.received[i], books.dropped[i]);
			REQUIRE(!"each element that was sent is received once or dropped once");
		}
	}
}

static inline int books_total(const uint8_t *counts)
{
	int n = 0;

	for (int i = 0; i < books.made; i++)
		n += counts[i];
	return n;
}

#endif
