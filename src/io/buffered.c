/* Buffered readers and writers, over the public calls. */
#include <errno.h>
#include <string.h>

#include <leat/stream.h>

#include "rt/rt.h"

enum { BUFFER = 8 * 1024, LIMIT = 1024 * 1024 };

struct leat_reader {
	leat_io io;
	char *bytes;
	size_t cap;
	size_t from, to;	/* what has been read ahead */
	size_t looked;		/* of it, from from on: there is no delimiter */
	size_t limit;
	bool ended;
};

struct leat_writer {
	leat_io io;
	char *bytes;
	size_t cap;
	size_t from, to;	/* what has not been written */
};

static leat_stream_options options_of(const leat_stream_options *given, const char *function)
{
	leat_stream_options o = { .size = sizeof(o) };

	if (leat__unlikely(given && given->size == 0))
		leat__misuse_at(function, given,
				"options.size is 0; use LEAT_STREAM_OPTIONS(...)");
	if (given)
		memcpy(&o, given, given->size < sizeof(o) ? given->size : sizeof(o));
	if (o.limit == 0)
		o.limit = LIMIT;
	if (o.buffer == 0)
		o.buffer = BUFFER;
	return o;
}

int leat_reader_create(leat_reader **ret_reader, leat_io io, const leat_stream_options *options)
{
	leat_stream_options o = options_of(options, __func__);
	leat_reader *r;
	char *bytes;

	leat__require(ret_reader);
	r = leat__alloc(sizeof(*r));
	bytes = leat__alloc(o.buffer);
	if (!r || !bytes) {
		leat__free(r, sizeof(*r));
		leat__free(bytes, o.buffer);
		return -ENOMEM;
	}
	*r = (leat_reader){ .io = io, .bytes = bytes, .cap = o.buffer, .limit = o.limit };
	*ret_reader = r;
	return 0;
}

void leat_reader_free(leat_reader *reader)
{
	if (!reader)
		return;
	leat__free(reader->bytes, reader->cap);
	leat__free(reader, sizeof(*reader));
}

/* Makes room behind what is there: moves it to the front, or to a larger buffer. */
static int make_room(leat_reader *r)
{
	size_t have = r->to - r->from, cap = r->cap;
	char *bytes;

	if (r->from > 0 && r->to == r->cap) {
		memmove(r->bytes, r->bytes + r->from, have);
		r->from = 0;
		r->to = have;
	}
	if (r->to < r->cap)
		return 0;
	if (__builtin_mul_overflow(cap, 2, &cap))
		return -ENOMEM;
	bytes = leat__alloc(cap);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, r->bytes, have);
	leat__free(r->bytes, r->cap);
	r->bytes = bytes;
	r->cap = cap;
	return 0;
}

/* Gives the first n bytes away, and takes skip more off. */
static int take(leat_reader *r, size_t n, size_t skip, const char **ret_bytes, size_t *ret_n)
{
	*ret_bytes = r->bytes + r->from;
	*ret_n = n;
	r->from += n + skip;
	r->looked = 0;
	return 0;
}

static int next_piece(leat_reader *r, char delim, const char **ret_bytes, size_t *ret_n,
		      int64_t deadline)
{
	for (;;) {
		size_t have = r->to - r->from;
		const char *start = r->bytes + r->from, *found = NULL;
		int64_t got;

		if (have > r->looked)
			found = memchr(start + r->looked, delim, have - r->looked);
		if ((found ? (size_t)(found - start) : have) > r->limit)
			return -EMSGSIZE;
		if (found)
			return take(r, (size_t)(found - start), 1, ret_bytes, ret_n);
		r->looked = have;
		if (r->ended)
			return have > 0 ? take(r, have, 0, ret_bytes, ret_n) : LEAT_EEND;
		got = make_room(r);
		if (got == 0) {
			got = leat_read(r->io, r->bytes + r->to, r->cap - r->to, deadline);
			r->ended = got == 0;
		}
		if (got < 0)
			return (int)got;
		r->to += (size_t)got;
	}
}

int leat_reader_until(leat_reader *reader, char delim, const char **ret_bytes, size_t *ret_n,
		      int64_t deadline)
{
	leat__require(reader);
	leat__require(ret_bytes);
	leat__require(ret_n);
	return next_piece(reader, delim, ret_bytes, ret_n, deadline);
}

int leat_reader_line(leat_reader *reader, const char **ret_line, size_t *ret_n, int64_t deadline)
{
	int r;

	leat__require(reader);
	leat__require(ret_line);
	leat__require(ret_n);
	r = next_piece(reader, '\n', ret_line, ret_n, deadline);
	if (r == 0 && *ret_n > 0 && (*ret_line)[*ret_n - 1] == '\r')
		--*ret_n;
	return r;
}

int64_t leat_reader_read(leat_reader *reader, void *buf, size_t n, int64_t deadline)
{
	size_t have;

	leat__require(reader);
	have = reader->to - reader->from;
	if (have == 0)
		return reader->ended ? 0 : leat_read(reader->io, buf, n, deadline);
	n = n < have ? n : have;
	memcpy(buf, reader->bytes + reader->from, n);
	reader->from += n;
	reader->looked = reader->looked > n ? reader->looked - n : 0;
	return (int64_t)n;
}

int leat_writer_create(leat_writer **ret_writer, leat_io io, const leat_stream_options *options)
{
	leat_stream_options o = options_of(options, __func__);
	leat_writer *w;
	char *bytes;

	leat__require(ret_writer);
	w = leat__alloc(sizeof(*w));
	bytes = leat__alloc(o.buffer);
	if (!w || !bytes) {
		leat__free(w, sizeof(*w));
		leat__free(bytes, o.buffer);
		return -ENOMEM;
	}
	*w = (leat_writer){ .io = io, .bytes = bytes, .cap = o.buffer };
	*ret_writer = w;
	return 0;
}

void leat_writer_free(leat_writer *writer)
{
	if (!writer)
		return;
	leat__free(writer->bytes, writer->cap);
	leat__free(writer, sizeof(*writer));
}

int leat_writer_flush(leat_writer *writer, int64_t deadline)
{
	size_t done = 0;
	int r;

	leat__require(writer);
	r = leat_write_all(writer->io, writer->bytes + writer->from, writer->to - writer->from,
			   deadline, &done);
	writer->from += done;
	if (writer->from == writer->to)
		writer->from = writer->to = 0;
	return r;
}

int leat_writer_write(leat_writer *writer, const void *bytes, size_t n, int64_t deadline,
		      size_t *ret_done)
{
	leat_writer *w = writer;
	size_t done = 0;
	int r = 0;

	leat__require(writer);
	if (n > 0)
		leat__require(bytes);
	while (done < n && r == 0) {
		size_t part = w->cap - w->to < n - done ? w->cap - w->to : n - done;

		memcpy(w->bytes + w->to, (const char *)bytes + done, part);
		w->to += part;
		done += part;
		if (w->to == w->cap)
			r = leat_writer_flush(w, deadline);
	}
	if (ret_done)
		*ret_done = done;
	return r;
}
