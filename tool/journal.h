/*
 * --journal: which jobs are done, for a run that is resumed.
 *
 * A job is known by its content (its records), the how-manieth with that content it is, and the
 * command: not by its place in the input, so lines may be appended, removed or moved.  The file
 * is appended to only, one record a job, each with a checksum; what a kill has left of the last
 * one is cut off when the file is opened, and a record whose checksum is wrong is not believed
 * (its job runs again).  It belongs to one run at a time (flock(2)), and is 0600.
 *
 * A record is written when the job's output has been delivered, so a job that is not in it has
 * not been seen to the end.  write(2) follows each delivery: after a kill only what was not
 * delivered or not yet written runs again.  fsync(2) follows within JOURNAL_SYNC_NS: so much more
 * after a power cut.
 *
 * One task at a time, but journal_key, which is for the task that reads the input.
 */
#ifndef TOOL_JOURNAL_H
#define TOOL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <leat/base.h>
#include <leat/time.h>

#include "template.h"

#define JOURNAL_SYNC_NS (50 * LEAT_MS)

enum journal_resume {
	JOURNAL_NEW,		/* the file must not exist, or be empty */
	JOURNAL_RESUME,		/* what is done, also those that failed, is not run again */
	JOURNAL_RESUME_FAILED,	/* those that failed are */
};

enum journal_state { JOURNAL_UNKNOWN, JOURNAL_DONE, JOURNAL_FAILED };

struct journal_key {
	uint8_t bytes[16];
};

struct journal;

/*
 * Opens or makes the file.  command: the command's arguments and what else decides what a job
 * does; a file of another command is refused unless force.  0, or an error, and why says in a
 * line what is wrong, with the file, and how to go on: -EEXIST (JOURNAL_NEW, and there is one),
 * -EBUSY (another run has it), -ESTALE (another command: both hashes), -EPROTO (not a journal, or
 * of a newer version), or what the kernel says.  Blocks.
 */
int journal_open(struct journal **ret, const char *path, enum journal_resume resume, bool force,
		 const char *const *command, size_t ncommand, char *why, size_t why_size);

/*
 * The key of the next job, whose records these are (their borders count: "a", "b" is not "a b"),
 * and counts it among those of the same content.  Also what the journal says of it.
 */
int journal_key(struct journal *j, const struct record *records, size_t n,
		struct journal_key *ret_key, enum journal_state *ret_state);

/* Appends.  0, or an error of the kernel: then nothing of the record stays.  Blocks. */
int journal_add(struct journal *j, const struct journal_key *key, enum journal_state state);

/* Until all that was added is on the disk.  Blocks.  0 or an error. */
int journal_sync(struct journal *j);

/* Syncs, unlocks, closes and frees.  0 or an error of the sync.  NULL is ignored. */
int journal_close(struct journal *j);

/* Of the file as it was opened: jobs done, failed; records that were not believed. */
void journal_counts(const struct journal *j, uint64_t *ret_done, uint64_t *ret_failed,
		    uint64_t *ret_bad);

#endif
