/*
 * --rate: how fast jobs may begin; --rate-key: a rate for each value of a template.
 *
 * A run that goes on where another has ended begins without a burst.
 */
#ifndef TOOL_RATE_H
#define TOOL_RATE_H

#include <leat/keyed.h>

#include "options.h"
#include "template.h"

struct rate_limit {
	const struct map_options *o;
	leat_bucket bucket;	/* unless there is a key */
	leat_keyed *keys;
	struct template *key;
	int64_t began;
	bool resumed;
};

/* A token for a time to come. */
struct rate_token {
	int64_t when;		/* the job may begin */
	leat_reservation reservation;
	leat_keyed_reservation of_key;
};

/* 0, or an error, of which it has said what it is.  Does nothing where there is no --rate. */
int rate_init(struct rate_limit *rate, const struct map_options *o);
void rate_release(struct rate_limit *rate);

/* The key of a job of these values: 0; -EINVAL: the record has none, and why says so. */
int rate_key(struct rate_limit *rate, const struct template_values *values, leat_key *ret,
	     char *why, size_t why_size);

/* Takes one: 0; -ENOBUFS: all keys that there may be are in use, try later.  Does not block. */
int rate_reserve(struct rate_limit *rate, leat_key key, struct rate_token *ret);

/* It is not used. */
void rate_give_back(struct rate_limit *rate, struct rate_token *token);

#endif
