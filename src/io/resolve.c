/*
 * Names to addresses: getaddrinfo(3) on a thread of the pool.
 *
 * It takes as long as the name servers do, and cannot be stopped.  So a task of the
 * root group waits for it, and the caller for that task as long as it wants to.  Who is the
 * last of the two frees the request.
 */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include <leat/group.h>
#include <leat/net.h>
#include <leat/sync.h>
#include <leat/task.h>

#include "port/sys.h"
#include "rt/blocking.h"
#include "rt/park.h"

enum { ADDRS_MAX = 64, HOST_SIZE = NI_MAXHOST, SERVICE_SIZE = NI_MAXSERV };

struct request {
	uint32_t users;		/* (a) */
	int64_t result;		/* published by done */
	int64_t deadline;	/* (c) */
	leat_waitgroup done;
	bool has_host, has_service; /* (c) */
	char host[HOST_SIZE], service[SERVICE_SIZE]; /* (c) */
	leat_addr addrs[ADDRS_MAX];
};

static int64_t error_of(int eai)
{
	switch (eai) {
	case EAI_NONAME:
#ifdef EAI_NODATA
	case EAI_NODATA:
#endif
		return -ENOENT;
	case EAI_AGAIN:
		return -EAGAIN;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_SYSTEM:
		return leat__sys_result(-1);
	case EAI_FAIL:
		return -EIO;
	default:
		return -EINVAL;
	}
}

static int64_t run_request(void *arg)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	struct request *request = arg;
	int64_t n = 0;
	int r;

	if (!request->has_host)
		hints.ai_flags = AI_PASSIVE;
	r = getaddrinfo(request->has_host ? request->host : NULL,
			request->has_service ? request->service : NULL, &hints, &list);
	if (r != 0)
		return error_of(r);
	for (struct addrinfo *i = list; i && n < ADDRS_MAX; i = i->ai_next)
		if (leat_addr_set(&request->addrs[n], i->ai_addr, i->ai_addrlen) == 0)
			n++;
	freeaddrinfo(list);
	return n;
}

static void drop(struct request *request)
{
	if (leat__fetch_sub(&request->users, 1) == 1)
		leat__free(request, sizeof(*request));
}

LEAT_TASK(resolve, (struct request *, request))
{
	request->result = leat__blocking(run_request, request, request->deadline);
	leat_waitgroup_done(&request->done);
	drop(request);
}

/* getaddrinfo takes any number, and cuts it to 16 bits. */
static bool is_no_port(const char *service)
{
	char *end;

	return strtoul(service, &end, 10) > UINT16_MAX && *end == '\0';
}

static int make(const char *host, const char *service, int64_t deadline,
		struct request **ret_request)
{
	struct request *request;

	if ((!host && !service) || (host && strlen(host) >= HOST_SIZE) ||
	    (service && (strlen(service) >= SERVICE_SIZE || is_no_port(service))))
		return -EINVAL;
	request = leat__alloc(sizeof(*request));
	if (!request)
		return -ENOMEM;
	request->users = 2;
	request->result = 0;
	request->deadline = deadline;
	request->has_host = host != NULL;
	request->has_service = service != NULL;
	if (host)
		memcpy(request->host, host, strlen(host) + 1);
	if (service)
		memcpy(request->service, service, strlen(service) + 1);
	request->done = (leat_waitgroup)LEAT_WAITGROUP_INIT;
	leat_waitgroup_add(&request->done, 1);
	*ret_request = request;
	return 0;
}

int leat_resolve(const char *host, const char *service, leat_addr *ret_addrs, int n,
		 int64_t deadline)
{
	struct request *request;
	int r;

	leat__check_fork(__func__, NULL);
	if (leat__unlikely(!leat__rt))
		leat__misuse(NULL, "no runtime runs; call it inside of leat_run");
	if (leat__unlikely(n < 1 || !ret_addrs))
		leat__misuse(ret_addrs, "room for %d addresses; give it for 1 at least", n);
	r = make(host, service, deadline, &request);
	if (r < 0)
		return r;
	r = leat_go(resolve, request);
	if (r < 0) {
		leat__free(request, sizeof(*request));
		return r;
	}
	r = leat_waitgroup_wait_until(&request->done, deadline);
	if (r == 0)
		r = (int)request->result;
	if (r > n)
		r = n;
	if (r > 0)
		memcpy(ret_addrs, request->addrs, sizeof(*ret_addrs) * (size_t)r);
	drop(request);
	return r;
}
