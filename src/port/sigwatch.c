/*
 * Signal handlers that only take a note.
 *
 *   handler	H1 inside + 1; full fence
 *		H2 each watch that wants the signal: pending |= bit; a byte into its pipe
 *		H3 inside - 1
 *   end	H4 take the watch out of the table; full fence
 *		H5 wait for inside == 0
 * A handler of before H4 has left when H5 is done; a later one does not find the watch.
 */
#include "port/sigwatch.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "base/atomic.h"
#include "port/sys.h"

enum { WATCHES = 32, SIGNALS = 64 };

static struct leat__sigwatch *watches[WATCHES];	/* (a) written under the mutex */
static uint32_t inside;	/* (a) handlers that run */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint32_t users[SIGNALS + 1];	/* (L) */
static struct sigaction before[SIGNALS + 1];	/* (L) of the signals with users */

static uint64_t bit_of(int sig)
{
	return UINT64_C(1) << (sig - 1);
}

static void on_signal(int sig)
{
	int saved = errno;

	leat__fetch_add(&inside, 1);							/* H1 */
	leat__fence_full(); /* pairs with H4 */
	for (int i = 0; i < WATCHES; i++) {
		struct leat__sigwatch *watch = leat__load_acquire(&watches[i]);

		if (!watch || !(watch->mask & bit_of(sig)))
			continue;
		leat__fetch_or(&watch->pending, bit_of(sig));				/* H2 */
		if (write(watch->fd, "", 1) < 0)
			continue; /* it is full: the reader will look */
	}
	leat__fetch_sub(&inside, 1);							/* H3 */
	errno = saved;
}

bool leat__sigwatch_can(int sig)
{
	struct sigaction ignored;

	if (sig < 1 || sig > SIGNALS || sig == SIGKILL || sig == SIGSTOP)
		return false;
	if (sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL || sig == SIGTRAP)
		return false;
	return sigaction(sig, NULL, &ignored) == 0; /* the libc has some for itself */
}

static int take(int sig)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK };
	int64_t r = 0;

	sigfillset(&action.sa_mask);
	if (users[sig] == 0)
		r = LEAT__SYS(sigaction(sig, &action, &before[sig]));
	if (r == 0)
		users[sig]++;
	return (int)r;
}

static void give_back(int sig)
{
	struct sigaction now;

	if (--users[sig] > 0)
		return;
	/* Who has set another handler meanwhile keeps it. */
	if (sigaction(sig, NULL, &now) == 0 && now.sa_handler == on_signal)
		sigaction(sig, &before[sig], NULL);
}

static int find_slot(void)
{
	int i = 0;

	while (i < WATCHES && watches[i])
		i++;
	return i;
}

int leat__sigwatch_begin(struct leat__sigwatch *watch)
{
	int r = 0, slot, sig;

	pthread_mutex_lock(&mutex);
	slot = find_slot();
	if (slot == WATCHES) {
		pthread_mutex_unlock(&mutex);
		return -ENOSPC;
	}
	leat__store_release(&watches[slot], watch);
	for (sig = 1; sig <= SIGNALS && r == 0; sig++)
		if (watch->mask & bit_of(sig))
			r = take(sig);
	if (r < 0) {
		/* The last one failed. */
		for (sig -= 2; sig >= 1; sig--)
			if (watch->mask & bit_of(sig))
				give_back(sig);
		leat__store_release(&watches[slot], NULL);
	}
	pthread_mutex_unlock(&mutex);
	return r;
}

void leat__sigwatch_end(struct leat__sigwatch *watch)
{
	pthread_mutex_lock(&mutex);
	for (int sig = 1; sig <= SIGNALS; sig++)
		if (watch->mask & bit_of(sig))
			give_back(sig);
	for (int i = 0; i < WATCHES; i++)
		if (watches[i] == watch)
			leat__store_release(&watches[i], NULL);				/* H4 */
	pthread_mutex_unlock(&mutex);
	leat__fence_full(); /* pairs with H1 */
	while (leat__load_acquire(&inside) > 0)						/* H5 */
		sched_yield();
}
