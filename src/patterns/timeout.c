/* A function with a deadline: see leat/timeout.h. */
#include <errno.h>

#include <leat/extend.h>
#include <leat/group.h>
#include <leat/task.h>
#include <leat/timeout.h>

#include "patterns/options.h"

struct call {
	int (*fn)(void *arg);
	void *arg;
	int result;
};

/* Its error is not the group's, which says by whom it was cancelled. */
static int run_call(void *args)
{
	struct call *c = *(struct call **)args;

	c->result = c->fn(c->arg);
	return 0;
}

static const leat_task_type call_type = { "timeout", run_call, sizeof(struct call *) };

int leat_timeout_run(int (*fn)(void *arg), void *arg, int64_t ns)
{
	struct call call = { .fn = fn, .arg = arg }, *c = &call;
	leat_group group;
	bool timed_out;
	int r;

	if (!fn)
		leat_misuse(__func__, NULL, "the function is NULL");
	NEEDS_RUNTIME("leat_timeout");
	OPTION("leat_timeout", ns > 0, "ns is %lld; it must be > 0", (long long)ns);
	r = leat_group_init(&group, LEAT_GROUP_OPTIONS(.deadline = leat_in(ns), .name = "timeout"));
	if (r < 0)
		return r;
	r = leat_spawn(&group, &call_type, &c, NULL);
	/* A caller that is cancelled itself may have been so for a time of its own. */
	timed_out = leat_group_wait(&group) == -ETIMEDOUT && !leat_cancelled();
	leat_group_release(&group);
	if (r == 0)
		r = call.result;
	/* Of the function, or of a spawn that came when its time was over. */
	return r == -ECANCELED && timed_out ? -ETIMEDOUT : r;
}
