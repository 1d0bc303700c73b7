/*
 * What every leat header uses: linkage, attributes, error codes.
 *
 * Errors.  A function that can fail returns 0 or a count on success and a
 * negative errno value on failure (-ECANCELED, -ETIMEDOUT, -EAGAIN, -ENOMEM,
 * ...), or LEAT_ECLOSED.  leat never sets errno, and errno is undefined after
 * any call that may park the task: compilers cache its address, and the task
 * may go on in another thread.  Read errno directly after the libc call that
 * set it, before the next leat call.  (Pinned tasks keep their thread.)
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

typedef struct leat_group leat_group;
typedef struct leat_channel leat_channel;

LEAT_BEGIN_DECLS

/*
 * The text of a code that a leat function returned: leat's own, or the
 * system's for a negative errno.  Never NULL; static, or valid until the
 * calling thread's next call.
 */
LEAT_API const char *leat_strerror(int error);

LEAT_END_DECLS

#endif
