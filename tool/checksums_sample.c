/*
 * The sample: files in an order that the seed and their names decide, until there is no more
 * room.  So it is the same from run to run, and nearly so after an update.  They are then read in
 * the order of the database, as neighbours on the disk.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checksums.h"
#include "memory.h"

struct place {
	uint64_t rank;
	size_t file;
};

/* FNV-1a, then the finalizer of MurmurHash3: neighbours' names are far apart. */
static uint64_t add(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return (hash ^ 0xff) * UINT64_C(0x100000001b3);
}

static uint64_t rank_of(uint64_t seed, const struct dpkg_file *file)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed * UINT64_C(0x9e3779b97f4a7c15);

	hash = add(add(hash, file->package), file->path);
	hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
	hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return hash ^ hash >> 33;
}

static int by_rank(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->rank != y->rank ? (x->rank < y->rank ? -1 : 1)
				  : (x->file > y->file) - (x->file < y->file);
}

static int by_database(const void *a, const void *b)
{
	const struct checked *x = a, *y = b;

	return (x->file > y->file) - (x->file < y->file);
}

static void look_at(const struct checksums *s, struct checked *c)
{
	struct stat st;

	if (fstatat(s->db.root, c->file->at, &st, 0) < 0)
		return;
	c->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	c->identity[0] = (uint64_t)st.st_ino;
	c->identity[1] = (uint64_t)st.st_size;
	c->identity[2] = (uint64_t)(st.st_mtim.tv_sec * LEAT_S + st.st_mtim.tv_nsec);
	c->identity[3] = (uint64_t)(st.st_ctim.tv_sec * LEAT_S + st.st_ctim.tv_nsec);
}

void checksums_sample(struct checksums *s)
{
	size_t n = s->db.nfiles;
	struct place *places = need((n + 1) * sizeof(*places));
	uint64_t left = s->limit;
	struct checked one;

	for (size_t i = 0; i < n; i++)
		places[i] = (struct place){ rank_of(s->seed, &s->db.files[i]), i };
	qsort(places, n, sizeof(*places), by_rank);
	s->files = need((n + 1) * sizeof(*s->files));
	/* One that does not fit makes room for smaller ones, but not until the last byte. */
	for (size_t i = 0; i < n && left > s->limit / 1000; i++) {
		one = (struct checked){ .file = &s->db.files[places[i].file] };
		look_at(s, &one);
		if (one.size > left)
			continue;
		left -= one.size;
		s->to_read += one.size;
		s->files[s->nfiles++] = one;
	}
	free(places);
	qsort(s->files, s->nfiles, sizeof(*s->files), by_database);
}
