/* Addresses of sockets: from and to text. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <leat/net.h>

#include "base/assert.h"

#define UNIX_PREFIX "unix:"
enum {
	UNIX_PREFIX_SIZE = sizeof(UNIX_PREFIX) - 1,
	PATH_OFFSET = offsetof(struct sockaddr_un, sun_path),
	PATH_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path),
};

int leat_addr_set(leat_addr *ret_addr, const struct sockaddr *sockaddr, socklen_t size)
{
	leat__require(ret_addr);
	leat__require(sockaddr);
	if (size < sizeof(sockaddr->sa_family) || size > sizeof(ret_addr->_storage))
		return -EINVAL;
	memset(ret_addr, 0, sizeof(*ret_addr));
	memcpy(&ret_addr->_storage, sockaddr, size);
	ret_addr->_size = size;
	return 0;
}

const struct sockaddr *leat_addr_get(const leat_addr *addr, socklen_t *ret_size)
{
	leat__require(addr);
	if (ret_size)
		*ret_size = addr->_size;
	return (const struct sockaddr *)&addr->_storage;
}

/* Where the port is, in network order; NULL: it has none. */
static in_port_t *port_of(leat_addr *addr)
{
	if (addr->_storage.ss_family == AF_INET)
		return &((struct sockaddr_in *)&addr->_storage)->sin_port;
	if (addr->_storage.ss_family == AF_INET6)
		return &((struct sockaddr_in6 *)&addr->_storage)->sin6_port;
	return NULL;
}

int leat_addr_port(const leat_addr *addr)
{
	const in_port_t *port;

	leat__require(addr);
	port = port_of((leat_addr *)(uintptr_t)addr);
	return port ? ntohs(*port) : -1;
}

int leat_addr_set_port(leat_addr *addr, unsigned port)
{
	in_port_t *where;

	leat__require(addr);
	where = port_of(addr);
	if (!where || port > UINT16_MAX)
		return -EINVAL;
	*where = htons((uint16_t)port);
	return 0;
}

/* A decimal number of up to max that ends the text, or -1. */
static int64_t number(const char *text, int64_t max)
{
	int64_t n = 0;

	if (*text == '\0')
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		n = n * 10 + (*text - '0');
		if (n > max)
			return -1;
	}
	return n;
}

static int parse_unix(leat_addr *ret_addr, const char *name)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	bool abstract = name[0] == '@';

	if (n == 0)
		return -EINVAL;
	/* A path has a 0 byte behind it, an abstract name before it. */
	if (n >= PATH_SIZE)
		return -ENAMETOOLONG;
	memcpy(un.sun_path, name, n);
	if (abstract)
		un.sun_path[0] = '\0';
	return leat_addr_set(ret_addr, (struct sockaddr *)&un,
			     (socklen_t)(PATH_OFFSET + n + (abstract ? 0 : 1)));
}

/* host: the text between the brackets, in which % may be followed by an interface. */
static int parse_v6(leat_addr *ret_addr, char *host, uint16_t port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	char *scope = strchr(host, '%');
	int64_t index;

	if (scope) {
		*scope++ = '\0';
		index = number(scope, UINT32_MAX);
		in6.sin6_scope_id = index >= 0 ? (uint32_t)index : if_nametoindex(scope);
		if (in6.sin6_scope_id == 0)
			return -ENODEV;
	}
	if (inet_pton(AF_INET6, host, &in6.sin6_addr) != 1)
		return -EINVAL;
	return leat_addr_set(ret_addr, (struct sockaddr *)&in6, sizeof(in6));
}

static int parse_v4(leat_addr *ret_addr, const char *host, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
		return -EINVAL;
	return leat_addr_set(ret_addr, (struct sockaddr *)&in, sizeof(in));
}

int leat_addr_parse(leat_addr *ret_addr, const char *text)
{
	char host[LEAT_ADDR_TEXT];
	const char *colon;
	size_t n;
	int64_t port;

	leat__require(ret_addr);
	leat__require(text);
	if (strncmp(text, UNIX_PREFIX, UNIX_PREFIX_SIZE) == 0)
		return parse_unix(ret_addr, text + UNIX_PREFIX_SIZE);
	colon = strrchr(text, ':');
	if (!colon || colon == text || (size_t)(colon - text) >= sizeof(host))
		return -EINVAL;
	port = number(colon + 1, UINT16_MAX);
	if (port < 0)
		return -EINVAL;
	n = (size_t)(colon - text);
	memcpy(host, text, n);
	host[n] = '\0';
	if (host[0] != '[')
		return parse_v4(ret_addr, host, (uint16_t)port);
	if (host[n - 1] != ']')
		return -EINVAL;
	host[n - 1] = '\0';
	return parse_v6(ret_addr, host + 1, (uint16_t)port);
}

static int format_unix(const leat_addr *addr, char *text, size_t size)
{
	struct sockaddr_un un;
	size_t n = addr->_size > PATH_OFFSET ? addr->_size - PATH_OFFSET : 0;

	memcpy(&un, &addr->_storage, sizeof(un));
	if (n > PATH_SIZE)
		n = PATH_SIZE;
	if (n > 0 && un.sun_path[0] != '\0')
		n = strnlen(un.sun_path, n);
	for (size_t i = 0; i < n; i++)
		if (un.sun_path[i] == '\0')
			un.sun_path[i] = '@';
	return snprintf(text, size, UNIX_PREFIX "%.*s", (int)n, un.sun_path);
}

static int format_v6(const leat_addr *addr, char *text, size_t size)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&addr->_storage;
	char host[INET6_ADDRSTRLEN], scope[IF_NAMESIZE + 12] = "";
	char name[IF_NAMESIZE];

	inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
	if (in6->sin6_scope_id != 0 && if_indextoname(in6->sin6_scope_id, name))
		snprintf(scope, sizeof(scope), "%%%s", name);
	else if (in6->sin6_scope_id != 0)
		snprintf(scope, sizeof(scope), "%%%u", in6->sin6_scope_id);
	return snprintf(text, size, "[%s%s]:%d", host, scope, leat_addr_port(addr));
}

int leat_addr_format(const leat_addr *addr, char *text, size_t size)
{
	const struct sockaddr_in *in;
	char host[INET_ADDRSTRLEN];
	int n;

	leat__require(addr);
	if (size > 0)
		leat__require(text);
	if (addr->_storage.ss_family == AF_INET) {
		in = (const struct sockaddr_in *)&addr->_storage;
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		n = snprintf(text, size, "%s:%d", host, leat_addr_port(addr));
	} else if (addr->_storage.ss_family == AF_INET6) {
		n = format_v6(addr, text, size);
	} else if (addr->_storage.ss_family == AF_UNIX) {
		n = format_unix(addr, text, size);
	} else {
		n = snprintf(text, size, "family %d", addr->_storage.ss_family);
	}
	return (size_t)n < size ? n : -ENOSPC;
}
