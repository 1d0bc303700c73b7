/*
 * The table of keys of a journal: of each content how many jobs have had it in this run, and of
 * each key that the file named when it was opened, its state.  Both in one: the first job with a
 * content has the content's own key.
 *
 * Open addressing with linear probing; a key is a piece of a hash, and its first bytes are its
 * place.  24 bytes a slot; at least half of the slots are used before it grows by a half: at
 * most 48 bytes a key (and 256 slots at the start), 80 at the moment at which it grows.
 *
 * One task or thread at a time.  Growing copies the table: 10 ms a million keys, about.
 */
#ifndef TOOL_JOURNAL_KEYS_H
#define TOOL_JOURNAL_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "journal.h"

struct journal_slot {
	struct journal_key key;
	uint64_t word;		/* times * 4 + state; 0: a free slot */
};

struct journal_keys {
	struct journal_slot *slots;
	size_t nslots, used;
};

/* All zeros is an empty table.  Frees its memory. */
void journal_keys_release(struct journal_keys *keys);

/* 0, or -ENOMEM, and nothing has changed.  *ret_old: the state before. */
int journal_keys_set(struct journal_keys *keys, const struct journal_key *key,
		     enum journal_state state, enum journal_state *ret_old);

enum journal_state journal_keys_get(const struct journal_keys *keys,
				    const struct journal_key *key);

/* Counts one more job with this key.  *ret_earlier: how many there were.  0 or -ENOMEM. */
int journal_keys_count(struct journal_keys *keys, const struct journal_key *key,
		       uint64_t *ret_earlier);

#endif
