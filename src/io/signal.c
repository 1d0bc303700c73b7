/*
 * Signals as a channel.
 *
 * The handler (port/sigwatch.c) notes the signal and writes into a pipe; a task of the
 * root group reads that, and sends the numbers into the channel.  While the channel is full it
 * blocks, and what comes again is noted once.
 */
#include <leat/signal.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "io/io.h"
#include "port/sigwatch.h"
#include "port/sys.h"
#include "rt/sim.h"

struct leat_signals {
	struct leat__sigwatch watch;
	uint32_t refs;		/* (a) the user's and the task's */
	uint32_t ended;		/* (a) */
	leat_channel *chan;	/* (c) */
	leat_io pipe;		/* (c) its reading end */
};

static void unref(leat_signals *s)
{
	if (leat__fetch_sub(&s->refs, 1) != 1)
		return;
	leat_channel_unref(s->chan);
	leat__free(s, sizeof(*s));
}

/* By who comes first: leat_signals_close, or the end of the runtime. */
static void end(leat_signals *s)
{
	if (leat__exchange(&s->ended, 1))
		return;
	leat__sigwatch_end(&s->watch);
	leat_io_close(s->pipe);
	close(s->watch.fd);
	leat_channel_close(s->chan);
}

static int send_all(leat_signals *s, uint64_t pending)
{
	int r = 0;

	for (; pending != 0 && r == 0; pending &= pending - 1) {
		int sig = __builtin_ctzll(pending) + 1;

		r = leat_channel_send(s->chan, &sig, LEAT_FOREVER);
	}
	return r;
}

LEAT_TASK(leat_signals_task, (leat_signals *, s))
{
	char bytes[64];

	while (leat_read(s->pipe, bytes, sizeof(bytes), LEAT_FOREVER) > 0 &&
	       send_all(s, leat__exchange(&s->watch.pending, 0)) == 0)
		;
	end(s);
	unref(s);
}

static int mask_of(const int *numbers, size_t n, uint64_t *ret_mask)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < n; i++) {
		if (!leat__sigwatch_can(numbers[i])) {
			leat__log("leat_signals_open: signal %d (%s) cannot be received", numbers[i],
				  strsignal(numbers[i]));
			return -EINVAL;
		}
		mask |= UINT64_C(1) << (numbers[i] - 1);
	}
	*ret_mask = mask;
	return 0;
}

static int open_pipe(leat_signals *s)
{
	int fd[2], r;
	int64_t k = LEAT__SYS(pipe2(fd, O_CLOEXEC | O_NONBLOCK));

	if (k < 0)
		return (int)k;
	r = leat_io_adopt(&s->pipe, fd[0], 0);
	if (r < 0) {
		close(fd[0]);
		close(fd[1]);
		return r;
	}
	s->watch.fd = fd[1];
	return 0;
}

static int begin(leat_signals *s)
{
	int r = open_pipe(s);

	if (r < 0)
		return r;
	r = leat__sigwatch_begin(&s->watch);
	if (r < 0) {
		leat_io_close(s->pipe);
		close(s->watch.fd);
		return r;
	}
	leat__store_relaxed(&s->refs, 2);
	r = leat_go_in(leat_group_root(), leat_signals_task, s);
	if (r < 0) {
		leat__store_relaxed(&s->refs, 1);
		end(s);
	}
	return r;
}

int leat_signals_open(leat_signals **ret_signals, const int *numbers, size_t n)
{
	leat_signals *s;
	uint64_t mask;
	int r;

	leat__check_fork(__func__, NULL);
	if (!leat__rt)
		leat__misuse(NULL, "no runtime runs; call it inside of leat_run");
	leat__sim_real_only(__func__);
	leat__require(ret_signals);
	if (n > 0)
		leat__require(numbers);
	r = mask_of(numbers, n, &mask);
	if (r < 0)
		return r;
	s = leat__alloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	memset(s, 0, sizeof(*s));
	s->watch.mask = mask;
	s->refs = 1;
	s->chan = leat_channel_create(sizeof(int), 1, NULL, "leat_signals");
	r = s->chan ? begin(s) : -ENOMEM;
	if (r < 0) {
		unref(s);
		return r;
	}
	*ret_signals = s;
	return 0;
}

leat_channel *leat_signals_channel(const leat_signals *signals)
{
	leat__require(signals);
	return signals->chan;
}

void leat_signals_close(leat_signals *s)
{
	if (!s)
		return;
	end(s);
	unref(s);
}
