/*
 * On top of leat/io.h: memory as a stream, and buffered reading and writing.
 *
 *	leat_reader *in;
 *	const char *line;
 *	size_t n;
 *
 *	leat_reader_create(&in, io, NULL);
 *	while ((r = leat_reader_line(in, &line, &n, LEAT_FOREVER)) == 0)
 *		...				// n bytes, without the newline
 *	leat_reader_free(in);			// io is still open
 */
#ifndef LEAT_STREAM_H
#define LEAT_STREAM_H

#include <leat/io.h>

typedef struct leat_reader leat_reader;
typedef struct leat_writer leat_writer;

typedef struct leat_stream_options {
	size_t size;		/* sizeof(leat_stream_options) */
	size_t buffer;		/* bytes to begin with; 0: 8 KiB */
	size_t limit;		/* of a reader: the longest line or piece; 0: 1 MiB */
} leat_stream_options;

#define LEAT_STREAM_OPTIONS(...) LEAT__OPTIONS(leat_stream_options, __VA_ARGS__)

LEAT_BEGIN_DECLS

/*
 * Makes *ret_io a stream in memory.  It holds a copy of the n bytes; reads take from
 * its front and say 0 when nothing is left, writes append, up to limit bytes at
 * once in it (-ENOSPC; 0: no limit).  Nothing blocks.  0 or -ENOMEM.
 */
LEAT_API LEAT_MUST_CHECK int leat_io_memory(leat_io *ret_io, const void *bytes, size_t n,
					    size_t limit);

/*
 * A reader of io, for one task at a time; options may be NULL.  io stays the caller's:
 * leat_reader_free does not close it, and what was read ahead is lost with the
 * reader.  0 or -ENOMEM.
 */
LEAT_API LEAT_MUST_CHECK int leat_reader_create(leat_reader **ret_reader, leat_io io,
						const leat_stream_options *options);
LEAT_API void leat_reader_free(leat_reader *reader);

/*
 * The next piece up to delim, or the next line: *ret_bytes points to its *ret_n
 * bytes, without the delimiter, until the next call on the reader.  The last piece may
 * lack its delimiter.  0; LEAT_EEND at the end, which the reader remembers (to follow what grows,
 * read without one, or make a new one); -EMSGSIZE when the piece is longer
 * than the limit: leat_reader_read still gets its bytes; -ENOMEM; or an error of
 * leat_read, after which the call can be repeated: no byte is lost.
 * leat_reader_line also takes a carriage return off, which counts for the limit.
 */
LEAT_API int leat_reader_until(leat_reader *reader, char delim, const char **ret_bytes,
			       size_t *ret_n, int64_t deadline);
LEAT_API int leat_reader_line(leat_reader *reader, const char **ret_line, size_t *ret_n,
			      int64_t deadline);

/* As leat_read, but takes what has been read ahead first. */
LEAT_API int64_t leat_reader_read(leat_reader *reader, void *buf, size_t n, int64_t deadline);

/*
 * A writer to io, for one task at a time.  Bytes are kept until the buffer is full
 * or leat_writer_flush is called; leat_writer_free drops what has not been flushed and
 * does not close io.
 */
LEAT_API LEAT_MUST_CHECK int leat_writer_create(leat_writer **ret_writer, leat_io io,
						const leat_stream_options *options);
LEAT_API void leat_writer_free(leat_writer *writer);

/*
 * 0, or an error of leat_write.  After one, what of the bytes was not written is
 * still in the buffer, as far as it fits; *ret_done of leat_writer_write, unless NULL,
 * says how many of the n have been taken.
 */
LEAT_API int leat_writer_write(leat_writer *writer, const void *bytes, size_t n,
			       int64_t deadline, size_t *ret_done);
LEAT_API int leat_writer_flush(leat_writer *writer, int64_t deadline);

LEAT_END_DECLS

#endif
