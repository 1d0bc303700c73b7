#ifndef LEAT_RT_SPAWN_H
#define LEAT_RT_SPAWN_H

#include "rt/task.h"

/*
 * Set by group.c.  Before a task of a slow scope is made: takes a place under the
 * limit, counts it, and gives its result slot.  0 or a negative error.
 */
extern int (*leat__group_admit)(struct leat__scope *s, const leat_task_options *options,
				uint32_t *ret_result_index);

/*
 * A record for a wait without a stack: counted, and linked for cancel.
 * NULL with *ret_error set.  extra: bytes of arguments.
 */
struct leat__task *leat__wait_create(struct leat__scope *s, const leat_task_type *type,
				     size_t extra, enum leat__why why, int *ret_error);

/*
 * Under the lock of the object that t now waits for, t being queued: arms t.
 * True: its group is cancelled and the claim is ours: the caller takes t
 * from the queue, releases the lock, and calls leat__ready_fifo(t).  Whoever runs t
 * takes the object's lock before it frees t, so t is safe to touch until the caller
 * releases the lock; not after.
 */
bool leat__wait_arm(struct leat__task *t);

#endif
