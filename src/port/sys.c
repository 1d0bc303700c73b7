#include "port/sys.h"

#include <errno.h>
#include <leat/base.h>

__attribute__((noinline)) int64_t leat__sys_result(int64_t r)
{
	return r == -1 ? -errno : r;
}

/* The barriers keep a link-time optimizer from seeing that these are errno itself. */
__attribute__((noinline)) int leat_errno(void)
{
	int error = errno;

	__asm__ volatile("" : "+r"(error) : : "memory");
	return error;
}

__attribute__((noinline)) void leat_set_errno(int error)
{
	errno = error;
	__asm__ volatile("" : : : "memory");
}

#ifdef LEAT_FAULTS
/* The linker's names for the ends of the section. */
extern struct leat__sys_site __start_leat_sys_sites[] __attribute__((visibility("hidden")));
extern struct leat__sys_site __stop_leat_sys_sites[] __attribute__((visibility("hidden")));

int leat__sys_fault(struct leat__sys_site *site)
{
	leat__fetch_add(&site->calls, 1);
	if (leat__load_relaxed(&site->error) == 0)
		return 0;
	return (int)leat__exchange(&site->error, 0);
}

struct leat__sys_site *leat__sys_sites(uint32_t *ret_n)
{
	*ret_n = (uint32_t)(__stop_leat_sys_sites - __start_leat_sys_sites);
	return __start_leat_sys_sites;
}
#endif
