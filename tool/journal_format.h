/*
 * The bytes of a journal, and its hashes.  Version 1:
 *
 *	leat-journal 1 COMMAND ID CHECK\n		128 bytes, the numbers in hexadecimal
 *	key (16) state (1) check (15)			32 bytes a record, from byte 128 on
 *
 * COMMAND is the hash of the command (32 bytes), ID is random (16), CHECK is of the line itself.
 * A record's check covers its place in the file, COMMAND and ID: what was copied from another
 * file, or another place of this one, is not believed.  A record never crosses the border of a
 * disk's sector, so a power cut leaves it whole or not at all.
 *
 * All hashes are SHA-256, cut off to what there is room for, and all of a file begin with its
 * COMMAND and ID.  A fast hash that is no cryptographic one would not do for keys: whoever
 * chooses a line of the input could make it collide with another, and then one of the two would
 * count as done without having run.  ID, which nobody knows before the file exists, also keeps
 * chosen lines from landing all in one place of the table of keys.  The state of SHA-256 after the
 * first block is kept, so a short record or its check costs one block.
 *
 * Numbers are little-endian.  No function here blocks.
 */
#ifndef TOOL_JOURNAL_FORMAT_H
#define TOOL_JOURNAL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sha2.h>

#include "journal.h"

enum {
	JOURNAL_HEADER_SIZE = 128,
	JOURNAL_RECORD_SIZE = 32,
	JOURNAL_ID_SIZE = 16,
	JOURNAL_HASH_SIZE = 32,
	JOURNAL_BOOT_SIZE = 8,
};

struct journal_identity {
	uint8_t id[JOURNAL_ID_SIZE];
	uint8_t command[JOURNAL_HASH_SIZE];
	SHA2_CTX seed;		/* has hashed both */
};

void journal_identity_init(struct journal_identity *identity, const uint8_t *id,
			   const uint8_t *command);

/* Borders count. */
void journal_command_hash(const char *const *command, size_t n, uint8_t *ret_hash);

void journal_header_format(const struct journal_identity *identity, char *ret_text);

enum journal_header {
	JOURNAL_HEADER_OK,
	JOURNAL_HEADER_TORN,	/* nothing, or the beginning of one, zeros may follow */
	JOURNAL_HEADER_DAMAGED,
	JOURNAL_HEADER_NEWER,	/* another version */
	JOURNAL_HEADER_FOREIGN,	/* no journal */
};

/* Of the first n bytes of a file, JOURNAL_HEADER_SIZE or all that there are. */
enum journal_header journal_header_parse(const char *text, size_t n, struct journal_identity *ret);

/*
 * What a record says: a job's state; or it is a mark, that all before the record `sure` are of jobs
 * whose output is on the disk.  Others are to be believed as long as the machine has not
 * been started anew since, which boot tells.
 */
struct journal_record {
	enum { JOURNAL_RECORD_JOB, JOURNAL_RECORD_MARK } kind;
	struct journal_key key;		/* of a job */
	enum journal_state state;
	uint64_t sure;			/* of a mark: a number of records */
	uint8_t boot[JOURNAL_BOOT_SIZE];
};

/* The record at place index. */
void journal_record_format(const struct journal_identity *identity, uint64_t index,
			   const struct journal_record *record, uint8_t *ret_bytes);

/* False: not one that was written there. */
bool journal_record_parse(const struct journal_identity *identity, uint64_t index,
			  const uint8_t *bytes, struct journal_record *ret);

/* Key of the first job with this content. */
void journal_key_of(const struct journal_identity *identity, const struct record *records,
		    size_t n, struct journal_key *ret);

/* Of a later one: earlier jobs have had the same, whose key is `first`. */
void journal_key_again(const struct journal_identity *identity, const struct journal_key *first,
		       uint64_t earlier, struct journal_key *ret);

#endif
