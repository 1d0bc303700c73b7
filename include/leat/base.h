/*
 * What every leat header uses: linkage, attributes, error codes.
 *
 * Errors.  A function that can fail returns 0 or a count on success and a
 * negative errno value on failure (-ECANCELED, -ETIMEDOUT, -EAGAIN, -ENOMEM,
 * ...), or LEAT_ECLOSED.  leat reports nothing through errno, and any call of leat
 * may change it.  After a call that may park, a task may be in another thread, and
 * the macro errno be the old one's, as compilers keep its address: for
 * errors of libc, use leat_errno.  docs/thread-local.md has the rules.
 *
 * A broken contract (NULL where it is not allowed, a double close, an
 * over-release) is no error code: the program is stopped with a message that
 * names the function, the object and the fix.
 *
 * Unless its comment says otherwise, every function may be called from a task
 * and from any other thread.  Inside a task "blocks" means that the task
 * parks and its worker goes on with other tasks; elsewhere the thread blocks.
 */
#ifndef LEAT_BASE_H
#define LEAT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEAT_API __attribute__((visibility("default")))
#define LEAT_MUST_CHECK __attribute__((warn_unused_result))
#define LEAT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#ifdef __cplusplus
#define LEAT_BEGIN_DECLS extern "C" {
#define LEAT_END_DECLS }
#else
#define LEAT_BEGIN_DECLS
#define LEAT_END_DECLS
#endif

/* The channel was closed (or, for a sender, abandoned).  Clear of every errno. */
#define LEAT_ECLOSED (-4097)

/*
 * Not for direct use; what LEAT_OPTIONS, LEAT_GROUP_OPTIONS and the like are made of: the
 * address of a struct with its size and the fields that are given, the others 0.  For an argument:
 * in C++ it is gone at the end of the expression, in C at that of the block.  C++ (from 20 on, or
 * as an extension of 17) wants the fields in their order.
 */
#ifndef __cplusplus
#define LEAT__OPTIONS(type, ...) (&(const type){ .size = sizeof(type), __VA_ARGS__ })
#else
extern "C++" {
template <class T> const T *leat__options(const T &options)
{
	return &options;
}
}
#define LEAT__OPTIONS(type, ...) leat__options<type>({ .size = sizeof(type), __VA_ARGS__ })
#endif

typedef struct leat_group leat_group;
typedef struct leat_channel leat_channel;

LEAT_BEGIN_DECLS

/*
 * The text of a code that a leat function returned: leat's own, also of -ETIMEDOUT, or
 * the system's for a negative errno.  Never NULL; static, or valid until the
 * calling thread's next call, in a task so at most until it may park.
 */
LEAT_API const char *leat_strerror(int error);

/*
 * errno, of the thread that the caller is in now, whatever the compiler believes.  For
 * functions that may park: leat_errno directly after the libc call that failed,
 * leat_set_errno(0) directly before one that tells its errors by errno alone (strtol).
 */
LEAT_API int leat_errno(void);
LEAT_API void leat_set_errno(int error);

LEAT_END_DECLS

#endif
