#include "port/port.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/atomic.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

bool leat__asymmetric;

/*
 * Worker threads block all signals that a program may handle, so that handlers
 * do not run on task stacks; the synchronous ones stay open.
 */
static int start(struct leat__thread_handle *ret_thread, const pthread_attr_t *attr,
		 void *(*fn)(void *), void *arg)
{
	pthread_t thread;
	sigset_t block, old;
	int r;

	sigfillset(&block);
	sigdelset(&block, SIGSEGV);
	sigdelset(&block, SIGBUS);
	sigdelset(&block, SIGFPE);
	sigdelset(&block, SIGILL);
	sigdelset(&block, SIGTRAP);
	sigdelset(&block, SIGPROF);
	pthread_sigmask(SIG_SETMASK, &block, &old);
	r = pthread_create(&thread, attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r != 0)
		return -r;
	ret_thread->id = (uint64_t)thread;
	return 0;
}

int leat__thread_start(struct leat__thread_handle *ret_thread, void *(*fn)(void *), void *arg)
{
	return start(ret_thread, NULL, fn, arg);
}

int leat__thread_start_stack(struct leat__thread_handle *ret_thread, void *(*fn)(void *), void *arg,
			     size_t stack_size)
{
	pthread_attr_t attr;
	int r = pthread_attr_init(&attr);

	if (r != 0)
		return -r;
	r = -pthread_attr_setstacksize(&attr, stack_size);
	if (r == 0)
		r = start(ret_thread, &attr, fn, arg);
	pthread_attr_destroy(&attr);
	return r;
}

struct leat__thread_handle leat__thread_handle_self(void)
{
	return (struct leat__thread_handle){ (uint64_t)pthread_self() };
}

void leat__thread_join(struct leat__thread_handle thread)
{
	int r = pthread_join((pthread_t)thread.id, NULL);

	LEAT_CHECK_EQ(r, 0);
}

static pthread_key_t value_key;
static pthread_once_t value_once = PTHREAD_ONCE_INIT;
static void (*value_end)(void *value); /* the same from every thread that sets it */

static void end_value(void *value)
{
	leat__load_relaxed(&value_end)(value);
}

static void make_value_key(void)
{
	if (pthread_key_create(&value_key, end_value) != 0)
		leat__fatal("no thread-local key left (PTHREAD_KEYS_MAX)");
}

void *leat__thread_value(void)
{
	pthread_once(&value_once, make_value_key);
	return pthread_getspecific(value_key);
}

int leat__thread_value_set(void *value, void (*end)(void *value))
{
	pthread_once(&value_once, make_value_key);
	leat__store_relaxed(&value_end, end);
	return -pthread_setspecific(value_key, value);
}

/* The CPUs that the cgroup's quota amounts to, rounded up; INT_MAX without quota. */
static int quota_cpus(void)
{
	long long quota = -1, period = 0;
	char text[64] = "";
	FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");

	if (f) {
		if (fscanf(f, "%63s %lld", text, &period) == 2 && strcmp(text, "max") != 0)
			quota = atoll(text);
		fclose(f);
	} else {
		f = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "re");
		if (f) {
			if (fscanf(f, "%lld", &quota) != 1)
				quota = -1;
			fclose(f);
		}
		f = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "re");
		if (f) {
			if (fscanf(f, "%lld", &period) != 1)
				period = 0;
			fclose(f);
		}
	}
	if (quota <= 0 || period <= 0)
		return INT_MAX;
	return (int)((quota + period - 1) / period);
}

int leat__cpu_count(void)
{
	cpu_set_t set;
	int n = 1, quota = quota_cpus();

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	else
		n = (int)sysconf(_SC_NPROCESSORS_ONLN);
	if (n > quota)
		n = quota;
	return n > 0 ? n : 1;
}

int64_t leat__timer_slack_fine(void)
{
	int64_t old = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);

	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	return old;
}

void leat__timer_slack_restore(int64_t slack)
{
	if (slack > 0)
		prctl(PR_SET_TIMERSLACK, (unsigned long)slack, 0, 0, 0);
}

void leat__futex_wait(uint32_t *word, uint32_t expected, int64_t deadline)
{
	struct timespec ts = { .tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000 };

	/* WAIT_BITSET takes an absolute monotonic time. */
	syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
		deadline == INT64_MAX ? NULL : &ts, NULL, FUTEX_BITSET_MATCH_ANY);
}

void leat__futex_wake(uint32_t *word, int n)
{
	syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, n, NULL, NULL, 0);
}

int64_t leat__clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void leat__fence_heavy_init(void)
{
#ifndef LEAT__TSAN
	leat__asymmetric = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0,
				   0) == 0;
#endif
}

void leat__fence_heavy(void)
{
	leat__fence_full();
	if (!leat__asymmetric)
		return;
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0)
		leat__fatal("membarrier failed after it was registered");
}

size_t leat__page_size(void)
{
	static size_t size;

	if (size == 0)
		size = (size_t)sysconf(_SC_PAGESIZE);
	return size;
}

void *leat__map_reserve(size_t size, size_t align)
{
	size_t extra = align > leat__page_size() ? align : 0;
	char *base = mmap(NULL, size + extra, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t lead;

	if (base == MAP_FAILED)
		return NULL;
	if (extra > 0) {
		lead = (align - (uintptr_t)base % align) % align;
		if (lead > 0)
			munmap(base, lead);
		if (extra - lead > 0)
			munmap(base + lead + size, extra - lead);
		base += lead;
	}
	madvise(base, size, MADV_NOHUGEPAGE); /* a hint: failure costs memory only */
	return base;
}

void leat__map_release(void *ptr, size_t size)
{
	if (munmap(ptr, size) != 0)
		leat__fatal("munmap(%p, %zu) failed", ptr, size);
}

int leat__map_guard(void *page)
{
	if (madvise(page, leat__page_size(), MADV_GUARD_INSTALL) == 0)
		return 0;
	return errno == EINVAL ? -ENOTSUP : -errno;
}

int leat__map_guard_one(void *page)
{
	return mprotect(page, leat__page_size(), PROT_NONE) == 0 ? 0 : -errno;
}

void leat__map_trim(void *ptr, size_t size)
{
	madvise(ptr, size, MADV_DONTNEED); /* a hint */
}

/* The value of "name:" in a file of "name: value kB" lines, or of its first number; 0 if none. */
static uint64_t read_number(const char *path, const char *name)
{
	char line[256];
	uint64_t value = 0;
	FILE *f = fopen(path, "re");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (name && strncmp(line, name, strlen(name)) != 0)
			continue;
		value = strtoull(line + (name ? strlen(name) : 0), NULL, 10);
		break;
	}
	fclose(f);
	return value;
}

uint64_t leat__memory_available(void)
{
	uint64_t available = read_number("/proc/meminfo", "MemAvailable:") * 1024;
	uint64_t max = read_number("/sys/fs/cgroup/memory.max", NULL);
	uint64_t used = read_number("/sys/fs/cgroup/memory.current", NULL);

	if (available == 0)
		available = UINT64_MAX / 4;
	if (max > 0 && max - (used < max ? used : max) < available)
		available = max - (used < max ? used : max);
	return available;
}

uint64_t leat__random_seed(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = (uint64_t)leat__clock();
	return seed;
}

void leat__thread_set_name(const char *name)
{
	prctl(PR_SET_NAME, (unsigned long)name, 0, 0, 0);
}

int leat__thread_number(void)
{
	return (int)syscall(SYS_gettid);
}

int leat__on_fork_child(void (*fn)(void))
{
	return -pthread_atfork(NULL, NULL, fn);
}
