/*
 * The journal's file; journal_format.h has its bytes.  Opening:
 *
 *	1. Open, lock; a file that is not ours to change is refused.
 *	2. No header, or a piece of one: a run was killed before it had a job.  A new file: header,
 *	   mark, fsync.  So no record is in a file whose header is not on the disk.
 *	3. Else find the end: a piece of a record, and zeros where the kernel had made the file
 *	   longer but not written it, do not count.  If the last mark is of an earlier start of the
 *	   machine, only what it calls sure does.
 *	4. Read what is before the end into the table.
 *	5. There write a mark of this start of the machine, cut off what is after it, fsync.  So the
 *	   last mark in the file is of the run that wrote what is after it.  In this order: the mark
 *	   that says what is sure may itself be in what is cut off.
 */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <leat/leat.h>

#include "journal_file.h"
#include "journal_format.h"
#include "journal_keys.h"

enum { BLOCK = 2048 }; /* records that are read at once: 64 KiB */

/*
 * K: the reader's of journal_key.  L: under lock.  -: since the opening.
 */
struct journal {
	int fd;					/* - */
	int output, results;			/* - or -1 */
	struct journal_identity identity;	/* - */
	uint8_t boot[JOURNAL_BOOT_SIZE];	/* - */
	uint64_t done, failed, bad;		/* - */
	struct journal_keys keys;		/* K */
	leat_mutex lock;
	uint64_t end;				/* L records in the file */
	uint64_t added, settled;		/* L jobs of this run; how many of them are sure */
	int error;				/* L of a sync; stays */
};

struct opening {
	struct journal *j;
	const char *path;
	enum journal_resume resume;
	bool force;
	uint8_t command[JOURNAL_HASH_SIZE];
	uint64_t size;
	uint64_t sure;		/* records before the end that need no further sync */
	uint8_t *block;		/* BLOCK records */
	char *why;
	size_t why_size;
};

static uint64_t offset_of(uint64_t index)
{
	return JOURNAL_HEADER_SIZE + index * JOURNAL_RECORD_SIZE;
}

/* Says why, and returns error. */
static LEAT_PRINTF(3, 4) int refuse(struct opening *o, int error, const char *format, ...)
{
	va_list args;
	int n = snprintf(o->why, o->why_size, "%s: ", o->path);

	va_start(args, format);
	if (n >= 0 && (size_t)n < o->why_size)
		vsnprintf(o->why + n, o->why_size - (size_t)n, format, args);
	va_end(args);
	return error;
}

static int refuse_errno(struct opening *o, int error, const char *what)
{
	char text[128];

	return refuse(o, error, "%s: %s", what, strerror_r(-error, text, sizeof(text)));
}

/* Runs fn(arg) on a thread of the pool, cancelled or not; here, when there is no thread. */
struct call {
	int (*fn)(void *arg);
	void *arg;
	bool ran;
};

static int run_call(void *arg)
{
	struct call *call = arg;

	call->ran = true;
	return call->fn(call->arg);
}

static int blocking(int (*fn)(void *arg), void *arg)
{
	struct call call = { fn, arg, false };
	bool task = leat_task_id() != 0;
	int r;

	if (task)
		leat_shield_begin();
	r = leat_blocking(run_call, &call);
	if (task)
		leat_shield_end();
	return call.ran ? r : run_call(&call);
}

static int write_at_end(struct journal *j, const struct journal_record *record)
{
	uint8_t bytes[JOURNAL_RECORD_SIZE];

	journal_record_format(&j->identity, j->end, record, bytes);
	return journal_file_write(j->fd, bytes, sizeof(bytes), offset_of(j->end));
}

/* Under j->lock, or while nobody else knows j.  On an error the file is as it was. */
static int append(struct journal *j, const struct journal_record *record)
{
	int r = write_at_end(j, record);

	if (r < 0) {
		/* If this fails, too, the next one is written over what is left. */
		(void)journal_file_cut(j->fd, offset_of(j->end));
		return r;
	}
	j->end++;
	return 0;
}

static struct journal_record mark_of(const struct journal *j, uint64_t sure)
{
	struct journal_record mark = { .kind = JOURNAL_RECORD_MARK, .sure = sure };

	memcpy(mark.boot, j->boot, sizeof(mark.boot));
	return mark;
}

