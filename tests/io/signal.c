/*
 * Signals as a channel.
 */
#include <signal.h>

#include "io.h"

#define OPEN(s, ...) \
	leat_signals_open(s, (const int[]){ __VA_ARGS__ }, \
			  sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

/* TSan keeps a signal until the thread calls libc, and a sleeping worker may not. */
#if defined(__SANITIZE_THREAD__)
#define SIGNALS_COME 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SIGNALS_COME 0
#endif
#endif
#ifndef SIGNALS_COME
#define SIGNALS_COME 1
#endif
#define NEED_SIGNALS() \
	do { \
		if (!SIGNALS_COME) \
			SKIP("TSan delays signals"); \
	} while (0)

static int next(leat_signals *s)
{
	int sig = 0;

	CHECK_EQ(leat_channel_recv(leat_signals_channel(s), &sig, leat_in(20 * LEAT_S)), 0);
	return sig;
}

static int old_calls;	/* atomic */

static void on_old(int sig)
{
	(void)sig;
	__atomic_fetch_add(&old_calls, 1, __ATOMIC_RELAXED);
}

static int calls(void)
{
	return __atomic_load_n(&old_calls, __ATOMIC_RELAXED);
}

TEST(receive_and_restore)
{
	struct sigaction old = { .sa_handler = on_old }, now;
	int before;
	leat_signals *s;

	NEED_SIGNALS();
	sigaction(SIGUSR1, &old, NULL);
	REQUIRE(OPEN(&s, SIGUSR1) == 0);
	leat_signals_close(s);
	leat_sleep(20 * LEAT_MS);
	before = count_fds();
	for (int i = 0; i < 20; i++) {
		REQUIRE(OPEN(&s, SIGUSR1, SIGUSR2) == 0);
		kill(getpid(), SIGUSR1);
		CHECK_EQ(next(s), SIGUSR1);
		kill(getpid(), SIGUSR2);
		CHECK_EQ(next(s), SIGUSR2);
		leat_signals_close(s);
	}
	/* The task that reads the pipe leaves it a moment after the close. */
	for (int i = 0; i < 1000 && count_fds() != before; i++)
		leat_sleep(LEAT_MS);
	CHECK_EQ(count_fds(), before);
	CHECK_EQ(calls(), 0);
	CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == on_old);
	CHECK(sigaction(SIGUSR2, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
	kill(getpid(), SIGUSR1);
	for (int i = 0; i < 1000 && calls() == 0; i++)
		leat_sleep(LEAT_MS);
	CHECK_EQ(calls(), 1);
}

/* Nobody receives for a while: each number waits once, and none is lost. */
TEST(slow_receiver)
{
	int sig, seen[65] = { 0 }, total = 0;
	leat_signals *s;

	NEED_SIGNALS();
	REQUIRE(OPEN(&s, SIGUSR1, SIGUSR2, SIGTERM) == 0);
	for (int i = 0; i < 100; i++) {
		kill(getpid(), SIGUSR1);
		leat_sleep(100 * LEAT_US);
	}
	kill(getpid(), SIGTERM);
	leat_sleep(20 * LEAT_MS);
	while (leat_channel_recv(leat_signals_channel(s), &sig, leat_in(200 * LEAT_MS)) == 0) {
		seen[sig]++;
		total++;
	}
	CHECK(seen[SIGUSR1] >= 1 && seen[SIGUSR1] <= 4);
	CHECK_EQ(seen[SIGTERM], 1);
	CHECK_EQ(total, seen[SIGUSR1] + seen[SIGTERM]);
	leat_signals_close(s);
}

TEST(every_set_gets_it)
{
	leat_signals *a, *b;

	NEED_SIGNALS();
	REQUIRE(OPEN(&a, SIGUSR1) == 0 && OPEN(&b, SIGUSR1, SIGUSR2) == 0);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(next(a), SIGUSR1);
	CHECK_EQ(next(b), SIGUSR1);
	leat_signals_close(a);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(next(b), SIGUSR1); /* still not the default, which would end us */
	leat_signals_close(b);
}

TEST(close_ends_receivers)
{
	leat_channel *chan;
	leat_signals *s;
	int sig;

	REQUIRE(OPEN(&s, SIGUSR1) == 0);
	chan = leat_channel_ref(leat_signals_channel(s));
	leat_signals_close(s);
	CHECK_EQ(leat_channel_recv(chan, &sig, LEAT_FOREVER), LEAT_ECLOSED);
	leat_channel_unref(chan);
}

TEST(refused)
{
	static const int bad[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, 0, -1, 65 };
	leat_signals *s = NULL, *many[32];
	struct sigaction now;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_EQ(OPEN(&s, SIGUSR1, bad[i]), -EINVAL);
		CHECK(s == NULL);
	}
	CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
	for (int i = 0; i < 32; i++)
		REQUIRE(OPEN(&many[i], SIGUSR1) == 0);
	CHECK_EQ(OPEN(&s, SIGUSR1), -ENOSPC);
	for (int i = 0; i < 32; i++)
		leat_signals_close(many[i]);
}

static leat_signals *forgotten;

static int forget(void *arg)
{
	(void)arg;
	return OPEN(&forgotten, SIGUSR1);
}

TEST_PLAIN(runtime_ends)
{
	struct sigaction now;
	int before = count_fds();

	CHECK_EQ(leat_run(NULL, forget, NULL), 0);
	CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
	CHECK_EQ(count_fds(), before);
}
