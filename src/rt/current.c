/*
 * Who is calling: the running task or a foreign thread; and what a task knows
 * of itself.
 */
#include <errno.h>
#include <string.h>

#include <leat/extend.h>

#include "rt/park.h"
#include "rt/sim.h"
#include "rt/timer.h"

struct leat__list leat__threads = { &leat__threads, &leat__threads };
static struct leat__lock threads_lock;

static void detach(struct leat__thread *thread)
{
	if (leat__rt && thread->attached_to == leat__rt->number)
		leat__fetch_sub(&leat__rt->attached, 1);
	thread->attached_to = 0;
}

static void thread_end(void *arg)
{
	struct leat__thread *thread = arg;

	detach(thread);
	leat__lock_acquire(&threads_lock, LEAT__RANK_MEMORY);
	leat__list_remove(&thread->all);
	leat__lock_release(&threads_lock);
	leat__process_free(thread);
}

/* The stand-in of a foreign thread; made at its first call and kept until it ends. */
struct leat__thread *leat__thread_self(void)
{
	static const leat_task_type foreign_type = { "thread", NULL, 0 };
	struct leat__thread *thread = leat__thread_value();

	if (!thread) {
		thread = leat__process_alloc(sizeof(*thread));
		if (!thread || leat__thread_value_set(thread, thread_end) != 0) {
			leat__process_free(thread);
			return NULL;
		}
		thread->task.flags = LEAT__T_FOREIGN;
		thread->task.type = &foreign_type;
		thread->task.stack = &thread->waiting;
		thread->task.state = LEAT__RUNNING;
		thread->number = leat__thread_number();
		leat__lock_acquire(&threads_lock, LEAT__RANK_MEMORY);
		leat__list_append(&leat__threads, &thread->all);
		leat__lock_release(&threads_lock);
	}
	thread->task.scope = leat__rt ? leat__rt->root : NULL;
	if (leat__rt && thread->attached_to != leat__rt->number) {
		thread->attached_to = leat__rt->number;
		leat__fetch_add(&leat__rt->attached, 1);
	}
	return thread;
}

/* Names a public function; what a static one is called says nothing to the user. */
static void no_runtime(const char *function)
{
	if (strncmp(function, "leat_", 5) == 0 && function[5] != '_')
		leat__misuse_at(function, NULL,
				"no runtime is running; call it inside leat_run or LEAT_MAIN");
	leat__fatal("no runtime is running; call leat's functions inside leat_run or LEAT_MAIN");
}

struct leat__task *leat__current_in(const char *function, struct leat__worker *w)
{
	struct leat__thread *thread;

	if (w)
		return w->cur;
	leat__check_fork("leat", NULL);
	if (!leat__rt)
		no_runtime(function);
	thread = leat__thread_self();
	if (!thread)
		leat__fatal("no memory to attach this thread; call leat_thread_attach earlier and check its result");
	return &thread->task;
}

int leat_thread_attach(void)
{
	leat__check_fork(__func__, NULL);
	if (leat__self())
		return 0;
	return leat__thread_self() ? 0 : -ENOMEM;
}

void leat_thread_detach(void)
{
	if (!leat__self()) {
		struct leat__thread *thread = leat__thread_value();

		if (thread)
			detach(thread);
	}
}

/* The running task; outside one the program is stopped. */
static struct leat__task *task_only(const char *function)
{
	struct leat__worker *w = leat__self();

	leat__check_fork(function, NULL);
	if (leat__unlikely(!w || !w->cur))
		leat__misuse_at(function, NULL, "called outside a task; call it in a task of leat_run");
	return w->cur;
}

uint64_t leat_task_id(void)
{
	struct leat__worker *w = leat__self();

	return w && w->cur ? w->cur->id : 0;
}

uint64_t leat_task_id_in(const leat_group *group)
{
	const struct leat__scope *top = (const struct leat__scope *)group;
	struct leat__worker *w = leat__self();
	uint64_t id = w && w->cur ? w->cur->id : 0;

	if (id == 0)
		return 0;
	for (const struct leat__scope *s = w->cur->scope; s != top; s = s->parent) {
		if (!s)
			return 0;
		id = s->maker;
	}
	return id;
}

