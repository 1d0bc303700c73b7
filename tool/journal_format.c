#include "journal_format.h"

#include <string.h>

#include <leat/base.h>

static const char magic[] = "leat-journal ";
static const char start[] = "leat-journal 1 ";

/* Where the fields of the header are. */
enum {
	COMMAND_AT = sizeof(start) - 1,
	ID_AT = COMMAND_AT + 2 * JOURNAL_HASH_SIZE + 1,
	CHECK_AT = ID_AT + 2 * JOURNAL_ID_SIZE + 1,
	CHECK_SIZE = (JOURNAL_HEADER_SIZE - CHECK_AT - 1) / 2,
};
_Static_assert(CHECK_AT + 2 * CHECK_SIZE + 1 == JOURNAL_HEADER_SIZE, "the header is one line");

/* Where the fields of a record are. */
enum {
	KEY_SIZE = sizeof(struct journal_key),
	STATE_AT = KEY_SIZE,
	SUM_AT,
	SUM_SIZE = JOURNAL_RECORD_SIZE - SUM_AT,
};

/* The state of a record in the file. */
enum { STATE_DONE = 1, STATE_FAILED = 2, STATE_MARK = 3 };

/* What is hashed after the identity begins with what it is. */
enum { OF_HEADER = 'h', OF_RECORD = 'r', OF_CONTENT = 'c', OF_AGAIN = 'a' };

static void put64(uint8_t *bytes, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get64(const uint8_t *bytes)
{
	uint64_t value = 0;

	for (int i = 8; i-- > 0;)
		value = value << 8 | bytes[i];
	return value;
}

static void hash_number(SHA2_CTX *hash, uint64_t value)
{
	uint8_t bytes[8];

	put64(bytes, value);
	SHA256Update(hash, bytes, sizeof(bytes));
}

static void hash_end(SHA2_CTX *hash, uint8_t *ret, size_t n)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	SHA256Final(digest, hash);
	memcpy(ret, digest, n);
}

void journal_identity_init(struct journal_identity *identity, const uint8_t *id,
			   const uint8_t *command)
{
	/* Fills the block, of 64 bytes. */
	enum { REST = SHA256_BLOCK_LENGTH - JOURNAL_ID_SIZE - JOURNAL_HASH_SIZE };
	const uint8_t version[REST] = "leat-journal 1";

	memcpy(identity->id, id, sizeof(identity->id));
	memcpy(identity->command, command, sizeof(identity->command));
	SHA256Init(&identity->seed);
	SHA256Update(&identity->seed, version, sizeof(version));
	SHA256Update(&identity->seed, id, JOURNAL_ID_SIZE);
	SHA256Update(&identity->seed, command, JOURNAL_HASH_SIZE);
}

void journal_command_hash(const char *const *command, size_t n, uint8_t *ret_hash)
{
	SHA2_CTX hash;

	SHA256Init(&hash);
	hash_number(&hash, n);
	for (size_t i = 0; i < n; i++) {
		hash_number(&hash, strlen(command[i]));
		SHA256Update(&hash, (const uint8_t *)command[i], strlen(command[i]));
	}
	hash_end(&hash, ret_hash, JOURNAL_HASH_SIZE);
}

static const char digits[] = "0123456789abcdef";

static void hex_format(char *text, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
}

static int digit_of(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static bool hex_parse(uint8_t *bytes, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

void journal_header_format(const struct journal_identity *identity, char *ret_text)
{
	SHA2_CTX hash = identity->seed;
	uint8_t check[CHECK_SIZE], what = OF_HEADER;

	SHA256Update(&hash, &what, 1);
	hash_end(&hash, check, sizeof(check));
	memset(ret_text, ' ', JOURNAL_HEADER_SIZE);
	memcpy(ret_text, start, COMMAND_AT);
	hex_format(ret_text + COMMAND_AT, identity->command, sizeof(identity->command));
	hex_format(ret_text + ID_AT, identity->id, sizeof(identity->id));
	hex_format(ret_text + CHECK_AT, check, sizeof(check));
	ret_text[JOURNAL_HEADER_SIZE - 1] = '\n';
}

/* Whether text may begin a header: each byte is one that may be there. */
static bool is_beginning(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i < COMMAND_AT ? text[i] != start[i] :
		    i == ID_AT - 1 || i == CHECK_AT - 1 ? text[i] != ' ' :
		    i == JOURNAL_HEADER_SIZE - 1 ? text[i] != '\n' : digit_of(text[i]) < 0)
			return false;
	}
	return true;
}

/* The kernel may have made the file longer before the bytes were there: zeros, then. */
static bool is_torn(const char *text, size_t n)
{
	while (n > 0 && text[n - 1] == '\0')
		n--;
	return n < JOURNAL_HEADER_SIZE && is_beginning(text, n);
}

