/*
 * One task waits for all that can happen to a child: its pipes and its end are in an epoll set,
 * which itself is a handle of leat's.
 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <leat/leat.h>
#include <leat/process.h>

/* Of the pipes of a child that is fed. */
enum { PIPE_BYTES = 256 * 1024 };

enum event { EVENT_OUT, EVENT_ERR, EVENT_IN, EVENT_END, EVENTS };

struct child {
	const struct child_options *o;
	struct slot *slot;
	struct job *job;
	char **args;
	leat_process *process;
	int fd[EVENTS];		/* -1: none, or closed */
	/*
	 * The child's ends of out and err, until it has ended: so that what wakes the task is its
	 * end, and not that it closes them just before.
	 */
	int held[2];
	int64_t began, paused_before;
	size_t fed;		/* bytes of the input */
	bool ended;		/* it can be waited for */
	int error;
};

static int watch(struct child *c, enum event event)
{
	struct epoll_event e = { .events = event == EVENT_IN ? EPOLLOUT : EPOLLIN,
				 .data.u32 = event };

	return epoll_ctl(c->slot->epoll, EPOLL_CTL_ADD, c->fd[event], &e) < 0 ? -leat_errno() : 0;
}

static void close_fd(struct child *c, enum event event)
{
	if (c->fd[event] < 0)
		return;
	if (event == EVENT_END) /* the process's own */
		epoll_ctl(c->slot->epoll, EPOLL_CTL_DEL, c->fd[event], NULL);
	else
		close(c->fd[event]);
	c->fd[event] = -1;
}

/* ours is non-blocking, *ret_theirs is not. */
static int open_pipe(struct child *c, enum event event, int *ret_theirs)
{
	int ours = event == EVENT_IN ? 1 : 0, fd[2];

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -leat_errno();
	*ret_theirs = fd[1 - ours];
	c->fd[event] = fd[ours];
	if (c->o->input) /* much goes through it; if it may not be larger, it works as it is */
		fcntl(fd[ours], F_SETPIPE_SZ, PIPE_BYTES);
	if (fcntl(fd[ours], F_SETFL, O_NONBLOCK) < 0)
		return -leat_errno();
	return watch(c, event);
}

static int start(struct child *c)
{
	int theirs[3] = { -1, -1, -1 }, r = open_pipe(c, EVENT_OUT, &theirs[EVENT_OUT]);

	if (r == 0)
		r = open_pipe(c, EVENT_ERR, &theirs[EVENT_ERR]);
	if (r == 0 && c->o->input)
		r = open_pipe(c, EVENT_IN, &theirs[EVENT_IN]);
	leat_mutex_lock(&c->slot->slots->starting);
	if (r == 0)
		r = leat_process_start(&c->process, LEAT_PROCESS_OPTIONS(
			.argv = (const char *const *)c->args, .file = c->o->file,
			.in = { c->o->input ? LEAT_STDIO_FD : LEAT_STDIO_NULL, theirs[EVENT_IN] },
			.out = { LEAT_STDIO_FD, theirs[EVENT_OUT] },
			.err = { LEAT_STDIO_FD, theirs[EVENT_ERR] }));
	if (r == 0)
		slots_set_process(c->slot->slots, c->slot, c->process);
	leat_mutex_unlock(&c->slot->slots->starting);
	c->held[EVENT_OUT] = theirs[EVENT_OUT];
	c->held[EVENT_ERR] = theirs[EVENT_ERR];
	if (theirs[EVENT_IN] >= 0)
		close(theirs[EVENT_IN]);
	if (r < 0)
		return r;
	if (c->o->nice != 0) {
		int pid = leat_process_pid(c->process);

		setpriority(PRIO_PROCESS, (id_t)pid, getpriority(PRIO_PROCESS, 0) + c->o->nice);
	}
	c->fd[EVENT_END] = leat_process_pidfd(c->process);
	return watch(c, EVENT_END);
}

static void listen_to(struct child *c, enum event event)
{
	struct capture *to = event == EVENT_OUT ? &c->job->out : &c->job->err;
	size_t max = c->o->captured ? CAPTURE_IN_MEMORY : SIZE_MAX;
	int r;

	if (c->fd[event] < 0)
		return;
	r = capture_read(to, c->fd[event], max);
	if (r <= 0)
		close_fd(c, event);
	if (r >= 0 && c->o->captured) {
		int k = c->o->captured(c->o->arg, c->job, event == EVENT_ERR);

		r = k < 0 ? k : r;
	}
	if (r < 0 && c->error == 0)
		c->error = r;
}

/* Who does not read all of it is fed no more: no error. */
static void feed(struct child *c)
{
	const struct record *in = c->o->input;
	ssize_t k;

	while (c->fed < in->n) {
		k = write(c->fd[EVENT_IN], in->bytes + c->fed, in->n - c->fed);
		if (k < 0 && leat_errno() == EAGAIN)
			return;
		if (k < 0 && leat_errno() != EINTR)
			break;
		c->fed += k > 0 ? (size_t)k : 0;
	}
	close_fd(c, EVENT_IN);
}