/* Which start of the machine this is.  If nobody says, one that is no other's. */
static int find_boot(struct journal *j)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	uint8_t hash[JOURNAL_HASH_SIZE];
	const char *words[1];
	char text[64];
	int64_t n;

	n = fd < 0 ? 0 : journal_file_read(fd, text, sizeof(text) - 1, 0);
	if (fd >= 0)
		close(fd);
	if (n <= 0) {
		if (getrandom(j->boot, sizeof(j->boot), 0) != (ssize_t)sizeof(j->boot))
			return -leat_errno();
		return 0;
	}
	text[n] = '\0';
	words[0] = text;
	journal_command_hash(words, 1, hash);
	memcpy(j->boot, hash, sizeof(j->boot));
	return 0;
}

/* Step 2. */
static int begin(struct opening *o)
{
	struct journal *j = o->j;
	char header[JOURNAL_HEADER_SIZE];
	struct journal_record mark = mark_of(j, 0);
	uint8_t id[JOURNAL_ID_SIZE];
	int r;

	if (getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return refuse_errno(o, -leat_errno(), "no random number");
	journal_identity_init(&j->identity, id, o->command);
	journal_header_format(&j->identity, header);
	j->end = 0;
	r = journal_file_cut(j->fd, 0);
	if (r == 0)
		r = journal_file_write(j->fd, header, sizeof(header), 0);
	if (r == 0)
		r = append(j, &mark);
	if (r == 0)
		r = journal_file_sync(j->fd);
	if (r == 0)
		r = journal_file_sync_directory(o->path);
	return r == 0 ? 0 : refuse_errno(o, r, "cannot be written");
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

/* Reads records from..to into o->block; to is at most the end of the file. */
static int read_block(struct opening *o, uint64_t from, uint64_t to)
{
	size_t n = (size_t)(to - from) * JOURNAL_RECORD_SIZE;
	int64_t r = journal_file_read(o->j->fd, o->block, n, offset_of(from));

	if (r < 0)
		return refuse_errno(o, (int)r, "cannot be read");
	/* Somebody cut it off who does not know the lock. */
	return (size_t)r == n ? 0 : refuse(o, -EIO, "became shorter while it was read");
}

/* Step 3: j->end and o->sure, from the last record back to the last mark. */
static int find_end(struct opening *o)
{
	struct journal *j = o->j;
	uint64_t from, to = (o->size - JOURNAL_HEADER_SIZE) / JOURNAL_RECORD_SIZE;
	struct journal_record record;
	int r;

	for (j->end = to; to > 0; to = from) {
		from = to > BLOCK ? to - BLOCK : 0;
		r = read_block(o, from, to);
		if (r < 0)
			return r;
		for (uint64_t i = to; i-- > from;) {
			const uint8_t *bytes = o->block + (i - from) * JOURNAL_RECORD_SIZE;

			if (i + 1 == j->end && is_zero(bytes, JOURNAL_RECORD_SIZE))
				j->end = i;
			else if (journal_record_parse(&j->identity, i, bytes, &record) &&
				 record.kind == JOURNAL_RECORD_MARK) {
				o->sure = record.sure;
				if (memcmp(record.boot, j->boot, sizeof(j->boot)) != 0)
					j->end = record.sure == i ? i + 1 : record.sure;
				return 0;
			}
		}
	}
	/* A journal without a mark is damaged; nothing says that what else it has is not true. */
	o->sure = j->end;
	return 0;
}

static int take(struct journal *j, const struct journal_record *record)
{
	enum journal_state old;
	int r;

	if (record->kind != JOURNAL_RECORD_JOB)
		return 0;
	r = journal_keys_set(&j->keys, &record->key, record->state, &old);
	if (r < 0)
		return r;
	j->done += (record->state == JOURNAL_DONE) - (old == JOURNAL_DONE);
	j->failed += (record->state == JOURNAL_FAILED) - (old == JOURNAL_FAILED);
	return 0;
}

/* Step 4. */
static int load(struct opening *o)
{
	struct journal *j = o->j;
	struct journal_record record;
	uint64_t to;
	int r;

	for (uint64_t from = 0; from < j->end; from = to) {
		to = j->end - from > BLOCK ? from + BLOCK : j->end;
		r = read_block(o, from, to);
		if (r < 0)
			return r;
		for (uint64_t i = from; i < to; i++) {
			if (!journal_record_parse(&j->identity, i,
						  o->block + (i - from) * JOURNAL_RECORD_SIZE,
						  &record)) {
				j->bad++;
				continue;
			}
			r = take(j, &record);
			if (r < 0)
				return refuse(o, r, "no memory for its jobs");
		}
	}
	return 0;
}

/* Step 5. */
static int go_on(struct opening *o)
{
	struct journal *j = o->j;
	struct journal_record mark = mark_of(j, o->sure);
	int r = write_at_end(j, &mark);

	if (r == 0)
		j->end++;
	if (r == 0 && o->size > offset_of(j->end))
		r = journal_file_cut(j->fd, offset_of(j->end));
	if (r == 0)
		r = journal_file_sync(j->fd);
	return r == 0 ? 0 : refuse_errno(o, r, "cannot be written");
}

static int refuse_command(struct opening *o)
{
	const uint8_t *a = o->j->identity.command, *b = o->command;
	char hashes[2][2 * JOURNAL_BOOT_SIZE + 1];

	for (int i = 0; i < JOURNAL_BOOT_SIZE; i++) {
		snprintf(hashes[0] + 2 * i, 3, "%02x", a[i]);
		snprintf(hashes[1] + 2 * i, 3, "%02x", b[i]);
	}
	return refuse(o, -ESTALE, "is of another command: its hash begins with %s, this command's "
		      "with %s; --resume=force goes on all the same, or name another file",
		      hashes[0], hashes[1]);
}

static int resume(struct opening *o)
{
	struct journal *j = o->j;
	int r;

	if (o->resume != JOURNAL_NEW && !o->force &&
	    memcmp(j->identity.command, o->command, sizeof(o->command)) != 0)
		return refuse_command(o);
	r = find_end(o);
	if (r == 0)
		r = load(o);
	if (r < 0)
		return r;
	if (o->resume != JOURNAL_NEW)
		return go_on(o);
	if (j->keys.used > 0 || j->bad > 0)
		return refuse(o, -EEXIST, "has the jobs of an earlier run; --resume goes on with it, "
			      "or name another file");
	return begin(o);
}

static int open_locked(struct opening *o)
{
	struct journal *j = o->j;
	char header[JOURNAL_HEADER_SIZE];
	int64_t n = journal_file_read(j->fd, header, sizeof(header), 0);
	enum journal_header what;
	struct stat st;

	if (n < 0)
		return refuse_errno(o, (int)n, "cannot be read");
	if (fstat(j->fd, &st) < 0)
		return refuse_errno(o, -leat_errno(), "cannot be opened");
	o->size = (uint64_t)st.st_size;
	what = journal_header_parse(header, (size_t)n, &j->identity);
	/* More than the first mark after it: it was on the disk, and whole. */
	if (what == JOURNAL_HEADER_TORN && o->size > offset_of(1))
		what = JOURNAL_HEADER_DAMAGED;
	switch (what) {
	case JOURNAL_HEADER_TORN:
		return begin(o);
	case JOURNAL_HEADER_DAMAGED:
		return refuse(o, -EPROTO, "its first line is damaged, so nothing in it can be "
			      "believed; name another file to run all jobs again");
	case JOURNAL_HEADER_OK:
		return resume(o);
	case JOURNAL_HEADER_NEWER:
		return refuse(o, -EPROTO, "is a journal of another version of leat; "
			      "use that, or name another file");
	case JOURNAL_HEADER_FOREIGN:
		break;
	}
	return refuse(o, -EPROTO, "is no journal; name another file");
}

/* On a thread of the pool.  Step 1. */
static int open_journal(void *arg)
{
	struct opening *o = arg;
	struct journal *j = o->j;
	struct stat st;
	int r = find_boot(j);

	if (r < 0)
		return refuse_errno(o, r, "no random number");
	r = journal_file_open(o->path);
	if (r == -ELOOP)
		return refuse(o, r, "is a symbolic link; name the file itself");
	if (r < 0)
		return refuse_errno(o, r, "cannot be opened");
	j->fd = r;
	if (fstat(j->fd, &st) < 0)
		return refuse_errno(o, -leat_errno(), "cannot be opened");
	if (!S_ISREG(st.st_mode))
		return refuse(o, -EPROTO, "is no regular file; name another");
	r = journal_file_lock(j->fd);
	if (r == -EBUSY)
		return refuse(o, r, "another run has it; wait until that has ended, or name "
			      "another file");
	if (r < 0)
		return refuse_errno(o, r, "cannot be locked");
	return open_locked(o);
}

static void free_journal(struct journal *j)
{
	if (j->fd >= 0)
		close(j->fd);
	journal_keys_release(&j->keys);
	free(j);
}

int journal_open(struct journal **ret, const char *path, enum journal_resume resume_how, bool force,
		 const char *const *command, size_t ncommand, char *why, size_t why_size)
{
	struct opening o = { .path = path, .resume = resume_how, .force = force, .why = why,
			     .why_size = why_size };
	int r;

	o.j = calloc(1, sizeof(*o.j));
	o.block = malloc((size_t)BLOCK * JOURNAL_RECORD_SIZE);
	if (!o.j || !o.block) {
		free(o.j);
		free(o.block);
		return refuse(&o, -ENOMEM, "no memory");
	}
	o.j->fd = o.j->output = o.j->results = -1;
	journal_command_hash(command, ncommand, o.command);
	r = blocking(open_journal, &o);
	free(o.block);
	if (r < 0) {
		free_journal(o.j);
		return r;
	}
	*ret = o.j;
	return 0;
}

int journal_key(struct journal *j, const struct record *records, size_t n,
		struct journal_key *ret_key, enum journal_state *ret_state)
{
	struct journal_key key;
	uint64_t earlier;
	int r;

	journal_key_of(&j->identity, records, n, &key);
	r = journal_keys_count(&j->keys, &key, &earlier);
	if (r < 0)
		return r;
	if (earlier > 0)
		journal_key_again(&j->identity, &key, earlier, &key);
	*ret_key = key;
	*ret_state = journal_keys_get(&j->keys, &key);
	return 0;
}

int journal_add(struct journal *j, const struct journal_key *key, enum journal_state state)
{
	struct journal_record record = { .kind = JOURNAL_RECORD_JOB, .key = *key, .state = state };
	int r;

	leat_mutex_lock(&j->lock);
	r = j->error ? j->error : append(j, &record);
	j->added += r == 0;
	leat_mutex_unlock(&j->lock);
	return r;
}

void journal_set_output(struct journal *j, int fd)
{
	struct stat st;

	j->output = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fd : -1;
}

void journal_set_results(struct journal *j, int dir)
{
	j->results = dir;
}

static int sync_fd(void *arg)
{
	return journal_file_sync(*(const int *)arg);
}

/* Files of a directory, that are many and not open any more: by all of its file system. */
static int sync_dir(void *arg)
{
	return syncfs(*(const int *)arg) < 0 ? -leat_errno() : 0;
}

/* All before `sure` is so. */
static int add_mark(struct journal *j, uint64_t sure)
{
	struct journal_record mark = mark_of(j, sure);
	int r;

	leat_mutex_lock(&j->lock);
	r = j->error ? j->error : append(j, &mark);
	leat_mutex_unlock(&j->lock);
	return r;
}

/* After which, if it fails, nothing more is to be believed. */
static int sync_or_stop(struct journal *j, int (*sync)(void *fd), int *fd)
{
	int r = blocking(sync, fd);

	if (r == 0)
		return 0;
	leat_mutex_lock(&j->lock);
	if (!j->error)
		j->error = r;
	leat_mutex_unlock(&j->lock);
	return r;
}

/* What is added while it runs is for the next one: its output may have come too late. */
int journal_sync(struct journal *j)
{
	uint64_t sure, added;
	bool settled;
	int r;

	leat_mutex_lock(&j->lock);
	sure = j->end;
	added = j->added;
	settled = j->settled == added;
	r = j->error;
	leat_mutex_unlock(&j->lock);
	if (r < 0 || settled)
		return r;
	/* The output first: the mark says that it is there. */
	r = j->output >= 0 ? sync_or_stop(j, sync_fd, &j->output) : 0;
	if (r == 0 && j->results >= 0)
		r = sync_or_stop(j, sync_dir, &j->results);
	if (r == 0)
		r = add_mark(j, sure);
	if (r == 0)
		r = sync_or_stop(j, sync_fd, &j->fd);
	if (r < 0)
		return r;
	leat_mutex_lock(&j->lock);
	if (added > j->settled)
		j->settled = added;
	leat_mutex_unlock(&j->lock);
	return 0;
}

int journal_close(struct journal *j)
{
	int r;

	if (!j)
		return 0;
	r = journal_sync(j);
	free_journal(j);
	return r;
}

void journal_counts(const struct journal *j, uint64_t *ret_done, uint64_t *ret_failed,
		    uint64_t *ret_bad)
{
	*ret_done = j->done;
	*ret_failed = j->failed;
	*ret_bad = j->bad;
}
