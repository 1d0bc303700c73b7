#include "slots.h"

#include "memory.h"

void slots_init(struct slots *s, int n)
{
	*s = (struct slots){ .lock = LEAT_MUTEX_INIT, .n = n };
	s->all = need((size_t)n * sizeof(struct slot));
	for (int i = 0; i < n; i++)
		s->all[i] = (struct slot){ .slots = s, .number = i + 1, .epoll = -1 };
}

void slots_release(struct slots *s)
{
	for (int i = 0; i < s->n; i++)
		if (s->all[i].epoll >= 0)
			leat_io_close(s->all[i].epoll_io);
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

int slots_running(struct slots *s)
{
	int n = 0;

	leat_mutex_lock(&s->lock);
	for (int i = 0; i < s->n; i++)
		n += s->all[i].process != NULL;
	leat_mutex_unlock(&s->lock);
	return n;
}

void slots_kill(struct slots *s, int sig)
{
	leat_mutex_lock(&s->lock);
	for (int i = 0; i < s->n; i++)
		if (s->all[i].process)
			leat_process_kill_group(s->all[i].process, sig);
	leat_mutex_unlock(&s->lock);
}

void slots_give(struct slots *s, struct slot *slot)
{
	leat_mutex_lock(&s->lock);
	slot->taken = false;
	leat_mutex_unlock(&s->lock);
}