bool leat_task_is_forked(void)
{
	struct leat__worker *w = leat__self();

	return w && w->cur && w->cur->flags & LEAT__T_FORK;
}

const char *leat_task_name(void)
{
	return leat__task_name_of(task_only(__func__));
}

void leat_task_set_name(const char *name)
{
	struct leat__ext *ext = leat__task_ext(task_only(__func__));

	if (ext) /* without memory it keeps its old name */
		leat__store_relaxed(&ext->name, name);
}

bool leat_cancelled(void)
{
	struct leat__worker *w = leat__self();

	return w && w->cur && leat__is_canceled(w->cur);
}

void leat_shield_begin(void)
{
	struct leat__task *t = task_only(__func__);

	LEAT_CHECK(t->shield < UINT8_MAX);
	t->shield++;
}

void leat_shield_end(void)
{
	struct leat__task *t = task_only(__func__);

	if (t->shield == 0)
		leat__misuse(t, "task '%s' is not shielded; pair it with leat_shield_begin",
			     leat__task_name_of(t));
	t->shield--;
}

void leat_no_park_begin(void)
{
	struct leat__task *t = task_only(__func__);

	LEAT_CHECK(t->no_park < UINT8_MAX);
	t->no_park++;
}

void leat_no_park_end(void)
{
	struct leat__task *t = task_only(__func__);

	if (t->no_park == 0)
		leat__misuse(t, "task '%s' is in no no-park scope; pair it with leat_no_park_begin",
			     leat__task_name_of(t));
	t->no_park--;
}

int leat_local_key_create(leat_local_key *ret_key, void (*drop)(void *value))
{
	struct leat__runtime *rt = leat__rt;
	uint32_t i;

	if (!rt)
		leat__misuse(ret_key, "no runtime is running; call it inside leat_run");
	i = leat__load_relaxed(&rt->local_keys);
	do {
		if (i >= 16)
			return -EAGAIN;
		rt->local_drop[i] = drop;
	} while (!leat__cas(&rt->local_keys, i, i + 1) &&
		 (i = leat__load_relaxed(&rt->local_keys), true));
	rt->local_drop[i] = drop;
	ret_key->_index = i;
	return 0;
}

int leat_local_set(leat_local_key key, void *value)
{
	struct leat__ext *ext = leat__task_ext(task_only(__func__));

	if (!ext)
		return -ENOMEM;
	LEAT_CHECK(key._index < 16);
	ext->locals[key._index] = value;
	return 0;
}

void *leat_local_get(leat_local_key key)
{
	struct leat__task *t = task_only(__func__);

	LEAT_CHECK(key._index < 16);
	return t->flags & LEAT__T_EXT ? t->ext->locals[key._index] : NULL;
}

/* Time. */

int64_t leat__time_now(void)
{
	struct leat__runtime *rt = leat__rt;

	return rt && rt->sim ? leat__sim_now(rt->sim) : leat__clock();
}

int64_t leat_now(void)
{
	return leat__time_now();
}

int64_t leat_in(int64_t ns)
{
	int64_t when;

	if (__builtin_add_overflow(leat__time_now(), ns, &when))
		return ns > 0 ? LEAT_FOREVER : 0;
	return when;
}

int leat_sleep_until(int64_t when)
{
	struct leat__worker *w;
	struct leat__task *t;
	int r;

	leat__check_fork(__func__, NULL);
	r = leat__enter(&w, &t);
	if (r < 0)
		return r;
	if (w && when <= leat__time_now())
		return leat_yield();
	leat__arm(t, true);
	r = leat__park(t, LEAT__WHY_SLEEP, &when, when);
	return r == -ETIMEDOUT ? 0 : r;
}

int leat_sleep(int64_t ns)
{
	leat__check_fork(__func__, NULL);
	return leat_sleep_until(leat_in(ns));
}

const char *leat_strerror(int error)
{
	static __thread char text[128];

	if (error == LEAT_ECLOSED)
		return "closed";
	if (error == LEAT_EEND)
		return "the input ended too early";
	if (error == LEAT_EOPEN)
		return "the circuit breaker is open";
	if (error == -ETIMEDOUT) /* the system says so of connections alone */
		return "timed out";
	return error <= 0 ? strerror_r(-error, text, sizeof(text)) : "no error";
}
