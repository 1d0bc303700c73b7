/*
 * Child processes: handles.
 *
 * The end of a process is an event of its pidfd, in a slot as any handle has (io.h).  Who waits
 * first takes the result under the lock; the rest find it.
 */
#include <leat/process.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/io.h"
#include "io/spawner.h"
#include "port/sys.h"
#include "rt/sim.h"

extern char **environ;

struct leat_process {
	struct leat__child child;
	leat_io exit;		/* (c) of child.pidfd */
	leat_io stdio[3];	/* (c) none: no pipe */
	leat_mutex lock;
	bool ended;		/* (L, a) error and result are final, the child is reaped */
	int error;		/* (L) 0, or why there is no result */
	leat_process_result result; /* (L) */
};

/* What a start needs until the program runs. */
struct start {
	struct leat__spawn spawn;
	struct leat__spawn_fd *fds;
	struct leat__spawn_limit *limits;
	size_t size;		/* of fds and limits, one block */
	int opened[3];		/* the child's ends of what was opened for it; -1: none */
};

static const struct leat__io_ops exit_ops = {
	.name = "process",
	.close = leat__fd_close,
	.external = true,
};

static void check(const leat_process_options *o, const char *function)
{
	const struct leat_stdio *io[3] = { &o->in, &o->out, &o->err };

	leat__check_fork(function, NULL);
	if (!leat__rt)
		leat__misuse_at(function, NULL, "no runtime runs; call it inside of leat_run");
	leat__sim_real_only(function);
	if (!o->argv || !o->argv[0])
		leat__misuse_at(function, o, "argv is empty; give it the program's name at least");
	for (int i = 0; i < 3; i++)
		if ((unsigned)io[i]->kind > LEAT_STDIO_STDOUT ||
		    (io[i]->kind == LEAT_STDIO_STDOUT && i != 2))
			leat__misuse_at(function, o, "stdio[%d].kind is %d, which it cannot be", i,
					(int)io[i]->kind);
	if ((!o->fds && o->nfds > 0) || (!o->limits && o->nlimits > 0))
		leat__misuse_at(function, o, "nfds is %zu, nlimits %zu, but what they count is NULL",
				o->nfds, o->nlimits);
	for (size_t i = 0; i < o->nfds; i++)
		if (o->fds[i].to <= 2)
			leat__misuse_at(function, o, "fds[%zu].to is %d; 0 to 2 are in, out and err",
					i, o->fds[i].to);
}

static void add_fd(struct start *start, int to, int from)
{
	start->fds[start->spawn.nfds++] = (struct leat__spawn_fd){ .to = to, .from = from };
}

/* *ret_fd is the child's end. */
static int open_pipe(leat_io *ret_io, bool child_reads, int *ret_fd)
{
	int ours = child_reads ? 1 : 0, r, fd[2];
	int64_t k = LEAT__SYS(pipe2(fd, O_CLOEXEC));

	if (k < 0)
		return (int)k;
	r = leat_io_adopt(ret_io, fd[ours], 0);
	if (r < 0) {
		close(fd[0]);
		close(fd[1]);
		return r;
	}
	*ret_fd = fd[1 - ours];
	return 0;
}

static int set_stdio(struct leat_process *p, struct start *start, int to, const leat_stdio *how)
{
	int64_t r;

	switch (how->kind) {
	case LEAT_STDIO_INHERIT:
		return 0;
	case LEAT_STDIO_NULL:
		r = LEAT__SYS(open("/dev/null", O_RDWR | O_CLOEXEC));
		start->opened[to] = r < 0 ? -1 : (int)r;
		break;
	case LEAT_STDIO_PIPE:
		r = open_pipe(&p->stdio[to], to == 0, &start->opened[to]);
		break;
	case LEAT_STDIO_FD:
		add_fd(start, to, how->fd);
		return 0;
	default:
		/* As out, whose entry is there if it has one. */
		for (size_t i = 0; i < start->spawn.nfds; i++)
			if (start->fds[i].to == 1) {
				add_fd(start, to, start->fds[i].from);
				return 0;
			}
		add_fd(start, to, 1);
		return 0;
	}
	if (r < 0)
		return (int)r;
	add_fd(start, to, start->opened[to]);
	return 0;
}

static int prepare(struct start *start, struct leat_process *p, const leat_process_options *o)
{
	const char *path = getenv("PATH");
	int r;

	start->size = (3 + o->nfds) * sizeof(*start->fds) + o->nlimits * sizeof(*start->limits);
	start->limits = leat__alloc(start->size);
	if (!start->limits)
		return -ENOMEM;
	start->fds = (struct leat__spawn_fd *)(start->limits + o->nlimits);
	for (size_t i = 0; i < o->nlimits; i++)
		start->limits[i] = (struct leat__spawn_limit){
			o->limits[i].resource, o->limits[i].soft, o->limits[i].hard };
	start->spawn = (struct leat__spawn){
		.flags = LEAT__SPAWN_BOUND | (o->same_group ? 0 : LEAT__SPAWN_GROUP),
		.image = -1,
		.file = o->file ? o->file : o->argv[0],
		.path = !o->search ? NULL : path ? path : "/usr/local/bin:/usr/bin:/bin",
		.argv = o->argv,
		.env = o->env ? o->env : (const char *const *)environ,
		.cwd = o->cwd,
		.fds = start->fds,
		.limits = start->limits,
		.nlimits = o->nlimits,
	};
	r = set_stdio(p, start, 0, &o->in);
	if (r == 0)
		r = set_stdio(p, start, 1, &o->out);
	if (r == 0)
		r = set_stdio(p, start, 2, &o->err);
	for (size_t i = 0; i < o->nfds; i++)
		add_fd(start, o->fds[i].to, o->fds[i].from);
	return r;
}

