#include "journal_keys.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum { SLOTS_MIN = 256, STATE_MASK = 3 };

/*
 * From the kernel and back to it: malloc(3) would keep the smaller tables of the past.
 * All zeros, or NULL.
 */
static struct journal_slot *slots_new(size_t nslots)
{
	void *memory = mmap(NULL, nslots * sizeof(struct journal_slot), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void slots_free(struct journal_slot *slots, size_t nslots)
{
	if (slots)
		munmap(slots, nslots * sizeof(*slots));
}

void journal_keys_release(struct journal_keys *keys)
{
	slots_free(keys->slots, keys->nslots);
	*keys = (struct journal_keys){ 0 };
}

/* A hash below 2^64 as a fraction of the table. */
static size_t place_of(const struct journal_key *key, size_t nslots)
{
	uint64_t hash;

	memcpy(&hash, key->bytes, sizeof(hash));
	return (size_t)((unsigned __int128)hash * nslots >> 64);
}

/* The slot that has the key, or the free one where it would be. */
static struct journal_slot *find(struct journal_slot *slots, size_t nslots,
				 const struct journal_key *key)
{
	size_t i = place_of(key, nslots);

	while (slots[i].word && memcmp(slots[i].key.bytes, key->bytes, sizeof(key->bytes)) != 0)
		i = i + 1 < nslots ? i + 1 : 0;
	return &slots[i];
}

/* Room for one more, with a quarter of the slots free. */
static int make_room(struct journal_keys *keys)
{
	size_t nslots = keys->nslots ? keys->nslots + keys->nslots / 2 : SLOTS_MIN;
	struct journal_slot *slots;

	if (keys->used + 1 <= keys->nslots - keys->nslots / 4)
		return 0;
	slots = slots_new(nslots);
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < keys->nslots; i++) {
		if (keys->slots[i].word)
			*find(slots, nslots, &keys->slots[i].key) = keys->slots[i];
	}
	slots_free(keys->slots, keys->nslots);
	keys->slots = slots;
	keys->nslots = nslots;
	return 0;
}

/* What is done with a new slot must make its word other than 0. */
static int find_or_add(struct journal_keys *keys, const struct journal_key *key,
		       struct journal_slot **ret)
{
	struct journal_slot *slot;
	int r = make_room(keys);

	if (r < 0)
		return r;
	slot = find(keys->slots, keys->nslots, key);
	if (!slot->word) {
		slot->key = *key;
		keys->used++;
	}
	*ret = slot;
	return 0;
}

int journal_keys_set(struct journal_keys *keys, const struct journal_key *key,
		     enum journal_state state, enum journal_state *ret_old)
{
	struct journal_slot *slot;
	int r = find_or_add(keys, key, &slot);

	if (r < 0)
		return r;
	*ret_old = (enum journal_state)(slot->word & STATE_MASK);
	slot->word = (slot->word & ~(uint64_t)STATE_MASK) | state;
	return 0;
}

enum journal_state journal_keys_get(const struct journal_keys *keys,
				    const struct journal_key *key)
{
	if (keys->used == 0)
		return JOURNAL_UNKNOWN;
	return (enum journal_state)(find(keys->slots, keys->nslots, key)->word & STATE_MASK);
}

int journal_keys_count(struct journal_keys *keys, const struct journal_key *key,
		       uint64_t *ret_earlier)
{
	struct journal_slot *slot;
	int r = find_or_add(keys, key, &slot);

	if (r < 0)
		return r;
	*ret_earlier = slot->word / (STATE_MASK + 1);
	slot->word += STATE_MASK + 1;
	return 0;
}
