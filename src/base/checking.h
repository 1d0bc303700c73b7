/*
 * base/atomic.h in the checking build (-DLEAT_CHECKING): every operation is a call
 * of port/check.c, which may let another virtual thread run first and keeps
 * stores in a buffer per thread, as x86 does.
 *
 * An operation takes its size and the place where it stands in the source, for
 * the report of a failure.  Values travel as uint64_t.
 */
#ifndef LEAT_BASE_CHECKING_H
#define LEAT_BASE_CHECKING_H

#include <stdbool.h>
#include <stdint.h>

enum leat__check_op {
	LEAT__CHECK_EXCHANGE,
	LEAT__CHECK_ADD,
	LEAT__CHECK_SUB,
	LEAT__CHECK_OR,
	LEAT__CHECK_AND,
};

uint64_t leat__check_load(const volatile void *p, unsigned size, const char *at);
void leat__check_store(volatile void *p, unsigned size, uint64_t v, const char *at);
/* Return the old value; whether it was what was expected. */
uint64_t leat__check_rmw(volatile void *p, unsigned size, enum leat__check_op op, uint64_t v,
			 const char *at);
bool leat__check_cas(volatile void *p, unsigned size, uint64_t expected, uint64_t v,
		     const char *at);
void leat__check_fence_full(const char *at);
void leat__check_fence_light(const char *at);
/* In a loop that waits for another thread: the others run first. */
void leat__check_pause(const char *at);
/* Takes the calling thread's stores to memory, without a choice. */
void leat__check_drain(void);
/* size bytes of the calling virtual thread, zero at first; one use only. */
void *leat__check_local(unsigned size);

#define LEAT__CHECK_STR_(x) #x
#define LEAT__CHECK_STR(x) LEAT__CHECK_STR_(x)
#define LEAT__CHECK_AT __FILE__ ":" LEAT__CHECK_STR(__LINE__)
/* The type of *p, without qualifiers: that of an rvalue. */
#define LEAT__CHECK_TYPE(p) __typeof__(({ *(p); }))

#define LEAT__CHECK_LOAD(p) \
	((LEAT__CHECK_TYPE(p))leat__check_load((p), sizeof(*(p)), LEAT__CHECK_AT))
#define LEAT__CHECK_STORE(p, v)                                               \
	({                                                                    \
		__typeof__(*(p)) leat__v = (v);                               \
		leat__check_store((p), sizeof(*(p)), (uint64_t)leat__v, LEAT__CHECK_AT); \
	})
#define LEAT__CHECK_RMW(p, op, v)                                             \
	({                                                                    \
		__typeof__(*(p)) leat__old = (__typeof__(*(p)))leat__check_rmw( \
			(p), sizeof(*(p)), LEAT__CHECK_##op, (uint64_t)(v), LEAT__CHECK_AT); \
		leat__old;                                                    \
	})
#define LEAT__CHECK_CAS(p, expected, v)                                       \
	({                                                                    \
		__typeof__(*(p)) leat__e = (expected), leat__v = (v);         \
		leat__check_cas((p), sizeof(*(p)), (uint64_t)leat__e, (uint64_t)leat__v, \
				LEAT__CHECK_AT);                              \
	})

#endif
