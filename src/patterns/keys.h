/*
 * Items of one key one after the other.
 *
 * A key is in the table as long as one of its items is being worked on.  An item whose key is there
 * already goes to the end of the key's list, and is taken by who has worked on the one before it;
 * so no worker waits for a key.
 */
#ifndef LEAT_PATTERNS_KEYS_H
#define LEAT_PATTERNS_KEYS_H

#include "patterns/stats.h"

struct leat__keys;

/* Of tables of keys: lists for about so many keys at once, a power of two. */
static inline size_t leat__key_buckets(size_t keys)
{
	size_t n = 64;

	while (n < 65536 && n < 2 * keys)
		n *= 2;
	return n;
}

/* Fibonacci hashing: Knuth, The Art of Computer Programming, 6.4.  Its lower bits are used. */
static inline size_t leat__key_hash(uint64_t key)
{
	return key * 0x9e3779b97f4a7c15u >> 32;
}

enum leat__key_begun {
	LEAT__KEY_FREE,		/* the key is the caller's, until leat__key_next finds nothing */
	LEAT__KEY_WAITS,	/* a copy of the item is in the key's list */
	LEAT__KEY_NO_MEMORY,	/* for either: nothing has been done */
};

/* For items of that size; about so many keys at once; NULL: no memory. */
struct leat__keys *leat__keys_create(size_t item_size, size_t keys);
/* No key may be in it. */
void leat__keys_free(struct leat__keys *keys);
enum leat__key_begun leat__key_begin(struct leat__keys *keys, uint64_t key, const void *item);
/* Takes the next item of a key of the caller's; false: there is none, and the key is free. */
bool leat__key_next(struct leat__keys *keys, uint64_t key, void *item);
/* Items in the lists. */
uint64_t leat__keys_held(struct leat__keys *keys);
/* ns for which there have been any. */
int64_t leat__keys_waited(struct leat__keys *keys, int64_t now);

#endif
