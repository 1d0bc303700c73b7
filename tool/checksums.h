/*
 * leat demo checksums: the files of the packages that are installed, against dpkg's database.
 *
 *	dpkg.c  ->  checksums_sample.c  ->  a leat_pool of workers  ->  checksums_report.c
 *
 * A file is one job.  What is in the page cache and small is read and hashed by its worker; for
 * what is not, a thread of leat_blocking is, so that no disk holds a worker of the runtime.
 *
 * What matched is in a journal, whose key is also made of the file's size, times and inode; so a
 * run that was stopped goes on where it was, and a file that has changed since is read again.
 */
#ifndef TOOL_CHECKSUMS_H
#define TOOL_CHECKSUMS_H

#include <stdatomic.h>
#include <stdio.h>

#include <leat/leat.h>
#include <leat/pool.h>

#include "dpkg.h"
#include "journal.h"
#include "progress.h"

enum verdict { NOT_READ, MATCHES, DIFFERS, MISSING, UNREADABLE, VERDICTS };

struct checked {
	const struct dpkg_file *file;
	struct journal_key key;
	uint64_t size, identity[4]; /* of the file when it was chosen: inode, times; 0: missing */
	enum verdict verdict;
	int error;		/* why it is unreadable */
	bool skipped;		/* matched in an earlier run */
};

struct checksums {
	const char *root, *journal_path;
	uint64_t seed, limit;	/* bytes */
	int workers;
	bool list;		/* every file, not only the first few of each package */
	struct dpkg db;
	struct checked *files;	/* that are verified */
	size_t nfiles;
	uint64_t to_read;	/* bytes of those that are not skipped */
	leat_pool(struct checked *) pool;
	struct journal *journal; /* NULL: none */
	char *journal_own;	/* the path, if it is not the user's */
	struct progress progress;
	_Atomic uint64_t bytes, done, failed;
	_Atomic uint64_t skipped;
	_Atomic int running, signal, fatal;
	atomic_bool stop;
	int64_t took;		/* ns */
	leat_ledger ledger;
	leat_stage_stats stats;
};

/* argv[0] is "checksums".  The exit status. */
int checksums_main(int argc, char **argv);
void checksums_help(void);

/* checksums_sample.c: fills files.  Blocks the thread. */
void checksums_sample(struct checksums *s);

/* checksums_journal.c.  0, or an error, of which it has said what it is.  A task. */
int checksums_journal_open(struct checksums *s);
void checksums_journal_close(struct checksums *s, bool finished);

/* checksums_read.c: what a file is now.  A task; buffer has CHECKSUMS_BUFFER bytes. */
enum { CHECKSUMS_BUFFER = 256 * 1024 };
void checksums_read(struct checksums *s, struct checked *c, unsigned char *buffer);

/* checksums_report.c: to stdout.  The exit status that it makes. */
int checksums_report(const struct checksums *s, FILE *out);

#endif
