/* What a request may be: nothing that would let its parts say more than they should. */
#include "request.h"

#include <string.h>
#include <strings.h>

#include "http.h"

/* RFC 9110, 5.6.2 */
static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static size_t token_size(const char *s)
{
	size_t n = 0;

	while (is_token_char(s[n]))
		n++;
	return n;
}

bool http_header_is(const char *header, const char *name)
{
	size_t n = strlen(name);

	return strncasecmp(header, name, n) == 0 && header[n] == ':';
}

static const char *header_problem(const char *header)
{
	size_t n = token_size(header);

	if (n == 0 || header[n] != ':')
		return "a header is not \"Name: value\"";
	for (const char *s = header + n; *s; s++)
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
			return "a header has a newline or another control character";
	if (http_header_is(header, "content-length") || http_header_is(header, "transfer-encoding"))
		return "a header says how long the body is; that follows from the body";
	return NULL;
}

const char *http_request_problem(const struct http_request *request)
{
	const char *problem = NULL;
	size_t n;

	if (!request->method || !request->url)
		return "the method or the URL is NULL";
	n = token_size(request->method);
	if (n == 0 || request->method[n])
		return "the method is not a word such as GET";
	if (strcmp(request->method, "CONNECT") == 0)
		return "the method is CONNECT, which makes no request";
	if (strcmp(request->method, "HEAD") == 0 && request->body_size > 0)
		return "HEAD has a body";
	for (const char *const *h = request->headers; h && *h && !problem; h++)
		problem = header_problem(*h);
	return problem;
}

bool http_method_is_idempotent(const char *method)
{
	static const char *const methods[] = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE" };

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(method, methods[i]) == 0)
			return true;
	return false;
}
