/* Items that wait for their key: see keys.h. */
#include "patterns/keys.h"

#include <string.h>

#include <leat/extend.h>

struct waiting {
	struct waiting *next;
	char item[] __attribute__((aligned(16)));
};

struct entry {
	struct entry *next;	/* in its bucket */
	uint64_t key;
	struct waiting *first, *last;
};

struct leat__keys {
	leat_mutex lock;
	size_t nbuckets;	/* (c) a power of two */
	size_t item_size;	/* (c) */
	uint64_t held;		/* (L) items that wait */
	struct leat__meter meter; /* (L) runs while there are any */
	struct entry *bucket[];	/* (L) */
};

static size_t bytes_of(size_t nbuckets)
{
	return sizeof(struct leat__keys) + nbuckets * sizeof(struct entry *);
}

struct leat__keys *leat__keys_create(size_t item_size, size_t keys)
{
	size_t n = leat__key_buckets(keys);
	struct leat__keys *k = leat_alloc(bytes_of(n));

	if (!k)
		return NULL;
	memset(k, 0, bytes_of(n));
	k->nbuckets = n;
	k->item_size = item_size;
	return k;
}

void leat__keys_free(struct leat__keys *keys)
{
	if (keys)
		leat_free(keys, bytes_of(keys->nbuckets));
}

/* Where the key's entry is, or would be. */
static struct entry **find(struct leat__keys *k, uint64_t key)
{
	struct entry **link = &k->bucket[leat__key_hash(key) & (k->nbuckets - 1)];

	while (*link && (*link)->key != key)
		link = &(*link)->next;
	return link;
}

/* Under the lock. */
static enum leat__key_begun enter(struct leat__keys *k, uint64_t key)
{
	struct entry **link = find(k, key);
	struct entry *e = leat_alloc(sizeof(*e));

	if (!e)
		return LEAT__KEY_NO_MEMORY;
	*e = (struct entry){ .next = *link, .key = key };
	*link = e;
	return LEAT__KEY_FREE;
}

/* Under the lock. */
static enum leat__key_begun append(struct leat__keys *k, struct entry *e, const void *item)
{
	struct waiting *w = leat_alloc(sizeof(*w) + k->item_size);

	if (!w)
		return LEAT__KEY_NO_MEMORY;
	w->next = NULL;
	memcpy(w->item, item, k->item_size);
	if (e->last)
		e->last->next = w;
	else
		e->first = w;
	e->last = w;
	if (k->held++ == 0)
		leat__meter_enter(&k->meter, LEAT_STAGE_BLOCKED);
	return LEAT__KEY_WAITS;
}

enum leat__key_begun leat__key_begin(struct leat__keys *k, uint64_t key, const void *item)
{
	enum leat__key_begun r;
	struct entry *e;

	leat_mutex_lock(&k->lock);
	e = *find(k, key);
	r = e ? append(k, e, item) : enter(k, key);
	leat_mutex_unlock(&k->lock);
	return r;
}

bool leat__key_next(struct leat__keys *k, uint64_t key, void *item)
{
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
		if (--k->held == 0)
			leat__meter_stop(&k->meter);
		memcpy(item, w->item, k->item_size);
	} else {
		*link = e->next;
	}
	leat_mutex_unlock(&k->lock);
	if (w)
		leat_free(w, sizeof(*w) + k->item_size);
	else
		leat_free(e, sizeof(*e));
	return w != NULL;
}

uint64_t leat__keys_held(struct leat__keys *k)
{
	uint64_t n;

	leat_mutex_lock(&k->lock);
	n = k->held;
	leat_mutex_unlock(&k->lock);
	return n;
}

int64_t leat__keys_waited(struct leat__keys *k, int64_t now)
{
	return leat__meter_total(&k->meter, now);
}
