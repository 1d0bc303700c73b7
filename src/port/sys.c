#include "port/sys.h"

#include <errno.h>

__attribute__((noinline)) int64_t leat__sys_result(int64_t r)
{
	return r == -1 ? -errno : r;
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