/* What there is to do now; false: nothing. */
static bool look(struct child *c)
{
	struct epoll_event e[EVENTS];
	int n = epoll_wait(c->slot->epoll, e, EVENTS, 0);

	for (int i = 0; i < n; i++)
		switch ((enum event)e[i].data.u32) {
		case EVENT_OUT:
		case EVENT_ERR:
			listen_to(c, (enum event)e[i].data.u32);
			break;
		case EVENT_IN:
			feed(c);
			break;
		default:
			c->ended = true;
			close_fd(c, EVENT_END);
		}
	return n > 0;
}

/* Its own, which does not come nearer while it is paused. */
static int64_t timeout_of(const struct child *c)
{
	int64_t paused = slots_paused(c->slot->slots) - c->paused_before;

	return c->o->timeout > 0 ? c->began + c->o->timeout + paused : LEAT_FOREVER;
}

/* Until it has ended, or the deadline; 0, -ETIMEDOUT, -ECANCELED or c->error. */
static int await(struct child *c, int64_t deadline)
{
	int r = 0;

	while (!c->ended && c->error == 0 && r >= 0)
		if (!look(c))
			r = leat_io_wait(c->slot->epoll_io, LEAT_READABLE, deadline);
	if (c->ended)
		return 0;
	return c->error < 0 ? c->error : r;
}

static void end_it(struct child *c)
{
	leat_shield_begin();
	leat_process_kill_group(c->process, SIGTERM);
	leat_process_kill_group(c->process, SIGCONT); /* it may be stopped */
	c->error = 0;
	if (await(c, leat_in(c->o->grace)) < 0) {
		leat_process_kill_group(c->process, SIGKILL);
		c->error = 0;
		while (await(c, LEAT_FOREVER) < 0)
			c->error = 0; /* of what it writes, now without meaning */
	}
	leat_shield_end();
}

static bool is_open(const struct child *c)
{
	return c->fd[EVENT_OUT] >= 0 || c->fd[EVENT_ERR] >= 0;
}

static void let_go(struct child *c)
{
	for (int i = 0; i < 2; i++) {
		if (c->held[i] >= 0)
			close(c->held[i]);
		c->held[i] = -1;
	}
}

/* It has ended: what is left in the pipes. */
static void drain(struct child *c)
{
	int64_t deadline;

	close_fd(c, EVENT_IN);
	let_go(c);
	/* Not waited for yet, so its group is still its own. */
	leat_process_kill_group(c->process, SIGKILL);
	listen_to(c, EVENT_OUT);
	listen_to(c, EVENT_ERR);
	if (!is_open(c))
		return;
	deadline = leat_in(CHILD_LINGER_NS);
	leat_shield_begin();
	while (is_open(c) && c->error == 0)
		if (!look(c) && leat_io_wait(c->slot->epoll_io, LEAT_READABLE, deadline) < 0)
			break;
	leat_shield_end();
}

/* How it ended: what the kernel says. */
static int reap(struct child *c)
{
	leat_process_result result;
	int r;

	leat_shield_begin();
	r = leat_process_wait(c->process, &result, LEAT_FOREVER);
	leat_shield_end();
	if (r == 0) {
		c->job->code = result.code;
		c->job->signal = result.signal;
	}
	return r;
}

/* From its start to its end. */
static int see_through(struct child *c)
{
	int64_t deadline;
	int r, k;

	do {
		deadline = timeout_of(c);
		r = await(c, deadline);
	} while (r == -ETIMEDOUT && timeout_of(c) > deadline);
	c->job->timed_out = r == -ETIMEDOUT;
	if (!c->ended)
		end_it(c);
	drain(c);
	k = reap(c);
	if (r < 0 && r != -ETIMEDOUT)
		return r;
	return c->error < 0 ? c->error : k;
}

int child_run(const struct child_options *o, struct slot *slot, struct job *job, char **args)
{
	struct child c = { .o = o, .slot = slot, .job = job, .args = args, .fd = { -1, -1, -1, -1 },
			   .held = { -1, -1 }, .began = leat_now(),
			   .paused_before = slots_paused(slot->slots) };
	int r = slots_epoll_begin(slot->slots, slot);

	job->timed_out = false;
	if (r == 0)
		r = start(&c);
	if (r == 0)
		r = see_through(&c);
	if (c.process)
		slots_set_process(slot->slots, slot, NULL);
	leat_process_release(c.process);
	for (int i = 0; i < EVENT_END; i++)
		close_fd(&c, (enum event)i);
	let_go(&c);
	slots_epoll_end(slot->slots, slot);
	job->took = leat_now() - c.began;
	job->sent += c.fed;
	return r;
}