static void put_away(struct start *start)
{
	for (int i = 0; i < 3; i++)
		if (start->opened[i] >= 0)
			close(start->opened[i]);
	leat__free(start->limits, start->size);
}

/* Of a process that has ended, or is about to. */
static void reap(struct leat_process *p)
{
	struct leat__exit e = { 0 };

	leat_mutex_lock(&p->lock);
	if (!p->ended) {
		/* Before its number can be somebody else's. */
		leat__spawner_forget(&p->child);
		p->error = leat__reap(p->child.pidfd, true, &e);
		p->result = (leat_process_result){ e.code, e.signal, e.core, e.user_ns,
						   e.system_ns, e.memory_max };
		leat__store_release(&p->ended, true);
	}
	leat_mutex_unlock(&p->lock);
}

static void close_stdio(struct leat_process *p)
{
	for (int i = 0; i < 3; i++)
		if (!leat_io_is_none(p->stdio[i]))
			leat_io_close(p->stdio[i]);
}

static int start_process(struct leat_process *p, const leat_process_options *o)
{
	struct start start = { .opened = { -1, -1, -1 } };
	int r = prepare(&start, p, o);

	if (r == 0)
		r = leat__spawner_start(&start.spawn, &p->child);
	put_away(&start);
	if (r < 0)
		return r;
	r = leat__io_adopt(&p->exit, p->child.pidfd, 0, &exit_ops, 0);
	if (r < 0) {
		leat__kill(p->child.target, SIGKILL);
		reap(p);
		close(p->child.pidfd);
	}
	return r;
}

int leat_process_start(leat_process **ret_process, const leat_process_options *options)
{
	leat_process_options o = { .size = sizeof(o) };
	struct leat__worker *w;
	struct leat__task *me;
	struct leat_process *p;
	int r;

	leat__require(ret_process);
	leat__require(options);
	if (leat__unlikely(options->size == 0))
		leat__misuse(options, "options.size is 0; use LEAT_PROCESS_OPTIONS(...)");
	memcpy(&o, options, options->size < sizeof(o) ? options->size : sizeof(o));
	check(&o, __func__);
	r = leat__enter(&w, &me);
	if (r < 0)
		return r;
	p = leat__alloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	memset(p, 0, sizeof(*p));
	r = start_process(p, &o);
	if (r < 0) {
		close_stdio(p);
		leat__free(p, sizeof(*p));
		return r;
	}
	*ret_process = p;
	return 0;
}

int leat_process_wait(leat_process *process, leat_process_result *ret_result, int64_t deadline)
{
	leat__check_fork(__func__, process);
	leat__require(process);
	if (!leat__load_acquire(&process->ended)) {
		struct leat__io *io = leat__io_hold(process->exit);
		int64_t r = io ? leat__io_wait(io, LEAT__READABLE, deadline) : LEAT_ECLOSED;

		if (io)
			leat__io_release(io);
		if (r < 0)
			return (int)r;
		reap(process);
	}
	if (ret_result && process->error == 0)
		*ret_result = process->result;
	return process->error;
}

static int kill_it(leat_process *p, int sig, bool group)
{
	int r = -ESRCH;

	leat_mutex_lock(&p->lock);
	if (!p->ended)
		r = group ? leat__kill(p->child.target, sig)
			  : leat__kill_child(p->child.pidfd, sig);
	leat_mutex_unlock(&p->lock);
	return r;
}

int leat_process_kill(leat_process *process, int sig)
{
	leat__check_fork(__func__, process);
	leat__require(process);
	return kill_it(process, sig, false);
}

int leat_process_kill_group(leat_process *process, int sig)
{
	leat__check_fork(__func__, process);
	leat__require(process);
	return kill_it(process, sig, true);
}

int leat_process_pid(const leat_process *process)
{
	leat__require(process);
	return process->child.pid;
}

int leat_process_pidfd(const leat_process *process)
{
	leat__require(process);
	return process->child.pidfd;
}

leat_io leat_process_stdin(const leat_process *process)
{
	leat__require(process);
	return process->stdio[0];
}

leat_io leat_process_stdout(const leat_process *process)
{
	leat__require(process);
	return process->stdio[1];
}

leat_io leat_process_stderr(const leat_process *process)
{
	leat__require(process);
	return process->stdio[2];
}

static void end(leat_process *p)
{
	bool in_task = leat__self() != NULL;

	if (!leat__poll_now(p->child.pidfd, LEAT__READABLE))
		leat_process_kill_group(p, SIGKILL);
	if (in_task)
		leat_shield_begin();
	leat_process_wait(p, NULL, LEAT_FOREVER);
	if (in_task)
		leat_shield_end();
}

void leat_process_release(leat_process *p)
{
	if (!p)
		return;
	leat__check_fork(__func__, p);
	if (!leat__load_acquire(&p->ended))
		end(p);
	leat_io_close(p->exit);
	close_stdio(p);
	leat__free(p, sizeof(*p));
}
