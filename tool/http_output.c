#include "http_output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The length of the character that s begins with; 0: none, or not all of it. */
static size_t character_size(const unsigned char *s, size_t n)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t size;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4) /* the shortest form, up to U+10FFFF */
		return 0;
	size = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;	/* no surrogates */
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (n < size || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < size; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return size;
}

bool http_output_is_utf8(const char *bytes, size_t n)
{
	size_t size;

	for (; n > 0; bytes += size, n -= size) {
		size = character_size((const unsigned char *)bytes, n);
		if (size == 0)
			return false;
	}
	return true;
}

static void add_escape(struct text *text, unsigned char c)
{
	static const char letters[] = "\bb\ff\nn\rr\tt\"\"\\\\";
	char escape[8];

	for (size_t i = 0; i + 1 < sizeof(letters); i += 2)
		if ((unsigned char)letters[i] == c) {
			text_add(text, (const char[]){ '\\', letters[i + 1] }, 2);
			return;
		}
	snprintf(escape, sizeof(escape), "\\u%04x", c);
	text_add(text, escape, 6);
}

static void add_string(struct text *text, const char *bytes, size_t n)
{
	size_t from = 0;

	text_add(text, "\"", 1);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c >= ' ' && c != '"' && c != '\\' && c != 0x7f)
			continue;
		if (i > from)
			text_add(text, bytes + from, i - from);
		add_escape(text, c);
		from = i + 1;
	}
	if (n > from)
		text_add(text, bytes + from, n - from);
	text_add(text, "\"", 1);
}

/* RFC 4648, 4. */
static void add_base64(struct text *text, const char *bytes, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *s = (const unsigned char *)bytes;

	text_add(text, "\"", 1);
	for (; n > 0; s += n < 3 ? n : 3, n -= n < 3 ? n : 3) {
		uint32_t bits = (uint32_t)s[0] << 16 | (n > 1 ? s[1] << 8 : 0) | (n > 2 ? s[2] : 0);
		char four[4] = { digits[bits >> 18], digits[bits >> 12 & 63],
				 n > 1 ? digits[bits >> 6 & 63] : '=',
				 n > 2 ? digits[bits & 63] : '=' };

		text_add(text, four, 4);
	}
	text_add(text, "\"", 1);
}

void http_output_add(struct text *text, const struct http_output *o)
{
	bool is_text = http_output_is_utf8(o->body, o->body_size);
	char head[128], status[16] = "null";

	if (o->status != 0)
		snprintf(status, sizeof(status), "%d", o->status);
	snprintf(head, sizeof(head),
		 "{\"seq\":%" PRIu64 ",\"status\":%s,\"time\":%" PRId64 ".%06" PRId64
		 ",\"attempts\":%d,\"%s\":", o->seq, status, o->time / 1000000000,
		 o->time % 1000000000 / 1000, o->attempts,
		 o->status == 0 ? "error" : is_text ? "body" : "body_base64");
	text_add_string(text, head);
	if (is_text)
		add_string(text, o->body, o->body_size);
	else
		add_base64(text, o->body, o->body_size);
	text_add_string(text, "}\n");
}
