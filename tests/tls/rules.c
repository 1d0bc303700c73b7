/*
 * The rules of docs/thread-local.md, one test or more each.  At -O2, by each compiler
 * that there is: what they are about is what compilers keep over a call.
 */
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>

#include "elsewhere.h"

enum { MOVES = 20, TASKS = 8, ROUNDS = 100 };

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define INSTRUMENTED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INSTRUMENTED
#endif

static const char nowhere[] = "/nonexistent/leat";

/*
 * errno.
 */

/*
 * Each function below is called anew for each move, so that its first use of errno is right,
 * which makes the compiler keep the address; the park then makes that wrong.
 */

static __attribute__((noinline)) void read_after_a_park(void)
{
	struct elsewhere e;

	CHECK_EQ(close(-1), -1);
	CHECK_EQ(errno, EBADF);
	go_elsewhere(&e, NULL, NULL);
	CHECK_EQ(open(nowhere, O_RDONLY), -1);
	CHECK_EQ(leat_errno(), ENOENT);
	go_elsewhere_end(&e);
}

TEST_WITH(errno_after_a_park, .workers = 2)
{
	for (int i = 0; i < MOVES; i++)
		read_after_a_park();
}

static __attribute__((noinline)) void set_after_a_park(void)
{
	struct elsewhere e;

	errno = 0;
	CHECK_EQ(strtol("1", NULL, 10), 1);
	CHECK_EQ(errno, 0);
	go_elsewhere(&e, NULL, NULL);
	leat_set_errno(EBADF);
	CHECK_EQ(leat_errno(), EBADF);
	leat_set_errno(0);
	CHECK_EQ(strtol("99999999999999999999", NULL, 10), LONG_MAX);
	CHECK_EQ(leat_errno(), ERANGE);
	leat_set_errno(0);
	CHECK_EQ(strtol("1", NULL, 10), 1);
	CHECK_EQ(leat_errno(), 0);
	go_elsewhere_end(&e);
}

TEST_WITH(errno_set_after_a_park, .workers = 2)
{
	for (int i = 0; i < MOVES; i++)
		set_after_a_park();
}

/* As read_after_a_park, with errno itself.  Whether it is wrong. */
static __attribute__((noinline)) bool is_stale(void)
{
	struct elsewhere e;
	bool stale;

	CHECK_EQ(close(-1), -1);
	CHECK_EQ(errno, EBADF);
	go_elsewhere(&e, NULL, NULL);
	CHECK_EQ(open(nowhere, O_RDONLY), -1);
	stale = errno != ENOENT;
	go_elsewhere_end(&e);
	return stale;
}

/*
 * Why there is the rule.  A compiler that did not keep the address would make the two tests
 * above show nothing.
 */
TEST_WITH(errno_itself_is_stale, .workers = 2)
{
	int stale = 0;

	for (int i = 0; i < MOVES; i++)
		stale += is_stale();
#if defined(__OPTIMIZE__) && !defined(INSTRUMENTED)
	CHECK(stale > 0);
#else
	if (stale == 0)
		SKIP("this build does not keep the address");
#endif
}

/* A function that does not park may use it. */
static __attribute__((noinline)) int errno_of_open(void)
{
	return open(nowhere, O_RDONLY) < 0 ? errno : 0;
}

TEST_WITH(errno_in_a_function_that_does_not_park, .workers = 2)
{
	for (int i = 0; i < MOVES; i++) {
		struct elsewhere e;

		CHECK_EQ(errno_of_open(), ENOENT);
		go_elsewhere(&e, NULL, NULL);
		leat_set_errno(EBADF);
		CHECK_EQ(errno_of_open(), ENOENT);
		go_elsewhere_end(&e);
	}
}

/* Many at once, each with an error of its own. */
LEAT_TASK(own_errno, (int, error))
{
	for (int i = 0; i < ROUNDS; i++) {
		leat_set_errno(error);
		CHECK_EQ(leat_errno(), error);
		CHECK_EQ(leat_yield(), 0);
	}
}

