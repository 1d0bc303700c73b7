/*
 * What the runtime itself lets tasks wait for: groups, joins, times.
 */
#include "rt/look.h"

static const struct leat__kind *kinds[LEAT__WHYS];

void leat__kind_set(enum leat__why why, const struct leat__kind *kind)
{
	kinds[why] = kind;
}

const struct leat__kind *leat__kind_of(enum leat__why why)
{
	return why < LEAT__WHYS ? kinds[why] : NULL;
}

/* pending counts the credits that workers hold, too, except in a world that is stopped. */
static void describe_group(struct leat__look *l, const void *object)
{
	struct leat__scope s;

	leat__say(l, " ");
	leat__say_group(l, object);
	if (leat__look_at(l, &s, (const struct leat__scope *)object))
		leat__say(l, ", %s%lld live", l->stopped ? "" : "at most ",
			  (long long)(s.pending / 2));
}

/* A forked task is at the start of its record. */
static const struct leat__task *forked_of(struct leat__look *l, const void *object)
{
	(void)l;
	return object;
}

static void describe_join(struct leat__look *l, const void *object)
{
	leat__say(l, " of ");
	leat__say_task_at(l, object);
	leat__say(l, " %p", object);
}

static void say_due(struct leat__look *l, int64_t deadline)
{
	if (deadline == LEAT_FOREVER)
		leat__say(l, " for ever");
	else if (deadline <= l->now)
		leat__say(l, " until now");
	else
		leat__say(l, " for another ");
	if (deadline != LEAT_FOREVER && deadline > l->now)
		leat__say_time(l, deadline - l->now);
}

/* object: the deadline itself. */
static void describe_sleep(struct leat__look *l, const void *object)
{
	int64_t deadline;

	if (leat__look_at(l, &deadline, (const int64_t *)object))
		say_due(l, deadline);
}

/* object: arguments that begin with a timer. */
static void describe_timer(struct leat__look *l, const void *object)
{
	struct leat__timer timer;

	if (leat__look_at(l, &timer, (const struct leat__timer *)object))
		say_due(l, timer.deadline);
}

__attribute__((constructor)) static void set_kinds(void)
{
	static const struct leat__kind group = { describe_group, NULL, NULL };
	static const struct leat__kind join = { describe_join, forked_of, NULL };
	static const struct leat__kind sleep = { describe_sleep, NULL, NULL };
	static const struct leat__kind timer = { describe_timer, NULL, NULL };

	leat__kind_set(LEAT__WHY_GROUP, &group);
	leat__kind_set(LEAT__WHY_LIMIT, &group);
	leat__kind_set(LEAT__WHY_JOIN, &join);
	leat__kind_set(LEAT__WHY_SLEEP, &sleep);
	leat__kind_set(LEAT__WHY_AFTER, &timer);
}
