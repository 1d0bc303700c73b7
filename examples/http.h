/* As much of HTTP as api_client.c needs: one request a connection, short texts. */
#ifndef HTTP_H
#define HTTP_H

#include <stdio.h>
#include <string.h>
#include <leat/leat.h>

/* Reads until the text ends with what is given, or all if that is NULL; 0 or an error. */
static inline int http_read(leat_io io, char *text, size_t size, const char *end)
{
	int64_t deadline = leat_in(5 * LEAT_S), n;
	size_t used = 0;

	text[0] = '\0';
	while (used < size - 1 && !(end && strstr(text, end))) {
		n = leat_read(io, text + used, size - 1 - used, deadline);
		if (n <= 0)
			return (int)n;
		used += (size_t)n;
		text[used] = '\0';
	}
	return 0;
}

/* The status, > 0, or an error.  *ret_body points into text; *ret_later: what Retry-After says. */
static inline int http_get(const leat_addr *addr, const char *path, char *text, size_t size,
			   const char **ret_body, int *ret_later)
{
	int64_t deadline = leat_in(5 * LEAT_S);
	const char *body, *later;
	int status = 0, n, r;
	leat_io io;

	r = leat_connect(&io, addr, NULL, deadline);
	if (r < 0)
		return r;
	n = snprintf(text, size, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
	r = leat_write_all(io, text, (size_t)n, deadline, NULL);
	if (r == 0)
		r = http_read(io, text, size, NULL);
	leat_io_close(io);
	if (r < 0)
		return r;
	body = strstr(text, "\r\n\r\n");
	if (!body || sscanf(text, "HTTP/1.1 %d", &status) != 1)
		return -EPROTO;
	later = strstr(text, "Retry-After: ");
	if (later)
		sscanf(later, "Retry-After: %d", ret_later);
	*ret_body = body + 4;
	return status;
}

#endif
