/*
 * A token bucket for each key: so many requests a second for each client, host or tenant.
 *
 *	leat_keyed *clients;
 *
 *	r = leat_keyed_create(&clients, LEAT_KEYED_OPTIONS(.rate = 10, .burst = 20, .keys = 100000,
 *							   .full = LEAT_KEYED_REFUSE));
 *	r = leat_keyed_try_take(clients, leat_key_string(address), 1);
 *	...
 *	leat_keyed_destroy(clients);
 *
 * Each key has a leat_bucket of its own (leat/bucket.h), which begins full; rate, burst and what
 * the calls return are that of the bucket.  A key is a string or a number: numbers are ids and
 * addresses that would have to be printed, strings the rest.  The string "7" and the number 7 are
 * two keys.
 *
 * Memory is bounded: all of it is taken at the creation, for so many keys.  When a new key comes
 * and all are in use, one whose bucket is full again is forgotten, which changes nothing: it would
 * begin full.  If there is none, more keys than that are being used at once, and the option full
 * says who loses.
 *
 * Keys may come from outside: the hash is SipHash with a secret, so nobody can make them collide.
 */
#ifndef LEAT_KEYED_H
#define LEAT_KEYED_H

#include <leat/bucket.h>
#include <leat/extend.h>

/* What a new key meets when all are in use, and no bucket is full. */
enum leat_keyed_full {
	LEAT_KEYED_REFUSE = 1,	/* -ENOBUFS: those that are there keep their limits */
	LEAT_KEYED_FORGET,	/* the key nearest to full is forgotten: it may have a burst more */
};

typedef struct leat_keyed leat_keyed;

typedef struct leat_keyed_options {
	size_t size;		/* sizeof(leat_keyed_options) */
	double rate, burst;	/* of each key, as leat_bucket_init; must be given */
	size_t keys;		/* at once; 1 to 10 million; must be given */
	enum leat_keyed_full full; /* must be given */
	size_t key_size;	/* bytes of the longest string; to 1,024; 0: 64 */
} leat_keyed_options;

#define LEAT_KEYED_OPTIONS(...) LEAT__OPTIONS(leat_keyed_options, __VA_ARGS__)

/* Made by the two functions below, for one call.  A string is not NULL. */
typedef struct leat_key {
	const char *_string;	/* NULL: a number */
	uint64_t _number;
} leat_key;

/* Tokens of a key that have been taken for a time to come. */
typedef struct leat_keyed_reservation {
	leat_reservation reservation; /* .when: the caller may act from then on */
	uint32_t _slot;
	uint64_t _since;
} leat_keyed_reservation;

static inline leat_key leat_key_string(const char *string)
{
	leat_key key;

	if (!string)
		leat_misuse(__func__, NULL, "the string is NULL; it would be the number 0");
	key._string = string;
	key._number = 0;
	return key;
}

static inline leat_key leat_key_number(uint64_t number)
{
	leat_key key;

	key._string = NULL;
	key._number = number;
	return key;
}

LEAT_BEGIN_DECLS

/* 0; -EINVAL: an option is bad, and the log says which; -ENOMEM.  Does not block. */
LEAT_API LEAT_MUST_CHECK int leat_keyed_create(leat_keyed **ret_keyed,
					       const leat_keyed_options *options);

/* No call may be running; what has been reserved is void.  NULL is ignored. */
LEAT_API void leat_keyed_destroy(leat_keyed *keyed);

/*
 * As leat_bucket_try_take, _take, _take_until, _reserve, _give_back and _tokens, for a key; and
 * -ENOBUFS, as LEAT_KEYED_REFUSE says, -ENAMETOOLONG.  A reservation of a key that has been
 * forgotten since gives nothing back.  tokens: those of a key that is not there are burst.  Any
 * task or thread; may wait for others in the same call, for less than a microsecond.
 */
LEAT_API LEAT_MUST_CHECK int leat_keyed_try_take(leat_keyed *keyed, leat_key key, int64_t n);
LEAT_API LEAT_MUST_CHECK int leat_keyed_take(leat_keyed *keyed, leat_key key, int64_t n);
LEAT_API LEAT_MUST_CHECK int leat_keyed_take_until(leat_keyed *keyed, leat_key key, int64_t n,
						   int64_t deadline);
LEAT_API LEAT_MUST_CHECK int leat_keyed_reserve(leat_keyed *keyed, leat_key key, int64_t n,
						int64_t deadline,
						leat_keyed_reservation *ret_reservation);
LEAT_API void leat_keyed_give_back(leat_keyed *keyed, leat_keyed_reservation *reservation);
LEAT_API double leat_keyed_tokens(leat_keyed *keyed, leat_key key);

/* Keys that are there now; a snapshot. */
LEAT_API size_t leat_keyed_count(leat_keyed *keyed);

LEAT_END_DECLS

#endif
