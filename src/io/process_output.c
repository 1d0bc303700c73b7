/*
 * Running a program and collecting what it writes.
 *
 * A task feeds stdin, one each reads stdout and stderr, the caller waits for the end.  After
 * it the readers have DRAIN_NS to find the end of their pipes, which a child of the
 * program may hold open; then they are cancelled.
 */
#include <leat/process.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "rt/rt.h"

#define DRAIN_NS LEAT_S
enum { FIRST_SIZE = 4096, DROP_SIZE = 4096 };

struct collected {
	leat_io io;
	char *bytes;
	size_t size, cap, limit;
	bool complete;		/* the end of the pipe was seen, and nothing dropped */
	int error;
};

/* Room for one byte more, and the 0 behind it. */
static int grow(struct collected *c)
{
	size_t cap = c->cap ? c->cap * 2 : FIRST_SIZE;
	char *bytes;

	if (cap > c->limit + 1)
		cap = c->limit + 1;
	bytes = leat__alloc(cap);
	if (!bytes)
		return -ENOMEM;
	if (c->bytes)
		memcpy(bytes, c->bytes, c->size);
	leat__free(c->bytes, c->cap);
	c->bytes = bytes;
	c->cap = cap;
	return 0;
}

LEAT_TASK(collect, (struct collected *, c))
{
	char drop[DROP_SIZE];
	bool dropped = false;
	int64_t n;

	for (;;) {
		if (c->size < c->limit && c->size + 1 >= c->cap) {
			c->error = grow(c);
			if (c->error < 0)
				return;
		}
		if (c->size < c->limit)
			n = leat_read(c->io, c->bytes + c->size, c->cap - 1 - c->size,
				      LEAT_FOREVER);
		else
			n = leat_read(c->io, drop, sizeof(drop), LEAT_FOREVER);
		if (n <= 0)
			break;
		if (c->size < c->limit)
			c->size += (size_t)n;
		else
			dropped = true;
	}
	c->complete = n == 0 && !dropped;
}

LEAT_TASK(feed, (leat_io, to), (const char *, bytes), (size_t, n))
{
	leat_write_all(to, bytes, n, LEAT_FOREVER, NULL);
	leat_io_close(to);
}

static int await_end(leat_process *p, leat_process_result *ret_result, int64_t deadline)
{
	bool in_task = leat__self() != NULL;
	int r = leat_process_wait(p, ret_result, deadline);

	if (r != -ETIMEDOUT && r != -ECANCELED)
		return r;
	leat_process_kill_group(p, SIGKILL);
	if (in_task)
		leat_shield_begin();
	leat_process_wait(p, ret_result, LEAT_FOREVER);
	if (in_task)
		leat_shield_end();
	return r;
}

static int run(leat_process *p, leat_output *output, struct collected c[2], const void *input,
	       size_t n, int64_t deadline)
{
	leat_group group;
	int r = leat_group_init(&group, LEAT_GROUP_OPTIONS(.join = LEAT_JOIN_ALL_DONE)), k;

	if (r < 0)
		return r;
	if (n > 0)
		r = leat_go_in(&group, feed, leat_process_stdin(p), input, n);
	for (int i = 0; i < 2 && r == 0; i++)
		if (!leat_io_is_none(c[i].io))
			r = leat_go_in(&group, collect, &c[i]);
	k = await_end(p, &output->result, r < 0 ? leat_now() : deadline);
	r = r < 0 ? r : k;
	if (leat_group_wait_until(&group, leat_in(DRAIN_NS)) == -EAGAIN)
		leat_group_cancel(&group, 0);
	leat_group_wait(&group);
	leat_group_release(&group);
	return r == 0 ? (c[0].error < 0 ? c[0].error : c[1].error) : r;
}

/* Hands over what was collected, even if that is nothing. */
static int give(struct collected *c, char **ret_bytes, size_t *ret_size, size_t *ret_cap,
		bool *ret_cut)
{
	int r = c->bytes ? 0 : grow(c);

	if (r == 0)
		c->bytes[c->size] = '\0';
	*ret_bytes = c->bytes;
	*ret_size = c->size;
	*ret_cap = c->cap;
	*ret_cut = !c->complete && !leat_io_is_none(c->io);
	return r;
}

int leat_process_output(leat_output *ret_output, const leat_process_options *options,
			const void *input, size_t n, size_t limit, int64_t deadline)
{
	leat_process_options o = { .size = sizeof(o) };
	struct collected c[2] = { { .limit = limit }, { .limit = limit } };
	leat_process *p;
	int r, k;

	leat__require(ret_output);
	leat__require(options);
	if (n > 0)
		leat__require(input);
	if (leat__unlikely(options->size == 0))
		leat__misuse(options, "options.size is 0; use LEAT_PROCESS_OPTIONS(...)");
	memset(ret_output, 0, sizeof(*ret_output));
	memcpy(&o, options, options->size < sizeof(o) ? options->size : sizeof(o));
	o.in.kind = n > 0 ? LEAT_STDIO_PIPE : LEAT_STDIO_NULL;
	o.out.kind = LEAT_STDIO_PIPE;
	if (o.err.kind != LEAT_STDIO_STDOUT)
		o.err.kind = LEAT_STDIO_PIPE;
	r = leat_process_start(&p, &o);
	if (r == 0) {
		c[0].io = leat_process_stdout(p);
		c[1].io = leat_process_stderr(p);
		r = run(p, ret_output, c, input, n, deadline);
		leat_process_release(p);
	}
	k = give(&c[0], &ret_output->out, &ret_output->out_size, &ret_output->_out_cap,
		 &ret_output->out_cut);
	r = r < 0 ? r : k;
	k = give(&c[1], &ret_output->err, &ret_output->err_size, &ret_output->_err_cap,
		 &ret_output->err_cut);
	return r < 0 ? r : k;
}

void leat_output_release(leat_output *output)
{
	leat__require(output);
	leat__free(output->out, output->_out_cap);
	leat__free(output->err, output->_err_cap);
	memset(output, 0, sizeof(*output));
}
