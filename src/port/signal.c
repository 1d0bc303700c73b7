#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "port/port.h"

bool leat__sigpipe_begin(void)
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	return sigismember(&old, SIGPIPE) == 1;
}

void leat__sigpipe_end(bool was_blocked)
{
	static const struct timespec at_once;
	sigset_t set;

	if (was_blocked)
		return;
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	/* One that came meanwhile is ours. */
	while (sigtimedwait(&set, NULL, &at_once) == SIGPIPE)
		;
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