/* "leat-journal ", another number, and what no version changes, the space after it. */
static bool is_newer(const char *text, size_t n)
{
	size_t i = sizeof(magic) - 1;
	size_t first = i;

	if (n <= i || memcmp(text, magic, i) != 0)
		return false;
	while (i < n && text[i] >= '0' && text[i] <= '9')
		i++;
	return i > first && (i == n || text[i] == ' ') && !(i == first + 1 && text[first] == '1');
}

enum journal_header journal_header_parse(const char *text, size_t n, struct journal_identity *ret)
{
	uint8_t id[JOURNAL_ID_SIZE], command[JOURNAL_HASH_SIZE];
	struct journal_identity identity;
	char again[JOURNAL_HEADER_SIZE];

	if (is_torn(text, n))
		return JOURNAL_HEADER_TORN;
	if (is_newer(text, n))
		return JOURNAL_HEADER_NEWER;
	if (n < sizeof(magic) - 1 || memcmp(text, magic, sizeof(magic) - 1) != 0)
		return JOURNAL_HEADER_FOREIGN;
	if (n < JOURNAL_HEADER_SIZE || !hex_parse(command, text + COMMAND_AT, sizeof(command)) ||
	    !hex_parse(id, text + ID_AT, sizeof(id)))
		return JOURNAL_HEADER_DAMAGED;
	journal_identity_init(&identity, id, command);
	journal_header_format(&identity, again);
	if (memcmp(text, again, sizeof(again)) != 0)
		return JOURNAL_HEADER_DAMAGED;
	*ret = identity;
	return JOURNAL_HEADER_OK;
}

static void record_check(const struct journal_identity *identity, uint64_t index,
			 const uint8_t *bytes, uint8_t *ret_sum)
{
	SHA2_CTX hash = identity->seed;
	uint8_t what = OF_RECORD;

	SHA256Update(&hash, &what, 1);
	hash_number(&hash, index);
	SHA256Update(&hash, bytes, SUM_AT);
	hash_end(&hash, ret_sum, SUM_SIZE);
}

void journal_record_format(const struct journal_identity *identity, uint64_t index,
			   const struct journal_record *record, uint8_t *ret_bytes)
{
	if (record->kind == JOURNAL_RECORD_MARK) {
		put64(ret_bytes, record->sure);
		memcpy(ret_bytes + 8, record->boot, JOURNAL_BOOT_SIZE);
		ret_bytes[STATE_AT] = STATE_MARK;
	} else {
		memcpy(ret_bytes, record->key.bytes, KEY_SIZE);
		ret_bytes[STATE_AT] = record->state == JOURNAL_FAILED ? STATE_FAILED : STATE_DONE;
	}
	record_check(identity, index, ret_bytes, ret_bytes + SUM_AT);
}

bool journal_record_parse(const struct journal_identity *identity, uint64_t index,
			  const uint8_t *bytes, struct journal_record *ret)
{
	struct journal_record record = { .kind = JOURNAL_RECORD_JOB };
	uint8_t sum[SUM_SIZE], state = bytes[STATE_AT];

	if (state != STATE_DONE && state != STATE_FAILED && state != STATE_MARK)
		return false;
	record_check(identity, index, bytes, sum);
	if (memcmp(sum, bytes + SUM_AT, sizeof(sum)) != 0)
		return false;
	if (state == STATE_MARK) {
		record.kind = JOURNAL_RECORD_MARK;
		record.sure = get64(bytes);
		memcpy(record.boot, bytes + 8, sizeof(record.boot));
		if (record.sure > index)
			return false;
	} else {
		memcpy(record.key.bytes, bytes, KEY_SIZE);
		record.state = state == STATE_FAILED ? JOURNAL_FAILED : JOURNAL_DONE;
	}
	*ret = record;
	return true;
}

void journal_key_of(const struct journal_identity *identity, const struct record *records,
		    size_t n, struct journal_key *ret)
{
	SHA2_CTX hash = identity->seed;
	uint8_t what = OF_CONTENT;

	SHA256Update(&hash, &what, 1);
	hash_number(&hash, n);
	for (size_t i = 0; i < n; i++) {
		hash_number(&hash, records[i].n);
		SHA256Update(&hash, (const uint8_t *)records[i].bytes, records[i].n);
	}
	hash_end(&hash, ret->bytes, sizeof(ret->bytes));
}

void journal_key_again(const struct journal_identity *identity, const struct journal_key *first,
		       uint64_t earlier, struct journal_key *ret)
{
	SHA2_CTX hash = identity->seed;
	uint8_t what = OF_AGAIN;

	SHA256Update(&hash, &what, 1);
	SHA256Update(&hash, first->bytes, sizeof(first->bytes));
	hash_number(&hash, earlier);
	hash_end(&hash, ret->bytes, sizeof(ret->bytes));
}
