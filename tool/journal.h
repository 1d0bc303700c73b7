/*
 * --journal: which jobs are done, for a run that is resumed.
 *
 * A job is known by its content (its records), the how-manieth with that content it is, and the
 * command: not by its place in the input, so lines may be appended, removed or moved.  The file
 * is only appended to, one record a job, each with a checksum; what a kill has left of the last
 * one is cut off when the file is opened, and a record whose checksum is wrong is not believed
 * (its job runs again).  It belongs to one run at a time (flock(2)), and is made 0600.
 *
 * A record is written when the job's output has been delivered, so a job that is not in it has
 * not been seen to the end.  write(2) follows each delivery: after a kill only what was not
 * delivered or not yet written runs again.  journal_sync follows within JOURNAL_SYNC_NS: so much
 * more after a power cut.  The records alone could not promise that: the kernel may bring
 * them to the disk before the output that they speak of.  So a sync first brings the output
 * there (journal_set_output), then writes a mark, and who opens the file after the machine was
 * started anew believes what is before the last mark only.
 *
 * Who may call what at once: journal_key is for one task or thread at a time, the reader of the
 * input's.  journal_add and journal_sync may be called by any number at once, and while journal_key
 * runs; an add does not wait for a sync's fsync(2).  All others: alone.
 *
 * Memory: 48 bytes at most for each different key of the file and each different content of the
 * input, 80 for the moment in which the table grows.  Nothing else in the program grows with the
 * number of jobs.
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
	JOURNAL_NEW,		/* the file must not exist, or have no job in it */
	JOURNAL_RESUME,		/* what is done, also those that failed, is not run again */
	JOURNAL_RESUME_FAILED,	/* those that failed are; journal_key says which */
};

enum journal_state { JOURNAL_UNKNOWN, JOURNAL_DONE, JOURNAL_FAILED };

struct journal_key {
	uint8_t bytes[16];
};

struct journal;

/*
 * Opens or makes the file.  command: the command's arguments and what else decides what a job
 * does; a file of another command is refused unless force: then jobs count as done that
 * another command has done (the file keeps its command, so the next run needs force, too).
 * 0, or an error, and why says in a line what is wrong, with the file, and how to go on:
 * -EEXIST (JOURNAL_NEW, and there is one), -EBUSY (another run has it; half a second is waited for
 * one that was just killed), -ESTALE (another command: both hashes), -EPROTO (not a journal, or
 * of a newer version, or damaged in its first line), -ELOOP (a symbolic link: a journal is not
 * written to where somebody else has put a link), or what the kernel says.  A file that is
 * refused has not been changed.  Blocks; is not cancelled.
 */
LEAT_MUST_CHECK int journal_open(struct journal **ret, const char *path,
				 enum journal_resume resume, bool force,
				 const char *const *command, size_t ncommand,
				 char *why, size_t why_size);

/*
 * The key of the next job, whose records these are (their borders count: "a", "b" is not "a b"),
 * and counts it among those of the same content.  Also what the file said of it when it was
 * opened, whatever `resume` was.  0, or -ENOMEM, and it is not counted.  Does not block.
 */
LEAT_MUST_CHECK int journal_key(struct journal *j, const struct record *records, size_t n,
				struct journal_key *ret_key, enum journal_state *ret_state);

/*
 * Appends; state is not JOURNAL_UNKNOWN.  0, or an error of the kernel: then nothing of the record
 * stays, and later ones may do.  After a sync that failed: that error, as the kernel may have
 * dropped what it could not write.  Blocks, its thread for a write(2); is not cancelled.
 */
LEAT_MUST_CHECK int journal_add(struct journal *j, const struct journal_key *key,
				enum journal_state state);

/*
 * What the jobs' output goes to: it is brought to the disk before their records count there.
 * What is no file (a pipe, a terminal) is left alone; -1, as at the start: nothing.  Borrowed
 * until close.
 */
void journal_set_output(struct journal *j, int fd);

/* The same for a directory, with the files that jobs leave there (syncfs(2)). */
void journal_set_results(struct journal *j, int dir);

/*
 * Until all that was added before is on the disk; does nothing if there is nothing new.  0 or an
 * error.  One of fsync(2), as -EIO, stays: no add or sync works after it.  One of writing
 * the mark, as -ENOSPC, does not.  Blocks; is not cancelled.
 */
LEAT_MUST_CHECK int journal_sync(struct journal *j);

/* Syncs, unlocks, closes and frees.  0 or an error of the sync.  NULL is ignored.  Blocks. */
int journal_close(struct journal *j);

/* Of the file as it was opened: jobs done, failed; records that were not believed. */
void journal_counts(const struct journal *j, uint64_t *ret_done, uint64_t *ret_failed,
		    uint64_t *ret_bad);

#endif
