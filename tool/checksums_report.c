/* What has been found, and the sums. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "checksums.h"
#include "quote.h"

enum { SOME = 3 };

struct sums {
	uint64_t files[VERDICTS], packages, excluded, bytes;
};

static void print_path(FILE *out, const char *path)
{
	struct text text = { 0 };
	char *bytes;

	text_add_string(&text, "/");
	text_add_string(&text, path);
	bytes = text_take(&text);
	if (bytes)
		quote_word(&text, bytes, strlen(bytes));
	free(bytes);
	bytes = text_take(&text);
	fputs(bytes ? bytes : path, out);
	free(bytes);
}

static bool is_lost(const struct checksums *s, const struct checked *c)
{
	return c->verdict == MISSING && !dpkg_excluded(&s->db, c->file);
}

static void print_file(const struct checked *c, const char *what, FILE *out)
{
	fprintf(out, "%-10s  %s  ", what, c->file->package);
	print_path(out, c->file->at);
	if (c->verdict == UNREADABLE)
		fprintf(out, ": %s", leat_strerror(c->error));
	fputc('\n', out);
}

static void print_list(const struct checksums *s, FILE *out)
{
	static const char *const names[] = {
		[NOT_READ] = "not read", [MATCHES] = "matches", [DIFFERS] = "differs",
		[MISSING] = "missing", [UNREADABLE] = "unreadable",
	};

	for (size_t i = 0; i < s->nfiles; i++) {
		const struct checked *c = &s->files[i];

		print_file(c, c->verdict == MISSING && !is_lost(s, c) ? "excluded"
								       : names[c->verdict], out);
	}
}

/* Of each package the first few: what has been replaced or removed is often a whole tree. */
static void print_some(const struct checksums *s, enum verdict verdict, const char *what, FILE *out)
{
	for (size_t i = 0, next; i < s->nfiles; i = next) {
		const char *package = s->files[i].file->package;
		uint64_t n = 0;

		for (next = i; next < s->nfiles; next++) {
			const struct checked *c = &s->files[next];

			if (c->file->package != package)
				break;
			if (c->verdict != verdict || (verdict == MISSING && !is_lost(s, c)))
				continue;
			if (n++ < SOME)
				print_file(c, what, out);
		}
		if (n > SOME)
			fprintf(out, "%-10s  %s  %" PRIu64 " more; see --list\n", what, package,
				n - SOME);
	}
}

static void print_excluded(const struct checksums *s, FILE *out)
{
	uint64_t *counts = calloc(s->db.nfilters + 1, sizeof(*counts));

	if (!counts)
		return;
	for (size_t i = 0; i < s->nfiles; i++) {
		const struct checked *c = &s->files[i];
		const struct dpkg_filter *f =
			c->verdict == MISSING ? dpkg_excluded(&s->db, c->file) : NULL;

		if (f)
			counts[f - s->db.filters]++;
	}
	for (size_t i = 0; i < s->db.nfilters; i++)
		if (counts[i] > 0)
			fprintf(out, "%-10s  %" PRIu64 " files, path-exclude=%s in %s\n", "excluded",
				counts[i], s->db.filters[i].pattern, s->db.filters[i].where);
	free(counts);
}

static struct sums sums_of(const struct checksums *s)
{
	struct sums sums = { .bytes = 0 };
	const char *package = NULL;

	for (size_t i = 0; i < s->nfiles; i++) {
		const struct checked *c = &s->files[i];

		sums.packages += c->file->package != package;
		package = c->file->package;
		sums.files[c->verdict]++;
		sums.excluded += c->verdict == MISSING && !is_lost(s, c);
		sums.bytes += c->size;
	}
	return sums;
}

static void print_sums(const struct checksums *s, const struct sums *sums, FILE *out)
{
	uint64_t read = s->bytes, skipped = s->skipped;

	fprintf(out, "%zu files of %" PRIu64 " packages, %.1f MB; of %zu in the database\n",
		s->nfiles, sums->packages, (double)sums->bytes / 1e6, s->db.nfiles);
	fprintf(out, "%" PRIu64 " match, %" PRIu64 " differ, %" PRIu64 " missing, %" PRIu64
		" unreadable, %" PRIu64 " excluded", sums->files[MATCHES], sums->files[DIFFERS],
		sums->files[MISSING] - sums->excluded, sums->files[UNREADABLE], sums->excluded);
	if (sums->files[NOT_READ] > 0)
		fprintf(out, ", %" PRIu64 " not read", sums->files[NOT_READ]);
	fputc('\n', out);
	if (skipped > 0)
		fprintf(out, "%" PRIu64 " of them matched before, in a run that was stopped\n",
			skipped);
	fprintf(out, "%.1f MB read in %.1f s, %.0f MB/s, by %d workers\n", (double)read / 1e6,
		(double)s->took / 1e9,
		s->took > 0 ? (double)read / 1e6 / ((double)s->took / 1e9) : 0, s->workers);
}

int checksums_report(const struct checksums *s, FILE *out)
{
	struct sums sums = sums_of(s);
	char text[4096];

	if (s->list) {
		print_list(s, out);
	} else {
		print_some(s, UNREADABLE, "unreadable", out);
		print_some(s, DIFFERS, "differs", out);
		print_some(s, MISSING, "missing", out);
	}
	print_excluded(s, out);
	print_sums(s, &sums, out);
	leat_ledger_format(&s->ledger, text, sizeof(text));
	fprintf(out, "%s\n", text);
	leat_stage_explain(&s->stats, 1, text, sizeof(text));
	fputs(text, out);
	return (sums.files[UNREADABLE] > 0 || s->db.bad > 0 ? 1 : 0) +
	       (sums.files[DIFFERS] > 0 || sums.files[MISSING] > sums.excluded ? 2 : 0);
}
