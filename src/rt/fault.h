/*
 * Fault injection, in builds with -DLEAT_FAULTS: a test lists the allocation
 * sites that a scenario passes and makes each of them fail once.
 */
#ifndef LEAT_RT_FAULT_H
#define LEAT_RT_FAULT_H

#include <stddef.h>
#include <stdint.h>

struct leat__fault_site {
	const char *site;	/* file:line */
	uint64_t calls;
	uint64_t failed;
};

/* The next allocation at site fails; NULL: none. */
void leat__fault_arm(const char *site);
const struct leat__fault_site *leat__fault_sites(size_t *ret_n);

#endif
