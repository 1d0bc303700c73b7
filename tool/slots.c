#include "slots.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <leat/leat.h>

#include "memory.h"

static int open_epoll(struct slot *slot)
{
	int fd = epoll_create1(EPOLL_CLOEXEC), r;

	if (fd < 0)
		return -leat_errno();
	r = leat_io_adopt(&slot->epoll_io, fd, 0);
	if (r < 0)
		close(fd);
	else
		slot->epoll = fd;
	return r;
}

/* Under the lock. */
static void close_epoll(struct slot *slot)
{
	if (slot->epoll >= 0)
		leat_io_close(slot->epoll_io);
	slot->epoll = -1;
}

void slots_init(struct slots *s, int n)
{
	*s = (struct slots){ .lock = LEAT_MUTEX_INIT, .starting = LEAT_MUTEX_INIT, .n = n };
	s->all = need((size_t)n * sizeof(struct slot));
	for (int i = 0; i < n; i++)
		s->all[i] = (struct slot){ .slots = s, .number = i + 1, .epoll = -1 };
}

void slots_release(struct slots *s)
{
	for (int i = 0; i < s->n; i++)
		close_epoll(&s->all[i]);
	free(s->all);
}

struct slot *slots_take(struct slots *s)
{
	struct slot *slot = NULL;

	leat_mutex_lock(&s->lock);
	for (int i = 0; i < s->n && !slot; i++)
		if (!s->all[i].taken)
			slot = &s->all[i];
	if (!slot)
		die("more jobs run than have a place");
	slot->taken = true;
	leat_mutex_unlock(&s->lock);
	return slot;
}

void slots_set_process(struct slots *s, struct slot *slot, leat_process *process)
{
	leat_mutex_lock(&s->lock);
	slot->process = process;
	leat_mutex_unlock(&s->lock);
}

int slots_epoll_begin(struct slots *s, struct slot *slot)
{
	leat_mutex_lock(&s->lock);
	slot->busy = true;
	leat_mutex_unlock(&s->lock);
	return slot->epoll >= 0 ? 0 : open_epoll(slot);
}

void slots_epoll_end(struct slots *s, struct slot *slot)
{
	leat_mutex_lock(&s->lock);
	slot->busy = false;
	leat_mutex_unlock(&s->lock);
}

void slots_trim(struct slots *s)
{
	leat_mutex_lock(&s->lock);
	for (int i = 0; i < s->n; i++)
		if (!s->all[i].busy)
			close_epoll(&s->all[i]);
	leat_mutex_unlock(&s->lock);
}

static void kill_all(struct slots *s, int sig)
{
	leat_mutex_lock(&s->lock);
	for (int i = 0; i < s->n; i++)
		if (s->all[i].process)
			leat_process_kill_group(s->all[i].process, sig);
	leat_mutex_unlock(&s->lock);
}

void slots_pause(struct slots *s)
{
	leat_mutex_lock(&s->starting);
	s->paused_at = leat_now();
	kill_all(s, SIGSTOP);
}

void slots_continue(struct slots *s)
{
	atomic_fetch_add(&s->paused, leat_now() - s->paused_at);
	kill_all(s, SIGCONT);
	leat_mutex_unlock(&s->starting);
}

int64_t slots_paused(struct slots *s)
{
	return atomic_load(&s->paused);
}

void slots_give(struct slots *s, struct slot *slot)
{
	leat_mutex_lock(&s->lock);
	slot->taken = false;
	leat_mutex_unlock(&s->lock);
}
