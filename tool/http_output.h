/*
 * What leat map --http writes of a response, a line of JSON:
 *
 *	{"seq":1,"status":200,"time":0.012345,"attempts":1,"body":"..."}
 *
 * time: seconds, of the last attempt.  body is a string if it is UTF-8, else it is "body_base64".
 * Without a response status is null, and in place of the body is "error", a text.
 */
#ifndef TOOL_HTTP_OUTPUT_H
#define TOOL_HTTP_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

struct http_output {
	uint64_t seq;
	int status;		/* 0: no response */
	int64_t time;		/* ns */
	int attempts;
	const char *body;	/* body_size bytes; without a response: the error */
	size_t body_size;
};

/* Appends it with its newline. */
void http_output_add(struct text *text, const struct http_output *output);

/* Whether n bytes are UTF-8 (RFC 3629). */
bool http_output_is_utf8(const char *bytes, size_t n);

#endif
