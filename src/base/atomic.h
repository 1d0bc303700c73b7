/*
 * Atomic operations, by name of their order.  The only file that uses the
 * compiler's atomics, so that the checking build (base/checking.h) can turn
 * each operation into a choice point.
 *
 * Fences.  leat__fence_full orders everything.  leat__fence_light is the cheap
 * half of an asymmetric pair: a compiler barrier, correct only against a
 * leat__fence_heavy (membarrier(2), in src/port) on the other, rare side: after a
 * heavy fence every other thread of the process has executed a full fence.
 *
 * Under TSan, which does not model fences, a fence is an RMW on one word.
 */
#ifndef LEAT_BASE_ATOMIC_H
#define LEAT_BASE_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

/* The checking build is compiled for TSan, too, but is no such thing: port/check.c. */
#if defined(LEAT_CHECKING)
#elif defined(__SANITIZE_THREAD__)
#define LEAT__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LEAT__TSAN 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#define LEAT__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAT__ASAN 1
#endif
#endif

#define leat__likely(x) __builtin_expect(!!(x), 1)
#define leat__unlikely(x) __builtin_expect(!!(x), 0)

#ifdef LEAT_CHECKING
#include "base/checking.h"

#define leat__load_relaxed(p) LEAT__CHECK_LOAD(p)
#define leat__load_acquire(p) LEAT__CHECK_LOAD(p)
#define leat__store_relaxed(p, v) LEAT__CHECK_STORE(p, v)
#define leat__store_release(p, v) LEAT__CHECK_STORE(p, v)
#define leat__exchange(p, v) LEAT__CHECK_RMW(p, EXCHANGE, v)
#define leat__fetch_add(p, v) LEAT__CHECK_RMW(p, ADD, v)
#define leat__fetch_sub(p, v) LEAT__CHECK_RMW(p, SUB, v)
#define leat__fetch_or(p, v) LEAT__CHECK_RMW(p, OR, v)
#define leat__fetch_and(p, v) LEAT__CHECK_RMW(p, AND, v)
#define leat__cas(p, expected, v) LEAT__CHECK_CAS(p, expected, v)
#define leat__fence_full() leat__check_fence_full(LEAT__CHECK_AT)
#define leat__fence_light() leat__check_fence_light(LEAT__CHECK_AT)
#define leat__fence_compiler() leat__check_fence_light(LEAT__CHECK_AT)
#define leat__cpu_pause() leat__check_pause(LEAT__CHECK_AT)
#else
#define leat__check_drain() ((void)0)

#define leat__load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define leat__load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define leat__store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define leat__store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define leat__exchange(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define leat__fetch_add(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define leat__fetch_sub(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST)
#define leat__fetch_or(p, v) __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define leat__fetch_and(p, v) __atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)

/* True if *p was expected and is now v; if not, what its writer wrote before is visible. */
#define leat__cas(p, expected, v)                                             \
	({                                                                    \
		__typeof__(*(p)) leat__e = (expected);                        \
		__atomic_compare_exchange_n((p), &leat__e, (v), false,        \
					    __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE); \
	})

#ifdef LEAT__TSAN
extern uint32_t leat__tsan_fence_word;
#define leat__fence_full() \
	((void)__atomic_fetch_add(&leat__tsan_fence_word, 0, __ATOMIC_SEQ_CST))
#else
#define leat__fence_full() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif
#endif

/* False where membarrier(2) is missing: then the light side pays for a full fence. */
extern bool leat__asymmetric;

void leat__fence_heavy(void);

#ifndef LEAT_CHECKING
/* The light one, for who knows that the heavy one is there. */
static inline void leat__fence_compiler(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void leat__fence_light(void)
{
	if (leat__unlikely(!leat__asymmetric))
		leat__fence_full();
	leat__fence_compiler();
}

static inline void leat__cpu_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#endif
}
#endif

#endif
