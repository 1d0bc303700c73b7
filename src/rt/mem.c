/*
 * All memory of the library comes through leat__alloc: the allocator hook of
 * leat_options, else malloc.  Each call site can be made to fail once; the
 * sites count themselves, so a test can show that it hit them all.
 */
#include "rt/rt.h"
#include "rt/fault.h"

#include <stdlib.h>
#include <string.h>

#ifdef LEAT_FAULTS
enum { MAX_SITES = 64 };

static struct leat__fault_site sites[MAX_SITES];
static uint32_t nsites; /* (L: sites_lock) */
static const char *fail_site;
static struct leat__lock sites_lock;

static bool must_fail(const char *site)
{
	bool fail = false;
	uint32_t i = 0;

	leat__lock_acquire(&sites_lock, LEAT__RANK_MEMORY);
	while (i < nsites && strcmp(sites[i].site, site) != 0)
		i++;
	if (i == nsites && nsites < MAX_SITES)
		sites[nsites++].site = site;
	if (i < nsites) {
		sites[i].calls++;
		fail = fail_site && strcmp(site, fail_site) == 0;
		if (fail) {
			sites[i].failed++;
			fail_site = NULL;
		}
	}
	leat__lock_release(&sites_lock);
	return fail;
}

void leat__fault_arm(const char *site)
{
	leat__lock_acquire(&sites_lock, LEAT__RANK_MEMORY);
	fail_site = site;
	leat__lock_release(&sites_lock);
}

const struct leat__fault_site *leat__fault_sites(size_t *ret_n)
{
	*ret_n = nsites;
	return sites;
}
#else
#define must_fail(site) ((void)(site), false)
#endif

void *leat__alloc_at(size_t size, size_t align, const char *site)
{
	const leat_allocator *a = leat__rt ? &leat__rt->options.allocator : NULL;
	void *p = NULL;

	if (must_fail(site))
		return NULL;
	if (a && a->alloc)
		return a->alloc(a->ctx, size, align);
	if (posix_memalign(&p, align < sizeof(void *) ? sizeof(void *) : align, size) != 0)
		return NULL;
	return p;
}

void *leat__process_alloc_at(size_t size, const char *site)
{
	void *p = NULL;

	/* A cache line: a runtime has parts of its own alignment. */
	if (must_fail(site) || posix_memalign(&p, 64, size) != 0)
		return NULL;
	memset(p, 0, size);
	return p;
}

void leat__process_free(void *ptr)
{
	free(ptr);
}

void leat__free(void *ptr, size_t size)
{
	const leat_allocator *a = leat__rt ? &leat__rt->options.allocator : NULL;

	if (!ptr)
		return;
	if (a && a->alloc)
		a->release(a->ctx, ptr, size);
	else
		free(ptr);
}
