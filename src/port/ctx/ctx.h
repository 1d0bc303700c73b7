/*
 * Contexts: the switch of the CPU at hand, with what ASan, TSan and Valgrind
 * must be told.
 *
 * TSan: a fibre per stack user; the current fibre is switched before the jump.
 * ASan: start/finish around the jump; the fake stack of a context that will
 * come back is kept in its stack descriptor.
 */
#ifndef LEAT_PORT_CTX_CTX_H
#define LEAT_PORT_CTX_CTX_H

#include <stddef.h>

#include "base/atomic.h"

#if defined(__x86_64__)
#include "port/ctx/x86_64.h"
#elif defined(__aarch64__)
#include "port/ctx/aarch64.h"
#else
#error "leat has no context switch for this CPU: add one to src/port/ctx"
#endif

#ifdef LEAT__ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef LEAT__TSAN
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
#endif

#if defined(LEAT_VALGRIND)
#include <valgrind/valgrind.h>
#define leat__stack_register(low, high) VALGRIND_STACK_REGISTER((low), (high))
#define leat__stack_deregister(id) VALGRIND_STACK_DEREGISTER(id)
#else
#define leat__stack_register(low, high) ((void)(low), (void)(high), 0u)
#define leat__stack_deregister(id) ((void)(id))
#endif

#endif
