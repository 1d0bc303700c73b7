/*
 * The journal is FILE of --journal, or in the user's state directory, one for each root.  It is
 * resumed if it is there, and removed when all has been read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checksums.h"
#include "journal_format.h"
#include "memory.h"
#include "message.h"

/* mkdir -p, 0700. */
static int make_directories(char *path)
{
	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(path, 0700) < 0 && leat_errno() != EEXIST)
			return -leat_errno();
		*at = '/';
	}
	return 0;
}

/* $XDG_STATE_HOME/leat/checksums-HASH.journal.  NULL: there is no home. */
static char *own_path(const struct checksums *s)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME"), *below = "";
	char *path, *root = realpath(s->root, NULL);
	const char *words[] = { root ? root : s->root };
	uint8_t hash[JOURNAL_HASH_SIZE];
	int n;

	journal_command_hash(words, 1, hash);
	free(root);
	if (!state || *state != '/') {	/* a relative one is to be ignored */
		state = home;
		below = "/.local/state";
	}
	if (!state || *state != '/')
		return NULL;
	n = asprintf(&path, "%s%s/leat/checksums-%02x%02x%02x%02x.journal", state, below, hash[0],
		     hash[1], hash[2], hash[3]);
	if (n < 0)
		die("out of memory");
	return path;
}

/* What the file was when it was chosen is a part of the key. */
static int find_skipped(struct checksums *s)
{
	enum journal_state state;

	for (size_t i = 0; i < s->nfiles; i++) {
		struct checked *c = &s->files[i];
		const struct record records[] = {
			{ c->file->package, strlen(c->file->package) },
			{ c->file->path, strlen(c->file->path) },
			{ (const char *)c->file->md5, sizeof(c->file->md5) },
			{ (const char *)c->identity, sizeof(c->identity) },
		};

		if (journal_key(s->journal, records, sizeof(records) / sizeof(records[0]), &c->key,
				&state) < 0)
			die("out of memory");
		if (state != JOURNAL_DONE)
			continue;
		c->skipped = true;
		c->verdict = MATCHES;
		s->to_read -= c->size;
		atomic_fetch_add(&s->skipped, 1);
	}
	return 0;
}

/* Without a place for one, the run cannot be resumed, and that is all. */
static bool has_no_place(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -EACCES || error == -EPERM ||
	       error == -EROFS;
}

int checksums_journal_open(struct checksums *s)
{
	const char *path = s->journal_path;
	char *root = realpath(s->root, NULL), why[512] = "";
	const char *command[] = { "demo", "checksums", root ? root : s->root };
	int r = 0;

	if (!path) {
		path = s->journal_own = own_path(s);
		r = path ? make_directories(s->journal_own) : -ENOENT;
	}
	if (r == 0)
		r = journal_open(&s->journal, path, JOURNAL_RESUME, false, command, 3, why,
				 sizeof(why));
	free(root);
	if (r == 0)
		return find_skipped(s);
	if (!s->journal_path && has_no_place(r)) {
		message("if it is stopped, it cannot go on later: %s: %s",
			path ? path : "there is no home", leat_strerror(r));
		return 0;
	}
	message("%s", why[0] ? why : leat_strerror(r));
	return r;
}

/* It is removed while nobody else can have it. */
void checksums_journal_close(struct checksums *s, bool finished)
{
	const char *path = s->journal_path ? s->journal_path : s->journal_own;
	int r = 0;

	if (s->journal && finished && unlink(path) < 0)
		r = -leat_errno();
	if (s->journal && r == 0)
		r = journal_close(s->journal);
	else
		journal_close(s->journal);
	if (r < 0)
		message("%s: %s", path, leat_strerror(r));
	free(s->journal_own);
}
