/*
 * For libraries that are built on leat, as its own patterns are: the runtime's memory and log, the
 * way in which broken contracts are reported, and the order in a channel.  Programs do not need it.
 */
#ifndef LEAT_EXTEND_H
#define LEAT_EXTEND_H

#include <leat/chan.h>

LEAT_BEGIN_DECLS

/*
 * size bytes from the running runtime's allocator (leat_options), else from malloc; aligned to
 * 16, not zeroed.  NULL without memory.  leat_free gets the same size, before the
 * runtime ends; NULL is ignored.  Neither blocks.
 */
LEAT_API LEAT_MUST_CHECK void *leat_alloc(size_t size);
LEAT_API void leat_free(void *ptr, size_t size);

/* "leat: TEXT", one line, to the log function of leat_options, else stderr. */
LEAT_API LEAT_PRINTF(1, 2) void leat_log(const char *fmt, ...);

/*
 * A broken contract of the caller: stops the program with "leat: FUNCTION(OBJECT): TEXT".  The text
 * says what is wrong and how to make it right.
 */
LEAT_API LEAT_PRINTF(3, 4) __attribute__((noreturn)) void
leat_misuse(const char *function, const void *object, const char *fmt, ...);

/*
 * As leat_channel_recv with an elem that is not NULL; *ret_number, if it returns 0: how many
 * elements had been sent before this one.  So tasks that share a channel know the order of what
 * they have received.
 */
LEAT_API LEAT_MUST_CHECK int leat_channel_recv_numbered(leat_channel *chan, void *elem,
							uint64_t *ret_number, int64_t deadline);

/*
 * The running task as a group sees it.  In the group: its own id.  Below it: the id of the task
 * that has made the group directly below through which it is; a task of the group, unless that was
 * given the group as its parent.  0: neither, or a thread has made it.  Never blocks.
 */
LEAT_API uint64_t leat_task_id_in(const leat_group *group);

/* True in a forked task (leat_fork) that runs beside its parent, whose id it has. */
LEAT_API bool leat_task_is_forked(void);

LEAT_END_DECLS

#endif
