#include "rate.h"

#include <errno.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>

#include <leat/leat.h>

#include "message.h"

/* At once, each until its bucket is full again: 6 MB. */
enum { KEYS = 1 << 16 };

static int init_keys(struct rate_limit *rate)
{
	const char *why = "out of memory";
	int r = template_create(&rate->key, &rate->o->rate_key, 1, false, false, &why);

	if (r < 0) {
		message("map: --rate-key: %s", why);
		return r;
	}
	return leat_keyed_create(&rate->keys, LEAT_KEYED_OPTIONS(
		.rate = rate->o->rate.per_second, .burst = rate->o->rate.burst, .keys = KEYS,
		.full = LEAT_KEYED_REFUSE));
}

int rate_init(struct rate_limit *rate, const struct map_options *o)
{
	leat_reservation all;
	int r;

	*rate = (struct rate_limit){ .o = o, .began = leat_now(),
				     .resumed = o->resume || o->resume_failed };
	if (o->rate.per_second == 0)
		return 0;
	if (o->rate_key)
		return init_keys(rate);
	r = leat_bucket_init(&rate->bucket, o->rate.per_second, o->rate.burst);
	if (r == 0 && rate->resumed)
		r = leat_bucket_reserve(&rate->bucket, (int64_t)o->rate.burst, LEAT_FOREVER, &all);
	return r;
}

void rate_release(struct rate_limit *rate)
{
	leat_keyed_destroy(rate->keys);
	template_free(rate->key);
}

/* Of any length, as a number: values that differ have one rate by a chance of 2^-64. */
static leat_key number_of(const char *value)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	uint64_t number;
	SHA2_CTX context;

	SHA256Init(&context);
	SHA256Update(&context, (const uint8_t *)value, strlen(value));
	SHA256Final(digest, &context);
	memcpy(&number, digest, sizeof(number));
	return leat_key_number(number);
}

/*
 * A bucket that was empty when the run began has rate x age by now; so a full one, before that is
 * a burst, is one that is new.
 */
static int begin_empty(struct rate_limit *rate, leat_key key)
{
	const struct rate *o = &rate->o->rate;
	double age = (double)(leat_now() - rate->began) / 1e9;
	double missing = o->burst - o->per_second * age;
	leat_keyed_reservation taken;

	if (!rate->resumed || missing < 1 || leat_keyed_tokens(rate->keys, key) < o->burst)
		return 0;
	return leat_keyed_reserve(rate->keys, key, (int64_t)missing, LEAT_FOREVER, &taken);
}

int rate_key(struct rate_limit *rate, const struct template_values *values, leat_key *ret,
	     char *why, size_t why_size)
{
	char **value;
	int r;

	if (!rate->keys)
		return 0;
	r = template_expand(rate->key, values, &value, why, why_size);
	if (r < 0)
		return r;
	*ret = number_of(value[0]);
	free(value);
	return 0;
}

int rate_reserve(struct rate_limit *rate, leat_key key, struct rate_token *ret)
{
	int r;

	*ret = (struct rate_token){ 0 };
	if (!rate->keys) {
		r = leat_bucket_reserve(&rate->bucket, 1, LEAT_FOREVER, &ret->reservation);
		ret->when = ret->reservation.when;
		return r;
	}
	r = begin_empty(rate, key);
	if (r == 0)
		r = leat_keyed_reserve(rate->keys, key, 1, LEAT_FOREVER, &ret->of_key);
	ret->when = ret->of_key.reservation.when;
	return r;
}

void rate_give_back(struct rate_limit *rate, struct rate_token *token)
{
	if (rate->keys)
		leat_keyed_give_back(rate->keys, &token->of_key);
	else
		leat_bucket_give_back(&rate->bucket, &token->reservation);
}
