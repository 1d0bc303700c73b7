/*
 * Signals as a channel of their numbers.
 *
 *	leat_signals *s;
 *	int sig;
 *
 *	r = leat_signals_open(&s, (const int[]){ SIGINT, SIGTERM }, 2);
 *	r = leat_channel_recv(leat_signals_channel(s), &sig, LEAT_FOREVER);
 *	leat_signals_close(s);
 *
 * This is the only call by which leat installs signal handlers.  A signal that comes again
 * before it has been received is received once, as the kernel does it with blocked
 * ones; none is lost, however slow the receiver.  Of several that wait, in no order.  Every
 * open set that has a signal gets it.  Some thread must have it unblocked: leat's own block
 * all, but the one that called leat_run is left as it is.
 */
#ifndef LEAT_SIGNAL_H
#define LEAT_SIGNAL_H

#include <leat/base.h>

typedef struct leat_signals leat_signals;

LEAT_BEGIN_DECLS

/*
 * Receives these signals instead of what happened on them before.  *ret_signals is the caller's,
 * to be closed; the end of the runtime closes it, too, but does not free it.
 *
 * Returns 0; -EINVAL with a line in the log: SIGKILL, SIGSTOP, no signal, or one that an
 * instruction raises (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP), which cannot wait;
 * -ENOMEM; -ENOSPC: 32 sets are open; -EMFILE.  Does not block.
 */
LEAT_API LEAT_MUST_CHECK int leat_signals_open(leat_signals **ret_signals, const int *numbers,
					       size_t n);

/* Of int; closed by leat_signals_close.  Valid until then, or longer with a reference. */
LEAT_API leat_channel *leat_signals_channel(const leat_signals *signals);

/*
 * Ends it: what happened on the signals before happens again, once no other set has them.
 * NULL is ignored.  Does not block.
 */
LEAT_API void leat_signals_close(leat_signals *signals);

LEAT_END_DECLS

#endif
