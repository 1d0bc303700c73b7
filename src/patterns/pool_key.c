/*
 * Jobs of one key one after the other.
 *
 * A key is in the table as long as one of its jobs is being done.  A job whose key is there already
 * goes to the end of the key's list, and is done by who does the one before it; so no
 * worker waits for a key.
 */
#include "patterns/pool.h"

#include <string.h>

#include <leat/extend.h>

struct waiting {
	struct waiting *next;
	char job[] __attribute__((aligned(16)));
};

struct entry {
	struct entry *next;	/* in its bucket */
	uint64_t key;
	struct waiting *first, *last;
};

struct leat__pool_keys {
	leat_mutex lock;
	size_t nbuckets;	/* (c) a power of two */
	uint64_t held;		/* (L) jobs that wait */
	struct entry *bucket[];	/* (L) */
};

static size_t bytes_of(size_t nbuckets)
{
	return sizeof(struct leat__pool_keys) + nbuckets * sizeof(struct entry *);
}

int leat__pool_keys_create(struct leat_pool *pool)
{
	size_t n = 64;

	/* As many keys as workers are in it at most. */
	while (n < 2 * (size_t)pool->o.workers && n < 65536)
		n *= 2;
	pool->keys = leat_alloc(bytes_of(n));
	if (!pool->keys)
		return -ENOMEM;
	memset(pool->keys, 0, bytes_of(n));
	pool->keys->nbuckets = n;
	return 0;
}

void leat__pool_keys_free(struct leat_pool *pool)
{
	if (pool->keys)
		leat_free(pool->keys, bytes_of(pool->keys->nbuckets));
	pool->keys = NULL;
}

/* Where the key's entry is, or would be. */
static struct entry **find(struct leat__pool_keys *k, uint64_t key)
{
	/* Fibonacci hashing: Knuth, The Art of Computer Programming, 6.4. */
	struct entry **link = &k->bucket[(key * 0x9e3779b97f4a7c15u >> 32) & (k->nbuckets - 1)];

	while (*link && (*link)->key != key)
		link = &(*link)->next;
	return link;
}

/* Under the lock. */
static enum leat__taken enter(struct leat__pool_keys *k, uint64_t key)
{
	struct entry **link = find(k, key);
	struct entry *e = leat_alloc(sizeof(*e));

	if (!e)
		return LEAT__TAKEN_NO_MEMORY;
	*e = (struct entry){ .next = *link, .key = key };
	*link = e;
	return LEAT__TAKEN;
}

/* Under the lock. */
static enum leat__taken append(struct leat__pool_keys *k, struct entry *e, const char *job,
			       size_t size)
{
	struct waiting *w = leat_alloc(sizeof(*w) + size);

	if (!w)
		return LEAT__TAKEN_NO_MEMORY;
	w->next = NULL;
	memcpy(w->job, job, size);
	if (e->last)
		e->last->next = w;
	else
		e->first = w;
	e->last = w;
	k->held++;
	return LEAT__TAKEN_WAITS;
}

enum leat__taken leat__pool_key_begin(struct leat_pool *pool, const char *job)
{
	struct leat__pool_keys *k = pool->keys;
	uint64_t key = pool->o.key(job);
	enum leat__taken r;
	struct entry *e;

	leat_mutex_lock(&k->lock);
	e = *find(k, key);
	r = e ? append(k, e, job, pool->o.job_size) : enter(k, key);
	leat_mutex_unlock(&k->lock);
	return r;
}

bool leat__pool_key_next(struct leat_pool *pool, uint64_t key, char *job)
{
	struct leat__pool_keys *k = pool->keys;
	struct entry **link, *e;
	struct waiting *w;

	leat_mutex_lock(&k->lock);
	link = find(k, key);
	e = *link;
	w = e->first;
	if (w) {
		e->first = w->next;
		if (!e->first)
			e->last = NULL;
		k->held--;
		memcpy(job, w->job, pool->o.job_size);
	} else {
		*link = e->next;
	}
	leat_mutex_unlock(&k->lock);
	if (w)
		leat_free(w, sizeof(*w) + pool->o.job_size);
	else
		leat_free(e, sizeof(*e));
	return w != NULL;
}

uint64_t leat__pool_keys_held(struct leat_pool *pool)
{
	uint64_t n;

	leat_mutex_lock(&pool->keys->lock);
	n = pool->keys->held;
	leat_mutex_unlock(&pool->keys->lock);
	return n;
}
