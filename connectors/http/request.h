/* Of a request's parts; needs nothing of libcurl. */
#ifndef CONNECTORS_HTTP_REQUEST_H
#define CONNECTORS_HTTP_REQUEST_H

#include <stdbool.h>

/* Whether it may be done twice as well (RFC 9110, 9.2.2). */
bool http_method_is_idempotent(const char *method);

/* Whether "Name: value" is of this name, in whatever case. */
bool http_header_is(const char *header, const char *name);

#endif