TEST_WITH(errno_of_many, .workers = 4)
{
	leat_group group;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(leat_go_in(&group, own_errno, i + 1), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
}

/*
 * Variables of one's own.
 */

static __thread pid_t thread_of_worker;

static void note_thread(void *ctx, int worker)
{
	(void)ctx;
	(void)worker;
	thread_of_worker = gettid();
}

static __attribute__((noinline)) pid_t *this_thread(void)
{
	pid_t *thread = &thread_of_worker;

	__asm__ volatile("" : "+r"(thread) : : "memory");
	return thread;
}

TEST_WITH(variable_after_a_park, .workers = 2, .worker_start = note_thread)
{
	for (int i = 0; i < MOVES; i++) {
		pid_t *before = this_thread();
		struct elsewhere e;

		CHECK_EQ(*before, gettid());
		go_elsewhere(&e, NULL, NULL);
		CHECK_EQ(*this_thread(), gettid());
		CHECK(*before != gettid());
		go_elsewhere_end(&e);
	}
}

/*
 * Locale.
 */

static locale_t make_locale(const char *name)
{
	locale_t locale = newlocale(LC_ALL_MASK, name, (locale_t)0);

	if (!locale)
		SKIP("there is no locale C.UTF-8");
	return locale;
}

static bool is_codeset(const char *name)
{
	return strcmp(nl_langinfo(CODESET), name) == 0;
}

struct two_locales {
	locale_t locale[2];
	const char *codeset[2];
};

static struct two_locales make_locales(void)
{
	struct two_locales two = { { make_locale("C"), make_locale("C.UTF-8") },
				   { "ANSI_X3.4-1968", "UTF-8" } };

	CHECK_STR(nl_langinfo_l(CODESET, two.locale[0]), two.codeset[0]);
	CHECK_STR(nl_langinfo_l(CODESET, two.locale[1]), two.codeset[1]);
	return two;
}

static void free_locales(struct two_locales *two)
{
	freelocale(two->locale[0]);
	freelocale(two->locale[1]);
}

LEAT_TASK(change_locale, (const struct two_locales *, two), (int, which))
{
	for (int i = 0; i < ROUNDS; i++) {
		locale_t old;

		leat_no_park_begin();
		old = uselocale(two->locale[which]);
		CHECK(old == LC_GLOBAL_LOCALE);
		CHECK(is_codeset(two->codeset[which]));
		uselocale(old);
		leat_no_park_end();
		CHECK_EQ(leat_yield(), 0);
	}
}

TEST_WITH(locale_between_two_parks, .workers = 4)
{
	struct two_locales two = make_locales();
	leat_group group;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(leat_go_in(&group, change_locale, &two, i % 2), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	free_locales(&two);
}

/* Why: the next task in that thread has it, and this one does not. */
static void check_locale(void *arg)
{
	const struct two_locales *two = arg;

	CHECK(uselocale(LC_GLOBAL_LOCALE) == two->locale[1]);
}

TEST_WITH(locale_does_not_move_along, .workers = 2)
{
	struct two_locales two = make_locales();
	struct elsewhere e;

	uselocale(two.locale[1]);
	go_elsewhere(&e, check_locale, &two);
	CHECK(uselocale((locale_t)0) == LC_GLOBAL_LOCALE);
	CHECK_STR(nl_langinfo_l(CODESET, two.locale[1]), two.codeset[1]);
	go_elsewhere_end(&e);
	free_locales(&two);
}

/*
 * Pinned tasks.
 */

/* Makes what is pinned ready, then leaves it time to be stolen, were that possible. */
LEAT_TASK(hold_a_while, (leat_chan(int), chan))
{
	int64_t until = leat_in(2 * LEAT_MS);

	leat_set_errno(E2BIG);
	CHECK_EQ(leat_send(chan, 0), 0);
	while (leat_now() < until)
		sched_yield();
}

static void park_pinned(leat_chan(int) chan)
{
	pid_t thread = gettid();
	leat_group group;
	int got;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(close(-1), -1);
	CHECK_EQ(errno, EBADF);
	REQUIRE(leat_go_with(&group, LEAT_TASK_OPTIONS(.pinned = true), hold_a_while, chan) == 0);
	CHECK_EQ(leat_recv(chan, &got), 0);
	CHECK_EQ(gettid(), thread);
	CHECK_EQ(open(nowhere, O_RDONLY), -1);
	CHECK_EQ(errno, ENOENT);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
}

LEAT_TASK(stay, (leat_chan(int), chan))
{
	for (int i = 0; i < MOVES; i++)
		park_pinned(chan);
}

TEST_WITH(pinned, .workers = 2)
{
	leat_chan(int) chan = leat_chan_make(int, 1);
	leat_group group;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_with(&group, LEAT_TASK_OPTIONS(.pinned = true), stay, chan), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	leat_chan_unref(chan);
}

/*
 * No-park scopes: what would park stops the program.  tests/debug/misuse.c has more.
 */

LEAT_TASK(receive_nothing, (leat_chan(int), chan))
{
	int got;

	leat_recv(chan, &got);
}

TEST_DEATH_TASK(no_park_group, "leat_group_wait(0x")
{
	leat_chan(int) never = leat_chan_make(int, 0);
	leat_group group;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	leat_no_park_begin();
	CHECK_EQ(leat_go_in(&group, receive_nothing, never), 0);
	leat_group_wait(&group); /* its child would park, and we with it */
}

TEST_DEATH_TASK(no_park_select, "would block in a no-park scope (select)")
{
	leat_chan(int) c = leat_chan_make(int, 0);
	int got;

	leat_no_park_begin();
	leat_select(leat_case_recv(c, &got));
}

TEST_DEATH_TASK(no_park_io, "would block in a no-park scope (read)")
{
	leat_io pair[2];
	char byte;

	REQUIRE(leat_socketpair(pair, SOCK_STREAM) == 0);
	leat_no_park_begin();
	leat_read(pair[0], &byte, 1, LEAT_FOREVER);
}

TEST_DEATH_TASK(no_park_deadline, "would block in a no-park scope (read)")
{
	int fd[2];

	REQUIRE(pipe(fd) == 0);
	leat_no_park_begin();
	leat_wait_fd(fd[0], LEAT_READABLE, leat_in(LEAT_S));
}

/* Nothing in it yields, be the budget used up ever so often. */
TEST_WITH(no_park_does_not_yield, .workers = 2)
{
	leat_chan(int) chan = leat_chan_make(int, 1);
	pid_t thread = gettid();
	leat_group group;
	int got;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	leat_no_park_begin();
	leat_set_errno(E2BIG);
	for (int i = 0; i < 10000; i++) {
		REQUIRE(leat_send(chan, i) == 0);
		REQUIRE(leat_recv(chan, &got) == 0);
		if (i % 100 == 0)
			REQUIRE(leat_go_in(&group, own_errno, 1) == 0);
	}
	CHECK_EQ(gettid(), thread);
	leat_no_park_end();
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
	leat_chan_unref(chan);
}

/*
 * leat_blocking: the function stays in its thread.
 */

static int fail_to_open(void *arg)
{
	pid_t thread = gettid();

	(void)arg;
	errno = 0;
	(void)leat_sleep(LEAT_MS); /* blocks the thread: it is no task here */
	CHECK_EQ(gettid(), thread);
	return open(nowhere, O_RDONLY) < 0 ? -errno : 0;
}

TEST_WITH(blocking_returns_its_error, .workers = 2)
{
	for (int i = 0; i < MOVES; i++)
		CHECK_EQ(leat_blocking(fail_to_open, NULL), -ENOENT);
}
